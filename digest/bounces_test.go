package digest_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"quietpost/digest"
)

// bounces are the house's, hooked to its sender; told counts what was heard.
func (h *house) bounces(told *[]string) *digest.Bounces {
	b := &digest.Bounces{Store: h.store, Instance: h.set.Instance, Policy: digest.DefaultBouncePolicy(), Now: func() time.Time { return h.now },
		Recorded: func(_ context.Context, b digest.Bounce, who *digest.Subscriber, suspended bool, failing int) {
			*told = append(*told, fmt.Sprintf("%s %s suspended=%v failing=%d", who.Address, b.Class, suspended, failing))
		}}
	h.sender.Bounced = b.Take
	return b
}

func (h *house) who(address string) digest.Subscriber {
	h.t.Helper()
	people, err := h.store.Subscribers(h.ctx)
	h.must(err)
	for _, p := range people {
		if p.Address == address {
			return p
		}
	}
	h.t.Fatalf("no %s", address)
	return digest.Subscriber{}
}

func noSuchUser(m *digest.Message) error {
	return &digest.SendError{Code: 550, Enhanced: "5.1.1", Text: "no such user", Permanent: true, About: digest.AboutRecipient}
}

func TestAHardBounceSuspendsAndResumingBringsAll(t *testing.T) {
	h := newHouse(t, anaEntry)
	var told []string
	h.bounces(&told)
	h.server.answer = noSuchUser
	h.post(digest.Item{Project: "apollo", Title: "One"})
	h.want(h.at("2026-11-23 09:00:00").tick())
	ana := h.who("ana@example.com")
	if ana.State != digest.Suspended || ana.Bounces.Reason != "the address does not take mail: 5.1.1 no such user" || !ana.Bounces.SuspendedAt.Equal(h.now) {
		t.Fatalf("%+v", ana)
	}
	if strings.Join(told, ";") != "ana@example.com hard suspended=true failing=0" {
		t.Error(told)
	}
	h.server.answer = nil
	h.post(digest.Item{Project: "apollo", Title: "Two"})
	h.post(digest.Item{Project: "apollo", Title: "Fire", Urgent: true})
	h.want(h.at("2026-11-24 09:00:00").tick()) // neither digest nor alert, and the cursor stands still
	if c := h.who("ana@example.com").Subscriptions[0].Cursor; c != 1 {
		t.Errorf("the cursor moved to %d", c)
	}
	_, err := h.desk.Resume(h.ctx, "ana@example.com")
	h.must(err)
	if got := h.who("ana@example.com"); got.State != digest.Active || got.Bounces != (digest.BounceRecord{}) {
		t.Errorf("%+v", got)
	}
	h.want(h.tick(), "Fire x1 alerted=false|Two|Window: 2-3")
}

