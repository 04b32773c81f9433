package runner

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/sluiceio/sluice/connector"
)

// Whatever a run does or waits for, something is heard of it every 10 seconds,
// and the time each stage took is kept.
func TestSomethingIsHeardEvery10Seconds(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, 3)
		r.warehouse.takes = 90 * time.Second
		r.script.opening = func(context.Context) error { <-time.After(70 * time.Second); return nil }
		say := func(stream connector.OutboundStream, waiting connector.Waiting) {
			stream.Report(t.Context(), connector.Report{Progress: &connector.Progress{Activity: "doing it", Waiting: waiting}})
		}
		tries := 0
		r.script.outbound = each(func(ctx context.Context, batch *connector.RecordBatch, stream connector.OutboundStream) error {
			for _, waiting := range []connector.Waiting{connector.WaitingBudget, connector.WaitingLimit, connector.WaitingApp, connector.WaitingNone, connector.WaitingRetry} {
				for range 5 { // 40 seconds, said every 8
					say(stream, waiting)
					<-time.After(8 * time.Second)
				}
			}
			if tries++; tries == 1 {
				again := connector.Errorf(connector.ClassTransient, "BUSY", "busy")
				again.RetryAfter = 5 * time.Minute
				return stream.Settle(ctx, exceptional(batch, connector.StatusRetry, again))
			}
			return succeed(ctx, batch, stream)
		})
		run := mustRun(t, r, RunOptions{})
		wantRun(t, run, RunHealthy, map[connector.Status]int64{connector.StatusSucceeded: 3})

		last := run.StartedAt
		said := map[string]bool{}
		for _, event := range r.events.all {
			if gap := event.Time.Sub(last); gap > 10*time.Second {
				t.Errorf("nothing was heard for %s before %+v", gap, event)
			}
			last = event.Time
			if event.Progress != nil {
				said[event.Progress.Activity] = true
			}
		}
		for _, want := range []string{"starting connector fake", "planning in the warehouse", "doing it", "waiting for another try", "moving the outcomes into the record state"} {
			if !said[want] {
				t.Errorf("nobody heard that it was %s: %v", want, said)
			}
		}
		for stage, want := range map[string]time.Duration{
			stageOpen: 70 * time.Second, stagePlan: 90 * time.Second, stageLimit: 160 * time.Second, stageApp: 160 * time.Second,
			stageRetry: 80 * time.Second, stageWait: 5 * time.Minute, stageSend: 400 * time.Second, stageFinish: 90 * time.Second,
		} {
			if got := run.Timings[stage]; got < want || got > want+2*time.Second {
				t.Errorf("stage %s took %s, want %s", stage, got, want)
			}
		}
		kept, err := r.store.Run(t.Context(), run.ID)
		if err != nil || kept.Timings[stageLimit] == 0 {
			t.Errorf("the timings are not kept: %v, %v", kept.Timings, err)
		}
	})
}

// Batches that the connector does not ask for wait in a queue, and that is seen.
func TestTheTimeInTheQueueIsKept(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, 20) // three batches
		r.script.outbound = each(func(ctx context.Context, batch *connector.RecordBatch, stream connector.OutboundStream) error {
			<-time.After(20 * time.Second)
			return succeed(ctx, batch, stream)
		})
		run := mustRun(t, r, RunOptions{})
		if got := run.Timings[stageQueue]; got < 20*time.Second || got > 41*time.Second {
			t.Errorf("batches waited for %s", got)
		}
		if _, ok := run.Timings["read"]; !ok && run.Timings[stageSend] < time.Minute {
			t.Errorf("timings %v", run.Timings)
		}
	})
}

func TestAStoppedRunTellsHowItGoesOn(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, 3)
		r.machine.reboot(3, false)
		r.script.outbound = each(succeed)
		run, err := r.Run(t.Context(), "out", RunOptions{})
		if err == nil || run.State != RunDelayed || !run.Open() || !strings.Contains(run.Error.Help[0].Description, "sluice runs resume "+run.ID) {
			t.Errorf("%s, %v: %+v", run.State, err, run.Error)
		}
	})
}
