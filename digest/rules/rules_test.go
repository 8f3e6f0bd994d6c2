package rules

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/expr-lang/expr/vm"
)

const sample = `{"job": "deploy", "number": 42, "result": "FAILURE", "url": "https://ci.example/42", "big": 12345678901234567,
	"build": {"causes": [{"user": "ana"}, {"user": null}, {"user": "ben"}], "ratio": 0.5}, "at": 1700000000}`

func payload(t testing.TB, s string) any {
	d := json.NewDecoder(strings.NewReader(s))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return Value(v)
}

func eval(t testing.TB, source, input string) (any, error) {
	p, err := Compile(source, Names{"payload": nil, "headers": nil}, reflect.Invalid)
	if err != nil {
		t.Fatalf("%s: %v", source, err)
	}
	return p.Run(map[string]any{"payload": payload(t, input), "headers": Headers{"x-event": "done"}})
}

func TestExpressions(t *testing.T) {
	for source, want := range map[string]any{
		`payload.job + " #" + string(payload.number) + " " + payload.result`:     "deploy #42 FAILURE",
		`payload.job + " #" + payload.number`:                                    "deploy #42",
		`payload.no.such.thing`:                                                  nil,
		`payload.no.such[3].thing + "x"`:                                         "x",
		`payload.job.length.of.it`:                                               nil,
		`payload["build"]["causes"][2].user + payload.build.ratio`:               "ben0.5",
		`let b = payload.build; b.causes[0].user + b["ra" + "tio"]`:              "ana0.5",
		`headers.no.such`:                                                        nil,
		`payload?.no?.such ?? "none"`:                                            "none",
		`payload.build.causes[0].user`:                                           "ana",
		`payload.build.causes[-1].user`:                                          "ben",
		`join(map(payload.build.causes, .user), " and ")`:                        "ana and ben",
		`payload.build.causes | filter(.user != nil) | count(true)`:              2,
		`plural(payload.build.causes, "cause")`:                                  "3 causes",
		`plural(1, "reply", "replies") + ", " + plural(nil, "reply", "replies")`: "1 reply, 0 replies",
		`headers["X-Event"]`:                                                     "done",
		`headers["X-None"] == nil`:                                               true,
		`payload.big`:                                                            12345678901234567,
		`payload.number + 1`:                                                     43,
		`payload.build.ratio + 1`:                                                1.5,
		`either(payload.title, "", payload.job)`:                                 "deploy",
		`payload.result == "FAILURE" ? "failed" : "ok"`:                          "failed",
		`payload.result in ["FAILURE", "ERROR"]`:                                 true,
		`payload.result matches "^FAIL"`:                                         true,
		`shorten("a\nbcdef", 4)`:                                                 "a b…",
		`line("\n\n first \nsecond")`:                                            "first",
		`link("a [b]", "https://x.example/(1)")`:                                 `[a \[b\]](https://x.example/%281%29)`,
		`split("acme/apollo", "/")[1]`:                                           "apollo",
		`string(time(payload.at))`:                                               "2023-11-14T22:13:20Z",
		`string(time("2015-05-17 18:08:09 UTC"))`:                                "2015-05-17T18:08:09Z",
		`string(time("2018-03-04T05:06:07.123+0200"))`:                           "2018-03-04T03:06:07Z",
		`time("tomorrow") == nil`:                                                true,
		`lower(payload.result)`:                                                  "failure",
	} {
		got, err := eval(t, source, sample)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s = %#v (%v), want %#v", source, got, err, want)
		}
	}
}

// What expressions are mostly made of is called without reflection, which would cost more than all else together.
func TestNothingIsCalledByReflection(t *testing.T) {
	for _, source := range []string{
		`payload.job + " #" + string(payload.number) + " " + payload.build.causes[0].user`,
		`either(payload.title, shorten(line(payload.build.log), 80), join(map(payload.build.causes, .user), ", "))`,
		`payload.result matches "^FAIL" and payload.job contains payload.number and lower(string(payload.result)) == "x"`,
	} {
		p, err := Compile(source, Names{"payload": nil}, reflect.Invalid)
		if err != nil {
			t.Fatal(err)
		}
		if slices.Contains(p.code.Bytecode, vm.OpCall) {
			t.Errorf("%s\n%s", source, p.code.Disassemble())
		}
	}
}

func TestFaultsOfAnExpression(t *testing.T) {
	for source, want := range map[string]string{
		`paylod.job`:                      `1:1: unknown name paylod`,
		`payload.job +`:                   `1:13: it ends too early: something is missing here`,
		"payload.job ==\n ]":              `2:2: ] does not belong here`,
		`now()`:                           `1:1: unknown name now`,
		`payload.a = 3`:                   `1:11: = is not known here; write == to compare`,
		`payload.a == "b`:                 `1:16: a text has no end; write the second quote`,
		`true && "a"`:                     `1:6: && cannot stand between bool and string`,
		`reduce(payload.a, #acc + #acc)`:  `1:1: reduce is not there: what it makes has no bound`,
		`payload.a matches payload.b`:     `1:27: what stands behind matches must be a text in quotes, so that it can be checked beforehand`,
		"true &&\n payload matches \"(\"": "2:18: error parsing regexp: missing closing ): `(`",
		`payload matches "(x+y+z+){500}"`: `1:17: this pattern is too large; write it with smaller numbers in {}`,
	} {
		_, err := Compile(source, Names{"payload": nil}, reflect.Invalid)
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("%s: %v", source, err)
			continue
		}
		if got := fmt.Sprintf("%d:%d: %s", e.Line, e.Column, e.Text); got != want {
			t.Errorf("%s: got %s, want %s", source, got, want)
		}
	}
	if _, err := Compile(`"text"`, nil, reflect.Bool); err == nil {
		t.Error("a text is taken for a condition")
	}
	if _, err := eval(t, `payload.build - 1`, sample); err == nil {
		t.Error("an object minus one is something")
	}
}

func FuzzCompileAndRun(f *testing.F) {
	for _, s := range []string{`payload.job`, `join(map(payload.build.causes, .user), "")`, `let x = payload; x?.a[1:2]`, `{"a": 1}.a`, `-[1][0]`, `payload | keys() | sort()`, `"a" matches payload.job`, `1 .. 3`, `payload[payload]`, `replace("", "", "x")`} {
		f.Add(s)
	}
	input := payload(f, sample)
	f.Fuzz(func(t *testing.T, source string) {
		p, err := Compile(source, Names{"payload": nil, "headers": nil}, reflect.Invalid)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.Line < 1 || e.Text == "" {
				t.Fatalf("%q: %#v", source, err)
			}
			return
		}
		p.Run(map[string]any{"payload": input, "headers": Headers{}})
	})
}
