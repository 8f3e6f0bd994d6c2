package mailbox

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"quietpost/digest"
)

// fakeDesk notes what it is handed.
type fakeDesk struct {
	took, kept []digest.DeskMail
	handled    bool
	err        error
}

func (f *fakeDesk) Take(_ context.Context, m digest.DeskMail) (digest.Reason, bool, error) {
	f.took = append(f.took, m)
	return "a command", f.handled || m.ToDesk || m.Token != "", f.err
}

func (f *fakeDesk) Kept(_ context.Context, m digest.DeskMail) error {
	f.kept = append(f.kept, m)
	return nil
}

// deskBox is a mailbox that never connects: Delivery is what is tested.
func deskBox(t *testing.T, change func(*Options)) (*Mailbox, *fakeDesk) {
	t.Helper()
	desk := &fakeDesk{}
	in := newIntake()
	in.projects["apollo"] = true
	o := Options{Name: "updates", Address: "updates@example.com", Host: "localhost", Intake: in, Desk: desk,
		Now: func() time.Time { return time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC) },
		Thread: func(_ context.Context, id string) (string, string, error) {
			if id == "known" {
				return "zeus", "disk", nil
			}
			return "", "", digest.ErrNotFound
		},
		Titled: func(_ context.Context, project, title string) (string, error) {
			if project == "apollo" && title == "Release" {
				return "mail/first@example.com", nil
			}
			return "", digest.ErrNotFound
		}}
	if change != nil {
		change(&o)
	}
	m, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return m, desk
}

