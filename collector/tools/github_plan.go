package tools

import (
	"strings"

	"quietpost/digest"
)

// What is planned, sold and shipped with GitHub: milestones, boards, packages, sponsors, gates before a deployment.

// githubPlan is the last part of the table of events with words of their own.
func githubPlan(event string) func(*githubEvent) digest.Reason {
	switch event {
	case "milestone":
		return told((*githubEvent).milestone)
	case "label":
		return told(func(g *githubEvent) {
			g.item.Title = title("Label "+g.str("label.name")+" "+g.action, g.str("label.description"))
			g.low()
		})
	case "project", "projects_v2":
		return told((*githubEvent).board)
	case "project_card", "project_column", "projects_v2_item":
		return told((*githubEvent).boardItem)
	case "projects_v2_status_update":
		return told((*githubEvent).boardStatus)
	case "sub_issues", "issue_dependencies":
		return told((*githubEvent).issueLinks)
	case "package", "registry_package":
		return told((*githubEvent).packaged)
	case "sponsorship":
		return told((*githubEvent).sponsorship)
	case "marketplace_purchase":
		return told((*githubEvent).purchase)
	case "merge_group":
		return (*githubEvent).mergeGroup
	case "deployment_review":
		return told((*githubEvent).deploymentReview)
	case "deployment_protection_rule":
		return told((*githubEvent).protection)
	case "workflow_dispatch", "repository_dispatch":
		return told((*githubEvent).dispatch)
	case "repository_import":
		return told((*githubEvent).imported)
	}
	if strings.HasPrefix(event, "exemption_request_") || strings.HasPrefix(event, "bypass_request_") || strings.HasPrefix(event, "dismissal_request_") {
		return told((*githubEvent).exemption)
	}
	return nil
}

func (g *githubEvent) milestone() {
	it, m := g.item, g.at("milestone")
	it.Thread = thread("milestone", m.str("number"))
	if u := m.link("html_url"); u != "" {
		it.URL = u
	}
	done := g.action
	switch g.action {
	case "created", "opened":
		it.State, it.Due = "open", day(m.str("due_on"))
		if done = "created"; g.action == "opened" {
			done = "opened again"
		}
		it.Body = excerpt(m.str("description"))
	case "closed":
		it.State = "closed"
		if open := m.str("open_issues"); open != "" && open != "0" {
			it.Body = "Still open: " + count(atoi(open), "issue") + "."
		}
	case "edited":
		g.low()
	case "deleted":
		it.State = "deleted"
	}
	it.Title = title("Milestone " + strings.TrimSpace(m.str("title")+" "+done))
	it.OccurredAt = m.when("updated_at", "created_at")
}

func (g *githubEvent) board() {
	it, p := g.item, g.at(g.event)
	it.Thread = thread("board", p.str("number", "id"))
	name := p.str("title", "name")
	it.Title = title("Project " + strings.TrimSpace(name+" "+strings.ToLower(words(g.action))))
	if u := p.link("html_url"); u != "" {
		it.URL = u
	}
	switch g.action {
	case "created":
		it.Body = excerpt(p.str("short_description", "body", "description"))
	case "edited":
		g.low()
	case "closed", "deleted":
		it.State = g.action
	}
	it.OccurredAt = p.when("updated_at", "created_at")
}

// boardItem: cards are moved all day; what stands on them is told by its own events.
func (g *githubEvent) boardItem() {
	it, c := g.item, g.at(g.event)
	g.low()
	done := strings.ToLower(words(g.action))
	it.OccurredAt = c.when("updated_at", "created_at")
	switch g.event {
	case "project_column":
		it.Title = title("Column "+done+" on a project board", c.str("name"))
	case "project_card":
		it.Title = title("Card "+done+" on a project board", firstLine(c.str("note")))
	default:
		what := map[string]string{"Issue": "Issue", "PullRequest": "Pull request", "DraftIssue": "Draft"}[c.str("content_type")]
		if what == "" {
			what = "Item"
		}
		it.Title = title(what + " " + done + " on a project board")
		v := g.at("changes.field_value")
		if f := v.str("field_name"); f != "" {
			from, to := v.str("from.name", "from.title", "from"), v.str("to.name", "to.title", "to")
			if it.Title = title(what + " on a project board: " + f + " changed"); to != "" {
				it.Title = title(what + " on a project board: " + f + " is now " + to)
			}
			if from != "" {
				it.Body = "Before: " + escape(digest.OneLine(from, 120))
			}
		}
	}
	it.Thread = thread("board-item", c.str("node_id", "id"))
}

