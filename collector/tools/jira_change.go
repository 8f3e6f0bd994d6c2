package tools

import (
	"fmt"
	"strings"

	"quietpost/digest"
	"quietpost/digest/rules"
)

// What was changed on a Jira issue, as its changelog tells it.

// jiraNoise are the fields that Jira changes by itself or that tell a reader nothing.
var jiraNoise = map[string]bool{"rank": true, "workratio": true, "worklogid": true, "timeestimate": true, "lastviewed": true,
	"statuscategorychangedate": true, "development": true, "[chart] date of first response": true, "[chart] time in status": true}

// jiraRank says which change the title tells, of several: the first that is there.
var jiraRank = []string{"status", "key", "project", "resolution", "flagged", "assignee", "priority", "duedate", "summary", "description",
	"sprint", "fix version", "issuetype"}

// A change is one item of a changelog; the names of the keys are Jira's.
type change struct{ field, from, to string }

func (j *jiraEvent) changes() (news []change, noise bool) {
	for _, i := range j.list("changelog.items") {
		// at, not str: an item's "toString" may be null while "to" holds an id, which is nothing to read
		c := change{strings.TrimSpace(i.str("field", "fieldId")), i.str("fromString"), i.str("toString")}
		if c.field == "" {
			continue
		}
		if jiraNoise[strings.ToLower(c.field)] {
			noise = true
			continue
		}
		news = append(news, c)
	}
	return news, noise
}

// updated is for jira:issue_updated and its many kinds.
func (j *jiraEvent) updated(key, summary, kind string) digest.Reason {
	it := j.item
	news, noise := j.changes()
	commented := j.has("comment.body") && (j.has("comment.id") || j.has("comment.author"))
	switch {
	case len(news) == 0 && kind == "issue_comment_deleted":
		j.comment(key, summary, "deleted")
		return ""
	case len(news) == 0 && commented:
		done := "created"
		if kind == "issue_comment_edited" || kind == "" && !j.when("comment.updated").Equal(j.when("comment.created")) {
			done = "edited"
		}
		j.comment(key, summary, done)
		return ""
	case len(news) == 0 && noise && kind != "issue_work_logged":
		return "only its place on a board or an inner date has changed"
	}
	if len(news) == 0 {
		it.Title = title(j.untold(key, kind), summary)
		return ""
	}
	told := news[rankOf(news)]
	it.Title = title(j.tell(key, told), summary)
	j.weigh(told)
	var lines []string
	if len(news) > 1 || it.Priority == "" && told.field == "description" {
		for _, c := range news {
			if len(lines) < 10 && c != told {
				lines = append(lines, changeLine(c))
			}
		}
	}
	it.Body = strings.Join(lines, "\n")
	if commented {
		notLow(it)
		it.Body = paragraphs(it.Body, quote(jiraText(j.at("comment.body"))))
	}
	return ""
}

// rankOf is the index of the change that a title should tell.
func rankOf(news []change) int {
	for _, field := range jiraRank {
		for i, c := range news {
			if strings.EqualFold(c.field, field) {
				return i
			}
		}
	}
	return 0
}

// untold is for an update without a changelog, by the name of its kind.
func (j *jiraEvent) untold(key, kind string) string {
	who := j.str("issue.fields.assignee.displayName", "issue.fields.assignee.name")
	switch kind {
	case "issue_assigned":
		j.low()
		if who == "" {
			return key + " assigned to nobody"
		}
		return key + " assigned to " + who
	case "issue_resolved", "issue_closed", "issue_reopened", "issue_moved":
		return key + " " + strings.TrimPrefix(kind, "issue_")
	case "issue_work_logged":
		j.low()
		return "Work logged on " + key
	case "", "issue_updated", "issue_generic":
		if j.event == "" { // an Automation rule that sends the issue as it stands
			if it := j.item; it.State != "" {
				return key + " is " + it.State
			}
			return key
		}
		j.low()
		return key + " updated"
	}
	j.low()
	return key + " " + strings.ToLower(words(strings.TrimPrefix(kind, "issue_")))
}

