package tools

import (
	"cmp"
	"net/http"
	"os"
	"path/filepath"
	"slices"
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

// warm reads all once, which compiles.
func warm(tb testing.TB, list []reading) []reading {
	if len(list) == 0 {
		tb.Fatal("there is nothing to read")
	}
	for _, r := range list {
		_, _ = r.read(r.Header, r.Body)
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

// BenchmarkMapsBesideAdapters reads each sample of a map file and then the payload of testdata that is nearest to it in
// size, in turns, so that what else the machine does meets both. x-adapter is how many times the one costs the other.
func BenchmarkMapsBesideAdapters(b *testing.B) {
	list, beside := mapped(b), written(b)
	slices.SortFunc(beside, func(x, y reading) int {
		return cmp.Or(cmp.Compare(len(x.Body), len(y.Body)), cmp.Compare(x.Name, y.Name))
	})
	pairs := make([]reading, len(list))
	for i, r := range list {
		at, _ := slices.BinarySearchFunc(beside, len(r.Body), func(x reading, n int) int { return cmp.Compare(len(x.Body), n) })
		if at == len(beside) || at > 0 && len(r.Body)-len(beside[at-1].Body) < len(beside[at].Body)-len(r.Body) {
			at--
		}
		pairs[i] = beside[at]
	}
	inTurns(b, list, pairs)
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
