package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"quietpost/digest"
	"quietpost/store/sqlite"
)

// probeHouse tries what is on this machine: the folder, the database, the clock.
func probeHouse(ctx context.Context, e *env, cfg *loaded) (out []finding) {
	free, err := freeSpace(cfg.dataDir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		out = append(out, finding{Probe: "disk", OK: true, Text: cfg.dataDir + " is not there yet; the service makes it"})
		return append(out, probeClock(time.Time{}, e.now()))
	case err != nil:
		out = append(out, finding{Probe: "disk", Text: err.Error(), Do: "run doctor as root, or as the user the service runs as"})
	case free < 256<<20:
		out = append(out, finding{Probe: "disk", Text: fmt.Sprintf("%d MiB are free in %s", free>>20, cfg.dataDir),
			Do: "make room; when there is none, what is posted is refused until there is"})
	default:
		out = append(out, finding{Probe: "disk", OK: true, Text: fmt.Sprintf("%.1f GiB are free in %s", float64(free)/(1<<30), cfg.dataDir)})
	}
	f, newest := probeDatabase(ctx, filepath.Join(cfg.dataDir, "quietpost.db"))
	return append(out, f, probeClock(newest, e.now()))
}

func freeSpace(dir string) (int64, error) {
	if _, err := os.Stat(dir); err != nil {
		return 0, err
	}
	var s unix.Statfs_t
	err := unix.Statfs(dir, &s)
	return int64(s.Bavail) * s.Bsize, err
}

// probeDatabase reads the whole file, and tells when its newest item was received.
func probeDatabase(ctx context.Context, path string) (f finding, newest time.Time) {
	f = finding{Probe: "database"}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return finding{Probe: "database", OK: true, Text: path + " is not there yet; the service makes it"}, newest
	}
	var db *sqlite.DB
	if err == nil {
		db, err = sqlite.Open(ctx, path, sqlite.Options{NoMigrate: true})
	}
	if err != nil {
		f.Text = err.Error()
		switch f.Do = "run doctor as root, or as the user the service runs as"; {
		case errors.Is(err, sqlite.ErrOlder):
			f.Do = "start the service with this version"
		case errors.Is(err, digest.ErrUnavailable):
			f.Do = "make room on the disk, or mend it"
		}
		return f, newest
	}
	defer db.Close()
	if err := db.Check(ctx); err != nil {
		f.Text, f.Do = err.Error(), "stop the service and put the last backup in its place: quietpost restore FILE"
		return f, newest
	}
	n, err := db.Newest(ctx)
	if err != nil {
		f.Text = err.Error()
		return f, newest
	}
	if it, err := db.Item(ctx, n); err == nil {
		newest = it.ReceivedAt
	}
	f.OK, f.Text = true, fmt.Sprintf("%s is sound: %d MiB, newest item number %d", path, info.Size()>>20, n)
	return f, newest
}

// probeClock says whether the clock can be right: what was received lies behind it.
func probeClock(newest, now time.Time) finding {
	if newest.Sub(now) > time.Hour {
		return finding{Probe: "clock", Text: fmt.Sprintf("it says %s, but the newest item came at %s", now.UTC().Format(time.RFC3339), newest.UTC().Format(time.RFC3339)),
			Do: "set the clock, and have it kept right: timedatectl set-ntp true"}
	}
	text := now.UTC().Format(time.RFC3339)
	var t unix.Timex
	if state, err := unix.Adjtimex(&t); err == nil && state == unix.TIME_ERROR {
		text += "; the kernel does not know it to be kept right (timedatectl set-ntp true would)"
	}
	return finding{Probe: "clock", OK: true, Text: text}
}

// probePages asks at base_url for the service, as a link in a mail would.
func probePages(ctx context.Context, e *env, cfg *loaded) []finding {
	f := finding{Probe: "base_url"}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, cfg.BaseURL+"/healthz", nil)
	if err != nil {
		return []finding{{Probe: "base_url", Text: err.Error(), Do: "correct base_url in the configuration"}}
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		f.Text = fmt.Sprintf("nothing answers at %s: %v", cfg.BaseURL, err)
		f.Do = "start the service; if it runs, base_url has to lead to http.listen (" + cfg.HTTP.Listen + "), by a reverse proxy for instance"
		return []finding{f}
	}
	defer resp.Body.Close()
	io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<20))
	switch {
	case resp.StatusCode != http.StatusOK:
		f.Text = fmt.Sprintf("%s/healthz answers %s", cfg.BaseURL, resp.Status)
		f.Do = "lead base_url to http.listen (" + cfg.HTTP.Listen + "), with the path as it is"
	case strings.HasPrefix(cfg.BaseURL, "https://"):
		f.OK, f.Text = true, cfg.BaseURL+" answers"
	default:
		f.OK, f.Text = true, cfg.BaseURL+" answers; mail programs show their button to leave only with https"
	}
	return []finding{f}
}
