package warehousetest

import (
	"fmt"
	"slices"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/runner"
)

// many fills leads with n rows and plans them.
func (e *exam) many(n int) runner.OutboundPlan {
	e.Helper()
	e.leads()
	for i := 0; i < n; i += 500 {
		rows := ""
		for j := i; j < min(n, i+500); j++ {
			if j > i {
				rows += ", "
			}
			rows += fmt.Sprintf("('%06d', 'name %d', NULL, NULL)", j, j)
		}
		e.sql(`INSERT INTO leads VALUES ` + rows)
	}
	plan := e.leadsPlan(connector.StrategyUpsert)
	e.plan(plan)
	return plan
}

func seqs(records []record) []int64 {
	out := []int64{}
	for _, r := range records {
		out = append(out, r.seq)
	}
	return out
}

func testSelection(e *exam) {
	plan := e.many(10)
	for _, s := range []int64{2, 4, 5} {
		e.settle(plan, s, connector.StatusSucceeded, "")
	}
	e.settle(plan, 4, connector.StatusRetry, "")
	e.settle(plan, 7, connector.StatusRejected, "")
	r := func(pairs ...int64) []connector.SeqRange {
		var out []connector.SeqRange
		for i := 0; i < len(pairs); i += 2 {
			out = append(out, connector.SeqRange{First: pairs[i], Last: pairs[i+1]})
		}
		return out
	}
	for name, c := range map[string]struct {
		selection runner.OutboxSelection
		want      []int64
	}{
		"everything":         {runner.OutboxSelection{}, []int64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}},
		"ranges":             {runner.OutboxSelection{Seqs: r(8, 9, 1, 2, 2, 3)}, []int64{1, 2, 3, 8, 9}},
		"no ranges at all":   {runner.OutboxSelection{Seqs: []connector.SeqRange{}}, []int64{}},
		"beyond the end":     {runner.OutboxSelection{Seqs: r(9, 99)}, []int64{9, 10}},
		"unsettled":          {runner.OutboxSelection{Unsettled: true}, []int64{1, 3, 4, 6, 8, 9, 10}},
		"except":             {runner.OutboxSelection{Except: r(2, 3, 6, 6, 10, 12)}, []int64{1, 4, 5, 7, 8, 9}},
		"all of it together": {runner.OutboxSelection{Seqs: r(1, 6), Except: r(3, 3), Unsettled: true}, []int64{1, 4, 6}},
	} {
		if got := seqs(e.records(plan, c.selection)); !slices.Equal(got, c.want) {
			e.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
	for b, err := range e.w.Records(e.ctx(), plan.SyncID, plan.RunID, runner.OutboxSelection{Ticket: "t1"}) {
		if err != nil || b.Ticket != "t1" {
			e.Errorf("a batch for ticket t1 has ticket %q, error %v", b.Ticket, err)
		}
	}
}

func testBatches(e *exam) {
	const n = 5_000 // more than one window of any driver's first read
	plan := e.many(n)
	next := int64(1)
	for b, err := range e.w.Records(e.ctx(), plan.SyncID, plan.RunID, runner.OutboxSelection{BatchRows: 300, BatchBytes: 6_000}) {
		if err != nil {
			e.Fatal(err)
		}
		bytes := 0
		for i := range b.Rows {
			if b.Seqs[i] != next {
				e.Fatalf("sequence number %d comes where %d is due", b.Seqs[i], next)
			}
			if want := fmt.Sprintf("name %d", next-1); b.Columns[0].Texts[i] != want {
				e.Fatalf("record %d has name %q, want %q", next, b.Columns[0].Texts[i], want)
			}
			next++
			bytes += len(b.Columns[0].Texts[i])
		}
		if b.Rows == 0 || b.Rows > 300 || bytes > 6_000 || b.AppIdentifiers != nil {
			e.Fatalf("a batch has %d rows and %d bytes, app identifiers %v", b.Rows, bytes, b.AppIdentifiers)
		}
	}
	if next != n+1 {
		e.Errorf("%d records came, want %d", next-1, n)
	}
	for range e.w.Records(e.ctx(), plan.SyncID, plan.RunID, runner.OutboxSelection{BatchRows: 1}) {
		break // giving up early must leave nothing behind; the next call would hang or fail
	}
	if counts, err := e.w.Counts(e.ctx(), plan.SyncID, plan.RunID); err != nil || counts[""] != n {
		e.Errorf("Counts are %v, %v", counts, err)
	}
}

func (e *exam) counts(plan runner.OutboundPlan, want map[connector.Status]int64) {
	e.Helper()
	got, err := e.w.Counts(e.ctx(), plan.SyncID, plan.RunID)
	if d := cmp.Diff(want, got); d != "" || err != nil {
		e.Errorf("Counts: %v (-want +got)\n%s", err, d)
	}
}

func testSettledTwice(e *exam) {
	plan := e.many(3)
	e.settle(plan, 1, connector.StatusRetry, "")
	e.settle(plan, 2, connector.StatusSucceeded, "x")
	e.settle(plan, 1, connector.StatusSucceeded, "y")
	want := map[connector.Status]int64{connector.StatusSucceeded: 2, "": 1}
	e.counts(plan, want)
	e.finish(plan)
	e.counts(plan, want)
	got := e.query(`SELECT seq, status, app_identifier FROM sluice.outcomes ORDER BY seq`)
	if d := cmp.Diff([][]string{{"1", "SUCCEEDED", "y"}, {"2", "SUCCEEDED", "x"}}, got); d != "" {
		e.Errorf("the log (-want +got)\n%s", d)
	}
}

func testDelay(e *exam) {
	plan := e.many(10)
	e.settle(plan, 2, connector.StatusSucceeded, "")
	e.settle(plan, 5, connector.StatusRetry, "")
	why := connector.Errorf(connector.ClassCancelled, "CANCELLED", "it's not the record's fault")
	held := []connector.SeqRange{{First: 3, Last: 4}, {First: 9, Last: 9}, {First: 40, Last: 50}}
	delay := func(except []connector.SeqRange, want int64) {
		e.Helper()
		if n, err := e.w.Delay(e.ctx(), plan.SyncID, plan.RunID, e.now, except, why); n != want || err != nil {
			e.Errorf("%d records were delayed, %v; want %d", n, err, want)
		}
	}
	delay(held, 5)
	delay(held, 0)
	e.counts(plan, map[connector.Status]int64{connector.StatusSucceeded: 1, connector.StatusRetry: 1, connector.StatusDelayed: 5, "": 3})
	e.settle(plan, 1, connector.StatusSucceeded, "x") // a ticket may answer later
	delay(nil, 3)
	want := [][]string{{"CANCELLED", "CANCELLED", "it's not the record's fault", "7"}}
	if d := cmp.Diff(want, e.query(`SELECT class, code, message, count(*) FROM sluice.outcomes WHERE status = 'DELAYED' GROUP BY ALL`)); d != "" {
		e.Errorf("the log (-want +got)\n%s", d)
	}
	e.finish(plan)
	if _, err := e.w.Delay(e.ctx(), plan.SyncID, plan.RunID, e.now, nil, why); err == nil {
		e.Error("records of a finished run were delayed")
	}
}

func testUnknownSeq(e *exam) {
	plan := e.many(3)
	err := e.w.Settle(e.ctx(), plan.SyncID, plan.RunID, e.now, []connector.Outcomes{{Seqs: []int64{2, 9}}})
	if err == nil {
		e.Error("settling record 9 of 3 succeeded")
	}
	e.counts(plan, map[connector.Status]int64{"": 3})
	if err := e.w.Settle(e.ctx(), plan.SyncID, "another", e.now, []connector.Outcomes{{Seqs: []int64{1}}}); err == nil {
		e.Error("settling a record of a run never planned succeeded")
	}
}

func testOutcomes(e *exam) {
	plan := e.many(5)
	err := e.w.Settle(e.ctx(), plan.SyncID, plan.RunID, e.now, []connector.Outcomes{{
		Seqs: []int64{1, 2, 3, 4}, AppIdentifiers: []string{"a", "", "", "d"},
		Exceptions: []connector.RowOutcome{
			{Row: 1, Status: connector.StatusRejected, Detail: `{"status":"error"}`, Error: &connector.Error{
				Class: connector.ClassRejected, Code: "INVALID_DATA", Message: "wrong", Fields: []connector.FieldViolation{{Field: "Email"}}}},
			{Row: 3, Status: connector.StatusSucceeded, Detail: `{"note":1}`},
		},
	}})
	if err != nil {
		e.Fatal(err)
	}
	read := func(f runner.OutcomeFilter) []runner.RecordOutcome {
		out := []runner.RecordOutcome{}
		for o, err := range e.w.Outcomes(e.ctx(), plan.SyncID, plan.RunID, f) {
			if err != nil {
				e.Fatal(err)
			}
			o.At = o.At.UTC()
			out = append(out, o)
		}
		return out
	}
	c, s := connector.ActionCreate, connector.StatusSucceeded
	bad := runner.RecordOutcome{Seq: 2, Identifier: "000001", Action: c, Status: connector.StatusRejected, Class: connector.ClassRejected,
		Code: "INVALID_DATA", Field: "Email", Message: "wrong", Detail: `{"status":"error"}`, At: e.now}
	one := runner.RecordOutcome{Seq: 1, Identifier: "000000", AppIdentifier: "a", Action: c, Status: s, At: e.now}
	three := runner.RecordOutcome{Seq: 3, Identifier: "000002", Action: c, Status: s, At: e.now}
	four := runner.RecordOutcome{Seq: 4, Identifier: "000003", AppIdentifier: "d", Action: c, Status: s, Detail: `{"note":1}`, At: e.now}
	for _, finished := range []bool{false, true} {
		if finished {
			e.finish(plan)
		}
		for name, c := range map[string]struct {
			filter runner.OutcomeFilter
			want   []runner.RecordOutcome
		}{
			"all":        {runner.OutcomeFilter{}, []runner.RecordOutcome{bad, one, three, four}},
			"limited":    {runner.OutcomeFilter{Limit: 2}, []runner.RecordOutcome{bad, one}},
			"by status":  {runner.OutcomeFilter{Statuses: []connector.Status{s}, Limit: 1}, []runner.RecordOutcome{one}},
			"by name":    {runner.OutcomeFilter{Identifiers: []string{"000002", "x' OR 1=1 --"}}, []runner.RecordOutcome{three}},
			"none of it": {runner.OutcomeFilter{Statuses: []connector.Status{connector.StatusInDoubt}}, []runner.RecordOutcome{}},
		} {
			if d := cmp.Diff(c.want, read(c.filter)); d != "" {
				e.Errorf("%s, finished %v (-want +got)\n%s", name, finished, d)
			}
		}
	}
}

func testFinishAgain(e *exam) {
	plan := e.many(2)
	e.settle(plan, 1, connector.StatusRejected, "")
	e.settle(plan, 2, connector.StatusSucceeded, "")
	e.finish(plan)
	e.finish(plan)
	if got := e.records(plan, runner.OutboxSelection{}); len(got) != 0 {
		e.Errorf("a finished run hands out %v", sent(got))
	}
	if got := e.query(`SELECT count(*) FROM sluice.outcomes`)[0][0]; got != "2" {
		e.Errorf("the log has %s lines, want 2", got)
	}
	next := e.leadsPlan(connector.StrategyUpsert)
	next.Retry.MaxAttempts = 2
	if got := sent(e.run(next, connector.StatusRejected)); !slices.Equal(got, []string{"000000:Create"}) {
		e.Errorf("the next run sends %v: finishing twice must not count an attempt twice", got)
	}
}

func testInDoubt(e *exam) {
	e.leads(`'1', 'a', NULL, NULL`)
	e.run(e.leadsPlan(connector.StrategyUpsert), connector.StatusInDoubt)
	e.sql(`UPDATE leads SET name = 'b'`)
	plan := e.leadsPlan(connector.StrategyUpsert)
	plan.Resync = true
	report := e.plan(plan)
	if report.Records != 0 || report.HeldBack != 1 {
		e.Errorf("a record in doubt: %+v, want it held back", report)
	}
	e.finish(plan)
	if _, err := e.w.Mark(e.ctx(), "leads", []string{"1"}, runner.MarkResync); err != nil {
		e.Fatal(err)
	}
	if got := sent(e.run(e.leadsPlan(connector.StrategyUpsert), connector.StatusSucceeded)); !slices.Equal(got, []string{"1:Create"}) {
		e.Errorf("a marked record is sent as %v", got)
	}
}

func testRetry(e *exam) {
	e.leads(`'1', 'a', NULL, NULL`)
	try := func(status connector.Status, want ...string) {
		e.Helper()
		plan := e.leadsPlan(connector.StrategyUpsert)
		plan.Retry = runner.RetryPolicy{MaxAttempts: 3, Backoff: time.Hour}
		if got := sent(e.run(plan, status)); !slices.Equal(got, append([]string{}, want...)) {
			e.Errorf("sent %v, want %v", got, want)
		}
	}
	try(connector.StatusRejected, "1:Create")
	e.now = e.now.Add(59 * time.Minute)
	try(connector.StatusRejected)
	e.now = e.now.Add(time.Minute)
	try(connector.StatusInvalid, "1:Create")
	e.now = e.now.Add(119 * time.Minute)
	try(connector.StatusRejected)
	e.now = e.now.Add(time.Minute)
	try(connector.StatusDelayed, "1:Create")
	try(connector.StatusDelayed, "1:Create") // not attempted, so not counted
	try(connector.StatusRetry, "1:Create")   // the third attempt
	e.now = e.now.Add(1000 * time.Hour)
	try(connector.StatusRetry)
	e.sql(`UPDATE leads SET name = 'b'`)
	try(connector.StatusRejected, "1:Create")
	e.sql(`UPDATE leads SET name = 'c'`)
	try(connector.StatusSucceeded, "1:Create")
	try(connector.StatusSucceeded)
}

func testDeletedComesBack(e *exam) {
	e.leads(`'1', 'a', NULL, NULL`)
	run := func(s connector.Strategy, want ...string) {
		e.Helper()
		if got := sent(e.run(e.leadsPlan(s), connector.StatusSucceeded)); !slices.Equal(got, append([]string{}, want...)) {
			e.Errorf("sent %v, want %v", got, want)
		}
	}
	run(connector.StrategyMirror, "1:Create")
	e.sql(`DELETE FROM leads`)
	run(connector.StrategyMirror, "1:Delete")
	run(connector.StrategyMirror)
	e.sql(`INSERT INTO leads VALUES ('1', 'a', NULL, NULL)`)
	run(connector.StrategyMirror, "1:Create")
	run(connector.StrategyDelete, "1:Delete")
	run(connector.StrategyDelete)
	e.sql(`DELETE FROM leads`)
	run(connector.StrategyDelete)
	e.sql(`INSERT INTO leads VALUES ('1', 'a', NULL, NULL)`)
	run(connector.StrategyDelete, "1:Delete")
	run(connector.StrategyUpsert, "1:Create")
	run(connector.StrategyDelete, "1:Delete")
	e.sql(`DELETE FROM leads`)
	run(connector.StrategyMirror) // there is nothing left in the app to delete
}
