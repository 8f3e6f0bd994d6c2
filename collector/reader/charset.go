package reader

import (
	"bytes"
	"encoding/base64"
	"io"
	"regexp"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/emersion/go-message/charset"
	htmlcharset "golang.org/x/net/html/charset"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"

	"quietpost/digest"
)

// charsetText turns bytes of a charset into UTF-8. A label may lie: bytes beyond ASCII that are good UTF-8 are UTF-8, and
// what a charset cannot be is tried in those of the same language.
func charsetText(label string, data []byte) string {
	label, _, _ = strings.Cut(strings.ToLower(strings.Trim(label, " \t\"'")), ";")
	switch label {
	case "utf-8", "utf8", "utf_8", "utf8mb4", "utf-8-sig", "cp65001", "unicode-1-1-utf-8", "us-ascii", "ascii", "", "unknown-8bit", "x-unknown", "default", "binary":
		return looseUTF8(data)
	case "utf-7", "unicode-1-1-utf-7", "x-unicode-2-0-utf-7":
		return utf7(data)
	}
	if !strings.HasPrefix(label, "utf-") && !strings.HasPrefix(label, "iso-2022") && !isASCII(string(data)) && valid(data) {
		return strings.ToValidUTF8(string(data), "\uFFFD")
	}
	r, err := charsetReader(label, bytes.NewReader(data))
	if err != nil {
		return looseUTF8(data)
	}
	out, err := io.ReadAll(io.LimitReader(r, 4*maxText))
	if err != nil {
		return looseUTF8(data)
	}
	text := strings.ToValidUTF8(string(out), "\uFFFD")
	if strings.Count(text, "\uFFFD") > 2 {
		for _, e := range relatives(label) {
			if other, err := e.NewDecoder().Bytes(data); err == nil && bytes.Count(other, []byte("\uFFFD")) == 0 {
				return string(other)
			}
		}
	}
	return text
}

var (
	isoLabel = regexp.MustCompile(`^(?:x-)?(?:iso|csiso)?[-_ ]?8859[-_ ](\d{1,2})$`)
	winLabel = regexp.MustCompile(`^(?:x-)?(?:win|windows|cp|ms|ansi)[-_ ]?(125\d)$`)
	dosLabel = regexp.MustCompile(`^(?:x-)?(?:cp|dos|ibm|oem)[-_ ]?(437|850|852|855|858|860|862|863|865|866)$`)

	// otherLabels are names of charsets that no registry has and that programs write.
	otherLabels = map[string]string{"cp932": "shift_jis", "ms932": "shift_jis", "iso-2022-jp-2": "iso-2022-jp", "iso-2022-jp-ms": "iso-2022-jp", "iso-2022-jp-3": "iso-2022-jp",
		"eucjp": "euc-jp", "euc_jp": "euc-jp", "latin-1": "iso-8859-1", "latin-2": "iso-8859-2", "latin-9": "iso-8859-15", "latin9": "iso-8859-15", "ansi": "windows-1252", "ansi_x3.110-1983": "iso-8859-1",
		"ks_c_5601": "euc-kr", "ksc5601": "euc-kr", "cp949": "euc-kr", "uhc": "euc-kr", "cp936": "gbk", "cp950": "big5", "maccyrillic": "x-mac-cyrillic", "mac": "macintosh", "macroman": "macintosh"}
)

// charsetReader is charset.Reader, for what programs write instead of a charset's name too.
func charsetReader(label string, in io.Reader) (io.Reader, error) {
	label = strings.ToLower(label)
	r, err := charset.Reader(label, in)
	if err == nil {
		return r, nil
	}
	other := otherLabels[label]
	for prefix, form := range map[string]*regexp.Regexp{"iso-8859-": isoLabel, "windows-": winLabel, "ibm": dosLabel} {
		if m := form.FindStringSubmatch(label); m != nil {
			other = prefix + m[1]
		}
	}
	if other == "" {
		return nil, err
	}
	return charset.Reader(other, in)
}

// relatives are the other charsets of a label's language.
func relatives(label string) []encoding.Encoding {
	switch {
	case strings.Contains(label, "jp"), strings.Contains(label, "jis"):
		return []encoding.Encoding{japanese.EUCJP, japanese.ShiftJIS, japanese.ISO2022JP}
	case strings.HasPrefix(label, "gb"), strings.HasPrefix(label, "big5"):
		return []encoding.Encoding{simplifiedchinese.GB18030, traditionalchinese.Big5}
	case strings.Contains(label, "kr"), strings.HasPrefix(label, "ks_c"):
		return []encoding.Encoding{korean.EUCKR}
	}
	return nil
}

// valid tells UTF-8. A character cut at the end of what is taken of a long part is no sign against it.
func valid(data []byte) bool {
	return utf8.Valid(data) || len(data) >= maxText && utf8.Valid(data[:len(data)-utf8.UTFMax])
}

