package tools

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"path"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"

	"go.yaml.in/yaml/v4"

	"quietpost/digest"
	"quietpost/digest/rules"
)

// A map file is a tool written down as data: how to know it, what of its payloads becomes an item, and samples of what
// it posts with the line that each must give. docs/maps.md describes it to those who write one.
type mapFile struct {
	name  string
	file  string
	text  []byte // as it was written
	texts Page
	code  bool // the tool's adapter is Go's: the file only describes and samples it

	Reply   string // answered with 200 where the sender looks for it
	Status  int
	Query   bool
	GivesUp bool
	Limit   int64

	signs   []mapSign
	lets    []rules.Let
	common  map[string]string // expression by key, for every event
	events  []mapEvent
	samples []Sample
	lines   map[string]int // of expressions, by place: for faults

	compiled sync.Once
	ready    *toolMap
	fault    error
}

// A Page is what a person has to know to connect a tool.
type Page struct {
	Title  string // the tool's name as its makers write it
	Where  string // where to click and what to paste; Markdown, {url} is the hook's address
	Choose string // which events
	Secret string // how the tool proves who it is
	Source string // address of the tool's own documentation
}

// A Sample is a delivery in the form that the tool documents, and what must come of it.
type Sample struct {
	Name    string
	Header  http.Header
	Body    []byte
	Gives   []map[string]string // of each item, the fields that must be so
	Ignored string              // instead: the reason
}

// mapSign is one way to know the tool: a header that is there (and begins so), or fields that are there in the payload
// and a condition over it.
type mapSign struct {
	header, starts string
	fields         []string // paths such as action.type, cheap to look for
	when           string
}

type mapEvent struct {
	when string
	sets map[string]string
}

// toolMap is a map file compiled.
type toolMap struct {
	when    []*rules.Program // of the signs, nil without a condition
	headers bool             // an expression names them
	events  []compiledEvent
	common  *rules.Map // for what no event fits
}

type compiledEvent struct {
	when *rules.Program // nil: always
	m    *rules.Map
}

