package webhook

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"hash"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// A scheme is how a tool signs what it posts: an HMAC under the source's secret, in a header. New tools are new rows.
//
// The header's value is one signature, or several that separator parts, each behind prefix. Where the time is signed
// too, it stands in the header named by time, or, when time ends in '=', among the parts of the signature's own header
// ("t=" in "t=1700000000,v1=…"), or, when time begins with '.', in the body's field of that name, in milliseconds; a body
// without one is of any time.
type scheme struct {
	tool      string // who signs so
	header    string
	prefix    string // before each signature; parts without it are of another kind and do not count
	separator string // between parts; "" if the value is one
	hash      func() hash.Hash
	encoding  func(string) ([]byte, error)
	signed    string        // what is signed: {body}, {time}, {id} and {url} stand for the delivery's own
	time      string        // see above; "" if no time is signed
	id        string        // the header that {id} stands for
	window    time.Duration // how far the signed time may be from ours, either way; 0 if none is signed
	standard  bool          // secrets are "whsec_" and base64 of the key (Standard Webhooks)

	public bool // Ed25519 with the tool's public key, in place of an HMAC
	token  bool // the value is a JSON Web Token that holds the body's hash
}

// clockWindow is what Stripe, Slack and Standard Webhooks advise.
const clockWindow = 5 * time.Minute

func unpadded(s string) ([]byte, error) {
	return base64.RawStdEncoding.DecodeString(strings.TrimRight(s, "="))
}

// publicKey reads a line of the secrets that is a public key: "whpk_" and base64 as Standard Webhooks has it, "ed25519:"
// and hex for Discord. Such a line is no secret: it is good for signatures only. ok tells such a line; the key is nil if
// it is damaged.
func publicKey(line []byte) (key ed25519.PublicKey, ok bool) {
	var err error
	if text, is := strings.CutPrefix(string(line), "whpk_"); is {
		key, err = unpadded(text)
	} else if text, is := strings.CutPrefix(string(line), "ed25519:"); is {
		key, err = hex.DecodeString(text)
	} else {
		return nil, false
	}
	if err != nil || len(key) != ed25519.PublicKeySize {
		return nil, true
	}
	return key, true
}

