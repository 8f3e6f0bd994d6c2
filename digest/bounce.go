package digest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

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

// A BounceRecord is what a subscriber's bounces come to. Desk.Resume clears it.
type BounceRecord struct {
	Score       int       // thousandths of a point as of ScoredAt; halves every week
	ScoredAt    time.Time // zero for no score
	SuspendedAt time.Time // zero if not suspended
	Reason      Reason    // why it is suspended, with the server's words
}

// A BouncePolicy says when an address is suspended.
type BouncePolicy struct {
	Points   int           // so many points suspend
	HalfLife time.Duration // of a score
	OneIn    time.Duration // no more than one point in this time, however many mails fail
}

// DefaultBouncePolicy suspends an address to which nothing could be delivered for a week of daily mails, and forgives one that
// fails now and then.
func DefaultBouncePolicy() BouncePolicy {
	return BouncePolicy{Points: 5, HalfLife: 7 * 24 * time.Hour, OneIn: 20 * time.Hour}
}

// Points is the score as of now, in points.
func (r *BounceRecord) Points(p BouncePolicy, now time.Time) float64 {
	since := now.Sub(r.ScoredAt)
	if r.ScoredAt.IsZero() || since < 0 { // nothing, or a clock that was set
		since = 0
	}
	return float64(r.Score) / 1000 * math.Exp2(-float64(since)/float64(p.HalfLife))
}

// JudgeBounce gives a subscriber's record after a bounce, and whether it suspends the address. A hard bounce and a complaint do
// at once, a soft one or a full mailbox adds a point to a score that decays. A block is about us, a delay is no end: neither
// counts. alarm is whether so many addresses fail at once that the fault is likely a server's or ours: then a hard bounce
// only adds a point, or a broken directory at one provider would suspend a whole team.
func JudgeBounce(r BounceRecord, p BouncePolicy, b *Bounce, alarm bool, now time.Time) (BounceRecord, bool) {
	suspend := func(why string) (BounceRecord, bool) {
		r.SuspendedAt, r.Reason = now, Reason(OneLine(why+words(b), 300))
		return r, true
	}
	switch {
	case b.Class == BounceComplaint:
		return suspend("the reader reported a mail as spam")
	case b.Class == BounceHard && !alarm:
		return suspend("the address does not take mail")
	case b.Class != BounceHard && b.Class != BounceSoft && b.Class != BounceFull:
		return r, false
	}
	if since := now.Sub(r.ScoredAt); r.ScoredAt.IsZero() || since >= p.OneIn || since < -p.OneIn {
		r.Score, r.ScoredAt = 1000+int(math.Round(1000*r.Points(p, now))), now
	}
	if r.Score >= p.Points*1000 {
		return suspend("mail has come back for days")
	}
	return r, false
}

// words are what the server said, as the end of a sentence.
func words(b *Bounce) string {
	said := strings.TrimSpace(b.Status + " " + b.Text)
	if said == "" {
		return ""
	}
	return ": " + said
}

// BounceOf is the bounce that an attempt's end means: a recipient that the server refused for good, one that it put off until
// we gave up, or a refusal of our mail. ok is false for all else: what speaks of our settings is no bounce.
func BounceOf(m *Message, r Report, err error, now time.Time) (b Bounce, ok bool) {
	var se *SendError
	if r.State != Failed || !asSendError(err, &se) || se.About == AboutServer {
		return b, false
	}
	b = Bounce{Address: m.To, MessageID: m.MessageID, Status: se.Enhanced, Text: OneLine(se.Text, 300), At: now}
	_, detail, _ := strings.Cut(se.Enhanced, ".")
	subject, _, _ := strings.Cut(detail, ".")
	switch {
	case !se.Permanent:
		b.Class = BounceSoft
	case hardStatus[detail]:
		b.Class = BounceHard
	case detail == "2.2":
		b.Class = BounceFull
	case subject == "7" || se.About == AboutMessage:
		b.Class = BounceBlocked
	case se.About == AboutRecipient:
		b.Class = BounceSoft // for good, but it does not say that it is the address: some say 550 to what they do not trust
	default:
		return b, false
	}
	return b, true
}

// hardStatus are the enhanced codes (RFC 3463, section 3.2 and 3.3; RFC 7505) that say of the recipient that mail will never
// arrive. 5.1.0, 5.1.7 and 5.1.8 are not among them: they are said of senders too.
var hardStatus = map[string]bool{"1.1": true, "1.2": true, "1.3": true, "1.6": true, "1.10": true, "2.1": true}

// A BounceNote is a bounce as it is kept: one a message and class, so that a report that is read twice counts once.
type BounceNote struct {
	MessageID  string // without <>
	Class      BounceClass
	Subscriber int64
	Status     string
	Text       string
	At         time.Time
}

// Bounces takes in what is reported of mails.
type Bounces struct {
	Store    Store
	Instance []byte
	Policy   BouncePolicy
	Now      func() time.Time

	// Recorded, if there is one, hears of each new bounce: whom it was about, whether it suspended the address, and the number
	// of addresses that fail at once where they are many, else 0.
	Recorded func(ctx context.Context, b Bounce, who *Subscriber, suspended bool, failing int)
}

