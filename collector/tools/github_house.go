package tools

import (
	"strings"

	"quietpost/digest"
)

// Who may do what on GitHub: members, teams, apps, rules and settings. What opens or closes a door is news, what only
// describes one is bookkeeping.

// githubHouse is the second half of the table of events with words of their own.
func githubHouse(event string) func(*githubEvent) digest.Reason {
	switch event {
	case "repository":
		return told((*githubEvent).repository)
	case "public":
		return told(func(g *githubEvent) { g.item.Title = title(g.item.Project + " is public now") })
	case "member":
		return told((*githubEvent).member)
	case "membership":
		return told((*githubEvent).membership)
	case "organization":
		return told((*githubEvent).organization)
	case "org_block":
		return told(func(g *githubEvent) {
			g.item.Title = title(orSomebody(g.str("blocked_user.login")) + " " + g.action + " in " + g.item.Project)
		})
	case "team", "team_add":
		return told((*githubEvent).team)
	case "installation", "integration_installation":
		return told((*githubEvent).installation)
	case "installation_repositories", "integration_installation_repositories":
		return told((*githubEvent).installationRepositories)
	case "github_app_authorization":
		return told(func(g *githubEvent) {
			g.item.Title = title(orSomebody(g.item.Author) + " " + g.action + " the authorization of an app")
			g.low()
		})
	case "personal_access_token_request":
		return told((*githubEvent).tokenRequest)
	case "branch_protection_rule", "repository_ruleset", "branch_protection_configuration", "deploy_key", "security_and_analysis":
		return told((*githubEvent).rule)
	case "meta":
		return told(func(g *githubEvent) {
			g.item.Level = "warning"
			g.item.Title = title("The webhook to here was deleted at GitHub: nothing more will come from " + g.item.Project)
		})
	case "custom_property", "custom_property_values", "installation_target", "secret_scanning_alert_location", "user", "cache_sync":
		return told((*githubEvent).aside)
	case "secret_scanning_scan":
		return func(*githubEvent) digest.Reason { return "a scan that ended; what it found is told by itself" }
	}
	return githubPlan(event)
}

// aside is for events that a short line tells well enough, and late enough.
func (g *githubEvent) aside() {
	it := g.item
	g.low()
	switch g.event {
	case "custom_property":
		if name := g.str("definition.property_name"); name != "" {
			it.Title = title("Custom property "+name+" "+strings.ToLower(words(g.action)), g.str("definition.description"))
		}
	case "custom_property_values":
		var now []string
		for _, p := range g.list("new_property_values") {
			value := p.str("value")
			if several := p.list("value"); len(several) > 0 {
				value = count(len(several), "value")
			}
			now = append(now, p.str("property_name")+" is "+orElse(value, "nothing"))
		}
		if len(now) > 0 {
			it.Title = title("Properties of "+it.Project+" changed", list(now))
		}
	case "installation_target":
		if from, to := g.str("changes.login.from", "changes.slug.from"), g.str("account.login", "account.slug"); from != "" && to != "" {
			it.Title = title(from + " renamed " + to)
		}
	case "secret_scanning_alert_location":
		where := g.str("location.details.path")
		if line := g.str("location.details.start_line"); where != "" && line != "" {
			where += ":" + line
		}
		it.Title = title("Leaked secret is in "+orElse(where, "another place"), g.str("alert.secret_type_display_name", "alert.secret_type"))
		it.Thread = thread("secret-scanning", g.str("alert.number"))
		if u := g.link("alert.html_url"); u != "" {
			it.URL = u
		}
	}
}

func (g *githubEvent) repository() {
	it := g.item
	name := g.str("repository.full_name", "repository.name")
	it.Thread, it.OccurredAt = "repository", g.when("repository.updated_at", "repository.created_at")
	from := g.str("changes.repository.name.from")
	switch g.action {
	case "renamed":
		it.Title = title("Repository " + strings.TrimSpace(from+" renamed "+name))
	case "transferred":
		from = g.str("changes.owner.from.user.login", "changes.owner.from.organization.login")
		if it.Title = title("Repository " + name + " moved here"); from != "" {
			it.Title = title("Repository " + name + " moved here from " + from)
		}
	case "publicized":
		it.Title = title("Repository " + name + " is public now")
	case "privatized":
		it.Title = title("Repository " + name + " is private now")
	case "edited":
		it.Title = title("Settings of "+name+" changed", g.changedFields())
		if d := g.str("changes.default_branch.from"); d != "" {
			it.Title = title("Default branch of " + name + " is now " + g.str("repository.default_branch") + ", not " + d)
			break
		}
		g.low()
	case "":
		it.Title = title("Repository " + name)
	default:
		it.Title = title("Repository " + name + " " + strings.ToLower(words(g.action)))
		if g.action == "deleted" || g.action == "archived" {
			it.State = g.action
		}
	}
}

// changedFields are the names of what an edit changed.
func (g *githubEvent) changedFields() string {
	var fields []string
	for _, k := range g.at("changes").keys() {
		fields = append(fields, strings.ToLower(words(k)))
	}
	return list(fields)
}

func (g *githubEvent) member() {
	who := orSomebody(g.str("member.login"))
	as := g.str("changes.permission.to", "changes.role_name.to")
	if as != "" {
		as = " as " + as
	}
	switch g.action {
	case "added":
		g.item.Title = title(who + " may now work on " + g.item.Project + as)
	case "removed":
		g.item.Title = title(who + " may no longer work on " + g.item.Project)
	default:
		g.item.Title = title("Rights of " + who + " on " + g.item.Project + " changed" + strings.Replace(as, " as ", " to ", 1))
	}
	g.item.Thread = thread("member", who)
}

