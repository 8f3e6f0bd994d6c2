package config

import (
	"net/mail"
	"time"
)

// The tables of keys, one for each section, in the order of the documented file.

func (c *Config) keys(o Options) []key {
	return []key{
		{"base_url", text(&c.BaseURL, webAddress), "https://quiet.example.com", "Address of this service as people reach it; links in mails begin with it, and one-click unsubscribe needs https. Default http://127.0.0.1:8025.", false},
		{"data_dir", file(&c.DataDir), "/var/lib/quietpost", "Folder of the database. Default $STATE_DIRECTORY, else a folder of the user's.", false},
		{"tools_dir", file(&c.ToolsDir), "/etc/quietpost/tools", "Folder of map files of your own, such as a changed copy of one that `quietpost tools show` prints. Default none.", false},
		{"time_zone", text(&c.TimeZone, zone), "Europe/Berlin", "For people who have not chosen one. Default UTC.", false},
		{"operators", texts(&c.Operators, address), "[ops@example.com]", "Who is told when something is wrong.", false},
		{"http", object(nil, c.HTTP.keys()...), "{listen: 127.0.0.1:8025}", "The door for webhooks and pages.", false},
		{"api", object(nil, key{"token_file", file(&c.API.TokenFile), "/etc/quietpost/api.token", "File with the tokens that may read /v1, one a line; without it /v1 cannot be read.", false}),
			"{token_file: /etc/quietpost/api.token}", "Reading /v1.", false},
		{"mail", object(nil, c.Mail.keys()...), "{from: quietpost@example.com, smtp: {host: smtp.example.com}}", "How mail leaves.", true},
		{"inboxes", list(&c.Inboxes, defaultInbox, func(b *Inbox) value { return object(&b.Pos, b.keys()...) }),
			"[{name: updates, address: updates@example.com, imap: {…}}]", "Mailboxes that are read.", false},
		{"sources", list(&c.Sources, func() (s Source) { return s }, func(s *Source) value { return object(&s.Pos, s.keys()...) }),
			"[{name: github, type: github, secret_file: /etc/quietpost/github.secret}]", "Who may post, at /hooks/NAME.", false},
		{"projects", list(&c.Projects, func() (p Project) { return p }, func(p *Project) value { return object(&p.Pos, p.keys()...) }),
			"[{name: apollo, title: Apollo}]", "Titles and other names of projects; those that are not listed appear by themselves.", false},
		{"rules", list(&c.Rules, func() (x Rule) { return x }, func(x *Rule) value { return object(&x.Pos, x.keys()...) }),
			"[{when: 'author == \"dependabot[bot]\"', set: {priority: low}}]", "What every item passes through, in order: conditions, and what follows from them.", false},
		{"kinds", dict(&c.Kinds, kindKey, func(k *Kind) value {
			return object(nil, key{"urgent", yesNo(&k.Urgent), "true", "Items of this kind are urgent.", false})
		}), "{incident: {urgent: true}}", "The team's agreement per kind of item.", false},
		{"schedules", dict(&c.Schedules, scheduleName, func(s *string) value { return text(s, by(o.ParseSchedule)) }),
			`{daily: "0 9 * * MON-FRI"}`, "Schedules by name: a five-field cron expression, @daily-style, or @every 2s. daily, twice and weekly are there already.", false},
		{"digests", object(nil, c.Digests.keys()...), "{top: 20}", "About all digests.", false},
		{"alerts", object(nil, c.Alerts.keys()...), "{gather: 5s}", "How often a person is alerted.", false},
		{"retention", object(nil, c.Retention.keys()...), "{raw: 14d, items: 400d, editions: 400d}", "How long things are kept; never past a reader who still waits.", false},
		{"subscribers", list(&c.Subscribers, defaultSubscriber, func(s *Subscriber) value { return object(&s.Pos, s.keys(o)...) }),
			"[{address: ana@example.com, schedule: daily}]", "People who get mail, imported as confirmed when first seen; later changes are theirs.", false},
	}
}

func (h *HTTP) keys() []key {
	return []key{
		{"listen", text(&h.Listen, hostPort), "127.0.0.1:8025", "Address and port; a socket handed over by systemd goes before. Default 127.0.0.1:8025.", false},
		{"trusted_proxies", texts(&h.TrustedProxies, network), "[127.0.0.1/32]", "Networks whose X-Forwarded-For is believed.", false},
	}
}

func (m *Mail) keys() []key {
	return []key{
		{"from", m.from(), "Quietpost <digest@example.com>", "The sender of all mail.", true},
		{"reply_to", text(&m.ReplyTo, address), "updates@example.com", "Address of an inbox below; replies and commands arrive there.", false},
		{"return_path", text(&m.ReturnPath, address), "bounces@example.com", "Where delivery reports go, to an inbox below. Default reply_to.", false},
		{"dkim", object(&m.DKIM.Pos, m.DKIM.keys()...), "{domain: example.com, selector: quietpost, key_file: /etc/quietpost/dkim.pem}", "Signs all mail, where the server does not.", false},
		{"smtp", object(nil, m.SMTP.keys()...), "{host: smtp.example.com}", "The server that takes our mail.", true},
	}
}

