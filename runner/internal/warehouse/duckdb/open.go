package duckdb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	duckdbgo "github.com/duckdb/duckdb-go/v2"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/runner"
)

// Config says which database to open and what it may use.
type Config struct {
	// Path is the database file, created when missing. Its folder must exist.
	// Empty means a database in memory, lost at Close.
	Path string
	// MemoryLimit bounds DuckDB's memory, such as "1GB"; what does not fit is
	// spilled to TempDir. Empty means 96 MB, doubled up to 768 MB by
	// transactions that cannot do with less.
	MemoryLimit string
	// Threads is the number of threads DuckDB uses; 0 means 1, because a run
	// leaves the other processors to the connector, and because a thread that
	// waits for the rest of a statement spins: two take a third more CPU time
	// for the slices that a run is made of.
	Threads int
	// TempDir is where DuckDB spills; empty means beside the file.
	TempDir string
}

// Warehouse is an open DuckDB database.
type Warehouse struct {
	db      *sql.DB
	path    string
	syncs   keyedLocks
	closing context.Context
	cancel  context.CancelFunc

	mu     sync.Mutex
	closed bool
	memory int64 // the default memory limit in MB as it is now; 0 when the user set it
	users  sync.WaitGroup
	// lent are the sessions that outlive a call: writers and query results.
	lent map[*session]struct{}
}

var _ runner.Warehouse = (*Warehouse)(nil)

//go:embed sql/schema.sql
var schemaSQL string

// Open opens a database and makes Sluice's schema in it. It fails with a
// [connector.Error] whose code is WAREHOUSE_LOCKED when another process has the
// file, WAREHOUSE_CORRUPT when the file is not a DuckDB database, and
// WAREHOUSE_UNWRITABLE when it cannot be created or written.
//
// A file is opened once at a time, in this process too: close the value before
// opening the file again.
func Open(ctx context.Context, config Config) (*Warehouse, error) {
	path, err := databasePath(config.Path)
	if err != nil {
		return nil, err
	}
	if path != inMemory {
		if err := errors.Join(create(ctx, path), mend(ctx, path)); err != nil {
			return nil, openError(path, err)
		}
	}
	w, err := connect(path)
	if err != nil {
		return nil, openError(path, err)
	}
	if err := w.prepare(ctx, config); err != nil {
		return nil, errors.Join(openError(path, err), w.Close())
	}
	return w, nil
}

// inMemory is the path of a database in memory.
const inMemory = ":memory:"

// connect opens a database as it is.
func connect(path string) (*Warehouse, error) {
	c, err := duckdbgo.NewConnector(path, func(conn driver.ExecerContext) error {
		_, err := conn.ExecContext(context.Background(), `SET TimeZone = 'UTC'`, nil)
		return err
	})
	if err != nil {
		return nil, err
	}
	closing, cancel := context.WithCancel(context.Background())
	w := &Warehouse{db: sql.OpenDB(c), path: path, closing: closing, cancel: cancel}
	w.db.SetMaxIdleConns(2)
	return w, nil
}

// databasePath checks what the driver's data source name cannot say.
func databasePath(path string) (string, error) {
	if path == "" {
		return inMemory, nil
	}
	if strings.ContainsAny(path, "?%#") {
		return "", connector.Errorf(connector.ClassConfig, "WAREHOUSE_PATH", "the path of the warehouse %s contains one of ? %% #, which DuckDB's driver cannot open; choose another name", path)
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("find the warehouse %s: %w", path, err)
	}
	info, err := os.Stat(filepath.Dir(abs))
	if err != nil || !info.IsDir() {
		return "", connector.Errorf(connector.ClassConfig, "WAREHOUSE_UNWRITABLE", "the folder %s of the warehouse does not exist; create it first", filepath.Dir(abs))
	}
	if info, err := os.Stat(abs); err == nil && info.IsDir() {
		return "", connector.Errorf(connector.ClassConfig, "WAREHOUSE_PATH", "the path of the warehouse %s is a folder; name a file in it", abs)
	}
	return abs, nil
}

