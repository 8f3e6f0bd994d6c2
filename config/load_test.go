package config

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	_ "time/tzdata"

	"github.com/robfig/cron/v3"
)

var update = flag.Bool("update", false, "write the goldens anew")

// testOptions stand in for the rules of schedules, which live elsewhere.
func testOptions(env map[string]string) Options {
	return Options{
		Getenv: func(name string) string { return env[name] },
		SourceTypes: func(string) ([]string, error) {
			return []string{"generic", "github", "slack", "alertmanager", "discord"}, nil
		},
		ParseSchedule: func(s string) error {
			if d, ok := strings.CutPrefix(s, "@every "); ok {
				if every, err := ParseDuration(d); err != nil || every < 1e9 {
					return errors.New(quote(s) + " is too often; at least one second is needed: @every 1s")
				}
				return nil
			}
			if _, err := cron.ParseStandard(s); err != nil {
				return errors.New(quote(s) + " is not a schedule; write for example \"0 9 * * MON-FRI\"")
			}
			return nil
		},
		ParseQuiet: func(s string) error {
			if len(s) != len("22:00-07:00") {
				return errors.New(quote(s) + " are no quiet hours; they should look like 22:00-07:00")
			}
			return nil
		},
	}
}

var home = map[string]string{"HOME": "/home/ana"}

// TestFaults loads each file of testdata and compares all that is said of it.
func TestFaults(t *testing.T) {
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			c, faults := Load(file, testOptions(home))
			if (c == nil) != faults.Wrong() {
				t.Errorf("configuration %v with faults %v", c, faults)
			}
			for _, f := range faults {
				if f.Pos.Line < 1 || f.Pos.Column < 1 {
					t.Errorf("no place: %v", f)
				}
			}
			golden(t, strings.TrimSuffix(file, ".yaml")+".faults", strings.ReplaceAll(faults.String(), "testdata/", ""))
		})
	}
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s\ngot:\n%s\nwant:\n%s", file, got, want)
	}
}
