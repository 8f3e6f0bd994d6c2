package main

import (
	"context"
	"errors"
	"fmt"
	"net/mail"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"quietpost/digest"
	"quietpost/mailer"
	"quietpost/store/sqlite"
	"quietpost/templates"
)

// The year of TestAYear.
const (
	yearPeople   = 200
	yearItems    = 2000 // a day
	yearProjects = 20
	yearUrgent   = 4 // a day
)

// TestAYear fills a database with a year's use by 200 people, by the domain itself, and tells its size and how long things
// take at its end. `make year` runs it; docs/operations.md has its figures.
func TestAYear(t *testing.T) {
	days, err := strconv.Atoi(os.Getenv("QUIETPOST_YEAR"))
	if err != nil || days < 2 {
		t.Skip("LEFT OUT: QUIETPOST_YEAR is no number of days; `make year` fills 365")
	}
	y := newYear(t)
	begin := time.Now()
	for d := range days {
		y.day(d == days-1)
		if (d+1)%30 == 0 || d == days-1 {
			t.Logf("day %d, %v: %s", d+1, time.Since(begin).Round(time.Second), y.size())
		}
	}
}

type year struct {
	*testing.T
	ctx     context.Context
	path    string
	now     time.Time
	store   *sqlite.DB
	intake  *digest.Intake
	builder *digest.Builder
	set     *digest.Settings
	payload []byte
	urls    []byte // what makes a real delivery of GitHub's 20 KB long: addresses in which only names and numbers change
	posted  int
	shown   int
}

