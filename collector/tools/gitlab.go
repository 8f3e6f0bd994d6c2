package tools

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"quietpost/digest"
)

// A gitlabEvent is one delivery of GitLab and the item it becomes. The payloads are described at
// https://docs.gitlab.com/user/project/integrations/webhook_events/ and, for those of the whole instance, at
// https://docs.gitlab.com/administration/system_hooks/.
type gitlabEvent struct {
	node
	event, action string
	attrs         node // object_attributes, where most events keep what they are about
	item          *digest.Item
}

// GitLab reads the webhooks of projects and groups and the system hooks of GitLab. What is confidential there is
// private here. Jobs and pipelines that only began are ignored.
func GitLab(h http.Header, body []byte) (Reading, error) {
	r := Reading{Key: gitlabKey(h, body)}
	n, err := parse(formPayload(h, body))
	if err != nil {
		return r, err
	}
	if n.object() == nil {
		return r, fmt.Errorf("%w: GitLab posts a JSON object", ErrUnreadable)
	}
	g := &gitlabEvent{node: n, attrs: n.at("object_attributes"), item: &digest.Item{Kind: digest.KindStatus}}
	g.action = n.str("object_attributes.action", "action")
	g.event = gitlabEventName(h, n)
	if reason := g.read(h); reason != "" {
		r.Ignored = reason
		return r, nil
	}
	r.Items = []digest.Item{*g.item}
	return r, nil
}

// gitlabKey is the delivery's id. Idempotency-Key (since 17.4) and webhook-id stay the same over retries and are one
// delivery's own. X-Gitlab-Event-UUID is not: every hook that was set off by another hook's request bears the same, so
// it tells deliveries apart only together with the body.
func gitlabKey(h http.Header, body []byte) string {
	for _, name := range []string{"Idempotency-Key", "Webhook-Id"} {
		if v := strings.Trim(strings.TrimSpace(h.Get(name)), `"`); v != "" {
			return v
		}
	}
	if v := strings.TrimSpace(h.Get("X-Gitlab-Event-UUID")); v != "" {
		return v + "/" + digest.BodyKey(body)
	}
	return ""
}

// gitlabEventName is GitLab's word for the event: object_kind, event_name for members and system hooks, else what the
// header says.
func gitlabEventName(h http.Header, n node) string {
	kind, name := n.str("object_kind"), n.str("event_name")
	switch {
	case kind == "" && name == "":
		name = strings.TrimSuffix(strings.TrimSuffix(h.Get("X-Gitlab-Event"), " Hook"), " hook")
		return strings.ReplaceAll(strings.ToLower(name), " ", "_")
	case kind == "":
		return name
	}
	return kind
}

// read fills the item, or says why there is nothing to tell.
func (g *gitlabEvent) read(h http.Header) digest.Reason {
	it := g.item
	it.Event = strings.Trim(g.event+"."+g.action, ".")
	it.Project = g.project()
	it.Author = g.str("user.username", "user_username", "user.name", "user_name")
	it.URL = g.link("object_attributes.url", "project.web_url", "repository.homepage", "project.homepage")
	it.OccurredAt = g.attrs.when("updated_at", "created_at")
	it.Private = g.confidential(h)
	var reason digest.Reason
	switch g.event {
	case "push", "tag_push":
		g.push()
	case "merge_request":
		g.mergeRequest()
	case "issue", "work_item", "incident", "epic":
		g.issue()
	case "note":
		g.note()
	case "pipeline":
		reason = g.pipeline()
	case "build", "job":
		reason = g.job()
	case "deployment":
		reason = g.deployment()
	case "release":
		g.release()
	case "wiki_page":
		g.wikiPage()
	case "milestone":
		g.milestone()
	case "feature_flag":
		g.featureFlag()
	case "access_token", "deploy_token":
		g.accessToken()
	case "vulnerability":
		g.vulnerability()
	case "emoji":
		g.emoji()
	case "repository_update":
		return "a push, which GitLab tells by itself too"
	default:
		g.house()
	}
	if it.Title == "" {
		g.plain()
	}
	return reason
}

