// Package bench measures what the whole house does, beside what the machine could do at best, in one run on the same
// disk: the ratios mean something elsewhere, the numbers only here.
package bench

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	_ "github.com/mattn/go-sqlite3"

	"quietpost/collector/webhook"
	"quietpost/digest"
	"quietpost/store/sqlite"
)

// BenchmarkIntake measures webhooks that are accepted, on disk, a second: 1.5 KB of JSON each, distinct, over
// connections that are kept open. Beside it stand a handler that decodes and stores nothing, and rows of the same size
// that SQLite commits one by one. In each round the three take turns; the ratios are medians over the rounds.
func BenchmarkIntake(b *testing.B) {
	for _, senders := range []int{16, 64} {
		b.Run(fmt.Sprintf("senders=%d", senders), func(b *testing.B) {
			dir := diskDir(b)
			bare := serveOn(b, http.HandlerFunc(storesNothing))
			durable := serveOn(b, door(b, dir))
			plain := plainSQLite(b, dir)
			var nothing, kept, rows, toNothing, toRows, cpuNothing, cpuKept []float64
			for b.Loop() {
				for range 5 {
					n, nc := load(b, bare, senders)
					k, kc := load(b, durable, senders)
					r := plain()
					nothing, kept, rows = append(nothing, n), append(kept, k), append(rows, r)
					toNothing, toRows = append(toNothing, k/n), append(toRows, k/r)
					cpuNothing, cpuKept = append(cpuNothing, nc), append(cpuKept, kc)
				}
			}
			b.ReportMetric(0, "ns/op") // a round is as long as it is meant to be
			b.ReportMetric(median(nothing), "bare/s")
			b.ReportMetric(median(kept), "kept/s")
			b.ReportMetric(median(rows), "rows/s")
			b.ReportMetric(median(toNothing), "kept:bare")
			b.ReportMetric(median(toRows), "kept:rows")
			b.ReportMetric(median(cpuNothing), "cpu-us/bare") // with the sender's own, which is the same for both
			b.ReportMetric(median(cpuKept), "cpu-us/kept")
		})
	}
}

// turn is how long each of the three works in a round.
const turn = 700 * time.Millisecond

func median(v []float64) float64 {
	slices.Sort(v)
	return v[len(v)/2]
}

// diskDir is a folder on a real disk: where files live in memory, a commit costs nothing and the figures lie.
func diskDir(b testing.TB) string {
	b.Helper()
	const tmpfs = 0x01021994 // TMPFS_MAGIC, statfs(2)
	for _, parent := range []string{os.TempDir(), "."} {
		var fs syscall.Statfs_t
		if err := syscall.Statfs(parent, &fs); err != nil || fs.Type == tmpfs {
			continue
		}
		dir, err := os.MkdirTemp(parent, "quietpost-bench")
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { os.RemoveAll(dir) })
		return dir
	}
	b.Skip("LEFT OUT: neither the folder of temporary files nor this one is on a disk; set TMPDIR")
	return ""
}

func serveOn(b *testing.B, h http.Handler) string {
	b.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute}
	go srv.Serve(ln)
	b.Cleanup(func() { srv.Close() })
	return ln.Addr().String()
}

// storesNothing is the least that a door could do.
func storesNothing(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var v map[string]any
	if err != nil || json.Unmarshal(body, &v) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusAccepted)
	_, _ = io.WriteString(w, `{"status":"accepted"}`+"\n")
}

// door is the house's own, wired as serve wires it.
func door(b *testing.B, dir string) http.Handler {
	b.Helper()
	store, err := sqlite.Open(context.Background(), filepath.Join(dir, "quietpost.db"), sqlite.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { store.Close() })
	intake := &digest.Intake{Store: store}
	if err := intake.SetPolicy(context.Background(), digest.NewPolicy(digest.Policy{})); err != nil {
		b.Fatal(err)
	}
	h := webhook.New(webhook.Options{Intake: intake, Now: time.Now})
	h.SetSources([]webhook.Source{{Name: "tool", Type: "generic", Secrets: [][]byte{[]byte(secret)}}})
	return h
}

const secret = "a-secret-of-usual-length"

