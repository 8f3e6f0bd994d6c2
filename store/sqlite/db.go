// Package sqlite keeps everything in one SQLite file: it is digest.Store on github.com/mattn/go-sqlite3.
//
// One goroutine writes and shares each commit's fsync among all who wait (writer.go); readers have connections of
// their own that cannot write. The methods stand in one file per part of digest.Store; migrations/ holds the schema.
package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/mattn/go-sqlite3"

	"quietpost/digest"
)

// Options of Open. The zero value is good for a daemon that holds Lock.
type Options struct {
	// NoMigrate refuses a file that is missing or older than this program instead of making or migrating it: for a
	// command that runs beside a daemon.
	NoMigrate bool

	// BusyTimeout is how long to wait while another process writes; 0 means five seconds.
	BusyTimeout time.Duration
}

// DB is a digest.Store in one SQLite file.
type DB struct {
	path   string
	write  *sql.DB // one connection, held by writer
	read   *sql.DB
	conn   *sql.Conn
	writer *writer
	codec  *codec
}

var _ digest.Store = (*DB)(nil)

// Version is the version of the SQLite library.
func Version() string {
	v, _, _ := sqlite3.Version()
	return v
}

// Open opens the database at path, makes it (0600, a missing folder 0700) and migrates it as needed. An existing
// older database is copied beside, to PATH.before-vN, before it is migrated; a newer one is refused.
func Open(ctx context.Context, path string, opts Options) (*DB, error) {
	db, err := open(ctx, path, opts, migrations())
	if err != nil {
		return nil, fmt.Errorf("database %s: %w", path, translate(err))
	}
	return db, nil
}

func open(ctx context.Context, path string, opts Options, steps fs.FS) (_ *DB, err error) {
	if path, err = filepath.Abs(path); err != nil {
		return nil, err
	}
	if err := makeFile(path, opts); err != nil {
		return nil, err
	}
	if opts.BusyTimeout <= 0 {
		opts.BusyTimeout = 5 * time.Second
	}
	db := &DB{path: path}
	defer func() {
		if err != nil {
			db.Close()
		}
	}()
	if db.codec, err = newCodec(); err != nil {
		return nil, err
	}
	kind := writing
	if info, err := os.Stat(path); err == nil && info.Size() == 0 {
		kind = making
	}
	db.write = sql.OpenDB(newConnector(path, opts.BusyTimeout, kind))
	db.write.SetMaxOpenConns(1)
	if err := check(ctx, db.write, opts.BusyTimeout, writing); err != nil {
		return nil, err
	}
	if err := migrate(ctx, db.write, path, steps, opts.NoMigrate); err != nil {
		return nil, err
	}
	db.read = sql.OpenDB(newConnector(path, opts.BusyTimeout, reading))
	db.read.SetMaxOpenConns(readers)
	db.read.SetMaxIdleConns(readers)
	if err := check(ctx, db.read, opts.BusyTimeout, reading); err != nil {
		return nil, err
	}
	if db.conn, err = db.write.Conn(ctx); err != nil {
		return nil, err
	}
	if db.writer, err = newWriter(ctx, db.conn); err != nil {
		return nil, err
	}
	return db, db.makeInstance(ctx)
}

// Close writes what waits and closes the file. Methods called afterwards give digest.ErrUnavailable.
func (db *DB) Close() error {
	var errs []error
	if db.writer != nil {
		db.writer.close()
	}
	if db.read != nil { // before the writer's, whose closing folds the WAL back into the file
		errs = append(errs, db.read.Close())
	}
	if db.conn != nil {
		if err := db.conn.Close(); !errors.Is(err, sql.ErrConnDone) {
			errs = append(errs, err)
		}
	}
	if db.write != nil {
		errs = append(errs, db.write.Close())
	}
	if db.codec != nil {
		db.codec.close()
	}
	return errors.Join(errs...)
}

// Backup writes a consistent copy to a new file of mode 0600 while the database is in use. An existing file is refused.
func (db *DB) Backup(ctx context.Context, path string) error {
	return copyFrom(ctx, newConnector(db.path, 5*time.Second, copying), path)
}

// Probe writes a page: it finds out whether the database can be written. It counts, since SQLite writes nothing where
// nothing changes.
func (db *DB) Probe(ctx context.Context) error {
	return db.writer.write(ctx, false, func(ctx context.Context, c *sql.Conn) error {
		return exec(ctx, c, "UPDATE instance SET probes = probes + 1")
	})
}

// Check reads the whole file and tells what is damaged in it.
func (db *DB) Check(ctx context.Context) error {
	var word string
	if err := db.read.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&word); err != nil {
		return translate(err)
	}
	if word != "ok" {
		return fmt.Errorf("database %s is damaged: %s: %w", db.path, word, digest.ErrUnavailable)
	}
	return nil
}

// makeFile makes the folder and an empty file, because SQLite would make it readable by others; its companions
// (-wal, -shm) get the mode of the file.
func makeFile(path string, opts Options) error {
	if opts.NoMigrate {
		if _, err := os.Stat(path); err != nil {
			return fmt.Errorf("%w; start the service first, it makes the database", err)
		}
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return createFile(path)
}

// createFile makes a file if it is not there. What root makes belongs to its folder's owner: a command that root runs before the service's first
// start must not lock the service out.
func createFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), giveToOwner(path))
}

