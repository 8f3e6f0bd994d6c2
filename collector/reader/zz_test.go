package reader

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestZZDump(t *testing.T) {
	out := os.Getenv("ZZDUMP")
	if out == "" {
		t.Skip()
	}
	files, _ := filepath.Glob("/work/shared/corpus/mail/*/*")
	f, _ := os.Create(out)
	defer f.Close()
	for _, file := range files {
		raw, _ := os.ReadFile(file)
		r := Read(raw, Options{KnownProject: func(k string) bool { return len(k)%2 == 0 }})
		b, _ := json.Marshal(r)
		f.WriteString(file + " " + string(b) + " " + r.firstWords + strings.Join(r.authResults, "|") + "\n")
	}
	t.Log(len(files))
}

func BenchmarkZZCorpus(b *testing.B) {
	files, _ := filepath.Glob("/work/shared/corpus/mail/*/*.eml")
	var raws [][]byte
	for _, file := range files {
		if strings.Contains(file, "attack") || strings.Contains(file, "malformed") {
			continue
		}
		raw, _ := os.ReadFile(file)
		raws = append(raws, raw)
	}
	b.ReportAllocs()
	for b.Loop() {
		for _, raw := range raws {
			Read(raw, Options{})
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/float64(len(raws)), "us/mail")
}
