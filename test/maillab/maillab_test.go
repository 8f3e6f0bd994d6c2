package maillab

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2/imapclient"
	"github.com/emersion/go-smtp"
)

func mail(subject string) []byte {
	return fmt.Appendf(nil, "From: ana@lab.test\r\nTo: reader@lab.test\r\nSubject: %s\r\nMessage-ID: <%s@lab.test>\r\n\r\nHello.\r\n",
		subject, strings.ReplaceAll(subject, " ", "-"))
}

// wait fails the test unless the reader's mailbox soon holds n mails, the last with this subject.
func wait(t *testing.T, l *Lab, n int, subject string) {
	t.Helper()
	var mails [][]byte
	var err error
	for end := time.Now().Add(deadline); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		mails, err = l.Mailbox("reader")
		if err == nil && len(mails) >= n {
			break
		}
	}
	if err != nil || len(mails) != n {
		t.Fatalf("%d mails, %v; want %d", len(mails), err, n)
	}
	if !bytes.Contains(mails[n-1], []byte("Subject: "+subject+"\r\n")) {
		t.Fatalf("the last mail is not %q:\n%s", subject, mails[n-1])
	}
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestLab drives every function of a lab, so that a failing dialogue is never the lab's fault.
func TestLab(t *testing.T) {
	l := Start(t)
	if mails, err := l.Mailbox("reader"); err != nil || len(mails) != 0 {
		t.Fatalf("a new mailbox: %d mails, %v", len(mails), err)
	}

	ok(t, l.Append("reader", mail("appended")))
	mails, err := l.Mailbox("reader")
	ok(t, err)
	if len(mails) != 1 || !bytes.Equal(mails[0], mail("appended")) {
		t.Fatalf("not what was appended: %q", mails)
	}

	ok(t, l.Submit("digest", "reader@lab.test", bytes.NewReader(mail("submitted"))))
	wait(t, l, 2, "submitted")
	ok(t, l.Deliver("ana@example.com", "reader+tag@lab.test", bytes.NewReader(mail("from outside"))))
	wait(t, l, 3, "from outside")

	t.Run("refused", func(t *testing.T) { testRefuse(t, l) })
	t.Run("imap down", func(t *testing.T) { testIMAPDown(t, l) })
	t.Run("smtp down", func(t *testing.T) { testSMTPDown(t, l) })
}

// testRefuse uses one connection throughout: a daemon keeps its own.
func testRefuse(t *testing.T, l *Lab) {
	c, err := smtp.Dial(addr(l.Ports.MX))
	ok(t, err)
	defer c.Close()
	before := l.Asked("reader@lab.test")
	for _, reply := range []string{"451 4.3.0 Try again later", "550 5.1.1 No such user"} {
		l.Refuse("Reader@lab.test", reply)
		err := c.SendMail("ana@example.com", []string{"reader@lab.test"}, bytes.NewReader(mail("refused")))
		var se *smtp.SMTPError
		if !errors.As(err, &se) || fmt.Sprint(se.Code) != reply[:3] {
			t.Fatalf("%q wanted, got %v", reply, err)
		}
		ok(t, c.Reset())
	}
	l.Allow("reader@lab.test")
	ok(t, c.SendMail("ana@example.com", []string{"reader@lab.test"}, bytes.NewReader(mail("taken at last"))))
	wait(t, l, 4, "taken at last")
	if n := l.Asked("reader@lab.test") - before; n != 3 {
		t.Errorf("asked %d times for 3 RCPT commands", n)
	}
}

func testIMAPDown(t *testing.T, l *Lab) {
	ok(t, l.imap("reader", func(_ net.Conn, c *imapclient.Client) error {
		ok(t, l.Kick("reader"))
		for end := time.Now().Add(deadline); c.Noop().Wait() == nil; time.Sleep(20 * time.Millisecond) { // the kick is a signal
			if time.Now().After(end) {
				t.Fatal("the connection outlives the kick")
			}
		}
		return nil
	}))
	ok(t, l.StopIMAP())
	if _, err := l.Mailbox("reader"); err == nil {
		t.Fatal("a stopped Dovecot answers")
	}
	ok(t, l.Deliver("ana@example.com", "reader@lab.test", bytes.NewReader(mail("waited in the queue"))))
	ok(t, l.StartIMAP())
	wait(t, l, 5, "waited in the queue")
}

func testSMTPDown(t *testing.T, l *Lab) {
	ok(t, l.StopSMTP())
	if err := l.Submit("digest", "reader@lab.test", bytes.NewReader(mail("nobody there"))); err == nil {
		t.Fatal("a stopped Postfix answers")
	}
	ok(t, l.StartSMTP())
	ok(t, l.Submit("digest", "reader@lab.test", bytes.NewReader(mail("back"))))
	wait(t, l, 6, "back")
}
