package test

import (
	"io"
	"log"
	"net"
	"slices"
	"sync"
	"testing"

	"github.com/emersion/go-smtp"
)

// A sink is a mail server inside the test, where a real one would add nothing. It can fail as mail servers do.
type sink struct {
	t    testing.TB
	addr string
	take func(to string, raw []byte) // what becomes of a mail; newSink's keeps it

	mu     sync.Mutex
	server *smtp.Server        // nil while it is down
	fault  string              // what the next transactions meet, or nothing
	met    map[string]int      // how often each fault was met
	open   int                 // mails that are taken and not answered yet
	mails  map[string][][]byte // by recipient
}

// What a transaction may meet.
const (
	refuseRcpt = "451 at RCPT"
	refuseData = "451 after the mail"
	hangUp     = "hang-up at MAIL"
	keepAnswer = "hang-up in place of the answer" // the mail is taken: it comes again
	down       = "down"
)

// newSink runs until the test ends.
func newSink(t testing.TB) *sink {
	s := &sink{t: t, addr: "127.0.0.1:0", met: map[string]int{}, mails: map[string][][]byte{}}
	s.take = s.keep
	s.up()
	t.Cleanup(s.down)
	return s
}

func (s *sink) keep(to string, raw []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mails[to] = append(s.mails[to], raw)
}

// of are the mails to somebody.
func (s *sink) of(to string) [][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.mails[to])
}

func (s *sink) port() int {
	addr, err := net.ResolveTCPAddr("tcp", s.addr)
	if err != nil {
		s.t.Fatal(err)
	}
	return addr.Port
}

// up begins to listen, always at the same port.
func (s *sink) up() {
	ln, err := net.Listen("tcp", s.addr)
	if err != nil {
		s.t.Error(err)
		return
	}
	srv := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) { return &taking{sink: s, conn: c}, nil }))
	srv.Domain, srv.EnableSMTPUTF8, srv.ErrorLog = "mail.lab.test", true, log.New(io.Discard, "", 0)
	s.mu.Lock()
	s.addr, s.server = ln.Addr().String(), srv
	s.mu.Unlock()
	go func() { _ = srv.Serve(ln) }()
}

// down resets all connections and refuses new ones. Mails that were taken just now may lose their answers by that.
func (s *sink) down() {
	s.mu.Lock()
	srv := s.server
	s.server = nil
	s.met[down]++
	s.met[keepAnswer] += s.open
	s.mu.Unlock()
	if srv != nil {
		srv.Close()
	}
}

func (s *sink) meet(fault string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = fault
}

// meets tells whether a transaction meets this fault now.
func (s *sink) meets(fault string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fault != fault {
		return false
	}
	s.met[fault]++
	return true
}

func (s *sink) times(fault string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.met[fault]
}

// taking is one connection.
type taking struct {
	*sink
	conn *smtp.Conn
	to   string
	open bool // it has taken a mail and not answered yet
}

var errNotNow = &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 0}, Message: "Not now"}

func (s *taking) Mail(string, *smtp.MailOptions) error {
	if s.meets(hangUp) {
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
	if s.meets(refuseRcpt) {
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
	if s.meets(refuseData) {
		return errNotNow
	}
	s.take(s.to, raw)
	if s.meets(keepAnswer) {
		return s.gone()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.server == nil {
		s.met[keepAnswer]++
		return nil
	}
	s.sink.open++
	s.open = true
	return nil
}

// Reset comes after the answer.
func (s *taking) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open {
		s.sink.open--
	}
	s.to, s.open = "", false
}

func (s *taking) Logout() error {
	s.Reset()
	return nil
}
