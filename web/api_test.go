package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"quietpost/digest"
)

func TestAPIIsClosed(t *testing.T) {
	for name, c := range map[string]struct {
		tokens func() [][]byte
		header string
		code   int
	}{
		"no tokens":      {nil, "Bearer new-token", 403},
		"empty list":     {func() [][]byte { return nil }, "Bearer ", 403},
		"empty token":    {func() [][]byte { return [][]byte{{}} }, "Bearer ", 403},
		"no header":      {options(nil).APIToken, "", 401},
		"wrong":          {options(nil).APIToken, "Bearer new-toke", 401},
		"other scheme":   {options(nil).APIToken, "Basic new-token", 401},
		"bare token":     {options(nil).APIToken, "new-token", 401},
		"new":            {options(nil).APIToken, "Bearer new-token", 200},
		"old":            {options(nil).APIToken, "bearer old-token", 200},
		"empty and good": {func() [][]byte { return [][]byte{{}, []byte("x")} }, "Bearer ", 401},
	} {
		o := options(newFake())
		o.APIToken = c.tokens
		h := New(o)
		for _, path := range []string{"/v1/items", "/v1/projects", "/v1/items/" + digest.ItemID(1)} {
			w := ask(h, "GET", path, "", func(r *http.Request) { r.Header.Set("Authorization", c.header) })
			if w.Code != c.code {
				t.Errorf("%s: %s is %d, want %d", name, path, w.Code, c.code)
			}
			switch c.code {
			case 403:
				if !strings.Contains(w.Body.String(), "api.token_file") {
					t.Errorf("%s does not say what to set: %s", name, w.Body)
				}
			case 401:
				if !strings.HasPrefix(w.Header().Get("WWW-Authenticate"), "Bearer") {
					t.Errorf("%s: no challenge", name)
				}
			}
			if c.code != 200 && (w.Header().Get("Content-Type") != "application/problem+json" || strings.Contains(w.Body.String(), "Queue")) {
				t.Errorf("%s: %s", name, w.Body)
			}
		}
	}
}

type itemPage struct {
	Items []ItemJSON
	Next  string
}

