package web

import (
	"errors"
	"net/http"
	"strings"

	"quietpost/digest"
)

// A confirmView is the page by which a person says yes to what was asked for in their name.
type confirmView struct {
	Address  string
	Projects string
	Schedule string
	Waiting  bool
	Done     bool
	Declined bool
}

// confirmPage shows what the button will put in force. It changes nothing: mail scanners open every link.
func (h *Handler) confirmPage(w http.ResponseWriter, r *http.Request) {
	s, err := h.o.Confirm.Waiting(r.Context(), r.PathValue("token"))
	if h.confirmFailed(w, r, err) {
		return
	}
	h.showConfirm(w, r, &s, confirmView{Waiting: true})
}

// confirm puts it in force, or drops it.
func (h *Handler) confirm(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	do := r.PostFormValue("do")
	if do != "yes" && do != "no" {
		h.page(w, r, http.StatusBadRequest, "message.html", message{"Nothing was changed",
			"The button's answer did not arrive whole. Please open the link again."})
		return
	}
	s, err := h.o.Confirm.Confirm(r.Context(), r.PathValue("token"), do == "yes")
	if h.confirmFailed(w, r, err) {
		return
	}
	h.showConfirm(w, r, &s, confirmView{Done: do == "yes", Declined: do == "no"})
}

// confirmFailed answers what went wrong. A genuine link of which nothing waits any more says so: only its owner has it.
func (h *Handler) confirmFailed(w http.ResponseWriter, r *http.Request, err error) bool {
	if purpose, _, ok := digest.ReadToken(h.o.Instance, r.PathValue("token")); errors.Is(err, digest.ErrNotFound) && ok && purpose == digest.TokenConfirm {
		h.page(w, r, http.StatusGone, "message.html", message{"Nothing waits to be confirmed",
			"It was confirmed before, replaced by a later request, or is older than a week. Nothing was changed."})
		return true
	}
	if err != nil {
		h.pageError(w, r, err)
	}
	return err != nil
}

func (h *Handler) showConfirm(w http.ResponseWriter, r *http.Request, s *digest.Subscriber, v confirmView) {
	v.Address = s.Address
	for i := range s.Subscriptions {
		if sub := &s.Subscriptions[i]; !sub.Ended {
			v.Projects, v.Schedule = h.names(sub.Projects), strings.TrimSpace(sub.Schedule)
		}
	}
	w.Header().Set("Referrer-Policy", "same-origin")
	h.page(w, r, http.StatusOK, "confirm.html", v)
}
