package egress

import (
	"context"
	"fmt"
	"net/http"
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
	pools      map[string]connector.Pool
	items      func(*http.Request) int64
	maxWait    time.Duration
	telling    rate.Sometimes // progress reports while waiting

	mu      sync.Mutex
	changed chan struct{} // closed and replaced when something became free
	groups  map[string]*group
	ledgers map[string]*ledger
	leases  map[leaseKey]*lease
}

// category is one limit.
type category struct {
	limit   connector.Limit
	fits    matcherSet
	windows []*window
	group   *group
	pause   time.Time // no request before it
}

// group is a concurrency limit shared by categories.
type group struct{ size, busy int }

func newLimiter(c Config) (*limiter, error) {
	l := &limiter{
		pools: make(map[string]connector.Pool), items: c.Items, maxWait: c.MaxWait, telling: rate.Sometimes{First: 1, Interval: time.Second},
		changed: make(chan struct{}), groups: make(map[string]*group), ledgers: make(map[string]*ledger), leases: make(map[leaseKey]*lease),
	}
	if l.maxWait <= 0 {
		l.maxWait = defaultMaxWait
	}
	for _, p := range c.Limits.Pools {
		l.pools[p.Name] = p
		l.ledgers[p.Name] = &ledger{pool: p}
	}
	for _, limit := range c.Limits.Limits {
		if err := l.add(limit); err != nil {
			return nil, fmt.Errorf("egress: limit %s: %w", limit.Category, err)
		}
	}
	return l, nil
}

func (l *limiter) add(limit connector.Limit) error {
	fits, err := compile(limit.Matchers)
	if err != nil {
		return err
	}
	c := &category{limit: limit, fits: fits}
	for _, r := range limit.Rates {
		if r.Count < 1 || r.Per <= 0 {
			return fmt.Errorf("a rate of %d per %v lets nothing pass", r.Count, r.Per)
		}
		c.windows = append(c.windows, &window{rate: r})
	}
	if limit.Cost != nil {
		if _, ok := l.pools[limit.Cost.Pool]; !ok {
			return fmt.Errorf("its cost is drawn from the pool %q, which is not declared", limit.Cost.Pool)
		}
	}
	if limit.MaxConcurrency > 0 || limit.Shared != "" {
		c.group = l.groupFor(limit)
	}
	l.categories = append(l.categories, c)
	return nil
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

// enter waits until the request may be sent. The two functions returned are to
// be called when the answer's header (or an error) is there, and when the body
// is closed.
func (l *limiter) enter(r *http.Request) (answered, closed func(), err error) {
	c := l.categoryOf(r)
	if c == nil {
		return func() {}, func() {}, nil
	}
	if err := l.takePlace(r.Context(), c); err != nil {
		return nil, nil, err
	}
	answered = func() { l.answered(c) }
	closed = func() { l.leave(c) }
	if cost := c.limit.Cost; cost != nil {
		if err := l.pay(r.Context(), c, cost.For(l.itemsOf(r))); err != nil {
			answered()
			closed()
			return nil, nil, err
		}
	}
	return answered, closed, nil
}

func (l *limiter) itemsOf(r *http.Request) int64 {
	if l.items == nil {
		return 1
	}
	return l.items(r)
}

// takePlace waits for a place in every window and in the concurrency group.
func (l *limiter) takePlace(ctx context.Context, c *category) error {
	for {
		l.mu.Lock()
		ok, at := c.tryTake(time.Now())
		changed := l.changed
		l.mu.Unlock()
		if ok {
			return nil
		}
		if err := l.waitFor(ctx, c, at, changed); err != nil {
			return err
		}
	}
}

// tryTake takes a place if there is one, or says when there may be (zero when
// it depends on requests under way).
func (c *category) tryTake(now time.Time) (bool, time.Time) {
	if c.pause.After(now) {
		return false, c.pause
	}
	for _, w := range c.windows {
		if ok, at := w.free(now); !ok {
			return false, at
		}
	}
	if c.group != nil && c.group.size > 0 && c.group.busy >= c.group.size {
		return false, time.Time{}
	}
	for _, w := range c.windows {
		w.take()
	}
	if c.group != nil {
		c.group.busy++
	}
	return true, time.Time{}
}

// waitFor waits until a time, or until something became free.
func (l *limiter) waitFor(ctx context.Context, c *category, at time.Time, changed <-chan struct{}) error {
	activity := "waiting for the limit " + c.name()
	var timeout <-chan time.Time
	if !at.IsZero() {
		d := time.Until(at)
		if err := l.affordable(ctx, d, connector.WaitingLimit); err != nil {
			return err
		}
		timer := time.NewTimer(d)
		defer timer.Stop()
		timeout = timer.C
	}
	l.tell(ctx, connector.WaitingLimit, activity, at)
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

func (l *limiter) answered(c *category) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	for _, w := range c.windows {
		w.answered(now)
	}
	l.wake()
}

func (l *limiter) leave(c *category) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c.group != nil {
		c.group.busy--
	}
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
	}
}

// affordable fails when a wait would outlast the deadline, or is longer than
// any wait is allowed to be.
func (l *limiter) affordable(ctx context.Context, d time.Duration, waiting connector.Waiting) error {
	deadline, ok := ctx.Deadline()
	late := ok && time.Now().Add(d).After(deadline)
	if !late && d <= l.maxWait {
		return nil
	}
	class, code := connector.ClassRateLimited, "RATE_LIMITED"
	if waiting == connector.WaitingBudget {
		class, code = connector.ClassQuotaExhausted, "QUOTA_EXHAUSTED"
	}
	e := connector.Errorf(class, code, "a wait of %v would be needed, which is longer than there is time for", d.Round(time.Millisecond))
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
