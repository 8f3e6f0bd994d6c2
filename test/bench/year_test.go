package bench

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/mail"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"quietpost/digest"
	"quietpost/mailer"
	"quietpost/store/sqlite"
	"quietpost/templates"
)

// What 200 people do: figures for docs/operations.md.
const (
	yearPeople   = 200
	yearItems    = 2000 // a working day
	yearProjects = 40
	yearBatch    = 200 // deliveries in one transaction: a year's intake is not what is measured here
	yearSweep    = 500 // as the daemon does
)

// A year is a database over which days go by.
type year struct {
	t       testing.TB
	ctx     context.Context
	path    string
	now     time.Time
	store   *sqlite.DB
	intake  *digest.Intake
	builder *digest.Builder
	set     *digest.Settings
	random  *rand.Rand
	items   int
	mails   int
	sweeps  []time.Duration // of a day that took something away
	steps   []time.Duration // of one transaction of them
	ticks   []time.Duration
	peak    int64
}

// TestYear fills a database with as many days as QUIETPOST_YEAR says and tells its size and how long things take in it.
// `make year` does 365. Items and mails go through the domain as in the daemon, and retention goes over them each day.
func TestYear(t *testing.T) {
	days, err := strconv.Atoi(os.Getenv("QUIETPOST_YEAR"))
	if err != nil || days < 30 {
		t.Skip("LEFT OUT: it takes minutes and gigabytes; QUIETPOST_YEAR says how many days, 30 at least; `make year` is 365")
	}
	y := newYear(t)
	begin := time.Now()
	for day := 1; day <= days; day++ {
		y.day()
		if day%30 == 0 || day == days {
			t.Logf("day %3d: %7d items, %6d mails, file %5d MiB, %v so far", day, y.items, y.mails, y.size()>>20, time.Since(begin).Round(time.Second))
		}
	}
	y.check()
	y.figures()
}

func newYear(t testing.TB) *year {
	y := &year{t: t, ctx: t.Context(), now: time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC), random: rand.New(rand.NewPCG(1, 2))}
	y.path = filepath.Join(diskDir(t), "quietpost.db")
	var err error
	y.store, err = sqlite.Open(y.ctx, y.path, sqlite.Options{})
	y.must(err)
	t.Cleanup(func() { y.store.Close() })
	key, err := y.store.InstanceKey(y.ctx)
	y.must(err)
	y.set = &digest.Settings{Policy: digest.NewPolicy(digest.Policy{}), Top: 20, BaseURL: "https://quiet.test", Instance: key,
		Calendar: digest.Calendar{Zone: time.UTC, Named: map[string]string{"daily": "0 9 * * MON-FRI"}}}
	y.intake = &digest.Intake{Store: y.store}
	y.must(y.intake.SetPolicy(y.ctx, y.set.Policy))
	y.builder = &digest.Builder{Store: y.store, Renderer: plain{}, Composer: plain{}}
	desk := &digest.Desk{Store: y.store}
	for n := range yearPeople { // one in ten follows all, the others ten projects each
		e := digest.Entry{Address: fmt.Sprintf("reader%03d@example.com", n), Projects: []string{"*"}, Schedule: "daily"}
		if n%10 != 0 {
			e.Projects = nil
			for i := range 10 {
				e.Projects = append(e.Projects, fmt.Sprintf("team/project-%02d", (n+i*3)%yearProjects))
			}
		}
		_, err := desk.Add(y.ctx, e, true)
		y.must(err)
	}
	_, faults, err := y.builder.Reslot(y.ctx, y.now, y.set)
	y.must(errors.Join(append(faults, err)...))
	return y
}

func (y *year) must(err error) {
	y.t.Helper()
	if err != nil {
		y.t.Fatal(err)
	}
}

// plain stands for templates and composer while the days go by: bytes go when a mail is delivered, so that it does not
// matter for the file what they were.
type plain struct{}

func (plain) Digest(v *digest.View) (digest.Rendered, error) {
	return digest.Rendered{Subject: v.Subject, Text: v.Subject}, nil
}
func (plain) Alert(v *digest.View) (digest.Rendered, error) {
	return digest.Rendered{Subject: v.Subject, Text: v.Subject}, nil
}
func (plain) Compose(l *digest.Letter) ([]byte, error) {
	return []byte("Subject: " + l.Subject + "\r\n\r\n" + l.Text + "\r\n"), nil
}
func (plain) Host() string { return "example.com" }

