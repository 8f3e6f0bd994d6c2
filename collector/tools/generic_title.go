package tools

import (
	"fmt"
	"regexp"
	"strings"

	"quietpost/digest"
)

// heading makes a line that stands alone of a text that was found at a place: what happened to what, and then the text,
// unless it says so itself. The native form's own title is left as it is.
func (s *search) heading(text string, at int, native bool, it *digest.Item) string {
	head := firstLine(untagged(text))
	if native && head != "" {
		return title(head)
	}
	head = plainMrkdwn(head)
	thing, deed := s.happened(at, it)
	if named := s.places; at >= 0 && named[at].depth == 0 && named[at].key == "title" && deed == "" {
		return title(head) // a title without anything that was done is whole
	}
	if it.State == "down" || it.State == "up" {
		if line := s.standing(head, at, it); line != "" {
			return line
		}
	}
	lead := s.lead(thing, deed, at)
	if head == "" {
		return s.headless(thing, deed, lead, it)
	}
	low := strings.ToLower(head)
	if deed != "" && strings.Contains(low, stem(deed)) {
		lead = ""
	}
	for _, w := range thing {
		if deed == "" && strings.Contains(low, w) {
			lead = ""
		}
	}
	reason := ""
	if failing[it.State] && len(head) <= 60 {
		if reason = s.reason(); strings.Contains(low, strings.ToLower(reason)) {
			reason = ""
		}
	}
	return title(capital(lead), head, reason)
}

// happened is what a delivery tells of and what was done with it, or how it stands.
func (s *search) happened(at int, it *digest.Item) (thing []string, deed string) {
	thing, deed = eventWords(it.Event)
	if isHollow(it.Event) {
		thing, deed = nil, ""
	}
	if len(thing) == 0 && at >= 0 {
		if holder := s.holder(&s.places[at]); holder != "" && !wrappers[holder] && s.places[at].depth > 0 {
			thing = strings.Fields(strings.ToLower(words(s.places[s.places[at].up].name)))
		}
	}
	state := strings.ToLower(words(it.State))
	if n := len(thing); n > 1 && (thing[n-1] == "status" || thing[n-1] == "state") && deed != "" && state != "" {
		return thing[:n-1], "now " + orElse(stateDeeds[state], state)
	}
	if (deed == "" || undecided[deed]) && state != "" && wordCount(state) <= 3 {
		deed = orElse(stateDeeds[state], state)
	}
	return thing, deed
}

// undecided are deeds that do not tell how it undecided.
var undecided = fieldSet("completed", "finished", "undecided", "processed", "done")

var stateDeeds = map[string]string{"success": "succeeded", "completed": "completed", "error": "failed"}

var failing = fieldSet("failed", "error", "down", "failure", "firing", "triggered")

// stem is what a deed and its other forms have in common.
func stem(deed string) string {
	deed = deed[strings.LastIndexByte(deed, ' ')+1:]
	if len(deed) > 4 {
		deed = strings.TrimSuffix(strings.TrimSuffix(deed, "ed"), "e")
	}
	return deed
}

var (
	reasonNames = names("reason", "errormessage", "incidentreason", "failurereason", "error", "errortext", "alertdetails", "statustext", "failuremessage", "cause", "lasterror").
			ending(`type|code|url|id$|class`, "errormessage", "reason", "error")
	branchNames = names("branch", "branchname", "branchdisplayname", "headbranch", "sourcebranch", "srcbranch", "ref", "refname", "githubcommitref").ending(`base|target|dest|default`, "branch")
	amountNames = names("formattedamount", "totalformatted", "amountformatted", "formattedtotal").ending(`tax|discount|ship`, "formatted", "withtaxes")
	buyerNames  = names("customername", "customer", "billing", "member", "buyer", "contact", "username").ending(`account|store|host`, "customername")
	onABranch   = fieldSet("build", "pipeline", "job", "workflow", "deploy", "deployment", "push", "run", "stage", "test", "tests", "analysis", "coverage", "commit", "commits", "gate")
	ticketKey   = regexp.MustCompile(`^[A-Z][A-Z0-9]{1,9}-[0-9]{1,7}$`)
	smallNumber = regexp.MustCompile(`^#?[0-9]{1,7}$`)
	branchStart = regexp.MustCompile(`^refs/(?:heads|tags)/`)
)

func (s *search) reason() string {
	return digest.OneLine(untagged(s.text(&reasonNames, 1200)), 120)
}

// standing is a line for what is down, and for what is up again.
func (s *search) standing(name string, at int, it *digest.Item) string {
	if name != "" && len(name) <= 60 && at >= 0 && !strings.HasSuffix(s.places[at].key, "name") && strings.Contains(strings.ToLower(name), it.State) {
		return ""
	}
	if it.Project == "" && at >= 0 && strings.HasSuffix(s.places[at].key, "name") {
		it.Project = name
	}
	if len(name) > 60 || name == "" && it.Project == "" || webAddress(name) != "" {
		return ""
	}
	line := orElse(name, it.Project) + " is " + it.State
	if it.State == "down" {
		return title(line, s.reason())
	}
	return title(line)
}

