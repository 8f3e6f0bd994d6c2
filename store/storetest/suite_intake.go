package storetest

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"quietpost/digest"
)

var intakeTests = map[string]func(*fixture){
	"items get rising numbers in their order": func(f *fixture) {
		res := f.add("k1", item("a"), urgent("b", "", digest.Raise))
		f.same("first answer", res, digest.Result{Receipt: res.Receipt, State: digest.Accepted, Items: []digest.ItemRef{
			{Number: 1, Project: "a"}, {Number: 2, Project: "b", Urgent: true}}})
		f.same("second answer", f.add("k2", item("c")).Items, []digest.ItemRef{{Number: 3, Project: "c"}})
		f.same("newest", must(f.Newest(bg)), int64(3))
	},
	"an item and its receipt come back whole": func(f *fixture) {
		it := digest.Item{Source: "hook", Tool: "github", Project: "acme/apollo", Kind: digest.KindReview, Title: "Тест ✓ \"'`",
			Body: "line\n\tline\n" + strings.Repeat("ü", 9000), URL: "https://example.com/?a=b&c", Author: "ana", Thread: "pr/42",
			Event: "pull_request.closed", State: "merged", Level: "info", Urgent: true, Priority: "high", Tags: []string{"x", "y, z"},
			Due: "2026-12-01", Private: true, MessageID: "a@b", EventID: "e-1", Authenticated: true, Step: digest.Raise,
			Reasons:    map[string]digest.Reason{"urgent": "a rule said so", "project": "the \"address\""},
			OccurredAt: t0.Add(-time.Hour), ReceivedAt: t0.Add(time.Second)}
		r := digest.Receipt{Source: "hook", Tool: "github", Key: "k\x00\xff", SameWithin: 10*time.Minute + 1, State: digest.Accepted,
			Reason: "because", Sum: sha256.Sum256([]byte("raw")), Header: []byte("A: b\r\n"),
			Raw: []byte("\x00\xff" + strings.Repeat("raw ", 5000)), ReceivedAt: t0}
		res, err := f.AddItems(bg, digest.Delivery{Receipt: r, Items: []digest.Item{it}})
		f.ok(err)
		got := must(f.Item(bg, res.Items[0].Number))
		it.Number, it.Receipt, it.Incident = 1, res.Receipt, got.Incident
		it.OccurredAt, it.ReceivedAt = milli(it.OccurredAt), milli(it.ReceivedAt)
		f.same("item", got, it)
		r.ID, r.ReceivedAt = res.Receipt, milli(r.ReceivedAt)
		f.same("receipt", must(f.Receipt(bg, res.Receipt)), r)
	},
	"a zero time is none, and 1970 is a time": func(f *fixture) {
		none, epoch := item("a"), item("a")
		none.OccurredAt, epoch.OccurredAt = time.Time{}, time.UnixMilli(0)
		f.add("k", none, epoch)
		f.same("zero", must(f.Item(bg, 1)).OccurredAt, time.Time{})
		f.same("1970", must(f.Item(bg, 2)).OccurredAt, time.UnixMilli(0).UTC())
	},
	"a delivery may hold no item": func(f *fixture) {
		r := receipt("ping")
		r.State, r.Reason = digest.Ignored, "a ping"
		first, err := f.AddItems(bg, digest.Delivery{Receipt: r})
		f.ok(err)
		f.same("answer", first, digest.Result{Receipt: first.Receipt, State: digest.Ignored, Reason: "a ping"})
		f.same("newest", must(f.Newest(bg)), int64(0))
		again := f.add("ping", item("a"))
		first.Duplicate = true
		f.same("answer to the second", again, first)
	},
	"a repeated key adds nothing and repeats the answer": func(f *fixture) {
		r := receipt("k")
		r.Sum = sha256.Sum256([]byte("one"))
		first, err := f.AddItems(bg, digest.Delivery{Receipt: r, Items: []digest.Item{item("a"), urgent("b", "t", digest.Raise)}})
		f.ok(err)
		f.add("other", item("c"))
		before := dump(f.T, f.Store)

		r.ReceivedAt = t0.Add(1000 * time.Hour) // without SameWithin a key is good for ever
		again, err := f.AddItems(bg, digest.Delivery{Receipt: r, Items: []digest.Item{item("d")}})
		f.ok(err)
		want := first
		want.Duplicate = true
		f.same("answer", again, want)

		r.Sum, r.State, r.Reason = sha256.Sum256([]byte("two")), digest.Quarantined, "odd"
		again, err = f.AddItems(bg, digest.Delivery{Receipt: r, Items: []digest.Item{item("d")}})
		f.ok(err)
		want.Differs = true
		f.same("answer to another body", again, want)
		f.same("dump", dump(f.T, f.Store), before)
	},
	"a key belongs to its source": func(f *fixture) {
		f.add("bc", item("a"))
		for i, sk := range [][2]string{{"a", "bc"}, {"ab", "c"}, {"", "abc"}, {"abc", ""}} {
			r := receipt(sk[1])
			r.Source = sk[0]
			res, err := f.AddItems(bg, digest.Delivery{Receipt: r, Items: []digest.Item{item("a")}})
			f.ok(err)
			if res.Duplicate || res.Items[0].Number != int64(i)+2 {
				f.Errorf("source %q key %q: %+v", sk[0], sk[1], res)
			}
		}
	},
	"a key without an id is good for so long": func(f *fixture) {
		deliver := func(after time.Duration) digest.Result {
			r := receipt("body")
			r.SameWithin, r.ReceivedAt = 10*time.Minute, t0.Add(after)
			res, err := f.AddItems(bg, digest.Delivery{Receipt: r, Items: []digest.Item{item("a")}})
			f.ok(err)
			return res
		}
		for _, step := range []struct {
			after  time.Duration
			number int64
			dup    bool
		}{
			{0, 1, false},
			{10*time.Minute - time.Millisecond, 1, true},
			{10 * time.Minute, 2, false},
			{20*time.Minute - time.Millisecond, 2, true},
			{-time.Minute, 1, true}, // two deliveries whose arrivals were written down the other way round
			{-time.Hour, 3, false},  // the clock was set back: what comes now is news
			{time.Hour, 4, false},
		} {
			res := deliver(step.after)
			if res.Duplicate != step.dup || res.Items[0].Number != step.number {
				f.Errorf("after %v: %+v, want number %d, duplicate %v", step.after, res, step.number, step.dup)
			}
		}
	},
	"the mark moves with a delivery, also with a duplicate": func(f *fixture) {
		_, err := f.Mark(bg, "updates")
		f.is(err, digest.ErrNotFound, "before first contact")
		mark := digest.Mark{Inbox: "updates", UIDValidity: 7, UID: 4294967295, Arrived: t0, Floor: t0}
		for uid := uint32(8); uid < 10; uid++ {
			mark.UID = uid
			_, err := f.AddItems(bg, digest.Delivery{Receipt: receipt("mail"), Items: []digest.Item{item("a")}, Mark: &mark})
			f.ok(err)
			want := mark
			want.Arrived, want.Floor = milli(t0), milli(t0)
			f.same("mark", must(f.Mark(bg, "updates")), want)
		}
		f.same("newest", must(f.Newest(bg)), int64(1))
		_, err = f.Mark(bg, "other")
		f.is(err, digest.ErrNotFound, "another inbox")
	},
	"a batch is its deliveries in their order": func(f *fixture) {
		f.add("old", item("a"))
		mark := digest.Mark{Inbox: "updates", UIDValidity: 7, UID: 9}
		results, err := f.AddBatch(bg, []digest.Delivery{
			{Receipt: receipt("one"), Items: []digest.Item{item("b"), urgent("c", "t", digest.Raise)}, Mark: &digest.Mark{Inbox: "updates", UIDValidity: 7, UID: 8}},
			{Receipt: receipt("old"), Items: []digest.Item{item("d")}},
			{Receipt: receipt("one"), Items: []digest.Item{item("d")}, Mark: &mark},
		})
		f.ok(err)
		one := []digest.ItemRef{{Number: 2, Project: "b"}, {Number: 3, Project: "c", Urgent: true}}
		f.same("results", results, []digest.Result{
			{Receipt: results[0].Receipt, State: digest.Accepted, Items: one},
			{Receipt: results[1].Receipt, State: digest.Accepted, Items: []digest.ItemRef{{Number: 1, Project: "a"}}, Duplicate: true},
			{Receipt: results[0].Receipt, State: digest.Accepted, Items: one, Duplicate: true},
		})
		f.same("mark", must(f.Mark(bg, "updates")), mark)
		results, err = f.AddBatch(bg, nil)
		f.ok(err)
		f.same("nothing", len(results), 0)
	},
	"SetMark writes a mark alone": func(f *fixture) {
		for _, m := range []digest.Mark{{Inbox: "a", UIDValidity: 4294967295, UID: 4294967295,
			Known: 4294967295, Done: 4294967295, Tries: 3}, {Inbox: "a", UID: 1}, {Inbox: "b"}} {
			f.ok(f.SetMark(bg, m))
			f.same("mark", must(f.Mark(bg, m.Inbox)), m)
		}
		f.same("a after b", must(f.Mark(bg, "a")).UID, uint32(1))
	},
	"ProjectKeys are all keys in order": func(f *fixture) {
		f.same("none", must(f.ProjectKeys(bg)), []string(nil))
		f.add("k1", item("zeus"), item("acme/web"), item("zeus"))
		f.add("k2", item("apollo"))
		f.same("keys", must(f.ProjectKeys(bg)), []string{"acme/web", "apollo", "zeus"})
	},
	"ThreadOf finds the newest": func(f *fixture) {
		mail := func(id, project, thread string) digest.Item {
			it := item(project)
			it.MessageID, it.Thread = id, thread
			return it
		}
		f.add("k", item("none"), mail("m1", "a", "t1"), mail("m2", "b", "t2"), mail("m1", "c", ""), mail("m3", "d", "t3"))
		for _, c := range []struct {
			ids             string
			project, thread string
		}{
			{"m1", "c", ""}, {"m2", "b", "t2"}, {"m2 m1", "c", ""}, {"m1 m2", "c", ""}, {"x m2 y", "b", "t2"},
		} {
			p, t, err := f.ThreadOf(bg, strings.Fields(c.ids))
			if err != nil || p != c.project || t != c.thread {
				f.Errorf("%s: %q %q %v, want %q %q", c.ids, p, t, err, c.project, c.thread)
			}
		}
		for _, ids := range [][]string{nil, {""}, {"M1"}, {"x"}} {
			_, _, err := f.ThreadOf(bg, ids)
			f.is(err, digest.ErrNotFound, fmt.Sprintf("ThreadOf %q", ids))
		}
	},
	"many may add at once": manyAdd,
	"of many with one key one is first": func(f *fixture) {
		var mu sync.Mutex
		var first []digest.Result
		together(f, 24, func(i int) error {
			res, err := f.AddItems(bg, digest.Delivery{Receipt: receipt("same"), Items: []digest.Item{item("a"), item("b")}})
			mu.Lock()
			defer mu.Unlock()
			if err == nil && (res.Items[0].Number != 1 || res.Items[1].Number != 2) {
				err = fmt.Errorf("answer %+v", res)
			}
			if !res.Duplicate {
				first = append(first, res)
			}
			return err
		})
		f.same("deliveries that were not duplicates", len(first), 1)
		f.same("newest", must(f.Newest(bg)), int64(2))
	},
}

