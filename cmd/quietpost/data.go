package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"quietpost/config"
	"quietpost/digest"
	"quietpost/store/sqlite"
)

// open opens the database of the configuration; the daemon may run beside, also an older one: only the daemon converts a database.
func (e *env) open() (*sqlite.DB, *config.Config, error) {
	cfg, err := e.read()
	if err != nil {
		return nil, nil, err
	}
	dir, err := resolve(cfg.DataDir)
	if err != nil {
		return nil, nil, fmt.Errorf("data_dir: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, nil, fmt.Errorf("data_dir: %w", err)
	}
	path := filepath.Join(dir, "quietpost.db")
	_, err = os.Stat(path)
	db, err := sqlite.Open(e.ctx, path, sqlite.Options{NoMigrate: err == nil})
	return db, cfg, err
}

// with runs fn on the database and closes it.
func (e *env) with(fn func(context.Context, *sqlite.DB, *config.Config) error) (err error) {
	db, cfg, err := e.open()
	if err != nil {
		return err
	}
	defer closing(&err, db.Close)
	return fn(e.ctx, db, cfg)
}

// print prints rows as a table, or as a JSON array of their values.
func (e *env) print(values any, head string, rows []string) error {
	if e.json {
		enc := json.NewEncoder(e.stdout)
		enc.SetIndent("", "  ")
		return enc.Encode(values)
	}
	if len(rows) == 0 {
		fmt.Fprintln(e.stdout, "nothing yet")
		return nil
	}
	w := tabwriter.NewWriter(e.stdout, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, head)
	for _, r := range rows {
		fmt.Fprintln(w, r)
	}
	return w.Flush()
}

// counted is a number with its noun: "1 inbox", "2 inboxes".
func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// zone is a person's zone, else the service's.
func zone(name string, def *time.Location) *time.Location {
	if name == "" {
		return def
	}
	if loc, err := time.LoadLocation(name); err == nil {
		return loc
	}
	return def
}

// stamp prints an instant in the service's zone; "-" for none.
func stamp(t time.Time, loc *time.Location) string {
	if t.IsZero() {
		return "-"
	}
	return t.In(loc).Format("2006-01-02 15:04:05 MST")
}

// rfc3339 prints an instant for programs; nil for none.
func rfc3339(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	s := t.UTC().Format(time.RFC3339)
	return &s
}

// first is what an error says before the words of its kind, which tell a person nothing.
func first(err error) string {
	return strings.TrimSuffix(err.Error(), ": "+digest.ErrConflict.Error())
}
