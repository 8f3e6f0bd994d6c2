package webhook

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/textproto"
	"os"
	"sort"
	"strings"
	"time"

	"quietpost/collector/tools"
	"quietpost/digest"
)

var (
	errBusy     = errors.New("too much is being read at once")
	errTooLarge = errors.New("the body is too large")
	errEncoding = errors.New("the Content-Encoding is neither gzip nor deflate")
	errPacked   = errors.New("the body cannot be unpacked")
)

// maxDrain is how much of a body that is too large is read on and thrown away, in bytes.
const maxDrain = 64 << 20

// longAgo as a deadline ends a read at once.
var longAgo = time.Unix(1, 0)

// deadline ends the read of a connection when d is over, without asking the clock: a sender that dribbles holds its own
// connection only.
func (h *Handler) deadline(w http.ResponseWriter, d time.Duration) (stop func()) {
	rc, fired := http.NewResponseController(w), make(chan struct{})
	t := time.AfterFunc(d, func() {
		defer close(fired)
		_ = rc.SetReadDeadline(longAgo) // an unsupported deadline leaves the server's own
	})
	return func() {
		if !t.Stop() {
			<-fired
		}
	}
}

// A meter counts what it reads against the memory that all bodies share.
type meter struct {
	h    *Handler
	from io.Reader
	used int64
}

func (m *meter) Read(p []byte) (int, error) {
	n, err := m.from.Read(p)
	m.used += int64(n)
	if m.h.reading.Add(int64(n)) > m.h.opt.MaxMemory {
		return n, errBusy
	}
	return n, err
}

func (m *meter) release() { m.h.reading.Add(-m.used) }

// readBody reads the body as it came over the wire, at most limit bytes. The caller releases the meter when the
// request is done.
func (h *Handler) readBody(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, *meter, error) {
	m := &meter{h: h, from: http.MaxBytesReader(w, r.Body, limit)}
	defer h.deadline(w, h.opt.ReadTimeout)()
	if r.ContentLength > limit {
		w.Header().Set("Connection", "close")
		if r.Header.Get("Expect") == "" { // one that asks first is told before it sends
			drain(r)
		}
		return nil, m, errTooLarge
	}
	body, err := io.ReadAll(m)
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		err = errTooLarge
		drain(r)
	}
	if err != nil {
		w.Header().Set("Connection", "close")
	}
	return body, m, err
}

// drain reads what is still to come and keeps none of it: most senders look for an answer only once they have sent all, and
// learn nothing from a connection that is closed before.
func drain(r *http.Request) { _, _ = io.CopyN(io.Discard, r.Body, maxDrain) }

// decode undoes the Content-Encoding, at most to limit bytes. When it cannot, body comes back as it was.
func (h *Handler) decode(encoding string, body []byte, limit int64, m *meter) ([]byte, error) {
	var z io.Reader
	var err error
	switch strings.ToLower(strings.TrimSpace(encoding)) {
	case "", "identity":
		return body, nil
	case "gzip", "x-gzip":
		z, err = gzip.NewReader(bytes.NewReader(body))
	case "deflate": // RFC 9110, section 8.4.1.2: zlib's form; some send it bare
		if z, err = zlib.NewReader(bytes.NewReader(body)); err != nil {
			z, err = flate.NewReader(bytes.NewReader(body)), nil
		}
	default:
		return body, fmt.Errorf("%w: %s", errEncoding, digest.OneLine(encoding, 60))
	}
	if err != nil {
		return body, fmt.Errorf("%w: %v", errPacked, err)
	}
	m.from = io.LimitReader(z, limit+1)
	plain, err := io.ReadAll(m)
	switch {
	case errors.Is(err, errBusy):
		return body, err
	case err != nil:
		return body, fmt.Errorf("%w: %v", errPacked, err)
	case int64(len(plain)) > limit:
		return body, errTooLarge
	}
	return plain, nil
}

// bodyFault is the answer to a body that could not be read from the wire.
func bodyFault(err error, limit int64) problem {
	switch {
	case errors.Is(err, errTooLarge):
		return problem{Status: http.StatusRequestEntityTooLarge, Detail: fmt.Sprintf("The body is larger than %d MiB.", limit>>20)}
	case errors.Is(err, errBusy):
		return problem{Status: http.StatusServiceUnavailable, Detail: "Too much is being posted at once. Please try again.", retry: 5}
	case errors.Is(err, os.ErrDeadlineExceeded):
		return problem{Status: http.StatusRequestTimeout, Detail: "The body did not arrive in time."}
	}
	return problem{Status: http.StatusBadRequest, Detail: "The body did not arrive whole."}
}

// scrub takes out of a body what is secret by its name, and the source's own secrets wherever they stand; those too
// short to be told from words are left.
func scrub(body []byte, secrets [][]byte) []byte {
	body = tools.Scrub(body)
	for _, s := range secrets {
		if len(s) >= 8 {
			body = bytes.ReplaceAll(body, s, []byte("[removed]"))
		}
	}
	return body
}

// hidden tells the headers that hold secrets or signatures, by name (in its canonical form) or by what names of their kind
// hold.
func hidden(name string) bool {
	if signing[name] {
		return true
	}
	low := strings.ToLower(name)
	for _, part := range []string{"authorization", "cookie", "token", "secret", "signature", "password", "api-key", "apikey", "credential", "hmac", "gotify-key"} {
		if strings.Contains(low, part) {
			return true
		}
	}
	return false
}

// signing are the headers of all schemes, made canonical once: each delivery asks for each of its headers.
var signing = func() map[string]bool {
	m := map[string]bool{}
	for i := range schemes {
		m[textproto.CanonicalMIMEHeaderKey(schemes[i].header)] = true
	}
	return m
}()

// keptHeader is the header as a receipt keeps it: "Name: value" a line, in order of name, without secrets.
func keptHeader(h http.Header) []byte {
	names := make([]string, 0, len(h))
	for name := range h {
		if !hidden(name) {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	var b bytes.Buffer
	for _, name := range names {
		for _, v := range h[name] {
			fmt.Fprintf(&b, "%s: %s\n", name, digest.OneLine(v, 4096))
		}
	}
	return b.Bytes()
}
