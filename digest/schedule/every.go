package schedule

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// parseEvery reads the rest of an "@every".
func parseEvery(spec, rest string) (Schedule, error) {
	d, err := duration(rest)
	switch {
	case err != nil:
		return Schedule{}, fmt.Errorf("%q: %q is not a duration; it should look like @every 90s, @every 2h30m, @every 1d or @every 2w",
			spec, rest)
	case d < time.Second:
		return Schedule{}, fmt.Errorf("%q is too often; at least one second is needed: @every 1s", spec)
	case d > maxEvery:
		return Schedule{}, fmt.Errorf("%q is too seldom; at most a year is taken: @every 366d", spec)
	case d%time.Millisecond != 0:
		return Schedule{}, fmt.Errorf("%q is too fine; whole milliseconds are needed", spec)
	}
	return Schedule{spec: spec, every: d}, nil
}

const maxEvery = 366 * 24 * time.Hour

// duration reads a duration as Go has it, where whole weeks and days (w, d) may stand first: 1w2d12h.
func duration(s string) (time.Duration, error) {
	var sum time.Duration
	rest := s
	for _, unit := range []struct {
		letter string
		d      time.Duration
	}{{"w", 7 * 24 * time.Hour}, {"d", 24 * time.Hour}} {
		number, after, found := strings.Cut(rest, unit.letter)
		if !found {
			continue
		}
		n, err := strconv.ParseUint(number, 10, 64)
		if err != nil || n > 9999 { // so that the sum below cannot wrap around
			return 0, fmt.Errorf("%q is not a number up to 9999", number)
		}
		sum, rest = sum+time.Duration(n)*unit.d, after
	}
	if rest == "" && s != "" {
		return sum, nil
	}
	d, err := time.ParseDuration(rest)
	if d < 0 || err == nil && strings.HasPrefix(rest, "+") {
		return 0, fmt.Errorf("signed duration %q", s)
	}
	return sum + min(d, maxEvery), err
}
