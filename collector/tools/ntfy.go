package tools

import (
	"mime"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"quietpost/digest"
	"quietpost/digest/rules"
)

// NtfyTopic is the header by which the door hands over the topic of an ntfy address, https://host/hooks/NAME/TOPIC.
const NtfyTopic = "X-Ntfy-Topic"

// ntfyNames are the fields of ntfy's publish form and the names each goes by, as a header and in the query:
// https://docs.ntfy.sh/publish/#list-of-all-parameters.
var ntfyNames = map[string][]string{
	"message": {"x-message", "message", "m"}, "title": {"x-title", "title", "ti", "t"},
	"priority": {"x-priority", "priority", "prio", "p"}, "tags": {"x-tags", "tags", "tag", "ta"},
	"click": {"x-click", "click"}, "attach": {"x-attach", "attach", "a"}, "filename": {"x-filename", "filename", "file", "f"},
	"sequence": {"x-sequence-id", "sequence-id", "sid"}, "template": {"x-template", "template", "tpl"},
}

// NtfyQuery puts what the query of an ntfy address says where its header would stand; a header goes before.
func NtfyQuery(query map[string][]string, h http.Header) {
	for name, values := range query {
		for field, names := range ntfyNames {
			for _, n := range names {
				if strings.EqualFold(name, n) && len(values) > 0 && ntfyHeader(h, field) == "" {
					h.Set("X-"+names[0][2:], mime.BEncoding.Encode("utf-8", values[0]))
				}
			}
		}
	}
}

// ntfyHeader is a field of the header, in whichever of its names; RFC 2047's encoding, as ntfy takes it, undone.
func ntfyHeader(h http.Header, field string) string {
	for _, name := range ntfyNames[field] {
		if v := strings.TrimSpace(h.Get(name)); v != "" {
			if plain, err := new(mime.WordDecoder).DecodeHeader(v); err == nil {
				v = plain
			}
			return strings.ToValidUTF8(v, "\uFFFD")
		}
	}
	return ""
}

// Ntfy reads what is published in the form of ntfy (https://docs.ntfy.sh/publish/): the body is the message, the header
// says the rest; or all of it is JSON. Priority 5 is urgent.
func Ntfy(h http.Header, body []byte) (Reading, error) {
	if n, err := parse(trimmed(body)); err == nil && isNtfy(n) {
		return ntfyItem(n.str("topic"), n.str("title"), n.str("message"), n.str("priority"), n.str("click", "attach"), n.str("sequence_id"),
			lowerTags(namesIn(n.list("tags"))), n.str("filename")), nil
	}
	topic := strings.TrimSpace(h.Get(NtfyTopic))
	if t := ntfyHeader(h, "template"); t != "" && t != "no" && t != "false" && startsJSON(body) { // the body is data, for templates that we have not
		r, err := Generic(h, body)
		for i := range r.Items {
			if r.Items[i].Project == "" {
				r.Items[i].Project = topic
			}
		}
		return r, err
	}
	if f := formFields(h, body); f.Has("message") || f.Has("m") || f.Has("title") { // a GET's, which the door has put into the header
		body = nil
	}
	message, file := ntfyHeader(h, "message"), ntfyHeader(h, "filename")
	if text, ok := plain(body); ok && text != "" && (message == "" || file == "") {
		message = paragraphs(message, text)
	} else if !ok && file == "" {
		file = "attachment"
	}
	url := ntfyHeader(h, "click")
	if url == "" {
		url = ntfyHeader(h, "attach")
	}
	return ntfyItem(topic, ntfyHeader(h, "title"), message, ntfyHeader(h, "priority"), url, ntfyHeader(h, "sequence"),
		lowerTags(strings.Split(ntfyHeader(h, "tags"), ",")), file), nil
}

func ntfyItem(topic, heading, message, priority, url, sequence string, tags []string, file string) Reading {
	if heading == "" && message == "" {
		message = "triggered" // what ntfy itself makes of an empty message
		if file != "" {
			message = "You received a file: " + file
		} else if topic != "" {
			message = words(topic) + " triggered"
		}
	}
	it := plainText(orElse(message, heading))
	if t := title(heading); t != "" {
		it.Title = t
		if it.Body = excerpt(message); it.Body == heading {
			it.Body = ""
		}
	}
	it.Project, it.Tags, it.URL, it.Event = topic, tags, webAddress(url), "message"
	if it.URL == "" {
		it.URL = firstAddress(message)
	}
	if sequence != "" {
		it.Thread = thread("ntfy", topic+"/"+sequence)
	}
	switch strings.ToLower(priority) {
	case "1", "min", "2", "low":
		it.Priority = "low"
	case "4", "high":
		it.Priority = "high"
	case "5", "max", "urgent":
		it.Priority, it.Urgent = "high", true
	}
	return Reading{Items: []digest.Item{it}, Hint: true}
}

