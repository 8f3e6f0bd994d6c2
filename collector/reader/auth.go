package reader

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/emersion/go-msgauth/authres"
	"github.com/emersion/go-msgauth/dkim"
	"golang.org/x/net/publicsuffix"

	"quietpost/digest"
)

// TrustInside is the trust of a mailbox that takes mail from inside only: all senders are who they say.
const TrustInside = "inside"

// maxSignatures is how many DKIM signatures of a mail are checked.
const maxSignatures = 3

// Authenticate tells whether the sender is who From says, and why or why not. trust is TrustInside, or the authserv-id
// of the server whose topmost Authentication-Results (RFC 8601) to believe, or empty: then the mail's own DKIM
// signatures (RFC 6376) are checked, for which lookup is asked for TXT records; it bounds its own time. What passed must
// be of From's own domain, or share its registered one (RFC 7489, section 3.1: relaxed alignment).
func Authenticate(raw []byte, r *Reading, trust string, lookup func(domain string) ([]string, error)) (bool, digest.Reason) {
	if trust == TrustInside {
		return true, "this mailbox takes mail from inside only"
	}
	_, domain, ok := strings.Cut(r.From.Address, "@")
	if !ok || r.Froms != 1 { // with two senders a check of one would vouch for the other
		return false, "it does not name exactly one sender"
	}
	if trust != "" {
		return byResults(r.authResults, trust, r.From.Address, domain)
	}
	if lookup == nil {
		return false, "no way to look up DKIM keys is set up"
	}
	return bySignature(raw, domain, lookup)
}

// byResults believes the topmost Authentication-Results of the server.
func byResults(fields []string, server, from, domain string) (bool, digest.Reason) {
	for _, v := range fields {
		id, results, _ := authres.Parse(stripComments(v)) // on an error: the results before it
		if !strings.EqualFold(id, server) {
			continue
		}
		for _, res := range results {
			if how := passes(res, from, domain); how != "" {
				return true, digest.Reason(fmt.Sprintf("%s says %s=pass for %s", server, how, domain))
			}
		}
		return false, digest.Reason(fmt.Sprintf("%s says nothing that passed for %s", server, domain))
	}
	return false, digest.Reason("no Authentication-Results of " + server)
}

// passes names the method by which a result vouches for the domain; empty if it does not.
func passes(res authres.Result, from, domain string) string {
	switch r := res.(type) {
	case *authres.DMARCResult:
		if r.Value == authres.ResultPass && strings.EqualFold(domainOf(r.From), domain) {
			return "dmarc"
		}
	case *authres.DKIMResult:
		if r.Value == authres.ResultPass && (aligned(r.Domain, domain) || r.Domain == "" && aligned(domainOf(r.Identifier), domain)) {
			return "dkim"
		}
	case *authres.AuthResult: // who handed it in has signed in as that sender (RFC 8601, section 2.7.4)
		if r.Value == authres.ResultPass && strings.EqualFold(r.Auth, from) {
			return "auth"
		}
	case *authres.SPFResult:
		if r.Value == authres.ResultPass && aligned(domainOf(r.From), domain) {
			return "spf"
		}
	}
	return ""
}

func domainOf(address string) string {
	return strings.Trim(address[strings.LastIndexByte(address, '@')+1:], `"<>`)
}

// aligned tells whether two domains are the same or share their registered domain.
func aligned(a, b string) bool {
	a, b = strings.ToLower(strings.TrimSuffix(a, ".")), strings.ToLower(strings.TrimSuffix(b, "."))
	if a == "" || b == "" {
		return false
	}
	if a == b {
		return true
	}
	x, errx := publicsuffix.EffectiveTLDPlusOne(a)
	y, erry := publicsuffix.EffectiveTLDPlusOne(b)
	return errx == nil && erry == nil && x == y
}

// stripComments takes the comments (RFC 5322, section 3.2.2) out of an Authentication-Results value and the specials out
// of its quoted strings: both may hold words of the sender's choice, and the parser looks into them.
func stripComments(v string) string {
	var b strings.Builder
	depth, quoted := 0, false
	for i := 0; i < len(v); i++ {
		c := v[i]
		switch {
		case c == '\\':
			i++
		case quoted:
			if c == '"' {
				quoted = false
			} else if depth == 0 && !strings.ContainsRune("; =()\t", rune(c)) {
				b.WriteByte(c)
			}
		case c == '"' && depth == 0:
			quoted = true
		case c == '(':
			depth++
		case c == ')' && depth > 0:
			depth--
			b.WriteByte(' ')
		case depth == 0:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// bySignature checks the mail's own DKIM signatures.
func bySignature(raw []byte, domain string, lookup func(string) ([]string, error)) (ok bool, why digest.Reason) {
	defer func() {
		if recover() != nil {
			ok, why = false, "its DKIM signature could not be read"
		}
	}()
	why = "it has no DKIM signature"
	fields, body := signedParts(raw)
	for nth := range maxSignatures {
		one := withOneSignature(fields, nth)
		if one == nil {
			break
		}
		found, err := dkim.VerifyWithOptions(io.MultiReader(bytes.NewReader(one), bytes.NewReader(body)),
			&dkim.VerifyOptions{LookupTXT: lookup})
		if err != nil || len(found) != 1 {
			why = "its DKIM signature could not be read"
			continue
		}
		switch v := found[0]; {
		case v.Err == nil && aligned(v.Domain, domain):
			return true, digest.Reason("a valid DKIM signature of " + v.Domain)
		case v.Err == nil:
			why = digest.Reason(fmt.Sprintf("its DKIM signature is of %s, not of %s", digest.OneLine(v.Domain, 100), domain))
		default:
			why = digest.Reason("its DKIM signature does not hold: " + digest.OneLine(v.Err.Error(), 120))
		}
	}
	return false, why
}

// signedParts gives the header's fields, each with its continuation lines, and the body with the blank line before it,
// all lines ending in CRLF as DKIM signs them.
func signedParts(raw []byte) (fields []string, body []byte) {
	head, rest := Split(raw)
	for line := range strings.Lines(string(head[:min(len(head), maxHeader)])) {
		text := strings.TrimRight(line, "\r\n")
		switch {
		case text == "" || len(fields) == 0 && strings.HasPrefix(text, "From "):
		case (text[0] == ' ' || text[0] == '\t') && len(fields) > 0:
			fields[len(fields)-1] += text + "\r\n"
		default:
			fields = append(fields, text+"\r\n")
		}
	}
	rest = bytes.ReplaceAll(bytes.ReplaceAll(rest, []byte("\r\n"), []byte("\n")), []byte("\n"), []byte("\r\n"))
	return fields, append([]byte("\r\n"), rest...)
}

// withOneSignature is the header with its nth DKIM-Signature only; nil if there are not so many. One at a time, since
// the library checks several in goroutines of its own, where a panic could not be caught.
func withOneSignature(fields []string, nth int) []byte {
	var out bytes.Buffer
	seen := 0
	for _, f := range fields {
		if name, _, _ := strings.Cut(f, ":"); strings.EqualFold(strings.TrimSpace(name), "DKIM-Signature") {
			if seen++; seen != nth+1 {
				continue
			}
		}
		out.WriteString(f)
	}
	if seen <= nth {
		return nil
	}
	return out.Bytes()
}
