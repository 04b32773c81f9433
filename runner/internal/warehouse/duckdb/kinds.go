package duckdb

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/sluiceio/sluice/connector"
)

// textType returns the logical type of a DuckDB type, as DESCRIBE names it.
func textType(duck string) connector.Type {
	switch base, arguments := splitType(duck); base {
	case "BOOLEAN":
		return connector.Type{Kind: connector.KindBool}
	case "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER":
		return connector.Type{Kind: connector.KindInt64}
	case "UBIGINT":
		return connector.Type{Kind: connector.KindDecimal, Precision: 20}
	case "HUGEINT", "UHUGEINT":
		return connector.Type{Kind: connector.KindDecimal, Precision: 39}
	case "BIGNUM":
		return connector.Type{Kind: connector.KindDecimal}
	case "DECIMAL":
		p, s, _ := strings.Cut(arguments, ",")
		precision, _ := strconv.Atoi(p)
		scale, _ := strconv.Atoi(s)
		return connector.Type{Kind: connector.KindDecimal, Precision: precision, Scale: scale}
	case "FLOAT", "DOUBLE":
		return connector.Type{Kind: connector.KindFloat64}
	case "DATE":
		return connector.Type{Kind: connector.KindDate}
	case "TIME":
		return connector.Type{Kind: connector.KindTime}
	case "TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS":
		return connector.Type{Kind: connector.KindTimestamp}
	case "TIMESTAMP WITH TIME ZONE":
		return connector.Type{Kind: connector.KindTimestampTZ}
	case "BLOB":
		return connector.Type{Kind: connector.KindBytes}
	case "JSON", "VARIANT", nested:
		return connector.Type{Kind: connector.KindJSON}
	}
	return connector.Type{Kind: connector.KindString}
}

// nested stands for lists, arrays, structs, maps and unions.
const nested = "nested"

// splitType takes DECIMAL(18,2) apart and folds all nested types into one.
func splitType(duck string) (base, arguments string) {
	if strings.HasSuffix(duck, "]") {
		return nested, ""
	}
	base, arguments, _ = strings.Cut(strings.TrimSuffix(duck, ")"), "(")
	switch base {
	case "STRUCT", "MAP", "UNION":
		return nested, ""
	}
	return base, arguments
}

// textOf returns the SQL expression that writes a column of a DuckDB type as
// canonical text. The column is an expression cheap enough to be repeated.
func textOf(column, duck string, rendering connector.Rendering) string {
	plain := column + "::VARCHAR"
	base, _ := splitType(duck)
	switch textType(duck).Kind {
	case connector.KindString:
		if base == "VARCHAR" {
			return column
		}
	case connector.KindFloat64:
		return fmt.Sprintf(`CASE WHEN isfinite(%[1]s) THEN regexp_replace(%[2]s, '\.0$', '') WHEN isnan(%[1]s) THEN 'NaN' WHEN %[1]s > 0 THEN 'Infinity' WHEN %[1]s < 0 THEN '-Infinity' END`, column, plain)
	case connector.KindDate:
		if rendering.Date == connector.DateUS {
			return fmt.Sprintf(`strftime(%s, '%%m/%%d/%%Y')`, column)
		}
	case connector.KindTimestamp, connector.KindTimestampTZ:
		return timestampText(column, base, rendering.Timestamp)
	case connector.KindJSON:
		if base != "JSON" {
			return fmt.Sprintf(`to_json(%s)::VARCHAR`, column)
		}
	case connector.KindBytes:
		return fmt.Sprintf(`base64(%s)`, column)
	}
	return plain
}

// timestampText writes timestamps. Sessions run in UTC, so that the offset of
// an instant is always +00.
func timestampText(column, base string, format connector.TimestampFormat) string {
	switch format {
	case connector.TimestampEpochSeconds:
		return fmt.Sprintf(`floor(epoch(%s))::BIGINT::VARCHAR`, column)
	case connector.TimestampEpochMillis:
		return fmt.Sprintf(`epoch_ms(%s)::VARCHAR`, column)
	}
	if base == "TIMESTAMP WITH TIME ZONE" {
		return fmt.Sprintf(`replace(replace(%s::VARCHAR, ' ', 'T'), '+00', 'Z')`, column)
	}
	return fmt.Sprintf(`replace(%s::VARCHAR, ' ', 'T')`, column)
}
