package wire

import (
	"errors"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/sluiceio/sluice/connector"
	pb "github.com/sluiceio/sluice/gen/sluice/connector/v1"
)

// TestBatchesObeyTheirShape spoils batches of either direction; what is made and
// what is read is refused alike.
func TestBatchesObeyTheirShape(t *testing.T) {
	for _, r := range []struct {
		field    string
		outbound bool
		spoil    func(*connector.RecordBatch)
	}{
		{"rows", true, func(b *connector.RecordBatch) { b.Rows = 0 }},
		{"rows", false, func(b *connector.RecordBatch) { b.Rows = 100_001 }},
		{"seqs", true, func(b *connector.RecordBatch) { b.Seqs = b.Seqs[1:] }},
		{"identifiers", true, func(b *connector.RecordBatch) { b.Identifiers = nil }},
		{"app_identifiers", true, func(b *connector.RecordBatch) { b.AppIdentifiers = append(b.AppIdentifiers, "x") }},
		{"stream", true, func(b *connector.RecordBatch) { b.Stream = "s" }},
		{"action", true, func(b *connector.RecordBatch) { b.Action = "" }},
		{"stream", false, func(b *connector.RecordBatch) { b.Stream = "" }},
		{"seqs", false, func(b *connector.RecordBatch) { b.Seqs = []int64{1} }},
		{"identifiers", false, func(b *connector.RecordBatch) { b.Identifiers = []string{"1"} }},
		{"action", false, func(b *connector.RecordBatch) { b.Action = "Create" }},
		{"ticket_id", false, func(b *connector.RecordBatch) { b.Ticket = "t" }},
		{"columns", true, func(b *connector.RecordBatch) { b.Columns = b.Columns[1:] }},
		{"columns[0].texts", true, func(b *connector.RecordBatch) { b.Columns[0].Texts = b.Columns[0].Texts[1:] }},
		{"columns[0].texts", true, func(b *connector.RecordBatch) { b.Columns[0].Texts[0], b.Columns[0].Nulls = "x", []uint32{0} }},
		{"columns[0].nulls", true, func(b *connector.RecordBatch) { b.Columns[0].Nulls = []uint32{uint32(b.Rows)} }},
		{"columns[0].nulls", true, func(b *connector.RecordBatch) {
			b.Columns[0].Texts[0], b.Columns[0].Nulls = "", []uint32{0, 0}
		}},
	} {
		t.Run(r.field, func(t *testing.T) {
			b := newFiller(11).batch(r.outbound)
			out, in := InboundBatch, InboundBatchFrom
			if r.outbound {
				out, in = OutboundBatch, OutboundBatchFrom
			}
			r.spoil(b)
			_, made := out(b)
			m := &pb.RecordBatch{SchemaId: b.Schema.ID, Stream: b.Stream, Action: string(b.Action), TicketId: b.Ticket, Rows: int32(b.Rows),
				Seqs: b.Seqs, Identifiers: b.Identifiers, AppIdentifiers: b.AppIdentifiers}
			for _, c := range b.Columns {
				m.Columns = append(m.Columns, &pb.ColumnValues{Texts: c.Texts, Nulls: c.Nulls})
			}
			_, read := in(m, b.Schema)
			for _, err := range []error{made, read} {
				var v *Violation
				if !errors.As(err, &v) || v.Field != r.field {
					t.Errorf("got %v, want a violation of %s", err, r.field)
				}
			}
		})
	}
}

func TestABatchNeedsItsSchema(t *testing.T) {
	b := newFiller(1).batch(true)
	m, err := OutboundBatch(b)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := OutboundBatchFrom(m, nil); err == nil {
		t.Error("a batch was read without its schema")
	}
	b.Schema = nil
	if _, err := OutboundBatch(b); err == nil {
		t.Error("a batch was made without its schema")
	}
}

func TestStreamsAskedForByNameComeInOrderWithSchemas(t *testing.T) {
	m := proto.Clone(lawful["Streams"]).(*pb.StreamListResponse)
	m.Streams[1].JsonSchema = "{}"
	if _, err := StreamsFrom(m, []string{"a", "b"}); err != nil {
		t.Error(err)
	}
	if _, err := StreamsFrom(m, []string{"b", "a"}); err == nil {
		t.Error("another order was accepted")
	}
	if _, err := StreamsFrom(m, []string{"a"}); err == nil {
		t.Error("one too many was accepted")
	}
	m.Streams[1].JsonSchema = ""
	if _, err := StreamsFrom(m, []string{"a", "b"}); err == nil {
		t.Error("a stream without a schema was accepted")
	}
}

func TestFindingsAreInvalidRows(t *testing.T) {
	no := &connector.Error{Class: connector.ClassConfig, Message: "no"}
	for name, findings := range map[string][]connector.RowOutcome{
		"of another status":  {{Row: 0, Status: connector.StatusRejected, Error: no}},
		"beyond the last":    {{Row: 2, Status: connector.StatusInvalid, Error: no}},
		"that do not ascend": {{Row: 1, Status: connector.StatusInvalid, Error: no}, {Row: 1, Status: connector.StatusInvalid, Error: no}},
	} {
		if _, err := RowOutcomes(findings, 2); err == nil {
			t.Errorf("findings %s were accepted", name)
		}
	}
	made, err := RowOutcomes([]connector.RowOutcome{{Row: 1, Status: connector.StatusInvalid, Error: no}}, 2)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := RowOutcomesFrom(made, 2); err != nil || len(got) != 1 || got[0].Row != 1 {
		t.Errorf("got %+v, %v", got, err)
	}
	if _, err := RowOutcomesFrom(made, 1); err == nil {
		t.Error("a finding beyond the last row was read")
	}
}

func TestAViolationRepeatsNoValue(t *testing.T) {
	const secret = "hunter2(" // also no RE2, no JSON, no host
	for i, spoiled := range []proto.Message{
		&pb.Checkpoint{Stream: "s", StateJson: secret, Number: 1},
		&pb.NetworkAddressesResponse{Addresses: []*pb.NetworkAddress{{Host: secret + ":1"}}},
		&pb.Manifest{Id: secret},
		&pb.Limits{Limits: []*pb.Limit{{Category: "c", Matchers: []*pb.RequestMatcher{{PathPattern: secret}}}}},
	} {
		_, err := byName([]string{"Checkpoint", "Addresses", "Manifest", "Limits"}[i]).judge(spoiled)
		if err == nil || strings.Contains(Refuse(connector.ClassConfig, "it", err).Error(), "hunter2") {
			t.Errorf("got %v", err)
		}
	}
}

func TestUnknownFeaturesAreIgnoredAndUnknownClassesInternal(t *testing.T) {
	m := proto.Clone(lawful["Manifest"]).(*pb.Manifest)
	m.Features = append(m.Features, 99)
	if got, err := ManifestFrom(m); err != nil || len(got.Features) != 1 {
		t.Errorf("got %v, %v", got.Features, err)
	}
	if e, err := ErrorFrom(&pb.Error{Class: 99, Message: "m"}); err != nil || e.Class != connector.ClassInternal {
		t.Errorf("got %v, %v", e, err)
	}
}
