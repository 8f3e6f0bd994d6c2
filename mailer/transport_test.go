package mailer

import (
	"bufio"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
	"go.uber.org/goleak"

	"quietpost/digest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestSendKeepsItsConnection(t *testing.T) {
	b := &realServer{}
	serve(t, b, nil, false)
	tr := transport(t, b.host, b.port, nil)
	for _, subject := range []string{"one", "two", "three"} {
		if err := send(t, tr, message(subject)); err != nil {
			t.Fatal(err)
		}
	}
	got := b.taken()
	if len(got) != 3 || got[2] != "Subject: three\r\n\r\nhello\r\n" {
		t.Errorf("the server has %q", got)
	}
	if b.connections != 1 {
		t.Errorf("%d connections for three messages", b.connections)
	}
}

// TestPipelining: three commands in one packet only where the server says so (RFC 2920), with what it offers.
func TestPipelining(t *testing.T) {
	for name, c := range map[string]struct {
		offers []string
		mail   string
	}{
		"plain":      {nil, "MAIL FROM:<bounces@example.com>"},
		"pipelining": {[]string{"PIPELINING", "SIZE 1000000", "8BITMIME", "SMTPUTF8"}, "MAIL FROM:<bounces@example.com> SIZE=21"},
	} {
		t.Run(name, func(t *testing.T) {
			host, port := script(t, func(n int, p *peer) {
				p.greet(c.offers...)
				if got := p.hear("MAIL"); got != c.mail {
					t.Errorf("the client said %q, want %q", got, c.mail)
				}
				if c.offers != nil { // the other two must be there before any answer
					p.hear("RCPT TO:<ana@example.org>")
					p.hear("DATA")
					p.say("250 ok", "250 ok", "354 go on")
				} else {
					p.say("250 ok")
					p.hear("RCPT TO:<ana@example.org>")
					p.say("250 ok")
					p.hear("DATA")
					p.say("354 go on")
				}
				if got := p.text(); got != "Subject: x\r\n\r\nhello\r\n" {
					t.Errorf("the text is %q", got)
				}
				p.say("250 ok")
				p.hear("QUIT")
				p.say("221 bye")
			})
			tr := transport(t, host, port, nil)
			if err := send(t, tr, message("x")); err != nil {
				t.Fatal(err)
			}
			tr.Close()
		})
	}
}

