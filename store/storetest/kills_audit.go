package storetest

import (
	"fmt"
	"slices"
	"strings"

	"quietpost/digest"
	"quietpost/digest/audit"
)

// audit holds what the server took against what was accepted, and gives how many mails came twice.
func (w *world) audit() (doubles int) {
	w.t.Helper()
	if len(w.accepted) != w.posted+len(w.inbox) {
		w.t.Errorf("%d items were accepted of %d", len(w.accepted), w.posted+len(w.inbox))
	}
	newest, err := w.crash.Store.Newest(w.ctx)
	w.must(err)
	if newest != int64(len(w.accepted)) {
		w.t.Errorf("%d items are stored, %d were accepted", newest, len(w.accepted))
	}
	for _, p := range storyPeople {
		doubles += w.auditReader(p.entry, p.wants)
	}
	letters := map[string]int{}
	for _, m := range w.mails {
		if m.To == "op@example.com" {
			letters[m.MessageID]++
		}
	}
	for _, n := range letters {
		doubles += n - 1
	}
	if len(letters) != 1 {
		w.t.Errorf("the operator was told %d times", len(letters))
	}
	if doubles != w.unsure {
		w.t.Errorf("%d mails came twice, of which SMTP's gap explains %d", doubles, w.unsure)
	}
	return doubles
}

func (w *world) auditReader(e digest.Entry, wants func(string) bool) int {
	w.t.Helper()
	var mails []audit.Mail
	seen := map[string]bool{}
	digests, alerts := map[int64]int{}, map[int64]int{} // how often each number was told
	for i := range w.mails {
		m := &w.mails[i]
		if m.To != e.Address {
			continue
		}
		a, ok, err := audit.Read(m.Bytes)
		if err != nil || !ok {
			w.t.Fatalf("%s got no edition: %v\n%s", e.Address, err, m.Bytes)
		}
		mails = append(mails, a)
		if seen[a.MessageID] {
			continue
		}
		seen[a.MessageID] = true
		for _, n := range told(m.Bytes) {
			if a.To == 0 {
				alerts[n]++
			} else if digests[n]++; n < a.From || n > a.To {
				w.t.Errorf("%s: the digest of %d-%d tells %d", e.Address, a.From, a.To, n)
			}
		}
	}
	r := audit.Check(mails)
	for _, f := range r.Faults {
		w.t.Errorf("%s: %s", e.Address, f)
	}
	if len(r.Series) != 1 || r.Series[0].From != 1 {
		w.t.Errorf("%s: digests %+v", e.Address, r.Series)
	}
	items, err := w.crash.Store.Items(w.ctx, digest.ItemQuery{Limit: 1000})
	w.must(err)
	for _, it := range items {
		inDigest, inAlert := 0, 0
		if wants(it.Project) {
			inDigest = 1
			if w.urgent[it.Number] && e.Alerts {
				inAlert = 1
			}
		}
		if digests[it.Number] != inDigest || alerts[it.Number] != inAlert || w.accepted[it.Title] != it.Number {
			w.t.Errorf("%s: %q, accepted as %d, is number %d and stands in %d digests and %d alerts", e.Address, it.Title,
				w.accepted[it.Title], it.Number, digests[it.Number], alerts[it.Number])
		}
	}
	return r.Doubles
}

// told are the numbers that a mail of plainly tells.
func told(raw []byte) (numbers []int64) {
	_, body, _ := strings.Cut(string(raw), "\r\n\r\n")
	for _, f := range strings.Fields(body) {
		var n int64
		if _, err := fmt.Sscanf(f, "#%d", &n); err == nil {
			numbers = append(numbers, n)
		}
	}
	return numbers
}

// plainly is a Renderer and a Composer that write numbers, and the fields that audits read.
type plainly struct{}

func (plainly) Digest(v *digest.View) (digest.Rendered, error) {
	var numbers []int64
	g := &v.Grouping
	for _, s := range append([]digest.Section{{Lines: g.Needs}, {Lines: g.Decisions}}, g.Sections...) {
		for _, l := range s.Lines {
			numbers = append(numbers, l.Numbers...)
		}
	}
	return digest.Rendered{Subject: v.Subject, Text: list(numbers)}, nil
}

func (plainly) Alert(v *digest.View) (digest.Rendered, error) {
	var numbers []int64
	for _, a := range v.Alerts {
		for _, it := range a.Items {
			numbers = append(numbers, it.Number)
		}
	}
	return digest.Rendered{Subject: v.Subject, Text: list(numbers)}, nil
}

func list(numbers []int64) string {
	var b strings.Builder
	for _, n := range slices.Sorted(slices.Values(numbers)) {
		fmt.Fprintf(&b, "#%d ", n)
	}
	return b.String()
}

func (plainly) Host() string { return "quiet.test" }

func (plainly) Compose(l *digest.Letter) ([]byte, error) {
	fields := []string{"Message-ID: <" + l.MessageID + ">", "Subject: " + l.Subject}
	if l.Edition != "" {
		fields = append(fields, "X-Quietpost-Edition: "+l.Edition, "List-ID: "+l.ListID)
	}
	if l.Window != "" {
		fields = append(fields, "X-Quietpost-Window: "+l.Window)
	}
	return []byte(strings.Join(fields, "\r\n") + "\r\n\r\n" + l.Text), nil
}
