package demo

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
	"github.com/emersion/go-imap/v2/imapserver"
	"github.com/emersion/go-imap/v2/imapserver/imapmemserver"
	"github.com/emersion/go-message/mail"
	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// A Mail is one in a reader's mailbox, as it was fetched from there.
type Mail struct {
	Reader  string // key
	UID     uint32
	At      time.Time // when the server took it
	Subject string
	Kind    string // "alert" or "digest"
	Window  string // of a digest: "1-23"
	HTML    string
	Text    string
	Raw     string
}

// A postOffice is the mail servers: SMTP for what the daemon sends, IMAP for everybody's mailbox. Both want a login.
type postOffice struct {
	mem      *imapmemserver.Server
	boxes    map[string]*imapmemserver.User // by address
	password string
	refuse   func(to string, raw []byte) string

	smtpListener, imapListener net.Listener
	smtp                       *smtp.Server
	imap                       *imapserver.Server
}

func openPostOffice(refuse func(string, []byte) string) (p *postOffice, err error) {
	p = &postOffice{mem: imapmemserver.New(), boxes: map[string]*imapmemserver.User{}, password: rand.Text(), refuse: refuse}
	addresses := []string{inbox}
	for _, r := range readers {
		addresses = append(addresses, r.Address)
	}
	for _, a := range addresses {
		u := imapmemserver.NewUser(a, p.password)
		if err := u.Create("INBOX", nil); err != nil {
			return nil, err
		}
		p.mem.AddUser(u)
		p.boxes[a] = u
	}
	if p.smtpListener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return nil, err
	}
	if p.imapListener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return nil, errors.Join(err, p.smtpListener.Close())
	}
	p.smtp = smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &smtpSession{p: p}, nil }))
	p.smtp.Domain, p.smtp.AllowInsecureAuth = "mx.example.com", true // loopback only
	p.smtp.ErrorLog = log.New(io.Discard, "", 0)
	p.imap = imapserver.New(&imapserver.Options{
		NewSession: func(*imapserver.Conn) (imapserver.Session, *imapserver.GreetingData, error) {
			return p.mem.NewSession(), nil, nil
		},
		Caps: imap.CapSet{imap.CapIMAP4rev1: {}, imap.CapIdle: {}}, InsecureAuth: true,
		Logger: slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo),
	})
	go p.smtp.Serve(p.smtpListener)
	go p.imap.Serve(p.imapListener)
	return p, nil
}

func (p *postOffice) smtpPort() int { return p.smtpListener.Addr().(*net.TCPAddr).Port }
func (p *postOffice) imapPort() int { return p.imapListener.Addr().(*net.TCPAddr).Port }

// close also closes the listeners: a server that has not got round to serving does not know its own.
func (p *postOffice) close() {
	p.smtp.Close()
	p.imap.Close()
	p.smtpListener.Close()
	p.imapListener.Close()
}

type smtpSession struct {
	p  *postOffice
	in bool
	to []string
}

func (s *smtpSession) AuthMechanisms() []string { return []string{sasl.Plain} }

func (s *smtpSession) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if user != "digest@example.com" || subtle.ConstantTimeCompare([]byte(password), []byte(s.p.password)) == 0 {
			return smtp.ErrAuthFailed
		}
		s.in = true
		return nil
	}), nil
}

func (s *smtpSession) Mail(string, *smtp.MailOptions) error {
	if !s.in {
		return smtp.ErrAuthRequired
	}
	return nil
}

func (s *smtpSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	local, domain, _ := strings.Cut(to, "@")
	local, _, _ = strings.Cut(local, "+")
	if to = local + "@" + domain; s.p.boxes[to] == nil {
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "nobody of that name is in this demo"}
	}
	s.to = append(s.to, to)
	return nil
}

func (s *smtpSession) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	for _, to := range s.to {
		if s.p.refuse != nil {
			if why := s.p.refuse(to, raw); why != "" {
				return &smtp.SMTPError{Code: 554, EnhancedCode: smtp.EnhancedCode{5, 7, 1}, Message: why}
			}
		}
		if _, err := s.p.boxes[to].Append("INBOX", literal{bytes.NewReader(raw)}, &imap.AppendOptions{Time: time.Now()}); err != nil {
			return err
		}
	}
	return nil
}

