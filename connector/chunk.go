package connector

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Chunk is the unit of work of [ManagedOutbound]: records of one action and one
// schema, at most MaxRecords of them. Its methods may be called concurrently
// for different rows.
type Chunk struct {
	// Records are the rows. The texts may be dropped with ReleaseValues once
	// they are sent; Seqs and Identifiers stay.
	Records *RecordBatch
	// Sync is what the run is about.
	Sync *OutboundSync
	// Host takes reports and grants budget.
	Host Host

	stream  OutboundStream
	names   *atomic.Int64 // of tickets
	results *results
	offset  int // of the first row within results

	mu     sync.Mutex
	halves []*Chunk
	ticket Ticket
}

// results are the outcomes of a chunk and of the halves it was split into.
type results struct {
	mu      sync.Mutex
	status  []Status // "" where there is none yet
	appIDs  []string
	extra   map[int]RowOutcome // rows with something to tell
	defects int                // second outcomes for a row
}

func newChunk(records *RecordBatch, sync *OutboundSync, stream OutboundStream, names *atomic.Int64) *Chunk {
	return &Chunk{
		Records: records, Sync: sync, Host: stream, stream: stream, names: names,
		results: &results{status: make([]Status, records.Rows), appIDs: make([]string, records.Rows)},
	}
}

// Len returns the number of rows.
func (c *Chunk) Len() int { return c.Records.Rows }

// Succeed settles a row: the app said yes, and calls the record appIdentifier
// ("" when it does not say).
func (c *Chunk) Succeed(row int, appIdentifier string) {
	c.settle(row, StatusSucceeded, appIdentifier, nil, "")
}

// SucceedWith is Succeed with the app's own words as JSON text.
func (c *Chunk) SucceedWith(row int, appIdentifier, detail string) {
	c.settle(row, StatusSucceeded, appIdentifier, nil, detail)
}

// Fail settles a row with anything but success. Detail holds the app's own
// words as JSON text and may be empty.
func (c *Chunk) Fail(row int, status Status, err *Error, detail string) {
	c.settle(row, status, "", err, detail)
}

// settle records the first outcome of a row; a second one is a defect, which is
// counted and otherwise ignored.
func (c *Chunk) settle(row int, status Status, appIdentifier string, err *Error, detail string) {
	r, at := c.results, c.offset+row
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.status[at] != "" {
		r.defects++
		return
	}
	r.status[at], r.appIDs[at] = status, appIdentifier
	if status == StatusSucceeded && detail == "" {
		return
	}
	if r.extra == nil {
		r.extra = make(map[int]RowOutcome)
	}
	r.extra[at] = RowOutcome{Row: at, Status: status, Error: err, Detail: detail}
}

// Settled reports whether a row has its outcome.
func (c *Chunk) Settled(row int) bool {
	c.results.mu.Lock()
	defer c.results.mu.Unlock()
	return c.results.status[c.offset+row] != ""
}

// Prepare journals that the chunk is about to be submitted: Ticket PREPARED. It
// returns once that is durable at the host. Handle is JSON text without
// secrets. Idempotent promises that submitting the chunk again does no harm.
func (c *Chunk) Prepare(ctx context.Context, handle string, idempotent bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := Ticket{
		ID: c.ticket.ID, State: TicketPrepared, Seqs: SeqRanges(c.Records.Seqs), Handle: handle, Idempotent: idempotent,
	}
	if t.ID == "" {
		t.ID = fmt.Sprintf("t%d-%d", c.names.Add(1), c.Records.Seqs[0])
	}
	if err := c.stream.Ticket(ctx, t); err != nil {
		return fmt.Errorf("journaling work before submitting it: %w", err)
	}
	c.ticket = t
	return nil
}

// Submitted journals that the app accepted the chunk: Ticket SUBMITTED. From
// then on a crash, or a stop, hands the chunk back to Resume. An error means
// that the host could not be told; the work goes on in the app all the same.
func (c *Chunk) Submitted(ctx context.Context, handle string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.ticket
	if t.ID == "" {
		return Errorf(ClassInternal, "TICKET_ORDER", "a chunk was submitted that was not prepared")
	}
	t.State, t.Handle = TicketSubmitted, handle
	c.ticket = t
	if err := c.stream.Ticket(ctx, t); err != nil {
		return fmt.Errorf("journaling submitted work: %w", err)
	}
	return nil
}

// ReleaseValues drops the texts of all columns but those kept, to free memory
// while the app works.
func (c *Chunk) ReleaseValues(keepColumns ...int) {
	for i := range c.Records.Columns {
		keep := false
		for _, k := range keepColumns {
			keep = keep || k == i
		}
		if !keep {
			c.Records.Columns[i] = Values{}
		}
	}
}

// Progress reports what is being done with the chunk, or waited on.
func (c *Chunk) Progress(activity string, waiting Waiting, until time.Time) {
	c.Host.Report(context.Background(), Report{Progress: &Progress{Activity: activity, Waiting: waiting, Until: until, Total: c.Sync.Records}})
}

