package mailbox

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"

	"quietpost/collector/reader"
	"quietpost/digest"
)

// maxTries is how often the process may end in the midst of reading a mail before that mail is not read any more.
const maxTries = 2

// accept reads a mail and puts it with those to be stored. It comes back with an error only when the mail is to be asked for
// again; one that cannot be read goes into quarantine with its raw bytes.
func (s *session) accept(ctx context.Context, t text, e entry) error {
	var d digest.Delivery
	var err error
	here := survived{s.mark.UIDValidity, e.uid}
	if tries := s.mark.Tries; tries >= maxTries && s.pending.empty() && s.storing == nil && s.m.survived != here {
		d = quarantined(digest.Delivery{Receipt: s.m.receipt(t.raw, nil)},
			fmt.Sprintf("reading it ended the program %d times, so it is not read any more", tries))
	} else if d, err = s.m.delivery(ctx, s.pending, t.raw, e.arrived, func() error { return s.tried(ctx, here) }); err != nil {
		return err
	}
	s.m.survived = here
	if t.large {
		d.Receipt.Key = largeKey(d.Receipt.Key, t.sum)
		d.Receipt.Header = append([]byte(placeHeader(s.m.place(s.mark, e), e)), d.Receipt.Header...)
	}
	mark := s.at(e)
	d.Mark = &mark
	s.pending.add(d, e.arrived)
	return nil
}

// survived is the mail whose reading this process has lived through last.
type survived struct{ validity, uid uint32 }

// tried writes down that a mail is being read, before it can end the program: reading takes unusually long. What is
// before it is stored first, so that the mark stands at this one.
func (s *session) tried(ctx context.Context, here survived) error {
	if s.m.survived == here { // it was read to its end before, and could not be stored
		return nil
	}
	if err := s.flush(ctx); err != nil {
		return err
	}
	mark := s.mark
	mark.Tries++
	return s.move(ctx, mark)
}

// largeKey is the key of a mail of which only a part is kept: by the sum of all of its body.
func largeKey(key string, sum [32]byte) string { return key + "/" + hex.EncodeToString(sum[:]) }

// slowReading is how long reading a mail takes before it is written down as a try. A mail takes a millisecond; to
// overflow the stack or the memory takes longer than this.
const slowReading = 50 * time.Millisecond

// reading reads a mail in a goroutine of its own, so that neither a panic nor a reading that takes too long stops the
// inbox; twice, since the machine may have been at fault. fault says what went wrong; empty for nothing. slow is called
// when reading takes long, its error ends the reading. It may be nil.
func (m *Mailbox) reading(in Intake, raw []byte, slow func() error) (r reader.Reading, fault string, err error) {
	for range 2 {
		if r, fault, err = m.readOnce(in, raw, slow); fault == "" || err != nil {
			return r, fault, err
		}
		slow = nil // it is written down
	}
	return r, fault, err
}

func (m *Mailbox) readOnce(in Intake, raw []byte, slow func() error) (r reader.Reading, fault string, err error) {
	type answer struct {
		r     reader.Reading
		panic any
	}
	done := make(chan answer, 1)
	go func() {
		var a answer
		defer func() {
			a.panic = recover()
			done <- a
		}()
		a.r = m.read(raw, reader.Options{KnownProject: in.KnownProject})
	}()
	late := time.NewTimer(m.readTime)
	defer late.Stop()
	unusual := time.NewTimer(slowReading)
	defer unusual.Stop()
	for {
		select {
		case a := <-done:
			if a.panic != nil {
				return r, fmt.Sprintf("reading it failed: %v", a.panic), nil
			}
			return a.r, "", nil
		case <-unusual.C:
			if slow != nil {
				if err := slow(); err != nil {
					return r, "", err
				}
			}
		case <-late.C:
			return r, "reading it took longer than " + m.readTime.String(), nil
		}
	}
}

// receipt is the receipt of a mail. Its key is the Message-ID, the date and the body: a Message-ID alone may be used
// again, or be missing. Without one, and where r is nil, all bytes are the key.
func (m *Mailbox) receipt(raw []byte, r *reader.Reading) digest.Receipt {
	head, body := reader.Split(raw)
	sum := sha256.Sum256(body)
	var key string
	if r != nil && r.MessageID != "" {
		key = fmt.Sprintf("mid:%s/%d/%x", r.MessageID, r.Date.Unix(), sum)
	} else {
		key = "raw:" + digestOf(raw)
	}
	return digest.Receipt{Source: m.o.Name, Tool: Tool, Key: key, Sum: sum, State: digest.Accepted, Header: head, Raw: body,
		ReceivedAt: m.o.Now()}
}

func digestOf(raw []byte) string {
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}

func quarantined(d digest.Delivery, why string) digest.Delivery {
	d.Items = nil
	d.Receipt.State, d.Receipt.Reason = digest.Quarantined, digest.Reason(digest.OneLine(why, digest.MaxField))
	return d
}