func (g *githubEvent) membership() {
	who, team := orSomebody(g.str("member.login")), g.str("team.name", "team.slug")
	what := " joined team "
	if g.action == "removed" {
		what = " left team "
	}
	g.item.Title = title(who + what + team)
	g.item.Thread = thread("member", who)
}

func (g *githubEvent) organization() {
	it := g.item
	who := orSomebody(g.str("membership.user.login", "invitation.login", "user.login", "invitation.email"))
	it.Thread = thread("member", who)
	switch g.action {
	case "member_added":
		it.Title = title(who + " joined " + it.Project)
	case "member_removed":
		it.Title = title(who + " left " + it.Project)
	case "member_invited":
		it.Title = title(who + " invited to " + it.Project)
	default:
		it.Thread = "organization"
		it.Title = title("Organization " + it.Project + " " + strings.ToLower(words(g.action)))
		if from := g.str("changes.login.from"); from != "" {
			it.Title = title("Organization " + from + " renamed " + it.Project)
		}
	}
}

func (g *githubEvent) team() {
	it, name := g.item, g.str("team.name", "team.slug")
	it.Thread = thread("team", g.str("team.slug", "team.id"))
	if u := g.link("team.html_url"); u != "" {
		it.URL = u
	}
	switch {
	case g.event == "team_add" || g.action == "added_to_repository":
		it.Title = title("Team " + name + " may now work on " + it.Project)
	case g.action == "removed_from_repository":
		it.Title = title("Team " + name + " may no longer work on " + it.Project)
	case g.action == "edited":
		it.Title = title("Team "+name+" edited", g.changedFields())
		g.low()
	default:
		it.Title = title("Team " + name + " " + strings.ToLower(words(g.action)))
	}
}

// appName is the app of an installation as people know it.
func (g *githubEvent) appName() string {
	if name := g.str("installation.app_slug"); name != "" {
		return "App " + name
	}
	return "An app"
}

func (g *githubEvent) installation() {
	it, on := g.item, g.str("installation.account.login")
	it.Thread = thread("app", g.str("installation.app_slug", "installation.app_id", "installation.id"))
	if u := g.link("installation.html_url"); u != "" {
		it.URL = u
	}
	if on != "" {
		on = " for " + on
	}
	done := map[string]string{"created": "installed", "deleted": "uninstalled", "suspend": "suspended", "unsuspend": "allowed again",
		"new_permissions_accepted": "given new permissions"}[g.action]
	if done == "" {
		done = strings.ToLower(words(g.action))
	}
	it.Title = title(g.appName() + " " + done + on)
	it.OccurredAt = g.when("installation.updated_at", "installation.created_at")
}

func (g *githubEvent) installationRepositories() {
	it := g.item
	it.Thread = thread("app", g.str("installation.app_slug", "installation.app_id", "installation.id"))
	var names []string
	for _, r := range g.list("repositories_" + g.action) {
		names = append(names, r.str("full_name", "name"))
	}
	may := " may now use "
	if g.action == "removed" {
		may = " may no longer use "
	}
	of := list(names)
	if of == "" {
		of = "other repositories"
	}
	it.Title = title(g.appName() + may + of)
	if u := g.link("installation.html_url"); u != "" {
		it.URL = u
	}
}

func (g *githubEvent) tokenRequest() {
	it, r := g.item, g.at("personal_access_token_request")
	who := orSomebody(r.str("owner.login"))
	it.Thread = thread("token", r.str("id"))
	it.OccurredAt = r.when("created_at")
	switch g.action {
	case "created", "":
		it.Kind, it.State = digest.KindRequest, "open"
		it.Title = title(who + " asks to use a personal access token in " + it.Project)
	default:
		it.State = "closed"
		it.Title = title("Request of " + who + " to use a personal access token " + strings.ToLower(words(g.action)))
	}
}

// rule is for protections of branches, rulesets, deploy keys and security features: what is taken away is a warning.
func (g *githubEvent) rule() {
	it := g.item
	what, name, page := "Branch protection of", g.str("rule.name"), "/settings/branches"
	switch g.event {
	case "repository_ruleset":
		what, name, page = "Ruleset", g.str("repository_ruleset.name"), "/settings/rules"
	case "branch_protection_configuration":
		what, name = "All branch protection of", it.Project
	case "deploy_key":
		what, name, page = "Deploy key", g.str("key.title"), "/settings/keys"
	case "security_and_analysis":
		what, name, page = "Security features of", it.Project, "/settings/security_analysis"
	}
	if name == "" {
		name = it.Project
	}
	done := strings.ToLower(words(g.action))
	if done == "" {
		done = "changed"
	}
	it.Title = title(strings.TrimSpace(what+" "+name) + " " + done)
	it.Thread = thread(strings.ReplaceAll(g.event, "_", "-"), name)
	if repo := g.link("repository.html_url"); repo != "" {
		it.URL = webAddress(repo + page)
	}
	if u := g.link("repository_ruleset._links.html.href"); u != "" {
		it.URL = u
	}
	switch g.action {
	case "edited":
		it.Body = escape(capital(g.changedFields()))
	case "deleted", "disabled":
		it.Level = "warning"
	}
	if g.event == "deploy_key" && g.action == "created" && g.str("key.read_only") == "false" {
		it.Body = "It may write."
	}
	it.OccurredAt = g.when("rule.updated_at", "repository_ruleset.updated_at", "key.created_at")
}
