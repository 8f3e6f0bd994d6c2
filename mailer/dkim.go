package mailer

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/emersion/go-msgauth/dkim"
)

// A Signer makes DKIM signatures (RFC 6376; Ed25519: RFC 8463). It is safe for many goroutines.
type Signer struct {
	options dkim.SignOptions
}

// signed are the header fields under the signature: RFC 6376, section 5.4.1, and those that RFC 8058, section 4 demands. From,
// To and Subject stand twice, so that none can be added in front of ours.
func signed() []string {
	return []string{"From", "From", "To", "To", "Subject", "Subject", "Date", "Message-ID", "Reply-To", "In-Reply-To",
		"References", "List-ID", "List-Unsubscribe", "List-Unsubscribe-Post", "MIME-Version", "Content-Type",
		"Auto-Submitted", "Feedback-ID", "X-Quietpost-Edition", "X-Quietpost-Window"}
}

// NewSigner takes the private key in PEM: PKCS #1 or PKCS #8, RSA of 1024 bits or more, or Ed25519.
func NewSigner(domain, selector string, key []byte) (*Signer, error) {
	if !isToken(domain) || !isToken(selector) {
		return nil, errors.New("DKIM needs a domain and a selector")
	}
	block, _ := pem.Decode(key)
	if block == nil {
		return nil, errors.New("the DKIM key is not in PEM form")
	}
	private, err := parseKey(block)
	if err != nil {
		return nil, fmt.Errorf("the DKIM key cannot be read: %w", err)
	}
	return &Signer{dkim.SignOptions{
		Domain: domain, Selector: selector, Signer: private, HeaderKeys: signed(),
		HeaderCanonicalization: dkim.CanonicalizationRelaxed, BodyCanonicalization: dkim.CanonicalizationRelaxed,
	}}, nil
}

func parseKey(block *pem.Block) (crypto.Signer, error) {
	if block.Type == "RSA PRIVATE KEY" {
		return x509.ParsePKCS1PrivateKey(block.Bytes)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	switch key := key.(type) {
	case *rsa.PrivateKey:
		return key, nil
	case ed25519.PrivateKey:
		return key, nil
	}
	return nil, fmt.Errorf("%T is neither RSA nor Ed25519", key)
}

// Sign gives the message with a DKIM-Signature in front. Lines must end in CRLF.
func (s *Signer) Sign(message []byte) ([]byte, error) {
	o := s.options
	signer, err := dkim.NewSigner(&o)
	if err != nil {
		return nil, err
	}
	if _, err := signer.Write(message); err != nil {
		return nil, err
	}
	if err := signer.Close(); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.Grow(len(message) + 1024)
	b.WriteString(signer.Signature())
	b.Write(message)
	return b.Bytes(), nil
}

// Record is where the public key has to stand in the DNS, and the TXT record's value.
func (s *Signer) Record() (name, value string) {
	name = s.options.Selector + "._domainkey." + s.options.Domain
	if public, ok := s.options.Signer.Public().(ed25519.PublicKey); ok {
		return name, "v=DKIM1; k=ed25519; p=" + base64.StdEncoding.EncodeToString(public)
	}
	der, err := x509.MarshalPKIXPublicKey(s.options.Signer.Public())
	if err != nil {
		return name, "" // not with the keys that NewSigner takes
	}
	return name, "v=DKIM1; k=rsa; p=" + base64.StdEncoding.EncodeToString(der)
}

// Bits is the size of an RSA key; 0 of another.
func (s *Signer) Bits() int {
	if public, ok := s.options.Signer.Public().(*rsa.PublicKey); ok {
		return public.N.BitLen()
	}
	return 0
}