// looseUTF8 takes bytes as UTF-8, or as UTF-16 if they begin with its mark, and if they mostly are neither, as Windows-1252,
// the commonest charset of mails that name none.
func looseUTF8(data []byte) string {
	if utf8.Valid(data) {
		return strings.TrimPrefix(string(data), "\uFEFF")
	}
	if valid(data) {
		return strings.TrimPrefix(strings.ToValidUTF8(string(data), "\uFFFD"), "\uFEFF")
	}
	if bytes.HasPrefix(data, []byte("\xFF\xFE")) || bytes.HasPrefix(data, []byte("\xFE\xFF")) {
		e, _, _ := htmlcharset.DetermineEncoding(data, "")
		if out, err := e.NewDecoder().Bytes(data); err == nil {
			return strings.TrimPrefix(string(out), "\uFEFF")
		}
	}
	if out, err := charmap.Windows1252.NewDecoder().Bytes(data); err == nil {
		return string(out)
	}
	return strings.ToValidUTF8(string(data), "\uFFFD")
}

var (
	wordLabel = regexp.MustCompile(`=\?([A-Za-z0-9_.:-]{2,40})(?:\*[A-Za-z-]*)?\?[QqBb]\?`)
	metaLabel = regexp.MustCompile(`(?i)<meta[^>]{0,200}charset\s*=\s*["']?([A-Za-z0-9_.:-]{2,40})`)
	partLabel = regexp.MustCompile(`charset\s*=\s*"?([a-z0-9_.:-]{2,40})`) // of lower-case text: many times as fast as (?i)
)

// hintOf is the charset that a mail names somewhere: that of its text, of an encoded word in its header, of its first part.
// Most mails never need it.
func hintOf(h header, body []byte) string {
	if _, params := mediaType(h.get("Content-Type")); speaks(params["charset"]) {
		return params["charset"]
	}
	for _, key := range []string{"Subject", "From", "To"} {
		for _, m := range wordLabel.FindAllStringSubmatch(h.get(key), 3) {
			if speaks(m[1]) {
				return m[1]
			}
		}
	}
	for _, m := range partLabel.FindAllSubmatch(bytes.ToLower(body[:min(len(body), 8<<10)]), 3) {
		if speaks(string(m[1])) {
			return string(m[1])
		}
	}
	return ""
}

// speaks tells a label that says more than that there may be anything.
func speaks(label string) bool {
	switch strings.ToLower(label) {
	case "", "utf-8", "utf8", "us-ascii", "ascii", "unknown-8bit", "x-unknown", "binary", "utf-7":
		return false
	}
	_, err := charsetReader(label, strings.NewReader(""))
	return err == nil
}

// labelOf is a part's charset: as labelled, else as its HTML says itself, else as the mail says elsewhere.
func (c *collector) labelOf(params map[string]string, data []byte) string {
	label := params["charset"]
	if label != "" && (speaks(label) || strings.EqualFold(label, "utf-7") || valid(data)) || valid(data) && !bytes.HasPrefix(data, []byte("\x1b$")) {
		return label
	}
	if m := metaLabel.FindSubmatch(data[:min(len(data), 4<<10)]); m != nil && speaks(string(m[1])) {
		return string(m[1])
	}
	return c.hint()
}

// headerText decodes a header's text; bytes beyond ASCII are of the charset that the mail names elsewhere.
func headerText(v string, hint func() string) string {
	if !utf8.ValidString(v) {
		if label := hint(); label != "" {
			v = charsetText(label, []byte(v))
		}
	}
	return decodeText(v)
}

var utf7Run = regexp.MustCompile(`\+([A-Za-z0-9+/]*)-?`)

// utf7 decodes RFC 2152, which no library here does.
func utf7(data []byte) string {
	return strings.ToValidUTF8(utf7Run.ReplaceAllStringFunc(looseUTF8(data), func(run string) string {
		code := strings.TrimSuffix(run[1:], "-")
		if code == "" {
			if run == "+-" {
				return "+"
			}
			return run
		}
		b, err := base64.RawStdEncoding.DecodeString(code[:len(code)-len(code)%4+evenRest(len(code)%4)])
		if err != nil {
			return run
		}
		var units []uint16
		for i := 0; i+1 < len(b); i += 2 {
			units = append(units, uint16(b[i])<<8|uint16(b[i+1]))
		}
		return string(utf16.Decode(units))
	}), "\uFFFD")
}

// evenRest is how many of a base64 group's n last letters can be decoded: one alone cannot.
func evenRest(n int) int {
	if n == 1 {
		return 0
	}
	return n
}

// oneLine is a header's text on one line.
func oneLine(v string, hint func() string, max int) string {
	return digest.OneLine(headerText(v, hint), max)
}
