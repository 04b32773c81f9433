package connector

import (
	"context"
	"time"
)

// Chunk is a set of records to be applied together: one action, one schema, at
// most MaxRecords rows. Its methods may be called concurrently.
type Chunk struct {
	// Records are the rows, merged from the host's batches.
	Records *RecordBatch
	// Sync is what the run is about.
	Sync *OutboundSync
	// Host is the program that runs the connector.
	Host Host
}

// Len returns the number of rows.
func (c *Chunk) Len() int { return c.Records.Rows }

// Succeed settles a row as SUCCEEDED, with its key in the app ("" where unknown).
func (c *Chunk) Succeed(row int, appIdentifier string) {}

// SucceedWith settles a row as SUCCEEDED with the app's own words as JSON text.
func (c *Chunk) SucceedWith(row int, appIdentifier, detail string) {}

// Fail settles a row with any other status and the reason.
func (c *Chunk) Fail(row int, status Status, err *Error, detail string) {}

// Settled reports whether a row has an outcome.
func (c *Chunk) Settled(row int) bool { return false }

// Prepare journals, before anything is submitted, that the rows without outcome
// are about to be. It returns when the journal is durable.
func (c *Chunk) Prepare(ctx context.Context, handle string, idempotent bool) error { return nil }

// Submitted journals that the app accepted the work and named it.
func (c *Chunk) Submitted(ctx context.Context, handle string) error { return nil }

// ReleaseValues drops the values of all columns but those at the given positions.
func (c *Chunk) ReleaseValues(keepColumns ...int) {}

// Progress tells the host what is going on with the chunk.
func (c *Chunk) Progress(activity string, waiting Waiting, until time.Time) {}

// Halves splits the chunk in two that settle into this one.
func (c *Chunk) Halves() (a, b *Chunk) { return nil, nil }

// Conclude settles the rows without outcome as Run does after Write returned err.
func (c *Chunk) Conclude(err error) {}
