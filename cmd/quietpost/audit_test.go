package main

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
)

// What a service really sent passes; with one mail taken out of the middle, or one altered, it does not.
func TestAudit(t *testing.T) {
	s := newService(t, readers)
	for day := range 3 {
		s.post(fmt.Sprintf(`{"project": "apollo", "title": "day %d"}`, day))
		s.clock.set(s.clock.now().Add(24 * time.Hour))
		s.inbox.wait(t, day+1)
	}
	dir := t.TempDir()
	put := func(name, text string) {
		s.must(os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700))
		s.must(os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	for i, text := range s.inbox.texts {
		put(fmt.Sprintf("cur/%d:2,S", i), text)
	}
	put("new/other", "Subject: lunch?\r\n\r\nToday?\r\n")
	put("tmp/half", s.inbox.texts[0][:50])
	if code, out := s.command("audit", dir); code != 0 || !strings.Contains(out, "3 digests cover the numbers 1-3") || !strings.Contains(out, "1 other file") {
		t.Errorf("%d: %s", code, out)
	}
	put("new/again", s.inbox.texts[1])
	if code, out := s.command("audit", dir); code != 0 || !strings.Contains(out, "1 came again under the same Message-ID") {
		t.Errorf("%d: %s", code, out)
	}
	s.must(os.Remove(filepath.Join(dir, "new/again")))
	s.must(os.Remove(filepath.Join(dir, "cur/1:2,S")))
	if code, out := s.command("audit", dir); code != 1 || !strings.Contains(out, "2-2 are in no digest") {
		t.Errorf("%d: %s", code, out)
	}
	put("cur/1:2,S", s.inbox.texts[1])

	// The same mails as Dovecot compresses them, and as one mbox: what cannot be read proves nothing.
	var mbox strings.Builder
	zipped := t.TempDir()
	for i, text := range s.inbox.texts {
		var b bytes.Buffer
		var w io.WriteCloser = gzip.NewWriter(&b)
		if i == 1 {
			var err error
			w, err = zstd.NewWriter(&b)
			s.must(err)
		}
		_, err := io.WriteString(w, text)
		s.must(errors.Join(err, w.Close(), os.WriteFile(filepath.Join(zipped, fmt.Sprint(i)), b.Bytes(), 0o600)))
		fmt.Fprintf(&mbox, "From quietpost@example.com Mon Nov 23 09:00:00 2026\n%s\n", strings.ReplaceAll(text, "\r\n", "\n"))
	}
	file := filepath.Join(t.TempDir(), "mbox")
	s.must(os.WriteFile(file, []byte(mbox.String()), 0o600))
	for _, where := range []string{zipped, file, filepath.Dir(file)} {
		if code, out := s.command("audit", where); code != 0 || !strings.Contains(out, "3 digests cover the numbers 1-3") || !strings.Contains(out, "3 mails of quietpost's, 0 other") {
			t.Errorf("%s: %d: %s", where, code, out)
		}
	}
	s.must(os.WriteFile(filepath.Join(zipped, "4"), []byte("\xfd7zXZ\x00 and more"), 0o600))
	if code, out := s.command("audit", zipped); code != 1 || !strings.Contains(out, "compressed by xz") {
		t.Errorf("%d: %s", code, out)
	}
	if code, out := s.command("--json", "audit", dir); code != 0 || !strings.Contains(out, `"digests": 3`) {
		t.Errorf("%d: %s", code, out)
	}
	if code, out := s.command("audit", t.TempDir()); code != 1 || !strings.Contains(out, "no mail of quietpost's") {
		t.Errorf("%d: %s", code, out)
	}
}
