package cli

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/runner"
)

func runsCommand(a *app) *cobra.Command {
	return group("runs", "See what became of runs and records", runsList(a), runsShow(a), runsRecords(a), runsResume(a), runsCancel(a))
}

func runsList(a *app) *cobra.Command {
	var sync string
	var limit int
	cmd := &cobra.Command{
		Use: "list", Short: "List runs, the newest first", Args: takes(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.with(cmd.Context(), nil, func(h *host) error {
				all, err := h.store.Runs(cmd.Context(), sync, limit)
				if err != nil {
					return err
				}
				return a.result(shapes(all, runShape), func() {
					var rows [][]string
					for _, r := range all {
						rows = append(rows, []string{
							r.ID, r.Sync, string(r.State), when(r.StartedAt), tookText(r), fmt.Sprint(r.Batches), spentText(r.Usage), runSummary(r),
						})
					}
					a.table([]string{"RUN", "SYNC", "STATE", "STARTED", "SECONDS", "BATCHES", "SPENT", "RECORDS"}, rows)
				})
			})
		},
	}
	cmd.Flags().StringVar(&sync, "sync", "", "only runs of this sync")
	cmd.Flags().IntVar(&limit, "limit", 50, "at most this many")
	return cmd
}

// tookText is how long a run took, "" while it goes on.
func tookText(r runner.Run) string {
	if r.FinishedAt.IsZero() {
		return ""
	}
	return fmt.Sprintf("%.1f", r.FinishedAt.Sub(r.StartedAt).Seconds())
}

// spentText sums what a run took from each pool.
func spentText(usage []connector.Usage) string {
	units := make(map[string]int64)
	for _, u := range usage {
		if u.Pool != "" {
			units[u.Pool] += u.Units
		}
	}
	var parts []string
	for _, pool := range slices.Sorted(maps.Keys(units)) {
		parts = append(parts, fmt.Sprintf("%d %s", units[pool], pool))
	}
	return strings.Join(parts, ", ")
}

func runSummary(r runner.Run) string {
	if r.Direction == connector.DirectionOutbound {
		return outcomesText(r.Outcomes)
	}
	var rows int64
	for _, s := range r.Streams {
		rows += s.Counts.Rows
	}
	return fmt.Sprintf("%d rows of %d streams", rows, len(r.Streams))
}

func runsShow(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "show RUN", Short: "Show a run", Args: takes(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.with(cmd.Context(), nil, func(h *host) error {
				run, err := h.store.Run(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				return a.result(runShape(run), func() {
					a.sayRun(run)
					if run.Stderr != "" {
						a.say("the connector's last words:\n%s", run.Stderr)
					}
				})
			})
		},
	}
}

func runsResume(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "resume RUN", Short: "Continue an unfinished run", Args: takes(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.run(cmd.Context(), func(ctx context.Context, h *host) (runner.Run, error) {
				return h.Resume(ctx, args[0])
			})
		},
	}
}

func runsRecords(a *app) *cobra.Command {
	var statuses, identifiers []string
	var limit int64
	cmd := &cobra.Command{
		Use: "records RUN", Short: "List what became of the records of an outbound run, exceptions first", Args: takes(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			filter := runner.OutcomeFilter{Identifiers: identifiers, Limit: limit}
			var err error
			if filter.Statuses, err = outcomesNamed(statuses); err != nil {
				return err
			}
			return a.records(cmd.Context(), args[0], filter)
		},
	}
	f := cmd.Flags()
	f.StringSliceVar(&statuses, "status", nil, "only these outcomes, such as REJECTED,INVALID")
	f.StringArrayVar(&identifiers, "identifier", nil, "only this record; may be repeated")
	f.Int64Var(&limit, "limit", 100, "at most this many (0 for all)")
	return cmd
}

func (a *app) records(ctx context.Context, runID string, filter runner.OutcomeFilter) error {
	var run runner.Run
	err := a.with(ctx, nil, func(h *host) (err error) {
		run, err = h.store.Run(ctx, runID)
		return err
	})
	if err != nil {
		return err
	}
	if run.Direction != connector.DirectionOutbound {
		return usagef("run %s is inbound: its rows are in the tables it filled (see: sluice runs show %s)", runID, runID)
	}
	return a.withWarehouse(ctx, func(w runner.Warehouse) error {
		outcomes := w.Outcomes(ctx, run.Sync, runID, filter)
		if a.json {
			return a.recordsJSON(outcomes)
		}
		t := a.openTable([]string{"RECORD", "ACTION", "STATUS", "IN THE APP", "CODE", "FIELD", "MESSAGE"})
		defer t.close()
		for r, err := range outcomes {
			if err != nil {
				return err
			}
			t.row([]string{r.Identifier, string(r.Action), string(r.Status), orDash(r.AppIdentifier), orDash(r.Code), orDash(r.Field), orDash(r.Message)})
		}
		return nil
	})
}

func (a *app) recordsJSON(outcomes iter.Seq2[runner.RecordOutcome, error]) error {
	l := &list{app: a}
	for outcome, err := range outcomes {
		if err != nil {
			return err
		}
		if err := l.add(recordShape(outcome)); err != nil {
			return err
		}
	}
	l.close()
	return nil
}
