package templates

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"quietpost/digest"
)

// fillAll sets everything below v to something, so that every branch of a template is taken.
func fillAll(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString("https://filled.example.com/")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(2)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fillAll(v.Index(0)) // the other one stays empty
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Field(i).CanSet() {
				fillAll(v.Field(i))
			}
		}
	}
}

// Every template is run with all fields set and with none, which checks its names and types.
func TestTemplatesFitTheirData(t *testing.T) {
	tm, err := New()
	if err != nil {
		t.Fatal(err)
	}
	var full page
	fillAll(reflect.ValueOf(&full).Elem())
	calm := full
	calm.Storm = false
	for name, p := range map[string]*page{"full": &full, "full, no storm": &calm, "zero": {}} {
		for _, mail := range []string{"digest", "alert"} {
			r, err := tm.render(mail, p)
			if err != nil {
				t.Errorf("%s of %s: %v", mail, name, err)
			}
			if strings.Contains(r.HTML+r.Text, "<no value>") {
				t.Errorf("%s of %s names a value that is not there", mail, name)
			}
		}
	}
}

func TestZeroViews(t *testing.T) {
	tm, err := New()
	if err != nil {
		t.Fatal(err)
	}
	zero := digest.View{Alerts: []digest.AlertView{{}, {Items: []digest.Item{{}}}},
		Grouping: digest.Grouping{Needs: []digest.Line{{}}, Decisions: []digest.Line{{}}, Sections: []digest.Section{{}, {Lines: []digest.Line{{}}}}, More: 3}}
	for _, v := range []*digest.View{{}, &zero, {Alerts: []digest.AlertView{{}}}} {
		for _, f := range []func(*digest.View) (digest.Rendered, error){tm.Digest, tm.Alert} {
			r, err := f(v)
			if err != nil {
				t.Fatal(err)
			}
			checkText(t, r.Text)
			for _, stray := range []string{"()", "[]", " · \n", "·  ·", ": \n", "#\n", " ,", "..", "((", "%!"} {
				if strings.Contains(r.Text, stray) {
					t.Errorf("stray %q in:\n%s", stray, r.Text)
				}
			}
		}
	}
}

func TestTextIsWellSet(t *testing.T) {
	for _, g := range goldens {
		t.Run(g.name, func(t *testing.T) { checkText(t, render(t, g).Text) })
	}
}

func checkText(t *testing.T, text string) {
	t.Helper()
	if !strings.HasSuffix(text, "\n") || strings.HasSuffix(text, "\n\n") || strings.HasPrefix(text, "\n") || strings.Contains(text, "\n\n\n") {
		t.Errorf("empty lines where none belong:\n%q", text)
	}
	for line := range strings.SplitSeq(text, "\n") {
		if n := cells(line); n > columns && !(isURL(line) && len(strings.Fields(line)) == 1) {
			t.Errorf("%d columns: %q", n, line)
		}
		if strings.TrimRight(line, " \t\r") != line {
			t.Errorf("ends in space: %q", line)
		}
		for _, r := range line {
			if unicode.IsControl(r) || r >= 0x202A && r <= 0x202E {
				t.Errorf("control character %U in %q", r, line)
			}
		}
	}
}

