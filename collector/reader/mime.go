package reader

import (
	"bytes"
	"mime"
	"regexp"
	"strings"

	"quietpost/digest"
)

// go-message reads the headers and the charsets. Its multipart reader and transfer decoders are not used: they give up
// on the first malformed part header or byte and lose what follows, and the mail is in memory anyway.

// A collector gathers the text and the attachments of one mail.
type collector struct {
	parts       int
	attachments []Attachment
	report      digest.Reason
	inner       []byte        // the first mail forwarded as an attachment: read where there is no other text
	named       []piece       // text with a file's name: read where there is no other text
	found       found         // parts of a delivery report
	hint        func() string // the charset that the mail names elsewhere, for what is not labelled
	event       *event        // the first calendar event
}

// A piece is the text of one leaf.
type piece struct {
	text string
	html bool
}

// read gives the mail's text, HTML turned into Markdown.
func (c *collector) read(h header, body []byte) (string, []Attachment) {
	text := join(c.walk(h, body, 0))
	if text == "" {
		text = join(c.named)
	}
	for depth := 1; saysNothing(text) && c.inner != nil && depth < maxDepth; depth++ {
		head, inner := Split(c.inner)
		c.inner = nil
		if below := join(c.walk(parseHeader(head), inner, depth)); below != "" {
			text = below
		}
	}
	return text, c.attachments
}

// saysNothing tells a text of which nothing is left but a signature.
func saysNothing(text string) bool {
	text = strings.TrimSpace(text)
	first, _, _ := strings.Cut(text, "\n")
	return text == "" || strings.TrimRight(first, " \r") == "--" && strings.Count(text, "\n") <= longestSignature
}

// join puts the pieces together.
func join(pieces []piece) string {
	var texts []string
	size := 0
	for _, p := range pieces {
		text := p.text
		if p.html {
			text = htmlToMarkdown(text)
		}
		if text = strings.Trim(text, "\r\n"); strings.TrimSpace(text) == "" {
			continue
		}
		texts = append(texts, text)
		if size += len(text); size > maxText {
			break
		}
	}
	text := strings.Join(texts, "\n\n")
	return text[:min(len(text), maxText)]
}

// walk gives the pieces of a part, in order; of alternatives only the best one.
func (c *collector) walk(h header, body []byte, depth int) []piece {
	if c.parts++; c.parts > maxParts {
		return nil
	}
	kind, params := mediaType(h.get("Content-Type"))
	disposition, dparams := mediaType(h.get("Content-Disposition"))
	name := fileName(params, dparams)
	c.noteReport(kind, params)
	c.noteReportPart(kind, h, body)
	switch {
	case kind == "multipart/encrypted" || kind == "application/pgp-encrypted": // RFC 3156, section 4
		return []piece{{text: encrypted}}
	case strings.HasPrefix(kind, "multipart/") && depth < maxDepth:
		if parts := splitParts(body, params["boundary"]); parts != nil {
			return c.walkParts(kind, parts, depth)
		}
		return []piece{c.text(h, body, params)} // no boundary to be found: the raw text is better than nothing
	case kind == "message/rfc822" && c.inner == nil:
		c.inner = decodeTransfer(h.get("Content-Transfer-Encoding"), body)
	case isText(kind) && disposition != "attachment" && (name == "" || depth == 0):
		return []piece{c.textOf(kind, h, body, params)}
	case (isText(kind) || strings.HasPrefix(kind, "text/") && kind != "text/calendar" && kind != "text/rfc822-headers") &&
		disposition != "attachment" && len(c.named) < 3: // RFC 2046, section 4.1.4: text of an unknown kind is text
		c.named = append(c.named, c.textOf(kind, h, body, params))
	case kind == "text/calendar" || kind == "application/ics":
		c.readCalendar(h, body, params)
	case kind == "application/ms-tnef" || strings.EqualFold(name, "winmail.dat"):
		return c.readTNEF(h, body)
	case (strings.HasSuffix(kind, "pkcs7-mime") || strings.EqualFold(name, "smime.p7m")) && depth < maxDepth:
		switch inner, sealed := openCMS(decodeTransfer(h.get("Content-Transfer-Encoding"), body)); {
		case inner != nil:
			head, rest := Split(inner)
			return c.walk(parseHeader(head), rest, depth+1)
		case sealed:
			return []piece{{text: encrypted}}
		}
	case depth == 0 && !strings.Contains(kind, "/"):
		return []piece{c.text(h, body, params)} // a whole mail of an odd type
	}
	c.attach(kind, name, h, body)
	return nil
}

