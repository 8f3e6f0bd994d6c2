package digest

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A DeskMail is a mail to the desk, or one that may be: an answer to a mail of ours. No machine made it; who hands it over has
// seen to that, for it may be answered.
type DeskMail struct {
	Key           string    // of the mail, so that it is answered once
	At            time.Time // when it arrived
	Inbox         string    // address of the inbox it came to, without its part
	From          string    // as NormalizeAddress gives it
	Authenticated bool      // From is who they say
	MessageID     string    // without <>
	Answers       []string
	Subject       string // without "Re:"
	Text          string // without what it quotes
	Token         string // what stood behind "+c-"
	ToDesk        bool   // it came to the desk's address, or its subject is a command
}

// A MailDesk is the desk's door for mail: it reads commands, has the desk carry them out, and queues answers. It is safe for
// many goroutines.
type MailDesk struct {
	Desk     *Desk
	Store    Store
	Composer Composer
	Builder  *Builder // makes catch-ups

	mu    sync.Mutex
	heard map[string][]time.Time // when commands of an address came, and of all strangers under ""
}

// Limits of what the desk does for one address in an hour, and for all strangers together: whoever forges addresses can have
// the desk write to others no more than that.
const (
	perAddress   = 12
	perStrangers = 120
)

// wishLasts is how long a request waits for its confirmation.
const wishLasts = 7 * 24 * time.Hour

// A wish is what waits for the person's word, in Subscriber.Wish.
type wish struct {
	Projects []string  `json:"projects,omitempty"`
	Schedule string    `json:"schedule,omitempty"`
	Zone     string    `json:"zone,omitempty"`
	At       time.Time `json:"at"`
}

// Take carries out what a mail asks for and answers it. handled is false for a mail that is no command: an item, then.
func (d *MailDesk) Take(ctx context.Context, now time.Time, set *Settings, in DeskMail) (why Reason, handled bool, err error) {
	line, handled := d.line(ctx, &in)
	if !handled {
		return "", false, nil
	}
	if !answerable(in.From, in.Inbox) {
		return "a command from an address that is not answered", true, nil
	}
	people, err := d.Desk.People(ctx)
	if err != nil {
		return "", true, err
	}
	who := personAt(people, in.From)
	if !d.mayAsk(in.From, who != nil && who.State != Pending && who.State != Left, now) {
		return "too many commands from " + Reason(in.From) + " in an hour: this one is not carried out", true, nil
	}
	if in.Token != "" {
		return d.confirmed(ctx, now, set, &in, line)
	}
	loc := set.Calendar.Zone
	if who != nil {
		loc = who.Location(loc)
	}
	c, err := ParseCommand(line, set.Calendar.Named, now, loc)
	if err != nil {
		text := "This was not understood, and nothing was changed:\n\n  " + OneLine(err.Error(), 160) + "\n\n" + helpText(in.Inbox)
		return "a command that was not understood", true, d.answer(ctx, now, set, &in, "", "Your mail was not understood", text)
	}
	return d.carryOut(ctx, now, set, &in, c)
}

// line is the line that holds the command, if the mail is one.
func (d *MailDesk) line(ctx context.Context, in *DeskMail) (string, bool) {
	first, rest := firstLine(in.Text)
	if in.Token == "" && in.ToDesk {
		in.Token = confirmToken.FindString(strings.ToLower(in.Subject))
	}
	switch {
	case in.Token != "":
		return first, true
	case in.ToDesk && asks(in.Subject):
		return in.Subject, true
	case in.ToDesk:
		if second, _ := firstLine(rest); !asks(first) && asks(second) { // a greeting stands above
			return second, true
		}
		return first, true
	case IsCommand(first) && signedOff.MatchString(rest) && d.ours(ctx, in.Answers) != nil:
		return first, true
	}
	return "", false
}

// confirmToken is one in a subject, where it was too long for an address.
var confirmToken = regexp.MustCompile(`\bc\.\d+-[0-9a-z]{8}\.[0-9a-z]{24}\b`)

