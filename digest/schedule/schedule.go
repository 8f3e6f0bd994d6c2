// Package schedule knows hours: when a schedule's slots are in a person's zone, and when a person wants quiet. It
// knows no item and no clock; the moment is an argument.
//
// A schedule names wall-clock times: minutes of days, in no zone. In a zone each of them comes once, at the first
// instant at which the clocks there show it or have jumped over it:
//
//   - skipped in spring: the next valid minute, which is the first after the jump;
//   - repeated in autumn: the first time only;
//   - two that fall on one instant: one.
//
// This holds for every schedule, also for "*/15 * * * *": through the repeated hour of autumn it is silent, because
// each of its times has been there. (ISC cron runs such schedules through both passes; a digest that waits an hour
// longer loses nothing, one that names the same hour twice confuses.)
//
// Seen from the other side: let H be the highest reading the clocks of the zone have shown up to an instant t. Then
// the wall-clock times that have come by t are exactly those up to H. H is the reading at t but after a backward
// change, where it stands still until the clocks have caught up (wall.go). Next and Latest are the schedule's time
// above and up to H.
package schedule

import (
	"math/bits"
	"time"
)

// A Schedule is a set of wall-clock times, or with "@every" of instants. It is a small value and can be compared
// with ==, by how it was written. The zero Schedule has no slot.
type Schedule struct {
	spec  string        // as written, with single spaces
	every time.Duration // "@every": in whole milliseconds; 0 for the others, which have:

	minute, hour, month uint64 // bit n stands for the value n
	dom, dow            uint64
	either              bool // a day matches by dom or by dow, as cron has it when both are restricted
}

// String is the specification as it was written, with single spaces.
func (s Schedule) String() string { return s.spec }

// Next is the first slot strictly after an instant, in loc (nil is UTC); zero only for the zero Schedule.
func (s Schedule) Next(after time.Time, loc *time.Location) time.Time {
	if loc == nil {
		loc = time.UTC
	}
	if s.every > 0 {
		d := s.every.Milliseconds()
		return time.UnixMilli((floorDiv(after.UnixMilli(), d) + 1) * d).In(loc)
	}
	w := s.above(highest(after, loc))
	if w.IsZero() {
		return time.Time{}
	}
	return arrival(w, loc)
}

// Latest is the last slot from notBefore up to now, both ends included, in loc (nil is UTC); zero if there is none.
// It does not walk from one to the other, so it is quick over years.
func (s Schedule) Latest(notBefore, now time.Time, loc *time.Location) time.Time {
	if loc == nil {
		loc = time.UTC
	}
	var slot time.Time
	if s.every > 0 {
		d := s.every.Milliseconds()
		slot = time.UnixMilli(floorDiv(now.UnixMilli(), d) * d).In(loc)
	} else if w := s.upTo(highest(now, loc)); !w.IsZero() {
		slot = arrival(w, loc)
	}
	if slot.IsZero() || slot.Before(notBefore) {
		return time.Time{}
	}
	return slot
}

// searchYears is how far a cron expression's neighbouring times can lie apart: 29 February of 2096 and of 2104.
const searchYears = 8

// above is the schedule's first wall-clock time after h, a wall-clock reading; zero if it has none.
func (s Schedule) above(h time.Time) time.Time {
	w := h.Truncate(time.Minute).Add(time.Minute)
	day, from := midnight(w), minuteOfDay(w)
	for day.Year() <= h.Year()+searchYears {
		if !has(s.month, int(day.Month())) {
			day, from = time.Date(day.Year(), day.Month()+1, 1, 0, 0, 0, 0, time.UTC), 0
			continue
		}
		if s.onDay(day) {
			for hour := from / 60; hour < 24; hour, from = hour+1, 0 {
				if rest := s.minute >> (from % 60); has(s.hour, hour) && rest != 0 {
					return clock(day, hour, from%60+bits.TrailingZeros64(rest))
				}
			}
		}
		day, from = day.AddDate(0, 0, 1), 0
	}
	return time.Time{}
}

// upTo is the schedule's last wall-clock time up to h, a wall-clock reading; zero if it has none.
func (s Schedule) upTo(h time.Time) time.Time {
	const last = 24*60 - 1
	day, from := midnight(h), minuteOfDay(h)
	for day.Year() >= h.Year()-searchYears {
		if !has(s.month, int(day.Month())) {
			day, from = time.Date(day.Year(), day.Month(), 0, 0, 0, 0, 0, time.UTC), last
			continue
		}
		if s.onDay(day) {
			for hour := from / 60; hour >= 0; hour, from = hour-1, 59 {
				if rest := s.minute & (2<<(from%60) - 1); has(s.hour, hour) && rest != 0 {
					return clock(day, hour, bits.Len64(rest)-1)
				}
			}
		}
		day, from = day.AddDate(0, 0, -1), last
	}
	return time.Time{}
}

// onDay tells whether the schedule has times on a day whose month is known to match.
func (s Schedule) onDay(day time.Time) bool {
	dom, dow := has(s.dom, day.Day()), has(s.dow, int(day.Weekday()))
	if s.either {
		return dom || dow
	}
	return dom && dow
}

func has(set uint64, n int) bool { return set>>n&1 == 1 }

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
