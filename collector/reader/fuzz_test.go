package reader

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"quietpost/digest"
)

// FuzzRead: whatever the bytes are there is a reading, bounded and fit to be kept. Seeds are one of each kind of trouble.
func FuzzRead(f *testing.F) {
	for _, c := range mimeCases {
		f.Add([]byte(c.mail))
	}
	for _, c := range bounceCases {
		f.Add([]byte(c.mail))
	}
	for _, c := range replyCases {
		f.Add([]byte("Subject: Re: x\r\nIn-Reply-To: <1@x>\r\n\r\n" + c.text))
		f.Add([]byte("Subject: Re: x\r\nContent-Type: text/html\r\n\r\n<div>" + strings.ReplaceAll(c.text, "\n", "<br>") + "</div>"))
	}
	for _, c := range serverReports {
		f.Add([]byte(c.mail))
	}
	for _, h := range quoteHeads {
		f.Add([]byte("Subject: Re: x\r\nIn-Reply-To: <1@x>\r\n\r\nFine.\r\n\r\n" + h.head + "\r\n> old\r\n"))
	}
	for _, c := range htmlReplies {
		f.Add([]byte("Subject: Re: x\r\nContent-Type: text/html\r\n\r\n" + c.html))
	}
	f.Add([]byte("Content-Type: application/pkcs7-mime\r\n\r\n" + ber(0x30, der(0x06, string(oidSigned))+ber(0xa0, ber(0x30, der(0x02, "\x01")+ber(0x30, der(0x06, "x")+ber(0xa0, ber(0x24, der(0x04, "a: b\r\n\r\nx")))))))))
	fuzzing := flag.Lookup("test.fuzz").Value.String() != ""
	if root := os.Getenv("QUIETPOST_CORPUS"); root != "" && fuzzing { // real mails are the best seeds; TestCorpus reads them else
		files, _ := filepath.Glob(filepath.Join(root, "mail", "*", "*.eml"))
		for _, file := range files {
			if raw, err := os.ReadFile(file); err == nil && len(raw) < 20_000 {
				f.Add(raw)
			}
		}
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		r := Read(raw, Options{KnownProject: func(string) bool { return true }})
		if r.NoAnswer == "it could not be read" {
			t.Error("only the fallback could read it")
		}
		fit(t, &r)
		head, body := Split(raw)
		if string(head)+string(body) != string(raw) {
			t.Error("Split lost bytes")
		}
		if again := Read(raw, Options{KnownProject: func(string) bool { return true }}); again.Body != r.Body || again.Title != r.Title {
			t.Error("two readings differ")
		}
	})
}

// fit checks what every reading promises.
func fit(t *testing.T, r *Reading) {
	t.Helper()
	if r.Title == "" || utf8.RuneCountInString(r.Title) > digest.MaxTitle || len(r.Body) > digest.MaxBody {
		t.Errorf("title of %d, body of %d", len(r.Title), len(r.Body))
	}
	lines := []string{r.Title, r.Subject, r.From.Name, r.From.Address, r.Writer.Name, r.Writer.Address, r.MessageID, r.InReplyTo,
		r.ListID, r.ListName, r.State, r.Level, r.Thread, r.Event}
	lines = append(append(lines, r.Recipients...), r.References...)
	for _, a := range r.Attachments {
		lines = append(lines, a.Name, a.Type)
		if a.Size < 0 {
			t.Errorf("attachment of %d bytes", a.Size)
		}
	}
	for _, b := range r.Bounces {
		lines = append(lines, b.Address, b.MessageID, b.Status, b.Text)
		if b.Class == "" {
			t.Error("a bounce of no class")
		}
	}
	for _, s := range lines {
		if !utf8.ValidString(s) || strings.ContainsAny(s, "\r\n\x00") || len(s) > 5000 {
			t.Errorf("not one fit line: %.200q", s)
		}
	}
	if !utf8.ValidString(r.Body) || strings.ContainsAny(r.Body, "\r\x00") {
		t.Errorf("not a fit body: %.200q", r.Body)
	}
	if len(r.Recipients) > maxPeople || len(r.References) > maxIDs || len(r.Attachments) > maxParts || len(r.Bounces) > maxBounces {
		t.Error("more than the bounds")
	}
}
