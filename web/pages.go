package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"errors"
	"html/template"
	"net/http"
	"strings"

	"quietpost/digest"
)

//go:embed pages
var pageFiles embed.FS

// pages are the parsed templates and the policy that goes with their style.
type pages struct {
	t      *template.Template
	policy string // Content-Security-Policy
}

func newPages() *pages {
	css, err := pageFiles.ReadFile("pages/style.css")
	if err != nil {
		panic(err)
	}
	style := template.CSS(css)
	t := template.New("").Funcs(template.FuncMap{"style": func() template.CSS { return style }})
	t = template.Must(t.ParseFS(pageFiles, "pages/*.html"))
	// The style is ours by its hash; nothing else is loaded, and forms go nowhere else.
	sum := sha256.Sum256(css)
	return &pages{t: t, policy: "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
		"'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"}
}

// page writes a whole page or none.
func (h *Handler) page(w http.ResponseWriter, r *http.Request, status int, name string, data any) {
	var b bytes.Buffer
	if err := h.pages.t.ExecuteTemplate(&b, name, data); err != nil {
		h.o.Log.Error("page failed", "page", name, "error", err)
		http.Error(w, "This page cannot be shown now.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes())
}

// A message is a page of a few words.
type message struct{ Title, Text string }

func (h *Handler) front(w http.ResponseWriter, r *http.Request) {
	h.page(w, r, http.StatusOK, "message.html", message{"This is quietpost",
		"It gathers a team's updates and mails them at the hours each person chose. There is nothing to see here: " +
			"every page is reached by a link in one of its mails."})
}

// notFound answers in JSON where programs ask, and in plain words where people do.
func (h *Handler) notFound(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/v1/") {
		writeProblem(w, problem{Status: http.StatusNotFound, Detail: "there is no such resource; /openapi.json describes those there are"})
		return
	}
	h.page(w, r, http.StatusNotFound, "message.html", message{"There is no such page",
		"Every page here is reached by a link in a mail."})
}

// badLink is for tokens that are not ours, and for what they named and is no more: nobody learns which.
func (h *Handler) badLink(w http.ResponseWriter, r *http.Request) {
	h.page(w, r, http.StatusNotFound, "message.html", message{"This link does not work",
		"It may be incomplete: please copy the whole address from the mail. Or what it led to is no longer there."})
}

// onlyBy answers methods that a path does not know.
func (h *Handler) onlyBy(allow string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Allow", allow)
		if strings.HasPrefix(r.URL.Path, "/v1/") {
			writeProblem(w, problem{Status: http.StatusMethodNotAllowed, Detail: "allowed here: " + allow})
			return
		}
		h.page(w, r, http.StatusMethodNotAllowed, "message.html", message{"This cannot be done here", "Allowed: " + allow + "."})
	}
}

// pageError answers what went wrong behind a page.
func (h *Handler) pageError(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, digest.ErrNotFound) {
		h.badLink(w, r)
		return
	}
	status := h.failed(w, r, err)
	h.page(w, r, status, "message.html", message{"This did not work", "Nothing was changed. Please try again in a minute."})
}
