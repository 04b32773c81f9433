package egress

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/sluiceio/sluice/connector"
)

// Config says where a [Client] may go, how fast, and as whom.
type Config struct {
	// Addresses is the allow-list. A request, a redirect or a download URL to
	// any other scheme, host and port is refused before anything is dialled,
	// with a [HostError]. Required.
	Addresses []connector.NetworkAddress
	// Limits are obeyed; the zero value knows none.
	Limits connector.Limits
	// Items returns the number of items in a request, for [connector.Cost].
	// Nil counts one.
	Items func(*http.Request) int64
	// Tokens supplies the Authorization header; nil adds none.
	Tokens TokenSource
	// Unauthenticated lists requests that carry no token, such as those to the
	// token endpoint itself.
	Unauthenticated []connector.Matcher
	// TokenExpired reports whether a refused request is cured by a fresh
	// token. It is given the first 8 KiB of the body. Nil takes every 401.
	TokenExpired func(response *http.Response, body []byte) bool
	// RetrySafe lists POST and PATCH requests that do no harm when repeated.
	// GET, HEAD, OPTIONS, PUT and DELETE always are taken to be safe, and so is
	// a request marked by [WithIdempotent].
	RetrySafe []connector.Matcher
	// Retry bounds repetition.
	Retry Retry
	// QuotaExhausted tells a spent pool from a plain 429, and when the pool
	// comes back (zero when unknown: then asking again makes sense after 15
	// minutes). It is given the first 8 KiB of the body. Nil takes every 429
	// for a plain one.
	QuotaExhausted func(response *http.Response, body []byte) (exhausted bool, resetAt time.Time)
	// Remaining reads from a response what the app says is left in a pool. It
	// is passed on to the host. Optional.
	Remaining func(*http.Response) (pool string, units int64, ok bool)
	// Logger receives one debug line for each exchange and a warning for each
	// repetition. Nil logs nothing.
	Logger *slog.Logger
	// Observe is told about each exchange, for metrics and traces; it must be
	// quick and safe for concurrent use. Optional.
	Observe func(Exchange)
	// Transport sends the requests. Nil takes a transport with time limits
	// that ignores the proxy settings of the environment.
	Transport http.RoundTripper
}

// Retry bounds repetition. Zero fields take the defaults.
type Retry struct {
	// MaxAttempts counts the first one; default 5.
	MaxAttempts int
	// Base is the bound of the first wait and doubles with each attempt, up to
	// Max; the wait is a random part of the bound, at least half. Defaults
	// 500 ms and 60 s. A delay named by the server is taken instead.
	Base, Max time.Duration
}

// TokenSource supplies the value of the Authorization header. [Client] calls
// Token from one goroutine at a time and shares the answer.
type TokenSource interface {
	// Token returns the whole header value, for instance "Bearer abc". It is
	// called before every authenticated request, so it caches. Requests made
	// with its context through the same client carry no token.
	Token(ctx context.Context) (header string, err error)
	// Invalidate says that the app refused the value, so that the next Token
	// returns another one. It is called once for each refused value.
	Invalidate(ctx context.Context, value string)
}

// Exchange is one request and what came of it, without anything secret.
type Exchange struct {
	// Category is the limit the request belongs to, "" for none.
	Category string
	Method   string
	// URL holds scheme, host and path only.
	URL string
	// Status is 0 when no response came; Err is set then.
	Status int
	Err    error
	// Duration is the time until the response's header.
	Duration time.Duration
}

type idempotentKey struct{}

// WithIdempotent marks the request made with the returned context as safe to
// repeat, whatever its method.
func WithIdempotent(ctx context.Context) context.Context {
	return context.WithValue(ctx, idempotentKey{}, true)
}

func isIdempotent(ctx context.Context) bool {
	marked, _ := ctx.Value(idempotentKey{}).(bool)
	return marked
}
