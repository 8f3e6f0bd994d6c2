package reader

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// TestCorpus reads all mails of a corpus of real ones (QUIETPOST_CORPUS/mail/KIND/*.eml, kept outside this repository):
// none may panic, stall or be without a reading, and reports must be told from news.
func TestCorpus(t *testing.T) {
	root := os.Getenv("QUIETPOST_CORPUS")
	if root == "" {
		t.Skip("QUIETPOST_CORPUS is not set: the corpus of real mails is NOT tested")
	}
	files, _ := filepath.Glob(filepath.Join(root, "mail", "*", "*.eml"))
	if len(files) == 0 {
		t.Fatalf("no mails below %s/mail", root)
	}
	type count struct{ all, noFrom, noSubject, noBody, reports, automatic, fallback int }
	counts := map[string]*count{}
	var worst, perKB time.Duration
	var memory float64 // KB allocated for a KB of mail
	var worstFile, perKBFile, memoryFile string
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var before, after runtime.MemStats
		var r Reading
		took := time.Hour
		for range 3 { // the least of three: the machine has other work
			runtime.ReadMemStats(&before)
			start := time.Now()
			r = Read(raw, Options{})
			took = min(took, time.Since(start))
			runtime.ReadMemStats(&after)
		}
		if took > worst {
			worst, worstFile = took, file
		}
		kb := max(float64(len(raw))/1024, 1) // of a mail below a KB, what it takes in all
		if d := time.Duration(float64(took) / kb); d > perKB {
			perKB, perKBFile = d, file
		}
		if m := float64(after.TotalAlloc-before.TotalAlloc) / 1024 / kb; m > memory {
			memory, memoryFile = m, file
		}
		kind := filepath.Base(filepath.Dir(file))
		c := counts[kind]
		if c == nil {
			c = &count{}
			counts[kind] = c
		}
		c.all++
		note := func(n *int, yes bool, what string) {
			if yes {
				*n++
				if os.Getenv("QUIETPOST_CORPUS_VERBOSE") != "" {
					t.Logf("%s: %s", what, file)
				}
			}
		}
		note(&c.noFrom, r.From.Address == "", "no sender")
		note(&c.noSubject, r.Subject == "", "no subject")
		note(&c.noBody, r.Body == "" && len(r.Attachments) == 0, "no body")
		note(&c.fallback, r.NoAnswer == "it could not be read", "fallback")
		note(&c.reports, r.Report != "", "report")
		note(&c.automatic, r.AutoReply, "auto-reply")
		if r.Title == "" || !utf8.ValidString(r.Title+r.Body+r.From.Name) || strings.ContainsAny(r.Title, "\r\n\x00") {
			t.Errorf("%s: not a fit reading: %q", file, r.Title)
		}
		head, body := Split(raw)
		if string(head)+string(body) != string(raw) {
			t.Errorf("%s: Split lost bytes", file)
		}
	}
	t.Logf("%d mails, the slowest took %v: %s", len(files), worst, worstFile)
	t.Logf("a KB took %v at most: %s; and %.0f KB of memory: %s", perKB, perKBFile, memory, memoryFile)
	for kind, c := range counts {
		t.Logf("%-10s %+v", kind, *c)
		if c.fallback > 0 {
			t.Errorf("%s: %d mails only read by the fallback", kind, c.fallback)
		}
	}
}
