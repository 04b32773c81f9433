package duckdb

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/runner"
)

// Plan implements [runner.OutboundWarehouse]. A preview does everything a plan
// does and rolls it back.
func (w *Warehouse) Plan(ctx context.Context, plan runner.OutboundPlan) (runner.PlanReport, error) {
	if err := checkSync(plan.SyncID); err != nil {
		return runner.PlanReport{}, err
	}
	unlock, err := w.syncs.lock(ctx, plan.SyncID)
	if err != nil {
		return runner.PlanReport{}, err
	}
	defer unlock()
	ctx, s, err := w.session(ctx)
	if err != nil {
		return runner.PlanReport{}, err
	}
	defer s.done()
	if plan.RunID != "" {
		if report, found, err := s.keptReport(ctx, plan.SyncID, plan.RunID); found || err != nil {
			return report, w.explain("look for the outbox of sync "+plan.SyncID, err)
		}
	}
	// The temporary tables and the view go with the connection.
	s.discard = true
	var p planner
	err = s.transaction(ctx, func() error {
		p = planner{session: s, plan: plan}
		return p.run(ctx)
	})
	if errors.Is(err, errPreview) {
		err = nil
	}
	if f, ok := errors.AsType[*diffFailure](err); ok {
		err = p.blame(ctx, f)
	}
	if _, ok := errors.AsType[*runner.PlanError](err); ok && ctx.Err() == nil {
		return runner.PlanReport{}, err
	}
	if err != nil {
		return runner.PlanReport{}, w.explain("plan sync "+plan.SyncID, errors.Join(ctx.Err(), err))
	}
	return p.report, nil
}

// errPreview rolls a preview back.
var errPreview = errors.New("preview")

// keptReport returns the report of a run that has been planned, and refuses
// when another run of the sync is not finished.
func (s *session) keptReport(ctx context.Context, syncID, runID string) (runner.PlanReport, bool, error) {
	var report runner.PlanReport
	var kept string
	err := s.QueryRowContext(ctx, `SELECT report FROM sluice.outboxes WHERE sync_id = ? AND run_id = ?`, syncID, runID).Scan(&kept)
	if err == nil {
		return report, true, json.Unmarshal([]byte(kept), &report)
	}
	if !errors.Is(err, sql.ErrNoRows) {
		return report, false, err
	}
	var other string
	err = s.QueryRowContext(ctx, `SELECT run_id FROM sluice.outboxes WHERE sync_id = ? AND finished_at IS NULL`, syncID).Scan(&other)
	if errors.Is(err, sql.ErrNoRows) {
		return report, false, nil
	}
	if err == nil {
		err = fmt.Errorf("%w: run %s of sync %s is not finished; resume or finish it first", runner.ErrRunning, other, syncID)
	}
	return report, false, err
}

// planner makes one plan.
type planner struct {
	*session
	plan   runner.OutboundPlan
	report runner.PlanReport
	// known is the number of records to be sent, by action, that the record state
	// knows.
	known map[connector.Action]int64
}

func (p *planner) run(ctx context.Context) error {
	data, err := p.prepare(ctx)
	if err != nil {
		return err
	}
	if _, err := p.exec(ctx, render("state.sql", data)); err != nil {
		return err
	}
	if err := p.execOne(ctx, render("diff.sql", data)); err != nil {
		return p.diffError(ctx, data, err)
	}
	if err := p.checkIdentifiers(ctx, data); err != nil {
		return err
	}
	if _, err := p.exec(ctx, render("gone.sql", data)); err != nil {
		return err
	}
	if err := p.limit(ctx); err != nil {
		return err
	}
	if err := p.count(ctx); err != nil {
		return err
	}
	if err := p.sample(ctx, len(data.Columns)); err != nil {
		return err
	}
	if p.plan.RunID == "" {
		return errPreview
	}
	return p.fill(ctx, data)
}

