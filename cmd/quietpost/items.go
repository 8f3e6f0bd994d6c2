package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"quietpost/config"
	"quietpost/digest"
	"quietpost/store/sqlite"
	"quietpost/web"
)

type itemsCmd struct {
	List itemsListCmd `cmd:"" help:"The newest items."`
	Show itemsShowCmd `cmd:"" help:"One item in full."`

	Search laterCmd `cmd:"" hidden:"" passthrough:""`
}

type itemsListCmd struct {
	Project string `help:"Only of this project." placeholder:"KEY"`
	Urgent  bool   `help:"Only urgent ones."`
	Limit   int    `help:"At most so many." default:"20"`
}

// Example is printed with the help.
func (*itemsListCmd) Example() string { return "quietpost items list --project apollo --limit 50" }

// Run lists.
func (c *itemsListCmd) Run(e *env) error {
	return e.with(func(ctx context.Context, db *sqlite.DB, cfg *config.Config) error {
		policy, err := policyOf(cfg)
		if err != nil {
			return err
		}
		q := digest.ItemQuery{Urgent: c.Urgent, Limit: c.Limit}
		if c.Project != "" {
			q.Projects = policy.Keys(digest.ProjectKey(c.Project))
		}
		items, err := db.Items(ctx, q)
		if err != nil {
			return err
		}
		values, rows := []web.ItemJSON{}, []string(nil)
		for i := range items {
			it := &items[i]
			values = append(values, web.NewItemJSON(policy, it))
			mark := ""
			if it.Urgent {
				mark = "urgent"
			}
			rows = append(rows, strings.Join([]string{digest.ItemID(it.Number), fmt.Sprint(it.Number), stamp(it.ReceivedAt, cfg.TimeZone),
				policy.Project(it.Project), it.Kind, mark, digest.OneLine(it.Title, 80)}, "\t"))
		}
		return e.print(values, "ID\tNUMBER\tRECEIVED\tPROJECT\tKIND\t\tTITLE", rows)
	})
}

type itemsShowCmd struct {
	ID string `arg:"" help:"The item's id, or its number."`
}

// Example is printed with the help.
func (*itemsShowCmd) Example() string { return "quietpost items show " + digest.ItemID(1042) }

// Run shows.
func (c *itemsShowCmd) Run(e *env) error {
	number, err := itemNumber(c.ID)
	if err != nil {
		return err
	}
	return e.with(func(ctx context.Context, db *sqlite.DB, cfg *config.Config) error {
		it, err := db.Item(ctx, number)
		if errors.Is(err, digest.ErrNotFound) {
			return fmt.Errorf("no item %s; `quietpost items list` shows the newest", c.ID)
		}
		if err != nil {
			return err
		}
		policy, err := policyOf(cfg)
		if err != nil {
			return err
		}
		x := web.NewItemJSON(policy, &it)
		if e.json {
			return e.print([]web.ItemJSON{x}, "", nil)
		}
		out := func(name, value string) {
			if value != "" {
				fmt.Fprintf(e.stdout, "%-12s %s\n", name, value)
			}
		}
		out("id", digest.ItemID(it.Number))
		out("number", fmt.Sprint(it.Number))
		out("title", it.Title)
		out("project", x.Project+reason(&it, "project"))
		out("alias", x.Alias)
		out("kind", it.Kind+reason(&it, "kind"))
		out("urgent", fmt.Sprint(it.Urgent)+reason(&it, "urgent"))
		for _, f := range [][2]string{{"author", it.Author}, {"url", it.URL}, {"thread", it.Thread}, {"event", it.Event}, {"state", it.State},
			{"level", it.Level}, {"priority", it.Priority}, {"tags", strings.Join(it.Tags, ", ")}, {"due", it.Due}} {
			out(f[0], f[1])
		}
		out("source", it.Source+" ("+it.Tool+")")
		if !it.OccurredAt.IsZero() {
			out("occurred", stamp(it.OccurredAt, cfg.TimeZone))
		}
		out("received", stamp(it.ReceivedAt, cfg.TimeZone))
		if it.Body != "" {
			fmt.Fprintf(e.stdout, "\n%s\n", it.Body)
		}
		return nil
	})
}

// itemNumber reads an item's id, or its number.
func itemNumber(s string) (int64, error) {
	if n, ok := digest.ItemNumber(s); ok {
		return n, nil
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 1 {
		return 0, usage{fmt.Errorf("%q is no item id; `quietpost items list` shows them", s)}
	}
	return n, nil
}

func reason(it *digest.Item, field string) string {
	if r := it.Reasons[field]; r != "" {
		return " (" + string(r) + ")"
	}
	return ""
}

type projectsCmd struct {
	List projectsListCmd `cmd:"" help:"All projects with their numbers."`
}

type projectsListCmd struct{}

// Example is printed with the help.
func (*projectsListCmd) Example() string { return "quietpost projects list --json" }

type projectJSON struct {
	Project string   `json:"project"`
	Title   string   `json:"title,omitempty"`
	Aliases []string `json:"aliases,omitempty"`
	Items   int      `json:"items"`
	Urgent  int      `json:"urgent"`
	Last    *string  `json:"last_received_at"`
}

// Run lists projects, aliases folded into the project they mean.
func (*projectsListCmd) Run(e *env) error {
	return e.with(func(ctx context.Context, db *sqlite.DB, cfg *config.Config) error {
		counts, err := db.Projects(ctx)
		if err != nil {
			return err
		}
		policy, err := policyOf(cfg)
		if err != nil {
			return err
		}
		values, rows := []projectJSON{}, []string(nil)
		for _, c := range digest.FoldProjects(policy, counts) {
			v := projectJSON{Project: c.Project, Items: c.Items, Urgent: c.Urgent, Last: rfc3339(c.Last)}
			for _, pr := range cfg.Projects {
				if digest.ProjectKey(pr.Name) == c.Project {
					v.Title, v.Aliases = pr.Title, pr.Aliases
				}
			}
			values = append(values, v)
			rows = append(rows, fmt.Sprintf("%s\t%s\t%d\t%d\t%s", c.Project, v.Title, c.Items, c.Urgent, stamp(c.Last, cfg.TimeZone)))
		}
		return e.print(values, "PROJECT\tTITLE\tITEMS\tURGENT\tLAST", rows)
	})
}
