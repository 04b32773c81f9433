package egress

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/sluiceio/sluice/connector"
)

// Config configures a [Client]. Addresses is required; the zero value of
// everything else is usable.
type Config struct {
	// Addresses are the hosts that may be reached. Whatever leads elsewhere, a
	// redirect or a download URL, is refused with a [HostError].
	Addresses []connector.NetworkAddress
	// Limits are obeyed; a request belongs to the first one that matches.
	Limits connector.Limits
	// Items returns the number of items (records) in a request, for costs that
	// depend on it. Nil means 1.
	Items func(*http.Request) int64
	// Tokens gives the Authorization header. Nil means none.
	Tokens TokenSource
	// Unauthenticated matches requests that carry no token, such as those to
	// the token endpoint itself.
	Unauthenticated []connector.Matcher
	// TokenExpired reports whether an answer says that the token is no longer
	// good; it is given the first 64 KiB of the body. Nil means any 401.
	TokenExpired func(*http.Response, []byte) bool
	// RetrySafe matches requests that may be repeated although their method is
	// not idempotent. See also [WithIdempotent].
	RetrySafe []connector.Matcher
	// Retry bounds repetition.
	Retry Retry
	// QuotaExhausted tells, of a 429, whether a budget is spent rather than the
	// pace too fast, and when it comes back (zero if unknown). Nil means never.
	QuotaExhausted func(*http.Response, []byte) (exhausted bool, resetAt time.Time)
	// Remaining reads what the app says is left in a pool. Nil means nothing.
	Remaining func(*http.Response) (pool string, units int64, ok bool)
	// MaxWait bounds any single wait for a limit or a budget; longer ones fail
	// at once. Default one hour.
	MaxWait time.Duration
	// Logger takes a line for each request, at level debug. Nil means none.
	Logger *slog.Logger
	// Transport sends the requests. Default: one with HTTP/2 that uses no proxy
	// from the environment, since a connector's environment is not the user's.
	Transport http.RoundTripper
}

// Retry bounds the repetition of requests.
type Retry struct {
	// MaxAttempts counts the first attempt too. Default 5.
	MaxAttempts int
	// Base is the pause after the first failure, doubled after each further
	// one up to Max, and jittered; the server's own delay takes precedence.
	// Defaults 500 ms and 60 s.
	Base, Max time.Duration
}

// TokenSource gives the value of the Authorization header. It is called by one
// goroutine at a time; the others share the answer.
type TokenSource interface {
	// Token returns the whole header value, such as "Bearer abc", refreshing
	// the token if need be. It is called for every request, so it caches.
	// Requests made with its context through the same client carry no token.
	Token(ctx context.Context) (string, error)
	// Invalidate says that the app refused a value as expired, so that the
	// next Token returns another one. It is called once for each value.
	Invalidate(ctx context.Context, value string)
}

// Client is a road out. It is safe for concurrent use.
type Client struct {
	http *http.Client
	base http.RoundTripper
}

// New returns a client, or an error of class CONFIG that names the
// contradiction in the config.
func New(c Config) (*Client, error) {
	allowed, err := newAllowList(c.Addresses)
	if err != nil {
		return nil, err
	}
	matchers := map[string][]connector.Matcher{"Unauthenticated": c.Unauthenticated, "RetrySafe": c.RetrySafe}
	compiled := make(map[string]matcherSet, len(matchers))
	for name, list := range matchers {
		if compiled[name], err = compile(list); err != nil {
			return nil, badConfig("%s: %w", name, err)
		}
	}
	limits, err := newLimiter(c)
	if err != nil {
		return nil, err
	}
	base := c.Transport
	if base == nil {
		base = newTransport()
	}
	// From the inside out:
	//
	// the tap of the context, if there is one, on the wire;
	// observe next to it, so that each attempt is booked and logged once,
	// with its own duration and without the time it waited;
	// limits around it, so that each attempt waits its turn, repetitions too;
	// auth around the limits: asking for a token may send a request that itself
	// waits for the limits, and must not hold a place meanwhile; and a token
	// refused is one attempt for the limits and none for retry;
	// retry around auth, so that a later attempt carries a fresh token;
	// the allow-list outermost: what it refuses costs no budget, no token and
	// no time.
	var chain http.RoundTripper = &observer{next: tapTransport{base}, limits: limits, remaining: c.Remaining, logger: c.Logger}
	chain = &limitTransport{next: chain, limits: limits, exhausted: c.QuotaExhausted}
	if c.Tokens != nil {
		chain = &authTransport{
			next: chain, tokens: c.Tokens, open: compiled["Unauthenticated"], expired: c.TokenExpired,
		}
	}
	chain = &retryTransport{next: chain, safe: compiled["RetrySafe"], retry: c.Retry.withDefaults(), limits: limits}
	chain = &allowTransport{next: chain, allowed: allowed}
	return &Client{http: &http.Client{Transport: chain, CheckRedirect: allowed.checkRedirect}, base: base}, nil
}

// HTTP returns the client to send requests with. A response's body must be
// closed: until then the call counts as under way.
//
// What went wrong is a [connector.Error] within the [url.Error] that net/http
// returns; that one repeats the whole URL, so use [Redact] before showing it.
func (c *Client) HTTP() *http.Client { return c.http }

// Close closes idle connections. Requests under way go on.
func (c *Client) Close() { c.http.CloseIdleConnections(); closeIdle(c.base) }

func closeIdle(t http.RoundTripper) {
	if c, ok := t.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

func newTransport() http.RoundTripper {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.Proxy = nil
	t.MaxIdleConnsPerHost = 32 // connectors talk to few hosts, with many workers
	t.ResponseHeaderTimeout = 5 * time.Minute
	return t
}

func (r Retry) withDefaults() Retry {
	if r.MaxAttempts <= 0 {
		r.MaxAttempts = 5
	}
	if r.Base <= 0 {
		r.Base = 500 * time.Millisecond
	}
	if r.Max <= 0 {
		r.Max = time.Minute
	}
	return r
}

type idempotentKey struct{}

// WithIdempotent returns a context that marks requests as safe to repeat,
// whatever their method.
func WithIdempotent(ctx context.Context) context.Context {
	return context.WithValue(ctx, idempotentKey{}, true)
}

func isIdempotent(ctx context.Context) bool { return ctx.Value(idempotentKey{}) != nil }
