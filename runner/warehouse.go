package runner

import (
	"context"
	"iter"
	"time"

	"github.com/sluiceio/sluice/connector"
)

// Warehouse is the database that holds the user's data and, beside it, Sluice's
// record state, outboxes, outcome logs, stream tables and cursors. One value is
// used by one process; its methods may be called concurrently. Package
// warehousetest is the exam every implementation passes.
type Warehouse interface {
	OutboundWarehouse
	InboundWarehouse

	// Query runs one SQL statement for a person and returns its rows as text.
	Query(ctx context.Context, sql string) (Rows, error)

	// Close releases the database. No call follows it.
	Close() error
}

// Rows is the result of a query, pulled row by row. A row's slices are valid
// until the next one. Null cells are reported by the second value.
type Rows struct {
	Columns []connector.Column
	All     iter.Seq2[Row, error]
}

// Row is one row of a query result.
type Row struct {
	Texts []string
	Null  []bool
}

// Source is where an outbound sync takes its rows from. Exactly one field is set.
type Source struct {
	// Table is the name of a table or view, possibly qualified.
	Table string
	// Query is a SELECT statement.
	Query string
	// File is the path of a CSV, Parquet or JSON file, recognised by its ending.
	File string
}

// Mapping says what one app field is filled with. Exactly one of Column and
// Expression is set.
type Mapping struct {
	// Field is the app field's name.
	Field string
	// Column is the name of a source column.
	Column string
	// Expression is a SQL expression over source columns.
	Expression string
}

// OutboundPlan is what the warehouse needs to know to make an outbox.
type OutboundPlan struct {
	// SyncID names the sync; lower-case letters, digits, hyphens, underscores.
	SyncID string
	// RunID names the run the outbox is for; empty for a preview, which
	// writes nothing.
	RunID  string
	Source Source
	// Identifier is the source column that identifies a record.
	Identifier string
	Mappings   []Mapping
	// Template is the text that the host renders from the mapped columns, empty
	// where there is none. The warehouse keeps it with the outbox, and takes a
	// change of it for a change of every record.
	Template  string
	Strategy  connector.Strategy
	Rendering connector.Rendering
	// Limit bounds the number of records of the outbox; 0 for all.
	Limit int64
	// Retry says which unsettled records of earlier runs are due.
	Retry RetryPolicy
	// Now is the time of planning.
	Now time.Time
	// Samples is the number of sample records wanted for each action.
	Samples int
	// Resync sends every record of the source again, as changed ones.
	Resync bool
}

// RetryPolicy bounds attempts across runs.
type RetryPolicy struct {
	// MaxAttempts is the number of runs that may try a record before it is
	// held back until its mapped values change; 0 means 10.
	MaxAttempts int
	// Backoff is the pause after the first failed attempt, doubled after each
	// further one up to a day; 0 means none.
	Backoff time.Duration
}

// PlanReport says what a plan found.
type PlanReport struct {
	// Schema describes the outbox's columns, in mapping order.
	Schema *connector.Schema
	// Template is the plan's.
	Template string `json:",omitempty"`
	// SourceRows counts the rows of the source.
	SourceRows int64
	// Actions counts the records to be sent by action and reason.
	Actions []ActionCount
	// Unchanged, Skipped and HeldBack count rows that are not sent: nothing
	// changed, the user said so, attempts used up or not yet due.
	Unchanged, Skipped, HeldBack int64
	// Records is the number of records in the outbox.
	Records int64
	// Samples are some records as mapped.
	Samples []Sample
}

// ActionCount counts records with one action for one reason.
type ActionCount struct {
	Action connector.Action
	Reason Reason
	Count  int64
}

// Reason says why a record is sent.
type Reason string

// The reasons.
const (
	ReasonNew       Reason = "new"
	ReasonChanged   Reason = "changed"
	ReasonRemoved   Reason = "removed"
	ReasonUnchanged Reason = "unchanged"
	ReasonRetry     Reason = "retry"
)

// Sample is one record as it would be sent.
type Sample struct {
	Identifier string
	Action     connector.Action
	Values     []string
	Null       []bool
}

