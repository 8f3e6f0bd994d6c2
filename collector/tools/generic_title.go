package tools

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"quietpost/digest"
	"quietpost/digest/rules"
)

// heading makes a line that stands alone of a text that was found at a place: what happened to what, and then the text,
// unless it says so itself. The native form's own title is left as it is.
func (s *search) heading(text string, at int, native bool, it *digest.Item) string {
	head := firstLine(rules.Plain(text))
	if native && head != "" {
		return title(head)
	}
	if head = plainMrkdwn(head); rawWord.MatchString(head) && !strings.HasSuffix(s.keyOf(at), "name") {
		head = words(head)
	}
	if line := s.form(it); line != "" {
		return line
	}
	thing, deed := s.happened(at, it)
	if s.keyOf(at) == "title" && s.places[at].depth == 0 && (deed == "" || it.Event == "") {
		if wordCount(head) == 1 { // whose it is: Pi-hole
			return title(head, firstLine(s.body(text, head)))
		}
		return title(head) // a title without anything that was done is whole
	}
	if len(thing) == 0 || hollow[thing[len(thing)-1]] || s.saysHow(thing, deed, it) {
		if line := s.alarm(head, at, it); line != "" {
			return line
		}
	}
	if it.State == "down" || it.State == "up" {
		if line := s.standing(head, at, it); line != "" {
			return line
		}
	}
	if deed == "" && it.Event == "" && head != "" { // beside some thing, which nothing was done with
		thing = nil
	}
	number, of := s.number(thing, at)
	if smallNumber.MatchString(head) && len(thing) > 0 { // the name of an order
		number, of, head = "#"+strings.TrimPrefix(head, "#"), thing, ""
	}
	lead := s.lead(thing, deed, number, of)
	if len(thing) == 0 && number == "" && (deed == "released" || deed == "deployed") {
		if number, _ = s.number([]string{"release"}, at); number != "" {
			lead = deed + " " + number
		}
	}
	if strings.EqualFold(lead, it.Event) { // in the words and capitals of people: APs went down
		lead = it.Event
	}
	if strings.Contains(lead, " commit") && strings.EqualFold(head, it.Project) { // the first one's words instead of the project's
		head = firstLine(rules.Plain(s.text(&commitNames, 1000)))
	}
	if number != "" && len(head) > 1 && strings.Contains(number, head) { // Release v2.4.0: 2.4.0
		head = ""
	}
	if it.Project == "" && len(thing) > 0 && onABranch[thing[len(thing)-1]] { // a build's name is what was built
		it.Project, _ = s.best(&buildNames, func(p *place) string {
			if p.aside || p.depth > 2 || p.far > 0 {
				return ""
			}
			return s.properName(&projectNames, p, p.scalar())
		})
	}
	switch {
	case head == "":
		return s.headless(thing, deed, lead, it)
	case strings.EqualFold(head, it.Project) && deed != "" && len(thing) > 0 && lead != strings.Join(thing, " ")+" "+deed:
		head = "" // Build #42 failed on main: whose, the project says
	case s.saysItself(head, at, thing, deed, it), deed == "" && len(thing) > 0 && !knownThing(thing) && !onABranch[thing[len(thing)-1]] && wordCount(head) > 3:
		lead = ""
	}
	if v := s.version(at); v != "" && lead == "" && it.Event == "" && it.State == "" && !strings.Contains(head, v) {
		return title(head + " " + v)
	}
	if lead == "" && it.Event == "" && it.State == "" && strings.HasSuffix(s.keyOf(at), "name") { // no more than whose it is
		return title(head, firstLine(s.body(text, head)))
	}
	head = s.whoAnd(head, thing)
	if sum := s.amount(thing); sum != "" && !strings.Contains(head, sum) {
		head += ", " + sum
	}
	line := title(capital(lead), head, s.why(head, it))
	if n := s.others(at); n > 0 && !strings.Contains(lead, " commit") && head != "" {
		return fmt.Sprintf("%s (and %d more)", digest.OneLine(line, titleMax-20), n)
	}
	return line
}

