package digest_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"quietpost/digest"
)

// slowServer takes half a minute for a mail, and may have taken it where it is cut off.
type slowServer struct{ taken, cut int }

func (s *slowServer) Send(ctx context.Context, _ *digest.Message) error {
	select {
	case <-time.After(30 * time.Second):
		s.taken++
		return nil
	case <-ctx.Done():
		s.cut++
		return &digest.SendError{Text: "cut off", About: digest.AboutFate}
	}
}
func (*slowServer) Close() error { return nil }

// TestOnlyTheEndOfTheServiceHurriesASlowServer: a reload ends the batch, but not the exchange that goes on; who is cut off in it
// may get the mail again.
func TestOnlyTheEndOfTheServiceHurriesASlowServer(t *testing.T) {
	for _, c := range []struct {
		name       string
		service    bool
		taken, cut int
		within     time.Duration
	}{{"reload", false, 1, 0, 30 * time.Second}, {"stop", true, 0, 1, 10 * time.Second}} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHouse(t, anaEntry, digest.Entry{Address: "ben@example.com", Projects: []string{"*"}, Schedule: "daily"})
				h.post(digest.Item{Project: "apollo", Title: "One"})
				h.at("2026-11-23 09:00:00")
				_, err := h.builder.TickDigests(h.ctx, h.now, h.set)
				h.must(err)
				slow, beats := &slowServer{}, 0
				h.sender.Transport, h.sender.Beat = slow, func() { beats++ }
				ctx, end := context.WithCancel(h.ctx)
				service, stop := context.WithCancel(h.ctx)
				defer stop()
				time.AfterFunc(time.Second, end)
				if c.service {
					time.AfterFunc(time.Second, stop)
				}
				began := time.Now()
				if _, err := h.sender.Batch(ctx, service); !errors.Is(err, context.Canceled) {
					t.Errorf("got %v", err)
				}
				if took := time.Since(began); slow.taken != c.taken || slow.cut != c.cut || beats != 1 || took > c.within {
					t.Errorf("%+v, %d beats, after %v", slow, beats, took)
				}
			})
		})
	}
}

// TestEachDigestOfASlotBeats: ten thousand of them on a slow disk take longer than the watchdog waits.
func TestEachDigestOfASlotBeats(t *testing.T) {
	h := newHouse(t, anaEntry, digest.Entry{Address: "ben@example.com", Projects: []string{"*"}, Schedule: "daily"})
	h.post(digest.Item{Project: "apollo", Title: "One"})
	beats := 0
	h.builder.Beat = func() { beats++ }
	h.want(h.at("2026-11-23 09:00:00").tick(), "One", "One")
	if beats != 2 {
		t.Errorf("%d beats", beats)
	}
}

// TestAClockThatIsSetAheadAmidMailsDoublesNone: all leases have run out, and still each mail is in the hands of one sender.
func TestAClockThatIsSetAheadAmidMailsDoublesNone(t *testing.T) {
	h := newHouse(t, anaEntry, digest.Entry{Address: "ben@example.com", Projects: []string{"*"}, Schedule: "daily"})
	h.post(digest.Item{Project: "apollo", Title: "One"})
	h.at("2026-11-23 09:00:00")
	_, err := h.builder.TickDigests(h.ctx, h.now, h.set)
	h.must(err)
	other := *h.sender
	h.server.answer = func(*digest.Message) error {
		h.server.answer = nil
		h.at("2030-01-01 09:00:00")
		done, err := other.Batch(h.ctx, h.ctx)
		if err != nil || len(done) != 0 {
			t.Errorf("the other sender: %+v, %v", done, err)
		}
		return nil
	}
	h.want(h.tick(), "One", "One")
	delivered, err := h.store.Messages(h.ctx, []string{digest.Delivered}, 9)
	h.must(err)
	if len(delivered) != 2 || len(h.server.mails) != 2 {
		t.Errorf("%d mails, delivered %+v", len(h.server.mails), delivered)
	}
	for range 3 { // nor do they stay in nobody's hands
		h.now = h.now.Add(time.Hour)
		h.want(h.tick())
	}
}

// TestATransportThatPanicsKeepsNoMail: what it had in its hands is sent when the lease has run out.
func TestATransportThatPanicsKeepsNoMail(t *testing.T) {
	h := newHouse(t, anaEntry)
	h.post(digest.Item{Project: "apollo", Title: "One"})
	h.at("2026-11-23 09:00:00")
	_, err := h.builder.TickDigests(h.ctx, h.now, h.set)
	h.must(err)
	h.server.answer = func(*digest.Message) error { panic("a fault in the program") }
	func() {
		defer func() { recover() }()
		_, _ = h.sender.Batch(h.ctx, h.ctx)
	}()
	h.server.answer = nil
	h.want(h.tick())
	h.now = h.now.Add(time.Hour)
	h.want(h.tick(), "One")
}
