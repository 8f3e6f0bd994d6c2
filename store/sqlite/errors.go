package sqlite

import (
	"database/sql"
	"errors"
	"fmt"

	"github.com/mattn/go-sqlite3"

	"quietpost/digest"
)

var errClosed = fmt.Errorf("the database is closed: %w", digest.ErrUnavailable)

// unavailable are the result codes by which SQLite says that file or disk are at fault and not the statement
// (sqlite.org/rescode.html).
func isUnavailable(code sqlite3.ErrNo) bool {
	switch code {
	case sqlite3.ErrFull, sqlite3.ErrIoErr, sqlite3.ErrReadonly, sqlite3.ErrBusy, sqlite3.ErrLocked, sqlite3.ErrCorrupt,
		sqlite3.ErrNotADB, sqlite3.ErrCantOpen, sqlite3.ErrNomem, sqlite3.ErrProtocol, sqlite3.ErrPerm:
		return true
	}
	return false
}

// translate gives the driver's errors the domain's kinds; the driver's words stay.
func translate(err error) error {
	var se sqlite3.Error
	switch {
	case err == nil || errors.Is(err, digest.ErrUnavailable):
		return err
	case errors.As(err, &se) && isUnavailable(se.Code):
		return unavailable(err)
	case err.Error() == "sql: database is closed" || errors.Is(err, sql.ErrConnDone):
		return errClosed
	}
	return err
}

func unavailable(err error) error {
	if errors.Is(err, digest.ErrUnavailable) {
		return err
	}
	return fmt.Errorf("%w: %w", digest.ErrUnavailable, err)
}

// isUnique tells whether a UNIQUE or PRIMARY KEY constraint refused the row.
func isUnique(err error) bool {
	var se sqlite3.Error
	return errors.As(err, &se) &&
		(se.ExtendedCode == sqlite3.ErrConstraintUnique || se.ExtendedCode == sqlite3.ErrConstraintPrimaryKey)
}

// notFound says what was not found where the error is that a query gave no row.
func notFound(err error, format string, args ...any) error {
	if errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf(format+": %w", append(args, digest.ErrNotFound)...)
	}
	return translate(err)
}
