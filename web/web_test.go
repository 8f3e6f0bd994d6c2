package web

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"quietpost/digest"
)

var update = flag.Bool("update", false, "write the golden files anew")

var key = []byte("0123456789abcdef0123456789abcdef")

// A fake is Archive and Desk over plain slices.
type fake struct {
	items   []digest.Item // in order of number
	edition []digest.Edition
	people  []digest.Subscriber
	err     error // of all methods
	changes []string
	windows [][2]int64
}

func (f *fake) Items(_ context.Context, q digest.ItemQuery) (list []digest.Item, err error) {
	for _, it := range slices.Backward(f.items) {
		if (q.Before == 0 || it.Number < q.Before) && (len(q.Projects) == 0 || slices.Contains(q.Projects, it.Project)) && (!q.Urgent || it.Urgent) &&
			len(list) < q.Limit {
			list = append(list, it)
		}
	}
	return list, f.err
}

func (f *fake) Item(_ context.Context, number int64) (digest.Item, error) {
	for _, it := range f.items {
		if it.Number == number {
			return it, f.err
		}
	}
	return digest.Item{}, errors.Join(f.err, digest.ErrNotFound)
}

func (f *fake) Projects(context.Context) (list []digest.ProjectCount, err error) {
	counts := map[string]*digest.ProjectCount{}
	for _, it := range f.items {
		c := counts[it.Project]
		if c == nil {
			c = &digest.ProjectCount{Project: it.Project}
			counts[it.Project] = c
		}
		c.Items++
		if it.Urgent {
			c.Urgent++
		}
		c.Last = it.ReceivedAt
	}
	for _, c := range counts {
		list = append(list, *c)
	}
	slices.SortFunc(list, func(a, b digest.ProjectCount) int { return strings.Compare(a.Project, b.Project) })
	return list, f.err
}

func (f *fake) Edition(_ context.Context, id string) (digest.Edition, error) {
	for _, e := range f.edition {
		if e.ID == id {
			return e, f.err
		}
	}
	return digest.Edition{}, fmt.Errorf("edition %s: %w", id, digest.ErrNotFound)
}

func (f *fake) Window(_ context.Context, after, upTo int64, excerpt int) (list []digest.Item, err error) {
	f.windows = append(f.windows, [2]int64{after, upTo})
	for _, it := range f.items {
		if it.Number > after && it.Number <= upTo {
			it.Body = it.Body[:min(excerpt, len(it.Body))]
			list = append(list, it)
		}
	}
	return list, f.err
}

func (f *fake) LeaveDigest(_ context.Context, id int64, leave bool) (digest.Subscriber, error) {
	return f.change(fmt.Sprintf("digest %d %v", id, leave), func(s *digest.Subscriber) bool {
		sub := subscription(s, id)
		if sub != nil {
			sub.Ended = leave
		}
		return sub != nil
	})
}

func (f *fake) LeaveAlerts(_ context.Context, id int64, leave bool) (digest.Subscriber, error) {
	return f.change(fmt.Sprintf("alerts %d %v", id, leave), func(s *digest.Subscriber) bool {
		if s.ID == id {
			s.Alerts = !leave
		}
		return s.ID == id
	})
}

func (f *fake) Lift(_ context.Context, id int64) (digest.Subscriber, error) {
	return f.change(fmt.Sprintf("lift %d", id), func(s *digest.Subscriber) bool {
		if s.ID == id {
			s.State, s.Bounces = digest.Active, digest.BounceRecord{}
		}
		return s.ID == id
	})
}

func (f *fake) change(what string, try func(s *digest.Subscriber) bool) (digest.Subscriber, error) {
	if f.err != nil {
		return digest.Subscriber{}, f.err
	}
	for i := range f.people {
		if try(&f.people[i]) {
			f.changes = append(f.changes, what)
			return f.people[i], nil
		}
	}
	return digest.Subscriber{}, digest.ErrNotFound
}

