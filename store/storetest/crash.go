package storetest

import (
	"context"
	"time"

	"quietpost/digest"
)

// A Crash is a store in front of another, which survives: before and after each call it asks whether the process dies
// there. Who dies panics with a Death, and so does everything that the dead one still calls. The reads of ArchiveStore are
// the store's own: nobody who looks something up writes it down.
type Crash struct {
	digest.Store
	Dies func(at Death) bool

	dead *Death
}

// A Death says at which call a process died: before it, so that nothing of it happened, or after it, so that nobody heard
// of it.
type Death struct {
	Method string
	After  bool
}

func (d Death) String() string {
	if d.After {
		return "after " + d.Method
	}
	return "before " + d.Method
}

// call is both ends of a call.
func (cr *Crash) call(method string) (done func()) {
	cr.at(Death{Method: method})
	return func() { cr.at(Death{Method: method, After: true}) }
}

func (cr *Crash) at(d Death) {
	if cr.dead == nil && cr.Dies(d) {
		cr.dead = &d
	}
	if cr.dead != nil {
		panic(*cr.dead)
	}
}

// AddItems is the store's.
func (cr *Crash) AddItems(ctx context.Context, d digest.Delivery) (digest.Result, error) {
	defer cr.call("AddItems")()
	return cr.Store.AddItems(ctx, d)
}

// AddBatch is the store's.
func (cr *Crash) AddBatch(ctx context.Context, ds []digest.Delivery) ([]digest.Result, error) {
	defer cr.call("AddBatch")()
	return cr.Store.AddBatch(ctx, ds)
}

// Mark is the store's.
func (cr *Crash) Mark(ctx context.Context, inbox string) (digest.Mark, error) {
	defer cr.call("Mark")()
	return cr.Store.Mark(ctx, inbox)
}

// SetMark is the store's.
func (cr *Crash) SetMark(ctx context.Context, m digest.Mark) error {
	defer cr.call("SetMark")()
	return cr.Store.SetMark(ctx, m)
}

// ProjectKeys is the store's.
func (cr *Crash) ProjectKeys(ctx context.Context) ([]string, error) {
	defer cr.call("ProjectKeys")()
	return cr.Store.ProjectKeys(ctx)
}

// ThreadOf is the store's.
func (cr *Crash) ThreadOf(ctx context.Context, messageIDs []string) (project, thread string, err error) {
	defer cr.call("ThreadOf")()
	return cr.Store.ThreadOf(ctx, messageIDs)
}

// Subscribers is the store's.
func (cr *Crash) Subscribers(ctx context.Context) ([]digest.Subscriber, error) {
	defer cr.call("Subscribers")()
	return cr.Store.Subscribers(ctx)
}

// Subscriber is the store's.
func (cr *Crash) Subscriber(ctx context.Context, id int64) (digest.Subscriber, error) {
	defer cr.call("Subscriber")()
	return cr.Store.Subscriber(ctx, id)
}

// SaveSubscriber is the store's.
func (cr *Crash) SaveSubscriber(ctx context.Context, s digest.Subscriber) (digest.Subscriber, error) {
	defer cr.call("SaveSubscriber")()
	return cr.Store.SaveSubscriber(ctx, s)
}

// InstanceKey is the store's.
func (cr *Crash) InstanceKey(ctx context.Context) ([]byte, error) {
	defer cr.call("InstanceKey")()
	return cr.Store.InstanceKey(ctx)
}

// Newest is the store's.
func (cr *Crash) Newest(ctx context.Context) (int64, error) {
	defer cr.call("Newest")()
	return cr.Store.Newest(ctx)
}

// Due is the store's.
func (cr *Crash) Due(ctx context.Context, now time.Time) ([]digest.Due, error) {
	defer cr.call("Due")()
	return cr.Store.Due(ctx, now)
}

// SetNextSlot is the store's.
func (cr *Crash) SetNextSlot(ctx context.Context, moves []digest.SlotMove) error {
	defer cr.call("SetNextSlot")()
	return cr.Store.SetNextSlot(ctx, moves)
}

