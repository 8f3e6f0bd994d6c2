package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"

	"quietpost/config"
	"quietpost/digest"
	"quietpost/store/sqlite"
)

type outboxCmd struct {
	List  outboxListCmd  `cmd:"" help:"The newest messages and what became of them."`
	Show  outboxShowCmd  `cmd:"" help:"One message as it is sent, and what servers said of it."`
	Retry outboxRetryCmd `cmd:"" help:"Send messages that wait, or that were given up, now."`
	Drop  outboxDropCmd  `cmd:"" help:"Give messages up for good."`
}

type outboxListCmd struct {
	State string `help:"Only in this state: queued, sending, delivered, failed or bounced." enum:",queued,sending,delivered,failed,bounced" default:""`
	Limit int    `help:"At most so many." default:"20"`
}

// Example is printed with the help.
func (*outboxListCmd) Example() string { return "quietpost outbox list --state failed" }

type messageJSON struct {
	ID        int64   `json:"id"`
	To        string  `json:"to"`
	Lane      string  `json:"lane"`
	State     string  `json:"state"`
	Subject   string  `json:"subject"`
	MessageID string  `json:"message_id"`
	Edition   string  `json:"edition,omitempty"`
	Attempts  int     `json:"attempts"`
	Answer    string  `json:"answer,omitempty"`
	CreatedAt *string `json:"created_at"`
	NextAt    *string `json:"next_at,omitempty"`
	DoneAt    *string `json:"done_at,omitempty"`
}

// Run lists.
func (c *outboxListCmd) Run(e *env) error {
	return e.with(func(ctx context.Context, db *sqlite.DB, cfg *config.Config) error {
		var states []string
		if c.State != "" {
			states = []string{c.State}
		}
		msgs, err := db.Messages(ctx, states, c.Limit)
		if err != nil {
			return err
		}
		held, err := suspended(ctx, db)
		if err != nil {
			return err
		}
		values, rows := []messageJSON{}, []string(nil)
		for _, m := range msgs {
			when := stamp(m.DoneAt, cfg.TimeZone)
			switch {
			case m.DoneAt.IsZero() && held(&m):
				when = "waits: suspended"
			case m.DoneAt.IsZero():
				when = "next " + stamp(m.NextAt, cfg.TimeZone)
			}
			values = append(values, messageValue(&m))
			rows = append(rows, strings.Join([]string{fmt.Sprint(m.ID), m.State, m.Lane, m.To, fmt.Sprint(m.Attempts), when,
				digest.OneLine(m.Subject, 60), digest.OneLine(m.Answer, 80)}, "\t"))
		}
		return e.print(values, "ID\tSTATE\tLANE\tTO\tTRIES\tWHEN\tSUBJECT\tANSWER", rows)
	})
}

// suspended tells what waits because mail to its address came back.
func suspended(ctx context.Context, db *sqlite.DB) (held func(*digest.Message) bool, err error) {
	people, err := db.Subscribers(ctx)
	is := map[string]bool{}
	for i := range people {
		is[people[i].Address] = people[i].State == digest.Suspended
	}
	return func(m *digest.Message) bool { return m.Edition != "" && is[m.To] }, err
}

func messageValue(m *digest.Message) messageJSON {
	v := messageJSON{ID: m.ID, To: m.To, Lane: m.Lane, State: m.State, Subject: m.Subject, MessageID: m.MessageID, Edition: m.Edition,
		Attempts: m.Attempts, Answer: m.Answer, CreatedAt: rfc3339(m.CreatedAt), DoneAt: rfc3339(m.DoneAt)}
	if m.DoneAt.IsZero() {
		v.NextAt = rfc3339(m.NextAt)
	}
	return v
}

type outboxShowCmd struct {
	ID int64 `arg:"" help:"Its number in the list."`
}

// Example is printed with the help.
func (*outboxShowCmd) Example() string { return "quietpost outbox show 17" }

