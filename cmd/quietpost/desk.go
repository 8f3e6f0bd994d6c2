package main

import (
	"context"
	"strings"

	"quietpost/digest"
)

// deskDoor is the desk as the inboxes see it, by the configuration in force.
type deskDoor struct{ h *house }

// Take carries out a command by mail.
func (d deskDoor) Take(ctx context.Context, m digest.DeskMail) (digest.Reason, bool, error) {
	h := d.h
	why, handled, err := h.mailDesk().Take(ctx, h.e.now(), h.gen.Load().set, m)
	if handled && err == nil {
		h.log.Info("a command by mail", "address", m.From, "reason", string(why))
		kick(h.outbox)
	}
	return why, handled, err
}

// Kept is told of an answer that became an item.
func (d deskDoor) Kept(ctx context.Context, m digest.DeskMail) error {
	defer kick(d.h.outbox)
	return d.h.mailDesk().Kept(ctx, d.h.e.now(), d.h.gen.Load().set, m)
}

// mailDesk is the desk's door for mail under the configuration in force.
func (h *house) mailDesk() *digest.MailDesk { return h.gen.Load().desk }

// threadOfItem is where an answer to an item belongs.
func (h *house) threadOfItem(ctx context.Context, id string) (project, thread string, err error) {
	n, ok := digest.ItemNumber(id)
	if !ok {
		return "", "", digest.ErrNotFound
	}
	it, err := h.store.Item(ctx, n)
	switch {
	case err != nil:
		return "", "", err
	case it.Thread != "":
		return it.Project, it.Thread, nil
	case it.MessageID != "":
		return it.Project, "mail/" + it.MessageID, nil
	}
	return it.Project, "item/" + id, nil
}

// titled is how many of a project's newest items an answer may mean by its subject alone.
const titled = 200

// threadTitled is the thread of a project's newest item of this title.
func (h *house) threadTitled(ctx context.Context, project, title string) (string, error) {
	items, err := h.store.Items(ctx, digest.ItemQuery{Projects: h.gen.Load().set.Policy.Keys(project), Limit: titled})
	if err != nil {
		return "", err
	}
	for i := range items {
		if items[i].Thread != "" && strings.EqualFold(items[i].Title, title) {
			return items[i].Thread, nil
		}
	}
	return "", digest.ErrNotFound
}

// wake ends the pauses whose time is over.
func (h *house) wake(ctx context.Context, g *generation) {
	woken, err := h.desk.Wake(ctx, g.set, h.e.now())
	if err != nil && ctx.Err() == nil {
		h.log.Error("ending pauses", "error", err)
	}
	if woken > 0 {
		h.log.Info("pauses are over", "people", woken)
	}
}

// confirmer is the desk as the confirmation page sees it.
type confirmer struct{ h *house }

// Waiting shows what a link would put in force.
func (c confirmer) Waiting(ctx context.Context, token string) (digest.Subscriber, error) {
	return c.h.desk.Waiting(ctx, c.h.gen.Load().set, token, c.h.e.now())
}

// Confirm puts it in force or drops it.
func (c confirmer) Confirm(ctx context.Context, token string, yes bool) (digest.Subscriber, error) {
	return c.h.desk.Confirm(ctx, c.h.gen.Load().set, token, yes, c.h.e.now())
}
