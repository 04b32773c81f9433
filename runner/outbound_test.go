package runner

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluiceio/sluice/connector"
)

type outboundFunc = func(context.Context, connector.OutboundSync, connector.OutboundStream) error

// each pulls all batches and does something with each.
func each(do func(context.Context, *connector.RecordBatch, connector.OutboundStream) error) outboundFunc {
	return func(ctx context.Context, _ connector.OutboundSync, stream connector.OutboundStream) error {
		for {
			batch, err := stream.Next(ctx)
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return err
			}
			if err := do(ctx, batch, stream); err != nil {
				return err
			}
		}
	}
}

// succeed settles a batch as succeeded.
func succeed(ctx context.Context, batch *connector.RecordBatch, stream connector.OutboundStream) error {
	return stream.Settle(ctx, connector.Outcomes{Seqs: batch.Seqs})
}

// exceptional settles a whole batch with one status.
func exceptional(batch *connector.RecordBatch, status connector.Status, err *connector.Error) connector.Outcomes {
	return connector.Outcomes{Seqs: batch.Seqs, Exceptions: exceptAll(len(batch.Seqs), status, err)}
}

func exceptAll(n int, status connector.Status, err *connector.Error) []connector.RowOutcome {
	var all []connector.RowOutcome
	for i := range n {
		all = append(all, connector.RowOutcome{Row: i, Status: status, Error: err})
	}
	return all
}

var errBusy = connector.Errorf(connector.ClassTransient, "BUSY", "busy")

// bubble runs a test on a clock of its own.
func bubble(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, test)
}

func mustRun(t *testing.T, r *rig, options RunOptions) Run {
	t.Helper()
	run, err := r.Run(t.Context(), "out", options)
	if err != nil {
		t.Fatalf("Run: %v", err)
	}
	return run
}

func wantRun(t *testing.T, run Run, state RunState, outcomes map[connector.Status]int64) {
	t.Helper()
	if run.State != state {
		t.Errorf("state = %s, want %s (error %v)", run.State, state, run.Error)
	}
	if diff := cmp.Diff(outcomes, run.Outcomes); diff != "" {
		t.Errorf("outcomes differ (-want +got):\n%s", diff)
	}
}

func TestAHealthyRun(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, 20)
		r.script.outbound = func(ctx context.Context, sync connector.OutboundSync, stream connector.OutboundStream) error {
			stream.Report(ctx, connector.Report{Usage: []connector.Usage{{Category: "write", Requests: 2, Pool: "credits", Units: 5}}})
			stream.Report(ctx, connector.Report{Usage: []connector.Usage{{Category: "write", Requests: 1, Pool: "credits", Units: 2}}})
			stream.Report(ctx, connector.Report{Keep: &connector.Keep{Secrets: connector.Answers{"token": {"fresh"}}}})
			if !sync.KeepsTickets || !sync.KeepsLedger || sync.Records != 20 || len(sync.Mapping) != 1 || sync.Mapping[0].Name != "Email" || sync.Strategy.Name != "Create" {
				t.Errorf("the connector was told %+v", sync)
			}
			if connector.HostFrom(ctx) == nil {
				t.Error("the context carries no host")
			}
			return each(succeed)(ctx, sync, stream)
		}
		run := mustRun(t, r, RunOptions{})
		wantRun(t, run, RunHealthy, map[connector.Status]int64{connector.StatusSucceeded: 20})
		if run.Batches != 3 || run.FinishedAt.IsZero() || run.Records != 20 {
			t.Errorf("run = %+v", run)
		}
		want := []connector.Usage{{Category: "write", Requests: 3, Pool: "credits", Units: 7}}
		if diff := cmp.Diff(want, run.Usage); diff != "" {
			t.Errorf("usage (-want +got):\n%s", diff)
		}
		if got := r.store.spent["credits"]; got != 7 {
			t.Errorf("the ledger has %d units, want 7", got)
		}
		if got := r.store.connections["conn"].Secrets.Get("token"); got != "fresh" {
			t.Errorf("kept token = %q", got)
		}
		stored, err := r.store.Run(t.Context(), run.ID)
		if err != nil || stored.State != RunHealthy {
			t.Errorf("stored run: %+v, %v", stored, err)
		}
	})
}

func TestEventsTellTheRun(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, 20)
		r.script.outbound = func(ctx context.Context, sync connector.OutboundSync, stream connector.OutboundStream) error {
			for range 1000 {
				stream.Report(ctx, connector.Report{Progress: &connector.Progress{Activity: "busy"}})
			}
			return each(succeed)(ctx, sync, stream)
		}
		run := mustRun(t, r, RunOptions{})
		var plans, progress, finished int
		for _, e := range r.events.all {
			switch {
			case e.Plan != nil:
				plans++
			case e.Progress != nil:
				progress++
			case e.Finished != nil:
				finished++
			}
			if e.RunID != run.ID || e.Time.IsZero() {
				t.Errorf("event without run or time: %+v", e)
			}
		}
		if plans != 1 || progress != 1 || finished != 1 {
			t.Errorf("%d plans, %d progress (of 1000 within a moment), %d finished; want 1 each", plans, progress, finished)
		}
	})
}

