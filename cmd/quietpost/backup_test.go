package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// command runs one command beside the service and gives its exit status and what it printed.
func (s *service) command(args ...string) (int, string) {
	s.t.Helper()
	var out bytes.Buffer
	e := s.env(s.t.Context())
	e.stdout, e.stderr = &out, &out
	return run(e, append([]string{"--config", s.file}, args...)), out.String()
}

// A copy is made while the daemon runs, the database is lost, the copy restored: what was sent is not sent again, and
// windows tile on.
func TestBackupAndRestore(t *testing.T) {
	s := newService(t, readers)
	for i := range 3 {
		s.post(fmt.Sprintf(`{"project": "apollo", "title": "before %d"}`, i))
	}
	copied := filepath.Join(s.dir, "copy.db")
	if code, out := s.command("backup", copied); code != 0 || !strings.Contains(out, "number 3") {
		t.Fatalf("%d: %s", code, out)
	}
	if code, out := s.command("backup", copied); code != 1 || !strings.Contains(out, "is there already") {
		t.Errorf("over an old copy: %d: %s", code, out)
	}
	if code, out := s.command("restore", copied); code != 1 || !strings.Contains(out, "stop it first") {
		t.Errorf("while the daemon runs: %d: %s", code, out)
	}
	s.post(`{"project": "apollo", "title": "after"}`)
	s.clock.set(s.clock.now().Add(time.Hour))
	first := s.inbox.wait(t, 1)[0].Header.Get("X-Quietpost-Window")
	if first != "1-4" {
		t.Errorf("the first window is %s", first)
	}
	s.must(s.stop())

	if code, out := s.command("restore", copied); code != 0 || !strings.Contains(out, "1 items received since") {
		t.Fatalf("%d: %s", code, out)
	}
	s.start()
	s.post(`{"project": "apollo", "title": "later"}`)
	s.clock.set(s.clock.now().Add(24 * time.Hour))
	if w := s.inbox.wait(t, 2)[1].Header.Get("X-Quietpost-Window"); w != "5-5" {
		t.Errorf("the window after restoring is %s", w)
	}
	s.must(s.stop())

	s.must(os.WriteFile(filepath.Join(s.dir, "data", "quietpost.db"), []byte(strings.Repeat("spoilt", 4096)), 0o600))
	code, out := s.command("restore", copied)
	if code != 0 || !strings.Contains(out, "--catch-up") {
		t.Fatalf("%d: %s", code, out)
	}
	s.start()
	if code, v := s.post(`{"project": "apollo", "title": "much later"}`); code != 202 {
		t.Errorf("after the database was lost: %d %v", code, v)
	}
	s.clock.set(s.clock.now().Add(24 * time.Hour))
	m := s.inbox.wait(t, 3)[2]
	var from, to int64
	if _, err := fmt.Sscanf(m.Header.Get("X-Quietpost-Window"), "%d-%d", &from, &to); err != nil || from < 1_000_000 || to != from {
		t.Errorf("the window after the database was lost is %s: %v", m.Header.Get("X-Quietpost-Window"), err)
	}
}

// Commands run beside a daemon that may be older, and before its first start: they convert nothing, and make no file that it cannot open.
func TestCommandsLeaveTheDatabaseToItsDaemon(t *testing.T) {
	s := newService(t, readers)
	s.must(s.stop())
	data := filepath.Join(s.dir, "data")
	db := filepath.Join(data, "quietpost.db")
	s.must(errors.Join(os.RemoveAll(data), os.Mkdir(data, 0o700), os.WriteFile(db, nil, 0o600)))
	if code, out := s.command("items", "list"); code != 1 || !strings.Contains(out, "restart the service") {
		t.Errorf("on a database that is to be converted: %d %s", code, out)
	}
	if os.Geteuid() != 0 {
		t.Skip("LEFT OUT: whose the files are that root makes; run the tests as root")
	}
	s.must(errors.Join(os.Remove(db), os.Chown(data, 4321, 4321)))
	if code, out := s.command("items", "list"); code != 0 {
		t.Errorf("before the first start: %d %s", code, out)
	}
	s.start()
	s.must(s.stop())
	for _, file := range []string{db, db + ".lock"} {
		info, err := os.Stat(file)
		s.must(err)
		if st := info.Sys().(*syscall.Stat_t); st.Uid != 4321 || st.Gid != 4321 {
			t.Errorf("%s belongs to %d:%d, its folder to 4321:4321", file, st.Uid, st.Gid)
		}
	}
}
