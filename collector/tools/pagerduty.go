package tools

import (
	"fmt"
	"net/http"
	"strings"

	"quietpost/digest"
)

// PagerDuty reads PagerDuty's webhooks, version 3 (https://developer.pagerduty.com/docs/webhooks-overview), and the older
// two, which post several messages at once.
func PagerDuty(h http.Header, body []byte) (Reading, error) {
	n, err := parse(formPayload(h, body))
	if err != nil {
		return Reading{}, err
	}
	if n.object() == nil {
		return Reading{}, fmt.Errorf("%w: PagerDuty posts a JSON object", ErrUnreadable)
	}
	if n.has("messages") {
		return pagerMessages(n), nil
	}
	ev := n
	if n.at("event").object() != nil {
		ev = n.at("event")
	}
	p := &pagerEvent{node: ev, what: ev.str("event_type"), data: ev.at("data"), item: &digest.Item{}}
	if p.data.object() == nil { // an event without its envelope
		p.data = ev
	}
	r := Reading{Key: ev.str("id")}
	if ev.str("event_type") == "" {
		r.Key = ""
	}
	if p.what == "pagey.ping" || p.data.str("type") == "ping" {
		r.Ignored = "ping: PagerDuty tried whether the hook works"
		return r, nil
	}
	if !p.known() {
		return Generic(h, body)
	}
	p.read()
	r.Items = []digest.Item{*p.item}
	return r, nil
}

func isPagerDuty(n node) bool {
	if n.has("agent") && n.has("incident") && (n.has("annotation") || n.has("status_update")) {
		return true
	}
	return n.has("event.event_type") && (n.has("event.resource_type") || n.has("event.data") && n.has("event.occurred_at")) || strings.HasPrefix(n.str("messages.0.event", "messages.0.type"), "incident.")
}

// pagerMessages reads versions 1 and 2: messages, each with an incident.
func pagerMessages(n node) Reading {
	var r Reading
	var ids []string
	for i, m := range n.list("messages") {
		if i == MaxItems {
			break
		}
		p := &pagerEvent{node: m, what: m.str("event", "type"), data: m.at("incident"), item: &digest.Item{}}
		if p.data.object() == nil {
			p.data = m.at("data.incident")
		}
		if ping := strings.HasSuffix(p.what, "ping"); ping || p.data.object() == nil {
			continue
		}
		if id := m.str("id"); id != "" {
			ids = append(ids, id)
		}
		p.read()
		r.Items = append(r.Items, *p.item)
	}
	if len(r.Items) == 0 {
		r.Ignored = "ping: there is no incident in it"
	}
	if len(ids) == len(r.Items) {
		r.Key = strings.Join(ids, " ")
	}
	return r
}

// A pagerEvent is one event and the item it becomes.
type pagerEvent struct {
	node
	what string // incident.triggered
	data node   // the incident, or what happened to it
	item *digest.Item
}

// known tells whether there is something of PagerDuty's in it at all.
func (p *pagerEvent) known() bool {
	return p.what != "" || p.incident().object() != nil && p.has("agent")
}

// incident is the data itself, or what a note, an update or a responder refers to.
func (p *pagerEvent) incident() node {
	if in := p.data.at("incident"); in.object() != nil {
		return in
	}
	return p.data
}

// pagerWords are what the events say before the incident's title; those that begin with '-' are bookkeeping.
var pagerWords = map[string]string{
	"triggered": "Triggered", "trigger": "Triggered", "acknowledged": "Acknowledged", "acknowledge": "Acknowledged",
	"unacknowledged": "No longer acknowledged", "unacknowledge": "No longer acknowledged", "resolved": "Resolved", "resolve": "Resolved",
	"reopened": "Reopened", "escalated": "Escalated", "escalate": "Escalated", "delegated": "-Delegated", "delegate": "-Delegated",
	"reassigned": "-Reassigned", "assign": "-Assigned", "priority_updated": "Priority changed", "annotated": "Note",
	"annotate": "Note", "status_update_published": "Status update", "responder.added": "-Responder asked",
	"responder.replied": "-Responder answered", "conference_bridge.updated": "-Conference bridge changed",
	"custom_field_values.updated": "-Fields changed", "incident_type.changed": "-Type changed", "service_updated": "-Moved to another service",
	"workflow.started": "-Workflow started", "workflow.completed": "-Workflow completed", "role.assigned": "-Role assigned",
	"role.unassigned": "-Role taken back", "task.created": "-Task added", "task.updated": "-Task changed", "subscriber.added": "-Subscriber added",
}

// pagerStates are the events that say themselves what state it is now in; the incident beside them may be older.
var pagerStates = map[string]string{"triggered": "triggered", "trigger": "triggered", "reopened": "triggered",
	"unacknowledged": "triggered", "unacknowledge": "triggered", "acknowledged": "acknowledged", "acknowledge": "acknowledged",
	"resolved": "resolved", "resolve": "resolved"}

