package webhook

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"quietpost/digest"
)

const bearer = "Authorization: Bearer any-token-1"

func TestItems(t *testing.T) {
	jsonType := "Content-Type: application/json"
	for _, c := range []struct {
		name, body string
		head       []string
		status     int
		field      string
	}{
		{"least", item, []string{bearer, jsonType}, 202, ""},
		{"charset", item, []string{bearer, "Content-Type: application/json; charset=utf-8"}, 202, ""},
		{"gzip", zip(item), []string{bearer, jsonType, "Content-Encoding: gzip"}, 202, ""},
		{"null is not there", `{"project":"a","title":"b","url":null,"tags":null}`, []string{bearer, jsonType}, 202, ""},
		{"no secret", item, []string{jsonType}, 401, ""},
		{"wrong secret", item, []string{jsonType, "Authorization: Bearer x"}, 401, ""},
		{"a secret of another type", item, []string{jsonType, "Authorization: Bearer chat-token"}, 401, ""},
		{"empty secret", item, []string{jsonType, "Authorization: Bearer "}, 401, ""},
		{"not as bearer", item, []string{jsonType, "Authorization: any-token-1"}, 401, ""},
		{"form", item, []string{bearer, "Content-Type: application/x-www-form-urlencoded"}, 415, ""},
		{"no type", item, []string{bearer}, 415, ""},
		{"another charset", item, []string{bearer, "Content-Type: application/json; charset=latin1"}, 415, ""},
		{"encoding", item, []string{bearer, jsonType, "Content-Encoding: br"}, 415, ""},
		{"broken gzip", "x", []string{bearer, jsonType, "Content-Encoding: gzip"}, 400, ""},
		{"too large", `{"title":"` + strings.Repeat("x", 6<<20), []string{bearer, jsonType}, 413, ""},
		{"not JSON", `{"project"`, []string{bearer, jsonType}, 400, ""},
		{"a list", `[]`, []string{bearer, jsonType}, 400, ""},
		{"more behind", item + `{}`, []string{bearer, jsonType}, 400, ""},
		{"no project", `{"title":"a"}`, []string{bearer, jsonType}, 400, "project"},
		{"project of signs", `{"title":"a","project":"!!"}`, []string{bearer, jsonType}, 400, "project"},
		{"no title", `{"project":"a","title":" \n"}`, []string{bearer, jsonType}, 400, "title"},
		{"title a number", `{"project":"a","title":5}`, []string{bearer, jsonType}, 400, "title"},
		{"unknown", `{"project":"a","title":"b","titel":"c"}`, []string{bearer, jsonType}, 400, "titel"},
		{"another case", `{"project":"a","Title":"b"}`, []string{bearer, jsonType}, 400, "Title"},
		{"twice", `{"project":"a","title":"b","title":"c"}`, []string{bearer, jsonType}, 400, "title"},
		{"url", `{"project":"a","title":"b","url":"javascript:alert(1)"}`, []string{bearer, jsonType}, 400, "url"},
		{"urgent", `{"project":"a","title":"b","urgent":"yes"}`, []string{bearer, jsonType}, 400, "urgent"},
		{"tags", `{"project":"a","title":"b","tags":"x"}`, []string{bearer, jsonType}, 400, "tags"},
		{"too many tags", `{"project":"a","title":"b","tags":["x"` + strings.Repeat(`,"x"`, 32) + `]}`, []string{bearer, jsonType}, 400, "tags"},
		{"kind", `{"project":"a","title":"b","kind":"?"}`, []string{bearer, jsonType}, 400, "kind"},
		{"due", `{"project":"a","title":"b","due":"2026-02-30"}`, []string{bearer, jsonType}, 400, "due"},
		{"occurred_at", `{"project":"a","title":"b","occurred_at":"yesterday"}`, []string{bearer, jsonType}, 400, "occurred_at"},
		{"long key", `{"project":"a","title":"b","key":"` + strings.Repeat("k", 256) + `"}`, []string{bearer, jsonType}, 400, "key"},
		{"two keys", `{"project":"a","title":"b","key":"k"}`, []string{bearer, jsonType, "Idempotency-Key: l"}, 400, "key"},
		{"long thread", `{"project":"a","title":"b","thread":"` + strings.Repeat("k", 501) + `"}`, []string{bearer, jsonType}, 400, "thread"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h, in := testHandler(nil)
			w := do(h, "POST", "/v1/items", c.body, c.head...)
			if w.Code != c.status {
				t.Fatalf("%d %s, want %d", w.Code, w.Body, c.status)
			}
			checkFault(t, w)
			var p problem
			if _ = json.Unmarshal(w.Body.Bytes(), &p); p.Field != c.field || c.field != "" && !strings.Contains(p.Detail, c.field) {
				t.Errorf("the field named is %q (%s), want %q", p.Field, p.Detail, c.field)
			}
			if (len(in.got) == 1) != (c.status == 202) {
				t.Errorf("%d deliveries were stored", len(in.got))
			}
		})
	}
	h, _ := testHandler(nil)
	if w := do(h, "GET", "/v1/items", "", bearer); w.Code != 405 {
		t.Errorf("GET: %d", w.Code)
	}
}

func TestItemWhole(t *testing.T) {
	h, in := testHandler(nil)
	body := `{"project":"Apollo Web","title":"Release\n moved","body":"It *is*.","url":"https://x.example/1","kind":"Decision","author":"Ana",
		"thread":"release/2","urgent":true,"tags":["Plan"],"due":"2026-12-01","occurred_at":"2026-03-02T10:00:00+01:00","key":"k"}`
	if w := do(h, "POST", "/v1/items", body, bearer, "Content-Type: application/json"); w.Code != 202 {
		t.Fatal(w.Code, w.Body)
	}
	want := digest.Item{Source: "any", Tool: "generic", Project: "apollo-web", Kind: "decision", Title: "Release moved", Body: "It *is*.",
		URL: "https://x.example/1", Author: "Ana", Thread: "release/2", Urgent: true, Tags: []string{"plan"}, Due: "2026-12-01",
		Authenticated: true, OccurredAt: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC), ReceivedAt: now}
	got := in.last(t).Items[0]
	got.OccurredAt = got.OccurredAt.UTC()
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if rec := in.last(t).Receipt; rec.Key != "k" || rec.SameWithin != 0 || string(rec.Raw) != body || strings.Contains(string(rec.Header), "any-token") {
		t.Errorf("the receipt: %+v", rec)
	}
}

func TestItemTwice(t *testing.T) {
	h, _ := testHandler(nil)
	post := func(body, key string) int {
		w := do(h, "POST", "/v1/items", body, bearer, "Content-Type: application/json", "Idempotency-Key: "+key)
		checkFault(t, w)
		return w.Code
	}
	if got := []int{post(item, "k"), post(item, "k"), post(item+" ", "k"), post(item, "l")}; !cmp.Equal(got, []int{202, 200, 409, 202}) {
		t.Errorf("answers %v", got)
	}
}
