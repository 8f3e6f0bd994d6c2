// Package reader reads mail: the bytes of one message in, a Reading out. It is pure: no network, no disk, no clock,
// nothing kept. Whatever the bytes are there is a Reading, at worst a subject and the raw text, and it is bounded in
// time, memory, depth and parts. (Authenticate, which may ask DNS through a function it is given, stands apart.)
//
// The files stand in the order in which a mail meets them: header.go, mime.go, transfer.go, charset.go, parts.go,
// calendar.go and html.go (bytes to text), subject.go (tags), reply.go (quoted text and signature), automatic.go (who
// must not be answered), bounce.go (what a delivery report says), tool.go (mails of tools and lists), auth.go (is the
// sender who they say).
package reader

import (
	"net/mail"
	"regexp"
	"strings"
	"sync"
	"time"

	"quietpost/digest"
)

// Bounds of one reading. What is beyond them is left out of the Reading; the receipt keeps the raw bytes.
const (
	maxHeader  = 256 << 10 // bytes of the header block that are looked at
	maxFields  = 1000      // header fields
	maxValue   = 16 << 10  // bytes of one field's value
	maxDepth   = 8         // nested multiparts and forwarded mails
	maxParts   = 200       // parts in all
	maxText    = 256 << 10 // bytes of text taken from one part and kept of all
	maxIDs     = 50        // message ids of References
	maxIDBytes = 400       // bytes of one message id
	maxPeople  = 100       // recipients
)

// Options of Read. The zero value is fine.
type Options struct {
	// KnownProject tells whether there is a project of this key (digest.ProjectKey), so that "[apollo]" in a subject
	// names it. Nil knows none.
	KnownProject func(key string) bool

	// Whole keeps quoted text and signatures in the Body.
	Whole bool
}

// An Address is a mail address as digest.NormalizeAddress gives it (where it can), with the name beside it.
type Address struct {
	Name    string
	Address string
}

// An Attachment is a part that is not text to be read. Its bytes stay with the raw mail.
type Attachment struct {
	Name string
	Type string // media type, lower-case
	Size int    // bytes, decoded; an estimate from the encoded length
}

// A Reading is what a mail says.
type Reading struct {
	From       Address
	Froms      int    // addresses in all From fields; only one can be authenticated
	Subject    string // as it stands, decoded, one line
	MessageID  string // without <>, as all ids here
	InReplyTo  string
	References []string
	Date       time.Time // zero if missing or not to be read
	ListID     string    // "apollo.lists.example.com", lower-case
	ListName   string    // the phrase before it
	URL        string    // where the mail can be read on the web: Archived-At (RFC 5064)

	// Recipients are the addresses of every header that carries the original one, most telling first:
	// X-Gm-Original-To, Delivered-To, X-Original-To, Envelope-To, the "for" of Received, Resent-To, To, Cc.
	Recipients []string

	Body        string // Markdown or plain text; of a reply only what is new
	Attachments []Attachment

	// From the subject: what is left when the marks are taken out, and the marks.
	Title   string
	Line    string // the subject without "Re:" and the like, its marks still in it
	Kind    string // digest.KindDecision, …, or empty
	Project string // a known project's key, or empty
	Tags    []string
	Due     string // 2006-01-02
	Reply   bool   // it answers another mail
	Forward bool
	Command string // the whole subject where it is a command: "subscribe apollo daily"

	// What a tool or a calendar says of itself by header, subject or invitation; empty otherwise.
	Event  string // "calendar.request"
	State  string // of the thread: "cancelled", "firing", …
	Level  string // severity in the tool's word
	Thread string // "calendar/UID", "pr/42": as the same tool's webhook names it
	// ToolProject is the project in the tool's words: "acme/apollo", "APOLLO".
	ToolProject string

	// Writer is who wrote the mail where a list's software put the list's own address into From. It is a claim.
	Writer Address

	Urgent digest.Reason // the sender's own mark of urgency and where it stands; empty for none

	Automatic digest.Reason // made by a machine; empty for a person's mail
	NoAnswer  digest.Reason // must not be answered: automatic, bulk or from a list; empty for mail that may be
	AutoReply bool          // a machine's answer to a mail, such as out of office: no news
	Report    digest.Reason // a delivery report, read receipt or complaint: "a delivery report"; empty otherwise
	Own       bool          // made by a quietpost, this one or another

	Bounces []digest.Bounce // what a delivery report or complaint says, of each address; without Token and At

	firstWords  string   // of the body
	authResults []string // Authentication-Results, topmost first, for Authenticate
}

