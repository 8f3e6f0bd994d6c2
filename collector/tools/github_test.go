package tools

import (
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"quietpost/digest"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares text with the file, or writes it.
func golden(t *testing.T, file, got string) {
	t.Helper()
	path := filepath.Join("testdata", file)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s (-want +got; -update writes it anew):\n%s", path, d)
	}
}

// show writes a reading as a person would check it.
func show(r Reading, err error) string {
	var b strings.Builder
	if err != nil {
		fmt.Fprintf(&b, "unreadable: %v\n", err)
	}
	if r.Key != "" {
		fmt.Fprintf(&b, "key      %s\n", r.Key)
	}
	if r.Ignored != "" {
		fmt.Fprintf(&b, "ignored  %s\n", r.Ignored)
	}
	for _, it := range r.Items {
		fmt.Fprintf(&b, "title    %s\n", it.Title)
		for _, f := range []struct{ name, value string }{{"project", it.Project}, {"author", it.Author}, {"kind", it.Kind},
			{"thread", it.Thread}, {"event", it.Event}, {"state", it.State}, {"level", it.Level}, {"priority", it.Priority},
			{"tags", strings.Join(it.Tags, ", ")}, {"due", it.Due}, {"url", it.URL}} {
			if f.value != "" {
				fmt.Fprintf(&b, "%-8s %s\n", f.name, f.value)
			}
		}
		if it.Urgent {
			b.WriteString("urgent\n")
		}
		if it.Private {
			b.WriteString("private\n")
		}
		if !it.OccurredAt.IsZero() {
			fmt.Fprintf(&b, "at       %s\n", it.OccurredAt.Format(time.RFC3339))
		}
		if it.Body != "" {
			fmt.Fprintf(&b, "body     %s\n", strings.ReplaceAll(it.Body, "\n", "\n         "))
		}
	}
	return b.String()
}

// samples are the files of a folder of testdata with their names.
func samples(t testing.TB, dir string) (names []string, bodies [][]byte) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", dir, "*"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no samples in testdata/%s: %v", dir, err)
	}
	for _, p := range paths {
		body, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		names, bodies = append(names, filepath.Base(p)), append(bodies, body)
	}
	return names, bodies
}

// githubHeader is the header of a sample: pull_request.closed~unmerged.json is the event pull_request.
func githubHeader(file string) http.Header {
	event, _, _ := strings.Cut(strings.TrimSuffix(file, ".json"), "~")
	event, _, _ = strings.Cut(event, ".")
	return http.Header{"X-Github-Event": {event}, "Content-Type": {"application/json"}}
}

func TestGitHub(t *testing.T) {
	names, bodies := samples(t, "github")
	var b strings.Builder
	for i, name := range names {
		r, err := GitHub(githubHeader(name), bodies[i])
		for _, it := range r.Items {
			checkItem(t, it)
		}
		fmt.Fprintf(&b, "== %s\n%s\n", strings.TrimSuffix(name, ".json"), show(r, err))
	}
	golden(t, "github.golden", b.String())
}

// unnamed are events whose bodies do not name them.
var unnamed = map[string]bool{"member": true, "organization": true, "gollum": true, "watch": true, "dependabot_alert": true,
	"secret_scanning_alert": true, "code_scanning_alert": true, "page_build": true, "branch_protection_rule": true, "deploy_key": true,
	"branch_protection_configuration": true, "security_and_analysis": true, "public": true, "membership": true, "org_block": true,
	"meta": true, "sub_issues": true, "issue_dependencies": true, "deployment_review": true,
	"deployment_protection_rule": true, "workflow_dispatch": true, "repository_dispatch": true, "repository_import": true,
	"exemption_request_push_ruleset": true, "custom_property_values": true, "secret_scanning_scan": true,
	"custom_property": true, "secret_scanning_alert_location": true, "installation_target": true}

// Without the header, as in a body replayed by hand, the same is read from what the body holds.
func TestGitHubWithoutHeader(t *testing.T) {
	names, bodies := samples(t, "github")
	for i, name := range names {
		event := githubHeader(name).Get("X-GitHub-Event")
		if unnamed[event] {
			continue
		}
		want, _ := GitHub(githubHeader(name), bodies[i])
		got, err := GitHub(http.Header{}, bodies[i])
		if d := cmp.Diff(want, got); d != "" || err != nil {
			t.Errorf("%s: %v\n%s", name, err, d)
		}
	}
}

