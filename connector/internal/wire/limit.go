package wire

import (
	"fmt"

	"github.com/sluiceio/sluice/connector"
	connectorv1 "github.com/sluiceio/sluice/gen/sluice/connector/v1"
)

// Limits makes limits.
func Limits(l connector.Limits) (*connectorv1.Limits, error) {
	limits, err1 := list("limits", l.Limits, limit)
	pools, err2 := list("pools", l.Pools, pool)
	return &connectorv1.Limits{Limits: limits, Pools: pools}, first(err1, err2, checkLimits(l))
}

// LimitsFrom reads limits; none are empty ones.
func LimitsFrom(l *connectorv1.Limits) (connector.Limits, error) {
	limits, err1 := list("limits", l.GetLimits(), limitFrom)
	pools, err2 := list("pools", l.GetPools(), poolFrom)
	out := connector.Limits{Limits: limits, Pools: pools}
	return out, first(err1, err2, checkLimits(out))
}

func checkLimits(l connector.Limits) error {
	pools := make(map[string]bool, len(l.Pools))
	for _, p := range l.Pools {
		pools[p.Name] = true
	}
	for i, limit := range l.Limits {
		if limit.Cost != nil && !pools[limit.Cost.Pool] {
			return broken(fmt.Sprintf("limits[%d].cost.pool", i), "names no pool of the same limits")
		}
	}
	return first(
		unique("limits", "category", l.Limits, func(l connector.Limit) string { return l.Category }),
		unique("pools", "name", l.Pools, func(p connector.Pool) string { return p.Name }))
}

func limit(l connector.Limit) (*connectorv1.Limit, error) {
	matchers, _ := list("matchers", l.Matchers, func(m connector.Matcher) (*connectorv1.RequestMatcher, error) {
		return &connectorv1.RequestMatcher{Methods: m.Methods, Host: m.Host, PathPattern: m.PathPattern}, nil
	})
	rates, _ := list("rates", l.Rates, func(r connector.Rate) (*connectorv1.Rate, error) {
		return &connectorv1.Rate{Count: r.Count, Per: span(r.Per)}, nil
	})
	out := &connectorv1.Limit{
		Category: l.Category, Label: l.Label, Matchers: matchers, Rates: rates, MaxConcurrency: int32(l.MaxConcurrency), Shared: l.Shared, SourceUrl: l.SourceURL,
	}
	if c := l.Cost; c != nil {
		out.Cost = &connectorv1.Cost{Pool: c.Pool, Units: c.Units, Items: c.Items}
	}
	return out, checkLimit(l)
}

func limitFrom(l *connectorv1.Limit) (connector.Limit, error) {
	matchers, _ := list("matchers", l.GetMatchers(), func(m *connectorv1.RequestMatcher) (connector.Matcher, error) {
		return connector.Matcher{Methods: m.GetMethods(), Host: m.GetHost(), PathPattern: m.GetPathPattern()}, nil
	})
	rates, err := list("rates", l.GetRates(), func(r *connectorv1.Rate) (connector.Rate, error) {
		per, err := spanFrom("per", r.GetPer())
		return connector.Rate{Count: r.GetCount(), Per: per}, err
	})
	out := connector.Limit{
		Category: l.GetCategory(), Label: l.GetLabel(), Matchers: matchers, Rates: rates, MaxConcurrency: int(l.GetMaxConcurrency()), Shared: l.GetShared(), SourceURL: l.GetSourceUrl(),
	}
	if c := l.GetCost(); c != nil {
		out.Cost = &connector.Cost{Pool: c.GetPool(), Units: c.GetUnits(), Items: c.GetItems()}
	}
	return out, first(err, checkLimit(out))
}

func checkLimit(l connector.Limit) error {
	if len(l.Matchers) == 0 {
		return first(required("category", l.Category), broken("matchers", "is required"))
	}
	for i, m := range l.Matchers {
		if err := pattern(fmt.Sprintf("matchers[%d].path_pattern", i), m.PathPattern); err != nil {
			return err
		}
	}
	for i, r := range l.Rates {
		if err := first(positive("count", r.Count), positive("per", r.Per)); err != nil {
			return within(fmt.Sprintf("rates[%d]", i), err)
		}
	}
	if c := l.Cost; c != nil {
		if err := first(required("cost.pool", c.Pool), positive("cost.units", c.Units), notNegative("cost.items", c.Items)); err != nil {
			return err
		}
	}
	return first(required("category", l.Category), small("max_concurrency", l.MaxConcurrency))
}

func pool(p connector.Pool) (*connectorv1.Pool, error) {
	return &connectorv1.Pool{Name: p.Name, Label: p.Label, Capacity: p.Capacity, Window: span(p.Window), SourceUrl: p.SourceURL}, checkPool(p)
}

func poolFrom(p *connectorv1.Pool) (connector.Pool, error) {
	window, err := spanFrom("window", p.GetWindow())
	out := connector.Pool{Name: p.GetName(), Label: p.GetLabel(), Capacity: p.GetCapacity(), Window: window, SourceURL: p.GetSourceUrl()}
	return out, first(err, checkPool(out))
}

func checkPool(p connector.Pool) error {
	return first(required("name", p.Name), positive("capacity", p.Capacity), positive("window", p.Window))
}
