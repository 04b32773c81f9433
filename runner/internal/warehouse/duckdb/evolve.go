package duckdb

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/runner"
)

// systemColumns are Sluice's columns of a stream's table.
var systemColumns = []column{
	{"_sluice_app_identifier", "VARCHAR"},
	{"_sluice_retrieved_at", "TIMESTAMP WITH TIME ZONE"},
	{"_sluice_run", "VARCHAR"},
	{"_sluice_deleted", "BOOLEAN"},
	{"_sluice_deleted_at", "TIMESTAMP WITH TIME ZONE"},
	{"_sluice_unparsed", "JSON"},
}

// layout says for each column of a stage where its values go.
type layout []layoutColumn

// layoutColumn is the N-th column of a stage. Name, Cast and Label hold SQL:
// the table's column, the value in its type, and the column's name as a text.
type layoutColumn struct {
	N                 int
	Name, Cast, Label string
	// Checked is true when the cast may fail.
	Checked bool
}

// createSchema makes the schema the table is in. It is done before the
// commit's transaction and by one writer at a time, because DuckDB lets
// transactions that make the same schema fail.
func (s *streamWriter) createSchema(ctx context.Context) error {
	parts, err := nameParts(s.target.Table)
	if err != nil || len(parts) == 1 {
		return err
	}
	unlock, err := s.w.syncs.lock(ctx, "all schemas")
	if err != nil {
		return err
	}
	defer unlock()
	for i, p := range parts {
		parts[i] = quote(p)
	}
	_, err = s.exec(ctx, "CREATE SCHEMA IF NOT EXISTS "+strings.Join(parts[:len(parts)-1], "."))
	return err
}

// createTable makes the table, or adds what it lacks of the system columns.
func (s *streamWriter) createTable(ctx context.Context) error {
	var ddl []string
	for _, st := range s.stages {
		if st.schema == nil {
			continue
		}
		for i, name := range tableNames(st.schema) {
			ddl = append(ddl, quote(name)+" "+storedType(st.schema.Columns[i].Type))
		}
		break // evolve brings what further schemas need
	}
	for _, c := range systemColumns {
		ddl = append(ddl, c.name+" "+c.duck)
	}
	if _, err := s.exec(ctx, "CREATE TABLE IF NOT EXISTS "+s.table+" ("+strings.Join(ddl, ", ")+")"); err != nil {
		return err
	}
	have, err := s.describe(ctx, "SELECT * FROM "+s.table)
	if err != nil {
		return err
	}
	for _, c := range systemColumns {
		if _, ok := find(have, c.name); !ok {
			if _, err := s.exec(ctx, "ALTER TABLE "+s.table+" ADD COLUMN "+c.name+" "+c.duck); err != nil {
				return err
			}
		}
	}
	return nil
}

// evolve adds columns the schema has and the table lacks, and widens types.
func (s *streamWriter) evolve(ctx context.Context, st *stage) error {
	have, err := s.describe(ctx, "SELECT * FROM "+s.table)
	if err != nil {
		return err
	}
	for i, name := range tableNames(st.schema) {
		c, ok := find(have, name)
		want := storedType(st.schema.Columns[i].Type)
		if ok {
			if want, err = s.widened(ctx, c, st.schema.Columns[i].Type); err != nil {
				return err
			}
		}
		if slices.Contains(s.target.Key, st.schema.Columns[i].Name) && s.target.Storage == runner.StorageMerge {
			if want, err = s.keyType(ctx, st, i, want); err != nil {
				return err
			}
		}
		ddl := ""
		switch {
		case !ok:
			ddl = fmt.Sprintf("ALTER TABLE %s ADD COLUMN %s %s", s.table, quote(name), want)
		case c.duck != want:
			using := quote(c.name) + "::" + want
			if want == "VARCHAR" {
				using = textOf(quote(c.name), c.duck, connector.Rendering{})
			}
			ddl = fmt.Sprintf("ALTER TABLE %s ALTER COLUMN %s SET DATA TYPE %s USING (%s)", s.table, quote(c.name), want, using)
		}
		if ddl != "" {
			if _, err := s.exec(ctx, ddl); err != nil {
				return err
			}
		}
	}
	return nil
}

// keyType is the type of a key column: text as soon as a key does not cast,
// because a key that is not stored cannot be merged by.
func (s *streamWriter) keyType(ctx context.Context, st *stage, i int, want string) (string, error) {
	if want == "VARCHAR" {
		return want, nil
	}
	var n int64
	cast := castOf(fmt.Sprintf("t%d", i), want, st.schema.Columns[i].Type)
	err := s.QueryRowContext(ctx, fmt.Sprintf("SELECT count(*) FROM %s WHERE %s IS NULL", st.table, cast)).Scan(&n)
	if n > 0 {
		want = "VARCHAR"
	}
	return want, err
}

// layout says where a stage's columns go, once the table is evolved.
func (s *streamWriter) layout(ctx context.Context, st *stage) (layout, error) {
	have, err := s.describe(ctx, "SELECT * FROM "+s.table)
	if err != nil {
		return nil, err
	}
	var l layout
	for i, name := range tableNames(st.schema) {
		c, ok := find(have, name)
		if !ok {
			return nil, fmt.Errorf("the table %s lost its column %s", s.table, name)
		}
		l = append(l, layoutColumn{
			N: i, Name: quote(c.name), Label: literal(st.schema.Columns[i].Name),
			Cast: castOf(fmt.Sprintf("t%d", i), c.duck, st.schema.Columns[i].Type), Checked: c.duck != "VARCHAR",
		})
	}
	return l, nil
}

// tableNames returns the table's name for each column of a schema. DuckDB
// ignores case and Sluice has names of its own, so that a name that is taken
// gets a number.
func tableNames(schema *connector.Schema) []string {
	taken := map[string]bool{}
	for _, c := range systemColumns {
		taken[c.name] = true
	}
	order := make([]int, len(schema.Columns))
	for i := range order {
		order[i] = i
	}
	// The numbers must not depend on the order of the columns.
	slices.SortFunc(order, func(a, b int) int { return strings.Compare(schema.Columns[a].Name, schema.Columns[b].Name) })
	out := make([]string, len(schema.Columns))
	for _, i := range order {
		base := schema.Columns[i].Name
		if base == "" {
			base = "column"
		}
		name := base
		for n := 2; taken[strings.ToLower(name)]; n++ {
			name = fmt.Sprintf("%s_%d", base, n)
		}
		taken[strings.ToLower(name)] = true
		out[i] = name
	}
	return out
}
