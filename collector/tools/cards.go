package tools

import (
	"fmt"
	"net/http"
	"strings"

	"quietpost/digest"
	"quietpost/digest/rules"
)

// A cardText gathers what a card says: lines of text in their order, its addresses, its colour.
type cardText struct {
	head  string // what the card calls its title
	lines []string
	url   string
	level string
}

func (c *cardText) say(s string) {
	if s = strings.TrimSpace(rules.Plain(rules.Plain(bounded(s)))); s != "" { // Teams' senders escape HTML twice
		c.lines = append(c.lines, s)
	}
}

func (c *cardText) fact(name, value string) {
	if name, value = strings.TrimRight(strings.TrimSpace(rules.Plain(bounded(name))), ":"), strings.TrimSpace(rules.Plain(bounded(value))); value != "" {
		c.lines = append(c.lines, strings.TrimPrefix("- "+name+": "+value, "- : "))
	}
}

func (c *cardText) open(u string) {
	if u = webAddress(u); c.url == "" {
		c.url = u
	}
}

// item makes one of a card. A heading of one word, such as the sender's name, does not stand alone.
func (c *cardText) item() (Reading, error) {
	head := discordLine(rules.Plain(rules.Plain(c.head)))
	rest := c.lines
	for len(rest) > 0 && (head == "" || wordCount(head) < 2) {
		line := strings.TrimSpace(discordLine(rest[0]))
		if head = strings.TrimRight(title(head, line), ": "); wordCount(line) > 0 && line == strings.TrimSpace(rest[0]) {
			rest = rest[1:]
			continue
		}
		if wordCount(head) < 2 && len(rest) > 1 {
			rest = rest[1:]
			continue
		}
		break
	}
	if title(head) == "" {
		return Reading{Ignored: "the message is empty"}, nil
	}
	it := digest.Item{Title: title(head), Kind: digest.KindStatus, Event: "message", URL: c.url, Level: c.level, Body: excerpt(joinLines(rest))}
	if it.URL == "" {
		it.URL = firstAddress(it.Body)
	}
	asAlert(&it)
	return Reading{Items: []digest.Item{it}, Hint: true}, nil
}

// joinLines keeps facts together and puts an empty line between all else.
func joinLines(lines []string) string {
	var s strings.Builder
	for i, l := range lines {
		if i > 0 && !(strings.HasPrefix(l, "- ") && strings.HasPrefix(lines[i-1], "- ")) {
			s.WriteString("\n")
		}
		s.WriteString(l + "\n")
	}
	return strings.TrimSpace(s.String())
}

// MSTeams reads messages in the forms of Microsoft Teams: the MessageCard of its connectors
// (https://learn.microsoft.com/outlook/actionable-messages/message-card-reference), and the message with Adaptive Cards
// of its workflows (https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using).
func MSTeams(h http.Header, body []byte) (Reading, error) {
	n, err := parse(formPayload(h, body))
	if err != nil {
		return Reading{}, err
	}
	c := &cardText{}
	switch {
	case n.object() == nil:
		return Reading{}, fmt.Errorf("%w: Teams' form is a JSON object", ErrUnreadable)
	case n.str("type") == "AdaptiveCard":
		c.adaptive(n, 0)
	case n.has("attachments.0.content"):
		c.say(n.str("text", "summary"))
		for _, a := range n.list("attachments") {
			c.adaptive(a.at("content"), 0)
		}
	case n.has("sections") || n.has("potentialAction") || n.has("themeColor") || n.str("@type") != "" || n.has("text"):
		c.messageCard(n)
	default:
		return Generic(h, body)
	}
	return c.item()
}

func (c *cardText) messageCard(n node) {
	c.head, c.level = n.str("title"), colourLevel(n.str("themeColor"))
	c.say(n.str("text"))
	if c.head == "" {
		c.head = n.str("summary")
	}
	for _, s := range n.list("sections") {
		for _, name := range []string{"title", "activityTitle", "activitySubtitle", "activityText", "text"} {
			c.say(s.str(name))
		}
		for _, f := range s.list("facts") {
			c.fact(f.str("name"), f.str("value"))
		}
		c.actions(s.list("potentialAction"))
	}
	c.actions(n.list("potentialAction"))
}

func (c *cardText) actions(list []node) {
	for _, a := range list {
		c.open(a.str("targets.0.uri", "target.0", "url"))
	}
}

