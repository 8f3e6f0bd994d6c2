package tools

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"sort"
	"strings"
	"time"
	"unicode/utf8"
)

// maxDepth is how deep a body may nest. The deepest seen in the wild is 12; encoding/json itself would go to 10000.
const maxDepth = 200

// A node is a place in a decoded JSON value, read without trust in its shape: what is missing or of another type
// reads as empty.
type node struct{ v any }

// parse decodes the first JSON value of body. Numbers stay as written (ids above 2^53 are common), invalid UTF-8
// becomes U+FFFD, of duplicate keys the last counts.
func parse(body []byte) (node, error) {
	if depth(body) > maxDepth {
		return node{}, fmt.Errorf("%w: nested deeper than %d levels", ErrUnreadable, maxDepth)
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	var v any
	err := dec.Decode(&v)
	if err != nil {
		if tidy := mended(body); !bytes.Equal(tidy, body) {
			dec = json.NewDecoder(bytes.NewReader(tidy))
			dec.UseNumber()
			if dec.Decode(&v) == nil {
				return node{v}, nil
			}
		}
		return node{}, fmt.Errorf("%w: not JSON: %v", ErrUnreadable, err)
	}
	return node{v}, nil
}

// mended is body without what templates and scripts of people's get wrong: commas before a closing bracket, line breaks
// and tabs as they are in a string, a backslash before any character (C:\Users), and Python's NaN and Infinity.
func mended(body []byte) []byte {
	out := make([]byte, 0, len(body)+16)
	for i := 0; i < len(body); i++ {
		switch c := body[i]; c {
		case '"':
			end := stringEnd(body, i)
			out = mendedString(out, body[i:end])
			i = end - 1
			continue
		case ',':
			if next := skipSpace(body, i+1); next < len(body) && (body[next] == '}' || body[next] == ']') {
				continue
			}
		case '-', 'N', 'I':
			if word := notANumber.Find(body[i:]); word != nil {
				out = append(out, "null"...)
				i += len(word) - 1
				continue
			}
		}
		out = append(out, body[i])
	}
	return out
}

var notANumber = regexp.MustCompile(`^(?:NaN|-?Infinity)\b`)

func mendedString(out, s []byte) []byte {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c < ' ':
			out = fmt.Appendf(out, `\u%04x`, c)
		case c == '\\' && (i+1 < len(s) && strings.IndexByte(`"\/bfnrt`, s[i+1]) >= 0 || escapedRune.Match(s[i:])):
			out = append(out, c, s[i+1])
			i++
		case c == '\\':
			out = append(out, `\\`...)
		default:
			out = append(out, c)
		}
	}
	return out
}

var escapedRune = regexp.MustCompile(`^\\u[0-9a-fA-F]{4}`)

// depth is how deep the brackets outside of strings nest.
func depth(body []byte) int {
	level, most, quoted := 0, 0, false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			level++
			most = max(most, level)
		case c == '}' || c == ']':
			level--
		}
	}
	return most
}

// at follows a path of keys joined by dots; "0" to "9" index an array.
func (n node) at(path string) node {
	for path != "" {
		var key string
		key, path, _ = strings.Cut(path, ".")
		switch v := n.v.(type) {
		case map[string]any:
			n = node{v[key]}
		case []any:
			if len(key) != 1 || key[0] < '0' || key[0] > '9' || int(key[0]-'0') >= len(v) {
				return node{}
			}
			n = node{v[key[0]-'0']}
		default:
			return node{}
		}
	}
	return n
}

// str is the first of paths that holds text, a number or a truth value, trimmed; "" if none does.
func (n node) str(paths ...string) string {
	for _, p := range paths {
		if s := n.at(p).scalar(); s != "" {
			return s
		}
	}
	return ""
}

func (n node) scalar() string {
	switch v := n.v.(type) {
	case string:
		return strings.TrimSpace(v)
	case json.Number:
		return v.String()
	case bool:
		if v {
			return "true"
		}
		return "false"
	}
	return ""
}

