package storetest

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"quietpost/digest"
)

// Model drives random operations against a store and the one in memory side by side and compares every answer and,
// after every step, all that can be read. rapid shrinks what differs to the fewest steps; -rapid.checks sets how many
// runs. open gives an empty store; Model closes it.
func Model(t *testing.T, open func(t *testing.T) digest.Store) {
	rapid.Check(t, func(r *rapid.T) {
		m := &machine{real: open(t), model: NewMemory()}
		defer m.real.Close()
		r.Repeat(map[string]func(*rapid.T){
			"":                m.compare,
			"AddItems":        m.addItems,
			"AddBatch":        m.addBatch,
			"Replay":          m.replay,
			"Sources":         m.sources,
			"SetMark":         m.setMark,
			"SaveSubscriber":  m.saveSubscriber,
			"SetNextSlot":     m.setNextSlot,
			"CommitDigest":    m.commitDigest,
			"CommitAlert":     m.commitAlert,
			"SettleIncidents": m.settle,
			"AddMessage":      m.addMessage,
			"Lease":           m.lease,
			"Report":          m.report,
			"FreeLeases":      m.freeLeases,
			"SetMessage":      m.setMessage,
			"RecordBounce":    m.recordBounce,
			"Read":            m.read,
		})
	})
}

// A machine is the pair of stores.
type machine struct {
	real, model digest.Store
}

// both runs an operation on both and compares answers and kinds of error.
func both[T any](r *rapid.T, m *machine, what string, do func(digest.Store) (T, error)) {
	r.Helper()
	want, wantErr := do(m.model)
	got, gotErr := do(m.real)
	if kind(wantErr) != kind(gotErr) {
		r.Fatalf("%s: error is %v, want %v", what, gotErr, wantErr)
	}
	if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
		r.Fatalf("%s (-want +got):\n%s", what, d)
	}
}

func kind(err error) error {
	for _, k := range []error{digest.ErrNotFound, digest.ErrExists, digest.ErrConflict, digest.ErrUnavailable} {
		if errors.Is(err, k) {
			return k
		}
	}
	if err != nil {
		return errors.New("another error")
	}
	return nil
}

func only(err error) (struct{}, error) { return struct{}{}, err }

func (m *machine) compare(r *rapid.T) {
	want, got := dump(r, m.model), dump(r, m.real)
	if reflect.DeepEqual(want, got) { // as a rule, and cmp takes most of the time of a run
		return
	}
	if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
		r.Fatalf("all that is kept (-want +got):\n%s", d)
	}
}

// Small ranges, so that operations meet each other.
var (
	anyProject = rapid.SampledFrom([]string{"a", "b"})
	anyThread  = rapid.SampledFrom([]string{"", "t", "u"})
	anyState   = rapid.SampledFrom([]string{digest.Accepted, digest.Ignored, digest.Quarantined})
	anyTime    = rapid.Custom(func(r *rapid.T) time.Time {
		return t0.Add(time.Duration(rapid.IntRange(-3, 3).Draw(r, "minutes")) * time.Minute)
	})
	anyLanes = rapid.SliceOfNDistinct(rapid.SampledFrom(lanes), 0, 3, rapid.ID[string])
	anyID    = rapid.Int64Range(0, 4)
)

func anyItem(r *rapid.T) digest.Item {
	return digest.Item{Source: "hook", Project: anyProject.Draw(r, "project"), Thread: anyThread.Draw(r, "thread"),
		Urgent: rapid.Bool().Draw(r, "urgent"), Step: digest.IncidentStep(rapid.IntRange(0, 2).Draw(r, "step")),
		Body: rapid.StringN(0, 9, 20).Draw(r, "body"), Tags: rapid.SliceOfN(anyProject, 0, 2).Draw(r, "tags"),
		MessageID: rapid.SampledFrom([]string{"", "m1", "m2"}).Draw(r, "message"), ReceivedAt: anyTime.Draw(r, "received")}
}

func (m *machine) addItems(r *rapid.T) {
	d := anyDelivery(r)
	both(r, m, "AddItems", func(s digest.Store) (digest.Result, error) { return s.AddItems(bg, d) })
}

func (m *machine) addBatch(r *rapid.T) {
	var ds []digest.Delivery
	for range rapid.IntRange(0, 3).Draw(r, "deliveries") {
		ds = append(ds, anyDelivery(r))
	}
	both(r, m, "AddBatch", func(s digest.Store) ([]digest.Result, error) {
		results, err := s.AddBatch(bg, ds)
		return slices.Concat(results), err // no results are nil in one and empty in the other
	})
}

