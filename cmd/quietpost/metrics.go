package main

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"quietpost/collector/mailbox"
	"quietpost/digest"
)

// metrics are the daemon's own figures; what the store knows is asked when somebody looks.
type metrics struct {
	editions *prometheus.CounterVec
	faults   *prometheus.CounterVec
	sent     *prometheus.CounterVec
	bounces  *prometheus.CounterVec
	inboxes  *mailbox.Metrics
}

func newMetrics(r prometheus.Registerer, store digest.ArchiveStore) *metrics {
	vec := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "quietpost_" + name, Help: help}, labels)
		r.MustRegister(c)
		return c
	}
	r.MustRegister(&counts{store: store,
		newest:      desc("newest_number", "Highest item number given."),
		subscribers: desc("subscribers", "Subscribers by state.", "state"),
		receipts:    desc("receipts", "Deliveries kept, by what became of them.", "state"),
		messages:    desc("outbox_messages", "Messages by lane and state.", "lane", "state"),
		waiting:     desc("outbox_oldest_timestamp_seconds", "By lane, when the oldest message that is not done was made; 0 for none.", "lane"),
		oldest:      desc("outbox_oldest_due_timestamp_seconds", "When the oldest message that is not done was due; 0 for none."),
	})
	return &metrics{
		inboxes:  mailbox.NewMetrics(r),
		editions: vec("editions_total", "Editions committed; empty ones send nothing.", "occasion", "result"),
		faults:   vec("edition_faults_total", "Editions that could not be cut; they are tried again.", "occasion"),
		sent:     vec("send_attempts_total", "Attempts to hand a message over, by what became of it: delivered, queued (deferred: to be tried again) or failed.", "lane", "state"),
		bounces:  vec("bounces_total", "Bounces and complaints by class.", "class"),
	}
}

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("quietpost_"+name, help, labels, nil)
}

// counts asks the store at each scrape.
type counts struct {
	store                                                    digest.ArchiveStore
	newest, subscribers, receipts, messages, waiting, oldest *prometheus.Desc
}

// Describe is prometheus.Collector's.
func (c *counts) Describe(ch chan<- *prometheus.Desc) { prometheus.DescribeByCollect(c, ch) }

// Collect is prometheus.Collector's.
func (c *counts) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	got, err := c.store.Counts(ctx)
	if err != nil {
		ch <- prometheus.NewInvalidMetric(c.newest, err)
		return
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	gauge(c.newest, float64(got.Newest))
	for state, n := range got.Subscribers {
		gauge(c.subscribers, float64(n), state)
	}
	for state, n := range got.Receipts {
		gauge(c.receipts, float64(n), state)
	}
	for lane, states := range got.Messages {
		for state, n := range states {
			gauge(c.messages, float64(n), lane, state)
		}
	}
	for _, lane := range []string{digest.LaneAlert, digest.LaneLetter, digest.LaneDigest} {
		at := 0.0
		if t, ok := got.Oldest[lane]; ok {
			at = float64(t.UnixMilli()) / 1000
		}
		gauge(c.waiting, at, lane)
		for _, state := range []string{digest.Queued, digest.Delivered, digest.Failed, digest.Bounced} { // an alert needs a 0, not nothing
			if got.Messages[lane][state] == 0 {
				gauge(c.messages, 0, lane, state)
			}
		}
	}
	oldest := 0.0
	if !got.OldestDue.IsZero() {
		oldest = float64(got.OldestDue.Unix())
	}
	gauge(c.oldest, oldest)
}
