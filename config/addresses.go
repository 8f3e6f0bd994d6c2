package config

import (
	"errors"
	"net"
	"net/mail"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"quietpost/digest"

	"golang.org/x/net/idna"
)

// The parsers of values that name a machine or a mailbox; see values.go.

func webAddress(s string) (string, error) {
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Host == "" && u.Scheme != "http" && u.Scheme != "https":
		if host, err := hostName(strings.TrimRight(s, "/")); err == nil {
			return "", wrong("is not a web address", "write https://"+host)
		}
		return "", wrong("is not a web address", "")
	case u.Scheme != "http" && u.Scheme != "https":
		return "", wrong("does not begin with http:// or https://", "")
	case u.Hostname() == "":
		return "", wrong("names no host", "")
	case u.User != nil: // not shown again: it may hold a password
		return "", errors.New("here is an address with a user in it; write it without")
	case u.RawQuery != "" || u.Fragment != "" || u.ForceQuery:
		return "", wrong("has more than scheme, host and path", "take out what follows the path")
	}
	if _, err := portNumber(u.Port()); u.Port() != "" && err != nil {
		return "", wrong("has a wrong port", "write a number from 1 to 65535")
	}
	return strings.TrimRight(s, "/"), nil
}

func portNumber(s string) (int, error) {
	i, err := strconv.Atoi(s)
	if err != nil || i < 0 || i > 65535 || strconv.Itoa(i) != s {
		return 0, wrong("is not a port", "write a number from 1 to 65535")
	}
	return i, nil
}

// hostPort is where to listen: an empty host is every address of the machine.
func hostPort(s string) (string, error) {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		if _, err := portNumber(s); err == nil {
			return "", wrong("names no address", "write 127.0.0.1:"+s+" for this machine only, or :"+s+" for all of its addresses")
		}
		return "", wrong("is not host:port", "")
	}
	if _, err := portNumber(port); err != nil {
		return "", wrong("does not end in a port", "write a number from 1 to 65535 after the last ':'")
	}
	if host != "" {
		if _, err := hostName(host); err != nil {
			return "", wrong("does not begin with a host", "")
		}
	}
	return s, nil
}

// hostName is an IP address or a name (RFC 1123, section 2.1), in IDNA's ASCII form.
func hostName(s string) (string, error) {
	if ip, err := netip.ParseAddr(s); err == nil {
		return ip.String(), nil
	}
	if host, port, err := net.SplitHostPort(s); err == nil && host != "" {
		if _, err := portNumber(port); err == nil {
			return "", wrong("is a host with a port", "write host: "+host+" and port: "+port)
		}
	}
	if strings.Contains(s, "://") {
		return "", wrong("is an address of the web", "write the bare name of the host")
	}
	if ip, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
		return "", wrong("has brackets", "write "+ip.String())
	}
	name, err := idna.Lookup.ToASCII(strings.TrimSuffix(s, "."))
	if err != nil || len(name) > 253 || !hostForm.MatchString(name) || numeric.MatchString(name) {
		return "", wrong("is not the name of a host", "")
	}
	return strings.ToLower(name), nil
}

// numeric ends names that could only be a wrong IPv4 address (RFC 3696, section 2).
var numeric = regexp.MustCompile(`(^|\.)[0-9]+$`)

var hostForm = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?)*$`)

// network is a range of IP addresses in CIDR form (RFC 4632, section 3.1).
func network(s string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(s)
	if err != nil {
		if ip, err := netip.ParseAddr(s); err == nil {
			return p, wrong("names no size", "write "+netip.PrefixFrom(ip, ip.BitLen()).String()+" for this one address")
		}
		return p, wrong("is not a network", "")
	}
	if p.Addr().Is4In6() {
		return p, wrong("is an IPv4 network written as IPv6", "write "+p.Addr().Unmap().String()+"/"+strconv.Itoa(max(p.Bits()-96, 0)))
	}
	if m := p.Masked(); m != p {
		return p, wrong("is an address inside a network", "write "+m.String()+" for the network, or "+
			netip.PrefixFrom(p.Addr(), p.Addr().BitLen()).String()+" for this one address")
	}
	return p, nil
}

func address(s string) (string, error) {
	a, err := digest.NormalizeAddress(s)
	if err == nil {
		return a, nil
	}
	if _, perr := mail.ParseAddress(strings.TrimSpace(s)); perr != nil {
		return "", wrong("is not a mail address", "")
	}
	return "", wrong("is not a mail address that can be used", "")
}

// mailbox is an address with a display name before it, or without.
func mailbox(s string) (mail.Address, error) {
	a, err := address(s)
	if err != nil {
		return mail.Address{}, err
	}
	m, err := mail.ParseAddress(strings.TrimSpace(s))
	if err != nil {
		return mail.Address{}, wrong("is not a mail address", "")
	}
	return mail.Address{Name: digest.OneLine(m.Name, 100), Address: a}, nil
}

// sender is a pattern of who may post by mail: an address in which '*' is any run of characters.
func sender(s string) (string, error) {
	s = strings.ToLower(strings.TrimSpace(s))
	if s == "*" {
		return s, nil
	}
	local, domain, ok := strings.Cut(s, "@")
	if !ok {
		if host, err := hostName(s); err == nil && strings.Contains(host, ".") {
			return "", wrong("is a domain", "write \"*@"+host+"\" for everybody there")
		}
	}
	if local == "" || domain == "" || strings.Contains(domain, "@") || strings.ContainsAny(s, " \t\r\n<>\"\\,;:()[]") {
		return "", wrong("is not an address or a pattern of one", "")
	}
	ascii, err := idna.Lookup.ToASCII(strings.ReplaceAll(domain, "*", "x"))
	if err != nil {
		return "", wrong("does not end in a domain", "")
	}
	if !strings.Contains(domain, "*") {
		domain = ascii
	}
	return local + "@" + domain, nil
}
