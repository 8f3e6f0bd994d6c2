package templates

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"quietpost/digest"
)

// A fit says how much of an alert is shown: an alert must go, so what is too large for one mail is shortened here and
// not refused.
type fit struct {
	bodies    int // bytes of all bodies
	incidents int // incidents shown; the others are counted
	items     int // newest items shown of each; the others are counted
}

// all is more than any mail has.
const all = 1 << 30

// fits are tried in order until the mail is small enough.
var fits = []fit{{bodiesInput, all, all}, {bodiesInput / 4, all, all}, {bodiesInput / 16, 200, 50}, {0, 100, 20},
	{0, 25, 4}, {0, 5, 1}, {0, 0, 0}}

// stormFrom is how many incidents in one mail make a storm: their bodies are excerpts.
const stormFrom = 4

// alertPage chooses the words of an alert.
func (t *Templates) alertPage(v *digest.View, f fit) *page {
	c := newClock(v)
	p := &page{Subject: clean(v.Subject, 998), Footer: newFooter(v, c), Storm: len(v.Alerts) >= stormFrom}
	if held := strings.TrimPrefix(clean(string(v.Held), 300), "held: "); held != "" {
		p.Notes = append(p.Notes, "Held back until now: "+strings.TrimSuffix(held, ".")+".")
	}
	b := alertBuilder{md: t.md, clock: c, fit: f, storm: p.Storm}
	shown := min(len(v.Alerts), f.incidents)
	for i := range v.Alerts[:shown] {
		b.left += min(len(v.Alerts[i].Items), f.items)
	}
	for i := range v.Alerts[:shown] {
		p.Alerts = append(p.Alerts, b.alert(&v.Alerts[i]))
	}
	if len(p.Alerts) == 1 && len(v.Alerts) == 1 {
		a := &p.Alerts[0]
		p.Kicker, p.Tone, p.Title, p.TitleURL = a.Kicker, a.Tone, a.Title, a.URL
		a.Kicker, a.Title, a.URL = "", "", ""
		p.Preheader = clean(joined(dot, a.Status, a.Why), 160)
		return p
	}
	p.Kicker, p.Tone = "Alert", "bad"
	p.Title = plural(len(v.Alerts), "incident", "incidents") + " in " + projectsOf(v.Alerts)
	p.Summary = kinds(v.Alerts)
	if rest := v.Alerts[shown:]; len(rest) > 0 {
		p.Groups = []group{{More: "and " + plural(len(rest), "more incident", "more incidents") + " in " + projectsOf(rest),
			URL: safeURL(v.Links.Edition)}}
	}
	parts := []string{p.Summary}
	for _, a := range p.Alerts[:min(len(p.Alerts), 3)] {
		parts = append(parts, a.Title)
	}
	p.Preheader = clean(joined(dot, parts...), 160)
	return p
}

// joined joins what is not empty.
func joined(sep string, parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), sep)
}

// projectsOf counts the projects of incidents: "4 projects", or names the only one.
func projectsOf(alerts []digest.AlertView) string {
	seen := map[string]bool{}
	for i := range alerts {
		seen[alerts[i].Project] = true
	}
	if len(seen) == 1 {
		return projectName(alerts[0].ProjectTitle, alerts[0].Project)
	}
	return plural(len(seen), "project", "projects")
}

// kinds counts what a storm holds: "20 new, 5 follow-ups, 8 resolved".
func kinds(alerts []digest.AlertView) string {
	var fresh, again, over int
	for i := range alerts {
		switch a := &alerts[i]; {
		case a.Resolved:
			over++
		case a.FollowUp:
			again++
		default:
			fresh++
		}
	}
	var out []string
	if fresh > 0 {
		out = append(out, fmt.Sprintf("%d new", fresh))
	}
	if again > 0 {
		out = append(out, plural(again, "follow-up", "follow-ups"))
	}
	if over > 0 {
		out = append(out, fmt.Sprintf("%d resolved", over))
	}
	return strings.Join(out, ", ")
}

type alertBuilder struct {
	md    *markdown
	clock clock
	fit   fit // bodies is what may still be read
	left  int // items that share it
	storm bool
}

