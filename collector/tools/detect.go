package tools

import (
	"net/http"
	"strings"
)

// A sign is one way to know a tool by: a header, or the shape of the body. A row has one of the two.
type sign struct {
	tool   string
	header string            // it is there and not empty
	starts string            // and its value begins so
	shape  func(n node) bool // of a body that is a JSON object
}

// signs is the table by which Detect tells tools apart. The first row that fits counts: headers before shapes, and what
// copies another's headers (Forgejo, Gitea and Gogs send GitHub's too) before what it copies.
var signs = []sign{
	{tool: "bitbucket", header: "X-Event-Key"},
	{tool: "gitlab", header: "X-Gitlab-Event"},
	{tool: "linear", header: "Linear-Event"},
	{tool: "linear", header: "Linear-Delivery"},
	{tool: "jira", header: "X-Atlassian-Webhook-Identifier"},
	{tool: "forgejo", header: "X-Forgejo-Event"},
	{tool: "gitea", header: "X-Gitea-Event"},
	{tool: "gitea", header: "X-Gogs-Event"},
	{tool: "github", header: "X-GitHub-Event"},
	{tool: "sentry", header: "Sentry-Hook-Resource"},
	{tool: "pagerduty", header: "X-PagerDuty-Signature"},
	{tool: "grafana", header: "X-Grafana-Alerting-Signature"},
	{tool: "alertmanager", header: "User-Agent", starts: "Alertmanager/"},
	{tool: "grafana", header: "User-Agent", starts: "Grafana"},
	{tool: "cloudevents", header: "Content-Type", starts: "application/cloudevents"},
	{tool: "cloudevents", header: "Ce-Specversion"},
	{tool: "ntfy", header: NtfyTopic},
	{tool: "gotify", header: "X-Gotify-Key"},

	{tool: "jira", shape: func(n node) bool { return n.str("webhookEvent") != "" }}, // Server names itself in no header
	{tool: "jira", shape: isAtlassian},
	{tool: "gitlab", shape: isGitLab},
	{tool: "linear", shape: func(n node) bool { return n.has("webhookTimestamp") && n.has("type") && n.has("action") }},
	{tool: "bitbucket", shape: isBitbucket},
	{tool: "gitea", shape: isGitea},
	{tool: "github", shape: isGitHub},
	{tool: "cloudevents", shape: isCloudEvent},
	{tool: "cloudevents", shape: isCDEvent},
	{tool: "grafana", shape: isGrafana},
	{tool: "alertmanager", shape: isAlertGroup},
	{tool: "pagerduty", shape: isPagerDuty},
	{tool: "sentry", shape: isSentry},
	{tool: "msteams", shape: isMSTeams},
	{tool: "googlechat", shape: isGoogleChat},
	{tool: "ntfy", shape: isNtfy},
	{tool: "gotify", shape: isGotify},
	{tool: "telegram", shape: isTelegram},
	{tool: "discord", shape: isDiscord},

	// By these headers many tools sign; what the body is tells more.
	{tool: "standard-webhooks", header: "Webhook-Signature"},
	{tool: "standard-webhooks", header: "Svix-Signature"},
	{tool: "standard-webhooks", header: "Webhook-Id"},
}

// Detect tells by header and body which tool a delivery to a source of type auto comes from; generic if no other.
func Detect(h http.Header, body []byte) string {
	var n node
	read := false
	for _, s := range signs {
		switch v := strings.TrimSpace(h.Get(s.header)); {
		case s.shape == nil:
			if v != "" && len(v) >= len(s.starts) && strings.EqualFold(v[:len(s.starts)], s.starts) {
				return s.tool
			}
			continue
		case !read: // only now, since a header often tells it before a large body is read twice
			n, _ = parse(formPayload(h, body))
			read = true
		}
		if n.object() != nil && s.shape(n) {
			return s.tool
		}
	}
	if looksLikeSlack(h, body) {
		return "slack"
	}
	return "generic"
}

// isAtlassian knows what Jira's automation sends of an issue, and Confluence, which name no event in the body.
func isAtlassian(n node) bool {
	return n.has("issue.fields.project.key") || n.has("page.spaceKey") || n.has("blog.spaceKey") || n.has("comment.spaceKey")
}

// The forges name themselves in headers; these are for bodies that were sent on without them.

func isGitLab(n node) bool {
	switch {
	case n.str("object_kind") != "":
		return n.has("project") || n.has("project_id") || n.has("object_attributes") || n.has("group") || n.has("user")
	case n.str("event_name") != "" && !strings.ContainsAny(n.str("event_name"), ":. "):
		return n.has("project_id") || n.has("path_with_namespace") || n.has("group_id") || n.has("user_id") || n.has("username") && n.has("email")
	}
	return false
}

func isBitbucket(n node) bool {
	if n.str("eventKey") != "" && n.has("actor") { // Server
		return true
	}
	return n.has("repository.links.html.href") && n.has("actor") && n.has("repository.full_name")
}

// isGitea knows a sender with a name as Gitea has it; GitHub's has another form, and Gitee, which is like both, names its
// hook.
func isGitea(n node) bool {
	s := n.at("sender")
	return (s.has("username") || s.has("full_name")) && !s.has("node_id") && !s.has("links") && !n.has("hook_name") && (n.has("repository.full_name") || n.has("repository.name"))
}

func isGitHub(n node) bool {
	return n.has("sender.login") && !n.has("hook_name") && (n.has("sender.node_id") || n.has("sender.gravatar_id") || n.has("sender.site_admin"))
}
