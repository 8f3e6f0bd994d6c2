package digest

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// spoke makes the hours of a source that spoke at these hours before noon, the oldest first.
func spoke(ago ...int) (out []SourceHour) {
	for _, h := range ago {
		at := noon.Add(-time.Duration(h) * time.Hour)
		out = append(out, SourceHour{Source: "hook", Hour: HourOf(at), Accepted: 1, Last: at})
	}
	return out
}

// every is a source that speaks each so many hours, up to some hours ago.
func every(step, until int) []SourceHour {
	var ago []int
	for h := 30 * 24; h >= until; h -= step {
		ago = append(ago, h)
	}
	return spoke(ago...)
}

func refusedAt(n int, ago ...int) (out []SourceHour) {
	for _, h := range spoke(ago...) {
		h.Accepted, h.Last, h.Refused = 0, time.Time{}, n
		out = append(out, h)
	}
	return out
}

func garbledAt(ago ...int) (out []SourceHour) {
	for _, h := range spoke(ago...) {
		h.Accepted, h.Quarantined = 0, 1
		out = append(out, h)
	}
	return out
}

func join(lists ...[]SourceHour) (out []SourceHour) {
	for _, l := range lists {
		out = append(out, l...)
	}
	return out
}

func TestDiagnose(t *testing.T) {
	workdays := func(until int) []SourceHour { // nine to five, not at weekends
		var ago []int
		for h := 30 * 24; h >= until; h-- {
			at := noon.Add(-time.Duration(h) * time.Hour)
			if d := at.Weekday(); d != time.Saturday && d != time.Sunday && at.Hour() >= 9 && at.Hour() < 17 {
				ago = append(ago, h)
			}
		}
		return spoke(ago...)
	}
	down := func(from, to int) func(time.Time) bool {
		return func(h time.Time) bool { ago := int(noon.Sub(h).Hours()); return ago < to || ago > from }
	}
	for name, c := range map[string]struct {
		hours []SourceHour
		ran   func(time.Time) bool
		had   string
		want  string
	}{
		"nothing known":                   {},
		"speaks":                          {hours: every(1, 0)},
		"silent for a day":                {hours: every(1, 24)},
		"silent for more than a day":      {hours: every(1, 26), want: "silent"},
		"silent still":                    {hours: every(1, 26), had: "silent", want: "silent"},
		"back":                            {hours: join(every(1, 26), spoke(0)), had: "silent"},
		"every ten hours, silent for 25":  {hours: every(10, 25)},
		"every ten hours, silent for 40":  {hours: every(10, 40), want: "silent"},
		"silent over a weekend":           {hours: workdays(3 * 24)},
		"silent for two weeks":            {hours: workdays(14 * 24), want: "silent"},
		"we were down, it could not":      {hours: every(1, 50), ran: down(49, 3)},
		"down and silent afterwards":      {hours: every(1, 50), ran: down(49, 30), want: "silent"},
		"our being down is no gap of its": {hours: join(every(1, 200), spoke(100, 99, 98, 97, 96, 95)), ran: down(199, 101), want: "silent"},
		"too young for a habit":           {hours: spoke(90, 89, 88, 87, 86, 85, 84)},
		"silent for a year":               {hours: join(every(1, 30), nil)[:1]},
		"garbled":                         {hours: join(every(1, 1), garbledAt(0)), want: "garbled"},
		"garbled yesterday":               {hours: join(garbledAt(24), every(1, 0)), had: "garbled", want: "garbled"},
		"garbled the day before":          {hours: join(garbledAt(25), every(1, 0)[700:]), had: "garbled"},
		"refused now and then":            {hours: join(every(1, 1), refusedAt(9, 0))},
		"refused and never taken":         {hours: join(every(1, 2), refusedAt(5, 0)), want: "refused"},
		"a few times":                     {hours: join(every(1, 2), refusedAt(4, 0))},
		"over the turn of an hour":        {hours: join(every(1, 2), refusedAt(3, 1, 0)), want: "refused"},
		"refused since, with few tries":   {hours: join(every(1, 20), refusedAt(9, 10)), had: "refused", want: "refused"},
		"and taken again":                 {hours: join(every(1, 20), refusedAt(9, 10), spoke(3)), had: "refused"},
		"gave up":                         {hours: join(spoke(400), refusedAt(9, 170)), had: "refused"},
	} {
		t.Run(name, func(t *testing.T) {
			if c.ran == nil {
				c.ran = func(time.Time) bool { return true }
			}
			var got []string
			for _, d := range Diagnose(noon, c.hours, c.ran, func(what string) bool { return strings.Contains(c.had, what) }) {
				got = append(got, d.What)
				if d.Why == "" || d.Since.IsZero() || d.Since.After(noon) {
					t.Errorf("%+v", d)
				}
			}
			if s := strings.Join(got, " "); s != c.want {
				t.Errorf("got %q, want %q", s, c.want)
			}
		})
	}
	d := Diagnose(noon, every(10, 40), func(time.Time) bool { return true }, func(string) bool { return false })
	if want := fmt.Sprint("nothing since ", noon.Add(-40*time.Hour).Format("2006-01-02 15:04"), " UTC; it was never silent for longer than 10 hours before"); len(d) != 1 || string(d[0].Why) != want {
		t.Errorf("%v, want %s", d, want)
	}
}

// What is told of a source that was refused is true of the hour in which it is read, too.
func TestDiagnoseSaysWhenRefused(t *testing.T) {
	always := func(time.Time) bool { return true }
	for _, c := range []struct {
		hours []SourceHour
		had   bool
		want  string
	}{
		{refusedAt(7, 0), false, "its secret is missing or wrong: refused 7 times in the past two hours"},
		{refusedAt(7, 30), true, "its secret is missing or wrong: last refused in the hour from " + noon.Add(-30*time.Hour).Format("2006-01-02 15:04 MST")},
	} {
		found := Diagnose(noon, c.hours, always, func(string) bool { return c.had })
		if len(found) != 1 || string(found[0].Why) != c.want {
			t.Errorf("%+v, want %q", found, c.want)
		}
	}
}
