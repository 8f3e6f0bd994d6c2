package mailbox

import (
	"bufio"
	"fmt"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"quietpost/digest"
)

// script is a server that answers each command by a function of its own and its tag; an empty answer hangs up.
func script(t *testing.T, answer func(c net.Conn, tag, line string) string) int {
	t.Helper()
	return scriptGreeting(t, "* OK [CAPABILITY IMAP4rev1] ready", answer)
}

func scriptGreeting(t *testing.T, greeting string, answer func(c net.Conn, tag, line string) string) int {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				fmt.Fprint(c, greeting+"\r\n")
				for in := bufio.NewScanner(c); in.Scan(); {
					tag, line, _ := strings.Cut(in.Text(), " ")
					a := answer(c, tag, line)
					if a == "" {
						return
					}
					fmt.Fprint(c, a)
				}
			}()
		}
	}()
	return ln.Addr().(*net.TCPAddr).Port
}

// polite answers as a plain server with the mails listed would.
func polite(tag, line string, uids ...int) string {
	word := strings.ToUpper(line)
	switch {
	case strings.HasPrefix(word, "EXAMINE"):
		return fmt.Sprintf("* %d EXISTS\r\n* OK [UIDVALIDITY 7] ok\r\n%s OK [READ-ONLY] done\r\n", len(uids), tag)
	case strings.HasPrefix(word, "CAPABILITY"):
		return "* CAPABILITY IMAP4rev1\r\n" + tag + " OK done\r\n"
	case strings.Contains(word, "RFC822.SIZE"):
		var b strings.Builder
		for i, uid := range uids {
			fmt.Fprintf(&b, "* %d FETCH (UID %d RFC822.SIZE 60 INTERNALDATE \"01-Jan-2030 00:00:00 +0000\")\r\n", i+1, uid)
		}
		return b.String() + tag + " OK done\r\n"
	}
	return tag + " OK done\r\n"
}

func asks(line string) bool { return strings.Contains(strings.ToUpper(line), "BODY.PEEK") }

func textOf(seq, uid int, raw string) string {
	return fmt.Sprintf("* %d FETCH (UID %d BODY[]<0> {%d}\r\n%s)\r\n", seq, uid, len(raw), raw)
}

func hostile(t *testing.T, port int, in Intake) Options {
	o := (&lab{t: t, port: port}).options(in)
	o.Since = time.Hour
	return o
}

func TestEndlessLine(t *testing.T) {
	port := script(t, func(c net.Conn, tag, line string) string {
		if strings.HasPrefix(line, "EXAMINE") {
			for {
				if _, err := c.Write([]byte(strings.Repeat("x", 4096))); err != nil {
					return ""
				}
			}
		}
		return polite(tag, line)
	})
	m, _ := run(t, hostile(t, port, newIntake()))
	eventually(t, "given up", func() bool { return strings.Contains(m.Status().Err, "more than it was asked for") })
}

func TestHugeLiteral(t *testing.T) {
	port := script(t, func(c net.Conn, tag, line string) string {
		if asks(line) {
			fmt.Fprint(c, "* 1 FETCH (UID 1 BODY[]<0> {600000000}\r\n")
			for {
				if _, err := c.Write(make([]byte, 1<<16)); err != nil {
					return ""
				}
			}
		}
		return polite(tag, line, 1)
	})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	m, _ := run(t, hostile(t, port, newIntake()))
	eventually(t, "given up", func() bool { return strings.Contains(m.Status().Err, "more of a mail than it was asked for") })
	runtime.ReadMemStats(&after)
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 64<<20 {
		t.Errorf("%d MiB were allocated", grown>>20)
	}
}

func TestDeepNesting(t *testing.T) {
	port := script(t, func(c net.Conn, tag, line string) string {
		if strings.HasPrefix(line, "EXAMINE") {
			fmt.Fprint(c, "* 1 FETCH (BODYSTRUCTURE ")
			for {
				if _, err := c.Write([]byte(strings.Repeat("(", 4096))); err != nil {
					return ""
				}
			}
		}
		return polite(tag, line)
	})
	m, _ := run(t, hostile(t, port, newIntake()))
	eventually(t, "given up", func() bool { return strings.Contains(m.Status().Err, "nested too deeply") })
}

func TestNonsense(t *testing.T) {
	for _, answer := range []string{"* XFOO bar\r\n", "\r\n", "T999 OK what\r\n", "* 1 FETCH (X-GM-MSGID 17)\r\n", "+ go on\r\n"} {
		port := script(t, func(_ net.Conn, tag, line string) string {
			if strings.HasPrefix(line, "NOOP") {
				return answer + tag + " OK done\r\n"
			}
			return polite(tag, line)
		})
		m, _ := run(t, hostile(t, port, newIntake()))
		eventually(t, fmt.Sprintf("%q ends the session and not the inbox", answer), func() bool { return m.Status().Err != "" })
	}
}

