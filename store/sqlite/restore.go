package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"quietpost/digest"
)

// A Restored says what Restore did.
type Restored struct {
	Newest   int64     // the highest number of the copy
	LastAt   time.Time // when the copy's newest item was received; zero without items
	Replaced string    // where the database that was there lies now; empty if none was

	// TakenOver tells that the replaced database could be read and is of the same service: cursors, ledger, outbox,
	// people and marks are its own, and so are Later items that it had and the copy had not. Otherwise Why says why not.
	TakenOver bool
	Why       string
	Later     int64

	// Without it, numbers go on behind Jump, past any number the lost database may have given; all cursors stand there;
	// Dropped mails that waited in the copy are given up, because nobody knows whether they were delivered since. Unsent of the copy's items
	// some reader had not been served with when it was made, the oldest received at UnsentAt.
	Jump     int64
	Dropped  int64
	Unsent   int64
	UnsentAt time.Time
}

// fastest is the most items a second that a lost database is thought to have numbered since the copy was made.
const fastest = 1000

// Restore puts the copy that Backup made at from in the place of the database at path, which no process may use: the
// caller holds Lock. The copy itself is not changed. Until the last step, a rename, the database at path is as it was.
func Restore(ctx context.Context, path, from string, now time.Time) (r Restored, err error) {
	if path, err = filepath.Abs(path); err != nil {
		return r, err
	}
	next := path + ".restoring"
	defer removeAll(next)
	if err := removeAll(next); err != nil {
		return r, err
	}
	if err := errors.Join(cloneTo(ctx, from, next), giveToOwner(next)); err != nil {
		return r, fmt.Errorf("%s: %w", from, err)
	}
	db, err := Open(ctx, next, Options{}) // migrates an older copy
	if err != nil {
		return r, fmt.Errorf("%s: %w", from, err)
	}
	err = db.Check(ctx)
	if err == nil {
		err = db.replace(ctx, path, now, &r)
	}
	if err = errors.Join(err, db.Close()); err != nil {
		return r, fmt.Errorf("restore %s: %w", from, err)
	}
	removeAll(next + ".before-v") // a copy of a copy
	if r.Replaced, err = setAside(path, now); err != nil {
		return r, fmt.Errorf("keep the database that is there: %w", err)
	}
	if err := os.Rename(next, path); err != nil {
		return r, err
	}
	return r, syncFolder(filepath.Dir(path))
}

// replace makes of an opened copy what is to stand at path.
func (db *DB) replace(ctx context.Context, path string, now time.Time, r *Restored) error {
	err := db.read.QueryRowContext(ctx, "SELECT received_at FROM items ORDER BY number DESC LIMIT 1").Scan(instant{&r.LastAt})
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return translate(err)
	}
	if r.Newest, err = db.Newest(ctx); err != nil {
		return err
	}
	if r.Why, err = db.sameService(ctx, path); err != nil {
		return err
	}
	if r.Why != "" {
		return db.jump(ctx, now, r)
	}
	r.TakenOver = true
	return db.takeOver(ctx, path, r)
}

// sameService tells why the database at path cannot be taken over; it brings it to this program's version.
func (db *DB) sameService(ctx context.Context, path string) (why string, err error) {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return "there is none", nil
	}
	old, err := Open(ctx, path, Options{})
	if err != nil {
		return err.Error(), nil
	}
	defer closingInto(&err, old)
	if err := old.Check(ctx); err != nil {
		return err.Error(), nil
	}
	ours, err := db.InstanceKey(ctx)
	if err != nil {
		return "", err
	}
	theirs, err := old.InstanceKey(ctx)
	if err != nil {
		return err.Error(), nil
	}
	if string(ours) == string(theirs) {
		return "", nil
	}
	newest, err := old.Newest(ctx)
	if err != nil {
		return err.Error(), nil
	}
	if newest > 0 {
		return "", errors.New("the copy is of another quietpost than the database that is there; move that one away first, or name another data_dir")
	}
	return "it is new and empty", nil
}

