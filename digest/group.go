package digest

import (
	"sort"
	"strconv"
	"time"
)

// A Line is one thread inside a project as a digest shows it: its net state with its history.
type Line struct {
	Project      string // key, aliases resolved
	ProjectTitle string
	Thread       string
	Title        string // of the item that says most of what the thread now is
	URL          string
	Kind         string
	State        string
	Level        string
	Authors      []string // those who did something, the newest last, at most three
	Tags         []string
	Due          string
	Excerpt      string // Markdown: the beginning of the newest body that there is; of a question, its own
	Untold       string // the same of the newest that no alert has told: what is still news in a line that is shown small
	Urgent       bool
	Alerted      bool // a server has taken an alert of all its urgent items: shown small
	Private      bool
	Low          bool
	Count        int       // items folded into the line
	First, Last  time.Time // when the first and the newest happened
	History      []Step    // what happened, oldest first, folded: "opened", "12 comments", "merged"
	Number       int64     // of the item that Title is from
	Numbers      []int64
}

// A Step is one stretch of a line's history: what happened, how often in a row, and when last.
type Step struct {
	What  string
	Count int
	At    time.Time
}

// A Section is a project in a digest.
type Section struct {
	Project string
	Title   string
	Lines   []Line // the top ones
	More    int    // lines not shown
	Items   int    // items of the project in the window
	Urgent  int
	Untold  int // urgent items that no alert has told
}

// A Grouping is a window's wanted items in the order of a good digest.
type Grouping struct {
	Needs     []Line // questions and requests that are not settled, oldest first
	Decisions []Line
	Sections  []Section // by weight; what stands in Needs and Decisions is not repeated
	Questions int       // that wait for an answer, shown or not
	Requests  int
	Items     int
	Shown     int // items whose own title is in the mail
	Lines     int // lines shown
	More      int // lines not shown
}

// Group folds a window's wanted items (projects resolved, in order of number) into lines and sections. alerted are the
// numbers an alert has told; title gives a project's display title; top is how many lines a section shows at most, with 0 for
// as few as there can be of all.
func Group(items []Item, alerted map[int64]bool, title func(string) string, top int) Grouping {
	type group struct{ lines []*Line }
	var g Grouping
	byThread := map[string]*Line{}
	projects := map[string]*group{}
	counts := map[string]*Section{}
	var order []*Line
	seen := map[event]*Line{}
	for i := range items {
		it := &items[i]
		if first := seen[eventOf(it)]; first != nil {
			first.Numbers = append(first.Numbers, it.Number) // it stands in the ledger and says nothing new
			g.Items++
			continue
		}
		key := it.Project + "\x00" + it.Thread
		if it.Thread == "" {
			key = it.Project + "\x00#" + strconv.FormatInt(it.Number, 10)
		}
		l := byThread[key]
		if l == nil {
			l = &Line{Project: it.Project, ProjectTitle: title(it.Project), Thread: it.Thread, First: it.When(), Alerted: true}
			byThread[key] = l
			order = append(order, l)
		}
		l.add(it, alerted[it.Number])
		if e := eventOf(it); e.id != "" {
			seen[e] = l
		}
		c := counts[it.Project]
		if c == nil {
			c = &Section{Project: it.Project, Title: title(it.Project)}
			counts[it.Project] = c
		}
		c.Items++
		if it.Urgent {
			c.Urgent++
			if !alerted[it.Number] {
				c.Untold++
			}
		}
		g.Items++
	}
	for _, l := range order {
		l.Alerted = l.Alerted && l.Urgent
		switch {
		case needsAnswer(l):
			g.Needs = append(g.Needs, *l)
			if l.Kind == KindRequest {
				g.Requests++
			} else {
				g.Questions++
			}
		case l.Kind == KindDecision:
			g.Decisions = append(g.Decisions, *l)
		default:
			p := projects[l.Project]
			if p == nil {
				p = &group{}
				projects[l.Project] = p
			}
			p.lines = append(p.lines, l)
		}
	}
	for key, p := range projects {
		sort.SliceStable(p.lines, func(a, b int) bool { return p.lines[a].before(p.lines[b]) })
		s := counts[key]
		for i, l := range p.lines {
			if i < top {
				s.Lines = append(s.Lines, *l)
			}
		}
		s.More = len(p.lines) - len(s.Lines)
		g.More += s.More
		g.Sections = append(g.Sections, *s)
	}
	sort.Slice(g.Sections, func(a, b int) bool { return g.Sections[a].before(&g.Sections[b]) })
	sort.SliceStable(g.Needs, func(a, b int) bool { return g.Needs[a].First.Before(g.Needs[b].First) })
	first := max(2*top, fewest)
	if top == 0 {
		first = 2
	}
	g.Needs, g.More = g.capped(g.Needs, first)
	g.Decisions, g.More = g.capped(g.Decisions, first)
	g.Lines = len(g.Needs) + len(g.Decisions)
	for i := range g.Sections {
		g.Lines += len(g.Sections[i].Lines)
	}
	g.Shown = g.Lines
	return g
}

// fewest are the questions and decisions that are shown at least: they come before all else, also where projects show little.
const fewest = 10

