package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"quietpost/digest"
)

// slow is a mail server that takes its time for each mail and notes when alerts arrive.
type slow struct {
	mu      sync.Mutex
	alerts  map[string]time.Time // by the project in the subject
	digests int
}

var urgentProject = regexp.MustCompile(`Subject: \[urgent\] (p\d+):`)

func (s *slow) NewSession(*smtp.Conn) (smtp.Session, error) { return &slowSession{s}, nil }

type slowSession struct{ s *slow }

func (*slowSession) Mail(string, *smtp.MailOptions) error { return nil }
func (*slowSession) Rcpt(string, *smtp.RcptOptions) error { return nil }
func (*slowSession) Reset()                               {}
func (*slowSession) Logout() error                        { return nil }
func (c *slowSession) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	time.Sleep(20 * time.Millisecond)
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	if m := urgentProject.FindSubmatch(raw); m != nil {
		c.s.alerts[string(m[1])] = time.Now()
	} else {
		c.s.digests++
	}
	return err
}

// BenchmarkUrgentOvertakes: 10,000 digests of 30 KB wait or are on their way, and urgent items arrive: how long until a server
// that takes 20 ms a mail has their alerts? One run is enough: -bench Overtakes -benchtime 1x.
func BenchmarkUrgentOvertakes(b *testing.B) {
	const waiting, alerts = 10_000, 200
	for b.Loop() {
		sink := &slow{alerts: map[string]time.Time{}}
		s := newSlowService(b, sink, alerts)
		s.fill(waiting)
		s.start()
		stop := s.runClock()
		posted := map[string]time.Time{}
		for i := range alerts {
			project := fmt.Sprintf("p%03d", i)
			posted[project] = time.Now()
			if code, v := s.post(`{"project": "` + project + `", "title": "Fire", "urgent": true}`); code != 202 {
				b.Fatalf("%d %v", code, v)
			}
			time.Sleep(50 * time.Millisecond)
		}
		time.Sleep(3 * time.Second)
		stop()
		sink.mu.Lock()
		var delays []time.Duration
		for project, at := range posted {
			if got, ok := sink.alerts[project]; ok {
				delays = append(delays, got.Sub(at))
			}
		}
		slices.Sort(delays)
		if len(delays) != alerts || sink.digests == 0 || sink.digests >= waiting {
			b.Fatalf("%d alerts arrived, and %d digests meanwhile", len(delays), sink.digests)
		}
		b.Logf("posted → taken, with %d–%d digests waiting: median %v, 99 %% %v, worst %v", waiting-sink.digests, waiting, delays[alerts/2],
			delays[alerts*99/100], delays[alerts-1])
		sink.mu.Unlock()
	}
}

// newSlowService is a service that is not started, with as many readers as there are projects, one each.
func newSlowService(b *testing.B, sink *slow, readers int) *service {
	s := &service{t: b, dir: b.TempDir()}
	server := smtp.NewServer(sink)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	s.must(err)
	go server.Serve(l)
	b.Cleanup(func() { server.Close() })
	var people strings.Builder
	for i := range readers {
		fmt.Fprintf(&people, "  - {address: r%03d@example.com, schedule: \"0 9 1 1 *\", projects: [p%03d]}\n", i, i)
	}
	s.file = s.dir + "/quietpost.yaml"
	s.write("lab.secret", "geheim\n")
	s.write("quietpost.yaml", fmt.Sprintf(`
data_dir: %s/data
http: {listen: "127.0.0.1:0"}
mail:
  from: Quietpost <digest@example.com>
  smtp: {host: 127.0.0.1, port: %d, tls: none}
sources:
  - {name: lab, type: generic, secret_file: lab.secret}
subscribers:
%s`, s.dir, l.Addr().(*net.TCPAddr).Port, people.String()))
	s.clock.set(time.Now())
	return s
}

// fill puts digests into the outbox.
func (s *service) fill(n int) {
	db, _, err := s.env(s.t.Context()).withFile(s.file).open()
	s.must(err)
	defer func() { s.must(db.Close()) }()
	raw := append([]byte("Subject: a digest\r\n\r\n"), bytes.Repeat([]byte("twenty signs a line\r\n"), 1400)...)
	now := s.clock.now()
	var wg sync.WaitGroup
	for w := range 64 {
		wg.Go(func() {
			for i := w; i < n; i += 64 {
				err := db.AddMessage(s.t.Context(), digest.Message{Channel: digest.ChannelEmail, Lane: digest.LaneDigest, To: "x@example.com",
					MessageID: fmt.Sprintf("d%d@example.com", i), Edition: "", Subject: "a digest", Bytes: raw, NextAt: now, CreatedAt: now})
				if err != nil {
					s.t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// runClock lets the clock run, and gives what ends clock and daemon.
func (s *service) runClock() (stop func()) {
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-done:
				return
			case <-time.After(time.Millisecond):
				s.clock.set(time.Now())
			}
		}
	})
	return func() {
		if err := s.stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		close(done)
		wg.Wait()
	}
}
