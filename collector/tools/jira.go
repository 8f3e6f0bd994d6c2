package tools

import (
	"net/http"
	"net/url"
	"strings"

	"quietpost/digest"
)

// A jiraEvent is one delivery of Jira or Confluence and the item it becomes.
type jiraEvent struct {
	node
	event string // without "jira:"
	item  *digest.Item
}

// Jira reads the webhooks of Jira Cloud, Server and Data Center with Service Management
// (https://developer.atlassian.com/cloud/jira/platform/webhooks/), what Automation rules send, and Confluence's
// (https://developer.atlassian.com/cloud/confluence/modules/webhook/).
func Jira(h http.Header, body []byte) (Reading, error) {
	r := Reading{Key: strings.TrimSpace(h.Get("X-Atlassian-Webhook-Identifier"))} // the same for each retry
	n, err := parse(formPayload(h, body))
	if err != nil || n.object() == nil { // an automation's custom data may be anything
		plain, err := Generic(h, body)
		if r.Key != "" {
			plain.Key, plain.Within = r.Key, 0
		}
		return plain, err
	}
	j := &jiraEvent{node: n, item: &digest.Item{Kind: digest.KindStatus}}
	j.event = strings.TrimPrefix(n.str("webhookEvent", "event", "eventType"), "jira:")
	if j.event == "" {
		j.event = strings.TrimSpace(h.Get("X-Event-Type"))
	}
	if !n.has("issue") && n.str("key") != "" && n.has("fields") { // an Automation rule sends the issue alone
		n.object()["issue"] = map[string]any{"key": n.at("key").v, "fields": n.at("fields").v, "self": n.at("self").v}
	}
	it := j.item
	it.Event = n.str("webhookEvent", "event", "eventType")
	it.Author = n.str("user.displayName", "user.name", "comment.author.displayName", "comment.author.name", "worklog.updateAuthor.displayName",
		"worklog.author.displayName", "attachment.author.displayName", "initiator.displayName")
	it.OccurredAt = n.when("timestamp")
	reason := j.read()
	if it.Title == "" && reason == "" {
		*it = guessed(h, n, j.event)
		it.Project = j.project()
	}
	if key := j.commentKey(); key != "" {
		r.Key = key
	}
	if reason != "" {
		r.Ignored = reason
		return r, nil
	}
	r.Items = []digest.Item{*it}
	return r, nil
}

// commentKey names a comment that was made or edited. Jira tells of each twice, as comment_created and as issue_updated;
// both get this key, so that the second is the duplicate it is. An update that brings changes too is news of its own.
func (j *jiraEvent) commentKey() string {
	id, at := j.str("comment.id"), j.str("comment.updated", "comment.created")
	if id == "" || at == "" || len(j.list("changelog.items")) > 0 {
		return ""
	}
	made := "created"
	switch j.event + " " + j.str("issue_event_type_name") {
	case "comment_created ", "issue_updated issue_commented":
	case "issue_updated ":
		if !j.when("comment.updated").Equal(j.when("comment.created")) {
			made = "updated"
		}
	case "comment_updated ", "issue_updated issue_comment_edited":
		made = "updated"
	default:
		return ""
	}
	return "comment " + made + " " + j.str("comment.self") + " " + id + " " + at
}

// read fills the item, or says why there is nothing to tell; an event it does not know leaves the title empty.
func (j *jiraEvent) read() digest.Reason {
	what, done, _ := strings.Cut(j.event, "_")
	switch {
	case j.event == "issue_property_set", j.event == "issue_property_deleted", strings.HasPrefix(j.event, "option_"),
		strings.HasPrefix(j.event, "jira_expression"), strings.HasPrefix(j.event, "entity_property"):
		return "inner bookkeeping of Jira"
	case j.has("issue"):
		return j.issue()
	case j.has("page"), j.has("blog"), j.has("blogpost"), j.has("content"), j.has("space"), j.has("comment.parent"):
		j.confluence()
	case what == "worklog":
		j.worklog(done)
	case what == "comment":
		j.item.Kind = digest.KindComment
		j.item.Title = title("Comment "+done, firstLine(jiraText(j.at("comment.body"))))
		j.item.Body = quote(jiraText(j.at("comment.body")))
	case what == "issuelink":
		j.item.Title = title("Link between issues " + done + ": " + strings.ToLower(j.str("issueLink.issueLinkType.name")))
		j.low()
	case what == "attachment":
		j.item.Title = title("Attachment "+done, j.str("attachment.filename", "attachment.fileName"))
		j.item.OccurredAt = j.when("timestamp", "attachment.created")
		j.low()
	case what == "version":
		j.version(done)
	case what == "sprint":
		j.sprint(done)
	case what == "project" || what == "board" || what == "user" || what == "filter":
		j.place(what, done)
	}
	return ""
}

