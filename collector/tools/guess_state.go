package tools

import (
	"regexp"
	"slices"
	"strings"

	"quietpost/digest"
)

// sameState are words for one state: the house knows the right-hand ones.
var sameState = map[string]string{
	"successful": "success", "succeeded": "success", "succeed": "success", "ready": "success", "pass": "passed",
	"solved": "resolved", "resolve": "resolved",
	"healthy": "ok", "clear": "ok", "cleared": "ok", "okay": "ok", "operational": "up", "available": "up",
	"online": "up", "reachable": "up", "responding": "up",
	"complete": "completed", "finished": "completed", "failure": "failed", "errored": "failed", "fail": "failed",
	"broken": "failed", "failing": "failed", "error": "failed",
	"alarm": "firing", "alerting": "firing", "trigger": "triggered", "unreachable": "down", "offline": "down",
	"not responding": "down", "unavailable": "down", "reporting error": "down",
	"opened": "open", "close": "closed", "acknowledge": "acknowledged", "recovery": "recovered", "canceled": "cancelled",
}

// eventStates are the ends of events that tell the state of what they are about.
var eventStates = fieldSet("resolved", "closed", "opened", "reopened", "failed", "succeeded", "passed", "merged",
	"acknowledged", "recovered", "down", "up", "firing",
	"triggered", "fired", "published", "cancelled", "canceled", "paid", "expired", "missing", "accepted", "rejected",
	"approved", "lost", "errored", "failure",
	"success", "error", "deleted", "archived", "refunded", "bounced", "waiting", "blocked", "fixed", "drifted",
	"available", "unavailable", "online", "offline", "reachable", "unreachable")

var subjectNames = names("subject", "title").ending(notTheTitle, "subject", "title")

var bracketed = regexp.MustCompile(`(?i)^(\W{0,4})(firing|resolved|triggered|recovered|alerting|alarm|down|up|ok|no data|problem|failed` +
	`|fixed|closed|acknowledged)(:|\W|$)`)

// state is the delivery's word for how things stand: its own, its event's, its level's where that says that all is well, or
// the one that a text begins with in signs, as [FIRING:2].
func (s *search) state(event, level, text string) string {
	state := s.word(&stateNames)
	thing, deed := eventWords(event)
	if state == "" && (deed == "created" || deed == "opened") && len(thing) > 0 && things[thing[len(thing)-1]] != "" {
		state = "open"
	}
	if said := orElse(sameState[deed], deed); eventStates[deed] && (state == "" || state == "completed" ||
		state == "finished" || deed == "resolved") {
		state = said
	}
	if level == "ok" || sameState[level] == "ok" {
		state = orElse(state, "ok")
	}
	if state == "critical" || state == "crit" || state == "warning" {
		return "firing"
	}
	if state == "" {
		for _, t := range []string{text, s.text(&subjectNames, 250)} {
			if m := bracketed.FindStringSubmatch(t); state == "" && m != nil && (strings.ContainsAny(m[1], "[(") ||
				strings.ToUpper(m[2]) == m[2] || m[3] == ":") {
				state = strings.ToLower(m[2])
			}
		}
	}
	return orElse(sameState[state], state)
}

var sameWeight = map[string]string{"crit": "critical", "warn": "warning", "err": "error", "informational": "info",
	"information": "info", "emerg": "emergency"}

// level is the delivery's word for how grave it is; sure tells that it is one of a machine's, not a ticket's priority.
func (s *search) level() (level string, sure bool) {
	level, at := s.wordAt(&levelNames)
	if at < 0 { // what watches has states for levels, and chats know colours only
		if state := s.word(&stateNames); state == "critical" || state == "crit" || state == "warning" {
			return orElse(sameWeight[state], state), true
		}
		colour, _ := s.best(&colourNames, func(p *place) string {
			if !cards[s.holder(p)] {
				return ""
			}
			return colourLevel(p.scalar())
		})
		return colour, false
	}
	sure = strings.Contains(s.keyOf(at), "sever") || strings.Contains(s.keyOf(at), "level") || len(level) < 5
	return orElse(sameWeight[level], level), sure
}

// cards are where a colour tells how grave a message is; elsewhere it is a label's.
var cards = fieldSet("", "attachments", "embeds", "message", "data")

var colourNames = names("color", "colour", "themecolor")

var (
	gravest = regexp.MustCompile(`^(?:critical|fatal|urgent|emergency|panic|disaster|p[01]|sev-?[01]|s[01]|severity ?[01]` +
		`|[01] ?- ?critical)$`)
	trouble = fieldSet("firing", "triggered", "fired", "down", "open", "active", "activated", "started",
		"investigating", "created", "problem", "live", "new")
	beginnings = fieldSet("created", "opened", "triggered", "fired", "started", "detected", "down", "activated",
		"failed", "reopened", "reactivated")
)

// cannotWait tells news that is urgent where the sender has no word of its own for that: what is down, and what is of the
// gravest level and has just begun. What anywhere says that it is over, or that somebody wrote down as work to do, can
// wait: a false alarm at night is worse than one read at breakfast. sure is level's.
func (s *search) cannotWait(it *digest.Item, sure bool) bool {
	thing, deed := eventWords(it.Event)
	began, last := beginnings[deed], ""
	if len(thing) > 0 {
		last = thing[len(thing)-1]
	}
	if deed != "" && !began && (deed != "changed" || last != "state" && last != "status") || work[last] && it.Author != "" {
		return false
	}
	if it.State != "down" && (!gravest.MatchString(it.Level) || !trouble[it.State] && (it.State != "" || !began &&
		(!sure || it.Author != ""))) {
		return false
	}
	return !slices.ContainsFunc(s.places, func(p place) bool {
		return len(p.scalar()) <= 200 &&
			isOver.MatchString(p.scalar())
	})
}

var (
	work   = fieldSet("issue", "task", "bug", "story", "userstory", "card", "epic", "package")
	isOver = regexp.MustCompile(`(?i)\b(?:resolved|recovered|recovery|cleared|acknowledged|back to normal|is ok|updated problem)\b`)
)