func (g *githubEvent) boardStatus() {
	it, s := g.item, g.at("projects_v2_status_update")
	state := strings.ToLower(words(s.str("status")))
	it.Kind, it.State, it.Due = digest.KindRecap, state, day(s.str("target_date"))
	it.Level = map[string]string{"on track": "info", "complete": "info", "at risk": "warning", "off track": "error"}[state]
	it.Thread = thread("board", s.str("project_node_id"))
	it.Body = excerpt(s.str("body"))
	what := "Status of a project"
	if g.action != "created" && g.action != "" {
		what += " " + g.action
		g.low()
	}
	it.Title = title(what, capital(state))
	it.OccurredAt = s.when("updated_at", "created_at")
}

// issueLinks: sub-issues and what blocks what. GitHub tells each from both sides.
func (g *githubEvent) issueLinks() {
	it := g.item
	from, to, words := g.at("sub_issue"), g.at("parent_issue"), " is part of "
	if g.event == "issue_dependencies" {
		from, to, words = g.at("blocked_issue"), g.at("blocking_issue"), " is blocked by "
	}
	if strings.HasSuffix(g.action, "_removed") {
		words = strings.Replace(words, " is ", " is no longer ", 1)
	}
	it.Thread = thread("issue", from.str("number"))
	if u := from.link("html_url"); u != "" {
		it.URL = u
	}
	it.Title = title(numbered("Issue", from.str("number"))+words+numbered("issue", to.str("number")), from.str("title"))
	it.OccurredAt = from.when("updated_at")
	g.low()
}

func (g *githubEvent) packaged() {
	it, p := g.item, g.at(g.event)
	name := strings.TrimSpace(p.str("name") + " " + p.str("package_version.version", "package_version.name"))
	if v := p.str("package_version.version"); len(v) > 40 || strings.HasPrefix(v, "sha256:") { // an image's digest
		name = strings.TrimSuffix(p.str("name")+":"+p.str("package_version.container_metadata.tag.name"), ":")
	}
	it.Thread = thread("package", p.str("name"))
	it.Title = title("Package " + name + " " + strings.ToLower(words(g.action)))
	if u := p.link("package_version.html_url", "html_url"); u != "" {
		it.URL = u
	}
	if g.action == "updated" {
		g.low()
	}
	it.OccurredAt = p.when("updated_at", "created_at")
}

func (g *githubEvent) sponsorship() {
	it, s := g.item, g.at("sponsorship")
	who, whom := orSomebody(s.str("sponsor.login")), s.str("sponsorable.login")
	if it.Project == "" {
		it.Project = whom
	}
	it.Thread = thread("sponsor", who)
	tier := s.str("tier.name")
	if tier != "" {
		tier = " (" + tier + ")"
	}
	from := g.str("changes.tier.from.name")
	switch g.action {
	case "created":
		it.Title = title(who + " sponsors " + whom + tier)
	case "cancelled":
		it.Title = title(who + " no longer sponsors " + whom)
	case "pending_cancellation":
		it.Title = title(who + " will stop sponsoring " + whom + " on " + day(g.str("effective_date")))
	case "tier_changed", "pending_tier_change":
		it.Title = title(who + " changes the sponsorship of " + whom + " to" + strings.NewReplacer("(", "", ")", "").Replace(tier))
		if from != "" {
			it.Body = "Before: " + escape(from)
		}
		if on := day(g.str("effective_date")); on != "" {
			it.Body = paragraphs(it.Body, "From "+on+" on.")
		}
	default:
		it.Title = title("Sponsorship of " + whom + " by " + who + " " + strings.ToLower(words(g.action)))
		g.low()
	}
	if g.action == "created" { // of a change no time is told
		it.OccurredAt = s.when("created_at")
	}
}

