package tools

import (
	"regexp"
	"slices"
	"strings"

	"quietpost/digest"
)

// things are the keys of objects whose id makes a thread, and what it is called there.
var things = map[string]string{"issue": "issue", "pullrequest": "pr", "mergerequest": "mr", "ticket": "ticket",
	"task": "task", "card": "card", "story": "story",
	"incident": "incident", "alert": "alert", "monitor": "monitor", "check": "check", "conversation": "conversation",
	"order": "order", "post": "post",
	"change": "change", "reviewrequest": "review", "bug": "bug", "case": "case", "workitem": "work", "item": "item",
	"fault": "fault", "invoice": "invoice",
	"component": "component", "expense": "expense", "signaturerequest": "signature", "trigger": "trigger",
	"healthchecks": "check", "error": "error",
	"entry": "entry", "contact": "contact", "campaign": "campaign", "discussion": "discussion", "problem": "problem",
	"snitch": "snitch", "savedsearch": "search", "release": "release"}

// thread is what the delivery belongs to: the sender's own word for that, else the thing it tells of. Of builds it is the
// branch, so that the one that passes stands with the one that failed; of alarms their name. at is the title's place.
func (s *search) thread(it *digest.Item, text string, at int) string {
	if t := s.text(&threadNames, 200); t != "" {
		return t
	}
	what, _ := s.happened(at, it)
	if check, host := s.watched(it); host != "" {
		if check == "" && !s.monitors(it) {
			check = alarmName(text)
		}
		return thread("alert", strings.TrimPrefix(check+"@"+host, "@"))
	}
	if check, _ := s.watched(it); check != "" && (it.State == "down" || it.State == "up") && saidBy[s.keyOf(at)] && s.shallowID() == "" {
		return thread("alert", check)
	}
	kind, id, least := s.ownThread(what)
	for i := range s.places {
		p := &s.places[i]
		if p.aside || p.far > 0 {
			continue
		}
		far := p.depth * 10
		if personal[strings.TrimSuffix(p.key, "id")] { // whose the thing is
			far += 25
		}
		if what := things[p.key]; what != "" && p.object() != nil && far < least && anID(p.node) != "" {
			kind, id, least = what, anID(p.node), far
		}
		if name, ok := strings.CutSuffix(p.key, "id"); ok && (name != "campaign" || len(what) == 0 || talk[what[len(what)-1]] || what[len(what)-1] == name) && things[name] != "" && far+3 < least &&
			strings.Trim(p.scalar(), "0-") != "" {
			kind, id, least = things[name], p.scalar(), far+3
		}
	}
	if id != "" && len(id) <= 100 {
		return thread(kind, id)
	}
	if n := len(what); n > 0 && onABranch[what[n-1]] || s.commits() != "" {
		if s.commits() != "" {
			what = []string{"branch"}
		}
		where := orElse(s.branch(), s.text(&placeNames, 80))
		if strings.HasPrefix(what[len(what)-1], "deploy") {
			where = orElse(s.text(&placeNames, 80), where)
		}
		return thread(strings.Join(what, "-"), where)
	}
	if len(what) > 0 && !talk[what[len(what)-1]] {
		for _, up := range []int{s.holding(what), s.upOf(at), s.wrapper()} {
			if up >= 0 && s.places[up].far == 0 && anID(s.places[up].node) != "" && !s.another(up, what) {
				return thread(kindOf(what), anID(s.places[up].node))
			}
		}
	}
	if alarms[it.State] && text != "" {
		if id := s.shallowID(); id != "" && !strings.HasSuffix(s.keyOf(at), "name") && s.keyOf(at) != "title" {
			return thread("alert", id)
		}
		return thread("alert", alarmName(text))
	}
	return ""
}

