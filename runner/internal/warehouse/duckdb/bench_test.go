package duckdb

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/runner"
)

// benchRows is the size of the benchmarks' source: leads of 18 fields, about
// 300 bytes each.
const benchRows = 200_000

// benchFields are the columns beside the id.
const benchFields = 17

// benchWarehouse makes a source, and a plan that maps all of it.
func benchWarehouse(b *testing.B) (*Warehouse, runner.OutboundPlan) {
	b.Helper()
	w := openTest(b, filepath.Join(b.TempDir(), "w.duckdb"))
	sql := "CREATE TABLE leads AS SELECT range AS id"
	plan := runner.OutboundPlan{SyncID: "bench", Source: runner.Source{Table: "leads"}, Identifier: "id", Strategy: connector.StrategyUpsert, Now: time.Now()}
	for i := range benchFields {
		sql += fmt.Sprintf(", 'value ' || (range * %d) || ' of it' AS f%d", i+7, i)
		plan.Mappings = append(plan.Mappings, runner.Mapping{Field: fmt.Sprintf("F%d", i), Column: fmt.Sprintf("f%d", i)})
	}
	run(b, w, sql+fmt.Sprintf(" FROM range(%d)", benchRows))
	return w, plan
}

func run(b *testing.B, w *Warehouse, sql string) {
	b.Helper()
	if _, err := w.db.ExecContext(context.Background(), sql); err != nil {
		b.Fatal(err)
	}
}

// timed returns the best of three runs of f, which is what ratios are made of.
func timed(f func()) time.Duration {
	best := time.Duration(1<<63 - 1)
	for range 3 {
		start := time.Now()
		f()
		best = min(best, time.Since(start))
	}
	return best
}

// BenchmarkPlan plans an unchanged and a new source. A scan reads every value
// and hashes it as canonical text; a copy writes the table once more.
func BenchmarkPlan(b *testing.B) {
	w, plan := benchWarehouse(b)
	texts := ""
	for i := range benchFields {
		texts += fmt.Sprintf(", strlen(f%d), ':', f%d", i, i)
	}
	scan := timed(func() { run(b, w, "SELECT bit_xor(md5_number(concat(''"+texts+"))) FROM leads") })
	copied := timed(func() { run(b, w, "CREATE OR REPLACE TABLE copied AS FROM leads") })
	n := 0
	round := func(report *runner.PlanReport) time.Duration {
		n++
		plan.RunID = fmt.Sprint("r", n)
		start := time.Now()
		var err error
		if *report, err = w.Plan(context.Background(), plan); err != nil {
			b.Fatal(err)
		}
		return time.Since(start)
	}
	var fresh, unchanged time.Duration
	for b.Loop() {
		var report runner.PlanReport
		fresh = round(&report)
		if report.Records != benchRows {
			b.Fatalf("the first plan has %d records", report.Records)
		}
		seqs := make([]int64, benchRows)
		for i := range seqs {
			seqs[i] = int64(i + 1)
		}
		if err := w.Settle(context.Background(), "bench", plan.RunID, plan.Now, []connector.Outcomes{{Seqs: seqs}}); err != nil {
			b.Fatal(err)
		}
		if err := w.Finish(context.Background(), "bench", plan.RunID, plan.Now); err != nil {
			b.Fatal(err)
		}
		unchanged = round(&report)
		if report.Unchanged != benchRows {
			b.Fatalf("the second plan has %d unchanged", report.Unchanged)
		}
		if err := w.Finish(context.Background(), "bench", plan.RunID, plan.Now); err != nil {
			b.Fatal(err)
		}
		run(b, w, "DELETE FROM "+stateTable("bench"))
	}
	b.ReportMetric(unchanged.Seconds()/scan.Seconds(), "unchanged/scan")
	b.ReportMetric(fresh.Seconds()/scan.Seconds(), "new/scan")
	b.ReportMetric(fresh.Seconds()/(scan+copied).Seconds(), "new/(scan+copy)")
	b.ReportMetric(benchRows/unchanged.Seconds(), "unchanged-rows/s")
	b.ReportMetric(benchRows/fresh.Seconds(), "new-rows/s")
}

