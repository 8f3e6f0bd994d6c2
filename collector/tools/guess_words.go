package tools

import (
	"net/http"
	"regexp"
	"slices"
	"strings"

	"quietpost/digest"
)

// verbs are what tools say that was done, and how it reads: create, createCard and card.created are "card created".
var verbs = map[string]string{"abort": "aborted", "accept": "accepted", "acknowledge": "acknowledged", "activate": "activated", "add": "added",
	"apply": "applied", "approve": "approved", "archive": "archived", "assign": "assigned", "attach": "attached", "ban": "banned",
	"cancel": "cancelled", "change": "changed", "close": "closed", "comment": "commented", "complete": "completed", "create": "created", "deactivate": "deactivated",
	"delete": "deleted", "deploy": "deployed", "detach": "detached", "disable": "disabled", "edit": "edited", "enable": "enabled",
	"finish": "finished", "fire": "fired", "fail": "failed", "hire": "hired", "insert": "added", "invite": "invited", "join": "joined", "label": "labeled", "leave": "left", "lock": "locked", "merge": "merged",
	"modify": "modified", "move": "moved", "open": "opened", "pay": "paid", "place": "placed", "post": "posted", "publish": "published", "push": "pushed",
	"reactivate": "reactivated", "receive": "received", "reject": "rejected", "release": "released", "remove": "removed", "rename": "renamed",
	"reopen": "reopened", "replace": "replaced", "reply": "replied", "resolve": "resolved", "restore": "restored", "review": "reviewed", "send": "sent", "sign": "signed",
	"start": "started", "stop": "stopped", "submit": "submitted", "subscribe": "subscribed", "sync": "synced", "tag": "tagged", "trash": "trashed", "trigger": "triggered",
	"unarchive": "unarchived", "unassign": "unassigned", "unlabel": "unlabeled", "unlock": "unlocked", "unpublish": "unpublished", "unsubscribe": "unsubscribed", "unsnooze": "unsnoozed", "unstar": "unstarred", "untag": "untagged", "update": "updated",
	"upgrade": "upgraded", "upload": "uploaded", "validate": "validated", "view": "viewed", "warn": "warned"}

// participles tell that something was done, or how it ended.
var participles = participlesOf(verbs, "done", "begun", "lost", "ended", "up", "down", "paid", "expired", "missing", "overdue", "failing", "refunded", "bounced",
	"disputed", "errored", "succeeded", "passed", "blocked", "connected", "disconnected", "occurred", "exceeded", "renewed", "canceled", "completed",
	"resumed", "paused", "queued", "running", "requested", "declined", "waiting", "detected", "recovered", "reached", "complained", "clicked",
	"opened", "delivered", "unassigned", "translated", "proofread", "snoozed", "drifted", "finalized", "voided", "captured", "charged", "shipped", "success", "failure", "successful", "verified")

func participlesOf(verbs map[string]string, more ...string) map[string]bool {
	m := fieldSet(more...)
	for _, p := range verbs {
		m[p] = true
	}
	return m
}

// hollow are the words of an event's name that say nothing by themselves.
var hollow = fieldSet("event", "events", "alert", "alerts", "notification", "notifications", "webhook", "webhooks", "hook", "hooks", "message", "payload",
	"callback", "object", "default", "data", "activity", "subscription", "automation", "type", "kind")

// isHollow tells an event's name that says nothing.
func isHollow(event string) bool {
	for _, w := range strings.Fields(strings.ToLower(words(event))) {
		if !hollow[w] && w != "error" && w != "update" && w != "insert" && w != "delete" {
			return false
		}
	}
	return true
}

