package test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"

	"quietpost/digest"
)

// A sample is a line of an INDEX.tsv of the corpus: real deliveries and mails that others published, kept outside this
// project (README.md there). want are the values by which the index names its project and its title.
type sample struct {
	group, file    string
	project, title string
}

// samples reads an index. Without a corpus the test is left out, loudly.
func samples(t *testing.T, kind string, read func(column func(string) string) sample) (root string, all []sample) {
	t.Helper()
	root = os.Getenv("QUIETPOST_CORPUS")
	if root == "" {
		t.Skip("LEFT OUT: QUIETPOST_CORPUS is not set, so that no real payload and no real mail goes through the daemon")
	}
	root = filepath.Join(root, kind)
	f, err := os.Open(filepath.Join(root, "INDEX.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	var names []string
	for lines.Scan() {
		fields := strings.Split(lines.Text(), "\t")
		if names == nil {
			names = fields
			continue
		}
		all = append(all, read(func(name string) string {
			if i := slices.Index(names, name); i >= 0 && i < len(fields) {
				return fields[i]
			}
			t.Fatalf("%s/INDEX.tsv has no column %s", kind, name)
			return ""
		}))
	}
	if len(all) == 0 {
		t.Fatalf("nothing in %s", root)
	}
	return root, all
}

// value is what stands behind "path=" in a column.
func value(s string) string {
	_, v, _ := strings.Cut(s, "=")
	return v
}

// TestCorpus sends every delivery and every mail of the corpus through one running daemon. Nothing may be refused and
// nothing may be lost: each becomes items, or is kept with the reason why it did not.
func TestCorpus(t *testing.T) {
	hooksRoot, hooks := samples(t, "webhooks", func(c func(string) string) sample {
		return sample{c("tool"), c("file"), value(c("project")), value(c("title"))}
	})
	mailRoot, mails := samples(t, "mail", func(c func(string) string) sample {
		return sample{c("kind"), c("file"), "", c("subject")}
	})
	t.Parallel()
	h := newHouse(t, plan{accept: `["*"]`, sources: corpusSources(t, hooks), more: never + `
subscribers:
  - {address: reader@lab.test, schedule: when-asked, alerts: false}
`})
	before := h.process
	t.Run("webhooks", func(t *testing.T) { corpusHooks(t, h, hooksRoot, hooks) })
	t.Run("mails", func(t *testing.T) { corpusMails(t, h, mailRoot, mails) })
	h.cut() // all of it in one digest: the templates meet the world
	d := h.digests("reader", 1)[0]
	all := h.items()
	if want := fmt.Sprintf("1-%d", all[len(all)-1].Seq); d.get("X-Quietpost-Window") != want {
		t.Errorf("window %s, want %s", d.get("X-Quietpost-Window"), want)
	}
	if strings.Contains(d.text, "could not be set as usual") || len(d.html) == 0 || len(d.html) > 100_000 ||
		regexp.MustCompile(`(?i)<(script|img|iframe|form|object|embed)|javascript:| on\w+=`).MatchString(d.html) {
		t.Errorf("the digest: %d bytes of HTML, text:\n%s", len(d.html), d.text)
	}
	if h.process != before {
		t.Error("the daemon was started anew")
	}
	t.Logf("one digest of %d updates: %q, %d bytes of text, %d of HTML", len(all), d.subject(), len(d.text), len(d.html))
}

// types of tools under another folder's name.
var types = map[string]string{"github-enterprise": "github", "slack-incoming": "slack", "mattermost-incoming": "slack"}

// corpusSources makes an open source of each folder, of its tool's type if the daemon knows that.
func corpusSources(t *testing.T, hooks []sample) string {
	t.Helper()
	cmd := exec.Command(binary, "tools", "list", "--json")
	cmd.Dir = t.TempDir() // where there is no configuration
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var tools []struct{ Name string }
	if err := json.Unmarshal(out, &tools); err != nil {
		t.Fatal(err)
	}
	var known []string
	for _, tool := range tools {
		known = append(known, tool.Name)
	}
	if !slices.Contains(known, "generic") {
		t.Fatalf("types of sources: %q", known)
	}
	var s strings.Builder
	own := map[string]bool{}
	for _, name := range hooks {
		if own[name.group] {
			continue
		}
		own[name.group] = true
		kind := name.group
		if types[kind] != "" {
			kind = types[kind]
		}
		if !slices.Contains(known, kind) {
			kind = "generic"
		}
		fmt.Fprintf(&s, "  - {name: c-%s, type: %s, open: true}\n", name.group, kind)
	}
	return s.String()
}

// A tally counts what became of samples, and how many read as the index says.
type tally struct {
	all                  int
	by                   map[string]int
	titles, ofTitles     int
	projects, ofProjects int
	untitled             []string // of files
}

func (c *tally) report(t *testing.T, what string) {
	t.Helper()
	t.Logf("%s: %d, of them %v; items with the title that the index names: %d of %d; with its project: %d of %d", what, c.all, c.by,
		c.titles, c.ofTitles, c.projects, c.ofProjects)
	if len(c.untitled) > 0 {
		t.Errorf("%s without a title: %q", what, c.untitled)
	}
}

// compare holds an item against its sample.
func (c *tally) compare(s sample, it *item) {
	if strings.TrimSpace(it.Title) == "" || strings.HasPrefix(it.Title, "Update from ") {
		c.untitled = append(c.untitled, s.file)
	}
	if bare(s.title) != "" {
		c.ofTitles++
		if a, b := bare(it.Title), bare(s.title); strings.Contains(a, b) || len(a) > 8 && strings.Contains(b, a) {
			c.titles++
		}
	}
	if s.project != "" {
		c.ofProjects++
		if digest.ProjectKey(s.project) == it.Project {
			c.projects++
		}
	}
}

// bare are the letters and digits of a text's beginning: not its case, spaces or punctuation.
func bare(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, s)
	return s[:min(len(s), 60)]
}

func corpusHooks(t *testing.T, h *house, root string, hooks []sample) {
	c := tally{by: map[string]int{}}
	numbers := map[int64]sample{}
	for _, s := range hooks {
		body, err := os.ReadFile(filepath.Join(root, s.file))
		if err != nil {
			t.Fatal(err)
		}
		a, err := h.deliver(s, body, headersOf(filepath.Join(root, s.file)))
		if err != nil {
			t.Fatalf("%s: %v", s.file, err)
		}
		c.all++
		switch {
		case a.code == 202 && (a.Status == "accepted" && len(a.Items) > 0 || a.Status == "quarantined" && a.ID != ""),
			a.code == 200 && (a.Status == "duplicate" || a.Status == "ignored" && a.Reason != ""),
			a.code/100 == 2 && a.Status == "": // in the tool's own words; see the counters below
		default:
			t.Errorf("%s: %d %s", s.file, a.code, a.text)
		}
		if a.Status == "" {
			a.Status = fmt.Sprintf("%d in its own words", a.code)
		}
		if c.by[a.Status]++; a.Status == "quarantined" {
			t.Logf("quarantined: %s: %s", s.file, a.Reason)
		}
		for i, it := range a.Items {
			if i == 0 && a.Status == "accepted" {
				numbers[it.Seq] = s
			}
		}
	}
	all := h.items()
	for i := range all {
		if s, ok := numbers[all[i].Seq]; ok {
			c.compare(s, &all[i])
			delete(numbers, all[i].Seq)
		}
	}
	if len(numbers) > 0 {
		t.Errorf("accepted and not there: %v", numbers)
	}
	c.report(t, "webhooks")
	if kept := h.kept(); kept != c.all {
		t.Errorf("%d deliveries were kept, %d were posted", kept, c.all)
	}
	if c.by["quarantined"] > c.all/50 || c.titles < c.ofTitles*3/4 || c.projects < c.ofProjects*3/4 {
		t.Error("too few are understood")
	}
}

var keptLine = regexp.MustCompile(`(?m)^quietpost_webhook_deliveries_total\{.*\} (\d+)$`)

// kept is how many deliveries the daemon has counted, whatever became of them.
func (h *house) kept() (n int) {
	h.t.Helper()
	resp, err := client.Get(h.url + "/metrics")
	h.must(err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	h.must(err)
	for _, m := range keptLine.FindAllStringSubmatch(string(text), -1) {
		count, err := strconv.Atoi(m[1])
		h.must(err)
		n += count
	}
	return n
}

// headersOf are those known of a sample that a sender sets itself.
func headersOf(file string) http.Header {
	header := http.Header{}
	switch filepath.Ext(file) {
	case ".json":
		header.Set("Content-Type", "application/json")
	case ".xml":
		header.Set("Content-Type", "application/xml")
	default:
		header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	text, err := os.ReadFile(file + ".headers")
	if err != nil {
		return header
	}
	seen := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		name, v, ok := strings.Cut(strings.TrimSpace(line), ":")
		name = http.CanonicalHeaderKey(name)
		if !ok || slices.Contains([]string{"Host", "Content-Length", "Transfer-Encoding", "Connection", "Accept-Encoding"}, name) {
			continue
		}
		if !seen[name] {
			header.Del(name)
		}
		seen[name] = true
		header.Add(name, strings.TrimSpace(v))
	}
	return header
}

// deliver posts a sample; an open source may be asked to post more slowly.
func (h *house) deliver(s sample, body []byte, header http.Header) (a answer, err error) {
	for end := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		req, err := http.NewRequest("POST", h.url+"/hooks/c-"+s.group, bytes.NewReader(body))
		if err != nil {
			return a, err
		}
		req.Header = header.Clone()
		resp, err := client.Do(req)
		if err != nil {
			return a, err
		}
		text, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			return a, err
		}
		a = answer{code: resp.StatusCode, text: string(text)}
		slow := a.code == 429 || a.code == 503 && strings.Contains(a.text, "faster than it may")
		if !slow || time.Now().After(end) {
			_ = json.Unmarshal(text, &a) // or words
			return a, nil
		}
	}
}

