package egress

import (
	"net/http"
	"time"

	"github.com/sluiceio/sluice/connector"
)

// limitTransport waits for the limits. A place in a concurrency group is held
// until the body is closed, because apps count a call as active until then.
type limitTransport struct {
	next      http.RoundTripper
	limits    *limiter
	exhausted func(*http.Response, []byte) (bool, time.Time)
}

func (t *limitTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	answered, closed, err := t.limits.enter(r)
	if err != nil {
		closeBody(r)
		return nil, err
	}
	resp, err := t.next.RoundTrip(r)
	answered()
	if err != nil {
		closed()
		return nil, err
	}
	resp.Body = &onClose{ReadCloser: resp.Body, done: closed}
	if resp.StatusCode != http.StatusTooManyRequests || t.exhausted == nil {
		return resp, nil
	}
	spent, resetAt := t.exhausted(resp, peek(resp))
	if !spent {
		return resp, nil
	}
	resp.Body.Close()
	e := connector.Errorf(connector.ClassQuotaExhausted, "QUOTA_EXHAUSTED", "the app says that its budget is spent")
	e.ResetAt = resetAt
	if !resetAt.IsZero() {
		e.RetryAfter = max(time.Until(resetAt), 0)
	}
	return nil, e
}
