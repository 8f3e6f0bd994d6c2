package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// check refuses what would leave a door open or let one sender pass for another; what cannot be read here is a note.
func TestCheckReadsSecrets(t *testing.T) {
	for _, c := range []struct {
		name, one, two string // what the files of two secrets hold; "-" for no file
		status         int
		want           string
	}{
		{"good", "first", "second", 0, "is good: 2 sources"},
		{"empty", "first", "\n", 1, "q.yaml:4:43: D/two is empty; write the secret into it"},
		{"shared", "first", "second\nfirst\n", 1, "q.yaml:4:43: a line of D/two is a secret of the source a too; give each a secret of its own"},
		{"not there", "first", "-", 0, "q.yaml:4:43: note: D/two is not there; write the secret into it before the service starts"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			file := filepath.Join(dir, "q.yaml")
			for name, text := range map[string]string{"one": c.one, "two": c.two,
				"q.yaml": "mail: {from: a@example.com, smtp: {host: h}}\nsources:\n  - {name: a, type: auto, secret_file: one}\n  - {name: b, type: grafana, secret_file: two}\n"} {
				if text == "-" {
					continue
				}
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			var out, faults bytes.Buffer
			e := &env{ctx: t.Context(), stdin: strings.NewReader(""), stdout: &out, stderr: &faults, getenv: func(name string) string { return map[string]string{"HOME": dir}[name] },
				now: func() time.Time { return time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC) }, tick: testTick, shipped: testTools}
			status := run(e, []string{"--config", file, "check"})
			got := strings.ReplaceAll(strings.ReplaceAll(out.String(), file, "q.yaml"), dir, "D")
			if status != c.status || !strings.Contains(got, c.want) || strings.Contains(got+faults.String(), "first") && c.name == "shared" {
				t.Errorf("status %d, want %d; it says:\n%s%s", status, c.status, got, faults.String())
			}
			if _, err := e.load(file); (err == nil) != (c.status == 0 && c.two != "-") {
				t.Errorf("the daemon would read it with %v", err)
			}
		})
	}
}