func (f *fake) People(context.Context) ([]digest.Subscriber, error) { return f.people, f.err }

var nine = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

func newFake() *fake {
	f := &fake{
		people: []digest.Subscriber{
			{ID: 1, Address: "ana@example.com", Zone: "Europe/Lisbon", State: digest.Active, Alerts: true, Subscriptions: []digest.Subscription{
				{ID: 12, Subscriber: 1, Projects: []string{"apollo", "hermes"}, Schedule: "daily"}}},
			{ID: 2, Address: "bob@example.com", State: digest.Active, Subscriptions: []digest.Subscription{
				{ID: 13, Subscriber: 2, Projects: []string{"*"}, Kinds: []string{"decision"}, Schedule: "0 9 * * MON-FRI"}}},
			{ID: 3, Address: "cy@example.com", State: digest.Left, Alerts: true, Subscriptions: []digest.Subscription{
				{ID: 14, Subscriber: 3, Projects: []string{"*"}, Schedule: "daily"}}},
		},
		edition: []digest.Edition{
			{ID: "ed1", Occasion: digest.OccasionDigest, Subscriber: 1, Subscription: 12, Slot: nine, From: 1, To: 6, CreatedAt: nine},
			{ID: "ed2", Occasion: digest.OccasionAlert, Subscriber: 1, From: 2, To: 5, CreatedAt: nine},
			{ID: "ed3", Occasion: digest.OccasionDigest, Subscriber: 3, Subscription: 14, Slot: nine, From: 1, To: 6},
			{ID: "ed4", Occasion: digest.OccasionDigest, Subscriber: 2, Subscription: 13, Slot: nine, From: 1, To: 6},
		},
	}
	f.items = []digest.Item{
		{Number: 1, Project: "hermes", Kind: "status", Title: "Queue drained", Source: "lab", Author: "bob"},
		{Number: 2, Project: "apollo", Kind: "incident", Title: "API down <script>alert(1)</script>", State: "firing", Urgent: true, Incident: 7,
			URL: "https://ci.example.com/1?a=b&c=d", Source: "am", Tool: "alertmanager", Body: "line one\n<b>not bold</b>\n" + strings.Repeat("ö", 2000),
			Reasons: map[string]digest.Reason{"urgent": "level is critical"}},
		{Number: 3, Project: "zeus", Kind: "decision", Title: "Not for Ana", Urgent: true, Source: "lab"},
		{Number: 4, Project: "acme/apollo", Kind: "incident", Title: "API up", State: "resolved", Incident: 7, Source: "am",
			URL: "javascript:alert(1)"},
		{Number: 5, Project: "apollo", Kind: "question", Title: "The secret plan", Body: "secret body", Author: "secret author",
			URL: "https://secret.example.com", Private: true, Source: "lab"},
		{Number: 6, Project: "hermes", Kind: "decision", Title: "We ship in March", Due: "2026-03-31", Source: "lab", Tags: []string{"plan"}},
	}
	for i := range f.items {
		f.items[i].ReceivedAt = nine.Add(time.Duration(i-10) * time.Minute)
	}
	return f
}

var apollo = digest.NewPolicy(digest.Policy{Projects: []digest.Project{{Key: "apollo", Title: "Apollo", Aliases: []string{"acme/apollo"}}}})

func options(f *fake) Options {
	return Options{
		Archive: f, Desk: f, Instance: key,
		APIToken: func() [][]byte { return [][]byte{[]byte("old-token"), []byte("new-token")} },
		Registry: prometheus.NewRegistry(),
		Policy:   func() *digest.Policy { return apollo },
		Log:      slog.New(slog.DiscardHandler),
		Version:  "1.2.3",
	}
}

