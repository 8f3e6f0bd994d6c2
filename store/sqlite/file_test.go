package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"quietpost/digest"
)

func TestNewerSchemaIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "q.db")
	db := openAt(t, path, Options{})
	err := db.writer.write(t.Context(), false, func(ctx context.Context, c *sql.Conn) error {
		return exec(ctx, c, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, 1)")
	})
	if err != nil {
		t.Fatal(err)
	}
	db.Close()
	before := read(t, path)
	if _, err := Open(t.Context(), path, Options{}); err == nil || !strings.Contains(err.Error(), "version 99") {
		t.Errorf("opening a newer database: %v", err)
	}
	after := read(t, path)
	copy(after[24:28], before[24:28]) // the change counter and its copy (sqlite.org/fileformat2.html, 1.3.7 and 1.3.22)
	copy(after[92:96], before[92:96])
	if string(after) != string(before) {
		t.Error("the refused file was changed")
	}
}

// An older database is copied, then migrated; a step that fails undoes itself and says so.
func TestMigration(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "q.db")
	first := openAt(t, path, Options{})
	if _, err := first.AddItems(t.Context(), delivery("old")); err != nil {
		t.Fatal(err)
	}
	first.Close()

	steps := func(sql string) fs.FS {
		out := fstest.MapFS{"00002_next.sql": {Data: []byte("-- +goose Up\n" + sql)}}
		err := fs.WalkDir(migrations(), ".", func(name string, e fs.DirEntry, err error) error {
			if err == nil && !e.IsDir() {
				data, _ := fs.ReadFile(migrations(), name)
				out[name] = &fstest.MapFile{Data: data}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	if _, err := open(t.Context(), path, Options{NoMigrate: true}, steps("ALTER TABLE items ADD mood TEXT;")); !errors.Is(err, ErrOlder) {
		t.Errorf("a command beside the daemon: %v, want ErrOlder", err)
	}
	if _, err := open(t.Context(), path, Options{}, steps("ALTER TABLE items ADD mood TEXT; ALTER TABLE nothing ADD x TEXT;")); err == nil {
		t.Error("a step that fails was taken for good")
	}
	db, err := open(t.Context(), path, Options{}, steps("ALTER TABLE items ADD mood TEXT;"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if got := numbers(t, db); len(got) != 1 {
		t.Errorf("items after migrating: %v", got)
	}
	old := filepath.Join(dir, "q.db.before-v2")
	if fi, err := os.Stat(old); err != nil || fi.Mode().Perm() != 0o600 {
		t.Fatalf("the copy made before: %v, %v", fi, err)
	}
	if got := numbers(t, openAt(t, old, Options{NoMigrate: true})); len(got) != 1 {
		t.Errorf("items in the copy made before: %v", got)
	}
}

// What root's commands make in the service's folder, the service's user has to open.
func TestRootsFilesAreTheServices(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("LEFT OUT: only root can give files to another user; run make test as root")
	}
	dir := t.TempDir()
	const user = 12345
	if err := os.Chown(dir, user, user); err != nil {
		t.Fatal(err)
	}
	path, copied := filepath.Join(dir, "q.db"), filepath.Join(t.TempDir(), "copy.db")
	release, err := Lock(path)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	db := openAt(t, path, Options{})
	if err := db.Backup(t.Context(), copied); err != nil {
		t.Fatal(err)
	}
	owned := func(when string) {
		t.Helper()
		files, err := filepath.Glob(path + "*")
		if err != nil || len(files) < 2 {
			t.Fatalf("%s: %v, %v", when, files, err)
		}
		for _, f := range files {
			info, err := os.Stat(f)
			if err != nil {
				t.Fatal(err)
			}
			if st := info.Sys().(*syscall.Stat_t); st.Uid != user || st.Gid != user {
				t.Errorf("%s: %s belongs to %d:%d", when, filepath.Base(f), st.Uid, st.Gid)
			}
		}
	}
	owned("made")
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Restore(t.Context(), path, copied, time.UnixMilli(0)); err != nil {
		t.Fatal(err)
	}
	owned("restored")
}

func TestForeignFileIsRefused(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "other.db")
	other := sql.OpenDB(newConnector(path, 0, writing))
	if _, err := other.Exec("CREATE TABLE theirs (x)"); err != nil {
		t.Fatal(err)
	}
	other.Close()
	if _, err := Open(t.Context(), path, Options{}); err == nil || !strings.Contains(err.Error(), "another program") {
		t.Errorf("another program's database: %v", err)
	}
	text := filepath.Join(dir, "text.db")
	if err := os.WriteFile(text, []byte(strings.Repeat("no database\n", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), text, Options{}); !errors.Is(err, digest.ErrUnavailable) {
		t.Errorf("a file that is no database: %v", err)
	}
	if _, err := Open(t.Context(), filepath.Join(dir, "missing.db"), Options{NoMigrate: true}); err == nil {
		t.Error("a command made a database that was not there")
	}
}

func TestFilesAreTheOwnersAlone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "folder")
	db := openAt(t, filepath.Join(dir, "q.db"), Options{})
	if _, err := db.AddItems(t.Context(), delivery("k")); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]fs.FileMode{"": 0o700, "q.db": 0o600, "q.db-wal": 0o600, "q.db-shm": 0o600} {
		if fi, err := os.Stat(filepath.Join(dir, name)); err != nil || fi.Mode().Perm() != want {
			t.Errorf("%q: %v, %v; want %o", name, fi.Mode().Perm(), err, want)
		}
	}
}

func TestSecondDaemonIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "q.db")
	release, err := Lock(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Lock(path); !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), fmt.Sprint(os.Getpid())) {
		t.Errorf("a second daemon: %v", err)
	}
	release()
	again, err := Lock(path)
	if err != nil {
		t.Fatal(err)
	}
	again()
}

// A copy taken while others write is whole: its newest number and its items agree, and it opens by itself.
func TestBackupWhileWriting(t *testing.T) {
	dir := t.TempDir()
	db := openAt(t, filepath.Join(dir, "q.db"), Options{})
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				db.AddItems(context.Background(), delivery(fmt.Sprintf("%d-%d", w, i)))
			}
		})
	}
	defer wg.Wait()
	defer stop()
	for i := range 5 {
		path := filepath.Join(dir, fmt.Sprintf("copy%d.db", i))
		if err := db.Backup(t.Context(), path); err != nil {
			t.Fatal(err)
		}
		if err := db.Backup(t.Context(), path); !errors.Is(err, fs.ErrExist) {
			t.Errorf("over a file that is there: %v", err)
		}
		c := openAt(t, path, Options{NoMigrate: true})
		if err := c.Check(t.Context()); err != nil {
			t.Error(err)
		}
		newest, err := c.Newest(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got := numbers(t, c); int64(len(got)) != newest {
			t.Errorf("copy %d: %d items, newest number %d", i, len(got), newest)
		}
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
