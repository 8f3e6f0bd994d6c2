package reader

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Quoted text and signatures are found by the marks that mail programs themselves write, and cut only where they are
// sure; when nothing would be left, nothing is cut. The marks stand in replywords.go.

var emphasis = strings.NewReplacer("*", "", "\u00A0", " ", "\u200B", "", "\u200E", "", "\u200F", "", "\u202F", " ", "\u202A", "", "\u202B", "", "\u202C", "",
	"\u2066", "", "\u2067", "", "\u2068", "", "\u2069", "",
	"&lt;", "<", "&gt;", ">")

var (
	// links are the addresses behind words, in Markdown and as programs write them into plain text.
	links     = regexp.MustCompile(`\[([^\[\]]+)\]\([^()\s]*\)|<https?://[^<>\s]*>`)
	reachable = regexp.MustCompile(`\S@\S|https?://|\bwww\.|\+?\d[\d ()/.-]{6,}`)
)

const (
	longestSignature = 15 // lines behind "-- " that are still taken for a signature
	longestClosing   = 6  // lines behind "Regards,"
	longestWords     = 60 // bytes of "Regards," in any language
	keptQuote        = 4  // lines of a quote that is answered in between
)

// visibleReply gives what an answer adds: without quoted text, signature and boilerplate.
func visibleReply(s string) string {
	lines := strings.Split(strings.ReplaceAll(s, "\r\n", "\n"), "\n")
	for _, cut := range []func([]string) []string{cutBanner, cutBelow, cutFooter, dropQuotes, cutFooter, cutSignature} {
		if kept := cut(lines); !isBlank(kept) {
			lines = kept
		}
	}
	out := strings.TrimSpace(strings.Join(lines, "\n"))
	if out == "" || onlyQuoted(lines) {
		return s
	}
	return out
}

// withoutFrame gives what a first mail says, without what gateways, lists and firms put around it and without its signature.
// Of what is handed on all stays but the last signature.
func withoutFrame(s string, handedOn bool) string {
	cuts := []func([]string) []string{cutBanner, cutFooter, cutSignature}
	if handedOn {
		cuts = cuts[2:]
	}
	s = strings.ReplaceAll(s, "\r\n", "\n")
	all := strings.Split(s, "\n")
	lines := all
	for _, cut := range cuts {
		if kept := cut(lines); !isBlank(kept) {
			lines = kept
		}
	}
	if len(lines) == len(all) {
		return s
	}
	return strings.Join(lines, "\n")
}

// onlyQuoted tells that nothing of the answer's own is left.
func onlyQuoted(lines []string) bool {
	for _, l := range lines {
		if strings.TrimSpace(l) != "" && !isQuoted(l) {
			return false
		}
	}
	return true
}

// cutBanner cuts the warning that a gateway put above the first line.
func cutBanner(lines []string) []string {
	for i, line := range lines {
		if text := plainLine(line); text == "" {
			continue
		} else if !banner.MatchString(text) {
			return lines
		}
		for i < len(lines) && plainLine(lines[i]) != "" {
			i++
		}
		return lines[i:]
	}
	return lines
}

// A run is a stretch of an answer: own lines, or quoted ones with the line that says whose they are.
type run struct {
	lines  []string
	quoted bool
}

// dropQuotes takes out quoted lines. Where an attribution is followed by text without marks, that is the earlier mail, and
// everything from there on goes. Of an answer that was written in between, the quotes stay, shortened: without them it
// could not be understood.
func dropQuotes(lines []string) []string {
	runs := runsOf(lines)
	between := 0 // quotes with words of their own before the end
	for i := range runs {
		if runs[i].quoted && i+1 < len(runs) {
			between++
		}
	}
	var out []string
	for i, r := range runs {
		switch {
		case !r.quoted:
			out = append(out, r.lines...)
		case between > 1 && i+1 < len(runs):
			out = append(out, shortQuote(r.lines)...)
		}
	}
	return out
}

