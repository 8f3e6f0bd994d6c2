package main

import (
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestTheClockSays2030: for a while, and then it is right again. Nothing is taken away, nobody is flooded, nobody starves, and
// the operators know.
func TestTheClockSays2030(t *testing.T) {
	t.Parallel()
	s := newService(t, `
retention: {raw: 1d, items: 2d, editions: 90d}
operators: [op@example.com]
subscribers:
  - {address: ana@example.com, schedule: "0 9,16 * * *", alerts: true}
`)
	s.post(`{"project": "apollo", "title": "One"}`)
	s.passes(time.Minute, time.Minute)
	years := 4 * 365 * 24 * time.Hour
	s.clock.jump(years)
	s.passes(2*time.Minute, 30*time.Second)
	s.until("a slot of 2030 is served", func() bool { return s.mails("apollo: One") == 1 })
	s.until("the operators are told", func() bool { return s.mails("quietpost: the clock was set") == 1 })
	s.post(`{"project": "apollo", "title": "Fire in 2030", "urgent": true}`)
	s.until("an alert of 2030", func() bool { return s.mails("[urgent] apollo: Fire in 2030") == 1 })
	s.clock.jump(-years)
	s.passes(3*time.Minute, time.Minute)
	s.until("it is over", func() bool { return s.mails("quietpost: the clock is believed again") == 1 })
	if code, out := s.command("items", "list"); code != 0 || !strings.Contains(out, "One") || !strings.Contains(out, "Fire in 2030") {
		t.Errorf("%d %s", code, out)
	}
	s.post(`{"project": "apollo", "title": "Fire again", "urgent": true}`)
	s.until("alerts go on", func() bool { return s.mails("[urgent] apollo: Fire again") == 1 })
	s.must(s.stop())
	s.start() // a restart knows the time too
	s.clock.set(time.Date(2026, 11, 23, 9, 0, 30, 0, time.UTC))
	s.windows(3)
	s.post(`{"project": "apollo", "title": "Afternoon"}`)
	s.clock.set(time.Date(2026, 11, 23, 16, 0, 30, 0, time.UTC))
	s.windows(4)
	s.inbox.mu.Lock()
	n := len(s.inbox.mails)
	s.inbox.mu.Unlock()
	if n != 3+2+2 {
		t.Errorf("%d mails, want 3 digests, 2 alerts and 2 letters", n)
	}
}

// TestAClockThatIsSetForGoodIsBelievedAfterAWhile: retention rests for hours, and then goes on.
func TestAClockThatIsSetForGoodIsBelievedAfterAWhile(t *testing.T) {
	t.Parallel()
	s := newService(t, `
retention: {raw: 1d, items: 2d, editions: 90d}
subscribers:
  - {address: ana@example.com, schedule: "0 9 * * *"}
`)
	s.post(`{"project": "apollo", "title": "One"}`)
	s.clock.set(time.Date(2026, 11, 23, 9, 0, 30, 0, time.UTC))
	s.windows(1)
	s.clock.jump(30 * 24 * time.Hour)
	s.passes(5*time.Hour, time.Hour)
	if _, out := s.command("items", "list"); !strings.Contains(out, "One") {
		t.Errorf("taken away by a clock that was just set: %s", out)
	}
	s.passes(2*time.Hour, time.Hour)
	s.until("retention goes on", func() bool { _, out := s.command("items", "list"); return !strings.Contains(out, "One") })
}

// TestNoSuchMailServer: a name that cannot be resolved is retried and told of on /readyz; the operators hear of it when their
// mail can arrive.
func TestNoSuchMailServer(t *testing.T) {
	t.Parallel()
	s := newService(t, toldReaders)
	good, err := os.ReadFile(s.file)
	s.must(err)
	s.write("quietpost.yaml", strings.Replace(string(good), "smtp: {host: 127.0.0.1", "smtp: {host: mail.nowhere.invalid", 1))
	s.hup <- syscall.SIGHUP
	s.eventually("msg=reloaded")
	s.post(`{"project": "apollo", "title": "Fire", "urgent": true}`)
	s.until("/readyz says so", func() bool {
		code, text := s.get("/readyz")
		return code == 503 && strings.Contains(text, "smtp") && strings.Contains(text, "mail.nowhere.invalid")
	})
	s.passes(5*time.Minute, time.Minute)
	s.write("quietpost.yaml", string(good))
	s.hup <- syscall.SIGHUP
	s.passes(3*time.Minute, time.Minute)
	s.until("the alert arrives", func() bool { return s.mails("[urgent] apollo: Fire") == 1 })
	s.passes(3*time.Minute, time.Minute)
	s.until("the operators hear of it", func() bool { return s.mails("quietpost: mail can be sent again") == 1 })
	if text := s.textOf("quietpost: mail can be sent again"); !strings.Contains(text, "mail.nowhere.invalid") {
		t.Errorf("it says: %s", text)
	}
	if code, text := s.get("/readyz"); code != 200 {
		t.Errorf("/readyz: %d %s", code, text)
	}
}
