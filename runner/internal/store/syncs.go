package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"github.com/sluiceio/sluice/runner"
)

// PutSync stores a sync, replacing one with the same name; its runs stay. The
// connection must be in the store.
func (s *Store) PutSync(ctx context.Context, sync runner.Sync) error {
	body, err := json.Marshal(sync)
	if err != nil {
		return fmt.Errorf("writing sync %q: %w", sync.Name, err)
	}
	return s.write(ctx, func(tx *sql.Tx) error {
		var there bool
		if err := tx.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM connections WHERE name = ?)", sync.Connection).Scan(&there); err != nil {
			return err
		}
		if !there {
			return missing("connection", sync.Connection)
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO syncs (name, connection, body) VALUES (?, ?, ?)
			ON CONFLICT (name) DO UPDATE SET connection = excluded.connection, body = excluded.body`,
			sync.Name, sync.Connection, string(body))
		return err
	})
}

// Sync returns a sync.
func (s *Store) Sync(ctx context.Context, name string) (runner.Sync, error) {
	sync, err := scanSync(s.db.QueryRowContext(ctx, "SELECT body FROM syncs WHERE name = ?", name).Scan)
	return sync, found(err, "sync", name)
}

// Syncs lists the syncs by name.
func (s *Store) Syncs(ctx context.Context) ([]runner.Sync, error) {
	return collect(ctx, s.db, scanSync, "SELECT body FROM syncs ORDER BY name")
}

// DeleteSync forgets a sync with its runs and tickets; what it left in the
// warehouse stays there. It refuses, with an error that wraps
// [runner.ErrRunning], while another process runs the sync.
func (s *Store) DeleteSync(ctx context.Context, name string) error {
	return s.write(ctx, func(tx *sql.Tx) error {
		if err := s.refuseHeld(ctx, tx, name); err != nil {
			return err
		}
		return deleteOne(ctx, tx, "sync", name, "DELETE FROM syncs WHERE name = ?")
	})
}

func scanSync(scan func(...any) error) (runner.Sync, error) {
	var sync runner.Sync
	var body string
	if err := scan(&body); err != nil {
		return sync, err
	}
	err := json.Unmarshal([]byte(body), &sync)
	return sync, err
}
