package storetest

import (
	"time"

	"quietpost/digest"
)

var sourceTests = map[string]func(*fixture){
	"a replay gives a quarantined receipt its items": func(f *fixture) {
		r := receipt("k")
		r.State, r.Reason, r.Raw = digest.Quarantined, "not understood", []byte("raw")
		first := must(f.AddItems(bg, digest.Delivery{Receipt: r}))
		f.add("other", item("a"))
		again := digest.Delivery{Replay: first.Receipt, Receipt: digest.Receipt{Source: "hook", State: digest.Accepted, Reason: "read again",
			ReceivedAt: t0.Add(time.Hour)}, Items: []digest.Item{item("b"), urgent("c", "t", digest.Raise)}}
		res := must(f.AddItems(bg, again))
		f.same("answer", res, digest.Result{Receipt: first.Receipt, State: digest.Accepted, Reason: "read again",
			Items: []digest.ItemRef{{Number: 2, Project: "b"}, {Number: 3, Project: "c", Urgent: true}}})
		kept := must(f.Receipt(bg, first.Receipt))
		want := r
		want.ID, want.State, want.Reason, want.ReceivedAt = first.Receipt, digest.Accepted, "read again", milli(t0)
		f.same("receipt", kept, want)
		f.same("its item", must(f.Item(bg, 3)).Receipt, first.Receipt)
		f.same("its incident", len(must(f.AlertState(bg, t0)).Incidents), 1)
		f.same("counts", must(f.Counts(bg)).Receipts, map[string]int{digest.Accepted: 2})
		before := dump(f.T, f.Store)
		f.is(second(f.AddItems(bg, again)), digest.ErrConflict, "a second replay")
		again.Replay = 99
		f.is(second(f.AddItems(bg, again)), digest.ErrNotFound, "a replay of nothing")
		f.same("dump", dump(f.T, f.Store), before)
		dup := must(f.AddItems(bg, digest.Delivery{Receipt: r, Items: []digest.Item{item("d")}}))
		res.Duplicate = true
		f.same("the sender's next try", dup, res)
	},
	"a receipt may be dropped from quarantine": func(f *fixture) {
		r := receipt("k")
		r.State = digest.Quarantined
		first := must(f.AddItems(bg, digest.Delivery{Receipt: r}))
		must(f.AddItems(bg, digest.Delivery{Replay: first.Receipt, Receipt: digest.Receipt{State: digest.Ignored, Reason: "dropped"}}))
		f.same("state", must(f.Receipt(bg, first.Receipt)).State, digest.Ignored)
		f.same("quarantine", len(must(f.Receipts(bg, digest.Quarantined, 9))), 0)
	},
	"deliveries are counted by source and hour": func(f *fixture) {
		deliver := func(source, key, state string, after time.Duration) {
			r := receipt(key)
			r.Source, r.State, r.ReceivedAt = source, state, t0.Add(after)
			must(f.AddItems(bg, digest.Delivery{Receipt: r, Items: []digest.Item{item("a"), item("b")}}))
		}
		deliver("hook", "1", digest.Accepted, 0)
		deliver("hook", "2", digest.Accepted, time.Minute)
		deliver("hook", "2", digest.Accepted, 2*time.Minute) // a duplicate
		deliver("hook", "3", digest.Ignored, -time.Second)   // the hour before
		deliver("hook", "4", digest.Quarantined, 5*time.Hour)
		deliver("chat", "1", digest.Accepted, 0)
		hour := digest.HourOf(t0)
		all := []digest.SourceHour{
			{Source: "chat", Hour: hour, Accepted: 1, Last: milli(t0)},
			{Source: "hook", Hour: hour.Add(-time.Hour), Ignored: 1, Last: milli(t0.Add(-time.Second))},
			{Source: "hook", Hour: hour, Accepted: 2, Last: milli(t0.Add(time.Minute))},
			{Source: "hook", Hour: hour.Add(5 * time.Hour), Quarantined: 1, Last: milli(t0.Add(5 * time.Hour))}}
		f.same("all", must(f.SourceHours(bg, hour.Add(-time.Hour))), all)
		f.same("since", must(f.SourceHours(bg, hour)), append(all[:1:1], all[2:]...))
		f.same("since within an hour", must(f.SourceHours(bg, hour.Add(time.Millisecond))), append(all[:1:1], all[3]))
		f.same("later: the newest of each", must(f.SourceHours(bg, hour.Add(99*time.Hour))), append(all[:1:1], all[3]))
		f.ok(f.AddSourceHours(bg, []digest.SourceHour{{Source: "hook", Hour: hour, Refused: 3}, {Source: "", Hour: hour, Accepted: 1, Last: t0},
			{Source: "new", Hour: hour, Refused: 1}, {Source: "new", Hour: hour, Refused: 1, Last: t0}, {Source: "new", Hour: hour, Refused: 1, Last: t0.Add(-time.Minute)}}))
		all[2].Refused = 3
		all = append([]digest.SourceHour{{Hour: hour, Accepted: 1, Last: milli(t0)}}, all...)
		all = append(all, digest.SourceHour{Source: "new", Hour: hour, Refused: 3, Last: milli(t0)})
		f.same("added", must(f.SourceHours(bg, hour.Add(-time.Hour))), all)
	},
	"troubles begin and end once": func(f *fixture) {
		f.same("none", must(f.Troubles(bg)), []digest.Trouble(nil))
		f.ok(f.EndTrouble(bg, "hook", digest.Silent))
		f.ok(f.BeginTrouble(bg, digest.Trouble{Source: "hook", What: digest.Silent, Since: t0}))
		f.ok(f.BeginTrouble(bg, digest.Trouble{Source: "hook", What: digest.Silent, Since: t0.Add(time.Hour)}))
		f.ok(f.BeginTrouble(bg, digest.Trouble{Source: "hook", What: digest.Refused}))
		f.ok(f.BeginTrouble(bg, digest.Trouble{Source: "chat", What: digest.Silent, Since: t0}))
		f.same("three", must(f.Troubles(bg)), []digest.Trouble{{Source: "chat", What: digest.Silent, Since: milli(t0)},
			{Source: "hook", What: digest.Refused}, {Source: "hook", What: digest.Silent, Since: milli(t0)}})
		f.ok(f.EndTrouble(bg, "hook", digest.Silent))
		f.same("two", len(must(f.Troubles(bg))), 2)
	},
}