var toolName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,39}$`)

// parseMapFile reads a map file; its expressions are compiled when they are first used, or by check. Faults name file
// and line.
func parseMapFile(file string, text []byte) (*mapFile, error) {
	m := &mapFile{file: file, text: text, name: strings.TrimSuffix(path.Base(file), ".yaml"), common: map[string]string{}, lines: map[string]int{}}
	if !toolName.MatchString(m.name) {
		return nil, fmt.Errorf("%s: a map file's name is the tool's: letters a-z, digits and -, and .yaml", file)
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if len(doc.Content) == 0 {
		return nil, fmt.Errorf("%s: the file is empty", file)
	}
	r := &mapReader{file: file}
	r.object(doc.Content[0], map[string]func(*yaml.Node){
		"title":    r.text(&m.texts.Title),
		"where":    r.text(&m.texts.Where),
		"choose":   r.text(&m.texts.Choose),
		"secret":   r.text(&m.texts.Secret),
		"source":   r.text(&m.texts.Source),
		"code":     r.value(&m.code),
		"reply":    r.text(&m.Reply),
		"status":   r.value(&m.Status),
		"query":    r.value(&m.Query),
		"gives_up": r.value(&m.GivesUp),
		"limit":    r.value(&m.Limit),
		"know": func(n *yaml.Node) {
			r.list(n, func(n *yaml.Node) { m.signs = append(m.signs, r.sign(n)) })
		},
		"let": func(n *yaml.Node) {
			r.pairs(n, func(k, v *yaml.Node) {
				m.lets = append(m.lets, rules.Let{Name: k.Value, Source: v.Value})
				m.lines["let."+k.Value] = v.Line
			})
		},
		"map": func(n *yaml.Node) { r.sets(n, m.common, m.lines, "map.") },
		"on": func(n *yaml.Node) {
			r.list(n, func(n *yaml.Node) { m.events = append(m.events, r.event(n, m.lines, len(m.events))) })
		},
		"samples": func(n *yaml.Node) {
			r.list(n, func(n *yaml.Node) { m.samples = append(m.samples, r.sample(n)) })
		},
	})
	if m.texts.Title == "" {
		r.fault(doc.Content[0], "title is missing: the tool's name as its makers write it")
	}
	if !m.code && len(m.signs) == 0 {
		r.fault(doc.Content[0], "know is missing: how to tell this tool from others")
	}
	return m, errors.Join(r.faults...)
}

// compile compiles all expressions, once.
func (m *mapFile) compile() (*toolMap, error) {
	m.compiled.Do(func() { m.ready, m.fault = m.build() })
	return m.ready, m.fault
}

func (m *mapFile) build() (*toolMap, error) {
	t := &toolMap{headers: m.says("headers")}
	var faults []error
	fault := func(place string, err error) {
		line, ok := m.lines[place]
		if !ok { // a let's
			place = "let" + place[strings.LastIndexByte(place, '.'):]
			line = m.lines[place]
		}
		var re *rules.Error
		if errors.As(err, &re) {
			faults = append(faults, fmt.Errorf("%s:%d: %s: %w (column %d of the expression)", m.file, line+re.Line-1, place, err, re.Column))
			return
		}
		faults = append(faults, fmt.Errorf("%s:%d: %s: %w", m.file, line, place, err))
	}
	names := rules.Names{"payload": nil, "headers": nil}
	for i, s := range m.signs {
		var when *rules.Program
		if s.when != "" {
			var err error
			if when, err = rules.Compile(s.when, names, reflect.Bool); err != nil {
				fault(fmt.Sprintf("know[%d].when", i), err)
			}
		}
		t.when = append(t.when, when)
	}
	for _, l := range m.lets {
		names[l.Name] = nil
	}
	var part string
	var err error
	if t.common, part, err = rules.NewMap(m.common, m.lets...); err != nil {
		fault("map."+part, err)
		return nil, errors.Join(faults...)
	}
	for i, e := range m.events {
		c := compiledEvent{}
		if e.when != "" {
			if c.when, err = rules.Compile(e.when, names, reflect.Bool); err != nil {
				fault(fmt.Sprintf("on[%d].when", i), err)
			}
		}
		if c.m, part, err = t.common.With(e.sets); err != nil {
			fault(fmt.Sprintf("on[%d].%s", i, part), err)
		}
		t.events = append(t.events, c)
	}
	return t, errors.Join(faults...)
}

// says tells whether a word stands in an expression that reads a payload.
func (m *mapFile) says(word string) bool {
	holds := func(source string) bool { return strings.Contains(source, word) }
	return slices.ContainsFunc(m.lets, func(l rules.Let) bool { return holds(l.Source) }) ||
		slices.ContainsFunc(slices.Collect(maps.Values(m.common)), holds) ||
		slices.ContainsFunc(m.events, func(e mapEvent) bool {
			return holds(e.when) || slices.ContainsFunc(slices.Collect(maps.Values(e.sets)), holds)
		})
}

// tool is the file as the door takes it.
func (m *mapFile) tool() Tool {
	return Tool{Name: m.name, Read: m.read, Reply: m.Reply, Status: m.Status, Query: m.Query, GivesUp: m.GivesUp, Limit: m.Limit}
}

// read is the tool's Adapter. What no event fits, what an event gives no title, and what an expression stumbles over, is
// read as generic does: genuine news is never lost for want of a row.
func (m *mapFile) read(h http.Header, body []byte) (Reading, error) {
	r, err := m.mapped(h, body)
	if err != nil {
		return Generic(h, body)
	}
	return r, nil
}

func (m *mapFile) mapped(h http.Header, body []byte) (Reading, error) {
	t, err := m.compile()
	if err != nil {
		return Reading{}, fmt.Errorf("%w: %w", ErrUnreadable, err)
	}
	payload, err := payloadOf(h, formPayload(h, body))
	if err != nil {
		return Reading{}, err
	}
	var headers rules.Headers
	if t.headers { // a request has many, and most files ask for none
		headers = headersOf(h)
	}
	scope, err := t.common.Scope(payload, headers)
	if err != nil {
		return Reading{}, fmt.Errorf("%w: %w", ErrUnreadable, err)
	}
	use, err := t.event(scope)
	if err != nil {
		return Reading{}, fmt.Errorf("%w: %w", ErrUnreadable, err)
	}
	if use == nil {
		use = t.common
	}
	items, key, ignored, left, err := use.ReadIn(scope, MaxItems)
	if err != nil {
		return Reading{Key: key}, fmt.Errorf("%w: %w", ErrUnreadable, err)
	}
	r := Reading{Items: items, Key: key, Ignored: ignored}
	if key == "" {
		r.Key = deliveryID(h)
	}
	for i := range items {
		it := &items[i]
		delete(it.Reasons, "project") // a source's own `project:` goes before what a tool names, in data as in Go
		if it.Title == "" {
			r.Hint = fillIn(it, h, body) || r.Hint
		}
	}
	if left > 0 {
		r.Items[len(items)-1] = more(items[len(items)-1].Project, left+1)
	}
	return r, nil
}

// event finds the first event that fits.
func (t *toolMap) event(scope *rules.Scope) (*rules.Map, error) {
	for i := range t.events {
		e := &t.events[i]
		if e.when == nil {
			return e.m, nil
		}
		v, err := e.when.In(scope)
		if err != nil {
			return nil, fmt.Errorf("on[%d].when: %w", i, err)
		}
		if v == true {
			return e.m, nil
		}
	}
	return nil, nil
}

// fillIn gives an item what generic finds where the map has said nothing. hint tells that its project is a guess.
func fillIn(it *digest.Item, h http.Header, body []byte) (hint bool) {
	plain, err := Generic(h, body)
	if err != nil || len(plain.Items) == 0 {
		it.Title = untitledDelivery
		return false
	}
	from := &plain.Items[0]
	it.Title = from.Title
	for _, f := range []struct{ to, from *string }{{&it.Body, &from.Body}, {&it.URL, &from.URL}, {&it.Author, &from.Author},
		{&it.Kind, &from.Kind}, {&it.Event, &from.Event}, {&it.State, &from.State}, {&it.Level, &from.Level}, {&it.Thread, &from.Thread}} {
		if *f.to == "" {
			*f.to = *f.from
		}
	}
	if it.OccurredAt.IsZero() {
		it.OccurredAt = from.OccurredAt
	}
	if it.Project == "" {
		it.Project = from.Project
		return plain.Hint
	}
	return false
}

const untitledDelivery = "An update without words"

// more stands for the items of a delivery that has too many.
func more(project string, n int) digest.Item {
	return digest.Item{Project: project, Kind: digest.KindStatus, Title: fmt.Sprintf("… and %d more in the same delivery", n)}
}

func headersOf(h http.Header) rules.Headers {
	out := make(rules.Headers, len(h))
	for name, values := range h {
		out[strings.ToLower(name)] = strings.Join(values, ", ")
	}
	return out
}

// fitsHeader tells whether a header alone shows that a delivery is this tool's.
func (m *mapFile) fitsHeader(h http.Header) bool {
	return slices.ContainsFunc(m.signs, func(s mapSign) bool {
		v := strings.TrimSpace(h.Get(s.header))
		return s.header != "" && len(s.fields) == 0 && s.when == "" && v != "" && len(v) >= len(s.starts) && strings.EqualFold(v[:len(s.starts)], s.starts)
	})
}

// fitsBody tells whether the payload does, with a header's help or without.
func (m *mapFile) fitsBody(h http.Header, n node, payload func() any, headers rules.Headers) bool {
	for i, s := range m.signs {
		v := strings.TrimSpace(h.Get(s.header))
		switch {
		case len(s.fields) == 0 && s.when == "":
			continue
		case s.header != "" && (v == "" || len(v) < len(s.starts) || !strings.EqualFold(v[:len(s.starts)], s.starts)):
			continue
		case !slices.ContainsFunc(s.fields, func(f string) bool { return !n.has(f) }):
			t, err := m.compile()
			if err != nil {
				return false
			}
			if t.when[i] == nil {
				return true
			}
			if v, err := t.when[i].Run(map[string]any{"payload": payload(), "headers": headers}); err == nil && v == true {
				return true
			}
		}
	}
	return false
}
