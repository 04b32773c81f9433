package runner

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sluiceio/sluice/connector"
)

// RunOptions adjusts [Engine.Run].
type RunOptions struct {
	// Limit bounds the number of records of an outbound run; 0 for all.
	Limit int64
	// Deadline is how long the run may take; 0 for what the sync says, which is
	// as long as it needs unless it was given a deadline.
	Deadline time.Duration
	// Resync sends every record again (outbound), or forgets the cursors and
	// reads everything again (inbound).
	Resync bool
	// Beside is the number of runs that the caller starts at once on the same
	// connection, this one included; 0 means one. Together with those under way
	// they share what the app allows at once.
	Beside int
}

// Run runs a sync once. An unfinished run of it, left behind by a crash or
// waiting for the app, is resumed first; when that is over a new run follows,
// unless it failed or was stopped: then the resumed run is returned. The
// deadline holds for both together.
//
// The error is nil when the run has ended in a state of its own, RunFailed and
// RunDelayed included: then Run.Error says why. It is not nil when there is
// nothing to run; when the run was refused before anything was sent, because
// the connector could not be opened or the plan not be made (a [PlanError];
// the returned run is Failed); and when the store or the warehouse failed, or a
// run that goes on could not be carried further: then the returned run is
// Delayed, and can be resumed.
//
// When the context is cancelled, or somebody asks for it with [Engine.Cancel],
// the connector is asked to stop; it has [StopGrace], or as long as was granted,
// to settle what it holds, then it is killed. The run ends as Delayed,
// everything settled so far stays settled, and the next run goes on.
func (e *Engine) Run(ctx context.Context, syncName string, options RunOptions) (Run, error) {
	if err := ctx.Err(); err != nil {
		return Run{}, fmt.Errorf("sync %s was not run: %w", syncName, err)
	}
	sync, err := e.store.Sync(ctx, syncName)
	if err != nil {
		return Run{}, fmt.Errorf("sync %s: %w", syncName, err)
	}
	release, err := e.claim(sync)
	if err != nil {
		return Run{}, err
	}
	defer release()
	if options.Deadline == 0 {
		options.Deadline = sync.Deadline
	}
	open, found, err := e.store.OpenRun(ctx, syncName)
	if err != nil {
		return Run{}, fmt.Errorf("looking for an unfinished run of sync %s: %w", syncName, err)
	}
	if found {
		began := e.now()
		resumed, err := e.carry(ctx, sync, open, RunOptions{Deadline: options.Deadline, Beside: options.Beside}, false)
		if err != nil || resumed.Open() || resumed.State == RunFailed || wasStopped(resumed.Error) {
			return resumed, err
		}
		if options.Deadline > 0 {
			if options.Deadline -= e.now().Sub(began); options.Deadline <= 0 {
				return resumed, nil
			}
		}
	}
	return e.carry(ctx, sync, Run{ID: e.runID(), Sync: sync.Name, Direction: sync.Direction()}, options, true)
}

// Resume continues one unfinished run. A run that is finished is returned as it
// is, one that another process holds is refused with [ErrRunning]. Errors and
// cancellation are as for [Engine.Run].
func (e *Engine) Resume(ctx context.Context, runID string) (Run, error) {
	run, err := e.store.Run(ctx, runID)
	if err != nil {
		return Run{}, fmt.Errorf("run %s: %w", runID, err)
	}
	if !run.Open() {
		return run, nil
	}
	sync, err := e.store.Sync(ctx, run.Sync)
	if err != nil {
		return run, fmt.Errorf("sync %s of run %s: %w", run.Sync, runID, err)
	}
	release, err := e.claim(sync)
	if err != nil {
		return run, err
	}
	defer release()
	open, found, err := e.store.OpenRun(ctx, run.Sync)
	if err != nil {
		return run, fmt.Errorf("taking over run %s: %w", runID, err)
	}
	if !found || open.ID != runID {
		return run, fmt.Errorf("run %s is held by another process: %w", runID, ErrRunning)
	}
	return e.carry(ctx, sync, open, RunOptions{Deadline: sync.Deadline}, false)
}

// runID returns a new run's id: when it began, and a random end.
func (e *Engine) runID() string {
	return e.now().UTC().Format("20060102-150405") + "-" + strings.ToLower(rand.Text()[:6])
}

