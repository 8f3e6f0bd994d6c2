package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"quietpost/digest"
)

var t0 = time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC)

// world is a database that has been in use: ten items, a reader served up to the fifth, a mail that waits.
func world(t *testing.T, path string) *DB {
	t.Helper()
	db := openAt(t, path, Options{})
	add(t, db, 1, 10)
	s, err := db.SaveSubscriber(t.Context(), digest.Subscriber{Address: "ana@example.com", State: digest.Active,
		Subscriptions: []digest.Subscription{{Projects: []string{"*"}, Schedule: "daily", NextSlot: t0}}})
	if err != nil {
		t.Fatal(err)
	}
	add(t, db, 11, 15)
	cutEdition(t, db, s, 10, 12)
	if err := db.SetMark(t.Context(), digest.Mark{Inbox: "in", UIDValidity: 1, UID: 7}); err != nil {
		t.Fatal(err)
	}
	return db
}

func add(t *testing.T, db *DB, from, to int) {
	t.Helper()
	for i := from; i <= to; i++ {
		d := delivery(fmt.Sprintf("d%02d", i))
		d.Receipt.ReceivedAt = t0.Add(time.Duration(i) * time.Minute)
		d.Items[0].ReceivedAt = d.Receipt.ReceivedAt
		if _, err := db.AddItems(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
}

// cutEdition serves a subscriber from one number to another, with a mail.
func cutEdition(t *testing.T, db *DB, s digest.Subscriber, from, to int64) {
	t.Helper()
	id := fmt.Sprintf("e%d@example.com", to)
	sub := s.Subscriptions[0]
	err := db.CommitEdition(t.Context(), digest.Commit{Cursor: from, NextSlot: t0.Add(time.Hour), Edition: digest.Edition{ID: id,
		Key: id, Occasion: digest.OccasionDigest, Subscriber: s.ID, Subscription: sub.ID, Slot: t0, From: from + 1, To: to, MessageID: id},
		Message: &digest.Message{MessageID: id, Lane: digest.LaneDigest, To: s.Address, State: digest.Queued, Bytes: []byte("mail"), NextAt: t0}})
	if err != nil {
		t.Fatal(err)
	}
}

func TestRestoreTakesOver(t *testing.T) {
	dir := t.TempDir()
	path, copied := filepath.Join(dir, "q.db"), filepath.Join(dir, "copy.db")
	db := world(t, path)
	if err := db.Backup(t.Context(), copied); err != nil {
		t.Fatal(err)
	}
	// What happens after the copy was made: the mail is delivered, more comes, she leaves, the inbox is read on.
	if _, err := db.Lease(t.Context(), t0, t0.Add(time.Hour), []string{digest.LaneDigest}, 9); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Report(t.Context(), t0, []digest.Report{{ID: 1, Lease: 1, State: digest.Delivered}}); err != nil {
		t.Fatal(err)
	}
	add(t, db, 16, 20)
	people, _ := db.Subscribers(t.Context())
	cutEdition(t, db, people[0], 12, 18)
	people, _ = db.Subscribers(t.Context())
	people[0].State = digest.Left
	if _, err := db.SaveSubscriber(t.Context(), people[0]); err != nil {
		t.Fatal(err)
	}
	if err := db.SetMark(t.Context(), digest.Mark{Inbox: "in", UIDValidity: 1, UID: 99}); err != nil {
		t.Fatal(err)
	}
	db.writer.write(t.Context(), false, deleteItems(3)) // what somebody did by mistake, and the copy brings back
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}

	r, err := Restore(t.Context(), path, copied, t0.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if !r.TakenOver || r.Later != 5 || r.Newest != 15 {
		t.Errorf("restored: %+v", r)
	}
	now := openAt(t, path, Options{})
	if got := numbers(t, now); len(got) != 20 {
		t.Errorf("items %v, want 1 to 20", got)
	}
	people, err = now.Subscribers(t.Context())
	if err != nil || people[0].State != digest.Left || people[0].Subscriptions[0].Cursor != 18 {
		t.Errorf("the reader: %+v, %v", people, err)
	}
	if m, err := now.Mark(t.Context(), "in"); err != nil || m.UID != 99 {
		t.Errorf("the mark: %+v, %v", m, err)
	}
	if _, err := now.Edition(t.Context(), "e18@example.com"); err != nil {
		t.Errorf("the ledger lacks what was sent since: %v", err)
	}
	queued, err := now.Messages(t.Context(), []string{digest.Queued}, 9)
	if err != nil || len(queued) != 1 || queued[0].MessageID != "e18@example.com" {
		t.Errorf("mails on their way: %+v, %v", queued, err)
	}
	c, err := now.Counts(t.Context())
	if err != nil || c.Receipts[digest.Accepted] != 20 || c.Messages[digest.LaneDigest][digest.Delivered] != 1 {
		t.Errorf("counts: %+v, %v", c, err)
	}
	res, err := now.AddItems(t.Context(), delivery("next"))
	if err != nil || res.Items[0].Number != 21 {
		t.Errorf("the next number: %+v, %v", res, err)
	}
	if res, err = now.AddItems(t.Context(), delivery("d17")); err != nil || !res.Duplicate {
		t.Errorf("a delivery repeated: %+v, %v", res, err)
	}
	if _, err := os.Stat(r.Replaced); err != nil {
		t.Errorf("the replaced database: %v", err)
	}
}

// TestRestoreBringsBackWhatRetentionTook: it is shown, not counted as gone too, and goes in its turn.
func TestRestoreBringsBackWhatRetentionTook(t *testing.T) {
	dir := t.TempDir()
	path, copied := filepath.Join(dir, "q.db"), filepath.Join(dir, "copy.db")
	db := world(t, path)
	if err := db.Backup(t.Context(), copied); err != nil {
		t.Fatal(err)
	}
	add(t, db, 16, 20)
	order := digest.SweepOrder{RawBefore: t0.Add(day), ItemsBefore: t0.Add(day), UpTo: 18, Counted: []int64{2}}
	sweepAll(t, db, order, 4)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Restore(t.Context(), path, copied, t0.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	now := openAt(t, path, Options{})
	if got := numbers(t, now); len(got) != 17 || got[14] != 15 || got[15] != 19 {
		t.Errorf("items %v, want 1 to 15, which the copy has, and 19 and 20", got)
	}
	if swept, err := now.Swept(t.Context(), 2, 20); err != nil || len(swept) != 1 || swept[0].Items != 3 {
		t.Errorf("gone for who stood still at 2: %v, %v; want 3", swept, err)
	}
	sweepAll(t, now, order, 4)
	if got := numbers(t, now); len(got) != 2 {
		t.Errorf("items %v, want 19 and 20: what came back stays for ever", got)
	}
	if r, err := now.Receipt(t.Context(), 19); err != nil || len(r.Raw) != 0 {
		t.Errorf("raw bytes that came back: %d, %v", len(r.Raw), err)
	}
	if swept, err := now.Swept(t.Context(), 2, 20); err != nil || len(swept) != 1 || swept[0].Items != 16 {
		t.Errorf("gone for who stood still at 2: %v, %v; want 16", swept, err)
	}
}

func TestRestoreWithoutTheOld(t *testing.T) {
	for name, spoil := range map[string]func(path string) error{
		"gone": os.Remove,
		"damaged": func(path string) error {
			return os.WriteFile(path, []byte(strings.Repeat("not a database\n", 1000)), 0o600)
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path, copied := filepath.Join(dir, "q.db"), filepath.Join(dir, "copy.db")
			db := world(t, path)
			if err := errors.Join(db.Backup(t.Context(), copied), db.Close(), spoil(path)); err != nil {
				t.Fatal(err)
			}
			later := t0.Add(48 * time.Hour)
			r, err := Restore(t.Context(), path, copied, later)
			if err != nil {
				t.Fatal(err)
			}
			if r.TakenOver || r.Why == "" || r.Dropped != 1 || r.Unsent != 3 || !r.UnsentAt.Equal(t0.Add(13*time.Minute)) || r.Jump < 15+47*3600*fastest {
				t.Errorf("restored: %+v", r)
			}
			now := openAt(t, path, Options{})
			people, err := now.Subscribers(t.Context())
			if err != nil || people[0].Subscriptions[0].Cursor != r.Jump || people[0].Subscriptions[0].MailedTo != r.Jump {
				t.Errorf("cursors: %+v, %v; want %d", people, err, r.Jump)
			}
			res, err := now.AddItems(t.Context(), delivery("next"))
			if err != nil || res.Items[0].Number != r.Jump+1 {
				t.Errorf("the next number: %+v, %v", res, err)
			}
			if due, err := now.Lease(t.Context(), later, later, []string{digest.LaneDigest}, 9); err != nil || len(due) != 0 {
				t.Errorf("sent again: %v, %v", due, err)
			}
		})
	}
}

// TestACopyUnderItsNameIsWhole: one that was broken off is not there, and what it left is no obstacle.
func TestACopyUnderItsNameIsWhole(t *testing.T) {
	dir := t.TempDir()
	path, copied := filepath.Join(dir, "q.db"), filepath.Join(dir, "copy.db")
	db := world(t, path)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := db.Backup(ended, copied); err == nil {
		t.Error("a copy that was broken off is no error")
	}
	if left, _ := filepath.Glob(copied + "*"); len(left) > 0 {
		t.Errorf("left over: %v", left)
	}
	if err := os.WriteFile(copied+".part", []byte("of a process that was killed"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if n, err := Copy(t.Context(), path, copied); err != nil || n != 15 {
		t.Errorf("up to %d, %v", n, err)
	}
	if left, _ := filepath.Glob(copied + "*"); len(left) != 1 {
		t.Errorf("beside the copy: %v", left)
	}
	if _, err := Copy(t.Context(), filepath.Join(dir, "none.db"), copied+"2"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("of a database that is not there: %v", err)
	}
}

func TestRestoreRefuses(t *testing.T) {
	dir := t.TempDir()
	path, other := filepath.Join(dir, "q.db"), filepath.Join(dir, "other.db")
	db := world(t, path)
	theirs := openAt(t, other, Options{})
	add(t, theirs, 1, 3)
	copied := filepath.Join(dir, "copy.db")
	if err := errors.Join(theirs.Backup(t.Context(), copied), theirs.Close(), db.Close()); err != nil {
		t.Fatal(err)
	}
	before := read(t, path)
	if _, err := Restore(t.Context(), path, copied, t0); err == nil || !strings.Contains(err.Error(), "another quietpost") {
		t.Errorf("another service's copy: %v", err)
	}
	text := filepath.Join(dir, "text")
	if err := os.WriteFile(text, []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Restore(t.Context(), path, text, t0); err == nil {
		t.Error("a text file was restored")
	}
	after := read(t, path)
	copy(after[24:28], before[24:28])
	copy(after[92:96], before[92:96])
	if string(before) != string(after) {
		t.Error("the database was changed by what was refused")
	}
	if left, _ := filepath.Glob(path + ".restoring*"); len(left) > 0 {
		t.Errorf("left over: %v", left)
	}
}

func deleteItems(upTo int64) func(context.Context, *sql.Conn) error {
	return func(ctx context.Context, c *sql.Conn) error {
		return exec(ctx, c, "DELETE FROM items WHERE number <= ?", upTo)
	}
}
