package runner

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/sluiceio/sluice/connector"
)

// obedient stops when it is asked to, leaving its job with the ticket.
func obedient(started chan<- struct{}) outboundFunc {
	return func(ctx context.Context, sync connector.OutboundSync, stream connector.OutboundStream) error {
		if len(sync.Tickets) > 0 {
			return each(func(ctx context.Context, batch *connector.RecordBatch, stream connector.OutboundStream) error {
				if batch.Ticket != "job" {
					return fmt.Errorf("a batch with ticket %q", batch.Ticket)
				}
				if err := succeed(ctx, batch, stream); err != nil {
					return err
				}
				done := sync.Tickets[0]
				done.State = connector.TicketDone
				return stream.Ticket(ctx, done)
			})(ctx, sync, stream)
		}
		batch, err := stream.Next(ctx)
		if err != nil {
			return err
		}
		ticket := connector.Ticket{ID: "job", Seqs: connector.SeqRanges(batch.Seqs), State: connector.TicketSubmitted, Handle: `"j"`}
		if err := stream.Ticket(ctx, ticket); err != nil {
			return err
		}
		close(started)
		select {
		case <-stream.Stop():
		case <-ctx.Done():
			return ctx.Err()
		}
		if _, err := stream.Next(ctx); !errors.Is(err, io.EOF) {
			return fmt.Errorf("Next after a stop: %w", err)
		}
		return nil
	}
}

func TestACancelledRunEndsAndTheNextOneGoesOn(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, 20)
		started := make(chan struct{})
		r.script.outbound = obedient(started)
		ctx, cancel := context.WithCancel(t.Context())
		go func() { <-started; cancel() }()
		run, err := r.Run(ctx, "out", RunOptions{})
		if err != nil {
			t.Fatal(err)
		}
		wantRun(t, run, RunDelayed, map[connector.Status]int64{connector.StatusDelayed: 13})
		if !run.FinishedAt.IsZero() || run.Error == nil || run.Error.Code != "CANCELLED" {
			t.Errorf("a run with an open ticket is finished, or says not why: %+v", run)
		}
		resumed, err := r.Resume(t.Context(), run.ID)
		if err != nil {
			t.Fatal(err)
		}
		wantRun(t, resumed, RunDelayed, map[connector.Status]int64{connector.StatusSucceeded: 7, connector.StatusDelayed: 13})
		r.script.outbound = each(succeed)
		wantRun(t, mustRun(t, r, RunOptions{}), RunHealthy, map[connector.Status]int64{connector.StatusSucceeded: 13})
		again, err := r.Resume(t.Context(), run.ID)
		if err != nil || again.State != RunDelayed {
			t.Errorf("resuming a finished run: %+v, %v", again, err)
		}
	})
}

func TestRunResumesBeforeItRunsAnew(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, 7)
		started := make(chan struct{})
		r.script.outbound = obedient(started)
		ctx, cancel := context.WithCancel(t.Context())
		go func() { <-started; cancel() }()
		first, err := r.Run(ctx, "out", RunOptions{})
		if err != nil || first.State != RunDelayed {
			t.Fatalf("%+v, %v", first, err)
		}
		r.warehouse.source = append(r.warehouse.source, "late")
		handBack := r.script.outbound
		r.script.outbound = func(ctx context.Context, sync connector.OutboundSync, stream connector.OutboundStream) error {
			if len(sync.Tickets) > 0 {
				return handBack(ctx, sync, stream)
			}
			return each(succeed)(ctx, sync, stream)
		}
		second := mustRun(t, r, RunOptions{})
		if second.ID == first.ID {
			t.Error("no new run followed the resumed one")
		}
		wantRun(t, second, RunHealthy, map[connector.Status]int64{connector.StatusSucceeded: 1})
		done, _ := r.store.Run(t.Context(), first.ID)
		wantRun(t, done, RunHealthy, map[connector.Status]int64{connector.StatusSucceeded: 7})
	})
}

