package connector

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Chunk is the unit of work of [ManagedOutbound]: records of one action and one
// schema, at most MaxRecords of them. Its methods may be called concurrently.
type Chunk struct {
	// Records are the rows. Texts may be dropped with ReleaseValues once they
	// are sent; Seqs and Identifiers stay.
	Records *RecordBatch
	// Sync is what the run is about.
	Sync *OutboundSync
	// Host takes reports and grants budget.
	Host Host

	run     *chunkRun
	results *results
	brake   *brake
	parent  *Chunk
	offset  int    // of the first row within results
	unload  func() // nil for a part: another chunk may be loaded

	mu     sync.Mutex
	halves []*Chunk
	ticket Ticket // ID is "" as long as nothing was journaled
	open   bool   // the ticket is not known to be DONE
	left   bool   // the ticket must stay SUBMITTED, for a later run
	busy   bool   // between Prepare and Submitted, for the brake
}

// chunkRun is what all chunks of a run share.
type chunkRun struct {
	stream OutboundStream
	sync   *OutboundSync
	// resumable is true when a SUBMITTED ticket finds somebody to go on with
	// it: the host journals tickets and the connector can resume them.
	resumable bool
	settled   atomic.Int64 // records whose outcome was sent
}

// results are the outcomes of a chunk and of the halves it was split into.
type results struct {
	mu      sync.Mutex
	status  []Status // "" where there is none yet
	appIDs  []string // nil as long as none is known
	extra   map[int]RowOutcome
	defects int // outcomes that could not be taken
}

func newChunk(records *RecordBatch, run *chunkRun) *Chunk {
	return &Chunk{
		Records: records, Sync: run.sync, Host: run.stream, run: run,
		results: &results{status: make([]Status, records.Rows)}, brake: &brake{},
	}
}

// Len returns the number of rows.
func (c *Chunk) Len() int { return c.Records.Rows }

// Succeed settles a row: the app said yes, and calls the record appIdentifier
// ("" when it does not say).
//
// A row is settled once, by Succeed, SucceedWith or Fail. A second outcome is
// ignored and reported to the host as a defect of the connector.
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
	if err == nil {
		err = Errorf(ClassInternal, "NO_REASON", "the connector gave the record the outcome %s without saying why", status)
	}
	c.settle(row, status, "", err, detail)
}

