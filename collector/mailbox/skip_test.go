package mailbox

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"

	"quietpost/digest"
)

// uidsOf are the UIDs that a FETCH asks for, written one by one or as ranges.
func uidsOf(line string) (out []int) {
	for part := range strings.SplitSeq(strings.Fields(line)[2], ",") {
		var a, b int
		if n, _ := fmt.Sscanf(part, "%d:%d", &a, &b); n == 1 {
			b = a
		}
		for ; a <= b; a++ {
			out = append(out, a)
		}
	}
	return out
}

// store is a scripted server of these mails: UID n has the subject "mail n". bad may answer a FETCH of texts itself.
func store(t *testing.T, uids []int, bad func(tag string, asked []int) string) int {
	return script(t, func(_ net.Conn, tag, line string) string {
		if !asks(line) {
			return polite(tag, line, uids...)
		}
		asked := uidsOf(line)
		if a := bad(tag, asked); a != "" {
			return a
		}
		return texts(uids, asked) + tag + " OK done\r\n"
	})
}

func texts(uids, asked []int) string {
	var b strings.Builder
	for i, uid := range uids {
		if slices.Contains(asked, uid) {
			b.WriteString(textOf(i+1, uid, strings.ReplaceAll(mailOf(fmt.Sprintf("mail %d", uid)), "\n", "\r\n")))
		}
	}
	return b.String()
}

// A server that leaves a mail out of its answer and says OK has not given it: that is no mail that is gone.
func TestMailLeftOut(t *testing.T) {
	in := newIntake()
	var times atomic.Int32
	port := store(t, []int{3, 5, 9}, func(tag string, asked []int) string {
		if slices.Contains(asked, 5) && times.Add(1) <= 2 {
			return texts([]int{3, 0, 9}, asked) + tag + " OK done\r\n"
		}
		return ""
	})
	run(t, hostile(t, port, in))
	eventually(t, "the last mail", func() bool { return slices.Contains(in.titles(), "mail 9") })
	if got := in.titles(); !slices.Equal(got, []string{"mail 3", "mail 5", "mail 9"}) {
		t.Errorf("took %q", got)
	}
}

// A server that gives no mail at all for a while is out of order: none is passed over for that.
func TestServerThatGivesNothingForAWhile(t *testing.T) {
	in := newIntake()
	var mu sync.Mutex
	refused, until := 0, 6
	port := store(t, []int{3, 5}, func(tag string, asked []int) string {
		mu.Lock()
		defer mu.Unlock()
		if refused++; refused <= until {
			return tag + " NO [OVERQUOTA] Account exceeded command or bandwidth limits\r\n"
		}
		return ""
	})
	run(t, hostile(t, port, in), func(m *Mailbox) { m.patience = 0 })
	eventually(t, "both mails", func() bool { return len(in.titles()) == 2 })
	if n := in.count(digest.Quarantined); n != 0 {
		t.Errorf("%d passed over", n)
	}
}

// What others do to a mail while it is listed is told with its UID by some servers, in an answer of its own before ours.
func TestFlagsInTheMidstOfTheList(t *testing.T) {
	in := newIntake()
	var listed atomic.Int32
	port := script(t, func(_ net.Conn, tag, line string) string {
		switch {
		case strings.Contains(line, "RFC822.SIZE") && listed.Add(1) == 1:
			return "* 2 FETCH (UID 5 FLAGS (\\Seen))\r\n" + polite(tag, line, 3, 5, 9)
		case asks(line):
			return texts([]int{3, 5, 9}, uidsOf(line)) + tag + " OK done\r\n"
		}
		return polite(tag, line, 3, 5, 9)
	})
	run(t, hostile(t, port, in))
	eventually(t, "the last mail", func() bool { return slices.Contains(in.titles(), "mail 9") })
	if got := in.titles(); !slices.Equal(got, []string{"mail 3", "mail 5", "mail 9"}) {
		t.Errorf("took %q", got)
	}
}

