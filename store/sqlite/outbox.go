package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"quietpost/digest"
)

const messageColumns = `id, message_id, edition, channel, lane, recipient, subject, state, attempts, next_at, lease, leased_until,
	answer, created_at, done_at`

func scanMessage(rows *sql.Rows) (m digest.Message, err error) {
	return m, rows.Scan(messageFields(&m)...)
}

func messageFields(m *digest.Message) []any {
	return []any{&m.ID, &m.MessageID, &m.Edition, &m.Channel, &m.Lane, &m.To, &m.Subject, &m.State, &m.Attempts,
		instant{&m.NextAt}, &m.Lease, instant{&m.LeasedUntil}, &m.Answer, instant{&m.CreatedAt}, instant{&m.DoneAt}}
}

// AddMessage implements digest.OutboxStore.
func (db *DB) AddMessage(ctx context.Context, m digest.Message) error {
	packed := db.codec.pack(m.Bytes)
	return db.writer.write(ctx, false, func(ctx context.Context, c *sql.Conn) error { return addMessage(ctx, c, &m, packed) })
}

// addMessage queues a message. One that does not say when it is due is due from its making, and without that at once.
func addMessage(ctx context.Context, c *sql.Conn, m *digest.Message, packed []byte) error {
	next := m.NextAt
	if next.IsZero() {
		next = m.CreatedAt
	}
	if next.IsZero() {
		next = time.UnixMilli(0)
	}
	res, err := c.ExecContext(ctx, `INSERT INTO outbox (message_id, edition, channel, lane, recipient, subject, state, next_at, created_at)
		VALUES (?, ?, ?, ?, ?, ?, 'queued', ?, ?)`,
		m.MessageID, m.Edition, m.Channel, m.Lane, m.To, m.Subject, at(next), at(m.CreatedAt))
	if isUnique(err) {
		err = digest.ErrExists
	}
	if err != nil {
		return fmt.Errorf("message %s: %w", m.MessageID, err)
	}
	if packed == nil {
		return nil
	}
	id, err := res.LastInsertId()
	if err != nil {
		return err
	}
	return exec(ctx, c, "INSERT INTO outbox_bytes (id, bytes) VALUES (?, ?)", id, packed)
}

