package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
	"github.com/emersion/go-imap/v2/imapserver/imapmemserver"

	"quietpost/config"
	"quietpost/digest"
)

// serveIMAP serves an empty INBOX of user updates, password secret, on an address of the test's.
func serveIMAP(t *testing.T, addr string) *imapserver.Server {
	t.Helper()
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	mem, user := imapmemserver.New(), imapmemserver.NewUser("updates", "secret")
	if err := user.Create("INBOX", nil); err != nil {
		t.Fatal(err)
	}
	mem.AddUser(user)
	srv := imapserver.New(&imapserver.Options{InsecureAuth: true, Caps: imap.CapSet{imap.CapIMAP4rev1: {}, imap.CapIdle: {}},
		Logger: slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo),
		NewSession: func(*imapserver.Conn) (imapserver.Session, *imapserver.GreetingData, error) {
			return mem.NewSession(), nil, nil
		}})
	go srv.Serve(ln)
	t.Cleanup(func() { srv.Close() })
	return srv
}

func freeAddr(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// inboxOf is the configuration of an inbox on an address.
func inboxOf(name, addr, more string) string {
	_, port, _ := net.SplitHostPort(addr)
	return fmt.Sprintf("  - name: %s\n    address: %s@example.com\n    imap: {host: 127.0.0.1, port: %s, tls: none, username: updates, password_file: %s.password}\n%s",
		name, name, port, name, more)
}

func (s *service) get(path string) (int, string) {
	s.t.Helper()
	resp, err := http.Get(s.url + path)
	s.must(err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	s.must(err)
	return resp.StatusCode, string(body)
}

// The operators are told once of an inbox that is out of reach for ten minutes, and once when it is over; a reload
// forgets neither that nor a metric.
func TestInboxOutOfReachIsTold(t *testing.T) {
	addr := freeAddr(t)
	s := newService(t, "operators: [ops@example.com]\n")
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	s.write("updates.password", "secret\n")
	s.append("inboxes:\n" + inboxOf("updates", addr, ""))
	s.start()
	s.eventually("inbox not reachable")
	if code, body := s.get("/readyz"); code != 503 || !strings.Contains(body, "inbox updates") {
		t.Errorf("readyz: %d %s", code, body)
	}
	s.clock.set(s.clock.now().Add(9 * time.Minute))
	s.seen()
	s.inbox.wait(t, 0)
	s.clock.set(s.clock.now().Add(2 * time.Minute))
	if m := s.inbox.wait(t, 1)[0]; m.Header.Get("To") != "<ops@example.com>" || !strings.Contains(m.Header.Get("Subject"), "updates cannot be read") {
		t.Errorf("told %v", m.Header)
	}
	s.clock.set(s.clock.now().Add(2 * time.Hour))
	s.hup <- syscall.SIGHUP
	s.eventually("msg=reloaded")
	s.passes(3*time.Minute, time.Minute)
	s.must(s.stop()) // whoever mends it restarts the service, and is still told that it is over
	s.start()
	s.passes(3*time.Minute, time.Minute)
	s.inbox.wait(t, 1)
	serveIMAP(t, addr)
	s.until("it is read", func() bool { return s.house.gen.Load().boxes[0].Status().Connected })
	s.passes(2*time.Minute, time.Minute)
	if m := s.inbox.wait(t, 2)[1]; !strings.Contains(m.Header.Get("Subject"), "updates is read again") {
		t.Errorf("told %v", m.Header)
	}
	if code, body := s.get("/readyz"); code != 200 {
		t.Errorf("readyz: %d %s", code, body)
	}
	_, body := s.get("/metrics")
	for _, want := range []string{`quietpost_inbox_connected{inbox="updates"} 1`, `quietpost_inbox_failures_total{inbox="updates"}`,
		`quietpost_inbox_last_contact_timestamp_seconds{inbox="updates"} 1.7`} {
		if !strings.Contains(body, want) {
			t.Errorf("metrics lack %s", want)
		}
	}
}

// An inbox that fails again soon after is told again, an hour after the first time; `sources list` shows it while it lasts.
func TestInboxThatFailsAgainIsTold(t *testing.T) {
	addr := freeAddr(t)
	s := newService(t, "operators: [ops@example.com]\n")
	s.must(s.stop())
	s.write("updates.password", "secret\n")
	s.append("inboxes:\n" + inboxOf("updates", addr, ""))
	s.start()
	s.eventually("inbox not reachable")
	s.clock.set(s.clock.now().Add(11 * time.Minute))
	s.inbox.wait(t, 1)
	s.passes(time.Minute, time.Minute)
	if code, out := s.command("sources", "list"); code != 0 || !strings.Contains(out, "cannot be read since ") {
		t.Errorf("%d: %s", code, out)
	}
	connected := func(is bool) func() bool {
		return func() bool { return s.house.gen.Load().boxes[0].Status().Connected == is }
	}
	srv := serveIMAP(t, addr)
	s.until("it is read", connected(true))
	s.passes(2*time.Minute, time.Minute)
	if m := s.inbox.wait(t, 2)[1]; !strings.Contains(m.Header.Get("Subject"), "updates is read again") {
		t.Errorf("told %v", m.Header)
	}
	srv.Close()
	s.until("it is noticed", connected(false))
	s.passes(65*time.Minute, 5*time.Minute)
	if m := s.inbox.wait(t, 3)[2]; !strings.Contains(m.Header.Get("Subject"), "updates cannot be read") {
		t.Errorf("told %v", m.Header)
	}
}

// A login that is refused is told as that, and not tried until the account is locked.
func TestRefusedLoginIsTold(t *testing.T) {
	addr := freeAddr(t)
	serveIMAP(t, addr)
	s := newService(t, "operators: [ops@example.com]\n")
	s.must(s.stop())
	s.write("updates.password", "wrong\n")
	s.append("inboxes:\n" + inboxOf("updates", addr, ""))
	s.start()
	s.eventually("inbox not reachable")
	s.clock.set(s.clock.now().Add(11 * time.Minute))
	m := s.inbox.wait(t, 1)[0]
	body, err := io.ReadAll(m.Body)
	if text := strings.Join(strings.Fields(string(body)), " "); err != nil || !strings.Contains(text, "login as updates") || !strings.Contains(text, "tried every ten minutes") {
		t.Errorf("told %s, %v", body, err)
	}
}

func (s *service) append(text string) {
	s.t.Helper()
	raw, err := os.ReadFile(s.file)
	s.must(err)
	s.write("quietpost.yaml", string(raw)+text)
}

func TestDoctor(t *testing.T) {
	addr := freeAddr(t)
	serveIMAP(t, addr)
	s := newService(t, "")
	s.must(s.stop())
	s.write("good.password", "secret\n")
	s.write("wrong.password", "topsecret\n")
	s.write("gone.password", "secret\n")
	s.write("folder.password", "secret\n")
	s.append("inboxes:\n" + inboxOf("good", addr, "") + inboxOf("wrong", addr, "") + inboxOf("gone", freeAddr(t), "") +
		inboxOf("folder", addr, "    after: move:Done\n") + inboxOf("nosecret", addr, ""))
	var out, words bytes.Buffer
	e := s.env(t.Context())
	e.stdout, e.stderr = &out, &words
	if code := run(e, []string{"doctor", "--config", s.file}); code != 1 || !strings.Contains(words.String(), "5 things are not well") {
		t.Errorf("exit %d, %s", code, words.String())
	}
	for _, want := range []string{"ok    disk: ", "ok    database: ", "is sound", "ok    clock: ", "FAIL  base_url: nothing answers at https://quiet.example.com", "ok    inbox good: connect: 127.0.0.1 port", "ok    inbox good: login: as updates", "ok    inbox good: folder: INBOX holds 0 mails",
		"FAIL  inbox wrong: login: the server refuses updates: ", "→ is the password right", "FAIL  inbox gone: connect: ", "connection refused", "→ nothing listens there",
		"FAIL  inbox folder: after: the server cannot move mails", "FAIL  inbox nosecret: "} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("it does not say %q:\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "topsecret") {
		t.Error("it shows a password")
	}
	out.Reset()
	if code := run(e, []string{"doctor", "--json", "--config", s.file}); code != 1 {
		t.Errorf("exit %d", code)
	}
	var list []finding
	if err := json.Unmarshal(out.Bytes(), &list); err != nil || len(list) < 8 || !list[0].OK || list[0].Probe != "disk" {
		t.Errorf("%v %+v", err, list)
	}
}

// What is said of a silent inbox is not what is said of a hook.
func TestSilentInboxIsTold(t *testing.T) {
	g := &generation{cfg: &loaded{Config: &config.Config{Inboxes: []config.Inbox{{Name: "updates", Address: "updates@example.com"}}}}}
	d := &digest.Diagnosis{Trouble: digest.Trouble{Source: "updates", What: digest.Silent}, Why: "nothing for 3 days"}
	_, text, err := (&house{}).troubleText(t.Context(), g, "updates", d)
	if err != nil || !strings.Contains(text, "mail to updates@example.com") || strings.Contains(text, "hook") {
		t.Errorf("%s, %v", text, err)
	}
	if _, text, err = (&house{}).troubleText(t.Context(), g, "jenkins", d); err != nil || !strings.Contains(text, "hook") {
		t.Errorf("%s, %v", text, err)
	}
}
