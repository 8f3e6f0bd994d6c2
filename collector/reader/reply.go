package reader

import (
	"strings"
)

// Quoted text and signatures are found by the marks that mail programs themselves write, and cut only where they are
// sure; when nothing would be left, nothing is cut. The marks stand in replywords.go.

var emphasis = strings.NewReplacer("*", "", "\u00A0", " ", "\u200B", "", "\u200E", "", "\u200F", "", "\u202F", " ", "\u202A", "", "\u202C", "",
	"&lt;", "<", "&gt;", ">")

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

// cutBelow cuts where a program puts the whole earlier mail below, without a mark on each line: at a header block, the
// words "Original Message", or an attribution that text without marks follows.
func cutBelow(lines []string) []string {
	for i := range lines {
		text := plainLine(lines[i])
		if !strings.ContainsAny(text, ":：-_=*>") { // what the expressions ask for, only quicker
			continue
		}
		block := blockFrom.MatchString(text) && isHeaderBlock(lines[i:])
		if !block && !(original.MatchString(text) && (reallyOriginal.MatchString(text) || nextIsBlock(lines[i+1:]))) {
			continue
		}
		for i > 0 && isRule(lines[i-1]) {
			i--
		}
		if isBlank(lines[:i]) {
			return lines
		}
		return lines[:i]
	}
	return lines
}

func nextIsBlock(lines []string) bool {
	for i, line := range lines[:min(len(lines), 3)] {
		if text := plainLine(line); blockFrom.MatchString(text) {
			return isHeaderBlock(lines[i:])
		}
	}
	return false
}

// isHeaderBlock tells whether a line of a quoted mail's header begins here: at least two more follow, with no more than a
// line between that goes on from the one before.
func isHeaderBlock(lines []string) bool {
	n, other := 0, 0
	for i, line := range lines[:min(len(lines), 12)] {
		if i == 0 {
			continue
		}
		switch text := plainLine(line); {
		case blockRest.MatchString(text):
			n, other = n+1, 0
		case text != "":
			if other++; other > 1 {
				return n >= 2
			}
		}
	}
	return n >= 2
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
	for i := 0; i < len(lines); {
		if isQuoted(lines[i]) {
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

// attributionLines is over how many lines an attribution stands that begins here; 0 for none. Programs wrap it.
func attributionLines(lines []string) int {
	text := ""
	for n := 1; n <= 4 && n <= len(lines); n++ {
		line := plainLine(lines[n-1])
		if line == "" || len(line) > 300 || isQuoted(lines[n-1]) {
			return 0
		}
		if n == 2 && strings.ContainsAny(text[len(text)-1:], ",.!?:") && !strings.ContainsAny(text, "0123456789@\"") {
			return 0 // "Hi," above an attribution
		}
		text = strings.TrimSpace(text + " " + line)
		if !strings.ContainsAny(text, "0123456789@") || !endsAsOne(text, lines[n:]) {
			continue // as the expressions have it, only quicker
		}
		if dateline.MatchString(text) || attribution.MatchString(text) && whenOrWho.MatchString(text) {
			return n
		}
	}
	return 0
}

// endsAsOne tells an attribution from a sentence that holds the same words: it ends in a colon or a rule, or has an address
// in it and quoted or blank lines below.
func endsAsOne(text string, below []string) bool {
	if strings.HasSuffix(text, ":") || strings.HasSuffix(text, "：") || strings.HasSuffix(text, "--") {
		return true
	}
	return strings.Contains(text, "@") && (len(below) == 0 || isQuoted(below[0]) || strings.TrimSpace(below[0]) == "")
}

// longestFooter is how many lines without a quote are still taken for a footer.
const longestFooter = 60

// cutFooter cuts what lists, gateways and firms put below the text.
func cutFooter(lines []string) []string {
	for i := footerFrom(lines); i < len(lines); i++ {
		text := plainLine(lines[i])
		if isQuoted(lines[i]) || text == "" {
			continue
		}
		rule := strings.Trim(text, "_-=") == "" && len(text) >= 2
		if !footer.MatchString(text) && !(rule && listFooter.MatchString(strings.Join(lines[i+1:min(len(lines), i+4)], " "))) {
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

// cutSignature cuts "-- " and what follows (RFC 3676, section 4.3), "Sent from my …" and "Regards, Ana" at the end.
func cutSignature(lines []string) []string {
	for i := len(lines) - 1; i >= 0 && i >= len(lines)-longestSignature-1; i-- {
		if text := strings.TrimRight(lines[i], " \u00A0\r\t"); text == "--" || text == `\--` || text == "—" || text == "– –" {
			if isBlank(lines[:i]) {
				return lines
			}
			lines = lines[:i]
			break
		}
	}
	return cutClosing(cutSentFrom(cutClosing(cutSentFrom(lines))))
}

// cutSentFrom cuts the lines at the end in which a program praises itself.
func cutSentFrom(lines []string) []string {
	last := len(lines)
	for last > 0 {
		text := plainLine(lines[last-1])
		if text != "" && !(sentFrom.MatchString(text) && len(text) < 120) && strings.Trim(text, "-_*#~=+ᐧ ") != "" {
			break
		}
		last--
	}
	if last == 0 {
		return lines
	}
	return lines[:last]
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
	return strings.TrimSpace(emphasis.Replace(s[:min(len(s), 600)]))
}
