package test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"quietpost/collector/mailbox"
	"quietpost/digest"
	"quietpost/store/sqlite"
	"quietpost/test/maillab"
)

// TestChaosIMAP delivers mail steadily into a real Dovecot while everything is done to it that happens to mail servers,
// and asks in the end: is every mail exactly one item, and was none harmed? QUIETPOST_CHAOS is for how long (1m).
func TestChaosIMAP(t *testing.T) {
	t.Parallel()
	length, old := time.Minute, 20_000
	if s := os.Getenv("QUIETPOST_CHAOS"); s != "" {
		var err error
		if length, err = time.ParseDuration(s); err != nil {
			t.Fatal(err)
		}
		old = 100_000
	}
	l := maillab.Start(t)
	c := &chaos{t: t, l: l, proxy: newProxy(t, l.Ports.IMAPS), long: length > 2*time.Minute, faults: map[string]int{}, alike: map[string]bool{}}
	if err := l.Fill("inbox", old, time.Now().Add(-400*24*time.Hour),
		func(int) string { return "Old news.\r\n" }); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d old mails", old)
	c.watch(t)
	c.wait("first contact", 2*time.Minute, func() bool { return c.box.Status().Connected })

	end := time.Now().Add(length)
	delivered := make(chan struct{})
	go func() {
		defer close(delivered)
		c.deliver(end)
	}()
	for kinds := c.kinds(); time.Now().Before(end); {
		for _, i := range rand.Perm(len(kinds)) {
			if time.Now().After(end) {
				break
			}
			k := kinds[i]
			t.Logf("%s: %s", time.Now().Format(time.TimeOnly), k.name)
			if err := k.do(); err != nil {
				t.Errorf("%s: %v", k.name, err)
			}
			c.faults[k.name]++
			time.Sleep(time.Duration(500+rand.IntN(2500)) * time.Millisecond)
		}
	}
	<-delivered
	c.wait("every mail is an item", 5*time.Minute, func() bool { return len(c.missing()) == 0 })
	time.Sleep(3 * time.Second) // a mail that comes twice would come now
	c.judge(old)
}

// chaos is one run.
type chaos struct {
	t      *testing.T
	l      *maillab.Lab
	proxy  *proxy
	store  *sqlite.DB
	box    *mailbox.Mailbox
	reg    *prometheus.Registry
	long   bool
	faults map[string]int

	mu    sync.Mutex
	sent  []string        // titles
	alike map[string]bool // of them: without a Message-ID and handed over again, so that nobody can tell two copies from two mails
}

// watch starts the inbox as the daemon does, with a store on disk.
func (c *chaos) watch(t *testing.T) {
	var err error
	if c.store, err = sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "quietpost.db"), sqlite.Options{}); err != nil {
		t.Fatal(err)
	}
	in := &digest.Intake{Store: c.store}
	if err := in.SetPolicy(t.Context(), digest.NewPolicy(digest.Policy{})); err != nil {
		t.Fatal(err)
	}
	c.reg = prometheus.NewRegistry()
	log, err := os.Create(filepath.Join(os.TempDir(), fmt.Sprintf("quietpost-chaos-imap-%d.log", os.Getpid())))
	if err != nil {
		t.Fatal(err)
	}
	c.box, err = mailbox.New(mailbox.Options{Name: "updates", Address: maillab.Address("inbox"), Host: "localhost", Port: c.proxy.port(),
		CAFile: c.l.CAFile, Username: maillab.Address("inbox"), Poll: 5 * time.Second, Trust: "inside",
		Password: func() (string, error) { return maillab.Password("inbox"), nil },
		Intake:   in, Now: time.Now, Log: slog.New(slog.NewTextHandler(log, nil)), Metrics: mailbox.NewMetrics(c.reg)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); c.box.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		<-done
		if err := errors.Join(c.store.Close(), log.Close()); err != nil {
			t.Error(err)
		}
		if !t.Failed() {
			os.Remove(log.Name())
		} else {
			t.Logf("the inbox's log is %s", log.Name())
		}
	})
}

// deliver hands mails to Dovecot by LMTP, five a second, each until it is taken: one that broke off may be there twice, under two
// Received fields. Several people write them: a thousand an hour are too many for one.
func (c *chaos) deliver(end time.Time) {
	for i := 0; time.Now().Before(end); i++ {
		title := fmt.Sprintf("update %06d", i)
		head := fmt.Sprintf("From: ana%d@lab.test\r\nTo: %s\r\nSubject: %s\r\nDate: %s\r\n", i%7, maillab.Address("inbox"), title, time.Now().Format(time.RFC1123Z))
		switch i % 10 {
		case 3: // without a Message-ID
		case 5: // one that is used again and again
			head += "Message-ID: <same@lab.test>\r\n"
		default:
			head += fmt.Sprintf("Message-ID: <%d@lab.test>\r\n", i)
		}
		body := fmt.Sprintf("This is %d.\r\n", i) + strings.Repeat("It has some more text.\r\n", rand.IntN(2000))
		if i%300 == 299 { // large
			body += strings.Repeat(strings.Repeat("x", 70)+"\r\n", 8<<20/72)
		}
		again := false
		for c.l.DeliverLocal("ana@lab.test", maillab.Address("inbox"), strings.NewReader(head+"\r\n"+body)) != nil {
			again = true
			time.Sleep(100 * time.Millisecond)
		}
		c.mu.Lock()
		c.sent = append(c.sent, title)
		c.alike[title] = again && !strings.Contains(head, "Message-ID")
		c.mu.Unlock()
		time.Sleep(200 * time.Millisecond)
	}
}

