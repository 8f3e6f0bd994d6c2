package tools

import (
	"fmt"
	"net/http"
	"strings"

	"quietpost/digest"
)

// StandardWebhooks reads what is sent by Standard Webhooks (https://www.standardwebhooks.com) and by Svix: the id of the
// delivery in a header, in the body by convention type, timestamp and data. Another body is read as any sender's.
func StandardWebhooks(h http.Header, body []byte) (Reading, error) {
	key := strings.TrimSpace(h.Get("Webhook-Id"))
	if key == "" {
		key = strings.TrimSpace(h.Get("Svix-Id"))
	}
	n, err := parse(trimmed(body))
	if err != nil && startsJSON(body) {
		return Reading{Key: key}, fmt.Errorf("%w (Standard Webhooks)", err)
	}
	if err != nil || n.str("type") == "" || n.at("data").object() == nil {
		r, err := Generic(h, body)
		if key != "" {
			r.Key = key
		}
		return r, err
	}
	it := typedItem(n.str("type"), "", n.at("data"))
	g, sure := genericItem(http.Header{}, n)
	if sure || it.Project == "" {
		it.Project = g.Project
	}
	if t := n.when("timestamp", "created_at", "time"); !t.IsZero() {
		it.OccurredAt = t
	}
	return Reading{Key: key, Items: []digest.Item{it}, Hint: !sure}, nil
}