// limit keeps the first records by identifier, whatever is done with them.
func (p *planner) limit(ctx context.Context) error {
	if p.plan.Limit <= 0 {
		return nil
	}
	_, err := p.exec(ctx, fmt.Sprintf(`
		CREATE TEMP TABLE sluice_picked AS
		SELECT identifier FROM (
			SELECT identifier FROM sluice_diff WHERE verdict = 'send' UNION ALL
			SELECT identifier FROM sluice_gone WHERE verdict = 'send')
		ORDER BY identifier LIMIT %d;
		UPDATE sluice_diff SET verdict = 'beyond' WHERE verdict = 'send' AND identifier NOT IN (SELECT identifier FROM sluice_picked);
		UPDATE sluice_gone SET verdict = 'beyond' WHERE verdict = 'send' AND identifier NOT IN (SELECT identifier FROM sluice_picked)`, p.plan.Limit))
	return err
}

// count fills in the numbers of the report.
func (p *planner) count(ctx context.Context) error {
	rows, err := p.QueryContext(ctx, `
		SELECT verdict, action, reason, count(*), count(*) FILTER (known) FROM sluice_diff GROUP BY ALL UNION ALL
		SELECT verdict, action, reason, count(*), 0 FROM sluice_gone GROUP BY ALL`)
	if err != nil {
		return err
	}
	defer rows.Close()
	r := &p.report
	p.known = map[connector.Action]int64{}
	for rows.Next() {
		var verdict string
		var c runner.ActionCount
		var known int64
		if err := rows.Scan(&verdict, &c.Action, &c.Reason, &c.Count, &known); err != nil {
			return err
		}
		switch verdict {
		case "send":
			r.Actions = append(r.Actions, c)
			r.Records += c.Count
			p.known[c.Action] += known
		case "unchanged":
			r.Unchanged += c.Count
		case "skipped":
			r.Skipped += c.Count
		case "held":
			r.HeldBack += c.Count
		}
	}
	order := p.actions()
	slices.SortFunc(r.Actions, func(a, b runner.ActionCount) int {
		if d := slices.Index(order, a.Action) - slices.Index(order, b.Action); d != 0 {
			return d
		}
		return strings.Compare(string(a.Reason), string(b.Reason))
	})
	return rows.Err()
}

// actions lists the strategy's actions in the order they are sent: removals
// last, so that nothing is taken away before what replaces it is there.
func (p *planner) actions() []connector.Action {
	s := p.plan.Strategy
	var list []connector.Action
	for _, a := range []connector.Action{s.New, s.Changed, s.Unchanged, s.Removed} {
		if a != "" && !slices.Contains(list, a) {
			list = append(list, a)
		}
	}
	return list
}

// sample collects some records of each action.
func (p *planner) sample(ctx context.Context, width int) error {
	if p.plan.Samples <= 0 {
		return nil
	}
	for _, action := range p.actions() {
		rows, err := p.QueryContext(ctx, p.chosen(width)+" LIMIT ?", string(action), string(action), p.plan.Samples)
		if err != nil {
			return err
		}
		for rows.Next() {
			cells := make([]sql.NullString, width)
			sample := runner.Sample{Action: action, Values: make([]string, width), Null: make([]bool, width)}
			into := []any{&sample.Identifier}
			for i := range cells {
				into = append(into, &cells[i])
			}
			if err := rows.Scan(into...); err != nil {
				return errors.Join(err, rows.Close())
			}
			for i, c := range cells {
				sample.Values[i], sample.Null[i] = c.String, !c.Valid
			}
			p.report.Samples = append(p.report.Samples, sample)
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return err
		}
	}
	return nil
}

// chosen selects the records to be sent with one action (given twice as an
// argument): those of the source in its order, then those gone from it.
func (p *planner) chosen(width int) string {
	return "SELECT identifier" + values(width, "c%d") + " FROM sluice_diff WHERE verdict = 'send' AND action = ? UNION ALL " +
		"SELECT identifier" + values(width, "NULL::VARCHAR") + " FROM sluice_gone WHERE verdict = 'send' AND action = ?"
}

