package templates

import (
	"bytes"
	"fmt"
	"html/template"
	"net/url"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/microcosm-cc/bluemonday"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/renderer"
	"github.com/yuin/goldmark/util"
	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"quietpost/digest"
)

// How much Markdown is read. goldmark is quadratic on some inputs, so that its input must be bounded; see also tangled.
const (
	excerptInput = 1 << 10  // bytes of a body that an excerpt is made of
	excerptChars = 280      // characters an excerpt shows at most, the ellipsis not counted
	bodiesInput  = 32 << 10 // bytes of all bodies of one alert
)

// A body is a piece of untrusted Markdown, ready for both parts of a mail. Both are made from one tree, so that they
// say the same.
type body struct {
	HTML template.HTML
	Text string // wrapped at columns, less an indent; without a newline at the end
	Cut  bool   // something was left out
}

// markdown reads untrusted Markdown: goldmark with raw HTML off makes HTML of it, bluemonday lets through what the
// policy names, and only then do our own styles come in. It is safe for many goroutines.
type markdown struct {
	parser goldmark.Markdown
	policy *bluemonday.Policy

	mu       sync.Mutex
	excerpts map[beginning]body // all who share a slot are shown the same
}

// A beginning is what is read of a body; cut if there is more of it.
type beginning struct {
	text string
	cut  bool
}

// maxExcerpts is how many are remembered, of some 3 KB: more than a day brings to a team.
const maxExcerpts = 4096

func newMarkdown() *markdown {
	return &markdown{
		parser: goldmark.New(
			goldmark.WithExtensions(extension.Table, extension.Strikethrough, extension.Linkify),
			goldmark.WithRendererOptions(renderer.WithNodeRenderers(util.Prioritized(bare{}, 1)))),
		policy:   policy(),
		excerpts: map[beginning]body{},
	}
}

// policy is what of a body comes into a mail: words and their order. No image (each is a tracker at worst and a hole
// at best), no style, class or id, and links only to where a reader can judge them.
func policy() *bluemonday.Policy {
	p := bluemonday.NewPolicy()
	p.AllowElements("p", "br", "strong", "em", "del", "code", "pre", "blockquote", "ul", "ol", "li", "hr",
		"h1", "h2", "h3", "h4", "h5", "h6", "table", "thead", "tbody", "tr", "th", "td")
	p.AllowAttrs("href").OnElements("a")
	p.AllowAttrs("start").Matching(bluemonday.Integer).OnElements("ol")
	p.AllowURLSchemes("http", "https", "mailto")
	p.RequireParseableURLs(true)
	p.AllowRelativeURLs(false)
	p.RequireNoFollowOnLinks(true)
	return p
}

// bare renders what goldmark's own renderer would load or drop: an image as its description, which stands where the
// image would, and a block of raw HTML as its text, because it may hold the news.
type bare struct{}

func (bare) RegisterFuncs(r renderer.NodeRendererFuncRegisterer) {
	r.Register(ast.KindImage, func(util.BufWriter, []byte, ast.Node, bool) (ast.WalkStatus, error) {
		return ast.WalkContinue, nil // only its children, which are the description
	})
	r.Register(ast.KindHTMLBlock, func(w util.BufWriter, src []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
		if entering {
			raw := n.Lines().Value(src)
			if b := n.(*ast.HTMLBlock); b.HasClosure() {
				raw = append(raw, b.ClosureLine.Value(src)...)
			}
			if text := strings.TrimSpace(textOfHTML(raw)); text != "" {
				fmt.Fprintf(w, "<p>%s</p>\n", html.EscapeString(text))
			}
		}
		return ast.WalkSkipChildren, nil
	})
}

// textOfHTML is what a browser would show of raw HTML, as plain text.
func textOfHTML(raw []byte) string {
	var b strings.Builder
	hidden := false
	for z := html.NewTokenizer(bytes.NewReader(raw)); ; {
		switch token := z.Next(); token {
		case html.ErrorToken:
			return b.String()
		case html.TextToken:
			if !hidden {
				b.Write(z.Text())
			}
		case html.StartTagToken, html.EndTagToken:
			name, _ := z.TagName()
			a := atom.Lookup(name)
			hidden = token == html.StartTagToken && (a == atom.Script || a == atom.Style || a == atom.Title)
			b.WriteByte(' ')
		}
	}
}

