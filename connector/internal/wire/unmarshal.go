package wire

import (
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	connectorv1 "github.com/sluiceio/sluice/gen/sluice/connector/v1"
)

// Unmarshal reads a message as [proto.Unmarshal] does, but gives the texts of a
// column one allocation in place of one each: that was half of the CPU time that a
// record took at the far end. Whoever keeps one text keeps those of its column.
//
// It knows the messages that carry records and their outcomes, in the form in which
// all protobuf libraries write them. Everything else, and everything that is odd, is
// left to the library, errors included.
func Unmarshal(b []byte, m proto.Message) error {
	switch m := m.(type) {
	case *connectorv1.SyncOutboundRequest:
		if batch, ok := onlyBatch(b, 3); ok {
			m.Message = &connectorv1.SyncOutboundRequest_Batch{Batch: batch}
			return nil
		}
	case *connectorv1.SyncInboundResponse:
		if batch, ok := onlyBatch(b, 2); ok {
			m.Message = &connectorv1.SyncInboundResponse_Batch{Batch: batch}
			return nil
		}
	case *connectorv1.SyncOutboundResponse:
		if outcomes, ok := onlyOutcomes(b, 2); ok {
			m.Message = &connectorv1.SyncOutboundResponse_Outcomes{Outcomes: outcomes}
			return nil
		}
	}
	return proto.Unmarshal(b, m)
}

// only is the content of a message that has one field of bytes and nothing else.
func only(b []byte, field protowire.Number) ([]byte, bool) {
	number, kind, n := protowire.ConsumeTag(b)
	if n < 0 || number != field || kind != protowire.BytesType {
		return nil, false
	}
	content, m := protowire.ConsumeBytes(b[n:])
	return content, m >= 0 && n+m == len(b)
}

// Tags of one byte: the field's number, and whether a number or bytes follow.
const (
	tagNumber = 0
	tagBytes  = 2
)

func onlyBatch(b []byte, field protowire.Number) (*connectorv1.RecordBatch, bool) {
	b, ok := only(b, field)
	if !ok {
		return nil, false
	}
	m := &connectorv1.RecordBatch{}
	for len(b) > 0 && ok {
		switch b[0] {
		case 1<<3 | tagBytes:
			m.SchemaId, b, ok = text(b)
		case 2<<3 | tagBytes:
			m.Stream, b, ok = text(b)
		case 3<<3 | tagBytes:
			m.Action, b, ok = text(b)
		case 4<<3 | tagBytes:
			m.TicketId, b, ok = text(b)
		case 5<<3 | tagNumber:
			rows, n := protowire.ConsumeVarint(b[1:])
			if n < 0 {
				return nil, false
			}
			m.Rows, b = int32(rows), b[1+n:]
		case 6<<3 | tagBytes:
			if m.Seqs != nil {
				return nil, false
			}
			m.Seqs, b, ok = numbers[int64](b)
		case 7<<3 | tagBytes:
			if m.Identifiers != nil {
				return nil, false
			}
			m.Identifiers, b, ok = texts(b)
		case 8<<3 | tagBytes:
			if m.AppIdentifiers != nil {
				return nil, false
			}
			m.AppIdentifiers, b, ok = texts(b)
		case 9<<3 | tagBytes:
			content, n := protowire.ConsumeBytes(b[1:])
			if n < 0 {
				return nil, false
			}
			var c *connectorv1.ColumnValues
			c, ok = columnValues(content)
			m.Columns, b = append(m.Columns, c), b[1+n:]
		default:
			return nil, false
		}
	}
	return m, ok
}

// columnValues reads the texts of a column, and its nulls after them.
func columnValues(b []byte) (c *connectorv1.ColumnValues, ok bool) {
	c, ok = &connectorv1.ColumnValues{}, true
	if len(b) > 0 && b[0] == 1<<3|tagBytes {
		c.Texts, b, ok = texts(b)
	}
	if ok && len(b) > 0 && b[0] == 2<<3|tagBytes {
		c.Nulls, b, ok = numbers[uint32](b)
	}
	return c, ok && len(b) == 0
}

// onlyOutcomes leaves outcomes with exceptions to the library; there are few.
func onlyOutcomes(b []byte, field protowire.Number) (*connectorv1.Outcomes, bool) {
	b, ok := only(b, field)
	m := &connectorv1.Outcomes{}
	if ok && len(b) > 0 && b[0] == 1<<3|tagBytes {
		m.Seqs, b, ok = numbers[int64](b)
	}
	if ok && len(b) > 0 && b[0] == 2<<3|tagBytes {
		m.AppIdentifiers, b, ok = texts(b)
	}
	return m, ok && len(b) == 0
}

// text reads one text behind a tag of one byte.
func text(b []byte) (string, []byte, bool) {
	content, n := protowire.ConsumeBytes(b[1:])
	if n < 0 || !utf8.Valid(content) {
		return "", nil, false
	}
	return string(content), b[1+n:], true
}

// texts reads a run of texts behind the same tag.
func texts(b []byte) (list []string, rest []byte, ok bool) {
	count, end := 0, 0
	for tag := b[0]; end < len(b) && b[end] == tag; count++ {
		size, n := length(b[end+1:])
		if n <= 0 || size > uint64(len(b)-end-1-n) {
			return nil, nil, false
		}
		end += 1 + n + int(size)
	}
	all := string(b[:end]) // the one allocation, tags and lengths included
	list = make([]string, count)
	at := 0
	for i := range list {
		size, n := length(b[at+1:])
		at += 1 + n
		if size > 0 { // an empty text would keep all the others
			list[i] = all[at : at+int(size)]
		}
		at += int(size)
		if !utf8.ValidString(list[i]) {
			return nil, nil, false
		}
	}
	return list, b[end:], true
}

// length reads a length, nearly always of one byte; n is not positive where there
// is none.
func length(b []byte) (size uint64, n int) {
	if len(b) > 0 && b[0] < 0x80 {
		return uint64(b[0]), 1
	}
	return protowire.ConsumeVarint(b)
}

// numbers reads packed numbers behind a tag of one byte.
func numbers[T int64 | uint32](b []byte) (list []T, rest []byte, ok bool) {
	content, n := protowire.ConsumeBytes(b[1:])
	if n < 0 || len(content) == 0 {
		return nil, nil, false
	}
	rest = b[1+n:]
	count := 0
	for _, c := range content {
		if c < 0x80 {
			count++
		}
	}
	list = make([]T, 0, count)
	for len(content) > 0 {
		v, n := protowire.ConsumeVarint(content)
		if n < 0 {
			return nil, nil, false
		}
		list, content = append(list, T(v)), content[n:]
	}
	return list, rest, true
}
