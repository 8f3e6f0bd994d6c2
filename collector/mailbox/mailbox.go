// Package mailbox is the IMAP door: it watches one inbox and hands every mail in it to the intake, each with the mark
// that says how far the inbox has been read, in one transaction. Nothing is ever changed in the mailbox (EXAMINE), so
// that whatever happens here can be read again.
//
// The files stand in the order in which a mail meets them: mailbox.go (Run keeps one session up, for ever), conn.go
// (bounds on time and bytes), session.go (IMAP), deliver.go and project.go (a mail's bytes to a receipt and its items).
package mailbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/prometheus/client_golang/prometheus"

	"quietpost/collector/reader"
	"quietpost/digest"
)

// Tool is the Tool of all receipts and items of this door.
const Tool = "mail"

// MaxMail is the size in bytes up to which the raw bytes of a mail are kept. Of a larger one its first MaxMail bytes are
// read, and its header and text kept, with a note where the mail lies.
const MaxMail = 5 << 20

// TLS says how a connection is secured.
const (
	TLSImplicit = "implicit" // from the first byte, port 993 (RFC 8314); the default
	TLSStart    = "starttls" // port 143
	TLSNone     = "none"     // not at all: for loopback and trusted networks
)

// Intake is what this door needs of the domain.
type Intake interface {
	// Accept decides and stores a delivery with its mark in one transaction. ErrUnavailable means that it cannot be put
	// on disk now and is to be asked again.
	Accept(ctx context.Context, d digest.Delivery) (digest.Result, error)
	// Mark gives an inbox's mark; ErrNotFound before first contact.
	Mark(ctx context.Context, inbox string) (digest.Mark, error)
	// SetMark writes an inbox's mark where no mail is taken in.
	SetMark(ctx context.Context, m digest.Mark) error
	// KnownProject tells whether there is a project, or an alias of one, of this key.
	KnownProject(key string) bool
	// ThreadOf finds the project and thread of the newest item that came by one of these mails; ErrNotFound.
	ThreadOf(ctx context.Context, messageIDs []string) (project, thread string, err error)
}

// Options of one inbox.
type Options struct {
	Name     string // of the source
	Address  string // the inbox's mail address; what stands behind + or . in it names a project
	Host     string
	Port     int    // 0: 993 with TLSImplicit, else 143
	TLS      string // TLSImplicit (default), TLSStart or TLSNone
	CAFile   string // PEM file of certificates to trust beside the system's
	Username string
	Password func() (string, error) // asked at every login, so that a new one is taken up
	Folder   string                 // default INBOX

	Since   time.Duration // how much of the past to take in at first contact
	Poll    time.Duration // how often to look, also beside IDLE; default a minute
	Accept  []string      // patterns of addresses that may post; default all of the address's own domain
	Trust   string        // "inside", an authserv-id, or empty: our own DKIM check
	Project string        // of mail that names none

	Intake    Intake
	Leave     func(ctx context.Context, token string) error // ends what a signed link is for; nil: such mail is quarantined
	Bounce    func(ctx context.Context, b digest.Bounce) error // takes what delivery reports say; nil: they are only kept
	Now       func() time.Time
	Log       *slog.Logger
	LookupTXT func(ctx context.Context, name string) ([]string, error) // nil: no DKIM check; net.Resolver's fits
	Registry  prometheus.Registerer                                    // nil: no metrics
}

// A Status says how the inbox is doing.
type Status struct {
	Connected   bool
	Since       time.Time // when Connected last changed; zero before the first try has ended
	LastContact time.Time // when the server last answered
	LastMail    time.Time // when a mail was last taken in
	Err         string    // why it is not connected
}

// A Mailbox watches one inbox.
type Mailbox struct {
	o     Options
	local string // of the address
	host  string // of the address

	mu     sync.Mutex
	status Status

	failing failing // of the one goroutine of Run

	mails  *prometheus.CounterVec
	failed prometheus.Counter

	// How a mail is read, and for how long at most.
	read     func([]byte, reader.Options) reader.Reading
	readTime time.Duration

	again time.Duration // when to look again after mail came in
}

