package digest

import (
	"fmt"
	"net/mail"
	"path"
	"strings"
	"time"

	"golang.org/x/net/idna"
)

// States of a subscriber. Only an Active one is sent anything; the cursors of the others stand still.
const (
	Active    = "active"
	Pending   = "pending"   // not confirmed yet
	Paused    = "paused"    // by the person
	Suspended = "suspended" // by bounces or a complaint; see Subscriber.Bounces
	Left      = "left"      // for good, by the person or the operator
)

// A Subscriber is a person who gets mail.
type Subscriber struct {
	ID       int64
	Address  string // as NormalizeAddress gives it
	Name     string
	Zone     string // IANA time zone; empty means the service's own
	Locale   string
	State    string
	Alerts   bool   // wants urgent items at once
	Quiet    string // quiet hours of the day in Zone, "22:00-07:00", or empty
	Revision int64  // rises with each change; SaveSubscriber compares it

	// Imported is the entry of the configuration file as it was last taken over, opaque to stores; empty for a
	// person who is not from the file.
	Imported string

	Bounces BounceRecord

	// PausedUntil is when a pause ends by itself; zero for one that lasts until the person's word.
	PausedUntil time.Time

	// Wish is what was asked for by mail in this person's name and waits for their word, opaque to stores; empty for nothing.
	Wish string

	Subscriptions []Subscription
}

// A Subscription is one filter, one schedule and one cursor of a subscriber.
type Subscription struct {
	ID         int64
	Subscriber int64
	Projects   []string // patterns as path.Match has them, over project keys; "*" is all
	Kinds      []string // empty is all
	Schedule   string   // a named schedule, or a specification
	Ended      bool     // the person left its digests; the filter still serves alerts

	// What follows is moved by the store alone: SaveSubscriber writes NextSlot only, and the others never.
	Cursor   int64     // number up to which it has been served, wanted or not
	MailedTo int64     // end of the last window that was mailed; the next begins behind it
	NextSlot time.Time // when it is due; zero if never
	LastSlot time.Time // the last slot that an edition was committed for; zero if none
}

// Wants tells whether the filter lets an item of this project (aliases resolved) and kind through.
func (s *Subscription) Wants(project, kind string) bool {
	if len(s.Kinds) > 0 && !contains(s.Kinds, kind) {
		return false
	}
	for _, p := range s.Projects {
		if MatchProject(p, project) {
			return true
		}
	}
	return false
}

// MatchProject tells whether a pattern means a project: "*" means all, "acme/*" all below acme, otherwise path.Match.
func MatchProject(pattern, project string) bool {
	if pattern == "*" || strings.EqualFold(pattern, project) {
		return true
	}
	pattern = strings.ToLower(pattern)
	if below, ok := strings.CutSuffix(pattern, "/*"); ok && strings.HasPrefix(project, below+"/") {
		return true
	}
	ok, _ := path.Match(pattern, project)
	return ok
}

// WantsAlert tells whether the person is to be alerted of an item of this project and kind. The kinds of a filter do
// not count: who wants alerts of a project wants all of its urgent items.
func (s *Subscriber) WantsAlert(project string) bool {
	if s.State != Active || !s.Alerts {
		return false
	}
	for i := range s.Subscriptions {
		for _, p := range s.Subscriptions[i].Projects {
			if MatchProject(p, project) {
				return true
			}
		}
	}
	return false
}

// NormalizeAddress parses one mail address (a display name is dropped) and gives it in the form in which it is kept
// and compared: domain in lower case and IDNA's ASCII form, local part in lower case, plus-tags kept (RFC 5321,
// section 2.4 lets the local part's case matter; no provider makes use of it).
func NormalizeAddress(s string) (string, error) {
	a, err := mail.ParseAddress(strings.TrimSpace(s))
	if err != nil {
		return "", fmt.Errorf("%q is not a mail address; it should look like ana@example.com", s)
	}
	at := strings.LastIndexByte(a.Address, '@')
	local, domain := a.Address[:at], a.Address[at+1:]
	domain, err = idna.Lookup.ToASCII(domain)
	if err != nil {
		return "", fmt.Errorf("%q: the part after @ is not a domain: %w", s, err)
	}
	if strings.ContainsAny(local, " \t\r\n<>\"\\,;:()[]") || len(local) > 64 || len(local)+1+len(domain) > 254 {
		return "", fmt.Errorf("%q: quoted, spaced or overlong addresses are not taken", s)
	}
	return strings.ToLower(local) + "@" + strings.ToLower(domain), nil
}

// Location is the person's zone, else the given default.
func (s *Subscriber) Location(def *time.Location) *time.Location {
	if s.Zone == "" {
		return def
	}
	loc, err := time.LoadLocation(s.Zone)
	if err != nil {
		return def
	}
	return loc
}

func contains(list []string, s string) bool {
	for _, v := range list {
		if v == s {
			return true
		}
	}
	return false
}
