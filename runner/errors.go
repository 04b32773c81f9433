package runner

import "errors"

// Errors that callers test with errors.Is.
var (
	// ErrNotFound: there is no such connector, connection, sync or run.
	ErrNotFound = errors.New("not found")
	// ErrRunning: another process is running the sync.
	ErrRunning = errors.New("already running")
	// ErrExists: the name is taken.
	ErrExists = errors.New("exists already")
)
