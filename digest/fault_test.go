package digest

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestNotices plays a day in minutes: each case says when a cause is found, and what is told when.
func TestNotices(t *testing.T) {
	for name, c := range map[string]struct {
		cause string
		found func(minute int) bool
		tells string
	}{
		"never":                      {FaultDisk, func(int) bool { return false }, ""},
		"shorter than a minute":      {FaultDisk, func(m int) bool { return m == 5 }, ""},
		"once, and once when over":   {FaultDisk, func(m int) bool { return m >= 5 && m < 300 }, "6 disk, 300 disk over after 4h54m0s"},
		"at the very start":          {FaultDisk, func(m int) bool { return m < 3 }, "1 disk, 3 disk over after 2m0s"},
		"it does not end":            {FaultDisk, func(m int) bool { return m >= 5 }, "6 disk"},
		"comes back within the hour": {FaultDisk, func(m int) bool { return m < 5 || m >= 20 && m < 30 }, "1 disk, 5 disk over after 4m0s"},
		"comes back and stays": {FaultDisk, func(m int) bool { return m < 5 || m >= 20 && m < 90 },
			"1 disk, 5 disk over after 4m0s, 61 disk, 90 disk over after 1h9m0s"},
		"comes back later": {FaultDisk, func(m int) bool { return m < 5 || m >= 100 && m < 110 },
			"1 disk, 5 disk over after 4m0s, 101 disk, 110 disk over after 9m0s"},
		"to and fro":                   {FaultDisk, func(m int) bool { return m < 200 && m%2 == 0 }, ""},
		"mail is told when it is over": {FaultMail, func(m int) bool { return m >= 5 && m < 300 }, "300 mail over after 4h54m0s"},
		"mail that never comes back":   {FaultMail, func(m int) bool { return m >= 5 }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var n Notices
			var told []string
			for m := range 24 * 60 {
				var found []Fault
				if c.found(m) {
					found = []Fault{{Cause: c.cause, Text: fmt.Sprint("since ", m)}}
				}
				for _, w := range n.Next(time.Duration(m)*time.Minute, found) {
					s := fmt.Sprint(m, " ", w.Cause)
					if w.Over {
						s += fmt.Sprint(" over after ", w.Lasted)
					}
					told = append(told, s)
				}
			}
			if got := strings.Join(told, ", "); got != c.tells {
				t.Errorf("told: %s\nwant: %s", got, c.tells)
			}
		})
	}
}

func TestNoticesOfTwoCausesDoNotTouch(t *testing.T) {
	var n Notices
	both := []Fault{{Cause: FaultDisk, Text: "full"}, {Cause: "alerts", Text: "stuck"}}
	n.Next(0, both)
	if got := n.Next(time.Minute, both); len(got) != 2 || got[0].Cause != "alerts" || got[1].Text != "full" {
		t.Errorf("%+v", got)
	}
	if got := n.Next(2*time.Minute, both[:1]); len(got) != 1 || got[0].Cause != "alerts" || !got[0].Over {
		t.Errorf("%+v", got)
	}
}

// TestNoticesOutliveARestart: what was told is not told again, and what was mended meanwhile is over.
func TestNoticesOutliveARestart(t *testing.T) {
	var n Notices
	both := []Fault{{Cause: "inbox/updates", Text: "refused", Before: 10 * time.Minute}, {Cause: FaultMail, Text: "gone"}}
	if got := n.Next(0, both); len(got) != 1 || got[0].Cause != "inbox/updates" || got[0].Lasted != 10*time.Minute {
		t.Errorf("what has lasted is told at once: %+v", got)
	}
	n.Next(time.Minute, both)
	going := n.Going(2 * time.Minute)
	if len(going) != 2 || going["inbox/updates"] != 12*time.Minute || going[FaultMail] != 2*time.Minute {
		t.Errorf("%v", going)
	}
	var after Notices
	after.Resume(time.Hour, going) // another boot, another uptime
	for m := range 30 {
		if got := after.Next(time.Hour+time.Duration(m)*time.Minute, both[:1]); len(got) > 0 && got[0].Cause != FaultMail {
			t.Errorf("minute %d: %+v", m, got)
		} else if (len(got) > 0) != (m == 1) || len(got) > 0 && (!got[0].Over || got[0].Lasted != 2*time.Minute) {
			t.Errorf("minute %d: %+v", m, got)
		}
	}
	if got := after.Next(time.Hour+31*time.Minute, nil); len(got) != 1 || !got[0].Over || got[0].Lasted != 12*time.Minute+29*time.Minute {
		t.Errorf("%+v", got)
	}
}

