package tools

import (
	"slices"
	"strings"

	"quietpost/digest"
)

// What people do on Bitbucket: pull requests, issues and comments.

// bitbucketDone says what an event on a pull request did to it, its state after that and whether it is bookkeeping.
// Cloud and Server have other words for the same.
func (b *bitbucketEvent) bitbucketDone(no, what string) (done, state string, low bool) {
	who := orSomebody(b.item.Author)
	if p := b.str("participant.user.displayName", "participant.user.name"); p != "" {
		who = p
	}
	switch what {
	case "created", "opened":
		return no + " opened", "open", false
	case "fulfilled", "merged":
		return no + " merged", "merged", false
	case "rejected", "declined":
		return no + " declined", "closed", false
	case "deleted":
		return no + " deleted", "closed", false
	case "reopened":
		return no + " reopened", "open", false
	case "approved", "reviewer:approved":
		return no + " approved by " + who, "approved", false
	case "unapproved", "reviewer:unapproved":
		return "Approval of " + no + " taken back by " + who, "open", false
	case "changes_request_created", "reviewer:needs_work", "reviewer:changes_requested":
		return "Changes requested on " + no, "changes requested", false
	case "changes_request_removed":
		return "Request for changes on " + no + " taken back", "open", false
	case "from_ref_updated", "push":
		return "New commits on " + no, "", true
	case "to_ref_updated":
		return no + " has another target", "", true
	case "reviewer:updated":
		return no + " has other reviewers", "", true
	case "modified":
		return no + " edited", "", true
	case "updated":
		return no + " updated", "", true
	}
	return no + " " + strings.ToLower(words(what)), "", false
}

func (b *bitbucketEvent) pullRequest(what string) {
	pr, it := b.at("pullrequest"), b.item
	no := numbered("PR", pr.str("id"))
	it.Kind, it.Thread = digest.KindReview, thread("pr", pr.str("id"))
	if u := pr.link("links.html.href", "link"); u != "" { // link is the Post Webhooks plugin's of old Servers
		it.URL = u
	}
	if rest, ok := strings.CutPrefix(what, "comment_"); ok {
		b.comment(no, pr.str("title"), rest)
		return
	}
	done, state, low := b.bitbucketDone(no, what)
	if it.State = state; low {
		b.low()
	}
	into := ""
	if from, to := pr.str("source.branch.name", "fromRef.branch.name"), pr.str("destination.branch.name", "toRef.branch.name"); from != "" && to != "" {
		if fork := pr.str("source.repository.full_name"); fork != "" && fork != pr.str("destination.repository.full_name") {
			from = fork + ":" + from
		}
		into = code(from) + " into " + code(to) + "."
	}
	switch what {
	case "created":
		if pr.truth("draft") {
			it.State, done = "draft", "Draft "+done
		}
		it.Body = paragraphs(into, excerpt(pr.str("description", "summary.raw")))
	case "fulfilled":
		it.Body = into
	case "rejected":
		it.Body = quote(pr.str("reason"))
	}
	it.Title = title(done, pr.str("title"))
	if t := b.when("approval.date", "changes_request.date"); !t.IsZero() {
		it.OccurredAt = t
	} else if t := pr.when("updated_on", "created_on"); !t.IsZero() {
		it.OccurredAt = t
	}
}

// serverPullRequest is the same on Server and Data Center, where comments and approvals have other forms.
func (b *bitbucketEvent) serverPullRequest(what string) {
	pr, it := b.at("pullRequest"), b.item
	no := numbered("PR", pr.str("id"))
	it.Kind, it.Thread = digest.KindReview, thread("pr", pr.str("id"))
	it.URL = pr.link("links.self.0.href", "link.url", "toRef.repository.links.self.0.href")
	if rest, ok := strings.CutPrefix(what, "comment:"); ok {
		b.comment(no, pr.str("title"), rest)
		if id := b.str("comment.id"); it.URL == pr.link("links.self.0.href") && it.URL != "" && id != "" {
			it.URL = webAddress(strings.TrimSuffix(it.URL, "/") + "/overview?commentId=" + id)
		}
		return
	}
	done, state, low := b.bitbucketDone(no, what)
	if it.State = state; low {
		b.low()
	}
	into := ""
	if from, to := pr.str("fromRef.displayId", "fromRef.id"), pr.str("toRef.displayId", "toRef.id"); from != "" && to != "" {
		into = code(from) + " into " + code(to) + "."
	}
	switch what {
	case "opened":
		if pr.truth("draft") {
			it.State, done = "draft", "Draft "+done
		}
		it.Body = paragraphs(into, excerpt(pr.str("description")))
	case "merged":
		it.Body = into
	case "modified":
		if was := b.str("previousTitle"); was != "" && was != pr.str("title") {
			done, it.Body = no+" renamed", "Before: "+escape(digest.OneLine(was, titleMax))
		} else if to := b.str("previousTarget.displayId"); to != "" && to != pr.str("toRef.displayId") {
			done = no + " now goes into " + pr.str("toRef.displayId")
		}
	case "reviewer:updated":
		var added []string
		for _, r := range b.list("addedReviewers") {
			if n := r.str("displayName", "name"); n != "" {
				added = append(added, n)
			}
		}
		if len(added) > 0 {
			notLow(it)
			it.State = "open"
			done = "Review of " + no + " asked of " + list(added)
		}
	}
	it.Title = title(done, pr.str("title"))
	if it.OccurredAt.IsZero() {
		it.OccurredAt = pr.when("closedDate", "updatedDate", "createdDate")
	}
}

