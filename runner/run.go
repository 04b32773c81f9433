package runner

import (
	"context"
	"errors"
	"time"
)

// RunOptions adjusts [Engine.Run].
type RunOptions struct {
	// Limit bounds the number of records of an outbound run; 0 for all.
	Limit int64
	// Deadline is how long the run may take; 0 for as long as it needs.
	Deadline time.Duration
	// Resync sends every record again (outbound), or forgets the cursors and
	// reads everything again (inbound).
	Resync bool
}

// Run runs a sync once. An unfinished run of it, left behind by a crash or
// waiting for the app, is resumed first; when that ends as Healthy or
// Incomplete, a new run follows, otherwise the resumed run is returned.
//
// The error is nil when the run has ended in a state of its own, RunFailed and
// RunDelayed included: then Run.Error says why. It is not nil when there is
// nothing to run, when planning was refused (then it is a [PlanError] and the
// returned run is Failed), and when the store or the warehouse failed; in the
// last case the run can be resumed.
//
// When the context is cancelled the connector is asked to stop at once; it has
// [StopGrace] to settle what it holds, then it is killed. The run ends as
// Delayed, everything settled so far stays settled, and the next run goes on.
func (e *Engine) Run(ctx context.Context, syncName string, options RunOptions) (Run, error) {
	return Run{}, errors.ErrUnsupported
}

// Resume continues one unfinished run. A run that is finished is returned as it
// is. Errors and cancellation are as for [Engine.Run].
func (e *Engine) Resume(ctx context.Context, runID string) (Run, error) {
	return Run{}, errors.ErrUnsupported
}
