package tools

import (
	"regexp"
	"strings"

	"quietpost/digest"
)

// headless is the line of a delivery without a text: who or what the thing is, what it cost, or who did it.
func (s *search) headless(thing []string, deed, lead string, it *digest.Item) string {
	if len(thing) > 0 {
		for i := range s.places {
			p := &s.places[i]
			if v := p.scalar(); builds[p.key] && p.key == thing[len(thing)-1] && p.depth == 0 && v != "" && !isID(v) && len(v) <= 80 &&
				!strings.EqualFold(v, it.Project) {
				return title(capital(strings.Replace(lead, p.key, p.key+" "+v, 1)))
			}
			if p.object() != nil && p.depth < 4 && (p.key == thing[len(thing)-1] ||
				p.key == strings.Join(thing, "")) {
				if name := orElse(bestPart(p.node, &projectParts), bestPart(p.node, &personNames)); name != "" &&
					!isID(name) && len(name) <= 100 {
					return title(capital(strings.Join(strings.Fields(strings.Join(thing, " ")+" "+name+" "+deed), " ")))
				}
			}
		}
	}
	if n := len(thing); n > 0 && people[thing[n-1]] && s.wrapper() >= 0 {
		if name := bestPart(s.places[s.wrapper()].node, &personNames); name != "" && !isID(name) && !strings.Contains(name, "@") {
			return title(capital(strings.Join(strings.Fields(strings.Join(thing, " ")+" "+name+" "+deed), " ")))
		}
	}
	var told []string
	if whereabouts := s.text(&whereNames, 80); whereabouts != "" && len(thing) > 0 &&
		!strings.EqualFold(whereabouts, it.Project) {
		told = append(told, whereabouts)
	}
	for _, v := range []string{orElse(s.text(&amountNames, 40), s.amount(thing)), s.name(&buyerNames, &personNames)} {
		if v != "" && !strings.Contains(v, "@") && !idWithTag.MatchString(v+"0123456789ab") {
			told = append(told, v)
		}
	}
	switch {
	case len(told) > 0 && lead != "":
		return title(capital(lead), strings.Join(told, ", "), s.why(lead, it))
	case it.Author != "" && lead != "" && (len(thing) > 0 || it.Event != "" && !isHollow(it.Event)):
		return title(capital(lead)+" by "+it.Author, s.why(lead, it))
	case lead != "" && it.Project != "" && (len(thing) > 0 || it.Event != "" && !isHollow(it.Event)):
		return title(it.Project, capital(lead), s.why(lead, it))
	case lead != "" && len(thing) > 0 && (deed != "" || len(thing) > 1):
		return title(capital(lead), s.why(lead, it))
	}
	return untitled(s, it)
}

// whoAnd puts the name of the person that something happened to before what it was about: Candidate moved: Bob Doe, Engineer.
func (s *search) whoAnd(head string, thing []string) string {
	if n := len(thing); n > 0 && people[thing[n-1]] && head != "" {
		for i := range s.places {
			p := &s.places[i]
			if p.key != thing[n-1] || p.object() == nil || p.far > 0 || p.depth > 3 {
				continue
			}
			if name := bestPart(p.node, &personNames); name != "" && !isID(name) && !strings.Contains(name, "@") &&
				!strings.Contains(head, name) && !strings.Contains(name, head) {
				return name + ", " + head
			}
		}
	}
	return head
}

// version is the one that stands beside a name: a package and its version are the news.
func (s *search) version(at int) string {
	if s.keyOf(at) != "name" {
		return ""
	}
	of := s.top
	if up := s.upOf(at); up >= 0 {
		of = s.places[up].node
	}
	if v := of.str("version"); len(v) <= 40 && strings.ContainsAny(v, "0123456789") && !moment.MatchString(v) {
		return v
	}
	return ""
}

// booked is what a delivery is of that names only its id: booking_id.
func (s *search) booked() []string {
	for i := range s.places {
		p := &s.places[i]
		if name, ok := strings.CutSuffix(p.key, "id"); ok && p.depth == 0 && bookings[name] && p.scalar() != "" {
			return []string{name}
		}
	}
	return nil
}

var bookings = fieldSet("booking", "appointment", "reservation", "submission", "shipment", "order", "invoice", "ticket")

var people = fieldSet("user", "member", "customer", "contact", "employee", "person", "subscriber", "lead", "candidate", "guest")

// untitled makes a line for what names neither title nor event: its first few fields, else whose it is.
func untitled(s *search, it *digest.Item) string {
	if text := s.wrong(); text != "" {
		thing, deed := eventWords(it.Event)
		said := strings.TrimSpace(strings.Join(thing, " ") + " " + deed)
		if isHollow(it.Event) {
			said = ""
		}
		return title(capital(orElse(said, orElse(strings.Join(s.thing(-1), " "), it.State))), text)
	}
	what := "Update"
	if thing, deed := eventWords(it.Event); len(thing) == 0 && deed != "" {
		what = capital(deed)
	} else if w := words(it.Event); w != "" && !isHollow(it.Event) {
		what = w
	} else if it.Author != "" || it.Project != "" || failing[it.State] || alarms[it.State] {
		what = orElse(capital(strings.ReplaceAll(it.State, "_", " ")), what)
	}
	stated := what != "Update" && it.Event == ""
	var parts []string
	for i := range s.places {
		p := &s.places[i]
		v := p.scalar()
		if v == "true" && len(p.key) > 4 && p.depth == 0 && it.Event == "" && it.State == "" && !bookkeeping.MatchString(p.key) {
			parts = append(parts, strings.ToLower(words(p.name)))
		}
		if v == "" || v == "false" || v == "true" || v == it.Event || v == it.Author || v == it.Project ||
			strings.EqualFold(v, what) || stated && sameState[strings.ToLower(v)] == it.State || p.aside || len(v) > 60 || isID(v) ||
			webAddress(v) != "" || !readTime(v).IsZero() ||
			nobody[strings.ToLower(v)] || bookkeeping.MatchString(p.key) || contacts.MatchString(p.key) {
			continue
		}
		if parts = append(parts, strings.ToLower(words(p.name))+" "+v); len(parts) == 3 {
			break
		}
	}
	switch {
	case len(parts) > 0:
		return title(what, strings.Join(parts, ", "))
	case it.Author != "":
		return title(what + " by " + it.Author)
	case it.Project != "" && what != "Update":
		return title(it.Project, what)
	case it.Project != "":
		return title("Update of " + it.Project)
	}
	if what != "Update" {
		return title(what)
	}
	return "An update that does not say what happened"
}

// bookkeeping are fields by which machines keep order, of no interest to people; contacts do not belong in a title.
var (
	bookkeeping = regexp.MustCompile(`(?:api|schema|spec|payload|event|hook)version|schema|webhook|token|secret|signature|hash|digest|uuid|guid` +
		`|subscription$|slug|organi[sz]ation|account|acct|password|apikey|id$|ids$`)
	contacts = regexp.MustCompile(`mail|phone`)
)
