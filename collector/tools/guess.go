package tools

import (
	"encoding/base64"
	"encoding/json"
	"net/mail"
	"regexp"
	"strings"
	"time"

	"quietpost/digest"
	"quietpost/digest/rules"
)

// A search knows every place of a value down to a depth, in the order of their distance from the top.
type search struct {
	top    node
	places []place
}

type place struct {
	node
	name  string
	key   string // folded
	depth int
	up    int // index of the place that holds this one; -1 for the top's own
	count int // of the elements, if it is a list
	far   int // what its rank loses for the lists above it
	aside bool
}

const (
	searchDepth  = 5
	searchPlaces = 3000
	longestKey   = 200 // bytes; what is longer is no name of a field
)

// searchIn walks a value breadth first; of a list only its first element, which counts less than what is not in one.
func searchIn(top node) *search {
	s := &search{top: top}
	level := []place{{node: top, up: -1}}
	at := []int{-1}
	for depth := 0; depth < searchDepth && len(level) > 0; depth++ {
		var next []place
		var nextAt []int
		for i, p := range level {
			for _, k := range p.keys() {
				if len(s.places) >= searchPlaces {
					return s
				}
				if len(k) > longestKey {
					continue
				}
				v := p.object()[k]
				key := foldKey(k)
				c := place{name: k, key: key, depth: depth, up: at[i], far: p.far, aside: p.aside}
				list, isList := v.([]any)
				if isList {
					if v, c.count = listed(list); v == nil {
						continue
					}
					if !wrappers[key] {
						c.far += 6
					}
				}
				c.node = unpacked(v)
				s.places = append(s.places, c)
				if _, off := aside[key]; (off || strings.HasSuffix(key, "by")) && !itsOwn(&c, isList) {
					c.aside = true
				}
				if c.object() != nil {
					next, nextAt = append(next, c), append(nextAt, len(s.places)-1)
				}
			}
		}
		level, at = next, nextAt
	}
	return s
}

// itsOwn tells that an object which elsewhere is about something else holds what happened: the labels of an alert, the
// service that a check watches, the model that an event is of.
func itsOwn(p *place, isList bool) bool {
	switch p.key {
	case "labels":
		return !isList
	case "service":
		return p.has("output") || p.has("state")
	case "model":
		return p.depth > 0
	case "metadata":
		return p.has("title")
	case "headers": // of a mail
		return p.has("subject")
	}
	return false
}

// listed is what stands for a list: its first element, of so many, or an object of what it holds as pairs of name and value.
func listed(list []any) (v any, count int) {
	if len(list) == 0 {
		return nil, 0
	}
	pairs := map[string]any{}
	for i, v := range list {
		n := node{v}
		name, value := n.str("name", "label", "title", "question", "key"), n.at("value")
		if name == "" || value.v == nil || value.scalar() == "" && value.v != "" || i >= 50 {
			return list[0], len(list)
		}
		if _, twice := pairs[name]; !twice {
			pairs[name] = value.v
		}
	}
	return pairs, 0
}

// unpacked is v, or what a text holds that is JSON itself, as SNS and queues send it; Pub/Sub in base64.
func unpacked(v any) node {
	s, ok := v.(string)
	if ok && strings.HasPrefix(s, "eyJ") {
		if b, err := base64.StdEncoding.DecodeString(s); err == nil {
			s = string(b)
		}
	}
	if ok && len(s) > 6 && s[0] == '{' && strings.HasSuffix(s, "}") {
		if b := []byte(s); json.Valid(b) {
			if n, err := parse(b); err == nil {
				return n
			}
		}
	}
	return node{v}
}

// foldKey compares keys as tools write them: html_url, htmlUrl, HTML-URL.
func foldKey(k string) string { return folder.Replace(strings.ToLower(k)) }

var folder = strings.NewReplacer("_", "", "-", "", " ", "", ".", "", "@", "")

