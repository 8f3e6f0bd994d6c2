package templates

import (
	"fmt"
	"html/template"
	"strings"
	"unicode/utf8"

	"quietpost/digest"
)

// A page is what both parts of a mail are made from, with every word already chosen: the templates only set it.
type page struct {
	Subject   string
	Preheader string // what an inbox shows behind the subject
	Kicker    string // the small line above the title
	Tone      string // of the kicker
	Title     string
	TitleURL  string
	Summary   string // the line of numbers
	Notes     []string
	Groups    []group
	Alerts    []alert
	Storm     bool // many alerts: each is set small
	Footer    footer
}

// A group is one headed part of a digest.
type group struct {
	Title string
	Asks  bool   // waits for the reader: the one group that is coloured
	Note  string // "12 updates, 1 urgent"
	Lines []line
	More  string // "and 37 more"
	URL   string // where those can be read
}

// A line is one thread of a digest.
type line struct {
	Title   string
	URL     string
	Small   bool // set in small type: what the reader knows already, or of low priority
	Badges  []badge
	Facts   facts
	Excerpt body
}

// A badge is one word that tells a state; its tone only tints it.
type badge struct{ Word, Tone string }

// A fact is a short stretch of the line under a title. RTL ones are isolated from their neighbours.
type fact struct {
	Sep    string // what stands before it if it is not the first
	Text   string
	RTL    bool
	Strong bool
}

type facts []fact

// An alert is one incident.
type alert struct {
	Kicker  string // empty where the page's own says it
	Tone    string
	Title   string
	URL     string
	Badges  []badge
	Status  string // "Resolved after 30 min"
	Facts   facts
	Why     string
	Earlier string
	Items   []alertItem
}

// An alertItem is one update of an incident, in full.
type alertItem struct {
	Title  string // empty where the incident's own says it
	URL    string
	Host   string // of URL: where the link leads
	Badges []badge
	Facts  facts
	Body   body
	Note   string // says that the body was cut
}

// A footer says why the mail came, when the next one comes and how to change that.
type footer struct {
	Why, Next string
	Change    string // how to have it otherwise
	Actions   []action
	Small     []string
}

// An action is a link with the words for it.
type action struct {
	Label string
	URL   template.URL // trusted: made by the domain
	Text  string       // the same address as text
}

const (
	dot   = " · "
	comma = ", "
	space = " "
	nbsp  = "\u00A0"
)

// add appends clean words that belong together, with sep between them and a dot before the first; empty ones leave no
// trace.
func (f *facts) add(sep string, words ...string) {
	before := dot
	for _, w := range words {
		if w != "" {
			*f = append(*f, fact{Sep: before, Text: whole(w), RTL: rtl(w)})
			before = sep
		}
	}
}

// wholeChars is how long a fact is at most that is not broken at a line's end: it fits the narrowest screen.
const wholeChars = 24

// whole keeps a short fact, such as a time or a name, on one line.
func whole(s string) string {
	if utf8.RuneCountInString(s) > wholeChars {
		return s
	}
	return strings.ReplaceAll(s, " ", nbsp)
}

// strong appends a fact that the eye must find.
func (f *facts) strong(s string) {
	if s != "" {
		*f = append(*f, fact{Sep: dot, Text: whole(s), Strong: true})
	}
}

func addBadge(badges []badge, word string) []badge {
	w := state(word)
	if w == "" {
		return badges
	}
	for _, b := range badges {
		if b.Word == w {
			return badges
		}
	}
	return append(badges, badge{Word: w, Tone: tones[strings.ToLower(word)]})
}

// people are authors' names.
func people(list ...string) []string {
	var out []string
	for _, name := range list {
		out = append(out, clean(name, 60))
	}
	return out
}

// hashtags are an item's tags: "#api", "#launch".
func hashtags(tags []string) []string {
	var out []string
	for _, t := range tags {
		if t = strings.TrimLeft(clean(t, 40), "#"); t != "" {
			out = append(out, "#"+strings.ReplaceAll(t, " ", "-"))
		}
	}
	return out
}

func projectName(title, key string) string {
	if t := clean(title, 120); t != "" {
		return t
	}
	return clean(key, digest.MaxProject)
}

const (
	private  = "A private update"
	withheld = "not shown in mails"
	untitled = "Untitled update"
)

func titleOf(s string) string {
	if s = clean(s, digest.MaxTitle); s == "" {
		return untitled
	}
	return s
}

// newFooter says the same three things in every mail.
func newFooter(v *digest.View, c clock) footer {
	isAlert := v.Edition.Occasion == digest.OccasionAlert
	f := footer{Why: clean(v.Why, 500)}
	schedule := clean(v.Schedule, 100)
	if schedule != "" {
		schedule = " (schedule: " + schedule + ")"
	}
	switch {
	case isAlert && v.NextAt.IsZero():
		f.Next = "The next alert comes when something is urgent."
	case isAlert:
		f.Next = "The next alert comes when something is urgent, your next digest " + c.next(v.NextAt) + schedule + "."
	case v.NextAt.IsZero():
		f.Next = "No next digest is planned" + schedule + "."
	default:
		f.Next = "The next digest comes " + c.next(v.NextAt) + schedule + "."
	}
	what := "this digest"
	if isAlert {
		what = "these alerts"
	}
	if v.Links.Mailto != "" { // there is an inbox
		f.Change = `To change what you get and when, answer with the one word "help".`
		if len(v.Alerts) == 1 {
			f.Change += " Any other answer joins this incident, for all who follow it."
		}
	}
	add := func(label, url string) {
		if url != "" {
			f.Actions = append(f.Actions, action{Label: label, URL: template.URL(url), Text: url})
		}
	}
	add("Read it on the web", safeURL(v.Links.Edition))
	add("End "+what, safeURL(v.Links.Leave))
	if strings.HasPrefix(v.Links.Mailto, "mailto:") {
		add("End "+what+" by mail", quoted(clean(v.Links.Mailto, digest.MaxURL)))
	}
	if e := &v.Edition; !isAlert && e.To > 0 && e.From == e.To {
		f.Small = append(f.Small, fmt.Sprintf("Update %d", e.From))
	} else if !isAlert && e.From < e.To {
		f.Small = append(f.Small, fmt.Sprintf("Updates %d–%d", e.From, e.To))
	}
	f.Small = append(f.Small, "Times in "+c.zone())
	if a := clean(v.Address, 254); a != "" {
		f.Small = append(f.Small, "Sent to "+a+" by quietpost")
	}
	return f
}
