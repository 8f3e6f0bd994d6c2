package schedule

import (
	"strings"
	"testing"
	"time"
)

func TestParseTakes(t *testing.T) {
	friday := time.Date(2027, 5, 7, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct{ spec, next string }{
		{"0 9 * * MON-FRI", "2027-05-10 09:00"},
		{"0 9 * * mon-fri", "2027-05-10 09:00"},
		{"  0\t9 * * 1 ", "2027-05-10 09:00"},
		{"0 9 * * 7", "2027-05-09 09:00"},
		{"0 9 * * 6-7", "2027-05-08 09:00"},
		{"0 9 * * 7-7", "2027-05-09 09:00"},
		{"0 9 * * MON-SUN", "2027-05-08 09:00"},
		{"0 9 * * 3-7/4", "2027-05-09 09:00"},
		{"0 9 * * 0-7", "2027-05-08 09:00"},
		{"0 9 ? * ?", "2027-05-08 09:00"},
		{"0 9 1 JAN *", "2028-01-01 09:00"},
		{"@Daily", "2027-05-08 00:00"},
		{"@midnight", "2027-05-08 00:00"},
		{"@HOURLY", "2027-05-07 13:00"},
		{"@weekly", "2027-05-09 00:00"},
		{"@monthly", "2027-06-01 00:00"},
		{"@yearly", "2028-01-01 00:00"},
		{"@annually", "2028-01-01 00:00"},
		{"@every 1d", "2027-05-08 00:00"},
		{"@every 1w", "2027-05-13 00:00"}, // 1 January 1970 was a Thursday
		{"@every 1d12h", "2027-05-08 00:00"},
		{"@Every 90m", "2027-05-07 13:30"},
		{"@every 366d", "2028-02-14 00:00"},
	} {
		if got := mustParse(t, c.spec).Next(friday, nil).Format("2006-01-02 15:04"); got != c.next {
			t.Errorf("%q: next is %s, want %s", c.spec, got, c.next)
		}
	}
}

// What is refused is refused with words that say what would be right.
func TestParseRefuses(t *testing.T) {
	for _, c := range []struct{ spec, says string }{
		{"", "missing"},
		{" \t", "missing"},
		{"TZ=UTC", "time_zone"},
		{"CRON_TZ=Europe/Berlin", "time_zone"},
		{"TZ=", "time_zone"},
		{"CRON_TZ=Europe/Berlin 0 9 * * *", "time_zone"},
		{"tz=UTC @daily", "time_zone"},
		{"daily", "five are needed"},
		{"0 9 * *", "has 4 fields"},
		{"0 0 9 * * *", "seconds are not among them"},
		{"0 0 30 2 *", "never comes"},
		{"0 0 31 4,6,9,11 *", "never comes"},
		{"0 9 , * *", "day of the month"},
		{", * * * *", "minute"},
		{"0,,30 9 * * *", "minute"},
		{"60 9 * * *", "0-59"},
		{"0 24 * * *", "0-23"},
		{"0 9 0 * *", "1-31"},
		{"0 9 * 13 *", "1-12"},
		{"0 9 * * 8", "7 is Sunday too"},
		{"0 9 * * FRI-MON", "runs backward"},
		{"0 17-9 * * *", "runs backward"},
		{"0 9 * * MON#1", "weekday"},
		{"0 9 L * *", "day of the month"},
		{"0 *-5 * * *", "hour"},
		{"+5 9 * * *", "minute"},
		{"*/0 * * * *", "minute"},
		{"0 9 * * 1-7/0", "weekday"},
		{"@noon", "@daily"},
		{"@every", "@every 2h"},
		{"@every 0s", "at least one second"},
		{"@every 999ms", "at least one second"},
		{"@every -5m", "not a duration"},
		{"@every +5m", "not a duration"},
		{"@every 5", "not a duration"},
		{"@every 1d-2h", "not a duration"},
		{"@every 1d1w", "not a duration"},
		{"@every d", "not a duration"},
		{"@every 367d", "at most a year"},
		{"@every 9999w9999d2000000h", "at most a year"},
		{"@every 1.0001s", "milliseconds"},
		{"@every 1s 0 9", "not a duration"},
		{strings.Repeat("1,", 300) + "1 * * * *", "too long"},
	} {
		s, err := Parse(c.spec)
		switch {
		case err == nil:
			t.Errorf("%q is taken as %v", c.spec, s)
		case !strings.Contains(err.Error(), c.says):
			t.Errorf("%q: %q does not say %q", c.spec, err, c.says)
		case s != Schedule{}:
			t.Errorf("%q is refused but gives %v", c.spec, s)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"0 9 * * MON-FRI", "@daily", "@every 1w2d3h", "TZ=", "*/15 0-7/2 1,15 * 5-7", "0 0 29 2 *", "0 9 , * *", "@every 1s"} {
		f.Add(s, int64(1_800_000_000))
	}
	f.Fuzz(func(t *testing.T, spec string, unix int64) {
		s, err := Parse(spec)
		if err != nil {
			return
		}
		again, err := Parse(s.String())
		if err != nil || again != s {
			t.Fatalf("%q is written %q, which gives %v, %v", spec, s.String(), again, err)
		}
		if s.Words() == "" || strings.ContainsAny(s.String(), "\r\n") {
			t.Fatalf("%q in words: %q; as text %q", spec, s.Words(), s.String())
		}
		now := time.Unix(unix%4_000_000_000, 0)
		next := s.Next(now, time.UTC)
		if !next.After(now) {
			t.Fatalf("%q: next after %s is %s", spec, now, next)
		}
		if got := s.Latest(now, next, time.UTC); !got.Equal(next) {
			t.Fatalf("%q: latest at its own slot %s is %s", spec, next, got)
		}
		if got := s.Latest(now.Add(1), next.Add(-1), time.UTC); !got.IsZero() {
			t.Fatalf("%q: a slot %s between %s and the next, %s", spec, got, now, next)
		}
	})
}
