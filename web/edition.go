package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"quietpost/digest"
)

const (
	pageItems   = 200  // items a page
	windowChunk = 5000 // numbers read at a time
	pageExcerpt = 2000 // bytes of a body
)

// An editionView is the page of an edition.
type editionView struct {
	Title    string
	Address  string
	Token    string // of its link
	Count    int
	Overview []projectCount // all projects, if there are several
	Project  string         // the only one shown, or empty
	Sections []section
	Page     int
	Pages    int
	Prev     string // queries of the neighbours; empty at the ends
	Next     string
	All      string // query of the page without Project
}

type projectCount struct {
	Title string
	Query string
	Count int
}

type section struct {
	Title string
	Items []itemView
}

type itemView struct {
	Title  string
	URL    string
	Meta   string // kind, state, author
	When   string
	Stamp  string // When for machines
	Urgent bool
	Body   string
	Number int64
}

// A ref is an item of the edition before it is read whole.
type ref struct {
	number                 int64
	project, title, thread string
}

// editionPage shows all that an edition covers, also what its mail only counted: ?project=&page=.
func (h *Handler) editionPage(w http.ResponseWriter, r *http.Request) {
	h.ofEdition(w, r, "edition.html", func(ctx context.Context, id string) (any, error) {
		v, err := h.edition(ctx, id, r.URL.Query())
		if err != nil {
			return nil, err
		}
		v.Token = r.PathValue("token")
		return v, nil
	})
}

// ofEdition answers a page below an edition's link. Only a few are made at a time: a window may be of any size.
func (h *Handler) ofEdition(w http.ResponseWriter, r *http.Request, name string, read func(ctx context.Context, id string) (any, error)) {
	purpose, id, ok := digest.ReadToken(h.o.Instance, r.PathValue("token"))
	if !ok || purpose != digest.TokenEdition {
		h.badLink(w, r)
		return
	}
	ctx := r.Context()
	select {
	case h.reading <- struct{}{}:
		defer func() { <-h.reading }()
	case <-ctx.Done():
		return
	}
	v, err := read(ctx, id)
	if err != nil {
		h.pageError(w, r, err)
		return
	}
	h.page(w, r, http.StatusOK, name, v)
}

// reader reads an edition and whose it is; digest.ErrNotFound also for a person who has left: a link does not outlive that.
func (h *Handler) reader(ctx context.Context, id string) (e digest.Edition, who digest.Subscriber, err error) {
	if e, err = h.o.Archive.Edition(ctx, id); err != nil {
		return e, who, err
	}
	who, err = h.person(ctx, leaving{alerts: true, id: e.Subscriber})
	if err == nil && who.State == digest.Left {
		err = digest.ErrNotFound
	}
	return e, who, err
}

// edition reads an edition's page.
func (h *Handler) edition(ctx context.Context, id string, query url.Values) (*editionView, error) {
	e, who, err := h.reader(ctx, id)
	if err != nil {
		return nil, err
	}
	refs, err := h.refs(ctx, &e, wanted(&e, &who))
	if err != nil {
		return nil, err
	}
	loc := who.Location(h.o.Zone)
	v := &editionView{Title: title(&e, loc), Address: who.Address, Count: len(refs), Overview: overview(refs)}
	if v.Project = query.Get("project"); v.Project != "" {
		refs = slices.DeleteFunc(refs, func(f ref) bool { return f.project != v.Project })
		v.All = "?"
	}
	v.Pages = max(1, (len(refs)+pageItems-1)/pageItems)
	page, _ := strconv.Atoi(query.Get("page"))
	v.Page = min(max(page, 1), v.Pages)
	if v.Page > 1 {
		v.Prev = pageQuery(v.Project, v.Page-1)
	}
	if v.Page < v.Pages {
		v.Next = pageQuery(v.Project, v.Page+1)
	}
	refs = refs[(v.Page-1)*pageItems : min(v.Page*pageItems, len(refs))]
	v.Sections, err = h.sections(ctx, refs, loc)
	return v, err
}

func pageQuery(project string, page int) string {
	q := url.Values{}
	if project != "" {
		q.Set("project", project)
	}
	if page > 1 {
		q.Set("page", strconv.Itoa(page))
	}
	return "?" + q.Encode()
}