// TestRefusals is the table of what is never and what is again.
func TestRefusals(t *testing.T) {
	type want struct {
		code      int
		enhanced  string
		permanent bool
		text      string
	}
	for name, c := range map[string]struct {
		mail, rcpt, data, dot string
		want                  want
	}{
		"no such user":      {rcpt: "550 5.1.1 <ana@example.org>: no such user", want: want{550, "5.1.1", true, "<ana@example.org>: no such user"}},
		"two lines":         {rcpt: "550-5.1.1 no such user\r\n550 5.1.1 at all", want: want{550, "5.1.1", true, "no such user at all"}},
		"no enhanced code":  {rcpt: "550 no", want: want{550, "", true, "no"}},
		"code of class 4":   {rcpt: "550 4.1.1 odd", want: want{550, "", true, "4.1.1 odd"}},
		"greylisted":        {rcpt: "450 4.2.0 greylisted, come back", want: want{450, "4.2.0", false, "greylisted, come back"}},
		"mailbox full":      {rcpt: "452 4.2.2 full", want: want{452, "4.2.2", false, "full"}},
		"relay denied":      {rcpt: "554 5.7.1 <ana@example.org>: Relay access denied", want: want{554, "5.7.1", false, "<ana@example.org>: Relay access denied"}},
		"login is missing":  {mail: "530 5.7.0 Authentication required", want: want{530, "5.7.0", false, "Authentication required"}},
		"sender not ours":   {mail: "553 5.7.1 not owned by user", want: want{553, "5.7.1", false, "not owned by user"}},
		"too large by SIZE": {mail: "552 5.3.4 too large", want: want{552, "5.3.4", true, "too large"}},
		"sender at RCPT":    {rcpt: "553 5.7.1 <d@example.com>: Sender address rejected: not owned by user ana", want: want{553, "5.7.1", false, "<d@example.com>: Sender address rejected: not owned by user ana"}},
		"sender at the dot": {dot: "550 5.7.60 SMTP; Client does not have permissions to send as this sender", want: want{550, "5.7.60", false, "SMTP; Client does not have permissions to send as this sender"}},
		"SendAsDenied":      {dot: "554 5.2.252 SendAsDenied; ana@example.com not allowed to send as d@example.com", want: want{554, "5.2.252", false, "SendAsDenied; ana@example.com not allowed to send as d@example.com"}},
		"HELO at RCPT":      {rcpt: "550 5.7.1 <vm>: Helo command rejected: Host not found", want: want{550, "5.7.1", false, "<vm>: Helo command rejected: Host not found"}},
		"blocked at RCPT":   {rcpt: "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using bl.example.org", want: want{554, "5.7.1", false, "Service unavailable; Client host [192.0.2.1] blocked using bl.example.org"}},
		"our domain":        {rcpt: "550 5.1.8 <d@example.com>: Domain not found", want: want{550, "5.1.8", false, "<d@example.com>: Domain not found"}},
		"Google's limit":    {dot: "550 5.4.5 Daily user sending limit exceeded. For more information", want: want{550, "5.4.5", false, "Daily user sending limit exceeded. For more information"}},
		"Exchange's limit":  {dot: "554 5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException", want: want{554, "5.2.0", false, "STOREDRV.Submission.Exception:SubmissionQuotaExceededException"}},
		"a reader's limit":  {rcpt: "550 5.2.2 over its daily message quota", want: want{550, "5.2.2", true, "over its daily message quota"}},
		"its own policy":    {rcpt: "550 5.7.1 Recipient address rejected: policy", want: want{550, "5.7.1", true, "Recipient address rejected: policy"}},
		"DATA in disorder":  {data: "503 5.5.1 bad sequence", want: want{503, "5.5.1", false, "bad sequence"}},
		"DATA refused":      {data: "554 5.7.1 no", want: want{554, "5.7.1", true, "no"}},
		"DATA later":        {data: "451 4.3.0 later", want: want{451, "4.3.0", false, "later"}},
		"spam":              {dot: "554 5.7.1 looks like spam", want: want{554, "5.7.1", true, "looks like spam"}},
		"too large":         {dot: "552 5.3.4 too large", want: want{552, "5.3.4", true, "too large"}},
		"full disk":         {dot: "452 4.3.1 no space", want: want{452, "4.3.1", false, "no space"}},
		"out of step":       {dot: "354 go on", want: want{354, "", false, "go on"}},
		"421 at the dot":    {dot: "421 4.3.2 shutting down", want: want{421, "4.3.2", false, "shutting down"}},
		"without words":     {dot: "550", want: want{550, "", true, "the mail server said no more"}},
	} {
		for _, pipelining := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				host, port := script(t, refusing(pipelining, c.mail, c.rcpt, c.data, c.dot))
				tr := transport(t, host, port, nil)
				se := asSendErrorOrEmpty(t, tr, message("x"))
				got := want{se.Code, se.Enhanced, se.Permanent, se.Text}
				if got != c.want {
					t.Errorf("pipelining %v: got %+v, want %+v", pipelining, got, c.want)
				}
				// The next message goes, on the same connection or another.
				if err := send(t, tr, message("y")); err != nil {
					t.Errorf("the next message: %v", err)
				}
			})
		}
	}
}

func asSendErrorOrEmpty(t *testing.T, tr *Transport, m *digest.Message) *digest.SendError {
	var se *digest.SendError
	if !errors.As(tr.Send(t.Context(), m), &se) {
		t.Fatal("the message was taken")
	}
	return se
}

// refusing is a server that gives its answers to the first message, and takes every other one.
func refusing(pipelining bool, answers ...string) func(n int, p *peer) {
	extensions := []string{"ENHANCEDSTATUSCODES"}
	if pipelining {
		extensions = append(extensions, "PIPELINING")
	}
	first := true
	return func(n int, p *peer) {
		p.greet(extensions...)
		refused := false
		for {
			line := p.hear("")
			at := map[string]int{"MAIL": 0, "RCPT": 1, "DATA": 2}
			verb, _, _ := strings.Cut(line, " ")
			switch i, ok := at[verb]; {
			case ok && first && answers[i] != "":
				p.say(answers[i])
				refused = true
			case verb == "DATA" && refused:
				p.say("554 5.5.1 no valid recipients")
			case verb == "DATA":
				p.say("354 go on")
				p.text()
				if first && answers[3] != "" {
					first = false
					p.say(answers[3])
					if strings.HasPrefix(answers[3], "421") {
						return
					}
					continue
				}
				p.say("250 ok")
			case verb == "RSET":
				first, refused = false, false
				p.say("250 ok")
			case verb == "QUIT":
				p.say("221 bye")
				return
			default:
				p.say("250 ok")
			}
		}
	}
}

