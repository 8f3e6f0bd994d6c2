package rules

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"quietpost/digest"
)

func rule(t *testing.T, src RuleSource) digest.Rule {
	t.Helper()
	r, part, err := NewRule(src)
	if err != nil {
		t.Fatalf("%s: %v", part, err)
	}
	return r
}

func TestRulesDecide(t *testing.T) {
	policy := func(kinds map[string]digest.KindPolicy, sources ...RuleSource) *digest.Policy {
		p := digest.Policy{Kinds: kinds}
		for _, s := range sources {
			p.Rules = append(p.Rules, rule(t, s))
		}
		return digest.NewPolicy(p)
	}
	fatal := RuleSource{Name: "rule 1", When: `type == "sentry" && level == "fatal"`, Set: map[string]string{"urgent": "true"}}
	mute := RuleSource{Name: "rule 1", Set: map[string]string{"urgent": "false"}}
	for name, c := range map[string]struct {
		policy  *digest.Policy
		in      digest.Item
		want    digest.Item // what is left out is not looked at
		reason  string      // "field: reason"
		dropped digest.Reason
	}{
		"a condition that holds": {policy(nil, fatal), digest.Item{Tool: "sentry", Level: "Fatal", Title: "x"},
			digest.Item{Urgent: true, Step: digest.Raise}, `urgent: rule 1: type == "sentry" && level == "fatal"`, ""},
		"one that does not": {policy(nil, fatal), digest.Item{Tool: "sentry", Level: "error", Title: "x"}, digest.Item{}, "", ""},
		"always":            {policy(nil, RuleSource{Name: "rule 1", Set: map[string]string{"priority": "low"}}), digest.Item{Title: "x"}, digest.Item{Priority: "low"}, "priority: rule 1", ""},
		"what one sets the next sees": {policy(nil, RuleSource{Name: "rule 1", Set: map[string]string{"kind": "Release"}},
			RuleSource{Name: "rule 2", When: `kind == "Release"`, Set: map[string]string{"title": `="Out: " + title`}}),
			digest.Item{Title: "2.4"}, digest.Item{Kind: "release", Title: "Out: 2.4"}, `title: rule 2: kind == "Release"`, ""},
		"values are worked out from the item as it was": {policy(nil, RuleSource{Name: "rule 1", Set: map[string]string{"title": "=author", "author": "=title"}}),
			digest.Item{Title: "a", Author: "b"}, digest.Item{Title: "b", Author: "a"}, "", ""},
		"a kind that a rule gives is urgent where its kind is": {policy(map[string]digest.KindPolicy{"incident": {Urgent: true}},
			RuleSource{Name: "rule 1", Set: map[string]string{"kind": "incident"}}), digest.Item{Title: "x"}, digest.Item{Kind: "incident", Urgent: true}, "urgent: every incident is urgent here", ""},
		"a rule's word goes before its kind's": {policy(map[string]digest.KindPolicy{"incident": {Urgent: true}}, mute),
			digest.Item{Title: "x", Kind: "incident"}, digest.Item{Kind: "incident"}, "urgent: rule 1", ""},
		"a rule is not bound by who is verified": {policy(nil, RuleSource{Name: "rule 1", When: `type == "mail"`, Set: map[string]string{"urgent": "true"}}),
			digest.Item{Tool: "mail", Title: "x"}, digest.Item{Urgent: true}, "", ""},
		"but may ask": {policy(nil, RuleSource{Name: "rule 1", When: `authenticated`, Set: map[string]string{"urgent": "true"}}),
			digest.Item{Tool: "mail", Title: "x"}, digest.Item{}, "", ""},
		"a project is a key": {policy(nil, RuleSource{Name: "rule 1", Set: map[string]string{"project": "Acme / Web"}}),
			digest.Item{Title: "x"}, digest.Item{Project: "acme/web"}, "project: rule 1", ""},
		"and never empty": {policy(nil, RuleSource{Name: "rule 1", Set: map[string]string{"project": `=""`}}),
			digest.Item{Title: "x", Project: "a"}, digest.Item{Project: digest.Unsorted}, "", ""},
		"tags as a list": {policy(nil, RuleSource{Name: "rule 1", Tags: []string{"A", "b"}}), digest.Item{Title: "x", Tags: []string{"c"}}, digest.Item{Tags: []string{"a", "b"}}, "", ""},
		"tags added":     {policy(nil, RuleSource{Name: "rule 1", Set: map[string]string{"tags": `=tags + ["b"]`}}), digest.Item{Title: "x", Tags: []string{"c"}}, digest.Item{Tags: []string{"c", "b"}}, "", ""},
		"no javascript":  {policy(nil, RuleSource{Name: "rule 1", Set: map[string]string{"url": "javascript:alert(1)"}}), digest.Item{Title: "x", URL: "https://a.example"}, digest.Item{}, "", ""},
		"dropped":        {policy(nil, RuleSource{Name: "rule 1", When: `event == "star"`, Drop: true}, mute), digest.Item{Title: "x", Event: "star"}, digest.Item{}, "", `dropped by rule 1: event == "star"`},
	} {
		t.Run(name, func(t *testing.T) {
			it := c.in
			v := c.policy.Decide(&it)
			if v.Fault != nil || v.Dropped != c.dropped {
				t.Errorf("%+v", v)
			}
			got, want := reflect.ValueOf(it), reflect.ValueOf(c.want)
			for _, f := range []string{"Urgent", "Priority", "Step", "Kind", "Title", "Author", "Project", "URL", "Tags"} {
				w := want.FieldByName(f).Interface()
				if f == "Urgent" || f == "Priority" || f == "URL" && name == "no javascript" || !want.FieldByName(f).IsZero() {
					if d := cmp.Diff(w, got.FieldByName(f).Interface(), cmpopts.EquateEmpty()); d != "" && !(c.dropped != "") {
						t.Errorf("%s: %s", f, d)
					}
				}
			}
			if field, reason, ok := strings.Cut(c.reason, ": "); ok && string(it.Reasons[field]) != reason {
				t.Errorf("reasons %v, want %s", it.Reasons, c.reason)
			}
		})
	}
}

