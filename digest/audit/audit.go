// Package audit proves from a reader's own mails, and from nothing else, that quietpost kept its word to them: the
// windows of their digests tile, and nothing came twice but for the one gap that SMTP leaves.
package audit

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/mail"
	"slices"
	"strconv"
	"strings"
)

// A Mail is what the audit reads of a mail.
type Mail struct {
	MessageID string            // without <>
	Edition   string            // X-Quietpost-Edition
	List      string            // the id in List-Id: one for a subscription's digests, one for alerts
	From, To  int64             // X-Quietpost-Window, both ends in it; both 0 where there is none
	Sum       [sha256.Size]byte // of the body: what does not change when servers write fields on top
}

// Read reads a mail as it lies in a mailbox. ok is false for one that is no edition of quietpost's. An edition that
// is not as editions are is an error.
func Read(raw []byte) (m Mail, ok bool, err error) {
	msg, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		return m, false, nil // a mailbox may hold anything
	}
	if m.Edition = msg.Header.Get("X-Quietpost-Edition"); m.Edition == "" {
		return m, false, nil
	}
	if m.MessageID = strings.Trim(msg.Header.Get("Message-Id"), "<> "); m.MessageID == "" {
		return m, true, fmt.Errorf("edition %s has no Message-ID", m.Edition)
	}
	list := msg.Header.Get("List-Id")
	m.List = strings.TrimSuffix(list[strings.LastIndexByte(list, '<')+1:], ">")
	body, err := io.ReadAll(msg.Body)
	if err != nil {
		return m, true, fmt.Errorf("edition %s: %w", m.Edition, err)
	}
	m.Sum = sha256.Sum256(bytes.ReplaceAll(body, []byte("\r\n"), []byte("\n"))) // a Maildir may keep either
	if w := msg.Header.Get("X-Quietpost-Window"); w != "" {
		if m.From, m.To, err = window(w); err != nil {
			return m, true, fmt.Errorf("edition %s: %w", m.Edition, err)
		}
	}
	return m, true, nil
}

// window reads "1042-1187".
func window(s string) (from, to int64, err error) {
	a, b, _ := strings.Cut(s, "-")
	from, err1 := strconv.ParseInt(a, 10, 64)
	to, err2 := strconv.ParseInt(b, 10, 64)
	if errors.Join(err1, err2) != nil || from < 1 || to < from {
		return 0, 0, fmt.Errorf("X-Quietpost-Window %q is no window; it should look like 1042-1187", s)
	}
	return from, to, nil
}

// A Series is one subscription's digests.
type Series struct {
	List    string `json:"list"`
	Digests int    `json:"digests"`
	From    int64  `json:"from"` // the numbers that they cover together
	To      int64  `json:"to"`
}

// A Report is what an audit found.
type Report struct {
	Editions int      `json:"editions"` // different ones
	Doubles  int      `json:"doubles"`  // mails that came again, the same to the letter under the same Message-ID: SMTP's gap
	Series   []Series `json:"series"`   // in order of List
	Faults   []string `json:"faults"`   // promises that were not kept; none is good
}

// Check audits one reader's mails, in any order.
func Check(mails []Mail) (r Report) {
	fault := func(format string, args ...any) { r.Faults = append(r.Faults, fmt.Sprintf(format, args...)) }
	byID, byEdition := map[string]Mail{}, map[string]string{}
	series := map[string][]Mail{}
	var lists []string
	for _, m := range mails {
		if old, again := byID[m.MessageID]; again {
			if r.Doubles++; old != m {
				fault("%s came twice and is not the same", m.MessageID)
			}
			continue
		}
		byID[m.MessageID] = m
		r.Editions++
		if other, again := byEdition[m.Edition]; again {
			fault("edition %s came as %s and as %s", m.Edition, other, m.MessageID)
		}
		byEdition[m.Edition] = m.MessageID
		if m.To == 0 {
			continue
		}
		if series[m.List] == nil {
			lists = append(lists, m.List)
		}
		series[m.List] = append(series[m.List], m)
	}
	slices.Sort(lists)
	for _, list := range lists {
		digests := series[list]
		slices.SortFunc(digests, func(a, b Mail) int { return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To)) })
		end := digests[0].From - 1
		for _, m := range digests {
			switch {
			case m.From > end+1:
				fault("%s: the numbers %d-%d are in no digest", list, end+1, m.From-1)
			case m.From <= end:
				fault("%s: the numbers %d-%d are in two digests, the second is %s", list, m.From, min(end, m.To), m.MessageID)
			}
			end = max(end, m.To)
		}
		r.Series = append(r.Series, Series{List: list, Digests: len(digests), From: digests[0].From, To: end})
	}
	return r
}