// saysHow tells that a thing and its deed are only how a check stands: Check failed.
func (s *search) saysHow(thing []string, deed string, it *digest.Item) bool {
	last := thing[len(thing)-1]
	return (last == "check" || last == "service" || last == "host" || last == "sensor" || last == "monitor" || last == "alert" || last == "page" || last == "site" || last == "endpoint") &&
		(deed == it.State || deed == orElse(stateDeeds[it.State], it.State))
}

// others is how many more there are in the list that a title is from.
func (s *search) others(at int) int {
	for ; at >= 0; at = s.places[at].up {
		if s.places[at].count > 1 {
			return s.places[at].count - 1
		}
	}
	return 0
}

// rawWord is a word of a machine's: not_paid, RUN_FAILED.
var rawWord = regexp.MustCompile(`^(?:[a-z]+(?:_[a-z]+)+|[A-Z]+(?:_[A-Z]+)+)$`)

// keyOf is the key of the place at an index, "" for -1.
func (s *search) keyOf(at int) string {
	if at < 0 {
		return ""
	}
	return s.places[at].key
}

// titleOfEvent is the title of what happened, and not of what it happened to.
var titleOfEvent = regexp.MustCompile(`^(?:event|alert|notification|message)(?:title|subject)$`)

// saysItself tells whether a text says what happened, so that nothing need stand before it.
func (s *search) saysItself(head string, at int, thing []string, deed string, it *digest.Item) bool {
	low := strings.ToLower(head)
	if low == deed {
		return false
	}
	if len(thing) == 0 && bracketed.MatchString(head) || titleOfEvent.MatchString(s.keyOf(at)) && wordCount(head) > 3 {
		return true
	}
	if len(thing) == 0 && deed == "ok" && wordCount(head) > 2 { // the badge says so too
		return true
	}
	if deed != "" && strings.Contains(low, stem(deed)) || it.Author != "" &&
		strings.HasPrefix(low, strings.ToLower(it.Author)+" ") {
		return true
	}
	for raw, state := range sameState {
		if state == it.State && deed == state && strings.Contains(low, raw) {
			return true
		}
	}
	for _, w := range thing {
		if deed == "" && strings.Contains(low, w) {
			return true
		}
	}
	return false
}

// happened is what a delivery tells of and what was done with it, or how it stands.
func (s *search) happened(at int, it *digest.Item) (thing []string, deed string) {
	thing, deed = eventWords(it.Event)
	if isHollow(it.Event) {
		thing, deed = nil, ""
	}
	state := strings.ToLower(words(it.State))
	now := false
	if n := len(thing); n > 0 && (thing[n-1] == "status" || thing[n-1] == "state") && deed != "" && state != "" {
		thing, now = thing[:n-1], true
	}
	if len(thing) == 0 {
		if thing = s.thing(at); state != "" && slices.Equal(thing, []string{"comment"}) { // which says why
			thing = nil
		}
	}
	switch {
	case now:
		return thing, "now " + orElse(stateDeeds[state], state)
	case deed == "updated" && ends[state] && len(thing) == 1 && strings.HasSuffix(it.Event, "update") && !onABranch[thing[0]]: // stack_update
		thing, deed = []string{thing[0], "update"}, state
	case (deed == "" || undecided[deed] && state != "active" && state != "open" && state != "ok" || deed == "closed" && state == "merged" || ends[state]) && state != "" && wordCount(state) <= 3 && (deed != "" || linking(thing) < 1): // recording ready to download
		deed = state
	}
	deed = orElse(stateDeeds[deed], deed)
	if n := len(thing); n > 0 && deed != "" && stem(thing[n-1]) == stem(deed) { // deploy deployed
		thing = thing[:n-1]
	}
	return thing, deed
}

