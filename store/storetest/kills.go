package storetest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"quietpost/digest"
)

// A Survivor is a store as the processes that die upon it leave it: Next gives it as the next process finds it.
type Survivor interface{ Next() digest.Store }

// Kills drives the domain through two days of its life, again and again, and has it die at each call of the store and of
// the mail server in turn, once before and once after it; then it starts anew on what is left. In the end the mails that
// the server took must tell of every item once. What comes twice must be what no care can avoid: the server took it and
// the process died before that was written down. Where all is false it dies only at calls that write, since a read
// changes nothing.
func Kills(t *testing.T, open func(t *testing.T) Survivor, all bool) {
	var calls []Death
	w := newWorld(t, open(t), func(d Death) bool { calls = append(calls, d); return false })
	w.live()
	if n := w.audit(); n != 0 {
		t.Fatalf("%d mails came twice though nobody died", n)
	}
	mails := len(w.mails)
	died, doubles := map[string]int{}, 0
	for i, at := range calls {
		if !all && !writes[at.Method] {
			continue
		}
		died[at.Method]++
		t.Run(fmt.Sprintf("%03d %v", i, at), func(t *testing.T) {
			n := 0
			w := newWorld(t, open(t), func(Death) bool { n++; return n == i+1 })
			w.live()
			if w.deaths != 1 {
				t.Errorf("it died %d times", w.deaths)
			}
			doubles += w.audit()
		})
	}
	for method := range writes {
		if died[method] == 0 {
			t.Errorf("nobody ever died at %s: the story does without it", method)
		}
	}
	t.Logf("%d deaths in a story of %d mails; %d mails came twice", sum(died), mails, doubles)
}

func sum(counts map[string]int) (n int) {
	for _, c := range counts {
		n += c
	}
	return n
}

// writes are the calls that change something.
var writes = map[string]bool{"AddItems": true, "SetMark": true, "SaveSubscriber": true, "SetNextSlot": true, "SettleIncidents": true,
	"CommitEdition": true, "AddMessage": true, "Lease": true, "Report": true, "FreeLeases": true, "Send": true,
	"AddBatch": true, "RecordBounce": true, "SetMessage": true}

// A world is the domain, the people who post, and the mail server.
type world struct {
	t        *testing.T
	ctx      context.Context
	now      time.Time
	survivor Survivor
	dies     func(Death) bool
	crash    *Crash
	deaths   int

	intake  *digest.Intake
	builder *digest.Builder
	sender  *digest.Sender
	desk    *digest.Desk
	set     *digest.Settings

	posted   int
	accepted map[string]int64 // numbers by title, as they were answered
	urgent   map[int64]bool
	inbox    []digest.Item // mails that lie in the inbox, their UID one more than their index

	mails   []digest.Message // that the server took
	refuses int              // how many it does not take for now
	unsure  int              // that it took from somebody who died before it was written down
	taken   bool             // the last attempt, not yet written down, was taken
}

// The people of the story, and which items each wants in digests.
var storyPeople = []struct {
	entry digest.Entry
	wants func(project string) bool
}{
	{digest.Entry{Address: "ana@example.com", Projects: []string{"*"}, Schedule: "0 9 * * *", Alerts: true}, func(string) bool { return true }},
	{digest.Entry{Address: "ben@example.com", Projects: []string{"borea"}, Schedule: "@every 1h"}, func(p string) bool { return p == "borea" }},
	{digest.Entry{Address: "cy@example.com", Projects: []string{"apollo", "post"}, Schedule: "0 9,16 * * *", Alerts: true, Quiet: "22:00-07:00"},
		func(p string) bool { return p != "borea" }},
}

func newWorld(t *testing.T, s Survivor, dies func(Death) bool) *world {
	w := &world{t: t, ctx: context.Background(), now: time.Date(2026, 11, 23, 6, 0, 0, 0, time.UTC), survivor: s, dies: dies,
		accepted: map[string]int64{}, urgent: map[int64]bool{}}
	return w
}

