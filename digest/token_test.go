package digest_test

import (
	"testing"

	"quietpost/digest"
)

// TestHideTokens: our own links go, whatever stands around them, and nothing else does.
func TestHideTokens(t *testing.T) {
	key, other := []byte("0123456789abcdef0123456789abcdef"), []byte("another instance's key, 32 bytes")
	leave, edition, confirm := digest.Token(key, digest.TokenLeaveDigest, "12"), digest.Token(key, digest.TokenEdition, "01jd3k9v3"),
		digest.Token(key, digest.TokenConfirm, "7-0123abcd")
	foreign := digest.Token(other, digest.TokenLeaveDigest, "12")
	for in, want := range map[string]string{
		"> End it: https://q.example.com/l/" + leave + "\n": "> End it: https://q.example.com/l/…\n",
		"mailto:updates+u-" + leave + "@example.com?x":      "mailto:updates+u-…@example.com?x",
		"updates+c-" + confirm + "@example.com, " + edition: "updates+c-…@example.com, …",
		"https://q.example.com/e/" + edition + "/17":        "https://q.example.com/e/…/17",
		foreign:              foreign,
		leave[:len(leave)-1]: leave[:len(leave)-1],
		"v.1.2 and e.g.":     "v.1.2 and e.g.",
	} {
		if got := digest.HideTokens(key, in); got != want {
			t.Errorf("%q: %q", in, got)
		}
	}
	if got := digest.HideTokens(nil, leave); got != leave {
		t.Errorf("without a key: %q", got)
	}
}
