package duckdb

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/runner"
)

// background is the context of a process without a test around it.
func background() context.Context { return context.Background() }

func killPlan() runner.OutboundPlan {
	return runner.OutboundPlan{
		SyncID: "kill", Source: runner.Source{Table: "source"}, Identifier: "id", Strategy: connector.StrategyUpsert, Now: time.Now(),
		Mappings: []runner.Mapping{{Field: "V", Expression: "v"}},
	}
}

// unfinished returns the run of a sync that is not finished, or "".
func (w *Warehouse) unfinished(ctx context.Context, syncID string) (run string, err error) {
	err = w.db.QueryRowContext(ctx, `SELECT run_id FROM sluice.outboxes WHERE sync_id = ? AND finished_at IS NULL`, syncID).Scan(&run)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return run, err
}
