package test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const faultReader = never + `
subscribers:
  - {address: reader@lab.test, schedule: when-asked}
`

// smallDisk mounts a disk of a few MB for one test.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "disk")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("quietpost-test", dir, "tmpfs", 0, "size=8m"); err != nil {
		t.Skipf("NOT TESTED: a disk that is full or read-only, for no tmpfs can be mounted here: %v. Run the tests as root; "+
			"a container needs the capability SYS_ADMIN", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Errorf("unmounting %s: %v", dir, err)
		}
	})
	return dir
}

// A diskFault posts to a daemon whose disk fails, and keeps what was promised.
type diskFault struct {
	*bareHouse
	next     int
	promised map[int64]string
}

func newDiskFault(t *testing.T) *diskFault {
	d := &diskFault{bareHouse: newBareHouse(t, smallDisk(t), faultReader), promised: map[int64]string{}}
	d.start()
	for range 3 {
		if code := d.try("Hello."); code != 202 {
			t.Fatalf("before: %d", code)
		}
	}
	return d
}

// try posts one update and gives the status; a refusal must be as senders need it.
func (d *diskFault) try(text string) int {
	d.t.Helper()
	title, body := titled(d.next, false, text)
	d.next++
	a, err := d.post("/v1/items", bearer, body)
	d.must(err)
	switch {
	case a.code == 202:
		d.promised[a.Items[0].Seq] = title
	case a.code == 503:
		d.refusal(body)
	default:
		d.t.Fatalf("%s: %d %s", title, a.code, a.text)
	}
	return a.code
}

// refusal posts once more and looks at the fields of the answer.
func (d *diskFault) refusal(body string) {
	d.t.Helper()
	req, err := http.NewRequest("POST", d.url+"/v1/items", strings.NewReader(body))
	d.must(err)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+toolSecret)
	resp, err := client.Do(req)
	d.must(err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	d.must(err)
	after, err := strconv.Atoi(resp.Header.Get("Retry-After"))
	if resp.StatusCode != 503 || err != nil || after < 1 || resp.Header.Get("Content-Type") != "application/problem+json" {
		d.t.Errorf("%s %v %s", resp.Status, resp.Header, text)
	}
}

func (d *diskFault) isUnwell() {
	d.t.Helper()
	if code, text := d.ready(); code != 503 || !strings.Contains(text, `"database"`) {
		d.t.Errorf("/readyz: %d %s", code, text)
	} else {
		d.t.Logf("/readyz: %s", text)
	}
}

// recovers waits until it goes on by itself, and proves that what was promised has come.
func (d *diskFault) recovers() {
	d.t.Helper()
	d.eventually("/readyz is well again", func() bool { code, _ := d.ready(); return code == 200 })
	for range 3 {
		if code := d.try("Hello again."); code != 202 {
			d.t.Fatalf("after: %d", code)
		}
	}
	last := int64(0)
	for number := range d.promised {
		last = max(last, number)
	}
	d.cut()
	d.eventually("a digest covers all", func() bool { return d.covered() >= last })
	d.hold()
	d.audit(d.promised)
}

// patiently runs what takes the daemon minutes: it tells operators only what lasts one, and that it is over after one.
// With a clock that the test moves the same is in cmd/quietpost.
func patiently(t *testing.T, fn func()) {
	t.Helper()
	if os.Getenv("QUIETPOST_FAULTS") == "all" {
		fn()
		return
	}
	t.Log("the mails to the operators are not waited for here: that takes minutes. QUIETPOST_FAULTS=all does (make crash)")
}

