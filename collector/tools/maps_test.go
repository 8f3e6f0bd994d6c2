package tools

import (
	"encoding/json"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"quietpost/digest"
)

func library(t testing.TB) *Library {
	t.Helper()
	l, err := NewLibrary(nil)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// Each map file compiles, has words for people, knows its own samples from those of all others, and each sample gives
// the line that stands beside it.
func TestMapFiles(t *testing.T) {
	l := library(t)
	for name, m := range l.files {
		t.Run(name, func(t *testing.T) {
			if _, err := m.compile(); err != nil {
				t.Fatal(err)
			}
			for what, text := range map[string]string{"where": m.texts.Where, "choose": m.texts.Choose, "secret": m.texts.Secret, "source": m.texts.Source} {
				if text == "" && !(name == "generic" && what == "source") {
					t.Errorf("%s is empty", what)
				}
			}
			if len(m.samples) == 0 {
				t.Error("there is no sample")
			}
			for _, s := range m.samples {
				t.Run(s.Name, func(t *testing.T) { checkSample(t, l, name, &s) })
			}
		})
	}
}

func checkSample(t *testing.T, l *Library, tool string, s *Sample) {
	for _, fault := range l.tried(l.files[tool], s) {
		t.Error(fault)
	}
}

// A payload of which any field is missing or of another kind still gives an item, an ignored one or a quarantined one:
// never a panic, never nothing.
func TestMapFilesMangled(t *testing.T) {
	l := library(t)
	for name, m := range l.files {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, s := range m.samples {
				var v any
				if json.Unmarshal(s.Body, &v) != nil {
					continue
				}
				mangled(v, func() {
					body, err := json.Marshal(v)
					if err != nil {
						t.Fatal(err)
					}
					r, err := l.tools[name].Read(s.Header, body)
					if err == nil && len(r.Items) == 0 && r.Ignored == "" {
						t.Errorf("%s: nothing came of %s", s.Name, body)
					}
					for i := range r.Items {
						if strings.TrimSpace(r.Items[i].Title) == "" {
							t.Errorf("%s: an item without title came of %s", s.Name, body)
						}
					}
				})
			}
		})
	}
}

// mangled calls fn with each value of v, to depth 3, replaced in turn by odd ones.
func mangled(v any, fn func()) { mangleBelow(v, 3, fn) }

func mangleBelow(v any, depth int, fn func()) {
	if depth == 0 {
		return
	}
	odd := []any{nil, 7.0, []any{"x"}, map[string]any{}}
	switch v := v.(type) {
	case map[string]any:
		for k, old := range v {
			for _, o := range odd {
				v[k] = o
				fn()
			}
			delete(v, k)
			fn()
			v[k] = old
			mangleBelow(old, depth-1, fn)
		}
	case []any:
		for i, old := range v {
			for _, o := range odd {
				v[i] = o
				fn()
			}
			v[i] = old
			mangleBelow(old, depth-1, fn)
		}
	}
}