func TestARetryIsTriedAgainAfterTheWaitAskedFor(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, 10)
		tries := 0
		var begun, again time.Time
		r.script.outbound = each(func(ctx context.Context, batch *connector.RecordBatch, stream connector.OutboundStream) error {
			tries++
			if tries > 1 && again.IsZero() && batch.Seqs[0] == 1 {
				again = time.Now()
			}
			if tries == 1 {
				begun = time.Now()
				busy := connector.Errorf(connector.ClassRateLimited, "SLOW", "slow down")
				busy.RetryAfter = 40 * time.Second
				return stream.Settle(ctx, exceptional(batch, connector.StatusRetry, busy))
			}
			return succeed(ctx, batch, stream)
		})
		run := mustRun(t, r, RunOptions{})
		wantRun(t, run, RunHealthy, map[connector.Status]int64{connector.StatusSucceeded: 10})
		if got := again.Sub(begun); got < 40*time.Second || got > 45*time.Second {
			t.Errorf("tried again after %s, want 40 s", got)
		}
		if tries != 3 || r.script.launches != 1 {
			t.Errorf("%d batches over %d launches, want 3 over 1: only what failed goes again", tries, r.script.launches)
		}
	})
}

func TestRetriesAreCapped(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, 3)
		rounds := 0
		r.script.outbound = each(func(ctx context.Context, batch *connector.RecordBatch, stream connector.OutboundStream) error {
			rounds++
			return stream.Settle(ctx, exceptional(batch, connector.StatusRetry, errBusy))
		})
		wantRun(t, mustRun(t, r, RunOptions{}), RunIncomplete, map[connector.Status]int64{connector.StatusRetry: 3})
		if rounds != maxRounds {
			t.Errorf("%d rounds, want %d", rounds, maxRounds)
		}
	})
}

// What was tried and failed keeps the app's words when the run ends early.
func TestARetryIsNotOverwrittenByDelayed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, 20)
		n := 0
		r.script.outbound = each(func(ctx context.Context, batch *connector.RecordBatch, stream connector.OutboundStream) error {
			if n++; n > 1 {
				return connector.Errorf(connector.ClassAuth, "GRANT_GONE", "the grant is gone")
			}
			return stream.Settle(ctx, exceptional(batch, connector.StatusRetry, errBusy))
		})
		run := mustRun(t, r, RunOptions{})
		wantRun(t, run, RunFailed, map[connector.Status]int64{connector.StatusRetry: 7, connector.StatusDelayed: 13})
		if run.Error == nil || run.Error.Code != "GRANT_GONE" {
			t.Errorf("error = %v", run.Error)
		}
		if got := r.warehouse.log[run.ID][20]; got.Class != connector.ClassAuth || got.Code != "GRANT_GONE" {
			t.Errorf("a record not sent says %+v, want the reason", got)
		}
	})
}

func TestADeadConnectorIsLaunchedAnewOnce(t *testing.T) {
	for name, deaths := range map[string]int{"once": 1, "twice": 2} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				r := newRig(t, 20)
				r.script.words = "line one\npanic: out of luck\n"
				n := 0
				r.script.outbound = each(func(ctx context.Context, batch *connector.RecordBatch, stream connector.OutboundStream) error {
					if batch.Seqs[0] > 7 && n < deaths {
						n++
						return connector.Errorf(connector.ClassInternal, "GONE", "the process has ended")
					}
					return succeed(ctx, batch, stream)
				})
				run := mustRun(t, r, RunOptions{})
				if deaths == 1 {
					wantRun(t, run, RunHealthy, map[connector.Status]int64{connector.StatusSucceeded: 20})
					if r.script.launches != 2 {
						t.Errorf("%d launches, want 2", r.script.launches)
					}
					return
				}
				wantRun(t, run, RunFailed, map[connector.Status]int64{connector.StatusSucceeded: 7, connector.StatusDelayed: 13})
				if run.Error == nil || !strings.Contains(run.Error.Message, "panic: out of luck") || !strings.Contains(run.Stderr, "line one") {
					t.Errorf("the last words are lost: error %v, stderr %q", run.Error, run.Stderr)
				}
			})
		})
	}
}

