package mailbox

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/emersion/go-imap/v2"
)

// What becomes of a mail in the mailbox once it is stored. Nothing is ever deleted.
const (
	AfterKeep = "keep"  // it stays as it is; the default
	AfterSeen = "seen"  // it is marked as read
	AfterMove = "move:" // and a folder: it is moved there
)

// atOnce is how many mails one command marks or moves.
const atOnce = 500

// after does with the mails that are stored what is to become of them. What the server refuses is told, tried again at
// every look, and harms nothing: the mails are on disk and stay where they are. An error is one of the session.
func (s *session) after(ctx context.Context) error {
	if s.m.o.After == AfterKeep || s.mark.Done >= s.mark.UID {
		return nil
	}
	entries, more, err := s.list(s.mark.Done+1, s.mark.UID)
	if err != nil {
		return err
	}
	done := s.mark.UID
	if more {
		done = entries[len(entries)-1].uid // the rest follows at the next look
	}
	entries = slices.DeleteFunc(entries, func(e entry) bool { return !s.ours(e) || e.uid > s.mark.UID })
	for batch := range slices.Chunk(entries, atOnce) {
		var uids imap.UIDSet
		for _, e := range batch {
			uids.AddNum(imap.UID(e.uid))
		}
		err := s.within(2*commandTime, func() error { return s.treat(uids) })
		if refused := (*imap.Error)(nil); errors.As(err, &refused) || errors.Is(err, errNoMove) {
			s.m.refused(err)
			return nil
		}
		if err != nil {
			return err
		}
		mark := s.mark
		mark.Done = batch[len(batch)-1].uid
		if err := s.move(ctx, mark); err != nil {
			return err
		}
	}
	s.m.refused(nil)
	mark := s.mark
	mark.Done = done
	return s.move(ctx, mark)
}

var errNoMove = errors.New("the server cannot move mails (it lacks MOVE, RFC 6851)")

// treat marks or moves mails. MOVE is only used where the server has it: what the library does instead (copy, mark as
// deleted, expunge) loses mail when the copy fails.
func (s *session) treat(uids imap.UIDSet) error {
	folder, move := strings.CutPrefix(s.m.o.After, AfterMove)
	if !move {
		seen := &imap.StoreFlags{Op: imap.StoreFlagsAdd, Silent: true, Flags: []imap.Flag{imap.FlagSeen}}
		return s.client.Store(uids, seen, nil).Close()
	}
	if !s.client.Caps().Has(imap.CapMove) {
		return errNoMove
	}
	_, err := s.client.Move(uids, folder).Wait()
	return err
}
