package warehousetest

import (
	"fmt"
	"strings"

	"github.com/google/go-cmp/cmp"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/runner"
)

// one plans one row with one expression per field and returns the record's
// values, null as NULL, and the schema.
func (e *exam) one(rendering connector.Rendering, expressions ...string) ([]string, *connector.Schema) {
	e.Helper()
	e.runs++
	plan := runner.OutboundPlan{
		SyncID: fmt.Sprintf("one-%d", e.runs), RunID: "r", Source: runner.Source{Query: "SELECT 1 AS id"}, Identifier: "id",
		Strategy: connector.StrategyUpsert, Now: e.now, Rendering: rendering,
	}
	for i, x := range expressions {
		plan.Mappings = append(plan.Mappings, runner.Mapping{Field: fmt.Sprintf("F%d", i), Expression: x})
	}
	report := e.plan(plan)
	r := e.records(plan, runner.OutboxSelection{})[0]
	for i, null := range r.null {
		if null {
			r.values[i] = "NULL"
		}
	}
	return r.values, report.Schema
}

// testText uses the SQL that warehouses share.
func testText(e *exam) {
	cases := []struct {
		sql  string
		kind connector.Kind
		want string
	}{
		{"CAST('x' AS VARCHAR)", connector.KindString, "x"},
		{"CAST(NULL AS VARCHAR)", connector.KindString, "NULL"},
		{"CAST(-9223372036854775808 AS BIGINT)", connector.KindInt64, "-9223372036854775808"},
		{"CAST(1 AS SMALLINT)", connector.KindInt64, "1"},
		{"CAST(12.50 AS DECIMAL(18,2))", connector.KindDecimal, "12.50"},
		{"CAST(-0.001 AS DECIMAL(18,3))", connector.KindDecimal, "-0.001"},
		{"CAST('12345678901234567890123456789.123456789' AS DECIMAL(38,9))", connector.KindDecimal, "12345678901234567890123456789.123456789"},
		{"CAST(0.1 AS DOUBLE PRECISION)", connector.KindFloat64, "0.1"},
		{"CAST(5 AS DOUBLE PRECISION)", connector.KindFloat64, "5"},
		{"CAST('1e300' AS DOUBLE PRECISION)", connector.KindFloat64, "1e+300"},
		{"CAST('NaN' AS DOUBLE PRECISION)", connector.KindFloat64, "NaN"},
		{"CAST('-Infinity' AS DOUBLE PRECISION)", connector.KindFloat64, "-Infinity"},
		{"CAST(NULL AS DOUBLE PRECISION)", connector.KindFloat64, "NULL"},
		{"1 = 1", connector.KindBool, "true"},
		{"CAST('2026-01-31' AS DATE)", connector.KindDate, "2026-01-31"},
		{"CAST('12:30:00' AS TIME)", connector.KindTime, "12:30:00"},
		{"CAST('12:30:00.25' AS TIME)", connector.KindTime, "12:30:00.25"},
		{"CAST('2026-01-31 12:00:00' AS TIMESTAMP)", connector.KindTimestamp, "2026-01-31T12:00:00"},
		{"CAST('2026-01-31 12:00:00.123456' AS TIMESTAMP)", connector.KindTimestamp, "2026-01-31T12:00:00.123456"},
		{"CAST('2026-01-31 12:00:00+02' AS TIMESTAMP WITH TIME ZONE)", connector.KindTimestampTZ, "2026-01-31T10:00:00Z"},
		{"CAST('1969-12-31 23:59:59.5+00' AS TIMESTAMP WITH TIME ZONE)", connector.KindTimestampTZ, "1969-12-31T23:59:59.5Z"},
		{`CAST('{"a": [1, null]}' AS JSON)`, connector.KindJSON, `{"a": [1, null]}`},
	}
	var expressions []string
	for _, c := range cases {
		expressions = append(expressions, c.sql)
	}
	values, schema := e.one(connector.Rendering{}, expressions...)
	for i, c := range cases {
		if values[i] != c.want || schema.Columns[i].Type.Kind != c.kind {
			e.Errorf("%s is %q of kind %s, want %q of kind %s", c.sql, values[i], schema.Columns[i].Type.Kind, c.want, c.kind)
		}
	}
	if got := schema.Columns[4].Type; got.Precision != 18 || got.Scale != 2 {
		e.Errorf("DECIMAL(18,2) has type %+v", got)
	}
	at := "CAST('2026-01-31 12:00:00.999+02' AS TIMESTAMP WITH TIME ZONE)"
	values, _ = e.one(connector.Rendering{Timestamp: connector.TimestampEpochMillis, Date: connector.DateUS}, at, "CAST('2026-01-31' AS DATE)")
	if d := cmp.Diff([]string{"1769853600999", "01/31/2026"}, values); d != "" {
		e.Errorf("rendering in milliseconds (-want +got)\n%s", d)
	}
	values, _ = e.one(connector.Rendering{Timestamp: connector.TimestampEpochSeconds}, at, "CAST('1969-12-31 23:59:59.5' AS TIMESTAMP)")
	if d := cmp.Diff([]string{"1769853600", "-1"}, values); d != "" {
		e.Errorf("rendering in seconds (-want +got)\n%s", d)
	}
}

