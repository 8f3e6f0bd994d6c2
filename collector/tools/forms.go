package tools

import (
	"bytes"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// maxParts is how many fields of a form are read.
const maxParts = 200

// startsJSON tells whether body can only be meant as JSON, whatever its Content-Type says: curl -d sends JSON as a form,
// SNS as plain text.
func startsJSON(body []byte) bool {
	t := trimmed(body)
	return len(t) > 0 && (t[0] == '{' || t[0] == '[')
}

// formPayload is the JSON text of a delivery: the body itself, or the field payload of a form, as Slack, GitHub and
// Travis post it.
func formPayload(h http.Header, body []byte) []byte {
	t := trimmed(body)
	if startsJSON(t) {
		return t
	}
	if isMultipart(h) {
		if p := formFields(h, body).Get("payload"); p != "" {
			return trimmed([]byte(p))
		}
		return t
	}
	rest, ok := bytes.CutPrefix(t, []byte("payload="))
	if !ok {
		if _, rest, ok = bytes.Cut(t, []byte("&payload=")); !ok {
			return t
		}
	}
	if startsJSON(rest) { // curl -d 'payload={…}' escapes nothing: '+' and '&' stand for themselves
		if _, err := parse(rest); err == nil {
			return trimmed(rest)
		}
	}
	field, _, _ := bytes.Cut(rest, []byte("&"))
	for _, decode := range []func(string) (string, error){url.QueryUnescape, url.PathUnescape} {
		for _, text := range [][]byte{field, rest} {
			if s, err := decode(string(text)); err == nil && startsJSON([]byte(s)) {
				if _, err := parse([]byte(s)); err == nil {
					return trimmed([]byte(s))
				}
			}
		}
	}
	return rest
}

func isMultipart(h http.Header) bool {
	t, _, _ := mime.ParseMediaType(h.Get("Content-Type"))
	return t == "multipart/form-data"
}

// formFields are the fields of a form, files left out; nil if the body is no form.
func formFields(h http.Header, body []byte) url.Values {
	t, params, _ := mime.ParseMediaType(h.Get("Content-Type"))
	switch t {
	case "application/x-www-form-urlencoded":
		return ParseForm(string(bytes.TrimSpace(body)))
	case "multipart/form-data":
		v := url.Values{}
		r := multipart.NewReader(bytes.NewReader(body), params["boundary"])
		for range maxParts {
			p, err := r.NextPart()
			if err != nil {
				break
			}
			if p.FileName() != "" && !strings.Contains(p.Header.Get("Content-Type"), "json") {
				continue
			}
			text, err := io.ReadAll(p)
			if err == nil && p.FormName() != "" {
				v.Add(p.FormName(), string(text))
			}
		}
		return v
	}
	return nil
}

// ParseForm reads fields as a form or an address's query writes them. People write them by hand, in scripts and templates,
// and escape nothing: what stands behind a '%' that escapes nothing, or a ';', is text.
func ParseForm(s string) url.Values {
	v := url.Values{}
	for pair := range strings.SplitSeq(s, "&") {
		if name, value, _ := strings.Cut(pair, "="); pair != "" {
			v.Add(formText(name), formText(value))
		}
	}
	return v
}

func formText(s string) string {
	if text, err := url.QueryUnescape(s); err == nil {
		return text
	}
	parts := strings.Split(s, "%")
	for i, p := range parts {
		if text, err := url.QueryUnescape("%" + p); i > 0 && err == nil {
			parts[i] = text
		} else if p = strings.ReplaceAll(p, "+", " "); i > 0 {
			parts[i] = "%" + p
		} else {
			parts[i] = p
		}
	}
	return strings.Join(parts, "")
}

// formNode makes a form readable as JSON is: fields that hold JSON are decoded.
func formNode(v url.Values) node {
	o := map[string]any{}
	for k, values := range v {
		s := values[0]
		if startsJSON([]byte(s)) {
			if n, err := parse([]byte(s)); err == nil {
				o[k] = n.v
				continue
			}
		}
		o[k] = s
	}
	return node{o}
}

// nested makes objects of what PHP and Rails name data[list][id] in forms; all else stays.
func nested(n node) node {
	if !slices.ContainsFunc(n.keys(), func(k string) bool { return strings.HasSuffix(k, "]") }) {
		return n
	}
	o := map[string]any{}
	for _, k := range n.keys() {
		in, path := o, strings.Split(strings.ReplaceAll(k, "]", ""), "[")
		for len(path) > 1 {
			next, ok := in[path[0]].(map[string]any)
			if !ok {
				next = map[string]any{}
				in[path[0]] = next
			}
			in, path = next, path[1:]
		}
		in[path[0]] = n.object()[k]
	}
	return node{o}
}
