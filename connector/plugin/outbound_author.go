package plugin

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/connector/internal/wire"
	pb "github.com/sluiceio/sluice/gen/sluice/connector/v1"
)

// Outcomes are sent in messages of at most so many records, and of about so
// many bytes, to stay far below the bound of a message.
const (
	outcomeRows  = 10_000
	outcomeBytes = 2 << 20
)

type outboundCall = grpc.BidiStreamingServer[pb.SyncOutboundRequest, pb.SyncOutboundResponse]

// SyncOutbound runs the connector's SyncOutbound over a call.
func (s *server) SyncOutbound(call outboundCall) error {
	first, err := call.Recv()
	if err != nil {
		return err
	}
	start := first.GetStart()
	if start == nil {
		return connector.Errorf(connector.ClassConfig, "CONTRACT", "the first message of SyncOutbound is not start")
	}
	about, err := wire.OutboundSyncFrom(start.GetSync())
	if err != nil {
		return hostBroke("the start of SyncOutbound", err)
	}
	_, err = with(call.Context(), s, start.GetConnection(), func(out connector.Outbound) (struct{}, error) {
		return struct{}{}, runOutbound(call, about, out)
	})
	return err
}

func runOutbound(call outboundCall, about connector.OutboundSync, out connector.Outbound) error {
	a := newOutboundAuthor(call, about)
	go a.receive() // ends with the call, which ends right after this function
	done := make(chan struct{})
	var beating sync.WaitGroup
	beating.Go(func() { a.beat(done) })
	err := out.SyncOutbound(connector.WithHost(call.Context(), a), about, a)
	close(done)
	beating.Wait()
	if err != nil {
		return errors.Join(a.broken(), err)
	}
	if err := a.broken(); err != nil {
		return err
	}
	if taken, settled := a.taken.Load(), a.settled.Load(); taken != settled {
		return connector.Errorf(connector.ClassInternal, "UNSETTLED", "the connector took %d records and settled %d", taken, settled)
	}
	return a.send(&pb.SyncOutboundResponse{Message: &pb.SyncOutboundResponse_Done{Done: &pb.OutboundDone{Settled: a.settled.Load()}}})
}

// outboundAuthor is what the connector sees of an outbound call: its
// OutboundStream.
type outboundAuthor struct {
	*authorEnd
	call  outboundCall
	about connector.OutboundSync

	sending sync.Mutex

	batches chan *connector.RecordBatch // closed at the end of records
	schemas map[string]*connector.Schema
	failed  chan struct{} // closed when receiving failed
	failure error

	demanded bool // by Next, which one goroutine calls
	consumed int32
	taken    atomic.Int64
	settled  atomic.Int64
}

func newOutboundAuthor(call outboundCall, about connector.OutboundSync) *outboundAuthor {
	a := &outboundAuthor{
		authorEnd: newAuthorEnd(call.Context(), about.KeepsLedger), call: call, about: about,
		// Ends of tickets take room too; there are no more of them than batches
		// and announced tickets.
		batches: make(chan *connector.RecordBatch, 2*window+len(about.Tickets)), schemas: make(map[string]*connector.Schema),
		failed: make(chan struct{}),
	}
	a.sendUsage = func(u *pb.Usage) error {
		return a.send(&pb.SyncOutboundResponse{Message: &pb.SyncOutboundResponse_Usage{Usage: u}})
	}
	a.sendGrant = func(r *pb.GrantRequest) error {
		return a.send(&pb.SyncOutboundResponse{Message: &pb.SyncOutboundResponse_GrantRequest{GrantRequest: r}})
	}
	a.sendProgress = func(p *pb.Progress) error {
		return a.send(&pb.SyncOutboundResponse{Message: &pb.SyncOutboundResponse_Progress{Progress: p}})
	}
	a.sendKeep = func(k *pb.Keep) error {
		return a.send(&pb.SyncOutboundResponse{Message: &pb.SyncOutboundResponse_Keep{Keep: k}})
	}
	return a
}

func (a *outboundAuthor) send(m *pb.SyncOutboundResponse) error {
	a.sending.Lock()
	defer a.sending.Unlock()
	return a.call.Send(m)
}

// receive does nothing but receive. Batches the connector did not ask for (a
// host that keeps neither tickets nor a ledger may send them) block it, and
// HTTP/2 flow control holds such a host.
func (a *outboundAuthor) receive() {
	err := a.receiveAll()
	if err != nil {
		a.failure = err
		close(a.failed)
	}
}

func (a *outboundAuthor) receiveAll() error {
	ended := false
	for {
		m, err := a.call.Recv()
		switch {
		case errors.Is(err, io.EOF): // the host has no more to say
			if !ended {
				return connector.Errorf(connector.ClassConfig, "CONTRACT", "the host closed the stream without end_of_records")
			}
			return nil
		case err != nil:
			return err
		}
		if m.GetEndOfRecords() != nil && !ended {
			ended = true
			close(a.batches)
			continue
		}
		if err := a.take(m, ended); err != nil {
			return err
		}
	}
}

