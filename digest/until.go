package digest

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// maxPause is how long a pause may be: a date far off is a slip.
const maxPause = 366 * 24 * time.Hour

// parseUntil reads "until 2026-12-01", "until 1 Dec", "until monday", "for 2 weeks", "7d"; nothing means until resumed, a zero
// time. now is in the person's zone; days begin at midnight there.
func parseUntil(words []string, now time.Time) (time.Time, error) {
	var rest []string
	for _, w := range words {
		w = strings.ToLower(bare(w))
		if w != "" && w != "until" && w != "till" && w != "til" && w != "for" && w != "the" && w != "bis" && w != "please" && w != "bitte" {
			if n := numbers[w]; n != "" {
				w = n
			}
			rest = append(rest, w)
		}
	}
	if len(rest) == 0 {
		return time.Time{}, nil
	}
	today := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, now.Location())
	until, ok := aDay(rest, today)
	switch {
	case !ok:
		return time.Time{}, fmt.Errorf("%q is no date; write it as %s, or: pause for 2 weeks", strings.Join(rest, " "),
			today.AddDate(0, 0, 14).Format(time.DateOnly))
	case !until.After(now):
		return time.Time{}, fmt.Errorf("%s is not in the future", until.Format(time.DateOnly))
	case until.Sub(now) > maxPause:
		return time.Time{}, fmt.Errorf("%s is more than a year away; leave with: unsubscribe", until.Format(time.DateOnly))
	}
	return until, nil
}

// numbers are small ones in words, as people write them before days, weeks and months.
var numbers = map[string]string{"a": "1", "an": "1", "one": "1", "two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "ein": "1", "eine": "1", "einen": "1", "zwei": "2", "drei": "3", "vier": "4"}

func aDay(words []string, today time.Time) (time.Time, bool) {
	if words[0] == "next" && len(words) == 2 {
		words = words[1:]
	}
	if len(words) == 1 {
		return oneWordDay(words[0], today)
	}
	if n, err := strconv.Atoi(words[0]); err == nil && len(words) == 2 && n > 0 && n < 1000 {
		switch unit := strings.TrimSuffix(words[1], "s"); unit {
		case "day", "tag", "tage", "tagen":
			return today.AddDate(0, 0, n), true
		case "week", "woche", "wochen":
			return today.AddDate(0, 0, 7*n), true
		case "month", "monat", "monate", "monaten":
			return today.AddDate(0, n, 0), true
		}
	}
	text := strings.Join(words, " ")
	for _, suffix := range []string{"st ", "nd ", "rd ", "th "} { // 1st of december
		text = strings.Replace(text+" ", suffix, " ", 1)
	}
	text = strings.Join(strings.Fields(strings.Replace(text, " of ", " ", 1)), " ")
	for _, layout := range []string{"2 Jan 2006", "2 January 2006", "Jan 2 2006", "January 2 2006", "2 Jan", "2 January", "Jan 2", "January 2"} {
		if t, err := time.ParseInLocation(layout, text, today.Location()); err == nil {
			return inFuture(t, today), true
		}
	}
	return time.Time{}, false
}

func oneWordDay(w string, today time.Time) (time.Time, bool) {
	switch w {
	case "tomorrow", "morgen":
		return today.AddDate(0, 0, 1), true
	case "week":
		w = "monday"
	case "month":
		return time.Date(today.Year(), today.Month()+1, 1, 0, 0, 0, 0, today.Location()), true
	}
	if day := weekdays[w]; day != "" {
		for i := 1; i <= 7; i++ {
			if t := today.AddDate(0, 0, i); strings.EqualFold(t.Weekday().String()[:3], day) {
				return t, true
			}
		}
	}
	if n, err := strconv.Atoi(strings.TrimRight(w, "dwm")); err == nil && n > 0 && n < 1000 && len(w) > 1 {
		switch w[len(w)-1] {
		case 'd':
			return today.AddDate(0, 0, n), true
		case 'w':
			return today.AddDate(0, 0, 7*n), true
		case 'm':
			return today.AddDate(0, n, 0), true
		}
	}
	for _, layout := range []string{time.DateOnly, "2.1.2006", "2.1.", "2.1"} {
		if t, err := time.ParseInLocation(layout, w, today.Location()); err == nil {
			return inFuture(t, today), true
		}
	}
	return time.Time{}, false
}

// inFuture gives a date without a year the next one there is.
func inFuture(t, today time.Time) time.Time {
	if t.Year() != 0 {
		return t
	}
	t = time.Date(today.Year(), t.Month(), t.Day(), 0, 0, 0, 0, today.Location())
	if !t.After(today) {
		t = t.AddDate(1, 0, 0)
	}
	return t
}

// maxSpan is how far back a catch-up by mail reaches.
const maxSpan = 60 * 24 * time.Hour

// parseCatchUp reads how far back, "7d" or "2 weeks", and of which projects, in any order; a week, and all, if nothing is said.
func parseCatchUp(words []string) (span time.Duration, projects []string, err error) {
	from := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	span = 7 * 24 * time.Hour
	var rest, said []string
	for i := 0; i < len(words); i++ {
		w := strings.ToLower(bare(words[i]))
		if n := numbers[w]; n != "" {
			w = n
		}
		switch {
		case w == "" || w == "the" || w == "last" || w == "of" || w == "for" || w == "please" || w == "on":
		case w == "since" || w == "yesterday" || w == "today":
			return 0, nil, fmt.Errorf("%q is no time span; write: catch up 7d, or: catch up 7d apollo", w)
		case said == nil && w[0] >= '0' && w[0] <= '9' && !strings.ContainsAny(w, ".-"):
			said = []string{w}
			to, ok := aDay(said, from)
			if !ok && i+1 < len(words) {
				i++
				said = append(said, strings.ToLower(bare(words[i])))
				to, ok = aDay(said, from)
			}
			if !ok {
				return 0, nil, fmt.Errorf("%q is no time span; write: catch up 7d, or: catch up 7d apollo", OneLine(strings.Join(said, " "), 60))
			}
			if span = to.Sub(from); span > maxSpan {
				return 0, nil, fmt.Errorf("%s is too long ago; 60d is the most", strings.Join(said, " "))
			}
		default:
			rest = append(rest, strings.Split(words[i], ",")...)
		}
	}
	projects, err = projectList(rest)
	return span, projects, err
}
