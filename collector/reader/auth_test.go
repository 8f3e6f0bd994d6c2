package reader

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/emersion/go-msgauth/dkim"
)

// TestByResults: what a server that is trusted says of a sender, and what others put in its mouth.
func TestByResults(t *testing.T) {
	for head, want := range map[string]bool{
		"Authentication-Results: mx.example.com; dkim=pass header.d=example.org":                                                                                              true,
		"Authentication-Results: mx.example.com 1; dkim=pass header.d=example.org":                                                                                            true,
		"Authentication-Results: MX.EXAMPLE.COM;\n\tspf=pass (sender IP is 192.0.2.1) smtp.mailfrom=ana@example.org;\n\tdmarc=none header.from=example.org":                   true,
		"Authentication-Results: mx.example.com; dkim=pass (2048-bit key) header.d=mail.example.org header.i=@mail.example.org header.b=x":                                    true,
		"Authentication-Results: mx.example.com; dmarc=pass (p=REJECT sp=REJECT dis=NONE) header.from=example.org":                                                            true,
		"Authentication-Results: mx.example.com; dmarc=pass action=none header.from=example.org;compauth=pass reason=100":                                                     true,
		"Authentication-Results: mx.example.com; dkim=pass header.i=@example.org header.s=s1; spf=pass (x: domain of a@b designates 192.0.2.1) smtp.mailfrom=ana@example.org": true,
		"Authentication-Results: mx.example.com; auth=pass smtp.auth=ana@example.org smtp.mailfrom=ana@example.org":                                                           true,
		"Authentication-Results: relay.example.com; dkim=fail\nAuthentication-Results: mx.example.com; dkim=pass header.d=example.org":                                        true,

		"Authentication-Results: mx.example.com; dkim=fail header.d=example.org":                                                    false,
		"Authentication-Results: mx.example.com; dkim=pass header.d=evil.net; spf=pass smtp.mailfrom=evil.net":                      false,
		"Authentication-Results: mx.example.com; dmarc=pass header.from=evil.net":                                                   false,
		"Authentication-Results: mx.example.com; auth=pass smtp.auth=ben@example.org":                                               false,
		"Authentication-Results: other.example.com; dkim=pass header.d=example.org":                                                 false,
		"Authentication-Results: mx.example.com.evil.net; dkim=pass header.d=example.org":                                           false,
		"ARC-Authentication-Results: i=1; mx.example.com; dkim=pass header.d=example.org":                                           false,
		"Authentication-Results: mx.example.com; none":                                                                              false,
		"Authentication-Results: mx.example.com; dkim=none\nAuthentication-Results: mx.example.com; dkim=pass header.d=example.org": false,
		"Authentication-Results: mx.example.com; spf=pass (\"; dkim=pass header.d=example.org\") smtp.mailfrom=evil.net":            false,
		"Authentication-Results: mx.example.com; spf=fail smtp.mailfrom=\"a; dkim=pass header.d=example.org\"":                      false,
		"X-Nothing: at all": false,
	} {
		raw := []byte(crlf(head + "\nFrom: Ana <ana@example.org>\nSubject: a\n\nx\n"))
		r := Read(raw, Options{})
		if ok, why := Authenticate(raw, &r, "mx.example.com", nil); ok != want || why == "" {
			t.Errorf("%v (%s): %s", ok, why, head)
		}
	}
	for _, from := range []string{"From: ana@example.org, eve@evil.net", "From: ana@example.org\nFrom: eve@evil.net", "X: y"} {
		raw := []byte(crlf("Authentication-Results: mx.example.com; dkim=pass header.d=example.org\n" + from + "\nSubject: a\n\nx\n"))
		r := Read(raw, Options{})
		if ok, _ := Authenticate(raw, &r, "mx.example.com", nil); ok {
			t.Errorf("vouched for: %s", from)
		}
		if ok, _ := Authenticate(raw, &r, TrustInside, nil); !ok {
			t.Errorf("inside, not vouched for: %s", from)
		}
	}
}

// TestBySignature: a mail's own DKIM signature counts if it holds and is of the sender's domain.
func TestBySignature(t *testing.T) {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	lookup := func(name string) ([]string, error) {
		if strings.HasSuffix(name, "._domainkey.gone.example") {
			return nil, errors.New("no such host")
		}
		return []string{"v=DKIM1; k=ed25519; p=" + base64.StdEncoding.EncodeToString(public)}, nil
	}
	signed := func(domain, from string) []byte {
		mail := crlf(fmt.Sprintf("From: Ana <%s>\nSubject: News\nDate: Mon, 02 Nov 2026 10:00:00 +0000\nMessage-ID: <1@example.org>\n\nThe plan holds.\n", from))
		var out bytes.Buffer
		if err := dkim.Sign(&out, strings.NewReader(mail), &dkim.SignOptions{Domain: domain, Selector: "s1", Signer: private, HeaderKeys: []string{"From", "Subject"}}); err != nil {
			t.Fatal(err)
		}
		return out.Bytes()
	}
	good := signed("example.org", "ana@example.org")
	other := signed("list.example.net", "ana@example.org")
	for name, c := range map[string]struct {
		raw  []byte
		want bool
	}{
		"signed":                       {good, true},
		"by a domain above":            {signed("example.org", "ana@mail.example.org"), true},
		"with LF alone":                {bytes.ReplaceAll(good, []byte("\r\n"), []byte("\n")), true},
		"below one that does not hold": {append([]byte("DKIM-Signature: v=1; a=rsa-sha256; d=example.net; s=x; h=from; bh=x; b=x\r\n"), good...), true},
		"another text":                 {bytes.Replace(good, []byte("plan"), []byte("plot"), 1), false},
		"another subject":              {bytes.Replace(good, []byte("Subject: News"), []byte("Subject: Lies"), 1), false},
		"by another":                   {other, false},
		"by a suffix":                  {signed("co.uk", "ana@example.co.uk"), false},
		"whose key is gone":            {signed("gone.example", "ana@gone.example"), false},
		"not signed":                   {[]byte("From: ana@example.org\r\nSubject: a\r\n\r\nx\r\n"), false},
		"a second sender":              {append([]byte("From: eve@evil.net\r\n"), good...), false},
	} {
		r := Read(c.raw, Options{})
		if ok, why := Authenticate(c.raw, &r, "", lookup); ok != c.want || why == "" {
			t.Errorf("%s: %v (%s)", name, ok, why)
		}
	}
	r := Read(good, Options{})
	if ok, _ := Authenticate(good, &r, "", nil); ok {
		t.Error("vouched for without a key")
	}
}
