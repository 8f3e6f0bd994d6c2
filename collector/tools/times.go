package tools

import (
	"strconv"
	"strings"
	"time"
)

// layouts are the forms of time that tools write besides RFC 3339. A time without a zone is taken as UTC.
var layouts = []string{
	time.RFC3339,               // with any fraction
	"2006-01-02T15:04:05Z0700", // Jira
	"2006-01-02T15:04:05",
	"2006-01-02 15:04:05 MST", // GitLab: "2015-05-17 18:08:09 UTC"
	"2006-01-02 15:04:05 -0700",
	"2006-01-02 15:04:05Z07:00",
	"2006-01-02 15:04:05",
	time.RFC1123Z,
	time.RFC1123,
	time.UnixDate,
	time.ANSIC,
	"Mon, 02 Jan 2006 15:04:05",
	"2006-01-02 15:04",
	"2006-01-02T15:04Z07:00",
	"2006/01/02 15:04:05",
	"1/2/2006 3:04:05 PM", // who writes AM and PM writes the month first
	"1/2/2006 3:04:05 PM MST",
	"02 Jan 2006 15:04:05",
	"2006-01-02",
}

// readTime reads a time as tools write it: one of layouts, or seconds, milli-, micro- or nanoseconds since 1970, told
// apart by size. What is no time, or not between 2000 and 2100, gives zero.
func readTime(s string) time.Time {
	s = strings.TrimSpace(strings.Replace(s, "(UTC)", "UTC", 1))
	if len(s) < 8 || len(s) > 64 {
		return time.Time{}
	}
	var t time.Time
	if n, err := strconv.ParseFloat(s, 64); err == nil {
		t = unixTime(s, n)
	} else {
		for _, l := range layouts {
			if p, err := time.Parse(l, s); err == nil {
				t = p
				break
			}
		}
	}
	if y := t.Year(); y < 2000 || y >= 2100 {
		return time.Time{}
	}
	return t.UTC()
}

func unixTime(s string, n float64) time.Time {
	i, err := strconv.ParseInt(s, 10, 64)
	if err != nil { // seconds with a fraction, as Slack's ts
		if n < 1e8 || n > 1e11 {
			return time.Time{}
		}
		return time.UnixMilli(int64(n * 1000))
	}
	switch {
	case i < 1e11:
		return time.Unix(i, 0)
	case i < 1e14:
		return time.UnixMilli(i)
	case i < 1e17:
		return time.UnixMicro(i)
	}
	return time.Unix(0, i)
}
