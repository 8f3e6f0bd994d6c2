package tools

import (
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"quietpost/digest"
)

// Discord reads messages in the form of Discord's webhooks (https://docs.discord.com/developers/resources/webhook): content
// and embeds, as JSON or as the field payload_json of a form. What an application of Discord's own tells, its webhook
// events, is read too.
func Discord(h http.Header, body []byte) (Reading, error) {
	n, err := parse(formPayload(h, body))
	if err != nil || n.object() == nil {
		f := formNode(formFields(h, body))
		switch {
		case f.at("payload_json").object() != nil:
			n, err = f.at("payload_json"), nil
		case f.has("content"):
			n, err = f, nil
		case err == nil:
			err = fmt.Errorf("%w: Discord's form is a JSON object", ErrUnreadable)
		}
	}
	if err != nil {
		return Reading{}, err
	}
	switch {
	case n.has("application_id") && n.str("type") == "0":
		return Reading{Ignored: "ping: Discord tried whether the hook works"}, nil
	case n.has("application_id") && n.at("event").object() != nil:
		return Reading{Items: []digest.Item{discordEvent(n)}, Hint: true}, nil
	case n.has("attachments.0.fallback") || n.has("blocks") || n.str("text") != "" && !n.has("content") && !n.has("embeds"):
		return Slack(h, body) // Discord takes Slack's form at an address that ends in /slack
	}
	return discordMessage(h, n), nil
}

func isDiscord(n node) bool {
	return n.at("embeds.0").object() != nil || n.has("components.0.type") && (n.has("flags") || n.has("components.0.components.0.type")) || n.has("content") && (n.has("avatar_url") || n.has("tts") || n.has("allowed_mentions") || n.has("embeds") || len(n.object()) == 1) ||
		n.has("application_id") && n.has("version") && n.has("type")
}

// discordMention finds people, roles and channels; ids name nobody.
var (
	discordMention = regexp.MustCompile(`<(?:@[!&]?|#)\d+>`)
	discordEmoji   = regexp.MustCompile(`<a?(:\w+:)\d+>`)
	discordTime    = regexp.MustCompile(`<t:(\d{6,12})(?::\w)?>`)
	discordGroup   = regexp.MustCompile(`@(?:everyone|here)\b`)
)

// discordText makes plain Markdown of Discord's.
func discordText(s string) string {
	s = discordGroup.ReplaceAllString(discordMention.ReplaceAllString(bounded(s), ""), "")
	s = discordEmoji.ReplaceAllString(s, "$1")
	s = discordTime.ReplaceAllStringFunc(s, func(m string) string {
		if t := readTime(discordTime.FindStringSubmatch(m)[1]); !t.IsZero() {
			return t.Format("2006-01-02 15:04 UTC")
		}
		return m
	})
	return strings.TrimSpace(slackEmoji.ReplaceAllStringFunc(s, emoji))
}

var mdSigns = strings.NewReplacer("**", "", "__", "", "~~", "", "||", "", "`", "", "*", "")

// discordLine is the first line of a text without signs, for a title.
func discordLine(s string) string {
	s = strings.TrimLeft(firstLine(discordText(s)), "#>- ")
	return strings.TrimSpace(mdSigns.Replace(mdLinkText.ReplaceAllString(s, "$1")))
}

