package runner

import (
	"context"
	"fmt"
	"time"

	"github.com/sluiceio/sluice/connector"
)

// This file alone decides whether records are tried again within a run.

// maxRounds is how often a run goes through its unsettled records: once, and up
// to three times more for those whose outcome was RETRY.
const maxRounds = 4

// maxDeaths is how often a conversation may break down; the connector is
// launched anew after the first time only.
const maxDeaths = 1

// Waits between rounds: firstWait, doubled each time, or longer where the app
// said so; beyond maxWait the next run is the better place.
const (
	firstWait = time.Second
	maxWait   = 15 * time.Minute
)

// roundEnd is what one conversation came to.
type roundEnd struct {
	// err is why the conversation failed as a whole.
	err error
	// retries counts the outcomes RETRY; retryAfter is the longest wait asked for.
	retries    int64
	retryAfter time.Duration
	// lost counts the records that were neither settled nor held by a ticket.
	lost int64
	// unpulled counts the records the connector did not ask for.
	unpulled int64
	// open counts the tickets still to be finished by the app.
	open int
}

// verdict says how a run goes on.
type verdict struct {
	again bool
	wait  time.Duration
	// err is why the run ends early; nil when it simply is over.
	err *connector.Error
}

// judge decides after each round.
type judge struct {
	rounds, deaths int
}

// decide judges the end of a round. Stopped is why the run was asked to stop, if
// it was; left is the time until the run's deadline, or a negative number for none.
func (j *judge) decide(end roundEnd, stopped *connector.Error, left time.Duration) verdict {
	j.rounds++
	if stopped != nil {
		return verdict{err: stopped}
	}
	if end.err != nil {
		return j.afterFailure(end, left)
	}
	if end.lost > 0 {
		return verdict{err: defect("it ended without an outcome for %d records", end.lost)}
	}
	if end.unpulled > 0 {
		return verdict{err: defect("it returned without having asked for %d records", end.unpulled)}
	}
	if end.retries == 0 && end.open == 0 {
		return verdict{}
	}
	if j.rounds >= maxRounds {
		return verdict{}
	}
	return j.again(end.retryAfter, left, nil)
}

// afterFailure judges a conversation that failed as a whole.
func (j *judge) afterFailure(end roundEnd, left time.Duration) verdict {
	err := connector.AsError(end.err)
	switch err.Class {
	case connector.ClassRateLimited:
		if j.rounds >= maxRounds {
			return verdict{err: err}
		}
	case connector.ClassTransient, connector.ClassInternal, connector.ClassCancelled:
		if j.deaths++; j.deaths > maxDeaths || brokeContract(err) {
			return verdict{err: err}
		}
	default:
		return verdict{err: err}
	}
	return j.again(max(end.retryAfter, err.RetryAfter), left, err)
}

// again asks for another round after a wait, unless the wait is too long.
func (j *judge) again(asked, left time.Duration, err *connector.Error) verdict {
	wait := max(firstWait<<(j.rounds-1), asked)
	if wait > maxWait || left >= 0 && wait >= left {
		if err == nil {
			err = connector.Errorf(connector.ClassRateLimited, "RETRY_LATER",
				"another try would have to wait %s; the next run makes it", wait.Round(time.Second))
		}
		return verdict{err: err}
	}
	return verdict{again: true, wait: wait, err: err}
}

// rounds goes through the outbox until the judge has had enough.
func (r *outboundRun) rounds() (verdict, error) {
	open, err := r.openTickets()
	if err != nil {
		return verdict{}, err
	}
	var judge judge
	for r.pending() || len(open) > 0 {
		end, err := r.round(open)
		if err != nil {
			return verdict{}, err
		}
		if end.err != nil {
			end.err = r.lastWords(end.err)
			r.dismiss()
		}
		unsettled, err := r.recount()
		if err != nil {
			return verdict{}, err
		}
		if end.open == 0 {
			end.unpulled = max(0, unsettled-end.lost)
		}
		v := judge.decide(end, r.stop.why(), r.timeLeft())
		if !v.again {
			return v, nil
		}
		r.log.Info("another round", "wait", v.wait, "retries", end.retries, "tickets", end.open, "after", v.err)
		if stopped := r.pause(v.wait); stopped != nil {
			return verdict{err: stopped}, nil
		}
		if open, err = r.openTickets(); err != nil {
			return verdict{}, err
		}
	}
	return verdict{}, nil
}

// pending reports whether any record is without a final outcome.
func (r *outboundRun) pending() bool {
	run := r.snapshot()
	for status, n := range run.Outcomes {
		if status != connector.StatusRetry {
			run.Records -= n
		}
	}
	return run.Records > 0
}

// timeLeft returns the time until a stop for the deadline, negative for never.
func (w *work) timeLeft() time.Duration {
	if w.run.Deadline.IsZero() {
		return -1
	}
	return max(0, w.run.Deadline.Sub(w.engine.now())-StopGrace)
}

// pause waits between rounds, and returns why the run is to stop, if it is.
func (w *work) pause(wait time.Duration) *connector.Error {
	waiting := connector.Progress{Activity: "waiting for another try", Waiting: connector.WaitingRetry, Until: w.engine.now().Add(wait)}
	defer w.stageUntil(stageWait, waiting)()
	w.progress(waiting)
	select {
	case <-time.After(wait):
	case <-w.stop.asked:
	}
	return w.stop.why()
}

// lastWords adds the connector's last words to the failure of a conversation.
func (w *work) lastWords(err error) error {
	if w.handle == nil {
		return err
	}
	told := withLastWords(err, w.handle.running)
	e := *connector.AsError(err)
	e.Message, e.Cause = clean(told.Error(), maxMessage), err
	return &e
}

