package demo

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"net/mail"
	"net/smtp"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// newWorld is a world whose daemon is the test's: it takes everything and gives it numbers.
func newWorld(t *testing.T, check func(r *http.Request, body []byte)) *World {
	t.Helper()
	var n atomic.Int64
	daemon := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			fmt.Fprint(rw, `{"items":[{"id":"outside","seq":99,"title":"From <b>outside</b>","source":"scripts","urgent":true}]}`)
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		if check != nil {
			check(r, body)
		}
		rw.WriteHeader(http.StatusAccepted)
		i := n.Add(1)
		fmt.Fprintf(rw, `{"status":"accepted","items":[{"id":"i%d","seq":%d}]}`, i, i)
	}))
	t.Cleanup(daemon.Close)
	w, err := Start(t.Context(), Options{Dir: t.TempDir(), Listen: "127.0.0.1:0", Out: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	w.Daemon = daemon.URL
	return w
}

func get(t *testing.T, url string) (string, http.Header) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b), resp.Header
}

// deliver sends a mail to Ana by SMTP, as the daemon does.
func deliver(t *testing.T, w *World, raw string) {
	t.Helper()
	addr := w.post.smtpListener.Addr().String()
	host, _, _ := net.SplitHostPort(addr)
	err := smtp.SendMail(addr, smtp.PlainAuth("", "digest@example.com", w.post.password, host), "digest@example.com",
		[]string{"ana@example.com"}, []byte(strings.ReplaceAll(raw, "\n", "\r\n")))
	if err != nil {
		t.Fatal(err)
	}
}

func TestViewerEscapesWhatIsHostile(t *testing.T) {
	w := newWorld(t, nil)
	resp, err := http.PostForm(w.Viewer+"/post", url.Values{"title": {`<script>alert("title")</script>`}, "urgency": {"urgent"}})
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%v %v", resp, err)
	}
	resp.Body.Close()
	deliver(t, w, `From: digest@example.com
Subject: <script>alert("subject")</script>
Content-Type: multipart/alternative; boundary=b

--b
Content-Type: text/plain

</pre><script>alert("text")</script>
--b
Content-Type: text/html

<html><head></head><body><script>alert("html")</script><a href="https://example.com/">x</a></body></html>
--b--
`)
	page, h := get(t, w.Viewer+"/")
	if n := strings.Count(page, "<script"); n != 1 {
		t.Errorf("%d scripts in the page, want its own only:\n%s", n, page)
	}
	for _, want := range []string{"&lt;script&gt;alert(&#34;title&#34;)", "&lt;script&gt;alert(&#34;subject&#34;)", "&lt;script&gt;alert(&#34;text&#34;)",
		"From &lt;b&gt;outside&lt;/b&gt;", `src="/mail/ana/1"`} {
		if !strings.Contains(page, want) {
			t.Errorf("%q is not in the page:\n%s", want, page)
		}
	}
	if csp := h.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'; script-src 'nonce-") || strings.Contains(csp, "unsafe") {
		t.Errorf("policy %q", csp)
	}
	news, _ := get(t, w.Viewer+"/news?seen=0&read=0")
	var parts struct{ Posted, Mails string }
	if err := json.Unmarshal([]byte(news), &parts); err != nil || strings.Contains(parts.Posted+parts.Mails, "<script") {
		t.Errorf("%v: %s", err, news)
	}
	html, h := get(t, w.Viewer+"/mail/ana/1")
	if csp := h.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || !strings.Contains(csp, "; sandbox ") ||
		strings.Contains(csp, "allow-scripts") || strings.Contains(csp, "script-src") {
		t.Errorf("a mail's policy is %q", csp)
	}
	if !strings.Contains(html, `<base target="_blank">`) {
		t.Errorf("links would open within the frame: %s", html)
	}
	for _, gone := range []string{"/mail/ana/2", "/mail/ben/1", "/mail/eve/1", "/etc"} {
		if resp, err := http.Get(w.Viewer + gone); err != nil || resp.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %v %v", gone, resp.Status, err)
		}
	}
}

func TestOnlyTheViewersOwnPageMayPost(t *testing.T) {
	posts := 0
	w := newWorld(t, func(*http.Request, []byte) { posts++ })
	for _, c := range []struct {
		name, value string
		want        int
	}{
		{"Sec-Fetch-Site", "cross-site", http.StatusForbidden},
		{"Sec-Fetch-Site", "same-site", http.StatusForbidden},
		{"Origin", "https://evil.example", http.StatusForbidden},
		{"Origin", w.Viewer, http.StatusSeeOther},
		{"Sec-Fetch-Site", "same-origin", http.StatusSeeOther},
	} {
		req, err := http.NewRequest(http.MethodPost, w.Viewer+"/post", strings.NewReader("urgency=urgent"))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set(c.name, c.value)
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != c.want {
			t.Errorf("%s: %s: %d, want %d", c.name, c.value, resp.StatusCode, c.want)
		}
	}
	if posts != 2 {
		t.Errorf("%d posts came through, want 2", posts)
	}
}

