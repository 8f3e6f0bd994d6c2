package main

import (
	"fmt"
	"net/mail"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestADiskThatIsFullIsTold: on a disk that is really full, the operators get one mail, though the outbox cannot be
// written, and one when there is room again; what was accepted comes in the digest.
func TestADiskThatIsFullIsTold(t *testing.T) {
	t.Parallel()
	disk := filepath.Join(t.TempDir(), "disk")
	if err := os.Mkdir(disk, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("quietpost-test", disk, "tmpfs", 0, "size=8m"); err != nil {
		t.Skipf("NOT TESTED: a disk that is full, for no tmpfs can be mounted here: %v. Run the tests as root; a container "+
			"needs the capability SYS_ADMIN", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(disk, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	s := newService(t, "operators: [ops@example.com]\n"+readers)
	s.must(s.stop())
	raw, err := os.ReadFile(s.file)
	s.must(err)
	s.write("quietpost.yaml", strings.Replace(string(raw), "data_dir: "+s.dir+"/data", "data_dir: "+disk, 1))
	s.start()
	s.post(`{"project": "apollo", "title": "Accepted before"}`)

	filler := filepath.Join(disk, "filler")
	f, err := os.Create(filler)
	s.must(err)
	for block := 1 << 20; block > 0; {
		if _, err := f.Write(make([]byte, block)); err != nil {
			block /= 2
		}
	}
	s.must(f.Close())
	accepted := 1
	for code := 0; code != 503; accepted++ {
		if code, _ = s.post(`{"project": "apollo", "title": "Backup done", "body": "` + strings.Repeat("x", 5000) + `"}`); accepted > 2000 {
			t.Fatal("the disk is never full")
		}
	}
	accepted--                      // the last one was not
	pass := func(d time.Duration) { // time passes with the loops running
		for ; d > 0; d -= 20 * time.Second {
			s.clock.set(s.clock.now().Add(20 * time.Second))
			time.Sleep(1200 * time.Millisecond)
		}
	}
	pass(2 * time.Minute)
	begun := s.inbox.wait(t, 1)[0]
	if got := begun.Header.Get("Subject"); !strings.Contains(got, "nothing can be stored") || begun.Header.Get("To") != "<ops@example.com>" {
		t.Errorf("told %v", begun.Header)
	}
	if code, _ := s.post(`{"project": "apollo", "title": "Still full"}`); code != 503 {
		t.Errorf("%d while the disk is full", code)
	}
	s.must(os.Remove(filler))
	pass(100 * time.Second)
	if got := s.inbox.wait(t, 2)[1].Header.Get("Subject"); !strings.Contains(got, "it can be stored again") {
		t.Errorf("told %q", got)
	}
	if code, _ := s.post(`{"project": "apollo", "title": "Accepted afterwards"}`); code != 202 {
		t.Errorf("%d with room again", code)
	}
	s.must(s.clock.at("2026-11-23 09:00:30"))
	mails := s.inbox.wait(t, 3)
	if i := slices.IndexFunc(mails, func(m *mail.Message) bool { return m.Header.Get("X-Quietpost-Window") != "" }); i < 0 {
		t.Error("no digest came")
	} else if got, want := mails[i].Header.Get("X-Quietpost-Window"), fmt.Sprintf("1-%d", accepted+1); got != want {
		t.Errorf("the digest's window is %s, %s was accepted", got, want)
	}
}