func parseHTML(t *testing.T, s string) *html.Node {
	t.Helper()
	n, err := html.Parse(strings.NewReader(s))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// What a mail client would run, load or follow by itself is not in a mail, whatever its texts are.
func TestHTMLIsInert(t *testing.T) {
	allowed := map[string]bool{}
	for _, tag := range strings.Fields("html head meta title style body div table tbody thead tr td th p span a h1 h2 h3 strong em del code pre ul ol li br hr blockquote") {
		allowed[tag] = true
	}
	attrs := map[string]bool{}
	for _, a := range strings.Fields("lang dir xmlns:o charset name content class style href rel role width align cellpadding cellspacing border start") {
		attrs[a] = true
	}
	for _, g := range goldens {
		t.Run(g.name, func(t *testing.T) {
			r := render(t, g)
			if n := len(r.HTML); n >= MaxHTML {
				t.Errorf("%d bytes", n)
			}
			if strings.ContainsAny(r.Subject, "\r\n") {
				t.Errorf("subject of several lines: %q", r.Subject)
			}
			levels := []int{}
			for n := range parseHTML(t, r.HTML).Descendants() {
				if n.Type != html.ElementNode {
					continue
				}
				if !allowed[n.Data] {
					t.Errorf("element <%s>", n.Data)
				}
				if len(n.Data) == 2 && n.Data[0] == 'h' && n.DataAtom != atom.Hr {
					levels = append(levels, int(n.Data[1]-'0'))
				}
				for _, a := range n.Attr {
					if !attrs[a.Key] || strings.Contains(a.Val, "url(") {
						t.Errorf("<%s %s=%q>", n.Data, a.Key, a.Val)
					}
				}
				if href := attr(n, "href"); n.DataAtom == atom.A && !regexp.MustCompile(`^(https?://|mailto:)[!-~]+$`).MatchString(href) {
					t.Errorf("link to %q", href)
				}
			}
			for i, l := range levels {
				if i == 0 && l != 1 || i > 0 && (l == 1 || l > levels[i-1]+1) {
					t.Errorf("heading levels %v skip at %d", levels, i)
				}
			}
			checkBalanced(t, r.HTML)
			for _, want := range []string{"<!doctype html>", `<html lang="en"`, `<meta name="color-scheme" content="light dark">`, "prefers-color-scheme:dark", "max-width:480px", "<!--[if mso]>"} {
				if !strings.Contains(r.HTML, want) {
					t.Errorf("no %s", want)
				}
			}
		})
	}
}

// checkBalanced counts tags as they are written: a parser would close them silently.
func checkBalanced(t *testing.T, s string) {
	t.Helper()
	var open []string
	for z := html.NewTokenizer(strings.NewReader(s)); ; {
		switch z.Next() {
		case html.ErrorToken:
			if len(open) > 0 {
				t.Errorf("left open: %v", open)
			}
			return
		case html.StartTagToken:
			name, _ := z.TagName()
			if n := string(name); n != "meta" && n != "br" && n != "hr" {
				open = append(open, n)
			}
		case html.EndTagToken:
			name, _ := z.TagName()
			if len(open) == 0 || open[len(open)-1] != string(name) {
				t.Errorf("</%s> closes %v", name, open)
				return
			}
			open = open[:len(open)-1]
		}
	}
}

// visible is what a reader sees of the HTML, and where its links lead.
func visible(t *testing.T, s string) (text string, urls map[string]bool) {
	urls = map[string]bool{}
	var b strings.Builder
	var walk func(*html.Node)
	walk = func(n *html.Node) {
		switch {
		case n.DataAtom == atom.Head || strings.Contains(attr(n, "style"), "display:none"):
			return
		case n.Type == html.TextNode:
			b.WriteString(n.Data)
			return
		case n.DataAtom == atom.A:
			urls[attr(n, "href")] = true
		}
		for c := range n.ChildNodes() {
			walk(c)
		}
		b.WriteByte(' ')
	}
	walk(parseHTML(t, s))
	return b.String(), urls
}

// letters leaves what both parts must share: letters and digits, in lower case, without what wrapping does.
func letters(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, s)
}

var urlInText = regexp.MustCompile(`(?:https?://|mailto:)[^\s<>()]+`)

func TestPartsSayTheSame(t *testing.T) {
	for _, g := range goldens {
		t.Run(g.name, func(t *testing.T) {
			r := render(t, g)
			shown, inHTML := visible(t, r.HTML)
			inText := map[string]bool{}
			for _, u := range urlInText.FindAllString(r.Text, -1) {
				inText[u] = true
			}
			if g.name == "digest-hostile" { // the text shows half a link of broken Markdown as it is
				maps.DeleteFunc(inText, func(u string, _ bool) bool { return u == "http://" })
			}
			if diff := cmp.Diff(slices.Sorted(maps.Keys(inHTML)), slices.Sorted(maps.Keys(inText))); diff != "" {
				t.Errorf("links (-HTML +text):\n%s", diff)
			}
			text, all := letters(r.Text), letters(shown)
			for u := range inHTML {
				all += letters(u)
			}
			for _, w := range strings.Fields(regexp.MustCompile(`Open on \S+`).ReplaceAllString(shown, "")) {
				if !strings.Contains(text, letters(w)) {
					t.Errorf("%q is in the HTML only", w)
				}
			}
			for _, w := range strings.Fields(r.Text) {
				if !isURL(w) && !strings.Contains(all, letters(w)) {
					t.Errorf("%q is in the text only", w)
				}
			}
		})
	}
}