// BenchmarkRecords reads an outbox, against DuckDB writing the same to CSV.
func BenchmarkRecords(b *testing.B) {
	w, plan := benchWarehouse(b)
	plan.RunID = "r"
	if _, err := w.Plan(context.Background(), plan); err != nil {
		b.Fatal(err)
	}
	file := filepath.Join(b.TempDir(), "copy.csv")
	own := timed(func() {
		run(b, w, "COPY (SELECT * EXCLUDE (hash) FROM "+outboxTable("bench")+" ORDER BY seq) TO "+literal(file))
	})
	for b.Loop() {
		n := 0
		for batch, err := range w.Records(context.Background(), "bench", "r", runner.OutboxSelection{}) {
			if err != nil {
				b.Fatal(err)
			}
			n += batch.Rows
		}
		if n != benchRows {
			b.Fatalf("%d records", n)
		}
	}
	each := b.Elapsed() / time.Duration(b.N)
	b.ReportMetric(benchRows/each.Seconds(), "rows/s")
	b.ReportMetric(each.Seconds()/own.Seconds(), "ours/COPY")
}

// BenchmarkSettle settles an outbox in chunks as a connector does.
func BenchmarkSettle(b *testing.B) {
	w, plan := benchWarehouse(b)
	plan.RunID = "r"
	if _, err := w.Plan(context.Background(), plan); err != nil {
		b.Fatal(err)
	}
	const chunk = 10_000
	for b.Loop() {
		for first := int64(1); first < benchRows; first += chunk {
			o := connector.Outcomes{}
			for i := range int64(chunk) {
				o.Seqs, o.AppIdentifiers = append(o.Seqs, first+i), append(o.AppIdentifiers, "4876876000000"+fmt.Sprint(first+i))
			}
			if err := w.Settle(context.Background(), "bench", "r", plan.Now, []connector.Outcomes{o}); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(benchRows*float64(b.N)/b.Elapsed().Seconds(), "records/s")
}

// BenchmarkStream receives rows into a typed table, against DuckDB loading the
// same rows from a CSV file.
func BenchmarkStream(b *testing.B) {
	w, _ := benchWarehouse(b)
	file := filepath.Join(b.TempDir(), "leads.csv")
	run(b, w, "COPY leads TO "+literal(file)+" (HEADER)")
	own := timed(func() { run(b, w, "CREATE OR REPLACE TABLE loaded AS FROM read_csv("+literal(file)+")") })
	schema := &connector.Schema{ID: "1", Columns: []connector.Column{{Name: "id", Type: connector.Type{Kind: connector.KindInt64}}}}
	for i := range benchFields {
		schema.Columns = append(schema.Columns, connector.Column{Name: fmt.Sprintf("f%d", i), Type: connector.Type{Kind: connector.KindString}})
	}
	const size = 5_000
	var batches []*connector.RecordBatch
	for first := 0; first < benchRows; first += size {
		batch := &connector.RecordBatch{Schema: schema, Rows: size, Columns: make([]connector.Values, len(schema.Columns))}
		for i := first; i < first+size; i++ {
			batch.AppIdentifiers = append(batch.AppIdentifiers, fmt.Sprint(i))
			batch.Columns[0].Texts = append(batch.Columns[0].Texts, fmt.Sprint(i))
			for f := range benchFields {
				batch.Columns[f+1].Texts = append(batch.Columns[f+1].Texts, fmt.Sprintf("value %d of it", i*(f+7)))
			}
		}
		batches = append(batches, batch)
	}
	n := 0
	for b.Loop() {
		n++
		sw, err := w.OpenStream(context.Background(), runner.StreamTarget{SyncID: "in", RunID: "r", Stream: fmt.Sprint("s", n), Table: fmt.Sprint("received", n), Key: []string{"id"}, Storage: runner.StorageMerge, RetrievedAt: time.Now()})
		if err != nil {
			b.Fatal(err)
		}
		for _, batch := range batches {
			if err := sw.Append(context.Background(), batch); err != nil {
				b.Fatal(err)
			}
		}
		if _, err := sw.Commit(context.Background(), "1", true); err != nil {
			b.Fatal(err)
		}
		if err := sw.Close(); err != nil {
			b.Fatal(err)
		}
	}
	each := b.Elapsed() / time.Duration(b.N)
	b.ReportMetric(benchRows/each.Seconds(), "rows/s")
	b.ReportMetric(each.Seconds()/own.Seconds(), "ours/read_csv")
}
