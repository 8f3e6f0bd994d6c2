package templates

import (
	"testing"
	"time"

	"quietpost/digest"
)

func TestSpansAndAges(t *testing.T) {
	for _, c := range []struct {
		d         time.Duration
		span, ago string
	}{
		{-time.Hour, "no time", "just now"},
		{0, "no time", "just now"},
		{40 * time.Second, "40 s", "just now"},
		{time.Minute, "1 min", "1 minute ago"},
		{30 * time.Minute, "30 min", "30 minutes ago"},
		{time.Hour, "1 h", "1 hour ago"},
		{65 * time.Minute, "1 h 5 min", "1 hour ago"},
		{23*time.Hour + 59*time.Minute, "23 h 59 min", "23 hours ago"},
		{24 * time.Hour, "24 h", "1 day ago"},
		{47*time.Hour + 5*time.Minute, "47 h", "1 day ago"},
		{48 * time.Hour, "2 days", "2 days ago"},
		{13 * 24 * time.Hour, "13 days", "13 days ago"},
		{14 * 24 * time.Hour, "14 days", "2 weeks ago"},
		{61 * 24 * time.Hour, "61 days", "2 months ago"},
		{800 * 24 * time.Hour, "800 days", "2 years ago"},
	} {
		if got := span(c.d); got != c.span {
			t.Errorf("span(%v) = %q, want %q", c.d, got, c.span)
		}
		if got := ago(c.d); got != c.ago {
			t.Errorf("ago(%v) = %q, want %q", c.d, got, c.ago)
		}
	}
}