// What a rule says of an event holds for all that a tool tells under that name, as in the examples of the documentation.
func TestRulesOfEvents(t *testing.T) {
	for when, want := range map[string][]string{
		`event == "star"`:                        {"star", "star.created", "star.deleted"},
		`"star" == event`:                        {"star", "star.created", "star.deleted"},
		`event == "star.created"`:                {"star.created"},
		`event != "star"`:                        {"", "stargazer", "pullrequest:approved", "issues.opened"},
		`event in ["star", "issues.opened"]`:     {"star", "star.created", "star.deleted", "issues.opened"},
		`event not in ["star", "issues.opened"]`: {"", "stargazer", "pullrequest:approved"},
		`event == "pullrequest"`:                 {"pullrequest:approved"},
		`event == ""`:                            {""},
		`event == title`:                         {""}, // not written out: as it stands
		`event startsWith "star"`:                {"star", "star.created", "star.deleted", "stargazer"},
		`[event, "x"][0] == "star"`:              {"star"},
	} {
		rule, _, err := NewRule(RuleSource{When: when, Set: map[string]string{"kind": "met"}})
		if err != nil {
			t.Errorf("%s: %v", when, err)
			continue
		}
		var got []string
		for _, event := range []string{"", "star", "star.created", "star.deleted", "stargazer", "pullrequest:approved", "issues.opened"} {
			if matched, _, err := rule.Apply(&digest.Item{Event: event}); err != nil {
				t.Errorf("%s on %q: %v", when, event, err)
			} else if matched {
				got = append(got, event)
			}
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: %s", when, d)
		}
	}
	if _, part, err := NewRule(RuleSource{When: `event == 5`}); part != "when" || err == nil {
		t.Errorf("an event that is a number: %q, %v", part, err)
	}
	m, _, err := NewMap(map[string]string{"title": `event == "a" ? "yes" : "no"`}, Let{"event", "payload.event"}) // a map's own name
	if err != nil {
		t.Fatal(err)
	}
	items, _, _, _, err := m.Read(Value(map[string]any{"event": "a.b"}), nil, 1)
	if err != nil || len(items) != 1 || items[0].Title != "no" {
		t.Errorf("%+v, %v", items, err)
	}
}

