package reader

import (
	"fmt"
	"strings"
	"testing"
)

// report is a delivery report by RFC 3464 with one recipient's fields.
func report(words, fields string) string {
	return "From: Mail Delivery System <mailer-daemon@mx.example.net>\nReturn-Path: <>\nTo: updates+b-x@example.com\nSubject: Undelivered Mail Returned to Sender\nAuto-Submitted: auto-replied\n" +
		"Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n--b\n\n" + words + "\n--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example.net\n\n" + fields +
		"\n--b\nContent-Type: text/rfc822-headers\n\nMessage-ID: <our-1@example.com>\nTo: ana@example.net\nSubject: Digest\n\n--b--\n"
}

// bounceCases are reports and what they say, as "class status address message-id".
var bounceCases = []struct{ name, mail, want string }{
	{"unknown user", report("", "Final-Recipient: rfc822; ana@example.net\nAction: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550 5.1.1 <ana@example.net>: User unknown\n"),
		"hard 5.1.1 ana@example.net our-1@example.com"},
	{"the address we wrote to, not where it was forwarded to", report("", "Original-Recipient: rfc822;ana@example.net\nFinal-Recipient: rfc822; x12@inner.example.net\nAction: failed\nStatus: 5.1.1\n"),
		"hard 5.1.1 ana@example.net our-1@example.com"},
	{"full", report("", "Final-Recipient: rfc822; ana@example.net\nAction: failed\nStatus: 5.2.2\nDiagnostic-Code: smtp; 552 5.2.2 mailbox full\n"),
		"full 5.2.2 ana@example.net our-1@example.com"},
	{"full by its words", report("", "Final-Recipient: rfc822; ana@example.net\nAction: failed\nStatus: 5.0.0\nDiagnostic-Code: smtp; 550 The user is over quota\n"),
		"full 5.0.0 ana@example.net our-1@example.com"},
	{"a vague code is made clear by the diagnostic", report("", "Final-Recipient: rfc822; ana@example.net\nAction: failed\nStatus: 5.0.0\nDiagnostic-Code: smtp; 550 5.7.1 spam detected\n"),
		"blocked 5.7.1 ana@example.net our-1@example.com"},
	{"delayed", report("Your message could not be delivered yet, we go on trying.", "Final-Recipient: rfc822; ana@example.net\nAction: delayed\nStatus: 4.4.1\n"),
		"delayed 4.4.1 ana@example.net our-1@example.com"},
	{"tried in vain", report("", "Final-Recipient: rfc822; ana@example.net\nAction: failed\nStatus: 4.4.1\nDiagnostic-Code: smtp; connection timed out\n"),
		"soft 4.4.1 ana@example.net our-1@example.com"},
	{"taken elsewhere is no bounce", report("", "Final-Recipient: rfc822; ana@example.net\nAction: relayed\nStatus: 2.0.0\n"), ""},
	{"two recipients", report("", "Final-Recipient: rfc822; ana@example.net\nAction: failed\nStatus: 5.1.1\n\nFinal-Recipient: rfc822; ben@example.net\nAction: failed\nStatus: 5.2.2\n"),
		"hard 5.1.1 ana@example.net our-1@example.com|full 5.2.2 ben@example.net our-1@example.com"},
	{"a complaint", "From: fbl@provider.example\nSubject: FW: Digest\nContent-Type: multipart/report; report-type=feedback-report; boundary=b\n\n--b\n\nThis is an abuse report.\n--b\nContent-Type: message/feedback-report\n\nFeedback-Type: abuse\nOriginal-Rcpt-To: <ana@example.net>\n\n--b\nContent-Type: message/rfc822\n\nMessage-ID: <our-2@example.com>\nTo: hidden@example.net\n\nx\n--b--\n",
		"complaint  ana@example.net our-2@example.com"},
	{"a report that is no complaint", "From: fbl@provider.example\nContent-Type: multipart/report; report-type=feedback-report; boundary=b\n\n--b\nContent-Type: message/feedback-report\n\nFeedback-Type: not-spam\n\n--b--\n", ""},
	{"qmail", "From: MAILER-DAEMON@example.net\nReturn-Path: <>\nTo: updates@example.com\nSubject: failure notice\n\nHi. This is the qmail-send program at example.net.\nI'm afraid I wasn't able to deliver your message to the following addresses.\nThis is a permanent error; I've given up. Sorry it didn't work out.\n\n<ana@example.net>:\nSorry, no mailbox here by that name. (#5.1.1)\n\n--- Below this line is a copy of the message.\n\nReturn-Path: <updates@example.com>\nMessage-ID: <our-3@example.com>\nTo: ana@example.net\n\nx\n",
		"hard 5.1.1 ana@example.net our-3@example.com"},
	{"exim", "From: Mail Delivery System <Mailer-Daemon@example.net>\nX-Failed-Recipients: ana@example.net\nTo: updates@example.com\nSubject: Mail delivery failed: returning message to sender\n\nThis message was created automatically by mail delivery software.\n\n  ana@example.net\n    mailbox is full (MTA-imposed quota exceeded while writing to file)\n\n------ This is a copy of the message, including all the headers. ------\n\nMessage-ID: <our-4@example.com>\n\nx\n",
		"full  ana@example.net our-4@example.com"},
	{"two in words", "From: Mailer-Daemon@example.net\nSubject: Delivery failure\n\nCould not deliver to:\n\n<ana@example.net>:\n550 5.1.1 User unknown\n<ben@example.net>:\n552 5.2.2 Mailbox full\n",
		"hard 5.1.1 ana@example.net |full 5.2.2 ben@example.net "},
	{"still trying, in words", "From: postmaster@example.net\nReturn-Path: <>\nSubject: Warning: could not send message for past 4 hours\n\nTHIS IS A WARNING MESSAGE ONLY.\nYOU DO NOT NEED TO RESEND YOUR MESSAGE.\n\n<ana@example.net>... Deferred: connection refused\n",
		"delayed  ana@example.net "},
	{"no return path and its words only", "From: no-reply@carrier.example\nReturn-Path: <>\nSubject: Mail\n\nYour message could not be delivered: ana@example.net is unknown.\n", "hard  ana@example.net "},
	{"Microsoft's complaint", "From: staff@hotmail.com\nSubject: complaint about message from 192.0.2.1\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: message/rfc822\n\nX-HmXmrOriginalRecipient: ana@hotmail.com\nMessage-ID: <our-5@example.com>\n\nx\n--b--\n",
		"complaint  ana@hotmail.com our-5@example.com"},
}

