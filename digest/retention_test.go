package digest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestOrders(t *testing.T) {
	now := time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC)
	day := 24 * time.Hour
	r := Retention{Raw: 14 * day, Items: 400 * day, Editions: 300 * day}
	person := func(state string, cursors ...int64) Subscriber {
		s := Subscriber{State: state}
		for _, c := range cursors {
			s.Subscriptions = append(s.Subscriptions, Subscription{Cursor: c, Ended: c < 0})
		}
		return s
	}
	first := func(upTo int64) SweepOrder {
		return SweepOrder{RawBefore: now.Add(-14 * day), ItemsBefore: now.Add(-400 * day), EditionsBefore: now.Add(-300 * day), UpTo: upTo}
	}
	for name, c := range map[string]struct {
		people []Subscriber
		want   []SweepOrder
	}{
		"nobody":                   {nil, []SweepOrder{first(1000)}},
		"the slowest holds":        {[]Subscriber{person(Active, 900, 500), person(Active, 700)}, []SweepOrder{first(500)}},
		"who left does not":        {[]Subscriber{person(Active, 900), person(Left, 3)}, []SweepOrder{first(900)}},
		"nor an ended one":         {[]Subscriber{person(Active, 900, -1)}, []SweepOrder{first(900)}},
		"ahead of all is no count": {[]Subscriber{person(Active, 500), person(Paused, 700)}, []SweepOrder{first(500)}},
		"who stands still holds for as long again": {[]Subscriber{person(Active, 900), person(Suspended, 40), person(Paused, 20)},
			[]SweepOrder{first(20), {ItemsBefore: now.Add(-800 * day), UpTo: 900, Counted: []int64{20, 40}}}},
	} {
		if diff := cmp.Diff(c.want, r.Orders(now, 1000, c.people)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
