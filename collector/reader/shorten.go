package reader

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"hash"
	"strconv"
	"strings"
)

// sizeField stands in the header of a part whose body was left out, and says how large it was.
const sizeField = "X-Quietpost-Left-Out"

// Bounds of what a Shortener keeps.
const (
	maxKept     = 1 << 20  // bytes in all, beside the headers of parts
	maxPartHead = 16 << 10 // bytes of one part's header
	maxLine     = 2000     // bytes looked at to find a boundary; a longer line is none
)

// A Shortener takes in a mail of any size as it is streamed, and keeps its header, its text, and of its attachments the
// names and sizes: a mail that Read reads as it would have read the whole one. Its memory is bounded.
type Shortener struct {
	out  bytes.Buffer
	line []byte
	head bytes.Buffer // of the part that is being read
	sum  hash.Hash    // of the body

	boundaries []string
	state      int
	parts      int
	nested     int
	text       int  // bytes of the part's text still wanted
	base64     bool // how the part that is left out is encoded
	size       int64
	broken     bool // the line goes on from the last piece
}

// Where in the mail the Shortener is.
const (
	inHead = iota // of the mail or of a part
	inText        // what is kept
	inRest        // what is left out
)

// NewShortener makes one.
func NewShortener() *Shortener { return &Shortener{sum: sha256.New()} }

// Write takes the next bytes of the mail. It never fails.
func (s *Shortener) Write(b []byte) (int, error) {
	n := len(b)
	for len(b) > 0 {
		end := bytes.IndexByte(b, '\n') + 1
		if end == 0 {
			end = len(b)
		}
		end = min(end, maxLine-len(s.line))
		s.line = append(s.line, b[:end]...)
		if b = b[end:]; s.line[len(s.line)-1] == '\n' || len(s.line) == maxLine {
			s.take()
		}
	}
	return n, nil
}

// Bytes ends the mail and gives it, shortened. The header of the mail is as it arrived, but for its length.
func (s *Shortener) Bytes() []byte {
	if len(s.line) > 0 {
		s.take()
	}
	s.endPart()
	return s.out.Bytes()
}

// Sum is the SHA-256 of the mail's body as it arrived.
func (s *Shortener) Sum() (sum [sha256.Size]byte) { return [sha256.Size]byte(s.sum.Sum(nil)) }

// take looks at one line, or at a piece of one that is too long.
func (s *Shortener) take() {
	line, first := s.line, !s.broken
	s.line, s.broken = s.line[:0], line[len(line)-1] != '\n'
	top := s.parts == 0
	if !top {
		s.sum.Write(line)
	}
	text := bytes.TrimRight(line, "\r\n")
	if s.state != inHead || !top {
		if level, end := s.boundary(text, first); level >= 0 {
			s.endPart()
			s.keep(line)
			s.boundaries = s.boundaries[:level+1]
			s.state, s.text = inHead, 0
			if end { // what follows is nobody's, up to the next boundary
				s.boundaries, s.state = s.boundaries[:level], inRest
				s.size, s.base64 = -1, false
			}
			return
		}
	}
	switch {
	case s.state == inHead && first && len(text) == 0 && (s.head.Len() > 0 || !top):
		s.head.Write(line)
		s.endHead()
	case s.state == inHead:
		if limit := maxPartHead; s.head.Len() < limit || top && s.head.Len() < maxHeader {
			s.head.Write(line)
		}
	case s.state == inText:
		if s.text -= len(line); s.text >= 0 {
			s.keep(line)
		}
	case s.size >= 0:
		if s.size += int64(len(line)); s.base64 {
			s.size -= int64(len(line) - len(text))
		}
	}
}

// boundary tells which open multipart the line belongs to, -1 for none, and whether it ends it (RFC 2046, section 5.1.1).
func (s *Shortener) boundary(text []byte, first bool) (level int, end bool) {
	if !first || !bytes.HasPrefix(text, []byte("--")) {
		return -1, false
	}
	for i := len(s.boundaries) - 1; i >= 0; i-- {
		if rest, ok := bytes.CutPrefix(text[2:], []byte(s.boundaries[i])); ok {
			switch rest = bytes.TrimSpace(rest); string(rest) {
			case "":
				return i, false
			case "--":
				return i, true
			}
		}
	}
	return -1, false
}

// endHead decides what becomes of the part whose header is read.
func (s *Shortener) endHead() {
	s.parts++
	h := parseHeader(s.head.Bytes())
	kind, params := mediaType(h.get("Content-Type"))
	disposition, dparams := mediaType(h.get("Content-Disposition"))
	encoding := strings.ToLower(h.get("Content-Transfer-Encoding"))
	s.base64 = strings.Contains(encoding, "base64")
	plain := !s.base64 && !strings.Contains(encoding, "quoted-printable")
	boundary := strings.TrimRight(params["boundary"], " \t")
	switch {
	case s.parts > maxParts:
		s.head.Reset()
		s.state, s.size = inRest, -1
		return
	case strings.HasPrefix(kind, "multipart/") && boundary != "" && len(s.boundaries) < maxDepth:
		s.boundaries = append(s.boundaries, boundary)
		s.state, s.text = inText, maxPartHead
	case kind == "message/rfc822" && plain && s.nested < maxDepth: // a mail that is forwarded: its own header follows
		s.nested++
		s.state = inHead
	case s.parts == 1, strings.HasPrefix(kind, "text/") && disposition != "attachment" && fileName(params, dparams) == "",
		strings.HasPrefix(kind, "message/"):
		s.state, s.text = inText, 2*maxText
	default:
		s.state, s.size = inRest, 0
		return // its header is written with its size, when that is known
	}
	s.out.Write(s.head.Bytes())
	s.head.Reset()
}

// endPart writes down a part that was left out, or a header that broke off.
func (s *Shortener) endPart() {
	if s.head.Len() > 0 {
		head := s.head.Bytes()
		if s.state == inRest && s.size >= 0 {
			if s.base64 {
				s.size = s.size / 4 * 3
			}
			head = bytes.TrimRight(head, "\r\n")
			head = fmt.Appendf(head[:len(head):len(head)], "\r\n%s: %d\r\n\r\n", sizeField, s.size)
		}
		s.out.Write(head)
		s.head.Reset()
	}
	s.size = -1
}

func (s *Shortener) keep(line []byte) {
	if s.out.Len() < maxKept {
		s.out.Write(line)
	}
}

// leftOut is the size of a part's body that a Shortener left out.
func leftOut(h header) (size int, ok bool) {
	size, err := strconv.Atoi(h.get(sizeField))
	return size, err == nil && size >= 0
}
