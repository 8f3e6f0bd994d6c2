package tools

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"

	"quietpost/digest"
	"quietpost/digest/rules"
)

// Generic reads what any sender posts: JSON of any shape, a form, XML or plain text. The fields of the native form
// (project, title, body, url, kind, author, thread, urgent, tags, due, occurred_at, key) are taken where they are; what
// is missing is looked for under the names that tools use.
func Generic(h http.Header, body []byte) (Reading, error) {
	t := trimmed(body)
	if len(t) == 0 {
		return Reading{Ignored: "the body is empty"}, nil
	}
	n, err := genericNode(h, t)
	if err != nil {
		return Reading{}, err
	}
	if s := n.scalar(); s != "" {
		return Reading{Items: []digest.Item{plainText(s)}, Hint: true}, nil
	}
	if list, ok := n.v.([]any); ok {
		return genericList(h, list), nil
	}
	if len(n.object()) == 1 && n.has("events") && len(n.list("events")) == 0 && n.str("events") == "" { // Asana's, every eight hours
		return Reading{Ignored: "a heartbeat: it brings no events"}, nil
	}
	r := Reading{Key: deliveryID(h)}
	if n.str("title") != "" && n.str("project") != "" && n.str("key") != "" { // elsewhere key may name anything
		r.Key = n.str("key")
	}
	it, sure := genericItem(h, n)
	r.Items, r.Hint = []digest.Item{it}, !sure
	return r, nil
}

// deliveryID is the id that tools without an adapter of their own give a delivery. Only headers that are known to be the
// same for a retry and another one for other news are taken.
func deliveryID(h http.Header) string {
	for _, name := range []string{"X-Forgejo-Delivery", "X-Gitea-Delivery", "X-Gogs-Delivery", "X-GitHub-Delivery", "X-Request-UUID",
		"Linear-Delivery", "Svix-Id"} {
		if v := strings.TrimSpace(h.Get(name)); v != "" {
			return v
		}
	}
	return ""
}

// genericNode finds the form of a body by looking at it, since many senders name another one than they send.
func genericNode(h http.Header, t []byte) (node, error) {
	if startsJSON(t) {
		return parse(t)
	}
	if p := formPayload(h, t); startsJSON(p) {
		return parse(p)
	}
	if v := formFields(h, t); len(v) > 0 && !onlyText(v, t) {
		n := formNode(v)
		if d := n.at("data"); d.object() != nil && len(v) == 1 {
			return d, nil
		}
		return n, nil
	}
	if t[0] == '"' {
		if n, err := parse(t); err == nil {
			return n, nil
		}
	}
	if t[0] == '<' {
		if n, err := parseXML(t); err == nil {
			return n, nil
		}
	}
	text, ok := plain(t)
	if !ok {
		return node{}, fmt.Errorf("%w: neither text nor JSON nor a form", ErrUnreadable)
	}
	return node{text}, nil
}

// onlyText is for curl -d 'some text': one "field" without a value is no form.
func onlyText(v map[string][]string, t []byte) bool {
	return !bytes.ContainsRune(t, '=') || len(v) == 1 && bytes.ContainsAny(bytes.SplitN(t, []byte("="), 2)[0], " \n")
}

// plain is a body that is text: UTF-8, or else Windows-1252, which holds Latin-1. ok is false for what has too many
// control characters for text.
func plain(body []byte) (text string, ok bool) {
	text = string(trimmed(body))
	if !utf8.ValidString(text) {
		text, _ = charmap.Windows1252.NewDecoder().String(text) // it has a character for every byte
	}
	odd := 0
	for _, r := range text {
		if r == 0 {
			return "", false
		}
		if unicode.IsControl(r) && r != '\n' && r != '\r' && r != '\t' && r != 0x1b || r == utf8.RuneError {
			odd++
		}
	}
	return text, odd*20 <= len(text)
}

