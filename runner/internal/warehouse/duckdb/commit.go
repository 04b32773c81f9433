package duckdb

import (
	"context"
	"fmt"
	"strings"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/runner"
)

// Commit implements [runner.StreamWriter].
func (s *streamWriter) Commit(ctx context.Context, state string, final bool) (runner.StreamCounts, error) {
	doing := "commit stream " + s.target.Stream
	if s.closed {
		return runner.StreamCounts{}, fmt.Errorf("%s: the stream is closed", doing)
	}
	unlock, err := s.w.syncs.lock(ctx, "table "+s.table)
	if err != nil {
		return runner.StreamCounts{}, err
	}
	defer unlock()
	if err := s.flush(ctx); err != nil {
		return runner.StreamCounts{}, s.w.explain(doing, err)
	}
	if err := s.createSchema(ctx); err != nil {
		return runner.StreamCounts{}, s.w.explain(doing, err)
	}
	var counts runner.StreamCounts
	var refresh []string
	err = s.transaction(ctx, func() error {
		counts, refresh = s.counts, s.refresh
		if err := s.apply(ctx, &counts); err != nil {
			return err
		}
		if final && s.target.FullRefresh {
			if err := s.sweep(ctx, &counts); err != nil {
				return err
			}
			refresh = nil
		}
		return s.keepState(ctx, state, counts, refresh)
	})
	if err != nil {
		return runner.StreamCounts{}, s.w.explain(doing, err)
	}
	s.counts, s.refresh = counts, refresh
	return counts, s.w.explain(doing, s.drop(ctx))
}

// apply brings the table up to the staged schemas and the staged rows into it.
func (s *streamWriter) apply(ctx context.Context, counts *runner.StreamCounts) error {
	if err := s.createTable(ctx); err != nil {
		return err
	}
	for _, st := range s.stages {
		if st.schema == nil {
			continue
		}
		if err := s.checkKeys(ctx, st); err != nil {
			return err
		}
		if err := s.evolve(ctx, st); err != nil {
			return err
		}
	}
	for _, st := range s.stages {
		if st.schema == nil {
			if err := s.bury(ctx, st, counts); err != nil {
				return err
			}
			continue
		}
		l, err := s.layout(ctx, st)
		if err != nil {
			return err
		}
		if err := s.store(ctx, st, l, counts); err != nil {
			return err
		}
	}
	return nil
}

// checkKeys refuses rows that could not be told apart.
func (s *streamWriter) checkKeys(ctx context.Context, st *stage) error {
	if s.target.Storage != runner.StorageMerge {
		return nil
	}
	var nulls []string
	for _, key := range s.target.Key {
		nulls = append(nulls, fmt.Sprintf("t%d IS NULL", st.schema.Column(key)))
	}
	var n int64
	if err := s.QueryRowContext(ctx, "SELECT count(*) FROM "+st.table+" WHERE "+strings.Join(nulls, " OR ")).Scan(&n); err != nil {
		return err
	}
	if n > 0 {
		return connector.Errorf(connector.ClassRejected, "NULL_KEY", "%d rows of stream %s have no value in its key (%s), so they cannot be merged; store the stream with %q", n, s.target.Stream, strings.Join(s.target.Key, ", "), runner.StorageAppend)
	}
	return nil
}

// store casts a stage's rows and merges or appends them.
func (s *streamWriter) store(ctx context.Context, st *stage, l layout, counts *runner.StreamCounts) error {
	data := storeData{
		Table: s.table, Stage: st.table, Columns: l,
		Run: literal(s.target.RunID), RetrievedAt: instant(s.target.RetrievedAt),
	}
	for _, c := range l {
		if c.Checked {
			data.Checked = append(data.Checked, c)
		}
	}
	name := "append.sql"
	if s.target.Storage == runner.StorageMerge {
		name = "merge.sql"
		for _, key := range s.target.Key {
			data.Keys = append(data.Keys, l[st.schema.Column(key)])
		}
	}
	var first, last int64
	if err := s.QueryRowContext(ctx, `SELECT coalesce(min(ord), 1), coalesce(max(ord), 0) FROM `+st.table).Scan(&first, &last); err != nil {
		return err
	}
	for ; first <= last; first += storeSlice {
		data.First, data.Last = first, first+storeSlice-1
		unparsed, err := s.storeSlice(ctx, name, data)
		if err != nil {
			return err
		}
		counts.Unparsed += unparsed
	}
	counts.Rows += st.rows
	return nil
}

