package tools

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"quietpost/digest/rules"
)

// mapReader reads the parts of a map file and gathers what is wrong with them.
type mapReader struct {
	file   string
	faults []error
}

func (r *mapReader) fault(n *yaml.Node, format string, args ...any) {
	r.faults = append(r.faults, fmt.Errorf("%s:%d: %s", r.file, n.Line, fmt.Sprintf(format, args...)))
}

// pairs calls fn for each key and value of an object, in their order.
func (r *mapReader) pairs(n *yaml.Node, fn func(k, v *yaml.Node)) {
	if n.Kind != yaml.MappingNode {
		r.fault(n, "here should be keys with values")
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := n.Content[i]
		if seen[k.Value] {
			r.fault(k, "%s stands here twice", k.Value)
		}
		seen[k.Value] = true
		fn(k, n.Content[i+1])
	}
}

// object reads an object of known keys.
func (r *mapReader) object(n *yaml.Node, keys map[string]func(*yaml.Node)) {
	r.pairs(n, func(k, v *yaml.Node) {
		if read := keys[k.Value]; read != nil {
			read(v)
			return
		}
		var known []string
		for name := range keys {
			known = append(known, name)
		}
		slices.Sort(known)
		r.fault(k, "%s is not known; here can stand: %s", k.Value, strings.Join(known, ", "))
	})
}

func (r *mapReader) list(n *yaml.Node, fn func(*yaml.Node)) {
	if n.Kind != yaml.SequenceNode {
		r.fault(n, "here should be a list")
		return
	}
	for _, e := range n.Content {
		fn(e)
	}
}

func (r *mapReader) text(to *string) func(*yaml.Node) {
	return func(n *yaml.Node) {
		if n.Kind != yaml.ScalarNode {
			r.fault(n, "here should be a text")
		}
		*to = strings.TrimSpace(n.Value)
	}
}

func (r *mapReader) value(to any) func(*yaml.Node) {
	return func(n *yaml.Node) {
		if err := n.Decode(to); err != nil {
			r.fault(n, "%v", err)
		}
	}
}

// sets reads expressions by key of an item.
func (r *mapReader) sets(n *yaml.Node, to map[string]string, lines map[string]int, place string) {
	r.pairs(n, func(k, v *yaml.Node) { r.set(k, v, to, lines, place) })
}

func (r *mapReader) set(k, v *yaml.Node, to map[string]string, lines map[string]int, place string) {
	switch {
	case !slices.Contains(rules.MapKeys(), k.Value):
		r.fault(k, "%s is not known; here can stand: %s", k.Value, strings.Join(rules.MapKeys(), ", "))
	case v.Kind != yaml.ScalarNode:
		r.fault(v, "%s: here should be an expression", k.Value)
	default:
		to[k.Value] = v.Value
		lines[place+k.Value] = v.Line
		if v.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
			lines[place+k.Value]++
		}
	}
}

func (r *mapReader) sign(n *yaml.Node) (s mapSign) {
	r.object(n, map[string]func(*yaml.Node){
		"header": func(n *yaml.Node) {
			s.header, s.starts, _ = strings.Cut(n.Value, ":")
			s.starts = strings.TrimSpace(s.starts)
		},
		"fields": func(n *yaml.Node) { r.list(n, func(n *yaml.Node) { s.fields = append(s.fields, n.Value) }) },
		"when":   r.text(&s.when),
	})
	if s.header == "" && len(s.fields) == 0 {
		r.fault(n, "a sign needs a header, or fields that are in the payload")
	}
	return s
}

func (r *mapReader) event(n *yaml.Node, lines map[string]int, index int) mapEvent {
	e := mapEvent{sets: map[string]string{}}
	place := fmt.Sprintf("on[%d].", index)
	r.pairs(n, func(k, v *yaml.Node) {
		if k.Value == "when" {
			e.when = v.Value
			lines[place+"when"] = v.Line
			return
		}
		r.set(k, v, e.sets, lines, place)
	})
	return e
}

// sample reads a sample. Its body is a text as it is sent, or an object that is sent as JSON.
func (r *mapReader) sample(n *yaml.Node) (s Sample) {
	s.Header = http.Header{}
	r.object(n, map[string]func(*yaml.Node){
		"name": r.text(&s.Name),
		"headers": func(n *yaml.Node) {
			r.pairs(n, func(k, v *yaml.Node) { s.Header.Add(k.Value, v.Value) })
		},
		"body": func(n *yaml.Node) {
			if n.Kind == yaml.ScalarNode {
				s.Body = []byte(n.Value)
				return
			}
			var v any
			err := n.Decode(&v)
			if err == nil {
				s.Body, err = json.Marshal(v)
			}
			if err != nil {
				r.fault(n, "%v", err)
			}
		},
		"gives": func(n *yaml.Node) {
			if n.Kind == yaml.MappingNode {
				s.Gives = append(s.Gives, r.gives(n))
				return
			}
			r.list(n, func(n *yaml.Node) { s.Gives = append(s.Gives, r.gives(n)) })
		},
		"ignored": r.text(&s.Ignored),
	})
	if s.Name == "" || (len(s.Gives) == 0) == (s.Ignored == "") {
		r.faults = append(r.faults, errors.New(r.file+": a sample needs a name, a body, and what it gives or why it is ignored"))
	}
	return s
}

func (r *mapReader) gives(n *yaml.Node) map[string]string {
	out := map[string]string{}
	r.pairs(n, func(k, v *yaml.Node) {
		if v.Kind == yaml.SequenceNode {
			var words []string
			r.list(v, func(n *yaml.Node) { words = append(words, n.Value) })
			out[k.Value] = strings.Join(words, ", ")
			return
		}
		out[k.Value] = strings.TrimSpace(v.Value)
	})
	return out
}
