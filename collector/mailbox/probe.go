package mailbox

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"strings"
	"syscall"
	"time"

	"github.com/emersion/go-imap/v2"
)

// A Step is one thing that Probe tried.
type Step struct {
	Name string // one word or two: "connect", "login"
	OK   bool
	Text string // what was seen
	Do   string // what to do about it; empty where it is well or nothing is known
}

// Probe tries an inbox step by step, up to the first that fails, and changes nothing. It is for people: `doctor` prints
// it. The options need no Intake.
func Probe(ctx context.Context, o Options) []Step {
	m, err := New(o)
	if err != nil {
		return []Step{{Name: "options", Text: err.Error()}}
	}
	ctx, cancel := context.WithTimeout(ctx, 4*commandTime)
	defer cancel()
	p := &probe{m: m}
	for _, step := range []func(context.Context) Step{p.secret, p.connect, p.login, p.folder, p.look, p.after} {
		s := step(ctx)
		if s.Name == "" {
			continue
		}
		p.steps = append(p.steps, s)
		if !s.OK {
			break
		}
	}
	if p.s != nil {
		p.s.close()
	} else if p.conn != nil {
		p.conn.Close()
	}
	return p.steps
}

type probe struct {
	m     *Mailbox
	conn  net.Conn
	s     *session
	data  *imap.SelectData
	steps []Step
}

func (p *probe) secret(ctx context.Context) Step {
	if p.m.o.OAuth2 != nil {
		if _, err := p.m.o.OAuth2.Token(ctx); err != nil {
			s := Step{Name: "token", Text: err.Error()}
			if refused := (*LoginError)(nil); errors.As(err, &refused) {
				s.Text, s.Do = refused.Err.Error(), refused.Hint
			}
			return s
		}
		return Step{Name: "token", OK: true, Text: "an access token was given"}
	}
	if _, err := p.m.o.Password(); err != nil {
		return Step{Name: "password", Text: err.Error(), Do: "write the password into the file, readable by the user the service runs as"}
	}
	return Step{}
}

func (p *probe) connect(ctx context.Context) Step {
	o := &p.m.o
	where := fmt.Sprintf("%s port %d, tls: %s", o.Host, o.Port, o.TLS)
	var err error
	if p.conn, err = p.m.dial(ctx); err != nil {
		return Step{Name: "connect", Text: where + ": " + err.Error(), Do: connectHint(err, o)}
	}
	if c, ok := p.conn.(interface{ ConnectionState() tls.ConnectionState }); ok {
		if certs := c.ConnectionState().PeerCertificates; len(certs) > 0 {
			where += "; its certificate is good until " + certs[0].NotAfter.UTC().Format(time.DateOnly)
		}
	}
	return Step{Name: "connect", OK: true, Text: where}
}

// TLS connects without a login, and gives the state of the encryption; nil in clear. The options need no Intake.
func TLS(ctx context.Context, o Options) (*tls.ConnectionState, error) {
	m, err := New(o)
	if err != nil {
		return nil, err
	}
	conn, err := m.dial(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	c, ok := conn.(interface{ ConnectionState() tls.ConnectionState })
	if !ok {
		return nil, nil
	}
	state := c.ConnectionState()
	return &state, nil
}

// connectHint says what most likely keeps us from a server.
func connectHint(err error, o *Options) string {
	var dns *net.DNSError
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, &dns):
		return "is the name of the host right, and does this machine's DNS work?"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nothing listens there: is the port right (993 for implicit, 143 for starttls), and the server up?"
	case errors.As(err, &unknown):
		return "the certificate is of an authority that this machine does not know: name its file in ca_file"
	case errors.As(err, &name):
		return "write the host by the name that stands in its certificate"
	case errors.As(err, &invalid):
		return "the server's certificate has run out or is not valid: its operator has to renew it"
	case errors.As(err, new(*fs.PathError)), errors.Is(err, errNoCertificate):
		return "ca_file has to be a file of certificates in PEM form that the user the service runs as can read"
	case strings.Contains(err.Error(), notIMAP):
		return otherPort
	case strings.Contains(err.Error(), "first record does not look like a TLS handshake"):
		return "the server does not speak TLS from the first byte on this port: write tls: starttls, or port: 993"
	case errors.Is(err, errSilent) && o.TLS == TLSStart:
		return silentPort
	case errors.Is(err, errSilent), errors.Is(err, context.DeadlineExceeded), errors.Is(err, syscall.ETIMEDOUT):
		return fmt.Sprintf("no answer: does a firewall keep this machine from port %d?", o.Port)
	}
	return ""
}

