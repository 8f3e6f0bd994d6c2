package main

import (
	"bytes"
	"fmt"
	"net/mail"
	"regexp"
	"strings"
	"testing"
	"time"
)

// A correspondent is a person with a mail program at a real server.
type correspondent struct {
	*postOffice
	name string
	have int // mails read so far
}

// write sends a mail; answered, if there is one, is the mail it answers: it goes to its Reply-To and quotes it.
func (c *correspondent) write(to, subject, body string, answered *mail.Message, more ...string) {
	c.t.Helper()
	id := fmt.Sprintf("%s-%d-%d@lab.test", c.name, c.have, time.Now().UnixNano())
	head := []string{"From: " + c.name + "@lab.test", "Subject: " + subject, "Message-ID: <" + id + ">",
		"Date: " + time.Now().Format(time.RFC1123Z), "Content-Type: text/plain; charset=utf-8"}
	if answered != nil {
		head = append(head, "In-Reply-To: "+answered.Header.Get("Message-Id"))
		body += "\n\nOn Mon, 23 Nov 2026 at 09:00, Quietpost <digest@lab.test> wrote:\n> what was in it\n> and more: " + leaveLink(answered) + "\n"
		if to == "" {
			a, err := mail.ParseAddress(answered.Header.Get("Reply-To"))
			c.must(err)
			to = a.Address
		}
	}
	head = append(append(head, more...), "To: "+to)
	c.must(c.lab.Submit(c.name, to, strings.NewReader(strings.Join(head, "\r\n")+"\r\n\r\n"+strings.ReplaceAll(body, "\n", "\r\n")+"\r\n")))
}

// leaveLink is the one in a mail's header.
func leaveLink(m *mail.Message) string {
	return strings.Trim(strings.Split(m.Header.Get("List-Unsubscribe"), ",")[0], "<> ")
}

// next waits for the next mail and gives it with its text.
func (c *correspondent) next(wants ...string) (*mail.Message, string) {
	c.t.Helper()
	c.have++
	raw := c.mailbox(c.name, c.have)[c.have-1]
	m, err := mail.ReadMessage(bytes.NewReader(raw))
	c.must(err)
	text := strings.ReplaceAll(string(raw), "=\r\n", "") // soft line breaks (RFC 2045, section 6.7)
	for _, want := range wants {
		if !strings.Contains(text, want) {
			c.t.Fatalf("mail %d of %s does not say %q:\n%s", c.have, c.name, want, text)
		}
	}
	return m, text
}

var itemLink = regexp.MustCompile(`https://quiet\.lab\.test/e/e\.[0-9a-z.]+/\d+`)

