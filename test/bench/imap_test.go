package bench

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"quietpost/collector/mailbox"
	"quietpost/digest"
	"quietpost/store/sqlite"
	"quietpost/test/maillab"
)

const (
	imapMails = 20_000
	imapChild = "QUIETPOST_BENCH_IMAP" // set in the process that is measured
)

// BenchmarkIMAP takes in 20,000 mails of 2 to 40 KB from a real Dovecot and stores them durably, in a process of its own
// whose memory is measured, beside a raw FETCH that throws the bytes away, and beside mbsync where it is installed. On a
// machine with other work the rates say little, and the time of the processor that a mail takes says more.
func BenchmarkIMAP(b *testing.B) {
	if child := os.Getenv(imapChild); child != "" {
		takeIn(b, child)
		return
	}
	l := maillab.Start(b)
	rnd := rand.New(rand.NewPCG(1, 2))
	err := l.Fill("inbox", imapMails, time.Now().Add(-imapMails*time.Minute), func(int) string {
		return prose(rnd, int(2000*math.Pow(20, rnd.Float64())))
	})
	if err == nil {
		_, err = l.Doveadm("index", "-u", maillab.Address("inbox"), "INBOX")
	}
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		raw := rawFetch(b, l) // once to warm the caches
		raw = max(raw, rawFetch(b, l))
		cmd := exec.Command(os.Args[0], "-test.run=^$", "-test.bench=^BenchmarkIMAP$", "-test.benchtime=1x")
		cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d %s", imapChild, l.Ports.IMAPS, l.CAFile))
		out, err := cmd.CombinedOutput()
		var rate float64
		var memory int
		for s := range strings.Lines(string(out)) {
			fmt.Sscanf(s, "took %f a second, %d KiB", &rate, &memory)
		}
		if err != nil || rate == 0 {
			b.Fatalf("%v\n%s", err, out)
		}
		took := func(s *os.ProcessState) float64 {
			if s == nil {
				return 0
			}
			return float64((s.UserTime() + s.SystemTime()).Microseconds()) / imapMails
		}
		sync, syncState := mbsync(b, l)
		b.ReportMetric(raw, "raw-mails/s")
		b.ReportMetric(rate, "mails/s")
		b.ReportMetric(rate/raw, "of-raw")
		b.ReportMetric(sync, "mbsync-mails/s")
		b.ReportMetric(took(cmd.ProcessState), "µs-cpu/mail")
		b.ReportMetric(took(syncState), "mbsync-µs-cpu/mail")
		b.ReportMetric(float64(memory)/1024, "MiB")
	}
}

// prose is n bytes of lines that can be packed as well as people's, to about half.
func prose(rnd *rand.Rand, n int) string {
	var b strings.Builder
	for line := 0; b.Len() < n; {
		word := make([]byte, 0, 12)
		for k := uint32(3000 * math.Pow(rnd.Float64(), 2)); len(word) < 2+int(k%8); k = k*2654435761 + 1 { // the k-th of 3000 words
			word = append(word, "etaoinshrdlucmfw"[k>>28])
		}
		if b.Write(append(word, ' ')); b.Len()-line > 70 {
			b.WriteString("\r\n")
			line = b.Len()
		}
	}
	return b.String()
}

// takeIn is the process that is measured.
func takeIn(b *testing.B, where string) {
	var port int
	var ca string
	if _, err := fmt.Sscanf(where, "%d %s", &port, &ca); err != nil {
		b.Fatal(err)
	}
	store, err := sqlite.Open(b.Context(), filepath.Join(b.TempDir(), "quietpost.db"), sqlite.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer store.Close()
	box := watch(b, store, port, ca, 10*365*24*time.Hour)
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan struct{})
	start := time.Now()
	go func() { defer close(done); box.Run(ctx) }()
	for {
		if n, err := store.Newest(ctx); err != nil || n >= imapMails {
			break
		}
		if s := box.Status(); s.Err != "" {
			b.Fatal(s.Err)
		}
		time.Sleep(5 * time.Millisecond)
	}
	rate := imapMails / time.Since(start).Seconds()
	cancel()
	<-done
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Fatal(err)
	}
	for s := range strings.Lines(string(status)) {
		var kib int
		if _, err := fmt.Sscanf(s, "VmHWM: %d kB", &kib); err == nil {
			fmt.Printf("\ntook %f a second, %d KiB\n", rate, kib)
		}
	}
}