// Read reads a mail. It never panics and never fails.
func Read(raw []byte, o Options) (r Reading) {
	defer func() {
		if recover() != nil { // a fault of a library must not cost the mail: fall back to what needs none
			r = plainReading(raw)
		}
	}()
	head, body := Split(raw)
	h := parseHeader(head)
	hint := sync.OnceValue(func() string { return hintOf(h, body) })
	r = readHeader(h, hint)
	c := &collector{hint: hint}
	text, attachments := c.read(h, body)
	r.Attachments = attachments
	r.readSubject(o.KnownProject)
	r.readPriority(h)
	r.readAutomatic(h, c.report, text)
	if r.Report != "" {
		r.Bounces = r.bounces(h, &c.found, text)
	}
	if o.Whole {
	} else if r.Reply && r.Report == "" {
		text = visibleReply(text)
	} else if r.Report == "" {
		text = withoutFrame(text, r.Forward)
	}
	r.firstWords, _, _ = strings.Cut(strings.TrimSpace(text), "\n")
	r.readTool(h)
	r.writer(h)
	if e := c.event; e != nil {
		text = r.readEvent(e, text)
	}
	r.Body = digest.CleanBody(text)
	if r.Title == "" {
		r.Title = titleOf(r.Body)
	}
	return r
}

// readEvent takes an invitation over: its day, state and thread, and its facts above what else the mail says.
func (r *Reading) readEvent(e *event, text string) string {
	r.Event, r.State = "calendar."+strings.ToLower(e.Method), e.state()
	if e.Method == "" {
		r.Event = "calendar"
	}
	if r.Due == "" {
		r.Due = e.due()
	}
	if e.UID != "" {
		r.Thread = "calendar/" + e.UID
	}
	if r.Title == "" {
		r.Title = e.Summary
	}
	return e.words() + "\n\n" + text
}

var (
	mdLink   = regexp.MustCompile(`\[([^\[\]]+)\]\([^()\s]*\)`)
	mdStrong = regexp.MustCompile(`\*\*([^*]+)\*\*|\*([^\s*][^*]*)\*`)
	mdEscape = regexp.MustCompile(`\\([!-/:-@\[-` + "`" + `{-~])`)
)

// titleOf makes a title for a mail without a subject: its first line.
func titleOf(body string) string {
	for line := range strings.Lines(body) {
		line = mdEscape.ReplaceAllString(mdStrong.ReplaceAllString(mdLink.ReplaceAllString(line, "$1"), "$1$2"), "$1")
		if line = digest.OneLine(strings.TrimLeft(line, "#*>_- \u00A0"), digest.MaxTitle); strings.Trim(line, "#*>_- ") != "" {
			return line
		}
	}
	return "(no subject)"
}

// plainReading takes the subject and the raw text, by means that cannot fail.
func plainReading(raw []byte) Reading {
	head, body := Split(raw)
	var r Reading
	for line := range strings.Lines(string(head[:min(len(head), maxHeader)])) {
		if len(line) > 8 && strings.EqualFold(line[:8], "subject:") {
			r.Subject = digest.OneLine(line[8:], digest.MaxTitle)
			break
		}
	}
	r.Body = digest.CleanBody(string(body[:min(len(body), maxText)]))
	if r.Title = r.Subject; r.Title == "" {
		r.Title = titleOf(r.Body)
	}
	r.NoAnswer = "it could not be read"
	return r
}

func readHeader(h header, hint func() string) Reading {
	r := Reading{
		Subject:     oneLine(h.get("Subject"), hint, 1000),
		ListName:    listName(h.get("List-Id")),
		ListID:      listID(h.get("List-Id")),
		References:  messageIDs(h.get("References")),
		authResults: h.all("Authentication-Results"),
		Own:         h.has("X-Quietpost-Edition"),
	}
	if ids := messageIDs(h.get("Message-Id")); len(ids) > 0 {
		r.MessageID = ids[0]
	}
	if ids := messageIDs(h.get("In-Reply-To")); len(ids) > 0 {
		r.InReplyTo = ids[0]
	}
	if t, err := mail.ParseDate(h.get("Date")); err == nil && t.Year() >= 1990 && t.Year() < 2200 {
		r.Date = t.UTC()
	}
	if u := strings.Trim(h.get("Archived-At"), "<> "); strings.HasPrefix(u, "https://") || strings.HasPrefix(u, "http://") {
		if len(u) <= digest.MaxURL && !strings.ContainsAny(u, " \t\r\n<>\"") {
			r.URL = u
		}
	}
	for i, v := range h.all("From") {
		people := addresses(v, hint)
		if i == 0 && len(people) > 0 {
			r.From = people[0]
		}
		r.Froms += len(people)
	}
	if r.From.Address == "" { // RFC 5322, section 3.6.2: Sender names who is responsible; better than nobody
		if people := addresses(h.get("Sender"), hint); len(people) > 0 {
			r.From = people[0]
		}
	}
	r.Recipients = recipients(h, hint)
	return r
}

// AllIDs are the message ids the mail refers to: the one it answers first, then References from the newest on.
func (r *Reading) AllIDs() []string {
	var ids []string
	if r.InReplyTo != "" {
		ids = append(ids, r.InReplyTo)
	}
	for i := len(r.References) - 1; i >= 0; i-- {
		if r.References[i] != r.InReplyTo {
			ids = append(ids, r.References[i])
		}
	}
	return ids
}

// Root is the id of the mail that began the conversation; empty if the mail has no id at all.
func (r *Reading) Root() string {
	switch {
	case len(r.References) > 0:
		return r.References[0]
	case r.InReplyTo != "":
		return r.InReplyTo
	}
	return r.MessageID
}
