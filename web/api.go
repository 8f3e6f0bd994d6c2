package web

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"quietpost/digest"
)

const (
	defaultItems, maxItems       = 50, 200
	defaultProjects, maxProjects = 200, 1000
)

// api lets in who has the token (RFC 6750), and turns an error into its answer.
func (h *Handler) api(serve func(w http.ResponseWriter, r *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var tokens [][]byte
		if h.o.APIToken != nil {
			tokens = h.o.APIToken()
		}
		tokens = slices.DeleteFunc(slices.Clone(tokens), func(t []byte) bool { return len(t) == 0 })
		if len(tokens) == 0 {
			writeProblem(w, problem{Status: http.StatusForbidden, Detail: "reading is turned off; to turn it on, set " +
				"api.token_file in the configuration to a file that holds a token"})
			return
		}
		if !bearer(r.Header.Get("Authorization"), tokens) {
			w.Header().Set("WWW-Authenticate", `Bearer realm="quietpost"`)
			writeProblem(w, problem{Status: http.StatusUnauthorized,
				Detail: "send the token of api.token_file as Authorization: Bearer TOKEN"})
			return
		}
		if err := serve(w, r); err != nil {
			h.apiError(w, r, err)
		}
	}
}

// bearer compares in constant time, and with all tokens whichever fits.
func bearer(header string, tokens [][]byte) bool {
	scheme, given, _ := strings.Cut(header, " ")
	got := sha256.Sum256([]byte(strings.TrimSpace(given)))
	found := 0
	for _, t := range tokens {
		want := sha256.Sum256(t)
		found |= subtle.ConstantTimeCompare(got[:], want[:])
	}
	return found == 1 && strings.EqualFold(scheme, "Bearer")
}

// A fieldError is a parameter that is wrong.
type fieldError struct{ field, text string }

func (e *fieldError) Error() string { return e.field + ": " + e.text }

func (h *Handler) apiError(w http.ResponseWriter, r *http.Request, err error) {
	var fe *fieldError
	switch {
	case errors.As(err, &fe):
		writeProblem(w, problem{Status: http.StatusBadRequest, Field: fe.field, Detail: fe.Error()})
	case errors.Is(err, digest.ErrNotFound):
		writeProblem(w, problem{Status: http.StatusNotFound, Detail: "there is no such item"})
	default:
		status := h.failed(w, r, err)
		writeProblem(w, problem{Status: status, Detail: "the store did not answer; try again"})
	}
}

// failed logs a fault of ours, by the route's pattern because the path may hold a token, and says which status it has.
func (h *Handler) failed(w http.ResponseWriter, r *http.Request, err error) int {
	h.o.Log.Error("request failed", "route", r.Pattern, "error", err)
	if errors.Is(err, digest.ErrUnavailable) {
		w.Header().Set("Retry-After", "30")
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// items lists the newest first: ?project=&urgent=&before=&limit=.
func (h *Handler) items(w http.ResponseWriter, r *http.Request) error {
	v, err := parameters(r, "project", "urgent", "before", "limit")
	if err != nil {
		return err
	}
	policy, q := h.o.Policy(), digest.ItemQuery{}
	if key := strings.ToLower(v.Get("project")); key != "" {
		if digest.ProjectKey(key) != key {
			return &fieldError{"project", "is not a project's key, such as apollo or acme/web"}
		}
		q.Projects = policy.Keys(key)
	}
	switch v.Get("urgent") {
	case "", "false", "0":
	case "true", "1":
		q.Urgent = true
	default:
		return &fieldError{"urgent", "must be true or false"}
	}
	if before := v.Get("before"); before != "" {
		n, ok := digest.ItemNumber(before)
		if !ok {
			return &fieldError{"before", "is not the id of an item"}
		}
		q.Before = n
	}
	limit, err := limitOf(v, defaultItems, maxItems)
	if err != nil {
		return err
	}
	q.Limit = limit + 1
	list, err := h.o.Archive.Items(r.Context(), q)
	if err != nil {
		return err
	}
	answer := struct {
		Items []ItemJSON `json:"items"`
		Next  string     `json:"next,omitempty"`
	}{Items: []ItemJSON{}}
	for i := range list[:min(len(list), limit)] {
		answer.Items = append(answer.Items, NewItemJSON(policy, &list[i]))
	}
	if len(list) > limit {
		answer.Next = digest.ItemID(list[limit-1].Number)
	}
	writeJSON(w, http.StatusOK, "application/json", answer)
	return nil
}

func (h *Handler) item(w http.ResponseWriter, r *http.Request) error {
	if _, err := parameters(r); err != nil {
		return err
	}
	n, ok := digest.ItemNumber(r.PathValue("id"))
	if !ok {
		return digest.ErrNotFound
	}
	it, err := h.o.Archive.Item(r.Context(), n)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, "application/json", NewItemJSON(h.o.Policy(), &it))
	return nil
}

// projects are in order of key, aliases folded into what they mean: ?after=&limit=.
func (h *Handler) projects(w http.ResponseWriter, r *http.Request) error {
	v, err := parameters(r, "after", "limit")
	if err != nil {
		return err
	}
	limit, err := limitOf(v, defaultProjects, maxProjects)
	if err != nil {
		return err
	}
	list, err := h.o.Archive.Projects(r.Context())
	if err != nil {
		return err
	}
	answer := struct {
		Projects []ProjectJSON `json:"projects"`
		Next     string        `json:"next,omitempty"`
	}{Projects: []ProjectJSON{}}
	policy := h.o.Policy()
	for _, p := range digest.FoldProjects(policy, list) {
		if p.Project <= v.Get("after") {
			continue
		}
		if len(answer.Projects) == limit {
			answer.Next = answer.Projects[limit-1].Project
			break
		}
		j := ProjectJSON{Project: p.Project, Items: p.Items, Urgent: p.Urgent, Last: p.Last.UTC()}
		if title := policy.Title(p.Project); title != p.Project {
			j.Title = title
		}
		answer.Projects = append(answer.Projects, j)
	}
	writeJSON(w, http.StatusOK, "application/json", answer)
	return nil
}

// parameters are the query's, each known and given once.
func parameters(r *http.Request, known ...string) (url.Values, error) {
	v, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, &fieldError{"query", "cannot be read: " + err.Error()}
	}
	for name, values := range v {
		if !slices.Contains(known, name) {
			hint := "; known are " + strings.Join(known, ", ")
			if len(known) == 0 {
				hint = "; there are none"
			}
			return nil, &fieldError{name, "is not a parameter here" + hint}
		}
		if len(values) > 1 {
			return nil, &fieldError{name, "is given more than once"}
		}
	}
	return v, nil
}

func limitOf(v url.Values, def, most int) (int, error) {
	s := v.Get("limit")
	if s == "" {
		return def, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > most {
		return 0, &fieldError{"limit", fmt.Sprintf("must be a number from 1 to %d", most)}
	}
	return n, nil
}
