package tools

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sort"
	"strings"
	"testing"
)

// A dialect is an adapter, its samples and how a sample's file name becomes the delivery's header.
type dialect struct {
	name   string
	read   Adapter
	header func(file string) http.Header
}

func dialects() []dialect {
	// eventOf is what a file is named for: "pull_request.opened~draft.json" is of the event pull_request.
	eventOf := func(file string) string {
		event, _, _ := strings.Cut(strings.TrimSuffix(file, ".json"), "~")
		event, _, _ = strings.Cut(event, ".")
		return event
	}
	return []dialect{
		{"gitlab", GitLab, func(string) http.Header { return http.Header{} }},
		{"gitea", Gitea, func(f string) http.Header {
			if strings.Contains(f, "gogs") {
				return http.Header{"X-Gogs-Event": {eventOf(f)}}
			}
			return http.Header{"X-Gitea-Event": {eventOf(f)}, "X-Gogs-Event": {eventOf(f)}, "X-Github-Event": {eventOf(f)}}
		}},
		{"bitbucket", Bitbucket, func(f string) http.Header {
			if strings.HasPrefix(f, "server") || strings.HasPrefix(f, "service") || f == "ping.json" {
				return http.Header{}
			}
			return http.Header{"X-Event-Key": {strings.Replace(eventOf(f), "_", ":", 1)}}
		}},
		{"jira", Jira, func(string) http.Header { return http.Header{} }},
		{"linear", Linear, func(string) http.Header { return http.Header{} }},
	}
}

func TestDialects(t *testing.T) {
	for _, d := range dialects() {
		t.Run(d.name, func(t *testing.T) {
			names, bodies := samples(t, d.name)
			var b strings.Builder
			for i, name := range names {
				r, err := d.read(d.header(name), Scrub(bodies[i]))
				for _, it := range r.Items {
					checkItem(t, it)
				}
				fmt.Fprintf(&b, "== %s\n%s\n", strings.TrimSuffix(name, ".json"), show(r, err))
			}
			if strings.Contains(b.String(), "do-not-keep") {
				t.Error("the hook's own secret is shown")
			}
			golden(t, d.name+".golden", b.String())
		})
	}
}

// Whatever is missing or of another type than documented, there is an item, a reason or an error, and no panic.
func TestMangled(t *testing.T) {
	all := append(dialects(), dialect{"github", GitHub, githubHeader})
	for _, d := range all {
		names, bodies := samples(t, d.name)
		for i, name := range names {
			var whole map[string]any
			if json.Unmarshal(bodies[i], &whole) != nil {
				continue
			}
			checkReading(t, d.read, http.Header{}, bodies[i]) // the header is lost
			for _, odd := range []any{nil, "x", []any{nil, map[string]any{"x": 5}}} {
				mangle(whole, odd, 2, func() {
					body, err := json.Marshal(whole)
					if err != nil {
						t.Fatal(err)
					}
					checkReading(t, d.read, d.header(name), body)
				})
			}
		}
	}
}

// mangle puts odd in place of each value down to a depth, one at a time, and calls try.
func mangle(o map[string]any, odd any, depth int, try func()) {
	keys := make([]string, 0, len(o))
	for k := range o {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	for _, k := range keys {
		was := o[k]
		o[k] = odd
		try()
		o[k] = was
		if list, ok := was.([]any); ok && len(list) > 0 {
			was = list[0]
		}
		if inner, ok := was.(map[string]any); ok && depth > 1 {
			mangle(inner, odd, depth-1, try)
		}
	}
}

func TestNoObject(t *testing.T) {
	for _, d := range dialects() {
		for _, body := range []string{"", "[]", `"x"`, "null", "7", "not json", `{"a":`} {
			if d.name == "jira" && body != `{"a":` {
				continue // an automation may send it: see TestBodiesOfTheirOwnMaking
			}
			if r, err := d.read(http.Header{}, []byte(body)); err == nil {
				t.Errorf("%s reads %q as %s", d.name, body, show(r, nil))
			}
		}
		checkReading(t, d.read, http.Header{}, []byte(`{}`))
	}
}

// What a tool calls its delivery, and what only looks like it.
func TestDeliveryKeys(t *testing.T) {
	for _, c := range []struct {
		read   Adapter
		header string
		body   string
		want   string
	}{
		{GitLab, "Idempotency-Key: ik-1\nX-Gitlab-Event-UUID: eu-1\nX-Gitlab-Webhook-UUID: hook", `{"object_kind":"x"}`, "ik-1"},
		{GitLab, "Webhook-Id: wh-1\nX-Gitlab-Event-UUID: eu-1", `{"object_kind":"x"}`, "wh-1"},
		{GitLab, "X-Gitlab-Webhook-UUID: hook", `{"object_kind":"x"}`, ""},
		{Gitea, "X-Gitea-Delivery: d-1\nX-Gogs-Delivery: d-1\nX-GitHub-Delivery: d-1", `{}`, "d-1"},
		{Gitea, "X-Forgejo-Delivery: f-1\nX-Gitea-Delivery: g-1", `{}`, "f-1"},
		{Bitbucket, "X-Request-UUID: r-1\nX-Hook-UUID: h-1\nX-Attempt-Number: 2", `{"repository":{}}`, "r-1"},
		{Bitbucket, "X-Request-Id: s-1", `{"eventKey":"repo:refs_changed"}`, "s-1"},
		{Bitbucket, "X-Hook-UUID: h-1", `{"repository":{}}`, ""},
		{Jira, "X-Atlassian-Webhook-Identifier: a-1\nX-Atlassian-Webhook-Retry: 2", `{"webhookEvent":"x"}`, "a-1"},
		{Linear, "Linear-Delivery: l-1", `{"webhookId":"w-1"}`, "l-1"},
		{Linear, "X-Other: 1", `{"webhookId":"w-1"}`, ""},
	} {
		h := http.Header{}
		for line := range strings.Lines(c.header) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
			h.Set(name, value)
		}
		if r, err := c.read(h, []byte(c.body)); r.Key != c.want || err != nil {
			t.Errorf("%q gives the key %q (%v), want %q", c.header, r.Key, err, c.want)
		}
	}
}