var mailLine = regexp.MustCompile(`msg=mail inbox=\S+ uid=(\d+) state=(\w+) items=(\d+)`)

func corpusMails(t *testing.T, h *house, root string, mails []sample) {
	have := len(h.items())
	c := tally{by: map[string]int{}}
	var subjects []string
	var raws [][]byte
	for _, s := range mails {
		if filepath.Ext(s.file) != ".eml" {
			continue // bodies only
		}
		raw, err := os.ReadFile(filepath.Join(root, s.file))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(raw, []byte("\r\n")) {
			raw = bytes.ReplaceAll(raw, []byte("\n"), []byte("\r\n"))
		}
		raws = append(raws, raw)
		c.all++
		subjects = append(subjects, bare(s.title))
	}
	raws = append(raws, mailOf("corpus-end", "inbox@lab.test", "The end of the corpus", "Bye."))
	h.must(h.Append("inbox", raws...))
	h.eventually("all mails are read", func() bool { return len(mailLine.FindAllString(h.log.String(), -1)) >= c.all+1 })
	states := 0
	for _, m := range mailLine.FindAllStringSubmatch(h.log.String(), -1) {
		c.by[m[2]]++
		states++
		if m[2] == "accepted" && m[3] == "0" {
			t.Errorf("mail %s is accepted and brought nothing", m[1])
		}
	}
	if states != c.all+1 {
		t.Errorf("%d mails were told of, %d are there", states, c.all+1)
	}
	all := h.items()[have:]
	for i := range all {
		c.ofTitles++
		if title := bare(all[i].Title); slices.ContainsFunc(subjects, func(s string) bool {
			return s == title || s != "" && strings.Contains(title, s) || len(title) > 8 && strings.Contains(s, title)
		}) {
			c.titles++
		}
		if strings.TrimSpace(all[i].Title) == "" {
			c.untitled = append(c.untitled, all[i].ID)
		}
	}
	c.report(t, "mails")
	if c.titles < c.ofTitles*3/4 {
		t.Error("too few are understood")
	}
}
