package digest

import (
	"context"
	"maps"
	"slices"
	"time"
)

// Store is all that is kept. Every method is one transaction; what it returns is on disk (a durable commit) when it
// returns without an error. Instants are stored in milliseconds UTC; a zero time.Time is stored as none. A method that
// finds nothing to change where one thing is asked for gives ErrNotFound; a lost compare-and-set gives ErrConflict; a
// disk that does not take the write gives ErrUnavailable. All methods may be called from many goroutines. The contract
// suite in store/storetest is the test of every word here.
type Store interface {
	IntakeStore
	SubscriberStore
	EditionStore
	OutboxStore
	ArchiveStore
	SourceStore
	Close() error
}

// IntakeStore takes in what the doors bring.
type IntakeStore interface {
	// AddItems keeps a delivery: its receipt, its items in order with rising numbers, the mark, and each item's
	// IncidentStep. If a receipt of the same source and key is there (and received less than SameWithin before this
	// one, where that is set), nothing is added but the mark is moved, and the result repeats the first answer with
	// Duplicate set, and Differs if the sums differ. A delivery with a step waits for no other: the writer takes it first.
	// A delivery that fails does not fail others that share its commit.
	//
	// What is not a duplicate is counted in its SourceHour. A delivery with Replay set adds no receipt and counts nothing:
	// it gives the receipt of that ID its State, its Reason and these items, if the receipt is still Quarantined; else
	// ErrConflict, or ErrNotFound if there is none.
	AddItems(ctx context.Context, d Delivery) (Result, error)

	// AddBatch keeps deliveries of one source in their order, each as AddItems would, all of them or none. None is a
	// replay.
	AddBatch(ctx context.Context, ds []Delivery) ([]Result, error)

	// Mark gives an inbox's mark; ErrNotFound before first contact.
	Mark(ctx context.Context, inbox string) (Mark, error)

	// SetMark writes an inbox's mark where no mail is taken in: at first contact, and past mails that are not ours.
	SetMark(ctx context.Context, m Mark) error

	// ProjectKeys are the projects of all items there ever were, unresolved aliases among them, in order of name.
	ProjectKeys(ctx context.Context) ([]string, error)

	// ThreadOf finds the project and thread of the newest item whose MessageID is one of these; ErrNotFound.
	ThreadOf(ctx context.Context, messageIDs []string) (project, thread string, err error)
}

// SubscriberStore keeps people. It decides nothing: the desk reads, changes and saves.
type SubscriberStore interface {
	// Subscribers are all of them with their subscriptions, in order of ID.
	Subscribers(ctx context.Context) ([]Subscriber, error)

	// Subscriber gives one with subscriptions; ErrNotFound.
	Subscriber(ctx context.Context, id int64) (Subscriber, error)

	// SaveSubscriber inserts a person with ID 0 (ErrExists if the address is taken), and otherwise replaces the one with
	// this ID if its Revision is still the given one, else ErrConflict. Subscriptions with ID 0 are inserted with
	// Cursor and MailedTo at the newest number of that moment; those that are not listed are left alone; Cursor,
	// MailedTo and LastSlot of existing ones are never written. It returns what now stands, Revision risen by one.
	SaveSubscriber(ctx context.Context, s Subscriber) (Subscriber, error)
}

