package runner

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/sluiceio/sluice/connector"
)

// stallAfter is how long a connector may say nothing before it is taken for
// dead: six times the 10 seconds within which it must report.
const stallAfter = time.Minute

// connectorMemory is how much memory a connector may hold: ten times what one
// with five chunks of 25 MB under way takes. It is looked at every memoryEvery.
const (
	connectorMemory = 2 << 30
	memoryEvery     = time.Second
)

// killGrace is how long a connector has to return once its context is
// cancelled, before its process is ended; and again before it is given up.
const killGrace = 2 * time.Second

// converse runs one conversation and sees that it ends: when the connector
// returns, when a stop has outlasted its deadline, when nothing was heard for
// too long, or when the host itself failed. A connector that panics, in process,
// is one that failed.
func (w *work) converse(h *host, failed <-chan error, talk func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(w.ctx)
	defer cancel(nil)
	done := make(chan error, 1)
	go func() { done <- guarded(ctx, talk) }()
	err, ended := w.watch(h, failed, done)
	if !ended {
		cancel(err)
		w.kill(done)
	}
	if !ended || died(err) {
		w.forfeit()
	}
	return err
}

// died reports whether a connector went without a last word: by the codes that
// hosts give to a lost connector.
func died(err error) bool {
	if err == nil {
		return false
	}
	return slices.Contains([]string{"CONNECTOR_EXITED", "CONNECTOR_LOST", "CONNECTOR_STALLED"}, connector.AsError(err).Code)
}

// forfeit gives up the budget that a lost connector held: it may have spent it
// without a word.
func (w *work) forfeit() {
	err := w.bookUsage()
	if err == nil {
		err = w.engine.store.Forfeit(w.ctx, w.run.ID, w.engine.now())
	}
	if err != nil {
		w.log.Warn("the budget of a lost connector was not booked", "error", err)
	}
}

// guarded calls talk and turns a panic into an error.
func guarded(ctx context.Context, talk func(context.Context) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = connector.Errorf(connector.ClassInternal, "PANIC", "the connector panicked: %v", p)
		}
	}()
	return talk(ctx)
}

// watch waits for the end of a conversation. It returns false when the
// conversation must be broken off for the error returned.
func (w *work) watch(h *host, failed, done <-chan error) (error, bool) {
	pulse := time.NewTicker(w.engine.stall / 12)
	defer pulse.Stop()
	weigh := time.NewTicker(memoryEvery)
	defer weigh.Stop()
	asked := w.stop.asked
	late := time.NewTimer(time.Hour)
	late.Stop()
	defer late.Stop()
	for {
		select {
		case err := <-done:
			return err, true
		case err := <-failed:
			return err, false
		case <-asked:
			asked = nil
			late.Reset(w.stop.deadline().Sub(w.engine.now()))
		case <-w.stop.sooner:
			late.Reset(w.stop.deadline().Sub(w.engine.now()))
		case <-late.C:
			return connector.Errorf(connector.ClassCancelled, "STOP_IGNORED", "the connector did not stop in time and was ended"), false
		case <-weigh.C:
			if held := w.connectorMemory(); held > w.engine.memory {
				return connector.Errorf(connector.ClassInternal, "MEMORY",
					"the connector held %d MB of memory, more than the %d MB it may have, and was ended", held>>20, w.engine.memory>>20), false
			}
		case <-pulse.C:
			if silent := h.gate.silent(); silent >= w.engine.stall {
				return connector.Errorf(connector.ClassInternal, "STALLED",
					"the connector said nothing for %s and was ended", silent.Round(time.Second)), false
			}
		}
	}
}

// connectorMemory is what the connector holds, 0 where that is not known.
func (w *work) connectorMemory() int64 {
	if w.handle == nil {
		return 0
	}
	teller, ok := w.handle.running.(MemoryTeller)
	if !ok {
		return 0
	}
	held, _ := teller.Memory()
	return held
}

// kill ends the connector's process when it does not return by itself. A
// process that was ended fails its call at once; only a connector in this very
// process can outlive this, and the gate keeps it out.
func (w *work) kill(done <-chan error) {
	select {
	case <-done:
		return
	case <-time.After(killGrace):
	}
	w.dismiss()
	select {
	case <-done:
	case <-time.After(killGrace):
		w.log.Error(fmt.Sprintf("connector %s does not return although it was ended", w.manifest.ID))
	}
}
