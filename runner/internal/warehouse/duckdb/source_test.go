package duckdb

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/runner"
)

// planFile previews a file with all rows as samples.
func planFile(t *testing.T, w *Warehouse, path string, fields ...string) (runner.PlanReport, error) {
	t.Helper()
	plan := runner.OutboundPlan{SyncID: "file", Source: runner.Source{File: path}, Identifier: "id", Strategy: connector.StrategyUpsert, Now: time.Now(), Samples: 100}
	for _, f := range fields {
		plan.Mappings = append(plan.Mappings, runner.Mapping{Field: f, Column: f})
	}
	return w.Plan(t.Context(), plan)
}

func write(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestSourceFiles(t *testing.T) {
	w := openTest(t, "")
	parquet := filepath.Join(t.TempDir(), "x [1]*.parquet")
	if _, err := w.db.ExecContext(t.Context(), `COPY (SELECT 7 AS id, 1.50::DECIMAL(9,2) AS v UNION ALL SELECT 8, NULL) TO '`+parquet+`' (FORMAT parquet)`); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		path string
		want []string // id=v, NULL for null
		kind connector.Kind
	}{
		"csv keeps leading zeros and dates": {write(t, "a.csv", "id,v\n007,01/02/2026\n9007199254740993123,1.10\n"), []string{"007=01/02/2026", "9007199254740993123=1.10"}, connector.KindString},
		"csv tells null from empty":         {write(t, "a.csv", "id,v\n1,\n2,\"\"\n3,NULL\n"), []string{"1=NULL", "2=", "3=NULL text"}, connector.KindString},
		"csv with all its quoting":          {write(t, "a.csv", "\"id\",\"v\"\r\n1,\"a \"\"b\"\", c\nd\"\r\n"), []string{"1=a \"b\", c\nd"}, connector.KindString},
		"csv with semicolons":               {write(t, "a.csv", "id;v\n1;a,b\n2;c\n"), []string{"1=a,b", "2=c"}, connector.KindString},
		"csv of text alone":                 {write(t, "a.csv", "id,v\nx,y\n"), []string{"x=y"}, connector.KindString},
		"tsv":                               {write(t, "a.tsv", "id\tv\n1\ta\n"), []string{"1=a"}, connector.KindString},
		"json":                              {write(t, "a.json", `[{"id":1,"v":"a"},{"id":2,"v":null}]`), []string{"1=a", "2=NULL"}, connector.KindString},
		"json lines":                        {write(t, "a.ndjson", "{\"id\":1,\"v\":{\"b\":1}}\n"), []string{`1={"b":1}`}, connector.KindJSON},
		"parquet":                           {parquet, []string{"7=1.50", "8=NULL"}, connector.KindDecimal},
	} {
		report, err := planFile(t, w, c.path, "v")
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var got []string
		for _, s := range report.Samples {
			v := s.Values[0]
			if s.Null[0] {
				v = "NULL"
			} else if v == "NULL" {
				v = "NULL text"
			}
			got = append(got, s.Identifier+"="+v)
		}
		if !slices.Equal(got, c.want) || report.Schema.Columns[0].Type.Kind != c.kind {
			t.Errorf("%s: got %q of kind %s, want %q of kind %s", name, got, report.Schema.Columns[0].Type.Kind, c.want, c.kind)
		}
	}
}

func TestSourceFileErrors(t *testing.T) {
	w := openTest(t, "")
	latin := "id,v\n" + strings.Repeat("1,ok\n", 5000) + "2,caf\xe9\n"
	for name, c := range map[string]struct {
		path string
		says []string
	}{
		"not UTF-8":         {write(t, "latin.csv", latin), []string{"latin.csv", "line 5002", "UTF-8"}},
		"not UTF-8 at once": {write(t, "latin.csv", "id,v\n2,caf\xe9\n"), []string{"latin.csv", "UTF-8"}},
		"ragged":            {write(t, "ragged.csv", "id,v\n"+strings.Repeat("1,ok\n", 5000)+"1,2,3,4\n"), []string{"ragged.csv", "line 5002"}},
		"unknown ending":    {write(t, "a.xlsx", "x"), []string{"a.xlsx", ".csv"}},
		"a folder":          {t.TempDir(), []string{"folder"}},
		"no parquet":        {write(t, "a.parquet", "x"), []string{"a.parquet"}},
	} {
		_, err := planFile(t, w, c.path, "v")
		p, ok := errors.AsType[*runner.PlanError](err)
		if !ok || p.Kind != runner.PlanSource {
			t.Errorf("%s: error is %v, want one of kind source", name, err)
			continue
		}
		for _, say := range c.says {
			if !strings.Contains(p.Message, say) {
				t.Errorf("%s: message %q does not say %q", name, p.Message, say)
			}
		}
	}
}

