package mailer

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"quietpost/digest"
)

// A script is a mail server by hand: each connection runs the function, n counting from 1.
func script(t testing.TB, serve func(n int, p *peer)) (host string, port int) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for n := 1; ; n++ {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer conn.Close()
				p := &peer{t: t, conn: conn, r: bufio.NewReader(conn)}
				defer func() {
					if r := recover(); r != nil && r != errGone {
						panic(r)
					}
				}()
				serve(n, p)
			})
		}
	})
	t.Cleanup(func() { ln.Close(); wg.Wait() })
	addr := ln.Addr().(*net.TCPAddr)
	return "127.0.0.1", addr.Port
}

var errGone = errors.New("the client is gone")

// A peer is the server's end of a connection. Its methods end the script when the client has gone.
type peer struct {
	t    testing.TB
	conn net.Conn
	r    *bufio.Reader
}

func (p *peer) say(lines ...string) {
	if _, err := io.WriteString(p.conn, strings.Join(lines, "\r\n")+"\r\n"); err != nil {
		panic(errGone)
	}
}

// hear waits for a command and checks how it begins.
func (p *peer) hear(prefix string) string {
	line, err := p.r.ReadString('\n')
	if err != nil {
		panic(errGone)
	}
	line = strings.TrimRight(line, "\r\n")
	if !strings.HasPrefix(line, prefix) {
		p.t.Errorf("the client said %q, want %q", line, prefix)
	}
	return line
}

// greet does everything up to EHLO.
func (p *peer) greet(extensions ...string) {
	p.say("220 mail.example.com ESMTP")
	p.hear("EHLO ")
	p.say(ehlo(extensions...))
}

func ehlo(extensions ...string) string {
	lines := append([]string{"mail.example.com"}, extensions...)
	for i := range lines {
		lines[i] = "250-" + lines[i]
	}
	lines[len(lines)-1] = strings.Replace(lines[len(lines)-1], "250-", "250 ", 1)
	return strings.Join(lines, "\r\n")
}

// text reads a message up to its final dot, dots undoubled.
func (p *peer) text() string {
	var b strings.Builder
	for {
		line, err := p.r.ReadString('\n')
		if err != nil {
			panic(errGone)
		}
		if line == ".\r\n" {
			return b.String()
		}
		b.WriteString(strings.TrimPrefix(line, "."))
	}
}

// take does a whole transaction and gives the message's text.
func (p *peer) take() string {
	p.hear("MAIL FROM:<bounces@example.com>")
	p.say("250 2.1.0 Ok")
	p.hear("RCPT TO:<ana@example.org>")
	p.say("250 2.1.5 Ok")
	p.hear("DATA")
	p.say("354 go on")
	text := p.text()
	p.say("250 2.0.0 queued as 1")
	return text
}

// A realServer is go-smtp with what it took.
type realServer struct {
	*smtp.Server
	login       bool // a login is needed
	mail, rcpt  error
	data        error
	host        string
	port        int
	mu          sync.Mutex
	got         []string // messages
	connections int
}

func (b *realServer) NewSession(*smtp.Conn) (smtp.Session, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.connections++
	return &realSession{b: b}, nil
}

func (b *realServer) taken() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]string(nil), b.got...)
}

type realSession struct {
	b  *realServer
	in bool
}

func (s *realSession) AuthMechanisms() []string { return []string{sasl.Plain, sasl.Login} }
func (s *realSession) Auth(mech string) (sasl.Server, error) {
	check := func(user, password string) error {
		if user != "digest@example.com" || password != "s3cret" {
			return &smtp.SMTPError{Code: 535, EnhancedCode: smtp.EnhancedCode{5, 7, 8}, Message: "credentials are not good"}
		}
		s.in = true
		return nil
	}
	if mech == sasl.Login {
		return &loginServer{check: check}, nil
	}
	return sasl.NewPlainServer(func(_, user, password string) error { return check(user, password) }), nil
}

// loginServer is the server's side of LOGIN, which go-sasl has no more.
type loginServer struct {
	check func(user, password string) error
	step  int
	user  string
}

func (l *loginServer) Next(response []byte) (challenge []byte, done bool, err error) {
	l.step++
	switch l.step {
	case 1:
		return []byte("Username:"), false, nil
	case 2:
		l.user = string(response)
		return []byte("Password:"), false, nil
	}
	return nil, true, l.check(l.user, string(response))
}

