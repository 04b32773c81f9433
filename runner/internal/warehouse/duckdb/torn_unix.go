//go:build unix

package duckdb

import (
	"fmt"
	"io"
	"os"
	"syscall"
)

// lockFile keeps other processes from opening a database until the file is
// closed, with the lock that DuckDB itself takes.
func lockFile(f *os.File) error {
	lock := syscall.Flock_t{Type: syscall.F_WRLCK, Whence: io.SeekStart}
	if err := syscall.FcntlFlock(f.Fd(), syscall.F_SETLK, &lock); err != nil {
		return fmt.Errorf("%s: %w", lockedText, err)
	}
	return nil
}