// Run shows one message.
func (c *outboxShowCmd) Run(e *env) error {
	return e.with(func(ctx context.Context, db *sqlite.DB, cfg *config.Config) error {
		m, err := db.Message(ctx, c.ID)
		if err != nil {
			return noMessage(err, c.ID)
		}
		if e.json {
			v := struct {
				messageJSON
				Raw string `json:"raw,omitempty"`
			}{messageValue(&m), string(m.Bytes)}
			return e.print([]any{v}, "", nil)
		}
		fmt.Fprintf(e.stdout, "message %d to %s, lane %s: %s after %s\nmade %s", m.ID, m.To, m.Lane, m.State, counted(m.Attempts, "attempt", "attempts"), stamp(m.CreatedAt, cfg.TimeZone))
		held, err := suspended(ctx, db)
		if err != nil {
			return err
		}
		switch {
		case !m.DoneAt.IsZero():
			fmt.Fprintf(e.stdout, ", done %s", stamp(m.DoneAt, cfg.TimeZone))
		case held(&m):
			fmt.Fprintf(e.stdout, "; it waits, because the address is suspended: quietpost subscribers resume %s", m.To)
		default:
			fmt.Fprintf(e.stdout, ", next try %s", stamp(m.NextAt, cfg.TimeZone))
		}
		fmt.Fprintf(e.stdout, "\nlast answer: %s\n\n", digest.OneLine(m.Answer, 600))
		if m.Bytes == nil {
			fmt.Fprintln(e.stdout, "Its text is not kept any more: it was delivered, or dropped.")
			return nil
		}
		_, err = e.stdout.Write(m.Bytes)
		return err
	})
}

func noMessage(err error, id int64) error {
	if errors.Is(err, digest.ErrNotFound) {
		return fmt.Errorf("there is no message %d; `quietpost outbox list` shows them", id)
	}
	return err
}

type outboxRetryCmd struct {
	ID     []int64 `arg:"" optional:"" help:"Numbers in the list."`
	Failed bool    `help:"All that were given up and are still kept."`
	All    bool    `help:"All that wait, too."`
}

// Example is printed with the help.
func (*outboxRetryCmd) Example() string {
	return "quietpost outbox retry 17 18\nquietpost outbox retry --failed"
}

// Run makes messages due now.
func (c *outboxRetryCmd) Run(e *env) error {
	var states []string
	if c.Failed || c.All {
		states = append(states, digest.Failed)
	}
	if c.All {
		states = append(states, digest.Queued)
	}
	return e.setMessages(c.ID, states, digest.Queued, "is due now; the running daemon sends it within a second")
}

type outboxDropCmd struct {
	ID     []int64 `arg:"" optional:"" help:"Numbers in the list."`
	Failed bool    `help:"All that were given up: what is still kept of them goes."`
}

// Example is printed with the help.
func (*outboxDropCmd) Example() string { return "quietpost outbox drop 17" }

// Run gives messages up.
func (c *outboxDropCmd) Run(e *env) error {
	var states []string
	if c.Failed {
		states = []string{digest.Failed}
	}
	return e.setMessages(c.ID, states, digest.Failed, "is dropped and will not be sent")
}

// setMessages gives the operator's word on messages by number, or on all in these states. Of all, those that cannot be sent
// again or are on their way just now are passed over.
func (e *env) setMessages(ids []int64, states []string, state, done string) error {
	if (len(ids) == 0) == (len(states) == 0) {
		return usage{errors.New("name messages by their numbers, or --failed; `quietpost outbox list` shows them")}
	}
	return e.with(func(ctx context.Context, db *sqlite.DB, _ *config.Config) error {
		if len(states) > 0 {
			msgs, err := db.Messages(ctx, states, math.MaxInt32)
			if err != nil {
				return err
			}
			for _, m := range msgs {
				ids = append(ids, m.ID)
			}
		}
		held, err := suspended(ctx, db)
		if err != nil {
			return err
		}
		changed := 0
		for _, id := range ids {
			err := db.SetMessage(ctx, e.now(), id, state, "dropped by the operator")
			switch {
			case err == nil:
				if m, err := db.Message(ctx, id); err == nil && state == digest.Queued && held(&m) {
					fmt.Fprintf(e.stdout, "message %d is due, and waits as long as its address is suspended: quietpost subscribers resume %s\n", id, m.To)
				} else {
					fmt.Fprintf(e.stdout, "message %d %s\n", id, done)
				}
				changed++
			case len(states) > 0 && (errors.Is(err, digest.ErrNotFound) || errors.Is(err, digest.ErrConflict)):
			case errors.Is(err, digest.ErrConflict):
				return fmt.Errorf("%s; only what waits or was given up can be changed", first(err))
			case errors.Is(err, digest.ErrNotFound):
				if _, is := db.Message(ctx, id); is == nil {
					return fmt.Errorf("message %d was dropped, so it cannot be sent again; `quietpost send ADDRESS --catch-up 7d` sends its news anew", id)
				}
				return noMessage(err, id)
			default:
				return err
			}
		}
		if len(states) > 0 {
			fmt.Fprintf(e.stdout, "%s\n", counted(changed, "message", "messages"))
		}
		return nil
	})
}