func TestTheDeadlineStopsARun(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, 20)
		r.script.outbound = each(func(ctx context.Context, batch *connector.RecordBatch, stream connector.OutboundStream) error {
			select {
			case <-stream.Stop():
				return stream.Settle(ctx, exceptional(batch, connector.StatusDelayed, errBusy))
			case <-time.After(20 * time.Second):
				return succeed(ctx, batch, stream)
			}
		})
		begun := time.Now()
		run := mustRun(t, r, RunOptions{Deadline: 30 * time.Second})
		wantRun(t, run, RunDelayed, map[connector.Status]int64{connector.StatusSucceeded: 7, connector.StatusDelayed: 13})
		if run.Error == nil || run.Error.Code != "DEADLINE" || time.Since(begun) > 30*time.Second {
			t.Errorf("after %s: %v", time.Since(begun), run.Error)
		}
	})
}

func TestASyncRunsOnceAtATime(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, 1)
		started, goOn := make(chan struct{}), make(chan struct{})
		r.script.outbound = each(func(ctx context.Context, batch *connector.RecordBatch, stream connector.OutboundStream) error {
			close(started)
			<-goOn
			return succeed(ctx, batch, stream)
		})
		done := make(chan error)
		go func() { _, err := r.Run(t.Context(), "out", RunOptions{}); done <- err }()
		<-started
		if _, err := r.Run(t.Context(), "out", RunOptions{}); !errors.Is(err, ErrRunning) {
			t.Errorf("a second run in this process: %v, want ErrRunning", err)
		}
		close(goOn)
		if err := <-done; err != nil {
			t.Error(err)
		}
		r.store.held = true
		if _, err := r.Run(t.Context(), "out", RunOptions{}); !errors.Is(err, ErrRunning) {
			t.Errorf("a run beside another process: %v, want ErrRunning", err)
		}
	})
}

// An outbox that its run does not know of yet must not be orphaned by a
// connector that cannot be opened when the run is resumed.
func TestARunThatMayHaveAnOutboxStaysResumable(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, 5)
		r.script.outbound = each(succeed)
		r.machine.reboot(2, true) // the outbox is filled, and nobody hears of it
		if _, err := r.Run(t.Context(), "out", RunOptions{}); !errors.Is(err, errCrashed) {
			t.Fatalf("err = %v", err)
		}
		r.machine.reboot(0, false)
		r.script.openErr = connector.Errorf(connector.ClassConfig, "BAD", "bad answer")
		run, err := r.Run(t.Context(), "out", RunOptions{})
		if connector.ClassOf(err) != connector.ClassConfig || run.State != RunDelayed || !run.Open() {
			t.Errorf("%s, %v; want a run to be resumed", run.State, err)
		}
		if kept, _ := r.store.Run(t.Context(), run.ID); kept.Error == nil || len(kept.Error.Help) == 0 || !strings.Contains(kept.Error.Help[0].Description, run.ID) {
			t.Errorf("the run does not say how it goes on: %+v", kept.Error)
		}
		r.script.openErr = nil
		if _, err := r.Resume(t.Context(), run.ID); err != nil {
			t.Fatal(err)
		}
		if got := r.warehouse.state["id-5"]; got != connector.StatusSucceeded {
			t.Errorf("after the resumption: %q", got)
		}
	})
}

func TestAFreshRunThatCannotOpenIsFailed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, 5)
		r.script.openErr = connector.Errorf(connector.ClassConfig, "BAD", "bad answer")
		run, err := r.Run(t.Context(), "out", RunOptions{})
		if connector.ClassOf(err) != connector.ClassConfig || run.State != RunFailed || run.FinishedAt.IsZero() {
			t.Errorf("%s, %v", run.State, err)
		}
	})
}

