package test

import (
	"fmt"
	"strings"
	"testing"
)

// writes sends a mail of a user of the lab through the submission port, as a mail program does; to and what it answers are
// those of a mail where it answers one.
func (h *house) writes(user, to, subject, body string, answered *letter, more ...string) {
	h.t.Helper()
	h.mails++
	head := fmt.Sprintf("From: %s@lab.test\r\nSubject: %s\r\nMessage-ID: <%s-%d@lab.test>\r\n", user, subject, user, h.mails)
	if answered != nil {
		if to == "" {
			to = strings.Trim(fold(answered.get("Reply-To")), "<>")
		}
		id := answered.get("Message-Id")
		head += "In-Reply-To: " + id + "\r\nReferences: " + id + "\r\n"
		body += "\r\n\r\nOn Mon, 2 Nov 2026 at 10:00, Quietpost <digest@lab.test> wrote:\r\n> What was said before.\r\n"
	}
	for _, field := range more {
		head += field + "\r\n"
	}
	h.must(h.Submit(user, to, strings.NewReader(head+"To: "+to+"\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"+body+"\r\n")))
}

// told waits for the one letter of the desk that says a text.
func (h *house) told(user, text string) *letter {
	h.t.Helper()
	return h.wait(user, 1, "letters that say "+text, func(l *letter) bool {
		return l.get("X-Quietpost-Edition") == "letter" && strings.Contains(l.text, text)
	})[0]
}

// TestLifeByMail: a reader's whole life with nothing but mail, through Postfix and Dovecot, where there is no public page:
// subscribe, confirm, an alert and an answer to it, a digest, pause, resume, leave.
func TestLifeByMail(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plan{more: never + "\nsubscribers:\n  - {address: reader@lab.test, schedule: when-asked, alerts: false}\n"})
	const desk = "inbox+desk@lab.test"

	h.writes("second", desk, "Please subscribe me to Apollo when-asked", "", nil)
	ask := h.told("second", "digests of Apollo")
	if to := ask.get("Reply-To"); !strings.HasPrefix(to, "<inbox+c-") || strings.Contains(ask.text, "http") || ask.get("Auto-Submitted") == "" {
		t.Errorf("Reply-To %q, Auto-Submitted %q: %s", to, ask.get("Auto-Submitted"), ask.text)
	}
	h.item(`{"project": "apollo", "title": "Before the word was given"}`)
	h.writes("second", "", "Automatic reply: Please confirm", "I am away.", ask, "Auto-Submitted: auto-replied")
	h.writes("third", desk, "settings", "", nil)
	if l := h.told("third", "No mail from here comes to this address"); strings.Contains(l.text, "second") || strings.Contains(l.text, "reader@") {
		t.Errorf("a stranger is told of others: %s", l.text)
	}
	h.writes("second", "", "Re: "+ask.subject(), "Yes, that was me.", ask)
	force := h.told("second", "this is confirmed")
	for _, want := range []string{"follows Apollo", "alerts at once", "The next three times are"} {
		if !strings.Contains(force.text, want) {
			t.Errorf("what is in force does not say %q: %s", want, force.text)
		}
	}

	h.item(`{"project": "apollo", "title": "The release is out"}`)
	h.item(`{"project": "gemini", "title": "Not followed"}`)
	h.item(`{"project": "apollo", "title": "Checkout is down", "urgent": true, "thread": "incident/7"}`)
	alert := h.wait("second", 1, "alerts", (*letter).alert)[0]
	h.writes("second", "", "Re: "+alert.subject(), "I look into it.\r\n\r\n-- \r\nSecond", alert)
	h.eventually("the answer joined the incident", func() bool {
		all := h.items()
		last := all[len(all)-1]
		return last.Kind == "comment" && last.Project == "apollo" && last.Thread == "incident/7" && last.Body == "I look into it."
	})
	h.eventually("the alert is written down as delivered", func() bool { return h.waiting() == 0 })
	h.cut()
	d := h.digests("second", 1)[0]
	h.hold()
	for text, want := range map[string]bool{"The release is out": true, "Checkout is down": true, "1 comment": true, "Not followed": false, "Before the word was given": false,
		"What was said before": false} {
		if strings.Contains(d.text, text) != want {
			t.Errorf("the digest says %q: %v\n%s", text, !want, d.text)
		}
	}

	h.writes("second", "", "Re: "+d.subject(), "pause for two weeks\r\n\r\nThanks,\r\nSecond", d)
	h.told("second", "Done: paused.")
	h.item(`{"project": "apollo", "title": "While away"}`)
	h.cut()
	h.says("reader", "While away")
	h.digests("second", 1)
	h.hold()
	h.writes("second", desk, "resume please", "", nil)
	h.told("second", "Done: mail comes again")
	h.cut()
	if back := h.digests("second", 2)[1]; !strings.Contains(back.text, "While away") {
		t.Errorf("what was held back is not there: %s", back.text)
	}
	h.hold()

	h.writes("second", desk, "unsubscribe", "", nil)
	h.told("second", "Done: you have left.")
	h.item(`{"project": "apollo", "title": "Without the second"}`)
	h.cut()
	h.says("reader", "Without the second")
	h.digests("second", 2)
	for _, it := range h.items() {
		if strings.Contains(strings.ToLower(it.Title), "subscribe") || strings.Contains(it.Title, "pause") || strings.Contains(it.Title, "confirm") {
			t.Errorf("a command became news: %+v", it)
		}
	}
}
