package tools

import (
	"fmt"
	"net/http"
	"regexp"
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
	return s.infer() != "" && (n.has("installation.uuid") || n.has("project_slug") || n.has("project_name") && n.has("event"))
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
	if s.str("actor.type") != "application" || s.str("actor.name") != "Sentry" {
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

var (
	sentryAPIProject = regexp.MustCompile(`/projects/[^/]+/([^/]+)/`)
	sentryIssue      = regexp.MustCompile(`/issues/(\d+)(?:[/?]|$)`)
)

// event reads an event that an alert is about. Its project is a number: the name stands in its address.
func (s *sentryEvent) event(e node) {
	it := s.item
	if m := sentryAPIProject.FindStringSubmatch(e.str("url") + "/"); m != nil {
		it.Project = m[1]
	} else {
		it.Project = e.str("project_slug", "project_name", "project")
	}
	it.Level = sentryLevel(e)
	it.URL = e.link("web_url", "permalink")
	id := e.str("issue_id", "groupID")
	if m := sentryIssue.FindStringSubmatch(e.str("issue_url") + " " + it.URL); id == "" && m != nil {
		id = m[1]
	}
	it.Thread = thread("issue", id)
	it.OccurredAt = e.when("datetime", "timestamp", "dateCreated", "received")
	it.State = "open" // it happens, whatever was thought before
	it.Title = title(sentryTitle(e))
	facts := sentryFacts(e)
	if rule := s.str("data.triggered_rule"); rule != "" {
		facts = append(facts, "- Rule: "+escape(digest.OneLine(rule, 120)))
	}
	it.Body = paragraphs(sentryMessage(e, it.Title), strings.Join(facts, "\n"))
}

func sentryTitle(e node) string {
	if t := e.str("title"); t != "" {
		return firstLine(t)
	}
	if t := strings.Trim(e.str("metadata.type")+": "+firstLine(e.str("metadata.value")), ": "); t != "" {
		return t
	}
	last := lastOf(e.list("exception.values"))
	if t := strings.Trim(last.str("type")+": "+firstLine(last.str("value")), ": "); t != "" {
		return t
	}
	return orElse(firstLine(e.str("message", "logentry.formatted", "culprit")), "an event without a title")
}

// sentryLevel is the event's own, else that of its tags, which are pairs.
func sentryLevel(e node) string {
	if l := e.str("level"); l != "" {
		return strings.ToLower(l)
	}
	return strings.ToLower(sentryTag(e, "level"))
}

func sentryTag(e node, name string) string {
	for _, t := range e.list("tags") {
		if t.str("0", "key") == name {
			return t.str("1", "value")
		}
	}
	return ""
}

func lastOf(l []node) node {
	if len(l) == 0 {
		return node{}
	}
	return l[len(l)-1]
}

// sentryMessage is what was logged, if the title is not that.
func sentryMessage(e node, head string) string {
	m := e.str("logentry.formatted", "message", "metadata.value")
	if strings.Contains(head, firstLine(m)) && firstLine(m) == strings.TrimSpace(m) {
		return ""
	}
	return escape(excerpt(m))
}

// sentryFacts are where it happened: the place in the code, the release, the environment.
func sentryFacts(e node) []string {
	var facts []string
	add := func(what, v string) {
		if v = code(v); v != "" {
			facts = append(facts, "- "+what+": "+v)
		}
	}
	place := e.str("culprit")
	frames := lastOf(e.list("exception.values")).list("stacktrace.frames")
	for i := len(frames) - 1; i >= 0; i-- { // the newest frame stands last
		if f := frames[i]; f.truth("in_app") && f.str("filename", "module") != "" {
			place = f.str("filename", "module")
			if n := f.str("lineno"); n != "" {
				place += ":" + n
			}
			if fn := f.str("function"); fn != "" {
				place += " in " + fn
			}
			break
		}
	}
	add("Where", place)
	add("Environment", orElse(e.str("environment"), sentryTag(e, "environment")))
	add("Release", orElse(e.str("release"), sentryTag(e, "release")))
	add("Platform", e.str("platform"))
	return facts
}

// metric reads an alert on a number, as an error rate. Its severity is the action.
func (s *sentryEvent) metric(m node) {
	it := s.item
	it.Project = m.str("projects.0", "alert_rule.projects.0")
	it.URL = s.link("data.web_url")
	it.Thread = thread("metric-alert", m.str("id", "identifier"))
	it.OccurredAt = m.when("date_started", "date_detected")
	it.State = "firing"
	switch s.action {
	case "resolved":
		it.State, it.OccurredAt = "resolved", m.when("date_closed")
	case "critical", "warning":
		it.Level = s.action
	}
	call(it)
	name := m.str("alert_rule.name", "title")
	switch t := s.str("data.description_title"); {
	case t != "":
		it.Title = title(t)
	case name != "":
		it.Title = title(orElse(words(s.action), "Metric alert"), name)
	default:
		it.Title = title("Metric alert " + strings.ToLower(words(s.action)))
	}
	it.Body = escape(excerpt(strings.ReplaceAll(s.str("data.description_text"), `\n`, "\n")))
	if q := m.str("alert_rule.query"); q != "" && !strings.Contains(it.Body, escape(q)) {
		it.Body = paragraphs(it.Body, "- Query: "+code(strings.TrimSpace(m.str("alert_rule.aggregate")+" "+q)))
	}
}

func (s *sentryEvent) comment() {
	it, d := s.item, s.at("data")
	it.Kind = digest.KindComment
	it.Project = d.str("project_slug")
	it.Thread = thread("issue", d.str("issue_id"))
	it.OccurredAt = d.when("timestamp")
	text := d.str("comment")
	head := "Comment on issue " + d.str("issue_id")
	if s.action == "deleted" || s.action == "updated" {
		head += " " + s.action
	}
	if s.action == "deleted" {
		it.Title, it.Priority = title(head), "low"
		return
	}
	it.Title = title(head, firstLine(text))
	it.Body = excerpt(text)
}

// plugin reads the form of the older plugin: one event with what it belongs to around it.
func (s *sentryEvent) plugin() {
	it, e := s.item, s.at("event")
	s.event(e)
	it.Event = "event"
	it.Project = s.str("project_slug", "project", "project_name")
	it.Level = strings.ToLower(orElse(s.str("level"), it.Level))
	if u := s.link("url"); u != "" {
		it.URL = u
	}
	if id := s.str("id"); id != "" {
		it.Thread = thread("issue", id)
	}
	if e.str("title") == "" && s.str("message") != "" {
		it.Title = title(firstLine(s.str("message")))
	}
	it.Title = title("Alert", it.Title)
	var rules []string
	for _, r := range s.list("triggering_rules") {
		rules = append(rules, r.str(""))
	}
	if rule := strings.Join(rules, ", "); rule != "" {
		it.Body = strings.TrimLeft(it.Body+"\n- Rule: "+escape(digest.OneLine(rule, 120)), "\n")
	}
}

// other is for resources without words of their own: what they hold is told by their names.
func (s *sentryEvent) other() {
	it := s.item
	g, sure := genericItem(http.Header{}, node{map[string]any{"type": s.resource + " " + s.action, "data": s.at("data").v}})
	g.Author, g.Event = it.Author, it.Event
	if !sure {
		g.Project = s.str("data.project.slug", "data.project_slug", "data.issue.project.slug", "data.project")
	}
	if id := s.str("data.group_id", "data.issue_id", "data.issue.id"); id != "" {
		g.Thread = thread("issue", id)
	}
	s.item = &g
}
