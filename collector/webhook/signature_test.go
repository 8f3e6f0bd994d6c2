package webhook

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
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
		mac256 = "62798e02675cd2107f53540b09add2d92fc00b080a26c18711877745df5635d5"
		mac64  = "YnmOAmdc0hB/U1QLCa3S2S/ACwgKJsGHEYd3Rd9WNdU="
		mac1   = "f664be195b9176a4f79b5b0a8a57566619767f56"
		mac512 = "b18099120167522cf5811bca638b29fa146ee5af46b7e1af4d968add1de32b1f6d6ba688f643c0673ca9fd9ee59403d00c8da53b1ae7c004520d6d4fd10c1c0c"
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
		{"Bitbucket", "secret", one, []string{"X-Hub-Signature", "sha256=" + mac256}, at},
		{"Standard Webhooks", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", `{"test": 2432232314}`, []string{"Webhook-Id", "msg_p5jXN8AQM9LWM0D4loKWxJek", "Webhook-Timestamp", "1614265330",
			"Webhook-Signature", "v1a,AAAA v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="}, time.Unix(1614265330, 0)},
		{"Svix", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", `{"test": 2432232314}`, []string{"Svix-Id", "msg_p5jXN8AQM9LWM0D4loKWxJek", "Svix-Timestamp", "1614265330",
			"Svix-Signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="}, time.Unix(1614265330+290, 0)},
		{"Stripe", "secret", one, []string{"Stripe-Signature", "t=1700000000,v1=" + timed + ",v0=00"}, at.Add(-4 * time.Minute)},
		{"Stripe, two secrets", "secret", one, []string{"Stripe-Signature", "t=1700000000, v1=00, v1=" + timed}, at},
		{"Buildkite", "secret", one, []string{"X-Buildkite-Signature", "timestamp=1700000000,signature=" + timed}, at},
		{"Grafana timed", "secret", one, []string{"X-Grafana-Alerting-Signature", "3c096b3781ed5e54d687e51e7aaa830afa35c89a2ca9e37adde6278d219fb686", "X-Grafana-Alerting-Timestamp", "1700000000"}, at},
		{"Grafana", "secret", one, []string{"X-Grafana-Alerting-Signature", mac256}, at},
		{"PagerDuty", "secret", one, []string{"X-PagerDuty-Signature", "v1=00,v1=" + mac256}, at},
		{"CircleCI", "secret", one, []string{"Circleci-Signature", "v2=zz,v1=" + mac256}, at},
		{"CircleCI's documentation", "secret", "hello world", []string{"Circleci-Signature", "v1=734cc62f32841568f45715aeb9f4d7891324e6d948e4c6c60c0621cdac48623a"}, at},
		{"CircleCI's documentation", "another-secret", "lalala", []string{"Circleci-Signature", "v1=daa220016c8f29a8b214fbfc3671aeec2145cfb1e6790184ffb38b6d0425fa00"}, at},
		{"CircleCI's documentation", "hunter123", "an-important-request-payload", []string{"Circleci-Signature", "v1=9be2242094a9a8c00c64306f382a7f9d691de910b4a266f67bd314ef18ac49fa"}, at},
		{"CircleCI's documentation", "secret", "foo", []string{"Circleci-Signature", "v1=773ba44693c7553d6ee20f61ea5d2757a9a4f4a44d2841ae4e95b52e4cd62db4"}, at},
		{"Gitea", "secret", one, []string{"X-Gitea-Signature", mac256}, at},
		{"Gogs", "secret", one, []string{"X-Gogs-Signature", mac256}, at},
		{"Forgejo", "secret", one, []string{"X-Forgejo-Signature", strings.ToUpper(mac256)}, at},
		{"Linear", "secret", one, []string{"Linear-Signature", mac256}, at},
		{"Linear with its time", "secret", `{"webhookTimestamp":1700000000123}`, []string{"Linear-Signature", mac("secret", `{"webhookTimestamp":1700000000123}`)}, at},
		{"Sentry", "secret", one, []string{"Sentry-Hook-Signature", mac256}, at},
		{"Asana", "secret", one, []string{"X-Hook-Signature", mac256}, at},
		{"ClickUp", "secret", one, []string{"X-Signature", mac256}, at},
		{"Flux", "secret", one, []string{"X-Signature", "sha256=" + mac256}, at},
		{"Flux sha512", "secret", one, []string{"X-Signature", "sha512=" + mac512}, at},
		{"Notion", "secret", one, []string{"X-Notion-Signature", "sha256=" + mac256}, at},
		{"Terraform Cloud", "secret", one, []string{"X-TFE-Notification-Signature", mac512}, at},
		{"SonarQube", "secret", one, []string{"X-Sonar-Webhook-HMAC-SHA256", mac256}, at},
		{"Semaphore", "secret", one, []string{"X-Semaphore-Signature-256", mac256}, at},
		{"Phabricator", "secret", one, []string{"X-Phabricator-Webhook-Signature", mac256}, at},
		{"npm", "secret", one, []string{"X-Npm-Signature", "sha256=" + mac256}, at},
		{"Read the Docs", "secret", one, []string{"X-Hub-Signature", mac256}, at},
		{"Vercel", "secret", one, []string{"X-Vercel-Signature", mac1}, at},
		{"Taiga", "secret", one, []string{"X-Taiga-Webhook-Signature", mac1}, at},
		{"Intercom", "secret", one, []string{"X-Hub-Signature", "sha1=" + mac1}, at},
		{"FireHydrant", "secret", one, []string{"FH-Signature", mac256}, at},
		{"LaunchDarkly", "secret", one, []string{"X-LD-Signature", mac256}, at},
		{"Flagsmith", "secret", one, []string{"X-Flagsmith-Signature", mac256}, at},
		{"PlanetScale", "secret", one, []string{"X-PlanetScale-Signature", mac256}, at},
		{"MongoDB Atlas", "secret", one, []string{"X-MMS-Signature", "9mS+GVuRdqT3m1sKildWZhl2f1Y="}, at},
		{"Tailscale", "secret", one, []string{"Tailscale-Webhook-Signature", "t=1700000000,v1=" + timed}, at},
		{"Rootly", "secret", one, []string{"X-Rootly-Signature", "t=1700000000,v1=@mac:1700000000"}, at},
		{"Heroku", "secret", one, []string{"Heroku-Webhook-Hmac-SHA256", mac64}, at},
		{"Shopify", "secret", one, []string{"X-Shopify-Hmac-SHA256", mac64}, at},
		{"WooCommerce", "secret", one, []string{"X-WC-Webhook-Signature", mac64}, at},
		{"Paddle", "secret", one, []string{"Paddle-Signature", "ts=1700000000;h1=@mac:1700000000:"}, at},
		{"Calendly", "secret", one, []string{"Calendly-Webhook-Signature", "t=1700000000,v1=" + timed}, at},
		{"Discourse's own test", "my_lovely_secret_for_web_hook", `{"ping":"OK"}`, []string{"X-Discourse-Event-Signature",
			"sha256=162f107f6b5022353274eb1a7197885cfd35744d8d08e5bcea025d309386b7d6"}, at},
		{"Shortcut", "secret", one, []string{"Payload-Signature", mac256}, at},
		{"Typeform", "secret", one, []string{"Typeform-Signature", "sha256=" + mac64}, at},
		{"Commerce Layer", "secret", one, []string{"X-CommerceLayer-Signature", mac64}, at},
		{"Help Scout", "secret", one, []string{"X-HelpScout-Signature", "9mS+GVuRdqT3m1sKildWZhl2f1Y="}, at},
		{"Standard Webhooks, Ed25519", "whpk_A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=", one, []string{"Webhook-Id", "msg_1", "Webhook-Timestamp", "1700000000",
			"Webhook-Signature", "v1,AAAA v1a,@ed:msg_1.1700000000."}, at},
		{"Discord", "ed25519:03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8", one, []string{"X-Signature-Ed25519", "@hex:1700000000",
			"X-Signature-Timestamp", "1700000000"}, at},
		{"Slack apps' documentation", "8f742231b10e8888abcd99yyyzzz85a5", slackBody, []string{"X-Slack-Signature",
			"v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503", "X-Slack-Request-Timestamp", "1531420618"}, time.Unix(1531420618, 0)},
		{"Zoom", "secret", one, []string{"X-Zm-Signature", "v0=@mac:v0:1700000000:", "X-Zm-Request-Timestamp", "1700000000"}, at},
		{"Dropbox", "secret", one, []string{"X-Dropbox-Signature", mac256}, at},
		{"Netlify", "secret", one, []string{"X-Webhook-Signature", netlify(one, "secret")}, at},
		{"Trello", "secret", one, []string{"X-Trello-Webhook", "xSy/jLTQvUYNriP1FjaIa76QJhc="}, at},
	}
	met := map[int]bool{}
	for _, r := range rows {
		h := http.Header{}
		for i := 0; i < len(r.header); i += 2 {
			h.Set(r.header[i], worked(r.header[i+1], r.secret, r.body))
		}
		name := signature(h, "generic")
		for i := range schemes {
			if s := &schemes[i]; s.header == name && s.verify(h, []byte(r.body), "https://h.example/hook", [][]byte{[]byte(r.secret)}, r.now) {
				met[i] = true
			}
		}
		check := func(what string, want bool, body, secret string, now time.Time) {
			t.Helper()
			secrets := [][]byte{[]byte("another one"), nil, []byte(secret)}
			if got := name != "" && verify(name, "generic", h, []byte(body), "https://h.example/hook", secrets, now); got != want {
				t.Errorf("%s, %s: %t, want %t (header %q)", r.name, what, got, want, name)
			}
		}
		check("as documented", true, r.body, r.secret, r.now)
		check("another body", false, r.body+" ", r.secret, r.now)
		for n := range len(r.body) {
			other := []byte(r.body)
			other[n] ^= 1
			check(fmt.Sprint("byte ", n, " of the body altered"), false, string(other), r.secret, r.now)
		}
		for field, values := range h {
			was := values[0]
			from, to := longestRun(was)
			for n := from; n < to-1; n++ { // the last of base64 has bits that say nothing
				other := []byte(was)
				if other[n]++; was[n] == '9' || was[n] == 'f' || was[n] == 'z' || was[n] == 'Z' {
					other[n] = '0'
				}
				h.Set(field, string(other))
				check(fmt.Sprint("character ", n, " of ", field, " altered"), false, r.body, r.secret, r.now)
			}
			h.Set(field, was)
		}
		check("another secret", false, r.body, "wrong", r.now)
		check("an empty secret", false, r.body, "", r.now)
		if strings.Contains(strings.Join(r.header, " ")+r.body, "1700000000") || strings.Contains(strings.Join(r.header, " "), "imestamp") {
			check("an hour later", false, r.body, r.secret, r.now.Add(time.Hour))
			check("an hour ahead of us", false, r.body, r.secret, r.now.Add(-time.Hour))
		}
	}
	for i := range schemes { // so that a new row cannot be wrong unseen
		if !met[i] {
			t.Errorf("no worked example meets the row of %s (%s %s)", schemes[i].tool, schemes[i].header, schemes[i].prefix)
		}
	}
}

