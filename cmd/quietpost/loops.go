package main

import (
	"context"
	"errors"
	"fmt"
	"net/mail"
	"sync"
	"time"

	"quietpost/collector/mailbox"
	"quietpost/collector/webhook"
	"quietpost/config"
	"quietpost/digest"
	"quietpost/mailer"
	"quietpost/templates"
)

// A generation is all that a reload replaces: what is made of one configuration, and its loops.
type generation struct {
	cfg     *loaded
	set     *digest.Settings
	builder *digest.Builder
	desk    *digest.MailDesk
	entries []digest.Entry
	sources []webhook.Source
	boxes   []*mailbox.Mailbox
	senders []*digest.Sender

	mu     sync.Mutex
	beats  map[string]time.Time // when each loop last came round, for the watchdog
	smtp   error                // how the last attempt to send ended, if no server could be spoken to
	faults map[string]error     // what each loop cannot do now
	slots  time.Time            // when next slots were last healed
	swept  time.Time            // when retention was last at work

	servers []tlsServer // whose certificates are looked at
	looked  time.Time   // when that was done last
}

// stuckAfter is how long a loop may take to come round: longer than one message's exchange.
const stuckAfter = 5 * time.Minute

// reslotEvery is how often next slots are compared with the schedules: what heals a clock that was set.
const reslotEvery = 30 * time.Second

// sweepEvery is how often retention looks, and sweepStep how many rows of a sort it takes in one transaction.
const (
	sweepEvery = time.Minute
	sweepStep  = 500
)

// sendTimeout bounds one message's exchange. RFC 5321, section 4.5.3.2.6 grants a server ten minutes after the final
// dot; two are what relays need in practice, and what is taken later comes twice with one Message-ID.
const sendTimeout = 2 * time.Minute

// build makes a generation; it is where all of a configuration's faults come to light, before anything starts.
func (h *house) build(ctx context.Context, cfg *loaded) (*generation, error) {
	g := &generation{cfg: cfg, set: settings(cfg.Config, cfg.policy, h.instance), sources: cfg.sources, beats: map[string]time.Time{}, faults: map[string]error{}}
	var err error
	if g.builder, err = builder(h.store, cfg.Config); err != nil {
		return nil, err
	}
	g.builder.Beat = func() { g.beat(digestsLoop, h.e.now()) }
	g.desk = &digest.MailDesk{Desk: h.desk, Store: h.store, Composer: g.builder.Composer, Builder: g.builder}
	for i := range cfg.Subscribers {
		g.entries = append(g.entries, entry(&cfg.Subscribers[i]))
	}
	smtp, err := transportOptions(cfg, h.instance)
	if err != nil {
		return nil, fmt.Errorf("mail.smtp: %w", err)
	}
	all := []string{digest.LaneAlert, digest.LaneLetter, digest.LaneDigest}
	n := cfg.Mail.SMTP.Connections
	for i := range n {
		lanes, most := all, 0
		switch {
		case n == 1:
			most = 1 // what is urgent waits for one mail at most
		case i == 0:
			lanes = all[:2] // one connection is never busy with a digest
		}
		t, err := mailer.NewTransport(smtp)
		if err != nil {
			return nil, fmt.Errorf("mail.smtp: %w", err)
		}
		g.senders = append(g.senders, &digest.Sender{Store: h.store, Transport: t, Owed: &h.owed, Lanes: lanes, Most: most, Timeout: sendTimeout, Now: h.e.now,
			Jitter: jitter, Bounced: h.bounced, Beat: func() { g.beat(senderLoop(i), h.e.now()) }})
	}
	for i := range cfg.Inboxes {
		b, err := h.mailbox(cfg, &cfg.Inboxes[i])
		if err != nil {
			return nil, fmt.Errorf("inbox %s: %w", cfg.Inboxes[i].Name, err)
		}
		g.boxes = append(g.boxes, b)
	}
	g.servers = tlsServers(h.e, cfg)
	return g, ctx.Err()
}

// builder makes what cuts editions.
func builder(store digest.Store, cfg *config.Config) (*digest.Builder, error) {
	renderer, err := templates.New()
	if err != nil {
		return nil, err
	}
	composer, err := mailer.NewComposer(mailer.ComposerOptions{From: mail.Address{Name: cfg.Mail.FromName, Address: cfg.Mail.From},
		ReplyTo: cfg.Mail.ReplyTo})
	if err != nil {
		return nil, fmt.Errorf("mail: %w", err)
	}
	return &digest.Builder{Store: store, Renderer: renderer, Composer: composer}, nil
}

