package tools

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"quietpost/digest"
)

// Slack reads messages in the form of Slack's incoming webhooks, which Mattermost, Rocket.Chat and many senders share:
// https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks and
// https://developers.mattermost.com/integrate/webhooks/incoming. A message has text, blocks and attachments; each may be
// missing, null or empty. It comes as JSON, as a form's field payload (escaped or not), as multipart, or as bare form
// fields.
func Slack(h http.Header, body []byte) (Reading, error) {
	n, err := slackMessage(h, body)
	if err != nil {
		return Reading{}, err
	}
	key := ""
	if e := n.at("event"); n.str("type") == "event_callback" && e.object() != nil { // Slack's Events API, for whoever has an app there
		key, n = n.str("event_id"), e
		if m := e.at("message"); m.object() != nil { // an edited one
			n = m
		}
	}
	if n.has("embeds") || n.has("content") && !n.has("text") && !n.has("attachments") && !n.has("blocks") && !n.has("title") {
		return discordMessage(h, n), nil // senders often know both forms and take the one they were not told
	}
	m := &slackText{node: n}
	m.collect()
	it := digest.Item{
		Project: slackProject(n), Author: slackAuthor(n), Title: m.title(), Event: "message",
		Kind: digest.KindStatus, URL: m.url, Level: m.level,
		Urgent: n.str("priority.priority") == "urgent", // Mattermost
	}
	if ts := n.str("thread_ts"); ts != "" {
		it.Thread = thread("chat", ts)
	}
	if it.Title == "" {
		r := slackWithoutText(h, n)
		r.Key = key
		return r, nil
	}
	it.Body = excerpt(m.body(it.Title))
	it.OccurredAt = n.when("attachments.0.ts")
	asAlert(&it)
	return Reading{Key: key, Items: []digest.Item{it}, Hint: true}, nil
}

// slackAuthor is the name a message is posted under; Rocket.Chat calls it alias. An id names nobody.
func slackAuthor(n node) string {
	a := plainMrkdwn(n.str("username", "user_name", "alias"))
	if slackID.MatchString(a) {
		return ""
	}
	return a
}

// slackWithoutText is for objects in which none of the form's texts is: one that says something by other names is read as
// any sender's, one that says nothing is an empty message.
func slackWithoutText(h http.Header, n node) Reading {
	for _, k := range n.keys() {
		switch k {
		case "text", "blocks", "attachments", "channel", "username", "icon_emoji", "icon_url", "mrkdwn", "link_names", "parse",
			"unfurl_links", "unfurl_media", "thread_ts", "props", "type", "priority", "alias", "avatar", "emoji", "roomId":
		default:
			it, sure := genericItem(h, n)
			return Reading{Items: []digest.Item{it}, Hint: !sure}
		}
	}
	return Reading{Ignored: "the message is empty"}
}

func slackMessage(h http.Header, body []byte) (node, error) {
	n, err := parse(formPayload(h, body))
	switch {
	case err == nil && n.object() != nil:
		return n, nil
	case err == nil && n.scalar() != "": // a JSON string
		return node{map[string]any{"text": n.scalar()}}, nil
	}
	if f := formNode(formFields(h, body)); f.str("text") != "" || f.has("attachments") || f.has("blocks") {
		return f, nil
	}
	if text, ok := plain(body); ok && !startsJSON(body) && !strings.HasPrefix(text, "payload=") && text != "" {
		return node{map[string]any{"text": text}}, nil
	}
	if err == nil {
		err = fmt.Errorf("%w: neither an object nor a form nor text", ErrUnreadable)
	}
	return n, err
}

// looksLikeSlack tells a message in Slack's form from other bodies. Plain text is none: any sender may post that.
func looksLikeSlack(h http.Header, body []byte) bool {
	n, err := parse(formPayload(h, body))
	if err != nil || n.object() == nil {
		n = formNode(formFields(h, body))
	}
	if n.has("title") || n.has("project") {
		return false
	}
	for _, p := range []string{"blocks.0.type", "icon_emoji", "icon_url"} {
		if n.has(p) {
			return true
		}
	}
	for _, k := range []string{"text", "title", "fallback", "pretext", "fields", "color", "blocks", "author_name", "image_url"} {
		if n.at("attachments.0").has(k) {
			return true
		}
	}
	if n.str("type") == "event_callback" {
		return n.has("team_id")
	}
	if !n.has("text") {
		return false
	}
	for _, k := range []string{"channel", "channel_name", "username", "user_name", "alias"} {
		if n.has(k) {
			return true
		}
	}
	return len(n.object()) == 1
}

var slackID = regexp.MustCompile(`^[BCDGUW][A-Z0-9]{8,}$`)

// slackProject is the channel's name, else who posts; a channel's id names nothing.
func slackProject(n node) string {
	for _, c := range []string{n.str("channel"), n.str("channel_name"), n.str("username"), n.str("alias")} {
		if c = strings.TrimLeft(c, "#@"); c != "" && !slackID.MatchString(c) {
			return c
		}
	}
	return ""
}
