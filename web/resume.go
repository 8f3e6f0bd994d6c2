package web

import (
	"errors"
	"net/http"
	"strconv"

	"quietpost/digest"
)

// A resumeView is the page that lifts a suspension.
type resumeView struct {
	Address string
	Held    string // empty if nothing is held
	Done    bool
}

// held says since when and why mail to an address is held.
func (h *Handler) held(s *digest.Subscriber) string {
	at := s.Bounces.SuspendedAt.In(s.Location(h.o.Zone)).Format("2 January 2006, 15:04")
	return "Since " + at + " mail to this address is held, because " + string(s.Bounces.Reason) + "."
}

// resuming finds whose link it is; it answers itself where it is nobody's.
func (h *Handler) resuming(w http.ResponseWriter, r *http.Request) (s digest.Subscriber, ok bool) {
	purpose, id, ok := digest.ReadToken(h.o.Instance, r.PathValue("token"))
	n, err := strconv.ParseInt(id, 10, 64)
	if !ok || purpose != digest.TokenResume || err != nil {
		h.badLink(w, r)
		return s, false
	}
	if s, err = h.person(r.Context(), leaving{true, n}); err != nil {
		h.pageError(w, r, err)
	}
	return s, err == nil
}

// resumePage shows what the button will do, and changes nothing.
func (h *Handler) resumePage(w http.ResponseWriter, r *http.Request) {
	if s, ok := h.resuming(w, r); ok {
		h.showResume(w, r, &s, false)
	}
}

// resume lifts a suspension. Nothing else is lifted by it: who paused or left did so by their own word.
func (h *Handler) resume(w http.ResponseWriter, r *http.Request) {
	s, ok := h.resuming(w, r)
	if !ok {
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if r.PostFormValue("do") != "resume" {
		h.page(w, r, http.StatusBadRequest, "message.html", message{"Nothing was changed",
			"The button's answer did not arrive whole. Please open the link again."})
		return
	}
	done := s.State == digest.Suspended
	if done {
		now, err := h.o.Desk.Lift(r.Context(), s.ID)
		if err != nil && !errors.Is(err, digest.ErrConflict) {
			h.pageError(w, r, err)
			return
		}
		s, done = now, err == nil
	}
	h.showResume(w, r, &s, done)
}

func (h *Handler) showResume(w http.ResponseWriter, r *http.Request, s *digest.Subscriber, done bool) {
	v := resumeView{Address: s.Address, Done: done}
	if s.State == digest.Suspended {
		v.Held = h.held(s)
	}
	w.Header().Set("Referrer-Policy", "same-origin")
	h.page(w, r, http.StatusOK, "resume.html", v)
}
