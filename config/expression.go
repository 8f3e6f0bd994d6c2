package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"
	"go.yaml.in/yaml/v4"

	"quietpost/digest/rules"
)

// A Mapping is one key of a `map:` or a `set:`.
type Mapping struct {
	Key   string
	Value string   // of map: an expression; of set: the value itself, or an expression where it begins with "="
	List  []string // of set.tags, where it is a list
}

// A Rule acts on every item, in order.
type Rule struct {
	Pos  Pos       `json:"-"`
	When string    // a condition over the item; default none: every item
	Set  []Mapping // in the order of the file
	Drop bool      // the item is not kept; default false
}

// Source is the rule with its place in the list, as package rules takes it.
func (r *Rule) Source(index int) rules.RuleSource {
	s := rules.RuleSource{Name: fmt.Sprintf("rule %d", index+1), When: r.When, Set: map[string]string{}, Drop: r.Drop}
	for _, m := range r.Set {
		if m.List != nil {
			s.Tags = m.List
			continue
		}
		s.Set[m.Key] = m.Value
	}
	return s
}

// MapSources are the expressions of the source's map by key; nil without a map.
func (s *Source) MapSources() map[string]string {
	if len(s.Map) == 0 {
		return nil
	}
	out := map[string]string{}
	for _, m := range s.Map {
		out[m.Key] = m.Value
	}
	return out
}

// mapAbout says what each key of `map:` is for editors, with an example of its expression.
var mapAbout = map[string][2]string{
	"each":        {"payload.alerts", "A list: an item of each entry, which is `item`."},
	"ignore":      {`payload.action == "ping"`, "true, or a text that says why: then there is no item."},
	"key":         {"payload.id", "The delivery's id; the same one again is a duplicate."},
	"project":     {"payload.job", "Project of the item."},
	"title":       {`payload.job + " #" + payload.number`, "Its title, in one line."},
	"body":        {"payload.log", "Its text, in Markdown."},
	"url":         {"payload.url", "Where to read on."},
	"author":      {"payload.user.name", "Who did it."},
	"kind":        {`"deploy"`, "status, decision, question, …; a text stands in quotes."},
	"thread":      {`"build/" + payload.job`, "What it belongs to: items of one thread are one line."},
	"event":       {"payload.event", "What happened, in the tool's word."},
	"state":       {"lower(payload.result)", "The state its thread is in now: failed, resolved, …"},
	"level":       {"payload.severity", "How bad, in the tool's word."},
	"priority":    {`payload.branch == "main" ? "" : "low"`, "low, high or nothing."},
	"urgent":      {`payload.result == "FAILURE"`, "Whether it leaves at once."},
	"private":     {"payload.confidential", "Whether mails show no title."},
	"tags":        {"payload.labels", "A list of words."},
	"due":         {"payload.deadline", "A day."},
	"occurred_at": {"payload.timestamp", "When it happened: RFC 3339 and the like, or a number since 1970."},
}

// mapKeys is the table of `map:`. What is read is added to dst in the order of the file.
func mapKeys(dst *[]Mapping) (keys []key) {
	for _, name := range rules.MapKeys() {
		a := mapAbout[name]
		keys = append(keys, key{name, mapping(dst, name, "!!bool"), yamlText(a[0]), a[1], false})
	}
	return keys
}

// setKeys is the table of `set:`.
func setKeys(dst *[]Mapping) (keys []key) {
	examples := map[string]string{"urgent": "true", "private": "true", "priority": "low", "kind": "deploy", "tags": "[web]", "project": "apollo",
		"due": `"= day"`, "title": `"= \"CI: \" + title"`}
	for _, name := range rules.Settable() {
		example := examples[name]
		if example == "" {
			example = "some-text"
		}
		v := mapping(dst, name, "!!bool")
		if name == "tags" {
			v = tagsOrText(dst)
		}
		keys = append(keys, key{name, v, example, mapAbout[name][1] + " The value as it stands, or an expression behind =.", false})
	}
	return keys
}

// mapping reads one value into a list that never grows beyond the keys there are.
func mapping(dst *[]Mapping, name string, more ...string) value {
	s := &jsonschema.Schema{Types: []string{"string", "boolean", "number"}}
	return value{schema: s, read: func(r *reader, p place, n *yaml.Node) {
		if n = r.scalar(p, n, append([]string{"!!str", "!!int", "!!float", "!!timestamp"}, more...)...); n != nil {
			add(r, dst, Mapping{Key: name, Value: n.Value}, pos(n))
		}
	}}
}

func tagsOrText(dst *[]Mapping) value {
	one := mapping(dst, "tags")
	s := &jsonschema.Schema{Types: []string{"string", "array"}, Items: &jsonschema.Schema{Type: "string"}}
	return value{schema: s, read: func(r *reader, p place, n *yaml.Node) {
		if n = r.resolve(n); n == nil || n.Kind != yaml.SequenceNode {
			one.read(r, p, n)
			return
		}
		list := []string{}
		for _, c := range n.Content {
			if c = r.scalar(p, c, "!!str", "!!int", "!!float"); c != nil {
				list = append(list, c.Value)
			}
		}
		add(r, dst, Mapping{Key: "tags", List: list}, pos(n))
	}}
}

// add notes a mapping and where it stands. The list is made large enough at first, so that pointers to entries stay good.
func add(r *reader, dst *[]Mapping, m Mapping, at Pos) {
	if *dst == nil {
		*dst = make([]Mapping, 0, len(rules.MapKeys()))
	}
	*dst = append(*dst, m)
	r.at[&(*dst)[len(*dst)-1]] = at
}