// day is: digests at nine and their delivery, then what the day brings, then retention.
func (y *year) day() {
	if y.workday() {
		y.digests(y.now.Add(9 * time.Hour))
		y.deliver(y.now.Add(9*time.Hour + time.Minute))
		for n := 0; n < yearItems; n += yearBatch {
			y.receive(y.now.Add(9*time.Hour + time.Duration(n+yearBatch)*8*time.Hour/yearItems))
		}
	}
	y.sweep(y.now.Add(23 * time.Hour))
	y.now = y.now.AddDate(0, 0, 1)
}

func (y *year) workday() bool {
	return y.now.Weekday() != time.Saturday && y.now.Weekday() != time.Sunday
}

func (y *year) digests(now time.Time) {
	start := time.Now()
	tally, err := y.builder.TickDigests(y.ctx, now, y.set)
	y.must(errors.Join(append(tally.Faults, err)...))
	if n := tally.Sent + tally.Empty; n != yearPeople {
		y.t.Fatalf("%s: digests for %d of %d", now, n, yearPeople)
	}
	y.mails += tally.Sent
	y.ticks = append(y.ticks, time.Since(start))
}

// deliver says that a server took all that waits.
func (y *year) deliver(now time.Time) {
	msgs, err := y.store.Lease(y.ctx, now, now.Add(time.Hour), []string{digest.LaneDigest}, yearPeople)
	y.must(err)
	var reports []digest.Report
	for _, m := range msgs {
		reports = append(reports, digest.Report{ID: m.ID, Lease: m.Lease, State: digest.Delivered, Answer: "250 2.0.0 Ok: queued as 4XyZ1234567890"})
	}
	lost, err := y.store.Report(y.ctx, now, reports)
	y.must(err)
	if len(lost) > 0 {
		y.t.Fatalf("reports lost: %v", lost)
	}
}

// receive takes in a batch of webhooks.
func (y *year) receive(now time.Time) {
	var ds []digest.Delivery
	for range yearBatch {
		y.items++
		noise := make([]byte, 5800) // in hex zstd makes half of it: about 6 KB are kept
		for i := range noise {
			noise[i] = byte(y.random.Uint32())
		}
		raw, err := json.Marshal(map[string]string{"payload": hex.EncodeToString(noise)})
		y.must(err)
		ds = append(ds, digest.Delivery{
			Receipt: digest.Receipt{Source: "forge", Tool: "github", Key: fmt.Sprintf("delivery-%08x-%d", y.random.Uint32(), y.items), Sum: sha256.Sum256(raw),
				State: digest.Accepted, Header: []byte("Content-Type: application/json\r\nX-GitHub-Event: pull_request\r\n"), Raw: raw, ReceivedAt: now},
			Items: []digest.Item{{Project: fmt.Sprintf("team/project-%02d", y.random.IntN(yearProjects)), Kind: digest.KindStatus,
				Title: "A change of the kind that people make many times a day " + strconv.Itoa(y.items), Body: y.words(800),
				URL:    "https://forge.example.com/team/project/pull/" + strconv.Itoa(y.items/4),
				Author: fmt.Sprintf("person-%03d", y.random.IntN(yearPeople)), Thread: "pr/" + strconv.Itoa(y.items/4), Event: "pull_request.synchronize",
				State: "open", Authenticated: true, OccurredAt: now.Add(-time.Second)}},
		})
	}
	_, err := y.intake.AcceptBatch(y.ctx, ds)
	y.must(err)
}

// words are about n bytes of a body, in Markdown.
func (y *year) words(n int) string {
	all := strings.Fields("the change makes a **test** of what was said about `this.part()` and moves it to where readers look for it " +
		"[first](https://forge.example.com/first)")
	var b strings.Builder
	for b.Len() < n {
		b.WriteString(all[y.random.IntN(len(all))])
		b.WriteByte(' ')
	}
	return b.String()
}

