package tools

import (
	"fmt"
	"hash/fnv"
	"maps"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"quietpost/digest"
)

// A tally counts, of the deliveries in which a map file names a field, those in which generic found the same.
type tally struct{ right, of int }

func (t *tally) add(right bool) {
	t.of++
	if right {
		t.right++
	}
}

func (t *tally) percent() int { return 100 * t.right / max(t.of, 1) }

// meaning are the words of a text that carry it, without those that any line may have.
func meaning(s string) map[string]bool {
	out := map[string]bool{}
	for _, w := range strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		switch w {
		case "a", "an", "the", "of", "in", "on", "to", "by", "for", "is", "was", "are", "with", "at", "from", "and", "has", "it", "no", "not":
		default:
			out[w] = true
		}
	}
	return out
}

// alike is how much two titles say the same, from 0 to 100: the harmonic mean of the share of one's words in the other.
func alike(a, b string) int {
	x, y, both := meaning(a), meaning(b), 0
	for w := range x {
		if y[w] {
			both++
		}
	}
	return 200 * both / max(len(x)+len(y), 1)
}

// aliases of the words for levels, where a map file and a payload call one thing by two names.
var sameLevel = map[string]string{"warn": "warning", "err": "error", "informational": "info", "information": "info"}

func level(s string) string { return orElse(sameLevel[strings.ToLower(s)], strings.ToLower(s)) }

// heldOut tells the third of the tools that generic's rules were not tuned with: their score is what a tool may expect
// that nobody has heard of.
func heldOut(tool string) bool {
	h := fnv.New32a()
	h.Write([]byte(tool))
	return h.Sum32()%3 == 0
}

// TestGenericAlone reads the samples of all map files as if nobody had heard of their tools, and compares what generic
// makes of them with what the map file says.
func TestGenericAlone(t *testing.T) {
	l := library(t)
	scores := map[bool]map[string]*tally{true: {}, false: {}}
	for _, name := range slices.Sorted(maps.Keys(l.files)) {
		score := scores[heldOut(name)]
		for _, s := range l.files[name].samples {
			if s.Ignored != "" {
				continue
			}
			header := http.Header{"Content-Type": {"application/json"}}
			for k, v := range s.Header {
				header[k] = v
			}
			mapped, err := l.tools[name].Read(header, s.Body)
			if err != nil || len(mapped.Items) == 0 {
				t.Fatalf("%s: %s: %v", name, s.Name, err)
			}
			alone, err := Generic(header, s.Body)
			if err != nil || len(alone.Items) == 0 {
				if alone.Ignored == "" {
					t.Errorf("%s: %s is not read: %v", name, s.Name, err)
				}
				alone.Items = []digest.Item{{Title: "?"}}
			}
			want := mapped.Items[0]
			if !strings.Contains(plainly(s.Body), want.URL) {
				want.URL = "" // the map file makes it of what it knows of the tool
			}
			missed := compare(score, &want, &alone.Items[0])
			if len(missed) > 0 && !heldOut(name) {
				t.Logf("%-46s %s", name+": "+s.Name, strings.Join(missed, "\n"+strings.Repeat(" ", 54)))
			}
		}
	}
	tell(t, "the map files' samples, of tools tuned with", scores[false], leastFound["tuned"])
	tell(t, "the map files' samples, of tools held out", scores[true], leastFound["held out"])
}

// TestGenericAloneCorpus does the same with the corpus of real deliveries, and what each tool's own adapter says.
func TestGenericAloneCorpus(t *testing.T) {
	l, score := library(t), map[string]*tally{}
	for _, s := range corpus(t, func(tool string) bool { return true }) {
		tool := l.Detect(s.header, s.body)
		own, err := l.tools[tool].Read(s.header, s.body)
		if tool == "generic" || err != nil || len(own.Items) == 0 {
			continue
		}
		alone, err := Generic(s.header, s.body)
		if err != nil || len(alone.Items) == 0 {
			t.Logf("%s is not read: %v %s", s.file, err, alone.Ignored)
			continue
		}
		want := own.Items[0]
		if !strings.Contains(plainly(s.body), want.URL) {
			want.URL = ""
		}
		compare(score, &want, &alone.Items[0])
		if alone.Items[0].Urgent && !want.Urgent {
			t.Errorf("%s would wake people up: %s", s.file, alone.Items[0].Title)
		}
	}
	tell(t, "the corpus", score, leastFound["corpus"])
}

// tell states a score, and fails where it is less than it should be.
func tell(t *testing.T, of string, score map[string]*tally, least map[string]int) {
	var line []string
	for _, field := range slices.Sorted(maps.Keys(score)) {
		n := score[field]
		line = append(line, fmt.Sprintf("%s %d of %d (%d %%)", field, n.right, n.of, n.percent()))
		if n.percent() < least[field] {
			t.Errorf("%s: %s is right in %d %%, less than %d %%", of, field, n.percent(), least[field])
		}
	}
	t.Logf("SUMMARY of %s: %s", of, strings.Join(line, ", "))
}

