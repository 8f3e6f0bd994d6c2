package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"quietpost/digest"
	"quietpost/digest/audit"
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
	"CommitEdition": true, "AddMessage": true, "Lease": true, "Report": true, "FreeLeases": true, "Send": true}

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
	w.do(func() { w.must(w.builder.Tell(w.ctx, w.now, w.set, "disk", "the disk is full", "Make room.")) })
	w.tick(time.Minute)
	w.do(func() { _, err := w.desk.LeaveDigest(w.ctx, 2, true); w.must(err) })
	w.post(digest.Item{Project: "borea", Title: "while ben is away"})
	w.tick(3 * time.Hour)
	w.do(func() { _, err := w.desk.LeaveDigest(w.ctx, 2, false); w.must(err) })
	w.do(w.reslot)
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
			done, err := w.sender.Batch(w.ctx)
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

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// audit holds what the server took against what was accepted, and gives how many mails came twice.
func (w *world) audit() (doubles int) {
	w.t.Helper()
	if len(w.accepted) != w.posted+len(w.inbox) {
		w.t.Errorf("%d items were accepted of %d", len(w.accepted), w.posted+len(w.inbox))
	}
	newest, err := w.crash.Store.Newest(w.ctx)
	w.must(err)
	if newest != int64(len(w.accepted)) {
		w.t.Errorf("%d items are stored, %d were accepted", newest, len(w.accepted))
	}
	for _, p := range storyPeople {
		doubles += w.auditReader(p.entry, p.wants)
	}
	letters := map[string]int{}
	for _, m := range w.mails {
		if m.To == "op@example.com" {
			letters[m.MessageID]++
		}
	}
	for _, n := range letters {
		doubles += n - 1
	}
	if len(letters) != 1 {
		w.t.Errorf("the operator was told %d times", len(letters))
	}
	if doubles != w.unsure {
		w.t.Errorf("%d mails came twice, of which SMTP's gap explains %d", doubles, w.unsure)
	}
	return doubles
}

func (w *world) auditReader(e digest.Entry, wants func(string) bool) int {
	w.t.Helper()
	var mails []audit.Mail
	seen := map[string]bool{}
	digests, alerts := map[int64]int{}, map[int64]int{} // how often each number was told
	for i := range w.mails {
		m := &w.mails[i]
		if m.To != e.Address {
			continue
		}
		a, ok, err := audit.Read(m.Bytes)
		if err != nil || !ok {
			w.t.Fatalf("%s got no edition: %v\n%s", e.Address, err, m.Bytes)
		}
		mails = append(mails, a)
		if seen[a.MessageID] {
			continue
		}
		seen[a.MessageID] = true
		for _, n := range told(m.Bytes) {
			if a.To == 0 {
				alerts[n]++
			} else if digests[n]++; n < a.From || n > a.To {
				w.t.Errorf("%s: the digest of %d-%d tells %d", e.Address, a.From, a.To, n)
			}
		}
	}
	r := audit.Check(mails)
	for _, f := range r.Faults {
		w.t.Errorf("%s: %s", e.Address, f)
	}
	if len(r.Series) != 1 || r.Series[0].From != 1 {
		w.t.Errorf("%s: digests %+v", e.Address, r.Series)
	}
	items, err := w.crash.Store.Items(w.ctx, digest.ItemQuery{Limit: 1000})
	w.must(err)
	for _, it := range items {
		inDigest, inAlert := 0, 0
		if wants(it.Project) {
			inDigest = 1
			if w.urgent[it.Number] && e.Alerts {
				inAlert = 1
			}
		}
		if digests[it.Number] != inDigest || alerts[it.Number] != inAlert || w.accepted[it.Title] != it.Number {
			w.t.Errorf("%s: %q, accepted as %d, is number %d and stands in %d digests and %d alerts", e.Address, it.Title,
				w.accepted[it.Title], it.Number, digests[it.Number], alerts[it.Number])
		}
	}
	return r.Doubles
}

// told are the numbers that a mail of plainly tells.
func told(raw []byte) (numbers []int64) {
	_, body, _ := strings.Cut(string(raw), "\r\n\r\n")
	for _, f := range strings.Fields(body) {
		var n int64
		if _, err := fmt.Sscanf(f, "#%d", &n); err == nil {
			numbers = append(numbers, n)
		}
	}
	return numbers
}

// plainly is a Renderer and a Composer that write numbers, and the fields that audits read.
type plainly struct{}

func (plainly) Digest(v *digest.View) (digest.Rendered, error) {
	var numbers []int64
	g := &v.Grouping
	for _, s := range append([]digest.Section{{Lines: g.Needs}, {Lines: g.Decisions}}, g.Sections...) {
		for _, l := range s.Lines {
			numbers = append(numbers, l.Numbers...)
		}
	}
	return digest.Rendered{Subject: v.Subject, Text: list(numbers)}, nil
}

func (plainly) Alert(v *digest.View) (digest.Rendered, error) {
	var numbers []int64
	for _, a := range v.Alerts {
		for _, it := range a.Items {
			numbers = append(numbers, it.Number)
		}
	}
	return digest.Rendered{Subject: v.Subject, Text: list(numbers)}, nil
}

func list(numbers []int64) string {
	var b strings.Builder
	for _, n := range slices.Sorted(slices.Values(numbers)) {
		fmt.Fprintf(&b, "#%d ", n)
	}
	return b.String()
}

func (plainly) Host() string { return "quiet.test" }

func (plainly) Compose(l *digest.Letter) ([]byte, error) {
	fields := []string{"Message-ID: <" + l.MessageID + ">", "Subject: " + l.Subject}
	if l.Edition != "" {
		fields = append(fields, "X-Quietpost-Edition: "+l.Edition, "List-ID: "+l.ListID)
	}
	if l.Window != "" {
		fields = append(fields, "X-Quietpost-Window: "+l.Window)
	}
	return []byte(strings.Join(fields, "\r\n") + "\r\n\r\n" + l.Text), nil
}

// Close is digest.Transport's.
func (w *world) Close() error { return nil }
