package digest

import (
	"context"
	"time"
)

// Links are the addresses a mail may point at; an empty one is left out. https only where base_url is.
type Links struct {
	Leave   string // page and one-click POST that ends this subscription, or for an alert the alerts
	Edition string // page with everything the edition covers
	Mailto  string // mailto: address that ends the same by mail; empty without an inbox
}

// A View is what a Renderer turns into a mail. Its texts are untrusted but for those named otherwise.
type View struct {
	Edition  Edition
	Name     string // of the reader; may be empty
	Address  string
	Loc      *time.Location // all instants are shown in it
	Now      time.Time
	Subject  string // made by the domain, one line
	Why      string // why this mail came: trusted plain text
	NextAt   time.Time
	Schedule string // in words or as written: "daily", "0 9 * * MON-FRI"
	Links    Links

	Grouping Grouping    // of a digest
	Missed   string      // what is no longer kept, in words; empty if nothing is missing
	Alerts   []AlertView // of an alert
	Held     Reason      // why an alert comes later than the item, empty if it does not
}

// An AlertView is one incident in an alert mail.
type AlertView struct {
	Project      string
	ProjectTitle string
	FollowUp     bool   // the reader was told of it before
	Resolved     bool   // it is over
	Why          Reason // why the newest urgent item is urgent
	OpenedAt     time.Time
	ResolvedAt   time.Time
	Items        []Item // the new ones, oldest first
	Earlier      int    // items the reader has been told of
}

// A Rendered mail. Text and HTML are equal in content; HTML is below 100 KB, or ErrTooLarge.
type Rendered struct {
	Subject string
	Text    string // lines end in \n
	HTML    string
}

// A Renderer makes the texts of mails. It is pure and quick, and safe for many goroutines.
type Renderer interface {
	Digest(v *View) (Rendered, error)
	Alert(v *View) (Rendered, error)
}

// A Letter is all that a Composer needs to make a message of a rendered mail.
type Letter struct {
	Rendered
	To, Name    string
	ReplyTo     string   // empty: where all answers go
	MessageID   string   // without <>
	References  []string // Message-IDs without <>, oldest first
	Date        time.Time
	ListID      string   // "Title <id.host>" without the host, see Composer
	Unsubscribe []string // URLs made with net/url, https first
	OneClick    bool     // the first of Unsubscribe takes an RFC 8058 POST
	Edition     string   // X-Quietpost-Edition, by which every quietpost knows its own; empty for a letter
	Window      string   // X-Quietpost-Window; empty but for a digest
	Feedback    string   // what kind of mail it is, for Feedback-ID: an occasion; empty leaves the field out
}

// A Composer makes the bytes of a message: RFC 5322 with CRLF, multipart/alternative, the headers of the contract.
// The same letter gives the same bytes.
type Composer interface {
	Compose(l *Letter) ([]byte, error)
	// Host is the domain of Message-IDs and List-Ids: that of the sender's address.
	Host() string
}

// A Transport hands one message to a mail server. nil means that a server has taken it, also when the connection failed
// afterwards; the server's words (its queue ID, as a rule) are then m.Answer. An error is a *SendError, or counts as one with code 0: to be tried again. It honours ctx for the whole
// exchange, keeps its connection for the next message, and is used by one goroutine at a time.
type Transport interface {
	Send(ctx context.Context, m *Message) error
	Close() error
}
