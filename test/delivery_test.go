package test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/mail"
	"regexp"
	"strings"
	"testing"
)

const oneReader = never + `
subscribers:
  - {address: reader@lab.test, name: Rea, schedule: when-asked, alerts: true}
`

// pullRequest is a delivery as GitHub's documentation of webhooks has it, shortened.
const pullRequest = `{"action": "opened", "number": 7, "pull_request": {"number": 7, "state": "open", "merged": false,
  "title": "Faster search", "html_url": "https://github.com/acme/apollo/pull/7", "body": "Three times faster.",
  "user": {"login": "ben"}, "created_at": "2026-11-23T08:00:00Z", "updated_at": "2026-11-23T08:00:00Z"},
  "repository": {"name": "apollo", "full_name": "acme/apollo", "html_url": "https://github.com/acme/apollo"},
  "sender": {"login": "ben"}}`

func github(body, delivery string) map[string]string {
	mac := hmac.New(sha256.New, []byte(githubSecret))
	mac.Write([]byte(body))
	return map[string]string{"X-GitHub-Event": "pull_request", "X-GitHub-Delivery": delivery,
		"X-Hub-Signature-256": "sha256=" + hex.EncodeToString(mac.Sum(nil))}
}

// TestAllDoorsIntoOneDigest: three kinds of webhook and a mail in, an alert and one digest out, through Postfix and
// Dovecot.
func TestAllDoorsIntoOneDigest(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plan{base: "https://quiet.lab.test", more: oneReader})

	first, err := h.post("/hooks/github", github(pullRequest, "d-1"), pullRequest)
	h.must(err)
	if first.code != 202 || first.Status != "accepted" || len(first.Items) != 1 || first.Items[0].Project != "apollo" {
		t.Fatalf("github: %d %s", first.code, first.text)
	}
	forged, err := h.post("/hooks/github", github(pullRequest+" ", "d-2"), pullRequest)
	h.must(err)
	if forged.code != 401 {
		t.Errorf("a wrong signature: %d %s", forged.code, forged.text)
	}
	slack, err := h.post("/hooks/chat/"+chatSecret, nil, `{"text": "Backup *done*, see <https://ci.example.com/9|the log>"}`)
	h.must(err)
	if slack.code != 200 || slack.text != "ok" {
		t.Errorf("slack: %d %q", slack.code, slack.text)
	}
	tool, err := h.post("/hooks/tool", bearer, `{"project": "gemini", "title": "R&D or sales first?", "kind": "question"}`)
	h.must(err)
	if tool.code != 202 {
		t.Errorf("generic: %d %s", tool.code, tool.text)
	}
	h.must(h.Deliver("ana@lab.test", "inbox+apollo@lab.test",
		bytes.NewReader(mailOf("minutes", "inbox+apollo@lab.test", "[decision] We keep PostgreSQL", "Until spring, at least."))))
	h.eventually("the mail became an item", func() bool { return len(h.items()) == 4 })
	urgent := h.item(`{"project": "apollo", "title": "Checkout answers with 502", "urgent": true}`)

	// What is urgent comes before any digest.
	alert := h.wait("reader", 1, "mails", func(*letter) bool { return true })[0]
	checkLetter(t, alert)
	if got := alert.subject(); got != "[urgent] Apollo: Checkout answers with 502" {
		t.Errorf("the alert's subject: %q", got)
	}
	if !alert.alert() || alert.get("X-Quietpost-Window") != "" {
		t.Errorf("no alert: %v", alert.header)
	}

	h.eventually("the alert is written down as delivered", func() bool { return h.waiting() == 0 })
	h.cut()
	d := h.digests("reader", 1)[0]
	checkLetter(t, d)
	if got := d.get("X-Quietpost-Window"); got != "1-5" || urgent != 5 {
		t.Errorf("window %q, newest %d", got, urgent)
	}
	if got := d.get("List-Id"); !strings.HasSuffix(got, "<digest-1.lab.test>") {
		t.Errorf("List-Id %q", got)
	}
	for _, want := range []string{"5 updates in 2 projects, 1 question for you", "Faster search", "ben", "https://github.com/acme/apollo/pull/7",
		"Backup done", "R&D or sales first?", "We keep PostgreSQL", "Until spring, at least.", "already sent as an alert",
		"You get this because you follow all projects.", "https://quiet.lab.test/e/"} {
		if !strings.Contains(d.text, want) {
			t.Errorf("the text does not say %q:\n%s", want, d.text)
		}
	}
	for _, want := range []string{"Faster search", "Backup", "R&amp;D or sales first?", "We keep PostgreSQL", "Checkout answers with 502"} {
		if !strings.Contains(d.html, want) {
			t.Errorf("the HTML does not say %q", want)
		}
	}
	if strings.Contains(d.html, "<script") || len(d.html) > 100_000 {
		t.Errorf("HTML of %d bytes", len(d.html))
	}
}