func (s *realSession) Mail(string, *smtp.MailOptions) error {
	if s.b.login && !s.in {
		return &smtp.SMTPError{Code: 530, EnhancedCode: smtp.EnhancedCode{5, 7, 0}, Message: "Authentication required"}
	}
	return s.b.mail
}
func (s *realSession) Rcpt(string, *smtp.RcptOptions) error { return s.b.rcpt }
func (s *realSession) Data(r io.Reader) error {
	b, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if s.b.data != nil {
		return s.b.data
	}
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	s.b.got = append(s.b.got, string(b))
	return nil
}
func (s *realSession) Reset()        {}
func (s *realSession) Logout() error { return nil }

// serve starts a go-smtp server; implicit is TLS from the first byte.
func serve(t testing.TB, b *realServer, conf *tls.Config, implicit bool) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b.host, b.port = "127.0.0.1", ln.Addr().(*net.TCPAddr).Port
	b.Server = smtp.NewServer(b)
	b.Server.Domain = "mail.example.com"
	b.Server.EnableSMTPUTF8 = true
	b.Server.ErrorLog = log.New(io.Discard, "", 0)
	if implicit {
		ln = tls.NewListener(ln, conf)
	} else {
		b.Server.TLSConfig = conf
	}
	if conf == nil {
		b.Server.AllowInsecureAuth = true
	}
	done := make(chan struct{})
	go func() { defer close(done); _ = b.Server.Serve(ln) }()
	t.Cleanup(func() { b.Server.Close(); <-done })
}

// authority makes an own CA and a server certificate of it for the names; it gives the CA's file.
func authority(t testing.TB, names ...string) (caFile string, conf *tls.Config) {
	t.Helper()
	return authorityAt(t, time.Now(), names...)
}

// authorityAt makes certificates that are good for an hour around now.
func authorityAt(t testing.TB, now time.Time, names ...string) (caFile string, conf *tls.Config) {
	t.Helper()
	make := func(c, parent *x509.Certificate, by *ecdsa.PrivateKey) (*ecdsa.PrivateKey, []byte) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if by == nil {
			by = key
		}
		c.SerialNumber = big.NewInt(now.UnixNano())
		c.NotBefore, c.NotAfter = now.Add(-time.Hour), now.Add(time.Hour)
		der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, by)
		if err != nil {
			t.Fatal(err)
		}
		return key, der
	}
	ca := &x509.Certificate{Subject: pkix.Name{CommonName: "test CA"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign}
	caKey, caDER := make(ca, ca, nil)
	leaf := &x509.Certificate{Subject: pkix.Name{CommonName: "mail"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			leaf.IPAddresses = append(leaf.IPAddresses, ip)
		} else {
			leaf.DNSNames = append(leaf.DNSNames, name)
		}
	}
	key, der := make(leaf, ca, caKey)
	caFile = filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(caFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: caDER}), 0o600); err != nil {
		t.Fatal(err)
	}
	return caFile, &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
}

func password(s string) func() (string, error) { return func() (string, error) { return s, nil } }

// transport makes one to host and port without TLS, unless change says otherwise.
func transport(t testing.TB, host string, port int, change func(o *TransportOptions)) *Transport {
	t.Helper()
	o := TransportOptions{Host: host, Port: port, TLS: NoTLS, From: "bounces@example.com", Timeout: time.Minute}
	if change != nil {
		change(&o)
	}
	tr, err := NewTransport(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tr.Close() })
	return tr
}

func message(subject string) *digest.Message {
	return &digest.Message{To: "ana@example.org", MessageID: "m@example.com",
		Bytes: []byte("Subject: " + subject + "\r\n\r\nhello\r\n")}
}

// send gives the error as a SendError, nil for none.
func send(t testing.TB, tr *Transport, m *digest.Message) *digest.SendError {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return asSendError(t, tr.Send(ctx, m))
}

func asSendError(t testing.TB, err error) *digest.SendError {
	t.Helper()
	if err == nil {
		return nil
	}
	var se *digest.SendError
	if !errors.As(err, &se) {
		t.Fatalf("%T is no SendError: %v", err, err)
	}
	if strings.ContainsAny(se.Text, "\r\n") || se.Text == "" {
		t.Errorf("the error's text is no line: %q", se.Text)
	}
	return se
}

func repeat(s string, n int) []byte { return bytes.Repeat([]byte(s), n) }
