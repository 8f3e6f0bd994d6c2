package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"strings"
	"time"

	"quietpost/digest"
)

// Items implements digest.ArchiveStore.
func (db *DB) Items(ctx context.Context, q digest.ItemQuery) ([]digest.Item, error) {
	before := q.Before
	if before == 0 {
		before = math.MaxInt64
	}
	if q.Limit <= 0 {
		return nil, ctx.Err()
	}
	where, args := "number < ?", []any{before}
	if q.Urgent {
		where += " AND urgent = 1"
	}
	if len(q.Projects) > 0 {
		in, keys := " IN (?"+strings.Repeat(", ?", len(q.Projects)-1)+")", []any{}
		for _, key := range q.Projects {
			keys = append(keys, key)
		}
		// There is no index by project; their oldest and newest numbers bound the scan.
		var first, newest sql.NullInt64
		err := db.read.QueryRowContext(ctx, "SELECT min(first), max(newest) FROM projects WHERE project"+in, keys...).Scan(&first, &newest)
		if err != nil || !first.Valid {
			return nil, translate(err)
		}
		where += " AND number >= ? AND number <= ? AND project" + in
		args = append(append(args, first.Int64, newest.Int64), keys...)
	}
	return collect(ctx, db.read, scanItem, "SELECT "+itemColumns+" FROM items WHERE "+where+" ORDER BY number DESC LIMIT ?",
		append(args, q.Limit)...)
}

// Item implements digest.ArchiveStore.
func (db *DB) Item(ctx context.Context, number int64) (digest.Item, error) {
	items, err := collect(ctx, db.read, scanItem, "SELECT "+itemColumns+" FROM items WHERE number = ?", number)
	if err == nil && len(items) == 0 {
		err = fmt.Errorf("item %d: %w", number, digest.ErrNotFound)
	}
	if err != nil {
		return digest.Item{}, err
	}
	return items[0], nil
}

// Projects implements digest.ArchiveStore.
func (db *DB) Projects(ctx context.Context) ([]digest.ProjectCount, error) {
	return collect(ctx, db.read, func(rows *sql.Rows) (p digest.ProjectCount, err error) {
		return p, rows.Scan(&p.Project, &p.Items, &p.Urgent, instant{&p.Last})
	}, "SELECT project, items, urgent, last_at FROM projects ORDER BY project")
}

// Messages implements digest.ArchiveStore.
func (db *DB) Messages(ctx context.Context, states []string, limit int) ([]digest.Message, error) {
	if limit <= 0 {
		return nil, ctx.Err()
	}
	where, args := "", []any{}
	if len(states) > 0 {
		where = " WHERE state IN (?" + strings.Repeat(", ?", len(states)-1) + ")"
		for _, s := range states {
			args = append(args, s)
		}
	}
	return collect(ctx, db.read, scanMessage, "SELECT "+messageColumns+" FROM outbox"+where+" ORDER BY id DESC LIMIT ?",
		append(args, limit)...)
}

// Message implements digest.ArchiveStore.
func (db *DB) Message(ctx context.Context, id int64) (digest.Message, error) {
	m, err := message(ctx, db.read, id)
	if err == nil {
		m.Bytes, err = db.codec.unpack(m.Bytes)
	}
	if err != nil {
		return digest.Message{}, notFound(err, "message %d", id)
	}
	return m, nil
}

const editionColumns = `id, key, occasion, subscriber, subscription, slot, late, first, last, items, shown, empty, created_at,
	message_id`

func scanEdition(rows *sql.Rows) (e digest.Edition, err error) {
	return e, rows.Scan(&e.ID, &e.Key, &e.Occasion, &e.Subscriber, &e.Subscription, instant{&e.Slot}, &e.Late, &e.From, &e.To,
		&e.Items, &e.Shown, &e.Empty, instant{&e.CreatedAt}, &e.MessageID)
}

// Editions implements digest.ArchiveStore.
func (db *DB) Editions(ctx context.Context, subscriber int64, limit int) ([]digest.Edition, error) {
	if limit <= 0 {
		return nil, ctx.Err()
	}
	where, args := "", []any{}
	if subscriber != 0 {
		where, args = " WHERE subscriber = ?", []any{subscriber}
	}
	return collect(ctx, db.read, scanEdition, "SELECT "+editionColumns+" FROM editions"+where+" ORDER BY seq DESC LIMIT ?",
		append(args, limit)...)
}

// Edition implements digest.ArchiveStore.
func (db *DB) Edition(ctx context.Context, id string) (digest.Edition, error) {
	editions, err := collect(ctx, db.read, scanEdition, "SELECT "+editionColumns+" FROM editions WHERE id = ?", id)
	if err == nil && len(editions) == 0 {
		err = fmt.Errorf("edition %s: %w", id, digest.ErrNotFound)
	}
	if err != nil {
		return digest.Edition{}, err
	}
	return editions[0], nil
}

