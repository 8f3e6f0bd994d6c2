package test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestSIGTERMUnderLoad: what was answered 202 is there afterwards, and the daemon ends within its ten seconds.
func TestSIGTERMUnderLoad(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plan{more: strings.Replace(oneReader, never, now, 1)})
	accepted := map[int64]string{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	stopped := make(chan struct{})
	for s := range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := 0; ; i++ {
				select {
				case <-stopped:
					return
				default:
				}
				title := fmt.Sprintf("s%d-%d", s, i)
				a, err := h.post("/v1/items", bearer, fmt.Sprintf(`{"project": "p%d", "title": %q, "urgent": %t}`, s, title, i%20 == 0))
				if err != nil || a.code == 503 {
					continue // no promise was given
				}
				if a.code != 202 {
					t.Errorf("%d %s", a.code, a.text)
					return
				}
				mu.Lock()
				accepted[a.Items[0].Seq] = title
				mu.Unlock()
			}
		}()
	}
	for range 3 {
		time.Sleep(700 * time.Millisecond)
		h.stop()
		h.start()
	}
	close(stopped)
	wg.Wait()
	stored := map[int64]string{}
	for _, it := range h.items() {
		stored[it.Seq] = it.Title
	}
	for number, title := range accepted {
		if stored[number] != title {
			t.Errorf("item %d was accepted as %q and is %q", number, title, stored[number])
		}
	}
	t.Logf("%d items accepted over 3 restarts", len(accepted))
	if len(accepted) < 24 {
		t.Errorf("only %d items were accepted", len(accepted))
	}
}

// TestSIGHUP: a broken file changes nothing and is told; a good one is in force at once.
func TestSIGHUP(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plan{more: oneReader})
	h.reload(func(s string) string { return s }) // nothing changed is no fault
	good := ""
	try := func(change func(string) string, says string) {
		t.Helper()
		n := h.log.count("not reloaded, the old configuration stays in force")
		h.write("quietpost.yaml", change(good))
		h.hangup()
		h.eventually("the broken file is refused", func() bool {
			return h.log.count("not reloaded, the old configuration stays in force") > n
		})
		if h.log.count(says) == 0 {
			t.Errorf("the log does not say %q", says)
		}
		h.item(fmt.Sprintf(`{"project": "apollo", "title": "Still taken after %s"}`, says))
	}
	h.reload(func(s string) string { good = s; return s })
	try(func(s string) string { return s + "nonsense: 1\n" }, "nonsense")
	try(func(s string) string { return strings.Replace(s, "when-asked: \"0 0", "when-asked: \"0 77", 1) }, "77")
	try(func(s string) string { return strings.Replace(s, "tool.secret", "gone.secret", 1) }, "gone.secret")

	h.write("tool.secret", "new-secret\n")
	h.write("quietpost.yaml", good)
	h.reload(func(s string) string {
		return s + "  - {address: second@lab.test, schedule: when-asked}\n"
	})
	old, err := h.post("/v1/items", bearer, `{"project": "apollo", "title": "With the old secret"}`)
	h.must(err)
	renewed, err := h.post("/v1/items", map[string]string{"Authorization": "Bearer new-secret"}, `{"project": "apollo", "title": "With the new secret"}`)
	h.must(err)
	if old.code != 401 || renewed.code != 202 {
		t.Errorf("old secret %d, new secret %d %s", old.code, renewed.code, renewed.text)
	}
	h.cut()
	first, second := h.digests("reader", 1)[0], h.digests("second", 1)[0]
	if a, b := first.get("X-Quietpost-Window"), second.get("X-Quietpost-Window"); a != "1-4" || b != "4-4" {
		t.Errorf("windows %s and %s: a new reader begins at the newest number", a, b)
	}
}
