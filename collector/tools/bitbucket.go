package tools

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"quietpost/digest"
)

// A bitbucketEvent is one delivery of Bitbucket and the item it becomes.
type bitbucketEvent struct {
	node
	event string
	item  *digest.Item
}

// Bitbucket reads the webhooks of Bitbucket Cloud
// (https://support.atlassian.com/bitbucket-cloud/docs/event-payloads/), of Bitbucket Server and Data Center
// (https://confluence.atlassian.com/bitbucketserver/event-payload-938025882.html) and the old POST service.
func Bitbucket(h http.Header, body []byte) (Reading, error) {
	r := Reading{Key: strings.TrimSpace(h.Get("X-Request-UUID"))} // the same for each X-Attempt-Number; X-Hook-UUID is the hook's
	if r.Key == "" {
		r.Key = strings.TrimSpace(h.Get("X-Request-Id"))
	}
	n, err := parse(formPayload(h, body))
	if err != nil {
		return r, err
	}
	if n.object() == nil {
		return r, fmt.Errorf("%w: Bitbucket posts a JSON object", ErrUnreadable)
	}
	b := &bitbucketEvent{node: n, event: strings.TrimSpace(h.Get("X-Event-Key")), item: &digest.Item{Kind: digest.KindStatus}}
	if b.event == "" {
		b.event = n.str("eventKey")
	}
	if b.event == "" {
		b.event = b.infer()
	}
	if b.event == "diagnostics:ping" || n.truth("test") && !n.has("repository") {
		r.Ignored = "ping: Bitbucket tried whether the hook works"
		return r, nil
	}
	if len(n.list("push.changes"))+len(n.list("changes")) > 0 && (b.event == "repo:push" || b.event == "repo:refs_changed") {
		r.Items = b.pushes(h)
		return r, nil
	}
	b.begin(h)
	if reason := b.read(); reason != "" {
		r.Ignored = reason
		return r, nil
	}
	if b.item.Title == "" {
		*b.item = guessed(h, n, b.event)
		b.item.Project = b.project()
	}
	r.Items = []digest.Item{*b.item}
	return r, nil
}

// infer finds the event's name where the header is lost.
func (b *bitbucketEvent) infer() string {
	state := b.str("pullrequest.state")
	switch {
	case b.has("canon_url") && b.has("commits"):
		return "service"
	case b.has("push"):
		return "repo:push"
	case b.has("fork"):
		return "repo:fork"
	case b.has("commit_status"):
		return "repo:commit_status_updated"
	case b.has("pullrequest") && b.has("comment"):
		return "pullrequest:comment_created"
	case b.has("pullrequest") && b.has("approval"):
		return "pullrequest:approved"
	case b.has("pullrequest") && b.has("changes_request"):
		return "pullrequest:changes_request_created"
	case state == "MERGED":
		return "pullrequest:fulfilled"
	case state == "DECLINED":
		return "pullrequest:rejected"
	case b.has("pullrequest") && b.when("pullrequest.updated_on").Sub(b.when("pullrequest.created_on")) < 10*time.Second:
		return "pullrequest:created"
	case b.has("pullrequest"):
		return "pullrequest:updated"
	case b.has("issue") && b.has("changes"):
		return "issue:updated"
	case b.has("issue") && b.has("comment"):
		return "issue:comment_created"
	case b.has("issue"):
		return "issue:created"
	case b.has("comment") && b.has("commit"):
		return "repo:commit_comment_created"
	case b.has("changes") && b.has("repository.slug"):
		return "repo:refs_changed"
	case b.has("pullRequest"):
		return map[string]string{"MERGED": "pr:merged", "DECLINED": "pr:declined", "OPEN": "pr:opened"}[b.str("pullRequest.state")]
	}
	return ""
}

// begin sets what all events share.
func (b *bitbucketEvent) begin(h http.Header) {
	it := b.item
	it.Event, it.Project, it.Author = b.event, b.project(), b.actor()
	it.URL = b.link("repository.links.html.href", "repository.links.self.0.href", "project.links.html.href", "project.links.self.0.href")
	it.OccurredAt = b.when("date")
	if it.OccurredAt.IsZero() {
		it.OccurredAt = readTime(h.Get("X-Event-Time"))
	}
}

