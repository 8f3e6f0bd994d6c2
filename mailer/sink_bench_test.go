package mailer

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	gomail "github.com/wneessen/go-mail"

	"quietpost/digest"
)

// BenchmarkSink hands 2,000 mails of 30 KB each way to Postfix's smtp-sink, three rounds in turn, and gives each way's median
// beside that of bytes made beforehand over one connection, which is the limit. One run is enough: -bench Sink -benchtime 1x.
func BenchmarkSink(b *testing.B) {
	port := smtpSink(b)
	c := newComposer(b)
	letters := make([]*digest.Letter, 200)
	var mails []*digest.Message
	for i := range letters {
		l := thirty()
		l.MessageID = fmt.Sprintf("m%d@example.com", i)
		raw, err := c.Compose(l)
		if err != nil {
			b.Fatal(err)
		}
		letters[i] = l
		mails = append(mails, &digest.Message{To: "ana@example.org", Bytes: raw})
	}
	rsa, err := NewSigner("example.com", "quietpost", keys(b)["RSA, PKCS #8"])
	if err != nil {
		b.Fatal(err)
	}
	ed, err := NewSigner("example.com", "quietpost", keys(b)["Ed25519"])
	if err != nil {
		b.Fatal(err)
	}
	ours := func(connections int, s *Signer) func(n int) error {
		return func(n int) error { return sendOver(b, port, connections, s, mails, n) }
	}
	ways := []struct {
		name string
		send func(n int) error
	}{
		{"bytes alone, pipelined", func(n int) error { return bytesAlone(port, mails, n) }},
		{"smtp-source, 1 session", func(n int) error { return smtpSource(port, 1, n, len(mails[0].Bytes)) }},
		{"smtp-source, 4 sessions", func(n int) error { return smtpSource(port, 4, n, len(mails[0].Bytes)) }},
		{"transport, 1 connection", ours(1, nil)},
		{"transport, 4 connections", ours(4, nil)},
		{"transport, 1 connection, RSA", ours(1, rsa)},
		{"transport, 4 connections, RSA", ours(4, rsa)},
		{"transport, 4 connections, Ed25519", ours(4, ed)},
		{"go-mail, 1 connection", func(n int) error { return goMail(port, letters, n) }},
	}
	const n, rounds = 2000, 3
	for b.Loop() {
		rates := make([][]float64, len(ways))
		allocated := make([]float64, len(ways))
		for range rounds {
			for i, w := range ways {
				var before, after runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&before)
				start := time.Now()
				if err := w.send(n); err != nil {
					b.Fatalf("%s: %v", w.name, err)
				}
				rates[i] = append(rates[i], n/time.Since(start).Seconds())
				runtime.ReadMemStats(&after)
				allocated[i] = float64(after.TotalAlloc-before.TotalAlloc) / n / 1024
			}
		}
		slices.Sort(rates[0])
		for i, w := range ways {
			slices.Sort(rates[i])
			b.Logf("%-34s %6.0f mails/s (%.0f–%.0f), %.2f of the bytes alone, %4.0f KiB allocated a mail", w.name, rates[i][1], rates[i][0],
				rates[i][2], rates[i][1]/rates[0][1], allocated[i])
		}
	}
}

// smtpSink starts Postfix's own sink.
func smtpSink(b *testing.B) int {
	program, err := exec.LookPath("smtp-sink")
	if err != nil {
		b.Skip("LEFT OUT: smtp-sink is not here; test/install.sh installs Postfix")
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	port := ln.Addr().(*net.TCPAddr).Port
	ln.Close()
	cmd := exec.Command(program, "-u", "nobody", fmt.Sprintf("127.0.0.1:%d", port), "1000")
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	for range 200 {
		if conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			conn.Close()
			return port
		}
		time.Sleep(20 * time.Millisecond)
	}
	b.Fatal("smtp-sink does not come up")
	return 0
}

func smtpSource(port, sessions, n, size int) error {
	return exec.Command("smtp-source", "-d", "-s", strconv.Itoa(sessions), "-m", strconv.Itoa(n), "-l", strconv.Itoa(size),
		fmt.Sprintf("127.0.0.1:%d", port)).Run()
}

// sendOver shares mails out among connections, each a transport of its own as in the daemon.
func sendOver(b *testing.B, port, connections int, s *Signer, mails []*digest.Message, n int) error {
	var wg sync.WaitGroup
	errs := make([]error, connections)
	for c := range connections {
		wg.Go(func() {
			tr, err := NewTransport(TransportOptions{Host: "127.0.0.1", Port: port, TLS: NoTLS, From: "bounces@example.com", Signer: s})
			for i := c; i < n && err == nil; i += connections {
				err = tr.Send(b.Context(), mails[i%len(mails)])
			}
			errs[c] = err
			if tr != nil {
				tr.Close()
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// bytesAlone writes what was made beforehand, with everything that can be said before an answer in one write.
func bytesAlone(port int, mails []*digest.Message, n int) error {
	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return err
	}
	defer conn.Close()
	r := bufio.NewReader(conn)
	answer := func(code string) error {
		for {
			line, err := r.ReadString('\n')
			if err != nil || !strings.HasPrefix(line, code) {
				return fmt.Errorf("%q, %w", line, err)
			}
			if line[3] == ' ' {
				return nil
			}
		}
	}
	if err := answer("220"); err != nil {
		return err
	}
	if _, err := io.WriteString(conn, "EHLO x\r\n"); err != nil {
		return err
	}
	if err := answer("250"); err != nil {
		return err
	}
	wire := make([][]byte, len(mails))
	for i, m := range mails {
		wire[i] = []byte(strings.ReplaceAll(string(m.Bytes), "\n.", "\n..") + ".\r\n")
	}
	for i := range n {
		if _, err := io.WriteString(conn, "MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n"); err != nil {
			return err
		}
		for _, code := range []string{"250", "250", "354"} {
			if err := answer(code); err != nil {
				return err
			}
		}
		if _, err := conn.Write(wire[i%len(wire)]); err != nil {
			return err
		}
		if err := answer("250"); err != nil {
			return err
		}
	}
	return nil
}

// goMail sends as the library does by itself: it makes the message at sending.
func goMail(port int, letters []*digest.Letter, n int) error {
	cl, err := gomail.NewClient("127.0.0.1", gomail.WithPort(port), gomail.WithTLSPolicy(gomail.NoTLS))
	if err != nil {
		return err
	}
	if err := cl.DialWithContext(context.Background()); err != nil {
		return err
	}
	defer cl.Close()
	for i := range n {
		l := letters[i%len(letters)]
		m := gomail.NewMsg()
		_ = m.From("digest@example.com")
		_ = m.To("ana@example.org")
		m.Subject(l.Subject)
		m.SetBodyString(gomail.TypeTextPlain, l.Text)
		m.AddAlternativeString(gomail.TypeTextHTML, l.HTML)
		if err := cl.Send(m); err != nil {
			return err
		}
	}
	return nil
}
