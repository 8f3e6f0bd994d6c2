package digest

import (
	"context"
	"fmt"
	"time"
)

// A Now is one subscription's digest that was asked for. Message is nil if there was nothing to tell.
type Now struct {
	Edition  Edition
	Message  *Message
	Rendered Rendered
}

// SendNow cuts the digests of one person now, the cursors moved as at a slot; the next slot stays what it is. ErrNotFound if
// there is no such person, an InactiveError if they get no mail, ErrConflict if somebody else was first.
func (b *Builder) SendNow(ctx context.Context, now time.Time, set *Settings, address string) ([]Now, error) {
	return b.now(ctx, now, set, address, nil, time.Time{}, OccasionDigest, true)
}

// CatchUp sends one person what was received since then once more, of these projects of what they follow, or of all; it moves
// nothing.
func (b *Builder) CatchUp(ctx context.Context, now time.Time, set *Settings, address string, projects []string, since time.Time) ([]Now, error) {
	return b.now(ctx, now, set, address, projects, since, OccasionCatchUp, true)
}

// Preview makes what SendNow would send, and with since what was received from then on. It writes nothing, and shows it also of
// who gets no mail now.
func (b *Builder) Preview(ctx context.Context, now time.Time, set *Settings, address string, since time.Time) ([]Now, error) {
	return b.now(ctx, now, set, address, nil, since, OccasionDigest, false)
}

func (b *Builder) now(ctx context.Context, now time.Time, set *Settings, address string, projects []string, since time.Time,
	occasion string, commit bool) (out []Now, err error) {
	who, err := b.person(ctx, address)
	if err == nil && commit && who.State != Active {
		err = &InactiveError{who.Address, who.State}
	}
	if err != nil {
		return nil, err
	}
	cut, err := b.Store.Newest(ctx)
	if err != nil {
		return nil, err
	}
	after := int64(0)
	if !since.IsZero() {
		if after, err = b.before(ctx, since, cut); err != nil {
			return nil, err
		}
	}
	for _, sub := range who.Subscriptions {
		if sub.Ended {
			continue
		}
		if len(projects) > 0 {
			sub.Projects = within(sub.Projects, projects, set.Policy)
		}
		cursor := sub.Cursor
		if !since.IsZero() {
			sub.Cursor, sub.MailedTo = after, after
		}
		c, rendered, err := b.asked(ctx, now, set, &Due{who, sub}, occasion, cut)
		if err != nil {
			return out, err
		}
		if c.Cursor = cursor; commit && (occasion == OccasionDigest || c.Message != nil) {
			if err := b.Store.CommitEdition(ctx, c); err != nil {
				return out, err
			}
		}
		out = append(out, Now{Edition: c.Edition, Message: c.Message, Rendered: rendered})
	}
	return out, nil
}

// asked makes the edition of one subscription at this instant.
func (b *Builder) asked(ctx context.Context, now time.Time, set *Settings, d *Due, occasion string, cut int64) (c Commit, r Rendered, err error) {
	sub := &d.Subscription
	key := DigestKey(sub.ID, now)
	if occasion == OccasionCatchUp {
		key = fmt.Sprintf("%s/%d/%d", occasion, sub.ID, now.UnixMilli())
	}
	c = Commit{NextSlot: sub.NextSlot, Edition: Edition{ID: EditionID(set.Instance, key), Occasion: occasion, Key: key,
		Subscriber: d.Subscriber.ID, Subscription: sub.ID, Slot: now, From: sub.MailedTo + 1, To: cut, CreatedAt: now}}
	sched, loc, err := set.Calendar.Of(&d.Subscriber, sub)
	if err != nil {
		return c, r, err
	}
	if !c.NextSlot.After(now) {
		c.NextSlot = NextSlot(sched, loc, now, now)
	}
	window, err := b.window(ctx, sub.Cursor, cut)
	if err != nil {
		return c, r, err
	}
	r, err = b.fill(ctx, now, set, d, &c, window)
	return c, r, err
}

// within are the patterns of both lists: where one of a pair means what the other does and more, the narrower one.
func within(followed, named []string, p *Policy) (both []string) {
	for _, n := range named {
		n = p.Project(n)
		for _, f := range followed {
			switch {
			case MatchProject(f, n):
				both = append(both, n)
			case MatchProject(n, f):
				both = append(both, f)
			}
		}
	}
	return both
}

func (b *Builder) person(ctx context.Context, address string) (Subscriber, error) {
	people, err := b.Store.Subscribers(ctx)
	for i := range people {
		if people[i].Address == address {
			return people[i], err
		}
	}
	if err == nil {
		err = fmt.Errorf("%s is no subscriber: %w", address, ErrNotFound)
	}
	return Subscriber{}, err
}

// before finds the number behind which items were received since then, looking back from the newest.
func (b *Builder) before(ctx context.Context, since time.Time, newest int64) (int64, error) {
	const step = 2000
	for upTo := newest; upTo > 0; upTo -= step {
		items, err := b.Store.Window(ctx, upTo-step, upTo, 0)
		if err != nil {
			return 0, err
		}
		for i := len(items) - 1; i >= 0; i-- {
			if items[i].ReceivedAt.Before(since) {
				return items[i].Number, nil
			}
		}
	}
	return 0, nil
}
