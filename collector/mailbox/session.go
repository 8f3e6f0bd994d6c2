package mailbox

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"quietpost/digest"
)

const maxListed = 50_000 // mails listed at a time

// slack is how far a server's clock may be behind ours.
const slack = 24 * time.Hour

// A session is one connection to the server, logged in.
type session struct {
	m      *Mailbox
	guard  *guard
	client *imapclient.Client
	stop   func() bool
	kick   chan struct{} // a word of the server that there is new mail
	noIdle bool          // the server has IDLE and refuses it
	stray  atomic.Int64  // bytes of mails that may come in answers which the library takes for nobody's

	mark    digest.Mark
	pending *pending // read and not yet stored
	storing *storing // on its way to the disk; nil: nothing
}

func (s *session) close() {
	s.stop()
	s.guard.Close()
	if s.client != nil {
		select {
		case <-s.client.Closed():
		case <-time.After(time.Second):
		}
	}
}

// why puts the guard's word in place of the library's "use of closed network connection", and the server's own where it
// has ended the session.
func (s *session) why(err error) error {
	if cause := s.guard.cause.Load(); cause != nil && err != nil {
		return errors.New(*cause)
	}
	if bye := s.guard.bye.Load(); bye != nil && err != nil && !errors.As(err, new(*imap.Error)) {
		return errors.New("the server ended the session: " + *bye)
	}
	return err
}

// within runs an exchange with the server and ends the connection if it takes longer than d.
func (s *session) within(d time.Duration, exchange func() error) error {
	s.guard.refill()
	t := time.AfterFunc(d, func() { s.guard.cut("the server took longer than " + d.String() + " to answer") })
	defer t.Stop()
	return exchange()
}

// watch opens the folder and takes in mail as it comes, until something fails.
func (s *session) watch(ctx context.Context, healthy func()) error {
	if err := s.open(ctx); err != nil {
		return err
	}
	if err := s.after(ctx); err != nil { // what the last session did not come to
		return err
	}
	for {
		before := s.mark.UID
		if err := s.sync(ctx); err != nil {
			return err
		}
		s.m.up()
		if err := s.after(ctx); err != nil {
			return err
		}
		// Some servers do not tell in IDLE of what came just before it. Where one mail came others often follow.
		look := min(s.m.o.Poll, idleTime)
		if s.mark.UID != before {
			look = min(look, s.m.again)
		}
		if err := s.wait(ctx, look); err != nil {
			return err
		}
		if err := s.within(commandTime, func() error { return s.client.Noop().Wait() }); err != nil {
			return err
		}
		healthy() // not before: some servers end each session as soon as it has begun
	}
}

// open opens the folder, for looking only if nothing is to be changed in it, and sets the mark right: at first contact
// to now; and to the beginning when the server has renumbered its mails (RFC 9051, section 2.3.1.1) or has been put
// back to an older state. From there all that is above the floor is read again; the receipts know what they have.
func (s *session) open(ctx context.Context) error {
	var data *imap.SelectData
	err := s.within(commandTime, func() (err error) {
		data, err = s.client.Select(s.m.o.Folder, &imap.SelectOptions{ReadOnly: s.m.o.After == AfterKeep}).Wait()
		return err
	})
	if err != nil {
		return fmt.Errorf("folder %s: %w", s.m.o.Folder, err)
	}
	if data.UIDValidity == 0 {
		return fmt.Errorf("folder %s: the server gives no UIDVALIDITY", s.m.o.Folder)
	}
	if data.UIDNext == 0 {
		if data.UIDNext, err = s.uidNext(); err != nil {
			return err
		}
	}
	next := uint32(data.UIDNext)
	if next == 0 {
		next = 1<<32 - 1 // it does not say: only its clock tells what is old
	}
	mark, err := s.m.o.Intake.Mark(ctx, s.m.o.Name)
	another := false
	if err == nil && mark.UIDValidity == data.UIDValidity {
		if another, err = s.another(mark); err != nil {
			return err
		}
	}
	switch {
	case errors.Is(err, digest.ErrNotFound):
		mark = digest.Mark{Inbox: s.m.o.Name, UIDValidity: data.UIDValidity, Floor: s.m.o.Now().Add(-s.m.o.Since), Known: next}
		if s.m.o.Since <= 0 && data.UIDNext > 0 {
			mark.UID, mark.Done = next-1, next-1 // exact, whatever the server's clock says
		}
		s.m.o.Log.Info("inbox: first contact", "takes_mail_since", mark.Floor)
	case err != nil:
		return err
	case mark.UIDValidity != data.UIDValidity:
		s.m.o.Log.Warn("inbox: the server has renumbered its mails; reading again what came since first contact",
			"was", mark.UIDValidity, "is", data.UIDValidity)
		mark = s.again(mark, data.UIDValidity, next)
	case data.UIDNext > 0 && next <= mark.UID || another:
		s.m.o.Log.Warn("inbox: the server has been put back to an older state; reading again what came since first contact",
			"read_to", mark.UID, "next", next)
		mark = s.again(mark, data.UIDValidity, next)
	default:
		s.mark = mark
		return nil
	}
	return s.move(ctx, mark)
}

