package conformance

import (
	"context"

	"github.com/sluiceio/sluice/connector"
)

// pricesPaths asks what a run of a good many records would cost.
func pricesPaths(x *exam) error {
	e, about, err := beforehand[connector.CostEstimator](x, connector.FeatureOutboundCosts)
	if err != nil {
		return err
	}
	limits, err := x.allowed()
	if err != nil {
		return err
	}
	paths, err := ask(x, "OutboundCosts", x.options.Patience, func(ctx context.Context) ([]connector.OutboundPath, error) {
		return e.OutboundCosts(ctx, about, []connector.ActionCount{{Action: x.action(about.Strategy), Records: 12_345}})
	})
	if err != nil {
		return x.trouble("OutboundCosts", err)
	}
	return goodPaths(paths, limits)
}

func goodPaths(paths []connector.OutboundPath, limits connector.Limits) error {
	categories, pools := map[string]bool{}, map[string]bool{}
	for _, l := range limits.Limits {
		categories[l.Category] = true
	}
	for _, p := range limits.Pools {
		pools[p.Name] = true
	}
	chosen := 0
	for _, p := range paths {
		if p.Chosen {
			chosen++
		}
		for _, c := range p.Costs {
			if !categories[c.Category] || c.Pool != "" && !pools[c.Pool] {
				return breach("the path %s draws on the category %q and the pool %q, which the limits do not have", p.Name, c.Category, c.Pool)
			}
			if c.Requests < 1 || c.Units < 0 {
				return breach("the path %s takes %d requests and %d units through %s", p.Name, c.Requests, c.Units, c.Category)
			}
		}
	}
	if len(paths) > 0 && chosen != 1 {
		return breach("%d of %d paths are chosen", chosen, len(paths))
	}
	return unique("paths", paths, func(p connector.OutboundPath) string { return p.Name })
}
