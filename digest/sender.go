package digest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// A Sender hands messages over: lease a batch, and for each send, then report before the next. One worker has one
// Transport. When the server itself is at fault (SendError.About) it waits, and then asks with a single message: thousands
// that wait are not thousands of attempts.
type Sender struct {
	Store     OutboxStore
	Transport Transport
	Lanes     []string
	Owed      *Owed            // shared by all senders of a store, over reloads
	Most      int              // messages that one lease takes; 0: eight
	Timeout   time.Duration    // of one message's exchange
	Now       func() time.Time // an exchange takes its time, so that one now is not enough
	Jitter    func() float64   // in [0,1)
	Beat      func()           // called before each message, so that a slow server is not taken for a loop that hangs; nil for nobody

	// Bounced hears of each recipient that was refused for good, or until we gave up, and of each refusal of our mail; nil for
	// nobody.
	Bounced func(ctx context.Context, b Bounce) error

	faults int       // of the server, in a row
	until  time.Time // no attempt before
}

// batch is how many messages one lease takes: enough to save transactions, few enough to share with other workers.
const batch = 8

// stopGrace is how long an exchange may still take once the service is told to stop.
const stopGrace = 7 * time.Second

// Batch leases and sends up to a batch. It gives what was done with each; a message whose report could not be written is
// not among them: its report is Owed. When ctx ends, the rest of the batch is given back at once, and the exchange that goes on
// is brought to its end; only when service ends too is it given no more than a few seconds.
func (s *Sender) Batch(ctx, service context.Context) (done []Sent, err error) {
	if err := s.Owed.write(ctx, s.Store, s.Now()); err != nil {
		return nil, err
	}
	now := s.Now()
	if now.Before(s.until) && s.until.Sub(now) <= maxHold { // else the clock was set back
		return nil, nil
	}
	limit := batch
	if s.Most > 0 {
		limit = min(s.Most, batch)
	}
	if s.faults > 0 {
		limit = 1
	}
	msgs, err := s.Store.Lease(ctx, now, now.Add(time.Duration(limit+1)*s.Timeout), s.Lanes, limit)
	if err != nil {
		return nil, fmt.Errorf("leasing: %w", err)
	}
	msgs = slices.DeleteFunc(msgs, func(m Message) bool { return !s.Owed.take(s, &m) })
	i := 0
	defer func() {
		if p := recover(); p != nil {
			err = errors.Join(fmt.Errorf("a fault in the program: %v", p), s.dropped(msgs[i], p), s.giveBack(msgs[i+1:]))
		}
	}()
	for ; i < len(msgs); i++ {
		if ctx.Err() != nil {
			return done, errors.Join(ctx.Err(), s.giveBack(msgs[i:]))
		}
		if s.Beat != nil {
			s.Beat()
		}
		r, sendErr := s.send(ctx, service, &msgs[i])
		if err := s.report(ctx, r); err != nil {
			return done, errors.Join(err, s.giveBack(msgs[i+1:]))
		}
		msgs[i].Bytes = nil
		done = append(done, Sent{Message: msgs[i], Report: r, Err: sendErr})
		if b, ok := BounceOf(&msgs[i], r, sendErr, s.Now()); ok && s.Bounced != nil {
			if err := s.Bounced(context.WithoutCancel(ctx), b); err != nil {
				return done, errors.Join(fmt.Errorf("message %d: its refusal: %w", msgs[i].ID, err), s.giveBack(msgs[i+1:]))
			}
		}
		if s.hold(sendErr) {
			return done, s.giveBack(msgs[i+1:])
		}
	}
	return done, nil
}

const (
	firstHold = 5 * time.Second
	maxHold   = time.Minute // a server that is back is found within it
)

// hold tells whether to leave the server alone for a while: five seconds, doubling to a minute.
func (s *Sender) hold(err error) bool {
	var se *SendError
	if !asSendError(err, &se) || se.About != AboutServer {
		s.faults = 0
		return false
	}
	wait := min(firstHold<<min(s.faults, 8), maxHold)
	s.until = s.Now().Add(time.Duration(float64(wait) * (0.8 + 0.2*s.Jitter())))
	s.faults++
	return true
}

