// Package config reads the service's YAML file into a Config, or tells everything that is wrong with it at once, each
// fault with its line and column and with what would be right.
//
// The keys stand in one table per section (keys.go); reading, the schema for editors and the hints for misspelt keys
// all come from it. Nothing outside the one file is read: secrets are only named here and read by ReadSecrets when
// somebody needs them.
package config

import (
	"net/netip"
	"time"

	_ "embed"
)

// Example is a commented file with every key. As it stands it is complete but for the two names of the mail server
// and the sender; lines that begin with '#' directly before a key are examples that can be switched on.
//
//go:embed quietpost.yaml
var Example []byte

// A Config is a file that was found without fault, defaults filled in. The defaults named here are set in defaults.go
// and nowhere else.
type Config struct {
	File string // its path, as it was given

	BaseURL   string         // http(s) address of the links in mails, without a slash at the end; default http://127.0.0.1:8025
	DataDir   Path           // default $STATE_DIRECTORY (its first folder), else $XDG_DATA_HOME/quietpost, else ~/.local/share/quietpost
	TimeZone  *time.Location // for people who have not chosen one; default UTC
	Operators []string       // addresses of who is told when something is wrong; default nobody

	HTTP        HTTP
	API         API
	ToolsDir    Path // folder of map files of the operator's own; default none
	Mail        Mail
	Inboxes     []Inbox
	Sources     []Source
	Projects    []Project         // those that are not listed appear by themselves
	Rules       []Rule            // in order; every item passes through
	Kinds       map[string]Kind   // by kind
	Schedules   map[string]string // specification by name; daily, twice and weekly are there unless given another meaning
	Digests     Digests
	Alerts      Alerts
	Retention   Retention
	Subscribers []Subscriber
}

// Spec is the specification of a schedule as a subscriber names it: that of the named schedule, else s itself.
func (c *Config) Spec(s string) string {
	if spec, ok := c.Schedules[s]; ok {
		return spec
	}
	return s
}

// HTTP is the door for webhooks and pages.
type HTTP struct {
	Listen         string         // host:port, port 0 for any free one; default 127.0.0.1:8025
	TrustedProxies []netip.Prefix // whose X-Forwarded-For is believed; default none
}

// API is what reads /v1.
type API struct {
	TokenFile Path // each line is a valid token; unset: /v1 cannot be read
}

// Mail is how mail leaves.
type Mail struct {
	FromName   string // display name of the sender, may be empty
	From       string // address of the sender; required
	ReplyTo    string // address of one of the inboxes; default none: replies go to From
	ReturnPath string // where delivery reports go; default ReplyTo, and with neither From
	DKIM       DKIM
	SMTP       SMTP
}

// DKIM is how mail is signed; without a KeyFile it is not.
type DKIM struct {
	Pos      Pos    `json:"-"`
	Domain   string // required in dkim, as are the others
	Selector string
	KeyFile  Path // PEM
}

// Words of the tls keys.
const (
	StartTLS    = "starttls" // begin in clear, then TLS before anything is said (RFC 3207; RFC 9051, section 6.2.1)
	ImplicitTLS = "implicit" // TLS from the first byte (RFC 8314)
	NoTLS       = "none"     // in clear
)

// SMTP is the server that takes our mail.
type SMTP struct {
	Host         string // name or IP address; required
	Port         int    // default 587 with starttls, 465 with implicit, 25 with none
	TLS          string // StartTLS, ImplicitTLS or NoTLS; default starttls, implicit on port 465
	CAFile       Path   // PEM file to check the server's certificate with; unset: the system's own
	Username     string // empty: no login
	PasswordFile Path   // set if and only if Username is
	Connections  int    // at once; default 4
}