// schemes is the table. Signatures whose key would have to be fetched from an address (SNS, Travis CI) are not in it:
// such a source is known by the token in its path. Rows that share a header are told apart by their prefix; all that fit are tried. A row stands
// before those that are weaker.
var schemes = []scheme{
	{tool: "GitHub, Gitea, Forgejo", header: "X-Hub-Signature-256", prefix: "sha256=", hash: sha256.New, encoding: hex.DecodeString, signed: "{body}"},
	{tool: "Forgejo", header: "X-Forgejo-Signature", hash: sha256.New, encoding: hex.DecodeString, signed: "{body}"},
	{tool: "Gitea, Forgejo", header: "X-Gitea-Signature", hash: sha256.New, encoding: hex.DecodeString, signed: "{body}"},
	{tool: "Gogs, Gitea, Forgejo", header: "X-Gogs-Signature", hash: sha256.New, encoding: hex.DecodeString, signed: "{body}"},
	{tool: "Bitbucket, Jira, Confluence", header: "X-Hub-Signature", prefix: "sha256=", hash: sha256.New, encoding: hex.DecodeString, signed: "{body}"},
	{tool: "GitHub before 2020, Intercom", header: "X-Hub-Signature", prefix: "sha1=", hash: sha1.New, encoding: hex.DecodeString, signed: "{body}"},
	{tool: "Read the Docs", header: "X-Hub-Signature", hash: sha256.New, encoding: hex.DecodeString, signed: "{body}"},
	{tool: "Standard Webhooks, GitLab", header: "Webhook-Signature", prefix: "v1,", separator: " ", hash: sha256.New, encoding: unpadded,
		signed: "{id}.{time}.{body}", time: "Webhook-Timestamp", id: "Webhook-Id", window: clockWindow, standard: true},
	{tool: "Standard Webhooks", header: "Webhook-Signature", prefix: "v1a,", separator: " ", encoding: unpadded, public: true,
		signed: "{id}.{time}.{body}", time: "Webhook-Timestamp", id: "Webhook-Id", window: clockWindow},
	{tool: "Svix, Standard Webhooks", header: "Svix-Signature", prefix: "v1,", separator: " ", hash: sha256.New, encoding: unpadded,
		signed: "{id}.{time}.{body}", time: "Svix-Timestamp", id: "Svix-Id", window: clockWindow, standard: true},
	{tool: "Stripe", header: "Stripe-Signature", prefix: "v1=", separator: ",", hash: sha256.New, encoding: hex.DecodeString,
		signed: "{time}.{body}", time: "t=", window: clockWindow},
	{tool: "Zoom", header: "X-Zm-Signature", prefix: "v0=", hash: sha256.New, encoding: hex.DecodeString,
		signed: "v0:{time}:{body}", time: "X-Zm-Request-Timestamp", window: clockWindow},
	{tool: "Discord", header: "X-Signature-Ed25519", encoding: hex.DecodeString, public: true,
		signed: "{time}{body}", time: "X-Signature-Timestamp", window: clockWindow},
	{tool: "Dropbox", header: "X-Dropbox-Signature", hash: sha256.New, encoding: hex.DecodeString, signed: "{body}"},
	{tool: "Netlify", header: "X-Webhook-Signature", hash: sha256.New, encoding: base64.RawURLEncoding.DecodeString, token: true},
	{tool: "Slack apps", header: "X-Slack-Signature", prefix: "v0=", hash: sha256.New, encoding: hex.DecodeString,
		signed: "v0:{time}:{body}", time: "X-Slack-Request-Timestamp", window: clockWindow},
	{tool: "Buildkite", header: "X-Buildkite-Signature", prefix: "signature=", separator: ",", hash: sha256.New, encoding: hex.DecodeString,
		signed: "{time}.{body}", time: "timestamp=", window: clockWindow},
	{tool: "Grafana with a timestamp", header: "X-Grafana-Alerting-Signature", hash: sha256.New, encoding: hex.DecodeString,
		signed: "{time}:{body}", time: "X-Grafana-Alerting-Timestamp", window: clockWindow},
	{tool: "Grafana", header: "X-Grafana-Alerting-Signature", hash: sha256.New, encoding: hex.DecodeString, signed: "{body}"},
	{tool: "PagerDuty", header: "X-PagerDuty-Signature", prefix: "v1=", separator: ",", hash: sha256.New, encoding: hex.DecodeString, signed: "{body}"},
	{tool: "CircleCI", header: "Circleci-Signature", prefix: "v1=", separator: ",", hash: sha256.New, encoding: hex.DecodeString, signed: "{body}"},
	{tool: "Linear", header: "Linear-Signature", hash: sha256.New, encoding: hex.DecodeString, signed: "{body}", // https://linear.app/developers/webhooks#securing-webhooks
		time: ".webhookTimestamp", window: clockWindow},
	{tool: "Sentry", header: "Sentry-Hook-Signature", hash: sha256.New, encoding: hex.DecodeString, signed: "{body}"},
	{tool: "Asana", header: "X-Hook-Signature", hash: sha256.New, encoding: hex.DecodeString, signed: "{body}"},
	{tool: "ClickUp", header: "X-Signature", hash: sha256.New, encoding: hex.DecodeString, signed: "{body}"},
	{tool: "Flux", header: "X-Signature", prefix: "sha256=", hash: sha256.New, encoding: hex.DecodeString, signed: "{body}"},
	{tool: "Flux", header: "X-Signature", prefix: "sha512=", hash: sha512.New, encoding: hex.DecodeString, signed: "{body}"},
	{tool: "Notion", header: "X-Notion-Signature", prefix: "sha256=", hash: sha256.New, encoding: hex.DecodeString, signed: "{body}"},
	{tool: "Terraform Cloud", header: "X-TFE-Notification-Signature", hash: sha512.New, encoding: hex.DecodeString, signed: "{body}"},
	{tool: "SonarQube", header: "X-Sonar-Webhook-HMAC-SHA256", hash: sha256.New, encoding: hex.DecodeString, signed: "{body}"},
	{tool: "Semaphore", header: "X-Semaphore-Signature-256", hash: sha256.New, encoding: hex.DecodeString, signed: "{body}"},
	{tool: "Phabricator, Phorge", header: "X-Phabricator-Webhook-Signature", hash: sha256.New, encoding: hex.DecodeString, signed: "{body}"},
	{tool: "npm", header: "X-Npm-Signature", prefix: "sha256=", hash: sha256.New, encoding: hex.DecodeString, signed: "{body}"},
	{tool: "Vercel", header: "X-Vercel-Signature", hash: sha1.New, encoding: hex.DecodeString, signed: "{body}"},
	{tool: "Taiga", header: "X-Taiga-Webhook-Signature", hash: sha1.New, encoding: hex.DecodeString, signed: "{body}"},
	{tool: "FireHydrant", header: "FH-Signature", hash: sha256.New, encoding: hex.DecodeString, signed: "{body}"},
	{tool: "LaunchDarkly", header: "X-LD-Signature", hash: sha256.New, encoding: hex.DecodeString, signed: "{body}"},
	{tool: "Flagsmith", header: "X-Flagsmith-Signature", hash: sha256.New, encoding: hex.DecodeString, signed: "{body}"},
	{tool: "PlanetScale", header: "X-PlanetScale-Signature", hash: sha256.New, encoding: hex.DecodeString, signed: "{body}"},
	{tool: "MongoDB Atlas", header: "X-MMS-Signature", hash: sha1.New, encoding: unpadded, signed: "{body}"},
	{tool: "Tailscale", header: "Tailscale-Webhook-Signature", prefix: "v1=", separator: ",", hash: sha256.New, encoding: hex.DecodeString,
		signed: "{time}.{body}", time: "t=", window: clockWindow},
	{tool: "Rootly", header: "X-Rootly-Signature", prefix: "v1=", separator: ",", hash: sha256.New, encoding: hex.DecodeString,
		signed: "{time}{body}", time: "t=", window: clockWindow},
	{tool: "Heroku", header: "Heroku-Webhook-Hmac-SHA256", hash: sha256.New, encoding: unpadded, signed: "{body}"},
	{tool: "Shopify", header: "X-Shopify-Hmac-SHA256", hash: sha256.New, encoding: unpadded, signed: "{body}"},
	{tool: "WooCommerce", header: "X-WC-Webhook-Signature", hash: sha256.New, encoding: unpadded, signed: "{body}"},
	{tool: "Paddle", header: "Paddle-Signature", prefix: "h1=", separator: ";", hash: sha256.New, encoding: hex.DecodeString, // https://developer.paddle.com/webhooks/signature-verification
		signed: "{time}:{body}", time: "ts=", window: clockWindow},
	{tool: "Calendly", header: "Calendly-Webhook-Signature", prefix: "v1=", separator: ",", hash: sha256.New, encoding: hex.DecodeString, // https://developer.calendly.com/api-docs/, "Webhook signatures"
		signed: "{time}.{body}", time: "t=", window: clockWindow},
	{tool: "Discourse", header: "X-Discourse-Event-Signature", prefix: "sha256=", hash: sha256.New, encoding: hex.DecodeString, signed: "{body}"}, // https://meta.discourse.org/t/49045
	{tool: "Shortcut", header: "Payload-Signature", hash: sha256.New, encoding: hex.DecodeString, signed: "{body}"},                               // https://developer.shortcut.com/api/webhook/v1
	{tool: "Typeform", header: "Typeform-Signature", prefix: "sha256=", hash: sha256.New, encoding: unpadded, signed: "{body}"},                   // https://www.typeform.com/developers/webhooks/secure-your-webhooks/
	{tool: "Commerce Layer", header: "X-CommerceLayer-Signature", hash: sha256.New, encoding: unpadded, signed: "{body}"},                         // https://docs.commercelayer.io/core/callbacks-security
	{tool: "Help Scout", header: "X-HelpScout-Signature", hash: sha1.New, encoding: unpadded, signed: "{body}"},                                   // https://developer.helpscout.com/webhooks/
	{tool: "Trello", header: "X-Trello-Webhook", hash: sha1.New, encoding: unpadded, signed: "{body}{url}"},
}