// event is the tool's word for what happened: from a header that ends in -Event or the like, else from the body. What the
// one calls the thing and the other what was done with it go together: issues and opened.
func (s *search) event(h http.Header) string {
	event := headerEvent(h)
	for _, tolerant := range []bool{false, true} {
		if event == "" {
			event, _ = s.best(&eventNames, func(p *place) string {
				v, _ := p.v.(string)
				if p.aside || p.depth > 2 || len(v) > 60 || strings.ContainsAny(v, "\n{<$") || len(strings.Fields(v)) > 6 || isID(v) || webAddress(v) != "" ||
					vague[p.key] && !strings.ContainsAny(v, "._:/") && strings.ToUpper(v[:min(1, len(v))])+v[min(1, len(v)):] == words(v) || !tolerant && isHollow(v) {
					return ""
				}
				return strings.TrimSpace(v)
			})
		}
	}
	if said := strings.ToLower(words(event)); event != "" && !strings.Contains(said, " ") {
		action, thing := s.shallow("action", "verb", "operation"), s.shallow("objecttype", "resourcetype", "resourcename", "resource", "objectkind", "entitytype", "type", "table")
		switch {
		case !done(said) && done(action) && !strings.Contains(strings.ToLower(action), said):
			return event + "." + action
		case done(said) && thing != "" && !done(thing) && !isHollow(thing) && !strings.Contains(said, strings.ToLower(thing)):
			return thing + "." + event
		}
	}
	return event
}

// vague are names that often hold something else than an event: a queue's topic, an article's category.
var vague = fieldSet("topic", "scope", "hook", "category", "eventcategory", "payloadtype")

// done tells a verb or a participle.
func done(word string) bool {
	word = strings.ToLower(word)
	last := word[strings.LastIndexAny(word, " _-.:/")+1:]
	return verbs[word] != "" || participles[last] || verbs[last] != ""
}

// shallow is a short word under one of keys at the top or in one object below it.
func (s *search) shallow(keys ...string) string {
	for _, k := range keys {
		for i := range s.places {
			p := &s.places[i]
			if v, _ := p.v.(string); p.key == k && p.depth < 2 && !p.aside && v != "" && len(v) < 40 && wordCount(v) == 1 && !isID(v) {
				return v
			}
		}
	}
	return ""
}

// eventHeader are the ends of headers by which tools name an event.
var eventHeader = []string{"-Event", "-Event-Key", "-Event-Type", "-Event-Name", "-Hook-Resource", "-Topic", "Ce-Type"}

// headerEvent is the event that a header names; of several the first of the kinds above, and by name.
func headerEvent(h http.Header) string {
	var found []string
	for _, end := range eventHeader {
		for name := range h {
			if v := strings.TrimSpace(h.Get(name)); strings.HasSuffix(name, end) && v != "" && len(v) <= 60 && (end != "-Topic" || strings.ContainsAny(v, "./_")) {
				found = append(found, name)
			}
		}
		if len(found) > 0 {
			return strings.TrimSpace(h.Get(slices.Min(found)))
		}
	}
	return ""
}

var versioned = regexp.MustCompile(`^v?\d+(?:[a-z]+\d*)?$`)

// eventWords are an event's name as people would say it: the thing and what was done with it. "com.example.order.created.v2"
// and "orders/create" give "order created", "createCard" "card created", "public_incident.incident_created_v2" "incident created".
func eventWords(event string) (thing []string, deed string) {
	var parts [][]string
	for i, p := range strings.FieldsFunc(event, func(r rune) bool { return r == '.' || r == '/' || r == ':' }) {
		var kept []string
		for _, w := range strings.Fields(strings.ToLower(words(p))) {
			if !versioned.MatchString(w) && w != "event" && w != "hook" && w != "hooks" && w != "webhook" && w != "notification" && w != "activity" {
				kept = append(kept, w)
			}
		}
		if len(kept) == 1 && topDomains[kept[0]] && i == 0 || len(kept) == 0 || slices.Equal(kept, []string{"type"}) {
			continue
		}
		parts = append(parts, kept)
	}
	if n := len(parts); n > 1 && (len(parts[n-1]) > 2 || slices.ContainsFunc(parts[n-1], func(w string) bool { return slices.Contains(parts[n-2], w) })) {
		parts = parts[n-1:]
	} else if n > 2 {
		parts = parts[n-2:]
	}
	all := slices.Concat(parts...)
	n := len(all)
	switch {
	case n == 0:
		return nil, ""
	case n > 1 && (participles[all[n-1]] || verbs[all[n-1]] != ""):
		thing, deed = all[:n-1], all[n-1]
	case n > 1 && n < 4 && (participles[all[0]] || verbs[all[0]] != ""):
		thing, deed = all[1:], all[0]
	case n == 1 && (participles[all[0]] || verbs[all[0]] != ""):
		return nil, orElse(verbs[all[0]], all[0])
	default:
		return all, ""
	}
	thing = slices.Clone(thing)
	thing[len(thing)-1] = singular(thing[len(thing)-1])
	return thing, orElse(verbs[deed], deed)
}

