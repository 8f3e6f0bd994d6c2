package digest

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestProjectKey(t *testing.T) {
	for in, want := range map[string]string{
		"Apollo":                     "apollo",
		"acme/Apollo-Web":            "acme/apollo-web",
		"  My Great Project!! ":      "my-great-project",
		"group / sub / name":         "group/sub/name",
		"--x":                        "x",
		"Ünïcode":                    "n-code",
		"":                           "",
		"...":                        "",
		strings.Repeat("a", 300):     strings.Repeat("a", 100),
		"a" + strings.Repeat("é", 9): "a",
	} {
		if got := ProjectKey(in); got != want {
			t.Errorf("ProjectKey(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestItemIDIsABijection(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Int64Range(1, 1<<62).Draw(t, "n")
		id := ItemID(n)
		if len(id) != 13 {
			t.Fatalf("ItemID(%d) = %q", n, id)
		}
		if back, ok := ItemNumber(strings.ToUpper(id)); !ok || back != n {
			t.Fatalf("ItemNumber(ItemID(%d)) = %d, %v", n, back, ok)
		}
	})
	for _, bad := range []string{"", "1", "zzzzzzzzzzzzz", "!!!!!!!!!!!!!", ItemID(7) + "0"} {
		if n, ok := ItemNumber(bad); ok {
			t.Errorf("ItemNumber(%q) = %d, want none", bad, n)
		}
	}
}

func TestOneLine(t *testing.T) {
	for in, want := range map[string]string{
		" a\r\nBcc: x\tb ":      "a Bcc: x b",
		"\u202Egnp.exe":         "gnp.exe",
		"bad\xffbyte":           "bad\uFFFDbyte",
		"twelve chars":          "twelve chars",
		"more than twelve here": "more than t…",
	} {
		if got := OneLine(in, 12); got != want {
			t.Errorf("OneLine(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestCleanBodyIsBoundedAndValid(t *testing.T) {
	long := strings.Repeat("é\x00", MaxBody)
	got := CleanBody(long)
	if len(got) > MaxBody || !utf8.ValidString(got) || strings.Contains(got, "\x00") || !strings.HasSuffix(got, "original]") {
		t.Errorf("len %d, valid %v, end %q", len(got), utf8.ValidString(got), got[len(got)-30:])
	}
	if got := CleanBody("\n\na\r\nb\rc\n"); got != "a\nb\nc" {
		t.Errorf("got %q", got)
	}
}

func TestTokens(t *testing.T) {
	key, other := []byte("one key"), []byte("other key")
	token := Token(key, TokenLeaveDigest, "42")
	if p, id, ok := ReadToken(key, strings.ToUpper(token)); !ok || p != TokenLeaveDigest || id != "42" {
		t.Errorf("ReadToken gives %q %q %v", p, id, ok)
	}
	for i := range token {
		altered := []byte(token)
		altered[i] ^= 1
		if _, _, ok := ReadToken(key, string(altered)); ok {
			t.Errorf("token with byte %d altered is taken", i)
		}
	}
	for _, bad := range []string{"", "d", "d.42", "d.42.", token + "00"} {
		if _, _, ok := ReadToken(key, bad); ok {
			t.Errorf("%q is taken", bad)
		}
	}
	if _, _, ok := ReadToken(other, token); ok {
		t.Error("a token of another instance is taken")
	}
	if _, _, ok := ReadToken(nil, Token(nil, "d", "1")); ok {
		t.Error("a token is taken without a key")
	}
}
