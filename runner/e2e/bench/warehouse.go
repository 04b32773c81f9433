package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/runner"
	"github.com/sluiceio/sluice/runner/internal/warehouse/duckdb"
)

// storeMemory is what the stages and their limits may use: DuckDB's own load of a
// CSV file does not run in the 96 MB that a run begins with.
const storeMemory = "256MB"

// store is a warehouse in a folder of its own, with the threads a user gets. The
// limits run in the same database with the same settings.
type store struct {
	*duckdb.Warehouse
	dir string
	n   int64
	run int
}

func openStore(ctx context.Context, o options, n int64) (*store, error) {
	dir, err := os.MkdirTemp(o.dir, "sluice-bench-")
	if err != nil {
		return nil, err
	}
	w, err := duckdb.Open(ctx, duckdb.Config{Path: filepath.Join(dir, "w.duckdb"), MemoryLimit: storeMemory})
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	s := &store{Warehouse: w, dir: dir, n: n}
	return s, s.exec(ctx, sourceSQL("companies", n))
}

func (s *store) close() error { return errors.Join(s.Close(), os.RemoveAll(s.dir)) }

// exec runs a statement to its end.
func (s *store) exec(ctx context.Context, sql string) error {
	rows, err := s.Query(ctx, sql)
	if err != nil {
		return err
	}
	for _, err := range rows.All {
		if err != nil {
			return err
		}
	}
	return nil
}

// statement is a subject that runs SQL.
func (s *store) statement(name, sql string) subject {
	return subject{name, func(ctx context.Context) (cost, error) { return timed(func() error { return s.exec(ctx, sql) }) }}
}

// plan plans the next run of the sync and checks how many records it has.
func (s *store) plan(ctx context.Context, want int64) (cost, error) {
	s.run++
	plan := runner.OutboundPlan{
		SyncID: "out", RunID: fmt.Sprint("r", s.run), Source: runner.Source{Table: "companies"}, Identifier: "id",
		Strategy: connector.StrategyUpsert, Now: time.Now(),
	}
	for _, f := range fields {
		plan.Mappings = append(plan.Mappings, runner.Mapping{Field: f.field, Column: f.column})
	}
	return timed(func() error {
		report, err := s.Plan(ctx, plan)
		if err == nil && report.Records != want {
			err = fmt.Errorf("the plan has %d records instead of %d", report.Records, want)
		}
		return err
	})
}

// settle gives all records of the run an outcome, as connectors do, and ends it.
func (s *store) settle(ctx context.Context, records int64) (cost, error) {
	return timed(func() error {
		const chunk = 10_000
		run := fmt.Sprint("r", s.run)
		for first := int64(1); first <= records; first += chunk {
			o := connector.Outcomes{}
			for seq := first; seq < min(first+chunk, records+1); seq++ {
				o.Seqs, o.AppIdentifiers = append(o.Seqs, seq), append(o.AppIdentifiers, fmt.Sprintf("4876876%012d", seq))
			}
			if err := s.Settle(ctx, "out", run, time.Now(), []connector.Outcomes{o}); err != nil {
				return err
			}
		}
		return s.Finish(ctx, "out", run, time.Now())
	})
}

// export hands out the run's outbox.
func (s *store) export(ctx context.Context) (cost, error) {
	return timed(func() error {
		var n int64
		for batch, err := range s.Records(ctx, "out", fmt.Sprint("r", s.run), runner.OutboxSelection{Unsettled: true}) {
			if err != nil {
				return err
			}
			n += int64(batch.Rows)
		}
		if n != s.n {
			return fmt.Errorf("%d of %d records were handed out", n, s.n)
		}
		return nil
	})
}

// outboxColumns are the columns of the outbox that a batch holds.
func outboxColumns() string {
	list := []string{"seq", "identifier", "app_identifier", "action"}
	for i := range fields {
		list = append(list, fmt.Sprintf("c%d", i))
	}
	return strings.Join(list, ", ")
}

