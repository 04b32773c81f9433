package runner

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/sluiceio/sluice/connector"
)

// usageBook sums what a connector reports, and passes it on to the ledger in
// groups, so that a report costs no write of its own.
type usageBook struct {
	mu      sync.Mutex
	total   map[usageKey]connector.Usage
	pending map[usageKey]connector.Usage
	write   sync.Mutex // one flush at a time
}

type usageKey struct{ category, pool string }

func newUsageBook(before []connector.Usage) *usageBook {
	b := &usageBook{total: map[usageKey]connector.Usage{}, pending: map[usageKey]connector.Usage{}}
	sumUsage(b.total, before)
	return b
}

// add books a report. Negative figures are a defect and are not booked.
func (b *usageBook) add(usage []connector.Usage) {
	b.mu.Lock()
	defer b.mu.Unlock()
	usage = slices.DeleteFunc(slices.Clone(usage), func(u connector.Usage) bool { return u.Requests < 0 || u.Units < 0 })
	sumUsage(b.total, usage)
	sumUsage(b.pending, usage)
}

func sumUsage(into map[usageKey]connector.Usage, usage []connector.Usage) {
	for _, u := range usage {
		k := usageKey{u.Category, u.Pool}
		sum := into[k]
		sum.Category, sum.Pool = u.Category, u.Pool
		sum.Requests += u.Requests
		sum.Units += u.Units
		if left := u.Remaining; left != nil && (sum.Remaining == nil || *left < *sum.Remaining) {
			sum.Remaining = left // answers come in any order, and it only shrinks meanwhile
		}
		into[k] = sum
	}
}

// totals returns the sums of the run, ordered by category and pool.
func (b *usageBook) totals() []connector.Usage {
	b.mu.Lock()
	defer b.mu.Unlock()
	return sortedUsage(b.total)
}

func sortedUsage(sums map[usageKey]connector.Usage) []connector.Usage {
	return slices.SortedFunc(maps.Values(sums), func(a, b connector.Usage) int {
		return cmp.Or(cmp.Compare(a.Category, b.Category), cmp.Compare(a.Pool, b.Pool))
	})
}

// flush hands what was not yet passed on to spend. What cannot be booked stays
// for the next flush.
func (b *usageBook) flush(ctx context.Context, spend func(context.Context, []connector.Usage) error) error {
	b.write.Lock()
	defer b.write.Unlock()
	b.mu.Lock()
	taken := b.pending
	b.pending = map[usageKey]connector.Usage{}
	b.mu.Unlock()
	if len(taken) == 0 {
		return nil
	}
	usage := sortedUsage(taken)
	if err := spend(ctx, usage); err != nil {
		b.mu.Lock()
		defer b.mu.Unlock()
		sumUsage(b.pending, usage)
		return fmt.Errorf("booking what was spent: %w", err)
	}
	return nil
}