// end brings the books of a conversation in order: every ticket ends, or waits
// for the app; what is left over is counted.
func (c *conversation) end(failure error) (roundEnd, error) {
	if err := c.run.flush(); err != nil {
		return roundEnd{}, err
	}
	end := roundEnd{err: failure, retries: c.retries, retryAfter: c.retryAfter}
	lost := newSeqSet(c.held.ranges...)
	for _, id := range c.order {
		t := c.tickets[id]
		for _, r := range t.left.ranges {
			lost.remove(r)
		}
		if t.claimed {
			c.run.blame(defect("it said ticket %s was done without an outcome for %d of its records", id, t.left.size()))
		}
		var err error
		switch {
		case t.withApp():
			end.open++
			continue
		case t.left.empty():
			err = c.run.endTicket(t.ticket)
		default:
			err = c.run.closePrepared(t.ticket, t.left)
		}
		if err != nil {
			return roundEnd{}, err
		}
	}
	end.lost = lost.size()
	return end, nil
}

// conclude gives every record that has none its outcome, and closes the run,
// unless tickets are still with the app.
func (r *outboundRun) conclude(v verdict) error {
	open, err := r.openTickets()
	if err != nil {
		return err
	}
	var held []connector.SeqRange
	for _, t := range open {
		held = append(held, t.Seqs...)
	}
	if err := r.delayRest(held, r.whyDelayed(v)); err != nil {
		return err
	}
	if len(open) > 0 {
		r.update(func(run *Run) {
			run.State = RunDelayed
			if run.Error == nil {
				run.Error = connector.Errorf(connector.ClassTransient, "APP_IS_WORKING", "the app is still working on %d tickets; resume the run to collect the outcomes", len(open))
			}
		})
		return nil
	}
	return r.close()
}

// delayRest gives the records that have no outcome the outcome DELAYED, in one
// operation of the warehouse however many they are, except those held by tickets.
func (r *outboundRun) delayRest(held []connector.SeqRange, why *connector.Error) error {
	unsettled, err := r.recount()
	if err != nil || unsettled == 0 {
		return err
	}
	defer r.stage(stageSettle, "delaying the records that were not sent")()
	delayed, err := r.warehouse.Delay(r.ctx, r.sync.Name, r.run.ID, r.engine.now(), held, why)
	if err != nil {
		return fmt.Errorf("delaying records of run %s: %w", r.run.ID, err)
	}
	if delayed == 0 {
		return nil
	}
	if r.delayed == nil {
		r.delayed = why
	}
	r.update(func(run *Run) { addCounts(run, map[connector.Status]int64{connector.StatusDelayed: delayed}) })
	r.showOutcomes()
	return nil
}

func (r *outboundRun) whyDelayed(v verdict) *connector.Error {
	if v.err == nil {
		return connector.Errorf(connector.ClassTransient, "NOT_SENT", "the record was not sent in this run; the next run sends it")
	}
	return &connector.Error{
		Class: v.err.Class, Code: v.err.Code, ResetAt: v.err.ResetAt,
		Message: "the record was not sent in this run; the next run sends it: " + v.err.Message,
	}
}

// close moves the outcomes into the record state and ends the run. It can be
// repeated: the run is marked before the warehouse is touched. A run that was
// stopped does not close for long: what is left of it the next run does first.
func (r *outboundRun) close() error {
	defer r.stage(stageFinish, "moving the outcomes into the record state")()
	counts, err := r.finalCounts()
	if err != nil {
		return err
	}
	r.update(func(run *Run) {
		run.Outcomes, run.FinishedAt, run.Closing = counts, r.engine.now(), true
		if run.Error == nil && counts[connector.StatusDelayed] > 0 {
			run.Error = r.delayed
		}
	})
	if err := r.save(); err != nil {
		return err
	}
	ctx, cancel := r.ctx, context.CancelFunc(func() {})
	if r.stop.why() != nil {
		ctx, cancel = context.WithTimeout(r.ctx, StopGrace)
	}
	defer cancel()
	if err := r.warehouse.Finish(ctx, r.sync.Name, r.run.ID, r.engine.now()); err != nil {
		if ctx.Err() != nil {
			r.update(func(run *Run) { run.State = RunDelayed })
			return nil
		}
		return fmt.Errorf("closing run %s: %w", r.run.ID, err)
	}
	r.update(func(run *Run) { run.State, run.Closing = outboundState(counts, run.Error), false })
	return nil
}

// finalCounts returns the outcomes as the warehouse has them; those of a run
// that was marked before were counted then.
func (r *outboundRun) finalCounts() (map[connector.Status]int64, error) {
	if run := r.snapshot(); run.Closing {
		return run.Outcomes, nil
	}
	unsettled, err := r.recount()
	if err != nil {
		return nil, err
	}
	if unsettled > 0 {
		return nil, fmt.Errorf("run %s cannot be closed: %d records have no outcome; resume it", r.run.ID, unsettled)
	}
	return r.snapshot().Outcomes, nil
}

// outboundState says in a word what a run came to.
func outboundState(counts map[connector.Status]int64, err *connector.Error) RunState {
	var others int64
	for status, n := range counts {
		if status != connector.StatusSucceeded && status != connector.StatusSkipped {
			others += n
		}
	}
	delayed := counts[connector.StatusDelayed]
	switch {
	case delayed > 0 && fatal(err):
		return RunFailed
	case delayed > 0:
		return RunDelayed
	case others > 0 || err != nil:
		return RunIncomplete
	default:
		return RunHealthy
	}
}

// fatal reports whether a failure will not pass by itself.
func fatal(err *connector.Error) bool {
	if err == nil {
		return false
	}
	switch err.Class {
	case connector.ClassTransient, connector.ClassRateLimited, connector.ClassQuotaExhausted, connector.ClassCancelled:
		return false
	}
	return true
}
