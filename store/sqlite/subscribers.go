package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"quietpost/digest"
)

const subscriberColumns = "id, address, name, zone, locale, state, alerts, quiet, revision, imported, bounce_score, scored_at, suspended_at, suspended_for, paused_until, wish"

func scanSubscriber(rows *sql.Rows) (s digest.Subscriber, err error) {
	return s, rows.Scan(&s.ID, &s.Address, &s.Name, &s.Zone, &s.Locale, &s.State, &s.Alerts, &s.Quiet, &s.Revision, &s.Imported,
		&s.Bounces.Score, instant{&s.Bounces.ScoredAt}, instant{&s.Bounces.SuspendedAt}, &s.Bounces.Reason, instant{&s.PausedUntil}, &s.Wish)
}

const subscriptionColumns = "id, subscriber, projects, kinds, schedule, ended, cursor, mailed_to, next_slot, last_slot"

func scanSubscription(rows *sql.Rows) (s digest.Subscription, err error) {
	return s, rows.Scan(&s.ID, &s.Subscriber, list[[]string]{&s.Projects}, list[[]string]{&s.Kinds}, &s.Schedule, &s.Ended,
		&s.Cursor, &s.MailedTo, instant{&s.NextSlot}, instant{&s.LastSlot})
}

// Subscribers implements digest.SubscriberStore.
func (db *DB) Subscribers(ctx context.Context) (people []digest.Subscriber, err error) {
	err = db.snapshot(ctx, func(q querier) error {
		people, err = subscribersWhere(ctx, q, "true")
		return err
	})
	return people, err
}

// Subscriber implements digest.SubscriberStore.
func (db *DB) Subscriber(ctx context.Context, id int64) (who digest.Subscriber, err error) {
	err = db.snapshot(ctx, func(q querier) error {
		people, err := subscribersWhere(ctx, q, "id = ?", id)
		if err == nil && len(people) == 0 {
			err = fmt.Errorf("subscriber %d: %w", id, digest.ErrNotFound)
		}
		if err == nil {
			who = people[0]
		}
		return err
	})
	return who, err
}

// subscribersWhere reads the people that a condition on their row holds for, complete.
func subscribersWhere(ctx context.Context, q querier, where string, args ...any) ([]digest.Subscriber, error) {
	people, err := collect(ctx, q, scanSubscriber, "SELECT "+subscriberColumns+" FROM subscribers WHERE "+where+" ORDER BY id", args...)
	if err != nil {
		return nil, err
	}
	subs, err := collect(ctx, q, scanSubscription, "SELECT "+subscriptionColumns+` FROM subscriptions
		WHERE subscriber IN (SELECT id FROM subscribers WHERE `+where+") ORDER BY id", args...)
	if err != nil {
		return nil, err
	}
	byID := make(map[int64]*digest.Subscriber, len(people))
	for i := range people {
		byID[people[i].ID] = &people[i]
	}
	for _, s := range subs {
		p := byID[s.Subscriber]
		p.Subscriptions = append(p.Subscriptions, s)
	}
	return people, nil
}

// SaveSubscriber implements digest.SubscriberStore.
func (db *DB) SaveSubscriber(ctx context.Context, s digest.Subscriber) (digest.Subscriber, error) {
	var saved digest.Subscriber
	err := db.writer.write(ctx, false, func(ctx context.Context, c *sql.Conn) error {
		id, err := saveSubscriber(ctx, c, &s)
		if err != nil {
			return err
		}
		people, err := subscribersWhere(ctx, c, "id = ?", id)
		if err != nil {
			return err
		}
		saved = people[0]
		return nil
	})
	if err != nil {
		return digest.Subscriber{}, err
	}
	return saved, nil
}

// saveSubscriber writes a person with their subscriptions.
func saveSubscriber(ctx context.Context, c *sql.Conn, s *digest.Subscriber) (id int64, err error) {
	if id, err = savePerson(ctx, c, s); err != nil {
		return 0, fmt.Errorf("subscriber %s: %w", s.Address, err)
	}
	for _, save := range []func(context.Context, *sql.Conn, int64, *digest.Subscription) error{replaceSubscription, addSubscription} {
		for i := range s.Subscriptions { // what is there first, so that an ID never means one that is just being made
			if err := save(ctx, c, id, &s.Subscriptions[i]); err != nil {
				return 0, fmt.Errorf("subscription %d of %s: %w", s.Subscriptions[i].ID, s.Address, err)
			}
		}
	}
	return id, nil
}

func savePerson(ctx context.Context, c *sql.Conn, s *digest.Subscriber) (id int64, err error) {
	if s.ID == 0 {
		res, err := c.ExecContext(ctx, `INSERT INTO subscribers (address, name, zone, locale, state, alerts, quiet, imported, bounce_score,
			scored_at, suspended_at, suspended_for, paused_until, wish, revision) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1)`, personValues(s)...)
		if isUnique(err) {
			return 0, digest.ErrExists
		}
		if err != nil {
			return 0, err
		}
		return res.LastInsertId()
	}
	n, err := changed(ctx, c, `UPDATE subscribers SET address = ?, name = ?, zone = ?, locale = ?, state = ?, alerts = ?, quiet = ?,
		imported = ?, bounce_score = ?, scored_at = ?, suspended_at = ?, suspended_for = ?, paused_until = ?, wish = ?, revision = revision + 1
		WHERE id = ? AND revision = ?`, append(personValues(s), s.ID, s.Revision)...)
	switch {
	case isUnique(err):
		return 0, digest.ErrExists
	case err != nil || n == 1:
		return s.ID, err
	}
	err = c.QueryRowContext(ctx, "SELECT id FROM subscribers WHERE id = ?", s.ID).Scan(&id)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return 0, digest.ErrNotFound
	case err != nil:
		return 0, err
	}
	return 0, digest.ErrConflict
}

// personValues are a person's columns but for ID and revision.
func personValues(s *digest.Subscriber) []any {
	return []any{s.Address, s.Name, s.Zone, s.Locale, s.State, s.Alerts, s.Quiet, s.Imported, s.Bounces.Score, at(s.Bounces.ScoredAt),
		at(s.Bounces.SuspendedAt), s.Bounces.Reason, at(s.PausedUntil), s.Wish}
}

// addSubscription inserts a subscription that has no ID yet.
func addSubscription(ctx context.Context, c *sql.Conn, person int64, s *digest.Subscription) error {
	if s.ID != 0 {
		return nil
	}
	n, err := newest(ctx, c)
	if err != nil {
		return err
	}
	return exec(ctx, c, `INSERT INTO subscriptions (subscriber, projects, kinds, schedule, ended, cursor, mailed_to, next_slot)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, ?7)`,
		person, text(s.Projects, len(s.Projects)), text(s.Kinds, len(s.Kinds)), s.Schedule, s.Ended, n, at(s.NextSlot))
}

// replaceSubscription writes one that has an ID.
func replaceSubscription(ctx context.Context, c *sql.Conn, person int64, s *digest.Subscription) error {
	if s.ID == 0 {
		return nil
	}
	n, err := changed(ctx, c, `UPDATE subscriptions SET projects = ?, kinds = ?, schedule = ?, ended = ?, next_slot = ?
		WHERE id = ? AND subscriber = ?`,
		text(s.Projects, len(s.Projects)), text(s.Kinds, len(s.Kinds)), s.Schedule, s.Ended, at(s.NextSlot), s.ID, person)
	if err == nil && n == 0 {
		return digest.ErrNotFound
	}
	return err
}
