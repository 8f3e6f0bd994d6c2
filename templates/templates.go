// Package templates makes the texts of mails: it implements digest.Renderer with html/template and text/template.
//
// The way of one mail: digestpage.go or alertpage.go chooses the words (a page), markdown.go and runs.go make safe HTML
// and plain text of untrusted bodies, words.go knows times and plurals, plain.go wraps, and the templates in mail/ set
// it all. Both parts of a mail are set from the same page, so that they say the same. All of it is pure.
package templates

import (
	"embed"
	"fmt"
	htmltemplate "html/template"
	"strings"
	texttemplate "text/template"

	"quietpost/digest"
)

// MaxHTML is the size in bytes at which a mail's HTML is too large: Gmail cuts at 102 KB.
const MaxHTML = 100 * 1000

//go:embed mail/*.tmpl
var files embed.FS

// Templates implements digest.Renderer. It is safe for many goroutines.
type Templates struct {
	html *htmltemplate.Template
	text *texttemplate.Template
	md   *markdown
}

var _ digest.Renderer = (*Templates)(nil)

// New parses the embedded templates. An error is a fault of the build.
func New() (*Templates, error) {
	h, err := htmltemplate.New("mail").Funcs(htmltemplate.FuncMap{"mso": mso}).ParseFS(files, "mail/*.html.tmpl")
	if err != nil {
		return nil, fmt.Errorf("templates: %w", err)
	}
	t, err := texttemplate.New("mail").Funcs(texttemplate.FuncMap{
		"fill": fill, "underline": underline, "upper": strings.ToUpper, "isolated": isolated, "meta": meta,
	}).ParseFS(files, "mail/*.text.tmpl")
	if err != nil {
		return nil, fmt.Errorf("templates: %w", err)
	}
	return &Templates{html: h, text: t, md: newMarkdown()}, nil
}

// Digest sets a digest or a catch-up. It returns digest.ErrTooLarge if the HTML would be MaxHTML or more; the caller
// shows fewer lines.
func (t *Templates) Digest(v *digest.View) (digest.Rendered, error) {
	return t.render("digest", t.digestPage(v))
}

// Alert sets an alert of one incident or of several. What would be too large for a mail is shortened and counted, so
// that an alert can always go.
func (t *Templates) Alert(v *digest.View) (r digest.Rendered, err error) {
	for _, f := range fits {
		if r, err = t.render("alert", t.alertPage(v, f)); err == nil {
			return r, nil
		}
	}
	return r, err
}

func (t *Templates) render(name string, p *page) (digest.Rendered, error) {
	var h bounded
	var x strings.Builder
	if err := t.html.ExecuteTemplate(&h, name+".html.tmpl", p); err != nil {
		return digest.Rendered{}, fmt.Errorf("templates: %w", err)
	}
	if err := t.text.ExecuteTemplate(&x, name+".text.tmpl", p); err != nil {
		return digest.Rendered{}, fmt.Errorf("templates: %w", err)
	}
	return digest.Rendered{Subject: p.Subject, Text: tidy(x.String()), HTML: h.String()}, nil
}

// bounded takes less than MaxHTML bytes: of a mail that is too large, the rest need not be set.
type bounded struct{ strings.Builder }

func (b *bounded) Write(p []byte) (int, error) {
	if b.Len()+len(p) >= MaxHTML {
		return 0, fmt.Errorf("%w: %d bytes of HTML or more", digest.ErrTooLarge, b.Len()+len(p))
	}
	return b.Builder.Write(p)
}

// WriteString hides the Builder's own, which knows no bound.
func (b *bounded) WriteString(s string) (int, error) { return b.Write([]byte(s)) }

// mso are the comments only Outlook reads, which html/template would drop: it knows no max-width, so it is given a
// table of that width, and the pixels it needs on screens of high density.
func mso(part string) htmltemplate.HTML {
	switch part {
	case "head":
		return "<!--[if mso]><noscript><xml><o:OfficeDocumentSettings><o:PixelsPerInch>96</o:PixelsPerInch>" +
			"</o:OfficeDocumentSettings></xml></noscript><![endif]-->"
	case "open":
		return `<!--[if mso]><table role="presentation" width="600" align="center" cellpadding="0" cellspacing="0" border="0">` +
			`<tr><td><![endif]-->`
	case "close":
		return "<!--[if mso]></td></tr></table><![endif]-->"
	}
	return ""
}

// meta is the line under a title as plain text: "[merged] opened → 12 comments → merged · Ana · 15:04".
func meta(badges []badge, facts facts) string {
	var b strings.Builder
	for _, x := range badges {
		b.WriteString("[" + x.Word + "] ")
	}
	for i, f := range facts {
		if i > 0 {
			b.WriteString(f.Sep)
		}
		b.WriteString(isolated(f.Text))
	}
	return strings.TrimSpace(b.String())
}
