package sqlite

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"time"

	"github.com/klauspost/compress/zstd"
)

// codec compresses raw bytes, headers and messages. Both halves are safe for many goroutines and are used off the
// writer's.
type codec struct {
	enc *zstd.Encoder
	dec *zstd.Decoder
}

func newCodec() (*codec, error) {
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(2),
		zstd.WithWindowSize(512<<10), zstd.WithLowerEncoderMem(true))
	if err != nil {
		return nil, err
	}
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(2), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxMemory(256<<20))
	if err != nil {
		return nil, err
	}
	return &codec{enc, dec}, nil
}

// pack gives NULL for nothing.
func (c *codec) pack(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	return c.enc.EncodeAll(b, make([]byte, 0, len(b)/2+64))
}

func (c *codec) unpack(b []byte) ([]byte, error) {
	if len(b) == 0 {
		return nil, nil
	}
	out, err := c.dec.DecodeAll(b, nil)
	if err != nil {
		return nil, unavailable(fmt.Errorf("stored bytes are damaged: %w", err))
	}
	return out, nil
}

func (c *codec) close() {
	c.enc.Close()
	c.dec.Close()
}

// instant maps a time to milliseconds UTC and a zero one to NULL, in both directions.
type instant struct{ t *time.Time }

// at is an instant to be written.
func at(t time.Time) instant { return instant{&t} }

func (i instant) Value() (driver.Value, error) {
	if i.t.IsZero() {
		return nil, nil
	}
	return i.t.UnixMilli(), nil
}

func (i instant) Scan(v any) error {
	switch v := v.(type) {
	case nil:
		*i.t = time.Time{}
	case int64:
		*i.t = time.UnixMilli(v).UTC()
	default:
		return fmt.Errorf("%T is no instant", v)
	}
	return nil
}

// list maps a slice or map to JSON, an empty one to ”.
type list[T any] struct{ v *T }

func (l list[T]) Scan(v any) error {
	var zero T
	*l.v = zero
	switch s := v.(type) {
	case string:
		if s == "" {
			return nil
		}
		return json.Unmarshal([]byte(s), l.v)
	case []byte:
		if len(s) == 0 {
			return nil
		}
		return json.Unmarshal(s, l.v)
	}
	return fmt.Errorf("%T is no list", v)
}

// text is the JSON of a slice or map of n strings.
func text(v any, n int) string {
	if n == 0 {
		return ""
	}
	b, _ := json.Marshal(v) // strings always can be
	return string(b)
}
