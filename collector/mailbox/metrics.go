package mailbox

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics are the figures of all inboxes. They outlive a Mailbox: a reload makes new ones that count on. A nil Metrics
// counts nothing.
type Metrics struct {
	mails, failures                            *prometheus.CounterVec
	connected, contact, last, lag, waiting, ok *prometheus.GaugeVec
}

// NewMetrics registers them; a name that is taken panics.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	gauge := func(name, help string) *prometheus.GaugeVec {
		g := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "quietpost_inbox_" + name, Help: help}, []string{"inbox"})
		reg.MustRegister(g)
		return g
	}
	m := &Metrics{
		mails: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "quietpost_inbox_mails_total",
			Help: "Mails read, by what became of them."}, []string{"inbox", "state"}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "quietpost_inbox_failures_total",
			Help: "Sessions with the mail server that failed."}, []string{"inbox"}),
		connected: gauge("connected", "1 while the inbox is being watched."),
		contact:   gauge("last_contact_timestamp_seconds", "When the mail server last answered; 0 for never."),
		last:      gauge("last_mail_timestamp_seconds", "When a mail was last taken in; 0 for not since the start."),
		lag:       gauge("lag_seconds", "From when the server had the newest mail to when it was stored."),
		waiting:   gauge("behind_mails", "Mails listed and not yet taken in."),
		ok:        gauge("after_failing", "1 while the server refuses what `after` asks for."),
	}
	reg.MustRegister(m.mails, m.failures)
	return m
}

// show puts a status on the gauges.
func (m *Metrics) show(inbox string, s *Status) {
	if m == nil {
		return
	}
	yes := func(is bool) float64 {
		if is {
			return 1
		}
		return 0
	}
	unix := func(t time.Time) float64 {
		if t.IsZero() {
			return 0
		}
		return float64(t.UnixMilli()) / 1000
	}
	m.connected.WithLabelValues(inbox).Set(yes(s.Connected))
	m.contact.WithLabelValues(inbox).Set(unix(s.LastContact))
	m.last.WithLabelValues(inbox).Set(unix(s.LastMail))
	m.waiting.WithLabelValues(inbox).Set(float64(s.Behind))
	m.ok.WithLabelValues(inbox).Set(yes(s.AfterErr != ""))
}

func (m *Metrics) mail(inbox, state string) {
	if m != nil {
		m.mails.WithLabelValues(inbox, state).Inc()
	}
}

func (m *Metrics) failure(inbox string) {
	if m != nil {
		m.failures.WithLabelValues(inbox).Inc()
	}
}

// lagged notes how long the newest mail took; a server's clock that is ahead counts as none.
func (m *Metrics) lagged(inbox string, d time.Duration) {
	if m != nil {
		m.lag.WithLabelValues(inbox).Set(max(0, d.Seconds()))
	}
}

// forget takes an inbox that is watched no more off the gauges.
func (m *Metrics) forget(inbox string) {
	if m == nil {
		return
	}
	for _, g := range []*prometheus.GaugeVec{m.connected, m.contact, m.last, m.lag, m.waiting, m.ok} {
		g.DeleteLabelValues(inbox)
	}
}