func (g *githubEvent) purchase() {
	it, p := g.item, g.at("marketplace_purchase")
	who, plan := orSomebody(p.str("account.login")), p.str("plan.name")
	it.Thread = thread("purchase", who)
	switch g.action {
	case "purchased":
		it.Title = title(who + " bought plan " + plan)
	case "cancelled":
		it.Title = title(who + " cancelled plan " + plan)
	case "changed":
		it.Title = title(who + " changed to plan " + plan)
	default:
		it.Title = title("Plan "+plan+" of "+who, strings.ToLower(words(g.action)))
	}
	if from := g.str("previous_marketplace_purchase.plan.name"); from != "" && from != plan {
		it.Body = "Before: " + escape(from)
	}
	it.OccurredAt = g.when("effective_date")
}

// mergeGroup: the checks of a merge queue. Only what was thrown out of it is news; a merge is told by its pull request.
func (g *githubEvent) mergeGroup() digest.Reason {
	it, m := g.item, g.at("merge_group")
	reason := g.str("reason")
	switch {
	case g.action == "checks_requested":
		return unfinished
	case reason == "merged":
		return "merged; its pull requests tell of it"
	}
	_, base := ref(m.str("base_ref"))
	it.Title = title("Merge group for "+base+" "+strings.ToLower(words(g.action)), firstLine(m.str("head_commit.message")))
	it.Thread = thread("merge-queue", base)
	if reason != "" {
		it.Body = "Reason: " + escape(strings.ToLower(words(reason)))
	}
	if reason != "invalidated" {
		g.low()
	}
	it.OccurredAt = m.when("head_commit.timestamp")
	return ""
}

// deploymentReview: somebody has to let a deployment through.
func (g *githubEvent) deploymentReview() {
	it := g.item
	where := g.str("environment", "workflow_job_run.environment", "workflow_job_runs.0.environment")
	it.Kind, it.Thread = digest.KindDeploy, thread("deploy", where)
	to := "Deployment"
	if where != "" {
		to += " to " + where
	}
	switch g.action {
	case "approved":
		it.Title = to + " approved by " + orSomebody(g.str("approver.login", "sender.login"))
	case "rejected":
		it.State, it.Title = "failed", to+" rejected by "+orSomebody(g.str("approver.login", "sender.login"))
	default:
		var who []string
		for _, r := range g.list("reviewers") {
			who = append(who, r.str("reviewer.login", "reviewer.name"))
		}
		it.Kind, it.State, it.Title = digest.KindRequest, "waiting", to+" waits for approval"
		if len(who) > 0 {
			it.Title += " by " + list(who)
		}
	}
	it.Title = title(it.Title, g.str("workflow_run.display_title", "workflow_run.name"))
	it.Body = quote(g.str("comment"))
	if u := g.link("workflow_job_run.html_url", "workflow_run.html_url"); u != "" {
		it.URL = u
	}
	it.OccurredAt = g.when("since", "workflow_run.updated_at")
}

func (g *githubEvent) protection() {
	_, where := g.asDeployment()
	if e := g.str("environment"); e != "" {
		where = e
		g.item.Thread = thread("deploy", e)
	}
	g.item.State = "waiting"
	g.item.Title = title("Deployment to " + where + " waits for a protection rule")
	g.low()
}

func (g *githubEvent) dispatch() {
	it := g.item
	if g.event == "repository_dispatch" {
		it.Title = title("Custom event " + strings.TrimSpace(g.action+" sent"))
	} else {
		name := g.str("workflow")
		name = name[strings.LastIndex(name, "/")+1:]
		_, on := ref(g.str("ref"))
		it.Title = title("Workflow " + name + " started by hand on " + on)
	}
	g.low()
}

func (g *githubEvent) imported() {
	it, status := g.item, g.str("status")
	o := concluded(status)
	it.State, it.Title = o.state, title("Import of "+it.Project+" "+o.words)
	if status == "success" {
		it.Title = title("Import of " + it.Project + " finished")
	}
}

// exemption is a request to be let past a rule.
func (g *githubEvent) exemption() {
	it := g.item
	r := g.at("exemption_request")
	what := strings.ToLower(words(g.event))
	it.Thread = thread("exemption", r.str("number", "id"))
	it.State = strings.ToLower(r.str("status"))
	if u := r.link("html_url"); u != "" {
		it.URL = u
	}
	if g.action == "created" || g.action == "" {
		it.Kind = digest.KindRequest
	}
	it.Title = title(capital(strings.TrimSpace(numbered(what, r.str("number"))+" "+strings.ToLower(words(g.action)))), r.str("requester_comment"))
	it.OccurredAt = r.when("created_at")
}
