package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// tools answers without a configuration; with one it knows the operator's own files, which go before ours.
func TestTools(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"q.yaml":            "mail: {from: a@example.com, smtp: {host: h}}\ntools_dir: own\n",
		"b.yaml":            "mail: {from: a@example.com, smtp: {host: h}}\ntools_dir: begun\n",
		"begun/trello.yaml": "", // as `tools show trello > begun/trello.yaml` finds it
		"own/newtool.yaml": "title: New Tool\nknow: [{fields: [very.special]}]\nmap: {title: '\"about \" + payload.very.special'}\non: [{}]\n" +
			"samples: [{name: it, body: {very: {special: it}}, gives: {title: it}}]\n",
	} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const card = `{"@type":"MessageCard","title":"Build #42 failed on main","themeColor":"DD0000"}`
	for _, c := range []struct {
		name, stdin, args string
		status            int
		want              []string
	}{
		{"list", "", "tools list", 0, []string{"trello", "Trello", "ntfy", "github"}},
		{"show", "", "tools show trello", 0, []string{"title: Trello\n", "samples:"}},
		{"show nothing", "", "tools show nosuch", 1, []string{`no tool "nosuch"`, "tools list"}},
		{"try", card, "tools try msteams -", 0, []string{"read as msteams", "title     Build #42 failed on main", "level     error"}},
		{"try to find out", card, "tools try auto -", 0, []string{"read as msteams"}},
		{"try what is ignored", `{"text":""}`, "tools try slack -", 0, []string{"ignored: the message is empty"}},
		{"try as nothing", card, "tools try nosuch -", 1, []string{`no tool "nosuch"`}},
		{"try what cannot be read", `{"title":`, "tools try msteams -", 1, []string{"read as msteams: the body cannot be read"}},
		{"a copy is made into the folder", "", "--config b.yaml tools show trello", 0, []string{"title: Trello\n", "samples:"}},
		{"the list beside a fault", "", "--config b.yaml tools list", 0, []string{"trello", "cannot be used", "the file is empty"}},
		{"nothing beside a fault", "", "--config b.yaml tools show nosuch", 1, []string{`no tool "nosuch"`, "cannot be used"}},
		{"own samples are tried", "", "--config q.yaml check", 0, []string{"is good", `tools_dir: note: newtool.yaml: sample "it": title is "about it", not "it"`}},
		{"own files are listed", "", "--config q.yaml tools list", 0, []string{"newtool", "New Tool", "trello"}},
		{"own files are shown", "", "--config q.yaml tools show newtool", 0, []string{"title: New Tool"}},
		{"own files are tried", `{"very":{"special":"it"}}`, "--config q.yaml tools try auto -", 0, []string{"read as newtool", "title     about it"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out, faults bytes.Buffer
			e := &env{ctx: t.Context(), stdin: strings.NewReader(c.stdin), stdout: &out, stderr: &faults, getenv: func(name string) string { return map[string]string{"HOME": dir}[name] },
				now: func() time.Time { return time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC) }, tick: testTick, shipped: testTools}
			status := run(e, strings.Fields(strings.Replace(c.args, "--config ", "--config "+dir+"/", 1)))
			got := out.String() + faults.String()
			if status != c.status {
				t.Errorf("status %d, want %d:\n%s", status, c.status, got)
			}
			for _, want := range c.want {
				if !strings.Contains(got, want) {
					t.Errorf("%q is not in\n%s", want, got)
				}
			}
		})
	}
	var out bytes.Buffer
	e := &env{ctx: t.Context(), stdin: strings.NewReader(""), stdout: &out, stderr: &out, getenv: func(string) string { return "" },
		now: time.Now, tick: testTick, shipped: testTools}
	var list []toolJSON
	if status := run(e, []string{"tools", "list", "--json"}); status != 0 || json.Unmarshal(out.Bytes(), &list) != nil || len(list) < 20 {
		t.Errorf("%d: %s", status, out.String())
	}
}
