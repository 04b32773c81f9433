package runner

import (
	"context"
	"errors"
	"fmt"
	"io"
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
		if connector.ClassOf(err) != connector.ClassConfig || run.State != RunRunning {
			t.Errorf("%s, %v; want a run to be resumed", run.State, err)
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
