package storetest

import (
	"fmt"
	"time"

	"quietpost/digest"
)

var archiveTests = map[string]func(*fixture){
	"Items lists the newest first, by page, project and urgency": func(f *fixture) {
		f.add("k1", item("a"), urgent("b", "", digest.Raise), item("c"), urgent("a", "t", digest.Raise))
		f.add("k2", item("a"), item("b"))
		numbers := func(q digest.ItemQuery) (out []int64) {
			for _, it := range must(f.Items(bg, q)) {
				out = append(out, it.Number)
			}
			return out
		}
		f.same("all", numbers(digest.ItemQuery{Limit: 9}), []int64{6, 5, 4, 3, 2, 1})
		f.same("a page", numbers(digest.ItemQuery{Limit: 2}), []int64{6, 5})
		f.same("the next", numbers(digest.ItemQuery{Limit: 2, Before: 5}), []int64{4, 3})
		f.same("before the first", numbers(digest.ItemQuery{Limit: 2, Before: 1}), []int64(nil))
		f.same("a project", numbers(digest.ItemQuery{Limit: 9, Projects: []string{"a"}}), []int64{5, 4, 1})
		f.same("a page of it", numbers(digest.ItemQuery{Limit: 1, Projects: []string{"a"}, Before: 5}), []int64{4})
		f.same("two projects", numbers(digest.ItemQuery{Limit: 9, Projects: []string{"b", "no", "a"}}), []int64{6, 5, 4, 2, 1})
		f.same("no such project", numbers(digest.ItemQuery{Limit: 9, Projects: []string{"A"}}), []int64(nil))
		f.same("urgent", numbers(digest.ItemQuery{Limit: 9, Urgent: true}), []int64{4, 2})
		f.same("urgent of a project", numbers(digest.ItemQuery{Limit: 9, Urgent: true, Projects: []string{"b"}}), []int64{2})
		f.same("no limit is none", numbers(digest.ItemQuery{}), []int64(nil))
		f.same("with its body", must(f.Items(bg, digest.ItemQuery{Limit: 1}))[0], must(f.Item(bg, 6)))
	},
	"what is not there is not found": func(f *fixture) {
		f.add("k", item("a"))
		for _, id := range []int64{0, -1, 2} {
			f.is(second(f.Item(bg, id)), digest.ErrNotFound, "Item")
			f.is(second(f.Receipt(bg, id)), digest.ErrNotFound, "Receipt")
			f.is(second(f.Message(bg, id)), digest.ErrNotFound, "Message")
		}
		f.is(second(f.Edition(bg, "x")), digest.ErrNotFound, "Edition")
	},
	"Told finds the editions that cover an item": func(f *fixture) {
		p := f.save(person("ana"))
		f.add("k1", urgent("a", "t", digest.Raise), item("b"), urgent("a", "t", digest.Raise))
		f.ok(f.CommitEdition(bg, alertOf(p.ID, 1, 1, 1, t0)))
		f.ok(f.CommitEdition(bg, alertOf(p.ID, 1, 2, 3, t0)))
		empty := digestOf(p, 0, 0, 2, t0)
		empty.Edition.Empty, empty.Message = true, nil
		f.ok(f.CommitEdition(bg, empty))
		full := digestOf(p, 0, 2, 3, t0.Add(time.Hour))
		full.Edition.From = 1
		f.ok(f.CommitEdition(bg, full))
		lanes := func(number int64) (s string) {
			for _, t := range must(f.Told(bg, number)) {
				f.same("its message", t.Message.Edition, t.Edition.ID)
				f.same("no bytes", len(t.Message.Bytes), 0)
				s += fmt.Sprintf("%s %d-%d, ", t.Message.Lane, t.Edition.From, t.Edition.To)
			}
			return s
		}
		f.same("first", lanes(1), "alert 1-1, digest 1-3, ")
		f.same("second", lanes(2), "digest 1-3, ")
		f.same("third", lanes(3), "alert 3-3, digest 1-3, ")
		f.same("none", lanes(4), "")
	},
	"Projects are counted by key": func(f *fixture) {
		late := item("b")
		late.ReceivedAt = t0.Add(time.Hour)
		f.add("k1", item("b"), urgent("a", "", digest.Raise), late)
		f.add("k1", item("a"))
		f.same("projects", must(f.Projects(bg)), []digest.ProjectCount{
			{Project: "a", Items: 1, Urgent: 1, Last: milli(t0)}, {Project: "b", Items: 2, Last: milli(t0.Add(time.Hour))}})
	},
	"Messages lists the newest first, by state, without bytes": func(f *fixture) {
		for _, id := range []string{"m1", "m2", "m3"} {
			f.ok(f.AddMessage(bg, message(id)))
		}
		f.lease(1)
		f.same("all", names(must(f.Messages(bg, nil, 9))), "m3 m2 m1")
		f.same("two", names(must(f.Messages(bg, nil, 2))), "m3 m2")
		f.same("queued", names(must(f.Messages(bg, []string{digest.Queued}, 9))), "m3 m2")
		f.same("queued or sending", names(must(f.Messages(bg, []string{digest.Queued, digest.Sending}, 9))), "m3 m2 m1")
		f.same("failed", names(must(f.Messages(bg, []string{digest.Failed}, 9))), "")
		f.same("none", names(must(f.Messages(bg, nil, 0))), "")
		whole := must(f.Message(bg, 3))
		f.same("bytes", string(whole.Bytes), string(message("m3").Bytes))
		whole.Bytes = nil
		f.same("listed", must(f.Messages(bg, nil, 1))[0], whole)
	},
	"Editions lists a person's newest first": func(f *fixture) {
		p, q := f.save(person("ana")), f.save(person("ben"))
		f.add("k", item("a"), item("b"))
		one, two, other := digestOf(p, 0, 0, 1, t0), digestOf(p, 0, 1, 2, t0.Add(time.Hour)), digestOf(q, 0, 0, 2, t0)
		for _, c := range []digest.Commit{one, other, two} {
			f.ok(f.CommitEdition(bg, c))
		}
		keys := func(who int64, limit int) (out []string) {
			for _, e := range must(f.Editions(bg, who, limit)) {
				out = append(out, e.Key)
			}
			return out
		}
		f.same("ana's", keys(p.ID, 9), []string{two.Edition.Key, one.Edition.Key})
		f.same("her newest", keys(p.ID, 1), []string{two.Edition.Key})
		f.same("all", keys(0, 9), []string{two.Edition.Key, other.Edition.Key, one.Edition.Key})
		f.same("none", keys(0, 0), []string(nil))
		f.same("nobody's", keys(99, 9), []string(nil))
	},
	"Receipts lists the newest first, by state, without header and raw bytes": func(f *fixture) {
		for _, k := range []string{"k1", "q1", "i1", "q2", "k2"} {
			r := receipt(k)
			r.Header, r.Raw = []byte("header"), []byte("raw")
			r.State = map[byte]string{'k': digest.Accepted, 'q': digest.Quarantined, 'i': digest.Ignored}[k[0]]
			must(f.AddItems(bg, digest.Delivery{Receipt: r}))
		}
		keys := func(state string, limit int) (out string) {
			for _, r := range must(f.Receipts(bg, state, limit)) {
				out += r.Key
			}
			return out
		}
		f.same("all", keys("", 9), "k2q2i1q1k1")
		f.same("two", keys("", 2), "k2q2")
		f.same("quarantined", keys(digest.Quarantined, 9), "q2q1")
		f.same("the newest quarantined", keys(digest.Quarantined, 1), "q2")
		f.same("accepted", keys(digest.Accepted, 9), "k2k1")
		f.same("ignored", keys(digest.Ignored, 9), "i1")
		f.same("none", keys("", 0), "")
		whole := must(f.Receipt(bg, 5))
		f.same("raw", string(whole.Header)+string(whole.Raw), "headerraw")
		whole.Header, whole.Raw = nil, nil
		f.same("listed", must(f.Receipts(bg, "", 1))[0], whole)
	},
	"Counts are the figures": func(f *fixture) {
		none := digest.Counts{Subscribers: map[string]int{}, Receipts: map[string]int{}, Messages: map[string]map[string]int{}}
		f.same("of an empty store", must(f.Counts(bg)), none)
		f.add("k1", item("a"), item("b"))
		f.add("k1", item("a"))
		r := receipt("q")
		r.State = digest.Quarantined
		must(f.AddItems(bg, digest.Delivery{Receipt: r}))
		ana := f.save(person("ana"))
		f.save(person("ben"))
		ana.State = digest.Paused
		f.save(ana)
		f.at("a1", digest.LaneAlert, time.Minute)
		f.at("a2", digest.LaneAlert, 2*time.Minute)
		f.at("d1", digest.LaneDigest, 0)
		f.at("d2", digest.LaneDigest, 0)
		counts := func() digest.Counts { return must(f.Counts(bg)) }
		want := digest.Counts{Newest: 2, Subscribers: map[string]int{digest.Active: 1, digest.Paused: 1},
			Receipts:  map[string]int{digest.Accepted: 1, digest.Quarantined: 1},
			Messages:  map[string]map[string]int{digest.LaneAlert: {digest.Queued: 2}, digest.LaneDigest: {digest.Queued: 2}},
			OldestDue: milli(t0), Oldest: map[string]time.Time{digest.LaneAlert: milli(t0), digest.LaneDigest: milli(t0)}}
		f.same("queued", counts(), want)
		must(f.Lease(bg, t0, t0.Add(time.Hour), lanes, 2))
		want.Messages[digest.LaneDigest] = map[string]int{digest.Sending: 2}
		f.same("sending", counts(), want)
		must(f.Report(bg, t0, []digest.Report{{ID: 3, Lease: 1, State: digest.Delivered}, {ID: 4, Lease: 1, State: digest.Failed}}))
		want.Messages[digest.LaneDigest] = map[string]int{digest.Delivered: 1, digest.Failed: 1}
		want.OldestDue = milli(t0.Add(time.Minute))
		delete(want.Oldest, digest.LaneDigest)
		f.same("done", counts(), want)
	},
}
