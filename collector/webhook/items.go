package webhook

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"sort"
	"strings"
	"time"

	"quietpost/digest"
)

// items answers POST /v1/items: one item in the native form, strictly read.
func (h *Handler) items(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		h.fault(w, "", problem{Status: http.StatusMethodNotAllowed, Detail: "Use POST to add an item.", allow: "POST"})
		return
	}
	src := h.genericSource(r)
	if src == nil {
		from, _ := h.client(r)
		h.opt.Log.Warn("an item was refused: the secret is missing or wrong", "from", from.String())
		h.fault(w, "", problem{Status: http.StatusUnauthorized, Detail: "Authorization must be Bearer and the secret of a generic source."})
		return
	}
	if t, params, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != "application/json" ||
		params["charset"] != "" && !strings.EqualFold(params["charset"], "utf-8") {
		h.fault(w, src.Name, problem{Status: http.StatusUnsupportedMediaType, Detail: "Content-Type must be application/json."})
		return
	}
	body, m, err := h.readBody(w, r, h.opt.MaxBody)
	defer m.release()
	if err == nil {
		body, err = h.decode(r.Header.Get("Content-Encoding"), body, h.opt.MaxBody, m)
	}
	switch {
	case errors.Is(err, errEncoding):
		h.fault(w, src.Name, problem{Status: http.StatusUnsupportedMediaType, Detail: "Content-Encoding must be gzip, deflate or nothing."})
		return
	case errors.Is(err, errPacked):
		h.fault(w, src.Name, problem{Status: http.StatusBadRequest, Detail: "The body cannot be unpacked."})
		return
	case err != nil:
		h.fault(w, src.Name, bodyFault(err, h.opt.MaxBody))
		return
	}
	if src.limit != nil && !src.limit.AllowN(h.opt.Now(), 1) {
		h.fault(w, src.Name, problem{Status: http.StatusTooManyRequests, Detail: "This source posts faster than it may.", retry: 1})
		return
	}
	h.addItem(w, r, src, body)
}

// addItem reads the native form, stores it and answers.
func (h *Handler) addItem(w http.ResponseWriter, r *http.Request, src *source, body []byte) {
	it, key, wrong := readItem(body)
	header := deliveryKey(r.Header, "")
	if wrong == nil && key != "" && header != "" && key != header {
		wrong = &fieldError{"key", "is another one than the header Idempotency-Key"}
	}
	if wrong != nil {
		h.fault(w, src.Name, problem{Status: http.StatusBadRequest, Field: wrong.field, Detail: wrong.Error()})
		return
	}
	res, ok := h.store(w, r, src, h.nativeDelivery(src, r.Header, body, it, key))
	if !ok {
		return
	}
	if res.Duplicate && res.Differs {
		h.fault(w, src.Name, problem{Status: http.StatusConflict, Field: "key", Detail: "This key came before with another body."})
		return
	}
	status, a := answerOf(res)
	h.counter.WithLabelValues(src.Name, a.Status).Inc()
	send(w, status, "application/json", a)
}

// nativeDelivery is the delivery of one item in the native form.
func (h *Handler) nativeDelivery(src *source, header http.Header, body []byte, it digest.Item, key string) digest.Delivery {
	now := h.opt.Now()
	it.Source, it.Tool, it.ReceivedAt, it.Authenticated = src.Name, digest.NativeTool, now, true
	rec := digest.Receipt{Source: src.Name, Tool: digest.NativeTool, Key: deliveryKey(header, key), Sum: sha256.Sum256(body),
		State: digest.Accepted, Raw: body[:min(len(body), keepRaw)], ReceivedAt: now}
	kept := header.Clone()
	kept.Set(nativeHeader, "native")
	rec.Header = keptHeader(kept)
	if rec.Key == "" {
		rec.Key, rec.SameWithin = digest.BodyKey(body), digest.BodyWindow
	}
	return digest.Delivery{Receipt: rec, Items: []digest.Item{it}}
}

// genericSource is the source whose secret the request bears. All secrets of all generic sources are compared.
func (h *Handler) genericSource(r *http.Request) *source {
	scheme, token, _ := strings.Cut(strings.TrimSpace(r.Header.Get("Authorization")), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return nil
	}
	var found *source
	for _, s := range h.sources.Load().generic {
		if matches([]string{strings.TrimSpace(token)}, s.Secrets) {
			found = s
		}
	}
	return found
}

// A fieldError names the field that is wrong.
type fieldError struct{ field, what string }

func (e *fieldError) Error() string {
	if e.field == "" {
		return "The body " + e.what + "."
	}
	return fmt.Sprintf("%s %s.", e.field, e.what)
}

