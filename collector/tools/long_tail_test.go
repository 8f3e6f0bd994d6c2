package tools

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

// TestLongTail reads deliveries in the form of tools that have no map file, and shows the line that each gives. The file
// holds them one after the other: ### and a name, headers as "H Name: value", and the body.
func TestLongTail(t *testing.T) {
	text, err := os.ReadFile("testdata/long_tail.txt")
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, delivery := range strings.Split("\n"+string(text), "\n### ")[1:] {
		name, body, _ := strings.Cut(delivery, "\n")
		h := http.Header{"Content-Type": {"application/json"}}
		for strings.HasPrefix(body, "H ") {
			var line string
			line, body, _ = strings.Cut(body, "\n")
			key, value, _ := strings.Cut(line[2:], ": ")
			h.Set(key, value)
		}
		r, err := Generic(h, []byte(body))
		if err != nil || len(r.Items) == 0 {
			t.Errorf("%s: nothing came of it: %v", name, err)
		}
		fmt.Fprintf(&b, "== %s\n", name)
		for _, it := range r.Items {
			checkItem(t, it)
			at := ""
			if !it.OccurredAt.IsZero() {
				at = it.OccurredAt.Format(time.DateTime)
			}
			fmt.Fprintln(&b, it.Title)
			for _, f := range [][2]string{{"project", it.Project}, {"author", it.Author}, {"state", it.State}, {"level", it.Level},
				{"thread", it.Thread}, {"url", it.URL}, {"at", at}, {"urgent", mark("", map[bool]string{true: "yes"}[it.Urgent])}} {
				if f[1] != "" {
					fmt.Fprintf(&b, "  %s %s\n", f[0], f[1])
				}
			}
		}
	}
	golden(t, "long_tail.golden", b.String())
}

// What begins and what says that it is over is one thread, though the words of the two differ.
func TestLongTailThreads(t *testing.T) {
	for _, c := range [][2]string{
		{`{"hostname":"db1","servicedesc":"Disk /","servicestate":"CRITICAL","serviceoutput":"CRIT - 95% used"}`,
			`{"hostname":"db1","servicedesc":"Disk /","servicestate":"OK","serviceoutput":"OK - 71% used"}`},
		{`{"hostname":"db1","hoststate":"DOWN","hostoutput":"CRIT - no answer"}`, `{"hostname":"db1","hoststate":"UP","hostoutput":"OK - 0.5 ms"}`},
		{`{"event":"incident.created","id":12,"name":"API slow","component":{"id":3}}`, `{"event":"incident.resolved","id":12,"name":"API slow","component":{"id":4}}`},
		{`{"event":"conversation_created","id":45,"messages":[{"id":1,"content":"Hello"}]}`, `{"event":"conversation_resolved","id":45,"messages":[{"id":9,"content":"Bye"}]}`},
		{`{"site":"https://shop.example.com","up":false,"code":502}`, `{"site":"https://shop.example.com","up":true,"code":200}`},
	} {
		var threads []string
		for _, body := range c {
			r, err := Generic(http.Header{}, []byte(body))
			if err != nil || len(r.Items) != 1 {
				t.Fatal(r, err)
			}
			threads = append(threads, r.Items[0].Thread)
		}
		if threads[0] == "" || threads[0] != threads[1] {
			t.Errorf("%s is of thread %q, %s of %q", c[0], threads[0], c[1], threads[1])
		}
	}
}
