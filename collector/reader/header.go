package reader

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"mime"
	"net/mail"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/emersion/go-message/textproto"

	"quietpost/digest"
)

// Split cuts a mail into its header, with the blank line that ends it, and its body. Together they are the mail again,
// byte for byte. A mail without any header is all body; a header without a blank line ends at its first line that
// cannot be one.
func Split(raw []byte) (head, body []byte) {
	firstBad, fields, at := -1, 0, 0
	onlyCR := bytes.IndexByte(raw, '\n') < 0
	for at < len(raw) {
		line := firstLine(raw[at:], onlyCR)
		text := bytes.TrimRight(line, "\r\n")
		if bytes.IndexByte(text, 0) >= 0 {
			text = bytes.ReplaceAll(text, []byte{0}, nil)
		}
		switch {
		case len(text) == 0 && fields > 0:
			return raw[:at+len(line)], raw[at+len(line):]
		case fields == 0 && firstBad < 0 && len(bytes.TrimSpace(text)) == 0: // blank lines before the header
		case isField(text):
			fields++
		case fields > 0 && (text[0] == ' ' || text[0] == '\t'): // continuation
		case fields == 0 && isField(bytes.TrimLeft(text, " \t")): // a header that begins with spaces
			fields++
		case fields == 0 && bytes.HasPrefix(text, []byte("From ")), bytes.HasPrefix(text, []byte(">From ")): // mbox
		default:
			if firstBad < 0 {
				firstBad = at
			}
			if fields == 0 {
				return nil, raw
			}
		}
		at += len(line)
	}
	if fields == 0 {
		return nil, raw
	}
	if firstBad > 0 {
		return raw[:firstBad], raw[firstBad:]
	}
	return raw, nil
}

// firstLine is the first line of b with its end: \n, or \r alone where the mail knows no \n. (Elsewhere a bare \r is no
// line end: who checked the mail before us did not see one either.)
func firstLine(b []byte, onlyCR bool) []byte {
	end := byte('\n')
	if onlyCR {
		end = '\r'
	}
	if i := bytes.IndexByte(b, end); i >= 0 {
		return b[:i+1]
	}
	return b
}

// isField tells whether a line begins a header field: printable ASCII up to a colon (RFC 5322, section 3.6.8).
func isField(line []byte) bool {
	i := bytes.IndexByte(line, ':')
	if i <= 0 || i > 200 {
		return false
	}
	for _, c := range bytes.TrimRight(line[:i], " \t") {
		if c <= 32 || c > 126 {
			return false
		}
	}
	return line[0] > 32
}

// header is a parsed header.
type header struct{ textproto.Header }

func (h header) get(key string) string { return clip(h.Get(key)) }
func (h header) has(key string) bool   { return h.Has(key) }

func (h header) all(key string) []string {
	var vs []string
	for f := h.FieldsByKey(key); f.Next() && len(vs) < maxPeople; {
		vs = append(vs, clip(f.Value()))
	}
	return vs
}

func clip(v string) string { return v[:min(len(v), maxValue)] }

// parseHeader reads a header block. textproto refuses a whole header for one bad line, so the bad ones are left out
// first: what cannot be a field, and NULs.
func parseHeader(head []byte) header {
	head = head[:min(len(head), maxHeader)]
	onlyCR := bytes.IndexByte(head, '\n') < 0
	var good bytes.Buffer
	fields, keep := 0, false
	for len(head) > 0 && fields < maxFields {
		line := firstLine(head, onlyCR)
		head = head[len(line):]
		text := bytes.ReplaceAll(bytes.TrimRight(line, "\r\n"), []byte{0}, nil)
		switch {
		case len(text) == 0:
			continue
		case text[0] == ' ' || text[0] == '\t':
			if fields == 0 && isField(bytes.TrimLeft(text, " \t")) {
				text, keep = bytes.TrimLeft(text, " \t"), true
				fields++
			}
			if !keep {
				continue
			}
		default:
			if keep = isField(text); !keep {
				continue
			}
			fields++
		}
		good.Write(text)
		good.WriteString("\r\n")
	}
	good.WriteString("\r\n")
	h, _ := textproto.ReadHeader(bufio.NewReader(&good)) // on an error: the fields before it
	return header{h}
}

// decodeText decodes encoded words (RFC 2047) of any charset we know; bytes that are no UTF-8 are taken as
// Windows-1252, the commonest charset of mails that name none.
func decodeText(s string) string {
	s = looseUTF8([]byte(s))
	dec := mime.WordDecoder{CharsetReader: func(label string, in io.Reader) (io.Reader, error) {
		data, err := io.ReadAll(io.LimitReader(in, maxValue))
		return strings.NewReader(charsetText(label, data)), err
	}}
	if out, err := dec.DecodeHeader(s); err == nil {
		s = out
	}
	s = encodedWord.ReplaceAllStringFunc(s, looseWord)
	return strings.ToValidUTF8(s, "\uFFFD")
}

// encodedWord is one that the standard decoder left alone: malformed, or with letters in it that are no ASCII.
var encodedWord = regexp.MustCompile(`=\?([A-Za-z0-9_.:-]{1,40})(?:\*[A-Za-z-]*)?\?([QqBb])\?([^?\s]*)\?=`)