// ask does one request; change may set headers.
func ask(h http.Handler, method, target, body string, change ...func(r *http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for _, c := range change {
		c(r)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func token(purpose, id string) string { return digest.Token(key, purpose, id) }

func withToken(r *http.Request) { r.Header.Set("Authorization", "Bearer new-token") }

func TestEveryAnswerIsClosed(t *testing.T) {
	h := New(options(newFake()))
	for _, path := range []string{"/", "/nothing", "/l/" + token("d", "12"), "/e/" + token("e", "ed1"), "/v1/items", "/healthz",
		"/readyz", "/metrics", "/openapi.json"} {
		w := ask(h, "GET", path, "")
		for name, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Cache-Control": "no-store", "X-Robots-Tag": "noindex, nofollow",
		} {
			if got := w.Header().Get(name); got != want {
				t.Errorf("%s: %s is %q", path, name, got)
			}
		}
		policy := w.Header().Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "frame-ancestors 'none'", "form-action 'self'"} {
			if !strings.Contains(policy, want) {
				t.Errorf("%s: policy %q lacks %s", path, policy, want)
			}
		}
		if strings.Contains(policy, "unsafe") {
			t.Errorf("%s: policy %q", path, policy)
		}
		head := ask(h, "HEAD", path, "")
		if head.Code != w.Code {
			t.Errorf("HEAD %s is %d, GET %d", path, head.Code, w.Code)
		}
	}
}

// TestStyleHasItsHash: the one style that the policy lets through is the one in the page.
func TestStyleHasItsHash(t *testing.T) {
	w := ask(New(options(newFake())), "GET", "/", "")
	_, rest, _ := strings.Cut(w.Body.String(), "<style>")
	css, _, ok := strings.Cut(rest, "</style>")
	sum := sha256.Sum256([]byte(css))
	want := "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	if !ok || len(css) < 500 || !strings.Contains(w.Header().Get("Content-Security-Policy"), want) {
		t.Errorf("style %q, policy %s", css, w.Header().Get("Content-Security-Policy"))
	}
}

func TestUnknownPathsAndMethods(t *testing.T) {
	h := New(options(newFake()))
	for _, c := range []struct {
		method, path string
		code         int
		kind         string
	}{
		{"GET", "/nothing", 404, "text/html; charset=utf-8"},
		{"GET", "/v1/nothing", 404, "application/problem+json"},
		{"POST", "/", 404, "text/html; charset=utf-8"},
		{"DELETE", "/v1/items", 405, "application/problem+json"},
		{"PUT", "/l/" + token("d", "12"), 405, "text/html; charset=utf-8"},
		{"POST", "/e/" + token("e", "ed1"), 405, "text/html; charset=utf-8"},
		{"GET", "/l/", 404, "text/html; charset=utf-8"},
		{"GET", "/l/a/b", 404, "text/html; charset=utf-8"},
	} {
		w := ask(h, c.method, c.path, "")
		if w.Code != c.code || w.Header().Get("Content-Type") != c.kind {
			t.Errorf("%s %s: %d %s", c.method, c.path, w.Code, w.Header().Get("Content-Type"))
		}
		if c.code == 405 && w.Header().Get("Allow") == "" {
			t.Errorf("%s %s: no Allow", c.method, c.path)
		}
	}
}

