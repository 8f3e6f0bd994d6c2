package reader

import (
	"bytes"
	"encoding/binary"
	"regexp"
	"strings"

	"quietpost/digest"
)

// unflow joins the lines that format=flowed parted (RFC 3676, section 4): those that end in a space, of one depth of quoting,
// but not the signature's "-- ". Spaces stuffed in front are taken out.
func unflow(s string, delSp bool) string {
	var b strings.Builder
	open, depth := false, 0
	for line := range strings.Lines(s) {
		line = strings.TrimRight(line, "\r\n")
		text := strings.TrimLeft(line, ">")
		quoted := len(line) - len(text)
		text = strings.TrimPrefix(text, " ")
		if open && quoted != depth || text == "-- " {
			if open {
				b.WriteByte('\n')
			}
			open = false
		}
		if !open && quoted > 0 {
			b.WriteString(line[:quoted] + " ")
		}
		depth = quoted
		open = strings.HasSuffix(text, " ") && text != "-- "
		if open && delSp {
			text = text[:len(text)-1]
		}
		b.WriteString(text)
		if !open {
			b.WriteByte('\n')
		}
	}
	return b.String()
}

var (
	uuBegin = regexp.MustCompile(`(?m)^begin(?:-base64)? [0-7]{3,4} (\S[^\r\n]{0,200})\r?\n`)
	uuEnd   = regexp.MustCompile(`(?m)^(?:end|====)[ \t]*\r?$`)
	uuLine  = regexp.MustCompile("^[ -`]{1,64}\\s*$")
)

// takeFiles cuts uuencoded files out of a text and notes them as attachments.
func (c *collector) takeFiles(s string) string {
	if !strings.Contains(s, "begin") {
		return s
	}
	var b strings.Builder
	for range 20 {
		at := uuBegin.FindStringSubmatchIndex(s)
		if at == nil {
			break
		}
		first, _, _ := strings.Cut(s[at[1]:], "\n")
		if !uuLine.MatchString(first) { // words that happen to begin so
			b.WriteString(s[:at[1]])
			s = s[at[1]:]
			continue
		}
		end := uuEnd.FindStringIndex(s[at[1]:])
		size, rest := len(s)-at[1], ""
		if end != nil {
			size, rest = end[0], s[at[1]+end[1]:]
		}
		c.attachments = append(c.attachments, Attachment{Name: digest.OneLine(s[at[2]:at[3]], 200),
			Type: "application/octet-stream", Size: size * 3 / 4})
		b.WriteString(s[:at[0]])
		s = rest
	}
	b.WriteString(s)
	return b.String()
}

var (
	armorHead = regexp.MustCompile(`(?m)^-----BEGIN PGP SIGNED MESSAGE-----\r?\n(?:[A-Za-z-]+: [^\r\n]*\r?\n)*\r?\n?`)
	armorTail = regexp.MustCompile(`(?ms)^-----BEGIN PGP SIGNATURE-----.*?(?:^-----END PGP SIGNATURE-----[ \t]*\r?\n?|\z)`)
	armored   = regexp.MustCompile(`(?ms)^-----BEGIN PGP MESSAGE-----.*?(?:^-----END PGP MESSAGE-----[ \t]*\r?\n?|\z)`)
)

// encrypted stands for what only its recipient's key can open.
const encrypted = "(The text is encrypted.)"

// stripArmor takes the marks of an OpenPGP signature off a text (RFC 9580, section 7), and says so of an encrypted one.
func stripArmor(s string) string {
	if !strings.Contains(s, "-----BEGIN PGP ") {
		return s
	}
	if armorHead.MatchString(s) {
		s = strings.ReplaceAll(armorTail.ReplaceAllString(armorHead.ReplaceAllString(s, ""), ""), "\n- -", "\n-")
	}
	return armored.ReplaceAllString(s, encrypted+"\n")
}

// Object identifiers of what an S/MIME envelope may be (RFC 5652, sections 5.1, 6.1; RFC 5083), in DER.
var (
	oidSigned    = []byte{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02}
	oidEnveloped = []byte{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x03}
	oidAuthEnv   = []byte{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x01, 0x17}
)

