package mailer

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wneessen/go-mail/smtp"

	"quietpost/digest"
)

// A session is one connection to a server that has taken our greeting, TLS and login.
type session struct {
	conn   *meter
	c      *smtp.Client
	broken bool   // not to be used again
	wire   []byte // of the last message, to be written over
	said   string // to the last message that was taken

	pipelining, size, utf8, eightBit bool // what the server offers
	maxSize                          int  // of a message in bytes; 0 if it does not say
}

// connect opens a session. Whatever goes wrong here is not the message's fault, so the error is never permanent.
func (t *Transport) connect(ctx context.Context) (*session, *digest.SendError) {
	conf, err := t.tlsConfig()
	if err != nil {
		return nil, &digest.SendError{Text: "ca_file: " + err.Error(), About: digest.AboutServer}
	}
	raw, err := (&net.Dialer{Timeout: connectTimeout}).DialContext(ctx, "tcp", t.address())
	if err != nil {
		return nil, t.refusal(ctx, "cannot connect", err)
	}
	s := &session{conn: &meter{Conn: raw}}
	s.conn.left = maxAnswer
	stop := context.AfterFunc(ctx, s.close)
	step, err := t.open(ctx, s, conf)
	stop()
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		s.close()
		return nil, t.refusal(ctx, step, err)
	}
	has := func(ext string) bool { ok, _ := s.c.Extension(ext); return ok }
	s.pipelining, s.size, s.utf8, s.eightBit = has("PIPELINING"), has("SIZE"), has("SMTPUTF8"), has("8BITMIME")
	_, size := s.c.Extension("SIZE")
	s.maxSize, _ = strconv.Atoi(size) // none, or none that we could reach
	return s, nil
}

// open goes from the TCP connection to the login; step says for people what failed.
func (t *Transport) open(ctx context.Context, s *session, conf *tls.Config) (step string, err error) {
	conn := net.Conn(s.conn)
	if t.o.TLS == ImplicitTLS {
		over := tls.Client(conn, conf)
		if err := over.HandshakeContext(ctx); err != nil {
			return "TLS failed", err
		}
		conn = over
	}
	if s.c, err = smtp.NewClient(conn, t.o.Host); err != nil {
		return "it did not greet us", err
	}
	if err := s.c.Hello(t.o.HELO); err != nil {
		return "it did not take our greeting (EHLO " + t.o.HELO + ")", err
	}
	if t.o.TLS == StartTLS {
		if ok, _ := s.c.Extension("STARTTLS"); !ok {
			return "STARTTLS failed", errors.New("it does not offer STARTTLS; tls: implicit or another port may be right")
		}
		if err := s.c.StartTLS(conf); err != nil {
			return "STARTTLS failed", err
		}
	}
	if t.o.Username == "" {
		return "", nil
	}
	return "login as " + t.o.Username + " failed", t.login(s)
}

// login takes the first way that the server offers. Inside TLS the plain ones come first: servers announce CRAM and SCRAM
// also where their password base cannot serve them.
func (t *Transport) login(s *session) error {
	password, err := t.o.Password()
	if err != nil {
		return fmt.Errorf("the password cannot be read: %w", err)
	}
	_, offered := s.c.Extension("AUTH")
	offers := strings.Fields(strings.ToUpper(offered))
	ways := []string{"PLAIN", "LOGIN", "SCRAM-SHA-256", "SCRAM-SHA-1", "CRAM-MD5"}
	if t.o.TLS == NoTLS {
		ways = append(ways[2:], ways[:2]...) // smtp does the plain ones to loopback only
	}
	for _, way := range ways {
		if !slices.Contains(offers, way) {
			continue
		}
		err := s.c.Auth(mechanism(way, t.o.Username, password, t.o.Host))
		if errors.Is(err, smtp.ErrUnencrypted) {
			return errors.New("the password would go over the network in clear; use tls: starttls or implicit")
		}
		return err
	}
	if len(offers) == 0 {
		return errors.New("it does not offer a login here; another port or tls setting may be right")
	}
	return fmt.Errorf("it offers only %s, which cannot be used here", digest.OneLine(offered, 100))
}

