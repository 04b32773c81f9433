package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/runner"
	"github.com/sluiceio/sluice/runner/internal/config"
)

// SyncLimitsShape is the result of "syncs limits".
type SyncLimitsShape struct {
	Overrides []config.Limit `json:"overrides"`
	Left      []PoolShape    `json:"left"`
}

func syncsLimits(a *app) *cobra.Command {
	var set, concurrency, unset []string
	cmd := &cobra.Command{
		Use: "limits SYNC", Short: "Give a sync limits of its own, within those of its connection",
		Long: `Give a sync limits of its own. Its runs then take no more than these, nor more
than the connection's limits leave them, which all its syncs share:

  --set CATEGORY=100/minute[,5/second]  the rates of a category
  --set POOL=20000                      what this sync may take of a pool in its window
  --concurrency CATEGORY=3              requests at once
  --unset NAME                          nothing of its own any more`,
		Args: takes(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.with(cmd.Context(), nil, func(h *host) error {
				return a.syncLimits(cmd.Context(), h, args[0], set, concurrency, unset)
			})
		},
	}
	limitFlags(cmd, &set, &concurrency, &unset)
	return cmd
}

func (a *app) syncLimits(ctx context.Context, h *host, name string, set, concurrency, unset []string) error {
	s, err := h.store.Sync(ctx, name)
	if err != nil {
		return err
	}
	c, err := h.store.Connection(ctx, s.Connection)
	if err != nil {
		return err
	}
	if len(set)+len(concurrency)+len(unset) > 0 {
		if s.Overrides, err = overridden(s.Overrides, set, concurrency, unset); err != nil {
			return err
		}
		if c.Limits.Empty() { // they could not be read when the connection was made
			if c, _, err = h.TestConnection(ctx, c, connector.Authorization{}); err != nil {
				return err
			}
		}
		if err := runner.CheckOverrides(c.Limits, s); err != nil {
			return err
		}
		if err := h.store.PutSync(ctx, s); err != nil {
			return err
		}
	}
	left, err := h.Left(ctx, c, s)
	if err != nil {
		return err
	}
	shape := SyncLimitsShape{Overrides: append([]config.Limit{}, config.WrittenSync(s).Limits...), Left: shapes(left, poolShape)}
	return a.result(shape, func() {
		for _, o := range shape.Overrides {
			a.say("own limit: %s", config.LimitText(o))
		}
		if len(shape.Overrides) == 0 {
			a.say("sync %s has no limits of its own; those of connection %s hold", name, s.Connection)
		}
		for _, l := range shape.Left {
			a.say("%s", leftText(l))
		}
	})
}