// TestAskedForTextInSpite: RFC 2920, section 3.1 lets a server ask for the text though it took no recipient.
func TestAskedForTextInSpite(t *testing.T) {
	host, port := script(t, func(n int, p *peer) {
		p.greet("PIPELINING")
		p.hear("MAIL")
		p.hear("RCPT")
		p.hear("DATA")
		p.say("250 ok", "550 5.1.1 nobody", "354 go on")
		if got := p.text(); got != "" {
			t.Errorf("a message without recipient was sent: %q", got)
		}
		p.say("554 no recipients")
		p.hear("RSET")
		p.say("250 ok")
		p.take()
		p.hear("QUIT")
	})
	tr := transport(t, host, port, nil)
	if se := send(t, tr, message("x")); se == nil || se.Code != 550 || !se.Permanent {
		t.Errorf("got %+v", se)
	}
	if se := send(t, tr, message("y")); se != nil {
		t.Errorf("the next message: %v", se)
	}
	tr.Close()
}

// TestStaleConnection: a kept connection that the server has closed meanwhile costs nobody a message and no attempt.
func TestStaleConnection(t *testing.T) {
	for name, end := range map[string]func(p *peer){
		"closed": func(p *peer) {},
		"421":    func(p *peer) { p.hear("MAIL"); p.say("421 4.4.2 idle for too long") },
		"421 unasked": func(p *peer) {
			p.say("421 4.4.2 idle for too long")
		},
	} {
		t.Run(name, func(t *testing.T) {
			ended := make(chan bool, 1)
			host, port := script(t, func(n int, p *peer) {
				p.greet("PIPELINING")
				p.take()
				if n == 1 {
					end(p)
					p.conn.Close()
					ended <- true
					return
				}
				p.hear("QUIT")
			})
			tr := transport(t, host, port, nil)
			if err := send(t, tr, message("one")); err != nil {
				t.Fatal(err)
			}
			if name != "421" {
				<-ended
			}
			if err := send(t, tr, message("two")); err != nil {
				t.Fatal(err)
			}
			tr.Close()
		})
	}
}

// TestEnoughOfAConnection: a limit of messages each is no fault of the next message, whatever the server says of it.
func TestEnoughOfAConnection(t *testing.T) {
	for name, enough := range map[string]func(p *peer){
		"421 to MAIL": func(p *peer) { p.say("421 4.7.0 too many messages in this session") },
		"452 to MAIL": func(p *peer) {
			p.say("452 4.3.2 too many messages in this session")
			p.hear("RSET")
			p.say("250 ok")
		},
		"421 to RCPT": func(p *peer) { p.say("250 ok"); p.hear("RCPT"); p.say("421 4.7.0 that is enough") },
	} {
		t.Run(name, func(t *testing.T) {
			host, port := script(t, func(n int, p *peer) {
				p.greet()
				p.take()
				if !strings.HasPrefix(p.hear(""), "MAIL") {
					return // QUIT after the last
				}
				enough(p)
				p.hear("the client hangs up")
			})
			tr := transport(t, host, port, nil)
			for i := range 4 {
				if se := send(t, tr, message("x")); se != nil {
					t.Errorf("message %d: %v", i, se)
				}
			}
		})
	}
}

// TestRedialsOnce: a server that takes nobody is not asked for ever, and a fresh connection that breaks is not redialled.
func TestRedialsOnce(t *testing.T) {
	connections := make(chan int, 10)
	host, port := script(t, func(n int, p *peer) {
		connections <- n
		p.greet()
		if n == 1 {
			p.take()
			return
		}
		p.hear("MAIL")
		p.say("421 4.3.2 too busy")
	})
	tr := transport(t, host, port, nil)
	if err := send(t, tr, message("one")); err != nil {
		t.Fatal(err)
	}
	se := send(t, tr, message("two"))
	if se == nil || se.Code != 421 || se.Permanent {
		t.Errorf("got %+v", se)
	}
	if n := len(connections); n != 2 {
		t.Errorf("%d connections", n)
	}
}

