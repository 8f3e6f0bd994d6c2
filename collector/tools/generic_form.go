package tools

import (
	"maps"
	"slices"
	"strings"

	"quietpost/digest"
	"quietpost/digest/rules"
)

var (
	formNames = names("formtitle", "formname", "form")
	fillNames = names("yourname", "fullname", "name")
	answers   = []string{"rawrequest", "answers", "responses", "namedvalues", "fields", "submission", "values", "response"}
)

// answered is the object that holds what somebody has filled into a form; empty if the delivery is of no form.
func (s *search) answered() node {
	for _, key := range answers {
		for i := range s.places {
			if p := &s.places[i]; p.key == key && p.depth < 2 && len(p.object()) > 0 {
				return p.node
			}
		}
	}
	return node{}
}

// form is the line of a form that somebody has filled in; "" if the delivery is of none.
func (s *search) form(it *digest.Item) string {
	name := s.text(&formNames, 100)
	if filled := s.answered(); name == "" || isID(name) || filled.object() == nil || it.Event != "" && !isFilling(it.Event) {
		return ""
	}
	by := s.text(&fillNames, 60)
	if by == "" || by == name || isID(by) || strings.Contains(by, "@") {
		return title("Form filled in: " + name)
	}
	return title("Form filled in by "+by, name)
}

// isFilling tells an event that says no more than that.
func isFilling(event string) bool {
	low := strings.ToLower(words(event))
	return isHollow(event) || strings.Contains(low, "form") || strings.Contains(low, "submi") || strings.Contains(low, "response")
}

// filledIn lists what somebody has filled in, for the body.
func (s *search) filledIn() string {
	var lines []string
	filled := s.answered().object()
	for _, k := range slices.Sorted(maps.Keys(filled)) {
		if v := digest.OneLine(rules.Plain(answer(filled[k])), 300); v != "" && len(lines) < 20 && webAddress(v) == "" {
			lines = append(lines, "- "+escape(words(formKey(k)))+": "+escape(v))
		}
	}
	return strings.Join(lines, "\n")
}

// formKey is a field's name without the number that builders of forms put before it: q5_message.
func formKey(k string) string {
	if rest, name, ok := strings.Cut(k, "_"); ok && len(rest) > 1 && rest[0] == 'q' && strings.Trim(rest[1:], "0123456789") == "" {
		return name
	}
	return k
}

// answer is a value as one text: of a list or an object its parts.
func answer(v any) string {
	var parts []string
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			parts = append(parts, answer(e))
		}
		return strings.Join(parts, ", ")
	case map[string]any:
		if inner, ok := v["value"]; ok {
			return answer(inner)
		}
		for _, k := range slices.Sorted(maps.Keys(v)) {
			parts = append(parts, answer(v[k]))
		}
		return strings.Join(parts, " ")
	}
	return node{v}.scalar()
}