func TestBounces(t *testing.T) {
	for _, c := range bounceCases {
		r := Read([]byte(crlf(c.mail)), Options{})
		var got []string
		for _, b := range r.Bounces {
			got = append(got, fmt.Sprintf("%s %s %s %s", b.Class, b.Status, b.Address, b.MessageID))
		}
		if r.Report == "" || r.NoAnswer == "" {
			t.Errorf("%s: not taken for a report", c.name)
		}
		if s := strings.Join(got, "|"); s != c.want {
			t.Errorf("%s: %q, want %q", c.name, s, c.want)
		}
	}
}

// TestNoReport: people and tools write of delivery and failure too.
func TestNoReport(t *testing.T) {
	for _, mail := range []string{
		"From: Ana <ana@example.com>\nSubject: Undeliverable promises\n\nWe promised too much.\n",
		"From: Ana <ana@example.com>\nSubject: failure\n\nI got a mail that says my message could not be delivered. What shall I do?\n",
		"From: Ana <ana@example.com>\nSubject: Fwd: Undelivered Mail Returned to Sender\n\nSee below, what is that?\n",
		"From: noreply@ci.example.com\nSubject: Build failed\n\nThe artefact could not be delivered to staging: user unknown.\n",
		"From: monitor@example.com\nSubject: mailbox is full\n\nQuota of ana exceeded.\n",
		"From: postmaster@example.com\nSubject: Maintenance on Sunday\n\nThe mail server is down from 2 to 4.\n",
	} {
		if r := Read([]byte(crlf(mail)), Options{}); r.Report != "" || len(r.Bounces) > 0 {
			t.Errorf("taken for %s: %q", r.Report, mail)
		}
	}
}
