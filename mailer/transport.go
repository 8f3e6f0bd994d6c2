package mailer

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"quietpost/digest"
)

// How a connection is encrypted.
const (
	StartTLS    = "starttls" // plain at first; no mail and no password before STARTTLS (RFC 3207)
	ImplicitTLS = "implicit" // TLS from the first byte (RFC 8314)
	NoTLS       = "none"     // for a server on the same machine; a password in clear goes to loopback only
)

// TransportOptions say which server takes the mail. Zero values: Port is 587, 465 or 25 after TLS, TLS is StartTLS, HELO
// the domain of From, Timeout five minutes.
type TransportOptions struct {
	Host string
	Port int
	TLS  string // StartTLS, ImplicitTLS or NoTLS

	// CAFile is a file of PEM certificates to trust instead of the system's; read at each connection.
	CAFile string

	Username string                 // empty: no login
	Password func() (string, error) // asked at each login

	From string // envelope sender, where delivery reports go

	// ReturnPath gives a message an envelope sender of its own, so that a report tells which one it is about (VERP); nil: From.
	ReturnPath func(m *digest.Message) string

	HELO string // the name to greet with

	// Timeout bounds one Send, beside its ctx. A short one makes duplicates: a server may take minutes to answer the final
	// dot (RFC 5321, section 4.5.3.2.6).
	Timeout time.Duration

	Signer *Signer // nil: no DKIM
}

const (
	connectTimeout = 30 * time.Second
	idleTimeout    = 30 * time.Second // servers have few places; RFC 5321, section 4.5.3.2.7 lets them wait five minutes
	quitTimeout    = 2 * time.Second
)

// A Transport hands messages to one server over one connection, which it keeps for the next message and closes when none
// comes for half a minute. Send is for one goroutine at a time.
type Transport struct {
	o    TransportOptions
	from string
	idle time.Duration

	mu    sync.Mutex // guards what follows, between Send and the idle timer
	kept  *session   // nil while Send uses it
	timer *time.Timer
}

var _ digest.Transport = (*Transport)(nil)

// NewTransport checks the options; it does not connect.
func NewTransport(o TransportOptions) (*Transport, error) {
	if o.Host == "" || strings.ContainsAny(o.Host, " \r\n\t/") {
		return nil, fmt.Errorf("%q is not the name of a mail server", o.Host)
	}
	port, ok := map[string]int{"": 587, StartTLS: 587, ImplicitTLS: 465, NoTLS: 25}[o.TLS]
	if !ok {
		return nil, fmt.Errorf("tls: %q is none of starttls, implicit, none", o.TLS)
	}
	if o.TLS == "" {
		o.TLS = StartTLS
	}
	if o.Port == 0 {
		o.Port = port
	}
	from, err := envelopeAddress(o.From)
	if err != nil {
		return nil, fmt.Errorf("envelope sender: %w", err)
	}
	if o.HELO == "" {
		_, o.HELO, _ = cutAddress(from)
	} else if ascii, err := toASCII(o.HELO); err == nil {
		o.HELO = ascii
	}
	if !isToken(o.HELO) {
		return nil, fmt.Errorf("%q is not a name to greet a mail server with", o.HELO)
	}
	if o.Username != "" && o.Password == nil {
		return nil, errors.New("there is a user name for the mail server, but no password")
	}
	if o.Timeout <= 0 {
		o.Timeout = 5 * time.Minute
	}
	return &Transport{o: o, from: from, idle: idleTimeout}, nil
}

