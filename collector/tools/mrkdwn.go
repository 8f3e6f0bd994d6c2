package tools

import (
	"regexp"
	"strings"
)

// Slack's text format: https://docs.slack.dev/messaging/formatting-message-text. Only &, < and > are escaped; links,
// mentions and dates stand in angle brackets; *bold*, _italic_, ~strike~.

var (
	slackAngle  = regexp.MustCompile(`<([^<>\n]+)>`)
	slackBold   = regexp.MustCompile(`(^|[^*\w\\])\*([^*\s](?:[^*\n]*[^*\s])?)\*($|[^*\w])`)
	slackStrike = regexp.MustCompile(`(^|[^~\w\\])~([^~\s](?:[^~\n]*[^~\s])?)~($|[^~\w])`)
	slackEmoji  = regexp.MustCompile(`:[a-z0-9_+-]{1,40}:`)
	slackCode   = regexp.MustCompile("(?s)```.*?```|`[^`\n]+`")
	slackQuote  = regexp.MustCompile(`(?m)^&gt; ?`)
	slackHead   = regexp.MustCompile(`(?m)^#{1,6}[ \t]+`) // Mattermost's, and that of markdown blocks
	slackBullet = regexp.MustCompile(`(?m)^[ \t]*[•◦▪] *`)
	lineBreak   = regexp.MustCompile(`([^\s>])\n([^\s\->*#])`)
)

// mrkdwn makes Markdown of Slack's text. Text that is Markdown already (Mattermost's) stays what it is.
func mrkdwn(s string) string {
	return outsideCode(bounded(strings.TrimSpace(s)), func(s string) string {
		s = slackAngle.ReplaceAllStringFunc(s, func(m string) string {
			label, u := angle(m[1 : len(m)-1])
			if u == "" {
				return escape(label)
			}
			if label == "" || label == u {
				return "<" + u + ">"
			}
			return "[" + escape(label) + "](" + mdLink(u) + ")"
		})
		s = slackQuote.ReplaceAllString(s, "> ")
		s = slackBullet.ReplaceAllString(s, "- ")
		for range 2 { // neighbours share the sign between them
			s = slackBold.ReplaceAllString(s, "$1**$2**$3")
			s = slackStrike.ReplaceAllString(s, "$1~~$2~~$3")
			s = lineBreak.ReplaceAllString(s, "$1  \n$2")
		}
		return slackEmoji.ReplaceAllStringFunc(s, emoji)
	})
}

// outsideCode changes what stands outside of code, where signs mean something; entities are decoded within.
func outsideCode(s string, change func(string) string) string {
	var b strings.Builder
	last := 0
	for _, at := range slackCode.FindAllStringIndex(s, -1) {
		b.WriteString(change(s[last:at[0]]))
		text := unescapeSlack(s[at[0]:at[1]])
		if block, ok := strings.CutPrefix(text, "```"); ok && !strings.HasPrefix(block, "\n") {
			text = "```\n" + strings.TrimSuffix(block, "```") + "\n```"
		}
		b.WriteString(text)
		last = at[1]
	}
	b.WriteString(change(s[last:]))
	return b.String()
}

// angle reads what stands between < and >: a link (with u set), or a mention, a channel or a date as text.
func angle(s string) (label, u string) {
	target, label, _ := strings.Cut(s, "|")
	label = unescapeSlack(label)
	switch {
	case strings.HasPrefix(target, "!date^"):
	case strings.HasPrefix(target, "!subteam^"), strings.HasPrefix(target, "!"), strings.HasPrefix(target, "@"):
		if label == "" {
			label = strings.TrimPrefix(strings.TrimLeft(target, "!@"), "subteam^")
		}
		if slackID.MatchString(label) { // names nobody
			label = "someone"
		}
		label = "@" + strings.TrimPrefix(label, "@")
	case strings.HasPrefix(target, "#"):
		if label == "" {
			label = target[1:]
		}
		if slackID.MatchString(label) {
			label = "a-channel"
		}
		label = "#" + strings.TrimPrefix(label, "#")
	case strings.HasPrefix(target, "mailto:"):
		if label == "" {
			label = strings.TrimPrefix(target, "mailto:")
		}
	case webAddress(unescapeSlack(target)) != "":
		return label, webAddress(unescapeSlack(target))
	default:
		label = unescapeSlack(s) // no sign of Slack's: text that was not escaped
		return "<" + label + ">", ""
	}
	return label, ""
}

