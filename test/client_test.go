package test

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// An answer is what a door says of a delivery.
type answer struct {
	code   int
	Status string
	Items  []struct {
		ID      string
		Seq     int64
		Project string
		Urgent  bool
	}
	ID     string
	Reason string
	text   string
}

// post posts to a door; no answer is an error.
func (h *house) post(path string, header map[string]string, body string) (a answer, err error) {
	req, err := http.NewRequest("POST", h.url+path, strings.NewReader(body))
	if err != nil {
		return a, err
	}
	req.Header.Set("Content-Type", "application/json")
	for name, value := range header {
		req.Header.Set(name, value)
	}
	resp, err := client.Do(req)
	if err != nil {
		return a, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return a, err
	}
	a.code, a.text = resp.StatusCode, string(text)
	_ = json.Unmarshal(text, &a) // some doors answer in words
	return a, nil
}

var client = &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 128}}

// item posts an item in the native form, which must be accepted, and gives its number.
func (h *house) item(body string) int64 {
	h.t.Helper()
	a, err := h.post("/v1/items", bearer, body)
	h.must(err)
	if a.code != http.StatusAccepted || a.Status != "accepted" || len(a.Items) != 1 {
		h.t.Fatalf("%d %s", a.code, a.text)
	}
	return a.Items[0].Seq
}

var bearer = map[string]string{"Authorization": "Bearer " + toolSecret}

// An item as /v1 shows it.
type item struct {
	ID      string
	Seq     int64
	Project string
	Title   string
	Kind    string
	Thread  string
	Body    string
	Urgent  bool
}

// items are all there are, oldest first, as /v1 tells.
func (h *house) items() (all []item) {
	h.t.Helper()
	before := ""
	for {
		req, err := http.NewRequest("GET", h.url+"/v1/items?limit=200"+before, nil)
		h.must(err)
		req.Header.Set("Authorization", "Bearer "+readToken)
		resp, err := client.Do(req)
		h.must(err)
		var page struct {
			Items []item
			Next  string
		}
		err = json.NewDecoder(resp.Body).Decode(&page)
		resp.Body.Close()
		h.must(err)
		all = append(all, page.Items...)
		if page.Next == "" {
			slices.Reverse(all)
			return all
		}
		before = "&before=" + page.Items[len(page.Items)-1].ID
	}
}

// shell runs a command of the binary beside the daemon and reads its JSON.
func (h *house) shell(to any, args ...string) {
	h.t.Helper()
	cmd := exec.Command(binary, append([]string{"--config", h.file, "--json"}, args...)...)
	cmd.Stderr, cmd.Env = &h.log, append(os.Environ(), raceOptions)
	out, err := cmd.Output()
	h.must(err)
	h.must(json.Unmarshal(out, to))
}

// A sent message as `outbox list` shows it.
type sent struct {
	To        string
	Lane      string
	State     string
	Attempts  int
	Answer    string
	MessageID string `json:"message_id"`
}

func (h *house) outbox() (list []sent) {
	h.t.Helper()
	h.shell(&list, "outbox", "list", "--limit", "1000000")
	return list
}

// waiting are the messages that no server has taken yet and that are not given up.
func (h *house) waiting() (n int) {
	h.t.Helper()
	for _, m := range h.outbox() {
		if m.State == "queued" || m.State == "sending" {
			n++
		}
	}
	return n
}

// ready is what /readyz says.
func (h *house) ready() (code int, text string) {
	h.t.Helper()
	resp, err := client.Get(h.url + "/readyz")
	h.must(err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	h.must(err)
	return resp.StatusCode, string(body)
}