func TestHealth(t *testing.T) {
	o := options(newFake())
	var problems []Problem
	o.Ready = func(context.Context) []Problem { return problems }
	registry := prometheus.NewRegistry()
	counter := prometheus.NewCounter(prometheus.CounterOpts{Name: "quietpost_items_total", Help: "Items."})
	registry.MustRegister(counter)
	o.Registry = registry
	h := New(o)
	if w := ask(h, "GET", "/healthz", ""); w.Code != 200 || w.Body.String() != "ok\n" {
		t.Errorf("%d %q", w.Code, w.Body)
	}
	if w := ask(h, "GET", "/readyz", ""); w.Code != 200 || w.Body.String() != `{"status":"ready","problems":[],"version":"1.2.3"}`+"\n" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	problems = []Problem{{Part: "smtp", Text: "login failed", Since: nine}, {Part: "disk", Text: "full"}}
	want := `{"status":"not ready","problems":[{"part":"smtp","text":"login failed","since":"2026-03-02T09:00:00Z"},` +
		`{"part":"disk","text":"full"}],"version":"1.2.3"}` + "\n"
	if w := ask(h, "GET", "/readyz", ""); w.Code != 503 || w.Body.String() != want {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := ask(h, "GET", "/metrics", ""); w.Code != 200 || !strings.Contains(w.Body.String(), "quietpost_items_total 0") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	o.Registry, o.Ready = nil, nil
	h = New(o)
	if w := ask(h, "GET", "/metrics", ""); w.Code != 404 {
		t.Errorf("metrics without a registry: %d", w.Code)
	}
	if w := ask(h, "GET", "/readyz", ""); w.Code != 200 {
		t.Errorf("%d", w.Code)
	}
}

// TestOpenAPI: it is JSON, its references lead somewhere, and it names every route there is, those of the hooks too.
func TestOpenAPI(t *testing.T) {
	h := New(options(newFake()))
	w := ask(h, "GET", "/openapi.json", "")
	var doc struct {
		OpenAPI    string
		Paths      map[string]map[string]json.RawMessage
		Components map[string]map[string]json.RawMessage
	}
	if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil || w.Code != 200 || !strings.HasPrefix(doc.OpenAPI, "3.1") {
		t.Fatalf("%d, %v, version %q", w.Code, err, doc.OpenAPI)
	}
	want := []string{"POST /v1/items", "POST /hooks/{name}", "PUT /hooks/{name}", "GET /hooks/{name}", "POST /hooks/{name}/{token}"}
	for _, r := range h.routes() {
		if method, path, ok := strings.Cut(r.pattern, " "); ok && path != "/{$}" {
			want = append(want, method+" "+path)
		}
	}
	for _, route := range want {
		method, path, _ := strings.Cut(route, " ")
		if doc.Paths[path][strings.ToLower(method)] == nil {
			t.Errorf("%s is not described", route)
		}
	}
	for _, part := range strings.Split(w.Body.String(), `"$ref": "#/components/`)[1:] {
		name, _, _ := strings.Cut(part, `"`)
		group, name, _ := strings.Cut(name, "/")
		if doc.Components[group][name] == nil {
			t.Errorf("the reference to %s/%s leads nowhere", group, name)
		}
	}
	// The item as described is the item as written.
	var item struct {
		Required   []string
		Properties map[string]any
	}
	if err := json.Unmarshal(doc.Components["schemas"]["Item"], &item); err != nil {
		t.Fatal(err)
	}
	full := newFake().items[1]
	full.Project, full.Author, full.Thread, full.Event, full.Level, full.Priority, full.Tags, full.Due, full.OccurredAt =
		"acme/apollo", "a", "t", "e", "l", "low", []string{"x"}, "2026-01-01", nine
	for name := range fields(t, &full) {
		if item.Properties[name] == nil {
			t.Errorf("the item's %s is not described", name)
		}
	}
	if got, want := len(item.Properties), len(fields(t, &full)); got != want {
		t.Errorf("%d fields are described, %d written", got, want)
	}
	bare := fields(t, &digest.Item{Number: 1})
	for _, name := range item.Required {
		if _, ok := bare[name]; !ok {
			t.Errorf("%s is required, but left out of a bare item", name)
		}
	}
	if len(item.Required) != len(bare) {
		t.Errorf("required %v, always written %v", item.Required, bare)
	}
}

func fields(t *testing.T, it *digest.Item) map[string]any {
	t.Helper()
	b, err := json.Marshal(NewItemJSON(apollo, it))
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// golden compares a page with the one in testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs; -update writes it anew. Got:\n%s", file, got)
	}
}