func singular(w string) string {
	if len(w) > 3 && strings.HasSuffix(w, "s") && !strings.HasSuffix(w, "ss") && !strings.HasSuffix(w, "us") && !strings.HasSuffix(w, "is") && !strings.HasSuffix(w, "ies") {
		return w[:len(w)-1]
	}
	return w
}

// sameState are words for one state: the house knows the right-hand ones.
var sameState = map[string]string{
	"successful": "success", "succeeded": "success", "succeed": "success", "ready": "success", "pass": "passed", "solved": "resolved", "resolve": "resolved",
	"healthy": "ok", "clear": "ok", "cleared": "ok", "okay": "ok", "operational": "up", "available": "up", "online": "up", "reachable": "up", "responding": "up",
	"complete": "completed", "finished": "completed", "failure": "failed", "errored": "failed", "fail": "failed", "broken": "failed", "failing": "failed",
	"alarm": "firing", "alerting": "firing", "trigger": "triggered", "unreachable": "down", "offline": "down", "not responding": "down", "unavailable": "down", "reporting error": "down",
	"opened": "open", "close": "closed", "acknowledge": "acknowledged", "recovery": "recovered", "canceled": "cancelled",
}

// eventStates are the ends of events that tell the state of what they are about.
var eventStates = fieldSet("resolved", "closed", "opened", "reopened", "failed", "succeeded", "passed", "merged", "acknowledged", "recovered", "down", "up", "firing",
	"triggered", "fired", "published", "cancelled", "canceled", "paid", "expired", "missing", "accepted", "rejected", "approved", "lost", "errored", "failure",
	"success", "deleted", "archived", "refunded", "bounced", "waiting", "blocked", "fixed", "drifted", "available")

var bracketed = regexp.MustCompile(`(?i)^\W{0,4}(firing|resolved|triggered|recovered|alerting|alarm|down|up|ok|no data|problem|failed|fixed|closed|acknowledged)(?:\W|$)`)

// state is the delivery's word for how things stand: its own, its event's, its level's where that says that all is well, or
// the one that a text begins with in signs, as [FIRING:2].
func (s *search) state(event, level, text string) string {
	state := s.word(&stateNames)
	_, deed := eventWords(event)
	if said := orElse(sameState[deed], deed); eventStates[deed] && (state == "" || state == "completed" || state == "finished" || deed == "resolved") {
		state = said
	}
	if level == "ok" || sameState[level] == "ok" {
		state = orElse(state, "ok")
	}
	if state == "" {
		if m := bracketed.FindStringSubmatch(text); m != nil && (strings.ContainsAny(text[:1], "[(") || strings.ToUpper(m[1]) == m[1]) {
			state = strings.ToLower(m[1])
		}
	}
	return orElse(sameState[state], state)
}

var sameWeight = map[string]string{"crit": "critical", "warn": "warning", "err": "error", "informational": "info", "information": "info", "emerg": "emergency"}

// level is the delivery's word for how grave it is.
func (s *search) level() string {
	level := s.word(&levelNames)
	return orElse(sameWeight[level], level)
}

