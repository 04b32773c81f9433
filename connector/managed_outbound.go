package connector

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
)

// ManagedOutbound runs the outbound side of a connector: it gathers records
// into chunks, runs several chunks at once, journals tickets, and sees to it
// that every record gets exactly one outcome. The zero value of each setting
// is usable; Write is required.
type ManagedOutbound struct {
	// MaxRecords bounds the records of a chunk. Default 1,000.
	MaxRecords int
	// MaxBytes bounds the text of a chunk, in bytes. Default 64 MiB.
	MaxBytes int64
	// Concurrency is the number of chunks under way at once. Default 5. One
	// more is being gathered meanwhile: memory holds Concurrency+1 chunks.
	Concurrency int

	// Write applies one chunk and settles its rows. It is called by several
	// goroutines at once. Rows it leaves without an outcome get the one its
	// error means: see [StatusFor]; where a ticket is PREPARED and not
	// idempotent and the app's answer is unknown, IN_DOUBT; where a ticket is
	// SUBMITTED, DELAYED, and the ticket stays, so that the host hands it back
	// in a later run. An error fails this chunk alone, except that after
	// AUTH, PERMISSION, CONFIG and QUOTA_EXHAUSTED no further records are
	// taken. A panic counts as an INTERNAL error.
	Write func(ctx context.Context, chunk *Chunk) error

	// Resume goes on with a chunk whose ticket was SUBMITTED before a crash or
	// a stop. Nil when the connector keeps no tickets.
	Resume func(ctx context.Context, chunk *Chunk, ticket Ticket) error
}

// Run pulls all records of the stream and settles each of them. It returns nil
// when all were taken, whatever became of them, and after a stop; otherwise the
// error for which it took no more.
func (m ManagedOutbound) Run(ctx context.Context, sync OutboundSync, stream OutboundStream) error {
	if m.MaxRecords <= 0 {
		m.MaxRecords = 1000
	}
	if m.MaxBytes <= 0 {
		m.MaxBytes = 64 << 20
	}
	if m.Concurrency <= 0 {
		m.Concurrency = 5
	}
	r := &managedRun{
		ManagedOutbound: m, sync: sync, stream: stream, slots: make(chan struct{}, m.Concurrency), tickets: make(map[string]Ticket),
	}
	for _, t := range sync.Tickets {
		r.tickets[t.ID] = t
	}
	return r.run(ctx)
}

// managedRun is one run of a ManagedOutbound.
type managedRun struct {
	ManagedOutbound
	sync   OutboundSync
	stream OutboundStream

	slots   chan struct{} // one for each chunk under way
	workers sync.WaitGroup
	names   atomic.Int64 // of tickets

	pending      *RecordBatch // being gathered
	pendingBytes int64
	tickets      map[string]Ticket // handed back and not met yet

	stopPulling context.CancelCauseFunc
	work        context.Context // of the chunks

	mu    sync.Mutex
	fatal error // why no more records are taken
	lost  error // the host can no longer be told
}

var errStopped = fmt.Errorf("the run was stopped: %w", context.Canceled)

func (r *managedRun) run(ctx context.Context) error {
	pulling, stopPulling := context.WithCancelCause(ctx)
	work, stopWork := context.WithCancelCause(ctx)
	defer stopPulling(nil)
	defer stopWork(nil)
	r.stopPulling, r.work = stopPulling, work

	var watch sync.WaitGroup
	over := make(chan struct{})
	watch.Go(func() {
		select {
		case s, ok := <-r.stream.Stop():
			if ok {
				stopPulling(errStopped)
				if s.Mode == StopNow {
					stopWork(errStopped)
				}
			}
		case <-over:
		}
	})

	err := r.pull(ctx, pulling)
	r.workers.Wait()
	close(over)
	watch.Wait()
	return errors.Join(err, r.result())
}

func (r *managedRun) result() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.lost != nil {
		return r.lost
	}
	return r.fatal
}

// pull takes batches until there are no more, or none is wanted any more.
func (r *managedRun) pull(ctx, pulling context.Context) error {
	for {
		batch, err := r.stream.Next(pulling)
		if err != nil {
			return r.endPull(ctx, pulling, err)
		}
		if err := r.take(ctx, batch); err != nil {
			return err
		}
	}
}

// endPull sees to what was gathered when Next gave no batch.
func (r *managedRun) endPull(ctx, pulling context.Context, err error) error {
	switch {
	case errors.Is(err, io.EOF):
		if err := r.flush(ctx); err != nil {
			return err
		}
		return r.endTickets(ctx)
	case pulling.Err() != nil && ctx.Err() == nil: // stopped, or fatal
		cause := context.Cause(pulling)
		return r.drop(ctx, cause)
	default:
		return errors.Join(err, r.drop(ctx, err))
	}
}