func (a *outboundAuthor) take(m *pb.SyncOutboundRequest, ended bool) error {
	switch m := m.GetMessage().(type) {
	case *pb.SyncOutboundRequest_Schema:
		s, err := wire.SchemaFrom(m.Schema)
		if err != nil {
			return hostBroke("a schema", err)
		}
		a.schemas[s.ID] = s
		return nil
	case *pb.SyncOutboundRequest_Batch:
		schema := a.schemas[m.Batch.GetSchemaId()]
		if schema == nil || ended {
			return connector.Errorf(connector.ClassConfig, "CONTRACT", "a batch came before its schema %q, or after end_of_records", m.Batch.GetSchemaId())
		}
		batch, err := wire.OutboundBatchFrom(m.Batch, schema)
		if err != nil {
			return hostBroke("a batch", err)
		}
		return a.queue(batch)
	case *pb.SyncOutboundRequest_TicketRecordsEnd:
		if ended {
			return connector.Errorf(connector.ClassConfig, "CONTRACT", "ticket_records_end came after end_of_records")
		}
		// An empty batch is how the vocabulary says it.
		return a.queue(&connector.RecordBatch{Ticket: m.TicketRecordsEnd.GetTicketId()})
	case *pb.SyncOutboundRequest_TicketAck:
		id, state, err := wire.TicketAckFrom(m.TicketAck)
		if err == nil {
			a.answered(ackKey{id, state}, nil)
		}
		return hostBroke("an ack", err)
	case *pb.SyncOutboundRequest_Grant:
		a.answered(m.Grant.GetId(), m.Grant)
		return nil
	case *pb.SyncOutboundRequest_Stop:
		a.stopped(m.Stop)
		return nil
	}
	return connector.Errorf(connector.ClassConfig, "CONTRACT", "an unknown or misplaced message in SyncOutbound: %T", m.GetMessage())
}

func (a *outboundAuthor) queue(batch *connector.RecordBatch) error {
	select {
	case a.batches <- batch:
		return nil
	case <-a.ctx.Done():
		return hostLost(a.ctx)
	}
}

// broken returns the error that ended receiving, if any.
func (a *outboundAuthor) broken() error {
	select {
	case <-a.failed:
		return a.failure
	default:
		return nil
	}
}

// Next asks for more and returns the next batch, or io.EOF.
func (a *outboundAuthor) Next(ctx context.Context) (*connector.RecordBatch, error) {
	if !a.demanded {
		a.demanded = true
		if err := a.demand(window); err != nil {
			return nil, err
		}
	}
	select {
	case batch, ok := <-a.batches:
		if !ok {
			return nil, io.EOF
		}
		return batch, a.took(batch)
	default:
	}
	select {
	case batch, ok := <-a.batches:
		if !ok {
			return nil, io.EOF
		}
		return batch, a.took(batch)
	case <-a.failed:
		return nil, a.failure
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-a.ctx.Done():
		return nil, hostLost(a.ctx)
	}
}

// took asks for as many batches as were consumed, half a window at a time.
func (a *outboundAuthor) took(batch *connector.RecordBatch) error {
	a.taken.Add(int64(batch.Rows))
	if batch.Rows == 0 {
		return nil
	}
	if a.consumed++; a.consumed < window/2 {
		return nil
	}
	n := a.consumed
	a.consumed = 0
	return a.demand(n)
}

func (a *outboundAuthor) demand(n int32) error {
	return a.send(&pb.SyncOutboundResponse{Message: &pb.SyncOutboundResponse_Demand{Demand: &pb.Demand{Batches: n}}})
}

// Settle sends outcomes, in parts where they are many or long.
func (a *outboundAuthor) Settle(_ context.Context, outcomes connector.Outcomes) error {
	for _, part := range splitOutcomes(outcomes) {
		m, err := wire.Outcomes(part)
		if err != nil {
			return err
		}
		if err := a.send(&pb.SyncOutboundResponse{Message: &pb.SyncOutboundResponse_Outcomes{Outcomes: m}}); err != nil {
			return err
		}
		a.settled.Add(int64(len(part.Seqs)))
	}
	return nil
}

// splitOutcomes cuts outcomes into parts of bounded size.
func splitOutcomes(o connector.Outcomes) []connector.Outcomes {
	var parts []connector.Outcomes
	next := 0 // exception
	for from := 0; from < len(o.Seqs); {
		to, bytes := from, 0
		var part connector.Outcomes
		for to < len(o.Seqs) && to-from < outcomeRows && bytes < outcomeBytes {
			if len(o.AppIdentifiers) > 0 {
				bytes += len(o.AppIdentifiers[to])
			}
			if next < len(o.Exceptions) && o.Exceptions[next].Row == to {
				e := o.Exceptions[next]
				e.Row = to - from
				part.Exceptions = append(part.Exceptions, e)
				bytes += len(e.Detail) + 200
				if e.Error != nil {
					bytes += len(e.Error.Message)
				}
				next++
			}
			to++
		}
		part.Seqs = o.Seqs[from:to]
		if len(o.AppIdentifiers) > 0 {
			part.AppIdentifiers = o.AppIdentifiers[from:to]
		}
		parts = append(parts, part)
		from = to
	}
	if next < len(o.Exceptions) { // out of order or out of range: let the converter say so
		return []connector.Outcomes{o}
	}
	return parts
}

// ackKey names what an ack acknowledges.
type ackKey struct {
	id    string
	state connector.TicketState
}

// Ticket journals a ticket, and waits for the ack where the host keeps tickets.
func (a *outboundAuthor) Ticket(ctx context.Context, ticket connector.Ticket) error {
	m, err := wire.Ticket(ticket)
	if err != nil {
		return err
	}
	send := func() error {
		return a.send(&pb.SyncOutboundResponse{Message: &pb.SyncOutboundResponse_Ticket{Ticket: m}})
	}
	if !a.about.KeepsTickets {
		return send()
	}
	_, err = a.ask(ctx, ackKey{ticket.ID, ticket.State}, send)
	return err
}
