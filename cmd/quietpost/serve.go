package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/activation"
	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"golang.org/x/sys/unix"

	"quietpost/collector/reader"
	"quietpost/collector/webhook"
	"quietpost/config"
	"quietpost/digest"
	"quietpost/store/sqlite"
	"quietpost/web"
)

type serveCmd struct{}

// Example is printed with the help.
func (*serveCmd) Example() string { return "quietpost serve --config /etc/quietpost/quietpost.yaml" }

// Run runs the daemon until its context ends.
func (*serveCmd) Run(e *env) error {
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	file, err := e.configFile()
	if err != nil {
		return err
	}
	return serve(e, file, hup, nil)
}

// house is the running daemon: what stays for its whole life. What a reload replaces is a generation.
type house struct {
	e        *env
	log      *slog.Logger
	file     string
	store    *sqlite.DB
	instance []byte
	intake   *digest.Intake
	bounces  *digest.Bounces
	desk     *digest.Desk
	hooks    *webhook.Handler
	web      *web.Handler
	metrics  *metrics
	registry *prometheus.Registry

	gen  atomic.Pointer[generation]
	stop func() // ends the loops of the generation, and waits

	// Of one loop: what the operators were told that is wrong with inboxes (without Since), nil before the store was asked,
	// and when they were told last.
	inboxes   map[digest.Trouble]bool
	toldInbox map[digest.Trouble]time.Time

	alerts chan struct{} // kicks: they only save waiting
	outbox chan struct{}
	owed   digest.Owed
	watch  watch
	health health
}

// serve wires the daemon in one straight line, runs it until e.ctx ends, and takes it down in the opposite order. ready,
// if there is one, is told when it runs, and where it listens.
func serve(e *env, file string, hup <-chan os.Signal, ready func(*house, net.Addr)) (err error) {
	log := e.logger()
	cfg, err := e.load(file)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(cfg.dataDir, 0o700); err != nil {
		return fmt.Errorf("data_dir: %w", err)
	}
	path := filepath.Join(cfg.dataDir, "quietpost.db")
	unlock, err := sqlite.Lock(path)
	if err != nil {
		return err
	}
	defer unlock()
	store, err := sqlite.Open(e.ctx, path, sqlite.Options{})
	if err != nil {
		return err
	}
	defer closing(&err, store.Close)

	h := &house{e: e, log: log, file: file, store: store, desk: &digest.Desk{Store: store}, registry: prometheus.NewRegistry(),
		toldInbox: map[digest.Trouble]time.Time{},
		alerts:    make(chan struct{}, 1), outbox: make(chan struct{}, 1), watch: watch{kick: make(chan struct{}, 1)}}
	h.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	h.metrics = newMetrics(h.registry, store)
	if h.instance, err = store.InstanceKey(e.ctx); err != nil {
		return err
	}
	h.intake = &digest.Intake{Store: noting{store, h}, Kick: h.kicked, Quarantined: h.quarantined}
	h.bounces = &digest.Bounces{Store: store, Instance: h.instance, Policy: digest.DefaultBouncePolicy(), Now: e.now, Recorded: h.recorded}
	h.hooks = webhook.New(webhook.Options{Intake: h.intake, Tools: cfg.tools, Now: e.now, Log: log, Registry: h.registry,
		Refused: h.watch.refuse, TrustedProxies: cfg.HTTP.TrustedProxies, BaseURL: cfg.BaseURL})
	h.web = web.New(web.Options{Archive: store, Desk: h.desk, Confirm: confirmer{h}, Instance: h.instance, Registry: h.registry, Ready: h.ready,
		APIToken: func() [][]byte { return h.gen.Load().cfg.tokens },
		Project:  func(key string) string { return h.gen.Load().set.Policy.Project(key) },
		Title:    func(key string) string { return h.gen.Load().set.Policy.Title(key) },
		Whole:    wholeMail(store),
		Zone:     cfg.TimeZone, Log: log, Version: version})
	if err := h.lastRan(e.ctx); err != nil {
		return err
	}
	freed, err := store.FreeLeases(e.ctx, e.now())
	if err != nil {
		return err
	}
	if freed > 0 {
		log.Warn("mails were being sent when the service last stopped; they are sent again with the same Message-ID", "mails", freed)
	}
	g, err := h.build(e.ctx, cfg)
	if err != nil {
		return err
	}
	l, err := listen(cfg.HTTP.Listen)
	if err != nil {
		return err
	}
	ctx, end := context.WithCancel(e.ctx)
	defer end()
	if err := h.settle(ctx, g); err != nil {
		return errors.Join(err, l.Close())
	}
	h.start(ctx, g)
	srv := &http.Server{Handler: h.routes(), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: 64 << 10, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug)}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	log.Info("ready", "listen", l.Addr().String(), "database", path, "sources", len(cfg.Sources), "inboxes", len(cfg.Inboxes),
		"version", version)
	notify(log, daemon.SdNotifyReady)
	if ready != nil {
		ready(h, l.Addr())
	}
	h.wait(ctx, hup, served)

	notify(log, daemon.SdNotifyStopping)
	log.Info("stopping")
	shut, cancel := context.WithTimeout(context.Background(), 4*time.Second)
	defer cancel()
	if err := srv.Shutdown(shut); err != nil {
		srv.Close() // what has not been answered yet was not accepted
	}
	end()
	h.stop()
	log.Info("stopped")
	return nil
}

