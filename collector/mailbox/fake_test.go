package mailbox

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
	"github.com/emersion/go-imap/v2/imapserver/imapmemserver"

	"quietpost/digest"
)

// fakeIntake keeps deliveries in memory, as a store would: one for each key, and the mark moves with them.
type fakeIntake struct {
	mu         sync.Mutex
	marks      map[string]digest.Mark
	kept       []digest.Delivery // in order, without duplicates
	dups       int
	batches    int // transactions of AcceptBatch
	projects   map[string]bool
	threads    map[string][2]string // by message id
	full       bool                 // ErrUnavailable
	refused    int                  // how often it was
	badTitle   string               // items with this title cannot be stored
	failThread error
	backwards  int // marks that moved back
}

func newIntake() *fakeIntake {
	return &fakeIntake{marks: map[string]digest.Mark{}, projects: map[string]bool{}, threads: map[string][2]string{}}
}

func (f *fakeIntake) Accept(_ context.Context, d digest.Delivery) (digest.Result, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.full {
		f.refused++
		return digest.Result{}, digest.ErrUnavailable
	}
	for _, it := range d.Items {
		if f.badTitle != "" && it.Title == f.badTitle {
			return digest.Result{}, io.ErrUnexpectedEOF
		}
	}
	if d.Mark != nil && f.marks[d.Mark.Inbox].UID > d.Mark.UID && f.marks[d.Mark.Inbox].UIDValidity == d.Mark.UIDValidity {
		f.backwards++
	}
	if d.Mark != nil {
		f.marks[d.Mark.Inbox] = *d.Mark
	}
	res := digest.Result{State: d.Receipt.State, Reason: d.Receipt.Reason}
	for _, k := range f.kept {
		if k.Receipt.Key == d.Receipt.Key {
			f.dups++
			res.Duplicate = true
			return res, nil
		}
	}
	for _, it := range d.Items {
		if it.MessageID != "" {
			f.threads[it.MessageID] = [2]string{it.Project, it.Thread}
		}
		res.Items = append(res.Items, digest.ItemRef{Project: it.Project, Urgent: it.Urgent})
	}
	f.kept = append(f.kept, d)
	return res, nil
}

func (f *fakeIntake) AcceptBatch(ctx context.Context, ds []digest.Delivery) (results []digest.Result, err error) {
	f.set(func() { f.batches++ })
	for _, d := range ds {
		for _, it := range d.Items {
			if f.badTitle != "" && it.Title == f.badTitle {
				return nil, io.ErrUnexpectedEOF
			}
		}
	}
	for _, d := range ds {
		res, err := f.Accept(ctx, d)
		if err != nil {
			return nil, err
		}
		results = append(results, res)
	}
	return results, nil
}

func (f *fakeIntake) Mark(_ context.Context, inbox string) (digest.Mark, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	m, ok := f.marks[inbox]
	if !ok {
		return m, digest.ErrNotFound
	}
	return m, nil
}

func (f *fakeIntake) SetMark(_ context.Context, m digest.Mark) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.full {
		return digest.ErrUnavailable
	}
	f.marks[m.Inbox] = m
	return nil
}

func (f *fakeIntake) KnownProject(key string) bool { return f.projects[key] }

func (f *fakeIntake) ThreadOf(_ context.Context, ids []string) (string, string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.failThread != nil {
		return "", "", f.failThread
	}
	for _, id := range ids {
		if t, ok := f.threads[id]; ok {
			return t[0], t[1], nil
		}
	}
	return "", "", digest.ErrNotFound
}

func (f *fakeIntake) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

// titles are those of all items kept, in order.
func (f *fakeIntake) titles() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []string
	for _, d := range f.kept {
		for _, it := range d.Items {
			out = append(out, it.Title)
		}
	}
	return out
}

func (f *fakeIntake) count(state string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, d := range f.kept {
		if d.Receipt.State == state {
			n++
		}
	}
	return n
}

func (f *fakeIntake) mark() digest.Mark {
	m, _ := f.Mark(context.Background(), "updates")
	return m
}

