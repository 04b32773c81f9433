package cli

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluiceio/sluice/runner"
)

// cancelGrace is how long what is in hand may go on when a run is cancelled.
const cancelGrace = 30 * time.Second

func runsCancel(a *app) *cobra.Command {
	grace := cancelGrace
	now := false
	cmd := &cobra.Command{
		Use: "cancel RUN", Short: "Stop a run, whichever process carries it; the next run goes on",
		Long: `Stop a run, whichever process carries it. It takes no new records, and has a
while to finish those in hand; then they are settled as they stand, and what the
app is working on stays with its tickets. The run ends as Delayed, and the next
one goes on. The command waits for that.`,
		Args: takes(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if now {
				grace = 0
			}
			if grace < 0 {
				return usagef("--grace %s is not a time", grace)
			}
			return a.with(cmd.Context(), nil, func(h *host) error { return a.cancel(cmd.Context(), h, args[0], grace) })
		},
	}
	f := cmd.Flags()
	f.DurationVar(&grace, "grace", grace, "finish what is in hand for at most this long")
	f.BoolVar(&now, "now", false, "do not finish what is in hand")
	return cmd
}

// cancel asks for the end of a run and waits for it.
func (a *app) cancel(ctx context.Context, h *host, id string, grace time.Duration) error {
	if err := h.Cancel(ctx, id, grace); err != nil {
		return err
	}
	a.notice("run %s is asked to stop", id)
	look := time.NewTicker(100 * time.Millisecond)
	defer look.Stop()
	patience := time.NewTimer(max(grace, runner.StopGrace) + 4*runner.StopGrace)
	defer patience.Stop()
	for {
		run, err := h.store.Run(ctx, id)
		if err != nil {
			return err
		}
		if run.State != runner.RunRunning {
			return a.result(runShape(run), func() { a.sayRun(run) })
		}
		select {
		case <-look.C:
		case <-patience.C:
			a.notice("it goes on still; see how it stands with: sluice runs show %s", id)
			return a.result(runShape(run), func() { a.sayRun(run) })
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