// Told implements digest.ArchiveStore.
func (db *DB) Told(ctx context.Context, number int64) (out []digest.Told, err error) {
	err = db.snapshot(ctx, func(q querier) error {
		editions, err := collect(ctx, q, scanEdition, "SELECT "+editionColumns+` FROM editions
			WHERE occasion <> 'alert' AND empty = 0 AND first <= ?1 AND last >= ?1 OR id IN (SELECT edition FROM alert_parts
			WHERE incident = (SELECT incident FROM items WHERE number = ?1) AND after < ?1 AND up_to >= ?1) ORDER BY seq`, number)
		for i := range editions {
			t := digest.Told{Edition: editions[i]}
			messages, err := collect(ctx, q, scanMessage, "SELECT "+messageColumns+
				" FROM outbox WHERE edition = ? AND edition <> ''", t.Edition.ID)
			if err != nil {
				return err
			}
			if len(messages) > 0 {
				t.Message = messages[0]
			}
			out = append(out, t)
		}
		return err
	})
	return out, err
}

const receiptColumns = "id, source, tool, key, same_within, sum, state, reason, received_at"

func receiptFields(r *digest.Receipt, sum *[]byte) []any {
	return []any{&r.ID, &r.Source, &r.Tool, &r.Key, &r.SameWithin, sum, &r.State, &r.Reason, instant{&r.ReceivedAt}}
}

// Receipts implements digest.ArchiveStore.
func (db *DB) Receipts(ctx context.Context, state string, limit int) ([]digest.Receipt, error) {
	if limit <= 0 {
		return nil, ctx.Err()
	}
	where, args := "", []any{}
	if state != "" {
		where, args = " WHERE state = ?", []any{state}
	}
	if state != digest.Accepted && state != "" {
		where += " AND state <> 'accepted'" // lets the index of the few others be used
	}
	return collect(ctx, db.read, func(rows *sql.Rows) (r digest.Receipt, err error) {
		var sum []byte
		err = rows.Scan(receiptFields(&r, &sum)...)
		copy(r.Sum[:], sum)
		return r, err
	}, "SELECT "+receiptColumns+" FROM receipts"+where+" ORDER BY id DESC LIMIT ?", append(args, limit)...)
}

// Receipt implements digest.ArchiveStore.
func (db *DB) Receipt(ctx context.Context, id int64) (digest.Receipt, error) {
	var r digest.Receipt
	var sum, header, raw []byte
	err := db.read.QueryRowContext(ctx, "SELECT "+receiptColumns+", header, raw FROM receipts LEFT JOIN receipt_bytes USING (id) WHERE id = ?", id).
		Scan(append(receiptFields(&r, &sum), &header, &raw)...)
	copy(r.Sum[:], sum)
	if err == nil {
		r.Header, err = db.codec.unpack(header)
	}
	if err == nil {
		r.Raw, err = db.codec.unpack(raw)
	}
	if err != nil {
		return digest.Receipt{}, notFound(err, "receipt %d", id)
	}
	return r, nil
}

// Counts implements digest.ArchiveStore.
func (db *DB) Counts(ctx context.Context) (digest.Counts, error) {
	c := digest.Counts{Subscribers: map[string]int{}, Receipts: map[string]int{}, Messages: map[string]map[string]int{}}
	err := db.snapshot(ctx, func(q querier) (err error) {
		if c.Newest, err = newest(ctx, q); err != nil {
			return err
		}
		_, err = collect(ctx, q, func(rows *sql.Rows) (n int, err error) {
			var what, lane, state string
			err = rows.Scan(&what, &lane, &state, &n)
			switch what {
			case "receipts":
				c.Receipts[state] = n
			case "subscribers":
				c.Subscribers[state] = n
			case "outbox":
				if c.Messages[lane] == nil {
					c.Messages[lane] = map[string]int{}
				}
				c.Messages[lane][state] = n
			}
			return n, err
		}, `SELECT what, lane, state, n FROM counts WHERE n > 0 UNION ALL
			SELECT 'subscribers', '', state, count(*) FROM subscribers GROUP BY state`)
		if err != nil {
			return err
		}
		c.Oldest = map[string]time.Time{}
		for lane := range c.Messages {
			var t time.Time
			err := q.QueryRowContext(ctx, "SELECT min(created_at) FROM outbox WHERE lane = ? AND state IN ('queued', 'sending')"+notHeld, lane).
				Scan(instant{&t})
			if err != nil {
				return err
			}
			if !t.IsZero() {
				c.Oldest[lane] = t
			}
		}
		return q.QueryRowContext(ctx, "SELECT min(t) FROM (SELECT min(next_at) AS t FROM outbox WHERE state = 'queued'"+notHeld+
			" UNION ALL SELECT min(next_at) FROM outbox WHERE state = 'sending')").Scan(instant{&c.OldestDue})
	})
	return c, err
}