var hostile = []string{
	``, ` `, `NULL`, `null`, `\N`, `'`, `"`, `''; DROP TABLE leads; --`, "a\nb", "a\r\nb", "\t", `\`, `{{.}}`, `%s?$1`, "日本語", "𝔘𝔫𝔦", "e\u0301", "\u202eabc", "\u0001", "a\u0000b",
	strings.Repeat("long ", 20_000),
}

func testHostileValues(e *exam) {
	e.leads()
	for i, v := range hostile {
		name := strings.ReplaceAll(v, "'", "''")
		// A NUL cannot be written in a literal everywhere.
		name = strings.ReplaceAll("'"+name+"'", "\x00", "' || chr(0) || '")
		e.sql(fmt.Sprintf("INSERT INTO leads VALUES ('%02d', %s, NULL, NULL)", i, name))
	}
	plan := e.leadsPlan(connector.StrategyUpsert)
	e.plan(plan)
	for i, r := range e.records(plan, runner.OutboxSelection{}) {
		if r.values[0] != hostile[i] || r.null[0] || !r.null[1] {
			e.Errorf("%q left as %.100q, null %v", hostile[i], r.values[0], r.null)
		}
	}
}

func testHostileNames(e *exam) {
	evil := `x"; DROP TABLE leads; --`
	quoted := `"` + strings.ReplaceAll(evil, `"`, `""`) + `"`
	e.leads(`'1', 'a', NULL, NULL`)
	e.sql(`CREATE TABLE `+quoted+` (`+quoted+` VARCHAR, "select" VARCHAR, "a.b" VARCHAR)`, `INSERT INTO `+quoted+` VALUES ('k', 's', 'd')`)
	plan := runner.OutboundPlan{
		SyncID: "evil", RunID: evil + "'", Source: runner.Source{Table: quoted}, Identifier: evil, Now: e.now,
		Strategy: connector.Strategy{New: connector.Action(`Cr'eate"`)},
		Mappings: []runner.Mapping{{Field: `F'"` + evil, Column: evil}, {Field: "S", Column: "select"}, {Field: "D", Column: "a.b"}},
	}
	got := e.run(plan, connector.StatusSucceeded)
	if len(got) != 1 || got[0].identifier != "k" || strings.Join(got[0].values, " ") != "k s d" {
		e.Errorf("the outbox is %+v", got)
	}
	if n := e.query(`SELECT count(*) FROM leads`)[0][0]; n != "1" {
		e.Error("leads is gone or changed")
	}
	plan.SyncID = evil
	if _, err := e.w.Plan(e.ctx(), plan); err == nil {
		e.Error("a sync id with quotes was taken")
	}
	target := runner.StreamTarget{SyncID: evil, RunID: evil + "'", Stream: evil + "'", Table: `"in"."` + strings.ReplaceAll(evil, `"`, `""`) + `"`, Key: []string{evil}, Storage: runner.StorageMerge, RetrievedAt: e.now}
	e.receive(target, `{"x":"'"}`, true, rows(schemaOf(evil, connector.KindInt64, `b'"`, connector.KindInt64), []string{"1", "no"}))
	if got := e.query(`SELECT ` + quoted + `, CAST(_sluice_unparsed AS VARCHAR) FROM "in".` + quoted); len(got) != 1 || got[0][0] != "1" || got[0][1] != `{"b'\"":"no"}` {
		e.Errorf("the stream's table has %v", got)
	}
}

