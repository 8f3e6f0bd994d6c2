package mailer

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"testing"

	"github.com/emersion/go-msgauth/dkim"
)

func pkcs8(t testing.TB, key crypto.Signer) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

func keys(t testing.TB) map[string][]byte {
	t.Helper()
	r, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return map[string][]byte{
		"RSA, PKCS #1": pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(r)}),
		"RSA, PKCS #8": pkcs8(t, r),
		"Ed25519":      pkcs8(t, ed),
	}
}

// verify gives why the signature is bad, nil if it is good.
func verify(t testing.TB, s *Signer, raw []byte) error {
	t.Helper()
	name, record := s.Record()
	list, err := dkim.VerifyWithOptions(bytes.NewReader(raw), &dkim.VerifyOptions{LookupTXT: func(domain string) ([]string, error) {
		if domain != name {
			t.Errorf("the key is looked up at %s", domain)
		}
		return []string{record}, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	if len(list) != 1 {
		t.Fatalf("%d signatures", len(list))
	}
	for _, field := range []string{"List-Unsubscribe", "List-Unsubscribe-Post", "From", "Subject", "X-Quietpost-Window"} {
		found := false
		for _, key := range list[0].HeaderKeys {
			found = found || strings.EqualFold(key, field)
		}
		if !found {
			t.Errorf("%s is not signed: %v", field, list[0].HeaderKeys)
		}
	}
	return list[0].Err
}

func TestDKIM(t *testing.T) {
	raw, err := newComposer(t).Compose(fullLetter())
	if err != nil {
		t.Fatal(err)
	}
	for name, key := range keys(t) {
		t.Run(name, func(t *testing.T) {
			s, err := NewSigner("example.com", "quietpost", key)
			if err != nil {
				t.Fatal(err)
			}
			out, err := s.Sign(raw)
			if err != nil {
				t.Fatal(err)
			}
			checkWire(t, out)
			if !bytes.HasSuffix(out, raw) {
				t.Error("the message itself was changed")
			}
			if err := verify(t, s, out); err != nil {
				t.Errorf("the signature is not good: %v", err)
			}
			for what, changed := range map[string][]byte{
				"another subject":     bytes.Replace(out, []byte("Apollo"), []byte("Hermes"), 1),
				"a subject added":     append([]byte("Subject: other\r\n"), out...),
				"a sender added":      append([]byte("From: x@evil.example\r\n"), out...),
				"another text":        bytes.Replace(out, []byte("Good morning"), []byte("Bad morning"), 1),
				"another leave link":  bytes.Replace(out, []byte("quiet.example.com"), []byte("quiet.example.net"), 1),
				"one-click taken off": bytes.Replace(out, []byte("List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"), nil, 1),
			} {
				if bytes.Equal(changed, out) || verify(t, s, changed) == nil {
					t.Errorf("the signature stands with %s", what)
				}
			}
		})
	}
}

// TestDKIMAtSending: what travels is signed, dots and lone line ends and all.
func TestDKIMAtSending(t *testing.T) {
	s, err := NewSigner("example.com", "quietpost", keys(t)["Ed25519"])
	if err != nil {
		t.Fatal(err)
	}
	b := &realServer{}
	serve(t, b, nil, false)
	tr := transport(t, b.host, b.port, func(o *TransportOptions) { o.Signer = s })
	raw, err := newComposer(t).Compose(fullLetter())
	if err != nil {
		t.Fatal(err)
	}
	for _, raw := range [][]byte{raw, bytes.ReplaceAll(raw, []byte("\r\n"), []byte("\n"))} {
		m := message("x")
		m.Bytes = raw
		if se := send(t, tr, m); se != nil {
			t.Fatal(se)
		}
	}
	for _, got := range b.taken() {
		if err := verify(t, s, []byte(got)); err != nil {
			t.Errorf("%v\n%s", err, got)
		}
	}
}

func TestNewSignerRefuses(t *testing.T) {
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	good := keys(t)["Ed25519"]
	for name, c := range map[string]struct {
		domain, selector string
		key              []byte
	}{
		"no domain":   {"", "s", good},
		"no selector": {"example.com", "", good},
		"a space":     {"exa mple.com", "s", good},
		"no PEM":      {"example.com", "s", []byte("abc")},
		"broken PEM":  {"example.com", "s", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("abc")})},
		"an EC key":   {"example.com", "s", pkcs8(t, ec)},
	} {
		if _, err := NewSigner(c.domain, c.selector, c.key); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}