func (s *smtpSession) Reset()        { s.to = nil }
func (s *smtpSession) Logout() error { return nil }

// A literal is a reader that knows its size, as imapmemserver wants it.
type literal struct{ *bytes.Reader }

// Size is the number of bytes.
func (l literal) Size() int64 { return l.Reader.Size() }

// login opens an IMAP session for an address; the caller closes it.
func (p *postOffice) login(ctx context.Context, address string) (*imapclient.Client, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", p.imapListener.Addr().String())
	if err != nil {
		return nil, err
	}
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	c := imapclient.New(conn, nil)
	if err := c.Login(address, p.password).Wait(); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// put appends a mail to an address's INBOX, by IMAP.
func (p *postOffice) put(ctx context.Context, address string, raw []byte) error {
	c, err := p.login(ctx, address)
	if err != nil {
		return err
	}
	defer c.Close()
	cmd := c.Append("INBOX", int64(len(raw)), &imap.AppendOptions{Time: time.Now()})
	if _, err := cmd.Write(raw); err != nil {
		return err
	}
	if err := cmd.Close(); err != nil {
		return err
	}
	if _, err := cmd.Wait(); err != nil {
		return err
	}
	return c.Logout().Wait()
}

// fetch gives a reader's mails with a UID above after, by IMAP, oldest first.
func (p *postOffice) fetch(ctx context.Context, who reader, after uint32) ([]Mail, error) {
	c, err := p.login(ctx, who.Address)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	box, err := c.Select("INBOX", &imap.SelectOptions{ReadOnly: true}).Wait()
	if err != nil {
		return nil, err
	}
	if box.NumMessages == 0 || uint32(box.UIDNext) <= after+1 {
		return nil, nil
	}
	whole := &imap.FetchItemBodySection{Peek: true}
	got, err := c.Fetch(imap.UIDSet{{Start: imap.UID(after + 1), Stop: 0}},
		&imap.FetchOptions{UID: true, InternalDate: true, BodySection: []*imap.FetchItemBodySection{whole}}).Collect()
	if err != nil {
		return nil, err
	}
	var out []Mail
	for _, m := range got {
		if uint32(m.UID) <= after { // "n:*" holds the last one whatever n is (RFC 9051, section 9, seq-range)
			continue
		}
		read, err := readMail(m.FindBodySection(whole))
		if err != nil {
			return nil, fmt.Errorf("mail %d of %s: %w", m.UID, who.Address, err)
		}
		read.Reader, read.UID, read.At = who.Key, uint32(m.UID), m.InternalDate
		out = append(out, read)
	}
	return out, nil
}

// readMail takes a mail apart.
func readMail(raw []byte) (m Mail, err error) {
	r, err := mail.CreateReader(bytes.NewReader(raw))
	if err != nil {
		return m, err
	}
	m.Raw = string(raw)
	if m.Subject, err = r.Header.Subject(); err != nil {
		return m, err
	}
	m.Kind = "alert"
	if m.Window = r.Header.Get("X-Quietpost-Window"); m.Window != "" {
		m.Kind = "digest"
	}
	for {
		part, err := r.NextPart()
		if err == io.EOF {
			return m, nil
		}
		if err != nil {
			return m, err
		}
		text, err := io.ReadAll(part.Body)
		if err != nil {
			return m, err
		}
		switch h, _ := part.Header.(*mail.InlineHeader); {
		case h == nil:
		case strings.HasPrefix(h.Get("Content-Type"), "text/html"):
			m.HTML = string(text)
		default:
			m.Text = string(text)
		}
	}
}

// refresh fetches what is new in the readers' mailboxes.
func (w *World) refresh(ctx context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, who := range slices.Backward(readers) { // of what arrives together, the first reader's is the newest
		var last uint32
		for i := range w.mails {
			if w.mails[i].Reader == who.Key {
				last = max(last, w.mails[i].UID)
			}
		}
		got, err := w.post.fetch(ctx, who, last)
		if err != nil {
			return err
		}
		w.mails = append(w.mails, got...)
	}
	return nil
}

// upTo is the last number of a window "1-23".
func (m *Mail) upTo() int {
	_, to, _ := strings.Cut(m.Window, "-")
	n, _ := strconv.Atoi(to)
	return n
}
