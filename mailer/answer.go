package mailer

import (
	"context"
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
		return &digest.SendError{Text: digest.OneLine(a.err.Error(), 500)}
	}
	e := sendError(a.code, a.text)
	e.Permanent = a.code >= 500 && !a.ours(at, e.Enhanced)
	return e
}

// ours tells whether a 5xx speaks of our settings rather than of this recipient or message: a login is missing, commands
// come in an order or form the server does not like, the sender is not allowed (but for its size, RFC 1870), or the
// server relays nothing for us.
func (a answer) ours(at int, enhanced string) bool {
	switch a.code {
	case 500, 502, 503, 504, 530, 534, 535, 538:
		return true
	}
	switch at {
	case atMail:
		return a.code != 552 && enhanced != "5.3.4"
	case atRcpt:
		return strings.Contains(strings.ToLower(a.text), "relay")
	}
	return false
}

// refusal is why no session could be opened, with the server's code where it gave one.
func (t *Transport) refusal(ctx context.Context, step string, err error) *digest.SendError {
	e := &digest.SendError{Text: err.Error()}
	var said *textproto.Error
	if errors.As(err, &said) {
		e = sendError(said.Code, said.Msg)
	} else if ctx.Err() != nil {
		e.Text = endedText(ctx)
	}
	e.Text = digest.OneLine(fmt.Sprintf("mail server %s: %s: %s", t.address(), step, e.Text), 500)
	return e
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
