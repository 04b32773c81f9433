package store

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
)

//go:embed migrations/*.sql
var migrations embed.FS

// migrate brings the schema up to date. Files are applied in the order of their
// names, each in a transaction of its own with the number that says so; the
// number is SQLite's user_version. Several processes may do it at once.
func (s *Store) migrate(ctx context.Context) error {
	names, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return err
	}
	for i, name := range names {
		if err := s.write(ctx, func(tx *sql.Tx) error { return apply(ctx, tx, i+1, len(names), name) }); err != nil {
			return err
		}
	}
	return nil
}

// apply applies one migration unless it was applied before.
func apply(ctx context.Context, tx *sql.Tx, number, newest int, name string) error {
	var version int
	if err := tx.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return err
	}
	if version > newest {
		return fmt.Errorf("it was written by a newer sluice (schema %d, this one knows %d); use that one, or another state folder", version, newest)
	}
	if version >= number {
		return nil
	}
	statements, err := migrations.ReadFile(name)
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, string(statements)); err != nil {
		return fmt.Errorf("migration %s: %w", name, err)
	}
	_, err = tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", number))
	return err
}
