package digest

import (
	"fmt"
	"time"
)

// A SourceHour counts what a source brought within one hour. The source "" is the daemon itself: an hour with one of it is
// one in which it ran.
type SourceHour struct {
	Source                                  string
	Hour                                    time.Time // its beginning
	Accepted, Ignored, Quarantined, Refused int
	Last                                    time.Time // when the newest delivery came; zero where all were refused
}

// HoursKept is how long hours are kept behind the newest of their source.
const HoursKept = 60 * 24 * time.Hour

// HourOf is the beginning of the hour of an instant, as hours count them.
func HourOf(t time.Time) time.Time { return t.UTC().Truncate(time.Hour) }

// SourceHourOf is what one receipt adds to its source's hour.
func SourceHourOf(r *Receipt) SourceHour {
	t := SourceHour{Source: r.Source, Hour: HourOf(r.ReceivedAt), Last: r.ReceivedAt}
	switch r.State {
	case Accepted:
		t.Accepted = 1
	case Ignored:
		t.Ignored = 1
	default:
		t.Quarantined = 1
	}
	return t
}

// A Trouble is something wrong with a source that the operators were told of, and will be told is over.
type Trouble struct {
	Source string
	What   string // Silent, Garbled or Refused; of an inbox Unreachable or AfterRefused too
	Since  time.Time
}

// What can be wrong with a source.
const (
	Silent  = "silent"  // it brought nothing for far longer than is its habit
	Garbled = "garbled" // what it brings is not understood
	Refused = "refused" // it comes with a secret that is missing or wrong, and with no other

	Unreachable  = "unreachable"   // an inbox cannot be read
	AfterRefused = "after refused" // an inbox's server does not do what is asked for with mails that are stored
)

// Bounds of Troubles.
const (
	habitWindow  = 42 * 24 * time.Hour // how far back from its last word a source's habit is learned
	habitHours   = 6                   // in how many different hours it must have spoken for there to be a habit
	habitDays    = 3                   // and on how many days
	leastSilence = 24                  // hours
	garbledFor   = 24 * time.Hour      // without anything garbled until that is over
	refusedOften = 5                   // times within this hour and the last
	refusedFor   = 7 * 24 * time.Hour  // without another try until that is over
)

// A Diagnosis is what Diagnose finds in a source.
type Diagnosis struct {
	Trouble
	Why Reason
}

// Diagnose tells what is wrong with a source now. It is pure: hours are the source's own, in order of hour, ran says
// whether the daemon ran in the hour that begins then, and had whether the operators were told of a trouble that is not
// over.
//
// A source is silent when it brought nothing for longer than a day and three times the longest gap of its last six weeks,
// of the hours in which it could have been heard.
func Diagnose(now time.Time, hours []SourceHour, ran func(hour time.Time) bool, had func(what string) bool) (found []Diagnosis) {
	var spoke []SourceHour // with deliveries
	var garbled, lastGarbled, lastRefused, lastSpoke time.Time
	refused, taken := 0, 0
	hour := HourOf(now)
	for _, t := range hours {
		if !t.Last.IsZero() {
			spoke, lastSpoke = append(spoke, t), t.Hour
		}
		if t.Quarantined > 0 {
			if t.Hour.Sub(lastGarbled) > garbledFor {
				garbled = t.Hour
			}
			lastGarbled = t.Hour
		}
		if t.Refused > 0 {
			lastRefused = t.Hour
		}
		if hour.Sub(t.Hour) <= time.Hour {
			refused += t.Refused
			taken += t.Accepted + t.Ignored + t.Quarantined
		}
	}
	if !lastGarbled.IsZero() && hour.Sub(lastGarbled) <= garbledFor {
		found = append(found, Diagnosis{Trouble{What: Garbled, Since: garbled}, "what it brings is not understood"})
	}
	begun := refused >= refusedOften && taken == 0
	still := had(Refused) && lastSpoke.Before(lastRefused) && hour.Sub(lastRefused) <= refusedFor
	if begun || still {
		found = append(found, Diagnosis{Trouble{What: Refused, Since: lastRefused},
			Reason(fmt.Sprintf("its secret is missing or wrong: refused %d times in the past hours", refused))})
	}
	if gap, ok := habit(spoke, ran); ok {
		quiet := between(lastSpoke, hour, ran)
		if quiet > max(leastSilence, 3*gap) {
			last := spoke[len(spoke)-1].Last
			found = append(found, Diagnosis{Trouble{What: Silent, Since: last}, Reason(fmt.Sprintf(
				"nothing since %s; it was never silent for longer than %s before", last.UTC().Format("2006-01-02 15:04 MST"), inHours(gap)))})
		}
	}
	return found
}

// habit is the longest gap, in hours, of the weeks before a source's last word; ok is false where there is no habit yet.
func habit(spoke []SourceHour, ran func(time.Time) bool) (gap int, ok bool) {
	if len(spoke) == 0 {
		return 0, false
	}
	from := spoke[len(spoke)-1].Hour.Add(-habitWindow)
	days, n := map[string]bool{}, 0
	var last time.Time
	for _, t := range spoke {
		if t.Hour.Before(from) {
			continue
		}
		if n++; n > 1 {
			gap = max(gap, between(last, t.Hour, ran))
		}
		last = t.Hour
		days[t.Hour.Format(time.DateOnly)] = true
	}
	return gap, n >= habitHours && len(days) >= habitDays
}

// between counts the hours after one and up to another in which the daemon ran.
func between(after, upTo time.Time, ran func(time.Time) bool) (n int) {
	for h := after.Add(time.Hour); !h.After(upTo) && n < 24*365; h = h.Add(time.Hour) {
		if ran(h) {
			n++
		}
	}
	return n
}

func inHours(n int) string {
	if n >= 48 {
		return fmt.Sprintf("%d days", (n+23)/24)
	}
	return fmt.Sprintf("%d hours", n)
}
