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
	if f, ok := errors.AsType[*readFailure](err); ok {
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

// planner makes one plan. The source is read once for its identifiers and the hashes
// of what is mapped, which are joined with the record state; what is in the app
// already goes no further. The values of records to be sent are read after that, into
// the outbox: carried through the join, they would be written to disk and read again,
// where there are many, for all records of the source.
type planner struct {
	*session
	plan   runner.OutboundPlan
	report runner.PlanReport
	parts  map[part]size
}

// part is a part of the records to be sent: those of the source, or those gone from
// it, that are sent with one action.
type part struct {
	action  connector.Action
	removed bool
}

// size says of a part how many records it has, and how many of them the record state
// knows. The reason is set where it is the same for all rows of the source.
type size struct {
	records, known int64
	reason         runner.Reason
}

func (p *planner) run(ctx context.Context) error {
	data, err := p.prepare(ctx)
	if err != nil {
		return err
	}
	if _, err := p.exec(ctx, render("state.sql", data)); err != nil {
		return err
	}
	if err := p.execOne(ctx, render("seen.sql", data)); err != nil {
		return p.sourceFailure(ctx, data, err)
	}
	if err := p.checkNulls(ctx); err != nil {
		return err
	}
	if _, err := p.exec(ctx, render("diff.sql", data)); err != nil {
		return err
	}
	if err := p.checkDuplicates(ctx, data); err != nil {
		return err
	}
	if err := p.limit(ctx); err != nil {
		return err
	}
	if err := p.count(ctx); err != nil {
		return err
	}
	if err := p.sample(ctx, data); err != nil {
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
		CREATE TEMP TABLE sluice_picked AS SELECT identifier FROM sluice_diff WHERE verdict = 'send' ORDER BY identifier LIMIT %d;
		UPDATE sluice_diff SET verdict = 'beyond' WHERE verdict = 'send' AND identifier NOT IN (SELECT identifier FROM sluice_picked)`, p.plan.Limit))
	return err
}

// count fills in the numbers of the report.
func (p *planner) count(ctx context.Context) error {
	rows, err := p.QueryContext(ctx, `SELECT verdict, action, reason, removed, count(*), count(*) FILTER (known) FROM sluice_diff GROUP BY ALL`)
	if err != nil {
		return err
	}
	defer rows.Close()
	r := &p.report
	r.Unchanged = r.SourceRows // but for those of which something is kept
	p.parts = map[part]size{}
	for rows.Next() {
		var verdict string
		var removed bool
		var c runner.ActionCount
		var known int64
		if err := rows.Scan(&verdict, &c.Action, &c.Reason, &removed, &c.Count, &known); err != nil {
			return err
		}
		if !removed {
			r.Unchanged -= c.Count
		}
		switch verdict {
		case "send":
			r.Actions = append(r.Actions, c)
			r.Records += c.Count
			at := part{c.Action, removed}
			n := size{records: p.parts[at].records + c.Count, known: p.parts[at].known + known}
			if !removed && c.Count == r.SourceRows {
				n.reason = c.Reason
			}
			p.parts[at] = n
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

// order lists the parts that have records as they are sent.
func (p *planner) order() []part {
	var list []part
	for _, action := range p.actions() {
		for _, at := range []part{{action, false}, {action, true}} {
			if p.parts[at].records > 0 {
				list = append(list, at)
			}
		}
	}
	return list
}

// sample collects some records of each action: those of the source in its order,
// then those gone from it.
func (p *planner) sample(ctx context.Context, data planData) error {
	left := map[connector.Action]int{}
	for _, at := range p.order() {
		if _, begun := left[at.action]; !begun {
			left[at.action] = p.plan.Samples
		}
		if left[at.action] <= 0 {
			continue
		}
		n, err := p.samples(ctx, at, data, left[at.action])
		if err != nil {
			return err
		}
		left[at.action] -= n
	}
	return nil
}

// samples reads samples of one part and returns their number.
func (p *planner) samples(ctx context.Context, at part, data planData, most int) (n int, err error) {
	width := len(data.Columns)
	query := fmt.Sprintf("SELECT identifier FROM sluice_diff WHERE %s LIMIT %d", at.chosen(), most)
	if at.removed {
		query = "SELECT identifier" + values(width, "NULL::VARCHAR") + " FROM (" + query + ")"
	} else {
		query = "SELECT identifier" + values(width, "c%d") + " FROM (" + render("texts", data) + ") JOIN (" + query + ") USING (identifier)"
	}
	rows, err := p.QueryContext(ctx, query)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		cells := make([]sql.NullString, width)
		sample := runner.Sample{Action: at.action, Values: make([]string, width), Null: make([]bool, width)}
		into := []any{&sample.Identifier}
		for i := range cells {
			into = append(into, &cells[i])
		}
		if err := rows.Scan(into...); err != nil {
			return n, err
		}
		for i, c := range cells {
			sample.Values[i], sample.Null[i] = c.String, !c.Valid
		}
		p.report.Samples = append(p.report.Samples, sample)
		n++
	}
	return n, rows.Err()
}

// chosen is the condition for the records of a part.
func (at part) chosen() string {
	return fmt.Sprintf("verdict = 'send' AND action = %s AND removed = %t", literal(string(at.action)), at.removed)
}

// lookUp puts the records to be sent, with what the app calls them, into a table of
// their own. Joined with the source in the same statement they would need its memory
// twice.
func (p *planner) lookUp(ctx context.Context, data planData) error {
	_, err := p.exec(ctx, `CREATE TEMP TABLE sluice_sent AS
		SELECT d.*, s.app_identifier FROM (FROM sluice_diff WHERE verdict = 'send') d LEFT JOIN `+data.State+` s ON s.identifier = d.identifier`)
	return err
}

// outgoing selects the records of a part with all that the outbox keeps of them.
func (p *planner) outgoing(at part, data planData) string {
	width, source := len(data.Columns), "("+render("texts", data)+")"
	switch n := p.parts[at]; {
	case at.removed:
		return "SELECT identifier, app_identifier, action, reason, true, NULL" + values(width, "NULL") + " FROM sluice_sent WHERE " + at.chosen() + " ORDER BY identifier"
	case n.reason == "":
		return "SELECT identifier, app_identifier, action, reason, false, hash" + values(width, "c%d") +
			" FROM " + source + " JOIN (FROM sluice_sent WHERE " + at.chosen() + ") USING (identifier)"
	default: // all rows of the source, so that there is nothing to pick
		app := "NULL"
		if n.known > 0 {
			app, source = "s.app_identifier", source+" t LEFT JOIN "+data.State+" s USING (identifier)"
		}
		return fmt.Sprintf("SELECT identifier, %s, %s, %s, false, %s%s FROM %s", app, literal(string(at.action)), literal(string(n.reason)), render("hash", data), values(width, "c%d"), source)
	}
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
	const text, number = "VARCHAR USING COMPRESSION fsst", "UHUGEINT USING COMPRESSION uncompressed"
	fmt.Fprintf(&ddl, "CREATE TABLE %s (seq BIGINT, identifier %s, app_identifier %s, action VARCHAR, reason VARCHAR, removed BOOLEAN, hash %s", data.Outbox, text, text, number)
	for i := range data.Columns {
		fmt.Fprintf(&ddl, ", c%d %s", i, text)
	}
	ddl.WriteString(")")
	if _, err := p.exec(ctx, ddl.String()); err != nil {
		return err
	}
	order := p.order()
	if slices.ContainsFunc(order, func(at part) bool { return p.parts[at].reason == "" }) {
		if err := p.lookUp(ctx, data); err != nil {
			return err
		}
	}
	var seq int64
	for _, at := range order {
		n, err := p.exec(ctx, fmt.Sprintf("INSERT INTO %s SELECT %d + row_number() OVER (), * FROM (%s)", data.Outbox, seq, p.outgoing(at, data)))
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
// back.
func (p *planner) forget(ctx context.Context, data planData) error {
	_, err := p.exec(ctx, "DELETE FROM "+data.State+" WHERE synced AND NOT in_app AND mark IS NULL AND identifier IN (SELECT identifier FROM sluice_diff WHERE removed)")
	return err
}
