// Package lines shows what becomes of real deliveries: the line that each gives in a digest.
package lines

import (
	"bufio"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"quietpost/collector/tools"
	"quietpost/digest"
)

// TestLines reads every delivery of the corpus (QUIETPOST_CORPUS/webhooks/TOOL/…) as a source of type auto would, lets
// intake decide, and writes a table with a row an item to the file named by QUIETPOST_LINES: tool, file, the type that
// read it, project, title, author, kind, event, state, level, urgent or low, thread, link. Every item must have a title
// and a project; what cannot be read stands in the table with its error.
func TestLines(t *testing.T) {
	root := os.Getenv("QUIETPOST_CORPUS")
	if root == "" {
		t.Log("QUIETPOST_CORPUS is not set: there are no deliveries to show the lines of")
		t.Skip("QUIETPOST_CORPUS is not set")
	}
	path := os.Getenv("QUIETPOST_LINES")
	if path == "" {
		path = filepath.Join(t.TempDir(), "lines.tsv")
	}
	out, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriter(out)
	fmt.Fprintln(w, "tool\tfile\tread as\tproject\ttitle\tauthor\tkind\tevent\tstate\tlevel\turgency\tthread\tlink")
	files, err := filepath.Glob(filepath.Join(root, "webhooks", "*", "*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no deliveries below %s: %v", root, err)
	}
	library, err := tools.NewLibrary(nil)
	if err != nil {
		t.Fatal(err)
	}
	policy, deliveries, items, ignored, unread := digest.NewPolicy(digest.Policy{}), 0, 0, 0, 0
	for _, f := range files {
		if strings.HasSuffix(f, ".headers") {
			continue
		}
		deliveries++
		tool, name := filepath.Base(filepath.Dir(f)), filepath.Base(f)
		as, r, err := read(t, library, f)
		switch {
		case err != nil:
			unread++
			fmt.Fprintf(w, "%s\t%s\t%s\t\tUNREADABLE: %v\n", tool, name, as, err)
		case r.Ignored != "":
			ignored++
			fmt.Fprintf(w, "%s\t%s\t%s\t\tIGNORED: %s\n", tool, name, as, r.Ignored)
		}
		for i := range r.Items {
			it := &r.Items[i]
			items++
			it.Tool = as
			policy.Decide(it)
			if it.Title == "" || it.Project == "" {
				t.Errorf("%s: an item without title or project: %+v", f, it)
			}
			urgency := it.Priority
			if it.Urgent {
				urgency = "URGENT"
			}
			fmt.Fprintln(w, strings.Join([]string{tool, name, as, it.Project, it.Title, it.Author, it.Kind, it.Event, it.State, it.Level,
				urgency, it.Thread, it.URL}, "\t"))
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%s: %d deliveries, %d items, %d ignored, %d unreadable", path, deliveries, items, ignored, unread)
}

// read reads one file with the header beside it, by the type that the delivery itself tells.
func read(t *testing.T, l *tools.Library, file string) (as string, r tools.Reading, err error) {
	body, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	h := http.Header{}
	if text, err := os.ReadFile(file + ".headers"); err == nil {
		for line := range strings.Lines(string(text)) {
			if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
				h.Add(name, strings.TrimSpace(value))
			}
		}
	}
	as = l.Detect(h, body)
	tool, _ := l.Tool(as)
	r, err = tool.Read(h, body)
	return as, r, err
}
