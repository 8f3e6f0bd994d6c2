package demo

import (
	"bytes"
	"crypto/rand"
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

//go:embed page.html
var pageFile string

// pageTemplate is the page; what is untrusted in it is escaped by html/template, and a mail's HTML is never in it.
var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{
	"clock":  func(t time.Time) string { return t.Local().Format("15:04:05") },
	"reader": func(key string) reader { r, _ := readerOf(key); return r },
}).Parse(pageFile))

// mailPolicy goes with a mail's HTML: as in a careful mail program nothing runs, nothing is loaded, and links open
// elsewhere.
const mailPolicy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'none'; frame-ancestors 'self'; " +
	"sandbox allow-same-origin allow-popups allow-popups-to-escape-sandbox"

// viewer is the page's routes. A POST from another site's page is refused.
func (w *World) viewer() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", w.page)
	mux.HandleFunc("GET /news", w.news)
	mux.HandleFunc("GET /mail/{reader}/{uid}", w.mailHTML)
	mux.HandleFunc("POST /post", w.another)
	return http.NewCrossOriginProtection().Handler(mux)
}

// A view is what the page shows: everything, or what came after the first Seen things posted and Read mails.
type view struct {
	Nonce, Curl string
	Readers     []reader
	Posted      []Posted // newest first
	Mails       []Mail   // newest first
	Seen, Read  int
}

func (w *World) view(seen, read int) view {
	w.mu.Lock()
	defer w.mu.Unlock()
	v := view{Readers: readers, Curl: w.Curl(), Seen: len(w.posted), Read: len(w.mails)}
	v.Posted = slices.Clone(w.posted[min(max(seen, 0), len(w.posted)):])
	v.Mails = slices.Clone(w.mails[min(max(read, 0), len(w.mails)):])
	slices.Reverse(v.Posted)
	slices.Reverse(v.Mails)
	return v
}

// catchUp looks into the mailboxes and the daemon's list.
func (w *World) catchUp(r *http.Request) error {
	if err := w.refresh(r.Context()); err != nil {
		return err
	}
	return w.notice(r.Context())
}

func (w *World) page(rw http.ResponseWriter, r *http.Request) {
	if err := w.catchUp(r); err != nil { // the daemon may be starting yet: the page's own script asks again
		rw.Header().Set("Quietpost-Demo", "not all could be fetched")
	}
	v := w.view(0, 0)
	v.Nonce = rand.Text()
	var b bytes.Buffer
	if err := pageTemplate.Execute(&b, v); err != nil {
		http.Error(rw, err.Error(), http.StatusInternalServerError)
		return
	}
	h := rw.Header()
	h.Set("Content-Security-Policy", fmt.Sprintf("default-src 'none'; script-src 'nonce-%s'; style-src 'nonce-%s'; connect-src 'self'; "+
		"frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'", v.Nonce, v.Nonce))
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Type", "text/html; charset=utf-8")
	_, _ = rw.Write(b.Bytes()) // to a reader who has gone
}

// news gives, as JSON, the HTML of what the page has not got yet.
func (w *World) news(rw http.ResponseWriter, r *http.Request) {
	if err := w.catchUp(r); err != nil {
		http.Error(rw, err.Error(), http.StatusServiceUnavailable)
		return
	}
	seen, _ := strconv.Atoi(r.FormValue("seen"))
	read, _ := strconv.Atoi(r.FormValue("read"))
	v := w.view(seen, read)
	parts := map[string]string{}
	for _, name := range []string{"posted", "mails"} {
		var b bytes.Buffer
		if err := pageTemplate.ExecuteTemplate(&b, name, v); err != nil {
			http.Error(rw, err.Error(), http.StatusInternalServerError)
			return
		}
		parts[name] = b.String()
	}
	rw.Header().Set("Content-Type", "application/json")
	rw.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(rw).Encode(map[string]any{"seen": v.Seen, "read": v.Read, "posted": parts["posted"], "mails": parts["mails"]})
}

// mailHTML gives one mail's HTML for its sandboxed frame.
func (w *World) mailHTML(rw http.ResponseWriter, r *http.Request) {
	if err := w.refresh(r.Context()); err != nil {
		http.Error(rw, err.Error(), http.StatusServiceUnavailable)
		return
	}
	w.mu.Lock()
	i := slices.IndexFunc(w.mails, func(m Mail) bool {
		return m.Reader == r.PathValue("reader") && strconv.FormatUint(uint64(m.UID), 10) == r.PathValue("uid")
	})
	html := ""
	if i >= 0 {
		html = w.mails[i].HTML
	}
	w.mu.Unlock()
	if i < 0 {
		http.NotFound(rw, r)
		return
	}
	h := rw.Header()
	h.Set("Content-Security-Policy", mailPolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Content-Type", "text/html; charset=utf-8")
	// Links open beside the page, as a mail program would have it.
	_, _ = rw.Write([]byte(strings.Replace(html, "<head>", `<head><base target="_blank">`, 1)))
}

// samples are what the button posts when nothing is typed, in turn.
var (
	normalSamples = []string{"Search index rebuilt in 4 min", "The staging data is fresh again", "Certificates renewed for 90 days"}
	urgentSamples = []string{"The payment provider does not answer", "The disk of the mail queue is full", "The login page answers 502"}
)

// another posts one more, in the native form.
func (w *World) another(rw http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(rw, r.Body, 64<<10)
	if err := r.ParseForm(); err != nil {
		http.Error(rw, "this form cannot be read: "+err.Error(), http.StatusBadRequest)
		return
	}
	urgent, title := r.PostFormValue("urgency") == "urgent", strings.TrimSpace(r.PostFormValue("title"))
	if title == "" {
		from := normalSamples
		if urgent {
			from = urgentSamples
		}
		w.mu.Lock()
		title = from[w.samples%len(from)]
		w.samples++
		w.mu.Unlock()
	}
	item := map[string]any{"project": "harbor", "title": title}
	if urgent {
		item["urgent"] = true
	}
	body, err := json.MarshalIndent(item, "", "  ")
	if err != nil {
		http.Error(rw, err.Error(), http.StatusInternalServerError)
		return
	}
	p := w.send(r.Context(), request{caption: "You: " + title, path: "/v1/items", body: append(body, '\n'),
		header: http.Header{"Content-Type": {"application/json"}, "User-Agent": {"quietpost-demo"}}})
	if p.Failed {
		http.Error(rw, "the daemon did not take it: "+p.Answer, http.StatusBadGateway)
		return
	}
	http.Redirect(rw, r, "/", http.StatusSeeOther)
}
