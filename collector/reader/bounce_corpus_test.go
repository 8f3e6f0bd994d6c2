package reader

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"quietpost/digest"
)

// classesOf are the classes that fit a reason in the words of the corpus's source. Some of its reasons fit two: "filtered"
// is a server that says after the text that there is no such user.
var classesOf = map[string][]digest.BounceClass{
	"userunknown": {digest.BounceHard}, "hasmoved": {digest.BounceHard}, "hostunknown": {digest.BounceHard},
	"mailboxfull": {digest.BounceFull},
	"rejected":    {digest.BounceBlocked}, "spamdetected": {digest.BounceBlocked}, "policyviolation": {digest.BounceBlocked},
	"blocked": {digest.BounceBlocked}, "authfailure": {digest.BounceBlocked}, "filtered": {digest.BounceBlocked, digest.BounceHard},
	"expired": {digest.BounceDelayed, digest.BounceSoft}, "onhold": {digest.BounceDelayed, digest.BounceSoft},
	"suspend": {digest.BounceSoft}, "mesgtoobig": {digest.BounceSoft}, "exceedlimit": {digest.BounceSoft},
	"systemerror": {digest.BounceSoft}, "mailererror": {digest.BounceSoft}, "contenterror": {digest.BounceSoft},
	"toomanyconn": {digest.BounceSoft, digest.BounceBlocked}, "feedback": {digest.BounceComplaint},
}

var expectedBounces = regexp.MustCompile(`recipients x .*? = (\[\[.*?\]\])`)

// TestCorpusBounces scores the delivery reports of the corpus: recognised, class, status, address and message known.
func TestCorpusBounces(t *testing.T) {
	root := os.Getenv("QUIETPOST_CORPUS")
	if root == "" {
		t.Skip("QUIETPOST_CORPUS is not set: the corpus of real delivery reports is NOT tested")
	}
	index, err := os.ReadFile(filepath.Join(root, "mail", "INDEX.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	type score struct{ right, all int }
	scores, unread := map[string]*score{}, 0
	reports, seen, withAddress, withID := 0, 0, 0, 0
	hard := 0
	count := func(what string, right bool) {
		if scores[what] == nil {
			scores[what] = &score{}
		}
		scores[what].all++
		if right {
			scores[what].right++
		}
	}
	for line := range strings.Lines(string(index)) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if f[0] != "bounce" && f[0] != "feedback" {
			continue
		}
		raw, err := os.ReadFile(filepath.Join(root, "mail", f[1]))
		if err != nil {
			t.Fatal(err)
		}
		r := Read(raw, Options{})
		seen++
		if r.Report != "" {
			reports++
		} else {
			t.Logf("no report: %s", f[1])
			continue
		}
		if len(r.Bounces) > 0 && r.Bounces[0].Address != "" {
			withAddress++
		} else if f[0] == "bounce" {
			t.Logf("no address: %s %+v", f[1], r.Bounces)
		}
		if len(r.Bounces) > 0 && r.Bounces[0].MessageID != "" {
			withID++
		}
		m := expectedBounces.FindStringSubmatch(f[21])
		if m == nil {
			continue
		}
		var want [][]any
		if err := json.Unmarshal([]byte(strings.ReplaceAll(m[1], "'", `"`)), &want); err != nil {
			t.Fatalf("%s: %v", m[1], err)
		}
		for i, w := range want {
			reason := w[2].(string)
			if reason == "feedback" && (len(w) < 5 || strings.TrimSpace(w[4].(string)) == "auth-failure") {
				continue
			}
			if i >= len(r.Bounces) {
				unread++
				t.Logf("%s: recipient %d not found, want %v", f[1], i, w)
				count(reason, false)
				continue
			}
			b := r.Bounces[i]
			right := slices.ContainsFunc(r.Bounces, func(b digest.Bounce) bool { return slices.Contains(classesOf[reason], b.Class) })
			if count(reason, right); !right {
				t.Logf("%s: %s is not %s: %+v", f[1], b.Class, reason, b)
			}
			if b.Class == digest.BounceHard && w[3] == false && reason != "filtered" {
				hard++
				t.Logf("%s: taken for hard: %+v, want %v", f[1], b, w)
			}
			if s := w[0].(string); s != "" && !strings.HasPrefix(s, "5.0.9") && s != "5.0.0" && s != "4.0.0" {
				if count("status code", b.Status == s); b.Status != s {
					t.Logf("%s: status %q, want %q", f[1], b.Status, s)
				}
			}
		}
	}
	all, right := 0, 0
	for what, s := range scores {
		t.Logf("%-16s %d of %d", what, s.right, s.all)
		if what != "status code" {
			all, right = all+s.all, right+s.right
		}
	}
	t.Logf("%d of %d recognised, %d with address, %d with the message's id; class right %d of %d, %d wrongly hard, %d recipients not found",
		reports, seen, withAddress, withID, right, all, hard, unread)
	if reports < 240 || withAddress < 230 || right < 103 || hard > 1 || unread > 0 { // what it was when this was written: no step back
		t.Error("fewer than before")
	}
}

// TestCorpusReplies scores answers against what their source expects to be left of them, line by line.
func TestCorpusReplies(t *testing.T) {
	root := os.Getenv("QUIETPOST_CORPUS")
	if root == "" {
		t.Skip("QUIETPOST_CORPUS is not set: the corpus of real answers is NOT tested")
	}
	files, _ := filepath.Glob(filepath.Join(root, "mail", "reply-body", "*.expected.txt"))
	if len(files) == 0 {
		t.Fatal("no answers there")
	}
	linesOf := func(b []byte) (lines []string) {
		for line := range strings.Lines(string(b)) {
			if f := strings.Fields(line); len(f) > 0 {
				lines = append(lines, strings.Join(f, " "))
			}
		}
		return lines
	}
	exact, eaten, left := 0, 0, 0
	for _, file := range files {
		raw, err1 := os.ReadFile(strings.Replace(file, ".expected.txt", ".txt", 1))
		expected, err2 := os.ReadFile(file)
		if err1 != nil || err2 != nil {
			t.Fatal(err1, err2)
		}
		want, got := linesOf(expected), linesOf([]byte(visibleReply(string(raw))))
		if slices.Equal(want, got) {
			exact++
			continue
		}
		t.Logf("%s:\n got %q\nwant %q", filepath.Base(file), got, want)
		if slices.ContainsFunc(want, func(l string) bool { return !slices.Contains(got, l) }) {
			eaten++
		}
		if slices.ContainsFunc(got, func(l string) bool { return !slices.Contains(want, l) }) {
			left++
		}
	}
	t.Logf("%d of %d exact; a line of the answer missing in %d, a line too many in %d", exact, len(files), eaten, left)
	if exact < 25 || eaten > 3 { // what it was when this was written: no step back
		t.Error("worse than before")
	}
}