// Window is the store's.
func (cr *Crash) Window(ctx context.Context, after, upTo int64, excerpt int) ([]digest.Item, error) {
	defer cr.call("Window")()
	return cr.Store.Window(ctx, after, upTo, excerpt)
}

// Swept is the store's.
func (cr *Crash) Swept(ctx context.Context, after, upTo int64) ([]digest.SweptCount, error) {
	defer cr.call("Swept")()
	return cr.Store.Swept(ctx, after, upTo)
}

// AlertState is the store's.
func (cr *Crash) AlertState(ctx context.Context, since time.Time) (digest.AlertState, error) {
	defer cr.call("AlertState")()
	return cr.Store.AlertState(ctx, since)
}

// SettleIncidents is the store's.
func (cr *Crash) SettleIncidents(ctx context.Context, last map[int64]int64) error {
	defer cr.call("SettleIncidents")()
	return cr.Store.SettleIncidents(ctx, last)
}

// AlertedItems is the store's.
func (cr *Crash) AlertedItems(ctx context.Context, subscriber, after, upTo int64) (map[int64]bool, error) {
	defer cr.call("AlertedItems")()
	return cr.Store.AlertedItems(ctx, subscriber, after, upTo)
}

// CommitEdition is the store's.
func (cr *Crash) CommitEdition(ctx context.Context, c digest.Commit) error {
	defer cr.call("CommitEdition")()
	return cr.Store.CommitEdition(ctx, c)
}

// AddMessage is the store's.
func (cr *Crash) AddMessage(ctx context.Context, m digest.Message) error {
	defer cr.call("AddMessage")()
	return cr.Store.AddMessage(ctx, m)
}

// Lease is the store's.
func (cr *Crash) Lease(ctx context.Context, now, until time.Time, lanes []string, limit int) ([]digest.Message, error) {
	defer cr.call("Lease")()
	return cr.Store.Lease(ctx, now, until, lanes, limit)
}

// Report is the store's.
func (cr *Crash) Report(ctx context.Context, now time.Time, reports []digest.Report) (lost []int64, err error) {
	defer cr.call("Report")()
	return cr.Store.Report(ctx, now, reports)
}

// FreeLeases is the store's.
func (cr *Crash) FreeLeases(ctx context.Context, now time.Time) (int, error) {
	defer cr.call("FreeLeases")()
	return cr.Store.FreeLeases(ctx, now)
}

// SetMessage is the store's.
func (cr *Crash) SetMessage(ctx context.Context, now time.Time, id int64, state, answer string) error {
	defer cr.call("SetMessage")()
	return cr.Store.SetMessage(ctx, now, id, state, answer)
}

// RecordBounce is the store's.
func (cr *Crash) RecordBounce(ctx context.Context, n digest.BounceNote, who digest.Subscriber) error {
	defer cr.call("RecordBounce")()
	return cr.Store.RecordBounce(ctx, n, who)
}

// NextMessage is the store's.
func (cr *Crash) NextMessage(ctx context.Context, lanes []string) (time.Time, error) {
	defer cr.call("NextMessage")()
	return cr.Store.NextMessage(ctx, lanes)
}

// SourceHours is the store's.
func (cr *Crash) SourceHours(ctx context.Context, since time.Time) ([]digest.SourceHour, error) {
	defer cr.call("SourceHours")()
	return cr.Store.SourceHours(ctx, since)
}

// AddSourceHours is the store's.
func (cr *Crash) AddSourceHours(ctx context.Context, hours []digest.SourceHour) error {
	defer cr.call("AddSourceHours")()
	return cr.Store.AddSourceHours(ctx, hours)
}

// Troubles is the store's.
func (cr *Crash) Troubles(ctx context.Context) ([]digest.Trouble, error) {
	defer cr.call("Troubles")()
	return cr.Store.Troubles(ctx)
}

// BeginTrouble is the store's.
func (cr *Crash) BeginTrouble(ctx context.Context, t digest.Trouble) error {
	defer cr.call("BeginTrouble")()
	return cr.Store.BeginTrouble(ctx, t)
}

// EndTrouble is the store's.
func (cr *Crash) EndTrouble(ctx context.Context, source, what string) error {
	defer cr.call("EndTrouble")()
	return cr.Store.EndTrouble(ctx, source, what)
}
