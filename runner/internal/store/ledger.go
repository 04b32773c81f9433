package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/sluiceio/sluice/connector"
)

const (
	// grantTime is how long a granted unit may be spent.
	grantTime = 10 * time.Minute
	// reportTime is how long after its grant's end a unit's use may still be
	// reported: a request waits 5 minutes for its answer at most. A run that asks
	// again later than that gets its unspent units back.
	reportTime = 6 * time.Minute
	// slices divide a pool's window: spent units come back up to one slice late,
	// never early.
	slicesPerWindow = 1440
	// heardTime is how long the app's word on what is left is believed without
	// being heard again; others may have spent or regained since.
	heardTime = 15 * time.Minute
	// plenty is the share of what is left that may be granted beyond what is
	// needed, as its inverse: what one run holds unspent no other can use.
	plenty = 50
)

// Grant leases units of pools to a run: the same number of each, since every
// request takes from all of them. It grants what is wanted as long as there is
// plenty, at least what is needed, or nothing and the time to ask again. Asking
// for more than a pool can ever hold is an error of class QUOTA_EXHAUSTED.
//
// Units count as taken from the moment they are granted until the run spends
// them, returns or releases them, or, when it did nothing of it, for one window
// after the grant has expired.
func (s *Store) Grant(ctx context.Context, connection, runID string, pools []connector.Pool, request connector.GrantRequest, now time.Time) (connector.Grant, error) {
	needed := max(request.Units, 1)
	for _, pool := range pools {
		if needed > pool.Capacity {
			return connector.Grant{}, connector.Errorf(connector.ClassQuotaExhausted, "POOL_TOO_SMALL",
				"%d units of pool %q are needed at once, and it never has more than %d: raise its capacity if the app allows more", needed, pool.Name, pool.Capacity)
		}
	}
	grant := connector.Grant{Pool: request.Pool}
	err := s.write(ctx, func(tx *sql.Tx) error {
		units := max(request.Want, needed)
		for _, pool := range pools {
			if err := takeOff(ctx, tx, connection, runID, pool.Name, request.Returned); err != nil {
				return err
			}
			if err := sweep(ctx, tx, connection, runID, pool, now); err != nil {
				return err
			}
			b, err := readBalance(ctx, tx, connection, pool, now)
			if err != nil {
				return err
			}
			left := b.left()
			units = min(units, max(needed, left/plenty))
			if left >= needed {
				continue
			}
			at, err := retryAt(ctx, tx, connection, pool, b, needed, now)
			if err != nil {
				return err
			}
			if at.After(grant.RetryAt) {
				grant.RetryAt = at
			}
		}
		if !grant.RetryAt.IsZero() {
			return nil
		}
		grant.Units, grant.ExpiresAt = units, now.Add(grantTime)
		for _, pool := range pools {
			if expires := now.Add(max(pool.Window, time.Second)); expires.Before(grant.ExpiresAt) {
				grant.ExpiresAt = expires
			}
		}
		for _, pool := range pools {
			if _, err := tx.ExecContext(ctx, "INSERT INTO leases (connection, pool, run, units, expires_at) VALUES (?, ?, ?, ?, ?)",
				connection, pool.Name, runID, units, micros(grant.ExpiresAt)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return connector.Grant{}, fmt.Errorf("granting units of pool %q: %w", request.Pool, err)
	}
	return grant, nil
}

// Spend books usage at a time: it is taken off the run's leases, the oldest
// first, and what exceeds them is booked all the same, because it was spent.
// What the app says is left bounds later grants.
func (s *Store) Spend(ctx context.Context, connection, runID string, usage []connector.Usage, now time.Time) error {
	return s.write(ctx, func(tx *sql.Tx) error {
		for _, u := range usage {
			if u.Pool == "" {
				continue
			}
			if err := takeOff(ctx, tx, connection, runID, u.Pool, u.Units); err != nil {
				return err
			}
			if err := book(ctx, tx, connection, u, now); err != nil {
				return err
			}
		}
		return nil
	})
}

// Release gives back the unspent leases of a run, on all pools.
func (s *Store) Release(ctx context.Context, runID string) error {
	return s.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM leases WHERE run = ?", runID)
		return err
	})
}

// Forfeit books the unspent leases of a run as spent.
func (s *Store) Forfeit(ctx context.Context, runID string, now time.Time) error {
	return s.write(ctx, func(tx *sql.Tx) error { return forfeit(ctx, tx, runID, now) })
}

func forfeit(ctx context.Context, tx *sql.Tx, runID string, now time.Time) error {
	type lease struct {
		connection, pool string
		units, expires   int64
	}
	leases, err := collect(ctx, tx, func(scan func(...any) error) (lease, error) {
		var l lease
		err := scan(&l.connection, &l.pool, &l.units, &l.expires)
		return l, err
	}, "SELECT connection, pool, units, expires_at FROM leases WHERE run = ?", runID)
	if err != nil {
		return err
	}
	for _, l := range leases {
		at := now
		if ended := instant(l.expires); ended.Before(now) {
			at = ended
		}
		if err := book(ctx, tx, l.connection, connector.Usage{Pool: l.pool, Units: l.units}, at); err != nil {
			return err
		}
	}
	_, err = tx.ExecContext(ctx, "DELETE FROM leases WHERE run = ?", runID)
	return err
}

// Left returns what may still be granted of a pool at a time.
func (s *Store) Left(ctx context.Context, connection string, pool connector.Pool, now time.Time) (int64, error) {
	b, err := s.balance(ctx, connection, pool, now)
	return max(b.left(), 0), err
}

// Said returns what the app itself says is left of a pool, while that is
// believed.
func (s *Store) Said(ctx context.Context, connection string, pool connector.Pool, now time.Time) (units int64, believed bool, err error) {
	b, err := s.balance(ctx, connection, pool, now)
	return max(b.heard, 0), b.believed, err
}

func (s *Store) balance(ctx context.Context, connection string, pool connector.Pool, now time.Time) (balance, error) {
	// One transaction, so that units on their way from a lease to the spent
	// ones are seen once; readers of a WAL hinder nobody.
	tx, err := s.db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return balance{}, explain(err)
	}
	defer func() { _ = tx.Rollback() }() // nothing was written
	b, err := readBalance(ctx, tx, connection, pool, now)
	return b, explain(err)
}