// from reads one text into two fields.
func (m *Mail) from() value {
	var both mail.Address
	v := text(&both, func(s string) (mail.Address, error) {
		a, err := mailbox(s)
		if err == nil {
			m.FromName, m.From = a.Name, a.Address
		}
		return a, err
	})
	v.ptr = &m.From
	return v
}

func (d *DKIM) keys() []key {
	return []key{
		{"domain", text(&d.Domain, hostName), "example.com", "The domain that signs: that of the sender, or one above it.", true},
		{"selector", text(&d.Selector, hostName), "quietpost", "The public key stands in the DNS at SELECTOR._domainkey.DOMAIN.", true},
		{"key_file", file(&d.KeyFile), "/etc/quietpost/dkim.pem", "File with the private key in PEM, RSA or Ed25519.", true},
	}
}

func (s *SMTP) keys() []key {
	return []key{
		{"host", text(&s.Host, hostName), "smtp.example.com", "Name or IP address of the server.", true},
		{"port", number(&s.Port, 1, 65535), "587", "Default 587 with starttls, 465 with implicit, 25 with none.", false},
		{"tls", oneOf(&s.TLS, StartTLS, ImplicitTLS, NoTLS), StartTLS, "Default starttls; implicit on port 465.", false},
		{"ca_file", file(&s.CAFile), "/etc/ssl/certs/our-ca.pem", "Certificates to check the server with, instead of the system's.", false},
		{"username", text(&s.Username, line), "digest@example.com", "To log in with; without it there is no login.", false},
		{"password_file", file(&s.PasswordFile), `"${CREDENTIALS_DIRECTORY}/smtp"`, "File with the password.", false},
		{"connections", number(&s.Connections, 1, 64), "4", "Connections at once, no more than the server allows; of two or more, one is kept free for what is urgent. Default 4.", false},
	}
}

func (b *Inbox) keys() []key {
	return []key{
		{"name", text(&b.Name, name), "updates", "Short name, unique among inboxes and sources.", true},
		{"address", text(&b.Address, address), "updates@example.com", "The address whose mail arrives here.", true},
		{"imap", object(&b.IMAP.Pos, b.IMAP.keys()...), `{host: imap.example.com, username: updates@example.com, password_file: "${CREDENTIALS_DIRECTORY}/imap"}`, "The server that keeps it.", true},
		{"after", text(&b.After, after), "keep", "What becomes of a mail once it is stored: keep (default) leaves it, seen marks it as read, move:FOLDER moves it; nothing is ever deleted.", false},
		{"since", text(&b.Since, since), "now", "now (default), or a duration of the past to take in at first contact, such as 14d.", false},
		{"accept", texts(&b.Accept, sender), `["*@example.com"]`, "Who may post items; others are quarantined. Default the address's own domain.", false},
		{"trust", text(&b.Trust, trusted), "mx.example.com", "The server whose topmost Authentication-Results to believe, or inside for a mailbox that takes mail from inside only; unset: our own DKIM check.", false},
		{"project", text(&b.Project, projectKey), "apollo", "Project of a mail that names none.", false},
	}
}

func (s *IMAP) keys() []key {
	return []key{
		{"host", text(&s.Host, hostName), "imap.example.com", "Name or IP address of the server.", true},
		{"port", number(&s.Port, 1, 65535), "993", "Default 993 with implicit, else 143.", false},
		{"tls", oneOf(&s.TLS, ImplicitTLS, StartTLS, NoTLS), ImplicitTLS, "Default implicit; starttls on port 143.", false},
		{"ca_file", file(&s.CAFile), "/etc/ssl/certs/our-ca.pem", "Certificates to check the server with, instead of the system's.", false},
		{"username", text(&s.Username, line), "updates@example.com", "To log in with.", true},
		{"password_file", file(&s.PasswordFile), `"${CREDENTIALS_DIRECTORY}/imap"`, "File with the password.", false},
		{"oauth2", object(&s.OAuth2.Pos, s.OAuth2.keys()...), "{provider: google, client_id: …}", "Tokens instead of a password, for Gmail, Microsoft 365 and others.", false},
		{"folder", text(&s.Folder, line), "INBOX", "Default INBOX.", false},
	}
}

func (o *OAuth2) keys() []key {
	return []key{
		{"provider", oneOf(&o.Provider, Google, Microsoft), Google, "Whose tokens; of another one write token_url.", false},
		{"tenant", text(&o.Tenant, tenant), "example.onmicrosoft.com", "Microsoft's name or number of your organization.", false},
		{"token_url", text(&o.TokenURL, webAddress), "https://login.example.com/token", "Where tokens are asked for, instead of provider.", false},
		{"client_id", text(&o.ClientID, line), "1234.apps.googleusercontent.com", "The application's id, as the provider gave it.", true},
		{"client_secret_file", file(&o.ClientSecretFile), `"${CREDENTIALS_DIRECTORY}/imap-client"`, "File with the application's secret.", false},
		{"refresh_token_file", file(&o.RefreshTokenFile), `"${CREDENTIALS_DIRECTORY}/imap-refresh"`, "File with the mailbox's refresh token; without it the application itself logs in. Later tokens are kept in data_dir.", false},
		{"scopes", texts(&o.Scopes, line), "[https://mail.google.com/]", "Default what the provider needs.", false},
	}
}