// adaptive reads an element of an Adaptive Card and what it holds: https://adaptivecards.io/explorer.
func (c *cardText) adaptive(n node, level int) {
	if level > 12 {
		return
	}
	c.colour(n.str("style"))
	switch n.str("type") {
	case "TextBlock", "TextRun":
		text := n.str("text")
		c.colour(n.str("color"))
		big := strings.EqualFold(n.str("weight"), "bolder") || strings.HasSuffix(strings.ToLower(n.str("size")), "large") || strings.EqualFold(n.str("style"), "heading")
		if big && c.head == "" && len(c.lines) == 0 {
			c.head = text
			break
		}
		c.say(text)
	case "FactSet":
		for _, f := range n.list("facts") {
			c.fact(f.str("title"), f.str("value"))
		}
	case "RichTextBlock":
		var text []string
		for _, r := range n.list("inlines") {
			text = append(text, r.str("", "text"))
		}
		c.say(strings.Join(text, " "))
	}
	for _, under := range []string{"body", "items", "columns", "rows", "cells"} {
		for _, e := range n.list(under) {
			c.adaptive(e, level+1)
		}
	}
	c.actions(n.list("actions"))
	c.open(n.str("selectAction.url"))
}

func (c *cardText) colour(style string) {
	if c.level != "" {
		return
	}
	switch strings.ToLower(style) {
	case "attention":
		c.level = "error"
	case "warning":
		c.level = "warning"
	case "good":
		c.level = "info"
	}
}

func isMSTeams(n node) bool {
	return strings.EqualFold(n.str("@type"), "MessageCard") || n.str("type") == "AdaptiveCard" && n.has("body") ||
		strings.Contains(n.str("attachments.0.contentType"), "vnd.microsoft.card") || n.has("themeColor") && n.has("sections")
}

// GoogleChat reads messages in the form of Google Chat's webhooks: text, cardsV2, and the older cards.
// https://developers.google.com/workspace/chat/quickstart/webhooks
func GoogleChat(h http.Header, body []byte) (Reading, error) {
	n, err := parse(formPayload(h, body))
	if err != nil {
		return Reading{}, err
	}
	if n.object() == nil {
		return Reading{}, fmt.Errorf("%w: Google Chat's form is a JSON object", ErrUnreadable)
	}
	c := &cardText{}
	text := n.str("text")
	if found := slackLink.FindStringSubmatch(text); found != nil {
		c.open(found[1])
	}
	c.say(mrkdwn(text))
	for _, card := range n.list("cardsV2") {
		c.chatCard(card.at("card"))
	}
	for _, card := range n.list("cards") {
		c.chatCard(card)
	}
	if len(c.lines) == 0 && c.head == "" && !n.has("text") && !n.has("cards") && !n.has("cardsV2") {
		return Generic(h, body)
	}
	r, err := c.item()
	if key := n.str("thread.threadKey", "thread.name"); key != "" && len(r.Items) > 0 {
		r.Items[0].Thread = thread("chat", key)
	}
	return r, err
}

func (c *cardText) chatCard(card node) {
	if t := card.str("header.title"); c.head == "" && len(c.lines) == 0 {
		c.head = t
	} else {
		c.say(t)
	}
	c.say(card.str("header.subtitle"))
	for _, s := range card.list("sections") {
		c.say(s.str("header"))
		c.widgets(s, 0)
	}
}

func (c *cardText) widgets(s node, level int) {
	if level > 6 {
		return
	}
	for _, w := range s.list("widgets") {
		c.say(w.str("textParagraph.text"))
		for _, kind := range []string{"decoratedText", "keyValue"} {
			k := w.at(kind)
			c.fact(k.str("topLabel", "topLabelText.text"), k.str("text", "content", "contentText.text"))
			c.say(k.str("bottomLabel", "bottomLabelText.text"))
			c.open(k.str("onClick.openLink.url", "button.onClick.openLink.url", "button.textButton.onClick.openLink.url"))
		}
		for _, b := range append(w.list("buttons"), w.list("buttonList.buttons")...) {
			c.open(b.str("onClick.openLink.url", "textButton.onClick.openLink.url", "imageButton.onClick.openLink.url"))
		}
		for _, col := range w.list("columns.columnItems") {
			c.widgets(col, level+1)
		}
	}
}

func isGoogleChat(n node) bool {
	return n.has("cardsV2.0.card") || n.has("cards.0.sections") || n.has("text") && n.has("thread.threadKey")
}
