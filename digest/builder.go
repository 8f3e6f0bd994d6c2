package digest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"quietpost/digest/schedule"
)

// Settings are what editions are cut by; never changed once made.
type Settings struct {
	Policy   *Policy
	Calendar Calendar
	Alerts   AlertPolicy
	Top      int    // lines a project shows in a digest
	BaseURL  string // of the pages, without a slash at its end
	Inbox    string // address that takes answers, or empty; "+u-TOKEN" before its @ leaves by mail
	Instance []byte // Store.InstanceKey

	Operators []string // addresses of who is told when something is wrong
}

// A Builder cuts editions: digests whose slot has come, and alerts. It is safe for one goroutine a method.
type Builder struct {
	Store    Store
	Renderer Renderer
	Composer Composer
	Beat     func() // called before each digest of a slot, so that thousands of them on a slow disk are not taken for a loop that hangs; nil for nobody
}

// A Tally counts what a tick did.
type Tally struct {
	Sent   int // editions with a message
	Empty  int
	Lost   int       // occasions that somebody else was first to, or had an edition
	Faults []error   // what failed alone; it is tried again at the next tick
	Wait   time.Time // when an alert that waits is due; zero for none

	Editions []EditionNote // those that were committed, empty ones too
}

// An EditionNote is what the log says of an edition.
type EditionNote struct {
	Edition
	To string // the reader's address; empty for an empty edition
}

const (
	late       = 15 * time.Minute // behind its slot, an edition is labelled late
	excerpt    = 1200             // bytes of a body that a digest reads
	wideWindow = 20_000           // numbers; a wider window is read without bodies, so that memory stays bounded
)

// TickDigests cuts one edition for each subscription whose slot has come: all share one cut and one reading of the window,
// but for who was away for long, whose wide window must not cost the others the bodies of theirs.
func (b *Builder) TickDigests(ctx context.Context, now time.Time, set *Settings) (t Tally, err error) {
	due, err := b.Store.Due(ctx, now)
	if err != nil || len(due) == 0 {
		return t, err
	}
	cut, err := b.Store.Newest(ctx)
	if err != nil {
		return t, err
	}
	var near, far []Due
	for _, d := range due {
		if cut-d.Subscription.Cursor > wideWindow {
			far = append(far, d)
		} else {
			near = append(near, d)
		}
	}
	err = errors.Join(b.cut(ctx, now, set, near, cut, &t), b.cut(ctx, now, set, far, cut, &t))
	return t, err
}

// window reads what lies behind a cursor and up to a cut: the beginnings of bodies too, but not where it is wide.
func (b *Builder) window(ctx context.Context, cursor, cut int64) ([]Item, error) {
	if cut-cursor > wideWindow {
		return b.Store.Window(ctx, cursor, cut, 0)
	}
	return b.Store.Window(ctx, cursor, cut, excerpt)
}

// cut serves the subscriptions that share a reading of the window.
func (b *Builder) cut(ctx context.Context, now time.Time, set *Settings, due []Due, cut int64, t *Tally) error {
	if len(due) == 0 {
		return nil
	}
	oldest := cut
	for i := range due {
		oldest = min(oldest, due[i].Subscription.Cursor)
	}
	window, err := b.window(ctx, oldest, cut)
	if err != nil {
		return err
	}
	for i := range due {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if b.Beat != nil {
			b.Beat()
		}
		c, err := b.digest(ctx, now, set, &due[i], window, cut)
		if err == nil {
			err = b.commit(ctx, c, t)
		}
		switch {
		case errors.Is(err, ErrExists): // the slot was served before the clock was set back: only the next one is wrong
			err = b.Store.SetNextSlot(ctx, []SlotMove{{due[i].Subscription.ID, due[i].Subscription.NextSlot, c.NextSlot}})
		case errors.Is(err, ErrConflict):
			err = nil
		}
		if err != nil {
			t.Faults = append(t.Faults, fmt.Errorf("digest for %s: %w", due[i].Subscriber.Address, err))
		}
	}
	return nil
}

