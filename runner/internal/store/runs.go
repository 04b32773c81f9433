package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/runner"
)

// StartRun stores a new run and leases it to this process. While another process
// holds a run of the sync, or one waits to be resumed because its holder is
// gone, it refuses with an error that wraps [runner.ErrRunning].
func (s *Store) StartRun(ctx context.Context, run runner.Run) error {
	body, err := encodeRun(run)
	if err != nil {
		return err
	}
	return s.write(ctx, func(tx *sql.Tx) error {
		if err := s.refuseHeld(ctx, tx, run.Sync); err != nil {
			return err
		}
		var open string
		err := tx.QueryRowContext(ctx, "SELECT id FROM runs WHERE sync = ? AND open", run.Sync).Scan(&open)
		if err == nil {
			return fmt.Errorf("run %s of sync %q was interrupted and has to be resumed first: %w", open, run.Sync, runner.ErrRunning)
		}
		if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		var there bool
		if err := tx.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM syncs WHERE name = ?)", run.Sync).Scan(&there); err != nil {
			return err
		}
		if !there {
			return missing("sync", run.Sync)
		}
		if _, err := tx.ExecContext(ctx, "INSERT INTO runs (id, sync, state, open, started_at, body) VALUES (?, ?, ?, ?, ?, ?)",
			run.ID, run.Sync, run.State, run.Open(), micros(run.StartedAt), body); err != nil {
			return err
		}
		return s.lease(ctx, tx, run)
	})
}

// SaveRun stores how a run stands. A run in state Running has its lease renewed,
// any other gives it up. It refuses, with an error that wraps
// [runner.ErrRunning], when another process has taken the run over meanwhile.
func (s *Store) SaveRun(ctx context.Context, run runner.Run) error {
	body, err := encodeRun(run)
	if err != nil {
		return err
	}
	return s.write(ctx, func(tx *sql.Tx) error {
		if err := s.refuseTaken(ctx, tx, run.ID); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "UPDATE runs SET state = ?, open = ?, started_at = ?, body = ? WHERE id = ?",
			run.State, run.Open(), micros(run.StartedAt), body, run.ID); err != nil {
			return err
		}
		return s.lease(ctx, tx, run)
	})
}

// Run returns a run.
func (s *Store) Run(ctx context.Context, id string) (runner.Run, error) {
	run, err := scanRun(s.db.QueryRowContext(ctx, "SELECT body FROM runs WHERE id = ?", id).Scan)
	return run, found(err, "run", id)
}

// Runs lists runs, the newest first. An empty sync means all of them, limit 0 means 50.
func (s *Store) Runs(ctx context.Context, sync string, limit int) ([]runner.Run, error) {
	if limit <= 0 {
		limit = 50
	}
	return collect(ctx, s.db, scanRun, `SELECT body FROM runs WHERE ? IN ('', sync)
		ORDER BY started_at DESC, id DESC LIMIT ?`, sync, limit)
}

// OpenRun returns the sync's unfinished run, if any, and leases it to this
// process: one that is open, those in state Running first, or else the newest one
// in state Delayed if it has tickets that are not DONE. While another process holds a run of the
// sync it refuses with an error that wraps [runner.ErrRunning].
func (s *Store) OpenRun(ctx context.Context, sync string) (runner.Run, bool, error) {
	var run runner.Run
	var open bool
	err := s.write(ctx, func(tx *sql.Tx) (err error) {
		if err := s.refuseHeld(ctx, tx, sync); err != nil {
			return err
		}
		run, err = scanRun(tx.QueryRowContext(ctx, `SELECT body FROM runs WHERE sync = ?1 AND (open OR state = ?3
				AND EXISTS (SELECT 1 FROM tickets WHERE tickets.run = runs.id AND tickets.state <> ?4))
			ORDER BY state = ?2 DESC, started_at DESC, id DESC LIMIT 1`,
			sync, runner.RunRunning, runner.RunDelayed, connector.TicketDone).Scan)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		open = true
		if err := forfeit(ctx, tx, run.ID, s.now()); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "UPDATE runs SET cancel_grace = NULL WHERE id = ?", run.ID); err != nil {
			return err
		}
		return s.take(ctx, tx, run.ID)
	})
	return run, open, err
}

