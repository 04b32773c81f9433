package connector

import (
	"context"
	"sync"
)

// ManagedInbound runs the inbound side of a connector: it reads several streams
// at once, and lets one that fails fail alone. Read is required.
type ManagedInbound struct {
	// Concurrency is the number of streams read at once. Default 5.
	Concurrency int

	// Read reads one stream and returns its final state. It calls Begin on the
	// writer, then Row for each row, and Checkpoint as often as it can go on
	// from. An error ends this stream alone, except that AUTH ends the run.
	// When the run is stopped its context is cancelled, and the stream ends
	// with CANCELLED; what was checkpointed stays.
	Read func(ctx context.Context, selection StreamSelection, out *StreamWriter) (state string, err error)
}

// Run reads all selected streams. It returns nil when each of them ended, well
// or not.
func (m ManagedInbound) Run(ctx context.Context, sync InboundSync, stream InboundStream) error {
	workers := m.Concurrency
	if workers <= 0 {
		workers = 5
	}
	r := &inboundRun{read: m.Read, sync: &sync, stream: stream}
	return r.run(ctx, min(workers, len(sync.Streams)))
}

type inboundRun struct {
	read   func(context.Context, StreamSelection, *StreamWriter) (string, error)
	sync   *InboundSync
	stream InboundStream

	mu    sync.Mutex
	fatal error
}

func (r *inboundRun) run(ctx context.Context, workers int) error {
	reading, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var watch, readers sync.WaitGroup
	over := make(chan struct{})
	watch.Go(func() {
		select {
		case _, ok := <-r.stream.Stop():
			if ok {
				stop(errStopped)
			}
		case <-over:
		}
	})
	queue := make(chan StreamSelection, len(r.sync.Streams))
	for _, s := range r.sync.Streams {
		queue <- s
	}
	close(queue)
	for range workers {
		readers.Go(func() {
			for s := range queue {
				r.one(ctx, reading, s, stop)
			}
		})
	}
	readers.Wait()
	close(over)
	watch.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.fatal
}

// one reads a stream and ends it. Reading is cancelled by a stop; the host is
// told in ctx, which is not.
func (r *inboundRun) one(ctx, reading context.Context, selection StreamSelection, stop context.CancelCauseFunc) {
	out := &StreamWriter{stream: r.stream, sync: r.sync, name: selection.Name}
	state, err := r.readOne(reading, selection, out)
	if err == nil {
		err = out.Flush(ctx)
	}
	done := StreamDone{Stream: selection.Name, State: state, Error: AsError(err)}
	if reading.Err() != nil && ClassOf(err) != ClassAuth && err != nil {
		done.Error = AsError(context.Cause(reading))
	}
	sent := r.stream.Done(ctx, done)
	if sent == nil && ClassOf(err) != ClassAuth {
		return
	}
	if sent == nil {
		sent = err
	}
	r.mu.Lock()
	if r.fatal == nil {
		r.fatal = sent
	}
	r.mu.Unlock()
	stop(sent)
}

// readOne calls Read and turns a panic into an error.
func (r *inboundRun) readOne(ctx context.Context, selection StreamSelection, out *StreamWriter) (state string, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = Errorf(ClassInternal, "PANIC", "the connector panicked: %v", p)
		}
	}()
	if cause := context.Cause(ctx); cause != nil {
		return "", cause
	}
	return r.read(ctx, selection, out)
}
