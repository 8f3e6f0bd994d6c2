package tools

import (
	"net/http"
	"regexp"
	"strings"
	"time"

	"quietpost/digest"
	"quietpost/digest/rules"
)

// The names under which tools keep what an item needs, best first. They are compared without case, '_' and '-'.
var (
	titleNames = fields("title", "displaytitle", "summary", "subject", "headline", "shortmessage", "alertname", "message", "msg",
		"text", "name", "displayname", "description", "content", "label", "identifier", "comment", "note",
		"plaintextbody", "body")
	bodyNames = fields("body", "description", "longdescription", "message", "text", "details", "detail", "content", "msg",
		"comment", "note", "notes", "errormessage", "reason", "output", "longmessage", "summary")
	urlNames = fields("htmlurl", "weburl", "permalink", "titlelink", "browserurl", "panelurl", "dashboardurl", "incidenturl",
		"alerturl", "issueurl", "buildurl", "runurl", "targeturl", "detailsurl", "logurl", "url", "link", "href", "uri", "shorturl",
		"generatorurl", "externalurl", "web", "html", "fullurl", "projecturl")
	authorNames = fields("author", "actor", "user", "sender", "username", "userdisplayname", "createdby", "updatedby", "creator",
		"triggeredby", "pushedby", "performedby", "reporter", "operator", "membercreator", "agent", "authorname", "pusher", "from")
	personNames  = fields("displayname", "fullname", "name", "login", "username", "nickname", "summary", "email")
	projectNames = fields("project", "projectname", "projectslug", "projectkey", "repository", "repo", "reponame", "repositoryname",
		"service", "servicename", "application", "applicationname", "app", "appname", "site", "sitename", "workspace",
		"workspacename", "board", "pipeline", "integrationname", "conditionname", "component", "namespace", "job", "jobname",
		"buildname", "product", "team", "space", "receiver", "monitorname", "checkname")
	projectParts = fields("fullname", "pathwithnamespace", "repofullname", "slug", "key", "name", "reponame", "summary", "title",
		"login", "displayname")
	threadNames = fields("thread", "threadkey", "dedupkey", "dedupekey", "groupkey", "aggregationkey", "incidentkey",
		"incidentid", "alertid", "alertuid", "fingerprint", "monitorid", "issuekey", "ticketid")
	stateNames = fields("state", "currentstate", "alertstate", "status", "conclusion", "buildstatus", "runstatus", "result",
		"outcome", "alerttransition")
	levelNames = fields("severity", "level", "loglevel", "severitytext", "alertlevel", "priority", "prioritylabel", "urgency",
		"criticality", "importance", "importancelevel", "impact")
	eventNames = fields("eventtype", "eventname", "webhookevent", "objectkind", "event", "trigger", "hookevent", "type",
		"notificationtype", "action", "alerttype", "activitytype")
	timeNames = fields("occurredat", "timestamp", "time", "eventtime", "date", "datetime", "triggeredat", "firedat", "startsat",
		"startedat", "completedat", "finishedat", "updatedat", "createdat", "created", "createdon", "createddate", "ts")
)

// aside are objects about something else than what happened: their titles, states and times are not the delivery's.
var aside = fields("user", "users", "sender", "author", "owner", "actor", "creator", "assignee", "assignees", "repository", "repo",
	"project", "organization", "organisation", "account", "team", "links", "link", "config", "settings", "headers", "old",
	"previous", "previousattributes", "changes", "changelog", "parent", "base", "labels", "metadata", "meta", "members", "reviewers",
	"avatar", "icon", "image", "images", "watchers", "permissions", "membercreator", "reporter", "createdby", "updatedby", "model",
	"priority", "issuetype", "workspace", "board", "customer", "status", "state", "environment", "plan", "committer", "locale",
	"workflowdefinition", "hook", "webhook", "subscription", "app", "client", "agent", "service")

// fields makes a table of names and their rank.
func fields(names ...string) map[string]int {
	m := make(map[string]int, len(names))
	for i, n := range names {
		m[n] = i
	}
	return m
}

