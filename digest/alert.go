package digest

import (
	"slices"
	"time"
)

// An AlertPolicy bounds how often a person is alerted.
type AlertPolicy struct {
	Gather        time.Duration // how long followers and storms are gathered
	FollowUpEvery time.Duration // at most one mail an incident in this time, after the second
	MaxPerHour    int           // alert mails a person an hour
}

// An AlertMark says what a subscriber was told of an incident: N mails, the items up to UpTo, the last at At.
type AlertMark struct {
	Subscriber int64
	Incident   int64
	N          int
	UpTo       int64
	At         time.Time
}

// AlertState is all that the alert machine decides from, read in one go.
type AlertState struct {
	Incidents []Incident            // those with something not yet settled, oldest first, with their items
	Marks     []AlertMark           // of these incidents
	Recent    map[int64][]time.Time // by subscriber: the times of the alert mails since the moment asked for, in order
}

// An AlertStep is what the machine says of one subscriber.
type AlertStep struct {
	Send   []AlertPart // one mail with these incidents now; empty for none
	Wait   time.Time   // when to ask again if nothing goes now; zero if nothing is left to tell
	Reason Reason      // why now, or why not now
}

// An AlertPart is one incident of an alert mail.
type AlertPart struct {
	Incident Incident
	New      []Item    // what this mail tells, in order
	Mark     AlertMark // as it will stand when this mail is committed
}

// toldByDigest is how long an urgent item is still worth an alert after a digest has covered it.
const toldByDigest = time.Minute

// NextAlert decides what a subscriber is told now. It is pure: incidents and marks are those of AlertState, recent this
// person's alert mails of the past hour in order, project resolves aliases, quietUntil is the end of the quiet hours the
// person is in (zero outside).
//
// A new incident goes at once. Followers wait until Gather has passed since the incident's first mail, later ones until
// FollowUpEvery has; the all-clear only waits for Gather. From half of MaxPerHour on (a storm) each further mail waits
// until Gather, doubled with every mail, has passed since the last one, and then tells all that is due in one; at
// MaxPerHour the next one waits until the oldest is an hour old. Nothing is dropped: what waits is told later or by the
// digest, which shows in full what no alert has told.
func NextAlert(now time.Time, p AlertPolicy, who *Subscriber, incidents []Incident, marks map[int64]AlertMark,
	recent []time.Time, project func(string) string, quietUntil time.Time) AlertStep {
	recent = slices.DeleteFunc(slices.Clone(recent), now.Before) // a clock that was set back must hold nothing up
	var due []AlertPart
	var wait time.Time
	later := func(t time.Time) {
		if wait.IsZero() || t.Before(wait) {
			wait = t
		}
	}
	for i := range incidents {
		inc := &incidents[i]
		if !who.WantsAlert(project(inc.Project)) {
			continue
		}
		mark := marks[inc.ID]
		fresh := untold(now, who, inc, mark)
		if len(fresh) == 0 {
			continue
		}
		at := dueAt(now, p, inc, mark, fresh)
		if at.After(now) {
			later(at)
			continue
		}
		mark = AlertMark{Subscriber: who.ID, Incident: inc.ID, N: mark.N + 1, UpTo: fresh[len(fresh)-1].Number, At: now}
		due = append(due, AlertPart{Incident: *inc, New: fresh, Mark: mark})
	}
	if len(due) == 0 {
		return AlertStep{Wait: wait}
	}
	if !quietUntil.IsZero() {
		return AlertStep{Wait: earlier(wait, quietUntil), Reason: "held: quiet hours"}
	}
	at, storm := gate(p, recent)
	if at.After(now) {
		return AlertStep{Wait: earlier(wait, at), Reason: "held: many alerts in the past hour are being gathered"}
	}
	if !storm {
		due = due[:1]
	}
	return AlertStep{Send: due, Reason: "urgent"}
}

// untold are the incident's items that the person has not been told of.
func untold(now time.Time, who *Subscriber, inc *Incident, mark AlertMark) []Item {
	var fresh []Item
	raised := mark.N > 0
	seen := map[event]bool{}
	for _, it := range inc.Items {
		if e := eventOf(&it); e.id != "" {
			if seen[e] {
				continue // it came through another hook too
			}
			seen[e] = true
		}
		if it.Number <= mark.UpTo || covered(who, it.Number) && now.Sub(it.ReceivedAt) > toldByDigest {
			continue
		}
		fresh = append(fresh, it)
		raised = raised || it.Urgent
	}
	if !raised {
		return nil // only the all-clear is left of what nobody was alerted of
	}
	if mark.N == 0 && !inc.ResolvedAt.IsZero() && now.Sub(inc.ResolvedAt) > toldByDigest && digested(who) {
		return nil // held until it was over: the digest tells it in full
	}
	return fresh
}

// digested tells whether the person has a running digest.
func digested(who *Subscriber) bool {
	for i := range who.Subscriptions {
		if !who.Subscriptions[i].Ended {
			return true
		}
	}
	return false
}

// covered tells whether every running subscription of the person has passed the number.
func covered(who *Subscriber, number int64) bool {
	n := 0
	for i := range who.Subscriptions {
		if s := &who.Subscriptions[i]; !s.Ended {
			if s.Cursor < number {
				return false
			}
			n++
		}
	}
	return n > 0
}

func dueAt(now time.Time, p AlertPolicy, inc *Incident, mark AlertMark, fresh []Item) time.Time {
	switch {
	case mark.N == 0, mark.At.After(now): // or the clock was set back since the last mail
		return earlier(fresh[0].ReceivedAt, now)
	case mark.N == 1, !inc.ResolvedAt.IsZero():
		return mark.At.Add(p.Gather)
	}
	return mark.At.Add(p.FollowUpEvery)
}

// gate is when the next alert mail may go to a person who got those in recent within the hour, and whether it is a
// storm, in which one mail gathers all.
func gate(p AlertPolicy, recent []time.Time) (at time.Time, storm bool) {
	n := len(recent)
	switch {
	case n >= p.MaxPerHour:
		return recent[n-p.MaxPerHour].Add(time.Hour), true
	case n < (p.MaxPerHour+1)/2:
		return time.Time{}, false
	}
	return recent[n-1].Add(p.Gather << min(n-(p.MaxPerHour+1)/2, 10)), true // ten doublings are over an hour, and a shift by more may overflow
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}
