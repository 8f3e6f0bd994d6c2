package reader

import (
	"regexp"
	"strconv"
	"strings"
	"time"

	"quietpost/digest"
)

// An event is the first one of a calendar part (RFC 5545), as far as a reader of news wants it.
type event struct {
	Method, UID, Summary, Location, Organizer, Status string
	Answer                                            string // of who was invited: ACCEPTED, DECLINED, TENTATIVE
	Start, End                                        time.Time
	Duration                                          time.Duration
	WholeDay                                          bool
	Zone                                              string // as written, where it is no zone that is known here
}

// readCalendar takes the first event of a calendar part.
func (c *collector) readCalendar(h header, body []byte, params map[string]string) {
	if c.event != nil {
		return
	}
	text := c.text(h, body, params).text
	e := parseEvent(text)
	if e == nil {
		c.attach("text/calendar", fileName(params, nil), h, body)
		return
	}
	if e.Method == "" {
		e.Method = strings.ToUpper(digest.OneLine(params["method"], 20))
	}
	c.event = e
}

// parseEvent reads the lines of the first VEVENT; nil if there is none.
func parseEvent(s string) *event {
	s = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(s)
	s = strings.NewReplacer("\n ", "", "\n\t", "").Replace(s) // unfold, RFC 5545, section 3.1
	var e event
	in, seen := false, false
	skip := "" // an alarm inside the event has fields of its own
	for line := range strings.Lines(s) {
		name, params, value := icalLine(strings.TrimRight(line, "\n"))
		switch {
		case name == "METHOD" && !in:
			e.Method = strings.ToUpper(digest.OneLine(value, 20))
		case name == "BEGIN" && strings.EqualFold(value, "VEVENT") && !seen:
			in, seen = true, true
		case name == "BEGIN" && in && skip == "":
			skip = value
		case name == "END" && skip != "" && value == skip:
			skip = ""
		case name == "END" && strings.EqualFold(value, "VEVENT"):
			in = false
		case in && skip == "":
			e.take(name, params, value)
		}
	}
	if !seen {
		return nil
	}
	return &e
}

