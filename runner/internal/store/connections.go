package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/runner"
)

// PutConnection stores a connection, replacing one with the same name and all of
// its secrets.
func (s *Store) PutConnection(ctx context.Context, connection runner.Connection) error {
	return s.write(ctx, func(tx *sql.Tx) error {
		if err := putConnectionBody(ctx, tx, connection); err != nil {
			return err
		}
		expiries, err := s.expiries(ctx, tx, connection)
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "DELETE FROM secrets WHERE connection = ?", connection.Name); err != nil {
			return err
		}
		for field, values := range connection.Secrets {
			if err := s.putSecret(ctx, tx, connection.Name, field, values, expiries[field]); err != nil {
				return err
			}
		}
		return nil
	})
}

// expiries returns when those secrets of a connection expire that are stored
// already with the same values, so that storing them again forgets no expiry.
func (s *Store) expiries(ctx context.Context, q querier, connection runner.Connection) (map[string]time.Time, error) {
	secrets, err := s.secrets(ctx, q, connection.Name)
	if err != nil {
		return nil, err
	}
	kept := map[string]time.Time{}
	for _, secret := range secrets {
		if fmt.Sprint(secret.values) == fmt.Sprint(connection.Secrets[secret.field]) {
			kept[secret.field] = secret.expires
		}
	}
	return kept, nil
}

// Connection returns a connection with its secrets in clear. Secrets that have
// expired are left out.
func (s *Store) Connection(ctx context.Context, name string) (runner.Connection, error) {
	return s.connection(ctx, s.db, name)
}

func (s *Store) connection(ctx context.Context, q querier, name string) (runner.Connection, error) {
	var connection runner.Connection
	var body string
	err := q.QueryRowContext(ctx, "SELECT body FROM connections WHERE name = ?", name).Scan(&body)
	if err != nil {
		return connection, found(err, "connection", name)
	}
	if err := json.Unmarshal([]byte(body), &connection); err != nil {
		return connection, fmt.Errorf("reading connection %q: %w", name, err)
	}
	secrets, err := s.secrets(ctx, q, name)
	if err != nil {
		return connection, err
	}
	now := s.now()
	for _, secret := range secrets {
		if !secret.expires.IsZero() && !now.Before(secret.expires) {
			continue
		}
		if connection.Secrets == nil {
			connection.Secrets = connector.Answers{}
		}
		connection.Secrets[secret.field] = secret.values
	}
	return connection, nil
}

// Connections lists all connections by name, with their secrets in clear.
func (s *Store) Connections(ctx context.Context) ([]runner.Connection, error) {
	names, err := collect(ctx, s.db, scanText, "SELECT name FROM connections ORDER BY name")
	if err != nil {
		return nil, err
	}
	all := make([]runner.Connection, 0, len(names))
	for _, name := range names {
		connection, err := s.Connection(ctx, name)
		if err != nil {
			return nil, err
		}
		all = append(all, connection)
	}
	return all, nil
}

// DeleteConnection forgets a connection and its secrets. It refuses while a sync
// uses the connection, and names the syncs.
func (s *Store) DeleteConnection(ctx context.Context, name string) error {
	return s.write(ctx, func(tx *sql.Tx) error {
		users, err := collect(ctx, tx, scanText, "SELECT name FROM syncs WHERE connection = ? ORDER BY name", name)
		if err != nil {
			return err
		}
		if len(users) > 0 {
			return fmt.Errorf("connection %q is used by sync %s; delete that first", name, strings.Join(users, ", "))
		}
		return deleteOne(ctx, tx, "connection", name, "DELETE FROM connections WHERE name = ?")
	})
}

// KeepWithConnection merges what a connector asked to keep: values of the same
// name are replaced, all others stay.
func (s *Store) KeepWithConnection(ctx context.Context, name string, keep connector.Keep) error {
	return s.write(ctx, func(tx *sql.Tx) error {
		connection, err := s.connection(ctx, tx, name)
		if err != nil {
			return err
		}
		if len(keep.Parameters) > 0 {
			if connection.Parameters == nil {
				connection.Parameters = connector.Answers{}
			}
			maps.Copy(connection.Parameters, keep.Parameters)
			if err := putConnectionBody(ctx, tx, connection); err != nil {
				return err
			}
		}
		for field, values := range keep.Secrets {
			if err := s.putSecret(ctx, tx, name, field, values, keep.ExpiresAt); err != nil {
				return err
			}
		}
		return nil
	})
}

func putConnectionBody(ctx context.Context, tx *sql.Tx, connection runner.Connection) error {
	connection.Secrets = nil // they have a table of their own, sealed
	body, err := json.Marshal(connection)
	if err != nil {
		return fmt.Errorf("writing connection %q: %w", connection.Name, err)
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO connections (name, body) VALUES (?, ?)
		ON CONFLICT (name) DO UPDATE SET body = excluded.body`, connection.Name, string(body))
	return err
}

func (s *Store) putSecret(ctx context.Context, tx *sql.Tx, connection, field string, values []string, expires time.Time) error {
	text, err := json.Marshal(values)
	if err != nil {
		return fmt.Errorf("sealing secret %q of connection %q: %w", field, connection, err)
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO secrets (connection, field, sealed, expires_at) VALUES (?, ?, ?, ?)
		ON CONFLICT (connection, field) DO UPDATE SET sealed = excluded.sealed, expires_at = excluded.expires_at`,
		connection, field, s.sealer.seal(connection, field, text), micros(expires))
	return err
}

// secret is one opened value.
type secret struct {
	field   string
	values  []string
	expires time.Time
}

func (s *Store) secrets(ctx context.Context, q querier, connection string) ([]secret, error) {
	return collect(ctx, q, func(scan func(...any) error) (secret, error) {
		var one secret
		var sealed []byte
		var expires int64
		if err := scan(&one.field, &sealed, &expires); err != nil {
			return one, err
		}
		text, err := s.sealer.open(connection, one.field, sealed)
		if err == nil {
			err = json.Unmarshal(text, &one.values)
		}
		if err != nil {
			return one, fmt.Errorf("secret %q of connection %q cannot be opened (%w); give the connection its secrets again", one.field, connection, err)
		}
		one.expires = instant(expires)
		return one, nil
	}, "SELECT field, sealed, expires_at FROM secrets WHERE connection = ?", connection)
}

func scanText(scan func(...any) error) (string, error) {
	var text string
	err := scan(&text)
	return text, err
}