// project is the path of the project or group; where an event does not name it (jobs before 15.6, vulnerabilities), it
// stands in an address.
func (g *gitlabEvent) project() string {
	if p := g.str("project.path_with_namespace", "path_with_namespace", "project_path_with_namespace",
		"object_attributes.target.path_with_namespace", "merge_request.target.path_with_namespace"); p != "" {
		return p
	}
	for _, path := range []string{"project.web_url", "project.homepage", "repository.homepage", "object_attributes.url", "url"} {
		u, err := url.Parse(g.link(path))
		if err != nil {
			continue
		}
		p, _, _ := strings.Cut(u.Path, "/-/")
		if p = strings.Trim(p, "/"); strings.Contains(p, "/") {
			return p
		}
	}
	return g.str("project_name", "group.full_path", "group.group_path", "full_path", "group_full_path", "group_path", "parent_full_path")
}

// confidential tells what must not be read by everybody who reads the project.
func (g *gitlabEvent) confidential(h http.Header) bool {
	return strings.HasPrefix(h.Get("X-Gitlab-Event"), "Confidential") || strings.HasPrefix(g.str("event_type"), "confidential") ||
		g.truth("object_attributes.confidential") || g.truth("object_attributes.internal") || g.truth("issue.confidential") ||
		g.truth("note.internal") || g.truth("note.confidential") || g.truth("epic.confidential")
}

func (g *gitlabEvent) low() { low(g.item) }

// page is an address below the project's own, "" if that is not known.
func (g *gitlabEvent) page(path string) string {
	if base := g.link("project.web_url", "project.homepage", "repository.homepage"); base != "" {
		return webAddress(strings.TrimSuffix(base, "/") + "/-/" + path)
	}
	return ""
}

// plain makes a line of an event without words of its own: "Snippet created: notes.txt".
func (g *gitlabEvent) plain() {
	it := g.item
	what := words(strings.TrimPrefix(g.event, "gitlab_subscription_"))
	if what == "" {
		what = "Update"
	}
	if g.action != "" && g.action != g.event {
		what += " " + gitlabDone(g.action)
	}
	name := g.attrs.str("title", "name", "note", "ref", "description")
	if name == "" {
		name = g.str("title", "name")
	}
	if name == "" && it.Project != "" {
		what += " in " + it.Project
	}
	it.Title = title(what, firstLine(name))
	if d := g.attrs.str("description"); d != name {
		it.Body = excerpt(d)
	}
	if it.OccurredAt.IsZero() {
		it.OccurredAt = g.when("updated_at", "created_at")
	}
}

func (g *gitlabEvent) push() {
	it := g.item
	what, name := ref(g.str("ref"))
	if g.event == "tag_push" {
		what, name = "tag", strings.TrimPrefix(name, "refs/tags/")
	}
	commits := g.list("commits")
	p := pushed{what: what, name: name, before: g.str("before"), after: g.str("after"), commits: commits, total: len(commits)}
	if n := g.str("total_commits_count"); n != "" { // GitLab lists the newest twenty only
		p.total = max(p.total, atoi(n))
	}
	if len(commits) > 0 {
		p.newest = firstLine(commits[len(commits)-1].str("message", "title"))
		it.OccurredAt = commits[len(commits)-1].when("timestamp")
	}
	if what == "tag" {
		p.newest = firstLine(g.str("message"))
		if p.newest == "" && len(commits) > 0 {
			p.newest = firstLine(commits[len(commits)-1].str("message"))
		}
	}
	p.fill(it, g.str("project.default_branch"))
	switch {
	case it.State == "deleted":
	case what == "tag":
		it.URL = g.page("tags/" + name)
	case p.created():
		it.URL = g.page("tree/" + name)
	case p.before != "" && p.after != "":
		it.URL = g.page("compare/" + p.before + "..." + p.after)
	}
	if it.URL == "" {
		it.URL = g.link("project.web_url", "repository.homepage")
	}
}

