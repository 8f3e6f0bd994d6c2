package mailbox

import (
	"bytes"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"quietpost/collector/reader"
	"quietpost/digest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestFirstContactTakesNothingOld(t *testing.T) {
	l, in := newLab(t), newIntake()
	l.put(mailOf("from last year"), time.Now().Add(-365*24*time.Hour))
	l.put(mailOf("a moment ago"), time.Time{})
	m, _ := run(t, l.options(in))
	eventually(t, "connected", func() bool { return m.Status().Connected })
	l.put(mailOf("new"), time.Time{})
	eventually(t, "the new mail", func() bool { return len(in.titles()) > 0 })
	if got := in.titles(); !slices.Equal(got, []string{"new"}) {
		t.Errorf("took %q", got)
	}
	if mark := in.mark(); mark.UID != 3 || mark.Floor.IsZero() || mark.UIDValidity == 0 {
		t.Errorf("mark %+v", mark)
	}
}

func TestFirstContactWithSince(t *testing.T) {
	l, in := newLab(t), newIntake()
	l.put(mailOf("last month"), time.Now().Add(-30*24*time.Hour))
	l.put(mailOf("yesterday"), time.Now().Add(-24*time.Hour))
	l.put(mailOf("moved in from long ago"), time.Now().Add(-30*24*time.Hour))
	l.put(mailOf("today"), time.Time{})
	l.put(mailOf("old again"), time.Now().Add(-30*24*time.Hour))
	o := l.options(in)
	o.Since = 7 * 24 * time.Hour
	run(t, o)
	eventually(t, "both mails and the mark behind all", func() bool { return in.mark().UID == 5 })
	if got := in.titles(); !slices.Equal(got, []string{"yesterday", "today"}) {
		t.Errorf("took %q", got)
	}
}

// A server whose clock is behind ours must not make us drop what comes after first contact.
func TestServerClockBehind(t *testing.T) {
	l, in := newLab(t), newIntake()
	m, _ := run(t, l.options(in))
	eventually(t, "connected", func() bool { return m.Status().Connected })
	l.put(mailOf("an hour behind"), time.Now().Add(-time.Hour))
	eventually(t, "the mail", func() bool { return len(in.titles()) == 1 })
}

func TestIdlePush(t *testing.T) {
	l, in := newLab(t), newIntake()
	o := l.options(in)
	o.Poll = time.Hour // only a push can bring it
	m, _ := run(t, o, func(m *Mailbox) { m.again = time.Hour })
	eventually(t, "connected", func() bool { return m.Status().Connected })
	time.Sleep(50 * time.Millisecond) // the server in memory tells nothing of what comes just before IDLE
	for _, s := range []string{"one", "two", "three"} {
		l.put(mailOf(s), time.Time{})
		eventually(t, s, func() bool { return slices.Contains(in.titles(), s) })
		time.Sleep(50 * time.Millisecond)
	}
	if s := m.Status(); s.LastMail.IsZero() || s.LastContact.IsZero() || s.Err != "" {
		t.Errorf("status %+v", s)
	}
}

func TestPollWithoutIdle(t *testing.T) {
	l, in := newLab(t), newIntake()
	l.halt()
	l.caps = imap.CapSet{imap.CapIMAP4rev1: {}}
	l.start()
	o := l.options(in)
	o.Poll = 20 * time.Millisecond
	m, _ := run(t, o)
	eventually(t, "connected", func() bool { return m.Status().Connected })
	l.put(mailOf("polled"), time.Time{})
	eventually(t, "the mail", func() bool { return len(in.titles()) == 1 })
}