// TestBareReplies: RFC 5321, section 4.2 lets a reply be its code alone.
func TestBareReplies(t *testing.T) {
	host, port := script(t, func(n int, p *peer) {
		p.greet()
		for _, code := range []string{"250", "250-\r\n250", "354"} {
			p.hear("")
			p.say(code)
		}
		p.text()
		p.say("250")
	})
	if se := send(t, transport(t, host, port, nil), message("x")); se != nil {
		t.Error(se)
	}
}

func FuzzReadReply(f *testing.F) {
	for _, s := range []string{"250 ok\r\n", "250\r\n", "250-a\r\n250 b\r\n", "550-5.1.1 a\r\n550 5.1.1 b\r\n", "25", "x\r\n", "250_\n", "-1 \n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		code, text, err := readReply(bufio.NewReader(strings.NewReader(s)))
		if code < 0 || code > 999 || err != nil && (code != 0 || text != "") {
			t.Errorf("%q gives %d %q, %v", s, code, text, err)
		}
		for at := atMail; at <= atDot; at++ {
			e := answer{code: code, text: text, err: err}.refusal(at)
			if e.Permanent && (e.Code < 500 || e.Code > 599) && code <= 599 {
				t.Errorf("%q is permanent: %+v", s, e)
			}
		}
	})
}

// TestNotRedialledAfterMail: once MAIL is accepted nothing is repeated behind the outbox's back.
func TestNotRedialledAfterMail(t *testing.T) {
	connections := make(chan int, 10)
	host, port := script(t, func(n int, p *peer) {
		connections <- n
		p.greet()
		if n == 1 {
			p.take()
		}
		p.hear("MAIL")
		p.say("250 ok")
		p.hear("RCPT")
	})
	tr := transport(t, host, port, nil)
	if err := send(t, tr, message("one")); err != nil {
		t.Fatal(err)
	}
	se := send(t, tr, message("two"))
	if se == nil || se.Code != 0 || se.Permanent || !strings.Contains(se.Text, "closed the connection") {
		t.Errorf("got %+v", se)
	}
	if n := len(connections); n != 1 {
		t.Errorf("%d connections", n)
	}
}

// TestHangUpAfterTheText is the one gap SMTP leaves: again, and the words say that it may have arrived.
func TestHangUpAfterTheText(t *testing.T) {
	host, port := script(t, func(n int, p *peer) {
		p.greet()
		p.hear("MAIL")
		p.say("250 ok")
		p.hear("RCPT")
		p.say("250 ok")
		p.hear("DATA")
		p.say("354 go on")
		p.text()
	})
	se := send(t, transport(t, host, port, nil), message("x"))
	if se == nil || se.Code != 0 || se.Permanent || !strings.Contains(se.Text, "may have arrived") {
		t.Errorf("got %+v", se)
	}
}

// TestTakenThenGone: a 250 to the dot is delivery, whatever happens next.
func TestTakenThenGone(t *testing.T) {
	host, port := script(t, func(n int, p *peer) {
		p.greet()
		p.take()
	})
	tr := transport(t, host, port, nil)
	for range 3 {
		if err := send(t, tr, message("x")); err != nil {
			t.Fatal(err)
		}
	}
}

// TestRefusedInTheMiddle: a server that ends the text with its refusal and hangs up is still heard, or it is again.
func TestRefusedInTheMiddle(t *testing.T) {
	host, port := script(t, func(n int, p *peer) {
		p.greet("PIPELINING")
		p.hear("MAIL")
		p.hear("RCPT")
		p.hear("DATA")
		p.say("250 ok", "250 ok", "354 go on", "552 5.3.4 too large")
	})
	m := message("x")
	m.Bytes = append(m.Bytes, repeat("0123456789abcdef\r\n", 1<<16)...)
	se := send(t, transport(t, host, port, nil), m)
	if se == nil || !(se.Code == 552 && se.Permanent || se.Code == 0 && !se.Permanent) {
		t.Errorf("got %+v", se)
	}
}

