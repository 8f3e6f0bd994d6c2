package storetest

import (
	"context"
	"fmt"
	"strings"
	"time"

	"quietpost/digest"
)

// SetMessage implements digest.OutboxStore.
func (m *Memory) SetMessage(ctx context.Context, now time.Time, id int64, state, answer string) error {
	if state != digest.Queued && state != digest.Failed {
		return fmt.Errorf("message %d: %q is no word of an operator's", id, state)
	}
	if err := m.enter(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	if id < 1 || id > int64(len(m.messages)) {
		return fmt.Errorf("message %d: %w", id, digest.ErrNotFound)
	}
	msg := &m.messages[id-1]
	switch {
	case msg.State != digest.Queued && msg.State != digest.Failed:
		return fmt.Errorf("message %d is %s: %w", id, msg.State, digest.ErrConflict)
	case state == digest.Queued && msg.Bytes == nil:
		return fmt.Errorf("the bytes of message %d: %w", id, digest.ErrNotFound)
	case state == digest.Queued:
		msg.State, msg.NextAt, msg.Attempts, msg.DoneAt = digest.Queued, milli(now), 0, time.Time{}
	default:
		msg.State, msg.Answer, msg.DoneAt, msg.Bytes = digest.Failed, answer, milli(now), nil
	}
	return nil
}

// RecordBounce implements digest.OutboxStore.
func (m *Memory) RecordBounce(ctx context.Context, n digest.BounceNote, who digest.Subscriber) error {
	if err := m.enter(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	for _, o := range m.bounces {
		if o.MessageID == n.MessageID && o.Class == n.Class {
			return fmt.Errorf("bounce of %s: %w", n.MessageID, digest.ErrExists)
		}
	}
	if err := m.maySave(&who); err != nil {
		return err
	}
	m.save(who)
	n.At = milli(n.At)
	m.bounces = append(m.bounces, n)
	for i := range m.messages {
		if msg := &m.messages[i]; msg.MessageID == n.MessageID && msg.State == digest.Delivered && n.Class != digest.BounceComplaint {
			msg.State, msg.Answer = digest.Bounced, strings.Trim(n.Status+" "+n.Text, " ")
		}
	}
	return nil
}

// Bounces implements digest.ArchiveStore.
func (m *Memory) Bounces(ctx context.Context, subscriber int64, limit int) ([]digest.BounceNote, error) {
	if err := m.enter(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	var out []digest.BounceNote
	for i := len(m.bounces) - 1; i >= 0 && len(out) < limit; i-- {
		if n := m.bounces[i]; subscriber == 0 || n.Subscriber == subscriber {
			out = append(out, n)
		}
	}
	return out, nil
}
