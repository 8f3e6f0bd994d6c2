package web

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"
	"time"

	"quietpost/digest"
)

// TestGETChangesNothing: mail scanners open every link.
func TestGETChangesNothing(t *testing.T) {
	f := newFake()
	h := New(options(f))
	for _, method := range []string{"GET", "HEAD"} {
		for _, tok := range []string{token("d", "12"), token("a", "1")} {
			for _, query := range []string{"", "?do=leave", "?List-Unsubscribe=One-Click"} {
				if w := ask(h, method, "/l/"+tok+query, ""); w.Code != 200 {
					t.Errorf("%d", w.Code)
				}
			}
		}
	}
	if len(f.changes) > 0 {
		t.Errorf("changed: %v", f.changes)
	}
}

func TestLeavePages(t *testing.T) {
	f := newFake()
	h := New(options(f))
	digestLink, alertsLink := "/l/"+token("d", "12"), "/l/"+token("a", "1")
	for i, c := range []struct {
		method, target, body string
		want                 []string
		no                   string
	}{
		{"GET", digestLink, "", []string{"Stop this digest?", "ana@example.com", "Apollo, hermes", "daily", `value="leave"`, "alerts still come"}, "Undo"},
		{"POST", digestLink, "do=leave", []string{"Done", "Undo", `value="stay"`, "Stop alerts too", `action="` + token("a", "1") + `"`}, "?</h1>"},
		{"GET", digestLink, "", []string{"This digest has ended", "Get it again"}, "Undo"},
		{"POST", alertsLink, "do=leave", []string{"Done: no more alerts", "Undo"}, "too"},
		{"GET", digestLink, "", []string{"This digest has ended"}, "Stop alerts too"},
		{"POST", digestLink, "do=stay", []string{"The digest comes again", "Stop this digest"}, "Undo"},
		{"GET", alertsLink, "", []string{"Alerts have ended", "Get alerts again"}, "Undo"},
		{"POST", alertsLink, "do=stay", []string{"Alerts come again"}, "Undo"},
		{"GET", alertsLink, "", []string{"Stop alerts?", "ana@example.com"}, "Undo"},
		{"GET", "/l/" + token("d", "13"), "", []string{"all projects", "nothing else changes"}, "alerts still"},
		{"GET", "/l/" + token("d", "14"), "", []string{"No more mail", "cy@example.com"}, "<form"},
		{"GET", "/l/" + token("a", "3"), "", []string{"No more mail"}, "<form"},
	} {
		w := ask(h, c.method, c.target, c.body)
		page := w.Body.String()
		if w.Code != 200 || w.Header().Get("Content-Type") != "text/html; charset=utf-8" || c.no != "" && strings.Contains(page, c.no) {
			t.Errorf("%d. %s %s: %d, or has %q\n%s", i, c.method, c.body, w.Code, c.no, page)
		}
		for _, want := range c.want {
			if !strings.Contains(page, want) {
				t.Errorf("%d. %s %s: no %q in\n%s", i, c.method, c.body, want, page)
			}
		}
		if w.Header().Get("Set-Cookie") != "" || strings.Contains(page, "<script") {
			t.Errorf("%d. a cookie or a script", i)
		}
	}
	want := "[digest 12 true alerts 1 true digest 12 false alerts 1 false]"
	if got := fmt.Sprint(f.changes); got != want {
		t.Errorf("changes %s, want %s", got, want)
	}
}

