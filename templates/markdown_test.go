package templates

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"quietpost/digest"
)

// looksRE takes away what dress adds, so that the tables below show what matters.
var looksRE = regexp.MustCompile(` (class|style|rel)="[^"]*"`)

func TestFullBody(t *testing.T) {
	m := newMarkdown()
	for _, c := range []struct{ name, in, html, text string }{
		{"nothing", "", "", ""},
		{"only a comment", "<!-- say what you did -->", "", ""},
		{"paragraphs", "one\ntwo\n\nthree", "<p>one\ntwo</p>\n<p>three</p>", "one two\n\nthree"},
		{"marks", "**a** *b* ~~c~~ `d` \\*e\\* &amp; &copy;", "<p><strong>a</strong> <em>b</em> <del>c</del> <code>d</code> *e* &amp; ©</p>", "a b c d *e* & ©"},
		{"heading", "# Big & *new*\ntext", "<p><strong>Big &amp; <em>new</em></strong></p>\n<p>text</p>", "Big & new\n\ntext"},
		{"link", "[the *site*](https://example.com/a?b=1&c=2)", `<p><a href="https://example.com/a?b=1&amp;c=2">the <em>site</em></a></p>`, "the site <https://example.com/a?b=1&c=2>"},
		{"bare link", "see https://example.com/x.", `<p>see <a href="https://example.com/x">https://example.com/x</a>.</p>`, "see https://example.com/x."},
		{"mail", "[write](mailto:a@example.com) or a@example.com", `<p><a href="mailto:a@example.com">write</a> or <a href="mailto:a@example.com">a@example.com</a></p>`, "write <mailto:a@example.com> or a@example.com"},
		{"script link", "[x](javascript:alert(1)) [y](vbscript:x) [z](data:text/html,x) [r](/relative)", "<p>x y z r</p>", "x y z r"},
		{"image", "a ![the plan](https://t.example.com/p.png) b ![](https://t.example.com/pixel.gif)", "<p>a the plan b </p>", "a the plan b"},
		{"raw HTML", "<div onclick=x()>kept <b>text</b></div>\n\n<script>gone()</script>\n\nin <i>line</i>", "<p>kept  text</p>\n<p>in line</p>", "kept text\n\nin line"},
		{"entities are no tags", "&lt;script&gt; &#60;b&#62;", "<p>&lt;script&gt; &lt;b&gt;</p>", "<script> <b>"},
		{"lists", "- a\n- b\n  1. c\n  2. d\n\nafter", "<ul>\n<li>a</li>\n<li>b\n<ol>\n<li>c</li>\n<li>d</li>\n</ol>\n</li>\n</ul>\n<p>after</p>", "- a\n- b\n  1. c\n  2. d\n\nafter"},
		{"list from seven", "7. a\n8. b", "<ol start=\"7\">\n<li>a</li>\n<li>b</li>\n</ol>", "7. a\n8. b"},
		{"quote", "> a\n> b\n>\n> c\n\nd", "<blockquote>\n<p>a\nb</p>\n<p>c</p>\n</blockquote>\n<p>d</p>", "> a b\n>\n> c\n\nd"},
		{"code", "```go\nif a < b {\n\tgo()\n}\n```", "<pre><code>if a &lt; b {\n\tgo()\n}\n</code></pre>", "    if a < b {\n        go()\n    }"},
		{"rule and break", "a  \nb\n\n---\n\nc", "<p>a<br/>\nb</p>\n<hr/>\n<p>c</p>", "a\nb\n\n----\n\nc"},
		{"table", "| pod | n |\n|--|--:|\n| a-b | 1 |\n| c | 22 |", "<table>\n<thead>\n<tr>\n<th>pod</th>\n<th>n</th>\n</tr>\n</thead>\n<tbody>\n<tr>\n<td>a-b</td>\n<td>1</td>\n</tr>\n<tr>\n<td>c</td>\n<td>22</td>\n</tr>\n</tbody>\n</table>",
			"pod | n\na-b | 1\nc   | 22"},
		{"checkboxes stay words", "- [x] done\n- [ ] open", "<ul>\n<li>[x] done</li>\n<li>[ ] open</li>\n</ul>", "- [x] done\n- [ ] open"},
		{"style and class", `<p style="position:fixed" class="x">a</p>`, "<p>a</p>", "a"},
		{"too tangled", strings.Repeat("*", 4001) + "a*\nb", "<p>" + strings.Repeat("*", 4001) + "a*<br/>b</p>", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := m.full(c.in, bodiesInput)
			if got := looksRE.ReplaceAllString(string(b.HTML), ""); got != c.html {
				t.Errorf("HTML\n got %q\nwant %q", got, c.html)
			}
			if c.text != "" && b.Text != c.text {
				t.Errorf("text\n got %q\nwant %q", b.Text, c.text)
			}
			checkBody(t, b)
		})
	}
}

