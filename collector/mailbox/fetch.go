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

	"quietpost/collector/reader"
	"quietpost/digest"
)

const (
	batchMails = 100       // mails fetched by one command, and stored in one transaction
	batchBytes = 512 << 10 // their sizes together, unless it is one
	maxStream  = 256 << 20 // bytes of one mail that are looked at
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
	if refusal := (*imap.Error)(nil); errors.As(err, &refusal) || errors.Is(err, errNoText) {
		f.refused++
	} else {
		f.broken++
	}
}

// hopeless tells whether the mail is to be passed over if another one can be fetched.
func (f *failing) hopeless(now time.Time, patience time.Duration) bool {
	lasted := now.Sub(f.since)
	return f.refused >= refusals && lasted >= patience || f.broken >= breaks && lasted >= breakTime
}

// A text is a mail's bytes; of one above MaxMail what a Shortener left, and the sum of its body.
type text struct {
	raw   []byte
	size  int64 // as it arrived
	large bool
	sum   [32]byte
}

// A fetched is a batch on its way.
type fetched struct {
	batch []entry
	texts map[uint32]text
	err   error
	done  chan struct{}
}

// takeAll takes in the mails that were listed. While one batch is read and stored the next one is on its way.
func (s *session) takeAll(ctx context.Context, entries []entry) error {
	last := entries[len(entries)-1]
	behind, left := len(entries), 0
	for _, e := range entries {
		if !s.ours(e) {
			left++
		}
	}
	var next *fetched
	alone, err := s.othersCome(entries)
	if err != nil {
		return err
	}
	defer func() {
		if next != nil { // something failed: nobody may speak on this connection beside that batch
			s.guard.cut("given up")
			<-next.done
		}
		if s.storing != nil { // nor may the next session begin beside this
			<-s.storing.done
		}
	}()
	start := func() {
		if next = nil; len(entries) > 0 {
			n := s.batch(entries)
			next = s.start(entries[:n])
			entries = entries[n:]
		}
	}
	for start(); next != nil; {
		s.m.behind(behind)
		now := next
		<-now.done
		if now.err != nil {
			next = nil
			if err := s.flush(ctx); err != nil {
				return err
			}
			return s.failed(ctx, now, alone)
		}
		behind -= len(now.batch)
		if s.m.failing.uid <= now.batch[len(now.batch)-1].uid {
			s.m.failing = failing{}
		}
		start()
		if err := s.take(ctx, now); err != nil {
			return err
		}
	}
	if err := s.flush(ctx); err != nil {
		return err
	}
	s.m.behind(0)
	if left > 0 {
		s.m.o.Log.Info("inbox: mails from before first contact are left alone", "mails", left, "before", s.mark.Floor)
	}
	if s.mark.UID < last.uid { // the last ones were not ours, or are gone
		return s.move(ctx, s.at(last))
	}
	return nil
}

