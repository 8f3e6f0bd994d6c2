package tools

import (
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode"

	"quietpost/digest"
	"quietpost/digest/rules"
)

// What a line of a digest says of a group of alerts, and what stands below it.

// whereLabels say what an alert is about, best first.
var whereLabels = []string{"service", "service_name", "app", "application", "deployment", "statefulset", "daemonset", "pod", "instance", "host", "hostname",
	"node", "device", "queue", "topic", "database", "container", "job", "cluster", "environment", "env"}

// title is "Firing: HighLatency on api: p99 is above 500 ms (2 alerts)", without what would be said twice.
func (s *alertSet) title(state string) string {
	all := s.telling()
	what := s.summary(all)
	name := s.name
	if says(what, name) {
		name = ""
	}
	if where := s.where(); where != "" && !says(what, where) && !says(name, where) {
		switch {
		case name != "":
			name += " on " + where
		case what != "":
			what += " on " + where
		default:
			name = where
		}
	}
	head := "Firing"
	if state == "resolved" {
		head = "Resolved"
	} else if strings.Contains(strings.ToLower(s.group.str("notification_reason")), "repeat") {
		head = "Still firing"
	}
	var counts []string
	if n := len(all); n > 1 {
		counts = append(counts, count(n, "alert"))
	}
	if len(s.firing) > 0 && len(s.resolved) > 0 {
		counts = append(counts, fmt.Sprintf("%d resolved", len(s.resolved)))
	}
	tail := ""
	if name == "" && what == "" {
		name = "an alert that has no name"
	}
	if len(counts) > 0 {
		tail = " (" + strings.Join(counts, ", ") + ")"
	}
	return digest.OneLine(title(head, name, what), titleMax-len(tail)) + tail
}

// alertTag is what the templates of Alertmanager and Grafana put before a message's title: [FIRING:2], [RESOLVED].
var alertTag = regexp.MustCompile(`(?i)^\W{0,4}\[(FIRING|RESOLVED)(?::\d+)?(?:, ?RESOLVED:\d+)?\]\s*(\S.*)`)

// asAlert gives a message whose title is an alert's the alert's state and thread, so that it and its end are one line.
func asAlert(it *digest.Item) {
	m := alertTag.FindStringSubmatch(it.Title)
	if m == nil {
		return
	}
	it.State = strings.ToLower(m[1])
	it.Event, it.Title, it.Thread = "alert."+it.State, title(words(it.State), m[2]), thread("alert", m[2])
}

// where is the first label that all alerts share and that names a thing.
func (s *alertSet) where() string {
	for _, k := range whereLabels {
		if v := s.common[k]; v != "" && len(v) <= 80 {
			return v
		}
	}
	return ""
}

var summaryKeys = []string{"summary", "title", "message", "description"}

// summary is the first annotation that tells what is wrong and that all alerts share; of one alert its own.
func (s *alertSet) summary(all []node) string {
	for _, k := range summaryKeys {
		text := firstLine(rules.Plain(all[0].at("annotations").label(k)))
		for _, a := range all {
			if firstLine(rules.Plain(a.at("annotations").label(k))) != text {
				text = ""
				break
			}
		}
		if text != "" {
			return text
		}
	}
	return ""
}

var wordSplit = regexp.MustCompile(`[\pL\pN]+`)

// says tells whether text holds every word of what, however they are joined: "Instance a:80 down" says InstanceDown.
func says(text, what string) bool {
	text = strings.ToLower(text)
	parts := wordSplit.FindAllString(splitCamel(what), -1)
	for _, w := range parts {
		if !strings.Contains(text, strings.ToLower(w)) {
			return false
		}
	}
	return len(parts) > 0
}

func splitCamel(s string) string {
	var b strings.Builder
	var before rune
	for _, r := range s {
		if unicode.IsUpper(r) && unicode.IsLower(before) {
			b.WriteByte(' ')
		}
		b.WriteRune(r)
		before = r
	}
	return b.String()
}

