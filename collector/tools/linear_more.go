package tools

import (
	"strings"

	"quietpost/digest"
)

// What else than issues Linear tells of.

func (l *linearEvent) comment() {
	it, d := l.item, l.data
	it.Kind, it.Body = digest.KindComment, quote(d.str("body"))
	what := "Comment"
	switch l.action {
	case "update":
		what = "Comment edited"
		if l.changedOnly("resolvedAt", "resolvingUserId", "resolvingCommentId") {
			what = "Comment resolved"
			if !d.has("resolvedAt") {
				what = "Comment reopened"
			}
		}
		l.low()
	case "remove":
		what, it.Body = "Comment deleted", ""
		l.low()
	}
	of, on := d.str("issue.title"), d.str("issue.identifier")
	if on == "" {
		on = identifierIn(it.URL)
	}
	if on == "" && of != "" {
		on = "an issue"
	}
	switch {
	case d.has("projectUpdate") || d.has("projectUpdateId"):
		on, of = "an update of project "+d.str("projectUpdate.project.name", "project.name"), ""
		it.Thread = thread("update", d.str("projectUpdateId", "projectUpdate.id"))
	case d.has("documentContent") || d.has("document"):
		on, of = "a document", d.str("documentContent.document.title", "document.title", "documentContent.title")
		it.Thread = thread("document", d.str("documentContentId", "document.id"))
	case d.has("project") && !d.has("issue"):
		on, of = "project "+d.str("project.name"), ""
		it.Thread = thread("project", d.str("project.id", "projectId"))
	default:
		l.thread("data.issueId", "data.issue.id")
	}
	if on = strings.TrimSpace(on); on == "" {
		on = "an issue"
	}
	it.Title = title(what+" on "+on, of)
	if d.has("botActor.name") && !d.has("user.name") {
		botComment(it, "[bot]")
	}
	if l.action == "create" {
		if who := d.str("user.name", "botActor.name", "externalUser.name"); who != "" {
			it.Author = who
		}
	}
}

// changedOnly tells whether an update changed some of fields and no other.
func (l *linearEvent) changedOnly(fields ...string) bool {
	changed := l.changed()
	for _, c := range changed {
		if !strings.Contains(" "+strings.Join(fields, " ")+" ", " "+c+" ") {
			return false
		}
	}
	return len(changed) > 0
}

// linearHealth is how a project stands, in words and as a level.
var linearHealth = map[string]struct{ words, level string }{
	"onTrack": {"on track", "info"}, "atRisk": {"at risk", "warning"}, "offTrack": {"off track", "error"},
}

// update is a written report on a project or initiative.
func (l *linearEvent) update() {
	it, d := l.item, l.data
	of, what := d.str("project.name"), "project"
	if l.kind == "InitiativeUpdate" {
		of, what = d.str("initiative.name"), "initiative"
	}
	head := "Update on " + strings.TrimSpace(what+" "+of)
	h := linearHealth[d.str("health")]
	it.Kind, it.Level, it.State = digest.KindRecap, h.level, h.words
	it.Body = excerpt(d.str("body"))
	it.Thread = thread(what, d.str("projectId", "initiativeId", "project.id", "initiative.id"))
	if it.Author == "" {
		it.Author = d.str("user.name")
	}
	switch l.action {
	case "update":
		head += " edited"
		l.low()
	case "remove":
		head, it.Body = head+" deleted", ""
		l.low()
	}
	it.Title = title(head, capital(h.words))
}

// plan is a project or initiative.
func (l *linearEvent) plan() digest.Reason {
	it, d := l.item, l.data
	it.Thread = thread(strings.ToLower(l.kind), d.str("id"))
	it.State = strings.ToLower(d.str("status.name", "state", "status"))
	name := l.kind + " " + d.str("name")
	from := l.at("updatedFrom").object()
	has := func(k string) bool { _, ok := from[k]; return ok }
	switch {
	case l.action == "create":
		it.Title, it.Body = title(name+" created"), excerpt(d.str("description"))
		it.Due = day(d.str("targetDate"))
	case l.action != "update":
		it.Title = title(name + " " + l.done())
	case from != nil && len(l.changed()) == 0:
		return "only its place in a list or an inner date has changed"
	case has("statusId") || has("state") || has("status"):
		it.Title = title(name + " is now " + strings.ToLower(words(it.State)))
	case has("health"):
		h := linearHealth[d.str("health")]
		it.Level, it.Title = h.level, title(name+" is "+h.words)
		if h.words == "" {
			it.Title = title(name + " has no health set now")
		}
	case has("targetDate") && d.str("targetDate") != "":
		it.Due = day(d.str("targetDate"))
		it.Title = title(name + " now due on " + d.str("targetDate"))
	case has("leadId"):
		it.Title = title(name + " is now led by " + orSomebody(d.str("lead.name")))
	default:
		it.Title = title(name + " edited")
		l.low()
	}
	return ""
}

