package duckdb

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"

	duckdbgo "github.com/duckdb/duckdb-go/v2"

	"github.com/sluiceio/sluice/runner"
)

// column is a column of a relation: its name and DuckDB type.
type column struct{ name, duck string }

// sourceView is the temporary view that stands for a plan's source. User SQL is
// the body of this one statement, so it cannot reach out of it.
const sourceView = "sluice_source"

// openSource makes the source view and returns its columns.
func (s *session) openSource(ctx context.Context, source runner.Source) ([]column, error) {
	body, err := sourceQuery(source)
	if err != nil {
		return nil, &runner.PlanError{Kind: runner.PlanSource, Message: err.Error(), Cause: err}
	}
	if source.Query != "" {
		if err := s.checkSelect(source.Query); err != nil {
			return nil, sourceError(source, err)
		}
	}
	if err := s.execOne(ctx, "CREATE OR REPLACE TEMP VIEW "+sourceView+" AS\n"+body); err != nil {
		return nil, sourceError(source, err)
	}
	columns, err := s.describe(ctx, "SELECT * FROM "+sourceView)
	if err != nil {
		return nil, sourceError(source, err)
	}
	return columns, nil
}

// hold puts the rows of a source that is no table of the database's into a temporary
// table. The values of records to be sent are read after a plan knows which, and both
// readings must see the same: a query runs once, and a file may be written meanwhile.
func (s *session) hold(ctx context.Context, source runner.Source, columns []column, used string) error {
	if source.Table != "" && s.isTable(ctx, source.Table, columns) {
		return nil
	}
	err := s.execOne(ctx, "CREATE OR REPLACE TEMP TABLE sluice_held AS SELECT "+used+" FROM "+sourceView)
	if err == nil {
		return s.execOne(ctx, "CREATE OR REPLACE TEMP VIEW "+sourceView+" AS SELECT * FROM sluice_held")
	}
	if ctx.Err() != nil || resourceError("", err) != nil {
		return err
	}
	return sourceError(source, err)
}

// isTable tells a table from a view: its rows have numbers.
func (s *session) isTable(ctx context.Context, name string, columns []column) bool {
	if _, ok := find(columns, "rowid"); ok {
		return false // the numbers are hidden by a column of that name
	}
	table, err := qualified(name)
	if err != nil {
		return false
	}
	_, err = s.describe(ctx, "SELECT rowid FROM "+table)
	return err == nil
}

// sourceQuery writes the source as a query.
func sourceQuery(source runner.Source) (string, error) {
	set := 0
	for _, s := range []string{source.Table, source.Query, source.File} {
		if s != "" {
			set++
		}
	}
	if set != 1 {
		return "", errors.New("the source must be exactly one of a table, a query and a file")
	}
	switch {
	case source.Table != "":
		name, err := qualified(source.Table)
		return "SELECT * FROM " + name, err
	case source.File != "":
		return fileQuery(source.File)
	}
	return source.Query, nil
}

// fileQuery reads a file, recognised by its ending, compressed or not.
func fileQuery(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("the source file cannot be read: %w", err)
	}
	if info.IsDir() {
		return "", fmt.Errorf("the source %s is a folder; name a file", path)
	}
	name := strings.ToLower(path)
	for _, packed := range []string{".gz", ".zst"} {
		name = strings.TrimSuffix(name, packed)
	}
	// Brackets keep a name with * or ? in it from being taken as a pattern.
	file := literal(strings.NewReplacer("[", "[[]", "*", "[*]", "?", "[?]").Replace(path))
	switch name[strings.LastIndexByte(name, '.')+1:] {
	case "csv", "tsv", "txt":
		return "SELECT * FROM read_csv(" + file + `, header = true, all_varchar = true, quote = '"', escape = '"', allow_quoted_nulls = false, encoding = 'utf-8')`, nil
	case "parquet":
		return "SELECT * FROM read_parquet(" + file + ")", nil
	case "json", "jsonl", "ndjson":
		return "SELECT * FROM read_json(" + file + ", maximum_sample_files = 1, sample_size = -1)", nil
	}
	return "", fmt.Errorf("the source file %s ends in none of .csv, .tsv, .txt, .parquet, .json, .jsonl, .ndjson (with .gz or .zst); rename it or read it with a query", path)
}

