package connector

// RecordBatch carries rows of one sync (outbound) or of one stream (inbound) as
// columns of canonical text. A batch aims at 1 MiB and 10,000 rows.
//
// Null, empty and absent are three different things: a null row is listed in
// Values.Nulls, an empty one has the text "" and is not listed, an absent
// column is not in the schema.
//
// A batch belongs to its receiver, who may keep and change it. The texts of one
// column may share their memory: whoever keeps a few of many for long clones them.
type RecordBatch struct {
	// Schema describes Columns. Required.
	Schema *Schema
	// Stream is the name of the stream; inbound only.
	Stream string
	// Action is what the app is asked to do with every row; outbound only.
	Action Action
	// Ticket is the ID of the ticket the rows belong to when they are handed
	// back after a crash; empty for fresh rows.
	Ticket string
	// Rows is the number of rows.
	Rows int
	// Seqs are the rows' numbers in the run's outbox, unique within a run;
	// outbound only. Outcomes and tickets refer to them.
	Seqs []int64
	// Identifiers are the rows' keys in the warehouse; outbound only.
	Identifiers []string
	// AppIdentifiers are the rows' keys in the app: outbound where known (""
	// where not; nil when none is known), inbound always where the stream has
	// a key.
	AppIdentifiers []string
	// Columns hold the values, parallel to Schema.Columns.
	Columns []Values
}

// Values are one column's values.
type Values struct {
	// Texts has one entry for each row; a null row's entry is "".
	Texts []string
	// Nulls lists the null rows in ascending order.
	Nulls []uint32
}

// Column returns the position of the named column, or -1.
func (s *Schema) Column(name string) int {
	for i := range s.Columns {
		if s.Columns[i].Name == name {
			return i
		}
	}
	return -1
}

// IsNull reports whether a row is null, in time logarithmic in the number of
// null rows.
func (v Values) IsNull(row int) bool {
	lo, hi := 0, len(v.Nulls)
	for lo < hi {
		mid := (lo + hi) / 2
		if v.Nulls[mid] < uint32(row) {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo < len(v.Nulls) && v.Nulls[lo] == uint32(row)
}
