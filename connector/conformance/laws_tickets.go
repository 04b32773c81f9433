package conformance

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/sluiceio/sluice/connector"
)

var ticketLaws = []Law{
	{"L-601", AreaTickets, "A ticket has an id and moves forward: PREPARED, SUBMITTED, DONE.", ticketLaw(talkPlain, forward)},
	{"L-602", AreaTickets, "Nothing of a ticket goes on before the host has acknowledged that it is PREPARED.", ticketLaw(talkPlain, func(_ *exam, t *outboundTalk) error {
		if len(t.early) > 0 {
			return breach("before the ack of PREPARED, %s", t.early[0])
		}
		return nil
	})},
	{"L-603", AreaTickets, "Work whose PREPARED the host could not journal is not submitted.", ticketLaw(talkPrepare, notSubmitted)},
	{"L-604", AreaTickets, "The outcomes of a ticket's records precede its DONE.", ticketLaw(talkPlain, outcomesFirst)},
	{"L-605", AreaTickets, "When a run has ended well, all of its tickets are DONE.", ticketLaw(talkPlain, allDone)},
	{"L-606", AreaTickets, "A handle is JSON of at most 64 KiB.", ticketLaw(talkPlain, goodHandles)},
	{"L-607", AreaTickets, "A ticket holds ascending ranges of records that were sent.", ticketLaw(talkPlain, goodRanges)},
	{"L-608", AreaTickets, "A ticket that a stop leaves SUBMITTED has DELAYED records.", leftDelayed},
	{"L-609", AreaTickets, "A ticket that is handed back is resumed: its records get outcomes, are not submitted again, and it ends.", resumesTickets},
	{"L-610", AreaTickets, "After handed-back tickets, fresh records are written.", freshAfterwards},
}

// maxHandle is the most bytes a handle may have.
const maxHandle = 64 << 10

// ticketLaw judges the tickets of a conversation that had some.
func ticketLaw(talk string, check func(*exam, *outboundTalk) error) func(*exam) error {
	return func(x *exam) error {
		if err := x.feature(connector.FeatureTickets); err != nil {
			return err
		}
		return outboundLaw(talk, func(x *exam, t *outboundTalk) error {
			if len(t.steps) == 0 {
				return skip("no ticket was journaled in %s", talk)
			}
			return check(x, t)
		})(x)
	}
}

var ticketRank = map[connector.TicketState]int{
	"": 0, connector.TicketPrepared: 1, connector.TicketSubmitted: 2, connector.TicketDone: 3,
}

func forward(_ *exam, t *outboundTalk) error {
	for _, s := range t.steps {
		switch rank, known := ticketRank[s.State]; {
		case s.ID == "":
			return breach("a ticket has no id")
		case !known || rank == 0:
			return breach("ticket %s is %q", s.ID, s.State)
		case s.before == "" && s.State != connector.TicketPrepared:
			return breach("ticket %s begins as %s", s.ID, s.State)
		case rank < ticketRank[s.before] || s.before == connector.TicketDone:
			return breach("ticket %s is %s after it was %s", s.ID, s.State, s.before)
		}
	}
	return nil
}

func notSubmitted(_ *exam, t *outboundTalk) error {
	refused := map[string]bool{}
	for _, s := range t.steps {
		if s.State == connector.TicketPrepared {
			refused[s.ID] = true
		}
		if s.State == connector.TicketSubmitted && refused[s.ID] {
			return breach("ticket %s was submitted, though the host could not journal it", s.ID)
		}
	}
	for _, s := range t.steps {
		for _, seq := range t.order {
			for _, o := range t.outcomes[seq] {
				if o.status == connector.StatusSucceeded && holds(s.Seqs, seq) {
					return breach("record %d of ticket %s succeeded, though the host could not journal it", seq, s.ID)
				}
			}
		}
	}
	return nil
}

func outcomesFirst(_ *exam, t *outboundTalk) error {
	for _, s := range t.steps {
		if s.State == connector.TicketDone && s.open > 0 {
			return breach("ticket %s ended while %d of its records had no outcome", s.ID, s.open)
		}
	}
	return nil
}

func allDone(_ *exam, t *outboundTalk) error {
	if t.err != nil {
		return see("L-501", t.err)
	}
	for id, ticket := range t.tickets {
		if ticket.State != connector.TicketDone {
			return breach("ticket %s is %s at the end", id, ticket.State)
		}
	}
	return nil
}

func goodHandles(_ *exam, t *outboundTalk) error {
	for _, s := range t.steps {
		if s.Handle != "" && !json.Valid([]byte(s.Handle)) || len(s.Handle) > maxHandle {
			return breach("the handle of ticket %s is not JSON, or too long: %d bytes", s.ID, len(s.Handle))
		}
	}
	return nil
}

