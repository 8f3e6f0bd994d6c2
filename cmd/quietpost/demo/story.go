package demo

import (
	"bufio"
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/textproto"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// The story, in order of its files' names: a few days of a small team. A .http file is a caption behind "# ", a request
// line, the tool's headers and its body; signature or token are put in when it is posted. An .eml file is a mail.
//
//go:embed story
var storyFiles embed.FS

// storyEnd is when the story, as it is written, ends. It is told as of the last days: see shift.
var storyEnd = time.Date(2026, 11, 26, 15, 0, 0, 0, time.UTC)

// A Posted is one thing that was posted, or found in the daemon because somebody else posted it.
type Posted struct {
	At      time.Time
	Tool    string // GitHub, Slack, …
	Caption string
	Raw     string // the request or the mail as it went out
	Answer  string // what the daemon said
	Failed  bool
	Urgent  bool
}

// A request is a story's .http file taken apart.
type request struct {
	caption, path string
	header        http.Header
	body          []byte
}

// between is the pause from one post to the next: the story takes two seconds.
const between = 60 * time.Millisecond

// Play posts the whole story. What is not accepted is an error, after the rest has been posted too.
func (w *World) Play(ctx context.Context) error {
	names, err := fs.Glob(storyFiles, "story/*")
	if err != nil {
		return err
	}
	var failed []string
	days := shift(time.Now())
	for _, name := range names {
		raw, err := storyFiles.ReadFile(name)
		if err != nil {
			return err
		}
		raw = moved(raw, days)
		var p Posted
		if strings.HasSuffix(name, ".eml") {
			p = w.write(ctx, raw)
		} else {
			req, err := parseRequest(raw)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			p = w.send(ctx, req)
		}
		if p.Failed {
			failed = append(failed, p.Caption+": "+p.Answer)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(between):
		}
	}
	if len(failed) > 0 {
		return fmt.Errorf("not accepted: %s", strings.Join(failed, "; "))
	}
	return nil
}

// shift is by how many whole days the story is moved so that it ended within the last day.
func shift(now time.Time) int {
	days := int(now.Sub(storyEnd).Hours() / 24)
	for storyEnd.AddDate(0, 0, days).After(now) {
		days--
	}
	return days
}

var (
	isoDate  = regexp.MustCompile(`\b2026-1[12]-\d\d`)
	mailDate = regexp.MustCompile(`\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d (?:Nov|Dec) 2026`)
	unixTime = regexp.MustCompile(`"(?:ts|pushed_at)": (179\d{7})\b`)
)

// moved moves every date of November and December 2026 by whole days; times of the day stay.
func moved(raw []byte, days int) []byte {
	by := func(layout string) func([]byte) []byte {
		return func(b []byte) []byte {
			t, err := time.Parse(layout, string(b))
			if err != nil {
				return b
			}
			return []byte(t.AddDate(0, 0, days).Format(layout))
		}
	}
	raw = isoDate.ReplaceAllFunc(raw, by(time.DateOnly))
	raw = mailDate.ReplaceAllFunc(raw, by("Mon, 02 Jan 2006"))
	return unixTime.ReplaceAllFunc(raw, func(b []byte) []byte {
		digits := b[bytes.LastIndexByte(b, ' ')+1:]
		n, err := strconv.ParseInt(string(digits), 10, 64)
		if err != nil {
			return b
		}
		return strconv.AppendInt(b[:len(b)-len(digits):len(b)-len(digits)], n+int64(days)*86400, 10)
	})
}

// parseRequest takes a .http file apart.
func parseRequest(raw []byte) (req request, err error) {
	r := textproto.NewReader(bufio.NewReader(bytes.NewReader(raw)))
	caption, err := r.ReadLine()
	if err != nil {
		return req, err
	}
	line, err := r.ReadLine()
	if err != nil {
		return req, err
	}
	var ok bool
	if req.caption, ok = strings.CutPrefix(caption, "# "); !ok {
		return req, fmt.Errorf("it begins with %q, not with a caption", caption)
	}
	if req.path, ok = strings.CutPrefix(strings.TrimSuffix(line, " HTTP/1.1"), "POST "); !ok {
		return req, fmt.Errorf("%q is no request line", line)
	}
	h, err := r.ReadMIMEHeader()
	if err != nil {
		return req, err
	}
	req.header = http.Header(h)
	req.body, err = io.ReadAll(r.R)
	return req, err
}

// send posts a request as its tool would: GitHub signs, Slack's senders have the secret in the address, scripts show a
// token.
func (w *World) send(ctx context.Context, req request) Posted {
	tool, path := "Script", req.path
	switch {
	case strings.HasPrefix(path, "/hooks/github"):
		tool = "GitHub"
		mac := hmac.New(sha256.New, []byte(w.secrets["github"]))
		mac.Write(req.body)
		req.header.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(mac.Sum(nil)))
	case strings.HasPrefix(path, "/hooks/chat"):
		tool = "Slack"
		path += "/" + w.secrets["chat"]
	case strings.HasPrefix(path, "/hooks/monitor"):
		tool = "Monitor"
		req.header.Set("Authorization", "Bearer "+w.secrets["monitor"])
	default:
		req.header.Set("Authorization", "Bearer "+w.secrets["scripts"])
	}
	var shown strings.Builder
	fmt.Fprintf(&shown, "POST %s HTTP/1.1\nHost: %s\n", path, strings.TrimPrefix(w.Daemon, "http://"))
	var head bytes.Buffer
	_ = req.header.Write(&head) // to memory
	shown.WriteString(strings.ReplaceAll(head.String(), "\r\n", "\n") + "\n")
	shown.Write(req.body)

	w.deliver.Lock()
	defer w.deliver.Unlock()
	p := Posted{At: time.Now(), Tool: tool, Caption: req.caption, Raw: shown.String()}
	ids, urgent, answer, err := w.request(ctx, path, req)
	p.Answer, p.Urgent = answer, urgent
	if err != nil {
		p.Answer, p.Failed = err.Error(), true
	}
	w.note(p, ids)
	return p
}

