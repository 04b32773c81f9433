package warehousetest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/runner"
)

// Open opens an empty warehouse for one test, and a way to run SQL on it as its
// owner would. It arranges for the warehouse to be closed when the test ends.
type Open func(t *testing.T) (w runner.Warehouse, exec func(sql string) error)

// Run sets the exam.
func Run(t *testing.T, open Open) {
	sit := func(name string, f func(*exam)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, exec := open(t)
			f(&exam{T: t, w: w, exec: exec, now: time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)})
		})
	}
	for name, f := range map[string]func(*exam){
		"strategies act on each kind of row":             testStrategies,
		"plans follow the model":                         testModel,
		"null identifiers are refused":                   testNullIdentifiers,
		"duplicate identifiers are refused":              testDuplicateIdentifiers,
		"a record known is refused when it is twice":     testKnownDuplicates,
		"a wrong source, identifier or mapping is named": testPlanErrors,
		"a run is planned once":                          testPlanOnce,
		"a preview writes nothing":                       testPreview,
		"only mapped columns count as a change":          testUnmapped,
		"a changed mapping is a change of all records":   testRemapped,
		"a limit picks the same records again":           testLimit,
		"a template belongs to its outbox":               testTemplate,
		"records are handed out as selected":             testSelection,
		"batches keep their bounds":                      testBatches,
		"the later outcome counts":                       testSettledTwice,
		"what has no outcome is delayed in one go":       testDelay,
		"outcomes for unknown records are refused":       testUnknownSeq,
		"outcomes are found, exceptions first":           testOutcomes,
		"finishing again does nothing":                   testFinishAgain,
		"values leave as canonical text":                 testText,
		"nulls, empty texts and all of Unicode survive":  testHostileValues,
		"names cannot break out":                         testHostileNames,
		"rows merge by key, the last one wins":           testMerge,
		"a stream without rows has a typed table":        testEmpty,
		"rows append as history":                         testAppend,
		"a value that does not cast is kept":             testUnparsed,
		"a full refresh marks what it has not seen":      testFullRefresh,
		"a full refresh survives its interruption":       testResumedRefresh,
		"tombstones apply in the order they came":        testTombstones,
		"a table grows and widens with its schema":       testEvolution,
		"what is not committed is not there":             testUncommitted,
		"cursors are kept with their rows":               testStates,
		"a query answers as text":                        testQuery,
		"one SQL statement is one statement":             testOneStatement,
		"values of every kind come back as they went in": testRoundTrip,
		"a record in doubt waits for the user":           testInDoubt,
		"a record in doubt is accepted":                  testAccept,
		"a rejected record is retried when it is due":    testRetry,
		"a deleted record is new when it comes back":     testDeletedComesBack,
		"syncs and streams do not disturb each other":    testConcurrent,
		"rows without a key value are refused":           testNullKey,
	} {
		sit(name, f)
	}
}

// exam is one test's warehouse and its clock.
type exam struct {
	*testing.T
	w    runner.Warehouse
	exec func(string) error
	now  time.Time
	runs int
}

func (e *exam) ctx() context.Context { return e.Context() }

// sql runs statements of the warehouse's owner.
func (e *exam) sql(statements ...string) {
	e.Helper()
	for _, s := range statements {
		if err := e.exec(s); err != nil {
			e.Fatalf("%s: %v", s, err)
		}
	}
}

// query returns the rows of a query, null as NULL.
func (e *exam) query(sql string) [][]string {
	e.Helper()
	rows, err := e.w.Query(e.ctx(), sql)
	if err != nil {
		e.Fatalf("%s: %v", sql, err)
	}
	var out [][]string
	for row, err := range rows.All {
		if err != nil {
			e.Fatalf("%s: %v", sql, err)
		}
		texts := make([]string, len(row.Texts))
		for i, text := range row.Texts {
			texts[i] = text
			if row.Null[i] {
				texts[i] = "NULL"
			}
		}
		out = append(out, texts)
	}
	return out
}

// leads is the source most tests use: id, name, email and an unmapped note.
func (e *exam) leads(rows ...string) {
	e.Helper()
	e.sql(`CREATE TABLE leads (id VARCHAR, name VARCHAR, email VARCHAR, note VARCHAR)`)
	for _, r := range rows {
		e.sql(`INSERT INTO leads VALUES (` + r + `)`)
	}
}

// leadsPlan plans leads with a strategy, for a new run.
func (e *exam) leadsPlan(strategy connector.Strategy) runner.OutboundPlan {
	e.runs++
	return runner.OutboundPlan{
		SyncID: "leads", RunID: fmt.Sprintf("run-%d", e.runs), Source: runner.Source{Table: "leads"}, Identifier: "id",
		Mappings: []runner.Mapping{{Field: "Name", Column: "name"}, {Field: "Email", Expression: "lower(email)"}},
		Strategy: strategy, Now: e.now,
	}
}

// plan makes a plan that must succeed.
func (e *exam) plan(plan runner.OutboundPlan) runner.PlanReport {
	e.Helper()
	report, err := e.w.Plan(e.ctx(), plan)
	if err != nil {
		e.Fatalf("Plan: %v", err)
	}
	return report
}

// record is one record of an outbox.
type record struct {
	seq             int64
	identifier, app string
	action          connector.Action
	values          []string
	null            []bool
}

// records reads an outbox.
func (e *exam) records(plan runner.OutboundPlan, selection runner.OutboxSelection) []record {
	e.Helper()
	var out []record
	for b, err := range e.w.Records(e.ctx(), plan.SyncID, plan.RunID, selection) {
		if err != nil {
			e.Fatalf("Records: %v", err)
		}
		for i := range b.Rows {
			r := record{seq: b.Seqs[i], identifier: b.Identifiers[i], action: b.Action}
			if b.AppIdentifiers != nil {
				r.app = b.AppIdentifiers[i]
			}
			for _, c := range b.Columns {
				r.values, r.null = append(r.values, c.Texts[i]), append(r.null, c.IsNull(i))
			}
			out = append(out, r)
		}
	}
	return out
}

// settle gives one record an outcome.
func (e *exam) settle(plan runner.OutboundPlan, seq int64, status connector.Status, app string) {
	e.Helper()
	o := connector.Outcomes{Seqs: []int64{seq}}
	if app != "" {
		o.AppIdentifiers = []string{app}
	}
	if status != connector.StatusSucceeded {
		o.Exceptions = []connector.RowOutcome{{Status: status, Error: connector.Errorf(connector.ClassRejected, "CODE", "message")}}
	}
	if err := e.w.Settle(e.ctx(), plan.SyncID, plan.RunID, plan.Now, []connector.Outcomes{o}); err != nil {
		e.Fatalf("Settle: %v", err)
	}
}

// finish finishes a run.
func (e *exam) finish(plan runner.OutboundPlan) {
	e.Helper()
	if err := e.w.Finish(e.ctx(), plan.SyncID, plan.RunID, plan.Now); err != nil {
		e.Fatalf("Finish: %v", err)
	}
}

// run plans, settles every record with one status, and finishes.
func (e *exam) run(plan runner.OutboundPlan, status connector.Status) []record {
	e.Helper()
	e.plan(plan)
	records := e.records(plan, runner.OutboxSelection{})
	for _, r := range records {
		app := ""
		if status == connector.StatusSucceeded {
			app = "app-" + r.identifier
		}
		e.settle(plan, r.seq, status, app)
	}
	e.finish(plan)
	return records
}

// sent writes records as identifier:Action, in order.
func sent(records []record) []string {
	out := []string{}
	for _, r := range records {
		out = append(out, r.identifier+":"+string(r.action))
	}
	return out
}
