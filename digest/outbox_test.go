package digest

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

func TestOutcomeOf(t *testing.T) {
	m := &Message{ID: 7, Lease: 3, Attempts: giveUpTries, CreatedAt: noon}
	for name, c := range map[string]struct {
		err   error
		now   time.Time
		state string
	}{
		"taken":             {nil, noon, Delivered},
		"no server":         {errors.New("connection refused"), noon, Queued},
		"temporary":         {&SendError{Code: 451, Text: "later"}, noon, Queued},
		"permanent":         {&SendError{Code: 550, Enhanced: "5.1.1", Text: "no such user", Permanent: true}, noon, Failed},
		"wrapped permanent": {fmt.Errorf("sending: %w", &SendError{Code: 550, Permanent: true}), noon, Failed},
		"too long":          {&SendError{Code: 451, Text: "later"}, noon.Add(GiveUpAfter + time.Second), Failed},
	} {
		r := OutcomeOf(m, c.err, c.now, 0.5)
		if r.State != c.state || r.ID != 7 || r.Lease != 3 || (r.State == Queued) != r.NextAt.After(c.now) || (c.err == nil) != (r.Answer == "") {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

func TestTheWordsOfWhoTookItAreKept(t *testing.T) {
	if r := OutcomeOf(&Message{Answer: "250 queued\r\nas 7"}, nil, noon, 0.5); r.State != Delivered || r.Answer != "250 queued as 7" {
		t.Errorf("%+v", r)
	}
}

func TestAMessageHasItsTriesAlsoAfterDaysWithoutAServer(t *testing.T) {
	m := &Message{Attempts: giveUpTries - 1, CreatedAt: noon}
	if r := OutcomeOf(m, &SendError{Code: 451, Text: "greylisted"}, noon.Add(9*24*time.Hour), 0.5); r.State != Queued {
		t.Errorf("%+v", r)
	}
}

func TestBackoffTriesForTwoDaysAtLeast(t *testing.T) {
	var total time.Duration
	tries := 0
	for total < GiveUpAfter {
		tries++
		d, lo, hi := Backoff(tries, 0.5), Backoff(tries, 0), Backoff(tries, 0.999)
		if lo >= d || hi <= d || d > 2*time.Hour {
			t.Fatalf("try %d: %v in %v–%v", tries, d, lo, hi)
		}
		total += d
	}
	if tries < 48 || tries > 100 {
		t.Errorf("%d tries in five days", tries)
	}
	if Backoff(-1, 0.5) != Backoff(1, 0.5) || Backoff(1<<40, 0.5) != 2*time.Hour {
		t.Error("bounds")
	}
}

func TestCalendar(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	c := Calendar{Named: map[string]string{"daily": "0 9 * * MON-FRI"}, Zone: time.UTC}
	at := func(s string) time.Time {
		v, err := time.ParseInLocation("2006-01-02 15:04:05", s, berlin)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	who := Subscriber{Address: "ana@example.com", Zone: "Europe/Berlin"}
	for name, s := range map[string]struct {
		sub  Subscription
		now  time.Time
		want time.Time // zero: no move
	}{
		"new":                 {Subscription{Schedule: "daily"}, at("2026-11-20 10:00:00"), at("2026-11-23 09:00:00")},
		"as it should be":     {Subscription{Schedule: "daily", NextSlot: at("2026-11-23 09:00:00")}, at("2026-11-20 10:00:00"), time.Time{}},
		"schedule changed":    {Subscription{Schedule: "@hourly", NextSlot: at("2026-11-23 09:00:00")}, at("2026-11-20 10:30:00"), at("2026-11-20 11:00:00")},
		"clock was in 2030":   {Subscription{Schedule: "daily", NextSlot: at("2030-01-02 09:00:00"), LastSlot: at("2030-01-01 09:00:00")}, at("2026-11-20 10:00:00"), at("2026-11-23 09:00:00")},
		"due: left to cut":    {Subscription{Schedule: "daily", NextSlot: at("2026-11-20 09:00:00")}, at("2026-11-20 10:00:00"), time.Time{}},
		"clock a minute back": {Subscription{Schedule: "daily", NextSlot: at("2026-11-23 09:00:00"), LastSlot: at("2026-11-20 09:00:00")}, at("2026-11-20 08:59:00"), time.Time{}},
		"left":                {Subscription{Schedule: "daily", Ended: true}, at("2026-11-20 10:00:00"), time.Time{}},
	} {
		who.Subscriptions = []Subscription{s.sub}
		moves, faults := c.Reslot([]Subscriber{who}, s.now)
		if len(faults) > 0 || (len(moves) == 1) != !s.want.IsZero() || len(moves) == 1 && !moves[0].New.Equal(s.want) {
			t.Errorf("%s: moves %v faults %v, want %v", name, moves, faults, s.want)
		}
	}
	who.Subscriptions = []Subscription{{Schedule: "sometimes"}, {Schedule: "@hourly"}}
	if moves, faults := c.Reslot([]Subscriber{who}, noon); len(faults) != 1 || len(moves) != 1 {
		t.Errorf("one bad schedule stops others: %v %v", moves, faults)
	}
}

func TestMailDoesNotSleepOnWhenTheServerIsBack(t *testing.T) {
	for _, c := range []struct {
		lane string
		err  error
		max  time.Duration
	}{
		{LaneAlert, errors.New("connection refused"), time.Minute},
		{LaneDigest, &SendError{Text: "timeout"}, 5 * time.Minute},
		{LaneDigest, &SendError{Code: 451}, 3 * time.Hour},
	} {
		m := &Message{Lane: c.lane, Attempts: 50, CreatedAt: noon}
		if wait := OutcomeOf(m, c.err, noon, 0.5).NextAt.Sub(noon); wait > c.max || wait < c.max/2 {
			t.Errorf("%s after %v: %v, want at most %v", c.lane, c.err, wait, c.max)
		}
	}
}

func TestAMailThatMayHaveArrivedIsNotSentHundredsOfTimes(t *testing.T) {
	for _, lane := range []string{LaneAlert, LaneDigest} {
		m := &Message{Lane: lane, CreatedAt: noon}
		now := noon
		for m.Attempts < 100 {
			m.Attempts++
			r := OutcomeOf(m, &SendError{Text: "no answer", About: AboutFate}, now, 0.5)
			if r.State == Failed {
				break
			}
			now = r.NextAt
		}
		if m.Attempts < giveUpTries || m.Attempts > 20 {
			t.Errorf("%s: %d copies", lane, m.Attempts)
		}
	}
}
