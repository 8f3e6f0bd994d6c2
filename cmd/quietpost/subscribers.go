package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"quietpost/config"
	"quietpost/digest"
	"quietpost/digest/schedule"
	"quietpost/store/sqlite"
)

type subscribersCmd struct {
	List   subscribersListCmd   `cmd:"" help:"Everybody, with what they follow and when it comes."`
	Show   subscribersShowCmd   `cmd:"" help:"One person: what is in force, and the next three times."`
	Add    subscribersAddCmd    `cmd:"" help:"Add one person, as confirmed."`
	Pause  subscribersPauseCmd  `cmd:"" help:"Hold all mail to a person; nothing is lost."`
	Resume subscribersResumeCmd `cmd:"" help:"End a pause, or a suspension after returned mail."`
	Remove subscribersRemoveCmd `cmd:"" help:"No more mail to a person. What was sent stays in the ledger."`

	Set    laterCmd `cmd:"" hidden:"" passthrough:""`
	Import laterCmd `cmd:"" hidden:"" passthrough:""`
	Export laterCmd `cmd:"" hidden:"" passthrough:""`
}

type subscribersListCmd struct{}

// Example is printed with the help.
func (*subscribersListCmd) Example() string { return "quietpost subscribers list --json" }

type subscriberJSON struct {
	Address  string   `json:"address"`
	Name     string   `json:"name,omitempty"`
	State    string   `json:"state"`
	Projects []string `json:"projects"`
	Kinds    []string `json:"kinds,omitempty"`
	Schedule string   `json:"schedule"`
	TimeZone string   `json:"time_zone"`
	Digests  bool     `json:"digests"`
	Alerts   bool     `json:"alerts"`
	Quiet    string   `json:"quiet,omitempty"`
	Cursor   int64    `json:"cursor"`
	NextSlot *string  `json:"next_slot"`

	SuspendedAt *string `json:"suspended_at,omitempty"`
	Reason      string  `json:"suspended_because,omitempty"`
}

// Run lists.
func (*subscribersListCmd) Run(e *env) error {
	return e.with(func(ctx context.Context, db *sqlite.DB, cfg *config.Config) error {
		people, err := db.Subscribers(ctx)
		if err != nil {
			return err
		}
		values, rows := []subscriberJSON{}, []string(nil)
		for i := range people {
			p := &people[i]
			loc := p.Location(cfg.TimeZone)
			if len(p.Subscriptions) == 0 { // asked for by mail and not confirmed
				values = append(values, subscriberJSON{Address: p.Address, Name: p.Name, State: p.State, Projects: []string{}, TimeZone: loc.String()})
				rows = append(rows, strings.Join([]string{p.Address, p.State, "-", "-", loc.String(), "-", "no"}, "\t"))
			}
			for _, s := range p.Subscriptions {
				v := subscriberJSON{Address: p.Address, Name: p.Name, State: p.State, Projects: s.Projects, Kinds: s.Kinds, Schedule: s.Schedule,
					TimeZone: loc.String(), Digests: !s.Ended, Alerts: p.Alerts, Quiet: p.Quiet, Cursor: s.Cursor, NextSlot: rfc3339(s.NextSlot),
					SuspendedAt: rfc3339(p.Bounces.SuspendedAt), Reason: string(p.Bounces.Reason)}
				next := stamp(s.NextSlot, loc)
				if s.Ended {
					v.NextSlot, next = nil, "no digests"
				}
				values = append(values, v)
				rows = append(rows, strings.Join([]string{p.Address, p.State, strings.Join(s.Projects, ","), s.Schedule, loc.String(), next, yes(p.Alerts)}, "\t"))
			}
		}
		return e.print(values, "ADDRESS\tSTATE\tPROJECTS\tSCHEDULE\tZONE\tNEXT DIGEST\tALERTS", rows)
	})
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

type subscribersAddCmd struct {
	Address  string   `arg:"" help:"Mail address."`
	Name     string   `help:"Display name."`
	TimeZone string   `help:"IANA zone, such as Europe/Lisbon; default the service's."`
	Project  []string `help:"A project, or a pattern such as acme/*; may be repeated." default:"*"`
	Kind     []string `help:"Only this kind; may be repeated."`
	Schedule string   `help:"A named schedule, five cron fields, @daily or @every 2h." default:"daily"`
	Alerts   bool     `help:"Urgent items at once." default:"true" negatable:""`
	Quiet    string   `help:"No alerts in these hours, such as 22:00-07:00."`
}

// Example is printed with the help.
func (*subscribersAddCmd) Example() string {
	return `quietpost subscribers add ana@example.com --time-zone Europe/Lisbon --project apollo --schedule "0 9 * * MON-FRI"`
}

// Run adds, and tells when the first digest comes.
func (c *subscribersAddCmd) Run(e *env) error {
	address, err := digest.NormalizeAddress(c.Address)
	if err != nil {
		return usage{err}
	}
	if _, err := time.LoadLocation(c.TimeZone); err != nil {
		return usage{fmt.Errorf("--time-zone %q is not a zone; it should look like Europe/Lisbon", c.TimeZone)}
	}
	if c.Quiet != "" {
		if _, err := schedule.ParseQuiet(c.Quiet); err != nil {
			return usage{fmt.Errorf("--quiet: %w", err)}
		}
	}
	return e.with(func(ctx context.Context, db *sqlite.DB, cfg *config.Config) error {
		if _, err := schedule.Parse(cfg.Spec(c.Schedule)); err != nil {
			return usage{fmt.Errorf("--schedule: %w", err)}
		}
		desk := &digest.Desk{Store: db}
		_, err := desk.Add(ctx, digest.Entry{Address: address, Name: c.Name, Zone: c.TimeZone, Projects: c.Project, Kinds: c.Kind,
			Schedule: c.Schedule, Alerts: c.Alerts, Quiet: c.Quiet}, false)
		if errors.Is(err, digest.ErrExists) {
			return fmt.Errorf("%s is a subscriber already; `quietpost subscribers list` shows them", address)
		}
		if err != nil {
			return err
		}
		cal := digest.Calendar{Named: cfg.Schedules, Zone: cfg.TimeZone}
		if _, _, err := (&digest.Builder{Store: db}).Reslot(ctx, e.now(), &digest.Settings{Calendar: cal}); err != nil {
			return err
		}
		sched, _ := schedule.Parse(cfg.Spec(c.Schedule))
		loc := zone(c.TimeZone, cfg.TimeZone)
		fmt.Fprintf(e.stdout, "%s is a subscriber now; the next digest is due %s\n", address, sched.Next(e.now(), loc).In(loc).Format("Mon 2006-01-02 15:04:05 MST"))
		return nil
	})
}
