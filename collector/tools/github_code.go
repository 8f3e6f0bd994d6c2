package tools

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"quietpost/digest"
)

// What happens to code on GitHub: pushes, branches and tags, releases, and what shows that it is seen.

// ref is a branch's or tag's name without its prefix, and which of both it is.
func ref(full string) (what, name string) {
	if name, ok := strings.CutPrefix(full, "refs/tags/"); ok {
		return "tag", name
	}
	return "branch", strings.TrimPrefix(full, "refs/heads/")
}

func (g *githubEvent) push() digest.Reason {
	it := g.item
	it.Author = g.str("pusher.name", "sender.login", "pusher.login")
	if it.Author == "none" { // GitHub's word for a push of its own
		it.Author = g.str("sender.login")
	}
	if u := g.link("compare", "compare_url"); u != "" {
		it.URL = u
	}
	it.OccurredAt = g.when("repository.pushed_at", "head_commit.timestamp")
	p := pushed{before: g.str("before"), after: g.str("after"), commits: g.list("commits"), forced: g.truth("forced"),
		newest: firstLine(g.str("head_commit.message"))}
	p.what, p.name = ref(g.str("ref"))
	p.total = max(len(p.commits), atoi(g.str("total_commits")))
	if n := len(p.commits); n > 1 && p.commits[0].str("id") == p.after { // Gitea and Gogs list the newest first
		slices.Reverse(p.commits)
	}
	if n := len(p.commits); p.newest == "" && n > 0 {
		p.newest = firstLine(p.commits[n-1].str("message"))
	}
	if g.truth("deleted") {
		p.after = "0"
	}
	if g.truth("created") {
		p.before = "0"
	}
	p.fill(it, g.str("repository.default_branch", "repository.master_branch"))
	if it.State == "deleted" {
		it.URL = g.link("repository.html_url")
	}
	if strings.HasPrefix(p.name, "gh-readonly-queue/") {
		return "a branch of the merge queue; the merge will be told"
	}
	return ""
}

// commitList lists the newest of total commits as Markdown, newest last as git push tells them.
func commitList(commits []node, total int) string {
	const most = 10
	var b strings.Builder
	commits = commits[max(0, len(commits)-most):]
	if more := total - len(commits); more > 0 && len(commits) > 0 {
		fmt.Fprintf(&b, "- … and %s before\n", count(more, "commit"))
	}
	for _, c := range commits {
		sha := code(short(c.str("id", "sha", "hash")))
		if u := c.link("url", "links.html.href"); u != "" && sha != "" {
			sha = "[" + sha + "](" + mdLink(u) + ")"
		}
		fmt.Fprintf(&b, "- %s %s", sha, escape(digest.OneLine(firstLine(c.str("message")), 120)))
		if who := c.str("author.name", "author.username", "author.user.display_name", "author.displayName"); who != "" {
			fmt.Fprintf(&b, " (%s)", escape(digest.OneLine(who, 60)))
		}
		b.WriteByte('\n')
	}
	return strings.TrimSpace(b.String())
}

// branchOrTag is for create and delete: news for a tag; of a branch a push tells the same.
func (g *githubEvent) branchOrTag() {
	it := g.item
	what, name := g.str("ref_type"), strings.TrimPrefix(strings.TrimPrefix(g.str("ref"), "refs/heads/"), "refs/tags/")
	if what == "" {
		what = "branch"
	}
	it.Thread = thread(what, name)
	done := "created"
	if g.event == "delete" {
		done, it.State = "deleted", "deleted"
	}
	if what == "repository" && name == "" {
		it.Title = "Repository " + done
		return
	}
	it.Title = title(words(what) + " " + name + " " + done)
	if what == "branch" {
		g.low()
	}
}

// release: GitHub sends created, published and released (or prereleased) for one click on "Publish release".
func (g *githubEvent) release() {
	rel, it := g.at("release"), g.item
	tag := rel.str("tag_name")
	name := rel.str("name")
	if name == tag || name == "v"+tag || "v"+name == tag {
		name = ""
	}
	it.Thread = thread("release", tag)
	it.Author = rel.str("author.login")
	if it.Author == "" || g.action != "published" && g.action != "released" {
		it.Author = g.str("sender.login", "release.author.login")
	}
	if u := rel.link("html_url"); u != "" {
		it.URL = u
	}
	what := "Release"
	if rel.truth("prerelease") {
		what = "Pre-release"
	}
	done, at := g.action, "updated_at"
	switch g.action {
	case "published", "released": // both come of most; the latter alone of a pre-release that has become a release
		it.Kind, it.State, it.Body = digest.KindAnnouncement, "published", excerpt(rel.str("body"))
		done, at = "published", "published_at"
	case "prereleased": // beside published
		done = "published"
		g.low()
	case "created", "edited":
		g.low()
	case "deleted", "unpublished":
		it.State = g.action
	}
	it.Title = title(strings.TrimSpace(what+" "+tag)+" "+done, name)
	it.OccurredAt = rel.when(at, "updated_at", "published_at", "created_at")
}

func (g *githubEvent) fork() {
	it := g.item
	it.Thread = "forks"
	it.Title = title("Forked to " + g.str("forkee.full_name", "forkee.name"))
	if u := g.link("forkee.html_url"); u != "" {
		it.URL = u
	}
	it.OccurredAt = g.when("forkee.created_at")
	g.low()
}

// star: a new star comes twice, as star created and, from older days, as watch started; it is told as the former, so that
// one thread holds both and one rule meets both.
func (g *githubEvent) star() {
	it := g.item
	if g.event == "watch" && g.action == "started" {
		it.Event = "star.created"
	}
	it.Thread = "stars"
	it.Title = "Starred by " + orSomebody(it.Author)
	if g.action == "deleted" {
		it.Title = "Star taken back by " + orSomebody(it.Author)
	}
	if n, err := strconv.Atoi(g.str("repository.stargazers_count")); err == nil && n > 0 {
		it.Title += " (" + count(n, "star") + " now)"
	}
	it.OccurredAt = g.when("starred_at")
	g.low()
}

func (g *githubEvent) wiki() {
	pages := g.list("pages")
	if len(pages) == 0 {
		return
	}
	p := pages[len(pages)-1]
	what := "Wiki page " + p.str("action")
	if len(pages) > 1 {
		what = count(len(pages), "wiki page") + " changed"
	}
	g.item.Title = title(what, p.str("title", "page_name"))
	if u := p.link("html_url"); u != "" {
		g.item.URL = u
	}
	g.item.Thread = "wiki"
}
