package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// What doctor says of this machine: a sound house, one whose clock is behind its items, and a damaged database.
func TestDoctorOnTheHouse(t *testing.T) {
	s := newService(t, "")
	s.post(`{"project": "apollo", "title": "one"}`)
	s.must(s.stop())
	raw, err := os.ReadFile(s.file)
	s.must(err)
	address := strings.TrimPrefix(s.url, "http://")
	s.write("quietpost.yaml", strings.Replace(strings.Replace(string(raw), "https://quiet.example.com", s.url, 1), "127.0.0.1:0", address, 1))
	s.start()
	_, out := s.command("doctor")
	for _, want := range []string{"is sound", "newest item number 1", "ok    base_url: " + s.url + " answers; mail programs show their button to leave only with https"} {
		if !strings.Contains(out, want) {
			t.Errorf("it does not say %q:\n%s", want, out)
		}
	}
	s.clock.set(s.clock.now().Add(-48 * time.Hour))
	if _, out := s.command("doctor"); !strings.Contains(out, "FAIL  clock: it says 2026-11-21") {
		t.Errorf("a clock that is behind:\n%s", out)
	}
	s.must(s.stop())
	s.must(os.WriteFile(filepath.Join(s.dir, "data", "quietpost.db"), []byte(strings.Repeat("spoilt", 4096)), 0o600))
	if code, out := s.command("doctor"); code != 1 || !strings.Contains(out, "FAIL  database: ") {
		t.Errorf("%d: %s", code, out)
	}
}
