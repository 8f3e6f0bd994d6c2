package reader

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

func TestDump(t *testing.T) {
	root := os.Getenv("DUMPROOT")
	files, _ := filepath.Glob(filepath.Join(root, "mail", "*", "*.eml"))
	out := map[string]any{}
	for _, f := range files {
		raw, _ := os.ReadFile(f)
		out[f[len(root)+6:]] = Read(raw, Options{})
	}
	r := map[string]string{}
	files, _ = filepath.Glob(filepath.Join(root, "mail", "reply-body", "*.txt"))
	for _, f := range files {
		raw, _ := os.ReadFile(f)
		r[filepath.Base(f)] = visibleReply(string(raw))
	}
	rb, _ := json.Marshal(r)
	os.WriteFile("/tmp/replies.json", rb, 0o644)
	b, _ := json.Marshal(out)
	os.WriteFile("/tmp/dump.json", b, 0o644)
}
