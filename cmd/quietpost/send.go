package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"quietpost/config"
	"quietpost/digest"
	"quietpost/store/sqlite"
)

type sendCmd struct {
	Address string `arg:"" help:"Whose digest."`
	CatchUp span   `help:"Send what was received in this time once more, such as 7d; moves nothing." placeholder:"DURATION"`
}

// Example is printed with the help.
func (*sendCmd) Example() string {
	return "quietpost send ana@example.com\nquietpost send ana@example.com --catch-up 7d"
}

// A span is a duration with days and weeks.
type span time.Duration

// UnmarshalText is kong's way to read a flag.
func (s *span) UnmarshalText(text []byte) error {
	d, err := config.ParseDuration(string(text))
	if err == nil && d <= 0 {
		err = fmt.Errorf("%s is not a time; it should look like 36h or 7d", text)
	}
	*s = span(d)
	return err
}

// since is the instant a span ago; zero for none.
func (s span) since(now time.Time) time.Time {
	if s == 0 {
		return time.Time{}
	}
	return now.Add(-time.Duration(s))
}

// Run cuts the edition and queues its mail; the daemon sends it.
func (c *sendCmd) Run(e *env) error {
	return e.cutting(c.Address, func(ctx context.Context, b *digest.Builder, set *digest.Settings, address string) error {
		var done []digest.Now
		var err error
		if now := e.now(); c.CatchUp != 0 {
			done, err = b.CatchUp(ctx, now, set, address, nil, c.CatchUp.since(now))
		} else {
			done, err = b.SendNow(ctx, now, set, address)
		}
		for _, d := range done {
			if d.Message == nil {
				fmt.Fprintf(e.stdout, "%s: nothing new, so nothing is sent\n", address)
				continue
			}
			fmt.Fprintf(e.stdout, "%s: %q with %s is on its way; the running daemon sends it within a second\n", address, d.Message.Subject,
				count(d.Edition.Items, "update"))
		}
		if errors.Is(err, digest.ErrExists) {
			return fmt.Errorf("%s was sent it at this very moment already; nothing goes twice", address)
		}
		if errors.Is(err, digest.ErrConflict) {
			err = fmt.Errorf("%s; `quietpost subscribers resume %s` ends a pause or a suspension", first(err), address)
		}
		if err == nil && len(done) == 0 {
			err = fmt.Errorf("%s has no digest: the person left it", address)
		}
		return err
	})
}

// cutting runs fn with what cuts editions, on the database of the configuration.
func (e *env) cutting(address string, fn func(context.Context, *digest.Builder, *digest.Settings, string) error) error {
	address, err := digest.NormalizeAddress(address)
	if err != nil {
		return usage{err}
	}
	return e.with(func(ctx context.Context, db *sqlite.DB, cfg *config.Config) error {
		instance, err := db.InstanceKey(ctx)
		if err != nil {
			return err
		}
		b, err := builder(db, cfg)
		if err != nil {
			return err
		}
		policy, err := policyOf(cfg)
		if err != nil {
			return err
		}
		err = fn(ctx, b, settings(cfg, policy, instance), address)
		if errors.Is(err, digest.ErrNotFound) {
			err = fmt.Errorf("%s is not a subscriber; `quietpost subscribers list` shows them", address)
		}
		return err
	})
}