func (b *Builder) commit(ctx context.Context, c Commit, t *Tally) error {
	err := b.Store.CommitEdition(ctx, c)
	switch {
	case errors.Is(err, ErrExists), errors.Is(err, ErrConflict):
		t.Lost++
	case err == nil && c.Message == nil:
		t.Empty++
		t.Editions = append(t.Editions, EditionNote{Edition: c.Edition})
	case err == nil:
		t.Sent++
		t.Editions = append(t.Editions, EditionNote{c.Edition, c.Message.To})
	}
	return err
}

// digest makes the edition of one subscription at its slot.
func (b *Builder) digest(ctx context.Context, now time.Time, set *Settings, d *Due, window []Item, cut int64) (Commit, error) {
	who, sub := &d.Subscriber, &d.Subscription
	sched, loc, err := set.Calendar.Of(who, sub)
	if err != nil {
		return Commit{}, err
	}
	slot := Slot(sched, loc, sub.NextSlot, now)
	key := DigestKey(sub.ID, slot)
	c := Commit{Cursor: sub.Cursor, NextSlot: NextSlot(sched, loc, slot, now), Edition: Edition{
		ID: EditionID(set.Instance, key), Occasion: OccasionDigest, Key: key, Subscriber: who.ID, Subscription: sub.ID,
		Slot: slot, Late: now.Sub(slot) >= late, From: sub.MailedTo + 1, To: cut, CreatedAt: now,
	}}
	_, err = b.fill(ctx, now, set, d, &c, window)
	return c, err
}

// fill selects what a digest or a catch-up tells, behind the cursor of d and up to its cut, and makes its message; none if there
// is nothing to tell.
func (b *Builder) fill(ctx context.Context, now time.Time, set *Settings, d *Due, c *Commit, window []Item) (r Rendered, err error) {
	who, sub, e := &d.Subscriber, &d.Subscription, &c.Edition
	sched, loc, err := set.Calendar.Of(who, sub)
	if err != nil {
		return r, err
	}
	wanted := Select(window, sub, e.To, set.Policy)
	gone, err := b.Store.Swept(ctx, sub.Cursor, e.To)
	if err != nil {
		return r, err
	}
	gap := missed(gone, sub, set.Policy)
	e.Items = len(wanted) + gap
	if e.Empty = e.Items == 0; e.Empty {
		return r, nil
	}
	var alerted map[int64]bool
	if e.Occasion == OccasionDigest {
		if alerted, err = b.Store.AlertedItems(ctx, who.ID, sub.Cursor, e.To); err != nil {
			return r, err
		}
	}
	e.MessageID = e.ID + "@" + b.Composer.Host()
	v := view(set, e, who, loc, now)
	v.NextAt, v.Schedule, v.Why = c.NextSlot, sched.Words(), why(sub, set.Policy)
	v.Missed = missedWords(gap)
	v.Links = links(set, TokenLeaveDigest, sub.ID, e.ID)
	l := &Letter{To: who.Address, Name: who.Name, MessageID: e.MessageID, Date: now,
		ListID: fmt.Sprintf("Quietpost digests <digest-%d>", sub.ID), Edition: e.ID, Window: e.Window(), Feedback: e.Occasion}
	if e.Occasion == OccasionCatchUp {
		v.Why, l.Window = "You get this once more because it was asked for; your next digest is not changed by it.", ""
	}
	r = b.renderDigest(v, wanted, alerted, set)
	l.Rendered = r
	e.Shown = v.Grouping.Shown
	c.Message, err = b.message(l, v.Links, LaneDigest, now)
	return r, err
}

// renderDigest shows fewer lines a project, then lines of fewer projects, then fewer questions and decisions, until the mail is
// small enough. A template
// that fails must not keep news from its reader: what is left then is plain text.
func (b *Builder) renderDigest(v *View, wanted []Item, alerted map[int64]bool, set *Settings) Rendered {
	for top, projects := max(set.Top, 1), -1; ; {
		v.Grouping = Group(wanted, alerted, set.Policy.Title, top)
		if projects >= 0 {
			v.Grouping.narrow(projects)
		}
		if v.Subject = v.Grouping.Subject(); len(wanted) == 0 {
			v.Subject = strings.TrimSuffix(v.Missed, ".")
		}
		r, err := render(b.Renderer.Digest, v)
		switch {
		case err == nil:
			return r
		case !errors.Is(err, ErrTooLarge) || top == 0:
			return plain(v, wanted)
		case top > 1:
			top /= 2
		case projects < 0:
			projects = len(v.Grouping.Sections) / 2
		case projects > 0:
			projects /= 2
		default:
			top = 0
		}
	}
}

