package reader

import "strings"

// How a mail program says that here the mail begins which is answered: by the words "Original Message", by a block of that
// mail's header, or by a line that says who wrote it and when. What programs of the common languages write stands in
// replywords.go; of the others the shape is known.

// cutBelow cuts where a program puts the whole earlier mail below, without a mark on each line: at a header block or the
// words "Original Message".
func cutBelow(lines []string) []string {
	for i := range lines {
		text := plainLine(lines[i])
		if !strings.ContainsAny(text, ":：-_=*>") { // what the expressions ask for, only quicker
			continue
		}
		if !isHeaderBlock(lines[i:]) && !(original.MatchString(text) && (reallyOriginal.MatchString(text) || nextIsBlock(lines[i+1:]))) {
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
	for i := range lines[:min(len(lines), 3)] {
		if isHeaderBlock(lines[i:]) {
			return true
		}
	}
	return false
}

// isHeaderBlock tells whether the header of a quoted mail begins here: the sender and two more fields, with no more than a
// line between that goes on from the one before; or, where another field comes first, four on end. One of them is the
// subject or holds an address: a list of what goes from where to where on which day has neither.
func isHeaderBlock(lines []string) bool {
	first := plainLine(lines[0])
	field := fieldOf(first)
	if !blockRest[field] {
		return false
	}
	leads := blockFrom[field]
	sender, sure, fields, other := leads, strings.Contains(first, "@"), 1, 0
	for _, line := range lines[1:min(len(lines), 12)] {
		text := plainLine(line)
		field := fieldOf(text)
		if !blockRest[field] {
			if text != "" {
				other++
			}
			if other > 1 || !leads {
				break
			}
			sure = sure || other == 1 && strings.Contains(text, "@")
			continue
		}
		fields, other = fields+1, 0
		sender = sender || blockFrom[field]
		sure = sure || blockSubject[field] || strings.Contains(text, "@")
	}
	return sure && (leads && fields >= 3 || sender && fields >= 4)
}

// fieldOf is the word before a line's first colon, lower-case; empty if there is none.
func fieldOf(text string) string {
	word, _, _ := strings.Cut(strings.ReplaceAll(text[:min(len(text), 60)], "：", ":"), ":")
	if len(word) == len(text) || len(word) > 40 {
		return ""
	}
	return strings.ToLower(strings.TrimSpace(word))
}

// aMoment tells a day of some year with a time of day.
func aMoment(text string) bool { return aTime.MatchString(text) && aDay.MatchString(text) }

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
		named := anAngle.MatchString(text)
		switch {
		case dateline.MatchString(text), named && aMoment(text) && lastColon(text) && !aField.MatchString(text):
			return n
		case attribution.MatchString(text) && whenOrWho.MatchString(text) && (named || !ownWords.MatchString(text)):
			return n
		}
	}
	return 0
}

// endsAsOne tells an attribution from a sentence that holds the same words: it ends in a colon or a rule, or has an address
// in it and quoted or blank lines below.
func endsAsOne(text string, below []string) bool {
	if lastColon(text) || strings.HasSuffix(text, "--") {
		return true
	}
	return strings.Contains(text, "@") && (len(below) == 0 || isQuoted(below[0]) || strings.TrimSpace(below[0]) == "")
}

func lastColon(text string) bool {
	return strings.HasSuffix(text, ":") || strings.HasSuffix(text, "：")
}