// What to do about a server that says nothing, or speaks another language.
const (
	silentPort = "a server that says nothing wants TLS from the first byte: write tls: implicit; else a firewall is in between"
	otherPort  = "write the port of IMAP: 993 with tls: implicit, 143 with tls: starttls"
)

func (p *probe) login(ctx context.Context) Step {
	p.s = p.m.newSession(ctx, p.conn)
	if err := p.s.login(ctx); err != nil {
		s := Step{Name: "login", Text: p.s.why(err).Error()}
		refused, answer := (*LoginError)(nil), (*imap.Error)(nil)
		switch {
		case errors.As(err, &refused):
			s.Text, s.Do = "the server refuses "+refused.Username+": "+refused.Err.Error(), refused.Hint
		case errors.As(err, &answer):
			s.Do = "the server is there and is busy, or has had enough of this address for now: try again in some minutes"
		case strings.HasPrefix(s.Text, notIMAP):
			s.Do = otherPort
		case p.m.o.TLS == TLSNone && p.s.guard.cause.Load() != nil && !p.s.guard.greeted.Load():
			s.Do = silentPort
		}
		return s
	}
	return Step{Name: "login", OK: true, Text: "as " + p.m.o.Username}
}

func (p *probe) folder(context.Context) Step {
	err := p.s.within(commandTime, func() (err error) {
		p.data, err = p.s.client.Select(p.m.o.Folder, &imap.SelectOptions{ReadOnly: true}).Wait()
		return err
	})
	if err != nil {
		s := Step{Name: "folder", Text: p.m.o.Folder + ": " + p.s.why(err).Error(), Do: "write one of these as folder: " + p.folders()}
		if strings.Contains(s.Text, "authenticated but not connected") { // Exchange: the login is good, and the mailbox is another's
			s.Do = "the account may log in and not open this mailbox: username has to be the mailbox's own address, and the app needs " +
				"access to it (Add-MailboxPermission)"
		}
		return s
	}
	if p.data.UIDValidity == 0 {
		return Step{Name: "folder", Text: p.m.o.Folder + ": the server gives no UIDVALIDITY, so it cannot be known what was read",
			Do: "name another folder, or another server"}
	}
	text := fmt.Sprintf("%s holds %d mails", p.m.o.Folder, p.data.NumMessages)
	if !p.s.client.Caps().Has(imap.CapIdle) {
		text += fmt.Sprintf("; the server has no IDLE, so it is asked every %v", p.m.o.Poll)
	}
	return Step{Name: "folder", OK: true, Text: text}
}

// folders are the first few that the server has.
func (p *probe) folders() string {
	var names []string
	err := p.s.within(commandTime, func() error {
		list, err := p.s.client.List("", "*", nil).Collect()
		for _, d := range list {
			names = append(names, d.Mailbox)
		}
		return err
	})
	if err != nil || len(names) == 0 {
		return "none that could be listed"
	}
	if len(names) > 15 {
		names = append(names[:15], "…")
	}
	return strings.Join(names, ", ")
}

// look reads the newest mail's size, as the fetch loop does.
func (p *probe) look(context.Context) Step {
	if p.data.NumMessages == 0 {
		return Step{}
	}
	var newest imap.SeqSet
	newest.AddNum(p.data.NumMessages)
	var arrived time.Time
	err := p.s.within(commandTime, func() error {
		got, err := p.s.client.Fetch(newest, &imap.FetchOptions{UID: true, RFC822Size: true, InternalDate: true}).Collect()
		for _, m := range got {
			arrived = m.InternalDate
		}
		return err
	})
	if err != nil {
		return Step{Name: "fetch", Text: p.s.why(err).Error()}
	}
	return Step{Name: "fetch", OK: true, Text: "the newest mail came on " + arrived.UTC().Format(time.RFC3339)}
}

// after tells whether the server can do what is asked for with a mail that is stored.
func (p *probe) after(context.Context) Step {
	folder, move := strings.CutPrefix(p.m.o.After, AfterMove)
	if !move {
		return Step{}
	}
	if !p.s.client.Caps().Has(imap.CapMove) {
		return Step{Name: "after", Text: errNoMove.Error(), Do: "write after: seen, or after: keep"}
	}
	err := p.s.within(commandTime, func() error {
		_, err := p.s.client.Status(folder, &imap.StatusOptions{NumMessages: true}).Wait()
		return err
	})
	if err != nil {
		return Step{Name: "after", Text: folder + ": " + p.s.why(err).Error(), Do: "make that folder; the server has these: " + p.folders()}
	}
	return Step{Name: "after", OK: true, Text: "mails can be moved to " + folder}
}
