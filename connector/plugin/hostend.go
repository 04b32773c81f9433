package plugin

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/connector/internal/wire"
	pb "github.com/sluiceio/sluice/gen/sluice/connector/v1"
)

// hostEnd is the part of the host's half that both directions share.
type hostEnd struct {
	ctx    context.Context // of the call
	cancel context.CancelCauseFunc
	host   connector.Host
	failed func(error) (e *connector.Error, ours bool) // reads the error of a call

	sendGrant func(*pb.Grant) error
	sendStop  func(*pb.Stop) error

	stopSent atomic.Bool  // the connector was asked to stop
	asked    atomic.Int64 // requests for budget that are not answered yet

	helpers sync.WaitGroup
	done    chan struct{} // closed when the conversation is over
	dog     *watchdog
}

func newHostEnd(ctx context.Context, p *Process, host connector.Host) *hostEnd {
	ctx, cancel := context.WithCancelCause(ctx)
	h := &hostEnd{ctx: ctx, cancel: cancel, host: host, failed: p.failed, done: make(chan struct{})}
	h.dog = &watchdog{last: "starting", bite: cancel}
	return h
}

// end stops the helpers and waits for them.
func (h *hostEnd) end() {
	close(h.done)
	h.cancel(nil)
	h.helpers.Wait()
}

// watchStop forwards the host's request to stop, and ends the call when its
// deadline has passed.
func (h *hostEnd) watchStop() {
	h.helpers.Go(func() {
		var stop connector.Stop
		select {
		case s, ok := <-h.host.Stop():
			if !ok {
				return
			}
			stop = s
		case <-h.done:
			return
		case <-h.ctx.Done():
			return
		}
		if stop.Deadline.IsZero() {
			stop.Deadline = time.Now().Add(stopPatience) // the contract wants one
		}
		m, err := wire.Stop(stop)
		if err != nil {
			h.cancel(hostBroke("the request to stop", err))
			return
		}
		h.stopSent.Store(true)
		_ = h.sendStop(m) // a broken call shows in Recv
		timer := time.NewTimer(time.Until(stop.Deadline))
		defer timer.Stop()
		select {
		case <-timer.C:
			h.cancel(connector.Errorf(connector.ClassCancelled, "STOP_IGNORED", "the connector did not end before the deadline of the stop"))
		case <-h.done:
		case <-h.ctx.Done():
		}
	})
}

// maxAsked bounds the requests for budget that wait for an answer at once: more
// than any connector has requests under way.
const maxAsked = 1_000

// grant answers a request for budget, without holding up what is received.
func (h *hostEnd) grant(m *pb.GrantRequest) error {
	id, request, err := wire.GrantRequestFrom(m)
	if err != nil {
		return connectorBroke("a request for budget", err)
	}
	if n := h.asked.Add(1); n > maxAsked {
		return connectorBreach("the connector asked for budget %d times without waiting for an answer", n)
	}
	h.helpers.Go(func() {
		defer h.asked.Add(-1)
		if h.ctx.Err() != nil {
			return
		}
		g, err := h.host.Grant(h.ctx, request)
		if err != nil {
			h.cancel(err)
			return
		}
		if g.Units == 0 && g.RetryAt.IsZero() && !g.Unlimited {
			g.RetryAt = time.Now().Add(time.Minute) // the contract wants a time
		}
		g.Pool = request.Pool
		answer, err := wire.Grant(id, g)
		if err != nil {
			h.cancel(hostBroke("a grant", err))
			return
		}
		_ = h.sendGrant(answer) // a broken call shows in Recv
	})
	return nil
}

func (h *hostEnd) usage(m *pb.Usage) error {
	u, err := wire.UsageFrom(m)
	if err == nil {
		h.host.Report(h.ctx, connector.Report{Usage: []connector.Usage{u}})
	}
	return connectorBroke("a report of usage", err)
}

func (h *hostEnd) progress(m *pb.Progress) error {
	p, err := wire.ProgressFrom(m)
	if err != nil {
		return connectorBroke("a report of progress", err)
	}
	h.dog.note(p.Activity)
	h.host.Report(h.ctx, connector.Report{Progress: &p})
	return nil
}

func (h *hostEnd) keep(m *pb.Keep) error {
	k, err := wire.KeepFrom(m)
	if err == nil {
		h.host.Report(h.ctx, connector.Report{Keep: &k})
	}
	return connectorBroke("what is to be kept", err)
}

// lost says why a call ended with err: what this side knows takes precedence.
func (h *hostEnd) lost(err error) error {
	if errors.Is(err, io.EOF) {
		return connectorBreach("the connector ended the call without done")
	}
	e, ours := h.failed(err)
	if !ours && e.Class == connector.ClassCancelled {
		h.awaitCause()
	}
	if cause := context.Cause(h.ctx); cause != nil {
		return connector.AsError(cause)
	}
	if e.Code == codeLost || e.Code == codeExited {
		e.Message += "; this was in the middle of a sync, the last activity: " + h.dog.activity()
	}
	return e
}

// awaitCause gives the sender of a message that gRPC refuses to send, which ends
// the call, a moment to say why.
func (h *hostEnd) awaitCause() {
	timer := time.NewTimer(time.Second)
	defer timer.Stop()
	select {
	case <-h.ctx.Done():
	case <-timer.C:
	}
}

// watchdog ends a call when the connector says nothing for too long.
type watchdog struct {
	bite func(error)

	mu    sync.Mutex
	last  string
	timer *time.Timer
}

// wait starts the time in which something must be heard.
func (w *watchdog) wait() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.timer != nil {
		w.timer.Reset(stall)
		return
	}
	w.timer = time.AfterFunc(stall, func() {
		w.bite(connector.Errorf(connector.ClassTransient, "CONNECTOR_STALLED",
			"the connector has said nothing for %v; the last it said it was doing: %s", stall, w.activity()))
	})
}

// heard stops the time: what follows is the host's own work.
func (w *watchdog) heard() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.timer != nil {
		w.timer.Stop()
	}
}

func (w *watchdog) note(activity string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last = activity
}

func (w *watchdog) activity() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.last
}
