package tools

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"quietpost/digest"
	"quietpost/digest/rules"
)

// CloudEvents reads events in the form of CloudEvents 1.0 over HTTP, in its three modes
// (https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md): structured and batched
// by their Content-Type or their shape, binary by headers. The source is the project, the subject the thread; what
// happened is the type with what the data tells. A body that is no event is read as any sender's.
func CloudEvents(h http.Header, body []byte) (Reading, error) {
	mode, _, _ := mime.ParseMediaType(h.Get("Content-Type"))
	if strings.HasPrefix(mode, "application/cloudevents") && !strings.HasSuffix(mode, "+json") && mode != "application/cloudevents" && mode != "application/cloudevents-batch" {
		return Reading{}, fmt.Errorf("%w: an event as %s", ErrUnreadable, mode)
	}
	n, err := parse(trimmed(body))
	list, isList := n.v.([]any)
	switch {
	case err == nil && isList && (strings.HasPrefix(mode, "application/cloudevents") || isCloudEvent(n.at("0"))):
		return eventBatch(list), nil
	case err == nil && (isCloudEvent(n) || strings.HasPrefix(mode, "application/cloudevents") && n.object() != nil && !isCDEvent(n)):
		return eventReading([]cloudEvent{structuredEvent(n)}), nil // the body wins over headers
	case err == nil && isCDEvent(n) && h.Get("Ce-Id") == "": // without the envelope
		return Reading{Key: strings.TrimSpace(n.str("context.source") + " " + n.str("context.id")), Items: []digest.Item{cdEvent(n)}}, nil
	case strings.HasPrefix(mode, "application/cloudevents"):
		if err == nil {
			err = fmt.Errorf("%w: an event is a JSON object", ErrUnreadable)
		}
		return Reading{}, err
	case h.Get("Ce-Type") != "" || h.Get("Ce-Specversion") != "":
		return eventReading([]cloudEvent{binaryEvent(h, body)}), nil
	}
	return Generic(h, body)
}

func isCloudEvent(n node) bool {
	return n.str("specversion") != "" && n.has("type") && (n.has("source") || n.has("id"))
}

// A cloudEvent is one event with its attributes by name, lower-case.
type cloudEvent struct {
	attributes node
	data       node
}

func structuredEvent(n node) cloudEvent {
	e := cloudEvent{attributes: n, data: n.at("data")}
	if raw := n.str("data_base64"); raw != "" && !n.has("data") {
		if b, err := base64.StdEncoding.DecodeString(raw); err == nil {
			e.data = dataNode(b)
		}
	}
	if s, ok := e.data.v.(string); ok {
		e.data = dataNode([]byte(s))
	}
	return e
}

// binaryEvent takes the attributes from headers, whose values are percent-encoded once (section 3.1.3.2).
func binaryEvent(h http.Header, body []byte) cloudEvent {
	o := map[string]any{}
	for name, values := range h {
		if key, ok := strings.CutPrefix(strings.ToLower(name), "ce-"); ok {
			v := values[0]
			if s, err := url.PathUnescape(v); err == nil {
				v = s
			}
			o[key] = v
		}
	}
	return cloudEvent{attributes: node{o}, data: dataNode(body)}
}

// dataNode reads data of whatever form: JSON, XML or text; nothing of what is none.
func dataNode(b []byte) node {
	t := trimmed(b)
	if len(t) == 0 {
		return node{}
	}
	if n, err := parse(t); err == nil {
		return n
	}
	if t[0] == '<' {
		if n, err := parseXML(t); err == nil {
			return n
		}
	}
	if s, ok := plain(t); ok {
		return node{s}
	}
	return node{}
}

func eventBatch(list []any) Reading {
	var events []cloudEvent
	for _, v := range list {
		if n := (node{v}); n.object() != nil {
			events = append(events, structuredEvent(n))
		}
	}
	return eventReading(events)
}

// eventReading makes the items. Source and id together name an event (section 3.1.1 of the core specification); of a
// batch all do.
func eventReading(events []cloudEvent) Reading {
	var r Reading
	var keys []string
	for i, e := range events {
		source, id := e.attributes.str("source"), e.attributes.str("id")
		if id != "" {
			keys = append(keys, source+" "+id)
		}
		if i == MaxItems-1 && len(events) > MaxItems {
			r.Items = append(r.Items, digest.Item{Project: r.Items[0].Project, Kind: digest.KindStatus,
				Title: fmt.Sprintf("… and %d more in the same delivery", len(events)-i)})
			continue
		}
		if len(r.Items) < MaxItems {
			r.Items = append(r.Items, e.items()...)
		}
	}
	r.Items = r.Items[:min(len(r.Items), MaxItems)]
	switch {
	case len(events) == 0:
		r.Ignored = "the batch is empty"
	case len(r.Items) == 0:
		r.Ignored = "the events hold no news"
	case len(keys) == 1 && len(events) == 1:
		r.Key = keys[0]
	case len(keys) == len(events):
		sum := sha256.Sum256([]byte(strings.Join(keys, "\n")))
		r.Key = "events:" + hex.EncodeToString(sum[:])
	}
	return r
}