// live is the story. Each line is repeated by who wants it until it is done, whoever dies in between.
func (w *world) live() {
	w.do(w.start)
	w.post(digest.Item{Project: "apollo", Title: "first"})
	w.post(digest.Item{Project: "borea", Title: "second"})
	w.post(digest.Item{Project: "apollo", Title: "fire", Thread: "fire", Urgent: true})
	w.tick(0)
	w.post(digest.Item{Project: "apollo", Title: "more fire", Thread: "fire", Urgent: true})
	w.tick(0)
	w.tick(5 * time.Second)
	w.mail(digest.Item{Project: "post", Title: "by mail"})
	w.mail(digest.Item{Project: "post", Title: "by mail, urgent", Urgent: true, Authenticated: true})
	w.tick(time.Hour) // ben's hour, and the end of cy's quiet hours
	w.post(digest.Item{Project: "apollo", Title: "fire is out", Thread: "fire", State: "resolved"})
	w.tick(10 * time.Minute)
	w.refuses = 2
	w.post(digest.Item{Project: "borea", Title: "third"})
	w.tick(2 * time.Hour) // everybody's slot; two mails are refused for now
	w.retry()
	w.do(func() { w.must(w.builder.Tell(w.ctx, w.now, w.set, "disk", "the disk is full", "Make room.")) })
	w.tick(time.Minute)
	w.bounce("cy@example.com")
	w.post(digest.Item{Project: "apollo", Title: "while cy is suspended"})
	w.tick(time.Minute)
	w.do(func() { _, err := w.desk.Resume(w.ctx, "cy@example.com"); w.must(err) })
	w.do(func() { _, err := w.desk.LeaveDigest(w.ctx, 2, true); w.must(err) })
	w.post(digest.Item{Project: "borea", Title: "while ben is away"})
	w.tick(3 * time.Hour)
	w.do(func() { _, err := w.desk.LeaveDigest(w.ctx, 2, false); w.must(err) })
	w.do(w.reslot)
	w.posts(digest.Item{Project: "apollo", Title: "one of three"}, digest.Item{Project: "borea", Title: "two of three"},
		digest.Item{Project: "post", Title: "three of three"})
	w.post(digest.Item{Project: "apollo", Title: "a second fire", Urgent: true})
	w.tick(time.Hour)
	w.tick(20 * time.Hour) // nobody was there at the slots
	for _, project := range []string{"apollo", "borea", "post"} {
		w.post(digest.Item{Project: project, Title: "last of " + project})
	}
	w.tick(25 * time.Hour)
	w.tick(time.Hour)
}

// do does something until nobody dies at it: who died is started anew.
func (w *world) do(fn func()) {
	for again := true; again; {
		if again = w.died(fn); again {
			for w.died(w.start) {
				continue
			}
		}
	}
}

func (w *world) died(fn func()) (died bool) {
	defer func() {
		if p := recover(); p != nil {
			d, ok := p.(Death)
			if !ok {
				panic(p)
			}
			died = true
			w.deaths++
			if w.taken && (d.Method == "Send" || d.Method == "Report" && !d.After) {
				w.unsure++
			}
			w.taken = false
		}
	}()
	fn()
	return false
}

// start is a process that starts on what is left.
func (w *world) start() {
	w.crash = &Crash{Store: w.survivor.Next(), Dies: w.dies}
	key, err := w.crash.InstanceKey(w.ctx)
	w.must(err)
	w.set = &digest.Settings{Policy: digest.NewPolicy(digest.Policy{}), Top: 100, BaseURL: "https://quiet.test", Instance: key,
		Calendar: digest.Calendar{Zone: time.UTC}, Operators: []string{"op@example.com"},
		Alerts: digest.AlertPolicy{Gather: 5 * time.Second, FollowUpEvery: 5 * time.Minute, MaxPerHour: 12}}
	w.intake = &digest.Intake{Store: w.crash}
	w.builder = &digest.Builder{Store: w.crash, Renderer: plainly{}, Composer: plainly{}}
	w.desk = &digest.Desk{Store: w.crash}
	w.sender = &digest.Sender{Store: w.crash, Transport: w, Owed: &digest.Owed{}, Lanes: []string{digest.LaneAlert, digest.LaneLetter, digest.LaneDigest},
		Timeout: time.Minute, Now: func() time.Time { return w.now }, Jitter: func() float64 { return 0.5 }}
	_, err = w.crash.FreeLeases(w.ctx, w.now)
	w.must(err)
	w.must(w.intake.SetPolicy(w.ctx, w.set.Policy))
	var entries []digest.Entry
	for _, p := range storyPeople {
		entries = append(entries, p.entry)
	}
	_, err = w.desk.Import(w.ctx, entries)
	w.must(err)
	w.reslot()
}

func (w *world) reslot() {
	_, faults, err := w.builder.Reslot(w.ctx, w.now, w.set)
	w.must(errors.Join(append(faults, err)...))
}

// post is a tool that repeats a delivery until it is answered.
func (w *world) post(it digest.Item) {
	w.posted++
	key := fmt.Sprint("key ", w.posted)
	w.do(func() {
		res, err := w.intake.Accept(w.ctx, digest.Delivery{Items: []digest.Item{it}, Receipt: digest.Receipt{Source: "lab",
			Tool: "generic", Key: key, State: digest.Accepted, ReceivedAt: w.now}})
		w.must(err)
		w.note(it, res)
	})
}

