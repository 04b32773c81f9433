package runner

import (
	"fmt"
	"maps"
	"slices"

	"github.com/sluiceio/sluice/connector"
)

// accounts are what a run pays from: the pools and rates of its connection, which
// all runs on it share, and, where the sync has limits of its own, those of the
// sync. A request takes from both.
type accounts struct {
	sync       string
	connection connector.Limits
	own        []LimitOverride
}

func newAccounts(connection Connection, sync Sync) accounts {
	limits, _ := ApplyOverrides(connection.Limits, connection.Overrides) // as limitsFor does
	return accounts{sync: sync.Name, connection: limits, own: sync.Overrides}
}

// pools returns the budgets behind a name of a request for budget; none when the
// connection does not have it, which makes it the connector's own affair.
func (a accounts) pools(name string) []connector.Pool {
	var pools []connector.Pool
	for _, p := range a.connection.Pools {
		if p.Name != name {
			continue
		}
		pools = append(pools, p)
		for _, o := range a.own {
			if o.Pool == name && o.Capacity != nil {
				pools = append(pools, a.ownPool(p, *o.Capacity))
			}
		}
	}
	for _, l := range a.connection.Limits {
		for _, r := range l.Rates {
			if p := l.RatePool(r); p.Name == name {
				pools = append(pools, p)
			}
		}
		for _, r := range a.ownRates(l.Category) {
			if p := l.RatePool(r); p.Name == name {
				pools = append(pools, a.ownPool(p, r.Count))
			}
		}
	}
	return pools
}

// ownPool is the sync's own share of a pool. Its name cannot be one of the
// connector's for another sync: names of syncs hold no colon.
func (a accounts) ownPool(p connector.Pool, capacity int64) connector.Pool {
	p.Name, p.Capacity = "sync:"+a.sync+":"+p.Name, capacity
	return p
}

func (a accounts) ownRates(category string) []connector.Rate {
	var rates []connector.Rate
	for _, o := range a.own {
		if o.Category == category {
			rates = append(rates, o.Rates...)
		}
	}
	return rates
}

// charges are what usage takes from each budget that is kept.
func (a accounts) charges(usage []connector.Usage) []connector.Usage {
	var charges []connector.Usage
	for _, u := range usage {
		pools := a.pools(u.Pool)
		if pools == nil && u.Pool != "" { // booked all the same: the limits may be read later
			pools = []connector.Pool{{Name: u.Pool}}
		}
		for i, p := range pools {
			c := connector.Usage{Category: u.Category, Pool: p.Name, Units: u.Units}
			if i == 0 {
				c.Remaining = u.Remaining // the app speaks of its own pool
			}
			charges = append(charges, c)
		}
		for _, name := range a.rates(u.Category) {
			for _, p := range a.pools(name) {
				charges = append(charges, connector.Usage{Category: u.Category, Pool: p.Name, Units: u.Requests})
			}
		}
	}
	return charges
}

// rates are the names of the rates that hold for a category.
func (a accounts) rates(category string) []string {
	names := map[string]bool{}
	for _, l := range a.connection.Limits {
		if l.Category != category {
			continue
		}
		for _, r := range slices.Concat(l.Rates, a.ownRates(category)) {
			names[l.RatePool(r).Name] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// paced reports whether usage counts against a rate, which is told at once: what
// comes back in a second is late when it is booked half a second later.
func (a accounts) paced(usage []connector.Usage) bool {
	return slices.ContainsFunc(usage, func(u connector.Usage) bool { return len(a.rates(u.Category)) > 0 })
}

// limitsFor returns the limits that a run obeys: the connection's, and where the
// sync has its own, the smaller of the two. Overrides of limits the connector no
// longer has are left out; Engine.Limits is where they are complained about.
func limitsFor(connection Connection, sync Sync) connector.Limits {
	limits, _ := ApplyOverrides(connection.Limits, connection.Overrides)
	for _, o := range sync.Overrides {
		for i := range limits.Pools {
			if p := &limits.Pools[i]; o.Pool == p.Name && o.Capacity != nil {
				p.Capacity = min(p.Capacity, *o.Capacity)
			}
		}
		for i := range limits.Limits {
			if l := &limits.Limits[i]; o.Category == l.Category {
				narrow(l, o)
			}
		}
	}
	return limits
}

// narrow lets a limit allow no more than an override does.
func narrow(l *connector.Limit, o LimitOverride) {
	rates := slices.Clone(l.Rates)
	for _, r := range o.Rates {
		at := slices.IndexFunc(rates, func(other connector.Rate) bool { return other.Per == r.Per })
		if at < 0 {
			rates = append(rates, r)
		} else {
			rates[at].Count = min(rates[at].Count, r.Count)
		}
	}
	l.Rates = rates
	if n := o.MaxConcurrency; n != nil && *n > 0 && (l.MaxConcurrency == 0 || *n < l.MaxConcurrency) {
		l.MaxConcurrency = *n
	}
}

// share leaves a run its part of what the app allows at once, when several runs
// are under way on one connection: each has a process of its own, which knows
// nothing of the others.
func share(limits connector.Limits, runs int) connector.Limits {
	if runs < 2 {
		return limits
	}
	limits.Limits = slices.Clone(limits.Limits)
	for i := range limits.Limits {
		if l := &limits.Limits[i]; l.MaxConcurrency > 0 {
			l.MaxConcurrency = max(1, l.MaxConcurrency/runs)
		}
	}
	return limits
}

// CheckOverrides says which of a sync's limits its connection does not have.
func CheckOverrides(limits connector.Limits, sync Sync) error {
	for _, o := range sync.Overrides {
		if o.Capacity != nil && *o.Capacity < 1 {
			return connector.Errorf(connector.ClassConfig, "BAD_LIMIT", "sync %s would have nothing of pool %s: give it at least 1", sync.Name, o.Pool)
		}
	}
	if _, err := ApplyOverrides(limits, sync.Overrides); err != nil {
		return fmt.Errorf("sync %s: %w", sync.Name, err)
	}
	return nil
}
