package digest_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"quietpost/digest"
	"quietpost/store/storetest"
)

// house is the domain on a store in memory, with a clock that the test moves and a mail server that is a slice.
type house struct {
	t       *testing.T
	ctx     context.Context
	now     time.Time
	store   digest.Store
	intake  *digest.Intake
	builder *digest.Builder
	desk    *digest.Desk
	sender  *digest.Sender
	set     *digest.Settings
	server  *server
	n       int
}

// server is a Transport whose answer the test sets.
type server struct {
	mails  []digest.Message
	answer func(m *digest.Message) error
}

func (s *server) Send(_ context.Context, m *digest.Message) error {
	if s.answer != nil {
		if err := s.answer(m); err != nil {
			return err
		}
	}
	s.mails = append(s.mails, *m)
	return nil
}
func (s *server) Close() error { return nil }

// words is a Renderer that lists titles, and a Composer that adds the headers that matter.
type words struct{ panics bool }

func (w *words) Digest(v *digest.View) (digest.Rendered, error) {
	if w.panics {
		panic("a template fault")
	}
	var b strings.Builder
	g := &v.Grouping
	for _, s := range append([]digest.Section{{Lines: g.Needs}, {Lines: g.Decisions}}, g.Sections...) {
		for _, l := range s.Lines {
			fmt.Fprintf(&b, "%s: %s x%d alerted=%v\n", l.Project, l.Title, l.Count, l.Alerted)
		}
	}
	if b.Len() > 400 {
		return digest.Rendered{}, digest.ErrTooLarge
	}
	fmt.Fprintf(&b, "late=%v more=%d", v.Edition.Late, g.More)
	return digest.Rendered{Subject: v.Subject, Text: b.String()}, nil
}

func (w *words) Alert(v *digest.View) (digest.Rendered, error) {
	var b strings.Builder
	for _, a := range v.Alerts {
		for _, it := range a.Items {
			fmt.Fprintf(&b, "%s: %s\n", a.Project, it.Title)
		}
	}
	return digest.Rendered{Subject: v.Subject, Text: b.String()}, nil
}
func (w *words) Host() string { return "quiet.test" }
func (w *words) Compose(l *digest.Letter) ([]byte, error) {
	return fmt.Appendf(nil, "Window: %s\nReferences: %v\n%s", l.Window, l.References, l.Text), nil
}

func newHouse(t *testing.T, people ...digest.Entry) *house {
	h := &house{t: t, ctx: context.Background(), now: time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC), store: storetest.NewMemory(), server: &server{}}
	t.Cleanup(func() { h.store.Close() })
	key, err := h.store.InstanceKey(h.ctx)
	h.must(err)
	h.set = &digest.Settings{Policy: digest.NewPolicy(digest.Policy{}), Top: 20, BaseURL: "https://quiet.test", Instance: key,
		Calendar: digest.Calendar{Zone: time.UTC, Named: map[string]string{"daily": "0 9 * * *"}},
		Alerts:   digest.AlertPolicy{Gather: 5 * time.Second, FollowUpEvery: 5 * time.Minute, MaxPerHour: 12}}
	h.intake = &digest.Intake{Store: h.store}
	h.must(h.intake.SetPolicy(h.ctx, h.set.Policy))
	w := &words{}
	h.builder = &digest.Builder{Store: h.store, Renderer: w, Composer: w}
	h.desk = &digest.Desk{Store: h.store}
	h.sender = &digest.Sender{Store: h.store, Transport: h.server, Owed: &digest.Owed{}, Lanes: []string{digest.LaneAlert, digest.LaneDigest},
		Timeout: time.Minute, Now: func() time.Time { return h.now }, Jitter: func() float64 { return 0.5 }}
	_, err = h.desk.Import(h.ctx, people)
	h.must(err)
	h.reslot()
	return h
}

func (h *house) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) reslot() {
	h.t.Helper()
	_, faults, err := h.builder.Reslot(h.ctx, h.now, h.set)
	h.must(errors.Join(append(faults, err)...))
}

