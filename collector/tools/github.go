package tools

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"quietpost/digest"
)

// A githubEvent is one delivery of GitHub and the item it becomes. The payloads are described at
// https://docs.github.com/en/webhooks/webhook-events-and-payloads.
type githubEvent struct {
	node
	event, action string
	item          *digest.Item
}

// GitHub reads the webhooks of GitHub, of GitHub Enterprise and of what speaks as they do. Every event becomes an item;
// those it has no words of its own for become a plain one. What is mere bookkeeping (labels, assignments, pushes to a
// branch under review) has low priority; a ping and a check that only began are ignored.
func GitHub(h http.Header, body []byte) (Reading, error) {
	r := Reading{Key: h.Get("X-GitHub-Delivery")}
	n, err := parse(formPayload(h, body))
	if err != nil {
		return r, err
	}
	if n.object() == nil {
		return r, fmt.Errorf("%w: GitHub posts a JSON object", ErrUnreadable)
	}
	g := &githubEvent{node: n, event: h.Get("X-GitHub-Event"), action: n.str("action"), item: &digest.Item{}}
	if githubReader(g.event) == nil {
		if e := g.infer(); g.event == "" || githubReader(e) != nil {
			g.event = e
		}
	}
	if reason := g.read(); reason != "" {
		r.Ignored = reason
		return r, nil
	}
	r.Items = []digest.Item{*g.item}
	return r, nil
}

// infer finds the event's name where the header is lost, as in a body replayed by hand.
func (g *githubEvent) infer() string {
	for _, c := range []struct{ keys, event string }{
		{"pull_request review", "pull_request_review"}, {"pull_request comment", "pull_request_review_comment"},
		{"pull_request thread", "pull_request_review_thread"}, {"pull_request", "pull_request"},
		{"issue comment", "issue_comment"}, {"issue", "issues"},
		{"discussion comment", "discussion_comment"}, {"discussion", "discussion"},
		{"release", "release"}, {"workflow_job", "workflow_job"}, {"workflow_run", "workflow_run"},
		{"check_run", "check_run"}, {"check_suite", "check_suite"}, {"deployment_status", "deployment_status"},
		{"deployment", "deployment"}, {"comment", "commit_comment"}, {"forkee", "fork"},
		{"hook zen", "ping"}, {"hook hook_id", "ping"}, {"starred_at", "star"},
		{"ref before after", "push"}, {"ref ref_type master_branch", "create"}, {"ref ref_type", "delete"},
		{"context state sha", "status"}, {"installation repositories_added", "installation_repositories"}, {"label", "label"}, {"milestone", "milestone"},
	} {
		all := true
		for _, k := range strings.Fields(c.keys) {
			_, ok := g.object()[k]
			all = all && ok
		}
		if all {
			return c.event
		}
	}
	for _, k := range g.keys() {
		switch k {
		case "repository", "sender", "organization", "installation", "enterprise", "changes":
		default:
			if g.at(k).object() != nil {
				return k
			}
		}
	}
	switch {
	case g.has("repository"):
		return "repository"
	case g.has("installation.account"):
		return "installation"
	}
	return ""
}

// read fills the item, or says why there is nothing to tell.
func (g *githubEvent) read() digest.Reason {
	it := g.item
	it.Event = strings.Trim(g.event+"."+g.action, ".")
	it.Project = g.project()
	it.Author = g.str("sender.login", "pusher.name", "sender.username", "user.login")
	it.URL = g.link("repository.html_url", "organization.html_url")
	it.Kind = digest.KindStatus
	var reason digest.Reason
	if read := githubReader(g.event); read != nil {
		reason = read(g)
	}
	if it.Title == "" {
		g.plain()
	}
	return reason
}

// project is the repository, else who the event is about: an organisation, an account.
func (g *githubEvent) project() string {
	owner, name := g.str("repository.owner.login", "repository.owner.name"), g.str("repository.name")
	if !g.has("repository.full_name") && owner != "" && name != "" {
		return owner + "/" + name
	}
	return g.str("repository.full_name", "organization.login", "installation.account.login",
		"enterprise.slug", "repositories.0.full_name", "sponsorship.sponsorable.login", "marketplace_purchase.account.login")
}