func (j *jiraEvent) low() { low(j.item) }

// project is the issue's project's key.
func (j *jiraEvent) project() string {
	if p := j.str("issue.fields.project.key", "project.key", "version.project.key"); p != "" {
		return p
	}
	if key, _, ok := strings.Cut(j.str("issue.key"), "-"); ok {
		return key
	}
	return j.str("issue.fields.project.name")
}

// base is the address of the instance as people open it: what stands before /rest in an API address. The gateway of
// OAuth apps is no place for people.
func jiraBase(self string) string {
	u, err := url.Parse(webAddress(self))
	if err != nil || u.Host == "" || u.Host == "api.atlassian.com" {
		return ""
	}
	path, _, ok := strings.Cut(u.Path, "/rest/")
	if !ok {
		path = ""
	}
	return u.Scheme + "://" + u.Host + path
}

// issue is for all events that bring the issue along.
func (j *jiraEvent) issue() digest.Reason {
	it, f, key := j.item, j.at("issue.fields"), j.str("issue.key")
	it.Project, it.Thread = j.project(), thread("issue", key)
	it.Level = strings.ToLower(f.str("priority.name", "priority.value"))
	it.State = jiraState(f.at("status"))
	it.Due = day(f.str("duedate"))
	var labels []string
	for _, l := range f.list("labels") {
		labels = append(labels, l.str("", "name"))
	}
	it.Tags = lowerTags(labels)
	if base := jiraBase(j.str("issue.self")); base != "" && key != "" {
		it.URL = webAddress(base + "/browse/" + key)
	}
	it.Private = f.has("security.name") || f.has("security.id") || j.has("comment.visibility.value") || j.has("worklog.visibility.value") ||
		j.str("comment.jsdPublic") == "false" // for the service desk's people, not for its customers
	if key == "" {
		key = "An issue"
	}
	summary := f.str("summary")
	kind := j.str("issue_event_type_name")
	switch {
	case j.event == "issue_deleted" || kind == "issue_deleted":
		it.State, it.Title = "deleted", title(key+" deleted", summary)
	case j.event == "issue_created" || kind == "issue_created" && j.event == "":
		j.created(key, summary, f)
	case strings.HasPrefix(j.event, "comment_"):
		j.comment(key, summary, strings.TrimPrefix(j.event, "comment_"))
	case strings.HasPrefix(j.event, "worklog_"):
		j.worklog(strings.TrimPrefix(j.event, "worklog_"))
	case strings.HasPrefix(j.event, "attachment_"):
		it.Title = title("Attachment "+strings.TrimPrefix(j.event, "attachment_")+" on "+key, j.str("attachment.filename"))
		j.low()
	default:
		if reason := j.updated(key, summary, kind); reason != "" {
			return reason
		}
	}
	if strings.Contains(strings.ToLower(f.str("issuetype.name")), "incident") && it.Kind == digest.KindStatus && it.Priority != "low" {
		it.Kind = digest.KindIncident
	}
	return ""
}

// jiraState is the status; one of the category "done" is done, whatever it is called.
func jiraState(status node) string {
	if status.str("statusCategory.key") == "done" {
		return "done"
	}
	return strings.ToLower(status.str("name"))
}

