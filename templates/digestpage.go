package templates

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"quietpost/digest"
)

// digestPage chooses the words of a digest.
func (t *Templates) digestPage(v *digest.View) *page {
	c, g := newClock(v), &v.Grouping
	b := digestBuilder{md: t.md, clock: c, url: safeURL(v.Links.Edition)}
	p := &page{
		Subject: clean(v.Subject, 998),
		Kicker:  "Digest" + forName(v.Name),
		Title:   c.now.Format("Monday, 2 January 2006"),
		Summary: summary(g),
		Footer:  newFooter(v, c),
	}
	if v.Edition.Occasion == digest.OccasionCatchUp {
		p.Kicker = "Catch-up" + forName(v.Name)
	}
	if v.Edition.Late {
		p.Kicker, p.Tone = "Late edition"+forName(v.Name), "warn"
		if !v.Edition.Slot.IsZero() {
			p.Notes = append(p.Notes, "Due "+c.at(v.Edition.Slot)+", made "+c.at(c.now)+".")
		}
	}
	if v.Missed != "" {
		p.Notes = append(p.Notes, clean(v.Missed, 200))
	}
	b.lead(needsTitle, g.Needs, b.need)
	b.lead("Decisions", g.Decisions, b.decision)
	b.rest(g)
	var quiet []string
	for i := range g.Sections {
		if s := &g.Sections[i]; len(s.Lines) > 0 {
			b.section(s)
		} else if n := max(s.Items, s.More); n > 0 {
			quiet = append(quiet, projectName(s.Title, s.Project)+" ("+plural(n, "update", "updates")+")")
		}
	}
	if n := len(quiet) - maxQuiet; n > 0 {
		quiet = append(quiet[:maxQuiet:maxQuiet], plural(n, "more project", "more projects"))
	}
	if len(quiet) > 0 {
		b.groups = append(b.groups, group{Title: "Also in", More: strings.Join(quiet, ", "), URL: b.url})
	}
	p.Groups = b.groups
	p.Preheader = preheader(p)
	return p
}

// maxQuiet is how many projects are named of those that only have numbers.
const maxQuiet = 100

// forName makes "Digest" "Digest for Ana".
func forName(name string) string {
	if name = clean(name, 60); name == "" {
		return ""
	}
	return " for " + name
}

// summary is the line of numbers: "23 updates in 4 projects, 2 questions for you".
func summary(g *digest.Grouping) string {
	projects := map[string]bool{}
	for i := range g.Needs {
		projects[g.Needs[i].Project] = true
	}
	for i := range g.Decisions {
		projects[g.Decisions[i].Project] = true
	}
	for i := range g.Sections {
		projects[g.Sections[i].Project] = true
	}
	if g.Items == 0 {
		return "Nothing new"
	}
	s := plural(g.Items, "update", "updates")
	if len(projects) > 0 {
		s += " in " + plural(len(projects), "project", "projects")
	}
	var asks []string
	if g.Questions > 0 {
		asks = append(asks, plural(g.Questions, "question", "questions"))
	}
	if g.Requests > 0 {
		asks = append(asks, plural(g.Requests, "request", "requests"))
	}
	if len(asks) > 0 {
		s += ", " + and(asks) + " for you"
	}
	return s
}

// preheader shows the first titles.
func preheader(p *page) string {
	parts := []string{p.Summary}
	for _, g := range p.Groups {
		for _, l := range g.Lines {
			if len(parts) < 4 && l.Title != private {
				parts = append(parts, l.Title)
			}
		}
	}
	return clean(strings.Join(parts, " · "), 160)
}

// A digestBuilder gathers a digest's groups in order.
type digestBuilder struct {
	md     *markdown
	clock  clock
	url    string // where what is not shown can be read
	groups []group
}

const needsTitle = "Needs an answer"

// lead adds one of the groups that stand before the projects.
func (b *digestBuilder) lead(title string, lines []digest.Line, set func(*digest.Line) line) {
	if len(lines) == 0 {
		return
	}
	g := group{Title: title, Asks: title == needsTitle}
	for i := range lines {
		g.Lines = append(g.Lines, set(&lines[i]))
	}
	b.groups = append(b.groups, g)
}

// rest counts what the leading groups could not show: the lines that belong to no project's "and N more".
func (b *digestBuilder) rest(g *digest.Grouping) {
	n := g.More
	for i := range g.Sections {
		n -= g.Sections[i].More
	}
	if n > 0 && len(b.groups) > 0 {
		last := &b.groups[len(b.groups)-1]
		last.More, last.URL = fmt.Sprintf("and %d more questions and decisions", n), b.url
	}
}

