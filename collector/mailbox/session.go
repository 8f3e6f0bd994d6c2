package mailbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"quietpost/digest"
)

const (
	maxListed  = 50_000  // mails listed at a time
	batchMails = 50      // mails fetched by one command
	batchBytes = 4 << 20 // their sizes together, unless it is one
)

// A mail that cannot be fetched is passed over, so that the others come in, once the server itself has refused it so
// often, or the connection has broken in the midst of it so often and for so long.
const (
	refusals  = 3
	breaks    = 8
	breakTime = 10 * time.Minute
)

// failing remembers, over all sessions, the mail whose fetch fails: the last one of a batch, until it is found by
// fetching one by one. The zero value is none.
type failing struct {
	uid     uint32
	refused int // by a NO, or without a text
	broken  int // the connection
	since   time.Time
	why     string
}

var errNoText = errors.New("the server gives no text for it")

func (f *failing) note(batch []entry, err error, now time.Time) {
	last := batch[len(batch)-1].uid
	if len(batch) > 1 || f.uid != last {
		*f = failing{since: now}
	}
	f.uid, f.why = last, err.Error()
	if refusal := (*imap.Error)(nil); errors.As(err, &refusal) || errors.Is(err, errNoText) {
		f.refused++
	} else {
		f.broken++
	}
}

// hopeless tells whether the mail is to be passed over now.
func (f *failing) hopeless(uid uint32, now time.Time) bool {
	return f.uid == uid && (f.refused >= refusals || f.broken >= breaks && now.Sub(f.since) >= breakTime)
}

