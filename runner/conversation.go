package runner

import (
	"context"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/sluiceio/sluice/connector"
)

// conversation is the host's end of one call of SyncOutbound. It keeps the books
// of what the connector holds, and lets nothing into the outcome log that the
// contract does not allow.
type conversation struct {
	*host
	run     *outboundRun
	batches <-chan fetched
	failed  chan error // the host's own failure; it breaks the conversation off

	mu sync.Mutex
	// given are the records handed out, held those of them without outcome.
	given, held *seqSet
	tickets     map[string]*openTicket
	order       []string // ticket IDs in the order they came
	// What the round came to, for the decision about the next one.
	retries    int64
	progress   int64
	retryAfter time.Duration
}

var _ connector.OutboundStream = (*conversation)(nil)

// fetched is a batch read ahead, or why there is none.
type fetched struct {
	batch *connector.RecordBatch
	err   error
}

func (r *outboundRun) newConversation(batches <-chan fetched, handedBack []connector.Ticket) *conversation {
	c := &conversation{
		host: newHost(r.work), run: r, batches: batches, failed: make(chan error, 1),
		given: newSeqSet(), held: newSeqSet(), tickets: map[string]*openTicket{},
	}
	for _, t := range handedBack {
		c.tickets[t.ID] = newOpenTicket(t)
		c.order = append(c.order, t.ID)
		// Its records are the connector's already; their batches only say
		// once more what they are.
		for _, r := range t.Seqs {
			c.given.add(r)
			c.held.add(r)
		}
	}
	return c
}

// fail breaks the conversation off for a failure of the host's own.
func (c *conversation) fail(err error) error {
	select {
	case c.failed <- err:
	default: // broken off already
	}
	return err
}

// Next implements [connector.OutboundStream]. Once a stop was asked for there
// are no more batches.
func (c *conversation) Next(ctx context.Context) (*connector.RecordBatch, error) {
	if err := c.gate.enter(); err != nil {
		return nil, err
	}
	defer c.gate.leave()
	select {
	case <-c.run.stop.asked:
		return nil, io.EOF
	default:
	}
	select {
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-c.run.stop.asked:
		return nil, io.EOF
	case f, ok := <-c.batches:
		if !ok {
			return nil, io.EOF
		}
		if f.err != nil {
			return nil, c.fail(fmt.Errorf("reading the outbox: %w", f.err))
		}
		if f.batch.Ticket == "" {
			c.mu.Lock()
			c.given.addSeqs(f.batch.Seqs)
			c.held.addSeqs(f.batch.Seqs)
			c.mu.Unlock()
		}
		c.run.update(func(r *Run) { r.Batches++ })
		return f.batch, nil
	}
}

// Settle implements [connector.OutboundStream]. What breaks the contract is left
// out and blamed; it is no reason to fail the records that were settled well.
func (c *conversation) Settle(_ context.Context, outcomes connector.Outcomes) error {
	if err := c.gate.enter(); err != nil {
		return err
	}
	defer c.gate.leave()
	outcomes, defects := wellFormed(outcomes)
	c.mu.Lock()
	outcomes, stray := c.admit(outcomes)
	if stray != nil {
		defects = append(defects, stray)
	}
	c.account(outcomes)
	c.mu.Unlock()
	for _, d := range defects {
		c.run.blame(d)
	}
	if len(outcomes.Seqs) == 0 {
		return nil
	}
	if err := c.run.settle(outcomes); err != nil {
		return c.fail(err)
	}
	return c.settleClaimed()
}

// admit keeps the outcomes of records the connector holds, and names the others.
func (c *conversation) admit(o connector.Outcomes) (connector.Outcomes, *connector.Error) {
	ranges := connector.SeqRanges(o.Seqs)
	known := func(r connector.SeqRange) bool { return c.held.covers(r) }
	if ascending(o.Seqs) && !slices.ContainsFunc(ranges, func(r connector.SeqRange) bool { return !known(r) }) {
		for _, r := range ranges {
			c.held.remove(r)
		}
		return o, nil
	}
	var twice, unknown []int64
	kept := only(o, func(row int) bool {
		seq := o.Seqs[row]
		switch {
		case c.held.has(seq):
			c.held.remove(connector.SeqRange{First: seq, Last: seq})
			return true
		case c.given.has(seq):
			twice = append(twice, seq)
		default:
			unknown = append(unknown, seq)
		}
		return false
	})
	if unknown != nil {
		return kept, defect("it settled records it was not given: number %s", describeSeqs(unknown))
	}
	return kept, defect("it settled records twice: number %s; the first outcome stands", describeSeqs(twice))
}

// account notes what outcomes mean for tickets and for the next round.
func (c *conversation) account(o connector.Outcomes) {
	var delayed []int64
	for _, x := range o.Exceptions {
		if x.Status == connector.StatusDelayed {
			delayed = append(delayed, o.Seqs[x.Row])
		}
	}
	for _, t := range c.tickets {
		t.settled(o.Seqs, delayed)
	}
	c.progress += int64(len(o.Seqs))
	for _, x := range o.Exceptions {
		if x.Status == connector.StatusRetry {
			c.retries++
			c.progress--
			c.retryAfter = max(c.retryAfter, x.Error.RetryAfter)
		}
	}
}
