package config

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestExamplesOfThePagesAreGood: every configuration shown in a page is one that check takes.
func TestExamplesOfThePagesAreGood(t *testing.T) {
	n := 0
	for _, page := range []string{"../docs/expressions.md", "../README.md"} {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile("(?ms)^```yaml\n(.*?)^```$").FindAllSubmatch(text, -1) {
			n++
			file := string(m[1])
			if !strings.Contains(file, "\nmail:") && !strings.HasPrefix(file, "mail:") {
				file = minimal + file
			}
			_, faults := Parse("/etc/quietpost/quietpost.yaml", []byte(file), testOptions(map[string]string{"HOME": "/h", "CREDENTIALS_DIRECTORY": "/c"}))
			if len(faults) > 0 {
				t.Errorf("%s:\n%s\nin:\n%s", page, faults, file)
			}
		}
	}
	if n < 5 {
		t.Errorf("only %d examples found", n)
	}
}
