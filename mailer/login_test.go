package mailer

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
)

var b64 = base64.StdEncoding

// TestLogin does each login from the server's side.
func TestLogin(t *testing.T) {
	for name, c := range map[string]struct {
		offers string
		serve  func(p *peer)
	}{
		"PLAIN": {"XOAUTH2 PLAIN", func(p *peer) {
			p.hear("AUTH PLAIN " + b64.EncodeToString([]byte("\x00ana\x00s3cret")))
		}},
		"LOGIN": {"LOGIN", func(p *peer) {
			p.hear("AUTH LOGIN")
			p.say("334 " + b64.EncodeToString([]byte("Username:")))
			p.hear(b64.EncodeToString([]byte("ana")))
			p.say("334 " + b64.EncodeToString([]byte("Password:")))
			p.hear(b64.EncodeToString([]byte("s3cret")))
		}},
		"CRAM-MD5 before PLAIN in clear": {"PLAIN LOGIN CRAM-MD5", func(p *peer) {
			p.hear("AUTH CRAM-MD5")
			p.say("334 " + b64.EncodeToString([]byte("<1896.697170952@mail.example.com>")))
			mac := hmac.New(md5.New, []byte("s3cret"))
			mac.Write([]byte("<1896.697170952@mail.example.com>"))
			p.hear(b64.EncodeToString([]byte("ana " + hex.EncodeToString(mac.Sum(nil)))))
		}},
		"SCRAM-SHA-256": {"PLAIN CRAM-MD5 SCRAM-SHA-256", scram},
	} {
		t.Run(name, func(t *testing.T) {
			host, port := script(t, func(n int, p *peer) {
				p.greet("AUTH " + c.offers)
				c.serve(p)
				p.say("235 2.7.0 welcome")
				p.take()
			})
			tr := transport(t, host, port, func(o *TransportOptions) { o.Username, o.Password = "ana", password("s3cret") })
			if se := send(t, tr, message("x")); se != nil {
				t.Error(se)
			}
		})
	}
}

// scram is the server of RFC 5802 with SHA-256 (RFC 7677), as far as it is needed to prove both sides.
func scram(p *peer) {
	p.hear("AUTH SCRAM-SHA-256")
	p.say("334 ")
	first := decode(p, p.hear(""))
	bare := strings.TrimPrefix(first, "n,,")
	_, nonce, _ := strings.Cut(bare, ",r=")
	nonce += "server"
	salt := []byte("salt of the test")
	challenge := fmt.Sprintf("r=%s,s=%s,i=4096", nonce, b64.EncodeToString(salt))
	p.say("334 " + b64.EncodeToString([]byte(challenge)))
	final := decode(p, p.hear(""))
	without, proof, _ := strings.Cut(final, ",p=")
	if want := "c=biws,r=" + nonce; without != want {
		p.t.Errorf("the client's final is %q, want %q", without, want)
	}
	salted, err := pbkdf2.Key(sha256.New, "s3cret", salt, 4096, sha256.Size)
	if err != nil {
		p.t.Error(err)
	}
	signed := bare + "," + challenge + "," + without
	clientKey := mac(salted, "Client Key")
	stored := sha256.Sum256(clientKey)
	signature := mac(stored[:], signed)
	for i := range signature {
		signature[i] ^= clientKey[i]
	}
	if got := b64.EncodeToString(signature); got != proof {
		p.t.Errorf("the proof is %q, want %q", proof, got)
	}
	p.say("334 " + b64.EncodeToString([]byte("v="+b64.EncodeToString(mac(mac(salted, "Server Key"), signed)))))
	p.hear("")
}

func mac(key []byte, s string) []byte {
	m := hmac.New(sha256.New, key)
	m.Write([]byte(s))
	return m.Sum(nil)
}

func decode(p *peer, s string) string {
	b, err := b64.DecodeString(s)
	if err != nil {
		p.t.Errorf("%q: %v", s, err)
	}
	return string(b)
}

// TestNoPasswordInClear: to another machine a password goes inside TLS only. The name leads to loopback, but not by its form.
func TestNoPasswordInClear(t *testing.T) {
	_, port := script(t, func(n int, p *peer) {
		p.greet("AUTH PLAIN LOGIN")
		p.hear("QUIT")
		p.say("221 bye")
	})
	tr := transport(t, "::ffff:127.0.0.1", port, func(o *TransportOptions) {
		o.Username, o.Password = "ana", password("s3cret")
	})
	se := send(t, tr, message("x"))
	if se == nil || se.Permanent || !strings.Contains(se.Text, "in clear") {
		t.Errorf("got %+v", se)
	}
}
