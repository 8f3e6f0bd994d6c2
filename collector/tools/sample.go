package tools

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"quietpost/digest"
)

// Misread tells what of the samples in the operator's own map files does not come out as it stands beside them, a line
// each, with file and sample. Their expressions may be good and mean something else.
func (l *Library) Misread() []string {
	var out []string
	for _, m := range l.own {
		for i := range m.samples {
			for _, fault := range l.tried(m, &m.samples[i]) {
				out = append(out, fmt.Sprintf("%s: sample %q: %s", m.file, m.samples[i].Name, fault))
			}
		}
	}
	return out
}

// tried reads a sample and tells in what it differs from what the file says that it gives.
func (l *Library) tried(m *mapFile, s *Sample) (faults []string) {
	fault := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	header := http.Header{"Content-Type": {"application/json"}}
	for k, v := range s.Header {
		header[k] = v
	}
	if got := l.Detect(header, s.Body); got != m.name {
		fault("it is taken for %s", got)
	}
	read := l.tools[m.name].Read
	if !m.code {
		read = m.mapped // which tells what read would pass over
	}
	r, err := read(header, s.Body)
	switch {
	case err != nil:
		fault("%v", err)
		return faults
	case s.Ignored != "" && string(r.Ignored) != s.Ignored:
		fault("ignored is %q, not %q", r.Ignored, s.Ignored)
		return faults
	case s.Ignored != "":
		return faults
	case len(r.Items) != len(s.Gives):
		fault("it gives %d updates, not %d (ignored: %q)", len(r.Items), len(s.Gives), r.Ignored)
		return faults
	}
	for i, want := range s.Gives {
		got := shownFields(&r.Items[i])
		for _, field := range slices.Sorted(maps.Keys(want)) {
			if have, ok := got[field]; !ok {
				fault("%s is no field", field)
			} else if have != want[field] {
				fault("%s is %q, not %q", field, have, want[field])
			}
		}
	}
	return faults
}

// shownFields are an item's fields as samples write them.
func shownFields(it *digest.Item) map[string]string {
	out := map[string]string{"project": digest.ProjectKey(it.Project), "title": digest.OneLine(it.Title, digest.MaxTitle), "body": strings.TrimSpace(digest.CleanBody(it.Body)),
		"url": it.URL, "author": it.Author, "kind": it.Kind, "thread": it.Thread, "event": it.Event, "state": it.State, "level": it.Level, "priority": it.Priority,
		"urgent": fmt.Sprint(it.Urgent), "private": fmt.Sprint(it.Private), "tags": strings.Join(it.Tags, ", "), "due": it.Due, "occurred_at": ""}
	if !it.OccurredAt.IsZero() {
		out["occurred_at"] = it.OccurredAt.UTC().Format("2006-01-02T15:04:05Z")
	}
	return out
}
