package tools

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// typeOf is the Content-Type that senders give a sample.
func typeOf(name string) http.Header {
	t := "application/json"
	switch {
	case strings.HasPrefix(name, "multipart"):
		t = "multipart/form-data; boundary=XX"
	case strings.HasPrefix(name, "form"), strings.HasPrefix(name, "curl"):
		t = "application/x-www-form-urlencoded"
	case strings.HasSuffix(name, ".txt"):
		t = "text/plain"
	}
	return http.Header{"Content-Type": {t}}
}

func TestSlack(t *testing.T)   { goldenOf(t, "slack", Slack) }
func TestGeneric(t *testing.T) { goldenOf(t, "generic", Generic) }

func goldenOf(t *testing.T, dir string, read Adapter) {
	names, bodies := samples(t, dir)
	var b strings.Builder
	for i, name := range names {
		r, err := read(typeOf(name), bodies[i])
		for _, it := range r.Items {
			checkItem(t, it)
		}
		hint := ""
		if r.Hint {
			hint = " (project guessed)"
		}
		fmt.Fprintf(&b, "== %s%s\n%s\n", name, hint, show(r, err))
	}
	golden(t, dir+".golden", b.String())
}

func TestMrkdwn(t *testing.T) {
	for in, want := range map[string]struct{ markdown, plain string }{
		"*a* *b* c*d*e":                 {"**a** **b** c*d*e", "a b c*d*e"},
		"~gone~ and _here_":             {"~~gone~~ and _here_", "gone and _here_"},
		"<https://x.example|[a] b>":     {`[\[a\] b](https://x.example)`, "[a] b"},
		"<https://x.example/(1)|a>":     {"[a](https://x.example/%281%29)", "a"},
		"<https://x.example>":           {"<https://x.example>", "https://x.example"},
		"<@U1|ana> <!channel> <#C1>":    {`@ana @channel \#C1`, "@ana @channel #C1"},
		"a &lt;b&gt; &amp; c":           {"a &lt;b&gt; &amp; c", "a <b> & c"},
		"`*x* <https://y.example>`":     {"`*x* <https://y.example>`", "x https://y.example"},
		"a\nb\n• c":                     {"a  \nb\n- c", "a\nb\n• c"},
		":tada: :unknown_sign:":         {"🎉 :unknown_sign:", "🎉 :unknown_sign:"},
		"<javascript:alert(1)|x>":       {`\<javascript:alert(1)\|x\>`, "<javascript:alert(1)|x>"},
		"**md** [l](https://x.example)": {"**md** [l](https://x.example)", "md l"},
	} {
		if got := mrkdwn(in); got != want.markdown {
			t.Errorf("mrkdwn(%q) = %q, want %q", in, got, want.markdown)
		}
		if got := plainMrkdwn(in); got != want.plain {
			t.Errorf("plainMrkdwn(%q) = %q, want %q", in, got, want.plain)
		}
	}
}

func TestColourLevel(t *testing.T) {
	for in, want := range map[string]string{"danger": "error", "warning": "warning", "good": "info", "#DD0000": "error", "#f00": "error",
		"#ECB22E": "warning", "36a64f": "info", "#439FE0": "info", "": "", "#12": "", "nonsense": "", "#GG0000": ""} {
		if got := colourLevel(in); got != want {
			t.Errorf("colourLevel(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzSlack(f *testing.F) {
	names, bodies := samples(f, "slack")
	for i, name := range names {
		f.Add(typeOf(name).Get("Content-Type"), bodies[i])
	}
	f.Fuzz(func(t *testing.T, contentType string, body []byte) {
		checkReading(t, Slack, http.Header{"Content-Type": {contentType}}, body)
	})
}

func FuzzGeneric(f *testing.F) {
	for _, dir := range []string{"generic", "slack", "github"} {
		names, bodies := samples(f, dir)
		for i, name := range names {
			f.Add(typeOf(name).Get("Content-Type"), bodies[i])
		}
	}
	f.Fuzz(func(t *testing.T, contentType string, body []byte) {
		checkReading(t, Generic, http.Header{"Content-Type": {contentType}}, body)
	})
}

func TestDetect(t *testing.T) {
	types := Types()
	for dir, want := range map[string]string{"slack/text.json": "slack", "slack/attachment.json": "slack", "slack/form.txt": "slack",
		"generic/native.json": "generic", "generic/text.txt": "generic", "generic/alert.json": "alertmanager", "generic/html.json": "generic"} {
		d, name, _ := strings.Cut(dir, "/")
		names, bodies := samples(t, d)
		for i := range names {
			if names[i] == name {
				if got := Detect(typeOf(name), bodies[i]); got != want || types[got].Read == nil {
					t.Errorf("Detect(%s) = %q, want %q", dir, got, want)
				}
			}
		}
	}
	if got := Detect(http.Header{"X-Github-Event": {"push"}}, nil); got != "github" {
		t.Errorf("Detect of GitHub's header = %q", got)
	}
}

// A text of megabytes costs little more than its beginning: a minute of work for one message would keep all others waiting.
func TestLongTextsAreCheap(t *testing.T) {
	const size = 2 << 20
	long := func(form, unit string) []byte {
		return []byte(strings.Replace(form, "@", strings.Repeat(unit, size/len(unit)), 1))
	}
	for name, c := range map[string]struct {
		read Adapter
		body []byte
	}{
		"signs":   {Slack, long(`{"text": "@"}`, "*a* _b_ ~c~ `")},
		"links":   {Slack, long(`{"text": "@"}`, "<http://a|")},
		"colons":  {Slack, long(`{"attachments": [{"text": "@"}]}`, ":")},
		"blocks":  {Slack, long(`{"blocks": [{"type": "divider"}@]}`, `, {"type": "section", "text": {"type": "mrkdwn", "text": "*a* <http://x|y>"}}`)},
		"discord": {Discord, long(`{"content": "@"}`, "<@1> **a** [x](http://a) ")},
		"key":     {Generic, long(`{"title": "T", "@": {"a": 1}}`, "aBcompleted")},
		"event":   {Generic, long(`{"title": "T", "event": "@", "error": {"a": 1}}`, "A1bC")},
		"error":   {Generic, long(`{"title": "T", "status": "failed", "error": "@"}`, "<b>w</b> *x* ")},
		"teams":   {MSTeams, long(`{"title": "T", "sections": [], "text": "@"}`, "<b>a</b> &amp; [x](http://a) ")},
	} {
		begun := time.Now()
		r, err := c.read(http.Header{"Content-Type": {"application/json"}}, c.body)
		if took := time.Since(begun); err != nil || len(r.Items) != 1 || took > 10*time.Second {
			t.Errorf("%s: %d items after %v, %v", name, len(r.Items), took, err)
		}
	}
}