func testOneStatement(e *exam) {
	e.leads(`'1', 'a', NULL, NULL`)
	for _, q := range []string{
		"SELECT * FROM leads; DROP TABLE leads", "SELECT * FROM leads) ; DROP TABLE leads; SELECT * FROM (SELECT 1", "DROP TABLE leads", "DELETE FROM leads",
	} {
		plan := e.leadsPlan(connector.StrategyUpsert)
		plan.Source = runner.Source{Query: q}
		e.planError(plan, runner.PlanSource)
	}
	for _, x := range []string{"1); DROP TABLE leads; SELECT (1", "1; DROP TABLE leads"} {
		plan := e.leadsPlan(connector.StrategyUpsert)
		plan.Mappings[0] = runner.Mapping{Field: "Name", Expression: x}
		e.planError(plan, runner.PlanMapping)
	}
	for _, q := range []string{"SELECT * FROM leads;", "SELECT * FROM leads -- all", "SELECT * FROM leads; -- all of them\n", "WITH l AS (SELECT * FROM leads) SELECT * FROM l"} {
		plan := e.leadsPlan(connector.StrategyUpsert)
		plan.RunID, plan.Source = "", runner.Source{Query: q}
		if report := e.plan(plan); report.Records != 1 {
			e.Errorf("%q plans %d records", q, report.Records)
		}
	}
	if _, err := e.w.Query(e.ctx(), "SELECT 1; DROP TABLE leads"); err == nil {
		e.Error("Query ran two statements")
	}
	if n := e.query(`SELECT count(*) FROM leads`)[0][0]; n != "1" {
		e.Error("leads is gone or changed")
	}
}

func testQuery(e *exam) {
	rows, err := e.w.Query(e.ctx(), `SELECT 1 AS n, CAST(NULL AS VARCHAR) AS nothing, CAST('2026-01-31 12:00:00+02' AS TIMESTAMP WITH TIME ZONE) AS z;`)
	if err != nil {
		e.Fatal(err)
	}
	var names []string
	for _, c := range rows.Columns {
		names = append(names, c.Name+" "+string(c.Type.Kind))
	}
	if d := cmp.Diff([]string{"n int64", "nothing string", "z timestamptz"}, names); d != "" {
		e.Errorf("columns (-want +got)\n%s", d)
	}
	for row, err := range rows.All {
		if err != nil || row.Texts[0] != "1" || !row.Null[1] || row.Texts[2] != "2026-01-31T10:00:00Z" {
			e.Errorf("row is %+v, %v", row, err)
		}
	}
	if _, err := e.w.Query(e.ctx(), "SELEC 1"); err == nil {
		e.Error("a broken query succeeded")
	}
	e.sql(`CREATE TABLE big (n BIGINT)`)
	for i := range 5 {
		values := "(0)"
		for j := range 1000 {
			values += fmt.Sprintf(",(%d)", i*1000+j)
		}
		e.sql(`INSERT INTO big VALUES ` + values)
	}
	if got := e.query(`SELECT n FROM big WHERE n > 0 ORDER BY n`); len(got) != 4999 || got[4998][0] != "4999" || got[0][0] != "1" {
		e.Errorf("a long result has %d rows", len(got))
	}
}
