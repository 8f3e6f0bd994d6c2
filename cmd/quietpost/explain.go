package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"quietpost/collector/webhook"
	"quietpost/config"
	"quietpost/digest"
	"quietpost/store/sqlite"
)

type explainCmd struct {
	File   string `arg:"" optional:"" default:"-" help:"A webhook as it was sent (header, empty line, body; or only the body), or a mail (.eml); - is standard input."`
	Source string `help:"The source or inbox it came to; default as path, header and recipients tell." placeholder:"NAME"`
	Type   string `help:"Read it as this type's, whether the configuration has such a source or not."`
	Since  string `hidden:""`
}

// Example is printed with the help.
func (*explainCmd) Example() string {
	return `quietpost explain --source jenkins payload.json
quietpost quarantine show 7 | quietpost explain --source jenkins -
quietpost explain mail.eml`
}

type explainedJSON struct {
	Source  string              `json:"source"`
	Type    string              `json:"type"`
	Adapter string              `json:"adapter"`
	State   string              `json:"state"`
	Reason  string              `json:"reason,omitempty"`
	Key     string              `json:"key,omitempty"`
	Items   []explainedItemJSON `json:"items"`
}

type explainedItemJSON struct {
	Project    string                   `json:"project"`
	Title      string                   `json:"title"`
	Body       string                   `json:"body,omitempty"`
	URL        string                   `json:"url,omitempty"`
	Author     string                   `json:"author,omitempty"`
	Kind       string                   `json:"kind"`
	Thread     string                   `json:"thread,omitempty"`
	Event      string                   `json:"event,omitempty"`
	State      string                   `json:"state,omitempty"`
	Level      string                   `json:"level,omitempty"`
	Urgent     bool                     `json:"urgent"`
	Priority   string                   `json:"priority,omitempty"`
	Tags       []string                 `json:"tags,omitempty"`
	Due        string                   `json:"due,omitempty"`
	Private    bool                     `json:"private,omitempty"`
	OccurredAt *string                  `json:"occurred_at,omitempty"`
	Reasons    map[string]digest.Reason `json:"reasons"`
	Rules      []string                 `json:"rules"`
	Dropped    string                   `json:"dropped,omitempty"`
	Ways       []wayJSON                `json:"who"`
}

type wayJSON struct {
	Address string  `json:"address"`
	How     string  `json:"how"`
	At      *string `json:"at,omitempty"`
	Reason  string  `json:"reason"`
}

// Run reads, decides and tells; it writes nothing anywhere.
func (c *explainCmd) Run(e *env) (err error) {
	if c.Since != "" {
		return errNotYet
	}
	raw, err := c.input(e)
	if err != nil {
		return err
	}
	cfg, err := e.read()
	if err != nil {
		return err
	}
	store, people, closeStore, err := e.lookOn(cfg)
	if err != nil {
		return err
	}
	defer closing(&err, closeStore)
	more := []webhook.Source(nil)
	if c.Type != "" && c.Source == "" {
		types, err := e.sourceTypes("")
		if err != nil {
			return err
		}
		if !slices.Contains(types, c.Type) {
			return usage{fmt.Errorf("--type %s is not known; `quietpost tools list` shows all", c.Type)}
		}
		c.Source = "(" + c.Type + ")"
		more = append(more, webhook.Source{Name: c.Source, Type: c.Type})
	}
	doors, err := e.doors(e.ctx, cfg, store, nil, more...)
	if err != nil {
		return err
	}
	in := readInput(raw, c.File)
	name, err := c.sourceOf(doors, in)
	if err != nil {
		return err
	}
	d, err := doors.readNew(e.ctx, name, in)
	if err != nil {
		return err
	}
	set := &digest.Settings{Policy: doors.policy, Calendar: digest.Calendar{Named: cfg.Schedules, Zone: cfg.TimeZone}}
	out := explained(e, doors, set, people, &d)
	if e.json {
		return e.print([]explainedJSON{out}, "", nil)
	}
	out.write(e.stdout)
	return nil
}

// input is the file's bytes, or those of standard input.
func (c *explainCmd) input(e *env) ([]byte, error) {
	const most = 32 << 20
	from := e.stdin
	if c.File != "-" {
		f, err := os.Open(c.File)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		from = f
	}
	raw, err := io.ReadAll(io.LimitReader(from, most+1))
	if err == nil && len(raw) > most {
		err = fmt.Errorf("%s is larger than 32 MiB, which no door takes", c.File)
	}
	return raw, err
}

