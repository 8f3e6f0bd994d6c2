package templates

import (
	"strings"
	"unicode"

	"golang.org/x/text/width"
)

// columns is how wide the text part is set: what fits an 80-column window when it is quoted once or twice.
const columns = 76

// fill sets text as a paragraph: words flow into lines of at most columns, the first behind first, the others behind
// rest. A word that is too wide is broken, but never a URL, which then stands alone on a line of its own.
func fill(first, rest, text string) string {
	var b strings.Builder
	b.WriteString(first)
	room, used, wrote := columns-cells(first), 0, false
	newline := func() {
		b.WriteString("\n" + rest)
		room, used = columns-cells(rest), 0
	}
	for _, word := range strings.Fields(text) {
		w := cells(word)
		switch {
		case used > 0 && used+1+w <= room:
			b.WriteByte(' ')
			used++
		case used > 0:
			newline()
		}
		for !isURL(word) && w > room-used {
			var head string
			head, word = split(word, max(room-used, 8))
			b.WriteString(head)
			newline()
			w = cells(word)
		}
		b.WriteString(word)
		used += w
		wrote = wrote || word != ""
	}
	if !wrote {
		return ""
	}
	return b.String()
}

// verbatim sets lines that must keep their breaks and spaces, such as code: each behind prefix, cut where too wide.
func verbatim(prefix, text string) string {
	var out []string
	for line := range strings.SplitSeq(strings.TrimRight(text, "\n"), "\n") {
		line = strings.ReplaceAll(line, "\t", "    ")
		for !isURL(strings.TrimSpace(line)) && cells(line) > columns-cells(prefix) {
			var head string
			head, line = split(line, columns-cells(prefix))
			out = append(out, prefix+head)
		}
		out = append(out, strings.TrimRight(prefix+line, " "))
	}
	return strings.Join(out, "\n")
}

// isURL tells a word that must not be broken, also with brackets or punctuation around it.
func isURL(word string) bool {
	return strings.Contains(word, "://") || strings.Contains(word, "mailto:")
}

// split cuts s where n cells are full, at least behind the first character and never before a combining mark.
func split(s string, n int) (head, tail string) {
	used := 0
	for i, r := range s {
		w := cell(r)
		if used += w; i > 0 && w > 0 && used > n {
			return s[:i], s[i:]
		}
	}
	return s, ""
}

// cells is how many columns s takes in a terminal or a fixed-width font.
func cells(s string) int {
	n := 0
	for _, r := range s {
		n += cell(r)
	}
	return n
}

// cell is one character's width: nothing for combining and invisible ones, two for the wide of East Asia (Unicode
// TR 11).
func cell(r rune) int {
	switch {
	case r < unicode.MaxLatin1:
		return 1
	case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		return 0
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	}
	return 1
}

// underline puts a line of c under text, as wide as the text, or as its widest line.
func underline(c, text string) string {
	n := 0
	for line := range strings.SplitSeq(text, "\n") {
		n = max(n, cells(line))
	}
	return text + "\n" + strings.Repeat(c, min(n, columns))
}

// tidy ends a text part well: no spaces at line ends, never two empty lines in a row, one newline at the end.
func tidy(s string) string {
	var b strings.Builder
	blank := true // no empty line at the beginning
	for line := range strings.SplitSeq(s, "\n") {
		line = strings.TrimRight(line, " \t\r")
		if line == "" && blank {
			continue
		}
		blank = line == ""
		b.WriteString(line + "\n")
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}