// thing is what the object is that a text stands in, or that stands beside it, if that is a word of people's.
func (s *search) thing(at int) []string {
	if k := s.keyOf(at); k == "comment" || k == "note" || k == "commentcontent" {
		return []string{"comment"}
	}
	for up := s.upOf(at); up >= 0; up = s.places[up].up {
		p := &s.places[up]
		if wrappers[p.key] || p.key == "commit" {
			continue
		}
		if things[p.key] != "" || onABranch[p.key] || likeThings[p.key] {
			return strings.Fields(strings.ToLower(words(p.name)))
		}
	}
	for i := range s.places {
		if p := &s.places[i]; at < 0 && p.depth == 0 && builds[p.key] && p.scalar() != "" {
			return strings.Fields(strings.ToLower(words(p.name)))
		}
	}
	for i := range s.places {
		p := &s.places[i]
		if p.depth > 1 || p.aside || p.key == "error" {
			continue
		}
		if prefix := thingKey.FindStringSubmatch(p.key); prefix != nil && prefix[1] != "commit" && (onABranch[prefix[1]] || things[prefix[1]] != "" && prefix[2] != "id" && prefix[2] != "message") {
			return []string{prefix[1]} // build_status, build_url, ticket_code
		}
		if (onABranch[p.key] && p.key != "commit" || things[p.key] != "") && p.object() != nil {
			return strings.Fields(strings.ToLower(words(p.name)))
		}
	}
	return s.booked()
}

var thingKey = regexp.MustCompile(`^([a-z]+)(status|url|code|subject|number|id|message)$`)

// builds are keys whose text is the name of what was built.
var builds = fieldSet("build", "job", "pipeline", "workflow", "deployment")

var likeThings = fieldSet("member", "user", "release", "customer", "project", "product", "file", "document", "form",
	"vulnerability", "node", "server", "host", "key",
	"comment", "note", "message", "reply", "review", "milestone", "epic", "sprint", "deal", "lead", "person", "company",
	"payment", "charge", "refund", "feature", "flag", "outage")

// undecided are deeds that do not tell how it ended; ends are states that do.
var (
	undecided = fieldSet("completed", "finished", "ended", "processed", "done", "pushed", "started")
	ends      = fieldSet("failed", "passed", "success", "error")
)

var stateDeeds = map[string]string{"success": "succeeded", "error": "failed", "failure": "failed"}

var failing = fieldSet("failed", "error", "down", "firing", "triggered")

// stem is what a deed and its other forms have in common.
func stem(deed string) string {
	deed, _, _ = strings.Cut(strings.TrimPrefix(deed, "now "), " ")
	if len(deed) > 4 {
		deed = strings.TrimSuffix(strings.TrimSuffix(deed, "ed"), "e")
	}
	return deed
}

var (
	buildNames  = names("name")
	siteNames   = names("site", "target", "url", "website", "address", "endpoint")
	commitNames = names("message", "subject")
	reasonNames = names("reason", "errormessage", "incidentreason", "failurereason", "error", "errortext",
		"alertdetails", "statustext", "failuremessage", "cause", "lasterror").
		ending(`type|code|url|id$|class`, "errormessage", "errortitle", "reason", "error")
	whereNames = names("domain", "hostname", "host", "servername", "server", "node", "device", "endpoint",
		"repositoryname", "packagename", "environmentname")
	branchNames = names("branch", "branchname", "branchdisplayname", "headbranch", "sourcebranch", "srcbranch", "ref",
		"refname", "githubcommitref").ending(`base|target|dest|default`, "branch")
	amountNames = names("formattedamount", "totalformatted", "amountformatted",
		"formattedtotal").ending(`tax|discount|ship`, "formatted", "withtaxes")
	buyerNames = names("customername", "customer", "billing", "buyer", "contact", "employee", "candidate", "applicant",
		"guest", "attendee", "invitee", "person").ending(`account|store|host`, "customername")
	onABranch = fieldSet("build", "pipeline", "job", "workflow", "deploy", "deployment", "push", "run", "stage",
		"test", "tests", "analysis", "coverage", "commit", "commits", "gate")
	ticketKey   = regexp.MustCompile(`^[A-Z][A-Z0-9]{1,9}-[0-9]{1,7}$`)
	smallNumber = regexp.MustCompile(`^#?[0-9]{1,6}$`)
	moment      = regexp.MustCompile(`^[0-9]{7,}$`) // a version by the clock
	branchStart = regexp.MustCompile(`^refs/(?:heads|tags)/`)
)

