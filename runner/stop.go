package runner

import (
	"context"
	"sync"
	"time"

	"github.com/sluiceio/sluice/connector"
)

// StopGrace is how long a connector has to settle what it holds after it was
// asked to stop, before it is killed.
const StopGrace = 5 * time.Second

// stopper holds the one request to stop that a run may receive, and passes it
// on to the conversation going on and to every later one.
type stopper struct {
	mu      sync.Mutex
	request *connector.Stop
	reason  *connector.Error
	asked   chan struct{} // closed when the request arrives
	inboxes []chan connector.Stop
}

func newStopper() *stopper { return &stopper{asked: make(chan struct{})} }

// ask asks the run to stop. Only the first request counts.
func (s *stopper) ask(request connector.Stop, reason *connector.Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.request != nil {
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

// stopOn asks the run to stop when the user's context ends, or when the run's
// deadline is near, and returns when the run is over.
func (w *work) stopOn(user context.Context, over <-chan struct{}) {
	var near <-chan time.Time
	deadline := w.run.Deadline
	if !deadline.IsZero() {
		left := deadline.Sub(w.engine.now())
		timer := time.NewTimer(left - min(StopGrace, left/2))
		defer timer.Stop()
		near = timer.C
	}
	select {
	case <-over:
	case <-user.Done():
		w.stop.ask(connector.Stop{Mode: connector.StopNow, Deadline: w.engine.now().Add(StopGrace)},
			&connector.Error{Class: connector.ClassCancelled, Code: "CANCELLED", Message: "the run was cancelled; the next run goes on"})
	case <-near:
		w.stop.ask(connector.Stop{Mode: connector.StopNow, Deadline: deadline},
			&connector.Error{Class: connector.ClassCancelled, Code: "DEADLINE", Message: "the run reached its deadline; the next run goes on"})
	}
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
