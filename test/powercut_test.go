package test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"quietpost/digest/audit"
	"quietpost/test/maillab"
)

// TestPowerCut runs the daemon in a virtual machine and pulls its plug, again and again: what was written and not synced is
// gone with the machine's memory, which no kill of a process shows. QUIETPOST_POWERCUT is a folder that
// powercut/prepare.sh has made; QUIETPOST_CUTS how often the plug is pulled.
func TestPowerCut(t *testing.T) {
	dir := os.Getenv("QUIETPOST_POWERCUT")
	if dir == "" {
		t.Skip("LEFT OUT: QUIETPOST_POWERCUT is not set; `make powercut` makes a virtual machine and pulls its plug")
	}
	cuts, err := strconv.Atoi(os.Getenv("QUIETPOST_CUTS"))
	if err != nil || cuts < 1 {
		t.Fatalf("QUIETPOST_CUTS %q is no number of cuts", os.Getenv("QUIETPOST_CUTS"))
	}
	h := newBareHouse(t, "", "")
	disk := filepath.Join(h.dir, "disk.img")
	if out, err := exec.Command("cp", "--sparse=always", filepath.Join(dir, "empty.img"), disk).CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	v := &virtual{house: h.house, dir: dir, disk: disk, port: maillab.FreePort(), smtp: h.sink.port()}
	h.url = fmt.Sprintf("http://127.0.0.1:%d", v.port)
	t.Cleanup(func() {
		_ = h.process.cmd.Process.Kill() // it may have ended
		<-h.process.done
	})
	v.boot()
	h.underPower(cuts, 5*time.Second, func() {
		h.kill()
		v.boot()
	})
}

const powerReaders = `
schedules: {two: "@every 2s", three: "@every 3s"}
alerts: {gather: 1s, follow_up_every: 2s, max_per_hour: 1000}
subscribers:
  - {address: reader@lab.test, schedule: two}
  - {address: third@lab.test, schedule: three}
`

// TestPlugPulled is the short form without a virtual machine: the database lies on a disk that is a file, the daemon is held still, and what of
// that file the kernel has written is all that it finds again. What was written and not synced is in the kernel's memory and gone.
func TestPlugPulled(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	data, disk := filepath.Join(dir, "data"), filepath.Join(dir, "disk.img")
	command := func(name string, args ...string) error {
		if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
			return fmt.Errorf("%s %v: %w %s", name, args, err, out)
		}
		return nil
	}
	mount := func() error { return command("mount", "-o", "loop,commit=60", disk, data) }
	err := errors.Join(os.Mkdir(data, 0o700), os.WriteFile(disk, nil, 0o600), os.Truncate(disk, 64<<20), command("mke2fs", "-q", "-F", "-t", "ext4", disk))
	if err != nil {
		t.Fatal(err)
	}
	if err := mount(); err != nil {
		t.Skipf("NOT TESTED: a power cut, for no disk can be mounted here: %v. Run the tests as root; a container needs the capability SYS_ADMIN "+
			"and loop devices. `make powercut` pulls the plug of a virtual machine", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(data, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	h := newBareHouse(t, data, powerReaders)
	h.start()
	h.underPower(3, 1500*time.Millisecond, func() {
		h.must(h.process.cmd.Process.Signal(syscall.SIGSTOP))
		h.must(command("cp", "--sparse=always", disk, disk+".cut"))
		h.kill()
		h.must(errors.Join(command("umount", data), os.Rename(disk+".cut", disk), mount()))
		h.start()
	})
}

// underPower posts from four senders while the plug is pulled so many times, each within a second and a while, and proves from the mails that
// nothing was lost.
func (h *bareHouse) underPower(cuts int, while time.Duration, pull func()) {
	t, s := h.t, h.sink
	t.Helper()
	numbers, urgent := map[string]int64{}, map[string]bool{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	stopped := make(chan struct{})
	for w := range 4 {
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stopped:
					return
				default:
				}
				title, hurry := fmt.Sprintf("s%d-%06d", w, i), i%50 == 25
				header := map[string]string{"Authorization": "Bearer " + toolSecret, "Idempotency-Key": title}
				body := fmt.Sprintf(`{"project": "p%d", "title": %q, "urgent": %t}`, i%3, title, hurry)
				for end := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
					a, err := h.post("/v1/items", header, body)
					if err == nil && (a.code == 202 || a.code == 200) && len(a.Items) == 1 {
						mu.Lock()
						numbers[title], urgent[title] = a.Items[0].Seq, hurry
						mu.Unlock()
						break
					}
					if time.Now().After(end) {
						t.Errorf("%s: %v %d %s", title, err, a.code, a.text)
						return
					}
				}
			}
		})
	}
	for range cuts {
		time.Sleep(time.Second + rand.N(while))
		pull()
	}
	close(stopped)
	wg.Wait()
	numbers["s9-999999"] = h.item(`{"project": "p0", "title": "s9-999999"}`)
	for _, reader := range []string{"reader@lab.test", "third@lab.test"} {
		h.eventually("the last digest of "+reader, func() bool { return s.reaches(reader, numbers["s9-999999"]) })
	}
	time.Sleep(3 * time.Second) // what is being sent a second time comes now
	t.Logf("%d cuts, %d updates accepted; %d mails came twice (SMTP's gap)", cuts, len(numbers),
		s.prove(t, "reader@lab.test", numbers, urgent)+s.prove(t, "third@lab.test", numbers, urgent))
}

