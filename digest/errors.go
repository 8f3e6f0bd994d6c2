package digest

import (
	"errors"
	"fmt"
)

// The few kinds of error that callers tell apart. Stores wrap them with what they were about.
var (
	ErrNotFound    = errors.New("not found")
	ErrExists      = errors.New("exists already")
	ErrConflict    = errors.New("somebody else was first")
	ErrUnavailable = errors.New("cannot be stored now") // full disk, I/O error: nothing was kept, ask again
)

// An InactiveError says that a person gets no mail now. It counts as ErrConflict.
type InactiveError struct {
	Address string
	State   string // Paused, Suspended, Left or Pending
}

func (e *InactiveError) Error() string { return e.Address + " is " + e.State }

// Is makes it an ErrConflict.
func (e *InactiveError) Is(target error) bool { return target == ErrConflict }

// A SendError is a Transport's answer when a message was not taken. Any other error from a Transport counts as
// temporary with code 0.
type SendError struct {
	Code      int    // SMTP reply code (RFC 5321, section 4.2), 0 if the server did not answer
	Enhanced  string // enhanced status code (RFC 3463) such as "5.1.1", or empty
	Text      string // the server's own words, or what went wrong
	Permanent bool   // never is the word; else again
	About     string // one of those below; empty if it is not known
}

// What a SendError is about.
const (
	AboutServer    = "server"    // unreachable, a login, limits, our own settings: the next message would hear the same
	AboutRecipient = "recipient" // the answer to RCPT
	AboutMessage   = "message"   // its sender, size or contents
	AboutFate      = "fate"      // the server had all of it and did not answer: it may have arrived
)

func (e *SendError) Error() string {
	switch {
	case e.Code == 0:
		return e.Text
	case e.Enhanced == "":
		return fmt.Sprintf("%d %s", e.Code, e.Text)
	}
	return fmt.Sprintf("%d %s %s", e.Code, e.Enhanced, e.Text)
}

func asSendError(err error, to **SendError) bool { return errors.As(err, to) }

// ErrTooLarge is a Renderer's word for a digest whose HTML would be 100 KB or more (Gmail cuts at 102 KB); the caller
// shows fewer lines.
var ErrTooLarge = errors.New("the mail would be too large")