func (b *bitbucketEvent) actor() string {
	return b.str("actor.display_name", "actor.displayName", "actor.nickname", "actor.name", "actor.username", "actor.slug", "user")
}

// project is the full name on Cloud, on Server the project's key and the repository's slug.
func (b *bitbucketEvent) project() string {
	if p := b.str("repository.full_name", "repository.fullName"); p != "" {
		return p
	}
	for _, at := range []string{"repository", "pullRequest.toRef.repository", "new"} {
		r := b.at(at)
		key, slug := r.str("project.key"), r.str("slug", "name")
		if key != "" && slug != "" {
			return key + "/" + slug
		}
		if owner := r.str("owner.username", "owner.nickname", "owner"); owner != "" && slug != "" {
			return owner + "/" + slug
		}
	}
	return b.str("repository.name", "project.key", "new.key", "workspace.slug")
}

func (b *bitbucketEvent) low() { low(b.item) }

// read fills the item, or says why there is nothing to tell; an event it does not know leaves the title empty.
func (b *bitbucketEvent) read() digest.Reason {
	kind, what, _ := strings.Cut(b.event, ":")
	switch kind {
	case "pullrequest":
		b.pullRequest(what)
	case "pr":
		b.serverPullRequest(what)
	case "issue":
		b.issue(what)
	case "service":
		b.service()
	case "repo", "project", "proj", "mirror":
		return b.repository(what)
	}
	return ""
}

// pushes are the changes of a push, an item for each branch or tag.
func (b *bitbucketEvent) pushes(h http.Header) (items []digest.Item) {
	changes := append(b.list("push.changes"), b.list("changes")...)
	for i, c := range changes {
		one := &bitbucketEvent{node: b.node, event: b.event, item: &digest.Item{Kind: digest.KindStatus}}
		one.begin(h)
		if len(changes) > MaxItems && i == MaxItems-1 {
			one.item.Title = fmt.Sprintf("… and %d more branches and tags in the same push", len(changes)-i)
			return append(items, *one.item)
		}
		if b.has("push") {
			one.change(c)
		} else {
			one.refChange(c)
		}
		items = append(items, *one.item)
	}
	return items
}

// change is one branch or tag of a push on Cloud, whose commits come newest first and five at most.
func (b *bitbucketEvent) change(c node) {
	it := b.item
	now := c.at("new")
	if now.object() == nil {
		now = c.at("old")
	}
	p := pushed{what: now.str("type"), name: now.str("name"), forced: c.truth("forced")}
	if p.what != "tag" {
		p.what = "branch" // named_branch and bookmark are Mercurial's
	}
	if c.at("new").object() == nil {
		p.after = "0"
	}
	if c.at("old").object() == nil || c.truth("created") {
		p.before = "0"
	}
	commits := c.list("commits")
	slices.Reverse(commits)
	p.commits = commits
	p.total = len(commits)
	p.newest = firstLine(now.str("target.message"))
	if p.what == "tag" {
		if m := firstLine(now.str("message")); m != "" {
			p.newest = m
		}
		p.commits, p.total = nil, 0
	}
	p.fill(it, b.str("repository.mainbranch.name"))
	if c.truth("truncated") {
		n := count(p.total, "commit")
		it.Title = capital(strings.Replace(it.Title, n, "more than "+n, 1))
	}
	if u := c.link("links.html.href", "new.links.html.href"); u != "" && it.State != "deleted" {
		it.URL = u
	}
	if t := now.when("target.date", "date"); !t.IsZero() && it.OccurredAt.IsZero() {
		it.OccurredAt = t
	}
}