// sla: the time in which an issue must be solved is set, runs short or is over.
func (l *linearEvent) sla() {
	it := l.item
	d := l.at("issueData")
	if d.object() == nil {
		d = l.data
	}
	no := d.str("identifier")
	if no == "" {
		no = "an issue"
	}
	it.Thread = thread("issue", d.str("id"))
	if u := d.link("url"); u != "" {
		it.URL = u
	}
	what := "SLA of " + no + " set"
	switch l.action {
	case "highRisk":
		it.Level, what = "warning", "SLA of "+no+" runs short"
	case "breached":
		it.Level, what = "error", "SLA of "+no+" missed"
	default:
		l.low()
	}
	it.Title = title(what, d.str("title"))
	if t := d.when("slaBreachesAt"); !t.IsZero() && l.action != "breached" {
		it.Due = t.Format("2006-01-02")
	}
}

func (l *linearEvent) reaction() {
	it, d := l.item, l.data
	verb := " reacted with "
	if l.action == "remove" {
		verb = " took back "
	}
	on, of := "something", ""
	switch {
	case d.has("comment"):
		on, of = "a comment", firstLine(d.str("comment.body"))
	case d.has("projectUpdate"):
		on, of = "a project update", firstLine(d.str("projectUpdate.body"))
	case d.has("issue"):
		on, of = "issue "+d.str("issue.identifier"), d.str("issue.title")
	}
	l.thread("data.issueId", "data.issue.id", "data.comment.issueId", "data.comment.issue.id")
	it.Title = title(orSomebody(it.Author)+verb+emoji(":"+d.str("emoji")+":")+" on "+on, of)
	l.low()
}

func (l *linearEvent) attachment() {
	it, d := l.item, l.data
	l.thread("data.issueId", "data.issue.id")
	it.Title = title("Attachment "+strings.Replace(l.done(), "created", "added", 1), d.str("title", "url"))
	if s := d.str("subtitle"); s != "" && l.action != "remove" {
		it.Body = escape(digest.OneLine(s, titleMax))
	}
	l.low()
}

func (l *linearEvent) cycle() {
	it, d := l.item, l.data
	it.Thread = thread("cycle", d.str("id"))
	name := strings.TrimSpace("Cycle " + d.str("name", "number"))
	from, until := day(d.str("startsAt")), day(d.str("endsAt"))
	span := ""
	if from != "" && until != "" {
		span = from + " to " + until
	}
	switch {
	case l.action == "update" && d.has("completedAt") && l.has("updatedFrom.completedAt") != d.has("completedAt"):
		it.State, it.Title = "closed", title(name+" ended", span)
	case l.action == "create":
		it.Title = title(name+" planned", span)
		l.low()
	case l.action == "update":
		it.Title = title(name+" changed", span)
		l.low()
	default:
		it.Title = title(name+" "+l.done(), span)
		l.low()
	}
}

// named is for what has a name and little else: labels, documents, users, customers and their requests.
func (l *linearEvent) named() {
	it, d := l.item, l.data
	kind := words(l.kind)
	switch l.kind {
	case "IssueLabel", "ProjectLabel":
		kind = "Label"
		l.low()
	case "CustomerNeed", "CustomerRequest":
		kind = "Customer request"
	case "":
		return
	}
	name := d.str("title", "name", "displayName", "body", "customer.name", "email")
	if name == "" {
		return
	}
	it.Thread = thread(strings.ToLower(strings.ReplaceAll(kind, " ", "-")), d.str("id"))
	if l.kind == "CustomerNeed" || l.kind == "CustomerRequest" {
		l.thread("data.issueId", "data.issue.id")
		if it.Thread != "" && l.action == "create" {
			it.Kind = digest.KindRequest
		}
		it.Body = quote(d.str("body"))
		if c := d.str("customer.name"); c != "" {
			name = c
			if of := d.str("issue.title"); of != "" {
				name += ", on " + of
			}
		}
	}
	it.Title = title(kind+" "+l.done(), firstLine(name))
	if l.action == "update" {
		l.low()
	}
}
