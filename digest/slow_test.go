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
