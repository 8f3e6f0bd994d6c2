package digest

import (
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func sec(n float64) time.Time { return noon.Add(time.Duration(n * float64(time.Second))) }

// play moves a clock in steps of half a second over a script of urgent items and gives the seconds at which mails went,
// with the numbers each told.
func play(t *testing.T, p AlertPolicy, who *Subscriber, until float64, incidents func(at time.Time) []Incident, quiet func(time.Time) time.Time) (at []float64, told [][]int64) {
	t.Helper()
	marks := map[int64]AlertMark{}
	var recent []time.Time
	for s := 0.0; s <= until; s += 0.5 {
		now := sec(s)
		for len(recent) > 0 && now.Sub(recent[0]) >= time.Hour {
			recent = recent[1:]
		}
		for {
			var q time.Time
			if quiet != nil {
				q = quiet(now)
			}
			step := NextAlert(now, p, who, incidents(now), marks, recent, func(s string) string { return s }, q)
			if len(step.Send) == 0 {
				if !step.Wait.IsZero() && !step.Wait.After(now) {
					t.Fatalf("at %v: nothing to send, and to ask again at once (%v)", s, step.Wait)
				}
				break
			}
			var numbers []int64
			for _, part := range step.Send {
				for _, it := range part.New {
					numbers = append(numbers, it.Number)
				}
				marks[part.Incident.ID] = part.Mark
			}
			at, told = append(at, s), append(told, numbers)
			recent = append(recent, now)
		}
	}
	return at, told
}

var policy = AlertPolicy{Gather: 5 * time.Second, FollowUpEvery: 5 * time.Minute, MaxPerHour: 12}

func ana() *Subscriber {
	return &Subscriber{ID: 1, Address: "ana@example.com", State: Active, Alerts: true,
		Subscriptions: []Subscription{{ID: 1, Projects: []string{"*"}}}}
}

// one is a single incident whose items come at the given seconds; the last one resolves it if over is set.
func one(over bool, at ...float64) func(time.Time) []Incident {
	return func(now time.Time) []Incident {
		inc := Incident{ID: 1, Project: "apollo", Thread: "db", OpenedAt: sec(at[0])}
		for i, s := range at {
			if sec(s).After(now) {
				break
			}
			it := Item{Number: int64(i + 1), Urgent: true, ReceivedAt: sec(s)}
			if over && i == len(at)-1 {
				it.Urgent, it.State, inc.ResolvedAt = false, "resolved", sec(s)
			}
			inc.Items = append(inc.Items, it)
		}
		if len(inc.Items) == 0 {
			return nil
		}
		return []Incident{inc}
	}
}

func wantAt(t *testing.T, at []float64, want ...float64) {
	t.Helper()
	if len(at) != len(want) {
		t.Fatalf("mails at %v, want %v", at, want)
	}
	for i := range at {
		if at[i] != want[i] {
			t.Fatalf("mails at %v, want %v", at, want)
		}
	}
}

func TestAlertGoesAtOnceAndFollowersAreGathered(t *testing.T) {
	at, told := play(t, policy, ana(), 900, one(false, 0, 1, 2, 3, 60, 61, 400), nil)
	wantAt(t, at, 0, 5, 305, 605)
	if len(told[1]) != 3 || len(told[2]) != 2 || len(told[3]) != 1 {
		t.Errorf("told %v", told)
	}
}

func TestAllClearWaitsForGatherOnly(t *testing.T) {
	at, _ := play(t, policy, ana(), 900, one(true, 0, 1, 30), nil)
	wantAt(t, at, 0, 5, 30)
}

func TestQuietHoursHold(t *testing.T) {
	quiet := func(now time.Time) time.Time {
		if now.Before(sec(100)) {
			return sec(100)
		}
		return time.Time{}
	}
	at, told := play(t, policy, ana(), 200, one(false, 0, 50), quiet)
	wantAt(t, at, 100)
	if len(told[0]) != 2 {
		t.Errorf("told %v", told)
	}
	at, _ = play(t, policy, ana(), 200, one(true, 0, 10), quiet) // over before the night was
	wantAt(t, at)
	who := ana()
	who.Subscriptions[0].Ended = true // no digest would tell it
	at, _ = play(t, policy, who, 200, one(true, 0, 10), quiet)
	wantAt(t, at, 100)
}

func TestDigestHasToldIt(t *testing.T) {
	who := ana()
	who.Subscriptions[0].Cursor = 1
	at, _ := play(t, policy, who, 10, one(false, 0), nil)
	wantAt(t, at, 0) // cut in the same moment: it is still told at once
	old := func(now time.Time) []Incident { return one(false, -120)(now) }
	at, _ = play(t, policy, who, 10, old, nil)
	wantAt(t, at)
}

func TestStormIsAHandfulOfMailsAndNothingIsDropped(t *testing.T) {
	storm := func(now time.Time) []Incident {
		var incs []Incident
		for i := range 200 {
			if at := sec(float64(i) / 10); !at.After(now) {
				incs = append(incs, Incident{ID: int64(i + 1), Project: "apollo", OpenedAt: at,
					Items: []Item{{Number: int64(i + 1), Urgent: true, ReceivedAt: at}}})
			}
		}
		return incs
	}
	at, told := play(t, policy, ana(), 3600, storm, nil)
	seen := map[int64]int{}
	for _, numbers := range told {
		for _, n := range numbers {
			seen[n]++
		}
	}
	if len(seen) != 200 {
		t.Errorf("%d of 200 told", len(seen))
	}
	for n, times := range seen {
		if times != 1 {
			t.Errorf("item %d told %d times", n, times)
		}
	}
	if len(at) > policy.MaxPerHour {
		t.Errorf("%d mails at %v", len(at), at)
	}
}

func TestCap(t *testing.T) {
	p := AlertPolicy{Gather: 0, FollowUpEvery: time.Minute, MaxPerHour: 2}
	var steady []float64
	for i := range 100 {
		steady = append(steady, float64(i)*60)
	}
	at, told := play(t, p, ana(), 7200, one(false, steady...), nil)
	n := 0
	for i := range told {
		n += len(told[i])
		hour := 0
		for _, other := range at {
			if other <= at[i] && other > at[i]-3600 {
				hour++
			}
		}
		if hour > p.MaxPerHour {
			t.Fatalf("%d mails in the hour before %v: %v", hour, at[i], at)
		}
	}
	if n < 99 {
		t.Errorf("told %d", n)
	}
}

func TestWhoIsNotAlerted(t *testing.T) {
	for name, change := range map[string]func(*Subscriber){
		"wants none":      func(s *Subscriber) { s.Alerts = false },
		"suspended":       func(s *Subscriber) { s.State = Suspended },
		"other project":   func(s *Subscriber) { s.Subscriptions[0].Projects = []string{"borealis"} },
		"no subscription": func(s *Subscriber) { s.Subscriptions = nil },
	} {
		who := ana()
		change(who)
		if at, _ := play(t, policy, who, 10, one(false, 0), nil); len(at) > 0 {
			t.Errorf("%s: mails at %v", name, at)
		}
	}
}

func TestAnEventOfTwoHooksAlertsOnce(t *testing.T) {
	one := item(1, "apollo", "check", "Check failed", event1("e1#0", "org"), urgent)
	two := item(2, "apollo", "check", "Check failed", event1("e1#0", "repo"), urgent)
	who := &Subscriber{ID: 1, State: Active, Alerts: true, Subscriptions: []Subscription{{Projects: []string{"*"}}}}
	inc := &Incident{ID: 1, Project: "apollo", Thread: "check", Items: []Item{one, two}}
	if fresh := untold(noon, who, inc, AlertMark{}); len(fresh) != 1 || fresh[0].Number != 1 {
		t.Errorf("at first: %v", fresh)
	}
	if fresh := untold(noon, who, inc, AlertMark{N: 1, UpTo: 1}); len(fresh) != 0 {
		t.Errorf("told again: %v", fresh)
	}
}

// A max_per_hour that was lowered while many alerts left holds the next ones together, however many there were.
func TestGateNeverOverflows(t *testing.T) {
	p := AlertPolicy{Gather: 5 * time.Second, MaxPerHour: 150}
	for n := 75; n < 300; n++ {
		recent := make([]time.Time, n)
		for i := range recent {
			recent[i] = noon
		}
		if at, storm := gate(p, recent); !storm || at.Before(noon.Add(5*time.Second)) {
			t.Fatalf("after %d alerts the next one goes at %v", n, at)
		}
	}
}
