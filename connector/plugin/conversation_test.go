package plugin

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/connector/internal/wire"
	pb "github.com/sluiceio/sluice/gen/sluice/connector/v1"
)

// out* are messages of a host, as one in another language may send them.
func outStart(change func(*connector.OutboundSync)) *pb.SyncOutboundRequest {
	about := outboundSync()
	about.KeepsTickets = true
	about.Tickets = []connector.Ticket{{ID: "t", State: connector.TicketSubmitted, Seqs: []connector.SeqRange{{First: 1, Last: 5}}}}
	if change != nil {
		change(&about)
	}
	sync, _ := wire.OutboundSync(about)
	c, _ := wire.Connection(connection("taking"))
	return &pb.SyncOutboundRequest{Message: &pb.SyncOutboundRequest_Start{Start: &pb.OutboundStart{Connection: c, Sync: sync}}}
}

func outSchema() *pb.SyncOutboundRequest {
	m, _ := wire.Schema(leadSchema)
	return &pb.SyncOutboundRequest{Message: &pb.SyncOutboundRequest_Schema{Schema: m}}
}

func outBatch(first int, ticket string) *pb.SyncOutboundRequest {
	b := leads(first, 2)
	b.Ticket = ticket
	m, _ := wire.OutboundBatch(b)
	return &pb.SyncOutboundRequest{Message: &pb.SyncOutboundRequest_Batch{Batch: m}}
}

func outTicketEnd(id string) *pb.SyncOutboundRequest {
	return &pb.SyncOutboundRequest{Message: &pb.SyncOutboundRequest_TicketRecordsEnd{TicketRecordsEnd: &pb.TicketRecordsEnd{TicketId: id}}}
}

func outEnd() *pb.SyncOutboundRequest {
	return &pb.SyncOutboundRequest{Message: &pb.SyncOutboundRequest_EndOfRecords{EndOfRecords: &pb.EndOfRecords{}}}
}

// taker is a connector that takes records and keeps them until the host has
// broken the contract, or for ever.
type taker struct{ *fake }

func (taker) Open(context.Context, connector.Connection) (connector.Session, error) {
	return &takerSession{&fakeSession{ctx: context.Background()}}, nil
}

type takerSession struct{ *fakeSession }

func (s *takerSession) SyncOutbound(ctx context.Context, _ connector.OutboundSync, stream connector.OutboundStream) error {
	for {
		if _, err := stream.Next(ctx); errors.Is(err, io.EOF) {
			<-ctx.Done() // works on it
			return context.Cause(ctx)
		} else if err != nil {
			return err
		}
	}
}

