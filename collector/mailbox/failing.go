package mailbox

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/emersion/go-imap/v2"

	"quietpost/digest"
)

// A mail that cannot be fetched is passed over, so that the others come in, once the server itself has refused it so
// often and for so long, or the connection has broken in the midst of it; and only when another one can be fetched, since
// a server that gives none is out of order, and will give all of them later. A mail that is alone holds up none: it waits.
const (
	refusals    = 3
	refusedTime = time.Minute
	breaks      = 8
	breakTime   = 10 * time.Minute
	aloneTime   = 24 * time.Hour
)

// failing remembers, over all sessions, the mail whose fetch fails: the last one of a batch, until it is found by
// fetching one by one. The zero value is none.
type failing struct {
	uid     uint32
	refused int // by a NO, or without a text
	broken  int // the connection
	since   time.Time
	why     string
	others  int // how many others were tried
}

var errNoText = errors.New("the server gives no text for it")

func (f *failing) note(batch []entry, err error, now time.Time) {
	last := batch[len(batch)-1].uid
	if len(batch) > 1 || f.uid != last {
		*f = failing{since: now}
	}
	f.uid, f.why = last, err.Error()
	if refuses(err) {
		f.refused++
	} else {
		f.broken++
	}
}

// refuses tells whether it is the server's answer that there is no text; the connection is whole then.
func refuses(err error) bool {
	return errors.As(err, new(*imap.Error)) || errors.Is(err, errNoText)
}

// hopeless tells whether the mail is to be passed over if another one can be fetched. passed is when one was last: where
// one mail is broken, many in a row may be.
func (f *failing) hopeless(now, passed time.Time, patience time.Duration) bool {
	lasted, often := now.Sub(f.since), refusals
	if now.Sub(passed).Abs() < breakTime {
		often, patience = 2, 0
	}
	return f.refused >= often && lasted >= patience || f.broken >= breaks && lasted >= breakTime
}

// othersCome tells of a mail that has been failing for long whether it alone is at fault: another one can be fetched, or
// there has been none for a day. Each session tries one other, the newest first, since that may be at fault as well.
func (s *session) othersCome(entries []entry) (alone bool, err error) {
	f, now := &s.m.failing, s.m.o.Now()
	if !f.hopeless(now, s.m.passed, s.m.patience) {
		return false, nil
	}
	others := slices.DeleteFunc(slices.Clone(entries), func(e entry) bool { return e.uid == f.uid || !s.ours(e) })
	if len(others) == 0 {
		return now.Sub(f.since) >= aloneTime, nil
	}
	f.others++
	_, err = s.fetch([]entry{others[len(others)-1-(f.others-1)%len(others)]})
	return err == nil, err
}

// failed says what becomes of a batch that could not be fetched: it is asked for again, in another session, unless it is
// one mail, and that alone is at fault: as was found when the session began, or is found now.
func (s *session) failed(ctx context.Context, f *fetched, alone bool, all []entry) error {
	if ctx.Err() != nil {
		return f.err
	}
	was := s.m.failing.uid
	s.m.failing.note(f.batch, s.why(f.err), s.m.o.Now())
	if len(f.batch) > 1 {
		return f.err
	}
	if alone = alone && f.batch[0].uid == was; !alone && refuses(f.err) {
		var err error
		if alone, err = s.othersCome(all); err != nil {
			return errors.Join(f.err, err)
		}
	}
	if !alone {
		return f.err
	}
	return errors.Join(f.err, s.passOver(ctx, f.batch[0]))
}

// passOver writes down that a mail could not be fetched, with where it lies, so that the rest goes on. All before it
// are stored.
func (s *session) passOver(ctx context.Context, e entry) error {
	place, why := s.m.place(s.mark, e), s.m.failing.why
	mark := s.at(e)
	mark.Done = e.uid // its bytes are not on disk: nothing is done with it
	d := digest.Delivery{Mark: &mark, Receipt: digest.Receipt{
		Source: s.m.o.Name, Tool: Tool, Key: "uid:" + place, State: digest.Quarantined, Header: []byte(placeHeader(place, e)),
		Reason:     digest.Reason(digest.OneLine("it cannot be fetched from the server: "+why, digest.MaxField)),
		ReceivedAt: s.m.o.Now(),
	}}
	s.m.o.Log.Warn("inbox: a mail cannot be fetched and is passed over; it is in quarantine", "place", place, "error", why)
	if _, err := s.m.o.Intake.Accept(ctx, d); err != nil {
		return err
	}
	s.m.counted(digest.Quarantined)
	s.mark, s.m.failing, s.m.passed = mark, failing{}, d.Receipt.ReceivedAt
	s.m.note(func(st *Status) { st.LastMail = s.m.passed })
	return nil
}
