package tools

import (
	"fmt"
	"strings"

	"quietpost/digest"
)

// What GitHub finds: vulnerable dependencies, weak code, leaked secrets, advisories, sites that cannot be built.

// alert is for Dependabot, code scanning and secret scanning.
func (g *githubEvent) alert() {
	a, it := g.at("alert"), g.item
	tool := strings.TrimSuffix(g.event, "_alert")
	it.Thread = thread(strings.ReplaceAll(tool, "_", "-"), a.str("number"))
	it.Level = strings.ToLower(a.str("security_advisory.severity", "security_vulnerability.severity", "rule.security_severity_level",
		"rule.severity"))
	what, of := words(tool)+" alert", a.str("security_advisory.summary", "rule.description", "rule.name")
	switch tool {
	case "dependabot":
		if p := a.str("dependency.package.name", "security_vulnerability.package.name"); p != "" {
			what += " for " + p
		}
	case "secret_scanning":
		it.Level = "critical"
		what, of = "Leaked secret", a.str("secret_type_display_name", "secret_type")
	}
	switch it.Level {
	case "low", "medium", "moderate", "high", "critical": // a rule's own error, warning and note read as something else
		if tool != "secret_scanning" {
			what = words(it.Level) + " " + strings.Replace(what, "Code", "code", 1)
		}
	}
	if u := a.link("html_url"); u != "" {
		it.URL = u
	}
	it.State = "open"
	if tool == "secret_scanning" && (g.action == "created" || g.action == "publicly_leaked") {
		urgent(it, "a secret that leaked can be used at once")
	}
	switch g.action {
	case "created", "":
		if tool == "secret_scanning" {
			what += " found"
		}
	case "appeared_in_branch", "assigned", "unassigned", "validated":
		what += " " + strings.ToLower(words(g.action))
		g.low()
	case "reopened", "reintroduced", "auto_reopened", "reopened_by_user", "publicly_leaked":
		what += ", " + strings.ToLower(words(g.action))
	case "fixed", "dismissed", "auto_dismissed", "resolved", "closed_by_user", "revoked":
		what += " " + strings.TrimSuffix(strings.ToLower(words(g.action)), " by user")
		it.State = "resolved"
	default:
		what += ", " + strings.ToLower(words(g.action))
		it.State = strings.ToLower(a.str("state"))
		g.low()
	}
	it.Title = title(what, of)
	it.Body = alertFacts(a)
	it.OccurredAt = a.when("fixed_at", "dismissed_at", "resolved_at", "updated_at", "created_at")
}

func alertFacts(a node) string {
	var facts []string
	add := func(form, s string) {
		if s != "" {
			facts = append(facts, fmt.Sprintf(form, code(s)))
		}
	}
	add("in %s", a.str("dependency.manifest_path", "most_recent_instance.location.path"))
	add("affected: %s", a.str("security_vulnerability.vulnerable_version_range"))
	add("fixed in %s", a.str("security_vulnerability.first_patched_version.identifier"))
	add("%s", a.str("security_advisory.cve_id", "security_advisory.ghsa_id", "rule.id"))
	return strings.Join(facts, ", ")
}

// vulnerability is the older form of a Dependabot alert.
func (g *githubEvent) vulnerability() {
	a, it := g.at("alert"), g.item
	it.Level = strings.ToLower(a.str("severity"))
	it.Thread = thread("vulnerability", a.str("id", "number"))
	it.State = "open"
	what := "Vulnerable dependency"
	switch g.action {
	case "create", "created":
	case "dismiss", "resolve":
		it.State = "resolved"
		what += " " + strings.TrimSuffix(g.action, "e") + "ed"
	default:
		what += " " + g.action
	}
	it.Title = title(what, strings.TrimSpace(a.str("affected_package_name")+" "+a.str("affected_range")))
	if f := a.str("fixed_in"); f != "" {
		it.Body = "Fixed in " + code(f) + "."
	}
	if u := a.link("external_reference"); u != "" {
		it.URL = u
	}
	it.OccurredAt = a.when("created_at")
}

func (g *githubEvent) advisory() {
	a, it := g.at(g.event), g.item
	if !a.has("summary") {
		a = g.at("security_advisory")
	}
	it.Level = strings.ToLower(a.str("severity"))
	it.Thread = thread("advisory", a.str("ghsa_id"))
	it.Title = title("Security advisory "+g.action, a.str("summary"))
	if g.event == "repository_advisory" && g.action == "reported" { // told to the maintainers only, until it is published
		it.Kind, it.Private = digest.KindRequest, true
		it.Title = title("Vulnerability reported in private", a.str("summary"))
	}
	it.Body = excerpt(a.str("description"))
	if u := a.link("html_url", "references.0.url"); u != "" {
		it.URL = u
	}
	it.OccurredAt = a.when("updated_at", "published_at")
}

// pageBuild: a site that was built is of low priority, one that was not is a failure.
func (g *githubEvent) pageBuild() {
	b, it := g.at("build"), g.item
	it.Thread = "pages"
	if status := b.str("status"); status == "errored" {
		it.State, it.Title = "failed", title("GitHub Pages could not be built", b.str("error.message"))
	} else {
		it.State, it.Title = "passed", title("GitHub Pages "+status)
		g.low()
	}
	it.OccurredAt = b.when("updated_at", "created_at")
}