// TestNotAllOfTheText: what never left as a whole cannot have arrived, so it is not held back as if it might have.
func TestNotAllOfTheText(t *testing.T) {
	host, port := script(t, func(n int, p *peer) {
		p.greet("PIPELINING")
		p.hear("MAIL")
		p.hear("RCPT")
		p.hear("DATA")
		p.say("250 ok", "250 ok", "354 go on")
	})
	m := message("x")
	m.Bytes = append(m.Bytes, repeat("0123456789abcdef\r\n", 1<<20)...)
	se := send(t, transport(t, host, port, nil), m)
	if se == nil || se.Code != 0 || se.About == digest.AboutFate || strings.Contains(se.Text, "may have arrived") {
		t.Errorf("got %+v", se)
	}
}

func TestContextEndsTheExchange(t *testing.T) {
	for name, silent := range map[string]func(p *peer){
		"greeting": func(p *peer) {},
		"EHLO":     func(p *peer) { p.say("220 hi"); p.hear("EHLO") },
		"MAIL":     func(p *peer) { p.greet(); p.hear("MAIL") },
		"text": func(p *peer) {
			p.greet("PIPELINING")
			p.hear("MAIL")
			p.say("250 ok", "250 ok", "354 go on")
			p.hear("RCPT")
			p.hear("DATA")
			p.text()
		},
	} {
		t.Run(name, func(t *testing.T) {
			reached := make(chan bool, 1)
			host, port := script(t, func(n int, p *peer) {
				silent(p)
				reached <- true
				p.hear("the client hangs up")
			})
			tr := transport(t, host, port, nil)
			ctx, cancel := context.WithCancel(t.Context())
			go func() { <-reached; cancel() }()
			se := asSendError(t, tr.Send(ctx, message("x")))
			if se == nil || se.Code != 0 || se.Permanent || !strings.Contains(se.Text, "stopped") {
				t.Errorf("got %+v", se)
			}
			if (name == "text") != strings.Contains(se.Text, "may have arrived") {
				t.Errorf("the words are wrong: %s", se.Text)
			}
		})
	}
}

func TestTimeout(t *testing.T) {
	host, port := script(t, func(n int, p *peer) {
		p.greet()
		p.hear("MAIL")
		p.hear("the client hangs up")
	})
	tr := transport(t, host, port, func(o *TransportOptions) { o.Timeout = 50 * time.Millisecond })
	if se := send(t, tr, message("x")); se == nil || se.Code != 0 || !strings.Contains(se.Text, "in time") {
		t.Errorf("got %+v", se)
	}
}

// TestEndlessAnswer: what a server says is bounded.
func TestEndlessAnswer(t *testing.T) {
	host, port := script(t, func(n int, p *peer) {
		p.say("220 hi")
		p.hear("EHLO")
		for {
			p.say("250-" + strings.Repeat("x", 500))
		}
	})
	se := send(t, transport(t, host, port, nil), message("x"))
	if se == nil || se.Code != 0 || !strings.Contains(se.Text, "more than 256 KiB") {
		t.Errorf("got %+v", se)
	}
}

func TestIdleConnectionIsClosed(t *testing.T) {
	quit := make(chan bool, 2)
	host, port := script(t, func(n int, p *peer) {
		p.greet()
		p.take()
		p.hear("QUIT")
		p.say("221 bye")
		quit <- true
	})
	tr := transport(t, host, port, nil)
	tr.idle = time.Millisecond
	for range 2 {
		if err := send(t, tr, message("x")); err != nil {
			t.Fatal(err)
		}
		<-quit
	}
}

