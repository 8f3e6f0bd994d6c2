package storetest

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"quietpost/digest"
)

// at queues a message of a lane, due d after t0.
func (f *fixture) at(id, lane string, d time.Duration) {
	f.Helper()
	m := message(id)
	m.Lane, m.NextAt = lane, t0.Add(d)
	f.ok(f.AddMessage(bg, m))
}

func names(msgs []digest.Message) string {
	var ids []string
	for _, m := range msgs {
		ids = append(ids, m.MessageID)
	}
	return strings.Join(ids, " ")
}

var outboxTests = map[string]func(*fixture){
	"a letter is queued once": func(f *fixture) {
		m := message("m")
		m.State, m.Attempts, m.Lease, m.Answer, m.DoneAt, m.LeasedUntil, m.ID = digest.Failed, 3, 4, "x", t0, t0, 77 // not the caller's
		m.Bytes = []byte(strings.Repeat("\x00\xffbytes", 4000))
		f.ok(f.AddMessage(bg, m))
		f.is(f.AddMessage(bg, message("m")), digest.ErrExists, "the same Message-ID")
		f.same("message", must(f.Message(bg, 1)), digest.Message{ID: 1, Channel: digest.ChannelEmail, Lane: digest.LaneLetter,
			To: "ana@example.com", MessageID: "m", Subject: "hello", Bytes: m.Bytes, State: digest.Queued, NextAt: milli(t0),
			CreatedAt: milli(t0)})
		f.same("messages", len(must(f.Messages(bg, nil, 9))), 1)
	},
	"a message that does not say when is due from its making": func(f *fixture) {
		m := message("m")
		m.NextAt = time.Time{}
		f.ok(f.AddMessage(bg, m))
		m.MessageID, m.CreatedAt = "n", time.Time{}
		f.ok(f.AddMessage(bg, m))
		f.same("due", names(must(f.Lease(bg, t0, t0.Add(time.Hour), lanes, 9))), "n m")
	},
	"Lease takes what is due: alerts, letters, digests, each by time and ID": func(f *fixture) {
		f.at("d1", digest.LaneDigest, -time.Minute)
		f.at("d2", digest.LaneDigest, -time.Hour)
		f.at("l1", digest.LaneLetter, -2*time.Minute)
		f.at("a1", digest.LaneAlert, 0)
		f.at("l2", digest.LaneLetter, -time.Minute)
		f.at("a2", digest.LaneAlert, -time.Second)
		f.at("later", digest.LaneAlert, time.Millisecond)
		lease := func(limit int, lanes ...string) string {
			return names(must(f.Lease(bg, t0, t0.Add(time.Hour), lanes, limit)))
		}
		f.same("no lane", lease(9), "")
		f.same("no room", lease(0, lanes...), "")
		f.same("another lane", lease(9, "x"), "")
		f.same("two", lease(2, lanes...), "a2 a1")
		f.same("of the digests, named twice", lease(1, digest.LaneDigest, digest.LaneDigest), "d2")
		f.same("the rest", lease(9, lanes...), "l1 l2 d1")
		f.same("nothing left", lease(9, lanes...), "")
	},
	"an attempt is written down before it is made": func(f *fixture) {
		f.ok(f.AddMessage(bg, message("m")))
		got := must(f.Lease(bg, t0, t0.Add(time.Minute), lanes, 1))[0]
		want := message("m")
		want.ID, want.State, want.Attempts, want.Lease = 1, digest.Sending, 1, 1
		want.NextAt, want.CreatedAt, want.LeasedUntil = milli(t0), milli(t0), milli(t0.Add(time.Minute))
		f.same("leased", got, want)
		f.same("read", must(f.Message(bg, 1)), want)
	},
	"what would wait for too long was written by a wrong clock and is due": func(f *fixture) {
		for _, id := range []string{"sending", "again"} {
			f.ok(f.AddMessage(bg, message(id)))
		}
		future := t0.Add(4 * 365 * 24 * time.Hour)
		for _, m := range must(f.Lease(bg, future, future.Add(time.Minute), lanes, 9)) {
			if m.MessageID == "again" {
				must(f.Report(bg, future, []digest.Report{{ID: m.ID, Lease: m.Lease, State: digest.Queued, NextAt: future.Add(time.Hour)}}))
			}
		}
		at := future.Add(time.Minute - digest.FarOff) // both may wait as long as this
		f.same("at its end", len(must(f.Lease(bg, at.Add(time.Hour), at, lanes, 9))), 0)
		f.same("before", names(must(f.Lease(bg, at.Add(-time.Millisecond), t0, lanes, 9))), "sending again")
	},
	"a lease that has run out is taken again, and the old one is void": func(f *fixture) {
		f.ok(f.AddMessage(bg, message("m")))
		old := must(f.Lease(bg, t0, t0.Add(time.Minute), lanes, 1))[0]
		f.same("too early", len(must(f.Lease(bg, t0.Add(time.Minute-time.Millisecond), t0.Add(time.Hour), lanes, 1))), 0)
		now := must(f.Lease(bg, t0.Add(time.Minute), t0.Add(time.Hour), lanes, 1))[0]
		f.same("attempts and lease", []int64{int64(now.Attempts), now.Lease}, []int64{2, old.Lease + 1})
		lost := must(f.Report(bg, t0, []digest.Report{{ID: 1, Lease: old.Lease, State: digest.Delivered}}))
		f.same("lost", lost, []int64{1})
		f.same("left alone", must(f.Message(bg, 1)), now)
		f.same("not lost", must(f.Report(bg, t0, []digest.Report{{ID: 1, Lease: now.Lease, State: digest.Failed}})), []int64(nil))
	},
	"Report writes down how attempts ended": func(f *fixture) {
		for _, id := range []string{"m1", "m2", "m3", "m4"} {
			f.ok(f.AddMessage(bg, message(id)))
		}
		until := t0.Add(2 * time.Hour)
		msgs := f.lease(9)
		now := t0.Add(5 * time.Minute)
		lost := must(f.Report(bg, now, []digest.Report{
			{ID: 1, Lease: 1, State: digest.Delivered, Answer: "250 2.0.0 queued as 1"},
			{ID: 2, Lease: 1, State: digest.Failed, Answer: "550 5.1.1 no such user"},
			{ID: 99, Lease: 1, State: digest.Delivered},
			{ID: 3, Lease: 1, State: digest.Queued, NextAt: t0.Add(time.Hour), Answer: "451 4.7.1 greylisted"},
			{ID: 1, Lease: 1, State: digest.Failed},
		}))
		f.same("lost", lost, []int64{99, 1})
		for i, want := range []struct {
			state, answer      string
			next, done, leased time.Time
			bytes              []byte
		}{
			{digest.Delivered, "250 2.0.0 queued as 1", t0, now, time.Time{}, nil},
			{digest.Failed, "550 5.1.1 no such user", t0, now, time.Time{}, msgs[1].Bytes}, // it may be sent after all
			{digest.Queued, "451 4.7.1 greylisted", t0.Add(time.Hour), time.Time{}, time.Time{}, msgs[2].Bytes},
			{digest.Sending, "", t0, time.Time{}, until, msgs[3].Bytes},
		} {
			m := msgs[i]
			m.State, m.Answer, m.Bytes = want.state, want.answer, want.bytes
			m.NextAt, m.DoneAt, m.LeasedUntil = milli(want.next), milli(want.done), milli(want.leased)
			f.same(m.MessageID, must(f.Message(bg, m.ID)), m)
		}
		f.same("delivered twice", must(f.Report(bg, now, []digest.Report{{ID: 1, Lease: 1, State: digest.Delivered}})), []int64{1})
		f.same("nothing", must(f.Report(bg, now, nil)), []int64(nil))
		again := must(f.Lease(bg, t0.Add(time.Hour), until, lanes, 9))
		f.same("again", names(again), "m3")
		f.same("keeps its Message-ID and counts", again[0].Attempts, 2)
		must(f.Report(bg, now, []digest.Report{{ID: 3, Lease: again[0].Lease, State: digest.Queued, Untried: true}}))
		f.same("what was not tried does not count", must(f.Message(bg, 3)).Attempts, 1)
	},
	"Report takes only what ends an attempt": func(f *fixture) {
		f.ok(f.AddMessage(bg, message("m")))
		m := f.lease(1)[0]
		for _, state := range []string{"", digest.Sending, "sent"} {
			if _, err := f.Report(bg, t0, []digest.Report{{ID: 1, Lease: 1, State: state}}); err == nil {
				f.Errorf("state %q was taken", state)
			}
		}
		f.same("left alone", must(f.Message(bg, 1)), m)
		must(f.Report(bg, t0, []digest.Report{{ID: 1, Lease: 1, State: digest.Queued}}))
		f.same("again without a time is now", must(f.Message(bg, 1)).NextAt, milli(t0))
	},
	"FreeLeases gives back what a dead sender held": func(f *fixture) {
		f.at("later", digest.LaneDigest, 9*time.Hour)
		f.at("m1", digest.LaneDigest, 0)
		f.at("m2", digest.LaneAlert, 0)
		held := f.lease(9)
		f.same("held", names(held), "m2 m1")
		now := t0.Add(2 * time.Minute)
		f.same("freed", must(f.FreeLeases(bg, now)), 2)
		f.same("none left", must(f.FreeLeases(bg, now)), 0)
		f.same("lost", must(f.Report(bg, now, []digest.Report{{ID: held[0].ID, Lease: held[0].Lease, State: digest.Delivered}})),
			[]int64{held[0].ID})
		m := must(f.Message(bg, held[0].ID))
		f.same("state", m.State, digest.Queued)
		f.same("due", m.NextAt, milli(now))
		f.same("lease's end", m.LeasedUntil, time.Time{})
		again := must(f.Lease(bg, now, now.Add(time.Hour), lanes, 9))
		f.same("again", names(again), "m2 m1")
		f.same("attempt and fence", []int64{int64(again[0].Attempts), again[0].Lease}, []int64{2, 2})
	},
	"NextMessage is when there is something to do": func(f *fixture) {
		next := func(lanes ...string) time.Time { return must(f.NextMessage(bg, lanes)) }
		f.same("empty", next(lanes...), time.Time{})
		f.at("d", digest.LaneDigest, time.Hour)
		f.at("a", digest.LaneAlert, time.Minute)
		f.at("l", digest.LaneLetter, 0)
		f.same("all", next(lanes...), milli(t0))
		f.same("a digest", next(digest.LaneDigest), milli(t0.Add(time.Hour)))
		f.same("alert or digest", next(digest.LaneDigest, digest.LaneAlert), milli(t0.Add(time.Minute)))
		f.same("no lane", next(), time.Time{})
		must(f.Lease(bg, t0, t0.Add(30*time.Minute), lanes, 1))
		f.same("the lease of the letter", next(digest.LaneLetter), milli(t0.Add(30*time.Minute)))
		must(f.Report(bg, t0, []digest.Report{{ID: 3, Lease: 1, State: digest.Delivered}}))
		f.same("the letter is done", next(digest.LaneLetter), time.Time{})
	},
	"no message is leased twice": func(f *fixture) {
		const n = 60
		for i := range n {
			f.at(fmt.Sprint(i), lanes[i%3], 0)
		}
		var mu sync.Mutex
		seen := map[int64]int{}
		together(f, 8, func(int) error {
			for {
				msgs, err := f.Lease(bg, t0, t0.Add(time.Hour), lanes, 7)
				if err != nil || len(msgs) == 0 {
					return err
				}
				var reports []digest.Report
				mu.Lock()
				for _, m := range msgs {
					seen[m.ID]++
					reports = append(reports, digest.Report{ID: m.ID, Lease: m.Lease, State: digest.Delivered})
				}
				mu.Unlock()
				if lost, err := f.Report(bg, t0, reports); err != nil || lost != nil {
					return fmt.Errorf("lost %v: %w", lost, err)
				}
			}
		})
		for id, times := range seen {
			if times != 1 {
				f.Errorf("message %d was leased %d times", id, times)
			}
		}
		f.same("leased", len(seen), n)
	},
}
