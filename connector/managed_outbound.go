package connector

import "context"

// ManagedOutbound runs an outbound sync for a connector that knows how to apply
// one chunk of records.
type ManagedOutbound struct {
	// MaxRecords bounds a chunk; default 1,000.
	MaxRecords int
	// MaxBytes bounds the text of a chunk; default 64 MiB.
	MaxBytes int64
	// Concurrency bounds the chunks under way at once; default 5.
	Concurrency int
	// Write applies one chunk. Required.
	Write func(ctx context.Context, chunk *Chunk) error
	// Resume goes on with a ticket that an earlier run left SUBMITTED.
	Resume func(ctx context.Context, chunk *Chunk, ticket Ticket) error
}

// Run pulls records until there are no more, and settles each of them.
func (m ManagedOutbound) Run(ctx context.Context, sync OutboundSync, stream OutboundStream) error {
	return Errorf(ClassInternal, "UNFINISHED", "managed outbound is being written")
}
