package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestACertificateThatRunsOutIsTold: once, some days before, also over a restart, and once when it is renewed; what cannot be reached changes
// nothing.
func TestACertificateThatRunsOutIsTold(t *testing.T) {
	t.Parallel()
	s := newService(t, "operators: [op@example.com]\n")
	s.must(s.stop())
	first := &x509.Certificate{NotBefore: s.clock.now().Add(-70 * 24 * time.Hour), NotAfter: s.clock.now().Add(20 * 24 * time.Hour)}
	root := &x509.Certificate{NotBefore: first.NotBefore, NotAfter: first.NotAfter.Add(9 * 365 * 24 * time.Hour)}
	var cert atomic.Pointer[x509.Certificate]
	cert.Store(first)
	var down atomic.Bool
	s.dialTLS = func(_ context.Context, addr string) (*tls.ConnectionState, error) {
		c := cert.Load()
		switch {
		case addr != "quiet.example.com:443":
			t.Errorf("looked at %s", addr)
		case down.Load():
			return nil, errors.New("connection refused")
		case s.clock.now().After(c.NotAfter):
			return nil, &tls.CertificateVerificationError{Err: x509.CertificateInvalidError{Cert: c, Reason: x509.Expired}}
		}
		return &tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{{c, root}}}, nil
	}
	s.start()
	const begins, over = "quietpost: a certificate or token runs out: quiet.example.com:443", "quietpost: a certificate or token is renewed: quiet.example.com:443"
	s.passes(3*time.Minute, time.Minute)
	s.inbox.wait(t, 0)
	if out := s.doctor(); !strings.Contains(out, "ok    certificate of quiet.example.com:443: good until 2026-12-13 08:00:00 UTC") {
		t.Error(out)
	}
	s.clock.set(first.NotAfter.Add(-13 * 24 * time.Hour))
	s.passes(3*time.Minute, time.Minute)
	s.comes("it is told", begins)
	if text := s.textOf(begins); !strings.Contains(text, "good until 2026-12-13 08:00:00 UTC") {
		t.Errorf("it says: %s", text)
	}
	if out := s.doctor(); !strings.Contains(out, "FAIL  certificate of quiet.example.com:443") {
		t.Error(out)
	}
	down.Store(true) // neither the proxy's being down nor a restart is a renewal
	s.passes(8*time.Hour, 4*time.Hour)
	s.must(s.stop())
	s.start()
	s.passes(3*time.Minute, time.Minute)
	down.Store(false)
	s.clock.set(first.NotAfter.Add(time.Hour))
	s.passes(3*time.Minute, time.Minute)
	s.inbox.wait(t, 1)
	if out := s.doctor(); !strings.Contains(out, "FAIL  certificate of quiet.example.com:443: good until 2026-12-13") {
		t.Error(out)
	}
	cert.Store(&x509.Certificate{NotBefore: s.clock.now(), NotAfter: s.clock.now().Add(90 * 24 * time.Hour)})
	s.passes(expiresEvery+2*time.Minute, time.Minute*61)
	s.comes("it is over", over)
	s.inbox.wait(t, 2)
}

// comes lets minutes pass until there is one mail of this subject: on a busy machine a loop may look late.
func (s *service) comes(what, subject string) {
	s.t.Helper()
	s.until(what, func() bool {
		s.passes(time.Minute, time.Minute)
		return s.mails(subject) == 1
	})
}

// doctor is what the command prints, however it ends.
func (s *service) doctor() string {
	_, out := s.command("doctor")
	return out
}
