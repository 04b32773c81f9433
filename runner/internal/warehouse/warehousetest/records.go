package warehousetest

import (
	"slices"

	"github.com/google/go-cmp/cmp"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/runner"
)

// states are the records of leads with a status, or all for "".
func (e *exam) states(status connector.Status) []runner.RecordState {
	e.Helper()
	filter := runner.OutcomeFilter{}
	if status != "" {
		filter.Statuses = []connector.Status{status}
	}
	out := []runner.RecordState{}
	for r, err := range e.w.RecordStates(e.ctx(), "leads", filter) {
		if err != nil {
			e.Fatal(err)
		}
		r.At = r.At.UTC()
		out = append(out, r)
	}
	return out
}

func testAccept(e *exam) {
	e.leads(`'1', 'a', NULL, NULL`, `'2', 'b', NULL, NULL`, `'3', 'c', NULL, NULL`)
	if got := e.states(""); len(got) != 0 {
		e.Errorf("before the first run there are %v", got)
	}
	plan := e.leadsPlan(connector.StrategyMirror)
	e.plan(plan)
	e.settle(plan, 1, connector.StatusInDoubt, "")
	e.settle(plan, 2, connector.StatusInDoubt, "")
	e.settle(plan, 3, connector.StatusSucceeded, "app-3")
	e.finish(plan)
	doubt := func(id string) runner.RecordState {
		return runner.RecordState{
			Identifier: id, Action: connector.ActionCreate, Status: connector.StatusInDoubt, Class: connector.ClassRejected, Code: "CODE",
			Message: "message", Attempts: 1, RunID: plan.RunID, At: e.now,
		}
	}
	if d := cmp.Diff([]runner.RecordState{doubt("1"), doubt("2")}, e.states(connector.StatusInDoubt)); d != "" {
		e.Errorf("the records in doubt (-want +got)\n%s", d)
	}
	accept := func(ids, apps []string, want int64) {
		e.Helper()
		if n, err := e.w.Accept(e.ctx(), "leads", ids, apps, e.now); n != want || err != nil {
			e.Errorf("%d records were accepted, %v; want %d", n, err, want)
		}
	}
	accept([]string{"1", "3", "9"}, []string{"app-1", "other", ""}, 1)
	accept([]string{"1"}, nil, 0)
	want := runner.RecordState{
		Identifier: "1", AppIdentifier: "app-1", Synced: true, Action: connector.ActionCreate, Status: connector.StatusSucceeded,
		Code: "ACCEPTED", Message: "accepted by the user", RunID: plan.RunID, At: e.now,
	}
	got := e.states("")
	if d := cmp.Diff(want, got[0]); d != "" || len(got) != 3 || got[2].AppIdentifier != "app-3" {
		e.Errorf("%d records; the accepted one (-want +got)\n%s", len(got), d)
	}
	// What was accepted is synced: it is sent again when it changes, as a change.
	if next := e.plan(e.leadsPlan(connector.StrategyMirror)); next.Records != 0 || next.HeldBack != 1 || next.Unchanged != 2 {
		e.Errorf("the next plan: %+v, want one record held back and two unchanged", next)
	}
	e.runs--
	e.finish(e.leadsPlan(connector.StrategyMirror))
	e.sql(`UPDATE leads SET name = 'x' WHERE id = '1'`, `DELETE FROM leads WHERE id = '3'`)
	plan = e.leadsPlan(connector.StrategyMirror)
	e.plan(plan)
	if got := sent(e.records(plan, runner.OutboxSelection{})); !slices.Equal(got, []string{"1:Update", "3:Delete"}) {
		e.Errorf("after changes %v are sent", got)
	}
	e.settle(plan, 1, connector.StatusInDoubt, "")
	e.settle(plan, 2, connector.StatusInDoubt, "")
	e.finish(plan)
	// An accepted removal is forgotten, an accepted update is synced.
	accept([]string{"1", "3"}, nil, 2)
	if got := e.states(""); len(got) != 2 || got[0].AppIdentifier != "app-1" || got[0].Status != connector.StatusSucceeded {
		e.Errorf("after the removal was accepted: %+v", got)
	}
	if got := e.plan(e.leadsPlan(connector.StrategyMirror)); got.Records != 0 || got.Unchanged != 1 {
		e.Errorf("the last plan: %+v, want nothing to send", got)
	}
}
