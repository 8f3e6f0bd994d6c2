package mailer

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"quietpost/digest"
	"quietpost/store/storetest"
)

// A sinkhole is Postfix's smtp-sink, which keeps what it takes.
type sinkhole struct {
	t    *testing.T
	port int
	dir  string
	cmd  *exec.Cmd
}

func newSinkhole(t *testing.T, flags ...string) *sinkhole {
	t.Helper()
	s := &sinkhole{t: t}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.port = ln.Addr().(*net.TCPAddr).Port
	ln.Close()
	s.restart(flags...)
	t.Cleanup(s.stop)
	return s
}

// restart gives the server another temper, and an empty memory.
func (s *sinkhole) restart(flags ...string) {
	s.t.Helper()
	program, err := exec.LookPath("smtp-sink")
	if err != nil {
		s.t.Skip("LEFT OUT: smtp-sink is not here; test/install.sh installs Postfix")
	}
	s.stop()
	s.dir = s.t.TempDir()
	args := append(flags, "-d", "mail.", fmt.Sprintf("127.0.0.1:%d", s.port), "100")
	if os.Geteuid() == 0 { // it will not run as root
		args = append([]string{"-u", "nobody"}, args...)
		if err := os.Chmod(s.dir, 0o777); err != nil {
			s.t.Fatal(err)
		}
	}
	s.cmd = exec.Command(program, args...)
	s.cmd.Dir = s.dir
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	for range 500 {
		if conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", s.port)); err == nil {
			conn.Close()
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	s.t.Fatal("smtp-sink does not come up")
}

func (s *sinkhole) stop() {
	if s.cmd != nil {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
		s.cmd = nil
	}
}

var dumpedID = regexp.MustCompile(`(?mi)^Message-ID: (.+)$`)

// took counts the mails it took by Message-ID. Half a mail is none.
func (s *sinkhole) took() map[string]int {
	s.t.Helper()
	files, err := filepath.Glob(filepath.Join(s.dir, "mail.*"))
	if err != nil {
		s.t.Fatal(err)
	}
	ids := map[string]int{}
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			s.t.Fatal(err)
		}
		if m := dumpedID.FindSubmatch(raw); m != nil && strings.Contains(string(raw), "the end") {
			ids[strings.TrimSpace(string(m[1]))]++
		}
	}
	return ids
}

// An officer is a sender with its outbox, by the test's own clock.
type officer struct {
	t      *testing.T
	store  digest.Store
	sender *digest.Sender
	now    time.Time
}

func newOfficer(t *testing.T, port, mails int) *officer {
	o := &officer{t: t, store: storetest.NewMemory(), now: time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)}
	tr := transport(t, "127.0.0.1", port, func(o *TransportOptions) { o.Timeout = 300 * time.Millisecond })
	o.sender = &digest.Sender{Store: o.store, Transport: tr, Owed: &digest.Owed{}, Lanes: []string{digest.LaneAlert, digest.LaneDigest}, Timeout: time.Minute,
		Now: func() time.Time { return o.now }, Jitter: func() float64 { return 0.5 }}
	for i := range mails {
		id := fmt.Sprintf("m%d@example.com", i)
		err := o.store.AddMessage(t.Context(), digest.Message{Lane: digest.LaneDigest, To: "ana@example.org", MessageID: id, NextAt: o.now, CreatedAt: o.now,
			Bytes: []byte("Message-ID: <" + id + ">\r\n\r\n" + strings.Repeat("word ", 200) + "\r\nthe end\r\n")})
		if err != nil {
			t.Fatal(err)
		}
	}
	return o
}

// run sends for so long, looking again every step.
func (o *officer) run(long, step time.Duration) (attempts int) {
	o.t.Helper()
	for end := o.now.Add(long); o.now.Before(end); o.now = o.now.Add(step) {
		for {
			done, err := o.sender.Batch(o.t.Context(), o.t.Context())
			if err != nil {
				o.t.Fatal(err)
			}
			if attempts += len(done); len(done) == 0 {
				break
			}
		}
	}
	return attempts
}

