package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"quietpost/digest"
)

// InstanceKey implements digest.EditionStore.
func (db *DB) InstanceKey(ctx context.Context) (key []byte, err error) {
	err = db.read.QueryRowContext(ctx, "SELECT key FROM instance").Scan(&key)
	return key, translate(err)
}

// Newest implements digest.EditionStore.
func (db *DB) Newest(ctx context.Context) (int64, error) { return newest(ctx, db.read) }

// Due implements digest.EditionStore.
func (db *DB) Due(ctx context.Context, now time.Time) (due []digest.Due, err error) {
	err = db.snapshot(ctx, func(q querier) error {
		const ready = "ended = 0 AND next_slot IS NOT NULL AND next_slot <= ?"
		people, err := subscribersWhere(ctx, q, "state = '"+digest.Active+
			"' AND id IN (SELECT subscriber FROM subscriptions WHERE "+ready+")", at(now))
		if err != nil {
			return err
		}
		for i := range people {
			for _, s := range people[i].Subscriptions {
				if !s.Ended && !s.NextSlot.IsZero() && !s.NextSlot.After(milli(now)) {
					due = append(due, digest.Due{Subscriber: people[i], Subscription: s})
				}
			}
		}
		return nil
	})
	slices.SortFunc(due, func(a, b digest.Due) int { return int(a.Subscription.ID - b.Subscription.ID) })
	return due, err
}

// SetNextSlot implements digest.EditionStore.
func (db *DB) SetNextSlot(ctx context.Context, moves []digest.SlotMove) error {
	return db.writer.write(ctx, false, func(ctx context.Context, c *sql.Conn) error {
		for _, m := range moves {
			if err := exec(ctx, c, "UPDATE subscriptions SET next_slot = ? WHERE id = ? AND next_slot IS ?",
				at(m.New), m.Subscription, at(m.Old)); err != nil {
				return err
			}
		}
		return nil
	})
}

const (
	itemHead = `number, receipt, incident, project, urgent, kind, thread, message_id, event_id, source, tool, title, url, author, event,
		state, level, priority, tags, due, private, authenticated, reasons, step, occurred_at, received_at`
	itemColumns = itemHead + ", body"
)

func scanItem(rows *sql.Rows) (it digest.Item, err error) {
	var incident sql.NullInt64
	err = rows.Scan(&it.Number, &it.Receipt, &incident, &it.Project, &it.Urgent, &it.Kind, &it.Thread, &it.MessageID, &it.EventID,
		&it.Source, &it.Tool, &it.Title, &it.URL, &it.Author, &it.Event, &it.State, &it.Level, &it.Priority,
		list[[]string]{&it.Tags}, &it.Due, &it.Private, &it.Authenticated, list[map[string]digest.Reason]{&it.Reasons},
		&it.Step, instant{&it.OccurredAt}, instant{&it.ReceivedAt}, &it.Body)
	it.Incident = incident.Int64
	return it, err
}

// Window implements digest.EditionStore.
func (db *DB) Window(ctx context.Context, after, upTo int64, excerpt int) ([]digest.Item, error) {
	excerpt = max(excerpt, 0)
	items, err := collect(ctx, db.read, scanItem, "SELECT "+itemHead+`, coalesce(CAST(substr(CAST(body AS BLOB), 1, ?) AS TEXT), '') FROM items
		WHERE number > ? AND number <= ? ORDER BY number`, excerpt+1, after, upTo) // of TEXT, substr stops at a NUL
	for i := range items {
		items[i].Body = cut(items[i].Body, excerpt)
	}
	return items, err
}

// cut shortens s to at most max bytes, at a character.
func cut(s string, max int) string {
	if len(s) <= max {
		return s
	}
	for max > 0 && !utf8.RuneStart(s[max]) {
		max--
	}
	return s[:max]
}

// AlertState implements digest.EditionStore.
func (db *DB) AlertState(ctx context.Context, since time.Time) (st digest.AlertState, err error) {
	st.Recent = map[int64][]time.Time{}
	err = db.snapshot(ctx, func(q querier) error {
		const unsettled = " FROM incidents WHERE settled < last"
		st.Incidents, err = collect(ctx, q, func(rows *sql.Rows) (i digest.Incident, err error) {
			return i, rows.Scan(&i.ID, &i.Project, &i.Thread, instant{&i.OpenedAt}, instant{&i.ResolvedAt})
		}, "SELECT id, project, thread, opened_at, resolved_at"+unsettled+" ORDER BY id")
		if err != nil {
			return err
		}
		if len(st.Incidents) > 0 {
			items, err := collect(ctx, q, scanItem, "SELECT "+itemColumns+" FROM items WHERE incident IN (SELECT id"+unsettled+
				") ORDER BY number")
			if err != nil {
				return err
			}
			handOut(st.Incidents, items)
		}
		st.Marks, err = collect(ctx, q, func(rows *sql.Rows) (m digest.AlertMark, err error) {
			return m, rows.Scan(&m.Subscriber, &m.Incident, &m.N, &m.UpTo, instant{&m.At})
		}, "SELECT subscriber, incident, n, up_to, at FROM alert_marks WHERE incident IN (SELECT id"+unsettled+
			") ORDER BY incident, subscriber")
		if err != nil {
			return err
		}
		_, err = collect(ctx, q, func(rows *sql.Rows) (t time.Time, err error) {
			var id int64
			err = rows.Scan(&id, instant{&t})
			st.Recent[id] = append(st.Recent[id], t)
			return t, err
		}, `SELECT subscriber, created_at FROM editions WHERE occasion = 'alert' AND NOT empty AND created_at >= ?
			ORDER BY created_at`, milli(since).UnixMilli())
		return err
	})
	return st, err
}

