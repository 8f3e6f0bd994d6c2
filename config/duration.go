package config

import (
	"fmt"
	"strings"
	"time"
)

// A Duration is Go's plus d (24 hours) and w (7 days), as in "90s", "1h30m", "14d" or "2w". It is never negative.
type Duration time.Duration

// Std is the duration as the standard library has it.
func (d Duration) Std() time.Duration { return time.Duration(d) }

// longest is about 290 years.
const longest = time.Duration(1<<63 - 1)

const (
	day  = 24 * time.Hour
	week = 7 * day
)

// ParseDuration reads a Duration. Its errors say what would be right.
func ParseDuration(s string) (Duration, error) {
	d, err := parseDuration(s)
	if err != nil {
		return 0, fmt.Errorf("%q %w", s, err)
	}
	return d, nil
}

func parseDuration(s string) (Duration, error) {
	if s == "0" {
		return 0, nil
	}
	var sum time.Duration
	rest := s
	for rest != "" {
		i := strings.IndexFunc(rest, func(r rune) bool { return r != '.' && (r < '0' || r > '9') })
		if i < 0 {
			return 0, wrong("has no unit", "write "+rest+"s, "+rest+"m, "+rest+"h, "+rest+"d or "+rest+"w")
		}
		number, tail := rest[:i], rest[i:]
		j := strings.IndexFunc(tail, func(r rune) bool { return r == '.' || r >= '0' && r <= '9' })
		if j < 0 {
			j = len(tail)
		}
		part, err := durationPart(number, tail[:j])
		if err != nil {
			return 0, wrong("is not a duration", "")
		}
		if part > longest-sum {
			return 0, wrong("is too long a duration", "")
		}
		sum, rest = sum+part, tail[j:]
	}
	if s == "" {
		return 0, wrong("is not a duration", "")
	}
	return Duration(sum), nil
}

// durationPart leaves numbers to the standard library: days and weeks are read as hours and multiplied.
func durationPart(number, unit string) (time.Duration, error) {
	times := time.Duration(1)
	switch unit {
	case "d":
		unit, times = "h", day/time.Hour
	case "w":
		unit, times = "h", week/time.Hour
	}
	d, err := time.ParseDuration(number + unit)
	if err == nil && d > longest/times {
		err = fmt.Errorf("overflow")
	}
	return d * times, err
}

// String is the shortest form that ParseDuration reads back: whole weeks, else whole days, else Go's without the zero
// minutes and seconds at its end.
func (d Duration) String() string {
	switch t := time.Duration(d); {
	case t == 0:
		return "0s"
	case t%week == 0:
		return fmt.Sprintf("%dw", t/week)
	case t%day == 0:
		return fmt.Sprintf("%dd", t/day)
	}
	s := time.Duration(d).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// MarshalText and UnmarshalText are String and ParseDuration.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (d *Duration) UnmarshalText(b []byte) (err error) {
	*d, err = ParseDuration(string(b))
	return err
}