// Hooks that another hook's request set off bear the same UUID, though they are other news.
func TestGitLabEventUUID(t *testing.T) {
	h := http.Header{http.CanonicalHeaderKey("X-Gitlab-Event-UUID"): {"eu-1"}}
	a, _ := GitLab(h, []byte(`{"object_kind":"push"}`))
	again, _ := GitLab(h, []byte(`{"object_kind":"push"}`))
	b, _ := GitLab(h, []byte(`{"object_kind":"note"}`))
	if a.Key == "" || a.Key != again.Key || a.Key == b.Key {
		t.Errorf("keys %q, again %q, of other news %q", a.Key, again.Key, b.Key)
	}
}

// Jira tells of a comment as comment_created and as jira:issue_updated: one item. A change that came with it is not
// lost for that.
func TestJiraTellsTwice(t *testing.T) {
	names, bodies := samples(t, "jira")
	key := map[string]string{}
	for i, n := range names {
		r, err := Jira(http.Header{"X-Atlassian-Webhook-Identifier": {n}}, bodies[i])
		if err != nil {
			t.Fatal(n, err)
		}
		key[strings.TrimSuffix(n, ".json")] = r.Key
	}
	if key["comment_created"] != key["comment_created~twice"] {
		t.Errorf("one comment has two keys: %q and %q", key["comment_created"], key["comment_created~twice"])
	}
	for _, other := range []string{"comment_updated", "comment_deleted", "status~commented"} {
		if key[other] == key["comment_created"] {
			t.Errorf("%s passes for the comment itself: %q", other, key[other])
		}
	}
}

func TestWikiText(t *testing.T) {
	for in, want := range map[string]string{
		"h1. Head\n*bold* and _it_":            "**Head**\n**bold** and _it_",
		"{code:go}\n*a*\n{code}":               "```\n*a*\n```",
		"{noformat}x{noformat} {{mono}}":       "```\nx\n```\n `mono`",
		"[a|https://x.example] [~ana]":         "[a](https://x.example) @ana",
		"[a|javascript:alert(1)] [#anchor]":    "a [#anchor]",
		"{color:red}red{color} 2*3*4":          "red 2*3*4",
		"# one\n# two":                         "1. one\n1. two",
		"{quote}\nsaid\nso\n{quote}":           "> said\n> so",
		"!shot.png|thumbnail! wow!":            "(picture shot.png) wow!",
		"\x00{code}a\x00b{code}":               "```\nab\n```",
		"[https://x.example] [~accountid:5:a]": "<https://x.example> @5:a",
	} {
		if got := wikiText(in); got != want {
			t.Errorf("wikiText(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestDetectForges(t *testing.T) {
	for header, want := range map[string]string{
		"X-Gitlab-Event": "gitlab", "X-Event-Key": "bitbucket", "X-Forgejo-Event X-Gitea-Event X-Gogs-Event X-GitHub-Event": "forgejo",
		"X-Gitea-Event X-Gogs-Event X-GitHub-Event": "gitea", "X-Gogs-Event": "gitea", "Linear-Event Linear-Delivery": "linear",
		"X-Atlassian-Webhook-Identifier": "jira", "X-GitHub-Event": "github",
	} {
		h := http.Header{}
		for _, name := range strings.Fields(header) {
			h.Set(name, "x")
		}
		if got := Detect(h, []byte(`{}`)); got != want || Types()[got].Read == nil {
			t.Errorf("Detect(%s) = %q, want %q", header, got, want)
		}
	}
	for _, body := range []string{`{"timestamp":1,"webhookEvent":"jira:issue_created"}`, `{"issue":{"key":"A-1","fields":{"project":{"key":"A"}}}}`,
		`{"event":"page_created","page":{"title":"Plan","spaceKey":"DOC"}}`, `{"event":"comment_created","comment":{"spaceKey":"DOC"}}`} {
		if got := Detect(http.Header{}, []byte(body)); got != "jira" {
			t.Errorf("Detect of %s = %q", body, got)
		}
	}
}

func fuzzDialect(f *testing.F, name string) {
	for _, d := range dialects() {
		if d.name != name {
			continue
		}
		names, bodies := samples(f, name)
		for i, n := range names {
			h := d.header(n)
			f.Add(h.Get("X-Gitea-Event")+h.Get("X-Event-Key"), bodies[i])
		}
		f.Fuzz(func(t *testing.T, event string, body []byte) {
			h := http.Header{"X-Gitea-Event": {event}, "X-Event-Key": {event}, "X-Gitlab-Event": {event}, "Linear-Event": {event}, "X-Event-Type": {event}}
			checkReading(t, d.read, h, body)
		})
	}
}

func FuzzGitLab(f *testing.F)    { fuzzDialect(f, "gitlab") }
func FuzzGitea(f *testing.F)     { fuzzDialect(f, "gitea") }
func FuzzBitbucket(f *testing.F) { fuzzDialect(f, "bitbucket") }
func FuzzJira(f *testing.F)      { fuzzDialect(f, "jira") }
func FuzzLinear(f *testing.F)    { fuzzDialect(f, "linear") }
