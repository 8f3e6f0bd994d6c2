package schedule

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// maxSpec is the longest specification taken, in bytes.
const maxSpec = 500

// field describes one of the five fields for people.
type field struct{ name, takes string }

var fields = [5]field{
	{"minute", "0-59"},
	{"hour", "0-23"},
	{"day of the month", "1-31"},
	{"month", "1-12 or JAN-DEC"},
	{"weekday", "0-6 or SUN-SAT, 7 is Sunday too"},
}

// named are the shorthands, and what they mean.
var named = map[string]string{
	"@hourly":   "0 * * * *",
	"@daily":    "0 0 * * *",
	"@midnight": "0 0 * * *",
	"@weekly":   "0 0 * * 0",
	"@monthly":  "0 0 1 * *",
	"@yearly":   "0 0 1 1 *",
	"@annually": "0 0 1 1 *",
}

// Parse reads a schedule: a five-field cron expression (minute, hour, day of the month, month, weekday, as crontab(5)
// has them, names and 7 for Sunday too), one of @hourly, @daily, @midnight, @weekly, @monthly, @yearly and @annually, or
// "@every D" with D a Go duration that may begin with weeks and days ("1w2d12h"), one second to 366 days, whose slots
// are the multiples of D since 1970 in UTC. Letter case does not count. An error says what would be right.
func Parse(spec string) (Schedule, error) {
	s := strings.Join(strings.Fields(spec), " ")
	lower := strings.ToLower(s)
	switch {
	case s == "":
		return Schedule{}, errors.New(`a schedule is missing; write for example "0 9 * * MON-FRI" or @daily`)
	case len(s) > maxSpec:
		return Schedule{}, fmt.Errorf("a schedule of %d characters is too long; at most %d are taken", len(s), maxSpec)
	case strings.Contains(lower, "tz="):
		return Schedule{}, fmt.Errorf("%q: leave out TZ=; a schedule runs in the person's own time_zone", s)
	case strings.HasPrefix(lower, "@every "):
		return parseEvery(lower, strings.TrimPrefix(lower, "@every "))
	case strings.HasPrefix(lower, "@"):
		expr, ok := named[lower]
		if !ok {
			return Schedule{}, fmt.Errorf("%q is not known; there are @hourly, @daily, @weekly, @monthly, @yearly and @every 2h", s)
		}
		return parseCron(lower, expr)
	}
	return parseCron(s, s)
}

// parseCron reads a five-field expression; spec is what it was written as.
func parseCron(spec, expr string) (Schedule, error) {
	parts := strings.Split(expr, " ")
	if n := len(parts); n != len(fields) {
		hint := ""
		if n == len(fields)+1 {
			hint = " (seconds are not among them)"
		}
		return Schedule{}, fmt.Errorf("%q has %d fields, five are needed: minute, hour, day of the month, month, weekday%s; "+
			"for example \"0 9 * * MON-FRI\", or @daily", spec, n, hint)
	}
	set := [5]uint64{}
	for i, part := range parts {
		bits, err := parseField(i, part)
		if err != nil {
			return Schedule{}, fmt.Errorf("%q: the %s %q is not right: %w", spec, fields[i].name, part, err)
		}
		set[i] = bits
	}
	s := Schedule{spec: spec, minute: set[0] &^ starBit, hour: set[1] &^ starBit, dom: set[2] &^ starBit,
		month: set[3] &^ starBit, dow: set[4] &^ starBit, either: (set[2]|set[4])&starBit == 0}
	if s.above(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero() {
		return Schedule{}, fmt.Errorf("%q never comes: no month that it names has such a day", spec)
	}
	return s, nil
}

// starBit is set by cron for a field that holds a plain "*" or "?"; when neither of the two day fields has it, a day
// matches by either (crontab(5)).
const starBit = 1 << 63

// A list's part: a number or name or star, a range of them, a step. Cron's parser takes more ("*-5", "+5", "") and
// means something else by it.
var listPart = regexp.MustCompile(`^(?:[*?]|(?:[0-9]{1,2}|[A-Za-z]{3})(?:-(?:[0-9]{1,2}|[A-Za-z]{3}))?)(?:/[0-9]{1,2})?$`)

// parseField gives the values of the i-th field as bits, with starBit as cron sets it.
func parseField(i int, text string) (uint64, error) {
	takes := fmt.Errorf("it takes %s, lists (1,2), ranges (1-5) and steps (*/2)", fields[i].takes)
	list := strings.Split(text, ",")
	for n, part := range list {
		if !listPart.MatchString(part) {
			return 0, takes
		}
		if i == 4 {
			list[n] = sunday(part)
		}
	}
	expr := [5]string{"*", "*", "*", "*", "*"}
	expr[i] = strings.Join(list, ",")
	spec, err := cronParse(strings.Join(expr[:], " "))
	if err != nil {
		if from, to, ok := backward(i, list); ok {
			return 0, fmt.Errorf("%s-%s runs backward; write it as two ranges; %w", from, to, takes)
		}
		return 0, takes
	}
	return [5]uint64{spec.Minute, spec.Hour, spec.Dom, spec.Month, spec.Dow}[i], nil
}

// cronParse calls the library's parser. It has panicked on input of users before, so it is guarded.
func cronParse(expr string) (spec *cron.SpecSchedule, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("not understood: %v", r)
		}
	}()
	parsed, err := cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow).Parse(expr)
	if err != nil {
		return nil, err
	}
	spec, ok := parsed.(*cron.SpecSchedule)
	if !ok {
		return nil, fmt.Errorf("not understood: %T", parsed)
	}
	return spec, nil
}

var weekdays = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// sunday writes a weekday part that names or ends in 7, or ends in SUN, as a list of what cron's parser takes: 7 is 0,
// 5-7 is 5,6,0, MON-SUN is 1,2,3,4,5,6,0.
func sunday(part string) string {
	span, stepText, stepped := strings.Cut(part, "/")
	from, to, ranged := strings.Cut(span, "-")
	if !ranged {
		if from == "7" && !stepped {
			return "0"
		}
		return part
	}
	step := 1
	if stepped {
		step, _ = strconv.Atoi(stepText)
	}
	first := weekday(from)
	if to != "7" && (!strings.EqualFold(to, "sun") || first == 0) || first < 0 || step < 1 {
		return part
	}
	var days []string
	for d := first; d <= 7; d += step {
		days = append(days, strconv.Itoa(d%7))
	}
	return strings.Join(days, ",")
}

// weekday is the number of a weekday, -1 if it is none.
func weekday(s string) int {
	for n, name := range weekdays {
		if strings.EqualFold(s, name) {
			return n
		}
	}
	if n, err := strconv.Atoi(s); err == nil && n <= 7 {
		return n
	}
	return -1
}

// backward finds a weekday range that wraps around the week's end, or a range of numbers that falls.
func backward(i int, list []string) (from, to string, ok bool) {
	for _, part := range list {
		span, _, _ := strings.Cut(part, "/")
		from, to, ranged := strings.Cut(span, "-")
		a, errA := strconv.Atoi(from)
		b, errB := strconv.Atoi(to)
		if i == 4 {
			a, b = weekday(from), weekday(to)
		} else if errA != nil || errB != nil {
			continue
		}
		if ranged && a > b && b >= 0 {
			return from, to, true
		}
	}
	return "", "", false
}
