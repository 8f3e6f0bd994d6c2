package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"quietpost/digest"
)

var editionTests = map[string]func(*fixture){
	"the instance's key is 32 random bytes": func(f *fixture) {
		key := must(f.InstanceKey(bg))
		f.same("length", len(key), 32)
		f.same("again", must(f.InstanceKey(bg)), key)
		if other := must(NewMemory().InstanceKey(bg)); bytes.Equal(key, other) || bytes.Equal(key, make([]byte, 32)) {
			f.Error("the key is not random")
		}
	},
	"Newest is zero before the first item": func(f *fixture) {
		f.same("newest", must(f.Newest(bg)), int64(0))
	},
	"Due are running subscriptions of active people whose slot has come": func(f *fixture) {
		at := func(d time.Duration, ended bool) digest.Subscription {
			return digest.Subscription{Projects: []string{"*"}, Schedule: "daily", NextSlot: t0.Add(d), Ended: ended}
		}
		ana := person("ana")
		ana.Subscriptions = []digest.Subscription{at(time.Hour, false), at(time.Millisecond, false), at(0, false), at(0, true),
			{Projects: []string{"*"}}}
		ana = f.save(ana)
		for _, state := range []string{digest.Pending, digest.Paused, digest.Suspended, digest.Left} {
			p := person(state)
			p.State = state
			f.save(p)
		}
		ben := f.save(person("ben"))
		ana2 := ana
		ana2.Subscriptions = append(ana.Subscriptions[:5:5], at(-time.Hour, false)) // the highest ID, due the longest
		ana2 = f.save(ana2)
		f.same("due", must(f.Due(bg, t0)), []digest.Due{
			{Subscriber: ana2, Subscription: ana2.Subscriptions[2]},
			{Subscriber: ben, Subscription: ben.Subscriptions[0]},
			{Subscriber: ana2, Subscription: ana2.Subscriptions[5]},
		})
		f.same("due an hour before", len(must(f.Due(bg, t0.Add(-time.Hour)))), 1)
		f.same("due two hours before", len(must(f.Due(bg, t0.Add(-2*time.Hour)))), 0)
	},
	"SetNextSlot moves each slot that is still the old one": func(f *fixture) {
		p := person("ana")
		p.Subscriptions = append(p.Subscriptions, digest.Subscription{Projects: []string{"*"}}, digest.Subscription{Projects: []string{"*"}})
		f.save(p)
		f.ok(f.SetNextSlot(bg, []digest.SlotMove{
			{Subscription: 1, Old: t0.Add(time.Hour), New: t0.Add(9 * time.Hour)}, // lost
			{Subscription: 99, Old: t0, New: t0},
			{Subscription: 2, New: t0.Add(time.Minute)}, // none before
			{Subscription: 3, Old: t0, New: t0},         // lost: it has none
		}))
		f.same("first", f.sub(0).NextSlot, milli(t0))
		f.same("second", f.sub(1).NextSlot, milli(t0.Add(time.Minute)))
		f.same("third", f.sub(2).NextSlot, time.Time{})
		f.ok(f.SetNextSlot(bg, []digest.SlotMove{{Subscription: 1, Old: t0}}))
		f.same("to none", f.sub(0).NextSlot, time.Time{})
		f.ok(f.SetNextSlot(bg, nil))
	},
	"Window is open below and closed above, with excerpts cut at a character": func(f *fixture) {
		var items []digest.Item
		for _, body := range []string{"", "abcdef", "aüüü", "日本語", "o\x00k"} {
			it := item("a")
			it.Body = body
			items = append(items, it)
		}
		f.add("k", items...)
		bodies := func(after, upTo int64, excerpt int) (out []string) {
			for _, it := range must(f.Window(bg, after, upTo, excerpt)) {
				out = append(out, fmt.Sprint(it.Number, it.Body))
			}
			return out
		}
		f.same("of 4 bytes", bodies(0, 5, 4), []string{"1", "2abcd", "3aü", "4日", "5o\x00k"})
		f.same("of 1 byte", bodies(0, 5, 1), []string{"1", "2a", "3a", "4", "5o"})
		f.same("of none", bodies(0, 5, 0), []string{"1", "2", "3", "4", "5"})
		f.same("whole", bodies(1, 4, 100), []string{"2abcdef", "3aüüü", "4日本語"})
		f.same("empty", bodies(3, 3, 100), []string(nil))
		f.same("beyond", bodies(4, 99, 100), []string{"5o\x00k"})
		whole := must(f.Item(bg, 2))
		f.same("item", must(f.Window(bg, 1, 2, 1<<20))[0], whole)
	},
	"a digest moves its subscription": func(f *fixture) {
		p := person("ana")
		p.Subscriptions = append(p.Subscriptions, digest.Subscription{Projects: []string{"*"}, NextSlot: t0})
		p = f.save(p)
		f.add("k", item("a"), item("b"), item("c"))
		c := digestOf(p, 0, 0, 2, t0)
		c.Edition.Late = true
		f.ok(f.CommitEdition(bg, c))
		want := p.Subscriptions[0]
		want.Cursor, want.MailedTo, want.LastSlot, want.NextSlot = 2, 2, milli(t0), milli(t0.Add(24*time.Hour))
		f.same("moved", f.sub(0), want)
		f.same("the other", f.sub(1), p.Subscriptions[1])
		e := c.Edition
		e.Slot, e.CreatedAt = milli(e.Slot), milli(e.CreatedAt)
		f.same("edition", must(f.Edition(bg, e.ID)), e)
		msgs := f.lease(9)
		f.same("messages", len(msgs), 1)
		m := *c.Message
		m.ID, m.Edition, m.State, m.Attempts, m.Lease = 1, e.ID, digest.Sending, 1, 1
		m.NextAt, m.CreatedAt, m.LeasedUntil = milli(m.NextAt), milli(m.CreatedAt), milli(t0.Add(2*time.Hour))
		f.same("message", msgs[0], m)
	},
	"an empty digest moves the cursor and mails nothing": func(f *fixture) {
		p := f.save(person("ana"))
		f.add("k", item("a"), item("b"))
		c := digestOf(p, 0, 0, 2, t0)
		c.Edition.Empty, c.Edition.MessageID, c.Message, c.NextSlot = true, "", nil, time.Time{}
		f.ok(f.CommitEdition(bg, c))
		want := p.Subscriptions[0]
		want.Cursor, want.LastSlot, want.NextSlot = 2, milli(t0), time.Time{}
		f.same("moved", f.sub(0), want)
		f.same("messages", len(f.lease(9)), 0)
	},
	"an occasion has one edition": func(f *fixture) {
		p := f.save(person("ana"))
		f.add("k", item("a"), item("b"))
		f.ok(f.CommitEdition(bg, digestOf(p, 0, 0, 1, t0)))
		before := dump(f.T, f.Store)
		again := digestOf(p, 0, 1, 2, t0) // the cursor is right, the slot is not new
		again.Message.MessageID = "another"
		f.is(f.CommitEdition(bg, again), digest.ErrExists, "the same slot")
		again.Edition.ID = "another"
		f.is(f.CommitEdition(bg, again), digest.ErrExists, "the same key under another ID")
		f.is(f.CommitEdition(bg, digestOf(p, 0, 0, 1, t0)), digest.ErrExists, "exactly the same")
		f.same("dump", dump(f.T, f.Store), before)
	},
	"a lost race changes nothing": func(f *fixture) {
		p := f.save(person("ana"))
		f.add("k", item("a"), item("b"))
		f.ok(f.AddMessage(bg, message("taken")))
		stale := digestOf(p, 0, 1, 2, t0)
		ghost, nobody, foreign := digestOf(p, 0, 0, 2, t0), digestOf(p, 0, 0, 2, t0), digestOf(p, 0, 0, 2, t0)
		ghost.Edition.Subscription, nobody.Edition.Subscriber = 99, 99
		foreign.Edition.Subscriber = f.save(person("ben")).ID
		twice := digestOf(p, 0, 0, 2, t0)
		twice.Message.MessageID = "taken"
		before := dump(f.T, f.Store)
		f.is(f.CommitEdition(bg, stale), digest.ErrConflict, "another cursor")
		f.is(f.CommitEdition(bg, ghost), digest.ErrConflict, "no such subscription")
		f.is(f.CommitEdition(bg, nobody), digest.ErrConflict, "no such subscriber")
		f.is(f.CommitEdition(bg, foreign), digest.ErrConflict, "another's subscription")
		f.is(f.CommitEdition(bg, twice), digest.ErrExists, "a message that is there")
		f.same("dump", dump(f.T, f.Store), before)
	},
	"nothing is committed for who is not active": func(f *fixture) {
		p := f.save(person("ana"))
		f.add("k", urgent("a", "", digest.Raise))
		for _, state := range []string{digest.Pending, digest.Paused, digest.Suspended, digest.Left} {
			p.State = state
			p = f.save(p)
			f.is(f.CommitEdition(bg, digestOf(p, 0, 0, 1, t0)), digest.ErrConflict, "digest of one "+state)
			f.is(f.CommitEdition(bg, alertOf(p.ID, 1, 1, 1, t0)), digest.ErrConflict, "alert of one "+state)
		}
		f.same("editions", len(must(f.Editions(bg, 0, 9))), 0)
		p.State = digest.Active
		f.ok(f.CommitEdition(bg, digestOf(f.save(p), 0, 0, 1, t0)))
	},
	"a catch-up moves nothing": func(f *fixture) {
		p := f.save(person("ana"))
		f.add("k", item("a"))
		c := digestOf(p, 0, 0, 1, t0)
		c.Edition.Occasion, c.Edition.Key, c.Cursor = digest.OccasionCatchUp, "catchup/1/1", 55
		f.ok(f.CommitEdition(bg, c))
		f.same("subscription", f.sub(0), p.Subscriptions[0])
		f.same("messages", len(f.lease(9)), 1)
	},
	"of many cuts of one slot one wins": func(f *fixture) {
		p := f.save(person("ana"))
		f.add("k", item("a"), item("b"), item("c"))
		var won atomic.Int32
		together(f, 16, func(i int) error {
			c := digestOf(p, 0, 0, int64(1+i%3), t0.Add(time.Duration(i%2)*time.Hour))
			c.Message.MessageID = fmt.Sprint(i)
			err := f.CommitEdition(bg, c)
			switch {
			case err == nil:
				won.Add(1)
			case !errors.Is(err, digest.ErrExists) && !errors.Is(err, digest.ErrConflict):
				return err
			}
			return nil
		})
		f.same("winners", won.Load(), int32(1))
		f.same("messages", len(f.lease(99)), 1)
		f.same("cursor", f.sub(0).Cursor, must(f.Editions(bg, 0, 9))[0].To)
	},
}

