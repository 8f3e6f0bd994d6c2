package digest

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestJudgeBounce(t *testing.T) {
	p := DefaultBouncePolicy()
	day := 24 * time.Hour
	for name, c := range map[string]struct {
		class BounceClass
		times int
		every time.Duration
		alarm bool
		at    int // the bounce that suspends, from 1; 0 for none
	}{
		"hard":                       {BounceHard, 1, day, false, 1},
		"complaint":                  {BounceComplaint, 1, day, false, 1},
		"complaint while many fail":  {BounceComplaint, 1, day, true, 1},
		"hard while many fail":       {BounceHard, 4, day, true, 0},
		"soft, once":                 {BounceSoft, 1, day, false, 0},
		"soft, a week of days":       {BounceSoft, 10, day, false, 7},
		"full, a week of days":       {BounceFull, 10, day, false, 7},
		"soft, each hour of a day":   {BounceSoft, 20, time.Hour, false, 0},
		"soft, once in two weeks":    {BounceSoft, 100, 14 * day, false, 0},
		"blocked is about us":        {BounceBlocked, 100, day, false, 0},
		"delayed is no end":          {BounceDelayed, 100, day, false, 0},
		"what nobody has thought of": {BounceClass("odd"), 100, day, false, 0},
	} {
		r, now, at := BounceRecord{}, noon, 0
		for n := 1; n <= c.times && at == 0; n++ {
			var suspend bool
			r, suspend = JudgeBounce(r, p, &Bounce{Class: c.class, Status: "5.1.1", Text: "no such user"}, c.alarm, now)
			if suspend {
				at = n
				if !r.SuspendedAt.Equal(now) || !strings.HasSuffix(string(r.Reason), ": 5.1.1 no such user") {
					t.Errorf("%s: %+v", name, r)
				}
			}
			now = now.Add(c.every)
		}
		if at != c.at {
			t.Errorf("%s: suspended by bounce %d, want %d (%+v)", name, at, c.at, r)
		}
	}
}

func TestAScoreSurvivesAClockThatIsSet(t *testing.T) {
	r := BounceRecord{Score: 4500, ScoredAt: noon.AddDate(4, 0, 0)}
	r, suspend := JudgeBounce(r, DefaultBouncePolicy(), &Bounce{Class: BounceSoft}, false, noon)
	if !suspend || r.Score != 5500 || !r.ScoredAt.Equal(noon) {
		t.Errorf("%v %+v", suspend, r)
	}
	if r, _ := JudgeBounce(BounceRecord{}, DefaultBouncePolicy(), &Bounce{Class: BounceSoft}, false, noon); r.Score != 1000 {
		t.Errorf("%+v", r)
	}
}

func TestBounceOf(t *testing.T) {
	m := &Message{ID: 7, To: "ana@example.com", MessageID: "e@example.com"}
	said := func(code int, enhanced, about string) *SendError {
		return &SendError{Code: code, Enhanced: enhanced, Text: "words", Permanent: code >= 500, About: about}
	}
	for name, c := range map[string]struct {
		err   error
		state string
		want  BounceClass // empty: no bounce
	}{
		"no such user":               {said(550, "5.1.1", AboutRecipient), Failed, BounceHard},
		"no such domain":             {said(550, "5.1.2", AboutRecipient), Failed, BounceHard},
		"null MX":                    {said(556, "5.1.10", AboutRecipient), Failed, BounceHard},
		"mailbox closed":             {said(550, "5.2.1", AboutRecipient), Failed, BounceHard},
		"no such user, at the dot":   {said(550, "5.1.1", AboutMessage), Failed, BounceHard},
		"full":                       {said(552, "5.2.2", AboutRecipient), Failed, BounceFull},
		"550 alone":                  {said(550, "", AboutRecipient), Failed, BounceSoft},
		"the sender's address":       {said(550, "5.1.8", AboutRecipient), Failed, BounceSoft},
		"policy":                     {said(550, "5.7.1", AboutRecipient), Failed, BounceBlocked},
		"contents":                   {said(554, "5.6.0", AboutMessage), Failed, BounceBlocked},
		"too large":                  {said(552, "5.3.4", AboutMessage), Failed, BounceBlocked},
		"given up":                   {said(451, "4.2.0", AboutRecipient), Failed, BounceSoft},
		"to be tried again":          {said(451, "4.2.0", AboutRecipient), Queued, ""},
		"the server was not reached": {&SendError{Text: "refused", About: AboutServer}, Failed, ""},
		"taken":                      {nil, Delivered, ""},
		"another error":              {errors.New("odd"), Failed, ""},
	} {
		b, ok := BounceOf(m, Report{State: c.state}, c.err, noon)
		if ok != (c.want != "") || b.Class != c.want || ok && (b.Address != m.To || b.MessageID != m.MessageID || b.Text != "words" || !b.At.Equal(noon)) {
			t.Errorf("%s: %v %+v, want %q", name, ok, b, c.want)
		}
	}
}

func TestReturnPath(t *testing.T) {
	key := []byte("instance")
	got := ReturnPath("bounces@example.com", key, 42)
	local, ok := strings.CutPrefix(got, "bounces+b-")
	token, ok2 := strings.CutSuffix(local, "@example.com")
	purpose, id, ok3 := ReadToken(key, strings.ToUpper(token)) // some servers change the case
	if !ok || !ok2 || !ok3 || purpose != TokenBounce || id != "42" {
		t.Error(got)
	}
	long := strings.Repeat("x", 40) + "@example.com"
	if got := ReturnPath(long, key, 42); got != long {
		t.Errorf("%s is longer than RFC 5321 allows", got)
	}
}