// items is one item, none if it is no news; an event that carries what another tool posts is read as that tool's.
func (e *cloudEvent) items() []digest.Item {
	kind := e.attributes.str("type")
	if event, ok := strings.CutPrefix(kind, knativeGitHub); ok && e.data.object() != nil {
		g := &githubEvent{node: e.data, event: event, action: e.data.str("action"), item: &digest.Item{}}
		if g.read() != "" {
			return nil
		}
		return []digest.Item{*g.item}
	}
	if isCDEvent(e.data) {
		return []digest.Item{cdEvent(e.data)}
	}
	it := typedItem(kind, e.attributes.str("subject"), e.data)
	if p := e.data.str(dataProjects...); p != "" {
		it.Project = p
	} else if p := sourceProject(e.attributes.str("source")); p != "" {
		it.Project = p
	}
	it.Thread = thread("event", orElse(e.attributes.str("subject"), it.Thread))
	if t := e.attributes.when("time"); !t.IsZero() {
		it.OccurredAt = t
	}
	if l := e.attributes.str("severitytext"); l != "" {
		it.Level = strings.ToLower(l)
	}
	return []digest.Item{it}
}

// dataProjects are where data names its project beyond doubt; else the source of the event is one.
var dataProjects = []string{"project", "project.slug", "project.key", "project.name", "project_name", "repository.full_name",
	"repository.repo_full_name", "repository.name", "repository"}

// knativeGitHub begins the types under which Knative's source passes on what GitHub posts.
const knativeGitHub = "dev.knative.source.github."

// typedItem is what a type in dots and some data say together: the guess of any sender's object, with the type's last
// words before it and the subject where the data has no title.
func typedItem(kind, subject string, data node) digest.Item {
	what := typeWords(kind)
	o := map[string]any{"type": what}
	if l, ok := data.v.([]any); ok && len(l) > 0 {
		data = node{l[0]}
	}
	if data.object() != nil {
		o["data"] = data.v
	}
	if subject != "" {
		o["label"] = subject
	}
	it, _ := genericItem(http.Header{}, node{o})
	it.Event = kind
	found := searchIn(data)
	text := firstLine(rules.Plain(searchIn(node{o}).text(&titleNames, 4000)))
	if t := data.scalar(); t != "" {
		text = strings.Trim(title(subject, wordLine(t)), ": ")
		if it.Body = excerpt(t); it.Body == firstLine(t) {
			it.Body = ""
		}
	} else if it.Body = found.body(text, title(text)); it.Body == "" && data.object() != nil {
		it.Body = facts(data, &digest.Item{Title: text, URL: it.URL, State: it.State})
	}
	switch {
	case text != "" && !says(text, what):
		it.Title = title(what, text)
	case text != "":
		it.Title = title(text)
	default: // no title anywhere: its first few fields
		if it.Title = untitled(found, &digest.Item{Event: what}); !strings.HasPrefix(it.Title, what) || what == "" {
			it.Title = orElse(title(what), "An event that does not say what happened")
		}
	}
	it.Urgent = affirmed(data.str("urgent")) // the native form's own word holds inside the data too
	return it
}

// wordLine is the first line of a text that has a word in it.
func wordLine(s string) string {
	for line := range strings.Lines(s) {
		if wordCount(line) > 0 {
			return strings.TrimSpace(line)
		}
	}
	return ""
}

var versionPart = regexp.MustCompile(`^(?:v?\d+(?:[a-z]+\d*)?)$`)

// typeWords are the words of a type that say what happened: "com.example.order.created.v2" gives "Order created",
// "Microsoft.Storage.BlobCreated" "Blob created".
func typeWords(kind string) string {
	var parts []string
	all := strings.FieldsFunc(kind, func(r rune) bool { return r == '.' || r == '/' || r == ':' })
	for i, p := range all {
		if !versionPart.MatchString(p) && (p != "event" || i == len(all)-1) {
			parts = append(parts, p)
		}
	}
	if len(parts) > 2 && topDomains[parts[0]] {
		parts = parts[2:]
	} else if len(parts) > 1 && topDomains[parts[0]] {
		parts = parts[1:]
	}
	if n := len(parts); n > 0 && len(strings.Fields(words(parts[n-1]))) > 1 {
		parts = parts[n-1:] // BlobCreated says it all
	}
	if len(parts) > 3 {
		parts = parts[len(parts)-3:]
	}
	return words(strings.Join(parts, " "))
}

var topDomains = map[string]bool{"com": true, "org": true, "net": true, "io": true, "dev": true, "de": true, "eu": true, "co": true,
	"ai": true, "app": true, "sh": true, "cloud": true, "tech": true, "uk": true, "fr": true, "ch": true, "us": true}

// sourceProject makes a project's name of an event's source, a URI reference: its path, else its host.
func sourceProject(source string) string {
	u, err := url.Parse(source)
	if _, in, ok := strings.Cut(source, "/namespaces/"); ok && strings.Contains(source, "/apis/") { // an object of Kubernetes
		name, _, _ := strings.Cut(in, "/")
		return name
	}
	if err != nil || strings.HasPrefix(source, "urn:uuid:") {
		return ""
	}
	if u.Opaque != "" {
		_, name, _ := strings.Cut(source, ":")
		return name
	}
	if p := strings.Trim(u.Path, "/"); p != "" {
		return p
	}
	return u.Hostname()
}
