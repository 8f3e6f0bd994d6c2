package mailbox

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"
)

// What doctor says of a server that is not as it should be is what an operator can act on.
func TestProbeWords(t *testing.T) {
	l := newLab(t)
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	for _, c := range []struct {
		name   string
		port   int
		change func(*Options)
		text   string // of the last step
		do     string
	}{
		{"well", l.port, func(*Options) {}, "INBOX holds 0 mails", ""},
		{"no IDLE", script(t, func(_ net.Conn, tag, line string) string { return polite(tag, line, 3) }), func(*Options) {},
			"the newest mail came on 2030-01-01", ""},
		{"another folder", l.port, func(o *Options) { o.Folder = "Updates" }, "Updates: ", "write one of these as folder: INBOX"},
		{"a port of SMTP", scriptGreeting(t, "220 mail.example.com ESMTP", nil), func(*Options) {}, `greets with "220 mail.example.com ESMTP"`, "993"},
		{"the same with STARTTLS", scriptGreeting(t, "220 mail.example.com ESMTP", nil), func(o *Options) { o.TLS = TLSStart }, "no IMAP server", "993"},
		{"a port of POP3", scriptGreeting(t, "+OK ready", nil), func(*Options) {}, `greets with "+OK ready"`, "993"},
		{"a port that wants TLS", silent.Addr().(*net.TCPAddr).Port, func(*Options) {}, "", "tls: implicit"},
		{"the same with STARTTLS", silent.Addr().(*net.TCPAddr).Port, func(o *Options) { o.TLS = TLSStart }, "says nothing", "tls: implicit"},
		{"no TLS at all", l.port, func(o *Options) { o.TLS = TLSImplicit }, "TLS", "tls: starttls"},
		{"no file of certificates", l.port, func(o *Options) { o.TLS, o.CAFile = TLSImplicit, "/nowhere/ca.pem" }, "/nowhere/ca.pem", "PEM"},
		{"busy", scriptGreeting(t, "* BYE Too many connections", nil), func(*Options) {}, "Too many connections", "again in some minutes"},
		{"Exchange", script(t, func(_ net.Conn, tag, line string) string {
			if strings.HasPrefix(line, "EXAMINE") {
				return tag + " BAD User is authenticated but not connected.\r\n"
			}
			return polite(tag, line)
		}), func(*Options) {}, "not connected", "Add-MailboxPermission"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := l.options(nil)
			o.Port = c.port
			c.change(&o)
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			steps := Probe(ctx, o)
			last := steps[len(steps)-1]
			if last.OK != (c.do == "") || !strings.Contains(last.Text, c.text) || !strings.Contains(last.Do, c.do) {
				t.Errorf("%+v", last)
			}
			if c.name == "no IDLE" && !strings.Contains(steps[len(steps)-2].Text, "no IDLE, so it is asked every") {
				t.Errorf("%+v", steps)
			}
		})
	}
}
