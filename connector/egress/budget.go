package egress

import (
	"context"
	"reflect"
	"time"

	"github.com/sluiceio/sluice/connector"
)

// pool is a budget shared by categories. The window is the client's own ledger:
// it is always kept, and decides where the host keeps none.
type pool struct {
	name   string
	window window
	// spent is until when the app has said that nothing is left.
	spent time.Time
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
}

func (s *lease) good(now time.Time) bool { return s.expires.IsZero() || now.Before(s.expires) }

// smallCost is the cost up to which several requests are granted at once, to
// save asking for each of them.
const (
	smallCost  = 5
	smallGrant = 20
)

// unknownReset is when asking again makes sense if nobody says when a spent
// budget comes back.
const unknownReset = 15 * time.Minute

// checkPool looks whether the pool pays for a request. The lock is held.
func (l *limiter) checkPool(ctx context.Context, p *pass, now time.Time) verdict {
	pool := p.category.pool
	switch {
	case pool.spent.After(now):
		return verdict{err: exhausted(pool.name, pool.spent)}
	case p.alone:
		ok, at := pool.window.free(p.units, 0, now)
		return verdict{ok: ok, at: at, waiting: connector.WaitingBudget}
	}
	s := l.leaseOf(ctx, pool.name)
	if s != nil && s.units >= p.units && s.good(now) {
		return verdict{ok: true}
	}
	return verdict{ask: true}
}

// pay books a request with the ledger and the lease. The lock is held.
func (l *limiter) pay(ctx context.Context, p *pass) {
	p.category.pool.window.take(p.units)
	if p.alone {
		return
	}
	p.lease = l.leaseOf(ctx, p.category.pool.name)
	p.lease.units -= p.units
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
func (l *limiter) askHost(ctx context.Context, p *pass) error {
	pool, host := p.category.pool.name, connector.HostFrom(ctx)
	request := connector.GrantRequest{Pool: pool, Units: p.units, Want: p.units}
	if p.units <= smallCost {
		request.Want = smallGrant
	}
	g, err := host.Grant(ctx, request)
	switch {
	case err != nil:
		return err
	case g.Unlimited:
		p.alone = true
		return nil
	case g.Units >= p.units && (g.ExpiresAt.IsZero() || g.ExpiresAt.After(time.Now())):
		l.keepLease(leaseKey{keyOf(host), pool}, g)
		return nil
	}
	at := g.RetryAt
	if soon := time.Now().Add(time.Second); at.Before(soon) {
		at = soon // never ask without a pause
	}
	return l.sleep(ctx, time.Until(at), connector.WaitingBudget, "waiting for budget: "+pool)
}

// keepLease adds a grant to what is left, and forgets leases that expired, of
// this host or of earlier ones.
func (l *limiter) keepLease(key leaseKey, g connector.Grant) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	for k, s := range l.leases {
		if !s.good(now) {
			delete(l.leases, k)
		}
	}
	s := l.leases[key]
	if s == nil {
		l.leases[key] = &lease{units: g.Units, expires: g.ExpiresAt}
		return
	}
	s.units += g.Units
	if s.expires.IsZero() || !g.ExpiresAt.IsZero() && g.ExpiresAt.Before(s.expires) {
		s.expires = g.ExpiresAt // the sum is good as long as all of it is
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