// New makes a Mailbox; it connects in Run. An error is a fault of the options.
func New(o Options) (*Mailbox, error) {
	if o.TLS == "" {
		o.TLS = TLSImplicit
	}
	if o.Port == 0 {
		o.Port = 143
		if o.TLS == TLSImplicit {
			o.Port = 993
		}
	}
	if o.Folder == "" {
		o.Folder = "INBOX"
	}
	if o.Poll <= 0 {
		o.Poll = time.Minute
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	address, err := digest.NormalizeAddress(o.Address)
	if err != nil {
		return nil, fmt.Errorf("inbox %s: %w", o.Name, err)
	}
	m := &Mailbox{o: o, read: reader.Read, readTime: 30 * time.Second, again: 2 * time.Second}
	m.local, m.host, _ = strings.Cut(address, "@")
	if len(m.o.Accept) == 0 {
		m.o.Accept = []string{"*@" + m.host}
	}
	if err := m.register(o.Registry); err != nil {
		return nil, fmt.Errorf("inbox %s: %w", o.Name, err)
	}
	return m, nil
}

// Status says how the inbox is doing; from any goroutine.
func (m *Mailbox) Status() Status {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.status
}

// Run watches the inbox until ctx ends, and returns nil then. When a session fails it is begun anew, after half a second
// and then ever later, up to a minute.
func (m *Mailbox) Run(ctx context.Context) error {
	wait := backoff.NewExponentialBackOff()
	for {
		err := m.session(ctx, wait.Reset)
		if ctx.Err() != nil {
			m.note(func(s *Status) { s.Connected = false })
			return nil
		}
		m.down(err)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait.NextBackOff()):
		}
	}
}

// session runs one connection; a panic in it ends it like any other fault.
func (m *Mailbox) session(ctx context.Context, healthy func()) (err error) {
	defer func() {
		if p := recover(); p != nil {
			m.o.Log.Error("inbox: a fault in quietpost itself", "inbox", m.o.Name, "panic", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("a fault in quietpost itself: %v", p)
		}
	}()
	s, err := m.connect(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	return s.why(s.watch(ctx, healthy))
}

func (m *Mailbox) note(change func(*Status)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change(&m.status)
}

func (m *Mailbox) contact() {
	now := m.o.Now()
	m.note(func(s *Status) { s.LastContact = now })
}

// up and down tell of a change of state, once.
func (m *Mailbox) up() {
	now := m.o.Now()
	m.note(func(s *Status) {
		if !s.Connected {
			m.o.Log.Info("inbox connected", "inbox", m.o.Name, "host", m.o.Host, "folder", m.o.Folder)
			*s = Status{Connected: true, Since: now, LastMail: s.LastMail}
		}
		s.LastContact = now
	})
}

func (m *Mailbox) down(err error) {
	if err == nil {
		err = errors.New("the server closed the connection")
	}
	m.failed.Inc()
	now := m.o.Now()
	m.note(func(s *Status) {
		text := digest.OneLine(err.Error(), 300)
		if s.Connected || s.Since.IsZero() {
			m.o.Log.Warn("inbox not reachable, trying again until it is", "inbox", m.o.Name, "host", m.o.Host, "error", text)
			s.Connected, s.Since = false, now
		} else {
			m.o.Log.Debug("inbox still not reachable", "inbox", m.o.Name, "error", text)
		}
		s.Err = text
	})
}

func (m *Mailbox) register(reg prometheus.Registerer) error {
	m.mails = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "quietpost_inbox_mails_total",
		Help: "Mails read, by what became of them."}, []string{"state"})
	m.failed = prometheus.NewCounter(prometheus.CounterOpts{Name: "quietpost_inbox_failures_total",
		Help: "Sessions with the mail server that failed."})
	if reg == nil {
		return nil
	}
	gauge := func(name, help string, value func(Status) float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help},
			func() float64 { return value(m.Status()) })
	}
	reg = prometheus.WrapRegistererWith(prometheus.Labels{"inbox": m.o.Name}, reg)
	for _, c := range []prometheus.Collector{m.mails, m.failed,
		gauge("quietpost_inbox_connected", "1 while the inbox is being watched.", func(s Status) float64 {
			if s.Connected {
				return 1
			}
			return 0
		}),
		gauge("quietpost_inbox_last_contact_timestamp_seconds", "When the mail server last answered.", func(s Status) float64 {
			if s.LastContact.IsZero() {
				return 0
			}
			return float64(s.LastContact.Unix())
		}),
	} {
		if err := reg.Register(c); err != nil {
			return err
		}
	}
	return nil
}