func (b *digestBuilder) section(s *digest.Section) {
	g := group{Title: cmp.Or(projectName(s.Title, s.Project), digest.Unsorted)}
	if s.Items > 0 {
		g.Note = plural(s.Items, "update", "updates")
	}
	if s.Urgent > 0 {
		g.Note += fmt.Sprintf(", %d urgent", s.Urgent)
	}
	g.Note = strings.TrimPrefix(g.Note, ", ")
	for i := range s.Lines {
		g.Lines = append(g.Lines, b.line(&s.Lines[i], nil))
	}
	if s.More > 0 {
		g.More, g.URL = fmt.Sprintf("and %d more", s.More), b.url
	}
	b.groups = append(b.groups, g)
}

// need is a line that waits for an answer, with its project and its age.
func (b *digestBuilder) need(l *digest.Line) line {
	var before facts
	before.add(dot, projectName(l.ProjectTitle, l.Project))
	if l.First.IsZero() {
		return b.line(l, before)
	}
	before.strong("asked " + ago(b.clock.now.Sub(l.First)))
	later := *l // the age says that it was asked; the history tells what came after
	if h := l.History; len(h) > 0 && h[0].Count == 1 && kindWords[h[0].What][0] == "asked" {
		later.History = h[1:]
	}
	return b.line(&later, before)
}

func (b *digestBuilder) decision(l *digest.Line) line {
	var before facts
	before.add(dot, projectName(l.ProjectTitle, l.Project))
	return b.line(l, before)
}

// line sets one thread; before are facts that stand before its own.
func (b *digestBuilder) line(l *digest.Line, before facts) line {
	out := line{Title: titleOf(l.Title), URL: safeURL(l.URL), Small: l.Urgent && l.Alerted || l.Low, Facts: before}
	if l.Private {
		out.Title, out.URL = private, ""
		if l.Count > 1 {
			out.Title = fmt.Sprintf("%d private updates", l.Count)
		}
		out.Facts.add(dot, withheld)
		return out
	}
	if l.Urgent && !l.Alerted {
		out.Badges = addBadge(out.Badges, "urgent")
	}
	out.Badges = addBadge(out.Badges, l.State)
	if l.Urgent && l.Alerted {
		out.Facts.add(dot, "already sent as an alert")
	}
	timed := l.Urgent || l.Kind == digest.KindIncident
	history := b.history(l, timed)
	out.Facts.add(dot, history)
	out.Facts.add(comma, people(l.Authors...)...)
	if history == "" || !timed {
		out.Facts.add(dot, b.clock.at(l.Last))
	}
	out.Facts.strong(b.clock.due(l.Due))
	out.Facts.add(space, hashtags(l.Tags)...)
	switch {
	case !out.Small:
		out.Excerpt = b.md.excerpt(l.Excerpt)
	case l.Alerted && !l.Low: // somebody's words on it since the alert
		out.Excerpt = b.md.excerpt(l.Untold)
	}
	if n := slices.Max(append(l.Numbers, l.Number)); out.URL == "" && b.url != "" && l.Excerpt != "" && n > 0 {
		out.URL = b.url + "/" + strconv.FormatInt(n, 10) // what came without an address can be read whole on ours
	}
	return out
}

// shownSteps is how many steps of a history are told; of a longer one, the beginning and the end.
const shownSteps = 6

// history folds what happened: "opened → 12 comments → merged". It is empty where the line's state says as much.
func (b *digestBuilder) history(l *digest.Line, timed bool) string {
	if len(l.History) == 1 && l.History[0].Count <= 1 && l.Count <= 1 && (!timed || l.History[0].What == "") {
		return ""
	}
	var out []string
	for i, s := range l.History {
		if n := len(l.History); n > shownSteps && i >= 2 && i < n-3 {
			if i == 2 {
				out = append(out, fmt.Sprintf("… %d more …", n-5))
			}
			continue
		}
		what := step(s)
		if what == "" {
			continue
		}
		if timed && !s.At.IsZero() {
			what += " " + b.stepTime(l.History, i, s.At)
		}
		out = append(out, strings.ReplaceAll(what, " ", nbsp))
	}
	return strings.Join(out, nbsp+"→ ")
}

// stepTime names the day only where it differs from that of the step before.
func (b *digestBuilder) stepTime(h []digest.Step, i int, at time.Time) string {
	if i > 0 && daysBetween(h[i-1].At.In(b.clock.loc), at.In(b.clock.loc)) == 0 {
		return at.In(b.clock.loc).Format("15:04")
	}
	return b.clock.at(at)
}
