package tools

import (
	"fmt"
	"strings"

	"quietpost/digest"
)

// What people do on GitHub: pull requests, reviews, issues, discussions and comments.

func (g *githubEvent) pullRequest() {
	pr, it := g.at("pull_request"), g.item
	no := g.asPullRequest(pr)
	what := no + " " + strings.ToLower(words(g.action))
	switch g.action {
	case "opened", "reopened", "ready_for_review":
		it.State = "open"
		if pr.truth("draft") {
			it.State, what = "draft", "Draft "+what
		}
		it.Body = paragraphs(branches(pr), excerpt(pr.str("body")))
	case "closed":
		it.State, what = "closed", no+" closed without merging"
		if pr.truth("merged") || pr.has("merged_at") {
			it.State, what = "merged", no+" merged"
			it.Body = branches(pr)
		}
	case "converted_to_draft":
		it.State, what = "draft", no+" is a draft again"
	case "synchronize", "synchronized":
		what = "New commits on " + no
	case "enqueued":
		what = no + " put on the merge queue"
	case "dequeued":
		what = no + " taken off the merge queue"
		if why := strings.ToLower(words(g.str("reason"))); why != "" && why != "merge" {
			what += " (" + strings.Replace(why, "ci ", "CI ", 1) + ")"
		}
	case "auto_merge_enabled":
		what = no + " will merge when it may"
	case "auto_merge_disabled":
		what = no + " will no longer merge by itself"
	case "review_requested":
		it.State, what = "open", "Review of "+no+" asked of "+orSomebody(g.str("requested_reviewer.login", "requested_team.name"))
	default:
		what = g.marked(no, what)
	}
	it.Title = title(what, pr.str("title"))
	it.OccurredAt = pr.when(map[string]string{"opened": "created_at", "closed": "closed_at"}[g.action], "updated_at", "created_at")
	g.lowIf("synchronize synchronized converted_to_draft review_request_removed auto_merge_enabled auto_merge_disabled enqueued")
	if g.action == "dequeued" && (g.str("reason") == "MERGE" || g.str("reason") == "merge") {
		g.low()
	}
	if g.action == "" {
		it.Title = title(no, pr.str("title"))
	}
}

// asPullRequest sets what all events on a pull request share and gives its name.
func (g *githubEvent) asPullRequest(pr node) string {
	it, n := g.item, pr.str("number")
	if n == "" {
		n = g.str("number", "pull_request.id")
	}
	it.Kind, it.Tags = digest.KindReview, pr.labels()
	it.Thread = thread("pr", n)
	if u := pr.link("html_url"); u != "" {
		it.URL = u
	}
	return numbered("PR", n)
}

// numbered is "PR #42", or "PR" when no number came.
func numbered(what, n string) string {
	if n == "" {
		return what
	}
	return what + " #" + digest.OneLine(n, 30)
}

func branches(pr node) string {
	from, to := pr.str("head.label", "head.ref"), pr.str("base.ref", "base.label")
	if from == "" || to == "" {
		return ""
	}
	if pr.str("head.user.login") == pr.str("base.user.login") {
		from = pr.str("head.ref", "head.label")
	}
	s := code(from) + " into " + code(to)
	if files := pr.str("changed_files"); files != "" {
		s += fmt.Sprintf(", +%s −%s lines in %s files", pr.str("additions"), pr.str("deletions"), files)
		s = strings.Replace(s, " in 1 files", " in 1 file", 1)
	}
	return s + "."
}

// marked is for the actions that only put a mark on an issue, pull request or discussion: all of low priority.
func (g *githubEvent) marked(no, what string) string {
	g.lowIf("labeled unlabeled assigned unassigned milestoned demilestoned locked unlocked pinned unpinned edited typed untyped " +
		"category_changed label_updated label_cleared field_added field_removed field_updated")
	with := func(s, name string) string {
		if name == "" {
			return what
		}
		return no + " " + s + " " + name
	}
	switch g.action {
	case "labeled":
		return with("labelled", g.str("label.name"))
	case "unlabeled":
		return with("no longer labelled", g.str("label.name"))
	case "assigned":
		return with("assigned to", g.str("assignee.login"))
	case "unassigned":
		return with("no longer assigned to", g.str("assignee.login"))
	case "milestoned":
		return with("put on milestone", g.str("milestone.title"))
	case "demilestoned":
		return with("taken off milestone", g.str("milestone.title"))
	case "review_request_removed":
		return with("no longer needs the review of", g.str("requested_reviewer.login", "requested_team.name"))
	case "label_updated", "label_cleared": // Gitea's: it gives the labels there are now
		if names := g.labelNames(); len(names) > 0 {
			return with("now labelled", list(names))
		}
		return no + " has no labels now"
	case "transferred":
		return with("moved to", g.str("changes.new_repository.full_name"))
	case "typed":
		return with("is now of type", g.str("type.name", "issue.type.name"))
	case "category_changed":
		return with("moved to", g.str("discussion.category.name"))
	case "edited":
		if g.has("changes.title.from") {
			return no + " renamed"
		}
		if g.has("changes.base.ref.from") {
			return with("now goes into", g.str("pull_request.base.ref"))
		}
	}
	return what
}

func (g *githubEvent) labelNames() (names []string) {
	for _, thing := range []string{"pull_request", "issue"} {
		for _, l := range g.at(thing).list("labels") {
			if name := digest.OneLine(l.str("name"), 60); name != "" {
				names = append(names, name)
			}
		}
	}
	return names
}

func orSomebody(name string) string {
	if name == "" {
		return "somebody"
	}
	return name
}

func thread(what, n string) string {
	if n == "" {
		return ""
	}
	return digest.OneLine(what+"/"+n, digest.MaxField)
}

