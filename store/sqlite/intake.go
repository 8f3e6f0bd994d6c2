package sqlite

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"quietpost/digest"
)

// AddItems implements digest.IntakeStore.
func (db *DB) AddItems(ctx context.Context, d digest.Delivery) (digest.Result, error) {
	if err := ctx.Err(); err != nil {
		return digest.Result{}, err
	}
	in, urgent := db.prepare(d)
	if err := db.writer.write(ctx, urgent, in.add); err != nil {
		return digest.Result{}, err
	}
	return in.res, nil
}

// AddBatch implements digest.IntakeStore.
func (db *DB) AddBatch(ctx context.Context, ds []digest.Delivery) ([]digest.Result, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	all, urgent := make([]*intake, len(ds)), make([]bool, len(ds))
	var wg sync.WaitGroup
	for i := range ds { // beside each other: packing mails takes as long as writing them
		wg.Go(func() { all[i], urgent[i] = db.prepare(ds[i]) })
	}
	wg.Wait()
	results := make([]digest.Result, len(ds))
	err := db.writer.write(ctx, slices.Contains(urgent, true), func(ctx context.Context, c *sql.Conn) error {
		for i, in := range all {
			if err := in.add(ctx, c); err != nil {
				return err
			}
			results[i] = in.res
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return results, nil
}

// prepare does outside the writer what can be done there; urgent if the delivery has a step.
func (db *DB) prepare(d digest.Delivery) (in *intake, urgent bool) {
	in = &intake{d: d, hash: keyHash(d.Receipt.Source, d.Receipt.Key),
		header: db.codec.pack(d.Receipt.Header), raw: db.codec.pack(d.Receipt.Raw)}
	for i := range d.Items {
		it := &d.Items[i]
		in.tags = append(in.tags, text(it.Tags, len(it.Tags)))
		in.reasons = append(in.reasons, text(it.Reasons, len(it.Reasons)))
		urgent = urgent || it.Step != digest.NoStep
	}
	return in, urgent
}

// keyHash is the hash that receipts are found by.
func keyHash(source, key string) int64 {
	sum := sha256.Sum256([]byte(source + "\x00" + key))
	return int64(binary.BigEndian.Uint64(sum[:8]))
}

// intake is a delivery made ready for the writer, and its answer.
type intake struct {
	d             digest.Delivery
	hash          int64
	header, raw   []byte
	tags, reasons []string // of each item
	res           digest.Result
}

func (in *intake) add(ctx context.Context, c *sql.Conn) error {
	if in.d.Mark != nil {
		if err := setMark(ctx, c, *in.d.Mark); err != nil {
			return err
		}
	}
	newest, err := newest(ctx, c)
	if err != nil {
		return err
	}
	if in.d.Replay != 0 {
		return in.replay(ctx, c, newest)
	}
	r := &in.d.Receipt
	if known, err := in.known(ctx, c); known || err != nil {
		return err
	}
	res, err := c.ExecContext(ctx, `INSERT INTO receipts (hash, source, key, received_at, state, reason, tool, same_within, sum,
		first, items) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		in.hash, r.Source, r.Key, at(r.ReceivedAt), r.State, string(r.Reason), r.Tool, int64(r.SameWithin), r.Sum[:],
		newest+1, len(in.d.Items))
	if err != nil {
		return fmt.Errorf("receipt of %s: %w", r.Source, err)
	}
	in.res = digest.Result{State: r.State, Reason: r.Reason}
	if in.res.Receipt, err = res.LastInsertId(); err != nil {
		return err
	}
	if in.header != nil || in.raw != nil {
		if err := exec(ctx, c, "INSERT INTO receipt_bytes (id, header, raw) VALUES (?, ?, ?)", in.res.Receipt, in.header, in.raw); err != nil {
			return err
		}
	}
	if err := addHour(ctx, c, digest.SourceHourOf(r)); err != nil {
		return err
	}
	return in.addAll(ctx, c, newest)
}

// replay gives a quarantined receipt the items that were made of it at last.
func (in *intake) replay(ctx context.Context, c *sql.Conn, newest int64) error {
	r := &in.d.Receipt
	n, err := changed(ctx, c, "UPDATE receipts SET state = ?, reason = ?, first = ?, items = ? WHERE id = ? AND state = ?",
		r.State, string(r.Reason), newest+1, len(in.d.Items), in.d.Replay, digest.Quarantined)
	if err == nil && n == 0 {
		err = c.QueryRowContext(ctx, "SELECT 1 FROM receipts WHERE id = ?", in.d.Replay).Scan(&n)
		if err = notFound(err, "receipt %d", in.d.Replay); err == nil {
			err = fmt.Errorf("receipt %d is not in quarantine: %w", in.d.Replay, digest.ErrConflict)
		}
	}
	if err != nil {
		return err
	}
	in.res = digest.Result{Receipt: in.d.Replay, State: r.State, Reason: r.Reason}
	return in.addAll(ctx, c, newest)
}

// addAll adds the items behind the newest number.
func (in *intake) addAll(ctx context.Context, c *sql.Conn, newest int64) error {
	for i := range in.d.Items {
		it := &in.d.Items[i]
		number := newest + 1 + int64(i)
		if err := in.addItem(ctx, c, i, number); err != nil {
			return fmt.Errorf("item %d of a delivery from %s: %w", i+1, in.d.Receipt.Source, err)
		}
		in.res.Items = append(in.res.Items, digest.ItemRef{Number: number, Project: it.Project, Urgent: it.Urgent})
	}
	return nil
}

// known looks for a receipt that makes this one a duplicate, and repeats its answer.
func (in *intake) known(ctx context.Context, c *sql.Conn) (bool, error) {
	r := &in.d.Receipt
	type row struct {
		id, first, items int64
		state, reason    string
		sum              []byte
		receivedAt       time.Time
	}
	olds, err := collect(ctx, c, func(rows *sql.Rows) (o row, err error) {
		return o, rows.Scan(&o.id, &o.first, &o.items, &o.state, &o.reason, &o.sum, instant{&o.receivedAt})
	}, `SELECT id, first, items, state, reason, sum, received_at FROM receipts
		WHERE hash = ? AND source = ? AND key = ? ORDER BY id`, in.hash, r.Source, r.Key)
	if err != nil {
		return false, err
	}
	for _, o := range olds {
		// Either way round: a clock that was set back must not make tomorrow's delivery an old one.
		apart := milli(r.ReceivedAt).Sub(o.receivedAt).Abs()
		if r.SameWithin > 0 && apart >= r.SameWithin {
			continue
		}
		in.res = digest.Result{Receipt: o.id, Duplicate: true, Differs: string(o.sum) != string(r.Sum[:]),
			State: o.state, Reason: digest.Reason(o.reason)}
		in.res.Items, err = collect(ctx, c, func(rows *sql.Rows) (ref digest.ItemRef, err error) {
			return ref, rows.Scan(&ref.Number, &ref.Project, &ref.Urgent)
		}, "SELECT number, project, urgent FROM items WHERE number >= ? AND number < ? ORDER BY number", o.first, o.first+o.items)
		return true, err
	}
	return false, nil
}

func (in *intake) addItem(ctx context.Context, c *sql.Conn, i int, number int64) error {
	it := &in.d.Items[i]
	opened := it.ReceivedAt
	if opened.IsZero() {
		opened = in.d.Receipt.ReceivedAt
	}
	incident, err := step(ctx, c, it, number, opened)
	if err != nil {
		return err
	}
	err = exec(ctx, c, `INSERT INTO items (number, receipt, incident, project, urgent, kind, thread, message_id, event_id, source, tool,
		title, url, author, event, state, level, priority, tags, due, private, authenticated, reasons, step, occurred_at,
		received_at, body) VALUES (?, ?, nullif(?, 0), ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		number, in.res.Receipt, incident, it.Project, it.Urgent, it.Kind, it.Thread, it.MessageID, it.EventID, it.Source, it.Tool,
		it.Title, it.URL, it.Author, it.Event, it.State, it.Level, it.Priority, in.tags[i], it.Due, it.Private,
		it.Authenticated, in.reasons[i], int64(it.Step), at(it.OccurredAt), at(it.ReceivedAt), it.Body)
	if err != nil {
		return err
	}
	return exec(ctx, c, `INSERT INTO projects (project, items, urgent, first, newest, last_at) VALUES (?1, 1, ?2, ?3, ?3, ?4)
		ON CONFLICT DO UPDATE SET items = items + 1, urgent = urgent + ?2, newest = ?3, last_at = ?4`,
		it.Project, it.Urgent, number, at(it.ReceivedAt))
}

// step carries out an item's IncidentStep and gives the incident it is in, 0 for none.
func step(ctx context.Context, c *sql.Conn, it *digest.Item, number int64, now time.Time) (id int64, err error) {
	var resolved time.Time
	switch it.Step {
	case digest.NoStep:
		return 0, nil
	case digest.Resolve:
		resolved = now
	}
	err = sql.ErrNoRows
	if it.Thread != "" {
		err = c.QueryRowContext(ctx, `SELECT id FROM incidents
			WHERE project = ? AND thread = ? AND resolved_at IS NULL AND thread <> ''`, it.Project, it.Thread).Scan(&id)
	}
	switch {
	case err == nil:
		return id, exec(ctx, c, "UPDATE incidents SET last = ?, resolved_at = ? WHERE id = ?", number, at(resolved), id)
	case !errors.Is(err, sql.ErrNoRows):
		return 0, err
	case it.Step == digest.Resolve && !it.Urgent:
		return 0, nil
	}
	res, err := c.ExecContext(ctx, "INSERT INTO incidents (project, thread, opened_at, resolved_at, last) VALUES (?, ?, ?, ?, ?)",
		it.Project, it.Thread, at(now), at(resolved), number)
	if err != nil {
		return 0, err
	}
	return res.LastInsertId()
}

// newest is the highest number given so far. SQLite keeps it apart from the rows, so it outlives them.
func newest(ctx context.Context, q querier) (n int64, err error) {
	err = q.QueryRowContext(ctx, "SELECT seq FROM sqlite_sequence WHERE name = 'items'").Scan(&n)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return n, translate(err)
}

// Mark implements digest.IntakeStore.
func (db *DB) Mark(ctx context.Context, inbox string) (digest.Mark, error) {
	m := digest.Mark{Inbox: inbox}
	err := db.read.QueryRowContext(ctx, "SELECT uid_validity, uid, arrived, floor, known, done, tries FROM marks WHERE inbox = ?", inbox).
		Scan(&m.UIDValidity, &m.UID, instant{&m.Arrived}, instant{&m.Floor}, &m.Known, &m.Done, &m.Tries)
	if err != nil {
		return digest.Mark{}, notFound(err, "mark of inbox %s", inbox)
	}
	return m, nil
}

// SetMark implements digest.IntakeStore.
func (db *DB) SetMark(ctx context.Context, m digest.Mark) error {
	return db.writer.write(ctx, false, func(ctx context.Context, c *sql.Conn) error { return setMark(ctx, c, m) })
}

func setMark(ctx context.Context, c *sql.Conn, m digest.Mark) error {
	return exec(ctx, c, `INSERT INTO marks (inbox, uid_validity, uid, arrived, floor, known, done, tries)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
		ON CONFLICT DO UPDATE SET uid_validity = ?2, uid = ?3, arrived = ?4, floor = ?5, known = ?6, done = ?7, tries = ?8`,
		m.Inbox, int64(m.UIDValidity), int64(m.UID), at(m.Arrived), at(m.Floor), int64(m.Known), int64(m.Done), m.Tries)
}

// ProjectKeys implements digest.IntakeStore.
func (db *DB) ProjectKeys(ctx context.Context) ([]string, error) {
	return collect(ctx, db.read, func(rows *sql.Rows) (key string, err error) { return key, rows.Scan(&key) },
		"SELECT project FROM projects ORDER BY project")
}

// ThreadOf implements digest.IntakeStore.
func (db *DB) ThreadOf(ctx context.Context, messageIDs []string) (project, thread string, err error) {
	var found int64
	for _, id := range messageIDs {
		var n int64
		var p, t string
		err := db.read.QueryRowContext(ctx, `SELECT number, project, thread FROM items
			WHERE message_id = ? AND message_id <> '' ORDER BY number DESC LIMIT 1`, id).Scan(&n, &p, &t)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return "", "", translate(err)
		}
		if n > found {
			found, project, thread = n, p, t
		}
	}
	if found == 0 {
		return "", "", fmt.Errorf("thread of %s: %w", strings.Join(messageIDs, ", "), digest.ErrNotFound)
	}
	return project, thread, nil
}

// makeInstance writes the instance's key if there is none; where there is one a full disk must not keep commands from reading.
func (db *DB) makeInstance(ctx context.Context) error {
	if _, err := db.InstanceKey(ctx); !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	key := make([]byte, 32)
	rand.Read(key) // never fails, see crypto/rand
	return db.writer.write(ctx, false, func(ctx context.Context, c *sql.Conn) error {
		return exec(ctx, c, "INSERT INTO instance (id, key) VALUES (1, ?) ON CONFLICT DO NOTHING", key)
	})
}

// milli is an instant as it is kept.
func milli(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return time.UnixMilli(t.UnixMilli()).UTC()
}
