package connector

import "context"

// ManagedInbound runs an inbound sync for a connector that knows how to read
// one stream.
type ManagedInbound struct {
	// Concurrency bounds the streams read at once; default 5.
	Concurrency int
	// Read reads one stream and returns its final state. Required.
	Read func(ctx context.Context, selection StreamSelection, out *StreamWriter) (state string, err error)
}

// Run reads the selected streams.
func (m ManagedInbound) Run(ctx context.Context, sync InboundSync, stream InboundStream) error {
	return Errorf(ClassInternal, "UNFINISHED", "managed inbound is being written")
}