// A mail that the server refuses to give does not hold up the others; where it lies is written down.
func TestMailThatCannotBeFetched(t *testing.T) {
	raw := strings.ReplaceAll(mailOf("fine"), "\n", "\r\n")
	for name, bad := range map[string]string{"refused": "%s NO [SERVERBUG] internal error\r\n", "without a text": "* 2 FETCH (UID 5 BODY[]<0> NIL)\r\n%s OK done\r\n"} {
		t.Run(name, func(t *testing.T) {
			in := newIntake()
			port := script(t, func(_ net.Conn, tag, line string) string {
				switch {
				case asks(line) && (strings.Contains(line, "5") && !strings.Contains(line, "FETCH 9 ") && !strings.Contains(line, "FETCH 3 ")):
					return fmt.Sprintf(bad, tag)
				case asks(line) && strings.Contains(line, "FETCH 3 "):
					return textOf(1, 3, raw) + tag + " OK done\r\n"
				case asks(line):
					return textOf(3, 9, strings.ReplaceAll(raw, "fine", "behind")) + tag + " OK done\r\n"
				}
				return polite(tag, line, 3, 5, 9)
			})
			run(t, hostile(t, port, in), func(m *Mailbox) { m.patience = 0 })
			eventually(t, "the mails around it", func() bool { return len(in.titles()) == 2 })
			if n := in.count(digest.Quarantined); n != 1 {
				t.Fatalf("%d in quarantine", n)
			}
			r := in.kept[1].Receipt
			if !strings.Contains(string(r.Header), "UIDVALIDITY=7/;UID=5") || !strings.Contains(string(r.Reason), "cannot be fetched") {
				t.Errorf("receipt %q: %q", r.Header, r.Reason)
			}
		})
	}
}

// A connection that breaks in the midst of a mail is no fault of the mail until it has gone on for long.
func TestConnectionBreaksInAMail(t *testing.T) {
	in := newIntake()
	raw := strings.ReplaceAll(mailOf("broken off"), "\n", "\r\n")
	tries := 0
	port := script(t, func(c net.Conn, tag, line string) string {
		if asks(line) {
			if tries++; tries <= 3 {
				fmt.Fprintf(c, "* 1 FETCH (UID 3 BODY[]<0> {%d}\r\n%s", len(raw), raw[:20])
				return ""
			}
			return textOf(1, 3, raw) + tag + " OK done\r\n"
		}
		return polite(tag, line, 3)
	})
	run(t, hostile(t, port, in))
	eventually(t, "the mail", func() bool { return len(in.titles()) == 1 })
	if in.count(digest.Quarantined) != 0 {
		t.Error("it was quarantined")
	}
}

func TestHopeless(t *testing.T) {
	start := time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)
	var f failing
	for i := range 20 {
		now := start.Add(time.Duration(i) * time.Minute)
		if got, want := f.hopeless(now, time.Time{}, time.Minute), i >= 10; got != want {
			t.Errorf("after %d breaks in %d minutes: %v", i, i, got)
		}
		f.note([]entry{{uid: 4}}, net.ErrClosed, now)
	}
	f.note([]entry{{uid: 4}, {uid: 6}}, net.ErrClosed, start)
	if f.hopeless(start.Add(time.Hour), time.Time{}, time.Minute) {
		t.Error("a batch says nothing of one mail")
	}
}

// A server that never answers is left after a time of ours; here the time is short.
func TestSilentServer(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s := &session{guard: newGuard(c)}
	defer s.guard.Close()
	err = s.within(20*time.Millisecond, func() error {
		_, err := s.guard.Read(make([]byte, 1))
		return err
	})
	if err = s.why(err); err == nil || !strings.Contains(err.Error(), "longer than 20ms") {
		t.Errorf("got %v", err)
	}
}

// The end of the context ends a wait for a server that says nothing.
func TestStopWhileServerIsSilent(t *testing.T) {
	asked, over := make(chan struct{}, 1), make(chan struct{})
	defer close(over)
	port := script(t, func(_ net.Conn, tag, line string) string {
		if strings.HasPrefix(line, "EXAMINE") {
			asked <- struct{}{}
			<-over
			return ""
		}
		return polite(tag, line)
	})
	_, stop := run(t, hostile(t, port, newIntake()))
	<-asked
	stop()
}

