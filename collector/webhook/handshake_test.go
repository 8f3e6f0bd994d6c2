package webhook

import (
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"quietpost/collector/tools"
	"quietpost/digest"
)

func TestHandshakes(t *testing.T) {
	const tok = "/hooks/any/any-token-1"
	for _, c := range []struct {
		name, method, path, body string
		head                     []string
		status                   int
		want                     string // the whole answer, without the last newline
	}{
		{"Slack", "POST", tok, `{"token":"x","challenge":"3eZbrw1aB","type":"url_verification"}`, nil, 200, `{"challenge":"3eZbrw1aB"}`},
		{"Slack at its own type", "POST", "/hooks/chat/chat-token", `{"challenge":"3eZbrw1aB","type":"url_verification"}`, nil, 200, `{"challenge":"3eZbrw1aB"}`},
		{"Slack without a secret", "POST", "/hooks/any", `{"challenge":"3eZbrw1aB","type":"url_verification"}`, nil, 401, ""},
		{"monday.com", "POST", tok, `{"challenge":"3eZbrwT"}`, nil, 200, `{"challenge":"3eZbrwT"}`},
		{"a challenge that is markup", "POST", tok, `{"challenge":"<script>"}`, nil, 202, ""},
		{"a challenge beside news", "POST", tok, `{"challenge":"abc","title":"News"}`, nil, 202, ""},
		{"Zoom", "POST", "/hooks/zoom", `{"event":"endpoint.url_validation","payload":{"plainToken":"qgg8vlvZRS6UYooatFL8Aw"},"event_ts":1654503849680}`,
			[]string{"Authorization: Bearer secret"}, 200,
			`{"encryptedToken":"` + mac("secret", "qgg8vlvZRS6UYooatFL8Aw") + `","plainToken":"qgg8vlvZRS6UYooatFL8Aw"}`},
		{"Zoom's is no oracle", "POST", "/hooks/zoom/secret", `{"event":"endpoint.url_validation","payload":{"plainToken":"{\"title\":1}"}}`, nil, 202, ""},
		{"Event Grid", "POST", tok, `[{"id":"1","eventType":"Microsoft.EventGrid.SubscriptionValidationEvent","data":{"validationCode":"512d38b6-c7b8","validationUrl":"https://x.example"}}]`,
			[]string{"Aeg-Event-Type: SubscriptionValidation"}, 200, `{"validationResponse":"512d38b6-c7b8"}`},
		{"Microsoft Graph", "POST", tok + "?validationToken=Validation%3A+Testing+client+application+reachability", "", nil, 200, "Validation: Testing client application reachability"},
		{"Microsoft Graph, markup", "POST", tok + "?validationToken=%3Cscript%3E", "", nil, 200, ""},
		{"Microsoft Graph without a secret", "POST", "/hooks/any?validationToken=x", "", nil, 401, ""},
		{"Asana", "POST", tok, "", []string{"X-Hook-Secret: b537207f20cbfa02357cf448134da559"}, 200, ""},
		{"a header named so beside news", "POST", tok, `{"title":"News"}`, []string{"X-Hook-Secret: b537207f"}, 202, ""},
		{"a query named so beside news", "POST", tok + "?validationToken=x", `{"title":"News"}`, nil, 202, ""},
		{"Twitch", "POST", tok, `{"challenge":"pogchamp-kappa","subscription":{}}`, []string{"Twitch-Eventsub-Message-Type: webhook_callback_verification"}, 200, "pogchamp-kappa"},
		{"Terraform Cloud", "POST", tok, `{"payload_version":1,"run_id":null,"notifications":[{"message":"Verification of test","trigger":"verification","run_status":null}]}`, nil, 200, ""},
		{"Terraform Cloud's news", "POST", tok, `{"payload_version":1,"run_id":"run-1","notifications":[{"message":"Run applied","trigger":"run:completed","run_status":"applied"}]}`, nil, 202, ""},
		{"Meta", "GET", "/hooks/any?hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=any-token-1", "", nil, 200, "1158201444"},
		{"Meta, wrong token", "GET", "/hooks/any?hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=guess", "", nil, 401, ""},
		{"Meta, empty token", "GET", "/hooks/empty?hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=", "", nil, 401, ""},
		{"WebSub", "GET", tok + "?hub.mode=subscribe&hub.topic=x&hub.challenge=abc", "", nil, 200, "abc"},
		{"Dropbox", "GET", "/hooks/any?challenge=abc-123", "", nil, 200, "abc-123"},
		{"Dropbox, markup", "GET", "/hooks/any?challenge=%3Cb%3E", "", nil, 200, ""},
		{"Okta", "GET", "/hooks/okta", "", []string{"X-Okta-Verification-Challenge: Me_rShK8JHsTnbyYrWXCEoMGbM_zsZ6k0hLPZ_Pg"}, 200,
			`{"verification":"Me_rShK8JHsTnbyYrWXCEoMGbM_zsZ6k0hLPZ_Pg"}`},
		{"Okta, markup", "GET", "/hooks/okta", "", []string{"X-Okta-Verification-Challenge: <script>"}, 200, `{"verification":""}`},
		{"Okta's header elsewhere", "GET", "/hooks/any", "", []string{"X-Okta-Verification-Challenge: Me_rShK8"}, 200, "This is a door for deliveries: use POST."},
		{"Okta's header nowhere", "GET", "/hooks/nobody", "", []string{"X-Okta-Verification-Challenge: Me_rShK8"}, 404, ""},
		{"Okta's header in a HEAD", "HEAD", "/hooks/okta", "", []string{"X-Okta-Verification-Challenge: Me_rShK8"}, 200, ""},
		{"Okta's header without a secret in a POST", "POST", "/hooks/okta", "{}", []string{"X-Okta-Verification-Challenge: Me_rShK8"}, 401, ""},
		{"Trello", "HEAD", "/hooks/any", "", nil, 200, ""},
		{"CloudEvents", "OPTIONS", "/hooks/any", "", []string{"WebHook-Request-Origin: eventemitter.example.com", "WebHook-Request-Callback: http://127.0.0.1:1/x"}, 204, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			h, in := testHandler(nil)
			h.SetSources(append(testSources(), Source{Name: "zoom", Type: "generic", Secrets: [][]byte{[]byte("secret")}},
				Source{Name: "okta", Type: "okta", Secrets: [][]byte{[]byte("secret")}}))
			w := do(h, c.method, c.path, c.body, c.head...)
			if w.Code != c.status {
				t.Fatalf("%d %s, want %d", w.Code, w.Body, c.status)
			}
			checkFault(t, w)
			if got := strings.TrimSuffix(w.Body.String(), "\n"); c.status < 400 && c.status != 202 && got != c.want && c.method != "HEAD" {
				t.Errorf("the answer is %q, want %q", got, c.want)
			}
			if stored := len(in.got) == 1; stored != (c.status == 202) {
				t.Errorf("%d deliveries were stored", len(in.got))
			}
			switch ct := w.Header().Get("Content-Type"); {
			case strings.Contains(ct, "html"), ct != "" && w.Header().Get("X-Content-Type-Options") != "nosniff":
				t.Errorf("a browser could run the answer: %v", w.Header())
			}
			switch c.name {
			case "Asana":
				if got := w.Header().Get("X-Hook-Secret"); got != "b537207f20cbfa02357cf448134da559" {
					t.Errorf("X-Hook-Secret is %q", got)
				}
			case "CloudEvents":
				if w.Header().Get("WebHook-Allowed-Origin") != "eventemitter.example.com" || w.Header().Get("WebHook-Allowed-Rate") != "*" ||
					!strings.Contains(w.Header().Get("Allow"), "POST") {
					t.Errorf("the header is %v", w.Header())
				}
			}
		})
	}
}