// lab is an IMAP server on loopback that can be stopped and started again on the same port.
type lab struct {
	t      *testing.T
	mem    *imapmemserver.Server
	user   *imapmemserver.User
	port   int
	ln     net.Listener
	server *imapserver.Server
	served chan struct{} // closed when the server has left its listener
	tls    *tls.Config
	mode   string
	caps   imap.CapSet
}

func newLab(t *testing.T) *lab { return newTLSLab(t, TLSNone, tls.Certificate{}) }

func newTLSLab(t *testing.T, mode string, cert tls.Certificate) *lab {
	l := &lab{t: t, mode: mode, tls: &tls.Config{Certificates: []tls.Certificate{cert}}, mem: imapmemserver.New(), user: imapmemserver.NewUser("updates", "secret"),
		caps: imap.CapSet{imap.CapIMAP4rev1: {}, imap.CapIdle: {}}}
	l.mem.AddUser(l.user)
	if err := l.user.Create("INBOX", nil); err != nil {
		t.Fatal(err)
	}
	l.start()
	t.Cleanup(l.halt)
	return l
}

func (l *lab) start() {
	l.t.Helper()
	var ln net.Listener
	eventually(l.t, "the port is free", func() bool {
		var err error
		ln, err = net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: l.port})
		return err == nil
	})
	l.ln, l.port = ln, ln.Addr().(*net.TCPAddr).Port
	l.server = imapserver.New(&imapserver.Options{
		NewSession: func(*imapserver.Conn) (imapserver.Session, *imapserver.GreetingData, error) {
			return l.mem.NewSession(), nil, nil
		},
		Caps: l.caps, InsecureAuth: l.mode == TLSNone, Logger: slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo),
		TLSConfig: map[bool]*tls.Config{true: l.tls}[l.mode == TLSStart],
	})
	if l.mode == TLSImplicit {
		ln = tls.NewListener(ln, l.tls)
	}
	server, served := l.server, make(chan struct{})
	l.served = served
	go func() { defer close(served); server.Serve(ln) }()
}

func (l *lab) halt() {
	l.ln.Close()
	<-l.served // the server may not have got round to its listener yet, and its Close must not come in between
	l.server.Close()
}

// put delivers a mail; zero time is now.
func (l *lab) put(raw string, at time.Time) {
	l.t.Helper()
	raw = strings.ReplaceAll(raw, "\n", "\r\n")
	if _, err := l.user.Append("INBOX", literal{bytes.NewReader([]byte(raw))}, &imap.AppendOptions{Time: at}); err != nil {
		l.t.Fatal(err)
	}
}

type literal struct{ *bytes.Reader }

func (l literal) Size() int64 { return l.Reader.Size() }

// mailOf is a plain mail with this subject.
func mailOf(subject string) string {
	return "From: Ana Lima <ana@example.com>\nTo: updates@example.com\nSubject: " + subject + "\nMessage-ID: <" +
		strings.ReplaceAll(subject, " ", "-") + "@example.com>\n\nAll of " + subject + ".\n"
}

func (l *lab) options(in Intake) Options {
	return Options{Name: "updates", Address: "updates@example.com", Host: "127.0.0.1", Port: l.port, TLS: TLSNone,
		Username: "updates", Password: func() (string, error) { return "secret", nil }, Poll: 200 * time.Millisecond,
		Intake: in, Now: time.Now}
}

// run runs a mailbox until the test ends or the returned function is called.
func run(t *testing.T, o Options, change ...func(*Mailbox)) (*Mailbox, func()) {
	t.Helper()
	m, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range change {
		c(m)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	var once sync.Once
	stop := func() {
		once.Do(func() {
			cancel()
			select {
			case err := <-done:
				if err != nil {
					t.Errorf("Run: %v", err)
				}
			case <-time.After(10 * time.Second):
				t.Error("Run does not end with its context")
			}
		})
	}
	t.Cleanup(stop)
	return m, stop
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("this did not come about: %s", what)
}
