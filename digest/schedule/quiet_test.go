package schedule

import (
	"strings"
	"testing"
	"time"
)

func TestParseQuiet(t *testing.T) {
	for text, want := range map[string]string{
		"22:00-07:00":   "22:00-07:00",
		" 9:30 - 17:00": "09:30-17:00",
		"22:00–07:00":   "22:00-07:00",
		"22:00-24:00":   "22:00-00:00",
		"00:00-08:00":   "00:00-08:00",
		"":              "",
	} {
		q, err := ParseQuiet(text)
		if err != nil || q.String() != want {
			t.Errorf("%q: %q, %v; want %q", text, q, err, want)
		}
		if again, err := ParseQuiet(q.String()); err != nil || again != q {
			t.Errorf("%q does not read back: %v, %v", q, again, err)
		}
	}
	for text, says := range map[string]string{
		"22:00":       "look like",
		"22-7":        "look like",
		"night":       "look like",
		"24:00-07:00": "00:00 to 23:59",
		"22:60-07:00": "00:00 to 23:59",
		"22:00-24:01": "00:00 to 23:59",
		"22:00-22:00": "same time",
		"00:00-24:00": "same time",
	} {
		if q, err := ParseQuiet(text); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %q, %v; want an error that says %q", text, q, err, says)
		}
	}
}

func TestQuietUntil(t *testing.T) {
	for _, c := range []struct{ name, quiet, zone, t, want string }{
		{"evening", "22:00-07:00", "Europe/Berlin", "2027-05-03 23:10 +0200", "2027-05-04 07:00 +0200"},
		{"morning", "22:00-07:00", "Europe/Berlin", "2027-05-03 06:59 +0200", "2027-05-03 07:00 +0200"},
		{"the begin is in it", "22:00-07:00", "Europe/Berlin", "2027-05-03 22:00 +0200", "2027-05-04 07:00 +0200"},
		{"the end is not", "22:00-07:00", "Europe/Berlin", "2027-05-03 07:00 +0200", ""},
		{"noon", "22:00-07:00", "Europe/Berlin", "2027-05-03 12:00 +0200", ""},
		{"of one day", "12:00-13:30", "Europe/Berlin", "2027-05-03 12:30 +0200", "2027-05-03 13:30 +0200"},
		{"to midnight", "22:00-24:00", "Europe/Berlin", "2027-12-31 22:30 +0100", "2028-01-01 00:00 +0100"},
		{"from midnight", "00:00-08:00", "Europe/Berlin", "2027-05-03 00:00 +0200", "2027-05-03 08:00 +0200"},
		{"a short night", "22:00-07:00", "Europe/Berlin", "2027-03-27 23:00 +0100", "2027-03-28 07:00 +0200"},
		{"the end is skipped", "22:00-02:30", "Europe/Berlin", "2027-03-28 01:59 +0100", "2027-03-28 03:00 +0200"},
		{"wholly skipped", "02:10-02:50", "Europe/Berlin", "2027-03-28 03:00 +0200", ""},
		{"the end comes twice", "22:00-02:30", "Europe/Berlin", "2027-10-31 02:10 +0200", "2027-10-31 02:30 +0200"},
		{"and the first one ends them", "22:00-02:30", "Europe/Berlin", "2027-10-31 02:10 +0100", ""},
		{"the begin comes twice, the first one counts", "02:30-07:00", "Europe/Berlin", "2027-10-31 02:10 +0100", "2027-10-31 07:00 +0100"},
		{"a day left out", "22:00-07:00", "Pacific/Apia", "2011-12-29 23:00 -1000", "2011-12-31 07:00 +1400"},
		{"never", "", "Europe/Berlin", "2027-05-03 00:00 +0200", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			q, err := ParseQuiet(c.quiet)
			if err != nil {
				t.Fatal(err)
			}
			got := q.Until(at(t, c.t), zone(t, c.zone))
			if text := got.Format(stamp); text != c.want && !(got.IsZero() && c.want == "") {
				t.Errorf("quiet %s at %s until %s, want %q", c.quiet, c.t, text, c.want)
			}
		})
	}
}

// Whatever zone and moment: the quiet hours end later than now, and when they are over it is not quiet.
func TestQuietEnds(t *testing.T) {
	for _, name := range sampleZones {
		loc := zone(t, name)
		for _, text := range []string{"22:00-07:00", "00:00-03:00", "02:15-02:45", "23:59-23:58"} {
			q, err := ParseQuiet(text)
			if err != nil {
				t.Fatal(err)
			}
			for _, change := range changes(loc, 2026, 2028) {
				for m := -180; m < 180; m++ {
					now := change.Add(time.Duration(m) * time.Minute)
					end := q.Until(now, loc)
					if !end.IsZero() && (!end.After(now) || !q.Until(end, loc).IsZero()) {
						t.Fatalf("%s: quiet %s at %s until %s", name, text, now.In(loc), end)
					}
				}
			}
		}
	}
}
