package main

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/mail"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"quietpost/digest"
	"quietpost/mailer"
	"quietpost/test/maillab"
)

// A postOffice is the daemon beside real servers: it submits to Postfix with STARTTLS and a login, and reads its inbox in
// Dovecot.
type postOffice struct {
	*service
	lab    *maillab.Lab
	signer *mailer.Signer
}

func newPostOffice(t *testing.T, people string) *postOffice {
	lab := maillab.Start(t)
	s := newService(t, "")
	s.must(s.stop())
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	s.must(err)
	raw := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	p := &postOffice{service: s, lab: lab}
	p.signer, err = mailer.NewSigner("lab.test", "q1", raw)
	s.must(err)
	s.write("dkim.pem", string(raw))
	s.write("digest.password", maillab.Password("digest"))
	s.write("inbox.password", maillab.Password("inbox"))
	s.write("quietpost.yaml", fmt.Sprintf(`
base_url: https://quiet.lab.test
data_dir: %s/data
http: {listen: "127.0.0.1:0"}
operators: [operator@lab.test]
mail:
  from: Quietpost <digest@lab.test>
  reply_to: inbox@lab.test
  dkim: {domain: lab.test, selector: q1, key_file: dkim.pem}
  smtp: {host: localhost, port: %d, username: digest@lab.test, password_file: digest.password, ca_file: %s}
inboxes:
  - name: updates
    address: inbox@lab.test
    imap: {host: localhost, port: %d, username: inbox@lab.test, password_file: inbox.password, ca_file: %s}
sources:
  - {name: lab, type: generic, secret_file: lab.secret}
subscribers:
%s`, s.dir, lab.Ports.Submission, lab.CAFile, lab.Ports.IMAPS, lab.CAFile, people))
	s.start()
	return p
}

// mailbox waits until a user has n mails, and gives them.
func (p *postOffice) mailbox(user string, n int) [][]byte {
	p.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		mails, err := p.lab.Mailbox(user)
		if len(mails) >= n || time.Now().After(deadline) {
			if err != nil || len(mails) != n {
				p.t.Fatalf("%s has %d mails (%v), want %d\n%s\n%s", user, len(mails), err, n, p.log.String(), p.lab.Logs())
			}
			return mails
		}
	}
}

// verify has OpenDKIM check a mail as it lies in a mailbox, and one in which a header was changed on the way.
func (p *postOffice) verify(raw []byte) {
	p.t.Helper()
	if ok, said := p.openDKIM(raw); !ok {
		p.t.Errorf("OpenDKIM: %s\n%s", said, raw[:min(len(raw), 3000)])
	}
	changed := bytes.Replace(raw, []byte("<https://quiet."), []byte("<https://evil."), 1)
	if ok, said := p.openDKIM(changed); ok || bytes.Equal(raw, changed) {
		p.t.Errorf("OpenDKIM takes a changed mail: %s", said)
	}
}

func (p *postOffice) openDKIM(raw []byte) (ok bool, said string) {
	p.t.Helper()
	program, err := exec.LookPath("opendkim")
	if err != nil {
		p.t.Fatal("opendkim is not here; test/install.sh installs it")
	}
	name, record := p.signer.Record()
	file := filepath.Join(p.dir, "delivered.eml")
	p.write("delivered.eml", string(raw))
	p.write("dns", name+" "+record+"\n")
	p.write("opendkim.conf", "Mode v\nTestDNSData "+filepath.Join(p.dir, "dns")+"\nSoftwareHeader no\n")
	out, err := exec.Command(program, "-x", filepath.Join(p.dir, "opendkim.conf"), "-t", file, "-vv").CombinedOutput()
	return err == nil && bytes.Contains(out, []byte("(s=q1, d=lab.test, 2048-bit key")) && bytes.Contains(out, []byte("succeeded")), string(out)
}

// resume lifts a suspension as the shell does, beside the daemon.
func (p *postOffice) resume(address string) {
	p.t.Helper()
	db, _, err := p.env(p.t.Context()).withFile(p.file).open()
	p.must(err)
	defer db.Close()
	_, err = (&digest.Desk{Store: db}).Resume(p.t.Context(), address)
	p.must(err)
}

func (p *postOffice) state(address string) string {
	p.t.Helper()
	for line := range strings.Lines(p.ok("subscribers", "list")) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == address {
			return f[1]
		}
	}
	return ""
}