// TestSetupRefusals: what is wrong with our settings never makes a message fail for good.
func TestSetupRefusals(t *testing.T) {
	login := func(o *TransportOptions) { o.Username, o.Password = "digest@example.com", password("s3cret") }
	for name, c := range map[string]struct {
		serve  func(p *peer)
		change func(o *TransportOptions)
		code   int
		text   string
	}{
		"no service":      {func(p *peer) { p.say("554 5.7.1 your address is blocked") }, nil, 554, "your address is blocked"},
		"closed at once":  {func(p *peer) {}, nil, 0, "did not greet us"},
		"EHLO refused":    {func(p *peer) { p.say("220 hi"); p.hear("EHLO"); p.say("550 no"); p.hear("HELO"); p.say("550 never") }, nil, 550, "EHLO example.com"},
		"not SMTP":        {func(p *peer) { p.say("HTTP/1.1 400 Bad Request") }, nil, 0, "did not greet us"},
		"no STARTTLS":     {func(p *peer) { p.greet("PIPELINING") }, func(o *TransportOptions) { o.TLS = StartTLS }, 0, "does not offer STARTTLS"},
		"STARTTLS broken": {func(p *peer) { p.greet("STARTTLS"); p.hear("STARTTLS"); p.say("554 5.7.0 not now") }, func(o *TransportOptions) { o.TLS = StartTLS }, 554, "STARTTLS failed: not now"},
		"plain at a TLS port": {func(p *peer) { p.say("220 hi") }, func(o *TransportOptions) { o.TLS = ImplicitTLS }, 0,
			"TLS failed"},
		"no login there": {func(p *peer) { p.greet() }, login, 0, "does not offer a login"},
		"strange logins": {func(p *peer) { p.greet("AUTH GSSAPI NTLM") }, login, 0, "only GSSAPI NTLM"},
		"wrong password": {func(p *peer) {
			p.greet("AUTH PLAIN LOGIN")
			p.hear("AUTH PLAIN AGRpZ2VzdEBleGFtcGxlLmNvbQBzM2NyZXQ=")
			p.say("535 5.7.8 Error: authentication failed")
			p.hear("*")
			p.say("501 ok")
			p.hear("QUIT")
		}, login, 535, "login as digest@example.com failed: Error: authentication failed"},
		"no password": {func(p *peer) { p.greet("AUTH PLAIN") }, func(o *TransportOptions) {
			o.Username, o.Password = "digest@example.com", func() (string, error) { return "", errors.New("open /x: permission denied") }
		}, 0, "the password cannot be read: open /x"},
		"no CA file": {func(p *peer) {}, func(o *TransportOptions) { o.CAFile = "/nonexistent/ca.pem" }, 0, "ca_file"},
	} {
		t.Run(name, func(t *testing.T) {
			host, port := script(t, func(n int, p *peer) { c.serve(p) })
			se := send(t, transport(t, host, port, c.change), message("x"))
			if se == nil || se.Permanent || se.Code != c.code || !strings.Contains(se.Text, c.text) {
				t.Errorf("got %+v, want code %d and %q", se, c.code, c.text)
			}
			if se != nil && strings.Contains(se.Text, "s3cret") {
				t.Errorf("the password is in the error: %s", se.Text)
			}
		})
	}
}

func TestNobodyListens(t *testing.T) {
	host, port := script(t, func(int, *peer) {})
	tr := transport(t, host, port+1, nil)
	tr.o.Port = 1 // a port that nobody but the system may open
	se := send(t, tr, message("x"))
	if se == nil || se.Permanent || se.Code != 0 || !strings.Contains(se.Text, ": cannot connect: ") {
		t.Errorf("got %+v", se)
	}
}

func TestTLS(t *testing.T) {
	caFile, conf := authority(t, "127.0.0.1")
	otherCA, _ := authority(t, "127.0.0.1")
	wrongCA, wrongName := authority(t, "mail.example.net")
	good := func(o *TransportOptions) {
		o.Username, o.Password, o.CAFile = "digest@example.com", password("s3cret"), caFile
	}
	for name, c := range map[string]struct {
		implicit bool
		change   func(o *TransportOptions)
		err      string
	}{
		"starttls":       {false, func(o *TransportOptions) { o.TLS = StartTLS }, ""},
		"implicit":       {true, func(o *TransportOptions) { o.TLS = ImplicitTLS }, ""},
		"other CA":       {false, func(o *TransportOptions) { o.TLS, o.CAFile = StartTLS, otherCA }, "unknown authority"},
		"system's CAs":   {true, func(o *TransportOptions) { o.TLS, o.CAFile = ImplicitTLS, "" }, "unknown authority"},
		"wrong name":     {false, func(o *TransportOptions) { o.TLS, o.CAFile = StartTLS, wrongCA }, "127.0.0.1"},
		"wrong password": {false, func(o *TransportOptions) { o.TLS, o.Password = StartTLS, password("old") }, "credentials are not good"},
	} {
		t.Run(name, func(t *testing.T) {
			b := &realServer{login: true}
			serverConf := conf
			if name == "wrong name" {
				serverConf = wrongName
			}
			serve(t, b, serverConf, c.implicit)
			tr := transport(t, b.host, b.port, func(o *TransportOptions) { good(o); c.change(o) })
			se := send(t, tr, message("x"))
			switch {
			case c.err == "" && se != nil:
				t.Error(se)
			case c.err != "" && (se == nil || se.Permanent || !strings.Contains(se.Text, c.err)):
				t.Errorf("got %+v, want %q", se, c.err)
			}
			if n := len(b.taken()); (n == 1) != (c.err == "") {
				t.Errorf("the server has %d messages", n)
			}
			secure := c.err == "" || strings.Contains(c.err, "credentials") // it is looked at without a login
			if state, err := tr.TLS(t.Context()); (err == nil) != secure || secure && len(state.VerifiedChains) == 0 {
				t.Errorf("the certificate: %v, %v", state, err)
			}
		})
	}
}