func TestGitHubForm(t *testing.T) {
	names, bodies := samples(t, "github")
	h := githubHeader(names[0])
	h.Set("Content-Type", "application/x-www-form-urlencoded")
	h.Set("X-GitHub-Delivery", "72d3162e-cc78-11e3-81ab-4c9367dc0958")
	want, _ := GitHub(githubHeader(names[0]), bodies[0])
	want.Key = "72d3162e-cc78-11e3-81ab-4c9367dc0958"
	got, err := GitHub(h, []byte("payload="+url.QueryEscape(string(bodies[0]))))
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Errorf("a form is read otherwise than JSON: %v\n%s", err, d)
	}
}

func TestGitHubOdd(t *testing.T) {
	for body, want := range map[string]string{
		`[]`: "unreadable", `not json`: "unreadable", ``: "unreadable", `"x"`: "unreadable", `{"a":`: "unreadable",
		strings.Repeat(`{"a":`, 201) + `1` + strings.Repeat(`}`, 201): "unreadable",
		`{}`: "PR\n",
		`{"action":5,"pull_request":[1,2],"repository":"x","sender":null}`:                                         "PR 5",
		`{"pull_request":{"number":"42","title":{"a":1},"labels":{"x":1},"html_url":"javascript:alert(1)"}}`:       "PR #42",
		"{\"pull_request\":{\"number\":9007199254740993,\"title\":\"\xff\xfe\"}}":                                  "PR #9007199254740993",
		`{"pull_request":{"number":1,"title":"a"},"pull_request":{"number":2,"title":"b"},"action":"closed"}`:      "PR #2 closed without merging: b",
		"\xEF\xBB\xBF{\"action\":\"opened\",\"pull_request\":{\"number\":3,\"title\":\"with a byte order mark\"}}": "PR #3 opened",
	} {
		r, err := GitHub(http.Header{"X-Github-Event": {"pull_request"}}, []byte(body))
		got := show(r, err)
		if !strings.Contains(got, want) {
			t.Errorf("%.80q gives\n%s, want %q in it", body, got, want)
		}
		for _, it := range r.Items {
			checkItem(t, it)
			if it.URL != "" && !strings.HasPrefix(it.URL, "http") {
				t.Errorf("%.80q gives the link %q", body, it.URL)
			}
		}
	}
}

func FuzzGitHub(f *testing.F) {
	names, bodies := samples(f, "github")
	for i, name := range names {
		f.Add(githubHeader(name).Get("X-GitHub-Event"), "application/json", bodies[i])
	}
	f.Add("push", "application/x-www-form-urlencoded", []byte("payload=%7B%7D"))
	f.Add("", "", []byte(`{"sender":{"login":1}}`))
	f.Fuzz(func(t *testing.T, event, contentType string, body []byte) {
		checkReading(t, GitHub, http.Header{"X-Github-Event": {event}, "Content-Type": {contentType}}, body)
	})
}

// checkReading holds for every adapter and every body: no panic, the same twice, an item or a reason or an error.
func checkReading(t *testing.T, read Adapter, h http.Header, body []byte) {
	t.Helper()
	r, err := read(h, Scrub(body))
	again, err2 := read(h, Scrub(body))
	if d := cmp.Diff(r, again); d != "" || (err == nil) != (err2 == nil) {
		t.Fatalf("the second reading differs:\n%s", d)
	}
	if (len(r.Items) > 0) == (r.Ignored != "" || err != nil) || len(r.Items) > MaxItems {
		t.Fatalf("%d items, ignored %q, error %v", len(r.Items), r.Ignored, err)
	}
	for _, it := range r.Items {
		checkItem(t, it)
		if len(it.Body) > 2*digest.MaxBody && len(body) < digest.MaxBody {
			t.Errorf("a body of %d bytes came from %d", len(it.Body), len(body))
		}
	}
}