type fault struct {
	name string
	do   func() error
}

// kinds are all that is done to the server.
func (c *chaos) kinds() []fault {
	inbox := maillab.Address("inbox")
	patience := 5 * time.Second
	if c.long {
		patience = 100 * time.Second // until the client has given up by itself
	}
	return []fault{
		{"restart", func() error { return errors.Join(c.l.StopIMAP(), c.l.StartIMAP()) }},
		{"down for a while", func() error {
			err := c.l.StopIMAP()
			time.Sleep(3 * time.Second)
			return errors.Join(err, c.l.StartIMAP())
		}},
		{"kick", func() error { _ = c.l.Kick("inbox"); return nil }}, // nobody may be there
		{"reset", func() error { c.proxy.reset(); return nil }},
		{"cut mid-FETCH", func() error {
			for range 3 {
				c.proxy.cut.Store(8000 + rand.Int64N(100_000))
				time.Sleep(time.Second)
			}
			c.proxy.cut.Store(0)
			return nil
		}},
		{"hang", func() error {
			c.until(10*time.Second, func() bool { return c.box.Status().Connected })
			c.proxy.hang.Store(true)
			defer c.proxy.hang.Store(false)
			c.until(patience, func() bool { return !c.box.Status().Connected })
			return nil
		}},
		{"half-open", func() error {
			c.until(10*time.Second, func() bool { return c.box.Status().Connected })
			c.proxy.half.Store(true)
			c.until(patience, func() bool { return !c.box.Status().Connected })
			c.proxy.half.Store(false)
			if !c.long {
				c.proxy.reset()
			}
			return nil
		}},
		{"UIDVALIDITY changed", func() error {
			_, err := c.l.Doveadm("mailbox", "update", "--uid-validity", fmt.Sprint(time.Now().Unix()-rand.Int64N(1e8)), "-u", inbox, "INBOX")
			return err
		}},
		{"dotfiles removed", func() error {
			files, err := filepath.Glob(filepath.Join(c.l.Dir, "mail", inbox, "Maildir", "dovecot*"))
			for _, f := range files {
				err = errors.Join(err, os.Remove(f))
			}
			return err
		}},
		{"marked as read by others", func() error {
			_, _ = c.l.Doveadm("flags", "add", "-u", inbox, `\Seen`, "mailbox", "INBOX", "sentsince", time.Now().Format(time.DateOnly))
			return nil
		}},
		{"moved by others", func() error {
			if titles := c.titles(); len(titles) > 0 {
				// It finds none where that mail was moved before, or where the mailbox is just being put in order.
				_, _ = c.l.Doveadm("move", "-u", inbox, "Archive", "mailbox", "INBOX", "subject", titles[rand.IntN(len(titles))])
			}
			return nil
		}},
	}
}

func (c *chaos) titles() (out []string) {
	for before := int64(0); ; {
		items, err := c.store.Items(context.Background(), digest.ItemQuery{Before: before, Limit: 1000})
		if err != nil {
			c.t.Error(err)
			return nil
		}
		for i := range items {
			out = append(out, items[i].Title)
			before = items[i].Number
		}
		if len(items) < 1000 {
			return out
		}
	}
}

// missing are the mails that Dovecot took and that are no item.
func (c *chaos) missing() []string {
	have := map[string]bool{}
	for _, title := range c.titles() {
		have[title] = true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(c.sent), func(s string) bool { return have[s] })
}

func (c *chaos) until(d time.Duration, ok func() bool) bool {
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if ok() {
			return true
		}
	}
	return false
}

func (c *chaos) wait(what string, d time.Duration, ok func() bool) {
	c.t.Helper()
	if !c.until(d, ok) {
		missing := c.missing()
		c.t.Fatalf("this did not come about: %s; missing %d: %.300q; %+v", what, len(missing), missing, c.box.Status())
	}
}

// judge compares what was sent with what is stored and with what is in the mailbox.
func (c *chaos) judge(old int) {
	t := c.t
	count := map[string]int{}
	for _, title := range c.titles() {
		count[title]++
	}
	for title, n := range count {
		if n > 1 && !c.alike[title] || !slices.Contains(c.sent, title) {
			t.Errorf("%s is there %d times", title, n)
		}
	}
	held := 0
	for _, folder := range []string{"INBOX", "Archive"} {
		out, err := c.l.Doveadm("search", "-u", maillab.Address("inbox"), "mailbox", folder)
		if err != nil {
			t.Fatal(err)
		}
		held += strings.Count(out, "\n")
	}
	if held < old+len(c.sent) {
		t.Errorf("the mailbox holds %d mails, fewer than %d + %d", held, old, len(c.sent))
	}
	deleted, err := c.l.Doveadm("search", "-u", maillab.Address("inbox"), "mailbox", "INBOX", "deleted")
	if err != nil || deleted != "" {
		t.Errorf("marked as deleted: %q, %v", deleted, err)
	}
	if rs, err := c.store.Receipts(context.Background(), digest.Quarantined, 10); err != nil || len(rs) > 0 {
		t.Errorf("in quarantine: %v, %v", rs, err)
	}
	figures := fmt.Sprintf("%d mails sent, %d items; %d copies in the mailbox beside %d old ones; faults %v", len(c.sent), len(count), held-old, old, c.faults)
	families, err := c.reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if m.GetCounter() != nil {
				figures += fmt.Sprintf("; %s %v %v", f.GetName(), m.GetLabel(), m.GetCounter().GetValue())
			}
		}
	}
	t.Log(figures)
}