// Sent is one attempt and its end.
type Sent struct {
	Message Message
	Report  Report
	Err     error
}

func (s *Sender) send(ctx, service context.Context, m *Message) (Report, error) {
	// An exchange that has begun is brought to its end also when the service stops: that is what keeps mails from
	// going twice. Its own deadline bounds it.
	sending, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.Timeout)
	defer cancel()
	hurry := context.AfterFunc(service, func() { time.AfterFunc(stopGrace, cancel) })
	defer hurry()
	m.Answer = "" // of the attempt before
	err := s.Transport.Send(sending, m)
	return OutcomeOf(m, err, s.Now(), s.Jitter()), err
}

// report writes the end of an attempt down, trying again for a while: until it is written, the mail might go twice.
func (s *Sender) report(ctx context.Context, r Report) error {
	defer s.Owed.land(s, r.ID)
	var err error
	for try := range 5 {
		if try > 0 {
			select {
			case <-time.After(time.Duration(try) * 200 * time.Millisecond):
			case <-ctx.Done():
			}
		}
		r.Lease = s.Owed.lease(r.ID, r.Lease)
		var lost []int64
		if lost, err = s.Store.Report(context.WithoutCancel(ctx), s.Now(), []Report{r}); err == nil && len(lost) == 0 {
			return nil
		}
	}
	if err == nil {
		return nil // it is somebody else's now: the operator's, or a restored copy's
	}
	s.Owed.add(r)
	return fmt.Errorf("message %d: writing down that it is %s: %w", r.ID, r.State, err)
}

// Owed are the ends of attempts that could not be written down, as when the disk is full. Nobody leases anything before
// they are: a message that a server took would go again when its lease runs out. It also knows the messages that the senders have in
// their hands: a clock that is set ahead lets all their leases run out, and then another sender must not send them too.
type Owed struct {
	mu      sync.Mutex
	reports []Report
	held    map[int64]hold // by message
}

// A hold is who has a message in their hands, and its newest lease.
type hold struct {
	by    *Sender
	lease int64
}

// take notes that a sender leased a message; false if another one has it in its hands, which goes on under the new lease.
func (o *Owed) take(s *Sender, m *Message) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.held == nil {
		o.held = map[int64]hold{}
	}
	h, held := o.held[m.ID]
	if !held {
		h.by = s
	}
	h.lease = m.Lease
	o.held[m.ID] = h
	return !held
}

// lease is the newest lease of a message that is held.
func (o *Owed) lease(id, taken int64) int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	if h, held := o.held[id]; held {
		return h.lease
	}
	return taken
}

// land notes that a message is not in a sender's hands any more.
func (o *Owed) land(s *Sender, id int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.held[id].by == s {
		delete(o.held, id)
	}
}

func (o *Owed) add(rs ...Report) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.reports = append(o.reports, rs...)
}

func (o *Owed) write(ctx context.Context, store OutboxStore, now time.Time) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.reports) == 0 {
		return nil
	}
	if _, err := store.Report(ctx, now, o.reports); err != nil {
		return fmt.Errorf("writing down what became of %d messages: %w", len(o.reports), err)
	}
	o.reports = nil
	return nil
}

// dropped reports a message at which the program itself was at fault. It may have left.
func (s *Sender) dropped(m Message, fault any) error {
	return s.report(context.Background(), OutcomeOf(&m, &SendError{Text: fmt.Sprintf("a fault in the program: %v", fault), About: AboutFate}, s.Now(), s.Jitter()))
}

// giveBack frees leased messages that were not tried.
func (s *Sender) giveBack(msgs []Message) error {
	var rs []Report
	for i := range msgs {
		rs = append(rs, Report{ID: msgs[i].ID, Lease: s.Owed.lease(msgs[i].ID, msgs[i].Lease), State: Queued, NextAt: s.Now(), Answer: msgs[i].Answer, Untried: true})
		defer s.Owed.land(s, msgs[i].ID)
	}
	if len(rs) == 0 {
		return nil
	}
	_, err := s.Store.Report(context.Background(), s.Now(), rs)
	if err != nil {
		s.Owed.add(rs...)
	}
	return err
}
