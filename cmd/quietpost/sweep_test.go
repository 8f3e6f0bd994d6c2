package main

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// Retention takes what nobody waits for, and numbers go on.
func TestRetention(t *testing.T) {
	s := newService(t, `
retention: {raw: 1d, items: 2d, editions: 90d}
subscribers:
  - {address: ana@example.com, schedule: "0 9 * * *"}
`)
	for i := range 3 {
		s.post(fmt.Sprintf(`{"project": "apollo", "title": "old %d"}`, i))
	}
	s.clock.set(s.clock.now().Add(65 * time.Minute))
	s.inbox.wait(t, 1)
	s.clock.set(s.clock.now().Add(3 * 24 * time.Hour))
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		code, out := s.command("items", "list")
		if code == 0 && strings.Contains(out, "nothing yet") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("what nobody waits for is still there:\n%s\n%s", out, s.log.String())
		}
	}
	if _, v := s.post(`{"project": "apollo", "title": "new"}`); fmt.Sprint(v["items"].([]any)[0].(map[string]any)["seq"]) != "4" {
		t.Errorf("the next number: %v", v)
	}
}