// received are the sorts of sweeps over what a copy brings back.
const received = "'raw', 'items', 'receipts'"

// takeOver keeps of the copy what was received; all else, and what was received later, comes from the database at path.
func (db *DB) takeOver(ctx context.Context, path string, r *Restored) error {
	return db.alone(ctx, func(c *sql.Conn) error {
		if err := exec(ctx, c, "ATTACH ? AS old", path); err != nil {
			return err
		}
		// Tables are replaced one by one; both databases hold to their foreign keys, and so does what comes of them.
		if err := runAll(ctx, c, []string{"PRAGMA foreign_keys = OFF", "BEGIN IMMEDIATE"}); err != nil {
			return err
		}
		err := c.QueryRowContext(ctx, "SELECT count(*) FROM old.items WHERE number NOT IN (SELECT number FROM main.items)").Scan(&r.Later)
		if err != nil {
			return err
		}
		names, err := collect(ctx, c, func(rows *sql.Rows) (s string, err error) { return s, rows.Scan(&s) },
			`SELECT name FROM main.sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name <> 'goose_db_version'`)
		if err != nil {
			return err
		}
		var run []string
		for _, name := range names {
			switch name {
			case "receipts", "receipt_bytes", "items":
				run = append(run, "INSERT OR IGNORE INTO main."+name+" SELECT * FROM old."+name)
			case "counts":
			case "sweeps": // what the copy brings back is swept from where the copy was
				run = append(run, "DELETE FROM main.sweeps WHERE what NOT IN ("+received+")",
					"UPDATE main.sweeps SET up_to = min(up_to, coalesce((SELECT o.up_to FROM old.sweeps o WHERE o.what = sweeps.what), 0))",
					"INSERT INTO main.sweeps SELECT * FROM old.sweeps WHERE what NOT IN ("+received+")")
			default:
				run = append(run, "DELETE FROM main."+name, "INSERT INTO main."+name+" SELECT * FROM old."+name)
			}
		}
		run = append(run, // and it is not gone any more for who stood still
			`UPDATE main.swept SET items = items - (SELECT count(*) FROM main.items i WHERE i.number > after AND i.number <= swept.up_to
				AND i.project = swept.project AND i.kind = swept.kind)`,
			"DELETE FROM main.swept WHERE items <= 0")
		run = append(run, "DELETE FROM main.sqlite_sequence WHERE name NOT IN ('receipts', 'items')",
			"INSERT INTO main.sqlite_sequence SELECT name, seq FROM old.sqlite_sequence WHERE name NOT IN ('receipts', 'items')",
			"DELETE FROM counts",
			"INSERT INTO counts SELECT 'receipts', '', state, count(*) FROM receipts GROUP BY state",
			"INSERT INTO counts SELECT 'outbox', lane, state, count(*) FROM outbox GROUP BY lane, state")
		for _, name := range []string{"receipts", "items"} { // the last numbers given, whether or not their rows are still there
			run = append(run, "CREATE TEMP TABLE seqs AS SELECT max(seq) AS seq FROM (SELECT seq FROM main.sqlite_sequence WHERE name = '"+
				name+"' UNION ALL SELECT seq FROM old.sqlite_sequence WHERE name = '"+name+"')",
				"DELETE FROM main.sqlite_sequence WHERE name = '"+name+"'",
				"INSERT INTO main.sqlite_sequence (name, seq) SELECT '"+name+"', seq FROM seqs WHERE seq IS NOT NULL", "DROP TABLE seqs")
		}
		if err := runAll(ctx, c, run); err != nil {
			return err
		}
		var broken int
		if err := c.QueryRowContext(ctx, "SELECT count(*) FROM pragma_foreign_key_check").Scan(&broken); err != nil {
			return err
		}
		if broken > 0 {
			return fmt.Errorf("%d rows would point to none", broken)
		}
		return exec(ctx, c, "COMMIT")
	})
}

