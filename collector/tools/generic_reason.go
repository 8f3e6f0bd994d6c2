package tools

import (
	"slices"
	"strings"

	"quietpost/digest"
	"quietpost/digest/rules"
)

// why is the reason of a failure, for a line that is short without it.
func (s *search) why(head string, it *digest.Item) string {
	if !failing[it.State] || len(head) > 60 {
		return ""
	}
	reason := digest.OneLine(rules.Plain(orElse(orElse(s.text(&reasonNames, 1200), s.wrong()), s.counted())), 120)
	if !strings.Contains(reason, " ") || strings.Contains(strings.ToLower(head), strings.ToLower(reason)) {
		return ""
	}
	return reason
}

// successes are keys that stand beside failures.
var successes = fieldSet("passes", "passed", "tests", "total", "successes", "passedtests", "testspassed", "passedcount", "passcount", "totaltests", "totalcount", "numpassed", "numpassedtests", "testcount")

// failures are keys under which runs tell how much of them has failed.
var failures = fieldSet("failures", "failed", "failedtests", "testsfailed", "failedcount", "failurecount", "numfailed", "failcount", "totalfailed", "numfailedtests", "faultycount")

// counted is how much of a run has failed, as it counts that itself: "3 failures"; "" if nothing has.
func (s *search) counted() string {
	if !slices.ContainsFunc(s.places, func(p place) bool { return successes[p.key] && p.scalar() != "" }) {
		return "" // five failures to log in are no run
	}
	for i := range s.places {
		p := &s.places[i]
		if v := p.scalar(); failures[p.key] && p.depth < 3 && !p.aside && p.far == 0 && smallNumber.MatchString(v) && atoi(v) > 0 {
			return count(atoi(v), "failure")
		}
	}
	return ""
}
