package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"quietpost/config"
	"quietpost/digest"
)

// watchEvery is how often sources are looked at; one that brings what is not understood is looked at at once.
const watchEvery = time.Minute

// A watch gathers what the loop over the sources is to look at.
type watch struct {
	kick chan struct{}

	mu      sync.Mutex
	refused map[string]int // since they were last written down
	urged   bool
	looked  time.Time // when the sources were last looked at
	beat    time.Time // the hour that was last written down as one in which the daemon ran
}

// refuse counts a delivery whose secret was missing or wrong. Anybody can cause one, so it is written down with the others
// of its minute.
func (w *watch) refuse(source string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.refused == nil {
		w.refused = map[string]int{}
	}
	w.refused[source]++
}

// now has the sources looked at.
func (w *watch) now() {
	w.mu.Lock()
	w.urged = true
	w.mu.Unlock()
	kick(w.kick)
}

// due tells whether it is time to look, and takes what was counted.
func (w *watch) due(now time.Time) (hours []digest.SourceHour, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.urged && now.Sub(w.looked).Abs() < watchEvery {
		return nil, false
	}
	w.urged, w.looked = false, now
	hour := digest.HourOf(now)
	if !hour.Equal(w.beat) {
		hours = append(hours, digest.SourceHour{Hour: hour, Accepted: 1, Last: now})
		w.beat = hour
	}
	for source, n := range w.refused {
		hours = append(hours, digest.SourceHour{Source: source, Hour: hour, Refused: n})
	}
	w.refused = nil
	return hours, true
}

// tickWatch looks at what each source brought, and tells the operators of what is wrong with one, once, and once more when
// it is over. The rows of Troubles remember what was told; a letter that was queued but not remembered is the same letter
// again, which the outbox takes once.
func (h *house) tickWatch(ctx context.Context, g *generation) error {
	now := h.e.now()
	counted, ok := h.watch.due(now)
	if !ok {
		return nil
	}
	if !h.steady() { // what stands in the wrong year pushes what is right out
		counted = slices.DeleteFunc(counted, func(s digest.SourceHour) bool { return s.Source == "" })
	}
	if len(counted) > 0 {
		if err := h.store.AddSourceHours(ctx, counted); err != nil {
			return err
		}
	}
	hours, err := h.store.SourceHours(ctx, now.Add(-digest.HoursKept))
	if err != nil {
		return err
	}
	troubles, err := h.store.Troubles(ctx)
	if err != nil {
		return err
	}
	names := g.cfg.sourceNames()
	bySource, had := map[string][]digest.SourceHour{}, map[string]map[string]time.Time{}
	for _, s := range hours {
		bySource[s.Source] = append(bySource[s.Source], s)
	}
	for _, t := range troubles {
		if t.Source == "" { // the daemon's own: see keepNotices
			continue
		}
		if had[t.Source] == nil {
			had[t.Source] = map[string]time.Time{}
		}
		had[t.Source][t.What] = t.Since
	}
	ran := ranIn(bySource[""])
	var all error
	for _, name := range names {
		all = errors.Join(all, h.diagnose(ctx, g, now, name, bySource[name], ran, had[name]))
		delete(had, name)
	}
	for source, whats := range had { // no source of ours any more
		for what := range whats {
			all = errors.Join(all, h.store.EndTrouble(ctx, source, what))
		}
	}
	return all
}

// ranIn tells the hours in which the daemon ran.
func ranIn(hours []digest.SourceHour) func(time.Time) bool {
	ran := map[int64]bool{}
	for _, s := range hours {
		ran[s.Hour.Unix()] = true
	}
	return func(h time.Time) bool { return ran[h.Unix()] }
}

// diagnose tells what began and what is over with one source.
func (h *house) diagnose(ctx context.Context, g *generation, now time.Time, name string, hours []digest.SourceHour,
	ran func(time.Time) bool, had map[string]time.Time) error {
	found := digest.Diagnose(now, hours, ran, func(what string) bool { _, ok := had[what]; return ok })
	over := map[string]time.Time{}
	for what, since := range had {
		over[what] = since
	}
	for _, d := range found {
		delete(over, d.What)
		if _, known := had[d.What]; known {
			continue
		}
		h.log.Warn("source", "source", name, "trouble", d.What, "why", string(d.Why))
		subject, text, err := h.troubleText(ctx, g, name, &d)
		if err == nil {
			err = g.builder.Tell(ctx, now, g.set, d.What+"/"+name, subject, text)
		}
		if err == nil {
			err = h.store.BeginTrouble(ctx, digest.Trouble{Source: name, What: d.What, Since: d.Since})
		}
		if err != nil {
			return err
		}
		kick(h.outbox)
	}
	for what, since := range over {
		h.log.Info("source", "source", name, "over", what)
		subject := name + " " + map[string]string{digest.Silent: "speaks again", digest.Garbled: "is understood again", digest.Refused: "is let in again"}[what]
		text := fmt.Sprintf("What was wrong with the source %s since %s is over: it was %s.", name, stamp(since, g.cfg.TimeZone), what)
		if err := g.builder.Tell(ctx, now, g.set, "over/"+what+"/"+name, subject, text); err != nil {
			return err
		}
		if err := h.store.EndTrouble(ctx, name, what); err != nil {
			return err
		}
		kick(h.outbox)
	}
	return nil
}

// troubleText says what is wrong with a source, and what to do.
func (h *house) troubleText(ctx context.Context, g *generation, name string, d *digest.Diagnosis) (subject, text string, err error) {
	const more = "\n\nYou are told once more when this is over."
	switch i := slices.IndexFunc(g.cfg.Inboxes, func(b config.Inbox) bool { return b.Name == name }); d.What {
	case digest.Silent:
		if i >= 0 {
			return name + " is silent", "From the inbox " + name + " comes " + string(d.Why) + ". Perhaps mail to " + g.cfg.Inboxes[i].Address +
				" does not arrive any more, or a filter moves it to another folder: write one to it, and look into the mailbox with a " +
				"mail program.\n\n`quietpost doctor` tries the inbox step by step, `quietpost sources list` shows what each source last sent." + more, nil
		}
		return name + " is silent", "From the source " + name + " comes " + string(d.Why) + ". Perhaps its hook was switched off or fails: look at the " +
			"tool's own page of deliveries.\n\n`quietpost sources list` shows what each source last sent." + more, nil
	case digest.Refused:
		return name + " is refused", "Somebody posts as the source " + name + ", and is refused: " + string(d.Why) + ". If it is the tool, give it a secret " +
			"that stands in the source's secret_file; what it could not deliver it may be able to send again." + more, nil
	}
	subject = "input of " + name + " was not understood"
	text = "The source " + name + " brought something that could not be read as an update"
	kept, err := h.store.Receipts(ctx, digest.Quarantined, 1000)
	if err != nil {
		return "", "", err
	}
	for _, r := range kept {
		if r.Source == name {
			text += fmt.Sprintf(":\n\n  %s\n\nNothing is lost: it is kept as receipt %d with its raw bytes. `quietpost quarantine show %d` shows it; once "+
				"the configuration is mended, `quietpost quarantine replay %d` reads it again", r.Reason, r.ID, r.ID, r.ID)
			break
		}
	}
	return subject, text + ". `quietpost quarantine list` has all that was put aside; until this is over you get no mail for each." + more, nil
}

// sourceNames are the names of all sources: webhooks and inboxes.
func (c *loaded) sourceNames() (names []string) {
	for _, s := range c.Sources {
		names = append(names, s.Name)
	}
	for _, b := range c.Inboxes {
		names = append(names, b.Name)
	}
	return names
}