// ready tells what cannot take or send now.
func (h *house) ready(ctx context.Context) (out []web.Problem) {
	if _, err := h.store.Counts(ctx); err != nil {
		out = append(out, web.Problem{Part: "database", Text: err.Error()})
	}
	if err := h.health.disk(); err != nil {
		out = append(out, web.Problem{Part: "database", Text: err.Error()})
	}
	g := h.gen.Load()
	for i, b := range g.boxes {
		if s := b.Status(); !s.Connected && s.Err != "" {
			out = append(out, web.Problem{Part: "inbox " + g.cfg.Inboxes[i].Name, Text: s.Err, Since: s.Since})
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.smtp != nil {
		out = append(out, web.Problem{Part: "smtp", Text: g.smtp.Error()})
	}
	for name, err := range g.faults {
		out = append(out, web.Problem{Part: name, Text: err.Error()})
	}
	return out
}

// routes joins the doors: hooks and the posting API to the collector, everything else to the pages.
func (h *house) routes() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/hooks/", h.hooks)
	mux.Handle("POST /v1/items", h.hooks)
	mux.Handle("/", h.web)
	return mux
}

// wait returns when the daemon is to stop; until then it reloads on SIGHUP and answers the watchdog.
func (h *house) wait(ctx context.Context, hup <-chan os.Signal, served <-chan error) {
	every, err := daemon.SdWatchdogEnabled(false)
	if err != nil || every == 0 {
		every = 2 * time.Hour // no watchdog: a timer that hardly ever goes off
	}
	dog := time.NewTicker(every / 3)
	defer dog.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case err := <-served:
			h.log.Error("the HTTP server ended", "error", err)
			return
		case <-hup:
			h.reload(ctx)
		case <-dog.C:
			if stuck := h.gen.Load().stuck(h.e.now()); stuck != "" {
				h.log.Error("a loop does not come round; the watchdog is not answered", "loop", stuck)
				continue
			}
			notify(h.log, daemon.SdNotifyWatchdog)
		}
	}
}

// reload puts a new configuration in force. All that can fail is done before anything of the old one is touched.
func (h *house) reload(ctx context.Context) {
	var up unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &up); err == nil { // systemd compares it: see sd_notify(3)
		notify(h.log, fmt.Sprintf("%s\nMONOTONIC_USEC=%d", daemon.SdNotifyReloading, up.Nano()/1000))
	}
	defer notify(h.log, daemon.SdNotifyReady)
	old := h.gen.Load().cfg
	cfg, err := h.e.load(h.file)
	if err != nil {
		h.log.Error("not reloaded, the old configuration stays in force", "error", err)
		return
	}
	if cfg.dataDir != old.dataDir {
		h.log.Warn("data_dir changed: that needs a restart", "in_force", old.dataDir)
		cfg.dataDir = old.dataDir
	}
	if cfg.HTTP.Listen != old.HTTP.Listen {
		h.log.Warn("http.listen changed: that needs a restart", "in_force", old.HTTP.Listen)
	}
	g, err := h.build(ctx, cfg)
	if err != nil {
		h.log.Error("not reloaded, the old configuration stays in force", "error", err)
		return
	}
	if err := h.settle(ctx, g); err != nil {
		h.log.Error("not reloaded, the old configuration stays in force", "error", err)
		return
	}
	h.stop()
	h.start(ctx, g)
	h.log.Info("reloaded", "sources", len(cfg.Sources), "inboxes", len(cfg.Inboxes))
}