// TestRealServers: one slot, and everything that servers answer to it.
func TestRealServers(t *testing.T) {
	var people strings.Builder
	for _, name := range []string{"reader", "second", "third", "full", "ghost", "spam"} {
		fmt.Fprintf(&people, "  - {address: %s@lab.test, schedule: \"0 9 * * *\"}\n", name)
	}
	p := newPostOffice(t, people.String())
	p.lab.Refuse("second@lab.test", "550 5.1.1 No such user here")
	p.lab.Refuse("third@lab.test", "451 4.7.1 Greylisted, come back later")
	p.lab.Refuse("spam@lab.test", "550 5.7.1 Message refused by policy")
	p.post(`{"project": "apollo", "title": "Backup done", "body": "Größe: 5 €"}`)
	p.must(p.clock.at("2026-11-23 09:00:30"))

	got := p.mailbox("reader", 1)[0]
	m, err := mail.ReadMessage(bytes.NewReader(got))
	p.must(err)
	if path := m.Header.Get("Return-Path"); !strings.HasPrefix(path, "<inbox+b-b.") || m.Header.Get("X-Quietpost-Window") != "1-1" {
		t.Errorf("Return-Path %q, window %q", path, m.Header.Get("X-Quietpost-Window"))
	}
	p.verify(got)

	// Refused for good; greylisted and then taken; refused by policy, which is no fault of the address.
	p.eventually("550 5.1.1")
	p.eventually("Greylisted")
	p.lab.Allow("third@lab.test")
	p.must(p.clock.at("2026-11-23 09:01:30"))
	p.verify(p.mailbox("third", 1)[0])

	// Taken by Postfix and returned later: by their tokens the reports say whose they are.
	p.eventually("full@lab.test class=full")
	p.eventually("ghost@lab.test class=hard")
	for address, want := range map[string]string{"reader": "active", "third": "active", "second": "suspended", "ghost": "suspended",
		"full": "active", "spam": "active"} {
		if got := p.state(address + "@lab.test"); got != want {
			t.Errorf("%s is %s, want %s", address, got, want)
		}
	}
	if list := p.ok("outbox", "list"); strings.Count(list, " bounced ") != 2 || strings.Count(list, " failed ") != 2 || strings.Count(list, " delivered ") != 2 {
		t.Errorf("%s", list)
	}

	// The next day: only the active are written to, and nothing comes twice.
	p.post(`{"project": "apollo", "title": "Next day"}`)
	asked := p.lab.Asked("second@lab.test") + p.lab.Asked("ghost@lab.test")
	p.must(p.clock.at("2026-11-24 09:00:30"))
	for _, raw := range append(p.mailbox("reader", 2), p.mailbox("third", 2)...) {
		p.verify(raw)
	}
	if now := p.lab.Asked("second@lab.test") + p.lab.Asked("ghost@lab.test"); now != asked {
		t.Errorf("%d mails to suspended addresses", now-asked)
	}

	// Lifted by the operator, everything comes in one digest.
	p.lab.Allow("second@lab.test")
	p.resume("second@lab.test")
	p.must(p.clock.at("2026-11-25 09:00:30"))
	last, err := mail.ReadMessage(bytes.NewReader(p.mailbox("second", 1)[0]))
	p.must(err)
	if w := last.Header.Get("X-Quietpost-Window"); w != "2-2" {
		t.Errorf("window %s", w)
	}
}

// TestARealServerDownForADay: nothing is lost, nothing comes twice, and nobody is suspended for it.
func TestARealServerDownForADay(t *testing.T) {
	p := newPostOffice(t, "  - {address: reader@lab.test, schedule: \"0 9 * * *\"}\n  - {address: second@lab.test, schedule: \"0 9 * * *\"}\n")
	p.must(p.lab.StopSMTP())
	p.post(`{"project": "apollo", "title": "One"}`)
	p.must(p.clock.at("2026-11-23 09:00:30"))
	p.eventually("to be tried again")
	p.post(`{"project": "apollo", "title": "Fire", "urgent": true}`)
	for range 12 {
		p.clock.set(p.clock.now().Add(2 * time.Hour))
		time.Sleep(300 * time.Millisecond)
	}
	p.must(p.lab.StartSMTP())
	for range 3 {
		p.clock.set(p.clock.now().Add(time.Hour))
		time.Sleep(1500 * time.Millisecond)
	}
	for _, name := range []string{"reader", "second"} {
		p.mailbox(name, 3) // the digest, the alert, the next day's digest with the alert in it
	}
	if list := p.ok("outbox", "list"); strings.Count(list, " delivered ") < 6 || strings.Contains(list, " failed ") {
		t.Error(list)
	}
}

