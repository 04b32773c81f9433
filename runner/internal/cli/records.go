package cli

import (
	"github.com/spf13/cobra"

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
	return group("records", "Say what is to happen to single records", skip,
		recordsMark(a, "resync", "Send records again at the next run, although nothing changed", runner.MarkResync),
		recordsMark(a, "unmark", "Take marks back", runner.MarkNone))
}

func recordsMark(a *app, verb, short string, mark runner.Mark) *cobra.Command {
	return &cobra.Command{
		Use: verb + " SYNC IDENTIFIER...", Short: short, Args: takes(2, -1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			err := a.with(ctx, nil, func(h *host) error {
				sync, err := h.store.Sync(ctx, args[0])
				if err == nil && sync.Outbound == nil {
					err = usagef("sync %s is inbound: only records that are sent can be marked", args[0])
				}
				return err
			})
			if err != nil {
				return err
			}
			return a.withWarehouse(ctx, func(w runner.Warehouse) error {
				changed, err := w.Mark(ctx, args[0], args[1:], mark)
				if err != nil {
					return err
				}
				return a.result(map[string]int64{"changed": changed}, func() { a.say("%d records changed", changed) })
			})
		},
	}
}
