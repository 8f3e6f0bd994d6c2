package tools

import (
	"fmt"
	"net/http"
	"strings"

	"quietpost/digest"
)

// Gitea reads the webhooks of Gitea, Forgejo and Gogs. Their bodies follow GitHub's with a few words of their own, so
// they are brought to GitHub's form and read as such. See https://docs.gitea.com/usage/webhooks,
// https://forgejo.org/docs/latest/user/webhooks/ and https://github.com/gogs/docs-api/blob/master/Repositories/Webhooks.md.
func Gitea(h http.Header, body []byte) (Reading, error) {
	r := Reading{}
	for _, name := range []string{"X-Forgejo-Delivery", "X-Gitea-Delivery", "X-Gogs-Delivery"} {
		if r.Key = strings.TrimSpace(h.Get(name)); r.Key != "" {
			break
		}
	}
	n, err := parse(formPayload(h, body))
	if err != nil {
		return r, err
	}
	if n.object() == nil {
		return r, fmt.Errorf("%w: Gitea, Forgejo and Gogs post a JSON object", ErrUnreadable)
	}
	g := &giteaEvent{githubEvent{node: n, action: n.str("action"), item: &digest.Item{}}}
	g.event = g.name(h)
	if g.event == "" || !g.has("repository") && !g.has("run") && !g.has("package") && !g.has("organization") {
		r.Items = []digest.Item{guessed(h, n, g.event, g.action)}
		return r, nil
	}
	g.translate()
	if reason := g.read(); reason != "" {
		r.Ignored = reason
		return r, nil
	}
	g.finish()
	r.Items = []digest.Item{*g.item}
	return r, nil
}

// A giteaEvent is a githubEvent in the making.
type giteaEvent struct{ githubEvent }

// name is GitHub's name of the event.
func (g *giteaEvent) name(h http.Header) string {
	event := ""
	for _, name := range []string{"X-Forgejo-Event", "X-Gitea-Event", "X-Gogs-Event", "X-GitHub-Event"} {
		if event = strings.TrimSpace(h.Get(name)); event != "" {
			break
		}
	}
	switch {
	case g.has("pull_request") && (g.action == "reviewed" || strings.HasPrefix(event, "pull_request_review_") && g.has("review.type")):
		return "pull_request_review"
	case event == "":
		return g.inferGitea()
	case strings.HasSuffix(event, "_comment") && g.has("comment"):
		return "issue_comment" // of a pull request too
	case strings.HasPrefix(event, "issue_") && event != "issue_comment", event == "issues":
		return "issues" // issue_assign, issue_label, issue_milestone
	case strings.HasPrefix(event, "pull_request_") && g.has("pull_request"):
		return "pull_request" // pull_request_assign, _label, _milestone, _sync, _review_request
	}
	return event
}

func (g *giteaEvent) inferGitea() string {
	switch {
	case g.has("comment") && (g.has("issue") || g.has("pull_request")):
		return "issue_comment"
	case g.has("pull_request"):
		return "pull_request" // with "review": null beside it
	case g.has("page") && g.has("repository"):
		return "wiki"
	case g.has("run"):
		return "action_run"
	case g.has("ref_type") && g.has("pusher_type"):
		return "delete"
	case g.has("ref_type"):
		return "create"
	}
	return g.infer()
}

// translate changes the body to what GitHub would have said.
func (g *giteaEvent) translate() {
	o := g.object()
	for _, thing := range []string{"issue", "pull_request"} {
		t := g.at(thing)
		if t.object() == nil {
			continue
		}
		if m := t.at("milestone"); m.object() != nil && !g.has("milestone") {
			o["milestone"] = m.v
		}
		a := t.at("assignee")
		if a.object() == nil {
			a = t.at("assignees.0")
		}
		if a.object() != nil && !g.has("assignee") && g.action == "assigned" {
			o["assignee"] = a.v
		}
		if g.link(thing+".html_url") == "" {
			path := map[string]string{"issue": "/issues/", "pull_request": "/pulls/"}[thing]
			if repo := g.link("repository.html_url"); repo != "" && t.str("number") != "" {
				t.object()["html_url"] = repo + path + t.str("number")
			}
		}
	}
	switch g.event {
	case "issue_comment":
		if pr := g.at("pull_request"); pr.object() != nil && !g.has("issue") { // newer ones send both
			o["issue"] = pr.v
			pr.object()["pull_request"] = map[string]any{}
		}
		if i := g.at("issue"); i.object() != nil && g.truth("is_pull") && !i.has("pull_request") {
			i.object()["pull_request"] = map[string]any{}
		}
	case "pull_request_review":
		g.translateReview()
	case "fork": // Gitea's forkee is the one that was forked; GitHub's and Gogs's is the new one
		if g.truth("repository.fork") && !g.truth("forkee.fork") {
			o["repository"], o["forkee"] = o["forkee"], o["repository"]
		}
	}
	if s := g.at("sender"); s.object() != nil && s.str("login") == "" {
		s.object()["login"] = s.str("username", "user_name", "full_name")
	}
}

