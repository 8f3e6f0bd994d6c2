package templates

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the goldens anew")

func TestGoldens(t *testing.T) {
	for _, g := range goldens {
		t.Run(g.name, func(t *testing.T) {
			r := render(t, g)
			for ext, got := range map[string]string{".html": r.HTML, ".txt": "Subject: " + r.Subject + "\n\n" + r.Text} {
				path := filepath.Join("testdata", g.name+ext)
				if *update {
					if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(path)
				if err != nil {
					t.Fatalf("%v (run go test -update, and look at what it wrote)", err)
				}
				if diff := cmp.Diff(string(want), got); diff != "" {
					t.Errorf("%s changed (-want +got), run go test -update if it should:\n%s", path, diff)
				}
			}
		})
	}
}
