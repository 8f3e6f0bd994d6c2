// Package tools reads what tools post: one pure adapter a tool, from header and body to items. An adapter has no
// clock, no network and no state; it follows no link it finds. What it does not understand wholly it makes a plain
// item of; only a body that nothing can be read from is an error, and the door quarantines that with its raw bytes.
//
// A new tool is one file with its adapter and one row in Types.
package tools

import (
	"bytes"
	"errors"
	"net/http"

	"quietpost/digest"
)

// An Adapter reads one delivery. The header is the request's; the body is whole, decompressed and at most as large as
// the door's limit for the tool. The error wraps ErrUnreadable.
type Adapter func(h http.Header, body []byte) (Reading, error)

// A Reading is what an adapter found.
type Reading struct {
	Items []digest.Item // in the order they happened; at most MaxItems
	Key   string        // the tool's own delivery id, "" if it has none; good beside an error too

	// Ignored says why there is no item although the delivery is genuine: a ping, a check that only began. Empty when
	// there are items.
	Ignored digest.Reason

	// Hint is set when the items' project is a guess, so that a project the operator gave the source goes before it.
	Hint bool
}

// MaxItems is how many items one delivery gives at most; the last then says how many more there were.
const MaxItems = 200

// ErrUnreadable is what every adapter's error wraps.
var ErrUnreadable = errors.New("the body cannot be read")

// A Tool is what the door needs to know of a source's type.
type Tool struct {
	Name  string
	Read  Adapter
	Limit int64  // largest body in bytes; 0: the door's own
	Reply string // when set, whatever is kept is answered 200 with this text/plain, because the tool's senders look for it
}

// Types are the types a source may have, by name.
func Types() map[string]Tool {
	return map[string]Tool{
		"bitbucket": {Name: "bitbucket", Read: Bitbucket},
		"forgejo":   {Name: "forgejo", Read: Gitea},
		"generic":   {Name: "generic", Read: Generic},
		"gitea":     {Name: "gitea", Read: Gitea},
		"github":    {Name: "github", Read: GitHub, Limit: 25 << 20}, // GitHub's own cap of a payload
		"gitlab":    {Name: "gitlab", Read: GitLab},
		"jira":      {Name: "jira", Read: Jira},
		"linear":    {Name: "linear", Read: Linear},
		"slack":     {Name: "slack", Read: Slack, Reply: "ok"},
	}
}

// Detect tells by header and body which tool a delivery to a source of type auto comes from; generic if no other.
func Detect(h http.Header, body []byte) string {
	switch {
	case h.Get("X-Event-Key") != "":
		return "bitbucket"
	case h.Get("X-Gitlab-Event") != "":
		return "gitlab"
	case h.Get("Linear-Event") != "" || h.Get("Linear-Delivery") != "":
		return "linear"
	case h.Get("X-Atlassian-Webhook-Identifier") != "" || bytes.Contains(body, []byte(`"webhookEvent"`)):
		return "jira" // Server and Data Center name themselves in no header
	case h.Get("X-Forgejo-Event") != "": // Forgejo sends Gitea's and GitHub's headers too
		return "forgejo"
	case h.Get("X-Gitea-Event") != "" || h.Get("X-Gogs-Event") != "":
		return "gitea"
	case h.Get("X-GitHub-Event") != "":
		return "github"
	case looksLikeSlack(h, body):
		return "slack"
	}
	return "generic"
}
