package test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"quietpost/collector/mailbox"
	"quietpost/digest"
	"quietpost/store/sqlite"
	"quietpost/test/maillab"
)

// TestAfterIMAP has a real Dovecot mark and move what is stored, also after it has renumbered its mails: only ours, once
// they are items, and none is gone.
func TestAfterIMAP(t *testing.T) {
	t.Parallel()
	const old = 50
	l := maillab.Start(t)
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "quietpost.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	in := &digest.Intake{Store: store}
	if err := in.SetPolicy(t.Context(), digest.NewPolicy(digest.Policy{})); err != nil {
		t.Fatal(err)
	}
	if err := l.Fill("inbox", old, time.Now().Add(-400*24*time.Hour), func(int) string { return "Old news.\r\n" }); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Doveadm("flags", "remove", "-u", maillab.Address("inbox"), `\Seen`, "mailbox", "INBOX", "ALL"); err != nil {
		t.Fatal(err)
	}
	count := func(query ...string) int {
		out, err := l.Doveadm(append([]string{"search", "-u", maillab.Address("inbox"), "mailbox"}, query...)...)
		if err != nil { // the mailbox is just being put in order
			return -1
		}
		return strings.Count(out, "\n")
	}
	watch := func(after string) (stop func()) {
		box, err := mailbox.New(mailbox.Options{Name: "updates", Address: maillab.Address("inbox"), Host: "localhost", Port: l.Ports.IMAPS,
			CAFile: l.CAFile, Username: maillab.Address("inbox"), Trust: "inside", After: after, Poll: time.Second,
			Password: func() (string, error) { return maillab.Password("inbox"), nil }, Intake: in, Now: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); box.Run(ctx) }()
		stop = func() { cancel(); <-done }
		t.Cleanup(stop)
		for end := time.Now().Add(30 * time.Second); !box.Status().Connected; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("not connected: %+v", box.Status())
			}
		}
		return stop
	}
	sent := 0
	deliver := func(n int) {
		for ; n > 0; n-- {
			sent++
			raw := fmt.Sprintf("From: ana@lab.test\r\nTo: inbox@lab.test\r\nSubject: new %d\r\nMessage-ID: <n%d@lab.test>\r\n\r\nText.\r\n", sent, sent)
			if err := l.DeliverLocal("ana@lab.test", maillab.Address("inbox"), strings.NewReader(raw)); err != nil {
				t.Fatal(err)
			}
		}
	}
	comes := func(what string, inbox, seen, archive int) {
		t.Helper()
		var got string
		for end := time.Now().Add(60 * time.Second); ; time.Sleep(200 * time.Millisecond) {
			items, err := store.Newest(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			got = fmt.Sprintf("%d items, %d in the inbox, %d of them read, %d moved, %d marked as deleted", items, count("INBOX"),
				count("INBOX", "SEEN"), count("Archive"), count("INBOX", "DELETED"))
			if got == fmt.Sprintf("%d items, %d in the inbox, %d of them read, %d moved, 0 marked as deleted", sent, inbox, seen, archive) {
				return
			}
			if time.Now().After(end) {
				t.Fatalf("%s: %s", what, got)
			}
		}
	}
	stop := watch(mailbox.AfterSeen)
	deliver(10)
	comes("seen", old+10, 10, 0)
	stop()
	stop = watch(mailbox.AfterMove + "Archive")
	deliver(10)
	comes("moved", old+10, 10, 10)
	files, err := filepath.Glob(filepath.Join(l.Dir, "mail", maillab.Address("inbox"), "Maildir", "dovecot*"))
	if err != nil {
		t.Fatal(err)
	}
	err = l.StopIMAP()
	for _, f := range files {
		err = errors.Join(err, os.Remove(f))
	}
	if err := errors.Join(err, l.StartIMAP()); err != nil {
		t.Fatal(err)
	}
	deliver(10)
	comes("moved after renumbering, with what was only marked before", old, 0, 30)
	stop()
}