// A search knows every place of a value down to a depth, in the order of their distance from the top.
type search struct{ places []place }

type place struct {
	node
	name  string
	key   string // folded
	depth int
	aside bool
}

const (
	searchDepth  = 5
	searchPlaces = 3000
)

// searchIn walks a value breadth first; of a list only its first element.
func searchIn(top node) *search {
	s := &search{}
	level := []place{{node: top}}
	for depth := 0; depth < searchDepth && len(level) > 0 && len(s.places) < searchPlaces; depth++ {
		var next []place
		for _, p := range level {
			for _, k := range p.keys() {
				v := p.object()[k]
				key := foldKey(k)
				list, isList := v.([]any)
				if isList {
					if len(list) == 0 {
						continue
					}
					v = list[0]
				}
				c := place{node: node{v}, name: k, key: key, depth: depth, aside: p.aside}
				s.places = append(s.places, c)
				if _, off := aside[key]; off && (isList || key != "labels") { // a map of labels is an alert's own
					c.aside = true
				}
				if c.object() != nil {
					next = append(next, c)
				}
			}
		}
		level = next
	}
	return s
}

// foldKey compares keys as tools write them: html_url, htmlUrl, HTML-URL.
func foldKey(k string) string { return folder.Replace(strings.ToLower(k)) }

var folder = strings.NewReplacer("_", "", "-", "", " ", "", ".", "")

// best is the place with one of names that take accepts, by rank of the name and distance from the top.
func (s *search) best(names map[string]int, take func(place) string) string {
	found, least := "", 1<<30
	for _, p := range s.places {
		rank, ok := names[p.key]
		if !ok {
			if rank, ok = endsLike(p.key, names); !ok {
				continue
			}
		}
		score := rank + 5*p.depth
		if p.aside {
			score += 40
		}
		if score < least {
			if v := take(p); v != "" && !strings.Contains(v, "{{") { // {{ default }} is a template left open
				found, least = v, score
			}
		}
	}
	return found
}

// endings are the ends of the longer names that senders' templates make of the usual ones, ranked behind those:
// ticket_subject, monitor_friendly_name, results_link.
var endings = map[string]map[string]int{
	"title":           {"title": 30, "subject": 30, "summary": 31, "friendlyname": 32, "details": 33},
	"longdescription": {"description": 30, "body": 31},
	"href":            {"htmlurl": 30, "weburl": 30, "url": 32, "link": 32},
}

// endsLike ranks a key by its end, for titles, texts and addresses only: the end of other names misleads (user_name).
func endsLike(key string, names map[string]int) (rank int, ok bool) {
	for of, ends := range endings {
		if _, ok := names[of]; !ok {
			continue
		}
		for end, rank := range ends {
			if len(key) > len(end) && strings.HasSuffix(key, end) && !misleading.MatchString(key) {
				return rank, true
			}
		}
	}
	return 0, false
}

var misleading = regexp.MustCompile(`image|icon|avatar|logo|api|callback|hook|subscrib|thumb|user|author|board|previous|old|cert|sign|base|canon|contact|type`)

// text is a string of at most max bytes that is neither an address nor an id nor somebody's aside.
func (s *search) text(names map[string]int, max int) string {
	return s.best(names, func(p place) string {
		v, _ := p.v.(string)
		if n := p.scalar(); v == "" && max < 1000 {
			v = n // threads may be numbers
		}
		if v = strings.TrimSpace(v); p.aside || len(v) > max || webAddress(v) != "" || max > 1000 && isID(v) {
			return ""
		}
		return v
	})
}

var (
	idForm    = regexp.MustCompile(`^(?:[0-9a-fA-F-]{24,}|[0-9.:,-]+)$`)
	idWithTag = regexp.MustCompile(`^[a-z]{2,8}_[A-Za-z0-9]{12,}$`) // prod_E6SPZ5RKfKClNL
)

// isID tells what names nothing to a person.
func isID(s string) bool {
	return idForm.MatchString(s) || idWithTag.MatchString(s) && strings.ContainsAny(s, "0123456789") && strings.ToLower(s) != s
}

