package config

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"quietpost/digest"

	"github.com/google/jsonschema-go/jsonschema"
	"go.yaml.in/yaml/v4"
)

// A reader walks the YAML tree, fills in values and gathers faults.
type reader struct {
	file    string
	dir     string // folder of the file, absolute
	opts    Options
	faults  Faults
	lines   [][]rune    // of the file
	at      map[any]Pos // where a value stood, by the pointer to the Go value
	aliased int         // nodes that may still be read through aliases
}

// A key is one line of a section's table.
type key struct {
	name     string
	value    value
	example  string // what would be right, as one writes it in YAML
	about    string // one line for editors
	required bool
}

// A value reads one YAML node into the Go value behind ptr.
type value struct {
	ptr    any
	read   func(r *reader, p place, n *yaml.Node)
	schema *jsonschema.Schema
}

// A place is where we are: the dotted path of keys (entries of lists have none of their own), an example of what may
// stand there, and whether something must.
type place struct {
	path, example string
	required      bool
}

func (p place) key(k key) place {
	return place{path: strings.TrimPrefix(p.path+"."+k.name, "."), example: k.example, required: k.required}
}

// entry is the place of an entry of a list: its example is the first one of the list's.
func (p place) entry() place {
	p.example = strings.TrimSuffix(strings.TrimPrefix(p.example, "["), "]")
	if !strings.HasPrefix(p.example, "{") {
		p.example, _, _ = strings.Cut(p.example, ", ")
	}
	return p
}

// named is the place of an entry under a name of the person's own: of the example {daily: X} it is X.
func (p place) named(name string) place {
	_, example, _ := strings.Cut(strings.TrimSuffix(p.example, "}"), ": ")
	return place{path: p.path + "." + name, example: example}
}

// wrongValue is the error of a value: what is wrong with it, to be read after the value itself, and what would be
// right; an empty right means that the example of the key tells.
type wrongValue struct{ what, right string }

func (e *wrongValue) Error() string {
	if e.right == "" {
		return e.what
	}
	return e.what + "; " + e.right
}

func wrong(what, right string) error { return &wrongValue{what, right} }

// wrong adds a fault, unless there are so many already that nobody reads on.
func (r *reader) wrong(at Pos, format string, args ...any) {
	switch {
	case len(r.faults) < maxFaults:
		r.faults = append(r.faults, Fault{r.file, at, Wrong, oneLine(format, args)})
	case len(r.faults) == maxFaults:
		end := r.faults[len(r.faults)-1].Pos
		r.faults = append(r.faults, Fault{r.file, end, Wrong, "there are more faults; mend these first"})
	}
}

func (r *reader) note(at Pos, format string, args ...any) {
	if len(r.faults) < maxFaults {
		r.faults = append(r.faults, Fault{r.file, at, Note, oneLine(format, args)})
	}
}

// oneLine keeps what the file holds from breaking the lines of a fault, or from reaching a terminal as a command.
func oneLine(format string, args []any) string {
	return digest.OneLine(fmt.Sprintf(format, args...), 600)
}

// wrongText adds the fault of a value that its parser did not take.
func (r *reader) wrongText(p place, at Pos, s string, err error) {
	var e *wrongValue
	if !errors.As(err, &e) {
		r.wrong(at, "%s: %v", p.path, err)
		return
	}
	right := e.right
	if right == "" {
		right = "write for example " + p.example
	}
	r.wrong(at, "%s: %s %s; %s", p.path, quote(s), e.what, right)
}

// quote shows a value of the file, not more of it than fits a line.
func quote(s string) string {
	if runes := []rune(s); len(runes) > 80 {
		s = string(runes[:79]) + "…"
	}
	return strconv.Quote(s)
}

func pos(n *yaml.Node) Pos { return Pos{n.Line, n.Column} }

// resolve gives what an alias stands for, at the alias's own place. All that is read through aliases is counted, so
// that a small file cannot stand for a huge one; it gives nil when the count is over.
func (r *reader) resolve(n *yaml.Node) *yaml.Node {
	if n.Kind != yaml.AliasNode {
		return n
	}
	if r.aliased <= 0 {
		return nil
	}
	if r.aliased = count(n.Alias, r.aliased); r.aliased <= 0 {
		r.wrong(pos(n), "the aliases (*%s and others) stand for too much; write the values out", n.Value)
		return nil
	}
	c := *n.Alias
	c.Line, c.Column = n.Line, n.Column
	return &c
}

// count takes the nodes at and below n from left. Aliases in them are counted when they are resolved.
func count(n *yaml.Node, left int) int {
	left--
	for _, c := range n.Content {
		if left <= 0 {
			break
		}
		left = count(c, left)
	}
	return left
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

// describe says what a node is, for faults about its form.
func describe(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "a mapping of keys"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case isNull(n):
		return "nothing"
	case n.Tag == "!!int" || n.Tag == "!!float" || n.Tag == "!!bool":
		return n.Value
	}
	return quote(n.Value)
}

// object reads a mapping of known keys. at is set to where it stands, unless nil.
func object(at *Pos, keys ...key) value {
	return value{schema: objectSchema(keys), read: func(r *reader, p place, n *yaml.Node) {
		if n = r.resolve(n); n == nil {
			return
		}
		if !isNull(n) && n.Kind != yaml.MappingNode { // an empty section says nothing, as if it were not there
			if p.path == "" {
				r.wrong(pos(n), "the file holds %s; it should hold keys and values, such as mail: {…}", describe(n))
			} else {
				r.wrong(pos(n), "%s: here should be keys and values, such as %s; it is %s", p.path, p.example, describe(n))
			}
			return
		}
		if at != nil {
			*at = pos(n)
		}
		seen := r.pairs(p, n, func(name string, k, v *yaml.Node) {
			for _, known := range keys {
				if known.name == name {
					if known.value.ptr != nil {
						r.at[known.value.ptr] = pos(v)
					}
					known.value.read(r, p.key(known), v)
					return
				}
			}
			r.unknown(p, keys, name, pos(k))
		})
		for _, k := range keys {
			if _, ok := seen[k.name]; k.required && !ok {
				r.wrong(pos(n), "%s is missing; write %s: %s", p.key(k).path, k.name, k.example)
			}
		}
	}}
}