// handOut gives incidents their items.
func handOut(incidents []digest.Incident, items []digest.Item) {
	byID := make(map[int64]*digest.Incident, len(incidents))
	for i := range incidents {
		byID[incidents[i].ID] = &incidents[i]
	}
	for _, it := range items {
		inc := byID[it.Incident]
		inc.Items = append(inc.Items, it)
	}
}

// SettleIncidents implements digest.EditionStore.
func (db *DB) SettleIncidents(ctx context.Context, last map[int64]int64) error {
	return db.writer.write(ctx, false, func(ctx context.Context, c *sql.Conn) error {
		for id, n := range last {
			if err := exec(ctx, c, "UPDATE incidents SET settled = last WHERE id = ? AND last = ?", id, n); err != nil {
				return err
			}
		}
		return nil
	})
}

// AlertedItems implements digest.EditionStore.
func (db *DB) AlertedItems(ctx context.Context, subscriber, after, upTo int64) (map[int64]bool, error) {
	told := map[int64]bool{}
	_, err := collect(ctx, db.read, func(rows *sql.Rows) (n int64, err error) {
		err = rows.Scan(&n)
		told[n] = true
		return n, err
	}, `SELECT i.number FROM alert_parts p
		JOIN outbox o ON o.edition = p.edition AND o.edition <> '' AND o.state = 'delivered'
		JOIN items i ON i.incident = p.incident AND i.number > max(p.after, ?2) AND i.number <= min(p.up_to, ?3)
		WHERE p.subscriber = ?1 AND p.up_to > ?2 AND p.after < ?3`, subscriber, after, upTo)
	return told, err
}

// CommitEdition implements digest.EditionStore.
func (db *DB) CommitEdition(ctx context.Context, c digest.Commit) error {
	e := &c.Edition
	var packed []byte
	if c.Message != nil {
		packed = db.codec.pack(c.Message.Bytes)
	}
	return db.writer.write(ctx, e.Occasion == digest.OccasionAlert, func(ctx context.Context, conn *sql.Conn) error {
		err := addEdition(ctx, conn, e)
		if err == nil {
			err = move(ctx, conn, &c)
		}
		if err == nil && c.Message != nil {
			m := *c.Message
			m.Edition = e.ID
			err = addMessage(ctx, conn, &m, packed)
		}
		if err != nil {
			return fmt.Errorf("edition %s: %w", e.Key, err)
		}
		return nil
	})
}

// addEdition inserts the edition of an active subscriber.
func addEdition(ctx context.Context, c *sql.Conn, e *digest.Edition) error {
	n, err := changed(ctx, c, `INSERT INTO editions (id, key, occasion, subscriber, subscription, slot, late, first, last, items,
		shown, empty, created_at, message_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
		e.ID, e.Key, e.Occasion, e.Subscriber, e.Subscription, at(e.Slot), e.Late, e.From, e.To, e.Items, e.Shown, e.Empty,
		at(e.CreatedAt), e.MessageID)
	if err != nil {
		return err
	}
	if n == 0 {
		return digest.ErrExists
	}
	var state string
	err = c.QueryRowContext(ctx, "SELECT state FROM subscribers WHERE id = ?", e.Subscriber).Scan(&state)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	if state != digest.Active {
		return fmt.Errorf("subscriber %d is not active: %w", e.Subscriber, digest.ErrConflict)
	}
	return nil
}

// move moves what the edition moves, each by compare-and-set: a digest its cursor, an alert its marks.
func move(ctx context.Context, c *sql.Conn, m *digest.Commit) error {
	e := &m.Edition
	switch e.Occasion {
	case digest.OccasionDigest:
		n, err := changed(ctx, c, `UPDATE subscriptions SET cursor = ?1, mailed_to = iif(?2, mailed_to, ?1), last_slot = ?3, next_slot = ?4
			WHERE id = ?5 AND subscriber = ?6 AND cursor = ?7`,
			e.To, e.Empty, at(e.Slot), at(m.NextSlot), e.Subscription, e.Subscriber, m.Cursor)
		if err == nil && n == 0 {
			err = fmt.Errorf("cursor of subscription %d: %w", e.Subscription, digest.ErrConflict)
		}
		return err
	case digest.OccasionAlert:
		for i := range m.Marks {
			if err := moveMark(ctx, c, e.ID, &m.Marks[i]); err != nil {
				return fmt.Errorf("mark of incident %d: %w", m.Marks[i].Incident, err)
			}
		}
	}
	return nil
}

func moveMark(ctx context.Context, c *sql.Conn, edition string, m *digest.AlertMark) error {
	var n int
	var upTo int64
	err := c.QueryRowContext(ctx, "SELECT n, up_to FROM alert_marks WHERE incident = ? AND subscriber = ?", m.Incident, m.Subscriber).
		Scan(&n, &upTo)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	if n != m.N-1 {
		return digest.ErrConflict
	}
	err = exec(ctx, c, `INSERT INTO alert_marks (incident, subscriber, n, up_to, at) VALUES (?1, ?2, ?3, ?4, ?5)
		ON CONFLICT DO UPDATE SET n = ?3, up_to = ?4, at = ?5`, m.Incident, m.Subscriber, m.N, m.UpTo, at(m.At))
	if err != nil {
		return err
	}
	return exec(ctx, c, "INSERT INTO alert_parts (subscriber, incident, after, up_to, edition) VALUES (?, ?, ?, ?, ?)",
		m.Subscriber, m.Incident, upTo, m.UpTo, edition)
}
