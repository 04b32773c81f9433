package warehousetest

import (
	"slices"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/runner"
)

// schemaOf makes a schema of names and kinds.
func schemaOf(namesAndKinds ...any) *connector.Schema {
	s := &connector.Schema{}
	for i := 0; i < len(namesAndKinds); i += 2 {
		name := namesAndKinds[i].(string)
		c := connector.Column{Name: name}
		switch k := namesAndKinds[i+1].(type) {
		case connector.Kind:
			c.Type.Kind = k
		case connector.Type:
			c.Type = k
		}
		s.ID += name + " " + string(c.Type.Kind) + ","
		s.Columns = append(s.Columns, c)
	}
	return s
}

// rows makes a batch; "NULL" is null, and the first column is the app identifier too.
func rows(schema *connector.Schema, values ...[]string) *connector.RecordBatch {
	b := &connector.RecordBatch{Schema: schema, Rows: len(values), Columns: make([]connector.Values, len(schema.Columns))}
	for i, row := range values {
		b.AppIdentifiers = append(b.AppIdentifiers, row[0])
		for c, text := range row {
			if text == "NULL" {
				text = ""
				b.Columns[c].Nulls = append(b.Columns[c].Nulls, uint32(i))
			}
			b.Columns[c].Texts = append(b.Columns[c].Texts, text)
		}
	}
	return b
}

// writer opens a stream that must open.
func (e *exam) writer(target runner.StreamTarget) runner.StreamWriter {
	e.Helper()
	w, err := e.w.OpenStream(e.ctx(), target)
	if err != nil {
		e.Fatalf("OpenStream: %v", err)
	}
	e.Cleanup(func() {
		if err := w.Close(); err != nil {
			e.Errorf("Close: %v", err)
		}
	})
	return w
}

func (e *exam) append(w runner.StreamWriter, batches ...*connector.RecordBatch) {
	e.Helper()
	for _, b := range batches {
		if err := w.Append(e.ctx(), b); err != nil {
			e.Fatalf("Append: %v", err)
		}
	}
}

func (e *exam) commit(w runner.StreamWriter, state string, final bool) runner.StreamCounts {
	e.Helper()
	counts, err := w.Commit(e.ctx(), state, final)
	if err != nil {
		e.Fatalf("Commit: %v", err)
	}
	return counts
}

// receive runs a whole stream.
func (e *exam) receive(target runner.StreamTarget, state string, final bool, batches ...*connector.RecordBatch) runner.StreamCounts {
	e.Helper()
	w := e.writer(target)
	e.append(w, batches...)
	counts := e.commit(w, state, final)
	if err := w.Close(); err != nil {
		e.Errorf("Close: %v", err)
	}
	return counts
}

// want compares the rows of a query.
func (e *exam) want(sql string, rows ...[]string) {
	e.Helper()
	if d := cmp.Diff(rows, e.query(sql)); d != "" {
		e.Errorf("%s (-want +got)\n%s", sql, d)
	}
}

func (e *exam) target(run string) runner.StreamTarget {
	return runner.StreamTarget{SyncID: "in", RunID: run, Stream: "Deals", Table: "deals", Key: []string{"id"}, Storage: runner.StorageMerge, RetrievedAt: e.now}
}

var deal = schemaOf("id", connector.KindInt64, "name", connector.KindString)

func testMerge(e *exam) {
	got := e.receive(e.target("r1"), "1", true, rows(deal, []string{"1", "a"}, []string{"2", "b"}, []string{"1", "c"}))
	if d := cmp.Diff(runner.StreamCounts{Rows: 3}, got); d != "" {
		e.Errorf("counts (-want +got)\n%s", d)
	}
	e.now = e.now.Add(time.Hour)
	e.receive(e.target("r2"), "2", true, rows(deal, []string{"2", "NULL"}, []string{"3", ""}))
	e.want(`SELECT id, name, _sluice_app_identifier, _sluice_run, _sluice_retrieved_at, _sluice_deleted, _sluice_unparsed FROM deals ORDER BY id`,
		[]string{"1", "c", "1", "r1", "2026-01-31T12:00:00Z", "false", "NULL"},
		[]string{"2", "NULL", "2", "r2", "2026-01-31T13:00:00Z", "false", "NULL"},
		[]string{"3", "", "3", "r2", "2026-01-31T13:00:00Z", "false", "NULL"})
	// A column that is absent is left alone.
	e.receive(e.target("r3"), "3", true, rows(schemaOf("id", connector.KindInt64), []string{"1"}))
	e.want(`SELECT name, _sluice_run FROM deals WHERE id = 1`, []string{"c", "r3"})
}

