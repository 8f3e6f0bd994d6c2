package rules

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"quietpost/digest"
)

// A RuleSource is a rule as the file has it.
type RuleSource struct {
	Name string            // as reasons and faults show it, such as "rule 2"
	When string            // the condition; empty means always
	Set  map[string]string // by field: the value as it stands, or an expression where it begins with "="
	Tags []string          // the value of set.tags where it was written as a list
	Drop bool
}

// IsExpression tells a value of `set:` that is worked out from one that stands as it is, and gives the expression.
func IsExpression(value string) (source string, ok bool) {
	return strings.CutPrefix(value, "=")
}

// assignment is one field of `set:`.
type assignment struct {
	*field
	value  any           // where it stands as it is
	code   *Program      // where it is worked out
	reason digest.Reason // what a map tells of the value
}

// NewRule compiles a rule and tries it on two items, one with nothing and one with something of everything, so that what
// could never work is told now. Of an *Error, part is the key it is about: "when", or "set." and a field.
func NewRule(src RuleSource) (rule digest.Rule, part string, err error) {
	var when *Program
	if src.When != "" {
		if when, err = Compile(src.When, itemNames(), reflect.Bool); err != nil {
			return rule, "when", err
		}
	}
	var sets []assignment
	for i := range fields { // in their order, so that a rule does the same each time
		f := &fields[i]
		written, ok := src.Set[f.name]
		if f.name == "tags" && src.Tags != nil {
			sets = append(sets, assignment{field: f, value: slices.Clone(src.Tags)})
			continue
		}
		if !ok || f.set == nil {
			continue
		}
		a := assignment{field: f, value: written}
		if source, ok := IsExpression(written); ok {
			if a.code, err = Compile(source, itemNames(), reflect.Invalid); err != nil {
				return rule, "set." + f.name, err
			}
		}
		sets = append(sets, a)
	}
	for _, it := range samples() {
		values := valuesOf(&it)
		if when != nil {
			if _, err := when.Run(values); err != nil {
				return rule, "when", asError(err)
			}
		}
		for i := range sets {
			if err := sets[i].apply(&it, values); err != nil {
				return rule, "set." + sets[i].name, asError(err)
			}
		}
	}
	rule = digest.Rule{Name: src.Name, Drop: src.Drop}
	if src.When != "" {
		rule.Name += ": " + digest.OneLine(src.When, 120)
	}
	rule.Apply = func(it *digest.Item) (bool, []string, error) { return apply(when, sets, it) }
	return rule, "", nil
}

// apply runs a rule on an item. All values are worked out from the item as it was before.
func apply(when *Program, sets []assignment, it *digest.Item) (matched bool, changed []string, err error) {
	values := valuesOf(it)
	if when != nil {
		v, err := when.Run(values)
		if err != nil {
			return false, nil, fmt.Errorf("when: %w", err)
		}
		if yes, _ := v.(bool); !yes {
			return false, nil, nil
		}
	}
	for i := range sets {
		if err := sets[i].apply(it, values); err != nil {
			return true, nil, fmt.Errorf("set.%s: %w", sets[i].name, err)
		}
		changed = append(changed, sets[i].name)
	}
	return true, changed, nil
}

func (a *assignment) apply(it *digest.Item, values map[string]any) (err error) {
	v := a.value
	if a.code != nil {
		if v, err = a.code.Run(values); err != nil {
			return err
		}
	}
	return a.set(it, v)
}

func asError(err error) *Error {
	if e, ok := err.(*Error); ok {
		return e
	}
	return &Error{1, 1, err.Error()}
}

// samples are the items a rule is tried on.
func samples() []digest.Item {
	at := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	return []digest.Item{{}, {Source: "github", Tool: "github", Project: "apollo", Kind: "review", Title: "PR #42 merged", Body: "body",
		URL: "https://example.com/42", Author: "ana", Thread: "pr/42", Event: "pull_request.closed", State: "merged", Level: "info",
		Urgent: true, Priority: "high", Tags: []string{"web", "api"}, Due: "2026-12-01", Private: true, Authenticated: true,
		OccurredAt: at, ReceivedAt: at}}
}
