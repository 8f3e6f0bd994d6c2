package main

import (
	"fmt"
	"math"
	"strings"
	"time"

	"quietpost/digest"
)

// noticeWords are what an operator reads of one cause.
type noticeWords struct {
	begins, what string // subject and text when it begins
	over, rest   string // subject when it is over, and what that means
}

// wordsOf says in words what an operator can act on.
func wordsOf(cfg *loaded, n *digest.Notice, now time.Time) (subject, text string) {
	w := wordsOfCause(cfg, n, stamp(now.Add(-n.Lasted), cfg.TimeZone), stamp(now, cfg.TimeZone))
	if !n.Over {
		return w.begins, w.what + "\n\nYou are told once more when this is over."
	}
	text = "It lasted " + length(n.Lasted) + "."
	if n.Text != "" { // not known where the service was restarted meanwhile
		text = fmt.Sprintf("It lasted %s:\n\n  %s", length(n.Lasted), n.Text)
	}
	return w.over, text + "\n\n" + w.rest
}

func wordsOfCause(cfg *loaded, n *digest.Notice, since, now string) noticeWords {
	kind, name, _ := strings.Cut(n.Cause, "/")
	switch kind {
	case digest.FaultDisk:
		return noticeWords{"nothing can be stored", "The database in " + cfg.dataDir + " cannot be written since " + since + ":\n\n  " + n.Text +
			"\n\nWhat is posted is refused with 503, so that its senders try again; mails stay in their inboxes; digests and alerts wait. " +
			"Make room on the disk, or mend it: then it goes on by itself. This mail went past the outbox.",
			"it can be stored again", "What waited goes on: deliveries are taken, digests and alerts leave."}
	case digest.FaultMail:
		return noticeWords{"no mail can be sent", "",
			"mail can be sent again", "No mail server took anything, so that you could not be told before. What waited in the outbox leaves now."}
	case digest.FaultClock:
		return noticeWords{"the clock was set", "The machine's clock was set (" + n.Text + "); it now says " + now +
			". If that is wrong, mend it: schedules go by it.\n\nUntil it has been right for six hours nothing is taken away for its age.",
			"the clock is believed again", "It has been right for a while, or was set back. Retention goes on."}
	case digest.FaultInbox:
		return noticeWords{"the inbox " + name + " cannot be read", "The inbox " + name + " has been out of reach since " + since + ":\n\n  " + n.Text +
			"\n\nIts mails wait on the server and are taken in when it can be read again; it is tried by itself.\n" +
			"`quietpost doctor` tries it step by step.",
			"the inbox " + name + " is read again", "What came meanwhile is being taken in."}
	case digest.FaultAfter:
		return noticeWords{"the server of the inbox " + name + " refuses `after`", "What `after` asks for with the mails of the inbox " + name +
			" that are stored cannot be done. The server says:\n\n  " + n.Text +
			"\n\nThe mails are stored and stay in the mailbox as they are; it is asked again every minute.",
			"`after` works again for the inbox " + name, "What waited for it is done."}
	case digest.FaultExpires:
		return noticeWords{"a certificate or token runs out: " + name, "Soon this is not good any more, or it has run out already:\n\n  " + n.Text +
			"\n\nA certificate is renewed where its server runs, which has to load it then; a refresh token is asked for anew and written into its file. " +
			"Without it mails do not leave, the inbox is not read, or links in mails lead nowhere. `quietpost doctor` looks at once; the service looks every six hours.",
			"a certificate or token is renewed: " + name, "It is good for long enough again."}
	}
	return noticeWords{n.Cause + " cannot do its work", "Since " + since + " this part of quietpost fails:\n\n  " + n.Text +
		"\n\nIt is tried again every second. The log and /readyz say more.", n.Cause + " works again", "What waited for it goes on."}
}

// length is a length of time in words that need no arithmetic.
func length(d time.Duration) string {
	d = d.Abs()
	switch {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%d days", int(math.Round(d.Hours()/24)))
	case d >= 2*time.Hour:
		return fmt.Sprintf("%d hours", int(math.Round(d.Hours())))
	case d >= 2*time.Minute:
		return fmt.Sprintf("%d minutes", int(math.Round(d.Minutes())))
	}
	return fmt.Sprintf("%d seconds", int(math.Round(d.Seconds())))
}