func (h *house) mailbox(cfg *loaded, in *config.Inbox) (*mailbox.Mailbox, error) {
	o, err := inboxOptions(cfg.dataDir, in, h.e.now)
	if err != nil {
		return nil, err
	}
	o.Intake, o.Leave, o.Log, o.Metrics, o.Kept = h.intake, h.leave, h.log, h.metrics.inboxes, cfg.Retention.Items.Std()
	o.Bounce, o.Desk, o.Thread, o.Titled = h.bounced, deskDoor{h}, h.threadOfItem, h.threadTitled
	return mailbox.New(o)
}

// leave is what a mail to a List-Unsubscribe address asks for.
func (h *house) leave(ctx context.Context, token string) error {
	s, err := h.desk.Leave(ctx, h.instance, token)
	if err == nil {
		h.log.Info("a reader left by mail", "address", s.Address)
	}
	return err
}

// settle writes down what a generation brings. It can fail, on a disk that is full for one; then the old one is still in
// force.
func (h *house) settle(ctx context.Context, g *generation) error {
	c, err := h.desk.Import(ctx, g.entries)
	if err != nil {
		return fmt.Errorf("taking over subscribers: %w", err)
	}
	if c.Added+c.Changed > 0 {
		h.log.Info("subscribers taken over from the file", "added", c.Added, "changed", c.Changed)
	}
	return h.intake.SetPolicy(ctx, g.set.Policy)
}

// start puts a settled generation in force and runs its loops.
func (h *house) start(ctx context.Context, g *generation) {
	h.hooks.SetTools(g.cfg.tools)
	h.hooks.SetSources(g.sources)
	if old := h.gen.Load(); old != nil {
		g.reached(old.unreached()) // until a mail leaves, nobody knows better
	}
	h.gen.Store(g)
	service := ctx
	ctx, cancel := context.WithCancel(service)
	var wg sync.WaitGroup
	loop := func(name string, kicked <-chan struct{}, fn func(context.Context, *generation) error) {
		g.beat(name, h.e.now()) // from now on it is missed
		wg.Go(func() { h.every(ctx, g, name, kicked, fn) })
	}
	h.reslot(ctx, g)
	loop("alerts", h.alerts, h.tickAlerts)
	loop(digestsLoop, nil, h.tickDigests)
	loop("retention", nil, h.sweep)
	loop(operatorsLoop, nil, h.tickNotices)
	loop("watch", h.watch.kick, h.tickWatch)
	for i, s := range g.senders {
		g.beat(senderLoop(i), h.e.now())
		h.sending.Go(func() {
			h.every(ctx, g, senderLoop(i), h.outbox, func(ctx context.Context, g *generation) error { return h.send(ctx, service, g, s) })
			s.Transport.Close()
		})
	}
	for _, b := range g.boxes {
		wg.Go(func() {
			if err := b.Run(ctx); err != nil && ctx.Err() == nil {
				h.log.Error("inbox", "error", err)
			}
		})
	}
	loop(expiresLoop, nil, h.tickExpires)
	h.stop = func() {
		cancel()
		wg.Wait() // not for the senders: a reload must not cut off a server that is slow, which is how mails come twice
	}
}

// digestsLoop is the loop that cuts digests.
const digestsLoop = "digests"

// senderLoop names the loop of a sender.
func senderLoop(i int) string { return fmt.Sprintf("sender %d", i) }

// every runs fn each second, or when kicked, until ctx ends. A fault is logged when it appears and when it goes, not
// each second.
func (h *house) every(ctx context.Context, g *generation, name string, kicked <-chan struct{}, fn func(context.Context, *generation) error) {
	t := time.NewTicker(h.e.tick)
	defer t.Stop()
	was := ""
	for ctx.Err() == nil {
		g.beat(name, h.e.now())
		err := h.guard(ctx, g, fn)
		if ctx.Err() != nil {
			break
		}
		if is := fmt.Sprint(err); err != nil && is != was {
			h.log.Error(name, "error", err)
			was = is
		} else if err == nil && was != "" {
			h.log.Info(name + " works again")
			was = ""
		}
		g.note(name, err)
		h.noteDisk(err)
		select {
		case <-ctx.Done():
		case <-t.C:
		case <-kicked:
		}
	}
	g.beat(name, time.Time{})
}