// refChange is one branch or tag of a push on Server.
func (b *bitbucketEvent) refChange(c node) {
	it := b.item
	p := pushed{before: c.str("fromHash"), after: c.str("toHash")}
	p.what, p.name = ref(c.str("ref.id", "refId"))
	if name := c.str("ref.displayId"); name != "" {
		p.name = name
	}
	switch c.str("type") {
	case "ADD":
		p.before = "0"
	case "DELETE":
		p.after = "0"
	}
	p.commits = b.list("commits") // newest first, since 8.0
	slices.Reverse(p.commits)
	p.newest = firstLine(b.str("toCommit.message"))
	if len(b.list("changes")) > 1 {
		p.commits, p.newest = nil, ""
	}
	p.total = len(p.commits)
	usual := b.str("repository.defaultBranch")
	p.fill(it, usual)
	if p.total == 0 && p.what == "branch" && !p.created() && !zero(p.after) {
		it.Title = title("New commits on "+p.name, p.newest)
	}
	repo := strings.TrimSuffix(it.URL, "/browse")
	if u := webAddress(repo + "/commits?until=" + p.after); repo != "" && !zero(p.after) && p.after != "" && u != "" {
		it.URL = u
	}
}

func (b *bitbucketEvent) issue(what string) {
	issue, it := b.at("issue"), b.item
	no := numbered("issue", issue.str("id"))
	it.Thread = thread("issue", issue.str("id"))
	it.Level = strings.ToLower(issue.str("priority"))
	if k := issue.str("kind"); k != "" {
		it.Tags = lowerTags([]string{k})
	}
	if u := issue.link("links.html.href"); u != "" {
		it.URL = u
	}
	if rest, ok := strings.CutPrefix(what, "comment_"); ok {
		b.comment(no, issue.str("title"), rest)
		return
	}
	no = strings.Replace(no, "issue", "Issue", 1)
	done := no + " " + strings.ToLower(words(what))
	switch what {
	case "created":
		done, it.State = no+" opened", "open"
		it.Body = excerpt(issue.str("content.raw"))
	case "updated":
		done = b.issueChange(no)
		it.Body = quote(b.str("comment.content.raw"))
	}
	it.Title = title(done, issue.str("title"))
	it.OccurredAt = issue.when("updated_on", "created_on")
}

// issueChange says what was changed; a new state is news, all else has low priority.
func (b *bitbucketEvent) issueChange(no string) string {
	it, changes := b.item, b.at("changes")
	if state := changes.str("status.new"); state != "" {
		switch state {
		case "new", "open", "submitted":
			it.State = "open"
			return no + " reopened"
		case "resolved", "closed":
			it.State = "closed"
			return no + " " + state
		case "invalid", "duplicate", "wontfix":
			it.State = "closed"
			return no + " closed as " + strings.Replace(state, "wontfix", "won't fix", 1)
		}
		it.State = state
		return no + " is now " + state
	}
	if b.str("comment.content.raw") == "" {
		b.low()
	}
	if who := changes.str("assignee.new.display_name", "assignee.new.nickname", "assignee.new.username", "responsible.new"); who != "" {
		return no + " assigned to " + who
	}
	var fields []string
	for _, k := range changes.keys() {
		fields = append(fields, strings.Replace(strings.ToLower(words(k)), "content", "description", 1))
	}
	if len(fields) == 0 {
		return no + " updated"
	}
	return no + " has another " + list(fields)
}

func (b *bitbucketEvent) commitComment(what string) {
	it := b.item
	sha := short(b.str("commit.hash", "commit", "comment.commit.hash"))
	it.Thread = thread("commit", sha)
	b.comment(strings.TrimSpace("commit "+sha), "", strings.TrimPrefix(strings.TrimPrefix(what, "commit_comment_"), "comment:"))
	if it.Body != "" {
		it.Title = title(it.Title, firstLine(b.str("comment.content.raw", "comment.text")))
	}
}

// comment fills the item for a comment that was made, edited, deleted, resolved or reopened.
func (b *bitbucketEvent) comment(on, of, what string) {
	it, c := b.item, b.at("comment")
	it.Kind = digest.KindComment
	text := quote(c.str("content.raw", "text"))
	head := "Comment"
	if path := c.str("inline.path", "anchor.path"); path != "" {
		head = "Review comment"
		if line := c.str("inline.to", "inline.from", "anchor.line"); line != "" {
			path += ":" + line
		}
		text = paragraphs(code(path), text)
	}
	switch what {
	case "created", "added", "":
		it.Body = text
	case "updated", "edited":
		head += " edited"
		b.low()
	default:
		head += " " + what
		b.low()
	}
	it.Title = title(head+" on "+on, of)
	if u := c.link("links.html.href", "links.self.0.href"); u != "" {
		it.URL = u
	}
	if t := c.when("updated_on", "updatedDate", "created_on", "createdDate"); !t.IsZero() {
		it.OccurredAt = t
	}
}