// rawFetch reads all mails by one command and keeps nothing; it gives mails a second.
func rawFetch(b *testing.B, l *maillab.Lab) float64 {
	cfg, err := l.TLS()
	if err != nil {
		b.Fatal(err)
	}
	conn, err := tls.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", l.Ports.IMAPS), cfg)
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	in := bufio.NewReaderSize(conn, 256<<10)
	start := time.Now()
	for tag, command := range []string{"LOGIN " + maillab.Address("inbox") + " " + maillab.Password("inbox"), "EXAMINE INBOX",
		"UID FETCH 1:* (UID BODY.PEEK[])"} {
		fmt.Fprintf(conn, "a%d %s\r\n", tag, command)
		for {
			line, err := in.ReadSlice('\n')
			if err != nil && err != bufio.ErrBufferFull {
				b.Fatal(err)
			}
			if strings.HasPrefix(string(line[:min(len(line), 8)]), fmt.Sprintf("a%d OK", tag)) {
				break
			}
		}
	}
	return imapMails / time.Since(start).Seconds()
}

// mbsync fetches all mails into a Maildir as shipped but for its fsync, and gives mails a second and what it took; 0 where
// it is not there.
func mbsync(b *testing.B, l *maillab.Lab) (rate float64, took *os.ProcessState) {
	if _, err := exec.LookPath("mbsync"); err != nil {
		b.Log("LEFT OUT: mbsync is not installed (Debian: isync)")
		return 0, nil
	}
	dir := b.TempDir()
	rc := filepath.Join(dir, "mbsyncrc")
	text := fmt.Sprintf(`FSync no
IMAPAccount a
Host localhost
Port %d
User %s
Pass %s
SSLType IMAPS
CertificateFile %s

IMAPStore far
Account a

MaildirStore near
Path %s/
Inbox %s/inbox

Channel c
Far :far:
Near :near:
Patterns INBOX
Sync Pull
Create Near
SyncState *
`, l.Ports.IMAPS, maillab.Address("inbox"), maillab.Password("inbox"), l.CAFile, dir, dir)
	if err := os.WriteFile(rc, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	start := time.Now()
	cmd := exec.Command("mbsync", "-q", "-c", rc, "c")
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("mbsync: %v\n%s", err, out)
	}
	return imapMails / time.Since(start).Seconds(), cmd.ProcessState
}

// BenchmarkIMAPIdle measures the time from when Dovecot has taken a mail to when it is an item on disk. Half a second of it is
// Dovecot's: it waits that long before it tells whoever is in IDLE (NOTIFY_DELAY_MSECS in its mailbox-watch.c).
func BenchmarkIMAPIdle(b *testing.B) {
	l := maillab.Start(b)
	store, err := sqlite.Open(b.Context(), filepath.Join(b.TempDir(), "quietpost.db"), sqlite.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer store.Close()
	box := watch(b, store, l.Ports.IMAPS, l.CAFile, 0)
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan struct{})
	go func() { defer close(done); box.Run(ctx) }()
	defer func() { cancel(); <-done }()
	for !box.Status().Connected {
		time.Sleep(time.Millisecond)
	}
	var all []float64
	for b.Loop() {
		time.Sleep(3 * time.Second) // beyond the second look that follows a mail
		n := int64(len(all)) + 1
		raw := fmt.Sprintf("From: ana@lab.test\r\nTo: %s\r\nSubject: %d\r\nMessage-ID: <%d@lab.test>\r\n\r\nText.\r\n", maillab.Address("inbox"), n, n)
		if err := l.DeliverLocal("ana@lab.test", maillab.Address("inbox"), strings.NewReader(raw)); err != nil {
			b.Fatal(err)
		}
		start := time.Now()
		for {
			if newest, err := store.Newest(ctx); err != nil || newest >= n {
				break
			}
			time.Sleep(time.Millisecond)
		}
		all = append(all, time.Since(start).Seconds()*1000)
	}
	slices.Sort(all)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(all[len(all)/2], "ms-median")
	b.ReportMetric(all[len(all)-1], "ms-slowest")
}

// watch makes a mailbox as the daemon does.
func watch(b *testing.B, store *sqlite.DB, port int, ca string, since time.Duration) *mailbox.Mailbox {
	in := &digest.Intake{Store: store}
	if err := in.SetPolicy(b.Context(), digest.NewPolicy(digest.Policy{})); err != nil {
		b.Fatal(err)
	}
	box, err := mailbox.New(mailbox.Options{Name: "updates", Address: maillab.Address("inbox"), Host: "localhost", Port: port,
		CAFile: ca, Username: maillab.Address("inbox"), Since: since, Trust: "inside",
		Password: func() (string, error) { return maillab.Password("inbox"), nil }, Intake: in, Now: time.Now})
	if err != nil {
		b.Fatal(err)
	}
	return box
}