// posts is a tool that has much to deliver at once.
func (w *world) posts(items ...digest.Item) {
	var ds []digest.Delivery
	for _, it := range items {
		w.posted++
		ds = append(ds, digest.Delivery{Items: []digest.Item{it}, Receipt: digest.Receipt{Source: "lab", Tool: "generic",
			Key: fmt.Sprint("key ", w.posted), State: digest.Accepted, ReceivedAt: w.now}})
	}
	w.do(func() {
		all, err := w.intake.AcceptBatch(w.ctx, ds)
		w.must(err)
		for i, res := range all {
			w.note(items[i], res)
		}
	})
}

// retry is the operator's word on what waits.
func (w *world) retry() {
	w.do(func() {
		waiting, err := w.crash.Messages(w.ctx, []string{digest.Queued}, 10)
		w.must(err)
		for _, m := range waiting {
			w.must(w.crash.SetMessage(w.ctx, w.now, m.ID, digest.Queued, "asked for"))
		}
	})
}

// bounce is a report that a reader's last mail could not be delivered: they are suspended.
func (w *world) bounce(to string) {
	id := ""
	for _, m := range w.mails {
		if m.To == to {
			id = m.MessageID
		}
	}
	w.do(func() {
		b := &digest.Bounces{Store: w.crash, Instance: w.set.Instance, Policy: digest.DefaultBouncePolicy(), Now: func() time.Time { return w.now }}
		w.must(b.Take(w.ctx, digest.Bounce{MessageID: id, Class: digest.BounceHard, Status: "5.1.1", Text: "no such user", At: w.now}))
	})
}

func (w *world) note(it digest.Item, res digest.Result) {
	number := res.Items[0].Number
	w.accepted[it.Title] = number
	w.urgent[number] = it.Urgent || it.State == "resolved"
}

// mail lays a mail into the inbox, of which the domain reads what lies behind its mark.
func (w *world) mail(it digest.Item) {
	w.inbox = append(w.inbox, it)
	w.do(func() {
		mark, err := w.crash.Mark(w.ctx, "in")
		if errors.Is(err, digest.ErrNotFound) {
			mark = digest.Mark{Inbox: "in", UIDValidity: 1, Floor: w.now}
			err = w.crash.SetMark(w.ctx, mark)
		}
		w.must(err)
		for uid := int(mark.UID); uid < len(w.inbox); uid++ {
			mark.UID++
			res, err := w.intake.Accept(w.ctx, digest.Delivery{Mark: &mark, Items: []digest.Item{w.inbox[uid]}, Receipt: digest.Receipt{
				Source: "in", Tool: digest.MailTool, Key: fmt.Sprint("uid ", mark.UID), State: digest.Accepted, ReceivedAt: w.now}})
			w.must(err)
			w.note(w.inbox[uid], res)
		}
	})
	if w.accepted[it.Title] == 0 { // it was taken in by who died before hearing of it
		items, err := w.crash.Store.Items(w.ctx, digest.ItemQuery{Limit: 1})
		w.must(err)
		if len(items) != 1 || items[0].Title != it.Title {
			w.t.Fatalf("mail %q was passed and is not there: %+v", it.Title, items)
		}
		w.note(it, digest.Result{Items: []digest.ItemRef{{Number: items[0].Number}}})
	}
}

// tick moves the clock and does what the loops do, until nothing is left to do.
func (w *world) tick(later time.Duration) {
	w.now = w.now.Add(later)
	w.do(func() {
		a, err := w.builder.TickAlerts(w.ctx, w.now, w.set)
		w.must(errors.Join(append(a.Faults, err)...))
		d, err := w.builder.TickDigests(w.ctx, w.now, w.set)
		w.must(errors.Join(append(d.Faults, err)...))
		for {
			done, err := w.sender.Batch(w.ctx, w.ctx)
			w.must(err)
			if len(done) == 0 {
				return
			}
		}
	})
}

// Send is the mail server: digest.Transport.
func (w *world) Send(_ context.Context, m *digest.Message) error {
	w.taken = false
	defer w.crash.call("Send")()
	if w.refuses > 0 {
		w.refuses--
		return &digest.SendError{Code: 451, Text: "not now"}
	}
	w.mails = append(w.mails, *m)
	w.taken = true
	return nil
}

// Close is digest.Transport's.
func (w *world) Close() error { return nil }

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}
