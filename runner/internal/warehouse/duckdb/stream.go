package duckdb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"
	"time"

	duckdbgo "github.com/duckdb/duckdb-go/v2"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/runner"
)

// States implements [runner.InboundWarehouse].
func (w *Warehouse) States(ctx context.Context, syncID string) (map[string]string, error) {
	ctx, s, err := w.session(ctx)
	if err != nil {
		return nil, err
	}
	defer s.done()
	rows, err := s.QueryContext(ctx, `SELECT stream, state FROM sluice.stream_state WHERE sync_id = ? AND state <> ''`, syncID)
	if err != nil {
		return nil, w.explain("read the cursors of sync "+syncID, err)
	}
	defer rows.Close()
	states := map[string]string{}
	for rows.Next() {
		var stream, state string
		if err := rows.Scan(&stream, &state); err != nil {
			return nil, err
		}
		states[stream] = state
	}
	return states, w.explain("read the cursors of sync "+syncID, rows.Err())
}

// ResetStream implements [runner.InboundWarehouse].
func (w *Warehouse) ResetStream(ctx context.Context, syncID, stream string) error {
	ctx, s, err := w.session(ctx)
	if err != nil {
		return err
	}
	defer s.done()
	_, err = s.exec(ctx, `UPDATE sluice.stream_state SET state = '', refresh_runs = NULL WHERE sync_id = ? AND stream = ?`, syncID, stream)
	return w.explain("reset stream "+stream, err)
}

// OpenStream implements [runner.InboundWarehouse]. The writer holds a
// connection until it is closed.
func (w *Warehouse) OpenStream(ctx context.Context, target runner.StreamTarget) (runner.StreamWriter, error) {
	table, err := qualified(target.Table)
	if err != nil {
		return nil, connector.Errorf(connector.ClassConfig, "TABLE", "stream %s: %w", target.Stream, err)
	}
	if target.Storage == runner.StorageMerge && len(target.Key) == 0 {
		return nil, connector.Errorf(connector.ClassConfig, "KEY", "stream %s has no key, so its rows cannot be merged; store it with %q", target.Stream, runner.StorageAppend)
	}
	s, err := w.lend(ctx)
	if err != nil {
		return nil, err
	}
	s.discard = true // the staged rows go with the connection
	sw := &streamWriter{w: w, session: s, target: target, table: table}
	if err := sw.load(ctx); err != nil {
		s.done()
		return nil, w.explain("open stream "+target.Stream, err)
	}
	return sw, nil
}

// streamWriter receives one stream. Rows and tombstones are staged as text in
// temporary tables, a new one whenever the kind of row or the schema changes,
// so that they are applied in the order they came.
type streamWriter struct {
	*session
	w      *Warehouse
	target runner.StreamTarget
	table  string

	stages   []*stage
	appender *duckdbgo.Appender
	made     int
	ord      int64
	counts   runner.StreamCounts
	refresh  []string
	closed   bool
}

// stage is one temporary table: rows of a schema, or tombstones when the
// schema is nil.
type stage struct {
	table  string
	schema *connector.Schema
	rows   int64
}

// load continues the counts of the same run and the full refresh under way.
func (s *streamWriter) load(ctx context.Context) error {
	var run string
	var c runner.StreamCounts
	var runs any
	err := s.QueryRowContext(ctx, `SELECT run_id, rows_committed, rows_deleted, values_unparsed, refresh_runs
		FROM sluice.stream_state WHERE sync_id = ? AND stream = ?`, s.target.SyncID, s.target.Stream).Scan(&run, &c.Rows, &c.Deleted, &c.Unparsed, &runs)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	if run == s.target.RunID {
		s.counts = c
	}
	s.refresh = texts(runs)
	if s.target.FullRefresh && !s.target.Resumed {
		s.refresh = nil
	}
	// Rows touched by any run while a full refresh is open count as seen.
	if (s.target.FullRefresh || len(s.refresh) > 0) && !slices.Contains(s.refresh, s.target.RunID) {
		s.refresh = append(s.refresh, s.target.RunID)
	}
	return nil
}

