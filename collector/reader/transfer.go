package reader

import (
	"encoding/base64"
	"strings"
)

// decodeTransfer undoes a Content-Transfer-Encoding (RFC 2045, section 6), passing over what is malformed. An unknown
// one ("7-bit") is none.
func decodeTransfer(encoding string, b []byte) []byte {
	encoding = strings.ToLower(encoding)
	switch {
	case strings.Contains(encoding, "base64"):
		return decodeBase64(b)
	case strings.Contains(encoding, "quoted-printable"):
		return decodeQuoted(b)
	}
	return b
}

// decodeBase64 decodes what is of the alphabet and passes over everything else, padding within the text too.
func decodeBase64(b []byte) []byte {
	clean := make([]byte, 0, len(b)+4)
	pad := 0      // bytes at the end that padding stands for
	over := false // what follows padding on its line is no base64
	for _, c := range b {
		if c == '\n' {
			over = false
		}
		switch {
		case over && c != '\n' && c != '\r' && c != '=':
			continue
		case c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '+', c == '/':
			clean, pad = append(clean, c), 0
		case c == '=': // the end of one run; another may follow on the next line
			for len(clean)%4 != 0 {
				clean, pad = append(clean, 'A'), pad+1
			}
			over = pad > 0
		}
	}
	for len(clean)%4 != 0 { // padding left out
		clean, pad = append(clean, 'A'), pad+1
	}
	out := make([]byte, base64.StdEncoding.DecodedLen(len(clean)))
	n, _ := base64.StdEncoding.Decode(out, clean)
	return out[:max(n-pad, 0)]
}

// decodeQuoted decodes quoted-printable; a "=" that begins no escape stays as it is.
func decodeQuoted(b []byte) []byte {
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); i++ {
		if b[i] != '=' {
			out = append(out, b[i])
			continue
		}
		end := i + 1
		for end < len(b) && (b[end] == ' ' || b[end] == '\t' || b[end] == '\r') {
			end++
		}
		switch {
		case end >= len(b):
			return out
		case b[end] == '\n': // soft line break
			i = end
		case i+2 < len(b) && unhex(b[i+1]) >= 0 && unhex(b[i+2]) >= 0:
			out = append(out, byte(unhex(b[i+1])<<4|unhex(b[i+2])))
			i += 2
		default:
			out = append(out, '=')
		}
	}
	return out
}

func unhex(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	}
	return -1
}
