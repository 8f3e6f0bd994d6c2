package mailbox

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"quietpost/collector/reader"
	"quietpost/digest"
)

// maxProjects is to how many projects one mail may be addressed.
const maxProjects = 5

// A choice is a project and why.
type choice struct {
	project string
	reason  digest.Reason
}

// A thread is one that the store knows; empty for none.
type thread struct{ project, name string }

// addressParts are the parts behind + or . of the inbox's address in the recipients, most telling first:
// "updates+apollo@example.com" and "updates.apollo@example.com" give apollo for the inbox updates@example.com.
func addressParts(local, host string, recipients []string) []string {
	var parts []string
	for _, r := range recipients {
		at := strings.LastIndexByte(r, '@')
		if at < 0 || r[at+1:] != host {
			continue
		}
		rest, ok := strings.CutPrefix(r[:at], local)
		if !ok || len(rest) < 2 || rest[0] != '+' && rest[0] != '.' {
			continue
		}
		if part := rest[1:]; !slices.Contains(parts, part) {
			parts = append(parts, part)
		}
	}
	return parts
}

// reserved tells the address parts that name no project.
func reserved(part string) bool {
	if part == "desk" {
		return true
	}
	for _, p := range []string{"b-", "i-", "c-", "u-"} {
		if strings.HasPrefix(part, p) {
			return true
		}
	}
	return false
}

// projects decides whose mail it is: the address, the subject, List-Id or what a tool says
// in its stead, the thread it answers, the inbox's default, in
// this order. A mail to several projects' addresses belongs to each of them: the copies that a server delivers for
// them are one mail to us.
func (m *Mailbox) projects(in Intake, r *reader.Reading, parts []string, known thread) []choice {
	var out []choice
	for _, part := range parts {
		key := digest.ProjectKey(part)
		if key == "" || reserved(part) || len(out) == maxProjects ||
			slices.ContainsFunc(out, func(c choice) bool { return c.project == key }) {
			continue
		}
		out = append(out, choice{key, digest.Reason(fmt.Sprintf("it was sent to %s+%s@%s", m.local, part, m.host))})
	}
	switch {
	case len(out) > 0:
		return out
	case r.Project != "":
		return []choice{{r.Project, digest.Reason("the subject says [" + r.Project + "]")}}
	}
	if key := digest.ProjectKey(r.ToolProject); key != "" && (strings.Contains(key, "/") || in.KnownProject(key)) {
		return []choice{{key, digest.Reason("named by " + r.Event)}}
	}
	if r.ListID != "" {
		if key := listProject(in, r); key != "" {
			return []choice{{key, digest.Reason("it came from the list " + r.ListID)}}
		}
	}
	switch {
	case known.project != "":
		return []choice{{known.project, "it answers a mail of this project"}}
	case m.o.Project != "":
		return []choice{{digest.ProjectKey(m.o.Project), digest.Reason("the default of the inbox " + m.o.Name)}}
	}
	return []choice{{digest.Unsorted, "it names no project"}}
}

// listProject makes a project of a List-Id: a known one if its name, the whole id or the id's first label is one, else
// the first label.
func listProject(in Intake, r *reader.Reading) string {
	label, _, _ := strings.Cut(r.ListID, ".")
	for _, s := range []string{r.ListName, r.ListID, label} {
		if key := digest.ProjectKey(s); key != "" && in.KnownProject(key) {
			return key
		}
	}
	return digest.ProjectKey(label)
}

// threadOf asks whether the mail answers one that is known.
func threadOf(ctx context.Context, in Intake, r *reader.Reading) (thread, error) {
	ids := r.AllIDs()
	if len(ids) == 0 {
		return thread{}, nil
	}
	project, name, err := in.ThreadOf(ctx, ids)
	switch {
	case errors.Is(err, digest.ErrNotFound):
		return thread{}, nil
	case err != nil:
		return thread{}, fmt.Errorf("looking up the thread: %w", err)
	}
	return thread{project, name}, nil
}
