package webhook

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// Worked examples: those of the tools' own documentation, and for the rest the documented scheme computed with the
// secret "secret" over {"test":1} at 1700000000.
func TestSignatures(t *testing.T) {
	const (
		one    = `{"test":1}`
		sha256 = "62798e02675cd2107f53540b09add2d92fc00b080a26c18711877745df5635d5"
		base64 = "YnmOAmdc0hB/U1QLCa3S2S/ACwgKJsGHEYd3Rd9WNdU="
		sha1   = "f664be195b9176a4f79b5b0a8a57566619767f56"
		sha512 = "b18099120167522cf5811bca638b29fa146ee5af46b7e1af4d968add1de32b1f6d6ba688f643c0673ca9fd9ee59403d00c8da53b1ae7c004520d6d4fd10c1c0c"
		timed  = "500d9cc37d95f4d561bb246f4344f307269e698da7067fb124d970cf4adf8342"
	)
	at := time.Unix(1700000000, 0)
	type row struct {
		name, secret, body string
		header             []string
		now                time.Time
	}
	rows := []row{
		{"GitHub's documentation", "It's a Secret to Everybody", "Hello, World!", []string{"X-Hub-Signature-256", "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"}, at},
		{"GitHub JSON", "0123456789abcdef", `{"yo":true}`, []string{"X-Hub-Signature-256", "sha256=b1f8020f5b4cd42042f807dd939015c4a418bc1ff7f604dd55b0a19b5d953d9b"}, at},
		{"GitHub sha1", "0123456789abcdef", `{"yo":true}`, []string{"X-Hub-Signature", "sha1=126f2c800419c60137ce748d7672e77b65cf16d6"}, at},
		{"GitHub form", "0123456789abcdef", "payload=%7B%22yo%22%3Atrue%7D", []string{"X-Hub-Signature", "sha1=3374ef144403e8035423b23b02e2c9d7a4c50368"}, at},
		{"Bitbucket", "secret", one, []string{"X-Hub-Signature", "sha256=" + sha256}, at},
		{"Standard Webhooks", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", `{"test": 2432232314}`, []string{"Webhook-Id", "msg_p5jXN8AQM9LWM0D4loKWxJek", "Webhook-Timestamp", "1614265330",
			"Webhook-Signature", "v1a,AAAA v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="}, time.Unix(1614265330, 0)},
		{"Svix", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", `{"test": 2432232314}`, []string{"Svix-Id", "msg_p5jXN8AQM9LWM0D4loKWxJek", "Svix-Timestamp", "1614265330",
			"Svix-Signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="}, time.Unix(1614265330+290, 0)},
		{"Stripe", "secret", one, []string{"Stripe-Signature", "t=1700000000,v1=" + timed + ",v0=00"}, at.Add(-4 * time.Minute)},
		{"Stripe, two secrets", "secret", one, []string{"Stripe-Signature", "t=1700000000, v1=00, v1=" + timed}, at},
		{"Buildkite", "secret", one, []string{"X-Buildkite-Signature", "timestamp=1700000000,signature=" + timed}, at},
		{"Grafana timed", "secret", one, []string{"X-Grafana-Alerting-Signature", "3c096b3781ed5e54d687e51e7aaa830afa35c89a2ca9e37adde6278d219fb686", "X-Grafana-Alerting-Timestamp", "1700000000"}, at},
		{"Grafana", "secret", one, []string{"X-Grafana-Alerting-Signature", sha256}, at},
		{"PagerDuty", "secret", one, []string{"X-PagerDuty-Signature", "v1=00,v1=" + sha256}, at},
		{"CircleCI", "secret", one, []string{"Circleci-Signature", "v2=zz,v1=" + sha256}, at},
		{"Gitea", "secret", one, []string{"X-Gitea-Signature", sha256}, at},
		{"Gogs", "secret", one, []string{"X-Gogs-Signature", sha256}, at},
		{"Forgejo", "secret", one, []string{"X-Forgejo-Signature", strings.ToUpper(sha256)}, at},
		{"Linear", "secret", one, []string{"Linear-Signature", sha256}, at},
		{"Sentry", "secret", one, []string{"Sentry-Hook-Signature", sha256}, at},
		{"Asana", "secret", one, []string{"X-Hook-Signature", sha256}, at},
		{"ClickUp", "secret", one, []string{"X-Signature", sha256}, at},
		{"Flux", "secret", one, []string{"X-Signature", "sha256=" + sha256}, at},
		{"Flux sha512", "secret", one, []string{"X-Signature", "sha512=" + sha512}, at},
		{"Notion", "secret", one, []string{"X-Notion-Signature", "sha256=" + sha256}, at},
		{"Terraform Cloud", "secret", one, []string{"X-TFE-Notification-Signature", sha512}, at},
		{"Vercel", "secret", one, []string{"X-Vercel-Signature", sha1}, at},
		{"Taiga", "secret", one, []string{"X-Taiga-Webhook-Signature", sha1}, at},
		{"Intercom", "secret", one, []string{"X-Hub-Signature", "sha1=" + sha1}, at},
		{"Heroku", "secret", one, []string{"Heroku-Webhook-Hmac-SHA256", base64}, at},
		{"Shopify", "secret", one, []string{"X-Shopify-Hmac-SHA256", base64}, at},
		{"WooCommerce", "secret", one, []string{"X-WC-Webhook-Signature", base64}, at},
		{"Trello", "secret", one, []string{"X-Trello-Webhook", "xSy/jLTQvUYNriP1FjaIa76QJhc="}, at},
	}
	for _, r := range rows {
		h := http.Header{}
		for i := 0; i < len(r.header); i += 2 {
			h.Set(r.header[i], r.header[i+1])
		}
		name := signature(h, "generic")
		check := func(what string, want bool, body, secret string, now time.Time) {
			t.Helper()
			secrets := [][]byte{[]byte("another one"), nil, []byte(secret)}
			if got := name != "" && verify(name, "generic", h, []byte(body), "https://h.example/hook", secrets, now); got != want {
				t.Errorf("%s, %s: %t, want %t (header %q)", r.name, what, got, want, name)
			}
		}
		check("as documented", true, r.body, r.secret, r.now)
		check("another body", false, r.body+" ", r.secret, r.now)
		check("another secret", false, r.body, "wrong", r.now)
		check("an empty secret", false, r.body, "", r.now)
		if strings.Contains(strings.Join(r.header, " "), "imestamp") || strings.Contains(r.name, "Stripe") {
			check("an hour later", false, r.body, r.secret, r.now.Add(time.Hour))
			check("an hour ahead of us", false, r.body, r.secret, r.now.Add(-time.Hour))
		}
	}
}

