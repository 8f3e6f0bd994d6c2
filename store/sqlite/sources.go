package sqlite

import (
	"context"
	"database/sql"
	"time"

	"quietpost/digest"
)

// hourOf is an hour as it is kept.
func hourOf(t time.Time) int64 { return t.Unix() / 3600 }

// addHour adds to a row that is written again with each delivery of its hour, and so lies in memory. With the first row
// of an hour old ones go.
func addHour(ctx context.Context, c *sql.Conn, t digest.SourceHour) error {
	added, now := int64(t.Accepted+t.Ignored+t.Quarantined+t.Refused), int64(0)
	err := c.QueryRowContext(ctx, `INSERT INTO source_hours VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
		accepted = accepted + excluded.accepted, ignored = ignored + excluded.ignored,
		quarantined = quarantined + excluded.quarantined, refused = refused + excluded.refused,
		last_at = max(coalesce(last_at, excluded.last_at), coalesce(excluded.last_at, last_at))
		RETURNING accepted + ignored + quarantined + refused`,
		t.Source, hourOf(t.Hour), t.Accepted, t.Ignored, t.Quarantined, t.Refused, at(t.Last)).Scan(&now)
	if err != nil || now > added {
		return err
	}
	return exec(ctx, c, "DELETE FROM source_hours WHERE source = ? AND hour < ?", t.Source, hourOf(t.Hour.Add(-digest.HoursKept)))
}

// SourceHours implements digest.SourceStore.
func (db *DB) SourceHours(ctx context.Context, since time.Time) ([]digest.SourceHour, error) {
	from := (since.UnixMilli() + 3_599_999) / 3_600_000
	return collect(ctx, db.read, func(rows *sql.Rows) (t digest.SourceHour, err error) {
		var hour int64
		err = rows.Scan(&t.Source, &hour, &t.Accepted, &t.Ignored, &t.Quarantined, &t.Refused, instant{&t.Last})
		t.Hour = time.Unix(hour*3600, 0).UTC()
		return t, err
	}, `SELECT source, hour, accepted, ignored, quarantined, refused, last_at FROM source_hours AS t
		WHERE hour >= ? OR hour = (SELECT max(hour) FROM source_hours WHERE source = t.source) ORDER BY source, hour`, from)
}

// AddSourceHours implements digest.SourceStore.
func (db *DB) AddSourceHours(ctx context.Context, hours []digest.SourceHour) error {
	return db.writer.write(ctx, false, func(ctx context.Context, c *sql.Conn) error {
		for _, t := range hours {
			if err := addHour(ctx, c, t); err != nil {
				return err
			}
		}
		return nil
	})
}

// Troubles implements digest.SourceStore.
func (db *DB) Troubles(ctx context.Context) ([]digest.Trouble, error) {
	return collect(ctx, db.read, func(rows *sql.Rows) (t digest.Trouble, err error) {
		return t, rows.Scan(&t.Source, &t.What, instant{&t.Since})
	}, "SELECT source, what, since FROM troubles ORDER BY source, what")
}

// BeginTrouble implements digest.SourceStore.
func (db *DB) BeginTrouble(ctx context.Context, t digest.Trouble) error {
	return db.writer.write(ctx, false, func(ctx context.Context, c *sql.Conn) error {
		return exec(ctx, c, "INSERT INTO troubles (source, what, since) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", t.Source, t.What, at(t.Since))
	})
}

// EndTrouble implements digest.SourceStore.
func (db *DB) EndTrouble(ctx context.Context, source, what string) error {
	return db.writer.write(ctx, false, func(ctx context.Context, c *sql.Conn) error {
		return exec(ctx, c, "DELETE FROM troubles WHERE source = ? AND what = ?", source, what)
	})
}
