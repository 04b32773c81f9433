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

func recordsCommand(a *app) *cobra.Command {
	skip, always := recordsMark(a, "skip", "Leave records out of the next run", runner.MarkSkipOnce), false
	skip.Flags().BoolVar(&always, "always", false, "leave them out of all runs until they are unmarked")
	once := skip.RunE
	forEver := recordsMark(a, "skip", "", runner.MarkSkipAlways).RunE
	skip.RunE = func(cmd *cobra.Command, args []string) error {
		if always {
			return forEver(cmd, args)
		}
		return once(cmd, args)
	}
	return group("records", "See how single records stand, and say what is to happen to them", recordsList(a), skip,
		recordsMark(a, "resync", "Send records again at the next run, although nothing changed", runner.MarkResync),
		recordsMark(a, "unmark", "Take marks back", runner.MarkNone), recordsResend(a), recordsAccept(a))
}

// outbound does something with the warehouse's records of an outbound sync.
func (a *app) outbound(ctx context.Context, name string, do func(runner.Warehouse) error) error {
	err := a.with(ctx, nil, func(h *host) error {
		sync, err := h.store.Sync(ctx, name)
		if err == nil && sync.Outbound == nil {
			err = usagef("sync %s is inbound: only records that are sent have outcomes and can be marked", name)
		}
		return err
	})
	if err != nil {
		return err
	}
	return a.withWarehouse(ctx, do)
}

func recordsMark(a *app, verb, short string, mark runner.Mark) *cobra.Command {
	return &cobra.Command{
		Use: verb + " SYNC IDENTIFIER...", Short: short, Args: takes(2, -1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			return a.outbound(ctx, args[0], func(w runner.Warehouse) error {
				changed, err := w.Mark(ctx, args[0], args[1:], mark)
				if err != nil {
					return err
				}
				return a.changed(changed)
			})
		},
	}
}

func (a *app) changed(n int64) error {
	return a.result(map[string]int64{"changed": n}, func() { a.say("%d records changed", n) })
}

// outcomesNamed reads the names of outcomes, in either case.
func outcomesNamed(names []string) ([]connector.Status, error) {
	known := []connector.Status{
		connector.StatusSucceeded, connector.StatusRejected, connector.StatusRetry, connector.StatusDelayed,
		connector.StatusInvalid, connector.StatusInDoubt, connector.StatusSkipped,
	}
	var all []connector.Status
	for _, name := range names {
		status := connector.Status(strings.ToUpper(name))
		if !slices.Contains(known, status) {
			return nil, usagef("there is no outcome %q; there are %v", name, known)
		}
		all = append(all, status)
	}
	return all, nil
}

func recordsList(a *app) *cobra.Command {
	var outcomes, identifiers []string
	var limit int64
	cmd := &cobra.Command{
		Use: "list SYNC", Short: "List how the records of an outbound sync stand",
		Long: `List how the records of an outbound sync stand after its latest run: what the app
was asked, what became of it, how often it was tried, and marks. The history of
all runs is the table sluice.outcomes: see sluice query.`,
		Args: takes(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			filter := runner.OutcomeFilter{Identifiers: identifiers, Limit: limit}
			var err error
			if filter.Statuses, err = outcomesNamed(outcomes); err != nil {
				return err
			}
			return a.outbound(cmd.Context(), args[0], func(w runner.Warehouse) error { return a.listRecords(cmd.Context(), w, args[0], filter) })
		},
	}
	f := cmd.Flags()
	f.StringSliceVar(&outcomes, "outcome", nil, "only these outcomes, such as IN_DOUBT,REJECTED")
	f.StringArrayVar(&identifiers, "identifier", nil, "only this record; may be repeated")
	f.Int64Var(&limit, "limit", 100, "at most this many (0 for all)")
	return cmd
}

func (a *app) listRecords(ctx context.Context, w runner.Warehouse, sync string, filter runner.OutcomeFilter) error {
	if a.json {
		l := &list{app: a}
		for r, err := range w.RecordStates(ctx, sync, filter) {
			if err == nil {
				err = l.add(stateShape(r))
			}
			if err != nil {
				return err
			}
		}
		l.close()
		return nil
	}
	t := a.openTable([]string{"RECORD", "ACTION", "OUTCOME", "IN THE APP", "TRIED", "RUN", "MARK", "CODE", "MESSAGE"})
	defer t.close()
	for r, err := range w.RecordStates(ctx, sync, filter) {
		if err != nil {
			return err
		}
		t.row([]string{
			r.Identifier, orDash(string(r.Action)), orDash(string(r.Status)), orDash(r.AppIdentifier), fmt.Sprint(r.Attempts),
			orDash(r.RunID), orDash(string(r.Mark)), orDash(r.Code), orDash(r.Message),
		})
	}
	return nil
}

