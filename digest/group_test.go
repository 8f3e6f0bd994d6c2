package digest

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func item(n int64, project, thread, title string, more ...func(*Item)) Item {
	it := Item{Number: n, Project: project, Thread: thread, Title: title, Kind: KindStatus, ReceivedAt: noon.Add(time.Duration(n) * time.Minute)}
	for _, f := range more {
		f(&it)
	}
	return it
}

func kind(k string) func(*Item)   { return func(i *Item) { i.Kind = k } }
func state(s string) func(*Item)  { return func(i *Item) { i.State = s } }
func author(a string) func(*Item) { return func(i *Item) { i.Author = a } }
func urgent(i *Item)              { i.Urgent = true }
func private(i *Item)             { i.Private = true }

func titles(key string) string { return strings.ToUpper(key[:1]) + key[1:] }

func TestGroupFoldsAThreadIntoItsNetState(t *testing.T) {
	items := []Item{
		item(1, "apollo", "pr/42", "PR #42 opened: Retry on 503", kind(KindReview), state("open"), author("ana")),
		item(2, "apollo", "pr/42", "ben commented on PR #42", kind(KindComment), author("ben")),
		item(3, "apollo", "pr/42", "cy commented on PR #42", kind(KindComment), author("cy")),
		item(4, "apollo", "pr/42", "PR #42 merged: Retry on 503", kind(KindReview), state("merged"), author("ana")),
		item(5, "apollo", "", "Nightly backup done"),
		item(6, "borealis", "pr/42", "PR #42 opened: Other", kind(KindReview)),
	}
	g := Group(items, nil, titles, 20)
	if g.Items != 6 || g.Lines != 3 || len(g.Sections) != 2 || g.Sections[0].Project != "apollo" {
		t.Fatalf("%+v", g)
	}
	l := g.Sections[0].Lines[0]
	if l.Title != "PR #42 merged: Retry on 503" || l.State != "merged" || l.Count != 4 || strings.Join(l.Authors, ",") != "ben,cy,ana" {
		t.Errorf("%+v", l)
	}
	var h []string
	for _, s := range l.History {
		h = append(h, fmt.Sprint(s.Count, " ", s.What))
	}
	if got := strings.Join(h, ", "); got != "1 open, 2 comment, 1 merged" {
		t.Errorf("history %s", got)
	}
}

func TestGroupOrder(t *testing.T) {
	items := []Item{
		item(1, "apollo", "", "low", func(i *Item) { i.Priority = "low" }),
		item(2, "apollo", "q", "Which region?", kind(KindQuestion)),
		item(3, "apollo", "d", "We go with Postgres", kind(KindDecision)),
		item(4, "apollo", "u", "Disk full", urgent),
		item(5, "apollo", "v", "Disk full elsewhere", urgent),
		item(6, "apollo", "q2", "Settled?", kind(KindQuestion), state("closed")),
	}
	g := Group(items, map[int64]bool{5: true}, titles, 20)
	if len(g.Needs) != 1 || g.Needs[0].Title != "Which region?" || len(g.Decisions) != 1 {
		t.Errorf("needs %+v decisions %+v", g.Needs, g.Decisions)
	}
	var got []string
	for _, l := range g.Sections[0].Lines {
		got = append(got, fmt.Sprint(l.Title, " ", l.Alerted))
	}
	if s := strings.Join(got, "; "); s != "Disk full false; Settled? false; Disk full elsewhere true; low false" {
		t.Errorf("order: %s", s)
	}
}

func TestGroupCountsWhatItDoesNotShow(t *testing.T) {
	var items []Item
	for n := range int64(57) {
		items = append(items, item(n+1, "apollo", "", fmt.Sprint("item ", n)))
	}
	g := Group(items, nil, titles, 20)
	if s := g.Sections[0]; len(s.Lines) != 20 || s.More != 37 || g.More != 37 || g.Lines != 20 || s.Items != 57 {
		t.Errorf("shown %d more %d lines %d", len(s.Lines), s.More, g.Lines)
	}
}