func goodRanges(_ *exam, t *outboundTalk) error {
	for _, s := range t.steps {
		last := int64(-1 << 62)
		for _, r := range s.Seqs {
			if r.First <= last || r.Last < r.First {
				return breach("ticket %s holds the records %d to %d, out of order", s.ID, r.First, r.Last)
			}
			last = r.Last
		}
		if s.unknown > 0 || len(s.Seqs) == 0 {
			return breach("ticket %s holds no records, or %d that were not sent", s.ID, s.unknown)
		}
	}
	return nil
}

// resumption is a run that left tickets, and the one that went on with them.
type resumption struct {
	left, next *outboundTalk
	tickets    []connector.Ticket
	handed     []int64 // their records
}

// leave runs until a ticket is submitted, and stops.
func (x *exam) leave() (*outboundTalk, []connector.Ticket, error) {
	if err := x.feature(connector.FeatureTickets); err != nil {
		return nil, nil, err
	}
	t, err := x.outbound(talkLeft)
	if err != nil {
		return nil, nil, err
	}
	if t.err != nil {
		return nil, nil, see("L-514", t.err)
	}
	var left []connector.Ticket
	for _, ticket := range t.tickets {
		if ticket.State == connector.TicketSubmitted {
			left = append(left, ticket)
		}
	}
	slices.SortFunc(left, func(a, b connector.Ticket) int { return int(a.Seqs[0].First - b.Seqs[0].First) })
	if len(left) == 0 {
		return nil, nil, skip("the stop left no ticket SUBMITTED")
	}
	return t, left, nil
}

func leftDelayed(x *exam) error {
	t, left, err := x.leave()
	if err != nil {
		return err
	}
	for _, ticket := range left {
		for _, seq := range t.order {
			for _, o := range t.outcomes[seq] {
				if holds(ticket.Seqs, seq) && o.status != connector.StatusDelayed {
					return breach("record %d of the ticket %s, which is SUBMITTED, is %s", seq, ticket.ID, o.status)
				}
			}
		}
	}
	return nil
}

// resume hands the tickets back that a stop left.
func (x *exam) resume() (*resumption, error) {
	return x.resumed.get(func() (*resumption, error) {
		left, tickets, err := x.leave()
		if err != nil {
			return nil, err
		}
		r := &resumption{left: left, tickets: tickets}
		script := x.script(talkResume)
		script.tickets, script.first = tickets, int64(len(left.order))+1
		schema := &connector.Schema{ID: "s1"}
		for _, m := range x.subject.Outbound.Mapping {
			schema.Columns = append(schema.Columns, connector.Column(m))
		}
		for _, ticket := range tickets {
			b := &connector.RecordBatch{Schema: schema, Ticket: ticket.ID, Action: left.script.action, Columns: make([]connector.Values, len(schema.Columns))}
			for _, seq := range left.order {
				if holds(ticket.Seqs, seq) {
					appendRecord(b, seq, left.taken[seq])
					r.handed = append(r.handed, seq)
				}
			}
			script.handed = append(script.handed, b, &connector.RecordBatch{Ticket: ticket.ID})
		}
		for i := range script.records { // fresh ones
			script.records[i].Identifier = fmt.Sprintf("%s~fresh", script.records[i].Identifier)
		}
		r.next, err = x.converse(script)
		return r, err
	})
}

func resumesTickets(x *exam) error {
	r, err := x.resume()
	if err != nil {
		return err
	}
	if r.next.err != nil {
		return x.trouble(talkResume, r.next.err)
	}
	for _, seq := range r.handed {
		switch got := r.next.outcomes[seq]; {
		case len(got) != 1:
			return breach("record %d of a ticket that was handed back has %d outcomes", seq, len(got))
		case got[0].status != connector.StatusSucceeded && got[0].status != connector.StatusRejected: // it may be a duplicate
			return breach("record %d of a ticket that was handed back is %s: %v", seq, got[0].status, got[0].err)
		}
	}
	for _, s := range r.next.steps {
		for _, seq := range r.handed {
			if s.State == connector.TicketPrepared && holds(s.Seqs, seq) {
				return breach("record %d was prepared again with ticket %s", seq, s.ID)
			}
		}
	}
	for _, ticket := range r.tickets {
		if r.next.tickets[ticket.ID].State != connector.TicketDone {
			return breach("the ticket %s, which was handed back, did not end", ticket.ID)
		}
	}
	return nil
}

func freshAfterwards(x *exam) error {
	r, err := x.resume()
	if err != nil {
		return err
	}
	if r.next.err != nil {
		return see("L-609", r.next.err)
	}
	fresh := 0
	for _, seq := range r.next.order {
		if slices.Contains(r.handed, seq) {
			continue
		}
		fresh++
		if len(r.next.outcomes[seq]) == 0 {
			return breach("the fresh record %d has no outcome", seq)
		}
	}
	if fresh == 0 {
		return breach("no fresh record was taken")
	}
	return nil
}
