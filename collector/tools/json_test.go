package tools

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestScrub(t *testing.T) {
	for in, want := range map[string]string{
		`{"secret":"s3","ref":"x"}`:                      `{"secret":"[removed]","ref":"x"}`,
		`{"a":{"Client-Secret" : "q\"uote"},"b":1}`:      `{"a":{"Client-Secret" : "[removed]"},"b":1}`,
		`{"secret":"","token":5,"password":null}`:        `{"secret":"","token":5,"password":null}`,
		`{"text":"the secret: \"x\"","secret_type":"k"}`: `{"text":"the secret: \"x\"","secret_type":"k"}`,
		`{"x":"secret","y":"v"}`:                         `{"x":"secret","y":"v"}`,
		`{"secret":"cut off`:                             `{"secret":"[removed]"`,
		`plain "secret":"x"`:                             `plain "secret":"x"`,
		"payload=%7B%22secret%22%3A%22s3%22%7D":          "payload=%7B%22secret%22%3A%22%5Bremoved%5D%22%7D",
		"payload=%7B%22a%22%3A%22s3%22%7D":               "payload=%7B%22a%22%3A%22s3%22%7D",
		"":                                               "",
	} {
		if got := string(Scrub([]byte(in))); got != want {
			t.Errorf("Scrub(%s)\n got %s\nwant %s", in, got, want)
		}
	}
}