// Notion's first post brings the token that the operator has to paste back, and that signs all later ones: it waits in
// quarantine as it came, and nowhere else.
func TestNotionsToken(t *testing.T) {
	const first = `{"verification_token":"secret_tMrlL1qK5vuQAh1b6cZGhFChZTSYJlce98V0pYn7yBl"}`
	var log strings.Builder
	h, in := testHandler(func(o *Options) { o.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	token := Source{Name: "notion", Type: "notion", Secrets: [][]byte{[]byte("path-token-1")}}
	h.SetSources([]Source{token, {Name: "auto", Type: "auto", Secrets: token.Secrets}, {Name: "any", Type: "generic", Secrets: token.Secrets}})
	for _, name := range []string{"notion", "auto"} {
		w := do(h, "POST", "/hooks/"+name+"/path-token-1", first)
		d := in.last(t)
		if w.Code != 202 || d.Receipt.State != digest.Quarantined || len(d.Items) > 0 || string(d.Receipt.Raw) != first {
			t.Errorf("%s: %d %s, %s with %d items: %s", name, w.Code, w.Body, d.Receipt.State, len(d.Items), d.Receipt.Raw)
		}
		if said := w.Body.String() + log.String() + string(d.Receipt.Reason); strings.Contains(said, "secret_t") || !strings.Contains(said, "verification_token") {
			t.Errorf("%s: what is told of it is %s", name, said)
		}
		again, err := h.Again(name, d.Receipt.Header, d.Receipt.Raw)
		if err != nil || again.Receipt.State != digest.Quarantined || len(again.Items) > 0 {
			t.Errorf("%s, read again: %s, %d items, %v", name, again.Receipt.State, len(again.Items), err)
		}
	}
	for path, body := range map[string]string{"/hooks/any/path-token-1": first, // another tool's
		"/hooks/notion/path-token-1": strings.Replace(first, "{", `{"type":"page.created",`, 1)} { // beside news
		if do(h, "POST", path, body); strings.Contains(string(in.last(t).Receipt.Raw), "secret_t") {
			t.Errorf("%s keeps %s", path, in.last(t).Receipt.Raw)
		}
	}
	if w := do(h, "POST", "/hooks/notion", first); w.Code != 401 {
		t.Errorf("without a secret: %d", w.Code)
	}
	token.Secrets = append(token.Secrets, []byte("secret_tMrlL1qK5vuQAh1b6cZGhFChZTSYJlce98V0pYn7yBl"))
	h.SetSources([]Source{token})
	news := `{"id":"n-1","workspace_id":"w","integration_id":"i","type":"page.created","entity":{"id":"p-1","type":"page"}}`
	for sign, status := range map[string]int{sign(string(token.Secrets[1]), news): 202, sign("another", news): 401} {
		if w := do(h, "POST", "/hooks/notion/path-token-1", news, "X-Notion-Signature: "+sign); w.Code != status {
			t.Errorf("signed %s: %d %s", sign, w.Code, w.Body)
		}
	}
}

func mac(secret, text string) string { return strings.TrimPrefix(sign(secret, text), "sha256=") }

const (
	alertGroup = `{"version":"4","groupKey":"k","status":"firing","receiver":"r","groupLabels":{},"commonLabels":{},"externalURL":"http://a.example",
		"alerts":[{"status":"firing","labels":{"alertname":"Down","service":"api","severity":"critical"},"annotations":{},"startsAt":"2026-03-02T09:00:00Z","fingerprint":"f1"}]}`
)

// What a tool's senders look for is answered, at a source of its own type and of type auto.
func TestAnswersByTool(t *testing.T) {
	secret := [][]byte{[]byte("s")}
	sources := []Source{{Name: "am", Type: "alertmanager", Secrets: secret, Rate: 1}, {Name: "auto", Type: "auto", Secrets: secret, Rate: 1},
		{Name: "discord", Type: "discord", Secrets: secret, Rate: 1}, {Name: "any", Type: "generic", Secrets: secret, Rate: 1}}
	for _, c := range []struct {
		path, body    string
		head          []string
		status, later int // the first, and one that comes too fast
		want, tool    string
	}{
		{"/hooks/am/s", alertGroup, nil, 202, 503, `"urgent":true`, "alertmanager"},
		{"/hooks/auto/s", alertGroup, nil, 202, 503, `"project":"api"`, "alertmanager"},
		{"/hooks/auto/s", `{"x":1}`, []string{"User-Agent: Alertmanager/0.27.0"}, 202, 503, ``, "alertmanager"},
		{"/hooks/auto/s", `{"text":"hello","channel":"#ops"}`, nil, 200, 429, "ok", "slack"},
		{"/hooks/auto/s", `{"content":"hello"}`, nil, 204, 429, "", "discord"},
		{"/hooks/discord/s", `{"content":"hello"}`, nil, 204, 429, "", "discord"},
		{"/hooks/auto/s", `{"title":"hello"}`, nil, 202, 429, "accepted", "generic"},
		{"/hooks/any/s", alertGroup, nil, 202, 429, "accepted", "generic"},
	} {
		h, in := testHandler(nil)
		h.SetSources(sources)
		w := do(h, "POST", c.path, c.body, c.head...)
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.want) {
			t.Errorf("%s %.30s: %d %s, want %d and %q", c.path, c.body, w.Code, w.Body, c.status, c.want)
			continue
		}
		if rec := in.last(t).Receipt; rec.Tool != c.tool {
			t.Errorf("%s %.30s was read as %s, want %s", c.path, c.body, rec.Tool, c.tool)
		}
		w = do(h, "POST", c.path, c.body+" ", c.head...)
		if w.Code != c.later {
			t.Errorf("%s %.30s too fast: %d, want %d", c.path, c.body, w.Code, c.later)
		}
		checkFault(t, w)
	}
}

// A group of alerts that a second server tells of, or the same one again, is the same for ten minutes.
func TestAlertsAreTheSameForAWhile(t *testing.T) {
	h, in := testHandler(nil)
	h.SetSources([]Source{{Name: "am", Type: "alertmanager", Secrets: [][]byte{[]byte("s")}}})
	if w := do(h, "POST", "/hooks/am/s", alertGroup); w.Code != 202 {
		t.Fatal(w.Code, w.Body)
	}
	if rec := in.last(t).Receipt; !strings.HasPrefix(rec.Key, "alerts:") || rec.SameWithin != 10*time.Minute {
		t.Errorf("key %q within %v", rec.Key, rec.SameWithin)
	}
	if w := do(h, "POST", "/hooks/am/s", strings.Replace(alertGroup, "http://a.example", "http://b.example", 1)); w.Code != 200 || !strings.Contains(w.Body.String(), "duplicate") {
		t.Errorf("another server's: %d %s", w.Code, w.Body)
	}
	if w := do(h, "POST", "/hooks/am/s", strings.ReplaceAll(alertGroup, "firing", "resolved")); w.Code != 202 {
		t.Errorf("the end: %d %s", w.Code, w.Body)
	}
	if w := do(h, "POST", "/hooks/am/s", alertGroup, "Idempotency-Key: i1"); w.Code != 202 || in.last(t).Receipt.Key != "i1" || in.last(t).Receipt.SameWithin != 0 {
		t.Errorf("a key of the sender's own: %d, %+v", w.Code, in.last(t).Receipt)
	}
}

// The signatures in the corpus that its index says to be whole must hold.
func TestCorpusSignatures(t *testing.T) {
	root := os.Getenv("QUIETPOST_CORPUS")
	if root == "" {
		t.Log("QUIETPOST_CORPUS is not set: no signed delivery of the corpus is checked")
		t.Skip("QUIETPOST_CORPUS is not set")
	}
	index, err := os.ReadFile(filepath.Join(root, "webhooks", "INDEX.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	secret, checked := regexp.MustCompile(`SIGNATURE VECTOR:.*secret ([^\s,]+)`), 0
	for line := range strings.Lines(string(index)) {
		f := strings.Split(strings.TrimSpace(line), "\t")
		found := secret.FindStringSubmatch(line)
		if found == nil {
			continue
		}
		path := filepath.Join(root, "webhooks", f[2])
		body, err := os.ReadFile(path)
		head, err2 := os.ReadFile(path + ".headers")
		if err != nil || err2 != nil {
			t.Fatal(err, err2)
		}
		h := http.Header{}
		for l := range strings.Lines(string(head)) {
			if name, value, ok := strings.Cut(strings.TrimSpace(l), ":"); ok {
				h.Set(name, strings.TrimSpace(value))
			}
		}
		at := time.Unix(1614265330, 0) // of the one vector that signs its time
		name := signature(h, f[0])
		if !verify(name, f[0], h, body, "", [][]byte{[]byte(found[1])}, at) {
			t.Errorf("%s: the signature in %q does not hold", f[2], name)
		}
		checked++
	}
	if checked == 0 {
		t.Error("the index names no signed delivery")
	}
}

// Every tool that signs is named in the table as typeTools says, or its sources would take no signature.
func TestTypeTools(t *testing.T) {
	unsigned := []string{"generic", "cloudevents", "ntfy", "gotify", "telegram", "msteams", "googlechat"}
	for name := range tools.Types() {
		if _, ok := typeTools[name]; !ok && !slices.Contains(unsigned, name) {
			t.Errorf("type %s is not in typeTools", name)
		}
	}
	for _, name := range []string{"github", "sentry", "grafana", "pagerduty", "discord", "slack", "standard-webhooks", "gitea", "forgejo", "bitbucket", "jira", "linear"} {
		found := false
		for i := range schemes {
			found = found || strings.Contains(schemes[i].tool, typeTools[name])
		}
		if !found {
			t.Errorf("no row of the table is for type %s (%s)", name, typeTools[name])
		}
	}
}
