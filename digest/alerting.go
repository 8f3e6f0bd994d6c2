package digest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// TickAlerts tells everybody what NextAlert says they are to be told now, and settles the incidents of which nobody is
// to be told any more. Tally.Wait is when the next one is due.
func (b *Builder) TickAlerts(ctx context.Context, now time.Time, set *Settings) (t Tally, err error) {
	state, err := b.Store.AlertState(ctx, now.Add(-time.Hour))
	if err != nil || len(state.Incidents) == 0 {
		return t, err
	}
	people, err := b.Store.Subscribers(ctx)
	if err != nil {
		return t, err
	}
	marks := map[int64]map[int64]AlertMark{}
	for _, m := range state.Marks {
		if marks[m.Subscriber] == nil {
			marks[m.Subscriber] = map[int64]AlertMark{}
		}
		marks[m.Subscriber][m.Incident] = m
	}
	waiting := map[int64]bool{}
	for i := range people {
		who := &people[i]
		if who.State != Active || !who.Alerts {
			continue
		}
		own := marks[who.ID]
		if own == nil {
			own = map[int64]AlertMark{}
		}
		if err := b.alert(ctx, now, set, who, state.Incidents, own, state.Recent[who.ID], &t); err != nil {
			t.Faults = append(t.Faults, fmt.Errorf("alert for %s: %w", who.Address, err))
		}
		for j := range state.Incidents {
			inc := &state.Incidents[j]
			if who.WantsAlert(set.Policy.Project(inc.Project)) && len(untold(now, who, inc, own[inc.ID])) > 0 {
				waiting[inc.ID] = true
			}
		}
	}
	settled := map[int64]int64{}
	for i := range state.Incidents {
		if inc := &state.Incidents[i]; !waiting[inc.ID] {
			settled[inc.ID] = inc.Last()
		}
	}
	if len(settled) > 0 {
		err = b.Store.SettleIncidents(ctx, settled)
	}
	return t, err
}

// alert tells one person all that is due now, mail by mail.
func (b *Builder) alert(ctx context.Context, now time.Time, set *Settings, who *Subscriber, incidents []Incident,
	marks map[int64]AlertMark, recent []time.Time, t *Tally) error {
	quiet := QuietUntil(who, set.Calendar.Zone, now)
	for {
		step := NextAlert(now, set.Alerts, who, incidents, marks, recent, set.Policy.Project, quiet)
		if len(step.Send) == 0 {
			if !step.Wait.IsZero() {
				t.Wait = earlier(t.Wait, step.Wait)
			}
			return nil
		}
		c, err := b.alertEdition(now, set, who, step)
		if err == nil {
			err = b.commit(ctx, c, t)
		}
		if errors.Is(err, ErrConflict) || errors.Is(err, ErrExists) {
			return nil // somebody else was first, or the person changed: the next tick sees it
		}
		if err != nil {
			return err
		}
		for _, p := range step.Send {
			marks[p.Mark.Incident] = p.Mark
		}
		recent = append(recent, now)
	}
}

// alertEdition makes the edition of one alert mail.
func (b *Builder) alertEdition(now time.Time, set *Settings, who *Subscriber, step AlertStep) (Commit, error) {
	first := step.Send[0]
	key := AlertKey(who.ID, first.Incident.ID, first.Mark.N)
	e := Edition{ID: EditionID(set.Instance, key), Occasion: OccasionAlert, Key: key, Subscriber: who.ID, CreatedAt: now,
		From: first.New[0].Number, To: first.New[0].Number}
	e.MessageID = e.ID + "@" + b.Composer.Host()
	c := Commit{Edition: e}
	l := &Letter{To: who.Address, Name: who.Name, MessageID: e.MessageID, Date: now, ListID: "Quietpost alerts <alerts>",
		Edition: e.ID, Feedback: OccasionAlert}
	v := view(set, &e, who, who.Location(set.Calendar.Zone), now)
	var items []Item
	for _, p := range step.Send {
		v.Alerts = append(v.Alerts, alertView(set.Policy, &p))
		c.Marks = append(c.Marks, p.Mark)
		items = append(items, p.New...)
		root := strings.ReplaceAll(fmt.Sprintf("incident/%d/%d", who.ID, p.Incident.ID), "/", "-")
		l.References = append(l.References, EditionID(set.Instance, root)+"@"+b.Composer.Host())
	}
	for _, it := range items {
		c.Edition.From, c.Edition.To = min(c.Edition.From, it.Number), max(c.Edition.To, it.Number)
	}
	c.Edition.Items, c.Edition.Shown = len(items), len(items)
	if wait := now.Sub(items[0].ReceivedAt); wait > time.Minute && first.Mark.N == 1 {
		v.Held = "It was held until now: quiet hours, many alerts at once, or the service was down."
	}
	v.Edition, v.Subject = c.Edition, alertSubject(v.Alerts)
	v.Why = "You get this because it is urgent and you asked for alerts."
	if sub := who.current(); sub != nil && !sub.Ended && sub.NextSlot.After(now) {
		if sched, _, err := set.Calendar.Of(who, sub); err == nil {
			v.NextAt, v.Schedule = sub.NextSlot, sched.Words()
		}
	}
	v.Links = links(set, TokenLeaveAlerts, who.ID, e.ID)
	r, err := render(b.Renderer.Alert, v)
	if err != nil {
		r = plain(v, items)
	}
	l.Rendered = r
	if local, host, ok := strings.Cut(set.Inbox, "@"); ok && len(step.Send) == 1 { // what is answered joins the incident
		l.ReplyTo = local + "+i-" + ItemID(c.Edition.To) + "@" + host
	}
	c.Message, err = b.message(l, v.Links, LaneAlert, now)
	return c, err
}

func alertView(p *Policy, part *AlertPart) AlertView {
	inc := &part.Incident
	key := p.Project(inc.Project)
	a := AlertView{Project: key, ProjectTitle: p.Title(key), FollowUp: part.Mark.N > 1, Resolved: !inc.ResolvedAt.IsZero(),
		OpenedAt: inc.OpenedAt, ResolvedAt: inc.ResolvedAt, Items: part.New}
	for i := range inc.Items {
		if it := &inc.Items[i]; it.Urgent && it.Number <= part.Mark.UpTo {
			a.Why = it.Reasons["urgent"]
		}
		if inc.Items[i].Number < part.New[0].Number {
			a.Earlier++
		}
	}
	return a
}
