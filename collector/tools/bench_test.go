package tools

import (
	"cmp"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// A reading is a payload and what reads it.
type reading struct {
	Sample
	read Adapter
}

// written are the payloads of testdata, each with its tool's adapter in Go and the header that the tool sends.
func written(tb testing.TB) (out []reading) {
	headers := map[string]func(file string) http.Header{"github": githubHeader}
	for _, d := range dialects() {
		headers[d.name] = d.header
	}
	for name, tool := range Types() {
		if _, err := os.Stat(filepath.Join("testdata", name)); err != nil {
			continue
		}
		names, bodies := samples(tb, name)
		for i, file := range names {
			h := sampleHeader(name, file)
			if of := headers[name]; of != nil {
				h = of(file)
			}
			out = append(out, reading{Sample{Name: name + "/" + file, Header: h, Body: bodies[i]}, tool.Read})
		}
	}
	return warm(tb, out)
}

// mapped are the samples of all map files, each with its file.
func mapped(tb testing.TB) (out []reading) {
	for _, m := range library(tb).files {
		for _, s := range m.samples {
			if !m.code {
				out = append(out, reading{s, m.read})
			}
		}
	}
	return warm(tb, out)
}

// warm reads all once, which compiles, with the header that any request has.
func warm(tb testing.TB, list []reading) []reading {
	if len(list) == 0 {
		tb.Fatal("there is nothing to read")
	}
	for i, r := range list {
		h := http.Header{"Accept": {"*/*"}, "Accept-Encoding": {"gzip"}, "Content-Length": {"512"}, "User-Agent": {"Hook/1.0"}, "X-Forwarded-For": {"192.0.2.7"},
			"X-Forwarded-Proto": {"https"}, "X-Real-Ip": {"192.0.2.7"}}
		maps.Copy(h, r.Header)
		list[i].Header = h
		_, _ = r.read(h, r.Body)
	}
	return list
}

// BenchmarkAdapters is the cost of a delivery read by Go, over testdata; BenchmarkMaps of one read by a map file, over
// the files' own samples. Theirs are smaller: BenchmarkMapsBesideAdapters compares like with like.
func BenchmarkAdapters(b *testing.B) { readAll(b, written(b)) }
func BenchmarkMaps(b *testing.B)     { readAll(b, mapped(b)) }

func readAll(b *testing.B, list []reading) {
	size := 0
	for _, r := range list {
		size += len(r.Body)
	}
	for b.Loop() {
		for _, r := range list {
			_, _ = r.read(r.Header, r.Body)
		}
	}
	each := float64(b.Elapsed().Nanoseconds()) / float64(b.N)
	b.ReportMetric(each/float64(len(list)), "ns/payload")
	b.ReportMetric(each/float64(size)*1024, "ns/KB")
}

// twins are payloads of testdata of which a map file of testdata/beside makes the same updates as the adapter in Go does.
func twins(tb testing.TB) (byMap, byGo []reading) {
	files := map[string]*mapFile{}
	for _, r := range written(tb) {
		tool, name, _ := strings.Cut(strings.TrimSuffix(r.Name, ".json"), "/")
		if !slices.Contains(beside[tool], name) {
			continue
		}
		if files[tool] == nil {
			text, err := os.ReadFile(filepath.Join("testdata", "beside", tool+".yaml"))
			if err == nil {
				files[tool], err = parseMapFile(tool+".yaml", text)
			}
			if err != nil {
				tb.Fatal(err)
			}
		}
		byMap, byGo = append(byMap, reading{r.Sample, files[tool].read}), append(byGo, r)
	}
	return warm(tb, byMap), byGo
}

var beside = map[string][]string{
	"linear":    {"issue.create", "issue.update~state"},
	"gitlab":    {"issue.open", "merge_request.open"},
	"gitea":     {"issues.opened"},
	"github":    {"issues.opened", "star.created", "release.published", "deployment_status.created~failed"},
	"pagerduty": {"incident.acknowledged"},
	"sentry":    {"issue.created"},
	"bitbucket": {"pullrequest_approved"},
}

// A map file can say what an adapter in Go says, to the last word.
func TestMapsBesideAdapters(t *testing.T) {
	byMap, byGo := twins(t)
	for i, r := range byMap {
		got, err := r.read(r.Header, r.Body)
		for j := range got.Items {
			got.Items[j].Reasons = nil
		}
		want, wantErr := byGo[i].read(r.Header, r.Body)
		if a, b := show(got, err), show(want, wantErr); a != b {
			t.Errorf("%s: a map file gives\n%s\nthe adapter gives\n%s", r.Name, a, b)
		}
	}
	if len(byMap) != 12 {
		t.Errorf("%d payloads were read", len(byMap))
	}
}

// BenchmarkMapsBesideAdapters reads payloads by a map file and by an adapter in Go in turns, so that what else the machine
// does meets both. x-adapter is how many times the one costs the other: "same" reads the very same payloads into the very
// same updates; "samples" reads each sample of each map file, and beside it the payload of testdata that is nearest to it
// in size.
func BenchmarkMapsBesideAdapters(b *testing.B) {
	b.Run("same", func(b *testing.B) {
		byMap, byGo := twins(b)
		inTurns(b, byMap, byGo)
	})
	b.Run("samples", func(b *testing.B) {
		list, sizes := mapped(b), written(b)
		slices.SortFunc(sizes, func(x, y reading) int {
			return cmp.Or(cmp.Compare(len(x.Body), len(y.Body)), cmp.Compare(x.Name, y.Name))
		})
		pairs := make([]reading, len(list))
		for i, r := range list {
			at, _ := slices.BinarySearchFunc(sizes, len(r.Body), func(x reading, n int) int { return cmp.Compare(len(x.Body), n) })
			if at == len(sizes) || at > 0 && len(r.Body)-len(sizes[at-1].Body) < len(sizes[at].Body)-len(r.Body) {
				at--
			}
			pairs[i] = sizes[at]
		}
		inTurns(b, list, pairs)
	})
}

// inTurns reads the payloads of two lists in turns and reports what the first costs, in times of the second. Of each
// payload the median over the rounds counts: what waits for another process's turn does not.
func inTurns(b *testing.B, list, beside []reading) {
	took := make([][2][]time.Duration, len(list))
	for b.Loop() {
		for i := range list {
			start := time.Now()
			_, _ = list[i].read(list[i].Header, list[i].Body)
			middle := time.Now()
			_, _ = beside[i].read(beside[i].Header, beside[i].Body)
			took[i][0], took[i][1] = append(took[i][0], middle.Sub(start)), append(took[i][1], time.Since(middle))
		}
	}
	var sum [2]time.Duration
	for i := range took {
		for j, t := range took[i] {
			slices.Sort(t)
			sum[j] += t[len(t)/2]
		}
	}
	b.ReportMetric(float64(sum[0])/float64(sum[1]), "x-adapter")
	b.ReportMetric(float64(sum[0])/float64(len(list)), "ns/map")
	b.ReportMetric(float64(sum[1])/float64(len(list)), "ns/adapter")
}