var alertTests = map[string]func(*fixture){
	"AlertState has what is not settled, oldest first, with all its items": func(f *fixture) {
		f.same("none", must(f.AlertState(bg, t0)), digest.AlertState{Recent: map[int64][]time.Time{}})
		f.add("k1", urgent("a", "t", digest.Raise), item("x"), urgent("b", "u", digest.Raise))
		f.add("k2", urgent("a", "t", digest.Raise))
		numbers := func() (out []string) {
			for _, inc := range must(f.AlertState(bg, t0)).Incidents {
				s := fmt.Sprint(inc.ID, " ", inc.Project, "/", inc.Thread)
				for _, it := range inc.Items {
					s += fmt.Sprint(" ", it.Number)
				}
				out = append(out, s)
			}
			return out
		}
		f.same("two", numbers(), []string{"1 a/t 1 4", "2 b/u 3"})
		f.same("with bodies", must(f.AlertState(bg, t0)).Incidents[0].Items[1], must(f.Item(bg, 4)))

		f.ok(f.SettleIncidents(bg, map[int64]int64{1: 1, 2: 3, 99: 1}))
		f.same("the first had a newer item", numbers(), []string{"1 a/t 1 4"})
		f.ok(f.SettleIncidents(bg, map[int64]int64{1: 4}))
		f.same("all settled", numbers(), []string(nil))
		f.add("k3", urgent("b", "u", digest.Raise))
		f.same("a newer item brings it back", numbers(), []string{"2 b/u 3 5"})
	},
	"marks move by compare-and-set": func(f *fixture) {
		p, q := f.save(person("ana")), f.save(person("ben"))
		f.add("k", urgent("a", "t", digest.Raise), urgent("a", "t", digest.Raise), urgent("b", "", digest.Raise))
		two := alertOf(p.ID, 1, 1, 1, t0) // one mail that tells of two incidents
		two.Marks = append(two.Marks, digest.AlertMark{Subscriber: p.ID, Incident: 2, N: 1, UpTo: 3, At: t0})
		f.ok(f.CommitEdition(bg, two))
		f.ok(f.CommitEdition(bg, alertOf(q.ID, 1, 1, 2, t0)))
		half := alertOf(p.ID, 1, 2, 2, t0.Add(time.Minute)) // the first mark would do, the second is behind
		half.Marks = append(half.Marks, digest.AlertMark{Subscriber: p.ID, Incident: 2, N: 1, UpTo: 3, At: t0})
		before := dump(f.T, f.Store)
		f.is(f.CommitEdition(bg, half), digest.ErrConflict, "one of two marks")
		f.is(f.CommitEdition(bg, alertOf(p.ID, 1, 3, 2, t0)), digest.ErrConflict, "a mark ahead")
		f.is(f.CommitEdition(bg, alertOf(p.ID, 1, 1, 1, t0)), digest.ErrExists, "the same alert")
		f.same("dump", dump(f.T, f.Store), before)
		f.ok(f.CommitEdition(bg, alertOf(p.ID, 1, 2, 2, t0.Add(time.Minute))))
		f.same("marks", must(f.AlertState(bg, t0)).Marks, []digest.AlertMark{
			{Subscriber: p.ID, Incident: 1, N: 2, UpTo: 2, At: milli(t0.Add(time.Minute))},
			{Subscriber: q.ID, Incident: 1, N: 1, UpTo: 2, At: milli(t0)},
			{Subscriber: p.ID, Incident: 2, N: 1, UpTo: 3, At: milli(t0)},
		})
		f.same("subscriptions stand still", f.sub(0), p.Subscriptions[0])
		f.ok(f.SettleIncidents(bg, map[int64]int64{1: 2}))
		f.same("marks of what is not settled", len(must(f.AlertState(bg, t0)).Marks), 1)
	},
	"Recent are the alert mails since then, in order": func(f *fixture) {
		p, q := f.save(person("ana")), f.save(person("ben"))
		f.add("k", urgent("a", "t", digest.Raise))
		for i, d := range []time.Duration{0, 3 * time.Minute, time.Minute} {
			f.ok(f.CommitEdition(bg, alertOf(p.ID, 1, i+1, 1, t0.Add(d))))
		}
		f.ok(f.CommitEdition(bg, alertOf(q.ID, 1, 1, 1, t0)))
		f.ok(f.CommitEdition(bg, digestOf(p, 0, 0, 1, t0)))
		f.same("all", must(f.AlertState(bg, t0)).Recent, map[int64][]time.Time{
			p.ID: {milli(t0), milli(t0.Add(time.Minute)), milli(t0.Add(3 * time.Minute))}, q.ID: {milli(t0)}})
		f.same("later", must(f.AlertState(bg, t0.Add(time.Millisecond))).Recent, map[int64][]time.Time{
			p.ID: {milli(t0.Add(time.Minute)), milli(t0.Add(3 * time.Minute))}})
	},
	"AlertedItems are what a taken alert told this person": func(f *fixture) {
		p, q := f.save(person("ana")), f.save(person("ben"))
		f.add("k", urgent("a", "t", digest.Raise), item("a"), urgent("a", "t", digest.Raise), urgent("a", "u", digest.Raise),
			urgent("a", "t", digest.Raise))
		told := func(who, after, upTo int64) map[int64]bool { return must(f.AlertedItems(bg, who, after, upTo)) }
		f.ok(f.CommitEdition(bg, alertOf(p.ID, 1, 1, 1, t0)))
		f.ok(f.CommitEdition(bg, alertOf(p.ID, 1, 2, 5, t0.Add(time.Minute))))
		f.ok(f.CommitEdition(bg, alertOf(q.ID, 2, 1, 4, t0)))
		f.same("nothing is delivered yet", told(p.ID, 0, 9), map[int64]bool{})
		for _, m := range f.lease(9) {
			state := digest.Delivered
			if m.MessageID == "<alert/1/1/1>" {
				state = digest.Failed
			}
			_, err := f.Report(bg, t0, []digest.Report{{ID: m.ID, Lease: m.Lease, State: state}})
			f.ok(err)
		}
		f.same("the first failed, the second told the rest", told(p.ID, 0, 9), map[int64]bool{3: true, 5: true})
		f.same("above 3", told(p.ID, 3, 9), map[int64]bool{5: true})
		f.same("up to 3", told(p.ID, 0, 3), map[int64]bool{3: true})
		f.same("none between", told(p.ID, 3, 4), map[int64]bool{})
		f.same("the other", told(q.ID, 0, 9), map[int64]bool{4: true})
		f.same("nobody", told(99, 0, 9), map[int64]bool{})
	},
}
