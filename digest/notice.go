package digest

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Tell queues a letter to each operator: what is wrong and what to do. A cause is told at most once an hour, by the
// letter's Message-ID, whoever asks how often.
func (b *Builder) Tell(ctx context.Context, now time.Time, set *Settings, cause, subject, text string) error {
	var all error
	for _, to := range set.Operators {
		id := EditionID(set.Instance, fmt.Sprintf("notice/%s/%s/%d", to, cause, now.Unix()/3600)) + "@" + b.Composer.Host()
		text := text + "\n\n-- \nquietpost tells its operators of this at most once an hour.\n"
		raw, err := b.Composer.Compose(&Letter{Rendered: Rendered{Subject: OneLine("quietpost: "+subject, 150), Text: text},
			To: to, MessageID: id, Date: now})
		if err == nil {
			err = b.Store.AddMessage(ctx, Message{Channel: ChannelEmail, Lane: LaneLetter, To: to, MessageID: id,
				Subject: subject, Bytes: raw, State: Queued, NextAt: now, CreatedAt: now})
		}
		if err != nil && !errors.Is(err, ErrExists) {
			all = errors.Join(all, fmt.Errorf("telling %s: %w", to, err))
		}
	}
	return all
}
