package rules

import (
	"errors"
	"fmt"
	"maps"
	"reflect"

	"github.com/expr-lang/expr/vm"

	"quietpost/digest"
)

// The keys of `map:` beside the fields of an item.
const (
	EachKey   = "each"   // a list in the payload: an item of each entry, which is `item`
	IgnoreKey = "ignore" // true, or a text that says why: no item
	KeyKey    = "key"    // the delivery's id: the same one again is a duplicate
)

// MapKeys are all keys of `map:`, in the order of the documentation.
func MapKeys() []string { return append([]string{EachKey, IgnoreKey, KeyKey}, Settable()...) }

// A Map is the `map:` of a source, compiled. It is safe for many goroutines.
type Map struct {
	lets              []binding
	names             Names               // of what all its expressions may name
	codes             map[string]*Program // by key
	each, ignore, key *Program
	sets              []assignment
}

// A Let gives a value of the payload a name that the expressions of a map may use; later ones may use earlier ones.
type Let struct{ Name, Source string }

type binding struct {
	name string
	code *Program
}

// NewMap compiles the expressions of a source's `map:`, by key. Of an *Error, part is the key it is about, or the name of
// the Let.
func NewMap(sources map[string]string, lets ...Let) (m *Map, part string, err error) {
	m = &Map{names: Names{"payload": nil, "headers": nil}}
	for _, l := range lets {
		b := binding{name: l.Name}
		if b.code, err = Compile(l.Source, m.names, reflect.Invalid); err != nil {
			return nil, l.Name, err
		}
		m.lets = append(m.lets, b)
		m.names[l.Name] = nil
	}
	return m.With(sources)
}

// With is the map with further expressions, which go before those it has. What it has is not compiled again.
func (m *Map) With(sources map[string]string) (out *Map, part string, err error) {
	out = &Map{lets: m.lets, names: m.names, codes: maps.Clone(m.codes)}
	if out.codes == nil {
		out.codes = map[string]*Program{}
	}
	names := m.names
	for _, key := range MapKeys() { // each is the first: the others see its item, but for key
		if source, ok := sources[key]; ok {
			of := names
			if key == KeyKey {
				of = m.names
			}
			if out.codes[key], err = Compile(source, of, reflect.Invalid); err != nil {
				return nil, key, err
			}
		}
		if key == EachKey && out.codes[key] != nil {
			names = maps.Clone(names)
			names["item"] = nil
		}
	}
	out.each, out.ignore, out.key = out.codes[EachKey], out.codes[IgnoreKey], out.codes[KeyKey]
	for i := range fields {
		if code := out.codes[fields[i].name]; code != nil {
			out.sets = append(out.sets, assignment{field: &fields[i], code: code, reason: digest.Reason("map: " + digest.OneLine(code.source, 120))})
		}
	}
	return out, "", nil
}

// workOfMap is what all expressions of a map may take together for one delivery.
const workOfMap = 5 * MaxWork

// Read makes items of a payload as Value gives it, at most max; left is how many entries are left over. When there is none,
// ignored says why. An error names the key whose expression is at fault.
func (m *Map) Read(payload any, headers Headers, max int) (items []digest.Item, key string, ignored digest.Reason, left int, err error) {
	s, err := m.Scope(payload, headers)
	if err != nil {
		return nil, "", "", 0, err
	}
	return m.ReadIn(s, max)
}

// ReadIn is Read in a scope that a map with the same lets has made.
func (m *Map) ReadIn(s *Scope, max int) (items []digest.Item, key string, ignored digest.Reason, left int, err error) {
	work, values := s.work, s.values
	if m.key != nil {
		v, err := m.key.run(work, values)
		if err != nil {
			return nil, "", "", 0, fmt.Errorf("map.key: %w", err)
		}
		key = str(v)
	}
	entries := []any{nil}
	if m.each != nil {
		v, err := m.each.run(work, values)
		if err == nil {
			entries, err = list(v)
		}
		if err != nil {
			return nil, key, "", 0, fmt.Errorf("map.each: %w", err)
		}
		ignored = "map.each: the list is empty"
	}
	for i, entry := range entries {
		if len(items) == max {
			return items, key, "", len(entries) - i, nil
		}
		values["item"] = entry
		it, why, err := m.one(work, values)
		if err != nil {
			return nil, key, "", 0, err
		}
		if why != "" {
			ignored = why
			continue
		}
		items = append(items, it)
	}
	if len(items) > 0 {
		ignored = ""
	}
	return items, key, ignored, 0, nil
}

// one makes one item, or says why there is none.
func (m *Map) one(work *meter, values map[string]any) (it digest.Item, ignored digest.Reason, err error) {
	if m.ignore != nil {
		v, err := m.ignore.run(work, values)
		if err == nil {
			ignored, err = reasonOf(v)
		}
		if err != nil || ignored != "" {
			return it, ignored, faultOf(IgnoreKey, err)
		}
	}
	it.Reasons = map[string]digest.Reason{}
	for i := range m.sets {
		a := &m.sets[i]
		v, err := a.code.run(work, values)
		if err == nil {
			err = a.set(&it, v)
		}
		if err != nil {
			return it, "", faultOf(a.name, err)
		}
		if s, _ := v.(string); a.name == "project" && s != "" || a.name == "urgent" && it.Urgent || a.name == "kind" && it.Kind != "" {
			it.Reasons[a.name] = a.reason
		}
	}
	return it, "", nil
}

func faultOf(key string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("map.%s: %w", key, err)
}

// reasonOf reads what `ignore` gives: a text is a reason, true is one without words.
func reasonOf(v any) (digest.Reason, error) {
	if s, ok := v.(string); ok {
		return digest.Reason(digest.OneLine(s, digest.MaxField)), nil
	}
	yes, err := truth(v)
	if yes {
		return "map.ignore says so", err
	}
	return "", err
}

// list is what `each` goes through: a list, or one object.
func list(v any) ([]any, error) {
	switch v := v.(type) {
	case []any:
		return v, nil
	case map[string]any:
		return []any{v}, nil
	case nil:
		return nil, errors.New("nothing is there")
	}
	r := reflect.ValueOf(v)
	if r.Kind() != reflect.Slice {
		return nil, fmt.Errorf("it is %s where a list should be", kindOf(v))
	}
	out := make([]any, r.Len())
	for i := range out {
		out[i] = r.Index(i).Interface()
	}
	return out, nil
}

// A Scope is what the expressions of a map may name for one payload, and the budget that they share. It is for one
// goroutine.
type Scope struct {
	work   *meter
	values map[string]any
}

// Scope works out the map's lets over a payload, once for all maps and conditions that have the same.
func (m *Map) Scope(payload any, headers Headers) (*Scope, error) {
	s := &Scope{work: &meter{limit: workOfMap, machine: vm.VM{Stack: make([]any, 0, 16)}}}
	values := make(map[string]any, len(innerTypes)+len(m.lets)+3) // made once for all: it would grow while it is filled
	values["payload"], values["headers"] = payload, headers
	s.values = s.work.inner(values)
	return s, m.bind(s.work, s.values)
}

// bind works out the lets.
func (m *Map) bind(work *meter, values map[string]any) error {
	for i := range m.lets {
		v, err := m.lets[i].code.run(work, values)
		if err != nil {
			return fmt.Errorf("let.%s: %w", m.lets[i].name, err)
		}
		values[m.lets[i].name] = v
	}
	return nil
}
