package egress

import (
	"net/http"
	"time"
)

// limitTransport waits for the limits. A place in a rate is kept until the
// answer's header is there (see [window]); a place in a concurrency group until
// the body is closed, because apps count a call as active until they have sent
// all of it.
type limitTransport struct {
	next      http.RoundTripper
	limits    *limiter
	exhausted func(*http.Response, []byte) (bool, time.Time)
}

func (t *limitTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	pass, err := t.limits.enter(r)
	if err != nil {
		closeBody(r)
		return nil, unsentError{err}
	}
	resp, err := t.next.RoundTrip(r)
	if err != nil {
		f := fateAbandoned
		if notSent(err) {
			f = fateUnsent
		}
		t.limits.answered(pass, f)
		t.limits.leave(pass)
		return nil, err
	}
	t.limits.answered(pass, fateAnswered)
	resp.Body = &onClose{ReadCloser: resp.Body, done: func() { t.limits.leave(pass) }}
	if resp.StatusCode != http.StatusTooManyRequests || t.exhausted == nil {
		return resp, nil
	}
	spent, resetAt := t.exhausted(resp, peek(resp))
	if !spent {
		return resp, nil
	}
	resp.Body.Close()
	return nil, t.limits.spend(pass, resetAt)
}
