package duckdb

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/runner"
)

// planData fills in the templates of a plan. All fields hold SQL.
type planData struct {
	State, Outbox              string
	Identifier, IdentifierText string
	Columns, Hashed            []planColumn
	// Names is a text of the mapped fields, and of the template there is.
	Names                      string
	New, Changed, Removed      string
	Unchanged                  string
	KnownInApp, Resync         string
	MaxAttempts, BackoffMicros int64
	Now                        string
}

// planColumn is one mapped field: its N-th column's expression over the source
// and, over that, its text.
type planColumn struct {
	N                       int
	Field, Expression, Text string
}

// prepare opens the source, checks the mapping against it, and returns what the
// templates need.
func (p *planner) prepare(ctx context.Context) (planData, error) {
	source, err := p.openSource(ctx, p.plan.Source)
	if err != nil {
		return planData{}, err
	}
	id, ok := find(source, p.plan.Identifier)
	if !ok {
		return planData{}, &runner.PlanError{Kind: runner.PlanIdentifier, Message: fmt.Sprintf("the source has no column %q to identify records by; it has: %s", p.plan.Identifier, names(source))}
	}
	d := p.settings()
	d.Identifier = quote(id.name)
	d.IdentifierText = textOf("__sluice_id", id.duck, connector.Rendering{})
	p.report.Template = p.plan.Template
	p.report.Schema = &connector.Schema{ID: cmp.Or(p.plan.RunID, "preview")}
	for i, m := range p.plan.Mappings {
		if p.report.Schema.Column(m.Field) >= 0 {
			return d, mappingError(m, "it is mapped twice", nil)
		}
		expression, duck, err := p.expression(ctx, source, d.Identifier, m)
		if err != nil {
			return d, err
		}
		p.report.Schema.Columns = append(p.report.Schema.Columns, connector.Column{Name: m.Field, Type: textType(duck)})
		d.Columns = append(d.Columns, planColumn{N: i, Field: m.Field, Expression: expression, Text: textOf(fmt.Sprintf("__sluice_e%d", i), duck, p.plan.Rendering)})
	}
	d.Hashed = slices.Clone(d.Columns)
	slices.SortFunc(d.Hashed, func(a, b planColumn) int { return strings.Compare(a.Field, b.Field) })
	var fields strings.Builder
	for _, c := range d.Hashed {
		fmt.Fprintf(&fields, "%d:%s", len(c.Field), c.Field)
	}
	fields.WriteByte(';')
	if p.plan.Template != "" {
		fmt.Fprintf(&fields, "%x;", sha256.Sum256([]byte(p.plan.Template)))
	}
	d.Names = literal(fields.String())
	return d, p.hold(ctx, p.plan.Source, source, p.used(d))
}

// used lists the columns of the source that the plan reads, as SQL.
func (p *planner) used(d planData) string {
	columns := []string{d.Identifier}
	for i, m := range p.plan.Mappings {
		if m.Column == "" {
			return "*" // what an expression reads, DuckDB knows
		}
		if c := d.Columns[i].Expression; !slices.Contains(columns, c) {
			columns = append(columns, c)
		}
	}
	return strings.Join(columns, ", ")
}

// settings writes the parts of the plan that do not depend on the source.
func (p *planner) settings() planData {
	attempts := p.plan.Retry.MaxAttempts
	if attempts <= 0 {
		attempts = 10
	}
	s := p.plan.Strategy
	return planData{
		State: stateTable(p.plan.SyncID), Outbox: outboxTable(p.plan.SyncID),
		New: literal(string(s.New)), Changed: literal(string(s.Changed)), Removed: literal(string(s.Removed)), Unchanged: literal(string(s.Unchanged)),
		// For a strategy that deletes what it sees, a record is done with once it is gone from the app.
		KnownInApp:    fmt.Sprint(s.New != connector.ActionDelete),
		Resync:        fmt.Sprint(p.plan.Resync),
		MaxAttempts:   int64(attempts),
		BackoffMicros: p.plan.Retry.Backoff.Microseconds(),
		Now:           instant(p.plan.Now),
	}
}

