package digest

import (
	"math"
	"time"
)

// Lanes of the outbox: alerts always overtake digests; see LaneRank.
const (
	LaneAlert  = "alert"
	LaneLetter = "letter" // answers, confirmations and words to the operators
	LaneDigest = "digest"
)

// LaneRank is the order of lanes in a lease: alerts first, then letters, which somebody waits for, then all else.
func LaneRank(lane string) int64 {
	switch lane {
	case LaneAlert:
		return 0
	case LaneLetter:
		return 1
	}
	return 2
}

// States of a message.
const (
	Queued    = "queued"    // to be sent at NextAt
	Sending   = "sending"   // leased: the attempt is written down, its end is not
	Delivered = "delivered" // a server took it
	Failed    = "failed"    // never will
	Bounced   = "bounced"   // a server took it, and reported later that it could not deliver it
)

// Channel of a message; the only one so far.
const ChannelEmail = "email"

// A Message is one row of the outbox: one message to one recipient. Its bytes are final but for DKIM-Signature, which
// is made anew at sending; they are kept until it is delivered, or dropped by the operator.
type Message struct {
	ID        int64
	Edition   string // the edition it carries; empty for a letter
	Channel   string
	Lane      string
	To        string // envelope recipient
	MessageID string // without <>; stable over all attempts
	Subject   string // for lists
	Bytes     []byte // RFC 5322 with CRLF

	State       string
	Attempts    int
	NextAt      time.Time
	Lease       int64     // rises with every lease: the fence of Report
	LeasedUntil time.Time // zero if not leased
	Answer      string    // the server's last words
	CreatedAt   time.Time
	DoneAt      time.Time // delivered or failed; zero before
}

// A Report is the end of an attempt.
type Report struct {
	ID     int64
	Lease  int64
	State  string    // Delivered, Failed, or Queued for again
	NextAt time.Time // for Queued
	Answer string

	// Untried gives a leased message back that was not sent at all: for Queued, and no attempt is counted.
	Untried bool
}

// FarOff is further than anything waits: what is to wait longer was written down while the clock was wrong, and is due.
const FarOff = 48 * time.Hour

// Give up on a message that no server has taken for so long, and in so many attempts: after days without any server each
// message still has its tries.
const (
	GiveUpAfter = 5 * 24 * time.Hour
	giveUpTries = 10
)

// Backoff is how long to wait after the n-th failed attempt (n from 1): 15 s, doubling to two hours, spread by jitter
// in [0,1) over ±20 % so that a server that comes back is not met by all at once. RFC 5321, section 4.5.4.1 asks for 30
// minutes between later tries and for four to five days in all; the first tries are closer because most faults are short.
func Backoff(n int, jitter float64) time.Duration {
	if n < 1 {
		n = 1
	}
	d := 15 * time.Second * time.Duration(math.Pow(2, math.Min(float64(n-1), 9)))
	d = min(d, 2*time.Hour)
	return time.Duration(float64(d) * (0.8 + 0.4*jitter))
}

// OutcomeOf decides what becomes of a message after an attempt: delivered, with the words that the transport left as its
// Answer, again at, or never.
func OutcomeOf(m *Message, err error, now time.Time, jitter float64) Report {
	r := Report{ID: m.ID, Lease: m.Lease}
	if err == nil {
		r.State, r.Answer = Delivered, OneLine(m.Answer, 500)
		return r
	}
	r.Answer = OneLine(err.Error(), 500)
	var se *SendError
	switch {
	case asSendError(err, &se) && se.Permanent:
		r.State = Failed
	case now.Sub(m.CreatedAt) > GiveUpAfter && m.Attempts >= giveUpTries:
		r.State, r.Answer = Failed, "given up after five days; last answer: "+r.Answer
	default:
		wait := Backoff(m.Attempts, jitter)
		switch {
		case se != nil && se.About == AboutFate:
			wait = again(m, jitter)
		case se == nil || se.Code == 0: // no server spoke: when one does again, mail should not sleep on
			wait = min(wait, unreachable[m.Lane != LaneDigest])
		}
		r.State, r.NextAt = Queued, now.Add(wait)
	}
	return r
}

// again is how long to wait where a mail may have arrived: each try may be one more copy, so that a server that takes mails and
// never says so gives its readers a handful of them and not hundreds. Two minutes for what is urgent, eight for the rest,
// doubling to half a day.
func again(m *Message, jitter float64) time.Duration {
	first := 8 * time.Minute
	if m.Lane != LaneDigest {
		first = 2 * time.Minute
	}
	wait := min(first<<min(max(m.Attempts-1, 0), 10), 12*time.Hour)
	return time.Duration(float64(wait) * (0.8 + 0.4*jitter))
}

// unreachable is the longest wait between tries of a server that cannot be reached, for what is urgent and what is not.
var unreachable = map[bool]time.Duration{true: time.Minute, false: 5 * time.Minute}
