package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/emersion/go-msgauth/dkim"
	"github.com/emersion/go-smtp"

	"quietpost/digest"
	"quietpost/mailer"
)

// ok is command where it must succeed, and its output.
func (s *service) ok(args ...string) string {
	s.t.Helper()
	code, out := s.command(args...)
	if code != 0 {
		s.t.Fatalf("%v: %d %s", args, code, out)
	}
	return out
}

func (s *service) refuse(answer func(to string) error) {
	s.inbox.mu.Lock()
	defer s.inbox.mu.Unlock()
	s.inbox.rcpt = answer
}

func smtpError(code int, status smtp.EnhancedCode, text string) error {
	return &smtp.SMTPError{Code: code, EnhancedCode: status, Message: text}
}

func TestPreviewAndSend(t *testing.T) {
	s := newService(t, readers)
	s.post(`{"project": "apollo", "title": "Backup done"}`)
	for format, want := range map[string]string{"text": "Backup done", "html": "<html", "eml": "X-Quietpost-Window: 1-1\r\n"} {
		if got := s.ok("preview", "ana@example.com", "--format", format); !strings.Contains(got, want) {
			t.Errorf("%s: no %q in\n%s", format, want, got)
		}
	}
	var values []map[string]any
	if err := json.Unmarshal([]byte(s.ok("--json", "preview", "Ana@Example.com")), &values); err != nil || len(values) != 1 || values[0]["items"] != 1.0 {
		t.Errorf("%v %v", values, err)
	}
	if got := s.ok("send", "ana@example.com"); !strings.Contains(got, `"apollo: Backup done" with 1 update is`) {
		t.Error(got)
	}
	if got := s.inbox.wait(t, 1)[0].Header.Get("X-Quietpost-Window"); got != "1-1" {
		t.Errorf("window %q", got)
	}
	if code, errs := s.command("send", "ana@example.com"); code != 1 || !strings.Contains(errs, "at this very moment") {
		t.Errorf("%d %s", code, errs)
	}
	s.must(s.clock.at("2026-11-23 08:00:01"))
	if got := s.ok("send", "ana@example.com"); !strings.Contains(got, "nothing new") {
		t.Error(got)
	}
	s.ok("send", "ana@example.com", "--catch-up", "7d")
	again := s.inbox.wait(t, 2)[1]
	if again.Header.Get("X-Quietpost-Window") != "" || again.Header.Get("Subject") != "apollo: Backup done" {
		t.Errorf("%v", again.Header)
	}
	s.post(`{"project": "apollo", "title": "Two"}`)
	s.must(s.clock.at("2026-11-23 09:00:30"))
	if got := s.inbox.wait(t, 3)[2].Header.Get("X-Quietpost-Window"); got != "2-2" {
		t.Errorf("a catch-up moved the window to %q", got)
	}
	for _, c := range []struct {
		code int
		say  string
		args []string
	}{
		{1, "not a subscriber", []string{"send", "eve@example.com"}},
		{1, "not a subscriber", []string{"preview", "eve@example.com"}},
		{2, "not a mail address", []string{"send", "eve"}},
		{2, "is not a duration", []string{"send", "ana@example.com", "--catch-up=-7d"}},
		{2, "usage", []string{"outbox", "retry"}},
		{1, "there is no message 99", []string{"outbox", "show", "99"}},
		{1, "there is no message 99", []string{"outbox", "drop", "99"}},
		{1, "only what waits or was given up", []string{"outbox", "retry", "1"}},
	} {
		code, errs := s.command(c.args...)
		if code != c.code || c.say != "usage" && !strings.Contains(errs, c.say) {
			t.Errorf("%v: %d %s", c.args, code, errs)
		}
	}
}

