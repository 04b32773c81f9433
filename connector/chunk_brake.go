package connector

import (
	"context"
	"sync"
)

// brake cancels the work on a chunk and its halves, but not while one of them is
// being submitted: a call that is cancelled then leaves its records in doubt.
type brake struct {
	mu     sync.Mutex
	busy   int   // parts between Prepare and Submitted
	cause  error // why the work is to end, nil as long as it may go on
	cancel context.CancelCauseFunc
}

// enter notes that a part is about to be submitted, or says why it must not be.
func (b *brake) enter() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.cause == nil {
		b.busy++
	}
	return b.cause
}

// leave notes that a part is submitted, or will not be.
func (b *brake) leave() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.busy--; b.busy == 0 && b.cause != nil {
		b.cancel(b.cause)
	}
}

// pull cancels the work, now or as soon as nothing is being submitted.
func (b *brake) pull(cause error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.cause == nil {
		b.cause = cause
	}
	if b.busy == 0 {
		b.cancel(b.cause)
	}
}

// stopped returns why the work is to end.
func (b *brake) stopped() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.cause
}

// Stopped says why the run is to stop, nil as long as it is not. It may do so
// before the context is cancelled: between Prepare and Submitted the call under
// way is given time to end. A chunk that is submitted by many calls should begin
// none after that.
func (c *Chunk) Stopped() error { return c.brake.stopped() }

// submitting and submitted tell the brake about this part. The part's lock is held.
func (c *Chunk) submitting() error {
	if c.busy {
		return nil
	}
	err := c.brake.enter()
	c.busy = err == nil
	return err
}

func (c *Chunk) submitted() {
	if c.busy {
		c.busy = false
		c.brake.leave()
	}
}
