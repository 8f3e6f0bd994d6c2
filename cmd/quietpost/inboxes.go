package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"quietpost/collector/mailbox"
	"quietpost/config"
	"quietpost/digest"
)

// inboxOptions are an inbox's options as far as the configuration tells them: enough for a probe.
func inboxOptions(dataDir string, in *config.Inbox, now func() time.Time) (o mailbox.Options, err error) {
	o = mailOptions(in)
	o.Now = now
	if o.CAFile, err = resolve(in.IMAP.CAFile); err != nil {
		return o, err
	}
	if c := &in.IMAP.OAuth2; (c.Pos != config.Pos{}) {
		o.OAuth2, err = tokens(dataDir, in.Name, c, now)
		return o, err
	}
	o.Password, err = password(in.IMAP.PasswordFile)
	return o, err
}

// tokens are an inbox's access tokens. What a provider gives in place of a refresh token is kept beside the database.
func tokens(dataDir, name string, c *config.OAuth2, now func() time.Time) (*mailbox.OAuth2, error) {
	o := &mailbox.OAuth2{Provider: c.Provider, Tenant: c.Tenant, TokenURL: c.TokenURL, ClientID: c.ClientID, Scopes: c.Scopes,
		Kept: filepath.Join(dataDir, "oauth2", name+".json"), Now: now}
	var err error
	if o.ClientSecret, err = password(c.ClientSecretFile); err == nil {
		o.RefreshToken, err = password(c.RefreshTokenFile)
	}
	return o, err
}

// Bounds of what is told of inboxes.
const (
	inboxLasts = 10 * time.Minute // for so long something must be wrong: servers restart
	inboxAgain = time.Hour        // from one telling of the same to the next
)

// An inboxTrouble is something that may be wrong with an inbox, and how that is told.
type inboxTrouble struct {
	what     string    // as in digest.Trouble
	is       bool      // it is wrong now
	over     bool      // it is well now; neither: nobody knows
	since    time.Time // from when on it has been wrong
	begins   string    // subject
	text     string
	ends     string // subject
	endsText string
}

// inboxTroubles are what may be wrong with an inbox.
func inboxTroubles(g *generation, in *config.Inbox, s *mailbox.Status) []inboxTrouble {
	again := "it is tried again all the time."
	if s.Refused {
		again = "it is tried every ten minutes, since servers lock an account that is tried more often; a reload of quietpost tries it at once."
	}
	return []inboxTrouble{{
		what: digest.Unreachable, is: !s.Connected && s.Err != "", over: s.Connected, since: s.Since,
		begins: "the inbox " + in.Name + " cannot be read",
		text: fmt.Sprintf("The inbox %s (%s on %s) has been out of reach since %s:\n\n  %s\n\n"+
			"Its mails wait on the server and are taken in when it can be read again; %s\n`quietpost doctor` tries it step by step.",
			in.Name, in.IMAP.Username, in.IMAP.Host, stamp(s.Since, g.cfg.TimeZone), s.Err, again),
		ends:     "the inbox " + in.Name + " is read again",
		endsText: fmt.Sprintf("The inbox %s can be read again since %s. What came meanwhile is being taken in.", in.Name, stamp(s.Since, g.cfg.TimeZone)),
	}, {
		what: digest.AfterRefused, is: s.AfterErr != "", over: s.Connected && s.AfterErr == "", since: s.AfterSince,
		begins: "the server of the inbox " + in.Name + " refuses `after`",
		text: fmt.Sprintf("The inbox %s asks for after: %s. Since %s the server says:\n\n  %s\n\n"+
			"The mails are stored and stay in the mailbox as they are; it is asked again every minute.",
			in.Name, in.After, stamp(s.AfterSince, g.cfg.TimeZone), s.AfterErr),
		ends:     "the server of the inbox " + in.Name + " does what `after` asks for",
		endsText: fmt.Sprintf("The inbox %s asks for after: %s. The server does that now, also with the mails that waited for it.", in.Name, in.After),
	}}
}

// tickInboxes tells the operators of what has been wrong with an inbox for long, once, and once more when it is over. Rows
// of Troubles remember it over a restart; what could not be told or remembered is tried again.
func (h *house) tickInboxes(ctx context.Context, g *generation) (all error) {
	now := h.e.now()
	if h.inboxes == nil {
		rows, err := h.store.Troubles(ctx)
		if err != nil {
			return err
		}
		h.inboxes = map[digest.Trouble]bool{}
		for _, t := range rows {
			h.inboxes[digest.Trouble{Source: t.Source, What: t.What}] = true
		}
	}
	for i, b := range g.boxes {
		s := b.Status()
		for _, t := range inboxTroubles(g, &g.cfg.Inboxes[i], &s) {
			all = errors.Join(all, h.tellInbox(ctx, g, now, g.cfg.Inboxes[i].Name, &t))
		}
	}
	return all
}

func (h *house) tellInbox(ctx context.Context, g *generation, now time.Time, name string, t *inboxTrouble) (err error) {
	key := digest.Trouble{Source: name, What: t.what}
	switch told := h.inboxes[key]; {
	case !told && t.is && now.Sub(t.since) >= inboxLasts && now.Sub(h.toldInbox[key]).Abs() >= inboxAgain:
		err = g.builder.Tell(ctx, now, g.set, fmt.Sprintf("inbox/%s/%s/%d", name, t.what, t.since.Unix()), t.begins, t.text)
		if err == nil {
			err = h.store.BeginTrouble(ctx, digest.Trouble{Source: name, What: t.what, Since: t.since})
		}
		if err == nil {
			h.inboxes[key], h.toldInbox[key] = true, now
		}
	case told && t.over:
		err = g.builder.Tell(ctx, now, g.set, fmt.Sprintf("inbox-over/%s/%s/%d", name, t.what, h.toldInbox[key].Unix()), t.ends, t.endsText)
		if err == nil {
			err = h.store.EndTrouble(ctx, name, t.what)
		}
		if err == nil {
			delete(h.inboxes, key)
		}
	default:
		return nil
	}
	kick(h.outbox)
	return err
}