var (
	gravest = regexp.MustCompile(`^(?:critical|fatal|emergency|panic|disaster|p[01]|sev-?[01]|s[01]|severity ?[01]|[01] ?- ?critical)$`)
	trouble = fieldSet("", "firing", "triggered", "fired", "down", "open", "active", "activated", "started", "investigating", "created", "problem", "live", "new")
)

// cannotWait tells news that cannot wait where the sender has no word of its own for that: what is down, and what is of the
// gravest level and has just begun.
func cannotWait(it *digest.Item) bool {
	_, deed := eventWords(it.Event)
	switch deed {
	case "", "created", "opened", "triggered", "fired", "started", "detected", "down", "activated", "failed", "reopened", "reactivated":
	default:
		return false
	}
	return it.State == "down" || gravest.MatchString(it.Level) && trouble[it.State]
}

// things are the keys of objects whose id makes a thread, and what it is called there.
var things = map[string]string{"issue": "issue", "pullrequest": "pr", "mergerequest": "mr", "ticket": "ticket", "task": "task", "card": "card", "story": "story",
	"incident": "incident", "alert": "alert", "monitor": "monitor", "check": "check", "conversation": "conversation", "order": "order", "post": "post",
	"page": "page", "change": "change", "reviewrequest": "review", "bug": "bug", "case": "case", "workitem": "work", "item": "item", "fault": "fault", "invoice": "invoice",
	"component": "component", "expense": "expense", "subscription": "subscription", "signaturerequest": "signature", "trigger": "trigger", "site": "site", "healthchecks": "check",
	"entry": "entry", "contact": "contact", "campaign": "campaign", "discussion": "discussion", "problem": "problem", "snitch": "snitch", "search": "search"}

// thread is what the delivery belongs to: the sender's own word for that, else the thing it tells of, which an object with
// an id stands for, or a field such as ticket_id. of is the index of the place that the title is from.
func (s *search) thread(it *digest.Item, of int) string {
	if t := s.text(&threadNames, 200); t != "" {
		return t
	}
	best, least := "", 1<<30
	take := func(kind, id string, score int) {
		if id = strings.TrimSpace(id); score < least && id != "" && len(id) <= 100 {
			best, least = thread(kind, id), score
		}
	}
	for i := range s.places {
		p := &s.places[i]
		if p.aside {
			continue
		}
		if kind := things[p.key]; kind != "" && p.object() != nil {
			take(kind, p.str("number", "key", "id", "uuid", "iid"), p.depth*10)
		}
		if name, ok := strings.CutSuffix(p.key, "id"); ok && things[name] != "" {
			take(things[name], p.scalar(), p.depth*10+3)
		}
	}
	if best != "" || of < 0 {
		return best
	}
	if s.places[of].up < 0 { // the top's own id is the delivery's more often than not, but where it tells how something stands
		if it.State != "" || it.Level != "" {
			take("alert", s.shallowID(), 0)
		}
		return best
	}
	o := s.places[s.places[of].up]
	thing, _ := eventWords(it.Event)
	if !wrappers[o.key] {
		thing = []string{o.key}
	}
	if len(thing) > 0 && !talk[thing[len(thing)-1]] {
		take(strings.Join(thing, "-"), o.str("number", "key", "id", "uuid", "iid"), 0)
	}
	return best
}

// shallowID is the id at the top.
func (s *search) shallowID() string {
	for _, p := range s.places {
		if p.depth == 0 && (p.key == "id" || p.key == "uuid") {
			return p.scalar()
		}
	}
	return ""
}

// wrappers are the keys of objects that hold what a delivery is about whatever that is.
var wrappers = fieldSet("data", "payload", "object", "resource", "event", "body", "detail", "details", "attributes", "fields", "item", "record", "content", "message",
	"messages", "events", "notification", "notifications", "alerts", "current", "eventdata", "webhookeventdata", "result", "results", "essentials", "properties", "value", "new", "objectattributes", "entity", "model", "info", "params", "context")

// talk are things said about another, whose own id makes no thread.
var talk = fieldSet("comment", "note", "message", "reply", "review", "email")
