package templates

import (
	"html/template"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// A run is a stretch of text with one look: what is left of a tree when its blocks are flattened.
type run struct {
	text         string
	strong, em   bool
	struck, code bool
	link         *html.Node // the <a> it stands in; runs of one link share it
}

// flatten makes one paragraph of a tree: a heading leads with a colon, points of a list keep a bullet, and other blocks
// follow each other with a dot between, unless one ends in a mark.
func flatten(n *html.Node) []run {
	var f flattener
	f.walk(n, run{})
	return f.runs
}

type flattener struct {
	runs []run
	gap  string // owed before the next text
}

func (f *flattener) walk(n *html.Node, look run) {
	for c := range n.ChildNodes() {
		f.node(c, look)
	}
}

func (f *flattener) node(n *html.Node, look run) {
	switch {
	case n.Type == html.TextNode:
		look.text = n.Data
		f.add(look)
	case n.DataAtom == atom.Br:
		f.owe(" ")
	case isHeading(n):
		f.owe(" · ")
		look.strong = true
		f.walk(n, look)
		f.owe(": ")
	case n.DataAtom == atom.Li:
		f.owe(" • ")
		f.walk(n, look)
	case isBlock(n):
		f.owe(" · ")
		f.walk(n, look)
		f.owe(" · ")
	default:
		f.walk(n, look.inside(n))
	}
}

// inside is the look of text inside an element.
func (r run) inside(n *html.Node) run {
	switch n.DataAtom {
	case atom.Strong:
		r.strong = true
	case atom.Em:
		r.em = true
	case atom.Del:
		r.struck = true
	case atom.Code:
		r.code = true
	case atom.A:
		if attr(n, "href") != "" {
			r.link = n
		}
	}
	return r
}

// gapWeight tells which of the gaps owed before a text is written: the one that says most.
var gapWeight = map[string]int{"": 0, " ": 1, " · ": 2, ": ": 3, " • ": 4}

func (f *flattener) owe(gap string) {
	if len(f.runs) > 0 && gapWeight[gap] > gapWeight[f.gap] {
		f.gap = gap
	}
}

// add appends a text with its spaces folded, and what was owed before it.
func (f *flattener) add(r run) {
	words := strings.Fields(r.text)
	if len(words) == 0 {
		if r.text != "" {
			f.owe(" ")
		}
		return
	}
	if isSpace(r.text[0]) {
		f.owe(" ")
	}
	if f.gap != "" {
		last := f.runs[len(f.runs)-1]
		if f.gap != " • " && (strings.ContainsAny(last.text[len(last.text)-1:], ".:;!?,") || strings.HasSuffix(last.text, "…")) {
			f.gap = " "
		}
		f.runs = append(f.runs, run{text: f.gap, link: shared(last.link, r.link)})
		f.gap = ""
	}
	end := r.text[len(r.text)-1]
	r.text = strings.Join(words, " ")
	f.runs = append(f.runs, r)
	if isSpace(end) {
		f.owe(" ")
	}
}

func isSpace(b byte) bool { return b == ' ' || b == '\n' || b == '\t' }

// shared is the link that goes on from one run to the next, if it is one.
func shared(a, b *html.Node) *html.Node {
	if a == b {
		return a
	}
	return nil
}

func isBlock(n *html.Node) bool {
	switch n.DataAtom {
	case atom.P, atom.Ul, atom.Ol, atom.Li, atom.Blockquote, atom.Pre, atom.Hr, atom.Table, atom.Thead, atom.Tbody,
		atom.Tr, atom.Th, atom.Td:
		return true
	}
	return isHeading(n)
}

// cutRuns keeps at most max characters, cut behind a word if there is one in sight; cut tells whether some were lost.
func cutRuns(runs []run, max int) (kept []run, cut bool) {
	for i := range runs {
		n := utf8.RuneCountInString(runs[i].text)
		if n <= max {
			max -= n
			continue
		}
		kept = append([]run(nil), runs[:i+1]...)
		last := &kept[i]
		last.text = string([]rune(last.text)[:max])
		if j := strings.LastIndexByte(last.text, ' '); j >= 0 {
			last.text = last.text[:j]
		} else if i > 0 && max < 40 {
			last.text = "" // a word's beginning: the runs before it end well
		}
		for len(kept) > 0 && strings.TrimSpace(kept[len(kept)-1].text) == "" {
			kept = kept[:len(kept)-1]
		}
		return kept, true
	}
	return runs, false
}

// runsHTML writes runs as HTML; all text is escaped here.
func runsHTML(runs []run) template.HTML {
	var b strings.Builder
	for i, r := range runs {
		if r.link != nil && (i == 0 || runs[i-1].link != r.link) {
			b.WriteString(`<a href="` + html.EscapeString(attr(r.link, "href")) + `" rel="nofollow" class="l" style="` +
				looks[atom.A][1] + `">`)
		}
		s := html.EscapeString(r.text)
		if r.code {
			s = `<code class="c" style="` + looks[atom.Code][1] + `">` + s + "</code>"
		}
		for _, t := range []struct {
			on  bool
			tag string
		}{{r.struck, "del"}, {r.em, "em"}, {r.strong, "strong"}} {
			if t.on {
				s = "<" + t.tag + ">" + s + "</" + t.tag + ">"
			}
		}
		b.WriteString(s)
		if r.link != nil && (i == len(runs)-1 || runs[i+1].link != r.link) {
			b.WriteString("</a>")
		}
	}
	return template.HTML(b.String())
}

// runsText writes runs as plain text: "text <url>" for a link, or only the address where the text says no more.
func runsText(runs []run) string {
	var b, label strings.Builder
	for i, r := range runs {
		if r.link == nil {
			b.WriteString(r.text)
			continue
		}
		label.WriteString(r.text)
		if i == len(runs)-1 || runs[i+1].link != r.link {
			b.WriteString(linkText(label.String(), attr(r.link, "href")))
			label.Reset()
		}
	}
	return b.String()
}

func linkText(label, href string) string {
	if "mailto:"+label == href {
		return label
	}
	if label == href || "http://"+label == href {
		return href
	}
	return label + " <" + href + ">"
}

// plainText sets a tree as plain text: paragraphs with an empty line between, lists with their marks, code indented.
func plainText(root *html.Node) string {
	var t textWriter
	t.blocks(root, "", "")
	return strings.TrimRight(strings.Join(t.out, "\n"), "\n")
}

type textWriter struct {
	out []string // lines, or several in one string; "" is an empty line
}

// maxIndent is how deep quotes and lists are indented; deeper ones stay there.
const maxIndent = 32

// blocks writes the blocks inside n: the first line behind first, the others behind rest.
func (t *textWriter) blocks(n *html.Node, first, rest string) {
	if cells(rest) > maxIndent {
		first, rest = first[:min(len(first), maxIndent)], rest[:min(len(rest), maxIndent)]
	}
	var loose flattener // text that stands in n itself
	flush := func() {
		if s := fill(first, rest, runsText(loose.runs)); s != "" {
			t.out = append(t.out, s)
			first = rest
		}
		loose = flattener{}
	}
	for c := range n.ChildNodes() {
		if !isBlock(c) && c.DataAtom != atom.Br {
			loose.node(c, run{})
			continue
		}
		flush()
		if c.DataAtom != atom.Br {
			t.block(c, first, rest)
			first = rest
		}
	}
	flush()
}

// block writes one block element.
func (t *textWriter) block(n *html.Node, first, rest string) {
	switch n.DataAtom {
	case atom.Ul, atom.Ol:
		t.list(n, rest)
	case atom.Blockquote:
		t.blocks(n, first+"> ", rest+"> ")
		if last := len(t.out) - 1; last >= 0 && t.out[last] == rest+">" {
			t.out = t.out[:last] // the empty line behind a quote is not its own
		}
	case atom.Pre:
		t.out = append(t.out, verbatim(rest+"    ", textOf(n)))
	case atom.Hr:
		t.out = append(t.out, rest+"----")
	case atom.Table:
		t.table(n, rest)
	default:
		t.blocks(n, first, rest)
	}
	if n.Parent == nil || n.Parent.DataAtom != atom.Li {
		t.out = append(t.out, strings.TrimRight(rest, " "))
	}
}

func (t *textWriter) list(n *html.Node, rest string) {
	number, err := strconv.Atoi(attr(n, "start"))
	if err != nil {
		number = 1
	}
	for li := range n.ChildNodes() {
		if li.DataAtom != atom.Li {
			continue
		}
		mark := "- "
		if n.DataAtom == atom.Ol {
			mark = strconv.Itoa(number) + ". "
			number++
		}
		t.blocks(li, rest+mark, rest+strings.Repeat(" ", len(mark)))
	}
}

// table writes rows as "a | b", the columns in line where they fit.
func (t *textWriter) table(n *html.Node, rest string) {
	rows := rowsOf(n)
	var wide []int
	total := cells(rest)
	for _, row := range rows {
		for i, c := range row {
			if i == len(wide) {
				wide = append(wide, 0)
			}
			wide[i] = max(wide[i], cells(c))
		}
	}
	for _, w := range wide {
		total += w + 3
	}
	for _, row := range rows {
		for i := range row {
			if total-3 <= columns && i < len(row)-1 {
				row[i] += strings.Repeat(" ", wide[i]-cells(row[i]))
			}
		}
		line := strings.Join(row, " | ")
		if total-3 <= columns {
			t.out = append(t.out, rest+line)
		} else if s := fill(rest, rest+"  ", line); s != "" {
			t.out = append(t.out, s)
		}
	}
}

// rowsOf reads a table's cells, each as one line of text.
func rowsOf(n *html.Node) [][]string {
	var rows [][]string
	for d := range n.Descendants() {
		if d.DataAtom != atom.Tr {
			continue
		}
		var row []string
		for c := range d.ChildNodes() {
			if c.DataAtom == atom.Td || c.DataAtom == atom.Th {
				row = append(row, runsText(flatten(c)))
			}
		}
		rows = append(rows, row)
	}
	return rows
}

// textOf is all text inside n, as it is.
func textOf(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		}
	}
	return b.String()
}