// jump lets the copy go on where nothing is known of what came after it.
func (db *DB) jump(ctx context.Context, now time.Time, r *Restored) error {
	since := time.Duration(0)
	if !r.LastAt.IsZero() {
		since = max(now.Sub(r.LastAt), 0)
	}
	r.Jump = r.Newest + max(1_000_000, int64(since/time.Second)*fastest)
	return db.alone(ctx, func(c *sql.Conn) (err error) {
		if err = exec(ctx, c, "BEGIN IMMEDIATE"); err != nil {
			return err
		}
		r.Dropped, err = changed(ctx, c, "UPDATE outbox SET state = ?, done_at = ?, answer = ? WHERE state IN (?, ?)",
			digest.Failed, at(now), "given up: restored from a copy, and it may have been delivered since", digest.Queued, digest.Sending)
		if err != nil {
			return err
		}
		err = c.QueryRowContext(ctx, `SELECT count(*), min(received_at) FROM items WHERE number > (SELECT min(cursor) FROM subscriptions
			WHERE NOT ended AND subscriber IN (SELECT id FROM subscribers WHERE state <> ?))`, digest.Left).Scan(&r.Unsent, instant{&r.UnsentAt})
		if err != nil {
			return err
		}
		to := strconv.FormatInt(r.Jump, 10)
		return runAll(ctx, c, []string{"DELETE FROM sqlite_sequence WHERE name = 'items'",
			// The others too: an alert's Message-ID is made from its incident's.
			"UPDATE sqlite_sequence SET seq = seq + " + to,
			"INSERT INTO sqlite_sequence (name, seq) VALUES ('items', " + to + ")",
			"INSERT INTO sqlite_sequence (name, seq) SELECT 'incidents', " + to +
				" WHERE NOT EXISTS (SELECT * FROM sqlite_sequence WHERE name = 'incidents')",
			"UPDATE subscriptions SET cursor = " + to + ", mailed_to = " + to,
			"UPDATE incidents SET settled = last", "DELETE FROM outbox_bytes", "COMMIT"})
	})
}

// alone runs fn on a writing connection of its own, beside a writer that has nothing to do.
func (db *DB) alone(ctx context.Context, fn func(*sql.Conn) error) error {
	pool := sql.OpenDB(newConnector(db.path, 5*time.Second, writing))
	defer pool.Close()
	c, err := pool.Conn(ctx)
	if err != nil {
		return translate(err)
	}
	defer c.Close()
	return translate(fn(c))
}

func runAll(ctx context.Context, c *sql.Conn, statements []string) error {
	for _, s := range statements {
		if err := exec(ctx, c, s); err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
	}
	return nil
}

// cloneTo copies a database file, with what its WAL holds, to a new one.
func cloneTo(ctx context.Context, from, to string) error {
	if _, err := os.Stat(from); err != nil {
		return err
	}
	return copyFrom(ctx, newConnector(from, 5*time.Second, copying), to)
}

func copyFrom(ctx context.Context, from connector, to string) error {
	src := sql.OpenDB(from)
	defer src.Close()
	return translate(copyTo(ctx, src, to))
}

// setAside gives the database at path a second name, PATH.replaced-TIME, and removes what belongs to the first name alone.
// A WAL must not outlive the file it belongs to: SQLite would play it into the next.
func setAside(path string, now time.Time) (string, error) {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	kept := path + ".replaced-" + now.UTC().Format("20060102T150405Z")
	if err := os.Link(path, kept); err != nil {
		return "", err
	}
	for _, part := range []string{"-wal", "-shm"} {
		if err := os.Rename(path+part, kept+part); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	return kept, syncFolder(filepath.Dir(path))
}

// removeAll removes a database file and its companions, and whatever begins with the name.
func removeAll(path string) error {
	names, err := filepath.Glob(strings.NewReplacer("*", `\*`, "?", `\?`, "[", `\[`, `\`, `\\`).Replace(path) + "*")
	for _, name := range names {
		err = errors.Join(err, os.Remove(name))
	}
	return err
}

func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

func closingInto(err *error, db *DB) { *err = errors.Join(*err, db.Close()) }
