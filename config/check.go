package config

import (
	"net/netip"
	"slices"
	"sort"
	"strings"
)

// check looks at what only the whole file can tell. A value that was missing or wrong is its zero value here and is
// passed over: it has its fault already.
func (r *reader) check(c *Config) {
	if !c.DataDir.Set() {
		r.wrong(Pos{1, 1}, "data_dir is missing, and neither STATE_DIRECTORY nor HOME tells a folder; write for example data_dir: /var/lib/quietpost")
	}
	once(r, c.Operators, "operators")
	r.login(&c.Mail.SMTP)
	r.inboxes(c)
	r.sources(c)
	r.sourceTypes(c)
	r.projects(c)
	r.subscribers(c)
	r.expressions(c)
}

// once refuses a text that is listed twice.
func once(r *reader, list []string, path string) {
	seen := map[string]bool{}
	for i, s := range list {
		if seen[s] {
			r.wrong(r.at[&list[i]], "%s: %s is listed twice; keep one", path, s)
		}
		seen[s] = s != ""
	}
}

func (r *reader) login(s *SMTP) {
	switch {
	case s.Username != "" && !s.PasswordFile.Set():
		r.wrong(r.at[&s.Username], "mail.smtp.password_file is missing; a username needs one, such as password_file: \"${CREDENTIALS_DIRECTORY}/smtp\"")
	case s.Username == "" && s.PasswordFile.Set():
		r.wrong(s.PasswordFile.Pos, "mail.smtp.username is missing; a password needs one, such as username: digest@example.com")
	}
	r.transport(&s.TLS, &s.Port, "mail.smtp", s.Host, s.Username != "", 465)
}

// transport notes what will likely not work or not be wanted. implicit is the port that servers take TLS on from the
// first byte.
func (r *reader) transport(tls *string, port *int, path, host string, login bool, implicit int) {
	switch {
	case *tls == NoTLS && login && host != "" && !isLoopback(host):
		r.note(r.at[tls], "%s.tls: none sends the password in clear to %s; starttls or implicit would not", path, host)
	case *port == implicit && *tls == StartTLS:
		r.note(r.at[tls], "%s.tls: port %d is for implicit; with starttls this will likely hang", path, implicit)
	case *tls == ImplicitTLS && (*port == 25 || *port == 587 || *port == 143):
		r.note(r.at[tls], "%s.tls: port %d is for starttls; with implicit this will likely fail", path, *port)
	}
}

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback() || host == "localhost"
}

func (r *reader) inboxes(c *Config) {
	byAddress := map[string]Pos{}
	for i := range c.Inboxes {
		b := &c.Inboxes[i]
		r.transport(&b.IMAP.TLS, &b.IMAP.Port, "inboxes.imap", b.IMAP.Host, b.IMAP.Username != "", 993)
		once(r, b.Accept, "inboxes.accept")
		r.credentials(&b.IMAP)
		if first, ok := byAddress[b.Address]; ok && b.Address != "" {
			r.wrong(r.at[&b.Address], "inboxes.address: %s is the address of the inbox on line %d already; an address has one inbox", b.Address, first.Line)
			continue
		}
		byAddress[b.Address] = b.Pos
	}
	m := &c.Mail
	if _, ok := byAddress[m.ReturnPath]; !ok && m.ReturnPath != m.ReplyTo && m.ReturnPath != "" {
		r.note(r.at[&m.ReturnPath], "mail.return_path: %s is not the address of an inbox below; delivery reports are read only if they arrive in one", m.ReturnPath)
	}
	if _, domain, _ := strings.Cut(m.From, "@"); m.DKIM.Domain != "" && domain != "" && domain != m.DKIM.Domain && !strings.HasSuffix(domain, "."+m.DKIM.Domain) {
		r.note(r.at[&m.DKIM.Domain], "mail.dkim.domain: mail from %s is signed for %s; DMARC asks for the sender's own domain or one above it", domain, m.DKIM.Domain)
	}
	if _, ok := byAddress[m.ReplyTo]; ok || m.ReplyTo == "" {
		return
	}
	var known []string
	for a := range byAddress {
		known = append(known, a)
	}
	sort.Strings(known)
	right := "list an inbox with this address, or take reply_to out"
	if meant := closest(m.ReplyTo, known); meant != "" {
		right = "did you mean " + meant + "?"
	} else if len(known) > 0 {
		right = "write " + join(known) + ", or take it out"
	}
	r.wrong(r.at[&m.ReplyTo], "mail.reply_to: %s is not the address of an inbox below, so replies would not be read; %s", m.ReplyTo, right)
}