// signedOff is what may stand below a command: thanks, and a name.
var signedOff = regexp.MustCompile(`^(?:(?i:thanks?(?: you)?|thx|many thanks|cheers|best|(?:best|kind|warm) regards|regards|danke|merci|gracias|grazie|obrigad[oa]|mfg|vg|lg|viele grüße|gruß|cordialement|saludos)[\s,.!]*\n?)?` +
	`\s*(?:\p{Lu}[\p{L}.'’-]*(?: \p{Lu}[\p{L}.'’-]*){0,3})?$`)

// asks tells a line that begins with a verb.
func asks(line string) bool {
	verb, _ := verbIn(line)
	return verb != ""
}

// firstLine parts a text into its first line that says something and what follows.
func firstLine(s string) (first, rest string) {
	first, rest, _ = strings.Cut(strings.TrimSpace(s), "\n")
	return strings.TrimSpace(first), strings.TrimSpace(rest)
}

// ours is the edition that one of these mails was; nil if none was one.
func (d *MailDesk) ours(ctx context.Context, ids []string) *Edition {
	for _, id := range ids[:min(len(ids), 10)] {
		edition, host, _ := strings.Cut(id, "@")
		if !strings.EqualFold(host, d.Composer.Host()) {
			continue
		}
		if e, err := d.Store.Edition(ctx, strings.ToLower(edition)); err == nil && strings.EqualFold(e.MessageID, id) {
			return &e
		}
	}
	return nil
}

// Kept is told of a mail that became an item. If it answers a whole digest its writer is told, once, how to answer a line.
func (d *MailDesk) Kept(ctx context.Context, now time.Time, set *Settings, in DeskMail) error {
	e := d.ours(ctx, in.Answers)
	if e == nil || e.Occasion == OccasionAlert || !answerable(in.From, in.Inbox) || !d.mayAsk(in.From, true, now) {
		return nil
	}
	in.Key = "answered-a-digest/" + in.From // once for ever
	return d.answer(ctx, now, set, &in, "", "Your answer to a digest was kept", wholeDigestText(in.Inbox))
}

var unanswered = regexp.MustCompile(`^(no-?reply|do-?not-?reply|donotreply|mailer-daemon|postmaster|mdaemon|bounces?|.*-bounces?|.*-request|owner-.*|` +
	`listserv|majordomo|root|daemon|nobody)([+-].*)?$`)

// answerable tells addresses at which a person may read, and that are not ours.
func answerable(address, inbox string) bool {
	local, host, ok := strings.Cut(address, "@")
	own, ownHost, _ := strings.Cut(inbox, "@")
	if !ok || unanswered.MatchString(local) {
		return false
	}
	rest, mine := strings.CutPrefix(local, own)
	return host != ownHost || !mine || rest != "" && rest[0] != '+' && rest[0] != '.'
}

// mayAsk counts a command and tells whether it is within bounds.
func (d *MailDesk) mayAsk(from string, known bool, now time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.heard == nil || len(d.heard) > 10_000 {
		d.heard = map[string][]time.Time{}
	}
	within := func(key string, limit int) bool {
		lately := slices.DeleteFunc(d.heard[key], func(t time.Time) bool { return now.Sub(t) > time.Hour || t.After(now) })
		if len(lately) < limit {
			lately = append(lately, now)
			d.heard[key] = lately
			return true
		}
		d.heard[key] = lately
		return false
	}
	return within(from, perAddress) && (known || within("", perStrangers))
}

func personAt(people []Subscriber, address string) *Subscriber {
	for i := range people {
		if people[i].Address == address {
			return &people[i]
		}
	}
	return nil
}

