package digest_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"quietpost/digest"
)

// forgetful is a store that cannot be written while it is full.
type forgetful struct {
	digest.Store
	full bool
}

func (s *forgetful) Lease(ctx context.Context, now, until time.Time, lanes []string, limit int) ([]digest.Message, error) {
	if s.full {
		return nil, digest.ErrUnavailable
	}
	return s.Store.Lease(ctx, now, until, lanes, limit)
}

func (s *forgetful) Report(ctx context.Context, now time.Time, rs []digest.Report) ([]int64, error) {
	if s.full {
		return nil, digest.ErrUnavailable
	}
	return s.Store.Report(ctx, now, rs)
}

// TestWhatASenderCouldNotWriteDownItDoesNotForget: the disk fills up while mails are being sent, and for longer than any
// lease. Two senders share what is owed.
func TestWhatASenderCouldNotWriteDownItDoesNotForget(t *testing.T) {
	h := newHouse(t, anaEntry, digest.Entry{Address: "ben@example.com", Projects: []string{"*"}, Schedule: "daily"})
	store := &forgetful{Store: h.store}
	h.sender.Store = store
	other := *h.sender
	h.post(digest.Item{Project: "apollo", Title: "One"})
	h.at("2026-11-23 09:00:00")
	_, err := h.builder.TickDigests(h.ctx, h.now, h.set)
	h.must(err)
	h.server.answer = func(*digest.Message) error { store.full = true; return nil }
	done, err := h.sender.Batch(h.ctx, h.ctx)
	if !errors.Is(err, digest.ErrUnavailable) || len(done) != 0 || len(h.server.mails) != 1 {
		t.Fatalf("%v, %d done, %d mails", err, len(done), len(h.server.mails))
	}
	h.at("2026-11-23 12:00:00")
	if _, err = other.Batch(h.ctx, h.ctx); !errors.Is(err, digest.ErrUnavailable) {
		t.Fatal(err)
	}
	store.full, h.server.answer = false, nil
	for _, s := range []*digest.Sender{&other, h.sender} {
		_, err = s.Batch(h.ctx, h.ctx)
		h.must(err)
	}
	if len(h.server.mails) != 2 || h.server.mails[0].To == h.server.mails[1].To {
		t.Errorf("%d mails", len(h.server.mails))
	}
}

// TestTheYear2030: a clock that is years ahead for a minute, while mail cannot be sent, neither floods nor starves anybody.
func TestTheYear2030(t *testing.T) {
	h := newHouse(t, anaEntry, digest.Entry{Address: "ben@example.com", Projects: []string{"*"}, Schedule: "@every 1h", Alerts: true})
	down := true
	h.server.answer = func(*digest.Message) error {
		if down {
			return errors.New("connection refused")
		}
		return nil
	}
	h.post(digest.Item{Project: "apollo", Title: "Before"})
	h.post(digest.Item{Project: "apollo", Title: "Fire before", Urgent: true, Thread: "fire"})
	h.tick()
	h.at("2030-05-05 05:05:05").reslot()
	h.post(digest.Item{Project: "apollo", Title: "Then"})
	h.post(digest.Item{Project: "apollo", Title: "The fire then", Urgent: true, Thread: "fire"})
	for n := range 14 { // more than may go in an hour
		h.post(digest.Item{Project: "apollo", Title: fmt.Sprintf("Fire then %02d", n), Urgent: true})
	}
	h.tick()
	h.now = h.now.Add(30 * time.Second)
	h.tick()
	h.post(digest.Item{Project: "apollo", Title: "Last fire then", Urgent: true})
	h.at("2026-11-23 08:01:00").reslot()
	down = false
	counts := map[string]int{}
	count := func(mails []string) {
		for i := range mails {
			m := h.server.mails[len(h.server.mails)-len(mails)+i]
			counts[m.To+" "+m.Lane]++
		}
	}
	count(h.tick())
	if n := counts["ana@example.com digest"]; n != 1 {
		t.Errorf("what was cut in 2030 does not leave now: %v", counts)
	}
	if n := counts["ana@example.com alert"]; n < 2 || n > 13 {
		t.Errorf("%d alerts", n)
	}
	h.post(digest.Item{Project: "apollo", Title: "More fire", Urgent: true, Thread: "fire"})
	h.post(digest.Item{Project: "apollo", Title: "Another", Urgent: true})
	h.now = h.now.Add(10 * time.Second)
	before := counts["ana@example.com alert"]
	count(h.tick())
	if n := counts["ana@example.com alert"] - before; n < 1 {
		t.Errorf("alerts stopped: %v", counts)
	}
	for h.now.Before(time.Date(2026, 11, 23, 12, 30, 0, 0, time.UTC)) {
		h.now = h.now.Add(time.Minute)
		count(h.tick())
		h.reslot()
	}
	if counts["ana@example.com digest"] != 2 || counts["ben@example.com digest"] > 3 || counts["ben@example.com digest"] < 2 {
		t.Errorf("%v", counts)
	}
	left, err := h.store.Messages(h.ctx, []string{digest.Queued, digest.Sending, digest.Failed}, 10)
	h.must(err)
	if len(left) != 0 {
		t.Errorf("left: %+v", left)
	}
	told := map[string]int{}
	for _, m := range h.server.mails {
		if m.Lane == digest.LaneAlert && m.To == "ana@example.com" {
			for _, line := range strings.Split(string(m.Bytes), "\n") {
				told[line]++
			}
		}
	}
	for _, title := range []string{"Fire before", "The fire then", "More fire", "Another", "Fire then 00", "Fire then 06", "Fire then 13", "Last fire then"} {
		if told["apollo: "+title] != 1 {
			t.Errorf("%q was told in %d alerts", title, told["apollo: "+title])
		}
	}
}

