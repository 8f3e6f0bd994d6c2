package mailbox

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"quietpost/digest"
)

// Bounds on a server. The IMAP library has none while it waits, reads lines and lists of any length into memory, and
// can be made to overflow its stack by deep nesting; all of that ends here, at the connection.
const (
	commandTime = 30 * time.Second // for a command without a mail in its answer
	idleTime    = 4 * time.Minute  // an IDLE is begun anew after this; some servers drop it after ten
	quietTime   = idleTime + time.Minute
	slowest     = 8 << 10  // bytes a second below which a mail's transfer is given up
	answerBytes = 64 << 10 // bytes of answers, beside mails, between two steps of ours
	deepest     = 500      // "(" in a row outside mails; the library's time grows with the square of it
)

// A guard is a connection that ends itself when the server says nothing for too long or sends more than was asked for.
type guard struct {
	net.Conn
	budget  atomic.Int64
	literal atomic.Int64 // bytes of a mail still to come; they may be anything
	depth   int          // "(" in a row so far
	quiet   *time.Timer
	cause   atomic.Pointer[string] // why it was ended from here
	bye     atomic.Pointer[string] // what the server said when it ended the session
	greeted atomic.Bool
}

func newGuard(c net.Conn) *guard {
	g := &guard{Conn: c}
	g.refill()
	g.quiet = time.AfterFunc(quietTime, func() { g.cut("the server said nothing for " + quietTime.String()) })
	return g
}

// refill sets the bytes the server may send before the next step.
func (g *guard) refill() {
	g.literal.Store(0)
	g.budget.Store(answerBytes)
}

// spoke lets the server go on telling what others do to the mailbox: a hundred thousand mails marked as read are as many
// answers that nobody asked for, and each is small and forgotten at once.
func (g *guard) spoke() { g.budget.Add(512) }

// allow lets the server send n bytes of a mail more.
func (g *guard) allow(n int64) {
	g.literal.Store(n)
	g.budget.Add(n)
}

// cut closes the connection and says why.
func (g *guard) cut(why string) {
	g.cause.CompareAndSwap(nil, &why)
	g.Conn.Close()
}

func (g *guard) Read(b []byte) (int, error) {
	n, err := g.Conn.Read(b)
	if n > 0 {
		g.quiet.Reset(quietTime)
		if !g.greeted.Swap(true) {
			if err := strayGreeting(string(b[:n])); err != nil {
				g.cut(err.Error())
				return 0, err
			}
		}
		if g.budget.Add(-int64(n)) < 0 {
			g.cut("the server sent more than it was asked for")
			return 0, errors.New("more bytes than were asked for")
		}
		skip := min(g.literal.Load(), int64(n))
		g.literal.Add(-skip)
		if g.tooDeep(b[skip:n]) {
			g.cut("the server's answer is nested too deeply")
			return 0, errors.New("nested too deeply")
		}
		g.farewell(b[skip:n])
	}
	return n, err
}

const notIMAP = "this is no IMAP server: it greets with "

// strayGreeting tells of what begins as no IMAP server does (RFC 9051, section 7.1): mail servers have several ports.
func strayGreeting(line string) error {
	if line[0] == '*' {
		return nil
	}
	line, _, _ = strings.Cut(line, "\n")
	return fmt.Errorf("%s%q", notIMAP, digest.OneLine(line, 100))
}

// SetReadDeadline does nothing: the library grants a mail five minutes, which a large one on a slow line needs more than,
// and nothing at all while it waits. Time is bounded by within and by the quiet timer.
func (g *guard) SetReadDeadline(time.Time) error { return nil }

// farewell keeps what a server says when it ends the session by itself (RFC 9051, section 7.1.5); the library drops it.
func (g *guard) farewell(b []byte) {
	const bye = "* BYE "
	if i := bytes.Index(b, []byte(bye)); i == 0 || i > 0 && b[i-1] == '\n' {
		line, _, _ := bytes.Cut(b[i+len(bye):], []byte("\n"))
		text := digest.OneLine(string(line), 200)
		g.bye.Store(&text)
	}
}

func (g *guard) tooDeep(b []byte) bool {
	for _, c := range b {
		if c != '(' {
			g.depth = 0
		} else if g.depth++; g.depth > deepest {
			return true
		}
	}
	return false
}

func (g *guard) Close() error {
	g.quiet.Stop()
	return g.Conn.Close()
}