func testEmpty(e *exam) {
	e.receive(e.target("r1"), "1", true, rows(deal))
	e.want(`SELECT count(*), count(id), count(name) FROM deals`, []string{"0", "0", "0"})
}

func testAppend(e *exam) {
	t := e.target("r1")
	t.Storage, t.Key = runner.StorageAppend, nil
	e.receive(t, "1", true, rows(deal, []string{"1", "a"}, []string{"1", "b"}))
	w := e.writer(t)
	if err := w.Delete(e.ctx(), connector.Tombstones{AppIdentifiers: []string{"1"}}); err != nil {
		e.Fatal(err)
	}
	if got := e.commit(w, "2", true); got.Rows != 2 || got.Deleted != 1 {
		e.Errorf("counts are %+v, want those of the whole run", got)
	}
	e.want(`SELECT name, _sluice_deleted FROM deals ORDER BY name`, []string{"a", "false"}, []string{"b", "false"}, []string{"NULL", "true"})
}

func testUnparsed(e *exam) {
	kinds := []any{"id", connector.KindInt64}
	row := []string{"1"}
	cases := []struct {
		t    any
		text string
	}{
		{connector.KindInt64, "1.5"}, {connector.KindInt64, "x"}, {connector.KindInt64, ""}, {connector.KindInt64, "9223372036854775808"},
		{connector.Type{Kind: connector.KindDecimal, Precision: 10, Scale: 2}, "1.005"}, {connector.Type{Kind: connector.KindDecimal, Precision: 4, Scale: 2}, "100.00"},
		{connector.KindBool, "maybe"}, {connector.KindDate, "2026-02-30"}, {connector.KindDate, "2026-01-31T12:00:00Z"},
		{connector.KindTime, "25:00:00"}, {connector.KindTimestamp, "2026-01-31T12:00:00+02:00"}, {connector.KindTimestampTZ, "2026-01-31T12:00:00"},
		{connector.KindJSON, "{"}, {connector.KindBytes, "###"}, {connector.KindFloat64, "one"},
	}
	want := `{`
	for i, c := range cases {
		name := string(rune('a' + i))
		kinds, row = append(kinds, name, c.t), append(row, c.text)
		if i > 0 {
			want += ","
		}
		want += `"` + name + `":"` + c.text + `"`
	}
	got := e.receive(e.target("r1"), "1", true, rows(schemaOf(kinds...), row, append([]string{"2"}, slices.Repeat([]string{"NULL"}, len(cases))...)))
	if got.Unparsed != int64(len(cases)) {
		e.Errorf("%d values did not cast, want %d", got.Unparsed, len(cases))
	}
	e.want(`SELECT id, CAST(_sluice_unparsed AS VARCHAR) FROM deals ORDER BY id`, []string{"1", want + `}`}, []string{"2", "NULL"})
}

func testRoundTrip(e *exam) {
	cases := []struct {
		t    any
		text string
	}{
		{connector.KindString, "x'y"}, {connector.KindInt64, "9223372036854775807"}, {connector.Type{Kind: connector.KindDecimal, Precision: 38, Scale: 9}, "12345678901234567890123456789.123456789"},
		{connector.KindDecimal, "0.100000000"}, {connector.KindFloat64, "0.1"}, {connector.KindFloat64, "-Infinity"}, {connector.KindFloat64, "NaN"}, {connector.KindFloat64, "1e+300"}, {connector.KindBool, "true"},
		{connector.KindDate, "2026-01-31"}, {connector.KindTime, "12:00:00.5"}, {connector.KindTimestamp, "2026-01-31T12:00:00.123456"},
		{connector.KindTimestampTZ, "2026-01-31T12:00:00Z"}, {connector.KindJSON, `{"a": [1, 2]}`}, {connector.KindBytes, "qgD/"},
	}
	kinds, row := []any{"id", connector.KindInt64}, []string{"1"}
	for i, c := range cases {
		kinds, row = append(kinds, string(rune('a'+i)), c.t), append(row, c.text)
	}
	schema := schemaOf(kinds...)
	if got := e.receive(e.target("r1"), "1", true, rows(schema, row)); got.Unparsed != 0 {
		e.Errorf("%d values did not cast", got.Unparsed)
	}
	plan := runner.OutboundPlan{SyncID: "back", RunID: "r", Source: runner.Source{Table: "deals"}, Identifier: "id", Strategy: connector.StrategyUpsert, Now: e.now}
	for _, c := range schema.Columns {
		plan.Mappings = append(plan.Mappings, runner.Mapping{Field: c.Name, Column: c.Name})
	}
	report := e.plan(plan)
	for i, c := range schema.Columns {
		if got := report.Schema.Columns[i].Type.Kind; got != c.Type.Kind {
			e.Errorf("column %s of kind %s comes back as %s", c.Name, c.Type.Kind, got)
		}
	}
	if d := cmp.Diff(row, e.records(plan, runner.OutboxSelection{})[0].values); d != "" {
		e.Errorf("values (-in +out)\n%s", d)
	}
}