// best is the place with one of the wanted names that take accepts, by rank of the name and distance from the top. at
// is its index, -1 if there is none.
func (s *search) best(w *wanted, take func(*place) string) (found string, at int) {
	at = -1
	least := 1 << 30
	for i := range s.places {
		p := &s.places[i]
		rank, ok := w.rank(p.key)
		if !ok {
			continue
		}
		score := rank + 5*p.depth + p.far
		if p.aside {
			score += 40
		}
		switch h := s.holder(p); {
		case h == "host": // beside the service that is watched on it
			score += 4
		case personal[h], h == "error", h == "exception": // whose it is, or why; what it is goes before
			score += 8
		}
		if score < least {
			if v := take(p); v != "" && !strings.Contains(v, "{{") && !strings.Contains(v, "${") { // a template left open
				found, at, least = v, i, score
			}
		}
	}
	return found, at
}

// personal are objects of people and firms beside what happened.
var personal = fieldSet("contact", "visitor", "requester", "company", "employee", "candidate", "participant", "attendee", "organizer")

// holder is the key of the object that a place stands in, "" at the top.
func (s *search) holder(p *place) string {
	if p.up < 0 {
		return ""
	}
	return s.places[p.up].key
}

// text is a string of at most max bytes that is neither an address nor an id nor somebody's aside; of a number too where
// max is small.
func (s *search) text(w *wanted, max int) string {
	v, _ := s.textAt(w, max)
	return v
}

func (s *search) textAt(w *wanted, max int) (string, int) {
	return s.best(w, func(p *place) string {
		v, _ := p.v.(string)
		if n := p.scalar(); v == "" && max < 1000 {
			v = n // threads may be numbers
		}
		if v = strings.TrimSpace(v); p.aside || len(v) > max || webAddress(v) != "" || strings.Trim(v, "0-") == "" || eventLike(v) || max > 1000 && (isID(v) || reference.MatchString(v) || nobody[strings.ToLower(v)]) {
			return ""
		}
		return v
	})
}

// eventLike tells the name of an event in the place of a text: tracker.updated.
func eventLike(v string) bool {
	return len(v) <= 60 && dotted.MatchString(v) && done(v[strings.LastIndexByte(v, '.')+1:])
}

var (
	dotted    = regexp.MustCompile(`^[a-z][a-z_]*(?:\.[a-z_]+)+$`)
	idForm    = regexp.MustCompile(`^(?:[0-9a-fA-F-]{24,}|[0-9.:,-]+|(?:arn|urn):\S+)$`)
	idWithTag = regexp.MustCompile(`^[A-Za-z]{1,8}[_:][A-Za-z0-9]{12,}$`) // prod_E6SPZ5RKfKClNL
	oneToken  = regexp.MustCompile(`^[A-Za-z0-9+/=_-]{16,}$`)
	reference = regexp.MustCompile(`^[a-z]+:[a-z-]+:\S*$`) // zen:ticket:7
	shortID   = regexp.MustCompile(`^[a-z]?[0-9]+$`)
	toAndFro  = regexp.MustCompile(`[0-9][A-Za-z]|[A-Za-z][0-9]`)
)

// isID tells what names nothing to a person: numbers, hashes, paths, tokens.
func isID(s string) bool {
	return idForm.MatchString(s) || idWithTag.MatchString(s) && strings.ContainsAny(s, "0123456789") ||
		oneToken.MatchString(s) && strings.ToLower(s) != s && len(toAndFro.FindAllString(s, 4)) == 4
}

// word is a short word in lower case.
func (s *search) word(w *wanted) string {
	v, _ := s.wordAt(w)
	return v
}

func (s *search) wordAt(w *wanted) (string, int) {
	return s.best(w, func(p *place) string {
		v, _ := p.v.(string)
		if v == "" && p.object() != nil {
			v = p.str("name", "summary", "value", "text")
		}
		if v = strings.ToLower(strings.TrimSpace(v)); p.aside || len(v) > 40 || strings.ContainsAny(v, "\n{<$") || isID(v) || nobody[v] {
			return ""
		}
		return v
	})
}

