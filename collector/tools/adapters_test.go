package tools

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"quietpost/digest"
)

// sampleHeader is the header that a tool sends with a sample, as the sample's name tells.
func sampleHeader(tool, name string) http.Header {
	h := typeOf(name)
	base, _, _ := strings.Cut(strings.TrimSuffix(name, ".json"), "~")
	mode, _, _ := strings.Cut(base, "_")
	switch {
	case tool == "sentry" && strings.Contains(base, "."):
		resource, _, _ := strings.Cut(base, ".")
		h.Set("Sentry-Hook-Resource", resource)
		h.Set("Request-ID", "0a1b")
	case tool == "cloudevents" && mode == "structured":
		h.Set("Content-Type", "application/cloudevents+json; charset=utf-8")
	case tool == "cloudevents" && mode == "batch":
		h.Set("Content-Type", "application/cloudevents-batch+json")
	case tool == "cloudevents" && base == "avro":
		h.Set("Content-Type", "application/cloudevents+avro")
	case tool == "cloudevents" && mode == "binary":
		for k, v := range map[string]string{"Specversion": "1.0", "Type": "com.example.someevent", "Source": "/mycontext", "Id": "1234",
			"Subject": "Euro%20%E2%82%AC%20%F0%9F%98%80", "Time": "2026-03-02T10:00:00Z"} {
			h.Set("Ce-"+k, v)
		}
	case tool == "standard-webhooks":
		h.Set("Webhook-Id", "msg_1")
		h.Set("Webhook-Signature", "v1,x")
	}
	return h
}

// ofSamples reads every sample of a tool and compares with its golden file.
func ofSamples(t *testing.T, tool string) {
	read := Types()[tool].Read
	names, bodies := samples(t, tool)
	var b strings.Builder
	for i, name := range names {
		r, err := read(sampleHeader(tool, name), bodies[i])
		for _, it := range r.Items {
			checkItem(t, it)
		}
		b.WriteString("== " + strings.TrimSuffix(name, ".json") + "\n" + show(r, err) + "\n")
	}
	golden(t, tool+".golden", b.String())
}

func TestAlertmanager(t *testing.T)     { ofSamples(t, "alertmanager") }
func TestCloudEvents(t *testing.T)      { ofSamples(t, "cloudevents") }
func TestDiscord(t *testing.T)          { ofSamples(t, "discord") }
func TestGrafana(t *testing.T)          { ofSamples(t, "grafana") }
func TestPagerDuty(t *testing.T)        { ofSamples(t, "pagerduty") }
func TestSentry(t *testing.T)           { ofSamples(t, "sentry") }
func TestStandardWebhooks(t *testing.T) { ofSamples(t, "standard-webhooks") }

func fuzzAdapter(f *testing.F, tool string) {
	read := Types()[tool].Read
	names, bodies := samples(f, tool)
	for i, name := range names {
		h := sampleHeader(tool, name)
		f.Add(h.Get("Content-Type"), h.Get("Sentry-Hook-Resource"), h.Get("Ce-Type"), bodies[i])
	}
	f.Fuzz(func(t *testing.T, contentType, resource, kind string, body []byte) {
		checkReading(t, read, http.Header{"Content-Type": {contentType}, "Sentry-Hook-Resource": {resource}, "Ce-Type": {kind}}, body)
	})
}

func FuzzAlertmanager(f *testing.F)     { fuzzAdapter(f, "alertmanager") }
func FuzzCloudEvents(f *testing.F)      { fuzzAdapter(f, "cloudevents") }
func FuzzDiscord(f *testing.F)          { fuzzAdapter(f, "discord") }
func FuzzGrafana(f *testing.F)          { fuzzAdapter(f, "grafana") }
func FuzzPagerDuty(f *testing.F)        { fuzzAdapter(f, "pagerduty") }
func FuzzSentry(f *testing.F)           { fuzzAdapter(f, "sentry") }
func FuzzStandardWebhooks(f *testing.F) { fuzzAdapter(f, "standard-webhooks") }

// one reads a sample that holds one item.
func one(t *testing.T, tool, name string) (digest.Item, Reading) {
	t.Helper()
	names, bodies := samples(t, tool)
	for i := range names {
		if names[i] == name {
			r, err := Types()[tool].Read(sampleHeader(tool, name), bodies[i])
			if err != nil || len(r.Items) != 1 {
				t.Fatalf("%s/%s: %d items, %v", tool, name, len(r.Items), err)
			}
			return r.Items[0], r
		}
	}
	t.Fatalf("no sample %s/%s", tool, name)
	return digest.Item{}, Reading{}
}