// A server that says its mails are small and sends large ones must not fill our memory.
func TestSizesThatAreLies(t *testing.T) {
	raw := strings.Repeat("x", MaxMail)
	uids := make([]int, batchMails)
	for i := range uids {
		uids[i] = i + 1
	}
	port := script(t, func(c net.Conn, tag, line string) string {
		if asks(line) {
			for _, uid := range uids {
				if _, err := fmt.Fprint(c, textOf(uid, uid, raw)); err != nil {
					return ""
				}
			}
		}
		return polite(tag, line, uids...)
	})
	m, _ := run(t, hostile(t, port, newIntake()))
	eventually(t, "given up", func() bool { return strings.Contains(m.Status().Err, "more of a mail than it was asked for") })
	runtime.GC()
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	if mem.HeapSys > 128<<20 {
		t.Errorf("%d MiB were taken for it", mem.HeapSys>>20)
	}
}

// A mail of 100 MB comes through in full, and little of it is ever held.
func TestHugeMail(t *testing.T) {
	in := newIntake()
	head := "From: ana@example.com\r\nTo: updates+apollo@example.com\r\nSubject: Huge\r\nMessage-ID: <huge@example.com>\r\n" +
		"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nTwo films.\r\n"
	part := "--b\r\nContent-Type: video/mp4; name=%s\r\nContent-Transfer-Encoding: base64\r\n\r\n"
	chunk := strings.Repeat(strings.Repeat("QUFB", 19)+"\r\n", 1000)
	piece, chunks := []byte(chunk), 670 // 52 MB
	end := "--b--\r\n"
	one, two := fmt.Sprintf(part, "one.mp4"), fmt.Sprintf(part, "two.mp4")
	size := len(head) + len(one) + len(two) + 2*chunks*len(chunk) + len(end)
	port := script(t, func(c net.Conn, tag, line string) string {
		switch {
		case asks(line):
			fmt.Fprintf(c, "* 1 FETCH (UID 1 BODY[]<0> {%d}\r\n%s", size, head)
			for _, p := range []string{one, two} {
				fmt.Fprint(c, p)
				for range chunks {
					c.Write(piece)
				}
			}
			return end + ")\r\n" + tag + " OK done\r\n"
		case strings.Contains(line, "RFC822.SIZE"):
			return fmt.Sprintf("* 1 FETCH (UID 1 RFC822.SIZE %d INTERNALDATE \"01-Jan-2030 00:00:00 +0000\")\r\n%s OK done\r\n", size, tag)
		}
		return polite(tag, line, 1)
	})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	run(t, hostile(t, port, in))
	eventually(t, "the mail", func() bool { return len(in.titles()) == 1 })
	runtime.ReadMemStats(&after)
	it := in.kept[0].Items[0]
	if it.Project != "apollo" || !strings.HasPrefix(it.Body, "Two films.") || !strings.Contains(it.Body, "one.mp4 (36.4 MiB), two.mp4 (36.4 MiB)") {
		t.Errorf("item %q: %q", it.Project, it.Body)
	}
	if r := in.kept[0].Receipt; len(r.Raw) > 10_000 || !strings.Contains(string(r.Header), "X-Quietpost-Original: imap://") {
		t.Errorf("kept %d bytes, header %q", len(r.Raw), r.Header)
	}
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 64<<20 {
		t.Errorf("%d MiB were allocated", grown>>20)
	}
}

// What others do to a large mailbox is told at length, and is no fault of the server's.
func TestManyUnaskedAnswers(t *testing.T) {
	in := newIntake()
	raw := strings.ReplaceAll(mailOf("behind it all"), "\n", "\r\n")
	told := false
	port := script(t, func(c net.Conn, tag, line string) string {
		switch {
		case strings.HasPrefix(line, "NOOP"):
			for i := 0; i < 50_000 && !told; i++ {
				if _, err := fmt.Fprintf(c, "* %d FETCH (FLAGS (\\Seen))\r\n* 1 EXPUNGE\r\n", i%1000+1); err != nil {
					return ""
				}
			}
			told = true
			return "* 60000 EXISTS\r\n" + tag + " OK done\r\n"
		case asks(line):
			return textOf(1, 3, raw) + tag + " OK done\r\n"
		case told:
			return polite(tag, line, 3)
		case strings.Contains(line, "RFC822.SIZE"):
			return tag + " OK done\r\n"
		}
		return polite(tag, line, make([]int, 60_000)...)
	})
	m, _ := run(t, hostile(t, port, in))
	eventually(t, "the mail behind it", func() bool { return len(in.titles()) == 1 })
	if s := m.Status(); s.Err != "" {
		t.Errorf("the session broke: %s", s.Err)
	}
}