var slackEntities = strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&")

func unescapeSlack(s string) string { return slackEntities.Replace(s) }

// plainMrkdwn is the text without signs, for a title.
func plainMrkdwn(s string) string {
	s = bounded(s)
	s = slackAngle.ReplaceAllStringFunc(s, func(m string) string {
		label, u := angle(m[1 : len(m)-1])
		if label == "" {
			return u
		}
		return label
	})
	for range 2 {
		s = slackBold.ReplaceAllString(s, "$1$2$3")
		s = slackStrike.ReplaceAllString(s, "$1$2$3")
	}
	s = strings.NewReplacer("**", "", "```", "", "`", "").Replace(s)
	s = mdLinkText.ReplaceAllString(slackHead.ReplaceAllString(s, ""), "$1")
	s = slackEmoji.ReplaceAllStringFunc(s, emoji)
	return strings.TrimSpace(unescapeSlack(s))
}

// mdLinkText finds links of Markdown, as Mattermost's senders write them.
var mdLinkText = regexp.MustCompile(`\[([^\]\n]+)\]\((?:https?://|mailto:)[^)\s]*\)`)

// emoji gives the sign of the short names that tools use most; others stay as they are.
func emoji(name string) string {
	if e, ok := emojis[strings.Trim(name, ":")]; ok {
		return e
	}
	return name
}

var emojis = map[string]string{
	"rotating_light": "🚨", "fire": "🔥", "warning": "⚠️", "x": "❌", "white_check_mark": "✅", "heavy_check_mark": "✔️",
	"tada": "🎉", "rocket": "🚀", "bug": "🐛", "bell": "🔔", "no_bell": "🔕", "information_source": "ℹ️", "star": "⭐",
	"red_circle": "🔴", "large_green_circle": "🟢", "large_yellow_circle": "🟡", "large_orange_circle": "🟠",
	"large_blue_circle": "🔵", "green_heart": "💚", "heart": "❤️", "boom": "💥", "zap": "⚡", "eyes": "👀", "lock": "🔒",
	"unlock": "🔓", "key": "🔑", "package": "📦", "hammer": "🔨", "wrench": "🔧", "gear": "⚙️", "construction": "🚧",
	"hourglass": "⌛", "hourglass_flowing_sand": "⏳", "stopwatch": "⏱️", "clock1": "🕐", "calendar": "📅", "memo": "📝",
	"mag": "🔍", "chart_with_upwards_trend": "📈", "chart_with_downwards_trend": "📉", "link": "🔗", "email": "📧",
	"thumbsup": "👍", "+1": "👍", "thumbsdown": "👎", "-1": "👎", "wave": "👋", "clap": "👏", "pray": "🙏", "muscle": "💪",
	"question": "❓", "grey_question": "❔", "exclamation": "❗", "bangbang": "‼️", "no_entry": "⛔", "sos": "🆘",
	"helmet_with_white_cross": "⛑️", "ambulance": "🚑", "ok": "🆗", "ok_hand": "👌", "sparkles": "✨", "bulb": "💡",
	"octagonal_sign": "🛑", "ballot_box_with_check": "☑️", "arrow_up": "⬆️", "arrow_down": "⬇️", "arrow_right": "➡️",
	"recycle": "♻️", "speech_balloon": "💬", "mega": "📣", "loudspeaker": "📢", "robot_face": "🤖", "skull": "💀",
}