// repository is for what happens to a repository or project as a whole.
func (b *bitbucketEvent) repository(what string) digest.Reason {
	it := b.item
	name := b.str("repository.full_name", "repository.name", "new.name", "project.name")
	switch what {
	case "push", "refs_changed":
		return "a push that changed no branch or tag"
	case "commit_status_created", "commit_status_updated", "build_status":
		return b.commitStatus()
	case "commit_comment_created", "comment:added", "comment:edited", "comment:deleted":
		b.commitComment(what)
	case "fork", "forked":
		b.forked()
	case "imported":
		it.Title = title("Repository " + name + " imported")
	case "created", "deleted", "transfer", "updated", "modified":
		kind := "Repository"
		if strings.HasPrefix(b.event, "proj") {
			kind = "Project"
		}
		done := map[string]string{"transfer": "moved", "modified": "changed", "updated": "changed"}[what]
		if done == "" {
			done = what
		}
		it.Title = title(kind + " " + name + " " + done)
		if what == "transfer" {
			if from := b.str("previous_owner.display_name", "previous_owner.username", "previous_owner.nickname"); from != "" {
				it.Title = title("Repository " + name + " moved here from " + from)
			}
		}
		if from := b.str("old.name"); from != "" && from != b.str("new.name") {
			it.Title = title(kind + " " + from + " renamed " + b.str("new.name"))
		}
		if done == "changed" {
			b.low()
		}
	case "repo_synchronized", "repository_synchronized":
		return "a mirror that follows; the push is told by itself"
	case "secret_detected":
		it.Level = "critical"
		urgent(it, "a secret that leaked can be used at once")
		it.Title = title("Leaked secret found in " + name)
	}
	return ""
}

func (b *bitbucketEvent) forked() {
	it := b.item
	it.Thread = "forks"
	to := b.str("fork.full_name")
	if to == "" { // Server's repository is the new one
		to = b.project()
		if key := b.str("repository.origin.project.key"); key != "" {
			it.Project = key + "/" + b.str("repository.origin.slug", "repository.origin.name")
		}
	}
	it.Title = title("Forked to " + to)
	if u := b.link("fork.links.html.href"); u != "" {
		it.URL = u
	}
	b.low()
}

func (b *bitbucketEvent) commitStatus() digest.Reason {
	it, s := b.item, b.at("commit_status")
	o := outcome{}
	switch state := s.str("state"); strings.ToUpper(state) {
	case "INPROGRESS", "PENDING":
		return unfinished
	case "SUCCESSFUL":
		o = concluded("success")
	case "FAILED":
		o = concluded("failure")
	case "STOPPED":
		o = concluded("cancelled")
	default:
		o = concluded(state)
	}
	name := s.str("name", "key")
	if name == "" {
		name = "Build"
	}
	key, branch := s.str("key", "name"), s.str("refname")
	it.Title, it.State = name+" "+o.words, o.state
	it.Thread = thread("build", key)
	if branch != "" {
		it.Title += " on " + branch
		it.Thread = thread("build", key+"@"+branch)
	}
	if o.low {
		b.low()
	}
	it.Title = title(it.Title, firstLine(s.str("description", "commit.message")))
	sha := s.str("commit.hash")
	if _, rest, ok := strings.Cut(s.str("links.commit.href"), "/commit/"); sha == "" && ok {
		sha = rest
	}
	if sha := code(short(sha)); sha != "" {
		it.Body = strings.TrimSpace("Commit " + sha + " " + escape(digest.OneLine(firstLine(s.str("commit.message")), 120)))
	}
	if it.Author == "" {
		it.Author = s.str("commit.author.user.display_name")
	}
	if u := s.link("url", "links.commit.href"); u != "" {
		it.URL = u
	}
	it.OccurredAt = s.when("updated_on", "created_on")
	return ""
}

// service is Bitbucket's old POST service, which only ever told of pushes.
func (b *bitbucketEvent) service() {
	it := b.item
	it.Event = "push"
	if path := strings.Trim(b.str("repository.absolute_url"), "/"); strings.Count(path, "/") == 1 {
		it.Project = path
	}
	commits := b.list("commits")
	for _, c := range commits {
		if o := c.object(); o != nil {
			o["id"], o["author"] = c.str("raw_node", "node"), map[string]any{"name": c.str("author")}
		}
	}
	p := pushed{what: "branch", commits: commits, total: len(commits), forced: len(commits) == 0}
	if n := len(commits); n > 0 {
		p.name, p.newest = commits[n-1].str("branch"), firstLine(commits[n-1].str("message"))
		it.OccurredAt = commits[n-1].when("utctimestamp")
	}
	p.fill(it, "")
	if u := webAddress(strings.TrimSuffix(b.str("canon_url"), "/") + "/" + strings.TrimPrefix(b.str("repository.absolute_url"), "/")); u != "" {
		it.URL = u
	}
}