func TestServerRestart(t *testing.T) {
	l, in := newLab(t), newIntake()
	var log bytes.Buffer
	o := l.options(in)
	o.Log = slog.New(slog.NewTextHandler(&lockedWriter{w: &log}, nil))
	m, _ := run(t, o)
	eventually(t, "connected", func() bool { return m.Status().Connected })
	l.put(mailOf("before"), time.Time{})
	eventually(t, "the first mail", func() bool { return len(in.titles()) == 1 })
	l.halt()
	eventually(t, "noticed", func() bool { return !m.Status().Connected })
	if m.Status().Err == "" {
		t.Error("the status does not say why")
	}
	l.put(mailOf("meanwhile"), time.Time{})
	l.start()
	eventually(t, "the second mail", func() bool { return len(in.titles()) == 2 })
	if in.dups != 0 {
		t.Errorf("%d mails were read again", in.dups)
	}
	eventually(t, "connected again", func() bool { return m.Status().Connected })
	if n := strings.Count(log.String(), "not reachable"); n != 1 {
		t.Errorf("the failure was logged %d times:\n%s", n, log.String())
	}
	if strings.Contains(log.String(), "meanwhile") {
		t.Error("a subject is in the log")
	}
}

type lockedWriter struct {
	mu sync.Mutex
	w  *bytes.Buffer
}

func (l *lockedWriter) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}

// After the mails were renumbered everything above the floor is read again, and nothing is taken twice.
func TestUIDValidityChanges(t *testing.T) {
	l, in := newLab(t), newIntake()
	old := time.Now().Add(-time.Hour)
	l.put(mailOf("old"), old)
	m, stop := run(t, l.options(in))
	eventually(t, "connected", func() bool { return m.Status().Connected })
	l.put(mailOf("one"), time.Time{})
	eventually(t, "the first", func() bool { return len(in.titles()) == 1 })
	first := in.mark()
	stop()
	l.halt()
	if err := l.user.Delete("INBOX"); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the in-memory server counts its UIDVALIDITY up from one
		if err := l.user.Create("INBOX", nil); err != nil {
			t.Fatal(err)
		}
		if in.mark().UIDValidity == 0 {
			l.user.Delete("INBOX")
			continue
		}
		break
	}
	later := time.Now().Add(time.Second)
	l.put(mailOf("old"), old)
	l.put(mailOf("two"), later)
	l.put(mailOf("one"), later)
	l.start()
	run(t, l.options(in))
	eventually(t, "all read again", func() bool { return in.mark().UID == 3 })
	if got := in.titles(); !slices.Equal(got, []string{"one", "two"}) {
		t.Errorf("took %q", got)
	}
	if in.dups != 1 {
		t.Errorf("%d duplicates, want 1", in.dups)
	}
	if mark := in.mark(); mark.UIDValidity == first.UIDValidity || !mark.Floor.Equal(first.Floor) {
		t.Errorf("mark %+v after %+v", mark, first)
	}
}

// A restart of ours goes on behind the mark.
func TestRestart(t *testing.T) {
	l, in := newLab(t), newIntake()
	m, stop := run(t, l.options(in))
	eventually(t, "connected", func() bool { return m.Status().Connected })
	stop()
	for _, s := range []string{"one", "two", "three"} {
		l.put(mailOf(s), time.Time{})
	}
	_, stop = run(t, l.options(in))
	eventually(t, "all three", func() bool { return len(in.titles()) == 3 })
	stop()
	l.put(mailOf("four"), time.Time{})
	run(t, l.options(in))
	eventually(t, "the fourth", func() bool { return len(in.titles()) == 4 })
	if in.dups != 0 || in.mark().UID != 4 {
		t.Errorf("%d read again, mark %+v", in.dups, in.mark())
	}
}

func TestManyMailsComeInOrder(t *testing.T) {
	l, in := newLab(t), newIntake()
	o := l.options(in)
	o.Since = time.Hour
	var want []string
	for i := range 3*batchMails + 7 {
		want = append(want, fmt.Sprintf("mail %03d", i))
		l.put(mailOf(want[i]), time.Time{})
	}
	run(t, o)
	eventually(t, "all of them", func() bool { return len(in.titles()) == len(want) })
	if !slices.Equal(in.titles(), want) || in.backwards > 0 {
		t.Errorf("not in order; the mark moved back %d times", in.backwards)
	}
	in.set(func() {
		if in.batches > len(want)/10 {
			t.Errorf("%d mails in %d transactions", len(want), in.batches)
		}
	})
}

