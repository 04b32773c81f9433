package egress

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/sluiceio/sluice/connector"
)

// defaultMaxWait is how long a request waits at most for a limit.
const defaultMaxWait = time.Hour

// limiter keeps all limits of a client.
type limiter struct {
	categories []*category
	items      func(*http.Request) int64
	maxWait    time.Duration
	telling    rate.Sometimes // progress reports while waiting

	mu      sync.Mutex
	changed chan struct{} // closed and replaced when something became free
	groups  map[string]*group
	pools   map[string]*pool
	leases  map[leaseKey]*lease
}

// category is one limit. Its requests pass in the order in which they came.
type category struct {
	limit connector.Limit
	fits  matcherSet
	rates []*pool
	group *group
	pool  *pool
	pause time.Time // no request before it
	queue []*pass
}

// group is a concurrency limit shared by categories.
type group struct{ size, busy int }

// pass is one request on its way through the limits.
type pass struct {
	category *category
	charges  []charge
}

func newLimiter(c Config) (*limiter, error) {
	l := &limiter{
		items: c.Items, maxWait: c.MaxWait, telling: rate.Sometimes{First: 1, Interval: time.Second},
		changed: make(chan struct{}), groups: make(map[string]*group), pools: make(map[string]*pool), leases: make(map[leaseKey]*lease),
	}
	if l.maxWait <= 0 {
		l.maxWait = defaultMaxWait
	}
	for _, p := range c.Limits.Pools {
		if p.Name == "" || p.Capacity < 1 || p.Window <= 0 {
			return nil, badConfig("the pool %q holds %d units in %v: nothing could be paid from it", p.Name, p.Capacity, p.Window)
		}
		l.pools[p.Name] = &pool{name: p.Name, window: window{size: p.Capacity, per: p.Window}}
	}
	for _, limit := range c.Limits.Limits {
		if err := l.add(limit); err != nil {
			return nil, err
		}
	}
	return l, nil
}

func (l *limiter) add(limit connector.Limit) error {
	fits, err := compile(limit.Matchers)
	if err != nil {
		return badConfig("the limit %s: %w", limit.Category, err)
	}
	c := &category{limit: limit, fits: fits}
	for _, r := range limit.Rates {
		if r.Count < 1 || r.Per <= 0 {
			return badConfig("the limit %s: a rate of %d per %v lets nothing pass", limit.Category, r.Count, r.Per)
		}
		c.rates = append(c.rates, &pool{name: limit.RatePool(r).Name, rate: true, window: window{size: r.Count, per: r.Per}})
	}
	if limit.Cost != nil {
		if c.pool = l.pools[limit.Cost.Pool]; c.pool == nil {
			return badConfig("the limit %s: its cost is drawn from the pool %q, which is not declared", limit.Category, limit.Cost.Pool)
		}
	}
	if limit.MaxConcurrency > 0 || limit.Shared != "" {
		c.group = l.groupFor(limit)
	}
	l.categories = append(l.categories, c)
	return nil
}

func badConfig(format string, args ...any) error {
	err := fmt.Errorf("egress: "+format, args...)
	return &connector.Error{Class: connector.ClassConfig, Code: "INVALID_LIMITS", Message: err.Error(), Cause: err}
}

// groupFor returns the limit's concurrency group; a shared one has the smallest
// size that any member states.
func (l *limiter) groupFor(limit connector.Limit) *group {
	name := limit.Shared
	if name == "" {
		name = "\x00" + limit.Category
	}
	g := l.groups[name]
	if g == nil {
		g = &group{size: limit.MaxConcurrency}
		l.groups[name] = g
	}
	if limit.MaxConcurrency > 0 && (g.size == 0 || limit.MaxConcurrency < g.size) {
		g.size = limit.MaxConcurrency
	}
	return g
}

// categoryOf returns the limit a request belongs to, or nil.
func (l *limiter) categoryOf(r *http.Request) *category {
	for _, c := range l.categories {
		if c.fits.fits(r) {
			return c
		}
	}
	return nil
}

// enter waits until the request may be sent, and returns its pass: nil when it
// belongs to no limit.
func (l *limiter) enter(r *http.Request) (*pass, error) {
	c := l.categoryOf(r)
	if c == nil {
		return nil, nil
	}
	var units int64
	if c.limit.Cost != nil {
		units = c.limit.Cost.For(l.itemsOf(r))
	}
	if c.pool != nil && units > c.pool.window.size {
		return nil, connector.Errorf(connector.ClassConfig, "COST_EXCEEDS_POOL", "one request of %s costs %d, more than %s ever holds", c.name(), units, c.pool.name)
	}
	p := &pass{category: c, charges: c.charges(units, connector.HostFrom(r.Context()) == nil)}
	l.mu.Lock()
	c.queue = append(c.queue, p)
	l.mu.Unlock()
	if err := l.await(r.Context(), p); err != nil {
		l.mu.Lock()
		c.unqueue(p)
		l.wake()
		l.mu.Unlock()
		return nil, err
	}
	return p, nil
}

func (l *limiter) itemsOf(r *http.Request) int64 {
	if l.items == nil {
		return 1
	}
	return l.items(r)
}

func (c *category) unqueue(p *pass) {
	c.queue = slices.DeleteFunc(c.queue, func(other *pass) bool { return other == p })
}

