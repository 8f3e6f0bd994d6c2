package tools

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"sort"
	"strings"

	"quietpost/digest"
)

// The groups of alerts that Alertmanager and Grafana post share one form. A group is sent when it begins, whenever its
// alerts change, again every few hours while it lasts, and by each of several servers; it holds alerts that fire beside
// those that are over. What a reader wants is a line for what fires and when it stopped: so the alerts of one name and
// one project become one item, in the thread of their group.

// readAlerts makes the items of a group. project gives an alert's from the group and the alert's labels; retitle may
// give a title of the group's own, as templates make it, "" for none.
func readAlerts(group node, project func(group, labels node) string, retitle func(group node) string) Reading {
	r := Reading{Key: alertKey(group), Within: digest.BodyWindow}
	sets, silent := alertSets(group, project)
	if len(sets) == 0 {
		r.Ignored = "the group holds no alerts"
		if silent > 0 {
			r.Ignored = "a heartbeat: it fires as long as all is well"
		}
		return r
	}
	for i, s := range sets {
		if i == MaxItems-1 && len(sets) > MaxItems {
			r.Items = append(r.Items, digest.Item{Project: s.project, Kind: digest.KindStatus,
				Title: fmt.Sprintf("… and %d more groups of alerts in the same delivery", len(sets)-i)})
			break
		}
		it := s.item()
		if retitle != nil && len(sets) == 1 {
			if t := retitle(group); t != "" {
				it.Title = title(t)
			}
		}
		r.Items = append(r.Items, it)
	}
	return r
}

// alertKey tells one state of a group from the next: the same alerts in the same states since the same times are the
// same news, whichever server tells it.
func alertKey(group node) string {
	var all []string
	for _, a := range group.list("alerts") {
		all = append(all, a.labelKey()+" "+alertState(group, a)+" "+a.str("startsAt"))
	}
	sort.Strings(all)
	sum := sha256.Sum256([]byte(groupKey(group) + "\x00" + group.str("receiver") + "\x00" + group.str("status", "state") + "\x00" +
		strings.Join(all, "\x00")))
	return "alerts:" + hex.EncodeToString(sum[:])
}

// labelKey names an alert: its fingerprint, else its labels.
func (n node) labelKey() string {
	if f := n.str("fingerprint"); f != "" {
		return f
	}
	return pairs(n.at("labels"), nil, len(n.at("labels").object()))
}

// groupKey names the group, the same while it fires and when it is over.
func groupKey(group node) string {
	if k := group.str("groupKey"); k != "" {
		return k
	}
	return group.str("receiver") + ":" + pairs(group.at("groupLabels"), nil, 100)
}

// pairs writes labels as text, in order of name, without those in not, at most max of them.
func pairs(labels node, not map[string]bool, max int) string {
	var out []string
	for _, k := range labels.keys() {
		if v := digest.OneLine(labels.label(k), 80); v != "" && !not[k] && len(out) < max {
			out = append(out, k+"="+v)
		}
	}
	return strings.Join(out, ", ")
}

// alertState is firing or resolved, by the alert's own word, else the group's.
func alertState(group, a node) string {
	s := strings.ToLower(a.str("status", "status.state", "state"))
	if s == "" {
		s = strings.ToLower(group.str("status", "state"))
	}
	switch s {
	case "resolved", "ok", "normal", "inactive":
		return "resolved"
	}
	return "firing"
}

// An alertSet is what one item tells of: alerts of one name and project in one group.
type alertSet struct {
	group            node
	name, project    string
	firing, resolved []node
	common           map[string]string // labels that all of them share
}

// alertSets sorts a group's alerts, in their order; silent counts those whose severity is none, which only show that
// alerting works.
func alertSets(group node, project func(group, labels node) string) (sets []*alertSet, silent int) {
	byKey := map[string]*alertSet{}
	for _, a := range group.list("alerts") {
		labels := a.at("labels")
		name := alertName(group, a)
		if strings.EqualFold(labels.label("severity"), "none") || heartbeats[name] {
			silent++
			continue
		}
		p := project(group, labels)
		s := byKey[name+"\x00"+p]
		if s == nil {
			s = &alertSet{group: group, name: name, project: p}
			byKey[name+"\x00"+p] = s
			sets = append(sets, s)
		}
		s.add(a)
	}
	return sets, silent
}

