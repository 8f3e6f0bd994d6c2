package storetest

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"quietpost/digest"
)

// Subscribers implements digest.SubscriberStore.
func (m *Memory) Subscribers(ctx context.Context) ([]digest.Subscriber, error) {
	if err := m.enter(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	var out []digest.Subscriber
	for i := range m.subscribers {
		out = append(out, m.subscriber(int64(i)+1))
	}
	return out, nil
}

// Subscriber implements digest.SubscriberStore.
func (m *Memory) Subscriber(ctx context.Context, id int64) (digest.Subscriber, error) {
	if err := m.enter(ctx); err != nil {
		return digest.Subscriber{}, err
	}
	defer m.mu.Unlock()
	if id < 1 || id > int64(len(m.subscribers)) {
		return digest.Subscriber{}, fmt.Errorf("subscriber %d: %w", id, digest.ErrNotFound)
	}
	return m.subscriber(id), nil
}

// subscriber is a person with all subscriptions, copied.
func (m *Memory) subscriber(id int64) digest.Subscriber {
	s := m.subscribers[id-1]
	for _, sub := range m.subs {
		if sub.Subscriber == id {
			s.Subscriptions = append(s.Subscriptions, cloneSub(sub))
		}
	}
	return s
}

func cloneSub(s digest.Subscription) digest.Subscription {
	s.Projects, s.Kinds = clone(s.Projects), clone(s.Kinds)
	return s
}

// SaveSubscriber implements digest.SubscriberStore.
func (m *Memory) SaveSubscriber(ctx context.Context, s digest.Subscriber) (digest.Subscriber, error) {
	if err := m.enter(ctx); err != nil {
		return digest.Subscriber{}, err
	}
	defer m.mu.Unlock()
	if err := m.maySave(&s); err != nil {
		return digest.Subscriber{}, err
	}
	return m.subscriber(m.save(s)), nil
}

// save writes a person with their subscriptions, and gives their ID.
func (m *Memory) save(s digest.Subscriber) int64 {
	row := s
	row.Subscriptions = nil
	row.PausedUntil = milli(s.PausedUntil)
	row.Bounces.ScoredAt, row.Bounces.SuspendedAt = milli(s.Bounces.ScoredAt), milli(s.Bounces.SuspendedAt)
	if row.ID == 0 {
		row.ID, row.Revision = int64(len(m.subscribers))+1, 1
		m.subscribers = append(m.subscribers, row)
	} else {
		row.Revision++
		m.subscribers[row.ID-1] = row
	}
	for _, sub := range s.Subscriptions {
		sub = cloneSub(sub)
		sub.Subscriber, sub.NextSlot = row.ID, milli(sub.NextSlot)
		if sub.ID == 0 {
			sub.ID = int64(len(m.subs)) + 1
			sub.Cursor, sub.MailedTo, sub.LastSlot = int64(len(m.items)), int64(len(m.items)), time.Time{}
			m.subs = append(m.subs, sub)
			continue
		}
		old := &m.subs[sub.ID-1]
		sub.Cursor, sub.MailedTo, sub.LastSlot = old.Cursor, old.MailedTo, old.LastSlot
		*old = sub
	}
	return row.ID
}

// maySave tells why a subscriber cannot be saved.
func (m *Memory) maySave(s *digest.Subscriber) error {
	if s.ID != 0 {
		if s.ID < 0 || s.ID > int64(len(m.subscribers)) {
			return fmt.Errorf("subscriber %d: %w", s.ID, digest.ErrNotFound)
		}
		if m.subscribers[s.ID-1].Revision != s.Revision {
			return fmt.Errorf("subscriber %s: %w", s.Address, digest.ErrConflict)
		}
	}
	for i := range m.subscribers {
		if o := &m.subscribers[i]; o.Address == s.Address && o.ID != s.ID {
			return fmt.Errorf("subscriber %s: %w", s.Address, digest.ErrExists)
		}
	}
	for _, sub := range s.Subscriptions {
		if sub.ID != 0 && (sub.ID < 0 || sub.ID > int64(len(m.subs)) || s.ID == 0 || m.subs[sub.ID-1].Subscriber != s.ID) {
			return fmt.Errorf("subscription %d of %s: %w", sub.ID, s.Address, digest.ErrNotFound)
		}
	}
	return nil
}

// Due implements digest.EditionStore.
func (m *Memory) Due(ctx context.Context, now time.Time) ([]digest.Due, error) {
	if err := m.enter(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	var out []digest.Due
	for _, sub := range m.subs {
		if sub.Ended || sub.NextSlot.IsZero() || sub.NextSlot.After(milli(now)) {
			continue
		}
		if s := m.subscriber(sub.Subscriber); s.State == digest.Active {
			out = append(out, digest.Due{Subscriber: s, Subscription: cloneSub(sub)})
		}
	}
	return out, nil
}

// SetNextSlot implements digest.EditionStore.
func (m *Memory) SetNextSlot(ctx context.Context, moves []digest.SlotMove) error {
	if err := m.enter(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	for _, mv := range moves {
		if mv.Subscription < 1 || mv.Subscription > int64(len(m.subs)) {
			continue
		}
		if sub := &m.subs[mv.Subscription-1]; sub.NextSlot.Equal(milli(mv.Old)) {
			sub.NextSlot = milli(mv.New)
		}
	}
	return nil
}

// AlertState implements digest.EditionStore.
func (m *Memory) AlertState(ctx context.Context, since time.Time) (digest.AlertState, error) {
	if err := m.enter(ctx); err != nil {
		return digest.AlertState{}, err
	}
	defer m.mu.Unlock()
	st := digest.AlertState{Recent: map[int64][]time.Time{}}
	open := map[int64]bool{}
	for _, inc := range m.incidents {
		if inc.settled >= inc.last {
			continue
		}
		open[inc.ID] = true
		for _, it := range m.items {
			if it.Incident == inc.ID {
				inc.Items = append(inc.Items, cloneItem(it))
			}
		}
		st.Incidents = append(st.Incidents, inc.Incident)
	}
	for _, k := range slices.SortedFunc(maps.Keys(m.alertMarks), func(a, b alertKey) int {
		return cmp.Or(cmp.Compare(a.incident, b.incident), cmp.Compare(a.subscriber, b.subscriber))
	}) {
		if open[k.incident] {
			st.Marks = append(st.Marks, m.alertMarks[k])
		}
	}
	for _, e := range m.editions {
		if e.Occasion == digest.OccasionAlert && !e.Empty && !e.CreatedAt.Before(milli(since)) {
			st.Recent[e.Subscriber] = append(st.Recent[e.Subscriber], e.CreatedAt)
		}
	}
	for _, times := range st.Recent {
		slices.SortFunc(times, time.Time.Compare)
	}
	return st, nil
}

// SettleIncidents implements digest.EditionStore.
func (m *Memory) SettleIncidents(ctx context.Context, last map[int64]int64) error {
	if err := m.enter(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	for i := range m.incidents {
		if inc := &m.incidents[i]; last[inc.ID] == inc.last {
			inc.settled = inc.last
		}
	}
	return nil
}

// AlertedItems implements digest.EditionStore.
func (m *Memory) AlertedItems(ctx context.Context, subscriber, after, upTo int64) (map[int64]bool, error) {
	if err := m.enter(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	delivered := map[string]bool{}
	for i := range m.messages {
		if msg := &m.messages[i]; msg.Edition != "" && msg.State == digest.Delivered {
			delivered[msg.Edition] = true
		}
	}
	told := map[int64]bool{}
	for _, p := range m.parts {
		if p.subscriber != subscriber || !delivered[p.edition] {
			continue
		}
		for i := range m.items {
			it := &m.items[i]
			if it.Incident == p.incident && it.Number > max(after, p.after) && it.Number <= min(upTo, p.upTo) {
				told[it.Number] = true
			}
		}
	}
	return told, nil
}

// CommitEdition implements digest.EditionStore.
func (m *Memory) CommitEdition(ctx context.Context, c digest.Commit) error {
	if err := m.enter(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	if err := m.mayCommit(&c); err != nil {
		return fmt.Errorf("edition %s: %w", c.Edition.Key, err)
	}
	e := c.Edition
	e.Slot, e.CreatedAt = milli(e.Slot), milli(e.CreatedAt)
	m.editions = append(m.editions, e)
	switch e.Occasion {
	case digest.OccasionDigest:
		sub := &m.subs[e.Subscription-1]
		sub.Cursor, sub.LastSlot, sub.NextSlot = e.To, e.Slot, milli(c.NextSlot)
		if !e.Empty {
			sub.MailedTo = e.To
		}
	case digest.OccasionAlert:
		for _, mark := range c.Marks {
			k := alertKey{mark.Subscriber, mark.Incident}
			m.parts = append(m.parts, part{e.ID, mark.Subscriber, mark.Incident, m.alertMarks[k].UpTo, mark.UpTo})
			mark.At = milli(mark.At)
			m.alertMarks[k] = mark
		}
	}
	if c.Message != nil {
		msg := *c.Message
		msg.Edition = e.ID
		m.addMessage(msg)
	}
	return nil
}

// mayCommit tells why an edition cannot be committed.
func (m *Memory) mayCommit(c *digest.Commit) error {
	e := &c.Edition
	for i := range m.editions {
		if m.editions[i].Key == e.Key || m.editions[i].ID == e.ID {
			return digest.ErrExists
		}
	}
	if e.Subscriber < 1 || e.Subscriber > int64(len(m.subscribers)) || m.subscribers[e.Subscriber-1].State != digest.Active {
		return fmt.Errorf("subscriber %d is not active: %w", e.Subscriber, digest.ErrConflict)
	}
	switch e.Occasion {
	case digest.OccasionDigest:
		if e.Subscription < 1 || e.Subscription > int64(len(m.subs)) ||
			m.subs[e.Subscription-1].Subscriber != e.Subscriber || m.subs[e.Subscription-1].Cursor != c.Cursor {
			return fmt.Errorf("cursor of subscription %d: %w", e.Subscription, digest.ErrConflict)
		}
	case digest.OccasionAlert:
		seen := map[alertKey]int{}
		for _, mark := range c.Marks {
			k := alertKey{mark.Subscriber, mark.Incident}
			if n := m.alertMarks[k].N + seen[k]; n != mark.N-1 {
				return fmt.Errorf("mark of incident %d: %w", mark.Incident, digest.ErrConflict)
			}
			seen[k]++
		}
	}
	if c.Message != nil && m.hasMessage(c.Message.MessageID) {
		return fmt.Errorf("message %s: %w", c.Message.MessageID, digest.ErrExists)
	}
	return nil
}

// Editions implements digest.ArchiveStore.
func (m *Memory) Editions(ctx context.Context, subscriber int64, limit int) ([]digest.Edition, error) {
	if err := m.enter(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	var out []digest.Edition
	for i := len(m.editions) - 1; i >= 0 && len(out) < limit; i-- {
		if e := m.editions[i]; subscriber == 0 || e.Subscriber == subscriber {
			out = append(out, e)
		}
	}
	return out, nil
}

// Edition implements digest.ArchiveStore.
func (m *Memory) Edition(ctx context.Context, id string) (digest.Edition, error) {
	if err := m.enter(ctx); err != nil {
		return digest.Edition{}, err
	}
	defer m.mu.Unlock()
	for _, e := range m.editions {
		if e.ID == id {
			return e, nil
		}
	}
	return digest.Edition{}, fmt.Errorf("edition %s: %w", id, digest.ErrNotFound)
}

// Told implements digest.ArchiveStore.
func (m *Memory) Told(ctx context.Context, number int64) ([]digest.Told, error) {
	if err := m.enter(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	alerts := map[string]bool{}
	for _, p := range m.parts {
		for i := range m.items {
			if it := &m.items[i]; it.Number == number && it.Incident == p.incident && p.after < number && number <= p.upTo {
				alerts[p.edition] = true
			}
		}
	}
	var out []digest.Told
	for _, e := range m.editions {
		if !alerts[e.ID] && (e.Occasion == digest.OccasionAlert || e.Empty || number < e.From || number > e.To) {
			continue
		}
		t := digest.Told{Edition: e}
		for i := range m.messages {
			if m.messages[i].Edition == e.ID {
				t.Message = m.messages[i]
				t.Message.Bytes = nil
			}
		}
		out = append(out, t)
	}
	return out, nil
}

// Swept implements digest.EditionStore: nothing is ever taken away from memory.
func (m *Memory) Swept(ctx context.Context, _, _ int64) ([]digest.SweptCount, error) {
	if err := m.enter(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	return nil, nil
}
