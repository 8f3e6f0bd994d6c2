package audit

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func raw(id, edition, list, window, body string) string {
	s := "Received: from somewhere\r\nMessage-ID: <" + id + ">\r\nX-Quietpost-Edition: " + edition + "\r\nList-ID: \"Quietpost digests\" <" + list + ">\r\n"
	if window != "" {
		s += "X-Quietpost-Window: " + window + "\r\n"
	}
	return s + "\r\n" + body + "\r\n"
}

func digest(from, to int) string {
	id := fmt.Sprintf("e%d", from)
	return raw(id+"@lab.test", id, "digest-1.lab.test", fmt.Sprintf("%d-%d", from, to), "News.")
}

func TestCheck(t *testing.T) {
	for name, c := range map[string]struct {
		mails   []string
		doubles int
		faults  []string
	}{
		"none":            {},
		"tiles":           {mails: []string{digest(1, 3), digest(4, 4), digest(5, 90)}},
		"any order":       {mails: []string{digest(5, 90), digest(1, 3), digest(4, 4)}},
		"begins anywhere": {mails: []string{digest(100, 103), digest(104, 104)}},
		"gap":             {mails: []string{digest(1, 3), digest(6, 7)}, faults: []string{"4-5 are in no digest"}},
		"overlap":         {mails: []string{digest(1, 3), digest(3, 7)}, faults: []string{"3-3 are in two digests"}},
		"inside":          {mails: []string{digest(1, 9), digest(3, 4), digest(10, 11)}, faults: []string{"3-4 are in two digests"}},
		"double":          {mails: []string{digest(1, 3), digest(4, 5), digest(1, 3)}, doubles: 1},
		"double with other trace fields and line ends": {doubles: 1, mails: []string{digest(1, 3),
			"Delivered-To: x\n" + strings.ReplaceAll(digest(1, 3), "\r\n", "\n")}},
		"not the same": {mails: []string{digest(1, 3), strings.Replace(digest(1, 3), "News", "Other news", 1)}, doubles: 1,
			faults: []string{"came twice and is not the same"}},
		"one edition, two mails": {mails: []string{digest(1, 3), raw("x@lab.test", "e1", "digest-1.lab.test", "", "News.")},
			faults: []string{"edition e1 came as"}},
		"two subscriptions": {mails: []string{digest(1, 3), raw("x@lab.test", "x", "digest-2.lab.test", "2-9", "News."), digest(4, 4)}},
		"alerts have no window": {mails: []string{digest(1, 3), raw("a@lab.test", "a", "alerts.lab.test", "", "Fire."),
			raw("b@lab.test", "b", "alerts.lab.test", "", "Fire."), digest(4, 4)}},
	} {
		t.Run(name, func(t *testing.T) {
			var mails []Mail
			for _, s := range c.mails {
				m, ok, err := Read([]byte(s))
				if err != nil || !ok {
					t.Fatal(ok, err)
				}
				mails = append(mails, m)
			}
			r := Check(mails)
			if r.Doubles != c.doubles || r.Editions != len(c.mails)-c.doubles || len(r.Faults) != len(c.faults) {
				t.Errorf("%+v", r)
			}
			for _, want := range c.faults {
				if !slices.ContainsFunc(r.Faults, func(s string) bool { return strings.Contains(s, want) }) {
					t.Errorf("%q does not say %q", r.Faults, want)
				}
			}
		})
	}
}

func TestSeries(t *testing.T) {
	var mails []Mail
	for _, s := range []string{digest(7, 9), digest(3, 6), raw("x@lab.test", "x", "digest-0.lab.test", "2-9", "News.")} {
		m, _, err := Read([]byte(s))
		if err != nil {
			t.Fatal(err)
		}
		mails = append(mails, m)
	}
	want := []Series{{"digest-0.lab.test", 1, 2, 9}, {"digest-1.lab.test", 2, 3, 9}}
	if got := Check(mails).Series; !slices.Equal(got, want) {
		t.Errorf("%+v", got)
	}
}

func TestRead(t *testing.T) {
	for _, s := range []string{"", "no mail at all", "From: ana@lab.test\r\nSubject: lunch\r\n\r\nAt one?\r\n"} {
		if _, ok, err := Read([]byte(s)); ok || err != nil {
			t.Errorf("%q: %t %v", s, ok, err)
		}
	}
	for _, w := range []string{"5", "5-", "-5", "5-4", "0-4", "a-b", "1-2-3"} {
		if _, ok, err := Read([]byte(raw("x@lab.test", "x", "digest-1.lab.test", w, ""))); !ok || err == nil {
			t.Errorf("window %q: %t %v", w, ok, err)
		}
	}
	if _, ok, err := Read([]byte(raw("", "x", "digest-1.lab.test", "1-2", ""))); !ok || err == nil {
		t.Errorf("no Message-ID: %t %v", ok, err)
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(digest(1, 3)))
	f.Add([]byte("X-Quietpost-Edition: x\r\nList-Id: >\r\nMessage-Id: <>\r\n\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, ok, err := Read(b)
		if ok && err == nil && (m.MessageID == "" || m.To < m.From) {
			t.Errorf("%+v", m)
		}
	})
}
