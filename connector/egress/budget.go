package egress

import (
	"context"
	"time"

	"github.com/sluiceio/sluice/connector"
)

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

// smallCost is the cost up to which several requests are granted at once, to
// save asking for each of them.
const (
	smallCost  = 5
	smallGrant = 20
)

// pay takes units from the category's pool: from the host where it keeps the
// budget, else from the client's own ledger. It waits while the pool is empty.
func (l *limiter) pay(ctx context.Context, c *category, units int64) error {
	pool := c.limit.Cost.Pool
	for {
		ok, at, err := l.tryPay(ctx, pool, units)
		if err != nil {
			return err
		}
		if ok {
			return nil
		}
		if err := l.sleep(ctx, max(time.Until(at), time.Millisecond), connector.WaitingBudget, "waiting for budget: "+pool); err != nil {
			return budgetError(err, pool)
		}
	}
}

func budgetError(err error, pool string) error {
	if e := connector.AsError(err); e.Class == connector.ClassQuotaExhausted {
		e.Message = "the budget " + pool + " is spent: " + e.Message
		return e
	}
	return err
}

func (l *limiter) tryPay(ctx context.Context, pool string, units int64) (bool, time.Time, error) {
	host := connector.HostFrom(ctx)
	if host == nil {
		return l.payAlone(pool, units)
	}
	key := leaseKey{host, pool}
	if l.payFromLease(key, units) {
		return true, time.Time{}, nil
	}
	want := units
	if units <= smallCost {
		want = smallGrant
	}
	g, err := host.Grant(ctx, connector.GrantRequest{Pool: pool, Units: units, Want: want})
	switch {
	case err != nil:
		return false, time.Time{}, err
	case g.Unlimited:
		return l.payAlone(pool, units)
	case g.Units < units:
		return false, g.RetryAt, nil
	}
	l.keepLease(key, g, units)
	return true, time.Time{}, nil
}

func (l *limiter) payAlone(pool string, units int64) (bool, time.Time, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	ok, at := l.ledgers[pool].reserve(units, time.Now())
	return ok, at, nil
}

func (l *limiter) payFromLease(key leaseKey, units int64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.leases[key]
	if s == nil || s.units < units || !time.Now().Before(s.expires) {
		return false
	}
	s.units -= units
	return true
}

// keepLease keeps what a grant has left, and forgets leases that expired, of
// this host or of earlier ones.
func (l *limiter) keepLease(key leaseKey, g connector.Grant, units int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	for k, s := range l.leases {
		if !now.Before(s.expires) {
			delete(l.leases, k)
		}
	}
	s := l.leases[key]
	if s == nil {
		s = &lease{}
		l.leases[key] = s
	}
	s.units += g.Units - units
	s.expires = g.ExpiresAt
}