// tree is the safe tree of a source. What is no honest Markdown, or nested beyond x/net/html's 512 levels, is taken as it
// stands: nothing of it is lost but its looks.
func (m *markdown) tree(source string) *html.Node {
	root := element(atom.Div)
	if tangled(source) {
		return asIs(root, source)
	}
	var out bytes.Buffer
	if err := m.parser.Convert([]byte(source), &out); err != nil {
		return asIs(root, source)
	}
	nodes, err := html.ParseFragment(m.policy.SanitizeReader(&out), element(atom.Div))
	if err != nil {
		return asIs(root, source)
	}
	for _, n := range nodes {
		root.AppendChild(n)
	}
	return root
}

// Far more than an honest body of 32 KiB has, and little enough to be parsed in some hundredths of a second.
const (
	maxMarks = 4000
	maxCells = 20000
)

// tangled tells a source made to keep goldmark busy: quadratic in its marks, and filling a table's short rows with as
// many cells as the longest has (3 bytes a row, hundreds of cells).
func tangled(source string) bool {
	marks, rows, widest := 0, 0, 0
	for line := range strings.SplitSeq(source, "\n") {
		for _, mark := range []string{"*", "_", "[", ">", "~"} {
			marks += strings.Count(line, mark)
		}
		rows++
		widest = max(widest, strings.Count(line, "|"))
	}
	return marks > maxMarks || rows*widest > maxCells
}

// asIs puts a source's paragraphs and lines into root as they are.
func asIs(root *html.Node, source string) *html.Node {
	for para := range strings.SplitSeq(source, "\n\n") {
		p := element(atom.P)
		for line := range strings.SplitSeq(para, "\n") {
			if p.FirstChild != nil {
				p.AppendChild(element(atom.Br))
			}
			p.AppendChild(&html.Node{Type: html.TextNode, Data: line})
		}
		root.AppendChild(p)
	}
	return root
}

// full is a whole body, of which at most limit bytes are read.
func (m *markdown) full(source string, limit int) body {
	source, cut := shorten(digest.CleanBody(source), limit)
	root := m.tree(source)
	b := body{Text: plainText(root), Cut: cut}
	if b.Text == "" {
		return body{Cut: cut}
	}
	dress(root)
	b.HTML = inner(root)
	return b
}

// excerpt is a body's beginning as one short paragraph, set for an indent of two columns.
func (m *markdown) excerpt(source string) body {
	source, cut := shorten(digest.CleanBody(source), excerptInput)
	if source == "" {
		return body{Cut: cut}
	}
	key := beginning{source, cut}
	m.mu.Lock()
	b, ok := m.excerpts[key]
	m.mu.Unlock()
	if ok {
		return b
	}
	b = m.newExcerpt(source, cut)
	key.text = strings.Clone(key.text) // or the whole body would be kept with it
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.excerpts) >= maxExcerpts {
		clear(m.excerpts)
	}
	m.excerpts[key] = b
	return b
}

func (m *markdown) newExcerpt(source string, cut bool) body {
	runs, short := cutRuns(flatten(m.tree(source)), excerptChars)
	if len(runs) == 0 {
		return body{Cut: cut}
	}
	if cut || short {
		last := &runs[len(runs)-1]
		last.text = strings.TrimRight(last.text, " .,;:·–-…") + "…"
	}
	return body{HTML: runsHTML(runs), Text: fill("  ", "  ", runsText(runs)), Cut: cut || short}
}

// shorten cuts s to at most max bytes, at a line or a word if one is near.
func shorten(s string, max int) (string, bool) {
	if len(s) <= max {
		return s, false
	}
	for max > 0 && !utf8.RuneStart(s[max]) {
		max--
	}
	s = s[:max]
	if i := strings.LastIndexByte(s, '\n'); i > max-max/8 {
		return s[:i], true
	}
	if i := strings.LastIndexByte(s, ' '); i > max-max/8 {
		return s[:i], true
	}
	return s, true
}

