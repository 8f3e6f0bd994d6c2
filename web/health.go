package web

import (
	"embed"
	"net/http"
)

//go:embed openapi.json
var openAPIFile embed.FS

// healthz says that the process answers.
func (h *Handler) healthz(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte("ok\n"))
}

// readyz says whether the service can take and send, and what keeps it: 200 or 503.
func (h *Handler) readyz(w http.ResponseWriter, r *http.Request) {
	answer := struct {
		Status   string    `json:"status"`
		Problems []Problem `json:"problems"`
		Version  string    `json:"version,omitempty"`
	}{Status: "ready", Problems: []Problem{}, Version: h.o.Version}
	status := http.StatusOK
	if h.o.Ready != nil {
		if list := h.o.Ready(r.Context()); len(list) > 0 {
			answer.Status, answer.Problems, status = "not ready", list, http.StatusServiceUnavailable
		}
	}
	writeJSON(w, status, "application/json", answer)
}

func (h *Handler) openAPI(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	http.ServeFileFS(w, r, openAPIFile, "openapi.json")
}
