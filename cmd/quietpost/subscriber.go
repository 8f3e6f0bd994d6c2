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

// The desk from the shell: the same that mails and pages ask.

type subscribersShowCmd struct {
	Address string `arg:"" help:"Mail address."`
}

// Example is printed with the help.
func (*subscribersShowCmd) Example() string { return "quietpost subscribers show ana@example.com" }

// Run shows one person in words, or as JSON in an array.
func (c *subscribersShowCmd) Run(e *env) error {
	return e.person(c.Address, func(ctx context.Context, db digest.Store, address string, set *digest.Settings) (string, error) {
		people, err := db.Subscribers(ctx)
		if err != nil {
			return "", err
		}
		for i := range people {
			p := &people[i]
			if p.Address != address {
				continue
			}
			if e.json {
				return "", e.print(personJSON(p, set), "", nil)
			}
			notes, err := db.Bounces(ctx, p.ID, shownBounces)
			return digest.StateText(p, set, e.now()) + bouncesText(p, notes, set.Calendar.Zone, e.now()), err
		}
		return "", digest.ErrNotFound
	})
}

// shownBounces are the newest that are shown.
const shownBounces = 5

// bouncesText is what came back of a person's mails, for the operator.
func bouncesText(p *digest.Subscriber, notes []digest.BounceNote, loc *time.Location, now time.Time) string {
	if len(notes) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString("\nReturned mail, the newest first")
	if policy := digest.DefaultBouncePolicy(); p.State != digest.Suspended {
		fmt.Fprintf(&b, " (%.1f of the %d points that suspend)", p.Bounces.Points(policy, now), policy.Points)
	}
	b.WriteString(":\n\n")
	for _, n := range notes {
		fmt.Fprintf(&b, "  %s  %-9s  %s\n", stamp(n.At, loc), n.Class, strings.TrimSpace(n.Status+" "+n.Text))
	}
	if p.State == digest.Suspended {
		fmt.Fprintf(&b, "\nTo lift the suspension: quietpost subscribers resume %s\n", p.Address)
	}
	return b.String()
}

// personJSON is one person as `list` has them, a value a subscription.
func personJSON(p *digest.Subscriber, set *digest.Settings) []subscriberJSON {
	values := []subscriberJSON{}
	for _, s := range p.Subscriptions {
		v := subscriberJSON{Address: p.Address, Name: p.Name, State: p.State, Projects: s.Projects, Kinds: s.Kinds, Schedule: s.Schedule,
			TimeZone: p.Location(set.Calendar.Zone).String(), Digests: !s.Ended, Alerts: p.Alerts, Quiet: p.Quiet, Cursor: s.Cursor,
			SuspendedAt: rfc3339(p.Bounces.SuspendedAt), Reason: string(p.Bounces.Reason)}
		if !s.Ended {
			v.NextSlot = rfc3339(s.NextSlot)
		}
		values = append(values, v)
	}
	return values
}

type subscribersPauseCmd struct {
	Address string   `arg:"" help:"Mail address."`
	Until   []string `arg:"" optional:"" help:"A day: 2026-12-01, monday, 2 weeks; without one until resumed."`
}

// Example is printed with the help.
func (*subscribersPauseCmd) Example() string {
	return "quietpost subscribers pause ana@example.com until 2026-12-01"
}

// Run pauses.
func (c *subscribersPauseCmd) Run(e *env) error {
	return e.obey(c.Address, "pause "+strings.Join(c.Until, " "))
}

type subscribersResumeCmd struct {
	Address string `arg:"" help:"Mail address."`
}

// Example is printed with the help.
func (*subscribersResumeCmd) Example() string { return "quietpost subscribers resume ana@example.com" }

// Run resumes.
func (c *subscribersResumeCmd) Run(e *env) error { return e.obey(c.Address, digest.VerbResume) }

type subscribersRemoveCmd struct {
	Address string `arg:"" help:"Mail address."`
}

// Example is printed with the help.
func (*subscribersRemoveCmd) Example() string { return "quietpost subscribers remove ana@example.com" }

// Run ends all mail to a person.
func (c *subscribersRemoveCmd) Run(e *env) error { return e.obey(c.Address, digest.VerbUnsubscribe) }

// obey has the desk carry out a command for an address and prints what is in force then.
func (e *env) obey(address, line string) error {
	return e.person(address, func(ctx context.Context, db digest.Store, address string, set *digest.Settings) (string, error) {
		c, err := digest.ParseCommand(line, set.Calendar.Named, e.now(), set.Calendar.Zone)
		if err != nil {
			return "", usage{err}
		}
		s, said, err := (&digest.Desk{Store: db}).Obey(ctx, address, c, set, e.now())
		if err != nil {
			return "", err
		}
		return said + "\n\n" + digest.StateText(&s, set, e.now()), nil
	})
}

// person opens the database for what is done with one subscriber.
func (e *env) person(address string, fn func(context.Context, digest.Store, string, *digest.Settings) (string, error)) error {
	address, err := digest.NormalizeAddress(address)
	if err != nil {
		return usage{err}
	}
	return e.with(func(ctx context.Context, db *sqlite.DB, cfg *config.Config) error {
		policy, err := policyOf(cfg)
		if err != nil {
			return err
		}
		text, err := fn(ctx, db, address, settings(cfg, policy, nil))
		if errors.Is(err, digest.ErrNotFound) {
			return fmt.Errorf("%s gets no mail from here; `quietpost subscribers list` shows who does", address)
		}
		fmt.Fprint(e.stdout, text)
		return err
	})
}
