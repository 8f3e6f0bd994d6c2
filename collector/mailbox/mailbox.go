// Package mailbox is the IMAP door: it watches one inbox and hands every mail in it to the intake, with the mark that
// says how far the inbox has been read, in one transaction. Nothing is changed in the mailbox (EXAMINE) unless `after`
// asks for it, and nothing is ever deleted, so that whatever happens here can be read again.
//
// The files stand in the order in which a mail meets them: mailbox.go (Run keeps one session up, for ever), conn.go
// (bounds on time and bytes), login.go and oauth2.go, session.go (open, list, wait), fetch.go (bytes in batches),
// failing.go (what cannot be fetched), deliver.go and project.go (a mail's bytes to a receipt and its items), store.go
// (many in one transaction), after.go (what becomes of the mail). metrics.go and probe.go show how it is doing.
package mailbox

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"regexp"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"

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
	// AcceptBatch is Accept for several, in one transaction: all or none.
	AcceptBatch(ctx context.Context, ds []digest.Delivery) ([]digest.Result, error)
	// Mark gives an inbox's mark; ErrNotFound before first contact.
	Mark(ctx context.Context, inbox string) (digest.Mark, error)
	// SetMark writes an inbox's mark where no mail is taken in.
	SetMark(ctx context.Context, m digest.Mark) error
	// KnownProject tells whether there is a project, or an alias of one, of this key.
	KnownProject(key string) bool
	// ThreadOf finds the project and thread of the newest item that came by one of these mails; ErrNotFound.
	ThreadOf(ctx context.Context, messageIDs []string) (project, thread string, err error)
}

// Desk is what commands by mail go to.
type Desk interface {
	// Take carries a mail out and answers it, once whatever how often it is called; handled is false for one that is no command.
	Take(ctx context.Context, m digest.DeskMail) (why digest.Reason, handled bool, err error)
	// Kept is told of an answer to another mail that became an item.
	Kept(ctx context.Context, m digest.DeskMail) error
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
	OAuth2   *OAuth2                // logs in with a token instead of a password; nil: no
	Folder   string                 // default INBOX
	After    string                 // AfterKeep (default), AfterSeen or AfterMove and a folder

	Since   time.Duration // how much of the past to take in at first contact
	Kept    time.Duration // how long receipts are kept: older mails are not read again, since nobody would know them; 0: for ever
	Poll    time.Duration // how often to look, also beside IDLE; default a minute
	Accept  []string      // patterns of addresses that may post; default all of the address's own domain
	Trust   string        // "inside", an authserv-id, or empty: our own DKIM check
	Project string        // of mail that names none

	Intake    Intake
	Leave     func(ctx context.Context, token string) error                                // ends what a signed link is for; nil: such mail is quarantined
	Desk      Desk                                                                         // nil: commands are quarantined
	Thread    func(ctx context.Context, itemID string) (project, thread string, err error) // of an item; digest.ErrNotFound; nil: none
	Bounce    func(ctx context.Context, b digest.Bounce) error                             // takes what delivery reports say; nil: they are only kept
	Titled    func(ctx context.Context, project, title string) (thread string, err error)  // of the newest items; digest.ErrNotFound; nil: none
	Now       func() time.Time
	Log       *slog.Logger
	LookupTXT func(ctx context.Context, name string) ([]string, error) // nil: no DKIM check; net.Resolver's fits
	Metrics   *Metrics                                                 // nil: none
}

// A Status says how the inbox is doing.
type Status struct {
	Connected   bool
	Since       time.Time // when Connected last changed; zero before the first try has ended
	LastContact time.Time // when the server last answered
	LastMail    time.Time // when a mail was last taken in
	Behind      int       // mails that are listed and not yet taken in
	Err         string    // why it is not connected
	Refused     bool      // because the login is refused
	AfterErr    string    // what the server says to `after`; empty while all is well
	AfterSince  time.Time // from when on
}

