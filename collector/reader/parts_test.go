package reader

import (
	"encoding/base64"
	"strings"
	"testing"
)

// der is an element of definite length, below 128 bytes or with one length byte more.
func der(tag byte, content string) string {
	if len(content) < 0x80 {
		return string([]byte{tag, byte(len(content))}) + content
	}
	return string([]byte{tag, 0x81, byte(len(content))}) + content
}

// ber is an element whose length is left open, as Outlook and OpenSSL stream them.
func ber(tag byte, content string) string {
	return string([]byte{tag, 0x80}) + content + "\x00\x00"
}

// TestEnvelopes: of an S/MIME envelope that is signed only the mail in it is read; of one that is sealed it is said.
func TestEnvelopes(t *testing.T) {
	const mail = "Content-Type: text/plain\r\n\r\nThe plan holds.\r\n"
	data := der(0x06, string([]byte{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01}))
	definite := der(0x30, der(0x06, string(oidSigned))+der(0xa0, der(0x30, der(0x02, "\x01")+der(0x31, "")+der(0x30, data+der(0xa0, der(0x04, mail))))))
	open := ber(0x30, der(0x06, string(oidSigned))+ber(0xa0, ber(0x30, der(0x02, "\x01")+der(0x31, "")+
		ber(0x30, data+ber(0xa0, ber(0x24, der(0x04, mail[:20])+der(0x04, mail[20:])))))))
	sealed := der(0x30, der(0x06, string(oidEnveloped))+der(0xa0, der(0x30, der(0x02, "\x01"))))
	for name, c := range map[string]struct{ kind, body, want string }{
		"definite":         {"application/pkcs7-mime; smime-type=signed-data; name=smime.p7m", definite, "The plan holds."},
		"open":             {"application/x-pkcs7-mime; smime-type=signed-data; name=smime.p7m", open, "The plan holds."},
		"as any file":      {"application/octet-stream; name=smime.p7m", open, "The plan holds."},
		"sealed":           {"application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m", sealed, encrypted},
		"cut off":          {"application/pkcs7-mime; name=smime.p7m", definite[:len(definite)-5], "The plan hol"},
		"nested for ever":  {"application/pkcs7-mime; name=smime.p7m", strings.Repeat("\x30\x80", 5000), ""},
		"lengths that lie": {"application/pkcs7-mime; name=smime.p7m", "\x30\x84\xff\xff\xff\xff\x06\x7f", ""},
		"something else":   {"application/pkcs7-mime; name=smime.p7m", "no ASN.1 at all", ""},
	} {
		raw := "Subject: Plan\r\nContent-Type: " + c.kind + "\r\nContent-Transfer-Encoding: base64\r\n\r\n" + base64.StdEncoding.EncodeToString([]byte(c.body))
		r := Read([]byte(raw), Options{})
		if r.Body != c.want || (c.want == "") != (len(r.Attachments) == 1) {
			t.Errorf("%s: %q %v, want %q", name, r.Body, r.Attachments, c.want)
		}
	}
	pgp := "Subject: Plan\nContent-Type: multipart/encrypted; protocol=\"application/pgp-encrypted\"; boundary=b\n\n--b\nContent-Type: application/pgp-encrypted\n\nVersion: 1\n" +
		"--b\nContent-Type: application/octet-stream\n\n-----BEGIN PGP MESSAGE-----\n\nabc\n-----END PGP MESSAGE-----\n--b--\n"
	if r := Read([]byte(crlf(pgp)), Options{}); r.Body != encrypted || len(r.Attachments) > 0 {
		t.Errorf("OpenPGP: %q %v", r.Body, r.Attachments)
	}
}

// TestOddParts: text is found where a mail is not as its header says.
func TestOddParts(t *testing.T) {
	inner := "Subject: inner\n\nThe news itself.\n"
	for name, c := range map[string]struct{ mail, want string }{
		"another boundary":             {"Subject: a\nContent-Type: multipart/alternative; boundary=x\n\n--y1234\nContent-Type: text/plain\n\nfound\n--y1234\nContent-Type: text/html\n\n<b>found</b>\n--y1234--\n", "found"},
		"words above another boundary": {"Subject: a\nContent-Type: multipart/mixed; boundary=x\n\nabove\n\n--y1234\nContent-Type: text/plain\n\nfound\n--y1234--\n", "above\n\nfound"},
		"no part at all":               {"Subject: a\nContent-Type: multipart/mixed; boundary=x1234\n\njust words\n\n--x1234--\n", "just words\n\n--x1234--"},
		"text of an unknown kind":      {"Subject: a\nContent-Type: multipart/mixed; boundary=x\n\n--x\nContent-Type: text/x-note\n\nfound\n--x--\n", "found"},
		"a mail in a mail in a mail":   {"Subject: a\nContent-Type: message/rfc822\n\nSubject: b\nContent-Type: message/rfc822\n\n" + inner, "The news itself."},
		"a mail below a signature":     {"Subject: a\nContent-Type: multipart/mixed; boundary=x\n\n--x\n\n-- \nBen\n--x\nContent-Type: message/rfc822\n\n" + inner + "--x--\n", "The news itself."},
		"lines in a cell":              {"Subject: a\nContent-Type: text/html\n\n<table><tr><th>A<th>B<tr><td>x<br>y<td><div>z</div><div>w</div></table>", "| A | B |\n|---|---|\n| x y | z w |"},
		"a mail as it stood, in HTML":  {"Subject: Re: a\nIn-Reply-To: <1@x>\nContent-Type: text/html\n\n<pre>Fine.\n\nOn Mon, 2 Nov 2026, Ana wrote:\n&gt; Shall we?\n</pre>", "Fine."},
		"code in HTML":                 {"Subject: Re: a\nIn-Reply-To: <1@x>\nContent-Type: text/html\n\n<p>Run</p><pre>&gt; select 1;\nok</pre>", "Run\n\n```\n> select 1;\nok\n```"},
	} {
		if r := Read([]byte(crlf(c.mail)), Options{}); strings.ReplaceAll(r.Body, "\r", "") != c.want {
			t.Errorf("%s: %q, want %q", name, r.Body, c.want)
		}
	}
}

