package mailer

import (
	"bytes"
	"flag"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"quietpost/digest"
)

var update = flag.Bool("update", false, "write the golden files anew")

func newComposer(t testing.TB) *Composer {
	t.Helper()
	c, err := NewComposer(ComposerOptions{
		From:    mail.Address{Name: "Quietpost", Address: "digest@Example.com"},
		ReplyTo: "updates@example.com",
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func fullLetter() *digest.Letter {
	return &digest.Letter{
		Rendered: digest.Rendered{
			Subject: "Apollo: Veröffentlichung 2.4 ist draußen, 2 questions for you (+14)",
			Text:    "Good morning Ana,\n\n.a line that starts with a dot\nprice: 5 € = fünf\n",
			HTML:    "<!doctype html><html><body><p style=\"color:#111\">Good morning Ana — 5 €</p></body></html>\n",
		},
		To: "ana@example.org", Name: "Ana Gonçalves",
		MessageID:  "d.k3j5h7.1@example.com",
		References: []string{"a.inc7.1@example.com", "a.inc7.2@example.com"},
		Date:       time.Date(2026, 3, 2, 9, 0, 0, 0, time.FixedZone("WET", 0)),
		ListID:     "Quietpost for Ana <d12>",
		Unsubscribe: []string{"https://quiet.example.com/l/d.12.AbCdEfGhIjKlMnOpQrStUv",
			"mailto:updates+u-d.12.AbCdEfGhIjKlMnOpQrStUv@example.com?subject=unsubscribe"},
		OneClick: true,
		Edition:  "k3j5h7abcdefghijklmn",
		Window:   "1042-1187",
	}
}

func TestComposeGolden(t *testing.T) {
	c := newComposer(t)
	alert := fullLetter()
	alert.Window, alert.OneClick = "", false
	alert.Unsubscribe = []string{"http://127.0.0.1:8025/l/a.1.x"}
	alert.Name = `"Bob" <b@evil.example>, (x)`
	plain := &digest.Letter{
		Rendered:  digest.Rendered{Subject: "Your settings", Text: "You get a digest at 9:00.\n"},
		To:        "bob@example.org",
		MessageID: "l.1@example.com",
		Date:      time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC),
	}
	for name, l := range map[string]*digest.Letter{"digest": fullLetter(), "alert": alert, "letter": plain} {
		t.Run(name, func(t *testing.T) {
			got, err := c.Compose(l)
			if err != nil {
				t.Fatal(err)
			}
			again, _ := newComposer(t).Compose(l)
			if !bytes.Equal(got, again) {
				t.Error("the same letter gave other bytes")
			}
			checkWire(t, got)
			golden := filepath.Join("testdata", name+".eml")
			if *update {
				if err := os.WriteFile(golden, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("%s differs; -update writes it anew (-want +got):\n%s", golden, diff)
			}
		})
	}
}

// TestComposeReadBack reads the message as a stranger's mail program would.
func TestComposeReadBack(t *testing.T) {
	l := fullLetter()
	raw, err := newComposer(t).Compose(l)
	if err != nil {
		t.Fatal(err)
	}
	m := read(t, raw)
	for name, want := range map[string]string{
		"Subject":               l.Subject,
		"Message-Id":            "<d.k3j5h7.1@example.com>",
		"Date":                  "Mon, 02 Mar 2026 09:00:00 +0000",
		"Reply-To":              "<updates@example.com>",
		"References":            "<a.inc7.1@example.com> <a.inc7.2@example.com>",
		"In-Reply-To":           "<a.inc7.2@example.com>",
		"List-Id":               `"Quietpost for Ana" <d12.example.com>`,
		"List-Unsubscribe":      "<" + l.Unsubscribe[0] + ">, <" + l.Unsubscribe[1] + ">",
		"List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
		"Auto-Submitted":        "auto-generated",
		"X-Quietpost-Edition":   l.Edition,
		"X-Quietpost-Window":    "1042-1187",
	} {
		if got := header(t, m, name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	to, err := m.Header.AddressList("To")
	if err != nil || len(to) != 1 || to[0].Address != l.To || to[0].Name != l.Name {
		t.Errorf("To is %v, %v", to, err)
	}
	parts := bodies(t, m)
	want := [][2]string{{"text/plain", crlfs(l.Text)}, {"text/html", crlfs(l.HTML)}}
	if diff := cmp.Diff(want, parts); diff != "" {
		t.Errorf("parts (-want +got):\n%s", diff)
	}
}

func TestComposeOneClickNeedsHTTPS(t *testing.T) {
	l := fullLetter()
	l.Unsubscribe = l.Unsubscribe[1:]
	raw, err := newComposer(t).Compose(l)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(raw), "One-Click") {
		t.Error("a mailto address was announced as one-click")
	}
}

// TestComposeUntrusted: what people write never becomes a header, and never stops a mail.
func TestComposeUntrusted(t *testing.T) {
	l := fullLetter()
	l.Subject = "ok\r\nBcc: victim@example.com\x00\r\n\r\n<b>body</b>"
	l.Name = "Ana\r\nX-Evil: 1\x00"
	l.ListID = "Title\r\nX-Evil: <b@c> ünï <d12>"
	l.References = []string{"a b@x", "x\r\nX-Evil: 1@y", "no-at-sign", "", "good@example.com", "<x@y>", strings.Repeat("l", 300) + "@y"}
	raw, err := newComposer(t).Compose(l)
	if err != nil {
		t.Fatal(err)
	}
	checkWire(t, raw)
	m := read(t, raw)
	if m.Header.Get("Bcc") != "" || m.Header.Get("X-Evil") != "" {
		t.Errorf("a header was smuggled in:\n%s", raw)
	}
	if got := header(t, m, "References"); got != "<good@example.com>" {
		t.Errorf("References is %q", got)
	}
	if got := header(t, m, "Subject"); got != "ok Bcc: victim@example.com <b>body</b>" {
		t.Errorf("Subject is %q", got)
	}
	if got := header(t, m, "List-Id"); !strings.HasSuffix(got, " <d12.example.com>") {
		t.Errorf("List-Id is %q", got)
	}
}

func TestComposeRefuses(t *testing.T) {
	for name, change := range map[string]func(l *digest.Letter){
		"no recipient":     func(l *digest.Letter) { l.To = "" },
		"two recipients":   func(l *digest.Letter) { l.To = "a@example.com,b@example.com" },
		"CR in recipient":  func(l *digest.Letter) { l.To = "a@example.com\r\nBcc: b@example.com" },
		"quoted recipient": func(l *digest.Letter) { l.To = `"a b"@example.com` },
		"no Message-ID":    func(l *digest.Letter) { l.MessageID = "" },
		"angle brackets":   func(l *digest.Letter) { l.MessageID = "<a@b>" },
		"CR in Message-ID": func(l *digest.Letter) { l.MessageID = "a@b\r\nX: y" },
		"no date":          func(l *digest.Letter) { l.Date = time.Time{} },
		"List-Id of signs": func(l *digest.Letter) { l.ListID = "T <a b>" },
		"CR in URL":        func(l *digest.Letter) { l.Unsubscribe = []string{"https://x/\r\nBcc: b@example.com"} },
		"bracket in URL":   func(l *digest.Letter) { l.Unsubscribe = []string{"https://x/>,<https://evil"} },
		"script URL":       func(l *digest.Letter) { l.Unsubscribe = []string{"javascript:alert(1)"} },
		"long URL":         func(l *digest.Letter) { l.Unsubscribe = []string{"https://x/" + strings.Repeat("x", 1000)} },
		"CR in edition":    func(l *digest.Letter) { l.Edition = "a\r\nb" },
		"space in window":  func(l *digest.Letter) { l.Window = "1 - 2" },
	} {
		l := fullLetter()
		change(l)
		if raw, err := newComposer(t).Compose(l); err == nil {
			t.Errorf("%s was composed:\n%s", name, raw)
		}
	}
}

func TestNewComposer(t *testing.T) {
	for address, host := range map[string]string{
		"digest@Example.COM":    "example.com",
		"digest@büro.example":   "xn--bro-hoa.example",
		"no-address":            "",
		"a@b\r\nX: y":           "",
		"digest@exa mple.com":   "",
		"a..b@example.com":      "",
		"digest@-x-.example":    "",
		"":                      "",
		"ana <ana@example.com>": "",
	} {
		c, err := NewComposer(ComposerOptions{From: mail.Address{Address: address}})
		switch {
		case host == "" && err == nil:
			t.Errorf("%q was taken as a sender", address)
		case host != "" && err != nil:
			t.Errorf("%q: %v", address, err)
		case host != "" && c.Host() != host:
			t.Errorf("%q: host %q, want %q", address, c.Host(), host)
		}
	}
	if _, err := NewComposer(ComposerOptions{From: mail.Address{Address: "a@b.example"}, ReplyTo: "x"}); err == nil {
		t.Error("a reply address that is none was taken")
	}
}

func TestBoundaryAvoidsTheText(t *testing.T) {
	first := boundary("id@x", "", "")
	second := boundary("id@x", "a "+first, "")
	third := boundary("id@x", "a "+first, "b "+second)
	if first == second || second == third || first == third {
		t.Errorf("a boundary stands in the text: %s %s %s", first, second, third)
	}
}

func TestEncodeText(t *testing.T) {
	dec := new(mime.WordDecoder)
	for _, s := range []string{"plain", "", "Grüße", "=?utf-8?q?evil=0D=0A?=", strings.Repeat("=?x?q?y?= ", 20),
		"50 % =? ?= ok", strings.Repeat("ü", 250)} {
		enc := encodeText(s)
		got, err := dec.DecodeHeader(enc)
		if err != nil || got != s {
			t.Errorf("%q became %q and reads %q, %v", s, enc, got, err)
		}
		for _, w := range strings.Fields(enc) {
			if strings.HasPrefix(w, "=?") && len(w) > 75 {
				t.Errorf("the encoded word %q is longer than 75", w)
			}
		}
	}
}

func TestReferencesAreBounded(t *testing.T) {
	var ids []string
	for i := range 100 {
		ids = append(ids, strings.Repeat("r", i+1)+"@x")
	}
	refs := references(ids)
	if len(refs) != maxReferences || refs[0] != "<r@x>" || refs[len(refs)-1] != "<"+ids[99]+">" || refs[1] != "<"+ids[81]+">" {
		t.Errorf("%d references, %v", len(refs), refs)
	}
}

func FuzzCompose(f *testing.F) {
	f.Add("subject", "name", "ref@x", "Title <id>", "body")
	f.Add("a\r\nBcc: x@y\r\n\r\nhello", "n\x00\r\nX: y", "a@b>\r\nX: <y", "T\r\nX: y <i>", ".\r\n..\n--b\r--")
	f.Add("=?utf-8?b?Qg==?=", "=?utf-8?q?=0d=0aX:_y?=", "=?a?q?b?=@c", "=?utf-8?q?x?= <i>", "\xff\xfe")
	f.Add(strings.Repeat("x", 2000), strings.Repeat("\u202e", 40), strings.Repeat("y ", 600), "<<<a>", strings.Repeat("z", 5000))
	c := newComposer(f)
	known := []string{"Subject", "Auto-Submitted", "X-Auto-Response-Suppress", "References", "In-Reply-To", "List-Id",
		"List-Unsubscribe", "List-Unsubscribe-Post", "X-Quietpost-Edition", "X-Quietpost-Window", "From", "To", "Reply-To",
		"Date", "Message-Id", "Mime-Version", "Content-Type"}
	f.Fuzz(func(t *testing.T, subject, name, ref, listID, body string) {
		l := fullLetter()
		l.Subject, l.Name, l.ListID, l.Text, l.HTML = subject, name, listID, body, body+"<p>"
		l.References = []string{ref, "ok@example.com"}
		raw, err := c.Compose(l)
		if err != nil {
			if !strings.Contains(err.Error(), "List-Id") {
				t.Fatalf("%v", err)
			}
			return
		}
		checkWire(t, raw)
		m := read(t, raw)
		for field, values := range m.Header {
			if !slices.Contains(known, field) || len(values) != 1 {
				t.Fatalf("header %s: %q", field, values)
			}
		}
		if got, want := header(t, m, "Subject"), digest.OneLine(subject, digest.MaxTitle); got != want {
			t.Fatalf("subject reads %q, want %q", got, want)
		}
		to, err := m.Header.AddressList("To")
		if err != nil || len(to) != 1 || to[0].Address != l.To {
			t.Fatalf("To reads %v, %v", to, err)
		}
		if got := bodies(t, m); len(got) != 2 || got[0][1] != crlfs(strings.ToValidUTF8(body, "\uFFFD")) {
			t.Fatalf("the text reads %q, want %q", got, body)
		}
	})
}

// checkWire is what RFC 5322, section 2.1.1 and RFC 5321, section 2.3.8 ask of any message.
func checkWire(t testing.TB, raw []byte) {
	t.Helper()
	for i, line := range bytes.SplitAfter(raw, []byte("\r\n")) {
		line, ended := bytes.CutSuffix(line, []byte("\r\n"))
		if len(line) > 998 {
			t.Fatalf("line %d has %d bytes", i, len(line))
		}
		if bytes.ContainsAny(line, "\r\n\x00") || len(line) > 0 && !ended {
			t.Fatalf("line %d has a sign that may not be there: %q", i, line)
		}
		if !isASCII(line) {
			t.Fatalf("line %d is not ASCII: %q", i, line)
		}
	}
}

func read(t testing.TB, raw []byte) *mail.Message {
	t.Helper()
	m, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		t.Fatalf("%v in\n%s", err, raw)
	}
	return m
}

func header(t testing.TB, m *mail.Message, name string) string {
	t.Helper()
	s, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get(name))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return s
}

// bodies are media type and decoded text of the parts.
func bodies(t testing.TB, m *mail.Message) (list [][2]string) {
	t.Helper()
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		t.Fatalf("Content-Type is %q, %v", kind, err)
	}
	r := multipart.NewReader(m.Body, params["boundary"])
	for {
		p, err := r.NextRawPart()
		if err == io.EOF {
			return list
		}
		if err != nil {
			t.Fatal(err)
		}
		if enc := p.Header.Get("Content-Transfer-Encoding"); enc != "quoted-printable" {
			t.Fatalf("encoded as %q", enc)
		}
		b, err := io.ReadAll(quotedprintable.NewReader(p))
		if err != nil {
			t.Fatal(err)
		}
		kind, _, _ := mime.ParseMediaType(p.Header.Get("Content-Type"))
		list = append(list, [2]string{kind, string(b)})
	}
}

// crlfs is text as it travels: any line end as CRLF.
func crlfs(s string) string {
	s = strings.ReplaceAll(s, "\r\n", "\n")
	return strings.ReplaceAll(strings.ReplaceAll(s, "\r", "\n"), "\n", "\r\n")
}