// giveToOwner gives a file that root made to whom its folder belongs. SQLite does the same for the companions of a file.
func giveToOwner(path string) error {
	info, err := os.Stat(filepath.Dir(path))
	if err != nil || os.Geteuid() != 0 {
		return err
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return os.Chown(path, int(st.Uid), int(st.Gid))
	}
	return nil
}

// The kinds of connection.
type role int

const (
	writing role = iota
	making       // writing to a new file: only there auto_vacuum can be set, and where it is set again that is a write, which a full disk refuses
	reading
	copying      // reads only, but without query_only, which would forbid VACUUM INTO
	copyingAlone // and nobody else has the file open
)

const (
	readers        = 4     // connections; each has its own page cache
	writerCache    = -8000 // KiB
	readerCache    = -1000 // KiB
	autoCheckpoint = 4000  // pages of the WAL, 16 MB: fewer, larger checkpoints write hot pages once
)

// connector opens connections of one role without registering a driver.
type connector struct {
	dsn    string
	driver *sqlite3.SQLiteDriver
}

func (c connector) Connect(context.Context) (driver.Conn, error) { return c.driver.Open(c.dsn) }
func (c connector) Driver() driver.Driver                        { return c.driver }

func newConnector(path string, busy time.Duration, r role) connector {
	q := url.Values{}
	q.Set("_busy_timeout", strconv.FormatInt(busy.Milliseconds(), 10))
	q.Set("_stmt_cache_size", "64")
	c := connector{driver: &sqlite3.SQLiteDriver{}}
	switch r {
	case writing, making:
		if r == making {
			q.Set("_auto_vacuum", "incremental")
		}
		q.Set("_journal_mode", "WAL")
		q.Set("_synchronous", "FULL") // the driver's default NORMAL forgets commits at a power cut
		q.Set("_txlock", "immediate") // a deferred one that turns into a writer ignores busy_timeout
		q.Set("_foreign_keys", "on")
		q.Set("_cache_size", strconv.Itoa(writerCache))
		c.driver.ConnectHook = func(conn *sqlite3.SQLiteConn) error {
			// temp_store keeps the savepoints' journal in memory; the size limit shrinks the WAL again after a burst.
			_, err := conn.Exec(fmt.Sprintf("PRAGMA wal_autocheckpoint = %d; PRAGMA temp_store = MEMORY; "+
				"PRAGMA journal_size_limit = %d", autoCheckpoint, 64<<20), nil)
			return err
		}
	case reading:
		q.Set("mode", "ro")
		q.Set("_query_only", "true")
		q.Set("_cache_size", strconv.Itoa(readerCache))
	case copying, copyingAlone:
		q.Set("mode", "ro")
		if r == copyingAlone {
			q.Set("immutable", "1")
		}
	}
	u := url.URL{Scheme: "file", Path: path, RawQuery: q.Encode()}
	c.dsn = u.String()
	return c
}

// check reads the settings back, because the driver ignores a misspelt one, and some cannot be had on every file
// system or old file.
func check(ctx context.Context, db *sql.DB, busy time.Duration, r role) error {
	want := [][2]string{{"busy_timeout", strconv.FormatInt(busy.Milliseconds(), 10)}, {"journal_mode", "wal"}}
	switch r {
	case writing:
		want = append(want, [2]string{"synchronous", "2"}, [2]string{"foreign_keys", "1"}, [2]string{"auto_vacuum", "2"},
			[2]string{"temp_store", "2"}, [2]string{"wal_autocheckpoint", strconv.Itoa(autoCheckpoint)})
	case reading:
		want = append(want, [2]string{"query_only", "1"})
	}
	for _, w := range want {
		var got string
		if err := db.QueryRowContext(ctx, "PRAGMA "+w[0]).Scan(&got); err != nil {
			return err
		}
		if got != w[1] {
			return fmt.Errorf("SQLite's %s is %s and must be %s; was the file made by another program, or does it lie on a "+
				"network file system?", w[0], got, w[1])
		}
	}
	return nil
}

// querier is what reads run on: a connection, a transaction or the pool.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// exec runs a statement of which only the error matters.
func exec(ctx context.Context, c *sql.Conn, query string, args ...any) error {
	_, err := c.ExecContext(ctx, query, args...)
	return err
}

// changed runs a statement and tells how many rows it changed.
func changed(ctx context.Context, c *sql.Conn, query string, args ...any) (int64, error) {
	res, err := c.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// collect reads all rows with scan.
func collect[T any](ctx context.Context, q querier, scan func(*sql.Rows) (T, error), query string, args ...any) ([]T, error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, translate(err)
	}
	defer rows.Close()
	var out []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, translate(err)
		}
		out = append(out, v)
	}
	return out, translate(rows.Err())
}

// snapshot runs reads that must agree in one read transaction.
func (db *DB) snapshot(ctx context.Context, read func(q querier) error) error {
	tx, err := db.read.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return translate(err)
	}
	defer tx.Rollback()
	return translate(read(tx))
}
