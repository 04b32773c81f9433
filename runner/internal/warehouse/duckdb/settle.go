package duckdb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"time"

	duckdbgo "github.com/duckdb/duckdb-go/v2"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/runner"
)

// noOutbox says that a run was never planned.
func noOutbox(syncID, runID string, err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("run %s of sync %s has no outbox; plan it first: %w", runID, syncID, runner.ErrNotFound)
	}
	return err
}

// Settle implements [runner.OutboundWarehouse].
func (w *Warehouse) Settle(ctx context.Context, syncID, runID string, at time.Time, outcomes []connector.Outcomes) error {
	if err := checkSync(syncID); err != nil {
		return err
	}
	ctx, s, err := w.session(ctx)
	if err != nil {
		return err
	}
	defer s.done()
	if err := s.underWay(ctx, syncID, runID); err != nil {
		return w.explain("settle records of sync "+syncID, err)
	}
	err = s.transaction(ctx, func() error {
		staged, err := s.stageOutcomes(ctx, outcomes)
		if err != nil || staged == 0 {
			return err
		}
		return s.logOutcomes(ctx, syncID, runID, at, staged)
	})
	return w.explain("settle records of sync "+syncID, err)
}

// underWay checks that a run has an outbox and is not finished, or about to be.
func (s *session) underWay(ctx context.Context, syncID, runID string) error {
	var finished bool
	err := s.QueryRowContext(ctx, `SELECT `+finishedSQL+` FROM sluice.outboxes o WHERE sync_id = ? AND run_id = ?`, syncID, runID).Scan(&finished)
	if err != nil {
		return noOutbox(syncID, runID, err)
	}
	if finished {
		return fmt.Errorf("run %s of sync %s is finished; its records cannot be settled any more", runID, syncID)
	}
	return nil
}

// stageOutcomes loads outcomes into a temporary table, numbered in order.
func (s *session) stageOutcomes(ctx context.Context, outcomes []connector.Outcomes) (int64, error) {
	_, err := s.exec(ctx, `CREATE OR REPLACE TEMP TABLE sluice_settled (n BIGINT, seq BIGINT, status VARCHAR,
		app_identifier VARCHAR, class VARCHAR, code VARCHAR, field VARCHAR, message VARCHAR, detail VARCHAR)`)
	if err != nil {
		return 0, err
	}
	var n int64
	err = s.Raw(func(raw any) error {
		a, err := duckdbgo.NewAppender(raw.(*duckdbgo.Conn), "temp", "main", "sluice_settled")
		if err != nil {
			return err
		}
		for _, o := range outcomes {
			if err := appendOutcomes(a, o, &n); err != nil {
				return errors.Join(err, a.Clear(), a.Close())
			}
		}
		return a.CloseWithCancel(ctx)
	})
	return n, err
}

// appendOutcomes writes one group of outcomes, one row for each record.
func appendOutcomes(a *duckdbgo.Appender, o connector.Outcomes, n *int64) error {
	next := 0
	for i, seq := range o.Seqs {
		row := [9]driver.Value{*n, seq, string(connector.StatusSucceeded)}
		if o.AppIdentifiers != nil && o.AppIdentifiers[i] != "" {
			row[3] = o.AppIdentifiers[i]
		}
		for next < len(o.Exceptions) && o.Exceptions[next].Row < i {
			next++
		}
		if next < len(o.Exceptions) && o.Exceptions[next].Row == i {
			exception(row[2:], o.Exceptions[next])
		}
		if err := a.AppendRow(row[:]...); err != nil {
			return err
		}
		*n++
	}
	return nil
}

// exception fills in status, then class, code, field, message and detail from
// the fourth on; what is empty stays null.
func exception(row []driver.Value, o connector.RowOutcome) {
	row[0] = string(o.Status)
	set := func(i int, text string) {
		if text != "" {
			row[i] = text
		}
	}
	set(6, o.Detail)
	if o.Error == nil {
		return
	}
	var fields []string
	for _, f := range o.Error.Fields {
		fields = append(fields, f.Field)
	}
	set(2, string(o.Error.Class))
	set(3, o.Error.Code)
	set(4, strings.Join(fields, ", "))
	set(5, o.Error.Message)
}

// logOutcomes appends the staged outcomes to the log, joined with the outbox.
// The outbox lies in the order of seq, so that only the rows near are read.
func (s *session) logOutcomes(ctx context.Context, syncID, runID string, at time.Time, staged int64) error {
	var first, last int64
	if err := s.QueryRowContext(ctx, `SELECT min(seq), max(seq) FROM sluice_settled`).Scan(&first, &last); err != nil {
		return err
	}
	n, err := s.exec(ctx, fmt.Sprintf(`
		INSERT INTO sluice.outcome_pending
		SELECT %s, %s, nextval('sluice.outcome_ord'), seq, identifier, action, status, app_identifier, class, code, field, message, detail, %s
		FROM (SELECT t.*, o.identifier, o.action
			FROM sluice_settled t JOIN (SELECT seq, identifier, action FROM %s WHERE seq BETWEEN %d AND %d) o ON o.seq = t.seq
			ORDER BY t.n)`,
		literal(syncID), literal(runID), instant(at), outboxTable(syncID), first, last))
	if err != nil {
		return err
	}
	if n != staged {
		return fmt.Errorf("%d of %d outcomes are for records that run %s of sync %s does not have; nothing was settled", staged-n, staged, runID, syncID)
	}
	return nil
}

// Counts implements [runner.OutboundWarehouse].
func (w *Warehouse) Counts(ctx context.Context, syncID, runID string) (map[connector.Status]int64, error) {
	ctx, s, err := w.session(ctx)
	if err != nil {
		return nil, err
	}
	defer s.done()
	counts := map[connector.Status]int64{}
	var open int64
	if err := s.QueryRowContext(ctx, `SELECT records FROM sluice.outboxes WHERE sync_id = ? AND run_id = ?`, syncID, runID).Scan(&open); err != nil {
		return nil, w.explain("count the outcomes of sync "+syncID, noOutbox(syncID, runID, err))
	}
	rows, err := s.QueryContext(ctx, `SELECT status, count(*) FROM sluice.outcomes WHERE sync_id = ? AND run_id = ? GROUP BY status`, syncID, runID)
	if err != nil {
		return nil, w.explain("count the outcomes of sync "+syncID, err)
	}
	defer rows.Close()
	for rows.Next() {
		var status connector.Status
		var n int64
		if err := rows.Scan(&status, &n); err != nil {
			return nil, err
		}
		counts[status] = n
		open -= n
	}
	if open > 0 {
		counts[""] = open
	}
	return counts, w.explain("count the outcomes of sync "+syncID, rows.Err())
}
