package egress

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/sluiceio/sluice/connector"
)

// observer reports what was sent, and logs it without query, headers or body.
type observer struct {
	next      http.RoundTripper
	limits    *limiter
	remaining func(*http.Response) (string, int64, bool)
	logger    *slog.Logger
}

func (t *observer) RoundTrip(r *http.Request) (*http.Response, error) {
	start := time.Now()
	resp, err := t.next.RoundTrip(r)
	if !notSent(err) {
		t.report(r, resp)
	}
	t.log(r, resp, err, time.Since(start))
	return resp, err
}

// report books the request with the host. One that was not answered counts too:
// the app may have received it.
func (t *observer) report(r *http.Request, resp *http.Response) {
	host := connector.HostFrom(r.Context())
	if host == nil {
		return
	}
	u := connector.Usage{Category: "other", Requests: 1}
	if c := t.limits.categoryOf(r); c != nil {
		u.Category = c.limit.Category
		if c.limit.Cost != nil {
			u.Pool, u.Units = c.limit.Cost.Pool, c.limit.Cost.For(t.limits.itemsOf(r))
		}
	}
	if t.remaining != nil && resp != nil {
		if pool, units, ok := t.remaining(resp); ok && (u.Pool == "" || u.Pool == pool) {
			u.Pool, u.Remaining = pool, &units
		}
	}
	host.Report(context.WithoutCancel(r.Context()), connector.Report{Usage: []connector.Usage{u}})
}

func (t *observer) log(r *http.Request, resp *http.Response, err error, took time.Duration) {
	if t.logger == nil {
		return
	}
	attrs := []slog.Attr{
		slog.String("method", r.Method), slog.String("host", r.URL.Host), slog.String("path", r.URL.Path), slog.Duration("took", took),
	}
	if resp != nil {
		attrs = append(attrs, slog.Int("status", resp.StatusCode))
	}
	if err != nil {
		attrs = append(attrs, slog.String("error", string(connector.ClassOf(err))))
	}
	t.logger.LogAttrs(r.Context(), slog.LevelDebug, "request", attrs...)
}
