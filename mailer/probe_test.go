package mailer

import (
	"context"
	"net"
	"strings"
	"testing"

	"quietpost/digest"
)

// zone is a DNS by hand; "!" as a record is a server that does not answer.
type zone map[string][]string

func (z zone) LookupTXT(_ context.Context, name string) ([]string, error) {
	list := z[name]
	if len(list) == 1 && list[0] == "!" {
		return nil, &net.DNSError{Err: "timeout", Name: name, IsTimeout: true}
	}
	if list == nil {
		return nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
	}
	return list, nil
}

func (z zone) LookupMX(_ context.Context, name string) (list []*net.MX, err error) {
	for _, host := range z["mx "+name] {
		list = append(list, &net.MX{Host: host})
	}
	if list == nil {
		err = &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
	}
	return list, err
}

func (z zone) LookupHost(ctx context.Context, name string) ([]string, error) {
	return z.LookupTXT(ctx, "host "+name)
}

func TestProbeDNS(t *testing.T) {
	signer, err := NewSigner("example.com", "q1", keys(t)["RSA, PKCS #1"])
	if err != nil {
		t.Fatal(err)
	}
	name, record := signer.Record()
	good := func() zone {
		return zone{"example.com": {"google-site-verification=x", "v=spf1 include:_spf.example.net ~all"}, name: {record},
			"_dmarc.example.com": {"v=DMARC1; p=none"}, "mx example.com": {"mx.example.com."}}
	}
	sender := Sender{From: "digest@example.com", ReturnPath: "bounces@example.com", Signer: signer}
	for what, c := range map[string]struct {
		change func(z zone, s *Sender)
		step   string // the one that fails; empty for none
		text   string
	}{
		"all is well":       {func(zone, *Sender) {}, "", ""},
		"no SPF":            {func(z zone, _ *Sender) { delete(z, "example.com") }, "spf", "has no SPF record"},
		"two SPF":           {func(z zone, _ *Sender) { z["example.com"] = []string{"v=spf1 a ~all", "v=spf1 mx ~all"} }, "spf", "2 SPF records"},
		"SPF for everybody": {func(z zone, _ *Sender) { z["example.com"] = []string{"v=spf1 +all"} }, "spf", "everybody"},
		"DNS down":          {func(z zone, _ *Sender) { z["example.com"] = []string{"!"} }, "spf", "timeout"},
		"no key":            {func(z zone, _ *Sender) { delete(z, name) }, "dkim", "there is no key at q1._domainkey.example.com"},
		"another key":       {func(z zone, _ *Sender) { z[name] = []string{"v=DKIM1; k=rsa; p=AAAA"} }, "dkim", "is not that of"},
		"revoked key":       {func(z zone, _ *Sender) { z[name] = []string{"v=DKIM1; p="} }, "dkim", "revoked"},
		"spaces in the key": {func(z zone, _ *Sender) { z[name] = []string{strings.Replace(record, "p=", "p= ", 1)} }, "", ""},
		"no DMARC":          {func(z zone, _ *Sender) { delete(z, "_dmarc.example.com") }, "dmarc", "no DMARC record for example.com"},
		"DMARC from above":  {func(z zone, s *Sender) { s.From = "digest@news.example.com" }, "", ""},
		"DMARC twice":       {func(z zone, _ *Sender) { z["_dmarc.example.com"] = []string{"v=DMARC1; p=none", "v=DMARC1; p=reject"} }, "dmarc", "2 records"},
		"siblings": {func(z zone, s *Sender) {
			s.Signer, s.ReturnPath, s.From = nil, "b@bounces.example.com", "a@news.example.com"
			z["bounces.example.com"], z["mx bounces.example.com"] = z["example.com"], z["mx example.com"]
		}, "", ""},
		"signed for another": {func(z zone, s *Sender) {
			s.From = "digest@example.org"
			z["_dmarc.example.org"] = []string{"v=DMARC1; p=none"}
		}, "alignment", "mail from example.org is signed for example.com"},
		"nobody signs": {func(z zone, s *Sender) {
			s.From, s.Signer = "digest@example.org", nil
			z["_dmarc.example.org"] = []string{"v=DMARC1; p=none"}
		}, "alignment", "comes back to example.com and is not signed"},
		"reports do not arrive": {func(z zone, _ *Sender) { delete(z, "mx example.com") }, "reports", "would not arrive"},
		"no MX, but a machine":  {func(z zone, _ *Sender) { delete(z, "mx example.com"); z["host example.com"] = []string{"192.0.2.1"} }, "", ""},
		"null MX":               {func(z zone, _ *Sender) { z["mx example.com"] = []string{"."} }, "reports", "takes no mail"},
	} {
		z, s := good(), sender
		c.change(z, &s)
		failed := ""
		for _, step := range ProbeDNS(t.Context(), z, s) {
			if step.Name == "" || step.Text == "" || !step.OK && step.Do == "" {
				t.Errorf("%s: %+v", what, step)
			}
			if !step.OK {
				failed += step.Name + " "
				if !strings.Contains(step.Text+step.Do, c.text) {
					t.Errorf("%s: %+v", what, step)
				}
			}
		}
		if strings.TrimSpace(failed) != c.step {
			t.Errorf("%s: %q failed, want %q", what, failed, c.step)
		}
	}
}

func TestProbeSMTP(t *testing.T) {
	for what, c := range map[string]struct {
		mail string
		ok   []bool
		text string
	}{
		"well":            {"250 ok", []bool{true, true}, "takes mail from bounces+b-1@example.com"},
		"sender not ours": {"553 5.7.1 not owned by user ana", []bool{true, false}, "553 5.7.1 not owned by user ana"},
	} {
		host, port := script(t, func(n int, p *peer) {
			p.greet("SIZE 30000000", "PIPELINING")
			p.hear("MAIL FROM:<bounces+b-1@example.com>")
			p.say(c.mail)
			p.hear("RSET")
			p.say("250 ok")
			p.hear("QUIT")
			p.say("221 bye")
		})
		tr := transport(t, host, port, func(o *TransportOptions) {
			o.ReturnPath = func(m *digest.Message) string { return "bounces+b-1@example.com" }
		})
		steps := tr.Probe(t.Context())
		if len(steps) != 2 || steps[0].OK != c.ok[0] || steps[1].OK != c.ok[1] || !strings.Contains(steps[1].Text, c.text) ||
			!strings.HasSuffix(steps[0].Text, ", in clear, takes mails up to 30 MB, PIPELINING") {
			t.Errorf("%s: %+v", what, steps)
		}
	}
	tr := transport(t, "127.0.0.1", 1, nil)
	if steps := tr.Probe(t.Context()); len(steps) != 1 || steps[0].OK || !strings.Contains(steps[0].Text, "cannot connect") {
		t.Errorf("%+v", steps)
	}
}
