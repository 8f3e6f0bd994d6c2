package mailbox

import (
	"context"
	"errors"
	"hash/maphash"
	"maps"
	"slices"
	"strings"
	"time"

	"quietpost/collector/reader"
	"quietpost/digest"
)

// deskMail is what the desk wants to know of a mail.
func (m *Mailbox) deskMail(r *reader.Reading, part, key string, arrived time.Time) digest.DeskMail {
	d := digest.DeskMail{Key: key, At: arrived, Inbox: m.local + "@" + m.host, From: r.From.Address, MessageID: r.MessageID,
		Answers: r.AllIDs(), Subject: r.Line, Text: r.Body, ToDesk: part == "desk" || part == "" && r.Command != ""}
	if r.Command != "" {
		d.Subject = r.Command
	}
	if token, ok := strings.CutPrefix(part, "c-"); ok {
		d.Token = token
	}
	return d
}

// command hands a mail to the desk if it may be answered. What was sent to the desk and may not be is kept and not done:
// a vacation note must not confirm anything.
func (m *Mailbox) command(ctx context.Context, mail digest.DeskMail, r *reader.Reading) (why digest.Reason, handled bool, err error) {
	switch {
	case m.o.Desk == nil:
		return "", false, nil
	case r.NoAnswer != "" && (mail.ToDesk || mail.Token != ""):
		return "not carried out and not answered: " + r.NoAnswer, true, nil
	case r.NoAnswer != "":
		return "", false, nil
	}
	return m.o.Desk.Take(ctx, mail)
}

// belongs finds the thread a mail joins and the projects it is for. An answer to an item, by the address that its mail
// gave, is of that item's thread; all else as threadOf and projects say.
func (m *Mailbox) belongs(ctx context.Context, in Intake, r *reader.Reading, parts []string) (thread, []choice, error) {
	if i := slices.IndexFunc(parts, func(p string) bool { return strings.HasPrefix(p, "i-") }); i >= 0 && m.o.Thread != nil {
		switch project, name, err := m.o.Thread(ctx, parts[i][2:]); {
		case err == nil:
			return thread{project, name}, []choice{{project, "it answers an update of this project"}}, nil
		case !errors.Is(err, digest.ErrNotFound):
			return thread{}, nil, err
		}
	}
	known, err := threadOf(ctx, in, r)
	if err != nil {
		return thread{}, nil, err
	}
	choices := m.projects(in, r, parts, known)
	if known.name == "" && r.Reply && len(r.AllIDs()) == 0 && m.o.Titled != nil && r.Title != "" {
		// An answer by a program that names no mail: its subject is all there is.
		name, err := m.o.Titled(ctx, choices[0].project, r.Title)
		if err != nil && !errors.Is(err, digest.ErrNotFound) {
			return thread{}, nil, err
		}
		known.name = name
	}
	return known, choices, nil
}

// maxPerSender is how many mails of one sender become items in an hour: a tool gone mad must not bury the others. What is
// beyond is kept in quarantine.
const maxPerSender = 1000

// tooMany counts a sender's mails by when they arrived, so that a mailbox read late is no flood, and each once, so that one
// read anew is none either. key is the mail's.
func (m *Mailbox) tooMany(from, key string, arrived time.Time) bool {
	if arrived.IsZero() {
		return false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.senders == nil || len(m.senders) > 10_000 {
		m.senders, m.seed = map[string]map[uint64]time.Time{}, maphash.MakeSeed()
	}
	lately, this := m.senders[from], maphash.String(m.seed, key)
	if _, known := lately[this]; known {
		return false
	}
	if len(lately) >= maxPerSender {
		maps.DeleteFunc(lately, func(_ uint64, t time.Time) bool { return arrived.Sub(t).Abs() > time.Hour })
	}
	if len(lately) >= maxPerSender {
		return true
	}
	if lately == nil {
		lately = map[uint64]time.Time{}
		m.senders[from] = lately
	}
	lately[this] = arrived
	return false
}
