package digest_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"quietpost/digest"
)

// A post is a mail desk with the letters that it wrote.
type post struct {
	*house
	words
	desk    *digest.MailDesk
	letters []digest.Letter
	n       int
}

func (p *post) Compose(l *digest.Letter) ([]byte, error) {
	p.letters = append(p.letters, *l)
	return []byte(l.Text), nil
}

func newPost(t *testing.T, people ...digest.Entry) *post {
	p := &post{house: newHouse(t, people...)}
	p.desk = &digest.MailDesk{Desk: p.house.desk, Store: p.store, Composer: p, Builder: p.builder}
	return p
}

// says hands a mail to the desk and gives the letter it answers with; empty for none.
func (p *post) says(m digest.DeskMail) (digest.Letter, digest.Reason, bool) {
	p.t.Helper()
	p.n++
	if m.Key == "" {
		m.Key = fmt.Sprint("mail ", p.n)
	}
	m.Inbox = "updates@example.com"
	if m.From == "" {
		m.From = "ana@example.com"
	}
	before := len(p.letters)
	why, handled, err := p.desk.Take(p.ctx, p.now, p.set, m)
	p.must(err)
	if len(p.letters) == before {
		return digest.Letter{}, why, handled
	}
	l := p.letters[len(p.letters)-1]
	if len(p.letters) != before+1 || l.To != m.From {
		p.t.Fatalf("%d letters for one mail, the last to %s", len(p.letters)-before, l.To)
	}
	return l, why, handled
}

// desks is a mail to the desk with this subject.
func desks(subject string) digest.DeskMail { return digest.DeskMail{Subject: subject, ToDesk: true} }

func (p *post) person(address string) *digest.Subscriber {
	p.t.Helper()
	people, err := p.store.Subscribers(p.ctx)
	p.must(err)
	for i := range people {
		if people[i].Address == address {
			return &people[i]
		}
	}
	return nil
}

// token is what stands in the address that a letter asks to answer to.
func token(l digest.Letter) string {
	_, rest, _ := strings.Cut(l.ReplyTo, "+c-")
	rest, _, _ = strings.Cut(rest, "@")
	return rest
}

func (p *post) wants(l digest.Letter, texts ...string) {
	p.t.Helper()
	for _, text := range texts {
		if !strings.Contains(l.Text, text) {
			p.t.Errorf("the letter %q does not say %q:\n%s", l.Subject, text, l.Text)
		}
	}
}

func TestSubscribeByMail(t *testing.T) {
	p := newPost(t)
	p.house.post(digest.Item{Project: "apollo", Title: "old news"})
	ask, _, _ := p.says(desks("subscribe apollo daily at 7:00 Europe/Lisbon"))
	p.wants(ask, "digests of apollo, every day at 07:00, Europe/Lisbon", "the first one Tue 24 November 2026, 07:00 WET", "https://quiet.test/c/"+token(ask))
	if s := p.person("ana@example.com"); s.State != digest.Pending || len(s.Subscriptions) != 0 || token(ask) == "" {
		t.Fatalf("%+v, reply to %s", s, ask.ReplyTo)
	}

	// A later request replaces the earlier one: the word given to one must not confirm the other.
	late, _, _ := p.says(desks("subscribe zeus"))
	if l, _, _ := p.says(digest.DeskMail{Token: token(ask)}); !strings.Contains(l.Text, "Nothing was changed") || p.person("ana@example.com").State != digest.Pending {
		t.Errorf("confirmed by an old letter: %s", l.Text)
	}
	for _, bad := range []string{"c.1-aaaaaaaa.000000000000000000000000", strings.Replace(token(late), "c.", "d.", 1), token(late)[:20], "x"} {
		if p.says(digest.DeskMail{Token: bad}); p.person("ana@example.com").State != digest.Pending {
			t.Fatalf("confirmed by %q", bad)
		}
	}
	done, _, _ := p.says(digest.DeskMail{Token: strings.ToUpper(token(late)), Text: "ok"})
	p.wants(done, "this is confirmed", "follows  zeus", "every day at 09:00, UTC", "Mon 23 November 2026, 09:00:00", "Tue 24", "Wed 25")
	s := p.person("ana@example.com")
	if s.State != digest.Active || !s.Alerts || len(s.Subscriptions) != 1 || s.Subscriptions[0].Cursor != 1 || s.Wish != "" {
		t.Errorf("%+v", s)
	}
	if !s.Subscriptions[0].NextSlot.Equal(p.now.Add(time.Hour)) {
		t.Errorf("next slot %v", s.Subscriptions[0].NextSlot)
	}
	if again, _, _ := p.says(digest.DeskMail{Token: token(late)}); !strings.Contains(again.Text, "Nothing was changed") {
		t.Errorf("confirmed twice: %s", again.Text)
	}
}

