package test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// deadly are the calls by which data reach the disk, and answers and mails leave.
var deadly = []string{"pwrite64", "fsync", "fdatasync", "write", "ftruncate", "unlink", "renameat"}

// A death is the N-th such call of one thread, for strace counts so: from the daemon's start, or from when it is ready.
type death struct {
	call  string
	n     int
	ready bool
}

// deaths are those in `make test`; `make crash` says all by QUIETPOST_STRACE.
var deaths = []death{{"pwrite64", 20, false}, {"fsync", 1, false}, {"pwrite64", 8, true}, {"fsync", 2, true}, {"write", 2, true}}

const straceReader = `
schedules: {second: "@every 1s"}
alerts: {gather: 1s}
subscribers:
  - {address: reader@lab.test, schedule: second}
`

// needStrace skips a test where strace or what it needs of the kernel is not there.
func needStrace(t *testing.T) {
	t.Helper()
	if out, err := exec.Command("strace", "-f", "-o", os.DevNull, "true").CombinedOutput(); err != nil {
		t.Skipf("NOT TESTED: faults of system calls, for strace does not run here (%v %s). test/install.sh installs it; "+
			"a container needs the capability SYS_PTRACE", err, out)
	}
}

// TestStraceKill kills the daemon at the N-th such call of any of its threads: before its data are on the disk, between
// commit and answer, in the midst of a mail. Without --seccomp-bpf, which would be
// faster: strace 6.1 then injects no signals.
func TestStraceKill(t *testing.T) {
	t.Parallel()
	needStrace(t)
	if s := os.Getenv("QUIETPOST_STRACE"); s == "all" {
		for i := range 2 * len(deadly) {
			t.Run(fmt.Sprint(deadly[i/2], " ", i%2 == 1), func(t *testing.T) {
				t.Parallel()
				for n, calm := 1, 0; calm < 3 && !t.Failed(); n++ { // until no thread comes that far
					if calm++; straceRun(t, death{deadly[i/2], n, i%2 == 1}) {
						calm = 0
					}
				}
			})
		}
		return
	} else if s != "" {
		t.Fatalf("QUIETPOST_STRACE is %q; it can only be all", s)
	}
	var killed atomic.Int64
	t.Cleanup(func() {
		if n := int(killed.Load()); n < len(deaths)/2 && !t.Failed() {
			t.Errorf("only %d of %d runs were killed: the test does not test", n, len(deaths))
		}
	})
	for _, d := range deaths {
		t.Run(fmt.Sprint(d.call, " ", d.n, " ", d.ready), func(t *testing.T) {
			t.Parallel()
			if straceRun(t, d) {
				killed.Add(1)
			}
		})
	}
}

// straceRun is one short life with a death in it.
func straceRun(t *testing.T, d death) (killed bool) {
	t.Helper()
	h := newBareHouse(t, "", straceReader)
	kill := fmt.Sprintf("signal=KILL:when=%d", d.n)
	traced := []string{"strace", "-D", "-f", "-qq", "-o", os.DevNull, "-e", "trace=" + d.call, "-e", "inject=" + d.call + ":" + kill}
	if d.ready {
		h.start()
		defer h.failing(d.call, kill)()
		h.under = traced // so that revive knows
	} else {
		h.under = traced
		h.launch()
	}
	const posts = 7
	promised, answered := map[int64]string{}, 0
	for i := range posts {
		title, body := titled(i, i == 5, "Hello.")
		if number := h.promised(title, body); promised[number] == "" {
			promised[number] = title
		} else {
			t.Errorf("%s and %s are both number %d", promised[number], title, number)
		}
		if h.under != nil {
			answered++
		}
	}
	h.eventually("a digest covers all that was promised", func() bool { h.revive(); return h.covered() >= posts })
	h.must(ignoreDone(h.process.cmd.Process.Signal(syscall.SIGTERM)))
	<-h.process.done
	killed = h.log.count("msg=stopped") == 0 || h.under == nil
	h.under = nil
	h.start()
	for i := range posts { // what was answered stays so, over the restart
		title, body := titled(i, i == 5, "Hello.")
		if again := h.promised(title, body); promised[again] != title {
			t.Errorf("%s, when repeated, is number %d, which is %q", title, again, promised[again])
		}
	}
	title, body := titled(posts, false, "The last.")
	last := h.promised(title, body)
	promised[last] = title
	h.eventually("a digest covers the last", func() bool { return h.covered() >= last })
	h.eventually("the alert came", func() bool { return h.alerts() >= 1 })
	h.stop()
	doubles := h.audit(promised, "s0-000005")
	if killed {
		t.Logf("killed in %s %d of a thread (counted from ready: %t) with %d updates answered; %d mails, %d of them twice", d.call, d.n, d.ready, answered, len(h.sink.of("reader@lab.test")), doubles)
	} else {
		t.Logf("no thread came to %s %d", d.call, d.n)
	}
	return killed
}

