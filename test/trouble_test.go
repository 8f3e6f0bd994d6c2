package test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestSMTPDown: while no mail server is there, everything waits and /readyz says so; then all of it goes, once.
func TestSMTPDown(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plan{more: oneReader})
	if code, text := h.ready(); code != 200 {
		t.Fatalf("before: %d %s", code, text)
	}
	h.must(h.StopSMTP())
	h.item(`{"project": "apollo", "title": "Disk full", "urgent": true}`)
	h.item(`{"project": "apollo", "title": "Backup done"}`)
	h.eventually("/readyz tells that SMTP is down", func() bool {
		code, text := h.ready()
		return code == 503 && strings.Contains(text, `"smtp"`)
	})
	h.cut()
	h.eventually("a digest and an alert wait", func() bool { return h.waiting() >= 2 })
	h.hold()
	h.item(`{"project": "apollo", "title": "Still taken in"}`)
	h.stop() // what waits outlives the process
	h.start()
	h.must(h.StartSMTP())
	h.eventually("nothing waits", func() bool { return h.waiting() == 0 })
	if code, text := h.ready(); code != 200 {
		t.Errorf("after: %d %s", code, text)
	}
	h.cut()
	digests := h.digests("reader", 2)
	if a, b := digests[0].get("X-Quietpost-Window"), digests[1].get("X-Quietpost-Window"); a != "1-2" || b != "3-3" {
		t.Errorf("windows %s and %s", a, b)
	}
	if d := digests[0].text; !strings.Contains(d, "Backup done") || !strings.Contains(d, "Disk full") {
		t.Errorf("the first digest: %s", d)
	}
	h.wait("reader", 1, "alerts", (*letter).alert)
}

// TestIMAPComesAndGoes: mails arrive while the server is restarted and connections are ended; each becomes one item.
func TestIMAPComesAndGoes(t *testing.T) {
	t.Parallel()
	const mails = 60
	h := newHouse(t, plan{more: oneReader})
	var wg sync.WaitGroup
	wg.Add(1)
	go func() {
		defer wg.Done()
		for i := range mails {
			raw := mailOf(fmt.Sprint("m", i), "inbox+apollo@lab.test", fmt.Sprintf("Mail %d.", i), "Hello.")
			for end := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) { // Postfix waits for Dovecot, not we
				if err := h.Deliver("ana@lab.test", "inbox@lab.test", bytes.NewReader(raw)); err == nil {
					break
				} else if time.Now().After(end) {
					t.Errorf("mail %d: %v", i, err)
					return
				}
			}
			time.Sleep(50 * time.Millisecond)
		}
	}()
	for range 2 {
		h.eventually("a connection is ended", func() bool { return h.Kick("inbox") == nil })
		time.Sleep(300 * time.Millisecond)
		h.must(h.StopIMAP())
		h.eventually("/readyz tells that the inbox is down", func() bool {
			code, text := h.ready()
			return code == 503 && strings.Contains(text, "inbox inbox")
		})
		h.must(h.StartIMAP())
	}
	wg.Wait()
	h.eventually("all mails are items", func() bool { return len(h.items()) >= mails })
	var titles []string
	for _, it := range h.items() {
		titles = append(titles, it.Title)
	}
	slices.Sort(titles)
	if len(slices.Compact(titles)) != mails || len(h.items()) != mails {
		t.Errorf("%d items of %d mails: %q", len(h.items()), mails, titles)
	}
	if code, text := h.ready(); code != 200 {
		t.Errorf("after: %d %s", code, text)
	}
}

// TestAnswersOfTheServer: a refusal for now is tried again, one for ever is not, and neither touches the others.
func TestAnswersOfTheServer(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plan{more: never + `
subscribers:
  - {address: reader@lab.test, schedule: when-asked}
  - {address: second@lab.test, schedule: when-asked}
  - {address: third@lab.test, schedule: when-asked}
`})
	h.Refuse("second@lab.test", "451 4.3.0 Come back in a while")
	h.Refuse("third@lab.test", "550 5.1.1 Nobody of that name here")
	h.item(`{"project": "apollo", "title": "Backup done"}`)
	h.cut()
	h.digests("reader", 1)
	of := func(to string) sent {
		for _, m := range h.outbox() {
			if m.To == to && m.Lane == "digest" {
				return m
			}
		}
		return sent{}
	}
	h.eventually("the refused one is given up", func() bool { return of("third@lab.test").State == "failed" })
	if m := of("third@lab.test"); m.Attempts != 1 || !strings.Contains(m.Answer, "Nobody of that name here") {
		t.Errorf("%+v", m)
	}
	h.eventually("the other one is tried again", func() bool { return h.Asked("second@lab.test") >= 2 })
	if m := of("second@lab.test"); m.State == "failed" || !strings.Contains(m.Answer, "Come back in a while") {
		t.Errorf("%+v", m)
	}
	h.Allow("second@lab.test")
	h.digests("second", 1)
	h.eventually("it is written down", func() bool { return h.waiting() == 0 })
	if n := h.Asked("third@lab.test"); n != 1 {
		t.Errorf("%d attempts at a recipient refused for ever", n)
	}
	if n := len(h.letters("third")); n != 0 {
		t.Errorf("the refused reader got %d mails", n)
	}
	h.digests("reader", 1)
}
