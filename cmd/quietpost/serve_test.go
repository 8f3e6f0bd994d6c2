package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/mail"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
)

// clock is one that the test moves.
type clock struct {
	atomic.Int64
	ahead atomic.Int64 // of what time has passed: where somebody set it
}

func (c *clock) now() time.Time  { return time.UnixMilli(c.Load()).UTC() }
func (c *clock) set(t time.Time) { c.Store(t.UnixMilli()) }
func (c *clock) uptime() time.Duration {
	return time.Duration(c.Load()-c.ahead.Load()) * time.Millisecond
}
func (c *clock) jump(d time.Duration) { c.ahead.Add(d.Milliseconds()); c.Add(d.Milliseconds()) }
func (c *clock) at(s string) error    { t, err := time.Parse(time.DateTime, s); c.set(t); return err }

// inbox is a mail server that keeps what it takes.
type inbox struct {
	mu    sync.Mutex
	mails []*mail.Message
	texts []string
	froms []string              // envelope senders
	rcpt  func(to string) error // its answer to a recipient; nil takes all
}

func (b *inbox) NewSession(*smtp.Conn) (smtp.Session, error) { return &session{b: b}, nil }

type session struct {
	b    *inbox
	from string
}

func (s *session) Mail(from string, _ *smtp.MailOptions) error { s.from = from; return nil }
func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	if s.b.rcpt == nil {
		return nil
	}
	return s.b.rcpt(to)
}
func (s *session) Reset()        {}
func (s *session) Logout() error { return nil }
func (s *session) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	m, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		return err
	}
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	s.b.mails, s.b.texts = append(s.b.mails, m), append(s.b.texts, string(raw))
	s.b.froms = append(s.b.froms, s.from)
	return nil
}

// wait waits until there are n mails and gives them.
func (b *inbox) wait(t *testing.T, n int) []*mail.Message {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		b.mu.Lock()
		got := b.mails
		b.mu.Unlock()
		if len(got) >= n || time.Now().After(deadline) {
			if len(got) != n {
				t.Fatalf("%d mails, want %d", len(got), n)
			}
			return got
		}
	}
}

// journal is a log that may be read while it is written.
type journal struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.String()
}

// service is a daemon inside the test, with a configuration and a clock of the test's.
type service struct {
	t     testing.TB
	clock clock
	inbox inbox
	dir   string
	file  string
	log   journal
	url   string
	house *house
	hup   chan os.Signal
	stop  func() error

	dialTLS func(ctx context.Context, addr string) (*tls.ConnectionState, error)
}

func newService(t *testing.T, more string) *service {
	s := &service{t: t, dir: t.TempDir(), hup: make(chan os.Signal, 1)}
	s.clock.set(time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC))
	server := smtp.NewServer(&s.inbox)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	s.must(err)
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })
	_, port, _ := net.SplitHostPort(l.Addr().String())
	s.file = filepath.Join(s.dir, "quietpost.yaml")
	s.write("lab.secret", "geheim\nalt\n")
	s.write("api.token", "lesen\n")
	s.write("quietpost.yaml", fmt.Sprintf(`
base_url: https://quiet.example.com
data_dir: %s/data
http: {listen: "127.0.0.1:0"}
api: {token_file: api.token}
mail:
  from: Quietpost <digest@example.com>
  smtp: {host: 127.0.0.1, port: %s, tls: none}
sources:
  - {name: lab, type: generic, secret_file: lab.secret}
%s`, s.dir, port, more))
	s.start()
	t.Cleanup(func() {
		if s.stop != nil {
			s.must(s.stop())
		}
	})
	return s
}

func (s *service) write(name, text string) {
	s.t.Helper()
	s.must(os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600))
}

func (s *service) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatalf("%v\n%s", err, s.log.String())
	}
}

func (s *service) env(ctx context.Context) *env {
	return &env{ctx: ctx, stdin: strings.NewReader(""), stdout: io.Discard, stderr: &s.log, getenv: func(string) string { return "" }, now: s.clock.now, uptime: s.clock.uptime,
		tick: testTick, shipped: testTools, dialTLS: s.dialTLS}
}

// testTick is a daemon's in a test: what a loop would do after a second need not be waited for.
const testTick = 50 * time.Millisecond

// testTools are those that come with the program, read once for all tests.
var testTools = sync.OnceValues(shipped)

