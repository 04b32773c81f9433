package runner

import (
	"fmt"
	"maps"

	"github.com/sluiceio/sluice/connector"
)

// inDoubt is the outcome of a record whose ticket was PREPARED and no more.
func inDoubt(ticket string) *connector.Error {
	return &connector.Error{
		Class: connector.ClassInternal, Code: "IN_DOUBT",
		Message: fmt.Sprintf("the work of ticket %s was being submitted when the run broke off, so the record may or may not have been applied", ticket),
		Help:    []connector.Help{{Description: "look the record up in the app; then sluice records accept SYNC IDENTIFIER if it is there as it should be, sluice records resend SYNC IDENTIFIER if it is not"}},
	}
}

// recall finds out what an earlier part of the run left behind: the outcomes so
// far, and the records that wait for another try.
func (r *outboundRun) recall() error {
	if _, err := r.recount(); err != nil {
		return err
	}
	if r.snapshot().Outcomes[connector.StatusRetry] == 0 {
		return nil
	}
	filter := OutcomeFilter{Statuses: []connector.Status{connector.StatusRetry}}
	for o, err := range r.warehouse.Outcomes(r.ctx, r.sync.Name, r.run.ID, filter) {
		if err != nil {
			return fmt.Errorf("reading the outcomes of run %s: %w", r.run.ID, err)
		}
		r.retrying.add(connector.SeqRange{First: o.Seq, Last: o.Seq})
	}
	return nil
}

// recount replaces the running count of outcomes, which may count a record twice
// when a ticket was handed back, by the warehouse's. It returns the number of
// records without any outcome.
func (r *outboundRun) recount() (int64, error) {
	counts, err := r.warehouse.Counts(r.ctx, r.sync.Name, r.run.ID)
	if err != nil {
		return 0, fmt.Errorf("counting the outcomes of run %s: %w", r.run.ID, err)
	}
	unsettled := counts[""]
	counts = maps.Clone(counts)
	delete(counts, "")
	r.update(func(run *Run) { run.Outcomes = counts })
	return unsettled, nil
}

// openTickets returns the tickets to be handed back. Those that never got
// beyond PREPARED are closed first: their records are sent again where that
// does no harm, and are in doubt where it may.
func (r *outboundRun) openTickets() ([]connector.Ticket, error) {
	tickets, err := r.engine.store.OpenTickets(r.ctx, r.run.ID)
	if err != nil {
		return nil, fmt.Errorf("reading the tickets of run %s: %w", r.run.ID, err)
	}
	var submitted []connector.Ticket
	for _, t := range tickets {
		if t.State == connector.TicketSubmitted {
			submitted = append(submitted, t)
			continue
		}
		if err := r.closePrepared(t, nil); err != nil {
			return nil, err
		}
	}
	return submitted, nil
}

// closePrepared ends a ticket whose work may have been submitted or not. With
// left nil it is not known which of its records had an outcome after the ticket
// was prepared; then all without a final one count as left.
func (r *outboundRun) closePrepared(t connector.Ticket, left *seqSet) error {
	if !t.Idempotent {
		if err := r.doubt(t, left); err != nil {
			return err
		}
	}
	return r.endTicket(t)
}

// doubt gives the records of a ticket the outcome IN_DOUBT.
func (r *outboundRun) doubt(t connector.Ticket, left *seqSet) error {
	selection := OutboxSelection{Seqs: t.Seqs, Unsettled: true}
	if left != nil {
		if left.empty() {
			return nil
		}
		// What the books say is exact; the log may hold outcomes of an earlier
		// round for the same records.
		selection = OutboxSelection{Seqs: left.clone()}
	}
	return r.settleAll(selection, connector.StatusInDoubt, inDoubt(t.ID))
}

// settleAll gives all selected records one outcome.
func (r *outboundRun) settleAll(selection OutboxSelection, status connector.Status, why *connector.Error) error {
	if err := r.flush(); err != nil {
		return err
	}
	for batch, err := range r.warehouse.Records(r.ctx, r.sync.Name, r.run.ID, selection) {
		if err != nil {
			return fmt.Errorf("reading the outbox: %w", err)
		}
		o := connector.Outcomes{Exceptions: make([]connector.RowOutcome, 0, len(batch.Seqs))}
		for row := range batch.Seqs {
			o.Exceptions = append(o.Exceptions, connector.RowOutcome{Row: row, Status: status, Error: why})
		}
		o.Seqs = batch.Seqs
		if err := r.settle(o); err != nil {
			return err
		}
	}
	return r.flush()
}