func TestAWishIsDeclinedOrForgotten(t *testing.T) {
	p := newPost(t)
	ask, _, _ := p.says(desks("subscribe"))
	l, _, _ := p.says(digest.DeskMail{Token: token(ask), Text: "No!\n\nI did not ask for it."})
	p.wants(l, "nothing was changed")
	if s := p.person("ana@example.com"); s.State != digest.Pending || s.Wish != "" {
		t.Errorf("%+v", s)
	}
	ask, _, _ = p.says(desks("subscribe"))
	p.now = p.now.Add(8 * 24 * time.Hour)
	if l, _, _ = p.says(digest.DeskMail{Token: token(ask)}); p.person("ana@example.com").State != digest.Pending {
		t.Errorf("confirmed after a week: %s", l.Text)
	}
}

// TestWhoGetsMailAlready: a forged From must not add mail; it may stop it, which the person is told.
func TestWhoGetsMailAlready(t *testing.T) {
	p := newPost(t, digest.Entry{Address: "ana@example.com", Projects: []string{"apollo"}, Schedule: "daily", Alerts: true})
	subs := func() string {
		s := p.person("ana@example.com")
		return fmt.Sprint(s.State, s.Subscriptions[0].Projects, s.Subscriptions[0].Schedule, " ", s.Zone)
	}
	ask, _, _ := p.says(desks("subscribe zeus at 16:00"))
	p.wants(ask, "digests of apollo, zeus, every day at 16:00")
	if got := subs(); got != "active[apollo]daily " {
		t.Errorf("%s before the word", got)
	}
	p.says(digest.DeskMail{Token: token(ask)})
	if got := subs(); got != "active[apollo zeus]0 16 * * * " {
		t.Errorf("%s", got)
	}
	m := desks("subscribe hera Europe/Lisbon")
	m.Authenticated = true
	l, _, _ := p.says(m)
	p.wants(l, "Done.", "follows  apollo, zeus, hera", "Europe/Lisbon")
	l, _, _ = p.says(desks("unsubscribe zeus"))
	p.wants(l, "you follow zeus no more")
	l, _, _ = p.says(desks("unsubscribe nobody"))
	p.wants(l, "you do not follow nobody")
	l, _, _ = p.says(desks("settings"))
	p.wants(l, "follows  apollo, hera", "every day at 16:00, Europe/Lisbon", "Mon 23 November 2026, 16:00:00 WET")
	l, _, _ = p.says(desks("unsubscribe"))
	p.wants(l, "you have left", "No mail from here comes")
	if got := subs(); got != "left[apollo hera]0 16 * * * Europe/Lisbon" {
		t.Errorf("%s", got)
	}

	// Who comes back begins anew: nothing of the time between comes, and the old filter serves no alerts.
	p.house.post(digest.Item{Project: "apollo", Title: "meanwhile"})
	ask, _, _ = p.says(desks("subscribe zeus"))
	p.says(digest.DeskMail{Token: token(ask)})
	s := p.person("ana@example.com")
	if len(s.Subscriptions) != 2 || !s.Subscriptions[0].Ended || s.WantsAlert("apollo") || !s.WantsAlert("zeus") ||
		s.Subscriptions[1].Cursor != 1 || s.State != digest.Active {
		t.Errorf("%+v", s)
	}
}

