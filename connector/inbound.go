package connector

import (
	"context"
	"time"
)

// StreamQuery selects streams to describe.
type StreamQuery struct {
	// Answers are those to the inbound configuration form.
	Answers Answers
	// Names selects streams; empty lists all of them.
	Names []string
}

// Stream is one inbound object type, such as a Zoho module.
type Stream struct {
	// Name identifies the stream; Label and Description are shown.
	Name, Label, Description string
	// Schema is a JSON Schema (2020-12) of one record, an object; empty where
	// it was not asked for and is not cheap.
	Schema string
	// Key names the columns that identify a record. Empty: no key, append only.
	Key []string
	// Cursor names the column that incremental reads follow; empty when the
	// stream can only be read in full.
	Cursor string
	// Modes are the read modes supported.
	Modes []ReadMode
	// Tombstones is true when deleted records are reported.
	Tombstones bool
}

// ReadMode is how a stream is read.
type ReadMode string

// The read modes.
const (
	ReadFullRefresh ReadMode = "full_refresh"
	ReadIncremental ReadMode = "incremental"
)

// InboundSync is what one inbound run is about.
type InboundSync struct {
	SyncID, RunID string
	// Answers are those to the inbound configuration form.
	Answers Answers
	// Streams are the streams to read.
	Streams []StreamSelection
	// StartedAt is the run's start: the exclusive upper bound of every
	// incremental read.
	StartedAt time.Time
	// Deadline is when the run must be over; zero for none.
	Deadline time.Time
	// AcksCheckpoints is true when the host acknowledges durable checkpoints.
	AcksCheckpoints bool
	// KeepsLedger is true when the host owns the budget and answers grants.
	KeepsLedger bool
}

// StreamSelection selects one stream to read.
type StreamSelection struct {
	Name string
	Mode ReadMode
	// State is the cursor of the last checkpoint as JSON text; empty at the
	// first read and at every full refresh that was not interrupted.
	State string
	// Fields selects columns by name; empty selects all.
	Fields []string
}

// InboundStream is the connector's end of an inbound conversation, and what a
// host implements to receive one. Its methods may be called concurrently for
// different streams, and by one goroutine at a time for the same stream.
type InboundStream interface {
	Host

	// Append sends rows of batch.Stream. It blocks while the host is busy. A
	// batch without rows shows the columns of a stream that has none yet, so
	// that it gets a table.
	Append(ctx context.Context, batch *RecordBatch) error

	// Delete reports records that are gone from the app.
	Delete(ctx context.Context, tombstones Tombstones) error

	// Checkpoint makes everything sent for the stream so far durable together
	// with the state. Where the host acknowledges checkpoints it returns
	// after that.
	Checkpoint(ctx context.Context, checkpoint Checkpoint) error

	// Done ends a stream: with success and the final state, or with the error
	// that ended it alone. Nothing may follow it for that stream.
	Done(ctx context.Context, done StreamDone) error
}

// Tombstones are records deleted in the app.
type Tombstones struct {
	Stream         string
	AppIdentifiers []string
	// DeletedAt is parallel to AppIdentifiers, zero where unknown; nil when
	// none is known.
	DeletedAt []time.Time
}

// Checkpoint is the moment rows and cursor become durable together.
type Checkpoint struct {
	Stream string
	// State is the cursor as JSON text; what Sluice hands back at the next
	// run. It holds no secrets.
	State string
}

// StreamDone is the end of one stream.
type StreamDone struct {
	Stream string
	// State is the final cursor; rows sent since the last checkpoint become
	// durable with it. Ignored when Error is set.
	State string
	// Error is set when the stream failed; rows after the last checkpoint are
	// dropped.
	Error *Error
}
