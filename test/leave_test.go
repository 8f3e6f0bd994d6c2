package test

import (
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

var (
	pageLink = regexp.MustCompile(`<(http[^>]+/l/[^>]+)>`)
	mailLink = regexp.MustCompile(`<mailto:([^?>]+)\?subject=unsubscribe>`)
)

// leaveLinks are the addresses in a mail's List-Unsubscribe; the page's is turned to where the daemon listens.
func (h *house) leaveLinks(l *letter) (page, address string) {
	h.t.Helper()
	list := fold(l.get("List-Unsubscribe"))
	p, m := pageLink.FindStringSubmatch(list), mailLink.FindStringSubmatch(list)
	if p == nil || m == nil {
		h.t.Fatalf("List-Unsubscribe: %q", list)
	}
	u, err := url.Parse(p[1])
	h.must(err)
	return h.url + u.Path, m[1]
}

func (h *house) page(method, link, form string) string {
	h.t.Helper()
	req, err := http.NewRequest(method, link, strings.NewReader(form))
	h.must(err)
	if form != "" {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := client.Do(req)
	h.must(err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	h.must(err)
	if resp.StatusCode != 200 {
		h.t.Errorf("%s %s: %d %s", method, link, resp.StatusCode, text)
	}
	return string(text)
}

const threeReaders = now + `
subscribers:
  - {address: reader@lab.test, schedule: when-asked}
  - {address: second@lab.test, schedule: when-asked}
  - {address: third@lab.test, schedule: when-asked}
`

// TestLeaving: one reader leaves by the provider's one click, one by the page's button, one by mail, each from the
// addresses in their own mails. Looking at a link changes nothing.
func TestLeaving(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plan{base: "https://quiet.lab.test", more: threeReaders})
	h.item(`{"project": "apollo", "title": "The first news"}`)
	reader, second, third := h.digests("reader", 1)[0], h.digests("second", 1)[0], h.digests("third", 1)[0]

	click, _ := h.leaveLinks(reader)
	button, _ := h.leaveLinks(second)
	_, address := h.leaveLinks(third)
	for _, link := range []string{click, button} {
		h.page("HEAD", link, "")
		if text := h.page("GET", link, ""); !strings.Contains(text, "Stop this digest?") || !strings.Contains(text, `<form method="post"`) {
			t.Errorf("the page: %s", text)
		}
	}
	h.item(`{"project": "apollo", "title": "The second news"}`)
	for _, user := range []string{"reader", "second", "third"} {
		h.digests(user, 2) // nobody has left by looking
	}

	if text := h.page("POST", click, "List-Unsubscribe=One-Click"); !strings.Contains(text, "No more of these mails") {
		t.Errorf("one click: %s", text)
	}
	if text := h.page("POST", button, "do=leave"); !strings.Contains(text, "Done: this digest has ended") {
		t.Errorf("the button: %s", text)
	}
	h.must(h.Submit("third", address, strings.NewReader("From: third@lab.test\r\nTo: "+address+
		"\r\nSubject: unsubscribe\r\nMessage-ID: <leave@lab.test>\r\n\r\n")))
	h.eventually("the third has left by mail", func() bool { return h.log.count(`msg="a reader left by mail"`) == 1 })

	h.item(`{"project": "apollo", "title": "The third news"}`)
	h.page("POST", button, "do=stay")            // the page's way back
	h.reload(func(s string) string { return s }) // else the next slot is named within half a minute
	back := h.digests("second", 3)[2]            // once this one is here, the others would be, too
	if !strings.Contains(back.text, "The third news") {
		t.Errorf("back again: %s", back.text)
	}
	for _, user := range []string{"reader", "third"} {
		h.digests(user, 2)
	}
	if n := len(h.items()); n != 3 {
		t.Errorf("%d items: the mail to leave became news", n)
	}
}

// TestNoOneClickWithoutHTTPS: RFC 8058 asks for https; without it the header of one-click is not there.
func TestNoOneClickWithoutHTTPS(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plan{more: strings.Replace(oneReader, never, now, 1)})
	h.item(`{"project": "apollo", "title": "The first news"}`)
	d := h.digests("reader", 1)[0]
	if got := d.get("List-Unsubscribe-Post"); got != "" {
		t.Errorf("List-Unsubscribe-Post: %q", got)
	}
	if _, address := h.leaveLinks(d); !strings.HasSuffix(address, "@lab.test") {
		t.Errorf("List-Unsubscribe: %q", d.get("List-Unsubscribe"))
	}
}