func deliver(t *testing.T, m *Mailbox, mail string) digest.Delivery {
	t.Helper()
	d, err := m.Delivery(t.Context(), []byte(strings.ReplaceAll(mail, "\n", "\r\n")), m.o.Now())
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestWhatTheDeskIsHanded(t *testing.T) {
	m, desk := deskBox(t, nil)
	for _, c := range []struct {
		mail string
		want string // "subject|text|token|to desk", or why not
	}{
		{"From: eve@elsewhere.example\nTo: updates+desk@example.com\nSubject: Re: subscribe apollo\n\nhello\n", "subscribe apollo|hello||true"},
		{"From: ana@example.com\nTo: updates+desk@example.com\nSubject: Re: [apollo] subscribe #zeus\n\n\n", "[apollo] subscribe #zeus|||true"},
		{"From: ana@example.com\nTo: updates.desk@example.com\nSubject: x\n\nsettings\n", "x|settings||true"},
		{"From: ana@example.com\nTo: updates@example.com\nSubject: Subscribe apollo daily\n\n\n", "subscribe apollo daily|||true"},
		{"From: ana@example.com\nTo: updates+c-c.1-x.y@example.com\nSubject: Re: Please confirm\n\nyes\n", "Please confirm|yes|c.1-x.y|false"},
		{"From: ana@example.com\nTo: updates@example.com\nIn-Reply-To: <e@example.com>\nSubject: Re: Digest\n\nstop\n\nOn Mon, 23 Nov 2026, Quietpost wrote:\n> news\n", "Digest|stop||false"},
		{"From: ana@example.com\nTo: updates+c-c.1-x.y@example.com\nAuto-Submitted: auto-replied\nSubject: Away\n\nI am away\n", "an automatic reply"},
		{"From: ana@example.com\nTo: updates+c-c.1-x.y@example.com\nSubject: Out of office: Please confirm\n\nI am away\n", "an automatic reply"},
		{"From: list@example.com\nTo: updates+desk@example.com\nList-Id: <l.example.com>\nSubject: help\n\n", "not carried out and not answered: it came from a mailing list"},
		{"From: bot@example.com\nTo: updates+desk@example.com\nPrecedence: bulk\nSubject: help\n\n", "not carried out and not answered: Precedence: bulk"},
		{"From: bot@example.com\nTo: updates+desk@example.com\nAuto-Submitted: auto-generated\nSubject: help\n\n", "not carried out and not answered: Auto-Submitted: auto-generated"},
		{"From: digest@example.com\nTo: updates+desk@example.com\nX-Quietpost-Edition: letter\nSubject: help\n\n", "a mail that quietpost made"},
		{"To: updates+desk@example.com\nSubject: help\n\n", "not carried out and not answered: it names no sender"},
		{"From: ana@example.com\nTo: updates@example.com\nSubject: Help is needed with the release\n\n", ""},
	} {
		desk.took = nil
		d := deliver(t, m, c.mail)
		got := string(d.Receipt.Reason)
		if len(desk.took) == 1 {
			x := desk.took[0]
			got = fmt.Sprintf("%s|%s|%s|%v", x.Subject, x.Text, x.Token, x.ToDesk)
			if x.Inbox != "updates@example.com" || x.Key == "" {
				t.Errorf("%+v", x)
			}
		}
		if got != c.want {
			t.Errorf("%q: %s, want %s", c.mail, got, c.want)
		}
		if c.want != "" && !strings.HasPrefix(c.want, "Digest") && (d.Receipt.State != digest.Ignored || len(d.Items) > 0) {
			t.Errorf("%q: %s with %d items", c.mail, d.Receipt.State, len(d.Items))
		}
	}

	m, _ = deskBox(t, func(o *Options) { o.Desk = nil })
	if d := deliver(t, m, "From: ana@example.com\nTo: updates+desk@example.com\nSubject: help\n\n"); d.Receipt.State != digest.Quarantined {
		t.Errorf("without a desk: %s %s", d.Receipt.State, d.Receipt.Reason)
	}
}

func TestAnswersThatAreItems(t *testing.T) {
	m, desk := deskBox(t, nil)
	mail := "From: ana@example.com\nTo: updates%s@example.com\nSubject: Re: %s\n%s\nCleaned up.\n"
	for _, c := range []struct{ part, subject, head, project, thread string }{
		{"+i-known", "Disk full", "In-Reply-To: <a@example.com>\n", "zeus", "disk"},
		{"+i-unknown", "[apollo] Disk full", "In-Reply-To: <a@example.com>\n", "apollo", "mail/a@example.com"},
		{"+apollo", "Release", "", "apollo", "mail/first@example.com"}, // by its subject
		{"+apollo", "Other", "Message-ID: <x@example.com>\n", "apollo", "mail/x@example.com"},
	} {
		d := deliver(t, m, fmt.Sprintf(mail, c.part, c.subject, c.head))
		if len(d.Items) != 1 || d.Items[0].Project != c.project || d.Items[0].Thread != c.thread || d.Items[0].Body != "Cleaned up." {
			t.Errorf("%s: %+v", c.part, d.Items)
		}
	}
	if len(desk.kept) != 2 || desk.kept[0].Answers[0] != "a@example.com" {
		t.Errorf("%+v", desk.kept)
	}
	desk.handled, desk.err = true, errors.New("disk full")
	if _, err := m.Delivery(t.Context(), fmt.Appendf(nil, mail, "", "x", "In-Reply-To: <a@x>\n"), m.o.Now()); err == nil {
		t.Error("a desk that fails lets the mail pass")
	}
}

func TestReportsReachTheRule(t *testing.T) {
	var got []digest.Bounce
	var fail error
	m, _ := deskBox(t, func(o *Options) {
		o.Bounce = func(_ context.Context, b digest.Bounce) error { got = append(got, b); return fail }
	})
	report := "From: mailer-daemon@mx.example.net\nReturn-Path: <>\nTo: updates+b-b.7.mac@example.com\nSubject: failure notice\n\nHi. This is the qmail-send program.\n\n<ana@example.net>:\n550 5.1.1 no such user\n"
	d := deliver(t, m, report)
	if d.Receipt.State != digest.Ignored || len(got) != 1 || got[0].Token != "b.7.mac" || got[0].Class != digest.BounceHard ||
		got[0].Address != "ana@example.net" || !got[0].At.Equal(m.o.Now()) {
		t.Errorf("%s %+v", d.Receipt.State, got)
	}
	fail = digest.ErrUnavailable
	if _, err := m.Delivery(t.Context(), []byte(report), m.o.Now()); !errors.Is(err, digest.ErrUnavailable) {
		t.Errorf("%v", err)
	}
}

// TestStateNeedsATrustedSender: who is not known must not end an incident, nor does a list vouch for who writes to it.
func TestStateNeedsATrustedSender(t *testing.T) {
	alert := "From: alerts@example.com\nTo: updates+apollo@example.com\nSubject: [RESOLVED] DiskFull (db1)\n\nfine\n"
	list := "From: Ana via Apollo <apollo@lists.example.com>\nReply-To: Ana <ana@example.com>\nList-Id: Apollo <apollo.lists.example.com>\nTo: apollo@lists.example.com\nSubject: [urgent] Fire\n\nx\n"
	m, _ := deskBox(t, nil)
	d := deliver(t, m, alert)
	if it := d.Items[0]; it.State != "" || it.Thread != "alert/DiskFull" || it.Event != "alert" {
		t.Errorf("unknown: %+v", it)
	}
	if it := deliver(t, m, list).Items[0]; it.Author != "Ana" || it.Authenticated || it.Urgent || it.Project != "apollo" {
		t.Errorf("by a list: %+v", it)
	}
	m, _ = deskBox(t, func(o *Options) { o.Trust = "inside" })
	if it := deliver(t, m, alert).Items[0]; it.State != "resolved" {
		t.Errorf("inside: %+v", it)
	}
}

func TestOneSenderCannotBuryTheOthers(t *testing.T) {
	m, _ := deskBox(t, nil)
	states := map[string]int{}
	for i := range maxPerSender + 5 {
		for range 2 { // read anew, as after a change of UIDVALIDITY, it is no further mail
			d := deliver(t, m, fmt.Sprintf("From: bot@example.com\nTo: updates@example.com\nSubject: %d\n\nx\n", i))
			states[d.Receipt.State]++
		}
	}
	if states[digest.Quarantined] != 2*5 {
		t.Errorf("%v", states)
	}
	if d := deliver(t, m, "From: ana@example.com\nTo: updates@example.com\nSubject: x\n\nx\n"); len(d.Items) != 1 {
		t.Errorf("another sender: %s", d.Receipt.Reason)
	}
	later := m.o.Now().Add(61 * time.Minute)
	if d, err := m.Delivery(t.Context(), []byte("From: bot@example.com\nSubject: x\n\nx\n"), later); err != nil || len(d.Items) != 1 {
		t.Errorf("an hour later: %v %s", err, d.Receipt.Reason)
	}
}

func TestWhoMayPost(t *testing.T) {
	m, _ := deskBox(t, func(o *Options) { o.Accept = []string{"*@example.com", "Build+*@ci.*.test", "b?b@example.org"} })
	for from, want := range map[string]bool{
		"ana@example.com":                   true,
		"s=ana/ou=sales/o=acme@example.com": true, // the address of an X.400 gateway (RFC 2156)
		"ANA@EXAMPLE.COM":                   true,
		"build+nightly/linux@ci.acme.test":  true,
		"build@ci.acme.test":                false,
		"ana@example.com.attacker.test":     false,
		"ana@sub.example.com":               false,
		"b?b@example.org":                   true,
		"bob@example.org":                   false,
	} {
		d := deliver(t, m, "From: "+from+"\nTo: updates@example.com\nSubject: x\n\nx\n")
		if got := len(d.Items) == 1; got != want {
			t.Errorf("%s may post: %v, want %v (%s)", from, got, want, d.Receipt.Reason)
		}
	}
}
