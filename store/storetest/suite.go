package storetest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"quietpost/digest"
)

// A Reopener is a store whose open function can open the same data again: Run then tests that nothing is forgotten.
type Reopener interface {
	digest.Store
	// Reopen opens what a closed store kept.
	Reopen(t *testing.T) digest.Store
}

// Run is the contract suite. open gives an empty store and ends it with the test (t.Cleanup); it is called once a test.
func Run(t *testing.T, open func(t *testing.T) digest.Store) {
	groups := []struct {
		name  string
		tests map[string]func(*fixture)
	}{
		{"intake", intakeTests},
		{"incidents", incidentTests},
		{"subscribers", subscriberTests},
		{"editions", editionTests},
		{"alerts", alertTests},
		{"outbox", outboxTests},
		{"bounces", bounceTests},
		{"archive", archiveTests},
		{"sources", sourceTests},
		{"whole", wholeTests},
	}
	for _, g := range groups {
		t.Run(g.name, func(t *testing.T) {
			for name, test := range g.tests {
				t.Run(name, func(t *testing.T) { test(&fixture{T: t, Store: open(t)}) })
			}
		})
	}
}

// wholeTests are about all methods.
var wholeTests = map[string]func(*fixture){
	"a caller who has gone changes nothing": func(f *fixture) {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		for name, err := range map[string]error{
			"AddItems":       second(f.AddItems(ctx, digest.Delivery{Receipt: receipt("k"), Items: []digest.Item{item("a")}})),
			"AddBatch":       second(f.AddBatch(ctx, []digest.Delivery{{Receipt: receipt("k")}})),
			"SetMark":        f.SetMark(ctx, digest.Mark{Inbox: "in"}),
			"AddMessage":     f.AddMessage(ctx, message("m")),
			"SaveSubscriber": second(f.SaveSubscriber(ctx, person("ana"))),
		} {
			if !errors.Is(err, context.Canceled) {
				f.Errorf("%s: %v, want context.Canceled", name, err)
			}
		}
		f.same("dump", dump(f.T, f.Store), dump(f.T, NewMemory()))
	},
	"a closed store is unavailable": func(f *fixture) {
		f.add("k", item("a"))
		f.ok(f.Close())
		for name, err := range map[string]error{
			"AddItems": second(f.AddItems(bg, digest.Delivery{Receipt: receipt("k2")})),
			"Item":     second(f.Item(bg, 1)),
			"Due":      second(f.Due(bg, t0)),
			"Lease":    second(f.Lease(bg, t0, t0, lanes, 1)),
		} {
			f.is(err, digest.ErrUnavailable, name)
		}
	},
	"what comes back is the caller's own": func(f *fixture) {
		it := item("a")
		it.Tags, it.Reasons = []string{"x"}, map[string]digest.Reason{"urgent": "said so"}
		d := digest.Delivery{Receipt: receipt("k"), Items: []digest.Item{it}}
		d.Receipt.Raw = []byte("raw")
		_, err := f.AddItems(bg, d)
		f.ok(err)
		p := f.save(person("ana"))
		f.ok(f.AddMessage(bg, message("m")))
		before := dump(f.T, f.Store)
		d.Receipt.Raw[0], it.Tags[0], it.Reasons["urgent"] = '!', "!", "!"
		p.Subscriptions[0].Projects[0] = "!"
		got := dump(f.T, f.Store)
		got.Receipts[0].Raw[0], got.Items[0].Tags[0], got.Messages[0].Bytes[0] = '!', "!", '!'
		got.Subscribers[0].Subscriptions[0].Projects[0] = "!"
		f.same("dump", dump(f.T, f.Store), before)
	},
	"reopened, everything is there": func(f *fixture) {
		r, ok := f.Store.(Reopener)
		if !ok {
			return // keeps nothing: there is nothing to promise
		}
		fill(f)
		before, key := dump(f.T, f.Store), must(f.InstanceKey(bg))
		f.ok(f.Close())
		f.Store = r.Reopen(f.T)
		f.same("dump", dump(f.T, f.Store), before)
		f.same("instance key", must(f.InstanceKey(bg)), key)
		res := f.add("next", item("a"))
		f.same("next number", res.Items[0].Number, before.Newest+1)
	},
}

