package reader

import (
	"bytes"
	"net/mail"
	"regexp"
	"slices"
	"strings"

	"quietpost/digest"
)

const (
	maxReport  = 64 << 10 // bytes of a report's machine-readable part
	maxWords   = 8 << 10  // bytes of what it says in words
	maxBounces = 20       // recipients of one report
)

// A found is what the walk over a report's parts met, for bounces.
type found struct {
	status   []byte // the body of message/delivery-status
	feedback []byte // the body of message/feedback-report
	original header // of the mail that is reported
	has      bool   // original is there
	attached string // reports attached as text, and what else is not body
}

// noteReportPart keeps the parts of a report that programs read, and the header of the mail it is about.
func (c *collector) noteReportPart(kind string, h header, body []byte) {
	data := func() []byte {
		return decodeTransfer(h.get("Content-Transfer-Encoding"), body[:min(len(body), maxReport)])
	}
	switch kind {
	case "message/delivery-status", "message/global-delivery-status":
		c.found.status = append(append(c.found.status, data()...), "\n\n"...)
	case "message/feedback-report":
		c.found.feedback = data()
	case "text/plain", "application/octet-stream": // as some gateways label it
		if start := bytes.TrimLeft(body[:min(len(body), 200)], " \r\n"); hasFold(start, "reporting-mta:") {
			c.found.status = append(append(c.found.status, data()...), "\n\n"...)
		}
	case "message/rfc822", "message/global", "text/rfc822-headers", "text/rfc822-header", "message/rfc822-headers",
		"message/global-headers":
		if !c.found.has {
			head, _ := Split(data())
			c.found.original, c.found.has = parseHeader(head), len(head) > 0
		}
	}
}

// bounces reads a delivery report or a complaint: by RFC 3464 or RFC 5965 where it follows them, else by its words.
func (r *Reading) bounces(h header, f *found, text string) []digest.Bounce {
	switch {
	case len(f.feedback) > 0:
		return f.complaint()
	case r.Report == complaintReport && f.has: // Microsoft's, which come without a report part
		to := anAddress(f.original.get("X-HmXmrOriginalRecipient"))
		if to == "" {
			to = anAddress(f.original.get("To"))
		}
		return []digest.Bounce{{Class: digest.BounceComplaint, Address: to, Text: r.Subject,
			MessageID: firstID(f.original.get("Message-Id"))}}
	case r.Report != deliveryReport:
		return nil
	}
	words, copied := cutCopy(text[:min(len(text), maxReport)])
	words = words[:min(len(words), maxWords)]
	out, fine := f.recipients(words)
	if len(out) == 0 && !fine {
		out = r.byWords(h, f, words, copied)
	}
	id := r.reported(h, f, copied)
	for i := range out {
		out[i].MessageID = id
	}
	return out
}

// complaint reads an abuse report. Who complains is often left out; the mail it is about tells then (RFC 5965, section 3.2).
func (f *found) complaint() []digest.Bounce {
	h := parseHeader(f.feedback)
	switch kind := strings.ToLower(strings.TrimSpace(h.get("Feedback-Type"))); kind {
	case "abuse", "opt-out", "opt-out-list", "fraud", "other", "miscategorized":
		b := digest.Bounce{Class: digest.BounceComplaint, Text: "marked as " + kind + " by the reader"}
		for _, key := range []string{"Original-Rcpt-To", "Removal-Recipient"} {
			if b.Address == "" {
				b.Address = anAddress(h.get(key))
			}
		}
		if f.has {
			if b.Address == "" {
				b.Address = anAddress(f.original.get("To"))
			}
			b.MessageID = firstID(f.original.get("Message-Id"))
		}
		return []digest.Bounce{b}
	}
	return nil // not-spam, auth-failure, virus: nothing that the reader said of us
}

