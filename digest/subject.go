package digest

import (
	"fmt"
	"strings"
)

// Subject tells the most of a digest in one line: "Apollo: release 2.4 out, 2 questions for you (+14)".
func (g *Grouping) Subject() string {
	var parts []string
	told := 0
	if l := g.lead(); l != nil {
		parts = append(parts, l.ProjectTitle+": "+l.shown(70))
		told++
	}
	if n := g.Questions + g.Requests; n > 0 {
		what := plural(n, "question for you", "questions for you")
		if g.Requests > 0 {
			what = plural(n, "update needs an answer", "updates need an answer")
		}
		parts = append(parts, what)
		told += n
	}
	s := strings.Join(parts, ", ")
	if rest := g.Lines + g.More - told; rest > 0 {
		s += fmt.Sprintf(" (+%d)", rest)
	}
	return OneLine(s, 150)
}

// lead is the line that a reader would want to hear of first, questions aside: they are counted. What an alert has told
// leads only where there is nothing else.
func (g *Grouping) lead() *Line {
	if len(g.Decisions) > 0 {
		return &g.Decisions[0]
	}
	var told *Line
	for i := range g.Sections {
		if len(g.Sections[i].Lines) == 0 {
			continue
		}
		if l := &g.Sections[i].Lines[0]; !l.Alerted { // alerted ones stand last
			return l
		} else if told == nil {
			told = l
		}
	}
	return told
}

func (l *Line) shown(max int) string {
	if l.Private {
		return "a private update"
	}
	return OneLine(l.Title, max)
}

// alertSubject tells an alert in one line. References, not the subject, make one conversation of an incident's mails.
func alertSubject(parts []AlertView) string {
	a := &parts[0]
	first := a.Items[0]
	if a.Resolved && a.FollowUp {
		first = a.Items[len(a.Items)-1] // how it ended, as the mail's heading has it
	}
	title := OneLine(first.Title, 120)
	if first.Private {
		title = "a private update"
	}
	s := "[urgent] " + a.ProjectTitle + ": " + title
	switch {
	case a.Resolved && a.FollowUp:
		s = "[resolved] " + a.ProjectTitle + ": " + title
	case a.FollowUp:
		s = fmt.Sprintf("[urgent] %s: %s (%s)", a.ProjectTitle, title, plural(len(a.Items), "more update", "more updates"))
	}
	if len(parts) > 1 {
		s = fmt.Sprintf("[urgent] %d incidents: %s: %s", len(parts), a.ProjectTitle, title)
	}
	return OneLine(s, 200)
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
