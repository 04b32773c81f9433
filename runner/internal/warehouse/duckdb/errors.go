package duckdb

import (
	"context"
	"errors"
	"regexp"
	"strings"

	"github.com/sluiceio/sluice/connector"
)

var holder = regexp.MustCompile(`held in (.*?) \(PID (\d+)\)`)

// lockedText is what DuckDB says of a file that another process has open.
const lockedText = "Could not set lock"

// openError says why a file could not be opened and what to do.
func openError(path string, err error) error {
	text := err.Error()
	says := firstLine(strings.TrimPrefix(text, "database/sql/driver: could not connect to database: "))
	explained := func(code, format string, args ...any) error {
		e := connector.Errorf(connector.ClassConfig, code, format, args...)
		e.Cause = err
		return e
	}
	switch {
	case strings.Contains(text, lockedText):
		by := "another process"
		if m := holder.FindStringSubmatch(text); m != nil {
			by = "process " + m[2] + " (" + m[1] + ")"
		}
		return explained("WAREHOUSE_LOCKED", "the warehouse %s is in use by %s; DuckDB lets one process open a file: wait until it is done, or stop it", path, by)
	case strings.Contains(text, "Permission denied"), strings.Contains(text, "Read-only file system"):
		return explained("WAREHOUSE_UNWRITABLE", "the warehouse %s cannot be created or written: permission denied; give this user write access to the file and its folder", path)
	case strings.Contains(text, "Failure while replaying WAL file"):
		return explained("WAREHOUSE_CORRUPT", "what was last written to the warehouse %[1]s, kept in %[1]s.wal, cannot be read; copy both files away, then restore them from a backup, or move %[1]s.wal away to go on without the last changes: records whose outcomes were in it are sent again; DuckDB says: %[2]s", path, says)
	case strings.Contains(text, "not a valid DuckDB database"), strings.Contains(text, "Could not read enough bytes"), strings.Contains(text, "corrupt"), strings.Contains(text, "Corrupt"),
		strings.Contains(text, "checksum"), strings.Contains(text, "Serialization Error"), strings.Contains(text, "has been encrypted"):
		return explained("WAREHOUSE_CORRUPT", "the file %s is damaged or is not a DuckDB database; restore it from a backup or choose another path; DuckDB says: %s", path, says)
	case strings.Contains(text, "newer version"), strings.Contains(text, "storage version"):
		return explained("WAREHOUSE_VERSION", "the file %s was written by another version of DuckDB, which this one cannot read; export it with that version", path)
	}
	if e := resourceError(path, err); e != nil {
		return e
	}
	return explained("WAREHOUSE_OPEN", "open the warehouse %s: %s", path, says)
}

// resourceError recognises a full disk and exhausted memory; nil for others.
func resourceError(path string, err error) error {
	text := err.Error()
	switch {
	case strings.Contains(text, "No space left on device"), strings.Contains(text, "Disk quota exceeded"),
		strings.Contains(text, "max_temp_directory_size"):
		e := connector.Errorf(connector.ClassTransient, "WAREHOUSE_DISK_FULL", "the disk that holds the warehouse %s (or its temporary files) is full; nothing was changed: free some space and run again", path)
		e.Cause = err
		return e
	case strings.Contains(text, "has been invalidated"):
		e := connector.Errorf(connector.ClassTransient, "WAREHOUSE_INVALIDATED", "the warehouse %s stopped after an earlier failure to write; what was committed is safe: run again to open it anew", path)
		e.Cause = err
		return e
	case strings.HasPrefix(text, "Out of Memory Error"):
		e := connector.Errorf(connector.ClassConfig, "WAREHOUSE_MEMORY", "the warehouse %s needs more memory than its limit; raise the memory limit", path)
		e.Cause = err
		return e
	}
	return nil
}

// explain adds what was being done to an error of the database.
func (w *Warehouse) explain(doing string, err error) error {
	if err == nil {
		return nil
	}
	if w.closing.Err() != nil {
		return errClosed
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if _, ok := errors.AsType[*connector.Error](err); ok {
		return err
	}
	if e := resourceError(w.path, err); e != nil {
		return e
	}
	e := connector.Errorf(connector.ClassInternal, "WAREHOUSE", "%s in the warehouse: %s", doing, firstLine(err.Error()))
	e.Cause = err
	return e
}

var (
	quoted    = regexp.MustCompile(`'(?:[^']|'')*'|"(?:[^"]|"")*"`)
	unquoting = []string{"Conversion Error", "Invalid Input Error", "Out of Range Error", "Constraint Error"}
)

// firstLine leaves out the hints and excerpts that follow a message, and quoted
// values in messages about data: both may hold the content of records.
func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	for _, prefix := range unquoting {
		if strings.Contains(line, prefix) {
			line = quoted.ReplaceAllString(line, "a value")
			break
		}
	}
	return strings.TrimSpace(line)
}