func TestRunsOut(t *testing.T) {
	for _, c := range []struct{ days, first int }{{90, 76}, {365, 351}, {6, 5}, {36500, 36486}} {
		until := noon.Add(time.Duration(c.days) * 24 * time.Hour)
		first := 0
		for !RunsOut(noon, until, noon.Add(time.Duration(first)*24*time.Hour+time.Hour)) {
			first++
		}
		if first != c.first {
			t.Errorf("good for %d days: told on day %d, want %d", c.days, first, c.first)
		}
	}
}

func TestANoticeThatCouldNotBeSentIsSentLater(t *testing.T) {
	var n Notices
	told := 0
	for m := range 30 {
		for range n.Next(time.Duration(m)*time.Minute, []Fault{{Cause: FaultDisk, Text: "full"}}) {
			if told++; m < 10 {
				n.Untold(time.Duration(m)*time.Minute, FaultDisk)
			}
		}
	}
	if told != 10 {
		t.Errorf("told %d times, want nine in vain and once", told)
	}
}

func TestClock(t *testing.T) {
	day := 24 * time.Hour
	type look struct {
		later, set time.Duration // how much time passes, and how far somebody sets the clock meanwhile
		jump, by   time.Duration
		steady     bool
	}
	for name, looks := range map[string][]look{
		"goes":   {{later: time.Second, steady: true}, {later: 400 * day, steady: true}},
		"drifts": {{later: day, set: 30 * time.Second, steady: true}, {later: day, set: -50 * time.Second, steady: true}},
		"set, and believed later": {{set: 4 * 365 * day, jump: 4 * 365 * day, by: 4 * 365 * day}, {later: 5 * time.Hour, by: 4 * 365 * day},
			{later: time.Hour, steady: true}},
		"set back":          {{set: -time.Hour, jump: -time.Hour, by: -time.Hour}, {later: 6 * time.Hour, steady: true}},
		"set and set right": {{set: 9 * day, jump: 9 * day, by: 9 * day}, {later: time.Minute, set: -9 * day, jump: -9 * day, steady: true}},
		"set twice":         {{set: 9 * day, jump: 9 * day, by: 9 * day}, {later: 5 * time.Hour, set: day, jump: day, by: 10 * day}, {later: 5 * time.Hour, by: 10 * day}},
	} {
		t.Run(name, func(t *testing.T) {
			var c Clock
			wall, up := noon, time.Hour
			c.Look(wall, up)
			for i, l := range looks {
				wall, up = wall.Add(l.later+l.set), up+l.later
				if jump := c.Look(wall, up); jump != l.jump || c.Set(up) != l.by || c.Steady(up) != l.steady {
					t.Errorf("look %d: jump %v, set by %v, steady %v; want %+v", i, jump, c.Set(up), c.Steady(up), l)
				}
			}
		})
	}
	for name, l := range map[string]struct {
		last   time.Time
		steady bool
	}{
		"new": {steady: true}, "ran just now": {noon.Add(-time.Minute), true}, "off over night": {noon.Add(-day), true},
		"off for a month": {noon.Add(-30 * day), false}, "ran in the future": {noon.Add(2 * time.Hour), false},
	} {
		var c Clock
		c.LastRan(l.last, noon, time.Hour)
		c.Look(noon, time.Hour)
		if c.Steady(time.Hour) != l.steady || !c.Steady(7*time.Hour) || c.Set(time.Hour) != 0 {
			t.Errorf("%s: steady %v, after seven hours %v", name, c.Steady(time.Hour), c.Steady(7*time.Hour))
		}
	}
}