// CancelRun asks the holder of a run to stop it. Nothing is written when nobody
// holds it.
func (s *Store) CancelRun(ctx context.Context, id string, grace time.Duration) (carried bool, err error) {
	err = s.write(ctx, func(tx *sql.Tx) error {
		var by holder
		var until int64
		err := tx.QueryRowContext(ctx, "SELECT lease_token, lease_host, lease_pid, lease_started, lease_until FROM runs WHERE id = ?", id).
			Scan(&by.token, &by.host, &by.pid, &by.started, &until)
		if err != nil {
			return found(err, "run", id)
		}
		by.until = instant(until)
		carried = by.token == s.holder.token || by.alive(s.holder, s.now())
		if !carried {
			return nil
		}
		_, err = tx.ExecContext(ctx, "UPDATE runs SET cancel_grace = ? WHERE id = ?", grace.Microseconds(), id)
		return err
	})
	return carried, err
}

// CancelAsked reports whether a run is to be stopped.
func (s *Store) CancelAsked(ctx context.Context, id string) (grace time.Duration, asked bool, err error) {
	var micro sql.NullInt64
	err = s.db.QueryRowContext(ctx, "SELECT cancel_grace FROM runs WHERE id = ?", id).Scan(&micro)
	return time.Duration(micro.Int64) * time.Microsecond, micro.Valid, found(err, "run", id)
}

// lease renews the lease of a run that goes on, and gives up that of one that ended.
func (s *Store) lease(ctx context.Context, tx *sql.Tx, run runner.Run) error {
	if run.State == runner.RunRunning {
		return s.take(ctx, tx, run.ID)
	}
	_, err := tx.ExecContext(ctx, "UPDATE runs SET lease_token = '' WHERE id = ?", run.ID)
	return err
}

func (s *Store) take(ctx context.Context, tx *sql.Tx, runID string) error {
	h := s.holder
	_, err := tx.ExecContext(ctx, `UPDATE runs SET lease_token = ?, lease_host = ?, lease_pid = ?, lease_started = ?, lease_until = ?
		WHERE id = ?`, h.token, h.host, h.pid, h.started, micros(s.now().Add(LeaseTime)), runID)
	return err
}

// refuseHeld returns an error while another process holds a run of the sync.
func (s *Store) refuseHeld(ctx context.Context, tx *sql.Tx, sync string) error {
	return s.refuse(ctx, tx, "sync = ? AND lease_token <> ''", sync)
}

// refuseTaken returns an error when another process holds the run, or there is none.
func (s *Store) refuseTaken(ctx context.Context, tx *sql.Tx, runID string) error {
	var there bool
	if err := tx.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM runs WHERE id = ?)", runID).Scan(&there); err != nil {
		return err
	}
	if !there {
		return missing("run", runID)
	}
	return s.refuse(ctx, tx, "id = ? AND lease_token <> ''", runID)
}

func (s *Store) refuse(ctx context.Context, tx *sql.Tx, where, argument string) error {
	type held struct {
		run, sync string
		by        holder
	}
	all, err := collect(ctx, tx, func(scan func(...any) error) (held, error) {
		var h held
		var until int64
		err := scan(&h.run, &h.sync, &h.by.token, &h.by.host, &h.by.pid, &h.by.started, &until)
		h.by.until = instant(until)
		return h, err
	}, "SELECT id, sync, lease_token, lease_host, lease_pid, lease_started, lease_until FROM runs WHERE "+where, argument)
	if err != nil {
		return err
	}
	for _, h := range all {
		if h.by.token != s.holder.token && h.by.alive(s.holder, s.now()) {
			return fmt.Errorf("run %s of sync %q is held by process %d until it ends: %w", h.run, h.sync, h.by.pid, runner.ErrRunning)
		}
	}
	return nil
}

// encodeRun writes a run as JSON, without the causes of errors: they are values
// of this process.
func encodeRun(run runner.Run) (string, error) {
	run.Error = withoutCause(run.Error)
	run.Streams = slices.Clone(run.Streams)
	for i := range run.Streams {
		run.Streams[i].Error = withoutCause(run.Streams[i].Error)
	}
	body, err := json.Marshal(run)
	if err != nil {
		return "", fmt.Errorf("writing run %s: %w", run.ID, err)
	}
	return string(body), nil
}

func withoutCause(err *connector.Error) *connector.Error {
	if err == nil {
		return nil
	}
	plain := *err
	plain.Cause = nil
	return &plain
}

func scanRun(scan func(...any) error) (runner.Run, error) {
	var run runner.Run
	var body string
	if err := scan(&body); err != nil {
		return run, err
	}
	err := json.Unmarshal([]byte(body), &run)
	return run, err
}
