package storetest

import (
	"time"

	"quietpost/digest"
)

func bounce(messageID string, class digest.BounceClass) digest.BounceNote {
	return digest.BounceNote{MessageID: messageID, Class: class, Subscriber: 1, Status: "5.1.1", Text: "no such user", At: t0}
}

func suspended(who digest.Subscriber) digest.Subscriber {
	who.State = digest.Suspended
	who.Bounces = digest.BounceRecord{Score: 1500, ScoredAt: t0, SuspendedAt: t0.Add(time.Minute), Reason: "no such user"}
	return who
}

// delivered queues a message of somebody's edition and has it taken.
func (f *fixture) delivered(id string) {
	f.Helper()
	f.ok(f.AddMessage(bg, message(id)))
	m := f.lease(1)[0]
	must(f.Report(bg, t0, []digest.Report{{ID: m.ID, Lease: m.Lease, State: digest.Delivered}}))
}

var bounceTests = map[string]func(*fixture){
	"a bounce is kept, with its message and its subscriber": func(f *fixture) {
		ana := f.save(person("ana"))
		f.delivered("m")
		who := suspended(ana)
		f.ok(f.RecordBounce(bg, bounce("m", digest.BounceHard), who))
		m := must(f.Message(bg, 1))
		f.same("message", m.State+": "+m.Answer, "bounced: 5.1.1 no such user")
		who.Revision++
		who.Bounces.ScoredAt, who.Bounces.SuspendedAt = milli(who.Bounces.ScoredAt), milli(who.Bounces.SuspendedAt)
		f.same("subscribers", must(f.Subscribers(bg)), []digest.Subscriber{who})
		note := bounce("m", digest.BounceHard)
		note.At = milli(note.At)
		f.same("bounces", must(f.Bounces(bg, 1, 9)), []digest.BounceNote{note})
		f.same("somebody else's", must(f.Bounces(bg, 2, 9)), []digest.BounceNote{})
		f.same("none", must(f.Bounces(bg, 0, 0)), []digest.BounceNote{})
	},
	"one message and class counts once": func(f *fixture) {
		ana := f.save(person("ana"))
		f.ok(f.RecordBounce(bg, bounce("m", digest.BounceSoft), ana))
		before := dump(f.T, f.Store)
		f.is(f.RecordBounce(bg, bounce("m", digest.BounceSoft), suspended(before.Subscribers[0])), digest.ErrExists, "again")
		f.is(f.RecordBounce(bg, bounce("n", digest.BounceSoft), suspended(ana)), digest.ErrConflict, "from an old revision")
		f.same("dump", dump(f.T, f.Store), before)
		f.ok(f.RecordBounce(bg, bounce("m", digest.BounceHard), before.Subscribers[0]))
		f.same("newest first", must(f.Bounces(bg, 0, 1))[0].Class, digest.BounceHard)
	},
	"only what was delivered bounces, and a complaint is no bounce": func(f *fixture) {
		ana := f.save(person("ana"))
		f.delivered("m")
		f.ok(f.AddMessage(bg, message("n")))
		f.ok(f.RecordBounce(bg, bounce("m", digest.BounceComplaint), ana))
		ana.Revision++
		f.ok(f.RecordBounce(bg, bounce("n", digest.BounceHard), ana))
		f.same("states", []string{must(f.Message(bg, 1)).State, must(f.Message(bg, 2)).State}, []string{digest.Delivered, digest.Queued})
	},
	"editions wait while their address is suspended, letters do not": func(f *fixture) {
		ana := f.save(person("ana"))
		f.add("k", item("a"))
		f.ok(f.CommitEdition(bg, digestOf(ana, 0, 0, 1, t0)))
		f.ok(f.AddMessage(bg, message("letter")))
		f.same("state", f.save(suspended(ana)).State, digest.Suspended)
		f.same("leased", names(f.lease(9)), "letter")
		must(f.Report(bg, t0, []digest.Report{{ID: 2, Lease: 1, State: digest.Delivered}}))
		f.same("nobody is to be alarmed by it", []any{must(f.Counts(bg)).OldestDue, len(must(f.Counts(bg)).Oldest)}, []any{time.Time{}, 0})
		now := must(f.Subscribers(bg))[0]
		now.State = digest.Active
		f.save(now)
		f.same("then", names(f.lease(9)), "<"+digest.DigestKey(1, t0)+">")
	},
	"the operator sends again, and drops": func(f *fixture) {
		for _, id := range []string{"m1", "m2", "m3", "m4"} {
			f.ok(f.AddMessage(bg, message(id)))
		}
		m := f.lease(3)
		must(f.Report(bg, t0, []digest.Report{{ID: 1, Lease: 1, State: digest.Failed, Answer: "550 no"}, {ID: 2, Lease: 1, State: digest.Delivered}}))
		now := t0.Add(3 * time.Hour)
		f.ok(f.SetMessage(bg, now, 1, digest.Queued, ""))
		want := m[0]
		want.State, want.Answer, want.NextAt, want.Attempts, want.LeasedUntil = digest.Queued, "550 no", milli(now), 0, time.Time{}
		f.same("again", must(f.Message(bg, 1)), want)
		f.ok(f.SetMessage(bg, now, 1, digest.Failed, "dropped"))
		f.ok(f.SetMessage(bg, now, 4, digest.Failed, "dropped"))
		want.State, want.Answer, want.DoneAt, want.Bytes = digest.Failed, "dropped", milli(now), nil
		f.same("dropped", must(f.Message(bg, 1)), want)
		f.is(f.SetMessage(bg, now, 1, digest.Queued, ""), digest.ErrNotFound, "its bytes are gone")
		f.is(f.SetMessage(bg, now, 2, digest.Failed, ""), digest.ErrConflict, "delivered")
		f.is(f.SetMessage(bg, now, 3, digest.Queued, ""), digest.ErrConflict, "being sent")
		f.is(f.SetMessage(bg, now, 99, digest.Queued, ""), digest.ErrNotFound, "none")
		if f.SetMessage(bg, now, 1, digest.Delivered, "") == nil {
			f.Error("an operator's word made it delivered")
		}
	},
}