// TestWhatWaitsIsCountedWhole: where there is little room, what waits for the reader goes before projects, and what is not shown
// of it is counted all the same.
func TestWhatWaitsIsCountedWhole(t *testing.T) {
	var items []Item
	for n := range int64(30) {
		items = append(items, item(n+1, "apollo", "", "Why?", kind(KindQuestion)), item(n+31, "apollo", "", "Please", kind(KindRequest)),
			item(n+61, "apollo", "", "x"))
	}
	for top, shown := range map[int][2]int{20: {40, 20}, 2: {10, 2}, 0: {2, 0}} {
		g := Group(items, nil, titles, top)
		if g.Questions != 30 || g.Requests != 30 || len(g.Needs) != shown[0] || len(g.Sections[0].Lines) != shown[1] || g.Lines+g.More != 90 {
			t.Errorf("top %d: %d questions, %d requests, %d of them shown, %d others, %d more", top, g.Questions, g.Requests, len(g.Needs),
				len(g.Sections[0].Lines), g.More)
		}
		if got := g.Subject(); top > 0 && got != "Apollo: x, 60 updates need an answer (+29)" {
			t.Errorf("top %d: %s", top, got)
		}
	}
}

func TestSubject(t *testing.T) {
	for want, items := range map[string][]Item{
		"Apollo: release 2.4 out, 2 questions for you (+1)": {
			item(1, "apollo", "", "release 2.4 out", kind(KindDeploy)), item(2, "apollo", "a", "Why?", kind(KindQuestion)),
			item(3, "apollo", "b", "When?", kind(KindQuestion)), item(4, "borealis", "", "x")},
		"Apollo: a private update":                 {item(1, "apollo", "", "secret", private)},
		"1 question for you":                       {item(1, "apollo", "", "Why?", kind(KindQuestion))},
		"1 update needs an answer":                 {item(1, "apollo", "", "Please do", kind(KindRequest))},
		"Apollo: We go with Postgres (+1)":         {item(1, "apollo", "", "x"), item(2, "apollo", "", "We go with Postgres", kind(KindDecision))},
		"Apollo: PR #42 merged: Retry (+1)":        {item(1, "apollo", "p", "PR #42 opened: Retry"), item(2, "apollo", "p", "PR #42 merged: Retry"), item(3, "b", "", "x")},
		"Apollo: " + strings.Repeat("x", 69) + "…": {item(1, "apollo", "", strings.Repeat("x", 200))},
	} {
		g := Group(items, nil, titles, 20)
		if got := g.Subject(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestSelect(t *testing.T) {
	p := NewPolicy(Policy{Projects: []Project{{Key: "apollo", Aliases: []string{"acme/apollo"}}}})
	items := []Item{item(5, "acme/apollo", "", "a"), item(7, "borealis", "", "b"), item(8, "apollo", "", "c", kind("deploy")), item(9, "apollo", "", "d")}
	for name, c := range map[string]struct {
		sub  Subscription
		cut  int64
		want string
	}{
		"all":           {Subscription{Projects: []string{"*"}}, 9, "abcd"},
		"alias":         {Subscription{Projects: []string{"apollo"}}, 9, "acd"},
		"behind cursor": {Subscription{Projects: []string{"*"}, Cursor: 7}, 9, "cd"},
		"up to the cut": {Subscription{Projects: []string{"*"}}, 8, "abc"},
		"kinds":         {Subscription{Projects: []string{"*"}, Kinds: []string{"deploy"}}, 9, "c"},
		"none":          {Subscription{}, 9, ""},
	} {
		var got string
		for _, it := range Select(items, &c.sub, c.cut, p) {
			got += it.Title
		}
		if got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

func TestMatchProject(t *testing.T) {
	for _, c := range []struct {
		pattern, project string
		want             bool
	}{
		{"*", "a/b", true}, {"apollo", "apollo", true}, {"Apollo", "apollo", true}, {"apollo", "apollo2", false},
		{"acme/*", "acme/web", true}, {"acme/*", "acme/web/api", true}, {"acme/*", "acme", false}, {"ap*", "apollo", true}, {"[", "x", false},
	} {
		if got := MatchProject(c.pattern, c.project); got != c.want {
			t.Errorf("MatchProject(%q, %q) = %v", c.pattern, c.project, got)
		}
	}
}

func TestNormalizeAddress(t *testing.T) {
	for in, want := range map[string]string{
		"Ana@Example.COM":             "ana@example.com",
		"Ana <ana+x@example.com>":     "ana+x@example.com",
		"ana@bücher.example":          "ana@xn--bcher-kva.example",
		"ana":                         "",
		"ana@example.com, b@c.de":     "",
		`"a b"@example.com`:           "",
		"ana@exa mple.com":            "",
		"ana@example.com\r\nBcc: x@y": "",
	} {
		got, err := NormalizeAddress(in)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("NormalizeAddress(%q) = %q, %v", in, got, err)
		}
	}
}

// What an alert has told leads a subject only where there is nothing else.
func TestSubjectAfterAnAlert(t *testing.T) {
	urgent := func(i *Item) { i.Urgent = true }
	fire, calm := item(1, "apollo", "", "Fire", urgent), item(2, "borealis", "", "Calm")
	for want, items := range map[string][]Item{"Borealis: Calm (+1)": {fire, calm}, "Apollo: Fire": {fire}} {
		g := Group(items, map[int64]bool{1: true}, titles, 20)
		if got := g.Subject(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// A question shows what is asked, whoever has commented on it since.
func TestAQuestionKeepsItsOwnWords(t *testing.T) {
	body := func(s string) func(*Item) { return func(i *Item) { i.Body = s } }
	g := Group([]Item{item(1, "apollo", "q", "Why?", kind(KindQuestion), body("asked")),
		item(2, "apollo", "q", "Why?", kind(KindComment), body("answered"))}, nil, titles, 20)
	if len(g.Needs) != 1 || g.Needs[0].Excerpt != "asked" || g.Needs[0].Count != 2 {
		t.Errorf("%+v", g.Needs)
	}
}

// What somebody says of an incident after its alert is news, though the incident is shown small.
func TestWordsOnWhatWasAlertedAreNews(t *testing.T) {
	items := []Item{item(1, "apollo", "t", "Disk full", urgent), item(2, "apollo", "t", "Re: Disk full", kind(KindComment)), item(3, "apollo", "u", "Down", urgent)}
	items[0].Body, items[1].Body, items[2].Body = "95 % used.", "I moved the old logs.", "No answer."
	g := Group(items, map[int64]bool{1: true, 3: true}, titles, 20)
	for i, want := range []string{"I moved the old logs.", ""} {
		if l := g.Sections[0].Lines[i]; !l.Alerted || l.Untold != want {
			t.Errorf("%s: untold %q, want %q", l.Title, l.Untold, want)
		}
	}
}

func TestProjectsWithUntoldUrgentNewsComeFirst(t *testing.T) {
	items := []Item{item(1, "apollo", "", "Disk full", urgent), item(2, "beacon", "", "one"), item(3, "beacon", "", "two")}
	for alerted, want := range map[bool]string{false: "apollo", true: "beacon"} {
		if g := Group(items, map[int64]bool{1: alerted}, titles, 20); g.Sections[0].Project != want {
			t.Errorf("alerted %v: first is %s, want %s", alerted, g.Sections[0].Project, want)
		}
	}
}

func event1(id, source string) func(*Item) {
	return func(i *Item) { i.EventID, i.Tool, i.Source, i.Event = id, "github", source, "pull_request.opened" }
}

func TestGroupFoldsOneEventOfTwoHooks(t *testing.T) {
	items := []Item{
		item(1, "apollo", "pr/42", "PR #42 opened", event1("e1#0", "org")),
		item(2, "apollo", "pr/42", "PR #42 opened", event1("e1#0", "repo")),
		item(3, "apollo", "", "Alone", event1("e2#0", "org"), urgent),
		item(4, "apollo", "", "Alone", event1("e2#0", "repo"), urgent),
		item(5, "apollo", "", "Another title", event1("e2#0", "repo")),
		item(6, "apollo", "", "Same words", event1("", "org")),
		item(7, "apollo", "", "Same words", event1("", "repo")),
		item(8, "borealis", "", "Alone", event1("e2#0", "org")),
	}
	g := Group(items, map[int64]bool{3: true}, titles, 20)
	var got []string
	for _, s := range g.Sections {
		for _, l := range s.Lines {
			got = append(got, fmt.Sprint(l.Title, " ", l.Count, " ", l.Numbers, " ", l.Alerted))
		}
	}
	want := "Same words 1 [7] false; Same words 1 [6] false; Another title 1 [5] false; PR #42 opened 1 [1 2] false; Alone 1 [3 4] true; Alone 1 [8] false"
	if s := strings.Join(got, "; "); s != want || g.Items != 8 {
		t.Errorf("%d items: %s", g.Items, s)
	}
	if g.Sections[0].Items != 5 {
		t.Errorf("the project has %d updates", g.Sections[0].Items)
	}
}
