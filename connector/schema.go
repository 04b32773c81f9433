package connector

// Kind is the logical type of a column. Values always travel as canonical
// text, which loses no digit of a 19-digit id or of a decimal; the kind says
// how the text is written and read.
type Kind string

// The logical types and their canonical text.
const (
	// KindString is any UTF-8 text.
	KindString Kind = "string"
	// KindInt64 is an optional minus sign and digits.
	KindInt64 Kind = "int64"
	// KindDecimal is digits with a decimal point, never an exponent; Type
	// carries precision and scale (0, 0 when unknown).
	KindDecimal Kind = "decimal"
	// KindFloat64 is the shortest text that reads back to the same double;
	// NaN, Infinity and -Infinity are spelled so.
	KindFloat64 Kind = "float64"
	// KindBool is "true" or "false".
	KindBool Kind = "bool"
	// KindDate is YYYY-MM-DD, outgoing as the manifest's Rendering says.
	KindDate Kind = "date"
	// KindTime is HH:MM:SS with an optional fraction.
	KindTime Kind = "time"
	// KindTimestamp has no zone: 2026-01-31T12:00:00.
	KindTimestamp Kind = "timestamp"
	// KindTimestampTZ is an instant: 2026-01-31T12:00:00Z or with an offset
	// (RFC 3339).
	KindTimestampTZ Kind = "timestamptz"
	// KindJSON is a JSON text (RFC 8259): objects, arrays, any nested value.
	KindJSON Kind = "json"
	// KindBytes is base64 with padding (RFC 4648, section 4).
	KindBytes Kind = "bytes"
)

// Type is a logical type: a kind, with precision and scale for decimals.
type Type struct {
	Kind Kind
	// Precision is the total number of digits, Scale those after the point.
	Precision, Scale int
}

// Column describes one column of a [Schema].
type Column struct {
	// Name is unique within the schema, compared byte by byte. Outbound it is
	// the name of the app field (or "text" for a template), inbound the name
	// the app gives the field.
	Name string
	Type Type
}

// Schema describes the columns of the batches that refer to it. Schemas are
// immutable once sent; a change of columns is a new schema with a new ID.
type Schema struct {
	// ID is unique within one sync conversation. Required.
	ID string
	// Columns are in the order of the values in a batch.
	Columns []Column
}