func TestPauseByMail(t *testing.T) {
	p := newPost(t, digest.Entry{Address: "ana@example.com", Projects: []string{"*"}, Schedule: "daily"})
	l, _, _ := p.says(desks("pause until 26 Nov"))
	p.wants(l, "paused until Thu 26 November 2026, 00:00 UTC", "Thu 26 November 2026, 09:00:00")
	p.house.post(digest.Item{Project: "apollo", Title: "while away"})
	for day := 23; day < 26; day++ {
		p.now = time.Date(2026, 11, day, 9, 0, 30, 0, time.UTC)
		_, err := p.house.desk.Wake(p.ctx, p.set, p.now)
		p.must(err)
		if mails := p.tick(); len(mails) > 0 {
			t.Fatalf("day %d: %v", day, mails)
		}
	}
	p.now = time.Date(2026, 11, 26, 0, 0, 1, 0, time.UTC)
	n, err := p.house.desk.Wake(p.ctx, p.set, p.now)
	if p.must(err); n != 1 || len(p.tick()) != 0 {
		t.Errorf("%d woken, or a mail at midnight", n)
	}
	p.now = time.Date(2026, 11, 26, 9, 0, 1, 0, time.UTC)
	if mails := p.tick(); len(mails) != 1 || !strings.Contains(mails[0], "while away") {
		t.Errorf("%v", mails)
	}
	p.says(desks("pause"))
	p.now = p.now.AddDate(2, 0, 0)
	if n, err := p.house.desk.Wake(p.ctx, p.set, p.now); err != nil || n != 0 {
		t.Errorf("%d woken of a pause without an end", n)
	}
	l, _, _ = p.says(desks("resume"))
	p.wants(l, "mail comes again")
	l, _, _ = p.says(desks("resume"))
	p.wants(l, "Nothing was paused")
}

func TestNothingLeaks(t *testing.T) {
	p := newPost(t, digest.Entry{Address: "ana@example.com", Projects: []string{"secret-project"}, Schedule: "daily"})
	for _, line := range []string{"settings", "unsubscribe", "pause", "resume", "unsubscribe secret-project", "help", "catch up 7d", "hm?", "pause until never"} {
		m := desks(line)
		m.From = "eve@elsewhere.example"
		l, _, handled := p.says(m)
		if !handled || l.To != m.From || strings.Contains(l.Text, "ana@") || strings.Contains(l.Text, "follow secret") {
			t.Errorf("%s: %s", line, l.Text)
		}
	}
	if s := p.person("eve@elsewhere.example"); s != nil {
		t.Errorf("%+v", s)
	}
	if s := p.person("ana@example.com"); s.State != digest.Active {
		t.Errorf("%+v", s)
	}
}

func TestTheDeskIsCareful(t *testing.T) {
	p := newPost(t)
	for _, from := range []string{"mailer-daemon@example.net", "no-reply@example.net", "updates+desk@example.com", "updates@example.com",
		"list-bounces@example.net", "owner-list@example.net"} {
		m := desks("help")
		m.From = from
		if l, why, handled := p.says(m); l.Text != "" || !handled || why == "" {
			t.Errorf("%s is answered", from)
		}
	}
	// One mail is answered once, however often it is read.
	m := desks("help")
	m.Key, m.MessageID = "one", "1@example.com"
	first, _, _ := p.says(m)
	again, _, _ := p.says(m)
	if first.MessageID != again.MessageID || !slices.Equal(first.References, []string{"1@example.com"}) {
		t.Errorf("%s and %s", first.MessageID, again.MessageID)
	}
	msgs, err := p.store.Messages(p.ctx, nil, 100)
	if p.must(err); len(msgs) != 1 || msgs[0].Lane != digest.LaneLetter || msgs[0].To != "ana@example.com" {
		t.Errorf("%+v", msgs)
	}
	// A loop, or somebody with patience, comes to an end.
	answers := 0
	for range 100 {
		if l, _, _ := p.says(desks("help")); l.Text != "" {
			answers++
		}
	}
	if answers == 0 || answers > 12 {
		t.Errorf("%d answers in an hour", answers)
	}
	p.now = p.now.Add(61 * time.Minute)
	if l, _, _ := p.says(desks("help")); l.Text == "" {
		t.Error("no answer an hour later")
	}
	strangers := 0
	for i := range 500 {
		m := desks("subscribe")
		m.From = fmt.Sprintf("victim%d@example.net", i)
		if l, _, _ := p.says(m); l.Text != "" {
			strangers++
		}
	}
	if strangers == 0 || strangers > 120 {
		t.Errorf("%d letters to strangers in an hour", strangers)
	}
}

