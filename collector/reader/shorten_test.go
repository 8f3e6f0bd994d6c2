package reader

import (
	"bytes"
	"crypto/sha256"
	"slices"
	"strings"
	"testing"
)

func shorten(raw []byte, piece int) *Shortener {
	s := NewShortener()
	for chunk := range slices.Chunk(raw, piece) {
		s.Write(chunk)
	}
	return s
}

// What is read of the shortened mail is what is read of the whole one, however it arrives in pieces.
func TestShortened(t *testing.T) {
	base64 := strings.Repeat(strings.Repeat("QUFB", 19)+"\n", 400)
	for name, mail := range map[string]string{
		"plain": "Subject: a\n\nText of it.\n",
		"attachments": "Subject: Large\nContent-Type: multipart/mixed; boundary=b\n\npreamble\n--b\nContent-Type: text/plain\n\nThe plan is attached.\n" +
			"--b\nContent-Type: application/pdf; name=plan.pdf\nContent-Transfer-Encoding: base64\n\n" + base64 +
			"--b\nContent-Type: image/png; name=\"a b.png\"\n\n\x00\x01--b\n\xff\n--b--\nepilogue\n",
		"alternative in mixed": "Subject: s\nContent-Type: multipart/mixed; boundary=\"o\"\n\n--o\nContent-Type: multipart/alternative; boundary=i\n\n" +
			"--i\nContent-Type: text/plain\n\nplain\n--i\nContent-Type: text/html\n\n<p>rich</p>\n--i--\n\n--o\nContent-Type: text/csv; name=x.csv\n\n1,2\n--o--\n",
		"forwarded": "Subject: Fwd\nContent-Type: multipart/mixed; boundary=o\n\n--o\nContent-Type: message/rfc822\n\n" +
			"Subject: inner\nContent-Type: multipart/mixed; boundary=n\n\n--n\n\ninner text\n--n\nContent-Type: application/zip; name=z.zip\nContent-Transfer-Encoding: base64\n\n" +
			base64 + "--n--\n--o--\n",
		"left open": "Subject: s\nContent-Type: multipart/mixed; boundary=o\n\n--o\n\nfirst\n--o\nContent-Type: application/zip\n\nabc",
		"no header": "just text\nmore\n",
	} {
		for _, eol := range []string{"\n", "\r\n"} {
			raw := []byte(strings.ReplaceAll(mail, "\n", eol))
			want := Read(raw, Options{})
			for _, piece := range []int{1, 7, len(raw)} {
				s := shorten(raw, piece)
				short := slices.Clone(s.Bytes())
				got := Read(short, Options{})
				if got.Title != want.Title || got.Body != want.Body {
					t.Errorf("%s in pieces of %d: %q %q, want %q %q\n%s", name, piece, got.Title, got.Body, want.Title, want.Body, short)
				}
				for i, a := range want.Attachments {
					if i >= len(got.Attachments) || name != "forwarded" && got.Attachments[i].Name != a.Name ||
						name != "forwarded" && (got.Attachments[i].Size-a.Size > 4 || a.Size-got.Attachments[i].Size > 4) {
						t.Errorf("%s: attachments %v, want %v", name, got.Attachments, want.Attachments)
					}
				}
				if _, body := Split(raw); name != "no header" && s.Sum() != sha256.Sum256(body) {
					t.Errorf("%s: another sum of the body", name)
				}
				if strings.Contains(string(short), "QUFBQUFB") {
					t.Errorf("%s: an attachment was kept", name)
				}
			}
		}
	}
}

// However large a mail is, and whatever is in it, little is kept.
func TestShortenedIsSmall(t *testing.T) {
	for name, fill := range map[string]string{
		"lines": strings.Repeat("text\r\n", 1<<20), "one line": strings.Repeat("x", 8<<20),
		"headers": strings.Repeat("--b\r\nA: "+strings.Repeat("a", 30000)+"\r\n\r\n", 300), "boundaries": strings.Repeat("--b\r\n", 1<<20),
		"nested": strings.Repeat("--b\r\nContent-Type: message/rfc822\r\n\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n", 20000),
	} {
		s := NewShortener()
		s.Write([]byte("Subject: s\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n"))
		s.Write([]byte(fill))
		if n := len(s.Bytes()); n > 8<<20 {
			t.Errorf("%s: %d bytes were kept", name, n)
		}
	}
}

func FuzzShortener(f *testing.F) {
	for _, seed := range []string{"", "a: b\n\n", "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n--b--\n", "\n\n--\n"} {
		f.Add([]byte(seed), 3)
	}
	f.Fuzz(func(t *testing.T, raw []byte, piece int) {
		whole := shorten(raw, max(len(raw), 1))
		pieces := shorten(raw, min(max(piece, 1), 4096))
		if !bytes.Equal(whole.Bytes(), pieces.Bytes()) || whole.Sum() != pieces.Sum() {
			t.Fatalf("pieces make a difference:\n%q\n%q", whole.Bytes(), pieces.Bytes())
		}
	})
}
