package wire

import (
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/sluiceio/sluice/connector"
	pb "github.com/sluiceio/sluice/gen/sluice/connector/v1"
)

// pair is a message with the functions that make and read it.
type pair struct {
	name string
	// trip makes the message of a value, sends it through bytes, reads it, and
	// says what is different.
	trip func(*filler) error
	// read reads an arbitrary message; when it is accepted, making it again must
	// be accepted too, or the two sides would check different rules.
	read func(proto.Message) (accepted bool, err error)
	// judge reads a message, and makes another of whatever was read; it returns
	// what each of them had to say.
	judge func(proto.Message) (made, read error)
	// message is an empty one.
	message func() proto.Message
}

func of[V any, M proto.Message](name string, make func(*filler) V, out func(V) (M, error), in func(M) (V, error)) pair {
	empty := func() proto.Message {
		var m M
		return m.ProtoReflect().New().Interface()
	}
	return pair{name: name, message: empty,
		trip: func(f *filler) error {
			v := make(f)
			m, err := out(v)
			if err != nil {
				return fmt.Errorf("making it: %w (%+v)", err, v)
			}
			bytes, err := proto.Marshal(m)
			if err != nil {
				return err
			}
			copied := empty()
			if err := proto.Unmarshal(bytes, copied); err != nil {
				return err
			}
			got, err := in(copied.(M))
			if err != nil {
				return fmt.Errorf("reading it: %w", err)
			}
			if diff := cmp.Diff(v, got, cmpopts.EquateEmpty()); diff != "" {
				return errors.New(diff)
			}
			return nil
		},
		read: func(m proto.Message) (bool, error) {
			v, err := in(m.(M))
			if err != nil {
				return false, nil
			}
			_, err = out(v)
			return true, err
		},
		judge: func(m proto.Message) (made, read error) {
			v, read := in(m.(M))
			if read == nil || complete(v) {
				_, made = out(v)
			}
			return made, read
		},
	}
}

// complete reports whether a reader that refused a message returned what it read.
func complete(v any) bool {
	r := reflect.ValueOf(v)
	return r.Kind() != reflect.Pointer || !r.IsNil()
}

// same is for messages that a filled value needs nothing to obey.
func same[V any, M proto.Message](name string, out func(V) (M, error), in func(M) (V, error)) pair {
	return of(name, fill[V], out, in)
}

type numbered[V any] struct {
	Number int64
	Value  V
}

type ackOf[S any] struct {
	Name  string
	State S
}

var aConnection = &pb.Connection{Method: "m"}

var theSchema = &connector.Schema{ID: "s", Columns: []connector.Column{{Name: "a", Type: connector.Type{Kind: connector.KindString}}}}