// TestAWholeLifeByMail: subscribe with a slip, confirm by answering, get digests and an alert, answer both, pause, come back,
// leave; all against real servers.
func TestAWholeLifeByMail(t *testing.T) {
	p := newPostOffice(t, "  []\n")
	p.eventually("inbox connected") // what is there before first contact is not ours
	ana, ben := &correspondent{postOffice: p, name: "reader"}, &correspondent{postOffice: p, name: "second"}

	ana.write("inbox+desk@lab.test", "Subcribe apollo daily at 9:00 Europe/Lisbon", "", nil)
	ask, _ := ana.next("Please confirm", "digests of apollo, weekdays at 09:00", "Without your word nothing comes", "/c/c.")
	if to := ask.Header.Get("Reply-To"); !strings.HasPrefix(to, "<inbox+c-c.") || ask.Header.Get("Auto-Submitted") == "" {
		t.Fatalf("Reply-To %s", to)
	}
	ana.write("", "Out of office", "I am away.", ask, "Auto-Submitted: auto-replied") // confirms nothing
	p.eventually("an automatic reply")
	if got := p.state("reader@lab.test"); got != "pending" {
		t.Fatalf("state %q after a vacation note", got)
	}
	ana.write("", "Re: "+ask.Header.Get("Subject"), "yes please", ask)
	ana.next("is in force", "follows  apollo", "weekdays at 09:00, Europe/Lisbon", "Mon 23 November 2026, 09:00:00", "Tue 24 November", "Wed 25 November")

	// Somebody who is no subscriber learns nothing but about themselves.
	ben.write("inbox+desk@lab.test", "settings", "", nil)
	ben.next("No mail from here comes to this address")

	p.post(`{"project": "apollo", "title": "Release 2.4 is out", "thread": "release/2.4"}`)
	p.post(`{"project": "zeus", "title": "Not hers"}`)
	p.must(p.clock.at("2026-11-23 09:00:30"))
	digest, text := ana.next("Release 2.4 is out")
	if strings.Contains(text, "Not hers") {
		t.Error("a project she does not follow is in the digest")
	}

	// An alert, and an answer that joins its thread.
	p.post(`{"project": "apollo", "title": "Disk full", "thread": "disk", "urgent": true}`)
	alert, _ := ana.next("Disk full")
	ana.write("", "Re: "+alert.Header.Get("Subject"), "I have cleaned up, 40 GB free.", alert)
	p.eventually("state=accepted items=1")
	if items := p.ok("items", "list", "--json"); !strings.Contains(items, "40 GB free") || strings.Contains(items, "what was in it") {
		t.Errorf("%s", items)
	}

	// An answer to a whole digest is kept, and told once how to answer a line.
	ana.write("", "Re: "+digest.Header.Get("Subject"), "Well done, all of you.", digest)
	ana.next("kept", "This is said only once")
	ana.write("", "Re: "+digest.Header.Get("Subject"), "And thanks again.", digest)

	// A command in answer to a digest.
	ana.write("", "Re: "+digest.Header.Get("Subject"), "pause until 2026-11-30", digest)
	ana.next("Done: paused", "until Mon 30 November 2026, 00:00", "Mon 30 November 2026, 09:00:00")
	p.post(`{"project": "apollo", "title": "While she was away"}`)
	for day := 24; day < 30; day++ {
		p.must(p.clock.at(fmt.Sprintf("2026-11-%d 09:00:30", day)))
		p.seen()
	}
	p.must(p.clock.at("2026-11-30 00:01:00"))
	p.eventually("pauses are over")
	p.must(p.clock.at("2026-11-30 09:00:30"))
	if items := p.ok("items", "list", "--json"); !strings.Contains(items, "And thanks again") || strings.Contains(items, "pause until") {
		t.Errorf("%s", items)
	}
	back, text := ana.next("While she was away", "1 comment")

	// What the item leaves out of her answer is a click away, but not the link that ends her mails.
	link := itemLink.FindString(text)
	code, page := p.get(strings.Replace(link, "https://quiet.lab.test", "", 1))
	if code != 200 || !strings.Contains(page, "40 GB free.") || !strings.Contains(page, "The whole mail, as it was written") ||
		!strings.Contains(page, "what was in it") || !strings.Contains(page, "and more: https://quiet.lab.test/l/…") {
		t.Errorf("%s: %s", link, page)
	}

	ana.write("", "Re: "+back.Header.Get("Subject"), "stop", back)
	ana.next("you have left", "No mail from here comes to this address")
	if got := p.state("reader@lab.test"); got != "left" {
		t.Errorf("state %q after leaving", got)
	}
	p.post(`{"project": "apollo", "title": "After all", "urgent": true}`)
	p.must(p.clock.at("2026-12-01 09:00:30"))
	p.seen()
	p.seen()
	ana.mailbox("reader", ana.have)
	ben.mailbox("second", ben.have)
}

// TestTheDeskFromTheShell: the commands beside the daemon, with the words that mails get.
func TestTheDeskFromTheShell(t *testing.T) {
	s := newService(t, "subscribers:\n  - {address: ana@example.com, projects: [apollo], schedule: \"0 9 * * *\"}\n")
	for _, c := range []struct{ args, want string }{
		{"show ana@example.com", "every day at 09:00, UTC"},
		{"pause ana@example.com until 2026-12-01", "paused until Tue 1 December 2026, 00:00 UTC"},
		{"show ana@example.com", "Tue 1 December 2026, 09:00:00 UTC"},
		{"resume ana@example.com", "Done: mail comes again"},
		{"resume ana@example.com", "Nothing was paused"},
		{"show ana@example.com --json", `"state": "active"`},
		{"remove ana@example.com", "Done: you have left."},
		{"show ana@example.com", "No mail from here comes to this address"},
	} {
		if got := s.ok(append([]string{"subscribers"}, strings.Fields(c.args)...)...); !strings.Contains(got, c.want) {
			t.Errorf("%s: %s", c.args, got)
		}
	}
	for args, want := range map[string]string{
		"pause ana@example.com until later": "is no date", "resume nobody@example.com": "gets no mail from here", "show x": "is not a mail address",
		"resume ana@example.com": "gets no mail from here", // who left comes back by their own word
	} {
		if code, errs := s.command(append([]string{"subscribers"}, strings.Fields(args)...)...); code == 0 || !strings.Contains(errs, want) {
			t.Errorf("%s: %d %s", args, code, errs)
		}
	}
}
