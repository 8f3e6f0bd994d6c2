package rules

import (
	"encoding/json"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"
)

// fenced are the blocks of a Markdown page in a language, "" for none.
func fenced(t *testing.T, page []byte, language string) (blocks []string) {
	t.Helper()
	for _, m := range regexp.MustCompile("(?ms)^```([a-z]*)\n(.*?)^```$").FindAllSubmatch(page, -1) {
		if string(m[1]) == language {
			blocks = append(blocks, string(m[2]))
		}
	}
	return blocks
}

// TestThePageIsTrue runs every example of the page for operators, and looks that none of the functions is missing there.
func TestThePageIsTrue(t *testing.T) {
	page, err := os.ReadFile("../../docs/expressions.md")
	if err != nil {
		t.Fatal(err)
	}
	input := payload(t, fenced(t, page, "json")[0])
	var examples []string
	for _, block := range fenced(t, page, "") {
		examples = append(examples, strings.Split(strings.TrimSpace(block), "\n")...)
	}
	if len(examples) < 80 {
		t.Fatalf("only %d examples found", len(examples))
	}
	for _, example := range examples {
		source, want, ok := strings.Cut(example, " → ")
		if !ok {
			t.Errorf("no result: %s", example)
			continue
		}
		p, err := Compile(source, Names{"payload": nil, "headers": nil}, reflect.Invalid)
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		got, err := p.Run(map[string]any{"payload": input, "headers": Headers{"x-event": "build.done"}})
		if at, ok := got.(time.Time); ok {
			got = at.UTC()
		}
		result, err2 := json.Marshal(got)
		if err != nil || err2 != nil || !sameJSON(t, string(result), strings.ReplaceAll(want, "nil", "null")) {
			t.Errorf("%s → %s (%v), the page says %s", source, result, err, want)
		}
	}
	all := strings.Join(examples, "\n")
	for _, name := range builtins {
		if !regexp.MustCompile(`\b` + name + `\(`).MatchString(all) {
			t.Errorf("%s has no example", name)
		}
	}
	for name := range Functions() {
		if !strings.Contains(all, name+"(") {
			t.Errorf("%s has no example", name)
		}
	}
	for _, key := range append(MapKeys(), "source", "type", "received_at", "authenticated") {
		if !strings.Contains(string(page), "`"+key+"`") {
			t.Errorf("%s is not described", key)
		}
	}
}

func sameJSON(t *testing.T, a, b string) bool {
	var x, y any
	if json.Unmarshal([]byte(a), &x) != nil || json.Unmarshal([]byte(b), &y) != nil {
		t.Errorf("not JSON: %s or %s", a, b)
		return false
	}
	return reflect.DeepEqual(x, y)
}
