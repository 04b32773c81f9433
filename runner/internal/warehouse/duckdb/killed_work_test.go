package duckdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/runner"
)

// background is the context of a process without a test around it.
func background() context.Context { return context.Background() }

func killPlan() runner.OutboundPlan {
	return runner.OutboundPlan{
		SyncID: "kill", Source: runner.Source{Table: "source"}, Identifier: "id", Strategy: connector.StrategyMirror, Now: time.Now(),
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

// work is the process that is killed: it opens the file, runs a sync each way
// and closes it, for ever, saying on stdout what it was told is done.
func work(path string) error {
	rows, err := strconv.Atoi(os.Getenv("SLUICE_TEST_ROWS"))
	if err != nil {
		return err
	}
	finishSlice, removeSlice = int64(rows/4+1), int64(rows/3+1)
	for n := 1; ; n++ {
		w, err := Open(background(), Config{Path: path})
		if err != nil {
			return err
		}
		var both sync.WaitGroup
		var out, in error
		run := fmt.Sprint(time.Now().UnixNano())
		both.Go(func() { out = workOutbound(w, run, rows) })
		both.Go(func() { in = workInbound(w, run, rows) })
		both.Wait()
		if err := errors.Join(out, in, w.Close()); err != nil {
			return err
		}
	}
}

// workOutbound runs a Mirror of rows that come, change and go.
func workOutbound(w *Warehouse, run string, rows int) error {
	ctx := background()
	plan := killPlan()
	plan.RunID = run
	open, err := w.unfinished(ctx, plan.SyncID)
	if err != nil {
		return err
	}
	if open != "" {
		plan.RunID = open
	} else if _, err := w.db.ExecContext(ctx, `CREATE OR REPLACE TABLE source AS SELECT range + ?::BIGINT % ? AS id, ? AS v FROM range(?)`, run, rows, run, rows); err != nil {
		return err
	}
	if _, err := w.Plan(ctx, plan); err != nil {
		return err
	}
	fmt.Println("PLANNED", plan.RunID)
	for b, err := range w.Records(ctx, plan.SyncID, plan.RunID, runner.OutboxSelection{Unsettled: true, BatchRows: rows/12 + 1}) {
		if err != nil {
			return err
		}
		if err := w.Settle(ctx, plan.SyncID, plan.RunID, time.Now(), []connector.Outcomes{{Seqs: b.Seqs}}); err != nil {
			return err
		}
		fmt.Println("SETTLED", plan.RunID, b.Seqs[len(b.Seqs)-1])
	}
	if err := w.Finish(ctx, plan.SyncID, plan.RunID, time.Now()); err != nil {
		return err
	}
	fmt.Println("FINISHED", plan.RunID)
	return nil
}

// workInbound receives one stream with several checkpoints.
func workInbound(w *Warehouse, run string, rows int) error {
	ctx := background()
	sw, err := w.OpenStream(ctx, runner.StreamTarget{SyncID: "kill", RunID: run, Stream: "s", Table: "received", Key: []string{"id"}, Storage: runner.StorageMerge, RetrievedAt: time.Now()})
	if err != nil {
		return err
	}
	schema := &connector.Schema{ID: "1", Columns: []connector.Column{{Name: "id", Type: connector.Type{Kind: connector.KindInt64}}, {Name: "batch", Type: connector.Type{Kind: connector.KindString}}}}
	for range 4 {
		state := strconv.FormatInt(time.Now().UnixNano(), 10)
		b := &connector.RecordBatch{Schema: schema, Rows: rows/6 + 1, Columns: make([]connector.Values, 2)}
		for i := range b.Rows {
			b.Columns[0].Texts = append(b.Columns[0].Texts, strconv.Itoa(i))
			b.Columns[1].Texts = append(b.Columns[1].Texts, state)
		}
		if err := sw.Append(ctx, b); err != nil {
			return err
		}
		if _, err := sw.Commit(ctx, state, false); err != nil {
			return err
		}
		fmt.Println("COMMITTED", state, b.Rows)
	}
	return sw.Close()
}