// safeURL gives an absolute http(s) address in the form in which it stands in both parts, or "" for anything else.
// A user name or password in it is left out.
func safeURL(s string) string {
	u, err := url.Parse(strings.TrimSpace(s))
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || len(s) > digest.MaxURL {
		return ""
	}
	u.User = nil
	return quoted(u.String())
}

// quoted writes as %XX what ends a link in some readers, and what html/template would write so in one part only.
func quoted(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || strings.IndexByte("\"'()<>\\^`{|}", c) >= 0 {
			fmt.Fprintf(&b, "%%%02x", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

func element(a atom.Atom) *html.Node {
	return &html.Node{Type: html.ElementNode, Data: a.String(), DataAtom: a}
}

// inner is the HTML of a node's children.
func inner(n *html.Node) template.HTML {
	var b strings.Builder
	for c := range n.ChildNodes() {
		if err := html.Render(&b, c); err != nil {
			return "" // only a raw-text element with a stray end tag can be the cause; the policy lets none through
		}
	}
	return template.HTML(strings.TrimSpace(b.String()))
}

// How a body's elements look; the classes are for dark mode. Outlook knows no padding on most of them and is content.
const (
	fontText = "Georgia,'Times New Roman',serif"
	fontSans = "'Segoe UI',-apple-system,Roboto,Helvetica,Arial,sans-serif"
	fontMono = "Consolas,Menlo,'Courier New',monospace"
)

var looks = map[atom.Atom][2]string{
	atom.A:          {"l", "color:#1c4f7c"},
	atom.P:          {"", "margin:0 0 12px"},
	atom.Ul:         {"", "margin:0 0 12px;padding:0 0 0 24px"},
	atom.Ol:         {"", "margin:0 0 12px;padding:0 0 0 28px"},
	atom.Li:         {"", "margin:0 0 4px"},
	atom.Blockquote: {"q", "margin:0 0 12px;padding:0 0 0 14px;border-left:3px solid #d8d2c4;color:#57534a"},
	atom.Pre: {"c", "margin:0 0 12px;padding:10px 12px;background:#efebe1;font:13px/20px " + fontMono +
		";white-space:pre-wrap;overflow-wrap:anywhere"},
	atom.Code:  {"c", "background:#efebe1;font-family:" + fontMono + ";font-size:.88em"},
	atom.Hr:    {"r", "margin:16px 0;border:0;border-top:1px solid #d8d2c4"},
	atom.Table: {"", "margin:0 0 12px;border-collapse:collapse;font-size:14px;line-height:20px"},
	atom.Th:    {"r", "padding:4px 10px 4px 0;border-bottom:2px solid #d8d2c4;text-align:left;vertical-align:top"},
	atom.Td:    {"r", "padding:4px 10px 4px 0;border-bottom:1px solid #d8d2c4;text-align:left;vertical-align:top"},
}

// dress gives the elements of a safe tree our styles, and makes headings bold paragraphs: a mail's headings are ours.
func dress(n *html.Node) {
	for c := range n.ChildNodes() {
		if c.Type != html.ElementNode {
			continue
		}
		if isHeading(c) {
			strong := element(atom.Strong)
			for c.FirstChild != nil {
				k := c.FirstChild
				c.RemoveChild(k)
				strong.AppendChild(k)
			}
			c.Data, c.DataAtom = "p", atom.P
			c.AppendChild(strong)
		}
		look := looks[c.DataAtom]
		if c.DataAtom == atom.Code && n.DataAtom == atom.Pre {
			look = [2]string{"", "font-family:" + fontMono}
		}
		if look[0] != "" {
			c.Attr = append(c.Attr, html.Attribute{Key: "class", Val: look[0]})
		}
		if look[1] != "" {
			c.Attr = append(c.Attr, html.Attribute{Key: "style", Val: look[1]})
		}
		dress(c)
	}
}

func isHeading(n *html.Node) bool {
	switch n.DataAtom {
	case atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6:
		return true
	}
	return false
}

func attr(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}
