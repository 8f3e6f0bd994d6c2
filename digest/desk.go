package digest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// A Desk is the one place where subscriptions change; file, web and shell are its doors.
type Desk struct {
	Store SubscriberStore
}

// An Entry is a subscriber as the configuration file, or the shell, has them.
type Entry struct {
	Address  string
	Name     string
	Zone     string
	Locale   string
	Projects []string
	Kinds    []string
	Schedule string
	Alerts   bool
	Quiet    string
}

// Changes counts what an import did.
type Changes struct{ Added, Changed, Kept int }

// Import takes over the file's entries. Who is new is added as confirmed. Of who is known, a field follows the file only
// where the file changed since it was last taken over and the person has not changed it since; who left stays away.
// Entries that are gone from the file are left alone: leaving is a person's or the operator's word, not an edit's.
func (d *Desk) Import(ctx context.Context, entries []Entry) (c Changes, err error) {
	people, err := d.Store.Subscribers(ctx)
	if err != nil {
		return c, err
	}
	byAddress := map[string]Subscriber{}
	for _, p := range people {
		byAddress[p.Address] = p
	}
	for _, e := range entries {
		old, known := byAddress[e.Address]
		if !known || old.State == Pending { // the operator's word is as good as the person's
			if _, err := d.Add(ctx, e, true); err != nil {
				return c, err
			}
			c.Added++
			continue
		}
		now, changed := merge(old, e)
		if !changed {
			c.Kept++
			continue
		}
		if _, err := d.Store.SaveSubscriber(ctx, now); err != nil {
			return c, fmt.Errorf("%s: %w", e.Address, err)
		}
		c.Changed++
	}
	return c, nil
}

// Add makes an active subscriber of an entry; ErrExists if the address is there. Who asked by mail and has not confirmed is
// confirmed by it, and who left comes back, but not by a file.
func (d *Desk) Add(ctx context.Context, e Entry, fromFile bool) (Subscriber, error) {
	s := Subscriber{Address: e.Address}
	s.begin(e, fromFile)
	s, err := d.Store.SaveSubscriber(ctx, s)
	if errors.Is(err, ErrExists) {
		var added bool
		s, err = d.change(ctx, func(s *Subscriber) bool {
			if s.Address != e.Address {
				return false
			}
			if added = s.State == Pending || s.State == Left && !fromFile; added {
				s.begin(e, fromFile)
			}
			return true
		})
		if err == nil && !added {
			err = ErrExists
		}
	}
	if err != nil {
		return s, fmt.Errorf("%s: %w", e.Address, err)
	}
	return s, nil
}

// begin makes an active subscriber of an entry. What was left before is not taken up.
func (s *Subscriber) begin(e Entry, fromFile bool) {
	s.Name, s.Zone, s.Locale, s.State, s.Alerts, s.Quiet, s.Wish = e.Name, e.Zone, e.Locale, Active, e.Alerts, e.Quiet, ""
	for i := range s.Subscriptions {
		s.Subscriptions[i].Ended, s.Subscriptions[i].Projects = true, nil
	}
	s.Subscriptions = append(s.Subscriptions, Subscription{Projects: e.Projects, Kinds: e.Kinds, Schedule: e.Schedule})
	if fromFile {
		s.Imported = e.encode()
	}
}

func (e Entry) encode() string {
	b, err := json.Marshal(e)
	if err != nil { // strings and bools only
		panic(err)
	}
	return string(b)
}

// merge brings what the file changed into what stands, field by field.
func merge(s Subscriber, file Entry) (Subscriber, bool) {
	var last Entry
	if s.Imported == "" { // added by hand before the file named them: the file only begins to be followed
		s.Imported = file.encode()
		return s, true
	}
	if json.Unmarshal([]byte(s.Imported), &last) != nil {
		last = Entry{}
	}
	s.Subscriptions = slices.Clone(s.Subscriptions)
	follow(&s.Name, last.Name, file.Name)
	follow(&s.Zone, last.Zone, file.Zone)
	follow(&s.Locale, last.Locale, file.Locale)
	follow(&s.Alerts, last.Alerts, file.Alerts)
	follow(&s.Quiet, last.Quiet, file.Quiet)
	if len(s.Subscriptions) > 0 {
		sub := &s.Subscriptions[0]
		if slices.Equal(sub.Projects, last.Projects) {
			sub.Projects = file.Projects
		}
		if slices.Equal(sub.Kinds, last.Kinds) {
			sub.Kinds = file.Kinds
		}
		follow(&sub.Schedule, last.Schedule, file.Schedule)
	}
	was := s.Imported
	s.Imported = file.encode()
	return s, s.Imported != was
}

// follow sets a field to the file's value where it still is what the file last said.
func follow[T comparable](now *T, last, file T) {
	if *now == last {
		*now = file
	}
}

// LeaveDigest ends a subscription's digests, or begins them again where they left off. ErrNotFound if there is none.
func (d *Desk) LeaveDigest(ctx context.Context, subscription int64, leave bool) (Subscriber, error) {
	return d.change(ctx, func(s *Subscriber) bool {
		for i := range s.Subscriptions {
			if sub := &s.Subscriptions[i]; sub.ID == subscription {
				sub.Ended = leave
				if !leave {
					sub.NextSlot = time.Time{} // the calendar names it anew
				}
				return true
			}
		}
		return false
	})
}

// LeaveAlerts ends a subscriber's alerts, or begins them again. ErrNotFound if there is no such person.
func (d *Desk) LeaveAlerts(ctx context.Context, subscriber int64, leave bool) (Subscriber, error) {
	return d.change(ctx, func(s *Subscriber) bool {
		if s.ID != subscriber {
			return false
		}
		s.Alerts = !leave
		return true
	})
}

// Leave does what a signed link is good for, whichever way it came back: by a click or as the address of a mail. ErrNotFound
// for what is no link of this instance's, or of nobody.
func (d *Desk) Leave(ctx context.Context, instance []byte, token string) (Subscriber, error) {
	purpose, id, ok := ReadToken(instance, token)
	n, err := strconv.ParseInt(id, 10, 64)
	switch {
	case !ok || err != nil:
		return Subscriber{}, ErrNotFound
	case purpose == TokenLeaveDigest:
		return d.LeaveDigest(ctx, n, true)
	case purpose == TokenLeaveAlerts:
		return d.LeaveAlerts(ctx, n, true)
	}
	return Subscriber{}, ErrNotFound
}

// People are all subscribers.
func (d *Desk) People(ctx context.Context) ([]Subscriber, error) { return d.Store.Subscribers(ctx) }

// change finds the one person that fn changes and saves them, reading anew when somebody else was first.
func (d *Desk) change(ctx context.Context, fn func(*Subscriber) bool) (Subscriber, error) {
	for {
		people, err := d.Store.Subscribers(ctx)
		if err != nil {
			return Subscriber{}, err
		}
		i := 0
		for i < len(people) && !fn(&people[i]) {
			i++
		}
		if i == len(people) {
			return Subscriber{}, ErrNotFound
		}
		s, err := d.Store.SaveSubscriber(ctx, people[i])
		if !errors.Is(err, ErrConflict) {
			return s, err
		}
	}
}
