package tools

import (
	"net/http"
	"regexp"
	"strings"

	"quietpost/digest"
)

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
	it.Body = unsaid(it.Title, text)
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
