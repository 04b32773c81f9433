package runner

import (
	"context"
	"time"

	"github.com/sluiceio/sluice/connector"
)

// Store is what the engine must remember between runs: the control store. It is
// safe for concurrent use and durable when a method returns. A missing name is
// an error that wraps [ErrNotFound].
type Store interface {
	ConnectorStore
	ConnectionStore
	SyncStore
	RunStore
	TicketStore
	Ledger

	// Close releases the store.
	Close() error
}

// ConnectorStore keeps installed connectors.
type ConnectorStore interface {
	PutConnector(ctx context.Context, ref ConnectorRef) error
	Connector(ctx context.Context, id string) (ConnectorRef, error)
	Connectors(ctx context.Context) ([]ConnectorRef, error)
	DeleteConnector(ctx context.Context, id string) error
}

// ConnectionStore keeps connections, their secrets sealed.
type ConnectionStore interface {
	PutConnection(ctx context.Context, connection Connection) error
	Connection(ctx context.Context, name string) (Connection, error)
	Connections(ctx context.Context) ([]Connection, error)
	// DeleteConnection refuses while a sync uses the connection.
	DeleteConnection(ctx context.Context, name string) error
	// KeepWithConnection merges values a connector asked to keep.
	KeepWithConnection(ctx context.Context, name string, keep connector.Keep) error
}

// SyncStore keeps syncs.
type SyncStore interface {
	PutSync(ctx context.Context, sync Sync) error
	Sync(ctx context.Context, name string) (Sync, error)
	Syncs(ctx context.Context) ([]Sync, error)
	DeleteSync(ctx context.Context, name string) error
}

// RunStore keeps runs.
type RunStore interface {
	// StartRun stores a new run. It refuses with an error that wraps
	// [ErrRunning] while another process holds a run of the sync; a run whose
	// holder is gone (by lease and process) is returned by OpenRun instead.
	StartRun(ctx context.Context, run Run) error
	// SaveRun stores how a run stands, and renews its lease.
	SaveRun(ctx context.Context, run Run) error
	Run(ctx context.Context, id string) (Run, error)
	// Runs lists the newest runs first; an empty sync means all, limit 0 means 50.
	Runs(ctx context.Context, sync string, limit int) ([]Run, error)
	// OpenRun returns the sync's unfinished run, if any: one that is open, or one
	// in state Delayed with open tickets. The caller takes over its lease; what
	// its former holder had leased of budgets counts as spent.
	OpenRun(ctx context.Context, sync string) (Run, bool, error)
	// CancelRun asks whoever holds a run to stop it, and to grant what is in hand
	// this long. It reports whether anybody holds it. Taking over a run forgets
	// that it was asked.
	CancelRun(ctx context.Context, id string, grace time.Duration) (carried bool, err error)
	// CancelAsked reports whether a run is to be stopped, and what is granted.
	CancelAsked(ctx context.Context, id string) (grace time.Duration, asked bool, err error)
}

// TicketStore is the write-ahead journal of asynchronous work.
type TicketStore interface {
	// PutTicket stores a ticket durably, replacing an earlier state of it.
	PutTicket(ctx context.Context, runID string, ticket connector.Ticket) error
	// OpenTickets returns the run's tickets that are not DONE.
	OpenTickets(ctx context.Context, runID string) ([]connector.Ticket, error)
}

// Ledger is the budget of connections: units spent per pool over a rolling
// window, and leases granted and not yet spent. No sequence of concurrent calls,
// of any number of processes, grants more than a pool's capacity in any window.
// Rates of limits are kept as pools too: see [connector.Limit.RatePool].
type Ledger interface {
	// Grant leases units of pools to a run, as many of each, or says when to ask
	// again. Units the request returns are taken back first.
	Grant(ctx context.Context, connection, runID string, pools []connector.Pool, request connector.GrantRequest, now time.Time) (connector.Grant, error)
	// Spend books usage: against the run's leases first. What the app says is
	// left bounds what is granted for the next 15 minutes, whatever capacity a
	// pool was given: beyond it the app would refuse.
	Spend(ctx context.Context, connection, runID string, usage []connector.Usage, now time.Time) error
	// Release gives back the unspent leases of a run.
	Release(ctx context.Context, runID string) error
	// Forfeit books the unspent leases of a run as spent: those of a process
	// that died, which may have spent them without a word. Taking over a run
	// does the same.
	Forfeit(ctx context.Context, runID string, now time.Time) error
	// Left returns what may still be spent of a pool now.
	Left(ctx context.Context, connection string, pool connector.Pool, now time.Time) (int64, error)
	// Said returns what the app itself says is left of a pool, while that bounds
	// what is granted.
	Said(ctx context.Context, connection string, pool connector.Pool, now time.Time) (units int64, believed bool, err error)
}

// Launcher starts connectors.
type Launcher interface {
	// Launch starts an installed connector. The caller closes it. What the
	// connector writes to stderr is kept and found in LastWords.
	Launch(ctx context.Context, ref ConnectorRef) (RunningConnector, error)
}

// RunningConnector is a launched connector.
type RunningConnector interface {
	connector.Connector
	// LastWords returns the last lines written to stderr, at most 64 KiB.
	LastWords() string
	// Close ends the process and waits for it.
	Close() error
}

// MemoryTeller is a running connector that can say how many bytes of memory its
// process holds.
type MemoryTeller interface {
	Memory() (bytes int64, known bool)
}

// Event is something the CLI and the UI may watch. One field is set.
type Event struct {
	Time     time.Time
	RunID    string
	Sync     string
	Plan     *PlanReport
	Progress *connector.Progress
	// Outcomes are counts so far (outbound).
	Outcomes map[connector.Status]int64
	// Stream is a stream's progress (inbound).
	Stream   *StreamResult
	Ticket   *connector.Ticket
	Finished *Run
}

// Watcher receives events. It must not block for long.
type Watcher interface{ Watch(Event) }
