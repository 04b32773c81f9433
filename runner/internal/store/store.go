package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/sluiceio/sluice/runner"
)

// busyTimeout is how long a statement waits for another process to finish
// writing. Writes take milliseconds; whoever waits this long waits for something
// that is stuck.
const busyTimeout = 15 * time.Second

// Config says where the store is.
type Config struct {
	// Path is the SQLite file, created with its folder when missing. Required.
	Path string
	// KeyFile holds the key that seals secrets, created when missing; empty
	// means "sluice.key" in the store's folder. Not used when Key is given.
	KeyFile string
	// Key seals secrets instead of the key file: 32 bytes, see [ParseKey].
	Key []byte
	// Now defaults to time.Now. It is used for leases of runs and for the
	// expiry of secrets; the ledger is told the time at each call.
	Now func() time.Time
}

// Store is the control store. It is safe for concurrent use, by several
// processes too.
type Store struct {
	db     *sql.DB
	writer chan struct{} // holds one token: the right to write
	sealer sealer
	holder holder
	now    func() time.Time
}

var _ runner.Store = (*Store)(nil)

// Open opens the store, creates it when missing, and brings it up to date. The
// error says in words what is wrong with the file, the folder or the key.
func Open(ctx context.Context, config Config) (*Store, error) {
	if err := createFile(config.Path); err != nil {
		return nil, err
	}
	db, err := sql.Open("sqlite", dataSource(config.Path))
	if err != nil {
		return nil, fmt.Errorf("opening the control store %s: %w", config.Path, explain(err))
	}
	s := &Store{db: db, writer: make(chan struct{}, 1), now: config.Now}
	if s.now == nil {
		s.now = time.Now
	}
	s.writer <- struct{}{}
	if err := s.prepare(ctx, config); err != nil {
		_ = db.Close() // the reason it could not be used is what matters
		return nil, fmt.Errorf("opening the control store %s: %w", config.Path, explain(err))
	}
	return s, nil
}

func (s *Store) prepare(ctx context.Context, config Config) error {
	if err := s.migrate(ctx); err != nil {
		return err
	}
	var err error
	if s.holder, err = thisProcess(rand.Text()); err != nil {
		return err
	}
	return s.unlock(ctx, config)
}

// Close releases the store. Runs it holds stay unfinished and can be opened by
// the next process.
func (s *Store) Close() error { return explain(s.db.Close()) }

// createFile makes the store's folder and file so that only the owner can read them.
func createFile(path string) error {
	if path == "" {
		return errors.New("the control store has no path: give one")
	}
	folder := filepath.Dir(path)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return fmt.Errorf("the state folder %s cannot be made: %w; choose another one or change its permissions", folder, err)
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("the control store cannot be written: %w; choose another state folder or change its permissions", err)
	}
	return file.Close()
}

func dataSource(path string) string {
	options := url.Values{"_txlock": {"immediate"}, "_pragma": {
		fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds()),
		"journal_mode(wal)", "synchronous(full)", "foreign_keys(on)",
	}}
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + options.Encode()
}

// write runs change in one transaction, one at a time in this process, so that
// goroutines queue here rather than poll the file's lock.
func (s *Store) write(ctx context.Context, change func(tx *sql.Tx) error) error {
	select {
	case <-s.writer:
		defer func() { s.writer <- struct{}{} }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return explain(err)
	}
	if err := change(tx); err != nil {
		_ = tx.Rollback() // the change's own error is what matters
		return explain(err)
	}
	return explain(tx.Commit())
}

// querier is what a database and a transaction have in common.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// collect reads all rows of a query with scan.
func collect[T any](ctx context.Context, q querier, scan func(func(...any) error) (T, error), query string, args ...any) ([]T, error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, explain(err)
	}
	defer rows.Close()
	var all []T
	for rows.Next() {
		one, err := scan(rows.Scan)
		if err != nil {
			return nil, explain(err)
		}
		all = append(all, one)
	}
	return all, explain(rows.Err())
}

// micros writes an instant as microseconds since 1970, the zero time as 0.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// instant reads what micros wrote.
func instant(micros int64) time.Time {
	if micros == 0 {
		return time.Time{}
	}
	return time.UnixMicro(micros).UTC()
}