func FuzzScrub(f *testing.F) {
	f.Add([]byte(`{"secret":"s","x":[{"token":"t"}]}`))
	f.Add([]byte("payload=%7B%22secret%22%3A%22s3%22%7D"))
	f.Add([]byte(`{"secret":"\`))
	f.Fuzz(func(t *testing.T, body []byte) {
		once := Scrub(body)
		if twice := Scrub(once); string(twice) != string(once) {
			t.Errorf("scrubbing twice differs: %q, %q", once, twice)
		}
		if n, err := parse(body); err == nil && n.object() != nil && startsJSON(body) {
			m, err := parse(once)
			if err != nil {
				t.Fatalf("no JSON any more: %v: %q", err, once)
			}
			if s := m.str("secret"); s != "" && n.str("secret") == s && s != "[removed]" {
				if _, isText := n.object()["secret"].(string); isText {
					t.Errorf("a secret is left: %q", once)
				}
			}
		}
	})
}

// What templates and scripts of people's get wrong is read all the same; what cannot be meant is not.
func TestMended(t *testing.T) {
	for in, want := range map[string]string{
		"{\"text\": \"a\nb\tc\"}":                       "a\nb\tc",
		`{"text": "C:\Users\data", "n": NaN}`:           `C:\Users\data`,
		`{"text": "\u00e9 \q", "n": [-Infinity, 1,], }`: `é \q`,
		`{"text": "NaN, Infinity ,}", "n": -Infinity}`:  "NaN, Infinity ,}",
		`{"text": "said "hi" to all"}`:                  "",
		`{"text": Nancy}`:                               "",
		`{"text": "cut off`:                             "",
	} {
		n, err := parse([]byte(in))
		if got := n.str("text"); got != want || (err != nil) != (want == "") {
			t.Errorf("%s gives %q, %v; want %q", in, got, err, want)
		}
	}
}

// A body with a value on each line is as many updates; a text that begins with a word in brackets is one.
func TestLines(t *testing.T) {
	for in, want := range map[string][]string{
		"{\"title\":\"one\"}\n{\"title\":\"two\"}\n": {"one", "two"},
		"{\"title\":\"one\",\n\"x\":1}":              {"one"},
		"{\"title\":\"one\"}\nnot JSON":              {"one"},
		"[WARN] disk almost full on db1":             {"[WARN] disk almost full on db1"},
		"[fail2ban] sshd: banned":                    {"[fail2ban] sshd: banned"},
		`"{\"title\":\"one\"}"`:                      {"one"},
		"<html><body><h1>Deploy done</h1></body>":    {"Deploy done"},
	} {
		r, err := Generic(http.Header{}, []byte(in))
		var got []string
		for i := range r.Items {
			got = append(got, r.Items[i].Title)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q gives %q, %v; want %q", in, got, err, want)
		}
	}
	if r, err := Generic(http.Header{}, []byte(`[{"title": "cut off`)); err == nil {
		t.Errorf("JSON that is cut off gives %+v", r.Items)
	}
}

func TestReadTime(t *testing.T) {
	want := time.Date(2026, 3, 2, 10, 4, 5, 0, time.UTC)
	for _, in := range []string{"2026-03-02T10:04:05Z", "2026-03-02T11:04:05+01:00", "2026-03-02T11:04:05.000+0100", "2026-03-02 10:04:05 UTC",
		"2026-03-02 10:04:05 (UTC)", "2026-03-02 10:04:05", "2026-03-02T10:04:05", "Mon, 02 Mar 2026 10:04:05 +0000", "1772445845",
		"1772445845000", "1772445845000000", "1772445845000000000", "1772445845.0", " 2026-03-02 11:04:05 +0100 ",
		"3/2/2026 10:04:05 AM", "03/02/2026 10:04:05 AM UTC", "2026/03/02 10:04:05", "Mon, 02 Mar 2026 10:04:05", "Mon Mar  2 10:04:05 2026"} {
		if got := readTime(in); !got.Equal(want) {
			t.Errorf("readTime(%q) = %v, want %v", in, got, want)
		}
	}
	for _, in := range []string{"", "0", "0001-01-01T00:00:00Z", "yesterday", "12:30", "99999999999999999999999", "NaN", "1e300", "-1772445845",
		"12345678", "2026-13-01", strings.Repeat("1", 100)} {
		if got := readTime(in); !got.IsZero() {
			t.Errorf("readTime(%q) = %v, want none", in, got)
		}
	}
}

func TestWebAddress(t *testing.T) {
	for in, ok := range map[string]bool{"https://x.example/a?b=c#d": true, "http://localhost:3000": true, " https://x.example ": true,
		"ftp://x.example": false, "//x.example": false, "javascript:alert(1)": false, "https://": false, "https://user:pass@x.example": false,
		"https://x.example/a b": false, "https://x.example/\"onclick=": false, "data:text/html,x": false, "https://x.example/\\..": false,
		"https://x.example/" + strings.Repeat("a", 2048): false, "": false, "https://x\n.example": false} {
		if got := webAddress(in) != ""; got != ok {
			t.Errorf("webAddress(%.60q) = %t, want %t", in, got, ok)
		}
	}
}

func TestParse(t *testing.T) {
	deep := func(n int) []byte { return []byte(strings.Repeat("[", n) + strings.Repeat("]", n)) }
	if _, err := parse(deep(maxDepth)); err != nil {
		t.Errorf("%d levels: %v", maxDepth, err)
	}
	if _, err := parse(deep(maxDepth + 1)); !errors.Is(err, ErrUnreadable) {
		t.Errorf("%d levels: %v, want ErrUnreadable", maxDepth+1, err)
	}
	n, err := parse([]byte(`{"id":9007199254740993,"s":"[[[\"[[","l":[{"a":" x "}],"t":true}`))
	if err != nil || n.str("id") != "9007199254740993" || n.str("l.0.a") != "x" || n.str("none", "l.9.a", "l.x", "s.t", "t") != "true" {
		t.Errorf("parse reads %+v, %v", n, err)
	}
}

func TestListIsBounded(t *testing.T) {
	body := "[" + strings.Repeat(`{"title":"x","project":"p"},`, 999) + `{"title":"x"}]`
	r, err := Generic(http.Header{}, []byte(body))
	if err != nil || len(r.Items) != MaxItems {
		t.Fatalf("%d items, %v", len(r.Items), err)
	}
	if last := r.Items[MaxItems-1]; last.Title != "… and 801 more in the same delivery" || last.Project != "p" {
		t.Errorf("the last item is %+v", last)
	}
}

func TestWords(t *testing.T) {
	for in, want := range map[string]string{"pull_request_review": "Pull request review", "issueCreated": "Issue created",
		"DEPLOYMENT_SUCCEEDED": "Deployment succeeded", "repo:push": "Repo push", "CI": "CI", "": "", "Push Hook": "Push hook", "__a__": "A"} {
		if got := words(in); got != want {
			t.Errorf("words(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestExcerpt(t *testing.T) {
	long := strings.Repeat("word ", 1000)
	if got := excerpt("```\n" + long); !strings.HasSuffix(got, " …\n```") || len(got) > bodyMax+20 {
		t.Errorf("a cut block of code is left open: …%q", got[len(got)-20:])
	}
	if got := excerpt("a<!-- hidden\n -->b<!-- never closed"); got != "ab" {
		t.Errorf("comments stay: %q", got)
	}
}

func TestTrailingCommas(t *testing.T) {
	for in, want := range map[string]string{
		`{"a":"x, }","b":[1,2, ],}`: "x, }", `{"a":"\",}",}`: `",}`, `[{"a":"1",},]`: "", `{"a":,}`: "unreadable", `{,}`: "",
	} {
		n, err := parse([]byte(in))
		if got := n.str("a"); (err != nil) != (want == "unreadable") || err == nil && got != want {
			t.Errorf("parse(%s) gives %q, %v, want %q", in, got, err, want)
		}
	}
}

// Forms that people write by hand escape nothing; none of what they say is lost.
func TestParseForm(t *testing.T) {
	for in, want := range map[string]url.Values{
		"":                                  {},
		"a=1&a=2&b":                         {"a": {"1", "2"}, "b": {""}},
		"a=x%20y+z%26":                      {"a": {"x y z&"}},
		"title=Disk 95% full":               {"title": {"Disk 95% full"}},
		"title=CPU+at+100%&b=%41":           {"title": {"CPU at 100%"}, "b": {"A"}},
		"title=50%%20free%":                 {"title": {"50% free%"}},
		"t=%zz+%e4%f6;+done":                {"t": {"%zz \xe4\xf6; done"}},
		"title=backup;+3+files&project=web": {"title": {"backup; 3 files"}, "project": {"web"}},
		"=x&%=y":                            {"": {"x"}, "%": {"y"}},
	} {
		if d := cmp.Diff(want, ParseForm(in)); d != "" {
			t.Errorf("%q: %s", in, d)
		}
	}
	r, err := Generic(http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, []byte("title=Disk 95% full; /var&project=web"))
	if err != nil || len(r.Items) != 1 || r.Items[0].Title != "Disk 95% full; /var" || r.Items[0].Project != "web" {
		t.Errorf("%+v, %v", r, err)
	}
}
