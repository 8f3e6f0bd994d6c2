package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"quietpost/collector/mailbox"
	"quietpost/digest"
	"quietpost/mailer"
)

// expiresEvery is how often certificates are looked at.
const expiresEvery = 6 * time.Hour

// tokenSoon is how long before its end a refresh token is told of: its inbox falls silent then.
const tokenSoon = 3 * 24 * time.Hour

// expiresTime is how long one server may take to show its certificate.
const expiresTime = 20 * time.Second

// A tlsServer is one whose certificate the service, or its readers, depend on.
type tlsServer struct {
	name string                                                  // host and port
	look func(ctx context.Context) (*tls.ConnectionState, error) // over a new connection: one that lasts for weeks shows the old certificate; nil in clear
}

// tlsServers are the mail server, those of the inboxes, and what stands before the pages.
func tlsServers(e *env, cfg *loaded) (all []tlsServer) {
	if o, err := transportOptions(cfg, nil); err == nil && o.TLS != mailer.NoTLS {
		if t, err := mailer.NewTransport(o); err == nil {
			all = append(all, tlsServer{net.JoinHostPort(o.Host, strconv.Itoa(o.Port)), t.TLS})
		}
	}
	for i := range cfg.Inboxes {
		if o, err := inboxOptions(cfg.dataDir, &cfg.Inboxes[i], e.now); err == nil && o.TLS != mailbox.TLSNone {
			all = append(all, tlsServer{net.JoinHostPort(o.Host, strconv.Itoa(o.Port)), func(ctx context.Context) (*tls.ConnectionState, error) {
				return mailbox.TLS(ctx, o)
			}})
		}
	}
	if u, err := url.Parse(cfg.BaseURL); err == nil && u.Scheme == "https" && e.dialTLS != nil {
		port := u.Port()
		if port == "" {
			port = "443"
		}
		addr := net.JoinHostPort(u.Hostname(), port)
		all = append(all, tlsServer{addr, func(ctx context.Context) (*tls.ConnectionState, error) { return e.dialTLS(ctx, addr) }})
	}
	slices.SortStableFunc(all, func(a, b tlsServer) int { return strings.Compare(a.name, b.name) })
	return slices.CompactFunc(all, func(a, b tlsServer) bool { return a.name == b.name }) // two inboxes of one server
}

// dialTLS is how the daemon looks at its own pages from outside.
func dialTLS(ctx context.Context, addr string) (*tls.ConnectionState, error) {
	conn, err := new(tls.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	state := conn.(*tls.Conn).ConnectionState()
	return &state, nil
}

// expires looks at one server's certificate: until when it is good, and whether it is time to renew it. What cannot be reached is told elsewhere,
// and gives a zero time.
func (s *tlsServer) expires(ctx context.Context, now time.Time) (until time.Time, soon bool) {
	ctx, cancel := context.WithTimeout(ctx, expiresTime)
	defer cancel()
	state, err := s.look(ctx)
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return invalid.Cert.NotAfter, true
	case err != nil || state == nil:
		return time.Time{}, false
	}
	from, until := lasting(state)
	return until, digest.RunsOut(from, until, now)
}

// lasting is how long the certificate holds that ends first in the chain that holds longest.
func lasting(state *tls.ConnectionState) (from, until time.Time) {
	for _, chain := range state.VerifiedChains {
		first := slices.MinFunc(chain, func(a, b *x509.Certificate) int { return a.NotAfter.Compare(b.NotAfter) })
		if first.NotAfter.After(until) {
			from, until = first.NotBefore, first.NotAfter
		}
	}
	return from, until
}

// expiresLoop is the loop over certificates.
const expiresLoop = "certificates"

// tickExpires looks at all certificates now and then. What was seen stays until another look succeeds.
func (h *house) tickExpires(ctx context.Context, g *generation) error {
	if now := h.e.now(); now.Sub(g.looked).Abs() < expiresEvery {
		return nil
	}
	for _, s := range g.servers {
		g.beat(expiresLoop, h.e.now())
		until, soon := s.expires(ctx, h.e.now())
		if ctx.Err() != nil {
			return nil
		}
		if !until.IsZero() {
			h.health.certificate(s.name, certificate{until, soon})
		}
	}
	g.looked = h.e.now()
	return nil
}

// A certificate is what the last look at one saw.
type certificate struct {
	until time.Time
	soon  bool // it is to be renewed
}

func (s *health) certificate(server string, c certificate) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.certificates == nil {
		s.certificates = map[string]certificate{}
	}
	s.certificates[server] = c
}

// expiringFaults are the certificates and tokens that are to be renewed. What was told of before the service was restarted stays until it has
// been looked at.
func (h *house) expiringFaults(g *generation, going map[string]time.Duration) (out []digest.Fault) {
	add := func(name, what string, until time.Time, seen, soon bool) {
		f := digest.Fault{Cause: digest.FaultExpires + "/" + name}
		if _, told := going[f.Cause]; soon {
			f.Text = what + ", good until " + stamp(until, g.cfg.TimeZone)
		} else if seen || !told {
			return
		}
		out = append(out, f)
	}
	for i, b := range g.boxes {
		in, until := &g.cfg.Inboxes[i], b.TokenRunsOut()
		add(in.Name, "the refresh token of the inbox "+in.Name+" ("+in.IMAP.Username+")", until, b.Status().Connected,
			!until.IsZero() && until.Sub(h.e.now()) < tokenSoon)
	}
	h.health.mu.Lock()
	defer h.health.mu.Unlock()
	for _, s := range g.servers {
		c, seen := h.health.certificates[s.name]
		add(s.name, "the certificate of "+s.name, c.until, seen, c.soon)
	}
	return out
}

// probeExpires shows until when each certificate is good.
func probeExpires(ctx context.Context, e *env, cfg *loaded) (out []finding) {
	for _, s := range tlsServers(e, cfg) {
		until, soon := s.expires(ctx, e.now())
		if until.IsZero() {
			continue
		}
		f := finding{Probe: "certificate of " + s.name, OK: !soon, Text: fmt.Sprintf("good until %s", stamp(until, cfg.TimeZone))}
		if soon {
			f.Do = "renew it, and have the server load it: when it has run out, nobody talks to that server"
		}
		out = append(out, f)
	}
	return out
}