func TestOutboxFromTheShell(t *testing.T) {
	s := newService(t, readers)
	s.refuse(func(string) error { return smtpError(554, smtp.EnhancedCode{5, 7, 1}, "we do not like you") })
	s.post(`{"project": "apollo", "title": "Fire", "urgent": true}`)
	s.eventually("given up")
	if got := s.ok("outbox", "list", "--state", "failed"); !strings.Contains(got, "554 5.7.1 we do not like you") {
		t.Error(got)
	}
	if got := s.ok("outbox", "show", "1"); !strings.Contains(got, "last answer: 554 5.7.1 we do not like you") || !strings.Contains(got, "Subject: [urgent] apollo: Fire\r\n") {
		t.Error(got)
	}
	s.refuse(nil)
	if got := s.ok("outbox", "retry", "--failed"); !strings.Contains(got, "message 1 is due now") {
		t.Error(got)
	}
	s.inbox.wait(t, 1)
	s.refuse(func(string) error { return smtpError(451, smtp.EnhancedCode{4, 2, 0}, "later") })
	s.post(`{"project": "zeus", "title": "Fire", "urgent": true}`)
	s.eventually("to be tried again")
	s.ok("outbox", "drop", "2")
	s.refuse(nil)
	s.must(s.clock.at("2026-11-23 08:59:00"))
	if code, errs := s.command("outbox", "retry", "2"); code != 1 || !strings.Contains(errs, "was dropped") {
		t.Errorf("%d %s", code, errs)
	}
	if got := s.ok("outbox", "show", "2"); !strings.Contains(got, "failed") || !strings.Contains(got, "not kept any more") {
		t.Error(got)
	}
	_, metrics := s.get("/metrics")
	for _, want := range []string{
		`quietpost_outbox_messages{lane="alert",state="delivered"} 1`, `quietpost_outbox_messages{lane="alert",state="failed"} 1`,
		`quietpost_outbox_messages{lane="digest",state="queued"} 0`, `quietpost_outbox_messages{lane="digest",state="bounced"} 0`,
		`quietpost_outbox_oldest_timestamp_seconds{lane="alert"} 0`, `quietpost_send_attempts_total{lane="alert",state="queued"} 1`,
		`quietpost_bounces_total{class="blocked"} 1`,
	} {
		if !strings.Contains(metrics, want+"\n") {
			t.Errorf("no %s in\n%s", want, metrics)
		}
	}
}

// TestSignedWithAReturnPath: the whole daemon signs what it sends, over what RFC 8058 asks for, and each mail comes back to a
// place of its own.
func TestSignedWithAReturnPath(t *testing.T) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	key := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	s := newService(t, readers)
	s.must(s.stop())
	s.write("dkim.pem", string(key))
	raw, err := os.ReadFile(s.file)
	s.must(err)
	s.write("quietpost.yaml", strings.Replace(string(raw), "\nmail:\n",
		"\nmail:\n  return_path: bounces@example.com\n  dkim: {domain: example.com, selector: q1, key_file: dkim.pem}\n", 1))
	s.start()
	s.post(`{"project": "apollo", "title": "Fire", "urgent": true}`)
	s.inbox.wait(t, 1)
	signer, err := mailer.NewSigner("example.com", "q1", key)
	s.must(err)
	name, record := signer.Record()
	_ = public
	got, err := dkim.VerifyWithOptions(strings.NewReader(s.inbox.texts[0]), &dkim.VerifyOptions{LookupTXT: func(q string) ([]string, error) {
		if q != name {
			t.Errorf("asked for %s, not %s", q, name)
		}
		return []string{record}, nil
	}})
	if err != nil || len(got) != 1 || got[0].Err != nil {
		t.Fatalf("%v %+v", err, got)
	}
	for _, want := range []string{"List-Unsubscribe", "List-Unsubscribe-Post", "List-ID", "Feedback-ID", "From", "Date"} {
		if !strings.Contains(strings.Join(got[0].HeaderKeys, " "), want) {
			t.Errorf("%s is not signed: %v", want, got[0].HeaderKeys)
		}
	}
	token := strings.TrimSuffix(strings.TrimPrefix(s.inbox.froms[0], "bounces+b-"), "@example.com")
	db, _, err := s.env(t.Context()).withFile(s.file).open()
	s.must(err)
	defer db.Close()
	instance, err := db.InstanceKey(t.Context())
	s.must(err)
	if purpose, id, ok := digest.ReadToken(instance, token); !ok || purpose != digest.TokenBounce || id != "1" {
		t.Errorf("envelope sender %s", s.inbox.froms[0])
	}
	if feedback := s.inbox.mails[0].Header.Get("Feedback-Id"); !strings.HasPrefix(feedback, "alert:quietpost:qp") {
		t.Errorf("Feedback-ID %q", feedback)
	}
}

func (e *env) withFile(file string) *env { e.config = filepath.Clean(file); return e }