// await waits for everything at once: a request that waits for one thing holds
// no other, so that dear requests waiting for budget do not keep cheap ones
// from their places.
func (l *limiter) await(ctx context.Context, p *pass) error {
	for {
		l.mu.Lock()
		now := time.Now()
		v := l.check(ctx, p, now)
		if v.ok {
			l.take(ctx, p)
		}
		changed := l.changed
		l.mu.Unlock()
		switch {
		case v.ok:
			return nil
		case v.err != nil:
			return v.err
		case v.ask != nil:
			if err := l.askHost(ctx, p, v.ask); err != nil {
				return err
			}
		default:
			if err := l.waitFor(ctx, p, v, changed); err != nil {
				return err
			}
		}
	}
}

// verdict is whether a request may pass, and otherwise what it waits for.
type verdict struct {
	ok      bool
	at      time.Time // not before; zero when that depends on requests under way
	waiting connector.Waiting
	ask     *charge // what the host is to be asked for
	err     error
}

// check looks at all limits. The lock is held.
func (l *limiter) check(ctx context.Context, p *pass, now time.Time) verdict {
	c := p.category
	place := int64(slices.Index(c.queue, p))
	v := verdict{waiting: connector.WaitingLimit}
	if c.pause.After(now) {
		v.at = c.pause
	}
	wait := v.at.After(now)
	for _, r := range c.rates {
		if ok, at := r.window.free(1, place, now); !ok {
			wait = true
			if at.After(v.at) {
				v.at = at
			}
		}
	}
	full := c.group != nil && c.group.size > 0 && c.group.busy >= c.group.size
	if wait || full || place > 0 {
		return v
	}
	for i := range p.charges {
		if v := l.checkCharge(ctx, &p.charges[i], now); !v.ok {
			return v
		}
	}
	return verdict{ok: true}
}

// take takes what check found free. The lock is held.
func (l *limiter) take(ctx context.Context, p *pass) {
	c := p.category
	c.unqueue(p)
	if c.group != nil {
		c.group.busy++
	}
	for i := range p.charges {
		l.pay(ctx, &p.charges[i])
	}
	l.wake() // the next in the queue is first now
}

// waitFor waits until something changes or the time has come.
func (l *limiter) waitFor(ctx context.Context, p *pass, v verdict, changed <-chan struct{}) error {
	activity := "waiting for the limit " + p.category.name()
	if v.waiting == connector.WaitingBudget {
		activity = "waiting for budget: " + p.category.pool.name
	}
	var timeout <-chan time.Time
	if !v.at.IsZero() {
		d := time.Until(v.at)
		if err := l.affordable(ctx, d, v.waiting, activity); err != nil {
			return err
		}
		timer := time.NewTimer(d)
		defer timer.Stop()
		timeout = timer.C
	}
	l.tell(ctx, v.waiting, activity, v.at)
	select {
	case <-timeout:
	case <-changed:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return nil
}

func (c *category) name() string {
	if c.limit.Label != "" {
		return c.limit.Label
	}
	return c.limit.Category
}

// fate is what became of a request, for the limits.
type fate int

const (
	fateAnswered  fate = iota // the header of the answer is there
	fateAbandoned             // it may have reached the app
	fateUnsent                // it was never sent
)

// answered says what became of the request; its place in a group is kept.
func (l *limiter) answered(p *pass, f fate) {
	if p == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	for i := range p.charges {
		c := &p.charges[i]
		settle(&c.pool.window, c.units, f, now)
		if f == fateUnsent && c.lease != nil {
			c.lease.units += c.units
		}
	}
	l.wake()
}

func settle(w *window, units int64, f fate, now time.Time) {
	if f == fateUnsent {
		w.untake(units)
		return
	}
	w.answered(units, now, f == fateAnswered)
}

// leave gives the place in the concurrency group back.
func (l *limiter) leave(p *pass) {
	if p == nil || p.category.group == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	p.category.group.busy--
	l.wake()
}

// wake lets everyone who waits look again. The lock is held.
func (l *limiter) wake() {
	close(l.changed)
	l.changed = make(chan struct{})
}

// pause lets no request of the same category pass before a time.
func (l *limiter) pause(r *http.Request, until time.Time) {
	c := l.categoryOf(r)
	if c == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if until.After(c.pause) {
		c.pause = until
		l.wake() // those who cannot wait so long learn it now
	}
}

// affordable fails when a wait would outlast the deadline, or is longer than
// any wait is allowed to be.
func (l *limiter) affordable(ctx context.Context, d time.Duration, waiting connector.Waiting, activity string) error {
	deadline, ok := ctx.Deadline()
	late := ok && time.Now().Add(d).After(deadline)
	if !late && d <= l.maxWait {
		return nil
	}
	class, code := connector.ClassRateLimited, "RATE_LIMITED"
	if waiting == connector.WaitingBudget {
		class, code = connector.ClassQuotaExhausted, "QUOTA_EXHAUSTED"
	}
	e := connector.Errorf(class, code, "%s would take %v, which is longer than there is time for", activity, d.Round(time.Millisecond))
	e.RetryAfter, e.ResetAt = d, time.Now().Add(d)
	return e
}

// tell reports a wait to the host, at most one a second.
func (l *limiter) tell(ctx context.Context, waiting connector.Waiting, activity string, until time.Time) {
	host := connector.HostFrom(ctx)
	if host == nil {
		return
	}
	l.telling.Do(func() {
		host.Report(ctx, connector.Report{Progress: &connector.Progress{Activity: activity, Waiting: waiting, Until: until}})
	})
}
