package store

import (
	"context"
	"database/sql"

	"github.com/sluiceio/sluice/runner"
)

// PutConnector stores an installed connector, replacing one with the same ID.
func (s *Store) PutConnector(ctx context.Context, ref runner.ConnectorRef) error {
	return s.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO connectors (id, path, sha256, version, added_at) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT (id) DO UPDATE SET path = excluded.path, sha256 = excluded.sha256, version = excluded.version, added_at = excluded.added_at`,
			ref.ID, ref.Path, ref.SHA256, ref.Version, micros(ref.AddedAt))
		return err
	})
}

// Connector returns an installed connector.
func (s *Store) Connector(ctx context.Context, id string) (runner.ConnectorRef, error) {
	ref, err := scanConnector(s.db.QueryRowContext(ctx, "SELECT id, path, sha256, version, added_at FROM connectors WHERE id = ?", id).Scan)
	return ref, found(err, "connector", id)
}

// Connectors lists the installed connectors by ID.
func (s *Store) Connectors(ctx context.Context) ([]runner.ConnectorRef, error) {
	return collect(ctx, s.db, scanConnector, "SELECT id, path, sha256, version, added_at FROM connectors ORDER BY id")
}

// DeleteConnector forgets an installed connector. Its connections stay, and work
// again when a connector of that ID is installed.
func (s *Store) DeleteConnector(ctx context.Context, id string) error {
	return s.write(ctx, func(tx *sql.Tx) error {
		return deleteOne(ctx, tx, "connector", id, "DELETE FROM connectors WHERE id = ?")
	})
}

func scanConnector(scan func(...any) error) (runner.ConnectorRef, error) {
	var ref runner.ConnectorRef
	var added int64
	err := scan(&ref.ID, &ref.Path, &ref.SHA256, &ref.Version, &added)
	ref.AddedAt = instant(added)
	return ref, err
}

// deleteOne deletes the row with a name, or says that there is none.
func deleteOne(ctx context.Context, tx *sql.Tx, kind, name, statement string) error {
	result, err := tx.ExecContext(ctx, statement, name)
	if err != nil {
		return err
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		return missing(kind, name)
	}
	return nil
}