// What fires and what says that it is over stand in one project and one thread, and the end closes the incident.
func TestTroubleAndItsEndAreOneThread(t *testing.T) {
	for _, c := range []struct {
		tool, begin, end string
		urgent           bool
	}{
		{"alertmanager", "firing.json", "resolved.json", true},
		{"alertmanager", "repeat.json", "resolved.json", true},
		{"grafana", "firing.json", "resolved_state_alerting.json", false},
		{"grafana", "legacy_alerting.json", "legacy_ok.json", false},
		{"grafana", "oncall_created.json", "oncall_resolved.json", true},
		{"pagerduty", "incident.triggered.json", "incident.resolved.json", true},
		{"sentry", "issue.created.json", "issue.resolved.json", false},
		{"sentry", "error.created.json", "issue.resolved.json", false},
		{"sentry", "metric_alert.critical.json", "metric_alert.resolved.json", true},
	} {
		begin, _ := one(t, c.tool, c.begin)
		end, _ := one(t, c.tool, c.end)
		if begin.Thread == "" || begin.Thread != end.Thread || begin.Project != end.Project && c.begin != "error.created.json" {
			t.Errorf("%s: %s is %q in %q, %s is %q in %q", c.tool, c.begin, begin.Thread, begin.Project, c.end, end.Thread, end.Project)
		}
		if begin.Urgent != c.urgent || end.Urgent || digest.StepOf(&end) != digest.Resolve || digest.Resolved(begin.State) {
			t.Errorf("%s: %s urgent=%t state=%q, %s urgent=%t state=%q", c.tool, c.begin, begin.Urgent, begin.State, c.end, end.Urgent, end.State)
		}
	}
}

// The key of a group of alerts holds for each server that tells it, and changes with what it tells.
func TestAlertKey(t *testing.T) {
	_, firing := one(t, "alertmanager", "firing.json")
	_, again := one(t, "alertmanager", "repeat.json")
	_, mixed := one(t, "alertmanager", "mixed.json")
	_, over := one(t, "alertmanager", "resolved.json")
	if firing.Key == "" || firing.Key != again.Key || firing.Key == mixed.Key || mixed.Key == over.Key || firing.Within != digest.BodyWindow {
		t.Errorf("keys %q %q %q %q, within %v", firing.Key, again.Key, mixed.Key, over.Key, firing.Within)
	}
	names, bodies := samples(t, "alertmanager")
	for i := range names {
		if names[i] == "firing.json" {
			other := strings.Replace(string(bodies[i]), "http://alerts.example:9093", "http://peer.example:9093", 1)
			r, err := Alertmanager(http.Header{}, []byte(other))
			if err != nil || r.Key != firing.Key {
				t.Errorf("another server tells the same under the key %q, not %q", r.Key, firing.Key)
			}
		}
	}
}