// take adds a batch to what is pending, and starts chunks as they fill up.
func (r *managedRun) take(ctx context.Context, batch *RecordBatch) error {
	if r.pending != nil && !sameChunk(r.pending, batch) {
		if err := r.flush(ctx); err != nil {
			return err
		}
	}
	if batch.Ticket != "" {
		return r.takeBack(ctx, batch)
	}
	for batch.Rows > 0 {
		room := r.MaxRecords
		if r.pending != nil {
			room -= r.pending.Rows
		}
		part := batch
		if batch.Rows > room {
			part, batch = batch.slice(0, room), batch.slice(room, batch.Rows)
		} else {
			batch = &RecordBatch{}
		}
		r.add(part)
		if r.pending.Rows >= r.MaxRecords || r.pendingBytes >= r.MaxBytes {
			if err := r.flush(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// takeBack gathers the records of a handed-back ticket, however many; an empty
// batch ends them.
func (r *managedRun) takeBack(ctx context.Context, batch *RecordBatch) error {
	if _, ok := r.tickets[batch.Ticket]; !ok && r.pending == nil {
		return Errorf(ClassInternal, "UNKNOWN_TICKET", "the host handed back records of ticket %s, which it did not announce", batch.Ticket)
	}
	if batch.Rows == 0 {
		return r.flush(ctx)
	}
	r.add(batch)
	return nil
}

// sameChunk reports whether two batches may share a chunk.
func sameChunk(a, b *RecordBatch) bool {
	return a.Ticket == b.Ticket && (b.Rows == 0 || a.Action == b.Action && (a.Schema == b.Schema || a.Schema.ID == b.Schema.ID))
}

func (r *managedRun) add(batch *RecordBatch) {
	r.pendingBytes += batch.bytes()
	if r.pending == nil {
		r.pending = batch
		return
	}
	r.pending.extend(batch)
}

// flush starts the pending chunk as soon as there is a free slot.
func (r *managedRun) flush(ctx context.Context) error {
	if r.pending == nil {
		return nil
	}
	chunk := r.newChunk()
	select {
	case r.slots <- struct{}{}:
	case <-r.work.Done():
		return r.close(ctx, chunk, context.Cause(r.work))
	}
	r.workers.Go(func() {
		defer func() { <-r.slots }()
		r.finish(ctx, chunk, r.apply(chunk))
	})
	return nil
}

// newChunk makes a chunk of what is pending.
func (r *managedRun) newChunk() *Chunk {
	chunk := newChunk(r.pending, &r.sync, r.stream, &r.names)
	if id := r.pending.Ticket; id != "" {
		chunk.ticket = r.tickets[id]
		delete(r.tickets, id)
	}
	r.pending, r.pendingBytes = nil, 0
	return chunk
}

// apply runs Write or Resume, and turns a panic into an error.
func (r *managedRun) apply(chunk *Chunk) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = Errorf(ClassInternal, "PANIC", "the connector panicked: %v", p)
		}
	}()
	if cause := context.Cause(r.work); cause != nil {
		return cause
	}
	if chunk.Records.Ticket == "" {
		return r.Write(r.work, chunk)
	}
	if r.Resume == nil {
		return Errorf(ClassInternal, "NO_RESUME", "the connector keeps no tickets and cannot go on with %s", chunk.ticket.ID)
	}
	return r.Resume(r.work, chunk, chunk.ticket)
}

// finish settles a chunk, and decides whether its error concerns all.
func (r *managedRun) finish(ctx context.Context, chunk *Chunk, err error) {
	if e := r.close(ctx, chunk, err); e != nil {
		r.mu.Lock()
		r.lost = errors.Join(r.lost, e)
		r.mu.Unlock()
		r.stopPulling(e)
		return
	}
	switch ClassOf(err) {
	case ClassAuth, ClassPermission, ClassConfig, ClassQuotaExhausted:
		r.mu.Lock()
		if r.fatal == nil {
			r.fatal = AsError(err)
		}
		r.mu.Unlock()
		r.stopPulling(err)
	}
}

func (r *managedRun) close(ctx context.Context, chunk *Chunk, err error) error {
	if e := chunk.close(ctx, err); e != nil {
		return fmt.Errorf("settling %d records: %w", chunk.Len(), e)
	}
	return nil
}

// drop settles what was gathered and will not be sent.
func (r *managedRun) drop(ctx context.Context, cause error) error {
	if r.pending == nil {
		return nil
	}
	chunk := r.newChunk()
	if chunk.ticket.ID == "" {
		why := AsError(cause)
		for row := range chunk.Len() {
			chunk.Fail(row, StatusDelayed, why, "")
		}
	}
	return r.close(ctx, chunk, cause)
}

// endTickets ends the handed-back tickets of which no record was left.
func (r *managedRun) endTickets(ctx context.Context) error {
	for _, t := range r.tickets {
		t.State = TicketDone
		if err := r.stream.Ticket(ctx, t); err != nil {
			return err
		}
	}
	return nil
}