var (
	messageID = regexp.MustCompile(`^<[0-9a-z]{20}@lab\.test>$`)
	leaveList = regexp.MustCompile(`^<https://quiet\.lab\.test/l/[^>]+>, <mailto:inbox\+u-[^>]+@lab\.test\?subject=unsubscribe>$`)
)

// checkLetter checks what every edition's header says where base_url is https.
func checkLetter(t *testing.T, l *letter) {
	t.Helper()
	if !messageID.MatchString(l.get("Message-Id")) || l.get("Message-Id") != "<"+l.get("X-Quietpost-Edition")+"@lab.test>" {
		t.Errorf("Message-ID %q of edition %q", l.get("Message-Id"), l.get("X-Quietpost-Edition"))
	}
	if !leaveList.MatchString(fold(l.get("List-Unsubscribe"))) {
		t.Errorf("List-Unsubscribe %q", l.get("List-Unsubscribe"))
	}
	if to := l.get("Reply-To"); l.alert() && !strings.HasPrefix(to, "<inbox+i-") || !l.alert() && to != "<inbox@lab.test>" {
		t.Errorf("Reply-To %q; an answer to an alert joins its thread, one to a digest goes to the inbox", to)
	}
	for name, want := range map[string]string{"List-Unsubscribe-Post": "List-Unsubscribe=One-Click", "Auto-Submitted": "auto-generated",
		"From": `"Quietpost" <digest@lab.test>`} {
		if got := l.get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if to, err := mail.ParseAddress(l.get("To")); err != nil || to.Address != "reader@lab.test" || to.Name != "Rea" {
		t.Errorf("To: %q", l.get("To"))
	}
	if _, err := l.header.Date(); err != nil {
		t.Error(err)
	}
	if l.text == "" || l.html == "" {
		t.Errorf("text of %d bytes, HTML of %d", len(l.text), len(l.html))
	}
}

// TestTwiceIsOnce: what a sender repeats, or a mailbox holds twice, is one update.
func TestTwiceIsOnce(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plan{more: oneReader})
	header := github(pullRequest, "d-1")
	first, err := h.post("/hooks/github", header, pullRequest)
	h.must(err)
	again, err := h.post("/hooks/github", header, pullRequest)
	h.must(err)
	if first.code != 202 || again.code != 200 || again.Status != "duplicate" || len(again.Items) != 1 || again.Items[0] != first.Items[0] {
		t.Errorf("%s\nthen %s", first.text, again.text)
	}
	keyed := map[string]string{"Authorization": "Bearer " + toolSecret, "Idempotency-Key": "k-1"}
	one, err := h.post("/v1/items", keyed, `{"project": "apollo", "title": "Backup done"}`)
	h.must(err)
	two, err := h.post("/v1/items", keyed, `{"project": "apollo", "title": "Backup done"}`)
	h.must(err)
	other, err := h.post("/v1/items", keyed, `{"project": "apollo", "title": "Another"}`)
	h.must(err)
	if one.code != 202 || two.code != 200 || two.Items[0] != one.Items[0] || other.code != 409 {
		t.Errorf("%s\nthen %s\nthen %d %s", one.text, two.text, other.code, other.text)
	}

	raw := mailOf("twice", "inbox+apollo@lab.test", "Sent once", "Hello.")
	h.must(h.Append("inbox", raw))
	h.must(h.Append("inbox", raw))
	h.must(h.Deliver("ana@lab.test", "inbox@lab.test", bytes.NewReader(raw))) // with other trace fields on top
	h.must(h.Append("inbox", mailOf("last", "inbox+apollo@lab.test", "Sent last", "Bye.")))
	h.eventually("the last mail is taken in", func() bool { return h.log.count("msg=mail inbox=inbox") >= 4 })
	var titles []string
	for _, it := range h.items() {
		titles = append(titles, it.Title)
	}
	if got := strings.Join(titles, "; "); !strings.Contains(got, "Sent last") || strings.Count(got, "Sent once") != 1 || len(titles) != 4 {
		t.Errorf("items: %s", got)
	}
	h.cut()
	if d := h.digests("reader", 1)[0]; d.get("X-Quietpost-Window") != "1-4" || !strings.Contains(d.text, "4 updates") {
		t.Errorf("window %s: %s", d.get("X-Quietpost-Window"), d.text)
	}
}
