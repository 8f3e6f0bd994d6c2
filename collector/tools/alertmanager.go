package tools

import (
	"fmt"
	"net/http"

	"quietpost/digest"
)

// Alertmanager reads the webhooks of Prometheus Alertmanager, version 4 and what older ones and others send in its form:
// https://prometheus.io/docs/alerting/latest/configuration/#webhook_config. A body that the option payload made into
// something else is read as any sender's.
func Alertmanager(h http.Header, body []byte) (Reading, error) {
	n, err := parse(formPayload(h, body))
	if err != nil {
		return Reading{}, err
	}
	if list, ok := n.v.([]any); ok { // as Prometheus itself posts them
		n = node{map[string]any{"alerts": list, "receiver": ""}}
	}
	if n.object() == nil {
		return Reading{}, fmt.Errorf("%w: Alertmanager posts a JSON object", ErrUnreadable)
	}
	if !isAlertGroup(n) {
		return Generic(h, body)
	}
	return readAlerts(n, alertProject, nil), nil
}

// isAlertGroup tells the form that Alertmanager and Grafana share.
func isAlertGroup(n node) bool {
	if len(n.list("alerts")) == 0 {
		return false
	}
	return n.at("alerts.0.labels").object() != nil && (n.has("groupLabels") || n.has("commonLabels") || n.has("receiver") || n.has("groupKey"))
}

// projectLabels are the labels that say whose an alert is, the surest first.
var projectLabels = []string{"project", "namespace", "exported_namespace", "kubernetes_namespace", "service", "service_name", "app",
	"application", "job", "team", "cluster"}

func alertProject(group, labels node) string {
	if p := labels.label(projectLabels...); p != "" {
		return p
	}
	return group.str("receiver")
}

// label is the first of names that an object has as text; a label's name may hold a dot.
func (n node) label(names ...string) string {
	for _, name := range names {
		if s := (node{n.object()[name]}).scalar(); s != "" {
			return digest.OneLine(s, 200)
		}
	}
	return ""
}
