package storetest

import (
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
	"unicode/utf8"

	"quietpost/digest"
)

// Memory is a digest.Store in memory: the plainest reading of the contract, for unit tests of other rooms and as the
// model that real stores are compared with. It never gives digest.ErrUnavailable before it is closed.
type Memory struct {
	mu       sync.Mutex
	closed   bool
	instance []byte

	// A row's number or ID is its index plus one, since nothing is ever taken away.
	receipts    []digest.Receipt
	items       []digest.Item
	incidents   []incident
	marks       map[string]digest.Mark
	subscribers []digest.Subscriber // without their subscriptions
	subs        []digest.Subscription
	editions    []digest.Edition
	alertMarks  map[alertKey]digest.AlertMark
	parts       []part
	messages    []digest.Message
	bounces     []digest.BounceNote
	hours       []digest.SourceHour // in order of source and hour
	troubles    []digest.Trouble
}

// incident is an incident's row; its items are found by Item.Incident.
type incident struct {
	digest.Incident
	last    int64 // number of its newest item
	settled int64 // last as it was when it was settled; 0 if never
}

type alertKey struct{ subscriber, incident int64 }

// part is what an alert told of one incident: its items in after < number <= upTo.
type part struct {
	edition                           string
	subscriber, incident, after, upTo int64
}

var _ digest.Store = (*Memory)(nil)

// NewMemory makes an empty store.
func NewMemory() digest.Store {
	m := &Memory{instance: make([]byte, 32), marks: map[string]digest.Mark{}, alertMarks: map[alertKey]digest.AlertMark{}}
	rand.Read(m.instance) // never fails, see crypto/rand
	return m
}

// enter begins a transaction: it locks the store unless the caller has gone or the store is closed.
func (m *Memory) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return fmt.Errorf("the store is closed: %w", digest.ErrUnavailable)
	}
	return nil
}

// Close ends it; what was in it is gone.
func (m *Memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	return nil
}

// InstanceKey implements digest.EditionStore.
func (m *Memory) InstanceKey(ctx context.Context) ([]byte, error) {
	if err := m.enter(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	return clone(m.instance), nil
}

// Newest implements digest.EditionStore.
func (m *Memory) Newest(ctx context.Context) (int64, error) {
	if err := m.enter(ctx); err != nil {
		return 0, err
	}
	defer m.mu.Unlock()
	return int64(len(m.items)), nil
}

// Window implements digest.EditionStore.
func (m *Memory) Window(ctx context.Context, after, upTo int64, excerpt int) ([]digest.Item, error) {
	if err := m.enter(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	var out []digest.Item
	for _, it := range m.items {
		if it.Number > after && it.Number <= upTo {
			it = cloneItem(it)
			it.Body = cut(it.Body, excerpt)
			out = append(out, it)
		}
	}
	return out, nil
}

// milli is the instant as a store keeps it: milliseconds in UTC, and none for the zero time.
func milli(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return time.UnixMilli(t.UnixMilli()).UTC()
}

// clone copies a slice; an empty one is kept as nil.
func clone[T any](s []T) []T {
	if len(s) == 0 {
		return nil
	}
	return slices.Clone(s)
}

func cloneItem(it digest.Item) digest.Item {
	it.Tags = clone(it.Tags)
	if it.Reasons = maps.Clone(it.Reasons); len(it.Reasons) == 0 {
		it.Reasons = nil
	}
	it.OccurredAt, it.ReceivedAt = milli(it.OccurredAt), milli(it.ReceivedAt)
	return it
}

// cut shortens s to at most max bytes, at a character.
func cut(s string, max int) string {
	if max <= 0 {
		return ""
	}
	if len(s) <= max {
		return s
	}
	for max > 0 && !utf8.RuneStart(s[max]) {
		max--
	}
	return s[:max]
}
