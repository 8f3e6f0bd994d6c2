package mailer

import (
	"crypto/tls"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"quietpost/digest"
)

// TestWhatARefusalIsAbout: what the next message would hear too is the server's; the rest is this message's or this recipient's.
func TestWhatARefusalIsAbout(t *testing.T) {
	for name, c := range map[string]struct {
		mail, rcpt, data, dot string
		about                 string
	}{
		"no such user":          {rcpt: "550 5.1.1 nobody", about: digest.AboutRecipient},
		"greylisted":            {rcpt: "451 4.7.1 Greylisted", about: digest.AboutRecipient},
		"a busy reader":         {rcpt: "450 4.2.1 The user you are trying to contact is receiving mail at a rate that", about: digest.AboutRecipient},
		"relay denied":          {rcpt: "554 5.7.1 Relay access denied", about: digest.AboutServer},
		"too many from us":      {rcpt: "450 4.7.1 Error: too many recipients from 10.0.0.1", about: digest.AboutServer},
		"rate":                  {dot: "450 4.7.28 Our system has detected an unusual rate of mail", about: digest.AboutServer},
		"Exchange's limit":      {mail: "432 4.3.2 Concurrent connections limit exceeded", about: digest.AboutServer},
		"Exchange is busy":      {rcpt: "451 4.7.500 Server busy. Please try again later from [192.0.2.1]", about: digest.AboutServer},
		"a relay's limit":       {dot: "451 You have exceeded your messaging limits", about: digest.AboutServer},
		"later, to the sender":  {mail: "451 4.3.0 later", about: digest.AboutServer},
		"sender not ours":       {mail: "553 5.7.1 not owned by user", about: digest.AboutServer},
		"larger than it takes":  {mail: "552 5.3.4 too large", about: digest.AboutMessage},
		"full disk":             {dot: "452 4.3.1 no space", about: digest.AboutMessage},
		"spam":                  {dot: "554 5.7.1 looks like spam", about: digest.AboutMessage},
		"shutting down":         {dot: "421 4.3.2 shutting down", about: digest.AboutServer},
		"a corporate word":      {dot: "554 5.7.1 corporate policy", about: digest.AboutMessage},
		"a moderate temporary":  {rcpt: "451 4.3.0 moderate the list first", about: digest.AboutRecipient},
		"quota of the receiver": {rcpt: "452 4.2.2 quota exceeded", about: digest.AboutRecipient},
	} {
		host, port := script(t, refusing(true, c.mail, c.rcpt, c.data, c.dot))
		if se := asSendErrorOrEmpty(t, transport(t, host, port, nil), message("x")); se.About != c.about {
			t.Errorf("%s: about %q, want %q (%v)", name, se.About, c.about, se)
		}
	}
}

func TestSizeIsRespected(t *testing.T) {
	host, port := script(t, func(n int, p *peer) {
		p.greet("SIZE 40", "PIPELINING")
		p.take()
		p.hear("QUIT")
	})
	tr := transport(t, host, port, nil)
	se := send(t, tr, message(strings.Repeat("x", 60)))
	if se == nil || !se.Permanent || se.Enhanced != "5.3.4" || se.About != digest.AboutMessage || !strings.Contains(se.Text, "takes 40") {
		t.Errorf("%+v", se)
	}
	if se := send(t, tr, message("x")); se != nil { // the connection is as good as before
		t.Error(se)
	}
	tr.Close()
}

