package tools

import (
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"unicode"

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

// A slackText gathers what a message says, in Markdown.
type slackText struct {
	node
	text   string   // the message's own text
	header string   // of the first header block
	blocks []string // paragraphs
	heads  []string // candidates for a title, best first, from attachments
	extra  []string // paragraphs of the attachments
	level  string
	url    string
}

func (m *slackText) collect() {
	m.text = m.str("text", "message", "msg")
	m.takeLink(m.text)
	for _, b := range m.list("blocks") {
		m.block(b, &m.blocks, 0)
	}
	for i, a := range m.list("attachments") {
		if i >= 100 { // as many as Slack takes
			break
		}
		m.attachment(a)
	}
}

func (m *slackText) takeLink(mrkdwn string) {
	if m.url == "" {
		if found := slackLink.FindStringSubmatch(mrkdwn); found != nil {
			m.url = webAddress(unescapeSlack(found[1]))
		}
	}
}

var slackLink = regexp.MustCompile(`<(https?://[^|>\s]+)(?:\|[^>]*)?>`)

// block reads one block of Block Kit; kinds it does not know give nothing.
func (m *slackText) block(b node, to *[]string, level int) {
	if level > 8 {
		return
	}
	add := func(s string) {
		if s = strings.TrimSpace(s); s != "" {
			*to = append(*to, s)
		}
	}
	switch b.str("type") {
	case "header":
		h := plainMrkdwn(b.str("text.text"))
		if m.header == "" {
			m.header = h
		}
		if h != "" {
			add("**" + escape(h) + "**")
		}
	case "section", "markdown":
		text := b.str("text.text", "text")
		m.takeLink(text)
		if b.str("type") == "markdown" || b.str("text.type") == "plain_text" {
			add(text)
		} else {
			add(mrkdwn(text))
		}
		for _, f := range b.list("fields") {
			add(mrkdwn(f.str("text")))
		}
		m.button(b.at("accessory"))
	case "context":
		var parts []string
		for _, e := range b.list("elements") {
			m.takeLink(e.str("text"))
			parts = append(parts, mrkdwn(e.str("text")))
		}
		add(strings.Join(parts, " "))
	case "rich_text":
		add(richText(b, 0))
	case "image", "video":
		add(escape(b.str("title.text", "title", "alt_text")))
		m.takeURL(b.link("title_url"))
	case "actions":
		for _, e := range b.list("elements") {
			m.button(e)
		}
	}
}

func (m *slackText) button(b node) { m.takeURL(b.link("url")) }
func (m *slackText) takeURL(u string) {
	if m.url == "" {
		m.url = u
	}
}

// richText reads the nested elements of a rich_text block.
func richText(b node, level int) string {
	if level > 8 {
		return ""
	}
	var s strings.Builder
	for _, e := range b.list("elements") {
		switch e.str("type") {
		case "text":
			s.WriteString(escape(asText(e.at("text"))))
		case "link":
			u, label := e.link("url"), e.str("text", "url")
			if u == "" {
				s.WriteString(escape(label))
			} else {
				s.WriteString("[" + escape(label) + "](" + mdLink(u) + ")")
			}
		case "emoji":
			s.WriteString(emoji(":" + e.str("name") + ":"))
		case "user", "channel", "usergroup", "broadcast":
			s.WriteString("@" + escape(e.str("range", "name", "user_id", "channel_id", "usergroup_id")))
		case "rich_text_list":
			for _, item := range e.list("elements") {
				s.WriteString("- " + richText(item, level+1) + "\n")
			}
			s.WriteString("\n")
		case "rich_text_quote":
			s.WriteString(quote(richText(e, level+1)) + "\n\n")
		case "rich_text_preformatted":
			s.WriteString("```\n" + strings.ReplaceAll(plainRich(e), "```", "'''") + "\n```\n\n")
		default:
			s.WriteString(richText(e, level+1) + "\n\n")
		}
	}
	return strings.TrimRight(s.String(), "\n")
}

// asText is text as it stands, its outer spaces kept.
func asText(n node) string { s, _ := n.v.(string); return s }

func plainRich(b node) string {
	var s strings.Builder
	for _, e := range b.list("elements") {
		s.WriteString(asText(e.at("text")))
	}
	return s.String()
}

func (m *slackText) attachment(a node) {
	t, fallback, text := plainMrkdwn(a.str("title")), plainMrkdwn(a.str("fallback")), a.str("text")
	if wordCount(t) < 2 && fallback != "" { // ":ambulance: Gatus" does not stand alone
		m.heads = append(m.heads, fallback)
	}
	for _, head := range []string{t, fallback, plainMrkdwn(a.str("pretext")), firstLine(plainMrkdwn(text)), plainMrkdwn(a.str("author_name"))} {
		if head != "" {
			m.heads = append(m.heads, head)
		}
	}
	m.takeURL(a.link("title_link", "from_url"))
	m.takeLink(a.str("pretext"))
	m.takeLink(text)
	if m.level == "" {
		m.level = colourLevel(a.str("color"))
	}
	add := func(s string) {
		if s = strings.TrimSpace(s); s != "" {
			m.extra = append(m.extra, s)
		}
	}
	add(mrkdwn(a.str("pretext")))
	switch u := a.link("title_link"); {
	case t != "" && u != "":
		add("[" + escape(t) + "](" + mdLink(u) + ")")
	case t != "":
		add("**" + escape(t) + "**")
	}
	add(mrkdwn(text))
	add(slackFields(a))
	for _, b := range a.list("blocks") {
		m.block(b, &m.extra, 0)
	}
	for _, act := range a.list("actions") {
		m.button(act)
	}
	if len(m.extra) == 0 {
		add(escape(fallback))
	}
}

// wordCount counts what has a letter or digit in it.
func wordCount(s string) int {
	n := 0
	for _, w := range strings.Fields(s) {
		if strings.IndexFunc(w, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }) >= 0 {
			n++
		}
	}
	return n
}