// outgoing selects the same with all that the outbox keeps of them. What the app
// calls a record is looked up here, and only where there is something to find.
func (p *planner) outgoing(width int, action connector.Action, data planData) string {
	app, from := "NULL", "sluice_diff d"
	if p.known[action] > 0 {
		app, from = "s.app_identifier", from+" LEFT JOIN "+data.State+" s ON s.identifier = d.identifier"
	}
	return "SELECT d.identifier, " + app + " AS app_identifier, d.action, d.reason, false, d.hash" + values(width, "d.c%d") +
		" FROM " + from + " WHERE d.verdict = 'send' AND d.action = ? UNION ALL " +
		"SELECT identifier, app_identifier, action, reason, true, NULL::UHUGEINT" + values(width, "NULL::VARCHAR") +
		" FROM sluice_gone WHERE verdict = 'send' AND action = ?"
}

// values lists a plan's columns, each after a comma.
func values(width int, form string) string {
	var list strings.Builder
	for i := range width {
		list.WriteString(", " + strings.ReplaceAll(form, "%d", fmt.Sprint(i)))
	}
	return list.String()
}

// fill writes the outbox and the marks used up, and registers the run. A run with
// nothing to send has no outbox and is finished with its plan.
func (p *planner) fill(ctx context.Context, data planData) error {
	finished := "NULL"
	if p.report.Records == 0 {
		data.Outbox, finished = "", instant(p.plan.Now)
	} else if err := p.outbox(ctx, data); err != nil {
		return err
	}
	if _, err := p.exec(ctx, render("marks.sql", data)); err != nil {
		return err
	}
	if err := p.forget(ctx, data); err != nil {
		return err
	}
	kept, err := json.Marshal(p.report)
	if err != nil {
		return err
	}
	_, err = p.exec(ctx, `INSERT INTO sluice.outboxes VALUES (?, ?, ?, ?, `+instant(p.plan.Now)+`, `+finished+`)`, p.plan.SyncID, p.plan.RunID, string(kept), p.report.Records)
	return err
}

// outbox writes the outbox.
func (p *planner) outbox(ctx context.Context, data planData) error {
	var ddl strings.Builder
	fmt.Fprintf(&ddl, "CREATE TABLE %s (seq BIGINT, identifier VARCHAR, app_identifier VARCHAR, action VARCHAR, reason VARCHAR, removed BOOLEAN, hash UHUGEINT", data.Outbox)
	for i := range data.Columns {
		fmt.Fprintf(&ddl, ", c%d VARCHAR", i)
	}
	ddl.WriteString(")")
	if _, err := p.exec(ctx, ddl.String()); err != nil {
		return err
	}
	var seq int64
	for _, action := range p.actions() {
		n, err := p.exec(ctx, fmt.Sprintf("INSERT INTO %s SELECT %d + row_number() OVER (), * FROM (%s)", data.Outbox, seq, p.outgoing(len(data.Columns), action, data)), string(action), string(action))
		if err != nil {
			return err
		}
		seq += n
	}
	if seq != p.report.Records {
		return fmt.Errorf("the outbox has %d records where the plan counted %d", seq, p.report.Records)
	}
	return nil
}

// forget drops the state of records that were deleted by a strategy which deletes
// what it sees, once the source no longer has them: they are new when they come
// back. Whether there are any is asked first, because looking for them in the
// source costs as much as a third of a plan.
func (p *planner) forget(ctx context.Context, data planData) error {
	const deleted = "synced AND NOT in_app AND mark IS NULL"
	var any bool
	if err := p.QueryRowContext(ctx, "SELECT count(*) > 0 FROM "+data.State+" WHERE "+deleted).Scan(&any); err != nil || !any {
		return err
	}
	_, err := p.exec(ctx, "DELETE FROM "+data.State+" AS s WHERE "+deleted+" AND NOT EXISTS (SELECT 1 FROM sluice_diff d WHERE d.identifier = s.identifier)")
	return err
}