func TestRulesThatCanNeverWorkAreToldBeforehand(t *testing.T) {
	for name, c := range map[string]struct {
		src        RuleSource
		part, text string
	}{
		"no such field":      {RuleSource{When: `titel == "x"`}, "when", "unknown name titel"},
		"no condition":       {RuleSource{When: `title`}, "when", "it is a text where a condition should be"},
		"truth against text": {RuleSource{When: `urgent == "yes"`}, "when", "== cannot stand between bool and string"},
		"at run time":        {RuleSource{When: `urgent contains "x"`}, "when", "bool"},
		"set, wrong":         {RuleSource{Set: map[string]string{"title": "=titel"}}, "set.title", "unknown name titel"},
		"a list as text":     {RuleSource{Set: map[string]string{"title": "=tags"}}, "set.title", "it is a list where text should be; join(…) makes text of one"},
		"text as truth":      {RuleSource{Set: map[string]string{"urgent": "perhaps"}}, "set.urgent", `"perhaps" is neither true nor false`},
	} {
		_, part, err := NewRule(c.src)
		var e *Error
		if part != c.part || !errors.As(err, &e) || !strings.Contains(e.Text, c.text) || e.Line < 1 {
			t.Errorf("%s: %s %v", name, part, err)
		}
	}
}

func TestMap(t *testing.T) {
	jenkins := map[string]string{"project": "payload.job", "title": `payload.job + " #" + string(payload.number) + " " + payload.result`,
		"url": "payload.url", "urgent": `payload.result == "FAILURE"`, "occurred_at": "payload.at", "key": `payload.job + "/" + payload.number`,
		"tags": `[payload.result, payload.nothing]`, "due": `"2026-12-24"`}
	alerts := map[string]string{"each": "payload.alerts", "title": "item.name", "thread": "item.name", "project": "payload.team", "ignore": "item.name == nil"}
	for name, c := range map[string]struct {
		sources map[string]string
		payload string
		items   []digest.Item
		key     string
		ignored digest.Reason
		left    int
		err     string
	}{
		"fields": {sources: jenkins, payload: sample, key: "deploy/42", items: []digest.Item{{Project: "deploy", Title: "deploy #42 FAILURE", URL: "https://ci.example/42",
			Urgent: true, OccurredAt: time.Unix(1700000000, 0).UTC(), Tags: []string{"FAILURE"}, Due: "2026-12-24"}}},
		"each":              {sources: alerts, payload: `{"team": "ops", "alerts": [{"name": "a"}, {}, {"name": "b"}]}`, items: []digest.Item{{Title: "a", Thread: "a", Project: "ops"}, {Title: "b", Thread: "b", Project: "ops"}}},
		"each of one":       {sources: alerts, payload: `{"team": "ops", "alerts": {"name": "a"}}`, items: []digest.Item{{Title: "a", Thread: "a", Project: "ops"}}},
		"more than fits":    {sources: alerts, payload: `{"alerts": [{"name": "a"}, {"name": "b"}, {"name": "c"}, {"name": "d"}, {"name": "e"}]}`, items: []digest.Item{{Title: "a", Thread: "a"}, {Title: "b", Thread: "b"}, {Title: "c", Thread: "c"}}, left: 2},
		"each of none":      {sources: alerts, payload: `{"alerts": []}`, ignored: "map.each: the list is empty"},
		"all ignored":       {sources: alerts, payload: `{"alerts": [{}]}`, ignored: "map.ignore says so"},
		"ignored with why":  {sources: map[string]string{"title": "payload.a", "ignore": `payload.a == 1 ? "a ping" : nil`}, payload: `{"a": 1}`, ignored: "a ping"},
		"no list":           {sources: alerts, payload: `{"alerts": 3}`, err: "map.each: it is a number where a list should be"},
		"nothing there":     {sources: alerts, payload: `{}`, err: "map.each: nothing is there"},
		"a list as title":   {sources: map[string]string{"title": "payload.a"}, payload: `{"a": [1]}`, err: "map.title: it is a list where text should be"},
		"an object minus 1": {sources: map[string]string{"title": "payload - 1"}, payload: `{}`, err: "map.title: invalid operation"},
		"truth of a tool":   {sources: map[string]string{"title": `"x"`, "urgent": "payload.a"}, payload: `{"a": "Yes"}`, items: []digest.Item{{Title: "x", Urgent: true}}},
		"no truth":          {sources: map[string]string{"title": `"x"`, "urgent": "payload.a"}, payload: `{"a": "red"}`, err: `map.urgent: "red" is neither true nor false`},
		"an odd date":       {sources: map[string]string{"title": `"x"`, "due": "payload.a", "occurred_at": "payload.a"}, payload: `{"a": "soon"}`, items: []digest.Item{{Title: "x"}}},
	} {
		t.Run(name, func(t *testing.T) {
			m, part, err := NewMap(c.sources)
			if err != nil {
				t.Fatalf("%s: %v", part, err)
			}
			items, key, ignored, left, err := m.Read(payload(t, c.payload), nil, 3)
			if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Fatalf("fault %v, want %q", err, c.err)
			}
			if d := cmp.Diff(c.items, items, cmpopts.IgnoreFields(digest.Item{}, "Reasons"), cmpopts.EquateEmpty()); d != "" || key != c.key || ignored != c.ignored || left != c.left {
				t.Errorf("key %q ignored %q left %d\n%s", key, ignored, left, d)
			}
		})
	}
	m, _, _ := NewMap(jenkins)
	items, _, _, _, _ := m.Read(payload(t, sample), nil, 3)
	if r := items[0].Reasons; r["project"] != "map: payload.job" || r["urgent"] != `map: payload.result == "FAILURE"` {
		t.Errorf("reasons %v", r)
	}
}

