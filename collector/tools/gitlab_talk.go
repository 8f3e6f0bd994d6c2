package tools

import (
	"regexp"
	"strings"

	"quietpost/digest"
)

// What people do on GitLab: merge requests, issues and work items, comments.

func (g *gitlabEvent) mergeRequest() {
	mr, it := g.attrs, g.item
	n := mr.str("iid", "id")
	no := numbered("MR", n)
	no = strings.Replace(no, "#", "!", 1)
	it.Kind, it.Thread, it.Tags = digest.KindReview, thread("mr", n), gitlabLabels(g.node)
	draft := mr.truth("draft") || mr.truth("work_in_progress")
	var what string
	switch g.opening() {
	case "open", "reopen":
		what, it.State = no+" "+map[string]string{"open": "opened", "reopen": "reopened"}[g.opening()], "open"
		if draft {
			it.State, what = "draft", "Draft "+what
		}
		it.Body = paragraphs(g.branches(), excerpt(mr.str("description")))
	case "merge":
		it.State, what, it.Body = "merged", no+" merged", g.branches()
	case "close":
		it.State, what = "closed", no+" closed without merging"
	case "approved": // all approvals that are needed
		it.State, what = "approved", no+" approved"
	case "approval":
		what = no + " approved by " + orSomebody(it.Author)
	case "unapproved":
		it.State, what = "open", "Approval of "+no+" taken back"
	case "unapproval":
		what = "Approval of " + no + " taken back by " + orSomebody(it.Author)
	default:
		what = g.mergeRequestUpdate(no)
	}
	if mr.truth("system") { // approvals that a push reset, not a person
		g.low()
	}
	of := mr.str("title")
	if draft { // what goes before it says so
		of = draftMark.ReplaceAllString(of, "")
	}
	it.Title = title(what, of)
}

// draftMark is what makes a merge request a draft.
var draftMark = regexp.MustCompile(`(?i)^\s*(?:draft:|wip:|\[draft\]|\[wip\]|\(draft\))\s*`)

// opening is the action; where it is missing, as in the oldest versions, the state tells of it.
func (g *gitlabEvent) opening() string {
	if g.action != "" || len(g.at("changes").object()) > 0 {
		return g.action
	}
	return map[string]string{"opened": "open", "reopened": "reopen", "merged": "merge", "closed": "close"}[g.attrs.str("state")]
}

func (g *gitlabEvent) branches() string {
	from, to := g.attrs.str("source_branch"), g.attrs.str("target_branch")
	if from == "" || to == "" {
		return ""
	}
	fork, own := g.attrs.str("source.path_with_namespace"), g.attrs.str("target.path_with_namespace")
	if fork != own && fork != "" {
		from = fork + ":" + from
	}
	return code(from) + " into " + code(to) + "."
}

// mergeRequestUpdate says what was changed. Only a review that is asked for and a draft that is ready are news; all
// else has low priority.
func (g *gitlabEvent) mergeRequestUpdate(no string) string {
	it, changes := g.item, g.at("changes")
	if c := changes.at("draft"); c.object() == nil {
		if c = changes.at("work_in_progress"); c.object() != nil {
			changes.object()["draft"] = c.v
		}
	}
	for _, r := range changes.list("reviewers.current") {
		if r.truth("re_requested") {
			it.State = "open"
			return "Review of " + no + " asked again of " + orSomebody(r.str("username", "name"))
		}
	}
	if added, _ := changed(changes.at("reviewers"), "username", "name"); len(added) > 0 {
		it.State = "open"
		return "Review of " + no + " asked of " + list(added)
	}
	switch {
	case changes.has("draft.current") && !changes.truth("draft.current"):
		it.State = "open"
		return no + " ready for review"
	case changes.truth("draft.current"):
		it.State = "draft"
		g.low()
		return no + " is a draft again"
	case g.attrs.str("oldrev") != "":
		it.Body = g.lastCommit()
		g.low()
		return "New commits on " + no
	}
	return g.edited(no)
}

