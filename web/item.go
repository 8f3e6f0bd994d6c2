package web

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"

	"quietpost/digest"
)

const (
	wholeItem  = 256 << 10 // bytes of a text
	threadMost = 50        // items of a thread
)

// A threadView is all that an edition covers of one item's thread.
type threadView struct {
	Title   string
	Up      string // address of the edition's page
	Project string
	Earlier int // of the thread, not shown
	Items   []wholeView
}

// A wholeView is all there is of one item.
type wholeView struct {
	itemView
	Whole string // of a mail: its text with what the body leaves out; empty if there is no more
}

// itemPage shows one item of an edition whole, with what else the edition covers of its thread. Which items those are is asked
// as for the edition's page, so that its link opens nothing else.
func (h *Handler) itemPage(w http.ResponseWriter, r *http.Request) {
	h.ofEdition(w, r, "item.html", func(ctx context.Context, id string) (any, error) {
		number, err := strconv.ParseInt(r.PathValue("number"), 10, 64)
		if err != nil {
			return nil, digest.ErrNotFound
		}
		v, err := h.thread(ctx, id, number)
		if err != nil {
			return nil, err
		}
		v.Up = "../" + r.PathValue("token")
		return v, nil
	})
}

// thread reads an item of an edition and its thread, oldest first; digest.ErrNotFound if it is not one of them.
func (h *Handler) thread(ctx context.Context, edition string, number int64) (*threadView, error) {
	e, who, err := h.reader(ctx, edition)
	if err != nil {
		return nil, err
	}
	refs, err := h.refs(ctx, &e, wanted(&e, &who))
	if err != nil {
		return nil, err
	}
	at := slices.IndexFunc(refs, func(f ref) bool { return f.number == number })
	if at < 0 {
		return nil, digest.ErrNotFound
	}
	this := refs[at]
	refs = slices.DeleteFunc(refs, func(f ref) bool {
		return f.number != number && (f.thread == "" || f.thread != this.thread || f.project != this.project)
	})
	at = slices.Index(refs, this)
	v := &threadView{Project: this.title, Earlier: max(0, min(at, len(refs)-threadMost))}
	for _, f := range refs[v.Earlier:min(len(refs), v.Earlier+threadMost)] {
		it, err := h.o.Archive.Item(ctx, f.number)
		if errors.Is(err, digest.ErrNotFound) && f.number != number {
			continue // swept meanwhile
		}
		if err != nil {
			return nil, err
		}
		whole := wholeView{itemView: view(&it, who.Location(h.o.Zone), wholeItem)}
		if f.number == number {
			v.Title = whole.Title
		}
		if !it.Private && h.o.Whole != nil {
			text, err := h.o.Whole(ctx, &it)
			if err != nil {
				return nil, err
			}
			whole.Whole = excerpt(text, wholeItem)
		}
		v.Items = append(v.Items, whole)
	}
	return v, nil
}
