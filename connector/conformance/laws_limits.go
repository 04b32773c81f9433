package conformance

import (
	"regexp"
	"strings"

	"github.com/sluiceio/sluice/connector"
)

var limitLaws = []Law{
	{"L-401", AreaLimits, "Limits answers for a connection that works.", func(x *exam) error {
		if _, err := x.allowed(); err != nil {
			return x.trouble("Limits", x.limits.err)
		}
		return nil
	}},
	{"L-402", AreaLimits, "Categories of limits are named and unique.", limitLaw(func(l connector.Limits) error {
		return unique("categories", l.Limits, func(one connector.Limit) string { return one.Category })
	})},
	{"L-403", AreaLimits, "Each limit has a matcher, whose methods are in upper case and whose path pattern is an RE2 expression.", eachLimit(goodMatchers)},
	{"L-404", AreaLimits, "Rates allow at least one request in a positive time.", eachLimit(goodRates)},
	{"L-405", AreaLimits, "A concurrency limit is not negative, and limits of one group have one.", eachLimit(goodConcurrency)},
	{"L-406", AreaLimits, "A cost draws at least one unit from a pool of the same limits.", limitLaw(goodCosts)},
	{"L-407", AreaLimits, "Pools have unique names, a capacity and a window.", limitLaw(goodPools)},
}

func (x *exam) allowed() (connector.Limits, error) {
	l, err := x.limits.get(func() (connector.Limits, error) {
		s, err := x.bound()
		if err != nil {
			return connector.Limits{}, err
		}
		return ask(x, "Limits", x.options.Patience, s.Limits)
	})
	return l, see("L-401", err)
}

func limitLaw(check func(connector.Limits) error) func(*exam) error {
	return func(x *exam) error {
		l, err := x.allowed()
		if err != nil {
			return err
		}
		return check(l)
	}
}

func eachLimit(check func(connector.Limit) error) func(*exam) error {
	return limitLaw(func(l connector.Limits) error {
		for _, one := range l.Limits {
			if err := check(one); err != nil {
				return err
			}
		}
		return nil
	})
}

func goodMatchers(l connector.Limit) error {
	if len(l.Matchers) == 0 {
		return breach("the limit %s has no matcher", l.Category)
	}
	for _, m := range l.Matchers {
		for _, method := range m.Methods {
			if method == "" || method != strings.ToUpper(method) {
				return breach("the limit %s has the method %q", l.Category, method)
			}
		}
		if _, err := regexp.Compile(m.PathPattern); err != nil {
			return breach("the limit %s has a bad path pattern: %v", l.Category, err)
		}
	}
	return nil
}

func goodRates(l connector.Limit) error {
	for _, r := range l.Rates {
		if r.Count < 1 || r.Per <= 0 {
			return breach("the limit %s has the rate %d in %v", l.Category, r.Count, r.Per)
		}
	}
	return nil
}

func goodConcurrency(l connector.Limit) error {
	if l.MaxConcurrency < 0 || l.Shared != "" && l.MaxConcurrency == 0 {
		return breach("the limit %s has the concurrency %d in the group %q", l.Category, l.MaxConcurrency, l.Shared)
	}
	return nil
}

func goodCosts(l connector.Limits) error {
	pools := map[string]bool{}
	for _, p := range l.Pools {
		pools[p.Name] = true
	}
	for _, one := range l.Limits {
		if c := one.Cost; c != nil && (!pools[c.Pool] || c.Units < 1 || c.Items < 0) {
			return breach("the limit %s costs %d units for %d items of the pool %q", one.Category, c.Units, c.Items, c.Pool)
		}
	}
	return nil
}

func goodPools(l connector.Limits) error {
	for _, p := range l.Pools {
		if p.Capacity < 1 || p.Window <= 0 {
			return breach("the pool %s has %d units in %v", p.Name, p.Capacity, p.Window)
		}
	}
	return unique("pools", l.Pools, func(p connector.Pool) string { return p.Name })
}