// carryOut does what a command says and answers.
func (d *MailDesk) carryOut(ctx context.Context, now time.Time, set *Settings, in *DeskMail, c Command) (Reason, bool, error) {
	done := func(why string, subject, text string, err error) (Reason, bool, error) {
		if err == nil {
			err = d.answer(ctx, now, set, in, "", subject, text)
		}
		return Reason(why), true, err
	}
	switch c.Verb {
	case VerbSubscribe:
		return d.subscribe(ctx, now, set, in, c)
	case VerbCatchUp:
		return d.catchUp(ctx, now, set, in, c)
	case VerbSettings:
		s, err := d.find(ctx, in.From)
		return done("a command: settings", "Your settings", StateText(s, set, now), err)
	case VerbUnsubscribe, VerbPause, VerbResume:
		s, said, err := d.Desk.Obey(ctx, in.From, c, set, now)
		if errors.Is(err, ErrNotFound) {
			return done("a command of nobody's: "+c.Verb, "Your settings", StateText(nil, set, now), nil)
		}
		return done("a command: "+c.Verb, "Your settings", said+"\n\n"+StateText(&s, set, now), err)
	case VerbHelp:
		return done("a command: help", "How to write to the desk", helpText(in.Inbox), nil)
	}
	return done("no command that is known", "How to write to the desk", "That was no command that is known here.\n\n"+helpText(in.Inbox), nil)
}

// catchUp sends once more what came in a time; that mail is the answer. It is made as of when the command arrived, so that a
// command that is read twice gives one.
func (d *MailDesk) catchUp(ctx context.Context, now time.Time, set *Settings, in *DeskMail, c Command) (Reason, bool, error) {
	at := in.At
	if at.IsZero() || at.After(now) || now.Sub(at) > 24*time.Hour {
		at = now
	}
	done, err := d.Builder.CatchUp(ctx, at, set, in.From, c.Projects, at.Add(-c.Since))
	text := ""
	switch {
	case errors.Is(err, ErrExists):
		return "a command: catch up, done before", true, nil
	case errors.Is(err, ErrNotFound), errors.Is(err, ErrConflict):
		s, err := d.find(ctx, in.From)
		if err != nil {
			return "", true, err
		}
		text = StateText(s, set, now)
	case err != nil:
		return "", true, err
	case !slices.ContainsFunc(done, func(n Now) bool { return n.Message != nil }):
		text = "There was nothing in that time of what you follow.\n"
	default:
		return "a command: catch up", true, nil
	}
	return "a command: catch up, with nothing to send", true, d.answer(ctx, now, set, in, "", "Nothing to catch up with", text)
}

func (d *MailDesk) find(ctx context.Context, address string) (*Subscriber, error) {
	people, err := d.Desk.People(ctx)
	return personAt(people, address), err
}

// subscribe keeps the wish and asks for the person's word. Only who gets mail already and is known to be the one who writes is
// believed at once: a From can be forged.
func (d *MailDesk) subscribe(ctx context.Context, now time.Time, set *Settings, in *DeskMail, c Command) (Reason, bool, error) {
	w := wish{Projects: c.Projects, Schedule: c.Schedule, Zone: c.Zone, At: now.UTC()}
	atOnce := false
	s, err := d.Desk.upsert(ctx, in.From, func(s *Subscriber) {
		if atOnce = in.Authenticated && s.State != Pending && s.State != Left; atOnce {
			s.grant(w, &set.Calendar, now)
			return
		}
		var old wish
		if json.Unmarshal([]byte(s.Wish), &old) == nil && now.Sub(old.At) < time.Hour && !old.At.After(now) &&
			slices.Equal(old.Projects, w.Projects) && old.Schedule == w.Schedule && old.Zone == w.Zone {
			return // asked twice: either letter will do
		}
		s.Wish = w.encode()
	})
	if err != nil {
		return "", true, err
	}
	if atOnce {
		return "a command: subscribe", true, d.answer(ctx, now, set, in, "", "Your settings", "Done.\n\n"+StateText(&s, set, now))
	}
	token := Token(set.Instance, TokenConfirm, wishID(&s))
	return "a command: subscribe, to be confirmed", true,
		d.answer(ctx, now, set, in, token, "Please confirm your subscription", confirmText(&s, w, set, token))
}