func (c *collector) walkParts(kind string, parts [][]byte, depth int) []piece {
	var all []piece
	var best []piece
	rank := 0
	for _, raw := range parts {
		head, body := splitPart(raw)
		got := c.walk(parseHeader(head), body, depth+1)
		all = append(all, got...)
		if r := rankOf(got); r > rank {
			best, rank = got, r
		}
	}
	if kind == "multipart/alternative" {
		return best
	}
	return all
}

// needsHTML is the plain text of programs that leave it to the HTML beside it.
var needsHTML = regexp.MustCompile(`(?i)^.{0,80}(html|your (e-?)?mail (client|program|reader)|view (this|it) (e-?mail|message)? ?(in|online)|newer (e-?)?mail).{0,200}$`)

// rankOf orders alternatives: plain text that says something, then HTML, then nothing.
func rankOf(ps []piece) int {
	rank := 0
	for _, p := range ps {
		text := strings.TrimSpace(p.text)
		switch {
		case text == "", !p.html && len(text) < 300 && needsHTML.MatchString(strings.Join(strings.Fields(text), " ")):
		case p.html:
			rank = max(rank, 1)
		default:
			rank = 2
		}
	}
	return rank
}

func isText(kind string) bool {
	return kind == "text/plain" || kind == "text/html" || kind == "text/enriched" || kind == "text/markdown" || kind == "text/x-markdown"
}

// textOf reads a part of text: what programs have made of it for the way is undone.
func (c *collector) textOf(kind string, h header, body []byte, params map[string]string) piece {
	p := c.text(h, body, params)
	if p.html = kind == "text/html"; p.html {
		return p
	}
	if strings.EqualFold(params["format"], "flowed") {
		p.text = unflow(p.text, strings.EqualFold(params["delsp"], "yes"))
	}
	p.text = c.takeFiles(stripArmor(p.text))
	return p
}

// text decodes a leaf: transfer encoding, then charset. Text that is not of its charset, or of one that is not known,
// is kept as well as it can be.
func (c *collector) text(h header, body []byte, params map[string]string) piece {
	data := decodeTransfer(h.get("Content-Transfer-Encoding"), body[:min(len(body), 2*maxText)])
	return piece{text: charsetText(c.labelOf(params, data), data[:min(len(data), maxText)])}
}

// attach notes a part that is not read. Signatures are no attachments to their reader.
func (c *collector) attach(kind, name string, h header, body []byte) {
	switch kind {
	case "application/pgp-signature", "application/pkcs7-signature", "application/x-pkcs7-signature",
		"message/delivery-status", "message/feedback-report", "message/disposition-notification":
		return
	}
	size := len(body)
	if strings.Contains(strings.ToLower(h.get("Content-Transfer-Encoding")), "base64") {
		size = (size - bytes.Count(body, []byte{'\n'}) - bytes.Count(body, []byte{'\r'})) / 4 * 3
	}
	if n, ok := leftOut(h); ok {
		size = n
	}
	if name == "" {
		switch kind {
		case "message/rfc822":
			head, _ := Split(body[:min(len(body), maxHeader)])
			if name = digest.OneLine(decodeText(parseHeader(head).get("Subject")), 200); name == "" {
				name = "forwarded mail"
			}
		case "text/calendar":
			name = "invitation"
		}
	}
	c.attachments = append(c.attachments, Attachment{Name: name, Type: digest.OneLine(kind, 100), Size: size})
}

func (c *collector) noteReport(kind string, params map[string]string) {
	switch {
	case kind == "message/feedback-report", params["report-type"] == "feedback-report":
		c.report = complaintReport
	case kind == "message/disposition-notification", params["report-type"] == "disposition-notification":
		c.report = "a read receipt"
	case kind == "message/delivery-status", kind == "message/global-delivery-status",
		kind == "multipart/report" && params["report-type"] == "delivery-status":
		c.report = deliveryReport
	case kind == "multipart/report" && c.report == "":
		c.report = someReport
	}
}

