package test

import (
	"fmt"
	"maps"
	"strings"
	"sync"

	"quietpost/digest/audit"
)

// editions is what an audit needs of the mails that came, so that hours of them fit in memory.
type editions struct {
	mu     sync.Mutex
	mails  map[string][]audit.Mail // by recipient
	alerts map[string][]string     // by recipient: the titles of each different alert
	odd    []string                // what was no mail of quietpost's, or not as they are
}

// served is up to which number a reader has all digests without a gap from the first.
func (k *editions) served(to string) (n int64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if r := audit.Check(k.mails[to]); len(r.Series) == 1 && r.Series[0].From == 1 && len(r.Faults) == 0 {
		return r.Series[0].To
	}
	return 0
}

// take keeps what there is to know of a mail.
func (k *editions) take(to string, raw []byte) {
	m, ok, err := audit.Read(raw)
	l, lerr := readLetter(raw)
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case err != nil || lerr != nil:
		k.odd = append(k.odd, fmt.Sprintf("to %s: %v, %v", to, err, lerr))
		return
	case !ok: // a word to the operators
		if to != operator {
			k.odd = append(k.odd, fmt.Sprintf("to %s: %s", to, l.subject()))
		}
		return
	}
	known := false
	for i := range k.mails[to] {
		known = known || k.mails[to][i].MessageID == m.MessageID
	}
	k.mails[to] = append(k.mails[to], m)
	if l.alert() && !known {
		for title := range titles(l) {
			k.alerts[to] = append(k.alerts[to], title)
		}
	}
}

const operator = "operator@lab.test"

// audit holds what was promised against what each reader got: each number in one window, each urgent update in one alert.
func (s *soak) audit() {
	s.sink.mu.Lock()
	met := maps.Clone(s.sink.met)
	s.sink.mu.Unlock()
	k := &s.kept
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, odd := range k.odd {
		s.t.Errorf("an odd mail %s", odd)
	}
	newest := s.numbers[lastTitle]
	byNumber := make(map[int64]string, len(s.numbers))
	for title, n := range s.numbers {
		if other := byNumber[n]; other != "" {
			s.t.Errorf("number %d was promised to %s and to %s", n, other, title)
		}
		byNumber[n] = title
	}
	doubles := 0
	for _, r := range soakReaders {
		report := audit.Check(k.mails[r.address])
		for _, f := range report.Faults {
			s.t.Errorf("%s: %s", r.address, f)
		}
		doubles += report.Doubles
		windows, seen := make([]int, newest+1), map[string]bool{}
		for _, m := range k.mails[r.address] {
			if !seen[m.MessageID] && m.To > 0 {
				for n := m.From; n <= min(m.To, newest); n++ {
					windows[n]++
				}
			}
			seen[m.MessageID] = true
		}
		wrong := 0
		for n := range byNumber {
			if windows[n] != 1 {
				wrong++
			}
		}
		if wrong > 0 {
			s.t.Errorf("%s: %d of %d promised numbers are not in exactly one window", r.address, wrong, len(byNumber))
		}
		s.auditAlerts(r.address, r.wants)
		s.t.Logf("%s: %d editions, %d came again; digests %+v; %d urgent updates in alerts", r.address, report.Editions, report.Doubles, report.Series,
			len(k.alerts[r.address]))
	}
	s.t.Logf("%d numbers promised (%d posts repeated for want of an answer), each in one window of each of %d readers; %d mails came twice; faults of the mail server, and how often met: %v",
		len(byNumber), s.unsure, len(soakReaders), doubles, met)
	if len(met) < 3 {
		s.t.Errorf("the mail server failed too little for a soak: %v", met)
	}
	if doubles > met[keepAnswer] {
		s.t.Errorf("%d mails came twice, and only %d times was an answer kept back", doubles, met[keepAnswer])
	}
}

func (s *soak) auditAlerts(address, wants string) {
	times := map[string]int{}
	for _, title := range s.kept.alerts[address] {
		if times[title]++; !s.urgent[title] {
			s.t.Errorf("%s: %s is in an alert and was not urgent", address, title)
		}
	}
	for title := range s.urgent {
		if n := times[title]; n > 1 || wants == "" && n == 0 || strings.Contains(wants, "alerts: false") && n > 0 {
			s.t.Errorf("%s: urgent %s is in %d alerts", address, title, n)
		}
	}
}
