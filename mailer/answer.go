package mailer

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/textproto"
	"regexp"
	"strings"

	"golang.org/x/net/idna"

	"quietpost/digest"
)

// What an answer is to: the three commands in their order, and the end of the text.
const (
	atMail = iota
	atRcpt
	atData
	atDot
)

// An answer is a server's reply, its lines joined by \n, or why there is none.
type answer struct {
	code int
	text string
	err  error
}

// takes tells whether the server goes along.
func (a answer) takes(at int) bool {
	if at == atData {
		return a.code == 354
	}
	return a.code >= 200 && a.code < 300
}

// refusal is the answer as an error of the message.
func (a answer) refusal(at int) *digest.SendError {
	if a.err != nil {
		e := &digest.SendError{Text: digest.OneLine(a.err.Error(), 500)}
		if at == atMail {
			e.About = digest.AboutServer // later on it may be what the message does to it
		}
		return e
	}
	e := sendError(a.code, a.text)
	ours := a.ours(at, e.Enhanced)
	e.Permanent = a.code >= 500 && !ours
	switch {
	case ours, a.pace(at):
		e.About = digest.AboutServer
	case at == atRcpt:
		e.About = digest.AboutRecipient
	default:
		e.About = digest.AboutMessage
	}
	return e
}

// pace tells whether a 4xx asks us to slow down, or cannot take mail from us now, whatever the message: 421 (RFC 5321, section
// 3.8), one to MAIL, or one that speaks of rates. Exchange says 432 4.3.2 of its limits, Postfix 450 4.7.1 "too much mail",
// Google 450 4.2.1 of a reader whose mailbox gets too much: that is about the reader.
func (a answer) pace(at int) bool {
	if a.code < 400 || a.code > 499 {
		return false
	}
	return a.code == 421 || a.code == 432 || at == atMail || slowDown.MatchString(a.text) && !strings.HasPrefix(a.text, "4.2.1")
}

var slowDown = regexp.MustCompile(`(?i)\brate\b|ratelimit|throttl|server busy|too m(any|uch) (mail|message|connection|recipient)|` +
	`(limit|quota) exceeded.*(hour|day|minute)|` + sendingLimit)

// sendingLimit is how providers speak of what a login may send in a day or an hour: Google 550 5.4.5 "Daily user sending limit
// exceeded", Exchange 554 5.2.0 "SubmissionQuotaExceeded" and 550 5.1.90 "reached your daily limit". It is over tomorrow.
const sendingLimit = `(daily|hourly|sending|submission|messaging)[ a-z]*(limit|quota)`

// ours tells whether a 5xx speaks of us rather than of this recipient or message: a login is missing, commands come in an
// order or form the server does not like, the sender is not allowed (but for its size, RFC 1870), the machine is not, or
// the server relays nothing for us.
func (a answer) ours(at int, enhanced string) bool {
	switch a.code {
	case 500, 502, 503, 504, 530, 534, 535, 538:
		return true
	}
	if at == atMail {
		return a.code != 552 && enhanced != "5.3.4"
	}
	if enhanced == "5.2.1" || enhanced == "5.2.2" {
		return false // of the recipient's mailbox, whatever the words
	}
	return enhanced == "5.1.7" || enhanced == "5.1.8" || ofUs.MatchString(a.text)
}

// ofUs are words about the sender or the client that come with a later command: Postfix keeps all its refusals back until RCPT
// (smtpd_delay_reject), and Exchange says only to the whole mail that the login may not send as its sender.
var ofUs = regexp.MustCompile(`(?i)relay(ing)?\b|sender address rejected|(helo|client) (command |host )?(rejected|\[.*blocked using)|` +
	`send ?as\b|sendasdenied|` + sendingLimit)

// refusal is why no session could be opened, with the server's code where it gave one.
func (t *Transport) refusal(ctx context.Context, step string, err error) *digest.SendError {
	e := &digest.SendError{Text: err.Error()}
	hint := explain(err)
	var said *textproto.Error
	if errors.As(err, &said) {
		e = sendError(said.Code, said.Msg)
	} else if ctx.Err() != nil {
		e.Text = endedText(ctx)
	}
	if hint != "" {
		hint = "; " + hint
	}
	e.About = digest.AboutServer
	e.Text = digest.OneLine(fmt.Sprintf("mail server %s: %s: %s%s", t.address(), step, e.Text, hint), 500)
	return e
}

// explain says what may be done about a fault of certificates, TLS or the login; empty where the error says it itself.
func explain(err error) string {
	var unknown x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	var record tls.RecordHeaderError
	var said *textproto.Error
	switch {
	case errors.As(err, &unknown):
		return "if it is your own certificate authority, name its certificate in ca_file"
	case errors.As(err, &host):
		return "write the name in its certificate as host"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "its operator has to renew the certificate, or this machine's clock is wrong"
	case errors.As(err, &record):
		return "it does not speak TLS at once on this port; tls: starttls or another port may be right"
	case !errors.As(err, &said):
		return ""
	case said.Code == 534:
		return "the provider wants another kind of login; an app password may be right"
	case said.Code == 535:
		return "username or the password in password_file is not right, or the provider wants an app password"
	}
	return ""
}

func endedText(ctx context.Context) string {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return "the mail server did not answer in time"
	}
	return "stopped while sending"
}

var enhancedCode = regexp.MustCompile(`^([245])\.\d{1,3}\.\d{1,3}(?: |$)`)

// sendError parts the enhanced code (RFC 2034, section 4: it opens each line) from the words. Permanent is left false.
func sendError(code int, text string) *digest.SendError {
	e := &digest.SendError{Code: code}
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		found := enhancedCode.FindString(line)
		if found == "" || int(found[0]-'0') != code/100 {
			continue
		}
		lines[i] = line[len(found):]
		if e.Enhanced == "" {
			e.Enhanced = strings.TrimSpace(found)
		}
	}
	if e.Text = digest.OneLine(strings.Join(lines, " "), 500); e.Text == "" {
		e.Text = "the mail server said no more"
	}
	return e
}

func toASCII(domain string) (string, error) { return idna.Lookup.ToASCII(domain) }
