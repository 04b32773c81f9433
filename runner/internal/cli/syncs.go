package cli

import (
	"context"
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sluiceio/sluice/runner"
	"github.com/sluiceio/sluice/runner/internal/config"
)

func syncsCommand(a *app) *cobra.Command {
	return group("syncs", "Configure, plan and run syncs", syncsCreate(a), syncsForm(a), syncsList(a), syncsShow(a),
		syncsPlan(a), syncsRun(a), syncsLimits(a), syncsDelete(a))
}

func syncsList(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List syncs with their latest runs", Args: takes(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			return a.with(ctx, nil, func(h *host) error {
				all, err := h.store.Syncs(ctx)
				if err != nil {
					return err
				}
				var list []SyncShape
				for _, s := range all {
					shape, err := withLastRun(ctx, h, s)
					if err != nil {
						return err
					}
					list = append(list, shape)
				}
				return a.result(append([]SyncShape{}, list...), func() {
					var rows [][]string
					for i, s := range list {
						state, started := "never run", "-"
						if s.LastRun != nil {
							state, started = string(s.LastRun.State), when(*s.LastRun.StartedAt)
						}
						rows = append(rows, []string{s.Name, string(all[i].Direction()), s.Connection, state, started})
					}
					a.table([]string{"SYNC", "DIRECTION", "CONNECTION", "LATEST RUN", "STARTED"}, rows)
				})
			})
		},
	}
}

func withLastRun(ctx context.Context, h *host, s runner.Sync) (SyncShape, error) {
	shape := syncShape(s)
	runs, err := h.store.Runs(ctx, s.Name, 1)
	if err == nil && len(runs) > 0 {
		last := runShape(runs[0])
		shape.LastRun = &last
	}
	return shape, err
}

func syncsShow(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "show SYNC", Short: "Show a sync", Args: takes(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			return a.with(ctx, nil, func(h *host) error {
				s, err := h.store.Sync(ctx, args[0])
				if err != nil {
					return err
				}
				shape, err := withLastRun(ctx, h, s)
				if err != nil {
					return err
				}
				text, err := config.Write(nil, []runner.Sync{s})
				if err != nil {
					return err
				}
				return a.result(shape, func() {
					a.say("%s", strings.TrimSpace(string(text)))
					if shape.LastRun != nil {
						a.say("# latest run: %s, %s, %s", shape.LastRun.ID, shape.LastRun.State, when(*shape.LastRun.StartedAt))
					}
				})
			})
		},
	}
}

func syncsDelete(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "delete SYNC", Short: "Forget a sync and its runs; its tables stay in the warehouse", Args: takes(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			return a.with(ctx, nil, func(h *host) error {
				if err := h.store.DeleteSync(ctx, args[0]); err != nil {
					return err
				}
				a.notice("deleted sync %s", args[0])
				return nil
			})
		},
	}
}

// exists says whether a sync is stored.
func exists(ctx context.Context, h *host, sync string) (runner.Sync, bool, error) {
	s, err := h.store.Sync(ctx, sync)
	if errors.Is(err, runner.ErrNotFound) {
		return s, false, nil
	}
	return s, err == nil, err
}