func (s *service) start() {
	s.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended, ready := make(chan error, 1), make(chan net.Addr, 1)
	go func() {
		ended <- serve(s.env(ctx), s.file, s.hup, func(h *house, a net.Addr) { s.house = h; ready <- a })
	}()
	select {
	case err := <-ended:
		s.t.Fatalf("it does not start: %v\n%s", err, s.log.String())
	case a := <-ready:
		s.url = "http://" + a.String()
	}
	s.stop = func() error { s.stop = nil; cancel(); return <-ended }
}

// post posts to the native API and gives status and answer.
func (s *service) post(item string) (int, map[string]any) {
	s.t.Helper()
	return s.do("POST", "/v1/items", "geheim", item)
}

func (s *service) do(method, path, token, body string) (int, map[string]any) {
	s.t.Helper()
	req, err := http.NewRequest(method, s.url+path, strings.NewReader(body))
	s.must(err)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	s.must(err)
	defer resp.Body.Close()
	var v map[string]any
	raw, err := io.ReadAll(resp.Body)
	s.must(err)
	json.Unmarshal(raw, &v)
	return resp.StatusCode, v
}

const readers = `
subscribers:
  - {address: ana@example.com, time_zone: Europe/Lisbon, schedule: "0 9 * * *", alerts: true}
`

func TestTheWayOfAnItem(t *testing.T) {
	s := newService(t, readers)
	if code, v := s.post(`{"project": "apollo", "title": "Backup done", "key": "b1"}`); code != 202 || v["status"] != "accepted" {
		t.Fatalf("%d %v", code, v)
	}
	if code, v := s.post(`{"project": "apollo", "title": "Backup done", "key": "b1"}`); code != 200 || v["status"] != "duplicate" {
		t.Fatalf("%d %v", code, v)
	}
	s.post(`{"project": "apollo", "title": "Disk full", "urgent": true, "thread": "disk"}`)
	alert := s.inbox.wait(t, 1)[0]
	if got := alert.Header.Get("Subject"); got != "[urgent] apollo: Disk full" {
		t.Errorf("subject %q", got)
	}
	s.must(s.clock.at("2026-11-23 09:00:30"))
	digest := s.inbox.wait(t, 2)[1].Header
	for name, want := range map[string]string{
		"Subject":               "apollo: Backup done (+1)",
		"X-Quietpost-Window":    "1-2",
		"List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
		"Auto-Submitted":        "auto-generated",
		"List-Id":               "digest-1.example.com",
		"List-Unsubscribe":      "<https://quiet.example.com/l/d.1.",
		"Message-Id":            "@example.com>",
		"X-Quietpost-Edition":   "",
	} {
		if got := digest.Get(name); got == "" || !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q in it", name, got, want)
		}
	}
	code, v := s.do("GET", "/v1/items", "lesen", "")
	if items, _ := v["items"].([]any); code != 200 || len(items) != 2 {
		t.Errorf("%d %v", code, v)
	}
	if code, _ := s.do("GET", "/v1/items", "geheim", ""); code != 401 {
		t.Errorf("a source's secret reads: %d", code)
	}
}

func TestARestartForgetsAndRepeatsNothing(t *testing.T) {
	s := newService(t, readers)
	s.post(`{"project": "apollo", "title": "One"}`)
	s.must(s.stop())
	s.must(s.clock.at("2026-11-23 09:20:00"))
	s.start()
	first := s.inbox.wait(t, 1)[0]
	if got := first.Header.Get("X-Quietpost-Window"); got != "1-1" {
		t.Errorf("window %q", got)
	}
	s.must(s.stop())
	s.start()
	s.post(`{"project": "apollo", "title": "Two"}`)
	s.must(s.clock.at("2026-11-24 09:00:30"))
	if got := s.inbox.wait(t, 2)[1].Header.Get("X-Quietpost-Window"); got != "2-2" {
		t.Errorf("window %q", got)
	}
}

func TestLeavingByOneClick(t *testing.T) {
	s := newService(t, readers)
	s.post(`{"project": "apollo", "title": "One"}`)
	s.must(s.clock.at("2026-11-23 09:00:30"))
	link := regexp.MustCompile(`<https://quiet\.example\.com(/l/[^>]+)>`).FindStringSubmatch(s.inbox.wait(t, 1)[0].Header.Get("List-Unsubscribe"))
	if link == nil {
		t.Fatal("no link")
	}
	for _, method := range []string{"GET", "HEAD"} {
		if code, _ := s.do(method, link[1], "", ""); code != 200 {
			t.Errorf("%s: %d", method, code)
		}
	}
	s.post(`{"project": "apollo", "title": "Two"}`)
	s.must(s.clock.at("2026-11-24 09:00:30"))
	s.inbox.wait(t, 2) // a GET changed nothing
	resp, err := http.Post(s.url+link[1], "application/x-www-form-urlencoded", strings.NewReader("List-Unsubscribe=One-Click"))
	s.must(err)
	resp.Body.Close()
	if resp.StatusCode != 200 {
		t.Fatalf("POST: %d", resp.StatusCode)
	}
	s.post(`{"project": "apollo", "title": "Three"}`)
	s.post(`{"project": "apollo", "title": "Fire", "urgent": true}`)
	s.must(s.clock.at("2026-11-25 09:00:30"))
	mails := s.inbox.wait(t, 3) // the alert only
	if got := mails[2].Header.Get("Subject"); !strings.Contains(got, "Fire") {
		t.Errorf("subject %q", got)
	}
}