func testFullRefresh(e *exam) {
	t := e.target("r1")
	t.FullRefresh = true
	e.receive(t, "1", true, rows(deal, []string{"1", "a"}, []string{"2", "b"}))
	t.RunID = "r2"
	e.now = e.now.Add(time.Hour)
	t.RetrievedAt = e.now
	w := e.writer(t)
	e.append(w, rows(deal, []string{"1", "a"}))
	e.commit(w, "half", false)
	e.want(`SELECT count(*) FROM deals WHERE _sluice_deleted`, []string{"0"})
	if got := e.commit(w, "2", true); got.Deleted != 1 || got.Rows != 1 {
		e.Errorf("counts are %+v", got)
	}
	e.want(`SELECT id, _sluice_deleted, _sluice_deleted_at FROM deals ORDER BY id`, []string{"1", "false", "NULL"}, []string{"2", "true", "2026-01-31T13:00:00Z"})
	t.RunID = "r3"
	e.receive(t, "3", true, rows(deal, []string{"2", "again"}))
	e.want(`SELECT id, _sluice_deleted FROM deals ORDER BY id`, []string{"1", "true"}, []string{"2", "false"})
}

func testResumedRefresh(e *exam) {
	t := e.target("r1")
	t.FullRefresh = true
	e.receive(t, "1", true, rows(deal, []string{"1", "a"}, []string{"2", "b"}, []string{"3", "c"}))
	t.RunID = "r2"
	e.receive(t, "half", false, rows(deal, []string{"1", "a"}))
	t.RunID, t.Resumed = "r3", true
	e.receive(t, "2", true, rows(deal, []string{"2", "b"}))
	e.want(`SELECT id, _sluice_deleted FROM deals ORDER BY id`, []string{"1", "false"}, []string{"2", "false"}, []string{"3", "true"})
	t.RunID, t.Resumed = "r4", false
	e.receive(t, "half", false, rows(deal, []string{"1", "a"}))
	t.RunID = "r5" // starts again instead of resuming
	e.receive(t, "3", true, rows(deal, []string{"2", "b"}))
	e.want(`SELECT id, _sluice_deleted FROM deals ORDER BY id`, []string{"1", "true"}, []string{"2", "false"}, []string{"3", "true"})
	t.RunID, t.Resumed = "r6", true // there is nothing to resume
	e.receive(t, "4", true, rows(deal, []string{"1", "a"}))
	e.want(`SELECT id, _sluice_deleted FROM deals ORDER BY id`, []string{"1", "false"}, []string{"2", "true"}, []string{"3", "true"})
}

func testTombstones(e *exam) {
	w := e.writer(e.target("r1"))
	bury := func(ids ...string) {
		e.Helper()
		if err := w.Delete(e.ctx(), connector.Tombstones{AppIdentifiers: ids, DeletedAt: slices.Repeat([]time.Time{e.now.Add(-time.Hour)}, len(ids))}); err != nil {
			e.Fatal(err)
		}
	}
	bury("0") // of a table that is not there yet
	e.append(w, rows(deal, []string{"1", "a"}, []string{"2", "b"}, []string{"3", "c"}))
	bury("1", "2", "2", "77")
	e.append(w, rows(deal, []string{"2", "back"}))
	if got := e.commit(w, "1", false); got.Deleted != 2 {
		e.Errorf("%d rows were deleted, want 2", got.Deleted)
	}
	e.want(`SELECT id, name, _sluice_deleted, _sluice_deleted_at FROM deals ORDER BY id`,
		[]string{"1", "a", "true", "2026-01-31T11:00:00Z"}, []string{"2", "back", "false", "NULL"}, []string{"3", "c", "false", "NULL"})
	bury("1")
	if got := e.commit(w, "2", true); got.Deleted != 2 {
		e.Errorf("deleting a deleted row made it %d, want 2", got.Deleted)
	}
}

