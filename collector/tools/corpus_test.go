package tools

import (
	"bufio"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"quietpost/digest"
)

// A sample is one delivery of the corpus: QUIETPOST_CORPUS/webhooks/TOOL/EVENT.EXT, its headers beside it, and from
// INDEX.tsv the value that names its project, and the topic that Zulip's own tests give it.
type sample struct {
	tool, file string
	header     http.Header
	body       []byte
	project    string
	topic      string
}

// corpus reads the deliveries of these tools, of all with none. Without a corpus the test is skipped, loudly.
func corpus(t *testing.T, want func(tool string) bool) []sample {
	root := os.Getenv("QUIETPOST_CORPUS")
	if root == "" {
		t.Log("QUIETPOST_CORPUS is not set: nothing is read from the corpus of real deliveries")
		t.Skip("QUIETPOST_CORPUS is not set")
	}
	index, err := os.Open(filepath.Join(root, "webhooks", "INDEX.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	defer index.Close()
	var out []sample
	lines := bufio.NewScanner(index)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		f := strings.Split(lines.Text(), "\t")
		if len(f) < 12 || f[0] == "tool" || !want(f[0]) {
			continue
		}
		path := filepath.Join(root, "webhooks", f[2])
		body, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		_, project, _ := strings.Cut(f[11], "=")
		s := sample{tool: f[0], file: f[2], header: http.Header{}, body: body, project: project}
		if len(f) > 16 {
			s.topic = f[16]
		}
		if text, err := os.ReadFile(path + ".headers"); err == nil {
			for line := range strings.Lines(string(text)) {
				if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
					s.header.Add(name, strings.TrimSpace(value))
				}
			}
		}
		out = append(out, s)
	}
	return out
}

// checkItem holds for every item of every adapter.
func checkItem(t *testing.T, it digest.Item) {
	t.Helper()
	switch {
	case strings.TrimSpace(it.Title) == "":
		t.Errorf("no title: %+v", it)
	case utf8.RuneCountInString(it.Title) > digest.MaxTitle, it.Title != digest.OneLine(it.Title, digest.MaxTitle):
		t.Errorf("the title is not one line: %q", it.Title)
	case !utf8.ValidString(it.Body):
		t.Errorf("the body is not UTF-8: %q", it.Body)
	case it.URL != "" && webAddress(it.URL) == "":
		t.Errorf("not an address of the web: %q", it.URL)
	}
}

func TestCorpus(t *testing.T) {
	adapters := map[string]Adapter{"bitbucket-services-legacy": Bitbucket, "github-enterprise": GitHub, "gogs": Gitea,
		"grafana-oncall-formatted": Grafana, "mattermost-incoming": Slack, "slack-incoming": Slack, "slack-outgoing": Slack}
	for name, tool := range Types() {
		adapters[name] = tool.Read
	}
	for _, own := range []bool{true, false} {
		items, deliveries, ignored, unread, projects, named := 0, 0, 0, 0, 0, 0
		for _, s := range corpus(t, func(tool string) bool { _, ok := adapters[tool]; return ok == own }) {
			read := Generic
			if own {
				read = adapters[s.tool]
			}
			deliveries++
			r, err := read(s.header, s.body)
			switch {
			case err != nil:
				unread++
				t.Logf("%s: %v", s.file, err)
				continue
			case r.Ignored != "":
				ignored++
				if len(r.Items) != 0 {
					t.Errorf("%s: ignored, and yet there are items", s.file)
				}
				t.Logf("%-60s ignored: %s", s.file, r.Ignored)
				continue
			case len(r.Items) == 0:
				t.Errorf("%s: neither an item nor a reason", s.file)
				continue
			}
			for _, it := range r.Items {
				items++
				checkItem(t, it)
				if s.project != "" {
					named++
					if digest.ProjectKey(it.Project) == digest.ProjectKey(s.project) {
						projects++
					} else {
						t.Logf("%-60s the project is %q, the index names %q", s.file, it.Project, s.project)
					}
				}
				t.Logf("%-60s [%s] %s | %s | %s%s %s %s %s| %s", s.file, it.Project, it.Title, it.Author, it.Event, mark("=", it.State), mark("!", it.Level), it.Priority, it.Thread, it.URL)
			}
		}
		t.Logf("SUMMARY adapters of their own=%t: %d deliveries, %d items with a title, %d ignored, %d unreadable; project as expected in %d of %d",
			own, deliveries, items, ignored, unread, projects, named)
		if least := map[bool]int{true: 490, false: 79}[own]; projects < least { // most of what is missed are ids that tell nobody anything
			t.Errorf("%d projects are as expected, fewer than %d", projects, least)
		}
		if own && unread > 0 || unread > deliveries/100 {
			t.Errorf("%d deliveries could not be read", unread)
		}
	}
}

func mark(sign, s string) string {
	if s == "" {
		return ""
	}
	return sign + s
}

// TestTopics compares with the topics that Zulip's own tests expect of the same deliveries. A topic is matched in
// substance when at least two thirds of its words of three letters, and of its numbers, stand in the project, the title or
// the thread of one of the delivery's items: a repository, a number, the name of what it is about. A topic that only names
// the tool is another habit, and not counted. What is missed stands in the log, to be read.
func TestTopics(t *testing.T) {
	l := library(t)
	policy := digest.NewPolicy(digest.Policy{})
	matched, of, ignored, named := 0, 0, 0, 0
	for _, s := range corpus(t, func(string) bool { return true }) {
		want := topicWords(s.topic, s.tool)
		tool := l.Detect(s.header, s.body)
		r, err := l.tools[tool].Read(s.header, s.body)
		switch {
		case s.topic == "":
			continue
		case err != nil:
			t.Errorf("%s: %v", s.file, err)
			continue
		case r.Ignored != "":
			ignored++
			continue
		case len(want) == 0:
			named++
			continue
		}
		of++
		most, line := -1, ""
		for i := range r.Items {
			it := &r.Items[i]
			it.Tool = tool
			policy.Decide(it)
			said, found := strings.Join([]string{it.Project, it.Title, it.Thread}, " | "), 0
			for _, w := range want {
				if strings.Contains(strings.ToLower(said), w) {
					found++
				}
			}
			if found > most {
				most, line = found, said
			}
		}
		if 3*most >= 2*len(want) {
			matched++
			continue
		}
		t.Logf("%-60s %q is not matched: %s", s.file, s.topic, line)
	}
	t.Logf("SUMMARY %d of %d topics matched in substance; %d more only name the tool, %d are of deliveries that make no item", matched, of, named, ignored)
	if least := 175; matched < least {
		t.Errorf("%d topics are matched, fewer than %d", matched, least)
	}
}

// topicWords are the words of a topic that say what it is about: all but short ones, the tool's name, and what any topic
// may have.
func topicWords(topic, tool string) (out []string) {
	for _, w := range strings.FieldsFunc(strings.ToLower(topic), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		switch {
		case slices.Contains([]string{"notification", "notifications", "topic", "message", "alert", "unknown"}, w), strings.Contains(strings.ReplaceAll(tool, "-", ""), w):
		case utf8.RuneCountInString(w) >= 3, w[0] >= '0' && w[0] <= '9':
			out = append(out, w)
		}
	}
	return out
}
