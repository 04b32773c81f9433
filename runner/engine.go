package runner

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"
)

// Config composes an [Engine].
type Config struct {
	// Store remembers connections, syncs, runs, tickets and budgets. Required.
	Store Store
	// Warehouse opens the warehouse. The engine opens it once at a time, for all
	// the work under way, and closes it when nothing is under way any more.
	// Required for Plan, Run and Resume.
	Warehouse func(ctx context.Context) (Warehouse, error)
	// Launcher starts connectors. Required.
	Launcher Launcher
	// Templates reads the templates of syncs; nil for a host that renders none.
	Templates Templates
	// Watcher receives events; nil for none.
	Watcher Watcher
	// Logger defaults to one that discards.
	Logger *slog.Logger
	// Now defaults to time.Now.
	Now func() time.Time
	// Patience is how long a connector may say nothing during a sync before it is
	// taken for dead; 0 means a minute. A connector that says at least every 10
	// seconds what it waits for may wait for as long as it takes.
	Patience time.Duration
	// ConnectorMemory is how many bytes of memory a connector's process may hold;
	// one that holds more is ended. 0 means 2 GiB. It is looked at where the
	// launcher's connectors are a [MemoryTeller].
	ConnectorMemory int64
}

// Engine plans and runs syncs. Its methods may be called concurrently; two runs
// of one sync at the same time are refused with [ErrRunning].
type Engine struct {
	store     Store
	warehouse *sharedWarehouse
	launcher  Launcher
	templates Templates
	watcher   Watcher
	log       *slog.Logger
	now       func() time.Time
	stall     time.Duration // how long a connector may be silent
	memory    int64         // how much a connector may hold

	mu      sync.Mutex
	running map[string]string // connections, by the names of the syncs this engine is running
}

// New returns an engine. It refuses a configuration that lacks a required part.
func New(config Config) (*Engine, error) {
	if config.Store == nil {
		return nil, errors.New("runner: Config.Store is missing: give the control store")
	}
	if config.Launcher == nil {
		return nil, errors.New("runner: Config.Launcher is missing: give what launches connectors")
	}
	e := &Engine{
		store: config.Store, warehouse: &sharedWarehouse{open: config.Warehouse}, launcher: config.Launcher,
		templates: config.Templates, watcher: config.Watcher, log: config.Logger, now: config.Now,
		running: map[string]string{},
	}
	if config.Warehouse == nil {
		e.warehouse.open = func(context.Context) (Warehouse, error) {
			return nil, errors.New("no warehouse is configured: name one before planning or running a sync")
		}
	}
	if e.log == nil {
		e.log = slog.New(slog.DiscardHandler)
	}
	if e.now == nil {
		e.now = time.Now
	}
	if e.memory = config.ConnectorMemory; e.memory <= 0 {
		e.memory = connectorMemory
	}
	if e.stall = config.Patience; e.stall <= 0 {
		e.stall = stallAfter
	}
	return e, nil
}

// patience shortens a time in the same measure as the patience with silence.
func (e *Engine) patience(d time.Duration) time.Duration {
	return time.Duration(float64(d) * float64(e.stall) / float64(stallAfter))
}

// claim reserves a sync for one run of this engine and returns how to give it back.
func (e *Engine) claim(sync Sync) (release func(), err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if _, running := e.running[sync.Name]; running {
		return nil, &runningError{sync: sync.Name}
	}
	e.running[sync.Name] = sync.Connection
	return func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		delete(e.running, sync.Name)
	}, nil
}

// underWay counts the runs of this engine on a connection.
func (e *Engine) underWay(connection string) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	n := 0
	for _, other := range e.running {
		if other == connection {
			n++
		}
	}
	return n
}

type runningError struct{ sync string }

func (e *runningError) Error() string {
	return "sync " + e.sync + " is running in this process already: wait for it, or cancel it"
}

func (e *runningError) Unwrap() error { return ErrRunning }