// A Mailbox watches one inbox.
type Mailbox struct {
	o     Options
	local string // of the address
	host  string // of the address

	mayPost *regexp.Regexp // what addresses it matches

	mu      sync.Mutex
	status  Status
	senders map[string]map[uint64]time.Time // when the mails of a sender arrived, by the mail: those of the last hour
	seed    maphash.Seed

	// These are of the one goroutine of Run, and outlive sessions.
	failing  failing
	survived survived
	passed   time.Time // when a mail was last passed over

	// How a mail is read, and for how long at most.
	read     func([]byte, reader.Options) reader.Reading
	readTime time.Duration

	again    time.Duration // when to look again after mail came in
	patience time.Duration // how long the server may refuse a mail before that is passed over
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
	if o.After == "" {
		o.After = AfterKeep
	}
	if o.Poll <= 0 {
		o.Poll = time.Minute
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	o.Log = o.Log.With("inbox", o.Name)
	address, err := digest.NormalizeAddress(o.Address)
	if err != nil {
		return nil, fmt.Errorf("inbox %s: %w", o.Name, err)
	}
	m := &Mailbox{o: o, read: reader.Read, readTime: 30 * time.Second, again: 500 * time.Millisecond, patience: refusedTime}
	m.local, m.host, _ = strings.Cut(address, "@")
	if len(m.o.Accept) == 0 {
		m.o.Accept = []string{"*@" + m.host}
	}
	if m.mayPost, err = mayPost(m.o.Accept); err != nil {
		return nil, fmt.Errorf("inbox %s: who may post: %w", o.Name, err)
	}
	return m, nil
}

// Status says how the inbox is doing; from any goroutine.
func (m *Mailbox) Status() Status {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.status
}

// TokenRunsOut is when the inbox's refresh token runs out; zero where that is not known.
func (m *Mailbox) TokenRunsOut() time.Time {
	if m.o.OAuth2 == nil {
		return time.Time{}
	}
	return m.o.OAuth2.RunsOut()
}

// pace is how long to wait between two tries: half a second, and ever longer (with jitter) up to a minute while no
// session comes to anything. A login that is refused is tried once more at once, and then four times in the first half
// hour and every ten minutes, since servers lock an account, or us out, after five in ten minutes.
type pace struct {
	wait    *backoff.ExponentialBackOff
	refused int // logins in a row
}

func newPace() *pace {
	p := &pace{wait: backoff.NewExponentialBackOff()}
	p.wait.MaxInterval = time.Minute
	return p
}

// healthy is told of a session that works.
func (p *pace) healthy() {
	p.refused = 0
	p.wait.Reset()
}

// after is how long to wait after a session that ended so.
func (p *pace) after(err error) time.Duration {
	if !errors.As(err, new(*LoginError)) {
		return p.wait.NextBackOff()
	}
	if p.refused++; p.refused == 1 {
		return p.wait.NextBackOff()
	}
	return min(2*time.Minute<<min(p.refused-2, 3), 10*time.Minute)
}

// Run watches the inbox until ctx ends, and returns nil then. When a session fails it is begun anew, for ever.
func (m *Mailbox) Run(ctx context.Context) error {
	defer m.o.Metrics.forget(m.o.Name)
	pace := newPace()
	for {
		before := m.Status().LastMail
		err := m.session(ctx, pace.healthy)
		if m.Status().LastMail != before {
			pace.healthy()
		}
		if ctx.Err() != nil {
			m.note(func(s *Status) { s.Connected = false })
			return nil
		}
		m.down(err)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pace.after(err)):
		}
	}
}

// session runs one connection; a panic in it ends it like any other fault.
func (m *Mailbox) session(ctx context.Context, healthy func()) (err error) {
	defer func() {
		if p := recover(); p != nil {
			m.o.Log.Error("inbox: a fault in quietpost itself", "panic", p, "stack", string(debug.Stack()))
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
	m.o.Metrics.show(m.o.Name, &m.status)
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
			m.o.Log.Info("inbox connected", "host", m.o.Host, "folder", m.o.Folder)
			s.Connected, s.Since, s.Err, s.Refused = true, now, "", false
		}
		s.LastContact = now
	})
}

func (m *Mailbox) down(err error) {
	if err == nil {
		err = errors.New("the server closed the connection")
	}
	m.o.Metrics.failure(m.o.Name)
	now := m.o.Now()
	m.note(func(s *Status) {
		text := digest.OneLine(err.Error(), 300)
		if s.Connected || s.Since.IsZero() {
			m.o.Log.Warn("inbox not reachable, trying again until it is", "host", m.o.Host, "error", text)
			s.Connected, s.Since = false, now
		} else {
			m.o.Log.Debug("inbox still not reachable", "error", text)
		}
		s.Err, s.Refused = text, errors.As(err, new(*LoginError))
	})
}

// behind notes how many mails wait on the server.
func (m *Mailbox) behind(n int) { m.note(func(s *Status) { s.Behind = n }) }

// refused tells of what the server says to `after`, once; nil is that it has done it.
func (m *Mailbox) refused(err error) {
	now := m.o.Now()
	m.note(func(s *Status) {
		switch {
		case err == nil:
			s.AfterErr = ""
		case s.AfterErr == "":
			m.o.Log.Warn("inbox: the server does not do what `after` asks for; the mails are stored and stay as they are",
				"after", m.o.After, "error", err)
			s.AfterSince = now
			fallthrough
		default:
			s.AfterErr = digest.OneLine(err.Error(), 300)
		}
	})
}

// stored counts and logs mails that are on disk; arrived is when the server had the last of them.
func (m *Mailbox) stored(ds []digest.Delivery, results []digest.Result, arrived time.Time) {
	now := m.o.Now()
	m.note(func(s *Status) { s.LastMail = now })
	m.o.Metrics.lagged(m.o.Name, now.Sub(arrived))
	for i, res := range results {
		state := res.State
		if res.Duplicate {
			state = "duplicate"
		}
		m.counted(state)
		m.o.Log.Info("mail", "uid", ds[i].Mark.UID, "state", state, "items", len(res.Items), "reason", res.Reason)
	}
}

func (m *Mailbox) counted(state string) { m.o.Metrics.mail(m.o.Name, state) }