// TestEveryKindOfMail: whatever leaves, OpenDKIM verifies it as it lies in a mailbox, and it has the headers of its kind.
func TestEveryKindOfMail(t *testing.T) {
	p := newPostOffice(t, "  - {address: reader@lab.test, schedule: \"0 9 * * *\", alerts: true}\n")
	kinds, known := map[string][]byte{}, map[string]bool{}
	wait := func(kind, user string, n int) {
		t.Helper()
		mails := p.mailbox(user, n)
		for _, raw := range mails {
			if id := messageHeader(t, raw, "Message-Id"); !known[id] {
				known[id], kinds[kind] = true, raw
			}
		}
	}
	p.post(`{"project": "apollo", "title": "Disk full", "urgent": true, "thread": "disk"}`)
	wait("alert", "reader", 1)
	p.post(`{"project": "apollo", "title": "Disk still full", "urgent": true, "thread": "disk"}`)
	p.clock.set(p.clock.now().Add(10 * time.Minute))
	wait("follow-up", "reader", 2)
	p.must(p.clock.at("2026-11-23 09:00:30"))
	wait("digest", "reader", 3)
	p.ok("send", "reader@lab.test", "--catch-up", "7d")
	wait("catch-up", "reader", 4)
	say := func(from, to, subject, rest string) {
		p.must(p.lab.Deliver(from, to, strings.NewReader("From: "+from+"\r\nTo: "+to+"\r\nSubject: "+subject+
			"\r\nMessage-ID: <"+fmt.Sprint(len(known))+"@lab.test>\r\nDate: Mon, 23 Nov 2026 09:00:00 +0000\r\n"+rest)))
	}
	say("second@lab.test", "inbox+desk@lab.test", "subscribe", "\r\n\r\n")
	wait("confirmation", "second", 1)
	// The foot of each mail says that the one word help is understood as an answer to it, also above what mail programs quote.
	for i, kind := range []string{"alert", "digest"} {
		m := kinds[kind]
		to, err := mail.ParseAddress(messageHeader(t, m, "Reply-To"))
		p.must(err)
		say("reader@lab.test", to.Address, "Re: "+messageHeader(t, m, "Subject"), "In-Reply-To: "+messageHeader(t, m, "Message-Id")+
			"\r\n\r\nhelp\r\n\r\nOn Mon, 23 Nov 2026 at 10:00, Quietpost <digest@lab.test> wrote:\r\n> Disk full\r\n> =========\r\n")
		wait("answer to the "+kind, "reader", 5+i)
		if got := messageHeader(t, kinds["answer to the "+kind], "Subject"); !strings.Contains(got, "How to write to the desk") {
			t.Errorf("help to the %s is answered by %q", kind, got)
		}
	}
	if code, _ := p.do("POST", "/hooks/lab", "geheim", "{"); code != 202 {
		t.Errorf("garbage is answered with %d", code)
	}
	wait("notice", "operator", 1)
	for kind, raw := range kinds {
		if ok, said := p.openDKIM(raw); !ok {
			t.Errorf("%s: OpenDKIM: %s\n%s", kind, said, raw)
		}
		if ok, _ := p.openDKIM(bytes.Replace(raw, []byte("\r\nAuto-Submitted:"), []byte("\r\nAuto-Submitted: no,"), 1)); ok {
			t.Errorf("%s: OpenDKIM takes a changed mail", kind)
		}
		m, err := mail.ReadMessage(bytes.NewReader(raw))
		p.must(err)
		list := kind == "alert" || kind == "follow-up" || kind == "digest" || kind == "catch-up"
		for name, want := range map[string]bool{"Message-Id": true, "Date": true, "Reply-To": true, "X-Quietpost-Edition": true, "X-Auto-Response-Suppress": true,
			"List-Id": list, "List-Unsubscribe": list, "List-Unsubscribe-Post": list, "Feedback-Id": list,
			"X-Quietpost-Window": kind == "digest"} {
			if (m.Header.Get(name) != "") != want {
				t.Errorf("%s: %s: %q", kind, name, m.Header.Get(name))
			}
		}
		if got := m.Header.Get("Auto-Submitted"); got != "auto-generated" || !strings.HasPrefix(m.Header.Get("Return-Path"), "<inbox+b-b.") {
			t.Errorf("%s: Auto-Submitted %q, Return-Path %q", kind, got, m.Header.Get("Return-Path"))
		}
	}
	if first, next := messageHeader(t, kinds["alert"], "References"), messageHeader(t, kinds["follow-up"], "References"); first == "" || first != next {
		t.Errorf("an alert and its follow-up are not one conversation: %q, %q", first, next)
	}
}

func messageHeader(t *testing.T, raw []byte, name string) string {
	t.Helper()
	m, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	return m.Header.Get(name)
}