func TestExcerpt(t *testing.T) {
	m := newMarkdown()
	for _, c := range []struct{ name, in, html, text string }{
		{"nothing", " \n", "", ""},
		{"one paragraph", "a **b** c", "a <strong>b</strong> c", "  a b c"},
		{"blocks", "one\n\ntwo.\n\nthree", "one · two. three", "  one · two. three"},
		{"heading leads", "## What\n\ntext", "<strong>What</strong>: text", "  What: text"},
		{"heading with a mark", "## Why?\n\ntext", "<strong>Why?</strong> text", "  Why? text"},
		{"points", "Do:\n- a.\n- b\n\nend", "Do: • a. • b · end", "  Do: • a. • b · end"},
		{"code", "```\nx  y\nz\n```", "<code>x y z</code>", "  x y z"},
		{"break", "a  \nb", "a b", "  a b"},
		{"link", "see [the **docs**](https://example.com/d).", `see <a href="https://example.com/d">the <strong>docs</strong></a>.`, "  see the docs <https://example.com/d>."},
		{"table", "|a|b|\n|-|-|\n|c|d|", "a · b · c · d", "  a · b · c · d"},
		{"word cut", strings.Repeat("four ", 100), strings.TrimSpace(strings.Repeat("four ", 56)) + "…", ""},
		{"no full stop before the ellipsis", strings.Repeat("a", 278) + ". more words", strings.Repeat("a", 278) + "…", ""},
		{"one endless word", strings.Repeat("x", 500), strings.Repeat("x", 280) + "…", ""},
		{"cut at the bytes read", strings.Repeat("<!-- x -->\n", 110) + "late", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := m.excerpt(c.in)
			if got := looksRE.ReplaceAllString(string(b.HTML), ""); got != c.html {
				t.Errorf("HTML\n got %q\nwant %q", got, c.html)
			}
			if c.text != "" && b.Text != c.text {
				t.Errorf("text\n got %q\nwant %q", b.Text, c.text)
			}
			checkBody(t, b)
		})
	}
}

// Links cut by the end of an excerpt still lead where they did.
func TestExcerptCutsInsideLink(t *testing.T) {
	b := newMarkdown().excerpt(strings.Repeat("a ", 130) + "[" + strings.Repeat("long words ", 10) + "](https://example.com/whole)")
	if !strings.HasSuffix(string(b.HTML), "long words long…</a>") || !strings.HasSuffix(b.Text, "<https://example.com/whole>") {
		t.Errorf("%s\n%s", b.HTML, b.Text)
	}
}

// What is remembered of a body is what is made of it anew, is of its own bytes, and does not grow.
func TestExcerptsRemembered(t *testing.T) {
	m := newMarkdown()
	link := "[a](https://example.com/"
	whole := link + strings.Repeat("b", excerptInput-len(link)-1) + ")" // just what is read
	for range 2 {
		for _, source := range []string{whole, whole + "c", "a *b*"} {
			if got, want := m.excerpt(source), newMarkdown().excerpt(source); got != want {
				t.Errorf("%+v, anew %+v", got, want)
			}
		}
	}
	for i := range maxExcerpts + 10 {
		m.excerpt(fmt.Sprint(i))
	}
	if n := len(m.excerpts); n > maxExcerpts || n == 0 {
		t.Errorf("%d are remembered", n)
	}
}

