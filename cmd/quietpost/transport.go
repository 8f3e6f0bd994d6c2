package main

import (
	"fmt"
	"os"

	"quietpost/config"
	"quietpost/digest"
	"quietpost/mailer"
)

// transportOptions are those of all connections to the mail server.
func transportOptions(cfg *loaded, instance []byte) (o mailer.TransportOptions, err error) {
	s := cfg.Mail.SMTP
	o = mailer.TransportOptions{Host: s.Host, Port: s.Port, TLS: s.TLS, Username: s.Username, From: cfg.Mail.ReturnPath,
		HELO: host(cfg.BaseURL), Timeout: sendTimeout}
	if o.From == "" {
		o.From = cfg.Mail.From
	} else { // reports arrive where they are read
		path := o.From
		o.ReturnPath = func(m *digest.Message) string { return digest.ReturnPath(path, instance, m.ID) }
	}
	if o.Signer, err = signer(&cfg.Mail.DKIM); err != nil {
		return o, err
	}
	if o.CAFile, err = resolve(s.CAFile); err == nil {
		o.Password, err = password(s.PasswordFile)
	}
	return o, err
}

// signer reads the key of DKIM; nil without one.
func signer(d *config.DKIM) (*mailer.Signer, error) {
	path, err := resolve(d.KeyFile)
	if err != nil || path == "" {
		return nil, err
	}
	key, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("dkim.key_file: %w", err)
	}
	return mailer.NewSigner(d.Domain, d.Selector, key)
}
