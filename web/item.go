package web

import (
	"context"
	"net/http"
	"strconv"

	"quietpost/digest"
)

const wholeItem = 256 << 10 // bytes of a text

// A wholeView is all there is of one item.
type wholeView struct {
	itemView
	Up      string // address of its edition's page
	Project string
	Whole   string // of a mail: its text with what the body leaves out; empty if there is no more
}

// itemPage shows one item of an edition whole. Which items those are is asked as for the edition's page, so that its link
// opens nothing else.
func (h *Handler) itemPage(w http.ResponseWriter, r *http.Request) {
	h.ofEdition(w, r, "item.html", func(ctx context.Context, id string) (any, error) {
		number, err := strconv.ParseInt(r.PathValue("number"), 10, 64)
		if err != nil {
			return nil, digest.ErrNotFound
		}
		p, err := h.whole(ctx, id, number)
		if err != nil {
			return nil, err
		}
		p.Up = "../" + r.PathValue("token")
		return p, nil
	})
}

// whole reads an item of an edition; digest.ErrNotFound if it is not one of them.
func (h *Handler) whole(ctx context.Context, edition string, number int64) (*wholeView, error) {
	e, who, err := h.reader(ctx, edition)
	if err != nil {
		return nil, err
	}
	it, err := h.o.Archive.Item(ctx, number)
	if err != nil {
		return nil, err
	}
	key := h.o.Project(it.Project)
	if number < e.From || number > e.To || !wanted(&e, &who)(key, &it) {
		return nil, digest.ErrNotFound
	}
	p := &wholeView{itemView: view(&it, who.Location(h.o.Zone), wholeItem), Project: h.o.Title(key)}
	if !it.Private && h.o.Whole != nil {
		text, err := h.o.Whole(ctx, &it)
		if err != nil {
			return nil, err
		}
		p.Whole = excerpt(text, wholeItem)
	}
	return p, nil
}
