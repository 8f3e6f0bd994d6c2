package webhook

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"quietpost/collector/tools"
	"quietpost/digest"
)

// Some senders build the address and the answer they look for themselves: a script that speaks to ntfy, Gotify or a
// Telegram bot has only another host and path to be told.

// translate makes of such a sender's ways our own before anything else is looked at: the secret goes to where tokens
// finds it, what the query says into the header.
func translate(r *http.Request, src *source) {
	q, path := tools.ParseForm(r.URL.RawQuery), r.PathValue("token")
	switch src.Type {
	case "ntfy": // https://docs.ntfy.sh/publish/#authentication
		r.Header.Del(tools.NtfyTopic)
		if auth := q.Get("auth"); auth != "" && r.Header.Get("Authorization") == "" {
			if plain, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(auth, "=")); err == nil {
				r.Header.Set("Authorization", string(plain))
			}
		}
		topic, rest, _ := strings.Cut(path, "/")
		if matches([]string{topic}, src.Secrets) { // an address can be all that a sender lets one say
			r.SetPathValue("token", topic)
			topic, rest, _ = strings.Cut(rest, "/")
		} else {
			r.SetPathValue("token", "")
		}
		if digest.ProjectKey(topic) != "" {
			r.Header.Set(tools.NtfyTopic, topic)
		}
		if rest != "" && rest != "publish" && rest != "send" && rest != "trigger" {
			q.Set("sid", rest)
		}
		tools.NtfyQuery(q, r.Header)
	case "gotify": // https://gotify.net/docs/pushmsg
		token := q.Get("token")
		if key := r.Header.Get("X-Gotify-Key"); key != "" {
			token = key
		}
		if path == "message" || token != "" {
			r.SetPathValue("token", token)
		} else {
			r.SetPathValue("token", strings.TrimSuffix(path, "/message"))
		}
	case "telegram": // https://core.telegram.org/bots/api#making-requests
		token, _, _ := strings.Cut(path, "/")
		r.SetPathValue("token", strings.TrimPrefix(token, "bot"))
	}
}

// publishes tells ntfy's GET that brings a message without any field: https://docs.ntfy.sh/publish/#webhooks-publish-via-get.
func publishes(r *http.Request, src *source) bool {
	if src.Type != "ntfy" {
		return false
	}
	for _, end := range []string{"/publish", "/send", "/trigger"} {
		if strings.HasSuffix(r.URL.Path, end) {
			return true
		}
	}
	return false
}

// reply is what such a sender looks for once its message is kept; nil if the answer is our own.
func (h *Handler) reply(d *digest.Delivery, res digest.Result) any {
	id, now := res.Receipt, h.opt.Now()
	var it digest.Item
	if len(d.Items) > 0 {
		it = d.Items[0]
	}
	if len(res.Items) > 0 {
		id = res.Items[0].Number
	}
	message := it.Body
	if message == "" {
		message = it.Title
	}
	switch d.Receipt.Tool {
	case "ntfy":
		return map[string]any{"id": strconv.FormatInt(id, 10), "time": now.Unix(), "event": "message", "topic": it.Project, "title": it.Title, "message": message}
	case "gotify":
		return map[string]any{"id": id, "appid": 1, "date": now.UTC().Format("2006-01-02T15:04:05Z07:00"), "title": it.Title, "message": message}
	case "telegram":
		return map[string]any{"ok": true, "result": map[string]any{"message_id": id, "date": now.Unix(), "text": message}}
	case "googlechat":
		return map[string]any{"name": fmt.Sprintf("spaces/quietpost/messages/%d", id), "text": message}
	}
	return nil
}
