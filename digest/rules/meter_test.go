package rules

import (
	"errors"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestNothingRunsAway runs what took minutes and gigabytes when only the turns of loops were counted. The deadline and the
// memory are generous: on one slow core each takes a tenth of a second and some megabytes.
func TestNothingRunsAway(t *testing.T) {
	list := "[" + strings.Repeat("1,", 499_999) + "1]"
	long := `"` + strings.Repeat("ab", 32_000) + `"`
	objects := "[" + strings.Repeat(`{"a":"x","b":[1,2,3]},`, 99_999) + "1]"
	doubled := `let a = [payload, payload, payload, payload]; let b = [a, a, a, a]; let c = [b, b, b, b]; let d = [c, c, c, c]; ` +
		`let e = [d, d, d, d]; let f = [e, e, e, e]; let g = [f, f, f, f]; let h = [g, g, g, g]; let i = [h, h, h, h]; let j = [i, i, i, i]; let k = [j, j, j, j]; `
	for source, input := range map[string]string{
		`let x = 1..190000; map(1..9000, sum(x))`:                   "1",
		`map(1..10, sort(1..18000))`:                                "1",
		`1..1000000`:                                                "1",
		strings.Repeat("1..1000000; ", 80) + "1":                    "1",
		`map(1..300, map(1..600, "x" + string(#)))`:                 "1",
		`sort(payload)`:                                             list,
		`sortBy(payload, -#)`:                                       list,
		`groupBy(payload, #)`:                                       list,
		`map(1..50000, payload matches "(x+x+x+){200}y")`:           long,
		`map(1..50000, upper(payload))`:                             long,
		`map(1..50000, replace(payload, "a", "bbbbbbbbbb"))`:        long,
		`map(1..50000, split(payload, "a"))`:                        long,
		`map(1..50000, payload contains payload + "x")`:             long,
		`let f = map(1..50000, payload); join(f, payload)`:          long,
		`map(1..90000, time(payload))`:                              `"2006-01-02 15:04:05 +0000 UTC or so"`,
		`map(1..50000, payload == payload)`:                         objects,
		`map(1..50000, string(payload))`:                            objects,
		`let f = map(1..300, payload); f == f`:                      objects,
		`flatten(map(1..400, payload))`:                             "[" + strings.Repeat("1,", 9999) + "1]",
		doubled + `string([k, k])`:                                  "1",
		doubled + `k == [j, j]`:                                     "1",
		doubled + `[k] in [[k], [j]]`:                               "1",
		`filter(payload, any(payload, # == 2))`:                     "[" + strings.Repeat("1,", 99_999) + "1]",
		`replace(payload, "x", payload)`:                            `"` + strings.Repeat("x", 60_000) + `"`,
		`any(1..50000, any(1..50000, any(1..50000, # == payload)))`: "0",
	} {
		p, err := Compile(source, Names{"payload": nil}, reflect.Invalid)
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		values := map[string]any{"payload": payload(t, input)}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		begun := time.Now()
		_, err = p.Run(values)
		took := time.Since(begun)
		runtime.ReadMemStats(&after)
		if made := (after.TotalAlloc - before.TotalAlloc) >> 20; !errors.Is(err, ErrBudget) || took > 20*time.Second || made > 500 {
			t.Errorf("%s was not stopped: %v, %v, %d MB", source, err, took, made)
		}
	}
}

// TestWhatIsOrdinaryIsNotStopped: large bodies may be read as people read them.
func TestWhatIsOrdinaryIsNotStopped(t *testing.T) {
	commits := "[" + strings.Repeat(`{"id": "c0ffee", "message": "a line\nmore of it, as people write", "author": {"name": "ana"}},`, 2000) + "{}]"
	for _, source := range []string{
		`payload | filter(.author.name == "ana") | map("- " + line(.message)) | take(20) | join("\n")`,
		`plural(payload, "commit")`,
		`groupBy(payload, .author.name) | keys() | join(", ")`,
		`sortBy(payload, .id ?? "") | first() | get("message")`,
		`any(payload, .message matches "(?i)fix(es|ed)? #[0-9]+")`,
		`len(string(payload))`,
	} {
		if _, err := eval(t, source, commits); err != nil {
			t.Errorf("%s: %v", source, err)
		}
	}
	text := `"` + strings.Repeat("some words of a body ", 3000) + `"`
	if _, err := eval(t, `payload matches "(?i)\\b(error|failed|panic): .* in (apollo|zeus)$"`, text); err != nil {
		t.Error(err)
	}
}

func TestCappedKeepsCharactersWhole(t *testing.T) {
	for cut := range 4 {
		s := capped(strings.Repeat("x", MaxString-cut) + "äöü€😀")
		if len(s) > MaxString || len(s) < MaxString-3 || strings.ToValidUTF8(s, "!") != s {
			t.Errorf("%d bytes, end %q", len(s), s[len(s)-5:])
		}
	}
}
