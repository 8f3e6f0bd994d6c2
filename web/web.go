// Package web serves what people and programs read: the pages behind the links of mails, /v1, health and metrics. It is
// closed by default: a page needs a signed link, /v1 a token.
package web

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"quietpost/digest"
)

// Archive is what the pages and /v1 read of the store; digest.ArchiveStore and digest.EditionStore say how.
type Archive interface {
	Items(ctx context.Context, q digest.ItemQuery) ([]digest.Item, error)
	Item(ctx context.Context, number int64) (digest.Item, error)
	Projects(ctx context.Context) ([]digest.ProjectCount, error)
	Edition(ctx context.Context, id string) (digest.Edition, error)
	Window(ctx context.Context, after, upTo int64, excerpt int) ([]digest.Item, error)
}

// Desk is what the leave links do. Leaving twice, or coming back twice, is no error; digest.ErrNotFound if there is no such
// subscription or person.
type Desk interface {
	// LeaveDigest ends a subscription's digests, or with leave false takes them up again.
	LeaveDigest(ctx context.Context, subscription int64, leave bool) (digest.Subscriber, error)
	// LeaveAlerts does the same with a person's alerts.
	LeaveAlerts(ctx context.Context, subscriber int64, leave bool) (digest.Subscriber, error)
	// Lift gives a person whose address is suspended their mails again; digest.ErrConflict if they left.
	Lift(ctx context.Context, subscriber int64) (digest.Subscriber, error)
	// People are all subscribers.
	People(ctx context.Context) ([]digest.Subscriber, error)
}

// A Confirmer is what the links in letters that ask for a person's word do. digest.ErrNotFound if nothing waits.
type Confirmer interface {
	// Waiting shows the person as they would be.
	Waiting(ctx context.Context, token string) (digest.Subscriber, error)
	// Confirm puts it in force, or with yes false drops it.
	Confirm(ctx context.Context, token string, yes bool) (digest.Subscriber, error)
}

// A Problem is something that keeps the service from taking or sending. It is shown to anybody, so it names no secret.
type Problem struct {
	Part  string    `json:"part"`           // what: "database", "smtp", "inbox updates"
	Text  string    `json:"text"`           // what is wrong with it
	Since time.Time `json:"since,omitzero"` // zero if not known
}

// Options are what a Handler needs. Archive, Desk, Instance and Log must be there.
type Options struct {
	Archive  Archive
	Desk     Desk
	Instance []byte // the key of digest.ReadToken

	// APIToken gives the tokens that may read /v1, each as good as another; nil or none closes it.
	APIToken func() [][]byte

	Confirm Confirmer // nil: no such pages

	Ready    func(ctx context.Context) []Problem // what is not able to take or send; nil: nothing ever
	Registry prometheus.Gatherer                 // nil: no /metrics

	// Policy is the one in force: it resolves aliases and gives projects their titles, as at the cut of an edition. nil: it
	// lists none.
	Policy func() *digest.Policy

	// Whole gives the text of the mail that an item was, with what its body leaves out, such as the mail it answers; empty
	// where that is nothing, for other items, and for what is no longer kept. nil: always empty.
	Whole func(ctx context.Context, it *digest.Item) (string, error)

	Zone    *time.Location // for people who have chosen none; nil: UTC
	Log     *slog.Logger
	Version string // shown by /readyz
}

// A Handler answers all paths that are not a source's. It is safe for many goroutines.
type Handler struct {
	o     Options
	mux   *http.ServeMux
	pages *pages

	reading chan struct{} // a place for each edition page that may be made at a time
}

// maxReading bounds how many edition pages read their windows at the same time.
const maxReading = 4

// New makes the handler. It panics if its own templates are broken, which a test finds.
func New(o Options) *Handler {
	if o.Policy == nil {
		none := digest.NewPolicy(digest.Policy{})
		o.Policy = func() *digest.Policy { return none }
	}
	if o.Zone == nil {
		o.Zone = time.UTC
	}
	h := &Handler{o: o, mux: http.NewServeMux(), pages: newPages(), reading: make(chan struct{}, maxReading)}
	for _, r := range h.routes() {
		h.mux.HandleFunc(r.pattern, r.serve)
	}
	return h
}

type route struct {
	pattern string
	serve   http.HandlerFunc
}

// routes are all there are. A pattern without method answers what its other methods do not: 405, or 404 for "/".
func (h *Handler) routes() []route {
	list := []route{
		{"GET /{$}", h.front},
		{"GET /l/{token}", h.leavePage},
		{"POST /l/{token}", h.leave},
		{"/l/{token}", h.onlyBy("GET, HEAD, POST")},
		{"GET /r/{token}", h.resumePage},
		{"POST /r/{token}", h.resume},
		{"/r/{token}", h.onlyBy("GET, HEAD, POST")},
		{"GET /e/{token}", h.editionPage},
		{"/e/{token}", h.onlyBy("GET, HEAD")},
		{"GET /e/{token}/{number}", h.itemPage},
		{"/e/{token}/{number}", h.onlyBy("GET, HEAD")},
		{"GET /v1/items", h.api(h.items)},
		{"GET /v1/items/{id}", h.api(h.item)},
		{"GET /v1/projects", h.api(h.projects)},
		{"/v1/items", h.onlyBy("GET, HEAD, POST")}, // POST is the collector's
		{"/v1/items/{id}", h.onlyBy("GET, HEAD")},
		{"/v1/projects", h.onlyBy("GET, HEAD")},
		{"GET /openapi.json", h.openAPI},
		{"GET /healthz", h.healthz},
		{"GET /readyz", h.readyz},
		{"/", h.notFound},
	}
	if h.o.Confirm != nil {
		list = append(list, route{"GET /c/{token}", h.confirmPage}, route{"POST /c/{token}", h.confirm},
			route{"/c/{token}", h.onlyBy("GET, HEAD, POST")})
	}
	if h.o.Registry != nil {
		metrics := promhttp.HandlerFor(h.o.Registry, promhttp.HandlerOpts{})
		list = append(list, route{"GET /metrics", metrics.ServeHTTP})
	}
	return list
}

// ServeHTTP answers with headers that let nothing in that is not ours: no script, no frame, no guessed type, no cache.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	head := w.Header()
	head.Set("Content-Security-Policy", h.pages.policy)
	head.Set("X-Content-Type-Options", "nosniff")
	head.Set("X-Frame-Options", "DENY")
	head.Set("Cross-Origin-Opener-Policy", "same-origin")
	head.Set("Cross-Origin-Resource-Policy", "same-origin")
	head.Set("Referrer-Policy", "no-referrer")
	head.Set("X-Robots-Tag", "noindex, nofollow")
	head.Set("Cache-Control", "no-store")
	h.mux.ServeHTTP(w, r)
}
