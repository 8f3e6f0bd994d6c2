package mailbox

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TLS, implicit and by STARTTLS, is checked against the CA file; a stranger's certificate is refused.
func TestTLS(t *testing.T) {
	cert, ca := selfSigned(t)
	for _, mode := range []string{TLSImplicit, TLSStart} {
		for _, trusted := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s trusted=%v", mode, trusted), func(t *testing.T) {
				l, in := newTLSLab(t, mode, cert), newIntake()
				o := l.options(in)
				o.TLS, o.Host = mode, "localhost"
				if trusted {
					o.CAFile = ca
				}
				m, _ := run(t, o)
				state, err := TLS(t.Context(), o)
				if trusted {
					eventually(t, "connected", func() bool { return m.Status().Connected })
					if err != nil || len(state.VerifiedChains) == 0 {
						t.Errorf("the certificate: %v, %v", state, err)
					}
					return
				}
				if err == nil {
					t.Error("a stranger's certificate is shown as if it were good")
				}
				eventually(t, "refused", func() bool { return strings.Contains(m.Status().Err, "certificate") })
			})
		}
	}
}

func selfSigned(t *testing.T) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"},
		DNSNames: []string{"localhost"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, file
}

// What is said between STARTTLS and TLS is nobody's word, and a server that does not secure is not logged in to.
func TestStartTLSIsNotTalkedOutOf(t *testing.T) {
	for greeting, answer := range map[string]string{"* OK hello": "S NO not here\r\n", "* PREAUTH welcome": "S OK go on\r\n", "* BYE no": ""} {
		asked := make(chan string, 10)
		port := scriptGreeting(t, greeting, func(_ net.Conn, tag, line string) string {
			asked <- line
			return answer
		})
		o := hostile(t, port, newIntake())
		o.TLS = TLSStart
		m, stop := run(t, o)
		eventually(t, "told", func() bool { return strings.Contains(m.Status().Err, "STARTTLS") })
		stop()
		close(asked)
		for line := range asked {
			if line != "STARTTLS" {
				t.Errorf("%s: it was told %q", greeting, line)
			}
		}
	}
}
