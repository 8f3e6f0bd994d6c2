package digest

import (
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Limits of an item's text. What is longer is cut and marked; the receipt keeps the raw bytes.
const (
	MaxTitle   = 250       // characters
	MaxBody    = 32 << 10  // bytes
	MaxProject = 100       // bytes
	MaxField   = 500       // characters: author, thread, event, state, level, a tag
	MaxURL     = 2048      // bytes
	MaxTags    = 32        // tags
	Unsorted   = "general" // the project of an item that names none
)

// Kinds of item that the product itself gives meaning to. Any other word of the same form is a kind too.
const (
	KindStatus       = "status"
	KindDecision     = "decision"
	KindQuestion     = "question"
	KindRequest      = "request"
	KindRecap        = "recap"
	KindAnnouncement = "announcement"
	KindIncident     = "incident"
	KindDeploy       = "deploy"
	KindReview       = "review"
	KindComment      = "comment"
)

// A Reason says in plain words why a rule decided as it did. Mail footers, explain, trace and the log print the
// same value.
type Reason string

// An Item is one update. It never changes once stored: a new rule acts on later items, a replay appends new ones.
// The zero value of an optional field means that nothing is known.
type Item struct {
	Number  int64  // its sequence number, rising and never reused; given by the store
	Receipt int64  // the delivery it came with; given by the store
	Source  string // name of the webhook source or inbox
	Tool    string // the source's type that read it: github, slack, mail, …

	Project string // key as ProjectKey makes it; aliases are resolved when an edition is cut
	Kind    string // status, decision, question, …
	Title   string // stands alone on one line
	Body    string // Markdown, untrusted
	URL     string // absolute http(s), or empty
	Author  string
	Thread  string // what belongs together inside a project: "pr/42", "check/api", a mail conversation
	Event   string // the tool's own word: "pull_request.closed"
	State   string // the state the thread is now in: open, merged, firing, resolved, failed, …
	Level   string // severity in the tool's word: critical, warning, …

	Urgent   bool
	Priority string   // "", low or high
	Tags     []string // lower-case
	Due      string   // a day, 2006-01-02, or empty
	Private  bool     // mails show no title

	// EventID is the tool's own id of what happened, the same through whichever of its hooks it came; empty where the tool
	// gives none. Items of one project, tool and event are one when a digest groups them.
	EventID string

	MessageID string // of the mail it was, without <>; empty for what came by other ways

	Authenticated bool // the sender is who they say: a verified signature or secret, or mail that passed trust

	Reasons map[string]Reason // why, by field: project, urgent, kind, …

	OccurredAt time.Time // when it happened, by the tool's word; zero if unknown
	ReceivedAt time.Time // when it reached us

	// Step says what the item does to its thread's incident; Incident is the row it was given by the store, 0 if none.
	Step     IncidentStep
	Incident int64
}

// When is the time to show for the item: when it happened, else when it arrived. A tool's clock that runs ahead of
// ours is not believed.
func (i *Item) When() time.Time {
	if i.OccurredAt.IsZero() || i.OccurredAt.After(i.ReceivedAt) {
		return i.ReceivedAt
	}
	return i.OccurredAt
}

// ProjectKey makes a project's key of what a tool or a person calls it: lower-case, spaces and other signs to a
// single '-', at most MaxProject bytes, [a-z0-9][a-z0-9._/-]{0,99}. It gives "" when nothing is left of s.
func ProjectKey(s string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(strings.TrimSpace(s)) {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			b.WriteRune(r)
		case r == '.' || r == '_' || r == '/' || r == '-':
			if b.Len() > 0 {
				b.WriteRune(r)
			}
		default:
			if k := b.String(); k != "" && !strings.HasSuffix(k, "-") && !strings.HasSuffix(k, "/") {
				b.WriteByte('-')
			}
		}
		if b.Len() >= MaxProject {
			break
		}
	}
	k := strings.ReplaceAll(b.String(), "-/", "/") // "group / name", as some tools write it
	if len(k) > MaxProject {
		k = k[:MaxProject]
	}
	return strings.TrimRight(k, "-/.")
}

