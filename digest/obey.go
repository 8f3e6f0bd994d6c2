package digest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// What the desk does for commands, whichever door they come by.

// current is the subscription that commands are about: the newest one that has not ended, else the newest.
func (s *Subscriber) current() *Subscription {
	var last *Subscription
	for i := range s.Subscriptions {
		if sub := &s.Subscriptions[i]; last == nil || last.Ended || !sub.Ended {
			last = sub
		}
	}
	return last
}

// grant gives a person what they wished for. Who gets no mail yet, or none any more, begins anew at the newest number; for
// others the projects are added and the schedule is changed.
func (s *Subscriber) grant(w wish, cal *Calendar, now time.Time) {
	if w.Zone != "" {
		s.Zone = w.Zone
	}
	sub := s.current()
	if sub == nil || s.State == Pending || s.State == Left {
		for i := range s.Subscriptions { // what was left is not taken up, not even for alerts
			s.Subscriptions[i].Ended, s.Subscriptions[i].Projects = true, nil
		}
		s.Subscriptions = append(s.Subscriptions, Subscription{Projects: []string{"*"}, Schedule: cal.usual()})
		sub = &s.Subscriptions[len(s.Subscriptions)-1]
		s.State, s.Alerts = Active, true
		if len(w.Projects) > 0 {
			sub.Projects = nil
		}
	}
	for _, p := range w.Projects {
		if p == "*" {
			sub.Projects = []string{"*"}
		}
		if !slices.Contains(sub.Projects, p) && !slices.Contains(sub.Projects, "*") {
			sub.Projects = append(slices.Clone(sub.Projects), p)
		}
	}
	if w.Schedule != "" {
		sub.Schedule = w.Schedule
	}
	sub.Ended, s.Wish = false, ""
	s.slot(sub, cal, now)
}

// slot names a subscription's next slot anew.
func (s *Subscriber) slot(sub *Subscription, cal *Calendar, now time.Time) {
	if sched, loc, err := cal.Of(s, sub); err == nil {
		sub.NextSlot = NextSlot(sched, loc, sub.LastSlot, now)
	}
}

// usual is the schedule of who names none.
func (c *Calendar) usual() string {
	if _, ok := c.Named["daily"]; ok {
		return "daily"
	}
	return usual["weekdays"]
}

// upsert changes the person of an address, who is made Pending if there is none.
func (d *Desk) upsert(ctx context.Context, address string, fn func(*Subscriber)) (Subscriber, error) {
	for {
		s, err := d.change(ctx, func(s *Subscriber) bool {
			if s.Address == address {
				fn(s)
				return true
			}
			return false
		})
		if !errors.Is(err, ErrNotFound) {
			return s, err
		}
		s = Subscriber{Address: address, State: Pending}
		fn(&s)
		if s, err = d.Store.SaveSubscriber(ctx, s); !errors.Is(err, ErrExists) {
			return s, err
		}
	}
}

// Confirm carries out the wish that a signed link is for, or with yes false drops it. ErrNotFound if that wish does not wait
// any more.
func (d *Desk) Confirm(ctx context.Context, set *Settings, token string, yes bool, now time.Time) (Subscriber, error) {
	return d.change(ctx, func(s *Subscriber) bool {
		w, ok := s.wish(set.Instance, token, now)
		if !ok {
			return false
		}
		if s.Wish = ""; yes {
			s.grant(w, &set.Calendar, now)
		}
		return true
	})
}

// wish is what waits for this person's word, if the token is for it.
func (s *Subscriber) wish(instance []byte, token string, now time.Time) (w wish, ok bool) {
	purpose, id, signed := ReadToken(instance, token)
	if !signed || purpose != TokenConfirm || s.Wish == "" || id != wishID(s) || json.Unmarshal([]byte(s.Wish), &w) != nil {
		return w, false
	}
	return w, now.Sub(w.At) < wishLasts
}

// Waiting shows what a signed link would put in force: the person as they would be. ErrNotFound if nothing waits.
func (d *Desk) Waiting(ctx context.Context, set *Settings, token string, now time.Time) (Subscriber, error) {
	people, err := d.Store.Subscribers(ctx)
	if err != nil {
		return Subscriber{}, err
	}
	for i := range people {
		if w, ok := people[i].wish(set.Instance, token, now); ok {
			people[i].grant(w, &set.Calendar, now)
			return people[i], nil
		}
	}
	return Subscriber{}, ErrNotFound
}