// A server that says it has IDLE and then refuses it is asked by polling, on the same connection.
func TestIdleRefused(t *testing.T) {
	for name, answer := range map[string]string{"BAD": " BAD not today\r\n", "NO": " NO not today\r\n"} {
		t.Run(name, func(t *testing.T) {
			in := newIntake()
			var logins, new atomic.Int32
			port := script(t, func(_ net.Conn, tag, line string) string {
				uids := []int{3, 5}[:1+new.Load()]
				switch {
				case strings.HasPrefix(line, "CAPABILITY"):
					return "* CAPABILITY IMAP4rev1 IDLE\r\n" + tag + " OK done\r\n"
				case strings.HasPrefix(line, "LOGIN"):
					logins.Add(1)
				case line == "IDLE":
					new.Store(1)
					return tag + answer
				case asks(line):
					return texts(uids, uidsOf(line)) + tag + " OK done\r\n"
				}
				return polite(tag, line, uids...)
			})
			run(t, hostile(t, port, in))
			eventually(t, "the second mail", func() bool { return len(in.titles()) == 2 })
			if n := logins.Load(); n != 1 {
				t.Errorf("logged in %d times", n)
			}
		})
	}
}

// A server that ends each session as soon as all is read is not logged in to more and more often.
func TestSessionsThatEndAtOnce(t *testing.T) {
	var logins atomic.Int32
	port := script(t, func(_ net.Conn, tag, line string) string {
		if strings.HasPrefix(line, "LOGIN") {
			logins.Add(1)
		}
		if line == "NOOP" {
			return ""
		}
		return polite(tag, line)
	})
	o := hostile(t, port, newIntake())
	o.Poll = time.Millisecond
	run(t, o)
	time.Sleep(6 * time.Second)
	if n := logins.Load(); n > 8 {
		t.Errorf("%d logins in 6 seconds", n)
	}
}

// When a server ends the session it says why, and that is told.
func TestFarewell(t *testing.T) {
	port := script(t, func(c net.Conn, tag, line string) string {
		if line == "NOOP" {
			fmt.Fprint(c, "* BYE [UNAVAILABLE] Too many connections for this account\r\n")
			return ""
		}
		return polite(tag, line)
	})
	m, _ := run(t, hostile(t, port, newIntake()))
	eventually(t, "told", func() bool { return strings.Contains(m.Status().Err, "Too many connections for this account") })
}

// A server put back to an older state may have given more UIDs anew than it had, before we come: the mail at the mark is
// another one then.
func TestServerPutBackAndOvertaken(t *testing.T) {
	l, in := newLab(t), newIntake()
	began := time.Now().Truncate(time.Second)
	m, stop := run(t, l.options(in))
	eventually(t, "connected", func() bool { return m.Status().Connected })
	l.put(mailOf("one"), began.Add(time.Second))
	l.put(mailOf("two"), began.Add(2*time.Second))
	eventually(t, "both", func() bool { return in.mark().UID == 2 })
	stop()
	mark := in.mark()
	if !mark.Arrived.Equal(began.Add(2 * time.Second)) {
		t.Errorf("mark %+v", mark)
	}
	mark.Arrived = began.Add(-time.Hour) // as if the second had been another one before the server was put back
	if err := in.SetMark(t.Context(), mark); err != nil {
		t.Fatal(err)
	}
	in.set(func() { in.kept = in.kept[:1] })
	l.put(mailOf("three"), began.Add(3*time.Second))
	_, stop = run(t, l.options(in))
	eventually(t, "the last", func() bool { return in.mark().UID == 3 })
	if got := in.titles(); !slices.Equal(got, []string{"one", "two", "three"}) || in.dups != 1 {
		t.Errorf("took %q, %d twice", got, in.dups)
	}
	stop()
	run(t, l.options(in)) // and it goes on from there
	l.put(mailOf("four"), time.Time{})
	eventually(t, "the fourth", func() bool { return in.mark().UID == 4 })
	if in.dups != 1 {
		t.Errorf("%d were read again", in.dups-1)
	}
}

