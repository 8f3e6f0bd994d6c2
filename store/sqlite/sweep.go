package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"quietpost/digest"
)

var _ digest.Sweeper = (*DB)(nil)

// vacuumPages is how many free pages go back to the file system after each step, 2 MB: auto_vacuum is incremental, and a
// whole VACUUM would stop intake for as long as it takes.
const vacuumPages = 512

// Sweep implements digest.Sweeper.
func (db *DB) Sweep(ctx context.Context, o digest.SweepOrder, limit int) (rows int, err error) {
	err = db.writer.write(ctx, false, func(ctx context.Context, c *sql.Conn) error {
		s := &sweep{ctx: ctx, c: c, limit: int64(limit)}
		s.raw(o)
		s.items(o)
		s.receipts(o)
		s.editions(o)
		rows = int(s.rows)
		if s.err == nil && s.rows > 0 {
			// One row a page comes back: all must be read for all to be done.
			_, s.err = collect(ctx, c, func(*sql.Rows) (struct{}, error) { return struct{}{}, nil },
				fmt.Sprintf("PRAGMA incremental_vacuum(%d)", vacuumPages))
		}
		return s.err
	})
	return rows, err
}

// Swept implements digest.EditionStore.
func (db *DB) Swept(ctx context.Context, after, upTo int64) ([]digest.SweptCount, error) {
	return collect(ctx, db.read, func(rows *sql.Rows) (n digest.SweptCount, err error) {
		return n, rows.Scan(&n.Project, &n.Kind, &n.Items)
	}, "SELECT project, kind, sum(items) FROM swept WHERE up_to > ? AND up_to <= ? GROUP BY project, kind ORDER BY project, kind",
		after, upTo)
}

// sweep is one step; the first error ends it.
type sweep struct {
	ctx   context.Context
	c     *sql.Conn
	limit int64
	rows  int64
	err   error
}

func (s *sweep) run(query string, args ...any) (n int64) {
	if s.err == nil {
		n, s.err = changed(s.ctx, s.c, query, args...)
		if strings.HasPrefix(query, "DELETE") {
			s.rows += n
		}
	}
	return n
}

// old finds the rows of a table that are due: after is the last that went, upTo the last that may go now, no more than
// limit ids on. Tables are in order of time but for clocks that were set, so the boundary is found by halving, and each
// row's own time is asked again where rows go.
func (s *sweep) old(table, id, stamp string, after int64, before time.Time, highest int64) (upTo int64) {
	if s.err != nil || before.IsZero() {
		return after
	}
	lo, hi := after, after
	s.err = s.c.QueryRowContext(s.ctx, fmt.Sprintf("SELECT coalesce(max(%s), 0) FROM %s", id, table)).Scan(&hi)
	hi = min(hi, highest)
	for s.err == nil && lo < hi {
		mid := lo + (hi-lo+1)/2
		var due bool // of the last row at or before mid; where there is none, all before mid is gone
		s.err = s.c.QueryRowContext(s.ctx, fmt.Sprintf(`SELECT coalesce((SELECT coalesce(%s, 0) < ? FROM %s WHERE %s <= ? AND %[3]s > ?
			ORDER BY %[3]s DESC LIMIT 1), 1)`, stamp, table, id), at(before), mid, after).Scan(&due)
		if due {
			lo = mid
		} else {
			hi = mid - 1
		}
	}
	return lo
}

// upTo is how far a sort of thing was swept; advance writes it.
func (s *sweep) upTo(what string) (n int64) {
	if s.err == nil {
		s.err = s.c.QueryRowContext(s.ctx, "SELECT coalesce((SELECT up_to FROM sweeps WHERE what = ?), 0)", what).Scan(&n)
	}
	return n
}

func (s *sweep) advance(what string, upTo int64) {
	s.rows++ // where no row went there may still be more behind
	s.run("INSERT INTO sweeps VALUES (?1, ?2) ON CONFLICT DO UPDATE SET up_to = max(up_to, ?2)", what, upTo)
}

// step is the end of this step's stretch of ids: as many rows as the limit, over any gap.
func (s *sweep) step(table, id string, after, upTo int64) int64 {
	if s.err == nil {
		s.err = s.c.QueryRowContext(s.ctx, fmt.Sprintf("SELECT coalesce((SELECT %s FROM %s WHERE %[1]s > ? AND %[1]s <= ? ORDER BY %[1]s LIMIT 1 OFFSET ?), ?)",
			id, table), after, upTo, s.limit-1, upTo).Scan(&upTo)
	}
	return upTo
}

func (s *sweep) raw(o digest.SweepOrder) {
	after := s.upTo("raw")
	upTo := s.old("receipts", "id", "received_at", after, o.RawBefore, 1<<62)
	if upTo <= after {
		return
	}
	upTo = s.step("receipts", "id", after, upTo)
	s.run("DELETE FROM receipt_bytes WHERE id > ? AND id <= ? AND id NOT IN (SELECT id FROM receipts WHERE state = ? AND state <> 'accepted')",
		after, upTo, digest.Quarantined)
	s.advance("raw", upTo)
}

