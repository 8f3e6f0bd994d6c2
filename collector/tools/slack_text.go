package tools

import (
	"regexp"
	"strconv"
	"strings"
	"unicode"
)

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
	for _, b := range few(m.list("blocks")) {
		m.block(b, &m.blocks, 0)
	}
	for _, a := range few(m.list("attachments")) {
		m.attachment(a)
	}
}

// few are the first of a list: Slack takes at most a hundred attachments, fifty blocks, ten elements.
func few(list []node) []node { return list[:min(len(list), 100)] }

func (m *slackText) takeLink(mrkdwn string) {
	if m.url == "" {
		if found := slackLink.FindStringSubmatch(bounded(mrkdwn)); found != nil {
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
		for _, f := range few(b.list("fields")) {
			add(mrkdwn(f.str("text")))
		}
		m.button(b.at("accessory"))
	case "context":
		var parts []string
		for _, e := range few(b.list("elements")) {
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
		for _, e := range few(b.list("elements")) {
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
	for _, e := range few(b.list("elements")) {
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
	for _, e := range few(b.list("elements")) {
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
	for _, b := range few(a.list("blocks")) {
		m.block(b, &m.extra, 0)
	}
	for _, act := range few(a.list("actions")) {
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
	for _, f := range few(a.list("fields")) {
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
	for _, at := range []string{"@here", "@channel", "@everyone", "@all", "@someone"} {
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