// lead are the words before the text: the thing, its number, what was done with it, and on which branch or what.
func (s *search) lead(thing []string, deed, number string, of []string) string {
	if line := s.commits(); line != "" && (deed == "" || deed == "pushed" || deed == "updated" && slices.Equal(thing, []string{"branch"})) {
		return line
	}
	parts := []string{strings.Join(thing, " "), number, deed}
	if last := len(thing) - 1; last >= 0 && talk[thing[last]] && said[deed] && (number != "" || deed == "commented") {
		thing, deed = []string{"comment"}, ""
		parts = []string{"comment", number}
	}
	if number != "" && !slices.Equal(thing, of) {
		parts = []string{strings.Join(thing, " "), deed, "on", strings.Join(of, " "), number}
	}
	if n := len(thing); n > 0 && strings.HasPrefix(thing[n-1], "deploy") {
		if where := s.text(&placeNames, 40); where != "" && !strings.Contains(where, " ") {
			parts[1] = strings.TrimSpace(parts[1] + " to " + where)
		}
	}
	if len(thing) > 0 && onABranch[thing[len(thing)-1]] {
		if b := s.branch(); b != "" && deed != "" {
			parts = append(parts, "on "+b)
		}
	}
	return strings.Join(strings.Fields(strings.Join(parts, " ")), " ")
}

// said are the deeds by which a comment comes to be.
var said = fieldSet("commented", "created", "added", "posted", "published", "submitted")

// number is by what number people know the thing that a title is of, and what that thing is: the one that the event
// names, or the object that the title stands in.
func (s *search) number(thing []string, at int) (number string, of []string) {
	if len(thing) == 0 {
		return "", nil
	}
	last, whole, least := thing[len(thing)-1], strings.Join(thing, ""), 9
	for i := range s.places {
		p := &s.places[i]
		v, holder := p.scalar(), s.holder(p)
		own := holder == last || holder == whole
		beside := at >= 0 && s.places[at].up == p.up || at < 0 && p.depth < 3 && (holder == "" || wrappers[holder])
		rank := 9
		switch {
		case v == "" || p.aside || !own && !beside:
		case (p.key == "key" || p.key == "identifier" || p.key == "reference") && ticketKey.MatchString(v):
			rank = 0
		case (p.key == "version" || p.key == "tagname" || p.key == "tag") && versionedThings[last] && len(v) <= 40 && !moment.MatchString(v):
			rank = 3
		case !smallNumber.MatchString(v):
		case p.key == "number" || p.key == "iid" || p.key == last+"number" || p.key == whole+"number":
			rank, v = 1, "#"+strings.TrimPrefix(v, "#")
		case p.key == whole+"id" && byNumber[last], p.key == "id" && byNumber[orElse(things[holder], last)]:
			rank, v = 2, "#"+v
		}
		if rank < least {
			least, number, of = rank, v, thing
			if holder != "" && !own && !wrappers[holder] && (things[holder] != "" || likeThings[holder]) {
				of = strings.Fields(strings.ToLower(words(s.places[p.up].name)))
			}
		}
	}
	return number, of
}

// versionedThings are things that people know by their version.
var versionedThings = fieldSet("release", "version", "package", "image", "artifact", "tag", "deployment", "deploy")

// byNumber are things that people know by their id.
var byNumber = fieldSet("issue", "ticket", "bug", "task", "order", "story", "case", "request", "incident", "invoice",
	"pr", "mr", "pullrequest")

// branch is the branch that a delivery names, or the tag.
func (s *search) branch() string {
	b := s.text(&branchNames, 80)
	if b == "" {
		b = s.name(&branchNames, &buildNames)
	}
	b = branchStart.ReplaceAllString(b, "")
	if smallNumber.MatchString(b) || strings.ContainsAny(b, " \n") {
		return ""
	}
	return b
}

// commits is "3 commits to main" where there is a list of commits.
func (s *search) commits() string {
	at := slices.IndexFunc(s.places, func(p place) bool { return p.key == "commits" && p.depth < 3 && p.count > 0 })
	if at < 0 {
		return ""
	}
	if b := s.branch(); b != "" {
		return fmt.Sprintf("%s to %s", count(s.places[at].count, "commit"), b)
	}
	return ""
}