// name is the name of a thing or a person: a string, or the best part of an object.
func (s *search) name(w, parts *wanted) string {
	v, _ := s.best(w, func(p *place) string {
		if p.depth > 3 {
			return ""
		}
		v, _ := p.v.(string)
		if p.object() != nil {
			v = bestPart(p.node, parts)
		}
		return s.properName(w, p, v)
	})
	return v
}

// bestPart is the name that an object has.
func bestPart(n node, parts *wanted) string {
	inside := &search{places: children(n)}
	v, _ := inside.best(parts, func(c *place) string {
		if t, _ := c.v.(string); !isID(t) {
			return t
		}
		return ""
	})
	if parts == &personNames {
		if first, last := n.str("firstName", "first_name", "firstname"), n.str("lastName", "last_name", "lastname"); first != "" {
			return strings.TrimSpace(first + " " + last)
		}
	}
	return v
}

// properName is v if it can be the name of what is wanted.
func (s *search) properName(w *wanted, p *place, v string) string {
	v = strings.TrimSpace(v)
	switch {
	case strings.HasPrefix(v, "arn:"):
		v = v[strings.LastIndexAny(v, ":/")+1:]
	case strings.HasPrefix(v, "/~"), strings.HasPrefix(v, "~"):
		v = v[strings.LastIndexByte(v, '/')+1:]
	case w == &authorNames && strings.Contains(v, "<"):
		if a, err := mail.ParseAddress(v); err == nil && a.Name != "" {
			v = a.Name
		}
	}
	if w == &authorNames && (owners[s.holder(p)] || comparison.MatchString(v) || roles[strings.ToLower(v)] || shortID.MatchString(v)) {
		return ""
	}
	if len(v) > 100 || strings.HasPrefix(v, "/") || isID(v) || nobody[strings.ToLower(v)] || strings.Contains(v, "://") || digest.ProjectKey(v) == "" {
		return ""
	}
	return v
}

// owners are objects whose people have not done what happened.
var owners = fieldSet("owner", "account", "organization", "organisation", "assignee", "assignees", "assignedto", "namespace", "customer",
	"recipient", "recipients", "config", "settings")

var comparison = regexp.MustCompile(`(?i)^(?:greater|less|lower|more|equal|above|below|not|>|<|=)`)

// nobody are the words that languages and tools print where there is no one and nothing.
var nobody = fieldSet("none", "null", "nil", "undefined", "unknown", "n/a", "system", "auto", "automatic", "no one", "nobody")

// roles are what somebody is, where a name is wanted.
var roles = fieldSet("customer", "agent", "user", "visitor", "contact", "lead", "operator", "api", "bot", "website")

func children(n node) []place {
	var out []place
	for _, k := range n.keys() {
		out = append(out, place{node: node{n.object()[k]}, key: foldKey(k), up: -1})
	}
	return out
}

// when is a time; a day without one only where there is nothing better.
func (s *search) when(w *wanted) (t time.Time) {
	for _, least := range []int{len("2006-01-02 15"), 0} {
		s.best(w, func(p *place) string {
			v := p.scalar()
			if p.aside || len(v) < least && strings.Contains(v, "-") {
				return ""
			}
			if found := readTime(v); !found.IsZero() {
				t = found
				return "found"
			}
			return ""
		})
		if !t.IsZero() {
			break
		}
	}
	return t
}

// body is the longest-looking text beside the title's.
func (s *search) body(used, heading string) string {
	text, _ := s.best(&bodyNames, func(p *place) string {
		v, _ := p.v.(string)
		text := strings.TrimSpace(rules.Plain(v))
		if p.aside || title(text) == heading || webAddress(text) != "" || isID(text) || !strings.ContainsAny(text, " \n") ||
			strings.TrimSpace(v) == used && text == firstLine(text) && len(text) < titleMax {
			return ""
		}
		return text
	})
	return excerpt(text)
}