// Halves splits the chunk in two, for work the app finds too large. The halves
// settle into the same outcomes and have tickets of their own; the chunk itself
// must not be prepared any more.
func (c *Chunk) Halves() (first, second *Chunk) {
	mid := c.Len() / 2
	cut := func(from, to int) *Chunk {
		return &Chunk{
			Records: c.Records.slice(from, to), Sync: c.Sync, Host: c.Host, stream: c.stream, names: c.names,
			results: c.results, offset: c.offset + from,
		}
	}
	first, second = cut(0, mid), cut(mid, c.Len())
	c.mu.Lock()
	c.halves = []*Chunk{first, second}
	c.mu.Unlock()
	return first, second
}

// leaves are the chunk, or the halves of halves it was split into.
func (c *Chunk) leaves() []*Chunk {
	if len(c.halves) == 0 {
		return []*Chunk{c}
	}
	var all []*Chunk
	for _, h := range c.halves {
		all = append(all, h.leaves()...)
	}
	return all
}

// close gives every row without an outcome the one that err means for it,
// sends the outcomes, and then ends the tickets whose work is over.
func (c *Chunk) close(ctx context.Context, err error) error {
	var over []Ticket
	for _, leaf := range c.leaves() {
		left := leaf.settleRest(AsError(err))
		if leaf.ticket.ID != "" && !(left && leaf.ticket.State == TicketSubmitted) {
			leaf.ticket.State = TicketDone
			over = append(over, leaf.ticket)
		}
	}
	if err := c.stream.Settle(ctx, c.outcomes()); err != nil {
		return err
	}
	for _, t := range over {
		if err := c.stream.Ticket(ctx, t); err != nil {
			return err
		}
	}
	return nil
}

// settleRest settles the rows that have no outcome, and reports whether there
// were any that the ticket still holds.
func (c *Chunk) settleRest(err *Error) (left bool) {
	status, cause := c.restStatus(err)
	for row := range c.Len() {
		if !c.Settled(row) {
			c.Fail(row, status, cause, "")
			left = true
		}
	}
	return left && err != nil
}

// restStatus is the outcome of rows that Write left without one. What decides
// is whether the app may have acted: that is in doubt between the two tickets,
// unless submitting again does no harm.
func (c *Chunk) restStatus(err *Error) (Status, *Error) {
	prepared, submitted := c.ticket.State == TicketPrepared, c.ticket.State == TicketSubmitted
	if err == nil {
		err = Errorf(ClassInternal, "NO_OUTCOME", "the connector gave no outcome for the record")
		if prepared && !c.ticket.Idempotent {
			return StatusInDoubt, err
		}
		return StatusRejected, err
	}
	unknown := err.Class == ClassTransient || err.Class == ClassCancelled || err.Class == ClassInternal
	switch {
	case submitted:
		return StatusDelayed, err
	case prepared && unknown && !c.ticket.Idempotent:
		return StatusInDoubt, err
	case prepared && err.Class == ClassInternal:
		return StatusRetry, err
	}
	return StatusFor(err.Class), err
}

// outcomes collects what is to be sent.
func (c *Chunk) outcomes() Outcomes {
	r := c.results
	r.mu.Lock()
	defer r.mu.Unlock()
	out := Outcomes{Seqs: c.Records.Seqs}
	for row := range r.status {
		if r.appIDs[row] != "" {
			out.AppIdentifiers = r.appIDs
		}
		if o, ok := r.extra[row]; ok {
			out.Exceptions = append(out.Exceptions, o)
		}
	}
	return out
}

// slice returns rows from (included) to to (excluded), sharing the texts.
func (b *RecordBatch) slice(from, to int) *RecordBatch {
	part := *b
	part.Rows = to - from
	part.Seqs, part.Identifiers = cut(b.Seqs, from, to), cut(b.Identifiers, from, to)
	part.AppIdentifiers = cut(b.AppIdentifiers, from, to)
	part.Columns = make([]Values, len(b.Columns))
	for i, v := range b.Columns {
		part.Columns[i].Texts = cut(v.Texts, from, to)
		for _, n := range v.Nulls {
			if int(n) >= from && int(n) < to {
				part.Columns[i].Nulls = append(part.Columns[i].Nulls, n-uint32(from))
			}
		}
	}
	return &part
}

func cut[T any](all []T, from, to int) []T {
	if all == nil {
		return nil
	}
	return all[from:to:to]
}

// extend appends the rows of more, which has the same schema and action.
func (b *RecordBatch) extend(more *RecordBatch) {
	b.Seqs = append(b.Seqs, more.Seqs...)
	b.Identifiers = append(b.Identifiers, more.Identifiers...)
	if b.AppIdentifiers != nil || more.AppIdentifiers != nil {
		b.AppIdentifiers = append(b.AppIdentifiers, make([]string, b.Rows-len(b.AppIdentifiers))...)
		b.AppIdentifiers = append(b.AppIdentifiers, more.AppIdentifiers...)
		b.AppIdentifiers = append(b.AppIdentifiers, make([]string, b.Rows+more.Rows-len(b.AppIdentifiers))...)
	}
	for i := range b.Columns {
		b.Columns[i].Texts = append(b.Columns[i].Texts, more.Columns[i].Texts...)
		for _, n := range more.Columns[i].Nulls {
			b.Columns[i].Nulls = append(b.Columns[i].Nulls, n+uint32(b.Rows))
		}
	}
	b.Rows += more.Rows
}

// bytes is the size of the texts.
func (b *RecordBatch) bytes() int64 {
	var n int64
	for _, v := range b.Columns {
		for _, t := range v.Texts {
			n += int64(len(t))
		}
	}
	return n
}
