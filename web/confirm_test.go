package web

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"quietpost/digest"
)

// fakeConfirmer has one wish, of a signed token.
type fakeConfirmer struct {
	token string
	calls []string
}

func (f *fakeConfirmer) person(token string) (digest.Subscriber, error) {
	if token != f.token {
		return digest.Subscriber{}, digest.ErrNotFound
	}
	return digest.Subscriber{Address: "new@example.com", Subscriptions: []digest.Subscription{
		{Projects: []string{"old"}, Schedule: "weekly", Ended: true}, {Projects: []string{"apollo", "<b>"}, Schedule: "daily"}}}, nil
}

func (f *fakeConfirmer) Waiting(_ context.Context, token string) (digest.Subscriber, error) {
	return f.person(token)
}

func (f *fakeConfirmer) Confirm(_ context.Context, token string, yes bool) (digest.Subscriber, error) {
	s, err := f.person(token)
	if err == nil {
		f.calls = append(f.calls, fmt.Sprint(yes))
		f.token = ""
	}
	return s, err
}

// TestConfirm: a GET shows and changes nothing, a POST confirms once, a link that is nobody's tells nothing.
func TestConfirm(t *testing.T) {
	f := newFake()
	o := options(f)
	c := &fakeConfirmer{token: token("c", "7-abc")}
	o.Confirm = c
	h := New(o)
	link := "/c/" + c.token
	for i, step := range []struct {
		method, target, body string
		code                 int
		want                 string
	}{
		{"GET", link, "", 200, "new@example.com was entered for a digest of Apollo, &lt;b&gt; (daily)"},
		{"HEAD", link, "", 200, ""},
		{"GET", link + "?do=yes", "", 200, "Yes, send it"},
		{"POST", link, "", 400, "Nothing was changed"},
		{"POST", link, "do=maybe", 400, "Nothing was changed"},
		{"PUT", link, "", 405, ""},
		{"GET", "/c/x", "", 404, "This link does not work"},
		{"GET", "/c/" + token("d", "7-abc"), "", 404, "This link does not work"},
		{"GET", "/c/" + token("c", "9-zzz"), "", 410, "Nothing waits to be confirmed"},
		{"POST", link, "do=yes", 200, "Done: confirmed"},
		{"POST", link, "do=yes", 410, "Nothing waits to be confirmed"},
		{"GET", link, "", 410, "Nothing waits to be confirmed"},
	} {
		w := ask(h, step.method, step.target, step.body)
		if w.Code != step.code || !strings.Contains(w.Body.String(), step.want) {
			t.Errorf("%d. %s %s %s: %d, want %d and %q\n%s", i, step.method, step.target, step.body, w.Code, step.code, step.want, w.Body)
		}
	}
	if got := fmt.Sprint(c.calls); got != "[true]" {
		t.Error(got)
	}
	c.token = token("c", "7-abc")
	if w := ask(h, "POST", link, "do=no"); !strings.Contains(w.Body.String(), "You declined") || fmt.Sprint(c.calls) != "[true false]" {
		t.Errorf("%s %v", w.Body, c.calls)
	}
}