// load receives rows into a typed table, as inbound runs do.
func (s *store) load(ctx context.Context, batches []*connector.RecordBatch, storage runner.Storage) (cost, error) {
	s.run++
	table := fmt.Sprint("received", s.run)
	c, err := timed(func() error {
		w, err := s.OpenStream(ctx, runner.StreamTarget{SyncID: "in", RunID: "r", Stream: table, Table: table,
			Key: []string{"External_Key"}, Storage: storage, RetrievedAt: time.Now()})
		if err != nil {
			return err
		}
		for _, batch := range batches {
			if err := w.Append(ctx, batch); err != nil {
				return errors.Join(err, w.Close())
			}
		}
		counts, err := w.Commit(ctx, `{}`, true)
		if err == nil && counts.Rows != s.n {
			err = fmt.Errorf("%d of %d rows were committed", counts.Rows, s.n)
		}
		return errors.Join(err, w.Close())
	})
	return c, errors.Join(err, s.exec(ctx, "DROP TABLE "+table))
}

// measureWarehouse measures rows out of and into the warehouse.
func measureWarehouse(ctx context.Context, o options) (lines []line, err error) {
	s, err := openStore(ctx, o, o.few)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	if _, err := s.plan(ctx, s.n); err != nil {
		return nil, err
	}
	file := filepath.Join(s.dir, "own.csv")
	out, err := race(ctx, o.rounds,
		s.statement("DuckDB's COPY of the outbox to a CSV file", fmt.Sprintf("COPY (SELECT %s FROM sluice.outbox_out ORDER BY seq) TO '%s'", outboxColumns(), file)),
		subject{"warehouse to columns", s.export})
	if err != nil {
		return nil, err
	}
	if err := s.exec(ctx, fmt.Sprintf("COPY companies TO '%s' (HEADER)", file)); err != nil {
		return nil, err
	}
	in, err := measureLoad(ctx, o, s, file)
	lines = append(out, in...)
	size := int64(0)
	if info, err := os.Stat(file); err == nil {
		size = info.Size()
	}
	for i := range lines {
		lines[i].Records, lines[i].Bytes = s.n, size
		lines[i].Target.Least = 0.5
		lines[i].Peaks = map[string]int64{"runner's part": ownPeak()}
	}
	if err != nil {
		return lines, err
	}
	lines[2].Target = target{} // merging by key is not what a bulk load does
	if err := explain(ctx, o, &lines[0], "export", s.export); err != nil {
		return lines, err
	}
	batches := inboundBatches(int(s.n))
	return lines, explain(ctx, o, &lines[1], "load", func(ctx context.Context) (cost, error) { return s.load(ctx, batches, runner.StorageAppend) })
}

// inboundBatches are n rows on their way in.
func inboundBatches(n int) (batches []*connector.RecordBatch) {
	schema := sourceSchema("in")
	for first := 1; first <= n; first += batchRows {
		b := sourceBatch(schema, first, min(batchRows, n-first+1))
		b.AppIdentifiers, b.Identifiers, b.Seqs, b.Action, b.Stream = b.Identifiers, nil, nil, "", "rows"
		batches = append(batches, b)
	}
	return batches
}

// measureLoad measures rows into a table, appended and merged by key.
func measureLoad(ctx context.Context, o options, s *store, file string) ([]line, error) {
	batches := inboundBatches(int(s.n))
	var types []string
	for _, f := range fields {
		t := "VARCHAR"
		switch kinds[f.column].Kind {
		case connector.KindInt64:
			t = "BIGINT"
		case connector.KindDecimal:
			t = "DECIMAL(16,2)"
		}
		types = append(types, fmt.Sprintf("'%s': '%s'", f.column, t))
	}
	return race(ctx, o.rounds,
		s.statement("DuckDB's load of the same rows from a CSV file", fmt.Sprintf("CREATE OR REPLACE TABLE own AS FROM read_csv('%s', header = true, columns = {%s})", file, strings.Join(types, ", "))),
		subject{"columns into a typed table", func(ctx context.Context) (cost, error) { return s.load(ctx, batches, runner.StorageAppend) }},
		subject{"columns merged into a typed table by key", func(ctx context.Context) (cost, error) { return s.load(ctx, batches, runner.StorageMerge) }})
}

