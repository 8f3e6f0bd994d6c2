package sqlite

import (
	"os"
	"path/filepath"
	"testing"

	"quietpost/digest"
	"quietpost/store/storetest"
)

func TestContract(t *testing.T) { storetest.Run(t, openStore) }

func openStore(t *testing.T) digest.Store {
	return reopenable{openAt(t, filepath.Join(t.TempDir(), "quietpost.db"), Options{})}
}

// openAt opens a database that is closed with the test.
func openAt(t testing.TB, path string, opts Options) *DB {
	t.Helper()
	db, err := Open(t.Context(), path, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

type reopenable struct{ *DB }

func (r reopenable) Reopen(t *testing.T) digest.Store { return openAt(t, r.path, Options{}) }

// emptyFile is a new database. It is made once and copied, since migrating takes longer than a run.
func emptyFile(t *testing.T) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "empty.db")
	if err := openAt(t, path, Options{}).Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestModel(t *testing.T) {
	made, err := os.ReadFile(emptyFile(t))
	if err != nil {
		t.Fatal(err)
	}
	storetest.Model(t, func(t *testing.T) digest.Store {
		path := filepath.Join(t.TempDir(), "quietpost.db")
		if err := os.WriteFile(path, made, 0o600); err != nil {
			t.Fatal(err)
		}
		db, err := Open(t.Context(), path, Options{})
		if err != nil {
			t.Fatal(err)
		}
		return db
	})
}

// A dying is a database whose processes die: the next one finds the file and its WAL as they are.
type dying struct {
	t    *testing.T
	path string
	db   *DB
}

// Next implements storetest.Survivor. Nothing of the dead one runs any more, so that its files are as a kill leaves them
// when they are copied; its connections are closed behind it.
func (d *dying) Next() digest.Store {
	next := filepath.Join(d.t.TempDir(), "quietpost.db")
	for _, end := range []string{"", "-wal"} {
		raw, err := os.ReadFile(d.path + end)
		if err != nil && !(end != "" && os.IsNotExist(err)) {
			d.t.Fatal(err)
		}
		if err := os.WriteFile(next+end, raw, 0o600); err != nil {
			d.t.Fatal(err)
		}
	}
	if d.db != nil {
		if err := d.db.Close(); err != nil {
			d.t.Fatal(err)
		}
	}
	d.path = next
	d.db = openAt(d.t, next, Options{})
	return d.db
}

func TestKills(t *testing.T) {
	if _, err := os.Stat("/dev/shm"); err == nil { // what a kill leaves does not hang on the disk, but time does
		t.Setenv("TMPDIR", "/dev/shm")
	}
	path := emptyFile(t)
	storetest.Kills(t, func(t *testing.T) storetest.Survivor { return &dying{t: t, path: path} }, false)
}