func testEvolution(e *exam) {
	k := func(kind connector.Kind) *connector.Schema { return schemaOf("id", connector.KindInt64, "v", kind) }
	step := func(schema *connector.Schema, row []string, want ...string) {
		e.Helper()
		e.receive(e.target("r"), "1", true, rows(schema, row))
		got := []string{}
		for _, r := range e.query(`SELECT v FROM deals ORDER BY id`) {
			got = append(got, r[0])
		}
		if d := cmp.Diff(want, got); d != "" {
			e.Errorf("after %v (-want +got)\n%s", row, d)
		}
	}
	step(k(connector.KindInt64), []string{"1", "7"}, "7")
	step(schemaOf("id", connector.KindInt64, "v", connector.Type{Kind: connector.KindDecimal, Precision: 10, Scale: 2}), []string{"2", "1.50"}, "7.00", "1.50")
	step(k(connector.KindFloat64), []string{"3", "1e+300"}, "7", "1.5", "1e+300")
	step(k(connector.KindInt64), []string{"4", "4"}, "7", "1.5", "1e+300", "4")
	step(k(connector.KindString), []string{"5", "x"}, "7", "1.5", "1e+300", "4", "x")
	step(k(connector.KindInt64), []string{"6", "006"}, "7", "1.5", "1e+300", "4", "x", "006")
	e.receive(e.target("r"), "1", true, rows(schemaOf("new", connector.KindDate, "id", connector.KindInt64), []string{"2026-01-31", "7"}))
	e.want(`SELECT "new", v FROM deals WHERE id = 7 OR id = 1 ORDER BY id`, []string{"NULL", "7"}, []string{"2026-01-31", "NULL"})

	// A 19-digit number does not become a float, and a text key stops being a number.
	t := e.target("r")
	t.Table, t.Stream = "digits", "digits"
	e.receive(t, "1", true, rows(k(connector.KindInt64), []string{"1", "9007199254740993"}))
	e.receive(t, "1", true, rows(k(connector.KindFloat64), []string{"A-2", "0.5"}))
	e.want(`SELECT id, v FROM digits ORDER BY id`, []string{"1", "9007199254740993"}, []string{"A-2", "0.5"})

	// Two schemas in one commit, and names that differ in case alone.
	t.Table, t.Stream = "mixed", "mixed"
	e.receive(t, "1", true, rows(k(connector.KindInt64), []string{"1", "1"}), rows(schemaOf("id", connector.KindInt64, "V", connector.KindString, "v", connector.KindString), []string{"2", "up", "low"}))
	e.want(`SELECT count(*) FROM mixed WHERE _sluice_unparsed IS NULL`, []string{"2"})
}

func testUncommitted(e *exam) {
	w := e.writer(e.target("r1"))
	e.append(w, rows(deal, []string{"1", "a"}))
	e.commit(w, "1", false)
	e.append(w, rows(deal, []string{"1", "b"}, []string{"2", "c"}))
	e.want(`SELECT id, name FROM deals`, []string{"1", "a"})
	if err := w.Close(); err != nil {
		e.Error(err)
	}
	e.want(`SELECT id, name FROM deals`, []string{"1", "a"})
	if _, err := w.Commit(e.ctx(), "2", false); err == nil {
		e.Error("a closed writer committed")
	}
}

func testStates(e *exam) {
	e.receive(e.target("r1"), `{"cursor":"1"}`, false, rows(deal, []string{"1", "a"}))
	other := e.target("r1")
	other.Stream, other.Table = "Leads", "leads_in"
	e.receive(other, `{"cursor":"2"}`, true)
	check := func(want map[string]string) {
		e.Helper()
		got, err := e.w.States(e.ctx(), "in")
		if d := cmp.Diff(want, got); d != "" || err != nil {
			e.Errorf("States: %v (-want +got)\n%s", err, d)
		}
	}
	check(map[string]string{"Deals": `{"cursor":"1"}`, "Leads": `{"cursor":"2"}`})
	if err := e.w.ResetStream(e.ctx(), "in", "Deals"); err != nil {
		e.Fatal(err)
	}
	check(map[string]string{"Leads": `{"cursor":"2"}`})
	e.want(`SELECT count(*) FROM deals`, []string{"1"})
}

func testNullKey(e *exam) {
	w := e.writer(e.target("r1"))
	e.append(w, rows(deal, []string{"NULL", "a"}, []string{"2", "b"}))
	if _, err := w.Commit(e.ctx(), "1", true); err == nil {
		e.Error("a row without a key was merged")
	}
	if states, _ := e.w.States(e.ctx(), "in"); len(states) != 0 {
		e.Errorf("the cursor moved: %v", states)
	}
	t := e.target("r1")
	t.Key = nil
	if _, err := e.w.OpenStream(e.ctx(), t); err == nil {
		e.Error("merging without a key was accepted")
	}
}