func (w wish) encode() string {
	b, err := json.Marshal(w)
	if err != nil { // strings and a time only
		panic(err)
	}
	return string(b)
}

// wishID names one wish of one person, so that the word given to one does not confirm another.
func wishID(s *Subscriber) string {
	sum := sha256.Sum256([]byte(s.Address + "\n" + s.Wish))
	return strconv.FormatInt(s.ID, 10) + "-" + strings.ToLower(itemEncoding.EncodeToString(sum[:5]))
}

// declines is an answer that does not want it: a no, or words of somebody who never asked. One that is wrongly taken for a no
// costs a second mail, one that is wrongly taken for a yes sends mail to somebody who does not want it.
var declines = regexp.MustCompile(`(?i)^\W*(?:no|nope|nein|non|não|nao|nee|nej|nei|ei|nie|ne|нет|ні|いいえ|不|stop|cancel|never|unsubscribe|remove|abmelden)(?:\P{L}|$)|` +
	`\b(?:did ?n[o'’]?t|do ?n[o'’]?t|was ?n[o'’]?t|never|not me|nicht|unsubscribe|spam|stop|remove)\b`)

// confirmed is an answer to a letter that asked for the person's word. "No" is a word too.
func (d *MailDesk) confirmed(ctx context.Context, now time.Time, set *Settings, in *DeskMail, line string) (Reason, bool, error) {
	no := declines.MatchString(line)
	s, err := d.Desk.Confirm(ctx, set, in.Token, !no, now)
	if errors.Is(err, ErrNotFound) {
		return "a confirmation of nothing that waits", true, d.answer(ctx, now, set, in, "", "Nothing waits to be confirmed",
			"What you confirmed is not waiting any more: it was confirmed before, replaced by a later request, or older than a week.\n"+
				"Nothing was changed. To see what is in force, write: settings\n")
	}
	if err != nil {
		return "", true, err
	}
	in.From = s.Address // whoever answers, the person is told
	if no {
		return "a subscription was declined by mail", true, d.answer(ctx, now, set, in, "", "Nothing was changed",
			"You declined, and nothing was changed. No further mail comes of this.\n")
	}
	return "a subscription was confirmed by mail", true,
		d.answer(ctx, now, set, in, "", "Your subscription is in force", "Thank you: this is confirmed.\n\n"+StateText(&s, set, now))
}

// answer queues a letter to who wrote; a mail is answered once. token makes its answers confirmations.
func (d *MailDesk) answer(ctx context.Context, now time.Time, set *Settings, in *DeskMail, token, subject, text string) error {
	local, host, _ := strings.Cut(in.Inbox, "@")
	part := "+desk@"
	switch {
	case token != "" && len(local)+len("+c-")+len(token) <= 64: // RFC 5321, section 4.5.3.1.1
		part = "+c-" + token + "@"
	case token != "":
		subject += " " + token
	}
	l := &Letter{Rendered: Rendered{Subject: subject, Text: text + footerText}, To: in.From, Date: now, ReplyTo: local + part + host,
		MessageID: EditionID(set.Instance, "answer/"+in.Key) + "@" + d.Composer.Host()}
	if in.MessageID != "" {
		l.References = []string{in.MessageID}
	}
	raw, err := d.Composer.Compose(l)
	if err != nil { // an address that nothing can be sent to: asking again would not help
		return nil
	}
	err = d.Store.AddMessage(ctx, Message{Channel: ChannelEmail, Lane: LaneLetter, To: l.To, MessageID: l.MessageID, Subject: subject,
		Bytes: raw, State: Queued, NextAt: now, CreatedAt: now})
	if err != nil && !errors.Is(err, ErrExists) {
		return fmt.Errorf("answering %s: %w", in.From, err)
	}
	return nil
}
