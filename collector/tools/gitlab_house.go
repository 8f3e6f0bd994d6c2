package tools

import (
	"fmt"
	"strings"

	"quietpost/digest"
)

// Who and what there is on a GitLab instance: members, projects, groups, users, keys, tokens.

// house makes a sentence of an event that has an event_name alone. Who did it is never told, only to whom.
func (g *gitlabEvent) house() {
	it := g.item
	it.OccurredAt = g.when("updated_at", "created_at")
	who := g.str("user_name", "name", "username", "user_username", "email")
	switch {
	case strings.HasPrefix(g.event, "user_") && (strings.Contains(g.event, "_team") || strings.Contains(g.event, "_group") || strings.Contains(g.event, "_project")):
		it.Author = ""
		g.member(who)
	case strings.HasPrefix(g.event, "user_"):
		it.Author = ""
		g.user(who)
	case strings.HasPrefix(g.event, "key_"):
		it.Author = g.str("username")
		done := map[string]string{"key_create": "added", "key_destroy": "removed"}[g.event]
		if done == "" {
			done = strings.ToLower(words(strings.TrimPrefix(g.event, "key_")))
		}
		it.Title = title("SSH key " + done + " by " + orSomebody(it.Author))
	case strings.HasPrefix(g.event, "project_"), strings.HasPrefix(g.event, "group_"), strings.HasPrefix(g.event, "subgroup_"):
		g.place()
	}
}

// member is for users who come to, leave or want to join a project or group.
func (g *gitlabEvent) member(who string) {
	it := g.item
	where := g.str("project_path_with_namespace", "group_path", "project_name", "group_name")
	if it.Project == "" {
		it.Project = where
	}
	what := "group "
	if g.has("project_id") || g.has("project_name") {
		what = "project "
	}
	where = what + g.str("project_name", "group_name", "project_path_with_namespace", "group_path")
	as := g.str("access_level", "project_access", "group_access")
	if as != "" {
		as = " as " + as
	}
	it.Thread = thread("member", g.str("user_username", "user_id", "user_name"))
	who = orSomebody(who)
	switch {
	case strings.Contains(g.event, "_denied_"), strings.Contains(g.event, "_revoked_"):
		it.Title = title(who + " is not let into " + where)
	case strings.Contains(g.event, "_request_"):
		it.Kind = digest.KindRequest
		it.Title = title(who + " asks for access to " + where)
	case strings.HasPrefix(g.event, "user_add_"):
		it.Title = title(who + " joined " + where + as)
	case strings.HasPrefix(g.event, "user_remove_"):
		it.Title = title(who + " left " + where)
	case strings.HasPrefix(g.event, "user_update_"):
		it.Title = title(fmt.Sprintf("%s is now in %s%s", who, where, as))
		g.low()
	}
	if until := day(g.str("expires_at")); until != "" && !strings.HasPrefix(g.event, "user_remove_") {
		it.Body = "Access ends on " + until + "."
	}
}

func (g *gitlabEvent) user(who string) {
	it := g.item
	it.Thread = thread("user", g.str("username", "user_username", "user_id"))
	name := orSomebody(who)
	if login := g.str("username", "user_username"); login != "" && login != who {
		name += " (" + login + ")"
	}
	switch g.event {
	case "user_create":
		it.Title = title("New user " + name)
	case "user_destroy":
		it.Title = title("User " + name + " deleted")
	case "user_rename":
		it.Title = title("User " + g.str("old_username") + " is now " + g.str("username"))
	case "user_failed_login":
		it.Level = "warning"
		it.Title = title("User " + name + ", who is " + strings.ToLower(words(g.str("state"))) + ", tried to log in")
		if g.str("state") == "" {
			it.Title = title("Login of user " + name + " failed")
		}
	}
}

// place is for projects, groups and subgroups.
func (g *gitlabEvent) place() {
	it := g.item
	what, done, _ := strings.Cut(g.event, "_")
	name := g.str("path_with_namespace", "full_path", "path", "name")
	from := g.str("old_path_with_namespace", "old_full_path", "old_path", "old_name")
	if it.Project == "" {
		it.Project = name
	}
	it.Thread = thread(what, name)
	what = words(what)
	switch done {
	case "create":
		it.Title = title(what + " " + name + " created")
	case "destroy":
		it.State, it.Title = "deleted", title(what+" "+name+" deleted")
	case "rename":
		it.Title = title(what + " " + from + " renamed " + name)
	case "transfer":
		it.Title = title(what + " " + from + " moved to " + name)
	case "update":
		it.Title = title("Settings of " + strings.ToLower(what) + " " + name + " changed")
		g.low()
	default:
		it.Title = title(what + " " + name + " " + gitlabDone(done))
	}
}

// accessToken: GitLab tells 60, 30, 7 days and one day before a project's or group's token ends, also of tokens to deploy.
func (g *gitlabEvent) accessToken() {
	it, a := g.item, g.attrs
	name, until := a.str("name"), day(a.str("expires_at"))
	it.Kind, it.Level = digest.KindRequest, "warning"
	it.Thread = thread("token", a.str("id", "name"))
	if it.Due = until; until != "" {
		until = " on " + until
	}
	what, page := "Access token ", "settings/access_tokens"
	if g.event == "deploy_token" {
		what, page = "Deploy token ", "settings/repository"
	}
	it.Title = title(what + name + " expires" + until)
	if u := g.page(page); u != "" {
		it.URL = u
	}
	it.OccurredAt = g.when("updated_at") // created_at is the token's
}
