package main

import (
	"fmt"

	"quietpost/config"
	"quietpost/digest/schedule"
)

type checkCmd struct {
	Schema bool `help:"Print the JSON Schema of the configuration, for editors."`
}

// Example is printed with the help.
func (*checkCmd) Example() string {
	return "quietpost check --config quietpost.yaml\nquietpost check --schema > quietpost.schema.json"
}

// Run tells all faults, those of secrets that can be read here too; of a good file, what its schedules come to.
func (c *checkCmd) Run(e *env) error {
	if c.Schema {
		schema, err := config.Schema()
		if err == nil {
			_, err = e.stdout.Write(schema)
		}
		return err
	}
	file, err := e.configFile()
	if err != nil {
		return err
	}
	cfg, faults := config.Load(file, e.options())
	if cfg != nil {
		if shared := cfg.SecretFaults(); len(shared) > 0 {
			cfg, faults = nil, append(faults, shared...)
		}
	}
	for _, f := range faults {
		fmt.Fprintln(e.stdout, f)
	}
	if cfg == nil {
		n := 0
		for _, f := range faults {
			if f.Severity == config.Wrong {
				n++
			}
		}
		return fmt.Errorf("%s in the configuration, see above", counted(n, "fault", "faults"))
	}
	fmt.Fprintf(e.stdout, "%s is good: %s, %s, %s, %s\n", file, counted(len(cfg.Sources), "source", "sources"),
		counted(len(cfg.Inboxes), "inbox", "inboxes"), counted(len(cfg.Projects), "project", "projects"),
		counted(len(cfg.Subscribers), "subscriber", "subscribers"))
	for _, n := range cfg.SecretNotes() {
		fmt.Fprintln(e.stdout, n)
	}
	lib, err := e.libraryOf(cfg)
	if err != nil {
		return err
	}
	for _, line := range lib.Misread() {
		fmt.Fprintln(e.stdout, "tools_dir: note: "+line)
	}
	now := e.now()
	for i := range cfg.Subscribers {
		s := &cfg.Subscribers[i]
		sched, err := schedule.Parse(cfg.Spec(s.Schedule))
		if err != nil {
			return fmt.Errorf("%s: %w", s.Address, err) // the file was found good: a fault in the program
		}
		who := entry(s)
		loc := zone(who.Zone, cfg.TimeZone)
		fmt.Fprintf(e.stdout, "\n%s: %s (%s), %s\n", s.Address, s.Schedule, sched.Words(), loc)
		for next, n := now, 0; n < 3; n++ {
			if next = sched.Next(next, loc); next.IsZero() {
				break
			}
			fmt.Fprintf(e.stdout, "  %s\n", next.In(loc).Format("Mon 2006-01-02 15:04:05 MST"))
		}
	}
	return nil
}