// post takes in one item as a webhook would bring it.
func (h *house) post(it digest.Item) digest.Result {
	h.t.Helper()
	h.n++
	res, err := h.intake.Accept(h.ctx, digest.Delivery{Items: []digest.Item{it}, Receipt: digest.Receipt{Source: "lab",
		Tool: "generic", Key: fmt.Sprint("key ", h.n), State: digest.Accepted, ReceivedAt: h.now}})
	h.must(err)
	return res
}

// tick does what the loops do at one moment, and gives the mails that left.
func (h *house) tick() []string {
	h.t.Helper()
	a, err := h.builder.TickAlerts(h.ctx, h.now, h.set)
	h.must(err)
	d, err := h.builder.TickDigests(h.ctx, h.now, h.set)
	h.must(err)
	h.must(errors.Join(append(a.Faults, d.Faults...)...))
	before := len(h.server.mails)
	for {
		done, err := h.sender.Batch(h.ctx, h.ctx)
		h.must(err)
		if len(done) == 0 {
			break
		}
	}
	var got []string
	for _, m := range h.server.mails[before:] {
		got = append(got, m.Subject+"\n"+string(m.Bytes))
	}
	return got
}

func (h *house) at(clock string) *house {
	h.t.Helper()
	t, err := time.Parse("2006-01-02 15:04:05", clock)
	h.must(err)
	h.now = t
	return h
}

var anaEntry = digest.Entry{Address: "ana@example.com", Projects: []string{"*"}, Schedule: "daily", Alerts: true}

func (h *house) want(mails []string, parts ...string) {
	h.t.Helper()
	if len(mails) != len(parts) {
		h.t.Fatalf("%d mails, want %d:\n%s", len(mails), len(parts), strings.Join(mails, "\n---\n"))
	}
	for i, p := range parts {
		for _, want := range strings.Split(p, "|") {
			if !slices.ContainsFunc(mails[i:i+1], func(s string) bool { return strings.Contains(s, want) }) {
				h.t.Errorf("mail %d lacks %q:\n%s", i, want, mails[i])
			}
		}
	}
}

func TestADayOfAnItem(t *testing.T) {
	h := newHouse(t, anaEntry)
	h.post(digest.Item{Project: "apollo", Title: "Backup done"})
	h.want(h.at("2026-11-23 08:59:59").tick())
	h.want(h.at("2026-11-23 09:00:00").tick(), "apollo: Backup done|Window: 1-1|late=false")
	h.want(h.at("2026-11-24 09:00:00").tick()) // empty: nothing is sent
	h.post(digest.Item{Project: "apollo", Title: "Two"})
	h.post(digest.Item{Project: "apollo", Title: "Three"})
	h.want(h.at("2026-11-25 09:16:00").tick(), "Window: 2-3|late=true")
	h.want(h.tick())
}

func TestSlotsMissedWhileDownGiveOneEdition(t *testing.T) {
	h := newHouse(t, anaEntry)
	h.post(digest.Item{Project: "apollo", Title: "One"})
	h.want(h.at("2026-11-29 09:05:00").tick(), "Window: 1-1|late=false")
	eds, err := h.store.Editions(h.ctx, 0, 10)
	h.must(err)
	if len(eds) != 1 || !eds[0].Slot.Equal(time.Date(2026, 11, 29, 9, 0, 0, 0, time.UTC)) {
		t.Errorf("%+v", eds)
	}
}

func TestAClockThatIsSetBackRepeatsNothing(t *testing.T) {
	h := newHouse(t, anaEntry)
	h.post(digest.Item{Project: "apollo", Title: "One"})
	h.want(h.at("2030-01-01 09:00:00").tick(), "One")
	h.at("2026-11-23 08:59:00").reslot()
	h.post(digest.Item{Project: "apollo", Title: "Two"})
	h.want(h.at("2026-11-23 09:00:00").tick(), "Two|Window: 2-2")
	h.at("2026-11-23 08:58:00").reslot()
	h.want(h.at("2026-11-23 09:00:00").tick())
	h.post(digest.Item{Project: "apollo", Title: "Three"})
	h.want(h.at("2026-11-24 09:00:00").tick(), "Three|Window: 3-3")
}

