package main

import (
	"errors"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/sluiceio/sluice/connector"
)

// A batch of maps of typed values, written and read by hand as protobuf would:
//
//	message Batch { repeated Record records = 1; }
//	message Record { map<string, Value> values = 1; }
//	message Value { oneof kind { string text = 1; sint64 integer = 2; double number = 3; bool truth = 4; } }
//
// Generated code does the same with more ado, so this favours the peer.

func encodeMaps(rows [][]string) *wrapperspb.BytesValue {
	var out, record, entry, value []byte
	for _, row := range rows {
		record = record[:0]
		for i, text := range row {
			value = protowire.AppendString(protowire.AppendTag(value[:0], 1, protowire.BytesType), text)
			entry = protowire.AppendString(protowire.AppendTag(entry[:0], 1, protowire.BytesType), fields[i].field)
			entry = protowire.AppendBytes(protowire.AppendTag(entry, 2, protowire.BytesType), value)
			record = protowire.AppendBytes(protowire.AppendTag(record, 1, protowire.BytesType), entry)
		}
		out = protowire.AppendBytes(protowire.AppendTag(out, 1, protowire.BytesType), record)
	}
	return wrapperspb.Bytes(out)
}

// typedValue is one value of a record, as generated code has it.
type typedValue struct{ kind any }

var errNotMaps = errors.New("this is no batch of maps")

// next takes a field of length-delimited bytes off a message.
func nextField(b []byte) (number protowire.Number, content, rest []byte, err error) {
	number, kind, n := protowire.ConsumeTag(b)
	if n < 0 || kind != protowire.BytesType {
		return 0, nil, nil, errNotMaps
	}
	content, m := protowire.ConsumeBytes(b[n:])
	if m < 0 {
		return 0, nil, nil, errNotMaps
	}
	return number, content, b[n+m:], nil
}

func decodeMaps(b []byte, csv *csvWriter) (ids []string, err error) {
	var record []byte
	for len(b) > 0 {
		if _, record, b, err = nextField(b); err != nil {
			return nil, err
		}
		values, err := decodeMap(record)
		if err != nil {
			return nil, err
		}
		for _, f := range fields {
			text := ""
			if v := values[f.field]; v != nil {
				text, _ = v.kind.(string)
			}
			csv.cell(text)
		}
		csv.end()
		id, _ := values[fields[0].field].kind.(string)
		ids = append(ids, id)
	}
	return ids, nil
}

func decodeMap(b []byte) (map[string]*typedValue, error) {
	values := make(map[string]*typedValue)
	for len(b) > 0 {
		_, entry, rest, err := nextField(b)
		if err != nil {
			return nil, err
		}
		b = rest
		_, key, entry, err := nextField(entry)
		if err != nil {
			return nil, err
		}
		_, value, _, err := nextField(entry)
		if err != nil {
			return nil, err
		}
		_, text, _, err := nextField(value)
		if err != nil {
			return nil, err
		}
		values[string(key)] = &typedValue{kind: string(text)}
	}
	return values, nil
}

// records turns columns into rows, which is what the peers send.
func records(b *connector.RecordBatch) [][]string {
	rows := make([][]string, b.Rows)
	for i := range rows {
		for _, c := range b.Columns {
			rows[i] = append(rows[i], c.Texts[i])
		}
	}
	return rows
}

func sourceBatchOf(rows int) *connector.RecordBatch { return sourceBatch(sourceSchema("s"), 1, rows) }
