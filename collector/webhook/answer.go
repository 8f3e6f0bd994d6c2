package webhook

import (
	"encoding/json"
	"net/http"
	"strconv"

	"quietpost/digest"
)

// A problem is a fault as RFC 9457 has it. Field is our own member: the field of the body that is wrong.
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`
	Field  string `json:"field,omitempty"`

	retry int    // seconds for Retry-After, 0 for none
	allow string // for Allow
}

// fault answers with a problem and counts it.
func (h *Handler) fault(w http.ResponseWriter, source string, p problem) {
	h.refused.WithLabelValues(source, strconv.Itoa(p.Status)).Inc()
	p.Type, p.Title = "about:blank", http.StatusText(p.Status)
	head := w.Header()
	if p.retry > 0 {
		head.Set("Retry-After", strconv.Itoa(p.retry))
	}
	if p.allow != "" {
		head.Set("Allow", p.allow)
	}
	if p.Status == http.StatusUnauthorized {
		head.Set("WWW-Authenticate", `Bearer realm="quietpost"`)
	}
	send(w, p.Status, "application/problem+json", p)
}

// An answer is what a sender is told of its delivery.
type answer struct {
	Status string        `json:"status"`
	ID     string        `json:"id,omitempty"`
	Items  []itemAnswer  `json:"items,omitzero"` // none is [] where there could be some
	Reason digest.Reason `json:"reason,omitempty"`
}

type itemAnswer struct {
	ID      string `json:"id"`
	Seq     int64  `json:"seq"`
	Project string `json:"project"`
	Urgent  bool   `json:"urgent"`
}

// answerOf says what became of a delivery, and with which status.
func answerOf(res digest.Result) (int, answer) {
	a := answer{Status: res.State, Items: []itemAnswer{}}
	for _, it := range res.Items {
		a.Items = append(a.Items, itemAnswer{ID: digest.ItemID(it.Number), Seq: it.Number, Project: it.Project, Urgent: it.Urgent})
	}
	switch {
	case res.Duplicate:
		a.Status = "duplicate"
		return http.StatusOK, a
	case res.State == digest.Ignored:
		a.Items, a.Reason = nil, res.Reason
		return http.StatusOK, a
	case res.State == digest.Quarantined:
		a.Items = nil
		a.ID, a.Reason = strconv.FormatInt(res.Receipt, 10), res.Reason
		return http.StatusAccepted, a
	}
	a.Status = digest.Accepted
	return http.StatusAccepted, a
}

func send(w http.ResponseWriter, status int, contentType string, v any) {
	body, err := json.Marshal(v)
	if err != nil { // cannot be: only our own structs come here
		status, body = http.StatusInternalServerError, []byte("{}")
	}
	sendText(w, status, contentType, string(body)+"\n")
}

func sendText(w http.ResponseWriter, status int, contentType, text string) {
	head := w.Header()
	head.Set("Content-Type", contentType)
	head.Set("Content-Length", strconv.Itoa(len(text)))
	head.Set("X-Content-Type-Options", "nosniff")
	head.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text)) // a sender that is gone learns it by its own retry
}