// TestAnswersToDigests: a line that is a command is one; all else is an item, and is told of once.
func TestAnswersToDigests(t *testing.T) {
	p := newPost(t, digest.Entry{Address: "ana@example.com", Projects: []string{"*"}, Schedule: "daily", Alerts: true})
	p.house.post(digest.Item{Project: "apollo", Title: "news"})
	p.now = p.now.Add(time.Hour)
	p.tick()
	id := p.server.mails[0].MessageID
	answer := func(text string) digest.DeskMail {
		return digest.DeskMail{Subject: "apollo: news", Text: text, Answers: []string{"other@elsewhere", id}}
	}
	for text, command := range map[string]bool{
		"settings": true, "Pause until monday": true, "resume\n": true,
		"settings\nare fine, and I like the digest": false, "Stop the deploy, please.": false, "Thanks!": false, "": false,
	} {
		if _, _, handled := p.says(answer(text)); handled != command {
			t.Errorf("%q: handled %v", text, handled)
		}
	}
	if _, _, handled := p.says(digest.DeskMail{Subject: "x", Text: "settings", Answers: []string{"x@quiet.test", "y"}}); handled {
		t.Error("an answer to no mail of ours is a command")
	}
	kept := answer("Thanks!")
	kept.From, kept.Inbox, kept.Key = "ana@example.com", "updates@example.com", "k1"
	before := len(p.letters)
	p.must(p.desk.Kept(p.ctx, p.now, p.set, kept))
	kept.Key = "k2"
	p.must(p.desk.Kept(p.ctx, p.now, p.set, kept))
	kept.Answers = []string{"x@elsewhere"}
	p.must(p.desk.Kept(p.ctx, p.now, p.set, kept))
	msgs, err := p.store.Messages(p.ctx, nil, 100)
	p.must(err)
	told := 0
	for _, m := range msgs {
		if m.Subject == "Your answer to a digest was kept" {
			told++
		}
	}
	if told != 1 || len(p.letters) == before {
		t.Errorf("told %d times", told)
	}
}

// TestTheOperatorsWord confirms too: by the file, or by the shell, which also brings back who left.
func TestTheOperatorsWord(t *testing.T) {
	p := newPost(t)
	e := digest.Entry{Address: "ana@example.com", Projects: []string{"apollo"}, Schedule: "daily", Alerts: true}
	ask, _, _ := p.says(desks("subscribe zeus"))
	c, err := p.house.desk.Import(p.ctx, []digest.Entry{e})
	if p.must(err); c.Added != 1 || p.person(e.Address).State != digest.Active || p.person(e.Address).Subscriptions[0].Projects[0] != "apollo" {
		t.Fatalf("%+v %+v", c, p.person(e.Address))
	}
	p.says(digest.DeskMail{Token: token(ask)})
	if got := fmt.Sprint(p.person(e.Address).Subscriptions[0].Projects); got != "[apollo]" {
		t.Errorf("an old letter still confirms: %s", got)
	}
	if _, err := p.house.desk.Add(p.ctx, e, false); !errors.Is(err, digest.ErrExists) {
		t.Errorf("added twice: %v", err)
	}
	p.says(desks("unsubscribe"))
	if c, err = p.house.desk.Import(p.ctx, []digest.Entry{e}); err != nil || p.person(e.Address).State != digest.Left {
		t.Errorf("the file brings back who left: %+v %v", c, err)
	}
	s, err := p.house.desk.Add(p.ctx, e, false)
	if p.must(err); s.State != digest.Active || len(s.Subscriptions) != 2 || !s.Subscriptions[0].Ended || s.Subscriptions[1].Ended {
		t.Errorf("%+v", s)
	}
}

func TestCatchUpByMail(t *testing.T) {
	p := newPost(t, digest.Entry{Address: "ana@example.com", Projects: []string{"*"}, Schedule: "daily"})
	p.house.post(digest.Item{Project: "apollo", Title: "last week"})
	p.now = p.now.Add(8 * 24 * time.Hour)
	p.tick()
	p.house.post(digest.Item{Project: "apollo", Title: "this week"})
	p.now = p.now.Add(time.Hour)
	p.tick()
	m := desks("Catch up 2 days")
	m.At = p.now.Add(-time.Minute)
	for range 2 { // read twice, sent once
		if l, why, handled := p.says(m); !handled || l.Text != "" || !strings.HasPrefix(string(why), "a command: catch up") {
			t.Fatalf("%v %s %s", handled, why, l.Text)
		}
	}
	if mails := p.tick(); len(mails) != 1 || !strings.Contains(mails[0], "this week") || strings.Contains(mails[0], "last week") {
		t.Errorf("%v", mails)
	}
	p.now = p.now.Add(72 * time.Hour)
	p.tick()
	l, _, _ := p.says(desks("catch up 1d"))
	p.wants(l, "There was nothing in that time")
	p.house.post(digest.Item{Project: "gemini", Title: "of the other"})
	p.says(desks("catch up apollo 30d"))
	if mails := p.tick(); len(mails) != 1 || !strings.Contains(mails[0], "last week") || strings.Contains(mails[0], "of the other") {
		t.Errorf("%v", mails)
	}
	l, _, _ = p.says(desks("catch up 30d nothing-such"))
	p.wants(l, "There was nothing in that time")
	p.says(desks("pause"))
	l, _, _ = p.says(desks("catch up"))
	p.wants(l, "paused until you write")
}