func ignored(d digest.Delivery, why digest.Reason) digest.Delivery {
	d.Items = nil
	d.Receipt.State, d.Receipt.Reason = digest.Ignored, why
	return d
}

// Delivery makes of a mail's bytes what is handed to the intake, without a mark. arrived is when the server received
// it. An error means that the intake could not be asked. The receipt's header and raw bytes are the mail byte for byte.
func (m *Mailbox) Delivery(ctx context.Context, raw []byte, arrived time.Time) (digest.Delivery, error) {
	return m.delivery(ctx, m.o.Intake, raw, arrived, nil)
}

func (m *Mailbox) delivery(ctx context.Context, in Intake, raw []byte, arrived time.Time, slow func() error) (d digest.Delivery, err error) {
	defer func() {
		if p := recover(); p != nil {
			d, err = quarantined(digest.Delivery{Receipt: m.receipt(raw, nil)}, fmt.Sprintf("reading it failed: %v", p)), nil
		}
	}()
	r, fault, err := m.reading(in, raw, slow)
	if err != nil {
		return digest.Delivery{}, err
	}
	d = digest.Delivery{Receipt: m.receipt(raw, &r)}
	if fault != "" {
		return quarantined(d, fault), nil
	}
	parts := addressParts(m.local, m.host, r.Recipients)
	part := ""
	if len(parts) > 0 {
		part = parts[0]
	}
	switch {
	case r.Own:
		return ignored(d, "a mail that quietpost made"), nil
	case r.Report != "":
		return m.bounced(ctx, d, &r, part, arrived)
	case r.AutoReply:
		return ignored(d, "an automatic reply"), nil
	case strings.HasPrefix(part, "b-"): // only servers know that address: a report in words that nobody has seen yet
		return ignored(d, "mail to a bounce address"), nil
	case strings.HasPrefix(part, "u-") && m.o.Leave != nil:
		return m.leave(ctx, d, part[2:])
	}
	mail := m.deskMail(&r, part, d.Receipt.Key, arrived)
	if mail.ToDesk || mail.Token != "" || len(mail.Answers) > 0 {
		mail.Authenticated, _ = reader.Authenticate(raw, &r, m.o.Trust, m.lookup(ctx))
		if why, handled, err := m.command(ctx, mail, &r); handled || err != nil {
			return ignored(d, why), err
		}
	}
	switch {
	case mail.ToDesk || mail.Token != "" || strings.HasPrefix(part, "u-"):
		return quarantined(d, "it is for the desk, and this inbox has none"), nil
	case r.From.Address == "":
		return quarantined(d, "it names no sender"), nil
	case !m.mayPost.MatchString(r.From.Address) && (r.Writer.Address == "" || !m.mayPost.MatchString(r.Writer.Address)):
		return quarantined(d, r.From.Address+" may not post here (accept: "+strings.Join(m.o.Accept, ", ")+")"), nil
	case m.tooMany(r.From.Address, d.Receipt.Key, arrived):
		return quarantined(d, fmt.Sprintf("more than %d mails of %s in an hour", maxPerSender, r.From.Address)), nil
	}
	known, choices, err := m.belongs(ctx, in, &r, parts)
	if err != nil {
		return digest.Delivery{}, err
	}
	ok, why := reader.Authenticate(raw, &r, m.o.Trust, m.lookup(ctx))
	if r.Writer.Address != "" && m.o.Trust != reader.TrustInside {
		ok, why = false, "it came through a list, which vouches for itself only"
	}
	for _, p := range choices {
		it := m.item(&r, p, known, arrived)
		it.Authenticated = ok
		it.Reasons["authenticated"] = why
		if it.State = ""; ok { // who is not known must not end an incident
			it.State = r.State
		}
		if r.Urgent != "" {
			if it.Urgent = ok; ok {
				it.Reasons["urgent"] = r.Urgent
			} else {
				it.Reasons["urgent"] = r.Urgent + ", which does not count: " + why
			}
		}
		d.Items = append(d.Items, it)
	}
	if m.o.Desk != nil && len(mail.Answers) > 0 && r.NoAnswer == "" {
		err = m.o.Desk.Kept(ctx, mail)
	}
	return d, err
}

// bounced hands over what a report says. Saying it twice must do no harm: the mail may be asked for again.
func (m *Mailbox) bounced(ctx context.Context, d digest.Delivery, r *reader.Reading, part string, arrived time.Time) (digest.Delivery, error) {
	if m.o.Bounce == nil {
		return ignored(d, r.Report), nil
	}
	token, _ := strings.CutPrefix(part, "b-")
	if token == part {
		token = ""
	}
	for _, b := range r.Bounces {
		b.Token, b.At = token, arrived
		if b.At.IsZero() {
			b.At = m.o.Now()
		}
		if err := m.o.Bounce(ctx, b); err != nil {
			return digest.Delivery{}, fmt.Errorf("a delivery report: %w", err)
		}
	}
	return ignored(d, r.Report), nil
}

