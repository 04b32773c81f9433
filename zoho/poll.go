package zoho

import (
	"context"
	"time"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/zoho/crm"
)

// How often a job is asked for. Zoho prescribes no cadence; a small job is done
// within a second, and each question costs a credit, so the first ones follow
// quickly and the later ones slowly: some ten in the first minute.
const (
	defaultFirstPoll = 200 * time.Millisecond
	defaultMaxPoll   = 30 * time.Second
	pollGrowth       = 1.6
)

// patience bounds the wait for one job within one run. A job that is not done
// by then stays with its ticket or state, and a later run asks again.
const patience = 30 * time.Minute

// pollFaults is how many questions in a row may fail in passing.
const pollFaults = 5

// poll asks until the job has ended. Say is told before each wait; deadline is
// the run's, zero for none. Every is the wait between two questions, zero for
// one that grows.
func (s *session) poll(ctx context.Context, deadline time.Time, every time.Duration, ask func() (ended bool, err error), say func(until time.Time)) error {
	limit := s.config.now().Add(patience)
	if !deadline.IsZero() && deadline.Before(limit) {
		limit = deadline
	}
	wait, longest, faults := s.config.firstPoll, s.config.maxPoll, 0
	if every > 0 {
		wait, longest = every, every
	}
	for {
		until := s.config.now().Add(wait)
		if until.After(limit) {
			return connector.Errorf(connector.ClassTransient, "JOB_UNFINISHED", "Zoho has not finished it yet; a later run goes on with it")
		}
		say(until)
		if err := sleep(ctx, wait); err != nil {
			return err
		}
		ended, err := ask()
		switch {
		case err == nil && ended:
			return nil
		case err == nil:
			faults = 0
		case classOf(err) != connector.ClassTransient || faults >= pollFaults:
			return err
		default:
			faults++
		}
		wait = min(time.Duration(float64(wait)*pollGrowth), longest)
	}
}

// sleep waits, or returns the cause when the context ends first.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return connector.AsError(ctx.Err())
	}
}

// await polls a bulk write job to its end.
func (w *writer) await(ctx context.Context, chunk *connector.Chunk, h jobHandle) (crm.BulkWriteJob, error) {
	var job crm.BulkWriteJob
	err := w.session.poll(ctx, w.sync.Deadline, w.plan.pollEvery, func() (bool, error) {
		j, err := w.session.client.BulkWrite(ctx, h.JobID)
		if err != nil {
			return false, err
		}
		job = j
		return j.State.Ended(), nil
	}, func(until time.Time) {
		chunk.Progress("polling bulk write job "+h.JobID, connector.WaitingApp, until)
	})
	return job, err
}