var pairs = []pair{
	same("Manifest", Manifest, ManifestFrom),
	same("ConnectionForm", ConnectionForm, ConnectionFormFrom),
	same("Connection", Connection, ConnectionFrom),
	same("Connected", Connected, ConnectedFrom),
	same("Authorization", Authorization, AuthorizationFrom),
	of("Addresses", func(f *filler) []connector.NetworkAddress {
		return []connector.NetworkAddress{fill[connector.NetworkAddress](f), {Host: "other.example.com"}}
	}, Addresses, AddressesFrom),
	same("Form", Form, FormFrom),
	of("InboundForm", func(f *filler) connector.Form {
		form := fill[connector.Form](f)
		form.Mapper = nil
		return form
	}, InboundForm, InboundFormFrom),
	same("OutboundFormRequest", func(r connector.FormRequest) (*pb.OutboundConfigurationFormRequest, error) {
		return OutboundFormRequest(aConnection, r)
	}, OutboundFormRequestFrom),
	of("InboundFormRequest", func(f *filler) connector.FormRequest {
		return connector.FormRequest{Answers: fill[connector.Answers](f)}
	}, func(r connector.FormRequest) (*pb.InboundConfigurationFormRequest, error) {
		return InboundFormRequest(aConnection, r)
	}, InboundFormRequestFrom),
	same("OptionsRequest", func(r connector.OptionsRequest) (*pb.FormOptionsRequest, error) {
		return OptionsRequest(aConnection, r)
	}, OptionsRequestFrom),
	same("OptionsPage", OptionsPage, OptionsPageFrom),
	same("Limits", Limits, LimitsFrom),
	of("ActionCounts", fill[[]connector.ActionCount], func(c []connector.ActionCount) (*pb.OutboundCostsRequest, error) {
		counts, err := ActionCounts(c)
		return &pb.OutboundCostsRequest{Connection: aConnection, Counts: counts}, err
	}, func(r *pb.OutboundCostsRequest) ([]connector.ActionCount, error) {
		return ActionCountsFrom(r.GetCounts())
	}),
	of("OutboundPaths", func(f *filler) []connector.OutboundPath {
		paths := fill[[]connector.OutboundPath](f)
		for i := range paths {
			paths[i].Chosen = i == 1
		}
		return paths
	}, OutboundPaths, OutboundPathsFrom),
	of("StreamQuery", fill[connector.StreamQuery], func(q connector.StreamQuery) (*pb.StreamListRequest, error) { return StreamQuery(aConnection, q) }, StreamQueryFrom),
	same("Streams", func(s []connector.Stream) (*pb.StreamListResponse, error) { return Streams(s, nil) },
		func(r *pb.StreamListResponse) ([]connector.Stream, error) { return StreamsFrom(r, nil) }),
	same("OutboundSync", OutboundSync, OutboundSyncFrom),
	same("InboundSync", InboundSync, InboundSyncFrom),
	of("Schema", func(f *filler) *connector.Schema { return new(fill[connector.Schema](f)) }, Schema, SchemaFrom),
	same("Ticket", Ticket, TicketFrom),
	same("TicketAck", func(a ackOf[connector.TicketState]) (*pb.TicketAck, error) { return TicketAck(a.Name, a.State) },
		func(m *pb.TicketAck) (a ackOf[connector.TicketState], err error) {
			a.Name, a.State, err = TicketAckFrom(m)
			return a, err
		}),
	same("Outcomes", Outcomes, OutcomesFrom),
	same("RowOutcome", RowOutcome, RowOutcomeFrom),
	same("Error", func(e connector.Error) (*pb.Error, error) { return Error(&e) },
		func(m *pb.Error) (connector.Error, error) {
			e, err := ErrorFrom(m)
			if e == nil {
				e = &connector.Error{}
			}
			return *e, err
		}),
	same("Tombstones", Tombstones, TombstonesFrom),
	same("Checkpoint", func(n numbered[connector.Checkpoint]) (*pb.Checkpoint, error) { return Checkpoint(n.Value, n.Number) },
		func(m *pb.Checkpoint) (n numbered[connector.Checkpoint], err error) {
			n.Value, n.Number, err = CheckpointFrom(m)
			return n, err
		}),
	same("CheckpointAck", func(a ackOf[int64]) (*pb.CheckpointAck, error) { return CheckpointAck(a.Name, a.State) },
		func(m *pb.CheckpointAck) (a ackOf[int64], err error) {
			a.Name, a.State, err = CheckpointAckFrom(m)
			return a, err
		}),
	same("StreamDone", StreamDone, StreamDoneFrom),
	same("Progress", Progress, ProgressFrom),
	same("Stop", Stop, StopFrom),
	same("Keep", Keep, KeepFrom),
	same("Usage", Usage, UsageFrom),
	same("GrantRequest", func(n numbered[connector.GrantRequest]) (*pb.GrantRequest, error) {
		return GrantRequest(n.Number, n.Value)
	},
		func(m *pb.GrantRequest) (n numbered[connector.GrantRequest], err error) {
			n.Number, n.Value, err = GrantRequestFrom(m)
			return n, err
		}),
	same("Grant", func(n numbered[connector.Grant]) (*pb.Grant, error) { return Grant(n.Number, n.Value) },
		func(m *pb.Grant) (n numbered[connector.Grant], err error) {
			n.Number, n.Value, err = GrantFrom(m)
			return n, err
		}),
}

// TestEveryMessageTripsRound sends 200 generated values of each message there
// and back.
func TestEveryMessageTripsRound(t *testing.T) {
	for _, p := range pairs {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(200) {
				if err := p.trip(newFiller(seed)); err != nil {
					t.Fatalf("seed %d: %v", seed, err)
				}
			}
		})
	}
}

func FuzzEveryMessageTripsRound(f *testing.F) {
	f.Add(uint64(1), uint8(0))
	f.Fuzz(func(t *testing.T, seed uint64, which uint8) {
		p := pairs[int(which)%len(pairs)]
		if err := p.trip(newFiller(seed)); err != nil {
			t.Errorf("%s: %v", p.name, err)
		}
	})
}

