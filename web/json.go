package web

import (
	"encoding/json"
	"net/http"
	"time"

	"quietpost/digest"
)

// ItemJSON is an item as it is shown outside, by /v1 and by the shell. Times are UTC; what is empty is left out but for the
// fields that every item has.
type ItemJSON struct {
	ID         string                   `json:"id"`  // digest.ItemID
	Seq        int64                    `json:"seq"` // its number
	Project    string                   `json:"project"`
	Alias      string                   `json:"alias,omitempty"` // the key it came under, where that is an alias of project
	Kind       string                   `json:"kind"`
	Title      string                   `json:"title"`
	Body       string                   `json:"body,omitempty"` // Markdown, untrusted
	URL        string                   `json:"url,omitempty"`
	Author     string                   `json:"author,omitempty"`
	Thread     string                   `json:"thread,omitempty"`
	Event      string                   `json:"event,omitempty"`
	State      string                   `json:"state,omitempty"`
	Level      string                   `json:"level,omitempty"`
	Urgent     bool                     `json:"urgent"`
	Priority   string                   `json:"priority,omitempty"`
	Tags       []string                 `json:"tags,omitempty"`
	Due        string                   `json:"due,omitempty"`
	Private    bool                     `json:"private"`
	Source     string                   `json:"source"`
	Type       string                   `json:"type,omitempty"` // the source's tool
	OccurredAt time.Time                `json:"occurred_at,omitzero"`
	ReceivedAt time.Time                `json:"received_at"`
	Reasons    map[string]digest.Reason `json:"reasons,omitempty"`
}

// NewItemJSON is the outside form of an item; the policy resolves its project.
func NewItemJSON(p *digest.Policy, i *digest.Item) ItemJSON {
	j := ItemJSON{
		ID: digest.ItemID(i.Number), Seq: i.Number, Project: p.Project(i.Project), Kind: i.Kind, Title: i.Title, Body: i.Body, URL: i.URL,
		Author: i.Author, Thread: i.Thread, Event: i.Event, State: i.State, Level: i.Level, Urgent: i.Urgent,
		Priority: i.Priority, Tags: i.Tags, Due: i.Due, Private: i.Private, Source: i.Source, Type: i.Tool,
		OccurredAt: i.OccurredAt.UTC(), ReceivedAt: i.ReceivedAt.UTC(), Reasons: i.Reasons,
	}
	if j.Project != i.Project {
		j.Alias = i.Project
	}
	return j
}

// ProjectJSON is a project as it is shown outside.
type ProjectJSON struct {
	Project string    `json:"project"`
	Title   string    `json:"title,omitempty"` // where it is not the key
	Items   int       `json:"items"`
	Urgent  int       `json:"urgent"`
	Last    time.Time `json:"last,omitzero"` // when the newest item was received
}

// A problem is RFC 9457's answer.
type problem struct {
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`
	Field  string `json:"field,omitempty"` // the parameter that is wrong
}

func writeProblem(w http.ResponseWriter, p problem) {
	if p.Title == "" {
		p.Title = http.StatusText(p.Status)
	}
	writeJSON(w, p.Status, "application/problem+json", p)
}

func writeJSON(w http.ResponseWriter, status int, kind string, v any) {
	b, err := json.Marshal(v)
	if err != nil { // the types above can all be written
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", kind)
	w.WriteHeader(status)
	_, _ = w.Write(append(b, '\n'))
}
