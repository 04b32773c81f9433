package duckdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/runner"
)

// Accept implements [runner.OutboundWarehouse]. A removal that is accepted is
// forgotten, as after a removal that succeeded.
func (w *Warehouse) Accept(ctx context.Context, syncID string, identifiers, appIdentifiers []string, at time.Time) (int64, error) {
	if err := checkSync(syncID); err != nil {
		return 0, err
	}
	if len(appIdentifiers) != 0 && len(appIdentifiers) != len(identifiers) {
		return 0, fmt.Errorf("accept records of sync %s: %d app identifiers for %d records", syncID, len(appIdentifiers), len(identifiers))
	}
	return w.decide(ctx, syncID, "accept", func(ctx context.Context, s *session) (int64, error) {
		return s.accept(ctx, stateTable(syncID), identifiers, appIdentifiers, at)
	})
}

func (s *session) accept(ctx context.Context, state string, identifiers, appIdentifiers []string, at time.Time) (int64, error) {
	if _, err := s.exec(ctx, render("state.sql", map[string]string{"State": state})); err != nil {
		return 0, err
	}
	if len(appIdentifiers) == 0 {
		appIdentifiers = make([]string, len(identifiers))
	}
	_, err := s.exec(ctx, `CREATE OR REPLACE TEMP TABLE sluice_accepted AS SELECT identifier, max(nullif(app, '')) AS app
		FROM (SELECT unnest(?::VARCHAR[]) AS identifier, unnest(?::VARCHAR[]) AS app) GROUP BY identifier`, identifiers, appIdentifiers)
	if err != nil {
		return 0, err
	}
	gone, err := s.exec(ctx, "DELETE FROM "+state+" WHERE status = 'IN_DOUBT' AND tried IS NULL AND identifier IN (SELECT identifier FROM sluice_accepted)")
	if err != nil {
		return 0, err
	}
	n, err := s.exec(ctx, "UPDATE "+state+` AS s SET synced = true, in_app = s.action IS DISTINCT FROM 'Delete', hash = s.tried, status = 'SUCCEEDED',
		app_identifier = coalesce(a.app, s.app_identifier), class = NULL, code = 'ACCEPTED', field = NULL, message = 'accepted by the user',
		attempts = 0, mark = NULL, last_at = `+instant(at)+`
		FROM sluice_accepted a WHERE a.identifier = s.identifier AND s.status = 'IN_DOUBT'`)
	return gone + n, err
}

// RecordStates implements [runner.OutboundWarehouse].
func (w *Warehouse) RecordStates(ctx context.Context, syncID string, filter runner.OutcomeFilter) iter.Seq2[runner.RecordState, error] {
	return func(yield func(runner.RecordState, error) bool) {
		if err := checkSync(syncID); err != nil {
			yield(runner.RecordState{}, err)
			return
		}
		ctx, s, err := w.session(ctx)
		if err != nil {
			yield(runner.RecordState{}, err)
			return
		}
		defer s.done()
		if err := s.recordStates(ctx, stateTable(syncID), filter, yield); err != nil && !errors.Is(err, errStopped) {
			yield(runner.RecordState{}, w.explain("read the records of sync "+syncID, err))
		}
	}
}

// recordStates reads pages by identifier, so that no more than one is held.
func (s *session) recordStates(ctx context.Context, state string, filter runner.OutcomeFilter, yield func(runner.RecordState, error) bool) error {
	if _, err := s.exec(ctx, render("state.sql", map[string]string{"State": state})); err != nil {
		return err
	}
	left, after := filter.Limit, ""
	for first := true; ; first = false {
		page := int64(outcomePage)
		if filter.Limit > 0 {
			page = min(page, left)
		}
		if page == 0 {
			return nil
		}
		beyond := "true"
		if !first {
			beyond = "identifier > " + literal(after)
		}
		n, last, err := s.recordPage(ctx, fmt.Sprintf(`SELECT identifier, app_identifier, synced, action, status, class, code, field, message, attempts, last_run, last_at, mark
			FROM %s WHERE %s%s ORDER BY identifier LIMIT %d`, state, beyond, filterSQL(filter), page), yield)
		if err != nil || n < page {
			return err
		}
		left -= n
		after = last
	}
}

func (s *session) recordPage(ctx context.Context, query string, yield func(runner.RecordState, error) bool) (n int64, last string, err error) {
	rows, err := s.QueryContext(ctx, query)
	if err != nil {
		return 0, "", err
	}
	defer rows.Close()
	for rows.Next() {
		var r runner.RecordState
		var app, action, status, class, code, field, message, run, mark sql.NullString
		var at sql.NullTime
		if err := rows.Scan(&r.Identifier, &app, &r.Synced, &action, &status, &class, &code, &field, &message, &r.Attempts, &run, &at, &mark); err != nil {
			return n, last, err
		}
		r.AppIdentifier, r.Action, r.Status, r.Class = app.String, connector.Action(action.String), connector.Status(status.String), connector.Class(class.String)
		r.Code, r.Field, r.Message, r.RunID, r.At, r.Mark = code.String, field.String, message.String, run.String, at.Time, runner.Mark(mark.String)
		n, last = n+1, r.Identifier
		if !yield(r, nil) {
			return n, last, errStopped
		}
	}
	return n, last, rows.Err()
}