// yamlText is an expression as one writes it in YAML.
func yamlText(s string) string {
	if strings.ContainsAny(s, `"'#:{}[],&*?|>!%@`) {
		return "'" + strings.ReplaceAll(s, "'", "''") + "'"
	}
	return s
}

// expressions compiles all that stands in maps and rules.
func (r *reader) expressions(c *Config) {
	for i := range c.Sources {
		s := &c.Sources[i]
		for j := range s.Map { // one by one, so that each tells its fault
			sources := map[string]string{s.Map[j].Key: s.Map[j].Value}
			if s.Map[j].Key != rules.EachKey && s.MapSources()[rules.EachKey] != "" {
				sources[rules.EachKey] = "[]"
			}
			if _, _, err := rules.NewMap(sources); err != nil {
				r.wrongExpression("sources.map."+s.Map[j].Key, r.at[&s.Map[j]], s.Map[j].Value, 0, err)
			}
		}
	}
	for i := range c.Rules {
		r.rule(&c.Rules[i], i)
	}
}

func (r *reader) rule(rule *Rule, index int) {
	switch {
	case rule.Pos == Pos{}: // no rule at all: it has its fault
		return
	case !r.given(&rule.Drop) && !r.given(&rule.Set):
		r.wrong(rule.Pos, "rules: this one does nothing; write set: {priority: low}, or drop: true")
	case rule.Drop && len(rule.Set) > 0:
		r.wrong(rule.Pos, "rules: drop leaves nothing to set anything of; take out one of the two")
	}
	src := rule.Source(index)
	when := src
	when.Set, when.Tags = nil, nil
	if _, _, err := rules.NewRule(when); err != nil {
		r.wrongExpression("rules.when", r.at[&rule.When], rule.When, 0, err)
	}
	for j := range rule.Set {
		m := &rule.Set[j]
		path, at := "rules.set."+m.Key, r.at[m]
		if m.Key == "priority" && !slices.Contains([]string{"low", "high", ""}, m.Value) && !strings.HasPrefix(m.Value, "=") {
			r.wrong(at, "%s: %s is not known; write low or high", path, quote(m.Value))
			continue
		}
		one := rules.RuleSource{Set: map[string]string{m.Key: m.Value}, Tags: m.List}
		if _, _, err := rules.NewRule(one); err != nil {
			source, worked := rules.IsExpression(m.Value)
			if !worked {
				r.wrong(at, "%s: %v", path, err)
				continue
			}
			r.wrongExpression(path, at, m.Value, len(m.Value)-len(source), err)
		}
	}
}

// given tells whether the file has a value for the Go value behind ptr, be it right or wrong.
func (r *reader) given(ptr any) bool {
	_, ok := r.at[ptr]
	return ok
}

// wrongExpression adds the fault of an expression that begins skip characters into the value at a place.
func (r *reader) wrongExpression(path string, at Pos, value string, skip int, err error) {
	var e *rules.Error
	if !errors.As(err, &e) {
		r.wrong(at, "%s: %v", path, err)
		return
	}
	line, column := e.Line, e.Column
	if line == 1 {
		column += skip
	}
	text := e.Text
	if name, ok := strings.CutPrefix(text, "unknown name "); ok && strings.Trim(value, " ="+name) == "" {
		text += "; a text stands in quotes of its own, such as '\"" + name + "\"'"
	}
	r.wrong(r.inside(at, value, line, column), "%s: %s", path, text)
}

// inside is the place in the file of a line and column of a value, which begins at a place: the file's bytes are followed
// through quotes, escapes and folded lines. Where they cannot be, it is the value's own place.
func (r *reader) inside(at Pos, value string, line, column int) Pos {
	if at.Line < 1 || at.Line > len(r.lines) {
		return at
	}
	target := 0 // characters of value before the place
	for _, c := range value {
		if line <= 1 && column <= 1 {
			break
		}
		target++
		if c == '\n' {
			line--
		} else if line <= 1 {
			column--
		}
	}
	w := walker{lines: r.lines, at: Pos{at.Line, at.Column}}
	w.style = w.here()
	switch w.style {
	case '\'', '"':
		w.at.Column++
	case '|', '>':
		w.at = Pos{at.Line + 1, 1}
	}
	n := 0
	for _, c := range value {
		if !w.find(c) {
			return at
		}
		if n == target {
			return w.at
		}
		w.at.Column += w.width
		n++
	}
	return w.at
}

// A walker follows a scalar's characters through the lines of a file.
type walker struct {
	lines [][]rune
	at    Pos
	style rune // ' " | > or the first character of a plain scalar
	width int  // characters that the one found is written with
}

func (w *walker) here() rune {
	l := w.lines[w.at.Line-1]
	if w.at.Column > len(l) {
		return '\n'
	}
	return l[w.at.Column-1]
}

// find moves to where a character of the value is written.
func (w *walker) find(c rune) bool {
	for {
		raw := w.here()
		w.width = 1
		switch {
		case w.style == '"' && raw == '\\':
			w.width = 2
			return true
		case w.style == '\'' && c == '\'' && raw == '\'':
			w.width = 2
			return true
		case raw == c:
			return true
		case raw == '\n' && w.at.Line < len(w.lines): // folded, or the indentation of the next line follows
			if c == '\n' || c == ' ' {
				return true
			}
			w.at = Pos{w.at.Line + 1, 1}
		case raw == ' ':
			w.at.Column++
		default:
			return false
		}
	}
}