// readItem reads the native form. It refuses fields that it does not know and values of another type; null counts as
// not there.
func readItem(body []byte) (it digest.Item, key string, wrong *fieldError) {
	fields, wrong := readFields(body)
	if wrong != nil {
		return it, "", wrong
	}
	text := func(to *string) func(json.RawMessage) string {
		return func(raw json.RawMessage) string {
			if json.Unmarshal(raw, to) != nil {
				return "must be text"
			}
			*to = strings.TrimSpace(*to)
			return ""
		}
	}
	known := map[string]func(json.RawMessage) string{
		"project": text(&it.Project), "title": text(&it.Title), "body": text(&it.Body),
		"url": text(&it.URL), "kind": text(&it.Kind), "author": text(&it.Author),
		"thread": text(&it.Thread), "due": text(&it.Due), "key": text(&key),
		"urgent": func(raw json.RawMessage) string {
			return unless(json.Unmarshal(raw, &it.Urgent), "must be true or false")
		},
		"tags": func(raw json.RawMessage) string {
			return unless(json.Unmarshal(raw, &it.Tags), "must be a list of words")
		},
		"occurred_at": func(raw json.RawMessage) string {
			return unless(json.Unmarshal(raw, &it.OccurredAt), "must be a time as RFC 3339 has it, such as 2026-12-01T09:30:00Z")
		},
	}
	names := make([]string, 0, len(fields))
	for name := range fields {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		read := known[name]
		if read == nil {
			return it, "", &fieldError{digest.OneLine(name, 60), "is not a field of an item"}
		}
		if raw := fields[name]; string(raw) != "null" {
			if what := read(raw); what != "" {
				return it, "", &fieldError{name, what}
			}
		}
	}
	return it, key, checkItem(&it, key)
}

func unless(err error, what string) string {
	if err != nil {
		return what
	}
	return ""
}

// checkItem checks the values and brings them to the form the domain keeps.
func checkItem(it *digest.Item, key string) *fieldError {
	it.Title = digest.OneLine(it.Title, digest.MaxTitle)
	switch {
	case it.Project == "":
		return &fieldError{"project", "is required"}
	case digest.ProjectKey(it.Project) == "":
		return &fieldError{"project", "must have a letter or a digit"}
	case it.Title == "":
		return &fieldError{"title", "is required"}
	case it.Kind != "" && digest.KindKey(it.Kind) == "":
		return &fieldError{"kind", "must have a letter or a digit"}
	case len(key) > maxKey:
		return &fieldError{"key", fmt.Sprintf("has more than %d bytes", maxKey)}
	case len(it.Tags) > digest.MaxTags:
		return &fieldError{"tags", fmt.Sprintf("has more than %d words", digest.MaxTags)}
	case it.Thread != digest.OneLine(it.Thread, digest.MaxField):
		return &fieldError{"thread", fmt.Sprintf("must be one line of at most %d characters", digest.MaxField)}
	}
	if it.URL != "" {
		u, err := url.Parse(it.URL)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || len(it.URL) > digest.MaxURL {
			return &fieldError{"url", "must be an address that begins with https:// or http://"}
		}
	}
	if it.Due != "" {
		if _, err := time.Parse(time.DateOnly, it.Due); err != nil {
			return &fieldError{"due", "must be a day such as 2026-12-01"}
		}
	}
	it.Project, it.Kind = digest.ProjectKey(it.Project), digest.KindKey(it.Kind)
	for i, t := range it.Tags {
		it.Tags[i] = strings.ToLower(digest.OneLine(t, digest.MaxField))
	}
	return nil
}

// readFields reads one JSON object and nothing behind it; a name that comes twice is refused.
func readFields(body []byte) (map[string]json.RawMessage, *fieldError) {
	dec := json.NewDecoder(bytes.NewReader(body))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, &fieldError{"", "must be a JSON object"}
	}
	fields := map[string]json.RawMessage{}
	for dec.More() {
		t, err := dec.Token()
		name, ok := t.(string)
		if err != nil || !ok {
			return nil, &fieldError{"", "is not JSON"}
		}
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			return nil, &fieldError{"", "is not JSON"}
		}
		if _, twice := fields[name]; twice {
			return nil, &fieldError{digest.OneLine(name, 60), "is there twice"}
		}
		fields[name] = raw
	}
	if _, err := dec.Token(); err != nil {
		return nil, &fieldError{"", "is not JSON"}
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, &fieldError{"", "must be one JSON object and nothing behind it"}
	}
	return fields, nil
}
