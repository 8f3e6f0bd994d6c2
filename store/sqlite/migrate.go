package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/pressly/goose/v3"
)

//go:embed migrations/*.sql
var files embed.FS

// migrations are the embedded steps: 00001_….sql and so on.
func migrations() fs.FS {
	sub, _ := fs.Sub(files, "migrations") // fails only on a malformed name
	return sub
}

// ErrOlder says that a database is older than the program and was not to be migrated.
var ErrOlder = errors.New("restart the service with this version of quietpost, it brings the database up to date")

// migrate brings the database to the newest of the steps. An empty one is made; an older one is copied beside first.
func migrate(ctx context.Context, db *sql.DB, path string, steps fs.FS, never bool) error {
	unlock, err := lockFolder(filepath.Dir(path)) // two programs that start at once make one database
	if err != nil {
		return err
	}
	defer unlock()
	p, err := goose.NewProvider(goose.DialectSQLite3, db, steps, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return err
	}
	all := p.ListSources()
	target := all[len(all)-1].Version
	have, err := version(ctx, db)
	switch {
	case err != nil:
		return err
	case have > target:
		return fmt.Errorf("it is at version %d and this quietpost knows versions up to %d: a newer quietpost has migrated "+
			"it. Install that one again, or go back to the copy it made before, %s.before-v*", have, target, filepath.Base(path))
	case have == target:
		return nil
	case never:
		return fmt.Errorf("it is at version %d and this quietpost needs %d: %w", have, target, ErrOlder)
	case have > 0:
		if err := keepCopy(ctx, db, fmt.Sprintf("%s.before-v%d", path, target)); err != nil {
			return fmt.Errorf("copy before migrating to version %d: %w", target, err)
		}
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("migrate from version %d to %d (nothing is lost; the step that failed was undone): %w", have, target, err)
	}
	return nil
}

// version is the newest migration a database has seen; 0 for an empty one. It writes nothing, as goose's own would.
func version(ctx context.Context, db *sql.DB) (int64, error) {
	var v int64
	err := db.QueryRowContext(ctx, "SELECT coalesce(max(version_id), 0) FROM goose_db_version WHERE is_applied").Scan(&v)
	if err == nil || !strings.Contains(err.Error(), "no such table") {
		return v, err
	}
	var tables int
	err = db.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema").Scan(&tables)
	if err == nil && tables > 0 {
		err = errors.New("it is a database of another program; choose another file or folder")
	}
	return 0, err
}

// keepCopy writes a copy. One that is there from an attempt before is replaced, since the database has not changed its version since.
func keepCopy(ctx context.Context, db *sql.DB, path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return copyTo(ctx, db, path)
}

// Copy writes a consistent copy of the database at from to a new file, as DB.Backup does, and gives the highest number in it. It writes nothing
// beside from, so that it works where the disk is full or read-only, and for an older version's.
func Copy(ctx context.Context, from, to string) (highest int64, err error) {
	if _, err := os.Stat(from); err != nil {
		return 0, err
	}
	err = cloneTo(ctx, from, to)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		// Without a WAL all is in the file and nobody has it open; SQLite would make one, where it cannot.
		if _, gone := os.Stat(from + "-wal"); errors.Is(gone, fs.ErrNotExist) {
			err = copyFrom(ctx, newConnector(from, 5*time.Second, copyingAlone), to)
		}
	}
	if err != nil {
		return 0, err
	}
	db := sql.OpenDB(newConnector(to, 5*time.Second, copyingAlone))
	defer db.Close()
	return newest(ctx, db)
}

// copyTo writes a consistent copy of the database to a new file that only its owner can read, under another name first, so that a copy under its
// own is whole.
func copyTo(ctx context.Context, db *sql.DB, path string) error {
	if _, err := os.Lstat(path); err == nil {
		return &fs.PathError{Op: "copy", Path: path, Err: fs.ErrExist}
	}
	part := path + ".part"
	if err := os.Remove(part); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(part, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err = db.ExecContext(ctx, "VACUUM INTO ?", part); err == nil { // takes an empty file that is there
		err = f.Sync()
	}
	if err == nil {
		err = os.Rename(part, path)
	}
	if err != nil {
		os.Remove(part)
		return err
	}
	_ = syncFolder(filepath.Dir(path)) // not every network mount can
	return nil
}

// ErrLocked says that another daemon serves the database.
var ErrLocked = errors.New("another quietpost serves this database")

// Lock takes the database for a daemon, so that a second one refuses to start, and with it the right to free leases:
// there is one sender. It writes the process id into PATH.lock for people; the lock itself is the kernel's and ends with
// the process. ErrLocked if it is taken.
func Lock(path string) (release func(), err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	if err := createFile(path + ".lock"); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path+".lock", os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		defer f.Close()
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("lock %s: %w", f.Name(), err)
		}
		pid := make([]byte, 20)
		n, _ := f.Read(pid)
		return nil, fmt.Errorf("%w: %s is held by process %s; stop it first", ErrLocked, f.Name(), strings.TrimSpace(string(pid[:n])))
	}
	if err := f.Truncate(0); err == nil {
		fmt.Fprintln(f, os.Getpid())
	}
	return func() { f.Close() }, nil // the file stays: to remove it would let two hold locks on two files of one name
}

// lockFolder waits for the folder's lock.
func lockFolder(dir string) (unlock func(), err error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	for {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return func() { f.Close() }, nil
}