// A run that another process cancels has the time that was granted to finish
// what is in hand.
func TestACancelledRunDrainsWithinItsGrace(t *testing.T) {
	for name, row := range map[string]struct {
		grace     time.Duration
		succeeded int64
		within    time.Duration
	}{
		"time enough": {time.Minute, 7, 25 * time.Second},
		"none at all": {0, 0, 10 * time.Second},
		"too little":  {8 * time.Second, 0, 12 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				r := newRig(t, 20)
				started := make(chan struct{}, 9)
				r.script.outbound = each(func(ctx context.Context, batch *connector.RecordBatch, stream connector.OutboundStream) error {
					started <- struct{}{}
					select {
					case <-time.After(20 * time.Second):
						return succeed(ctx, batch, stream)
					case <-ctx.Done():
						return context.Cause(ctx)
					}
				})
				go func() {
					<-started
					if err := r.Cancel(t.Context(), r.store.runs[0].ID, row.grace); err != nil {
						t.Error(err)
					}
				}()
				begun := time.Now()
				run := mustRun(t, r, RunOptions{})
				want := map[connector.Status]int64{connector.StatusDelayed: 20 - row.succeeded}
				if row.succeeded > 0 {
					want[connector.StatusSucceeded] = row.succeeded
				}
				wantRun(t, run, RunDelayed, want)
				if took := time.Since(begun); took > row.within || run.Error == nil || run.Error.Code != "CANCELLED" {
					t.Errorf("after %s: %v", took, run.Error)
				}
				if err := r.Cancel(t.Context(), run.ID, 0); connector.ClassOf(err) != connector.ClassConfig {
					t.Errorf("cancelling a run that is over: %v", err)
				}
			})
		})
	}
}

// Of several requests to stop the earliest deadline counts.
func TestADrainingRunIsCutOffSooner(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, 7)
		started := make(chan struct{})
		r.script.outbound = each(func(ctx context.Context, _ *connector.RecordBatch, _ connector.OutboundStream) error {
			close(started)
			<-ctx.Done()
			return context.Cause(ctx)
		})
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			<-started
			_ = r.Cancel(t.Context(), r.store.runs[0].ID, time.Hour)
			<-time.After(10 * time.Second)
			cancel()
		}()
		begun := time.Now()
		run, err := r.Run(ctx, "out", RunOptions{})
		if err != nil || time.Since(begun) > 20*time.Second {
			t.Errorf("after %s: %v", time.Since(begun), err)
		}
		wantRun(t, run, RunDelayed, map[connector.Status]int64{connector.StatusDelayed: 7})
	})
}

// Records that were delayed by a run that was cut short are sent by the command
// that resumes it.
func TestANewRunFollowsAResumedOneThatIsOver(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, 20)
		started := make(chan struct{})
		r.script.outbound = obedient(started)
		ctx, cancel := context.WithCancel(t.Context())
		go func() { <-started; cancel() }()
		if _, err := r.Run(ctx, "out", RunOptions{}); err != nil {
			t.Fatal(err)
		}
		handBack := r.script.outbound
		r.script.outbound = func(ctx context.Context, sync connector.OutboundSync, stream connector.OutboundStream) error {
			if len(sync.Tickets) > 0 {
				return handBack(ctx, sync, stream)
			}
			return each(succeed)(ctx, sync, stream)
		}
		wantRun(t, mustRun(t, r, RunOptions{}), RunHealthy, map[connector.Status]int64{connector.StatusSucceeded: 13})
	})
}

// A stop while the warehouse plans, or while a connector opens, ends the run as
// Delayed, and the next one goes on.
func TestAStopBeforeAnythingWasSent(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, 5)
		r.script.outbound = each(succeed)
		r.script.opening = func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
		run := mustRun(t, r, RunOptions{Deadline: 30 * time.Second})
		if run.State != RunDelayed || run.Error.Code != "DEADLINE" || !run.Open() {
			t.Errorf("%s: %v", run.State, run.Error)
		}
		r.script.opening = nil
		wantRun(t, mustRun(t, r, RunOptions{}), RunHealthy, map[connector.Status]int64{})
		if got := r.warehouse.state["id-5"]; got != connector.StatusSucceeded {
			t.Errorf("after the next run: %q", got)
		}
	})
}

// A connector that does not answer before the run has begun is named.
func TestAConnectorThatDoesNotOpenIsGivenUp(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, 5)
		r.script.opening = func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
		run, err := r.Run(t.Context(), "out", RunOptions{})
		if run.State != RunFailed || err == nil || !strings.Contains(err.Error(), "connector fake did not answer within 2m") {
			t.Errorf("%s, %v", run.State, err)
		}
	})
}
