package egress

import (
	"context"
	"reflect"
	"time"

	"github.com/sluiceio/sluice/connector"
)

// pool is a budget: one that categories share, or the rate of one of them. The
// window is the client's own ledger: it is always kept, and decides alone where
// the host keeps none.
type pool struct {
	name   string
	window window
	// rate is true of a rate: the client's own window was looked at before.
	rate bool
	// spent is until when the app has said that nothing is left.
	spent time.Time
}

// charge is what a request takes from one budget.
type charge struct {
	pool  *pool
	units int64
	alone bool   // the host keeps no ledger of it: the client's own decides
	lease *lease // what paid, nil when the own ledger did
}

// leaseKey names what a host has granted of a pool.
type leaseKey struct {
	host connector.Host
	pool string
}

// lease is what is left of a grant.
type lease struct {
	units   int64
	expires time.Time
	// unlimited is true when the host has said that it keeps no ledger.
	unlimited bool
}

func (s *lease) good(now time.Time) bool { return s.expires.IsZero() || now.Before(s.expires) }

// smallCost is the cost up to which several requests are granted at once, to
// save asking for each of them. Of a rate, a fiftieth is: what one run holds
// unspent no other can use.
const (
	smallCost  = 5
	smallGrant = 20
	rateShare  = 50
)

// unknownReset is when asking again makes sense if nobody says when a spent
// budget comes back.
const unknownReset = 15 * time.Minute

// charges are what a request of a category takes, from its pool and its rates.
func (c *category) charges(units int64, alone bool) []charge {
	var all []charge
	for _, r := range c.rates {
		all = append(all, charge{pool: r, units: 1, alone: alone})
	}
	if c.pool != nil && units > 0 {
		all = append(all, charge{pool: c.pool, units: units, alone: alone})
	}
	return all
}

// checkCharge looks whether a budget pays for a request. The lock is held.
func (l *limiter) checkCharge(ctx context.Context, c *charge, now time.Time) verdict {
	if c.pool.spent.After(now) {
		return verdict{err: exhausted(c.pool.name, c.pool.spent)}
	}
	s := l.leaseOf(ctx, c.pool.name)
	switch {
	case c.alone || s != nil && s.unlimited:
		c.alone = true
		if c.pool.rate {
			return verdict{ok: true}
		}
		ok, at := c.pool.window.free(c.units, 0, now)
		return verdict{ok: ok, at: at, waiting: connector.WaitingBudget}
	case s != nil && s.units >= c.units && s.good(now):
		return verdict{ok: true}
	}
	return verdict{ask: c}
}

// pay books a request with the ledger and the lease. The lock is held.
func (l *limiter) pay(ctx context.Context, c *charge) {
	c.pool.window.take(c.units)
	if c.alone {
		return
	}
	c.lease = l.leaseOf(ctx, c.pool.name)
	c.lease.units -= c.units
}

// leaseOf returns the lease of the sync's host, nil when there is none.
func (l *limiter) leaseOf(ctx context.Context, pool string) *lease {
	return l.leases[leaseKey{keyOf(connector.HostFrom(ctx)), pool}]
}

// keyOf is a host as part of a map's key. Hosts that cannot be compared share
// their leases, which only means that one may spend what the other was granted.
func keyOf(h connector.Host) connector.Host {
	if h == nil || !reflect.TypeOf(h).Comparable() {
		return nil
	}
	return h
}

// askHost asks the host for budget and keeps what it grants. When it grants
// nothing it waits until asking again makes sense.
func (l *limiter) askHost(ctx context.Context, p *pass, c *charge) error {
	host := connector.HostFrom(ctx)
	key := leaseKey{keyOf(host), c.pool.name}
	request := connector.GrantRequest{Pool: c.pool.name, Units: c.units, Want: c.units, Returned: l.giveBack(key)}
	switch {
	case c.pool.rate:
		request.Want = max(1, min(smallGrant, c.pool.window.size/rateShare))
	case c.units <= smallCost:
		request.Want = smallGrant
	}
	g, err := host.Grant(ctx, request)
	switch {
	case err != nil:
		return err
	case g.Unlimited:
		l.keepLease(key, lease{unlimited: true})
		return nil
	case g.Units >= c.units && (g.ExpiresAt.IsZero() || g.ExpiresAt.After(time.Now())):
		l.keepLease(key, lease{units: g.Units, expires: g.ExpiresAt})
		return nil
	}
	at := g.RetryAt
	if soon := time.Now().Add(c.pool.pause()); at.Before(soon) {
		at = soon // never ask without a pause
	}
	if c.pool.rate {
		return l.sleep(ctx, time.Until(at), connector.WaitingLimit, "waiting for the limit "+p.category.name())
	}
	return l.sleep(ctx, time.Until(at), connector.WaitingBudget, "waiting for budget: "+c.pool.name)
}

// pause is how long to wait at least before asking the host again.
func (p *pool) pause() time.Duration {
	return min(max(p.window.per/100, 10*time.Millisecond), time.Second)
}

// giveBack takes the rest of a lease that does not suffice, to be returned with
// the request for more: units that nobody spends would be lost to all.
func (l *limiter) giveBack(key leaseKey) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.leases[key]
	if s == nil || s.unlimited {
		return 0
	}
	units := s.units
	s.units = 0
	return units
}

// keepLease adds a grant to what is left, and forgets leases of earlier hosts
// that expired.
func (l *limiter) keepLease(key leaseKey, g lease) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	for k, s := range l.leases {
		if !s.good(now) && k.host != key.host {
			delete(l.leases, k)
		}
	}
	s := l.leases[key]
	if s == nil {
		l.leases[key] = &g
		return
	}
	if s.units == 0 { // kept, since requests under way may give back to it
		*s = g
		return
	}
	s.units += g.units
	if s.expires.IsZero() || !g.expires.IsZero() && g.expires.Before(s.expires) {
		s.expires = g.expires // the sum is good as long as all of it is
	}
}

// spend notes that the app said that nothing is left, so that nobody asks it
// again before resetAt.
func (l *limiter) spend(p *pass, resetAt time.Time) error {
	if resetAt.IsZero() {
		resetAt = time.Now().Add(unknownReset)
	}
	name := "of the app"
	if p != nil && p.category.pool != nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		name, p.category.pool.spent = p.category.pool.name, resetAt
		l.wake()
	}
	return exhausted(name, resetAt)
}

func exhausted(pool string, resetAt time.Time) error {
	e := connector.Errorf(connector.ClassQuotaExhausted, "QUOTA_EXHAUSTED", "the app says that the budget %s is spent", pool)
	e.ResetAt, e.RetryAfter = resetAt, max(time.Until(resetAt), 0)
	return e
}
