package test

import (
	"bufio"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
)

const soakReaders = `
schedules: {minutely: "* * * * *"}
alerts: {gather: 1s, follow_up_every: 2s, max_per_hour: 1000}
subscribers:
  - {address: reader@lab.test, schedule: minutely}
  - {address: second@lab.test, schedule: minutely, projects: [p1], alerts: false}
  - {address: third@lab.test, schedule: "*/2 * * * *"}
`

// webhooksASecond is what TestSoak posts.
const webhooksASecond = 100

// A sample of the daemon's own figures.
type soakSample struct{ rss, goroutines, files float64 }

// TestSoak posts for as long as SOAK says, 100 webhooks a second with digests each minute, while the mail server refuses mail
// for ten seconds of every ninety. Memory, goroutines and open files must stay flat, and in the end the mails must tell of
// everything once.
func TestSoak(t *testing.T) {
	if os.Getenv("SOAK") == "" {
		t.Skip("LEFT OUT: SOAK is not set; `make soak` runs for an hour")
	}
	lasts, err := time.ParseDuration(os.Getenv("SOAK"))
	if err != nil || lasts < 3*time.Minute {
		t.Fatalf("SOAK %q is no time of three minutes or more, such as 1h", os.Getenv("SOAK"))
	}
	h, s := lightHouse(t, soakReaders)
	begin := time.Now()
	s.answer = func() error {
		if time.Since(begin)%(90*time.Second) > 80*time.Second {
			return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 0}, Message: "Not now"}
		}
		return nil
	}
	h.start()
	t.Cleanup(h.end)
	numbers, urgent := map[string]int64{}, map[string]bool{}
	var mu sync.Mutex
	var refused atomic.Int64
	work := make(chan int, webhooksASecond)
	var wg sync.WaitGroup
	for range 16 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range work {
				title, hurry := fmt.Sprintf("s%d-%06d", i/1_000_000, i%1_000_000), i%3000 == 1500
				body := fmt.Sprintf(`{"project": "p%d", "title": %q, "urgent": %t, "body": %q}`, i%3, title, hurry, strings.Repeat("News. ", 60))
				header := map[string]string{"Authorization": "Bearer " + toolSecret, "Idempotency-Key": title}
				a, err := h.post("/v1/items", header, body)
				if err != nil || a.code != 202 || len(a.Items) != 1 {
					refused.Add(1)
					t.Errorf("%s: %v %d %s", title, err, a.code, a.text)
					continue
				}
				mu.Lock()
				numbers[title], urgent[title] = a.Items[0].Seq, hurry
				mu.Unlock()
			}
		}()
	}
	pace := time.NewTicker(time.Second / webhooksASecond)
	defer pace.Stop()
	minute := time.NewTicker(min(time.Minute, lasts/9))
	defer minute.Stop()
	var samples []soakSample
	posted := 0
	for end := time.After(lasts); end != nil; {
		select {
		case <-pace.C:
			work <- posted
			posted++
		case <-minute.C:
			samples = append(samples, h.sample())
			m := samples[len(samples)-1]
			t.Logf("%v: %d posted, %.1f MB, %.0f goroutines, %.0f open files, %d mails", time.Since(begin).Round(time.Second), posted,
				m.rss/1e6, m.goroutines, m.files, len(s.of("reader@lab.test")))
		case <-end:
			end = nil
		}
	}
	close(work)
	wg.Wait()
	if float64(posted) < 0.9*webhooksASecond*lasts.Seconds() {
		t.Errorf("%d webhooks in %v: this machine does not post %d a second", posted, lasts, webhooksASecond)
	}
	last := int64(len(numbers))
	h.eventually("the last digest", func() bool { return s.reaches("reader@lab.test", last) && s.reaches("third@lab.test", last) })
	h.eventually("nothing waits", func() bool { return h.waiting() == 0 })
	t.Logf("%d accepted; %d mails came twice", len(numbers), s.prove(t, "reader@lab.test", numbers, urgent)+s.prove(t, "third@lab.test", numbers, urgent))
	samples = samples[1:] // while it warms up
	for name, c := range map[string]struct {
		of    func(soakSample) float64
		slack float64
	}{
		"memory":     {func(m soakSample) float64 { return m.rss / 1e6 }, 8},
		"goroutines": {func(m soakSample) float64 { return m.goroutines }, 20},
		"open files": {func(m soakSample) float64 { return m.files }, 20},
	} {
		third := len(samples) / 3
		early, late := mean(samples[:third], c.of), mean(samples[len(samples)-third:], c.of)
		t.Logf("%s: %.1f in the first third, %.1f in the last", name, early, late)
		if late > 1.25*early+c.slack {
			t.Errorf("%s grows: %.1f in the first third, %.1f in the last", name, early, late)
		}
	}
}

func mean(samples []soakSample, of func(soakSample) float64) (m float64) {
	for _, s := range samples {
		m += of(s) / float64(len(samples))
	}
	return m
}

// sample reads /metrics.
func (h *house) sample() (m soakSample) {
	h.t.Helper()
	resp, err := http.Get(h.url + "/metrics")
	h.must(err)
	defer resp.Body.Close()
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		for name, to := range map[string]*float64{"process_resident_memory_bytes ": &m.rss, "go_goroutines ": &m.goroutines, "process_open_fds ": &m.files} {
			if v, ok := strings.CutPrefix(lines.Text(), name); ok {
				_, err := fmt.Sscan(v, to)
				h.must(err)
			}
		}
	}
	if m.rss == 0 || m.goroutines == 0 || m.files == 0 {
		h.t.Fatalf("/metrics lacks figures: %+v", m)
	}
	return m
}