// render calls a renderer and makes an error of its panic.
func render(fn func(*View) (Rendered, error), v *View) (r Rendered, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("template: %v", p)
		}
	}()
	return fn(v)
}

// plain is the mail of last resort: every title, in order.
func plain(v *View, items []Item) Rendered {
	var s strings.Builder
	s.WriteString("This mail could not be set as usual; here are its updates as plain lines.\n\n")
	for i := range items {
		it := &items[i]
		if i == 500 {
			fmt.Fprintf(&s, "and %d more\n", len(items)-i)
			break
		}
		title := it.Title
		if it.Private {
			title = "a private update"
		}
		fmt.Fprintf(&s, "- %s: %s\n", it.Project, title)
	}
	if v.Missed != "" {
		fmt.Fprintf(&s, "\n%s\n", v.Missed)
	}
	if v.Links.Leave != "" {
		fmt.Fprintf(&s, "\n%s\nTo leave: %s\n", v.Why, v.Links.Leave)
	}
	return Rendered{Subject: v.Subject, Text: s.String()}
}

func view(set *Settings, e *Edition, who *Subscriber, loc *time.Location, now time.Time) *View {
	return &View{Edition: *e, Name: who.Name, Address: who.Address, Loc: loc, Now: now}
}

func links(set *Settings, purpose string, id int64, edition string) Links {
	token := Token(set.Instance, purpose, strconv.FormatInt(id, 10))
	l := Links{
		Leave:   set.BaseURL + "/l/" + token,
		Edition: set.BaseURL + "/e/" + Token(set.Instance, TokenEdition, edition),
	}
	if local, domain, ok := strings.Cut(set.Inbox, "@"); ok {
		u := url.URL{Scheme: "mailto", Opaque: local + "+u-" + token + "@" + domain, RawQuery: "subject=unsubscribe"}
		l.Mailto = u.String()
	}
	return l
}

// why says in plain words what makes a person get a digest.
func why(s *Subscription, p *Policy) string {
	var names []string
	for _, pattern := range s.Projects {
		if pattern == "*" {
			return "You get this because you follow all projects."
		}
		names = append(names, p.Title(pattern))
	}
	return "You get this because you follow " + strings.Join(names, ", ") + "."
}

func (b *Builder) message(l *Letter, links Links, lane string, now time.Time) (*Message, error) {
	l.Unsubscribe = append(l.Unsubscribe, links.Leave)
	l.OneClick = strings.HasPrefix(links.Leave, "https://")
	if links.Mailto != "" {
		l.Unsubscribe = append(l.Unsubscribe, links.Mailto)
	}
	raw, err := b.Composer.Compose(l)
	if err != nil {
		return nil, fmt.Errorf("composing: %w", err)
	}
	return &Message{Edition: l.Edition, Channel: ChannelEmail, Lane: lane, To: l.To, MessageID: l.MessageID,
		Subject: l.Subject, Bytes: raw, State: Queued, NextAt: now, CreatedAt: now}, nil
}

// Reslot heals next slots that are not what the schedules name; see Calendar.Reslot.
func (b *Builder) Reslot(ctx context.Context, now time.Time, set *Settings) (moved int, faults []error, err error) {
	people, err := b.Store.Subscribers(ctx)
	if err != nil {
		return 0, nil, err
	}
	moves, faults := set.Calendar.Reslot(people, now)
	if len(moves) == 0 {
		return 0, faults, nil
	}
	return len(moves), faults, b.Store.SetNextSlot(ctx, moves)
}

// QuietUntil is the end of the quiet hours a person is in, zero outside. What cannot be read is no quiet: an alert too
// many is better than one too few.
func QuietUntil(who *Subscriber, def *time.Location, now time.Time) time.Time {
	if who.Quiet == "" {
		return time.Time{}
	}
	q, err := schedule.ParseQuiet(who.Quiet)
	if err != nil {
		return time.Time{}
	}
	return q.Until(now, who.Location(def))
}