// word is a short word in lower case.
func (s *search) word(names map[string]int) string {
	return s.best(names, func(p place) string {
		v, _ := p.v.(string)
		if v == "" && p.object() != nil {
			v = p.str("name", "summary", "value")
		}
		if v = strings.ToLower(strings.TrimSpace(v)); p.aside || len(v) > 40 || strings.ContainsAny(v, "\n{<$") || isID(v) {
			return ""
		}
		return v
	})
}

// name is the name of a thing or a person: a string, or the best part of an object.
func (s *search) name(names, parts map[string]int) string {
	return s.best(names, func(p place) string {
		if p.depth > 3 {
			return ""
		}
		v, _ := p.v.(string)
		if p.object() != nil {
			v = (&search{places: children(p.node)}).best(parts, func(c place) string { t, _ := c.v.(string); return t })
		}
		if v = strings.TrimSpace(v); len(v) > 100 || isID(v) || nobody[strings.ToLower(v)] || strings.Contains(v, "://") || digest.ProjectKey(v) == "" {
			return ""
		}
		return v
	})
}

// nobody are the words that languages print where there is nothing.
var nobody = map[string]bool{"none": true, "null": true, "nil": true, "undefined": true, "unknown": true, "n/a": true}

func children(n node) []place {
	var out []place
	for _, k := range n.keys() {
		out = append(out, place{node: node{n.object()[k]}, key: foldKey(k)})
	}
	return out
}

// link is an address a person can open: pages before interfaces, never a picture.
func (s *search) link(names map[string]int) string {
	return s.best(names, func(p place) string {
		u := webAddress(p.scalar())
		if u == "" || isPicture(u) || isAPI(u) {
			return ""
		}
		return u
	})
}

func isAPI(u string) bool {
	return strings.Contains(u, "://api.") || strings.Contains(u, "/api/") || strings.Contains(u, "/rest/") || strings.Contains(u, "/_apis/")
}

func isPicture(u string) bool {
	u, _, _ = strings.Cut(strings.ToLower(u), "?")
	for _, end := range []string{".png", ".jpg", ".jpeg", ".gif", ".svg", ".ico", ".webp"} {
		if strings.HasSuffix(u, end) {
			return true
		}
	}
	return strings.Contains(u, "avatar") || strings.Contains(u, "gravatar")
}

func (s *search) when(names map[string]int) (t time.Time) {
	s.best(names, func(p place) string {
		if p.aside {
			return ""
		}
		if found := readTime(p.scalar()); !found.IsZero() {
			t = found
			return "found"
		}
		return ""
	})
	return t
}

// event is the tool's word for what happened: from a header that ends in -Event, else from the body.
func (s *search) event(h http.Header) string {
	for _, name := range []string{"X-Event-Key", "X-Event-Type", "X-Gitlab-Event", "X-Gitea-Event", "X-Gogs-Event", "Ce-Type",
		"Linear-Event", "X-Shopify-Topic", "X-Netlify-Event", "X-Buildkite-Event", "Sentry-Hook-Resource", "X-Wc-Webhook-Topic"} {
		if v := h.Get(name); v != "" {
			return v
		}
	}
	return s.best(eventNames, func(p place) string {
		v, _ := p.v.(string)
		if p.aside || p.depth > 2 || len(v) > 60 || strings.ContainsAny(v, "\n{<$") || len(strings.Fields(v)) > 6 || isID(v) || webAddress(v) != "" {
			return ""
		}
		return strings.TrimSpace(v)
	})
}

// body is the longest-looking text beside the title's.
func (s *search) body(used, heading string) string {
	text := s.best(bodyNames, func(p place) string {
		v, _ := p.v.(string)
		text := strings.TrimSpace(rules.Plain(v))
		if p.aside || title(text) == heading || webAddress(text) != "" || isID(text) || !strings.ContainsAny(text, " \n") ||
			strings.TrimSpace(v) == used && text == firstLine(text) && len(text) < titleMax {
			return ""
		}
		return text
	})
	return excerpt(text)
}
