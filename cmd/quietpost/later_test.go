package main

import (
	"bytes"
	"strings"
	"testing"
)

// What is documented for later is refused with these words, and is not in the help.
func TestNotYet(t *testing.T) {
	for _, args := range []string{"items search", "items search mail queue --limit 3", "subscribers set ana@example.com --zone x", "subscribers import -",
		"subscribers export", "explain --since 7d"} {
		var out, faults bytes.Buffer
		e := &env{ctx: t.Context(), stdin: strings.NewReader(""), stdout: &out, stderr: &faults}
		if code := run(e, strings.Fields(args)); code != 2 || !strings.Contains(faults.String(), "not yet") || out.Len() > 0 {
			t.Errorf("%s: %d: %s%s", args, code, faults.String(), out.String())
		}
	}
	var help bytes.Buffer
	if run(&env{ctx: t.Context(), stdout: &help, stderr: &help}, []string{"items", "--help"}); !strings.Contains(help.String(), "list") ||
		strings.Contains(help.String(), "search") {
		t.Errorf("help: %s", help.String())
	}
}