// link is the first of paths that holds an absolute http(s) address.
func (n node) link(paths ...string) string {
	for _, p := range paths {
		if u := webAddress(n.str(p)); u != "" {
			return u
		}
	}
	return ""
}

// when is the first of paths that holds a time.
func (n node) when(paths ...string) time.Time {
	for _, p := range paths {
		if t := readTime(n.str(p)); !t.IsZero() {
			return t
		}
	}
	return time.Time{}
}

func (n node) truth(path string) bool { return n.str(path) == "true" }

func (n node) list(path string) []node {
	l, _ := n.at(path).v.([]any)
	out := make([]node, len(l))
	for i, v := range l {
		out[i] = node{v}
	}
	return out
}

func (n node) object() map[string]any { o, _ := n.v.(map[string]any); return o }
func (n node) has(path string) bool   { return n.at(path).v != nil }

// keys are an object's keys in order, so that what is read never hangs on the order of a map.
func (n node) keys() []string {
	o := n.object()
	keys := make([]string, 0, len(o))
	for k := range o {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

// webAddress gives back s if it is an absolute http or https address with a host and without user or password, else "".
func webAddress(s string) string {
	s = strings.TrimSpace(s)
	if len(s) > 2048 || !utf8.ValidString(s) || strings.ContainsAny(s, " \t\r\n<>\"`\\") {
		return ""
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil {
		return ""
	}
	return s
}

// secretKeys are the fields that hold a secret by their name: Gogs and old Gitea repeat the hook's own secret in each
// body, Slack's outgoing hooks a token; GitHub's secret_scanning_alert holds what leaked.
var secretKeys = map[string]bool{
	"secret": true, "client_secret": true, "webhook_secret": true, "token": true, "access_token": true,
	"refresh_token": true, "verification_token": true, "api_key": true, "apikey": true, "password": true,
	"passwd": true, "private_key": true, "hmacsignature": true, "passcode": true,
}

const removed = `"[removed]"`

// Scrub gives body without the text of fields that are secrets by their name, at any depth of a JSON body or of the
// JSON in a form's payload field. All else stays as it is, byte for byte. It is for storing and for reading, after the
// signature over the raw bytes was checked.
func Scrub(body []byte) []byte {
	if t := trimmed(body); len(t) > 0 && (t[0] == '{' || t[0] == '[') {
		return scrubJSON(body)
	}
	if !bytes.HasPrefix(body, []byte("payload=")) || bytes.IndexByte(body, '&') >= 0 {
		return body
	}
	text, err := url.QueryUnescape(string(body[len("payload="):]))
	if err != nil {
		return scrubJSON(body)
	}
	if clean := string(scrubJSON([]byte(text))); clean != text {
		return []byte("payload=" + url.QueryEscape(clean))
	}
	return body
}

// scrubJSON walks the strings of a JSON text, whole or not: a string that a colon and another string follow is a key.
func scrubJSON(body []byte) []byte {
	var out []byte
	kept := 0
	for i := 0; i < len(body); {
		if body[i] != '"' {
			i++
			continue
		}
		end := stringEnd(body, i)
		name := strings.ToLower(string(body[min(i+1, end):max(i+1, end-1)]))
		v := skipSpace(body, end)
		if i = end; v >= len(body) || body[v] != ':' || !secretKeys[strings.ReplaceAll(name, "-", "_")] {
			continue
		}
		if v = skipSpace(body, v+1); v < len(body) && body[v] == '"' {
			i = stringEnd(body, v)
			if i-v > 2 {
				out = append(append(out, body[kept:v]...), removed...)
				kept = i
			}
		}
	}
	if kept == 0 {
		return body
	}
	return append(out, body[kept:]...)
}

// stringEnd is the index behind the string that begins at i.
func stringEnd(b []byte, i int) int {
	for i++; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(b)
}

func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\t' || b[i] == '\n' || b[i] == '\r') {
		i++
	}
	return i
}

// trimmed is body without white space and byte order mark around it.
func trimmed(body []byte) []byte {
	return bytes.TrimSpace(bytes.TrimPrefix(bytes.TrimSpace(body), []byte("\xEF\xBB\xBF")))
}
