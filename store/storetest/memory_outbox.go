package storetest

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"quietpost/digest"
)

// AddMessage implements digest.OutboxStore.
func (m *Memory) AddMessage(ctx context.Context, msg digest.Message) error {
	if err := m.enter(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	if m.hasMessage(msg.MessageID) {
		return fmt.Errorf("message %s: %w", msg.MessageID, digest.ErrExists)
	}
	m.addMessage(msg)
	return nil
}

func (m *Memory) hasMessage(messageID string) bool {
	return slices.ContainsFunc(m.messages, func(o digest.Message) bool { return o.MessageID == messageID })
}

// addMessage queues a message; one that does not say when it is due is due from its making, and without that at once.
func (m *Memory) addMessage(msg digest.Message) {
	if msg.NextAt.IsZero() {
		msg.NextAt = msg.CreatedAt
	}
	if msg.NextAt.IsZero() {
		msg.NextAt = time.UnixMilli(0)
	}
	m.messages = append(m.messages, digest.Message{
		ID: int64(len(m.messages)) + 1, Edition: msg.Edition, Channel: msg.Channel, Lane: msg.Lane, To: msg.To,
		MessageID: msg.MessageID, Subject: msg.Subject, Bytes: clone(msg.Bytes),
		State: digest.Queued, NextAt: milli(msg.NextAt), CreatedAt: milli(msg.CreatedAt),
	})
}

// due is when the message may be leased; ok is false if it is done.
func due(msg *digest.Message) (at time.Time, ok bool) {
	switch msg.State {
	case digest.Queued:
		return msg.NextAt, true
	case digest.Sending:
		return msg.LeasedUntil, true
	}
	return time.Time{}, false
}

// Lease implements digest.OutboxStore.
func (m *Memory) Lease(ctx context.Context, now, until time.Time, lanes []string, limit int) ([]digest.Message, error) {
	if err := m.enter(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	var ready []*digest.Message
	for i := range m.messages {
		msg := &m.messages[i]
		if at, ok := due(msg); ok && slices.Contains(lanes, msg.Lane) && !m.held(msg) &&
			(!at.After(milli(now)) || at.After(milli(now.Add(digest.FarOff)))) {
			ready = append(ready, msg)
		}
	}
	slices.SortFunc(ready, func(a, b *digest.Message) int {
		return cmp.Or(cmp.Compare(digest.LaneRank(a.Lane), digest.LaneRank(b.Lane)), a.NextAt.Compare(b.NextAt), cmp.Compare(a.ID, b.ID))
	})
	var out []digest.Message
	for _, msg := range ready[:max(0, min(limit, len(ready)))] {
		msg.State, msg.LeasedUntil = digest.Sending, milli(until)
		msg.Attempts++
		msg.Lease++
		out = append(out, cloneMessage(*msg))
	}
	return out, nil
}

// held tells whether mail waits because its address is suspended.
func (m *Memory) held(msg *digest.Message) bool {
	return msg.Edition != "" && slices.ContainsFunc(m.subscribers, func(s digest.Subscriber) bool {
		return s.Address == msg.To && s.State == digest.Suspended
	})
}

func cloneMessage(msg digest.Message) digest.Message {
	msg.Bytes = clone(msg.Bytes)
	return msg
}

// Report implements digest.OutboxStore.
func (m *Memory) Report(ctx context.Context, now time.Time, reports []digest.Report) (lost []int64, err error) {
	for _, r := range reports {
		if r.State != digest.Delivered && r.State != digest.Failed && r.State != digest.Queued {
			return nil, fmt.Errorf("message %d: %q is no end of an attempt", r.ID, r.State)
		}
	}
	if err := m.enter(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	for _, r := range reports {
		if r.ID < 1 || r.ID > int64(len(m.messages)) ||
			m.messages[r.ID-1].State != digest.Sending || m.messages[r.ID-1].Lease != r.Lease {
			lost = append(lost, r.ID)
			continue
		}
		msg := &m.messages[r.ID-1]
		msg.State, msg.Answer, msg.LeasedUntil = r.State, r.Answer, time.Time{}
		if r.State == digest.Queued && r.Untried {
			msg.Attempts--
		}
		switch {
		case r.State != digest.Queued:
			if msg.DoneAt = milli(now); r.State == digest.Delivered {
				msg.Bytes = nil
			}
		case r.NextAt.IsZero():
			msg.NextAt = milli(now)
		default:
			msg.NextAt = milli(r.NextAt)
		}
	}
	return lost, nil
}

// FreeLeases implements digest.OutboxStore.
func (m *Memory) FreeLeases(ctx context.Context, now time.Time) (int, error) {
	if err := m.enter(ctx); err != nil {
		return 0, err
	}
	defer m.mu.Unlock()
	n := 0
	for i := range m.messages {
		if msg := &m.messages[i]; msg.State == digest.Sending {
			msg.State, msg.NextAt, msg.LeasedUntil = digest.Queued, milli(now), time.Time{}
			n++
		}
	}
	return n, nil
}

// NextMessage implements digest.OutboxStore.
func (m *Memory) NextMessage(ctx context.Context, lanes []string) (time.Time, error) {
	if err := m.enter(ctx); err != nil {
		return time.Time{}, err
	}
	defer m.mu.Unlock()
	var next time.Time
	for i := range m.messages {
		msg := &m.messages[i]
		if at, ok := due(msg); ok && slices.Contains(lanes, msg.Lane) && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	return next, nil
}

// Messages implements digest.ArchiveStore.
func (m *Memory) Messages(ctx context.Context, states []string, limit int) ([]digest.Message, error) {
	if err := m.enter(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	var out []digest.Message
	for i := len(m.messages) - 1; i >= 0 && len(out) < limit; i-- {
		if msg := m.messages[i]; len(states) == 0 || slices.Contains(states, msg.State) {
			msg.Bytes = nil
			out = append(out, msg)
		}
	}
	return out, nil
}

// Message implements digest.ArchiveStore.
func (m *Memory) Message(ctx context.Context, id int64) (digest.Message, error) {
	if err := m.enter(ctx); err != nil {
		return digest.Message{}, err
	}
	defer m.mu.Unlock()
	if id < 1 || id > int64(len(m.messages)) {
		return digest.Message{}, fmt.Errorf("message %d: %w", id, digest.ErrNotFound)
	}
	return cloneMessage(m.messages[id-1]), nil
}

// Counts implements digest.ArchiveStore.
func (m *Memory) Counts(ctx context.Context) (digest.Counts, error) {
	if err := m.enter(ctx); err != nil {
		return digest.Counts{}, err
	}
	defer m.mu.Unlock()
	c := digest.Counts{Newest: int64(len(m.items)), Subscribers: map[string]int{}, Receipts: map[string]int{},
		Messages: map[string]map[string]int{}, Oldest: map[string]time.Time{}}
	for i := range m.subscribers {
		c.Subscribers[m.subscribers[i].State]++
	}
	for i := range m.receipts {
		c.Receipts[m.receipts[i].State]++
	}
	for i := range m.messages {
		msg := &m.messages[i]
		if c.Messages[msg.Lane] == nil {
			c.Messages[msg.Lane] = map[string]int{}
		}
		c.Messages[msg.Lane][msg.State]++
		if msg.State == digest.Queued && m.held(msg) {
			continue
		}
		if _, ok := due(msg); ok && (c.OldestDue.IsZero() || msg.NextAt.Before(c.OldestDue)) {
			c.OldestDue = msg.NextAt
		}
		if old, known := c.Oldest[msg.Lane]; msg.State == digest.Queued || msg.State == digest.Sending {
			if !msg.CreatedAt.IsZero() && (!known || msg.CreatedAt.Before(old)) {
				c.Oldest[msg.Lane] = msg.CreatedAt
			}
		}
	}
	return c, nil
}