// lookOn opens the database to be read if there is one; else the people are those of the file.
func (e *env) lookOn(cfg *config.Config) (digest.IntakeStore, []digest.Subscriber, func() error, error) {
	dir, err := resolve(cfg.DataDir)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("data_dir: %w", err)
	}
	path := filepath.Join(dir, "quietpost.db")
	if _, err := os.Stat(path); err != nil {
		var people []digest.Subscriber
		for i := range cfg.Subscribers {
			s := entry(&cfg.Subscribers[i])
			people = append(people, digest.Subscriber{Address: s.Address, Name: s.Name, Zone: s.Zone, State: digest.Active, Alerts: s.Alerts,
				Quiet: s.Quiet, Subscriptions: []digest.Subscription{{Projects: s.Projects, Kinds: s.Kinds, Schedule: s.Schedule}}})
		}
		return nowhere{}, people, func() error { return nil }, nil
	}
	db, err := sqlite.Open(e.ctx, path, sqlite.Options{NoMigrate: true})
	if err != nil {
		return nil, nil, nil, err
	}
	people, err := db.Subscribers(e.ctx)
	if err != nil {
		return nil, nil, nil, errors.Join(err, db.Close())
	}
	return db, people, db.Close, nil
}

// An input is what explain was given.
type input struct {
	mail         bool
	path         string // of the request line, if there was one
	header, body []byte // of a webhook
	raw          []byte
}

var (
	requestLine = regexp.MustCompile(`^[A-Z]+ (/\S*)( HTTP/[0-9.]+)?\r?\n`)
	headerLine  = regexp.MustCompile(`^[!-9;-~]+:[ \t]?.*\r?\n`)
	mailHeader  = regexp.MustCompile(`(?im)^(from|received|message-id|return-path|dkim-signature):`)
	emptyLine   = regexp.MustCompile(`\r?\n\r?\n`)
)

// readInput tells a webhook's request, a body and a mail apart.
func readInput(raw []byte, file string) input {
	in := input{raw: raw, body: raw, header: []byte("Content-Type: application/json\n")}
	rest := raw
	if m := requestLine.FindSubmatch(raw); m != nil {
		in.path, rest = string(m[1]), raw[len(m[0]):]
	}
	if in.path == "" && (bytes.HasPrefix(bytes.TrimSpace(raw), []byte("{")) || !headerLine.Match(raw)) {
		in.mail = strings.EqualFold(filepath.Ext(file), ".eml")
		return in
	}
	at := emptyLine.FindIndex(rest)
	if at == nil {
		at = []int{len(rest), len(rest)}
	}
	in.header, in.body = rest[:at[0]], rest[at[1]:]
	in.mail = in.path == "" && (strings.EqualFold(filepath.Ext(file), ".eml") || mailHeader.Match(in.header))
	return in
}

// sourceOf finds where an input came to.
func (c *explainCmd) sourceOf(d *doors, in input) (string, error) {
	var fit, all []string
	for _, n := range namesAndTypes(d.cfg) {
		if all = append(all, n[0]); c.Source == n[0] {
			return n[0], nil
		}
		if isMail := n[1] == digest.MailTool; isMail == in.mail {
			fit = append(fit, n[0])
		}
	}
	if strings.HasPrefix(c.Source, "(") {
		return c.Source, nil
	}
	if c.Source != "" {
		return "", usage{fmt.Errorf("no source or inbox %q in the configuration; there are %s", c.Source, strings.Join(all, ", "))}
	}
	if rest, ok := strings.CutPrefix(in.path, "/hooks/"); ok {
		name, _, _ := strings.Cut(rest, "/")
		name, _, _ = strings.Cut(name, "?")
		if slices.Contains(fit, name) {
			return name, nil
		}
	}
	if !in.mail {
		fit = ofType(d.cfg, d.tools.Detect(headerOf(in.header), in.body), fit)
	}
	switch len(fit) {
	case 0:
		return "", usage{errors.New("the configuration has no source that this could have come to; name a type with --type")}
	case 1:
		return fit[0], nil
	}
	if in.mail {
		for i := range d.cfg.Inboxes { // one whose address stands in the header
			if bytes.Contains(bytes.ToLower(in.header), []byte(d.cfg.Inboxes[i].Address)) {
				return d.cfg.Inboxes[i].Name, nil
			}
		}
	}
	return "", usage{fmt.Errorf("it could have come to %s; name one with --source", strings.Join(fit, ", "))}
}

// ofType are the sources of a type; if there is none, all of them.
func ofType(cfg *config.Config, typ string, all []string) (fit []string) {
	for _, s := range cfg.Sources {
		if s.Type == typ {
			fit = append(fit, s.Name)
		}
	}
	if fit == nil {
		return all
	}
	return fit
}