// Titles stand in both parts whole.
func TestTitlesInBothParts(t *testing.T) {
	v := ordinary(t)
	r := render(t, goldens[0])
	shown, _ := visible(t, r.HTML)
	lines := append(slices.Clone(v.Grouping.Needs), v.Grouping.Decisions...)
	for _, s := range v.Grouping.Sections {
		lines = append(lines, s.Lines...)
	}
	for _, l := range lines {
		if inHTML, inText := strings.Contains(shown, l.Title), strings.Contains(r.Text, l.Title); inHTML == l.Private || inText == l.Private {
			t.Errorf("%q (private: %v): in HTML %v, in text %v", l.Title, l.Private, inHTML, inText)
		}
	}
}

func TestPrivateStaysPrivate(t *testing.T) {
	tm, err := New()
	if err != nil {
		t.Fatal(err)
	}
	it := firing(1)
	it.Private, it.Title, it.Body, it.Author, it.URL, it.Tags, it.Due = true, "SECRET t", "SECRET b", "SECRET a", "https://x.example.com/SECRET", []string{"SECRET"}, "SECRET"
	it.State, it.Level, it.Event = "SECRET", "SECRET", "SECRET"
	one := alertView(t, digest.AlertView{Project: "hr", Items: []digest.Item{it}})
	open := firing(2)
	several := alertView(t, digest.AlertView{Project: "hr", Items: []digest.Item{it, open}}, digest.AlertView{Project: "hr", Items: []digest.Item{open, it}})
	for _, f := range []func() (digest.Rendered, error){
		func() (digest.Rendered, error) { return tm.Digest(privateView(t)) },
		func() (digest.Rendered, error) { return tm.Alert(one) },
		func() (digest.Rendered, error) { return tm.Alert(several) },
	} {
		r, err := f()
		if err != nil {
			t.Fatal(err)
		}
		if s := r.HTML + r.Text; strings.Contains(strings.ToUpper(s), "SECRET") || !strings.Contains(s, private) {
			t.Errorf("a private line tells too much, or nothing:\n%s", r.Text)
		}
	}
}

func TestTooLarge(t *testing.T) {
	tm, err := New()
	if err != nil {
		t.Fatal(err)
	}
	if r, err := tm.Digest(big(t, 40)); !errors.Is(err, digest.ErrTooLarge) || r != (digest.Rendered{}) {
		t.Errorf("got %v, want ErrTooLarge and no mail", err)
	}
	if _, err := tm.Digest(big(t, 7)); err != nil {
		t.Errorf("fewer lines: %v", err)
	}
}

// What the builder turns to when lines of fewer and fewer projects are too many still must fit.
func TestManyProjectsWithNumbersOnlyFit(t *testing.T) {
	tm, err := New()
	if err != nil {
		t.Fatal(err)
	}
	v := baseView(t)
	for p := range 20_000 {
		v.Grouping.Sections = append(v.Grouping.Sections, digest.Section{Project: fmt.Sprintf("p%d", p), Title: strings.Repeat("W", 90), Items: 2, More: 2})
	}
	v.Grouping.Items, v.Grouping.More = 40_000, 40_000
	r, err := tm.Digest(v)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{r.Text, r.HTML} {
		if !strings.Contains(strings.Join(strings.Fields(s), " "), "(2 updates), 19900 more projects") {
			t.Errorf("%d bytes: %s", len(s), s[:min(len(s), 2000)])
		}
	}
}

