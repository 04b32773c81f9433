package wire

import (
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	connectorv1 "github.com/sluiceio/sluice/gen/sluice/connector/v1"
)

// seedMessages are messages that carry records and outcomes, plain and odd.
func seedMessages(tb testing.TB) [][]byte {
	tb.Helper()
	batch := &connectorv1.RecordBatch{
		SchemaId: "s", Action: "Create", TicketId: "t", Rows: 3, Seqs: []int64{1, 1 << 40, -1}, Identifiers: []string{"a", "", "Ångström"},
		AppIdentifiers: []string{"", "", ""}, Columns: []*connectorv1.ColumnValues{
			{Texts: []string{"x", "", string(make([]byte, 300))}, Nulls: []uint32{1}}, {}, {Texts: []string{""}}, {Nulls: []uint32{0, 4_000_000_000}},
		},
	}
	var seeds [][]byte
	for _, m := range []proto.Message{
		&connectorv1.SyncOutboundRequest{Message: &connectorv1.SyncOutboundRequest_Batch{Batch: batch}},
		&connectorv1.SyncOutboundRequest{Message: &connectorv1.SyncOutboundRequest_Batch{Batch: &connectorv1.RecordBatch{}}},
		&connectorv1.SyncInboundResponse{Message: &connectorv1.SyncInboundResponse_Batch{Batch: batch}},
		&connectorv1.SyncOutboundResponse{Message: &connectorv1.SyncOutboundResponse_Outcomes{Outcomes: &connectorv1.Outcomes{Seqs: []int64{5, 6}, AppIdentifiers: []string{"x", ""}}}},
		&connectorv1.SyncOutboundResponse{Message: &connectorv1.SyncOutboundResponse_Outcomes{Outcomes: &connectorv1.Outcomes{Seqs: []int64{5}, Exceptions: []*connectorv1.RowOutcome{{Row: 0, DetailJson: "{}"}}}}},
		&connectorv1.SyncOutboundResponse{Message: &connectorv1.SyncOutboundResponse_Demand{Demand: &connectorv1.Demand{Batches: 4}}},
	} {
		b, err := proto.Marshal(m)
		if err != nil {
			tb.Fatal(err)
		}
		seeds = append(seeds, b, append(b[:len(b):len(b)], b...), b[:len(b)/2])
	}
	wrap := func(content []byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(nil, 3, protowire.BytesType), content)
	}
	seeds = append(seeds,
		wrap([]byte{6 << 3, 7, 6 << 3, 8}),                                              // numbers that are not packed
		wrap([]byte{7<<3 | 2, 1, 'a', 8<<3 | 2, 1, 'b', 7<<3 | 2, 1, 'c'}),              // a list that goes on later
		wrap([]byte{7<<3 | 2, 1, 0xff}),                                                 // no UTF-8
		wrap([]byte{7<<3 | 2, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}), // a length beyond all bounds
		wrap([]byte{15<<3 | 2, 1, 'x'}),                                                 // a field nobody knows
		wrap([]byte{9<<3 | 2, 5, 2<<3 | 2, 1, 0, 1<<3 | 2, 0}),                          // nulls before texts
		wrap([]byte{5 << 3, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}),   // a negative number of rows
		nil)
	return seeds
}

// checkUnmarshal compares with what the library makes of the same bytes.
func checkUnmarshal(t *testing.T, b []byte) {
	t.Helper()
	for _, m := range []proto.Message{&connectorv1.SyncOutboundRequest{}, &connectorv1.SyncInboundResponse{}, &connectorv1.SyncOutboundResponse{}, &connectorv1.SyncInboundRequest{}} {
		want := m.ProtoReflect().New().Interface()
		wantErr, gotErr := proto.Unmarshal(b, want), Unmarshal(b, m)
		if (wantErr == nil) != (gotErr == nil) {
			t.Fatalf("%T of %x: %v; the library says %v", m, b, gotErr, wantErr)
		}
		if wantErr == nil && !proto.Equal(m, want) {
			t.Fatalf("%T of %x is\n%v; the library makes it\n%v", m, b, m, want)
		}
	}
}

func TestUnmarshalAgreesWithTheLibrary(t *testing.T) {
	t.Parallel()
	for _, b := range seedMessages(t) {
		checkUnmarshal(t, b)
		for i := range b { // every prefix, and every byte broken
			checkUnmarshal(t, b[:i])
			if len(b) < 200 {
				for _, c := range []byte{0, 1, 0x7f, 0x80, 0xff} {
					changed := append([]byte(nil), b...)
					changed[i] = c
					checkUnmarshal(t, changed)
				}
			}
		}
	}
}

// TestTheFastRoadIsTaken, or the test above would prove nothing.
func TestTheFastRoadIsTaken(t *testing.T) {
	t.Parallel()
	seeds := seedMessages(t)
	if _, ok := onlyBatch(seeds[0], 3); !ok {
		t.Error("a plain batch was left to the library")
	}
	if _, ok := onlyOutcomes(seeds[9], 2); !ok {
		t.Error("plain outcomes were left to the library")
	}
}

func FuzzUnmarshal(f *testing.F) {
	for _, b := range seedMessages(f) {
		f.Add(b)
	}
	f.Fuzz(checkUnmarshal)
}
