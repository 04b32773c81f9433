package plugin

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/connector/internal/wire"
	pb "github.com/sluiceio/sluice/gen/sluice/connector/v1"
)

// foreign is a host that knows the messages and nothing of this package.
type foreign struct {
	t    *testing.T
	call grpc.BidiStreamingClient[pb.SyncOutboundRequest, pb.SyncOutboundResponse]
}

func outboundBy(t *testing.T, mode string, change func(*connector.OutboundSync)) *foreign {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	t.Cleanup(cancel)
	call, err := inProcess(t).client.SyncOutbound(ctx)
	if err != nil {
		t.Fatal(err)
	}
	sync := outboundSync()
	change(&sync)
	about, err1 := wire.OutboundSync(sync)
	conn, err2 := wire.Connection(connection(mode))
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	f := &foreign{t: t, call: call}
	f.send(&pb.SyncOutboundRequest{Message: &pb.SyncOutboundRequest_Start{Start: &pb.OutboundStart{Connection: conn, Sync: about}}})
	return f
}

func (f *foreign) send(m *pb.SyncOutboundRequest) {
	f.t.Helper()
	if err := f.call.Send(m); err != nil && !errors.Is(err, io.EOF) {
		f.t.Fatal(err)
	}
}

func (f *foreign) schema() {
	f.t.Helper()
	s, err := wire.Schema(leadSchema)
	if err != nil {
		f.t.Fatal(err)
	}
	f.send(&pb.SyncOutboundRequest{Message: &pb.SyncOutboundRequest_Schema{Schema: s}})
}

func (f *foreign) batch(first, rows int) {
	f.t.Helper()
	b, err := wire.OutboundBatch(leads(first, rows))
	if err != nil {
		f.t.Fatal(err)
	}
	f.send(&pb.SyncOutboundRequest{Message: &pb.SyncOutboundRequest_Batch{Batch: b}})
}

func (f *foreign) end() {
	f.send(&pb.SyncOutboundRequest{Message: &pb.SyncOutboundRequest_EndOfRecords{EndOfRecords: &pb.EndOfRecords{}}})
}

// until receives until a message is what is looked for, or the call ends.
func (f *foreign) until(found func(*pb.SyncOutboundResponse) bool) error {
	for {
		m, err := f.call.Recv()
		if err != nil {
			return err
		}
		if found(m) {
			return nil
		}
	}
}

func nothing(*pb.SyncOutboundResponse) bool { return false }

func wantRefusal(t *testing.T, err error) {
	t.Helper()
	e, ours := fromStatus(err)
	if e == nil || !ours || e.Class != connector.ClassConfig || e.Code != "CONTRACT" {
		t.Errorf("got %+v, want the connector to refuse what breaks the contract", e)
	}
}

func TestAHostThatKeepsNothingNeedNotWaitForDemand(t *testing.T) {
	f := outboundBy(t, "", func(*connector.OutboundSync) {})
	f.schema()
	for i := range 5 * window {
		f.batch(i*10, 10)
	}
	f.end()
	if err := f.call.CloseSend(); err != nil { // as grpcurl does
		t.Fatal(err)
	}
	var settled, done int64
	err := f.until(func(m *pb.SyncOutboundResponse) bool {
		settled += int64(len(m.GetOutcomes().GetSeqs()))
		done = max(done, m.GetDone().GetSettled())
		return false
	})
	if !errors.Is(err, io.EOF) || settled != 50*window || done != settled {
		t.Errorf("settled %d, done says %d: %v", settled, done, err)
	}
}

func TestHostsThatBreakTheContractAreRefused(t *testing.T) {
	keeps := func(s *connector.OutboundSync) { s.KeepsTickets = true }
	keepsNot := func(*connector.OutboundSync) {}
	for name, c := range map[string]struct {
		mode   string
		change func(*connector.OutboundSync)
		breach func(*foreign)
	}{
		"a batch without its schema": {"", keepsNot, func(f *foreign) { f.batch(1, 1) }},
		"a schema twice":             {"", keepsNot, func(f *foreign) { f.schema(); f.schema() }},
		"a record twice":             {"forget", keepsNot, func(f *foreign) { f.schema(); f.batch(1, 3); f.batch(3, 3); f.end() }},
		"a batch after the end":      {"idle", keepsNot, func(f *foreign) { f.schema(); f.end(); f.batch(1, 1) }},
		"an empty message":           {"idle", keepsNot, func(f *foreign) { f.send(&pb.SyncOutboundRequest{}) }},
		"hanging up":                 {"idle", keepsNot, func(f *foreign) { f.schema(); _ = f.call.CloseSend() }},
		"more than was asked for":    {"idle", keeps, func(f *foreign) { f.schema(); f.batch(1, 1) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := outboundBy(t, c.mode, c.change)
			c.breach(f)
			wantRefusal(t, f.until(nothing))
		})
	}
}

func TestABreachReachesAConnectorThatWaitsForAnAck(t *testing.T) {
	f := outboundBy(t, "ticket", func(s *connector.OutboundSync) { s.KeepsTickets = true })
	if err := f.until(func(m *pb.SyncOutboundResponse) bool { return m.GetDemand() != nil }); err != nil {
		t.Fatal(err)
	}
	f.schema()
	f.batch(1, 5)
	if err := f.until(func(m *pb.SyncOutboundResponse) bool { return m.GetTicket() != nil }); err != nil {
		t.Fatal(err)
	}
	f.schema() // for the second time, in place of the ack
	wantRefusal(t, f.until(nothing))
}

func TestAHostThatAcknowledgesMustNotHangUp(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	call, err := inProcess(t).client.SyncInbound(ctx)
	if err != nil {
		t.Fatal(err)
	}
	sync := inboundSync("a")
	sync.AcksCheckpoints = true
	about, err1 := wire.InboundSync(sync)
	conn, err2 := wire.Connection(connection(""))
	err3 := call.Send(&pb.SyncInboundRequest{Message: &pb.SyncInboundRequest_Start{Start: &pb.InboundStart{Connection: conn, Sync: about}}})
	if err := errors.Join(err1, err2, err3, call.CloseSend()); err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = call.Recv()
	}
	wantRefusal(t, err)
}
