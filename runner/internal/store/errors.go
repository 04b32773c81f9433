package store

import (
	"database/sql"
	"errors"
	"fmt"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/sluiceio/sluice/runner"
)

// missing says that a name is not in the store; it is a [runner.ErrNotFound].
func missing(kind, name string) error {
	return &missingError{kind: kind, name: name}
}

type missingError struct{ kind, name string }

func (e *missingError) Error() string { return fmt.Sprintf("there is no %s named %q", e.kind, e.name) }

func (e *missingError) Unwrap() error { return runner.ErrNotFound }

// found turns "no rows" into a missing name.
func found(err error, kind, name string) error {
	if errors.Is(err, sql.ErrNoRows) {
		return missing(kind, name)
	}
	return explain(err)
}

// explanations say in words what SQLite's primary result codes mean for the
// user, and what to do: https://sqlite.org/rescode.html.
var explanations = map[int]string{
	sqlite3.SQLITE_BUSY:     "another process has been writing to the control store for too long; see which sluice processes are running, and try again",
	sqlite3.SQLITE_LOCKED:   "the control store is locked by another operation; try again",
	sqlite3.SQLITE_READONLY: "the control store cannot be written; change the permissions of the file and of its folder, or choose another state folder",
	sqlite3.SQLITE_PERM:     "the control store cannot be accessed; change the permissions of the file and of its folder",
	sqlite3.SQLITE_CANTOPEN: "the control store cannot be opened; look at the permissions of the file and of its folder",
	sqlite3.SQLITE_FULL:     "the disk is full; nothing was changed; free some space and try again",
	sqlite3.SQLITE_IOERR:    "the disk that holds the control store reports an error; look at the disk (is it full?) before trying again",
	sqlite3.SQLITE_CORRUPT:  "the control store is damaged; restore it from a backup",
	sqlite3.SQLITE_NOTADB:   "the file is not a control store; choose another state folder",
}

// explain puts an explanation before a database error that has one. An error
// explained before is left as it is.
func explain(err error) error {
	var fault *sqlite.Error
	var done *explainedError
	if err == nil || errors.As(err, &done) || !errors.As(err, &fault) {
		return err
	}
	words, ok := explanations[fault.Code()&0xff]
	if !ok {
		return err
	}
	return &explainedError{words: words, cause: err}
}

type explainedError struct {
	words string
	cause error
}

func (e *explainedError) Error() string { return fmt.Sprintf("%s (%v)", e.words, e.cause) }

func (e *explainedError) Unwrap() error { return e.cause }
