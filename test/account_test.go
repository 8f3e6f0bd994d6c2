package test

import (
	"fmt"
	"regexp"
	"strconv"

	"quietpost/digest/audit"
)

// A drillReader is one of drillReaders.
type drillReader struct {
	user   string
	wants  func(*item) bool
	alerts bool
}

var readers = []drillReader{
	{"reader", func(*item) bool { return true }, true},
	{"second", func(it *item) bool { return (it.Project == "p1" || it.Project == "post") && it.Kind == "status" }, false},
	{"third", func(it *item) bool { return it.Project == "p2" || it.Project == "post" }, true},
}

// audit holds all that came in against all that the readers got.
func (d *drill) audit() {
	all := d.items()
	byNumber, byTitle := map[int64]*item{}, map[string]*item{}
	for i := range all {
		it := &all[i]
		if other := byTitle[it.Title]; other != nil {
			d.t.Errorf("%s is two items, %d and %d", it.Title, other.Seq, it.Seq)
		}
		byNumber[it.Seq], byTitle[it.Title] = it, it
	}
	for title, number := range d.numbers {
		if it := byNumber[number]; it == nil || it.Title != title {
			d.t.Errorf("%s was promised as number %d, which is %+v", title, number, it)
		}
	}
	for title := range d.mails {
		if byTitle[title] == nil {
			d.t.Errorf("mail %s is no item", title)
		}
	}
	if want := len(d.numbers) + len(d.mails); len(all) != want {
		d.t.Errorf("%d items, want %d", len(all), want)
	}
	for _, r := range readers {
		d.auditReader(r, byNumber, byTitle)
	}
	for _, l := range d.letters("operator") {
		d.t.Logf("the operator was told: %s", l.subject())
	}
}

// auditReader audits one reader's mailbox: first by the rules of digest/audit, then each mail's content.
func (d *drill) auditReader(r drillReader, byNumber map[int64]*item, byTitle map[string]*item) {
	raws, err := d.Mailbox(r.user)
	d.must(err)
	var mails []audit.Mail
	alerted := map[string]int{}
	seen := map[string]bool{}
	shown, counted, alerts := 0, 0, 0
	for _, raw := range raws {
		m, ok, err := audit.Read(raw)
		if err != nil || !ok {
			d.t.Errorf("%s has a mail that is no edition: %v\n%s", r.user, err, raw)
			continue
		}
		mails = append(mails, m)
		l, err := readLetter(raw)
		d.must(err)
		switch {
		case seen[m.MessageID]:
		case l.digest():
			a, b := d.auditDigest(r, m, l, byNumber, byTitle)
			shown, counted = shown+a, counted+b
		case l.alert():
			alerts++
			for title := range titles(l) {
				alerted[title]++
			}
		default:
			d.t.Errorf("%s has a mail that is neither digest nor alert:\n%s", r.user, raw)
		}
		seen[m.MessageID] = true
	}
	rep := audit.Check(mails)
	for _, f := range rep.Faults {
		d.t.Errorf("%s: %s", r.user, f)
	}
	if len(rep.Series) != 1 || rep.Series[0].From != 1 || rep.Series[0].To < d.numbers[lastTitle] {
		d.t.Errorf("%s: digests %+v, want all from 1 to %d", r.user, rep.Series, d.numbers[lastTitle])
	}
	urgent := 0
	for title, it := range byTitle {
		want := 0
		if it.Urgent && r.alerts && r.wants(it) {
			want = 1
			urgent++
		}
		if alerted[title] != want {
			d.t.Errorf("%s: %s is in %d alerts, want %d", r.user, title, alerted[title], want)
		}
	}
	d.t.Logf("%s: %d mails, %d of them came twice (SMTP's gap); digests %+v with %d lines shown and %d counted; %d urgent updates in %d alerts",
		r.user, len(raws), rep.Doubles, rep.Series, shown, counted, urgent, alerts)
}

var (
	titleForm  = regexp.MustCompile(`\b[sm]\d-\d{6}\b`)
	moreForm   = regexp.MustCompile(`\band (\d+) more\b`)
	updateForm = regexp.MustCompile(`\b(\d+) updates? in \d+ projects?\b`)
)

func titles(l *letter) map[string]int {
	found := map[string]int{}
	for _, title := range titleForm.FindAllString(l.text, -1) {
		found[title]++
	}
	return found
}

// line names the line of a digest that the item is in: its thread's, or its own.
func (it *item) line() string {
	if it.Thread == "" {
		return it.Title
	}
	return it.Project + " " + it.Thread
}

// auditDigest holds a digest against its window: each update that the reader wants is shown, folded into its thread's
// line, or counted; nothing else is there.
func (d *drill) auditDigest(r drillReader, m audit.Mail, l *letter, byNumber map[int64]*item, byTitle map[string]*item) (shown, counted int) {
	wanted := 0
	lines := map[string]string{} // to the title each shows: its newest
	for n := m.From; n <= m.To; n++ {
		it := byNumber[n]
		if it == nil {
			d.t.Errorf("%s: window %d-%d holds number %d, which nobody was given", r.user, m.From, m.To, n)
			continue
		}
		if !r.wants(it) {
			continue
		}
		wanted++
		lines[it.line()] = it.Title
	}
	for title, times := range titles(l) {
		it := byTitle[title]
		if it == nil || it.Seq < m.From || it.Seq > m.To || !r.wants(it) || times != 1 || lines[it.line()] != title {
			d.t.Errorf("%s: window %d-%d shows %s %d times: %+v", r.user, m.From, m.To, title, times, it)
		}
		shown++
	}
	for _, f := range moreForm.FindAllStringSubmatch(l.text, -1) {
		n, err := strconv.Atoi(f[1])
		d.must(err)
		counted += n
	}
	told := updateForm.FindStringSubmatch(l.text)
	if told == nil || told[1] != fmt.Sprint(wanted) || shown+counted != len(lines) {
		d.t.Errorf("%s: window %d-%d has %d wanted updates in %d lines; the mail says %q, shows %d lines and counts %d more", r.user, m.From, m.To,
			wanted, len(lines), told, shown, counted)
	}
	return shown, counted
}