func TestUrgentLeavesAtOnceAndIsSmallInTheDigest(t *testing.T) {
	h := newHouse(t, anaEntry)
	h.post(digest.Item{Project: "apollo", Title: "Disk full", Urgent: true, Thread: "disk"})
	h.want(h.tick(), "[urgent] apollo: Disk full|References: [")
	h.want(h.tick())
	h.post(digest.Item{Project: "apollo", Title: "Quiet one"})
	h.want(h.at("2026-11-23 09:00:00").tick(), "Disk full x1 alerted=true|Quiet one")
}

// seeing keeps what alerts are made from.
type seeing struct {
	words
	views []digest.View
}

func (s *seeing) Alert(v *digest.View) (digest.Rendered, error) {
	s.views = append(s.views, *v)
	return s.words.Alert(v)
}

// TestAnAlertNamesTheNextDigest: each mail says when the next one comes.
func TestAnAlertNamesTheNextDigest(t *testing.T) {
	h := newHouse(t, anaEntry)
	s := &seeing{}
	h.builder.Renderer = s
	h.post(digest.Item{Project: "apollo", Title: "Fire", Urgent: true})
	h.tick()
	if len(s.views) != 1 || !s.views[0].NextAt.Equal(h.who("ana@example.com").Subscriptions[0].NextSlot) || s.views[0].Schedule != "every day at 09:00" {
		t.Errorf("%+v", s.views)
	}
}

func TestUrgentThatNoServerTookIsTheDigestsInFull(t *testing.T) {
	h := newHouse(t, anaEntry)
	h.server.answer = func(m *digest.Message) error {
		if m.Lane == digest.LaneAlert {
			return errors.New("connection refused")
		}
		return nil
	}
	h.post(digest.Item{Project: "apollo", Title: "Disk full", Urgent: true})
	h.want(h.tick())
	h.want(h.at("2026-11-23 09:00:00").tick(), "Disk full x1 alerted=false")
}

func TestServerDownForADay(t *testing.T) {
	h := newHouse(t, anaEntry)
	down := true
	h.server.answer = func(*digest.Message) error {
		if down {
			return errors.New("connection refused")
		}
		return nil
	}
	h.post(digest.Item{Project: "apollo", Title: "One"})
	h.at("2026-11-23 09:00:00")
	for range 24 * 12 {
		h.want(h.tick())
		h.now = h.now.Add(5 * time.Minute)
	}
	down = false
	h.now = h.now.Add(3 * time.Hour)
	h.want(h.tick(), "One")
	h.want(h.tick())
}

func TestWhatOneReaderBreaksStopsNoOther(t *testing.T) {
	h := newHouse(t, digest.Entry{Address: "bad@example.com", Projects: []string{"*"}, Schedule: "daily"}, anaEntry)
	h.post(digest.Item{Project: "apollo", Title: "One"})
	h.set.Calendar.Named = map[string]string{"daily": "0 9 * * *"}
	h.server.answer = func(m *digest.Message) error {
		if m.To == "bad@example.com" {
			return &digest.SendError{Code: 550, Text: "no such user", Permanent: true}
		}
		return nil
	}
	h.want(h.at("2026-11-23 09:00:00").tick(), "One")
	failed, err := h.store.Messages(h.ctx, []string{digest.Failed}, 10)
	h.must(err)
	if len(failed) != 1 || !strings.Contains(failed[0].Answer, "no such user") {
		t.Errorf("%+v", failed)
	}
}

func TestATemplateThatFailsKeepsNoNews(t *testing.T) {
	h := newHouse(t, anaEntry)
	h.builder.Renderer.(*words).panics = true
	h.post(digest.Item{Project: "apollo", Title: "One"})
	h.want(h.at("2026-11-23 09:00:00").tick(), "- apollo: One|https://quiet.test/l/d.")
}

func TestADigestThatIsTooLargeShowsFewerLines(t *testing.T) {
	h := newHouse(t, anaEntry)
	for n := range 30 {
		h.post(digest.Item{Project: "apollo", Title: fmt.Sprint("item ", n, strings.Repeat("x", 20))})
	}
	h.want(h.at("2026-11-23 09:00:00").tick(), "Window: 1-30|more=25")
}

