package config

import (
	"net/netip"
	"path/filepath"
	"strings"
	"time"
)

// defaults is the file that says nothing.
func defaults(file string, getenv func(string) string) *Config {
	return &Config{
		File:      file,
		BaseURL:   "http://127.0.0.1:8025",
		DataDir:   defaultDataDir(getenv),
		TimeZone:  time.UTC,
		HTTP:      HTTP{Listen: "127.0.0.1:8025"},
		Mail:      Mail{SMTP: SMTP{Connections: 4}},
		Schedules: map[string]string{"daily": "0 9 * * MON-FRI", "twice": "0 9,16 * * MON-FRI", "weekly": "0 9 * * MON"},
		Digests:   Digests{Top: 20, Empty: "skip"},
		Alerts: Alerts{
			Gather:        Duration(5 * time.Second),
			FollowUpEvery: Duration(5 * time.Minute),
			MaxPerHour:    12,
		},
		Retention: Retention{Raw: Duration(14 * 24 * time.Hour), Items: Duration(400 * 24 * time.Hour), Editions: Duration(400 * 24 * time.Hour)},
	}
}

// The entries of lists before they are read.
func defaultInbox() Inbox { return Inbox{After: "keep", IMAP: IMAP{Folder: "INBOX"}} }

func defaultSubscriber() Subscriber {
	return Subscriber{Projects: []string{"*"}, Schedule: "daily", Alerts: true}
}

// derive fills in the defaults that depend on what was read.
func (c *Config) derive() {
	c.Mail.SMTP.derive()
	if c.Mail.ReturnPath == "" {
		c.Mail.ReturnPath = c.Mail.ReplyTo
	}
	for i := range c.Inboxes {
		b := &c.Inboxes[i]
		b.IMAP.derive()
		if _, domain, ok := strings.Cut(b.Address, "@"); ok && b.Accept == nil {
			b.Accept = []string{"*@" + domain}
		}
	}
	for i := range c.Sources {
		if s := &c.Sources[i]; s.Open && s.From == nil {
			s.From = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
		}
		if s := &c.Sources[i]; s.Open && s.Rate == 0 {
			s.Rate = 20
		}
	}
}

func (s *SMTP) derive() {
	if s.TLS == "" {
		s.TLS = StartTLS
		if s.Port == 465 {
			s.TLS = ImplicitTLS
		}
	}
	if s.Port == 0 {
		s.Port = map[string]int{StartTLS: 587, ImplicitTLS: 465, NoTLS: 25}[s.TLS]
	}
}

func (s *IMAP) derive() {
	if s.TLS == "" {
		s.TLS = ImplicitTLS
		if s.Port == 143 {
			s.TLS = StartTLS
		}
	}
	if s.Port == 0 {
		s.Port = 143
		if s.TLS == ImplicitTLS {
			s.Port = 993
		}
	}
}

// defaultDataDir is where a service of systemd keeps its state, else where a person's programs do (XDG Base Directory
// Specification). Unset if not even a home is known.
func defaultDataDir(getenv func(string) string) Path {
	// systemd.exec(5), RuntimeDirectory=: several folders are separated by colons.
	if dir, _, _ := strings.Cut(getenv("STATE_DIRECTORY"), ":"); dir != "" {
		return Path{Written: "$STATE_DIRECTORY", Value: dir}
	}
	if dir := getenv("XDG_DATA_HOME"); filepath.IsAbs(dir) {
		return Path{Written: "$XDG_DATA_HOME/quietpost", Value: filepath.Join(dir, "quietpost")}
	}
	if home := getenv("HOME"); filepath.IsAbs(home) {
		return Path{Written: "$HOME/.local/share/quietpost", Value: filepath.Join(home, ".local/share/quietpost")}
	}
	return Path{}
}