func discordMessage(h http.Header, n node) Reading {
	it := digest.Item{Kind: digest.KindStatus, Event: "message", Author: n.str("username"), Project: n.str("username"),
		Thread: thread("chat", n.str("thread_name"))}
	content := n.str("content")
	if content == "" && !n.has("embeds") {
		var texts []string
		discordComponents(n, 0, &texts, &it)
		content = strings.Join(texts, "\n")
	}
	line := discordLine(content)
	var parts []string
	if text := discordText(content); text != "" && text != line {
		parts = append(parts, text)
	}
	head := ""
	for i, e := range n.list("embeds") {
		if i == 10 { // as many as Discord takes
			break
		}
		h, body := discordEmbed(e, i == 0 && line == "")
		if head == "" {
			head = h
		}
		parts = append(parts, body)
		if it.URL == "" {
			it.URL = e.link("url", "author.url")
		}
		if c, err := strconv.ParseUint(e.str("color"), 10, 32); it.Level == "" && err == nil {
			it.Level = colourLevel(fmt.Sprintf("%06x", c))
		}
		if it.OccurredAt.IsZero() {
			it.OccurredAt = e.when("timestamp")
		}
	}
	if it.URL == "" {
		it.URL = firstAddress(content)
	}
	switch {
	case line != "" && head != "" && len(line)+len(head) < 120 && !strings.Contains(line, head) && !strings.Contains(head, line):
		it.Title = title(strings.TrimRight(line, ":. "), head)
	case line != "":
		it.Title = title(line)
	case head != "":
		it.Title = title(head)
	case n.str("poll.question.text") != "":
		it.Title = title("Poll", n.str("poll.question.text"))
	case n.has("content") || n.has("embeds") || n.has("components"):
		return Reading{Ignored: "the message is empty"}
	default:
		it, sure := genericItem(h, n)
		return Reading{Items: []digest.Item{it}, Hint: !sure}
	}
	if it.Title == "" { // nothing but signs that no reader sees
		return Reading{Ignored: "the message is empty"}
	}
	it.Title = orElse(strings.TrimRight(it.Title, ": "), it.Title)
	asAlert(&it)
	it.Body = excerpt(paragraphs(parts...))
	return Reading{Items: []digest.Item{it}, Hint: true}
}

// discordComponents gathers what the components of a message say, and where its first button leads:
// https://docs.discord.com/developers/components/reference.
func discordComponents(n node, level int, texts *[]string, it *digest.Item) {
	if level > 6 {
		return
	}
	for _, c := range few(n.list("components")) {
		if text := c.str("content"); text != "" {
			*texts = append(*texts, bounded(text))
		}
		if it.URL == "" {
			it.URL = c.link("url", "accessory.url")
		}
		discordComponents(c, level+1, texts, it)
	}
}

// discordEmbed gives a line and the Markdown of an embed. A title of one word does not stand alone.
func discordEmbed(e node, lead bool) (head, body string) {
	t, text := discordLine(e.str("title")), e.str("description")
	first := discordLine(text)
	switch {
	case t == "":
		if head = first; head == "" {
			head = discordLine(e.str("author.name"))
		}
	case wordCount(t) < 2 && first != "":
		head = t + ": " + first
	default:
		head = t
	}
	if head == "" {
		head = discordLine(e.str("fields.0.name") + ": " + e.str("fields.0.value"))
		head = strings.Trim(head, ": ")
	}
	var parts []string
	if u := e.link("url"); t != "" && !lead {
		if u != "" {
			parts = append(parts, "["+escape(t)+"]("+mdLink(u)+")")
		} else {
			parts = append(parts, "**"+escape(t)+"**")
		}
	}
	if d := discordText(text); d != "" && !(lead && d == first && strings.HasSuffix(head, first)) {
		parts = append(parts, d)
	}
	var fields []string
	for i, f := range e.list("fields") {
		if name, value := discordLine(f.str("name")), discordText(f.str("value")); i < 25 && (name != "" || value != "") {
			sep := " "
			if strings.Contains(value, "\n") {
				sep = "  \n  "
			}
			fields = append(fields, "- "+escape(name)+":"+sep+strings.ReplaceAll(value, "\n", "\n  "))
		}
	}
	return head, paragraphs(append(parts, strings.Join(fields, "\n"))...)
}

var plainAddress = regexp.MustCompile(`https?://[^\s<>()"'|\]]+`)

// firstAddress is the first address in a text.
func firstAddress(s string) string {
	return webAddress(strings.TrimRight(plainAddress.FindString(bounded(s)), ".,;:!?"))
}

var past = regexp.MustCompile(`(create|update|delete)$`)

// discordEvent reads a webhook event of an application: https://docs.discord.com/developers/events/webhook-events.
func discordEvent(n node) digest.Item {
	e := n.at("event")
	d := e.at("data")
	it := digest.Item{Kind: digest.KindStatus, Event: strings.ToLower(e.str("type")), OccurredAt: e.when("timestamp"),
		Author: d.str("user.global_name", "user.username", "author.global_name", "author.username"), Project: d.str("guild.name")}
	what := past.ReplaceAllString(words(strings.ToLower(e.str("type"))), "${1}d")
	if it.Author != "" {
		what += " by " + it.Author
	}
	if g := d.str("guild.name"); g != "" {
		what += " in " + g
	}
	it.Title = title(what, discordLine(d.str("content")))
	if it.Title == "" {
		it.Title = "An event of Discord's"
	}
	return it
}
