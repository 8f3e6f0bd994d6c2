package tools

import (
	"strings"

	"quietpost/digest"
)

// What machines report on GitHub: runs, checks and deployments.

// unfinished is the reason for which the beginnings of runs and checks are left out: their end will be told.
const unfinished digest.Reason = "it has only begun; its end will be told"

// An outcome is GitHub's conclusion in words and as a state.
type outcome struct {
	words, state string
	low          bool
}

// concluded reads a conclusion (of runs, checks) or a state (of statuses, deployments).
func concluded(s string) outcome {
	switch s = strings.ToLower(s); s {
	case "success", "completed":
		return outcome{"passed", "passed", true}
	case "failure", "error", "startup_failure":
		return outcome{"failed", "failed", false}
	case "timed_out":
		return outcome{"timed out", "failed", false}
	case "action_required":
		return outcome{"waits for somebody", "waiting", false}
	case "cancelled", "skipped", "neutral", "stale":
		return outcome{map[string]string{"cancelled": "was cancelled", "skipped": "was skipped", "stale": "was left unfinished",
			"neutral": "ended without a verdict"}[s], s, true}
	case "":
		return outcome{"ended", "", true}
	}
	return outcome{"ended: " + strings.ToLower(words(s)), s, false}
}

func (g *githubEvent) workflowRun() digest.Reason {
	run, it := g.at("workflow_run"), g.item
	name := run.str("name")
	if name == "" {
		name = g.str("workflow.name", "workflow.path")
	}
	if g.action == "requested" || g.action == "in_progress" {
		return unfinished
	}
	o := concluded(run.str("conclusion"))
	g.result(name, "run", run.str("head_branch"), o)
	it.Title = title(it.Title, run.str("display_title", "head_commit.message"))
	it.Author = run.str("actor.login", "triggering_actor.login")
	if it.Author == "" {
		it.Author = g.str("sender.login")
	}
	if u := run.link("html_url"); u != "" {
		it.URL = u
	}
	it.OccurredAt = run.when("updated_at", "run_started_at")
	it.Body = runFacts(run)
	return ""
}

// result fills what all runs and checks share: "CI failed on main", in the thread of that check on that branch.
func (g *githubEvent) result(name, what, branch string, o outcome) {
	it := g.item
	if name == "" {
		name = words(what)
	}
	it.Title = name + " " + o.words
	it.Thread = thread(what, name)
	if branch != "" {
		it.Title += " on " + branch
		it.Thread = thread(what, name+"@"+branch)
	}
	it.State = o.state
	if o.low {
		g.low()
	}
}

// runFacts is what a reader needs beside the title: which run, of which commit, for which pull request.
func runFacts(run node) string {
	var facts []string
	if n := run.str("run_number"); n != "" {
		facts = append(facts, "run "+n)
	}
	if a := run.str("run_attempt"); a != "" && a != "1" {
		facts = append(facts, "attempt "+a)
	}
	for _, pr := range run.list("pull_requests") {
		if n := pr.str("number"); n != "" && len(facts) < 6 {
			facts = append(facts, "for PR #"+n)
		}
	}
	commit := code(short(run.str("head_sha", "head_commit.id")))
	if m := firstLine(run.str("head_commit.message")); m != "" && commit != "" {
		commit += " " + escape(digest.OneLine(m, 120))
	}
	if commit != "" {
		facts = append(facts, "commit "+commit)
	}
	s := strings.Join(facts, ", ")
	if s == "" {
		return ""
	}
	return capital(s)
}

// workflowJob folds into the thread of its run; only a failure says something of its own, and none ends the run.
func (g *githubEvent) workflowJob() digest.Reason {
	job, it := g.at("workflow_job"), g.item
	if g.action != "completed" && g.action != "" {
		return unfinished
	}
	o := concluded(job.str("conclusion"))
	workflow, branch := job.str("workflow_name"), job.str("head_branch")
	name := job.str("name")
	if workflow == "" {
		workflow = name
	}
	g.result(workflow, "run", branch, o)
	if workflow != name {
		it.Title = title(strings.Replace(it.Title, workflow, workflow+" / "+name, 1))
	}
	if it.State != "failed" {
		it.State = ""
	}
	var failed []string
	for _, s := range job.list("steps") {
		if s.str("conclusion") == "failure" {
			failed = append(failed, code(s.str("name")))
		}
	}
	if len(failed) > 0 {
		it.Body = "Failed at " + strings.Join(failed[:min(len(failed), 5)], ", ") + "."
	}
	if u := job.link("html_url"); u != "" {
		it.URL = u
	}
	it.OccurredAt = job.when("completed_at", "started_at")
	return ""
}