func (j *jiraEvent) created(key, summary string, f node) {
	it := j.item
	what := f.str("issuetype.name")
	if what = strings.TrimSpace(strings.TrimPrefix(what, "[System]")); what != "" {
		what += " "
	}
	it.Title = title(what+key+" created", summary)
	if it.Author == "" {
		it.Author = f.str("creator.displayName", "reporter.displayName")
	}
	if t := f.when("created"); !t.IsZero() {
		it.OccurredAt = t
	}
	var facts []string
	if p := f.str("priority.name"); p != "" {
		facts = append(facts, "priority "+escape(p))
	}
	if a := f.str("assignee.displayName", "assignee.name"); a != "" {
		facts = append(facts, "assigned to "+escape(a))
	}
	if r := f.str("reporter.displayName"); r != "" && r != it.Author {
		facts = append(facts, "reported by "+escape(r))
	}
	it.Body = paragraphs(capital(strings.Join(facts, ", ")), excerpt(jiraText(f.at("description"))))
}

func (j *jiraEvent) comment(key, summary, done string) {
	it, c := j.item, j.at("comment")
	it.Kind, it.Body = digest.KindComment, quote(jiraText(c.at("body")))
	what := "Comment"
	if c.str("jsdPublic") == "false" {
		what = "Internal comment"
	}
	switch done {
	case "created", "":
		it.Author = c.str("author.displayName", "author.name", "author.key")
	case "updated", "edited":
		it.Author = c.str("updateAuthor.displayName", "author.displayName", "updateAuthor.name")
		what += " edited"
		j.low()
	default:
		what, it.Body = what+" "+done, ""
		j.low()
	}
	if c.str("author.accountType") == "app" {
		botComment(it, "[bot]")
	}
	if it.Author == "" {
		it.Author = j.str("user.displayName", "user.name")
	}
	it.Title = title(what+" on "+key, summary)
	if id := c.str("id"); it.URL != "" && id != "" && done != "deleted" {
		it.URL += "?focusedCommentId=" + url.QueryEscape(id)
	}
	if t := c.when("updated", "created"); !t.IsZero() && done != "deleted" {
		it.OccurredAt = t
	}
}

func (j *jiraEvent) worklog(done string) {
	it, w := j.item, j.at("worklog")
	what := "Work logged"
	if done != "created" && done != "" {
		what = "Work log " + done
	}
	if it.Thread != "" {
		what += " on " + j.str("issue.key")
	}
	if t := w.str("timeSpent"); t != "" && done != "deleted" {
		what += ": " + t
	}
	it.Title = title(what, firstLine(jiraText(w.at("comment"))))
	j.low()
}

// version tells of releases; Jira gives the project's number only.
func (j *jiraEvent) version(done string) {
	it, v := j.item, j.at("version")
	it.Project = j.project()
	it.Thread = thread("version", v.str("id", "name"))
	it.Title = title("Version " + v.str("name") + " " + done)
	it.Body = excerpt(v.str("description"))
	switch done {
	case "released":
		it.Kind, it.State = digest.KindAnnouncement, "released"
	case "deleted":
		it.State = done
	case "created":
		it.Due = day(v.str("releaseDate"))
	default:
		j.low()
	}
	if base := jiraBase(v.str("self")); base != "" && v.str("projectId", "id") != "" {
		it.URL = base
	}
}

func (j *jiraEvent) sprint(done string) {
	it, s := j.item, j.at("sprint")
	it.Thread = thread("sprint", s.str("id", "name"))
	name := s.str("name")
	if !strings.Contains(strings.ToLower(name), "sprint") {
		name = "Sprint " + name
	}
	it.Title = title(name+" "+done, firstLine(s.str("goal")))
	it.State = map[string]string{"started": "active", "closed": "closed", "deleted": "deleted"}[done]
	switch done {
	case "started":
		it.Due = day(s.str("endDate"))
	case "closed":
		it.Kind = digest.KindRecap
	default:
		j.low()
	}
	it.URL = jiraBase(s.str("self"))
}

// place is for projects, boards, users and filters.
func (j *jiraEvent) place(what, done string) {
	it := j.item
	o := j.at(what)
	name := o.str("name", "displayName", "key")
	if what == "project" {
		it.Project, it.State = o.str("key", "name"), ""
		if key := o.str("key"); key != "" && key != name {
			name += " (" + key + ")"
		}
	}
	if what == "user" {
		it.Author = ""
	}
	it.Title = title(words(what) + " " + name + " " + strings.ToLower(words(done)))
	it.URL = jiraBase(o.str("self"))
	if done == "updated" || done == "configuration_changed" {
		j.low()
	}
}
