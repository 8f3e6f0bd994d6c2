package mailer

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/net/publicsuffix"

	"quietpost/digest"
)

// A Step is one line of a probe: what was tried, how it went, and what to do if it did not.
type Step struct {
	Name string // "smtp login"
	OK   bool
	Text string // what was found
	Do   string // empty if there is nothing to do
}

// Probe tries the server as a mail would: connect, TLS, login, and the sender; it sends nothing. What is unchecked because
// of an earlier fault is left out.
func (t *Transport) Probe(ctx context.Context) []Step {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	s, refused := t.connect(ctx)
	if refused != nil {
		return []Step{{Name: "smtp", Text: refused.Error(), Do: "check mail.smtp in the configuration, and that this machine may speak to the server"}}
	}
	defer s.quit()
	steps := []Step{{Name: "smtp", OK: true, Text: t.found(s)}}
	stop := context.AfterFunc(ctx, s.close)
	defer stop()
	from := t.from
	if t.o.ReturnPath != nil {
		from = t.o.ReturnPath(&digest.Message{ID: 1})
	}
	sender := Step{Name: "smtp sender", OK: true, Text: "it takes mail from " + from}
	s.write("MAIL FROM:<" + from + ">\r\n")
	a := s.read(ctx)
	if !a.takes(atMail) {
		sender = Step{Name: "smtp sender", Text: a.refusal(atMail).Error(),
			Do: "allow the login to send from mail.from and from mail.return_path, also with +b-… before the @"}
	}
	s.write("RSET\r\n")
	s.read(ctx)
	return append(steps, sender)
}

// TLS connects anew, without a login, and gives the state of the encryption; nil in clear.
func (t *Transport) TLS(ctx context.Context) (*tls.ConnectionState, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	stranger := &Transport{o: t.o}
	stranger.o.Username = ""
	s, refused := stranger.connect(ctx)
	if refused != nil {
		return nil, refused
	}
	defer s.quit()
	if t.o.TLS == NoTLS {
		return nil, nil
	}
	state, err := s.c.GetTLSConnectionState()
	return state, err
}

// found says how the connection stands.
func (t *Transport) found(s *session) string {
	text := t.address()
	if state, err := s.c.GetTLSConnectionState(); err == nil {
		text += ", " + tlsName(state.Version)
	} else {
		text += ", in clear"
	}
	if t.o.Username != "" {
		text += ", logged in as " + t.o.Username
	}
	if s.maxSize > 0 {
		text += fmt.Sprintf(", takes mails up to %d MB", s.maxSize/1_000_000)
	}
	if s.pipelining {
		text += ", PIPELINING"
	}
	return text
}

func tlsName(version uint16) string {
	if version == 0x0304 {
		return "TLS 1.3"
	}
	return "TLS 1.2"
}

// A Resolver looks names up; *net.Resolver is one.
type Resolver interface {
	LookupTXT(ctx context.Context, name string) ([]string, error)
	LookupMX(ctx context.Context, name string) ([]*net.MX, error)
	LookupHost(ctx context.Context, name string) ([]string, error)
}

// A Sender is what the DNS is asked about: who mail claims to be from.
type Sender struct {
	From       string  // address of the From header
	ReturnPath string  // envelope sender
	Signer     *Signer // nil where the mail server signs
}

// ProbeDNS checks what Gmail, Yahoo and Microsoft ask of a sender's domain: SPF, DKIM, DMARC with alignment, and a place where
// delivery reports can arrive. What only the relay's own addresses can tell (the PTR record) is not among them.
func ProbeDNS(ctx context.Context, r Resolver, s Sender) []Step {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	from, back := domainOf(s.From), domainOf(s.ReturnPath)
	p := &dnsProbe{ctx: ctx, r: r}
	steps := []Step{p.spf(back)}
	if s.Signer != nil {
		steps = append(steps, p.dkim(s.Signer))
	} else {
		steps = append(steps, Step{Name: "dkim", OK: true, Text: "not signed here: the mail server has to do it for " + from,
			Do: "look for DKIM-Signature with d=" + from + " in a mail that arrived; if there is none, set mail.dkim"})
	}
	steps = append(steps, p.dmarc(from))
	steps = append(steps, aligned(from, back, s.Signer), p.mx(back))
	return steps
}

func domainOf(address string) string {
	_, domain, _ := cutAddress(address)
	if ascii, err := toASCII(domain); err == nil {
		domain = ascii
	}
	return strings.ToLower(domain)
}

type dnsProbe struct {
	ctx context.Context
	r   Resolver
}

// txt gives the records of a name that begin so; none is no error.
func (p *dnsProbe) txt(name, begin string) (found []string, err error) {
	all, err := p.r.LookupTXT(p.ctx, name)
	var dns *net.DNSError
	if errors.As(err, &dns) && dns.IsNotFound {
		return nil, nil
	}
	for _, record := range all {
		if r := strings.TrimSpace(record); strings.HasPrefix(strings.ToLower(r), strings.ToLower(begin)) {
			found = append(found, r)
		}
	}
	return found, err
}

