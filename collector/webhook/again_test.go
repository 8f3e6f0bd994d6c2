package webhook

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"quietpost/collector/tools"
	"quietpost/digest"
)

// TestAReceiptIsReadAgainAsItWasRead: header and body of a receipt are enough to come to the same delivery.
func TestAReceiptIsReadAgainAsItWasRead(t *testing.T) {
	for name, c := range map[string]struct{ path, head, body string }{
		"json":   {"/hooks/any/any-token-1", "Content-Type: application/json", `{"title": "Backup done", "project": "nas", "secret": "x"}`},
		"form":   {"/hooks/any/any-token-1", "Content-Type: application/x-www-form-urlencoded", "title=Backup+done&project=nas"},
		"text":   {"/hooks/any/any-token-1", "Content-Type: text/plain", "Backup done"},
		"gzip":   {"/hooks/any/any-token-1", "Content-Type: application/json\nContent-Encoding: gzip", zip(`{"title": "Backup done"}`)},
		"slack":  {"/hooks/chat/chat-token", "Content-Type: application/json", `{"text": "Backup *done*"}`},
		"github": {"/hooks/lab", "Content-Type: application/json\nX-GitHub-Event: star\nX-GitHub-Delivery: g-1\nFrom: 127.0.0.1:9", `{"action": "created", "repository": {"full_name": "acme/web"}, "sender": {"login": "ana"}}`},
		"native": {"/v1/items", "Content-Type: application/json\nAuthorization: Bearer any-token-1\nIdempotency-Key: k1", `{"title": "Backup done", "project": "nas", "urgent": true}`},
	} {
		t.Run(name, func(t *testing.T) {
			h, in := testHandler(nil)
			req := httptest.NewRequest(http.MethodPost, c.path, strings.NewReader(c.body))
			req.RemoteAddr = "127.0.0.1:9"
			for _, line := range strings.Split(c.head, "\n") {
				name, value, _ := strings.Cut(line, ": ")
				req.Header.Set(name, value)
			}
			rec := httptest.NewRecorder()
			h.ServeHTTP(rec, req)
			if rec.Code >= 300 {
				t.Fatalf("%d %s", rec.Code, rec.Body)
			}
			first := in.last(t)
			kept := append(append([]byte{}, first.Receipt.Header...), first.Receipt.Raw...) // one array, as a file is
			cut := len(first.Receipt.Header)
			again, err := h.Again(first.Receipt.Source, kept[:cut], kept[cut:])
			if err != nil {
				t.Fatal(err)
			}
			again.Receipt.Sum = first.Receipt.Sum // of what stood on the wire, where something was taken out
			for i := range again.Items {          // an open source's neighbour stays one
				if again.Items[i].Authenticated != first.Items[i].Authenticated {
					t.Errorf("authenticated: %v", again.Items[i].Authenticated)
				}
			}
			if name == "json" { // its key is the hash of the bytes that came
				again.Receipt.Key = first.Receipt.Key
			}
			if d := cmp.Diff(first, again); d != "" {
				t.Errorf("first and again:\n%s", d)
			}
		})
	}
}

func TestAgainAsksForASource(t *testing.T) {
	h, _ := testHandler(nil)
	if _, err := h.Again("gone", nil, []byte("x")); !errors.Is(err, ErrNoSource) {
		t.Errorf("got %v", err)
	}
	if _, err := h.Again("any", []byte("no header\n"), []byte("x")); err == nil || !strings.Contains(err.Error(), "header cannot be read") {
		t.Errorf("got %v", err)
	}
	d, err := h.Again("any", []byte("Content-Type: application/json"), []byte("{"))
	if err != nil || d.Receipt.State != digest.Quarantined {
		t.Errorf("%+v %v", d, err)
	}
}

// TestNobodyPassesForTheNativeForm: the mark of /v1's receipts is taken from what comes over the wire.
func TestNobodyPassesForTheNativeForm(t *testing.T) {
	h, in := testHandler(nil)
	req := httptest.NewRequest(http.MethodPost, "/hooks/any/any-token-1", strings.NewReader("Backup done"))
	req.Header.Set(nativeHeader, "native")
	h.ServeHTTP(httptest.NewRecorder(), req)
	if got := string(in.last(t).Receipt.Header); strings.Contains(got, nativeHeader) {
		t.Errorf("%s", got)
	}
}

// A request that was written down as it was sent, packed, is unpacked; one that cannot be says why.
func TestAgainUnpacks(t *testing.T) {
	h, _ := testHandler(nil)
	for body, state := range map[string]string{zip(`{"title": "Backup done"}`): digest.Accepted, zip(`{"title": "Backup done"}`)[:20]: digest.Quarantined} {
		d, err := h.Again("any", []byte("Content-Type: application/json\nContent-Encoding: gzip"), []byte(body))
		if err != nil || d.Receipt.State != state || state == digest.Accepted && (len(d.Items) != 1 || d.Items[0].Title != "Backup done") {
			t.Errorf("%v %+v, want %s", err, d, state)
		}
	}
	if d, err := h.Again("any", []byte("Content-Encoding: gzip"), []byte(zip(strings.Repeat("0", 6<<20)))); err == nil {
		t.Errorf("a body that is too large: %+v", d.Receipt)
	}
}

// TestEventIDsAreTheToolsOwn: what is only good inside a source, such as a sender's key, is none.
func TestEventIDsAreTheToolsOwn(t *testing.T) {
	h, in := testHandler(nil)
	sources := append(testSources(), Source{Name: "repo", Type: "github", Secrets: [][]byte{[]byte("repo-secret")}},
		Source{Name: "mapped", Type: "github", Secrets: [][]byte{[]byte("mapped-secret")}, Adapter: func(http.Header, []byte) (tools.Reading, error) {
			return tools.Reading{Key: "7", Items: []digest.Item{{Title: "x"}}}, nil
		}})
	h.SetSources(sources)
	star := `{"action": "created", "repository": {"full_name": "acme/web"}, "sender": {"login": "ana"}}`
	for _, c := range [][3]string{{"github", "new-secret", "g-1#0"}, {"repo", "repo-secret", "g-1#0"}, {"mapped", "mapped-secret", ""}} {
		req := httptest.NewRequest(http.MethodPost, "/hooks/"+c[0], strings.NewReader(star))
		req.Header.Set("X-GitHub-Event", "star")
		req.Header.Set("X-GitHub-Delivery", "g-1")
		req.Header.Set("X-Hub-Signature-256", sign(c[1], star))
		h.ServeHTTP(httptest.NewRecorder(), req)
		if d := in.last(t); d.Receipt.Source != c[0] || len(d.Items) != 1 || d.Items[0].EventID != c[2] {
			t.Errorf("%s: %+v", c[0], d)
		}
	}
	req := httptest.NewRequest(http.MethodPost, "/hooks/any/any-token-1", strings.NewReader(`{"title": "a", "project": "b", "key": "7"}`))
	h.ServeHTTP(httptest.NewRecorder(), req)
	if d := in.last(t); d.Receipt.Key != "7" || d.Items[0].EventID != "" {
		t.Errorf("%+v", d)
	}
}
