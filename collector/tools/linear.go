package tools

import (
	"fmt"
	"net/http"
	"strings"

	"quietpost/digest"
)

// A linearEvent is one delivery of Linear and the item it becomes.
type linearEvent struct {
	node
	kind, action string // "Issue", "create"
	data         node
	item         *digest.Item
}

// Linear reads the webhooks of Linear (https://linear.app/developers/webhooks). A team is a project here; what belongs
// to a project of Linear's alone goes under that project's name.
func Linear(h http.Header, body []byte) (Reading, error) {
	r := Reading{Key: strings.TrimSpace(h.Get("Linear-Delivery"))} // webhookId in the body is the hook's, the same for every delivery
	n, err := parse(formPayload(h, body))
	if err != nil {
		return r, err
	}
	if n.object() == nil {
		return r, fmt.Errorf("%w: Linear posts a JSON object", ErrUnreadable)
	}
	l := &linearEvent{node: n, kind: n.str("type"), action: n.str("action"), data: n.at("data"), item: &digest.Item{Kind: digest.KindStatus}}
	if l.kind == "" {
		l.kind = strings.TrimSpace(h.Get("Linear-Event"))
	}
	it := l.item
	it.Event = strings.Trim(l.kind+"."+l.action, ".")
	it.Project, it.URL = l.project(), l.link("url", "data.url")
	it.Author = l.str("actor.name", "data.user.name", "data.botActor.name", "agentSession.creator.name", "data.creator.name")
	it.OccurredAt = l.when("createdAt", "data.updatedAt", "data.createdAt", "webhookTimestamp")
	if reason := l.read(); reason != "" {
		r.Ignored = reason
		return r, nil
	}
	if it.Title == "" {
		*it = guessed(h, n, l.kind, l.action)
		it.Project = l.project()
	}
	r.Items = []digest.Item{*it}
	return r, nil
}

// project is the team's key. A comment does not bring its team; the address of its issue holds it: …/issue/WEB-46#….
func (l *linearEvent) project() string {
	if p := l.str("data.team.key", "data.issue.team.key", "data.issue.identifier", "issueData.team.key", "notification.issue.team.key",
		"agentSession.issue.identifier"); p != "" {
		p, _, _ = strings.Cut(p, "-")
		return p
	}
	if id := identifierIn(l.link("url", "data.url")); id != "" {
		p, _, _ := strings.Cut(id, "-")
		return p
	}
	if _, rest, ok := strings.Cut(l.link("url"), "/team/"); ok {
		team, _, _ := strings.Cut(rest, "/")
		return team
	}
	for _, k := range []string{"data.team.name", "data.project.name", "data.initiative.name", "data.teams.0.key", "data.teams.0.name"} {
		if p := l.str(k); p != "" {
			return p
		}
	}
	if l.kind == "Project" || l.kind == "Initiative" {
		return l.data.str("name")
	}
	return ""
}

// identifierIn is the issue's identifier that an address of Linear names.
func identifierIn(u string) string {
	_, rest, ok := strings.Cut(u, "/issue/")
	if !ok {
		return ""
	}
	id, _, _ := strings.Cut(strings.FieldsFunc(rest+"/", func(r rune) bool { return r == '/' || r == '#' || r == '?' })[0], " ")
	return id
}

func (l *linearEvent) low() { low(l.item) }

// done is the action as a participle.
func (l *linearEvent) done() string {
	if l.action == "remove" {
		return "deleted"
	}
	return gitlabDone(l.action)
}

// read fills the item, or says why there is nothing to tell; a type it does not know leaves the title empty.
func (l *linearEvent) read() digest.Reason {
	switch l.kind {
	case "Issue":
		return l.issue()
	case "Comment":
		l.comment()
	case "ProjectUpdate", "InitiativeUpdate":
		l.update()
	case "Project", "Initiative":
		return l.plan()
	case "IssueSLA":
		l.sla()
	case "Reaction":
		l.reaction()
	case "Attachment":
		l.attachment()
	case "Cycle":
		l.cycle()
	case "AppUserNotification", "AgentSessionEvent", "PermissionChange", "OAuthAuthorization":
		return "for an app of Linear's own, not for people"
	case "OAuthApp":
		l.item.Title = title("Authorization of an app " + l.done())
	case "IssueRelation":
		l.item.Title = title("Link between issues "+l.done(), strings.ToLower(words(l.data.str("type"))))
		l.low()
	default:
		l.named()
	}
	return ""
}

// thread is an issue's: by its id, since most events bring no identifier.
func (l *linearEvent) thread(ids ...string) {
	l.item.Thread = thread("issue", l.str(ids...))
}

