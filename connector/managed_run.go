package connector

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync"
	"time"
)

// managedRun is one run of a ManagedOutbound. One goroutine pulls and gathers;
// each chunk has its own.
type managedRun struct {
	ManagedOutbound
	stream OutboundStream
	chunks *chunkRun

	slots   chan struct{} // one for each chunk under way
	loads   chan struct{} // one for each chunk that holds its values
	workers sync.WaitGroup

	pending      []*RecordBatch // being gathered
	pendingRows  int
	pendingBytes int64
	unload       func()            // gives back what pending has of loads
	tickets      map[string]Ticket // handed back and not met yet

	last        context.Context // for what must be said even after everything ended
	work        context.Context // ends when chunks are to stop
	stopWork    context.CancelCauseFunc
	calls       context.Context // ends when not even a submission may go on
	stopCalls   context.CancelCauseFunc
	stopPulling context.CancelCauseFunc

	mu    sync.Mutex
	fatal error // why no more records are taken
	lost  error // the host can no longer be told
}

func (r *managedRun) run(ctx context.Context) error {
	ctx = WithHost(ctx, r.stream)
	r.last = context.WithoutCancel(ctx)
	timed, release := untilDeadline(ctx, r.chunks.sync.Deadline)
	defer release()
	pulling, stopPulling := context.WithCancelCause(timed)
	defer stopPulling(nil)
	work, stopWork := context.WithCancelCause(timed)
	defer stopWork(nil)
	calls, stopCalls := context.WithCancelCause(timed)
	defer stopCalls(nil)
	r.work, r.stopWork, r.stopPulling, r.calls, r.stopCalls = work, stopWork, stopPulling, calls, stopCalls

	var watch sync.WaitGroup
	over := make(chan struct{})
	watch.Go(func() {
		onStop(r.stream.Stop(), over, stopPulling, func(cause error, deadline time.Time) { r.stopNow(cause, deadline, over) })
	})
	r.pull(pulling)
	r.workers.Wait()
	close(over)
	watch.Wait()
	if err := r.verdict(); err != nil || ctx.Err() == nil {
		return err
	}
	return AsError(context.Cause(ctx))
}

// submitPatience is how long a submission under way may go on after a stop that
// names no deadline.
const submitPatience = 5 * time.Second

// stopNow stops the chunks: those being submitted once they are, or when the
// deadline leaves just enough time to settle them.
func (r *managedRun) stopNow(cause error, deadline time.Time, over <-chan struct{}) {
	r.stopWork(cause)
	left := submitPatience
	if !deadline.IsZero() {
		left = time.Until(deadline)
		left -= settleGrace(left)
	}
	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case <-timer.C:
		r.stopCalls(cause)
	case <-over:
	}
}

func (r *managedRun) verdict() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.lost != nil {
		return r.lost
	}
	return r.fatal
}

// lose notes that the host cannot be told any more, and ends everything.
func (r *managedRun) lose(err error) {
	r.mu.Lock()
	r.lost = errors.Join(r.lost, err)
	r.mu.Unlock()
	r.stopPulling(err)
	cause := stopped("HOST_LOST", "the host could not be told what became of its records")
	r.stopWork(cause)
	r.stopCalls(cause)
}

// giveUp notes an error that would befall all further records too.
func (r *managedRun) giveUp(err *Error) {
	r.mu.Lock()
	if r.fatal == nil {
		r.fatal = err
	}
	r.mu.Unlock()
	r.stopPulling(err)
}

// pull takes batches until there are no more, or none is wanted any more.
func (r *managedRun) pull(pulling context.Context) {
	r.stream.Report(r.last, Report{Progress: &Progress{Activity: "waiting for records", Waiting: WaitingHost, Total: r.chunks.sync.Records}})
	for pulling.Err() == nil {
		batch, err := r.stream.Next(pulling)
		switch {
		case err == nil:
			r.take(batch)
		case errors.Is(err, io.EOF):
			r.flush()
			if pulling.Err() == nil {
				r.endTickets()
			}
			return
		case pulling.Err() == nil:
			r.lose(fmt.Errorf("taking records: %w", err))
		}
	}
	r.flush()
}

// take adds a batch to what is pending, and starts chunks as they fill up.
func (r *managedRun) take(batch *RecordBatch) {
	if len(r.pending) > 0 && !sameChunk(r.pending[0], batch) {
		r.flush()
	}
	if batch.Rows == 0 {
		if batch.Ticket != "" { // these were all: no need to wait for what follows
			r.flush()
		}
		return
	}
	if batch.Ticket != "" { // whole, however many: the app's answer covers all of them
		r.add(batch, batch.bytes(0, batch.Rows))
		return
	}
	for batch.Rows > 0 {
		rows, size := batch.fit(r.MaxRecords-r.pendingRows, r.MaxBytes-r.pendingBytes)
		if rows == 0 && r.pendingRows > 0 {
			r.flush()
			continue
		}
		if rows == 0 {
			rows, size = 1, batch.bytes(0, 1)
		}
		if rows == batch.Rows {
			r.add(batch, size)
			break
		}
		r.add(batch.Slice(0, rows), size)
		batch = batch.Slice(rows, batch.Rows)
		r.flush()
	}
	if r.pendingRows >= r.MaxRecords || r.pendingBytes >= r.MaxBytes {
		r.flush()
	}
}