// githubReader is the table of events with words of their own.
func githubReader(event string) func(*githubEvent) digest.Reason {
	switch event {
	case "ping":
		return func(*githubEvent) digest.Reason { return "ping: GitHub tried whether the hook works" }
	case "push":
		return (*githubEvent).push
	case "pull_request", "pull_request_target":
		return told((*githubEvent).pullRequest)
	case "pull_request_review":
		return told((*githubEvent).review)
	case "pull_request_review_comment", "pull_request_comment":
		return told((*githubEvent).reviewComment)
	case "pull_request_review_thread":
		return told((*githubEvent).reviewThread)
	case "issues":
		return told((*githubEvent).issue)
	case "issue_comment":
		return told((*githubEvent).issueComment)
	case "commit_comment":
		return told((*githubEvent).commitComment)
	case "discussion":
		return told((*githubEvent).discussion)
	case "discussion_comment":
		return told((*githubEvent).discussionComment)
	case "release":
		return told((*githubEvent).release)
	case "create", "delete":
		return told((*githubEvent).branchOrTag)
	case "fork":
		return told((*githubEvent).fork)
	case "star", "watch":
		return told((*githubEvent).star)
	case "workflow_run":
		return (*githubEvent).workflowRun
	case "workflow_job":
		return (*githubEvent).workflowJob
	case "check_run":
		return (*githubEvent).checkRun
	case "check_suite":
		return (*githubEvent).checkSuite
	case "status":
		return (*githubEvent).commitStatus
	case "deployment":
		return told((*githubEvent).deployment)
	case "deployment_status":
		return (*githubEvent).deploymentStatus
	case "dependabot_alert", "code_scanning_alert", "secret_scanning_alert":
		return told((*githubEvent).alert)
	case "repository_vulnerability_alert":
		return told((*githubEvent).vulnerability)
	case "security_advisory", "repository_advisory":
		return told((*githubEvent).advisory)
	case "page_build":
		return told((*githubEvent).pageBuild)
	case "gollum":
		return told((*githubEvent).wiki)
	}
	return githubHouse(event)
}

// told is for events that always give an item.
func told(fill func(*githubEvent)) func(*githubEvent) digest.Reason {
	return func(g *githubEvent) digest.Reason { fill(g); return "" }
}

// low marks the item as bookkeeping.
func (g *githubEvent) low() { low(g.item) }

// low gives an item low priority: it comes last in its project and never alone in a subject.
func low(it *digest.Item) {
	it.Priority = "low"
	if it.Reasons == nil {
		it.Reasons = map[string]digest.Reason{}
	}
	it.Reasons["priority"] = "bookkeeping, or what went as it should"
}

// notLow takes low back.
func notLow(it *digest.Item) {
	it.Priority = ""
	delete(it.Reasons, "priority")
}

// botComment gives a comment that a bot wrote low priority; what bots do otherwise counts as anybody's.
func botComment(it *digest.Item, login string) {
	if strings.HasSuffix(login, "[bot]") || tokenBot.MatchString(login) {
		low(it)
		it.Reasons["priority"] = "a bot wrote it"
	}
}

// tokenBot are the users that GitLab makes for the access tokens of projects and groups.
var tokenBot = regexp.MustCompile(`^(?:project|group)_\d+_bot`)

// urgent marks an item, with the reason that mails and explain will show.
func urgent(it *digest.Item, why digest.Reason) {
	it.Urgent = true
	if it.Reasons == nil {
		it.Reasons = map[string]digest.Reason{}
	}
	it.Reasons["urgent"] = why
}

// lowIf marks it if the action is one of these words.
func (g *githubEvent) lowIf(actions string) {
	for _, a := range strings.Fields(actions) {
		if a == g.action {
			g.low()
		}
	}
}

// plain makes a line of an event without words of its own: "Milestone closed: v1.2".
func (g *githubEvent) plain() {
	it := g.item
	subject := g.at(g.event)
	name := subject.str("title", "name", "login", "key", "full_name", "tag_name", "description", "app_slug", "account.login",
		"sponsor.login", "path")
	if name == "" {
		name = g.str("member.login", "team.name", "rule.name", "hook.name", "key.title", "changes.title.from")
	}
	what := "Update"
	if g.event != "" {
		what = words(g.event)
	}
	if g.action != "" && g.action != g.event {
		what += " " + strings.ToLower(words(g.action))
	}
	if name == "" && it.Project != "" {
		what += " in " + it.Project
	}
	it.Title = title(what, name)
	if u := subject.link("html_url"); u != "" {
		it.URL = u
	}
	it.Body = excerpt(subject.str("body", "note", "description"))
	if it.Body == name {
		it.Body = ""
	}
	it.OccurredAt = subject.when("updated_at", "created_at")
}

// labels are the names of an issue's or pull request's labels, as tags.
func (n node) labels() []string {
	var names []string
	for _, l := range n.list("labels") {
		names = append(names, l.str("name"))
	}
	return lowerTags(names)
}

// short is a commit's hash as people write it.
func short(sha string) string { return sha[:min(len(sha), 7)] }