func (g *githubEvent) review() {
	pr, review, it := g.at("pull_request"), g.at("review"), g.item
	no := g.asPullRequest(pr)
	what := "Review of " + no
	body := review.str("body")
	switch state := strings.ToLower(review.str("state")); {
	case g.action == "edited":
		what += " edited"
	case g.action == "dismissed" || state == "dismissed":
		what, it.State = what+" dismissed", "open"
	case state == "approved":
		what, it.State = no+" approved", "approved"
	case state == "changes_requested":
		what, it.State = "Changes requested on "+no, "changes requested"
	case body == "": // only holds comments, which come by themselves
		it.Kind = digest.KindComment
		g.low()
	default:
		it.Kind = digest.KindComment
	}
	g.lowIf("edited")
	it.Title, it.Body = title(what, pr.str("title")), quote(body)
	g.about(review)
}

// about takes address and time from the thing inside the thing: the comment, not the issue.
func (g *githubEvent) about(n node) {
	if u := n.link("html_url", "_links.html.href"); u != "" {
		g.item.URL = u
	}
	g.item.OccurredAt = n.when("submitted_at", "updated_at", "created_at")
}

func (g *githubEvent) reviewComment() {
	no := g.asPullRequest(g.at("pull_request"))
	g.comment("Review comment", no, g.str("pull_request.title"))
	if path := g.str("comment.path"); path != "" && g.item.Body != "" {
		if line := g.str("comment.line", "comment.original_line"); line != "" {
			path += ":" + line
		}
		g.item.Body = paragraphs(code(path), g.item.Body)
	}
}

// comment fills the item for a comment that was made, edited or deleted.
func (g *githubEvent) comment(what, on, of string) {
	it := g.item
	it.Kind = digest.KindComment
	it.Body = quote(g.str("comment.body"))
	switch g.action {
	case "edited", "deleted", "pinned", "unpinned":
		what += " " + g.action
		it.Body = ""
		g.low()
	}
	botComment(it, g.str("comment.user.login"))
	it.Title = title(what+" on "+on, of)
	g.about(g.at("comment"))
}

func (g *githubEvent) reviewThread() {
	no := g.asPullRequest(g.at("pull_request"))
	g.item.Kind = digest.KindComment
	g.item.Title = title("Review thread on "+no+" "+g.action, g.str("pull_request.title"))
	g.low()
}

// asIssue sets what all events on an issue share and gives its name; a pull request is an issue too.
func (g *githubEvent) asIssue() string {
	issue, it := g.at("issue"), g.item
	n := issue.str("number")
	no := numbered("issue", n)
	it.Thread = thread("issue", n)
	if issue.has("pull_request") {
		no, it.Thread = numbered("PR", n), thread("pr", n)
	}
	it.Tags = issue.labels()
	if u := issue.link("html_url"); u != "" {
		it.URL = u
	}
	return no
}

func (g *githubEvent) issue() {
	issue, it := g.at("issue"), g.item
	no := strings.Replace(g.asIssue(), "issue", "Issue", 1)
	what := no + " " + strings.ToLower(words(g.action))
	switch g.action {
	case "opened", "reopened":
		it.State, it.Body = "open", excerpt(issue.str("body"))
	case "closed":
		it.State = "closed"
		switch issue.str("state_reason") {
		case "not_planned":
			what += " as not planned"
		case "duplicate":
			what += " as a duplicate"
		}
	case "deleted", "transferred":
		it.State = "closed"
		what = g.marked(no, what)
	default:
		what = g.marked(no, what)
	}
	it.Title = title(what, issue.str("title"))
	it.OccurredAt = issue.when(map[string]string{"opened": "created_at", "closed": "closed_at"}[g.action], "updated_at", "created_at")
}

func (g *githubEvent) issueComment() {
	no := g.asIssue()
	g.comment("Comment", no, g.str("issue.title"))
}

func (g *githubEvent) commitComment() {
	sha := short(g.str("comment.commit_id"))
	g.item.Thread = thread("commit", sha)
	g.comment("Comment", strings.TrimSpace("commit "+sha), firstLine(g.str("comment.body")))
}

// asDiscussion sets what all events on a discussion share and gives its name.
func (g *githubEvent) asDiscussion() string {
	d, it := g.at("discussion"), g.item
	n := d.str("number")
	it.Thread, it.Tags = thread("discussion", n), d.labels()
	if u := d.link("html_url"); u != "" {
		it.URL = u
	}
	return numbered("discussion", n)
}

func (g *githubEvent) discussion() {
	d, it := g.at("discussion"), g.item
	no := strings.Replace(g.asDiscussion(), "d", "D", 1)
	what := no + " " + strings.ToLower(words(g.action))
	if d.truth("category.is_answerable") {
		it.Kind = digest.KindQuestion
	}
	switch g.action {
	case "created", "reopened":
		it.State, it.Body = "open", excerpt(d.str("body"))
		if it.Kind == digest.KindQuestion && g.action == "created" {
			what = "Question asked in " + strings.ToLower(no)
		}
	case "answered":
		it.State, it.Body = "answered", quote(g.str("answer.body"))
	case "unanswered":
		it.State, what = "open", no+" has no accepted answer any more"
	case "closed", "deleted", "transferred":
		it.State, what = "closed", g.marked(no, what)
	default:
		what = g.marked(no, what)
	}
	if u := g.link("answer.html_url"); u != "" && g.action == "answered" {
		it.URL = u
	}
	it.Title = title(what, d.str("title"))
	it.OccurredAt = d.when(map[string]string{"created": "created_at", "answered": "answer_chosen_at"}[g.action], "updated_at", "created_at")
}

func (g *githubEvent) discussionComment() {
	no := g.asDiscussion()
	g.comment("Comment", no, g.str("discussion.title"))
}