func (c *Chunk) settle(row int, status Status, appIdentifier string, err *Error, detail string) {
	r, at := c.results, c.offset+row
	r.mu.Lock()
	defer r.mu.Unlock()
	if row < 0 || row >= c.Len() || r.status[at] != "" {
		r.defects++
		return
	}
	r.status[at] = status
	if appIdentifier != "" {
		if r.appIDs == nil {
			r.appIDs = make([]string, len(r.status))
		}
		r.appIDs[at] = appIdentifier
	}
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

// ReleaseValues drops the values of all columns but those kept, to free memory
// while the app works. A dropped column has no texts any more. The values are
// gone for the chunk this one was split from, too.
func (c *Chunk) ReleaseValues(keepColumns ...int) {
	keep := make([]bool, len(c.Records.Columns))
	for _, k := range keepColumns {
		keep[k] = true
	}
	for i := range c.Records.Columns {
		if keep[i] {
			continue
		}
		clear(c.Records.Columns[i].Texts) // the array may be shared with the other half
		c.Records.Columns[i] = Values{}
	}
	if c.unload != nil {
		c.unload()
	}
}

// Progress reports what is being done with the chunk, or waited on; until is
// zero when unknown.
func (c *Chunk) Progress(activity string, waiting Waiting, until time.Time) {
	c.Host.Report(context.Background(), Report{Progress: &Progress{
		Activity: activity, Waiting: waiting, Until: until, Done: c.run.settled.Load(), Total: c.Sync.Records,
	}})
}

// Halves splits the chunk in two, for work the app refused as too large. The
// halves settle into the same outcomes and have tickets of their own; a ticket
// of the chunk itself gives up its records to theirs as they are prepared. The
// chunk must have at least two rows, and must not be SUBMITTED.
func (c *Chunk) Halves() (first, second *Chunk) {
	mid := c.Len() / 2
	first, second = c.part(0, mid), c.part(mid, c.Len())
	c.mu.Lock()
	defer c.mu.Unlock()
	c.halves = []*Chunk{first, second}
	c.submitted() // the app has refused it
	return first, second
}

func (c *Chunk) part(from, to int) *Chunk {
	return &Chunk{
		Records: c.Records.Slice(from, to), Sync: c.Sync, Host: c.Host,
		run: c.run, results: c.results, brake: c.brake, parent: c, offset: c.offset + from,
	}
}

// tree returns the chunk and all parts it was split into; leaves are those that
// were not split.
func (c *Chunk) tree() (all, leaves []*Chunk) {
	c.mu.Lock()
	halves := c.halves
	c.mu.Unlock()
	all = []*Chunk{c}
	if halves == nil {
		return all, all
	}
	for _, h := range halves {
		a, l := h.tree()
		all, leaves = append(all, a...), append(leaves, l...)
	}
	return all, leaves
}

// Conclude gives the rows without outcome the one that err means, as is done
// with the error that Write returns. It is for chunks that are split: an error
// of one half does not concern the other.
func (c *Chunk) Conclude(err error) {
	_, leaves := c.tree()
	for _, leaf := range leaves {
		leaf.settleRest(AsError(err))
	}
}

// settleRest settles the rows that have no outcome.
func (c *Chunk) settleRest(err *Error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	status, cause := c.restStatus(err)
	for row := range c.Len() {
		if !c.Settled(row) {
			c.Fail(row, status, cause, "")
			c.left = c.left || err != nil && c.ticket.State == TicketSubmitted && c.run.resumable
		}
	}
}

// restStatus is the outcome of rows that Write left without one. What decides
// is whether the app may have acted on them: between PREPARED and an answer
// that is in doubt, unless submitting again does no harm; after SUBMITTED it is
// to be asked again, by whoever is handed the ticket back.
func (c *Chunk) restStatus(err *Error) (Status, *Error) {
	journaled, harmless := c.ticket.ID != "", c.ticket.Idempotent
	if err == nil {
		err = Errorf(ClassInternal, "NO_OUTCOME", "the connector gave no outcome for the record")
		if journaled && !harmless {
			return StatusInDoubt, err
		}
		return StatusRejected, err
	}
	submitted := c.ticket.State == TicketSubmitted
	if submitted && c.run.resumable {
		return StatusDelayed, err
	}
	unknown := submitted || err.Class == ClassTransient || err.Class == ClassCancelled || err.Class == ClassInternal
	switch {
	case !journaled || !unknown:
		return StatusFor(err.Class), err
	case !harmless:
		return StatusInDoubt, err
	case err.Class == ClassCancelled:
		return StatusDelayed, err
	}
	return StatusRetry, err
}

// Bounds of one message with outcomes, far below what a message may have.
const (
	settleRows  = 10_000
	settleBytes = 1 << 20
)

// close settles what Write left open, sends the outcomes, and then ends the
// tickets whose work is over.
func (c *Chunk) close(ctx context.Context, err error) error {
	c.Conclude(err)
	c.reportDefects(ctx)
	for from := 0; from < c.Len(); {
		o := c.results.outcomes(c.Records.Seqs, from)
		if err := c.run.stream.Settle(ctx, o); err != nil {
			return fmt.Errorf("settling %d records: %w", len(o.Seqs), err)
		}
		from += len(o.Seqs)
		c.run.settled.Add(int64(len(o.Seqs)))
	}
	all, _ := c.tree()
	for _, part := range all {
		if !part.open || part.left {
			continue
		}
		if err := part.end(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (c *Chunk) reportDefects(ctx context.Context) {
	c.results.mu.Lock()
	n := c.results.defects
	c.results.mu.Unlock()
	if n > 0 {
		c.Host.Report(ctx, Report{Progress: &Progress{
			Activity: fmt.Sprintf("defect of the connector: %d outcomes were ignored, for records that have one or do not exist", n),
			Done:     c.run.settled.Load(), Total: c.Sync.Records,
		}})
	}
}

// outcomes collects what is to be sent, from a row on, as far as one message
// should reach.
func (r *results) outcomes(seqs []int64, from int) Outcomes {
	r.mu.Lock()
	defer r.mu.Unlock()
	to := min(from+settleRows, len(seqs))
	out, size := Outcomes{}, 0
	for row := from; row < to; row++ {
		o, ok := r.extra[row]
		if !ok {
			continue
		}
		size += len(o.Detail)
		if o.Error != nil {
			size += len(o.Error.Message)
		}
		if size > settleBytes && row > from {
			to = row
			break
		}
		o.Row -= from
		out.Exceptions = append(out.Exceptions, o)
	}
	out.Seqs = cut(seqs, from, to)
	out.AppIdentifiers = cut(r.appIDs, from, to)
	return out
}