func (g *gitlabEvent) lastCommit() string {
	c := g.attrs.at("last_commit")
	sha := code(short(c.str("id")))
	if sha == "" {
		return ""
	}
	return "Newest: " + strings.TrimSpace(sha+" "+escape(digest.OneLine(firstLine(c.str("message", "title")), 120)))
}

// changed are the names that a list of changes has gained and lost.
func changed(c node, names ...string) (added, gone []string) {
	had := map[string]bool{}
	for _, p := range c.list("previous") {
		had[p.str(names...)] = true
	}
	now := map[string]bool{}
	for _, p := range c.list("current") {
		n := p.str(names...)
		now[n] = true
		if n != "" && !had[n] {
			added = append(added, digest.OneLine(n, 60))
		}
	}
	for _, p := range c.list("previous") {
		if n := p.str(names...); n != "" && !now[n] {
			gone = append(gone, digest.OneLine(n, 60))
		}
	}
	return added, gone
}

// list is "ana", "ana and bo", "ana, bo and 3 more".
func list(names []string) string {
	switch n := len(names); {
	case n == 0:
		return ""
	case n == 1:
		return names[0]
	case n == 2:
		return names[0] + " and " + names[1]
	case n == 3:
		return names[0] + ", " + names[1] + " and " + names[2]
	default:
		return names[0] + ", " + names[1] + " and " + count(n-2, "more")[:len(count(n-2, "more"))-1]
	}
}

// edited says what the changes of an update are, as far as a person set them.
func (g *gitlabEvent) edited(no string) string {
	g.low()
	changes := g.at("changes")
	labels, unlabels := changed(changes.at("labels"), "title")
	to, from := changed(changes.at("assignees"), "username", "name")
	switch {
	case len(labels) > 0:
		return no + " labelled " + list(labels)
	case len(unlabels) > 0:
		return no + " no longer labelled " + list(unlabels)
	case len(to) > 0:
		return no + " assigned to " + list(to)
	case len(from) > 0:
		return no + " no longer assigned to " + list(from)
	case changes.str("target_branch.current") != "":
		return no + " now goes into " + changes.str("target_branch.current")
	case changes.str("severity.current") != "":
		notLow(g.item)
		return no + " is now of severity " + changes.str("severity.current")
	case changes.str("escalation_status.current") != "":
		notLow(g.item)
		return no + " " + gitlabEscalation[changes.str("escalation_status.current")]
	case changes.str("health_status.current") != "":
		notLow(g.item)
		return no + " is now " + strings.ToLower(words(changes.str("health_status.current")))
	case changes.truth("merge_when_pipeline_succeeds.current"):
		return no + " will merge when its pipeline has passed"
	case changes.str("progress.current") != "":
		return no + " is at " + changes.str("progress.current") + " %"
	case changes.has("due_date.current"):
		notLow(g.item)
		return no + " now due on " + changes.str("due_date.current")
	case changes.truth("confidential.current"):
		return no + " made confidential"
	case changes.truth("discussion_locked.current"):
		return no + " locked"
	case changes.str("weight.current") != "":
		return no + " now of weight " + changes.str("weight.current")
	case changes.has("milestone_id.current"):
		return no + " put on a milestone"
	case changes.has("milestone_id"):
		return no + " taken off its milestone"
	}
	for _, c := range []struct{ key, words string }{{"title", "renamed"}, {"description", "edited"}, {"time_estimate", "estimated anew"},
		{"total_time_spent", "had time booked"}, {"health_status", "has another health status"}, {"merge_status", "checked for mergeability"}} {
		if changes.has(c.key) {
			return no + " " + c.words
		}
	}
	return no + " updated"
}

var gitlabEscalation = map[string]string{"triggered": "triggered", "acknowledged": "acknowledged", "resolved": "resolved", "ignored": "ignored",
	"0": "triggered", "1": "acknowledged", "2": "resolved", "3": "ignored"}

// gitlabLabels are the labels of what the event is about, as tags.
func gitlabLabels(n node) []string {
	var names []string
	for _, at := range []string{"labels", "object_attributes.labels"} {
		for _, l := range n.list(at) {
			names = append(names, l.str("title", "name"))
		}
	}
	return lowerTags(names)
}

