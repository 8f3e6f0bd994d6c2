package digest

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"time"
)

// Why an edition exists.
const (
	OccasionDigest  = "digest"  // a subscription's slot has come
	OccasionAlert   = "alert"   // a subscriber is told of an incident
	OccasionCatchUp = "catchup" // asked for; moves nothing
)

// An Edition is one mail's content for one person and one occasion: the ledger of what was told to whom.
type Edition struct {
	ID           string // EditionID of its occasion
	Occasion     string // OccasionDigest, OccasionAlert or OccasionCatchUp
	Key          string // unique: "digest/SUBSCRIPTION/SLOT in ms", "alert/SUBSCRIBER/INCIDENT/N"
	Subscriber   int64
	Subscription int64     // 0 for an alert
	Slot         time.Time // zero for an alert
	Late         bool      // committed 15 minutes or more after its slot

	// The window of numbers the edition covers, both ends in it, of a digest: From is one behind the end of the last
	// window that was mailed, To is the cut. From > To is an empty window. An alert names its oldest and newest item.
	From, To int64

	Items     int // wanted items of the window
	Shown     int // of them: titles in the mail; the others are folded into a thread's line or counted
	Empty     bool
	CreatedAt time.Time
	MessageID string // of its message, without <>; empty if none was sent
}

// EditionID names an edition outside: the first 20 letters of the hash of its key under the instance's own key, so
// that two services never name the same.
func EditionID(instance []byte, key string) string {
	h := sha256.New()
	h.Write(instance)
	h.Write([]byte("edition/" + key))
	return strings.ToLower(itemEncoding.EncodeToString(h.Sum(nil)))[:20]
}

// DigestKey is the occasion of a subscription's slot.
func DigestKey(subscription int64, slot time.Time) string {
	return fmt.Sprintf("digest/%d/%d", subscription, slot.UnixMilli())
}

// AlertKey is the occasion of the n-th alert of a subscriber about an incident (the first of those it gathers).
func AlertKey(subscriber, incident int64, n int) string {
	return fmt.Sprintf("alert/%d/%d/%d", subscriber, incident, n)
}

// Window is the value of X-Quietpost-Window.
func (e *Edition) Window() string { return fmt.Sprintf("%d-%d", e.From, e.To) }

// A Commit writes an edition down, with its message and all that it moves, in one transaction.
type Commit struct {
	Edition Edition
	Message *Message // nil for an empty edition: nothing is sent

	// A digest's: the cursor it was cut from (compared) and what the subscription moves to.
	Cursor   int64
	NextSlot time.Time

	// An alert's: the marks it moves, each compared by N-1.
	Marks []AlertMark
}
