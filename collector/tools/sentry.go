package tools

import (
	"fmt"
	"net/http"
	"strings"

	"quietpost/digest"
)

// A sentryEvent is one delivery of Sentry and the item it becomes.
type sentryEvent struct {
	node
	resource, action string
	item             *digest.Item
}

// Sentry reads the webhooks of Sentry's integration platform
// (https://docs.sentry.io/organization/integrations/integration-platform/webhooks/) and those of its older plugin, which
// post one event of an issue.
func Sentry(h http.Header, body []byte) (Reading, error) {
	r := Reading{Key: h.Get("Request-ID")}
	n, err := parse(formPayload(h, body))
	if err != nil {
		return r, err
	}
	if n.object() == nil {
		return r, fmt.Errorf("%w: Sentry posts a JSON object", ErrUnreadable)
	}
	s := &sentryEvent{node: n, resource: h.Get("Sentry-Hook-Resource"), action: n.str("action"), item: &digest.Item{Kind: digest.KindStatus}}
	if s.resource == "" {
		s.resource = s.infer()
	}
	if s.resource == "" {
		r, err := Generic(h, body)
		return r, err
	}
	if reason := s.read(); reason != "" {
		r.Ignored = reason
		return r, nil
	}
	r.Items = []digest.Item{*s.item}
	return r, nil
}

func isSentry(n node) bool {
	s := &sentryEvent{node: n}
	return s.infer() != "" && (n.has("installation.uuid") || n.has("project_slug") || n.has("project_name") && n.at("event").object() != nil)
}

// infer finds the resource where the header is lost.
func (s *sentryEvent) infer() string {
	switch {
	case s.has("data.metric_alert"):
		return "metric_alert"
	case s.has("data.comment") && s.has("data.issue_id"):
		return "comment"
	case s.has("data.event"):
		return "event_alert"
	case s.has("data.error"):
		return "error"
	case s.has("data.issue") && s.has("data.triggered_rule"):
		return "activity_alert"
	case s.has("data.issue"):
		return "issue"
	case s.has("data.installation"):
		return "installation"
	case s.has("event") && (s.has("culprit") || s.has("project_slug") || s.has("project_name")):
		return "plugin"
	}
	return ""
}

// read fills the item, or says why there is nothing to tell.
func (s *sentryEvent) read() digest.Reason {
	it := s.item
	it.Event = strings.Trim(s.resource+"."+s.action, ".")
	if s.str("actor.type") == "user" || s.str("actor.name") != "Sentry" {
		it.Author = s.str("actor.name")
	}
	switch s.resource {
	case "installation":
		return "installation: Sentry told that the integration was " + digest.Reason(orElse(s.action, "changed"))
	case "issue", "activity_alert":
		s.issue(s.at("data.issue"))
	case "event_alert":
		s.event(s.at("data.event"))
		it.Title = title("Alert", it.Title)
	case "error":
		s.event(s.at("data.error"))
		it.Title = title("Error", strings.TrimPrefix(it.Title, "Error: "))
	case "metric_alert":
		s.metric(s.at("data.metric_alert"))
	case "comment":
		s.comment()
	case "plugin":
		s.plugin()
	default:
		s.other()
	}
	return ""
}

func orElse(s, or string) string {
	if s == "" {
		return or
	}
	return s
}

func (s *sentryEvent) issue(is node) {
	it := s.item
	it.Project = is.str("project.slug", "project.name")
	it.Level = strings.ToLower(is.str("level"))
	it.URL = is.link("web_url", "permalink")
	it.Thread = thread("issue", is.str("id"))
	it.State = sentryState(is.str("status"))
	it.OccurredAt = is.when("lastSeen", "firstSeen")
	head := map[string]string{"created": "New issue", "resolved": "Resolved", "assigned": "Assigned", "unassigned": "No longer assigned",
		"archived": "Archived", "ignored": "Archived", "unresolved": "Open again", "triggered": "Alert"}[s.action]
	switch sub := is.str("substatus"); {
	case s.action == "unresolved" && sub == "regressed":
		head = "Back again"
	case s.action == "unresolved" && sub == "escalating":
		head = "Escalating"
	case head == "":
		head = "Issue " + strings.ToLower(words(s.action))
	case s.action == "assigned":
		if who := is.str("assignedTo.name", "assignedTo.email"); who != "" {
			head += " to " + who
		}
		it.Priority = "low"
	case s.action == "archived", s.action == "ignored":
		it.Priority = "low"
	}
	if s.action != "created" { // lastSeen is of the error's newest event, not of what was done about it
		it.OccurredAt = is.when("statusDetails.dateResolved")
	}
	what := is.str("title")
	if what == "" {
		what = strings.Trim(is.str("metadata.type")+": "+is.str("metadata.value"), ": ")
	}
	it.Title = title(head, orElse(what, is.str("shortId", "culprit")))
	var facts []string
	if id := is.str("shortId"); id != "" {
		facts = append(facts, "- Issue: "+escape(id))
	}
	facts = append(facts, sentryFacts(is)...)
	if n := is.str("count"); n != "" {
		facts = append(facts, "- Seen "+escape(times(n))+sentryUsers(is.str("userCount")))
	}
	if rule := s.str("data.triggered_rule"); rule != "" {
		facts = append(facts, "- Rule: "+escape(digest.OneLine(rule, 120)))
	}
	text := is.str("metadata.value")
	if strings.Contains(what, text) {
		text = ""
	}
	it.Body = paragraphs(escape(excerpt(text)), strings.Join(facts, "\n"))
}

func times(n string) string {
	if n == "1" {
		return "once"
	}
	return n + " times"
}

func sentryUsers(n string) string {
	switch n {
	case "", "0":
		return ""
	case "1":
		return " by 1 user"
	}
	return " by " + escape(n) + " users"
}

func sentryState(status string) string {
	switch status = strings.ToLower(status); status {
	case "unresolved", "reprocessing":
		return "open"
	case "ignored":
		return "archived"
	}
	return status
}
