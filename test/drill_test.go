package test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// kills is how often the daemon is killed in `make test`; `make crash` says 200 by QUIETPOST_KILLS.
const kills = 12

const drillReaders = `
schedules: {two: "@every 2s", three: "@every 3s", five: "@every 5s"}
alerts: {gather: 1s, follow_up_every: 2s, max_per_hour: 1000}
subscribers:
  - {address: reader@lab.test, schedule: two}
  - {address: second@lab.test, schedule: three, projects: [p1, post], kinds: [status], alerts: false}
  - {address: third@lab.test, schedule: five, projects: [p2, post]}
`

// A drill posts and mails without a pause while the daemon is killed again and again. What it knows is what the doors
// promised: the number of each update that was answered.
type drill struct {
	*house
	stopped chan struct{}
	storm   atomic.Bool // senders make no pause
	hurries atomic.Int64
	wg      sync.WaitGroup

	mu       sync.Mutex
	numbers  map[string]int64 // by title, of what was posted and answered
	mails    map[string]bool  // by title
	unsure   int              // posts that got no answer and were repeated
	repeated int              // posts that were repeated though they had been answered
}

// TestKill9 is the crash drill. In the end every reader's own mails, and nothing else, must prove that nothing was lost
// and nothing came twice.
func TestKill9(t *testing.T) {
	t.Parallel()
	n := kills
	if s := os.Getenv("QUIETPOST_KILLS"); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil || n < 1 {
			t.Fatalf("QUIETPOST_KILLS %q is no number of kills", s)
		}
	}
	d := &drill{house: newHouse(t, plan{more: drillReaders}), stopped: make(chan struct{}), numbers: map[string]int64{}, mails: map[string]bool{}}
	for s := range 8 {
		d.run(func() { d.sender(s) })
	}
	d.run(d.mailer)
	begin := time.Now()
	d.killing(n)
	took := time.Since(begin)
	close(d.stopped)
	d.wg.Wait()
	if t.Failed() {
		return
	}
	d.settle()
	t.Logf("%d kills in %v: %d posts answered (%d of them only when repeated, %d repeated on purpose), %d mails", n,
		took.Round(time.Second), len(d.numbers), d.unsure, d.repeated, len(d.mails))
	d.audit()
}

func (d *drill) run(fn func()) {
	d.wg.Add(1)
	go func() { defer d.wg.Done(); fn() }()
}

// killing kills the daemon n times, sometimes while it starts. For a while Postfix refuses one reader's mail for now,
// and for a while it is not there.
func (d *drill) killing(n int) {
	down, waiting := false, 0
	for round := 0; n > 0; round++ {
		switch round % 20 {
		case 3:
			d.Refuse("reader@lab.test", "451 4.3.0 Not now")
		case 5:
			d.Allow("reader@lab.test")
		case 7:
			d.must(d.StopSMTP())
			down = true
		case 8:
			d.must(d.StartSMTP())
			down = false
		}
		time.Sleep(100*time.Millisecond + rand.N(1100*time.Millisecond))
		d.storm.Store(true) // the writer is busy when it dies: between an answer and its commit, if it could be
		time.Sleep(50*time.Millisecond + rand.N(50*time.Millisecond))
		d.kill()
		d.storm.Store(false)
		for n--; n > 0 && rand.IntN(3) == 0; n-- {
			for range 10 { // so that there is much to take in at the start
				d.mail(1, waiting)
				waiting++
			}
			d.launch()
			time.Sleep(rand.N(250 * time.Millisecond))
			d.kill()
		}
		d.start()
	}
	d.Allow("reader@lab.test")
	if down {
		d.must(d.StartSMTP())
	}
}

func (d *drill) going() bool {
	select {
	case <-d.stopped:
		return false
	default:
		return true
	}
}

// sender posts one update after the other, each until it is answered, as senders with an Idempotency-Key do.
func (d *drill) sender(s int) {
	door := []string{"/v1/items", "/hooks/tool"}[s%2]
	kinds := []string{"status", "deploy", "announcement", "status"}
	for i := 0; d.going(); i++ {
		title := fmt.Sprintf("s%d-%06d", s, i)
		body := fmt.Sprintf(`{"project": "p%d", "title": %q, "kind": %q, "urgent": %t}`, i%3, title, kinds[i%4], i%300 == 7 && d.hurry())
		if i%5 == 0 { // three follow each other in a thread
			body = fmt.Sprintf(`{"project": "p%d", "title": %q, "thread": "t%d-%d"}`, i%2, title, s, i/30)
		}
		number, ok := d.promise(door, title, body)
		if !ok {
			return
		}
		if i%20 == 3 {
			again, ok := d.promise(door, title, body)
			if ok && again != number {
				d.t.Errorf("%s: number %d, when repeated %d", title, number, again)
			}
			d.mu.Lock()
			d.repeated++
			d.mu.Unlock()
		}
		d.mu.Lock()
		d.numbers[title] = number
		d.mu.Unlock()
		if !d.storm.Load() {
			time.Sleep(rand.N(60 * time.Millisecond))
		}
	}
}

