package plugin

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/connector/internal/wire"
	pb "github.com/sluiceio/sluice/gen/sluice/connector/v1"
)

// SyncOutbound feeds the connector from a stream that the host implements. It
// asks the stream for a batch only when the connector has asked for one.
//
// When it returns nil, every record that Next returned is settled: those that
// the connector did not take as DELAYED.
func (s *session) SyncOutbound(ctx context.Context, about connector.OutboundSync, stream connector.OutboundStream) error {
	start, err := wire.OutboundSync(about)
	if err != nil {
		return hostBroke("what the sync is about", err)
	}
	end := newHostEnd(ctx, s.process, stream)
	call, err := s.client.SyncOutbound(end.ctx, callOptions()...)
	if err != nil {
		defer end.end()
		return end.lost(err)
	}
	h := &outboundHost{
		stream: stream, keepsTickets: about.KeepsTickets, fresh: make(chan struct{}, 1), sent: newSeqSet(),
		schemas: make(schemaBook), tickets: about.Tickets, ended: make(map[string]bool),
	}
	h.hostEnd, h.call = end, call
	h.sendGrant = func(g *pb.Grant) error {
		return h.send(&pb.SyncOutboundRequest{Message: &pb.SyncOutboundRequest_Grant{Grant: g}})
	}
	h.sendStop = func(s *pb.Stop) error {
		return h.send(&pb.SyncOutboundRequest{Message: &pb.SyncOutboundRequest_Stop{Stop: s}})
	}
	if err := h.send(&pb.SyncOutboundRequest{Message: &pb.SyncOutboundRequest_Start{Start: &pb.OutboundStart{Connection: s.connection, Sync: start}}}); err != nil {
		defer h.end()
		return h.receive(h.handle) // Recv has the reason
	}
	h.watchStop()
	h.helpers.Go(h.feed)
	err = h.receive(h.handle)
	h.end() // no more is sent from here on
	if err != nil || h.sent.n == 0 {
		return err
	}
	if h.forgotten(about.Deadline) {
		return connectorBreach("the connector says it is done, but %d records it was sent have no outcome", h.sent.n)
	}
	return stream.Settle(ctx, untaken(h.sent.sorted()))
}

// deadlineGrace is how long before its deadline a sync may end by itself.
const deadlineGrace = 5 * time.Second

// forgotten reports whether the connector had no reason to leave records: it was
// not asked to stop, had time, and was told that no more records follow. What it
// left is lost in it, a last chunk that was not sent for instance, and may not be
// called untaken.
func (h *outboundHost) forgotten(deadline time.Time) bool {
	inTime := deadline.IsZero() || time.Until(deadline) > deadlineGrace
	return h.told && !h.stopSent.Load() && inTime
}

// outboundHost is one outbound call, seen from the host.
type outboundHost struct {
	hostCall[pb.SyncOutboundRequest, pb.SyncOutboundResponse]
	stream       connector.OutboundStream
	keepsTickets bool

	demand  atomic.Int64  // batches asked for, not sent yet
	fresh   chan struct{} // has room for one: demand grew
	settled int64

	toldAll atomic.Bool // end_of_records was sent
	told    bool        // before the connector was done
	records sync.Mutex
	sent    *seqSet // or about to be, and without an outcome

	// Of the feeding goroutine.
	schemas schemaBook
	ticket  string // of the last batch
	tickets []connector.Ticket
	ended   map[string]bool // tickets of which the end was sent
}

// feed sends batches, as many as are asked for.
func (h *outboundHost) feed() {
	for {
		if err := h.waitAsked(); err != nil {
			return // the call is over
		}
		batch, err := h.stream.Next(h.ctx)
		if err == nil {
			err = h.sendBatch(batch)
		}
		if errors.Is(err, io.EOF) {
			if err = h.endRecords(); err == nil {
				return
			}
		}
		if err != nil {
			h.feedFailed(err)
			return
		}
	}
}

// waitAsked waits until the connector has room for a batch.
func (h *outboundHost) waitAsked() error {
	for h.demand.Load() == 0 {
		select {
		case <-h.fresh:
		case <-h.done:
			return &sendError{errOver}
		case <-h.ctx.Done():
			return &sendError{errOver}
		}
	}
	return nil
}

// errOver says that a call is over, for whatever reason.
var errOver = errors.New("the call is over")

// feedFailed ends the call because of the host's own error; one of the call
// itself shows in Recv.
func (h *outboundHost) feedFailed(err error) {
	var sendFailed *sendError
	if !errors.As(err, &sendFailed) {
		h.cancel(err)
	}
}

// sendError marks an error of the call.
type sendError struct{ error }

func (h *outboundHost) sendOrMark(m *pb.SyncOutboundRequest) error {
	err := h.send(m)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, io.EOF), h.ctx.Err() != nil: // Recv has the reason
		return &sendError{err}
	}
	return undelivered(err)
}

func (h *outboundHost) sendBatch(batch *connector.RecordBatch) error {
	if batch == nil {
		return hostBreach("the host returned no batch, and no error")
	}
	if err := h.turn(batch.Ticket); err != nil || batch.Rows == 0 {
		if err == nil && batch.Ticket != "" { // says that these were all
			h.ticket = ""
			err = h.endTicket(batch.Ticket)
		}
		return err
	}
	if err := h.describe(batch.Schema); err != nil {
		return err
	}
	parts, err := messages(batch, wire.OutboundBatch)
	if err != nil {
		return hostBroke("a batch", err)
	}
	h.records.Lock()
	seq, once := h.sent.add(batch.Seqs)
	h.records.Unlock()
	if !once {
		return hostBreach("the host sent record %d again while it had no outcome", seq)
	}
	for _, m := range parts {
		if err := h.waitAsked(); err != nil {
			return err
		}
		h.demand.Add(-1)
		if err := h.sendOrMark(&pb.SyncOutboundRequest{Message: &pb.SyncOutboundRequest_Batch{Batch: m}}); err != nil {
			return err
		}
	}
	return nil
}