func plainText(s string) digest.Item {
	head := firstLine(strings.ToValidUTF8(s, "\uFFFD"))
	it := digest.Item{Title: title(strings.TrimLeft(head, "# ")), Kind: digest.KindStatus}
	for _, line := range []string{wordLine(s), head, "A text without words"} { // the first line may be mere signs
		it.Title = orElse(it.Title, title(line))
	}
	if rest := strings.TrimSpace(strings.TrimSpace(s)[len(firstLine(s)):]); rest != "" || it.Title != head {
		it.Body = excerpt(s)
	}
	return it
}

// genericList makes an item of each element; the last says how many more there were.
func genericList(h http.Header, list []any) Reading {
	r := Reading{Hint: true}
	if len(list) == 0 {
		r.Ignored = "the list is empty"
		return r
	}
	for i, v := range list {
		n := node{v}
		if i == MaxItems-1 && len(list) > MaxItems {
			it := r.Items[0]
			r.Items = append(r.Items, digest.Item{Project: it.Project, Kind: digest.KindStatus,
				Title: fmt.Sprintf("… and %d more in the same delivery", len(list)-i)})
			break
		}
		if n.object() != nil {
			it, sure := genericItem(h, n)
			r.Items = append(r.Items, it)
			r.Hint = r.Hint && !sure
		} else {
			s := n.scalar()
			if s == "" {
				s = "An empty entry"
			}
			r.Items = append(r.Items, plainText(s))
		}
	}
	return r
}

// genericItem reads one object. sure tells that the project is the sender's own word for it.
func genericItem(h http.Header, n node) (it digest.Item, sure bool) {
	s := searchIn(n)
	it = digest.Item{
		Kind: digest.KindKey(n.str("kind")), URL: s.link(urlNames), Author: s.name(authorNames, personNames),
		Thread: s.text(threadNames, 200), Event: s.event(h), State: s.word(stateNames), Level: s.word(levelNames),
		Urgent: affirmed(n.str("urgent")), Tags: genericTags(n), OccurredAt: s.when(timeNames),
	}
	if p := n.str("project"); p != "" {
		it.Project, sure = p, true
	} else {
		it.Project = s.name(projectNames, projectParts)
	}
	if t := n.str("due"); t != "" && !readTime(t).IsZero() {
		it.Due = readTime(t).Format("2006-01-02")
	}
	if t := n.when("occurred_at"); !t.IsZero() {
		it.OccurredAt = t
	}
	if p := strings.ToLower(n.str("priority")); p == "low" || p == "high" {
		it.Priority = p
	}
	text, native := s.text(titleNames, 4000), n.str("title") != ""
	it.Title = genericTitle(text, native, &it)
	if it.Title == "" {
		it.Title = untitled(s, &it)
	}
	if it.Body = n.str("body"); it.Body == "" {
		it.Body = s.body(text, it.Title)
	}
	if it.Body == "" && !native {
		it.Body = facts(n, &it)
	}
	if it.Kind == "" {
		it.Kind = digest.KindStatus
	}
	return it, sure
}

// guessed is the item of a delivery that its tool's adapter does not know: as the generic reader sees it, under the
// tool's own words for what happened.
func guessed(h http.Header, n node, event ...string) digest.Item {
	it, _ := genericItem(h, n)
	if e := strings.Trim(strings.Join(event, "."), "."); e != "" {
		it.Event = e
	}
	return it
}

func affirmed(s string) bool {
	switch strings.ToLower(s) {
	case "true", "1", "yes", "on":
		return true
	}
	return false
}

// genericTags takes a list of words, or one word with commas.
func genericTags(n node) []string {
	var names []string
	for _, t := range n.list("tags") {
		names = append(names, t.str("", "name"))
	}
	if len(names) == 0 {
		names = strings.Split(n.str("tags"), ",")
	}
	return lowerTags(names)
}

