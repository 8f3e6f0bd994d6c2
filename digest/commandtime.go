package digest

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"quietpost/digest/schedule"
)

// tooOften tells a schedule that would fill a mailbox: anybody may write to the desk.
func tooOften(s schedule.Schedule) bool {
	t := s.Next(time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC), time.UTC)
	for range 50 {
		next := s.Next(t, time.UTC)
		if next.IsZero() || next.Sub(t) < 30*time.Minute {
			return !next.IsZero()
		}
		t = next
	}
	return false
}

// atTimes puts times of day into a schedule of days.
func atTimes(spec string, times []string) (string, error) {
	switch strings.ToLower(spec) {
	case "@daily", "@midnight":
		spec = "0 0 * * *"
	case "@weekly":
		spec = "0 0 * * 0"
	case "@monthly":
		spec = "0 0 1 * *"
	}
	fields := strings.Fields(spec)
	if len(fields) != 5 {
		return "", fmt.Errorf("%q cannot be joined with a time of day; write for example: daily at 9:00", spec)
	}
	minute, hours := "", []string(nil)
	for _, t := range times {
		h, m, _ := strings.Cut(t, ":")
		if minute != "" && m != minute {
			return "", fmt.Errorf("of several times all must have the same minute, such as 9:00 and 16:00")
		}
		minute = m
		hours = append(hours, h)
	}
	fields[0], fields[1] = minute, strings.Join(hours, ",")
	return strings.Join(fields, " "), nil
}

var clockWord = regexp.MustCompile(`^(\d{1,2})(?:[:.h](\d\d)?)?(am|pm|h|uhr)?$`)

// isClock tells a word that without "at" before it is a time of day: 9:30, 9am, or 9 before "am".
func isClock(word string, next []string) bool {
	m := clockWord.FindStringSubmatch(strings.ToLower(word))
	if m == nil {
		return false
	}
	if m[2] != "" || m[3] != "" {
		return true
	}
	switch {
	case len(next) == 0:
		return false
	case strings.EqualFold(bare(next[0]), "am"), strings.EqualFold(bare(next[0]), "pm"), strings.EqualFold(bare(next[0]), "uhr"), strings.EqualFold(bare(next[0]), "o'clock"):
		return true
	}
	return false
}

// parseClock reads 9, 09:30, 9.30, 9h, 5pm; the next word may be am or pm. It gives "H:M" without leading zeros.
func parseClock(word string, next []string) (string, bool) {
	m := clockWord.FindStringSubmatch(strings.ToLower(bare(word)))
	if m == nil {
		return "", false
	}
	h, _ := strconv.Atoi(m[1])
	minute, _ := strconv.Atoi(m[2])
	half := m[3]
	if half == "" && len(next) > 0 {
		half = strings.ToLower(bare(next[0]))
	}
	switch {
	case half == "pm" && h < 12:
		h += 12
	case half == "am" && h == 12:
		h = 0
	}
	return fmt.Sprintf("%d:%d", h, minute), h < 24 && minute < 60
}
