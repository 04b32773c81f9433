package runner

import (
	"time"

	"github.com/sluiceio/sluice/connector"
)

// The stages of a run, by which [Run.Timings] are kept. They overlap: the app
// works while the next batches are read.
const (
	stageOpen   = "open"   // starting the connector
	stagePlan   = "plan"   // planning in the warehouse
	stageRead   = "read"   // reading the outbox
	stageQueue  = "queue"  // batches waiting for the connector to ask
	stageSend   = "send"   // conversations with the connector, all in all
	stageApp    = "app"    // of these: the connector at work with the app
	stageLimit  = "limit"  // the connector waiting for a limit or a budget
	stageRetry  = "retry"  // the connector backing off after a fault
	stageHost   = "host"   // the connector waiting for the host
	stageAck    = "ack"    // journaling tickets and checkpoints before they are acknowledged
	stageSettle = "settle" // writing outcomes
	stageStore  = "store"  // storing rows
	stageWait   = "wait"   // between two tries
	stageFinish = "finish" // closing the run
)

// pulseEvery is how often the host says what it does when nothing else is heard
// of a run, well within the 10 seconds in which something is to be heard.
const pulseEvery = 4 * time.Second

// stage begins something that the host itself does: it takes time, and is what
// is shown while nothing else is heard of the run.
func (w *work) stage(stage, doing string) (done func()) {
	return w.stageUntil(stage, connector.Progress{Activity: doing})
}

func (w *work) stageUntil(stage string, doing connector.Progress) (done func()) {
	ended := w.timed(stage)
	w.mu.Lock()
	before := w.doing
	w.doing = doing
	w.mu.Unlock()
	return func() {
		w.mu.Lock()
		w.doing = before
		w.mu.Unlock()
		ended()
	}
}

// pulse says what the host does when nothing was shown for a while.
func (w *work) pulse() {
	w.mu.Lock()
	silent := w.engine.now().Sub(w.heard) >= pulseEvery
	doing := w.doing
	w.mu.Unlock()
	if silent && doing.Activity != "" {
		w.show(Event{Progress: &doing})
	}
}

// timed adds the time a stage takes to the run's timings.
func (w *work) timed(stage string) (done func()) {
	start := time.Now()
	return func() { w.took(stage, time.Since(start)) }
}

func (w *work) took(stage string, d time.Duration) {
	if d <= 0 {
		return
	}
	w.update(func(r *Run) {
		if r.Timings == nil {
			r.Timings = map[string]time.Duration{}
		}
		r.Timings[stage] += d
	})
}

// waitClock tells from a connector's reports how long it waited for what: what
// it said last holds until it says something else.
type waitClock struct {
	stage string
	since time.Time
}

// stageOf is the stage that a connector is in, by what it says it waits for.
func stageOf(waiting connector.Waiting) string {
	switch waiting {
	case connector.WaitingLimit, connector.WaitingBudget:
		return stageLimit
	case connector.WaitingRetry:
		return stageRetry
	case connector.WaitingHost:
		return stageHost
	default:
		return stageApp
	}
}

// conversing begins a conversation.
func (w *work) conversing() (done func()) {
	sent := w.stage(stageSend, "waiting for the connector")
	w.enters(stageApp)
	return func() {
		w.enters("")
		sent()
	}
}

// enters notes the stage that the connector enters; "" for none, at the end of a
// conversation.
func (w *work) enters(stage string) {
	w.mu.Lock()
	now := time.Now()
	left, took := w.waits.stage, now.Sub(w.waits.since)
	w.waits = waitClock{stage: stage, since: now}
	w.mu.Unlock()
	if left != "" {
		w.took(left, took)
	}
}
