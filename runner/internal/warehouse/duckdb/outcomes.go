package duckdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"strings"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/runner"
)

// Outcomes implements [runner.OutboundWarehouse].
func (w *Warehouse) Outcomes(ctx context.Context, syncID, runID string, filter runner.OutcomeFilter) iter.Seq2[runner.RecordOutcome, error] {
	return func(yield func(runner.RecordOutcome, error) bool) {
		ctx, s, err := w.session(ctx)
		if err != nil {
			yield(runner.RecordOutcome{}, err)
			return
		}
		defer s.done()
		doing := "read the outcomes of sync " + syncID
		if err := s.outcomes(ctx, syncID, runID, filter, yield); err != nil && !errors.Is(err, errStopped) {
			yield(runner.RecordOutcome{}, w.explain(doing, err))
		}
	}
}

// outcomePage is how many outcomes are held at once.
const outcomePage = 10_000

// outcomes reads the exceptions, then the successes, each in pages by sequence number.
func (s *session) outcomes(ctx context.Context, syncID, runID string, filter runner.OutcomeFilter, yield func(runner.RecordOutcome, error) bool) error {
	left := filter.Limit
	for _, group := range []string{"status <> 'SUCCEEDED'", "status = 'SUCCEEDED'"} {
		for after := int64(-1); ; {
			page := int64(outcomePage)
			if filter.Limit > 0 {
				page = min(page, left)
			}
			if page == 0 {
				return nil
			}
			query := fmt.Sprintf(`SELECT seq, identifier, app_identifier, action, status, class, code, field, message, detail, settled_at
				FROM sluice.outcomes WHERE sync_id = %s AND run_id = %s AND seq > %d AND %s%s ORDER BY seq LIMIT %d`,
				literal(syncID), literal(runID), after, group, filterSQL(filter), page)
			n, last, err := s.outcomePage(ctx, query, yield)
			if err != nil {
				return err
			}
			left -= n
			if n < page {
				break
			}
			after = last
		}
	}
	return nil
}

// filterSQL writes the filter as conditions.
func filterSQL(filter runner.OutcomeFilter) string {
	var b strings.Builder
	in := func(column string, values []string) {
		if len(values) > 0 {
			fmt.Fprintf(&b, " AND %s IN (%s)", column, strings.Join(values, ", "))
		}
	}
	var statuses, identifiers []string
	for _, s := range filter.Statuses {
		statuses = append(statuses, literal(string(s)))
	}
	for _, i := range filter.Identifiers {
		identifiers = append(identifiers, literal(i))
	}
	in("status", statuses)
	in("identifier", identifiers)
	return b.String()
}

// outcomePage hands out one page and returns how many rows it had and the last one's number.
func (s *session) outcomePage(ctx context.Context, query string, yield func(runner.RecordOutcome, error) bool) (n, last int64, err error) {
	rows, err := s.QueryContext(ctx, query)
	if err != nil {
		return 0, 0, err
	}
	defer rows.Close()
	for rows.Next() {
		var o runner.RecordOutcome
		var app, class, code, field, message, detail sql.NullString
		if err := rows.Scan(&o.Seq, &o.Identifier, &app, &o.Action, &o.Status, &class, &code, &field, &message, &detail, &o.At); err != nil {
			return n, last, err
		}
		o.AppIdentifier, o.Class, o.Code = app.String, connector.Class(class.String), code.String
		o.Field, o.Message, o.Detail = field.String, message.String, detail.String
		n, last = n+1, o.Seq
		if !yield(o, nil) {
			return n, last, errStopped
		}
	}
	return n, last, rows.Err()
}

// Mark implements [runner.OutboundWarehouse]. A mark to skip is kept for
// records not seen yet too; other marks apply to records known.
func (w *Warehouse) Mark(ctx context.Context, syncID string, identifiers []string, mark runner.Mark) (int64, error) {
	if err := checkSync(syncID); err != nil {
		return 0, err
	}
	set := ""
	switch mark {
	case runner.MarkSkipOnce, runner.MarkSkipAlways:
		set = "mark = " + literal(string(mark))
	case runner.MarkResync:
		set = "mark = 'resync', attempts = 0"
	case runner.MarkNone:
		set = "mark = NULL"
	default:
		return 0, connector.Errorf(connector.ClassConfig, "MARK", "there is no mark %q", mark)
	}
	return w.decide(ctx, syncID, "mark", func(ctx context.Context, s *session) (int64, error) {
		return s.mark(ctx, stateTable(syncID), identifiers, mark, set)
	})
}

// decide does what the user decided of a sync's records, in one transaction that
// no run of the sync is beside, and returns how many records it concerned.
func (w *Warehouse) decide(ctx context.Context, syncID, doing string, do func(context.Context, *session) (int64, error)) (n int64, err error) {
	unlock, err := w.syncs.lock(ctx, syncID)
	if err != nil {
		return 0, err
	}
	defer unlock()
	ctx, s, err := w.session(ctx)
	if err != nil {
		return 0, err
	}
	defer s.done()
	err = s.transaction(ctx, func() error {
		n, err = do(ctx, s)
		return err
	})
	return n, w.explain(doing+" records of sync "+syncID, err)
}

func (s *session) mark(ctx context.Context, state string, identifiers []string, mark runner.Mark, set string) (int64, error) {
	if _, err := s.exec(ctx, render("state.sql", map[string]string{"State": state})); err != nil {
		return 0, err
	}
	if _, err := s.exec(ctx, `CREATE OR REPLACE TEMP TABLE sluice_marked AS SELECT DISTINCT unnest(?::VARCHAR[]) AS identifier`, identifiers); err != nil {
		return 0, err
	}
	n, err := s.exec(ctx, "UPDATE "+state+" SET "+set+" WHERE identifier IN (SELECT identifier FROM sluice_marked)")
	if err != nil || (mark != runner.MarkSkipOnce && mark != runner.MarkSkipAlways) {
		return n, err
	}
	added, err := s.exec(ctx, "INSERT INTO "+state+" (identifier, synced, in_app, attempts, mark) SELECT identifier, false, false, 0, "+literal(string(mark))+
		" FROM sluice_marked m WHERE NOT EXISTS (SELECT 1 FROM "+state+" s WHERE s.identifier = m.identifier)")
	return n + added, err
}