// Every file of the story is in its tool's form, and GitHub's are signed.
func TestTheStoryIsPostedAsToolsDo(t *testing.T) {
	var w *World
	events := map[string]int{}
	w = newWorld(t, func(r *http.Request, body []byte) {
		if !json.Valid(body) {
			t.Errorf("%s: no JSON: %s", r.URL.Path, body)
		}
		switch path := r.URL.Path; {
		case path == "/hooks/github":
			mac := hmac.New(sha256.New, []byte(w.secrets["github"]))
			mac.Write(body)
			if got := r.Header.Get("X-Hub-Signature-256"); got != "sha256="+hex.EncodeToString(mac.Sum(nil)) {
				t.Errorf("signature %q", got)
			}
			if r.Header.Get("X-GitHub-Delivery") == "" {
				t.Error("no delivery id")
			}
			events[r.Header.Get("X-GitHub-Event")]++
		case path == "/hooks/chat/"+w.secrets["chat"]:
			events["slack"]++
		case path == "/hooks/monitor" && r.Header.Get("Authorization") == "Bearer "+w.secrets["monitor"],
			path == "/v1/items" && r.Header.Get("Authorization") == "Bearer "+w.secrets["scripts"]:
			events["native"]++
		default:
			t.Errorf("posted to %s", path)
		}
	})
	if err := w.Play(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, event := range []string{"pull_request", "pull_request_review", "workflow_run", "issues", "issue_comment", "release", "push", "slack", "native"} {
		if events[event] == 0 {
			t.Errorf("nothing of %s: %v", event, events)
		}
	}
	mails, err := w.post.fetch(t.Context(), reader{Key: "inbox", Address: inbox}, 0)
	if err != nil || len(mails) == 0 {
		t.Fatalf("%d mails in the inbox, %v", len(mails), err)
	}
	for _, m := range mails {
		h, err := mail.ReadMessage(strings.NewReader(m.Raw))
		if err != nil {
			t.Fatal(err)
		}
		if at, err := h.Header.Date(); err != nil || at.After(time.Now()) || time.Since(at) > 4*24*time.Hour {
			t.Errorf("%s: Date %v, %v", m.Subject, at, err)
		}
	}
	names, err := fs.Glob(storyFiles, "story/*")
	if err != nil || len(w.posted) != len(names) {
		t.Errorf("%d posted of %d, %v", len(w.posted), len(names), err)
	}
}

func TestDatesAreMoved(t *testing.T) {
	now := time.Date(2027, 3, 1, 9, 0, 0, 0, time.UTC)
	days := shift(now)
	if end := storyEnd.AddDate(0, 0, days); end.After(now) || now.Sub(end) > 24*time.Hour {
		t.Errorf("the story ends at %v", end)
	}
	if before := storyEnd.AddDate(0, 0, shift(storyEnd.AddDate(0, -6, 0))); before.After(storyEnd.AddDate(0, -6, 0)) {
		t.Errorf("a clock that is behind: the story ends at %v", before)
	}
	got := moved([]byte(`"at": "2026-11-25T09:15:12Z", "due:2026-12-01" Date: Wed, 25 Nov 2026 13:30:11 +0000 {"ts": 1795615815, "id": 1795615815} 2026.48.1`), 7)
	want := `"at": "2026-12-02T09:15:12Z", "due:2026-12-08" Date: Wed, 02 Dec 2026 13:30:11 +0000 {"ts": 1796220615, "id": 1795615815} 2026.48.1`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestARequestIsTakenApart(t *testing.T) {
	req, err := parseRequest([]byte("# Ana posts\nPOST /hooks/x HTTP/1.1\nA: b\n\n{}\n"))
	if err != nil || req.caption != "Ana posts" || req.path != "/hooks/x" || req.header.Get("A") != "b" || !bytes.Equal(req.body, []byte("{}\n")) {
		t.Errorf("%+v %v", req, err)
	}
	for _, bad := range []string{"", "# Ana\n", "POST /x HTTP/1.1\n\n", "# Ana\nGET /x HTTP/1.1\n\n", "# Ana\nPOST /x HTTP/1.1\nnonsense\n\n"} {
		if _, err := parseRequest([]byte(bad)); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

func TestWithoutALoginNoMailIsTaken(t *testing.T) {
	w := newWorld(t, nil)
	err := smtp.SendMail(w.post.smtpListener.Addr().String(), nil, "eve@example.com", []string{"ana@example.com"}, []byte("Subject: x\r\n\r\nx\r\n"))
	if err == nil {
		t.Error("it is taken")
	}
}
