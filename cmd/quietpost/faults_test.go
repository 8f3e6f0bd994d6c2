package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const toldReaders = `
operators: [op@example.com]
subscribers:
  - {address: ana@example.com, schedule: "0 9 * * *", alerts: true}
`

// until waits until ok, or fails.
func (s *service) until(what string, ok func() bool) {
	s.t.Helper()
	for end := time.Now().Add(2 * time.Minute); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			s.t.Fatalf("it never came to this: %s\n%s", what, s.log.String())
		}
	}
}

// seen waits until all loops have begun and ended a round under the clock as it stands.
func (s *service) seen() {
	s.t.Helper()
	for range 2 {
		s.clock.Add(1)
		now := s.clock.now()
		s.until("every loop comes round", func() bool {
			g := s.house.gen.Load()
			g.mu.Lock()
			defer g.mu.Unlock()
			for _, at := range g.beats {
				if !at.Equal(now) {
					return false
				}
			}
			return true
		})
	}
}

// passes lets time pass, in steps that all loops see.
func (s *service) passes(d, step time.Duration) {
	s.t.Helper()
	for ; d > 0; d -= step {
		s.clock.set(s.clock.now().Add(min(d, step)))
		s.seen()
	}
}

// asked posts an item of so many bytes and gives status and Retry-After.
func (s *service) asked(title string, size int) (int, string) {
	s.t.Helper()
	body := fmt.Sprintf(`{"project": "apollo", "title": %q, "body": %q}`, title, noise(size))
	req, err := http.NewRequest("POST", s.url+"/v1/items", strings.NewReader(body))
	s.must(err)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer geheim")
	resp, err := http.DefaultClient.Do(req)
	s.must(err)
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	s.must(err)
	return resp.StatusCode, resp.Header.Get("Retry-After")
}

// noise is text that no compression makes smaller than half.
func noise(size int) string {
	var b strings.Builder
	for x := uint64(size) + 88172645463325252; b.Len() < size; {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		fmt.Fprintf(&b, "%016x", x)
	}
	return b.String()[:size]
}

// onDisk puts a service's data on a small file system of its own. It needs root.
func onDisk(s *service, kind string, megabytes int) (data string) {
	s.t.Helper()
	if os.Geteuid() != 0 {
		s.t.Skip("LEFT OUT: faults of real disks need root, to mount one; run the tests as root")
	}
	data = filepath.Join(s.dir, "data")
	s.must(s.stop())
	s.must(os.RemoveAll(data))
	s.must(os.MkdirAll(data, 0o700))
	s.mount(kind, data, megabytes)
	s.start()
	return data
}

func (s *service) mount(kind, data string, megabytes int) {
	s.t.Helper()
	var err error
	switch kind {
	case "tmpfs":
		err = unix.Mount("quietpost", data, "tmpfs", 0, fmt.Sprintf("size=%dm", megabytes))
	default:
		image := filepath.Join(s.dir, "image")
		if _, err := os.Stat(image); err != nil {
			s.must(os.WriteFile(image, nil, 0o600))
			s.must(os.Truncate(image, int64(megabytes)<<20))
			if out, err := exec.Command("mke2fs", "-q", "-F", "-t", "ext4", image).CombinedOutput(); err != nil {
				s.t.Fatalf("mke2fs: %v %s", err, out)
			}
		}
		var out []byte
		if out, err = exec.Command("mount", "-o", "loop,errors=remount-ro", image, data).CombinedOutput(); err != nil {
			err = errors.Join(err, errors.New(string(out)))
		}
	}
	if err != nil {
		s.t.Skipf("LEFT OUT: this machine lets nobody mount a %s, so that no real disk goes wrong: %v", kind, err)
	}
	s.t.Cleanup(func() { _ = unix.Unmount(data, unix.MNT_DETACH) })
}

func fill(t *testing.T, file string) {
	t.Helper()
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for block := bytes.Repeat([]byte("x"), 4096); err == nil; {
		_, err = f.Write(block)
	}
	if !errors.Is(err, unix.ENOSPC) {
		t.Fatal(err)
	}
}

