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
	letters, all := b.Letters(now, set, cause, subject, text)
	for _, m := range letters {
		if err := b.Store.AddMessage(ctx, m); err != nil && !errors.Is(err, ErrExists) {
			all = errors.Join(all, fmt.Errorf("telling %s: %w", m.To, err))
		}
	}
	return all
}

// Letters are those that Tell queues; they can also be sent without the outbox.
func (b *Builder) Letters(now time.Time, set *Settings, cause, subject, text string) (letters []Message, all error) {
	text += "\n\n-- \nquietpost tells its operators of this at most once an hour.\n"
	for _, to := range set.Operators {
		id := EditionID(set.Instance, fmt.Sprintf("notice/%s/%s/%d", to, cause, now.Unix()/3600)) + "@" + b.Composer.Host()
		raw, err := b.Composer.Compose(&Letter{Rendered: Rendered{Subject: OneLine("quietpost: "+subject, 150), Text: text},
			To: to, MessageID: id, Date: now})
		if err != nil {
			all = errors.Join(all, fmt.Errorf("telling %s: %w", to, err))
			continue
		}
		letters = append(letters, Message{Channel: ChannelEmail, Lane: LaneLetter, To: to, MessageID: id, Subject: subject,
			Bytes: raw, State: Queued, NextAt: now, CreatedAt: now})
	}
	return letters, all
}