// storeSlice is the number of rows stored at a time, in the order they came, so
// that the memory of casts and joins does not grow with the size of a commit.
// Of two rows with the same key the later one wins, in whichever slice it is.
const storeSlice = 25_000

// storeSlice stores the rows of one slice and returns how many of their values
// did not cast.
func (s *streamWriter) storeSlice(ctx context.Context, name string, data storeData) (unparsed int64, err error) {
	if _, err := s.exec(ctx, render("cast.sql", data)); err != nil {
		return 0, err
	}
	if err := s.QueryRowContext(ctx, `SELECT coalesce(sum(unparsed_count), 0)::BIGINT FROM sluice_cast`).Scan(&unparsed); err != nil {
		return 0, err
	}
	if len(data.Keys) > 0 { // inserting takes half the time of merging
		var known bool
		if err := s.QueryRowContext(ctx, render("known.sql", data)).Scan(&known); err != nil {
			return 0, err
		}
		if !known {
			name = "append.sql"
		}
	}
	if _, err := s.exec(ctx, render(name, data)); err != nil {
		return 0, err
	}
	_, err = s.exec(ctx, `DROP TABLE sluice_cast`)
	return unparsed, err
}

// storeData fills in the templates that store rows. All fields hold SQL.
type storeData struct {
	Table, Stage, Run, RetrievedAt string
	Columns, Checked, Keys         []layoutColumn
	First, Last                    int64 // rows of the stage
}

// bury applies tombstones.
func (s *streamWriter) bury(ctx context.Context, st *stage, counts *runner.StreamCounts) error {
	name := "bury.sql"
	if s.target.Storage == runner.StorageAppend {
		name = "bury_append.sql"
	}
	n, err := s.exec(ctx, render(name, storeData{Table: s.table, Stage: st.table, Run: literal(s.target.RunID), RetrievedAt: instant(s.target.RetrievedAt)}))
	counts.Deleted += n
	return err
}

// sweep ends a full refresh: rows that no run of it has seen are deleted.
func (s *streamWriter) sweep(ctx context.Context, counts *runner.StreamCounts) error {
	if s.target.Storage != runner.StorageMerge {
		return nil
	}
	var runs []string
	for _, r := range s.refresh {
		runs = append(runs, literal(r))
	}
	n, err := s.exec(ctx, fmt.Sprintf(`UPDATE %s SET _sluice_deleted = true, _sluice_deleted_at = %s, _sluice_run = %s
		WHERE _sluice_deleted IS NOT TRUE AND coalesce(_sluice_run, '') NOT IN (%s)`,
		s.table, instant(s.target.RetrievedAt), literal(s.target.RunID), strings.Join(runs, ", ")))
	counts.Deleted += n
	return err
}

// keepState stores the cursor with what the run has committed.
func (s *streamWriter) keepState(ctx context.Context, state string, counts runner.StreamCounts, refresh []string) error {
	t := s.target
	if _, err := s.exec(ctx, `DELETE FROM sluice.stream_state WHERE sync_id = ? AND stream = ?`, t.SyncID, t.Stream); err != nil {
		return err
	}
	var runs any
	if len(refresh) > 0 {
		runs = refresh
	}
	_, err := s.exec(ctx, `INSERT INTO sluice.stream_state VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, `+instant(t.RetrievedAt)+`)`,
		t.SyncID, t.Stream, t.Table, state, runs, t.RunID, counts.Rows, counts.Deleted, counts.Unparsed)
	return err
}

// drop removes the stages.
func (s *streamWriter) drop(ctx context.Context) error {
	for _, st := range s.stages {
		if _, err := s.exec(ctx, "DROP TABLE "+st.table); err != nil {
			return err
		}
	}
	s.stages = nil
	return nil
}
