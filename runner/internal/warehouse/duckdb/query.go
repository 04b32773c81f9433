package duckdb

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	duckdbgo "github.com/duckdb/duckdb-go/v2"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/runner"
)

// Query implements [runner.Warehouse]. The result of a SELECT is kept in a
// temporary table, which DuckDB may spill, and read from there in pages. The
// rows are read once.
func (w *Warehouse) Query(ctx context.Context, query string) (runner.Rows, error) {
	s, err := w.lend(ctx)
	if err != nil {
		return runner.Rows{}, err
	}
	s.discard = true // the statement may change the session's settings
	rows, err := s.query(ctx, query)
	if err != nil {
		s.done()
		if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
			return runner.Rows{}, err
		}
		e := connector.Errorf(connector.ClassConfig, "QUERY", "the query failed: %s", strings.TrimSpace(err.Error()))
		e.Cause = err
		return runner.Rows{}, e
	}
	all := rows.All
	rows.All = func(yield func(runner.Row, error) bool) {
		defer s.done()
		all(yield)
	}
	return rows, nil
}

func (s *session) query(ctx context.Context, query string) (runner.Rows, error) {
	selects := false
	err := s.prepared(query, func(stmt *duckdbgo.Stmt) error {
		kind, err := stmt.StatementType()
		selects = kind == duckdbgo.STATEMENT_TYPE_SELECT
		return err
	})
	if err != nil {
		return runner.Rows{}, err
	}
	if !selects {
		return s.direct(ctx, query)
	}
	// SHOW and its like count as SELECT but cannot fill a table.
	if err := s.execOne(ctx, "CREATE OR REPLACE TEMP TABLE sluice_result AS\n"+query); err != nil {
		if strings.Contains(err.Error(), "Parser Error") {
			return s.direct(ctx, query)
		}
		return runner.Rows{}, err
	}
	return s.result(ctx)
}

// queryPage is how many rows of a result are held at once.
const queryPage = 2_000

// result reads the temporary table in pages.
func (s *session) result(ctx context.Context) (runner.Rows, error) {
	columns, err := s.describe(ctx, "SELECT * FROM sluice_result")
	if err != nil {
		return runner.Rows{}, err
	}
	var rows runner.Rows
	var list []string
	for _, c := range columns {
		rows.Columns = append(rows.Columns, connector.Column{Name: c.name, Type: textType(c.duck)})
		list = append(list, textOf(quote(c.name), c.duck, connector.Rendering{}))
	}
	rows.All = func(yield func(runner.Row, error) bool) {
		for from := 0; ; from += queryPage {
			page := fmt.Sprintf("SELECT %s FROM sluice_result WHERE rowid >= %d AND rowid < %d ORDER BY rowid", strings.Join(list, ", "), from, from+queryPage)
			n, err := s.page(ctx, page, len(columns), yield)
			if err != nil {
				if !errors.Is(err, errStopped) {
					yield(runner.Row{}, err)
				}
				return
			}
			if n < queryPage {
				return
			}
		}
	}
	return rows, nil
}

// page hands out the rows of one query.
func (s *session) page(ctx context.Context, query string, width int, yield func(runner.Row, error) bool) (n int, err error) {
	rows, err := s.QueryContext(ctx, query)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	values, into := make([]any, width), make([]any, width)
	for i := range values {
		into[i] = &values[i]
	}
	row := runner.Row{Texts: make([]string, width), Null: make([]bool, width)}
	for ; rows.Next(); n++ {
		if err := rows.Scan(into...); err != nil {
			return n, err
		}
		for i, v := range values {
			row.Texts[i], row.Null[i] = goText(v), v == nil
		}
		if !yield(row, nil) {
			return n, errStopped
		}
	}
	return n, rows.Err()
}

// direct runs a statement that is not a SELECT and keeps what it answers,
// which is short: a count, a plan, a list of tables.
func (s *session) direct(ctx context.Context, query string) (runner.Rows, error) {
	result, err := s.QueryContext(ctx, query)
	if err != nil {
		return runner.Rows{}, err
	}
	defer result.Close()
	columns, err := result.Columns()
	if err != nil {
		return runner.Rows{}, err
	}
	var rows runner.Rows
	for _, c := range columns {
		rows.Columns = append(rows.Columns, connector.Column{Name: c, Type: connector.Type{Kind: connector.KindString}})
	}
	var kept []runner.Row
	values, into := make([]any, len(columns)), make([]any, len(columns))
	for i := range values {
		into[i] = &values[i]
	}
	for result.Next() {
		if err := result.Scan(into...); err != nil {
			return rows, err
		}
		row := runner.Row{}
		for _, v := range values {
			row.Texts, row.Null = append(row.Texts, goText(v)), append(row.Null, v == nil)
		}
		kept = append(kept, row)
	}
	rows.All = func(yield func(runner.Row, error) bool) {
		for _, r := range kept {
			if !yield(r, nil) {
				return
			}
		}
	}
	return rows, result.Err()
}

// goText writes a value of the driver for a person.
func goText(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case []byte:
		return base64.StdEncoding.EncodeToString(v)
	case time.Time:
		return v.UTC().Format(time.RFC3339Nano)
	}
	return fmt.Sprint(v)
}
