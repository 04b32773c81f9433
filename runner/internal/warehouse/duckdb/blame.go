package duckdb

import (
	"context"
	"fmt"
	"strings"

	"github.com/sluiceio/sluice/runner"
)

// sourceFailure keeps an error of the statement that reads the source until its
// transaction is over.
func (p *planner) sourceFailure(ctx context.Context, d planData, err error) error {
	if ctx.Err() != nil || resourceError("", err) != nil {
		return err
	}
	return &readFailure{data: d, cause: err}
}

// readFailure is an error of reading the source, still to be blamed on it or on a
// mapping.
type readFailure struct {
	data  planData
	cause error
}

func (f *readFailure) Error() string { return firstLine(f.cause.Error()) }
func (f *readFailure) Unwrap() error { return f.cause }

// blame finds what made reading the source fail: the source itself, or the
// first mapping that fails on some row.
func (p *planner) blame(ctx context.Context, f *readFailure) error {
	if strings.Contains(f.cause.Error(), "CSV Error") || strings.Contains(f.cause.Error(), "IO Error") {
		return sourceError(p.plan.Source, f.cause)
	}
	if _, err := p.openSource(ctx, p.plan.Source); err != nil {
		return err
	}
	for _, c := range f.data.Columns {
		query := fmt.Sprintf("CREATE OR REPLACE TEMP TABLE sluice_blame AS SELECT max(hash(%s)) FROM (SELECT (%s\n) AS __sluice_e%d FROM %s)", c.Text, c.Expression, c.N, sourceView)
		if err := p.execOne(ctx, query); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return mappingError(runner.Mapping{Field: c.Field}, "it fails on at least one row: "+firstLine(err.Error())+"; TRY_CAST gives null instead", err)
		}
	}
	return sourceError(p.plan.Source, f.cause)
}
