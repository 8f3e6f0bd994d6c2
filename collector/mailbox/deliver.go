package mailbox

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"path"
	"strings"
	"time"

	"quietpost/collector/reader"
	"quietpost/digest"
)

// accept reads a mail and hands it over with its mark. It comes back with an error only when the mail is to be asked
// for again; one that cannot be read or stored goes into quarantine.
func (m *Mailbox) accept(ctx context.Context, raw []byte, e entry, mark digest.Mark) error {
	large := len(raw) > MaxMail
	raw = raw[:min(len(raw), MaxMail)]
	d, err := m.Delivery(ctx, raw, e.arrived)
	if err != nil {
		return err
	}
	if large {
		m.shorten(&d, raw, m.place(mark, e), e)
	}
	d.Mark = &mark
	result, err := m.o.Intake.Accept(ctx, d)
	if err != nil && !errors.Is(err, digest.ErrUnavailable) && ctx.Err() == nil {
		m.o.Log.Error("inbox: a mail cannot be stored as it was read", "inbox", m.o.Name, "uid", mark.UID, "error", err)
		d = quarantined(d, "it could not be stored as it was read: "+err.Error())
		result, err = m.o.Intake.Accept(ctx, d)
	}
	if err != nil {
		return fmt.Errorf("storing a mail: %w", err)
	}
	now := m.o.Now()
	m.note(func(s *Status) { s.LastMail = now })
	state := result.State
	if result.Duplicate {
		state = "duplicate"
	}
	m.mails.WithLabelValues(state).Inc()
	m.o.Log.Info("mail", "inbox", m.o.Name, "uid", mark.UID, "state", state, "items", len(result.Items), "reason", result.Reason)
	return nil
}

// reading reads a mail in a goroutine of its own, so that neither a panic nor a reading that takes too long stops the
// inbox. fault says what went wrong; empty for nothing.
func (m *Mailbox) reading(raw []byte) (r reader.Reading, fault string) {
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
		a.r = m.read(raw, reader.Options{KnownProject: m.o.Intake.KnownProject})
	}()
	late := time.NewTimer(m.readTime)
	defer late.Stop()
	select {
	case a := <-done:
		if a.panic != nil {
			return r, fmt.Sprintf("reading it failed: %v", a.panic)
		}
		return a.r, ""
	case <-late.C:
		return r, "reading it took longer than " + m.readTime.String()
	}
}

// receipt is the receipt of a mail; key is that of a mail whose Message-ID cannot be known when id is empty.
func (m *Mailbox) receipt(raw []byte, id string) digest.Receipt {
	head, body := reader.Split(raw)
	hashed := body
	if id == "" {
		hashed = raw
	}
	sum := sha256.Sum256(hashed)
	return digest.Receipt{Source: m.o.Name, Tool: Tool, Key: "mid:" + id + "/" + hex.EncodeToString(sum[:]),
		Sum: sha256.Sum256(body), State: digest.Accepted, Header: head, Raw: body, ReceivedAt: m.o.Now()}
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
func (m *Mailbox) Delivery(ctx context.Context, raw []byte, arrived time.Time) (d digest.Delivery, err error) {
	defer func() {
		if p := recover(); p != nil {
			d, err = quarantined(digest.Delivery{Receipt: m.receipt(raw, "")}, fmt.Sprintf("reading it failed: %v", p)), nil
		}
	}()
	r, fault := m.reading(raw)
	d = digest.Delivery{Receipt: m.receipt(raw, r.MessageID)}
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
	case part == "desk" || strings.HasPrefix(part, "c-") || strings.HasPrefix(part, "u-") || part == "" && r.Command != "":
		return quarantined(d, "commands by mail: not yet"), nil
	case r.From.Address == "":
		return quarantined(d, "it names no sender"), nil
	case !m.mayPost(r.From.Address):
		return quarantined(d, r.From.Address+" may not post here (accept: "+strings.Join(m.o.Accept, ", ")+")"), nil
	}
	known, err := m.threadOf(ctx, &r)
	if err != nil {
		return digest.Delivery{}, err
	}
	ok, why := reader.Authenticate(raw, &r, m.o.Trust, m.lookup(ctx))
	for _, p := range m.projects(&r, parts, known) {
		it := m.item(&r, p, known, arrived)
		it.Authenticated = ok
		it.Reasons["authenticated"] = why
		if r.Urgent != "" {
			if it.Urgent = ok; ok {
				it.Reasons["urgent"] = r.Urgent
			} else {
				it.Reasons["urgent"] = r.Urgent + ", which does not count: " + why
			}
		}
		d.Items = append(d.Items, it)
	}
	return d, nil
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
	if it.Author == "" {
		it.Author = r.From.Address
	}
	if r.Reply {
		it.Event = "mail.reply"
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

// mayPost tells whether an address fits one of the accept patterns.
func (m *Mailbox) mayPost(address string) bool {
	for _, p := range m.o.Accept {
		if ok, _ := path.Match(strings.ToLower(p), address); ok {
			return true
		}
	}
	return false
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

// shorten keeps of a mail above MaxMail its header, its text, and where the whole lies.
func (m *Mailbox) shorten(d *digest.Delivery, raw []byte, place string, e entry) {
	d.Receipt.Header = append([]byte(placeHeader(place, e)), d.Receipt.Header...)
	d.Receipt.Raw = []byte(reader.Read(raw, reader.Options{}).Body)
}