// translateReview: the header says what came of the review, and review.type too.
func (g *giteaEvent) translateReview() {
	r := g.at("review").object()
	if r == nil {
		return
	}
	kind := g.str("review.type", "review.state")
	switch {
	case strings.Contains(kind, "approved"):
		r["state"] = "approved"
	case strings.Contains(kind, "reject"), strings.Contains(kind, "REQUEST_CHANGES"):
		r["state"] = "changes_requested"
	default:
		r["state"] = "commented"
	}
	if g.str("review.body") == "" {
		r["body"] = g.str("review.content")
	}
	g.action = strings.Replace(g.action, "reviewed", "submitted", 1)
}

// read fills the item, or says why there is nothing to tell.
func (g *giteaEvent) read() digest.Reason {
	before, after := g.str("before"), g.str("after")
	if g.event == "push" && before != "" && before == after {
		return "a test: it is a push from a commit to itself"
	}
	reason := g.githubEvent.read()
	switch {
	case strings.HasPrefix(g.event, "action_run"):
		return g.actionRun()
	case g.event == "wiki":
		g.wikiEdit()
	case g.event == "package":
		g.packaged()
	}
	return reason
}

// finish mends what GitHub's readers cannot know.
func (g *giteaEvent) finish() {
	it := g.item
	if it.Author == "" {
		it.Author = g.str("sender.full_name", "pusher.username", "pusher.full_name", "review.user.login", "comment.user.login",
			"comment.user.username", "pull_request.user.login", "issue.user.login")
	}
	if _, name := ref(g.str("ref")); g.event == "create" && name != "" {
		if u := webAddress(g.link("repository.html_url") + "/src/" + name); u != "" { // all of them lead on from there
			it.URL = u
		}
	}
	if g.event == "release" && g.action == "updated" {
		g.low()
	}
}

func (g *giteaEvent) wikiEdit() {
	it := g.item
	done := strings.ToLower(words(g.action))
	if done == "" {
		done = "changed"
	}
	it.Title = title("Wiki page "+done, g.str("page"))
	it.Thread = thread("wiki", g.str("page"))
	it.Body = excerpt(g.str("comment"))
	if u := g.link("repository.html_url"); u != "" {
		it.URL = webAddress(strings.TrimSuffix(u, "/") + "/wiki")
	}
}

func (g *giteaEvent) packaged() {
	it, p := g.item, g.at("package")
	name := strings.TrimSpace(p.str("name") + " " + p.str("version"))
	it.Thread = thread("package", p.str("name"))
	it.Title = title("Package " + name + " " + gitlabDone(g.action))
	if it.Project == "" {
		it.Project = p.str("repository.full_name", "owner.login")
	}
	if u := p.link("html_url", "repository.html_url"); u != "" {
		it.URL = u
	}
	it.OccurredAt = p.when("created_at")
}

// actionRun is Forgejo's: a workflow that failed, recovered or passed again.
func (g *giteaEvent) actionRun() digest.Reason {
	it, run := g.item, g.at("run")
	if run.object() == nil {
		return ""
	}
	status := run.str("status")
	if status == "" {
		status = map[string]string{"failure": "failure", "success": "success", "recover": "success"}[g.action]
	}
	if status == "running" || status == "waiting" || status == "blocked" {
		return unfinished
	}
	name := strings.TrimSuffix(strings.TrimSuffix(run.str("workflow_id"), ".yml"), ".yaml")
	if name == "" {
		name = "Workflow"
	}
	g.result(name, "run", run.str("prettyref"), concluded(status))
	if g.action == "recover" {
		it.Title = strings.Replace(it.Title, " passed", " works again", 1)
		notLow(it)
	}
	it.Title = title(it.Title, run.str("title"))
	if it.Project == "" {
		it.Project = run.str("repository.full_name")
	}
	it.Author = run.str("trigger_user.login", "trigger_user.username")
	if u := run.link("html_url"); u != "" {
		it.URL = u
	}
	if sha := code(short(run.str("commit_sha"))); sha != "" {
		it.Body = "Run " + digest.OneLine(run.str("index_in_repo"), 20) + ", commit " + sha
	}
	it.OccurredAt = run.when("stopped", "updated", "started", "created")
	return ""
}