func list(t *testing.T, h http.Handler, target string) (p itemPage) {
	t.Helper()
	w := ask(h, "GET", target, "", withToken)
	if w.Code != 200 || w.Header().Get("Content-Type") != "application/json" {
		t.Fatalf("%s: %d %s", target, w.Code, w.Body)
	}
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestItemsArePaged(t *testing.T) {
	f := newFake()
	h := New(options(f))
	for limit := 1; limit <= 7; limit++ {
		var got []int64
		next := ""
		for {
			p := list(t, h, fmt.Sprintf("/v1/items?limit=%d&before=%s", limit, next))
			for _, it := range p.Items {
				got = append(got, it.Seq)
			}
			if next = p.Next; next == "" {
				break
			}
			if len(p.Items) != limit {
				t.Fatalf("a page of %d has %d items and a next one", limit, len(p.Items))
			}
		}
		if fmt.Sprint(got) != "[6 5 4 3 2 1]" {
			t.Errorf("pages of %d give %v", limit, got)
		}
	}
}

func TestItemsFilter(t *testing.T) {
	h := New(options(newFake()))
	for target, want := range map[string]string{
		"/v1/items?project=apollo":             "[5 4 2]",
		"/v1/items?project=APOLLO&urgent=true": "[2]",
		"/v1/items?urgent=1":                   "[3 2]",
		"/v1/items?urgent=false&limit=2":       "[6 5]",
		"/v1/items?project=acme/apollo":        "[5 4 2]",
		"/v1/items?project=hermes":             "[6 1]",
		"/v1/items?project=none":               "[]",
	} {
		got := []int64{}
		for _, it := range list(t, h, target).Items {
			got = append(got, it.Seq)
		}
		if fmt.Sprint(got) != want {
			t.Errorf("%s gives %v, want %s", target, got, want)
		}
	}
	if w := ask(h, "GET", "/v1/items?project=none", "", withToken); w.Body.String() != `{"items":[]}`+"\n" {
		t.Errorf("an empty list is %s", w.Body)
	}
}

// An item is named by the project that readers know, and says under which alias it came.
func TestItemUnderAnAlias(t *testing.T) {
	h := New(options(newFake()))
	for _, it := range list(t, h, "/v1/items?project=apollo").Items {
		if alias := it.Seq == 4; it.Project != "apollo" || (it.Alias == "acme/apollo") != alias {
			t.Errorf("%d: project %q, alias %q", it.Seq, it.Project, it.Alias)
		}
	}
}

func TestItem(t *testing.T) {
	h := New(options(newFake()))
	w := ask(h, "GET", "/v1/items/"+digest.ItemID(6), "", withToken)
	want := `{"id":"` + digest.ItemID(6) + `","seq":6,"project":"hermes","kind":"decision","title":"We ship in March","urgent":false,` +
		`"tags":["plan"],"due":"2026-03-31","private":false,"source":"lab","received_at":"2026-03-02T08:55:00Z"}` + "\n"
	if w.Code != 200 || w.Body.String() != want {
		t.Errorf("got %d %s\nwant %s", w.Code, w.Body, want)
	}
	for path, code := range map[string]int{
		"/v1/items/" + digest.ItemID(99): 404, "/v1/items/6": 404, "/v1/items/x%2Fy": 404, "/v1/items/" + digest.ItemID(6) + "?x=1": 400,
	} {
		if w := ask(h, "GET", path, "", withToken); w.Code != code || w.Header().Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
}

func TestProjects(t *testing.T) {
	h := New(options(newFake()))
	var keys []string
	for next := ""; ; {
		w := ask(h, "GET", "/v1/projects?limit=2&after="+next, "", withToken)
		var p struct {
			Projects []ProjectJSON
			Next     string
		}
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || w.Code != 200 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		for _, j := range p.Projects {
			keys = append(keys, fmt.Sprintf("%s %s %d %d", j.Project, j.Title, j.Items, j.Urgent))
		}
		if next = p.Next; next == "" {
			break
		}
	}
	if got := strings.Join(keys, ", "); got != "apollo Apollo 3 1, hermes  2 0, zeus  1 1" {
		t.Errorf("got %s", got)
	}
}

// TestAPIIsStrict: the answer names the parameter that is wrong.
func TestAPIIsStrict(t *testing.T) {
	h := New(options(newFake()))
	for query, field := range map[string]string{
		"items?limit=0":           "limit",
		"items?limit=201":         "limit",
		"items?limit=ten":         "limit",
		"items?before=6":          "before",
		"items?urgent=yes":        "urgent",
		"items?project=a%20b":     "project",
		"items?projects=apollo":   "projects",
		"items?limit=1&limit=2":   "limit",
		"items?%zz":               "query",
		"projects?limit=1001":     "limit",
		"projects?urgent=true":    "urgent",
		"items?project=apollo%0a": "project",
	} {
		w := ask(h, "GET", "/v1/"+query, "", withToken)
		var p problem
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || w.Code != 400 || p.Field != field || p.Status != 400 || p.Detail == "" {
			t.Errorf("%s: %d %s", query, w.Code, w.Body)
		}
	}
}

func TestAPIFaults(t *testing.T) {
	f := newFake()
	h := New(options(f))
	f.err = fmt.Errorf("list: %w", digest.ErrUnavailable)
	if w := ask(h, "GET", "/v1/items", "", withToken); w.Code != 503 || w.Header().Get("Retry-After") == "" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	f.err = errors.New("secret path /var/lib")
	for _, path := range []string{"/v1/items", "/v1/projects", "/v1/items/" + digest.ItemID(1)} {
		if w := ask(h, "GET", path, "", withToken); w.Code != 500 || strings.Contains(w.Body.String(), "secret") {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
}