// turn goes over to the records of another ticket, or to fresh ones for "",
// after the end of those before.
func (h *outboundHost) turn(ticket string) error {
	last := h.ticket
	if ticket == last && ticket != "" {
		return nil
	}
	h.ticket = ticket
	if last != "" {
		if err := h.endTicket(last); err != nil {
			return err
		}
	}
	switch {
	case ticket == "":
		return h.endTickets()
	case h.ended[ticket]:
		return hostBreach("records of ticket %s came after their end, or after fresh ones", ticket)
	case !slices.ContainsFunc(h.tickets, func(t connector.Ticket) bool { return t.ID == ticket }):
		return hostBreach("records came of ticket %s, which was not announced", ticket)
	}
	return nil
}

// describe sends a schema that is new.
func (h *outboundHost) describe(schema *connector.Schema) error {
	if schema == nil {
		return hostBreach("a batch came without its schema")
	}
	m, err := h.schemas.enter(schema, connector.ClassConfig)
	if err != nil || m == nil {
		return err
	}
	return h.sendOrMark(&pb.SyncOutboundRequest{Message: &pb.SyncOutboundRequest_Schema{Schema: m}})
}

// endTicket ends the records of a ticket, once.
func (h *outboundHost) endTicket(id string) error {
	if h.ended[id] {
		return nil
	}
	h.ended[id] = true
	return h.sendOrMark(&pb.SyncOutboundRequest{Message: &pb.SyncOutboundRequest_TicketRecordsEnd{TicketRecordsEnd: &pb.TicketRecordsEnd{TicketId: id}}})
}

// endTickets ends all of them, also those of which no record was left.
func (h *outboundHost) endTickets() error {
	for _, t := range h.tickets {
		if err := h.endTicket(t.ID); err != nil {
			return err
		}
	}
	h.tickets = nil
	return nil
}

func (h *outboundHost) endRecords() error {
	if err := h.turn(""); err != nil {
		return err
	}
	h.toldAll.Store(true)
	return h.sendOrMark(&pb.SyncOutboundRequest{Message: &pb.SyncOutboundRequest_EndOfRecords{EndOfRecords: &pb.EndOfRecords{}}})
}

// finish checks the count.
func (h *outboundHost) finish(done *pb.OutboundDone) error {
	h.told = h.toldAll.Load() // a host may end its records because the call ends
	if done.GetSettled() != h.settled {
		return connectorBreach("the connector says it settled %d records; outcomes of %d arrived", done.GetSettled(), h.settled)
	}
	return nil
}

func (h *outboundHost) handle(m *pb.SyncOutboundResponse) (done bool, err error) {
	switch m := m.GetMessage().(type) {
	case *pb.SyncOutboundResponse_Demand:
		return false, h.demanded(m.Demand.GetBatches())
	case *pb.SyncOutboundResponse_Outcomes:
		return false, h.settle(m.Outcomes)
	case *pb.SyncOutboundResponse_Ticket:
		return false, h.ticketed(m.Ticket)
	case *pb.SyncOutboundResponse_Usage:
		return false, h.usage(m.Usage)
	case *pb.SyncOutboundResponse_GrantRequest:
		return false, h.grant(m.GrantRequest)
	case *pb.SyncOutboundResponse_Progress:
		return false, h.progress(m.Progress)
	case *pb.SyncOutboundResponse_Keep:
		return false, h.keep(m.Keep)
	case *pb.SyncOutboundResponse_Done:
		return true, h.finish(m.Done)
	}
	return false, connectorBreach("the connector sent an unknown message in SyncOutbound: %T", m.GetMessage())
}

// settle hands outcomes of records that are under way to the host.
func (h *outboundHost) settle(m *pb.Outcomes) error {
	outcomes, err := wire.OutcomesFrom(m)
	if err != nil {
		return connectorBroke("a message of outcomes", err)
	}
	h.records.Lock()
	seq, known := h.sent.remove(outcomes.Seqs)
	h.records.Unlock()
	if !known {
		return connectorBreach("the connector settled record %d, which it was not sent or has settled before", seq)
	}
	h.settled += int64(len(outcomes.Seqs))
	return h.stream.Settle(h.ctx, outcomes)
}

func (h *outboundHost) demanded(n int32) error {
	if n < 1 || n > 1000 {
		return connectorBreach("the connector asked for %d batches, not 1 to 1,000", n)
	}
	h.demand.Add(int64(n))
	select {
	case h.fresh <- struct{}{}:
	default: // it is known already that there is more
	}
	return nil
}

// ticketed makes a ticket durable before acknowledging it. The ack is sent
// from a helper, so that a full pipe does not stop what is received.
func (h *outboundHost) ticketed(m *pb.Ticket) error {
	ticket, err := wire.TicketFrom(m)
	if err != nil {
		return connectorBroke("a ticket", err)
	}
	if err := h.stream.Ticket(h.ctx, ticket); err != nil {
		return err
	}
	if !h.keepsTickets {
		return nil
	}
	ack, err := wire.TicketAck(ticket.ID, ticket.State)
	if err != nil {
		return err
	}
	h.helpers.Go(func() {
		_ = h.send(&pb.SyncOutboundRequest{Message: &pb.SyncOutboundRequest_TicketAck{TicketAck: ack}}) // a broken call shows in Recv
	})
	return nil
}