// sweep is what the daemon's retention does, with its defaults: 14, 400 and 400 days.
func (y *year) sweep(now time.Time) {
	c, err := y.store.Counts(y.ctx)
	y.must(err)
	people, err := y.store.Subscribers(y.ctx)
	y.must(err)
	const day = 24 * time.Hour
	start, total := time.Now(), 0
	for _, o := range (digest.Retention{Raw: 14 * day, Items: 400 * day, Editions: 400 * day}).Orders(now, c.Newest, people) {
		for {
			step := time.Now()
			n, err := y.store.Sweep(y.ctx, o, yearSweep)
			y.must(err)
			if total += n; n == 0 {
				break
			}
			y.steps = append(y.steps, time.Since(step))
		}
	}
	if total > 0 {
		y.sweeps = append(y.sweeps, time.Since(start))
	}
	y.peak = max(y.peak, y.size())
}

// size is of the database with its log.
func (y *year) size() (n int64) {
	for _, name := range []string{y.path, y.path + "-wal"} {
		if info, err := os.Stat(name); err == nil {
			n += info.Size()
		}
	}
	return n
}

// check asks whether the year was what it should be: all items counted, old payloads gone and young ones there.
func (y *year) check() {
	newest, err := y.store.Newest(y.ctx)
	y.must(err)
	if newest != int64(y.items) {
		y.t.Errorf("newest is %d of %d items", newest, y.items)
	}
	last, err := y.store.Receipt(y.ctx, newest)
	y.must(err)
	if len(last.Raw) == 0 {
		y.t.Error("the newest delivery has lost its payload")
	}
	old, err := y.store.Receipt(y.ctx, max(1, newest-14*yearItems)) // of twenty days ago or nearly
	y.must(err)
	if len(old.Raw) != 0 {
		y.t.Error("a delivery of long ago has its payload still")
	}
}

// figures are what the last day costs.
func (y *year) figures() {
	slices.Sort(y.sweeps)
	slices.Sort(y.steps)
	slices.Sort(y.ticks)
	wal := int64(0)
	if info, err := os.Stat(y.path + "-wal"); err == nil {
		wal = info.Size()
	}
	y.t.Logf("size: %d MiB at the end, %d of them the log, %d at most; %d items, %d mails", y.size()>>20, wal>>20, y.peak>>20, y.items, y.mails)
	tell := func(what string, all []time.Duration) {
		y.t.Logf("%s: median %v, longest %v (%d)", what, all[len(all)/2].Round(time.Millisecond), all[len(all)-1].Round(time.Millisecond), len(all))
	}
	tell("retention of a day", y.sweeps)
	tell("one step of it", y.steps)
	tell("digests of a day, not rendered", y.ticks)

	for !y.workday() {
		y.now = y.now.AddDate(0, 0, 1)
	}
	now := y.now.Add(9 * time.Hour)
	var cut int64
	y.took("Newest", func() (err error) { cut, err = y.store.Newest(y.ctx); return err })
	y.took("Due", func() error {
		due, err := y.store.Due(y.ctx, now)
		if len(due) != yearPeople {
			y.t.Errorf("%d are due", len(due))
		}
		return err
	})
	y.took("Window of a day", func() error {
		window, err := y.store.Window(y.ctx, cut-yearItems, cut, 1200)
		if len(window) != yearItems {
			y.t.Errorf("%d items in the window", len(window))
		}
		return err
	})
	y.took("Told (trace) of an item", func() error { _, err := y.store.Told(y.ctx, cut/2); return err })
	y.took("Counts (a look at /metrics)", func() error { _, err := y.store.Counts(y.ctx); return err })
	y.inFull()
	y.took("digests of a day for 200, as they are", func() error { y.digests(now); return nil })
	copied := filepath.Join(filepath.Dir(y.path), "copy.db")
	y.took("backup", func() error { return y.store.Backup(y.ctx, copied) })
	info, err := os.Stat(copied)
	y.must(err)
	y.t.Logf("the copy has %d MiB", info.Size()>>20)
}

// inFull makes the digests from now on as they are.
func (y *year) inFull() {
	renderer, err := templates.New()
	y.must(err)
	composer, err := mailer.NewComposer(mailer.ComposerOptions{From: mail.Address{Name: "Quietpost", Address: "digest@example.com"}})
	y.must(err)
	y.builder.Renderer, y.builder.Composer = renderer, composer
}

func (y *year) took(what string, fn func() error) {
	y.t.Helper()
	start := time.Now()
	y.must(fn())
	y.t.Logf("%s: %v", what, time.Since(start).Round(100*time.Microsecond))
}
