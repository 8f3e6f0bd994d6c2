package digest

import "time"

// A BounceClass says what a delivery report means for the address it is about.
type BounceClass string

// Classes of Bounce.
const (
	BounceHard      BounceClass = "hard"      // the address does not exist, or never will take mail
	BounceSoft      BounceClass = "soft"      // it was not taken, for a reason that may pass
	BounceFull      BounceClass = "full"      // the mailbox is full
	BounceBlocked   BounceClass = "blocked"   // the server does not want mail from us: reputation, policy, contents
	BounceDelayed   BounceClass = "delayed"   // still on its way; the server goes on trying
	BounceComplaint BounceClass = "complaint" // the reader marked it as spam (RFC 5965)
)

// A Bounce is what a mail server, or a reader's provider, reports of one message to one address. Everything in it but
// Class may be missing: half of all servers follow no standard. Only Token is signed; the rest anybody may have written.
type Bounce struct {
	Address   string // whom the mail was for, as NormalizeAddress gives it where it can; empty if it does not say
	Token     string // what stood behind "+b-" in the address the report came to; empty for none
	MessageID string // of the mail that is reported, without <>; empty if it does not say
	Class     BounceClass
	Status    string    // enhanced status code (RFC 3463), "5.1.1"; empty if there is none
	Text      string    // the server's own words, one line
	At        time.Time // when the report arrived
}
