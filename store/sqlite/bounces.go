package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"quietpost/digest"
)

// SetMessage implements digest.OutboxStore.
func (db *DB) SetMessage(ctx context.Context, now time.Time, id int64, state, answer string) error {
	if state != digest.Queued && state != digest.Failed {
		return fmt.Errorf("message %d: %q is no word of an operator's", id, state)
	}
	return db.writer.write(ctx, true, func(ctx context.Context, c *sql.Conn) error {
		var is string
		var bytes bool
		err := c.QueryRowContext(ctx, "SELECT state, EXISTS (SELECT 1 FROM outbox_bytes b WHERE b.id = outbox.id) FROM outbox WHERE id = ?", id).
			Scan(&is, &bytes)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return fmt.Errorf("message %d: %w", id, digest.ErrNotFound)
		case err != nil:
			return err
		case is != digest.Queued && is != digest.Failed:
			return fmt.Errorf("message %d is %s: %w", id, is, digest.ErrConflict)
		case state == digest.Queued && !bytes:
			return fmt.Errorf("the bytes of message %d: %w", id, digest.ErrNotFound)
		case state == digest.Queued:
			return exec(ctx, c, "UPDATE outbox SET state = 'queued', next_at = ?, attempts = 0, done_at = NULL WHERE id = ?", at(now), id)
		}
		if err := exec(ctx, c, "UPDATE outbox SET state = 'failed', answer = ?, done_at = ? WHERE id = ?", answer, at(now), id); err != nil {
			return err
		}
		return exec(ctx, c, "DELETE FROM outbox_bytes WHERE id = ?", id)
	})
}

// RecordBounce implements digest.OutboxStore.
func (db *DB) RecordBounce(ctx context.Context, n digest.BounceNote, who digest.Subscriber) error {
	return db.writer.write(ctx, false, func(ctx context.Context, c *sql.Conn) error {
		added, err := changed(ctx, c, `INSERT INTO bounces (message_id, class, subscriber, status, text, at) VALUES (?, ?, ?, ?, ?, ?)
			ON CONFLICT DO NOTHING`, n.MessageID, n.Class, n.Subscriber, n.Status, n.Text, at(n.At))
		if err == nil && added == 0 {
			err = fmt.Errorf("bounce of %s: %w", n.MessageID, digest.ErrExists)
		}
		if err == nil && n.Class != digest.BounceComplaint {
			err = exec(ctx, c, "UPDATE outbox SET state = 'bounced', answer = trim(?) WHERE message_id = ? AND state = 'delivered'",
				n.Status+" "+n.Text, n.MessageID)
		}
		if err == nil {
			_, err = saveSubscriber(ctx, c, &who)
		}
		return err
	})
}

// Bounces implements digest.ArchiveStore.
func (db *DB) Bounces(ctx context.Context, subscriber int64, limit int) ([]digest.BounceNote, error) {
	if limit <= 0 {
		return nil, ctx.Err()
	}
	return collect(ctx, db.read, func(rows *sql.Rows) (n digest.BounceNote, err error) {
		return n, rows.Scan(&n.MessageID, &n.Class, &n.Subscriber, &n.Status, &n.Text, instant{&n.At})
	}, `SELECT message_id, class, subscriber, status, text, at FROM bounces WHERE ?1 = 0 OR subscriber = ?1 ORDER BY id DESC LIMIT ?2`,
		subscriber, limit)
}