// uidNext asks a server that does not say with the folder which UID comes next; Courier is one. 0: it does not say.
func (s *session) uidNext() (next imap.UID, err error) {
	err = s.within(commandTime, func() error {
		data, err := s.client.Status(s.m.o.Folder, &imap.StatusOptions{UIDNext: true}).Wait()
		if err == nil {
			next = data.UIDNext
		}
		return err
	})
	if refused := (*imap.Error)(nil); errors.As(err, &refused) {
		err = nil
	}
	return next, err
}

// another tells whether the mail at the mark is another one than was read there. A server that was put back to an older
// state gives its UIDs anew, and may have given more of them than before when we come.
func (s *session) another(mark digest.Mark) (bool, error) {
	if mark.Arrived.IsZero() {
		return false, nil
	}
	at, _, err := s.list(mark.UID, mark.UID)
	return len(at) == 1 && !at[0].arrived.IsZero() && !at[0].arrived.Equal(mark.Arrived), err
}

// again is the mark from which all is read again whose receipt is still there. A server's clock may be ahead of ours.
func (s *session) again(was digest.Mark, validity, next uint32) digest.Mark {
	s.m.failing = failing{} // its UID means another mail now
	floor := was.Floor
	if kept := s.m.o.Kept; kept > 0 {
		if oldest := s.m.o.Now().Add(min(slack, kept/2) - kept); oldest.After(floor) {
			floor = oldest
		}
	}
	return digest.Mark{Inbox: was.Inbox, UIDValidity: validity, Floor: floor, Known: next}
}

// move writes a mark where no mail goes with it.
func (s *session) move(ctx context.Context, mark digest.Mark) error {
	if s.m.o.After == AfterKeep {
		mark.Done = mark.UID // nothing is to be done with these, also when `after` is changed later
	}
	err := s.m.o.Intake.SetMark(ctx, mark)
	if err == nil {
		s.mark = mark
	}
	return err
}

// at is the mark behind a mail.
func (s *session) at(e entry) digest.Mark {
	mark := s.mark
	mark.UID, mark.Arrived, mark.Tries = e.uid, e.arrived, 0
	if s.m.o.After == AfterKeep {
		mark.Done = e.uid
	}
	return mark
}

// An entry is a mail as listed.
type entry struct {
	uid     uint32
	seq     uint32 // its number in the mailbox, until one before it goes
	size    int64
	arrived time.Time // INTERNALDATE; zero: the server does not say
}

// ours tells whether a mail is to be taken: not if the server had it before first contact, or if it is an old mail that
// somebody moved here.
func (s *session) ours(e entry) bool {
	if e.arrived.IsZero() {
		return e.uid >= s.mark.Known
	}
	floor := s.mark.Floor.Truncate(time.Second) // INTERNALDATE knows no parts of a second
	if e.uid >= s.mark.Known {
		floor = floor.Add(-slack)
	}
	return !e.arrived.Before(floor)
}