// The values of records to be sent are read after the plan knows which they are:
// of a source that would say something else by then, they are kept.
func TestSourceIsReadOnce(t *testing.T) {
	w := openTest(t, "")
	for _, sql := range []string{
		`CREATE SEQUENCE reads`,
		`CREATE TABLE few AS SELECT i AS id, i AS rowid FROM range(3) t(i)`,
		`CREATE VIEW counted AS SELECT i AS id, nextval('reads') AS n FROM range(3) t(i)`,
	} {
		if _, err := w.db.ExecContext(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	for i, source := range []runner.Source{
		{Query: "FROM counted"},
		{Table: "counted"},
		{Query: "SELECT id, nextval('reads') AS n FROM few"},
	} {
		report, err := w.Plan(t.Context(), runner.OutboundPlan{
			SyncID: "s", Source: source, Identifier: "id", Strategy: connector.StrategyUpsert, Now: time.Now(), Samples: 3,
			Mappings: []runner.Mapping{{Field: "N", Column: "n"}},
		})
		if err != nil {
			t.Fatal(err)
		}
		for j, s := range report.Samples {
			if want := fmt.Sprint(i*3 + j + 1); s.Values[0] != want || len(report.Samples) != 3 {
				t.Errorf("source %d: record %d of %d has %s, want %s", i, j, len(report.Samples), s.Values[0], want)
			}
		}
	}
	report, err := w.Plan(t.Context(), runner.OutboundPlan{
		SyncID: "s", Source: runner.Source{Table: "few"}, Identifier: "id", Strategy: connector.StrategyUpsert, Now: time.Now(), Samples: 3,
		Mappings: []runner.Mapping{{Field: "N", Column: "rowid"}, {Field: "Twice", Expression: "rowid * 2"}},
	})
	if err != nil || len(report.Samples) != 3 || report.Samples[2].Values[1] != "4" {
		t.Errorf("a table with a column rowid is planned as %+v, %v", report.Samples, err)
	}
}

func TestErrorsHoldNoContent(t *testing.T) {
	w := openTest(t, "")
	plan := runner.OutboundPlan{
		SyncID: "s", Source: runner.Source{Query: "SELECT 1 AS id, 'secret@example.com' AS v"}, Identifier: "id", Strategy: connector.StrategyUpsert, Now: time.Now(),
		Mappings: []runner.Mapping{{Field: "V", Expression: "v::INTEGER"}},
	}
	_, err := w.Plan(t.Context(), plan)
	p, ok := errors.AsType[*runner.PlanError](err)
	if !ok || p.Kind != runner.PlanMapping || strings.Contains(err.Error(), "secret") {
		t.Errorf("error is %v, want one of kind mapping without the value", err)
	}
}

func TestTypesOfDuckDB(t *testing.T) {
	w := openTest(t, "")
	for expression, want := range map[string]string{
		"170141183460469231731687303715884105727::HUGEINT": "170141183460469231731687303715884105727",
		"18446744073709551615::UBIGINT":                    "18446744073709551615",
		"0.1::FLOAT":                                       "0.1",
		"[1, NULL, 2]":                                     "[1,null,2]",
		"{'a': 1.50::DECIMAL(9,2), 'b': ['x']}":            `{"a":1.5,"b":["x"]}`,
		"{'a': 123456789012345678.91::DECIMAL(20,2)}":      `{"a":123456789012345678.91}`,
		"MAP {'k': 1}":                                     `{"k":1}`,
		"'\\xAA\\x00'::BLOB":                               "qgA=",
		"'11111111-2222-3333-4444-555555555555'::UUID":     "11111111-2222-3333-4444-555555555555",
		"TIMESTAMP_NS '2026-01-31 12:00:00.123456789'":     "2026-01-31T12:00:00.123456789",
		"TIMESTAMP_S '2026-01-31 12:00:00'":                "2026-01-31T12:00:00",
		"'b'::ENUM('a', 'b')":                              "b",
		"1e16::DOUBLE":                                     "1e+16",
		"-0.0::DOUBLE":                                     "-0",
		"INTERVAL 2 DAY":                                   "2 days",
		"NULL":                                             "NULL",
	} {
		report, err := w.Plan(t.Context(), runner.OutboundPlan{
			SyncID: "s", Source: runner.Source{Query: "SELECT 1 AS id"}, Identifier: "id", Strategy: connector.StrategyUpsert, Now: time.Now(), Samples: 1,
			Mappings: []runner.Mapping{{Field: "V", Expression: expression}},
		})
		if err != nil {
			t.Errorf("%s: %v", expression, err)
			continue
		}
		got := report.Samples[0].Values[0]
		if report.Samples[0].Null[0] {
			got = "NULL"
		}
		if got != want {
			t.Errorf("%s is %q, want %q", expression, got, want)
		}
	}
}
