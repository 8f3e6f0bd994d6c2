package tools

import (
	"regexp"
	"strings"
)

// jiraText is a description or comment as Markdown: Jira's wiki text, or the document format of Cloud's newer API.
func jiraText(n node) string {
	if n.object() != nil {
		var b strings.Builder
		document(n, &b, 0)
		return strings.TrimSpace(b.String())
	}
	s, _ := n.v.(string)
	return wikiText(s)
}

// document writes the text of an Atlassian Document Format node
// (https://developer.atlassian.com/cloud/jira/platform/apis/document/structure/).
func document(n node, b *strings.Builder, level int) {
	if level > 50 || b.Len() > 4*bodyMax {
		return
	}
	kind := n.str("type")
	switch kind {
	case "text":
		text, _ := n.at("text").v.(string)
		s := escape(text)
		for _, m := range n.list("marks") {
			if u := webAddress(m.str("attrs.href")); m.str("type") == "link" && u != "" {
				s = "[" + s + "](" + mdLink(u) + ")"
			}
		}
		b.WriteString(s)
	case "hardBreak":
		b.WriteByte('\n')
	case "mention", "emoji", "status", "date":
		b.WriteString(escape(n.str("attrs.text", "attrs.shortName")))
	case "inlineCard", "blockCard":
		b.WriteString(webAddress(n.str("attrs.url")))
	case "codeBlock":
		b.WriteString("```\n")
		for _, c := range n.list("content") {
			text, _ := c.at("text").v.(string)
			b.WriteString(strings.ReplaceAll(text, "```", "'''"))
		}
		b.WriteString("\n```\n\n")
		return
	case "listItem":
		b.WriteString("- ")
	}
	for _, c := range n.list("content") {
		document(c, b, level+1)
	}
	switch kind {
	case "paragraph", "heading", "bulletList", "orderedList", "blockquote", "panel", "tableRow", "rule":
		b.WriteString("\n\n")
	case "tableCell", "tableHeader":
		b.WriteByte(' ')
	}
}

// The parts of wiki text that read badly as they stand. See https://jira.atlassian.com/secure/WikiRendererHelpAction.jspa.
var (
	wikiCode    = regexp.MustCompile(`(?s)\{(?:code|noformat)(?:[:|][^}\n]*)?\}\n?(.*?)\n?\{(?:code|noformat)\}`)
	wikiQuote   = regexp.MustCompile(`(?s)\{quote\}\n?(.*?)\n?\{quote\}`)
	wikiColour  = regexp.MustCompile(`\{(?:color|panel|anchor|expand|column|section)(?::[^}\n]*)?\}`)
	wikiHeading = regexp.MustCompile(`(?m)^h[1-6]\.[ \t]*(.+?)[ \t]*$`)
	wikiMention = regexp.MustCompile(`\[~(?:accountid:)?([^\]\n|]+)\]`)
	wikiLink    = regexp.MustCompile(`\[([^\]\n|]+)\|([^\]\n|]+)(?:\|[^\]\n]*)?\]`)
	wikiBare    = regexp.MustCompile(`\[(https?://[^\]\n|]+)\]`)
	wikiBold    = regexp.MustCompile(`(^|[\s(])\*([^*\s](?:[^*\n]*[^*\s])?)\*($|[\s).,;:!?])`)
	wikiMono    = regexp.MustCompile(`\{\{([^}\n]+)\}\}`)
	wikiImage   = regexp.MustCompile(`!([^!\s|]+\.(?i:png|jpe?g|gif|svg|webp|pdf))(?:\|[^!\n]*)?!`)
	wikiRule    = regexp.MustCompile(`(?m)^----+[ \t]*$`)
	wikiNumber  = regexp.MustCompile(`(?m)^#+[ \t]+`)
)

// wikiText brings Jira's wiki text to Markdown.
func wikiText(s string) string {
	s = strings.ReplaceAll(s, "\r\n", "\n")
	if len(s) > 16*bodyMax {
		s = strings.ToValidUTF8(s[:16*bodyMax], "")
	}
	var blocks []string
	s = wikiCode.ReplaceAllStringFunc(s, func(m string) string {
		blocks = append(blocks, "```\n"+strings.ReplaceAll(wikiCode.FindStringSubmatch(m)[1], "```", "'''")+"\n```")
		return "\n\x00\n"
	})
	s = wikiQuote.ReplaceAllStringFunc(s, func(m string) string {
		return "\n> " + strings.ReplaceAll(strings.TrimSpace(wikiQuote.FindStringSubmatch(m)[1]), "\n", "\n> ") + "\n"
	})
	s = wikiColour.ReplaceAllString(s, "")
	s = wikiNumber.ReplaceAllString(s, "1. ")
	s = wikiHeading.ReplaceAllString(s, "**$1**")
	s = wikiMention.ReplaceAllString(s, "@$1")
	s = wikiLink.ReplaceAllStringFunc(s, func(m string) string {
		p := wikiLink.FindStringSubmatch(m)
		if u := webAddress(p[2]); u != "" {
			return "[" + p[1] + "](" + mdLink(u) + ")"
		}
		return p[1]
	})
	s = wikiBare.ReplaceAllString(s, "<$1>")
	s = wikiImage.ReplaceAllString(s, "(picture $1)")
	s = wikiBold.ReplaceAllString(s, "$1**$2**$3")
	s = wikiMono.ReplaceAllString(s, "`$1`")
	s = wikiRule.ReplaceAllString(s, "\n---\n")
	for _, block := range blocks {
		s = strings.Replace(s, "\x00", block, 1)
	}
	return strings.TrimSpace(strings.ReplaceAll(s, "\x00", ""))
}
