package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
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
	notices digest.Notices  // of one loop, like kept
	kept    map[string]bool // the causes that stand in the database as going

	mu           sync.Mutex
	clock        digest.Clock
	certificates map[string]certificate // by host and port
	fault        error                  // why the database cannot be written, until it can
	at           time.Duration          // when that was seen last
	probed       time.Duration
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

// resumeNotices takes up what the operators were told before and is not known to be over.
func (h *house) resumeNotices(ctx context.Context) error {
	troubles, err := h.store.Troubles(ctx)
	if err != nil {
		return err
	}
	going := map[string]time.Duration{}
	h.health.kept = map[string]bool{}
	for _, t := range troubles {
		if t.Source == "" {
			going[t.What], h.health.kept[t.What] = max(h.e.now().Sub(t.Since), 0), true
		}
	}
	h.health.notices.Resume(h.e.upFor(), going)
	return nil
}

// keepNotices writes down what was told, for resumeNotices.
func (h *house) keepNotices(ctx context.Context) error {
	if h.health.disk() != nil {
		return nil // it says itself that it can be written again
	}
	going, kept := h.health.notices.Going(h.e.upFor()), h.health.kept
	delete(going, digest.FaultClock) // it is looked at anew
	delete(going, digest.FaultMail)  // it is only told when it is over, which nobody knows before the first mail leaves
	for cause, lasted := range going {
		if kept[cause] {
			continue
		}
		if err := h.store.BeginTrouble(ctx, digest.Trouble{What: cause, Since: h.e.now().Add(-lasted)}); err != nil {
			return err
		}
		kept[cause] = true
	}
	for cause := range kept {
		if _, still := going[cause]; still {
			continue
		}
		if err := h.store.EndTrouble(ctx, "", cause); err != nil {
			return err
		}
		delete(kept, cause)
	}
	return nil
}

// tickNotices tells the operators what keeps the service from its work, and that it is over.
func (h *house) tickNotices(ctx context.Context, g *generation) error {
	h.steady()
	h.probe(ctx)
	up := h.e.upFor()
	var all error
	for _, n := range h.health.notices.Next(up, h.found(g, up)) {
		if n.Over && !g.knows(n.Cause) {
			continue // what is not in the configuration any more is not mended
		}
		if err := h.announce(ctx, g, &n); err != nil {
			all = errors.Join(all, err)
			if !n.Over {
				h.health.notices.Untold(up, n.Cause)
			}
		}
	}
	return errors.Join(all, h.keepNotices(ctx))
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
	going := s.notices.Going(up)
	out = slices.Concat(out, h.inboxFaults(g, going), h.expiringFaults(g, going))
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

// knows tells whether a cause is of something that is still configured.
func (g *generation) knows(cause string) bool {
	_, name, ok := strings.Cut(cause, "/")
	return !ok || slices.Contains(g.cfg.sourceNames(), name) || slices.ContainsFunc(g.servers, func(s tlsServer) bool { return s.name == name })
}

// announce tells one notice by the outbox, or past it where that cannot be written.
func (h *house) announce(ctx context.Context, g *generation, n *digest.Notice) error {
	if len(g.set.Operators) == 0 {
		return nil
	}
	now := h.e.now()
	subject, text := wordsOf(g.cfg, n, now)
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
