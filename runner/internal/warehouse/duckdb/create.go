package duckdb

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// create makes the file of a new database, in one step: DuckDB writes a new file
// bit by bit, and a process killed meanwhile would leave a file that is none. So
// the file is made under another name and given its own when it is whole. It
// does nothing when the file exists.
func create(ctx context.Context, path string) error {
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		return nil // what is wrong with it is for opening it to say
	}
	draft := path + ".new"
	err := initialise(ctx, draft, path)
	if err != nil && !errors.Is(err, os.ErrExist) && !strings.Contains(err.Error(), lockedText) {
		// What a killed process left cannot be opened, or not written.
		if err := discard(draft); err != nil {
			return err
		}
		err = initialise(ctx, draft, path)
	}
	if errors.Is(err, os.ErrExist) {
		return discard(draft)
	}
	if err != nil {
		return err
	}
	return publish(draft, path)
}

// initialise makes an empty database with Sluice's schema. It returns
// [os.ErrExist] when, now that the draft is locked, another process turns out to
// have made the file already.
func initialise(ctx context.Context, draft, path string) error {
	w, err := connect(draft)
	if err != nil {
		return err
	}
	if _, err := os.Lstat(path); err == nil {
		return errors.Join(os.ErrExist, w.Close())
	}
	_, err = w.db.ExecContext(ctx, schemaSQL)
	return errors.Join(err, w.Close())
}

// publish gives a file its name for good.
func publish(draft, path string) error {
	err := os.Rename(draft, path)
	if errors.Is(err, os.ErrNotExist) {
		return nil // another process did
	}
	if err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return nil // a folder that can be written but not read cannot be flushed
	}
	_ = dir.Sync() // not every file system can; the file itself is flushed
	return dir.Close()
}

// discard removes a draft and its log; either may be missing.
func discard(draft string) error {
	for _, name := range []string{draft, draft + ".wal"} {
		if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("remove what is left of making the warehouse: %w", err)
		}
	}
	return nil
}
