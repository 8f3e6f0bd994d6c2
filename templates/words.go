package templates

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/unicode/bidi"

	"quietpost/digest"
)

// kindWords are the kinds as a history tells them: once, and how often. Any other word in a history is a state.
var kindWords = map[string][2]string{
	"update":                {"1 update", "updates"},
	digest.KindStatus:       {"1 update", "updates"},
	digest.KindDecision:     {"decided", "decisions"},
	digest.KindQuestion:     {"asked", "questions"},
	digest.KindRequest:      {"asked", "requests"},
	digest.KindRecap:        {"1 recap", "recaps"},
	digest.KindAnnouncement: {"announced", "announcements"},
	digest.KindIncident:     {"reported", "reports"},
	digest.KindDeploy:       {"deployed", "deploys"},
	digest.KindReview:       {"1 review", "reviews"},
	digest.KindComment:      {"1 comment", "comments"},
}

// tones say how a state is tinted; the word itself says the same. A state that is not listed is plain.
var tones = map[string]string{
	"merged": "good", "resolved": "good", "ok": "good", "up": "good", "recovered": "good", "fixed": "good",
	"success": "good", "passed": "good", "done": "good", "approved": "good", "answered": "good", "completed": "good",
	"deployed": "good", "released": "good", "normal": "good", "decided": "good", "published": "good",
	"failed": "bad", "failure": "bad", "firing": "bad", "down": "bad", "error": "bad", "broken": "bad",
	"critical": "bad", "fatal": "bad", "rejected": "bad", "alerting": "bad", "urgent": "bad", "timeout": "bad",
	"warning": "warn", "degraded": "warn", "changes_requested": "warn", "blocked": "warn", "pending": "warn",
	"flapping": "warn", "unstable": "warn", "acknowledged": "warn",
}

// plural gives "1 update", "2 updates".
func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// and joins words as a sentence does: "a", "a and b", "a, b and c".
func and(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " and " + words[last]
}

// state is a tool's word as a reader sees it: "changes_requested" → "changes requested".
func state(s string) string {
	return clean(strings.ReplaceAll(s, "_", " "), 40)
}

// step is one stretch of a history: "opened", "12 comments", "failed 3 times".
func step(s digest.Step) string {
	n := max(s.Count, 1)
	if w, ok := kindWords[s.What]; ok {
		if n == 1 {
			return w[0]
		}
		return fmt.Sprintf("%d %s", n, w[1])
	}
	what := state(s.What)
	if what == "open" {
		what = "opened"
	}
	if n == 1 || what == "" {
		return what
	}
	return fmt.Sprintf("%s %d times", what, n)
}

// span is a length of time in words, with two units where the first is small: "40 s", "30 min", "1 h 5 min",
// "2 days". It rounds down; less than a second is "no time".
func span(d time.Duration) string {
	s, m, h := int(d/time.Second), int(d/time.Minute), int(d/time.Hour)
	switch {
	case s <= 0:
		return "no time"
	case m < 1:
		return fmt.Sprintf("%d s", s)
	case h < 1:
		return fmt.Sprintf("%d min", m)
	case h < 24 && m%60 > 0:
		return fmt.Sprintf("%d h %d min", h, m%60)
	case h < 48:
		return fmt.Sprintf("%d h", h)
	}
	return fmt.Sprintf("%d days", h/24)
}

// ago is an age in one whole unit, rounded down: "just now", "5 minutes ago", "2 days ago", "3 weeks ago".
func ago(d time.Duration) string {
	m, h := int(d/time.Minute), int(d/time.Hour)
	days := h / 24
	switch {
	case m < 1:
		return "just now"
	case h < 1:
		return plural(m, "minute", "minutes") + " ago"
	case days < 1:
		return plural(h, "hour", "hours") + " ago"
	case days < 14:
		return plural(days, "day", "days") + " ago"
	case days < 60:
		return plural(days/7, "week", "weeks") + " ago"
	case days < 730:
		return plural(days/30, "month", "months") + " ago"
	}
	return plural(days/365, "year", "years") + " ago"
}