// Every row must be met by a worked example, so that a new one cannot be wrong unseen.
func TestEmptySecretNeverMatches(t *testing.T) {
	h := http.Header{}
	h.Set("X-Hub-Signature-256", "sha256=b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad") // HMAC with an empty key of ""
	if verify("X-Hub-Signature-256", "github", h, nil, "", [][]byte{nil, {}}, time.Unix(0, 0)) {
		t.Error("an empty secret matches")
	}
	if matches([]string{""}, [][]byte{nil, {}}) || matches(nil, [][]byte{[]byte("x")}) || !matches([]string{"a", "x"}, [][]byte{[]byte("y"), []byte("x")}) {
		t.Error("matches does not compare as it should")
	}
}

func TestSignatureOfType(t *testing.T) {
	h := http.Header{"Linear-Signature": {"00"}, "X-Tfe-Notification-Signature": {""}}
	if got := signature(h, "github"); got != "" {
		t.Errorf("another tool's header %q counts for github", got)
	}
	for of, want := range map[string]string{
		"gitea X-Gitea-Signature": "X-Gitea-Signature", "gitea X-Gogs-Signature": "X-Gogs-Signature", "forgejo X-Gitea-Signature": "X-Gitea-Signature",
		"forgejo X-Forgejo-Signature": "X-Forgejo-Signature", "gitea X-Forgejo-Signature": "", "gitea X-Hub-Signature-256": "X-Hub-Signature-256",
		"bitbucket X-Hub-Signature": "X-Hub-Signature", "jira X-Hub-Signature": "X-Hub-Signature", "linear Linear-Signature": "Linear-Signature",
		"gitlab Webhook-Signature": "Webhook-Signature", "gitlab X-Gitea-Signature": "", "jira Linear-Signature": "", "linear X-Hub-Signature": "",
	} {
		source, header, _ := strings.Cut(of, " ")
		if got := signature(http.Header{http.CanonicalHeaderKey(header): {"00"}}, source); got != want {
			t.Errorf("signature of %s = %q, want %q", of, got, want)
		}
	}
	if got := signature(h, "generic"); got != "Linear-Signature" {
		t.Errorf("signature = %q", got)
	}
	if got := signature(http.Header{"X-Tfe-Notification-Signature": {""}}, "generic"); got != "" {
		t.Errorf("an empty header is a signature: %q", got)
	}
	both := http.Header{"X-Hub-Signature": {"sha1=00"}, "X-Hub-Signature-256": {"sha256=00"}}
	if got := signature(both, "github"); got != "X-Hub-Signature-256" {
		t.Errorf("of two the weaker counts: %q", got)
	}
}
