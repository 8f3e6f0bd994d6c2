package schedule

import "time"

// A wall-clock reading is kept as a time.Time in UTC that shows it.

// wall is what the clocks of loc show at t, in whole seconds.
func wall(t time.Time, loc *time.Location) time.Time {
	_, offset := t.In(loc).Zone()
	return time.Unix(t.Unix()+int64(offset), 0).UTC()
}

// lookBack is longer than any change of a zone lasts: the greatest there was moved the clocks by a day (the date line).
const lookBack = 48 * time.Hour

// highest is the highest reading that the clocks of loc have shown up to t: that at t, or if a backward change was a
// little while ago the last one before it.
func highest(t time.Time, loc *time.Location) time.Time {
	h := wall(t, loc)
	for from := t; ; {
		start, _ := from.In(loc).ZoneBounds()
		if start.IsZero() || t.Sub(start) > lookBack {
			return h
		}
		from = start.Add(-time.Second)
		if before := wall(from, loc); before.After(h) {
			h = before
		}
	}
}

// arrival is the first instant at which the clocks of loc show w or have jumped over it, in loc.
func arrival(w time.Time, loc *time.Location) time.Time {
	t := w.Add(-lookBack).In(loc) // the clocks show less than w: no zone is two days ahead of UTC
	for {
		_, offset := t.Zone()
		_, end := t.ZoneBounds()
		if !end.IsZero() && !end.After(t) { // on 31 December of a leap year Go 1.26 ends the year after 365 days: golang.org/issue/81583
			end = t.Add(time.Hour)
		}
		at := w.Add(-time.Duration(offset) * time.Second).In(loc)
		switch {
		case at.Before(t): // the change that t stands at has jumped over w
			return t
		case end.IsZero() || at.Before(end):
			return at
		}
		t = end
	}
}

func midnight(w time.Time) time.Time { return clock(w, 0, 0) }

func minuteOfDay(w time.Time) int { return w.Hour()*60 + w.Minute() }

func clock(day time.Time, hour, minute int) time.Time {
	return time.Date(day.Year(), day.Month(), day.Day(), hour, minute, 0, 0, time.UTC)
}
