package test

import (
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/emersion/go-smtp"

	"quietpost/digest/audit"
	"quietpost/test/maillab"
)

// A sink is a mail server inside the test that keeps what it takes, where a real one would add nothing.
type sink struct {
	mu     sync.Mutex
	mails  map[string][][]byte // by recipient
	answer func() error        // to the end of a mail; nil takes all
	port   int
}

// NewSession is smtp.Backend's.
func (s *sink) NewSession(*smtp.Conn) (smtp.Session, error) { return &sinkSession{s: s}, nil }

type sinkSession struct {
	s  *sink
	to string
}

func (c *sinkSession) Mail(string, *smtp.MailOptions) error      { return nil }
func (c *sinkSession) Rcpt(to string, _ *smtp.RcptOptions) error { c.to = to; return nil }
func (c *sinkSession) Reset()                                    {}
func (c *sinkSession) Logout() error                             { return nil }
func (c *sinkSession) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	if c.s.answer != nil {
		if err := c.s.answer(); err != nil {
			return err
		}
	}
	c.s.mails[c.to] = append(c.s.mails[c.to], raw)
	return nil
}

// of are the mails to somebody.
func (s *sink) of(to string) [][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mails[to]
}

const lightConfig = `
base_url: %s
data_dir: %s/data
http: {listen: "%s"}
api: {token_file: api.token}
operators: [operator@lab.test]
mail:
  from: Quietpost <digest@lab.test>
  smtp: {host: 127.0.0.1, port: %d, tls: none}
sources:
  - {name: tool, type: generic, secret_file: tool.secret}
%s`

// lightHouse is a daemon that is not started yet, without an inbox and with a sink for mail server.
func lightHouse(t testing.TB, more string) (*house, *sink) {
	t.Helper()
	s := &sink{mails: map[string][][]byte{}}
	server := smtp.NewServer(s)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.port = l.Addr().(*net.TCPAddr).Port
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })
	return lightHouseAt(t, s.port, more), s
}

// lightHouseAt is one whose mail server is at this port.
func lightHouseAt(t testing.TB, smtp int, more string) *house {
	t.Helper()
	h := &house{t: t, dir: t.TempDir()}
	h.file = filepath.Join(h.dir, "quietpost.yaml")
	listen := fmt.Sprintf("127.0.0.1:%d", maillab.FreePort())
	h.url = "http://" + listen
	h.write("api.token", readToken+"\n")
	h.write("tool.secret", toolSecret+"\n")
	h.write("quietpost.yaml", fmt.Sprintf(lightConfig, h.url, h.dir, listen, smtp, more))
	return h
}

// prove audits a reader who follows everything: windows tile from 1 to the newest number and tell each title once, alerts tell
// each urgent one once. It gives how many mails came twice.
func (s *sink) prove(t testing.TB, reader string, numbers map[string]int64, urgent map[string]bool) (doubles int) {
	t.Helper()
	var mails []audit.Mail
	seen := map[string]bool{}
	alerted, counted, newest := map[string]int{}, 0, int64(0)
	for _, raw := range s.of(reader) {
		m, ok, err := audit.Read(raw)
		if err != nil || !ok {
			t.Errorf("%s has a mail that is no edition: %v\n%s", reader, err, raw)
			continue
		}
		mails = append(mails, m)
		l, err := readLetter(raw)
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case seen[m.MessageID]:
		case m.To == 0:
			for title := range titles(l) {
				alerted[title]++
			}
		default:
			for title := range titles(l) {
				if n := numbers[title]; n < m.From || n > m.To {
					t.Errorf("%s: the digest of %d-%d tells %s, which is %d", reader, m.From, m.To, title, n)
				}
			}
			shown, more := len(titles(l)), 0
			for _, f := range moreForm.FindAllStringSubmatch(l.text, -1) {
				n := 0
				fmt.Sscan(f[1], &n)
				more += n
			}
			if counted += shown + more; int64(shown+more) != m.To-m.From+1 {
				t.Errorf("%s: the digest of %d-%d shows %d and counts %d more", reader, m.From, m.To, shown, more)
			}
		}
		seen[m.MessageID] = true
	}
	for _, n := range numbers {
		newest = max(newest, n)
	}
	r := audit.Check(mails)
	for _, f := range r.Faults {
		t.Errorf("%s: %s", reader, f)
	}
	if len(r.Series) != 1 || r.Series[0].From != 1 || r.Series[0].To < newest || counted != len(numbers) || newest != int64(len(numbers)) {
		t.Errorf("%s: digests %+v tell %d updates, of %d that were accepted as 1 to %d", reader, r.Series, counted, len(numbers), newest)
	}
	for title := range numbers {
		want := 0
		if urgent[title] {
			want = 1
		}
		if alerted[title] != want {
			t.Errorf("%s: %s is in %d alerts, want %d", reader, title, alerted[title], want)
		}
	}
	return r.Doubles
}

// reaches tells whether a reader's digests cover a number.
func (s *sink) reaches(reader string, number int64) bool {
	for _, raw := range s.of(reader) {
		if m, ok, err := audit.Read(raw); ok && err == nil && m.To >= number {
			return true
		}
	}
	return false
}

// tells tells whether an alert to a reader names a title.
func (s *sink) tells(reader, title string) bool {
	for _, raw := range s.of(reader) {
		if l, err := readLetter(raw); err == nil && l.alert() && strings.Contains(l.text, title) {
			return true
		}
	}
	return false
}