// manyAdd: all deliveries are kept, each with numbers in a row, and whoever sees a newest number sees all items up to it:
// else a cut would pass over items it never read.
func manyAdd(f *fixture) {
	const workers, each = 16, 12
	stop, watched := make(chan struct{}), make(chan error, 1)
	go func() {
		for {
			n, err := f.Newest(bg)
			items, err2 := f.Window(bg, 0, n, 0)
			if err := errors.Join(err, err2); err != nil || int64(len(items)) != n {
				watched <- fmt.Errorf("%d items up to number %d: %w", len(items), n, err)
				return
			}
			select {
			case <-stop:
				watched <- nil
				return
			default:
			}
		}
	}()
	var mu sync.Mutex
	var numbers []int64
	together(f, workers, func(w int) error {
		for i := range each {
			d := digest.Delivery{Receipt: receipt(fmt.Sprintf("%d/%d", w, i)), Items: []digest.Item{item("a"), item("b")}}
			if i%4 == 0 {
				d.Items[1] = urgent("b", "t", digest.Raise)
			}
			res, err := f.AddItems(bg, d)
			if err != nil {
				return err
			}
			if res.Items[1].Number != res.Items[0].Number+1 {
				return fmt.Errorf("numbers of one delivery: %v", res.Items)
			}
			mu.Lock()
			numbers = append(numbers, res.Items[0].Number, res.Items[1].Number)
			mu.Unlock()
		}
		return nil
	})
	close(stop)
	if err := <-watched; err != nil {
		f.Error(err)
	}
	slices.Sort(numbers)
	for i, n := range numbers {
		if n != int64(i)+1 {
			f.Fatalf("the %d. number is %d", i+1, n)
		}
	}
	st := must(f.AlertState(bg, t0))
	if len(st.Incidents) != 1 || len(st.Incidents[0].Items) != workers*each/4 {
		f.Errorf("%d incidents, want one with all urgent items", len(st.Incidents))
	}
}