// checkSelect refuses anything but one SELECT.
func (s *session) checkSelect(query string) error {
	return s.prepared(query, func(stmt *duckdbgo.Stmt) error {
		kind, err := stmt.StatementType()
		if err == nil && kind != duckdbgo.STATEMENT_TYPE_SELECT {
			err = errors.New("the source query must be a SELECT")
		}
		return err
	})
}

// prepared prepares exactly one statement and lends it to f. More than one is
// refused, none of them run.
func (s *session) prepared(query string, f func(*duckdbgo.Stmt) error) error {
	return s.Raw(func(raw any) error {
		prepared, err := raw.(*duckdbgo.Conn).Prepare(query)
		if err != nil {
			if strings.Contains(err.Error(), "multiple statements") || strings.Contains(err.Error(), "context") {
				return errors.New("more than one SQL statement; write exactly one")
			}
			return err
		}
		stmt := prepared.(*duckdbgo.Stmt)
		return errors.Join(f(stmt), stmt.Close())
	})
}

// execOne runs exactly one statement, for statements that contain user SQL.
func (s *session) execOne(ctx context.Context, query string) error {
	return s.prepared(query, func(stmt *duckdbgo.Stmt) error {
		_, err := stmt.ExecContext(ctx, []driver.NamedValue{})
		return err
	})
}

// describe returns the columns of a query without running it.
func (s *session) describe(ctx context.Context, query string) ([]column, error) {
	var columns []column
	err := s.prepared("DESCRIBE "+query, func(stmt *duckdbgo.Stmt) error {
		rows, err := stmt.QueryContext(ctx, nil)
		if err != nil {
			return err
		}
		defer rows.Close()
		values := make([]driver.Value, len(rows.Columns()))
		for rows.Next(values) == nil {
			columns = append(columns, column{name: values[0].(string), duck: values[1].(string)})
		}
		return nil
	})
	return columns, err
}

// find returns the column with a name, exactly or, failing that, ignoring case.
func find(columns []column, name string) (column, bool) {
	for _, same := range []func(column) bool{
		func(c column) bool { return c.name == name },
		func(c column) bool { return strings.EqualFold(c.name, name) },
	} {
		if i := slices.IndexFunc(columns, same); i >= 0 {
			return columns[i], true
		}
	}
	return column{}, false
}

// names lists columns for a message, not too many of them.
func names(columns []column) string {
	var list []string
	for i, c := range columns {
		if i == 20 {
			list = append(list, fmt.Sprintf("and %d more", len(columns)-i))
			break
		}
		list = append(list, c.name)
	}
	return strings.Join(list, ", ")
}

var csvLine = regexp.MustCompile(`Line: (\d+)`)

// sourceError says that the source cannot be read, and where.
func sourceError(source runner.Source, err error) error {
	text := err.Error()
	what := "the source query"
	switch {
	case source.Table != "":
		what = "the source table " + source.Table
	case source.File != "":
		what = "the source file " + source.File
	}
	if m := csvLine.FindStringSubmatch(text); m != nil {
		what += ", line " + m[1] + ","
	}
	reason := firstLine(text)
	if strings.Contains(text, "nvalid unicode") || strings.Contains(text, "not utf-8 encoded") || strings.Contains(text, "byte sequence mismatch") {
		reason = "it is not UTF-8; save it as UTF-8 or convert it, for instance with iconv"
	}
	return &runner.PlanError{Kind: runner.PlanSource, Message: what + " cannot be read: " + reason, Cause: err}
}
