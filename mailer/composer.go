// Package mailer makes messages of rendered mails and hands them to a mail server: Composer and Transport of the domain.
package mailer

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/mail"
	"strings"

	gomail "github.com/wneessen/go-mail"
	"golang.org/x/net/idna"

	"quietpost/digest"
)

// ComposerOptions are what all messages share.
type ComposerOptions struct {
	From    mail.Address // name and address of the sender
	ReplyTo string       // address of an inbox that is read; empty leaves the header out
}

// A Composer makes the bytes of messages. It is safe for many goroutines.
type Composer struct {
	from    mail.Address
	replyTo *mail.Address
	host    string
	sender  string // the last part of Feedback-ID
}

var _ digest.Composer = (*Composer)(nil)

// NewComposer checks the options.
func NewComposer(o ComposerOptions) (*Composer, error) {
	from, err := headerAddress(o.From.Name, o.From.Address)
	if err != nil {
		return nil, fmt.Errorf("sender: %w", err)
	}
	_, domain, _ := cutAddress(from.Address)
	host, err := idna.Lookup.ToASCII(domain)
	if err != nil {
		return nil, fmt.Errorf("sender %q: the part after @ is not a domain: %w", from.Address, err)
	}
	c := &Composer{from: *from, host: strings.ToLower(host)}
	sum := sha256.Sum256([]byte("feedback/" + c.host)) // Google wants 5 to 15 signs that are always the same for one sender
	c.sender = "qp" + hex.EncodeToString(sum[:5])
	if o.ReplyTo != "" {
		if c.replyTo, err = headerAddress("", o.ReplyTo); err != nil {
			return nil, fmt.Errorf("reply address: %w", err)
		}
	}
	return c, nil
}

// Host is the domain of the sender's address, in lower case and ASCII.
func (c *Composer) Host() string { return c.host }

// Compose makes the message. The same letter gives the same bytes. It fails where a letter cannot become a lawful message: no
// date, a recipient that is no address, a Message-ID, List-Id, edition or URL with signs that have no place there. What
// people wrote (subject, names, the references of others) never makes it fail.
func (c *Composer) Compose(l *digest.Letter) ([]byte, error) {
	to, err := headerAddress(l.Name, l.To)
	if err != nil {
		return nil, fmt.Errorf("recipient: %w", err)
	}
	if !isMessageID(l.MessageID) {
		return nil, fmt.Errorf("%q cannot be a Message-ID", l.MessageID)
	}
	if l.Date.IsZero() {
		return nil, errors.New("a letter needs a date")
	}
	text, html := strings.ToValidUTF8(l.Text, "\uFFFD"), strings.ToValidUTF8(l.HTML, "\uFFFD")
	m := gomail.NewMsg(gomail.WithNoDefaultUserAgent(), gomail.WithBoundary(boundary(l.MessageID, text, html)))
	from := c.from
	m.SetAddrHeaderFromMailAddress(gomail.HeaderFrom, &from)
	m.SetAddrHeaderFromMailAddress(gomail.HeaderTo, to)
	if reply, err := c.replies(l); err != nil {
		return nil, fmt.Errorf("reply address: %w", err)
	} else if reply != nil {
		m.SetAddrHeaderFromMailAddress(gomail.HeaderReplyTo, reply)
	}
	m.SetDateWithValue(l.Date)
	m.SetMessageIDWithValue(l.MessageID)
	fields, err := c.fields(l)
	if err != nil {
		return nil, err
	}
	for _, f := range fields {
		m.SetGenHeader(gomail.Header(f.name), f.value)
	}
	m.SetBodyString(gomail.TypeTextPlain, text)
	if html != "" {
		m.AddAlternativeString(gomail.TypeTextHTML, html)
	}
	var b bytes.Buffer
	b.Grow(2048 + (len(text)+len(html))*5/4)
	if _, err := m.WriteTo(&b); err != nil {
		return nil, fmt.Errorf("composing %s: %w", l.MessageID, err)
	}
	return b.Bytes(), nil
}

// replies is where answers go: the letter's own address, else that of all; nil for the sender's.
func (c *Composer) replies(l *digest.Letter) (*mail.Address, error) {
	if l.ReplyTo != "" {
		return headerAddress("", l.ReplyTo)
	}
	if c.replyTo == nil {
		return nil, nil
	}
	reply := *c.replyTo
	return &reply, nil
}

type field struct{ name, value string }

// fields are the header fields that only this letter has, and those of every automatic mail.
func (c *Composer) fields(l *digest.Letter) ([]field, error) {
	f := []field{
		{"Subject", encodeText(digest.OneLine(l.Subject, digest.MaxTitle))},
		// RFC 3834, section 5: what keeps others from answering us. Exchange looks at its own field; All would turn off the
		// delivery reports that we want.
		{"Auto-Submitted", "auto-generated"},
		{"X-Auto-Response-Suppress", "OOF, AutoReply"},
	}
	if refs := references(l.References); refs != nil {
		f = append(f, field{"References", strings.Join(refs, " ")}, field{"In-Reply-To", refs[len(refs)-1]})
	}
	if l.ListID != "" {
		id, err := listID(l.ListID, c.host)
		if err != nil {
			return nil, err
		}
		f = append(f, field{"List-ID", id})
	}
	if l.Feedback != "" {
		if !isToken(l.Feedback) || strings.Contains(l.Feedback, ":") {
			return nil, fmt.Errorf("%q cannot stand in Feedback-ID", l.Feedback)
		}
		f = append(f, field{"Feedback-ID", l.Feedback + ":quietpost:" + c.sender})
	}
	leave, err := unsubscribe(l.Unsubscribe)
	if err != nil {
		return nil, err
	}
	if leave != "" {
		f = append(f, field{"List-Unsubscribe", leave})
		// RFC 8058, section 3.1: one-click needs an https address.
		if l.OneClick && strings.HasPrefix(leave, "<https:") {
			f = append(f, field{"List-Unsubscribe-Post", "List-Unsubscribe=One-Click"})
		}
	}
	for _, own := range []field{{"X-Quietpost-Edition", cmp.Or(l.Edition, "letter")}, {"X-Quietpost-Window", l.Window}} {
		if own.value == "" {
			continue
		}
		if !isToken(own.value) || len(own.value) > 200 {
			return nil, fmt.Errorf("%q cannot stand in %s", own.value, own.name)
		}
		f = append(f, own)
	}
	return f, nil
}

// boundary is one that the parts do not contain, always the same for the same message. Quoted-printable leaves its signs as
// they are and can only tear them apart, so that looking at the parts before they are encoded is enough.
func boundary(messageID, text, html string) string {
	sum := sha256.Sum256([]byte("boundary/" + messageID))
	for {
		b := hex.EncodeToString(sum[:20])
		if !strings.Contains(text, b) && !strings.Contains(html, b) {
			return b
		}
		sum = sha256.Sum256(sum[:])
	}
}