// checkBody states what holds of every body: only the policy's elements, balanced, links to where they may lead, and
// valid text.
func checkBody(t *testing.T, b body) {
	t.Helper()
	checkBalanced(t, strings.ReplaceAll(strings.ReplaceAll(string(b.HTML), "<br/>", ""), "<hr", "<br"))
	ok := map[atom.Atom]bool{atom.Strong: true, atom.Em: true, atom.Del: true, atom.Br: true, atom.A: true, atom.Thead: true, atom.Tbody: true, atom.Tr: true}
	for a := range looks {
		ok[a] = true
	}
	root := element(atom.Div)
	nodes, err := html.ParseFragment(strings.NewReader(string(b.HTML)), root)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range nodes {
		root.AppendChild(n)
	}
	for n := range root.Descendants() {
		if n.Type == html.TextNode {
			continue
		}
		if n.Type != html.ElementNode || !ok[n.DataAtom] {
			t.Errorf("node %v <%s>", n.Type, n.Data)
		}
		for _, a := range n.Attr {
			switch a.Key {
			case "style", "class": // ours: the policy lets none through
				if a.Key == "style" && a.Val != looks[n.DataAtom][1] && n.DataAtom != atom.Code {
					t.Errorf("foreign style %q", a.Val)
				}
			case "rel", "start":
			case "href":
				if !regexp.MustCompile(`^(https?|mailto):`).MatchString(a.Val) || !strings.Contains(unfilled(b.Text), unfilled(a.Val)) {
					t.Errorf("link to %q, not in the text %q", a.Val, b.Text)
				}
			default:
				t.Errorf("attribute %s=%q", a.Key, a.Val)
			}
		}
	}
	if !utf8.ValidString(b.Text) || !utf8.ValidString(string(b.HTML)) {
		t.Error("not valid UTF-8")
	}
	for line := range strings.SplitSeq(b.Text, "\n") {
		if cells(line) > columns && !isURL(line) {
			t.Errorf("%d columns: %q", cells(line), line)
		}
	}
	if (b.HTML == "") != (b.Text == "") {
		t.Errorf("only one part has something: %q, %q", b.HTML, b.Text)
	}
}

// unfilled undoes what filling a paragraph does to spaces.
func unfilled(s string) string { return strings.Join(strings.Fields(s), "") }

func FuzzMarkdown(f *testing.F) {
	for _, s := range hostile(f).Grouping.Sections[0].Lines {
		f.Add(s.Excerpt)
	}
	f.Add(firing(1).Body)
	f.Add("- - 1. > # a\n\n\t> ```\n| a | b |\n|--|\n~~**_`x`_**~~ [a]: <http://x y> [a] <http://é.example/ü?\u202e> http://a.b/c_d_e")
	f.Add(strings.Repeat("> - ", 40) + "x\n\n    code\n1986\\. a &NotEqualTilde; &#0; &#x110000;")
	f.Add("<div>\n[x](javascript&colon;alert(1)) <a href='https://example.com'>\n</div><style>x</style><textarea><plaintext>")
	m := newMarkdown()
	f.Fuzz(func(t *testing.T, s string) {
		if len(s) > 4<<10 {
			return
		}
		b := m.full(s, bodiesInput)
		checkBody(t, b)
		e := m.excerpt(s)
		checkBody(t, e)
		if n := utf8.RuneCountInString(textOfHTML([]byte(e.HTML))); n > excerptChars+1 && !strings.Contains(string(e.HTML), "<") {
			t.Errorf("an excerpt of %d characters", n)
		}
	})
}

func FuzzFill(f *testing.F) {
	f.Add("  ", "- ", "a few words, a URL https://example.com/"+strings.Repeat("x", 100)+" and 漢字"+strings.Repeat("漢", 60))
	f.Fuzz(func(t *testing.T, first, rest, text string) {
		if cells(first) > 40 || cells(rest) > 40 || strings.ContainsAny(first+rest, "\n") {
			return
		}
		got := fill(first, rest, text)
		if strings.TrimSpace(text) == "" {
			return
		}
		for line := range strings.SplitSeq(got, "\n") {
			if cells(line) > columns && !isURL(line) {
				t.Errorf("%d columns: %q", cells(line), line)
			}
		}
		if strings.Contains(first+rest, " ") || first+rest == "" {
			if first == rest && strings.TrimSpace(first) == "" && utf8.ValidString(text) && unfilled(got) != unfilled(text) {
				t.Errorf("words changed: %q of %q", got, text)
			}
		}
	})
}

func TestSafeURL(t *testing.T) {
	for in, want := range map[string]string{
		"https://example.com/a?b=c&d#e": "https://example.com/a?b=c&d#e",
		" http://example.com ":          "http://example.com",
		"https://example.com/(a)'b\"":   "https://example.com/%28a%29%27b%22",
		"https://example.com/é?ü=1":     "https://example.com/%C3%A9?%c3%bc=1",
		"https://u:p@example.com/":      "https://example.com/",
		"HTTPS://example.com/":          "https://example.com/",
		"javascript:alert(1)":           "",
		"//example.com/":                "",
		"/x":                            "",
		"https:///x":                    "",
		"ftp://example.com/":            "",
		"http://[::1":                   "",
		"https://example.com/\r\nx":     "",
		"":                              "",
		"https://example.com/" + strings.Repeat("x", digest.MaxURL): "",
	} {
		if got := safeURL(in); got != want {
			t.Errorf("safeURL(%q) = %q, want %q", in, got, want)
		}
	}
}