// Obey carries out unsubscribe, pause or resume for an address and says in a sentence what it did. ErrNotFound if the address
// gets no mail: there is nothing to change.
func (d *Desk) Obey(ctx context.Context, address string, c Command, set *Settings, now time.Time) (s Subscriber, said string, err error) {
	s, err = d.change(ctx, func(s *Subscriber) bool {
		if s.Address != address || s.State == Pending || s.State == Left {
			return false
		}
		switch c.Verb {
		case VerbUnsubscribe:
			said = s.leave(c.Projects)
		case VerbPause:
			said = s.pause(c.Until)
		default:
			said = s.resume(&set.Calendar, now)
		}
		return true
	})
	return s, said, err
}

// leave ends all mail, or takes projects out.
func (s *Subscriber) leave(projects []string) string {
	sub := s.current()
	if len(projects) == 0 || slices.Contains(projects, "*") || sub == nil {
		s.State, s.Wish = Left, ""
		return "Done: you have left."
	}
	var gone, unknown []string
	for _, p := range projects {
		i := slices.IndexFunc(sub.Projects, func(have string) bool { return strings.EqualFold(have, p) })
		if i < 0 {
			unknown = append(unknown, p)
			continue
		}
		gone = append(gone, p)
		sub.Projects = slices.Delete(slices.Clone(sub.Projects), i, i+1)
	}
	switch {
	case len(sub.Projects) == 0:
		s.State, s.Wish = Left, ""
		return "Done: that was all you followed, so no more mail comes."
	case len(unknown) > 0 && slices.Contains(sub.Projects, "*"):
		return "Nothing was changed: you follow all projects, and one cannot be taken out of all.\n" +
			"To follow some only: unsubscribe, and then subscribe with their names."
	case len(gone) == 0:
		return "Nothing was changed: you do not follow " + strings.Join(unknown[:min(len(unknown), 5)], ", ") + "."
	}
	return "Done: you follow " + strings.Join(gone, ", ") + " no more."
}

func (s *Subscriber) pause(until time.Time) string {
	if s.State == Suspended {
		return "Nothing was changed."
	}
	s.State, s.PausedUntil = Paused, until
	return "Done: paused. Nothing is lost: what comes meanwhile is in the first digest after."
}

// resume ends a pause or a suspension; the next digest comes at the next regular time.
func (s *Subscriber) resume(cal *Calendar, now time.Time) string {
	if s.State == Active {
		return "Nothing was paused."
	}
	s.State, s.Bounces, s.PausedUntil = Active, BounceRecord{}, time.Time{}
	for i := range s.Subscriptions {
		if sub := &s.Subscriptions[i]; !sub.Ended {
			s.slot(sub, cal, now)
		}
	}
	return "Done: mail comes again, and what was held back is in the next digest."
}

// Wake ends the pauses whose time is over, and says how many.
func (d *Desk) Wake(ctx context.Context, set *Settings, now time.Time) (woken int, err error) {
	people, err := d.Store.Subscribers(ctx)
	if err != nil {
		return 0, err
	}
	over := func(s *Subscriber) bool {
		return s.State == Paused && !s.PausedUntil.IsZero() && !s.PausedUntil.After(now)
	}
	for i := range people {
		if !over(&people[i]) {
			continue
		}
		_, err := d.change(ctx, func(s *Subscriber) bool {
			if s.ID != people[i].ID || !over(s) {
				return false
			}
			s.resume(&set.Calendar, now)
			return true
		})
		if err != nil && !errors.Is(err, ErrNotFound) {
			return woken, fmt.Errorf("ending the pause of %s: %w", people[i].Address, err)
		}
		woken++
	}
	return woken, nil
}

// Pause stops all mail to an address until a moment, or until resumed if it is zero. ErrNotFound if there is nobody who gets mail.
func (d *Desk) Pause(ctx context.Context, address string, until time.Time) (Subscriber, error) {
	return d.change(ctx, func(s *Subscriber) bool {
		if s.Address != address || s.State != Active && s.State != Paused {
			return false
		}
		s.pause(until)
		return true
	})
}

// Remove ends all mail to an address for good. ErrNotFound if there is nobody.
func (d *Desk) Remove(ctx context.Context, address string) (Subscriber, error) {
	return d.change(ctx, func(s *Subscriber) bool {
		if s.Address == address {
			s.leave(nil)
		}
		return s.Address == address
	})
}
