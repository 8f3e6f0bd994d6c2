package tools

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// verbs are what tools say that was done, and how it reads: create, createCard and card.created are "card created".
var verbs = map[string]string{"abort": "aborted", "accept": "accepted", "acknowledge": "acknowledged",
	"activate": "activated", "add": "added",
	"apply": "applied", "approve": "approved", "archive": "archived", "assign": "assigned", "attach": "attached",
	"ban":    "banned",
	"cancel": "cancelled", "change": "changed", "close": "closed", "comment": "commented", "complete": "completed",
	"create": "created", "deactivate": "deactivated",
	"delete": "deleted", "deploy": "deployed", "detach": "detached", "disable": "disabled", "edit": "edited",
	"enable": "enabled", "escalate": "escalated",
	"finish": "finished", "fire": "fired", "fail": "failed", "hire": "hired", "insert": "added", "invite": "invited",
	"join": "joined", "label": "labeled", "leave": "left", "lock": "locked", "merge": "merged",
	"modify": "modified", "move": "moved", "open": "opened", "pay": "paid", "place": "placed", "post": "posted",
	"publish": "published", "push": "pushed",
	"reactivate": "reactivated", "receive": "received", "reject": "rejected", "release": "released", "remove": "removed",
	"rename": "renamed",
	"reopen": "reopened", "replace": "replaced", "reply": "replied", "resolve": "resolved", "restore": "restored", "save": "saved",
	"review": "reviewed", "send": "sent", "sign": "signed",
	"start": "started", "stop": "stopped", "submit": "submitted", "subscribe": "subscribed", "sync": "synced",
	"tag": "tagged", "trash": "trashed", "trigger": "triggered",
	"unarchive": "unarchived", "unassign": "unassigned", "unlabel": "unlabeled", "unlock": "unlocked",
	"unpublish": "unpublished", "unsubscribe": "unsubscribed", "unsnooze": "unsnoozed", "unstar": "unstarred",
	"untag": "untagged", "update": "updated",
	"begin": "begun", "end": "ended", "confirm": "confirmed", "connect": "connected", "decline": "declined", "disconnect": "disconnected",
	"enroll": "enrolled", "expire": "expired", "grant": "granted", "install": "installed", "register": "registered", "renew": "renewed",
	"reschedule": "rescheduled", "revoke": "revoked", "suspend": "suspended", "uninstall": "uninstalled", "verify": "verified",
	"upgrade": "upgraded", "upload": "uploaded", "validate": "validated", "view": "viewed", "warn": "warned"}

// nouns are verbs that things are called by.
var nouns = fieldSet("sync", "deploy", "release", "review", "comment", "post", "upload", "label", "tag", "upgrade", "update", "change")

// participles tell that something was done, or how it ended, besides what ends in -ed.
var participles = fieldSet("done", "begun", "lost", "up", "down", "paid", "missing", "overdue", "failing", "running",
	"waiting", "built", "sent", "left", "withdrawn",
	"error", "success", "failure", "successful", "proofread", "available", "unavailable", "online", "offline",
	"reachable", "unreachable")

// isDone tells a participle.
func isDone(w string) bool {
	return participles[w] || len(w) > 4 && !adjectives[w] && strings.HasSuffix(w, "ed") && w != "speed" && w != "embed" &&
		!strings.HasSuffix(w, "feed")
}

// adjectives look like participles, but tell of nothing that was done.
var adjectives = fieldSet("based", "limited", "unlimited", "united", "hundred", "advanced", "automated", "managed", "dedicated", "undefined", "mixed", "indeed")

// phrasal are verbs that an up or a down belongs to, which tells no state.
var phrasal = fieldSet("set", "back", "scale", "wind", "shut", "roll", "start", "clean", "step", "break", "look")