// longestRun is where the longest word of a header's value stands: the signature, an id or a time, all of which are signed.
func longestRun(s string) (from, to int) {
	for i := 0; i < len(s); i++ {
		n := i
		for n < len(s) && (s[n] >= '0' && s[n] <= '9' || s[n] >= 'a' && s[n] <= 'z' || s[n] >= 'A' && s[n] <= 'Z') {
			n++
		}
		if n-i > to-from {
			from, to = i, n
		}
		i = n
	}
	return from, to
}

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

// slackBody and its signature are the worked example of https://docs.slack.dev/authentication/verifying-requests-from-slack.
const slackBody = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"

// netlify signs as Netlify documents it: a token of HS256 with the claims iss and sha256.
func netlify(body, secret string) string {
	sum := sha256.Sum256([]byte(body))
	b64 := base64.RawURLEncoding.EncodeToString
	signed := b64([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + b64([]byte(`{"iss":"netlify","sha256":"`+hex.EncodeToString(sum[:])+`"}`))
	m := hmac.New(sha256.New, []byte(secret))
	m.Write([]byte(signed))
	return signed + "." + b64(m.Sum(nil))
}

// worked fills in the parts of an example that are computed here: "@ed:" and "@hex:" an Ed25519 signature by the key of
// the seed 0, 1, 2 … 31 over what follows and the body, "@mac:" an HMAC-SHA256 in hex.
func worked(value, secret, body string) string {
	seed := make([]byte, ed25519.SeedSize)
	for i := range seed {
		seed[i] = byte(i)
	}
	key := ed25519.NewKeyFromSeed(seed)
	if before, text, ok := strings.Cut(value, "@ed:"); ok {
		return before + base64.StdEncoding.EncodeToString(ed25519.Sign(key, []byte(text+body)))
	}
	if before, text, ok := strings.Cut(value, "@hex:"); ok {
		return before + hex.EncodeToString(ed25519.Sign(key, []byte(text+body)))
	}
	if before, text, ok := strings.Cut(value, "@mac:"); ok {
		m := hmac.New(sha256.New, []byte(secret))
		m.Write([]byte(text + body))
		return before + hex.EncodeToString(m.Sum(nil))
	}
	return value
}

// A public key is no secret: whoever knows it can neither sign with it nor bring it as a token.
func TestPublicKeyIsNoSecret(t *testing.T) {
	for _, line := range []string{"whpk_A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=", "ed25519:03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8", "whpk_damaged"} {
		secrets := [][]byte{[]byte(line)}
		if matches([]string{line}, secrets) {
			t.Errorf("%s is taken for a token", line)
		}
		h := http.Header{"X-Hub-Signature-256": {sign(line, "body")}}
		if verify("X-Hub-Signature-256", "generic", h, []byte("body"), "", secrets, now) {
			t.Errorf("%s signs", line)
		}
	}
}

func TestTokensAreNotForged(t *testing.T) {
	good := netlify(`{"test":1}`, "secret")
	parts := strings.Split(good, ".")
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + parts[1] + "."
	for name, token := range map[string]string{"alg none": none, "no signature": parts[0] + "." + parts[1] + ".", "claims of another body": netlify(`{"test":2}`, "secret"),
		"not a token": "a.b.c", "dots": ".."} {
		h := http.Header{"X-Webhook-Signature": {token}}
		if verify("X-Webhook-Signature", "generic", h, []byte(`{"test":1}`), "", [][]byte{[]byte("secret")}, now) {
			t.Errorf("%s is believed", name)
		}
	}
	if got := signature(http.Header{"X-Webhook-Signature": {"sha256=00"}}, "generic"); got != "" {
		t.Errorf("another sender's header of that name counts: %q", got)
	}
}

func base64MAC(key []byte, text string) string {
	m := hmac.New(sha256.New, key)
	m.Write([]byte(text))
	return base64.StdEncoding.EncodeToString(m.Sum(nil))
}