func TestClock(t *testing.T) {
	// Berlin's clocks go from 2:00 to 3:00 on Sunday 28 March 2027, and back on 31 October.
	now := time.Date(2027, 3, 28, 20, 0, 0, 0, time.UTC) // 22:00 there
	c := newClock(&digest.View{Now: now, Loc: berlin(t)})
	for _, x := range []struct {
		at              time.Time
		past, future    string
		pastOnly, after bool
	}{
		{at: now, past: "22:00", future: "today at 22:00"},
		{at: now.Add(-21 * time.Hour), past: "00:00", pastOnly: true},
		{at: now.Add(-21*time.Hour - time.Minute), past: "Sat 23:59", pastOnly: true},
		{at: time.Date(2027, 3, 22, 8, 0, 0, 0, time.UTC), past: "Mon 09:00", pastOnly: true},
		{at: time.Date(2027, 3, 21, 8, 0, 0, 0, time.UTC), past: "21 Mar 09:00", pastOnly: true}, // a Sunday too
		{at: time.Date(2026, 12, 31, 23, 30, 0, 0, time.UTC), past: "1 Jan 00:30", pastOnly: true},
		{at: time.Date(2026, 12, 31, 22, 30, 0, 0, time.UTC), past: "31 Dec 2026 23:30", pastOnly: true},
		{at: now.Add(11 * time.Hour), future: "tomorrow at 09:00", after: true},
		{at: now.Add(35 * time.Hour), future: "on Tuesday 30 March at 09:00", after: true},
		{at: time.Date(2028, 1, 3, 8, 0, 0, 0, time.UTC), future: "on Monday 3 January 2028 at 09:00", after: true},
	} {
		if got := c.at(x.at); !x.after && got != x.past {
			t.Errorf("at(%v) = %q, want %q", x.at, got, x.past)
		}
		if got := c.next(x.at); !x.pastOnly && got != x.future {
			t.Errorf("next(%v) = %q, want %q", x.at, got, x.future)
		}
	}
	if got := c.at(time.Time{}); got != "" {
		t.Errorf("no time is shown as %q", got)
	}
	for in, want := range map[string]string{
		"": "", "2027-03-28": "due today", "2027-03-29": "due tomorrow", "2027-03-27": "was due Sat 27 Mar", "2027-04-01": "due Thu 1 Apr",
		"2028-01-03": "due Mon 3 Jan 2028", "2026-12-31": "was due Thu 31 Dec 2026", "soon\n": "due soon", "2027-02-30": "due 2027-02-30",
	} {
		if got := c.due(in); got != want {
			t.Errorf("due(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestZoneNames(t *testing.T) {
	for _, c := range []struct{ name, summer, winter string }{
		{"Europe/Berlin", "Europe/Berlin (UTC+2)", "Europe/Berlin (UTC+1)"},
		{"Asia/Kathmandu", "Asia/Kathmandu (UTC+5:45)", "Asia/Kathmandu (UTC+5:45)"},
		{"America/St_Johns", "America/St_Johns (UTC-2:30)", "America/St_Johns (UTC-3:30)"},
		{"Europe/Lisbon", "Europe/Lisbon (UTC+1)", "Europe/Lisbon (UTC)"},
		{"UTC", "UTC", "UTC"},
	} {
		loc, err := time.LoadLocation(c.name)
		if err != nil {
			t.Fatal(err)
		}
		for month, want := range map[time.Month]string{time.July: c.summer, time.January: c.winter} {
			v := &digest.View{Now: time.Date(2027, month, 1, 12, 0, 0, 0, time.UTC), Loc: loc}
			if got := newClock(v).zone(); got != want {
				t.Errorf("%s in %s: %q, want %q", c.name, month, got, want)
			}
		}
	}
}

func TestHistory(t *testing.T) {
	b := digestBuilder{clock: newClock(&digest.View{Now: at(24, 8, 0), Loc: berlin(t)})}
	var flapping []digest.Step
	for i := range 20 {
		flapping = append(flapping, digest.Step{What: []string{"failed", "passed"}[i%2], Count: 1, At: at(23, i, 0)})
	}
	for _, c := range []struct {
		name  string
		steps []digest.Step
		timed bool
		want  string
	}{
		{"none", nil, false, ""},
		{"one says no more than the state", steps("open", 1, at(23, 8, 0)), false, ""},
		{"one with its time", steps("firing", 1, at(24, 1, 10)), true, "firing 02:10"},
		{"net state", steps("open", 1, at(20, 8, 0), "comment", 12, at(23, 8, 0), "merged", 1, at(24, 7, 0)), false, "opened → 12 comments → merged"},
		{"one comment", steps("question", 1, at(20, 8, 0), "comment", 1, at(20, 9, 0)), false, "asked → 1 comment"},
		{"state again and again", steps("failed", 3, at(24, 1, 0)), false, "failed 3 times"},
		{"words of tools", steps("changes_requested", 1, at(24, 1, 0), "review", 2, at(24, 1, 0)), false, "changes requested → 2 reviews"},
		{"one day", steps("firing", 1, at(23, 12, 0), "resolved", 1, at(23, 12, 50)), true, "firing Mon 13:00 → resolved 13:50"},
		{"over midnight", steps("firing", 1, at(23, 22, 50), "resolved", 1, at(23, 23, 10)), true, "firing Mon 23:50 → resolved 00:10"},
		{"no time known", steps("firing", 1, time.Time{}, "resolved", 1, time.Time{}), true, "firing → resolved"},
		{"flapping", flapping, false, "failed → passed → … 15 more … → passed → failed → passed"},
		{"empty words", steps("", 1, at(24, 1, 0), "", 0, at(24, 1, 0)), false, ""},
	} {
		if got := fill("", "", b.history(&digest.Line{History: c.steps}, c.timed)); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestSummary(t *testing.T) {
	ask := func(kinds ...string) (lines []digest.Line) {
		for _, k := range kinds {
			lines = append(lines, digest.Line{Project: "a", Kind: k})
		}
		return lines
	}
	for _, c := range []struct {
		g    digest.Grouping
		want string
	}{
		{digest.Grouping{}, "Nothing new"},
		{digest.Grouping{Items: 1, Sections: []digest.Section{{Project: "a"}}}, "1 update in 1 project"},
		{digest.Grouping{Items: 23, Sections: []digest.Section{{Project: "a"}, {Project: "b"}}, Decisions: []digest.Line{{Project: "c"}}, Needs: ask("question", "question"), Questions: 12},
			"23 updates in 3 projects, 12 questions for you"},
		{digest.Grouping{Items: 2, Needs: ask("request", "question"), Questions: 1, Requests: 1}, "2 updates in 1 project, 1 question and 1 request for you"},
	} {
		if got := summary(&c.g); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

func TestIncidentStatus(t *testing.T) {
	b := alertBuilder{clock: newClock(&digest.View{Now: at(24, 6, 0), Loc: berlin(t)})}
	for want, a := range map[string]digest.AlertView{
		"":                                     {},
		"Resolved":                             {Resolved: true},
		"Since 07:00":                          {OpenedAt: at(24, 6, 0)},
		"Since 06:30, for 30 min":              {OpenedAt: at(24, 5, 30)},
		"Resolved 02:10":                       {Resolved: true, OpenedAt: at(24, 1, 10), ResolvedAt: at(24, 1, 10)},
		"Resolved after 30 min: 02:10 → 02:40": {Resolved: true, OpenedAt: at(24, 1, 10), ResolvedAt: at(24, 1, 40)},
		"Resolved after 2 h 5 min: Mon 23:00 → 01:05": {Resolved: true, OpenedAt: at(23, 22, 0), ResolvedAt: at(24, 0, 5)},
		"Resolved after 4 days: Fri 01:10 → 02:40":    {Resolved: true, OpenedAt: at(20, 0, 10), ResolvedAt: at(24, 1, 40)},
		"Resolved after 20 s: 02:10 → 02:10":          {Resolved: true, OpenedAt: at(24, 1, 10), ResolvedAt: at(24, 1, 10).Add(20 * time.Second)},
	} {
		if got := b.status(&a); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
