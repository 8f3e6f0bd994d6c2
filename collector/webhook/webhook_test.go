package webhook

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"quietpost/collector/tools"
	"quietpost/digest"
)

var now = time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)

// A fakeIntake keeps deliveries as a store would: one per source and key.
type fakeIntake struct {
	mu   sync.Mutex
	got  []digest.Delivery
	seen map[string]digest.Result
	sums map[string][32]byte
	err  error
	drop digest.Reason // a rule that drops everything
	next int64
}

func (f *fakeIntake) Accept(_ context.Context, d digest.Delivery) (digest.Result, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return digest.Result{}, f.err
	}
	key := d.Receipt.Source + "\x00" + d.Receipt.Key
	if res, ok := f.seen[key]; ok {
		res.Duplicate, res.Differs = true, f.sums[key] != d.Receipt.Sum
		return res, nil
	}
	f.got = append(f.got, d)
	res := digest.Result{Receipt: int64(len(f.got)), State: d.Receipt.State, Reason: d.Receipt.Reason}
	if f.drop != "" {
		res.State, res.Reason = digest.Ignored, f.drop
	} else {
		for _, it := range d.Items {
			f.next++
			res.Items = append(res.Items, digest.ItemRef{Number: 1041 + f.next, Project: it.Project, Urgent: it.Urgent})
		}
	}
	if f.seen == nil {
		f.seen, f.sums = map[string]digest.Result{}, map[string][32]byte{}
	}
	f.seen[key], f.sums[key] = res, d.Receipt.Sum
	return res, nil
}

func (f *fakeIntake) last(t *testing.T) digest.Delivery {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.got) == 0 {
		t.Fatal("nothing was stored")
	}
	return f.got[len(f.got)-1]
}