// request does the HTTP of send and reads the daemon's answer.
func (w *World) request(ctx context.Context, path string, req request) (ids []string, urgent bool, answer string, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, w.Daemon+path, bytes.NewReader(req.body))
	if err != nil {
		return nil, false, "", err
	}
	r.Header = req.header
	resp, err := w.client.Do(r)
	if err != nil {
		return nil, false, "", err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return nil, false, "", err
	}
	answer = strconv.Itoa(resp.StatusCode) + " " + strings.TrimSpace(string(raw))
	var said struct {
		Status string
		Items  []struct {
			ID     string
			Seq    int64
			Urgent bool
		}
	}
	switch {
	case resp.StatusCode >= 300:
		return nil, false, "", fmt.Errorf("%s", answer)
	case json.Unmarshal(raw, &said) != nil: // a Slack source answers "ok"
		return nil, false, answer, nil
	case said.Status != "accepted":
		return nil, false, "", fmt.Errorf("%s", answer)
	}
	for _, it := range said.Items {
		ids, urgent = append(ids, it.ID), urgent || it.Urgent
		answer = fmt.Sprintf("%d accepted, number %d", resp.StatusCode, it.Seq)
	}
	return ids, urgent, answer, nil
}

// write puts a mail into the inbox.
func (w *World) write(ctx context.Context, raw []byte) Posted {
	raw = bytes.ReplaceAll(raw, []byte("\n"), []byte("\r\n"))
	p := Posted{At: time.Now(), Tool: "Mail", Raw: string(raw), Answer: "in the inbox " + inbox}
	if m, err := textproto.NewReader(bufio.NewReader(bytes.NewReader(raw))).ReadMIMEHeader(); err == nil {
		from, _, _ := strings.Cut(m.Get("From"), " ")
		p.Caption = from + " writes: " + m.Get("Subject")
	}
	if err := w.post.put(ctx, inbox, raw); err != nil {
		p.Answer, p.Failed = err.Error(), true
	}
	w.note(p, nil)
	return p
}

func (w *World) note(p Posted, ids []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, id := range ids {
		w.known[id] = true
	}
	w.posted = append(w.posted, p)
}

// notice adds what others posted with the scripts' token, such as by the curl line: the daemon's API tells.
func (w *World) notice(ctx context.Context) error {
	w.deliver.Lock()
	defer w.deliver.Unlock()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, w.Daemon+"/v1/items?limit=50", nil)
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+w.secrets["api"])
	resp, err := w.client.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var said struct {
		Items []struct {
			ID, Title, Source string
			Seq               int64
			Urgent            bool
			ReceivedAt        time.Time `json:"received_at"`
		}
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, 8<<20)).Decode(&said); err != nil {
		return fmt.Errorf("reading /v1/items: %w", err)
	}
	for i := len(said.Items) - 1; i >= 0; i-- {
		it := &said.Items[i]
		if it.Source != "scripts" || w.isKnown(it.ID) {
			continue
		}
		w.note(Posted{At: it.ReceivedAt, Tool: "You", Caption: it.Title, Answer: fmt.Sprintf("202 accepted, number %d", it.Seq),
			Raw: "posted from outside; the daemon told of it at /v1/items", Urgent: it.Urgent}, []string{it.ID})
	}
	return nil
}

func (w *World) isKnown(id string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.known[id]
}