// spf is RFC 7208: exactly one record, and one that ends in a refusal.
func (p *dnsProbe) spf(domain string) Step {
	s := Step{Name: "spf"}
	found, err := p.txt(domain, "v=spf1")
	switch {
	case err != nil:
		s.Text, s.Do = err.Error(), "try again when the DNS answers"
	case len(found) == 0:
		s.Text = domain + " has no SPF record"
		s.Do = `add a TXT record to ` + domain + ` such as "v=spf1 include:YOUR-MAIL-PROVIDER ~all"`
	case len(found) > 1: // section 4.5: an error for whoever checks
		s.Text, s.Do = fmt.Sprintf("%s has %d SPF records, which count as none", domain, len(found)), "join them into one"
	case strings.Contains(found[0], "+all") || strings.HasSuffix(found[0], " all"):
		s.Text, s.Do = domain+": "+found[0], "it lets everybody send: end it in ~all or -all"
	default:
		s.OK, s.Text = true, domain+": "+found[0]
	}
	return s
}

// dkim is whether the public key of our private one stands in the DNS (RFC 6376, section 3.6.1).
func (p *dnsProbe) dkim(signer *Signer) Step {
	name, want := signer.Record()
	s := Step{Name: "dkim", Do: "add a TXT record " + name + " with " + want}
	all, err := p.r.LookupTXT(p.ctx, name)
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns) && dns.IsNotFound, err == nil && len(all) == 0:
		s.Text = "there is no key at " + name
	case err != nil:
		s.Text, s.Do = err.Error(), "try again when the DNS answers"
	case keyOf(all[0]) == "":
		s.Text = "the key at " + name + " is revoked: it is empty"
	case keyOf(all[0]) != keyOf(want):
		s.Text = "the key at " + name + " is not that of mail.dkim.key_file"
	default:
		s.OK, s.Text, s.Do = true, "the key at "+name+" is ours", ""
		if bits := signer.Bits(); bits > 0 && bits < 2048 {
			s.Text += fmt.Sprintf(", %d bits", bits)
			s.Do = "make a new one of 2048 bits"
		}
	}
	return s
}

// keyOf is the p= of a record, without white space.
func keyOf(record string) string {
	for tag := range strings.SplitSeq(record, ";") {
		if name, value, _ := strings.Cut(tag, "="); strings.TrimSpace(name) == "p" {
			return strings.Join(strings.Fields(value), "")
		}
	}
	return ""
}

// dmarc is RFC 7489, section 6.6.3: the domain's own record, or that of a domain above it.
func (p *dnsProbe) dmarc(domain string) Step {
	s := Step{Name: "dmarc", Do: `add a TXT record _dmarc.` + domain + ` with "v=DMARC1; p=none; rua=mailto:postmaster@` + domain + `"`}
	for name := domain; strings.Contains(name, "."); _, name, _ = strings.Cut(name, ".") {
		found, err := p.txt("_dmarc."+name, "v=DMARC1")
		switch {
		case err != nil:
			s.Text, s.Do = err.Error(), "try again when the DNS answers"
			return s
		case len(found) > 1:
			s.Text, s.Do = fmt.Sprintf("_dmarc.%s has %d records, which count as none", name, len(found)), "keep one"
			return s
		case len(found) == 1:
			s.OK, s.Text, s.Do = true, "_dmarc."+name+": "+found[0], ""
			return s
		}
	}
	s.Text = "there is no DMARC record for " + domain
	return s
}

// aligned is whether SPF or DKIM speaks of the domain that readers see (RFC 7489, section 3.1). One is enough, and DKIM is the
// one that survives forwarding.
func aligned(from, back string, signer *Signer) Step {
	s := Step{Name: "alignment", OK: true}
	switch {
	case signer != nil && related(from, signer.options.Domain):
		s.Text = "the signature is of " + signer.options.Domain + ", the sender's domain"
	case related(from, back) && signer == nil:
		s.Text = "mail comes back to " + back + ", the sender's domain; a signature of that domain is still needed by Gmail and Yahoo"
	case signer != nil:
		s.OK = false
		s.Text = "mail from " + from + " is signed for " + signer.options.Domain
		s.Do = "set mail.dkim.domain to " + from
	default:
		s.OK = false
		s.Text = "mail from " + from + " comes back to " + back + " and is not signed here"
		s.Do = "set mail.dkim, or have the mail server sign for " + from
	}
	return s
}

// related is relaxed alignment: one registered domain.
func related(a, b string) bool {
	org := func(d string) string {
		if o, err := publicsuffix.EffectiveTLDPlusOne(d); err == nil {
			return o
		}
		return d
	}
	return org(a) == org(b)
}

// mx is whether delivery reports can arrive.
func (p *dnsProbe) mx(domain string) Step {
	s := Step{Name: "reports", Do: "let return_path be an address that takes mail"}
	if _, err := netip.ParseAddr(strings.Trim(domain, "[]")); err == nil {
		s.OK, s.Text, s.Do = true, "mail comes back to an IP address", ""
		return s
	}
	list, err := p.r.LookupMX(p.ctx, domain)
	var dns *net.DNSError
	if errors.As(err, &dns) && dns.IsNotFound { // RFC 5321, section 5.1: then the machine of that name takes its mail
		if _, none := p.r.LookupHost(p.ctx, domain); none == nil {
			s.OK, s.Text, s.Do = true, "delivery reports go to "+domain+" itself, which has no MX record", ""
			return s
		}
	}
	switch {
	case err != nil:
		s.Text = "delivery reports to " + domain + " would not arrive: " + err.Error()
	case len(list) == 0 || len(list) == 1 && list[0].Host == ".": // RFC 7505
		s.Text = domain + " takes no mail, so delivery reports do not arrive"
	default:
		s.OK, s.Text, s.Do = true, "delivery reports go to "+strings.TrimSuffix(list[0].Host, "."), ""
	}
	return s
}