// typeTools names the rows that count for sources of a type, so that what one tool signed cannot be passed off as
// another's; types that are not listed take every row.
var typeTools = map[string]string{
	"alertmanager":      "Alertmanager", // signs nothing
	"bitbucket":         "Bitbucket",
	"discord":           "Discord",
	"forgejo":           "Forgejo",
	"gitea":             "Gitea",
	"github":            "GitHub",
	"gitlab":            "GitLab", // else X-Gitlab-Token in clear
	"grafana":           "Grafana",
	"jira":              "Jira",
	"linear":            "Linear",
	"pagerduty":         "PagerDuty",
	"sentry":            "Sentry",
	"slack":             "Slack",
	"standard-webhooks": "Standard Webhooks",
}

// signature is the header of the first row that counts for a source's type and that the request brings, "" if none
// does. Terraform Cloud sends its header empty when no token is set: that is no signature.
func signature(h http.Header, sourceType string) string {
	for i := range schemes {
		s := &schemes[i]
		v := strings.TrimSpace(h.Get(s.header))
		if strings.Contains(s.tool, typeTools[sourceType]) && v != "" && (!s.token || strings.Count(v, ".") == 2) {
			return s.header
		}
	}
	return ""
}

// verify tells whether the value of the header named is right for body under one of secrets. Every row and secret is
// compared in constant time, over the decoded bytes.
func verify(header, sourceType string, h http.Header, body []byte, url string, secrets [][]byte, now time.Time) bool {
	right := false
	for i := range schemes {
		s := &schemes[i]
		if s.header == header && strings.Contains(s.tool, typeTools[sourceType]) && s.verify(h, body, url, secrets, now) {
			right = true
		}
	}
	return right
}

