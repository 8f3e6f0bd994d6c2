package test

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"quietpost/digest/audit"
)

const soakConfig = `
schedules: {soak: "@every %v"}
alerts: {gather: 1s, follow_up_every: 2s, max_per_hour: 1000}
retention: {raw: 1m}
subscribers:
`

// Of soakReaders each has what is wanted by the number in their name: all, a project, a kind of item.
var soakReaders = []struct{ address, wants string }{
	{"all@lab.test", ""},
	{"quiet@lab.test", "alerts: false"},
	{"one@lab.test", "projects: [p1, last]"},
	{"two@lab.test", "projects: [p2, last], alerts: false"},
	{"deploys@lab.test", "kinds: [deploy], alerts: false"},
}

const (
	soakSenders = 10
	soakPace    = 100 * time.Millisecond // between two posts of one sender: 100 a second in all
)

// A soak is hours of common use, with a mail server that fails now and then.
type soak struct {
	*drill
	kept   editions
	sink   *sink
	every  time.Duration // between two samples, and between two digests
	length time.Duration
	begin  time.Time

	answers []time.Duration // since the last sample; under mu
	urgent  map[string]bool // titles; under mu
	samples []reading
}

// A reading is what the daemon weighs at one moment.
type reading struct {
	rss, goroutines, files float64 // MiB, and how many
}

// TestSoak is for QUIETPOST_SOAK (20s): does the daemon stay as it is, and is in the end each number that was promised in one
// digest of each reader? `make soak` is an hour.
func TestSoak(t *testing.T) {
	t.Parallel()
	s := &soak{every: 2 * time.Second, length: 20 * time.Second, urgent: map[string]bool{},
		kept: editions{mails: map[string][]audit.Mail{}, alerts: map[string][]string{}}}
	if v := os.Getenv("QUIETPOST_SOAK"); v != "" {
		var err error
		if s.length, err = time.ParseDuration(v); err != nil || s.length < s.every*9 {
			t.Fatalf("QUIETPOST_SOAK %q is no length of at least %v", v, s.every*9)
		}
	}
	if s.length >= 5*time.Minute {
		s.every = time.Minute
	}
	more := fmt.Sprintf(soakConfig, s.every)
	for _, r := range soakReaders {
		more += fmt.Sprintf("  - {address: %s, schedule: soak, %s}\n", r.address, r.wants)
	}
	h := newBareHouse(t, "", more)
	h.sink.take = s.kept.take
	s.sink = h.sink
	s.drill = &drill{house: h.house, stopped: make(chan struct{}), numbers: map[string]int64{}}
	s.start()

	s.begin = time.Now()
	for n := range soakSenders {
		s.run(func() { s.sender(n) })
	}
	s.run(s.faults)
	s.watch()
	close(s.stopped)
	s.wg.Wait()
	if t.Failed() {
		return
	}
	s.settle()
	s.audit()
	s.judge()
}

// sender posts at its pace, whatever the answers take.
func (s *soak) sender(n int) {
	kinds := []string{"status", "deploy", "announcement"}
	next := s.begin.Add(time.Duration(n) * soakPace / soakSenders)
	for i := 0; s.going(); i++ {
		time.Sleep(time.Until(next))
		next = next.Add(soakPace)
		title := fmt.Sprintf("s%d-%06d", n, i)
		urgent := (i*soakSenders+n)%1000 == 7 // one in ten seconds: from half of max_per_hour on they would be held together
		body := fmt.Sprintf(`{"project": "p%d", "title": %q, "kind": %q, "urgent": %t, "thread": "t%d", "body": %q}`, i%7, title, kinds[i%3], urgent,
			i/5, strings.Repeat("What it says. ", 1+rand.IntN(100)))
		if urgent { // each an incident of its own
			body = fmt.Sprintf(`{"project": "p%d", "title": %q, "urgent": true}`, i%7, title)
		}
		if !s.promised(title, body, urgent, i%50 == 3) {
			return
		}
	}
}

