package web

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	"quietpost/digest"
)

// maxForm is the size of the largest form there is, with room for what a provider adds.
const maxForm = 64 << 10

// A leaving is what a leave link acts on: a subscription's digests, or a person's alerts.
type leaving struct {
	alerts bool
	id     int64
}

// leavingOf reads a leave link's token.
func (h *Handler) leavingOf(r *http.Request) (leaving, bool) {
	purpose, id, ok := digest.ReadToken(h.o.Instance, r.PathValue("token"))
	if !ok || purpose != digest.TokenLeaveDigest && purpose != digest.TokenLeaveAlerts {
		return leaving{}, false
	}
	n, err := strconv.ParseInt(id, 10, 64)
	return leaving{purpose == digest.TokenLeaveAlerts, n}, err == nil
}

// A leaveView is the leave page.
type leaveView struct {
	Address  string
	Alerts   bool   // the page is about alerts, not a digest
	Projects string // what the digest is of
	Schedule string
	Gone     bool   // it has ended
	Done     bool   // by the POST that this page answers
	Closed   bool   // the person gets no mail at all any more, and this link does not change that
	Held     string // why mail to the address is held, if it is
	Resume   string // token of the page that lifts it
	Too      string // token that ends the person's alerts too; empty where it makes no sense
}

// leavePage shows what the button will do. It changes nothing: mail scanners open every link (RFC 8058, section 1).
func (h *Handler) leavePage(w http.ResponseWriter, r *http.Request) {
	l, ok := h.leavingOf(r)
	if !ok {
		h.badLink(w, r)
		return
	}
	s, err := h.person(r.Context(), l)
	if err != nil {
		h.pageError(w, r, err)
		return
	}
	h.showLeave(w, r, l, s, false)
}

// leave does it: for a provider by one click (RFC 8058, section 3.2: form List-Unsubscribe=One-Click, urlencoded or
// multipart), or by the page's button. There is no cookie that another site could make use of: who has the link may use it, from
// anywhere. So no origin is asked for; one-click posts have none.
func (h *Handler) leave(w http.ResponseWriter, r *http.Request) {
	l, ok := h.leavingOf(r)
	if !ok {
		h.badLink(w, r)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	oneClick := r.PostFormValue("List-Unsubscribe") == "One-Click"
	do := r.PostFormValue("do")
	if !oneClick && do != "leave" && do != "stay" {
		h.page(w, r, http.StatusBadRequest, "message.html", message{"Nothing was changed",
			"The button's answer did not arrive whole. Please open the link again."})
		return
	}
	change := h.o.Desk.LeaveDigest
	if l.alerts {
		change = h.o.Desk.LeaveAlerts
	}
	s, err := change(r.Context(), l.id, oneClick || do == "leave")
	if err != nil {
		h.pageError(w, r, err)
		return
	}
	if oneClick {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.Write([]byte("Done. No more of these mails will come.\n"))
		return
	}
	h.showLeave(w, r, l, s, true)
}

func (h *Handler) showLeave(w http.ResponseWriter, r *http.Request, l leaving, s digest.Subscriber, done bool) {
	v := leaveView{Address: s.Address, Alerts: l.alerts, Done: done}
	if l.alerts {
		v.Gone = !s.Alerts
	} else {
		sub := subscription(&s, l.id)
		if sub == nil {
			h.badLink(w, r)
			return
		}
		v.Gone, v.Schedule, v.Projects = sub.Ended, sub.Schedule, h.names(sub.Projects)
		if s.Alerts {
			v.Too = digest.Token(h.o.Instance, digest.TokenLeaveAlerts, strconv.FormatInt(s.ID, 10))
		}
	}
	if s.State == digest.Suspended {
		v.Held = h.held(&s)
		v.Resume = digest.Token(h.o.Instance, digest.TokenResume, strconv.FormatInt(s.ID, 10))
	}
	v.Closed = s.State == digest.Left && !done && !v.Gone
	// Forms carry an Origin only with this policy; the page links nowhere, so that the address stays here.
	w.Header().Set("Referrer-Policy", "same-origin")
	h.page(w, r, http.StatusOK, "leave.html", v)
}

// names are projects in words.
func (h *Handler) names(patterns []string) string {
	var list []string
	for _, p := range patterns {
		if p == "*" {
			return "all projects"
		}
		list = append(list, h.o.Policy().Title(p))
	}
	return strings.Join(list, ", ")
}

// person finds whose link it is; digest.ErrNotFound.
func (h *Handler) person(ctx context.Context, l leaving) (digest.Subscriber, error) {
	people, err := h.o.Desk.People(ctx)
	if err != nil {
		return digest.Subscriber{}, err
	}
	for i := range people {
		if l.alerts && people[i].ID == l.id || !l.alerts && subscription(&people[i], l.id) != nil {
			return people[i], nil
		}
	}
	return digest.Subscriber{}, digest.ErrNotFound
}

func subscription(s *digest.Subscriber, id int64) *digest.Subscription {
	for i := range s.Subscriptions {
		if s.Subscriptions[i].ID == id {
			return &s.Subscriptions[i]
		}
	}
	return nil
}