func (s *scheme) verify(h http.Header, body []byte, url string, secrets [][]byte, now time.Time) bool {
	parts := []string{strings.TrimSpace(h.Get(s.header))}
	if s.separator != "" {
		parts = strings.Split(parts[0], s.separator)
	}
	if s.token {
		return s.verifyToken(parts[0], body, secrets)
	}
	at := ""
	if field, ok := strings.CutPrefix(s.time, "."); ok {
		if at = stampIn(body, field); at == "" {
			at = strconv.FormatInt(now.Unix(), 10)
		}
	} else if strings.HasSuffix(s.time, "=") {
		for _, p := range parts {
			if t, ok := strings.CutPrefix(strings.TrimSpace(p), s.time); ok {
				at = t
			}
		}
	} else if s.time != "" {
		at = h.Get(s.time)
	}
	if s.time != "" && !near(at, now, s.window) {
		return false
	}
	before, after, _ := strings.Cut(s.signed, "{body}")
	fill := strings.NewReplacer("{time}", at, "{id}", h.Get(s.id), "{url}", url)
	before, after = fill.Replace(before), fill.Replace(after)
	right := false
	for _, secret := range secrets {
		check := s.checker(secret, []byte(before), body, []byte(after))
		if check == nil {
			continue
		}
		for _, p := range parts {
			value, ok := strings.CutPrefix(strings.TrimSpace(p), s.prefix)
			if !ok {
				continue
			}
			if got, err := s.encoding(value); err == nil && check(got) {
				right = true
			}
		}
	}
	return right
}

// checker gives what tells whether a decoded signature is right under a secret; nil if the secret is not for this row.
func (s *scheme) checker(secret, before, body, after []byte) func(got []byte) bool {
	if s.public {
		key, _ := publicKey(secret)
		if key == nil {
			return nil
		}
		text := bytes.Join([][]byte{before, body, after}, nil)
		return func(got []byte) bool { return ed25519.Verify(key, text, got) }
	}
	key, ok := s.key(secret)
	if !ok {
		return nil
	}
	m := hmac.New(s.hash, key)
	m.Write(before)
	m.Write(body)
	m.Write(after)
	want := m.Sum(nil)
	return func(got []byte) bool { return hmac.Equal(got, want) }
}

// verifyToken checks a JSON Web Token signed with HS256 (RFC 7515, section 5.2) whose claim sha256 is the body's hash in
// hex. What its header says of the algorithm is not asked: another one cannot be right.
func (s *scheme) verifyToken(token string, body []byte, secrets [][]byte) bool {
	signed, sig, _ := cutLast(token, ".")
	_, payload, _ := strings.Cut(signed, ".")
	got, err := s.encoding(sig)
	claims, err2 := s.encoding(payload)
	var c struct {
		Sum string `json:"sha256"`
	}
	if err != nil || err2 != nil || json.Unmarshal(claims, &c) != nil {
		return false
	}
	sum := sha256.Sum256(body)
	right := false
	for _, secret := range secrets {
		if key, ok := s.key(secret); ok {
			m := hmac.New(s.hash, key)
			m.Write([]byte(signed))
			right = hmac.Equal(got, m.Sum(nil)) || right
		}
	}
	return right && hmac.Equal([]byte(strings.ToLower(c.Sum)), []byte(hex.EncodeToString(sum[:])))
}

func cutLast(s, sep string) (before, after string, ok bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// key is what the HMAC is made with; an empty secret is none, and a public key is not for it.
func (s *scheme) key(secret []byte) ([]byte, bool) {
	if _, public := publicKey(secret); public {
		return nil, false
	}
	if !s.standard {
		return secret, len(secret) > 0
	}
	text, ok := strings.CutPrefix(string(secret), "whsec_")
	if !ok {
		return secret, len(secret) > 0
	}
	key, err := unpadded(text)
	return key, err == nil && len(key) > 0
}

// stampIn is the time in a field of a JSON body, milliseconds there and Unix seconds here; "" if there is none.
func stampIn(body []byte, field string) string {
	var m map[string]json.RawMessage
	if json.Unmarshal(body, &m) != nil || m[field] == nil {
		return ""
	}
	ms, err := strconv.ParseInt(string(m[field]), 10, 64)
	if err != nil {
		return "of no known form"
	}
	return strconv.FormatInt(ms/1000, 10)
}

// near tells whether at, Unix seconds, lies within window of now.
func near(at string, now time.Time, window time.Duration) bool {
	n, err := strconv.ParseInt(at, 10, 64)
	return err == nil && n > 0 && now.Sub(time.Unix(n, 0)).Abs() <= window
}
