package tools

import (
	"net/url"
	"slices"
	"strings"

	"quietpost/digest"
)

// What watches hosts tells of a check on one of them; neither is in the text that the check has put out.
var (
	hostNames = names("hostname", "host", "hostdisplayname", "hostalias", "devicehostname", "devicename", "device", "servername", "server",
		"nodename", "node", "machine", "machinename", "computername", "entity", "managedentity", "systemname", "originatorname")
	checkNames = names("servicedisplayname", "servicedescription", "servicedesc", "servicename", "service", "sensorname", "sensor",
		"checkname", "check", "datapoint", "alarmname", "alertname", "alarmtype", "alarm", "monitorname", "monitorlabel", "monitor", "entitydisplayname", "rulename", "rule", "label", "testname", "plugin", "metric")
	outputNames = fieldSet("output", "pluginoutput", "serviceoutput", "hostoutput", "servicestate", "hoststate", "statetype",
		"sensor", "check", "alarm", "alert", "rule", "lastvalue", "metric", "threshold")
)

// watched are the check and the host of a delivery that tells how one stands; host is empty if it does not.
func (s *search) watched(it *digest.Item) (check, host string) {
	if !alarms[it.State] && !(it.State == "active" && grave[it.Level]) && (it.State != "failed" || !s.monitors(it)) {
		return "", ""
	}
	host = s.name(&hostNames, &projectParts)
	if check = s.name(&checkNames, &projectParts); strings.EqualFold(check, host) {
		check = ""
	}
	return check, host
}

// monitors tells that a delivery is of a monitor, which has put out what its check said or tells what is down.
func (s *search) monitors(it *digest.Item) bool {
	return it.State == "down" || it.State == "up" || slices.ContainsFunc(s.places, func(p place) bool { return outputNames[p.key] && p.depth < 2 })
}

// alarm is a line for a check that names its host beside its words: Load on web1 is critical: load average 7.12. "" where
// there is no host, or where the words name it.
func (s *search) alarm(head string, at int, it *digest.Item) string {
	check, host := s.watched(it)
	_, why := reasonNames.rank(s.keyOf(at))
	if why = why || saidBy[s.keyOf(at)] && it.State == "down"; host == "" && why && failing[it.State] {
		if check = s.name(&checkNames, &projectParts); check != "" && !strings.Contains(strings.ToLower(head), strings.ToLower(check)) {
			return title(check+" "+s.stands(it), head)
		}
	}
	if host == "" || strings.Contains(strings.ToLower(head), strings.ToLower(host)) && !strings.EqualFold(head, host) {
		return ""
	}
	name := host
	switch {
	case check != "":
		name = check + " on " + host
	case head != "" && wordCount(head) < 6 && !s.monitors(it): // High CPU
		return title(head + " on " + host + " " + s.stands(it))
	}
	if it.State != "" && strings.EqualFold(head, check) && strings.HasSuffix(strings.ToLower(head), " "+it.State) { // Node is down
		return title(host, head)
	}
	if head == "" || strings.EqualFold(head, check) || strings.EqualFold(head, host) {
		line := name + " " + s.stands(it)
		return title(line, s.why(line, it))
	}
	low := strings.ToLower(head)
	for _, w := range []string{it.State, it.Level, stem(it.Level), "crit", "warn"} {
		if len(w) > 2 && strings.Contains(low, w) || it.State == "firing" && it.Level == "" {
			return title(name, head)
		}
	}
	return title(name+" "+s.stands(it), head)
}

// saidBy are names under which a monitor says why.
var saidBy = fieldSet("message", "msg", "text", "details", "description")

// grave are levels that tell how a check stands.
var grave = fieldSet("critical", "warning", "error", "major", "minor", "fatal", "emergency", "degraded")

// stands is how a check stands, as people say it.
func (s *search) stands(it *digest.Item) string {
	switch it.State {
	case "recovered", "failed":
		return "has " + it.State
	case "no data":
		return "has no data"
	case "firing", "triggered", "fired", "problem", "active":
		if grave[it.Level] {
			return "is " + it.Level
		}
		return "is firing"
	}
	return "is " + it.State
}

// standing is a line for what is down, and for what is up again; a check that has no project is one.
func (s *search) standing(name string, at int, it *digest.Item) string {
	if at >= 0 && !strings.HasSuffix(s.keyOf(at), "name") || len(name) > 60 {
		return ""
	}
	it.Project = orElse(it.Project, name)
	if name = orElse(name, it.Project); name == "" {
		s.best(&siteNames, func(p *place) string {
			if u, err := url.Parse(webAddress(p.scalar())); err == nil && name == "" {
				name = u.Hostname()
			}
			return name
		})
		it.Project = name
	}
	if name == "" {
		return ""
	}
	line := name + " is " + it.State
	return title(line, s.why(line, it))
}
