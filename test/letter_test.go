package test

import (
	"bytes"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"strings"
)

// A letter is a mail as it came, read with the standard library alone.
type letter struct {
	header mail.Header
	text   string // text/plain, its white space folded: lines are wrapped where they happen to be
	html   string
}

func (l *letter) get(name string) string { return l.header.Get(name) }

func (l *letter) subject() string {
	s, err := new(mime.WordDecoder).DecodeHeader(l.get("Subject"))
	if err != nil {
		return l.get("Subject")
	}
	return s
}

// digest tells whether it is one, and no alert or letter.
func (l *letter) digest() bool { return l.get("X-Quietpost-Window") != "" }

func (l *letter) alert() bool { return strings.Contains(l.get("List-Id"), "<alerts.") }

// readLetter reads a mail of quietpost's; what is not as such mails are is an error.
func readLetter(raw []byte) (*letter, error) {
	m, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	l := &letter{header: m.Header}
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		return nil, err
	}
	if kind == "text/plain" {
		text, err := decode(m.Header.Get("Content-Transfer-Encoding"), m.Body)
		l.text = fold(text)
		return l, err
	}
	if kind != "multipart/alternative" {
		return nil, fmt.Errorf("a mail of type %s", kind)
	}
	parts := multipart.NewReader(m.Body, params["boundary"])
	for {
		p, err := parts.NextRawPart()
		if err == io.EOF {
			return l, nil
		}
		if err != nil {
			return nil, err
		}
		text, err := decode(p.Header.Get("Content-Transfer-Encoding"), p)
		if err != nil {
			return nil, err
		}
		switch kind, _, _ := mime.ParseMediaType(p.Header.Get("Content-Type")); kind {
		case "text/plain":
			l.text = fold(text)
		case "text/html":
			l.html = text
		default:
			return nil, fmt.Errorf("a part of type %s", kind)
		}
	}
}

func decode(encoding string, r io.Reader) (string, error) {
	if strings.EqualFold(encoding, "quoted-printable") {
		r = quotedprintable.NewReader(r)
	}
	b, err := io.ReadAll(r)
	return string(b), err
}

func fold(s string) string { return strings.Join(strings.Fields(s), " ") }

// letters are the mails of quietpost's in a user's mailbox, read over IMAP.
func (h *house) letters(user string) (all []*letter) {
	h.t.Helper()
	raws, err := h.Mailbox(user)
	h.must(err)
	for _, raw := range raws {
		l, err := readLetter(raw)
		if err != nil {
			h.t.Fatalf("%v:\n%s", err, raw)
		}
		all = append(all, l)
	}
	return all
}

// wait waits until a user has n mails that fit, and fails if there are more.
func (h *house) wait(user string, n int, what string, fits func(*letter) bool) (found []*letter) {
	h.t.Helper()
	h.eventually(fmt.Sprintf("%s has %d of: %s", user, n, what), func() bool {
		found = nil
		for _, l := range h.letters(user) {
			if fits(l) {
				found = append(found, l)
			}
		}
		return len(found) >= n
	})
	if len(found) > n {
		h.t.Fatalf("%s has %d of: %s; want %d", user, len(found), what, n)
	}
	return found
}

func (h *house) digests(user string, n int) []*letter {
	h.t.Helper()
	return h.wait(user, n, "digests", (*letter).digest)
}

// says waits for the one digest or alert that holds a text.
func (h *house) says(user, text string) *letter {
	h.t.Helper()
	return h.wait(user, 1, "mails that say "+text, func(l *letter) bool { return strings.Contains(l.text, text) })[0]
}

// mailOf is a plain mail of ana@lab.test's.
func mailOf(id, to, subject, body string) []byte {
	return fmt.Appendf(nil, "From: Ana <ana@lab.test>\r\nTo: %s\r\nSubject: %s\r\nMessage-ID: <%s@lab.test>\r\n"+
		"Date: Mon, 23 Nov 2026 09:00:00 +0000\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n%s\r\n", to, subject, id, body)
}
