package tools

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"quietpost/digest"
)

// Grafana reads the webhooks of Grafana's contact points (https://grafana.com/docs/grafana/latest/alerting/), those of its
// legacy alerting before version 9, and those of Grafana OnCall. A body that a template made into something else is read
// as any sender's.
func Grafana(h http.Header, body []byte) (Reading, error) {
	n, err := parse(formPayload(h, body))
	switch {
	case err != nil || n.object() == nil: // a contact point's template may make anything of it
		return Generic(h, body)
	case isAlertGroup(n):
		return readAlerts(n, grafanaProject, grafanaTitle), nil
	case isOnCall(n):
		return Reading{Items: []digest.Item{onCall(n)}}, nil
	case isLegacyGrafana(n), n.has("alert_uid"):
		return legacyGrafana(n), nil
	}
	return Generic(h, body)
}

// isGrafana tells Grafana's groups from Alertmanager's by what only Grafana's have.
func isGrafana(n node) bool {
	if isAlertGroup(n) {
		return n.has("orgId") || n.has("alerts.0.silenceURL") || n.has("alerts.0.valueString") || n.has("alerts.0.panelURL")
	}
	return isLegacyGrafana(n) || isOnCall(n) || n.has("alert_uid") && n.has("link_to_upstream_details")
}

func isLegacyGrafana(n node) bool { return n.has("ruleName") && n.has("state") }

func isOnCall(n node) bool { return n.has("alert_group.state") && n.has("event.type") }

// grafanaProject: a label that says so is meant, the folder of the rule is next, then what other labels tell.
func grafanaProject(group, labels node) string {
	if p := labels.label("project", "grafana_folder"); p != "" {
		return p
	}
	if p := group.at("commonLabels").label("grafana_folder"); p != "" {
		return p
	}
	return alertProject(group, labels)
}

var grafanaTag = regexp.MustCompile(`(?i)^\[(?:FIRING|RESOLVED|ALERTING|OK|NO DATA|NODATA|PAUSED|PENDING|NORMAL)[^\]]*\]\s*`)

// grafanaTitle is a title that somebody's template made. Grafana's own only strings labels together.
func grafanaTitle(group node) string {
	t := group.str("title")
	if t == "" || grafanaTag.MatchString(t) {
		return ""
	}
	low := strings.ToLower(t)
	for _, w := range []string{"firing", "resolved", "alerting", "recovered", "ok", "normal"} {
		if says(low, w) {
			return t
		}
	}
	return words(alertState(group, node{})) + ": " + t
}

// legacyGrafana reads one rule's change of state, as dashboards' alerts told it.
func legacyGrafana(n node) Reading {
	it := digest.Item{Kind: digest.KindStatus, URL: n.link("ruleUrl", "link_to_upstream_details"), OccurredAt: n.when("time", "timestamp")}
	state := strings.ToLower(n.str("state"))
	it.Event = "alert." + state
	head := "Alert"
	switch state {
	case "alerting", "firing":
		it.State, head = "firing", "Firing"
	case "ok", "resolved":
		it.State, head = "resolved", "Resolved"
	case "no_data":
		it.State, head = "no data", "No data"
	case "paused", "pending", "silenced", "acknowledged":
		it.State, head = state, words(state)
	default:
		it.State = state
	}
	name := grafanaTag.ReplaceAllString(n.str("title"), "")
	if name == "" || name == "My alert" && n.has("ruleName") { // what a new rule's title says until somebody changes it
		name = n.str("ruleName")
	}
	if rule := n.str("ruleName"); rule != "" && !says(name, rule) && !says(rule, name) {
		name += " (" + rule + ")"
	}
	it.Title = title(head, name)
	tags := n.at("tags")
	it.Level = strings.ToLower(tags.label("severity", "level", "priority"))
	call(&it)
	it.Project = tags.label(append([]string{"project"}, projectLabels...)...)
	if it.Project == "" {
		it.Project = dashboardOf(it.URL)
	}
	it.Thread = thread("rule", legacyRule(n, name))
	var facts []string
	for i, m := range n.list("evalMatches") {
		if i == maxAlerts {
			facts = append(facts, fmt.Sprintf("- … and %d more", len(n.list("evalMatches"))-i))
			break
		}
		what := m.str("metric")
		if t := pairs(m.at("tags"), nil, 6); t != "" {
			what = strings.TrimSpace(what + " (" + t + ")")
		}
		facts = append(facts, "- "+escape(digest.OneLine(what, 200))+": "+escape(m.str("value")))
	}
	it.Body = paragraphs(excerpt(n.str("message")), strings.Join(facts, "\n"))
	return Reading{Items: []digest.Item{it}, Hint: true}
}

// legacyRule names the rule for its thread: Grafana's test message has the id 0.
func legacyRule(n node, name string) string {
	if id := n.str("alert_uid", "ruleUid"); id != "" {
		return id
	}
	if id := n.str("ruleId"); id != "" && id != "0" {
		return strings.TrimPrefix(n.str("orgId")+"."+id, ".")
	}
	return name
}

// dashboardOf is the dashboard's name in the address of a rule: /d/UID/NAME, or /dashboard/db/NAME in old versions.
func dashboardOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	parts := strings.Split(strings.Trim(u.Path, "/"), "/")
	for i, p := range parts {
		switch {
		case p == "d" && i+2 < len(parts):
			return parts[i+2]
		case p == "db" && i > 0 && i+1 < len(parts) && parts[i-1] == "dashboard":
			return parts[i+1]
		}
	}
	return ""
}

// onCall reads an outgoing webhook of Grafana OnCall: https://grafana.com/docs/oncall/latest/configure/outgoing-webhooks/.
func onCall(n node) digest.Item {
	g := n.at("alert_group")
	it := digest.Item{Kind: digest.KindStatus, Event: n.str("event.type"), State: strings.ToLower(g.str("state")),
		Project: n.str("integration.team", "integration.name"), Author: n.str("user.username", "user.email"),
		URL: g.link("permalinks.web", "permalinks.slack"), Thread: thread("oncall", n.str("alert_group_id", "alert_group.id")),
		OccurredAt: n.when("event.time")}
	if n.at("integration.team").object() != nil {
		it.Project = n.str("integration.team.name", "integration.name")
	}
	what := map[string]string{"alert group created": "Firing", "acknowledge": "Acknowledged", "unacknowledge": "No longer acknowledged",
		"resolve": "Resolved", "unresolve": "Firing again", "silence": "Silenced", "unsilence": "No longer silenced",
		"escalation": "Escalated"}[strings.ToLower(it.Event)]
	if what == "" {
		what = words(it.State)
	}
	if what == "" {
		what = "Alert"
	}
	name := g.str("title")
	if name == "" {
		name = "an alert of " + n.str("integration.name")
	}
	it.Title = title(what, name)
	labels := n.at("alert_payload.commonLabels")
	it.Level = strings.ToLower(labels.label("severity", "level"))
	call(&it)
	if l := pairs(labels, nil, 12); l != "" {
		it.Body = "Labels: " + escape(l)
	}
	return it
}