// TestARefusedReaderIsSuspendedAndResumes is the whole way: refused, held, told, lifted by a click, and nothing lost.
func TestARefusedReaderIsSuspendedAndResumes(t *testing.T) {
	s := newService(t, readers)
	s.refuse(func(to string) error { return smtpError(550, smtp.EnhancedCode{5, 1, 1}, "no such user") })
	s.post(`{"project": "apollo", "title": "Fire", "urgent": true}`)
	s.eventually("suspended: no mail goes to this address")
	s.refuse(nil)
	s.post(`{"project": "apollo", "title": "Backup done"}`)
	s.post(`{"project": "zeus", "title": "Fire", "urgent": true}`)
	s.must(s.clock.at("2026-11-23 09:00:30"))
	if code, errs := s.command("send", "ana@example.com"); code != 1 || !strings.Contains(errs, "ana@example.com is suspended; `quietpost subscribers resume ana@example.com` ends that") {
		t.Errorf("%d %s", code, errs)
	}
	// The operator sees why and since when, and that what waits is not late but held.
	for _, want := range []string{"came back on Mon 23 November 2026, 08:00 WET", "the address does not take mail: 5.1.1 no such user", "hard       5.1.1 no such user",
		"quietpost subscribers resume ana@example.com"} {
		if got := s.ok("subscribers", "show", "ana@example.com"); !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
	if got := s.ok("--json", "subscribers", "show", "ana@example.com"); !strings.Contains(got, `"suspended_at": "2026-11-23T08:`) || !strings.Contains(got, `"suspended_because": "the address`) {
		t.Error(got)
	}
	if got := s.ok("outbox", "retry", "1"); !strings.Contains(got, "waits as long as its address is suspended: quietpost subscribers resume ana@example.com") {
		t.Error(got)
	}
	if got := s.ok("outbox", "list") + s.ok("outbox", "show", "1"); !strings.Contains(got, "waits: suspended") || !strings.Contains(got, "it waits, because the address is suspended") {
		t.Error(got)
	}
	s.ok("outbox", "drop", "1")
	db, _, err := s.env(t.Context()).withFile(s.file).open()
	s.must(err)
	defer db.Close()
	instance, err := db.InstanceKey(t.Context())
	s.must(err)
	link := "/r/" + digest.Token(instance, digest.TokenResume, "1")
	if _, page := s.get(link); !strings.Contains(page, "5.1.1 no such user") {
		t.Error(page)
	}
	s.inbox.wait(t, 0)
	resp, err := http.Post(s.url+link, "application/x-www-form-urlencoded", strings.NewReader("do=resume"))
	s.must(err)
	resp.Body.Close()
	mails := s.inbox.wait(t, 1)
	if got := mails[0].Header.Get("X-Quietpost-Window"); got != "1-3" {
		t.Errorf("window %q: %s", got, s.inbox.texts[0])
	}
	if !strings.Contains(s.inbox.texts[0], "Backup done") {
		t.Error(s.inbox.texts[0])
	}
}

// TestManyRefusalsAreTold: a provider that does not want our mail is for the operators, not for the readers to suffer.
func TestManyRefusalsAreTold(t *testing.T) {
	people := "operators: [ops@example.org]\nsubscribers:\n"
	for i := range 6 {
		people += fmt.Sprintf("  - {address: p%d@example.com, schedule: \"0 9 * * *\"}\n", i)
	}
	s := newService(t, people)
	s.refuse(func(to string) error {
		if strings.HasSuffix(to, "@example.com") {
			return smtpError(550, smtp.EnhancedCode{5, 7, 26}, "unauthenticated")
		}
		return nil
	})
	s.post(`{"project": "apollo", "title": "One"}`)
	s.must(s.clock.at("2026-11-23 09:00:30"))
	s.inbox.wait(t, 1)
	s.inbox.mu.Lock()
	text := s.inbox.texts[0]
	s.inbox.mu.Unlock()
	if !strings.Contains(text, "Subject: quietpost: mail to many addresses fails") || !strings.Contains(text, "5.7.26 unauthenticated") ||
		!strings.Contains(text, "quietpost doctor") {
		t.Error(text)
	}
	if list := s.ok("subscribers", "list"); strings.Contains(list, "suspended") {
		t.Error(list)
	}
}

// noDNS is a DNS that knows nobody.
type noDNS struct{}

func (noDNS) LookupTXT(_ context.Context, name string) ([]string, error) {
	return nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
}

func (noDNS) LookupMX(_ context.Context, name string) ([]*net.MX, error) {
	return nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
}

func (noDNS) LookupHost(_ context.Context, name string) ([]string, error) {
	return nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
}

func TestDoctorOnTheSender(t *testing.T) {
	s := newService(t, readers)
	var out bytes.Buffer
	e := s.env(t.Context())
	e.stdout, e.dns = &out, noDNS{}
	if code := run(e, []string{"--config", s.file, "doctor"}); code != 1 {
		t.Errorf("exit %d", code)
	}
	for _, want := range []string{"ok    smtp: 127.0.0.1:", "ok    smtp sender: it takes mail from digest@example.com", "FAIL  spf: example.com has no SPF record",
		"FAIL  dmarc: there is no DMARC record for example.com", `v=DMARC1; p=none`, "FAIL  reports: delivery reports to example.com would not arrive"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("it does not say %q:\n%s", want, out.String())
		}
	}
}
