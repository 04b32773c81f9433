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
	first, err := messages(b.Slice(0, b.Rows/2), encode)
	if err != nil {
		return nil, err
	}
	second, err := messages(b.Slice(b.Rows/2, b.Rows), encode)
	return append(first, second...), err
}