func TestMapsThatDoNotCompile(t *testing.T) {
	for _, c := range [][3]string{
		{"title", "paylod.a", "unknown name paylod"},
		{"each", "payload.", "it ends too early"},
		{"key", "item.id", "unknown name item"}, // a delivery has one key
		{"title", "item.id", "unknown name item"},
	} {
		_, part, err := NewMap(map[string]string{c[0]: c[1]})
		if part != c[0] || err == nil || !strings.Contains(err.Error(), c[2]) {
			t.Errorf("%s: %s: %v", c[1], part, err)
		}
	}
	if !slices.Contains(MapKeys(), "each") || slices.Contains(MapKeys(), "source") {
		t.Errorf("keys %v", MapKeys())
	}
}

// A map made of another has its expressions, but for those it is given, and leaves the other as it was.
func TestMapWith(t *testing.T) {
	m, _, err := NewMap(map[string]string{"title": "job + payload.url", "state": `"open"`}, Let{"job", "payload.job"})
	if err != nil {
		t.Fatal(err)
	}
	other, _, err := m.With(map[string]string{"each": "payload.build.causes", "state": "item.user", "author": "job"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		m    *Map
		want []digest.Item
	}{
		{m, []digest.Item{{Title: "deployhttps://ci.example/42", State: "open"}}},
		{other, []digest.Item{{Title: "deployhttps://ci.example/42", State: "ana", Author: "deploy"},
			{Title: "deployhttps://ci.example/42", Author: "deploy"}, {Title: "deployhttps://ci.example/42", State: "ben", Author: "deploy"}}},
	} {
		items, _, _, _, err := c.m.Read(payload(t, sample), nil, 9)
		if d := cmp.Diff(c.want, items, cmpopts.IgnoreFields(digest.Item{}, "Reasons")); d != "" || err != nil {
			t.Errorf("%v\n%s", err, d)
		}
	}
	if other.codes["title"] != m.codes["title"] {
		t.Error("what both have is compiled twice")
	}
	if _, part, err := m.With(map[string]string{"author": "item.user"}); part != "author" || err == nil {
		t.Errorf("%s: %v", part, err)
	}
}

// TestAMapAsAWholeIsBounded: its expressions share what one delivery may take.
func TestAMapAsAWholeIsBounded(t *testing.T) {
	m, _, err := NewMap(map[string]string{"each": "1..200", "title": "string(len(string(payload)))"})
	if err != nil {
		t.Fatal(err)
	}
	big := "[" + strings.Repeat(`"xxxxxxxxxxxxxxxx",`, 100_000) + "1]"
	if _, _, _, _, err := m.Read(payload(t, big), nil, 200); !errors.Is(err, ErrBudget) {
		t.Errorf("got %v", err)
	}
}
