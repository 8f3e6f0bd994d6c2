package digest

import (
	"crypto/sha256"
	"encoding/hex"
	"time"
)

// What became of a delivery.
const (
	Accepted    = "accepted"    // it holds the items listed
	Ignored     = "ignored"     // genuine and of no news: a ping, or dropped by a rule
	Quarantined = "quarantined" // genuine and not understood, or not to be believed; kept with its raw bytes
)

// A Receipt is one delivery as it arrived. There is one per source and key.
type Receipt struct {
	ID     int64 // given by the store
	Source string
	Tool   string

	// Key tells one delivery from the next inside its source: a delivery id, a Message-ID with the body's hash, or
	// the hash of the body. With SameWithin above zero the key is only good for so long (a body without an id may
	// come again tomorrow and be news); zero means for ever.
	Key        string
	SameWithin time.Duration

	// Sum is the SHA-256 of what was delivered, to tell a repeated key with another body.
	Sum [sha256.Size]byte

	State  string // Accepted, Ignored or Quarantined
	Reason Reason // why it is ignored or quarantined

	Header []byte // the header as it arrived, secrets removed; may be empty
	Raw    []byte // the body as it arrived; above 5 MiB only what the door chose to keep

	ReceivedAt time.Time
}

// A Delivery is what a door hands to the store in one transaction: the receipt, its items, and for a mailbox how far
// it has been read.
type Delivery struct {
	Receipt Receipt
	Items   []Item
	Mark    *Mark

	// Replay is the ID of a quarantined receipt that was read again; 0 for what comes for the first time. Nothing but State
	// and Reason of Receipt counts then.
	Replay int64
}

// An ItemRef is what a sender is told of an item.
type ItemRef struct {
	Number  int64
	Project string
	Urgent  bool
}

// A Result says what AddItems did. For a duplicate it repeats the first answer.
type Result struct {
	Receipt   int64
	Duplicate bool
	Differs   bool // a duplicate by key whose Sum is another
	State     string
	Reason    Reason
	Items     []ItemRef
}

// A Mark says how far an inbox has been read: everything up to UID in the mailbox of that UIDVALIDITY (RFC 9051,
// section 2.3.1.1). Floor is the moment of first contact; what the server received before it is not ours.
type Mark struct {
	Inbox       string
	UIDValidity uint32
	UID         uint32
	Arrived     time.Time // when the server had the mail at UID, by its clock; zero: not known
	Floor       time.Time

	// Known are the UIDs below which the server had mails when we came, at first contact or after it renumbered them:
	// there only the server's clock tells what is ours. Above, it is ours because it came later.
	Known uint32

	Done  uint32 // up to which UID what is to become of a mail once it is stored has been done
	Tries int    // how often reading the mails behind UID was begun since the mark last moved
}

// BodyKey is the key of a delivery that brings no id of its own: the hash of its body.
func BodyKey(body []byte) string {
	sum := sha256.Sum256(body)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// BodyWindow is how long two deliveries with the same body and no id count as one.
const BodyWindow = 10 * time.Minute