// pairs calls f for each key of a mapping, the first time it stands there.
func (r *reader) pairs(p place, n *yaml.Node, f func(name string, k, v *yaml.Node)) map[string]int {
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := r.resolve(n.Content[i]), n.Content[i+1]
		switch {
		case k == nil:
		case k.Tag == "!!merge":
			r.wrong(pos(k), "merge keys (<<) are not taken; write the keys out")
		case k.Kind != yaml.ScalarNode || isNull(k):
			r.wrong(pos(k), "here is %s where a key should be; a key is a plain word before ':'", describe(k))
		case seen[k.Value] > 0:
			r.wrong(pos(k), "%s stands here twice, first on line %d; keep one", p.key(key{name: k.Value}).path, seen[k.Value])
		default:
			seen[k.Value] = k.Line
			f(k.Value, k, v)
		}
	}
	return seen
}

// unknown tells what may have been meant by a key that the section does not have.
func (r *reader) unknown(p place, keys []key, name string, at Pos) {
	if len(r.faults) > maxFaults {
		return
	}
	full := p.key(key{name: name}).path
	if words, ok := later(full); ok && words == nil {
		r.wrong(at, "%s: not yet; this version does not act on it, so take it out", full)
		return
	}
	var names []string
	for _, k := range keys {
		names = append(names, k.name)
	}
	slices.Sort(names)
	meant := nearest(name, names, 1)
	elsewhere := sectionsOf(name)
	if meant == "" && len(elsewhere) == 0 {
		meant = closest(name, names)
	}
	switch {
	case slices.Contains(names, name+"_file"):
		r.wrong(at, "%s: secrets never stand in this file; write the secret into a file of its own and name that in %s_file", full, name)
	case meant != "":
		r.wrong(at, "%s is not known; did you mean %s?", full, meant)
	case slices.Contains(elsewhere, ""):
		r.wrong(at, "%s is not known; %s stands at the top of the file, not indented", full, name)
	case len(elsewhere) > 0:
		r.wrong(at, "%s is not known; %s belongs under %s", full, name, join(elsewhere))
	default:
		r.wrong(at, "%s is not known; here can stand: %s", full, strings.Join(names, ", "))
	}
}

// list reads a list; fresh is an entry that says nothing.
func list[T any](dst *[]T, fresh func() T, entry func(*T) value) value {
	item := fresh()
	s := &jsonschema.Schema{Types: []string{"array", "null"}, Items: entry(&item).schema}
	return value{ptr: dst, schema: s, read: func(r *reader, p place, n *yaml.Node) {
		if n = r.resolve(n); n == nil || isNull(n) {
			return
		}
		if n.Kind != yaml.SequenceNode {
			if n.Kind == yaml.ScalarNode && !strings.HasPrefix(p.example, "[{") {
				r.wrong(pos(n), "%s: here should be a list, even of one; write [%s]", p.path, n.Value)
			} else {
				r.wrong(pos(n), "%s: here should be a list, such as %s; it is %s", p.path, p.example, describe(n))
			}
			return
		}
		if len(n.Content) > maxList {
			r.wrong(pos(n), "%s has %d entries; at most %d can be listed", p.path, len(n.Content), maxList)
			return
		}
		*dst = make([]T, 0, len(n.Content)) // never grows, so that pointers to entries stay good
		for _, c := range n.Content {
			*dst = append(*dst, fresh())
			if isNull(c) {
				r.wrong(pos(c), "%s: an entry without a value; fill it in or take it out", p.path)
				continue
			}
			v := entry(&(*dst)[len(*dst)-1])
			if v.ptr != nil {
				r.at[v.ptr] = pos(c)
			}
			v.read(r, p.entry(), c)
		}
	}}
}

// texts is a list of parsed texts.
func texts[T any](dst *[]T, parse func(string) (T, error)) value {
	return list(dst, func() (t T) { return t }, func(t *T) value { return text(t, parse) })
}

// dict reads a mapping whose keys are names of the person's own. What is read is added to what dst holds.
func dict[T any](dst *map[string]T, name func(string) (string, error), entry func(*T) value) value {
	var t T
	s := &jsonschema.Schema{Types: []string{"object", "null"}, AdditionalProperties: entry(&t).schema}
	return value{ptr: dst, schema: s, read: func(r *reader, p place, n *yaml.Node) {
		if n = r.resolve(n); n == nil || isNull(n) {
			return
		}
		if n.Kind != yaml.MappingNode {
			r.wrong(pos(n), "%s: here should be keys and values, such as %s; it is %s", p.path, p.example, describe(n))
			return
		}
		if len(n.Content)/2 > maxNames {
			r.wrong(pos(n), "%s has %d entries; at most %d can be named", p.path, len(n.Content)/2, maxNames)
			return
		}
		if *dst == nil {
			*dst = map[string]T{}
		}
		r.pairs(p, n, func(written string, k, v *yaml.Node) {
			clean, err := name(written)
			if err != nil {
				r.wrongText(p, pos(k), written, err)
				return
			}
			var t T
			entry(&t).read(r, p.named(written), v)
			(*dst)[clean] = t
		})
	}}
}
