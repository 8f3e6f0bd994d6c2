package schedule

import (
	"fmt"
	"math/bits"
	"strings"
	"time"
)

// Words say a common schedule for people: "weekdays at 09:00", "every day at 09:00 and 16:00", "every 15 minutes". Of
// any other they are the specification itself.
func (s Schedule) Words() string {
	if s.every > 0 {
		return everyWords(s.every)
	}
	day := s.dayWords()
	switch times := s.timeWords(); {
	case day == "":
		return s.spec
	case times != "":
		return day + " at " + times
	case day != "every day" || s.hour != span(0, 23):
		return s.spec
	}
	return s.minuteWords()
}

// minuteWords say a schedule of all hours of all days.
func (s Schedule) minuteWords() string {
	n := bits.OnesCount64(s.minute)
	step := 60 / max(n, 1)
	var even uint64
	for m := 0; m < 60; m += step {
		even |= 1 << m
	}
	switch {
	case s.minute == 1:
		return "every hour"
	case n == 1:
		return fmt.Sprintf("every hour at :%02d", bits.TrailingZeros64(s.minute))
	case n == 60:
		return "every minute"
	case 60%n == 0 && s.minute == even:
		return fmt.Sprintf("every %d minutes", step)
	}
	return s.spec
}

// maxTimes is how many times of a day are still told one by one.
const maxTimes = 4

// timeWords list the times of a day, if they are few.
func (s Schedule) timeWords() string {
	if bits.OnesCount64(s.hour)*bits.OnesCount64(s.minute) > maxTimes {
		return ""
	}
	var list []string
	for h := range 24 {
		for m := range 60 {
			if has(s.hour, h) && has(s.minute, m) {
				list = append(list, fmt.Sprintf("%02d:%02d", h, m))
			}
		}
	}
	return and(list)
}

// dayWords tell which days, if that is simple.
func (s Schedule) dayWords() string {
	everyDom, everyDow, everyMonth := s.dom == span(1, 31), s.dow == span(0, 6), s.month == span(1, 12)
	switch {
	case everyMonth && (everyDom && everyDow || s.either && (everyDom || everyDow)):
		return "every day"
	case s.either:
		return ""
	case everyMonth && everyDom && s.dow == span(1, 5):
		return "weekdays"
	case everyMonth && everyDom:
		return weekdayWords(s.dow)
	case !everyDow || bits.OnesCount64(s.dom) != 1:
		return ""
	}
	dom := bits.TrailingZeros64(s.dom)
	switch {
	case everyMonth && dom <= 28:
		return fmt.Sprintf("on the %s of every month", ordinal(dom))
	case bits.OnesCount64(s.month) == 1 && s.month != 1<<time.February:
		return fmt.Sprintf("every year on %d %s", dom, time.Month(bits.TrailingZeros64(s.month)))
	}
	return ""
}

// weekdayWords list weekdays from Monday on: "Mondays and Thursdays".
func weekdayWords(dow uint64) string {
	var list []string
	for i := range 7 {
		if d := (i + 1) % 7; has(dow, d) {
			list = append(list, time.Weekday(d).String()+"s")
		}
	}
	return and(list)
}

func everyWords(d time.Duration) string {
	for _, unit := range []struct {
		name string
		d    time.Duration
	}{{"week", 7 * 24 * time.Hour}, {"day", 24 * time.Hour}, {"hour", time.Hour}, {"minute", time.Minute}, {"second", time.Second}} {
		switch n := d / unit.d; {
		case d == unit.d:
			return "every " + unit.name
		case d%unit.d == 0:
			return fmt.Sprintf("every %d %ss", n, unit.name)
		}
	}
	return "every " + d.String()
}

// span has the bits from a to b.
func span(a, b int) uint64 { return 1<<(b+1) - 1<<a }

func ordinal(n int) string {
	switch {
	case n%10 == 1 && n != 11:
		return fmt.Sprintf("%dst", n)
	case n%10 == 2 && n != 12:
		return fmt.Sprintf("%dnd", n)
	case n%10 == 3 && n != 13:
		return fmt.Sprintf("%drd", n)
	}
	return fmt.Sprintf("%dth", n)
}

func and(list []string) string {
	if len(list) < 2 {
		return strings.Join(list, "")
	}
	return strings.Join(list[:len(list)-1], ", ") + " and " + list[len(list)-1]
}
