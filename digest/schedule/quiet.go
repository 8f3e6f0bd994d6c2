package schedule

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Quiet are the hours of each day in which a person is not to be alerted. It can be compared with ==. The zero Quiet
// is never.
type Quiet struct {
	from, to int // minutes of the day; to is not in it; to < from wraps midnight; equal: never
}

var quietForm = regexp.MustCompile(`^([0-9]{1,2}):([0-9]{2})\s*[-–]\s*([0-9]{1,2}):([0-9]{2})$`)

// ParseQuiet reads quiet hours such as "22:00-07:00": from the first time, to the second, which is no longer in it and
// may be of the next day or 24:00. The empty text is the zero Quiet.
func ParseQuiet(text string) (Quiet, error) {
	s := strings.TrimSpace(text)
	if s == "" {
		return Quiet{}, nil
	}
	m := quietForm.FindStringSubmatch(s)
	if m == nil {
		return Quiet{}, fmt.Errorf("%q are no quiet hours; they should look like 22:00-07:00", text)
	}
	var n [4]int
	for i := range n {
		n[i], _ = strconv.Atoi(m[i+1]) // at most two digits
	}
	from, to := n[0]*60+n[1], n[2]*60+n[3]
	if n[0] > 23 || n[1] > 59 || n[3] > 59 || to > 24*60 {
		return Quiet{}, fmt.Errorf("%q: hours are 00:00 to 23:59 (24:00 as the end); quiet hours should look like 22:00-07:00", text)
	}
	to %= 24 * 60
	if from == to {
		return Quiet{}, fmt.Errorf("%q begin and end at the same time; leave quiet out for none, or set alerts: false for no alerts at all", text)
	}
	return Quiet{from, to}, nil
}

// String is the form that ParseQuiet reads; empty for the zero Quiet.
func (q Quiet) String() string {
	if q == (Quiet{}) {
		return ""
	}
	return fmt.Sprintf("%02d:%02d-%02d:%02d", q.from/60, q.from%60, q.to/60, q.to%60)
}

// Until is when the quiet hours that t lies in are over, in loc (nil is UTC); zero if t is outside. Each night's begin
// and end come once, as a schedule's times do, so that the repeated hour of autumn does not bring quiet hours back.
func (q Quiet) Until(t time.Time, loc *time.Location) time.Time {
	if loc == nil {
		loc = time.UTC
	}
	h := highest(t, loc)
	m := minuteOfDay(h)
	inside := m >= q.from && m < q.to
	if q.to < q.from {
		inside = m >= q.from || m < q.to
	}
	if !inside {
		return time.Time{}
	}
	day := h
	if m >= q.to {
		day = h.AddDate(0, 0, 1)
	}
	end := arrival(clock(day, q.to/60, q.to%60), loc)
	if next := q.Until(end, loc); !next.IsZero() { // a zone that left out a day went from one night into the next
		return next
	}
	return end
}