func TestADeliveryReportSuspendsByItsToken(t *testing.T) {
	h := newHouse(t, anaEntry)
	var told []string
	b := h.bounces(&told)
	h.post(digest.Item{Project: "apollo", Title: "One"})
	h.want(h.at("2026-11-23 09:00:00").tick(), "One")
	token := digest.Token(h.set.Instance, digest.TokenBounce, "1")
	for name, forged := range map[string]digest.Bounce{
		"no evidence":      {Address: "ana@example.com", Class: digest.BounceHard},
		"a made up token":  {Address: "ana@example.com", Class: digest.BounceHard, Token: "b.1.aaaaaaaaaaaaaaaaaaaaaaaa"},
		"another purpose":  {Class: digest.BounceHard, Token: digest.Token(h.set.Instance, digest.TokenEdition, "1")},
		"no such message":  {Class: digest.BounceHard, Token: digest.Token(h.set.Instance, digest.TokenBounce, "99")},
		"no number":        {Class: digest.BounceHard, Token: digest.Token(h.set.Instance, digest.TokenBounce, "x")},
		"another's domain": {Class: digest.BounceHard, MessageID: strings.Split(h.server.mails[0].MessageID, "@")[0] + "@evil.example"},
	} {
		if err := b.Take(h.ctx, forged); !errors.Is(err, digest.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	h.must(b.Take(h.ctx, digest.Bounce{Class: digest.BounceDelayed, Token: token}))
	if s := h.who("ana@example.com").State; s != digest.Active {
		t.Fatal(s)
	}
	report := digest.Bounce{Class: digest.BounceHard, Token: token, Status: "5.1.1", Text: "User unknown"}
	h.must(b.Take(h.ctx, report))
	if m, err := h.store.Message(h.ctx, 1); err != nil || m.State != digest.Bounced || m.Answer != "5.1.1 User unknown" {
		t.Errorf("%+v %v", m, err)
	}
	if s := h.who("ana@example.com").State; s != digest.Suspended {
		t.Error(s)
	}
	_, err := h.desk.Lift(h.ctx, 1)
	h.must(err)
	h.must(b.Take(h.ctx, report)) // read twice
	if s := h.who("ana@example.com").State; s != digest.Active {
		t.Errorf("a report that was read twice counted twice: %s", s)
	}
	ana := h.who("ana@example.com")
	ana.State = digest.Paused
	_, err = h.store.SaveSubscriber(h.ctx, ana)
	h.must(err)
	h.must(b.Take(h.ctx, digest.Bounce{Class: digest.BounceSoft, Token: token}))
	h.must(b.Take(h.ctx, digest.Bounce{Class: digest.BounceFull, Token: token}))
	if got := h.who("ana@example.com"); got.State != digest.Paused || !got.Bounces.SuspendedAt.IsZero() {
		t.Errorf("a bounce overrode a person's word: %+v", got)
	}
	_, err = h.desk.Resume(h.ctx, "ana@example.com")
	h.must(err)
	byID := digest.Bounce{Class: digest.BounceComplaint, MessageID: h.server.mails[0].MessageID}
	h.must(b.Take(h.ctx, byID))
	if s := h.who("ana@example.com").State; s != digest.Suspended || len(told) != 4 {
		t.Error(s, told)
	}
}

func TestManyFailingAtOnceAreToldAndNotAllSuspended(t *testing.T) {
	var people []digest.Entry
	for n := range 20 { // a tenth are two, which are not many
		people = append(people, digest.Entry{Address: fmt.Sprintf("p%02d@example.com", n), Projects: []string{"*"}, Schedule: "daily"})
	}
	h := newHouse(t, people...)
	var told []string
	h.bounces(&told)
	h.server.answer = noSuchUser
	h.post(digest.Item{Project: "apollo", Title: "One"})
	h.at("2026-11-23 09:00:00").tick()
	c, err := h.store.Counts(h.ctx)
	h.must(err)
	if c.Subscribers[digest.Suspended] != 5 || c.Subscribers[digest.Active] != 15 {
		t.Errorf("%v", c.Subscribers)
	}
	if len(told) != 20 || !strings.HasSuffix(told[3], "failing=0") || !strings.HasSuffix(told[4], "failing=5") || !strings.HasSuffix(told[19], "suspended=false failing=20") {
		t.Error(strings.Join(told, "\n"))
	}
}

func TestResumeIsNotForWhoLeft(t *testing.T) {
	h := newHouse(t, anaEntry)
	ana := h.who("ana@example.com")
	for state, want := range map[string]error{digest.Left: digest.ErrConflict, digest.Pending: digest.ErrConflict, digest.Paused: nil, digest.Active: nil} {
		ana = h.who("ana@example.com")
		ana.State = state
		_, err := h.store.SaveSubscriber(h.ctx, ana)
		h.must(err)
		if _, err := h.desk.Resume(h.ctx, "ana@example.com"); !errors.Is(err, want) {
			t.Errorf("%s: %v", state, err)
		}
		if got := h.who("ana@example.com").State; got != state && (want != nil || got != digest.Active) {
			t.Errorf("%s became %s", state, got)
		}
	}
	if _, err := h.desk.Resume(h.ctx, "eve@example.com"); !errors.Is(err, digest.ErrNotFound) {
		t.Error(err)
	}
}

func TestAServerAtFaultIsNotAskedForEachMail(t *testing.T) {
	var people []digest.Entry
	for n := range 100 {
		people = append(people, digest.Entry{Address: fmt.Sprintf("p%02d@example.com", n), Projects: []string{"*"}, Schedule: "daily"})
	}
	h := newHouse(t, people...)
	asked, down := 0, true
	h.server.answer = func(*digest.Message) error {
		asked++
		if down {
			return &digest.SendError{Code: 421, Text: "too many connections", About: digest.AboutServer}
		}
		return nil
	}
	h.post(digest.Item{Project: "apollo", Title: "One"})
	h.at("2026-11-23 09:00:00")
	for range 24 * 60 * 12 { // a day
		h.tick()
		h.now = h.now.Add(5 * time.Second)
	}
	if asked < 20*60 || asked > 30*60 {
		t.Errorf("%d attempts in a day without a server", asked)
	}
	tried, counted := asked, 0
	for n := range int64(100) {
		m, err := h.store.Message(h.ctx, n+1)
		h.must(err)
		counted += m.Attempts
	}
	if counted != tried {
		t.Errorf("%d attempts are counted, %d were made", counted, tried)
	}
	down = false
	h.now = h.now.Add(time.Minute)
	h.tick()
	for range 3 {
		h.now = h.now.Add(2 * time.Hour) // the one that was tried has its own backoff
		h.tick()
	}
	seen := map[string]int{}
	for _, m := range h.server.mails {
		seen[m.To]++
	}
	if len(seen) != 100 || len(h.server.mails) != 100 {
		t.Errorf("%d mails to %d people", len(h.server.mails), len(seen))
	}
}

func TestSendNow(t *testing.T) {
	h := newHouse(t, anaEntry)
	h.post(digest.Item{Project: "apollo", Title: "One"})
	h.at("2026-11-23 08:30:00")
	next := h.who("ana@example.com").Subscriptions[0].NextSlot
	p, err := h.builder.Preview(h.ctx, h.now, h.set, "ana@example.com", time.Time{})
	h.must(err)
	if len(p) != 1 || !strings.Contains(p[0].Rendered.Text, "apollo: One") || !strings.Contains(string(p[0].Message.Bytes), "Window: 1-1") {
		t.Fatalf("%+v", p)
	}
	h.want(h.tick()) // a preview changes nothing
	_, err = h.builder.SendNow(h.ctx, h.now, h.set, "ana@example.com")
	h.must(err)
	h.want(h.tick(), "One|Window: 1-1")
	if s := h.who("ana@example.com").Subscriptions[0]; s.Cursor != 1 || s.MailedTo != 1 || !s.NextSlot.Equal(next) || !s.LastSlot.Equal(h.now) {
		t.Errorf("%+v", s)
	}
	h.now = h.now.Add(time.Minute)
	got, err := h.builder.SendNow(h.ctx, h.now, h.set, "ana@example.com")
	h.must(err)
	if got[0].Message != nil || !got[0].Edition.Empty {
		t.Errorf("%+v", got)
	}
	h.want(h.tick())
	h.reslot()
	h.want(h.at("2026-11-23 09:00:00").tick()) // the slot comes, and is empty
}

func TestCatchUpMovesNothing(t *testing.T) {
	h := newHouse(t, anaEntry)
	for n := range 5000 { // more than is looked at in one go
		if n == 4000 {
			h.at("2026-11-24 08:00:00")
		}
		h.post(digest.Item{Project: "apollo", Title: "item " + strconv.Itoa(n), Thread: "t"})
	}
	h.at("2026-11-24 09:00:00").tick()
	before := h.who("ana@example.com")
	_, err := h.builder.CatchUp(h.ctx, h.now, h.set, "ana@example.com", nil, time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC))
	h.must(err)
	h.want(h.tick(), "x1000|Window: \n")
	if after := h.who("ana@example.com"); after.Subscriptions[0].Cursor != before.Subscriptions[0].Cursor || after.Revision != before.Revision {
		t.Errorf("%+v", after)
	}
	if _, err := h.builder.CatchUp(h.ctx, h.now, h.set, "eve@example.com", nil, h.now); !errors.Is(err, digest.ErrNotFound) {
		t.Error(err)
	}
	before.State = digest.Paused
	_, err = h.store.SaveSubscriber(h.ctx, before)
	h.must(err)
	if _, err := h.builder.SendNow(h.ctx, h.now, h.set, "ana@example.com"); !errors.Is(err, digest.ErrConflict) {
		t.Error(err)
	}
}

// TestAClockThatIsSetWhileAMailIsOnItsWay: what another sender holds is not taken, however long it seems to have been.
func TestAClockThatIsSetWhileAMailIsOnItsWay(t *testing.T) {
	for _, jump := range []time.Duration{time.Hour, 20 * time.Hour, -20 * time.Hour} {
		h := newHouse(t, anaEntry)
		other := *h.sender
		sent := 0
		h.server.answer = func(*digest.Message) error {
			if sent++; sent == 1 {
				h.now = h.now.Add(jump)
				if done, err := other.Batch(h.ctx, h.ctx); err != nil || len(done) > 0 {
					t.Errorf("after %v another sender did %v, %v", jump, done, err)
				}
			}
			return nil
		}
		h.post(digest.Item{Project: "apollo", Title: "Fire", Urgent: true})
		h.tick()
		if sent != 1 {
			t.Errorf("after %v it was sent %d times", jump, sent)
		}
	}
}

// TestAFaultInTheProgramHoldsNothingUp: the mail at which it happens is tried again later, and the others of its batch leave.
func TestAFaultInTheProgramHoldsNothingUp(t *testing.T) {
	h := newHouse(t, anaEntry, digest.Entry{Address: "ben@example.com", Projects: []string{"*"}, Schedule: "daily", Alerts: true})
	h.server.answer = func(m *digest.Message) error {
		if m.To == "ana@example.com" {
			panic("a bad mail")
		}
		return nil
	}
	h.post(digest.Item{Project: "apollo", Title: "Fire", Urgent: true})
	_, err := h.builder.TickAlerts(h.ctx, h.now, h.set)
	h.must(err)
	if _, err := h.sender.Batch(h.ctx, h.ctx); err == nil || !strings.Contains(err.Error(), "a bad mail") {
		t.Errorf("%v", err)
	}
	if done, err := h.sender.Batch(h.ctx, h.ctx); err != nil || len(done) != 1 || done[0].Message.To != "ben@example.com" {
		t.Errorf("%v %v", done, err)
	}
	m, err := h.store.Message(h.ctx, 1)
	h.must(err)
	if m.State != digest.Queued || m.Attempts != 1 || !strings.Contains(m.Answer, "a bad mail") || !m.NextAt.After(h.now) {
		t.Errorf("%+v", m)
	}
}

// TestOneConnectionLetsAlertsPass: with a lease of one, an alert waits for one digest at most.
func TestOneConnectionLetsAlertsPass(t *testing.T) {
	var people []digest.Entry
	for n := range 20 {
		people = append(people, digest.Entry{Address: fmt.Sprintf("p%02d@example.com", n), Projects: []string{"*"}, Schedule: "daily", Alerts: n == 0})
	}
	h := newHouse(t, people...)
	h.sender.Most = 1
	h.server.answer = func(*digest.Message) error {
		if len(h.server.mails) == 3 && h.n == 1 { // while the digests are on their way
			h.post(digest.Item{Project: "apollo", Title: "Fire", Urgent: true})
			_, err := h.builder.TickAlerts(h.ctx, h.now, h.set)
			h.must(err)
		}
		return nil
	}
	h.post(digest.Item{Project: "apollo", Title: "One"})
	got := h.at("2026-11-23 09:00:00").tick()
	if len(got) != 21 || !strings.HasPrefix(got[4], "[urgent]") {
		t.Errorf("%d mails, the fifth is %q", len(got), got[min(4, len(got)-1)])
	}
}