// sync takes in everything behind the mark.
func (s *session) sync(ctx context.Context) error {
	for {
		entries, more, err := s.list(s.mark.UID+1, 0)
		if err != nil {
			return err
		}
		s.m.contact()
		if len(entries) > 0 {
			if err := s.takeAll(ctx, entries); err != nil {
				return err
			}
		}
		if !more {
			return nil
		}
	}
}

// list lists the mails from one UID to another, 0 for the last there is, in order. more says that there are others. When
// another changes a mail meanwhile, some servers tell that with its UID, which the library takes for the answer: then it
// is asked once more.
func (s *session) list(from, to uint32) (entries []entry, more bool, err error) {
	for range 2 {
		entries, more, err = s.listOnce(from, to)
		if err != nil || !slices.ContainsFunc(entries, func(e entry) bool { return e.arrived.IsZero() }) {
			break
		}
	}
	return entries, more, err
}

func (s *session) listOnce(from, to uint32) (entries []entry, more bool, err error) {
	if box := s.client.Mailbox(); from == 0 || box != nil && box.NumMessages == 0 {
		return nil, false, nil
	}
	var behind imap.UIDSet
	behind.AddRange(imap.UID(from), imap.UID(to))
	err = s.within(4*commandTime, func() error {
		cmd := s.client.Fetch(behind, &imap.FetchOptions{UID: true, RFC822Size: true, InternalDate: true})
		for msg := cmd.Next(); msg != nil; msg = cmd.Next() {
			e := entry{seq: msg.SeqNum}
			for item := msg.Next(); item != nil; item = msg.Next() {
				switch item := item.(type) {
				case imapclient.FetchItemDataUID:
					e.uid = uint32(item.UID)
				case imapclient.FetchItemDataRFC822Size:
					e.size = item.Size
				case imapclient.FetchItemDataInternalDate:
					e.arrived = item.Time
				}
			}
			s.guard.refill()
			if e.uid < from { // "n:*" means the last mail where there is none from n on
				continue
			}
			entries = append(entries, e)
			if len(entries) >= 2*maxListed {
				entries, more = lowest(entries), true
			}
		}
		return cmd.Close()
	})
	if len(entries) > maxListed {
		more = true
	}
	return lowest(entries), more, err
}

// lowest gives the maxListed entries with the lowest UIDs, in order.
func lowest(entries []entry) []entry {
	slices.SortFunc(entries, func(a, b entry) int { return int(int64(a.uid) - int64(b.uid)) })
	entries = slices.CompactFunc(entries, func(a, b entry) bool { return a.uid == b.uid })
	return entries[:min(len(entries), maxListed)]
}

// wait waits for new mail: by IDLE (RFC 2177) where the server has it, and in any case for d at most.
func (s *session) wait(ctx context.Context, d time.Duration) error {
	look := time.NewTimer(d)
	defer look.Stop()
	var idle *imapclient.IdleCommand
	if !s.noIdle {
		err := s.within(commandTime, func() (err error) {
			// Not asked at the login: right behind it the library may still have what the server's greeting said.
			if s.client.Caps().Has(imap.CapIdle) {
				idle, err = s.client.Idle()
			}
			return err
		})
		if refused := (*imap.Error)(nil); errors.As(err, &refused) {
			s.m.o.Log.Debug("inbox: the server has IDLE and refuses it; it is asked instead", "every", s.m.o.Poll, "error", err)
			s.noIdle = true
		} else if err != nil {
			return err
		}
	}
	select {
	case <-s.kick:
	case <-look.C:
	case <-s.client.Closed():
	case <-ctx.Done():
	}
	if idle == nil {
		return ctx.Err()
	}
	return s.within(commandTime, func() error { return errors.Join(idle.Close(), idle.Wait(), ctx.Err()) })
}