// Append implements [runner.StreamWriter].
func (s *streamWriter) Append(ctx context.Context, batch *connector.RecordBatch) error {
	if err := s.check(batch); err != nil {
		return err
	}
	if err := s.stage(ctx, batch.Schema); err != nil {
		return s.w.explain("stage rows of stream "+s.target.Stream, err)
	}
	row := make([]driver.Value, 2+len(batch.Columns))
	nulls := make([]int, len(batch.Columns))
	for i := range batch.Rows {
		s.ord++
		row[0], row[1] = s.ord, nil
		if batch.AppIdentifiers != nil && batch.AppIdentifiers[i] != "" {
			row[1] = batch.AppIdentifiers[i]
		}
		for c := range batch.Columns {
			v := &batch.Columns[c]
			if n := nulls[c]; n < len(v.Nulls) && v.Nulls[n] == uint32(i) {
				nulls[c]++
				row[2+c] = nil
			} else {
				row[2+c] = v.Texts[i]
			}
		}
		if err := s.appender.AppendRow(row...); err != nil {
			return s.w.explain("stage rows of stream "+s.target.Stream, err)
		}
	}
	s.stages[len(s.stages)-1].rows += int64(batch.Rows)
	return nil
}

// check refuses a batch that is not what it says.
func (s *streamWriter) check(batch *connector.RecordBatch) error {
	bad := func(what string) error {
		return connector.Errorf(connector.ClassInternal, "BATCH", "stream %s: a batch of rows %s", s.target.Stream, what)
	}
	if batch.Schema == nil || len(batch.Columns) != len(batch.Schema.Columns) {
		return bad("has other columns than its schema")
	}
	if batch.AppIdentifiers != nil && len(batch.AppIdentifiers) != batch.Rows {
		return bad("has another number of app identifiers than of rows")
	}
	for i, c := range batch.Columns {
		if len(c.Texts) != batch.Rows {
			return bad("has another number of values in column " + batch.Schema.Columns[i].Name + " than of rows")
		}
	}
	if s.target.Storage == runner.StorageMerge {
		for _, key := range s.target.Key {
			if batch.Schema.Column(key) < 0 {
				return bad("lacks the key column " + key)
			}
		}
	}
	return nil
}

// Delete implements [runner.StreamWriter].
func (s *streamWriter) Delete(ctx context.Context, tombstones connector.Tombstones) error {
	if err := s.stage(ctx, nil); err != nil {
		return s.w.explain("stage deletions of stream "+s.target.Stream, err)
	}
	for i, id := range tombstones.AppIdentifiers {
		at := s.target.RetrievedAt
		if tombstones.DeletedAt != nil && !tombstones.DeletedAt[i].IsZero() {
			at = tombstones.DeletedAt[i]
		}
		s.ord++
		if err := s.appender.AppendRow(s.ord, id, at.UTC().Format(time.RFC3339Nano)); err != nil {
			return s.w.explain("stage deletions of stream "+s.target.Stream, err)
		}
	}
	s.stages[len(s.stages)-1].rows += int64(len(tombstones.AppIdentifiers))
	return nil
}

// stage makes the last stage one for the schema and opens its appender.
func (s *streamWriter) stage(ctx context.Context, schema *connector.Schema) error {
	if s.closed {
		return errors.New("the stream is closed")
	}
	if n := len(s.stages); n > 0 && s.appender != nil && sameSchema(s.stages[n-1].schema, schema) {
		return nil
	}
	if err := s.flush(ctx); err != nil {
		return err
	}
	s.made++
	st := &stage{table: fmt.Sprintf("sluice_stage_%d", s.made), schema: schema}
	ddl := "CREATE TEMP TABLE " + st.table + " (ord BIGINT, app VARCHAR"
	if schema == nil {
		ddl += ", deleted_at VARCHAR"
	} else {
		for i := range schema.Columns {
			ddl += fmt.Sprintf(", t%d VARCHAR", i)
		}
	}
	if _, err := s.exec(ctx, ddl+")"); err != nil {
		return err
	}
	s.stages = append(s.stages, st)
	return s.Raw(func(raw any) (err error) {
		s.appender, err = duckdbgo.NewAppender(raw.(*duckdbgo.Conn), "temp", "main", st.table)
		return err
	})
}

// sameSchema reports whether rows of both may share a stage.
func sameSchema(a, b *connector.Schema) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a == b || a.ID == b.ID && slices.Equal(a.Columns, b.Columns)
}

// flush ends the appender; what it held is in the stage's table.
func (s *streamWriter) flush(ctx context.Context) error {
	if s.appender == nil {
		return nil
	}
	a := s.appender
	s.appender = nil
	return s.Raw(func(any) error { return a.CloseWithCancel(ctx) })
}

// Close implements [runner.StreamWriter].
func (s *streamWriter) Close() error {
	if s.closed {
		return nil
	}
	s.closed = true
	var err error
	if s.appender != nil {
		err = s.Raw(func(any) error { return errors.Join(s.appender.Clear(), s.appender.Close()) })
		s.appender = nil
	}
	s.done()
	if errors.Is(err, sql.ErrConnDone) {
		return nil // the warehouse was closed first
	}
	return err
}