func TestADigestOfTooManyProjectsShowsTheWeightiest(t *testing.T) {
	h := newHouse(t, anaEntry)
	for n := range 64 {
		h.post(digest.Item{Project: fmt.Sprint("p", n), Title: "Backup done"})
	}
	h.post(digest.Item{Project: "zeta", Title: "Disk nearly full", Thread: "disk"})
	h.post(digest.Item{Project: "zeta", Title: "Disk full", Thread: "disk"})
	h.want(h.at("2026-11-23 09:00:00").tick(), "Window: 1-66|zeta: Disk full|more=57")
}

func TestLeavingAndComingBack(t *testing.T) {
	h := newHouse(t, anaEntry)
	_, err := h.desk.LeaveDigest(h.ctx, 1, true)
	h.must(err)
	h.post(digest.Item{Project: "apollo", Title: "One"})
	h.post(digest.Item{Project: "apollo", Title: "Fire", Urgent: true})
	h.want(h.at("2026-11-23 09:00:00").tick(), "[urgent]")
	_, err = h.desk.LeaveAlerts(h.ctx, 1, true)
	h.must(err)
	h.post(digest.Item{Project: "apollo", Title: "Fire 2", Urgent: true})
	h.want(h.at("2026-11-24 09:00:00").tick())
	_, err = h.desk.Import(h.ctx, []digest.Entry{anaEntry}) // the file overwrites no person's word
	h.must(err)
	h.reslot()
	h.want(h.at("2026-11-25 09:00:00").tick())
	_, err = h.desk.LeaveDigest(h.ctx, 1, false)
	h.must(err)
	h.reslot()
	h.want(h.at("2026-11-26 09:00:00").tick(), "One|Window: 1-3")
	if _, err := h.desk.LeaveDigest(h.ctx, 99, true); !errors.Is(err, digest.ErrNotFound) {
		t.Errorf("got %v", err)
	}
}

func TestTheFileIsFollowedWhereThePersonChangedNothing(t *testing.T) {
	h := newHouse(t, anaEntry)
	e := anaEntry
	e.Name, e.Zone, e.Projects = "Ana", "Europe/Lisbon", []string{"apollo"}
	c, err := h.desk.Import(h.ctx, []digest.Entry{e})
	h.must(err)
	people, err := h.store.Subscribers(h.ctx)
	h.must(err)
	p := people[0]
	if c.Changed != 1 || p.Name != "Ana" || p.Zone != "Europe/Lisbon" || p.Subscriptions[0].Projects[0] != "apollo" {
		t.Errorf("%+v %+v", c, p)
	}
	p.Zone = "Asia/Tokyo" // the person moved
	_, err = h.store.SaveSubscriber(h.ctx, p)
	h.must(err)
	e.Zone, e.Name = "Europe/Madrid", "Ana B."
	_, err = h.desk.Import(h.ctx, []digest.Entry{e})
	h.must(err)
	people, err = h.store.Subscribers(h.ctx)
	h.must(err)
	if p = people[0]; p.Zone != "Asia/Tokyo" || p.Name != "Ana B." {
		t.Errorf("%+v", p)
	}
}

func TestStoppingGivesTheBatchBack(t *testing.T) {
	h := newHouse(t, anaEntry, digest.Entry{Address: "ben@example.com", Projects: []string{"*"}, Schedule: "daily"})
	h.post(digest.Item{Project: "apollo", Title: "One"})
	h.at("2026-11-23 09:00:00")
	_, err := h.builder.TickDigests(h.ctx, h.now, h.set)
	h.must(err)
	ctx, stop := context.WithCancel(h.ctx)
	h.server.answer = func(*digest.Message) error { stop(); return nil }
	if _, err := h.sender.Batch(ctx, ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	h.server.answer = nil
	h.want(h.tick(), "One")
	if len(h.server.mails) != 2 {
		t.Errorf("%d mails", len(h.server.mails))
	}
}