// genericTitle makes a line that stands alone. A sender's own title is left as it is; a text that was found gets what
// happened before it, unless it says so itself.
func genericTitle(text string, native bool, it *digest.Item) string {
	head := firstLine(rules.Plain(text))
	if native && head != "" {
		return title(head)
	}
	what := words(it.Event)
	if what == "" || plainEvents[strings.ToLower(what)] {
		what = words(it.State)
	}
	low := strings.ToLower(head)
	for _, w := range strings.Fields(strings.ToLower(what)) {
		if strings.Contains(low, w) {
			what = ""
			break
		}
	}
	switch {
	case head == "" && it.Author != "" && what != "":
		return title(what + " by " + it.Author)
	case head == "" && what != "" && it.Project != "":
		return title(it.Project, what)
	case head == "":
		return title(what)
	}
	return title(what, head)
}

// untitled makes a line for what names neither title nor event: its first few fields, else whose it is.
func untitled(s *search, it *digest.Item) string {
	var parts []string
	for _, p := range s.places {
		v := p.scalar()
		if v == "" || v == "false" || v == it.Event || p.aside || len(v) > 60 || isID(v) || webAddress(v) != "" || !readTime(v).IsZero() {
			continue
		}
		if parts = append(parts, strings.ToLower(words(p.name))+" "+v); len(parts) == 3 {
			break
		}
	}
	what := "Update"
	if it.Event != "" {
		what = words(it.Event)
	}
	switch {
	case len(parts) > 0:
		return title(what, strings.Join(parts, ", "))
	case it.Author != "":
		return title(what + " by " + it.Author)
	case it.Project != "":
		return title(what + " of " + it.Project)
	}
	return "An update that does not say what happened"
}

// plainEvents are event names that say nothing.
var plainEvents = map[string]bool{"event": true, "alert": true, "notification": true, "webhook": true, "message": true,
	"update": true, "insert": true, "delete": true, "object": true, "default": true, "error": true, "event callback": true}

// facts are the plain fields of an object's top level, for a reader who gets nothing better.
func facts(n node, it *digest.Item) string {
	var lines []string
	for _, k := range n.keys() {
		v := digest.OneLine(rules.Plain(n.str(k)), 120)
		if v == "" || v == it.Event || v == it.State || v == it.Title || v == it.URL || strings.Contains(it.Title, v) || len(lines) >= 8 {
			continue
		}
		lines = append(lines, "- "+escape(words(k))+": "+escape(v))
	}
	return strings.Join(lines, "\n")
}

// parseXML makes elements readable as JSON is: children by name, repeated ones as a list, text as text.
func parseXML(body []byte) (node, error) {
	dec := xml.NewDecoder(bytes.NewReader(body))
	dec.Strict = true
	for {
		tok, err := dec.Token()
		if err != nil {
			return node{}, fmt.Errorf("%w: not XML: %v", ErrUnreadable, err)
		}
		if start, ok := tok.(xml.StartElement); ok {
			v, err := xmlValue(dec, 0)
			if err != nil {
				return node{}, fmt.Errorf("%w: not XML: %v", ErrUnreadable, err)
			}
			if o, ok := v.(map[string]any); ok {
				return node{o}, nil
			}
			return node{map[string]any{start.Name.Local: v}}, nil
		}
	}
}

func xmlValue(dec *xml.Decoder, level int) (any, error) {
	if level > maxDepth {
		return nil, fmt.Errorf("nested deeper than %d levels", maxDepth)
	}
	var text strings.Builder
	children := map[string]any{}
	for {
		tok, err := dec.Token()
		if err != nil {
			return nil, err
		}
		switch t := tok.(type) {
		case xml.CharData:
			text.Write(t)
		case xml.StartElement:
			v, err := xmlValue(dec, level+1)
			if err != nil {
				return nil, err
			}
			switch old := children[t.Name.Local].(type) {
			case nil:
				children[t.Name.Local] = v
			case []any:
				children[t.Name.Local] = append(old, v)
			default:
				children[t.Name.Local] = []any{old, v}
			}
		case xml.EndElement:
			if len(children) > 0 {
				return children, nil
			}
			return strings.TrimSpace(text.String()), nil
		}
	}
}
