package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"quietpost/collector/mailbox"
	"quietpost/config"
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

// downFor is how long an inbox may be out of reach before its operators are told: servers restart.
const downFor = 10 * time.Minute

// A trouble is what the operators were told of an inbox.
type trouble struct{ down, after bool }

// tickInboxes tells the operators of inboxes that have been out of reach for long, or whose server refuses what `after`
// asks for: once when it is so, and once when it is over.
func (h *house) tickInboxes(ctx context.Context, g *generation) error {
	now := h.e.now()
	for i, b := range g.boxes {
		in, s := &g.cfg.Inboxes[i], b.Status()
		t := h.troubles[in.Name]
		down := !s.Connected && s.Err != "" && now.Sub(s.Since) >= downFor
		switch {
		case down && !t.down:
			t.down = true
			h.tell(ctx, "inbox/"+in.Name, "the inbox "+in.Name+" cannot be read", fmt.Sprintf(
				"The inbox %s (%s on %s) has been out of reach since %s:\n\n  %s\n\n"+
					"Its mails wait on the server and are taken in when it can be read again; it is tried again all the time.\n"+
					"`quietpost doctor` tries it step by step.", in.Name, in.IMAP.Username, in.IMAP.Host, stamp(s.Since, g.cfg.TimeZone), s.Err))
		case s.Connected && t.down:
			t.down = false
			h.tell(ctx, "inbox-over/"+in.Name, "the inbox "+in.Name+" is read again", fmt.Sprintf(
				"The inbox %s can be read again since %s. What came meanwhile is being taken in.", in.Name, stamp(s.Since, g.cfg.TimeZone)))
		}
		switch {
		case s.AfterErr != "" && !t.after:
			t.after = true
			h.tell(ctx, "inbox-after/"+in.Name, "the server of the inbox "+in.Name+" refuses `after`", fmt.Sprintf(
				"The inbox %s asks for after: %s. The server says:\n\n  %s\n\n"+
					"The mails are stored and stay in the mailbox as they are; it is asked again every minute.", in.Name, in.After, s.AfterErr))
		case s.AfterErr == "" && s.Connected:
			t.after = false
		}
		h.troubles[in.Name] = t
	}
	return nil
}