func runsOf(lines []string) []run {
	var runs []run
	add := func(quoted bool, ls ...string) {
		if n := len(runs); n > 0 && (runs[n-1].quoted == quoted || isBlank(ls)) {
			runs[n-1].lines = append(runs[n-1].lines, ls...)
			return
		}
		runs = append(runs, run{append([]string(nil), ls...), quoted})
	}
	code := fences(lines)
	for i := 0; i < len(lines); {
		if code[i] {
			add(false, lines[i])
			i++
			continue
		}
		if isQuoted(lines[i]) || fellOut(lines, i) {
			add(true, lines[i])
			i++
			continue
		}
		n := attributionLines(lines[i:])
		if n == 0 && i+1 < len(lines) && isQuoted(lines[i+1]) && shortAttribution.MatchString(plainLine(lines[i])) {
			n = 1
		}
		if n == 0 {
			add(false, lines[i])
			i++
			continue
		}
		next := i + n
		for next < len(lines) && strings.TrimSpace(lines[next]) == "" {
			next++
		}
		if (next >= len(lines) || !isQuoted(lines[next])) && hasOwn(runs) {
			return runs
		}
		i = next
	}
	return runs
}

// fences tells the lines of code between two ``` of the answer's own: a ">" in them is no quote, and a "--" no signature.
func fences(lines []string) []bool {
	code, open := make([]bool, len(lines)), -1
	for i, line := range lines {
		if !strings.HasPrefix(strings.TrimSpace(line), "```") {
			continue
		}
		if open < 0 {
			open = i
			continue
		}
		for ; open <= i; open++ {
			code[open] = true
		}
		open = -1
	}
	return code
}

// longLine is how long a quoted line is, in bytes, that a program may have wrapped.
const longLine = 60

// fellOut tells a line that a program wrapped out of the quote around it: in the middle of a sentence, with quoted lines
// right above and below.
func fellOut(lines []string, i int) bool {
	if i == 0 || i+1 >= len(lines) || !isQuoted(lines[i-1]) || !isQuoted(lines[i+1]) || len(lines[i-1]) < longLine {
		return false
	}
	text, above := strings.TrimSpace(lines[i]), strings.TrimRight(lines[i-1], " \r")
	first, _ := utf8.DecodeRuneInString(text)
	last, _ := utf8.DecodeLastRuneInString(above)
	return unicode.IsLower(first) && (unicode.IsLetter(last) || last == ',')
}

func hasOwn(runs []run) bool {
	for _, r := range runs {
		if !r.quoted && !isBlank(r.lines) {
			return true
		}
	}
	return false
}

// shortQuote keeps the last lines of a quote: what the words below it answer.
func shortQuote(lines []string) []string {
	var kept []string
	for _, l := range lines {
		own := strings.Trim(l, "> \t\r")
		if isQuoted(l) && own != "" && !strings.HasPrefix(strings.ReplaceAll(l, " ", ""), ">>") && attributionLines([]string{own}) == 0 {
			kept = append(kept, l)
		}
	}
	if len(kept) > keptQuote {
		kept = append([]string{"> […]"}, kept[len(kept)-keptQuote:]...)
	}
	return append(append([]string{""}, kept...), "")
}

// longestFooter is how many lines without a quote are still taken for a footer.
const longestFooter = 60

// cutFooter cuts what lists, gateways and firms put below the text.
func cutFooter(lines []string) []string {
	for i := footerFrom(lines); i < len(lines); i++ {
		text := plainLine(lines[i])
		if isQuoted(lines[i]) || text == "" || !footerWords[firstWord(text)] && strings.Trim(text, "_-=") != "" { // as the expressions have it, only quicker
			continue
		}
		below := strings.Join(lines[i+1:min(len(lines), i+4)], " ")
		rule := len(text) >= 2 && (strings.Trim(text, "_") == "" || strings.Trim(text, "_-=") == "" && i > 0 && plainLine(lines[i-1]) == "") // below words it is a heading's
		head := footerHead.FindStringIndex(text)
		if !footer.MatchString(text) && !(rule && listFooter.MatchString(below)) && !(head != nil && footerBody.MatchString(text[head[1]:]+" "+below)) {
			continue
		}
		for i > 0 && (isRule(lines[i-1]) || plainLine(lines[i-1]) == "—") {
			i--
		}
		if !isBlank(lines[:i]) {
			return lines[:i]
		}
		return lines
	}
	return lines
}

// firstWord is a line's first word, lower-case, without the signs before it and what is not a letter behind.
func firstWord(text string) string {
	text = strings.TrimLeft(text, "-—–_*=<[( ")
	if i := strings.IndexFunc(text, func(r rune) bool { return !unicode.IsLetter(r) }); i >= 0 {
		text = text[:i]
	}
	return strings.ToLower(text[:min(len(text), 40)])
}