// TestPasswordIsReadAnew: a new password is taken at the next connection, without a restart.
func TestPasswordIsReadAnew(t *testing.T) {
	b := &realServer{login: true}
	serve(t, b, nil, false)
	secret := "old"
	tr := transport(t, b.host, b.port, func(o *TransportOptions) {
		o.Username, o.Password = "digest@example.com", func() (string, error) { return secret, nil }
	})
	if se := send(t, tr, message("x")); se == nil || se.Code != 535 || se.Permanent {
		t.Errorf("got %+v", se)
	}
	secret = "s3cret"
	if se := send(t, tr, message("x")); se != nil {
		t.Error(se)
	}
}

func TestRealServerRefuses(t *testing.T) {
	b := &realServer{rcpt: &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "nobody"}}
	serve(t, b, nil, false)
	tr := transport(t, b.host, b.port, nil)
	for range 3 {
		if se := send(t, tr, message("x")); se == nil || se.Code != 550 || se.Enhanced != "5.1.1" || !se.Permanent {
			t.Errorf("got %+v", se)
		}
	}
	if b.connections != 1 {
		t.Errorf("%d connections: a refused recipient cost a connection", b.connections)
	}
}

func TestDots(t *testing.T) {
	b := &realServer{}
	serve(t, b, nil, false)
	tr := transport(t, b.host, b.port, nil)
	for in, want := range map[string]string{
		".\r\nfirst\r\n":                      "",
		"a: b\r\n\r\n.\r\n..\r\n.x\r\ny.\r\n": "",
		"a: b\r\n\r\nno end":                  "a: b\r\n\r\nno end\r\n",
		"a: b\n\nlone\n.\nRSET\n":             "a: b\r\n\r\nlone\r\n.\r\nRSET\r\n",
		"a: b\r\n\r\nx\r.\r\ny\n\r.\r\r\n":    "a: b\r\n\r\nx\r\n.\r\ny\r\n\r\n.\r\n\r\n",
	} {
		m := message("x")
		m.Bytes = []byte(in)
		if err := send(t, tr, m); err != nil {
			t.Fatal(err)
		}
		if want == "" {
			want = in
		}
		got := b.taken()
		if got[len(got)-1] != want {
			t.Errorf("%q arrived as %q", in, got[len(got)-1])
		}
		if string(m.Bytes) != in {
			t.Errorf("the outbox's bytes were changed: %q", m.Bytes)
		}
	}
}

func TestAddresses(t *testing.T) {
	host, port := script(t, func(int, *peer) { t.Error("a connection for an address that is none") })
	tr := transport(t, host, port, nil)
	for _, to := range []string{"", "ana", "ana@", "@example.org", "a@b\r\nRCPT TO:<c@d>", "a b@example.org", "<ana@example.org>",
		"ana@example.org> SIZE=1", `"x@y>"@example.org`, "a@b@c d", "ana@exa\x00mple.org", "a\u00a0b@example.org"} {
		m := message("x")
		m.To = to
		se := send(t, tr, m)
		if se == nil || !se.Permanent || se.Code != 0 || se.Enhanced != "5.1.3" {
			t.Errorf("%q: got %+v", to, se)
		}
	}
	m := message("x")
	m.Bytes = nil
	if se := send(t, tr, m); se == nil || !se.Permanent {
		t.Errorf("an empty message: %+v", se)
	}
}

