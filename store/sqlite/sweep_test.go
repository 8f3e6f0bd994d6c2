package sqlite

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"quietpost/digest"
)

const day = 24 * time.Hour

// sweepAll takes steps until none is left and checks that it ends.
func sweepAll(t *testing.T, db *DB, o digest.SweepOrder, limit int) {
	t.Helper()
	for range 1000 {
		n, err := db.Sweep(t.Context(), o, limit)
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			return
		}
	}
	t.Fatal("the sweep does not end")
}

func TestSweep(t *testing.T) {
	db := world(t, filepath.Join(t.TempDir(), "q.db")) // items 1 to 15, a minute apart behind t0
	bad := delivery("not understood")
	bad.Receipt.State, bad.Receipt.ReceivedAt, bad.Items = digest.Quarantined, t0.Add(16*time.Minute), nil
	if _, err := db.AddItems(t.Context(), bad); err != nil {
		t.Fatal(err)
	}
	at := func(minutes int) time.Time { return t0.Add(time.Duration(minutes)*time.Minute + time.Second) }

	sweepAll(t, db, digest.SweepOrder{RawBefore: at(16)}, 4)
	for id, want := range map[int64]int{1: 0, 15: 0, 16: len("not understood")} {
		if r, err := db.Receipt(t.Context(), id); err != nil || len(r.Raw) != want {
			t.Errorf("receipt %d has %d bytes, want %d: %v", id, len(r.Raw), want, err)
		}
	}
	if got := numbers(t, db); len(got) != 15 {
		t.Errorf("items went with the raw bytes: %v", got)
	}

	sweepAll(t, db, digest.SweepOrder{ItemsBefore: at(9), UpTo: 7}, 3)
	if got := numbers(t, db); got[0] != 8 || len(got) != 8 {
		t.Errorf("items left: %v, want 8 to 15: never past who waits", got)
	}
	if r, err := db.Receipt(t.Context(), 8); err != nil {
		t.Errorf("the receipt of an item that is there is gone: %v, %v", r, err)
	}
	if _, err := db.Receipt(t.Context(), 7); !errors.Is(err, digest.ErrNotFound) {
		t.Errorf("the receipt of an item that is gone: %v", err)
	}
	sweepAll(t, db, digest.SweepOrder{ItemsBefore: at(9), UpTo: 1 << 40}, 3)
	if got := numbers(t, db); got[0] != 10 || len(got) != 6 {
		t.Errorf("items left: %v, want 10 to 15: none that is younger", got)
	}
	if swept, err := db.Swept(t.Context(), 0, 15); err != nil || len(swept) != 0 {
		t.Errorf("counted for nobody: %v, %v", swept, err)
	}

	// The mail of the edition is on its way: the edition may go, its message may not.
	sweepAll(t, db, digest.SweepOrder{EditionsBefore: t0.Add(day)}, 3)
	if m, err := db.Messages(t.Context(), nil, 9); err != nil || len(m) != 1 {
		t.Errorf("messages: %v, %v", m, err)
	}
	if _, err := db.Lease(t.Context(), t0, t0.Add(time.Hour), []string{digest.LaneDigest}, 9); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Report(t.Context(), t0, []digest.Report{{ID: 1, Lease: 1, State: digest.Delivered}}); err != nil {
		t.Fatal(err)
	}
	people, err := db.Subscribers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	m, err := db.Message(t.Context(), 1)
	if err == nil {
		err = db.RecordBounce(t.Context(), digest.BounceNote{MessageID: m.MessageID, Class: digest.BounceSoft, Subscriber: people[0].ID, At: t0}, people[0])
	}
	if err != nil {
		t.Fatal(err)
	}
	sweepAll(t, db, digest.SweepOrder{ItemsBefore: t0.Add(day), EditionsBefore: t0.Add(day), UpTo: 1 << 40}, 3)
	if notes, err := db.Bounces(t.Context(), 0, 9); err != nil || len(notes) != 0 {
		t.Errorf("bounces that are left: %v, %v", notes, err)
	}
	c, err := db.Counts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if c.Newest != 15 || c.Receipts[digest.Accepted] != 0 || c.Receipts[digest.Quarantined] != 0 || len(c.Messages) != 0 {
		t.Errorf("counts when all is gone: %+v", c)
	}
	if res, err := db.AddItems(t.Context(), delivery("next")); err != nil || res.Items[0].Number != 16 {
		t.Errorf("the next number: %+v, %v", res, err)
	}
}

// Whoever stood still is told exactly how much they missed, wherever their cursor is and however the steps fell.
func TestSweepCounts(t *testing.T) {
	for seed := range uint64(30) {
		rng := rand.New(rand.NewPCG(seed, 1))
		db := openAt(t, filepath.Join(t.TempDir(), "q.db"), Options{})
		n := 20 + rng.IntN(30)
		var kept []digest.Item
		for i := range n {
			d := delivery(fmt.Sprint(i))
			d.Receipt.ReceivedAt = t0.Add(time.Duration(i) * time.Minute)
			d.Items[0].ReceivedAt, d.Items[0].Project, d.Items[0].Kind = d.Receipt.ReceivedAt, []string{"a", "b"}[rng.IntN(2)], []string{"status", "deploy"}[rng.IntN(2)]
			if _, err := db.AddItems(t.Context(), d); err != nil {
				t.Fatal(err)
			}
			d.Items[0].Number = int64(i + 1)
			kept = append(kept, d.Items[0])
		}
		still := []int64{int64(rng.IntN(n)), 0}
		still[1] = still[0] + int64(rng.IntN(n-int(still[0])))
		gone := rng.IntN(n)
		sweepAll(t, db, digest.SweepOrder{ItemsBefore: t0.Add(time.Duration(gone) * time.Minute), UpTo: 1 << 40, Counted: still}, 1+rng.IntN(7))
		for _, cursor := range still {
			want := map[digest.SweptCount]int{}
			for _, it := range kept[:gone] {
				if it.Number > cursor {
					want[digest.SweptCount{Project: it.Project, Kind: it.Kind}]++
				}
			}
			got := map[digest.SweptCount]int{}
			counts, err := db.Swept(t.Context(), cursor, int64(n))
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range counts {
				got[digest.SweptCount{Project: c.Project, Kind: c.Kind}] += c.Items
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("seed %d, cursor %d, %d of %d gone (-want +got):\n%s", seed, cursor, gone, n, diff)
			}
		}
	}
}

