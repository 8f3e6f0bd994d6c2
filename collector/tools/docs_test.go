package tools

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestDocs holds docs/tools to the map files: a page a tool and an index. With QUIETPOST_UPDATE set it writes them (make docs).
func TestDocs(t *testing.T) {
	l := library(t)
	dir := filepath.Join("..", "..", "docs", "tools")
	want := map[string]string{}
	var index strings.Builder
	index.WriteString("# Tools\n\nWritten by `make docs` from the map files in collector/tools/maps. In each page, `{url}` is the address of your hook, such as\n" +
		"`https://quiet.example.com/hooks/trello`. A tool that is not here: give its source `type: generic`, which finds its way in any JSON,\n" +
		"form or text, or write `map:` for it ([expressions](../expressions.md)), or a map file ([map files](../maps.md)).\n\nWhere a line names no project, that of the source counts (`project:`).\n\n| tool | type |\n| --- | --- |\n")
	for _, name := range l.Names() {
		p, ok := l.Page(name)
		if !ok {
			t.Errorf("%s has no file in maps/, not even one with code: true", name)
			continue
		}
		fmt.Fprintf(&index, "| [%s](%s.md) | `%s` |\n", p.Title, name, name)
		want[name+".md"] = page(t, l, name, &p)
	}
	want["README.md"] = index.String()
	if os.Getenv("QUIETPOST_UPDATE") != "" {
		old, _ := filepath.Glob(filepath.Join(dir, "*.md"))
		for _, f := range old {
			os.Remove(f)
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		for name, text := range want {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, text := range want {
		if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(got) != text {
			t.Errorf("docs/tools/%s is not what its map file says; run make docs", name)
		}
	}
}

// page is what a tool's page says; its lines are what the samples give.
func page(t *testing.T, l *Library, name string, p *Page) string {
	var s strings.Builder
	fmt.Fprintf(&s, "# %s\n\n```yaml\nsources:\n  - {name: %s, type: %s, secret_file: /etc/quietpost/%s.secret}\n```\n\n"+
		"`secret_file` holds the secret, alone on a line: the tool's own where it gives you one, else what `openssl rand -hex 24` makes. Below,\n"+
		"TOKEN stands for it. After a change: `quietpost check && systemctl reload quietpost`.\n\n", p.Title, name, name, name)
	part := func(head, text string) {
		if text != "" {
			fmt.Fprintf(&s, "## %s\n\n%s\n\n", head, strings.ReplaceAll(text, "{url}", "https://quiet.example.com/hooks/"+name))
		}
	}
	part("Where to click, what to paste", p.Where)
	part("Which events", p.Choose)
	part("The secret", p.Secret)
	s.WriteString("## The lines it gives\n\n| what happened | line | project |\n| --- | --- | --- |\n")
	for _, sample := range l.Samples(name) {
		if sample.Ignored != "" {
			fmt.Fprintf(&s, "| %s | left out: %s | |\n", cell(sample.Name), cell(sample.Ignored))
			continue
		}
		r, err := l.tools[name].Read(sample.Header, sample.Body)
		if err != nil {
			t.Errorf("%s, %s: %v", name, sample.Name, err)
		}
		for i := range r.Items {
			it := shownFields(&r.Items[i])
			title := cell(it["title"])
			if it["urgent"] == "true" {
				title += " **urgent**"
			}
			fmt.Fprintf(&s, "| %s | %s | %s |\n", cell(sample.Name), title, cell(it["project"]))
		}
	}
	if p.Source != "" {
		fmt.Fprintf(&s, "\nThe tool's own documentation: <%s>\n", p.Source)
	}
	return s.String()
}

func cell(s string) string { return strings.NewReplacer("|", "\\|", "\n", " ", "<", "&lt;").Replace(s) }
