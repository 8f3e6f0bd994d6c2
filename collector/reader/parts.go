package reader

import (
	"encoding/asn1"
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

// signedContent takes the mail out of an S/MIME envelope that is signed only (RFC 8551, section 3.5.2); nil for another.
func signedContent(der []byte) []byte {
	var outer struct {
		Type    asn1.ObjectIdentifier
		Content asn1.RawValue `asn1:"explicit,tag:0"`
	}
	if _, err := asn1.Unmarshal(der, &outer); err != nil || !outer.Type.Equal(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}) {
		return nil
	}
	var signed struct {
		Version    int
		Algorithms asn1.RawValue
		Content    struct {
			Type    asn1.ObjectIdentifier
			Content asn1.RawValue `asn1:"explicit,optional,tag:0"`
		}
		Rest asn1.RawValue `asn1:"optional"`
	}
	if _, err := asn1.Unmarshal(outer.Content.FullBytes, &signed); err != nil && len(signed.Content.Content.Bytes) == 0 {
		return nil
	}
	var inner []byte
	if _, err := asn1.Unmarshal(signed.Content.Content.FullBytes, &inner); err != nil {
		return nil
	}
	return inner
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
