package test

import (
	"fmt"
	"io"
	"log"
	"net"
	"sync"
	"testing"

	"github.com/emersion/go-smtp"

	"quietpost/digest/audit"
)

// A moodySink is a mail server that keeps of a mail only what an audit needs, so that hours of them fit in memory. It can fail as
// mail servers do.
type moodySink struct {
	t    testing.TB
	addr string

	mu     sync.Mutex
	server *smtp.Server            // nil while it is down
	fault  string                  // what the next transactions meet, or nothing
	mails  map[string][]audit.Mail // by recipient
	alerts map[string][]string     // by recipient: the titles of each different alert
	odd    []string                // what was no mail of quietpost's, or not as they are
	met    map[string]int          // how often each fault was met
}

// What a transaction may meet.
const (
	refuseRcpt = "451 at RCPT"
	refuseData = "451 after the mail"
	hangUp     = "hang-up at MAIL"
	keepAnswer = "hang-up in place of the answer" // the mail is taken: it comes again
	down       = "down"
)

func newMoodySink(t testing.TB) *moodySink {
	k := &moodySink{t: t, addr: "127.0.0.1:0", mails: map[string][]audit.Mail{}, alerts: map[string][]string{}, met: map[string]int{}}
	k.up()
	t.Cleanup(k.down)
	return k
}

func (k *moodySink) port() int {
	addr, err := net.ResolveTCPAddr("tcp", k.addr)
	if err != nil {
		k.t.Fatal(err)
	}
	return addr.Port
}

// up begins to listen, always at the same port.
func (k *moodySink) up() {
	ln, err := net.Listen("tcp", k.addr)
	if err != nil {
		k.t.Error(err)
		return
	}
	srv := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) { return &taking{k: k, conn: c}, nil }))
	srv.Domain, srv.EnableSMTPUTF8, srv.ErrorLog = "mail.lab.test", true, log.New(io.Discard, "", 0)
	k.mu.Lock()
	k.addr, k.server = ln.Addr().String(), srv
	k.mu.Unlock()
	go func() { _ = srv.Serve(ln) }()
}

// down resets all connections and refuses new ones.
func (k *moodySink) down() {
	k.mu.Lock()
	srv := k.server
	k.server = nil
	k.met[down]++
	k.mu.Unlock()
	if srv != nil {
		srv.Close()
	}
}

func (k *moodySink) meet(fault string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.fault = fault
}

// meets tells whether a transaction meets this fault now.
func (k *moodySink) meets(fault string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.fault != fault {
		return false
	}
	k.met[fault]++
	return true
}

func (k *moodySink) times(fault string) int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.met[fault]
}

// served is up to which number a reader has all digests without a gap from the first.
func (k *moodySink) served(to string) (n int64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if r := audit.Check(k.mails[to]); len(r.Series) == 1 && r.Series[0].From == 1 && len(r.Faults) == 0 {
		return r.Series[0].To
	}
	return 0
}

// taking is one connection.
type taking struct {
	k    *moodySink
	conn *smtp.Conn
	to   string
}

var errNotNow = &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 0}, Message: "Not now"}

func (s *taking) Mail(string, *smtp.MailOptions) error {
	if s.k.meets(hangUp) {
		return s.gone()
	}
	return nil
}

// gone hangs up; nobody hears the answer.
func (s *taking) gone() error {
	_ = s.conn.Conn().Close()
	return errNotNow
}

func (s *taking) Rcpt(to string, _ *smtp.RcptOptions) error {
	if s.k.meets(refuseRcpt) {
		return errNotNow
	}
	s.to = to
	return nil
}

func (s *taking) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if s.k.meets(refuseData) {
		return errNotNow
	}
	s.k.take(s.to, raw)
	if s.k.meets(keepAnswer) {
		return s.gone()
	}
	return nil
}

func (s *taking) Reset()        { s.to = "" }
func (s *taking) Logout() error { return nil }

// take keeps what there is to know of a mail.
func (k *moodySink) take(to string, raw []byte) {
	m, ok, err := audit.Read(raw)
	l, lerr := readLetter(raw)
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case err != nil || lerr != nil:
		k.odd = append(k.odd, fmt.Sprintf("to %s: %v, %v", to, err, lerr))
		return
	case !ok: // a word to the operators
		if to != operator {
			k.odd = append(k.odd, fmt.Sprintf("to %s: %s", to, l.subject()))
		}
		return
	}
	known := false
	for i := range k.mails[to] {
		known = known || k.mails[to][i].MessageID == m.MessageID
	}
	k.mails[to] = append(k.mails[to], m)
	if l.alert() && !known {
		for title := range titles(l) {
			k.alerts[to] = append(k.alerts[to], title)
		}
	}
}

const operator = "operator@lab.test"