func looseWord(word string) string {
	m := encodedWord.FindStringSubmatch(word)
	if m == nil || !utf8.ValidString(m[3]) {
		return word
	}
	if strings.EqualFold(m[2], "b") {
		return charsetText(m[1], decodeBase64([]byte(m[3])))
	}
	var b strings.Builder
	for i, run := range strings.FieldsFunc(m[3], func(r rune) bool { return r == '_' }) {
		if i > 0 {
			b.WriteByte(' ')
		}
		if isASCII(run) {
			run = charsetText(m[1], decodeQuoted([]byte(run)))
		}
		b.WriteString(run)
	}
	return b.String()
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

var addressLike = regexp.MustCompile(`[^\s<>"',;:()\[\]\\@]+@[^\s<>"',;:()\[\]\\@]+`)

// nameAndAddress is one address in angle brackets behind a name that may look like anything, an address too.
var nameAndAddress = regexp.MustCompile(`^\s*"?([^<>,;"]+?)"?\s*<\s*([^\s<>"',;:()\[\]\\@]+@[^\s<>"',;:()\[\]\\@]+)\s*>\s*$`)

// addresses reads an address list; where it is malformed, everything that looks like an address. Bytes beyond ASCII are of
// the charset that the mail names elsewhere.
func addresses(v string, hint func() string) []Address {
	var out []Address
	if !utf8.ValidString(v) && hint != nil {
		if label := hint(); label != "" {
			v = charsetText(label, []byte(v))
		}
	}
	parser := mail.AddressParser{WordDecoder: &mime.WordDecoder{CharsetReader: charsetReader}}
	if list, err := parser.ParseList(looseUTF8([]byte(v))); err == nil {
		for _, a := range list[:min(len(list), maxPeople)] {
			address := normal(a.Address)
			out = append(out, Address{Name: personName(a.Name, address), Address: address})
		}
		return out
	}
	if m := nameAndAddress.FindStringSubmatch(v); m != nil {
		return []Address{{Name: personName(m[1], normal(m[2])), Address: normal(m[2])}}
	}
	for _, at := range addressLike.FindAllStringIndex(v, maxPeople) {
		name := ""
		if len(out) == 0 {
			name = personName(strings.Trim(decodeText(v[:at[0]]), " \t\"'<"), "")
		}
		out = append(out, Address{Name: name, Address: normal(v[at[0]:at[1]])})
	}
	return out
}

// personName is the name beside an address. The address of somebody else is no name.
func personName(s, address string) string {
	name := digest.OneLine(strings.Trim(decodeText(s), `"' `), digest.MaxField)
	if addressLike.FindString(name) == name && !strings.EqualFold(name, address) {
		return ""
	}
	return name
}

func normal(address string) string {
	if a, err := digest.NormalizeAddress(address); err == nil {
		return a
	}
	return strings.ToLower(digest.OneLine(address, digest.MaxField))
}

var receivedFor = regexp.MustCompile(`(?i)\sfor\s+<?([^\s<>;()]+@[^\s<>;()]+)`)

func recipients(h header, hint func() string) []string {
	var out []string
	seen := map[string]bool{}
	for _, key := range []string{"X-Gm-Original-To", "Delivered-To", "X-Original-To", "Envelope-To", "X-Envelope-To", "X-Delivered-To",
		"X-Real-To", "Received", "Resent-To", "To", "Cc"} {
		for _, v := range h.all(key) {
			if key == "Received" { // RFC 5321, section 4.4: a server may say for whom it took the mail
				m := receivedFor.FindStringSubmatch(v)
				if v = ""; m != nil {
					v = m[1]
				}
			}
			for _, a := range addresses(v, hint) {
				if !seen[a.Address] && len(out) < maxPeople {
					seen[a.Address] = true
					out = append(out, a.Address)
				}
			}
		}
	}
	return out
}

var (
	idInBrackets = regexp.MustCompile(`<([^<>]+)>`)
	spaces       = regexp.MustCompile(`\s+`)
)

// messageIDs are the ids of a Message-ID, In-Reply-To or References field (RFC 5322, section 3.6.4), without the <>. Of
// too many the first and the newest are kept.
func messageIDs(v string) []string {
	var ids []string
	for _, m := range idInBrackets.FindAllStringSubmatch(v, -1) {
		ids = append(ids, cleanID(m[1]))
	}
	if len(ids) == 0 {
		for _, f := range strings.Fields(v) { // ids without brackets, as some tools write them
			if f = strings.Trim(f, "<>,;"); strings.Contains(f, "@") {
				ids = append(ids, cleanID(f))
			}
		}
	}
	if len(ids) > maxIDs {
		ids = append(ids[:1:1], ids[len(ids)-maxIDs+1:]...)
	}
	return ids
}

// cleanID makes an id fit to be kept and compared. An overlong one is replaced by its hash: it need only be the same
// each time.
func cleanID(id string) string {
	id = digest.OneLine(spaces.ReplaceAllString(id, ""), 2*maxIDBytes)
	if len(id) <= maxIDBytes {
		return id
	}
	sum := sha256.Sum256([]byte(id))
	return "sha256:" + hex.EncodeToString(sum[:])
}

func listID(v string) string {
	if m := idInBrackets.FindStringSubmatch(v); m != nil {
		v = m[1]
	}
	return strings.ToLower(digest.OneLine(spaces.ReplaceAllString(v, ""), 255))
}

// listName is the phrase before a List-Id (RFC 2919, section 2).
func listName(v string) string {
	i := strings.LastIndexByte(v, '<')
	if i <= 0 {
		return ""
	}
	return digest.OneLine(strings.Trim(decodeText(v[:i]), `"' `), digest.MaxField)
}