func TestMapFileFaults(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"no title":       {"know: [{header: X}]", "title is missing"},
		"no sign":        {"title: X", "know is missing"},
		"unknown key":    {"title: X\nknow: [{header: X}]\nmop: {}", "a.yaml:3: mop is not known"},
		"unknown field":  {"title: X\nknow: [{header: X}]\nmap: {titel: payload.a}", "a.yaml:3: titel is not known"},
		"bad expression": {"title: X\nknow: [{header: X}]\nmap:\n  title: payload.a +", "a.yaml:4: map.title"},
		"bad condition":  {"title: X\nknow: [{header: X}]\non:\n  - when: nobody == 1", "a.yaml:4: on[0].when"},
		"bad let":        {"title: X\nknow: [{header: X}]\nlet:\n  a: b.c", "a.yaml:4"},
		"twice":          {"title: X\ntitle: Y\nknow: [{header: X}]", "title stands here twice"},
	} {
		_, err := NewLibrary(fstest.MapFS{"a.yaml": {Data: []byte(c.text)}})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// The operator's own file goes before the one that comes with the program, and before an adapter in Go.
func TestOwnMapFiles(t *testing.T) {
	own := fstest.MapFS{
		"github.yaml":  {Data: []byte("title: Ours\nknow: [{header: X-GitHub-Event}]\nmap: {title: '\"ours \" + payload.action'}\non: [{}]")},
		"newtool.yaml": {Data: []byte("title: New\nknow: [{fields: [very.special]}]\nmap: {project: payload.very.special}\non: [{title: '\"new\"'}]")},
	}
	l, err := NewLibrary(own)
	if err != nil {
		t.Fatal(err)
	}
	read := func(h http.Header, body string) (tool, title string) {
		tool = l.Detect(h, []byte(body))
		r, err := l.tools[tool].Read(h, []byte(body))
		if err != nil || len(r.Items) != 1 {
			t.Fatal(r, err)
		}
		return tool, r.Items[0].Title
	}
	if tool, title := read(http.Header{"X-Github-Event": {"push"}}, `{"action": "x"}`); tool != "github" || title != "ours x" {
		t.Errorf("%s: %s", tool, title)
	}
	if tool, title := read(http.Header{}, `{"very": {"special": "p"}}`); tool != "newtool" || title != "new" {
		t.Errorf("%s: %s", tool, title)
	}
}

// What an own file's samples say is held against what comes of them.
func TestMisread(t *testing.T) {
	text := "title: A\nknow: [{fields: [very.special]}]\non: [{title: payload.very.special}]\nsamples:\n" +
		"  - {name: good, body: {very: {special: it}}, gives: {title: it}}\n" +
		"  - {name: other, body: {very: {special: it}}, gives: {title: that}}\n" +
		"  - {name: not its, body: {very: it}, gives: {state: none}}\n" +
		"  - {name: not so, body: {very: {special: it}}, ignored: no news}\n" +
		"  - {name: fewer, body: {very: {special: it}}, gives: [{title: it}, {}]}\n"
	l, err := NewLibrary(fstest.MapFS{"a.yaml": {Data: []byte(text)}})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{`a.yaml: sample "other": title is "it", not "that"`, `a.yaml: sample "not its": it is taken for generic`,
		`a.yaml: sample "not its": state is "", not "none"`, `a.yaml: sample "not so": ignored is "", not "no news"`,
		`a.yaml: sample "fewer": it gives 1 updates, not 2 (ignored: "")`}
	if got := l.Misread(); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if got := library(t).Misread(); got != nil {
		t.Errorf("without own files: %v", got)
	}
}

// Wherever a file asks for a header, it has it.
func TestMapFileHeaders(t *testing.T) {
	for place, text := range map[string]string{
		"let":       "let: {e: 'headers[\"x-event\"]'}\non: [{title: e}]",
		"map":       "map: {title: 'headers[\"X-\" + \"Event\"]'}",
		"condition": "on: [{when: 'headers[\"X-Event\"] == \"done\"', title: '\"done\"'}]",
		"event":     "on: [{title: 'headers[\"X-Event\"]'}]",
	} {
		l, err := NewLibrary(fstest.MapFS{"a.yaml": {Data: []byte("title: A\nknow: [{header: X-Event}]\n" + text)}})
		if err != nil {
			t.Fatal(err)
		}
		r, err := l.files["a"].mapped(http.Header{"X-Event": {"done"}}, []byte(`{"a": 1}`))
		if err != nil || len(r.Items) != 1 || r.Items[0].Title != "done" {
			t.Errorf("%s: %+v, %v", place, r, err)
		}
	}
}

// The example of docs/maps.md is a good file, and its samples give what it says.
func TestMapsPage(t *testing.T) {
	page, err := os.ReadFile("../../docs/maps.md")
	if err != nil {
		t.Fatal(err)
	}
	_, example, _ := strings.Cut(string(page), "```yaml\ntitle:")
	example, _, ok := strings.Cut(example, "```")
	l, err := NewLibrary(fstest.MapFS{"deploybot.yaml": {Data: []byte("title:" + example)}})
	if err != nil || !ok {
		t.Fatal(err)
	}
	samples := l.Samples("deploybot")
	if len(samples) == 0 {
		t.Fatal("the example has no sample")
	}
	for _, s := range samples {
		checkSample(t, l, "deploybot", &s)
	}
}

// A source that was given a project keeps it, whatever project a map file reads from the payload.
func TestMapFileProject(t *testing.T) {
	l := library(t)
	p := digest.NewPolicy(digest.Policy{Sources: map[string]string{"uptime": "apollo"}})
	for source, want := range map[string]string{"uptime": "apollo", "other": "shop"} {
		r, err := l.tools["uptime-kuma"].Read(http.Header{}, l.Samples("uptime-kuma")[0].Body)
		if err != nil || len(r.Items) != 1 {
			t.Fatal(r, err)
		}
		it := &r.Items[0]
		it.Source, it.Tool = source, "uptime-kuma"
		if p.Decide(it); it.Project != want {
			t.Errorf("source %s: project %s, want %s (%s)", source, it.Project, want, it.Reasons["project"])
		}
	}
}