// An alert must go, however much there is to tell.
func TestAlertsAlwaysFit(t *testing.T) {
	tm, err := New()
	if err != nil {
		t.Fatal(err)
	}
	many := func(incidents, items int, body string) *digest.View {
		var alerts []digest.AlertView
		for i := range incidents {
			a := digest.AlertView{Project: fmt.Sprintf("p%d", i%9), OpenedAt: at(24, 1, 0)}
			for j := range items {
				it := firing(int64(i*items + j))
				it.Body, it.Title = body, strings.Repeat("漢", digest.MaxTitle)
				it.URL = "https://x.example.com/" + fmt.Sprint(i, "/", j) + strings.Repeat("u", 1900)
				if j > 0 {
					it.Kind = digest.KindComment
				}
				a.Items = append(a.Items, it)
			}
			alerts = append(alerts, a)
		}
		return alertView(t, alerts...)
	}
	cells := "|a" + strings.Repeat("|", 200) + "\n|-" + strings.Repeat("|-", 199) + "|\n" + strings.Repeat("|&\n", 9000)
	for name, v := range map[string]*digest.View{
		"storm": many(3000, 1, "short"), "long talk": many(1, 900, "short"), "table": many(1, 1, cells), "three bodies": many(3, 2, cells),
		"emphasis": many(1, 1, strings.Repeat("*a_ ", 8192)), "brackets": many(1, 1, strings.Repeat("[", 32768)), "quotes": many(1, 1, strings.Repeat(">", 32768)),
		"lists": many(1, 1, strings.Repeat("- ", 16384)), "ampersands": many(1, 1, strings.Repeat("&", 32768)),
	} {
		r, err := tm.Alert(v)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if len(r.HTML) >= MaxHTML {
			t.Errorf("%s: %d bytes", name, len(r.HTML))
		}
		checkText(t, r.Text)
		_, urls := visible(t, r.HTML)
		for u := range urls {
			if !strings.Contains(r.Text, u) {
				t.Errorf("%s: %s is in the HTML only", name, u)
			}
		}
	}
	r, err := tm.Alert(many(3000, 1, "short"))
	if err != nil || !strings.Contains(r.Text, "3000 incidents in 9 projects") || !regexp.MustCompile(`and \d+ more incidents in 9 projects`).MatchString(r.Text) {
		t.Errorf("a storm does not say how much is left out: %v\n%.300s", err, r.Text)
	}
	if r, err = tm.Alert(many(1, 900, "short")); err != nil || !regexp.MustCompile(`\d+ more updates do\s+not fit this mail`).MatchString(r.Text) {
		t.Errorf("a long talk does not say how much is left out: %v\n%.300s", err, r.Text)
	}
}

// A body that fits stands in an alert whole; several share the room, and one that is cut says so.
func TestAlertBodies(t *testing.T) {
	tm, err := New()
	if err != nil {
		t.Fatal(err)
	}
	for n, cut := range map[int]bool{9000: false, 30000: true} {
		one, two := alertSingle(t).Alerts[0], alertSingle(t).Alerts[0]
		one.Items[0].Body = strings.Repeat("word ", n/5) + "ENDONE"
		two.Items[0].Body = strings.Repeat("word ", n/5) + "ENDTWO"
		r, err := tm.Alert(alertView(t, one, two))
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range []string{r.Text, r.HTML} {
			for _, end := range []string{"ENDONE", "ENDTWO"} {
				if whole := strings.Contains(part, end); whole == cut {
					t.Errorf("%d bytes: %s shown: %v", n, end, whole)
				}
			}
			if said := strings.Count(part, "too long for a mail"); cut && said != 2 || !cut && said != 0 {
				t.Errorf("%d bytes: said %d times to be cut", n, said)
			}
		}
	}
}

// Rendering is pure: it changes nothing of the view, and many at once give the same bytes.
func TestPureAndConcurrent(t *testing.T) {
	tm, err := New()
	if err != nil {
		t.Fatal(err)
	}
	v, w := ordinary(t), storm(t)
	d0, err1 := tm.Digest(v)
	a0, err2 := tm.Alert(w)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			d, _ := tm.Digest(v)
			a, _ := tm.Alert(w)
			if d != d0 || a != a0 {
				t.Error("the same view gave another mail")
			}
		})
	}
	wg.Wait()
	loc := cmp.Comparer(func(a, b *time.Location) bool { return a.String() == b.String() })
	if diff := cmp.Diff(ordinary(t), v, loc); diff != "" {
		t.Errorf("the view was changed:\n%s", diff)
	}
	if diff := cmp.Diff(storm(t), w, loc); diff != "" {
		t.Errorf("the view was changed:\n%s", diff)
	}
}

