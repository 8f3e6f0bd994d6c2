package reader

import (
	"bytes"
	"regexp"
	"strings"

	"github.com/JohannesKaufmann/html-to-markdown/v2/converter"
	"github.com/JohannesKaufmann/html-to-markdown/v2/plugin/base"
	"github.com/JohannesKaufmann/html-to-markdown/v2/plugin/commonmark"
	"github.com/JohannesKaufmann/html-to-markdown/v2/plugin/table"
	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// maxHTML bounds what is converted with its structure kept; from larger HTML only the text is taken. The converter and
// the parser are not linear in hostile input.
const (
	maxHTML  = 128 << 10 // bytes
	maxNodes = 20_000
	maxCells = 2_000 // cells of one table
)

// htmlToMarkdown turns the HTML of a mail into Markdown: no scripts, styles, images or hidden text, links to the web and
// to mail only, layout tables dissolved. It falls back to the bare text.
func htmlToMarkdown(s string) (out string) {
	defer func() {
		if recover() != nil {
			out = stripTags(s)
		}
	}()
	if len(s) > maxHTML {
		return stripTags(s)
	}
	doc, err := html.Parse(strings.NewReader(s))
	if err != nil { // more than 512 nested elements, among others
		return stripTags(s)
	}
	cl := cleaner{}
	cl.clean(doc)
	if cl.nodes > maxNodes {
		return stripTags(s)
	}
	conv := converter.NewConverter(converter.WithPlugins(
		base.NewBasePlugin(),
		commonmark.NewCommonmarkPlugin(commonmark.WithListEndComment(false)),
		table.NewTablePlugin(table.WithSpanCellBehavior(table.SpanBehaviorEmpty), table.WithHeaderPromotion(true),
			table.WithNewlineBehavior(table.NewlineBehaviorPreserve), table.WithCellPaddingBehavior(table.CellPaddingBehaviorMinimal)),
	))
	md, err := conv.ConvertNode(doc)
	if err != nil {
		return stripTags(s)
	}
	return tidy(string(md))
}

// A cleaner takes out of a parsed mail what is not for reading.
type cleaner struct {
	nodes int
	looks int // into elements below others
}

func (c *cleaner) clean(n *html.Node) {
	for child := n.FirstChild; child != nil; {
		next := child.NextSibling
		if c.nodes++; c.nodes > maxNodes {
			return
		}
		if child.Type == html.CommentNode || child.Type == html.ElementNode && c.unread(child) {
			n.RemoveChild(child)
		} else {
			c.clean(child)
			if child.Type == html.ElementNode {
				simplify(child)
			}
		}
		child = next
	}
}

// unread tells the elements whose content nobody sees.
func (c *cleaner) unread(n *html.Node) bool {
	switch n.DataAtom {
	case atom.Script, atom.Style, atom.Head, atom.Title, atom.Template, atom.Svg, atom.Math, atom.Object, atom.Iframe,
		atom.Noscript, atom.Form, atom.Input, atom.Button, atom.Select, atom.Textarea, atom.Video, atom.Audio:
		return n.DataAtom != atom.Form && n.DataAtom != atom.Button
	}
	style := styleOf(n)
	if !strings.Contains(style, ":0") && !strings.Contains(style, "none") && !strings.Contains(style, "hid") { // as the expressions have it, only quicker
		return hasAttr(n, "hidden")
	}
	return hasAttr(n, "hidden") || hiding.MatchString(style) || tiny.MatchString(style) && !c.isResized(n)
}

var (
	hiding = regexp.MustCompile(`(?:^|;)(?:display:none|visibility:hidden|mso-hide:all|(?:max-height|opacity):0(?:px|pt|em|%|\.0+)?)(?:;|!|$)`)
	tiny   = regexp.MustCompile(`(?:^|;)font-size:0(?:px|pt|em|%|\.0+)?(?:;|!|$)`)
	sized  = regexp.MustCompile(`(?:^|;)font(?:-size)?:[^;]*[1-9]`)
)

func styleOf(n *html.Node) string {
	return strings.ToLower(strings.Join(strings.Fields(attr(n, "style")), ""))
}

// isResized tells an element whose text of no size is none: frameworks (MJML) write that on what holds all columns, to take
// out the space between them, and give the text in it a size again.
func (c *cleaner) isResized(n *html.Node) bool {
	for d := range n.Descendants() {
		if c.looks++; c.looks > 5*maxNodes {
			return true
		}
		if d.Type == html.ElementNode && sized.MatchString(styleOf(d)) {
			return true
		}
	}
	return false
}

func hasAttr(n *html.Node, key string) bool {
	for _, a := range n.Attr {
		if a.Key == key {
			return true
		}
	}
	return false
}

// simplify makes an element plainer: an image becomes its alternative text, a link that does not lead to the web or to
// mail its own text, a table that is not one of data a row of blocks.
func simplify(n *html.Node) {
	switch n.DataAtom {
	case atom.Img:
		n.Type, n.Data, n.DataAtom, n.Attr = html.TextNode, strings.TrimSpace(attr(n, "alt")), 0, nil
	case atom.A:
		href := strings.ToLower(strings.TrimSpace(attr(n, "href")))
		if !strings.HasPrefix(href, "https://") && !strings.HasPrefix(href, "http://") && !strings.HasPrefix(href, "mailto:") {
			n.Data, n.DataAtom, n.Attr = "span", atom.Span, nil
		}
	case atom.Pre:
		if text := textOf(n); isMailText(text) {
			unpre(n, text)
		}
	case atom.Table:
		if isData(n) {
			oneLineCells(n, false)
		} else {
			dissolve(n)
		}
	}
}

// isMailText tells preformatted text that is a mail as it stood, by what a mail program writes: its signature and quotes
// are to be found as such, which in code they are not.
func isMailText(text string) bool {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if bare := strings.TrimRight(line, " \r"); bare == "--" || original.MatchString(bare) && reallyOriginal.MatchString(bare) || attributionLines(lines[i:]) > 0 {
			return true
		}
	}
	return false
}

