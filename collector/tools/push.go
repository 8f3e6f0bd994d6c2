package tools

import (
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"quietpost/digest"
)

// A pushed is what one push did to a branch or tag, as all forges tell it.
type pushed struct {
	what, name    string // branch or tag
	before, after string // hashes; all zeros where there was or is nothing
	newest        string // the newest commit's first line
	commits       []node // newest last
	total         int    // commits there were, of which commits may be a part
	forced        bool
}

// zero tells a hash of zeros only, which stands for no commit.
func zero(sha string) bool { return sha != "" && strings.Trim(sha, "0") == "" }

func (p *pushed) created() bool { return zero(p.before) }

// fill makes title, thread, state and body. A push to another branch than the usual one has low priority: the pull
// request tells of it. Without a known usual branch none is low.
func (p *pushed) fill(it *digest.Item, usual string) {
	on := p.name
	it.Thread = thread(p.what, p.name)
	if on == "" {
		on = "a " + p.what
	}
	n := count(p.total, "commit")
	switch {
	case zero(p.after):
		it.State, it.Title = "deleted", title(words(p.what)+" "+on+" deleted")
	case p.what == "tag":
		it.Title = title("Tag "+on+" set", p.newest)
	case p.forced:
		it.Title = title(on+" was force-pushed", p.newest)
	case p.created() && p.total == 0:
		it.Title = title("New branch "+on, p.newest)
	case p.created():
		it.Title = title("New branch "+on+" with "+n, p.newest)
	case p.total == 0:
		it.Title = title(on+" moved", p.newest)
	case p.name == "":
		it.Title = title(n+" pushed", p.newest)
	default:
		it.Title = title(n+" to "+on, p.newest)
	}
	if p.name == "" {
		it.Title = capital(it.Title)
	}
	if p.what == "branch" && usual != "" && p.name != usual {
		low(it)
	}
	if it.State != "deleted" {
		it.Body = commitList(p.commits, p.total)
	}
}

// atoi reads a count; what is none is 0.
func atoi(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// day is a date as an item's Due has it, "" if s is none.
func day(s string) string {
	if len(s) < len(time.DateOnly) {
		return ""
	}
	t, err := time.Parse(time.DateOnly, s[:len(time.DateOnly)])
	if err != nil {
		return ""
	}
	return t.Format(time.DateOnly)
}

// capital is s with its first letter made a capital.
func capital(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	if n == 0 {
		return s
	}
	return string(unicode.ToUpper(r)) + s[n:]
}
