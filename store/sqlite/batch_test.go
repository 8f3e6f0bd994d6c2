package sqlite

import (
	"context"
	"database/sql"
	"path/filepath"
	"testing"

	"quietpost/digest"
)

// A batch that fails at its last delivery leaves nothing behind: no item, no receipt, no mark.
func TestBatchIsAllOrNothing(t *testing.T) {
	db := openAt(t, filepath.Join(t.TempDir(), "quietpost.db"), Options{})
	ctx := t.Context()
	err := db.writer.write(ctx, false, func(ctx context.Context, c *sql.Conn) error {
		return exec(ctx, c, "CREATE TRIGGER bad BEFORE INSERT ON items WHEN new.title = 'bad' BEGIN SELECT raise(ABORT, 'bad'); END")
	})
	if err != nil {
		t.Fatal(err)
	}
	batch := func(titles ...string) (ds []digest.Delivery) {
		for i, title := range titles {
			ds = append(ds, digest.Delivery{Receipt: digest.Receipt{Source: "mail", Key: title, State: digest.Accepted},
				Items: []digest.Item{{Project: "a", Title: title}}, Mark: &digest.Mark{Inbox: "mail", UID: uint32(i) + 1}})
		}
		return ds
	}
	if _, err := db.AddBatch(ctx, batch("one", "two", "bad")); err == nil {
		t.Fatal("the batch did not fail")
	}
	if _, err := db.Mark(ctx, "mail"); err == nil {
		t.Error("the mark moved")
	}
	results, err := db.AddBatch(ctx, batch("one", "two"))
	if err != nil || results[0].Duplicate || results[1].Items[0].Number != 2 {
		t.Errorf("again, without the bad one: %+v, %v", results, err)
	}
}
