package storetest

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"slices"
	"strings"
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

// AddItems implements digest.IntakeStore.
func (m *Memory) AddItems(ctx context.Context, d digest.Delivery) (digest.Result, error) {
	if err := m.enter(ctx); err != nil {
		return digest.Result{}, err
	}
	defer m.mu.Unlock()
	return m.add(d)
}

// AddBatch implements digest.IntakeStore. In memory nothing fails halfway.
func (m *Memory) AddBatch(ctx context.Context, ds []digest.Delivery) (results []digest.Result, err error) {
	if err := m.enter(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	for _, d := range ds {
		res, err := m.add(d)
		if err != nil {
			return nil, err
		}
		results = append(results, res)
	}
	return results, nil
}

func (m *Memory) add(d digest.Delivery) (digest.Result, error) {
	if d.Mark != nil {
		m.setMark(*d.Mark)
	}
	if d.Replay != 0 {
		return m.replay(d)
	}
	r := d.Receipt
	r.ReceivedAt = milli(r.ReceivedAt)
	if first := m.receiptOf(&r); first != nil {
		res := m.result(first)
		res.Duplicate, res.Differs = true, first.Sum != r.Sum
		return res, nil
	}
	r.ID = int64(len(m.receipts)) + 1
	r.Header, r.Raw = clone(r.Header), clone(r.Raw)
	m.receipts = append(m.receipts, r)
	m.addHour(digest.SourceHourOf(&r))
	m.append(d.Items, &r)
	return m.result(&r), nil
}

// append adds the items of a receipt.
func (m *Memory) append(items []digest.Item, r *digest.Receipt) {
	for _, it := range items {
		it = cloneItem(it)
		it.Number, it.Receipt = int64(len(m.items))+1, r.ID
		it.Incident = m.step(&it, r.ReceivedAt)
		m.items = append(m.items, it)
	}
}

// receiptOf is the first receipt that makes r a duplicate.
func (m *Memory) receiptOf(r *digest.Receipt) *digest.Receipt {
	for i := range m.receipts {
		old := &m.receipts[i]
		if old.Source == r.Source && old.Key == r.Key &&
			(r.SameWithin <= 0 || r.ReceivedAt.Sub(old.ReceivedAt).Abs() < r.SameWithin) {
			return old
		}
	}
	return nil
}

func (m *Memory) result(r *digest.Receipt) digest.Result {
	res := digest.Result{Receipt: r.ID, State: r.State, Reason: r.Reason}
	for i := range m.items {
		if it := &m.items[i]; it.Receipt == r.ID {
			res.Items = append(res.Items, digest.ItemRef{Number: it.Number, Project: it.Project, Urgent: it.Urgent})
		}
	}
	return res
}

// step carries out the item's IncidentStep and gives the incident it is in, 0 for none.
func (m *Memory) step(it *digest.Item, receivedAt time.Time) int64 {
	at := it.ReceivedAt
	if at.IsZero() {
		at = receivedAt
	}
	if it.Step == digest.NoStep {
		return 0
	}
	inc := m.open(it)
	if inc == nil {
		if it.Step == digest.Resolve && !it.Urgent {
			return 0
		}
		m.incidents = append(m.incidents, incident{Incident: digest.Incident{
			ID: int64(len(m.incidents)) + 1, Project: it.Project, Thread: it.Thread, OpenedAt: at}})
		inc = &m.incidents[len(m.incidents)-1]
	}
	if it.Step == digest.Resolve {
		inc.ResolvedAt = at
	}
	inc.last = it.Number
	return inc.ID
}

// open is the open incident of the item's thread, nil if there is none.
func (m *Memory) open(it *digest.Item) *incident {
	for i := range m.incidents {
		inc := &m.incidents[i]
		if it.Thread != "" && inc.Project == it.Project && inc.Thread == it.Thread && inc.ResolvedAt.IsZero() {
			return inc
		}
	}
	return nil
}

// Mark implements digest.IntakeStore.
func (m *Memory) Mark(ctx context.Context, inbox string) (digest.Mark, error) {
	if err := m.enter(ctx); err != nil {
		return digest.Mark{}, err
	}
	defer m.mu.Unlock()
	mark, ok := m.marks[inbox]
	if !ok {
		return digest.Mark{}, fmt.Errorf("mark of inbox %s: %w", inbox, digest.ErrNotFound)
	}
	return mark, nil
}

// SetMark implements digest.IntakeStore.
func (m *Memory) SetMark(ctx context.Context, mark digest.Mark) error {
	if err := m.enter(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	m.setMark(mark)
	return nil
}

func (m *Memory) setMark(mark digest.Mark) {
	mark.Floor = milli(mark.Floor)
	m.marks[mark.Inbox] = mark
}

// ProjectKeys implements digest.IntakeStore.
func (m *Memory) ProjectKeys(ctx context.Context) ([]string, error) {
	if err := m.enter(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	keys := map[string]bool{}
	for i := range m.items {
		keys[m.items[i].Project] = true
	}
	return slices.Sorted(maps.Keys(keys)), nil
}

// ThreadOf implements digest.IntakeStore.
func (m *Memory) ThreadOf(ctx context.Context, messageIDs []string) (project, thread string, err error) {
	if err := m.enter(ctx); err != nil {
		return "", "", err
	}
	defer m.mu.Unlock()
	for i := len(m.items) - 1; i >= 0; i-- {
		if it := &m.items[i]; it.MessageID != "" && slices.Contains(messageIDs, it.MessageID) {
			return it.Project, it.Thread, nil
		}
	}
	return "", "", fmt.Errorf("thread of %s: %w", strings.Join(messageIDs, ", "), digest.ErrNotFound)
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

// Items implements digest.ArchiveStore.
func (m *Memory) Items(ctx context.Context, q digest.ItemQuery) ([]digest.Item, error) {
	if err := m.enter(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	var out []digest.Item
	for i := len(m.items) - 1; i >= 0 && len(out) < q.Limit; i-- {
		it := m.items[i]
		if (q.Before == 0 || it.Number < q.Before) && (q.Project == "" || it.Project == q.Project) && (!q.Urgent || it.Urgent) {
			out = append(out, cloneItem(it))
		}
	}
	return out, nil
}

// Item implements digest.ArchiveStore.
func (m *Memory) Item(ctx context.Context, number int64) (digest.Item, error) {
	if err := m.enter(ctx); err != nil {
		return digest.Item{}, err
	}
	defer m.mu.Unlock()
	if number < 1 || number > int64(len(m.items)) {
		return digest.Item{}, fmt.Errorf("item %d: %w", number, digest.ErrNotFound)
	}
	return cloneItem(m.items[number-1]), nil
}

// Projects implements digest.ArchiveStore.
func (m *Memory) Projects(ctx context.Context) ([]digest.ProjectCount, error) {
	if err := m.enter(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	var out []digest.ProjectCount
	for i := range m.items {
		it := &m.items[i]
		at, found := slices.BinarySearchFunc(out, it.Project, func(c digest.ProjectCount, key string) int {
			return cmp.Compare(c.Project, key)
		})
		if !found {
			out = slices.Insert(out, at, digest.ProjectCount{Project: it.Project})
		}
		out[at].Items++
		out[at].Last = it.ReceivedAt
		if it.Urgent {
			out[at].Urgent++
		}
	}
	return out, nil
}

// Receipts implements digest.ArchiveStore.
func (m *Memory) Receipts(ctx context.Context, state string, limit int) ([]digest.Receipt, error) {
	if err := m.enter(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	var out []digest.Receipt
	for i := len(m.receipts) - 1; i >= 0 && len(out) < limit; i-- {
		if r := m.receipts[i]; state == "" || r.State == state {
			r.Header, r.Raw = nil, nil
			out = append(out, r)
		}
	}
	return out, nil
}

// Receipt implements digest.ArchiveStore.
func (m *Memory) Receipt(ctx context.Context, id int64) (digest.Receipt, error) {
	if err := m.enter(ctx); err != nil {
		return digest.Receipt{}, err
	}
	defer m.mu.Unlock()
	if id < 1 || id > int64(len(m.receipts)) {
		return digest.Receipt{}, fmt.Errorf("receipt %d: %w", id, digest.ErrNotFound)
	}
	r := m.receipts[id-1]
	r.Header, r.Raw = clone(r.Header), clone(r.Raw)
	return r, nil
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
