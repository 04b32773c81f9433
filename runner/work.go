package runner

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/sluiceio/sluice/connector"
)

// How often a run under way is written down. The store's lease must be longer
// than a few of these.
const saveEvery = 5 * time.Second

// bookEvery is how long an outcome or a report of usage may wait to be written
// together with others.
const bookEvery = 500 * time.Millisecond

// showEvery bounds how often progress and outcomes are shown to the watcher.
const showEvery = 250 * time.Millisecond

// work is one run under way, of either direction. Its context is not ended by
// the user's: a cancelled run is stopped, not torn.
type work struct {
	engine    *Engine
	ctx       context.Context
	sync      Sync
	accounts  accounts
	warehouse Warehouse
	log       *slog.Logger
	stop      *stopper
	fresh     bool // started by this process, not resumed
	beside    int  // runs the caller starts at once on the connection
	usage     *usageBook
	bookDue   chan struct{}      // has room for one: usage is to be booked at once
	cancels   chan time.Duration // has room for one: somebody cancelled, and grants this long
	ahead     *launching         // nil when there is none, or no longer
	handle    *handle
	manifest  connector.Manifest

	mu         sync.Mutex
	connection Connection
	run        Run
	shown      map[string]time.Time
	heard      time.Time          // when something was shown last
	doing      connector.Progress // what the host does
	waits      waitClock
}

// answerTime is how long a connector may take for an answer before a run begins:
// to start, to say what it is, to list streams. What takes longer is said with
// progress, in a conversation.
const answerTime = 2 * time.Minute

// asking returns a context for a question to the connector, which a stop
// interrupts. Explain names a connector that did not answer in time.
func (w *work) asking() (ctx context.Context, explain func(error) error, done context.CancelFunc) {
	stopped, release := w.untilStopped()
	ctx, cancel := context.WithTimeout(stopped, w.engine.patience(answerTime))
	explain = func(err error) error {
		if err != nil && ctx.Err() != nil && stopped.Err() == nil {
			return connector.Errorf(connector.ClassTransient, "NO_ANSWER",
				"connector %s did not answer within %s and was ended: %w", w.connection.Connector, w.engine.patience(answerTime), err)
		}
		return err
	}
	return ctx, explain, func() { cancel(); release() }
}

// spawn launches the connector and opens the connection, anew if need be.
func (w *work) spawn() error {
	ctx, explain, done := w.asking()
	defer done()
	return explain(w.launch(ctx))
}

func (w *work) launch(ctx context.Context) error {
	defer w.stage(stageOpen, "starting connector "+w.connection.Connector)()
	w.mu.Lock()
	connection := w.connection
	w.mu.Unlock()
	limits := share(limitsFor(connection, w.sync), max(w.beside, w.engine.underWay(connection.Name)))
	running, err := w.started(ctx, connection.Connector)
	if err != nil {
		return err
	}
	h, err := connect(ctx, running, connection, limits)
	if err != nil {
		return err
	}
	manifest, err := h.running.Manifest(ctx)
	if err != nil {
		err = fmt.Errorf("manifest of connector %s: %w", connection.Connector, withLastWords(err, h.running))
		_ = h.close() // the refusal is what the user needs
		return err
	}
	w.handle, w.manifest = h, manifest
	return nil
}

// started returns the connector that was launched ahead, the first time, and a new one
// after that.
func (w *work) started(ctx context.Context, connectorID string) (RunningConnector, error) {
	if ahead := w.ahead; ahead != nil {
		w.ahead = nil
		return ahead.wait(ctx)
	}
	return w.engine.launch(ctx, connectorID)
}

// dismiss ends the connector, keeping its last words with the run.
func (w *work) dismiss() {
	if w.handle == nil {
		return
	}
	h := w.handle
	w.handle = nil
	if err := h.close(); err != nil {
		w.log.Warn("the connector did not end well", "error", err)
	}
	words := h.running.LastWords()
	w.update(func(r *Run) {
		if words != "" {
			r.Stderr = words
		}
	})
}

// update changes the run's books.
func (w *work) update(change func(*Run)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change(&w.run)
}

// snapshot returns a copy of the run's books.
func (w *work) snapshot() Run {
	w.mu.Lock()
	defer w.mu.Unlock()
	run := w.run
	run.Outcomes = maps.Clone(run.Outcomes)
	run.Streams = slices.Clone(run.Streams)
	run.Timings = maps.Clone(run.Timings)
	run.Usage = w.usage.totals()
	return run
}

// save writes the run down. The causes of errors stay behind: they are Go values
// of this process.
func (w *work) save() error {
	run := w.snapshot()
	run.Error = withoutCause(run.Error)
	for i := range run.Streams {
		run.Streams[i].Error = withoutCause(run.Streams[i].Error)
	}
	if err := w.engine.store.SaveRun(w.ctx, run); err != nil {
		return fmt.Errorf("writing down run %s: %w", run.ID, err)
	}
	return nil
}

// keepBooks writes the run and its spending down again and again until over.
func (w *work) keepBooks(over <-chan struct{}) {
	save := time.NewTicker(saveEvery)
	defer save.Stop()
	book := time.NewTicker(bookEvery)
	defer book.Stop()
	pulse := time.NewTicker(pulseEvery)
	defer pulse.Stop()
	for {
		var err error
		select {
		case <-over:
			return
		case <-save.C:
			err = w.save()
		case <-book.C:
			err = errors.Join(w.bookUsage(), w.hearCancel())
		case <-w.bookDue:
			err = w.bookUsage()
		case <-pulse.C:
			w.pulse()
		}
		if err != nil {
			w.log.Warn("the books of the run are behind", "error", err)
		}
	}
}

func (w *work) bookUsage() error {
	return w.usage.flush(w.ctx, func(ctx context.Context, usage []connector.Usage) error {
		return w.engine.store.Spend(ctx, w.sync.Connection, w.run.ID, w.accounts.charges(usage), w.engine.now())
	})
}

// bookNow has usage booked without waiting for more.
func (w *work) bookNow() {
	select {
	case w.bookDue <- struct{}{}:
	default: // it is due already
	}
}

// blame names a defect of the connector: in the log, and in the run when it is
// the first.
func (w *work) blame(defect *connector.Error) {
	w.log.Error("the connector broke the contract", "code", defect.Code, "defect", defect.Message)
	w.update(func(r *Run) {
		if r.Error == nil {
			r.Error = defect
		}
	})
}

func withoutCause(e *connector.Error) *connector.Error {
	if e == nil || e.Cause == nil {
		return e
	}
	c := *e
	c.Cause = nil
	return &c
}