// EditionStore cuts editions and keeps the ledger.
type EditionStore interface {
	// InstanceKey is a random secret of this database, 32 bytes, made with it.
	InstanceKey(ctx context.Context) ([]byte, error)

	// Newest is the highest number given so far, 0 if none ever was; it does not fall when items are swept.
	Newest(ctx context.Context) (int64, error)

	// Due are the running subscriptions of active subscribers whose NextSlot is at now or before, with their subscribers
	// (whose Subscriptions are complete), in order of ID.
	Due(ctx context.Context, now time.Time) ([]Due, error)

	// SetNextSlot moves the next slots of subscriptions, each only if its next slot is still the given Old one; a
	// lost one is left alone and is no error.
	SetNextSlot(ctx context.Context, moves []SlotMove) error

	// Window are the items with after < number <= upTo in order of number, their bodies cut to excerpt bytes at a
	// character (0: none).
	Window(ctx context.Context, after, upTo int64, excerpt int) ([]Item, error)

	// Swept counts the items in after < number <= upTo that retention took away before a subscription that stood still was
	// served with them, in order of project and kind.
	Swept(ctx context.Context, after, upTo int64) ([]SweptCount, error)

	// AlertState is what there is to alert of, and who was alerted since the given moment.
	AlertState(ctx context.Context, since time.Time) (AlertState, error)

	// SettleIncidents takes incidents out of AlertState until a newer item joins them: each only if its newest item is
	// still the number given.
	SettleIncidents(ctx context.Context, last map[int64]int64) error

	// AlertedItems are the numbers in after < number <= upTo that alerts which a server took have told a subscriber.
	AlertedItems(ctx context.Context, subscriber, after, upTo int64) (map[int64]bool, error)

	// CommitEdition writes an edition, its message and its moves. ErrExists if the occasion has an edition already;
	// ErrConflict if the cursor or a mark is no longer as expected, or the subscriber not active any more. For a digest the
	// subscription's Cursor moves to Edition.To, MailedTo too unless the edition is empty, LastSlot to Edition.Slot, NextSlot
	// to Commit.NextSlot. A message is inserted Queued with Edition.ID.
	CommitEdition(ctx context.Context, c Commit) error
}

// A Due is a subscription whose slot has come.
type Due struct {
	Subscriber   Subscriber
	Subscription Subscription
}

// A SlotMove moves one subscription's next slot.
type SlotMove struct {
	Subscription int64
	Old, New     time.Time
}

// OutboxStore keeps messages on their way.
type OutboxStore interface {
	// AddMessage queues a letter. ErrExists if its MessageID is there already.
	AddMessage(ctx context.Context, m Message) error

	// Lease takes up to limit Queued messages of the lanes whose NextAt is at now or before, or Sending ones whose lease has
	// run out; both too where that is further off than FarOff. By LaneRank, then by NextAt and ID. Messages with an edition to
	// the address of a Suspended subscriber wait. Each is written down as an attempt before it is returned: State
	// Sending, Attempts and Lease one higher, LeasedUntil as given.
	Lease(ctx context.Context, now, until time.Time, lanes []string, limit int) ([]Message, error)

	// Report writes down how attempts ended; each only if the message is still Sending under that lease, else it is
	// left alone and its ID returned in lost. Delivered and Failed set DoneAt to now; Delivered drops the bytes.
	Report(ctx context.Context, now time.Time, reports []Report) (lost []int64, err error)

	// FreeLeases puts all Sending messages back to Queued, due at now: for the start of the only sender there is. It
	// returns how many.
	FreeLeases(ctx context.Context, now time.Time) (int, error)

	// SetMessage is the operator's word on a message that is Queued or Failed: Queued makes it due at now with no attempts
	// made and no DoneAt, which needs its bytes (ErrNotFound without); Failed gives it up at now with this answer, and drops
	// its bytes. ErrConflict in other states, ErrNotFound if there is none.
	SetMessage(ctx context.Context, now time.Time, id int64, state, answer string) error

	// RecordBounce keeps a bounce, turns its message from Delivered to Bounced with the bounce's words as answer (but not for
	// BounceComplaint: it was delivered), and saves the subscriber as SaveSubscriber does. Nothing is changed where ErrExists
	// says that a note of this MessageID and Class is there, ErrConflict that the subscriber's Revision is another.
	RecordBounce(ctx context.Context, n BounceNote, who Subscriber) error

	// NextMessage is when the earliest message of the lanes is due, counting leases that will run out, as they are stored;
	// zero for none.
	NextMessage(ctx context.Context, lanes []string) (time.Time, error)
}