// when is the newest beginning of what fires, or the last end. An alert that fires has an end in the year 1 or ahead.
func (s *alertSet) when() (t time.Time) {
	key := "startsAt"
	if len(s.firing) == 0 {
		key = "endsAt"
	}
	for _, a := range s.telling() {
		if at := a.when(key); at.After(t) {
			t = at
		}
	}
	return t
}

// link is where a reader sees it: a panel, a dashboard, the rule's graph, the server.
func (s *alertSet) link() string {
	for _, a := range s.telling() {
		for _, p := range []string{"panelURL", "dashboardURL", "annotations.dashboard", "annotations.dashboard_url", "generatorURL",
			"annotations.runbook_url", "annotations.runbook"} {
			if u := a.link(p); u != "" {
				return u
			}
		}
	}
	return s.group.link("externalURL")
}

// maxAlerts is how many alerts of one item are told of one by one.
const maxAlerts = 8

func (s *alertSet) body() string {
	var lines []string
	add := func(list []node, over bool) {
		for _, a := range list {
			if len(lines) == maxAlerts {
				lines = append(lines, fmt.Sprintf("- … and %d more", len(s.firing)+len(s.resolved)-maxAlerts))
			}
			if len(lines) > maxAlerts {
				return
			}
			if l := s.line(a, over); l != "" {
				lines = append(lines, "- "+l)
			}
		}
	}
	add(s.firing, false)
	add(s.resolved, true)
	if n := s.group.str("truncatedAlerts"); n != "" && n != "0" {
		lines = append(lines, "- "+escape(n)+" more alerts were left out by the sender")
	}
	shared := map[string]any{}
	for k, v := range s.common {
		shared[k] = v
	}
	labels := pairs(node{shared}, map[string]bool{"alertname": true, "__name__": true}, 12)
	if labels != "" {
		labels = "Labels: " + escape(labels)
	}
	return paragraphs(strings.Join(lines, "\n"), labels, s.links())
}

// line tells one alert: what sets it apart, what it says, its values.
func (s *alertSet) line(a node, over bool) string {
	shared := map[string]bool{"alertname": true, "__name__": true}
	for k := range s.common {
		shared[k] = true
	}
	text := ""
	for _, k := range []string{"description", "message", "summary", "title", "Error"} { // the last is Grafana's own
		if text = digest.OneLine(rules.Plain(a.at("annotations").label(k)), 200); text != "" {
			break
		}
	}
	var parts []string
	if over && len(s.firing) > 0 {
		parts = append(parts, "resolved")
	}
	for _, p := range []string{pairs(a.at("labels"), shared, 6), text, alertValues(a)} {
		if p != "" {
			parts = append(parts, escape(p))
		}
	}
	if t := a.when("startsAt"); !t.IsZero() {
		span := "since " + t.Format("2006-01-02 15:04 UTC")
		if end := a.when("endsAt"); over && end.After(t) {
			span = t.Format("2006-01-02 15:04") + " to " + end.Format("2006-01-02 15:04 UTC")
		}
		parts = append(parts, span)
	}
	return strings.Join(parts, " · ")
}

// alertValues are the numbers of Grafana's queries.
func alertValues(a node) string {
	values := pairs(a.at("values"), nil, 6)
	if values != "" {
		return strings.ReplaceAll(values, "=", " = ")
	}
	return digest.OneLine(a.str("valueString"), 200)
}

func (s *alertSet) links() string {
	a := s.telling()[0]
	var out []string
	for _, l := range []struct{ name, path string }{{"Runbook", "annotations.runbook_url"}, {"Runbook", "annotations.runbook"},
		{"Dashboard", "annotations.dashboard"}, {"Dashboard", "annotations.dashboard_url"}, {"Dashboard", "dashboardURL"},
		{"Rule", "generatorURL"}, {"Silence", "silenceURL"}} {
		if u := a.link(l.path); u != "" && (len(out) == 0 || !strings.HasPrefix(out[len(out)-1], "["+l.name)) {
			out = append(out, "["+l.name+"]("+mdLink(u)+")")
		}
	}
	return strings.Join(out, " · ")
}