// TestTitleOfText: a mail without a subject is named by its first line, as a person reads it.
func TestTitleOfText(t *testing.T) {
	for html, want := range map[string]string{
		"<p>The <b>plan</b> holds</p><p>more</p>": "The plan holds", "<p>a_b_c and x*y</p>": "a_b_c and x*y", "<h1>News</h1>": "News", "<p><a href=\"https://example.com/a\">See</a> this</p>": "See this",
		"<p><i>soon</i> there</p>": "soon there", "<p>____</p><p>News</p>": "News",
	} {
		if r := Read([]byte("From: ana@example.com\r\nContent-Type: text/html\r\n\r\n"+html), Options{}); r.Title != want {
			t.Errorf("%s: %q, want %q", html, r.Title, want)
		}
	}
}

// TestHiddenText: what nobody sees is not read, and what a framework only seems to hide is.
func TestHiddenText(t *testing.T) {
	for html, want := range map[string]string{
		`<div style="display:none">pre</div><p>News</p>`: "News", `<div style="max-height:0;overflow:hidden">pre</div><p>News</p>`: "News", `<span style="opacity: 0.0">pre</span><p>News</p>`: "News",
		`<div style="font-size:0">pre</div><p>News</p>`: "News", `<div hidden>pre</div><p>News</p>`: "News", `<div style="opacity:0.9;max-height:0.5em">News</div>`: "News",
		`<table><tr><td style="direction:ltr;font-size:0px;padding:20px 0;text-align:center;"><div class="mj-column-per-100" style="font-size:0px;text-align:left;"><table role="presentation"><tr><td style="font-size:0px;padding:10px 25px;"><div style="font-family:Ubuntu;font-size:13px;line-height:1;color:#000;">News</div></td></tr></table></div></td></tr></table>`: "News",
	} {
		if r := Read([]byte("Subject: a\r\nContent-Type: text/html\r\n\r\n"+html), Options{}); r.Body != want {
			t.Errorf("%s: %q, want %q", html, r.Body, want)
		}
	}
}

// TestOddCharsets: names of charsets that stand in no registry.
func TestOddCharsets(t *testing.T) {
	for label, c := range map[string]struct{ bytes, want string }{
		"win-1251": {"\xcf\xf0\xe8", "При"}, "cp-1251": {"\xcf\xf0\xe8", "При"}, "iso8859_1": {"\xe4", "ä"}, "8859-1": {"\xe4", "ä"}, "Latin-1": {"\xe4", "ä"}, "latin-9": {"\xa4", "€"},
		"cp-850": {"\x84", "ä"}, "DOS-862": {"\x80", "א"}, "cp932": {"\x82\xa0", "あ"}, "eucJP": {"\xa4\xa2", "あ"}, "cp949": {"\xc7\xd1", "한"}, "ks_c_5601": {"\xc7\xd1", "한"},
		"ISO-2022-JP-MS": {"\x1b$B$\"\x1b(B", "あ"}, "utf8mb4": {"ä", "ä"}, "utf_8": {"ä", "ä"}, "UTF-8;": {"ä", "ä"}, "no-such-thing": {"ä", "ä"}, "x-nothing": {"\xe4", "ä"},
	} {
		raw := "From: =?" + strings.TrimSuffix(label, ";") + "?B?" + base64.StdEncoding.EncodeToString([]byte(c.bytes)) + "?= <ana@example.com>\r\nSubject: a\r\nContent-Type: text/plain; charset=\"" + label + "\"\r\n\r\n" + c.bytes
		if r := Read([]byte(raw), Options{}); r.Body != c.want || r.From.Name != c.want {
			t.Errorf("%s: %q, %q, want %q", label, r.Body, r.From.Name, c.want)
		}
	}
}