// plainSQLite commits rows of the size of a delivery one by one, as durable as the house does.
func plainSQLite(b *testing.B, dir string) func() float64 {
	b.Helper()
	db, err := sql.Open("sqlite3", "file:"+filepath.Join(dir, "plain.db")+"?_journal_mode=WAL&_synchronous=FULL")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { db.Close() })
	db.SetMaxOpenConns(1)
	if _, err := db.Exec("CREATE TABLE rows (id INTEGER PRIMARY KEY AUTOINCREMENT, body TEXT NOT NULL)"); err != nil {
		b.Fatal(err)
	}
	insert, err := db.Prepare("INSERT INTO rows (body) VALUES (?)")
	if err != nil {
		b.Fatal(err)
	}
	n := 0
	return func() float64 {
		begin, count := time.Now(), 0
		for ; time.Since(begin) < turn; count++ {
			n++
			if _, err := insert.Exec(delivery(n)); err != nil {
				b.Fatal(err)
			}
		}
		return float64(count) / time.Since(begin).Seconds()
	}
}

// delivery is 1.5 KB of JSON as a tool would post it.
func delivery(n int) string {
	return fmt.Sprintf(`{"id": "delivery-%09d", "project": "apollo", "event": "build.finished", "state": "failed", "title": "Build %d of main failed",
"url": "https://ci.example.com/apollo/builds/%d", "author": "ana", "body": %q}`, n, n, n,
		strings.Repeat("TestExport timed out after 10m0s while it waited for a lock that nobody held. ", 16))
}

var serial atomic.Int64

// load posts for a turn from so many senders at once, each over one connection, and gives the answers 202 a second and
// the microseconds of processor time that each took. A sender is as cheap as one can be, because it shares the machine
// with what is measured.
func load(b *testing.B, addr string, senders int) (rate, cpu float64) {
	b.Helper()
	var wg sync.WaitGroup
	var accepted atomic.Int64
	errs := make(chan error, senders)
	begin, used := time.Now(), processor(b)
	for range senders {
		wg.Add(1)
		go func() {
			defer wg.Done()
			n, err := sender(addr, begin.Add(turn))
			accepted.Add(n)
			if err != nil {
				errs <- err
			}
		}()
	}
	wg.Wait()
	took := time.Since(begin).Seconds()
	close(errs)
	for err := range errs {
		b.Fatal(err)
	}
	return float64(accepted.Load()) / took, (processor(b) - used) / float64(accepted.Load())
}

// processor is the processor time of this process so far in microseconds. It moves less than rates do where a machine
// is shared.
func processor(b *testing.B) float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1000
}

func sender(addr string, end time.Time) (accepted int64, err error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	r, w := bufio.NewReader(conn), bufio.NewWriterSize(conn, 8<<10)
	rest := delivery(0)
	rest = rest[strings.Index(rest, ","):]
	for time.Now().Before(end) {
		body := fmt.Sprintf(`{"id": "delivery-%09d"`, serial.Add(1)) + rest
		fmt.Fprintf(w, "POST /hooks/tool HTTP/1.1\r\nHost: bench\r\nUser-Agent: bench\r\nContent-Type: application/json\r\n"+
			"Authorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s", secret, len(body), body)
		if err := w.Flush(); err != nil {
			return accepted, err
		}
		if err := answered(r); err != nil {
			return accepted, err
		}
		accepted++
	}
	return accepted, nil
}

// answered reads one answer, which must be a 202.
func answered(r *bufio.Reader) error {
	status, err := r.ReadString('\n')
	if err != nil {
		return err
	}
	length := -1
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return err
		}
		if len(line) <= 2 {
			break
		}
		if name, value, _ := strings.Cut(string(line), ":"); strings.EqualFold(name, "Content-Length") {
			if length, err = strconv.Atoi(strings.TrimSpace(value)); err != nil {
				return err
			}
		}
	}
	if length < 0 {
		return errors.New("an answer without Content-Length")
	}
	if _, err := r.Discard(length); err != nil {
		return err
	}
	if !strings.HasPrefix(status, "HTTP/1.1 202") {
		return fmt.Errorf("answered %q", strings.TrimSpace(status))
	}
	return nil
}