// batches trip with the schema they name.
func batchTrip(f *filler, outbound bool) error {
	out, in := InboundBatch, InboundBatchFrom
	if outbound {
		out, in = OutboundBatch, OutboundBatchFrom
	}
	b := f.batch(outbound)
	m, err := out(b)
	if err != nil {
		return err
	}
	bytes, err := proto.Marshal(m)
	if err != nil {
		return err
	}
	copied := &pb.RecordBatch{}
	if err := proto.Unmarshal(bytes, copied); err != nil {
		return err
	}
	got, err := in(copied, b.Schema)
	if err != nil {
		return err
	}
	if diff := cmp.Diff(b, got, cmpopts.EquateEmpty()); diff != "" {
		return errors.New(diff)
	}
	return nil
}

func TestBatchesTripRound(t *testing.T) {
	for seed := range uint64(300) {
		if err := batchTrip(newFiller(seed), seed%2 == 0); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}

func TestErrorsOfEveryClassTripRoundAsStatuses(t *testing.T) {
	for seed := range uint64(50) {
		for _, class := range connector.Classes {
			want := fill[connector.Error](newFiller(seed))
			want.Class, want.ResetAt = class, time.Unix(1_800_000_000, 123).UTC()
			got, ours := StatusFrom(Status(&want))
			if diff := cmp.Diff(&want, got); diff != "" || !ours {
				t.Fatalf("%s: ours %t\n%s", class, ours, diff)
			}
		}
	}
}

// scramble fills a message with whatever its types allow: numbers that no enum
// has, negative ones, null bytes, missing and repeated parts.
func scramble(f *filler, m protoreflect.Message, depth int) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		d := fields.Get(i)
		if f.IntN(4) == 0 {
			continue
		}
		switch {
		case d.IsList():
			l := m.Mutable(d).List()
			for range f.IntN(3) {
				if d.Message() != nil {
					e := l.NewElement()
					if depth > 0 {
						scramble(f, e.Message(), depth-1)
					}
					l.Append(e)
					continue
				}
				l.Append(scalar(f, d))
			}
		case d.Message() != nil:
			if depth > 0 {
				scramble(f, m.Mutable(d).Message(), depth-1)
			}
		default:
			m.Set(d, scalar(f, d))
		}
	}
}

func scalar(f *filler, d protoreflect.FieldDescriptor) protoreflect.Value {
	odd := []int64{-1 << 62, -1, 0, 1, 2, 5, 1 << 31, 1 << 62}
	n := odd[f.IntN(len(odd))]
	switch d.Kind() {
	case protoreflect.StringKind:
		return protoreflect.ValueOfString([]string{"", "x", "{", "{}", "(", "https://", f.text()}[f.IntN(7)])
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(f.IntN(2) == 0)
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(protoreflect.EnumNumber(f.IntN(14) - 1))
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes([]byte(f.text()))
	case protoreflect.DoubleKind:
		return protoreflect.ValueOfFloat64(f.NormFloat64())
	case protoreflect.Uint32Kind:
		return protoreflect.ValueOfUint32(uint32(n))
	case protoreflect.Int32Kind, protoreflect.Sint32Kind:
		return protoreflect.ValueOfInt32(int32(n))
	}
	return protoreflect.ValueOfInt64(n)
}

// arbitrary reads scrambled messages: nothing panics, and what is accepted can
// be made again.
func arbitrary(seed uint64) error {
	for _, p := range pairs {
		m := p.message()
		scramble(newFiller(seed), m.ProtoReflect(), 4)
		if accepted, err := p.read(m); accepted && err != nil {
			return fmt.Errorf("%s: read without complaint, and then %w: %v", p.name, err, m)
		}
	}
	b := &pb.RecordBatch{}
	scramble(newFiller(seed), b.ProtoReflect(), 4)
	for _, in := range []func(*pb.RecordBatch, *connector.Schema) (*connector.RecordBatch, error){InboundBatchFrom, OutboundBatchFrom} {
		for _, schema := range []*connector.Schema{nil, theSchema} {
			_, _ = in(b, schema) // must not panic
		}
	}
	return nil
}

func TestArbitraryMessagesDoNotPanic(t *testing.T) {
	for seed := range uint64(3000) {
		if err := arbitrary(seed); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}

func FuzzArbitraryMessagesDoNotPanic(f *testing.F) {
	f.Add(uint64(1))
	f.Fuzz(func(t *testing.T, seed uint64) {
		if err := arbitrary(seed); err != nil {
			t.Error(err)
		}
	})
}

// TestMissingMessagesDoNotPanic reads messages that are not there.
func TestMissingMessagesDoNotPanic(t *testing.T) {
	for _, p := range pairs {
		var none proto.Message = p.message().ProtoReflect().Type().Zero().Interface()
		_, _ = p.read(none) // must not panic; the zero value may be one that cannot be made
	}
}