func (g *gitlabEvent) wikiPage() {
	it := g.item
	done := gitlabDone(g.action)
	it.Title = title("Wiki page "+done, g.attrs.str("title", "slug"))
	it.Thread = thread("wiki", g.attrs.str("slug", "title"))
	it.Body = excerpt(g.attrs.str("message"))
	if strings.HasPrefix(it.Body, done) || strings.HasPrefix(strings.ToLower(it.Body), strings.TrimSuffix(done, "d")) {
		it.Body = "" // "Create Home", which GitLab writes by itself
	}
}

// gitlabDone is an action as a participle: "create" is "created".
func gitlabDone(action string) string {
	switch a := strings.ToLower(words(action)); {
	case a == "":
		return "changed"
	case a == "destroy" || a == "delete":
		return "deleted"
	case strings.HasSuffix(a, "ed"):
		return a
	case strings.HasSuffix(a, "e"):
		return a + "d"
	case strings.HasSuffix(a, "y"):
		return a[:len(a)-1] + "ied"
	default:
		return a + "ed"
	}
}

func (g *gitlabEvent) milestone() {
	it := g.item
	name := g.attrs.str("title")
	it.Thread = thread("milestone", g.attrs.str("iid", "id"))
	it.Title = title("Milestone "+gitlabDone(g.action), name)
	it.State = map[string]string{"create": "open", "reopen": "open", "close": "closed", "delete": "deleted"}[g.action]
	it.Body = excerpt(g.attrs.str("description"))
	if it.State == "open" {
		it.Due = day(g.attrs.str("due_date"))
	}
	if u := g.page("milestones/" + g.attrs.str("iid")); u != "" && g.attrs.str("url") == "" && g.attrs.str("iid") != "" {
		it.URL = u
	}
}

func (g *gitlabEvent) emoji() {
	it, a := g.item, g.attrs
	on := strings.ToLower(words(a.str("awardable_type")))
	if on == "note" {
		on = "a comment"
	}
	what, n := g.noted()
	if what != "" {
		if on == "a comment" {
			what = "a comment on " + what
		}
		on = what
	}
	did := " reacted with " + emoji(":"+a.str("name")+":") + " to " + on
	if g.action == "revoke" || g.str("event_type") == "revoke" {
		did = " took " + emoji(":"+a.str("name")+":") + " back from " + on
	}
	it.Title = title(orSomebody(it.Author)+did, n)
	if u := a.link("awarded_on_url"); u != "" {
		it.URL = u
	}
	g.low()
}

// vulnerability events name no user and no project; the address does.
func (g *gitlabEvent) vulnerability() {
	it, a := g.item, g.attrs
	it.Level = strings.ToLower(a.str("severity"))
	what := strings.TrimSpace(words(it.Level) + " vulnerability")
	what = capital(what)
	it.State = "open"
	switch state := strings.ToLower(a.str("state")); state {
	case "resolved", "dismissed":
		it.State, what = "resolved", what+" "+state
	case "detected", "confirmed":
		what += " " + state
	case "":
	default:
		it.State, what = state, what+" "+state
	}
	_, id, _ := strings.Cut(it.URL, "/vulnerabilities/")
	it.Thread = thread("vulnerability", id)
	it.Title = title(what, a.str("title"))
	var parts []string
	if p := a.str("location.dependency.package.name"); p != "" {
		parts = append(parts, code(strings.TrimSpace(p+" "+a.str("location.dependency.version"))))
	}
	if f := a.str("location.file", "location.image"); f != "" {
		parts = append(parts, "in "+code(f))
	}
	for _, id := range a.list("identifiers") {
		if strings.HasPrefix(id.str("name"), "CVE-") {
			parts = append(parts, code(id.str("name")))
		}
	}
	it.Body = strings.Join(parts[:min(len(parts), 5)], ", ")
	it.OccurredAt = a.when("resolved_at", "dismissed_at", "confirmed_at", "updated_at", "created_at")
}