func (s *Source) keys() []key {
	return []key{
		{"name", text(&s.Name, name), "github", "Posts arrive at /hooks/NAME; unique among sources and inboxes.", true},
		{"type", text(&s.Type, toolName), "generic", "The tool that posts; `quietpost tools list` shows all. auto tells by each delivery.", true},
		{"secret_file", file(&s.SecretFile), "/etc/quietpost/github.secret", "File with the secrets, one a line, each valid.", false},
		{"project", text(&s.Project, projectKey), "apollo", "Project of an item that names none.", false},
		{"open", yesNo(&s.Open), "true", "Takes posts without a secret, from this machine unless from says where else.", false},
		{"from", texts(&s.From, network), "[127.0.0.0/8]", "Networks that may post. Default anywhere with a secret, this machine when open.", false},
		{"rate", text(&s.Rate, rate), "100/s", "How often it may post: 100/s, 30/m or 500/h; what is above is told to come again. Default 20/s when open, else no limit.", false},
		{"map", object(nil, mapKeys(&s.Map)...), "{title: payload.name}", "How its payload is read, instead of as its type's: an expression for each field.", false},
	}
}

func (x *Rule) keys() []key {
	set := object(nil, setKeys(&x.Set)...)
	set.ptr = &x.Set
	return []key{
		{"when", text(&x.When, condition), `'type == "sentry" && level == "fatal"'`, "A condition over the item. Default every item.", false},
		{"set", set, "{priority: low}", "What the item is given: values as they stand, or expressions behind =.", false},
		{"drop", yesNo(&x.Drop), "true", "The item is not kept; who posted it hears that it is ignored.", false},
	}
}

func (p *Project) keys() []key {
	return []key{
		{"name", text(&p.Name, projectKey), "apollo", "Letters, digits and . _ / -, compared without case.", true},
		{"title", text(&p.Title, line), "Apollo", "As mails and pages show it. Default the name.", false},
		{"aliases", texts(&p.Aliases, alias), "[acme/apollo, acme/apollo-web]", "What tools call it.", false},
		{"owners", texts(&p.Owners, address), "[ana@example.com]", "Who answers for it.", false},
	}
}

func (d *Digests) keys() []key {
	return []key{
		{"top", number(&d.Top, 1, 1000), "20", "Lines a project shows at most. Default 20.", false},
		{"empty", oneOf(&d.Empty, "skip"), "skip", "An empty digest is not sent.", false},
	}
}

func (a *Alerts) keys() []key {
	const hour = Duration(time.Hour)
	return []key{
		{"gather", text(&a.Gather, within(0, hour)), "5s", "How long followers and storms are gathered. Default 5s.", false},
		{"follow_up_every", text(&a.FollowUpEvery, within(0, 24*hour)), "5m", "At most one mail an incident in this time. Default 5m.", false},
		{"max_per_hour", number(&a.MaxPerHour, 1, 1000), "12", "Alert mails a person an hour. Default 12.", false},
	}
}

func (r *Retention) keys() []key {
	const day = Duration(24 * time.Hour)
	return []key{
		{"raw", text(&r.Raw, within(Duration(time.Second), 36500*day)), "14d", "Payloads and mails as they arrived. Default 14d.", false},
		{"items", text(&r.Items, within(Duration(time.Second), 36500*day)), "400d", "Items. Default 400d.", false},
		{"editions", text(&r.Editions, within(Duration(time.Second), 36500*day)), "400d", "What was sent to whom. Default 400d.", false},
	}
}

func (s *Subscriber) keys(o Options) []key {
	return []key{
		{"address", text(&s.Address, address), "ana@example.com", "Where mail goes.", true},
		{"name", text(&s.Name, line), "Ana", "As mails greet the person.", false},
		{"time_zone", text(&s.TimeZone, zoneName), "Europe/Lisbon", "The person's own. Default that of the service.", false},
		{"projects", texts(&s.Projects, projectPattern), `["*"]`, `Projects or patterns such as acme/*. Default ["*"], all.`, false},
		{"kinds", texts(&s.Kinds, kindKey), "[decision, question]", "Default all.", false},
		{"schedule", text(&s.Schedule, line), "daily", "A name from schedules, or a schedule itself. Default daily.", false},
		{"alerts", yesNo(&s.Alerts), "true", "Urgent items at once. Default true.", false},
		{"quiet", text(&s.Quiet, by(o.ParseQuiet)), `"22:00-07:00"`, "Hours in which no alert is sent.", false},
		{"locale", text(&s.Locale, locale), "de", "Language tag. Default English.", false},
	}
}