// ArchiveStore reads back.
type ArchiveStore interface {
	// Items lists the newest items first, at most q.Limit, with bodies.
	Items(ctx context.Context, q ItemQuery) ([]Item, error)
	// Item gives one item; ErrNotFound.
	Item(ctx context.Context, number int64) (Item, error)
	// Projects counts the items of each project key, in order of key.
	Projects(ctx context.Context) ([]ProjectCount, error)
	// Messages lists the newest messages first, at most limit, without bytes; states empty is all.
	Messages(ctx context.Context, states []string, limit int) ([]Message, error)
	// Message gives one with its bytes where they are still there; ErrNotFound.
	Message(ctx context.Context, id int64) (Message, error)
	// Editions lists a subscriber's newest editions first, at most limit; subscriber 0 is all.
	Editions(ctx context.Context, subscriber int64, limit int) ([]Edition, error)
	// Edition gives one by ID; ErrNotFound.
	Edition(ctx context.Context, id string) (Edition, error)
	// Told are the editions that cover an item, oldest first, with their messages (without bytes): digests and catch-ups
	// that are not empty and in whose window its number lies, whether or not they wanted it, and alerts that told it.
	Told(ctx context.Context, number int64) ([]Told, error)
	// Bounces lists a subscriber's newest bounces first, at most limit; subscriber 0 is all.
	Bounces(ctx context.Context, subscriber int64, limit int) ([]BounceNote, error)
	// Receipts lists the newest first, at most limit, without header and raw bytes; state empty is all.
	Receipts(ctx context.Context, state string, limit int) ([]Receipt, error)
	// Receipt gives one with header and raw bytes; ErrNotFound.
	Receipt(ctx context.Context, id int64) (Receipt, error)
	// Counts are for metrics and readiness.
	Counts(ctx context.Context) (Counts, error)
}

// A Told is one edition that covers an item, and its message; ID 0 if there is none any more.
type Told struct {
	Edition Edition
	Message Message
}

// SourceStore keeps what is known of sources beside their deliveries.
type SourceStore interface {
	// SourceHours are those whose hour begins at since or later, and the newest one of each source with none so new, in order
	// of source and hour. Of a source, those HoursKept older than its newest may be gone.
	SourceHours(ctx context.Context, since time.Time) ([]SourceHour, error)

	// AddSourceHours adds to the hours of the same sources and hours; Last is the later one.
	AddSourceHours(ctx context.Context, hours []SourceHour) error

	// Troubles are those that were begun and not ended, in order of source and what.
	Troubles(ctx context.Context) ([]Trouble, error)

	// BeginTrouble writes down a trouble, EndTrouble takes it away; neither minds whether it is there already.
	BeginTrouble(ctx context.Context, t Trouble) error
	EndTrouble(ctx context.Context, source, what string) error
}

// An ItemQuery asks for items: those before the number Before (0: from the newest), of these project keys as they are
// stored (none: all; Policy.Keys gives those of one project), urgent ones only if Urgent is set.
type ItemQuery struct {
	Before   int64
	Projects []string
	Urgent   bool
	Limit    int
}

// A ProjectCount counts a project's items.
type ProjectCount struct {
	Project string
	Items   int
	Urgent  int
	Last    time.Time // when the newest was received
}

// Counts are the store's figures. What is oldest does not count mail that waits because its address is suspended.
type Counts struct {
	Newest      int64
	Subscribers map[string]int            // by state
	Receipts    map[string]int            // by state
	Messages    map[string]map[string]int // by lane, then state
	OldestDue   time.Time                 // NextAt of the oldest message not done; zero if none
	Oldest      map[string]time.Time      // by lane: when the oldest message not done was made
}

// FoldProjects resolves aliases in counts and adds up what means one project, in order of key.
func FoldProjects(p *Policy, counts []ProjectCount) []ProjectCount {
	byKey := map[string]*ProjectCount{}
	for _, c := range counts {
		key := p.Project(c.Project)
		to := byKey[key]
		if to == nil {
			to = &ProjectCount{Project: key}
			byKey[key] = to
		}
		to.Items += c.Items
		to.Urgent += c.Urgent
		if c.Last.After(to.Last) {
			to.Last = c.Last
		}
	}
	var out []ProjectCount
	for _, key := range slices.Sorted(maps.Keys(byKey)) {
		out = append(out, *byKey[key])
	}
	return out
}
