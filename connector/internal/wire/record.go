package wire

import (
	"fmt"

	"github.com/sluiceio/sluice/connector"
	connectorv1 "github.com/sluiceio/sluice/gen/sluice/connector/v1"
)

// maxRows is the greatest number of rows of a batch.
const maxRows = 100_000

// OutboundBatch makes a batch of records on their way to the app. It shares the
// slices of the batch.
func OutboundBatch(b *connector.RecordBatch) (*connectorv1.RecordBatch, error) {
	return batch(b, checkOutbound)
}

// OutboundBatchFrom reads a batch of records on their way to the app. Schema is
// the one that the batch names. It shares the slices of the message.
func OutboundBatchFrom(b *connectorv1.RecordBatch, schema *connector.Schema) (*connector.RecordBatch, error) {
	return batchFrom(b, schema, checkOutbound)
}

// InboundBatch makes a batch of records read from the app. It shares the slices
// of the batch.
func InboundBatch(b *connector.RecordBatch) (*connectorv1.RecordBatch, error) {
	return batch(b, checkInbound)
}

// InboundBatchFrom reads a batch of records read from the app. Schema is the one
// that the batch names. It shares the slices of the message.
func InboundBatchFrom(b *connectorv1.RecordBatch, schema *connector.Schema) (*connector.RecordBatch, error) {
	return batchFrom(b, schema, checkInbound)
}

func batch(b *connector.RecordBatch, check func(*connector.RecordBatch) error) (*connectorv1.RecordBatch, error) {
	if b.Schema == nil {
		return nil, broken("schema_id", "is required")
	}
	if err := first(checkBatch(b), check(b)); err != nil {
		return nil, err
	}
	columns := make([]*connectorv1.ColumnValues, len(b.Columns))
	values := make([]connectorv1.ColumnValues, len(b.Columns))
	for i, c := range b.Columns {
		values[i].Texts, values[i].Nulls = c.Texts, c.Nulls
		columns[i] = &values[i]
	}
	return &connectorv1.RecordBatch{
		SchemaId: b.Schema.ID, Stream: b.Stream, Action: string(b.Action), TicketId: b.Ticket, Rows: int32(b.Rows),
		Seqs: b.Seqs, Identifiers: b.Identifiers, AppIdentifiers: b.AppIdentifiers, Columns: columns,
	}, nil
}

func batchFrom(b *connectorv1.RecordBatch, schema *connector.Schema, check func(*connector.RecordBatch) error) (*connector.RecordBatch, error) {
	if schema == nil {
		return nil, broken("schema_id", "names a schema that was not sent")
	}
	columns := make([]connector.Values, len(b.GetColumns()))
	for i, c := range b.GetColumns() {
		columns[i] = connector.Values{Texts: c.GetTexts(), Nulls: c.GetNulls()}
	}
	out := &connector.RecordBatch{
		Schema: schema, Stream: b.GetStream(), Action: connector.Action(b.GetAction()), Ticket: b.GetTicketId(), Rows: int(b.GetRows()),
		Seqs: b.GetSeqs(), Identifiers: b.GetIdentifiers(), AppIdentifiers: b.GetAppIdentifiers(), Columns: columns,
	}
	return out, first(checkBatch(out), check(out))
}

// checkBatch checks the shape that batches have in both directions.
func checkBatch(b *connector.RecordBatch) error {
	if b.Rows < 1 || b.Rows > maxRows {
		return broken("rows", "must be 1 to %d", maxRows)
	}
	if n := len(b.AppIdentifiers); n != 0 && n != b.Rows {
		return broken("app_identifiers", "has %d entries for %d rows", n, b.Rows)
	}
	if len(b.Columns) != len(b.Schema.Columns) {
		return broken("columns", "has %d entries, the schema %d", len(b.Columns), len(b.Schema.Columns))
	}
	for i, c := range b.Columns {
		if err := checkValues(c, b.Rows); err != nil {
			return within(fmt.Sprintf("columns[%d]", i), err)
		}
	}
	return nil
}

func checkValues(v connector.Values, rows int) error {
	if len(v.Texts) != rows {
		return broken("texts", "has %d entries for %d rows", len(v.Texts), rows)
	}
	for i, n := range v.Nulls {
		switch {
		case int(n) >= rows:
			return broken("nulls", "names a row beyond the last")
		case i > 0 && v.Nulls[i-1] >= n:
			return broken("nulls", "does not ascend")
		case v.Texts[n] != "":
			return broken("texts", "has a text for a null row")
		}
	}
	return nil
}

func checkOutbound(b *connector.RecordBatch) error {
	switch {
	case len(b.Seqs) != b.Rows:
		return broken("seqs", "has %d entries for %d rows", len(b.Seqs), b.Rows)
	case len(b.Identifiers) != b.Rows:
		return broken("identifiers", "has %d entries for %d rows", len(b.Identifiers), b.Rows)
	case b.Stream != "":
		return broken("stream", "must be empty outbound")
	}
	return required("action", string(b.Action))
}

func checkInbound(b *connector.RecordBatch) error {
	switch {
	case len(b.Seqs) != 0:
		return broken("seqs", "must be empty inbound")
	case len(b.Identifiers) != 0:
		return broken("identifiers", "must be empty inbound")
	case b.Action != "":
		return broken("action", "must be empty inbound")
	case b.Ticket != "":
		return broken("ticket_id", "must be empty inbound")
	}
	return required("stream", b.Stream)
}
