package wire

import (
	"fmt"

	"github.com/sluiceio/sluice/connector"
	connectorv1 "github.com/sluiceio/sluice/gen/sluice/connector/v1"
)

const maxHandle = 64 << 10

var ticketStates = newEnum(map[connector.TicketState]connectorv1.TicketState{
	connector.TicketPrepared:  connectorv1.TicketState_TICKET_STATE_PREPARED,
	connector.TicketSubmitted: connectorv1.TicketState_TICKET_STATE_SUBMITTED,
	connector.TicketDone:      connectorv1.TicketState_TICKET_STATE_DONE,
})

// Ticket makes a ticket.
func Ticket(t connector.Ticket) (*connectorv1.Ticket, error) {
	state, err := ticketStates.out("state", t.State)
	if err := first(err, checkTicket(t)); err != nil {
		return nil, err
	}
	out := &connectorv1.Ticket{Id: t.ID, State: state, HandleJson: t.Handle, Idempotent: t.Idempotent}
	for _, r := range t.Seqs {
		out.Seqs = append(out.Seqs, &connectorv1.SeqRange{First: r.First, Last: r.Last})
	}
	return out, nil
}

// TicketFrom reads a ticket.
func TicketFrom(t *connectorv1.Ticket) (connector.Ticket, error) {
	state, err := ticketStates.in("state", t.GetState())
	out := connector.Ticket{ID: t.GetId(), State: state, Handle: t.GetHandleJson(), Idempotent: t.GetIdempotent()}
	for _, r := range t.GetSeqs() {
		out.Seqs = append(out.Seqs, connector.SeqRange{First: r.GetFirst(), Last: r.GetLast()})
	}
	return out, first(err, checkTicket(out))
}

func checkTicket(t connector.Ticket) error {
	if len(t.Seqs) == 0 && t.State != connector.TicketDone { // one that gave up all its records is done
		return broken("seqs", "is required")
	}
	for i, r := range t.Seqs {
		switch {
		case r.Last < r.First:
			return broken(fmt.Sprintf("seqs[%d].last", i), "is less than first")
		case i > 0 && r.First <= t.Seqs[i-1].Last:
			return broken(fmt.Sprintf("seqs[%d].first", i), "does not ascend")
		}
	}
	return first(required("id", t.ID), jsonText("handle_json", t.Handle, maxHandle))
}

// TicketAck says that a state of a ticket is durable.
func TicketAck(id string, state connector.TicketState) (*connectorv1.TicketAck, error) {
	n, err := ticketStates.out("state", state)
	return &connectorv1.TicketAck{Id: id, State: n}, first(err, required("id", id))
}

// TicketAckFrom reads what is durable.
func TicketAckFrom(a *connectorv1.TicketAck) (id string, state connector.TicketState, err error) {
	state, err = ticketStates.in("state", a.GetState())
	return a.GetId(), state, first(err, required("id", a.GetId()))
}