// sweep forgets what counts no longer, and remembers the pool's window.
func sweep(ctx context.Context, tx *sql.Tx, connection, runID string, pool connector.Pool, now time.Time) error {
	gone := micros(now.Add(-pool.Window))
	if _, err := tx.ExecContext(ctx, "DELETE FROM spent WHERE connection = ? AND pool = ? AND ends <= ?", connection, pool.Name, gone); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM leases WHERE connection = ? AND pool = ? AND (expires_at <= ? OR run = ? AND expires_at <= ?)`,
		connection, pool.Name, gone, runID, micros(now.Add(-reportTime))); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO pools (connection, pool, window) VALUES (?, ?, ?)
		ON CONFLICT (connection, pool) DO UPDATE SET window = excluded.window WHERE window <> excluded.window`,
		connection, pool.Name, pool.Window.Microseconds())
	return err
}

// takeOff takes units off a run's leases of a pool, the oldest first.
func takeOff(ctx context.Context, tx *sql.Tx, connection, runID, pool string, units int64) error {
	if units <= 0 {
		return nil
	}
	type lease struct{ id, units int64 }
	leases, err := collect(ctx, tx, func(scan func(...any) error) (lease, error) {
		var l lease
		err := scan(&l.id, &l.units)
		return l, err
	}, "SELECT id, units FROM leases WHERE connection = ? AND pool = ? AND run = ? ORDER BY expires_at, id", connection, pool, runID)
	if err != nil {
		return err
	}
	rest := units
	for _, l := range leases {
		if rest <= 0 {
			break
		}
		if l.units > rest {
			_, err = tx.ExecContext(ctx, "UPDATE leases SET units = units - ? WHERE id = ?", rest, l.id)
		} else {
			_, err = tx.ExecContext(ctx, "DELETE FROM leases WHERE id = ?", l.id)
		}
		if err != nil {
			return err
		}
		rest -= l.units
	}
	return nil
}

// book adds a usage to the slice of time it happened in.
func book(ctx context.Context, tx *sql.Tx, connection string, u connector.Usage, now time.Time) error {
	if _, err := tx.ExecContext(ctx, `INSERT INTO pools (connection, pool) VALUES (?, ?) ON CONFLICT DO NOTHING`, connection, u.Pool); err != nil {
		return err
	}
	if u.Units > 0 {
		var window int64
		if err := tx.QueryRowContext(ctx, "SELECT window FROM pools WHERE connection = ? AND pool = ?", connection, u.Pool).Scan(&window); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO spent (connection, pool, ends, units) VALUES (?, ?, ?, ?)
			ON CONFLICT (connection, pool, ends) DO UPDATE SET units = units + excluded.units`,
			connection, u.Pool, sliceEnd(micros(now), window), u.Units); err != nil {
			return err
		}
	}
	return hear(ctx, tx, connection, u, now)
}

// hear keeps what the app says is left. Answers come in another order than they
// were given, and what is left only shrinks while the window holds: a smaller
// figure is a later one, and includes all that was booked before; a larger one
// is earlier, or tells that something has come back, which is believed when it
// is still said after a while. Units nothing was said about are taken off.
func hear(ctx context.Context, tx *sql.Tx, connection string, u connector.Usage, now time.Time) error {
	if u.Remaining == nil {
		_, err := tx.ExecContext(ctx, "UPDATE pools SET remaining = remaining - ? WHERE connection = ? AND pool = ?", u.Units, connection, u.Pool)
		return err
	}
	_, err := tx.ExecContext(ctx, `UPDATE pools SET remaining = ?1, remaining_at = ?2 WHERE connection = ?3 AND pool = ?4
		AND (remaining IS NULL OR remaining >= ?1 OR remaining_at <= ?5)`,
		*u.Remaining, micros(now), connection, u.Pool, micros(now.Add(-heardTime)))
	return err
}

// sliceEnd returns the end of the slice of time that holds an instant, both in
// microseconds. A pool nobody was granted anything of has slices of a minute.
func sliceEnd(at, window int64) int64 {
	width := time.Minute.Microseconds()
	if window > 0 {
		width = max(window/slicesPerWindow, 1)
	}
	return (at/width + 1) * width
}
