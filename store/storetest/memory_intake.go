package storetest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"quietpost/digest"
)

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
	mark.Arrived, mark.Floor = milli(mark.Arrived), milli(mark.Floor)
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
