package cli

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sluiceio/sluice/connector"
	"github.com/sluiceio/sluice/runner"
	"github.com/sluiceio/sluice/runner/internal/config"
)

func connectionsLimits(a *app) *cobra.Command {
	var set, concurrency, unset []string
	cmd := &cobra.Command{
		Use: "limits CONNECTION", Short: "Show what the app allows, and override it",
		Long: `Show the limits of a connection in sentences. Override one with --set:

  --set CATEGORY=100/minute[,5/second]  the rates of a category
  --set POOL=20000                      the capacity of a pool
  --concurrency CATEGORY=3              requests at once (0 lifts the bound)
  --unset NAME                          back to what the connector says

All runs on the connection share pools and rates, also those of other processes
with the same state folder. What the app itself says is left of a pool bounds
them as well, whatever capacity was set, for 15 minutes after it was last said:
beyond it the app would refuse. Syncs can have narrower limits of their own: see
sluice syncs limits.`,
		Args: takes(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.with(cmd.Context(), nil, func(h *host) error {
				return a.limits(cmd.Context(), h, args[0], set, concurrency, unset)
			})
		},
	}
	limitFlags(cmd, &set, &concurrency, &unset)
	return cmd
}

// limitFlags are the flags that change overrides.
func limitFlags(cmd *cobra.Command, set, concurrency, unset *[]string) {
	f := cmd.Flags()
	f.StringArrayVar(set, "set", nil, "override CATEGORY=RATES or POOL=CAPACITY; may be repeated")
	f.StringArrayVar(concurrency, "concurrency", nil, "override CATEGORY=NUMBER; may be repeated")
	f.StringArrayVar(unset, "unset", nil, "drop the override of a category or pool; may be repeated")
}

func (a *app) limits(ctx context.Context, h *host, name string, set, concurrency, unset []string) error {
	c, err := h.store.Connection(ctx, name)
	if err != nil {
		return err
	}
	if len(set)+len(concurrency)+len(unset) > 0 {
		overrides, err := overridden(c.Overrides, set, concurrency, unset)
		if err != nil {
			return err
		}
		if c.Limits.Empty() { // they could not be read when the connection was made
			if c, _, err = h.TestConnection(ctx, c, connector.Authorization{}); err != nil {
				return err
			}
		}
		if _, err := runner.ApplyOverrides(c.Limits, overrides); err != nil {
			return err
		}
		c.Overrides = overrides
		if err := h.store.PutConnection(ctx, c); err != nil {
			return err
		}
	}
	limits, sentences, err := h.Limits(ctx, name)
	if err != nil {
		return err
	}
	shape := LimitsShape{Sentences: sentences, Overrides: append([]config.Limit{}, config.WrittenConnection(c).Limits...)}
	c.Limits = limits // with overrides, which change nothing when applied again
	left, err := h.Left(ctx, c, runner.Sync{})
	if err != nil {
		return err
	}
	shape.Pools = shapes(left, poolShape)
	shape.Limits = shapes(limits.Limits, limitShape)
	return a.result(shape, func() {
		for _, sentence := range sentences {
			a.say("%s", sentence)
		}
		for _, p := range shape.Pools {
			a.say("%s", leftText(p))
		}
		for _, o := range shape.Overrides {
			a.say("overridden: %s", o.Category+o.Pool)
		}
	})
}

// leftText says what is left of a pool, and whether that is the app's word.
func leftText(p PoolShape) string {
	text := fmt.Sprintf("left of %s: %d of %d", p.Name, p.Left, p.Capacity)
	if p.Said != nil && *p.Said < p.Capacity {
		text += fmt.Sprintf(" (the app itself says that %d are left)", *p.Said)
	}
	return text
}

func limitShape(l connector.Limit) LimitShape {
	shape := LimitShape{Category: l.Category, Concurrency: l.MaxConcurrency}
	for _, r := range l.Rates {
		shape.Rates = append(shape.Rates, config.FormatRate(r))
	}
	return shape
}

// overridden changes overrides as the flags say.
func overridden(old []runner.LimitOverride, set, concurrency, unset []string) ([]runner.LimitOverride, error) {
	all := slices.Clone(old)
	for _, name := range unset {
		before := len(all)
		all = slices.DeleteFunc(all, func(o runner.LimitOverride) bool { return o.Category == name || o.Pool == name })
		if len(all) == before {
			return nil, usagef("--unset %s: nothing of that name is overridden", name)
		}
	}
	for _, text := range set {
		name, value, ok := strings.Cut(text, "=")
		if !ok {
			return nil, usagef("--set %s is neither CATEGORY=RATES nor POOL=CAPACITY", text)
		}
		if capacity, err := strconv.ParseInt(value, 10, 64); err == nil {
			if capacity < 0 {
				return nil, usagef("--set %s: a capacity is not below zero", text)
			}
			all = override(all, runner.LimitOverride{Pool: name}, func(o *runner.LimitOverride) { o.Capacity = &capacity })
			continue
		}
		var rates []connector.Rate
		for part := range strings.SplitSeq(value, ",") {
			rate, err := config.ParseRate(part)
			if err != nil {
				return nil, usagef("--set %s: %v", name, err)
			}
			rates = append(rates, rate)
		}
		all = override(all, runner.LimitOverride{Category: name}, func(o *runner.LimitOverride) { o.Rates = rates })
	}
	for _, text := range concurrency {
		name, value, _ := strings.Cut(text, "=")
		n, err := strconv.Atoi(value)
		if err != nil || n < 0 {
			return nil, usagef("--concurrency %s is not CATEGORY=NUMBER", text)
		}
		all = override(all, runner.LimitOverride{Category: name}, func(o *runner.LimitOverride) { o.MaxConcurrency = &n })
	}
	return all, nil
}

// override changes the override with the target's name, or adds it.
func override(all []runner.LimitOverride, target runner.LimitOverride, change func(*runner.LimitOverride)) []runner.LimitOverride {
	for i := range all {
		if all[i].Category == target.Category && all[i].Pool == target.Pool {
			change(&all[i])
			return all
		}
	}
	change(&target)
	return append(all, target)
}