// prepare applies the settings and makes the schema.
func (w *Warehouse) prepare(ctx context.Context, config Config) error {
	memory, threads := "SET GLOBAL memory_limit = "+literal(config.MemoryLimit), config.Threads
	if config.MemoryLimit == "" {
		w.memory = firstMemory
		memory = memorySetting(firstMemory)
	}
	if threads <= 0 {
		threads = 1
	}
	settings := []string{
		memory,
		fmt.Sprintf("SET GLOBAL threads = %d", threads),
		"SET GLOBAL autoinstall_known_extensions = false",
		// Early returns of memory keep the peak of a long run near that of a
		// short one.
		"SET GLOBAL allocator_flush_threshold = '8MB'",
	}
	if config.TempDir != "" {
		settings = append(settings, "SET GLOBAL temp_directory = "+literal(config.TempDir))
	}
	for _, s := range append(settings, schemaSQL) {
		if _, err := w.db.ExecContext(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// Close waits for calls under way, having cancelled them, and releases the file.
func (w *Warehouse) Close() error {
	w.mu.Lock()
	if w.closed {
		w.mu.Unlock()
		return nil
	}
	w.closed = true
	w.mu.Unlock()
	w.cancel()
	w.users.Wait()
	for s := range w.lent {
		// A connection left open would keep the file from being opened again.
		_ = s.Close()
	}
	return w.db.Close()
}

var errClosed = errors.New("the warehouse is closed")

// session is one connection, held for the length of one call.
type session struct {
	*sql.Conn
	w       *Warehouse
	release func()
	discard bool
}

// session takes a connection. The context it returns also ends when the
// warehouse closes. The caller calls done.
func (w *Warehouse) session(ctx context.Context) (context.Context, *session, error) {
	w.mu.Lock()
	if w.closed {
		w.mu.Unlock()
		return nil, nil, errClosed
	}
	w.users.Add(1)
	w.mu.Unlock()
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(w.closing, cancel)
	release := func() {
		stop()
		cancel()
		w.users.Done()
	}
	conn, err := w.db.Conn(ctx)
	if err != nil {
		release()
		return nil, nil, w.explain("take a connection", err)
	}
	return ctx, &session{Conn: conn, w: w, release: release}, nil
}

// lend takes a connection for longer than a call. Closing the warehouse closes
// it; the holder calls done when it is finished first.
func (w *Warehouse) lend(ctx context.Context) (*session, error) {
	_, s, err := w.session(ctx)
	if err != nil {
		return nil, err
	}
	release := s.release
	w.mu.Lock()
	if w.lent == nil {
		w.lent = map[*session]struct{}{}
	}
	w.lent[s] = struct{}{}
	w.mu.Unlock()
	s.release = func() {
		w.mu.Lock()
		delete(w.lent, s)
		w.mu.Unlock()
	}
	release()
	return s, nil
}

// done gives the connection back, or closes it where its settings may have
// been changed.
func (s *session) done() {
	if s.discard {
		_ = s.Raw(func(any) error { return driver.ErrBadConn })
	}
	_ = s.Close()
	s.release()
}

// transaction runs f inside a transaction on the session's connection, and again
// with more memory where it ran out of it: f must begin anew each time.
func (s *session) transaction(ctx context.Context, f func() error) error {
	for {
		began := s.w.memoryLimit()
		err := s.attempt(ctx, f)
		if !outOfMemory(err) || !s.w.moreMemory(ctx, began) {
			return err
		}
	}
}

// attempt runs f inside a transaction once.
func (s *session) attempt(ctx context.Context, f func() error) error {
	if _, err := s.ExecContext(ctx, "BEGIN TRANSACTION"); err != nil {
		return err
	}
	err := f()
	if err == nil {
		_, err = s.ExecContext(ctx, "COMMIT")
		if err == nil {
			returnHoles()
			return nil
		}
	}
	// A failed commit has rolled back already; the error of a second rollback says nothing new.
	_, _ = s.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
	return err
}

// exec runs a statement.
func (s *session) exec(ctx context.Context, query string, args ...any) (int64, error) {
	r, err := s.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

// keyedLocks serialise the calls that change what belongs to one sync.
type keyedLocks struct {
	mu    sync.Mutex
	locks map[string]chan struct{}
}

// lock waits for the key's lock; unlock gives it back.
func (k *keyedLocks) lock(ctx context.Context, key string) (unlock func(), err error) {
	k.mu.Lock()
	if k.locks == nil {
		k.locks = map[string]chan struct{}{}
	}
	l, ok := k.locks[key]
	if !ok {
		l = make(chan struct{}, 1)
		k.locks[key] = l
	}
	k.mu.Unlock()
	select {
	case l <- struct{}{}:
		return func() { <-l }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
