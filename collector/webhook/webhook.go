// Package webhook is the HTTP door: it takes what tools post at /hooks/NAME and items in the native form at
// /v1/items, checks who posted, has an adapter read it and answers only once it is stored.
//
// At /hooks content is never refused: what cannot be read is quarantined with its raw bytes. At /v1 a wrong field is
// named and refused. Faults are application/problem+json (RFC 9457).
package webhook

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"

	"quietpost/collector/tools"
	"quietpost/digest"
)

// Sizes and times where Options says nothing.
const (
	DefaultMaxBody     = 5 << 20
	DefaultMaxMemory   = 256 << 20
	DefaultReadTimeout = 30 * time.Second
)

// keepRaw is how much of a body the receipt keeps.
const keepRaw = 5 << 20

// storeTimeout bounds the wait for the store.
const storeTimeout = 30 * time.Second

// A Source is a place that may post.
type Source struct {
	Name    string
	Type    string // one of Tools, or "auto" to tell by each delivery
	Project string // for items that name none, and before one that was only guessed; may be empty

	Secrets [][]byte       // each is valid; an empty one never is
	Open    bool           // takes deliveries without a secret from addresses in From; they are not Authenticated
	From    []netip.Prefix // loopback if empty
	Rate    float64        // deliveries a second, 0 for no limit

	Adapter tools.Adapter // reads instead of the type's own, as a map of fields does; usually nil
}

// Options are what a Handler needs. Intake and Now are required.
type Options struct {
	Intake interface {
		// Accept stores a delivery; when it returns without an error, it is on disk.
		Accept(ctx context.Context, d digest.Delivery) (digest.Result, error)
	}
	Tools    *tools.Library // what sources may be; nil: what comes with the program
	Now      func() time.Time
	Log      *slog.Logger          // nil: no log
	Registry prometheus.Registerer // nil: no metrics
	Refused  func(source string)   // is told of each delivery whose secret was missing or wrong; may be nil

	TrustedProxies []netip.Prefix // whose X-Forwarded-For is believed
	BaseURL        string         // how tools reach this door, without a slash at the end; Trello signs it

	MaxBody     int64         // bytes of a body, before and after decompression, where the tool has no limit of its own
	MaxMemory   int64         // bytes of all bodies that are being read at once; above it the answer is 503
	ReadTimeout time.Duration // for a body to arrive whole
}

// A Handler is the door. The server that it runs in should set ReadHeaderTimeout, WriteTimeout and IdleTimeout; the
// time for a body the door sets itself.
type Handler struct {
	opt      Options
	tools    atomic.Pointer[tools.Library]
	sources  atomic.Pointer[sourceTable]
	mux      *http.ServeMux
	reading  atomic.Int64 // bytes of bodies in memory
	counter  *prometheus.CounterVec
	refused  *prometheus.CounterVec
	swapping sync.Mutex
}

type source struct {
	Source
	tools *tools.Library
	limit *rate.Limiter
}

// tool is one by its name; one that is not there reads nothing, and has no ways of its own.
func (s *source) tool(name string) tools.Tool {
	t, _ := s.tools.Tool(name)
	return t
}

type sourceTable struct {
	byName  map[string]*source
	generic []*source // whose secrets open /v1/items
}

// New makes a door without sources. It takes /hooks/ with every method, and POST /v1/items; mount it at both.
func New(opt Options) *Handler {
	if opt.Log == nil {
		opt.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	if opt.MaxBody <= 0 {
		opt.MaxBody = DefaultMaxBody
	}
	if opt.MaxMemory <= 0 {
		opt.MaxMemory = DefaultMaxMemory
	}
	if opt.ReadTimeout <= 0 {
		opt.ReadTimeout = DefaultReadTimeout
	}
	if opt.Tools == nil {
		lib, err := tools.NewLibrary(nil)
		if err != nil {
			panic(err) // a fault in the program's own files, which its tests read
		}
		opt.Tools = lib
	}
	h := &Handler{opt: opt, mux: http.NewServeMux(),
		counter: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "quietpost_webhook_deliveries_total",
			Help: "Deliveries by source and by what became of them: accepted, duplicate, ignored, quarantined.",
		}, []string{"source", "answer"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "quietpost_webhook_refused_total",
			Help: "Requests that were not taken, by source (empty if there is no such source) and HTTP status.",
		}, []string{"source", "status"}),
	}
	if opt.Registry != nil {
		opt.Registry.MustRegister(h.counter, h.refused)
	}
	h.SetTools(opt.Tools)
	h.SetSources(nil)
	h.mux.HandleFunc("/hooks/{name}", h.hook)
	h.mux.HandleFunc("/hooks/{name}/{token...}", h.hook)
	h.mux.HandleFunc("/v1/items", h.items)
	h.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		h.fault(w, "", problem{Status: http.StatusNotFound, Detail: "There is nothing here. Sources are at /hooks/NAME."})
	})
	return h
}

// SetTools replaces what sources may be, from the next SetSources on.
func (h *Handler) SetTools(lib *tools.Library) { h.tools.Store(lib) }

// SetSources replaces all sources at once; requests that are under way go on with the old ones. A limit that is left
// as it was goes on counting.
func (h *Handler) SetSources(list []Source) {
	h.swapping.Lock()
	defer h.swapping.Unlock()
	old := h.sources.Load()
	lib := h.tools.Load()
	t := &sourceTable{byName: map[string]*source{}}
	for _, s := range list {
		src := &source{Source: s, tools: lib}
		if s.Rate > 0 {
			src.limit = rate.NewLimiter(rate.Limit(s.Rate), int(max(1, s.Rate)))
			if old != nil && old.byName[s.Name] != nil && old.byName[s.Name].Rate == s.Rate {
				src.limit = old.byName[s.Name].limit
			}
		}
		t.byName[s.Name] = src
		if s.Type == "generic" {
			t.generic = append(t.generic, src)
		}
	}
	h.sources.Store(t)
}

// ServeHTTP answers /hooks/NAME, /hooks/NAME/TOKEN and /v1/items.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.mux.ServeHTTP(w, r) }