// promised posts until there is an answer, and notes it.
func (s *soak) promised(title, body string, urgent, again bool) bool {
	start := time.Now()
	number, ok := s.promise("/hooks/tool", title, body)
	took := time.Since(start)
	if !ok {
		return false
	}
	if again {
		if second, ok := s.promise("/hooks/tool", title, body); ok && second != number {
			s.t.Errorf("%s: number %d, when repeated %d", title, number, second)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.numbers[title] = number
	s.answers = append(s.answers, took)
	if urgent {
		s.urgent[title] = true
	}
	return true
}

// faults makes the mail server fail now and then, each time until some mails have met it. The last quarter is without, so that
// what waits can leave; mails whose answer is kept back come again after minutes only, so the second half is without those.
func (s *soak) faults() {
	for i := 0; s.pause(s.every/4+rand.N(s.every/2)) && time.Since(s.begin) < s.length*3/4; i++ {
		switch what := []string{refuseRcpt, keepAnswer, hangUp, down, refuseData}[i%5]; {
		case what == down:
			s.sink.down()
			s.pause(min(s.every, 20*time.Second))
			s.sink.up()
		case what == keepAnswer && time.Since(s.begin) > s.length/2:
		default:
			s.sink.meet(what)
			before, end := s.sink.times(what), time.Now().Add(s.every*3/2)
			for s.pause(20*time.Millisecond) && s.sink.times(what) < before+2 && time.Now().Before(end) {
			}
			s.sink.meet("")
		}
	}
}

// pause waits; it gives false when the soak is over.
func (s *soak) pause(d time.Duration) bool {
	select {
	case <-s.stopped:
		return false
	case <-time.After(d):
		return true
	}
}

// watch reads the daemon's weight at each interval until the end.
func (s *soak) watch() {
	s.t.Logf("%8s %9s %10s %6s %9s %9s %9s %9s %7s %6s", "after", "RSS MiB", "goroutines", "files", "db MiB", "p50 ms", "p99 ms", "answered", "mails", "wait")
	for n := 1; time.Since(s.begin) < s.length && !s.t.Failed(); n++ {
		time.Sleep(time.Until(s.begin.Add(time.Duration(n) * s.every)))
		select {
		case <-s.process.done:
			s.t.Errorf("the daemon ended: %v", s.process.err)
			return
		default:
		}
		r, size := s.read()
		figures := s.figures("go_goroutines", `quietpost_outbox_messages{lane="alert",state="queued"}`,
			`quietpost_outbox_messages{lane="digest",state="queued"}`)
		r.goroutines = figures[0]
		s.samples = append(s.samples, r)
		s.mu.Lock()
		answers, answered := s.answers, len(s.numbers)
		s.answers = nil
		s.mu.Unlock()
		slices.Sort(answers)
		at := func(percent int) float64 {
			if len(answers) == 0 {
				return 0
			}
			return float64(answers[len(answers)*percent/100].Microseconds()) / 1000
		}
		s.kept.mu.Lock()
		mails := 0
		for _, m := range s.kept.mails {
			mails += len(m)
		}
		s.kept.mu.Unlock()
		s.t.Logf("%8v %9.1f %10.0f %6.0f %9.1f %9.1f %9.1f %9d %7d %6.0f", time.Since(s.begin).Round(time.Second), r.rss, r.goroutines, r.files,
			float64(size)/(1<<20), at(50), at(99), answered, mails, figures[1]+figures[2])
	}
}

// read asks the kernel for memory and open files, and for the size of the database with its log (proc(5)).
func (s *soak) read() (r reading, size int64) {
	proc := fmt.Sprintf("/proc/%d", s.process.cmd.Process.Pid)
	status, err := os.ReadFile(proc + "/status")
	s.must(err)
	_, rest, found := strings.Cut(string(status), "VmRSS:")
	if _, err := fmt.Sscanf(rest, "%f kB", &r.rss); err != nil || !found {
		s.t.Fatalf("no VmRSS in %s", status)
	}
	r.rss /= 1024
	files, err := os.ReadDir(proc + "/fd")
	s.must(err)
	r.files = float64(len(files))
	db, err := filepath.Glob(filepath.Join(s.dir, "data", "quietpost.db*"))
	s.must(err)
	for _, f := range db {
		if info, err := os.Stat(f); err == nil {
			size += info.Size()
		}
	}
	return r, size
}

// figures are values of /metrics; each must be there.
func (s *soak) figures(names ...string) []float64 {
	resp, err := client.Get(s.url + "/metrics")
	s.must(err)
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		s.t.Fatalf("/metrics: %s", resp.Status)
	}
	values, seen := make([]float64, len(names)), 0
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		for i, name := range names {
			if text, ok := strings.CutPrefix(lines.Text(), name+" "); ok {
				values[i], err = strconv.ParseFloat(text, 64)
				s.must(err)
				seen++
			}
		}
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	if seen != len(names) {
		s.t.Fatalf("/metrics tells %d of %q", seen, names)
	}
	return values
}

// settle waits until all has been sent: what waits for a later try is made due, as an operator would who does not want to wait.
func (s *soak) settle() {
	s.t.Helper()
	number, ok := s.promise("/hooks/tool", lastTitle, fmt.Sprintf(`{"project": "last", "title": %q, "kind": "deploy"}`, lastTitle))
	if !ok {
		return
	}
	s.numbers[lastTitle] = number
	var hasten sync.Once
	for _, r := range soakReaders {
		s.within(patience+2*s.every, "the last update is in a digest for "+r.address, func() bool {
			hasten.Do(s.hasten)
			if s.kept.served(r.address) >= number {
				return true
			}
			time.Sleep(500 * time.Millisecond)
			return false
		})
	}
	s.hasten()
	s.within(10*time.Minute, "nothing waits in the outbox", func() bool {
		time.Sleep(500 * time.Millisecond)
		return s.waiting() == 0
	})
	for _, m := range s.outbox() {
		if m.State != "delivered" {
			s.t.Errorf("not delivered: %+v", m)
		}
	}
}

// judge asks whether the daemon grew: the mean of the last third, against that of the first after warming up.
func (s *soak) judge() {
	warm := s.samples[max(1, len(s.samples)/5):]
	third := len(warm) / 3
	for _, what := range []struct {
		name     string
		of       func(reading) float64
		constant float64
	}{
		{"RSS in MiB", func(r reading) float64 { return r.rss }, 32},
		{"goroutines", func(r reading) float64 { return r.goroutines }, 20},
		{"open files", func(r reading) float64 { return r.files }, 20},
	} {
		mean := func(part []reading) (sum float64) {
			for _, r := range part {
				sum += what.of(r)
			}
			return sum / float64(len(part))
		}
		first, last := mean(warm[:third]), mean(warm[len(warm)-third:])
		s.t.Logf("%s: %.1f in the first third, %.1f in the last", what.name, first, last)
		if last > first*1.3+what.constant {
			s.t.Errorf("%s grew from %.1f to %.1f", what.name, first, last)
		}
	}
}
