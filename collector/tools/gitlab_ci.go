package tools

import (
	"strings"

	"quietpost/digest"
)

// What machines report on GitLab: pipelines, jobs, deployments; and what is shipped: releases, feature flags.

// ended reads the status of a pipeline or job; done is false while its end is still to come.
func ended(status string) (o outcome, done bool) {
	switch strings.ToLower(status) {
	case "created", "waiting_for_resource", "preparing", "pending", "running", "scheduled", "waiting_for_callback", "canceling":
		return outcome{}, false
	case "canceled", "cancelled":
		return concluded("cancelled"), true
	case "manual", "blocked":
		return outcome{"waits for somebody to start the next step", "waiting", true}, true
	case "failed":
		return concluded("failure"), true
	}
	return concluded(status), true
}

// onRef is "on main", "for tag v1" or "on MR !5", and the name by which a pipeline's thread is known.
func onRef(ref, tag, mr string) (on, key string) {
	if rest, ok := strings.CutPrefix(ref, "refs/merge-requests/"); ok {
		n, _, _ := strings.Cut(rest, "/")
		return " on MR !" + n, "!" + n
	}
	switch {
	case ref == "" && mr != "":
		return " on MR !" + mr, "!" + mr
	case ref == "":
		return "", ""
	case tag == "true":
		return " for tag " + ref, ref
	}
	return " on " + ref, ref
}

func (g *gitlabEvent) pipeline() digest.Reason {
	p, it := g.attrs, g.item
	o, done := ended(p.str("status", "detailed_status"))
	if !done {
		return unfinished
	}
	what := "Pipeline"
	if p.str("source") == "schedule" {
		what = "Scheduled pipeline"
	}
	on, key := onRef(p.str("ref"), p.str("tag"), g.str("merge_request.iid"))
	it.Thread = thread("pipeline", key)
	it.State = o.state
	if o.low {
		g.low()
	}
	it.Title = title(what+" "+o.words+on, firstLine(g.str("commit.title", "commit.message")))
	it.Body = paragraphs(g.failedJobs(), g.pipelineFacts())
	if id := p.str("id"); p.link("url") == "" && id != "" {
		if u := g.page("pipelines/" + id); u != "" {
			it.URL = u
		}
	}
	it.OccurredAt = p.when("finished_at", "updated_at", "created_at")
	return ""
}

// failedJobs names the jobs for which the pipeline failed.
func (g *gitlabEvent) failedJobs() string {
	const most = 5
	var failed []string
	for _, b := range g.list("builds") {
		if b.str("status") != "failed" || b.truth("allow_failure") {
			continue
		}
		job := code(b.str("name"))
		if why := b.str("failure_reason"); why != "" && why != "unknown_failure" {
			job += " (" + escape(strings.ToLower(words(why))) + ")"
		}
		failed = append(failed, job)
	}
	if len(failed) == 0 {
		return ""
	}
	more := ""
	if n := len(failed) - most; n > 0 {
		failed, more = failed[:most], " and "+count(n, "other")
	}
	return "Failed: " + strings.Join(failed, ", ") + more + "."
}

func (g *gitlabEvent) pipelineFacts() string {
	var facts []string
	if n := g.str("merge_request.iid"); n != "" {
		facts = append(facts, "for MR !"+digest.OneLine(n, 30))
	}
	commit := code(short(g.str("commit.id", "object_attributes.sha", "sha")))
	if m := firstLine(g.str("commit.title", "commit.message")); m != "" && commit != "" {
		commit += " " + escape(digest.OneLine(m, 120))
	}
	if commit != "" {
		facts = append(facts, "commit "+commit)
	}
	if who := g.str("commit.author.name"); who != "" && who != g.str("user.name") {
		facts = append(facts, "by "+escape(digest.OneLine(who, 60)))
	}
	s := strings.Join(facts, ", ")
	if s == "" {
		return ""
	}
	return capital(s)
}