// openCMS takes the mail out of an S/MIME envelope that is signed only (RFC 8551, section 3.5.2); sealed tells one that only
// its recipient's key can open. Both nil and false for what is neither.
func openCMS(data []byte) (inner []byte, sealed bool) {
	outer, _ := berElement(data, 0)
	kind, rest := berElement(outer.content, 0)
	switch {
	case outer.tag != 0x30 || kind.tag != 0x06:
		return nil, false
	case bytes.Equal(kind.content, oidEnveloped), bytes.Equal(kind.content, oidAuthEnv):
		return nil, true
	case !bytes.Equal(kind.content, oidSigned):
		return nil, false
	}
	explicit, _ := berElement(rest, 0)
	signed, _ := berElement(explicit.content, 0)
	for rest, n := signed.content, 0; len(rest) > 0 && n < 3; n++ { // version, algorithms, what is signed
		var e element
		if e, rest = berElement(rest, 0); e.tag != 0x30 {
			continue
		}
		_, rest = berElement(e.content, 0)
		explicit, _ = berElement(rest, 0)
		text, _ := berElement(explicit.content, 0)
		return text.octets(0), false
	}
	return nil, false
}

// An element is one of ASN.1 in its basic encoding (X.690, section 8), which mail programs use with lengths left open.
type element struct {
	tag     byte
	content []byte
}

// maxBER is how deep elements of open length may be nested.
const maxBER = 16

// berElement parts the first element from what follows; a zero one where there is none.
func berElement(b []byte, depth int) (e element, rest []byte) {
	if len(b) < 2 || depth > maxBER {
		return element{}, nil
	}
	tag, n := b[0], int(b[1])
	b = b[2:]
	switch {
	case n == 0x80: // up to two zero bytes
		for at := b; ; {
			if len(at) < 2 || at[0] == 0 && at[1] == 0 {
				return element{tag, b[:len(b)-len(at)]}, at[min(len(at), 2):]
			}
			next, after := berElement(at, depth+1)
			if next.tag == 0 {
				return element{}, nil
			}
			at = after
		}
	case n > 0x80:
		size := n & 0x7f
		if size > 4 || size > len(b) {
			return element{}, nil
		}
		n = 0
		for _, c := range b[:size] {
			n = n<<8 | int(c)
		}
		b = b[size:]
	}
	if n > len(b) { // cut off: as much as there is
		n = len(b)
	}
	return element{tag, b[:n]}, b[n:]
}

// octets are the bytes of an octet string, in one piece or in many.
func (e element) octets(depth int) []byte {
	switch {
	case e.tag == 0x04:
		return e.content
	case e.tag != 0x24 || depth > maxBER:
		return nil
	}
	var out []byte
	for rest := e.content; len(rest) > 0; {
		var piece element
		if piece, rest = berElement(rest, 0); piece.tag == 0 {
			break
		}
		out = append(out, piece.octets(depth+1)...)
	}
	return out
}

// What is read of a winmail.dat (MS-OXTNEF, section 2.1.3.2).
const (
	tnefSignature = 0x223e9f78
	tnefBody      = 0x0002800c
	tnefFileName  = 0x00018010
	tnefFileData  = 0x0006800f
)

// readTNEF names the files in a winmail.dat and gives its text, if it has one.
func (c *collector) readTNEF(h header, body []byte) []piece {
	data := decodeTransfer(h.get("Content-Transfer-Encoding"), body)
	if len(data) < 6 || binary.LittleEndian.Uint32(data) != tnefSignature {
		c.attach("application/ms-tnef", "winmail.dat", h, body)
		return nil
	}
	var text []piece
	size, before := 0, len(c.attachments)
	for at := 6; at+9 <= len(data); {
		id, n := binary.LittleEndian.Uint32(data[at+1:]), int(binary.LittleEndian.Uint32(data[at+5:]))
		at += 9
		if n < 0 || n > len(data)-at {
			break
		}
		value := data[at : at+n]
		switch id {
		case tnefBody:
			text = append(text, piece{text: charsetText(c.hint(), []byte(strings.TrimRight(string(value[:min(n, maxText)]), "\x00")))})
		case tnefFileData:
			size = n
		case tnefFileName:
			if len(c.attachments) < maxParts {
				c.attachments = append(c.attachments, Attachment{Size: size, Type: "application/octet-stream",
					Name: oneLine(strings.TrimRight(string(value), "\x00"), c.hint, 200)})
			}
			size = 0
		}
		at += n + 2 // a checksum
	}
	if len(c.attachments) == before && text == nil {
		c.attach("application/ms-tnef", "winmail.dat", h, body)
	}
	return text
}