// mechanism is one way to log in (RFC 4616, LOGIN by custom, RFC 2195, RFC 5802).
func mechanism(way, user, password, host string) smtp.Auth {
	switch way {
	case "PLAIN":
		return smtp.PlainAuth("", user, password, host, false)
	case "LOGIN":
		return smtp.LoginAuth(user, password, host, false)
	case "CRAM-MD5":
		return smtp.CRAMMD5Auth(user, password)
	case "SCRAM-SHA-1":
		return smtp.ScramSHA1Auth(user, password)
	}
	return smtp.ScramSHA256Auth(user, password)
}

// A fault is why a message was not taken; stale means that the server let go of this connection, not of the message: it was gone
// before it took MAIL, or has had enough of a connection, as with a limit of messages each. Another one may do.
type fault struct {
	err   *digest.SendError
	stale bool
}

// faultOf is that of a refusal to a command before the text.
func faultOf(at int, e *digest.SendError) *fault {
	return &fault{err: e, stale: e.Code == 421 || at == atMail && e.Code < 500}
}

// hand does one transaction (RFC 5321, section 3.3), its three commands in one packet where the server allows (RFC 2920).
// nil is the server's 2xx to the final dot, whatever happens to the connection then.
func (s *session) hand(ctx context.Context, from, to string, data []byte) *fault {
	s.conn.left = maxAnswer
	mail, err := s.mailCommand(from, to, data)
	if err != nil {
		return &fault{err: err}
	}
	cmds := []string{mail, "RCPT TO:<" + to + ">\r\n", "DATA\r\n"}
	if s.pipelining {
		s.write(strings.Join(cmds, ""))
	}
	var refused *fault
	var last answer
	for i, cmd := range cmds {
		if !s.pipelining {
			if refused != nil {
				break
			}
			s.write(cmd)
		}
		last = s.read(ctx)
		if refused == nil && (s.broken || !last.takes(i)) {
			refused = faultOf(i, last.refusal(i))
		}
		if s.broken {
			return refused
		}
	}
	if refused != nil {
		s.abandon(ctx, last)
		s.broken = s.broken || refused.stale
		return refused
	}
	whole := s.writeData(data)
	last = s.read(ctx)
	if last.takes(atDot) {
		s.said = digest.OneLine(strconv.Itoa(last.code)+" "+last.text, 500)
		return nil
	}
	e := last.refusal(atDot)
	switch {
	case e.Code == 0 && whole:
		e.Text += "; it had the whole message, which may have arrived"
		e.About = digest.AboutFate
	case e.Code < 400:
		s.broken = true // out of step
	}
	return &fault{err: e}
}

// mailCommand says MAIL with what the server should know of the message (RFC 1870, 6152 and 6531).
func (s *session) mailCommand(from, to string, data []byte) (string, *digest.SendError) {
	cmd := "MAIL FROM:<" + from + ">"
	header, _, _ := bytes.Cut(data, []byte("\r\n\r\n"))
	if !isASCII([]byte(from+to)) || !isASCII(header) {
		if !s.utf8 {
			return "", &digest.SendError{Enhanced: "5.6.7", Permanent: true, About: digest.AboutMessage,
				Text: "the mail server does not take addresses beyond ASCII (SMTPUTF8)"}
		}
		cmd += " SMTPUTF8"
	}
	if s.maxSize > 0 && len(data) > s.maxSize { // RFC 1870, section 6.1: no need to ask
		return "", &digest.SendError{Enhanced: "5.3.4", Permanent: true, About: digest.AboutMessage,
			Text: fmt.Sprintf("the message has %d bytes, the mail server takes %d", len(data), s.maxSize)}
	}
	if s.size {
		cmd += " SIZE=" + strconv.Itoa(len(data))
	}
	if s.eightBit && !isASCII(data) {
		cmd += " BODY=8BITMIME"
	}
	return cmd + "\r\n", nil
}