// A server that does not say with the folder which UID comes next is asked for it, so that its clock decides nothing.
func TestServerWithoutUIDNext(t *testing.T) {
	in := newIntake()
	var arrived atomic.Int32
	port := script(t, func(_ net.Conn, tag, line string) string {
		uids := []int{3, 5, 9}[:2+arrived.Load()]
		switch {
		case strings.HasPrefix(line, "STATUS"):
			return "* STATUS INBOX (UIDNEXT 6)\r\n" + tag + " OK done\r\n"
		case strings.HasPrefix(line, "NOOP"):
			arrived.Store(1)
		case asks(line):
			return texts(uids, uidsOf(line)) + tag + " OK done\r\n"
		}
		return strings.ReplaceAll(polite(tag, line, uids...), "01-Jan-2030 00:00:00", time.Now().Add(-time.Hour).UTC().Format("02-Jan-2006 15:04:05"))
	})
	o := hostile(t, port, in)
	o.Since = 0
	run(t, o)
	eventually(t, "the new mail, though the server's clock is an hour behind", func() bool { return len(in.titles()) > 0 })
	if got := in.titles(); !slices.Equal(got, []string{"mail 9"}) {
		t.Errorf("took %q", got)
	}
}

// The mail that is refused stays where it is until another one can be fetched; alone it waits for a day.
func TestOnlyMailIsRefused(t *testing.T) {
	in := newIntake()
	var mu sync.Mutex
	late, uids := time.Duration(0), []int{3}
	port := script(t, func(_ net.Conn, tag, line string) string {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case asks(line) && slices.Contains(uidsOf(line), 3):
			late += 20 * time.Minute
			return tag + " NO [SERVERBUG] internal error\r\n"
		case asks(line):
			return texts(uids, uidsOf(line)) + tag + " OK done\r\n"
		}
		return polite(tag, line, uids...)
	})
	o := hostile(t, port, in)
	o.Now = func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		return time.Now().Add(late)
	}
	m, _ := run(t, o)
	eventually(t, "refused often", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return late >= 80*time.Minute
	})
	if n := in.count(digest.Quarantined); n != 0 || !strings.Contains(m.Status().Err, "internal error") {
		t.Errorf("%d passed over, %q", n, m.Status().Err)
	}
	mu.Lock()
	uids = []int{3, 5}
	mu.Unlock()
	eventually(t, "the mail behind it", func() bool { return slices.Contains(in.titles(), "mail 5") })
	if n := in.count(digest.Quarantined); n != 1 {
		t.Errorf("%d passed over", n)
	}
}

// Refused logins are few: many servers lock an account, or an address out, after five in ten minutes.
func TestPace(t *testing.T) {
	p, total, tries := newPace(), time.Duration(0), 0
	for ; total < 10*time.Minute; tries++ {
		total += p.after(&LoginError{Username: "updates"})
	}
	if tries > 4 {
		t.Errorf("%d logins in ten minutes", tries)
	}
	if d := p.after(&LoginError{}); d != 10*time.Minute {
		t.Errorf("then every %v", d)
	}
	p.healthy()
	if d := p.after(&LoginError{}); d > time.Second {
		t.Errorf("the first refusal after a good time: %v", d)
	}
	for range 30 {
		if d := p.after(net.ErrClosed); d > 90*time.Second {
			t.Errorf("a server that is away is tried after %v", d)
		}
	}
}

// A server that is busy has refused nothing.
func TestBusyServerRefusesNoLogin(t *testing.T) {
	m, err := New((&lab{t: t}).options(newIntake()))
	if err != nil {
		t.Fatal(err)
	}
	for text, refused := range map[string]bool{"Too many simultaneous connections. (Failure)": false, "Server Unavailable. 15": false,
		"Maximum number of connections from user+IP exceeded": false, "Account exceeded command or bandwidth limits. (Failure)": false,
		"Temporary authentication failure.": false, "AUTHENTICATE failed.": true, "Invalid credentials (Failure)": true} {
		err := m.refusal(&imap.Error{Type: imap.StatusResponseTypeNo, Text: text})
		if errors.As(err, new(*LoginError)) != refused || !strings.Contains(err.Error(), text) {
			t.Errorf("%v", err)
		}
	}
	if err := m.refusal(&imap.Error{Type: imap.StatusResponseTypeNo, Code: imap.ResponseCodeOverQuota, Text: "no"}); errors.As(err, new(*LoginError)) {
		t.Errorf("%v", err)
	}
}