// PlanError says why a plan was refused before anything was sent. It is also
// found by errors.As behind the message shown to the user.
type PlanError struct {
	// Kind is what is wrong.
	Kind PlanErrorKind
	// Count is the number of rows concerned, where that applies.
	Count int64
	// Examples are a few of the rows concerned: identifiers for duplicates,
	// row descriptions for nulls.
	Examples []string
	// Message says it in words, with what to do next.
	Message string
	// Cause is the database's own error, if any.
	Cause error
}

// PlanErrorKind classifies a PlanError.
type PlanErrorKind string

// The kinds of plan error.
const (
	PlanNullIdentifiers      PlanErrorKind = "null_identifiers"
	PlanDuplicateIdentifiers PlanErrorKind = "duplicate_identifiers"
	PlanSource               PlanErrorKind = "source"     // the source cannot be read: SQL error, missing file, bad encoding
	PlanIdentifier           PlanErrorKind = "identifier" // the identifier column is missing
	PlanMapping              PlanErrorKind = "mapping"    // a mapped column or expression is wrong
)

// Error returns the message.
func (e *PlanError) Error() string { return e.Message }

// Unwrap returns the cause.
func (e *PlanError) Unwrap() error { return e.Cause }

// OutboundWarehouse plans, hands out and settles outbound records.
//
// The tables it keeps for a sync: the record state (one row for each identifier
// ever seen), the outbox of the run under way, and the outcome log of all runs.
// Settling appends to the log; only Finish moves what the log says into the
// record state, in transactions of bounded size. A Finish that was interrupted is
// finished by another one; meanwhile nothing is missing in the log, and the
// outbox holds what is left to be moved.
type OutboundWarehouse interface {
	// Plan reads the source once, checks identifiers, and fills the outbox
	// of the run in one transaction. Planning a run again replaces nothing: an
	// existing outbox of the same run is kept and its report returned. An
	// outbox of another unfinished run of the sync is an error.
	Plan(ctx context.Context, plan OutboundPlan) (PlanReport, error)

	// Records hands out the run's outbox in ascending order of sequence
	// number, in batches of one action each, as selected.
	Records(ctx context.Context, syncID, runID string, selection OutboxSelection) iter.Seq2[*connector.RecordBatch, error]

	// Settle appends outcomes to the log, durably. A record settled twice
	// keeps the later outcome.
	Settle(ctx context.Context, syncID, runID string, at time.Time, outcomes []connector.Outcomes) error

	// Delay gives every record of the run that has no outcome, outside the given
	// ranges, the outcome DELAYED with a reason, and returns how many there were.
	// It is one set operation, however many they are, and can be repeated.
	Delay(ctx context.Context, syncID, runID string, at time.Time, except []connector.SeqRange, why *connector.Error) (int64, error)

	// Counts counts the run's records by outcome; those without one are under "".
	Counts(ctx context.Context, syncID, runID string) (map[connector.Status]int64, error)

	// Finish moves the run's outcomes into the record state and drops the
	// outbox. It can be repeated after a crash or an error, at whichever
	// record that came. Finishing a finished run does nothing.
	Finish(ctx context.Context, syncID, runID string, at time.Time) error

	// Outcomes returns the outcome log of a run, exceptions first.
	Outcomes(ctx context.Context, syncID, runID string, filter OutcomeFilter) iter.Seq2[RecordOutcome, error]

	// Mark changes what happens to records at the next plan. It returns the
	// number of records changed.
	Mark(ctx context.Context, syncID string, identifiers []string, mark Mark) (int64, error)

	// Accept says of records in doubt that the app did what was asked of it: they
	// are synced from then on. Where a record has an app identifier in the list,
	// which is empty or parallel to the identifiers, it is kept. It returns the
	// number of records accepted; those that are not in doubt are left alone.
	Accept(ctx context.Context, syncID string, identifiers, appIdentifiers []string, at time.Time) (int64, error)

	// RecordStates returns how the records of a sync stand after its latest
	// finished run, ordered by identifier; a record without an outcome so far, only
	// marked by the user, has no status.
	RecordStates(ctx context.Context, syncID string, filter OutcomeFilter) iter.Seq2[RecordState, error]
}

