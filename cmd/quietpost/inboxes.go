package main

import (
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

// downFor is how long an inbox may be out of reach before its operators are told: servers restart.
const downFor = 10 * time.Minute

// inboxFaults are the inboxes that have been out of reach for long, or whose server refuses what `after` asks for. What was told of stays
// until the inbox is read again, over reloads and restarts.
func (h *house) inboxFaults(g *generation, going map[string]time.Duration) (out []digest.Fault) {
	now := h.e.now()
	for i, b := range g.boxes {
		in, s := &g.cfg.Inboxes[i], b.Status()
		f := digest.Fault{Cause: digest.FaultInbox + "/" + in.Name}
		if _, told := going[f.Cause]; !s.Connected && (told || s.Err != "" && now.Sub(s.Since) >= downFor) {
			if f.Before = now.Sub(s.Since); s.Err != "" {
				f.Text = in.IMAP.Username + " on " + in.IMAP.Host + ": " + s.Err
			}
			if s.Refused {
				f.Text += ". A login that is refused is tried every ten minutes, since servers lock an account that is tried more often; a reload tries it at once"
			}
			out = append(out, f)
		}
		f = digest.Fault{Cause: digest.FaultAfter + "/" + in.Name, Text: s.AfterErr}
		if _, told := going[f.Cause]; s.AfterErr != "" || told && !s.Connected {
			out = append(out, f)
		}
	}
	return out
}
