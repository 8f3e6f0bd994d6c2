-- Instants are milliseconds since 1970 UTC, NULL for none. Lists and maps are JSON, '' for empty ones. On the intake
-- tables (receipts, items) only rowids in order of arrival and one 8-byte hash are indexed for every row: page writes of
-- random indexes are what limits intake. Partial indexes are there where few rows touch them.

-- +goose Up
CREATE TABLE instance (
  id     INTEGER PRIMARY KEY CHECK (id = 1),
  key    BLOB    NOT NULL,                 -- 32 random bytes, made with the database
  probes INTEGER NOT NULL DEFAULT 0        -- see DB.Probe
) STRICT;

CREATE TABLE receipts (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  hash        INTEGER NOT NULL,            -- of source and key; not unique, the full key decides
  source      TEXT    NOT NULL,
  key         TEXT    NOT NULL,
  received_at INTEGER,
  state       TEXT    NOT NULL,
  reason      TEXT    NOT NULL,
  tool        TEXT    NOT NULL,
  same_within INTEGER NOT NULL,            -- nanoseconds
  sum         BLOB    NOT NULL,
  first       INTEGER NOT NULL,            -- number of its first item; they follow each other
  items       INTEGER NOT NULL             -- how many it brought
) STRICT;
CREATE INDEX receipts_hash ON receipts (hash);
CREATE INDEX receipts_state ON receipts (state) WHERE state <> 'accepted';

CREATE TABLE receipt_bytes (               -- apart, because they go long before their receipt: only whole pages come free
  id     INTEGER PRIMARY KEY REFERENCES receipts (id),
  header BLOB,                             -- zstd
  raw    BLOB                              -- zstd
) STRICT;

CREATE TABLE items (
  number        INTEGER PRIMARY KEY AUTOINCREMENT,
  receipt       INTEGER NOT NULL,
  incident      INTEGER,                   -- NULL for none
  project       TEXT    NOT NULL,
  urgent        INTEGER NOT NULL,
  kind          TEXT    NOT NULL,
  thread        TEXT    NOT NULL,
  message_id    TEXT    NOT NULL,
  event_id      TEXT    NOT NULL,
  source        TEXT    NOT NULL,
  tool          TEXT    NOT NULL,
  title         TEXT    NOT NULL,
  url           TEXT    NOT NULL,
  author        TEXT    NOT NULL,
  event         TEXT    NOT NULL,
  state         TEXT    NOT NULL,
  level         TEXT    NOT NULL,
  priority      TEXT    NOT NULL,
  tags          TEXT    NOT NULL,
  due           TEXT    NOT NULL,
  private       INTEGER NOT NULL,
  authenticated INTEGER NOT NULL,
  reasons       TEXT    NOT NULL,
  step          INTEGER NOT NULL,
  occurred_at   INTEGER,
  received_at   INTEGER,
  body          TEXT    NOT NULL           -- last, so that a scan of what stands before never follows it
) STRICT;
CREATE INDEX items_incident ON items (incident) WHERE incident IS NOT NULL;
CREATE INDEX items_message ON items (message_id) WHERE message_id <> '';
CREATE INDEX items_urgent ON items (urgent) WHERE urgent = 1;

CREATE TABLE projects (                    -- what is counted of items by project, so that nobody has to read them all
  project TEXT    PRIMARY KEY,
  items   INTEGER NOT NULL,
  urgent  INTEGER NOT NULL,
  first   INTEGER NOT NULL,                -- number of its oldest item
  newest  INTEGER NOT NULL,
  last_at INTEGER                          -- when the newest was received
) STRICT, WITHOUT ROWID;

CREATE TABLE marks (
  inbox        TEXT    PRIMARY KEY,
  uid_validity INTEGER NOT NULL,
  uid          INTEGER NOT NULL,
  arrived      INTEGER,                    -- when the server had the mail at uid
  floor        INTEGER,
  known        INTEGER NOT NULL,           -- UIDs below it were there before us: floor decides
  done         INTEGER NOT NULL,           -- UID up to which 'after' was applied
  tries        INTEGER NOT NULL            -- readings begun since uid last moved
) STRICT, WITHOUT ROWID;