// What was read is stored while those behind it are slow to read.
func TestSlowMailsHoldUpNone(t *testing.T) {
	l, in := newLab(t), newIntake()
	o := l.options(in)
	o.Since = time.Hour
	for i := range 30 {
		l.put(mailOf(fmt.Sprintf("mail %03d", i)), time.Time{})
	}
	var read atomic.Int32
	run(t, o, func(m *Mailbox) {
		m.read = func(raw []byte, o reader.Options) reader.Reading {
			time.Sleep(slowReading * 2 / 5) // not so long that this alone has it stored
			read.Add(1)
			return reader.Read(raw, o)
		}
	})
	eventually(t, "the first ones", func() bool { return len(in.titles()) > 0 })
	if n := read.Load(); n > 25 {
		t.Errorf("the first one was stored when %d were read", n)
	}
}

// A mail that cannot be read, or stored, is quarantined with its raw bytes, and the next one comes in.
func TestPoison(t *testing.T) {
	l, in := newLab(t), newIntake()
	in.badTitle = "cannot be stored"
	gate := make(chan struct{})
	defer close(gate)
	m, _ := run(t, l.options(in), func(m *Mailbox) {
		m.readTime = 50 * time.Millisecond
		m.read = func(raw []byte, o reader.Options) reader.Reading {
			if bytes.Contains(raw, []byte("Subject: panic")) {
				panic("boom")
			}
			if bytes.Contains(raw, []byte("Subject: stall")) {
				<-gate
			}
			return reader.Read(raw, o)
		}
	})
	eventually(t, "connected", func() bool { return m.Status().Connected })
	for _, s := range []string{"panic", "stall", "cannot be stored", "fine"} {
		l.put(mailOf(s), time.Time{})
	}
	eventually(t, "the mail behind them", func() bool { return slices.Contains(in.titles(), "fine") })
	if n := in.count(digest.Quarantined); n != 3 {
		t.Errorf("%d in quarantine, want 3", n)
	}
	for i, d := range in.kept[:3] {
		if d.Receipt.Reason == "" || !strings.Contains(string(d.Receipt.Header)+string(d.Receipt.Raw), "\r\n\r\nAll of") {
			t.Errorf("receipt %d: %q, raw %q", i, d.Receipt.Reason, d.Receipt.Raw)
		}
	}
}

func TestDiskFull(t *testing.T) {
	l, in := newLab(t), newIntake()
	m, _ := run(t, l.options(in))
	eventually(t, "connected", func() bool { return m.Status().Connected })
	in.set(func() { in.full = true })
	l.put(mailOf("one"), time.Time{})
	l.put(mailOf("two"), time.Time{})
	eventually(t, "tried more than once", func() bool {
		in.mu.Lock()
		defer in.mu.Unlock()
		return in.refused >= 3
	})
	if in.mark().UID != 0 {
		t.Errorf("the mark moved: %+v", in.mark())
	}
	in.set(func() { in.full = false })
	eventually(t, "both mails", func() bool { return len(in.titles()) == 2 })
	if in.count(digest.Quarantined) != 0 {
		t.Error("a full disk must not cost a mail its item")
	}
}