// job folds into the thread of its branch's pipeline; only a failure says something of its own, and none ends it.
func (g *gitlabEvent) job() digest.Reason {
	it := g.item
	o, done := ended(g.str("build_status"))
	if !done {
		return unfinished
	}
	on, key := onRef(g.str("ref"), g.str("tag"), "")
	it.Thread = thread("pipeline", key)
	name := g.str("build_name")
	it.Title = title(strings.TrimSpace("Job "+name)+" "+o.words+on, firstLine(g.str("commit.message")))
	if o.low || g.truth("build_allow_failure") {
		g.low()
	} else {
		it.State = o.state
	}
	var facts []string
	if s := g.str("build_stage"); s != "" {
		facts = append(facts, "Stage "+code(s))
	}
	if why := g.str("build_failure_reason"); o.state == "failed" && why != "" && why != "unknown_failure" {
		facts = append(facts, escape(strings.ToLower(words(why))))
	}
	if g.truth("build_allow_failure") && o.state == "failed" {
		facts = append(facts, "allowed to fail")
	}
	if sha := code(short(g.str("sha", "commit.sha"))); sha != "" {
		facts = append(facts, "commit "+sha)
	}
	it.Body = strings.Join(facts, ", ")
	if id := g.str("build_id"); id != "" {
		if u := g.page("jobs/" + id); u != "" {
			it.URL = u
		}
	}
	it.OccurredAt = g.when("build_finished_at", "build_started_at", "build_created_at", "commit.finished_at")
	return ""
}

func (g *gitlabEvent) deployment() digest.Reason {
	it := g.item
	where, what := g.str("environment", "environment_slug"), g.str("ref", "short_sha")
	if len(what) == 40 {
		what = short(what)
	}
	it.Kind, it.Thread = digest.KindDeploy, thread("deploy", where)
	if where == "" {
		where = "somewhere"
	}
	it.OccurredAt = g.when("status_changed_at", "updated_at", "created_at")
	if u := g.link("deployable_url", "commit_url"); u != "" {
		it.URL = u
	}
	of := strings.TrimSpace("Deployment of " + what + " to " + where)
	of = strings.Replace(of, "of  to", "to", 1)
	commit := firstLine(g.str("commit_title"))
	switch status := strings.ToLower(g.str("status")); status {
	case "created", "running", "scheduled":
		return unfinished
	case "success", "":
		it.State, of = "success", strings.TrimSpace(what+" deployed to "+where)
		if what == "" {
			of = "Deployed to " + where
		}
		if u := g.link("environment_external_url"); u != "" {
			it.URL = u
		}
	case "failed":
		it.State, of = "failed", of+" failed"
	case "canceled", "cancelled", "skipped":
		of += " was " + strings.Replace(status, "canceled", "cancelled", 1)
		g.low()
	case "blocked", "manual":
		it.State, of = "waiting", of+" waits for approval"
	default:
		it.State, of = status, of+": "+strings.ToLower(words(status))
	}
	it.Title = title(of, commit)
	return ""
}

func (g *gitlabEvent) release() {
	it := g.item
	tag, name := g.str("tag"), g.str("name")
	if name == tag {
		name = ""
	}
	it.Thread = thread("release", tag)
	what := strings.TrimSpace("Release " + tag)
	switch g.action {
	case "create", "":
		it.Kind, it.State, what = digest.KindAnnouncement, "published", what+" published"
		it.Body = excerpt(g.str("description"))
	case "delete":
		it.State, what = "deleted", what+" deleted"
	default:
		what += " " + gitlabDone(g.action)
		g.low()
	}
	it.Title = title(what, name)
	if u := g.link("url"); u != "" && g.action != "delete" {
		it.URL = u
	}
	it.OccurredAt = g.when("released_at", "created_at")
}

func (g *gitlabEvent) featureFlag() {
	it, name := g.item, g.attrs.str("name")
	it.Thread = thread("flag", name)
	it.State = "off"
	if g.attrs.truth("active") {
		it.State = "on"
	}
	it.Title = title("Feature flag "+name+" switched "+it.State, firstLine(g.attrs.str("description")))
	if u := g.page("feature_flags"); u != "" {
		it.URL = u
	}
}