// holding is the index of the object under the name of the thing itself, -1 without.
func (s *search) holding(what []string) int {
	last, whole := what[len(what)-1], strings.Join(what, "")
	return slices.IndexFunc(s.places, func(p place) bool {
		return p.depth < 3 && (p.key == last || p.key == whole) && p.object() != nil && !p.aside
	})
}

// another tells that an object is named for another thing than what happened to one: the product of an order.
func (s *search) another(at int, what []string) bool {
	p := &s.places[at]
	return p.key != what[len(what)-1] && p.key != strings.Join(what, "") && (sideThings[p.key] || p.key == "event" && p.has("title"))
}

// sideThings are what other things are about, or belong to.
var sideThings = fieldSet("product", "course", "job", "plan", "program", "price", "channel", "folder", "category", "list", "group", "vehicle", "room", "survey", "campaign", "store", "location")

// alarmName is the first line of an alarm's text without how it stands.
func alarmName(text string) string {
	return digest.OneLine(strings.TrimSpace(preface.ReplaceAllString(firstLine(text), "")), 100)
}

// ownThread is the thread of the thing that the event names, where the top of the delivery is that thing: it goes before
// whatever else there is in it.
func (s *search) ownThread(what []string) (kind, id string, least int) {
	if len(what) == 1 && things[what[0]] != "" && s.wrapper() < 0 && anID(s.top) != "" && !strings.HasPrefix(anID(s.top), "ev") {
		own := func(p place) bool { return p.key == what[0] && p.object() != nil || p.key == what[0]+"id" }
		if !slices.ContainsFunc(s.places, own) {
			return things[what[0]], anID(s.top), -1
		}
	}
	return "", "", 1 << 30
}

// alarms are the states of what watches, and preface what stands before the names of alarms.
var (
	alarms = fieldSet("down", "up", "firing", "triggered", "fired", "resolved", "recovered", "ok", "problem",
		"missing", "no data")
	preface    = regexp.MustCompile(`(?i)^(?:\[[^\]]*\]|firing|resolved|triggered|recovered|alerting|alarm|problem|down|up|ok|[:\s-])+`)
	placeNames = names("environment", "target", "stage", "stagename").ending(`url|id$`, "environment")
)

// kindOf is the first word of people's for a thing in its name: an invoice payment belongs to the invoice.
func kindOf(what []string) string {
	for _, w := range what {
		if things[w] != "" {
			return things[w]
		}
	}
	return strings.Join(what, "-")
}

// anID is by what a tool knows an object.
func anID(n node) string {
	if v := n.str("number", "key", "id", "uuid", "iid", "display_id", "incident_number", "unique_id"); v != "0" && len(v) <= 100 {
		return v
	}
	return ""
}

// upOf is the index of the object that holds a place, -1 for the top.
func (s *search) upOf(at int) int {
	if at < 0 {
		return -1
	}
	return s.places[at].up
}

// wrapper is the index of the object that holds what the delivery is about, -1 if there is none.
func (s *search) wrapper() int {
	for i := range s.places {
		if p := &s.places[i]; enclosing[p.key] && p.depth < 3 && p.far == 0 && p.object() != nil && anID(p.node) != "" &&
			!p.aside {
			return i
		}
	}
	return -1
}

var enclosing = fieldSet("data", "object", "item", "record", "entity", "resource", "detail", "payload", "current")

// shallowID is the id at the top.
func (s *search) shallowID() string { return s.top.str("id", "uuid") }

// wrappers are the keys of objects that hold what a delivery is about whatever that is.
var wrappers = fieldSet("data", "payload", "object", "resource", "event", "body", "detail", "details", "attributes",
	"fields", "item", "record", "content", "message",
	"messages", "events", "notification", "notifications", "alerts", "current", "eventdata", "webhookeventdata",
	"result", "results", "essentials", "properties", "value", "new", "objectattributes", "entity", "model", "info",
	"params", "context")

// talk are things said about another, whose own id makes no thread.
var talk = fieldSet("comment", "note", "message", "reply", "review", "email")
