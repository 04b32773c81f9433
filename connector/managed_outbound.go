package connector

import (
	"context"
	"time"
)

// ManagedOutbound runs the outbound side of a connector: it gathers records
// into chunks, runs several chunks at once, journals tickets, and sees to it
// that every record gets exactly one outcome. The zero value of each setting
// is usable; Write is required.
type ManagedOutbound struct {
	// MaxRecords bounds the records of a chunk. Default 1,000.
	MaxRecords int
	// MaxBytes bounds the text of a chunk, in bytes; a single record may exceed
	// it. Default 64 MiB.
	MaxBytes int64
	// Concurrency is the number of chunks under way at once. Default 5. One
	// more is being gathered meanwhile.
	Concurrency int
	// Loaded bounds the chunks that hold their values: the one being gathered,
	// and those under way that have not called [Chunk.ReleaseValues]. Memory
	// holds so many chunks and one batch of the host's. Default, and most,
	// Concurrency+1; a connector that releases the values once the app has them
	// can do with fewer.
	Loaded int

	// Write applies one chunk and settles its rows. It is called by several
	// goroutines at once. Its context carries the [Host], ends a little before
	// the run's deadline, and is cancelled by a [StopNow], with the reason as
	// its cause; between [Chunk.Prepare] and [Chunk.Submitted] only when the
	// stop's deadline is near.
	//
	// Rows it leaves without an outcome get the one its error means: see
	// [StatusFor]. Where a ticket is PREPARED and the app's answer is unknown
	// (TRANSIENT, CANCELLED, INTERNAL) they get IN_DOUBT, or RETRY where
	// submitting again does no harm. Where a ticket is SUBMITTED they get
	// DELAYED and the ticket stays, so that the host hands it back; if nobody
	// could go on with it (the host keeps no tickets, or Resume is nil), they
	// are treated as PREPARED ones. Rows left without outcome and without error
	// are a defect: REJECTED, or IN_DOUBT where they may have been submitted.
	//
	// An error fails this chunk alone, except that after AUTH, PERMISSION,
	// CONFIG and QUOTA_EXHAUSTED no further records are taken. A panic counts as
	// an INTERNAL error.
	Write func(ctx context.Context, chunk *Chunk) error

	// Resume goes on with a chunk whose ticket was SUBMITTED before a crash or
	// a stop; otherwise it is like Write. Nil when the connector keeps no
	// tickets.
	Resume func(ctx context.Context, chunk *Chunk, ticket Ticket) error
}

// Run pulls all records of the stream and settles each of them. It returns nil
// when all were taken, whatever became of them, and after a stop; otherwise the
// error for which it took no more.
//
// On [StopDrain] it takes no more records and finishes those in hand, on
// [StopNow] and at the run's deadline it cancels the chunks under way; those
// being submitted are given the time to be, since their records would be in
// doubt. Both end before the deadline of the stop.
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
	if m.Loaded <= 0 || m.Loaded > m.Concurrency {
		m.Loaded = m.Concurrency + 1
	}
	r := &managedRun{
		ManagedOutbound: m, stream: stream, slots: make(chan struct{}, m.Concurrency), loads: make(chan struct{}, m.Loaded), tickets: make(map[string]Ticket),
		chunks: &chunkRun{stream: stream, sync: &sync, resumable: sync.KeepsTickets && m.Resume != nil},
	}
	for _, t := range sync.Tickets {
		r.tickets[t.ID] = t
	}
	return r.run(ctx)
}

// settleGrace is how long before a deadline chunks are cancelled, so that there
// is time to settle them: two seconds, or a quarter of the time there is.
func settleGrace(left time.Duration) time.Duration { return min(2*time.Second, max(left, 0)/4) }

// stopped is the cause of contexts that end because the run does. It says so
// itself and is a context.Canceled as well.
func stopped(code, message string) *Error {
	return &Error{Class: ClassCancelled, Code: code, Message: message, Cause: context.Canceled}
}

// untilDeadline bounds work by the run's deadline, zero for none.
func untilDeadline(ctx context.Context, deadline time.Time) (context.Context, context.CancelFunc) {
	if deadline.IsZero() {
		return context.WithCancel(ctx)
	}
	return context.WithDeadlineCause(ctx, deadline.Add(-settleGrace(time.Until(deadline))),
		stopped("DEADLINE", "the run reached its deadline; a later run goes on"))
}

// onStop calls drain and now when the host asks for a stop, and returns when
// over is closed. A drain that takes too long becomes a stop.
func onStop(stop <-chan Stop, over <-chan struct{}, drain func(cause error), now func(cause error, deadline time.Time)) {
	var s Stop
	select {
	case request, ok := <-stop:
		if !ok {
			return
		}
		s = request
	case <-over:
		return
	}
	cause := stopped("STOPPED", "the run was stopped; a later run goes on")
	drain(cause)
	if s.Mode == StopDrain {
		if s.Deadline.IsZero() {
			return
		}
		left := time.Until(s.Deadline)
		timer := time.NewTimer(left - settleGrace(left))
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-over:
			return
		}
	}
	now(cause, s.Deadline)
}