func newYear(t *testing.T) *year {
	y := &year{T: t, ctx: t.Context(), path: filepath.Join(t.TempDir(), "quietpost.db"), now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	var err error
	y.store, err = sqlite.Open(y.ctx, y.path, sqlite.Options{})
	y.must(err)
	t.Cleanup(func() { y.must(y.store.Close()) })
	y.payload, err = os.ReadFile(filepath.Join("..", "..", "collector", "tools", "testdata", "github", "pull_request.opened.json"))
	y.must(err)
	for i := 0; len(y.urls) < 100_000; i++ {
		y.urls = fmt.Appendf(y.urls, `"url_%d":"https://api.github.example.com/repos/acme/project-%d/pulls/%d/%s{/sha}",`, i%40, i%yearProjects, i*7919%100_003, noise(16+i%5))
	}
	key, err := y.store.InstanceKey(y.ctx)
	y.must(err)
	y.set = &digest.Settings{Policy: digest.NewPolicy(digest.Policy{}), Top: 20, BaseURL: "https://quiet.example.com", Instance: key,
		Calendar: digest.Calendar{Zone: time.UTC}, Alerts: digest.AlertPolicy{Gather: 5 * time.Second, FollowUpEvery: 5 * time.Minute, MaxPerHour: 12}}
	y.intake = &digest.Intake{Store: y.store}
	y.must(y.intake.SetPolicy(y.ctx, y.set.Policy))
	composer, err := mailer.NewComposer(mailer.ComposerOptions{From: mail.Address{Name: "Quietpost", Address: "digest@example.com"}})
	y.must(err)
	renderer, err := templates.New()
	y.must(err)
	y.builder = &digest.Builder{Store: y.store, Renderer: renderer, Composer: composer}
	var entries []digest.Entry
	for i := range yearPeople {
		e := digest.Entry{Address: fmt.Sprintf("p%d@example.com", i), Schedule: "0 9 * * MON-FRI", Alerts: i%2 == 0}
		for j := range 5 { // each follows a quarter of the projects
			e.Projects = append(e.Projects, fmt.Sprintf("project-%d", (i+j*4)%yearProjects))
		}
		entries = append(entries, e)
	}
	_, err = (&digest.Desk{Store: y.store}).Import(y.ctx, entries)
	y.must(err)
	_, faults, err := y.builder.Reslot(y.ctx, y.now, y.set)
	y.must(errors.Join(append(faults, err)...))
	return y
}

func (y *year) must(err error) {
	y.Helper()
	if err != nil {
		y.Fatal(err)
	}
}

// day posts a day's items in the hours before and after nine, cuts the digests, sends all and sweeps.
func (y *year) day(last bool) {
	y.now = y.now.Add(9 * time.Hour)
	y.post(yearItems)
	begin := time.Now()
	d, err := y.builder.TickDigests(y.ctx, y.now, y.set)
	y.must(errors.Join(append(d.Faults, err)...))
	if d.Sent > 0 {
		y.shown = d.Sent
	}
	if last || d.Sent > 0 && y.posted == yearItems {
		y.Logf("a cut of %d digests with %d items behind it: %v", d.Sent, yearItems, time.Since(begin).Round(time.Millisecond))
	}
	y.send()
	y.now = y.now.Add(15 * time.Hour)
	people, err := y.store.Subscribers(y.ctx)
	y.must(err)
	c, err := y.store.Counts(y.ctx)
	y.must(err)
	begin = time.Now()
	keep := digest.Retention{Raw: 14 * 24 * time.Hour, Items: 400 * 24 * time.Hour, Editions: 400 * 24 * time.Hour}
	for _, o := range keep.Orders(y.now, c.Newest, people) {
		for n := 1; n > 0; {
			n, err = y.store.Sweep(y.ctx, o, sweepStep)
			y.must(err)
		}
	}
	if last {
		y.Logf("a day's sweep: %v", time.Since(begin).Round(time.Millisecond))
	}
}

// post takes in items from many tools at once.
func (y *year) post(n int) {
	var wg sync.WaitGroup
	first := y.posted
	y.posted += n
	for w := range 32 {
		wg.Go(func() {
			for i := first + w; i < y.posted; i += 32 {
				raw := slices.Concat(y.payload, y.urls[i%977*64:][:20_000])
				_, err := y.intake.Accept(y.ctx, digest.Delivery{Items: []digest.Item{{Project: fmt.Sprintf("project-%d", i*7%yearProjects),
					Title: fmt.Sprintf("Search answers in half the time, step %d of the plan", i), Body: strings.Repeat("What changed, and why, in a few plain lines. ", 8),
					URL: fmt.Sprintf("https://git.example.com/acme/project/pull/%d", i), Author: fmt.Sprint("person", i%yearPeople), Kind: "review",
					Thread: fmt.Sprint("pr/", i/4), Event: "commented", Urgent: i%(yearItems/yearUrgent) == 0}},
					Receipt: digest.Receipt{Source: "github", Tool: "github", Key: fmt.Sprintf("delivery-%d", i), State: digest.Accepted,
						ReceivedAt: y.now, Raw: raw, Header: []byte("Content-Type: application/json\r\nX-GitHub-Event: pull_request\r\n")}})
				if err != nil {
					y.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for range 3 { // alerts, as they come
		a, err := y.builder.TickAlerts(y.ctx, y.now, y.set)
		y.must(errors.Join(append(a.Faults, err)...))
		y.now = y.now.Add(10 * time.Second)
	}
}

// send is a mail server that takes everything.
func (y *year) send() {
	lanes := []string{digest.LaneAlert, digest.LaneLetter, digest.LaneDigest}
	for {
		msgs, err := y.store.Lease(y.ctx, y.now, y.now.Add(time.Hour), lanes, 100)
		y.must(err)
		if len(msgs) == 0 {
			return
		}
		var rs []digest.Report
		for _, m := range msgs {
			rs = append(rs, digest.Report{ID: m.ID, Lease: m.Lease, State: digest.Delivered, Answer: "250 2.0.0 Ok: queued as 4XyZ"})
		}
		_, err = y.store.Report(y.ctx, y.now, rs)
		y.must(err)
	}
}

func (y *year) size() string {
	info, err := os.Stat(y.path)
	y.must(err)
	return fmt.Sprintf("%d items, %d digests a day, file %.0f MB", y.posted, y.shown, float64(info.Size())/1e6)
}
