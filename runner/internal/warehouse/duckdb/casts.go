package duckdb

import (
	"context"
	"fmt"

	"github.com/sluiceio/sluice/connector"
)

// storedType returns the DuckDB type that keeps values of a logical type. A
// decimal of unknown precision gets 29 digits before and 9 after the point; one
// that does not fit DuckDB's 38 digits is kept as text.
func storedType(t connector.Type) string {
	switch t.Kind {
	case connector.KindInt64:
		return "BIGINT"
	case connector.KindDecimal:
		if t.Precision == 0 {
			t.Precision, t.Scale = 38, 9
		}
		if t.Precision > 38 || t.Scale > t.Precision {
			return "VARCHAR"
		}
		return fmt.Sprintf("DECIMAL(%d,%d)", t.Precision, t.Scale)
	case connector.KindFloat64:
		return "DOUBLE"
	case connector.KindBool:
		return "BOOLEAN"
	case connector.KindDate:
		return "DATE"
	case connector.KindTime:
		return "TIME"
	case connector.KindTimestamp:
		return "TIMESTAMP"
	case connector.KindTimestampTZ:
		return "TIMESTAMP WITH TIME ZONE"
	case connector.KindJSON:
		return "JSON"
	case connector.KindBytes:
		return "BLOB"
	}
	return "VARCHAR"
}

// widened returns the type that holds what a column has and what is to come.
// Numbers become floats only where every value there survives it.
func (s *streamWriter) widened(ctx context.Context, have column, next connector.Type) (string, error) {
	old := textType(have.duck)
	if have.duck == storedType(next) {
		return have.duck, nil
	}
	want := wider(old, next)
	if want.Kind != connector.KindFloat64 || old.Kind == connector.KindFloat64 {
		return storedType(want), nil
	}
	var lost int64
	name := quote(have.name)
	err := s.QueryRowContext(ctx, fmt.Sprintf("SELECT count(*) FROM %[1]s WHERE TRY_CAST(%[2]s::DOUBLE AS %[3]s) IS DISTINCT FROM %[2]s", s.table, name, have.duck)).Scan(&lost)
	if lost > 0 {
		return "VARCHAR", err
	}
	return "DOUBLE", err
}

// wider returns the narrowest logical type that holds two: int64, decimal,
// float64 and date, timestamp widen in that order; all else meets as string.
func wider(a, b connector.Type) connector.Type {
	if a.Kind == b.Kind && a.Kind != connector.KindDecimal {
		return a
	}
	number := func(t connector.Type) (whole, fraction int, ok bool) {
		switch {
		case t.Kind == connector.KindInt64:
			return 19, 0, true
		case t.Kind == connector.KindDecimal && t.Precision == 0:
			return 29, 9, true
		case t.Kind == connector.KindDecimal:
			return t.Precision - t.Scale, t.Scale, true
		}
		return 0, 0, t.Kind == connector.KindFloat64
	}
	aWhole, aFraction, aNumber := number(a)
	bWhole, bFraction, bNumber := number(b)
	switch {
	case aNumber && bNumber && (a.Kind == connector.KindFloat64 || b.Kind == connector.KindFloat64):
		return connector.Type{Kind: connector.KindFloat64}
	case aNumber && bNumber:
		fraction := max(aFraction, bFraction)
		return connector.Type{Kind: connector.KindDecimal, Precision: max(aWhole, bWhole) + fraction, Scale: fraction}
	case a.Kind == connector.KindDate && b.Kind == connector.KindTimestamp, a.Kind == connector.KindTimestamp && b.Kind == connector.KindDate:
		return connector.Type{Kind: connector.KindTimestamp}
	}
	return connector.Type{Kind: connector.KindString}
}

// castOf returns the SQL expression that reads canonical text as a DuckDB type,
// null where the text is not that or would lose something: DuckDB's own casts
// round numbers and drop offsets and times of day in silence.
func castOf(text, duck string, from connector.Type) string {
	cast := fmt.Sprintf("TRY_CAST(%s AS %s)", text, duck)
	matching := func(pattern string) string {
		return fmt.Sprintf("CASE WHEN regexp_full_match(%s, '%s') THEN %s END", text, pattern, cast)
	}
	base, arguments := splitType(duck)
	switch textType(duck).Kind {
	case connector.KindInt64:
		// The first test is cheap and nearly always true.
		return fmt.Sprintf(`CASE WHEN %[2]s::VARCHAR = %[1]s OR regexp_full_match(%[1]s, '[+-]?[0-9]+') THEN %[2]s END`, text, cast)
	case connector.KindDecimal:
		var precision, scale int
		if base == "DECIMAL" {
			fmt.Sscanf(arguments, "%d,%d", &precision, &scale)
		}
		number := func(whole string, scale int) string {
			return fmt.Sprintf(`regexp_full_match(%s, '[+-]?[0-9]%s([.][0-9]{0,%d}0*)?')`, text, whole, scale)
		}
		if precision <= 18 || precision-scale < 14 {
			return fmt.Sprintf(`CASE WHEN %s THEN %s END`, number("*", scale), cast)
		}
		// Reading 128 bits takes fifty times as long as reading 64, which hold
		// nearly all amounts there are.
		short := min(scale, 4)
		return fmt.Sprintf(`CASE WHEN %s THEN TRY_CAST(%s AS DECIMAL(18,%d))::%s WHEN %s THEN %s END`,
			number(fmt.Sprintf("{0,%d}", 18-short), short), text, short, duck, number("*", scale), cast)
	case connector.KindFloat64:
		if from.Kind == connector.KindInt64 {
			return fmt.Sprintf(`CASE WHEN abs(TRY_CAST(%[1]s AS BIGINT)) <= 9007199254740992 THEN %[2]s END`, text, cast)
		}
		return fmt.Sprintf(`CASE WHEN NOT contains(%s, '_') THEN %s END`, text, cast)
	case connector.KindDate:
		return matching(`-?[0-9]{4,6}-[0-9]{2}-[0-9]{2}`)
	case connector.KindTime:
		return matching(`[0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,6})?)?`)
	case connector.KindTimestamp:
		return matching(`-?[0-9]{4,6}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,6})?)?)?`)
	case connector.KindTimestampTZ:
		return matching(`-?[0-9]{4,6}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,6})?)?(Z|[+-][0-9]{2}(:?[0-9]{2})?)`)
	case connector.KindBytes:
		return fmt.Sprintf("TRY(from_base64(%s))", text)
	case connector.KindString:
		if base == "VARCHAR" {
			return text
		}
	}
	return cast
}