// leastFound is what generic must find, in percent, a little below what it does: of the tools its rules were tuned with,
// of those held out, and of the corpus.
var leastFound = map[string]map[string]int{
	"tuned": {"author": 77, "level": 66, "no author": 92, "not urgent": 99, "over": 92, "project": 75, "state": 63, "thread": 44, "time": 79,
		"title": 59, "urgent": 70, "url": 85},
	"held out": {"author": 63, "level": 64, "no author": 91, "not urgent": 99, "over": 88, "project": 61, "state": 50, "thread": 37, "time": 74,
		"title": 46, "urgent": 70, "url": 80},
	"corpus": {"author": 78, "level": 82, "no author": 85, "not urgent": 100, "over": 94, "project": 83, "state": 61, "thread": 47, "time": 70,
		"title": 61, "urgent": 70, "url": 73},
}

// plainly is a body in which an address stands as it is.
func plainly(body []byte) string {
	text := strings.NewReplacer(`\u0026`, "&", `\/`, "/").Replace(string(body))
	if form, err := url.QueryUnescape(text); err == nil && !startsJSON(body) {
		return form
	}
	return text
}

// compare counts what generic found of what the map file says, and tells what it did not.
func compare(score map[string]*tally, want, got *digest.Item) (missed []string) {
	note := func(field string, right bool, have, should string) {
		if score[field] == nil {
			score[field] = &tally{}
		}
		score[field].add(right)
		if !right {
			missed = append(missed, fmt.Sprintf("%s is %q, want %q", field, have, should))
		}
	}
	note("title", alike(got.Title, want.Title) >= 60, got.Title, want.Title)
	if p := digest.ProjectKey(want.Project); p != "" {
		note("project", digest.ProjectKey(got.Project) == p, got.Project, want.Project)
	}
	if want.URL != "" {
		note("url", got.URL == want.URL, got.URL, want.URL)
	}
	if want.Author != "" {
		note("author", strings.EqualFold(got.Author, want.Author), got.Author, want.Author)
	} else {
		note("no author", got.Author == "", got.Author, want.Author)
	}
	if want.Level != "" {
		note("level", level(got.Level) == level(want.Level), got.Level, want.Level)
	}
	if want.State != "" {
		note("state", got.State == strings.ToLower(want.State), got.State, want.State)
	}
	note("over", digest.Resolved(strings.ToLower(got.State)) == digest.Resolved(strings.ToLower(want.State)), got.State, want.State)
	if want.Urgent {
		note("urgent", got.Urgent, "not urgent", "urgent")
	} else {
		note("not urgent", !got.Urgent, "urgent", "not urgent")
	}
	if want.Thread != "" {
		note("thread", got.Thread != "" && path.Base(want.Thread) == path.Base(got.Thread), got.Thread, want.Thread)
	}
	if !want.OccurredAt.IsZero() {
		note("time", got.OccurredAt.Sub(want.OccurredAt).Abs() <= time.Second, got.OccurredAt.String(), want.OccurredAt.String())
	}
	return missed
}

// The names that tools give events, as people would say them.
func TestEventWords(t *testing.T) {
	for in, want := range map[string]string{"com.example.order.created.v2": "order | created", "orders/create": "order | created",
		"createCard": "card | created", "public_incident.incident_created_v2": "incident | created", "invoice.payment_failed": "invoice payment | failed",
		"addMemberToBoard": "member | added to board", "AssignedToUser": " | assigned to user", "zen:event-type:ticket.comment_added": "ticket comment | added",
		"merge_request.update": "merge request | updated", "Push Hook": " | pushed", "pull_request.opened": "pull request | opened",
		"jira:issue_updated": "issue | updated", "deploy_building": "deploy | building", "HourlyFollowUp": "hourly follow up | ",
		"harbor.replication.status.changed": "replication status | changed", "check.down": "check | down", "ticket": "ticket | ", "": " | ",
		"signed up": " | signed up", "set_up": " | set up", "transfers#state-change": "state | changed", "task.move.column": "task | moved",
		"new_comment": "comment | created", "sync_end": "sync | ended", "jobs.on_failure": "job | failure", "DID_FAIL_TO_RENEW": "did fail to renew | ", "emailUnSubscribe": "email | unsubscribed", "issue.new": "issue | created", "order.fraud_status.changed": "order fraud status | changed", "contact.tag.deleted": "tag | deleted", "v1": " | ", "statuses": "statuses | "} {
		thing, deed := eventWords(in)
		if got := strings.Join(thing, " ") + " | " + deed; got != want {
			t.Errorf("%q is %q, want %q", in, got, want)
		}
	}
}

// A batch is taken apart, bounded: in the number of items, and in what stands around them, which is read with each.
func TestBatch(t *testing.T) {
	events := `"events":[` + strings.Repeat(`{"event":"file.translated","file":{"name":"cart"}},`, 299) + `{"event":"file.approved","file":{"name":"cart"}}]`
	r, err := Generic(http.Header{}, []byte(`{"project":"shop",`+events+`}`))
	if err != nil || len(r.Items) != MaxItems || r.Items[0].Project != "shop" || r.Items[0].Title != "File translated: cart" ||
		r.Items[MaxItems-1].Title != "… and 101 more in the same delivery" {
		t.Errorf("%d items, %v: %+v", len(r.Items), err, r.Items)
	}
	var around strings.Builder
	for i := range maxAround {
		fmt.Fprintf(&around, `"k%d":%d,`, i, i)
	}
	r, err = Generic(http.Header{}, []byte(`{"project":"shop",`+around.String()+events+`}`))
	if err != nil || len(r.Items) != 1 || r.Items[0].Title != "File translated: cart (and 299 more)" {
		t.Errorf("%d items, %v: %+v", len(r.Items), err, r.Items)
	}
}