// A clock shows instants as one reader sees them: in their zone, seen from now.
type clock struct {
	now time.Time
	loc *time.Location
}

func newClock(v *digest.View) clock {
	loc := v.Loc
	if loc == nil {
		loc = time.UTC
	}
	return clock{now: v.Now.In(loc), loc: loc}
}

// days is how many calendar days t lies after now: 0 today, -1 yesterday.
func (c clock) days(t time.Time) int {
	return daysBetween(c.now, t.In(c.loc))
}

// daysBetween counts calendar days, not spans of 24 hours: a day of a DST change is a day too.
func daysBetween(a, b time.Time) int {
	day := func(t time.Time) time.Time {
		y, m, d := t.Date()
		return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
	}
	return int(day(b).Sub(day(a)) / (24 * time.Hour))
}

// at is a past instant, short: "15:04" today, "Mon 15:04" in the last six days, then with the date.
func (c clock) at(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	t = t.In(c.loc)
	switch d := c.days(t); {
	case d == 0:
		return t.Format("15:04")
	case d < 0 && d > -7:
		return t.Format("Mon 15:04")
	case t.Year() == c.now.Year():
		return t.Format("2 Jan 15:04")
	}
	return t.Format("2 Jan 2006 15:04")
}

// next is an instant to come, in a sentence: "today at 16:00", "tomorrow at 09:00", "on Monday 23 November at 09:00".
func (c clock) next(t time.Time) string {
	t = t.In(c.loc)
	switch d := c.days(t); {
	case d == 0:
		return t.Format("today at 15:04")
	case d == 1:
		return t.Format("tomorrow at 15:04")
	case t.Year() == c.now.Year():
		return t.Format("on Monday 2 January at 15:04")
	}
	return t.Format("on Monday 2 January 2006 at 15:04")
}

// due is a day as Item.Due has it: "due today", "due Tue 1 Dec", "was due Fri 20 Nov". What is no such day is shown as
// it is.
func (c clock) due(s string) string {
	if s = clean(s, 40); s == "" {
		return ""
	}
	day, err := time.ParseInLocation("2006-01-02", s, c.loc)
	if err != nil {
		return "due " + s
	}
	layout := "Mon 2 Jan"
	if day.Year() != c.now.Year() {
		layout = "Mon 2 Jan 2006"
	}
	switch d := daysBetween(c.now, day); {
	case d < 0:
		return "was due " + day.Format(layout)
	case d == 0:
		return "due today"
	case d == 1:
		return "due tomorrow"
	}
	return "due " + day.Format(layout)
}

// zone names the reader's zone with its offset now: "Europe/Berlin (UTC+1)".
func (c clock) zone() string {
	name := c.loc.String()
	_, sec := c.now.Zone()
	if sec == 0 {
		if name == "UTC" {
			return name
		}
		return name + " (UTC)"
	}
	sign := "+"
	if sec < 0 {
		sign, sec = "-", -sec
	}
	off := fmt.Sprintf("UTC%s%d", sign, sec/3600)
	if m := sec % 3600 / 60; m != 0 {
		off += fmt.Sprintf(":%02d", m)
	}
	return name + " (" + off + ")"
}

// clean makes untrusted text fit for a line. Intake has done so already; a mail does not depend on it.
func clean(s string, max int) string { return digest.OneLine(s, max) }

// rtl tells whether s holds letters that run from right to left, and so must be kept from turning its neighbours round.
func rtl(s string) bool {
	for _, r := range s {
		if r < unicode.MaxLatin1 {
			continue
		}
		p, _ := bidi.LookupRune(r)
		if c := p.Class(); c == bidi.R || c == bidi.AL {
			return true
		}
	}
	return false
}

// isolated puts s between FSI and PDI (Unicode TR 9) where it holds right-to-left letters: what dir="auto" does in HTML.
func isolated(s string) string {
	if rtl(s) {
		return "\u2068" + s + "\u2069"
	}
	return s
}