func anyDelivery(r *rapid.T) digest.Delivery {
	d := digest.Delivery{Receipt: digest.Receipt{
		Source: anyProject.Draw(r, "source"), Key: rapid.StringMatching("[a-c]").Draw(r, "key"), State: anyState.Draw(r, "state"),
		SameWithin: rapid.SampledFrom([]time.Duration{0, time.Minute, 2 * time.Minute}).Draw(r, "within"),
		Sum:        [32]byte{rapid.Byte().Draw(r, "sum")}, Raw: rapid.SliceOfN(rapid.Byte(), 0, 9).Draw(r, "raw"),
		ReceivedAt: anyTime.Draw(r, "received"),
	}}
	for range rapid.IntRange(0, 3).Draw(r, "items") {
		if d.Receipt.State == digest.Quarantined {
			break // what was not understood has no items
		}
		d.Items = append(d.Items, anyItem(r))
	}
	if rapid.Bool().Draw(r, "mail") {
		d.Mark = &digest.Mark{Inbox: "updates", UID: rapid.Uint32().Draw(r, "uid")}
	}
	return d
}

func (m *machine) replay(r *rapid.T) {
	d := digest.Delivery{Replay: anyID.Draw(r, "id") + 1, Receipt: digest.Receipt{State: rapid.SampledFrom([]string{digest.Accepted, digest.Ignored}).Draw(r, "state"),
		Reason: "again", ReceivedAt: anyTime.Draw(r, "received")}}
	for range rapid.IntRange(0, 2).Draw(r, "items") {
		d.Items = append(d.Items, anyItem(r))
	}
	both(r, m, "AddItems", func(s digest.Store) (digest.Result, error) { return s.AddItems(bg, d) })
}

// sources counts, and begins and ends troubles.
func (m *machine) sources(r *rapid.T) {
	source, what := anyProject.Draw(r, "source"), rapid.SampledFrom([]string{digest.Silent, digest.Garbled}).Draw(r, "what")
	at := anyTime.Draw(r, "at")
	t := digest.SourceHour{Source: source, Hour: digest.HourOf(at), Refused: rapid.IntRange(1, 3).Draw(r, "refused")}
	if rapid.Bool().Draw(r, "taken") {
		t.Accepted, t.Last = 1, at
	}
	both(r, m, "AddSourceHours", func(s digest.Store) (struct{}, error) { return only(s.AddSourceHours(bg, []digest.SourceHour{t})) })
	if rapid.Bool().Draw(r, "begins") {
		both(r, m, "BeginTrouble", func(s digest.Store) (struct{}, error) {
			return only(s.BeginTrouble(bg, digest.Trouble{Source: source, What: what, Since: at}))
		})
	} else {
		both(r, m, "EndTrouble", func(s digest.Store) (struct{}, error) { return only(s.EndTrouble(bg, source, what)) })
	}
}

func (m *machine) setMark(r *rapid.T) {
	mark := digest.Mark{Inbox: "updates", UIDValidity: rapid.Uint32().Draw(r, "validity"), Arrived: anyTime.Draw(r, "arrived"), Floor: anyTime.Draw(r, "floor")}
	both(r, m, "SetMark", func(s digest.Store) (struct{}, error) { return only(s.SetMark(bg, mark)) })
}

// people reads the subscribers of the model, with somebody new and sometimes an old revision of one.
func (m *machine) someone(r *rapid.T) digest.Subscriber {
	p := person(rapid.SampledFrom([]string{"ana", "ben", "eve"}).Draw(r, "new"))
	people := must(m.model.Subscribers(bg))
	if len(people) > 0 && rapid.IntRange(0, 3).Draw(r, "known") > 0 {
		p = rapid.SampledFrom(people).Draw(r, "person")
	}
	return p
}

func (m *machine) saveSubscriber(r *rapid.T) {
	p := m.someone(r)
	if rapid.IntRange(0, 5).Draw(r, "stale") == 0 {
		p.Revision--
	}
	p.State = rapid.SampledFrom([]string{digest.Active, digest.Active, digest.Paused, digest.Suspended}).Draw(r, "state")
	if rapid.IntRange(0, 5).Draw(r, "rename") == 0 {
		p.Address = "ben@example.com"
	}
	for i := range p.Subscriptions {
		p.Subscriptions[i].NextSlot = anyTime.Draw(r, "slot")
		p.Subscriptions[i].Ended = rapid.Bool().Draw(r, "ended")
	}
	if rapid.Bool().Draw(r, "one more") {
		p.Subscriptions = append(p.Subscriptions, digest.Subscription{ID: rapid.SampledFrom([]int64{0, 0, 0, 1}).Draw(r, "id")})
	}
	both(r, m, "SaveSubscriber", func(s digest.Store) (digest.Subscriber, error) { return s.SaveSubscriber(bg, p) })
}

