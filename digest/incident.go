package digest

import "time"

// An IncidentStep is what one item does to the incident of its thread. Intake decides it; the store carries it out
// in the item's own transaction.
type IncidentStep int

// The steps. A thread's key is (Project, Thread) as the items name them.
const (
	NoStep IncidentStep = iota
	Raise               // join the thread's open incident, or open one; without a thread always open one
	// Resolve joins the thread's open incident and closes it. Without one an urgent item opens an incident that is
	// already closed, so that it is told of; any other item has no incident.
	Resolve
)

// An Incident is a thread's urgent items from the first until it is resolved; an item without thread is its own.
type Incident struct {
	ID         int64
	Project    string
	Thread     string
	OpenedAt   time.Time
	ResolvedAt time.Time // zero while open
	Items      []Item    // in order of number
}

// Last is the newest number of the incident.
func (i *Incident) Last() int64 { return i.Items[len(i.Items)-1].Number }

// resolvedStates are the words by which tools say that trouble is over.
var resolvedStates = map[string]bool{
	"resolved": true, "ok": true, "up": true, "recovered": true, "closed": true, "fixed": true, "inactive": true,
	"success": true, "passed": true, "done": true, "normal": true, "completed": true,
}

// Resolved tells whether state says that trouble is over.
func Resolved(state string) bool { return resolvedStates[state] }

// StepOf is the incident step of an item: urgent ones raise, what says the thread's trouble is over resolves.
func StepOf(i *Item) IncidentStep {
	switch {
	case i.Thread != "" && Resolved(i.State):
		return Resolve
	case i.Urgent:
		return Raise
	}
	return NoStep
}
