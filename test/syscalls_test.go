package test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const everySecond = `
schedules: {often: "@every 1s"}
alerts: {gather: 1s, follow_up_every: 2s, max_per_hour: 1000}
subscribers:
  - {address: reader@lab.test, schedule: often}
`

// straced skips where programs cannot be traced.
func straced(t *testing.T) {
	t.Helper()
	if out, err := exec.Command("strace", "-f", "-qq", "-o", "/dev/null", "true").CombinedOutput(); err != nil {
		t.Skipf("LEFT OUT: strace is not here or may not trace (test/install.sh installs it), so that no system call fails or kills: %v %s", err, out)
	}
}

// TestKilledAtAWrite kills the daemon at its n-th write to the disk or to a socket, and at its n-th sync, from its very first
// start on. strace counts by thread. In `make test` this is a sample; `make crash` says "all" by QUIETPOST_SYSCALLS: then n
// rises until the daemon lives through the whole story three times in a row.
func TestKilledAtAWrite(t *testing.T) {
	straced(t)
	t.Parallel()
	all := os.Getenv("QUIETPOST_SYSCALLS") == "all"
	runs, doubles := 0, 0
	for _, c := range []struct {
		calls  string
		sample []int
	}{
		{"pwrite64", []int{2, 20}}, {"fdatasync,fsync", []int{1, 3}}, {"ftruncate,unlink,rename", nil}, {"write", []int{3}},
	} {
		last, lived := 600, 0
		if !all {
			last = len(c.sample)
		}
		for i := range last {
			n := i + 1
			if !all {
				n = c.sample[i]
			}
			killed := false
			t.Run(fmt.Sprintf("%s %d", c.calls, n), func(t *testing.T) {
				var d int
				killed, d = tracedStory(t, c.calls, fmt.Sprintf("signal=KILL:when=%d", n))
				if doubles += d; !killed && !all {
					t.Error("it was not killed")
				}
			})
			if runs++; killed {
				lived = 0
			} else if lived++; lived == 3 {
				t.Logf("%s: killed at each up to %d", c.calls, n-lived)
				break
			}
		}
	}
	t.Logf("%d stories; %d mails came twice (SMTP's gap)", runs, doubles)
}

// TestASyncThatFails: what cannot be synced is refused, and nothing that was answered is lost.
func TestASyncThatFails(t *testing.T) {
	straced(t)
	t.Parallel()
	for _, inject := range []string{"error=EIO:when=8..20", "error=EIO:when=5+3", "error=ENOSPC:when=12+2"} {
		t.Run(inject, func(t *testing.T) { tracedStory(t, "fdatasync,fsync", inject) })
	}
	t.Run("no room for a page", func(t *testing.T) { tracedStory(t, "pwrite64", "error=ENOSPC:when=60..90") })
}

// tracedStory runs a short life of the daemon with faults in its system calls, goes on without them when it died, and audits.
func tracedStory(t *testing.T, calls, inject string) (killed bool, doubles int) {
	h, s := lightHouse(t, everySecond)
	h.under = []string{"strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=" + calls, "-e", "inject=" + calls + ":" + inject}
	h.launch()
	t.Cleanup(h.end)
	refused := 0
	alive := func() {
		select {
		case <-h.process.done:
			killed, h.under = true, nil
			h.start()
		default:
		}
	}
	numbers, urgent := map[string]int64{}, map[string]bool{}
	post := func(title string, hurry bool) {
		body := fmt.Sprintf(`{"project": "p1", "title": %q, "urgent": %t}`, title, hurry)
		header := map[string]string{"Authorization": "Bearer " + toolSecret, "Idempotency-Key": title}
		h.eventually(title+" is taken", func() bool {
			alive()
			a, err := h.post("/v1/items", header, body)
			if err == nil && (a.code == 202 || a.code == 200) && len(a.Items) == 1 {
				numbers[title], urgent[title] = a.Items[0].Seq, hurry
				return true
			}
			if err == nil && a.code != 503 {
				t.Fatalf("%d %s", a.code, a.text)
			}
			if err == nil {
				refused++
			}
			return false
		})
	}
	for i := range 6 {
		post(fmt.Sprintf("s0-%06d", i), i == 3)
	}
	h.eventually("the alert", func() bool { alive(); return s.tells("reader@lab.test", "s0-000003") })
	h.eventually("a digest", func() bool { alive(); return s.reaches("reader@lab.test", 6) })
	h.quit()
	if h.process.err != nil && h.under != nil {
		killed = true // when it was closing
	}
	h.under = nil
	h.start()
	post("s0-000006", false)
	h.eventually("the last digest", func() bool { return s.reaches("reader@lab.test", 7) })
	h.eventually("nothing waits", func() bool { return h.waiting() == 0 })
	if strings.HasPrefix(inject, "error") && !killed && refused == 0 && h.log.count("cannot be written") == 0 {
		t.Error("nothing failed")
	}
	return killed, s.prove(t, "reader@lab.test", numbers, urgent)
}

// quit is SIGTERM to the daemon itself, not to what it runs under.
func (h *house) quit() {
	h.t.Helper()
	pid := h.process.cmd.Process.Pid
	if h.under != nil {
		children, err := os.ReadFile(filepath.Join("/proc", fmt.Sprint(pid), "task", fmt.Sprint(pid), "children"))
		if fields := strings.Fields(string(children)); err == nil && len(fields) == 1 {
			pid, err = strconv.Atoi(fields[0])
			h.must(err)
		}
	}
	_ = syscall.Kill(pid, syscall.SIGTERM) // it may be dead
	select {
	case <-h.process.done:
	case <-time.After(patience):
		h.t.Fatal("the daemon does not end")
	}
}
