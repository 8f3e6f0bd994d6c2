package main

import (
	"strings"
	"testing"
	"time"
)

func TestTrace(t *testing.T) {
	s := newService(t, `
projects: [{name: apollo, aliases: [acme/apollo]}]
subscribers:
  - {address: ana@example.com, schedule: "0 9 * * *", alerts: true}
  - {address: ben@example.com, schedule: "0 16 * * *", projects: [apollo], alerts: false}
  - {address: eve@example.com, schedule: "0 9 * * *", projects: [beta]}
`)
	_, v := s.post(`{"project": "acme/apollo", "title": "Shop is down", "urgent": true, "key": "k-1"}`)
	id := v["items"].([]any)[0].(map[string]any)["id"].(string)
	if code, out := s.command("items", "show", "1"); code != 0 ||
		!strings.Contains(out, "project      apollo (named by generic)") || !strings.Contains(out, "alias        acme/apollo") {
		t.Errorf("%d: %s", code, out)
	}
	s.inbox.wait(t, 1)
	s.clock.set(s.clock.now().Add(65 * time.Minute))
	s.inbox.wait(t, 2)
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		code, out := s.command("trace", id)
		if code != 0 {
			t.Fatalf("%d: %s", code, out)
		}
		missing := ""
		for _, want := range []string{"received   from lab (generic), receipt 1, delivery key k-1", "an alias of apollo", "urgent true",
			"ana@example.com\n", "as an alert at once", "in the digest of 2026-11-23 09:00:00 UTC, window 1-1: 1 update", "accepted   by the mail server after 1 attempt",
			"ben@example.com\n", "held       for the digest of 2026-11-23 16:00:00 UTC", "eve@example.com\n", "not wanted follows beta"} {
			if !strings.Contains(out, want) {
				missing = want
			}
		}
		if missing == "" && strings.Count(out, "accepted") == 2 {
			return
		}
		if time.Now().After(deadline) { // the reports of what was sent are written a moment after it has arrived
			t.Fatalf("%q is not in\n%s", missing, out)
		}
	}
}

func TestTraceOfNothing(t *testing.T) {
	s := newService(t, "")
	if code, out := s.command("trace", "7"); code != 1 || !strings.Contains(out, "items list") {
		t.Errorf("%d: %s", code, out)
	}
	if code, out := s.command("trace", "what?"); code != 2 || !strings.Contains(out, "no item id") {
		t.Errorf("%d: %s", code, out)
	}
}
