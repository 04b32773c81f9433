package connector

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// ManagedInbound runs the inbound side of a connector: it reads several streams
// at once, and lets one that fails fail alone. Read is required.
type ManagedInbound struct {
	// Concurrency is the number of streams read at once. Default 5.
	Concurrency int

	// Read reads one stream and returns its final state as JSON text. It calls
	// Begin on the writer, then Row for each row, and Checkpoint as often as a
	// later run can go on from there. Its context carries the [Host] and ends a
	// little before the run's deadline.
	//
	// An error ends this stream alone, except that AUTH ends the run. A panic
	// counts as an INTERNAL error. On [StopDrain] the next Checkpoint of each
	// stream returns a CANCELLED error once it is durable, on [StopNow] the
	// context is cancelled; Read returns that error, and what was checkpointed
	// stays.
	Read func(ctx context.Context, selection StreamSelection, out *StreamWriter) (state string, err error)
}

// Run reads all selected streams and ends each of them, well or with its error.
// It returns nil when it could, and after a stop.
func (m ManagedInbound) Run(ctx context.Context, sync InboundSync, stream InboundStream) error {
	workers := m.Concurrency
	if workers <= 0 {
		workers = 5
	}
	r := &inboundRun{read: m.Read, sync: &sync, stream: stream}
	return r.run(WithHost(ctx, stream), min(workers, len(sync.Streams)))
}

type inboundRun struct {
	read   func(context.Context, StreamSelection, *StreamWriter) (string, error)
	sync   *InboundSync
	stream InboundStream

	last     context.Context       // for what must be said even after everything ended
	drained  atomic.Pointer[Error] // why streams end at their next checkpoint
	stopRead context.CancelCauseFunc

	mu    sync.Mutex
	fatal error
}

func (r *inboundRun) run(ctx context.Context, workers int) error {
	r.last = context.WithoutCancel(ctx)
	timed, release := untilDeadline(ctx, r.sync.Deadline)
	defer release()
	reading, stop := context.WithCancelCause(timed)
	defer stop(nil)
	r.stopRead = stop

	var watch, readers sync.WaitGroup
	over := make(chan struct{})
	watch.Go(func() {
		onStop(r.stream.Stop(), over, func(cause error) { r.drained.Store(AsError(cause)) }, func(cause error, _ time.Time) { stop(cause) })
	})
	queue := make(chan StreamSelection, len(r.sync.Streams))
	for _, s := range r.sync.Streams {
		queue <- s
	}
	close(queue)
	for range workers {
		readers.Go(func() {
			for s := range queue {
				r.one(reading, s)
			}
		})
	}
	readers.Wait()
	close(over)
	watch.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fatal != nil || ctx.Err() == nil {
		return r.fatal
	}
	return AsError(context.Cause(ctx))
}

// one reads a stream and ends it.
func (r *inboundRun) one(reading context.Context, selection StreamSelection) {
	out := &StreamWriter{stream: r.stream, sync: r.sync, name: selection.Name, drained: &r.drained}
	state, err := r.readOne(reading, selection, out)
	ctx, cancel := context.WithTimeout(r.last, journalPatience)
	defer cancel()
	if err == nil {
		err = out.Flush(ctx)
	}
	done := StreamDone{Stream: selection.Name, State: state, Error: AsError(err)}
	if done.Error != nil {
		done.State = ""
		if done.Error.Class == ClassCancelled && reading.Err() != nil {
			done.Error = AsError(context.Cause(reading)) // says why, not only that
		}
	}
	if e := r.stream.Done(ctx, done); e != nil {
		r.giveUp(e)
	} else if ClassOf(err) == ClassAuth {
		r.giveUp(err)
	}
}

// giveUp ends the run for an error that concerns all streams.
func (r *inboundRun) giveUp(err error) {
	r.mu.Lock()
	if r.fatal == nil {
		r.fatal = err
	}
	r.mu.Unlock()
	r.stopRead(err)
}

// readOne calls Read, unless the run is ending, and turns a panic into an error.
func (r *inboundRun) readOne(ctx context.Context, selection StreamSelection, out *StreamWriter) (state string, err error) {
	defer recovered(&err)
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	if e := r.drained.Load(); e != nil {
		return "", e
	}
	return r.read(ctx, selection, out)
}
