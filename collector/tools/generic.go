package tools

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"html"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"

	"quietpost/digest"
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
	if list := batch(n); list != nil {
		r := genericList(h, list)
		r.Key = deliveryID(h)
		return r, nil
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
		n, err := parse(t)
		if err != nil && bracketedWord.Match(t) { // [WARN] disk almost full
			if text, ok := plain(t); ok {
				return node{text}, nil
			}
		}
		if list := lines(t); err == nil && list != nil {
			return node{list}, nil
		}
		return n, err
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
			if inner := unpacked(n.v); inner.object() != nil {
				return inner, nil
			}
			return n, nil
		}
	}
	if t[0] == '<' && !isHTML.Match(t) {
		if n, err := parseXML(t); err == nil {
			return n, nil
		}
	}
	text, ok := plain(t)
	if isHTML.Match(t) {
		text = html.UnescapeString(htmlTag.ReplaceAllString(text, "\n"))
	}
	if !ok {
		return node{}, fmt.Errorf("%w: neither text nor JSON nor a form", ErrUnreadable)
	}
	return node{text}, nil
}

// bracketedWord begins a text of people's that is no list in JSON.
var bracketedWord = regexp.MustCompile(`^\[[^\[\]{}",]*\](?:\s|$)`)

// lines are the values of a body that has one on each line, as shippers of logs send them; nil if it holds only one.
func lines(t []byte) []any {
	if t[0] != '{' || !bytes.ContainsRune(t, '\n') {
		return nil
	}
	var out []any
	for line := range bytes.Lines(t) {
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		if line[0] != '{' || !json.Valid(line) {
			return nil
		}
		n, err := parse(line)
		if err != nil {
			return nil
		}
		out = append(out, n.v)
	}
	if len(out) < 2 {
		return nil
	}
	return out
}

var (
	isHTML  = regexp.MustCompile(`(?i)^<(?:!doctype html|html|body|p|div|h[1-6]|b|strong|table)\b`)
	htmlTag = regexp.MustCompile(`(?is)<(?:script|style|title)\b.*?</(?:script|style|title)>|<[^>]*>`)
)

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
	s = strings.TrimPrefix(s, "Subject: ")
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

// batch takes a delivery apart that holds several pieces of news, each with an event or a state of its own: what stands
// around them goes with each. nil if it is one piece.
func batch(n node) []any {
	for _, key := range []string{"events", "alerts", "notifications", "messages", "records", "data"} {
		list := n.list(key)
		if len(list) < 2 || slices.ContainsFunc(list, func(e node) bool { return !tellsItself(e) }) {
			continue
		}
		around := maps.Clone(n.object())
		delete(around, key)
		if len(searchIn(node{around}).places) > maxAround {
			continue
		}
		var out []any
		for i, e := range list {
			if i >= MaxItems { // which are only counted
				out = append(out, e.v)
				continue
			}
			o := maps.Clone(around)
			o[key] = []any{e.v}
			out = append(out, o)
		}
		return out
	}
	return nil
}

// maxAround is how many places may stand around the news of a batch: each piece is read with all of them.
const maxAround = 200

// tellsItself tells whether an element of a list is news by itself.
func tellsItself(n node) bool {
	return slices.ContainsFunc(n.keys(), func(k string) bool {
		_, event := eventNames.names[foldKey(k)]
		_, state := stateNames.names[foldKey(k)]
		return (event || state) && n.str(k) != ""
	})
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
