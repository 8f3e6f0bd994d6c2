package tools

import (
	"fmt"
	"net/http"

	"quietpost/digest/rules"
)

// Mapped reads by a source's `map:` instead of by the tool's own adapter. What the map leaves without a title gets the
// title, and where it has none the body, that the adapter would have given: genuine news is never lost for want of a
// field. The delivery id is the map's key, else the adapter's. own is the source's own adapter.
func Mapped(m *rules.Map, own Adapter) Adapter {
	return func(h http.Header, body []byte) (Reading, error) {
		payload, err := payloadOf(h, body)
		if err != nil {
			return Reading{}, err
		}
		items, key, ignored, left, err := m.Read(payload, headersOf(h), MaxItems)
		plain, ownErr := own(h, body)
		if key == "" {
			key = plain.Key
		}
		if err != nil {
			return Reading{Key: key}, fmt.Errorf("%w: %w", ErrUnreadable, err)
		}
		for i := range items {
			if it := &items[i]; it.Title == "" && ownErr == nil && len(plain.Items) > 0 {
				it.Title = plain.Items[0].Title
				if it.Body == "" {
					it.Body = plain.Items[0].Body
				}
			}
		}
		if left > 0 {
			items[len(items)-1] = more(items[len(items)-1].Project, left+1)
		}
		return Reading{Items: items, Key: key, Ignored: ignored}, nil
	}
}

// payloadOf is a body as expressions see it: JSON, a form or XML as objects, lists and texts, anything else as text.
func payloadOf(h http.Header, body []byte) (any, error) {
	t := trimmed(body)
	if len(t) == 0 {
		return nil, nil
	}
	n, err := genericNode(h, t)
	if err != nil {
		return nil, err
	}
	return rules.Value(n.v), nil
}
