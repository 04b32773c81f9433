package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/runner"
)

func syncsRun(a *app) *cobra.Command {
	var options runner.RunOptions
	cmd := &cobra.Command{
		Use: "run SYNC", Short: "Run a sync once; an unfinished run is resumed first",
		Long: `Run a sync once. Ctrl-C stops it gracefully: what was settled stays settled and the
next run goes on. A second Ctrl-C stops at once; nothing is lost or doubled by that
either.`,
		Args: takes(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.run(cmd.Context(), func(ctx context.Context, h *host) (runner.Run, error) {
				return h.Run(ctx, args[0], options)
			})
		},
	}
	f := cmd.Flags()
	f.Int64Var(&options.Limit, "limit", 0, "send at most this many records (default all)")
	f.DurationVar(&options.Deadline, "deadline", 0, "stop after this long; the next run goes on (default never)")
	f.BoolVar(&options.Resync, "resync", false, "send every record again, or read everything again")
	return cmd
}

// run does a run with its progress shown, and reports how it ended.
func (a *app) run(ctx context.Context, do func(context.Context, *host) (runner.Run, error)) error {
	progress := a.progress()
	var run runner.Run
	err := a.with(ctx, progress, func(h *host) (err error) {
		run, err = do(ctx, h)
		return err
	})
	progress.finish()
	if run.ID != "" && (err == nil || a.json) {
		if err := a.result(runShape(run), func() { a.sayRun(run) }); err != nil {
			return err
		}
	}
	if err == nil && run.State != runner.RunHealthy {
		err = &runEnd{run: run}
	}
	return err
}

// sayRun writes a run in words.
func (a *app) sayRun(r runner.Run) {
	a.say("run %s of sync %s: %s", r.ID, r.Sync, r.State)
	took := "-"
	if !r.FinishedAt.IsZero() {
		took = r.FinishedAt.Sub(r.StartedAt).Round(1e6).String()
	}
	a.say("started %s, took %s", when(r.StartedAt), took)
	if r.Direction == connector.DirectionOutbound {
		a.say("records %d: %s", r.Records, outcomesText(r.Outcomes))
	}
	for _, s := range r.Streams {
		a.say("stream %s", streamText(s))
	}
	for _, u := range r.Usage {
		cost := ""
		if u.Pool != "" {
			cost = fmt.Sprintf(", %d of %s", u.Units, u.Pool)
		}
		a.say("used %s: %d requests%s", u.Category, u.Requests, cost)
	}
	if r.Error != nil {
		a.say("why: %v", r.Error)
	}
}

// outcomesText counts outcomes in words, good ones first.
func outcomesText(outcomes map[connector.Status]int64) string {
	order := []connector.Status{
		connector.StatusSucceeded, connector.StatusSkipped, connector.StatusRejected, connector.StatusInvalid,
		connector.StatusRetry, connector.StatusDelayed, connector.StatusInDoubt,
	}
	var parts []string
	for _, status := range order {
		if n := outcomes[status]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, status))
		}
	}
	for status, n := range outcomes {
		if n > 0 && !slices.Contains(order, status) {
			parts = append(parts, fmt.Sprintf("%d not settled", n))
		}
	}
	if parts == nil {
		return "nothing to send"
	}
	return strings.Join(parts, ", ")
}

func streamText(s runner.StreamResult) string {
	text := fmt.Sprintf("%s: %d rows, %d deleted into %s", s.Stream, s.Counts.Rows, s.Counts.Deleted, s.Table)
	if s.Counts.Unparsed > 0 {
		text += fmt.Sprintf(", %d values did not fit their type (see column _sluice_unparsed)", s.Counts.Unparsed)
	}
	switch {
	case s.Error != nil:
		text += ", failed: " + s.Error.Error()
	case !s.Done:
		text += ", not finished"
	}
	return text
}