// virtual is a machine around the daemon.
type virtual struct {
	*house
	dir, disk  string
	port, smtp int
}

// boot starts the machine and waits until the daemon answers.
func (v *virtual) boot() {
	v.t.Helper()
	cmd := exec.Command("qemu-system-x86_64", "-M", "q35", "-accel", "tcg", "-cpu", "max", "-m", "768", "-nodefaults", "-no-user-config",
		"-display", "none", "-serial", "stdio", "-no-reboot", "-kernel", filepath.Join(v.dir, "vmlinuz"), "-initrd", filepath.Join(v.dir, "initrd.gz"),
		"-append", fmt.Sprintf("console=ttyS0 quiet panic=-1 mitigations=off smtp=%d", v.smtp),
		"-drive", "file="+v.disk+",format=raw,if=virtio,cache=writeback",
		"-netdev", fmt.Sprintf("user,id=n,hostfwd=tcp:127.0.0.1:%d-:8025", v.port), "-device", "virtio-net-pci,netdev=n,romfile=")
	cmd.Stdout, cmd.Stderr = &v.log, &v.log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	v.must(cmd.Start())
	p := &process{cmd: cmd, done: make(chan struct{})}
	go func() {
		p.err = cmd.Wait()
		close(p.done)
	}()
	v.process = p
	v.eventually("the daemon in the machine answers", func() bool {
		select {
		case <-p.done:
			v.t.Fatalf("the machine ended: %v", p.err)
		default:
		}
		resp, err := client.Get(v.url + "/healthz")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == 200
	})
}

// prove audits a reader who follows everything: windows tile from 1 to the newest number and tell each title once, alerts tell
// each urgent one once. It gives how many mails came twice.
func (s *sink) prove(t testing.TB, reader string, numbers map[string]int64, urgent map[string]bool) (doubles int) {
	t.Helper()
	var mails []audit.Mail
	seen := map[string]bool{}
	alerted, counted, newest := map[string]int{}, 0, int64(0)
	for _, raw := range s.of(reader) {
		m, ok, err := audit.Read(raw)
		if err != nil || !ok {
			t.Errorf("%s has a mail that is no edition: %v\n%s", reader, err, raw)
			continue
		}
		mails = append(mails, m)
		l, err := readLetter(raw)
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case seen[m.MessageID]:
		case m.To == 0:
			for title := range titles(l) {
				alerted[title]++
			}
		default:
			for title := range titles(l) {
				if n := numbers[title]; n < m.From || n > m.To {
					t.Errorf("%s: the digest of %d-%d tells %s, which is %d", reader, m.From, m.To, title, n)
				}
			}
			shown, more := len(titles(l)), 0
			for _, f := range moreForm.FindAllStringSubmatch(l.text, -1) {
				n := 0
				fmt.Sscan(f[1], &n)
				more += n
			}
			if counted += shown + more; int64(shown+more) != m.To-m.From+1 {
				t.Errorf("%s: the digest of %d-%d shows %d and counts %d more", reader, m.From, m.To, shown, more)
			}
		}
		seen[m.MessageID] = true
	}
	for _, n := range numbers {
		newest = max(newest, n)
	}
	r := audit.Check(mails)
	for _, f := range r.Faults {
		t.Errorf("%s: %s", reader, f)
	}
	if len(r.Series) != 1 || r.Series[0].From != 1 || r.Series[0].To < newest || counted != len(numbers) || newest != int64(len(numbers)) {
		t.Errorf("%s: digests %+v tell %d updates, of %d that were accepted as 1 to %d", reader, r.Series, counted, len(numbers), newest)
	}
	for title := range numbers {
		want := 0
		if urgent[title] {
			want = 1
		}
		if alerted[title] != want {
			t.Errorf("%s: %s is in %d alerts, want %d", reader, title, alerted[title], want)
		}
	}
	return r.Doubles
}

// reaches tells whether a reader's digests cover a number.
func (s *sink) reaches(reader string, number int64) bool {
	for _, raw := range s.of(reader) {
		if m, ok, err := audit.Read(raw); ok && err == nil && m.To >= number {
			return true
		}
	}
	return false
}
