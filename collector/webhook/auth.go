package webhook

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"net/netip"
	"strings"
)

// tokenHeaders are where tools put a secret in clear.
var tokenHeaders = []string{"X-Gitlab-Token", "X-Webhook-Token", "X-Buildkite-Token", "X-Gitee-Token", "Cf-Webhook-Auth", "X-Auth-Token", "X-Api-Key",
	"X-Honeycomb-Webhook-Token"}

// accessToken is the query's field for a token: RFC 6750, section 2.3, which CloudEvents' rules for webhooks allow.
const accessToken = "access_token"

// tokens are the secrets in clear that a request brings: Authorization as Bearer, as Basic's password or as it stands
// (Harbor), the token headers, the last part of the path, and the field that CloudEvents' senders may put it in.
func tokens(r *http.Request) []string {
	var out []string
	if _, password, ok := r.BasicAuth(); ok {
		out = append(out, password)
	} else if a := strings.TrimSpace(r.Header.Get("Authorization")); a != "" {
		out = append(out, a)
		if _, rest, ok := strings.Cut(a, " "); ok {
			out = append(out, strings.TrimSpace(rest)) // Bearer, token, GenieKey, …
		}
	}
	for _, name := range tokenHeaders {
		if v := strings.TrimSpace(r.Header.Get(name)); v != "" {
			out = append(out, v)
		}
	}
	if v := r.PathValue("token"); v != "" {
		out = append(out, v, strings.TrimSuffix(v, "/")) // some senders end every address with a slash
	}
	if v := r.URL.Query().Get(accessToken); v != "" {
		out = append(out, v)
	}
	return out
}

// matches tells whether one of tokens is one of secrets. All are compared, each in constant time and by their hashes,
// so that not even their length shows. An empty secret never matches, nor does a
// public key.
func matches(tokens []string, secrets [][]byte) bool {
	found := 0
	for _, s := range secrets {
		want := sha256.Sum256(s)
		for _, t := range tokens {
			got := sha256.Sum256([]byte(t))
			if _, public := publicKey(s); len(s) > 0 && t != "" && !public {
				found |= subtle.ConstantTimeCompare(got[:], want[:])
			}
		}
	}
	return found == 1
}

// Who a delivery is from, as far as it can be told before its body is read.
type caller int

const (
	stranger  caller = iota // 401
	neighbour               // no secret, from an address that an open source takes
	known                   // a secret in clear was right
	signed                  // a signature is there: it alone counts, once the body is read
)

// caller decides before a byte of the body is read. A signature that nothing is there to check with is no reason to
// turn an open source's neighbour away.
func (h *Handler) caller(r *http.Request, src *source, header string) caller {
	open := src.Open && h.near(r, src.From)
	switch {
	case header != "" && anySecret(src.Secrets):
		return signed
	case header != "":
		if open {
			return neighbour
		}
		return stranger
	}
	t := tokens(r)
	switch {
	case matches(t, src.Secrets):
		return known
	case open && (len(t) == 0 || !anySecret(src.Secrets)):
		return neighbour
	}
	return stranger
}

func anySecret(secrets [][]byte) bool {
	for _, s := range secrets {
		if len(s) > 0 {
			return true
		}
	}
	return false
}

// near tells whether the request comes from an address in from, loopback if from is empty. A request whose address
// cannot be told does not.
func (h *Handler) near(r *http.Request, from []netip.Prefix) bool {
	a, ok := h.client(r)
	if !ok {
		return false
	}
	if len(from) == 0 {
		return a.IsLoopback()
	}
	return within(a, from)
}

func within(a netip.Addr, list []netip.Prefix) bool {
	for _, p := range list {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// client is the address a request comes from: the peer's, or if that is a trusted proxy, the rightmost address in
// X-Forwarded-For that is none. What stands left of it anybody may have written. A trusted proxy that names nobody
// leaves the address unknown: it must not pass for loopback.
func (h *Handler) client(r *http.Request) (netip.Addr, bool) {
	a, ok := address(r.RemoteAddr)
	if !ok || !within(a, h.opt.TrustedProxies) {
		return a, ok
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0; i-- {
		if a, ok = address(strings.TrimSpace(hops[i])); !ok || !within(a, h.opt.TrustedProxies) {
			return a, ok
		}
	}
	return a, ok
}

// address reads an address with or without a port; IPv4 within IPv6 is IPv4, a zone is left out.
func address(s string) (netip.Addr, bool) {
	a, err := netip.ParseAddr(strings.Trim(s, "[]"))
	if err != nil {
		p, err := netip.ParseAddrPort(s)
		if err != nil {
			return netip.Addr{}, false
		}
		a = p.Addr()
	}
	return a.Unmap().WithZone(""), true
}