func headerOf(raw []byte) http.Header {
	h := http.Header{}
	for line := range strings.Lines(string(raw)) {
		if name, value, ok := strings.Cut(line, ":"); ok {
			h.Add(strings.TrimSpace(name), strings.TrimSpace(value))
		}
	}
	return h
}

// readNew reads an input as if it came to the source now.
func (d *doors) readNew(ctx context.Context, name string, in input) (digest.Delivery, error) {
	if box := d.boxes[name]; box != nil {
		return box.Delivery(ctx, in.raw, d.now())
	}
	return d.hooks.Again(name, in.header, in.body)
}

// explained decides the items and finds who would get them.
func explained(e *env, d *doors, set *digest.Settings, people []digest.Subscriber, got *digest.Delivery) explainedJSON {
	r := &got.Receipt
	out := explainedJSON{Source: r.Source, Type: r.Tool, Adapter: "the adapter for " + r.Tool, State: r.State, Reason: string(r.Reason), Key: r.Key,
		Items: []explainedItemJSON{}}
	for i := range d.cfg.Sources {
		if s := &d.cfg.Sources[i]; s.Name == r.Source && len(s.Map) > 0 {
			out.Adapter = "the map of " + s.Name
		}
	}
	for i := range got.Items {
		it := &got.Items[i]
		it.Source, it.Tool, it.ReceivedAt = r.Source, r.Tool, e.now()
		v := d.policy.Decide(it)
		if v.Fault != nil { // one item's fault quarantines the delivery: see digest.Rule
			out.State, out.Reason, out.Items = digest.Quarantined, v.Fault.Error(), []explainedItemJSON{}
			return out
		}
		x := explainedItem(it)
		x.Project, x.Dropped, x.Rules = set.Policy.Project(it.Project), string(v.Dropped), append(x.Rules, v.Matched...)
		if v.Dropped == "" {
			for _, w := range digest.Ways(e.now(), set, people, it) {
				x.Ways = append(x.Ways, wayJSON{w.Address, w.How, rfc3339(w.At), string(w.Why)})
			}
		}
		out.Items = append(out.Items, x)
	}
	return out
}

// explainedItem is an item for programs.
func explainedItem(it *digest.Item) explainedItemJSON {
	return explainedItemJSON{Project: digest.ProjectKey(it.Project), Title: it.Title, Body: it.Body, URL: it.URL, Author: it.Author, Kind: it.Kind,
		Thread: it.Thread, Event: it.Event, State: it.State, Level: it.Level, Urgent: it.Urgent, Priority: it.Priority, Tags: it.Tags, Due: it.Due,
		Private: it.Private, OccurredAt: rfc3339(it.OccurredAt), Reasons: it.Reasons, Rules: []string{}, Ways: []wayJSON{}}
}

// write prints what was found for people.
func (x *explainedJSON) write(w io.Writer) {
	line := func(name, value string, reason digest.Reason) {
		switch {
		case value == "":
		case reason != "":
			fmt.Fprintf(w, "%-10s %s (%s)\n", name, value, reason)
		default:
			fmt.Fprintf(w, "%-10s %s\n", name, value)
		}
	}
	line("source", x.Source+" ("+x.Type+"), read by "+x.Adapter, "")
	line("delivery", x.State, digest.Reason(x.Reason))
	line("key", x.Key, "")
	for i := range x.Items {
		it := &x.Items[i]
		fmt.Fprintf(w, "\nitem %d of %d\n", i+1, len(x.Items))
		for _, f := range [][2]string{{"title", it.Title}, {"project", it.Project}, {"kind", it.Kind}, {"urgent", fmt.Sprint(it.Urgent)}, {"author", it.Author},
			{"url", it.URL}, {"thread", it.Thread}, {"event", it.Event}, {"state", it.State}, {"level", it.Level}, {"priority", it.Priority},
			{"tags", strings.Join(it.Tags, ", ")}, {"due", it.Due}} {
			line(f[0], f[1], it.Reasons[f[0]])
		}
		if it.OccurredAt != nil {
			line("occurred", *it.OccurredAt, "")
		}
		line("body", digest.OneLine(it.Body, 200), "")
		for _, r := range it.Rules {
			line("matched", r, "")
		}
		line("dropped", it.Dropped, "")
		for _, way := range it.Ways {
			when := ""
			if way.At != nil {
				when = " " + *way.At
			}
			line("to", way.Address+", "+way.How+when, digest.Reason(way.Reason))
		}
		if len(it.Ways) == 0 && it.Dropped == "" {
			line("to", "nobody: no subscriber follows "+it.Project, "")
		}
	}
}
