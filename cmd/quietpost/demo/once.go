package demo

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"
)

// expected is what has to stand in the readers' mails when the story has been told: in one of the alerts, or in the
// digests' texts.
var expected = []struct{ reader, kind, text string }{
	{"ana", "alert", "Checkout fails for one customer in five"},
	{"ana", "alert", "Guest checkout is switched off again; errors are falling"},
	{"ana", "alert", "Checkout works again: no errors for five minutes"},
	{"ana", "digest", "Can we stop supporting Android 9?"},
	{"ana", "digest", "Who is on call between the years?"},
	{"ana", "digest", "Guest checkout starts with cards only"},
	{"ana", "digest", "Checkout works again: no errors for five minutes"},
	{"ana", "digest", "PR #214 merged: Guest checkout"},
	{"ana", "digest", "CI passed on guest-checkout"},
	{"ana", "digest", "Deployed apollo 2026.48.1 to production"},
	{"ana", "digest", "Release v3.2.0 published: Beacon 3.2.0"},
	{"ana", "digest", "PR #91 merged: Keep all strings on the phone"},
	{"ana", "digest", "Issue #88 closed: The app closes itself when the language is changed offline"},
	{"ana", "digest", "Nightly backup done: 48.6 GB in 12 min"},
	{"ana", "digest", "2 commits to main"},
	{"ben", "digest", "Can we stop supporting Android 9?"},
	{"ben", "digest", "Release v3.2.0 published: Beacon 3.2.0"},
	{"ben", "digest", "PR #91 merged: Keep all strings on the phone"},
	{"ben", "digest", "Issue #88 closed: The app closes itself when the language is changed offline"},
}

// Once tells the story, waits for the mails that have to come of it, and prints them. It returns an error that names what
// did not arrive.
func (w *World) Once(ctx context.Context) error {
	wait := w.o.Wait
	if wait == 0 {
		wait = 30 * time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	began := time.Now()
	if err := w.Play(ctx); err != nil {
		return err
	}
	for {
		unread := w.refresh(ctx) // on a busy machine a connection may be late, which is no reason to give up before the time is over
		missing := w.missing()
		if len(missing) == 0 {
			break
		}
		select {
		case <-ctx.Done():
			w.print(w.o.Out, began)
			if unread != nil {
				missing = append(missing, "the mailboxes could not be read: "+unread.Error())
			}
			return fmt.Errorf("within %s this did not arrive: %s", wait, strings.Join(missing, "; "))
		case <-time.After(100 * time.Millisecond):
		}
	}
	w.print(w.o.Out, began)
	return nil
}

// missing says what should have arrived and has not.
func (w *World) missing() (out []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	texts := map[string]string{}
	upTo := map[string]int{}
	for i := range w.mails {
		m := &w.mails[i]
		texts[m.Reader+m.Kind] += " " + unwrapped(m.Text)
		upTo[m.Reader] = max(upTo[m.Reader], m.upTo())
	}
	for _, x := range expected {
		if !strings.Contains(texts[x.reader+x.kind], x.text) {
			who, _ := readerOf(x.reader)
			out = append(out, fmt.Sprintf("%s for %s: %q", x.kind, who.Name, x.text))
		}
	}
	if names, err := fs.Glob(storyFiles, "story/*"); err != nil || upTo["ana"] < len(names) {
		out = append(out, fmt.Sprintf("digests for Ana up to number %d of %d", upTo["ana"], len(names)))
	}
	return out
}

// unwrapped is a text without its line breaks.
func unwrapped(s string) string { return strings.Join(strings.Fields(s), " ") }

// print prints the mails that arrived, in order.
func (w *World) print(out io.Writer, began time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	fmt.Fprintf(out, "%d updates were posted; these mails came of them:\n", len(w.posted))
	counts := map[string]int{}
	for i := range w.mails {
		m := &w.mails[i]
		who, _ := readerOf(m.Reader)
		counts[m.Kind]++
		fmt.Fprintf(out, "\n==== %s for %s <%s>, after %.1f s\nSubject: %s\n\n%s\n", m.Kind, who.Name, who.Address,
			m.At.Sub(began).Seconds(), m.Subject, strings.TrimRight(m.Text, "\n"))
	}
	fmt.Fprintf(out, "\n%d alerts, %d digests\n", counts["alert"], counts["digest"])
}