// alertName is the rule's name. Grafana's own alerts about a source without data hold the rule's in a label.
func alertName(group, a node) string {
	labels := a.at("labels")
	name, rule := labels.label("alertname"), labels.label("rulename")
	switch {
	case name == "DatasourceNoData" && rule != "":
		return rule + ": no data"
	case name == "DatasourceError" && rule != "":
		return rule + ": its data cannot be read"
	case name != "":
		return name
	}
	if n := group.at("commonLabels").label("alertname"); n != "" {
		return n
	}
	return group.at("groupLabels").label("alertname", "rulename")
}

func (s *alertSet) add(a node) {
	labels := a.at("labels")
	if s.common == nil {
		s.common = map[string]string{}
		for _, k := range labels.keys() {
			s.common[k] = labels.label(k)
		}
	}
	for k, v := range s.common {
		if labels.label(k) != v {
			delete(s.common, k)
		}
	}
	if alertState(s.group, a) == "resolved" {
		s.resolved = append(s.resolved, a)
	} else {
		s.firing = append(s.firing, a)
	}
}

// telling are the alerts that say what the set now is: those that fire, or all when none does.
func (s *alertSet) telling() []node {
	if len(s.firing) > 0 {
		return s.firing
	}
	return s.resolved
}

func (s *alertSet) item() digest.Item {
	it := digest.Item{Project: s.project, Kind: digest.KindStatus, State: "firing", Thread: s.thread(), URL: s.link()}
	if len(s.firing) == 0 {
		it.State = "resolved"
	}
	it.Event = "alert." + it.State
	it.Level = s.level()
	call(&it)
	it.Title = s.title(it.State)
	it.OccurredAt = s.when()
	it.Body = s.body()
	return it
}

// thread is the group's, told apart by the alert's name: a group may hold several.
func (s *alertSet) thread() string {
	sum := sha256.Sum256([]byte(groupKey(s.group)))
	return thread("alert", strings.TrimPrefix(digest.OneLine(s.name, 100)+"@"+hex.EncodeToString(sum[:6]), "@"))
}

// severityRank orders the words that people give severity by; of several alerts the gravest counts.
var severityRank = map[string]int{"page": 9, "p0": 9, "sev0": 9, "emergency": 9, "disaster": 9, "critical": 8, "crit": 8, "fatal": 8, "p1": 8, "sev1": 8,
	"p2": 7, "sev2": 7, "high": 7, "major": 7, "error": 6, "err": 6, "p3": 5, "warning": 4, "warn": 4, "medium": 4, "average": 4,
	"minor": 3, "p4": 3, "low": 3, "p5": 2, "notice": 2, "info": 1, "information": 1, "informational": 1, "debug": 1}

// heartbeats are the alerts that fire as long as all is well, or serve others only, by the names that everybody gives them.
var heartbeats = map[string]bool{"Watchdog": true, "DeadMansSwitch": true, "DeadMansSnitch": true, "InfoInhibitor": true}

// pages are the severities that call somebody at night in any house.
var pages = map[string]bool{"page": true, "pager": true, "emergency": true, "disaster": true, "critical": true, "crit": true,
	"fatal": true, "p0": true, "p1": true, "sev0": true, "sev1": true}

// call makes an item urgent that fires with a severity that calls somebody. Only such are incidents: an operator may say
// that every incident is urgent, and does not mean warnings.
func call(it *digest.Item) {
	if pages[it.Level] {
		it.Kind, it.Urgent = digest.KindIncident, it.State == "firing"
	}
}

func (s *alertSet) level() string {
	level := ""
	for _, a := range s.telling() {
		l := strings.ToLower(a.at("labels").label("severity", "level", "priority"))
		if level == "" || l != "" && severityRank[l] > severityRank[level] {
			level = l
		}
	}
	return level
}
