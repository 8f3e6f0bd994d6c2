package reader

import (
	"regexp"
	"strings"

	"quietpost/digest"
)

// Tools say by header or subject what a mail of theirs belongs to. What is taken from there is what the webhooks of the same
// tools give, so that both ways lead to one thread.

var (
	githubID     = regexp.MustCompile(`^([A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+)/(pull|issues?|discussions?|commit|releases?|check-suites|runs|actions/runs)/([A-Za-z0-9_.-]+)`)
	jiraTitle    = regexp.MustCompile(`^\[(?i:jira)\].*?\b([A-Z][A-Z0-9_]{1,20})-(\d{1,9})\b`)
	alertTitle   = regexp.MustCompile(`^\[(FIRING|RESOLVED)(?::\d+)?\]\s*(?:\([^)]*\)\s*)?(\S+)?`)
	nagiosTitle  = regexp.MustCompile(`^\**\s*(PROBLEM|RECOVERY|ACKNOWLEDGEMENT|FLAPPINGSTART|FLAPPINGSTOP|DOWNTIMESTART|DOWNTIMEEND)\s+(?:Service|Host)\s+Alert:\s*(.+?)\s+is\s+(\w+)\s*\**$`)
	jenkinsTitle = regexp.MustCompile(`^(?i)(build failed in jenkins|jenkins build is back to (?:normal|stable)|jenkins build is (?:still )?unstable|jenkins build became unstable)\s*:\s*(.+?)(?:\s+#\d+)?$`)
	cronTitle    = regexp.MustCompile(`^Cron <([^<>@\s]+@[^<>\s]+)>\s+(.+)$`)
	viaList      = regexp.MustCompile(`(?i)^(.*?)\s+(?:via|par|über|por|tramite)\s+\S.*$`)
)

// readTool fills Event, State, Thread and ToolProject of a mail that a tool made.
func (r *Reading) readTool(h header) {
	for _, tool := range []func(*Reading, header) bool{
		(*Reading).github, (*Reading).gitlab, (*Reading).jira, (*Reading).sentry, (*Reading).alertmanager,
		(*Reading).nagios, (*Reading).jenkins, (*Reading).cron,
	} {
		if tool(r, h) {
			r.Thread = digest.OneLine(r.Thread, digest.MaxField)
			r.State = strings.ToLower(digest.OneLine(r.State, 40))
			return
		}
	}
}

// github: the repository stands in List-Id's name, the thread in the ids that answers refer to.
func (r *Reading) github(h header) bool {
	if !h.has("X-GitHub-Reason") && !h.has("X-GitHub-Sender") && !strings.HasSuffix(r.ListID, ".github.com") {
		return false
	}
	r.Event = "github"
	if strings.Contains(r.ListName, "/") {
		r.ToolProject = r.ListName
	}
	for _, id := range append([]string{r.MessageID}, r.AllIDs()...) {
		m := githubID.FindStringSubmatch(id)
		if m == nil {
			continue
		}
		if r.ToolProject == "" {
			r.ToolProject = m[1]
		}
		what := strings.TrimSuffix(m[2], "s")
		if what == "pull" {
			what = "pr"
		}
		r.Thread = what + "/" + m[3]
		break
	}
	first := strings.ToLower(r.firstWords)
	switch number := r.Thread[strings.IndexByte(r.Thread, '/')+1:]; {
	case strings.HasPrefix(first, "merged #"+number+" "):
		r.State = "merged"
	case strings.HasPrefix(first, "closed #"+number), strings.HasPrefix(first, "closes #"+number):
		r.State = "closed"
	case strings.HasPrefix(first, "reopened #"+number):
		r.State = "open"
	}
	return true
}

func (r *Reading) gitlab(h header) bool {
	path := h.get("X-GitLab-Project-Path")
	if path == "" {
		path = h.get("X-GitLab-Project")
	}
	if path == "" {
		return false
	}
	r.Event, r.ToolProject = "gitlab", path
	for _, f := range []struct{ header, thread string }{{"X-GitLab-MergeRequest-IID", "mr"}, {"X-GitLab-MergeRequest-ID", "mr"},
		{"X-GitLab-Issue-IID", "issue"}, {"X-GitLab-Issue-ID", "issue"}, {"X-GitLab-Pipeline-Ref", "pipeline"}} {
		if id := h.get(f.header); id != "" {
			r.Thread = f.thread + "/" + id
			break
		}
	}
	if s := h.get("X-GitLab-Pipeline-Status"); s != "" {
		r.State = s
	} else {
		r.State = h.get("X-GitLab-MergeRequest-State")
	}
	return true
}

