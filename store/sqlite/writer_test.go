package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"quietpost/digest"
)

func delivery(key string) digest.Delivery {
	return digest.Delivery{
		Receipt: digest.Receipt{Source: "lab", Key: key, State: digest.Accepted, Raw: []byte(key)},
		Items:   []digest.Item{{Project: "apollo", Title: key}},
	}
}

func numbers(t *testing.T, db *DB) (out []int64) {
	t.Helper()
	items, err := db.Window(t.Context(), 0, 1<<40, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, it := range items {
		out = append(out, it.Number)
	}
	return out
}

// hold keeps the writer busy until the returned function is called.
func hold(t *testing.T, w *writer) (letGo func()) {
	t.Helper()
	began, end := make(chan bool), make(chan bool)
	go w.write(context.Background(), false, func(context.Context, *sql.Conn) error {
		close(began)
		<-end
		return nil
	})
	<-began
	return sync.OnceFunc(func() { close(end) })
}

// queued waits until so many ops wait.
func queued(t *testing.T, w *writer, n int) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		w.mu.Lock()
		have := len(w.urgent) + len(w.normal)
		w.mu.Unlock()
		if have >= n {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d writes wait, want %d", have, n)
		}
	}
}

func TestUrgentGoesFirst(t *testing.T) {
	db := openAt(t, filepath.Join(t.TempDir(), "q.db"), Options{})
	letGo := hold(t, db.writer)
	defer letGo()
	var mu sync.Mutex
	var order []string
	var wg sync.WaitGroup
	note := func(name string, urgent bool) {
		wg.Go(func() {
			db.writer.write(context.Background(), urgent, func(context.Context, *sql.Conn) error {
				mu.Lock()
				defer mu.Unlock()
				order = append(order, name)
				return nil
			})
		})
	}
	for range 500 {
		note("normal", false)
	}
	queued(t, db.writer, 500)
	note("urgent", true)
	queued(t, db.writer, 501)
	letGo()
	wg.Wait()
	if len(order) != 501 || order[0] != "urgent" {
		t.Errorf("%d writes, the urgent one is number %d", len(order), slices.Index(order, "urgent")+1)
	}
}

func TestOneBadWriteFailsAlone(t *testing.T) {
	db := openAt(t, filepath.Join(t.TempDir(), "q.db"), Options{})
	letGo := hold(t, db.writer)
	defer letGo()
	const n = 20
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			switch i {
			case 3:
				errs[i] = db.writer.write(context.Background(), false, func(context.Context, *sql.Conn) error { panic("a bad row") })
			case 7: // fails after it wrote: what it wrote must go
				errs[i] = db.writer.write(context.Background(), false, func(ctx context.Context, c *sql.Conn) error {
					exec(ctx, c, "INSERT INTO marks VALUES ('half', 1, 1, NULL)")
					return digest.ErrConflict
				})
			default:
				_, errs[i] = db.AddItems(context.Background(), delivery(fmt.Sprint(i)))
			}
		})
	}
	queued(t, db.writer, n)
	letGo()
	wg.Wait()
	for i, err := range errs {
		if (err != nil) != (i == 3 || i == 7) {
			t.Errorf("write %d: %v", i, err)
		}
	}
	if got := len(numbers(t, db)); got != n-2 {
		t.Errorf("%d items, want %d", got, n-2)
	}
	if _, err := db.Mark(t.Context(), "half"); !errors.Is(err, digest.ErrNotFound) {
		t.Errorf("half of a failed write is there: %v", err)
	}
}

func TestWhoGivesUpInTheQueueWritesNothing(t *testing.T) {
	db := openAt(t, filepath.Join(t.TempDir(), "q.db"), Options{})
	letGo := hold(t, db.writer)
	defer letGo()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		_, err := db.AddItems(ctx, delivery("late"))
		done <- err
	}()
	queued(t, db.writer, 1)
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	letGo()
	if _, err := db.AddItems(t.Context(), delivery("next")); err != nil {
		t.Fatal(err)
	}
	if got := numbers(t, db); len(got) != 1 {
		t.Errorf("items %v, want the later one alone", got)
	}
}

// A full disk: SQLite answers the same SQLITE_FULL at max_page_count as at ENOSPC.
func TestFullDisk(t *testing.T) {
	db := openAt(t, filepath.Join(t.TempDir(), "q.db"), Options{})
	if _, err := db.AddItems(t.Context(), delivery("before")); err != nil {
		t.Fatal(err)
	}
	limit := func(pragma string) {
		err := db.writer.write(t.Context(), false, func(ctx context.Context, c *sql.Conn) error { return exec(ctx, c, pragma) })
		if err != nil {
			t.Fatal(err)
		}
	}
	limit("PRAGMA max_page_count = 1") // as many as there are
	big := delivery("big")
	for i := range 200 {
		it := digest.Item{Project: "apollo", Title: fmt.Sprint(i), Body: string(make([]byte, 4096))}
		big.Items = append(big.Items, it)
	}
	if _, err := db.AddItems(t.Context(), big); !errors.Is(err, digest.ErrUnavailable) {
		t.Fatalf("on a full disk: %v, want ErrUnavailable", err)
	}
	if got := numbers(t, db); len(got) != 1 {
		t.Errorf("%d items after the disk was full, want 1", len(got))
	}
	limit("PRAGMA max_page_count = 4294967294")
	r, err := db.AddItems(t.Context(), big)
	if err != nil || r.Duplicate || len(r.Items) != 201 {
		t.Errorf("after room was made: %d items, duplicate %v, %v", len(r.Items), r.Duplicate, err)
	}
}

func TestLockedByAnother(t *testing.T) {
	path := filepath.Join(t.TempDir(), "q.db")
	db := openAt(t, path, Options{BusyTimeout: 50 * time.Millisecond})
	other := openAt(t, path, Options{NoMigrate: true})
	letGo := hold(t, other.writer)
	defer letGo()
	if _, err := db.AddItems(t.Context(), delivery("k")); !errors.Is(err, digest.ErrUnavailable) {
		t.Fatalf("while another process writes: %v, want ErrUnavailable", err)
	}
	letGo()
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	if r, err := db.AddItems(t.Context(), delivery("k")); err != nil || r.Duplicate {
		t.Errorf("afterwards: %+v, %v", r, err)
	}
}