// Mail that waits, for years where its address is suspended, keeps nothing behind it from going, and goes itself once it is done.
func TestSweepGoesPastMailThatWaits(t *testing.T) {
	db := openAt(t, filepath.Join(t.TempDir(), "q.db"), Options{})
	for i := range 20 {
		m := digest.Message{MessageID: fmt.Sprint(i), Lane: digest.LaneDigest, To: "ana@example.com", Bytes: []byte("mail"), CreatedAt: t0.Add(time.Duration(i) * time.Minute)}
		if err := db.AddMessage(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	ended := func(from, to int64) {
		t.Helper()
		for id := from; id <= to; id++ {
			if err := db.SetMessage(t.Context(), t0, id, digest.Failed, "dropped"); err != nil {
				t.Fatal(err)
			}
		}
	}
	left := func() (ids []int64) {
		t.Helper()
		all, err := db.Messages(t.Context(), nil, 99)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range all {
			ids = append(ids, m.ID)
		}
		return ids
	}
	order := digest.SweepOrder{EditionsBefore: t0.Add(15*time.Minute + time.Second)} // 1 to 16
	ended(1, 2)
	ended(4, 20)
	sweepAll(t, db, order, 3)
	if diff := cmp.Diff([]int64{20, 19, 18, 17, 3}, left()); diff != "" {
		t.Errorf("with one that waits: %s", diff)
	}
	if m, err := db.Message(t.Context(), 3); err != nil || string(m.Bytes) != "mail" {
		t.Errorf("the one that waits: %q, %v", m.Bytes, err)
	}
	ended(3, 3)
	sweepAll(t, db, order, 3)
	if diff := cmp.Diff([]int64{20, 19, 18, 17}, left()); diff != "" {
		t.Errorf("once it is done: %s", diff)
	}
	if c, err := db.Counts(t.Context()); err != nil || c.Messages[digest.LaneDigest][digest.Failed] != 4 {
		t.Errorf("counts: %+v, %v", c, err)
	}
}

// Space goes back to the file system, and a gap in the numbers (as restoring leaves it) is stepped over.
func TestSweepGivesSpaceBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "q.db")
	db := openAt(t, path, Options{})
	for i := range 300 {
		d := delivery(fmt.Sprint(i))
		d.Receipt.ReceivedAt = t0
		d.Receipt.Raw = make([]byte, 20000)
		rand.NewChaCha8([32]byte{byte(i)}).Read(d.Receipt.Raw)
		d.Items[0].ReceivedAt = t0
		if _, err := db.AddItems(t.Context(), d); err != nil {
			t.Fatal(err)
		}
		if i == 150 {
			r := Restored{Newest: 151, LastAt: t0}
			if err := db.jump(t.Context(), t0, &r); err != nil {
				t.Fatal(err)
			}
		}
	}
	size := func() int64 {
		var pages int64
		if err := db.read.QueryRow("PRAGMA page_count").Scan(&pages); err != nil {
			t.Fatal(err)
		}
		return pages
	}
	before := size()
	sweepAll(t, db, digest.SweepOrder{RawBefore: t0.Add(day), ItemsBefore: t0.Add(day), UpTo: 1 << 40}, 50)
	if after := size(); after > before/4 {
		t.Errorf("%d pages of %d are left", after, before)
	}
	if got := numbers(t, db); len(got) != 0 {
		t.Errorf("items left: %v", got)
	}
	if err := db.Check(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
}

// Old payloads give their space back, though their receipts stay: as they were but for header and payload.
func TestSweepOfPayloadsGivesSpaceBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "q.db")
	db := openAt(t, path, Options{})
	const n = 400
	for i := range n {
		d := delivery(fmt.Sprint(i))
		d.Receipt.ReceivedAt = t0
		d.Receipt.Raw = make([]byte, 6000) // a page and a half, so that each row has a leaf to itself
		rand.NewChaCha8([32]byte{byte(i), byte(i >> 8)}).Read(d.Receipt.Raw)
		if _, err := db.AddItems(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	pages := func() (pages int64) {
		if err := db.read.QueryRow("PRAGMA page_count").Scan(&pages); err != nil {
			t.Fatal(err)
		}
		return pages
	}
	want, err := db.Receipt(t.Context(), 77)
	if err != nil {
		t.Fatal(err)
	}
	before := pages()
	sweepAll(t, db, digest.SweepOrder{RawBefore: t0.Add(day)}, 50)
	if after := pages(); after > before/4 {
		t.Errorf("%d pages of %d are left", after, before)
	}
	want.Header, want.Raw = nil, nil
	if got, err := db.Receipt(t.Context(), 77); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("receipt 77 is %+v, want %+v: %v", got, want, err)
	}
	if res, err := db.AddItems(t.Context(), delivery("77")); err != nil || !res.Duplicate {
		t.Errorf("what came before its payload went is not known any more: %+v, %v", res, err)
	}
	if c, err := db.Counts(t.Context()); err != nil || c.Receipts[digest.Accepted] != n {
		t.Errorf("counts %+v, want %d accepted: %v", c, n, err)
	}
}