func (m *machine) setNextSlot(r *rapid.T) {
	var moves []digest.SlotMove
	for range rapid.IntRange(0, 3).Draw(r, "moves") {
		moves = append(moves, digest.SlotMove{Subscription: anyID.Draw(r, "id"), Old: anyTime.Draw(r, "old"), New: anyTime.Draw(r, "new")})
	}
	both(r, m, "SetNextSlot", func(s digest.Store) (struct{}, error) { return only(s.SetNextSlot(bg, moves)) })
}

func (m *machine) commitDigest(r *rapid.T) {
	p := m.someone(r)
	if p.ID == 0 {
		return
	}
	i := rapid.IntRange(0, len(p.Subscriptions)-1).Draw(r, "subscription")
	newest := must(m.model.Newest(bg))
	cursor := p.Subscriptions[i].Cursor
	if rapid.IntRange(0, 4).Draw(r, "stale") == 0 {
		cursor = rapid.Int64Range(0, newest).Draw(r, "cursor")
	}
	c := digestOf(p, i, cursor, newest, anyTime.Draw(r, "slot"))
	if rapid.Bool().Draw(r, "empty") {
		c.Edition.Empty, c.Edition.MessageID, c.Message = true, "", nil
	}
	both(r, m, "CommitEdition", func(s digest.Store) (struct{}, error) { return only(s.CommitEdition(bg, c)) })
}

func (m *machine) commitAlert(r *rapid.T) {
	st := must(m.model.AlertState(bg, t0))
	p := m.someone(r)
	if p.ID == 0 || len(st.Incidents) == 0 {
		return
	}
	chosen := rapid.SliceOfNDistinct(rapid.IntRange(0, len(st.Incidents)-1), 1, 2, rapid.ID[int]).Draw(r, "incidents")
	var c digest.Commit
	for i, n := range chosen {
		inc := st.Incidents[n]
		at := slices.IndexFunc(st.Marks, func(a digest.AlertMark) bool { return a.Incident == inc.ID && a.Subscriber == p.ID })
		next := 1
		if at >= 0 {
			next = st.Marks[at].N + 1
		}
		if rapid.IntRange(0, 4).Draw(r, "stale") == 0 {
			next++
		}
		one := alertOf(p.ID, inc.ID, next, inc.Last(), anyTime.Draw(r, "now"))
		if i == 0 {
			c = one
			continue
		}
		c.Marks = append(c.Marks, one.Marks...)
	}
	both(r, m, "CommitEdition", func(s digest.Store) (struct{}, error) { return only(s.CommitEdition(bg, c)) })
}

func (m *machine) settle(r *rapid.T) {
	last := map[int64]int64{}
	for _, inc := range must(m.model.AlertState(bg, t0)).Incidents {
		if rapid.Bool().Draw(r, "settle") {
			last[inc.ID] = inc.Last() - rapid.Int64Range(0, 1).Draw(r, "behind")
		}
	}
	both(r, m, "SettleIncidents", func(s digest.Store) (struct{}, error) { return only(s.SettleIncidents(bg, last)) })
}

func (m *machine) addMessage(r *rapid.T) {
	msg := message(fmt.Sprint(rapid.IntRange(0, 9).Draw(r, "id")))
	msg.Lane, msg.NextAt = rapid.SampledFrom(lanes).Draw(r, "lane"), anyTime.Draw(r, "next")
	both(r, m, "AddMessage", func(s digest.Store) (struct{}, error) { return only(s.AddMessage(bg, msg)) })
}

func (m *machine) lease(r *rapid.T) {
	now, until := anyTime.Draw(r, "now"), anyTime.Draw(r, "until")
	of, limit := anyLanes.Draw(r, "lanes"), rapid.IntRange(0, 3).Draw(r, "limit")
	both(r, m, "Lease", func(s digest.Store) ([]digest.Message, error) { return s.Lease(bg, now, until, of, limit) })
}

func (m *machine) report(r *rapid.T) {
	var reports []digest.Report
	for _, msg := range must(m.model.Messages(bg, []string{digest.Sending}, 3)) {
		reports = append(reports, digest.Report{ID: msg.ID, Lease: msg.Lease - rapid.SampledFrom([]int64{0, 0, 0, 1}).Draw(r, "behind"),
			State:  rapid.SampledFrom([]string{digest.Delivered, digest.Failed, digest.Queued, digest.Queued}).Draw(r, "state"),
			NextAt: anyTime.Draw(r, "next"), Answer: "answer", Untried: rapid.Bool().Draw(r, "untried")})
	}
	reports = append(reports, digest.Report{ID: anyID.Draw(r, "another"), Lease: 1, State: digest.Delivered})
	now := anyTime.Draw(r, "now")
	both(r, m, "Report", func(s digest.Store) ([]int64, error) { return s.Report(bg, now, reports) })
}