func (o *officer) states() map[string]int {
	o.t.Helper()
	c, err := o.store.Counts(o.t.Context())
	if err != nil {
		o.t.Fatal(err)
	}
	return c.Messages[digest.LaneDigest]
}

// TestFaultsOfAServer: whatever a server does for a while, each mail arrives, and once; but for what the server took without
// our hearing of it, which is counted here.
func TestFaultsOfAServer(t *testing.T) {
	for name, c := range map[string]struct {
		flags []string
		gap   bool // the server has the mail, and we cannot know
	}{
		"hangs up at once":           {[]string{"-q", "CONNECT"}, false},
		"hangs up after MAIL":        {[]string{"-q", "MAIL"}, false},
		"hangs up after DATA":        {[]string{"-q", "DATA"}, false},
		"hangs up after the body":    {[]string{"-q", "."}, true},
		"421 at MAIL":                {[]string{"-Q", "MAIL"}, false},
		"421 at RCPT":                {[]string{"-Q", "RCPT"}, false},
		"421 after the body":         {[]string{"-Q", "."}, true},
		"450 to MAIL":                {[]string{"-r", "MAIL"}, false},
		"450 to RCPT":                {[]string{"-r", "RCPT"}, false},
		"450 to DATA":                {[]string{"-r", "DATA"}, false},
		"450 to the body":            {[]string{"-r", "."}, false},
		"5xx to what is ours":        {[]string{"-f", "MAIL"}, false},
		"answers later than we wait": {[]string{"-w", "1"}, true},
		"ends while it takes":        {[]string{"-M", "7"}, true}, // it ends without a word on the seventh
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const mails = 20
			s := newSinkhole(t, c.flags...)
			o := newOfficer(t, s.port, mails)
			o.run(time.Minute, 10*time.Second)
			before := s.took()
			if name == "450 to the body" {
				clear(before) // smtp-sink writes down also what it refuses
			}
			s.restart()
			o.run(24*time.Hour, time.Minute)
			if got := o.states(); got[digest.Delivered] != mails || len(got) != 1 {
				t.Fatalf("states %v", got)
			}
			after, doubled := s.took(), 0
			for i := range mails {
				id := fmt.Sprintf("<m%d@example.com>", i)
				n := before[id] + after[id]
				if n == 0 || after[id] > 1 {
					t.Errorf("%s arrived %d times", id, n)
				}
				doubled += n - 1
			}
			if doubled > 0 && !c.gap {
				t.Errorf("%d came twice", doubled)
			}
			t.Logf("taken while at fault: %d, twice: %d", len(before), doubled)
		})
	}
}

// TestARefusalForGoodIsAskedOnce: 5xx about a recipient is not tried again, and its words are kept.
func TestARefusalForGoodIsAskedOnce(t *testing.T) {
	s := newSinkhole(t, "-f", "RCPT", "-B", "550 5.1.1 nobody of that name")
	o := newOfficer(t, s.port, 5)
	if n := o.run(24*time.Hour, time.Hour); n != 5 {
		t.Errorf("%d attempts for 5 mails", n)
	}
	m, err := o.store.Message(t.Context(), 1)
	if err != nil || m.State != digest.Failed || m.Answer != "550 5.1.1 nobody of that name" {
		t.Errorf("%+v %v", m, err)
	}
}

// TestAServerDownForADay: it is asked about once a minute, however many mails wait, and when it is back all of them go.
func TestAServerDownForADay(t *testing.T) {
	s := newSinkhole(t)
	s.stop()
	const mails = 200
	o := newOfficer(t, s.port, mails)
	if n := o.run(24*time.Hour, 10*time.Second); n > 2*24*60 || n < 24*60/2 {
		t.Errorf("%d attempts in a day", n)
	}
	s.restart()
	o.run(time.Hour, time.Minute)
	got := s.took()
	if states := o.states(); len(got) != mails || states[digest.Delivered] != mails {
		t.Errorf("%d of %d mails, states %v", len(got), mails, states)
	}
	for id, n := range got {
		if n != 1 {
			t.Errorf("%s came %d times", id, n)
		}
	}
}
