package web

import (
	"fmt"
	"strings"
	"testing"

	"quietpost/digest"
)

func TestResume(t *testing.T) {
	f := newFake()
	ana := &f.people[0]
	ana.State = digest.Suspended
	ana.Bounces = digest.BounceRecord{SuspendedAt: nine, Reason: "the address does not take mail: 5.1.1 <no> such user"}
	h := New(options(f))
	link, leave := "/r/"+token("r", "1"), "/l/"+token("d", "12")
	for i, c := range []struct {
		method, target, body string
		code                 int
		want                 string
	}{
		{"GET", leave, "", 200, `href="../r/` + token("r", "1") + `"`},
		{"GET", link, "", 200, "Since 2 March 2026, 09:00 mail to this address is held, because the address does not take mail: 5.1.1 &lt;no&gt; such user."},
		{"HEAD", link, "", 200, ""},
		{"GET", link + "?do=resume", "", 200, "Mail is held"},
		{"POST", link, "", 400, "Nothing was changed"},
		{"POST", link, "do=leave", 400, "Nothing was changed"},
		{"POST", link, "do=resume", 200, "Done: mail comes again"},
		{"POST", link, "do=resume", 200, "Nothing is held"},
		{"GET", link, "", 200, "Nothing is held"},
		{"GET", "/r/" + token("a", "1"), "", 404, ""},
		{"POST", "/r/" + token("r", "99"), "do=resume", 404, ""},
		{"POST", "/r/" + token("r", "3"), "do=resume", 200, "Nothing is held"}, // who left stays away
		{"PUT", link, "", 405, ""},
	} {
		w := ask(h, c.method, c.target, c.body)
		if w.Code != c.code || !strings.Contains(w.Body.String(), c.want) {
			t.Errorf("%d. %s %s: %d, want %d and %q\n%s", i, c.method, c.body, w.Code, c.code, c.want, w.Body)
		}
	}
	if got := fmt.Sprint(f.changes); got != "[lift 1]" {
		t.Error(got)
	}
}
