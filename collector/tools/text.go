package tools

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"quietpost/digest"
)

// titleMax is how long adapters make a title, so that it reads on one or two lines; intake would take digest.MaxTitle.
const titleMax = 180

// bodyMax is how much of a text adapters take over, in characters: the background a reader needs, not the whole.
const bodyMax = 1500

// textMax is how much of one text adapters look at, in bytes: many times what they take over, and little enough for the
// patterns that are sought in it.
const textMax = 16 << 10

// bounded is the beginning of a text, at most textMax of it.
func bounded(s string) string {
	if len(s) <= textMax {
		return s
	}
	return strings.ToValidUTF8(s[:textMax], "")
}

// title makes one line of parts joined by ": ", empty ones left out.
func title(parts ...string) string {
	var kept []string
	for _, p := range parts {
		if p = digest.OneLine(bounded(p), titleMax); p != "" {
			kept = append(kept, p)
		}
	}
	return digest.OneLine(strings.Join(kept, ": "), titleMax)
}

// firstLine is the first line of s that is not empty.
func firstLine(s string) string {
	for line := range strings.Lines(s) {
		if line = strings.TrimSpace(line); line != "" {
			return line
		}
	}
	return ""
}

var emptyLines = regexp.MustCompile(`\n[ \t]*(?:\n[ \t]*)+\n`)

var htmlComment = regexp.MustCompile(`(?s)<!--.*?(-->|$)`)

// excerpt is the beginning of a Markdown text, without the hidden comments that templates leave, cut between words.
func excerpt(s string) string {
	s = strings.ReplaceAll(strings.ToValidUTF8(bounded(s), "\uFFFD"), "\r\n", "\n")
	s = strings.TrimSpace(emptyLines.ReplaceAllString(htmlComment.ReplaceAllString(s, ""), "\n\n"))
	if utf8.RuneCountInString(s) <= bodyMax {
		return s
	}
	s = string([]rune(s)[:bodyMax])
	if i := strings.LastIndexFunc(s, unicode.IsSpace); i > len(s)-100 {
		s = s[:i]
	}
	s = strings.TrimSpace(s) + " …"
	if strings.Count(s, "```")%2 == 1 {
		s += "\n```"
	}
	return s
}

// unsaid is a text as the body beside a title, "" if the title says all of it.
func unsaid(title, text string) string {
	if line := digest.OneLine(bounded(text), titleMax); line != "" && strings.HasSuffix(title, line) {
		return ""
	}
	return excerpt(text)
}

// escape makes plain text that Markdown shows as it is.
func escape(s string) string { return escaper.Replace(s) }

var escaper = strings.NewReplacer(`\`, `\\`, "`", "\\`", "*", `\*`, "_", `\_`, "[", `\[`, "]", `\]`, "<", `\<`, ">", `\>`,
	"#", `\#`, "~", `\~`, "|", `\|`, "!", `\!`)

// quote makes a Markdown quotation of a Markdown text.
func quote(s string) string {
	if s = excerpt(s); s == "" {
		return ""
	}
	return "> " + strings.ReplaceAll(s, "\n", "\n> ")
}

// paragraphs joins the parts that are not empty with an empty line.
func paragraphs(parts ...string) string {
	var kept []string
	for _, p := range parts {
		if p = strings.TrimSpace(p); p != "" {
			kept = append(kept, p)
		}
	}
	return strings.Join(kept, "\n\n")
}

// code shows s as code in a line of Markdown.
func code(s string) string {
	if s = digest.OneLine(strings.ReplaceAll(s, "`", "'"), 120); s == "" {
		return ""
	}
	return "`" + s + "`"
}

// count is "1 commit", "3 commits".
func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// words makes "Pull request review" of pull_request_review, pull-request-review or pullRequestReview.
func words(s string) string {
	var b strings.Builder
	var before rune
	for _, r := range s {
		switch {
		case strings.ContainsRune("_-./: ", r):
			r = ' '
			if before == ' ' || before == 0 {
				continue
			}
		case unicode.IsUpper(r) && unicode.IsLower(before):
			b.WriteRune(' ')
		}
		b.WriteRune(r)
		before = r
	}
	w := strings.TrimSpace(b.String())
	if strings.ToUpper(w) == w && len(w) > 4 {
		w = strings.ToLower(w)
	}
	out := strings.Fields(w)
	for i, f := range out {
		if i > 0 && strings.ToUpper(f) != f {
			out[i] = strings.ToLower(f)
		}
	}
	return capital(strings.Join(out, " "))
}

// lowerTags are names as tags: lower-case, unlike ones, at most digest.MaxTags.
func lowerTags(names []string) []string {
	var tags []string
	seen := map[string]bool{}
	for _, n := range names {
		n = strings.ToLower(digest.OneLine(n, 60))
		if n != "" && !seen[n] && len(tags) < digest.MaxTags {
			seen[n] = true
			tags = append(tags, n)
		}
	}
	return tags
}

// mdLink makes an address safe inside the parentheses of a Markdown link.
func mdLink(u string) string {
	return strings.NewReplacer("(", "%28", ")", "%29", " ", "%20", "<", "%3C", ">", "%3E").Replace(u)
}
