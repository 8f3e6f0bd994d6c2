package storetest

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"quietpost/digest"
)

var subscriberTests = map[string]func(*fixture){
	"a new person is kept as given, at the newest number": func(f *fixture) {
		f.add("k", item("a"), item("b"))
		p := person("ana")
		p.Subscriptions = append(p.Subscriptions, digest.Subscription{Projects: []string{"a", "acme/*"}, Kinds: []string{"decision"},
			Schedule: "0 9 * * MON", Ended: true, Cursor: 77, MailedTo: 78, LastSlot: t0})
		got := f.save(p)
		want := p
		want.ID, want.Revision = 1, 1
		want.Subscriptions = []digest.Subscription{
			{ID: 1, Subscriber: 1, Projects: []string{"*"}, Schedule: "daily", NextSlot: milli(t0), Cursor: 2, MailedTo: 2},
			{ID: 2, Subscriber: 1, Projects: []string{"a", "acme/*"}, Kinds: []string{"decision"}, Schedule: "0 9 * * MON", Ended: true,
				Cursor: 2, MailedTo: 2},
		}
		f.same("saved", got, want)
		f.same("read", must(f.Subscribers(bg)), []digest.Subscriber{want})
	},
	"an address is taken once": func(f *fixture) {
		f.save(person("ana"))
		ben := f.save(person("ben"))
		before := dump(f.T, f.Store)
		_, err := f.SaveSubscriber(bg, person("ana"))
		f.is(err, digest.ErrExists, "a second ana")
		ben.Address = "ana@example.com"
		ben.Subscriptions[0].Schedule = "weekly"
		_, err = f.SaveSubscriber(bg, ben)
		f.is(err, digest.ErrExists, "ben as ana")
		f.same("dump", dump(f.T, f.Store), before)
	},
	"a change needs the revision it was made from": func(f *fixture) {
		old := f.save(person("ana"))
		change := old
		change.State, change.Name, change.Zone, change.Alerts, change.Quiet, change.Imported, change.Locale, change.Address =
			digest.Paused, "Ana B.", "UTC", false, "", "x", "de", "ana.b@example.com"
		change.PausedUntil, change.Wish = milli(t0.Add(time.Hour)), "weekly"
		now := f.save(change)
		change.Revision = old.Revision + 1
		f.same("changed", now, change)
		_, err := f.SaveSubscriber(bg, old)
		f.is(err, digest.ErrConflict, "from the old revision")
		f.same("kept", must(f.Subscribers(bg)), []digest.Subscriber{now})
		for _, id := range []int64{99, -1} {
			ghost := now
			ghost.ID = id
			_, err = f.SaveSubscriber(bg, ghost)
			f.is(err, digest.ErrNotFound, fmt.Sprintf("ID %d", id))
		}
	},
	"subscriptions are added and replaced, never taken away, never moved": func(f *fixture) {
		p := person("ana")
		p.Subscriptions = append(p.Subscriptions, digest.Subscription{Projects: []string{"x"}, Schedule: "weekly"})
		p = f.save(p)
		f.add("k", item("a"), item("b"), item("c"))
		f.ok(f.CommitEdition(bg, digestOf(p, 0, 0, 2, t0)))
		stale := p.Subscriptions[0] // read before the commit
		stale.Schedule, stale.Kinds, stale.Ended, stale.Projects, stale.NextSlot =
			"weekly", []string{"recap"}, true, []string{"a"}, t0.Add(time.Hour)
		stale.LastSlot, stale.MailedTo, stale.Cursor = t0.Add(time.Hour), 9, 9
		p.Subscriptions = []digest.Subscription{stale, {Projects: []string{"new"}, Schedule: "daily"}}
		got := f.save(p)
		f.same("subscriptions", got.Subscriptions, []digest.Subscription{
			{ID: 1, Subscriber: 1, Projects: []string{"a"}, Kinds: []string{"recap"}, Schedule: "weekly", Ended: true,
				Cursor: 2, MailedTo: 2, NextSlot: milli(t0.Add(time.Hour)), LastSlot: milli(t0)},
			{ID: 2, Subscriber: 1, Projects: []string{"x"}, Schedule: "weekly"},
			{ID: 3, Subscriber: 1, Projects: []string{"new"}, Schedule: "daily", Cursor: 3, MailedTo: 3},
		})
	},
	"a subscription of somebody else is not found": func(f *fixture) {
		ana, ben := f.save(person("ana")), f.save(person("ben"))
		before := dump(f.T, f.Store)
		ana.Subscriptions[0].ID = ben.Subscriptions[0].ID
		ana.Name = "changed"
		_, err := f.SaveSubscriber(bg, ana)
		f.is(err, digest.ErrNotFound, "ana saves ben's")
		eve := person("eve")
		eve.Subscriptions[0].ID = 1
		_, err = f.SaveSubscriber(bg, eve)
		f.is(err, digest.ErrNotFound, "a new person saves ana's")
		f.same("dump", dump(f.T, f.Store), before)
	},
	"people come in order of ID": func(f *fixture) {
		for _, n := range []string{"zoe", "ana", "max"} {
			f.save(person(n))
		}
		var names []string
		for _, p := range must(f.Subscribers(bg)) {
			names = append(names, p.Name)
		}
		f.same("names", names, []string{"zoe", "ana", "max"})
		f.same("one", must(f.Subscriber(bg, 2)), must(f.Subscribers(bg))[1])
		for _, id := range []int64{0, 4} {
			_, err := f.Subscriber(bg, id)
			f.is(err, digest.ErrNotFound, "nobody")
		}
	},
	"of many changes from one revision one wins": func(f *fixture) {
		p := f.save(person("ana"))
		var won atomic.Int32
		together(f, 16, func(i int) error {
			mine := p
			mine.Name = fmt.Sprint(i)
			_, err := f.SaveSubscriber(bg, mine)
			switch {
			case err == nil:
				won.Add(1)
			case !errors.Is(err, digest.ErrConflict):
				return err
			}
			return nil
		})
		f.same("winners", won.Load(), int32(1))
		f.same("revision", must(f.Subscribers(bg))[0].Revision, p.Revision+1)
	},
}