// TestOneClick is RFC 8058 from a provider: no Origin, no cookie, either form encoding; and from a browser anywhere.
func TestOneClick(t *testing.T) {
	var multi bytes.Buffer
	mw := multipart.NewWriter(&multi)
	_ = mw.WriteField("List-Unsubscribe", "One-Click")
	_ = mw.Close()
	for name, c := range map[string]struct {
		body   string
		change func(r *http.Request)
	}{
		"urlencoded": {"List-Unsubscribe=One-Click", func(*http.Request) {}},
		"multipart":  {multi.String(), func(r *http.Request) { r.Header.Set("Content-Type", mw.FormDataContentType()) }},
		"elsewhere": {"List-Unsubscribe=One-Click", func(r *http.Request) {
			r.Header.Set("Origin", "https://mail.example.net")
			r.Header.Set("Sec-Fetch-Site", "cross-site")
		}},
	} {
		f := newFake()
		h := New(options(f))
		for range 2 { // providers repeat themselves
			w := ask(h, "POST", "/l/"+token("d", "12"), c.body, c.change)
			if w.Code != 200 || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/plain") || w.Body.Len() == 0 {
				t.Errorf("%s: %d %s", name, w.Code, w.Body)
			}
		}
		ask(h, "POST", "/l/"+token("a", "1"), c.body, c.change)
		if got := fmt.Sprint(f.changes); got != "[digest 12 true digest 12 true alerts 1 true]" {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestLeaveRefuses(t *testing.T) {
	f := newFake()
	h := New(options(f))
	good := token("d", "12")
	for name, c := range map[string]struct {
		path, body string
		code       int
	}{
		"another signature": {"/l/" + good[:len(good)-2] + "AA", "do=leave", 404},
		"another id":        {"/l/" + strings.Replace(good, "12", "13", 1), "do=leave", 404},
		"another key":       {"/l/" + digest.Token([]byte("other"), "d", "12"), "do=leave", 404},
		"another purpose":   {"/l/" + token("e", "ed1"), "do=leave", 404},
		"an edition's":      {"/l/" + strings.Replace(good, "d.", "a.", 1), "do=leave", 404},
		"nobody":            {"/l/" + token("d", "99"), "do=leave", 404},
		"no number":         {"/l/" + token("d", "x"), "do=leave", 404},
		"empty":             {"/l/" + good, "", 400},
		"unknown":           {"/l/" + good, "do=delete", 400},
		"other one-click":   {"/l/" + good, "List-Unsubscribe=Yes", 400},
		"too long":          {"/l/" + good, "x=" + strings.Repeat("y", maxForm) + "&do=leave", 400},
		"in the query":      {"/l/" + good + "?do=leave", "x=y", 400},
	} {
		if w := ask(h, "POST", c.path, c.body); w.Code != c.code || !strings.Contains(w.Body.String(), "<h1>") {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
	if len(f.changes) > 0 {
		t.Errorf("changed: %v", f.changes)
	}
}

// TestFaultsSayNothingChanged, and neither page nor log shows the link's secret.
func TestFaultsSayNothingChanged(t *testing.T) {
	f := newFake()
	o := options(f)
	var log bytes.Buffer
	o.Log = slog.New(slog.NewTextHandler(&log, nil))
	h := New(o)
	f.err = fmt.Errorf("save: %w", digest.ErrUnavailable)
	good := token("d", "12")
	w := ask(h, "POST", "/l/"+good, "do=leave")
	if w.Code != 503 || w.Header().Get("Retry-After") == "" || !strings.Contains(w.Body.String(), "Nothing was changed") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if !strings.Contains(log.String(), "cannot be stored now") || strings.Contains(log.String(), good) {
		t.Errorf("the log is %s", log.String())
	}
}

func TestEditionGolden(t *testing.T) {
	h := New(options(newFake()))
	w := ask(h, "GET", "/e/"+token("e", "ed1"), "")
	if w.Code != 200 || w.Header().Get("Referrer-Policy") != "no-referrer" {
		t.Fatalf("%d %v", w.Code, w.Header())
	}
	golden(t, "edition.html", w.Body.Bytes())
}

func TestEditionShowsItsOwn(t *testing.T) {
	h := New(options(newFake()))
	for name, c := range map[string]struct {
		path     string
		has, not []string
	}{
		"digest": {"/e/" + token("e", "ed1"),
			[]string{"Digest of Monday 2 March 2026, 09:00", "All 5 updates", "Queue drained", "API down &lt;script&gt;", "API up",
				"(private)", "We ship in March", "due 2026-03-31", `href="https://ci.example.com/1?a=b&amp;c=d"`, "&lt;b&gt;not bold"},
			[]string{"Not for Ana", "secret", "javascript:", "ZgotmplZ", "<script", "<b>", "acme/apollo", "<img"}},
		"one project": {"/e/" + token("e", "ed1") + "?project=hermes",
			[]string{"Queue drained", "We ship in March", "All projects"}, []string{"API", "private"}},
		"alert": {"/e/" + token("e", "ed2"), []string{"Alert of", "All 2 updates", "API down", "API up"},
			[]string{"Not for Ana", "private", "Queue", "March "}},
		"kinds": {"/e/" + token("e", "ed4"), []string{"All 2 updates", "Not for Ana", "We ship in March"}, []string{"API", "Queue"}},
	} {
		w := ask(h, "GET", c.path, "")
		page := w.Body.String()
		if name == "alert" {
			page = strings.Replace(page, "2 March 2026", "", -1)
		}
		if w.Code != 200 {
			t.Errorf("%s: %d", name, w.Code)
		}
		for _, s := range c.has {
			if !strings.Contains(page, s) {
				t.Errorf("%s: no %q in\n%s", name, s, page)
			}
		}
		for _, s := range c.not {
			if strings.Contains(page, s) {
				t.Errorf("%s: %q is in\n%s", name, s, page)
			}
		}
	}
}

// TestItemPage: an item whole, and of a mail what its body leaves out; nothing else than what its edition covers.
func TestItemPage(t *testing.T) {
	f := newFake()
	o := options(f)
	o.Whole = func(_ context.Context, it *digest.Item) (string, error) {
		if it.Title == "We ship in March" {
			return "Yes.\n\n> Shall we <b>ship</b>?", nil
		}
		return "", nil
	}
	h := New(o)
	pages := map[string]string{}
	for i := range f.items {
		it := &f.items[i]
		w := ask(h, "GET", fmt.Sprintf("/e/%s/%d", token("e", "ed1"), it.Number), "")
		page := w.Body.String()
		switch wanted := !strings.Contains("Not for Ana", it.Title); {
		case !wanted && w.Code != 404:
			t.Errorf("%s: %d", it.Title, w.Code)
		case wanted && w.Code == 200:
			pages[it.Title] = page
		}
		if strings.Contains(page, "secret") || strings.Contains(page, "javascript:") || strings.Contains(page, "<b>") {
			t.Errorf("%s: %s", it.Title, page)
		}
	}
	if len(pages) != 5 {
		t.Errorf("%d pages of the edition's 5 items", len(pages))
	}
	if p := pages["We ship in March"]; !strings.Contains(p, "&gt; Shall we &lt;b&gt;ship&lt;/b&gt;?") || !strings.Contains(p, `href="../`+token("e", "ed1")+`"`) {
		t.Errorf("the whole mail is not there: %s", p)
	}
	if p := pages["Queue drained"]; p == "" || strings.Contains(p, "whole mail") {
		t.Errorf("%s", p)
	}
	for _, path := range []string{token("e", "ed1") + "/999", token("e", "ed1") + "/x", token("e", "ed3") + "/1", token("d", "12") + "/1", "e.ed1.AAAA/1"} {
		if w := ask(h, "GET", "/e/"+path, ""); w.Code != 404 {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
}

// TestItemPageOfAThread: with what else the edition covers of it, oldest first; of a long one as much as fits, with the item.
func TestItemPageOfAThread(t *testing.T) {
	f := newFake()
	f.items = nil
	for i := range int64(120) {
		f.items = append(f.items, digest.Item{Number: i + 1, Project: "apollo", Thread: []string{"pr/1", "pr/2"}[i%2], Kind: "comment",
			Title: fmt.Sprintf("item-%d-", i+1), Body: fmt.Sprintf("body-%d-", i+1), ReceivedAt: nine})
	}
	f.edition[0].To = 120
	h := New(options(f))
	for number, c := range map[int]struct{ has, not []string }{
		120: {[]string{"body-120-", "body-22-", "not shown here: 10<"}, []string{"body-20-", "body-119-"}},
		4:   {[]string{"body-4-", "body-102-", "not shown here: 1<", "<h1>item-4-"}, []string{"body-2-", "body-104-"}},
	} {
		page := ask(h, "GET", fmt.Sprintf("/e/%s/%d", token("e", "ed1"), number), "").Body.String()
		for _, s := range c.has {
			if !strings.Contains(page, s) {
				t.Errorf("%d: no %q", number, s)
			}
		}
		for _, s := range c.not {
			if strings.Contains(page, s) {
				t.Errorf("%d: %q is there", number, s)
			}
		}
	}
}

func TestEditionRefuses(t *testing.T) {
	h := New(options(newFake()))
	for name, path := range map[string]string{
		"no edition":     "/e/" + token("e", "none"),
		"left for good":  "/e/" + token("e", "ed3"),
		"leave token":    "/e/" + token("d", "12"),
		"wrong token":    "/e/e.ed1.AAAAAAAAAAAAAAAAAAAAAA",
		"token of blank": "/e/..",
	} {
		w := ask(h, "GET", path, "")
		if w.Code != 404 && w.Code != 307 || strings.Contains(w.Body.String(), "Queue") {
			t.Errorf("%s: %d", name, w.Code)
		}
	}
}

// TestEditionIsPaged: each item stands on one page, the window is read in pieces, and no page number leads astray.
func TestEditionIsPaged(t *testing.T) {
	f := newFake()
	f.items = nil
	const n = 12_001
	for i := range n {
		if i%24 == 0 {
			f.items = append(f.items, digest.Item{Number: int64(i + 1), Project: []string{"hermes", "apollo"}[i/24%2], Kind: "status",
				Title: fmt.Sprintf("item-%d-", i+1), ReceivedAt: nine.Add(time.Duration(i) * time.Second)})
		}
	}
	f.edition[0].To = n
	h := New(options(f))
	link := "/e/" + token("e", "ed1")
	var all strings.Builder
	for page := 1; page <= 3; page++ {
		w := ask(h, "GET", fmt.Sprintf("%s?page=%d", link, page), "")
		body := w.Body.String()
		all.WriteString(body)
		if !strings.Contains(body, fmt.Sprintf("page %d of 3", page)) {
			t.Fatalf("page %d: %d %s", page, w.Code, body)
		}
		if (page > 1) != strings.Contains(body, `rel="prev"`) || (page < 3) != strings.Contains(body, `rel="next"`) {
			t.Errorf("page %d has the wrong neighbours", page)
		}
		if got := strings.Count(body, "<time"); got > pageItems || page < 3 && got != pageItems {
			t.Errorf("page %d has %d items", page, got)
		}
	}
	for _, it := range f.items {
		if got := strings.Count(all.String(), it.Title); got != 1 {
			t.Errorf("%s stands %d times", it.Title, got)
		}
	}
	if fmt.Sprint(f.windows[:3]) != "[[0 5000] [5000 10000] [10000 12001]]" {
		t.Errorf("windows read: %v", f.windows[:3])
	}
	for query, want := range map[string]string{
		"page=0": "page 1 of 3", "page=-7": "page 1 of 3", "page=99": "page 3 of 3", "page=x": "page 1 of 3",
		"project=apollo&page=2": "page 2 of 2", "project=none": "Nothing of it is kept",
	} {
		if w := ask(h, "GET", link+"?"+query, ""); w.Code != 200 || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: %d, no %q", query, w.Code, want)
		}
	}
}

func TestExcerpt(t *testing.T) {
	for _, c := range []struct {
		in   string
		most int
		want string
	}{{"abc", 3, "abc"}, {"abcd", 3, "abc …"}, {"aöb", 2, "a …"}, {"öö", 1, " …"}, {"", 0, ""}} {
		if got := excerpt(c.in, c.most); got != c.want {
			t.Errorf("%q at %d is %q", c.in, c.most, got)
		}
	}
}
