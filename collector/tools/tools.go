// Package tools reads what tools post: one pure adapter a tool, from header and body to items. An adapter has no
// clock, no network and no state; it follows no link it finds. What it does not understand wholly it makes a plain
// item of; only a body that nothing can be read from is an error, and the door quarantines that with its raw bytes.
//
// A new tool is one file with its adapter, one row in Types and one in signs, by which Detect knows it.
package tools

import (
	"errors"
	"net/http"
	"time"

	"quietpost/digest"
)

// An Adapter reads one delivery. The header is the request's; the body is whole, decompressed and at most as large as
// the door's limit for the tool. The error wraps ErrUnreadable.
type Adapter func(h http.Header, body []byte) (Reading, error)

// A Reading is what an adapter found.
type Reading struct {
	Items []digest.Item // in the order they happened; at most MaxItems
	Key   string        // the tool's own delivery id, "" if it has none; good beside an error too

	// Within is how long Key tells one delivery from the next; 0 for ever. A tool without ids repeats its words when
	// there is news again, so a key made of them is only good for so long.
	Within time.Duration

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
	Limit int64 // largest body in bytes; 0: the door's own

	// Reply and Status are what whatever is kept is answered with, because the tool's senders look for it: a text, or a
	// status without one. Empty and 0: the door's own answer.
	Reply  string
	Status int

	// Query tells that a GET with a query is a delivery: some senders know no other way.
	Query bool

	// GivesUp tells that the tool's sender takes any 4xx for final, 429 too: it is told 503 instead, and tries again.
	GivesUp bool
}

// Types are the types a source may have, by name. A source of type auto tells by each delivery: see Detect.
func Types() map[string]Tool {
	return map[string]Tool{
		"alertmanager":      {Name: "alertmanager", Read: Alertmanager, GivesUp: true}, // only 5xx and lost connections are tried again
		"bitbucket":         {Name: "bitbucket", Read: Bitbucket},
		"cloudevents":       {Name: "cloudevents", Read: CloudEvents},
		"discord":           {Name: "discord", Read: Discord, Status: http.StatusNoContent},
		"forgejo":           {Name: "forgejo", Read: Gitea},
		"generic":           {Name: "generic", Read: Generic, Query: true},
		"gitea":             {Name: "gitea", Read: Gitea},
		"github":            {Name: "github", Read: GitHub, Limit: 25 << 20}, // GitHub's own cap of a payload
		"gitlab":            {Name: "gitlab", Read: GitLab},
		"googlechat":        {Name: "googlechat", Read: GoogleChat},
		"gotify":            {Name: "gotify", Read: Gotify},
		"grafana":           {Name: "grafana", Read: Grafana},
		"jira":              {Name: "jira", Read: Jira},
		"linear":            {Name: "linear", Read: Linear},
		"msteams":           {Name: "msteams", Read: MSTeams, Reply: "1"}, // what its connectors say, and clients look for
		"ntfy":              {Name: "ntfy", Read: Ntfy, Query: true},
		"pagerduty":         {Name: "pagerduty", Read: PagerDuty},
		"sentry":            {Name: "sentry", Read: Sentry},
		"slack":             {Name: "slack", Read: Slack, Reply: "ok"},
		"standard-webhooks": {Name: "standard-webhooks", Read: StandardWebhooks},
		"telegram":          {Name: "telegram", Read: Telegram, Query: true},
	}
}
