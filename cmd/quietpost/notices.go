package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"quietpost/digest"
	"quietpost/mailer"
)

// operatorsLoop is the loop that tells the operators.
const operatorsLoop = "operators"

// A health is what is known of disk and clock, and what the operators were told.
type health struct {
	notices digest.Notices // of one loop

	mu     sync.Mutex
	clock  digest.Clock
	fault  error         // why the database cannot be written, until it can
	at     time.Duration // when that was seen last
	probed time.Duration
}

const (
	probeEvery = time.Minute      // while nothing is wrong
	probeAfter = 10 * time.Second // and this long after a write failed, every second
)

// upFor is a clock that nobody can set and that goes on while the machine sleeps.
func (e *env) upFor() time.Duration {
	if e.uptime != nil {
		return e.uptime()
	}
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &t); err != nil {
		panic(err) // a kernel of before 2011
	}
	return time.Duration(t.Nano())
}

// noting is a store of which the daemon notes what could not be written.
type noting struct {
	digest.IntakeStore
	h *house
}

func (n noting) AddItems(ctx context.Context, d digest.Delivery) (digest.Result, error) {
	res, err := n.IntakeStore.AddItems(ctx, d)
	n.h.noteDisk(err)
	return res, err
}

func (n noting) AddBatch(ctx context.Context, ds []digest.Delivery) ([]digest.Result, error) {
	res, err := n.IntakeStore.AddBatch(ctx, ds)
	n.h.noteDisk(err)
	return res, err
}

// noteDisk notes an error if it says that the database cannot be written.
func (h *house) noteDisk(err error) {
	if !errors.Is(err, digest.ErrUnavailable) {
		return
	}
	s := &h.health
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fault == nil {
		h.log.Error("the database cannot be written; what is posted is refused until it can", "error", err)
	}
	s.fault, s.at = err, h.e.upFor()
}

func (s *health) disk() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fault
}

// probe finds out by writing whether the database can be written.
func (h *house) probe(ctx context.Context) {
	s, up := &h.health, h.e.upFor()
	s.mu.Lock()
	due := s.fault == nil && up-s.probed >= probeEvery || s.fault != nil && up-s.at >= probeAfter
	if due {
		s.probed = up
	}
	had := s.fault
	s.mu.Unlock()
	if !due || had != nil && !room(h.gen.Load().cfg.dataDir) {
		return
	}
	if err := h.store.Probe(ctx); err != nil {
		h.noteDisk(err)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fault != nil {
		h.log.Info("the database can be written again")
		s.fault = nil
	}
}

// room tells whether there is more on a disk than the little that a probe needs: a twentieth, at most 16 MB.
func room(dir string) bool {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return true // then the probe has the word
	}
	return s.Bavail*uint64(s.Bsize) >= min(16<<20, s.Blocks*uint64(s.Bsize)/20)
}

// steady looks at the clock, and tells whether to take things away for their age.
func (h *house) steady() bool {
	s := &h.health
	s.mu.Lock()
	defer s.mu.Unlock()
	up := h.e.upFor()
	if jump := s.clock.Look(h.e.now(), up); jump != 0 {
		h.log.Warn("the clock was set; nothing is taken away for its age until it has been right for six hours", "by", length(jump))
	}
	return s.clock.Steady(up)
}

// lastRan tells the clock when the daemon was seen running last: it may have been set since.
func (h *house) lastRan(ctx context.Context) error {
	now := h.e.now()
	hours, err := h.store.SourceHours(ctx, now)
	if err != nil {
		return err
	}
	var last time.Time
	for _, s := range hours {
		if s.Source == "" && s.Last.After(last) {
			last = s.Last
		}
	}
	h.health.clock.LastRan(last, now, h.e.upFor())
	return nil
}

// tickNotices tells the operators what keeps the service from its work, and that it is over.
func (h *house) tickNotices(ctx context.Context, g *generation) error {
	h.steady()
	h.probe(ctx)
	up := h.e.upFor()
	var all error
	for _, n := range h.health.notices.Next(up, h.found(g, up)) {
		if err := h.announce(ctx, g, &n); err != nil {
			all = errors.Join(all, err)
			if !n.Over {
				h.health.notices.Untold(up, n.Cause)
			}
		}
	}
	return all
}