// resendPage is how many records are marked at a time.
const resendPage = 10_000

func recordsResend(a *app) *cobra.Command {
	var outcomes []string
	cmd := &cobra.Command{
		Use: "resend SYNC [IDENTIFIER...]", Short: "Send records again at the next run, those in doubt too",
		Long: `Send records again at the next run: those named, or all with an outcome.

A record in doubt may have been applied by the app, so look it up there first:
one that is there is accepted (sluice records accept), one that is not is sent
again. Sending again what is there makes a second one of it.`,
		Args: takes(1, -1),
		RunE: func(cmd *cobra.Command, args []string) error {
			statuses, err := outcomesNamed(outcomes)
			if err != nil {
				return err
			}
			if (len(args) > 1) == (statuses != nil) {
				return usagef("name either records or an --outcome; usage: %s", cmd.UseLine())
			}
			ctx, sync := cmd.Context(), args[0]
			return a.outbound(ctx, sync, func(w runner.Warehouse) error {
				if statuses == nil {
					changed, err := w.Mark(ctx, sync, args[1:], runner.MarkResync)
					if err != nil {
						return err
					}
					return a.changed(changed)
				}
				changed, err := each(ctx, w, sync, statuses, func(ids []string) (int64, error) { return w.Mark(ctx, sync, ids, runner.MarkResync) })
				if err != nil {
					return err
				}
				return a.changed(changed)
			})
		},
	}
	cmd.Flags().StringSliceVar(&outcomes, "outcome", nil, "all records with these outcomes, such as IN_DOUBT")
	return cmd
}

func recordsAccept(a *app) *cobra.Command {
	var outcomes []string
	var app string
	cmd := &cobra.Command{
		Use: "accept SYNC [IDENTIFIER...]", Short: "Say of records in doubt that the app has them as they were sent",
		Long: `Say of records in doubt that the app did what it was asked: they count as synced
from then on. Records that are not in doubt are left alone.`,
		Args: takes(1, -1),
		RunE: func(cmd *cobra.Command, args []string) error {
			statuses, err := outcomesNamed(outcomes)
			if err != nil {
				return err
			}
			var apps []string
			switch {
			case (len(args) > 1) == (statuses != nil):
				return usagef("name either records or --outcome in_doubt; usage: %s", cmd.UseLine())
			case statuses != nil && !slices.Equal(statuses, []connector.Status{connector.StatusInDoubt}):
				return usagef("only records in doubt can be accepted: --outcome in_doubt")
			case app != "" && len(args) != 2:
				return usagef("--app-identifier is for one record")
			case app != "":
				apps = []string{app}
			}
			ctx, sync := cmd.Context(), args[0]
			return a.outbound(ctx, sync, func(w runner.Warehouse) (err error) {
				var n int64
				accept := func(ids []string) (int64, error) { return w.Accept(ctx, sync, ids, apps, a.env.Now()) }
				if statuses != nil {
					n, err = each(ctx, w, sync, statuses, accept)
				} else {
					n, err = accept(args[1:])
				}
				if err != nil {
					return err
				}
				return a.changed(n)
			})
		},
	}
	f := cmd.Flags()
	f.StringSliceVar(&outcomes, "outcome", nil, "all records in doubt: in_doubt")
	f.StringVar(&app, "app-identifier", "", "the identifier the app has given to the record")
	return cmd
}

// each does something to all records with some outcomes, page by page, and
// returns how many were changed.
func each(ctx context.Context, w runner.Warehouse, sync string, statuses []connector.Status, do func([]string) (int64, error)) (int64, error) {
	var ids []string
	for r, err := range w.RecordStates(ctx, sync, runner.OutcomeFilter{Statuses: statuses}) {
		if err != nil {
			return 0, err
		}
		ids = append(ids, r.Identifier)
	}
	var changed int64
	for page := range slices.Chunk(ids, resendPage) {
		n, err := do(page)
		if changed += n; err != nil {
			return changed, err
		}
	}
	return changed, nil
}