// connect dials, secures, logs in and opens the folder.
func (m *Mailbox) connect(ctx context.Context) (*session, error) {
	conn, err := m.dial(ctx)
	if err != nil {
		return nil, err
	}
	s := m.newSession(ctx, conn)
	if err := s.login(ctx); err != nil {
		err = s.why(err)
		s.close()
		return nil, err
	}
	return s, nil
}

// newSession is one on a connection, not logged in yet. It is cut when ctx ends.
func (m *Mailbox) newSession(ctx context.Context, conn net.Conn) *session {
	s := &session{m: m, guard: newGuard(conn), kick: make(chan struct{}, 1)}
	s.pending = &pending{Intake: m.o.Intake, flush: s.flush, now: newHeap(), old: newHeap()}
	s.stop = context.AfterFunc(ctx, func() { s.guard.cut("stopped") })
	return s
}

func (m *Mailbox) dial(ctx context.Context) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, commandTime)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort(m.o.Host, strconv.Itoa(m.o.Port)))
	if err != nil || m.o.TLS == TLSNone {
		return conn, err
	}
	secure, err := m.secure(ctx, conn)
	if err != nil {
		conn.Close()
		if ctx.Err() != nil {
			err = errSilent
		}
		return nil, err
	}
	return secure, nil
}

var errSilent = fmt.Errorf("the server says nothing for %v", commandTime)

// secure puts TLS on a connection.
func (m *Mailbox) secure(ctx context.Context, conn net.Conn) (net.Conn, error) {
	config, err := m.tlsConfig()
	if err != nil {
		return nil, err
	}
	if m.o.TLS == TLSStart {
		stop := context.AfterFunc(ctx, func() { conn.Close() })
		defer stop()
		if err := startTLS(conn); err != nil {
			return nil, fmt.Errorf("STARTTLS: %w", err)
		}
	} else {
		config.NextProtos = []string{"imap"} // RFC 7301; some servers share a port
	}
	secure := tls.Client(conn, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		return nil, fmt.Errorf("TLS with %s: %w", m.o.Host, err)
	}
	if m.o.TLS == TLSStart {
		return &greeted{secure, "* OK secured\r\n"}, nil
	}
	return secure, nil
}

// startTLS asks a server to secure the connection (RFC 9051, section 6.2.1). It is not left to the library so that all
// that the library reads comes through the guard, in clear. Not a byte is read beyond the server's answer.
func startTLS(conn net.Conn) error {
	left := answerBytes
	line := func() (string, error) {
		var b []byte
		for one := make([]byte, 1); left > 0; left-- {
			if _, err := io.ReadFull(conn, one); err != nil {
				return "", err
			}
			if b = append(b, one[0]); one[0] == '\n' {
				return string(b), nil
			}
		}
		return "", errors.New("the server sent more than it was asked for")
	}
	greeting, err := line()
	switch {
	case err != nil:
		return err
	case strayGreeting(greeting) != nil:
		return strayGreeting(greeting)
	case !strings.HasPrefix(greeting, "* OK"): // PREAUTH too: who is logged in before TLS talks to somebody in between
		return fmt.Errorf("the server greets with %q", digest.OneLine(greeting, 100))
	}
	if _, err := io.WriteString(conn, "S STARTTLS\r\n"); err != nil {
		return err
	}
	for {
		answer, err := line()
		switch {
		case err != nil:
			return err
		case strings.HasPrefix(answer, "S OK"):
			return nil
		case strings.HasPrefix(answer, "S "):
			return fmt.Errorf("the server answers %q; is tls: implicit right?", digest.OneLine(answer, 100))
		}
	}
}

// A greeted connection begins with the greeting that was read before it was secured.
type greeted struct {
	*tls.Conn
	greeting string
}

func (g *greeted) Read(b []byte) (int, error) {
	if g.greeting == "" {
		return g.Conn.Read(b)
	}
	n := copy(b, g.greeting)
	g.greeting = g.greeting[n:]
	return n, nil
}

var errNoCertificate = errors.New("it holds no certificate")

func (m *Mailbox) tlsConfig() (*tls.Config, error) {
	config := &tls.Config{ServerName: m.o.Host, MinVersion: tls.VersionTLS12}
	if m.o.CAFile == "" {
		return config, nil
	}
	pem, err := os.ReadFile(m.o.CAFile)
	if err != nil {
		return nil, err
	}
	if config.RootCAs, err = x509.SystemCertPool(); err != nil {
		config.RootCAs = x509.NewCertPool()
	}
	if !config.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s: %w", m.o.CAFile, errNoCertificate)
	}
	return config, nil
}
