package tools

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// BenchmarkAdapters is the cost of a delivery read by Go, over testdata; BenchmarkMaps of one read by a map file, over
// the files' own samples. Compilation is done before.
func BenchmarkAdapters(b *testing.B) {
	var list []Sample
	var read []Adapter
	for name, tool := range Types() {
		files, _ := filepath.Glob(filepath.Join("testdata", name, "*.json"))
		for _, f := range files {
			body, err := os.ReadFile(f)
			if err != nil {
				b.Fatal(err)
			}
			h := http.Header{}
			if text, err := os.ReadFile(f + ".headers"); err == nil {
				for line := range strings.Lines(string(text)) {
					if k, v, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
						h.Add(k, strings.TrimSpace(v))
					}
				}
			}
			list, read = append(list, Sample{Header: h, Body: body}), append(read, tool.Read)
		}
	}
	readAll(b, list, read)
}

func BenchmarkMaps(b *testing.B) {
	var list []Sample
	var read []Adapter
	for _, m := range library(b).files {
		if m.code {
			continue
		}
		for _, s := range m.samples {
			list, read = append(list, s), append(read, m.read)
		}
	}
	readAll(b, list, read)
}

func readAll(b *testing.B, list []Sample, read []Adapter) {
	size := 0
	for i, s := range list {
		size += len(s.Body)
		_, _ = read[i](s.Header, s.Body) // which compiles
	}
	if size == 0 {
		b.Fatal("there is nothing to read")
	}
	for b.Loop() {
		for i := range list {
			_, _ = read[i](list[i].Header, list[i].Body)
		}
	}
	each := float64(b.Elapsed().Nanoseconds()) / float64(b.N)
	b.ReportMetric(each/float64(len(list)), "ns/payload")
	b.ReportMetric(each/float64(size)*1024, "ns/KB")
}
