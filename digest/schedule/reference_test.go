package schedule

import (
	"archive/zip"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// The reference walks real minutes, writes down what the clock on the wall shows, and says of each wall-clock minute
// when it came: the first time it was shown, else the first valid minute after it. It shares no code with the package:
// no ZoneBounds, no bit sets, no library.

// A shown minute: what the wall shows, as minutes since 1970 on the wall.
type shown struct {
	at   time.Time
	wall int64
}

func walk(loc *time.Location, from, to time.Time) []shown {
	var list []shown
	for t := from; t.Before(to); t = t.Add(time.Minute) {
		local := t.In(loc)
		y, m, d := local.Date()
		w := time.Date(y, m, d, local.Hour(), local.Minute(), 0, 0, time.UTC)
		list = append(list, shown{t, w.Unix() / 60})
	}
	return list
}

// referenceSlots are the instants of the walk at which a schedule's times come.
func referenceSlots(list []shown, matches func(w time.Time) bool) []time.Time {
	first := map[int64]time.Time{}
	lowest, highest := list[0].wall, list[0].wall
	for _, s := range list {
		if _, ok := first[s.wall]; !ok {
			first[s.wall] = s.at
		}
		highest = max(highest, s.wall)
	}
	came := map[time.Time]bool{}
	for w := lowest; w <= highest; w++ {
		if !matches(time.Unix(w*60, 0).UTC()) {
			continue
		}
		valid := w
		for first[valid].IsZero() {
			valid++
		}
		came[first[valid]] = true
	}
	var slots []time.Time
	for t := range came {
		slots = append(slots, t)
	}
	sort.Slice(slots, func(a, b int) bool { return slots[a].Before(slots[b]) })
	return slots
}

// naive matches a wall-clock minute against a cron expression of numbers, the slow way.
func naive(expr string) func(w time.Time) bool {
	f := strings.Fields(expr)
	list := func(text string, low, high int) map[int]bool {
		set := map[int]bool{}
		for _, part := range strings.Split(text, ",") {
			span, stepText, _ := strings.Cut(part, "/")
			a, b := low, high
			if span != "*" {
				from, to, ranged := strings.Cut(span, "-")
				a, _ = strconv.Atoi(from)
				b = a
				if ranged {
					b, _ = strconv.Atoi(to)
				}
			}
			step := 1
			if stepText != "" {
				step, _ = strconv.Atoi(stepText)
			}
			for v := a; v <= b; v += step {
				set[v] = true
			}
		}
		return set
	}
	minute, hour, dom, month, dow := list(f[0], 0, 59), list(f[1], 0, 23), list(f[2], 1, 31), list(f[3], 1, 12), list(f[4], 0, 6)
	return func(w time.Time) bool {
		day := dom[w.Day()] && dow[int(w.Weekday())]
		if f[2] != "*" && f[4] != "*" {
			day = dom[w.Day()] || dow[int(w.Weekday())]
		}
		return minute[w.Minute()] && hour[w.Hour()] && month[int(w.Month())] && day
	}
}

var referenceSpecs = []string{
	"30 2 * * *", "0 9 * * *", "0 0 * * *", "30 1 * * *", "0 23 * * *", "59 23 * * 1-5", "0 9,16 * * 1-5", "0 9 * * 0",
	"0 0 1 * *", "0 9 1 * 1", "45 */2 25-31 * *", "0 * * * *", "*/15 * * * *", "* * * * *",
}

var sampleZones = []string{
	"Europe/Berlin", "Europe/Lisbon", "Europe/Dublin", "America/New_York", "America/Havana", "America/Santiago", "America/Asuncion",
	"America/Sao_Paulo", "America/St_Johns", "America/Nuuk", "Australia/Lord_Howe", "Pacific/Chatham", "Pacific/Apia", "Pacific/Easter",
	"Antarctica/Troll", "Africa/Cairo", "Africa/Casablanca", "Asia/Beirut", "Asia/Gaza", "Asia/Tehran", "Asia/Kathmandu", "UTC",
}

// changes are the instants, to the minute, at which the clocks of loc are changed.
func changes(loc *time.Location, fromYear, toYear int) []time.Time {
	offset := func(t time.Time) int { _, o := t.In(loc).Zone(); return o }
	var list []time.Time
	end := time.Date(toYear+1, 1, 1, 0, 0, 0, 0, time.UTC)
	for t := time.Date(fromYear, 1, 1, 0, 0, 0, 0, time.UTC); t.Before(end); t = t.Add(6 * time.Hour) {
		if offset(t) == offset(t.Add(6*time.Hour)) {
			continue
		}
		for m := t; m.Before(t.Add(6 * time.Hour)); m = m.Add(time.Minute) {
			if offset(m) != offset(m.Add(time.Minute)) {
				list = append(list, m.Add(time.Minute))
			}
		}
	}
	return list
}

// compare checks Next and Latest against the reference over a stretch of real time, and returns how many slots it saw.
func compare(t *testing.T, loc *time.Location, from, to time.Time, specs []string) (n int64) {
	t.Helper()
	const margin = 27 * time.Hour // so that what the walk cannot know lies outside: the longest change is a day
	list := walk(loc, from.Add(-margin), to.Add(margin))
	for _, spec := range specs {
		s := mustParse(t, spec)
		prev := from
		for _, want := range referenceSlots(list, naive(spec)) {
			if want.Before(from) || want.Equal(from) {
				continue
			}
			if want.After(to) {
				break
			}
			n++
			if got := s.Next(prev, loc); !got.Equal(want) {
				t.Fatalf("%s, %q: next after %s is %s, want %s", loc, spec, prev.In(loc), got, want.In(loc))
			}
			if got := s.Latest(from, want.Add(-1), loc); prev != from && !got.Equal(prev) {
				t.Fatalf("%s, %q: latest before %s is %s, want %s", loc, spec, want.In(loc), got, prev.In(loc))
			}
			if got := s.Latest(from, want, loc); !got.Equal(want) {
				t.Fatalf("%s, %q: latest at %s is %s", loc, spec, want.In(loc), got)
			}
			prev = want
		}
		if got := s.Next(prev, loc); !got.After(to) {
			t.Fatalf("%s, %q: a slot too many, %s after %s", loc, spec, got, prev.In(loc))
		}
	}
	return n
}

// randomSpecs are expressions of numbers, lists, ranges and steps; the same name gives the same.
func randomSpecs(name string, n int) (specs []string) {
	h := fnv.New64a()
	h.Write([]byte(name))
	rng := rand.New(rand.NewPCG(h.Sum64(), 1))
	field := func(low, high int) string {
		a, b := low+rng.IntN(high-low+1), low+rng.IntN(high-low+1)
		switch rng.IntN(5) {
		case 0:
			return "*"
		case 1:
			return fmt.Sprintf("*/%d", 2+rng.IntN(high-1)) // */1 means *
		case 2:
			return fmt.Sprintf("%d,%d", a, b)
		case 3:
			return fmt.Sprintf("%d-%d", min(a, b), max(a, b))
		}
		return strconv.Itoa(a)
	}
	for range n {
		specs = append(specs, strings.Join([]string{field(0, 59), field(0, 23), field(1, 31), field(1, 12), field(0, 6)}, " "))
	}
	return specs
}

// Around every change of the clock in a sample of zones, and with QUIETPOST_SLOTS=all in every zone from 2020 to 2040.
func TestSlotsAgainstTheReference(t *testing.T) {
	zones, from, to := sampleZones, 2027, 2027
	if os.Getenv("QUIETPOST_SLOTS") == "all" {
		zones, from, to = allZones(t), 2020, 2040
	}
	var slots, changed atomic.Int64
	t.Run("zones", func(t *testing.T) {
		for _, name := range zones {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				loc := zone(t, name)
				specs := append(randomSpecs(name, 6), referenceSpecs...)
				all := changes(loc, from, to)
				for _, c := range all {
					slots.Add(compare(t, loc, c.Add(-36*time.Hour), c.Add(36*time.Hour), specs))
				}
				changed.Add(int64(len(all)))
				t.Logf("%d changes of the clock", len(all))
			})
		}
	})
	for _, c := range []struct {
		zone string
		day  time.Time
	}{
		{"Pacific/Apia", time.Date(2011, 12, 30, 10, 0, 0, 0, time.UTC)},
		{"Pacific/Kwajalein", time.Date(1993, 8, 21, 12, 0, 0, 0, time.UTC)},
		{"Pacific/Kwajalein", time.Date(1969, 9, 30, 13, 0, 0, 0, time.UTC)},
		{"Asia/Pyongyang", time.Date(2018, 5, 4, 15, 0, 0, 0, time.UTC)},
		{"America/Caracas", time.Date(2016, 5, 1, 7, 0, 0, 0, time.UTC)},
	} {
		slots.Add(compare(t, zone(t, c.zone), c.day.Add(-48*time.Hour), c.day.Add(48*time.Hour), referenceSpecs))
	}
	for _, name := range sampleZones { // the end of a leap year behind the last change that the zone data list: golang.org/issue/81583
		day := time.Date(2040, 12, 31, 12, 0, 0, 0, time.UTC)
		slots.Add(compare(t, zone(t, name), day.Add(-48*time.Hour), day.Add(48*time.Hour), []string{"0 9 * * *", "0 0 1 * *", "*/15 * * * *"}))
	}
	t.Logf("%d zones, %d changes of the clock, %d slots", len(zones), changed.Load(), slots.Load())
	if n := changed.Load(); n < 25 {
		t.Errorf("only %d changes of the clock were found", n)
	}
}

// A whole year without a gap in the middle of anything, in a zone whose changes are half an hour.
func TestAYearAgainstTheReference(t *testing.T) {
	from := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	compare(t, zone(t, "Australia/Lord_Howe"), from, from.AddDate(1, 0, 0), []string{"15 2 * * *", "0 9 1 * 1", "0 9 31 * *"})
}

// allZones are the names in the toolchain's zone database.
func allZones(t *testing.T) []string {
	out, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	z, err := zip.OpenReader(filepath.Join(strings.TrimSpace(string(out)), "lib", "time", "zoneinfo.zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	var names []string
	for _, f := range z.File {
		if !strings.HasSuffix(f.Name, "/") {
			names = append(names, f.Name)
		}
	}
	if len(names) < 500 {
		t.Fatalf("only %d zones in the toolchain's zoneinfo.zip", len(names))
	}
	return names
}