// together runs n goroutines at once and reports their errors.
func together(f *fixture, n int, do func(i int) error) {
	f.Helper()
	var wg sync.WaitGroup
	errs := make([]error, n)
	for i := range n {
		wg.Go(func() { errs[i] = do(i) })
	}
	wg.Wait()
	f.ok(errors.Join(errs...))
}

var incidentTests = map[string]func(*fixture){
	"a thread's urgent items are one incident until it is resolved": func(f *fixture) {
		later := func(it digest.Item, d time.Duration) digest.Item { it.ReceivedAt = t0.Add(d); return it }
		calm := item("a")
		calm.Thread, calm.Step = "t", digest.Resolve
		steps := []struct {
			what     string
			item     digest.Item
			incident int64
		}{
			{"raise opens", urgent("a", "t", digest.Raise), 1},
			{"raise joins", urgent("a", "t", digest.Raise), 1},
			{"another thread has its own", urgent("a", "u", digest.Raise), 2},
			{"another project has its own", urgent("b", "t", digest.Raise), 3},
			{"an item without step has none", urgent("a", "t", digest.NoStep), 0},
			{"resolve joins and closes", later(calm, time.Minute), 1},
			{"a second resolve has nothing to close", calm, 0},
			{"raise opens anew", later(urgent("a", "t", digest.Raise), time.Hour), 4},
			{"without thread each is its own", urgent("a", "", digest.Raise), 5},
			{"without thread each is its own, again", urgent("a", "", digest.Raise), 6},
			{"an urgent resolve closes what is open", urgent("a", "t", digest.Resolve), 4},
			{"an urgent resolve without open incident opens a closed one", later(urgent("a", "t", digest.Resolve), 2*time.Hour), 7},
			{"and the next raise does not join it", urgent("a", "t", digest.Raise), 8},
			{"an urgent resolve without thread too", urgent("a", "", digest.Resolve), 9},
		}
		for i, s := range steps {
			n := f.add(fmt.Sprint(i), s.item).Items[0].Number
			if got := must(f.Item(bg, n)).Incident; got != s.incident {
				f.Errorf("%s: incident %d, want %d", s.what, got, s.incident)
			}
		}
		byID := map[int64]digest.Incident{}
		for _, inc := range must(f.AlertState(bg, t0)).Incidents {
			byID[inc.ID] = inc
		}
		f.same("incidents", len(byID), 9)
		for id, want := range map[int64]struct{ opened, resolved time.Time }{
			1: {t0, t0.Add(time.Minute)}, 2: {t0, time.Time{}}, 4: {t0.Add(time.Hour), t0}, 5: {t0, time.Time{}},
			7: {t0.Add(2 * time.Hour), t0.Add(2 * time.Hour)}, 8: {t0, time.Time{}}, 9: {t0, t0},
		} {
			inc := byID[id]
			f.same(fmt.Sprintf("incident %d opened", id), inc.OpenedAt, milli(want.opened))
			f.same(fmt.Sprintf("incident %d resolved", id), inc.ResolvedAt, milli(want.resolved))
		}
	},
	"one delivery may open and resolve": func(f *fixture) {
		over := item("a")
		over.Thread, over.Step = "t", digest.Resolve
		f.add("k", urgent("a", "t", digest.Raise), over, urgent("a", "t", digest.Raise))
		st := must(f.AlertState(bg, t0))
		f.same("incidents", len(st.Incidents), 2)
		f.same("first", []int64{st.Incidents[0].Items[0].Number, st.Incidents[0].Last()}, []int64{1, 2})
		f.same("second", []int64{st.Incidents[1].Items[0].Number, st.Incidents[1].Last()}, []int64{3, 3})
	},
	"a duplicate raises nothing": func(f *fixture) {
		f.add("k", item("a"))
		f.add("k", urgent("a", "t", digest.Raise))
		f.same("incidents", must(f.AlertState(bg, t0)).Incidents, []digest.Incident(nil))
	},
}