// fill leaves something of everything in the store.
func fill(f *fixture) {
	ana := f.save(person("ana"))
	up := urgent("apollo", "check/api", digest.Raise)
	f.add("k1", item("apollo"), up, item("zeus"))
	f.ok(f.SetMark(bg, digest.Mark{Inbox: "updates", UIDValidity: 4294967295, UID: 4294967294, Arrived: t0, Floor: t0, Known: 4294967293,
		Done: 4294967292, Tries: 2}))
	f.ok(f.CommitEdition(bg, digestOf(ana, 0, 0, 3, t0)))
	alert := alertOf(ana.ID, 1, 1, 2, t0)
	f.ok(f.CommitEdition(bg, alert))
	m := f.lease(1)[0]
	lost, err := f.Report(bg, t0, []digest.Report{{ID: m.ID, Lease: m.Lease, State: digest.Delivered, Answer: "250 ok"}})
	f.ok(err)
	f.same("lost", lost, []int64(nil))
	f.lease(1)
	f.ok(f.RecordBounce(bg, bounce(m.MessageID, digest.BounceSoft), suspended(must(f.Subscribers(bg))[0])))
}

// A fixture is one test and its store.
type fixture struct {
	*testing.T
	digest.Store
}

var (
	bg    = context.Background()
	t0    = time.Date(2026, 3, 2, 8, 0, 0, 123456789, time.FixedZone("", 3600)) // finer than a store keeps, and not in UTC
	lanes = []string{digest.LaneAlert, digest.LaneLetter, digest.LaneDigest}
)

func (f *fixture) ok(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

func (f *fixture) is(err, want error, what string) {
	f.Helper()
	if !errors.Is(err, want) {
		f.Errorf("%s: error is %v, want %v", what, err, want)
	}
}

// same compares; empty and nil are the same.
func (f *fixture) same(what string, got, want any) {
	f.Helper()
	if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
		f.Errorf("%s (-want +got):\n%s", what, d)
	}
}

// add adds a delivery of source "hook".
func (f *fixture) add(key string, items ...digest.Item) digest.Result {
	f.Helper()
	res, err := f.AddItems(bg, digest.Delivery{Receipt: receipt(key), Items: items})
	f.ok(err)
	return res
}

func (f *fixture) save(s digest.Subscriber) digest.Subscriber {
	f.Helper()
	s, err := f.SaveSubscriber(bg, s)
	f.ok(err)
	return s
}

func (f *fixture) lease(limit int) []digest.Message {
	f.Helper()
	out, err := f.Lease(bg, t0.Add(time.Hour), t0.Add(2*time.Hour), lanes, limit)
	f.ok(err)
	return out
}

// sub reads one subscription of the only subscriber.
func (f *fixture) sub(i int) digest.Subscription {
	f.Helper()
	people, err := f.Subscribers(bg)
	f.ok(err)
	return people[0].Subscriptions[i]
}

func receipt(key string) digest.Receipt {
	return digest.Receipt{Source: "hook", Tool: "generic", Key: key, State: digest.Accepted, ReceivedAt: t0}
}

func item(project string) digest.Item {
	return digest.Item{Source: "hook", Tool: "generic", Project: project, Kind: digest.KindStatus, Title: "of " + project,
		Body: "body", ReceivedAt: t0}
}

func urgent(project, thread string, step digest.IncidentStep) digest.Item {
	it := item(project)
	it.Urgent, it.Thread, it.Step = true, thread, step
	return it
}

// person is a subscriber with one subscription to everything, due at t0.
func person(name string) digest.Subscriber {
	return digest.Subscriber{Address: name + "@example.com", Name: name, Zone: "Europe/Lisbon", Locale: "en", State: digest.Active,
		Alerts: true, Quiet: "22:00-07:00", Imported: "{}", Subscriptions: []digest.Subscription{
			{Projects: []string{"*"}, Schedule: "daily", NextSlot: t0}}}
}

func message(id string) digest.Message {
	return digest.Message{Channel: digest.ChannelEmail, Lane: digest.LaneLetter, To: "ana@example.com", MessageID: id,
		Subject: "hello", Bytes: []byte("Subject: hello\r\n\r\nhello\r\n"), NextAt: t0, CreatedAt: t0}
}