func (e *event) take(name string, params map[string]string, value string) {
	text := func(max int) string {
		return digest.OneLine(strings.NewReplacer(`\n`, " ", `\N`, " ", `\,`, ",", `\;`, ";", `\\`, `\`).Replace(value), max)
	}
	switch name {
	case "UID":
		e.UID = digest.OneLine(value, 200)
	case "SUMMARY":
		e.Summary = text(digest.MaxTitle)
	case "LOCATION":
		e.Location = text(digest.MaxField)
	case "STATUS":
		e.Status = strings.ToUpper(text(20))
	case "ORGANIZER":
		if e.Organizer = digest.OneLine(params["CN"], 100); e.Organizer == "" {
			e.Organizer = digest.OneLine(strings.TrimPrefix(strings.ToLower(value), "mailto:"), 100)
		}
	case "ATTENDEE":
		if e.Answer == "" {
			e.Answer = strings.ToUpper(params["PARTSTAT"])
		}
	case "DURATION":
		e.Duration = icalDuration(value)
	case "DTSTART":
		e.Start, e.WholeDay, e.Zone = icalTime(params, value)
	case "DTEND":
		e.End, _, _ = icalTime(params, value)
	}
}

// icalLine parts NAME;PARAM=VALUE:VALUE. A colon inside quotes is no end.
func icalLine(line string) (name string, params map[string]string, value string) {
	quoted, end := false, -1
	for i := 0; i < len(line) && end < 0; i++ {
		switch line[i] {
		case '"':
			quoted = !quoted
		case ':':
			if !quoted {
				end = i
			}
		}
	}
	if end < 0 {
		return "", nil, ""
	}
	fields := strings.Split(line[:end], ";")
	params = map[string]string{}
	for _, f := range fields[1:min(len(fields), 20)] {
		k, v, _ := strings.Cut(f, "=")
		params[strings.ToUpper(k)] = strings.Trim(v, `"`)
	}
	return strings.ToUpper(strings.TrimSpace(fields[0])), params, strings.TrimSpace(line[end+1:])
}

// icalTime reads a time in UTC, in a zone, or as the wall clock of wherever (RFC 5545, section 3.3.5); a whole day is one.
func icalTime(params map[string]string, value string) (t time.Time, wholeDay bool, zone string) {
	value = strings.TrimSpace(value)
	if t, err := time.Parse("20060102T150405Z", value); err == nil {
		return t, false, ""
	}
	loc, zone := time.UTC, params["TZID"]
	if l, err := time.LoadLocation(zone); zone != "" && err == nil && len(zone) < 64 {
		loc, zone = l, ""
	}
	if t, err := time.ParseInLocation("20060102T150405", value, loc); err == nil {
		return t, false, digest.OneLine(zone, 60)
	}
	t, err := time.Parse("20060102", value)
	return t, err == nil, ""
}

var icalSpan = regexp.MustCompile(`^\+?P(?:(\d{1,3})W)?(?:(\d{1,3})D)?(?:T(?:(\d{1,4})H)?(?:(\d{1,5})M)?(?:\d{1,6}S)?)?$`)

// icalDuration reads a span of time (RFC 5545, section 3.3.6), to the minute; zero for what is none.
func icalDuration(value string) (d time.Duration) {
	m := icalSpan.FindStringSubmatch(strings.TrimSpace(value))
	if m == nil {
		return 0
	}
	for i, unit := range []time.Duration{7 * 24 * time.Hour, 24 * time.Hour, time.Hour, time.Minute} {
		n, _ := strconv.Atoi(m[i+1])
		d += time.Duration(n) * unit
	}
	return d
}

// words are the event in a line or two, Markdown.
func (e *event) words() string {
	var b strings.Builder
	switch {
	case e.Method == "CANCEL" || e.Status == "CANCELLED":
		b.WriteString("Cancelled: ")
	case e.Method == "REPLY" && e.Answer == "ACCEPTED":
		b.WriteString("Accepted: ")
	case e.Method == "REPLY" && e.Answer == "DECLINED":
		b.WriteString("Declined: ")
	case e.Method == "REPLY" && e.Answer == "TENTATIVE":
		b.WriteString("Perhaps: ")
	case e.Method == "REPLY":
		b.WriteString("Answer to: ")
	case e.Method == "COUNTER":
		b.WriteString("Another time is proposed: ")
	}
	b.WriteString(e.Summary)
	if e.Summary == "" {
		b.WriteString("(an event without a name)")
	}
	if when := e.when(); when != "" {
		b.WriteString("\nWhen: " + when)
	}
	if e.Location != "" {
		b.WriteString("\nWhere: " + e.Location)
	}
	if e.Organizer != "" {
		b.WriteString("\nBy: " + e.Organizer)
	}
	return b.String()
}

func (e *event) when() string {
	const day = "Mon 2 January 2006"
	switch {
	case e.Start.IsZero() || e.Start.Year() < 1970 || e.Start.Year() > 9999:
		return ""
	case e.WholeDay:
		return e.Start.Format(day)
	}
	s := e.Start.Format(day + ", 15:04")
	end := e.End
	if end.IsZero() {
		end = e.Start.Add(e.Duration)
	}
	if end.After(e.Start) {
		if end.Sub(e.Start) < 24*time.Hour {
			s += "–" + end.In(e.Start.Location()).Format("15:04")
		} else {
			s += " to " + end.In(e.Start.Location()).Format(day+", 15:04")
		}
	}
	if e.Zone != "" {
		return s + " (" + e.Zone + ")"
	}
	if e.Start.Location() == time.UTC {
		return s + " UTC"
	}
	return s + " (" + e.Start.Location().String() + ")"
}

// state is the thread's state that the event brings.
func (e *event) state() string {
	switch {
	case e.Method == "CANCEL" || e.Status == "CANCELLED":
		return "cancelled"
	case e.Method == "REPLY", e.Method == "COUNTER":
		return ""
	}
	return "invited"
}

// due is the event's day as its own clock has it.
func (e *event) due() string {
	if y := e.Start.Year(); e.Start.IsZero() || y < 1970 || y > 9999 || e.state() == "cancelled" {
		return ""
	}
	return strconv.Itoa(e.Start.Year()) + e.Start.Format("-01-02")
}