func TestReturnPathOfEachMessage(t *testing.T) {
	var froms []string
	host, port := script(t, func(n int, p *peer) {
		p.greet()
		for range 2 {
			froms = append(froms, p.hear("MAIL FROM:<"))
			p.say("250 ok")
			p.hear("RCPT")
			p.say("250 ok")
			p.hear("DATA")
			p.say("354 go on")
			p.text()
			p.say("250-2.0.0 Ok", "250 2.0.0 queued as 4FCCA990556")
		}
		p.hear("QUIT")
	})
	tr := transport(t, host, port, func(o *TransportOptions) {
		o.ReturnPath = func(m *digest.Message) string { return "b-" + strconv.FormatInt(m.ID, 10) + "@bücher.example" }
	})
	for id := range int64(2) {
		m := message("x")
		m.ID = id
		if se := send(t, tr, m); se != nil {
			t.Fatal(se)
		}
		if m.Answer != "250 2.0.0 Ok 2.0.0 queued as 4FCCA990556" {
			t.Errorf("its words: %q", m.Answer)
		}
	}
	tr.Close()
	if strings.Join(froms, " ") != "MAIL FROM:<b-0@xn--bcher-kva.example> MAIL FROM:<b-1@xn--bcher-kva.example>" {
		t.Errorf("%q", froms)
	}
	bad := transport(t, host, port, func(o *TransportOptions) { o.ReturnPath = func(*digest.Message) string { return "no address" } })
	if se := send(t, bad, message("x")); se == nil || se.Permanent || se.About != digest.AboutServer {
		t.Errorf("a wrong setting must not destroy mail: %+v", se)
	}
}

// TestFaultsAreExplained: what a person reads must say what to do.
func TestFaultsAreExplained(t *testing.T) {
	ca, conf := authority(t, "127.0.0.1")
	oldCA, old := authorityAt(t, time.Now().Add(-48*time.Hour), "127.0.0.1")
	wrongCA, wrongName := authority(t, "mail.example.com")
	for name, c := range map[string]struct {
		serve func(t *testing.T) (string, int)
		opts  func(o *TransportOptions)
		want  string
	}{
		"unknown authority": {tlsServer(conf), func(o *TransportOptions) { o.TLS = ImplicitTLS }, "name its certificate in ca_file"},
		"another name": {tlsServer(wrongName), func(o *TransportOptions) { o.TLS, o.CAFile = ImplicitTLS, wrongCA },
			"write the name in its certificate as host"},
		"expired": {tlsServer(old), func(o *TransportOptions) { o.TLS, o.CAFile = ImplicitTLS, oldCA }, "has to renew the certificate"},
		"no TLS at once": {func(t *testing.T) (string, int) {
			return script(t, func(n int, p *peer) { p.say("220 mail.example.com"); p.hear("") })
		}, func(o *TransportOptions) { o.TLS, o.CAFile = ImplicitTLS, ca }, "tls: starttls or another port may be right"},
		"no STARTTLS": {func(t *testing.T) (string, int) {
			return script(t, func(n int, p *peer) { p.greet(); p.hear("") })
		}, func(o *TransportOptions) { o.TLS = StartTLS }, "it does not offer STARTTLS"},
		"password": {func(t *testing.T) (string, int) {
			return script(t, func(n int, p *peer) {
				p.greet("AUTH PLAIN")
				p.hear("AUTH PLAIN")
				p.say("535 5.7.8 Error: authentication failed")
				p.hear("")
			})
		}, func(o *TransportOptions) { o.Username, o.Password = "ana", password("wrong") }, "535 5.7.8"},
	} {
		t.Run(name, func(t *testing.T) {
			host, port := c.serve(t)
			se := send(t, transport(t, host, port, c.opts), message("x"))
			if se == nil || se.Permanent || se.About != digest.AboutServer || !strings.Contains(se.Error(), c.want) {
				t.Errorf("%+v, want %q in it", se, c.want)
			}
			if name == "password" && !strings.Contains(se.Text, "password_file is not right") {
				t.Errorf("%q", se.Text)
			}
		})
	}
}

// tlsServer does a handshake and no more.
func tlsServer(conf *tls.Config) func(t *testing.T) (string, int) {
	return func(t *testing.T) (string, int) {
		ln, err := tls.Listen("tcp", "127.0.0.1:0", conf)
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			for {
				conn, err := ln.Accept()
				if err != nil {
					return
				}
				_ = conn.(*tls.Conn).Handshake()
				conn.Close()
			}
		}()
		t.Cleanup(func() { ln.Close(); <-done })
		return "127.0.0.1", ln.Addr().(*net.TCPAddr).Port
	}
}