// A large mail may take longer than the library grants it: what bounds it is ours.
func TestReadDeadlinesAreOurs(t *testing.T) {
	ours, theirs := net.Pipe()
	g := newGuard(ours)
	defer g.Close()
	defer theirs.Close()
	if err := g.SetReadDeadline(time.Now().Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	go theirs.Write([]byte("* OK\r\n"))
	if n, err := g.Read(make([]byte, 10)); n != 6 || err != nil {
		t.Errorf("read %d, %v", n, err)
	}
}

// A fault of ours in a goroutine ends the session and not the program: it would come again at each start.
func TestFaultsOfOursEndTheSession(t *testing.T) {
	ours, theirs := net.Pipe()
	defer theirs.Close()
	m, err := New((&lab{t: t}).options(newIntake()))
	if err != nil {
		t.Fatal(err)
	}
	s := m.newSession(t.Context(), ours) // without a client
	defer s.close()
	f := s.start([]entry{{uid: 1, arrived: time.Now()}})
	if <-f.done; f.err == nil || !strings.Contains(f.err.Error(), "a fault in quietpost itself") {
		t.Errorf("fetching: %v", f.err)
	}
	s.m.o.Intake = nil
	s.pending.add(digest.Delivery{Mark: &digest.Mark{}}, time.Time{})
	if err := s.flush(t.Context()); err == nil || !strings.Contains(err.Error(), "a fault in quietpost itself") {
		t.Errorf("storing: %v", err)
	}
}

// A server may tell the UID behind the text, however long that is.
func TestUIDBehindTheText(t *testing.T) {
	in := newIntake()
	long := strings.ReplaceAll(mailOf("long")+strings.Repeat("More of it.\n", 20_000), "\n", "\r\n")
	raw := map[int]string{3: strings.ReplaceAll(mailOf("mail 3"), "\n", "\r\n"), 5: long, 9: strings.ReplaceAll(mailOf("mail 9"), "\n", "\r\n")}
	uids := []int{3, 5, 9}
	port := script(t, func(_ net.Conn, tag, line string) string {
		if !asks(line) {
			return polite(tag, line, uids...)
		}
		var b strings.Builder
		asked := strings.Fields(line)
		for i, uid := range uids {
			if strings.HasPrefix(line, "UID") && slices.Contains(uidsOf(line), uid) ||
				asked[0] == "FETCH" && slices.Contains(uidsOf("UID "+line), i+1) {
				fmt.Fprintf(&b, "* %d FETCH (BODY[]<0> {%d}\r\n%s UID %d)\r\n", i+1, len(raw[uid]), raw[uid], uid)
			}
		}
		return b.String() + tag + " OK done\r\n"
	})
	m, _ := run(t, hostile(t, port, in))
	eventually(t, "all three", func() bool { return len(in.titles()) == 3 })
	if got := in.titles(); !slices.Equal(got, []string{"mail 3", "long", "mail 9"}) || m.Status().Err != "" {
		t.Errorf("took %q, %s", got, m.Status().Err)
	}
}

// Many broken mails in a row hold up the ones behind them for seconds each, not for minutes.
func TestManyMailsAreRefused(t *testing.T) {
	in := newIntake()
	port := store(t, []int{3, 4, 5, 6, 9}, func(tag string, asked []int) string {
		if slices.ContainsFunc(asked, func(uid int) bool { return uid < 9 }) {
			return tag + " NO [SERVERBUG] internal error\r\n"
		}
		return ""
	})
	run(t, hostile(t, port, in), func(m *Mailbox) { m.patience = time.Second })
	eventually(t, "the mail behind them", func() bool { return slices.Contains(in.titles(), "mail 9") })
	if n := in.count(digest.Quarantined); n != 4 {
		t.Errorf("%d passed over", n)
	}
}