// items takes a stretch of items, and counts them for who stands still.
func (s *sweep) items(o digest.SweepOrder) {
	after := s.upTo("items")
	upTo := s.old("items", "number", "received_at", after, o.ItemsBefore, o.UpTo)
	if upTo <= after {
		return
	}
	upTo = s.step("items", "number", after, upTo)
	for _, cursor := range o.Counted { // a count must not reach over a cursor
		if cursor > after {
			upTo = min(upTo, cursor)
			break
		}
	}
	if len(o.Counted) > 0 && o.Counted[0] <= after {
		s.run(`INSERT INTO swept (after, up_to, project, kind, items) SELECT ?1, ?2, project, kind, count(*) FROM items
			WHERE number > ?1 AND number <= ?2 GROUP BY project, kind`, after, upTo)
	}
	s.run(`DELETE FROM alert_marks WHERE incident IN (SELECT incident FROM items WHERE number > ?1 AND number <= ?2)
		AND NOT EXISTS (SELECT * FROM incidents i WHERE i.id = incident AND i.last > ?2)`, after, upTo)
	s.run(`DELETE FROM alert_parts WHERE incident IN (SELECT incident FROM items WHERE number > ?1 AND number <= ?2)
		AND NOT EXISTS (SELECT * FROM incidents i WHERE i.id = incident AND i.last > ?2)`, after, upTo)
	s.run("DELETE FROM incidents WHERE last > ? AND last <= ?", after, upTo)
	s.run("DELETE FROM items WHERE number > ? AND number <= ?", after, upTo)
	s.advance("items", upTo)
}

// receipts go behind their items, and what had none behind its own time.
func (s *sweep) receipts(o digest.SweepOrder) {
	items, after := s.upTo("items"), s.upTo("receipts")
	upTo := s.old("receipts", "id", "received_at", after, o.ItemsBefore, 1<<62)
	if upTo <= after || s.err != nil {
		return
	}
	var first int64 // receipt that still has an item
	s.err = s.c.QueryRowContext(s.ctx, "SELECT coalesce(min(receipt), 1 << 62) FROM items WHERE number = (SELECT min(number) FROM items WHERE number > ?)",
		items).Scan(&first)
	upTo = min(s.step("receipts", "id", after, upTo), first-1)
	if upTo <= after {
		return
	}
	s.run("DELETE FROM receipt_bytes WHERE id > ? AND id <= ?", after, upTo)
	for _, state := range []string{digest.Accepted, digest.Ignored, digest.Quarantined} {
		n := s.run("DELETE FROM receipts WHERE id > ? AND id <= ? AND state = ?", after, upTo, state)
		s.run("UPDATE counts SET n = n - ? WHERE what = 'receipts' AND state = ?", n, state)
	}
	s.run("DELETE FROM receipts WHERE id > ? AND id <= ?", after, upTo)
	s.advance("receipts", upTo)
}

// editions go by their age, bounces too, and messages that are done.
func (s *sweep) editions(o digest.SweepOrder) {
	after := s.upTo("editions")
	upTo := s.old("editions", "seq", "created_at", after, o.EditionsBefore, 1<<62)
	if upTo > after {
		upTo = s.step("editions", "seq", after, upTo)
		s.run(`DELETE FROM editions WHERE seq > ? AND seq <= ?`, after, upTo)
		s.advance("editions", upTo)
	}
	after = s.upTo("bounces")
	if upTo = s.old("bounces", "id", "at", after, o.EditionsBefore, 1<<62); upTo > after {
		upTo = s.step("bounces", "id", after, upTo)
		s.run("DELETE FROM bounces WHERE id > ? AND id <= ?", after, upTo)
		s.advance("bounces", upTo)
	}
	s.outbox(o)
}

// outbox takes what is done. What is not stays behind the mark, such as mail to an address that is suspended: there are few of those, and they are
// looked at again each time.
func (s *sweep) outbox(o digest.SweepOrder) {
	if o.EditionsBefore.IsZero() {
		return
	}
	after := s.upTo("outbox")
	upTo := s.old("outbox", "id", "created_at", after, o.EditionsBefore, 1<<62)
	if upTo > after {
		upTo = s.step("outbox", "id", after, upTo)
		s.advance("outbox", upTo)
	}
	done := "id <= ? AND coalesce(created_at, 0) < ? AND state IN ('" + digest.Delivered + "', '" + digest.Failed + "', '" + digest.Bounced + "')"
	before := at(o.EditionsBefore)
	s.run("UPDATE counts SET n = n - (SELECT count(*) FROM outbox WHERE "+done+" AND lane = counts.lane AND state = counts.state) WHERE what = 'outbox'",
		upTo, before)
	s.run("DELETE FROM outbox_bytes WHERE id IN (SELECT id FROM outbox WHERE "+done+")", upTo, before)
	s.run("DELETE FROM outbox WHERE "+done, upTo, before)
}