// scanSQL reads every mapped value once, as text, and hashes it: what no plan can
// do without. readSQL only reads.
func scanSQL() string {
	var texts []string
	for _, f := range fields {
		texts = append(texts, fmt.Sprintf("strlen(%[1]s::VARCHAR), ':', %[1]s::VARCHAR", f.column))
	}
	return "SELECT bit_xor(md5_number(concat(''," + strings.Join(texts, ", ") + "))) FROM companies"
}

func readSQL() string {
	var texts []string
	for _, f := range fields {
		texts = append(texts, fmt.Sprintf("max(%s)", f.column))
	}
	return "SELECT " + strings.Join(texts, ", ") + " FROM companies"
}

// measurePlan measures plans of a table of many rows.
func measurePlan(ctx context.Context, o options) (lines []line, err error) {
	s, err := openStore(ctx, o, o.many)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	fmt.Fprintf(os.Stderr, "  a first run of %d records, all new ...\n", s.n)
	fresh, err := s.plan(ctx, s.n)
	if err != nil {
		return nil, err
	}
	settled, err := s.settle(ctx, s.n)
	if err != nil {
		return nil, err
	}
	unchanged := func(ctx context.Context) (cost, error) {
		c, err := s.plan(ctx, 0)
		return c, cmpErr(err, s.Finish(ctx, "out", fmt.Sprint("r", s.run), time.Now()))
	}
	changed := func(ctx context.Context) (cost, error) {
		if err := s.exec(ctx, fmt.Sprintf("UPDATE companies SET phone = phone || '%d' WHERE hash(id) %% 100 = %d", s.run%10, s.run%100)); err != nil {
			return cost{}, err
		}
		changed, err := s.count(ctx, fmt.Sprintf("SELECT count(*) FROM companies WHERE hash(id) %% 100 = %d", s.run%100))
		if err != nil {
			return cost{}, err
		}
		c, err := s.plan(ctx, changed)
		if err != nil {
			return c, err
		}
		_, err = s.settle(ctx, changed)
		return c, err
	}
	lines, err = race(ctx, o.rounds, s.statement("one scan: each value read as text and hashed", scanSQL()),
		subject{"plan, nothing changed", unchanged}, subject{"plan, 1 % changed", changed}, s.statement("one scan: each value read", readSQL()))
	if err != nil {
		return nil, err
	}
	first := line{Stage: "plan, all new", Limit: lines[0].Limit, Ours: fresh, Theirs: lines[0].Theirs, Low: lines[0].Low, High: lines[0].High}
	first.Ratio, first.ByCPU = first.Theirs.Wall.Seconds()/fresh.Wall.Seconds(), byCPU(first)
	done := first
	done.Stage, done.Ours = "settle and finish, all new", settled
	done.Ratio, done.ByCPU = done.Theirs.Wall.Seconds()/settled.Wall.Seconds(), byCPU(done)
	lines = append(lines[:2], first, done, lines[2])
	for i := range lines {
		lines[i].Records = s.n
		lines[i].Ratio = 1 / lines[i].Ratio // in scans
		if lines[i].ByCPU > 0 {
			lines[i].ByCPU = 1 / lines[i].ByCPU
		}
		lines[i].Peaks = map[string]int64{"runner's part": ownPeak()}
	}
	lines[0].Target.Most, lines[1].Target.Most = 3, 3
	return lines, errors.Join(explain(ctx, o, &lines[0], "plan-unchanged", unchanged), explain(ctx, o, &lines[1], "plan-changed", changed))
}

func (s *store) count(ctx context.Context, sql string) (int64, error) {
	rows, err := s.Query(ctx, sql)
	if err != nil {
		return 0, err
	}
	var n int64
	for row, err := range rows.All {
		if err != nil {
			return 0, err
		}
		if _, err := fmt.Sscan(row.Texts[0], &n); err != nil {
			return 0, err
		}
	}
	return n, nil
}