// leave does what the List-Unsubscribe address of a mail of ours asks for. It may come twice: leaving is that, too.
func (m *Mailbox) leave(ctx context.Context, d digest.Delivery, token string) (digest.Delivery, error) {
	switch err := m.o.Leave(ctx, token); {
	case err == nil:
		return ignored(d, "a reader left by mail"), nil
	case errors.Is(err, digest.ErrNotFound):
		return ignored(d, "a wish to leave by an address that is nobody's"), nil
	default:
		return digest.Delivery{}, err
	}
}

// item makes the item of one project.
func (m *Mailbox) item(r *reader.Reading, p choice, known thread, arrived time.Time) digest.Item {
	it := digest.Item{
		Source: m.o.Name, Tool: Tool, Project: p.project, Kind: r.Kind, Title: r.Title, Body: withAttachments(r),
		URL: r.URL, Author: r.From.Name, Event: "mail", Tags: r.Tags, Due: r.Due, MessageID: r.MessageID,
		Thread: known.name, OccurredAt: occurred(r.Date, arrived), ReceivedAt: m.o.Now(),
		Reasons: map[string]digest.Reason{"project": p.reason},
	}
	if r.Writer.Name != "" {
		it.Author = r.Writer.Name
	}
	if it.Author == "" {
		it.Author = r.From.Address
	}
	if r.Reply {
		it.Event = "mail.reply"
	}
	if r.Event != "" { // a tool or a calendar made it
		it.Event, it.State, it.Level = r.Event, r.State, r.Level
	}
	if r.Thread != "" {
		it.Thread = r.Thread
	}
	switch {
	case it.Kind != "":
		it.Reasons["kind"] = digest.Reason("the subject says [" + it.Kind + "]")
	case r.Reply:
		it.Kind = digest.KindComment
		it.Reasons["kind"] = "it answers another mail"
	default:
		it.Kind = digest.KindStatus
	}
	if root := r.Root(); it.Thread == "" && root != "" {
		it.Thread = "mail/" + root
	}
	return it
}

// occurred is when the mail was written, by its own word if that is near to when the server received it.
func occurred(written, arrived time.Time) time.Time {
	if arrived.IsZero() {
		return written
	}
	if written.IsZero() || written.Before(arrived.Add(-7*24*time.Hour)) || written.After(arrived.Add(time.Hour)) {
		return arrived.UTC()
	}
	return written
}

// withAttachments is the body with a line that names what is attached; the files stay in the mailbox and the receipt.
func withAttachments(r *reader.Reading) string {
	if len(r.Attachments) == 0 {
		return r.Body
	}
	var names []string
	for i, a := range r.Attachments {
		if i == 10 {
			names = append(names, fmt.Sprintf("and %d more", len(r.Attachments)-i))
			break
		}
		name := a.Name
		if name == "" {
			name = a.Type
		}
		names = append(names, fmt.Sprintf("%s (%s)", name, sizeOf(a.Size)))
	}
	return digest.CleanBody(strings.TrimSpace(r.Body + "\n\nAttached: " + strings.Join(names, ", ")))
}

func sizeOf(n int) string {
	switch {
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	case n >= 1<<10:
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%d bytes", n)
}

// mayPost is what the addresses of the accept patterns match, in which '*' is any run of characters. A '/' is none that
// stands apart: the addresses of some gateways hold it.
func mayPost(patterns []string) (*regexp.Regexp, error) {
	var any []string
	for _, p := range patterns {
		any = append(any, strings.ReplaceAll(regexp.QuoteMeta(strings.ToLower(p)), `\*`, ".*"))
	}
	return regexp.Compile("^(?:" + strings.Join(any, "|") + ")$")
}

// lookup bounds the DNS questions of one mail.
func (m *Mailbox) lookup(ctx context.Context) func(string) ([]string, error) {
	if m.o.LookupTXT == nil {
		return nil
	}
	return func(name string) ([]string, error) {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		return m.o.LookupTXT(ctx, name)
	}
}

// place says where a mail lies, as an IMAP URL (RFC 5092).
func (m *Mailbox) place(mark digest.Mark, e entry) string {
	return fmt.Sprintf("imap://%s@%s/%s;UIDVALIDITY=%d/;UID=%d", url.PathEscape(m.o.Username), m.o.Host,
		url.PathEscape(m.o.Folder), mark.UIDValidity, e.uid)
}

func placeHeader(place string, e entry) string {
	return fmt.Sprintf("X-Quietpost-Original: %s (%d bytes)\r\n", place, e.size)
}
