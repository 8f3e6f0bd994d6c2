package config

import (
	"slices"
	"strconv"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"
	"go.yaml.in/yaml/v4"
)

// text reads a scalar by its text, as it is written: 1.10 stays 1.10.
func text[T any](dst *T, parse func(string) (T, error)) value {
	return value{ptr: dst, schema: &jsonschema.Schema{Type: "string"}, read: func(r *reader, p place, n *yaml.Node) {
		if n = r.scalar(p, n, "!!str", "!!int", "!!float", "!!timestamp"); n == nil {
			return
		}
		t, err := parse(n.Value)
		if err != nil {
			r.wrongText(p, pos(n), n.Value, err)
			return
		}
		*dst = t
	}}
}

// scalar gives the node if it is a scalar of one of these tags, else nil after a fault.
func (r *reader) scalar(p place, n *yaml.Node, tags ...string) *yaml.Node {
	if n = r.resolve(n); n == nil {
		return nil
	}
	switch {
	case r.noValue(p, n):
	case n.Kind != yaml.ScalarNode:
		r.wrong(pos(n), "%s: here should be one value, such as %s; it is %s", p.path, p.example, describe(n))
	case !slices.Contains(tags, n.Tag):
		switch n.Tag {
		case "!!bool":
			r.wrong(pos(n), "%s: %s is a yes or no where text should be; write for example %s, or put it in quotes", p.path, n.Value, p.example)
		default:
			r.wrong(pos(n), "%s: %s is not right here; write for example %s", p.path, quote(n.Value), p.example)
		}
	case len(n.Value) > maxText:
		r.wrong(pos(n), "%s: %s is far too long; write for example %s", p.path, quote(n.Value), p.example)
	default:
		return n
	}
	return nil
}

// noValue refuses a key with nothing behind it.
func (r *reader) noValue(p place, n *yaml.Node) bool {
	if !isNull(n) {
		return false
	}
	or := ", or take the line out"
	if p.required {
		or = ""
	}
	r.wrong(pos(n), "%s has no value; write for example %s%s", p.path, p.example, or)
	return true
}

// number reads a whole number from least to most.
func number(dst *int, least, most int) value {
	s := &jsonschema.Schema{Type: "integer", Minimum: jsonschema.Ptr(float64(least)), Maximum: jsonschema.Ptr(float64(most))}
	return value{ptr: dst, schema: s, read: func(r *reader, p place, n *yaml.Node) {
		if n = r.resolve(n); n == nil || r.noValue(p, n) {
			return
		}
		// Decimal digits alone: 0587 would be octal to some readers of YAML.
		i, err := strconv.Atoi(n.Value)
		if n.Kind != yaml.ScalarNode || n.Tag != "!!int" || err != nil || i < least || i > most || strconv.Itoa(i) != n.Value {
			bare := ""
			if n.Kind == yaml.ScalarNode && n.Tag == "!!str" && err == nil {
				bare = ", without quotes"
			}
			r.wrong(pos(n), "%s: %s is not right; write a number from %d to %d%s, such as %s", p.path, describe(n), least, most, bare, p.example)
			return
		}
		*dst = i
	}}
}

// yesNo reads true or false.
func yesNo(dst *bool) value {
	return value{ptr: dst, schema: &jsonschema.Schema{Type: "boolean"}, read: func(r *reader, p place, n *yaml.Node) {
		if n = r.resolve(n); n == nil || r.noValue(p, n) {
			return
		}
		if n.Kind != yaml.ScalarNode || n.Tag != "!!bool" {
			r.wrong(pos(n), "%s: %s is not right; write true or false", p.path, describe(n))
			return
		}
		*dst = strings.EqualFold(n.Value, "true")
	}}
}

// oneOf reads one of a few words. Words that a later version takes are refused with "not yet".
func oneOf(dst *string, words ...string) value {
	v := text(dst, func(s string) (string, error) {
		if slices.Contains(words, s) {
			return s, nil
		}
		right := "write " + join(words)
		if meant := closest(s, words); meant != "" {
			right = "did you mean " + meant + "?"
		}
		return "", wrong("is not known", right)
	})
	v.schema.Enum = make([]any, len(words))
	for i, w := range words {
		v.schema.Enum[i] = w
	}
	read := v.read
	v.read = func(r *reader, p place, n *yaml.Node) {
		known, _ := later(p.path)
		if n = r.resolve(n); n == nil {
			return
		}
		for _, w := range known {
			if n.Kind == yaml.ScalarNode && (n.Value == w || strings.HasSuffix(w, ":") && strings.HasPrefix(n.Value, w)) {
				r.wrong(pos(n), "%s: %s: not yet; this version takes %s", p.path, quote(n.Value), join(words))
				return
			}
		}
		read(r, p, n)
	}
	return v
}

// join is "a, b or c".
func join(words []string) string {
	last := len(words) - 1
	if last < 1 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:last], ", ") + " or " + words[last]
}
