package connector

import (
	"context"
	"time"
)

// StreamWriter sends the rows of one stream.
type StreamWriter struct{ sync *InboundSync }

// Sync is what the run is about.
func (w *StreamWriter) Sync() *InboundSync { return w.sync }

// Begin says what the columns are. It precedes the first row.
func (w *StreamWriter) Begin(columns []Column) error { return nil }

// Row sends one row.
func (w *StreamWriter) Row(ctx context.Context, appIdentifier string, texts []string, null func(column int) bool) error {
	return nil
}

// Delete reports records that are gone from the app.
func (w *StreamWriter) Delete(ctx context.Context, tombstones Tombstones) error { return nil }

// Checkpoint makes everything sent so far durable together with the state.
func (w *StreamWriter) Checkpoint(ctx context.Context, state string) error { return nil }

// Progress tells the host what is going on with the stream.
func (w *StreamWriter) Progress(activity string, waiting Waiting, until time.Time, done, total int64) {
}
