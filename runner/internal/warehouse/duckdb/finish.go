package duckdb

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"
)

// A run with nothing to send is finished with its plan. Any other is finished in
// transactions of bounded size, so that memory does not grow with it: slices of
// records are moved, from the first to the last, then
// the outcomes that were moved are removed, then the outbox is dropped. What
// sluice.finishing says of the run changes with each, so that finishing again
// after a crash goes on where it ended. Nothing is removed slice by slice from
// where it lies: DuckDB would write what stays of a half-emptied piece of a
// table anew, over and over, and take much memory for it.

// Slices of records moved, and of outcomes removed; tests take smaller ones. A
// slice moved is joined with the whole record state, so that small ones make long
// runs slow.
var (
	finishSlice int64 = 100_000
	removeSlice int64 = 500_000
)

// finishedSQL is whether an outbox o is no longer to be read or settled.
const finishedSQL = `(o.finished_at IS NOT NULL OR EXISTS (SELECT 1 FROM sluice.finishing f WHERE f.sync_id = o.sync_id AND f.run_id = o.run_id))`

// Finish implements [runner.OutboundWarehouse].
func (w *Warehouse) Finish(ctx context.Context, syncID, runID string, at time.Time) error {
	if err := checkSync(syncID); err != nil {
		return err
	}
	unlock, err := w.syncs.lock(ctx, syncID)
	if err != nil {
		return err
	}
	defer unlock()
	ctx, s, err := w.session(ctx)
	if err != nil {
		return err
	}
	defer s.done()
	var finished bool
	err = s.QueryRowContext(ctx, `SELECT finished_at IS NOT NULL FROM sluice.outboxes WHERE sync_id = ? AND run_id = ?`, syncID, runID).Scan(&finished)
	if err != nil {
		return w.explain("finish a run of sync "+syncID, noOutbox(syncID, runID, err))
	}
	if finished {
		return nil
	}
	f := finisher{session: s, names: map[string]string{
		"Sync": literal(syncID), "Run": literal(runID), "At": instant(at), "State": stateTable(syncID), "Outbox": outboxTable(syncID),
	}}
	return w.explain("finish run "+runID+" of sync "+syncID, f.run(ctx))
}

// finisher finishes one run.
type finisher struct {
	*session
	names map[string]string // for the templates
}

func (f *finisher) run(ctx context.Context) error {
	if err := f.step(ctx, "finish_begin.sql"); err != nil {
		return err
	}
	moved, last, err := f.bounds(ctx, "SELECT (SELECT moved FROM sluice.finishing WHERE {{of}}), max(seq) FROM "+f.names["Outbox"])
	if err != nil {
		return err
	}
	if err := f.slices(ctx, "finish_slice.sql", moved+1, last, finishSlice); err != nil {
		return err
	}
	first, last, err := f.bounds(ctx, "SELECT min(ord), max(ord) FROM sluice.outcome_pending WHERE {{of}}")
	if err != nil {
		return err
	}
	if err := f.slices(ctx, "finish_remove.sql", first, last, removeSlice); err != nil {
		return err
	}
	return f.step(ctx, "finish_end.sql")
}

// bounds runs a query for two numbers, 1 and 0 where there are none.
func (f *finisher) bounds(ctx context.Context, query string) (first, last int64, err error) {
	var a, b sql.NullInt64
	query = strings.ReplaceAll(query, "{{of}}", "sync_id = "+f.names["Sync"]+" AND run_id = "+f.names["Run"])
	if err := f.QueryRowContext(ctx, query).Scan(&a, &b); err != nil || !a.Valid || !b.Valid {
		return 1, 0, err
	}
	return a.Int64, b.Int64, nil
}

// slices takes one step for each slice of a range of numbers.
func (f *finisher) slices(ctx context.Context, template string, first, last, size int64) error {
	for ; first <= last; first += size {
		f.names["First"], f.names["Last"] = fmt.Sprint(first), fmt.Sprint(min(last, first+size-1))
		if err := f.step(ctx, template); err != nil {
			return err
		}
	}
	return nil
}

// step is one transaction.
func (f *finisher) step(ctx context.Context, template string) error {
	return f.transaction(ctx, func() error {
		_, err := f.exec(ctx, render(template, f.names))
		return err
	})
}
