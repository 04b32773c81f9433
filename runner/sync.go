package runner

import (
	"time"

	"github.com/sluiceio/sluice/connector"
)

// ConnectorRef is an installed connector: a name for a program on disk.
type ConnectorRef struct {
	// ID is the manifest's id.
	ID string
	// Path is the absolute path of the program.
	Path string
	// SHA256 pins the program's content, in lower-case hex; a program that no
	// longer matches is not launched.
	SHA256 string
	// Version is the manifest's version when it was installed.
	Version string
	// AddedAt is when it was installed.
	AddedAt time.Time
}

// Connection is a connector plus the answers to its connection form.
type Connection struct {
	// Name is the user's name for it: a letter, then letters, digits, "-" and "_".
	Name string
	// Connector is the ID of an installed connector.
	Connector string
	Method    string
	Answers   connector.Answers
	// Secrets are in clear in memory and sealed in the store.
	Secrets    connector.Answers
	Parameters connector.Answers
	Addresses  []connector.NetworkAddress
	// Account says what it is connected to, in the app's words.
	Account string
	// Limits are those the connector reported at the last test.
	Limits connector.Limits
	// Overrides are the user's changes to them.
	Overrides []LimitOverride
	CreatedAt time.Time
	TestedAt  time.Time
}

// LimitOverride changes one limit or one pool of a connection. Nil leaves a
// part as the connector says.
type LimitOverride struct {
	// Category or Pool names what is changed; one of them is set.
	Category string
	Pool     string
	// Rates replace a limit's rates.
	Rates []connector.Rate
	// MaxConcurrency replaces a limit's concurrency.
	MaxConcurrency *int
	// Capacity replaces a pool's capacity.
	Capacity *int64
}

// Sync is a configured movement over one connection. Exactly one of Outbound
// and Inbound is set.
type Sync struct {
	// Name is the user's name for it, and its id in the warehouse: a
	// lower-case letter, then lower-case letters, digits, "-" and "_".
	Name       string
	Connection string
	Outbound   *OutboundSpec
	Inbound    *InboundSpec
	// Overrides are limits of this sync's own, within those of the connection:
	// its runs take no more than either allows.
	Overrides []LimitOverride
	// Deadline is how long a run may take unless it is told otherwise; 0 for as
	// long as it needs.
	Deadline  time.Duration
	CreatedAt time.Time
}

// Direction returns the sync's direction.
func (s Sync) Direction() connector.Direction {
	if s.Outbound != nil {
		return connector.DirectionOutbound
	}
	return connector.DirectionInbound
}

// OutboundSpec is the outbound half of a sync's configuration.
type OutboundSpec struct {
	Source     Source
	Identifier string
	// Strategy is the name of one of the connector's strategies.
	Strategy string
	Answers  connector.Answers
	// Mappings fill the app's fields, one by one; or Template is rendered for
	// each record, for connectors that take one text.
	Mappings []Mapping
	Template string
	Retry    RetryPolicy
}

// InboundSpec is the inbound half of a sync's configuration.
type InboundSpec struct {
	Answers connector.Answers
	Streams []StreamSpec
}

// StreamSpec says how one stream is read and kept.
type StreamSpec struct {
	Name string
	// Table is the table to fill; empty means the stream's name in schema
	// named like the sync.
	Table string
	// Mode defaults to incremental where the stream has it.
	Mode connector.ReadMode
	// Storage defaults to merge where the stream has a key.
	Storage Storage
	// Fields selects columns; empty selects all.
	Fields []string
}

// Run is one execution of a sync.
type Run struct {
	ID        string
	Sync      string
	Direction connector.Direction
	State     RunState
	StartedAt time.Time
	// FinishedAt is zero while the run goes on or waits to be resumed.
	FinishedAt time.Time
	// Closing is true when every record has its outcome and only the closing
	// books are left to do.
	Closing  bool
	Deadline time.Time
	// Records is the number of records planned (outbound).
	Records int64
	// Outcomes counts records by outcome (outbound).
	Outcomes map[connector.Status]int64
	// Streams tells what became of each stream (inbound).
	Streams []StreamResult
	// Usage sums what the connector reported, by category.
	Usage []connector.Usage
	// Batches counts the batches handed to the connector or received from it.
	Batches int64
	// Tickets counts the pieces of asynchronous work.
	Tickets int64
	// Timings says how long each stage took, by name: "open" and "plan"; "read",
	// the outbox, and "queue", for the connector to ask; "send", the conversations
	// with the connector, of which, by its own reports, "app" was work with the
	// app, "limit" waiting for a limit or a budget, "retry" backing off and "host"
	// waiting for the host; "ack", journaling tickets and checkpoints; "settle",
	// writing outcomes; "store", rows; "wait", between tries; "finish". Stages
	// overlap.
	Timings map[string]time.Duration
	// Error says why the run failed or was delayed, or names the connector's
	// defect.
	Error *connector.Error
	// Stderr holds the last lines the connector wrote.
	Stderr string
}

// Open reports whether the run is not over: it goes on, or waits to be resumed.
func (r Run) Open() bool {
	return r.State == RunRunning || r.State == RunDelayed && (r.FinishedAt.IsZero() || r.Closing)
}

// RunState says where a run stands, in words for the user.
type RunState string

// The states of a run.
const (
	// RunRunning: under way, or interrupted by a crash and resumable.
	RunRunning RunState = "Running"
	// RunHealthy: every record succeeded or was skipped by the user.
	RunHealthy RunState = "Healthy"
	// RunIncomplete: some records or streams did not succeed.
	RunIncomplete RunState = "Incomplete"
	// RunFailed: the run as a whole failed.
	RunFailed RunState = "Failed"
	// RunDelayed: stopped by deadline, budget, cancel, or a failure of the store,
	// the warehouse or the connector that may pass; the next run goes on.
	RunDelayed RunState = "Delayed"
)

// StreamResult is what became of one stream in a run.
type StreamResult struct {
	Stream string
	Table  string
	Counts StreamCounts
	// Done is true when the stream was read to its end and committed.
	Done bool
	// Error is set when the stream failed.
	Error *connector.Error
}
