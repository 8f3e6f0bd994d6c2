package rules

import (
	"errors"
	"reflect"
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

const (
	weighName = "__weigh"
	stepName  = "__step"
	matchName = "__match"
)

type (
	weigher func(any) (any, error)
	matcher func(any, int) (any, error)
)

// A meter counts the work of one run. It counts what is handed to functions and operators before they look at it, so
// that no single call is more than the budget, either.
type meter struct {
	work     int
	limit    int
	patterns []pattern
	machine  vm.VM // one for all runs: its stack is made once
}

// scales puts into values what weighs for this meter.
func (m *meter) scales(values map[string]any) map[string]any {
	if values == nil {
		values = map[string]any{}
	}
	values[weighName], values[stepName], values[matchName] = weigher(m.weigh), weigher(m.step), matcher(m.match)
	return values
}

// weigh charges for a value as a whole: whoever gets it may look at all of it.
func (m *meter) weigh(v any) (any, error) {
	m.add(v)
	if m.work > m.limit {
		return nil, ErrBudget
	}
	return v, nil
}

// step charges for one turn of a loop.
func (m *meter) step(v any) (any, error) {
	m.work += 10
	if s, ok := v.(string); ok {
		m.work += len(s) / 16
	}
	if m.work > m.limit {
		return nil, ErrBudget
	}
	return v, nil
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

// match is `matches`: charged by the text's length times the pattern's size, which is what Go's regular expressions
// take at worst.
func (m *meter) match(v any, i int) (any, error) {
	if v == nil {
		return false, nil
	}
	s, p := str(v), m.patterns[i]
	m.add(v)
	if m.work += len(s) / 16 * p.size; m.work > m.limit {
		return nil, ErrBudget
	}
	return p.re.MatchString(s), nil
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