// found are the faults there are now. All that comes of a disk that is full is one fault.
func (h *house) found(g *generation, up time.Duration) (out []digest.Fault) {
	s := &h.health
	s.mu.Lock()
	fault, by := s.fault, s.clock.Set(up)
	s.mu.Unlock()
	if fault != nil {
		out = append(out, digest.Fault{Cause: digest.FaultDisk, Text: fault.Error()})
	}
	if by != 0 {
		ahead := "ahead"
		if by < 0 {
			ahead = "back"
		}
		out = append(out, digest.Fault{Cause: digest.FaultClock, Text: length(by) + " " + ahead})
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.smtp != nil {
		out = append(out, digest.Fault{Cause: digest.FaultMail, Text: g.smtp.Error()})
	}
	for name, err := range g.faults {
		if name != operatorsLoop && !errors.Is(err, digest.ErrUnavailable) {
			out = append(out, digest.Fault{Cause: strings.Fields(name)[0], Text: err.Error()})
		}
	}
	return out
}

// announce tells one notice by the outbox, or past it where that cannot be written.
func (h *house) announce(ctx context.Context, g *generation, n *digest.Notice) error {
	if len(g.set.Operators) == 0 {
		return nil
	}
	now := h.e.now()
	subject, text := h.wordsOf(g, n, now)
	cause := n.Cause
	if n.Over {
		cause = "over/" + cause
	}
	err := fmt.Errorf("not tried: %w", digest.ErrUnavailable)
	if n.Over || n.Cause != digest.FaultDisk { // an outbox that takes the letter still might not let it go
		err = g.builder.Tell(ctx, now, g.set, cause, subject, text)
	}
	if errors.Is(err, digest.ErrUnavailable) {
		err = h.sendPast(ctx, g, cause, subject, text)
	}
	if err == nil {
		h.log.Info("the operators are told", "of", cause)
		kick(h.outbox)
	}
	return err
}

// sendPast sends letters to the operators without the outbox.
func (h *house) sendPast(ctx context.Context, g *generation, cause, subject, text string) error {
	letters, all := g.builder.Letters(h.e.now(), g.set, cause, subject, text)
	o, err := transportOptions(g.cfg, h.instance)
	if err != nil {
		return errors.Join(all, err)
	}
	t, err := mailer.NewTransport(o)
	if err != nil {
		return errors.Join(all, err)
	}
	defer t.Close()
	for i := range letters {
		ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
		if err := t.Send(ctx, &letters[i]); err != nil {
			all = errors.Join(all, fmt.Errorf("telling %s: %w", letters[i].To, err))
		}
		cancel()
	}
	return all
}

// wordsOf says in words what an operator can act on.
func (h *house) wordsOf(g *generation, n *digest.Notice, now time.Time) (subject, text string) {
	since := stamp(now.Add(-n.Lasted), g.cfg.TimeZone)
	for _, w := range []struct {
		cause, begins, what, over, rest string
	}{
		{digest.FaultDisk, "nothing can be stored", "The database in " + g.cfg.dataDir + " cannot be written since " + since + ":\n\n  " + n.Text +
			"\n\nWhat is posted is refused with 503, so that its senders try again; mails stay in their inboxes; digests and alerts wait. " +
			"Make room on the disk, or mend it: then it goes on by itself. This mail went past the outbox.",
			"it can be stored again", "What waited goes on: deliveries are taken, digests and alerts leave."},
		{digest.FaultMail, "no mail can be sent", "", "mail can be sent again",
			"No mail server took anything, so that you could not be told before. What waited in the outbox leaves now."},
		{digest.FaultClock, "the clock was set", "The machine's clock was set (" + n.Text + "); it now says " + stamp(now, g.cfg.TimeZone) +
			". If that is wrong, mend it: schedules go by it.\n\nUntil it has been right for six hours nothing is taken away for its age.",
			"the clock is believed again", "It has been right for a while, or was set back. Retention goes on."},
		{n.Cause, n.Cause + " cannot do its work", "Since " + since + " this part of quietpost fails:\n\n  " + n.Text +
			"\n\nIt is tried again every second. The log and /readyz say more.", n.Cause + " works again", "What waited for it goes on."},
	} {
		if w.cause != n.Cause {
			continue
		}
		if n.Over {
			return w.over, fmt.Sprintf("It lasted %s:\n\n  %s\n\n%s", length(n.Lasted), n.Text, w.rest)
		}
		return w.begins, w.what + "\n\nYou are told once more when this is over."
	}
	return n.Cause, n.Text // never: the last row is everybody's
}

// length is a length of time in words that need no arithmetic.
func length(d time.Duration) string {
	d = d.Abs()
	switch {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%d days", int(math.Round(d.Hours()/24)))
	case d >= 2*time.Hour:
		return fmt.Sprintf("%d hours", int(math.Round(d.Hours())))
	case d >= 2*time.Minute:
		return fmt.Sprintf("%d minutes", int(math.Round(d.Minutes())))
	}
	return fmt.Sprintf("%d seconds", int(math.Round(d.Seconds())))
}