// splitParts cuts a multipart body at its boundary lines (RFC 2046, section 5.1.1). Without a boundary parameter the first
// line that looks like a boundary is taken for it; where no line is as the parameter says, the first that begins a part, and
// what stands above it is text. It gives nil when there is none. The last part may be left open.
func splitParts(body []byte, boundary string) [][]byte {
	if boundary == "" {
		if boundary, _ = guessBoundary(body, false); boundary == "" {
			return nil
		}
		return cutAt(body, boundary)
	}
	parts := cutAt(body, boundary)
	if parts == nil {
		guess, at := guessBoundary(body, true)
		if guess == "" {
			return nil
		}
		parts = append([][]byte{append([]byte("\n"), body[:at]...)}, cutAt(body[at:], guess)...)
	}
	return parts
}

func cutAt(body []byte, boundary string) [][]byte {
	delim := []byte("--" + strings.TrimRight(boundary, " \t"))
	var parts [][]byte
	start := -1
	for at := 0; at < len(body) && len(parts) < maxParts; {
		line := firstLine(body[at:], false)
		if bytes.HasPrefix(line, delim) {
			rest := bytes.TrimSpace(line[len(delim):])
			end := bytes.Equal(rest, []byte("--"))
			if len(rest) == 0 || end {
				if start >= 0 {
					parts = append(parts, trimEOL(body[start:at]))
				}
				if start = at + len(line); end {
					return parts
				}
			}
		}
		at += len(line)
	}
	if start >= 0 && start < len(body) && len(parts) < maxParts {
		parts = append(parts, body[start:])
	}
	return parts
}

// trimEOL takes off the one line end that belongs to the boundary.
func trimEOL(b []byte) []byte {
	b = bytes.TrimSuffix(b, []byte("\n"))
	return bytes.TrimSuffix(b, []byte("\r"))
}

// guessBoundary is the first line that looks like a boundary, and where it stands; with strict only one that a part's header
// follows.
func guessBoundary(body []byte, strict bool) (boundary string, at int) {
	for n := 0; at < len(body) && n < 20; n++ {
		line := firstLine(body[at:], false)
		text := strings.TrimRight(string(line), "\r\n \t")
		if len(text) > 4 && len(text) <= 80 && strings.HasPrefix(text, "--") && !strings.Contains(text, " ") &&
			(!strict || hasFold(body[at+len(line):], "content-")) {
			return text[2:], at
		}
		at += len(line)
	}
	return "", 0
}

func hasFold(b []byte, prefix string) bool {
	return len(b) >= len(prefix) && strings.EqualFold(string(b[:len(prefix)]), prefix)
}

// splitPart cuts a part into header and body. Other than a mail, a part may have no header at all: then it begins with
// a blank line.
func splitPart(raw []byte) (head, body []byte) {
	line := firstLine(raw, false)
	if len(bytes.TrimRight(line, "\r\n")) == 0 {
		return nil, raw[len(line):]
	}
	return Split(raw)
}

var looseParam = regexp.MustCompile(`(?i);\s*([a-z0-9*-]+)\s*=\s*("[^"]*"|[^;]*)`)

// mediaType reads a Content-Type or Content-Disposition with its parameters; where it is malformed (an unquoted file
// name with a space is the commonest case), as much of it as can be.
func mediaType(v string) (string, map[string]string) {
	kind, params, err := mime.ParseMediaType(v)
	if err != nil {
		first, rest, _ := strings.Cut(v, ";")
		kind, params = strings.ToLower(strings.TrimSpace(first)), map[string]string{}
		if f := strings.Fields(kind); len(f) > 1 { // the semicolon left out
			kind, rest = f[0], strings.Join(f[1:], ";")+";"+rest
		}
		for _, m := range looseParam.FindAllStringSubmatch(";"+rest, 50) {
			key := strings.ToLower(m[1])
			if _, ok := params[key]; !ok {
				params[key] = strings.Trim(strings.TrimSpace(m[2]), `"`)
			}
		}
	}
	if kind == "" || kind == "text" {
		kind = "text/plain"
	}
	return kind, params
}

func fileName(params, dparams map[string]string) string {
	name := dparams["filename"]
	if name == "" {
		name = params["name"]
	}
	name = decodeText(name)
	if i := strings.LastIndexAny(name, `/\`); i >= 0 {
		name = name[i+1:]
	}
	return digest.OneLine(name, 200)
}