// KindKey makes a kind of s as ProjectKey does, without the slash; "" when nothing is left.
func KindKey(s string) string { return strings.ReplaceAll(ProjectKey(s), "/", "-") }

// ItemID is the opaque outside name of an item's number: 13 letters and digits, a bijection, so never reused.
func ItemID(number int64) string {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], scramble(uint64(number)))
	return strings.ToLower(itemEncoding.EncodeToString(b[:]))
}

// ItemNumber is the inverse of ItemID; ok is false for anything that ItemID does not give.
func ItemNumber(id string) (number int64, ok bool) {
	b, err := itemEncoding.DecodeString(strings.ToUpper(id))
	if err != nil || len(b) != 8 {
		return 0, false
	}
	n := int64(unscramble(binary.BigEndian.Uint64(b)))
	return n, n > 0 && ItemID(n) == strings.ToLower(id)
}

var itemEncoding = base32.NewEncoding("0123456789ABCDEFGHJKMNPQRSTVWXYZ").WithPadding(base32.NoPadding)

// scramble spreads neighbouring numbers over all of 64 bits: two odd multiplications (each invertible modulo 2^64)
// around a bit reversal by xor-shift.
func scramble(n uint64) uint64 {
	n *= 0x9E3779B97F4A7C15
	n ^= n >> 32
	return n * 0xD6E8FEB86659FD93
}

func unscramble(n uint64) uint64 {
	n *= inverse(0xD6E8FEB86659FD93)
	n ^= n >> 32
	return n * inverse(0x9E3779B97F4A7C15)
}

// inverse of an odd number modulo 2^64, by Newton's iteration.
func inverse(a uint64) uint64 {
	x := a
	for range 6 {
		x *= 2 - a*x
	}
	return x
}

// OneLine makes s fit for a line: valid UTF-8, control and line characters to spaces, runs of space folded, cut to
// max characters with an ellipsis that counts.
func OneLine(s string, max int) string {
	s = strings.Join(strings.FieldsFunc(strings.ToValidUTF8(s, "\uFFFD"), func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r) || isBidiControl(r)
	}), " ")
	if utf8.RuneCountInString(s) <= max {
		return s
	}
	r := []rune(s)
	return strings.TrimRight(string(r[:max-1]), " ") + "…"
}

// isBidiControl tells the marks that can turn a line around and make it read as another one (Unicode TR 36).
func isBidiControl(r rune) bool {
	return r >= '\u202A' && r <= '\u202E' || r >= '\u2066' && r <= '\u2069' || r == '\u200E' || r == '\u200F'
}

// CleanBody makes s fit to be kept as a body: valid UTF-8, no control characters but tab and newline, newlines as
// \n, cut to MaxBody bytes at a character with a mark that says so.
func CleanBody(s string) string {
	s = strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n")
	if !isCleanText(s) { // hardly ever, and it takes ten times as long
		s = strings.Map(func(r rune) rune {
			if inCleanText(r) {
				return r
			}
			return -1
		}, strings.ToValidUTF8(s, "\uFFFD"))
	}
	s = strings.Trim(s, "\n")
	if len(s) <= MaxBody {
		return s
	}
	const mark = "\n\n[cut: the rest is kept with the original]"
	cut := MaxBody - len(mark)
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + mark
}

// inCleanText tells what may stand in a body.
func inCleanText(r rune) bool {
	return r == '\n' || r == '\t' || !unicode.IsControl(r) && !isBidiControl(r)
}

// isCleanText tells whether s is valid UTF-8 and may stand in a body as it is.
func isCleanText(s string) bool {
	for i := 0; i < len(s); {
		if c := s[i]; c >= ' ' && c < 0x7f || c == '\n' || c == '\t' {
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 || !inCleanText(r) {
			return false
		}
		i += n
	}
	return true
}

// String names the item for logs and errors: number, project and title, never its body.
func (i *Item) String() string { return fmt.Sprintf("#%d %s: %s", i.Number, i.Project, i.Title) }
