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
)

const (
	batchMails = 100       // mails fetched by one command, and stored in one transaction
	batchBytes = 512 << 10 // their sizes together, unless it is one
	maxStream  = 256 << 20 // bytes of one mail that are looked at
)

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
	all := entries
	alone, err := s.othersCome(all)
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
			return s.failed(ctx, now, alone, all)
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

// longGathered is how long a mail that was read waits at most for those behind it: one whose sender's DNS is slow holds up none.
const longGathered = 100 * time.Millisecond

// take reads a batch and stores it, in order of UID: in one transaction, since a commit takes as long for one mail as for
// forty. A mail that is gone meanwhile is passed.
func (s *session) take(ctx context.Context, f *fetched) error {
	for _, e := range f.batch {
		if t, ok := f.texts[e.uid]; ok {
			if err := s.accept(ctx, t, e); err != nil {
				return err
			}
			delete(f.texts, e.uid) // its memory may go
			if s.m.o.Now().Sub(s.pending.now.ds[0].Receipt.ReceivedAt) > longGathered {
				if err := s.store(ctx); err != nil {
					return err
				}
			}
		}
	}
	return s.store(ctx)
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
