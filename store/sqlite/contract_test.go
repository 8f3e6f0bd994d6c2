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

func TestModel(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty.db") // made once and copied, since migrating takes longer than a run
	if err := openAt(t, empty, Options{}).Close(); err != nil {
		t.Fatal(err)
	}
	made, err := os.ReadFile(empty)
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