func prefixes(list ...string) (out []netip.Prefix) {
	for _, s := range list {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}

func testSources() []Source {
	return []Source{
		{Name: "github", Type: "github", Secrets: [][]byte{[]byte("old-secret"), []byte("new-secret")}},
		{Name: "chat", Type: "slack", Project: "apollo", Secrets: [][]byte{[]byte("chat-token")}},
		{Name: "any", Type: "generic", Secrets: [][]byte{[]byte("any-token-1")}},
		{Name: "other", Type: "generic", Project: "nas", Secrets: [][]byte{[]byte("other-token")}},
		{Name: "lab", Type: "auto", Open: true},
		{Name: "office", Type: "auto", Open: true, From: prefixes("203.0.113.0/24"), Secrets: [][]byte{[]byte("office-token")}},
		{Name: "shut", Type: "generic"},
		{Name: "empty", Type: "generic", Secrets: [][]byte{nil, {}}},
		{Name: "panics", Type: "generic", Secrets: [][]byte{[]byte("p")}, Adapter: func(http.Header, []byte) (tools.Reading, error) { panic("boom") }},
		{Name: "nothing", Type: "generic", Secrets: [][]byte{[]byte("p")}, Adapter: func(http.Header, []byte) (tools.Reading, error) { return tools.Reading{}, nil }},
	}
}

// library are the tools that come with the program, read once for all tests.
var library = sync.OnceValue(func() *tools.Library {
	lib, err := tools.NewLibrary(nil)
	if err != nil {
		panic(err)
	}
	return lib
})

func testHandler(change func(*Options)) (*Handler, *fakeIntake) {
	in := &fakeIntake{}
	opt := Options{Intake: in, Tools: library(), Now: func() time.Time { return now }, Registry: prometheus.NewRegistry(),
		TrustedProxies: prefixes("10.0.0.0/8")}
	if change != nil {
		change(&opt)
	}
	h := New(opt)
	h.SetSources(testSources())
	return h, in
}

func sign(secret, body string) string {
	m := hmac.New(sha256.New, []byte(secret))
	m.Write([]byte(body))
	return "sha256=" + hex.EncodeToString(m.Sum(nil))
}

func zip(s string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write([]byte(s))
	_ = z.Close()
	return b.String()
}

func deflated(s string) string {
	var b bytes.Buffer
	z := zlib.NewWriter(&b)
	_, _ = z.Write([]byte(s))
	_ = z.Close()
	return b.String()
}

// do sends a request; head is "Name: value" lines, "From: a.b.c.d:port" sets the peer.
func do(h http.Handler, method, path, body string, head ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.RemoteAddr = "198.51.100.7:40000"
	for _, line := range head {
		name, value, _ := strings.Cut(line, ": ")
		if name == "From" {
			r.RemoteAddr = value
			continue
		}
		r.Header.Add(name, value)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

const (
	opened = `{"action":"opened","pull_request":{"number":42,"title":"Retry on 503"},"repository":{"full_name":"Acme/Rocket"}}`
	item   = `{"project":"Apollo","title":"Release moved"}`
)

func TestAnswers(t *testing.T) {
	large := `{"title":"` + strings.Repeat("x", 6<<20) + `"}`
	gh := func(secret, body string) []string {
		return []string{"X-GitHub-Event: pull_request", "X-Hub-Signature-256: " + sign(secret, body)}
	}
	for _, c := range []struct {
		name, method, path, body string
		head                     []string
		status                   int
		want                     string // in the answer
	}{
		{"github", "POST", "/hooks/github", opened, gh("new-secret", opened), 202, `{"status":"accepted","items":[{"id":"` + digest.ItemID(1042) + `","seq":1042,"project":"acme/rocket","urgent":false}]}`},
		{"the other secret", "PUT", "/hooks/github", opened, gh("old-secret", opened), 202, `accepted`},
		{"wrong signature", "POST", "/hooks/github", opened, gh("guess", opened), 401, `"status":401`},
		{"a signature alone counts", "POST", "/hooks/github/new-secret", opened, gh("guess", opened), 401, ``},
		{"signature over other bytes", "POST", "/hooks/github", opened + " ", gh("new-secret", opened), 401, ``},
		{"no secret", "POST", "/hooks/github", opened, nil, 401, `"title":"Unauthorized"`},
		{"wrong token", "POST", "/hooks/github/guess", opened, nil, 401, ``},
		{"token in the path", "POST", "/hooks/github/new-secret", opened, []string{"X-GitHub-Event: pull_request"}, 202, `accepted`},
		{"escaped token in the path", "POST", "/hooks/any/any%2Dtoken%2D1", item, nil, 202, `accepted`},
		{"ping", "POST", "/hooks/github/new-secret", `{"zen":"x"}`, []string{"X-GitHub-Event: ping"}, 200, `{"status":"ignored","reason":"ping`},
		{"25 MiB for github", "POST", "/hooks/github/new-secret", large, []string{"X-GitHub-Event: push"}, 202, `accepted`},
		{"over 5 MiB", "POST", "/hooks/any/any-token-1", large, nil, 413, `5 MiB`},
		{"bearer", "POST", "/hooks/any", item, []string{"Authorization: Bearer any-token-1"}, 202, `"project":"apollo"`},
		{"basic", "POST", "/hooks/any", item, []string{"Authorization: Basic YW55Om9uZQ=="}, 401, ``},
		{"basic password", "POST", "/hooks/any", item, []string{"Authorization: Basic dTphbnktdG9rZW4tMQ=="}, 202, `accepted`},
		{"bare authorization", "POST", "/hooks/any", item, []string{"Authorization: any-token-1"}, 202, `accepted`},
		{"Honeycomb's token", "POST", "/hooks/any", item, []string{"X-Honeycomb-Webhook-Token: any-token-1"}, 202, `accepted`},
		{"Honeycomb's token, wrong", "POST", "/hooks/any", item, []string{"X-Honeycomb-Webhook-Token: any-token-2"}, 401, ``},
		{"gitlab's token", "POST", "/hooks/any", item, []string{"X-Gitlab-Token: any-token-1"}, 202, `accepted`},
		{"another source's token", "POST", "/hooks/any/other-token", item, nil, 401, ``},
		{"token as query", "POST", "/hooks/any?token=any-token-1", item, nil, 401, ``},
		{"source's project", "POST", "/hooks/other/other-token", `just words`, nil, 202, `"project":"nas"`},
		{"guessed project", "POST", "/hooks/other/other-token", `{"message":"m","service":"api"}`, nil, 202, `"project":"nas"`},
		{"slack", "POST", "/hooks/chat/chat-token", `payload={"text":"hello","channel":"#ops"}`, nil, 200, "ok"},
		{"slack unreadable", "POST", "/hooks/chat/chat-token", `{"text":`, nil, 200, "ok"},
		{"slack without token", "POST", "/hooks/chat", `{"text":"hello"}`, nil, 401, `"status":401`},
		{"unreadable", "POST", "/hooks/any/any-token-1", `{"title":`, nil, 202, `{"status":"quarantined","id":"1","reason":"the body cannot be read`},
		{"too deep", "POST", "/hooks/any/any-token-1", strings.Repeat("[", 100000), nil, 202, `quarantined`},
		{"a panic", "POST", "/hooks/panics/p", `{}`, nil, 202, `quarantined`},
		{"an adapter that finds nothing", "POST", "/hooks/nothing/p", `{}`, nil, 202, `quarantined`},
		{"empty body", "POST", "/hooks/any/any-token-1", ``, nil, 200, `ignored`},
		{"gzip", "POST", "/hooks/any/any-token-1", zip(item), []string{"Content-Encoding: gzip"}, 202, `accepted`},
		{"broken gzip", "POST", "/hooks/any/any-token-1", zip(item)[:20], []string{"Content-Encoding: gzip"}, 202, `quarantined`},
		{"a slash behind the token", "POST", "/hooks/any/any-token-1/", item, nil, 202, `accepted`},
		{"deflate", "POST", "/hooks/any/any-token-1", deflated(item)[2:], []string{"Content-Encoding: deflate"}, 202, `accepted`},
		{"deflate in zlib's form", "POST", "/hooks/any/any-token-1", deflated(item), []string{"Content-Encoding: deflate"}, 202, `accepted`},
		{"broken deflate", "POST", "/hooks/any/any-token-1", deflated(item)[:20], []string{"Content-Encoding: deflate"}, 202, `quarantined`},
		{"deflate bomb", "POST", "/hooks/any/any-token-1", deflated(large), []string{"Content-Encoding: deflate"}, 413, ``},
		{"gzip bomb", "POST", "/hooks/any/any-token-1", zip(large), []string{"Content-Encoding: gzip"}, 413, ``},
		{"unknown encoding", "POST", "/hooks/any/any-token-1", item, []string{"Content-Encoding: br"}, 202, `quarantined`},
		{"no such source", "POST", "/hooks/none", item, nil, 404, `"type":"about:blank"`},
		{"not open, no secret", "POST", "/hooks/shut", item, []string{"From: 127.0.0.1:1"}, 401, ``},
		{"empty secrets", "POST", "/hooks/empty", item, []string{"Authorization: Bearer "}, 401, ``},
		{"HEAD", "HEAD", "/hooks/github", ``, nil, 200, ``},
		{"bare GET", "GET", "/hooks/github/x", ``, nil, 200, `POST`},
		{"GET with a query", "GET", "/hooks/github?title=x", ``, nil, 405, `"status":405`},
		{"GET with a query, generic", "GET", "/hooks/any/any-token-1?project=nas&title=Backup+done&access_token=x", ``, nil, 202, `"project":"nas"`},
		{"GET with a query, no token", "GET", "/hooks/any?title=x", ``, nil, 401, ``},
		{"access_token", "POST", "/hooks/any?access_token=any-token-1", item, nil, 202, `accepted`},
		{"HEAD with a query", "HEAD", "/hooks/any/any-token-1?title=x", ``, nil, 200, ``},
		{"OPTIONS", "OPTIONS", "/hooks/github", ``, []string{"WebHook-Request-Origin: x.example"}, 204, ``},
		{"DELETE", "DELETE", "/hooks/github", ``, nil, 405, ``},
		{"another path", "POST", "/hooks", ``, nil, 404, ``},
	} {
		t.Run(c.name, func(t *testing.T) {
			h, in := testHandler(nil)
			w := do(h, c.method, c.path, c.body, c.head...)
			if w.Code != c.status || !strings.Contains(w.Body.String(), c.want) {
				t.Fatalf("%d %s, want %d and %q in it", w.Code, w.Body, c.status, c.want)
			}
			checkFault(t, w)
			stored := w.Code == 202 || w.Code == 200 && c.method == "POST"
			if (len(in.got) == 1) != stored {
				t.Errorf("%d deliveries were stored", len(in.got))
			}
		})
	}
}

// checkFault holds for every answer of 4xx and 5xx.
func checkFault(t *testing.T, w *httptest.ResponseRecorder) {
	t.Helper()
	if w.Code < 400 {
		return
	}
	var p problem
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || p.Status != w.Code || p.Title == "" || p.Detail == "" ||
		w.Header().Get("Content-Type") != "application/problem+json" {
		t.Errorf("not a problem as RFC 9457 has it: %v %s %v", err, w.Body, w.Header())
	}
	head := w.Header()
	switch {
	case w.Code == 401 && head.Get("WWW-Authenticate") == "", w.Code == 405 && head.Get("Allow") == "",
		(w.Code == 503 || w.Code == 429) && head.Get("Retry-After") == "":
		t.Errorf("%d lacks its header: %v", w.Code, head)
	}
}

func TestOpenSource(t *testing.T) {
	for _, c := range []struct {
		path   string
		head   []string
		status int
	}{
		{"/hooks/lab", []string{"From: 127.0.0.1:5"}, 202},
		{"/hooks/lab", []string{"From: [::1]:5"}, 202},
		{"/hooks/lab", []string{"From: [::ffff:127.0.0.1]:5"}, 202},
		{"/hooks/lab", []string{"From: 198.51.100.7:5"}, 401},
		{"/hooks/lab", []string{"From: 198.51.100.7:5", "X-Forwarded-For: 127.0.0.1"}, 401}, // nobody asked that peer
		{"/hooks/lab", []string{"From: 10.0.0.1:5"}, 401},                                   // a proxy that names nobody
		{"/hooks/lab", []string{"From: 10.0.0.1:5", "X-Forwarded-For: 127.0.0.1, 198.51.100.9"}, 401},
		{"/hooks/lab", []string{"From: 10.0.0.1:5", "X-Forwarded-For: 198.51.100.9, 127.0.0.1"}, 202},
		{"/hooks/lab", []string{"From: 10.0.0.1:5", "X-Forwarded-For: nonsense"}, 401},
		{"/hooks/lab", []string{"From: @"}, 401},
		{"/hooks/lab", []string{"From: 127.0.0.1:5", "X-Hub-Signature-256: sha256=00"}, 202}, // there is nothing to check it with
		{"/hooks/office", []string{"From: 203.0.113.9:5"}, 202},
		{"/hooks/office", []string{"From: 10.0.0.1:5", "X-Forwarded-For: 203.0.113.9:4711, 10.0.0.2"}, 202},
		{"/hooks/office", []string{"From: 127.0.0.1:5"}, 401},
		{"/hooks/office/office-token", []string{"From: 198.51.100.7:5"}, 202},
		{"/hooks/office/wrong", []string{"From: 203.0.113.9:5"}, 401},
		{"/hooks/office", []string{"From: 203.0.113.9:5", "X-Hub-Signature-256: sha256=00"}, 401},
	} {
		h, in := testHandler(nil)
		w := do(h, "POST", c.path, item, c.head...)
		if w.Code != c.status {
			t.Errorf("%s %v: %d %s, want %d", c.path, c.head, w.Code, w.Body, c.status)
			continue
		}
		if w.Code == 202 && in.last(t).Items[0].Authenticated != strings.HasSuffix(c.path, "-token") {
			t.Errorf("%s %v: Authenticated is %t", c.path, c.head, in.last(t).Items[0].Authenticated)
		}
	}
}

// A proxy at loopback that is trusted must not make strangers neighbours.
func TestTrustedLoopbackProxy(t *testing.T) {
	h, _ := testHandler(func(o *Options) { o.TrustedProxies = prefixes("127.0.0.1/32") })
	if w := do(h, "POST", "/hooks/lab", item, "From: 127.0.0.1:5"); w.Code != 401 {
		t.Errorf("without a forwarded address: %d", w.Code)
	}
	if w := do(h, "POST", "/hooks/lab", item, "From: 127.0.0.1:5", "X-Forwarded-For: 198.51.100.9"); w.Code != 401 {
		t.Errorf("a stranger behind it: %d", w.Code)
	}
	if w := do(h, "POST", "/hooks/lab", item, "From: 127.0.0.1:5", "X-Forwarded-For: 127.0.0.2"); w.Code != 202 {
		t.Errorf("a neighbour behind it: %d", w.Code)
	}
}

func TestWhatIsStored(t *testing.T) {
	h, in := testHandler(nil)
	body := `{"secret":"hook-secret","action":"opened","pull_request":{"number":42,"title":"new-secret shown"},"repository":{"full_name":"Acme/Rocket"}}`
	w := do(h, "POST", "/hooks/github", body, "X-GitHub-Event: pull_request", "X-GitHub-Delivery: guid-1", "X-Hub-Signature-256: "+sign("new-secret", body),
		"Authorization: Bearer new-secret", "Cookie: a=b", "X-Gitlab-Token: new-secret", "X-Other: two\rlines", "User-Agent: GitHub-Hookshot/1")
	if w.Code != 202 {
		t.Fatal(w.Code, w.Body)
	}
	d := in.last(t)
	it := d.Items[0]
	if it.Source != "github" || it.Tool != "github" || it.Project != "acme/rocket" || !it.Authenticated || !it.ReceivedAt.Equal(now) {
		t.Errorf("the item: %+v", it)
	}
	rec := d.Receipt
	if rec.Key != "guid-1" || rec.SameWithin != 0 || rec.Sum != sha256.Sum256([]byte(body)) || rec.Source != "github" || rec.Tool != "github" ||
		rec.State != digest.Accepted || !rec.ReceivedAt.Equal(now) {
		t.Errorf("the receipt: %+v", rec)
	}
	want := "User-Agent: GitHub-Hookshot/1\nX-Github-Delivery: guid-1\nX-Github-Event: pull_request\nX-Other: two lines\n"
	if string(rec.Header) != want {
		t.Errorf("the header kept:\n%s\nwant:\n%s", rec.Header, want)
	}
	for _, s := range []string{string(rec.Raw), it.Title, it.Body, string(rec.Header)} {
		if strings.Contains(s, "hook-secret") || strings.Contains(s, "new-secret") {
			t.Errorf("a secret is stored: %s", s)
		}
	}
}

func TestDeliveryKeys(t *testing.T) {
	for _, c := range []struct {
		path, body string
		head       []string
		key        string
		within     time.Duration
	}{
		{"/hooks/any/any-token-1", item, nil, digest.BodyKey([]byte(item)), digest.BodyWindow},
		{"/hooks/any/any-token-1", zip(item), []string{"Content-Encoding: gzip"}, digest.BodyKey([]byte(item)), digest.BodyWindow},
		{"/hooks/any/any-token-1", item, []string{`Idempotency-Key: "k1"`}, "k1", 0},
		{"/hooks/any/any-token-1", item, []string{"Webhook-Id: msg_1"}, "msg_1", 0},
		{"/hooks/any/any-token-1", `{"project":"a","title":"b","key":"k2"}`, []string{"Idempotency-Key: k1"}, "k2", 0},
		{"/hooks/any/any-token-1", `{"issue":{"title":"x"},"key":"ABC-1"}`, []string{"Idempotency-Key: k1"}, "k1", 0},
		{"/hooks/any/any-token-1", item, []string{"Idempotency-Key: " + strings.Repeat("k", 300)}, digest.BodyKey([]byte(strings.Repeat("k", 300))), 0},
		{"/hooks/github/new-secret", opened, []string{"X-GitHub-Delivery: g", "Idempotency-Key: k1"}, "g", 0},
		{"/hooks/github/new-secret", `not JSON`, []string{"X-GitHub-Delivery: g"}, "g", 0},
	} {
		h, in := testHandler(nil)
		if w := do(h, "POST", c.path, c.body, c.head...); w.Code >= 400 {
			t.Fatal(w.Code, w.Body)
		}
		if rec := in.last(t).Receipt; rec.Key != c.key || rec.SameWithin != c.within {
			t.Errorf("%s %v: key %q within %v, want %q within %v", c.path, c.head, rec.Key, rec.SameWithin, c.key, c.within)
		}
	}
}

func TestDuplicateIgnoredUnavailable(t *testing.T) {
	h, in := testHandler(nil)
	first := do(h, "POST", "/hooks/any/any-token-1", item).Body.String()
	w := do(h, "POST", "/hooks/any/any-token-1", item)
	if w.Code != 200 || w.Body.String() != strings.Replace(first, "accepted", "duplicate", 1) {
		t.Errorf("the second: %d %s, the first was %s", w.Code, w.Body, first)
	}
	in.drop = "a rule says so"
	if w := do(h, "POST", "/hooks/any/any-token-1", item+" "); w.Code != 200 || w.Body.String() != `{"status":"ignored","reason":"a rule says so"}`+"\n" {
		t.Errorf("dropped: %d %s", w.Code, w.Body)
	}
	for _, err := range []error{fmt.Errorf("full: %w", digest.ErrUnavailable), errors.New("any other")} {
		in.err = err
		for _, path := range []string{"/hooks/any/any-token-1", "/hooks/chat/chat-token"} {
			if w := do(h, "POST", path, item+"  "); w.Code != 503 || strings.Contains(w.Body.String(), err.Error()) {
				t.Errorf("%v: %d %s", err, w.Code, w.Body)
			} else {
				checkFault(t, w)
			}
		}
	}
	if n := testutil.ToFloat64(h.counter.WithLabelValues("any", "duplicate")); n != 1 {
		t.Errorf("%v duplicates were counted", n)
	}
	if n := testutil.ToFloat64(h.refused.WithLabelValues("any", "503")); n != 2 {
		t.Errorf("%v faults were counted", n)
	}
}

func TestRawIsBounded(t *testing.T) {
	h, in := testHandler(nil)
	body := `{"x":"` + strings.Repeat("y", 6<<20) + `"}`
	if w := do(h, "POST", "/hooks/github/new-secret", body); w.Code != 202 {
		t.Fatal(w.Code, w.Body)
	}
	if rec := in.last(t).Receipt; len(rec.Raw) != 5<<20 || rec.Sum != sha256.Sum256([]byte(body)) {
		t.Errorf("%d raw bytes are kept", len(rec.Raw))
	}
}

func TestSwapAndRate(t *testing.T) {
	h, _ := testHandler(nil)
	src := Source{Name: "slow", Type: "generic", Secrets: [][]byte{[]byte("s")}, Rate: 2}
	h.SetSources([]Source{src})
	for i, want := range []int{202, 202, 429} {
		w := do(h, "POST", "/hooks/slow/s", fmt.Sprint("n", i))
		if w.Code != want {
			t.Errorf("delivery %d: %d, want %d", i, w.Code, want)
		}
		checkFault(t, w)
	}
	h.SetSources([]Source{src}) // goes on counting
	if w := do(h, "POST", "/hooks/slow/s", "n4"); w.Code != 429 {
		t.Errorf("after a reload: %d", w.Code)
	}
	if w := do(h, "POST", "/hooks/slow/guess", "n5"); w.Code != 401 {
		t.Errorf("a stranger: %d", w.Code)
	}
	h.SetSources(nil)
	if w := do(h, "POST", "/hooks/slow/s", "n6"); w.Code != 404 {
		t.Errorf("a source that is gone: %d", w.Code)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	h, _ := testHandler(func(o *Options) { o.MaxMemory = 1000 })
	for range 3 { // each gives back what it took
		if w := do(h, "POST", "/hooks/any/any-token-1", strings.Repeat("x", 2000)); w.Code != 503 {
			t.Errorf("above: %d", w.Code)
		}
		if w := do(h, "POST", "/hooks/any/any-token-1", strings.Repeat("x", 900)); w.Code >= 400 {
			t.Errorf("below: %d %s", w.Code, w.Body)
		}
	}
}

// A request without a right token is answered before its body is asked for.
func TestStrangersBodyIsNotRead(t *testing.T) {
	h, _ := testHandler(nil)
	r := httptest.NewRequest("POST", "/hooks/any", iotest{t})
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != 401 {
		t.Error(w.Code)
	}
}

type iotest struct{ t *testing.T }

func (r iotest) Read([]byte) (int, error) { r.t.Error("the body was read"); return 0, io.EOF }

// A sender that dribbles is cut off; others are served meanwhile.
func TestSlowSender(t *testing.T) {
	h, in := testHandler(func(o *Options) { o.ReadTimeout = 300 * time.Millisecond })
	srv := httptest.NewServer(h)
	defer srv.Close()
	c, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "POST /hooks/any/any-token-1 HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{")
	res, err := http.Post(srv.URL+"/hooks/any/any-token-1", "application/json", strings.NewReader(item))
	if err != nil || res.StatusCode != 202 {
		t.Fatalf("another sender: %v %v", res, err)
	}
	res.Body.Close()
	_ = c.SetReadDeadline(time.Now().Add(20 * time.Second))
	answer, err := io.ReadAll(c) // ends when the door closes the connection
	if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 408 ") {
		t.Errorf("the slow one got %q, %v", answer, err)
	}
	if len(in.got) != 1 {
		t.Errorf("%d deliveries were stored", len(in.got))
	}
}

// The token in the path shows nowhere.
func TestNothingSecretIsLogged(t *testing.T) {
	var log bytes.Buffer
	h, _ := testHandler(func(o *Options) {
		o.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	do(h, "POST", "/hooks/any/wrong-guess", item)
	do(h, "POST", "/hooks/any/any-token-1", `{"x":`)
	do(h, "POST", "/v1/items", item, "Authorization: Bearer wrong-guess")
	if s := log.String(); strings.Contains(s, "wrong-guess") || strings.Contains(s, "any-token-1") || strings.Count(s, "\n") != 3 {
		t.Errorf("the log:\n%s", s)
	}
}

func TestCallerThatHangsUp(t *testing.T) {
	h, in := testHandler(nil)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	h.opt.Intake = accept(func(ctx context.Context, d digest.Delivery) (digest.Result, error) {
		if ctx.Err() != nil {
			return digest.Result{}, ctx.Err()
		}
		return in.Accept(ctx, d)
	})
	r := httptest.NewRequest("POST", "/hooks/any/any-token-1", strings.NewReader(item)).WithContext(ctx)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != 202 || len(in.got) != 1 {
		t.Errorf("what arrived whole was not stored: %d", w.Code)
	}
}

type accept func(context.Context, digest.Delivery) (digest.Result, error)

func (f accept) Accept(ctx context.Context, d digest.Delivery) (digest.Result, error) {
	return f(ctx, d)
}

func FuzzDoor(f *testing.F) {
	for _, name := range []string{"github", "chat", "any", "office"} {
		f.Add(name, "application/json", "", []byte(opened))
		f.Add(name, "application/x-www-form-urlencoded", "gzip", []byte("payload="+opened))
	}
	f.Add("any", "text/plain", "gzip", []byte(zip(item)))
	f.Add("office", "application/json", "", []byte(alertGroup))
	f.Add("office", "application/json", "", []byte(`{"content":"hello","embeds":[]}`))
	f.Add("office", "application/cloudevents+json", "", []byte(`{"specversion":"1.0","type":"a.b","source":"/x","id":"1"}`))
	f.Add("any", "application/json", "", []byte(`{"challenge":"abc","type":"url_verification"}`))
	f.Add("any", "application/json", "", []byte(`{"event":"endpoint.url_validation","payload":{"plainToken":"x"}}`))
	f.Add("any", "multipart/form-data; boundary=x", "", []byte("--x\r\nContent-Disposition: form-data; name=\"payload\"\r\n\r\n{}\r\n--x--"))
	tokens := map[string]string{"github": "new-secret", "chat": "chat-token", "any": "any-token-1", "office": "office-token"}
	f.Fuzz(func(t *testing.T, name, contentType, encoding string, body []byte) {
		token, ok := tokens[name]
		if !ok {
			return
		}
		h, in := testHandler(nil)
		r := httptest.NewRequest("POST", "/hooks/"+name+"/"+token, bytes.NewReader(body))
		r.Header = http.Header{"Content-Type": {contentType}, "Content-Encoding": {encoding}}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != 200 && w.Code != 202 && w.Code != 204 && w.Code != 413 {
			t.Fatalf("content was refused: %d %s", w.Code, w.Body)
		}
		tried := testutil.ToFloat64(h.counter.WithLabelValues(name, "handshake")) // what only tries the address is not kept
		if w.Code != 413 && len(in.got)+int(tried) != 1 {
			t.Fatalf("%d deliveries were stored", len(in.got))
		}
	})
}
