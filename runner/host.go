package runner

import (
	"context"
	"fmt"

	"github.com/sluiceio/sluice/connector"
)

// host answers what a connector asks in both directions. It is half of the
// conversations, and is embedded in them.
type host struct {
	work *work
	gate *gate
	stop <-chan connector.Stop
}

var _ connector.Host = (*host)(nil)

func newHost(w *work) *host {
	return &host{work: w, gate: newGate(w.engine.now()), stop: w.stop.inbox()}
}

// Stop implements [connector.Host].
func (h *host) Stop() <-chan connector.Stop { return h.stop }

// Report implements [connector.Host].
func (h *host) Report(_ context.Context, report connector.Report) {
	if h.gate.enter() != nil {
		return
	}
	defer h.gate.leave()
	if report.Progress != nil {
		h.work.enters(stageOf(report.Progress.Waiting))
		h.work.progress(*report.Progress)
	}
	if len(report.Usage) > 0 {
		h.work.usage.add(report.Usage)
		if h.work.accounts.paced(report.Usage) {
			h.work.bookNow()
		}
	}
	if report.Keep != nil {
		h.keep(*report.Keep)
	}
}

// keep stores what the connector asks to keep. A report cannot fail the sync,
// and a token that was not kept is fetched again, so a failure is only logged.
func (h *host) keep(keep connector.Keep) {
	w := h.work
	if err := w.engine.store.KeepWithConnection(w.ctx, w.connection.Name, keep); err != nil {
		w.log.Warn("what the connector asked to keep was not stored", "error", err)
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.connection.Parameters = merged(w.connection.Parameters, keep.Parameters)
	w.connection.Secrets = merged(w.connection.Secrets, keep.Secrets)
}

// Grant implements [connector.Host]. A pool the connection does not have is the
// connector's own affair.
func (h *host) Grant(ctx context.Context, request connector.GrantRequest) (connector.Grant, error) {
	if err := h.gate.enter(); err != nil {
		return connector.Grant{}, err
	}
	defer h.gate.leave()
	w := h.work
	pools := w.accounts.pools(request.Pool)
	if pools == nil {
		return connector.Grant{Pool: request.Pool, Unlimited: true}, nil
	}
	grant, err := w.engine.store.Grant(ctx, w.connection.Name, w.run.ID, pools, request, w.engine.now())
	if err != nil {
		return grant, fmt.Errorf("asking for %d of pool %s: %w", request.Units, request.Pool, err)
	}
	return grant, nil
}