// hollow are the words of an event's name that say nothing by themselves.
var hollow = fieldSet("event", "events", "alert", "alerts", "notification", "notifications", "webhook", "webhooks",
	"hook", "hooks", "message", "payload",
	"callback", "object", "default", "data", "activity", "subscription", "automation", "type", "kind", "problem", "recovery", "audit", "status",
	"email", "web", "text", "html", "json", "info", "notice")

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
	named := event != ""
	if event == "" {
		event = s.eventInText()
	}
	for pass := 0; pass < 3 && event == ""; pass++ { // what says that something was done, then what says something
		event, _ = s.best(&eventNames, func(p *place) string {
			v, _ := p.v.(string)
			v = strings.TrimSpace(v)
			if p.aside && !aboutIt[s.holder(p)] || p.depth > 2 || len(v) > 60 || mixed.MatchString(v) || strings.ContainsAny(v, "\n{<$") || len(strings.Fields(v)) > 6 ||
				isID(v) || webAddress(v) != "" || strings.Contains(v, `\`) ||
				vague[p.key] && wordCount(words(v)) < 2 || pass < 2 && isHollow(v) {
				return ""
			}
			if _, deed := eventWords(v); deed == "" && pass == 0 {
				return ""
			}
			return v
		})
	}
	if event == "" {
		event = s.eventInKey()
	}
	said := strings.ToLower(words(event))
	action, thing := s.shallow("action", "verb", "operation", "operationtype", "op", "metric", "webhookcode"), s.shallow("objecttype", "resourcetype", "resourcename",
		"resource", "objectkind", "entitytype", "typename", "object", "event", "eventcategory", "module", "itemtype", "type", "kind", "table", "entity")
	switch {
	case event == "" && done(action) && thing != "" && (!isHollow(thing) || strings.EqualFold(thing, "email")):
		return thing + "." + action
	case strings.EqualFold(event, "new") && thing != "" && !isHollow(thing) && !strings.EqualFold(thing, event):
		return thing + ".created"
	case event == "" && s.has("pushedat"):
		return "push"
	case (named || !isDone(said[strings.LastIndexByte(said, ' ')+1:])) && done(action) && event != "" &&
		!strings.Contains(said, stem(strings.ToLower(action))):
		return event + "." + action
	case !named && done(said) && !strings.Contains(said, " ") && thing != "" && (!strings.EqualFold(thing, "user") || s.shallow("objecttype", "entitytype", "resourcetype") == thing) &&
		!done(thing) && !isHollow(thing) && !strings.Contains(said, strings.ToLower(thing)):
		return thing + "." + event
	}
	return event
}

// aboutIt are objects beside what happened that say what it was.
var aboutIt = fieldSet("meta", "metadata", "hook", "webhook")

// mixed is an event that has a token in its name: F6gT_detector_rule.
var mixed = regexp.MustCompile(`[A-Z][0-9][a-z]+[A-Z]`)

// eventInText is the event that the top of a delivery names where others have a text.
func (s *search) eventInText() string {
	for _, key := range []string{"name", "description", "title", "subject"} {
		if v := s.top.str(key); eventLike(v) {
			return v
		}
	}
	return ""
}

// eventInKey is the event that is the key of the object which tells of it: scanCompleted.
func (s *search) eventInKey() string {
	for i := range s.places {
		p := &s.places[i]
		if p.depth > 0 || len(p.name) > 60 || p.object() == nil || p.aside || p.count > 0 {
			continue
		}
		said := strings.ToLower(words(p.name))
		if thing, _ := eventWords(p.name); len(thing) > 0 && isDone(said[strings.LastIndexByte(said, ' ')+1:]) && thing[0] != "last" && thing[0] != "first" && thing[0] != "is" {
			return p.name
		}
	}
	return ""
}

// has tells whether a key is there, not too deep.
func (s *search) has(key string) bool {
	return slices.ContainsFunc(s.places, func(p place) bool { return p.key == key && p.depth < 3 })
}

// vague are names that often hold something else than an event: a queue's topic, an article's category.
var vague = fieldSet("topic", "scope", "hook", "category", "eventcategory", "payloadtype", "kind")

// done tells a verb or a participle.
func done(word string) bool {
	word = strings.ToLower(word)
	last := word[strings.LastIndexAny(word, " _-.:/")+1:]
	return verbs[word] != "" || isDone(last) || verbs[last] != ""
}

// shallow is a short word under one of keys at the top or in one object below it.
func (s *search) shallow(keys ...string) string {
	for _, k := range keys {
		for i := range s.places {
			p := &s.places[i]
			if v, _ := p.v.(string); p.key == k && (p.up < 0 || p.depth == 1 && wrappers[s.holder(p)]) && v != "" &&
				len(v) < 40 && wordCount(v) == 1 && !isID(v) {
				return v
			}
		}
	}
	return ""
}

// eventHeader are the ends of headers by which tools name an event.
var eventHeader = []string{"-Event", "-Event-Key", "-Event-Type", "-Event-Name", "-Hook-Resource", "-Topic", "Ce-Type", "-Kind"}

// headerEvent is the event that a header names; of several the first of the kinds above, and by name.
func headerEvent(h http.Header) string {
	var found []string
	for _, end := range eventHeader {
		for name := range h {
			if v := strings.TrimSpace(h.Get(name)); strings.HasSuffix(name, end) && v != "" && len(v) <= 60 &&
				(end != "-Topic" || strings.ContainsAny(v, "./_")) {
				found = append(found, name)
			}
		}
		if len(found) > 0 {
			return strings.TrimSpace(h.Get(slices.Min(found)))
		}
	}
	return ""
}

var unWord = regexp.MustCompile(`\bun `) // emailUnSubscribe

var versioned = regexp.MustCompile(`^v?\d+(?:[a-z]+\d*)?$`)

// eventWords are an event's name as people would say it: the thing and what was done with it. "com.example.order.created.v2"
// and "orders/create" give "order created", "createCard" "card created", "public_incident.incident_created_v2" "incident created".
func eventWords(event string) (thing []string, deed string) {
	var parts [][]string
	for i, p := range strings.FieldsFunc(event, func(r rune) bool { return strings.ContainsRune("./:#", r) }) {
		var kept []string
		for _, w := range strings.Fields(unWord.ReplaceAllString(strings.ToLower(words(p)), "un")) {
			if !versioned.MatchString(w) && (w != "on" || len(kept) > 0) && w != "event" && w != "hook" && w != "hooks" && w != "webhook" &&
				w != "notification" && w != "activity" {
				kept = append(kept, w)
			}
		}
		if len(kept) == 1 && topDomains[kept[0]] && i == 0 || len(kept) == 0 || slices.Equal(kept, []string{"type"}) {
			continue
		}
		parts = append(parts, kept)
	}
	parts = tellingParts(parts)
	all := slices.Compact(slices.Concat(parts...))
	n := len(all)
	switch {
	case n == 0:
		return nil, ""
	case linking(all) > 1 && verbs[all[0]] != "": // addMemberToBoard
		return all[1:linking(all)], strings.Join(append([]string{verbs[all[0]]}, all[linking(all):]...), " ")
	case linking(all) == 1 && done(all[0]): // assignedToUser
		return nil, strings.Join(append([]string{orElse(verbs[all[0]], all[0])}, all[1:]...), " ")
	case linking(all) > 0 && verbs[all[n-1]] != "": // did_fail_to_renew
		return all, ""
	case n > 2 && (all[n-1] == "up" || all[n-1] == "down"): // a follow-up
		return all, ""
	case n == 2 && (all[1] == "up" || all[1] == "down") && (isDone(all[0]) || verbs[all[0]] != "" || phrasal[all[0]]): // signed up
		return nil, orElse(verbs[all[0]], all[0]) + " " + all[1]
	case n > 1 && n < 4 && all[0] == "new" && !isDone(all[n-1]): // new_comment
		thing, deed = all[1:], "created"
	case n > 1 && n < 4 && all[n-1] == "new" && knownThing(all[:n-1]): // issue.new
		thing, deed = all[:n-1], "created"
	case n == 2 && nouns[all[0]] && verbs[all[1]] != "": // sync_end
		return all[:1], verbs[all[1]]
	case n == 2 && verbs[all[0]] != "" && strings.HasSuffix(all[1], "ing"): // deploy_building
		return all[:1], all[1]
	case n > 1 && n < 4 && verbs[all[0]] != "" && !isDone(all[n-1]) && (len(parts) < 2 || len(parts[len(parts)-1]) > 1 ||
		verbs[all[n-1]] == ""):
		thing, deed = all[1:], all[0]
	case n > 1 && (isDone(all[n-1]) || verbs[all[n-1]] != ""):
		thing, deed = all[:n-1], all[n-1]
	case n > 1 && n < 4 && isDone(all[0]):
		thing, deed = all[1:], all[0]
	case n == 1 && (isDone(all[0]) || verbs[all[0]] != ""):
		return nil, orElse(verbs[all[0]], all[0])
	default:
		return all, ""
	}
	thing = slices.Clone(thing)
	thing[len(thing)-1] = singular(thing[len(thing)-1])
	return thing, orElse(verbs[deed], deed)
}

// tellingParts are the last parts of an event's name that say what happened: one if it has the thing and the deed, or
// repeats what stands before it; else two, and three about a thing's status.
func tellingParts(parts [][]string) [][]string {
	n := len(parts)
	if n < 2 {
		return parts
	}
	last, before := parts[n-1], parts[n-2]
	switch {
	case len(last) > 2 && linking(last) < 0, len(last) == 2 && done(last[1]) && !knownThing(before),
		slices.ContainsFunc(last, func(w string) bool { return slices.Contains(before, w) }):
		return parts[n-1:]
	case n > 2 && (before[len(before)-1] == "status" || before[0] == "status" || before[0] == "state"):
		return parts[n-3:]
	case n > 2 && len(before) == 1 && (before[0] == "open" || before[0] == "closed") && knownThing(parts[n-3]): // issue.open.created
		return [][]string{parts[n-3], last}
	case n > 2 && len(before) == 1 && verbs[before[0]] != "" && !done(last[0]) && knownThing(parts[n-3]): // task.move.column
		return parts[n-3 : n-1]
	}
	return parts[n-2:]
}

// linking is the index of the word that leads on to another thing, -1 without.
func linking(all []string) int {
	return slices.IndexFunc(all, func(w string) bool { return w == "to" || w == "from" })
}

// knownThing tells whether a name is one of a thing, and not of a tool.
func knownThing(words []string) bool {
	w := singular(words[len(words)-1])
	return things[w] != "" || onABranch[w] || likeThings[w]
}

// singular is a noun without the s of many.
func singular(w string) string {
	if len(w) > 3 && strings.HasSuffix(w, "s") && !strings.HasSuffix(w, "ss") && !strings.HasSuffix(w, "us") &&
		!strings.HasSuffix(w, "is") && !strings.HasSuffix(w, "ies") {
		return w[:len(w)-1]
	}
	return w
}