// An Inbox is a mailbox that is read.
type Inbox struct {
	Pos     Pos    `json:"-"`
	Name    string // unique among inboxes and sources; required
	Address string // required
	IMAP    IMAP
	After   string   // what becomes of a mail once it is stored: "keep" (default), "seen", or "move:" and a folder
	Since   Duration // how much of the past is taken in at first contact; default 0 ("now"): none
	Accept  []string // lower-case patterns of who may post items, '*' for any run of characters; default "*@" and Address's domain
	Trust   string   // the server whose Authentication-Results to believe, "inside", or empty: our own DKIM check
	Project string   // project of a mail that names none; default none
}

// IMAP is the server that keeps an inbox.
type IMAP struct {
	Pos          Pos    `json:"-"`
	Host         string // name or IP address; required
	Port         int    // default 993 with implicit, else 143
	TLS          string // StartTLS, ImplicitTLS or NoTLS; default implicit, starttls on port 143
	CAFile       Path   // as for SMTP
	Username     string // required
	PasswordFile Path   // required, unless OAuth2 is there
	OAuth2       OAuth2 // instead of a password; its Pos is zero where it is not there
	Folder       string // default INBOX
}

// Words of inboxes.imap.oauth2.provider.
const (
	Google    = "google"
	Microsoft = "microsoft"
)

// OAuth2 is how to get access tokens for an inbox.
type OAuth2 struct {
	Pos              Pos      `json:"-"`
	Provider         string   // Google or Microsoft; empty: TokenURL
	Tenant           string   // of Microsoft 365; default none: that of the account
	TokenURL         string   // instead of Provider
	ClientID         string   // required
	ClientSecretFile Path     // default none: a public client
	RefreshTokenFile Path     // default none: the application itself logs in (client credentials)
	Scopes           []string // default what the provider needs
}

// A Source is who may post, at /hooks/NAME.
type Source struct {
	Pos        Pos       `json:"-"`
	Name       string    // unique among sources and inboxes, compared without case; required
	Type       string    // a tool, as Options.SourceTypes has them, or auto; required
	SecretFile Path      // each line is a valid secret; required unless Open
	Project    string    // project of an item that names none; default none
	Open       bool      // takes posts without a secret; default false
	Rate       float64   // posts a second; default 20 when Open, else 0: no limit
	Map        []Mapping // how its payload is read, in the order of the file; default none: as its type's adapter reads it
	// Where posts may come from; default anywhere with a secret, 127.0.0.0/8 and ::1/128 when Open.
	From []netip.Prefix
}

// A Project gives a title and other names to a project key.
type Project struct {
	Pos     Pos      `json:"-"`
	Name    string   // key; required
	Title   string   // default Name as it was written
	Aliases []string // keys of other names for it, each used once in the file
	Owners  []string // addresses
}

// A Kind is the team's agreement on a kind of item.
type Kind struct {
	Urgent bool // items of this kind are urgent; default false: they are as their tool says
}

// Digests is about all digests.
type Digests struct {
	Top   int    // lines a project shows at most; default 20
	Empty string // what becomes of an empty digest; default and only value "skip"
}

// Retention is how long things are kept.
type Retention struct {
	Raw, Items, Editions Duration
}

// Alerts bounds how often a person is alerted.
type Alerts struct {
	Gather        Duration // how long followers and storms are gathered; default 5s
	FollowUpEvery Duration // at most one mail an incident in this time; default 5m
	MaxPerHour    int      // alert mails a person an hour; default 12
}

// A Subscriber is imported as confirmed when first seen.
type Subscriber struct {
	Pos      Pos      `json:"-"`
	Address  string   // as digest.NormalizeAddress gives it; required, listed once
	Name     string   // default none
	TimeZone string   // IANA name; default none: that of the service
	Projects []string // patterns over project keys, exact aliases resolved; default ["*"]
	Kinds    []string // default none: all
	Schedule string   // a name in Config.Schedules or a specification; default daily
	Alerts   bool     // wants urgent items at once; default true
	Quiet    string   // quiet hours of the day, "22:00-07:00"; default none
	Locale   string   // BCP 47 tag such as "de" or "pt-BR"; default none: English
}