// footerFrom is where a footer may begin at the earliest.
func footerFrom(lines []string) int {
	i := len(lines)
	for n := 0; i > 0; i-- {
		if l := lines[i-1]; strings.TrimSpace(l) != "" && !isQuoted(l) {
			if n++; n > longestFooter {
				break
			}
		}
	}
	return i
}

// cutSignature cuts "-- " and what follows (RFC 3676, section 4.3), a card below a rule, "Sent from my …" and "Regards, Ana"
// at the end.
func cutSignature(lines []string) []string {
	code := fences(lines)
	for i := len(lines) - 1; i >= 0 && i >= len(lines)-longestSignature-1; i-- {
		text := strings.TrimRight(lines[i], " \u00A0\r\t")
		delimiter := text == "--" || text == `\--` || text == "—" || text == "– –"
		if code[i] || !delimiter && !(len(text) > 2 && strings.Trim(text, "_-=—–*~") == "" && i > 0 && plainLine(lines[i-1]) == "" && isCard(lines[i+1:])) {
			continue
		}
		if isBlank(lines[:i]) {
			return lines
		}
		lines = lines[:i]
		break
	}
	return cutClosing(cutSentFrom(cutClosing(cutSentFrom(lines))))
}

// isCard tells a few short lines that begin with a name and say how to reach who bears it.
func isCard(lines []string) bool {
	n, reach := 0, false
	for _, line := range lines {
		text := plainLine(line)
		if text == "" {
			continue
		}
		if n == 0 && !nameLike.MatchString(strings.Trim(text, " ,.")) || len(text) > 80 || strings.HasSuffix(text, "?") {
			return false
		}
		n, reach = n+1, reach || reachable.MatchString(text)
	}
	return n > 1 && n <= longestClosing+2 && reach
}

// cutSentFrom cuts the lines at the end in which a program praises itself.
func cutSentFrom(lines []string) []string {
	last := len(lines)
	for last > 0 {
		text := plainLine(lines[last-1])
		if bare := plainLine(links.ReplaceAllString(lines[last-1], "$1")); bare != "" {
			text = bare
		}
		if text != "" && !(len(text) < 120 && praisesItself(text)) && strings.Trim(text, "-_*#~=+ᐧ ") != "" {
			break
		}
		last--
	}
	if last == 0 {
		return lines
	}
	return lines[:last]
}

// praisesItself tells a line such as "Sent from my iPhone".
func praisesItself(text string) bool {
	lower := strings.ToLower(text)
	mentions := slices.ContainsFunc(deviceStems, func(stem string) bool { return strings.Contains(lower, stem) })
	if mentions && sentEnds.MatchString(lower) {
		return true
	}
	return (mentions || sentWords[firstWord(text)]) && sentFrom.MatchString(text)
}

// cutClosing cuts "Regards," with the name and address below it. What could be more than a name stays.
func cutClosing(lines []string) []string {
	seen, first := 0, -1
	for i := len(lines) - 1; i > 0 && seen <= longestClosing; i-- {
		text := plainLine(lines[i])
		if text == "" {
			continue
		}
		if len(text) <= longestWords && closing.MatchString(text) {
			if isBlank(lines[:i]) || first >= 0 && !nameLike.MatchString(strings.Trim(plainLine(lines[first]), " ,.")) {
				return lines
			}
			return lines[:i]
		}
		if len(text) > 80 || strings.HasSuffix(text, "?") || strings.HasSuffix(text, ":") {
			return lines
		}
		seen, first = seen+1, i
	}
	return lines
}

func isQuoted(line string) bool {
	return strings.HasPrefix(strings.TrimLeft(line, " \u00A0"), ">")
}

func isRule(line string) bool {
	t := plainLine(line)
	return strings.Trim(t, "_-= ") == ""
}

func isBlank(lines []string) bool {
	for _, l := range lines {
		if strings.TrimSpace(l) != "" {
			return false
		}
	}
	return true
}

// plainLine is a line without emphasis and the like, for comparing. Of an overlong one its beginning is enough.
func plainLine(s string) string {
	s = s[:min(len(s), 600)]
	if strings.IndexByte(s, '*') < 0 && strings.IndexByte(s, '&') < 0 && isASCII(s) { // as most lines are: replacing nothing takes ten times as long
		return strings.TrimSpace(s)
	}
	return strings.TrimSpace(emphasis.Replace(s))
}
