package webhook

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"quietpost/collector/tools"
	"quietpost/digest"
)

const allowed = "POST, PUT, GET, HEAD, OPTIONS"

// hook answers /hooks/NAME and /hooks/NAME/TOKEN.
func (h *Handler) hook(w http.ResponseWriter, r *http.Request) {
	src := h.sources.Load().byName[r.PathValue("name")]
	if src == nil {
		h.fault(w, "", problem{Status: http.StatusNotFound, Detail: "There is no source of this name."})
		return
	}
	translate(r, src)
	switch r.Method {
	case http.MethodPost, http.MethodPut:
		h.receive(w, r, src)
	case http.MethodOptions:
		w.Header().Set("Allow", allowed)
		if origin := r.Header.Get("WebHook-Request-Origin"); origin != "" { // CloudEvents' abuse protection
			w.Header().Set("WebHook-Allowed-Origin", origin)
			w.Header().Set("WebHook-Allowed-Rate", "*")
		}
		w.WriteHeader(http.StatusNoContent)
	case http.MethodGet, http.MethodHead:
		switch {
		case r.Method == http.MethodGet && h.firstContact(w, r, src):
			return
		case (r.URL.RawQuery == "" && !publishes(r, src)) || r.Method == http.MethodHead:
			sendText(w, http.StatusOK, "text/plain; charset=utf-8", "This is a door for deliveries: use POST.\n")
			return
		case src.Type == "auto" || src.tool(src.Type).Query:
			h.receive(w, asForm(r), src)
			return
		}
		fallthrough // what a query says would be lost: better refused
	default:
		h.fault(w, src.Name, problem{Status: http.StatusMethodNotAllowed, Detail: "Use POST.", allow: allowed})
	}
}

// asForm makes of a GET with a query the form that a POST of the same would bring.
func asForm(r *http.Request) *http.Request {
	q := tools.ParseForm(r.URL.RawQuery)
	for _, secret := range []string{accessToken, "token", "auth"} {
		q.Del(secret)
	}
	r = r.Clone(r.Context())
	text := q.Encode()
	r.Header.Del("Content-Encoding")
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader(text)), int64(len(text))
	return r
}

// tool is what a source's deliveries are read by; of type auto what this one tells, or its header where body is nil.
func (h *Handler) tool(src *source, header http.Header, body []byte) tools.Tool {
	if src.Type == "auto" {
		return src.tool(src.tools.Detect(header, body))
	}
	return src.tool(src.Type)
}

// limit is how large a body may be, in bytes: the tool's own limit where that is more than the door's.
func (h *Handler) limit(src *source, header http.Header) int64 {
	return max(h.opt.MaxBody, h.tool(src, header, nil).Limit)
}

// patient makes a fault that may pass (408, 429) one after which a sender that gives up on a 4xx tries again.
func (h *Handler) patient(p problem, src *source, header http.Header, body []byte) problem {
	if (p.Status == http.StatusRequestTimeout || p.Status == http.StatusTooManyRequests) && h.tool(src, header, body).GivesUp {
		p.Status, p.retry = http.StatusServiceUnavailable, 1
	}
	return p
}

// receive takes one delivery: who, then the body, then what it says, then the store, then the answer.
func (h *Handler) receive(w http.ResponseWriter, r *http.Request, src *source) {
	r.Header.Del(nativeHeader) // ours alone
	header := signature(r.Header, src.Type)
	who := h.caller(r, src, header)
	if who == stranger {
		h.unauthorized(w, r, src)
		return
	}
	limit := h.limit(src, r.Header)
	wire, m, err := h.readBody(w, r, limit)
	defer m.release()
	if err != nil {
		h.fault(w, src.Name, h.patient(bodyFault(err, limit), src, r.Header, nil))
		return
	}
	if who == signed && !verify(header, src.Type, r.Header, wire, h.opt.BaseURL+r.URL.EscapedPath(), src.Secrets, h.opt.Now()) {
		h.unauthorized(w, r, src)
		return
	}
	if src.limit != nil && !src.limit.AllowN(h.opt.Now(), 1) {
		p := problem{Status: http.StatusTooManyRequests, Detail: "This source posts faster than it may.", retry: 1}
		h.fault(w, src.Name, h.patient(p, src, r.Header, wire))
		return
	}
	if h.handshake(w, r, src, wire) {
		h.counter.WithLabelValues(src.Name, "handshake").Inc()
		return
	}
	d, err := h.read(src, r.Header, wire, limit, m)
	if err != nil {
		h.fault(w, src.Name, bodyFault(err, limit))
		return
	}
	for i := range d.Items {
		d.Items[i].Authenticated = who != neighbour
	}
	if res, ok := h.store(w, r, src, d); ok {
		status, a := answerOf(res)
		h.counter.WithLabelValues(src.Name, a.Status).Inc()
		switch tool := src.tool(d.Receipt.Tool); {
		case tool.Reply != "":
			sendText(w, http.StatusOK, "text/plain", tool.Reply)
			return
		case tool.Status != 0:
			w.WriteHeader(tool.Status)
			return
		}
		if own := h.reply(&d, res); own != nil {
			send(w, http.StatusOK, "application/json", own)
			return
		}
		send(w, status, "application/json", a)
	}
}

func (h *Handler) unauthorized(w http.ResponseWriter, r *http.Request, src *source) {
	from, _ := h.client(r)
	h.opt.Log.Warn("a delivery was refused: the secret is missing or wrong", "source", src.Name, "from", from.String())
	if h.opt.Refused != nil {
		h.opt.Refused(src.Name)
	}
	h.fault(w, src.Name, problem{Status: http.StatusUnauthorized, Detail: "The secret is missing or wrong."})
}

