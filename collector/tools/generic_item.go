package tools

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"quietpost/digest"
	"quietpost/digest/rules"
)

// genericItem reads one object. sure tells that the project is the sender's own word for it.
func genericItem(h http.Header, n node) (it digest.Item, sure bool) {
	n = nested(n)
	s := searchIn(n)
	event := s.event(h)
	native := n.str("title") != "" && n.str("project") != ""
	it = digest.Item{URL: s.link(&urlNames), Author: s.name(&authorNames, &personNames), Event: event,
		Tags: genericTags(n), OccurredAt: s.when(&timeNames), Urgent: affirmed(n.str("urgent"))}
	if thing, deed := eventWords(event); len(thing) > 0 && undergone[deed] && s.is(thing[len(thing)-1], it.Author) {
		it.Author = "" // who was invited has not done it
	}
	var weighed bool
	it.Level, weighed = s.level()
	if p := n.str("project"); p != "" {
		it.Project, sure = p, true
	} else {
		it.Project = s.project(h)
	}
	if t := n.str("due"); t != "" && !readTime(t).IsZero() {
		it.Due = readTime(t).Format("2006-01-02")
	}
	if t := n.when("occurred_at"); !t.IsZero() {
		it.OccurredAt = t
	}
	if p := strings.ToLower(n.str("priority")); p == "low" || p == "high" {
		it.Priority = p
	}
	if kind := digest.KindKey(n.str("kind")); native || kinds[kind] {
		it.Kind = kind
	}
	text, at := s.textAt(&titleNames, 4000)
	if text == "" {
		if text, at = s.textAt(&anyNames, 100); at >= 0 && s.places[at].far > 0 {
			text, at = "", -1
		}
	}
	it.State = s.state(event, it.Level, text)
	it.Thread = s.thread(&it, text, at)
	if check, host := s.watched(&it); host != "" && !sure && (s.monitors(&it) || it.State != "ok") && (it.Project == "" || it.Project == check) {
		it.Project = host
	}
	if it.Title = s.heading(text, at, native, &it); it.Title == "" { // its text holds nothing that can be shown
		it.Title = untitled(s, &it)
	}
	if it.Thread == "" && (it.State == "down" || it.State == "up") && strings.HasPrefix(it.Title, it.Project+" is ") {
		it.Thread = thread("alert", it.Project)
	}
	s.fill(n, text, native, &it)
	if !it.Urgent && !native && !n.has("urgent") {
		it.Urgent = s.cannotWait(&it, weighed)
	}
	return it, sure
}

var kinds = fieldSet(digest.KindStatus, digest.KindDecision, digest.KindQuestion, digest.KindRequest, digest.KindRecap, digest.KindAnnouncement,
	digest.KindIncident, digest.KindDeploy, digest.KindReview, digest.KindComment)

// undergone is what is done with people, not by them.
var undergone = fieldSet("created", "invited", "added", "updated", "removed", "deleted", "disabled", "enabled",
	"activated", "deactivated", "suspended", "banned", "merged")

// is tells whether somebody's name is that of the thing under a key.
func (s *search) is(key, name string) bool {
	return name != "" && slices.ContainsFunc(s.places, func(p place) bool {
		return p.key == key &&
			bestPart(p.node, &personNames) == name
	})
}

// fill gives an item with a title what else it needs.
func (s *search) fill(n node, text string, native bool, it *digest.Item) {
	if it.Body = n.str("body"); it.Body == "" {
		it.Body = s.body(text, it.Title)
	}
	if it.Body == it.Title && !native {
		it.Body = ""
	}
	if strings.HasPrefix(it.Title, "Form filled in") && !native {
		it.Body = orElse(s.filledIn(), it.Body)
	}
	if it.Body == "" && n.str("title") == "" {
		it.Body = facts(n, it, digest.OneLine(rules.Plain(text), 120))
	}
	if it.URL == "" && !native {
		it.URL = pageAddress(firstAddress(text))
	}
	if it.Kind == "" {
		it.Kind = digest.KindStatus
	}
}