// TestSMTPUTF8 is said only where an address needs it (RFC 6531), and the domain goes in ASCII where the server can nothing else.
func TestSMTPUTF8(t *testing.T) {
	for name, c := range map[string]struct {
		to, mail, rcpt string
		offers         bool
		bytes          string
		err            string
	}{
		"domain":         {to: "ana@büro.example", mail: "MAIL FROM:<bounces@example.com>", rcpt: "RCPT TO:<ana@xn--bro-hoa.example>"},
		"local part":     {to: "用户@例子.example", offers: true, mail: "MAIL FROM:<bounces@example.com> SMTPUTF8", rcpt: "RCPT TO:<用户@xn--fsqu00a.example>"},
		"not offered":    {to: "用户@example.org", err: "SMTPUTF8"},
		"text of header": {to: "ana@example.org", offers: true, bytes: "From: 用户@example.com\r\n\r\nu\r\n", mail: "MAIL FROM:<bounces@example.com> SMTPUTF8 BODY=8BITMIME", rcpt: "RCPT TO:<ana@example.org>"},
		"text of bytes":  {to: "ana@example.org", offers: true, bytes: "a: b\r\n\r\nü\r\n", mail: "MAIL FROM:<bounces@example.com> BODY=8BITMIME", rcpt: "RCPT TO:<ana@example.org>"},
	} {
		t.Run(name, func(t *testing.T) {
			host, port := script(t, func(n int, p *peer) {
				offers := []string{"HELP"}
				if c.offers {
					offers = []string{"SMTPUTF8", "8BITMIME"}
				}
				p.greet(offers...)
				if c.err != "" {
					p.hear("QUIT")
					return
				}
				if got := p.hear("MAIL"); got != c.mail {
					t.Errorf("got %q, want %q", got, c.mail)
				}
				p.say("250 ok")
				if got := p.hear("RCPT"); got != c.rcpt {
					t.Errorf("got %q, want %q", got, c.rcpt)
				}
				p.say("250 ok")
				p.hear("DATA")
				p.say("354 ok")
				p.text()
				p.say("250 ok")
			})
			m := message("x")
			m.To = c.to
			if c.bytes != "" {
				m.Bytes = []byte(c.bytes)
			}
			se := send(t, transport(t, host, port, nil), m)
			switch {
			case c.err == "" && se != nil:
				t.Error(se)
			case c.err != "" && (se == nil || !se.Permanent || !strings.Contains(se.Text, c.err)):
				t.Errorf("got %+v", se)
			}
		})
	}
}

func TestNewTransport(t *testing.T) {
	good := TransportOptions{Host: "smtp.example.com", From: "bounces@example.com"}
	for name, c := range map[string]struct {
		change func(o *TransportOptions)
		want   string // the address, or empty for a fault
	}{
		"defaults":      {func(o *TransportOptions) {}, "smtp.example.com:587"},
		"implicit":      {func(o *TransportOptions) { o.TLS = ImplicitTLS }, "smtp.example.com:465"},
		"none":          {func(o *TransportOptions) { o.TLS, o.Host = NoTLS, "::1" }, "[::1]:25"},
		"port":          {func(o *TransportOptions) { o.Port = 2525 }, "smtp.example.com:2525"},
		"no host":       {func(o *TransportOptions) { o.Host = "" }, ""},
		"host of signs": {func(o *TransportOptions) { o.Host = "a b" }, ""},
		"unknown tls":   {func(o *TransportOptions) { o.TLS = "ssl" }, ""},
		"no sender":     {func(o *TransportOptions) { o.From = "" }, ""},
		"CR in sender":  {func(o *TransportOptions) { o.From = "a@b\r\n" }, ""},
		"CR in HELO":    {func(o *TransportOptions) { o.HELO = "a\r\nMAIL" }, ""},
		"no password":   {func(o *TransportOptions) { o.Username = "x" }, ""},
	} {
		o := good
		c.change(&o)
		tr, err := NewTransport(o)
		if (err == nil) != (c.want != "") || err == nil && tr.address() != c.want {
			t.Errorf("%s: %v, %v", name, tr, err)
		}
	}
	o := good
	o.HELO = "quiet.büro.example"
	if tr, err := NewTransport(o); err != nil || tr.o.HELO != "quiet.xn--bro-hoa.example" {
		t.Errorf("greets as %v, %v", tr, err)
	}
}
