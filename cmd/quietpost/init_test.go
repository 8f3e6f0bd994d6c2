package main

import (
	"bytes"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"quietpost/config"
)

func atHome(name string) string {
	if name == "HOME" {
		return "/home/ana"
	}
	return ""
}

func initIn(t *testing.T, dir, answers string, args ...string) (int, string) {
	t.Helper()
	var out bytes.Buffer
	e := &env{ctx: t.Context(), stdin: strings.NewReader(answers), stdout: &out, stderr: &out, getenv: atHome,
		now: func() time.Time { return time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC) }, tick: testTick, shipped: testTools}
	code := run(e, append([]string{"init", dir}, args...))
	return code, out.String()
}

func TestInitWithoutQuestions(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	if code, out := initIn(t, dir, ""); code != 0 || !strings.Contains(out, "quietpost.yaml") {
		t.Fatalf("%d: %s", code, out)
	}
	var out bytes.Buffer
	e := &env{ctx: t.Context(), stdout: &out, stderr: &out, getenv: atHome, now: time.Now, tick: testTick, shipped: testTools}
	if code := run(e, []string{"check", "--config", filepath.Join(dir, "quietpost.yaml")}); code != 0 {
		t.Errorf("check does not accept it: %s", out.String())
	}
	if code, out := initIn(t, dir, ""); code != 1 || !strings.Contains(out, "is there already") {
		t.Errorf("a second time: %d: %s", code, out)
	}
}

// The dialogue on a terminal, wrong answers among the right ones; its end is a digest in the operator's mailbox.
func TestInitAsks(t *testing.T) {
	var box inbox
	server := smtp.NewServer(&box)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go server.Serve(l)
	defer server.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	dir := t.TempDir()
	code, out := initIn(t, dir, strings.Join([]string{"127.0.0.1", "sometimes", "none", port, "-", "digest at example", "digest@example.com",
		"ana@example.com", "Mars/Phobos", "Europe/Lisbon", "https://quiet.example.com", "yes"}, "\n")+"\n", "--ask")
	if code != 0 {
		t.Fatalf("%d: %s", code, out)
	}
	for _, want := range []string{`"sometimes" is none of starttls`, "is not a mail address", `"Mars/Phobos" is not a zone`, "Sent:"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in what was said:\n%s", want, out)
		}
	}
	m := box.wait(t, 1)[0]
	if m.Header.Get("To") != "<ana@example.com>" || !strings.Contains(m.Header.Get("Subject"), "first digest") {
		t.Errorf("the mail: %v", m.Header)
	}
	cfg, faults := config.Load(filepath.Join(dir, "quietpost.yaml"), config.Options{Getenv: atHome})
	if cfg == nil {
		t.Fatal(faults)
	}
	if cfg.Mail.From != "digest@example.com" || cfg.TimeZone.String() != "Europe/Lisbon" || len(cfg.Subscribers) != 1 ||
		cfg.BaseURL != "https://quiet.example.com" || len(cfg.Operators) != 1 || cfg.Mail.SMTP.TLS != "none" {
		t.Errorf("the configuration: %+v", cfg)
	}
	if info, err := os.Stat(filepath.Join(dir, "scripts.token")); err != nil || info.Mode().Perm() != 0o640 || info.Size() < 32 {
		t.Errorf("the token: %v, %v", info, err)
	}
}

// A question whose line is no longer in the example would be asked for nothing.
func TestInitKnowsTheExample(t *testing.T) {
	for _, a := range answers {
		if a.line != "" && strings.Count(string(config.Example), a.line+"\n") != 1 {
			t.Errorf("%s: the example has no line %q", a.key, a.line)
		}
	}
}