// abandon ends a transaction that will not be: an empty text where the server waits for one in spite of its refusal (RFC
// 2920, section 3.1), then RSET.
func (s *session) abandon(ctx context.Context, last answer) {
	if last.code == 354 {
		s.write(".\r\n")
		s.read(ctx)
	}
	s.write("RSET\r\n")
	if a := s.read(ctx); a.code != 250 {
		s.broken = true
	}
}

// write sends a command; that it failed shows at the next read, which may still find the server's last words.
func (s *session) write(cmd string) {
	if _, err := s.c.Text.W.WriteString(cmd); err != nil || s.c.Text.W.Flush() != nil {
		s.broken = true
	}
}

// writeData sends the text with its dots doubled (RFC 5321, section 4.5.2) and the final one, in one write. It tells whether
// all of it left: without its final dot no server takes a mail.
func (s *session) writeData(data []byte) (whole bool) {
	s.wire = s.wire[:0]
	if bytes.HasPrefix(data, []byte(".")) {
		s.wire = append(s.wire, '.')
	}
	for {
		i := bytes.Index(data, []byte("\n."))
		if i < 0 {
			break
		}
		s.wire = append(append(s.wire, data[:i+2]...), '.')
		data = data[i+2:]
	}
	s.wire = append(append(s.wire, data...), ".\r\n"...)
	if _, err := s.c.Text.W.Write(s.wire); err != nil || s.c.Text.W.Flush() != nil {
		s.broken = true
		return false
	}
	return true
}

// read takes one answer; after a failed one, and after 421, the session is broken.
func (s *session) read(ctx context.Context) answer {
	code, text, err := readReply(s.c.Text.R)
	switch {
	case err != nil && ctx.Err() != nil:
		err = errors.New(endedText(ctx))
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		err = errors.New("the mail server closed the connection without an answer")
	case err != nil:
		err = fmt.Errorf("the connection to the mail server was lost: %w", err)
	case code < 200 || code > 599:
		err = errors.New("the mail server said what is no answer: " + text)
	}
	s.broken = s.broken || err != nil || code == 421
	return answer{code: code, text: text, err: err}
}

// readReply reads a reply (RFC 5321, section 4.2), its lines joined by \n. Unlike textproto it takes one without text ("250"),
// which is lawful: a delivery must not be missed for it. What does not begin with a code gives code 0.
func readReply(r *bufio.Reader) (code int, text string, err error) {
	var lines []string
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return 0, "", err
		}
		line = strings.TrimRight(line, "\r\n")
		if len(line) < 3 || strings.Trim(line[:3], "0123456789") != "" || len(line) > 3 && line[3] != ' ' && line[3] != '-' {
			return 0, line, nil
		}
		code, _ = strconv.Atoi(line[:3])
		if len(line) > 4 {
			lines = append(lines, line[4:])
		}
		if len(line) == 3 || line[3] == ' ' {
			return code, strings.Join(lines, "\n"), nil
		}
	}
}

// quit says goodbye and waits a moment for the answer.
func (s *session) quit() {
	stop := time.AfterFunc(quitTimeout, s.close)
	defer stop.Stop()
	s.conn.left = maxAnswer
	s.write("QUIT\r\n")
	if !s.broken {
		s.read(context.Background())
	}
	s.close()
}

func (s *session) close() { _ = s.conn.Close() }

// maxAnswer is how many bytes a server may say in one exchange, TLS and all.
const maxAnswer = 256 << 10

// A meter ends a connection on which more arrives than anybody should say: the library reads answers of any length into memory.
type meter struct {
	net.Conn
	left int
}

func (m *meter) Read(p []byte) (int, error) {
	if m.left <= 0 {
		return 0, errors.New("the mail server said more than 256 KiB")
	}
	n, err := m.Conn.Read(p)
	m.left -= n
	return n, err
}

// isASCII looks at eight bytes at a time: one by one it was a tenth of the work of sending a mail.
func isASCII(b []byte) bool {
	for ; len(b) >= 8; b = b[8:] {
		if binary.NativeEndian.Uint64(b)&0x8080808080808080 != 0 {
			return false
		}
	}
	for _, c := range b {
		if c >= 0x80 {
			return false
		}
	}
	return true
}
