package storetest

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"quietpost/digest"
)

// replay gives a quarantined receipt the items that were made of it at last.
func (m *Memory) replay(d digest.Delivery) (digest.Result, error) {
	if d.Replay < 1 || d.Replay > int64(len(m.receipts)) {
		return digest.Result{}, fmt.Errorf("receipt %d: %w", d.Replay, digest.ErrNotFound)
	}
	r := &m.receipts[d.Replay-1]
	if r.State != digest.Quarantined {
		return digest.Result{}, fmt.Errorf("receipt %d: %w", d.Replay, digest.ErrConflict)
	}
	r.State, r.Reason = d.Receipt.State, d.Receipt.Reason
	now := *r
	now.ReceivedAt = milli(d.Receipt.ReceivedAt)
	m.append(d.Items, &now)
	return m.result(r), nil
}

func (m *Memory) addHour(t digest.SourceHour) {
	t.Hour, t.Last = digest.HourOf(t.Hour), milli(t.Last)
	at, found := slices.BinarySearchFunc(m.hours, t, func(a, b digest.SourceHour) int {
		return cmp.Or(cmp.Compare(a.Source, b.Source), a.Hour.Compare(b.Hour))
	})
	if !found {
		m.hours = slices.Insert(m.hours, at, t)
		return
	}
	to := &m.hours[at]
	to.Accepted += t.Accepted
	to.Ignored += t.Ignored
	to.Quarantined += t.Quarantined
	to.Refused += t.Refused
	if t.Last.After(to.Last) {
		to.Last = t.Last
	}
}

// SourceHours implements digest.SourceStore.
func (m *Memory) SourceHours(ctx context.Context, since time.Time) ([]digest.SourceHour, error) {
	if err := m.enter(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	var out []digest.SourceHour
	for i, t := range m.hours {
		newest := i+1 == len(m.hours) || m.hours[i+1].Source != t.Source
		if !t.Hour.Before(since) || newest {
			out = append(out, t)
		}
	}
	return out, nil
}

// AddSourceHours implements digest.SourceStore.
func (m *Memory) AddSourceHours(ctx context.Context, hours []digest.SourceHour) error {
	if err := m.enter(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	for _, t := range hours {
		m.addHour(t)
	}
	return nil
}

// Troubles implements digest.SourceStore.
func (m *Memory) Troubles(ctx context.Context) ([]digest.Trouble, error) {
	if err := m.enter(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	return slices.SortedFunc(slices.Values(m.troubles), func(a, b digest.Trouble) int {
		return cmp.Or(cmp.Compare(a.Source, b.Source), cmp.Compare(a.What, b.What))
	}), nil
}

// BeginTrouble implements digest.SourceStore.
func (m *Memory) BeginTrouble(ctx context.Context, t digest.Trouble) error {
	if err := m.enter(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	t.Since = milli(t.Since)
	if !slices.ContainsFunc(m.troubles, func(o digest.Trouble) bool { return o.Source == t.Source && o.What == t.What }) {
		m.troubles = append(m.troubles, t)
	}
	return nil
}

// EndTrouble implements digest.SourceStore.
func (m *Memory) EndTrouble(ctx context.Context, source, what string) error {
	if err := m.enter(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	m.troubles = slices.DeleteFunc(m.troubles, func(t digest.Trouble) bool { return t.Source == source && t.What == what })
	return nil
}
