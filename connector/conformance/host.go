package conformance

import (
	"context"
	"sync"
	"time"

	"github.com/sluiceio/sluice/connector"
)

// hearing is the part of a recording host that both directions share. Once it
// is sealed nothing but late changes.
type hearing struct {
	mu     sync.Mutex
	sealed bool
	late   int // calls after the conversation was over

	last      time.Time // something was heard
	gap       time.Duration
	said      []saying
	wordless  int // reports of progress without an activity
	progress  int
	usage     []connector.Usage
	keep      connector.Keep
	stop      chan connector.Stop
	asked     bool // a stop was asked for
	deadline  time.Time
	cancel    context.CancelFunc
	cancelled time.Time
	returned  time.Time
}

func newHearing() hearing { return hearing{last: time.Now(), stop: make(chan connector.Stop, 1)} }

// hear notes that the connector called, and whether it still may. The lock is
// held.
func (h *hearing) hear() bool {
	if h.sealed {
		h.late++
		return false
	}
	h.gap = max(h.gap, time.Since(h.last))
	h.last = time.Now()
	return true
}

// seal ends the conversation.
func (h *hearing) seal() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.hear()
	h.sealed, h.returned = true, time.Now()
}

func (h *hearing) lateCalls() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.late
}

// tell remembers texts that must hold no secret. The lock is held.
func (h *hearing) tell(where string, texts ...string) {
	for _, t := range texts {
		if t != "" {
			h.said = append(h.said, saying{where, t})
		}
	}
}

// ask asks for a stop, once. The lock is held.
func (h *hearing) askStop(mode connector.StopMode, within time.Duration) {
	if h.asked {
		return
	}
	h.asked, h.deadline = true, time.Now().Add(within)
	h.stop <- connector.Stop{Mode: mode, Deadline: h.deadline}
}

// cancelNow cancels the conversation, once. The lock is held.
func (h *hearing) cancelNow() {
	if h.cancelled.IsZero() && h.cancel != nil {
		h.cancelled = time.Now()
		h.cancel()
	}
}

// Report takes a report.
func (h *hearing) Report(_ context.Context, r connector.Report) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.hear() {
		return
	}
	if p := r.Progress; p != nil {
		h.progress++
		if p.Activity == "" {
			h.wordless++
		}
		h.tell("a report of progress", p.Activity, p.Stream)
	}
	h.usage = append(h.usage, r.Usage...)
	if r.Keep != nil {
		h.keep.Parameters = merged(h.keep.Parameters, r.Keep.Parameters)
		h.keep.Secrets = merged(h.keep.Secrets, r.Keep.Secrets)
	}
}

// Grant keeps no ledger.
func (h *hearing) Grant(_ context.Context, r connector.GrantRequest) (connector.Grant, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.hear()
	return connector.Grant{Pool: r.Pool, Units: r.Units, Unlimited: true}, nil
}

// Stop delivers the request to stop.
func (h *hearing) Stop() <-chan connector.Stop { return h.stop }

// pause waits, unless the context ends.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// heard takes what a conversation left behind into the examination.
func (x *exam) heard(where string, h *hearing) {
	for _, s := range h.said {
		x.said = append(x.said, saying{where + ", " + s.where, s.text})
	}
	x.kept.Parameters = merged(x.kept.Parameters, h.keep.Parameters)
	x.kept.Secrets = merged(x.kept.Secrets, h.keep.Secrets)
	for name, values := range h.keep.Parameters {
		for _, v := range values {
			x.say(where+", the parameter "+name+" to keep in clear", v)
		}
	}
	if h.gap > x.options.Quiet {
		x.silent = append(x.silent, where+": nothing was heard for "+h.gap.Round(time.Millisecond).String())
	}
}