// lead are the words before the text: the thing, its number, what was done with it, and on which branch.
func (s *search) lead(thing []string, deed string, at int) string {
	if line := s.commits(); line != "" && (deed == "" || deed == "pushed") {
		return line
	}
	parts := []string{strings.Join(thing, " "), s.number(thing, at), deed}
	if len(thing) > 0 && onABranch[thing[len(thing)-1]] {
		if b := s.branch(); b != "" && deed != "" {
			parts = append(parts, "on "+b)
		}
	}
	return strings.Join(strings.Fields(strings.Join(parts, " ")), " ")
}

// number is by what number people know the thing that a title is of.
func (s *search) number(thing []string, at int) string {
	if len(thing) == 0 {
		return ""
	}
	last := thing[len(thing)-1]
	for i := range s.places {
		p := &s.places[i]
		v := p.scalar()
		if v == "" || p.aside {
			continue
		}
		same := at >= 0 && s.places[at].up == p.up || s.holder(p) == last || s.holder(p) == strings.Join(thing, "")
		switch {
		case p.key == last+"number" || p.key == strings.Join(thing, "")+"id", same && (p.key == "number" || p.key == "iid"), same && p.key == "id" && byNumber[last]:
			if smallNumber.MatchString(v) {
				return "#" + strings.TrimPrefix(v, "#")
			}
		case same && (p.key == "key" || p.key == "identifier" || p.key == "reference"):
			if ticketKey.MatchString(v) {
				return v
			}
		}
	}
	return ""
}

// byNumber are things that people know by their id.
var byNumber = fieldSet("issue", "ticket", "bug", "task", "order", "story", "case", "request", "incident", "invoice", "pullrequest")

func (s *search) branch() string {
	b := branchStart.ReplaceAllString(s.text(&branchNames, 80), "")
	if smallNumber.MatchString(b) || strings.ContainsAny(b, " \n") {
		return ""
	}
	return b
}

// commits is "3 commits to main" where there is a list of commits.
func (s *search) commits() string {
	for i := range s.places {
		if p := &s.places[i]; p.key == "commits" && p.depth < 3 && p.count > 0 {
			if b := s.branch(); b != "" {
				return fmt.Sprintf("%s to %s", count(p.count, "commit"), b)
			}
		}
	}
	return ""
}

// headless is the line of a delivery without a text: who or what the thing is, what it cost, or who did it.
func (s *search) headless(thing []string, deed, lead string, it *digest.Item) string {
	if len(thing) > 0 {
		for i := range s.places {
			if p := &s.places[i]; p.object() != nil && p.depth < 4 && (p.key == thing[len(thing)-1] || p.key == strings.Join(thing, "")) {
				if name := bestPart(p.node, &projectParts); name != "" && !isID(name) && len(name) <= 100 {
					return title(capital(strings.Join(strings.Fields(strings.Join(thing, " ")+" "+name+" "+deed), " ")))
				}
			}
		}
	}
	var told []string
	for _, v := range []string{s.text(&amountNames, 40), s.name(&buyerNames, &personNames)} {
		if v != "" && !strings.Contains(v, "@") {
			told = append(told, v)
		}
	}
	switch {
	case len(told) > 0 && lead != "":
		return title(capital(lead), strings.Join(told, ", "))
	case it.Author != "" && lead != "":
		return title(capital(lead) + " by " + it.Author)
	case lead != "" && it.Project != "":
		return title(it.Project, capital(lead))
	case lead != "" && (deed != "" || len(thing) > 1):
		return title(capital(lead))
	}
	return untitled(s, it)
}

// untitled makes a line for what names neither title nor event: its first few fields, else whose it is.
func untitled(s *search, it *digest.Item) string {
	var parts []string
	for i := range s.places {
		p := &s.places[i]
		v := p.scalar()
		if v == "" || v == "false" || v == "true" || v == it.Event || p.aside || len(v) > 60 || isID(v) || webAddress(v) != "" || !readTime(v).IsZero() ||
			nobody[strings.ToLower(v)] || bookkeeping.MatchString(p.key) {
			continue
		}
		if parts = append(parts, strings.ToLower(words(p.name))+" "+v); len(parts) == 3 {
			break
		}
	}
	what := "Update"
	if w := words(it.Event); w != "" {
		what = w
	}
	switch {
	case len(parts) > 0:
		return title(what, strings.Join(parts, ", "))
	case it.Author != "":
		return title(what + " by " + it.Author)
	case it.Project != "":
		return title(what + " of " + it.Project)
	}
	return "An update that does not say what happened"
}

// bookkeeping are fields by which machines keep order, of no interest to people.
var bookkeeping = regexp.MustCompile(`version|schema|webhook|token|secret|signature|hash|uuid|guid|slug|organi[sz]ation|account|password|apikey|id$|ids$`)
