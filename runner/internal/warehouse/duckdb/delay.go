package duckdb

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/sluiceio/sluice/connector"
)

// delaySlice is the number of records of an outbox that are looked at in one
// transaction, so that memory does not grow with the run.
const delaySlice = 250_000

// Delay implements [runner.OutboundWarehouse].
func (w *Warehouse) Delay(ctx context.Context, syncID, runID string, at time.Time, except []connector.SeqRange, why *connector.Error) (int64, error) {
	if err := checkSync(syncID); err != nil {
		return 0, err
	}
	ctx, s, err := w.session(ctx)
	if err != nil {
		return 0, err
	}
	defer s.done()
	doing := "delay records of sync " + syncID
	if err := s.underWay(ctx, syncID, runID); err != nil {
		return 0, w.explain(doing, err)
	}
	var last int64
	if err := s.QueryRowContext(ctx, "SELECT coalesce(max(seq), 0) FROM "+outboxTable(syncID)).Scan(&last); err != nil {
		return 0, w.explain(doing, err)
	}
	d := delay{session: s, syncID: syncID, runID: runID, at: at, why: why}
	if err := d.leave(ctx, except); err != nil {
		return 0, w.explain(doing, err)
	}
	var all int64
	for first := int64(1); first <= last; first += delaySlice {
		var n int64
		err := s.transaction(ctx, func() (err error) {
			n, err = d.slice(ctx, first, min(last, first+delaySlice-1))
			return err
		})
		if err != nil {
			return all, w.explain(doing, err)
		}
		all += n
	}
	return all, nil
}

// delay is one call of Delay.
type delay struct {
	*session
	syncID, runID string
	at            time.Time
	why           *connector.Error
}

// leave notes the ranges that are left alone.
func (d *delay) leave(ctx context.Context, except []connector.SeqRange) error {
	var first, last []string
	for _, r := range except {
		first, last = append(first, fmt.Sprint(r.First)), append(last, fmt.Sprint(r.Last))
	}
	_, err := d.exec(ctx, fmt.Sprintf("CREATE OR REPLACE TEMP TABLE sluice_left AS SELECT unnest([%s]::BIGINT[]) AS first, unnest([%s]::BIGINT[]) AS last",
		strings.Join(first, ","), strings.Join(last, ",")))
	return err
}

func (d *delay) slice(ctx context.Context, first, last int64) (int64, error) {
	class, code, message := "NULL", "NULL", "NULL"
	if d.why != nil {
		class, code, message = literal(string(d.why.Class)), literal(d.why.Code), literal(d.why.Message)
	}
	between := fmt.Sprintf("seq BETWEEN %d AND %d", first, last)
	return d.exec(ctx, fmt.Sprintf(`
		INSERT INTO sluice.outcome_pending
		SELECT %[1]s, %[2]s, nextval('sluice.outcome_ord'), seq, identifier, action, %[3]s, NULL, %[4]s, %[5]s, NULL, %[6]s, NULL, %[7]s
		FROM %[8]s o
		WHERE %[9]s
			AND seq NOT IN (SELECT seq FROM sluice.outcome_pending WHERE sync_id = %[1]s AND run_id = %[2]s AND %[9]s)
			AND NOT EXISTS (SELECT 1 FROM sluice_left l WHERE o.seq BETWEEN l.first AND l.last)
		ORDER BY seq`,
		literal(d.syncID), literal(d.runID), literal(string(connector.StatusDelayed)), class, code, message, instant(d.at), outboxTable(d.syncID), between))
}
