package digest

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Retention is how long things are kept. Numbers are never given again, whatever was swept.
type Retention struct {
	Raw      time.Duration // header and body of a delivery; of a quarantined one as long as Items
	Items    time.Duration // items and receipts, of whom nobody waits for; twice as long for who is paused or suspended
	Editions time.Duration // the ledger and messages that are done
}

// A SweepOrder says what may go. Instants are compared with when a thing was received or made.
type SweepOrder struct {
	RawBefore, ItemsBefore, EditionsBefore time.Time

	// UpTo is the highest number that may go. Counted are cursors below it, ascending: subscriptions that stand still and
	// will be told how much they missed, so what goes behind the first of them is counted, and no count reaches over one.
	UpTo    int64
	Counted []int64
}

// A Sweeper is a store whose old rows can be taken away.
type Sweeper interface {
	// Sweep takes away at most limit rows of each sort that an order lets go, in one transaction, and gives space back to
	// the file system. It returns how many rows went; 0 when nothing is left to do. Receipts that are quarantined keep
	// their bytes until ItemsBefore. A receipt goes with its items; incidents and what was told of them go with their last
	// item.
	Sweep(ctx context.Context, o SweepOrder, limit int) (rows int, err error)
}

// A SweptCount is how many items of one project (as stored) and kind are gone.
type SweptCount struct {
	Project, Kind string
	Items         int
}

// Orders are what retention lets go now: what nobody waits for, and of what only the paused or suspended wait for, that
// which is twice as old.
func (r Retention) Orders(now time.Time, newest int64, people []Subscriber) []SweepOrder {
	waits, active := newest, newest
	var still []int64
	for i := range people {
		who := &people[i]
		if who.State == Left {
			continue
		}
		for j := range who.Subscriptions {
			s := &who.Subscriptions[j]
			if s.Ended {
				continue
			}
			waits = min(waits, s.Cursor)
			if who.State == Active {
				active = min(active, s.Cursor)
			} else {
				still = append(still, s.Cursor)
			}
		}
	}
	o := SweepOrder{RawBefore: now.Add(-r.Raw), ItemsBefore: now.Add(-r.Items), EditionsBefore: now.Add(-r.Editions), UpTo: waits}
	slices.Sort(still)
	if active == waits {
		return []SweepOrder{o}
	}
	return []SweepOrder{o, {ItemsBefore: now.Add(-2 * r.Items), UpTo: active, Counted: still}}
}

// missed is what a subscription would have been shown of what is gone.
func missed(counts []SweptCount, s *Subscription, p *Policy) (n int) {
	for _, c := range counts {
		if s.Wants(p.Project(c.Project), c.Kind) {
			n += c.Items
		}
	}
	return n
}

// missedWords tells a reader of it.
func missedWords(n int) string {
	switch n {
	case 0:
		return ""
	case 1:
		return "1 older update is no longer kept."
	}
	return fmt.Sprintf("%d older updates are no longer kept.", n)
}