func namesIn(list []node) (out []string) {
	for _, n := range list {
		out = append(out, n.str(""))
	}
	return out
}

// isNtfy knows ntfy's JSON form: a topic, and nothing but its fields.
func isNtfy(n node) bool {
	return ntfyTopic.MatchString(n.str("topic")) && (n.has("message") || n.has("title")) && onlyKeys(n, "topic", "message", "title", "tags", "priority", "attach", "click", "actions",
		"markdown", "icon", "filename", "delay", "email", "call", "cache", "firebase", "sequence_id", "id", "time", "expires", "event", "attachment")
}

// ntfyTopic is the form of a topic's name (https://docs.ntfy.sh/publish/, "Publish message").
var ntfyTopic = regexp.MustCompile(`^[-_A-Za-z0-9]{1,64}$`)

func onlyKeys(n node, names ...string) bool {
	known := fields(names...)
	for k := range n.object() {
		if _, ok := known[k]; !ok {
			return false
		}
	}
	return true
}

// Gotify reads what is posted in the form of Gotify (https://gotify.net/docs/pushmsg): title, message, priority and
// extras, as JSON or a form. Priority 8 and more is high, 10 urgent.
func Gotify(h http.Header, body []byte) (Reading, error) {
	n, err := genericNode(h, trimmed(body))
	if err != nil || n.str("message") == "" {
		return Generic(h, body)
	}
	message, heading := n.str("message"), n.str("title")
	it := plainText(message)
	if t := title(heading); t != "" {
		it.Title, it.Body = t, excerpt(message)
	}
	it.Event = "message"
	extras, _ := n.at("extras").v.(map[string]any)
	click, _ := extras["client::notification"].(map[string]any)
	if it.URL = (node{click}).link("click.url"); it.URL == "" {
		it.URL = firstAddress(message)
	}
	if p, err := strconv.Atoi(n.str("priority")); err == nil {
		switch {
		case p >= 8:
			it.Priority, it.Urgent = "high", p >= 10
		case p < 4 && p > 0:
			it.Priority = "low"
		}
	}
	return Reading{Items: []digest.Item{it}, Hint: true}, nil
}

// isGotify knows Gotify's form by its extras, or by a priority that is a number beside nothing but its fields.
func isGotify(n node) bool {
	_, err := strconv.Atoi(n.str("priority"))
	return n.str("message") != "" && (err == nil || n.has("extras")) && onlyKeys(n, "message", "title", "priority", "extras", "id", "appid", "date")
}

// Telegram reads what is sent to a bot's sendMessage: https://core.telegram.org/bots/api#sendmessage.
func Telegram(h http.Header, body []byte) (Reading, error) {
	n, err := genericNode(h, trimmed(body))
	if err != nil {
		return Reading{}, err
	}
	text := n.str("text", "caption")
	if text == "" || !n.has("chat_id") {
		return Generic(h, body)
	}
	switch strings.ToLower(n.str("parse_mode")) {
	case "html":
		text = rules.Plain(text)
	case "markdown", "markdownv2":
		text = telegramEscape.Replace(text)
	}
	it := plainText(text)
	if t := title(discordLine(firstLine(text))); t != "" {
		it.Title = t
	}
	it.Event, it.URL = "message", firstAddress(text)
	it.Project = strings.TrimPrefix(n.str("chat_id"), "@")
	if _, err := strconv.ParseInt(it.Project, 10, 64); err == nil { // an id names nothing
		it.Project = ""
	}
	if n.str("disable_notification") == "true" {
		it.Priority = "low"
	}
	asAlert(&it)
	return Reading{Items: []digest.Item{it}, Hint: true}, nil
}

// telegramEscape undoes what MarkdownV2 wants escaped.
var telegramEscape = strings.NewReplacer(`\.`, ".", `\-`, "-", `\!`, "!", `\(`, "(", `\)`, ")", `\=`, "=", `\+`, "+", `\#`, "#", `\>`, ">", `\|`, "|", `\{`, "{", `\}`, "}")

func isTelegram(n node) bool { return n.has("chat_id") && (n.has("text") || n.has("caption")) }
