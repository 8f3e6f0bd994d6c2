package mailbox

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"quietpost/collector/reader"
	"quietpost/digest"
)

// flags are those of the mails in a folder, by subject, as another mail program sees them.
func (l *lab) flags(folder string) map[string][]imap.Flag {
	l.t.Helper()
	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", l.port))
	if err != nil {
		l.t.Fatal(err)
	}
	c := imapclient.New(conn, nil)
	defer c.Close()
	if err := c.Login("updates", "secret").Wait(); err != nil {
		l.t.Fatal(err)
	}
	box, err := c.Select(folder, &imap.SelectOptions{ReadOnly: true}).Wait()
	if err != nil || box.NumMessages == 0 {
		return nil
	}
	got, err := c.Fetch(imap.SeqSet{{Start: 1, Stop: 0}}, &imap.FetchOptions{Envelope: true, Flags: true}).Collect()
	if err != nil {
		l.t.Fatal(err)
	}
	out := map[string][]imap.Flag{}
	for _, m := range got {
		out[m.Envelope.Subject] = m.Flags
	}
	return out
}

func TestAfterKeepTouchesNothing(t *testing.T) {
	l, in := newLab(t), newIntake()
	m, _ := run(t, l.options(in))
	eventually(t, "connected", func() bool { return m.Status().Connected })
	l.put(mailOf("one"), time.Time{})
	eventually(t, "the mail", func() bool { return len(in.titles()) == 1 })
	if f := l.flags("INBOX"); len(f) != 1 || slices.Contains(f["one"], imap.FlagSeen) {
		t.Errorf("flags %v", f)
	}
	if mark := in.mark(); mark.Done != mark.UID {
		t.Errorf("%+v: these would be marked when after is changed later", mark)
	}
}

// Only what is stored is marked as read: not what was there before us.
func TestAfterSeen(t *testing.T) {
	l, in := newLab(t), newIntake()
	l.put(mailOf("old"), time.Now().Add(-48*time.Hour))
	o := l.options(in)
	o.After, o.Since = AfterSeen, time.Hour
	m, _ := run(t, o)
	eventually(t, "connected", func() bool { return m.Status().Connected })
	in.set(func() { in.full = true })
	l.put(mailOf("one"), time.Time{})
	eventually(t, "the disk is full", func() bool { in.mu.Lock(); defer in.mu.Unlock(); return in.refused > 0 })
	if f := l.flags("INBOX"); slices.Contains(f["one"], imap.FlagSeen) {
		t.Fatal("it was marked before it was stored")
	}
	in.set(func() { in.full = false })
	eventually(t, "marked", func() bool { return slices.Contains(l.flags("INBOX")["one"], imap.FlagSeen) })
	if f := l.flags("INBOX"); len(f) != 2 || slices.Contains(f["old"], imap.FlagSeen) {
		t.Errorf("flags %v", f)
	}
}

func TestAfterMove(t *testing.T) {
	l, in := newLab(t), newIntake()
	l.halt()
	l.caps[imap.CapMove] = struct{}{}
	l.start()
	o := l.options(in)
	o.After = AfterMove + "Done"
	m, _ := run(t, o)
	eventually(t, "connected", func() bool { return m.Status().Connected })
	l.put(mailOf("one"), time.Time{})
	eventually(t, "told that there is no such folder", func() bool { return m.Status().AfterErr != "" })
	if f := l.flags("INBOX"); len(f) != 1 || len(f["one"]) != 0 || len(in.titles()) != 1 {
		t.Fatalf("harmed: %v, items %v", f, in.titles())
	}
	if err := l.user.Create("Done", nil); err != nil {
		t.Fatal(err)
	}
	eventually(t, "moved", func() bool { return len(l.flags("Done")) == 1 && len(l.flags("INBOX")) == 0 })
	l.put(mailOf("two"), time.Time{})
	eventually(t, "moved too", func() bool { return len(l.flags("Done")) == 2 })
	eventually(t, "no complaint", func() bool { return m.Status().AfterErr == "" && m.Status().Connected })
	if got := in.titles(); !slices.Equal(got, []string{"one", "two"}) || in.dups != 0 {
		t.Errorf("took %v, %d twice", got, in.dups)
	}
}

// Without MOVE nothing is copied, marked as deleted or expunged.
func TestAfterMoveIsNeverEmulated(t *testing.T) {
	l, in := newLab(t), newIntake()
	if err := l.user.Create("Done", nil); err != nil {
		t.Fatal(err)
	}
	o := l.options(in)
	o.After = AfterMove + "Done"
	m, _ := run(t, o)
	eventually(t, "connected", func() bool { return m.Status().Connected })
	l.put(mailOf("one"), time.Time{})
	eventually(t, "told", func() bool { return strings.Contains(m.Status().AfterErr, "RFC 6851") })
	if a, b := l.flags("INBOX"), l.flags("Done"); len(a) != 1 || len(a["one"]) != 0 || len(b) != 0 || len(in.titles()) != 1 {
		t.Errorf("inbox %v, folder %v", a, b)
	}
}

