package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"quietpost/digest"
)

const (
	maxBatch     = 256 // ops that share a commit at most
	besideUrgent = 16  // others that may share an urgent op's commit, so that a storm does not starve them
)

// An op is one caller's write: it runs inside its own savepoint.
type op struct {
	do    func(ctx context.Context, c *sql.Conn) error
	taken atomic.Bool // by the writer that begins it, or by a caller that goes before
	done  chan error
}

// A writer is the one goroutine that writes. It runs all ops that wait in one transaction, so that they share its
// fsync (group commit). There is no timer: the batch is whatever waits when the writer is free, so a lone op is not
// delayed and a crowd forms batches by itself.
type writer struct {
	conn   *sql.Conn
	exited chan struct{}

	save, release *sql.Stmt // prepared: what every op runs must not be parsed each time

	mu      sync.Mutex
	waiting *sync.Cond
	urgent  []*op
	normal  []*op
	closed  bool
}

func newWriter(ctx context.Context, conn *sql.Conn) (w *writer, err error) {
	w = &writer{conn: conn, exited: make(chan struct{})}
	if w.save, err = conn.PrepareContext(ctx, "SAVEPOINT op"); err != nil {
		return nil, err
	}
	if w.release, err = conn.PrepareContext(ctx, "RELEASE op"); err != nil {
		return nil, err
	}
	w.waiting = sync.NewCond(&w.mu)
	go w.run()
	return w, nil
}

// write hands an op to the writer and waits for its commit. A ctx that ends before the op is begun drops it; afterwards
// the true result is waited for, since the op may be on disk already.
func (w *writer) write(ctx context.Context, urgent bool, do func(ctx context.Context, c *sql.Conn) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	o := &op{do: do, done: make(chan error, 1)}
	w.mu.Lock()
	if w.closed {
		w.mu.Unlock()
		return errClosed
	}
	if urgent {
		w.urgent = append(w.urgent, o)
	} else {
		w.normal = append(w.normal, o)
	}
	w.waiting.Signal()
	w.mu.Unlock()

	select {
	case err := <-o.done:
		return err
	case <-ctx.Done():
		if o.taken.CompareAndSwap(false, true) {
			return ctx.Err()
		}
		return <-o.done
	}
}

// close stops the writer when all that waits is written.
func (w *writer) close() {
	w.mu.Lock()
	w.closed = true
	w.waiting.Signal()
	w.mu.Unlock()
	<-w.exited
	_, _ = w.save.Close(), w.release.Close() // or the file would stay open behind its connection, and the WAL with it
}

func (w *writer) run() {
	defer close(w.exited)
	for {
		batch := w.next()
		if batch == nil {
			return
		}
		w.commit(batch)
	}
}

// next waits for ops and takes a batch of them, urgent ones first; nil when the writer is closed and none is left.
func (w *writer) next() []*op {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.urgent)+len(w.normal) == 0 {
		if w.closed {
			return nil
		}
		w.waiting.Wait()
	}
	n := min(len(w.urgent), maxBatch)
	m := min(len(w.normal), maxBatch-n)
	if n > 0 {
		m = min(m, besideUrgent)
	}
	batch := slices.Concat(w.urgent[:n], w.normal[:m])
	w.urgent = slices.Delete(w.urgent, 0, n)
	w.normal = slices.Delete(w.normal, 0, m)
	return batch
}

// commit runs a batch in one transaction and tells each caller its result. An op that fails is undone alone; what hits
// the disk (full, I/O error, a failed commit) undoes and fails them all.
func (w *writer) commit(batch []*op) {
	batch = slices.DeleteFunc(batch, func(o *op) bool { return !o.taken.CompareAndSwap(false, true) })
	results := make([]error, len(batch))
	if err := w.transaction(batch, results); err != nil {
		err = unavailable(err)
		for i := range results {
			results[i] = err
		}
	}
	for i, o := range batch {
		o.done <- results[i]
	}
}

// transaction writes each op's own result into results; its error is that of the whole.
func (w *writer) transaction(batch []*op, results []error) (err error) {
	if len(batch) == 0 {
		return nil
	}
	ctx := context.Background() // no caller may interrupt what others share
	if err := exec(ctx, w.conn, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			exec(ctx, w.conn, "ROLLBACK") // fails where SQLite has rolled back by itself, which is as good
		}
	}()
	for i, o := range batch {
		if _, err := w.save.ExecContext(ctx); err != nil {
			return err
		}
		results[i] = translate(protect(ctx, w.conn, o.do))
		if errors.Is(results[i], digest.ErrUnavailable) {
			return results[i]
		}
		if results[i] != nil {
			if err := exec(ctx, w.conn, "ROLLBACK TO op"); err != nil {
				return err
			}
		}
		if _, err := w.release.ExecContext(ctx); err != nil {
			return err
		}
	}
	return exec(ctx, w.conn, "COMMIT")
}

// protect runs an op and makes a panic in it that op's error.
func protect(ctx context.Context, c *sql.Conn, do func(context.Context, *sql.Conn) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic in a write to the store: %v", p)
		}
	}()
	return do(ctx, c)
}