// sameChunk reports whether two batches may share a chunk. The rows of a ticket
// stay together whatever else differs.
func sameChunk(a, b *RecordBatch) bool {
	if a.Ticket != b.Ticket {
		return false
	}
	return b.Rows == 0 || a.Action == b.Action && (a.Schema == b.Schema || a.Schema.ID == b.Schema.ID)
}

func (r *managedRun) add(batch *RecordBatch, size int64) {
	if len(r.pending) == 0 {
		r.unload = r.load()
	}
	r.pending = append(r.pending, batch)
	r.pendingRows += batch.Rows
	r.pendingBytes += size
}

// load waits until one more chunk may hold its values, or until nothing is to be
// started any more, and returns what gives that back.
func (r *managedRun) load() (unload func()) {
	select {
	case r.loads <- struct{}{}:
		return sync.OnceFunc(func() { <-r.loads })
	case <-r.work.Done():
		return func() {}
	}
}

// flush starts the pending chunk as soon as there is a free slot; or settles
// it, when nothing is to be started any more.
func (r *managedRun) flush() {
	if len(r.pending) == 0 {
		return
	}
	chunk := newChunk(joined(r.pending), r.chunks)
	chunk.unload = r.unload
	r.pending, r.pendingRows, r.pendingBytes = nil, 0, 0
	if id := chunk.Records.Ticket; id != "" {
		t, known := r.tickets[id]
		if !known {
			r.strayed(chunk)
			return
		}
		chunk.ticket, chunk.open = t, true
		delete(r.tickets, id)
	}
	slot := false
	select {
	case r.slots <- struct{}{}:
		slot = true
	case <-r.work.Done():
	}
	if cause := r.unwanted(); cause != nil {
		r.finish(chunk, &Error{Class: ClassCancelled, Code: "NOT_ATTEMPTED", Message: "the record was not attempted: " + cause.Error(), Cause: cause})
		if slot {
			<-r.slots
		}
		return
	}
	r.workers.Go(func() {
		defer func() { <-r.slots }()
		err := r.apply(chunk)
		r.finish(chunk, err)
		switch e := AsError(err); ClassOf(err) {
		case ClassAuth, ClassPermission, ClassConfig, ClassQuotaExhausted:
			r.giveUp(e)
		}
	})
}

// unwanted says why a chunk is not to be started, nil when it is.
func (r *managedRun) unwanted() error {
	if r.work.Err() != nil {
		return context.Cause(r.work)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.fatal
}

// strayed settles records of a ticket that the host did not announce: whether
// the app has them is not known here.
func (r *managedRun) strayed(chunk *Chunk) {
	err := Errorf(ClassInternal, "UNKNOWN_TICKET", "the host handed back records of ticket %s, which it did not announce or handed back before", chunk.Records.Ticket)
	for row := range chunk.Len() {
		chunk.Fail(row, StatusDelayed, err, "")
	}
	r.finish(chunk, nil)
	r.giveUp(err)
}

// apply runs Write or Resume, and turns a panic into an error.
func (r *managedRun) apply(chunk *Chunk) (err error) {
	defer recovered(&err)
	ctx, cancel := context.WithCancelCause(r.calls)
	defer cancel(nil)
	chunk.brake.cancel = cancel
	defer context.AfterFunc(r.work, func() { chunk.brake.pull(context.Cause(r.work)) })()
	if chunk.Records.Ticket == "" {
		return r.Write(ctx, chunk)
	}
	if r.Resume == nil {
		return Errorf(ClassInternal, "NO_RESUME", "the connector keeps no tickets and cannot go on with %s", chunk.ticket.ID)
	}
	return r.Resume(ctx, chunk, chunk.ticket)
}

// recovered turns a panic into an error. What was panicked with may hold a
// record, so only the runtime's own words are repeated; the place is named.
func recovered(err *error) {
	p := recover()
	if p == nil {
		return
	}
	what := fmt.Sprintf("%T", p)
	if e, ok := p.(runtime.Error); ok {
		what = e.Error()
	}
	*err = Errorf(ClassInternal, "PANIC", "the connector panicked (%s) at %s", what, panicPlace())
}

// panicPlace is the function and line that panicked.
func panicPlace() string {
	pcs := make([]uintptr, 32)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs)])
	for {
		f, more := frames.Next()
		if f.Function != "" && !strings.HasPrefix(f.Function, "runtime.") {
			return fmt.Sprintf("%s, line %d", f.Function, f.Line)
		}
		if !more {
			return "an unknown place"
		}
	}
}

// finish sends a chunk's outcomes, whatever has ended meanwhile.
func (r *managedRun) finish(chunk *Chunk, err error) {
	defer chunk.unload()
	ctx, cancel := context.WithTimeout(r.last, journalPatience)
	defer cancel()
	if e := chunk.close(ctx, err); e != nil {
		r.lose(e)
	}
}

// endTickets ends the handed-back tickets of which no record was left.
func (r *managedRun) endTickets() {
	for _, t := range r.tickets {
		t.State = TicketDone
		if err := r.stream.Ticket(r.last, t); err != nil {
			r.lose(fmt.Errorf("ending ticket %s: %w", t.ID, err))
			return
		}
	}
}