// TestAFullDisk: refused and told, past the outbox; then everything goes on by itself and nothing is lost or doubled.
func TestAFullDisk(t *testing.T) {
	t.Parallel()
	s := newService(t, toldReaders)
	data := onDisk(s, "tmpfs", 24)
	accepted := 0
	post := func(title string, size int) int {
		code, retry := s.asked(title, size)
		switch {
		case code == 202:
			accepted++
		case code != 503 || retry == "":
			t.Errorf("%s: %d, Retry-After %q", title, code, retry)
		}
		return code
	}
	post("before", 100)
	fill(t, filepath.Join(data, "filler"))
	s.until("a full disk refuses", func() bool { return post("while it fills", 30_000) == 503 })
	if code, v := s.do("GET", "/readyz", "", ""); code != 503 || !strings.Contains(fmt.Sprint(v), "database") {
		t.Errorf("/readyz: %d %v", code, v)
	}
	if code, _ := s.do("GET", "/healthz", "", ""); code != 200 {
		t.Errorf("/healthz: %d", code)
	}
	// Who is to find out, and to save what there is, must not need room for it.
	for _, args := range [][]string{{"items", "list"}, {"outbox", "list"}, {"subscribers", "list"}, {"backup", filepath.Join(s.dir, "saved.db")}} {
		if code, out := s.command(args...); code != 0 {
			t.Errorf("%v on a full disk: %d %s", args, code, out)
		}
	}
	const full, over = "quietpost: nothing can be stored", "quietpost: it can be stored again"
	s.passes(2*time.Minute, time.Minute)
	s.until("the operators are told", func() bool { return s.mails(full) == 1 })
	if text := s.textOf(full); !strings.Contains(text, "full") || !strings.Contains(text, data) {
		t.Errorf("it says: %s", text)
	}
	s.clock.set(time.Date(2026, 11, 23, 9, 0, 30, 0, time.UTC)) // a slot comes meanwhile
	s.passes(3*time.Hour, 30*time.Minute)
	post("still full", 30_000)
	s.must(os.Remove(filepath.Join(data, "filler")))
	s.passes(30*time.Second, 15*time.Second)
	s.until("it is ready again", func() bool { code, _ := s.do("GET", "/readyz", "", ""); return code == 200 })
	if post("after", 30_000) != 202 {
		t.Error("there is room, and it refuses")
	}
	s.passes(3*time.Minute, time.Minute)
	s.until("the operators are told that it is over", func() bool { return s.mails(over) == 1 })
	s.clock.set(time.Date(2026, 11, 24, 9, 0, 30, 0, time.UTC))
	s.windows(accepted)
	if s.mails(full) != 1 || s.mails(over) != 1 {
		t.Errorf("told %d times, over %d times", s.mails(full), s.mails(over))
	}
}

// windows waits until digests cover all numbers from 1 to n, and wants them to tile.
func (s *service) windows(n int) {
	s.t.Helper()
	to := 0
	s.until(fmt.Sprintf("digests up to %d", n), func() bool {
		s.inbox.mu.Lock()
		defer s.inbox.mu.Unlock()
		to = 0
		for _, m := range s.inbox.mails {
			var from, upTo int
			if w := m.Header.Get("X-Quietpost-Window"); w == "" {
				continue
			} else if _, err := fmt.Sscanf(w, "%d-%d", &from, &upTo); err != nil || from != to+1 {
				s.t.Fatalf("window %s behind %d", w, to)
			} else {
				to = upTo
			}
		}
		return to >= n
	})
	if to != n {
		s.t.Errorf("digests cover %d items, %d were accepted", to, n)
	}
}

// TestADiskThatTurnsReadOnly is what ext4 does after an I/O error. It is mended as an operator would, and nothing is lost.
func TestADiskThatTurnsReadOnly(t *testing.T) {
	t.Parallel()
	s := newService(t, toldReaders)
	data := onDisk(s, "ext4", 32)
	if code, _ := s.asked("before", 100); code != 202 {
		t.Fatal(code)
	}
	device, err := exec.Command("findmnt", "-n", "-o", "SOURCE", data).Output()
	s.must(err)
	trigger := filepath.Join("/sys/fs/ext4", filepath.Base(strings.TrimSpace(string(device))), "trigger_fs_error")
	if err := os.WriteFile(trigger, []byte("1"), 0o200); err != nil {
		t.Skipf("LEFT OUT: this kernel's ext4 cannot be told that its disk failed: %v", err)
	}
	s.until("a read-only disk refuses", func() bool { code, retry := s.asked("refused", 100); return code == 503 && retry != "" })
	if code, _ := s.do("GET", "/readyz", "", ""); code != 503 {
		t.Errorf("/readyz: %d", code)
	}
	s.passes(2*time.Minute, time.Minute)
	s.until("the operators are told", func() bool { return s.mails("quietpost: nothing can be stored") == 1 })
	if code, _ := s.do("GET", "/v1/items", "lesen", ""); code != 200 {
		t.Errorf("reading what is there: %d", code)
	}
	_ = s.stop() // the file cannot be closed as it should
	s.must(unix.Unmount(data, 0))
	if out, err := exec.Command("e2fsck", "-f", "-y", filepath.Join(s.dir, "image")).CombinedOutput(); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() > 1 {
			t.Fatalf("e2fsck: %v %s", err, out)
		}
	}
	s.mount("ext4", data, 32)
	s.start()
	if code, _ := s.asked("after", 100); code != 202 {
		t.Fatal(code)
	}
	s.clock.set(time.Date(2026, 11, 23, 9, 0, 30, 0, time.UTC))
	s.windows(2)
}