// promise posts until there is an answer.
func (d *drill) promise(door, key, body string) (number int64, ok bool) {
	header := map[string]string{"Authorization": "Bearer " + toolSecret, "Idempotency-Key": key}
	for try, end := 0, time.Now().Add(patience); ; try++ {
		a, err := d.post(door, header, body)
		switch {
		case err == nil && (a.code == 202 || a.code == 200) && len(a.Items) == 1:
			if try > 0 {
				d.mu.Lock()
				d.unsure++
				d.mu.Unlock()
			}
			return a.Items[0].Seq, true
		case err == nil && a.code != 503:
			d.t.Errorf("%s: %d %s", key, a.code, a.text)
			return 0, false
		case time.Now().After(end):
			d.t.Errorf("%s: no answer: %v %d %s", key, err, a.code, a.text)
			return 0, false
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// hurry tells whether one more may be urgent: from half of max_per_hour on alerts are held together, longer than the drill lasts.
func (d *drill) hurry() bool { return d.hurries.Add(1) <= 450 }

// mailer puts mails into the inbox, one after the other.
func (d *drill) mailer() {
	for i := 0; d.going() && d.mail(0, i); i++ {
		time.Sleep(rand.N(500 * time.Millisecond))
	}
}

// mail puts a mail into the inbox, by IMAP or by SMTP, some of them twice.
func (d *drill) mail(series, i int) bool {
	title := fmt.Sprintf("m%d-%06d", series, i)
	subject := title
	if i%15 == 3 && d.hurry() {
		subject = "[urgent] " + title
	}
	raw := mailOf(title, "inbox+post@lab.test", subject, "Hello.")
	for times := 1 + i%7/6; times > 0; times-- {
		var err error
		for end := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
			if series == 1 || i%2 == 0 {
				err = d.Append("inbox", raw)
			} else {
				err = d.Deliver("ana@lab.test", "inbox@lab.test", bytes.NewReader(raw))
			}
			if err == nil || time.Now().After(end) {
				break
			}
		}
		if err != nil {
			d.t.Errorf("mail %s: %v", title, err)
			return false
		}
	}
	d.mu.Lock()
	d.mails[title] = true
	d.mu.Unlock()
	return true
}

// settle waits until everything has come through: a last update that everybody wants is the mark.
func (d *drill) settle() {
	d.t.Helper()
	d.eventually("all mails became items", func() bool { return len(d.items()) >= len(d.numbers)+len(d.mails) })
	d.numbers[lastTitle] = d.item(fmt.Sprintf(`{"project": "post", "title": %q}`, lastTitle))
	d.hasten() // a mail that met several of the times when Postfix refused it would wait for minutes
	for _, r := range readers {
		d.says(r.user, lastTitle)
	}
	d.within(10*time.Minute, "nothing waits in the outbox", func() bool { return d.waiting() == 0 })
	taken := map[string]int{}
	for _, m := range d.outbox() {
		if m.State != "delivered" {
			d.t.Errorf("not delivered: %+v", m)
		}
		taken[m.To]++
	}
	for _, r := range readers {
		d.eventually(fmt.Sprintf("the %d mails that Postfix took are in the mailbox of %s", taken[r.user+"@lab.test"], r.user), func() bool {
			ids := map[string]bool{}
			for _, l := range d.letters(r.user) {
				ids[l.get("Message-Id")] = true
			}
			return len(ids) >= taken[r.user+"@lab.test"]
		})
	}
}

// hasten makes due now what waits for a later try.
func (d *drill) hasten() {
	out, err := exec.Command(binary, "--config", d.file, "outbox", "retry", "--all").CombinedOutput()
	d.t.Logf("outbox retry --all: %d lines, %v", strings.Count(string(out), "\n"), err)
}

const lastTitle = "s9-999999"
