package test

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"quietpost/digest/audit"
	"quietpost/test/maillab"
)

// A bare house is a daemon whose only neighbour is a mail server inside the test: for faults of its own machine, where
// real servers would only take time.
type bareHouse struct {
	*house
	sink *sink
	data string
}

const bareConfig = `
base_url: %s
data_dir: %s
http: {listen: "%s"}
api: {token_file: api.token}
operators: [operator@lab.test]
mail:
  from: Quietpost <digest@lab.test>
  smtp: {host: 127.0.0.1, port: %d, tls: none}
sources:
  - {name: tool, type: generic, secret_file: tool.secret}
%s`

// newBareHouse starts nothing yet. data is its data_dir; "" for one below the test's folder.
func newBareHouse(t testing.TB, data, more string) *bareHouse {
	t.Helper()
	h := &bareHouse{house: &house{t: t, dir: t.TempDir()}, sink: newSink(t), data: data}
	if h.data == "" {
		h.data = filepath.Join(h.dir, "data")
	}
	listen := fmt.Sprintf("127.0.0.1:%d", maillab.FreePort())
	h.url, h.file = "http://"+listen, filepath.Join(h.dir, "quietpost.yaml")
	h.write("api.token", readToken+"\n")
	h.write("tool.secret", toolSecret+"\n")
	h.write("quietpost.yaml", fmt.Sprintf(bareConfig, h.url, h.data, listen, h.sink.port(), more))
	t.Cleanup(func() {
		if h.process != nil {
			h.end()
		}
	})
	return h
}

// told are the mails to the operator whose subjects hold a text.
func (h *bareHouse) told(subject string) (n int) {
	h.t.Helper()
	for _, raw := range h.sink.of("operator@lab.test") {
		l, err := readLetter(raw)
		h.must(err)
		if strings.Contains(l.subject(), subject) {
			n++
		}
	}
	return n
}

// covered is the last number that a digest of the reader's covers.
func (h *bareHouse) covered() (last int64) {
	h.t.Helper()
	for _, raw := range h.sink.of("reader@lab.test") {
		m, _, err := audit.Read(raw)
		h.must(err)
		last = max(last, m.To)
	}
	return last
}

// audit proves from the reader's mails that each update that was promised, by number, came once: in the one digest whose
// window holds its number and, if it is urgent, in one alert. It gives how many mails came twice by SMTP's gap.
func (h *bareHouse) audit(promised map[int64]string, urgent ...string) (doubles int) {
	h.t.Helper()
	var mails []audit.Mail
	digests, alerts, seen := map[string]int{}, map[string]int{}, map[string]bool{}
	for _, raw := range h.sink.of("reader@lab.test") {
		m, ok, err := audit.Read(raw)
		if err != nil || !ok {
			h.t.Fatalf("the reader has a mail that is no edition: %v\n%s", err, raw)
		}
		mails = append(mails, m)
		l, err := readLetter(raw)
		h.must(err)
		if seen[m.MessageID] {
			continue
		}
		seen[m.MessageID] = true
		for title := range titles(l) {
			switch {
			case !l.digest():
				alerts[title]++
			default:
				digests[title]++
				for number, t := range promised {
					if t == title && (number < m.From || number > m.To) {
						h.t.Errorf("%s is number %d and is in the digest of %d-%d", title, number, m.From, m.To)
					}
				}
			}
		}
	}
	r := audit.Check(mails)
	for _, f := range r.Faults {
		h.t.Error(f)
	}
	last := int64(0)
	for number, title := range promised {
		last = max(last, number)
		if digests[title] != 1 {
			h.t.Errorf("%s, promised as number %d, is in %d digests", title, number, digests[title])
		}
	}
	if len(r.Series) != 1 || r.Series[0].From != 1 || r.Series[0].To < last {
		h.t.Errorf("digests %+v, want all from 1 to %d", r.Series, last)
	}
	for _, title := range urgent {
		if alerts[title] != 1 {
			h.t.Errorf("%s is in %d alerts", title, alerts[title])
		}
	}
	return r.Doubles
}

// titled is an update whose title titles finds.
func titled(i int, urgent bool, body string) (title, text string) {
	title = fmt.Sprintf("s0-%06d", i)
	return title, fmt.Sprintf(`{"project": "p%d", "title": %q, "urgent": %t, "body": %s}`, i%3, title, urgent, strconv.Quote(body))
}
