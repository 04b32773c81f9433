package connector

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"time"
)

// journalPatience bounds the wait for the host to journal what must not be
// lost, even when the sync's own context has ended.
const journalPatience = 30 * time.Second

// Prepare journals that the rows without an outcome are about to be submitted:
// Ticket PREPARED. It returns once that is durable at the host; after an error
// nothing must be submitted. Handle is JSON text without secrets. Idempotent
// promises that submitting the rows again does no harm.
//
// It may be called again before Submitted, with another handle. In between a
// [StopNow] lets the call under way end, as long as its deadline allows.
func (c *Chunk) Prepare(ctx context.Context, handle string, idempotent bool) (err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if ctx.Err() != nil {
		return AsError(context.Cause(ctx))
	}
	if c.ticket.State == TicketSubmitted {
		return Errorf(ClassInternal, "TICKET_ORDER", "ticket %s was prepared after it was submitted", c.ticket.ID)
	}
	t := Ticket{ID: c.ticket.ID, State: TicketPrepared, Seqs: SeqRanges(c.unsettled()), Handle: handle, Idempotent: idempotent}
	if len(t.Seqs) == 0 {
		return Errorf(ClassInternal, "TICKET_ORDER", "a chunk was prepared in which every record is settled")
	}
	if t.ID == "" {
		// Several conversations may belong to one run, so a counter would not do.
		t.ID = fmt.Sprintf("%d-%s", t.Seqs[0].First, rand.Text()[:10])
	}
	if err := c.submitting(); err != nil {
		return AsError(err)
	}
	defer func() {
		if err != nil {
			c.submitted() // it will not be
		}
	}()
	if err := c.run.stream.Ticket(ctx, t); err != nil {
		return fmt.Errorf("journaling work before submitting it: %w", err)
	}
	c.ticket, c.open = t, true
	return c.takeOver(ctx)
}

// unsettled are the numbers of the rows without an outcome.
func (c *Chunk) unsettled() []int64 {
	var seqs []int64
	for row, seq := range c.Records.Seqs {
		if !c.Settled(row) {
			seqs = append(seqs, seq)
		}
	}
	return seqs
}

// takeOver shrinks the tickets of the chunks this one was split from, which the
// app refused, to the rows that are not prepared anew; otherwise a crash would
// leave rows in doubt whose real work has a ticket of its own.
func (c *Chunk) takeOver(ctx context.Context) error {
	for p := c.parent; p != nil; p = p.parent {
		if err := p.giveUp(ctx, c.ticket.Seqs); err != nil {
			return err
		}
	}
	return nil
}

func (c *Chunk) giveUp(ctx context.Context, seqs []SeqRange) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.open || c.ticket.State != TicketPrepared {
		return nil
	}
	t := c.ticket
	t.Seqs = without(t.Seqs, seqs)
	if len(t.Seqs) == 0 {
		t.State = TicketDone
	}
	if err := c.run.stream.Ticket(ctx, t); err != nil {
		return fmt.Errorf("journaling that ticket %s was split: %w", t.ID, err)
	}
	c.ticket.Seqs, c.open = t.Seqs, t.State != TicketDone
	return nil
}

// without removes ranges from ranges; both ascend.
func without(ranges, remove []SeqRange) []SeqRange {
	for _, x := range remove {
		var rest []SeqRange
		for _, r := range ranges {
			if x.Last < r.First || x.First > r.Last {
				rest = append(rest, r)
				continue
			}
			if r.First < x.First {
				rest = append(rest, SeqRange{First: r.First, Last: x.First - 1})
			}
			if r.Last > x.Last {
				rest = append(rest, SeqRange{First: x.Last + 1, Last: r.Last})
			}
		}
		ranges = rest
	}
	return slices.Clip(ranges)
}

// Submitted journals that the app accepted the chunk: Ticket SUBMITTED. From
// then on a crash or a stop hands the chunk back to Resume. It does its work
// even when ctx has ended, since the app's acceptance must not be forgotten. An
// error means that the host could not be told; the work goes on in the app all
// the same, and the rows count as prepared only.
func (c *Chunk) Submitted(ctx context.Context, handle string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ticket.State != TicketPrepared && c.ticket.State != TicketSubmitted {
		return Errorf(ClassInternal, "TICKET_ORDER", "a chunk was submitted that was not prepared")
	}
	defer c.submitted()
	t := c.ticket
	t.State, t.Handle = TicketSubmitted, handle
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), journalPatience)
	defer cancel()
	if err := c.run.stream.Ticket(ctx, t); err != nil {
		return fmt.Errorf("journaling submitted work: %w", err)
	}
	c.ticket = t
	return nil
}

// end journals DONE.
func (c *Chunk) end(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.ticket
	t.State = TicketDone
	if err := c.run.stream.Ticket(ctx, t); err != nil {
		return fmt.Errorf("ending ticket %s: %w", t.ID, err)
	}
	c.open = false
	return nil
}