// OutboxSelection selects records of an outbox.
type OutboxSelection struct {
	// Seqs selects the given ranges; nil selects all.
	Seqs []connector.SeqRange
	// Ticket is set on the batches.
	Ticket string
	// Unsettled leaves out records that have an outcome other than RETRY.
	Unsettled bool
	// Except leaves out the given ranges (records held by tickets).
	Except []connector.SeqRange
	// BatchRows and BatchBytes bound a batch; 0 means 10,000 rows and 1 MiB.
	BatchRows, BatchBytes int
}

// OutcomeFilter selects outcomes. Zero values select all.
type OutcomeFilter struct {
	Statuses    []connector.Status
	Identifiers []string
	Limit       int64
}

// RecordOutcome is one line of the outcome log.
type RecordOutcome struct {
	Seq           int64
	Identifier    string
	AppIdentifier string
	Action        connector.Action
	Status        connector.Status
	Class         connector.Class
	Code          string
	Field         string
	Message       string
	Detail        string
	At            time.Time
}

// RecordState is how one record stands.
type RecordState struct {
	Identifier    string
	AppIdentifier string
	// Synced is true when the app has said yes to the record, perhaps with
	// earlier values.
	Synced bool
	// Action is what was last asked of the app, and what became of it: Status,
	// Class, Code, Field, Message.
	Action  connector.Action
	Status  connector.Status
	Class   connector.Class
	Code    string
	Field   string
	Message string
	// Attempts counts the runs that tried the present values and failed.
	Attempts int64
	// RunID is the last run that tried it, at At.
	RunID string
	At    time.Time
	Mark  Mark
}

// Mark is what a user says about a record.
type Mark string

// The marks.
const (
	// MarkSkipOnce leaves a record out of the next run.
	MarkSkipOnce Mark = "skip_once"
	// MarkSkipAlways leaves it out of all runs until it is unmarked.
	MarkSkipAlways Mark = "skip_always"
	// MarkResync sends it again at the next run although nothing changed, and
	// clears its attempts.
	MarkResync Mark = "resync"
	// MarkNone removes marks.
	MarkNone Mark = ""
)

// InboundWarehouse receives streams.
type InboundWarehouse interface {
	// States returns the cursor of each stream of a sync, as of the last commit.
	States(ctx context.Context, syncID string) (map[string]string, error)

	// OpenStream prepares to receive one stream for a run.
	OpenStream(ctx context.Context, target StreamTarget) (StreamWriter, error)

	// ResetStream forgets a stream's cursor, so that the next run reads all.
	ResetStream(ctx context.Context, syncID, stream string) error
}

// Storage is how rows of a stream are kept.
type Storage string

// The ways to keep rows.
const (
	StorageMerge  Storage = "merge"  // one row for each key, the newest
	StorageAppend Storage = "append" // every row ever received
)

// StreamTarget says where a stream's rows go.
type StreamTarget struct {
	SyncID, RunID string
	// Stream is the stream's name; Table the name of the table to fill,
	// possibly qualified, created when missing.
	Stream, Table string
	// Key names the key columns; required for StorageMerge.
	Key     []string
	Storage Storage
	// FullRefresh marks, at the end of a merge, rows that were not seen as deleted.
	FullRefresh bool
	// Resumed continues an interrupted full refresh rather than starting one.
	Resumed bool
	// RetrievedAt is stamped on the rows.
	RetrievedAt time.Time
}

// StreamWriter receives one stream. It is used by one goroutine at a time.
//
// The table has the columns of the schema, typed, and the system columns
// _sluice_app_identifier, _sluice_retrieved_at, _sluice_run, _sluice_deleted
// (boolean), _sluice_deleted_at and _sluice_unparsed (JSON: column -> text that
// did not cast). It is evolved when a later schema has more columns or wider types.
type StreamWriter interface {
	// Append stages rows. Nothing is visible until Commit.
	Append(ctx context.Context, batch *connector.RecordBatch) error
	// Delete stages tombstones.
	Delete(ctx context.Context, tombstones connector.Tombstones) error
	// Commit makes staged rows, tombstones and the state durable in one
	// transaction. Final ends the stream (and a full refresh).
	Commit(ctx context.Context, state string, final bool) (StreamCounts, error)
	// Close drops what was not committed.
	Close() error
}

// StreamCounts counts what a stream has committed in this run.
type StreamCounts struct {
	Rows, Deleted, Unparsed int64
}
