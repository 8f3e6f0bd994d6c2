package rules

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// forms are the written forms of instants that tools use, beside numbers.
var forms = []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999Z0700", "2006-01-02 15:04:05 MST", "2006-01-02 15:04:05 -0700",
	"2006-01-02 15:04:05.999999999", "2006-01-02T15:04:05.999999999", time.RFC1123Z, time.RFC1123, time.RubyDate, time.UnixDate, "2006-01-02 15:04", "2006-01-02"}

func instant(args ...any) (any, error) {
	if t, ok := Time(args[0]); ok {
		return t, nil
	}
	return nil, nil
}

// Time reads an instant: a time.Time, a written form, or a number of seconds, milliseconds, microseconds or nanoseconds
// since 1970, told apart by size. Without a zone it is UTC.
func Time(v any) (time.Time, bool) {
	switch v := v.(type) {
	case time.Time:
		return v, !v.IsZero()
	case string:
		v = strings.TrimSpace(v)
		for _, f := range forms {
			if t, err := time.Parse(f, v); err == nil && t.Year() > 1970 {
				return t, true
			}
		}
		if f, err := strconv.ParseFloat(v, 64); err == nil {
			return Time(f)
		}
		return time.Time{}, false
	}
	f, ok := number(v)
	if !ok || f < 1e8 || f > 1e19 || math.IsNaN(f) {
		return time.Time{}, false
	}
	for f > 1e11 {
		f /= 1000
	}
	sec, frac := math.Modf(f)
	return time.Unix(int64(sec), int64(frac*1e9)).UTC(), true
}