// carry takes a run from where it stands to its end.
func (e *Engine) carry(user context.Context, sync Sync, run Run, options RunOptions, fresh bool) (Run, error) {
	connection, err := e.store.Connection(user, sync.Connection)
	if err != nil {
		return run, fmt.Errorf("connection %s of sync %s: %w", sync.Connection, sync.Name, err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(user))
	defer cancel()
	// Runs of earlier versions say with their end alone that they are closing.
	run.Closing = run.Closing || run.State == RunRunning && !run.FinishedAt.IsZero()
	var ahead *launching
	if !run.Closing { // otherwise nothing is left for the connector
		ahead = e.launchAhead(ctx, connection.Connector)
	}
	warehouse, err := e.warehouse.acquire(ctx)
	if err != nil {
		ahead.abandon()
		return run, fmt.Errorf("opening the warehouse: %w", err)
	}
	now := e.now()
	run.State, run.Error, run.Stderr, run.Deadline = RunRunning, keptError(run), "", time.Time{}
	if options.Deadline > 0 {
		run.Deadline = now.Add(options.Deadline)
	}
	if fresh {
		run.StartedAt = now
	}
	w := &work{
		engine: e, ctx: ctx, sync: sync, accounts: newAccounts(connection, sync), warehouse: warehouse, stop: newStopper(), fresh: fresh,
		bookDue: make(chan struct{}, 1), cancels: make(chan time.Duration, 1), beside: options.Beside,
		log:   e.log.With("sync", sync.Name, "run", run.ID),
		ahead: ahead, connection: connection, run: run, usage: newUsageBook(run.Usage), shown: map[string]time.Time{},
	}
	if err := w.begin(fresh); err != nil {
		ahead.abandon()
		return run, errors.Join(err, warehouse.Close())
	}
	err = w.attended(user, func() error { return w.carry(options) })
	return w.finish(err)
}

// keptError is what a run that only wants closing failed for; a run that goes on
// starts with a clean slate.
func keptError(run Run) *connector.Error {
	if !run.Closing {
		return nil
	}
	return run.Error
}

// begin stores a new run, or the fact that an old one goes on.
func (w *work) begin(fresh bool) error {
	if !fresh {
		return w.save()
	}
	if err := w.engine.store.StartRun(w.ctx, w.run); err != nil {
		return fmt.Errorf("starting a run of sync %s: %w", w.sync.Name, err)
	}
	return nil
}

// attended does the work of a run while its books are kept and stops are heard.
func (w *work) attended(user context.Context, do func() error) error {
	over := make(chan struct{})
	var background sync.WaitGroup
	background.Go(func() { w.stopOn(user, over) })
	background.Go(func() { w.keepBooks(over) })
	err := do()
	close(over)
	background.Wait()
	return err
}

// carry opens the connection and does what the sync's direction asks for.
func (w *work) carry(options RunOptions) error {
	if !w.run.Closing {
		if err := w.spawn(); err != nil {
			return w.refuse(err)
		}
	}
	if w.sync.Outbound != nil {
		return w.outbound(options)
	}
	return w.inbound(options)
}

// errRunStopped says that a run was stopped before it came to its end.
var errRunStopped = errors.New("the run was stopped")

// wasStopped reports whether a run ended because somebody, or its deadline,
// asked for it.
func wasStopped(err *connector.Error) bool {
	return err != nil && (err.Code == codeCancelled || err.Code == codeDeadline)
}

// refuse ends a run for which nothing was planned yet as Failed; one that has, or
// may have, an outbox stays resumable. It returns the error, or that the run was
// stopped.
func (w *work) refuse(err error) error {
	if w.stop.why() != nil {
		return errRunStopped
	}
	var plan *PlanError
	isPlan := errors.As(err, &plan)
	// A run that goes on may have an outbox that its books do not know of yet,
	// unless the warehouse has just refused to make one.
	clean := w.fresh || isPlan || w.sync.Inbound != nil
	w.update(func(r *Run) {
		r.Error = connector.AsError(err)
		if isPlan {
			r.Error = &connector.Error{Class: connector.ClassConfig, Code: strings.ToUpper(string(plan.Kind)), Message: plan.Message, Cause: err}
		}
		if clean && r.Records == 0 && r.Streams == nil {
			r.State, r.FinishedAt = RunFailed, w.engine.now()
		}
	})
	return err
}

// leave lets a run that did not come to its end wait to be resumed, and says why.
func (w *work) leave(failure error) {
	w.update(func(r *Run) {
		if r.State != RunRunning {
			return
		}
		r.State = RunDelayed
		if stopped := w.stop.why(); errors.Is(failure, errRunStopped) {
			r.Error = stopped
			return
		}
		if r.Error == nil {
			r.Error = connector.AsError(failure)
		}
		told := *r.Error
		told.Help = append(slices.Clone(told.Help), connector.Help{
			Description: "nothing is lost: the next run of the sync goes on where this one is, and so does sluice runs resume " + r.ID,
		})
		r.Error = &told
	})
}

// named has an error that is the connector's own affair name it.
func (w *work) named(err *connector.Error) *connector.Error {
	if err == nil || !slices.Contains([]connector.Class{connector.ClassInternal, connector.ClassTransient, connector.ClassTooLarge}, err.Class) {
		return err
	}
	prefix := "connector " + w.connection.Connector
	if strings.Contains(err.Message, prefix) {
		return err
	}
	told := *err
	told.Message = prefix + ": " + err.Message
	return &told
}

// finish ends the connector, settles the budget and writes the run down.
func (w *work) finish(failure error) (Run, error) {
	w.dismiss()
	var failures []error
	if failure != nil {
		w.leave(failure)
		if !errors.Is(failure, errRunStopped) {
			failures = append(failures, failure)
		}
	}
	if failure == nil { // otherwise it is the host's own
		w.update(func(r *Run) { r.Error = w.named(r.Error) })
	}
	note := func(err error, doing string) {
		if err != nil {
			failures = append(failures, fmt.Errorf("%s: %w", doing, err))
		}
	}
	note(w.bookUsage(), "ending run "+w.run.ID)
	note(w.engine.store.Release(w.ctx, w.run.ID), "giving back the budget of run "+w.run.ID)
	note(w.warehouse.Close(), "closing the warehouse")
	if err := w.save(); err != nil {
		failures = append(failures, err)
	}
	run := w.snapshot()
	w.show(Event{Finished: &run})
	return run, errors.Join(failures...)
}