// issueName is what people call a work item: "Issue #3", "Incident #3", "Epic &3".
func issueName(kind, n string) string {
	if kind = words(kind); kind == "" {
		kind = "Issue"
	}
	no := numbered(kind, n)
	if kind == "Epic" {
		no = strings.Replace(no, "#", "&", 1)
	}
	return no
}

func (g *gitlabEvent) issue() {
	a, it := g.attrs, g.item
	kind := a.str("type", "issue_type")
	if kind == "" && g.event != "work_item" {
		kind = g.event
	}
	n := a.str("iid", "id")
	no := issueName(kind, n)
	it.Thread, it.Tags, it.Due = thread("issue", n), gitlabLabels(g.node), day(a.str("due_date"))
	if strings.EqualFold(kind, "epic") {
		it.Thread = thread("epic", n)
	}
	if it.Level = strings.ToLower(a.str("severity")); it.Level == "unknown" {
		it.Level = ""
	}
	var what string
	switch g.opening() {
	case "open", "reopen":
		what, it.State = no+" "+map[string]string{"open": "opened", "reopen": "reopened"}[g.opening()], "open"
		it.Body = excerpt(a.str("description"))
	case "close":
		what, it.State, it.Due = no+" closed", "closed", ""
	default:
		what = g.edited(no)
		if g.at("changes").str("escalation_status.current") == "resolved" {
			it.State = "resolved"
		}
	}
	if strings.EqualFold(kind, "incident") && it.Priority != "low" {
		it.Kind = digest.KindIncident
	}
	it.Title = title(what, a.str("title"))
}

// noted is what a comment or reaction is on, as people call it, and its title. It sets the thread.
func (g *gitlabEvent) noted() (on, of string) {
	it := g.item
	switch {
	case g.has("merge_request"):
		n := g.str("merge_request.iid", "merge_request.id")
		it.Thread = thread("mr", n)
		return strings.Replace(numbered("MR", n), "#", "!", 1), g.str("merge_request.title")
	case g.has("issue"):
		n, kind := g.str("issue.iid", "issue.id"), g.str("issue.type", "issue.issue_type")
		it.Thread = thread("issue", n)
		no := issueName(kind, n)
		return strings.ToLower(no[:1]) + no[1:], g.str("issue.title")
	case g.has("epic"):
		n := g.str("epic.iid", "epic.id")
		it.Thread = thread("epic", n)
		return strings.Replace(numbered("epic", n), "#", "&", 1), g.str("epic.title")
	case g.has("snippet"), g.has("project_snippet"):
		n := g.str("snippet.id", "project_snippet.id")
		it.Thread = thread("snippet", n)
		return strings.Replace(numbered("snippet", n), "#", "$", 1), g.str("snippet.title", "snippet.file_name", "project_snippet.title")
	case g.has("commit"):
		sha := short(g.str("commit.id", "object_attributes.commit_id"))
		it.Thread = thread("commit", sha)
		return strings.TrimSpace("commit " + sha), firstLine(g.str("commit.title", "commit.message"))
	}
	return "", ""
}

func (g *gitlabEvent) note() {
	a, it := g.attrs, g.item
	on, of := g.noted()
	if on == "" {
		on = "something"
		if t := a.str("noteable_type"); t != "" {
			on = "a " + strings.ToLower(words(t[strings.LastIndex(t, ":")+1:])) // DesignManagement::Design
		}
	}
	it.Kind = digest.KindComment
	what := "Comment"
	it.Body = quote(a.str("note", "description"))
	if path := a.str("position.new_path", "position.old_path"); path != "" {
		what = "Review comment"
		if line := a.str("position.new_line", "position.old_line"); line != "" {
			path += ":" + line
		}
		it.Body = paragraphs(code(path), it.Body)
	}
	switch {
	case g.action == "update":
		what += " edited"
		g.low()
	case a.truth("system"):
		g.low()
	}
	botComment(it, g.str("user.username"))
	it.Title = title(what+" on "+on, of)
}
