package reader

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"quietpost/digest"
)

// kindTags are the words that in brackets in a subject name a kind.
var kindTags = map[string]string{
	"decision": digest.KindDecision, "question": digest.KindQuestion, "recap": digest.KindRecap,
	"status": digest.KindStatus, "announcement": digest.KindAnnouncement,
}

// Prefixes by which mail programs mark an answer or a forwarded mail in many languages, lower-case.
var (
	replyPrefixes = []string{"re", "aw", "sv", "antw", "antwort", "odp", "vs", "ynt", "ref", "res", "rif", "回复", "回覆",
		"答复", "返信", "תגובה", "رد", "απ", "на", "hf", "bls", "vá", "ad", "réf", "odg", "отв", "отг", "відп", "답장", "回信"}
	forwardPrefixes = []string{"fwd", "fw", "wg", "vb", "vl", "doorst", "tr", "rv", "enc", "pd", "ilt", "i", "转发", "轉寄",
		"転送", "הועבר", "إعادة توجيه", "πρθ", "továbbítás", "trs", "fs", "prosl", "пересл", "전달", "inoltra", "reenv"}
	prefix   = regexp.MustCompile(`^(\p{L}[\p{L} ]{0,19})(?:\s?[\[(]?\d{1,3}[\])]?)?\s?[:：]\s*`)
	brackets = regexp.MustCompile(`\[([^\[\]]{1,100})\]`)
	hashTag  = regexp.MustCompile(`^#(\p{L}[\p{L}\p{N}_-]{0,49})[.,;:!?]?$`)
	dueTag   = regexp.MustCompile(`^(?i:due):(\d{4}-\d{2}-\d{2})[.,;]?$`)
	command  = regexp.MustCompile(`^(?i:help|(?:un)?subscribe(?:\s+[\p{L}\p{N}._/:*@+-]+){0,8})$`)
)

// readSubject takes the marks out of the subject; what is left is the title. In an answer ("Re: [question] …") the
// brackets behind the "Re:" are those of the mail it answers: they name the project, but neither kind nor urgency.
func (r *Reading) readSubject(known func(string) bool) {
	r.Reply = r.InReplyTo != "" || len(r.References) > 0
	if command.MatchString(r.Subject) {
		r.Command = strings.ToLower(r.Subject)
	}
	rest, own := r.Subject, ""
	for range 20 {
		lead, after := leadingTags(rest)
		m := prefix.FindStringSubmatch(after)
		if m == nil {
			break
		}
		word := strings.ToLower(m[1])
		reply, forward := slices.Contains(replyPrefixes, word), slices.Contains(forwardPrefixes, word)
		if !reply && !forward {
			break
		}
		if own == "" && !r.Forward {
			own = lead + " "
		}
		r.Reply, r.Forward = r.Reply || reply, r.Forward || forward
		rest = lead + after[len(m[0]):]
	}
	if r.Forward {
		r.Reply = r.Reply && own != "" && startsWithReply(r.Subject)
	}
	marks := rest
	if r.Reply && !r.Forward {
		marks = own
	}
	for _, m := range brackets.FindAllStringSubmatch(marks, 20) {
		word := strings.ToLower(strings.TrimSpace(m[1]))
		if kind := kindTags[word]; kind != "" && r.Kind == "" {
			r.Kind = kind
		}
		if word == "urgent" {
			r.Urgent = "the subject says [urgent]"
		}
	}
	r.Line = digest.OneLine(rest, digest.MaxTitle)
	r.Title = digest.OneLine(r.takeTags(rest, known), digest.MaxTitle)
}

// leadingTags splits off the bracketed words a subject begins with.
func leadingTags(s string) (lead, after string) {
	after = s
	for {
		t := strings.TrimLeft(after, " ")
		loc := brackets.FindStringIndex(t)
		if loc == nil || loc[0] != 0 {
			return lead, t
		}
		lead, after = lead+t[:loc[1]]+" ", t[loc[1]:]
	}
}

// startsWithReply tells whether the outermost prefix is one of an answer: "Re: Fwd: …" answers, "Fwd: Re: …" does not.
func startsWithReply(s string) bool {
	_, after := leadingTags(s)
	m := prefix.FindStringSubmatch(after)
	return m != nil && slices.Contains(replyPrefixes, strings.ToLower(m[1]))
}

// takeTags takes [marks], the known project, #tags and due: out of a subject.
func (r *Reading) takeTags(s string, known func(string) bool) string {
	s = brackets.ReplaceAllStringFunc(s, func(b string) string {
		word := strings.ToLower(strings.TrimSpace(b[1 : len(b)-1]))
		if word == "urgent" || kindTags[word] != "" {
			return " "
		}
		if key := digest.ProjectKey(word); r.Project == "" && key != "" && known != nil && known(key) {
			r.Project = key
			return " "
		}
		return b
	})
	var words []string
	for _, w := range strings.Fields(s) {
		if m := hashTag.FindStringSubmatch(w); m != nil && len(r.Tags) < digest.MaxTags {
			if tag := strings.ToLower(m[1]); !slices.Contains(r.Tags, tag) {
				r.Tags = append(r.Tags, tag)
			}
			continue
		}
		if m := dueTag.FindStringSubmatch(w); m != nil {
			if _, err := time.Parse(time.DateOnly, m[1]); err == nil {
				r.Due = m[1]
				continue
			}
		}
		words = append(words, w)
	}
	return strings.Join(words, " ")
}

// readPriority reads the sender's mark of urgency from the header: Importance: high (RFC 4021), X-Priority: 1. (2 is
// only high; nobody means an alert by it.)
func (r *Reading) readPriority(h header) {
	if r.Urgent != "" {
		return
	}
	if strings.EqualFold(strings.TrimSpace(h.get("Importance")), "high") {
		r.Urgent = "the mail says Importance: high"
	} else if p := strings.TrimSpace(h.get("X-Priority")); p == "1" || strings.HasPrefix(p, "1 ") || strings.HasPrefix(p, "1(") {
		r.Urgent = "the mail says X-Priority: 1"
	}
}