func (r *Reading) jira(h header) bool {
	m := jiraTitle.FindStringSubmatch(r.Subject)
	if m == nil {
		return false
	}
	r.Event, r.ToolProject, r.Thread = "jira", m[1], "issue/"+m[1]+"-"+m[2]
	return true
}

func (r *Reading) sentry(h header) bool {
	project := h.get("X-Sentry-Project")
	if project == "" {
		return false
	}
	r.Event, r.ToolProject, r.Level = "sentry", project, strings.ToLower(digest.OneLine(h.get("X-Sentry-Logger-Level"), 40))
	if id := h.get("X-Sentry-Group-Id"); id != "" {
		r.Thread = "issue/" + id
	}
	return true
}

func (r *Reading) alertmanager(h header) bool {
	m := alertTitle.FindStringSubmatch(r.Subject)
	if m == nil {
		return false
	}
	r.Event, r.State = "alert", m[1]
	if m[2] != "" {
		r.Thread = "alert/" + m[2]
	}
	return true
}

func (r *Reading) nagios(h header) bool {
	m := nagiosTitle.FindStringSubmatch(r.Subject)
	if m == nil {
		return false
	}
	r.Event, r.Thread, r.Level, r.State = "nagios", "check/"+m[2], strings.ToLower(m[3]), m[3]
	switch m[1] {
	case "RECOVERY":
		r.State = "ok"
	case "ACKNOWLEDGEMENT":
		r.State = "acknowledged"
	case "PROBLEM":
	default:
		r.State = ""
	}
	return true
}

func (r *Reading) jenkins(h header) bool {
	m := jenkinsTitle.FindStringSubmatch(r.Subject)
	job := h.get("X-Jenkins-Job")
	switch {
	case m != nil && job == "":
		job = strings.ReplaceAll(m[2], " » ", "/")
	case m == nil && job == "":
		return false
	}
	r.Event, r.Thread, r.ToolProject = "jenkins", "build/"+job, job
	r.State = h.get("X-Jenkins-Result")
	if m != nil {
		switch word := strings.ToLower(m[1]); {
		case strings.Contains(word, "failed"):
			r.State = "failed"
		case strings.Contains(word, "back to"):
			r.State = "fixed"
		default:
			r.State = "unstable"
		}
	}
	return true
}

func (r *Reading) cron(h header) bool {
	m := cronTitle.FindStringSubmatch(r.Subject)
	if m == nil {
		return false
	}
	_, host, _ := strings.Cut(m[1], "@")
	r.Event, r.Thread = "cron", "cron/"+host+"/"+m[2]
	return true
}

// writer sees through the From that list software puts in so that DMARC holds ("Ana via Apollo <apollo@lists.…>"): who wrote
// stands in a header of its own, or in Reply-To beside the list's address. Such a sender is never authenticated by the
// list's own domain.
func (r *Reading) writer(h header) {
	if r.ListID == "" && !h.has("List-Post") && !h.has("Mailing-List") {
		return
	}
	m := viaList.FindStringSubmatch(r.From.Name)
	for _, key := range []string{"X-Original-From", "X-Google-Original-From", "X-MailFrom", "X-Mailman-Original-From"} {
		if people := addresses(h.get(key), nil); len(people) == 1 && people[0].Address != r.From.Address {
			r.Writer = people[0]
			break
		}
	}
	if m == nil {
		if r.Writer.Address != "" && r.Writer.Name == "" {
			r.Writer.Name = r.From.Name
		}
		return
	}
	name := strings.Trim(m[1], `"' `)
	if r.Writer.Address == "" {
		for _, a := range addresses(h.get("Reply-To"), nil) {
			if a.Address != r.From.Address && !strings.HasPrefix(r.ListID, strings.SplitN(a.Address, "@", 2)[0]+".") {
				r.Writer = a
				break
			}
		}
	}
	if r.Writer.Name == "" {
		r.Writer.Name = name
	}
}