func ignoreDone(err error) error {
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	return err
}

// revive starts the daemon without strace when it was killed.
func (h *bareHouse) revive() {
	h.t.Helper()
	select {
	case <-h.process.done:
		var e *exec.ExitError
		if h.under == nil || !errors.As(h.process.err, &e) || e.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
			h.t.Fatalf("the daemon ended by itself: %v", h.process.err)
		}
		h.under = nil
		h.start()
	default:
	}
}

// promised posts until there is an answer, as senders with an Idempotency-Key do.
func (h *bareHouse) promised(title, body string) (number int64) {
	h.t.Helper()
	h.eventually(title+" is answered", func() bool {
		h.revive()
		a, err := h.post("/v1/items", map[string]string{"Authorization": "Bearer " + toolSecret, "Idempotency-Key": title}, body)
		if err == nil && a.code != 503 && (a.code != 202 && a.code != 200 || len(a.Items) != 1) {
			h.t.Fatalf("%s: %d %s", title, a.code, a.text)
		}
		if err != nil || a.code == 503 {
			return false
		}
		number = a.Items[0].Seq
		return true
	})
	return number
}

// alerts are the different ones that the reader has.
func (h *bareHouse) alerts() int {
	h.t.Helper()
	seen := map[string]bool{}
	for _, raw := range h.sink.of("reader@lab.test") {
		l, err := readLetter(raw)
		h.must(err)
		if l.alert() {
			seen[l.get("Message-Id")] = true
		}
	}
	return len(seen)
}

// failing makes some system calls of a running daemon fail, or deadly, until the given function is called.
func (h *bareHouse) failing(calls, how string) (mend func()) {
	h.t.Helper()
	var said journal
	cmd := exec.Command("strace", "-f", "-o", os.DevNull, "-e", "trace="+calls, "-e", "inject="+calls+":"+how, "-p",
		fmt.Sprint(h.process.cmd.Process.Pid))
	cmd.Stderr = &said
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	h.must(cmd.Start())
	h.eventually("strace holds the daemon", func() bool { return said.count("attached") > 0 })
	time.Sleep(100 * time.Millisecond) // it says so before the last thread is held
	return func() {
		h.t.Helper()
		h.must(ignoreDone(cmd.Process.Signal(syscall.SIGTERM)))
		_ = cmd.Wait() // it ends by the signal
	}
}

// TestSyncFails: what could not be brought to the disk is never answered 202.
func TestSyncFails(t *testing.T) {
	t.Parallel()
	needStrace(t)
	h := newBareHouse(t, "", straceReader)
	h.start()
	promised := map[int64]string{}
	post := func(i int) int64 {
		title, body := titled(i, false, "Hello.")
		number := h.promised(title, body)
		promised[number] = title
		return number
	}
	post(0)
	mend := h.failing("fsync,fdatasync", "error=EIO")
	for i := 1; i <= 5; i++ {
		title, body := titled(i, false, "Hello.")
		a, err := h.post("/v1/items", map[string]string{"Authorization": "Bearer " + toolSecret, "Idempotency-Key": title}, body)
		if err != nil || a.code != 503 {
			t.Errorf("%s: %v %d %s", title, err, a.code, a.text)
		}
	}
	if code, text := h.ready(); code != 503 || !strings.Contains(text, "database") {
		t.Errorf("/readyz: %d %s", code, text)
	} else {
		t.Logf("/readyz: %s", text)
	}
	mend()
	for i := 1; i <= 3; i++ {
		post(i) // repeated by their senders
	}
	h.eventually("/readyz is well again", func() bool { code, _ := h.ready(); return code == 200 })

	// Dead after a failed sync: what was refused may come back from the log of the database, but not as two.
	mend = h.failing("fsync,fdatasync", "error=EIO")
	title, body := titled(6, false, "Hello.")
	if a, err := h.post("/v1/items", map[string]string{"Authorization": "Bearer " + toolSecret, "Idempotency-Key": title}, body); err != nil || a.code != 503 {
		t.Errorf("%s: %v %d %s", title, err, a.code, a.text)
	}
	h.kill()
	mend()
	h.start()
	last := int64(0)
	for i := 4; i <= 7; i++ {
		last = post(i)
	}
	h.eventually("a digest covers all", func() bool { return h.covered() >= last })
	if n := len(h.items()); n != 8 {
		t.Errorf("%d items of 8", n)
	}
	h.stop()
	h.audit(promised)
}
