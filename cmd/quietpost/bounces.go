package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"quietpost/digest"
)

// bounced takes in what came back of a mail: by a delivery report in an inbox, or as the server's answer at sending. A report
// that proves nothing is not ours to act on.
func (h *house) bounced(ctx context.Context, b digest.Bounce) error {
	err := h.bounces.Take(ctx, b)
	if errors.Is(err, digest.ErrNotFound) {
		h.log.Info("a report of no mail that is known", "address", b.Address, "class", string(b.Class), "text", b.Text)
		return nil
	}
	return err
}

// recorded counts and logs a bounce, and tells the operators when many addresses fail at once.
func (h *house) recorded(ctx context.Context, b digest.Bounce, who *digest.Subscriber, suspended bool, failing int) {
	h.metrics.bounces.WithLabelValues(string(b.Class)).Inc()
	log := h.log.With("address", who.Address, "class", string(b.Class), "status", b.Status, "text", b.Text)
	if suspended {
		log.Warn("suspended: no mail goes to this address", "reason", string(who.Bounces.Reason))
	} else {
		log.Info("bounced")
	}
	if failing == 0 {
		return
	}
	h.tell(ctx, "bounces", "mail to many addresses fails", fmt.Sprintf("Mail to %d addresses came back or was refused within an hour, the last to %s:\n\n  %s\n\n%s",
		failing, who.Address, strings.TrimSpace(b.Status+" "+b.Text), whoseFault(b.Class)))
}

// whoseFault says what many bounces of a class mean, and what helps.
func whoseFault(class digest.BounceClass) string {
	if class == digest.BounceBlocked {
		return `That speaks of this sender or of what it sends, not of the addresses, so nobody is suspended for it. docs/deliverability.md goes
through what providers ask for, and this checks it:

  quietpost doctor

What was refused is kept; once the fault is mended it can be sent:

  quietpost outbox retry --failed
`
	}
	return `That speaks of the addresses. If they are right, a server has lost its directory, and when it has found it again all is well;
so from now on nobody more is suspended at once. Who is suspended gets nothing until it is lifted, and then everything:

  quietpost subscribers list
  quietpost subscribers resume ADDRESS
`
}