// TestAHostThatBreaksTheContractIsTold sends what no host may send. The
// connector is at work and asks for nothing when most of it arrives; it ends all
// the same.
func TestAHostThatBreaksTheContractIsTold(t *testing.T) {
	c, err := InProcess(taker{&fake{}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	type messages = []*pb.SyncOutboundRequest
	for name, test := range map[string]struct {
		send  messages
		close bool
		want  string
	}{
		"no start":                        {messages{outSchema()}, false, "not start"},
		"two starts":                      {messages{outStart(nil), outStart(nil)}, false, "misplaced"},
		"a start without connection":      {messages{{Message: &pb.SyncOutboundRequest_Start{Start: &pb.OutboundStart{Sync: outStart(nil).GetStart().Sync}}}}, false, "the connection"},
		"a start without sync":            {messages{{Message: &pb.SyncOutboundRequest_Start{Start: &pb.OutboundStart{}}}}, false, "the start"},
		"a batch before its schema":       {messages{outStart(nil), outBatch(1, "")}, false, "before its schema"},
		"a schema twice":                  {messages{outStart(nil), outSchema(), outSchema()}, false, "came twice"},
		"a record twice":                  {messages{outStart(nil), outSchema(), outBatch(1, ""), outBatch(2, "")}, false, "came twice"},
		"a batch after the end":           {messages{outStart(nil), outSchema(), outEnd(), outBatch(1, "")}, false, "after end_of_records"},
		"two ends":                        {messages{outStart(nil), outEnd(), outEnd()}, false, "misplaced"},
		"the end of an unknown ticket":    {messages{outStart(nil), outTicketEnd("x")}, false, "not handed back"},
		"the end of a ticket twice":       {messages{outStart(nil), outTicketEnd("t"), outTicketEnd("t")}, false, "came twice"},
		"records after their ticket ends": {messages{outStart(nil), outSchema(), outTicketEnd("t"), outBatch(1, "t")}, false, "after their end"},
		"a ticket ends after all records": {messages{outStart(nil), outEnd(), outTicketEnd("t")}, false, "after end_of_records"},
		"an ack of nothing":               {messages{outStart(nil), {Message: &pb.SyncOutboundRequest_TicketAck{TicketAck: &pb.TicketAck{}}}}, false, "an ack"},
		"nothing at all":                  {messages{outStart(nil), {}}, false, "unknown"},
		"no end of records":               {messages{outStart(nil)}, true, "without end_of_records"},
	} {
		t.Run(name, func(t *testing.T) {
			call, err := c.client.SyncOutbound(t.Context(), callOptions()...)
			if err != nil {
				t.Fatal(err)
			}
			for i, m := range test.send {
				if err := call.Send(m); err != nil && i == 0 {
					t.Fatal(err) // later ones may find the call over
				}
				if i == 0 && m.GetStart().GetConnection() != nil { // until it asks
					for {
						if r, err := call.Recv(); err != nil || r.GetDemand() != nil {
							break
						}
					}
				}
			}
			if test.close {
				_ = call.CloseSend()
			}
			for err = nil; err == nil; {
				_, err = call.Recv()
			}
			e := wantError(t, reason(err), connector.ClassConfig, "CONTRACT")
			if !strings.Contains(e.Error(), test.want) {
				t.Errorf("got %v, want %q in it", e, test.want)
			}
		})
	}
}

func reason(err error) error {
	e, _ := fromStatus(err)
	return e
}

// asker is a connector that does as it is told.
type asker struct {
	*fake
	do func(ctx context.Context, stream connector.OutboundStream) error
}

func (a asker) Open(context.Context, connector.Connection) (connector.Session, error) {
	return &askerSession{&fakeSession{ctx: context.Background()}, a.do}, nil
}

type askerSession struct {
	*fakeSession
	do func(ctx context.Context, stream connector.OutboundStream) error
}

func (s *askerSession) SyncOutbound(ctx context.Context, _ connector.OutboundSync, stream connector.OutboundStream) error {
	return s.do(ctx, stream)
}

// TestAnAnswerIsForTheQuestionItWasGivenTo asks the same twice, the first time
// without patience. The first answer must not reach the second asker: an ack means
// that the ticket it was sent for is durable.
func TestAnAnswerIsForTheQuestionItWasGivenTo(t *testing.T) {
	a := newAuthorEnd(t.Context(), false)
	key := ackKey{"t", connector.TicketPrepared}
	impatient, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := a.ask(impatient, key, func() error { return nil })
	wantError(t, err, connector.ClassCancelled, "CANCELLED")
	sent, got := make(chan struct{}), make(chan any, 1)
	go func() {
		answer, _ := a.ask(t.Context(), key, func() error { close(sent); return nil })
		got <- answer
	}()
	<-sent
	a.answered(key, "first")
	a.answered(key, "second")
	a.answered(key, "to nobody")
	if answer := <-got; answer != "second" {
		t.Errorf("the second asker got %q", answer)
	}
}

// TestAHostThatClosesItsSideLeavesNobodyWaiting half-closes while a ticket waits
// for its ack.
func TestAHostThatClosesItsSideLeavesNobodyWaiting(t *testing.T) {
	c, err := InProcess(asker{&fake{}, func(ctx context.Context, stream connector.OutboundStream) error {
		return stream.Ticket(ctx, connector.Ticket{ID: "u", State: connector.TicketPrepared, Seqs: []connector.SeqRange{{First: 1, Last: 1}}})
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	call, err := c.client.SyncOutbound(t.Context(), callOptions()...)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range []*pb.SyncOutboundRequest{outStart(nil), outEnd()} {
		if err := call.Send(m); err != nil {
			t.Fatal(err)
		}
	}
	_ = call.CloseSend()
	for err = nil; err == nil; {
		_, err = call.Recv()
	}
	if e := wantError(t, reason(err), connector.ClassConfig, "CONTRACT"); !strings.Contains(e.Message, "without an answer") {
		t.Errorf("got %v", e)
	}
}
