package plugin

import (
	"cmp"
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/connector/internal/wire"
	pb "github.com/sluiceio/sluice/gen/sluice/connector/v1"
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
		return hostBreach("the first message of SyncOutbound is not start")
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
	go a.receive(a.receiveAll)
	defer a.stopWork(nil)
	err := a.reporting(func() error { return out.SyncOutbound(connector.WithHost(a.work, a), about, a) })
	if cause := cmp.Or(a.broken(), a.laws.broke(), err); cause != nil {
		return cause // what went wrong first explains the rest
	}
	if err := a.settleUntaken(); err != nil {
		return err
	}
	settled, err := a.laws.end()
	if err != nil {
		return err
	}
	return a.send(&pb.SyncOutboundResponse{Message: &pb.SyncOutboundResponse_Done{Done: &pb.OutboundDone{Settled: settled}}})
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
	returns map[string]bool // tickets handed back; true when their records ended

	laws *outboundLaws

	// In batches: asked for with Demand, received, handed out by Next.
	asked, received, handed atomic.Int64
	largest                 atomic.Int64 // batch so far, in bytes
}

func newOutboundAuthor(call outboundCall, about connector.OutboundSync) *outboundAuthor {
	a := &outboundAuthor{
		authorEnd: newAuthorEnd(call.Context(), about.KeepsLedger), call: call, about: about,
		// The end of each handed-back ticket takes room too.
		batches: make(chan *connector.RecordBatch, window+len(about.Tickets)), schemas: make(map[string]*connector.Schema),
		returns: make(map[string]bool), laws: newOutboundLaws(about.Tickets),
	}
	for _, t := range about.Tickets {
		a.returns[t.ID] = false
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
	return a.unsent(a.call.Send(m))
}

// receiveAll receives until the call ends. Batches the connector did not ask for
// (a host that keeps neither tickets nor a ledger may send them) block it, and
// HTTP/2 flow control holds such a host.
func (a *outboundAuthor) receiveAll() error {
	ended := false
	for {
		m, err := a.call.Recv()
		switch {
		case errors.Is(err, io.EOF): // the host has no more to say
			if !ended {
				return hostBreach("the host closed the stream without end_of_records")
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
		return a.schema(m.Schema)
	case *pb.SyncOutboundRequest_Batch:
		schema := a.schemas[m.Batch.GetSchemaId()]
		if schema == nil || ended {
			return hostBreach("a batch came before its schema %q, or after end_of_records", m.Batch.GetSchemaId())
		}
		return a.batch(m.Batch, schema)
	case *pb.SyncOutboundRequest_TicketRecordsEnd:
		if ended {
			return hostBreach("ticket_records_end came after end_of_records")
		}
		return a.ticketEnd(m.TicketRecordsEnd.GetTicketId())
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
	return hostBreach("an unknown or misplaced message in SyncOutbound: %T", m.GetMessage())
}

func (a *outboundAuthor) schema(m *pb.Schema) error {
	s, err := wire.SchemaFrom(m)
	if err != nil {
		return hostBroke("a schema", err)
	}
	if a.schemas[s.ID] != nil {
		return hostBreach("the schema %q came twice; schemas are immutable", s.ID)
	}
	a.schemas[s.ID] = s
	return nil
}

// ticketEnd queues an empty batch, which is how the vocabulary says it.
func (a *outboundAuthor) ticketEnd(id string) error {
	if ended, announced := a.returns[id]; ended || !announced {
		return hostBreach("ticket_records_end came twice for ticket %q, or for one that was not handed back", id)
	}
	a.returns[id] = true
	return a.queue(&connector.RecordBatch{Ticket: id})
}

// batch queues a batch that was asked for. A host that keeps neither tickets nor
// a ledger need not wait to be asked: nothing can wait behind its records.
func (a *outboundAuthor) batch(m *pb.RecordBatch, schema *connector.Schema) error {
	batch, err := wire.OutboundBatchFrom(m, schema)
	if err != nil {
		return hostBroke("a batch", err)
	}
	if a.returns[batch.Ticket] {
		return hostBreach("records of ticket %s came after their end", batch.Ticket)
	}
	received := a.received.Add(1)
	if received > a.asked.Load() && (a.about.KeepsTickets || a.about.KeepsLedger) {
		return hostBreach("the host sent batch %d, but %d were asked for", received, a.asked.Load())
	}
	if size := int64(proto.Size(m)); size > a.largest.Load() {
		a.largest.Store(size)
	}
	return a.queue(batch)
}

func (a *outboundAuthor) queue(batch *connector.RecordBatch) error {
	select {
	case a.batches <- batch:
		return nil
	case <-a.ctx.Done():
		return hostLost(a.ctx)
	}
}

// Next asks for more and returns the next batch, or io.EOF.
func (a *outboundAuthor) Next(ctx context.Context) (*connector.RecordBatch, error) {
	defer a.reports.enter()()
	if err := a.demand(); err != nil {
		return nil, err
	}
	select { // what arrived before a failure counts
	case batch, ok := <-a.batches:
		return a.hand(batch, ok)
	default:
	}
	select {
	case batch, ok := <-a.batches:
		return a.hand(batch, ok)
	case <-a.deaf:
		if a.deafness != nil {
			return nil, a.deafness
		}
		batch, ok := <-a.batches // closed before
		return a.hand(batch, ok)
	case <-ctx.Done():
		return nil, connector.AsError(context.Cause(ctx))
	case <-a.ctx.Done():
		return nil, hostLost(a.ctx)
	}
}

// hand hands a batch out.
func (a *outboundAuthor) hand(batch *connector.RecordBatch, ok bool) (*connector.RecordBatch, error) {
	if !ok {
		return nil, io.EOF
	}
	if batch.Rows == 0 { // the end of a ticket's records
		return batch, nil
	}
	a.handed.Add(1)
	if err := a.laws.take(batch); err != nil {
		return nil, err
	}
	return batch, nil
}

// demand asks for batches when half of the window, or all of it, is free.
func (a *outboundAuthor) demand() error {
	room := int64(window)
	if largest := a.largest.Load(); largest > 0 {
		room = min(room, max(1, windowBytes/largest))
	}
	size := room
	if ahead := a.asked.Load() - a.handed.Load(); ahead > 0 {
		room -= ahead
	}
	if room < max(1, size/2) {
		return nil
	}
	a.asked.Add(room)
	return a.send(&pb.SyncOutboundResponse{Message: &pb.SyncOutboundResponse_Demand{Demand: &pb.Demand{Batches: int32(room)}}})
}

// settleUntaken settles the records that arrived ahead of being asked for by a
// connector that has ended, after a stop for instance.
func (a *outboundAuthor) settleUntaken() error {
	for {
		select {
		case batch, ok := <-a.batches:
			if !ok {
				return nil
			}
			if batch.Rows == 0 {
				continue
			}
			if err := a.laws.take(batch); err != nil {
				return err
			}
			if err := a.Settle(a.ctx, untaken(batch.Seqs)); err != nil {
				return err
			}
		default:
			return nil
		}
	}
}

// untaken are the outcomes of records that the connector never saw.
func untaken(seqs []int64) connector.Outcomes {
	why := connector.Errorf(connector.ClassCancelled, "NOT_ATTEMPTED", "the sync ended before the connector took the record; a later run sends it")
	o := connector.Outcomes{Seqs: seqs, Exceptions: make([]connector.RowOutcome, len(seqs))}
	for row := range seqs {
		o.Exceptions[row] = connector.RowOutcome{Row: row, Status: connector.StatusDelayed, Error: why}
	}
	return o
}

// Settle sends outcomes, in parts where they are many or long.
func (a *outboundAuthor) Settle(_ context.Context, outcomes connector.Outcomes) error {
	defer a.reports.enter()()
	for _, part := range splitOutcomes(outcomes) {
		m, err := wire.Outcomes(part)
		if err != nil {
			return connectorBroke("a message of outcomes", err)
		}
		if err := a.laws.settle(part.Seqs); err != nil {
			return err
		}
		if err := a.send(&pb.SyncOutboundResponse{Message: &pb.SyncOutboundResponse_Outcomes{Outcomes: m}}); err != nil {
			return err
		}
	}
	return nil
}

// ackKey names what an ack acknowledges.
type ackKey struct {
	id    string
	state connector.TicketState
}

// Ticket journals a ticket, and waits for the ack where the host keeps tickets.
func (a *outboundAuthor) Ticket(ctx context.Context, ticket connector.Ticket) error {
	defer a.reports.enter()()
	m, err := wire.Ticket(ticket)
	if err != nil {
		return connectorBroke("a ticket", err)
	}
	if err := a.laws.ticket(ticket); err != nil {
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