// tell says one change in a person's words.
func (j *jiraEvent) tell(key string, c change) string {
	from, to := digest.OneLine(c.from, 60), digest.OneLine(c.to, 60)
	switch f := strings.ToLower(c.field); {
	case f == "status" && from != "":
		return key + " moved from " + from + " to " + to
	case f == "status":
		return key + " is now " + to
	case f == "resolution" && to != "":
		return key + " resolved as " + to
	case f == "resolution":
		return key + " reopened"
	case f == "assignee" && to == "":
		return key + " assigned to nobody"
	case f == "assignee":
		return key + " assigned to " + to
	case f == "key" || f == "project":
		return key + " moved here from " + from
	case f == "summary":
		return key + " renamed"
	case f == "description":
		return "Description of " + key + " edited"
	case f == "flagged" && to != "":
		return key + " flagged as " + to
	case f == "flagged":
		return key + " no longer flagged"
	case f == "duedate" && to != "":
		return key + " now due on " + digest.OneLine(strings.TrimSuffix(to, " 00:00:00.0"), 20)
	case f == "duedate":
		return key + " has no due date any more"
	case f == "attachment" && to != "":
		return "Attachment added to " + key + " (" + to + ")"
	case f == "attachment":
		return "Attachment removed from " + key + " (" + from + ")"
	case f == "comment":
		return "Comment deleted on " + key
	case f == "link" && to != "":
		return key + " linked (" + to + ")"
	case f == "timespent":
		return "Work logged on " + key
	case f == "labels":
		return key + " relabelled"
	case to != "" && from != "":
		return fmt.Sprintf("%s of %s changed from %s to %s", fieldName(c.field), key, from, to)
	case to != "":
		return fmt.Sprintf("%s of %s set to %s", fieldName(c.field), key, to)
	}
	return fmt.Sprintf("%s of %s cleared", fieldName(c.field), key)
}

// fieldName is a field as people write it.
func fieldName(s string) string {
	if strings.EqualFold(s, "issuetype") {
		return "Type"
	}
	return capital(digest.OneLine(s, 60))
}

// weigh makes what is bookkeeping low: all but a new status, resolution, priority, due date or flag.
func (j *jiraEvent) weigh(c change) {
	switch strings.ToLower(c.field) {
	case "status", "resolution", "priority", "duedate", "flagged", "key", "project":
	default:
		j.low()
	}
}

// changeLine is a change as a line of a list.
func changeLine(c change) string {
	from, to := escape(digest.OneLine(c.from, 80)), escape(digest.OneLine(c.to, 80))
	name := escape(fieldName(c.field))
	switch {
	case strings.EqualFold(c.field, "description"):
		return "- Description edited"
	case from == "" && to == "":
		return "- " + name + " changed"
	case to == "":
		return "- " + name + ": " + from + " → nothing"
	case from == "":
		return "- " + name + ": " + to
	}
	return "- " + name + ": " + from + " → " + to
}

// confluence is for pages, blog posts, comments and spaces. Cloud names no event in the body and people by number only;
// what was made just now was created.
func (j *jiraEvent) confluence() {
	it := j.item
	what, o := "page", j.at("page")
	for _, k := range []string{"blog", "blogpost", "content", "space", "comment"} {
		if c := j.at(k); c.object() != nil && (o.object() == nil || k == "comment") {
			what, o = k, c
		}
	}
	of := o
	if what == "comment" {
		of = o.at("parent")
		if c := o.at("container"); of.object() == nil {
			of = c
		}
		it.Kind = digest.KindComment
		it.Body = quote(rules.Plain(o.str("body.view.value", "body", "body.storage.value")))
	}
	if what == "content" && o.str("contentType", "type") != "" {
		what = o.str("contentType", "type")
	}
	done := j.event[strings.LastIndex(j.event, "_")+1:]
	if done == "" {
		done = "updated"
		if made := o.when("creationDate"); !made.IsZero() && made.Equal(o.when("modificationDate")) || o.str("version") == "1" {
			done = "created"
		}
	}
	name := map[string]string{"blog": "Blog post", "blogpost": "Blog post"}[strings.ToLower(what)]
	if name == "" {
		name = words(what)
	}
	head := name + " " + done
	if what == "comment" {
		head = "Comment on a page"
		if done != "created" {
			head = "Comment " + done + " on a page"
		}
	}
	if done == "updated" || done == "viewed" {
		j.low()
	}
	it.Project = of.str("spaceKey", "space.key", "key")
	it.Thread = thread("page", of.str("id"))
	it.Author = o.str("lastModifier.displayName", "creator.displayName", "author.displayName", "creatorName", "lastModifierName")
	it.Title = title(head, of.str("title", "name"))
	if u := o.link("self", "_links.webui", "url"); u != "" && !isAPI(u) {
		it.URL = u
	} else if u := of.link("self", "url"); u != "" && !isAPI(u) {
		it.URL = u
	}
	if it.OccurredAt.IsZero() {
		it.OccurredAt = o.when("modificationDate", "creationDate")
	}
}