func (g *githubEvent) checkRun() digest.Reason {
	run, it := g.at("check_run"), g.item
	if g.action == "created" && run.str("status") != "completed" {
		return unfinished
	}
	if g.action == "rerequested" || g.action == "requested_action" {
		it.Title = title("Check " + run.str("name") + " asked for again")
		if does := g.str("requested_action.identifier"); does != "" {
			it.Title = title("Check " + run.str("name") + " asked for " + does)
		}
		it.Thread = thread("check", run.str("name")+"@"+run.str("check_suite.head_branch"))
		g.low()
		return ""
	}
	g.result("Check "+run.str("name"), "check", run.str("check_suite.head_branch"), concluded(run.str("conclusion")))
	it.Thread = strings.Replace(it.Thread, "check/Check ", "check/", 1)
	it.Title = title(it.Title, run.str("output.title"))
	it.Body = paragraphs(excerpt(run.str("output.summary")), runFacts(run))
	if u := run.link("html_url", "details_url"); u != "" {
		it.URL = u
	}
	it.OccurredAt = run.when("completed_at", "started_at")
	return ""
}

func (g *githubEvent) checkSuite() digest.Reason {
	suite, it := g.at("check_suite"), g.item
	if g.action != "completed" && g.action != "" {
		return unfinished
	}
	name := suite.str("app.name")
	if name == "" {
		name = "a check suite"
	}
	g.result("Checks by "+name, "suite", suite.str("head_branch"), concluded(suite.str("conclusion")))
	it.Thread = strings.Replace(it.Thread, "suite/Checks by ", "suite/", 1)
	it.Title = title(it.Title, firstLine(suite.str("head_commit.message")))
	it.Body = runFacts(suite)
	if repo, sha := g.link("repository.html_url"), suite.str("head_sha"); repo != "" && sha != "" {
		it.URL = webAddress(repo + "/commit/" + sha + "/checks")
	}
	it.OccurredAt = suite.when("updated_at")
	return ""
}

func (g *githubEvent) commitStatus() digest.Reason {
	it := g.item
	state := g.str("state")
	if state == "pending" {
		return unfinished
	}
	g.result(g.str("context"), "status", g.str("branches.0.name"), concluded(state))
	it.Title = title(it.Title, g.str("description"))
	it.Body = runFacts(node{map[string]any{"head_sha": g.str("sha"),
		"head_commit": map[string]any{"message": g.str("commit.commit.message")}}})
	if u := g.link("target_url", "commit.html_url"); u != "" {
		it.URL = u
	}
	it.OccurredAt = g.when("updated_at", "created_at")
	return ""
}

// asDeployment sets what both events of a deployment share and gives where it goes and what.
func (g *githubEvent) asDeployment() (what, where string) {
	it, d := g.item, g.at("deployment")
	it.Kind = digest.KindDeploy
	where = d.str("environment")
	if where == "" {
		where = g.str("deployment_status.environment", "deployment.original_environment")
	}
	what = d.str("ref")
	if len(what) == 40 && what == d.str("sha") {
		what = short(what)
	}
	it.Thread = thread("deploy", where)
	it.Author = d.str("creator.login")
	if it.Author == "" {
		it.Author = g.str("sender.login")
	}
	if where == "" {
		where = "somewhere"
	}
	return what, where
}

func (g *githubEvent) deployment() {
	what, where := g.asDeployment()
	g.item.Title = title("Deployment of " + what + " to " + where + " begun")
	g.item.Body = excerpt(g.str("deployment.description"))
	g.item.OccurredAt = g.when("deployment.created_at")
	g.low()
}

func (g *githubEvent) deploymentStatus() digest.Reason {
	it, s := g.item, g.at("deployment_status")
	what, where := g.asDeployment()
	it.OccurredAt = s.when("updated_at", "created_at")
	it.Body = excerpt(s.str("description"))
	if u := s.link("log_url", "target_url", "environment_url"); u != "" {
		it.URL = u
	}
	switch state := s.str("state"); state {
	case "pending", "queued", "in_progress":
		return unfinished
	case "success":
		it.State, it.Title = "success", title(words(what)+" deployed to "+where)
		it.Title = strings.Replace(it.Title, words(what), what, 1)
		if u := s.link("environment_url"); u != "" {
			it.URL = u
		}
	case "failure", "error":
		it.State, it.Title = "failed", title("Deployment of "+what+" to "+where+" failed")
	case "waiting":
		it.State, it.Title = state, title("Deployment of "+what+" to "+where+" waits for approval")
	case "inactive":
		it.Title = title("Deployment of " + what + " to " + where + " replaced or taken down")
		g.low()
	default:
		it.State, it.Title = state, title("Deployment of "+what+" to "+where, strings.ToLower(words(state)))
	}
	return ""
}
