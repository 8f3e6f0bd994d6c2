package main

import (
	"bytes"
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"quietpost/cmd/quietpost/demo"
)

// demoEnv is an environment for the demo, on the real clock: it speaks to real sockets.
func demoEnv(ctx context.Context) (e *env, out, errs *journal) {
	out, errs = &journal{}, &journal{}
	return &env{ctx: ctx, stdin: strings.NewReader(""), stdout: out, stderr: errs, getenv: func(string) string { return "" },
		now: time.Now, tick: testTick, shipped: testTools}, out, errs
}

func TestDemoOnce(t *testing.T) {
	t.Parallel()
	e, out, errs := demoEnv(t.Context())
	if code := run(e, []string{"demo", "--once", "--listen", "127.0.0.1:0"}); code != 0 {
		t.Fatalf("exit status %d\n%s\n%s", code, errs.String(), out.String())
	}
	for _, want := range []string{"alert for Ana <ana@example.com>", "Subject: [urgent] Apollo: Checkout fails for one customer in five",
		"Subject: [resolved] Apollo: Checkout works again: no errors for five minutes",
		"digest for Ana <ana@example.com>", "digest for Ben <ben@example.com>", "Needs an answer"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in what it prints:\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "alert for Ben") {
		t.Error("Ben wants no alerts and got one")
	}
}

// An alert that does not arrive is told, by exit status 1 and by name.
func TestDemoOnceWithoutTheAlert(t *testing.T) {
	t.Parallel()
	e, out, errs := demoEnv(t.Context())
	o := demo.Options{Dir: t.TempDir(), Listen: "127.0.0.1:0", Out: out, Wait: 12 * time.Second, Refuse: func(to string, raw []byte) string {
		if bytes.Contains(raw, []byte("\r\nSubject: [urgent]")) {
			return "no alerts here"
		}
		return ""
	}}
	if code := e.status((&demoCmd{Once: true}).run(e, o)); code != 1 {
		t.Errorf("exit status %d, want 1\n%s", code, out.String())
	}
	for _, want := range []string{`did not arrive: alert for Ana: "Checkout fails for one customer in five"`, "no alerts here"} {
		if !strings.Contains(errs.String(), want) {
			t.Errorf("%q is not in what it says:\n%s", want, errs.String())
		}
	}
}

func TestDemoEndsCleanly(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	ctx, cancel := context.WithCancel(t.Context())
	e, out, errs := demoEnv(ctx)
	ended := make(chan int, 1)
	go func() { ended <- run(e, []string{"demo", "--listen", "127.0.0.1:0"}) }()
	for deadline := time.Now().Add(30 * time.Second); !strings.Contains(out.String(), "The story is posted"); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the story is never told:\n%s%s", out.String(), errs.String())
		}
	}
	for _, want := range []string{"http://127.0.0.1:", "/hooks/", "curl ", "Ctrl-C"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in its first lines:\n%s", want, out.String())
		}
	}
	cancel()
	select {
	case code := <-ended:
		if code != 0 {
			t.Errorf("exit status %d: %s", code, errs.String())
		}
	case <-time.After(30 * time.Second):
		t.Fatal("it does not end")
	}
	if left, err := os.ReadDir(tmp); err != nil || len(left) > 0 {
		t.Errorf("it leaves %v behind (%v)", left, err)
	}
}