// guessed is the item of a delivery that its tool's adapter does not know: as the generic reader sees it, under the
// tool's own words for what happened.
func guessed(h http.Header, n node, event ...string) digest.Item {
	it, _ := genericItem(h, n)
	if e := strings.Trim(strings.Join(event, "."), "."); e != "" {
		it.Event = e
	}
	return it
}

// projectHeader are the ends of headers by which tools name a project.
var projectHeader = []string{"-Repo-Slug", "-Repository", "-Project"}

// project is the project that a delivery names. A repository has its owner's name before its own.
func (s *search) project(h http.Header) string {
	for _, end := range projectHeader {
		for _, name := range slices.Sorted(maps.Keys(h)) {
			if v := s.properName(&projectNames, &place{up: -1}, h.Get(name)); strings.HasSuffix(name, end) && v != "" {
				return v
			}
		}
	}
	sold := s.has("currency") || s.has("totalamount")
	v, at := s.best(&projectNames, func(p *place) string {
		v, _ := p.v.(string)
		if p.depth > 3 || p.key == "topic" && p.object() != nil || p.key == "service" && parcels[s.holder(p)] || p.key == "topic" && strings.ContainsAny(v, "./:") {
			return ""
		}
		if p.object() != nil && (p.key == "product" || p.key == "job") && (p.has("title") || p.has("price") || sold) { // what is sold, and a vacancy
			return ""
		}
		if p.object() != nil {
			v = bestPart(p.node, &projectParts)
		}
		return s.properName(&projectNames, p, v)
	})
	if at < 0 || strings.Contains(v, "/") {
		return v
	}
	p := s.places[at]
	if p.key != "repository" && p.key != "repo" && p.key != "reponame" {
		return v
	}
	o := p.node
	if o.object() == nil { // {"namespace": "acme", "repository": "shop"}
		if o = s.top; p.up >= 0 {
			o = s.places[p.up].node
		}
		o = node{map[string]any{"namespace": o.at("namespace").v}}
	}
	if owner := o.str("owner_name", "namespace", "owner.login", "owner.username", "owner.name", "owner"); owner != "" &&
		!isID(owner) && !strings.ContainsAny(owner, " @") {
		return owner + "/" + v
	}
	return v
}

// parcels are objects whose service is a carrier's.
var parcels = fieldSet("shipment", "shipments", "package", "parcel", "tracking", "tracker", "rate")

func affirmed(s string) bool {
	switch strings.ToLower(s) {
	case "true", "1", "yes", "on":
		return true
	}
	return false
}

// genericTags takes a list of words, or one word with commas.
func genericTags(n node) []string {
	var names []string
	for _, t := range n.list("tags") {
		names = append(names, t.str("", "name"))
	}
	if len(names) == 0 {
		names = strings.Split(n.str("tags"), ",")
	}
	return lowerTags(names)
}

// facts are the plain fields of an object's top level that no other words say, for a reader who gets nothing better.
func facts(n node, it *digest.Item, said ...string) string {
	var lines []string
	said = append(said, it.Event, it.State, it.Level, it.Title, it.URL, it.Project, it.Author, "")
	low := strings.ToLower(it.Title)
	for _, k := range n.keys() {
		if len(lines) == 8 {
			break
		}
		v := digest.OneLine(rules.Plain(n.str(k)), 120)
		if slices.ContainsFunc(said, func(s string) bool { return strings.EqualFold(s, v) }) ||
			strings.Contains(low, strings.ToLower(words(v))) || v == "false" ||
			it.Author != "" && strings.Contains(v, it.Author) || strings.HasPrefix(v, "{") || isID(v) && len(v) > 20 ||
			bookkeeping.MatchString(foldKey(k)) || !readTime(v).IsZero() {
			continue
		}
		lines = append(lines, "- "+escape(words(k))+": "+escape(v))
	}
	return strings.Join(lines, "\n")
}
