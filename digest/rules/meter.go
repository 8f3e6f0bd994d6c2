package rules

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/expr-lang/expr/vm"
)

// Bounds of one run, whatever an expression says and whatever it meets.
const (
	MaxWork   = 1_000_000 // units of work: a step of a loop, a value looked at, sixteen bytes of text
	MaxMade   = 200_000   // values that lists and objects made by the expression hold
	MaxString = 64 << 10  // bytes of a string that an expression makes or sees
)

// ErrBudget is the fault of an expression that takes too many steps or makes too much.
var ErrBudget = errors.New("the expression takes too long on this input")

// What kinder puts into expressions are functions that stand among the values which a program runs over. Their types are
// some that expr calls without reflection; over the budget they panic with ErrBudget, which expr hands on as its error.
const (
	getName    = "__get"
	followName = "__follow"
	weighName  = "__weigh"
	stepName   = "__step"
	matchName  = "__match"
	addName    = "__add"
	eventName  = "__event"
)

var innerTypes = map[string]any{
	getName:    get,
	followName: follow,
	weighName:  (*meter)(nil).weigh,
	stepName:   (*meter)(nil).step,
	matchName:  (*meter)(nil).match,
	addName:    (*meter)(nil).sum,
	eventName:  isEvent,
}

// A meter counts the work of one run. It counts what is handed to functions and operators before they look at it, so
// that no single call is more than the budget, either.
type meter struct {
	work     int
	limit    int
	patterns []pattern
	machine  vm.VM // one for all runs: its stack is made once
}

// inner puts the inner functions into values; what weighs does so for this meter.
func (m *meter) inner(values map[string]any) map[string]any {
	values[getName], values[followName], values[eventName] = get, follow, isEvent
	values[weighName], values[stepName], values[matchName], values[addName] = m.weigh, m.step, m.match, m.sum
	return values
}

// charge stops the run when it has taken too much.
func (m *meter) charge(work int) {
	if m.work += work; m.work > m.limit {
		panic(ErrBudget)
	}
}

// weigh charges for a value as a whole: whoever gets it may look at all of it.
func (m *meter) weigh(v any) any {
	m.add(v)
	m.charge(0)
	return v
}

// step charges for one turn of a loop.
func (m *meter) step(v any) any {
	s, _ := v.(string)
	m.charge(10 + len(s)/16)
	return v
}

// sum is '+', which looks at both sides.
func (m *meter) sum(a, b any) any {
	m.add(a)
	m.add(b)
	m.charge(0)
	v, err := add(a, b)
	if err != nil {
		panic(err)
	}
	return v
}

func (m *meter) add(v any) {
	if m.work++; m.work > m.limit {
		return
	}
	switch v := v.(type) {
	case nil, bool, int, float64:
	case string:
		m.work += len(v) / 16
	case map[string]any:
		for k, e := range v {
			if m.work += len(k) / 16; m.work > m.limit {
				return
			}
			m.add(e)
		}
	case []any:
		for _, e := range v {
			if m.work > m.limit {
				return
			}
			m.add(e)
		}
	default:
		if r := reflect.ValueOf(v); r.Kind() == reflect.Slice || r.Kind() == reflect.Map {
			m.work += 4 * r.Len() // made by expr: ranges, groups
		}
	}
}

// isEvent tells whether an item's event is one of names. A name stands for all that a tool tells under it: "star" for
// star.created and star.deleted, "pullrequest" for pullrequest:approved.
func isEvent(event, names any) bool {
	if list, ok := names.([]any); ok {
		return slices.ContainsFunc(list, func(name any) bool { return isEvent(event, name) })
	}
	of, _ := event.(string)
	name, isText := names.(string)
	rest, ok := strings.CutPrefix(of, name)
	return isText && ok && (rest == "" || name != "" && (rest[0] == '.' || rest[0] == ':'))
}

// match is `matches`: charged by the text's length times the pattern's size, which is what Go's regular expressions
// take at worst.
func (m *meter) match(v, i any) bool {
	if v == nil {
		return false
	}
	s, p := str(v), m.patterns[i.(int)]
	m.add(v)
	m.charge(len(s) / 16 * p.size)
	return p.re.MatchString(s)
}

func capped(s string) string {
	if len(s) <= MaxString {
		return s
	}
	s = s[:MaxString]
	for i := len(s) - 1; i >= len(s)-utf8.UTFMax; i-- { // not in the middle of a character
		if utf8.RuneStart(s[i]) {
			if !utf8.FullRuneInString(s[i:]) {
				s = s[:i]
			}
			break
		}
	}
	return s
}
