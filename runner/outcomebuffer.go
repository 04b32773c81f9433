package runner

import (
	"context"
	"sync"

	"github.com/sluiceio/sluice/connector"
)

// commitRows is the number of outcomes that are written at once without waiting
// for more.
const commitRows = 10_000

// outcomeBuffer gathers outcomes so that they are committed in groups: a commit
// costs the same for one outcome as for thousands.
type outcomeBuffer struct {
	settle func(context.Context, []connector.Outcomes) error

	mu      sync.Mutex
	pending []connector.Outcomes
	rows    int

	commit sync.Mutex // one commit at a time; held while writing
	err    error      // the first failure; nothing is written after it
}

// add takes outcomes, and commits when there are enough of them.
func (b *outcomeBuffer) add(ctx context.Context, outcomes ...connector.Outcomes) error {
	b.mu.Lock()
	for _, o := range outcomes {
		b.pending = append(b.pending, o)
		b.rows += len(o.Seqs)
	}
	full := b.rows >= commitRows
	b.mu.Unlock()
	if full {
		return b.flush(ctx)
	}
	return nil
}

// flush returns when everything added before is durable.
func (b *outcomeBuffer) flush(ctx context.Context) error {
	b.commit.Lock()
	defer b.commit.Unlock()
	b.mu.Lock()
	taken := b.pending
	b.pending, b.rows = nil, 0
	b.mu.Unlock()
	if b.err != nil || len(taken) == 0 {
		return b.err
	}
	b.err = b.settle(ctx, taken)
	return b.err
}
