package connector

import (
	"context"
	"time"
)

// OutboundSync is what one outbound run is about.
type OutboundSync struct {
	// SyncID and RunID name the sync and the run; opaque.
	SyncID, RunID string
	// Strategy is one of the manifest's.
	Strategy Strategy
	// Answers are those to the outbound configuration form.
	Answers Answers
	// Mapping lists the mapped app fields, in column order; the schema of the
	// batches has the same names. A template mapper gives one column "text".
	Mapping []MappedField
	// Deadline is when the run must be over; zero for none.
	Deadline time.Time
	// KeepsTickets is true when the host journals tickets; then Ticket waits
	// until the journal is durable.
	KeepsTickets bool
	// KeepsLedger is true when the host owns the budget and answers grants.
	KeepsLedger bool
	// Records is the number of records the run will send, 0 when unknown.
	Records int64
	// Tickets are those handed back after a crash, in state SUBMITTED. Their
	// records come first, in batches that carry the ticket's ID.
	Tickets []Ticket
}

// MappedField is one app field that is written to.
type MappedField struct {
	// Name is the app field's name: the option's value.
	Name string
	// Type is the logical type of the column.
	Type Type
}

// OutboundStream is the connector's end of an outbound conversation, and what a
// host implements to feed one.
//
// Next is called by one goroutine at a time; all other methods may be called
// concurrently with it and with each other.
type OutboundStream interface {
	Host

	// Next returns the next batch, or io.EOF after the last one. Calling it is
	// what asks the host for more: a connector that does not call it is not
	// sent records. A batch without rows that carries a ticket says that all
	// records of the ticket were handed back; a host may leave it out, as
	// other records or io.EOF say so too.
	Next(ctx context.Context) (*RecordBatch, error)

	// Settle sends outcomes. Each record handed out by Next is settled once.
	// It returns when the outcomes are on their way; they are durable at the
	// host before a later Ticket DONE is.
	Settle(ctx context.Context, outcomes Outcomes) error

	// Ticket journals a ticket. Where the host keeps tickets it returns after
	// the host has made the ticket durable; otherwise at once.
	Ticket(ctx context.Context, ticket Ticket) error
}