CREATE TABLE incidents (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  project     TEXT    NOT NULL,
  thread      TEXT    NOT NULL,
  opened_at   INTEGER,
  resolved_at INTEGER,                     -- NULL while open
  last        INTEGER NOT NULL,            -- number of its newest item
  settled     INTEGER NOT NULL DEFAULT 0   -- last, as it was when nothing was left to tell of it
) STRICT;
CREATE INDEX incidents_open ON incidents (project, thread) WHERE resolved_at IS NULL AND thread <> '';
CREATE INDEX incidents_unsettled ON incidents (last) WHERE settled < last;

CREATE TABLE subscribers (
  id       INTEGER PRIMARY KEY AUTOINCREMENT,
  address  TEXT    NOT NULL UNIQUE,
  name     TEXT    NOT NULL,
  zone     TEXT    NOT NULL,
  locale   TEXT    NOT NULL,
  state    TEXT    NOT NULL,
  alerts   INTEGER NOT NULL,
  quiet    TEXT    NOT NULL,
  revision INTEGER NOT NULL,
  imported TEXT    NOT NULL,
  bounce_score INTEGER NOT NULL DEFAULT 0, -- thousandths of a point
  scored_at    INTEGER,
  suspended_at INTEGER,
  suspended_for TEXT   NOT NULL DEFAULT '',
  paused_until INTEGER,
  wish         TEXT    NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX subscribers_suspended ON subscribers (address) WHERE state = 'suspended';

CREATE TABLE subscriptions (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  subscriber INTEGER NOT NULL REFERENCES subscribers (id),
  projects   TEXT    NOT NULL,
  kinds      TEXT    NOT NULL,
  schedule   TEXT    NOT NULL,
  ended      INTEGER NOT NULL,
  cursor     INTEGER NOT NULL,
  mailed_to  INTEGER NOT NULL,
  next_slot  INTEGER,
  last_slot  INTEGER
) STRICT;
CREATE INDEX subscriptions_subscriber ON subscriptions (subscriber);
CREATE INDEX subscriptions_due ON subscriptions (next_slot) WHERE ended = 0 AND next_slot IS NOT NULL;

CREATE TABLE editions (
  seq          INTEGER PRIMARY KEY AUTOINCREMENT,
  id           TEXT    NOT NULL UNIQUE,
  key          TEXT    NOT NULL UNIQUE,    -- the occasion
  occasion     TEXT    NOT NULL,
  subscriber   INTEGER NOT NULL,
  subscription INTEGER NOT NULL,           -- 0 for an alert
  slot         INTEGER,
  late         INTEGER NOT NULL,
  first        INTEGER NOT NULL,           -- the window, both ends in it
  last         INTEGER NOT NULL,
  items        INTEGER NOT NULL,
  shown        INTEGER NOT NULL,
  empty        INTEGER NOT NULL,
  created_at   INTEGER,
  message_id   TEXT    NOT NULL
) STRICT;
CREATE INDEX editions_subscriber ON editions (subscriber);
CREATE INDEX editions_alert ON editions (created_at) WHERE occasion = 'alert';

CREATE TABLE alert_marks (                 -- how far a subscriber was told of an incident
  incident   INTEGER NOT NULL,
  subscriber INTEGER NOT NULL,
  n          INTEGER NOT NULL,
  up_to      INTEGER NOT NULL,
  at         INTEGER,
  PRIMARY KEY (incident, subscriber)
) STRICT, WITHOUT ROWID;

CREATE TABLE alert_parts (                 -- what an alert told of an incident: its items in after < number <= up_to
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  subscriber INTEGER NOT NULL,
  incident   INTEGER NOT NULL,
  after      INTEGER NOT NULL,
  up_to      INTEGER NOT NULL,
  edition    TEXT    NOT NULL
) STRICT;
CREATE INDEX alert_parts_subscriber ON alert_parts (subscriber, up_to);

CREATE TABLE outbox (
  id           INTEGER PRIMARY KEY AUTOINCREMENT,
  message_id   TEXT    NOT NULL UNIQUE,
  edition      TEXT    NOT NULL,           -- '' for a letter
  channel      TEXT    NOT NULL,
  lane         TEXT    NOT NULL,
  recipient    TEXT    NOT NULL,
  subject      TEXT    NOT NULL,
  state        TEXT    NOT NULL,
  attempts     INTEGER NOT NULL DEFAULT 0,
  next_at      INTEGER NOT NULL,
  lease        INTEGER NOT NULL DEFAULT 0,
  leased_until INTEGER,
  answer       TEXT    NOT NULL DEFAULT '',
  created_at   INTEGER,
  done_at      INTEGER
) STRICT;
CREATE INDEX outbox_queued ON outbox (lane, next_at) WHERE state = 'queued';
CREATE INDEX outbox_sending ON outbox (lane, leased_until) WHERE state = 'sending';
CREATE INDEX outbox_edition ON outbox (edition) WHERE edition <> '';

CREATE TABLE outbox_bytes (                -- apart, because each attempt writes its outbox row anew
  id    INTEGER PRIMARY KEY REFERENCES outbox (id),
  bytes BLOB NOT NULL                      -- zstd
) STRICT;

CREATE INDEX outbox_oldest ON outbox (lane, created_at) WHERE state IN ('queued', 'sending');

CREATE TABLE bounces (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  message_id TEXT    NOT NULL,
  class      TEXT    NOT NULL,
  subscriber INTEGER NOT NULL,
  status     TEXT    NOT NULL,
  text       TEXT    NOT NULL,
  at         INTEGER,
  UNIQUE (message_id, class)
) STRICT;
CREATE INDEX bounces_subscriber ON bounces (subscriber);

CREATE TABLE swept (                       -- items that went before somebody who stood still was served with them
  id      INTEGER PRIMARY KEY AUTOINCREMENT,
  after   INTEGER NOT NULL,                -- after < number <= up_to
  up_to   INTEGER NOT NULL,
  project TEXT    NOT NULL,
  kind    TEXT    NOT NULL,
  items   INTEGER NOT NULL
) STRICT;
CREATE INDEX swept_up_to ON swept (up_to);

CREATE TABLE sweeps (                      -- how far each sort of thing has been swept
  what  TEXT    PRIMARY KEY,
  up_to INTEGER NOT NULL                   -- id of the last row that went
) STRICT, WITHOUT ROWID;

CREATE TABLE counts (                      -- kept by the triggers below
  what  TEXT NOT NULL,                     -- receipts or outbox
  lane  TEXT NOT NULL,                     -- '' for receipts
  state TEXT NOT NULL,
  n     INTEGER NOT NULL,
  PRIMARY KEY (what, lane, state)
) STRICT, WITHOUT ROWID;

-- +goose StatementBegin
CREATE TRIGGER receipts_count AFTER INSERT ON receipts BEGIN
  INSERT INTO counts VALUES ('receipts', '', new.state, 1) ON CONFLICT DO UPDATE SET n = n + 1;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER outbox_count AFTER INSERT ON outbox BEGIN
  INSERT INTO counts VALUES ('outbox', new.lane, new.state, 1) ON CONFLICT DO UPDATE SET n = n + 1;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER outbox_recount AFTER UPDATE OF state ON outbox WHEN old.state <> new.state BEGIN
  UPDATE counts SET n = n - 1 WHERE what = 'outbox' AND lane = old.lane AND state = old.state;
  INSERT INTO counts VALUES ('outbox', new.lane, new.state, 1) ON CONFLICT DO UPDATE SET n = n + 1;
END;
-- +goose StatementEnd

-- What is known of sources beside their deliveries.
CREATE TABLE source_hours (                -- counted as deliveries come, so that nobody has to read receipts
  source      TEXT    NOT NULL,            -- '' is the daemon itself
  hour        INTEGER NOT NULL,            -- hours since 1970
  accepted    INTEGER NOT NULL,
  ignored     INTEGER NOT NULL,
  quarantined INTEGER NOT NULL,
  refused     INTEGER NOT NULL,
  last_at     INTEGER,                     -- NULL where it was only refused
  PRIMARY KEY (source, hour)
) STRICT, WITHOUT ROWID;

CREATE TABLE troubles (                    -- what the operators were told of and is not over
  source TEXT NOT NULL,
  what   TEXT NOT NULL,
  since  INTEGER,
  PRIMARY KEY (source, what)
) STRICT, WITHOUT ROWID;

-- +goose StatementBegin
CREATE TRIGGER receipts_recount AFTER UPDATE OF state ON receipts WHEN old.state <> new.state BEGIN
  UPDATE counts SET n = n - 1 WHERE what = 'receipts' AND state = old.state;
  INSERT INTO counts VALUES ('receipts', '', new.state, 1) ON CONFLICT DO UPDATE SET n = n + 1;
END;
-- +goose StatementEnd
