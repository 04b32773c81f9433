package duckdb

// DuckDB's allocator keeps freed pages for ten seconds. A run that spills frees
// and takes pages all the time, so that its process would hold up to half as
// much again as the memory limit, and the more the longer it runs. allocator.c
// has pages returned at once, and the holes in the C library's heap after each
// transaction that leaves many.

// #include <stddef.h>
// void sluice_return_holes(size_t most);
import "C"

import (
	"context"
	"errors"
	"fmt"
	"strings"

	duckdbgo "github.com/duckdb/duckdb-go/v2"
)

// The default memory limit, in MB. Most work needs less, spilled or not, and is
// as fast with 96 MB as with 256. DuckDB fills whatever it may have with blocks of
// the file, so that a small limit keeps the process at the same size however many
// records there are. What cannot be spilled, such as one very wide row or a long list of
// values aggregated, may need more: a transaction that runs out of memory is run
// again with twice as much, up to maxMemory.
const (
	firstMemory = 96
	maxMemory   = 8 * firstMemory
)

// mostHoles is how much of the C library's heap may be free, in bytes, before it is
// given back to the system.
const mostHoles = 8 << 20

func returnHoles() { C.sluice_return_holes(mostHoles) }

// moreMemory doubles the limit after a transaction ran out of memory under the
// limit it began with. It returns false where there is no more to be had, or
// where the user set the limit.
func (w *Warehouse) moreMemory(ctx context.Context, began int64) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.memory == 0 {
		return false
	}
	if began < w.memory {
		return true // another transaction has raised it meanwhile
	}
	if w.memory >= maxMemory {
		return false
	}
	if _, err := w.db.ExecContext(ctx, memorySetting(2*w.memory)); err != nil {
		return false
	}
	w.memory *= 2
	return true
}

// memoryLimit returns the default limit as it is now, 0 when the user set one.
func (w *Warehouse) memoryLimit() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.memory
}

func memorySetting(megabytes int64) string {
	return fmt.Sprintf("SET GLOBAL memory_limit = '%dMB'", megabytes)
}

// outOfMemory recognises a statement that DuckDB had not the memory for. A
// temporary folder that is full goes by the same name, and memory does not help.
func outOfMemory(err error) bool {
	e, ok := errors.AsType[*duckdbgo.Error](err)
	return ok && e.Type == duckdbgo.ErrorTypeOutOfMemory && !strings.Contains(e.Msg, "max_temp_directory_size")
}