// read makes the delivery of a body. It fails only where nothing can be kept: too large once unpacked, no memory.
func (h *Handler) read(src *source, header http.Header, wire []byte, limit int64, m *meter) (digest.Delivery, error) {
	body, err := h.decode(header.Get("Content-Encoding"), wire, limit, m)
	if errors.Is(err, errTooLarge) || errors.Is(err, errBusy) {
		return digest.Delivery{}, err
	}
	if err == nil {
		header.Del("Content-Encoding") // what is kept is plain, to be read again as it is
	}
	return h.delivery(src, header, body, err), nil
}

// delivery has the source's adapter read a body. undecoded is why the body could not be unpacked, nil if it could.
func (h *Handler) delivery(src *source, header http.Header, body []byte, undecoded error) digest.Delivery {
	tool := h.tool(src, header, body)
	if src.Adapter != nil {
		tool.Read = src.Adapter
	}
	clean, reading, err := body, tools.Reading{}, undecoded
	if err == nil && bringsToken(tool.Name, body) {
		err = errToken
	} else if err == nil {
		clean = scrub(body, src.Secrets)
		reading, err = apply(tool.Read, header, clean)
	}
	rec := digest.Receipt{Source: src.Name, Tool: tool.Name, State: digest.Accepted, Sum: sha256.Sum256(body), ReceivedAt: h.opt.Now()}
	rec.Key, rec.SameWithin = keyOf(header, reading, body)
	rec.Header, rec.Raw = keptHeader(header), clean[:min(len(clean), keepRaw)]
	switch {
	case err != nil:
		rec.State, rec.Reason = digest.Quarantined, digest.Reason(digest.OneLine(err.Error(), digest.MaxField))
	case reading.Ignored != "":
		rec.State, rec.Reason = digest.Ignored, reading.Ignored
	}
	d := digest.Delivery{Receipt: rec}
	if rec.State == digest.Accepted {
		d.Items = h.itemsOf(src, tool.Name, reading)
	}
	return d
}

// itemsOf gives the items of a reading what the door knows of them.
func (h *Handler) itemsOf(src *source, tool string, reading tools.Reading) []digest.Item {
	now := h.opt.Now()
	for i := range reading.Items {
		it := &reading.Items[i]
		it.Source, it.Tool, it.ReceivedAt = src.Name, tool, now
		if own := reading.Key; own != "" && reading.Within == 0 && tool != digest.NativeTool && src.Adapter == nil { // no tool's: good inside its source only
			it.EventID = fmt.Sprintf("%s#%d", own, i)
		}
		if it.Project = digest.ProjectKey(it.Project); it.Project == "" || reading.Hint && src.Project != "" {
			it.Project = digest.ProjectKey(src.Project)
		}
	}
	return reading.Items
}

// apply runs an adapter; one that panics has met a body it does not understand.
func apply(read tools.Adapter, header http.Header, body []byte) (r tools.Reading, err error) {
	defer func() {
		if p := recover(); p != nil {
			r, err = tools.Reading{}, fmt.Errorf("the adapter failed: %v", p)
		}
	}()
	r, err = read(header, body)
	if err == nil && len(r.Items) == 0 && r.Ignored == "" {
		err = errors.New("the adapter found nothing in it")
	}
	return r, err
}

// maxKey is the longest delivery id that is kept as it is, in bytes; of a longer one the hash is the key.
const maxKey = 255

// deliveryKey is the tool's own id of the delivery, else one that the sender gave; "" if there is none.
func deliveryKey(h http.Header, own string) string {
	for _, k := range []string{own, strings.Trim(h.Get("Idempotency-Key"), `"`), h.Get("Webhook-Id")} {
		if k = digest.OneLine(k, 1<<20); k != "" {
			if len(k) > maxKey {
				return digest.BodyKey([]byte(k))
			}
			return k
		}
	}
	return ""
}

// keyOf is by which a delivery is told from the next, and for how long, 0 for ever: an id, else what the adapter made of
// its words, else the body's hash.
func keyOf(h http.Header, reading tools.Reading, body []byte) (key string, within time.Duration) {
	if reading.Within == 0 {
		key = deliveryKey(h, reading.Key)
	} else if key = deliveryKey(h, ""); key == "" {
		return reading.Key, reading.Within
	}
	if key == "" {
		return digest.BodyKey(body), digest.BodyWindow
	}
	return key, 0
}

// store hands the delivery over and waits until it is on disk. A sender that hangs up in between changes nothing: many
// never send again. ok is false when the fault was answered.
func (h *Handler) store(w http.ResponseWriter, r *http.Request, src *source, d digest.Delivery) (res digest.Result, ok bool) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), storeTimeout)
	defer cancel()
	res, err := h.opt.Intake.Accept(ctx, d)
	if err != nil {
		h.opt.Log.Error("a delivery could not be stored", "source", src.Name, "error", err)
		h.fault(w, src.Name, problem{Status: http.StatusServiceUnavailable, Detail: "It cannot be stored now. Please send it again.", retry: 30})
		return res, false
	}
	if res.State == digest.Quarantined && !res.Duplicate {
		h.opt.Log.Warn("a delivery was quarantined", "source", src.Name, "receipt", res.Receipt, "reason", string(res.Reason))
	}
	if res.Duplicate && res.Differs {
		h.opt.Log.Warn("a delivery repeats a key with another body", "source", src.Name, "receipt", res.Receipt)
	}
	return res, true
}
