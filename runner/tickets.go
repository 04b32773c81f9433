package runner

import (
	"context"
	"fmt"
	"slices"

	"github.com/sluiceio/sluice/connector"
)

// openTicket is a ticket that is not known to be done.
type openTicket struct {
	ticket connector.Ticket
	// left are the records without an outcome.
	left *seqSet
	// delayed are those whose outcome is DELAYED: that is the last word when the
	// connector ends the ticket. As long as the app has the work, the ticket
	// stays open for them, and a later outcome takes the place of this one.
	delayed *seqSet
	// claimed is true when the connector said DONE while records were left; it
	// is believed when they are settled, or taken over by another ticket.
	claimed bool
}

func newOpenTicket(ticket connector.Ticket) *openTicket {
	return &openTicket{ticket: ticket, left: newSeqSet(ticket.Seqs...), delayed: newSeqSet()}
}

// settled notes outcomes of records, some of which the ticket may hold.
func (t *openTicket) settled(seqs, delayed []int64) {
	for _, seq := range delayed {
		if t.left.has(seq) {
			t.delayed.add(connector.SeqRange{First: seq, Last: seq})
		}
	}
	t.left.removeSeqs(seqs)
}

// maySay reports whether the ticket may name these records from now on: the same
// as before, or, until it is submitted, fewer.
func (t *openTicket) maySay(now connector.Ticket) bool {
	if slices.Equal(t.ticket.Seqs, now.Seqs) {
		return true
	}
	had := newSeqSet(t.ticket.Seqs...)
	return t.ticket.State == connector.TicketPrepared && !slices.ContainsFunc(now.Seqs, func(r connector.SeqRange) bool {
		return r.Last < r.First || !had.covers(r)
	})
}

// shrink takes the records out that the ticket no longer names.
func (t *openTicket) shrink(seqs []connector.SeqRange) {
	gone := newSeqSet(t.ticket.Seqs...)
	for _, r := range seqs {
		gone.remove(r)
	}
	for _, r := range gone.ranges {
		t.left.remove(r)
		t.delayed.remove(r)
	}
}

// withApp reports whether the app may still have something to say.
func (t *openTicket) withApp() bool {
	return t.ticket.State == connector.TicketSubmitted && !t.claimed && !(t.left.empty() && t.delayed.empty())
}

var ticketOrder = map[connector.TicketState]int{
	connector.TicketPrepared: 1, connector.TicketSubmitted: 2, connector.TicketDone: 3,
}

// Ticket implements [connector.OutboundStream]. It returns when the ticket is
// durable; a ticket that breaks the contract is refused before anything is
// submitted on its account.
func (c *conversation) Ticket(_ context.Context, ticket connector.Ticket) error {
	if err := c.gate.enter(); err != nil {
		return err
	}
	defer c.gate.leave()
	c.mu.Lock()
	bad := c.refuse(ticket)
	c.mu.Unlock()
	if bad != nil {
		c.run.blame(bad)
		return bad
	}
	if ticket.State == connector.TicketDone {
		return c.ticketDone(ticket)
	}
	ticket.Seqs = c.seqsOf(ticket)
	// Durable first, known second: a ticket whose journal failed is none.
	if err := c.run.journal(ticket); err != nil {
		return c.fail(err)
	}
	c.mu.Lock()
	c.take(ticket)
	c.mu.Unlock()
	return c.settleClaimed()
}

// refuse says what is wrong with a ticket, nil when nothing is.
func (c *conversation) refuse(ticket connector.Ticket) *connector.Error {
	if ticket.ID == "" {
		return defect("it sent a ticket without an ID")
	}
	order, ok := ticketOrder[ticket.State]
	if !ok {
		return defect("ticket %s is in state %q, which does not exist", ticket.ID, ticket.State)
	}
	known := c.tickets[ticket.ID]
	if known == nil && ticket.State == connector.TicketDone {
		return defect("it ended ticket %s, which it never opened", ticket.ID)
	}
	if known != nil && order < ticketOrder[known.ticket.State] {
		return defect("ticket %s went back from %s to %s", ticket.ID, known.ticket.State, ticket.State)
	}
	if known != nil && ticket.Seqs != nil && !known.maySay(ticket) {
		return defect("ticket %s went from %s to %s with other records than before", ticket.ID, known.ticket.State, ticket.State)
	}
	if known != nil {
		return nil
	}
	for _, r := range ticket.Seqs {
		if r.Last < r.First || !c.held.covers(r) {
			return defect("ticket %s holds records %d to %d, which the connector was not given or has settled", ticket.ID, r.First, r.Last)
		}
	}
	return nil
}

// take enters a ticket in the books. Records that another ticket held are held
// by the newest one alone, as when a refused batch is split.
func (c *conversation) take(ticket connector.Ticket) {
	known := c.tickets[ticket.ID]
	if known != nil {
		known.shrink(ticket.Seqs)
		known.ticket = ticket
		return
	}
	for _, other := range c.tickets {
		for _, r := range ticket.Seqs {
			other.left.remove(r)
		}
	}
	c.tickets[ticket.ID] = newOpenTicket(ticket)
	c.order = append(c.order, ticket.ID)
	c.run.update(func(r *Run) { r.Tickets++ })
}

// seqsOf returns the records of a ticket; those said once need not be said again.
func (c *conversation) seqsOf(ticket connector.Ticket) []connector.SeqRange {
	c.mu.Lock()
	defer c.mu.Unlock()
	if known := c.tickets[ticket.ID]; known != nil && ticket.Seqs == nil {
		return known.ticket.Seqs
	}
	return ticket.Seqs
}

// ticketDone ends a ticket, after the outcomes sent before are durable. A ticket
// with records left stays in the journal, since that is what protects them.
func (c *conversation) ticketDone(ticket connector.Ticket) error {
	c.mu.Lock()
	known := c.tickets[ticket.ID]
	known.claimed = true
	c.mu.Unlock()
	return c.settleClaimed()
}

// settleClaimed journals DONE for the tickets that are claimed to be and are.
func (c *conversation) settleClaimed() error {
	c.mu.Lock()
	var done []connector.Ticket
	for _, id := range slices.Clone(c.order) {
		if t := c.tickets[id]; t.claimed && t.left.empty() {
			done = append(done, t.ticket)
			c.forget(id)
		}
	}
	c.mu.Unlock()
	for _, t := range done {
		if err := c.run.endTicket(t); err != nil {
			return c.fail(err)
		}
	}
	return nil
}

func (c *conversation) forget(id string) {
	delete(c.tickets, id)
	c.order = slices.DeleteFunc(c.order, func(other string) bool { return other == id })
}

// journal makes a ticket durable.
func (r *outboundRun) journal(ticket connector.Ticket) error {
	defer r.timed(stageAck)()
	if err := r.engine.store.PutTicket(r.ctx, r.run.ID, ticket); err != nil {
		return fmt.Errorf("journaling ticket %s: %w", ticket.ID, err)
	}
	r.show(Event{Ticket: &ticket})
	return nil
}

// endTicket journals DONE, after everything settled so far is durable.
func (r *outboundRun) endTicket(ticket connector.Ticket) error {
	if err := r.flush(); err != nil {
		return err
	}
	ticket.State = connector.TicketDone
	return r.journal(ticket)
}