// sourceTypes looks each type up among the tools there are.
func (r *reader) sourceTypes(c *Config) {
	if r.opts.SourceTypes == nil {
		return
	}
	dir := ""
	if c.ToolsDir.Set() {
		var err error
		if dir, err = c.ToolsDir.Resolve(); err != nil {
			return // noted where it was read
		}
	}
	types, err := r.opts.SourceTypes(dir)
	if err != nil {
		r.wrong(c.ToolsDir.Pos, "tools_dir: %v", err)
		return
	}
	types = append(types, "auto")
	for i := range c.Sources {
		s := &c.Sources[i]
		if s.Type == "" || slices.Contains(types, s.Type) {
			continue
		}
		right := "`quietpost tools list` shows all, and generic reads any"
		if meant := closest(s.Type, types); meant != "" {
			right = "did you mean " + meant + "?"
		}
		r.wrong(r.at[&s.Type], "sources.type: %q is not known; %s", s.Type, right)
	}
}

// credentials checks that there is one way to log in, and that it is whole.
func (r *reader) credentials(s *IMAP) {
	o, password := &s.OAuth2, r.at[&s.PasswordFile] != Pos{}
	switch {
	case s.Pos == Pos{}: // told already
	case !password && o.Pos == Pos{}:
		r.wrong(s.Pos, "inboxes.imap.password_file is missing; write password_file: \"${CREDENTIALS_DIRECTORY}/imap\", or oauth2: {…} for Gmail and Microsoft 365")
	case password && o.Pos != Pos{}:
		r.wrong(o.Pos, "inboxes.imap.oauth2: there is a password_file too; take one of them out")
	}
	if (o.Pos == Pos{}) {
		return
	}
	_, provider := r.at[&o.Provider]
	_, url := r.at[&o.TokenURL]
	switch {
	case !provider && !url:
		r.wrong(o.Pos, "inboxes.imap.oauth2.provider is missing; write provider: google, provider: microsoft, or token_url: and an address")
	case provider && url:
		r.wrong(r.at[&o.TokenURL], "inboxes.imap.oauth2.token_url: a provider is named already; take one of them out")
	case o.Tenant != "" && o.Provider != Microsoft:
		r.wrong(r.at[&o.Tenant], "inboxes.imap.oauth2.tenant: only provider: microsoft has tenants; take it out")
	case o.Provider == Google && !o.RefreshTokenFile.Set():
		r.wrong(o.Pos, "inboxes.imap.oauth2.refresh_token_file is missing; Google needs one, such as refresh_token_file: \"${CREDENTIALS_DIRECTORY}/imap-refresh\"")
	case !o.RefreshTokenFile.Set() && !o.ClientSecretFile.Set():
		r.wrong(o.Pos, "inboxes.imap.oauth2.refresh_token_file is missing; write it for a mailbox that a person gave leave to, or client_secret_file for an application that logs in by itself")
	case o.Provider == Microsoft && !o.RefreshTokenFile.Set() && o.Tenant == "":
		r.wrong(o.Pos, "inboxes.imap.oauth2.tenant is missing; an application that logs in by itself needs one, such as tenant: example.onmicrosoft.com")
	}
}

func (r *reader) sources(c *Config) {
	names := map[string]Pos{}
	unique := func(section, name string, at, entry Pos) {
		key := strings.ToLower(name)
		if first, ok := names[key]; ok && name != "" {
			r.wrong(at, "%s.name: %s is a name on line %d already; each source and inbox needs its own", section, name, first.Line)
			return
		}
		names[key] = entry
	}
	for i := range c.Inboxes {
		unique("inboxes", c.Inboxes[i].Name, r.at[&c.Inboxes[i].Name], c.Inboxes[i].Pos)
	}
	secrets := map[string]Pos{}
	for i := range c.Sources {
		s := &c.Sources[i]
		unique("sources", s.Name, r.at[&s.Name], s.Pos)
		r.openOrSecret(c, s)
		if first, ok := secrets[s.SecretFile.Value]; ok && s.SecretFile.Set() {
			r.wrong(s.SecretFile.Pos, "sources.secret_file: the source on line %d has this one already; give each a secret of its own", first.Line)
			continue
		}
		secrets[s.SecretFile.Value] = s.Pos
	}
}

