package schedule

import (
	"testing"
	"time"
	_ "time/tzdata"
)

const stamp = "2006-01-02 15:04 -0700"

func mustParse(t testing.TB, spec string) Schedule {
	t.Helper()
	s, err := Parse(spec)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

func at(t testing.TB, text string) time.Time {
	t.Helper()
	v, err := time.Parse(stamp, text)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// slots are n slots from after on, written in their zone.
func slots(s Schedule, after time.Time, loc *time.Location, n int) []string {
	var list []string
	for range n {
		after = s.Next(after, loc)
		list = append(list, after.Format(stamp))
	}
	return list
}

func TestNextThroughChangesOfTheClock(t *testing.T) {
	for _, c := range []struct {
		name, spec, zone, after string
		want                    []string
	}{
		{"skipped goes to the next valid minute", "30 2 * * *", "Europe/Berlin", "2027-03-27 00:00 +0100",
			[]string{"2027-03-27 02:30 +0100", "2027-03-28 03:00 +0200", "2027-03-29 02:30 +0200"}},
		{"two on one instant are one", "0,30 2,3 * * *", "Europe/Berlin", "2027-03-28 00:00 +0100",
			[]string{"2027-03-28 03:00 +0200", "2027-03-28 03:30 +0200", "2027-03-29 02:00 +0200"}},
		{"repeated comes the first time", "30 2 * * *", "Europe/Berlin", "2027-10-31 00:00 +0200",
			[]string{"2027-10-31 02:30 +0200", "2027-11-01 02:30 +0100"}},
		{"the end of the repeated hour comes once", "0 3 * * *", "Europe/Berlin", "2027-10-31 00:00 +0200",
			[]string{"2027-10-31 03:00 +0100", "2027-11-01 03:00 +0100"}},
		{"from inside the second pass", "30 2 * * *", "Europe/Berlin", "2027-10-31 02:10 +0100",
			[]string{"2027-11-01 02:30 +0100"}},
		{"every quarter is silent in the second pass", "*/15 * * * *", "Europe/Berlin", "2027-10-31 02:30 +0200",
			[]string{"2027-10-31 02:45 +0200", "2027-10-31 03:00 +0100", "2027-10-31 03:15 +0100"}},
		{"every quarter in spring", "*/15 * * * *", "Europe/Berlin", "2027-03-28 01:30 +0100",
			[]string{"2027-03-28 01:45 +0100", "2027-03-28 03:00 +0200", "2027-03-28 03:15 +0200"}},
		{"American autumn", "30 1 * * *", "America/New_York", "2027-11-07 00:00 -0400",
			[]string{"2027-11-07 01:30 -0400", "2027-11-08 01:30 -0500"}},
		{"half an hour of summer time", "0 9 * * *", "Australia/Lord_Howe", "2027-10-02 12:00 +1030",
			[]string{"2027-10-03 09:00 +1100", "2027-10-04 09:00 +1100"}},
		{"half an hour, skipped", "15 2 * * *", "Australia/Lord_Howe", "2027-10-02 12:00 +1030",
			[]string{"2027-10-03 02:30 +1100", "2027-10-04 02:15 +1100"}},
		{"half an hour, repeated", "45 1 * * *", "Australia/Lord_Howe", "2027-04-04 00:00 +1100",
			[]string{"2027-04-04 01:45 +1100", "2027-04-05 01:45 +1030"}},
		{"midnight skipped", "@daily", "Asia/Beirut", "2027-03-27 12:00 +0200",
			[]string{"2027-03-28 01:00 +0300", "2027-03-29 00:00 +0300"}},
		{"the Sunday whose midnight is skipped", "0 9 * * 0", "Asia/Beirut", "2027-03-27 12:00 +0200",
			[]string{"2027-03-28 09:00 +0300", "2027-04-04 09:00 +0300"}},
		{"a week in Cairo", "0 0 * * 5", "Africa/Cairo", "2027-04-29 12:00 +0200",
			[]string{"2027-04-30 01:00 +0300", "2027-05-07 00:00 +0300"}},
		{"late evening twice in Cairo", "30 23 * * *", "Africa/Cairo", "2027-10-28 12:00 +0300",
			[]string{"2027-10-28 23:30 +0300", "2027-10-29 23:30 +0200"}},
		{"midnight twice in Havana", "0 0 * * *", "America/Havana", "2027-11-06 12:00 -0400",
			[]string{"2027-11-07 00:00 -0400", "2027-11-08 00:00 -0500"}},
		{"midnight skipped in Havana", "0 0 * * *", "America/Havana", "2027-03-13 12:00 -0500",
			[]string{"2027-03-14 01:00 -0400", "2027-03-15 00:00 -0400"}},
		{"the first of the month in Santiago", "0 9 1 * *", "America/Santiago", "2029-08-15 12:00 -0400",
			[]string{"2029-09-01 09:00 -0400", "2029-10-01 09:00 -0300"}},
		{"two hours at the South Pole's Troll", "30 2 * * *", "Antarctica/Troll", "2027-03-27 12:00 +0000",
			[]string{"2027-03-28 03:00 +0200", "2027-03-29 02:30 +0200"}},
		{"two hours back at Troll", "30 1 * * *", "Antarctica/Troll", "2027-10-31 00:00 +0200",
			[]string{"2027-10-31 01:30 +0200", "2027-11-01 01:30 +0000"}},
		{"Apia left out a day", "0 9 * * *", "Pacific/Apia", "2011-12-29 08:00 -1000",
			[]string{"2011-12-29 09:00 -1000", "2011-12-31 00:00 +1400", "2011-12-31 09:00 +1400"}},
		{"Kwajalein had a day in the past twice over", "0 9 * * *", "Pacific/Kwajalein", "1969-09-29 12:00 +1100",
			[]string{"1969-09-30 09:00 +1100", "1969-10-01 09:00 -1200"}},
		{"29 February", "0 9 29 2 *", "UTC", "2096-03-01 00:00 +0000",
			[]string{"2104-02-29 09:00 +0000"}},
		{"either day field", "0 9 1 * MON", "UTC", "2027-01-30 00:00 +0000",
			[]string{"2027-02-01 09:00 +0000", "2027-02-08 09:00 +0000"}},
		{"a star step makes it either too", "0 9 */2 * MON", "UTC", "2027-02-01 00:00 +0000",
			[]string{"2027-02-01 09:00 +0000", "2027-02-03 09:00 +0000", "2027-02-05 09:00 +0000", "2027-02-07 09:00 +0000",
				"2027-02-08 09:00 +0000"}},
		{"multiples since 1970", "@every 8h", "Europe/Berlin", "2027-03-28 00:00 +0100",
			[]string{"2027-03-28 01:00 +0100", "2027-03-28 10:00 +0200"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, loc := mustParse(t, c.spec), zone(t, c.zone)
			got := slots(s, at(t, c.after), loc, len(c.want))
			for i := range got {
				if got[i] != c.want[i] {
					t.Errorf("slot %d of %q in %s: %s, want %s", i, c.spec, c.zone, got[i], c.want[i])
				}
			}
		})
	}
}

func TestNextIsStrictlyAfterAlsoWithinASecond(t *testing.T) {
	s := mustParse(t, "0 9 * * *")
	nine := time.Date(2027, 5, 3, 9, 0, 0, 0, time.UTC)
	for _, c := range []struct{ after, want time.Time }{
		{nine.Add(-1), nine},
		{nine, nine.AddDate(0, 0, 1)},
		{nine.Add(1), nine.AddDate(0, 0, 1)},
	} {
		if got := s.Next(c.after, nil); !got.Equal(c.want) {
			t.Errorf("Next(%s) = %s, want %s", c.after, got, c.want)
		}
	}
	every := mustParse(t, "@every 1500ms")
	if got := every.Next(time.UnixMilli(2999).Add(999*time.Microsecond), nil); got.UnixMilli() != 3000 {
		t.Errorf("@every 1500ms after 2.9999 s is %d ms, want 3000", got.UnixMilli())
	}
	if got := every.Next(time.UnixMilli(-1), nil); got.UnixMilli() != 0 {
		t.Errorf("@every 1500ms just before 1970 is %d ms, want 0", got.UnixMilli())
	}
}

func TestLatest(t *testing.T) {
	berlin := zone(t, "Europe/Berlin")
	for _, c := range []struct{ name, spec, notBefore, now, want string }{
		{"both ends are in it", "0 9 * * *", "2027-05-03 09:00 +0200", "2027-05-03 09:00 +0200", "2027-05-03 09:00 +0200"},
		{"none in between", "0 9 * * *", "2027-05-03 09:01 +0200", "2027-05-04 08:59 +0200", ""},
		{"the last of many", "0 9 * * *", "2020-01-01 00:00 +0100", "2027-05-03 08:59 +0200", "2027-05-02 09:00 +0200"},
		{"skipped, when it came", "30 2 * * *", "2027-03-27 12:00 +0100", "2027-03-28 03:00 +0200", "2027-03-28 03:00 +0200"},
		{"in the second pass", "30 2 * * *", "2027-10-30 12:00 +0200", "2027-10-31 02:10 +0100", "2027-10-31 02:30 +0200"},
		{"minutes over years", "* * * * *", "1990-01-01 00:00 +0100", "2027-05-03 08:59 +0200", "2027-05-03 08:59 +0200"},
		{"seconds over years", "@every 1s", "1970-01-01 00:00 +0100", "2027-05-03 08:59 +0200", "2027-05-03 08:59 +0200"},
		{"29 February", "0 9 29 2 *", "2024-01-01 00:00 +0100", "2027-05-03 08:59 +0200", "2024-02-29 09:00 +0100"},
		{"now before notBefore", "* * * * *", "2027-05-03 09:00 +0200", "2027-05-03 08:00 +0200", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := mustParse(t, c.spec).Latest(at(t, c.notBefore), at(t, c.now), berlin)
			if c.want == "" {
				if !got.IsZero() {
					t.Errorf("got %s, want none", got)
				}
				return
			}
			if got.Format(stamp) != c.want {
				t.Errorf("got %s, want %s", got.Format(stamp), c.want)
			}
		})
	}
}

func TestZeroSchedule(t *testing.T) {
	var s Schedule
	now := time.Date(2027, 5, 3, 9, 0, 0, 0, time.UTC)
	if n, l := s.Next(now, nil), s.Latest(time.Time{}, now, nil); !n.IsZero() || !l.IsZero() {
		t.Errorf("the zero Schedule has slots: %s, %s", n, l)
	}
}

func TestSchedulesAreComparable(t *testing.T) {
	if mustParse(t, " 0  9 * * MON") != mustParse(t, "0 9 * * MON") || mustParse(t, "@DAILY") != mustParse(t, "@daily") {
		t.Error("the same schedule differs by spaces or case")
	}
	if mustParse(t, "0 9 * * *") == mustParse(t, "0 8 * * *") {
		t.Error("two schedules are the same")
	}
}

func TestWords(t *testing.T) {
	for spec, want := range map[string]string{
		"0 9 * * MON-FRI":          "weekdays at 09:00",
		"0 9,16 * * MON-FRI":       "weekdays at 09:00 and 16:00",
		"0 9,16 * * *":             "every day at 09:00 and 16:00",
		"0 9 1-31 * MON":           "every day at 09:00",
		"15,45 8,20 * * *":         "every day at 08:15, 08:45, 20:15 and 20:45",
		"0 9 * * MON":              "Mondays at 09:00",
		"30 17 * * SUN,2,THU":      "Tuesdays, Thursdays and Sundays at 17:30",
		"@daily":                   "every day at 00:00",
		"@weekly":                  "Sundays at 00:00",
		"@monthly":                 "on the 1st of every month at 00:00",
		"0 8 22 * *":               "on the 22nd of every month at 08:00",
		"0 8 11 * *":               "on the 11th of every month at 08:00",
		"@yearly":                  "every year on 1 January at 00:00",
		"@hourly":                  "every hour",
		"5 * * * *":                "every hour at :05",
		"*/15 * * * *":             "every 15 minutes",
		"* * * * *":                "every minute",
		"@every 1d":                "every day",
		"@every 14d":               "every 2 weeks",
		"@every 90m":               "every 90 minutes",
		"@every 2s":                "every 2 seconds",
		"@every 1500ms":            "every 1.5s",
		"*/10 9-17 * * *":          "*/10 9-17 * * *",
		"1,16 * * * *":             "1,16 * * * *",
		"0 9 31 * *":               "0 9 31 * *",
		"0 9 29 2 *":               "0 9 29 2 *",
		"0 9 1 * MON":              "0 9 1 * MON",
		"0 9 * 6 *":                "0 9 * 6 *",
		"0 * * * MON-FRI":          "0 * * * MON-FRI",
		"0 9 1 * *":                "on the 1st of every month at 09:00",
		"0 9 24 12 *":              "every year on 24 December at 09:00",
		"0 9 * * 1,2,3,4,5":        "weekdays at 09:00",
		"0 9 * 1-12 0-6":           "every day at 09:00",
		"0,10,20,30,40,50 * * * *": "every 10 minutes",
	} {
		if got := mustParse(t, spec).Words(); got != want {
			t.Errorf("%q in words: %q, want %q", spec, got, want)
		}
	}
}

func BenchmarkNext(b *testing.B) {
	s, loc := mustParse(b, "0 9 * * MON-FRI"), zone(b, "Europe/Berlin")
	t := time.Date(2027, 5, 3, 9, 0, 0, 0, time.UTC)
	for b.Loop() {
		s.Next(t, loc)
	}
}