// narrow leaves lines to the n weightiest projects only; of the others there are just the numbers.
func (g *Grouping) narrow(n int) {
	for i := n; i < len(g.Sections); i++ {
		s := &g.Sections[i]
		g.More += len(s.Lines)
		g.Lines -= len(s.Lines)
		g.Shown -= len(s.Lines)
		s.More, s.Lines = s.More+len(s.Lines), nil
	}
}

// event tells what happened by the tool's own id: the same through two hooks of one tool, such as an organization's and a
// repository's. The words are compared too, so that an id that is less unique than its tool says costs no news.
type event struct{ project, tool, id, name, title string }

func eventOf(it *Item) event {
	if it.EventID == "" {
		return event{}
	}
	return event{it.Project, it.Tool, it.EventID, it.Event, it.Title}
}

func (g *Grouping) capped(lines []Line, top int) ([]Line, int) {
	if len(lines) <= top {
		return lines, g.More
	}
	return lines[:top], g.More + len(lines) - top
}

// needsAnswer tells whether a line waits for somebody: a question or a request that is not settled.
func needsAnswer(l *Line) bool {
	return (l.Kind == KindQuestion || l.Kind == KindRequest) && !Resolved(l.State) && l.State != "answered"
}

// add folds one more item into the line, which then tells the net state: the newest word on state, title and link wins,
// but a comment changes neither what a thread is about nor its state.
func (l *Line) add(it *Item, alerted bool) {
	aside := it.Kind == KindComment && l.Title != ""
	if !aside {
		l.Title, l.Number = it.Title, it.Number
		if it.URL != "" {
			l.URL = it.URL
		}
		l.Kind = keepKind(l.Kind, it.Kind)
		if it.State != "" {
			l.State = it.State
		}
		if it.Level != "" {
			l.Level = it.Level
		}
	}
	if it.Due != "" {
		l.Due = it.Due
	}
	asks := l.Kind == KindQuestion || l.Kind == KindRequest // who is to answer wants to read what is asked
	if it.Body != "" && !(aside && asks && l.Excerpt != "") {
		l.Excerpt = it.Body
	}
	if it.Body != "" && !alerted {
		l.Untold = it.Body
	}
	l.Urgent = l.Urgent || it.Urgent
	l.Private = l.Private || it.Private
	l.Low = it.Priority == "low"
	if it.Urgent {
		l.Alerted = l.Alerted && alerted
	}
	l.Count++
	l.Last = it.When()
	l.Numbers = append(l.Numbers, it.Number)
	for _, t := range it.Tags {
		if !contains(l.Tags, t) && len(l.Tags) < 6 {
			l.Tags = append(l.Tags, t)
		}
	}
	l.addAuthor(it.Author)
	l.addStep(it)
}

// keepKind: a thread that began as a question stays one when somebody comments on it.
func keepKind(old, new string) string {
	if old == "" || new != "" && new != KindComment && new != KindStatus {
		return new
	}
	return old
}

func (l *Line) addAuthor(name string) {
	if name == "" {
		return
	}
	for i, a := range l.Authors {
		if a == name {
			l.Authors = append(append(l.Authors[:i:i], l.Authors[i+1:]...), name)
			return
		}
	}
	l.Authors = append(l.Authors, name)
	if len(l.Authors) > 3 {
		l.Authors = l.Authors[1:]
	}
}

// addStep notes what the item did to the thread: its state, else its kind; the same in a row is counted.
func (l *Line) addStep(it *Item) {
	what := it.State
	if it.Kind == KindComment || what == "" {
		what = it.Kind
	}
	if what == "" {
		what = "update"
	}
	if n := len(l.History); n > 0 && l.History[n-1].What == what {
		l.History[n-1].Count++
		l.History[n-1].At = it.When()
		return
	}
	l.History = append(l.History, Step{What: what, Count: 1, At: it.When()})
}

// before orders lines inside a project: what is urgent and not yet told, what fails, what is due, what more people
// touched, what is newer; low priority and what an alert has told come last.
func (l *Line) before(m *Line) bool {
	if a, b := l.weight(), m.weight(); a != b {
		return a > b
	}
	return l.Last.After(m.Last)
}

func (l *Line) weight() int {
	w := 0
	switch {
	case l.Alerted:
		w -= 40 // the reader knows
	case l.Urgent && !Resolved(l.State):
		w += 100
	case l.Urgent:
		w += 20
	}
	switch l.Kind {
	case KindAnnouncement, KindRecap:
		w += 30
	case KindIncident:
		w += 20
	case KindDeploy:
		w += 10
	}
	if l.Due != "" {
		w += 25
	}
	switch l.State {
	case "failed", "failure", "firing", "down", "error":
		w += 15
	}
	w += min(l.Count, 10)
	if l.Low {
		w -= 50
	}
	return w
}

// before orders projects by weight: those with urgent news that no alert has told first, then by how much happened, then
// by name.
func (s *Section) before(t *Section) bool {
	if (s.Untold > 0) != (t.Untold > 0) {
		return s.Untold > 0
	}
	if s.Items != t.Items {
		return s.Items > t.Items
	}
	return s.Project < t.Project
}
