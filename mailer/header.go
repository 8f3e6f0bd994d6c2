package mailer

import (
	"encoding/base64"
	"fmt"
	"mime"
	"net/mail"
	"net/url"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"

	"quietpost/digest"
)

const (
	maxName       = 100 // characters of a display name
	maxID         = 250 // bytes of a Message-ID; RFC 5322, section 2.1.1 allows 998 a line
	maxReferences = 20  // as many as mail programs look at
	maxURL        = 900 // bytes, so that the line stays below 998
)

// headerAddress makes a header's address; name may be anything.
func headerAddress(name, address string) (*mail.Address, error) {
	if err := checkAddress(address); err != nil {
		return nil, err
	}
	return &mail.Address{Name: digest.OneLine(name, maxName), Address: address}, nil
}

// checkAddress lets through what RFC 5321, section 4.1.2 calls Dot-string@Domain (or an address literal), and letters beyond
// ASCII (RFC 6531). Quoted local parts are refused: they are where addresses are smuggled (CVE-2025-59937).
func checkAddress(address string) error {
	local, domain, ok := cutAddress(address)
	if !ok || local == "" || domain == "" || len(local) > 64 || len(address) > 254 || !utf8.ValidString(address) {
		return fmt.Errorf("%q is not a mail address; it should look like ana@example.com", address)
	}
	for _, r := range local {
		if !isAtext(r) && r != '.' {
			return fmt.Errorf("%q: %q cannot stand before the @ of a mail address", address, r)
		}
	}
	if local[0] == '.' || local[len(local)-1] == '.' || strings.Contains(local, "..") {
		return fmt.Errorf("%q: a dot stands where none may in a mail address", address)
	}
	if strings.HasPrefix(domain, "[") && strings.HasSuffix(domain, "]") {
		if strings.Trim(domain[1:len(domain)-1], "0123456789abcdefABCDEFIPv:.") != "" {
			return fmt.Errorf("%q: what stands after the @ is not an address literal", address)
		}
		return nil
	}
	if _, err := idna.Lookup.ToASCII(domain); err != nil {
		return fmt.Errorf("%q: the part after @ is not a domain: %w", address, err)
	}
	return nil
}

// cutAddress parts an address at its last @.
func cutAddress(address string) (local, domain string, ok bool) {
	at := strings.LastIndexByte(address, '@')
	if at < 0 {
		return "", "", false
	}
	return address[:at], address[at+1:], true
}

// isAtext is RFC 5322, section 3.2.3, with RFC 6532's letters beyond ASCII but no spaces, controls or marks that turn text.
func isAtext(r rune) bool {
	switch {
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
		return true
	case r < utf8.RuneSelf:
		return strings.ContainsRune("!#$%&'*+-/=?^_`{|}~", r)
	}
	return digest.OneLine(string(r), 1) == string(r)
}

// encodeText is a line of text as RFC 2047 has it. What looks like an encoded word and is none is encoded too, or it would be
// decoded into what nobody wrote.
func encodeText(line string) string {
	s := mime.QEncoding.Encode("utf-8", line)
	if s != line || !strings.Contains(line, "=?") {
		return s
	}
	var words []string
	for len(line) > 0 { // ASCII only, so it can be cut anywhere; 42 bytes are 68 characters as a word
		n := min(42, len(line))
		words = append(words, "=?utf-8?b?"+base64.StdEncoding.EncodeToString([]byte(line[:n]))+"?=")
		line = line[n:]
	}
	return strings.Join(words, " ")
}

// listID makes RFC 2919's value of "Title <id>" and the host.
func listID(titled, host string) (string, error) {
	title, id := "", titled
	if at := strings.LastIndexByte(titled, '<'); at >= 0 {
		title, id = titled[:at], strings.TrimSuffix(titled[at+1:], ">")
	}
	if id == "" || strings.Trim(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") != "" ||
		len(id)+1+len(host) > 255 {
		return "", fmt.Errorf("%q cannot be a List-Id", titled)
	}
	id = "<" + id + "." + host + ">"
	title = digest.OneLine(title, maxName)
	if title == "" {
		return id, nil
	}
	// A phrase is quoted and encoded as a display name is (RFC 2047, section 5).
	phrase := strings.TrimSuffix((&mail.Address{Name: title, Address: "a@b"}).String(), " <a@b>")
	return phrase + " " + id, nil
}

// references are the ids in angle brackets, without those that are none (they may be other people's), the first and the
// newest if they are many.
func references(ids []string) []string {
	var refs []string
	for _, id := range ids {
		if isMessageID(id) {
			refs = append(refs, "<"+id+">")
		}
	}
	if n := len(refs); n > maxReferences {
		refs = append(refs[:1], refs[n-maxReferences+1:]...)
	}
	return refs
}

// isMessageID tells whether id can stand between < and > as RFC 5322, section 3.6.4 has it.
func isMessageID(id string) bool {
	local, domain, ok := strings.Cut(id, "@")
	return ok && local != "" && domain != "" && len(id) <= maxID && isToken(id)
}

// isToken tells whether s is printable ASCII without space and angle brackets.
func isToken(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' || s[i] == '<' || s[i] == '>' {
			return false
		}
	}
	return s != ""
}

// unsubscribe is RFC 2369's list of addresses, or "".
func unsubscribe(urls []string) (string, error) {
	var list []string
	for _, s := range urls {
		u, err := url.Parse(s)
		if err != nil || !isToken(s) || len(s) > maxURL ||
			!(u.Scheme == "mailto" && u.Opaque != "" || (u.Scheme == "https" || u.Scheme == "http") && u.Host != "") {
			return "", fmt.Errorf("%q cannot stand in List-Unsubscribe", s)
		}
		list = append(list, "<"+s+">")
	}
	return strings.Join(list, ", "), nil
}