// kicked is called after every delivery that was kept.
func (h *house) kicked(urgent bool) {
	if urgent {
		kick(h.alerts)
	}
}

// quarantined is called after every delivery that was kept and not understood: the watch tells the operators.
func (h *house) quarantined(_ context.Context, r *digest.Receipt) {
	h.log.Warn("quarantined", "source", r.Source, "receipt", r.ID, "reason", string(r.Reason))
	h.watch.now()
}

// tell writes to the operators; what fails there is only logged.
func (h *house) tell(ctx context.Context, cause, subject, text string) {
	g := h.gen.Load()
	if g == nil || len(g.set.Operators) == 0 {
		return
	}
	if err := g.builder.Tell(context.WithoutCancel(ctx), h.e.now(), g.set, cause, subject, text); err != nil {
		h.log.Error("telling the operators", "cause", cause, "error", err)
		return
	}
	kick(h.outbox)
}

func kick(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // one is waiting already
	}
}

// listen takes the socket that systemd hands over, else opens one.
func listen(addr string) (net.Listener, error) {
	handed, err := activation.Listeners()
	if err != nil {
		return nil, fmt.Errorf("sockets from systemd: %w", err)
	}
	for _, l := range handed {
		if l != nil {
			return l, nil
		}
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("http.listen: %w; is another quietpost running there?", err)
	}
	return l, nil
}

func notify(log *slog.Logger, state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		log.Warn("telling systemd", "error", err)
	}
}

func closing(err *error, fn func() error) { *err = errors.Join(*err, fn()) }

// wholeMail reads the text of a kept mail anew, with what its item leaves out; "" if that is nothing. Not our own links: they are its writer's.
func wholeMail(store *sqlite.DB) func(ctx context.Context, it *digest.Item) (string, error) {
	return func(ctx context.Context, it *digest.Item) (string, error) {
		if it.Tool != digest.MailTool {
			return "", nil
		}
		r, err := store.Receipt(ctx, it.Receipt)
		if errors.Is(err, digest.ErrNotFound) || err == nil && len(r.Raw) == 0 {
			return "", nil // swept
		}
		if err != nil {
			return "", err
		}
		raw := slices.Concat(r.Header, r.Raw)
		whole := reader.Read(raw, reader.Options{Whole: true}).Body
		if whole == reader.Read(raw, reader.Options{}).Body {
			return "", nil
		}
		instance, err := store.InstanceKey(ctx)
		return digest.HideTokens(instance, whole), err
	}
}

// settings are what editions are cut by under a configuration.
func settings(cfg *config.Config, policy *digest.Policy, instance []byte) *digest.Settings {
	policy.Instance = instance
	return &digest.Settings{
		Policy:   policy,
		Calendar: digest.Calendar{Named: cfg.Schedules, Zone: cfg.TimeZone},
		Alerts: digest.AlertPolicy{Gather: cfg.Alerts.Gather.Std(), FollowUpEvery: cfg.Alerts.FollowUpEvery.Std(),
			MaxPerHour: cfg.Alerts.MaxPerHour},
		Top: cfg.Digests.Top, BaseURL: cfg.BaseURL, Inbox: cfg.Mail.ReplyTo, Instance: instance, Operators: cfg.Operators,
	}
}

// entry is a subscriber as the desk takes them.
func entry(s *config.Subscriber) digest.Entry {
	return digest.Entry{Address: s.Address, Name: s.Name, Zone: s.TimeZone, Locale: s.Locale, Projects: s.Projects,
		Kinds: s.Kinds, Schedule: s.Schedule, Alerts: s.Alerts, Quiet: s.Quiet}
}

func jitter() float64 { return rand.Float64() }

// host is the name to greet mail servers with: that of the pages if it is a name, else this machine's.
func host(baseURL string) string {
	if u, err := url.Parse(baseURL); err == nil && net.ParseIP(u.Hostname()) == nil && u.Hostname() != "localhost" {
		return u.Hostname()
	}
	if name, err := os.Hostname(); err == nil && name != "" {
		return name
	}
	return "localhost"
}