func TestASpentBudgetDelaysTheRest(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, 10)
		c := r.store.connections["conn"]
		capacity := int64(1)
		c.Limits = connector.Limits{Pools: []connector.Pool{{Name: "credits", Capacity: 100, Window: time.Hour}}}
		c.Overrides = []LimitOverride{{Pool: "credits", Capacity: &capacity}}
		r.store.connections["conn"] = c
		r.script.outbound = each(func(ctx context.Context, batch *connector.RecordBatch, stream connector.OutboundStream) error {
			own, err := stream.Grant(ctx, connector.GrantRequest{Pool: "own", Units: 50})
			if err != nil || !own.Unlimited {
				t.Errorf("a pool the host does not keep: %+v, %v", own, err)
			}
			if batch.Seqs[0] == 1 {
				if g, err := stream.Grant(ctx, connector.GrantRequest{Pool: "credits", Units: 1}); err != nil || g.Units != 1 {
					t.Errorf("first grant: %+v, %v", g, err)
				}
				return succeed(ctx, batch, stream)
			}
			g, err := stream.Grant(ctx, connector.GrantRequest{Pool: "credits", Units: 2})
			if err != nil || g.Units != 0 || g.RetryAt.IsZero() {
				t.Errorf("grant beyond the overridden capacity: %+v, %v", g, err)
			}
			spent := connector.Errorf(connector.ClassQuotaExhausted, "SPENT", "credits are spent")
			spent.ResetAt = g.RetryAt
			return stream.Settle(ctx, exceptional(batch, connector.StatusDelayed, spent))
		})
		run := mustRun(t, r, RunOptions{})
		wantRun(t, run, RunDelayed, map[connector.Status]int64{connector.StatusSucceeded: 7, connector.StatusDelayed: 3})
		if run.Error == nil || run.Error.Code != "SPENT" || run.Error.ResetAt.IsZero() {
			t.Errorf("the run does not say when it can go on: %+v", run.Error)
		}
		if got := r.script.opened[0].Limits.Pools[0].Capacity; got != 1 {
			t.Errorf("the connector was opened with capacity %d, want the override", got)
		}
	})
}

func TestARefusedPlanFailsTheRun(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, 1)
		r.warehouse.plan = &PlanError{Kind: PlanDuplicateIdentifiers, Count: 2, Message: "2 identifiers appear twice"}
		run, err := r.Run(t.Context(), "out", RunOptions{})
		var plan *PlanError
		if !errors.As(err, &plan) || plan.Count != 2 {
			t.Errorf("err = %v, want a PlanError", err)
		}
		if run.State != RunFailed || run.FinishedAt.IsZero() || run.Error.Code != "DUPLICATE_IDENTIFIERS" {
			t.Errorf("run = %+v", run)
		}
	})
}

func TestNothingToSendLaunchesNoConversation(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, 0)
		r.script.outbound = func(context.Context, connector.OutboundSync, connector.OutboundStream) error {
			t.Error("SyncOutbound was called")
			return nil
		}
		wantRun(t, mustRun(t, r, RunOptions{}), RunHealthy, map[connector.Status]int64{})
	})
}

// A connector reads ahead of the host by what it holds; the host by two batches.
func TestTheHostReadsAtMostTwoBatchesAhead(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, 7*50)
		r.script.outbound = func(ctx context.Context, sync connector.OutboundSync, stream connector.OutboundStream) error {
			first, err := stream.Next(ctx)
			if err != nil {
				return err
			}
			synctest.Wait() // the host has read as far as it will
			r.warehouse.mu.Lock()
			for i := range r.warehouse.outbox[sync.RunID] {
				r.warehouse.outbox[sync.RunID][i].identifier = "late"
			}
			r.warehouse.mu.Unlock()
			if err := succeed(ctx, first, stream); err != nil {
				return err
			}
			ahead := 0
			err = each(func(ctx context.Context, batch *connector.RecordBatch, stream connector.OutboundStream) error {
				if batch.Identifiers[0] != "late" {
					ahead++
				}
				return succeed(ctx, batch, stream)
			})(ctx, sync, stream)
			if ahead != 2 {
				t.Errorf("the host read %d batches ahead, want 2", ahead)
			}
			return err
		}
		wantRun(t, mustRun(t, r, RunOptions{}), RunHealthy, map[connector.Status]int64{connector.StatusSucceeded: 350})
	})
}

func TestOutcomesAreCommittedInGroups(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, 7*100)
		r.script.outbound = each(succeed)
		mustRun(t, r, RunOptions{})
		if r.warehouse.settles != 1 {
			t.Errorf("%d commits for 100 batches settled in a moment, want 1", r.warehouse.settles)
		}
	})
}

func TestALimitedRunSendsNoMore(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, 20)
		var sent []int64
		r.script.outbound = each(func(ctx context.Context, batch *connector.RecordBatch, stream connector.OutboundStream) error {
			sent = slices.Concat(sent, batch.Seqs)
			return succeed(ctx, batch, stream)
		})
		wantRun(t, mustRun(t, r, RunOptions{Limit: 5}), RunHealthy, map[connector.Status]int64{connector.StatusSucceeded: 5})
		if len(sent) != 5 {
			t.Errorf("%d records were sent, want 5", len(sent))
		}
	})
}
