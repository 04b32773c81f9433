package connector

import (
	"strconv"
	"time"
)

// Limits are what an app allows: limits by category, and the pools they draw on.
type Limits struct {
	Limits []Limit
	Pools  []Pool
}

// Empty reports whether there is no limit and no pool.
func (l Limits) Empty() bool { return len(l.Limits) == 0 && len(l.Pools) == 0 }

// Limit bounds one category of requests. A request belongs to the first limit
// of the list with a matcher that fits it, and to no other.
type Limit struct {
	// Category identifies the limit, for instance "bulk_write_create".
	// Required, unique.
	Category string
	// Label is shown, for instance "Bulk Write Initialize".
	Label string
	// Matchers say which requests belong to the category; any one suffices.
	Matchers []Matcher
	// Rates all hold at once.
	Rates []Rate
	// MaxConcurrency bounds requests under way at once; 0 is unbounded.
	MaxConcurrency int
	// Shared names a concurrency group: limits with the same group share the
	// smallest of their MaxConcurrency. Empty means no sharing.
	Shared string
	// Cost is what a request takes from a pool; nil for nothing.
	Cost *Cost
	// SourceURL is the page that documents the figure. Optional.
	SourceURL string
}

// Matcher fits a request when every non-empty part does.
type Matcher struct {
	// Methods lists HTTP methods; empty fits all.
	Methods []string
	// Host is the host name without port; empty fits all.
	Host string
	// PathPattern is an RE2 expression that the whole URL path must match; the
	// query is not looked at. Empty fits all.
	PathPattern string
}

// Rate allows Count requests in any window of length Per.
type Rate struct {
	Count int64
	Per   time.Duration
}

// Cost is what one request takes from a pool: Units, or, where Items is not
// zero, Units for every started group of Items items in the request.
type Cost struct {
	Pool  string
	Units int64
	Items int64
}

// For returns the units a request with the given number of items costs.
func (c Cost) For(items int64) int64 {
	if c.Items <= 0 || items <= c.Items {
		return c.Units
	}
	return c.Units * ((items + c.Items - 1) / c.Items)
}

// Pool is a budget shared by categories.
type Pool struct {
	// Name identifies the pool, for instance "credits". Required, unique.
	Name  string
	Label string
	// Capacity is the number of units that may be spent in any window of
	// length Window.
	Capacity int64
	Window   time.Duration
	// SourceURL is the page that documents the figure. Optional.
	SourceURL string
}

// RatePool is the pool that stands for a rate in requests for budget: several
// runs on one connection, and the processes before them, share what a rate
// allows as they share a pool. It holds one unit for each request.
func (l Limit) RatePool(r Rate) Pool {
	per := strconv.FormatFloat(r.Per.Seconds(), 'f', -1, 64)
	return Pool{Name: "rate:" + l.Category + ":" + per + "s", Label: labelOr(l.Label, l.Category), Capacity: r.Count, Window: r.Per, SourceURL: l.SourceURL}
}

// GrantRequest asks the host for budget.
type GrantRequest struct {
	// Pool is the name of a pool, or of a rate's [Limit.RatePool].
	Pool string
	// Units is what is needed at least; Want, when larger, what would be taken.
	Units, Want int64
	// Returned are units of earlier grants that will not be spent: the host
	// takes them back before it judges the request.
	Returned int64
}

// Grant is the host's answer: units that may be spent until ExpiresAt, or, when
// Units is 0, the time at which asking again makes sense.
type Grant struct {
	Pool      string
	Units     int64
	ExpiresAt time.Time
	// RetryAt is set when nothing was granted.
	RetryAt time.Time
	// Unlimited is true when the host keeps no ledger: the connector enforces alone.
	Unlimited bool
}

// Usage reports requests that were sent, and what they took.
type Usage struct {
	// Category is the limit the requests belong to; Requests their number.
	Category string
	Requests int64
	// Pool and Units are what they took from a pool; Pool is empty for nothing.
	Pool  string
	Units int64
	// Remaining is what the app itself says is left in the pool; nil when it
	// says nothing.
	Remaining *int64
}
