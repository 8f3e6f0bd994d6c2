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
	"alert": "firing", "anomalous": "firing", "active_unack": "active", "active_ack": "acknowledged", "cleared_unack": "resolved", "cleared_ack": "resolved", "crashed": "failed", "terminal": "failed", "partiallyfailed": "failed", "finish": "completed",
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
	state, at := s.wordAt(&stateNames)
	if dot := strings.LastIndexByte(state, '.'); dot > 0 && isDone(state[dot+1:]) { // document.completed
		state = state[dot+1:]
	}
	thing, deed := eventWords(event)
	if state == "" && (deed == "created" || deed == "opened") && len(thing) > 0 && things[thing[len(thing)-1]] != "" {
		state = "open"
	}
	if said := orElse(sameState[deed], deed); eventStates[deed] && (state == "" || state == "completed" ||
		state == "finished" || deed == "resolved" || decisive[said] && sameState[state] == "" && !isDone(state) && !alarms[state]) {
		state = said
	}
	if deed == "" && len(thing) == 1 && state == "" {
		state = alarmWords[thing[0]]
	}
	if state == "" {
		said := s.word(&signalNames)
		if said == "critical" || said == "warning" {
			said = "alarm"
		}
		state = orElse(alarmWords[said], s.told())
	}
	if level == "ok" || sameState[level] == "ok" {
		state = orElse(state, "ok")
	}
	if state == "warning" && (s.keyOf(at) == "result" || s.keyOf(at) == "outcome") { // how a job ended
		return state
	}
	if state == "critical" || state == "crit" || state == "warning" || state == "warn" {
		return "firing"
	}
	if state == "" && (event == "" || isHollow(event)) && s.wrong() != "" {
		return "failed"
	}
	if state == "" {
		for _, t := range []string{text, s.text(&subjectNames, 250)} {
			if m := bracketed.FindStringSubmatch(t); state == "" && m != nil && (strings.ContainsAny(m[1], "[(") ||
				strings.ToUpper(m[2]) == m[2] || m[3] == ":") {
				state = strings.ToLower(m[2])
			}
		}
	}
	state = orElse(sameState[state], state)
	if state == "closed" && s.affirms("merged", "ismerged") {
		return "merged"
	}
	if (state == "" || undecided[state]) && s.counted() != "" {
		return "failed"
	}
	return state
}

// decisive are what an event says that goes before a state in words of the tool's own.
var decisive = fieldSet("failed", "triggered", "fired", "firing", "recovered", "down", "up")

// alarmWords are how monitors begin and end an alarm.
var alarmWords = map[string]string{"problem": "firing", "alert": "firing", "alarm": "firing",
	"recovery": "recovered", "recovered": "recovered", "ok": "ok", "down": "down", "up": "up"}

var (
	signalNames = names("messagetype", "notificationtype", "alerttype")
	errorNames  = names("error", "exception", "errormessage", "err", "errors")
)

// wrong is what a delivery says under the name of an error.
func (s *search) wrong() string {
	v, _ := s.best(&errorNames, func(p *place) string {
		if p.aside || p.depth > 1 {
			return ""
		}
		v, _ := p.v.(string)
		return orElse(strings.TrimSpace(v), p.str("message", "msg", "description", "error_message", "details", "messages.0"))
	})
	return v
}

// told is the state that a truth value tells: success, or not.
func (s *search) told() string {
	for i := range s.places {
		p := &s.places[i]
		if yes, no := truths[p.key][0], truths[p.key][1]; p.depth < 2 && !p.aside && yes+no != "" {
			switch strings.ToLower(p.scalar()) {
			case "true":
				return yes
			case "false":
				return no
			}
		}
		if n := p.scalar(); exits[p.key] && p.depth == 0 && smallNumber.MatchString(n) {
			if n == "0" {
				return "success"
			}
			return "failed"
		}
	}
	return ""
}

// truths are the states that a yes and a no under a key mean.
var truths = map[string][2]string{"success": {"success", "failed"}, "issuccess": {"success", "failed"}, "successful": {"success", "failed"},
	"succeeded": {"success", "failed"}, "passed": {"passed", "failed"}, "failed": {"failed", ""}, "resolved": {"resolved", ""}, "done": {"done", ""},
	"completed": {"completed", ""}, "ok": {"ok", "failed"}, "isok": {"ok", "failed"}, "isdown": {"down", "up"}, "isup": {"up", "down"}, "up": {"up", "down"}, "reachable": {"up", "down"}, "alive": {"up", "down"},
	"healthy": {"ok", "failed"}, "passing": {"passed", "failed"}, "ispassing": {"passed", "failed"}, "backtonormal": {"recovered", "firing"}}

// exits are keys under which scripts tell how they ended; 0 is well.
var exits = fieldSet("rc", "exitcode", "returncode", "exitstatus")

var sameWeight = map[string]string{"crit": "critical", "warn": "warning", "err": "error", "informational": "info",
	"information": "info", "emerg": "emergency"}

// level is the delivery's word for how grave it is; sure tells that it is one of a machine's, not a ticket's priority.
func (s *search) level() (level string, sure bool) {
	level, at := s.wordAt(&levelNames)
	if said := s.word(&signalNames); at < 0 && (said == "critical" || said == "warning") {
		return said, true
	}
	if at < 0 { // what watches has states for levels, and chats know colours only
		if state := s.word(&stateNames); state == "critical" || state == "crit" || state == "warning" || state == "warn" {
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

// affirms tells whether one of keys holds a yes about what the delivery is of.
func (s *search) affirms(keys ...string) bool {
	return slices.ContainsFunc(s.places, func(p place) bool {
		return slices.Contains(keys, p.key) && !p.aside && p.depth < 4 && p.scalar() == "true"
	})
}