func (m *machine) freeLeases(r *rapid.T) {
	if rapid.IntRange(0, 3).Draw(r, "rarely") > 0 {
		return
	}
	now := anyTime.Draw(r, "now")
	both(r, m, "FreeLeases", func(s digest.Store) (int, error) { return s.FreeLeases(bg, now) })
}

func (m *machine) setMessage(r *rapid.T) {
	now, id := anyTime.Draw(r, "now"), anyID.Draw(r, "id")
	state := rapid.SampledFrom([]string{digest.Queued, digest.Failed}).Draw(r, "state")
	both(r, m, "SetMessage", func(s digest.Store) (struct{}, error) { return only(s.SetMessage(bg, now, id, state, "word")) })
}

func (m *machine) recordBounce(r *rapid.T) {
	who := m.someone(r)
	if who.ID == 0 {
		return
	}
	if rapid.IntRange(0, 3).Draw(r, "suspend") == 0 {
		who = suspended(who)
	}
	n := bounce(rapid.SampledFrom([]string{"1", "2", "3"}).Draw(r, "message"),
		rapid.SampledFrom([]digest.BounceClass{digest.BounceHard, digest.BounceSoft, digest.BounceComplaint}).Draw(r, "class"))
	for _, msg := range must(m.model.Messages(bg, []string{digest.Delivered}, 1)) {
		n.MessageID = msg.MessageID
	}
	n.Subscriber = who.ID
	both(r, m, "RecordBounce", func(s digest.Store) (struct{}, error) { return only(s.RecordBounce(bg, n, who)) })
	both(r, m, "Bounces", func(s digest.Store) ([]digest.BounceNote, error) { return s.Bounces(bg, who.ID, 2) })
}

// read asks what the comparison of everything does not.
func (m *machine) read(r *rapid.T) {
	q := digest.ItemQuery{Before: rapid.Int64Range(0, 9).Draw(r, "before"), Urgent: rapid.Bool().Draw(r, "urgent"),
		Projects: rapid.SampledFrom([][]string{nil, {"a"}, {"b"}, {"c"}, {"a", "b"}}).Draw(r, "projects"), Limit: rapid.IntRange(0, 5).Draw(r, "limit")}
	both(r, m, "Items", func(s digest.Store) ([]digest.Item, error) { return s.Items(bg, q) })
	after, upTo := rapid.Int64Range(0, 9).Draw(r, "after"), rapid.Int64Range(0, 9).Draw(r, "up to")
	excerpt := rapid.IntRange(0, 9).Draw(r, "excerpt")
	both(r, m, "Window", func(s digest.Store) ([]digest.Item, error) { return s.Window(bg, after, upTo, excerpt) })
	who := anyID.Draw(r, "who")
	both(r, m, "Subscriber", func(s digest.Store) (digest.Subscriber, error) { return s.Subscriber(bg, who) })
	both(r, m, "AlertedItems", func(s digest.Store) ([]int64, error) {
		told, err := s.AlertedItems(bg, who, after, upTo)
		return slices.Sorted(maps.Keys(told)), err
	})
	now := anyTime.Draw(r, "now")
	both(r, m, "AlertState", func(s digest.Store) (digest.AlertState, error) { return s.AlertState(bg, now) })
	both(r, m, "Due", func(s digest.Store) ([]digest.Due, error) { return s.Due(bg, now) })
	ids := rapid.SliceOfN(rapid.SampledFrom([]string{"", "m1", "m2", "m3"}), 0, 3).Draw(r, "ids")
	both(r, m, "ThreadOf", func(s digest.Store) (string, error) {
		project, thread, err := s.ThreadOf(bg, ids)
		return project + "/" + thread, err
	})
	of, limit, state := anyLanes.Draw(r, "lanes"), q.Limit, anyState.Draw(r, "state")
	both(r, m, "NextMessage", func(s digest.Store) (time.Time, error) { return s.NextMessage(bg, of) })
	both(r, m, "Editions", func(s digest.Store) ([]digest.Edition, error) { return s.Editions(bg, who, limit) })
	both(r, m, "Receipts", func(s digest.Store) ([]digest.Receipt, error) { return s.Receipts(bg, state, limit) })
	both(r, m, "Messages", func(s digest.Store) ([]digest.Message, error) {
		return s.Messages(bg, []string{digest.Queued, digest.Sending}, limit)
	})
	both(r, m, "Message", func(s digest.Store) (digest.Message, error) { return s.Message(bg, who) })
	both(r, m, "Item", func(s digest.Store) (digest.Item, error) { return s.Item(bg, after) })
}