// recipients reads the fields that RFC 3464, section 2.3 has for each recipient. words are the report's own. fine tells of
// one whom the mail reached, or who is another server's to report of.
func (f *found) recipients(words string) (out []digest.Bounce, fine bool) {
	status := bytes.ReplaceAll(f.status, []byte("\r\n"), []byte("\n"))
	for block := range bytes.SplitSeq(status, []byte("\n\n")) {
		h := parseHeader(block)
		if len(out) == maxBounces || !h.has("Final-Recipient") && !h.has("Original-Recipient") {
			continue
		}
		action := strings.ToLower(strings.TrimSpace(h.get("Action")))
		if strings.HasPrefix(action, "deliver") || strings.HasPrefix(action, "relay") || strings.HasPrefix(action, "expand") {
			fine = true
			continue
		}
		// Whom we wrote to stands in Original-Recipient; Final-Recipient is where it was forwarded to.
		b := digest.Bounce{Address: typedAddress(h.get("Original-Recipient")), Status: statusIn(h.get("Status"))}
		if b.Address == "" {
			b.Address = typedAddress(h.get("Final-Recipient"))
		}
		if b.Address == "" && b.Status == "" && action == "" {
			continue
		}
		said := decodeText(h.get("Diagnostic-Code"))
		if _, rest, ok := strings.Cut(said, ";"); ok {
			said = strings.TrimSpace(rest)
		}
		if inner := statusIn(said); vague(b.Status) && inner != "" {
			b.Status = inner
		}
		hint := said
		if len(said) < 20 || vague(b.Status) && classOfWords(said) == "" {
			hint += " " + words
		}
		b.Text = digest.OneLine(said, digest.MaxField)
		if b.Text == "" {
			b.Text = telling(words)
		}
		b.Class = classOf(action, b.Status, replyIn(said), said, hint)
		out = append(out, b)
	}
	return out, fine
}

// typedAddress reads "rfc822; ana@example.com" (RFC 3464, section 2.3.1).
func typedAddress(v string) string {
	if kind, rest, ok := strings.Cut(v, ";"); ok && !strings.Contains(kind, "@") {
		v = rest
	}
	return anAddress(v)
}

// anAddress is the first address in a text; empty if there is none.
func anAddress(v string) string {
	if m := addressLike.FindString(v); m != "" {
		return reportedAddress(m)
	}
	return ""
}

func reportedAddress(s string) string {
	a, err := digest.NormalizeAddress(strings.Trim(strings.ToValidUTF8(s, ""), ".=`*"))
	if err != nil {
		return ""
	}
	return a
}

var (
	// What begins the copy of the reported mail in a report of words.
	copyOf = regexp.MustCompile(`(?im)^[ \t>*]*(-{2,}.{0,80}(copy|original|headers?|returned|unsent|message (follows|text)|below)\b.*|` +
		`={3,}.{0,40}original.*|(below|the text|the first|a copy|here) .{0,60}(copy|original|message|headers?).{0,60}:?|` +
		`original (mail|message).{0,30}:|old message:|` +
		`(return-path|received|dkim-signature):\s.*)$`)
	copiedID = regexp.MustCompile(`(?im)^[ \t>]*message-id:\s*<([^<>\s]+)>`)
	copiedTo = regexp.MustCompile(`(?im)^[ \t>]*to:\s*(.*)$`)

	// Where reports of words name the address, most telling first.
	named = []*regexp.Regexp{
		regexp.MustCompile(`(?im)(?:final|original)-recipient:\s*(?:rfc822;)?\s*<?([^\s<>,;:]+@[^\s<>,;:()]+)`),
		regexp.MustCompile(`(?im)rcpt to:\s*<?([^\s<>,;:]+@[^\s<>,;:()]+)`),
		regexp.MustCompile(`(?im)^[ \t>*]*(?:to|user|recipient|address|mailbox|e-?mail|failed recipient|local mailbox)[ \t]*:?[ \t]+<?([^\s<>,;:"]+@[^\s<>,;:()"]+)`),
		regexp.MustCompile(`(?m)^[ \t]*<([^\s<>,;:]+@[^\s<>,;:()]+)>`),
		regexp.MustCompile(`(?im)^[ \t]*["']?([^\s<>,;:"']+@[^\s<>,;:()"']+)["']?[ \t]*(?:$|:|\.\.\.|\(| -|(?:invalid|unknown|user|mailbox|error|does|is|was|has|could|cannot)\b)`),
		regexp.MustCompile(`(?i)(?:recipient|to|user|address|mailbox|for)\s*:?\s*["'<]*([^\s<>,;:"'*]+@[^\s<>,;:()"'*]+)`),
	}
)

// cutCopy parts the words of a report from the copy of the mail below them.
func cutCopy(text string) (words, copied string) {
	for _, at := range copyOf.FindAllStringIndex(text, 20) {
		if strings.TrimSpace(text[:at[0]]) != "" {
			return text[:at[0]], text[at[0]:]
		}
	}
	return text, ""
}