// A server put back to an older state under the same UIDVALIDITY gives old UIDs anew: nothing new may hide below the mark.
func TestServerPutBack(t *testing.T) {
	l, in := newLab(t), newIntake()
	m, stop := run(t, l.options(in))
	eventually(t, "connected", func() bool { return m.Status().Connected })
	for _, s := range []string{"one", "two"} {
		l.put(mailOf(s), time.Time{})
		eventually(t, s, func() bool { return slices.Contains(in.titles(), s) })
	}
	stop()
	mark := in.mark()
	mark.UID += 5 // as if we had read further
	if err := in.SetMark(t.Context(), mark); err != nil {
		t.Fatal(err)
	}
	l.put(mailOf("three"), time.Time{})
	run(t, l.options(in))
	eventually(t, "the new one", func() bool { return slices.Contains(in.titles(), "three") })
	if got := in.titles(); !slices.Equal(got, []string{"one", "two", "three"}) {
		t.Errorf("took %v", got)
	}
}

// A mail whose reading ended the program twice is not read a third time. What came before it is stored first.
func TestReadingThatEndsTheProgram(t *testing.T) {
	l, in := newLab(t), newIntake()
	m, stop := run(t, l.options(in))
	eventually(t, "connected", func() bool { return m.Status().Connected })
	stop()
	for _, s := range []string{"before", "killer", "behind"} {
		l.put(mailOf(s), time.Time{})
	}
	reads := 0
	for life := 1; life <= maxTries; life++ {
		// The program ends in the midst of reading: nothing that runs afterwards may count, so the reading never comes back.
		gate := make(chan struct{})
		_, stop := run(t, l.options(in), func(m *Mailbox) { m.read = killer(&reads, gate) })
		eventually(t, "the try is written down", func() bool { return in.mark().Tries == life })
		if got := in.titles(); !slices.Equal(got, []string{"before"}) {
			t.Fatalf("life %d: took %v", life, got)
		}
		kept := in.mark()
		close(gate)
		stop()
		in.set(func() { // what a process that is gone could not do
			in.marks["updates"] = kept
			in.kept = in.kept[:1]
		})
	}
	run(t, l.options(in), func(m *Mailbox) { m.read = killer(&reads, nil) })
	eventually(t, "the mail behind it", func() bool { return slices.Contains(in.titles(), "behind") })
	if d := in.kept[1]; d.Receipt.State != digest.Quarantined || !strings.Contains(string(d.Receipt.Reason), "2 times") ||
		!strings.Contains(string(d.Receipt.Raw), "All of killer") {
		t.Errorf("receipt %q %q", d.Receipt.Reason, d.Receipt.Raw)
	}
	if in.mark().Tries != 0 || reads != maxTries {
		t.Errorf("mark %+v, read %d times", in.mark(), reads)
	}
}

// killer reads mails but for one, which it holds until gate is closed.
func killer(reads *int, gate chan struct{}) func([]byte, reader.Options) reader.Reading {
	return func(raw []byte, o reader.Options) reader.Reading {
		if strings.Contains(string(raw), "Subject: killer") {
			*reads++
			<-gate
		}
		return reader.Read(raw, o)
	}
}

// Mails of one batch find each other as if they had come one by one: the answer its thread, "[apollo]" the project.
func TestMailsOfOneBatchKnowEachOther(t *testing.T) {
	l, in := newLab(t), newIntake()
	l.put(strings.Replace(mailOf("begin"), "To: updates@", "To: updates+apollo@", 1), time.Time{})
	l.put("In-Reply-To: <begin@example.com>\n"+mailOf("Re: begin"), time.Time{})
	l.put(mailOf("[apollo] by name"), time.Time{})
	l.put(mailOf("[zeus] unknown"), time.Time{})
	o := l.options(in)
	o.Since = time.Hour
	run(t, o)
	eventually(t, "all", func() bool { return len(in.titles()) == 4 })
	var got []string
	for _, d := range in.kept {
		got = append(got, d.Items[0].Project+" "+d.Items[0].Thread)
	}
	if want := []string{"apollo mail/begin@example.com", "apollo mail/begin@example.com", "apollo mail/[apollo]-by-name@example.com",
		digest.Unsorted + " mail/[zeus]-unknown@example.com"}; !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

// What is older than the receipts that are kept is not read again: nobody would know it as read.
func TestRenumberedAfterReceiptsWent(t *testing.T) {
	l, in := newLab(t), newIntake()
	now := time.Now()
	if err := in.SetMark(t.Context(), digest.Mark{Inbox: "updates", UIDValidity: 99, UID: 40, Floor: now.Add(-3 * 365 * 24 * time.Hour)}); err != nil {
		t.Fatal(err)
	}
	l.put(mailOf("two years ago"), now.Add(-2*365*24*time.Hour))
	l.put(mailOf("last week"), now.Add(-7*24*time.Hour))
	o := l.options(in)
	o.Kept = 400 * 24 * time.Hour
	run(t, o)
	eventually(t, "read again", func() bool { return in.mark().UID == 2 })
	if got := in.titles(); !slices.Equal(got, []string{"last week"}) {
		t.Errorf("took %v", got)
	}
}
