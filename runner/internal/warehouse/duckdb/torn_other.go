//go:build !unix

package duckdb

import "os"

// lockFile has nothing to do: a file that another process has opened with DuckDB
// cannot be opened for writing.
func lockFile(*os.File) error { return nil }