// guard makes an error of a panic: one bad row must not take the daemon down.
func (h *house) guard(ctx context.Context, g *generation, fn func(context.Context, *generation) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("a fault in the program: %v", p)
		}
	}()
	return fn(ctx, g)
}

func (h *house) tickAlerts(ctx context.Context, g *generation) error {
	t, err := g.builder.TickAlerts(ctx, h.e.now(), g.set)
	return h.told(digest.OccasionAlert, t, err)
}

func (h *house) tickDigests(ctx context.Context, g *generation) error {
	if now := h.e.now(); now.Sub(g.slots).Abs() > reslotEvery {
		h.reslot(ctx, g)
		g.slots = now
	}
	t, err := g.builder.TickDigests(ctx, h.e.now(), g.set)
	return h.told(digest.OccasionDigest, t, err)
}

// sweep takes away what is kept long enough, a little at a time, so that intake hardly notices.
func (h *house) sweep(ctx context.Context, g *generation) error {
	now := h.e.now()
	if now.Sub(g.swept).Abs() < sweepEvery || !h.steady() {
		return nil
	}
	c, err := h.store.Counts(ctx)
	if err != nil {
		return err
	}
	people, err := h.store.Subscribers(ctx)
	if err != nil {
		return err
	}
	r := g.cfg.Retention
	for _, o := range (digest.Retention{Raw: r.Raw.Std(), Items: r.Items.Std(), Editions: r.Editions.Std()}).Orders(now, c.Newest, people) {
		for total := 0; ; {
			n, err := h.store.Sweep(ctx, o, sweepStep)
			if total += n; err != nil {
				return err
			}
			if n == 0 {
				if total > 0 {
					h.log.Info("retention", "rows", total)
				}
				break
			}
			g.beat("retention", h.e.now())
		}
	}
	g.swept = now
	return nil
}

// told counts what a tick did and wakes the senders.
func (h *house) told(occasion string, t digest.Tally, err error) error {
	h.metrics.editions.WithLabelValues(occasion, "sent").Add(float64(t.Sent))
	h.metrics.editions.WithLabelValues(occasion, "empty").Add(float64(t.Empty))
	h.metrics.faults.WithLabelValues(occasion).Add(float64(len(t.Faults)))
	for i := range t.Editions { // the audit trail: with the numbers, each item can be followed from the journal alone
		e := &t.Editions[i]
		h.log.Info("edition", "occasion", e.Occasion, "edition", e.ID, "to", e.To, "subscription", e.Subscription, "window", e.Window(),
			"items", e.Items, "shown", e.Shown, "empty", e.Empty, "late", e.Late, "message", e.MessageID)
	}
	if t.Sent > 0 {
		kick(h.outbox)
	}
	return errors.Join(append(t.Faults, err)...)
}

// reslot heals next slots; see digest.Calendar.
func (h *house) reslot(ctx context.Context, g *generation) {
	h.wake(ctx, g)
	_, faults, err := g.builder.Reslot(ctx, h.e.now(), g.set)
	if err = errors.Join(append(faults, err)...); err != nil && ctx.Err() == nil {
		h.log.Error("slots", "error", err)
	}
}

// send hands over batches until there are none.
func (h *house) send(ctx, service context.Context, g *generation, s *digest.Sender) error {
	for ctx.Err() == nil {
		done, err := s.Batch(ctx, service)
		for i := range done {
			h.sent(g, &done[i])
		}
		if err != nil || len(done) == 0 {
			return err
		}
		kick(h.outbox) // more hands for what is left
	}
	return nil
}

// sent counts and logs one attempt, and remembers whether a server could be spoken to.
func (h *house) sent(g *generation, s *digest.Sent) {
	h.metrics.sent.WithLabelValues(s.Message.Lane, s.Report.State).Inc()
	log := h.log.With("message", s.Message.MessageID, "to", s.Message.To, "lane", s.Message.Lane, "attempt", s.Message.Attempts)
	var se *digest.SendError
	switch {
	case s.Report.State == digest.Delivered:
		log.Info("delivered")
		g.reached(nil)
		return
	case s.Report.State == digest.Failed:
		log.Error("given up", "answer", s.Report.Answer)
	default:
		log.Warn("to be tried again", "answer", s.Report.Answer, "at", s.Report.NextAt.UTC().Format(time.RFC3339))
	}
	if errors.As(s.Err, &se) && se.Code != 0 && se.About != digest.AboutServer {
		g.reached(nil) // a server that refuses one mail is a server that can be spoken to
		return
	}
	g.reached(s.Err)
}
