package digest

import (
	"fmt"
	"time"

	"quietpost/digest/schedule"
)

// A Calendar reads subscriptions' schedules: named ones as the configuration has them now.
type Calendar struct {
	Named map[string]string // name → specification
	Zone  *time.Location    // of people who have not chosen one
}

// Of gives a subscription's schedule and the zone it runs in.
func (c *Calendar) Of(who *Subscriber, s *Subscription) (schedule.Schedule, *time.Location, error) {
	spec := s.Schedule
	if named, ok := c.Named[spec]; ok {
		spec = named
	}
	sched, err := schedule.Parse(spec)
	if err != nil {
		return sched, nil, fmt.Errorf("schedule %q of %s: %w", s.Schedule, who.Address, err)
	}
	return sched, who.Location(c.Zone), nil
}

// Slot is the one slot that stands for all that have come since NextSlot: the latest. A stored next slot that the
// schedule does not name any more counts itself.
func Slot(sched schedule.Schedule, loc *time.Location, next, now time.Time) time.Time {
	if slot := sched.Latest(next, now, loc); !slot.IsZero() {
		return slot
	}
	return next
}

// NextSlot is the slot to wait for behind now. After a clock that was set back a little, the slot served last is not
// named again.
func NextSlot(sched schedule.Schedule, loc *time.Location, last, now time.Time) time.Time {
	next := sched.Next(now, loc)
	if next.Equal(last) {
		next = sched.Next(next, loc)
	}
	return next
}

// Reslot finds the next slots that are not what the schedules now name: new subscriptions, schedules that changed, and
// clocks that were set (a slot further off than its schedule allows). A slot that has come is left to the cut. What
// cannot be read is reported beside the moves.
func (c *Calendar) Reslot(people []Subscriber, now time.Time) (moves []SlotMove, faults []error) {
	for i := range people {
		who := &people[i]
		for j := range who.Subscriptions {
			s := &who.Subscriptions[j]
			if s.Ended || !s.NextSlot.IsZero() && !s.NextSlot.After(now) {
				continue
			}
			sched, loc, err := c.Of(who, s)
			if err != nil {
				faults = append(faults, err)
				continue
			}
			if next := NextSlot(sched, loc, s.LastSlot, now); !next.Equal(s.NextSlot) {
				moves = append(moves, SlotMove{Subscription: s.ID, Old: s.NextSlot, New: next})
			}
		}
	}
	return moves, faults
}