// expression returns a mapping as an expression over the source, and its type.
func (p *planner) expression(ctx context.Context, source []column, id string, m runner.Mapping) (expression, duck string, err error) {
	if (m.Column == "") == (m.Expression == "") {
		return "", "", mappingError(m, "give it either a column or an expression", nil)
	}
	if m.Column != "" {
		c, ok := find(source, m.Column)
		if !ok && p.plan.Template != "" {
			return "", "", &runner.PlanError{Kind: runner.PlanMapping, Message: fmt.Sprintf("the template names %q, and the source has no such column; it has: %s", m.Column, names(source))}
		}
		if !ok {
			return "", "", mappingError(m, fmt.Sprintf("the source has no column %q; it has: %s; an expression is mapped as SQL, not as a column", m.Column, names(source)), nil)
		}
		return quote(c.name), c.duck, nil
	}
	// The identifier beside it makes an aggregate an error.
	columns, err := p.describe(ctx, "SELECT (\n"+m.Expression+"\n) AS e, "+id+" AS i FROM "+sourceView)
	if err != nil {
		if ctx.Err() != nil {
			return "", "", ctx.Err()
		}
		return "", "", mappingError(m, "its expression is wrong: "+firstLine(err.Error()), err)
	}
	if len(columns) != 2 {
		return "", "", mappingError(m, "its expression must be one SQL expression", nil)
	}
	return m.Expression, columns[0].duck, nil
}

func mappingError(m runner.Mapping, reason string, cause error) error {
	return &runner.PlanError{Kind: runner.PlanMapping, Message: fmt.Sprintf("the mapping of field %q cannot be used: %s", m.Field, reason), Cause: cause}
}

// checkNulls counts the rows of the source and refuses null and empty identifiers.
func (p *planner) checkNulls(ctx context.Context) error {
	var nulls int64
	err := p.QueryRowContext(ctx, `SELECT count(*), count(*) FILTER (identifier IS NULL OR identifier = '') FROM sluice_seen`).Scan(&p.report.SourceRows, &nulls)
	if err != nil || nulls == 0 {
		return err
	}
	var examples any
	err = p.QueryRowContext(ctx, `
		SELECT list('row ' || n ORDER BY n) FROM (
			SELECT n FROM (SELECT row_number() OVER () AS n, identifier FROM sluice_seen) WHERE identifier IS NULL OR identifier = '' LIMIT 5)`).Scan(&examples)
	if err != nil {
		return err
	}
	return &runner.PlanError{Kind: runner.PlanNullIdentifiers, Count: nulls, Examples: texts(examples),
		Message: fmt.Sprintf("%d of %d rows of the source have no identifier (column %q is null or empty), for instance %s; fill it in or leave these rows out of the source",
			nulls, p.report.SourceRows, p.plan.Identifier, strings.Join(texts(examples), ", "))}
}

// checkDuplicates refuses duplicate identifiers. The record state has each but once,
// so that among records it knows there are duplicates where more rows of the source
// than of the state were joined; only new ones have to be compared, first by numbers,
// which is cheaper than by texts.
func (p *planner) checkDuplicates(ctx context.Context, data planData) error {
	var state, removed, fresh, distinct int64
	err := p.QueryRowContext(ctx, `
		SELECT (SELECT count(*) FROM `+data.State+`), count(*) FILTER (removed), count(*) FILTER (NOT known), count(DISTINCT hash(identifier)) FILTER (NOT known)
		FROM sluice_diff`).Scan(&state, &removed, &fresh, &distinct)
	if err != nil || distinct == fresh && state-removed == p.report.SourceRows-fresh {
		return err
	}
	var rows int64
	var examples any
	err = p.QueryRowContext(ctx, `
		WITH twice AS (SELECT identifier, count(*) AS n FROM sluice_seen GROUP BY identifier HAVING count(*) > 1)
		SELECT coalesce(sum(n), 0)::BIGINT, (SELECT list(identifier ORDER BY identifier) FROM (FROM twice ORDER BY identifier LIMIT 5)) FROM twice`).Scan(&rows, &examples)
	if err != nil || rows == 0 {
		return err
	}
	return &runner.PlanError{Kind: runner.PlanDuplicateIdentifiers, Count: rows, Examples: texts(examples),
		Message: fmt.Sprintf("%d rows of the source share their identifier (column %q) with another row, for instance %s; make it unique, for instance with SELECT DISTINCT ON",
			rows, p.plan.Identifier, strings.Join(texts(examples), ", "))}
}

// texts returns a list of the database as texts.
func texts(list any) []string {
	values, _ := list.([]any)
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = fmt.Sprint(v)
	}
	return out
}
