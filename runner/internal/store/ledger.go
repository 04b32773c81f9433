package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/sluiceio/sluice/connector"
)

const (
	// grantTime is how long a granted unit may be spent.
	grantTime = 10 * time.Minute
	// reportTime is how long after its grant's end a unit's use may still be
	// reported. A run that asks again later than that gets its unspent units back.
	reportTime = time.Minute
	// slices divide a pool's window: spent units come back up to one slice late,
	// never early.
	slicesPerWindow = 1440
	// heardTime is how long the app's word on what is left is believed without
	// being heard again; others may have spent or regained since.
	heardTime = 15 * time.Minute
	// askAgain is when to ask again for units that other runs hold unspent.
	askAgain = 5 * time.Second
)

// Grant leases units of a pool to a run. It grants what is wanted as far as it is
// there, at least what is needed, or nothing and the time to ask again. Asking
// for more than the pool can ever hold is an error of class QUOTA_EXHAUSTED.
//
// Units count as taken from the moment they are granted until the run spends
// them, releases them, or, when it did neither, for one window after the grant
// has expired.
func (s *Store) Grant(ctx context.Context, connection, runID string, pool connector.Pool, request connector.GrantRequest, now time.Time) (connector.Grant, error) {
	needed := max(request.Units, 1)
	if needed > pool.Capacity {
		return connector.Grant{}, connector.Errorf(connector.ClassQuotaExhausted, "POOL_TOO_SMALL",
			"%d units of pool %q are needed at once, and it never has more than %d: raise its capacity if the app allows more", needed, pool.Name, pool.Capacity)
	}
	grant := connector.Grant{Pool: pool.Name}
	err := s.write(ctx, func(tx *sql.Tx) error {
		if err := sweep(ctx, tx, connection, runID, pool, now); err != nil {
			return err
		}
		b, err := readBalance(ctx, tx, connection, pool, now)
		if err != nil {
			return err
		}
		if b.left() < needed {
			grant.RetryAt, err = retryAt(ctx, tx, connection, runID, pool, b, needed, now)
			return err
		}
		grant.Units = min(max(request.Want, needed), b.left())
		grant.ExpiresAt = now.Add(min(grantTime, max(pool.Window, time.Second)))
		_, err = tx.ExecContext(ctx, "INSERT INTO leases (connection, pool, run, units, expires_at) VALUES (?, ?, ?, ?, ?)",
			connection, pool.Name, runID, grant.Units, micros(grant.ExpiresAt))
		return err
	})
	if err != nil {
		return connector.Grant{}, fmt.Errorf("granting units of pool %q: %w", pool.Name, err)
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
			if err := spendLeases(ctx, tx, connection, runID, u); err != nil {
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

// Left returns what may still be granted of a pool at a time.
func (s *Store) Left(ctx context.Context, connection string, pool connector.Pool, now time.Time) (int64, error) {
	// One transaction, so that units on their way from a lease to the spent
	// ones are seen once; readers of a WAL hinder nobody.
	tx, err := s.db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return 0, explain(err)
	}
	defer func() { _ = tx.Rollback() }() // nothing was written
	b, err := readBalance(ctx, tx, connection, pool, now)
	return max(b.left(), 0), explain(err)
}

// balance is a pool at an instant.
type balance struct {
	capacity      int64
	spent, leased int64
	// heard is what the app said is left, less what was taken since; it counts
	// when believed, until then.
	heard    int64
	believed bool
	until    time.Time
}

func (b balance) left() int64 {
	left := b.capacity - b.spent - b.leased
	if b.believed {
		left = min(left, b.heard-b.leased)
	}
	return left
}

func readBalance(ctx context.Context, q querier, connection string, pool connector.Pool, now time.Time) (balance, error) {
	b := balance{capacity: pool.Capacity}
	err := q.QueryRowContext(ctx, `SELECT
		(SELECT coalesce(sum(units), 0) FROM spent WHERE connection = ?1 AND pool = ?2 AND ends > ?3),
		(SELECT coalesce(sum(units), 0) FROM leases WHERE connection = ?1 AND pool = ?2 AND expires_at > ?3)`,
		connection, pool.Name, micros(now.Add(-pool.Window))).Scan(&b.spent, &b.leased)
	if err != nil {
		return b, err
	}
	var at int64
	err = q.QueryRowContext(ctx, "SELECT remaining, remaining_at FROM pools WHERE connection = ? AND pool = ? AND remaining IS NOT NULL",
		connection, pool.Name).Scan(&b.heard, &at)
	if errors.Is(err, sql.ErrNoRows) {
		return b, nil
	}
	b.until = instant(at).Add(min(heardTime, pool.Window))
	b.believed = now.Before(b.until)
	return b, err
}

// retryAt says when enough will have left the window, or sooner when what other
// runs hold unspent would do. What the run holds itself is its own to spend.
func retryAt(ctx context.Context, tx *sql.Tx, connection, runID string, pool connector.Pool, b balance, needed int64, now time.Time) (time.Time, error) {
	var others int64
	err := tx.QueryRowContext(ctx, "SELECT coalesce(sum(units), 0) FROM leases WHERE connection = ? AND pool = ? AND run <> ? AND expires_at > ?",
		connection, pool.Name, runID, micros(now.Add(-pool.Window))).Scan(&others)
	if err != nil {
		return time.Time{}, err
	}
	if b.left()+others >= needed {
		return now.Add(askAgain), nil
	}
	if b.believed && b.capacity-b.spent-b.leased >= needed {
		return b.until, nil
	}
	lacking := needed - (b.capacity - b.spent - b.leased)
	var ends int64
	err = tx.QueryRowContext(ctx, `SELECT min(ends) FROM
		(SELECT ends, sum(units) OVER (ORDER BY ends) AS freed FROM spent WHERE connection = ? AND pool = ? AND ends > ?)
		WHERE freed >= ? HAVING count(*) > 0`, connection, pool.Name, micros(now.Add(-pool.Window)), lacking).Scan(&ends)
	if errors.Is(err, sql.ErrNoRows) { // leases stand in the way
		return now.Add(askAgain), nil
	}
	return instant(ends).Add(pool.Window), err
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

// spendLeases takes a run's usage off its leases.
func spendLeases(ctx context.Context, tx *sql.Tx, connection, runID string, u connector.Usage) error {
	type lease struct{ id, units int64 }
	leases, err := collect(ctx, tx, func(scan func(...any) error) (lease, error) {
		var l lease
		err := scan(&l.id, &l.units)
		return l, err
	}, "SELECT id, units FROM leases WHERE connection = ? AND pool = ? AND run = ? ORDER BY expires_at, id", connection, u.Pool, runID)
	if err != nil {
		return err
	}
	rest := u.Units
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

// hear keeps what the app says is left, or takes this usage off what it said before.
func hear(ctx context.Context, tx *sql.Tx, connection string, u connector.Usage, now time.Time) error {
	if u.Remaining != nil {
		_, err := tx.ExecContext(ctx, "UPDATE pools SET remaining = ?, remaining_at = ? WHERE connection = ? AND pool = ?",
			*u.Remaining, micros(now), connection, u.Pool)
		return err
	}
	_, err := tx.ExecContext(ctx, "UPDATE pools SET remaining = remaining - ? WHERE connection = ? AND pool = ?", u.Units, connection, u.Pool)
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
