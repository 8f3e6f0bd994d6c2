package tools

import (
	"strings"

	"quietpost/digest"
)

// CDEvents (https://cdevents.dev) are events of continuous delivery: a context with type and source, a subject with its
// content. They come as the data of CloudEvents, or bare.

func isCDEvent(n node) bool {
	return strings.HasPrefix(n.str("context.type"), "dev.cdevents.") && n.at("subject").object() != nil
}

// cdThings are the subjects that CDEvents writes as one word.
var cdThings = map[string]string{"pipelinerun": "pipeline", "taskrun": "task", "testcaserun": "test", "testsuiterun": "test suite",
	"testoutput": "test output"}

// cdStates are the states that the last word of a type puts its subject into, where the outcome says no other.
var cdStates = map[string]string{"queued": "queued", "started": "running", "detected": "firing", "reported": "firing", "resolved": "resolved",
	"created": "open", "updated": "open", "merged": "merged", "abandoned": "closed", "closed": "closed", "deployed": "success",
	"upgraded": "success", "published": "success", "rolledback": "rolled back", "removed": "removed", "skipped": "skipped"}

func cdEvent(n node) digest.Item {
	kind, subject, content := n.str("context.type"), n.at("subject"), n.at("subject.content")
	thing, did, _ := strings.Cut(strings.TrimPrefix(kind, "dev.cdevents."), ".")
	did, _, _ = strings.Cut(did, ".") // the version is behind it
	it := digest.Item{Kind: digest.KindStatus, Event: kind, OccurredAt: n.when("context.timestamp"), State: cdStates[did],
		Author: content.str("creator", "updatedBy", "user"), Thread: thread(thing, strings.Trim(subject.str("id"), "/")),
		Level: strings.ToLower(content.str("severity", "priority"))}
	it.URL = content.link("viewUrl", "uri", "url", "ticketURI", "repository.viewUrl", "repository.url")
	if it.URL == "" {
		it.URL = subject.link("source", "id")
	}
	switch thing {
	case "service", "environment":
		it.Kind = digest.KindDeploy
	case "branch", "repository", "artifact":
		it.State = ""
	}
	verb := map[string]string{"rolledback": "rolled back", "queued": "waits", "removed": "taken down"}[did]
	if verb == "" {
		verb = strings.ToLower(words(did))
	}
	switch outcome := strings.ToLower(content.str("outcome", "conclusion")); outcome {
	case "success", "pass", "passed":
		it.State, verb = "passed", "passed"
	case "failure", "fail", "failed", "error":
		it.State, verb = "failed", "failed"
	case "cancel", "cancelled", "canceled":
		it.State, verb = "cancelled", "was cancelled"
	case "":
	default:
		it.State, verb = outcome, "ended: "+outcome
	}
	if did == "queued" || did == "started" || it.State == "passed" {
		it.Priority = "low"
	}
	it.Title = orElse(cdTitle(orElse(cdThings[thing], thing)+" "+verb, subject, content), "An event that does not say what happened")
	it.Project = cdProject(n, thing)
	it.Body = escape(excerpt(orElse(content.str("errors", "reason"), content.str("description"))))
	if strings.Contains(it.Title, it.Body) {
		it.Body = ""
	}
	return it
}

// cdTitle is what happened, to what, where.
func cdTitle(what string, subject, content node) string {
	name := content.str("pipelineName", "taskName", "testCase.name", "testSuite.name", "name", "summary", "description", "testCase.id",
		"testSuite.id", "artifactId", "outputType")
	if name == "" {
		name = strings.Trim(subject.str("id"), "/")
	}
	where := content.str("environment.name", "environment.id")
	if where == "" || strings.Contains(name, where) {
		return title(words(what), firstLine(name))
	}
	return title(words(what)+" in "+where, firstLine(name))
}

// cdProject is the repository, else the source of the event.
func cdProject(n node, thing string) string {
	content := n.at("subject.content")
	if thing == "repository" && content.str("name") != "" {
		return strings.Trim(content.str("owner")+"/"+content.str("name"), "/")
	}
	return orElse(content.str("repository.name", "repository.id"), sourceProject(n.str("context.source", "subject.source")))
}
