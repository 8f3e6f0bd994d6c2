package mailbox

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"quietpost/digest"
)

// A heap is mails that were read, and what is asked of them.
type heap struct {
	ds       []digest.Delivery
	ids      map[string]bool // Message-IDs
	projects map[string]bool
	arrived  time.Time // when the server had the last one
}

func newHeap() *heap { return &heap{ids: map[string]bool{}, projects: map[string]bool{}} }

// A pending is what was read and is not on disk yet: one heap that grows, and one that is being stored. It stands before
// the intake while mails are read, so that a mail finds the one before it as if that were stored.
type pending struct {
	Intake
	flush func(context.Context) error

	mu       sync.Mutex // a mail is read in a goroutine of its own
	now, old *heap
}

// ThreadOf stores what is pending when the mail asked for is there.
func (p *pending) ThreadOf(ctx context.Context, messageIDs []string) (project, thread string, err error) {
	if slices.ContainsFunc(messageIDs, func(id string) bool { return p.now.ids[id] || p.old.ids[id] }) {
		if err := p.flush(ctx); err != nil {
			return "", "", err
		}
	}
	return p.Intake.ThreadOf(ctx, messageIDs)
}

// KnownProject knows the projects of pending items too.
func (p *pending) KnownProject(key string) bool {
	p.mu.Lock()
	known := p.now.projects[key] || p.old.projects[key]
	p.mu.Unlock()
	return known || p.Intake.KnownProject(key)
}

func (p *pending) empty() bool { return len(p.now.ds) == 0 }

func (p *pending) add(d digest.Delivery, arrived time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := p.now
	h.ds, h.arrived = append(h.ds, d), arrived
	for i := range d.Items {
		h.ids[d.Items[i].MessageID], h.projects[digest.ProjectKey(d.Items[i].Project)] = true, true
	}
}

// turn begins a new heap and gives the one that was; stored is the end of that.
func (p *pending) turn() *heap {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.old, p.now = p.now, newHeap()
	return p.old
}

func (p *pending) stored() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.old = newHeap()
}

// A storing is one transaction on its way to the disk.
type storing struct {
	heap    *heap
	results []digest.Result
	err     error
	done    chan struct{}
}

// store puts what is pending on its way to the disk, when what went before it is there.
func (s *session) store(ctx context.Context) error {
	if err := s.settle(); err != nil {
		return err
	}
	s.begin(ctx)
	return nil
}

// flush stores all that is pending and waits for it.
func (s *session) flush(ctx context.Context) error {
	if err := s.store(ctx); err != nil {
		return err
	}
	return s.settle()
}

func (s *session) begin(ctx context.Context) {
	if s.pending.empty() {
		return
	}
	st := &storing{heap: s.pending.turn(), done: make(chan struct{})}
	s.storing = st
	go func() {
		defer close(st.done)
		defer func() {
			if p := recover(); p != nil {
				st.err = fmt.Errorf("a fault in quietpost itself: %v", p)
			}
		}()
		st.results, st.err = s.m.keep(ctx, st.heap.ds)
	}()
}

// settle waits for the transaction that is on its way, and moves the mark to where it stands on disk.
func (s *session) settle() error {
	st := s.storing
	if st == nil {
		return nil
	}
	<-st.done
	s.storing = nil
	s.pending.stored()
	if st.err != nil {
		return fmt.Errorf("storing mail: %w", st.err)
	}
	s.mark = *st.heap.ds[len(st.heap.ds)-1].Mark
	s.m.stored(st.heap.ds, st.results, st.heap.arrived)
	return nil
}

// keep stores mails in one transaction with the mark behind them. Where that fails for another reason than the disk
// they are stored one by one, and the one at fault is quarantined.
func (m *Mailbox) keep(ctx context.Context, ds []digest.Delivery) ([]digest.Result, error) {
	results, err := m.o.Intake.AcceptBatch(ctx, ds)
	if err == nil || errors.Is(err, digest.ErrUnavailable) || ctx.Err() != nil {
		return results, err
	}
	results = nil
	for _, d := range ds {
		res, err := m.o.Intake.Accept(ctx, d)
		if err != nil && !errors.Is(err, digest.ErrUnavailable) && ctx.Err() == nil {
			m.o.Log.Error("inbox: a mail cannot be stored as it was read", "uid", d.Mark.UID, "error", err)
			res, err = m.o.Intake.Accept(ctx, quarantined(d, "it could not be stored as it was read: "+err.Error()))
		}
		if err != nil {
			return nil, err
		}
		results = append(results, res)
	}
	return results, nil
}