// Send hands the message over, and honours ctx for the whole exchange. The error is a *digest.SendError in the server's own
// words. Permanent is what the server says of this recipient or this message with a 5xx; a 5xx that speaks of us (greeting,
// STARTTLS, login, sender, machine, no right to relay) is to be tried again, so that a wrong setting never destroys mail.
func (t *Transport) Send(ctx context.Context, m *digest.Message) error {
	to, err := envelopeAddress(m.To)
	if err != nil {
		return &digest.SendError{Enhanced: "5.1.3", Text: err.Error(), Permanent: true, About: digest.AboutRecipient}
	}
	if len(m.Bytes) == 0 {
		return &digest.SendError{Text: "the message is empty", Permanent: true}
	}
	from := t.from
	if t.o.ReturnPath != nil {
		if from, err = envelopeAddress(t.o.ReturnPath(m)); err != nil {
			return &digest.SendError{Text: "return path: " + err.Error(), About: digest.AboutServer}
		}
	}
	data := crlf(m.Bytes)
	if t.o.Signer != nil {
		if data, err = t.o.Signer.Sign(data); err != nil {
			return &digest.SendError{Text: "DKIM: " + err.Error()}
		}
	}
	ctx, cancel := context.WithTimeout(ctx, t.o.Timeout)
	defer cancel()
	if s := t.take(); s != nil {
		fault := t.over(ctx, s, from, to, data)
		if fault == nil {
			m.Answer = s.said
			return nil
		}
		if !fault.stale || ctx.Err() != nil {
			return fault.err
		}
	}
	s, serr := t.connect(ctx)
	if serr != nil {
		return serr
	}
	if fault := t.over(ctx, s, from, to, data); fault != nil {
		return fault.err
	}
	m.Answer = s.said
	return nil
}

// over sends over a session, and keeps it if it is good for another message.
func (t *Transport) over(ctx context.Context, s *session, from, to string, data []byte) *fault {
	stop := context.AfterFunc(ctx, s.close)
	fault := s.hand(ctx, from, to, data)
	ended := !stop()
	if ended || s.broken {
		s.close()
	} else {
		t.keep(s)
	}
	return fault
}

// Close says goodbye to the server.
func (t *Transport) Close() error {
	if s := t.take(); s != nil {
		s.quit()
	}
	return nil
}

func (t *Transport) take() *session {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.kept
	t.kept = nil
	if t.timer != nil {
		t.timer.Stop()
	}
	return s
}

func (t *Transport) keep(s *session) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = s
	t.timer = time.AfterFunc(t.idle, func() {
		if s := t.take(); s != nil {
			s.quit()
		}
	})
}

func (t *Transport) address() string { return net.JoinHostPort(t.o.Host, strconv.Itoa(t.o.Port)) }

func (t *Transport) tlsConfig() (*tls.Config, error) {
	c := &tls.Config{ServerName: t.o.Host, MinVersion: tls.VersionTLS12}
	if t.o.CAFile == "" {
		return c, nil
	}
	pem, err := os.ReadFile(t.o.CAFile)
	if err != nil {
		return nil, err
	}
	c.RootCAs = x509.NewCertPool()
	if !c.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate", t.o.CAFile)
	}
	return c, nil
}

// envelopeAddress is an address as it stands between < and > of MAIL and RCPT: the domain in ASCII.
func envelopeAddress(address string) (string, error) {
	if err := checkAddress(address); err != nil {
		return "", err
	}
	local, domain, _ := cutAddress(address)
	if domain[0] != '[' {
		domain, _ = toASCII(domain)
	}
	return local + "@" + domain, nil
}

// crlf is the message with every line ended by CRLF, also the last. A server that takes a lone CR or LF for a line's end
// would find commands in what another takes for text (SMTP smuggling); so there is none, whoever made the bytes.
func crlf(b []byte) []byte {
	if !allCRLF(b) {
		b = bytes.ReplaceAll(b, []byte("\r\n"), []byte("\n"))
		b = bytes.ReplaceAll(b, []byte("\r"), []byte("\n"))
		b = bytes.ReplaceAll(b, []byte("\n"), []byte("\r\n"))
	}
	if !bytes.HasSuffix(b, []byte("\r\n")) {
		b = append(b[:len(b):len(b)], "\r\n"...)
	}
	return b
}

// allCRLF tells whether each CR and each LF is one of a pair.
func allCRLF(b []byte) bool {
	crs := bytes.Count(b, []byte{'\r'})
	for {
		i := bytes.IndexByte(b, '\n')
		if i < 0 {
			return crs == 0
		}
		if i == 0 || b[i-1] != '\r' {
			return false
		}
		crs--
		b = b[i+1:]
	}
}