func TestLargeMail(t *testing.T) {
	l, in := newLab(t), newIntake()
	m, _ := run(t, l.options(in))
	eventually(t, "connected", func() bool { return m.Status().Connected })
	l.put("From: ana@example.com\nTo: updates+apollo@example.com\nSubject: Large\nMessage-ID: <large@example.com>\n"+
		"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain\n\nThe plan is attached.\n--b\n"+
		"Content-Type: application/pdf; name=plan.pdf\nContent-Transfer-Encoding: base64\n\n"+
		strings.Repeat(strings.Repeat("QUFB", 19)+"\n", MaxMail/76)+"--b--\n", time.Time{})
	l.put(mailOf("behind it"), time.Time{})
	eventually(t, "both", func() bool { return len(in.titles()) == 2 })
	d := in.kept[0]
	if it := d.Items[0]; it.Title != "Large" || it.Project != "apollo" || !strings.HasPrefix(it.Body, "The plan is attached.") ||
		!strings.Contains(it.Body, "plan.pdf") {
		t.Errorf("item %+v", it)
	}
	head := string(d.Receipt.Header)
	if !strings.HasPrefix(head, "X-Quietpost-Original: imap://updates@127.0.0.1/INBOX;UIDVALIDITY=") ||
		!strings.Contains(head, "Subject: Large\r\n") || len(d.Receipt.Raw) > 1000 {
		t.Errorf("receipt of %d bytes, header %q", len(d.Receipt.Raw), head)
	}
}

func TestSameMailTwice(t *testing.T) {
	l, in := newLab(t), newIntake()
	m, _ := run(t, l.options(in))
	eventually(t, "connected", func() bool { return m.Status().Connected })
	l.put(mailOf("one"), time.Time{})
	l.put(mailOf("one"), time.Time{})
	// The same Message-ID with another text is another mail; one without an id is told by all its bytes.
	l.put(mailOf("one")+"PS: more\n", time.Time{})
	// A tool that uses one Message-ID for ever, with the same text on another day, tells news each time.
	for _, day := range []string{"Mon, 02", "Tue, 03", "Tue, 03"} {
		l.put("Date: "+day+" Nov 2026 09:00:00 +0000\n"+mailOf("cron"), time.Time{})
	}
	l.put("From: ana@example.com\nSubject: no id\n\nText\n", time.Time{})
	l.put("From: ana@example.com\nSubject: no id 2\n\nText\n", time.Time{})
	eventually(t, "all", func() bool { return in.mark().UID == 8 })
	if got := in.titles(); !slices.Equal(got, []string{"one", "one", "cron", "cron", "no id", "no id 2"}) || in.dups != 2 {
		t.Errorf("took %q, %d duplicates", got, in.dups)
	}
}

func TestWrongPassword(t *testing.T) {
	l, in := newLab(t), newIntake()
	o := l.options(in)
	var mu sync.Mutex
	password := "wrong"
	o.Password = func() (string, error) {
		mu.Lock()
		defer mu.Unlock()
		return password, nil
	}
	m, _ := run(t, o)
	eventually(t, "refused", func() bool { return strings.Contains(m.Status().Err, "login as updates") })
	if strings.Contains(m.Status().Err, "wrong") {
		t.Error("the password is in the status")
	}
	mu.Lock()
	password = "secret"
	mu.Unlock()
	eventually(t, "connected with the new password", func() bool { return m.Status().Connected })
}

func TestMetrics(t *testing.T) {
	l, in := newLab(t), newIntake()
	reg := prometheus.NewRegistry()
	o := l.options(in)
	o.Metrics = NewMetrics(reg)
	value := func(name string) float64 {
		families, err := reg.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			if f.GetName() == "quietpost_inbox_"+name {
				m := f.GetMetric()[0]
				return m.GetGauge().GetValue() + m.GetCounter().GetValue()
			}
		}
		return -1
	}
	for range 2 { // a reload makes a new one
		m, stop := run(t, o)
		eventually(t, "connected", func() bool { return m.Status().Connected })
		if value("connected") != 1 || value("last_contact_timestamp_seconds") < 1e9 {
			t.Errorf("connected %v, last contact %v", value("connected"), value("last_contact_timestamp_seconds"))
		}
		before := value("mails_total")
		l.put(mailOf("a"), time.Now().Add(-time.Minute))
		eventually(t, "counted", func() bool { return value("mails_total") == max(before, 0)+1 })
		if lag := value("lag_seconds"); lag < 30 || lag > 300 {
			t.Errorf("lag %v", lag)
		}
		stop()
		if value("connected") != -1 {
			t.Error("an inbox that is not watched still shows")
		}
		in.set(func() { in.kept = nil })
	}
}