// alert sets one incident: what it is now, then what is new, oldest first.
func (b *alertBuilder) alert(a *digest.AlertView) alert {
	out := alert{Why: clean(string(a.Why), 300), Tone: "bad"}
	project := projectName(a.ProjectTitle, a.Project)
	switch {
	case a.Resolved:
		out.Kicker, out.Tone = "Resolved", "good"
	case a.FollowUp:
		out.Kicker, out.Tone = "Follow-up", "warn"
	default:
		out.Kicker = "Urgent"
	}
	if project != "" {
		out.Kicker += " · " + project
	}
	out.Status = b.status(a)
	lead := leadOf(a.Items)
	if lead == nil {
		out.Title = untitled
	} else if lead.Private {
		out.Title = private
	} else {
		out.Title, out.URL = titleOf(lead.Title), safeURL(lead.URL)
	}
	if a.Earlier > 0 {
		out.Earlier = "You were told of " + plural(a.Earlier, "earlier update", "earlier updates")
	}
	items := a.Items[max(len(a.Items)-b.fit.items, 0):]
	if n := len(a.Items) - len(items); n > 0 {
		out.Earlier = joined("; ", out.Earlier, plural(n, "more update does", "more updates do")+" not fit this mail")
	}
	for i := range items {
		out.Items = append(out.Items, b.item(&items[i], lead))
		b.left--
	}
	if n := len(out.Items); n > 0 && !slices.ContainsFunc(out.Items, func(it alertItem) bool { return it.URL == out.URL }) {
		out.Items[n-1].URL, out.Items[n-1].Host = out.URL, hostOf(out.URL) // the item that had it did not fit
	}
	if b.storm { // thirty times three lines would bury what differs
		out.Status = joined(dot, out.Status, out.Why, out.Earlier)
		out.Why, out.Earlier = "", ""
	}
	return out
}

// leadOf is the item that names the incident: the newest that is no comment.
func leadOf(items []digest.Item) *digest.Item {
	for i := len(items) - 1; i >= 0; i-- {
		if items[i].Kind != digest.KindComment {
			return &items[i]
		}
	}
	if len(items) > 0 {
		return &items[len(items)-1]
	}
	return nil
}

// status tells how long: "Since 02:10, for 12 min", "Resolved after 30 min: 02:10 → 02:40".
func (b *alertBuilder) status(a *digest.AlertView) string {
	open, over := a.OpenedAt, a.ResolvedAt
	switch {
	case a.Resolved && (open.IsZero() || over.IsZero()):
		return "Resolved"
	case a.Resolved && over.Sub(open) < time.Second:
		return "Resolved " + b.clock.at(over)
	case a.Resolved:
		return "Resolved after " + span(over.Sub(open)) + ": " + b.clock.at(open) + " → " + b.clock.at(over)
	case open.IsZero():
		return ""
	case b.clock.now.Sub(open) < time.Minute:
		return "Since " + b.clock.at(open)
	}
	return "Since " + b.clock.at(open) + ", for " + span(b.clock.now.Sub(open))
}

// item sets one update; its title and link are left to the incident's heading where they are the same.
func (b *alertBuilder) item(it, lead *digest.Item) alertItem {
	var out alertItem
	if it.Private {
		if it != lead {
			out.Title = private
		}
		out.Facts.add(dot, withheld, b.clock.at(it.When()))
		return out
	}
	if it == lead || it.URL != lead.URL || lead.Private {
		out.URL = safeURL(it.URL)
	}
	out.Host = hostOf(out.URL)
	if it != lead && (lead.Private || it.Title != lead.Title) {
		out.Title = titleOf(it.Title)
	}
	out.Badges = addBadge(addBadge(nil, it.State), it.Level)
	out.Facts.add(dot, append([]string{b.clock.at(it.When())}, people(it.Author)...)...)
	out.Facts.strong(b.clock.due(it.Due))
	out.Facts.add(space, hashtags(it.Tags)...)
	switch {
	case it.Body == "":
	case b.storm && b.fit.bodies > 0:
		out.Body = b.md.excerpt(it.Body)
		b.fit.bodies -= min(len(it.Body), excerptInput)
	case b.fit.bodies > 0:
		share := b.fit.bodies / b.left
		out.Body = b.md.full(it.Body, share)
		b.fit.bodies -= min(len(it.Body), share)
	default:
		out.Body.Cut = true
	}
	if out.Body.Cut && (!b.storm || out.Body.Text == "") {
		out.Note = "The rest is too long for a mail."
	}
	return out
}

// hostOf tells where a link leads.
func hostOf(link string) string {
	u, err := url.Parse(link)
	if err != nil {
		return ""
	}
	return u.Hostname()
}
