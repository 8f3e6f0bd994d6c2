package digest

import (
	"crypto/hmac"
	"crypto/sha256"
	"regexp"
	"strings"
	"unicode"
)

// What a signed link is good for.
const (
	TokenLeaveDigest = "d" // ends the subscription with this ID
	TokenLeaveAlerts = "a" // ends the alerts of the subscriber with this ID
	TokenConfirm     = "c" // puts in force what was asked for in a person's name
	TokenEdition     = "e" // shows the edition with this ID
	TokenBounce      = "b" // tells the message with this ID, as part of the return path
	TokenResume      = "r" // lifts the suspension of the subscriber with this ID
)

// Token is a signed link's last part: purpose and id in clear, and a MAC under the instance's key. It does not expire,
// because mails are kept for years, and acts on one thing only. It
// is in lower case and read without case, since it is also the local part of an address. ids are in lower case.
func Token(instance []byte, purpose, id string) string {
	return purpose + "." + id + "." + strings.ToLower(itemEncoding.EncodeToString(tokenMAC(instance, purpose, id)))
}

// ReadToken gives back purpose and id of a Token; ok is false if it is not one of this instance's. Constant time in the
// MAC.
func ReadToken(instance []byte, token string) (purpose, id string, ok bool) {
	purpose, rest, _ := strings.Cut(strings.ToLower(token), ".")
	id, sig, _ := strings.Cut(rest, ".")
	mac, err := itemEncoding.DecodeString(strings.ToUpper(sig))
	if err != nil || len(instance) == 0 {
		return "", "", false
	}
	return purpose, id, hmac.Equal(mac, tokenMAC(instance, purpose, id))
}

var tokenShape = regexp.MustCompile(`(?i)\b[a-z]\.[0-9a-z-]+\.[0-9a-z]{24}\b`)

// mayHoldToken tells a text in which a full stop has a MAC's letters behind it: tokenShape's time would be most of an
// item's, and hardly any item has one.
func mayHoldToken(text string) bool {
	for _, rest, found := strings.Cut(text, "."); found; _, rest, found = strings.Cut(rest, ".") {
		if len(rest) >= 24 && strings.IndexFunc(rest[:24], func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) < 0 {
			return true
		}
	}
	return false
}

// HideTokens takes the tokens of this instance out of a text: who answers or forwards a mail of ours quotes their own links,
// and others are to read the text.
func HideTokens(instance []byte, text string) string {
	if !mayHoldToken(text) {
		return text
	}
	return tokenShape.ReplaceAllStringFunc(text, func(token string) string {
		if _, _, ok := ReadToken(instance, token); ok {
			return "…"
		}
		return token
	})
}

func tokenMAC(instance []byte, purpose, id string) []byte {
	m := hmac.New(sha256.New, instance)
	m.Write([]byte("token/" + purpose + "/" + id))
	return m.Sum(nil)[:15] // 24 letters without a spare bit
}