// textOf is the text in an element.
func textOf(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		}
	}
	return b.String()
}

// unpre makes preformatted text a block of lines.
func unpre(n *html.Node, text string) {
	for n.FirstChild != nil {
		n.RemoveChild(n.FirstChild)
	}
	n.Data, n.DataAtom = "div", atom.Div
	for line := range strings.Lines(text) {
		n.AppendChild(&html.Node{Type: html.TextNode, Data: strings.TrimRight(line, "\r\n")})
		n.AppendChild(&html.Node{Type: html.ElementNode, Data: "br", DataAtom: atom.Br})
	}
}

// oneLineCells puts what stands below each other in a cell of data side by side: Markdown's cells have one line.
func oneLineCells(n *html.Node, inCell bool) {
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		oneLineCells(c, inCell || c.DataAtom == atom.Td || c.DataAtom == atom.Th)
		switch c.DataAtom {
		case atom.Br:
			if inCell {
				c.Type, c.Data, c.DataAtom = html.TextNode, " ", 0
			}
		case atom.Div, atom.P:
			if inCell {
				c.Data, c.DataAtom = "span", atom.Span
				c.AppendChild(&html.Node{Type: html.TextNode, Data: " "})
			}
		}
	}
}

// isData tells a table of data from one for layout: two rows and two columns at least, nothing but text in its cells.
func isData(t *html.Node) bool {
	rows, cells, widest, plain := 0, 0, 0, true
	var row int
	var visit func(n *html.Node)
	visit = func(n *html.Node) {
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			switch c.DataAtom {
			case atom.Table, atom.Div, atom.P, atom.Ul, atom.Ol, atom.H1, atom.H2, atom.H3, atom.Blockquote, atom.Pre:
				plain = plain && c.DataAtom != atom.Table && c.DataAtom != atom.Ul && c.DataAtom != atom.Ol &&
					c.DataAtom != atom.Blockquote && c.DataAtom != atom.Pre
			case atom.Tr:
				rows, row = rows+1, 0
			case atom.Td, atom.Th:
				cells, row = cells+1, row+1
				widest = max(widest, row)
				if len(attr(c, "colspan")) > 2 || len(attr(c, "rowspan")) > 2 {
					plain = false // the converter fills in every spanned cell
				}
			}
			visit(c)
		}
	}
	visit(t)
	return plain && rows >= 2 && widest >= 2 && widest <= 20 && cells <= maxCells && attr(t, "role") != "presentation"
}

// dissolve turns a layout table's own elements into blocks.
func dissolve(n *html.Node) {
	switch n.DataAtom {
	case atom.Table, atom.Tbody, atom.Thead, atom.Tfoot, atom.Tr, atom.Td, atom.Th, atom.Caption, atom.Colgroup, atom.Col:
		n.Data, n.DataAtom, n.Attr = "div", atom.Div, nil
	}
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		if c.DataAtom != atom.Table { // an inner table has been judged already
			dissolve(c)
		}
	}
}

func attr(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

// stripTags takes the bare text of HTML, of any size and shape, in one pass.
func stripTags(s string) string {
	var b strings.Builder
	z := html.NewTokenizer(strings.NewReader(s))
	z.SetMaxBuf(maxText)
	skip := ""
	for b.Len() < maxText {
		switch z.Next() {
		case html.ErrorToken:
			return tidy(b.String())
		case html.TextToken:
			if skip == "" {
				b.Write(bytes.ReplaceAll(z.Text(), []byte("\r"), nil))
			}
		case html.StartTagToken:
			name, _ := z.TagName()
			switch tag := string(name); tag {
			case "script", "style", "title":
				if skip == "" {
					skip = tag
				}
			case "br", "p", "div", "tr", "li", "h1", "h2", "h3", "table", "blockquote":
				b.WriteByte('\n')
			case "td", "th":
				b.WriteByte(' ')
			}
		case html.EndTagToken:
			if name, _ := z.TagName(); string(name) == skip {
				skip = ""
			}
		}
	}
	return tidy(b.String())
}

// tidy takes out the invisible fillers of newsletters, spaces at line ends and runs of blank lines.
func tidy(s string) string {
	s = strings.Map(func(r rune) rune {
		switch r {
		case '\u200B', '\u200C', '\u2060', '\u034F', '\uFEFF', '\u00AD', '\u061C', '\u180E':
			return -1
		case '\u00A0', '\u2007', '\u202F':
			return ' '
		}
		return r
	}, s)
	var b strings.Builder
	blank := 0
	for line := range strings.Lines(s) {
		line = strings.TrimRight(line, " \t\r\n")
		if line == "" {
			blank++
			continue
		}
		if b.Len() > 0 {
			b.WriteString("\n\n"[:min(blank, 1)+1])
		}
		blank = 0
		b.WriteString(line)
	}
	return b.String()
}