// A session is one connection to the server, logged in.
type session struct {
	m      *Mailbox
	guard  *guard
	client *imapclient.Client
	stop   func() bool
	kick   chan struct{} // a word of the server that there is new mail
	idle   bool

	mark    digest.Mark
	uidNext uint32 // when the folder was opened: mails from here on came while we looked
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

// why puts the guard's word in place of the library's "use of closed network connection".
func (s *session) why(err error) error {
	if cause := s.guard.cause.Load(); cause != nil && err != nil {
		return errors.New(*cause)
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
	for {
		before := s.mark
		if err := s.sync(ctx); err != nil {
			return err
		}
		s.m.up()
		healthy()
		// Some servers do not tell in IDLE of what came just before it. Where one mail came others often follow.
		look := min(s.m.o.Poll, idleTime)
		if s.mark != before {
			look = min(look, s.m.again)
		}
		if err := s.wait(ctx, look); err != nil {
			return err
		}
		if err := s.within(commandTime, func() error { return s.client.Noop().Wait() }); err != nil {
			return err
		}
	}
}

// open examines the folder (nothing in it will be changed) and sets the mark right: at first contact to now, and after
// the server has renumbered the mails (RFC 9051, section 2.3.1.1) to the beginning, from where all that is above the
// floor is read again; the receipts know what they have.
func (s *session) open(ctx context.Context) error {
	var data *imap.SelectData
	err := s.within(commandTime, func() (err error) {
		data, err = s.client.Select(s.m.o.Folder, &imap.SelectOptions{ReadOnly: true}).Wait()
		return err
	})
	if err != nil {
		return fmt.Errorf("folder %s: %w", s.m.o.Folder, err)
	}
	if data.UIDValidity == 0 {
		return fmt.Errorf("folder %s: the server gives no UIDVALIDITY", s.m.o.Folder)
	}
	s.uidNext = uint32(data.UIDNext)
	mark, err := s.m.o.Intake.Mark(ctx, s.m.o.Name)
	switch {
	case errors.Is(err, digest.ErrNotFound):
		mark = digest.Mark{Inbox: s.m.o.Name, UIDValidity: data.UIDValidity, Floor: s.m.o.Now().Add(-s.m.o.Since)}
		if s.m.o.Since <= 0 && s.uidNext > 0 {
			mark.UID = s.uidNext - 1 // exact, whatever the server's clock says
		}
		err = s.m.o.Intake.SetMark(ctx, mark)
		s.m.o.Log.Info("inbox: first contact", "inbox", s.m.o.Name, "takes_mail_since", mark.Floor)
	case err == nil && mark.UIDValidity != data.UIDValidity:
		s.m.o.Log.Warn("inbox: the server has renumbered its mails; reading again what is there", "inbox", s.m.o.Name,
			"was", mark.UIDValidity, "is", data.UIDValidity)
		mark.UIDValidity, mark.UID = data.UIDValidity, 0
		err = s.m.o.Intake.SetMark(ctx, mark)
	}
	s.mark = mark
	return err
}

// An entry is a mail as listed.
type entry struct {
	uid     uint32
	size    int64
	arrived time.Time // INTERNALDATE
}

// sync takes in everything behind the mark.
func (s *session) sync(ctx context.Context) error {
	for {
		entries, more, err := s.list()
		if err != nil {
			return err
		}
		s.m.contact()
		for len(entries) > 0 {
			if n := s.skip(entries); n > 0 {
				s.mark.UID = entries[n-1].uid
				if entries = entries[n:]; len(entries) == 0 {
					if err := s.m.o.Intake.SetMark(ctx, s.mark); err != nil {
						return err
					}
				}
				continue
			}
			n := s.batch(entries)
			if err := s.take(ctx, entries[:n]); err != nil {
				return err
			}
			entries = entries[n:]
		}
		if !more {
			return nil
		}
	}
}

// skip is how many of the first entries are not ours: the server had them before first contact.
func (s *session) skip(entries []entry) int {
	for i, e := range entries {
		floor := s.mark.Floor.Truncate(time.Second) // INTERNALDATE knows no parts of a second
		if s.uidNext > 0 && e.uid >= s.uidNext {
			floor = floor.Add(-24 * time.Hour) // it came while we looked, even if the server's clock is behind ours
		}
		if !e.arrived.Before(floor) {
			return i
		}
	}
	return len(entries)
}

// list lists the mails behind the mark, in order of UID. more says that there are others still.
func (s *session) list() (entries []entry, more bool, err error) {
	if box := s.client.Mailbox(); s.mark.UID == 1<<32-1 || box != nil && box.NumMessages == 0 {
		return nil, false, nil
	}
	var behind imap.UIDSet
	behind.AddRange(imap.UID(s.mark.UID+1), 0) // n:*
	err = s.within(4*commandTime, func() error {
		cmd := s.client.Fetch(behind, &imap.FetchOptions{UID: true, RFC822Size: true, InternalDate: true})
		for msg := cmd.Next(); msg != nil; msg = cmd.Next() {
			var e entry
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
			if e.uid <= s.mark.UID { // "n:*" means the last mail where there is none from n on
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

// batch is how many of the first entries to fetch by one command: one alone where the last try failed, so as to find
// the mail that is at fault.
func (s *session) batch(entries []entry) int {
	if s.m.failing.uid >= entries[0].uid {
		return 1
	}
	total := int64(0)
	for i, e := range entries[:min(len(entries), batchMails)] {
		if total += min(e.size, MaxMail); i > 0 && (total > batchBytes || s.skip(entries[i:]) > 0) {
			return i
		}
	}
	return min(len(entries), batchMails)
}

// take fetches a batch and hands its mails over in order of UID. One that is gone meanwhile is passed.
func (s *session) take(ctx context.Context, batch []entry) error {
	if len(batch) == 1 && s.m.failing.hopeless(batch[0].uid, s.m.o.Now()) {
		return s.passOver(ctx, batch[0])
	}
	raws, err := s.fetch(batch)
	if err != nil {
		if ctx.Err() == nil {
			s.m.failing.note(batch, s.why(err), s.m.o.Now())
		}
		return err
	}
	if s.m.failing.uid <= batch[len(batch)-1].uid {
		s.m.failing = failing{}
	}
	for _, e := range batch {
		raw, ok := raws[e.uid]
		if !ok {
			s.mark.UID = e.uid
			if err := s.m.o.Intake.SetMark(ctx, s.mark); err != nil {
				return err
			}
			continue
		}
		mark := s.mark
		mark.UID = e.uid
		if err := s.m.accept(ctx, raw, e, mark); err != nil {
			return err
		}
		s.mark = mark
	}
	return nil
}

// fetch gets the bytes of a batch, of each mail at most MaxMail+1.
func (s *session) fetch(batch []entry) (map[uint32][]byte, error) {
	var uids imap.UIDSet
	total := int64(0)
	for _, e := range batch {
		uids.AddNum(imap.UID(e.uid))
		total += min(e.size, MaxMail)
	}
	raws := map[uint32][]byte{}
	options := &imap.FetchOptions{UID: true, BodySection: []*imap.FetchItemBodySection{{
		Peek: true, Partial: &imap.SectionPartial{Offset: 0, Size: MaxMail + 1},
	}}}
	err := s.within(2*commandTime+time.Duration(total/slowest)*time.Second, func() error {
		cmd := s.client.Fetch(uids, options)
		var failed error
		for msg := cmd.Next(); msg != nil; msg = cmd.Next() {
			var uid uint32
			var raw []byte
			for item := msg.Next(); item != nil; item = msg.Next() {
				switch item := item.(type) {
				case imapclient.FetchItemDataUID:
					uid = uint32(item.UID)
				case imapclient.FetchItemDataBodySection:
					var err error
					if raw, err = s.literal(item.Literal); err != nil {
						return err // and not another Next: it would read on where the library's own goroutine reads now
					}
				}
			}
			s.guard.refill()
			if raw != nil {
				raws[uid] = raw
			} else if failed == nil {
				failed = errNoText
			}
		}
		if err := cmd.Close(); err != nil {
			return err
		}
		return failed
	})
	if err != nil {
		return nil, fmt.Errorf("fetching mail: %w", err)
	}
	return raws, nil
}

// literal reads one mail's bytes. The budget grows by a mail's size only when its literal begins, so that answers
// around it stay small.
func (s *session) literal(lit imap.LiteralReader) ([]byte, error) {
	if lit == nil {
		return nil, nil
	}
	if lit.Size() > MaxMail+1 {
		s.guard.cut("the server sent more of a mail than it was asked for")
		_, err := io.Copy(io.Discard, lit) // until the library has seen that the connection is closed
		return nil, errors.Join(errors.New("more than was asked for"), err)
	}
	s.guard.allow(lit.Size())
	raw := make([]byte, 0, lit.Size())
	buf := make([]byte, 32<<10)
	for {
		n, err := lit.Read(buf)
		raw = append(raw, buf[:n]...)
		if err == io.EOF && int64(len(raw)) == lit.Size() {
			return raw, nil
		}
		if err != nil {
			s.guard.cut("the connection broke within a mail: " + err.Error())
			return nil, err
		}
	}
}

// passOver writes down that a mail could not be fetched, with where it lies, so that the rest goes on.
func (s *session) passOver(ctx context.Context, e entry) error {
	now := s.m.o.Now()
	mark := s.mark
	mark.UID = e.uid
	place := s.m.place(mark, e)
	d := digest.Delivery{Mark: &mark, Receipt: digest.Receipt{
		Source: s.m.o.Name, Tool: Tool, Key: "uid:" + place, State: digest.Quarantined, Header: []byte(placeHeader(place, e)),
		Reason:     digest.Reason(digest.OneLine("it cannot be fetched from the server: "+s.m.failing.why, digest.MaxField)),
		ReceivedAt: now,
	}}
	s.m.o.Log.Warn("inbox: a mail cannot be fetched and is passed over; it is in quarantine", "inbox", s.m.o.Name,
		"place", place, "error", s.m.failing.why)
	if _, err := s.m.o.Intake.Accept(ctx, d); err != nil {
		return err
	}
	s.m.mails.WithLabelValues(digest.Quarantined).Inc()
	s.mark, s.m.failing = mark, failing{}
	return nil
}

// wait waits for new mail: by IDLE (RFC 2177) where the server has it, and in any case for d at most.
func (s *session) wait(ctx context.Context, d time.Duration) error {
	look := time.NewTimer(d)
	defer look.Stop()
	var idle *imapclient.IdleCommand
	if s.idle {
		err := s.within(commandTime, func() (err error) {
			idle, err = s.client.Idle()
			return err
		})
		if err != nil {
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