// wanted is which items of its window an edition is of: an alert's belong to incidents, a digest's are those of its filter.
func wanted(e *digest.Edition, who *digest.Subscriber) func(project string, it *digest.Item) bool {
	if e.Occasion == digest.OccasionAlert {
		return func(project string, it *digest.Item) bool {
			return (it.Urgent || it.Incident != 0) && slices.ContainsFunc(who.Subscriptions, func(s digest.Subscription) bool {
				return slices.ContainsFunc(s.Projects, func(p string) bool { return digest.MatchProject(p, project) })
			})
		}
	}
	sub := subscription(who, e.Subscription)
	return func(project string, it *digest.Item) bool { return sub != nil && sub.Wants(project, it.Kind) }
}

// refs are the edition's items in order of project and number, read in pieces: a window may be of any size.
func (h *Handler) refs(ctx context.Context, e *digest.Edition, wants func(string, *digest.Item) bool) ([]ref, error) {
	var refs []ref
	for after := e.From - 1; after < e.To; after += windowChunk {
		items, err := h.o.Archive.Window(ctx, after, min(after+windowChunk, e.To), 0)
		if err != nil {
			return nil, err
		}
		for i := range items {
			if key := h.o.Policy().Project(items[i].Project); wants(key, &items[i]) {
				refs = append(refs, ref{items[i].Number, key, h.o.Policy().Title(key), items[i].Thread})
			}
		}
	}
	slices.SortStableFunc(refs, func(a, b ref) int {
		if c := strings.Compare(strings.ToLower(a.title), strings.ToLower(b.title)); c != 0 {
			return c
		}
		return strings.Compare(a.project, b.project)
	})
	return refs, nil
}

func overview(refs []ref) []projectCount {
	var list []projectCount
	for i, f := range refs {
		if i == 0 || refs[i-1].project != f.project {
			list = append(list, projectCount{f.title, pageQuery(f.project, 1), 0})
		}
		list[len(list)-1].Count++
	}
	if len(list) < 2 {
		return nil
	}
	return list
}

// sections reads the page's items; what was swept meanwhile is left out.
func (h *Handler) sections(ctx context.Context, refs []ref, loc *time.Location) ([]section, error) {
	var list []section
	for i, f := range refs {
		if i == 0 || refs[i-1].project != f.project {
			list = append(list, section{Title: f.title})
		}
		it, err := h.o.Archive.Item(ctx, f.number)
		switch {
		case errors.Is(err, digest.ErrNotFound):
			continue
		case err != nil:
			return nil, err
		}
		s := &list[len(list)-1]
		s.Items = append(s.Items, view(&it, loc, pageExcerpt))
	}
	return slices.DeleteFunc(list, func(s section) bool { return len(s.Items) == 0 }), nil
}

// view is an item on a page, with at most so many bytes of its body. Of a private one only its kind and time are shown, as in the mail.
func view(it *digest.Item, loc *time.Location, most int) itemView {
	when := it.When().In(loc)
	v := itemView{Number: it.Number, When: when.Format("Mon 2 Jan 15:04"), Stamp: when.Format(time.RFC3339), Urgent: it.Urgent}
	if it.Private {
		v.Title, v.Meta = "(private)", it.Kind
		return v
	}
	v.Title, v.Body = it.Title, excerpt(it.Body, most)
	if strings.HasPrefix(it.URL, "https://") || strings.HasPrefix(it.URL, "http://") {
		v.URL = it.URL
	}
	var meta []string
	for _, s := range []string{it.Kind, it.State, it.Author} {
		if s != "" && !slices.Contains(meta, s) {
			meta = append(meta, s)
		}
	}
	if it.Due != "" {
		meta = append(meta, "due "+it.Due)
	}
	v.Meta = strings.Join(meta, " · ")
	return v
}

// excerpt cuts at a character.
func excerpt(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most] + " …"
}

func title(e *digest.Edition, loc *time.Location) string {
	at := e.Slot
	if at.IsZero() {
		at = e.CreatedAt
	}
	name := "Digest"
	switch e.Occasion {
	case digest.OccasionAlert:
		name = "Alert"
	case digest.OccasionCatchUp:
		name = "Catch-up"
	}
	return fmt.Sprintf("%s of %s", name, at.In(loc).Format("Monday 2 January 2006, 15:04"))
}
