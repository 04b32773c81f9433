package runner

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/sluiceio/sluice/connector"
)

// StopGrace is how long a connector has to settle what it holds after it was
// asked to stop, before it is killed.
const StopGrace = 5 * time.Second

// The codes of what a run ends for that was stopped.
const (
	codeCancelled = "CANCELLED"
	codeDeadline  = "DEADLINE"
)

// stopper holds the one request to stop that a run may receive, and passes it
// on to the conversation going on and to every later one.
type stopper struct {
	mu      sync.Mutex
	request *connector.Stop
	reason  *connector.Error
	asked   chan struct{} // closed when the request arrives
	sooner  chan struct{} // has room for one: the deadline was brought forward
	inboxes []chan connector.Stop
}

func newStopper() *stopper {
	return &stopper{asked: make(chan struct{}), sooner: make(chan struct{}, 1)}
}

// ask asks the run to stop. Of a later request only an earlier deadline counts:
// who drains is cut off sooner.
func (s *stopper) ask(request connector.Stop, reason *connector.Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.request != nil {
		if !request.Deadline.IsZero() && request.Deadline.Before(s.request.Deadline) {
			s.request.Deadline, s.reason = request.Deadline, reason
			select {
			case s.sooner <- struct{}{}:
			default:
			}
		}
		return
	}
	s.request, s.reason = &request, reason
	close(s.asked)
	for _, inbox := range s.inboxes {
		inbox <- request // has room for it
		close(inbox)
	}
	s.inboxes = nil
}

// inbox returns a channel as [connector.Host] promises it.
func (s *stopper) inbox() <-chan connector.Stop {
	s.mu.Lock()
	defer s.mu.Unlock()
	inbox := make(chan connector.Stop, 1)
	if s.request != nil {
		inbox <- *s.request
		close(inbox)
		return inbox
	}
	s.inboxes = append(s.inboxes, inbox)
	return inbox
}

// why returns the reason to stop, nil as long as nobody asked.
func (s *stopper) why() *connector.Error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reason
}

// deadline returns when a requested stop must be over.
func (s *stopper) deadline() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.request == nil {
		return time.Time{}
	}
	return s.request.Deadline
}

// stopOn asks the run to stop when the user's context ends, when somebody cancels
// it, or when the run's deadline is near, and returns when the run is over.
func (w *work) stopOn(user context.Context, over <-chan struct{}) {
	var near <-chan time.Time
	deadline := w.run.Deadline
	if !deadline.IsZero() {
		left := deadline.Sub(w.engine.now())
		timer := time.NewTimer(left - min(StopGrace, left/2))
		defer timer.Stop()
		near = timer.C
	}
	gone := user.Done()
	for {
		select {
		case <-over:
			return
		case <-gone:
			gone = nil
			w.cancel(0)
		case <-near:
			near = nil
			w.stop.ask(connector.Stop{Mode: connector.StopNow, Deadline: deadline},
				&connector.Error{Class: connector.ClassCancelled, Code: codeDeadline, Message: "the run reached its deadline; the next run goes on"})
		case grace := <-w.cancels:
			w.cancel(grace)
		}
	}
}

// cancel asks the run to stop: what is in hand may be finished within the grace,
// if there is one, and is settled as it stands after it.
func (w *work) cancel(grace time.Duration) {
	mode := connector.StopDrain
	if grace <= StopGrace {
		mode, grace = connector.StopNow, StopGrace
	}
	w.stop.ask(connector.Stop{Mode: mode, Deadline: w.engine.now().Add(grace)},
		&connector.Error{Class: connector.ClassCancelled, Code: codeCancelled, Message: "the run was cancelled; the next run goes on"})
}

// hearCancel looks whether somebody has asked to cancel the run.
func (w *work) hearCancel() error {
	grace, asked, err := w.engine.store.CancelAsked(w.ctx, w.run.ID)
	if err != nil || !asked {
		return err
	}
	select {
	case w.cancels <- grace:
	default: // it was heard before
	}
	return nil
}

// untilStopped returns a context for work of the host's own that a stop
// interrupts, since nothing was sent yet.
func (w *work) untilStopped() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(w.ctx)
	over := make(chan struct{})
	go func() {
		defer close(over)
		select {
		case <-w.stop.asked:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, func() { cancel(); <-over }
}

// Cancel asks whoever carries a run, in this process or another, to stop it. What
// is in hand may be finished within the grace; with none it is settled as it
// stands, within [StopGrace]. It returns at once: the run ends as Delayed soon
// after, and the next run of the sync goes on. A run that nobody carries is an
// error of class CONFIG that says what to do.
func (e *Engine) Cancel(ctx context.Context, runID string, grace time.Duration) error {
	run, err := e.store.Run(ctx, runID)
	if err != nil {
		return fmt.Errorf("run %s: %w", runID, err)
	}
	if !run.Open() {
		return connector.Errorf(connector.ClassConfig, "RUN_OVER", "run %s is over: it ended as %s", runID, run.State)
	}
	carried, err := e.store.CancelRun(ctx, runID, grace)
	if err != nil {
		return fmt.Errorf("cancelling run %s: %w", runID, err)
	}
	if !carried {
		return connector.Errorf(connector.ClassConfig, "NOT_RUNNING",
			"no process is carrying run %s, so there is nothing to cancel: it waits to be resumed by the next run of sync %s, or by sluice runs resume %s", runID, run.Sync, runID)
	}
	return nil
}