// othersCome tells of a mail that has been failing for long whether it alone is at fault: another one can be fetched, or
// there has been none for a day. Each session tries one other, the newest first, since that may be at fault as well.
func (s *session) othersCome(entries []entry) (alone bool, err error) {
	f, now := &s.m.failing, s.m.o.Now()
	if !f.hopeless(now, s.m.patience) {
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
// one mail, and that alone is at fault.
func (s *session) failed(ctx context.Context, f *fetched, alone bool) error {
	if ctx.Err() != nil {
		return f.err
	}
	was := s.m.failing.uid
	s.m.failing.note(f.batch, s.why(f.err), s.m.o.Now())
	if !alone || len(f.batch) > 1 || f.batch[0].uid != was {
		return f.err
	}
	return errors.Join(f.err, s.passOver(ctx, f.batch[0]))
}

// batch is how many of the first entries to fetch by one command: one alone where the last try failed, so as to find
// the mail that is at fault, and one alone that is large.
func (s *session) batch(entries []entry) int {
	if s.m.failing.uid >= entries[0].uid {
		return 1
	}
	total, n := int64(0), 0
	for _, e := range entries {
		if s.ours(e) {
			if total += e.size; total > batchBytes || n == batchMails {
				return max(1, n)
			}
		}
		n++
	}
	return n
}

// start begins to fetch a batch. Entries that are not ours are not asked for.
func (s *session) start(batch []entry) *fetched {
	f := &fetched{batch: batch, done: make(chan struct{})}
	wanted := slices.DeleteFunc(slices.Clone(batch), func(e entry) bool { return !s.ours(e) })
	go func() {
		defer close(f.done)
		defer func() {
			if p := recover(); p != nil { // it must not end the program, since it would do so again and again
				f.err = fmt.Errorf("fetching mail: a fault in quietpost itself: %v", p)
				s.guard.cut(f.err.Error())
			}
		}()
		f.texts, f.err = s.fetch(wanted)
	}()
	return f
}

// take reads a batch and stores it, in order of UID. A mail that is gone meanwhile is passed.
func (s *session) take(ctx context.Context, f *fetched) error {
	for _, e := range f.batch {
		if t, ok := f.texts[e.uid]; ok {
			if err := s.accept(ctx, t, e); err != nil {
				return err
			}
			delete(f.texts, e.uid) // its memory may go
		}
	}
	return nil
}

// fetch gets the bytes of a batch. A mail that comes without is asked for once more: by its sequence number, since the
// library knows an answer by its UID only where that stands before the text, and where no other answer with that UID came
// first, of what somebody else has just done to the mail.
func (s *session) fetch(batch []entry) (map[uint32]text, error) {
	texts := map[uint32]text{}
	if len(batch) == 0 { // a FETCH of nothing would end the connection
		return texts, nil
	}
	var uids imap.UIDSet
	for _, e := range batch {
		uids.AddNum(imap.UID(e.uid))
	}
	err := s.fetchInto(texts, uids, batch)
	var missing []entry
	if err == nil {
		missing, err = s.stillThere(batch, texts)
	}
	if err == nil && len(missing) > 0 {
		var numbers imap.SeqSet
		for _, e := range missing {
			numbers.AddNum(e.seq)
		}
		err = s.fetchInto(texts, numbers, missing)
		if err == nil && slices.ContainsFunc(missing, func(e entry) bool { _, ok := texts[e.uid]; return !ok }) {
			err = errNoText
		}
	}
	if err != nil {
		return nil, fmt.Errorf("fetching mail: %w", err)
	}
	return texts, nil
}

// stillThere are the mails of a batch that came without a text and are not gone from the mailbox.
func (s *session) stillThere(batch []entry, texts map[uint32]text) (missing []entry, err error) {
	missing = slices.DeleteFunc(slices.Clone(batch), func(e entry) bool { _, ok := texts[e.uid]; return ok })
	if len(missing) == 0 {
		return nil, nil
	}
	there, _, err := s.list(missing[0].uid, missing[len(missing)-1].uid)
	return slices.DeleteFunc(there, func(e entry) bool {
		return !slices.ContainsFunc(missing, func(m entry) bool { return m.uid == e.uid })
	}), err
}

// fetchInto asks for the texts of a batch by one command.
func (s *session) fetchInto(texts map[uint32]text, set imap.NumSet, batch []entry) error {
	total, most := int64(0), int64(0)
	for _, e := range batch {
		total += e.size
		most = max(most, e.size)
	}
	// A size may be wrong by a little, or by much where a server keeps it in a broken cache: up to MaxMail is taken in any
	// case, and what is larger than it was said to be is cut and told as what it is.
	most = min(max(most+most/8, MaxMail+1), maxStream)
	allowed := 2*total + most // in all; a server that lies about sizes must not fill our memory
	s.stray.Store(allowed)
	defer s.stray.Store(0)
	options := &imap.FetchOptions{UID: true, BodySection: []*imap.FetchItemBodySection{{
		Peek: true, Partial: &imap.SectionPartial{Offset: 0, Size: most},
	}}}
	return s.within(2*commandTime+time.Duration(total/slowest)*time.Second, func() error {
		cmd := s.client.Fetch(set, options)
		for msg := cmd.Next(); msg != nil; msg = cmd.Next() {
			var uid uint32
			var t *text
			for item := msg.Next(); item != nil; item = msg.Next() {
				switch item := item.(type) {
				case imapclient.FetchItemDataUID:
					uid = uint32(item.UID)
				case imapclient.FetchItemDataBodySection:
					var err error
					if t, err = s.literal(item.Literal, min(most, allowed)); err != nil {
						return err // and not another Next: it would read on where the library's own goroutine reads now
					}
				}
			}
			s.guard.refill()
			if t != nil && slices.ContainsFunc(batch, func(e entry) bool { return e.uid == uid }) {
				texts[uid] = *t
				allowed -= t.size
			}
		}
		return cmd.Close()
	})
}

// literal reads one mail's bytes. The budget grows by a mail's size only when its literal begins, so that answers
// around it stay small. A large one is streamed and never held.
func (s *session) literal(lit imap.LiteralReader, most int64) (*text, error) {
	if lit == nil {
		return nil, nil
	}
	if lit.Size() > most {
		s.guard.cut("the server sent more of a mail than it was asked for")
		_, err := io.Copy(io.Discard, lit) // until the library has seen that the connection is closed
		return nil, errors.Join(errors.New("more than was asked for"), err)
	}
	s.guard.allow(lit.Size())
	var t text
	var err error
	var n int64
	if lit.Size() > MaxMail {
		short := reader.NewShortener()
		n, err = io.CopyBuffer(short, struct{ io.Reader }{lit}, make([]byte, 64<<10))
		t = text{raw: short.Bytes(), sum: short.Sum(), large: true}
	} else {
		t.raw = make([]byte, lit.Size())
		var got int
		got, err = io.ReadFull(lit, t.raw)
		n = int64(got)
		if err == nil {
			_, err = io.Copy(io.Discard, lit) // the library wants to be asked once more
		}
	}
	if err == nil && n != lit.Size() {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		s.guard.cut("the connection broke within a mail: " + err.Error())
		return nil, err
	}
	t.size = n
	return &t, nil
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
	s.mark, s.m.failing = mark, failing{}
	return nil
}
