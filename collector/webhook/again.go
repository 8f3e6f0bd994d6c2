package webhook

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/textproto"
	"slices"

	"quietpost/digest"
)

// nativeHeader marks the receipt of an item that came in the native form, at /v1/items.
const nativeHeader = "X-Quietpost-Form"

// ErrNoSource says that the door has no source of a name.
var ErrNoSource = errors.New("no such source")

// Again reads what a receipt kept, or a request written down, as a delivery of the source as it is now: header is lines of
// "Name: value", body is plain or as the header's Content-Encoding says. Nothing is stored, and no secret is asked for: whoever calls vouches for the sender, who
// counts as authenticated unless the source is open. ErrNoSource; an error for a header that is none.
func (h *Handler) Again(name string, header, body []byte) (digest.Delivery, error) {
	src := h.sources.Load().byName[name]
	if src == nil {
		return digest.Delivery{}, fmt.Errorf("%w: %s", ErrNoSource, name)
	}
	fields, err := readHeader(header)
	if err != nil {
		return digest.Delivery{}, err
	}
	var d digest.Delivery
	if fields.Get(nativeHeader) != "" {
		d, err = h.nativeAgain(src, fields, body)
	} else {
		m := &meter{h: h}
		defer m.release()
		d, err = h.read(src, fields, body, h.limit(src, fields), m)
	}
	for i := range d.Items {
		d.Items[i].Authenticated = !src.Open
	}
	return d, err
}

// nativeAgain reads the native form; a receipt of it was right when it came.
func (h *Handler) nativeAgain(src *source, header http.Header, body []byte) (digest.Delivery, error) {
	it, key, wrong := readItem(body)
	if wrong != nil {
		return digest.Delivery{}, wrong
	}
	return h.nativeDelivery(src, header, body, it, key), nil
}

func readHeader(raw []byte) (http.Header, error) {
	raw = slices.Concat(bytes.TrimRight(raw, "\r\n"), []byte("\r\n\r\n")) // what lies behind raw may be the body
	fields, err := textproto.NewReader(bufio.NewReader(bytes.NewReader(raw))).ReadMIMEHeader()
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("the header cannot be read: %w", err)
	}
	return http.Header(fields), nil
}