// Every word is legible in both modes: WCAG 2.2, 1.4.3 asks for 4.5 to 1.
func TestContrast(t *testing.T) {
	for _, g := range goldens {
		t.Run(g.name, func(t *testing.T) {
			doc := parseHTML(t, render(t, g).HTML)
			var css string
			for n := range doc.Descendants() {
				if n.DataAtom == atom.Style {
					css = textOf(n)
				}
			}
			_, dark, _ := strings.Cut(css, "prefers-color-scheme:dark){")
			fg, bg := darkRules(dark)
			if len(fg) < 8 || len(bg) < 5 {
				t.Fatalf("dark rules not understood: %v %v", fg, bg)
			}
			checkContrast(t, doc, "light", "", "#ffffff", nil, nil)
			checkContrast(t, doc, "dark", "", "#ffffff", fg, bg)
		})
	}
}

var ruleRE = regexp.MustCompile(`(?m)^([^{}]+)\{([^}]*)\}`)

func darkRules(css string) (fg, bg map[string]string) {
	fg, bg = map[string]string{}, map[string]string{}
	for _, m := range ruleRE.FindAllStringSubmatch(css, -1) {
		for class := range strings.SplitSeq(m[1], ",") {
			class = strings.TrimPrefix(strings.TrimSpace(class), ".")
			if c := styled(m[2], "color"); c != "" {
				fg[class] = c
			}
			if c := styled(m[2], "background"); c != "" {
				bg[class] = c
			}
		}
	}
	return fg, bg
}

func styled(style, property string) string {
	for d := range strings.SplitSeq(style, ";") {
		k, v, _ := strings.Cut(d, ":")
		if strings.TrimSpace(k) == property {
			return strings.TrimSuffix(strings.TrimSpace(v), "!important")
		}
	}
	return ""
}

func checkContrast(t *testing.T, n *html.Node, mode, fg, bg string, darkFG, darkBG map[string]string) {
	t.Helper()
	style := attr(n, "style")
	if n.DataAtom == atom.Head || strings.Contains(style, "display:none") {
		return
	}
	if c := styled(style, "color"); c != "" {
		fg = c
	}
	if c := styled(style, "background"); c != "" {
		bg = c
	}
	// The order of the style sheet decides between two classes of one element; m comes behind t and a.
	for class := range strings.FieldsSeq(attr(n, "class")) {
		if c := darkFG[class]; c != "" && !(class == "t" && strings.Contains(attr(n, "class"), "m")) {
			fg = c
		}
		if c := darkBG[class]; c != "" {
			bg = c
		}
	}
	if n.Type == html.TextNode && strings.TrimSpace(n.Data) != "" {
		if r := contrast(fg, bg); r < 4.5 {
			t.Errorf("%s: %.1f to 1 (%s on %s): %.40q", mode, r, fg, bg, n.Data)
		}
	}
	for c := range n.ChildNodes() {
		checkContrast(t, c, mode, fg, bg, darkFG, darkBG)
	}
}

// contrast is WCAG's ratio of relative luminances of two #rrggbb.
func contrast(a, b string) float64 {
	lum := func(s string) float64 {
		n, err := strconv.ParseUint(strings.TrimPrefix(s, "#"), 16, 32)
		if err != nil {
			return math.NaN()
		}
		l := 0.0
		for i, w := range []float64{0.0722, 0.7152, 0.2126} {
			c := float64(n>>(8*i)&255) / 255
			if c <= 0.04045 {
				c /= 12.92
			} else {
				c = math.Pow((c+0.055)/1.055, 2.4)
			}
			l += w * c
		}
		return l
	}
	x, y := lum(a), lum(b)
	if math.IsNaN(x) || math.IsNaN(y) {
		return 0
	}
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}
