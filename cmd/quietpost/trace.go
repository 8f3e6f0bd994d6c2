package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"quietpost/config"
	"quietpost/digest"
	"quietpost/store/sqlite"
)

type traceCmd struct {
	Item string `arg:"" help:"The item's id, or its number."`
}

// Example is printed with the help.
func (*traceCmd) Example() string { return "quietpost trace " + digest.ItemID(1042) }

// A traceStep is one thing that happened to an item, or will.
type traceStep struct {
	At   *string `json:"at"` // nil: not yet
	Who  string  `json:"subscriber,omitempty"`
	What string  `json:"what"` // received, grouped, held, queued, sent, accepted, given up, not wanted
	Why  string  `json:"why"`

	at time.Time
}

// Run tells the way of one item, then for each person what became of it.
func (c *traceCmd) Run(e *env) error {
	number, err := itemNumber(c.Item)
	if err != nil {
		return err
	}
	return e.with(func(ctx context.Context, db *sqlite.DB, cfg *config.Config) error {
		it, err := db.Item(ctx, number)
		if errors.Is(err, digest.ErrNotFound) {
			return fmt.Errorf("no item %s; `quietpost items list` shows the newest", c.Item)
		}
		if err != nil {
			return err
		}
		steps, err := trace(ctx, db, cfg, &it)
		if err != nil {
			return err
		}
		for i := range steps {
			steps[i].At = rfc3339(steps[i].at)
		}
		if e.json {
			return e.print(steps, "", nil)
		}
		fmt.Fprintf(e.stdout, "%s (number %d) %s: %s\n", digest.ItemID(it.Number), it.Number, it.Project, digest.OneLine(it.Title, 200))
		who := ""
		for _, s := range steps {
			if s.Who != who {
				who = s.Who
				fmt.Fprintf(e.stdout, "\n%s\n", who)
			}
			when := "not yet"
			if !s.at.IsZero() {
				when = stamp(s.at, cfg.TimeZone)
			}
			fmt.Fprintf(e.stdout, "  %-24s %-10s %s\n", when, s.What, s.Why)
		}
		return nil
	})
}

func trace(ctx context.Context, db *sqlite.DB, cfg *config.Config, it *digest.Item) ([]traceStep, error) {
	steps := []traceStep{{at: it.ReceivedAt, What: "received", Why: "from " + it.Source + " (" + it.Tool + ")"}}
	if r, err := db.Receipt(ctx, it.Receipt); err == nil {
		steps[0].Why += fmt.Sprintf(", receipt %d, delivery key %s", r.ID, r.Key)
	} else if !errors.Is(err, digest.ErrNotFound) {
		return nil, err
	}
	policy, err := policyOf(cfg)
	if err != nil {
		return nil, err
	}
	var grouped []string
	for _, f := range [][2]string{{"project", it.Project}, {"kind", it.Kind}, {"urgent", fmt.Sprint(it.Urgent)}} {
		grouped = append(grouped, f[0]+" "+f[1]+reason(it, f[0]))
	}
	if to := policy.Project(it.Project); to != it.Project {
		grouped[0] += ", an alias of " + to
	}
	if it.Thread != "" {
		grouped = append(grouped, "thread "+it.Thread)
	}
	if it.Incident != 0 {
		grouped = append(grouped, fmt.Sprintf("incident %d", it.Incident))
	}
	steps = append(steps, traceStep{at: it.ReceivedAt, What: "grouped", Why: strings.Join(grouped, "; ")})
	told, err := db.Told(ctx, it.Number)
	if err != nil {
		return nil, err
	}
	people, err := db.Subscribers(ctx)
	if err != nil {
		return nil, err
	}
	for i := range people {
		steps = append(steps, tracePerson(cfg, policy, it, &people[i], told)...)
	}
	return steps, nil
}

// tracePerson is what became of an item for one person: what was sent, else what it waits for.
func tracePerson(cfg *config.Config, policy *digest.Policy, it *digest.Item, who *digest.Subscriber, told []digest.Told) (out []traceStep) {
	add := func(at time.Time, what, why string, args ...any) {
		out = append(out, traceStep{at: at, Who: who.Address, What: what, Why: fmt.Sprintf(why, args...)})
	}
	project := policy.Project(it.Project)
	digested := map[int64]bool{}
	for _, t := range told {
		if t.Edition.Subscriber != who.ID {
			continue
		}
		e := &t.Edition
		switch e.Occasion {
		case digest.OccasionAlert:
			add(e.CreatedAt, "queued", "as an alert at once, edition %s", e.ID)
		default:
			sub := subscription(who, e.Subscription)
			if sub == nil || !sub.Wants(project, it.Kind) {
				continue
			}
			label := "catch-up"
			if e.Occasion == digest.OccasionDigest {
				label = "digest"
				digested[e.Subscription] = true
			}
			add(e.CreatedAt, "queued", "in the %s of %s, window %s: %s, %d by title; edition %s", label,
				stamp(e.Slot, who.Location(cfg.TimeZone)), e.Window(), counted(e.Items, "update", "updates"), e.Shown, e.ID)
		}
		traceMessage(&t.Message, who.Location(cfg.TimeZone), add)
	}
	for i := range who.Subscriptions {
		s := &who.Subscriptions[i]
		switch {
		case digested[s.ID]:
		case s.Ended:
			add(time.Time{}, "not wanted", "left the digests")
		case !s.Wants(project, it.Kind):
			add(time.Time{}, "not wanted", "follows %s", strings.Join(append(s.Projects, s.Kinds...), ", "))
		case s.Cursor >= it.Number:
			add(time.Time{}, "not wanted", "began to follow at number %d, or followed something else then", s.Cursor)
		case who.State != digest.Active:
			add(time.Time{}, "held", "%s is %s; it waits", who.Address, who.State)
		default:
			add(time.Time{}, "held", "for the digest of %s", stamp(s.NextSlot, who.Location(cfg.TimeZone)))
		}
	}
	return out
}

func traceMessage(m *digest.Message, loc *time.Location, add func(at time.Time, what, why string, args ...any)) {
	tries := counted(m.Attempts, "attempt", "attempts")
	switch {
	case m.ID == 0:
	case m.State == digest.Delivered:
		add(m.DoneAt, "accepted", "by the mail server after %s: %s", tries, m.Answer)
	case m.State == digest.Bounced:
		add(m.DoneAt, "accepted", "by the mail server after %s", tries)
		add(time.Time{}, "bounced", "it came back: %s", m.Answer)
	case m.State == digest.Failed:
		add(m.DoneAt, "given up", "after %s: %s", tries, m.Answer)
	case m.Attempts > 0:
		add(time.Time{}, "sent", "not taken yet after %s: %s; next at %s", tries, m.Answer, stamp(m.NextAt, loc))
	default:
		add(time.Time{}, "sent", "it waits in the outbox")
	}
}

func subscription(who *digest.Subscriber, id int64) *digest.Subscription {
	for i := range who.Subscriptions {
		if who.Subscriptions[i].ID == id {
			return &who.Subscriptions[i]
		}
	}
	return nil
}
