package main

import (
	"fmt"
	"strings"

	"quietpost/collector/tools"
	"quietpost/digest"
)

type toolsCmd struct {
	List toolsListCmd `cmd:"" help:"All tools that a source's type can name."`
	Show toolsShowCmd `cmd:"" help:"How to connect a tool, and its map file, to be copied and changed."`
	Try  toolsTryCmd  `cmd:"" help:"What a payload would become, read as one tool's."`
}

// toolsOf is the library of the configuration if there is one, else what comes with the program.
func (e *env) toolsOf() (*tools.Library, error) {
	if _, err := e.configFile(); err != nil {
		return e.library("")
	}
	cfg, err := e.read()
	if err != nil {
		return nil, err
	}
	return e.libraryOf(cfg)
}

// toolsToShow is the library of the configuration, or, where that has a fault, what comes with the program: who mends the
// fault looks here for the names of tools, and `tools show NAME > …/NAME.yaml` has emptied that file before we read it.
func (e *env) toolsToShow() (lib *tools.Library, fault error) {
	lib, fault = e.toolsOf()
	if fault == nil {
		return lib, nil
	}
	lib, err := e.shipped()
	if err != nil {
		return nil, err
	}
	return lib, fault
}

type toolsListCmd struct{}

// Example is printed with the help.
func (*toolsListCmd) Example() string { return "quietpost tools list" }

type toolJSON struct {
	Name   string `json:"name"`
	Title  string `json:"title"`
	Source string `json:"documentation,omitempty"`
}

// Run lists.
func (*toolsListCmd) Run(e *env) error {
	lib, fault := e.toolsToShow()
	if lib == nil {
		return fault
	}
	if fault != nil {
		fmt.Fprintf(e.stderr, "the configuration cannot be used (%v): these are the tools that come with the program\n", fault)
	}
	values, rows := []toolJSON{}, []string(nil)
	for _, name := range lib.Names() {
		p, _ := lib.Page(name)
		values = append(values, toolJSON{name, p.Title, p.Source})
		rows = append(rows, name+"\t"+p.Title)
	}
	return e.print(values, "TYPE\tTOOL", rows)
}

type toolsShowCmd struct {
	Name string `arg:"" help:"The tool, as tools list has it."`
}

// Example is printed with the help.
func (*toolsShowCmd) Example() string {
	return "quietpost tools show trello\nquietpost tools show trello > /etc/quietpost/tools/trello.yaml     # to change it; name the folder in tools_dir"
}

// Run prints the tool's file.
func (c *toolsShowCmd) Run(e *env) error {
	lib, fault := e.toolsToShow()
	if lib == nil {
		return fault
	}
	text, ok := lib.Text(c.Name)
	if !ok && fault != nil {
		return fmt.Errorf("no tool %q comes with the program, and the configuration cannot be used: %w", c.Name, fault)
	}
	if !ok {
		return fmt.Errorf("no tool %q; `quietpost tools list` shows all", c.Name)
	}
	_, err := e.stdout.Write(text)
	return err
}

type toolsTryCmd struct {
	Name string `arg:"" help:"The tool, as tools list has it; auto to have it found out."`
	File string `arg:"" help:"A payload, with or without the header it came with; - is standard input."`
}

// Example is printed with the help.
func (*toolsTryCmd) Example() string { return "quietpost tools try trello payload.json" }

// Run reads as the door would, without a configuration.
func (c *toolsTryCmd) Run(e *env) error {
	lib, err := e.toolsOf()
	if err != nil {
		return err
	}
	raw, err := (&explainCmd{File: c.File}).input(e)
	if err != nil {
		return err
	}
	in := readInput(raw, c.File)
	name, header := c.Name, headerOf(in.header)
	if name == "auto" {
		name = lib.Detect(header, in.body)
	}
	tool, ok := lib.Tool(name)
	if !ok {
		return fmt.Errorf("no tool %q; `quietpost tools list` shows all", c.Name)
	}
	r, err := tool.Read(header, in.body)
	if err != nil {
		return fmt.Errorf("read as %s: %w", name, err)
	}
	items := []explainedItemJSON{}
	for i := range r.Items {
		items = append(items, explainedItem(&r.Items[i]))
	}
	if e.json {
		return e.print(items, "", nil)
	}
	fmt.Fprintf(e.stdout, "read as %s\n", name)
	if r.Ignored != "" {
		fmt.Fprintf(e.stdout, "ignored: %s\n", r.Ignored)
	}
	for i := range r.Items {
		it := &r.Items[i]
		fmt.Fprintln(e.stdout)
		for _, f := range [][2]string{{"title", it.Title}, {"project", digest.ProjectKey(it.Project)}, {"author", it.Author}, {"kind", it.Kind},
			{"thread", it.Thread}, {"event", it.Event}, {"state", it.State}, {"level", it.Level}, {"priority", it.Priority},
			{"tags", strings.Join(it.Tags, ", ")}, {"due", it.Due}, {"url", it.URL}} {
			if f[1] != "" {
				fmt.Fprintf(e.stdout, "%-9s %s\n", f[0], f[1])
			}
		}
		if it.Urgent {
			fmt.Fprintln(e.stdout, "urgent    yes")
		}
		if it.Private {
			fmt.Fprintln(e.stdout, "private   yes")
		}
		if it.Body != "" {
			fmt.Fprintf(e.stdout, "\n%s\n", strings.TrimRight(it.Body, "\n"))
		}
	}
	return nil
}