// TestDiskFull fills the disk, and then makes room.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	d := newDiskFault(t)
	filler := filepath.Join(d.data, "filler")
	fill := func() {
		f, err := os.OpenFile(filler, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
		d.must(err)
		defer f.Close()
		for block := 1 << 20; block > 0; {
			if _, err := f.Write(make([]byte, block)); err != nil {
				block /= 2
			}
		}
	}
	fill()
	refused := 0
	for i := 0; refused < 3; i++ {
		if d.try(strings.Repeat("Much to tell. ", 500)) == 503 {
			refused++
		}
		if i > 2000 {
			t.Fatal("the disk is never full")
		}
	}
	t.Logf("%d updates were taken, then the disk was full", len(d.promised))
	d.isUnwell()
	patiently(t, func() {
		d.within(3*time.Minute, "the operators are told", func() bool { return d.told("nothing can be stored") > 0 })
		time.Sleep(5 * time.Second)
		d.isUnwell()
	})
	// A change of the configuration meanwhile must not stop what still runs.
	old, err := os.ReadFile(d.file)
	d.must(err)
	d.write("quietpost.yaml", string(old)+"  - {address: second@lab.test, schedule: when-asked}\n")
	d.hangup()
	d.eventually("it answers the reload", func() bool { return d.log.count("the old configuration stays in force") > 0 })
	d.must(os.Remove(filler))
	d.recovers()
	patiently(t, func() {
		d.within(3*time.Minute, "the operators are told that it is over", func() bool { return d.told("it can be stored again") > 0 })
		if a, b, all := d.told("nothing can be stored"), d.told("it can be stored again"), len(d.sink.of("operator@lab.test")); a != 1 || b != 1 || all != 2 {
			t.Errorf("%d mails that it began, %d that it is over, %d in all", a, b, all)
		}
	})
	d.stop()
}

// TestDiskReadOnly: a disk that the kernel does not believe any more. The kernel refuses to remount a disk with files open
// for writing, so that the running daemon gets EROFS from each call that would write, and the real remount when it starts.
func TestDiskReadOnly(t *testing.T) {
	t.Parallel()
	needStrace(t)
	d := newDiskFault(t)
	mend := d.failing("pwrite64,fdatasync,fsync,ftruncate", "error=EROFS")
	if code := d.try("Hello."); code != 503 {
		t.Errorf("%d from a disk that is read-only", code)
	}
	d.isUnwell()
	mend()
	d.stop()
	d.must(unix.Mount("", d.data, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""))
	d.refusesToStart("quietpost.db", "read-only")
	d.must(unix.Mount("", d.data, "", unix.MS_REMOUNT, ""))
	d.start()
	d.recovers()
	d.stop()
}

// refusesToStart starts another daemon on the same configuration.
func (h *bareHouse) refusesToStart(says ...string) {
	h.t.Helper()
	cmd := exec.Command(binary, "serve", "--config", h.file)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	var e *exec.ExitError
	if !errors.As(err, &e) || e.ExitCode() != 1 {
		h.t.Errorf("it ended with %v, want exit status 1", err)
	}
	for _, s := range says {
		if !strings.Contains(out.String(), s) {
			h.t.Errorf("it does not say %q: %s", s, &out)
		}
	}
	h.t.Logf("%s", &out)
}

// TestSecondDaemon: two daemons on one database would both send.
func TestSecondDaemon(t *testing.T) {
	t.Parallel()
	h := newBareHouse(t, "", faultReader)
	h.start()
	h.refusesToStart("quietpost.db")
	h.item(`{"project": "apollo", "title": "The first one goes on"}`)
	h.stop()
	h.start() // and whoever comes after the first is let in
	h.stop()
}

// TestNoSuchMailServer: a name that nobody knows is a fault that passes, and a reload mends it.
func TestNoSuchMailServer(t *testing.T) {
	t.Parallel()
	h := newBareHouse(t, "", faultReader)
	good, err := os.ReadFile(h.file)
	h.must(err)
	bad := strings.Replace(string(good), "host: 127.0.0.1", "host: no-such-host.invalid", 1) // RFC 6761, section 6.4
	h.write("quietpost.yaml", strings.Replace(bad, never, now, 1))
	h.start()
	promised := map[int64]string{}
	for i := range 3 {
		title, body := titled(i, i == 1, "Hello.")
		promised[h.promised(title, body)] = title
	}
	h.eventually("/readyz tells that no mail can be sent", func() bool {
		code, text := h.ready()
		return code == 503 && strings.Contains(text, `"smtp"`) && strings.Contains(text, "no-such-host.invalid")
	})
	_, text := h.ready()
	t.Logf("/readyz: %s", text)
	h.eventually("digest and alert wait", func() bool { return h.waiting() >= 2 })
	for _, m := range h.outbox() {
		if m.State == "failed" {
			t.Errorf("given up: %+v", m)
		}
	}
	h.reload(func(s string) string { return strings.Replace(s, "host: no-such-host.invalid", "host: 127.0.0.1", 1) })
	h.eventually("nothing waits", func() bool { return h.waiting() == 0 })
	h.eventually("a digest covers all", func() bool { return h.covered() >= 3 })
	h.eventually("/readyz is well again", func() bool { code, _ := h.ready(); return code == 200 })
	h.stop()
	h.audit(promised, "s0-000001")
}