// Lease implements digest.OutboxStore. It goes before other writes, because an alert may be waiting for it.
func (db *DB) Lease(ctx context.Context, now, until time.Time, lanes []string, limit int) ([]digest.Message, error) {
	if limit <= 0 {
		return nil, ctx.Err()
	}
	var leased []digest.Message
	err := db.writer.write(ctx, true, func(ctx context.Context, c *sql.Conn) error {
		ids, err := ready(ctx, c, now, lanes, limit)
		if err != nil {
			return err
		}
		for _, id := range ids {
			m := digest.Message{}
			if err := exec(ctx, c, `UPDATE outbox SET state = 'sending', attempts = attempts + 1, lease = lease + 1, leased_until = ?
				WHERE id = ?`, at(until), id); err != nil {
				return err
			}
			if m, err = message(ctx, c, id); err != nil {
				return err
			}
			leased = append(leased, m)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return db.unpackAll(ctx, now, leased)
}

// unpackAll gives leased messages their bytes back. One whose bytes are damaged on disk is reported failed, so that it
// does not hold up the others for ever.
func (db *DB) unpackAll(ctx context.Context, now time.Time, leased []digest.Message) (whole []digest.Message, err error) {
	var damaged []digest.Report
	for _, m := range leased {
		if m.Bytes, err = db.codec.unpack(m.Bytes); err != nil {
			damaged = append(damaged, digest.Report{ID: m.ID, Lease: m.Lease, State: digest.Failed, Answer: err.Error()})
			continue
		}
		whole = append(whole, m)
	}
	if len(damaged) > 0 {
		_, err := db.Report(ctx, now, damaged)
		return whole, err
	}
	return whole, nil
}

// notHeld is what holds for mail that does not wait because its address is suspended.
const notHeld = " AND (edition = '' OR NOT EXISTS (SELECT 1 FROM subscribers s WHERE s.state = 'suspended' AND s.address = recipient))"

// ready are the messages to lease, in their order: what is queued and due, and what is sending past its lease. Each
// lane is asked apart, so that the index gives the first few without sorting a long queue.
func ready(ctx context.Context, c *sql.Conn, now time.Time, lanes []string, limit int) ([]int64, error) {
	type row struct {
		rank, next, id int64
	}
	const open = notHeld + " ORDER BY next_at, id LIMIT ?4"
	var all []row
	for _, lane := range lanes {
		scan := func(rows *sql.Rows) (row, error) {
			r := row{rank: digest.LaneRank(lane)}
			return r, rows.Scan(&r.id, &r.next)
		}
		for _, when := range []string{"state = 'queued' AND next_at <= ?2", "state = 'queued' AND next_at > ?3",
			"state = 'sending' AND leased_until <= ?2", "state = 'sending' AND leased_until > ?3"} {
			rows, err := collect(ctx, c, scan, "SELECT id, next_at FROM outbox WHERE lane = ?1 AND "+when+open,
				lane, at(now), at(now.Add(digest.FarOff)), limit)
			if err != nil {
				return nil, err
			}
			all = append(all, rows...)
		}
	}
	slices.SortFunc(all, func(a, b row) int {
		return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(a.next, b.next), cmp.Compare(a.id, b.id))
	})
	all = slices.Compact(all) // a lane may have been named twice
	var ids []int64
	for _, r := range all[:min(limit, len(all))] {
		ids = append(ids, r.id)
	}
	return ids, nil
}

// message reads one with its bytes, still packed.
func message(ctx context.Context, q querier, id int64) (m digest.Message, err error) {
	err = q.QueryRowContext(ctx, "SELECT "+messageColumns+`, (SELECT bytes FROM outbox_bytes b WHERE b.id = outbox.id)
		FROM outbox WHERE id = ?`, id).Scan(append(messageFields(&m), &m.Bytes)...)
	return m, err
}

// Report implements digest.OutboxStore.
func (db *DB) Report(ctx context.Context, now time.Time, reports []digest.Report) (lost []int64, err error) {
	for _, r := range reports {
		if r.State != digest.Delivered && r.State != digest.Failed && r.State != digest.Queued {
			return nil, fmt.Errorf("message %d: %q is no end of an attempt", r.ID, r.State)
		}
	}
	err = db.writer.write(ctx, true, func(ctx context.Context, c *sql.Conn) error {
		for i := range reports {
			kept, err := report(ctx, c, now, &reports[i])
			if err != nil {
				return fmt.Errorf("message %d: %w", reports[i].ID, err)
			}
			if !kept {
				lost = append(lost, reports[i].ID)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return lost, nil
}

func report(ctx context.Context, c *sql.Conn, now time.Time, r *digest.Report) (kept bool, err error) {
	const fence = " WHERE id = ? AND state = 'sending' AND lease = ?"
	if r.State == digest.Queued {
		next := r.NextAt
		if next.IsZero() {
			next = now
		}
		n, err := changed(ctx, c, "UPDATE outbox SET state = 'queued', attempts = attempts - ?, next_at = ?, answer = ?, leased_until = NULL"+fence,
			r.Untried, at(next), r.Answer, r.ID, r.Lease)
		return n == 1, err
	}
	n, err := changed(ctx, c, "UPDATE outbox SET state = ?, done_at = ?, answer = ?, leased_until = NULL"+fence,
		r.State, at(now), r.Answer, r.ID, r.Lease)
	if err != nil || n == 0 || r.State == digest.Failed {
		return n == 1, err
	}
	return true, exec(ctx, c, "DELETE FROM outbox_bytes WHERE id = ?", r.ID)
}

// FreeLeases implements digest.OutboxStore.
func (db *DB) FreeLeases(ctx context.Context, now time.Time) (freed int, err error) {
	err = db.writer.write(ctx, true, func(ctx context.Context, c *sql.Conn) error {
		n, err := changed(ctx, c, "UPDATE outbox SET state = 'queued', next_at = ?, leased_until = NULL WHERE state = 'sending'", at(now))
		freed = int(n)
		return err
	})
	if err != nil {
		return 0, err
	}
	return freed, nil
}

// NextMessage implements digest.OutboxStore.
func (db *DB) NextMessage(ctx context.Context, lanes []string) (next time.Time, err error) {
	for _, lane := range lanes {
		var t time.Time
		err := db.read.QueryRowContext(ctx, `SELECT min(t) FROM (
			SELECT min(next_at) AS t FROM outbox WHERE lane = ?1 AND state = 'queued' UNION ALL
			SELECT min(leased_until) FROM outbox WHERE lane = ?1 AND state = 'sending')`, lane).Scan(instant{&t})
		if err != nil {
			return time.Time{}, translate(err)
		}
		if next.IsZero() || !t.IsZero() && t.Before(next) {
			next = t
		}
	}
	return next, nil
}