// Take records a bounce and suspends the address if the rule says so. Evidence is needed, for anybody can write a report: its
// token, or the Message-ID of a mail that went to that person. ErrNotFound if there is none, or nobody it is about; what was
// recorded before is no error and changes nothing.
func (b *Bounces) Take(ctx context.Context, bounce Bounce) error {
	if bounce.Class == BounceDelayed {
		return nil
	}
	subscriber, err := b.evidence(ctx, &bounce)
	if err != nil {
		return err
	}
	now := b.Now()
	failing, people, err := b.failing(ctx, now)
	if err != nil {
		return err
	}
	note := BounceNote{MessageID: bounce.MessageID, Class: bounce.Class, Subscriber: subscriber, Status: bounce.Status,
		Text: OneLine(bounce.Text, 300), At: now}
	for {
		who, err := b.Store.Subscriber(ctx, subscriber)
		if err != nil {
			return err
		}
		record, suspend := JudgeBounce(who.Bounces, b.Policy, &bounce, len(failing) >= max(manyFail, min(people/10, mostFail)), now)
		switch {
		case suspend && who.State == Active:
			who.State = Suspended
		case suspend: // paused, left, or suspended before: that stands, with its date and reason
			suspend, record = false, who.Bounces
		}
		who.Bounces = record
		err = b.Store.RecordBounce(ctx, note, who)
		if errors.Is(err, ErrConflict) {
			continue // the person, or the desk, was first
		}
		if err == nil && b.Recorded != nil {
			failing[subscriber] = true
			if len(failing) < manyFail || bounce.Class == BounceComplaint {
				clear(failing)
			}
			b.Recorded(ctx, bounce, &who, suspend, len(failing))
		}
		if errors.Is(err, ErrExists) {
			err = nil
		}
		return err
	}
}

// evidence finds whom the reported mail went to, and its Message-ID.
func (b *Bounces) evidence(ctx context.Context, bounce *Bounce) (subscriber int64, err error) {
	if purpose, id, ok := ReadToken(b.Instance, bounce.Token); ok && purpose == TokenBounce {
		n, err := strconv.ParseInt(id, 10, 64)
		if err != nil {
			return 0, ErrNotFound
		}
		m, err := b.Store.Message(ctx, n)
		if err != nil {
			return 0, err
		}
		if bounce.MessageID = m.MessageID; m.Edition == "" {
			return b.reader(ctx, m.To)
		}
	}
	edition, _, _ := strings.Cut(bounce.MessageID, "@")
	e, err := b.Store.Edition(ctx, edition)
	if err == nil && e.MessageID != bounce.MessageID {
		err = ErrNotFound
	}
	return e.Subscriber, err
}

// reader finds whom a letter went to.
func (b *Bounces) reader(ctx context.Context, address string) (int64, error) {
	people, err := b.Store.Subscribers(ctx)
	for i := range people {
		if people[i].Address == address {
			return people[i].ID, nil
		}
	}
	if err == nil {
		err = fmt.Errorf("%s is no subscriber: %w", address, ErrNotFound)
	}
	return 0, err
}

// A tenth of all people who fail within an hour, but from manyFail to mostFail, are too many to be suspended at once: a server
// that has lost its directory says of everybody what it says of who has left. Who is gone indeed fails again the next day.
const (
	manyFail    = 5 // addresses that failed within manyFailIn are many
	mostFail    = 100
	manyFailIn  = time.Hour
	manyBounces = 1000 // that are looked at
)

// failing are the subscribers of whom a bounce arrived lately, complaints aside, and how many subscribers there are.
func (b *Bounces) failing(ctx context.Context, now time.Time) (map[int64]bool, int, error) {
	notes, err := b.Store.Bounces(ctx, 0, manyBounces)
	if err != nil {
		return nil, 0, err
	}
	failing := map[int64]bool{}
	for _, n := range notes {
		if age := now.Sub(n.At); age >= 0 && age < manyFailIn && n.Class != BounceComplaint {
			failing[n.Subscriber] = true
		}
	}
	c, err := b.Store.Counts(ctx)
	return failing, c.Subscribers[Active] + c.Subscribers[Suspended], err
}

// ReturnPath is the envelope sender of a message: the return path with a token that a report brings back (VERP), or the plain one
// where the token would not fit before the @ (RFC 5321, section 4.5.3.1.1).
func ReturnPath(path string, instance []byte, message int64) string {
	at := strings.LastIndexByte(path, '@')
	if at < 0 {
		return path
	}
	local := path[:at] + "+b-" + Token(instance, TokenBounce, strconv.FormatInt(message, 10))
	if len(local) > 64 {
		return path
	}
	return local + path[at:]
}

// Resume gives a paused or suspended person their mails again, and forgets their bounces. What has come meanwhile is in the
// next digest, for the cursor stood still. ErrNotFound if there is nobody; ErrConflict if the person left or has not
// confirmed: that is not ours to change.
func (d *Desk) Resume(ctx context.Context, address string) (Subscriber, error) {
	return d.resume(ctx, func(s *Subscriber) bool { return s.Address == address })
}

// Lift is Resume for the click on a signed link.
func (d *Desk) Lift(ctx context.Context, subscriber int64) (Subscriber, error) {
	return d.resume(ctx, func(s *Subscriber) bool { return s.ID == subscriber })
}

func (d *Desk) resume(ctx context.Context, is func(*Subscriber) bool) (Subscriber, error) {
	state := ""
	s, err := d.change(ctx, func(s *Subscriber) bool {
		if !is(s) {
			return false
		}
		state = s.State
		if state == Paused || state == Suspended || state == Active {
			s.State, s.Bounces, s.PausedUntil = Active, BounceRecord{}, time.Time{}
		}
		return true
	})
	if err == nil && state != Paused && state != Suspended && state != Active {
		err = &InactiveError{s.Address, state}
	}
	return s, err
}