// TestALongInboxAddress: where no token fits before the @, the answer brings it in its subject.
func TestALongInboxAddress(t *testing.T) {
	p := newPost(t)
	inbox := strings.Repeat("updates-", 6) + "@example.com"
	in := digest.DeskMail{Key: "1", Inbox: inbox, From: "ana@example.com", Subject: "subscribe", ToDesk: true}
	_, _, err := p.desk.Take(p.ctx, p.now, p.set, in)
	p.must(err)
	l := p.letters[len(p.letters)-1]
	if local, _, _ := strings.Cut(l.ReplyTo, "@"); len(local) > 64 || !strings.HasSuffix(local, "+desk") {
		t.Fatalf("reply to %s", l.ReplyTo)
	}
	in.Key, in.Subject = "2", l.Subject
	_, _, err = p.desk.Take(p.ctx, p.now, p.set, in)
	p.must(err)
	if s := p.person("ana@example.com"); s.State != digest.Active {
		t.Errorf("%+v", s)
	}
}

// TestWhereTheCommandStands: in the subject, or in the first line of the text, also below a greeting.
func TestWhereTheCommandStands(t *testing.T) {
	for _, m := range []digest.DeskMail{
		{Subject: "unsubscribe", Text: "settings"}, {Subject: "", Text: "unsubscribe"}, {Subject: "A question", Text: "Hi,\n\nplease unsubscribe me.\n\nThanks,\nAna"},
		{Subject: "please unsubscribe me"}, {Subject: "Apollo: release 2.4 out (+14)", Text: "unsubscribe\n"}, {Subject: "Hello", Text: "Dear desk,\nunsubscribe"},
	} {
		p := newPost(t, digest.Entry{Address: "ana@example.com", Projects: []string{"apollo"}, Schedule: "daily"})
		m.ToDesk = true
		if _, why, _ := p.says(m); p.person("ana@example.com").State != digest.Left {
			t.Errorf("%+v: %s", m, why)
		}
	}
}

// TestCommandSignedOff: thanks and a name below a command in answer to a digest leave it one; words of their own do not.
func TestCommandSignedOff(t *testing.T) {
	for text, want := range map[string]bool{
		"unsubscribe": true, "unsubscribe\n\nAna": true, "unsubscribe\n\nThanks,\nAna Lima": true, "pause until Monday\n\nThanks!": true, "stop\n\nViele Grüße\nAna": true,
		"stop\n\nthe deploy broke": false, "stop\n\nThe deploy broke": false, "help\n\nIt burns": false, "unsubscribe\n\nWhy is this so hard?": false,
	} {
		p := newPost(t, digest.Entry{Address: "ana@example.com", Projects: []string{"*"}, Schedule: "daily"})
		p.house.post(digest.Item{Project: "apollo", Title: "news"})
		p.now = p.now.Add(time.Hour)
		p.tick()
		if _, why, handled := p.says(digest.DeskMail{Subject: "news", Text: text, Answers: []string{p.server.mails[0].MessageID}}); handled != want {
			t.Errorf("%q: a command: %v (%s)", text, handled, why)
		}
	}
}

// TestWhoNeverAsked: an answer to the letter that asks is a yes, but not in the words of somebody who does not want it.
func TestWhoNeverAsked(t *testing.T) {
	for line, want := range map[string]string{
		"": digest.Active, "Yes": digest.Active, "ok, thanks": digest.Active, "Ja, bitte": digest.Active, "Nobody else needs it": digest.Active, "Notified!": digest.Active,
		"no": digest.Pending, "No, I did not ask for this": digest.Pending, "I didn't subscribe to anything": digest.Pending, "That was not me": digest.Pending,
		"Nein danke": digest.Pending, "Das habe ich nicht bestellt": digest.Pending, "Please remove me": digest.Pending, "this is spam": digest.Pending, "STOP": digest.Pending,
	} {
		p := newPost(t)
		l, _, _ := p.says(desks("subscribe apollo"))
		p.says(digest.DeskMail{Token: token(l), Subject: "Please confirm your subscription", Text: line})
		if got := p.person("ana@example.com").State; got != want {
			t.Errorf("%q: %s, want %s", line, got, want)
		}
	}
}