func (r *reader) openOrSecret(c *Config, s *Source) {
	_, secret := r.at[&s.SecretFile]
	switch {
	case s.Pos == Pos{} || r.faulty(r.at[&s.Open]): // it cannot be told what was meant
	case s.Open && secret:
		r.wrong(r.at[&s.Open], "sources.open: an open source asks for no secret; take out secret_file, or open")
	case !s.Open && !secret:
		r.wrong(s.Pos, "sources.secret_file is missing; write for example secret_file: /etc/quietpost/%s.secret, or open: true to take posts without a secret from this machine", orWord(s.Name, "source"))
	case s.Open && len(c.HTTP.TrustedProxies) == 0 && strings.HasPrefix(c.BaseURL, "https:"):
		r.note(r.at[&s.Open], "sources.open: behind a proxy on this machine all posts seem to come from here; name the proxy in http.trusted_proxies")
	}
	if s.From != nil && len(s.From) == 0 {
		r.wrong(r.at[&s.From], "sources.from is empty, so nobody could post; write networks such as [127.0.0.0/8], or take it out")
	}
}

// faulty tells whether a fault stands at this place already.
func (r *reader) faulty(at Pos) bool {
	return at != Pos{} && slices.ContainsFunc(r.faults, func(f Fault) bool { return f.Pos == at && f.Severity == Wrong })
}

func orWord(s, or string) string {
	if s == "" {
		return or
	}
	return s
}

// projects checks that no name and no alias means two projects, and fills in what follows from the names.
func (r *reader) projects(c *Config) {
	first := map[string]*Project{}
	for i := range c.Projects {
		p := &c.Projects[i]
		if q := first[p.Name]; q != nil {
			r.wrong(r.at[&p.Name], "projects.name: %s is listed on line %d already; put both into one", p.Name, q.Pos.Line)
			continue
		}
		if p.Name != "" {
			first[p.Name] = p
		}
		if p.Title == "" {
			p.Title = p.Name
		}
	}
	for i := range c.Projects {
		p := &c.Projects[i]
		var kept []string
		for j, a := range p.Aliases {
			switch q := first[a]; {
			case a == "":
			case q == nil:
				first[a] = p
				kept = append(kept, a)
			case q != p && q.Name == a:
				r.wrong(r.at[&p.Aliases[j]], "projects.aliases: %s is a project of its own, on line %d; take it out here or there", a, q.Pos.Line)
			case q != p:
				r.wrong(r.at[&p.Aliases[j]], "projects.aliases: %s is an alias of %s already, on line %d; an alias means one project", a, q.Name, q.Pos.Line)
			}
		}
		p.Aliases = kept
		once(r, p.Owners, "projects.owners")
	}
	for i := range c.Subscribers {
		for j, pattern := range c.Subscribers[i].Projects {
			if p := first[pattern]; p != nil {
				c.Subscribers[i].Projects[j] = p.Name
			}
		}
	}
}

// subscribers checks what a person's entry names, and that nobody has two.
func (r *reader) subscribers(c *Config) {
	var names []string
	for n := range c.Schedules {
		names = append(names, n)
	}
	sort.Strings(names)
	byAddress := map[string]Pos{}
	for i := range c.Subscribers {
		s := &c.Subscribers[i]
		r.schedule(s, names)
		if first, ok := byAddress[s.Address]; ok && s.Address != "" {
			r.wrong(r.at[&s.Address], "subscribers.address: %s is listed on line %d already; keep one", s.Address, first.Line)
			continue
		}
		byAddress[s.Address] = s.Pos
		if len(s.Projects) == 0 {
			r.wrong(r.at[&s.Projects], "subscribers.projects is empty, so no digest would hold anything; write [\"*\"] for all projects")
		}
	}
}

// schedule checks a person's own schedule; one with a name was checked where it stands.
func (r *reader) schedule(s *Subscriber, names []string) {
	at, given := r.at[&s.Schedule]
	if !given || slices.Contains(names, s.Schedule) || len(r.faults) > maxFaults {
		return
	}
	if !strings.ContainsAny(s.Schedule, "@ \t") {
		right := "write " + join(names[:min(len(names), 12)]) + ", or a schedule itself such as \"0 9 * * MON-FRI\""
		if meant := closest(s.Schedule, names); meant != "" {
			right = "did you mean " + meant + "?"
		} else if rule := r.opts.ParseSchedule; rule != nil && rule("@"+s.Schedule) == nil {
			right = "did you mean @" + s.Schedule + "?"
		}
		r.wrong(at, "subscribers.schedule: %s is not the name of a schedule; %s", quote(s.Schedule), right)
		return
	}
	if rule := r.opts.ParseSchedule; rule != nil {
		if err := rule(s.Schedule); err != nil {
			r.wrong(at, "subscribers.schedule: %v", err)
		}
	}
}