// TestASuspendedMachine: both clocks went on, nobody ran. It is as if it had been off.
func TestASuspendedMachine(t *testing.T) {
	h := newHouse(t, digest.Entry{Address: "ana@example.com", Projects: []string{"*"}, Schedule: "0 9,16 * * *", Alerts: true, Quiet: "22:00-07:00"})
	h.post(digest.Item{Project: "apollo", Title: "One"})
	h.want(h.at("2026-11-25 23:30:00").tick(), "One|late=true") // four slots passed: one edition
	h.post(digest.Item{Project: "apollo", Title: "Fire", Urgent: true})
	h.want(h.tick())
	h.want(h.at("2026-11-26 07:00:01").tick(), "Fire")
	h.want(h.at("2026-11-26 09:00:00").tick(), "Fire x1 alerted=true|late=false")
}

// TestSeveralSlotsADay: quiet hours hold alerts and no digest; what comes between two slots is in the next one.
func TestSeveralSlotsADay(t *testing.T) {
	h := newHouse(t, digest.Entry{Address: "ana@example.com", Zone: "Europe/Berlin", Projects: []string{"*"}, Schedule: "0 6,10,16 * * MON-FRI", Alerts: true,
		Quiet: "22:00-07:00"}) // Berlin is an hour ahead in winter
	h.post(digest.Item{Project: "apollo", Title: "Monday, ten"})
	h.want(h.at("2026-11-23 09:00:00").tick(), "Monday, ten|Window: 1-1")
	h.post(digest.Item{Project: "apollo", Title: "Monday, noon"})
	h.want(h.at("2026-11-23 14:59:59").tick())
	h.want(h.at("2026-11-23 15:00:00").tick(), "Monday, noon|Window: 2-2")
	h.want(h.at("2026-11-24 05:00:00").tick()) // nothing new: nothing is sent
	h.post(digest.Item{Project: "apollo", Title: "Fire at night", Urgent: true})
	h.want(h.at("2026-11-25 05:00:00").tick(), "Fire at night x1 alerted=false|Window: 3-3") // a slot within quiet hours is the reader's own word
	h.post(digest.Item{Project: "apollo", Title: "Fire at dawn", Urgent: true})
	h.want(h.at("2026-11-25 05:59:59").tick())
	h.want(h.at("2026-11-25 06:00:00").tick(), "Fire at dawn")
	h.want(h.at("2026-11-25 09:00:00").tick(), "Fire at dawn x1 alerted=true")
	h.post(digest.Item{Project: "apollo", Title: "Friday evening"})
	h.want(h.at("2026-11-27 20:00:00").tick(), "Friday evening|late=true")
	h.post(digest.Item{Project: "apollo", Title: "Saturday"})
	h.want(h.at("2026-11-29 23:00:00").tick())
	h.want(h.at("2026-11-30 05:00:00").tick(), "Saturday|late=false")
}