// digestOf is the digest of a subscription at a slot: numbers from+1 to upTo, cut from that cursor.
func digestOf(s digest.Subscriber, i int, from, upTo int64, slot time.Time) digest.Commit {
	sub := s.Subscriptions[i].ID
	key := digest.DigestKey(sub, slot)
	m := message("<" + key + ">")
	m.Lane = digest.LaneDigest
	return digest.Commit{
		Edition: digest.Edition{ID: digest.EditionID([]byte("test"), key), Occasion: digest.OccasionDigest, Key: key,
			Subscriber: s.ID, Subscription: sub, Slot: slot, From: from + 1, To: upTo, Items: int(upTo - from), Shown: 1,
			CreatedAt: slot.Add(time.Second), MessageID: m.MessageID},
		Message: &m, Cursor: from, NextSlot: slot.Add(24 * time.Hour),
	}
}

// alertOf is the n-th alert of a subscriber about an incident, up to a number.
func alertOf(subscriber, incident int64, n int, upTo int64, now time.Time) digest.Commit {
	key := digest.AlertKey(subscriber, incident, n)
	m := message("<" + key + ">")
	m.Lane = digest.LaneAlert
	return digest.Commit{
		Edition: digest.Edition{ID: digest.EditionID([]byte("test"), key), Occasion: digest.OccasionAlert, Key: key,
			Subscriber: subscriber, From: upTo, To: upTo, Items: 1, Shown: 1, CreatedAt: now, MessageID: m.MessageID},
		Message: &m,
		Marks:   []digest.AlertMark{{Subscriber: subscriber, Incident: incident, N: n, UpTo: upTo, At: now}},
	}
}

// second gives the error of a method with one result.
func second[T any](_ T, err error) error { return err }

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// kept is all that can be read of a store.
type kept struct {
	Newest      int64
	Items       []digest.Item
	Receipts    []digest.Receipt
	Projects    []digest.ProjectCount
	Keys        []string
	Mark        digest.Mark
	Subscribers []digest.Subscriber
	Editions    []digest.Edition
	Messages    []digest.Message
	Alerts      digest.AlertState
	Alerted     []string
	Due         []digest.Due
	NextMessage time.Time
	Bounces     []digest.BounceNote
	Counts      digest.Counts
	SourceHours []digest.SourceHour
	Troubles    []digest.Trouble
}

// tester is what *testing.T and *rapid.T have in common.
type tester interface {
	Helper()
	Fatalf(format string, args ...any)
}

// dump reads everything back.
func dump(t tester, s digest.Store) (k kept) {
	t.Helper()
	var err error
	note := func(what string, e error) {
		if e != nil && !errors.Is(e, digest.ErrNotFound) {
			t.Fatalf("%s: %v", what, e)
		}
	}
	const all = 1 << 20
	k.Newest, err = s.Newest(bg)
	note("Newest", err)
	k.Items, err = s.Items(bg, digest.ItemQuery{Limit: all})
	note("Items", err)
	k.Receipts, err = s.Receipts(bg, "", all)
	note("Receipts", err)
	for i := range k.Receipts {
		k.Receipts[i], err = s.Receipt(bg, k.Receipts[i].ID)
		note("Receipt", err)
	}
	k.Projects, err = s.Projects(bg)
	note("Projects", err)
	k.Keys, err = s.ProjectKeys(bg)
	note("ProjectKeys", err)
	k.Mark, err = s.Mark(bg, "updates")
	note("Mark", err)
	k.Subscribers, err = s.Subscribers(bg)
	note("Subscribers", err)
	k.Editions, err = s.Editions(bg, 0, all)
	note("Editions", err)
	k.Messages, err = s.Messages(bg, nil, all)
	note("Messages", err)
	for i := range k.Messages {
		k.Messages[i], err = s.Message(bg, k.Messages[i].ID)
		note("Message", err)
	}
	k.Alerts, err = s.AlertState(bg, t0.Add(-time.Hour))
	note("AlertState", err)
	for _, p := range k.Subscribers {
		told, err := s.AlertedItems(bg, p.ID, 0, k.Newest)
		note("AlertedItems", err)
		k.Alerted = append(k.Alerted, fmt.Sprint(p.ID, told)) // fmt sorts maps by key
	}
	k.Due, err = s.Due(bg, t0.Add(24*time.Hour))
	note("Due", err)
	k.NextMessage, err = s.NextMessage(bg, lanes)
	note("NextMessage", err)
	k.Bounces, err = s.Bounces(bg, 0, all)
	note("Bounces", err)
	k.Counts, err = s.Counts(bg)
	note("Counts", err)
	k.SourceHours, err = s.SourceHours(bg, t0.Add(-time.Hour))
	note("SourceHours", err)
	k.Troubles, err = s.Troubles(bg)
	note("Troubles", err)
	return k
}