func (p *pagerEvent) read() {
	it, in := p.item, p.incident()
	verb := strings.TrimPrefix(p.what, "incident.")
	switch {
	case p.what != "":
	case p.has("annotation"):
		verb = "annotated"
	case p.has("status_update"):
		verb = "status_update_published"
	default:
		verb = in.str("status")
	}
	it.Event, it.Kind = p.what, digest.KindStatus
	if it.Event == "" {
		it.Event = "incident." + verb
	}
	it.Project = in.str("service.summary", "service.name")
	it.Author = p.str("agent.summary", "log_entries.0.agent.summary", "status_update.sender.summary")
	if strings.HasPrefix(p.str("agent.type", "log_entries.0.agent.type"), "service") || it.Author == it.Project {
		it.Author = ""
	}
	if it.Author == "" && (verb == "resolve" || verb == "acknowledge") {
		it.Author = in.str("resolved_by_user.name", "last_status_change_by.name", "last_status_change_by.summary", "acknowledgers.0.object.name")
	}
	it.URL = in.link("html_url", "trigger_details_html_url")
	it.OccurredAt = p.when("occurred_at", "created_on", "log_entries.0.created_at", "status_update.created_at", "data.created_at")
	if !strings.HasPrefix(it.Event, "incident.") {
		p.other()
		return
	}
	it.Thread = thread("incident", in.str("id", "incident_key"))
	if it.State = pagerStates[verb]; it.State == "" {
		it.State = strings.ToLower(in.str("status"))
	}
	p.severity(in)
	p.title(verb, in)
	it.Body = p.body(in)
}

// severity takes the incident's priority for its level, else its urgency. It is urgent as long as it waits for somebody:
// of high urgency PagerDuty itself wakes people.
func (p *pagerEvent) severity(in node) {
	it := p.item
	priority := in.str("priority.summary", "priority.name")
	urgency := strings.ToLower(in.str("urgency"))
	if it.Level = strings.ToLower(priority); it.Level == "" {
		it.Level = urgency
	}
	if it.State == "resolved" {
		it.Kind = digest.KindIncident
	}
	if it.State != "triggered" {
		return
	}
	switch strings.TrimPrefix(it.Event, "incident.") {
	case "triggered", "trigger", "escalated", "escalate", "reopened", "unacknowledged", "unacknowledge", "priority_updated":
		if it.Urgent = urgency == "high" || it.Level == "p1"; it.Urgent {
			it.Kind = digest.KindIncident
		}
	}
}

func (p *pagerEvent) title(verb string, in node) {
	it := p.item
	head, ok := pagerWords[verb]
	if !ok {
		head = words(verb)
	}
	if low, ok := strings.CutPrefix(head, "-"); ok {
		head, it.Priority = low, "low"
	}
	switch verb {
	case "reassigned", "assign", "delegated", "delegate", "escalated", "escalate":
		if to := pagerNames(in); to != "" {
			head += " to " + to
		}
	case "priority_updated":
		if it.Level != "" && in.has("priority.summary") {
			head = "Priority now " + in.str("priority.summary")
		}
	case "responder.added", "responder.replied":
		if who := p.data.str("user.summary", "escalation_policy.summary"); who != "" {
			head += " (" + who + ")"
		}
	case "triggered", "trigger", "reopened":
		if pr := in.str("priority.summary", "priority.name"); pr != "" {
			head = pr + " " + strings.ToLower(head)
		}
	}
	name := in.str("title", "trigger_summary_data.subject", "trigger_summary_data.description", "description", "summary")
	if _, rest, ok := strings.Cut(name, "] "); ok && strings.HasPrefix(name, "[#") { // a reference's summary: "[#33] Title"
		name = rest
	}
	number := in.str("number", "incident_number")
	switch {
	case name == "" && number == "":
		name = "an incident"
	case name == "":
		name = "incident #" + number
	case number != "" && isID(name):
		name = "incident #" + number + " (" + name + ")"
	}
	text := p.message()
	if verb == "annotated" || verb == "annotate" || verb == "status_update_published" {
		it.Kind = digest.KindComment
		it.State = "" // a note says nothing of it
		it.Title = title(head+" on "+digest.OneLine(name, 90), firstLine(text))
		return
	}
	it.Title = title(head, name)
}

// message is what somebody wrote: a note, a status update, a request to a responder.
func (p *pagerEvent) message() string {
	return p.str("annotation.content", "status_update.message", "data.content", "data.message", "log_entries.0.channel.summary", "log_entries.0.note")
}

// pagerNames are who has it now, at most three.
func pagerNames(in node) string {
	var names []string
	for _, path := range []string{"assignees", "assigned_to", "assignments"} {
		for _, a := range in.list(path) {
			if s := a.str("summary", "object.name", "assignee.summary", "name"); s != "" && len(names) < 3 {
				names = append(names, s)
			}
		}
	}
	if len(names) == 0 {
		if s := in.str("assigned_to_user.name"); s != "" {
			names = append(names, s)
		}
	}
	return strings.Join(names, ", ")
}

func (p *pagerEvent) body(in node) string {
	var facts []string
	add := func(what, v string) {
		if v = digest.OneLine(v, 200); v != "" {
			facts = append(facts, "- "+what+": "+escape(v))
		}
	}
	if n := in.str("number", "incident_number"); n != "" {
		add("Incident", "#"+n)
	}
	add("Urgency", in.str("urgency"))
	add("Priority", in.str("priority.summary", "priority.name"))
	add("Assigned to", pagerNames(in))
	add("Escalation policy", in.str("escalation_policy.summary", "escalation_policy.name"))
	add("Resolved because", in.str("resolve_reason.type", "resolve_reason"))
	links := ""
	if u := in.link("conference_bridge.conference_url"); u != "" {
		links = "[Conference](" + mdLink(u) + ")"
	}
	return paragraphs(unsaid(p.item.Title, p.message()), strings.Join(facts, "\n"), links)
}

// other is for events about something else than an incident, as service.updated.
func (p *pagerEvent) other() {
	it := p.item
	name := p.data.str("summary", "name", "title")
	thing, _, _ := strings.Cut(p.what, ".")
	if it.Project == "" && thing == "service" {
		it.Project = name
	}
	it.Kind = digest.KindStatus
	it.Thread = thread(thing, p.data.str("id"))
	it.Title = title(words(p.what), name)
	it.Priority = "low"
}
