package templates

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"quietpost/digest"
)

// A fit says how much of an alert is shown: an alert must go, so what is too large for one mail is shortened here and
// not refused.
type fit struct {
	bodies    int // bytes of all bodies
	incidents int // incidents shown; the others are counted
}

// fits are tried in order until the mail is small enough.
var fits = []fit{{bodiesInput, 1 << 30}, {bodiesInput / 4, 1 << 30}, {bodiesInput / 16, 200}, {0, 100}, {0, 25}, {0, 0}}

// stormFrom is how many incidents in one mail make a storm: their bodies are excerpts.
const stormFrom = 4

// alertPage chooses the words of an alert.
func (t *Templates) alertPage(v *digest.View, f fit) *page {
	c := newClock(v)
	p := &page{Subject: clean(v.Subject, 998), Footer: newFooter(v, c)}
	if held := strings.TrimPrefix(clean(string(v.Held), 300), "held: "); held != "" {
		p.Notes = append(p.Notes, "Comes later than the update. It was held: "+strings.TrimSuffix(held, ".")+".")
	}
	b := alertBuilder{md: t.md, clock: c, budget: f.bodies, storm: len(v.Alerts) >= stormFrom}
	shown := min(len(v.Alerts), f.incidents)
	for i := range v.Alerts[:shown] {
		p.Alerts = append(p.Alerts, b.alert(&v.Alerts[i]))
	}
	if len(p.Alerts) == 1 && len(v.Alerts) == 1 {
		a := &p.Alerts[0]
		p.Kicker, p.Tone, p.Title, p.TitleURL = a.Kicker, a.Tone, a.Title, a.URL
		a.Kicker, a.Title, a.URL = "", "", ""
		p.Preheader = alertPreheader(a)
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
	for i := range p.Alerts {
		if i < 3 && p.Alerts[i].Title != private {
			parts = append(parts, p.Alerts[i].Title)
		}
	}
	p.Preheader = clean(strings.Join(parts, " · "), 160)
	return p
}

func alertPreheader(a *alert) string {
	parts := []string{}
	for _, s := range []string{a.Status, a.Why} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	return clean(strings.Join(parts, " · "), 160)
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
	md     *markdown
	clock  clock
	budget int // bytes of bodies that may still be read
	storm  bool
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
		out.Earlier = "You were told of " + plural(a.Earlier, "earlier update", "earlier updates") + "."
	}
	for i := range a.Items {
		out.Items = append(out.Items, b.item(&a.Items[i], lead, len(a.Items)-i))
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

// item sets one update; its title and link are left to the incident's heading where they are the same. left is how
// many items, this one included, still share the budget.
func (b *alertBuilder) item(it, lead *digest.Item, left int) alertItem {
	var out alertItem
	if it.Private {
		if it != lead {
			out.Title = private
		}
		out.Facts.add(dot, b.clock.at(it.When()))
		return out
	}
	if it == lead || it.URL != lead.URL || lead.Private {
		out.URL = safeURL(it.URL)
	}
	if u, err := url.Parse(out.URL); err == nil {
		out.Host = u.Hostname()
	}
	if it != lead && (lead.Private || it.Title != lead.Title) {
		out.Title = titleOf(it.Title)
	}
	out.Badges = addBadge(addBadge(nil, it.State), it.Level)
	out.Facts.add(dot, b.clock.at(it.When()), it.Author)
	out.Facts.strong(b.clock.due(it.Due))
	out.Facts.add(space, hashtags(it.Tags)...)
	switch {
	case it.Body == "":
	case b.storm && b.budget > 0:
		out.Body = b.md.excerpt(it.Body)
		b.budget -= min(len(it.Body), excerptInput)
	case b.budget > 0:
		share := b.budget / left
		out.Body = b.md.full(it.Body, share)
		b.budget -= min(len(it.Body), share)
	default:
		out.Body.Cut = true
	}
	if out.Body.Cut && (!b.storm || out.Body.Text == "") {
		out.Note = "The rest is too long for a mail."
	}
	return out
}