func TestTypeWords(t *testing.T) {
	for in, want := range map[string]string{"com.example.order.created.v2": "Order created", "com.example.someevent": "Someevent",
		"Microsoft.Storage.BlobCreated": "Blob created", "invoice.paid": "Invoice paid", "io.argoproj.workflow.v1": "Workflow",
		"google.cloud.storage.object.v1.finalized": "Storage object finalized", "harbor.replication.status.changed": "Replication status changed", "sh.keptn.event.deployment.finished": "Deployment finished",
		"dev.cdevents.build.finished.0.1.1": "Build finished", "": "", "com": "Com", "ping": "Ping"} {
		if got := typeWords(in); got != want {
			t.Errorf("typeWords(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestSourceProject(t *testing.T) {
	for in, want := range map[string]string{
		"/apis/tekton.dev/v1/namespaces/ci/pipelineruns/shop-1": "ci", "/mycontext/sub": "mycontext/sub", "https://github.com/acme/rocket": "acme/rocket",
		"https://ci.example": "ci.example", "urn:uuid:6e8bc430-9c3a-11d9-9669-0800200c9a66": "", "//nas/disks": "disks", "mailto:a@x.example": "a@x.example",
		"shop": "shop", "": "", "%zz": ""} {
		if got := sourceProject(in); got != want {
			t.Errorf("sourceProject(%q) = %q, want %q", in, got, want)
		}
	}
}

// A body tells its tool without any header, and a header where the body does not.
func TestDetectTools(t *testing.T) {
	other := map[string]bool{"template.json": true, "from_prometheus.json": true, "no_alerts.json": true, "no_data": true, "not_pagerduty.json": true, "other.json": true, "no_event.json": true,
		"test_message.json": false, "v2_ping.json": true, "poll.json": true, "slack_form.json": true}
	for _, tool := range []string{"alertmanager", "grafana", "pagerduty", "sentry", "discord", "cloudevents", "standard-webhooks"} {
		names, bodies := samples(t, tool)
		for i, name := range names {
			if other[name] {
				continue
			}
			if got := Detect(sampleHeader(tool, name), bodies[i]); got != tool && name != "broken.json" && name != "form.txt" && name != "multipart.txt" {
				t.Errorf("%s/%s with its header is taken for %s", tool, name, got)
			}
			if tool == "cloudevents" || tool == "standard-webhooks" || strings.HasSuffix(name, ".txt") || name == "seer.root_cause_completed.json" ||
				name == "empty.json" || name == "odd_types.json" {
				continue // nothing in the body tells
			}
			if got := Detect(http.Header{}, bodies[i]); got != tool {
				t.Errorf("%s/%s without a header is taken for %s", tool, name, got)
			}
		}
	}
	for name, want := range map[string]string{"User-Agent": "alertmanager", "Sentry-Hook-Resource": "sentry", "Ce-Specversion": "cloudevents"} {
		if got := Detect(http.Header{name: {"Alertmanager/0.27.0"}}, []byte(`{}`)); got != want {
			t.Errorf("by %s it is %s, want %s", name, got, want)
		}
	}
	for _, body := range []string{``, `[`, `[]`, `null`, strings.Repeat("[", 1000), "{\"a\":\xff}", `{"alerts":[1],"receiver":2}`} {
		if got := Detect(http.Header{}, []byte(body)); got != "generic" {
			t.Errorf("%.20q is taken for %s", body, got)
		}
	}
}

// A group with more alerts than anybody reads stays readable and bounded.
func TestManyAlerts(t *testing.T) {
	alert := func(name string, n int) string {
		return `{"status":"firing","labels":{"alertname":"` + name + `","instance":"i` + strings.Repeat("x", n%7) + `","job":"web"},"annotations":{},"startsAt":"2026-03-02T10:00:00Z"}`
	}
	var same, unlike []string
	for i := range 1000 {
		same = append(same, alert("Down", i))
		unlike = append(unlike, alert(fmt.Sprint("Down", i), i))
	}
	r, err := Alertmanager(http.Header{}, []byte(`{"receiver":"r","alerts":[`+strings.Join(same, ",")+`]}`))
	if err != nil || len(r.Items) != 1 || r.Items[0].Title != "Firing: Down on web (1000 alerts)" || strings.Count(r.Items[0].Body, "\n") > maxAlerts+4 {
		t.Errorf("%d items, %v: %+v", len(r.Items), err, r.Items)
	}
	r, err = Alertmanager(http.Header{}, []byte(`{"receiver":"r","alerts":[`+strings.Join(unlike, ",")+`]}`))
	if err != nil || len(r.Items) != MaxItems || r.Items[MaxItems-1].Title != "… and 801 more groups of alerts in the same delivery" {
		t.Errorf("%d items, %v", len(r.Items), err)
	}
	if at := r.Items[0].OccurredAt; !at.Equal(time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)) {
		t.Errorf("it happened at %v", at)
	}
}

// Forges name themselves in headers; sent on without them, most bodies still tell, and none tells another tool. GitHub's
// samples are cut down to what they are about.
func TestDetectByShape(t *testing.T) {
	for tool, least := range map[string]int{"gitlab": 80, "gitea": 80, "bitbucket": 80, "jira": 80, "linear": 80, "github": 0} {
		names, bodies := samples(t, tool)
		right := 0
		for i, name := range names {
			switch got := Detect(http.Header{}, bodies[i]); {
			case got == tool:
				right++
			case got != "generic":
				t.Errorf("%s/%s is taken for %s", tool, name, got)
			}
		}
		if right*100 < least*len(names) {
			t.Errorf("%d of %d of %s are known by their shape", right, len(names), tool)
		}
	}
	const real = `{"action":"opened","repository":{"full_name":"acme/rocket"},"sender":{"login":"ana","id":1,"node_id":"U_1","site_admin":false}}`
	if got := Detect(http.Header{}, []byte(real)); got != "github" {
		t.Errorf("GitHub's own form is taken for %s", got)
	}
}

// What a template or an automation made of a tool's body is read as any sender's, whatever it is.
func TestBodiesOfTheirOwnMaking(t *testing.T) {
	for name, read := range map[string]Adapter{"grafana": Grafana, "jira": Jira} {
		for body, want := range map[string]string{"Disk full on web-1": "Disk full on web-1", `[{"title": "Load is high"}]`: "Load is high", `{"title": `: ""} {
			r, err := read(http.Header{"X-Atlassian-Webhook-Identifier": {"k-1"}}, []byte(body))
			if (err == nil) != (want != "") || want != "" && (len(r.Items) != 1 || r.Items[0].Title != want) || name == "jira" && r.Key != "k-1" {
				t.Errorf("%s of %s: %+v, %v", name, body, r, err)
			}
		}
	}
}