// byWords reads a report that follows no standard.
func (r *Reading) byWords(h header, f *found, words, copied string) []digest.Bounce {
	to := ""
	if f.has {
		to = anAddress(f.original.get("To"))
	} else if m := copiedTo.FindStringSubmatch(copied); m != nil {
		to = anAddress(m[1])
	}
	all := words + "\n" + f.attached
	found := addressesOf(h.get("X-Failed-Recipients"))
	for _, re := range named {
		if len(found) > 0 {
			break
		}
		for _, m := range re.FindAllStringSubmatch(all, maxBounces) {
			if a := reportedAddress(m[1]); r.couldBeRecipient(a) && !slices.Contains(found, a) {
				found = append(found, a)
			}
		}
	}
	if len(found) == 0 && to == "" { // any address that is neither who reports nor who is told
		for _, m := range addressLike.FindAllString(all, maxBounces) {
			if a := reportedAddress(m); r.couldBeRecipient(a) {
				found = append(found, a)
				break
			}
		}
	}
	if len(found) == 0 {
		found = []string{to}
	}
	action := ""
	if (stillTrying.MatchString(words) || stillTrying.MatchString(r.Subject)) && !givenUp.MatchString(words) {
		action = "delayed"
	}
	var out []digest.Bounce
	for i, a := range found[:min(len(found), maxBounces)] {
		own := all
		if len(found) > 1 {
			own = aboutOne(all, a, found[(i+1)%len(found)])
		}
		b := digest.Bounce{Address: a, Status: statusIn(own), Text: telling(own)}
		b.Class = classOf(action, b.Status, replyIn(own), own, r.Subject+"\n"+all)
		out = append(out, b)
	}
	return out
}

// aboutOne is what a report says of one of several addresses: from where it is named up to the next one.
func aboutOne(all, address, next string) string {
	lower := strings.ToLower(all)
	from := strings.Index(lower, address)
	if from < 0 || len(lower) != len(all) {
		return all
	}
	from = strings.LastIndexByte(all[:from], '\n') + 1
	if to := strings.Index(lower[from:], next); to > 0 {
		return all[from : from+to]
	}
	return all[from:]
}

func addressesOf(v string) []string {
	var out []string
	for _, m := range addressLike.FindAllString(v, maxBounces) {
		if a := reportedAddress(m); a != "" && !slices.Contains(out, a) {
			out = append(out, a)
		}
	}
	return out
}

// couldBeRecipient rules out who sends the report and whom it is sent to.
func (r *Reading) couldBeRecipient(a string) bool {
	if a == "" || a == r.From.Address || slices.Contains(r.Recipients, a) {
		return false
	}
	local, _, _ := strings.Cut(a, "@")
	return !strings.HasPrefix(local, "postmaster") && !strings.HasPrefix(local, "mailer-daemon") && local != "abuse" && local != "support"
}

// reported is the id of the mail that a report is about: from its header, the copy of it, or what the report answers.
func (r *Reading) reported(h header, f *found, copied string) string {
	if f.has {
		if id := firstID(f.original.get("Message-Id")); id != "" {
			return id
		}
	}
	if len(f.status) > 0 {
		head := parseHeader(bytes.ReplaceAll(f.status, []byte("\n\n"), []byte("\n")))
		if id := firstID(head.get("X-Original-Message-Id")); id != "" {
			return id
		}
	}
	if m := copiedID.FindStringSubmatch(copied); m != nil {
		return cleanID(m[1])
	}
	if r.InReplyTo != "" {
		return r.InReplyTo
	}
	if n := len(r.References); n > 0 {
		return r.References[n-1]
	}
	return ""
}

func firstID(v string) string {
	if ids := messageIDs(v); len(ids) > 0 {
		return ids[0]
	}
	return ""
}

// telling is the line of a report that says most: one with a code or a known reason, else the first.
func telling(words string) string {
	first := ""
	for line := range strings.Lines(words) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		if first == "" {
			first = line
		}
		if statusIn(line) != "" || classOfWords(line) != "" && len(line) > 12 {
			return digest.OneLine(line, digest.MaxField)
		}
	}
	return digest.OneLine(first, digest.MaxField)
}

// emptyPath tells a mail whose sender wants no report about it (RFC 5321, section 4.5.5): reports have none.
func emptyPath(h header) bool {
	for _, v := range h.all("Return-Path") {
		if v = strings.TrimSpace(v); v == "<>" || v == `""` || v == "" {
			return true
		}
		if a, err := mail.ParseAddress(v); err != nil && strings.Contains(strings.ToLower(v), "mailer-daemon") ||
			err == nil && strings.HasPrefix(strings.ToLower(a.Address), "mailer-daemon@") {
			return true
		}
	}
	return false
}
