package digest

import (
	"slices"
	"strings"
	"time"
)

// A Fault keeps the service from its work now, or soon will.
type Fault struct {
	Cause  string        // what is told of apart: FaultDisk, FaultMail, …, or a loop's name; which of several stands behind a slash
	Text   string        // what is wrong, in the words of who found it; empty: as it was
	Before time.Duration // how long it had lasted when it was found
}

// Causes of faults that are told in words of their own.
const (
	FaultDisk  = "disk"  // the database cannot be written or read
	FaultMail  = "mail"  // no mail server takes anything
	FaultClock = "clock" // it was set

	// Of one inbox or server.
	FaultInbox   = "inbox"   // it cannot be read
	FaultAfter   = "after"   // its server refuses what is to be done with mails that are stored
	FaultExpires = "expires" // a certificate or token is good for a few days only, or not any more
)

// A Notice is what the operators are to be told.
type Notice struct {
	Fault
	Over   bool          // the fault is gone; Text is its last one
	Lasted time.Duration // until now, or until it was over
}

// Notices remembers what the operators were told: each cause once, and once more when it is over. Its time is that of a
// clock that nobody can set, since the wall clock may be what is wrong. The zero value is ready; it is for one goroutine.
type Notices struct{ causes map[string]*cause }

// cause is what Notices knows of one.
type cause struct {
	text        string
	since, seen time.Duration // of the stretch that goes on or was the last
	going, told bool
	free        time.Duration // from when it may be told again
}

const (
	faultLasts = time.Minute // what is shorter is in the log and nowhere else
	faultCalm  = time.Minute // without a fault until it is over
	faultAgain = time.Hour   // from one telling of a cause to the next
)

// Next is what is to be told now that these faults are found. That mail cannot be sent is told when it can be again: no
// mail would arrive before.
func (n *Notices) Next(up time.Duration, found []Fault) (tell []Notice) {
	if n.causes == nil {
		n.causes = map[string]*cause{}
	}
	for _, f := range found {
		c := n.causes[f.Cause]
		if c == nil {
			c = &cause{}
			n.causes[f.Cause] = c
		}
		if !c.going {
			c.going, c.told, c.since = true, false, up-f.Before
		}
		if c.seen = up; f.Text != "" {
			c.text = f.Text
		}
		if !c.told && up-c.since >= faultLasts && up >= c.free {
			c.told, c.free = true, up+faultAgain
			if f.Cause != FaultMail {
				tell = append(tell, Notice{f, false, up - c.since})
			}
		}
	}
	for name, c := range n.causes {
		if c.going && up-c.seen >= faultCalm {
			c.going = false
			if c.told {
				tell = append(tell, Notice{Fault{Cause: name, Text: c.text}, true, c.seen - c.since})
			}
		}
	}
	slices.SortFunc(tell, func(a, b Notice) int { return strings.Compare(a.Cause, b.Cause) })
	return tell
}

// Untold takes back that the beginning of a cause was told: it could not be, and is told in a while.
func (n *Notices) Untold(up time.Duration, name string) {
	if c := n.causes[name]; c != nil {
		c.told, c.free = false, up+faultLasts
	}
}

// Going are the causes that were told, or are to be told when they are over, and how long each has lasted.
func (n *Notices) Going(up time.Duration) map[string]time.Duration {
	going := map[string]time.Duration{}
	for name, c := range n.causes {
		if c.going && c.told {
			going[name] = up - c.since
		}
	}
	return going
}

// Resume takes up what was Going when the service stopped. It is for the beginning.
func (n *Notices) Resume(up time.Duration, going map[string]time.Duration) {
	n.causes = map[string]*cause{}
	for name, lasted := range going {
		n.causes[name] = &cause{since: up - lasted, seen: up, going: true, told: true, free: up + faultAgain}
	}
}

// RunsOut tells whether what is good from one instant until another is to be renewed now: in the last sixth of its time, and no earlier than
// two weeks before its end. Who renews by a program does so at a third.
func RunsOut(from, until, now time.Time) bool {
	return now.After(until.Add(-min(until.Sub(from)/6, 14*24*time.Hour)))
}

// A Clock compares the wall clock with one that nobody can set, and finds out when it was set. Its zero value is ready; it
// is for one goroutine.
type Clock struct {
	wall time.Time
	up   time.Duration
	by   time.Duration // how far it was set
	at   time.Duration // when, by the other clock
	gap  bool          // of the time before the first look nobody knows
}

const (
	clockJump = time.Minute        // NTP slews what is less
	clockRest = 6 * time.Hour      // until a clock that was set is believed
	clockGap  = 2 * 24 * time.Hour // how long a service may have been off without its clock being doubted
)

// Look takes both clocks and gives how far the wall clock has been set since the last look, 0 where it was not.
func (c *Clock) Look(wall time.Time, up time.Duration) (jump time.Duration) {
	wall = wall.Round(0) // its own steady part would hide what is looked for
	if !c.wall.IsZero() {
		jump = wall.Sub(c.wall) - (up - c.up)
	}
	c.wall, c.up = wall, up
	if jump.Abs() < clockJump {
		return 0
	}
	if c.by += jump; c.by.Abs() < clockJump {
		c.by = 0 // it was set back to where it was
	}
	c.at = up
	return jump
}

// LastRan tells a Clock before its first look when the service was last seen running; zero for never.
func (c *Clock) LastRan(last, wall time.Time, up time.Duration) {
	away := wall.Sub(last)
	c.gap, c.at = !last.IsZero() && (away > clockGap || away < -time.Hour), up
}

// Set tells how far the clock was set within the past hours, 0 where it was not.
func (c *Clock) Set(up time.Duration) (by time.Duration) {
	if up-c.at >= clockRest {
		c.by, c.gap = 0, false
	}
	return c.by
}

// Steady tells whether the clock may be believed enough to take things away for their age, which cannot be undone.
func (c *Clock) Steady(up time.Duration) bool { return c.Set(up) == 0 && !c.gap }