func slackFields(a node) string {
	var lines []string
	for _, f := range a.list("fields") {
		name, value := plainMrkdwn(f.str("title")), mrkdwn(f.str("value"))
		switch {
		case name != "" && value != "":
			sep := " "
			if strings.Contains(value, "\n") {
				sep = "  \n  "
			}
			lines = append(lines, "- "+escape(name)+":"+sep+strings.ReplaceAll(value, "\n", "\n  "))
		case value != "":
			lines = append(lines, "- "+strings.ReplaceAll(value, "\n", "\n  "))
		}
	}
	return strings.Join(lines, "\n")
}

// colourLevel reads an attachment's colour, the only severity the form knows: its three words, or how red it is.
func colourLevel(c string) string {
	switch c = strings.ToLower(strings.TrimPrefix(c, "#")); c {
	case "danger", "red":
		return "error"
	case "warning", "yellow", "orange":
		return "warning"
	case "good", "green":
		return "info"
	}
	if len(c) == 3 {
		c = string([]byte{c[0], c[0], c[1], c[1], c[2], c[2]})
	}
	n, err := strconv.ParseUint(c, 16, 32)
	if err != nil || len(c) != 6 {
		return ""
	}
	r, g, b := n>>16&255, n>>8&255, n&255
	switch {
	case r > 150 && g < 100 && b < 120:
		return "error"
	case r > 180 && g >= 100 && b < 120:
		return "warning"
	case g > 120 && r < 120:
		return "info"
	}
	return ""
}

// title is the line of the message that stands alone best: a header, the text with the attachment's title behind it, or
// the attachment's fallback. A leading @here is no part of it.
func (m *slackText) title() string {
	line := strings.TrimSpace(firstLine(plainMrkdwn(m.text)))
	for _, at := range []string{"@here", "@channel", "@everyone", "@all"} {
		line = strings.TrimSpace(strings.TrimPrefix(line, at))
	}
	head := ""
	if len(m.heads) > 0 {
		head = firstLine(m.heads[0])
	}
	switch {
	case m.header != "":
		return title(m.header)
	case line != "" && head != "" && m.str("attachments.0.title") != "" && len(line)+len(head) < 120 &&
		!strings.Contains(line, head) && !strings.Contains(head, line):
		return title(strings.TrimRight(line, ":. "), head)
	case line != "":
		return title(line)
	case head != "":
		return title(head)
	}
	for _, b := range append(m.blocks, m.extra...) {
		if l := firstLine(plainMrkdwn(b)); l != "" {
			return title(l)
		}
	}
	return ""
}

// body is all that is said beyond the title: with blocks the text is only their short form, as in Slack.
func (m *slackText) body(heading string) string {
	var parts []string
	if len(m.blocks) > 0 {
		parts = append(parts, m.blocks...)
	} else {
		parts = append(parts, mrkdwn(m.text))
	}
	parts = append(parts, m.extra...)
	var kept []string
	for i, p := range parts {
		plain := title(plainMrkdwn(p))
		if plain == heading || i < 2 && strings.Trim(plain, "*") == heading {
			continue
		}
		kept = append(kept, p)
	}
	return paragraphs(kept...)
}
