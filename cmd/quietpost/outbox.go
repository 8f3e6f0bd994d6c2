package main

import (
	"context"
	"fmt"
	"strings"

	"quietpost/config"
	"quietpost/digest"
	"quietpost/store/sqlite"
)

type outboxCmd struct {
	List outboxListCmd `cmd:"" help:"The newest messages and what became of them."`
}

type outboxListCmd struct {
	State string `help:"Only in this state: queued, sending, delivered or failed." enum:",queued,sending,delivered,failed" default:""`
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
		values, rows := []messageJSON{}, []string(nil)
		for _, m := range msgs {
			v := messageJSON{ID: m.ID, To: m.To, Lane: m.Lane, State: m.State, Subject: m.Subject, MessageID: m.MessageID, Edition: m.Edition,
				Attempts: m.Attempts, Answer: m.Answer, CreatedAt: rfc3339(m.CreatedAt), DoneAt: rfc3339(m.DoneAt)}
			when := stamp(m.DoneAt, cfg.TimeZone)
			if m.DoneAt.IsZero() {
				v.NextAt = rfc3339(m.NextAt)
				when = "next " + stamp(m.NextAt, cfg.TimeZone)
			}
			values = append(values, v)
			rows = append(rows, strings.Join([]string{fmt.Sprint(m.ID), m.State, m.Lane, m.To, fmt.Sprint(m.Attempts), when,
				digest.OneLine(m.Subject, 60), digest.OneLine(m.Answer, 80)}, "\t"))
		}
		return e.print(values, "ID\tSTATE\tLANE\tTO\tTRIES\tWHEN\tSUBJECT\tANSWER", rows)
	})
}
