package plugin

import (
	"google.golang.org/protobuf/proto"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/connector/internal/wire"
	pb "github.com/sluiceio/sluice/gen/sluice/connector/v1"
)

// largestBatch leaves room for what surrounds a batch in its message.
const largestBatch = wire.MaxMessage - 64

// messages turns a batch into messages that do not exceed the bound: one, unless
// the batch is very large. A single record beyond the bound is TOO_LARGE.
func messages(b *connector.RecordBatch, encode func(*connector.RecordBatch) (*pb.RecordBatch, error)) ([]*pb.RecordBatch, error) {
	m, err := encode(b)
	if err != nil {
		return nil, err
	}
	size := proto.Size(m)
	if size <= largestBatch {
		return []*pb.RecordBatch{m}, nil
	}
	if b.Rows == 1 {
		return nil, connector.Errorf(connector.ClassTooLarge, codeTooLarge,
			"a record has %d bytes, a message may have %d; leave out a column, or shorten its values", size, largestBatch)
	}
	first, err := messages(rows(b, 0, b.Rows/2), encode)
	if err != nil {
		return nil, err
	}
	second, err := messages(rows(b, b.Rows/2, b.Rows), encode)
	return append(first, second...), err
}

// rows returns rows from (included) to to (excluded), sharing the texts.
func rows(b *connector.RecordBatch, from, to int) *connector.RecordBatch {
	part := *b
	part.Rows = to - from
	part.Seqs, part.Identifiers, part.AppIdentifiers = cut(b.Seqs, from, to), cut(b.Identifiers, from, to), cut(b.AppIdentifiers, from, to)
	part.Columns = make([]connector.Values, len(b.Columns))
	for i, v := range b.Columns {
		part.Columns[i].Texts = cut(v.Texts, from, to)
		for _, n := range v.Nulls {
			if int(n) >= from && int(n) < to {
				part.Columns[i].Nulls = append(part.Columns[i].Nulls, n-uint32(from))
			}
		}
	}
	return &part
}

// cut is all[from:to], or nil where there is nothing.
func cut[T any](all []T, from, to int) []T {
	if len(all) == 0 {
		return nil
	}
	return all[from:to:to]
}
