package mailer

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"strings"
	"testing"

	gomail "github.com/wneessen/go-mail"

	"quietpost/digest"
)

// sink is a mail server that takes everything and keeps nothing, as quickly as Go can.
func sink(b *testing.B) (host string, port int) {
	b.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go swallow(conn)
		}
	}()
	return "127.0.0.1", ln.Addr().(*net.TCPAddr).Port
}

func swallow(conn net.Conn) {
	defer conn.Close()
	r := bufio.NewReaderSize(conn, 64<<10)
	w := bufio.NewWriter(conn)
	_, _ = w.WriteString("220 sink\r\n")
	text := false
	for {
		if r.Buffered() == 0 && w.Flush() != nil {
			return
		}
		line, err := r.ReadSlice('\n')
		if err != nil {
			return
		}
		switch {
		case text:
			if string(line) == ".\r\n" {
				text = false
				_, _ = w.WriteString("250 ok\r\n")
			}
		case bytes.HasPrefix(line, []byte("EHLO")):
			_, _ = w.WriteString("250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE 10000000\r\n")
		case bytes.HasPrefix(line, []byte("DATA")):
			text = true
			_, _ = w.WriteString("354 go on\r\n")
		case bytes.HasPrefix(line, []byte("QUIT")):
			_, _ = w.WriteString("221 bye\r\n")
			_ = w.Flush()
			return
		default:
			_, _ = w.WriteString("250 ok\r\n")
		}
	}
}

// thirty is a letter that becomes a mail of about 30 KB.
func thirty() *digest.Letter {
	l := fullLetter()
	l.Text = strings.Repeat("- apollo: the release 2.4 is out, with 12 changes (Ana, 9:02)\n", 90)
	l.HTML = "<html><body>" + strings.Repeat("<tr><td style=\"padding:4px 0;color:#111\"><a href=\"https://example.com/x\">The release 2.4 is out</a> — Ana</td></tr>\n", 170) + "</body></html>\n"
	return l
}

func BenchmarkCompose(b *testing.B) {
	c, l := newComposer(b), thirty()
	for b.Loop() {
		raw, err := c.Compose(l)
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(int64(len(raw)))
	}
}

// BenchmarkSend hands 30 KB over one connection, beside go-mail's own client and the bytes alone, which are the limit.
func BenchmarkSend(b *testing.B) {
	raw, err := newComposer(b).Compose(thirty())
	if err != nil {
		b.Fatal(err)
	}
	b.Run("transport", func(b *testing.B) {
		host, port := sink(b)
		tr := transport(b, host, port, nil)
		m := &digest.Message{To: "ana@example.org", Bytes: raw}
		b.SetBytes(int64(len(raw)))
		for b.Loop() {
			if err := tr.Send(b.Context(), m); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("transport, signed with RSA", func(b *testing.B) {
		host, port := sink(b)
		s, err := NewSigner("example.com", "quietpost", keys(b)["RSA, PKCS #8"])
		if err != nil {
			b.Fatal(err)
		}
		tr := transport(b, host, port, func(o *TransportOptions) { o.Signer = s })
		m := &digest.Message{To: "ana@example.org", Bytes: raw}
		b.SetBytes(int64(len(raw)))
		for b.Loop() {
			if err := tr.Send(b.Context(), m); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("go-mail", func(b *testing.B) { benchGoMail(b, len(raw)) })
	b.Run("bytes alone", func(b *testing.B) { benchBytes(b, raw) })
}

func benchGoMail(b *testing.B, size int) {
	host, port := sink(b)
	cl, err := gomail.NewClient(host, gomail.WithPort(port), gomail.WithTLSPolicy(gomail.NoTLS))
	if err != nil {
		b.Fatal(err)
	}
	if err := cl.DialWithContext(context.Background()); err != nil {
		b.Fatal(err)
	}
	defer cl.Close()
	l := thirty()
	m := gomail.NewMsg()
	_ = m.From("digest@example.com")
	_ = m.To("ana@example.org")
	m.SetBodyString(gomail.TypeTextPlain, l.Text)
	m.AddAlternativeString(gomail.TypeTextHTML, l.HTML)
	b.SetBytes(int64(size))
	for b.Loop() {
		if err := cl.Send(m); err != nil {
			b.Fatal(err)
		}
	}
}

func benchBytes(b *testing.B, raw []byte) {
	host, port := sink(b)
	conn, err := net.Dial("tcp", (&net.TCPAddr{IP: net.ParseIP(host), Port: port}).String())
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	r := bufio.NewReader(conn)
	lines := func(n int) {
		for range n {
			if _, err := r.ReadSlice('\n'); err != nil {
				b.Fatal(err)
			}
		}
	}
	_, _ = io.WriteString(conn, "EHLO x\r\n")
	lines(5)
	wire := append(append([]byte(nil), raw...), ".\r\n"...)
	b.SetBytes(int64(len(raw)))
	for b.Loop() {
		_, _ = io.WriteString(conn, "MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n")
		lines(3)
		_, _ = conn.Write(wire)
		lines(1)
	}
}