func (l *linearEvent) issue() digest.Reason {
	it, d := l.item, l.data
	l.thread("data.id", "data.identifier")
	no := d.str("identifier")
	if no == "" && d.str("team.key") != "" && d.str("number") != "" {
		no = d.str("team.key") + "-" + d.str("number")
	}
	if no == "" {
		no = identifierIn(it.URL)
	}
	if no == "" {
		no = "Issue"
	}
	it.Level = strings.ToLower(d.str("priorityLabel"))
	if it.Level == "no priority" || it.Level == "" {
		it.Level = map[string]string{"1": "urgent", "2": "high", "3": "medium", "4": "low"}[d.str("priority")]
	}
	it.State, it.Due = linearState(d.at("state")), day(d.str("dueDate"))
	if it.State == "done" || it.State == "canceled" {
		it.Due = ""
	}
	it.Tags = d.labels()
	it.Title = title(no, d.str("title"))
	switch l.action {
	case "create":
		it.Title = title(no+" created", d.str("title"))
		var facts []string
		if it.Level != "" {
			facts = append(facts, "priority "+escape(it.Level))
		}
		if s := d.str("state.name"); s != "" {
			facts = append(facts, "state "+escape(s))
		}
		if a := d.str("assignee.name"); a != "" {
			facts = append(facts, "assigned to "+escape(a))
		}
		it.Body = paragraphs(capital(strings.Join(facts, ", ")), excerpt(d.str("description")))
		if it.Level == "urgent" {
			urgent(it, "its priority in Linear is Urgent")
		}
	case "remove":
		it.State, it.Title = "deleted", title(no+" deleted", d.str("title"))
	case "update":
		return l.issueUpdate(no)
	}
	return ""
}

// linearState is the state's name; the types that end an issue are named alike for everybody.
func linearState(s node) string {
	switch s.str("type") {
	case "completed":
		return "done"
	case "canceled", "duplicate":
		return "canceled"
	}
	return strings.ToLower(s.str("name"))
}

// linearInner are the fields that Linear changes by itself when another one is changed, or when an issue is dragged.
var linearInner = map[string]bool{"updatedAt": true, "sortOrder": true, "boardOrder": true, "subIssueSortOrder": true, "prioritySortOrder": true,
	"startedAt": true, "completedAt": true, "canceledAt": true, "triagedAt": true, "autoClosedAt": true, "autoArchivedAt": true,
	"addedToCycleAt": true, "addedToTeamAt": true, "addedToProjectAt": true, "descriptionData": true, "bodyData": true, "editedAt": true,
	"reactionData": true, "previousIdentifiers": true, "progressHistory": true, "currentProgress": true, "slaStartedAt": true,
	"slaBreachesAt": true, "slaHighRiskAt": true, "slaMediumRiskAt": true, "slaType": true, "startedTriageAt": true, "snoozedById": true,
	"subscriberIds": true, "stateHistory": true, "integrationSourceType": true, "contentState": true}

// changed are the fields an update has changed, inner ones left out.
func (l *linearEvent) changed() (fields []string) {
	for _, k := range l.at("updatedFrom").keys() {
		if !linearInner[k] {
			fields = append(fields, k)
		}
	}
	return fields
}

// issueUpdate says what was changed. A new state, priority or due date is news; all else has low priority.
func (l *linearEvent) issueUpdate(no string) digest.Reason {
	it, d, from := l.item, l.data, l.at("updatedFrom").object()
	fields := l.changed()
	if from != nil && len(fields) == 0 {
		return "only its place in a list or an inner date has changed"
	}
	has := func(k string) bool { _, ok := from[k]; return ok }
	what := no + " updated"
	switch {
	case has("stateId"):
		what = no + " moved to " + d.str("state.name")
		if d.str("state.name") == "" {
			what = no + " has another state"
		}
	case has("archivedAt") && d.has("archivedAt"):
		what = no + " archived"
		l.low()
	case has("archivedAt"):
		what = no + " taken out of the archive"
		l.low()
	case has("trashed") && d.truth("trashed"):
		what = no + " put in the bin"
	case has("teamId"):
		what = no + " moved to team " + d.str("team.name", "team.key")
	case has("priority"):
		what = no + " now of priority " + it.Level
		if it.Level == "" {
			what = no + " has no priority any more"
		}
		if it.Level == "urgent" {
			urgent(it, "its priority in Linear was made Urgent")
		}
	case has("dueDate") && it.Due != "":
		what = no + " now due on " + it.Due
	case has("assigneeId") || has("assignee"):
		l.low()
		if what = no + " assigned to " + d.str("assignee.name"); d.str("assignee.name") == "" {
			what = no + " assigned to nobody"
		}
	case has("title"):
		what = no + " renamed"
		l.low()
	case has("description"):
		what = "Description of " + no + " edited"
		l.low()
	case has("labelIds"):
		what = no + " relabelled"
		if len(it.Tags) > 0 {
			what = no + " now labelled " + list(it.Tags)
		}
		l.low()
	default:
		var names []string
		for _, f := range fields {
			names = append(names, strings.ToLower(words(strings.TrimSuffix(strings.TrimSuffix(f, "Ids"), "Id"))))
		}
		if len(names) > 0 {
			what = no + " has another " + list(names)
		}
		l.low()
	}
	it.Title = title(what, d.str("title"))
	return ""
}
