package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/sluiceio/sluice/connector"
)

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

// askAgain is how soon to ask again for units that are granted and not spent yet.
func askAgain(pool connector.Pool) time.Duration {
	return min(time.Second, max(pool.Window/20, 20*time.Millisecond))
}

// retryAt says when enough will have left the window, or sooner when what runs
// hold unspent would do: others may give it back, and what this one holds is
// under way to the app, which may have counted it already.
func retryAt(ctx context.Context, tx *sql.Tx, connection string, pool connector.Pool, b balance, needed int64, now time.Time) (time.Time, error) {
	var held int64
	err := tx.QueryRowContext(ctx, "SELECT coalesce(sum(units), 0) FROM leases WHERE connection = ? AND pool = ? AND expires_at > ?",
		connection, pool.Name, micros(now)).Scan(&held)
	if err != nil {
		return time.Time{}, err
	}
	if b.left()+held >= needed {
		return now.Add(askAgain(pool)), nil
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
		return now.Add(askAgain(pool)), nil
	}
	return instant(ends).Add(pool.Window), err
}