func TestReload(t *testing.T) {
	s := newService(t, readers)
	good, err := os.ReadFile(s.file)
	s.must(err)
	s.write("quietpost.yaml", string(good)+"\nnonsense: 1\n")
	s.hup <- syscall.SIGHUP
	s.eventually("the old configuration stays in force")
	if code, _ := s.post(`{"project": "apollo", "title": "Still here"}`); code != 202 {
		t.Errorf("after a broken file: %d", code)
	}
	s.write("lab.secret", "neu\n")
	s.write("quietpost.yaml", string(good)+"  - {address: ben@example.com, schedule: \"0 9 * * *\"}\n")
	s.hup <- syscall.SIGHUP
	s.eventually("msg=reloaded")
	if code, _ := s.post(`{"project": "apollo", "title": "Old secret"}`); code != 401 {
		t.Errorf("the old secret: %d", code)
	}
	if code, _ := s.do("POST", "/v1/items", "neu", `{"project": "apollo", "title": "New secret", "urgent": true}`); code != 202 {
		t.Errorf("the new secret: %d", code)
	}
	s.inbox.wait(t, 2) // alerts to both
	s.must(s.clock.at("2026-11-23 09:00:30"))
	s.inbox.wait(t, 4)
}

func (s *service) eventually(text string) {
	s.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !strings.Contains(s.log.String(), text); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatalf("the log never says %q:\n%s", text, s.log.String())
		}
	}
}

func TestASecondDaemonRefuses(t *testing.T) {
	s := newService(t, readers)
	err := serve(s.env(t.Context()), s.file, nil, nil)
	if err == nil || !strings.Contains(err.Error(), "quietpost.db") {
		t.Errorf("got %v", err)
	}
}

// TestTheWatchdogIsAnswered: no loop counts as stuck for having had work once.
func TestTheWatchdogIsAnswered(t *testing.T) {
	t.Parallel()
	s := newService(t, readers)
	s.post(`{"project": "apollo", "title": "Disk full", "urgent": true}`)
	s.inbox.wait(t, 1)
	s.clock.set(s.clock.now().Add(2 * stuckAfter))
	s.until("no loop counts as stuck", func() bool { return s.house.gen.Load().stuck(s.clock.now()) == "" })
}

// TestASlowMailServerIsNoLoopThatHangs: the watchdog would end the service in the middle of a mail, which goes again then.
func TestASlowMailServerIsNoLoopThatHangs(t *testing.T) {
	t.Parallel()
	people := "subscribers:\n"
	for i := range 6 {
		people += fmt.Sprintf("  - {address: p%d@example.com, schedule: \"0 9 * * *\"}\n", i)
	}
	s := newService(t, people)
	s.must(s.stop())
	raw, err := os.ReadFile(s.file)
	s.must(err)
	s.write("quietpost.yaml", strings.Replace(string(raw), "tls: none}", "tls: none, connections: 2}", 1)) // one of which is for alerts
	s.start()
	var stuck []string
	s.refuse(func(to string) error { // two minutes a mail, while all other loops come round
		g := s.house.gen.Load()
		for range 4 {
			s.clock.set(s.clock.now().Add(30 * time.Second))
			now := s.clock.now()
			s.until("all loops but the one that sends come round", func() bool {
				g.mu.Lock()
				defer g.mu.Unlock()
				old := 0
				for _, at := range g.beats {
					if !at.Equal(now) {
						old++
					}
				}
				return old <= 1
			})
			if name := g.stuck(now); name != "" {
				stuck = append(stuck, name+" at "+to)
			}
		}
		return nil
	})
	s.post(`{"project": "apollo", "title": "One"}`)
	s.must(s.clock.at("2026-11-23 09:00:30"))
	s.inbox.wait(t, 6)
	if len(stuck) > 0 {
		t.Errorf("counts as stuck: %v", stuck)
	}
}
